/* An exporter by itself: filled from YAML, started, and given batches made by hand. Included by one test file each. */
#ifndef WEIR_TESTS_EXPORTER_HARNESS_H
#define WEIR_TESTS_EXPORTER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/accounts.h"
#include "collector/config/tree.h"
#include "collector/delivery.h"
#include "collector/telemetry.h"
#include "collector/wire/otlp.h"

#include <cmocka.h>

struct harness {
    struct arena arena;
    struct component *exporter;
    struct error err;
};

/* NULL text: no configuration. Asserts that it is valid. */
static bool harness_fill(struct harness *harness, const struct component_type *type, const char *yaml)
{
    struct config_errors errors = { .arena = &harness->arena };
    struct config_node *tree = NULL;
    struct option_target target;
    char source[2000];

    harness->exporter = calloc(1, type->instance_size);
    harness->exporter->type = type;
    harness->exporter->id = type->name;
    harness->exporter->path = "exporters.test";
    target = (struct option_target){ harness->exporter, &harness->arena, &errors };
    if (yaml != NULL) {
        snprintf(source, sizeof(source), "yaml:%s", yaml);
        tree = config_load(&harness->arena, &(struct config_source){ source, false }, 1, &errors);
    }
    if (errors.count == 0)
        option_fill(type->options, tree, "exporters.test", &target);
    if (errors.count > 0)
        snprintf(harness->err.message, sizeof(harness->err.message), "%s", errors.first->text);
    return errors.count == 0 && (type->validate == NULL || type->validate(harness->exporter, &harness->err));
}

static void harness_discard(struct harness *harness)
{
    free(harness->exporter);
    arena_fini(&harness->arena);
}

static void harness_start(struct harness *harness, const struct component_type *type, const char *yaml)
{
    memset(harness, 0, sizeof(*harness));
    if (!harness_fill(harness, type, yaml))
        fail_msg("%s", harness->err.message);
    accounts_create(harness->exporter);
    if (type->start != NULL && !type->start(harness->exporter, &harness->err))
        fail_msg("%s", harness->err.message);
}

static void harness_stop(struct harness *harness)
{
    if (harness->exporter->type->stop != NULL)
        harness->exporter->type->stop(harness->exporter);
    accounts_destroy(harness->exporter);
    harness_discard(harness);
}

static void harness_told(void *context, struct outcome outcome)
{
    struct outcome *told = context;

    assert_int_equal((int)told->verdict, -1);
    *told = outcome;
}

/* Gives the bytes to the exporter, which must settle before it returns. */
static struct outcome harness_send(struct harness *harness, enum signal signal, struct slice bytes)
{
    struct outcome told = { (enum verdict) - 1, 0, NULL };
    struct payload *payload = payload_create(bytes.size);
    struct receipt *receipt = receipt_create(RECEIPT_DURABLE, harness_told, &told);

    memcpy(payload->data, bytes.data, bytes.size);
    payload->size = bytes.size;
    harness->exporter->type->consume(harness->exporter, batch_create(signal, payload, otlp_count(signal, bytes), receipt));
    assert_int_not_equal((int)told.verdict, -1);
    return told;
}

/* The value of a series whose line begins so; 0 when there is none. */
static inline double harness_metric(const char *beginning)
{
    struct buffer text = { 0 };
    const char *line;
    double value = 0;

    metrics_write(&text);
    line = strstr(buffer_string(&text), beginning);
    if (line != NULL)
        value = strtod(strchr(line, '}') + 1, NULL);
    buffer_fini(&text);
    return value;
}

/* ---- requests ---- */

static inline void put_attribute(struct buffer *out, uint32_t field, const char *key, const char *value)
{
    size_t attribute = pb_open(out, field), any;

    pb_put_bytes(out, 1, slice_of_string(key));
    any = pb_open(out, 2);
    pb_put_bytes(out, 1, slice_of_string(value));
    pb_close(out, any);
    pb_close(out, attribute);
}

/* One resource with one string attribute (key NULL: none) and `count` log records whose bodies are `text`. */
static inline void put_logs(struct buffer *out, const char *key, const char *value, const char *text, size_t count)
{
    size_t group = pb_open(out, 1), resource = pb_open(out, 1), scope;

    if (key != NULL)
        put_attribute(out, 1, key, value);
    pb_close(out, resource);
    scope = pb_open(out, 2);
    for (size_t i = 0; i < count; i++) {
        size_t record = pb_open(out, 2), body = pb_open(out, 5);

        pb_put_bytes(out, 1, slice_of_string(text));
        pb_close(out, body);
        pb_close(out, record);
    }
    pb_close(out, scope);
    pb_close(out, group);
}

static inline struct outcome harness_send_logs(struct harness *harness, const char *text, size_t count)
{
    struct buffer request = { 0 };
    struct outcome outcome;

    put_logs(&request, NULL, NULL, text, count);
    outcome = harness_send(harness, SIGNAL_LOGS, buffer_slice(&request));
    buffer_fini(&request);
    return outcome;
}

#endif
