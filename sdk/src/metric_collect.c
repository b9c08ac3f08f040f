/*
 * Collection: all points' cells added up and written as one request. Takes memory and time proportional to points times threads;
 * recording goes on meanwhile. Threads: the worker.
 */
#include "sdk/src/clock.h"
#include "sdk/src/metric.h"
#include "sdk/src/scope.h"
#include "sdk/src/thread.h"

#include "collector/wire/protobuf.h"

enum {
    METRIC_NAME = 1,
    METRIC_DESCRIPTION = 2,
    METRIC_UNIT = 3,
    METRIC_GAUGE = 5,
    METRIC_SUM = 7,
    METRIC_HISTOGRAM = 9,
    METRIC_EXPONENTIAL = 10,
    NUMBER_START = 2,
    NUMBER_TIME = 3,
    NUMBER_DOUBLE = 4,
    NUMBER_EXEMPLARS = 5,
    NUMBER_INT = 6,
    NUMBER_ATTRIBUTES = 7,
    BUCKETS_COUNT = 4,
    BUCKETS_SUM = 5,
    BUCKETS_COUNTS = 6,
    BUCKETS_BOUNDS = 7,
    BUCKETS_EXEMPLARS = 8,
    BUCKETS_ATTRIBUTES = 9,
    BUCKETS_MIN = 11,
    BUCKETS_MAX = 12,
    EXPONENTIAL_ATTRIBUTES = 1,
    EXPONENTIAL_COUNT = 4,
    EXPONENTIAL_SUM = 5,
    EXPONENTIAL_SCALE = 6,
    EXPONENTIAL_ZEROS = 7,
    EXPONENTIAL_POSITIVE = 8,
    EXPONENTIAL_NEGATIVE = 9,
    EXPONENTIAL_EXEMPLARS = 11,
    EXPONENTIAL_MIN = 12,
    EXPONENTIAL_MAX = 13,
    EXEMPLAR_TIME = 2,
    EXEMPLAR_DOUBLE = 3,
    EXEMPLAR_SPAN = 4,
    EXEMPLAR_TRACE = 5,
    EXEMPLAR_INT = 6,
};

struct collection {
    struct buffer *out;
    uint64_t number, now;
    uint32_t points;
};

static uint64_t collections;
static uint32_t marks;
static uint64_t process_start; /* of the first collection's instruments, in this process */
static uint32_t process_epoch;

static struct cell *cell_in(struct thread *thread, const struct point *point)
{
    struct metric_cells *cells = atomic_load_explicit(&thread->cells, memory_order_acquire);

    if (cells == NULL || point->index >= cells->capacity)
        return NULL;
    struct cell *cell = atomic_load_explicit(&cells->cell[point->index], memory_order_acquire);
    return cell != NULL && atomic_load_explicit(&cell->touched, memory_order_acquire) ? cell : NULL;
}

/* A point that was the parent's before a fork begins anew. */
static void renew(struct point *point)
{
    if (point->epoch == thread_epoch)
        return;
    point->epoch = thread_epoch;
    point->reported = 0;
    point->start_ns = 0;
}

static void put_attributes(struct buffer *out, uint32_t field, const struct point *point)
{
    struct pb_reader reader = pb_reader_of(point->key);

    while (reader.at < reader.end) {
        size_t size = pb_varint(&reader);
        pb_put_bytes(out, field, slice_of(reader.at, size));
        reader.at += size;
    }
}

static void put_number(struct buffer *out, const struct instrument *instrument, uint64_t bits)
{
    pb_put_fixed64(out, instrument->floating ? NUMBER_DOUBLE : NUMBER_INT, bits);
}

static void put_exemplar(struct buffer *out, uint32_t field, const struct stream *stream, const struct exemplar *exemplar)
{
    size_t mark = pb_open(out, field);

    pb_put_fixed64(out, EXEMPLAR_TIME, exemplar->time_ns);
    if (stream->instrument->floating)
        pb_put_double(out, EXEMPLAR_DOUBLE, exemplar->value);
    else
        pb_put_fixed64(out, EXEMPLAR_INT, (uint64_t)(int64_t)exemplar->value);
    static const uint8_t none[16];
    if (memcmp(exemplar->trace_id, none, 16) != 0) {
        pb_put_bytes(out, EXEMPLAR_SPAN, slice_of(exemplar->span_id, 8));
        pb_put_bytes(out, EXEMPLAR_TRACE, slice_of(exemplar->trace_id, 16));
    }
    pb_close(out, mark);
}

/* Those of all threads since the last collection. */
static void put_exemplars(struct buffer *out, uint32_t field, const struct point *point)
{
    for (struct thread *thread = thread_first(); thread != NULL; thread = thread->next) {
        struct cell *cell = cell_in(thread, point);
        if (cell == NULL)
            continue;
        while (atomic_exchange_explicit(&cell->lock, 1, memory_order_acquire) != 0)
            continue;
        for (uint32_t i = 0; i < point->stream->exemplar_count; i++) {
            if (cell->exemplars[i].time_ns != 0)
                put_exemplar(out, field, point->stream, &cell->exemplars[i]);
            memset(&cell->exemplars[i], 0, sizeof(cell->exemplars[i]));
        }
        atomic_store_explicit(&cell->lock, 0, memory_order_release);
    }
}

static void put_times(struct buffer *out, const struct point *point, uint64_t now, bool with_start)
{
    if (with_start)
        pb_put_fixed64(out, NUMBER_START, point->start_ns);
    pb_put_fixed64(out, NUMBER_TIME, now);
}

/* ---- sums and last values ---- */

static bool sum_of(const struct point *point, uint64_t *bits)
{
    bool floating = point->stream->instrument->floating, any = false;
    uint64_t sum = 0;
    double total = 0;

    for (struct thread *thread = thread_first(); thread != NULL; thread = thread->next) {
        struct cell *cell = cell_in(thread, point);
        if (cell == NULL)
            continue;
        uint64_t own = atomic_load_explicit(&cell->sum, memory_order_relaxed);
        any = true;
        sum += own;
        total += floating ? metric_double(own) : 0;
    }
    *bits = floating ? metric_bits(total) : sum;
    return any;
}

/* The value to report; false when there is none. */
static bool number_of(const struct collection *c, struct point *point, uint64_t *bits)
{
    const struct stream *stream = point->stream;

    if (metric_is_observed(stream->instrument->kind)) {
        *bits = point->observed;
        if (point->observed_in != c->number)
            return false;
    } else if (stream->aggregation == AGGREGATION_LAST) {
        *bits = atomic_load_explicit(&point->last_value, memory_order_relaxed);
        return atomic_load_explicit(&point->has_last, memory_order_acquire);
    } else if (!sum_of(point, bits)) {
        return false;
    }
    if (!stream->delta || stream->aggregation != AGGREGATION_SUM)
        return true;
    uint64_t total = *bits;
    if (stream->instrument->floating)
        *bits = metric_bits(metric_double(total) - metric_double(point->reported));
    else
        *bits = total - point->reported;
    bool changed = total != point->reported;
    point->reported = total;
    return changed;
}

static void put_number_point(struct collection *c, struct point *point)
{
    const struct stream *stream = point->stream;
    uint64_t bits;

    if (!number_of(c, point, &bits))
        return;
    size_t mark = pb_open(c->out, 1);
    put_times(c->out, point, c->now, stream->aggregation == AGGREGATION_SUM);
    put_number(c->out, stream->instrument, bits);
    put_attributes(c->out, NUMBER_ATTRIBUTES, point);
    if (stream->aggregation == AGGREGATION_SUM)
        put_exemplars(c->out, NUMBER_EXEMPLARS, point);
    pb_close(c->out, mark);
    c->points++;
}

/* ---- distributions ---- */

static void put_side(struct buffer *out, uint32_t field, const struct exponential_side *side)
{
    if (side->used == 0)
        return;
    size_t mark = pb_open(out, field);
    pb_put_varint(out, 1, (uint32_t)side->offset << 1 ^ (uint32_t)(side->offset >> 31));
    size_t counts = pb_open(out, 2);
    for (uint32_t i = 0; i < side->used; i++)
        pb_put_raw_varint(out, side->counts[i]);
    pb_close(out, counts);
    pb_close(out, mark);
}

static void put_exponential(struct buffer *out, const struct point *point, const struct histogram_sum *sum)
{
    pb_put_fixed64(out, EXPONENTIAL_COUNT, sum->total.count);
    pb_put_double(out, EXPONENTIAL_SUM, sum->total.sum);
    pb_put_varint(out, EXPONENTIAL_SCALE, (uint32_t)sum->total.scale << 1 ^ (uint32_t)(sum->total.scale >> 31));
    pb_put_fixed64(out, EXPONENTIAL_ZEROS, sum->total.zero_count);
    put_side(out, EXPONENTIAL_POSITIVE, &sum->positive);
    put_side(out, EXPONENTIAL_NEGATIVE, &sum->negative);
    pb_put_double(out, EXPONENTIAL_MIN, sum->total.min);
    pb_put_double(out, EXPONENTIAL_MAX, sum->total.max);
    put_attributes(out, EXPONENTIAL_ATTRIBUTES, point);
    put_exemplars(out, EXPONENTIAL_EXEMPLARS, point);
}

static void put_buckets(struct buffer *out, const struct point *point, const struct histogram_sum *sum)
{
    const struct stream *stream = point->stream;

    pb_put_fixed64(out, BUCKETS_COUNT, sum->total.count);
    pb_put_double(out, BUCKETS_SUM, sum->total.sum);
    pb_put_bytes(out, BUCKETS_COUNTS, slice_of(sum->buckets, (stream->bound_count + 1) * sizeof(sum->buckets[0])));
    pb_put_bytes(out, BUCKETS_BOUNDS, slice_of(stream->bounds, stream->bound_count * sizeof(stream->bounds[0])));
    pb_put_double(out, BUCKETS_MIN, sum->total.min);
    pb_put_double(out, BUCKETS_MAX, sum->total.max);
    put_attributes(out, BUCKETS_ATTRIBUTES, point);
    put_exemplars(out, BUCKETS_EXEMPLARS, point);
}

static void put_distribution_point(struct collection *c, struct point *point)
{
    const struct stream *stream = point->stream;
    struct histogram_sum sum;

    histogram_reset(&sum);
    for (struct thread *thread = thread_first(); thread != NULL; thread = thread->next) {
        struct cell *cell = cell_in(thread, point);
        if (cell != NULL)
            histogram_merge(stream, &sum, cell);
    }
    if (sum.total.count == 0)
        return;
    size_t mark = pb_open(c->out, 1);
    put_times(c->out, point, c->now, true);
    if (stream->aggregation == AGGREGATION_EXPONENTIAL)
        put_exponential(c->out, point, &sum);
    else
        put_buckets(c->out, point, &sum);
    pb_close(c->out, mark);
    c->points++;
}

/* ---- metrics, scopes, the request ---- */

static uint32_t data_field(const struct stream *stream)
{
    switch (stream->aggregation) {
    case AGGREGATION_SUM:
        return METRIC_SUM;
    case AGGREGATION_BUCKETS:
        return METRIC_HISTOGRAM;
    case AGGREGATION_EXPONENTIAL:
        return METRIC_EXPONENTIAL;
    default:
        return METRIC_GAUGE;
    }
}

static void put_points(struct collection *c, struct stream *stream)
{
    for (struct point *point = stream->first; point != NULL; point = point->all) {
        renew(point);
        if (point->start_ns == 0)
            point->start_ns = process_start;
        if (stream->aggregation == AGGREGATION_SUM || stream->aggregation == AGGREGATION_LAST)
            put_number_point(c, point);
        else
            put_distribution_point(c, point);
        if (stream->delta)
            point->start_ns = c->now;
    }
}

static void put_text(struct buffer *out, uint32_t field, const char *text)
{
    if (text[0] != '\0')
        pb_put_bytes(out, field, slice_of_string(text));
}

static void put_metric(struct collection *c, struct stream *stream)
{
    size_t before = c->out->size;
    uint32_t points = c->points;
    size_t mark = pb_open(c->out, 2);

    put_text(c->out, METRIC_NAME, stream->name);
    put_text(c->out, METRIC_DESCRIPTION, stream->description);
    put_text(c->out, METRIC_UNIT, stream->instrument->unit);
    size_t data = pb_open(c->out, data_field(stream));
    put_points(c, stream);
    if (stream->aggregation != AGGREGATION_LAST)
        pb_put_varint(c->out, 2, stream->delta ? 1 : 2);
    if (stream->aggregation == AGGREGATION_SUM)
        pb_put_varint(c->out, 3, metric_is_monotonic(stream->instrument->kind));
    pb_close(c->out, data);
    pb_close(c->out, mark);
    if (c->points == points)
        c->out->size = before;
}

/* All instruments of one scope. */
static void put_scope(struct collection *c, struct instrument *first)
{
    const struct scope *scope = first->scope;
    size_t before = c->out->size;
    uint32_t points = c->points;
    size_t mark = pb_open(c->out, 2);

    if (scope->encoded.size != 0)
        pb_put_bytes(c->out, 1, scope->encoded);
    for (struct instrument *instrument = first; instrument != NULL; instrument = instrument->next) {
        if (instrument->scope != scope)
            continue;
        instrument->mark = marks;
        for (struct stream *stream = instrument->streams; stream != NULL; stream = stream->next)
            put_metric(c, stream);
    }
    if (scope->schema_url.size != 0)
        pb_put_bytes(c->out, 3, scope->schema_url);
    pb_close(c->out, mark);
    if (c->points == points)
        c->out->size = before;
}

void metric_begin(void)
{
    if (process_epoch == thread_epoch)
        return;
    process_epoch = thread_epoch;
    process_start = clock_now();
}

uint32_t metric_collect(struct slice resource, struct buffer *out)
{
    struct collection c = { out, ++collections, clock_now(), 0 };

    marks++;
    for (struct instrument *instrument = metric_next(NULL); instrument != NULL; instrument = metric_next(instrument)) {
        if (metric_is_observed(instrument->kind))
            metric_run_observers(instrument, c.number);
    }
    pthread_mutex_lock(&metric_lock);
    size_t mark = pb_open(out, 1);
    pb_put_bytes(out, 1, resource);
    for (struct instrument *instrument = metric_first_locked(); instrument != NULL; instrument = instrument->next) {
        if (instrument->mark != marks)
            put_scope(&c, instrument);
    }
    pb_close(out, mark);
    pthread_mutex_unlock(&metric_lock);
    return out->failed ? 0 : c.points;
}
