/*
 * Distributions: explicit buckets are counted by the caller; exponential ones here, base 2^(2^-scale), at most 160 buckets a sign,
 * the scale falling from 20 as the range grows. Specification: base2 exponential bucket histogram.
 * Threads: the cell's lock is held while recording; merging takes it.
 */
#include <math.h>

#include "sdk/src/metric.h"

enum { SCALE_MAX = 20 };

/* The index of the bucket (base^index, base^(index+1)] that holds a positive value. */
static int32_t index_of(double value, int32_t scale)
{
    int exponent;
    double fraction = frexp(value, &exponent); /* value = fraction * 2^exponent, fraction in [0.5, 1) */

    if (scale <= 0) {
        int32_t exact = exponent - 1 - (fraction == 0.5); /* exact powers of two belong to the bucket below */
        return exact >> -scale;
    }
    if (fraction == 0.5)
        return (exponent - 1) * (1 << scale) - 1;
    return (int32_t)ceil(ldexp(log2(value), scale)) - 1;
}

/* Halves the resolution `by` times: neighbours become one. */
static void coarsen(struct exponential_side *side, int32_t by)
{
    if (side->used == 0 || by <= 0)
        return;
    int32_t offset = side->offset >> by;
    uint32_t used = 0;
    for (uint32_t i = 0; i < side->used; i++) {
        uint32_t to = (uint32_t)(((side->offset + (int32_t)i) >> by) - offset);
        uint64_t count = side->counts[i];
        side->counts[i] = 0;
        side->counts[to] += count;
        used = to + 1;
    }
    side->offset = offset;
    side->used = used;
}

/* How many halvings make lowest..highest fit. */
static int32_t halvings(int32_t lowest, int32_t highest)
{
    int32_t by = 0;

    while ((highest >> by) - (lowest >> by) >= EXPONENTIAL_SIZE)
        by++;
    return by;
}

static int32_t halvings_for(const struct exponential_side *side, int32_t index)
{
    if (side->used == 0)
        return 0;
    int32_t last = side->offset + (int32_t)side->used - 1;
    return halvings(index < side->offset ? index : side->offset, index > last ? index : last);
}

/* Adds to a bucket that is known to fit. */
static void add(struct exponential_side *side, int32_t index, uint64_t count)
{
    if (side->used == 0) {
        side->offset = index;
        side->used = 1;
    } else if (index < side->offset) {
        uint32_t by = (uint32_t)(side->offset - index);
        memmove(&side->counts[by], side->counts, side->used * sizeof(side->counts[0]));
        memset(side->counts, 0, by * sizeof(side->counts[0]));
        side->offset = index;
        side->used += by;
    } else if (index - side->offset >= (int32_t)side->used) {
        side->used = (uint32_t)(index - side->offset) + 1;
    }
    side->counts[index - side->offset] += count;
}

static void record_exponential(struct cell *cell, double value)
{
    struct exponential_side *side = &cell->side[value < 0];
    double size = fabs(value);

    if (size == 0) {
        cell->total.zero_count++;
        return;
    }
    if (cell->side[0].used == 0 && cell->side[1].used == 0)
        cell->total.scale = SCALE_MAX;
    int32_t index = index_of(size, cell->total.scale);
    int32_t by = halvings_for(side, index);
    if (by > 0) {
        coarsen(&cell->side[0], by);
        coarsen(&cell->side[1], by);
        cell->total.scale -= by;
        index = index_of(size, cell->total.scale);
    }
    add(side, index, 1);
}

void histogram_record(const struct stream *stream, struct cell *cell, double value)
{
    struct distribution *total = &cell->total;

    if (stream->aggregation == AGGREGATION_EXPONENTIAL)
        record_exponential(cell, value);
    if (total->count == 0 || value < total->min)
        total->min = value;
    if (total->count == 0 || value > total->max)
        total->max = value;
    total->count++;
    total->sum += value;
}

void histogram_reset(struct histogram_sum *sum)
{
    memset(sum, 0, sizeof(*sum));
    sum->total.scale = SCALE_MAX;
}

/* Adds a side at `scale` to the sum's, which may be coarser or get coarser. */
static void merge_side(struct histogram_sum *sum, struct exponential_side *into, const struct exponential_side *from, int32_t scale)
{
    if (from->used == 0)
        return;
    if (scale < sum->total.scale) {
        int32_t by = sum->total.scale - scale;
        coarsen(&sum->positive, by);
        coarsen(&sum->negative, by);
        sum->total.scale = scale;
    }
    int32_t shift = scale - sum->total.scale;
    int32_t low = from->offset >> shift, high = (from->offset + (int32_t)from->used - 1) >> shift;
    if (into->used != 0) {
        int32_t last = into->offset + (int32_t)into->used - 1;
        int32_t by = halvings(low < into->offset ? low : into->offset, high > last ? high : last);
        coarsen(&sum->positive, by);
        coarsen(&sum->negative, by);
        sum->total.scale -= by;
        shift += by;
    }
    for (uint32_t i = 0; i < from->used; i++) {
        if (from->counts[i] != 0)
            add(into, (from->offset + (int32_t)i) >> shift, from->counts[i]);
    }
}

static void merge_total(struct distribution *into, const struct distribution *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (into->count == 0 || from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
    into->zero_count += from->zero_count;
}

static void clear_cell(const struct stream *stream, struct cell *cell)
{
    memset(&cell->total, 0, sizeof(cell->total));
    if (stream->aggregation == AGGREGATION_BUCKETS)
        memset(cell->buckets, 0, (stream->bound_count + 1) * sizeof(cell->buckets[0]));
    else
        memset(cell->side, 0, 2 * sizeof(cell->side[0]));
}

void histogram_merge(const struct stream *stream, struct histogram_sum *sum, struct cell *cell)
{
    while (atomic_exchange_explicit(&cell->lock, 1, memory_order_acquire) != 0)
        continue;
    if (stream->aggregation == AGGREGATION_BUCKETS) {
        for (uint32_t i = 0; i <= stream->bound_count; i++)
            sum->buckets[i] += cell->buckets[i];
    } else {
        merge_side(sum, &sum->positive, &cell->side[0], cell->total.scale);
        merge_side(sum, &sum->negative, &cell->side[1], cell->total.scale);
    }
    merge_total(&sum->total, &cell->total);
    if (stream->delta)
        clear_cell(stream, cell);
    atomic_store_explicit(&cell->lock, 0, memory_order_release);
}
