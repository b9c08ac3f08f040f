/*
 * Data points of the metric that is visited, decoded, and written back with the values of several. Internal to collector/ottl.
 */
#ifndef WEIR_OTTL_POINTS_H
#define WEIR_OTTL_POINTS_H

#include "collector/ottl/program.h"

enum points_function { POINTS_SUM, POINTS_MEAN, POINTS_MIN, POINTS_MAX, POINTS_MEDIAN, POINTS_COUNT };

enum { POINT_HAS_SUM = 1, POINT_HAS_MIN = 2, POINT_HAS_MAX = 4 };

/* Buckets of an exponential histogram. */
struct point_buckets {
    int64_t offset;
    struct slice counts; /* packed varints */
};

struct point {
    struct slice body;
    size_t index;
    uint64_t start, time, flags, present; /* of sum, min and max */
    bool is_int;
    int64_t integer;
    double number;
    uint64_t count, zero_count;
    double sum, min, max;
    struct slice counts, bounds; /* of a histogram: packed */
    int64_t scale;
    struct point_buckets positive, negative;
    struct slice attributes, key; /* whoever groups points sets these */
};

struct points {
    struct point *all; /* in the machine's memory */
    size_t count;
    struct slice rest; /* the fields of the metric's data beside the points */
    uint64_t temporality;
};

/* A text field of the metric itself: its name, description or unit; empty when it is not there. */
struct slice ottl_metric_text(const struct ottl_machine *machine, uint32_t number);

/* Number of the attributes' field in points of the kind. */
uint32_t points_attributes(enum otlp_metric_kind kind);

/* False with an error: out of memory. */
bool points_read(struct ottl_machine *machine, struct points *points);

/* Appends the first point, with the values of `count` points from it on, and with `attributes` (of the first) as its own. */
bool points_write(struct ottl_machine *machine, enum points_function function, const struct point *first, size_t count, struct buffer *out);

#endif
