/* weir_stats: sums of what every thread counted. Threads: any. */
#include "sdk/src/engine.h"
#include "sdk/src/queue.h"

static uint64_t read_total(_Atomic uint64_t *total)
{
    return atomic_load_explicit(total, memory_order_relaxed);
}

static void fill(weir_stats_values *values)
{
    struct exporter_totals *spans = &engine_totals[WEIR_SIGNAL_TRACES];
    struct exporter_totals *logs = &engine_totals[WEIR_SIGNAL_LOGS];
    struct exporter_totals *points = &engine_totals[WEIR_SIGNAL_METRICS];
    uint64_t ended = thread_count(COUNT_SPANS_ENDED);

    values->spans_started = thread_count(COUNT_SPANS_STARTED);
    values->spans_unsampled = thread_count(COUNT_SPANS_UNSAMPLED);
    values->spans_live = values->spans_started > ended ? values->spans_started - ended : 0;
    values->spans_dropped = thread_count(COUNT_SPANS_DROPPED);
    values->spans_exported = read_total(&spans->exported);
    values->spans_failed = read_total(&spans->failed);
    values->logs_recorded = thread_count(COUNT_LOGS_RECORDED);
    values->logs_dropped = thread_count(COUNT_LOGS_DROPPED);
    values->logs_exported = read_total(&logs->exported);
    values->logs_failed = read_total(&logs->failed);
    values->points_exported = read_total(&points->exported);
    values->points_failed = read_total(&points->failed);
    values->attributes_dropped = thread_count(COUNT_ATTRIBUTES_DROPPED);
    values->text_repaired = thread_count(COUNT_TEXT_REPAIRED);
    for (int i = 0; i < SETTINGS_SIGNALS; i++) {
        values->exports += read_total(&engine_totals[i].requests);
        values->retries += read_total(&engine_totals[i].retries);
    }
    values->queue_spans = queue_length(RECORD_SPANS);
    values->queue_logs = queue_length(RECORD_LOGS);
    values->memory_used = pool_used(&record_pool);
}

void weir_stats(weir_stats_values *values)
{
    weir_stats_values known;

    if (values == NULL || values->size < 8)
        return;
    memset(&known, 0, sizeof(known));
    fill(&known);
    known.size = values->size;
    memcpy(values, &known, values->size < sizeof(known) ? values->size : sizeof(known));
}
