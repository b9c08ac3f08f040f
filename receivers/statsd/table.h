/*
 * What StatsD lines add up to between two flushes: a table of series of bounded size, and the OTLP metrics that it becomes.
 * I/O-free. Not thread-safe: one table, one thread.
 */
#ifndef WEIR_STATSD_TABLE_H
#define WEIR_STATSD_TABLE_H

#include "collector/base/buffer.h"
#include "receivers/statsd/line.h"

struct ottl_regex;

enum statsd_method { STATSD_OBSERVE_GAUGE, STATSD_OBSERVE_SUMMARY, STATSD_OBSERVE_HISTOGRAM, STATSD_OBSERVE_NOTHING };

enum statsd_counters { STATSD_COUNT_INT, STATSD_COUNT_FLOAT, STATSD_COUNT_STOCHASTIC };

struct statsd_buckets {
    struct ottl_regex *name; /* borrowed */
    const double *bounds;    /* rising */
    size_t count;
};

/* How timings, histograms and distributions are observed. */
struct statsd_observer {
    enum statsd_method method;
    size_t max_size;                      /* buckets of an exponential histogram */
    const struct statsd_buckets *buckets; /* the first whose name matches; none: an exponential histogram */
    size_t bucket_count;
    const double *percentiles;
    size_t percentile_count;
};

struct statsd_rules {
    bool metric_type, simple_tags, monotonic;
    enum statsd_counters counters;
    unsigned dialects;  /* enum statsd_dialect */
    size_t max_series;  /* in one interval */
    size_t max_samples; /* values and set members that are kept one by one */
    struct statsd_observer observers[STATSD_TYPE_COUNT];
};

struct statsd_table;

/* The rules are borrowed. NULL when memory is out. */
struct statsd_table *statsd_table_create(const struct statsd_rules *rules);
void statsd_table_destroy(struct statsd_table *table);

/* From whom, as a number (0: nobody is told apart), and when. */
struct statsd_origin {
    uint64_t peer;
    uint64_t now_ns;
};

/* Adds a line, and all samples behind it. NULL, or why it was refused: a short static word. Samples before the bad one are in. */
const char *statsd_table_add(struct statsd_table *table, struct slice text, const struct statsd_origin *origin);

/* Appends all of it as one metrics request, and is empty again. Returns the data points; 0: nothing was written. */
size_t statsd_table_flush(struct statsd_table *table, uint64_t start_ns, uint64_t now_ns, struct buffer *out);

size_t statsd_table_series(const struct statsd_table *table);

#endif
