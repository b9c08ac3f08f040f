/*
 * Tail sampling on any bytes: as a request, whole and in two, through policies that look at everything a span has; and as a trace state. What was held must
 * be gone at the end. The first byte says the settings.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/log.h"
#include "collector/instance.h"
#include "collector/processors/tail_sampling/processor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct component_type tail_sampling_processor;

static const char policies[] =
    "yaml:{policies: ["
    "{name: l, type: latency, latency: {threshold_ms: 5, upper_threshold_ms: 10}},"
    "{name: n, type: numeric_attribute, numeric_attribute: {key: k, min_value: 5}},"
    "{name: r, type: string_attribute, string_attribute: {key: k, values: ['^a+b'], enabled_regex_matching: true}},"
    "{name: b, type: boolean_attribute, boolean_attribute: {key: k, value: true}},"
    "{name: s, type: status_code, status_code: {status_codes: [ERROR]}},"
    "{name: t, type: trace_state, trace_state: {key: k, values: [v]}},"
    "{name: p, type: probabilistic, probabilistic: {sampling_percentage: 30}},"
    "{name: o, type: ottl_condition, ottl_condition: {span: ['name == \"n\" and attributes[\"k\"] != nil'], spanevent: ['name == "
    "\"e\"']}}],"
    "record_policy: true, decision_wait_after_root_received: 1s, ";
static const char *const variants[] = { "num_traces: 2}", "block_on_overflow: true, num_traces: 3}", "maximum_trace_size_bytes: 50}",
    "decision_cache: {sampled_cache_size: 2, non_sampled_cache_size: 2}}" };

static void sink_consume(struct consumer *consumer, struct batch *batch)
{
    (void)consumer;
    for (size_t i = 0; i < batch->run_count; i++)
        assert(otlp_count(SIGNAL_TRACES, batch->runs[i].bytes) == batch->runs[i].records);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void send(struct component *component, struct slice bytes)
{
    struct payload *payload = payload_create(bytes.size);
    struct otlp_check check = otlp_check(SIGNAL_TRACES, bytes);

    assert(payload != NULL);
    if (bytes.size > 0)
        memcpy(payload->data, bytes.data, bytes.size);
    payload->size = bytes.size;
    if (check.fault == OTLP_OK || check.fault == OTLP_BAD_UTF8)
        consume(&component->consumer, batch_create(SIGNAL_TRACES, payload, check.records, NULL));
    else
        payload_unref(payload);
}

static struct instance *make(struct arena *arena, struct loaded *loaded, struct configuration_component *settings, const char *variant)
{
    struct config_errors errors = { .arena = arena };
    struct config_source source = { arena_printf(arena, "%s%s", policies, variant), false };
    struct error err = { "" };
    struct instance *instance;

    *settings = (struct configuration_component){ &tail_sampling_processor, "tail_sampling", "tail_sampling", NULL, true };
    settings->node = config_load(arena, &source, 1, &errors);
    instance = instance_create(loaded, settings, "", &err);
    assert(instance != NULL);
    return instance;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct component_type sink_type = { .name = "sink", .kind = COMPONENT_EXPORTER, .signals = SIGNALS_ALL };
    static bool started;
    struct component sink = { .type = &sink_type, .id = "sink", .path = "sink" };
    struct configuration_component settings;
    struct loaded loaded = { 2, NULL };
    struct arena arena = { 0 };
    struct slice value;
    struct error err;

    if (size == 0)
        return 0;
    if (!started) {
        log_configure(&(struct log_settings){ .level = LOG_ERROR, .sampling = true, .fd = STDERR_FILENO });
        started = loops_start(1, &err);
        assert(started);
    }
    tail_trace_state_get(slice_of(data + 1, size - 1), SLICE("k"), &value);
    struct instance *instance = make(&arena, &loaded, &settings, variants[data[0] % 4]);
    sink.consumer = (struct consumer){ sink_consume, &sink };
    instance->component->next[SIGNAL_TRACES] = &sink.consumer;
    if (!instance_start(instance, &err))
        abort();
    send(instance->component, slice_of(data + 1, size - 1));
    send(instance->component, slice_of(data + 1, (size - 1) / 2));
    tail_sampling_processor.drain(instance->component);
    send(instance->component, slice_of(data + 1, size - 1));
    instance_destroy(instance);
    arena_fini(&arena);
    assert(payload_bytes_in_flight() == 0);
    return 0;
}
