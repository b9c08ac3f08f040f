/*
 * Editors that make metrics, or buckets, of other ones: copy_metric, convert_summary_quantile_val_to_gauge,
 * convert_exponential_histogram_to_histogram, merge_histogram_buckets. Metrics that are made stand behind the one that they are made of,
 * and are visited by the statements too. Threads: the machine's.
 */
#include <math.h>
#include <stdio.h>

#include "collector/base/hash.h"
#include "collector/ottl/points.h"
#include "collector/wire/decimal.h"

enum { METRICS = 1u << OTTL_METRIC, POINTS = 1u << OTTL_DATAPOINT };
enum {
    METRIC_NAME = 1,
    METRIC_DESCRIPTION = 2,
    METRIC_UNIT = 3,
    DATA_POINTS = 1,
    SCOPE_RECORDS = 2,
    NUMBER_ATTRIBUTES = 7,
    NUMBER_DOUBLE = 4
};
enum { HISTOGRAM_COUNTS = 6, HISTOGRAM_BOUNDS = 7, HISTOGRAM_ATTRIBUTES = 9 };

/* ---- copy_metric([name], [description], [unit]) ---- */

static bool run_copy(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice texts[3] = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    struct edit *edit = ottl_edit(machine, LEVEL_RECORD);
    struct buffer *out = &machine->metrics, *body;
    struct pb_field field;

    (void)value;
    for (size_t i = 0; i < 3; i++) {
        if (!ottl_argument_string(call, i, machine, &texts[i]))
            return false;
    }
    body = ottl_work(machine);
    edit_write(edit, 0, body);
    struct pb_reader reader = pb_reader_of(buffer_slice(body));
    size_t metric = pb_open(out, SCOPE_RECORDS);
    for (uint32_t i = 0; i < 3; i++) {
        if (texts[i].data != NULL)
            pb_put_bytes(out, METRIC_NAME + i, texts[i]);
    }
    while (pb_next(&reader, &field)) {
        if (field.number > METRIC_UNIT || texts[field.number - METRIC_NAME].data == NULL)
            buffer_append_slice(out, field.raw);
    }
    pb_close(out, metric);
    return !out->failed || ottl_fail(machine, "out of memory");
}

/* ---- convert_summary_quantile_val_to_gauge([attribute key], [suffix]) ---- */

/* "0.5" is written as "0.50", so that it sorts beside "0.99". */
static size_t put_quantile(double quantile, char out[DECIMAL_SIZE + 1])
{
    size_t size = decimal_write_double(isfinite(quantile) ? quantile : 0, out);

    if (size < 4 && !(size == 1 && (out[0] == '0' || out[0] == '1')))
        out[size++] = '0';
    return size;
}

static void put_quantile_point(struct buffer *out, struct slice point, struct slice quantile, struct slice key)
{
    double numbers[3] = { 0, 0, 0 }; /* by field: quantile 1, value 2 */
    struct pb_reader reader = pb_reader_of(quantile);
    struct ottl_value label;
    struct pb_field field;
    char text[DECIMAL_SIZE + 1];

    while (pb_next(&reader, &field)) {
        if (field.number <= 2 && field.type == PB_FIXED64)
            numbers[field.number] = pb_double(field.scalar);
    }
    label = ottl_string(slice_of(text, put_quantile(numbers[1], text)));
    size_t mark = pb_open(out, DATA_POINTS);
    reader = pb_reader_of(point);
    while (pb_next(&reader, &field)) {
        struct pb_reader entry = pb_reader_of(field.bytes);
        struct pb_field name;
        bool same = field.number == NUMBER_ATTRIBUTES && pb_next(&entry, &name) && slice_equal(name.bytes, key);
        if ((field.number == NUMBER_ATTRIBUTES && !same) || field.number == 2 || field.number == 3)
            buffer_append_slice(out, field.raw);
    }
    size_t attribute = pb_open(out, NUMBER_ATTRIBUTES);
    pb_put_bytes(out, 1, key);
    ottl_put_any(out, 2, &label);
    pb_close(out, attribute);
    pb_put_double(out, NUMBER_DOUBLE, numbers[2]);
    pb_close(out, mark);
}

static void put_quantile_points(struct buffer *out, struct slice data, struct slice key)
{
    struct pb_reader points = pb_reader_of(data);
    struct pb_field point, quantile;

    while (pb_next(&points, &point)) {
        struct pb_reader reader = pb_reader_of(point.bytes);
        while (point.number == DATA_POINTS && pb_next(&reader, &quantile)) {
            if (quantile.number == 6 && quantile.type == PB_BYTES)
                put_quantile_point(out, point.bytes, quantile.bytes, key);
        }
    }
}

static bool run_quantiles(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice key = SLICE("quantile"), suffix = SLICE(".quantiles");
    struct buffer *out = &machine->metrics;
    struct pb_field data;

    (void)value;
    if (!ottl_argument_string(call, 0, machine, &key) || !ottl_argument_string(call, 1, machine, &suffix))
        return false;
    if (machine->metric_kind != OTLP_SUMMARY || !ottl_read_field(machine, LEVEL_RECORD, OTLP_SUMMARY, &data))
        return true;
    size_t metric = pb_open(out, SCOPE_RECORDS), name = pb_open(out, METRIC_NAME);
    buffer_append_slice(out, ottl_metric_text(machine, METRIC_NAME));
    buffer_append_slice(out, suffix);
    pb_close(out, name);
    pb_put_bytes(out, METRIC_DESCRIPTION, ottl_metric_text(machine, METRIC_DESCRIPTION));
    pb_put_bytes(out, METRIC_UNIT, ottl_metric_text(machine, METRIC_UNIT));
    size_t gauge = pb_open(out, OTLP_GAUGE);
    put_quantile_points(out, data.bytes, key);
    pb_close(out, gauge);
    pb_close(out, metric);
    return !out->failed || ottl_fail(machine, "out of memory");
}

/* ---- convert_exponential_histogram_to_histogram(distribution, [bounds]) ---- */

enum distribution { DISTRIBUTE_UPPER, DISTRIBUTE_MIDPOINT, DISTRIBUTE_UNIFORM, DISTRIBUTE_RANDOM };

struct explicit_buckets {
    enum distribution distribution;
    double *bounds;
    uint64_t *counts; /* bound_count + 1 */
    size_t bound_count;
};

static bool distribution_of(struct slice name, enum distribution *distribution)
{
    static const char *const names[] = { "upper", "midpoint", "uniform", "random" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *distribution = (enum distribution)i;
        if (slice_equal_string(name, names[i]))
            return true;
    }
    return false;
}

/* The bucket that a value belongs to. */
static size_t bucket_of(const struct explicit_buckets *buckets, double value)
{
    size_t i = 0;

    while (i < buckets->bound_count && value > buckets->bounds[i])
        i++;
    return i;
}

/* Spreads the count over the buckets that lie between the two values. The last one gets what is left, so that none is lost. */
static void spread(struct explicit_buckets *buckets, double lower, double upper, uint64_t count)
{
    size_t first = bucket_of(buckets, lower), last = bucket_of(buckets, upper);
    uint64_t left = count;

    for (size_t i = first; i < last && left > 0; i++) {
        double from = i > first ? buckets->bounds[i - 1] : lower, share = (buckets->bounds[i] - from) / (upper - lower);
        uint64_t part = buckets->distribution == DISTRIBUTE_RANDOM ? random_next() % (left + 1) : (uint64_t)((double)count * share);
        part = part < left ? part : left;
        buckets->counts[i] += part;
        left -= part;
    }
    buckets->counts[last] += left;
}

static void put_in_buckets(struct explicit_buckets *buckets, double lower, double upper, uint64_t count)
{
    if (buckets->distribution == DISTRIBUTE_UPPER)
        buckets->counts[bucket_of(buckets, upper)] += count;
    else if (buckets->distribution == DISTRIBUTE_MIDPOINT)
        buckets->counts[bucket_of(buckets, (lower + upper) / 2)] += count;
    else
        spread(buckets, lower, upper, count);
}

/* Bucket i of the scale holds what is above base^i and at most base^(i+1), base being 2^(2^-scale). */
static void distribute(struct explicit_buckets *buckets, const struct point_buckets *from, int64_t scale, bool negative)
{
    struct pb_reader reader = pb_reader_of(from->counts);
    double step = ldexp(log(2), (int)-scale);

    for (int64_t i = from->offset; reader.at < reader.end && !reader.failed; i++) {
        uint64_t count = pb_varint(&reader);
        double lower = exp((double)i * step), upper = exp((double)(i + 1) * step);
        if (count == 0)
            continue;
        if (negative)
            put_in_buckets(buckets, -upper, -lower, count);
        else
            put_in_buckets(buckets, lower, upper, count);
    }
}

static void put_histogram_point(struct buffer *out, const struct point *point, struct explicit_buckets *buckets)
{
    struct pb_reader reader = pb_reader_of(point->body);
    struct pb_field field;

    memset(buckets->counts, 0, (buckets->bound_count + 1) * sizeof(*buckets->counts));
    distribute(buckets, &point->negative, point->scale, true);
    buckets->counts[bucket_of(buckets, 0)] += point->zero_count;
    distribute(buckets, &point->positive, point->scale, false);
    size_t mark = pb_open(out, DATA_POINTS);
    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_BYTES)
            pb_put_bytes(out, HISTOGRAM_ATTRIBUTES, field.bytes);
        else if (field.number >= 2 && field.number <= 5 && field.type == PB_FIXED64)
            buffer_append_slice(out, field.raw); /* start, time, count, sum */
        else if (field.number == 10)
            buffer_append_slice(out, field.raw); /* flags */
        else if ((field.number == 12 || field.number == 13) && field.type == PB_FIXED64)
            pb_put_fixed64(out, field.number - 1, field.scalar); /* min, max */
        else if (field.number == 11 && field.type == PB_BYTES)
            pb_put_bytes(out, 8, field.bytes); /* exemplars */
    }
    pb_put_bytes(out, HISTOGRAM_COUNTS, slice_of(buckets->counts, (buckets->bound_count + 1) * sizeof(*buckets->counts)));
    pb_put_bytes(out, HISTOGRAM_BOUNDS, slice_of(buckets->bounds, buckets->bound_count * sizeof(*buckets->bounds)));
    pb_close(out, mark);
}

static bool read_bounds(const struct ottl_call *call, struct ottl_machine *machine, struct explicit_buckets *buckets)
{
    static const double otherwise[] = { 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000 };
    struct ottl_value list = { .kind = OTTL_NIL }, item;
    size_t count = sizeof(otherwise) / sizeof(otherwise[0]);

    if (call->arguments[1] != NULL && !ottl_argument_kind(call, 1, machine, OTTL_LIST, &list))
        return false;
    count = list.kind == OTTL_LIST && ottl_count(&list) > 0 ? ottl_count(&list) : count;
    buckets->bounds = ottl_alloc(machine, count * sizeof(*buckets->bounds));
    buckets->counts = ottl_alloc(machine, (count + 1) * sizeof(*buckets->counts));
    if (buckets->bounds == NULL || buckets->counts == NULL)
        return false;
    if (list.kind != OTTL_LIST || ottl_count(&list) == 0) {
        memcpy(buckets->bounds, otherwise, sizeof(otherwise));
        buckets->bound_count = count;
        return true;
    }
    struct ottl_cursor cursor = ottl_items(&list);
    while (ottl_next_item(&cursor, &item)) {
        double bound = item.kind == OTTL_INT ? (double)item.integer : item.number;
        if (item.kind != OTTL_DOUBLE && item.kind != OTTL_INT)
            return ottl_fail_kind(machine, "float64", &item);
        if (buckets->bound_count > 0 && bound <= buckets->bounds[buckets->bound_count - 1])
            return ottl_fail(machine, "bounds must rise: %g does not", bound);
        buckets->bounds[buckets->bound_count++] = bound;
    }
    return true;
}

static bool prepare_explicit(struct ottl_call *call, struct arena *arena, struct error *err)
{
    enum distribution distribution;

    (void)arena;
    return distribution_of(call->arguments[0]->value.bytes, &distribution) ||
           fail(err, "unknown distribution \"%.*s\"; expected upper, midpoint, uniform or random",
               SLICE_PRINT(call->arguments[0]->value.bytes));
}

static bool run_explicit(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct explicit_buckets buckets = { .bound_count = 0 };
    struct points points;
    struct buffer *work;
    struct slice kept;

    (void)value;
    distribution_of(call->arguments[0]->value.bytes, &buckets.distribution);
    if (machine->metric_kind != OTLP_EXPONENTIAL_HISTOGRAM)
        return true;
    if (!read_bounds(call, machine, &buckets) || !points_read(machine, &points))
        return false;
    work = ottl_work(machine);
    for (size_t i = 0; i < points.count; i++)
        put_histogram_point(work, &points.all[i], &buckets);
    buffer_append_slice(work, points.rest);
    if (!ottl_keep_work(machine, &kept))
        return false;
    struct edit *edit = ottl_edit(machine, LEVEL_RECORD);
    edit_remove(edit, OTLP_EXPONENTIAL_HISTOGRAM);
    edit_set_bytes(edit, OTLP_HISTOGRAM, kept);
    machine->metric_kind = OTLP_HISTOGRAM;
    return true;
}

/* ---- merge_histogram_buckets(bound): the bound goes, and the two buckets beside it become one ---- */

static bool run_merge_buckets(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct pb_field counts = { .number = 0 }, bounds = { .number = 0 };
    struct buffer *work;
    size_t count, at = 0;
    double bound, number = 0;
    uint64_t merged[2];
    struct slice kept;

    if (!ottl_argument(call, 0, machine, value))
        return false;
    if (value->kind != OTTL_DOUBLE && value->kind != OTTL_INT)
        return ottl_fail_kind(machine, "float64", value);
    bound = value->kind == OTTL_INT ? (double)value->integer : value->number;
    if (machine->metric_kind != OTLP_HISTOGRAM || !ottl_read_field(machine, LEVEL_PART, HISTOGRAM_COUNTS, &counts) ||
        !ottl_read_field(machine, LEVEL_PART, HISTOGRAM_BOUNDS, &bounds) || counts.bytes.size != bounds.bytes.size + 8)
        return true;
    for (count = bounds.bytes.size / 8; at < count; at++) {
        memcpy(&number, bounds.bytes.data + 8 * at, sizeof(number));
        if (fabs(number - bound) < 1e-12)
            break;
    }
    if (at == count)
        return true;
    memcpy(merged, counts.bytes.data + 8 * at, sizeof(merged));
    merged[0] += merged[1];
    work = ottl_work(machine);
    buffer_append(work, counts.bytes.data, 8 * at);
    buffer_append(work, &merged[0], sizeof(merged[0]));
    buffer_append(work, counts.bytes.data + 8 * (at + 2), counts.bytes.size - 8 * (at + 2));
    size_t split = work->size;
    buffer_append(work, bounds.bytes.data, 8 * at);
    buffer_append(work, bounds.bytes.data + 8 * (at + 1), bounds.bytes.size - 8 * (at + 1));
    if (!ottl_keep_work(machine, &kept))
        return false;
    edit_set_bytes(ottl_edit(machine, LEVEL_PART), HISTOGRAM_COUNTS, slice_of(kept.data, split));
    edit_set_bytes(ottl_edit(machine, LEVEL_PART), HISTOGRAM_BOUNDS, slice_of(kept.data + split, kept.size - split));
    return true;
}

const struct ottl_function ottl_derive_functions[] = {
    { "copy_metric", "?name:value,?description:value,?unit:value", run_copy, NULL, true, true, METRICS },
    { "convert_summary_quantile_val_to_gauge", "?attributeKey:value,?suffix:value", run_quantiles, NULL, true, true, METRICS },
    { "convert_exponential_histogram_to_histogram", "distribution:literal,?explicitBounds:value", run_explicit, prepare_explicit, true,
        true, METRICS },
    { "merge_histogram_buckets", "bound:value", run_merge_buckets, NULL, true, true, POINTS },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
