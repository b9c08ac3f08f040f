/*
 * An exponential histogram as OTLP has it, in bounded space: begins at the finest scale and halves its resolution when the values'
 * range no longer fits. A bucket's upper bound belongs to it.
 */
#ifndef WEIR_STATSD_EXPONENTIAL_H
#define WEIR_STATSD_EXPONENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXPONENTIAL_MAX_SCALE = 20, EXPONENTIAL_MIN_SIZE = 2, EXPONENTIAL_MAX_SIZE = 16384, EXPONENTIAL_DEFAULT_SIZE = 160 };

struct exponential_side {
    uint64_t *counts;    /* bucket `index` is at index - first; those behind last are 0 */
    int64_t first, last; /* indexes in use; first > last: none */
};

struct exponential {
    struct exponential_side positive, negative;
    uint64_t count, zero_count;
    double sum, min, max;
    int32_t scale;
    uint32_t size; /* buckets a side */
};

/* NULL when memory is out. */
struct exponential *exponential_create(size_t size);
void exponential_destroy(struct exponential *histogram);

/* Adds a finite value `count` times. */
void exponential_add(struct exponential *histogram, double value, uint64_t count);

/* Of a bucket between first and last. */
uint64_t exponential_count(const struct exponential_side *side, int64_t index);

#endif
