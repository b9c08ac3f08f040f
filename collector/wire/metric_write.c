/*
 * Cost: each level moves its content once when it is closed, by the bytes that its length needs. No threads, no state.
 * Field numbers: opentelemetry-proto 1.9, metrics/v1, common/v1, resource/v1.
 */
#include "collector/wire/metric_write.h"

enum { GROUPS = 1, RESOURCE = 1, SCOPES = 2, SCOPE = 1, METRICS = 2, POINTS = 1 };

struct metric_writer metric_writer_of(struct buffer *out)
{
    return (struct metric_writer){ .out = out };
}

void metric_write_group(struct metric_writer *writer)
{
    writer->group = pb_open(writer->out, GROUPS);
    writer->resource = pb_open(writer->out, RESOURCE);
}

void metric_write_scope(struct metric_writer *writer, struct slice name, struct slice version)
{
    size_t scope;

    pb_close(writer->out, writer->resource);
    writer->scope = pb_open(writer->out, SCOPES);
    scope = pb_open(writer->out, SCOPE);
    pb_put_bytes(writer->out, 1, name);
    if (version.size > 0)
        pb_put_bytes(writer->out, 2, version);
    pb_close(writer->out, scope);
}

void metric_write_open(struct metric_writer *writer, const struct metric_head *head)
{
    struct buffer *out = writer->out;

    writer->metric = pb_open(out, METRICS);
    pb_put_bytes(out, 1, head->name);
    if (head->description.size > 0)
        pb_put_bytes(out, 2, head->description);
    if (head->unit.size > 0)
        pb_put_bytes(out, 3, head->unit);
    writer->data = pb_open(out, (uint32_t)head->kind);
    if (head->kind == OTLP_SUM || head->kind == OTLP_HISTOGRAM || head->kind == OTLP_EXPONENTIAL_HISTOGRAM)
        pb_put_varint(out, 2, (uint64_t)head->temporality);
    if (head->kind == OTLP_SUM && head->monotonic)
        pb_put_varint(out, 3, 1);
}

size_t metric_write_point(struct metric_writer *writer)
{
    writer->points++;
    return pb_open(writer->out, POINTS);
}

void metric_write_end_point(struct metric_writer *writer, size_t mark)
{
    pb_close(writer->out, mark);
}

void metric_write_close(struct metric_writer *writer)
{
    pb_close(writer->out, writer->data);
    pb_close(writer->out, writer->metric);
}

void metric_write_end_group(struct metric_writer *writer)
{
    pb_close(writer->out, writer->scope);
    pb_close(writer->out, writer->group);
}

/* ---- points ---- */

void metric_write_times(struct buffer *out, uint64_t start_ns, uint64_t time_ns)
{
    if (start_ns != 0)
        pb_put_fixed64(out, 2, start_ns);
    pb_put_fixed64(out, 3, time_ns);
}

void metric_write_int(struct buffer *out, int64_t value)
{
    pb_put_fixed64(out, 6, (uint64_t)value);
}

void metric_write_double(struct buffer *out, double value)
{
    pb_put_double(out, 4, value);
}

/* ---- attributes ---- */

static size_t open_attribute(struct buffer *out, uint32_t field, struct slice key, size_t *attribute)
{
    *attribute = pb_open(out, field);
    pb_put_bytes(out, 1, key);
    return pb_open(out, 2);
}

static void close_attribute(struct buffer *out, size_t value, size_t attribute)
{
    pb_close(out, value);
    pb_close(out, attribute);
}

void metric_write_attribute(struct buffer *out, uint32_t field, struct slice key, struct slice value)
{
    size_t attribute, any = open_attribute(out, field, key, &attribute);

    pb_put_bytes(out, OTLP_VALUE_STRING, value);
    close_attribute(out, any, attribute);
}

void metric_write_int_attribute(struct buffer *out, uint32_t field, struct slice key, int64_t value)
{
    size_t attribute, any = open_attribute(out, field, key, &attribute);

    pb_put_varint(out, OTLP_VALUE_INT, (uint64_t)value);
    close_attribute(out, any, attribute);
}

void metric_write_bool_attribute(struct buffer *out, uint32_t field, struct slice key, bool value)
{
    size_t attribute, any = open_attribute(out, field, key, &attribute);

    pb_put_varint(out, OTLP_VALUE_BOOL, value);
    close_attribute(out, any, attribute);
}
