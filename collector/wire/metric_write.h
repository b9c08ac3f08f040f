/*
 * Writing OTLP metrics straight into a buffer, for those who make metrics out of something else. One request with one or more resource
 * groups, each with one scope; metrics and data points are opened and closed around what is written between.
 *
 *   metric_write_group(&writer)      then metric_write_attribute() for the resource
 *   metric_write_scope(&writer, name, version)
 *   metric_write_open(&writer, &(struct metric_head){ ... })
 *   mark = metric_write_point(&writer) ... metric_write_end_point(&writer, mark)
 *   metric_write_close(&writer) ... metric_write_end_group(&writer)
 *
 * I/O-free; the buffer's `failed` sticks.
 */
#ifndef WEIR_WIRE_METRIC_WRITE_H
#define WEIR_WIRE_METRIC_WRITE_H

#include "collector/wire/otlp.h"

enum metric_temporality { METRIC_DELTA = 1, METRIC_CUMULATIVE = 2 };

struct metric_head {
    struct slice name, description, unit;
    enum otlp_metric_kind kind;
    enum metric_temporality temporality; /* not of gauges and summaries */
    bool monotonic;                      /* sums */
};

struct metric_writer {
    struct buffer *out;
    size_t points; /* written so far */
    /* private */
    size_t group, resource, scope, metric, data;
};

struct metric_writer metric_writer_of(struct buffer *out);

/* Opens a resource group and its resource; attributes of the resource (field OTLP_ATTRIBUTES_OF_RESOURCE) follow. */
void metric_write_group(struct metric_writer *writer);
void metric_write_scope(struct metric_writer *writer, struct slice name, struct slice version);
void metric_write_open(struct metric_writer *writer, const struct metric_head *head);
size_t metric_write_point(struct metric_writer *writer);
void metric_write_end_point(struct metric_writer *writer, size_t mark);
void metric_write_close(struct metric_writer *writer);
void metric_write_end_group(struct metric_writer *writer);

/* Within a point. 0 as start: none. */
void metric_write_times(struct buffer *out, uint64_t start_ns, uint64_t time_ns);
void metric_write_int(struct buffer *out, int64_t value);
void metric_write_double(struct buffer *out, double value);

/* An attribute of whatever is open, by the number of its attributes field. */
void metric_write_attribute(struct buffer *out, uint32_t field, struct slice key, struct slice value);
void metric_write_int_attribute(struct buffer *out, uint32_t field, struct slice key, int64_t value);
void metric_write_bool_attribute(struct buffer *out, uint32_t field, struct slice key, bool value);

#endif
