/*
 * Cost: one logarithm a value; halving the resolution moves every bucket, and happens some twenty times in a histogram's life.
 * Threads: none of its own.
 */
#include "receivers/statsd/exponential.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_SCALE = -11 }; /* one bucket holds all doubles of a side twice over */

struct exponential *exponential_create(size_t size)
{
    struct exponential *histogram = calloc(1, sizeof(*histogram) + 2 * size * sizeof(uint64_t));

    if (histogram == NULL)
        return NULL;
    histogram->size = (uint32_t)size;
    histogram->scale = EXPONENTIAL_MAX_SCALE;
    histogram->positive = (struct exponential_side){ (uint64_t *)(histogram + 1), 0, -1 };
    histogram->negative = (struct exponential_side){ (uint64_t *)(histogram + 1) + size, 0, -1 };
    return histogram;
}

void exponential_destroy(struct exponential *histogram)
{
    free(histogram);
}

/* At the finest scale. Powers of two are bounds, and so exact. */
static int64_t index_of(double value)
{
    int exponent;
    double fraction = frexp(value, &exponent);
    int64_t whole = ((int64_t)exponent - 1) * (1 << EXPONENTIAL_MAX_SCALE);
    int64_t within;

    if (fraction == 0.5)
        return whole - 1;
    within = (int64_t)(log2(fraction * 2) * (1 << EXPONENTIAL_MAX_SCALE));
    if (within >= 1 << EXPONENTIAL_MAX_SCALE)
        within = (1 << EXPONENTIAL_MAX_SCALE) - 1;
    return whole + within;
}

/* Division by 2^by, rounded down. */
static int64_t coarser(int64_t index, int by)
{
    return index >= 0 ? index >> by : -((-index - 1) >> by) - 1;
}

uint64_t exponential_count(const struct exponential_side *side, int64_t index)
{
    return side->counts[index - side->first];
}

static void halve_side(struct exponential_side *side)
{
    int64_t first = coarser(side->first, 1), last = coarser(side->last, 1);

    if (side->first > side->last)
        return;
    for (int64_t i = side->first; i <= side->last; i++) {
        uint64_t count = side->counts[i - side->first];

        side->counts[i - side->first] = 0;
        side->counts[coarser(i, 1) - first] += count;
    }
    side->first = first;
    side->last = last;
}

static bool fits(const struct exponential *histogram, const struct exponential_side *side, int64_t index)
{
    int64_t first = side->first < index ? side->first : index, last = side->last > index ? side->last : index;

    return side->first > side->last || last - first < histogram->size;
}

/* Makes the index one of those in use; there is room for it. */
static void reach(struct exponential_side *side, int64_t index)
{
    if (side->first > side->last) {
        side->first = side->last = index;
    } else if (index < side->first) {
        size_t used = (size_t)(side->last - side->first + 1), shift = (size_t)(side->first - index);

        memmove(side->counts + shift, side->counts, used * sizeof(side->counts[0]));
        memset(side->counts, 0, shift * sizeof(side->counts[0]));
        side->first = index;
    } else if (index > side->last) {
        side->last = index;
    }
}

static void add_to(struct exponential *histogram, struct exponential_side *side, double value, uint64_t count)
{
    int64_t finest = index_of(value), index = coarser(finest, EXPONENTIAL_MAX_SCALE - histogram->scale);

    while (!fits(histogram, side, index) && histogram->scale > MIN_SCALE) {
        halve_side(&histogram->positive);
        halve_side(&histogram->negative);
        histogram->scale--;
        index = coarser(finest, EXPONENTIAL_MAX_SCALE - histogram->scale);
    }
    reach(side, index);
    side->counts[index - side->first] += count;
}

void exponential_add(struct exponential *histogram, double value, uint64_t count)
{
    if (count == 0)
        return;
    histogram->min = histogram->count == 0 || value < histogram->min ? value : histogram->min;
    histogram->max = histogram->count == 0 || value > histogram->max ? value : histogram->max;
    histogram->count += count;
    histogram->sum += value * (double)count;
    if (value == 0)
        histogram->zero_count += count;
    else
        add_to(histogram, value > 0 ? &histogram->positive : &histogram->negative, fabs(value), count);
}
