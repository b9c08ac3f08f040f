/*
 * Nanoseconds of the wire core for each record: the border check, walking with views, attribute lookup, an edit of one
 * attribute, a split in half. Best of several rounds, because a shared machine only ever makes things slower.
 *
 * usage: wire_bench [SECONDS for each figure]
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/wire/edit.h"
#include "collector/wire/otlp.h"
#include "tests/bench/bodies.h"

struct bench {
    enum signal signal;
    struct slice payload;
    size_t records;
    struct edit edit;
    struct buffer out;
    struct buffer tail;
};

typedef uint64_t (*bench_run)(struct bench *bench);

static uint64_t run_check(struct bench *bench)
{
    struct otlp_check check = otlp_check(bench->signal, bench->payload);

    assert(check.fault == OTLP_OK && check.records == bench->records);
    return check.records;
}

static uint64_t run_count(struct bench *bench)
{
    return otlp_count(bench->signal, bench->payload);
}

static uint64_t view_points(const struct otlp_metric *metric)
{
    struct otlp_points points = otlp_points(metric);
    struct otlp_point point;
    uint64_t sum = 0;

    while (otlp_next_point(&points, &point))
        sum += point.time;
    return sum;
}

static uint64_t run_view(struct bench *bench)
{
    struct otlp_walk walk = otlp_walk(bench->payload);
    uint64_t sum = 0;

    while (otlp_walk_next(&walk)) {
        struct otlp_span span;
        struct otlp_log log;
        struct otlp_metric metric;
        if (bench->signal == SIGNAL_TRACES) {
            otlp_span_view(walk.record.body, &span);
            sum += span.start_time + span.name.size;
        } else if (bench->signal == SIGNAL_LOGS) {
            otlp_log_view(walk.record.body, &log);
            sum += log.time + log.value.size;
        } else {
            otlp_metric_view(walk.record.body, &metric);
            sum += view_points(&metric);
        }
    }
    return sum;
}

static uint64_t run_find(struct bench *bench)
{
    struct otlp_walk walk = otlp_walk(bench->payload);
    uint64_t sum = 0;

    while (otlp_walk_next(&walk)) {
        struct otlp_value value;
        if (otlp_find_attribute(walk.record.body, OTLP_ATTRIBUTES_OF_SPAN, SLICE("http.response.status_code"), &value))
            sum += (uint64_t)value.integer;
    }
    return sum;
}

static uint64_t run_edit(struct bench *bench)
{
    static const struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = { (const uint8_t *)"production", 10 } };
    struct otlp_walk walk = otlp_walk(bench->payload);

    buffer_clear(&bench->out);
    while (otlp_walk_next(&walk)) {
        edit_open(&bench->edit, walk.record.body, OTLP_ATTRIBUTES_OF_SPAN);
        edit_set_attribute(&bench->edit, SLICE("server.address"), &value);
        edit_write(&bench->edit, 2, &bench->out);
    }
    return bench->out.size;
}

static uint64_t run_split(struct bench *bench)
{
    struct otlp_split_limits limits = { .max_records = bench->records / 2 };

    buffer_clear(&bench->out);
    buffer_clear(&bench->tail);
    return otlp_split(bench->signal, bench->payload, limits, &bench->out, &bench->tail);
}

static double best_nanos(struct bench *bench, bench_run run, double seconds)
{
    int64_t deadline = clock_monotonic_nanos() + (int64_t)(seconds * (double)NANOS_PER_SECOND);
    double best = 1e18;
    uint64_t sum = 0;

    do {
        size_t times = 1 + 20000 / bench->records;
        int64_t start = clock_monotonic_nanos();
        for (size_t i = 0; i < times; i++)
            sum += run(bench);
        double nanos = (double)(clock_monotonic_nanos() - start) / (double)(times * bench->records);
        best = nanos < best ? nanos : best;
    } while (clock_monotonic_nanos() < deadline);
    assert(sum > 0);
    return best;
}

static void report(enum signal signal, enum bench_signal kind, size_t records, double seconds)
{
    struct body_shape shape = { .signal = kind, .records = records };
    struct body body;

    body_init(&body, &shape, 42);
    struct bench bench = { .signal = signal, .payload = { body.data, body.size }, .records = body.records };
    printf("%-8s %5zu %6.0f B/record", signal_name(signal), body.records, (double)body.size / (double)body.records);
    printf("  check %6.1f  count %5.1f", best_nanos(&bench, run_check, seconds), best_nanos(&bench, run_count, seconds));
    printf("  walk+view %6.1f  split %6.1f", best_nanos(&bench, run_view, seconds), best_nanos(&bench, run_split, seconds));
    if (signal == SIGNAL_TRACES)
        printf("  find %6.1f  edit %6.1f", best_nanos(&bench, run_find, seconds), best_nanos(&bench, run_edit, seconds));
    printf("  ns/record\n");
    edit_fini(&bench.edit);
    buffer_fini(&bench.out);
    buffer_fini(&bench.tail);
    body_fini(&body);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.3;

    for (size_t records = 100; records <= 1000; records *= 10) {
        report(SIGNAL_TRACES, BENCH_TRACES, records, seconds);
        report(SIGNAL_LOGS, BENCH_LOGS, records, seconds);
        report(SIGNAL_METRICS, BENCH_METRICS, records, seconds);
    }
    return 0;
}
