/*
 * Nanoseconds of a processor alone for each record: a started instance, a batch in, what comes out thrown away. Best of several rounds, because a
 * shared machine only ever makes things slower.
 *
 * usage: processor_bench [SECONDS for each figure]
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/instance.h"
#include "collector/registry.h"
#include "collector/wire/otlp.h"
#include "tests/bench/bodies.h"

struct bench_case {
    const char *processor, *settings;
    enum signal signal;
};

static const struct bench_case cases[] = {
    { "attributes", "{actions: [{key: deployment.environment.name, value: production, action: upsert}]}", SIGNAL_TRACES },
    { "attributes", "{actions: [{key: no.such.key, action: delete}]}", SIGNAL_TRACES },
    { "attributes", "{actions: [{key: url.path, action: hash}]}", SIGNAL_TRACES },
    { "resource", "{attributes: [{key: deployment.environment.name, value: production, action: upsert}]}", SIGNAL_TRACES },
    { "filter", "{trace_conditions: ['span.attributes[\"http.response.status_code\"] == 200']}", SIGNAL_TRACES },
    { "probabilistic_sampler", "{sampling_percentage: 10}", SIGNAL_TRACES },
    { "probabilistic_sampler", "{sampling_percentage: 10, mode: proportional}", SIGNAL_TRACES },
    { "probabilistic_sampler", "{sampling_percentage: 10, mode: equalizing}", SIGNAL_TRACES },
    { "probabilistic_sampler", "{sampling_percentage: 10}", SIGNAL_LOGS },
    { "normalize", "{timestamps: false}", SIGNAL_TRACES },
    { "normalize", "{}", SIGNAL_LOGS },
};

static void swallow(struct consumer *consumer, struct batch *batch)
{
    (void)consumer;
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static const struct component_type sink_type = { .name = "sink", .kind = COMPONENT_EXPORTER, .signals = SIGNALS_ALL };

static double best_nanos(struct instance *instance, enum signal signal, struct payload *payload, size_t records, double seconds)
{
    int64_t deadline = clock_monotonic_nanos() + (int64_t)(seconds * (double)NANOS_PER_SECOND);
    double best = 1e18;

    do {
        size_t times = 1 + 20000 / records;
        int64_t start = clock_monotonic_nanos();
        for (size_t i = 0; i < times; i++) {
            struct batch *batch = batch_create(signal, payload_ref(payload), records, NULL);
            assert(batch != NULL);
            consume(&instance->component->consumer, batch);
        }
        double nanos = (double)(clock_monotonic_nanos() - start) / (double)(times * records);
        best = nanos < best ? nanos : best;
    } while (clock_monotonic_nanos() < deadline);
    return best;
}

static struct payload *payload_of(enum signal signal, size_t records)
{
    struct body_shape shape = { .signal = signal == SIGNAL_LOGS ? BENCH_LOGS : BENCH_TRACES, .records = records, .record_size = 400 };
    struct body body;
    struct payload *payload;

    body_init(&body, &shape, 42);
    payload = payload_create(body.size);
    assert(payload != NULL);
    memcpy(payload->data, body.data, body.size);
    payload->size = body.size;
    body_fini(&body);
    return payload;
}

static void run(const struct bench_case *one, double seconds)
{
    const struct component_type *type = registry_find(COMPONENT_PROCESSOR, one->processor, NULL);
    struct arena arena = { .blocks = NULL };
    struct config_errors errors = { .arena = &arena };
    struct config_source source = { arena_printf(&arena, "yaml:%s", one->settings), false };
    struct configuration_component settings = { type, one->processor, one->processor, config_load(&arena, &source, 1, &errors), true };
    struct loaded loaded = { 2, NULL };
    struct component sink = { .type = &sink_type, .id = "sink", .path = "sink", .consumer = { swallow, &sink } };
    struct error err = { "" };
    struct instance *instance = instance_create(&loaded, &settings, "", &err);

    if (instance != NULL)
        instance->component->next[one->signal] = &sink.consumer;
    if (instance == NULL || !instance_start(instance, &err)) {
        fprintf(stderr, "%s: %s\n", one->processor, err.message);
        exit(1);
    }
    for (size_t records = 100; records <= 1000; records *= 10) {
        struct payload *payload = payload_of(one->signal, records);
        printf("%7.1f ", best_nanos(instance, one->signal, payload, records, seconds));
        payload_unref(payload);
    }
    printf(" ns/record (100, 1000)  %s, %s: %s\n", one->processor, signal_name(one->signal), one->settings);
    instance_destroy(instance);
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.3;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run(&cases[i], seconds);
    return 0;
}
