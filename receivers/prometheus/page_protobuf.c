/*
 * Pages of delimited io.prometheus.client.MetricFamily messages. A series' text is made up here: what it is, the metric's name, the labels'
 * bytes as they stand, and the bound; so that the layout finds it again without decoding labels.
 * Native histograms are native.h's.
 */
#include <math.h>
#include <stdio.h>

#include "collector/wire/decimal.h"
#include "collector/wire/protobuf.h"
#include "collector/wire/utf8.h"
#include "receivers/prometheus/native.h"
#include "receivers/prometheus/page.h"

enum {
    HISTOGRAM_BUCKETS = 16384,
    TYPE_COUNTER = 0,
    TYPE_GAUGE = 1,
    TYPE_SUMMARY = 2,
    TYPE_UNTYPED = 3,
    TYPE_HISTOGRAM = 4,
    TYPE_GAUGE_HISTOGRAM = 5
};

struct family_message {
    struct slice body, name;
    uint64_t type;
};

/* One Metric on its way. */
struct metric_message {
    struct page_reader *reader;
    const struct family_message *family;
    struct slice body;
    struct layout_sample sample; /* its timestamp */
    double created;              /* seconds; 0: not known */
    struct error *err;
};

/* ---- series ---- */

/* Labels of the metric, or of an exemplar. */
static void read_labels(struct labels *labels, struct slice message)
{
    struct pb_reader reader = pb_reader_of(message), inner;
    struct pb_field field, part;

    while (pb_next(&reader, &field)) {
        struct label label = { SLICE(""), SLICE("") };

        if (field.number != 1 || field.type != PB_BYTES)
            continue;
        inner = pb_reader_of(field.bytes);
        while (pb_next(&inner, &part)) {
            if (part.number == 1 && part.type == PB_BYTES)
                label.name = part.bytes;
            else if (part.number == 2 && part.type == PB_BYTES)
                label.value = part.bytes;
        }
        labels_add(labels, label.name, label.value);
    }
}

struct part {
    const char *suffix; /* behind the family's name */
    const char *label;  /* "le", "quantile"; NULL: none */
    double bound;
};

static void write_key(struct buffer *out, const struct metric_message *metric, const struct part *part)
{
    struct pb_reader reader = pb_reader_of(metric->body);
    struct pb_field field;

    buffer_clear(out);
    buffer_append_slice(out, metric->family->name);
    buffer_append_string(out, part->suffix);
    buffer_append_byte(out, 0);
    while (pb_next(&reader, &field))
        if (field.number == 1)
            buffer_append_slice(out, field.raw);
    buffer_append_byte(out, 0);
    if (part->label != NULL)
        buffer_append(out, &part->bound, sizeof(part->bound));
}

/* As Prometheus writes bounds in labels: "0.5", "10.0", "+Inf". */
static struct slice bound_text(double bound, char text[DECIMAL_SIZE + 4])
{
    size_t size;

    if (isnan(bound))
        return SLICE("NaN");
    if (isinf(bound))
        return bound > 0 ? SLICE("+Inf") : SLICE("-Inf");
    size = decimal_write_double(bound, text);
    if (memchr(text, '.', size) == NULL && memchr(text, 'e', size) == NULL) {
        memcpy(text + size, ".0", 2);
        size += 2;
    }
    return slice_of(text, size);
}

static uint32_t add_series(const struct metric_message *metric, const struct part *part, struct slice key, bool native)
{
    struct page_reader *reader = metric->reader;
    struct labels *labels = &reader->labels;
    struct buffer name = { .data = NULL };
    char text[DECIMAL_SIZE + 4];
    uint32_t number;

    labels_clear(labels);
    buffer_append_slice(&name, metric->family->name);
    buffer_append_string(&name, part->suffix);
    labels_add(labels, SLICE("__name__"), labels_keep(labels, buffer_slice(&name)));
    buffer_fini(&name);
    read_labels(labels, metric->body);
    if (part->label != NULL)
        labels_add(labels, slice_of_string(part->label), labels_keep(labels, bound_text(part->bound, text)));
    if (native)
        number = layout_add_native(reader->layout, key, labels, reader->matcher, metric->err);
    else
        number = layout_add(reader->layout, key, labels, reader->matcher, metric->err);
    return number;
}

/* The series' number; LAYOUT_NONE with the error. */
static uint32_t series_of(const struct metric_message *metric, const struct part *part, bool native)
{
    struct buffer *scratch = &metric->reader->scratch;
    uint32_t number;

    write_key(scratch, metric, part);
    if (native)
        buffer_append_byte(scratch, 'n');
    number = layout_find(metric->reader->layout, buffer_slice(scratch));
    return number != LAYOUT_NONE ? number : add_series(metric, part, buffer_slice(scratch), native);
}

static bool put(const struct metric_message *metric, const struct part *part, double value, uint32_t *number)
{
    struct layout_sample sample = metric->sample;

    sample.value = value;
    *number = series_of(metric, part, false);
    if (*number == LAYOUT_NONE)
        return false;
    if (layout_put(metric->reader->layout, *number, &sample) && metric->created > 0)
        layout_put_created(metric->reader->layout, *number, metric->created);
    return true;
}

/* ---- exemplars and times ---- */

/* google.protobuf.Timestamp */
static double read_seconds(struct slice message)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;
    double seconds = 0;

    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT)
            seconds += (double)(int64_t)field.scalar;
        else if (field.number == 2 && field.type == PB_VARINT)
            seconds += (double)(int32_t)field.scalar / 1e9;
    }
    return seconds;
}

static void put_exemplar(struct page_reader *page, uint32_t number, struct slice message)
{
    struct pb_reader reader = pb_reader_of(message);
    double value = 0, seconds = (double)page->layout->now_ms / 1000;
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 2 && field.type == PB_FIXED64)
            value = pb_double(field.scalar);
        else if (field.number == 3 && field.type == PB_BYTES)
            seconds = read_seconds(field.bytes);
    }
    labels_clear(&page->labels);
    read_labels(&page->labels, message);
    page_write_exemplar(page, value, seconds > 0 && seconds < 1e10 ? (uint64_t)(seconds * 1e9) : 0);
    layout_put_exemplar(page->layout, number, buffer_slice(&page->scratch));
}

/* ---- numbers and summaries ---- */

/* Gauge, Counter, Untyped. */
static bool take_number(struct metric_message *metric, struct slice message)
{
    struct pb_reader reader = pb_reader_of(message);
    struct slice exemplar = { NULL, 0 };
    struct pb_field field;
    double value = 0;
    uint32_t number;

    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_FIXED64)
            value = pb_double(field.scalar);
        else if (field.number == 2 && field.type == PB_BYTES)
            exemplar = field.bytes;
        else if (field.number == 3 && field.type == PB_BYTES)
            metric->created = read_seconds(field.bytes);
    }
    if (!put(metric, &(struct part){ "", NULL, 0 }, value, &number))
        return false;
    if (exemplar.data != NULL)
        put_exemplar(metric->reader, number, exemplar);
    return true;
}

static bool take_quantile(const struct metric_message *metric, struct slice message)
{
    struct pb_reader reader = pb_reader_of(message);
    struct part part = { "", "quantile", 0 };
    struct pb_field field;
    double value = 0;
    uint32_t number;

    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_FIXED64)
            part.bound = pb_double(field.scalar);
        else if (field.number == 2 && field.type == PB_FIXED64)
            value = pb_double(field.scalar);
    }
    return put(metric, &part, value, &number);
}

static bool take_summary(struct metric_message *metric, struct slice message)
{
    struct pb_reader reader = pb_reader_of(message);
    double count = 0, sum = 0;
    struct pb_field field;
    uint32_t number;

    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT)
            count = (double)field.scalar;
        else if (field.number == 2 && field.type == PB_FIXED64)
            sum = pb_double(field.scalar);
        else if (field.number == 4 && field.type == PB_BYTES)
            metric->created = read_seconds(field.bytes);
    }
    if (!put(metric, &(struct part){ "_count", NULL, 0 }, count, &number) || !put(metric, &(struct part){ "_sum", NULL, 0 }, sum, &number))
        return false;
    reader = pb_reader_of(message);
    while (pb_next(&reader, &field))
        if (field.number == 3 && field.type == PB_BYTES && !take_quantile(metric, field.bytes))
            return false;
    return true;
}

/* ---- histograms ---- */

static bool take_native(const struct metric_message *metric, const struct histogram_message *histogram)
{
    struct layout *layout = metric->reader->layout;
    struct buffer body = { .data = NULL };
    struct layout_sample sample = metric->sample;
    struct pb_reader reader = pb_reader_of(histogram->body);
    uint32_t number = series_of(metric, &(struct part){ "", NULL, 0 }, true);
    struct pb_field field;
    bool taken = false;

    if (number == LAYOUT_NONE)
        return false;
    sample.value = histogram->count;
    if (!native_write(histogram, &body))
        layout->malformed++;
    else if (!body.failed)
        taken = layout_put_native(layout, number, &sample, buffer_slice(&body));
    layout->failed = layout->failed || body.failed;
    buffer_fini(&body);
    if (taken && metric->created > 0)
        layout_put_created(layout, number, metric->created);
    while (taken && pb_next(&reader, &field))
        if (field.number == 16 && field.type == PB_BYTES)
            put_exemplar(metric->reader, number, field.bytes);
    return true;
}

/* ---- classic ones ---- */

static bool take_bucket(const struct metric_message *metric, struct slice message, double *bound)
{
    struct pb_reader reader = pb_reader_of(message);
    struct part part = { "_bucket", "le", 0 };
    struct slice exemplar = { NULL, 0 };
    struct pb_field field;
    double count = 0;
    uint32_t number;

    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT && field.scalar > 0)
            count = (double)field.scalar;
        else if (field.number == 4 && field.type == PB_FIXED64 && pb_double(field.scalar) > 0)
            count = pb_double(field.scalar);
        else if (field.number == 2 && field.type == PB_FIXED64)
            part.bound = pb_double(field.scalar);
        else if (field.number == 3 && field.type == PB_BYTES)
            exemplar = field.bytes;
    }
    *bound = part.bound;
    if (!put(metric, &part, count, &number))
        return false;
    if (exemplar.data != NULL)
        put_exemplar(metric->reader, number, exemplar);
    return true;
}

static bool take_classic(const struct metric_message *metric, const struct histogram_message *histogram)
{
    bool gauge = metric->family->type == TYPE_GAUGE_HISTOGRAM;
    struct pb_reader reader = pb_reader_of(histogram->body);
    double bound = 0;
    struct pb_field field;
    uint32_t number;

    if (!put(metric, &(struct part){ gauge ? "_gcount" : "_count", NULL, 0 }, histogram->count, &number) ||
        !put(metric, &(struct part){ gauge ? "_gsum" : "_sum", NULL, 0 }, histogram->sum, &number))
        return false;
    while (pb_next(&reader, &field))
        if (field.number == 3 && field.type == PB_BYTES && !take_bucket(metric, field.bytes, &bound))
            return false;
    return isinf(bound) || put(metric, &(struct part){ "_bucket", "le", (double)INFINITY }, histogram->count, &number);
}

static bool take_histogram(struct metric_message *metric, struct slice message)
{
    struct page_reader *reader = metric->reader;
    struct histogram_message histogram = native_read(message);

    if (histogram.created.data != NULL)
        metric->created = read_seconds(histogram.created);
    if (histogram.native && reader->native_histograms) {
        if (!take_native(metric, &histogram))
            return false;
        if (!reader->always_classic_histograms)
            return true;
    }
    return take_classic(metric, &histogram);
}

/* ---- families ---- */

static bool take_metric(struct metric_message *metric)
{
    static const uint64_t types[] = { [2] = TYPE_GAUGE, [3] = TYPE_COUNTER, [4] = TYPE_SUMMARY, [5] = TYPE_UNTYPED, [7] = TYPE_HISTOGRAM };
    struct pb_reader reader = pb_reader_of(metric->body);
    uint64_t type = metric->family->type == TYPE_GAUGE_HISTOGRAM ? (uint64_t)TYPE_HISTOGRAM : metric->family->type;
    struct slice value = { NULL, 0 };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 6 && field.type == PB_VARINT) {
            metric->sample.has_timestamp = true;
            metric->sample.timestamp_ms = (int64_t)field.scalar;
        } else if (field.type == PB_BYTES && field.number >= 2 && field.number <= 7 && types[field.number] == type) {
            value = field.bytes;
        }
    }
    if (value.data == NULL)
        return fail(metric->err, "a metric \"%.*s\" without a value of its type", SLICE_PRINT(metric->family->name));
    if (type == TYPE_HISTOGRAM)
        return take_histogram(metric, value);
    return type == TYPE_SUMMARY ? take_summary(metric, value) : take_number(metric, value);
}

static bool take_metrics(struct page_reader *reader, const struct family_message *family, struct error *err)
{
    struct pb_reader fields = pb_reader_of(family->body);
    struct pb_field field;

    while (pb_next(&fields, &field)) {
        struct metric_message metric = { .reader = reader, .family = family, .body = field.bytes, .err = err };

        if (field.number == 4 && field.type == PB_BYTES && !take_metric(&metric))
            return false;
    }
    return true;
}

/* Which of a message's fields are messages that are read above, and of what kind. */
enum message_kind {
    KIND_NONE,
    KIND_LEAF,
    KIND_FAMILY,
    KIND_METRIC,
    KIND_COUNTER,
    KIND_SUMMARY,
    KIND_HISTOGRAM,
    KIND_BUCKET,
    KIND_EXEMPLAR
};
enum { LAST_FIELD = 16 };

/* Well-formed all the way down; the depth is that of the table. */
static bool is_well_formed(struct slice message, enum message_kind kind)
{
    static const uint8_t kinds[][LAST_FIELD + 1] = {
        [KIND_FAMILY] = { [4] = KIND_METRIC },
        [KIND_METRIC] = { [1] = KIND_LEAF, [2] = KIND_LEAF, [3] = KIND_COUNTER, [4] = KIND_SUMMARY, [5] = KIND_LEAF, [7] = KIND_HISTOGRAM },
        [KIND_COUNTER] = { [2] = KIND_EXEMPLAR, [3] = KIND_LEAF },
        [KIND_SUMMARY] = { [3] = KIND_LEAF, [4] = KIND_LEAF },
        [KIND_HISTOGRAM] = { [3] = KIND_BUCKET, [9] = KIND_LEAF, [12] = KIND_LEAF, [15] = KIND_LEAF, [16] = KIND_EXEMPLAR },
        [KIND_BUCKET] = { [3] = KIND_EXEMPLAR },
        [KIND_EXEMPLAR] = { [1] = KIND_LEAF, [3] = KIND_LEAF },
    };
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        enum message_kind below = field.number <= LAST_FIELD ? (enum message_kind)kinds[kind][field.number] : KIND_NONE;

        if (below != KIND_NONE && field.type == PB_BYTES && !is_well_formed(field.bytes, below))
            return false;
    }
    return !reader.failed;
}

static bool take_family(struct page_reader *reader, struct slice body, struct error *err)
{
    static const enum metric_type types[] = { METRIC_COUNTER, METRIC_GAUGE, METRIC_SUMMARY, METRIC_UNKNOWN, METRIC_HISTOGRAM,
        METRIC_GAUGE_HISTOGRAM };
    struct family_message family = { .body = body };
    struct slice help = { NULL, 0 }, unit = { NULL, 0 };
    struct pb_reader fields = pb_reader_of(body);
    struct pb_field field;

    if (!is_well_formed(body, KIND_FAMILY))
        return fail(err, "malformed protobuf");
    while (pb_next(&fields, &field)) {
        if (field.number == 3 && field.type == PB_VARINT)
            family.type = field.scalar;
        else if (field.number == 1 && field.type == PB_BYTES)
            family.name = field.bytes;
        else if (field.number == 2 && field.type == PB_BYTES)
            help = field.bytes;
        else if (field.number == 5 && field.type == PB_BYTES)
            unit = field.bytes;
    }
    if (family.name.size == 0 || !utf8_is_valid(family.name) || family.type > TYPE_GAUGE_HISTOGRAM)
        return fail(err, "a metric family without a name or of an unknown type");
    if (!utf8_is_valid(help) || !utf8_is_valid(unit))
        return fail(err, "the help text of \"%.*s\" is not UTF-8", SLICE_PRINT(family.name));
    layout_put_type(reader->layout, family.name, types[family.type]);
    layout_put_help(reader->layout, family.name, help);
    if (unit.size > 0)
        layout_put_unit(reader->layout, family.name, unit);
    return take_metrics(reader, &family, err);
}

bool page_read_protobuf(struct page_reader *reader, struct slice page, struct error *err)
{
    struct pb_reader whole = pb_reader_of(page);

    for (size_t family = 1; whole.at < whole.end; family++) {
        uint64_t size = pb_varint(&whole);

        if (whole.failed || size > (uint64_t)(whole.end - whole.at))
            return fail(err, "metric family %zu: the message is cut off", family);
        if (!take_family(reader, slice_of(whole.at, (size_t)size), err))
            return fail_within(err, "metric family %zu", family);
        whole.at += size;
    }
    return page_check_limits(reader, err);
}
