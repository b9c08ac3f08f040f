/*
 * Values of data points as Elasticsearch stores them. Histograms become pairs of counts and values, each bucket at its middle;
 * exponential ones too.
 *
 * Fields read here (opentelemetry-proto 1.9, metrics/v1): count = 4, sum = 5; HistogramDataPoint bucket_counts = 6, explicit_bounds = 7;
 * ExponentialHistogramDataPoint scale = 6, zero_count = 7, positive = 8, negative = 9; Buckets offset = 1, bucket_counts = 2.
 */
#include "exporters/elasticsearch/points.h"

#include <math.h>

enum { BUCKETS_MAX = 4096, EXPONENT_MAX = 5000, SCALE_MAX = 40 };

/* ---- reading ---- */

static bool find_field(struct slice message, uint32_t number, struct pb_field *out)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;
    bool found = false;

    while (pb_next(&reader, &field)) {
        if (field.number != number)
            continue;
        *out = field;
        found = true;
    }
    return found;
}

static uint64_t scalar_of(struct slice message, uint32_t number)
{
    struct pb_field field = { .scalar = 0 };

    find_field(message, number, &field);
    return field.scalar;
}

/* One after the other: a repeated field of 64-bit numbers, packed or not. */
struct series {
    struct pb_reader message;
    struct pb_reader run; /* of the packed field at hand */
    uint32_t number;
    bool varint;
};

static struct series series_of(struct slice message, uint32_t number, bool varint)
{
    return (struct series){ .message = pb_reader_of(message), .run = pb_reader_of(SLICE("")), .number = number, .varint = varint };
}

static bool next_in_run(struct series *series, uint64_t *value)
{
    if (series->varint) {
        if (series->run.at >= series->run.end)
            return false;
        *value = pb_varint(&series->run);
        return !series->run.failed;
    }
    if (series->run.end - series->run.at < 8)
        return false;
    memcpy(value, series->run.at, 8);
    series->run.at += 8;
    return true;
}

static bool next_of(struct series *series, uint64_t *value)
{
    struct pb_field field;

    for (;;) {
        if (next_in_run(series, value))
            return true;
        do {
            if (!pb_next(&series->message, &field))
                return false;
        } while (field.number != series->number);
        if (field.type != PB_BYTES) {
            *value = field.scalar;
            return true;
        }
        series->run = pb_reader_of(field.bytes);
    }
}

static size_t count_of(struct series series)
{
    uint64_t value;
    size_t count = 0;

    while (next_of(&series, &value))
        count++;
    return count;
}

/* ---- histograms ---- */

static void write_counts(struct slice body, struct buffer *out)
{
    struct series counts = series_of(body, 6, false);
    uint64_t count;

    ELASTIC_PUT(out, "{\"counts\":[");
    while (next_of(&counts, &count)) {
        if (count == 0)
            continue;
        elastic_json_unsigned(count, out);
        buffer_append_byte(out, ',');
    }
    elastic_json_close(out, ']');
}

/* The middle of each bucket that has something in it; half of the first bound below it, the last bound above it. */
static void write_values(struct slice body, struct buffer *out)
{
    struct series counts = series_of(body, 6, false), bounds = series_of(body, 7, false);
    double lower = 0, upper = 0, middle;
    bool has_lower = false, has_upper;
    uint64_t count, bits;

    ELASTIC_PUT(out, ",\"values\":[");
    for (; next_of(&counts, &count); lower = upper, has_lower = true) {
        has_upper = next_of(&bounds, &bits);
        if (has_upper)
            upper = pb_double(bits);
        if (count == 0)
            continue;
        if (!has_upper)
            middle = lower;
        else if (has_lower)
            middle = lower + (upper - lower) / 2;
        else
            middle = upper > 0 ? upper / 2 : upper;
        elastic_json_double(middle, out);
        buffer_append_byte(out, ',');
    }
    elastic_json_close(out, ']');
    buffer_append_byte(out, '}');
}

/* Without buckets: all of it at the mean. */
static bool write_mean(struct slice body, struct buffer *out)
{
    uint64_t count = scalar_of(body, 4);
    double mean = count > 0 ? pb_double(scalar_of(body, 5)) / (double)count : 0;

    if (count == 0 || !isfinite(mean))
        return false;
    ELASTIC_PUT(out, "{\"counts\":[");
    elastic_json_unsigned(count, out);
    ELASTIC_PUT(out, "],\"values\":[");
    elastic_json_double(mean, out);
    ELASTIC_PUT(out, "]}");
    return true;
}

static bool write_histogram(struct slice body, struct buffer *out)
{
    size_t counts = count_of(series_of(body, 6, false)), bounds = count_of(series_of(body, 7, false));

    if (counts == 0 || (counts == 1 && bounds == 0))
        return write_mean(body, out);
    if (counts != bounds + 1)
        return false;
    write_counts(body, out);
    write_values(body, out);
    return true;
}

/* ---- exponential histograms ---- */

struct buckets {
    int64_t offset;
    uint64_t counts[BUCKETS_MAX];
    size_t count;
};

static bool read_buckets(struct slice body, uint32_t number, struct buckets *buckets)
{
    struct pb_field field = { .bytes = SLICE("") };
    struct series series;
    uint64_t count;

    find_field(body, number, &field);
    buckets->offset = pb_zigzag_decode(scalar_of(field.bytes, 1));
    buckets->count = 0;
    series = series_of(field.bytes, 2, true);
    while (next_of(&series, &count)) {
        if (buckets->count == BUCKETS_MAX)
            return false;
        buckets->counts[buckets->count++] = count;
    }
    return true;
}

/* Of a bucket in an exponential histogram (opentelemetry specification, metrics/data-model, "exponential scale"). */
static double lower_boundary(int64_t index, int scale)
{
    double exponent;

    if (scale > 0)
        return 2.0 * exp(((double)index - exp2(scale)) * ldexp(M_LN2, -scale));
    exponent = ldexp((double)index, -scale);
    if (fabs(exponent) > EXPONENT_MAX)
        exponent = exponent > 0 ? EXPONENT_MAX : -EXPONENT_MAX;
    return ldexp(1.0, (int)exponent);
}

static double bucket_middle(const struct buckets *buckets, size_t i, int scale)
{
    double lower = lower_boundary(buckets->offset + (int64_t)i, scale), upper = lower_boundary(buckets->offset + (int64_t)i + 1, scale);

    return lower + (upper - lower) / 2;
}

static void write_unsigned_member(uint64_t value, struct buffer *out)
{
    if (value == 0)
        return;
    elastic_json_unsigned(value, out);
    buffer_append_byte(out, ',');
}

static void write_exponential_counts(const struct buckets *negative, uint64_t zeros, const struct buckets *positive, struct buffer *out)
{
    ELASTIC_PUT(out, "{\"counts\":[");
    for (size_t i = negative->count; i-- > 0;)
        write_unsigned_member(negative->counts[i], out);
    write_unsigned_member(zeros, out);
    for (size_t i = 0; i < positive->count; i++)
        write_unsigned_member(positive->counts[i], out);
    elastic_json_close(out, ']');
    ELASTIC_PUT(out, ",\"values\":[");
}

/* False: beyond what a double holds. */
static bool write_middle(uint64_t count, double middle, struct buffer *out)
{
    if (count == 0)
        return true;
    elastic_json_double(middle, out);
    buffer_append_byte(out, ',');
    return isfinite(middle);
}

static bool write_exponential(struct slice body, struct buffer *out)
{
    int64_t wide_scale = pb_zigzag_decode(scalar_of(body, 6));
    int scale = (int)(wide_scale < -SCALE_MAX ? -SCALE_MAX : wide_scale > SCALE_MAX ? SCALE_MAX : wide_scale);
    uint64_t zeros = scalar_of(body, 7);
    struct buckets negative, positive;
    size_t start = out->size;
    bool fine;

    if (!read_buckets(body, 9, &negative) || !read_buckets(body, 8, &positive))
        return false;
    write_exponential_counts(&negative, zeros, &positive, out);
    fine = true;
    for (size_t i = negative.count; i-- > 0;)
        fine &= write_middle(negative.counts[i], -bucket_middle(&negative, i, scale), out);
    fine &= write_middle(zeros, 0, out);
    for (size_t i = 0; i < positive.count; i++)
        fine &= write_middle(positive.counts[i], bucket_middle(&positive, i, scale), out);
    elastic_json_close(out, ']');
    buffer_append_byte(out, '}');
    if (!fine)
        out->size = start;
    return fine;
}

/* ---- all kinds ---- */

static bool write_summary(struct slice body, struct buffer *out)
{
    double sum = pb_double(scalar_of(body, 5));

    if (!isfinite(sum))
        return false;
    ELASTIC_PUT(out, "{\"sum\":");
    elastic_json_double(sum, out);
    ELASTIC_PUT(out, ",\"value_count\":");
    elastic_json_unsigned(scalar_of(body, 4), out);
    buffer_append_byte(out, '}');
    return true;
}

static bool write_number(const struct otlp_point *point, struct buffer *out)
{
    if (point->is_int)
        elastic_json_integer(point->int_value, out);
    else if (point->is_double && isfinite(point->double_value))
        elastic_json_double(point->double_value, out);
    else
        return false;
    return true;
}

bool elastic_point_value(const struct elastic_point *point, struct buffer *out)
{
    struct slice body = point->point.body;

    switch (point->metric.kind) {
    case OTLP_HISTOGRAM:
        return point->hints & ELASTIC_HINT_AGGREGATE ? write_summary(body, out) : write_histogram(body, out);
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return point->hints & ELASTIC_HINT_AGGREGATE ? write_summary(body, out) : write_exponential(body, out);
    case OTLP_SUMMARY:
        return write_summary(body, out);
    default:
        return write_number(&point->point, out);
    }
}

const char *elastic_point_template(const struct elastic_point *point)
{
    const struct otlp_metric *metric = &point->metric;
    bool counter = metric->kind == OTLP_SUM && metric->monotonic && metric->temporality == 2;

    if (metric->kind == OTLP_SUMMARY)
        return "summary";
    if (metric->kind == OTLP_HISTOGRAM || metric->kind == OTLP_EXPONENTIAL_HISTOGRAM)
        return point->hints & ELASTIC_HINT_AGGREGATE ? "summary" : "histogram";
    if (point->point.is_int)
        return counter ? "counter_long" : "gauge_long";
    return counter ? "counter_double" : "gauge_double";
}

uint64_t elastic_point_doc_count(const struct elastic_point *point)
{
    bool number = point->metric.kind == OTLP_GAUGE || point->metric.kind == OTLP_SUM;

    return number ? 1 : scalar_of(point->point.body, 4);
}
