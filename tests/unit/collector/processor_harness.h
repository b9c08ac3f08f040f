/*
 * A processor on its own: started from settings in YAML, given requests as OTLP/JSON, and what it sends on as OTLP/JSON again.
 *
 * "same": the very bytes that came in went on. "": nothing was left. Anything that is wrong with the settings is in `error`.
 */
#ifndef WEIR_TESTS_PROCESSOR_HARNESS_H
#define WEIR_TESTS_PROCESSOR_HARNESS_H

#include <stdio.h>
#include <stdlib.h>

#include "collector/base/log.h"
#include "collector/instance.h"
#include "collector/registry.h"
#include "collector/wire/json.h"
#include "collector/wire/otlp.h"

#include <cmocka.h>

struct processing {
    struct arena arena;
    struct config_errors errors;
    struct configuration_component settings;
    struct loaded loaded;
    struct instance *instance;
    struct component sink;
    enum signal signal;
    const uint8_t *sent; /* the bytes that were given in */
    struct metadata *metadata;
    struct buffer json;
    size_t records; /* that came out of the last request */
    char error[1024];
};

static const struct component_type harness_sink_type = { .name = "sink", .kind = COMPONENT_EXPORTER, .signals = SIGNALS_ALL };

static void harness_consume(struct consumer *consumer, struct batch *batch)
{
    struct processing *processing = (struct processing *)((uint8_t *)consumer->component - offsetof(struct processing, sink));
    struct buffer scratch = { .data = NULL };
    struct slice bytes = batch_flatten(batch, &scratch);

    processing->records = batch->records;
    assert_int_equal(otlp_check(batch->signal, bytes).fault, OTLP_OK);
    assert_int_equal(otlp_count(batch->signal, bytes), batch->records);
    if (bytes.data == processing->sent)
        buffer_append_string(&processing->json, "same");
    else
        json_write_request(batch->signal, bytes, &processing->json);
    buffer_fini(&scratch);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

/* False with `error` when the settings are refused. `yaml` is the processor's map. */
static inline bool processing_start(struct processing *processing, const char *name, const char *yaml, enum signal signal)
{
    struct config_source source = { .is_set = false };
    struct error err = { "" };

    *processing = (struct processing){ .loaded = { 2, NULL }, .signal = signal };
    processing->errors.arena = &processing->arena;
    source.text = arena_printf(&processing->arena, "yaml:%s", yaml);
    const struct component_type *type = registry_find(COMPONENT_PROCESSOR, name, NULL);
    assert_non_null(type);
    processing->settings = (struct configuration_component){ type, name, name, NULL, true };
    processing->settings.node = config_load(&processing->arena, &source, 1, &processing->errors);
    assert_int_equal(processing->errors.count, 0);
    processing->instance = instance_create(&processing->loaded, &processing->settings, "", &err);
    if (processing->instance == NULL) {
        snprintf(processing->error, sizeof(processing->error), "%s", err.message);
        return false;
    }
    processing->sink.type = &harness_sink_type;
    processing->sink.id = processing->sink.path = "sink";
    processing->sink.consumer = (struct consumer){ harness_consume, &processing->sink };
    processing->instance->component->next[signal] = &processing->sink.consumer;
    bool ok = instance_start(processing->instance, &err);
    snprintf(processing->error, sizeof(processing->error), "%s", err.message);
    return ok;
}

static inline void processing_stop(struct processing *processing)
{
    instance_destroy(processing->instance);
    metadata_unref(processing->metadata);
    buffer_fini(&processing->json);
    arena_fini(&processing->arena);
}

/* What comes of the request, until the next one. */
static inline const char *processing_run(struct processing *processing, const char *json)
{
    struct buffer wire = { .data = NULL };
    struct json_error err = { 0 };
    struct payload *payload;
    struct batch *batch;

    if (!json_read_request(processing->signal, slice_of_string(json), &wire, &err))
        fail_msg("%s", err.message);
    payload = payload_create(wire.size + 1);
    assert_non_null(payload);
    if (wire.size > 0)
        memcpy(payload->data, wire.data, wire.size);
    payload->size = wire.size;
    processing->sent = payload->data;
    batch = batch_create(processing->signal, payload, otlp_count(processing->signal, buffer_slice(&wire)), NULL);
    batch->metadata = metadata_ref(processing->metadata);
    buffer_fini(&wire);
    buffer_clear(&processing->json);
    processing->records = 0;
    consume(&processing->instance->component->consumer, batch);
    return buffer_string(&processing->json);
}

/* The same in one go. The caller frees what is returned; "error: ..." when the settings are refused. */
static inline char *processed(const char *name, const char *yaml, enum signal signal, const char *json)
{
    struct processing processing;
    char *out = NULL;

    if (processing_start(&processing, name, yaml, signal))
        out = strdup(processing_run(&processing, json));
    else if (asprintf(&out, "error: %s", processing.error) < 0)
        abort();
    processing_stop(&processing);
    return out;
}

#endif
