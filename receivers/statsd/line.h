/*
 * One StatsD line, as etsy's statsd, DogStatsD (1.0 to 1.3) and, when asked for, Librato, InfluxDB and SignalFx write them:
 *
 *   name:value|type|@rate|#tag:value,tag|c:container|Tseconds
 *
 * I/O-free, no allocation; every slice borrows from the line.
 */
#ifndef WEIR_STATSD_LINE_H
#define WEIR_STATSD_LINE_H

#include "collector/base/slice.h"

enum { STATSD_MAX_LINE = 16384, STATSD_MAX_TAGS = 128 };

enum statsd_type { STATSD_COUNTER, STATSD_GAUGE, STATSD_TIMING, STATSD_HISTOGRAM, STATSD_DISTRIBUTION, STATSD_SET, STATSD_TYPE_COUNT };

/* How tags may be written; bits. */
enum statsd_dialect { STATSD_DOGSTATSD = 1, STATSD_INFLUXDB = 2, STATSD_LIBRATO = 4, STATSD_SIGNALFX = 8 };

struct statsd_line {
    struct slice name;      /* with the tags that other dialects than DogStatsD's put into it */
    struct slice values;    /* one, or several with ':' between them (timings, histograms, distributions); a set's member */
    struct slice tags;      /* behind '#' */
    struct slice container; /* behind "c:" */
    struct slice more;      /* another sample of the same name: "|c:3|ms" */
    enum statsd_type type;
    double rate;      /* 0: not said */
    uint64_t time_ns; /* 0: now */
};

/* NULL when the line is in order, or else why it is not, a short static word. */
const char *statsd_line_parse(struct slice text, struct statsd_line *line);
/* The sample behind it; only when line->more is not empty. */
const char *statsd_line_more(struct statsd_line *line);

/* Takes the first value off `values`; false when it is not a finite decimal number. `is_relative`: it has a sign. */
bool statsd_next_value(struct slice *values, double *value, bool *is_relative);

/* A finite decimal number, the whole text. */
bool statsd_number(struct slice text, double *value);

/* Tags of a name: takes them out of it. `base` gets at most the name's size of bytes. Returns the bytes of `base`. */
struct statsd_name {
    struct slice tags;       /* "a=b,c=d"; empty: none */
    struct slice head, tail; /* the name without them, in two parts */
};
struct statsd_name statsd_name_of(struct slice name, unsigned dialects);

/* Cuts the next item off a list; false at its end. */
bool statsd_next_item(struct slice *list, char separator, struct slice *item);

/* "counter", "gauge", "timing", "histogram", "distribution", "set" */
const char *statsd_type_name(enum statsd_type type);

#endif
