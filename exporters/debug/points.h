/* Data points with a distribution, and the packed lists in them. */
#ifndef WEIR_EXPORTERS_DEBUG_POINTS_H
#define WEIR_EXPORTERS_DEBUG_POINTS_H

#include "collector/wire/otlp.h"

/* Histogram, exponential histogram and summary points. */
struct distribution {
    struct slice body;
    uint64_t start_time, time, count, zero_count;
    bool has_sum, has_min, has_max;
    double sum, min, max;
    int32_t scale;
    struct slice positive, negative; /* contents of Buckets */
    enum otlp_attributes_field attributes;
    uint32_t exemplars; /* field number; 0: has none */
};
void distribution_view(enum otlp_metric_kind kind, struct slice body, struct distribution *out);

/* A repeated number, packed or not: fixed64, doubles (as bits) or varints. */
struct numbers {
    struct pb_reader outer, inner;
    uint32_t field;
    bool varint;
};
struct numbers numbers_of(struct slice message, uint32_t field, bool varint);
bool numbers_next(struct numbers *numbers, uint64_t *value);

/* Exponential buckets: the first one's index; and all counts (the caller frees them; NULL with *count 0 when there are none, or no memory). */
int32_t buckets_offset(struct slice buckets);
uint64_t *buckets_dup_counts(struct slice buckets, size_t *count);

#endif
