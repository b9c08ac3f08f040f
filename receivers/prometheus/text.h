/*
 * The text formats that are scraped, one line after the other: Prometheus' 0.0.4 (and 1.0.0, with quoted names) and OpenMetrics 1.0.
 * What is taken and what is refused is what Prometheus' own parsers take and refuse. Allocates nothing; I/O-free.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_TEXT_H
#define WEIR_RECEIVERS_PROMETHEUS_TEXT_H

#include "receivers/prometheus/labels.h"

enum metric_type {
    METRIC_UNKNOWN,
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_GAUGE_HISTOGRAM,
    METRIC_SUMMARY,
    METRIC_INFO,
    METRIC_STATESET,
    METRIC_TYPE_COUNT,
};
/* "counter" ...; as Prometheus names them. */
const char *metric_type_name(enum metric_type type);

struct text_reader {
    const uint8_t *start, *at, *end;
    bool openmetrics;
    const char *fault; /* static; with TEXT_BAD */
};

enum text_item { TEXT_END, TEXT_BAD, TEXT_HELP, TEXT_TYPE, TEXT_UNIT, TEXT_SAMPLE };

struct text_exemplar {
    struct slice labels; /* from "{" to "}"; data NULL: there is no exemplar */
    double value;
    bool has_timestamp;
    int64_t timestamp_ms;
};

struct text_line {
    struct slice name; /* HELP, TYPE, UNIT; as written, without quotes */
    struct slice text; /* HELP, UNIT; escapes are still there */
    enum metric_type type;
    struct slice key; /* SAMPLE: name and labels as they stand */
    double value;
    bool has_timestamp;
    int64_t timestamp_ms;
    struct text_exemplar exemplar;
};

struct text_reader text_reader_of(struct slice page, bool openmetrics);

/* The next line that says something. */
enum text_item text_next(struct text_reader *reader, struct text_line *line);

/* The sample's rest, from the value on, when its key was recognised without reading it. TEXT_SAMPLE or TEXT_BAD. */
enum text_item text_read_value(struct text_reader *reader, struct text_line *line);

/* The labels of a sample's key, the name as "__name__" among them, or of an exemplar. Both were read before. Text without escapes is borrowed. */
void text_labels(struct slice key, bool openmetrics, struct labels *labels);

/* Escapes resolved: \\ and \n, and \" too; borrowed when there are none. */
struct slice text_unescape(struct slice text, bool quotes, struct labels *labels);

/* Of the place where the reader is, from 1. */
size_t text_line_number(const struct text_reader *reader);

#endif
