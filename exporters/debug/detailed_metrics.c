/* verbosity: detailed, metrics. */
#include <math.h>
#include <stdlib.h>

#include "exporters/debug/points.h"
#include "exporters/debug/text.h"

static void write_fixed_line(const char *label, bool has, double value, struct buffer *out)
{
    if (!has)
        return;
    buffer_append_string(out, label);
    text_fixed(value, out);
    buffer_append_byte(out, '\n');
}

static void write_times(uint64_t start, uint64_t time, struct buffer *out)
{
    buffer_append_string(out, "StartTimestamp: ");
    text_time(start, out);
    buffer_append_string(out, "\nTimestamp: ");
    text_time(time, out);
    buffer_append_byte(out, '\n');
}

static void write_point_attributes(struct slice point, enum otlp_attributes_field field, struct buffer *out)
{
    text_attribute_lines((struct text_attributes){ point, field }, (struct text_block){ "Data point attributes", 0, 0 }, out);
}

/* ---- exemplars ---- */

struct exemplar {
    struct slice trace_id, span_id;
    uint64_t time, value; /* bits */
    uint32_t value_field; /* 3: double, 6: int, 0: none */
};

static void view_exemplar(struct slice body, struct exemplar *exemplar)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *exemplar = (struct exemplar){ 0 };
    while (pb_next(&reader, &field)) {
        if (field.number == 2)
            exemplar->time = field.scalar;
        else if (field.number == 4)
            exemplar->span_id = field.bytes;
        else if (field.number == 5)
            exemplar->trace_id = field.bytes;
        else if (field.number == 3 || field.number == 6) {
            exemplar->value = field.scalar;
            exemplar->value_field = field.number;
        }
    }
}

static void write_exemplar(struct slice body, size_t index, struct buffer *out)
{
    struct exemplar exemplar;

    view_exemplar(body, &exemplar);
    buffer_printf(out, "%sExemplar #%zu\n     -> Trace ID: ", index == 0 ? "Exemplars:\n" : "", index);
    text_hex(exemplar.trace_id, out);
    buffer_append_string(out, "\n     -> Span ID: ");
    text_hex(exemplar.span_id, out);
    buffer_append_string(out, "\n     -> Timestamp: ");
    text_time(exemplar.time, out);
    buffer_append_byte(out, '\n');
    if (exemplar.value_field == 6)
        buffer_printf(out, "     -> Value: %lld\n", (long long)exemplar.value);
    else
        write_fixed_line("     -> Value: ", exemplar.value_field == 3, pb_double(exemplar.value), out);
    text_attribute_lines(
        (struct text_attributes){ body, OTLP_ATTRIBUTES_OF_EXEMPLAR }, (struct text_block){ "     -> FilteredAttributes", 0, 5 }, out);
}

static void write_exemplars(struct slice point, uint32_t number, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(point);
    struct pb_field field;
    size_t index = 0;

    while (pb_next(&reader, &field))
        if (field.number == number && field.type == PB_BYTES)
            write_exemplar(field.bytes, index++, out);
}

/* ---- points ---- */

static void write_number_point(const struct otlp_point *point, struct buffer *out)
{
    write_point_attributes(point->body, OTLP_ATTRIBUTES_OF_NUMBER_POINT, out);
    write_times(point->start_time, point->time, out);
    if (point->is_int)
        buffer_printf(out, "Value: %lld\n", (long long)point->int_value);
    else
        write_fixed_line("Value: ", point->is_double, point->double_value, out);
    write_exemplars(point->body, 5, out);
}

static void write_histogram(const struct distribution *point, struct buffer *out)
{
    struct numbers bounds = numbers_of(point->body, 7, false), counts = numbers_of(point->body, 6, false);
    uint64_t value;

    for (size_t i = 0; numbers_next(&bounds, &value); i++) {
        buffer_printf(out, "ExplicitBounds #%zu: ", i);
        write_fixed_line("", true, pb_double(value), out);
    }
    for (size_t i = 0; numbers_next(&counts, &value); i++)
        buffer_printf(out, "Buckets #%zu, Count: %llu\n", i, (unsigned long long)value);
}

struct bucket {
    char open, close;
    double lower, upper;
    uint64_t count;
};

static void write_bucket(struct bucket bucket, struct buffer *out)
{
    buffer_printf(out, "Bucket %c", bucket.open);
    text_fixed(bucket.lower, out);
    buffer_append_string(out, ", ");
    text_fixed(bucket.upper, out);
    buffer_printf(out, "%c, Count: %llu\n", bucket.close, (unsigned long long)bucket.count);
}

/* The last first: the negative ones are listed from the lowest up. */
static void write_negative_buckets(struct slice buckets, double factor, struct buffer *out)
{
    double offset = buckets_offset(buckets);
    size_t count;
    uint64_t *counts = buckets_dup_counts(buckets, &count);

    for (size_t i = count; i-- > 0;)
        write_bucket(
            (struct bucket){ '[', ')', -exp((offset + (double)i + 1) * factor), -exp((offset + (double)i) * factor), counts[i] }, out);
    free(counts);
}

static void write_exponential(const struct distribution *point, struct buffer *out)
{
    double factor = ldexp(M_LN2, -point->scale), offset = buckets_offset(point->positive);
    struct numbers positive = numbers_of(point->positive, 2, true);
    uint64_t count;

    write_negative_buckets(point->negative, factor, out);
    if (point->zero_count != 0)
        buffer_printf(out, "Bucket [0, 0], Count: %llu\n", (unsigned long long)point->zero_count);
    for (size_t i = 0; numbers_next(&positive, &count); i++)
        write_bucket((struct bucket){ '(', ']', exp((offset + (double)i) * factor), exp((offset + (double)i + 1) * factor), count }, out);
}

static void write_quantiles(const struct distribution *point, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(point->body);
    struct pb_field field, part;
    size_t index = 0;

    while (pb_next(&reader, &field)) {
        struct pb_reader quantile = pb_reader_of(field.bytes);
        double q = 0, value = 0;

        if (field.number != 6 || field.type != PB_BYTES)
            continue;
        while (pb_next(&quantile, &part))
            *(part.number == 1 ? &q : &value) = pb_double(part.scalar);
        buffer_printf(out, "QuantileValue #%zu: Quantile ", index++);
        text_fixed(q, out);
        write_fixed_line(", Value ", true, value, out);
    }
}

static void write_distribution(enum otlp_metric_kind kind, struct slice body, struct buffer *out)
{
    struct distribution point;

    distribution_view(kind, body, &point);
    write_point_attributes(body, point.attributes, out);
    write_times(point.start_time, point.time, out);
    buffer_printf(out, "Count: %llu\n", (unsigned long long)point.count);
    write_fixed_line("Sum: ", point.has_sum, point.sum, out);
    write_fixed_line("Min: ", point.has_min, point.min, out);
    write_fixed_line("Max: ", point.has_max, point.max, out);
    if (kind == OTLP_HISTOGRAM)
        write_histogram(&point, out);
    else if (kind == OTLP_EXPONENTIAL_HISTOGRAM)
        write_exponential(&point, out);
    else
        write_quantiles(&point, out);
    if (point.exemplars != 0)
        write_exemplars(body, point.exemplars, out);
}

/* ---- the metric ---- */

struct kind_names {
    const char *kind, *points;
};

static struct kind_names names_of(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_GAUGE:
        return (struct kind_names){ "Gauge", "NumberDataPoints" };
    case OTLP_SUM:
        return (struct kind_names){ "Sum", "NumberDataPoints" };
    case OTLP_HISTOGRAM:
        return (struct kind_names){ "Histogram", "HistogramDataPoints" };
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return (struct kind_names){ "ExponentialHistogram", "ExponentialHistogramDataPoints" };
    case OTLP_SUMMARY:
        return (struct kind_names){ "Summary", "SummaryDataPoints" };
    default:
        return (struct kind_names){ "Empty", "" };
    }
}

static void write_descriptor(const struct otlp_metric *metric, const char *kind, struct buffer *out)
{
    static const char *const temporalities[] = { "Unspecified", "Delta", "Cumulative" };
    const enum otlp_attributes_field metadata = (enum otlp_attributes_field)12;

    buffer_append_string(out, "Descriptor:\n     -> Name: ");
    buffer_append_slice(out, metric->name);
    buffer_append_string(out, "\n     -> Description: ");
    buffer_append_slice(out, metric->description);
    buffer_append_string(out, "\n     -> Unit: ");
    buffer_append_slice(out, metric->unit);
    buffer_printf(out, "\n     -> DataType: %s\n", kind);
    text_attribute_lines((struct text_attributes){ metric->body, metadata }, (struct text_block){ "     -> Metadata", 0, 5 }, out);
    if (metric->kind == OTLP_SUM)
        buffer_printf(out, "     -> IsMonotonic: %s\n", metric->monotonic ? "true" : "false");
    if (metric->kind == OTLP_SUM || metric->kind == OTLP_HISTOGRAM || metric->kind == OTLP_EXPONENTIAL_HISTOGRAM)
        buffer_printf(out, "     -> AggregationTemporality: %s\n", text_name(temporalities, 3, metric->temporality, ""));
}

void text_detailed_metric(struct slice body, struct buffer *out)
{
    struct kind_names names;
    struct otlp_metric metric;
    struct otlp_points points;
    struct otlp_point point;

    otlp_metric_view(body, &metric);
    names = names_of(metric.kind);
    write_descriptor(&metric, names.kind, out);
    points = otlp_points(&metric);
    for (size_t i = 0; otlp_next_point(&points, &point); i++) {
        buffer_printf(out, "%s #%zu\n", names.points, i);
        if (metric.kind == OTLP_GAUGE || metric.kind == OTLP_SUM)
            write_number_point(&point, out);
        else
            write_distribution(metric.kind, point.body, out);
    }
}
