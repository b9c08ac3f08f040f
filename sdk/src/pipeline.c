/*
 * The batch processor of the specification: sends at the scheduled delay, when a batch is full, or on a flush; never two requests at
 * once, never a request for less than a batch in between. Threads: the worker.
 */
#include "sdk/src/pipeline.h"

#include "sdk/src/batch.h"
#include "sdk/src/clock.h"
#include "sdk/src/diag.h"
#include "sdk/src/engine.h"

enum { QUIET_MS = 10000 };

static const weir_signal public_signals[RECORD_SIGNALS] = { WEIR_SIGNAL_TRACES, WEIR_SIGNAL_LOGS };
static const enum counter drop_counters[RECORD_SIGNALS] = { COUNT_SPANS_DROPPED, COUNT_LOGS_DROPPED };
static const char *const record_names[RECORD_SIGNALS] = { "spans", "log records" };

void pipeline_init(struct pipeline *pipeline, enum record_signal signal, const struct settings *settings, struct slice resource)
{
    memset(pipeline, 0, sizeof(*pipeline));
    pipeline->signal = signal;
    pipeline->settings = &settings->batch[signal];
    pipeline->resource = resource;
    pipeline->next_due = clock_monotonic_ms() + pipeline->settings->delay_ms;
    pipeline->drops_seen = thread_count(drop_counters[signal]);
    exporter_init(&pipeline->exporter, public_signals[signal], settings, &engine_totals[public_signals[signal]]);
}

void pipeline_fini(struct pipeline *pipeline)
{
    exporter_abort(&pipeline->exporter, "stopped before they were sent");
    atomic_fetch_add_explicit(&pipeline->exporter.totals->failed, pipeline->waiting.count, memory_order_relaxed);
    queue_leave(pipeline->signal, pipeline->waiting.count);
    record_free_chain(pipeline->waiting.first);
    exporter_fini(&pipeline->exporter);
    memset(pipeline, 0, sizeof(*pipeline));
}

void pipeline_flush(struct pipeline *pipeline)
{
    queue_collect(pipeline->signal, &pipeline->waiting);
    pipeline->owed = pipeline->waiting.count;
}

bool pipeline_flushed(const struct pipeline *pipeline)
{
    return pipeline->owed == 0 && pipeline->exporter.state == EXPORTER_IDLE;
}

/* One warning when loss begins, one when there was none for a while. */
static void watch_drops(struct pipeline *pipeline, int64_t now)
{
    uint64_t drops = thread_count(drop_counters[pipeline->signal]);

    if (drops != pipeline->drops_seen) {
        if (!pipeline->dropping) {
            pipeline->dropping = true;
            pipeline->drops_before = pipeline->drops_seen;
            diag(WEIR_LEVEL_WARN, "dropping %s: the queue of %u or the memory for records is full", record_names[pipeline->signal],
                (unsigned)pipeline->settings->queue_size);
        }
        pipeline->last_drop = now;
        pipeline->drops_seen = drops;
    } else if (pipeline->dropping && now - pipeline->last_drop >= QUIET_MS) {
        pipeline->dropping = false;
        diag(WEIR_LEVEL_WARN, "no more %s are dropped; %llu were", record_names[pipeline->signal],
            (unsigned long long)(drops - pipeline->drops_before));
    }
}

/* Begins a request if there is reason to; false when there is none. */
static bool send_batch(struct pipeline *pipeline)
{
    if (pipeline->owed > pipeline->waiting.count)
        pipeline->owed = pipeline->waiting.count;
    if (pipeline->owed == 0 && pipeline->waiting.count < pipeline->settings->batch_size)
        return false;
    uint32_t count = batch_write(&pipeline->waiting, pipeline->settings->batch_size, pipeline->resource, &pipeline->exporter.request);
    if (count == 0) {
        pipeline->owed = 0; /* no memory: at the next occasion */
        buffer_clear(&pipeline->exporter.request);
        return false;
    }
    queue_leave(pipeline->signal, count);
    pipeline->owed -= count < pipeline->owed ? count : pipeline->owed;
    exporter_begin(&pipeline->exporter, count, pipeline->settings->timeout_ms);
    return true;
}

void pipeline_step(struct pipeline *pipeline)
{
    do {
        int64_t now = clock_monotonic_ms();
        queue_collect(pipeline->signal, &pipeline->waiting);
        watch_drops(pipeline, now);
        if (!exporter_step(&pipeline->exporter))
            return;
        if (now >= pipeline->next_due) {
            pipeline->owed = pipeline->waiting.count;
            pipeline->next_due = now + pipeline->settings->delay_ms;
        }
    } while (send_batch(pipeline));
}

int64_t pipeline_due(const struct pipeline *pipeline)
{
    int64_t due = exporter_due(&pipeline->exporter);

    return pipeline->exporter.state == EXPORTER_IDLE && pipeline->next_due < due ? pipeline->next_due : due;
}
