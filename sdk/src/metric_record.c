/*
 * Measurements. A bound addition is one read of thread-local memory and one addition to a cell no other thread writes; within
 * a sampled span now and then an exemplar besides. Threads: any.
 */
#include <math.h>

#include "sdk/src/clock.h"
#include "sdk/src/engine.h"
#include "sdk/src/metric.h"
#include "sdk/src/thread.h"

/* This thread's cell, NULL when it has none yet. */
static inline struct cell *cell_at(uint32_t index)
{
    struct thread *self = thread_locals.thread;
    struct metric_cells *cells = self != NULL ? atomic_load_explicit(&self->cells, memory_order_relaxed) : NULL;

    return cells != NULL && index < cells->capacity ? atomic_load_explicit(&cells->cell[index], memory_order_relaxed) : NULL;
}

static inline struct cell *cell_of(const struct point *point)
{
    struct cell *cell = cell_at(point->index);

    if (__builtin_expect(cell != NULL, 1))
        return cell;
    engine_ensure();
    return metric_cell_of(point);
}

static bool wants_exemplar(void)
{
    enum exemplar_filter filter = settings_now()->metrics.exemplars;

    if (filter == EXEMPLARS_TRACE_BASED)
        return (thread_locals.current.flags & WEIR_FLAG_SAMPLED) != 0;
    return filter == EXEMPLARS_ALWAYS_ON;
}

/* A reservoir of one: the nth candidate replaces the one that is there with probability 1/n. The cell is locked. */
static void offer(struct exemplar *exemplar, double value)
{
    struct thread *self = thread_locals.thread;

    exemplar->seen++;
    if (exemplar->seen > 1 && self != NULL && random_word(&self->random) % exemplar->seen != 0)
        return;
    exemplar->time_ns = clock_now();
    exemplar->value = value;
    memcpy(exemplar->trace_id, thread_locals.current.trace_id, 16);
    memcpy(exemplar->span_id, thread_locals.current.span_id, 8);
}

static inline bool lock_cell(struct cell *cell, bool wait)
{
    while (atomic_exchange_explicit(&cell->lock, 1, memory_order_acquire) != 0) {
        if (!wait)
            return false;
    }
    return true;
}

static inline void unlock_cell(struct cell *cell)
{
    atomic_store_explicit(&cell->lock, 0, memory_order_release);
}

static void offer_sum(struct cell *cell, double value)
{
    if (!lock_cell(cell, false))
        return;
    offer(&cell->exemplars[0], value);
    unlock_cell(cell);
}

static inline void add_bits(const struct point *point, struct cell *cell, int64_t integer, double value)
{
    uint64_t old = atomic_load_explicit(&cell->sum, memory_order_relaxed);
    uint64_t now = point->stream->instrument->floating ? metric_bits(metric_double(old) + value) : old + (uint64_t)integer;

    atomic_store_explicit(&cell->sum, now, memory_order_relaxed);
    if (__builtin_expect(!atomic_load_explicit(&cell->touched, memory_order_relaxed), 0))
        atomic_store_explicit(&cell->touched, true, memory_order_release);
}

/* The index of the first bound that is not below the value. */
static uint32_t bucket_of(const struct stream *stream, double value)
{
    uint32_t low = 0, high = stream->bound_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (value <= stream->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void record_distribution(const struct point *point, struct cell *cell, double value)
{
    const struct stream *stream = point->stream;
    bool exemplar = wants_exemplar();

    lock_cell(cell, true);
    uint32_t bucket = 0;
    if (stream->aggregation == AGGREGATION_BUCKETS) {
        bucket = bucket_of(stream, value);
        cell->buckets[bucket]++;
    }
    histogram_record(stream, cell, value);
    if (exemplar)
        offer(&cell->exemplars[bucket < stream->exemplar_count ? bucket : 0], value);
    unlock_cell(cell);
    atomic_store_explicit(&cell->touched, true, memory_order_relaxed);
}

static void set_last(const struct point *point, uint64_t bits)
{
    struct point *writable = (struct point *)(uintptr_t)point;

    engine_ensure();
    atomic_store_explicit(&writable->last_value, bits, memory_order_relaxed);
    if (!atomic_load_explicit(&writable->has_last, memory_order_relaxed))
        atomic_store_explicit(&writable->has_last, true, memory_order_release);
}

/* Any instrument, any aggregation. `integer` is the value of instruments that are not floating. */
static void record(const struct point *point, int64_t integer, double value)
{
    const struct instrument *instrument = point->stream->instrument;

    if (isnan(value) || (metric_is_monotonic(instrument->kind) && value < 0))
        return;
    if (point->stream->aggregation == AGGREGATION_LAST) {
        set_last(point, instrument->floating ? metric_bits(value) : (uint64_t)integer);
        return;
    }
    struct cell *cell = cell_of(point);
    if (cell == NULL)
        return;
    if (point->stream->aggregation != AGGREGATION_SUM) {
        if (isfinite(value))
            record_distribution(point, cell, value);
        return;
    }
    add_bits(point, cell, integer, value);
    if (wants_exemplar())
        offer_sum(cell, value);
}

static int64_t to_integer(double value)
{
    return value >= 9223372036854775807.0 ? INT64_MAX : value <= -9223372036854775808.0 ? INT64_MIN : (int64_t)value;
}

static __attribute__((noinline)) void add_to_all(const weir_series *series, int64_t value)
{
    for (uint32_t i = 0; series != NULL && i < series->count; i++)
        record(series->points[i], value, (double)value);
}

static __attribute__((noinline)) void offer_exemplar(struct cell *cell, int64_t value)
{
    offer_sum(cell, (double)value);
}

void weir_add(weir_series *series, int64_t value)
{
    struct cell *cell = series != NULL && value >= 0 ? cell_at(series->index) : NULL;

    if (__builtin_expect(cell == NULL || !atomic_load_explicit(&cell->touched, memory_order_relaxed), 0)) {
        add_to_all(series, value);
        return;
    }
    uint64_t sum = atomic_load_explicit(&cell->sum, memory_order_relaxed);
    atomic_store_explicit(&cell->sum, sum + (uint64_t)value, memory_order_relaxed);
    if (__builtin_expect(wants_exemplar(), 0))
        offer_exemplar(cell, value);
}

void weir_record(weir_series *series, double value)
{
    for (uint32_t i = 0; series != NULL && i < series->count; i++)
        record(series->points[i], to_integer(value), value);
}

void weir_add_double(weir_series *series, double value)
{
    weir_record(series, value);
}

void weir_add_attrs(weir_instr *instr, int64_t value, weir_attrs attrs)
{
    struct instrument *instrument = metric_instrument_of(instr);

    for (struct stream *stream = instrument != NULL ? instrument->streams : NULL; stream != NULL; stream = stream->next) {
        struct point *point = metric_point_of(stream, attrs);
        if (point != NULL)
            record(point, value, (double)value);
    }
}

void weir_record_attrs(weir_instr *instr, double value, weir_attrs attrs)
{
    struct instrument *instrument = metric_instrument_of(instr);

    for (struct stream *stream = instrument != NULL ? instrument->streams : NULL; stream != NULL; stream = stream->next) {
        struct point *point = metric_point_of(stream, attrs);
        if (point != NULL)
            record(point, to_integer(value), value);
    }
}
