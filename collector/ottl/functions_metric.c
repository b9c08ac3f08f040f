/*
 * Editors of metrics. Metrics that a statement makes are put behind the one that it ran on. Threads: the machine's.
 *
 * Histograms and summaries are read as they stand; a field that is not known is not carried over to a new metric.
 */
#include <stdlib.h>

#include "collector/ottl/points.h"

enum { METRICS = 1u << OTTL_METRIC, POINTS = 1u << OTTL_DATAPOINT, DATA_POINTS = 1, TEMPORALITY = 2, MONOTONIC = 3, SCOPE_RECORDS = 2 };
enum { NUMBER_ATTRIBUTES = 7, NUMBER_DOUBLE = 4, NUMBER_INT = 6 };

static bool current_data(const struct ottl_machine *machine, struct slice *data)
{
    struct pb_field field;

    if (machine->metric_kind == OTLP_METRIC_NONE || !ottl_read_field(machine, LEVEL_RECORD, (uint32_t)machine->metric_kind, &field))
        return false;
    *data = field.bytes;
    return true;
}

/* ---- convert_gauge_to_sum, convert_sum_to_gauge ---- */

static bool change_kind(struct ottl_machine *machine, enum otlp_metric_kind kind)
{
    struct slice kept;

    if (!ottl_keep_work(machine, &kept))
        return false;
    struct edit *edit = ottl_edit(machine, LEVEL_RECORD);
    edit_remove(edit, (uint32_t)machine->metric_kind);
    edit_set_bytes(edit, (uint32_t)kind, kept);
    machine->metric_kind = kind;
    return true;
}

static void copy_points(struct buffer *out, struct slice data)
{
    struct pb_reader reader = pb_reader_of(data);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == DATA_POINTS && field.type == PB_BYTES)
            buffer_append_slice(out, field.raw);
    }
}

static uint64_t temporality_of(struct slice name)
{
    return slice_equal_string(name, "delta") ? 1 : 2;
}

static bool prepare_temporality(struct ottl_call *call, struct arena *arena, struct error *err)
{
    struct slice name = call->arguments[0]->value.bytes;

    (void)arena;
    return slice_equal_string(name, "delta") || slice_equal_string(name, "cumulative") ||
           fail(err, "unknown aggregation temporality: %.*s", SLICE_PRINT(name));
}

static bool run_gauge_to_sum(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice data;
    bool monotonic = false;

    (void)value;
    if (!ottl_argument_bool(call, 1, machine, &monotonic))
        return false;
    if (machine->metric_kind != OTLP_GAUGE || !current_data(machine, &data))
        return true;
    struct buffer *work = ottl_work(machine);
    copy_points(work, data);
    pb_put_varint(work, TEMPORALITY, temporality_of(call->arguments[0]->value.bytes));
    pb_put_varint(work, MONOTONIC, monotonic);
    return change_kind(machine, OTLP_SUM);
}

static bool run_sum_to_gauge(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice data;

    (void)call;
    (void)value;
    if (machine->metric_kind != OTLP_SUM || !current_data(machine, &data))
        return true;
    copy_points(ottl_work(machine), data);
    return change_kind(machine, OTLP_GAUGE);
}

/* ---- new metrics from histograms and summaries ---- */

struct extraction {
    const char *suffix;
    uint32_t field; /* of the point */
    bool is_int;
    bool unitless; /* a count has not the unit of what is counted */
    bool monotonic;
    uint64_t temporality; /* 0: that of the metric */
};

/* One data point as a number data point; a point without the field is left out. */
static void put_extracted_point(struct buffer *out, enum otlp_metric_kind kind, struct slice point, const struct extraction *extraction)
{
    uint32_t attributes = points_attributes(kind);
    struct pb_reader reader = pb_reader_of(point);
    bool found = !extraction->is_int && kind == OTLP_SUMMARY;
    uint64_t number = 0;
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number != extraction->field || field.type != PB_FIXED64)
            continue;
        number = field.scalar;
        found = true;
    }
    if (!found && !extraction->is_int)
        return;
    size_t mark = pb_open(out, DATA_POINTS);
    reader = pb_reader_of(point);
    while (pb_next(&reader, &field)) {
        if (field.number == attributes && field.type == PB_BYTES)
            pb_put_bytes(out, NUMBER_ATTRIBUTES, field.bytes);
        else if ((field.number == 2 || field.number == 3) && field.type == PB_FIXED64)
            buffer_append_slice(out, field.raw);
    }
    pb_put_fixed64(out, extraction->is_int ? NUMBER_INT : NUMBER_DOUBLE, number);
    pb_close(out, mark);
}

static bool extract(struct ottl_machine *machine, const struct extraction *extraction)
{
    struct buffer *out = &machine->metrics;
    struct slice data, name = ottl_metric_text(machine, 1);
    struct pb_field field;
    uint64_t temporality = extraction->temporality;

    if (!current_data(machine, &data))
        return true;
    struct pb_reader reader = pb_reader_of(data);
    size_t start = out->size, metric = pb_open(out, SCOPE_RECORDS), text = pb_open(out, 1);
    buffer_append_slice(out, name);
    buffer_append_string(out, extraction->suffix);
    pb_close(out, text);
    pb_put_bytes(out, 2, ottl_metric_text(machine, 2));
    pb_put_bytes(out, 3, extraction->unitless ? SLICE("1") : ottl_metric_text(machine, 3));
    size_t sum = pb_open(out, OTLP_SUM), points = out->size;
    while (pb_next(&reader, &field)) {
        if (field.number == DATA_POINTS && field.type == PB_BYTES)
            put_extracted_point(out, machine->metric_kind, field.bytes, extraction);
        else if (field.number == TEMPORALITY && extraction->temporality == 0)
            temporality = field.scalar;
    }
    bool any = out->size > points;
    pb_put_varint(out, TEMPORALITY, temporality);
    pb_put_varint(out, MONOTONIC, extraction->monotonic);
    pb_close(out, sum);
    pb_close(out, metric);
    if (!any)
        out->size = start;
    return !out->failed || ottl_fail(machine, "out of memory");
}

static bool suffix_of(const struct ottl_call *call, size_t index, struct ottl_machine *machine, const char *otherwise, const char **suffix)
{
    struct slice own = { NULL, 0 };
    char *text;

    *suffix = otherwise;
    if (!ottl_argument_string(call, index, machine, &own) || own.data == NULL)
        return call->arguments[index] == NULL;
    text = ottl_alloc(machine, own.size + 1);
    if (text == NULL)
        return false;
    memcpy(text, own.data, own.size);
    text[own.size] = '\0';
    *suffix = text;
    return true;
}

static bool extract_from_metric(const struct ottl_call *call, struct ottl_machine *machine, struct extraction *extraction)
{
    if (!ottl_argument_bool(call, 0, machine, &extraction->monotonic) ||
        !suffix_of(call, 1, machine, extraction->suffix, &extraction->suffix))
        return false;
    if (machine->metric_kind == OTLP_SUMMARY) {
        extraction->temporality = 2;
        extraction->field = extraction->is_int ? 4 : 5;
    } else if (machine->metric_kind != OTLP_HISTOGRAM && machine->metric_kind != OTLP_EXPONENTIAL_HISTOGRAM) {
        return ottl_fail(machine, "%s requires an input metric of type Histogram, ExponentialHistogram or Summary", call->function->name);
    }
    return extract(machine, extraction);
}

static bool run_extract_sum(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct extraction extraction = { .suffix = "_sum", .field = 5 };

    (void)value;
    return extract_from_metric(call, machine, &extraction);
}

static bool run_extract_count(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct extraction extraction = { .suffix = "_count", .field = 4, .is_int = true, .unitless = true };

    (void)value;
    return extract_from_metric(call, machine, &extraction);
}

static bool convert_summary(const struct ottl_call *call, struct ottl_machine *machine, struct extraction *extraction)
{
    if (machine->metric_kind != OTLP_SUMMARY)
        return true;
    extraction->temporality = temporality_of(call->arguments[0]->value.bytes);
    if (!ottl_argument_bool(call, 1, machine, &extraction->monotonic) ||
        !suffix_of(call, 2, machine, extraction->suffix, &extraction->suffix))
        return false;
    return extract(machine, extraction);
}

static bool run_summary_sum(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct extraction extraction = { .suffix = "_sum", .field = 5 };

    (void)value;
    return convert_summary(call, machine, &extraction);
}

static bool run_summary_count(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct extraction extraction = { .suffix = "_count", .field = 4, .is_int = true };

    (void)value;
    return convert_summary(call, machine, &extraction);
}

/* ---- scale_metric ---- */

/* A number data point with its value multiplied. */
static void put_scaled_point(struct buffer *out, struct slice point, double factor)
{
    struct pb_reader reader = pb_reader_of(point);
    size_t mark = pb_open(out, DATA_POINTS);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == NUMBER_DOUBLE && field.type == PB_FIXED64)
            pb_put_double(out, NUMBER_DOUBLE, pb_double(field.scalar) * factor);
        else if (field.number == NUMBER_INT && field.type == PB_FIXED64)
            pb_put_fixed64(out, NUMBER_INT, (uint64_t)(int64_t)((double)(int64_t)field.scalar * factor));
        else
            buffer_append_slice(out, field.raw);
    }
    pb_close(out, mark);
}

static void put_scaled_quantile(struct buffer *out, struct slice quantile, double factor)
{
    struct pb_reader reader = pb_reader_of(quantile);
    size_t mark = pb_open(out, 6);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 2 && field.type == PB_FIXED64)
            pb_put_double(out, 2, pb_double(field.scalar) * factor);
        else
            buffer_append_slice(out, field.raw);
    }
    pb_close(out, mark);
}

static void put_scaled_bounds(struct buffer *out, struct slice bounds, double factor)
{
    size_t mark = pb_open(out, 7);

    for (size_t i = 0; i + 8 <= bounds.size; i += 8) {
        double bound;
        memcpy(&bound, bounds.data + i, sizeof(bound));
        bound *= factor;
        buffer_append(out, &bound, sizeof(bound));
    }
    pb_close(out, mark);
}

/* A histogram's or summary's data point: sum, min, max, bounds and quantiles multiplied. */
static void put_scaled_summary(struct buffer *out, struct slice point, enum otlp_metric_kind kind, double factor)
{
    struct pb_reader reader = pb_reader_of(point);
    size_t mark = pb_open(out, DATA_POINTS);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        bool scaled =
            field.type == PB_FIXED64 && (field.number == 5 || (kind == OTLP_HISTOGRAM && (field.number == 11 || field.number == 12)));
        if (scaled)
            pb_put_double(out, field.number, pb_double(field.scalar) * factor);
        else if (kind == OTLP_SUMMARY && field.number == 6 && field.type == PB_BYTES)
            put_scaled_quantile(out, field.bytes, factor);
        else if (kind == OTLP_HISTOGRAM && field.number == 7 && field.type == PB_BYTES)
            put_scaled_bounds(out, field.bytes, factor);
        else
            buffer_append_slice(out, field.raw);
    }
    pb_close(out, mark);
}

static bool run_scale(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice data, unit = { NULL, 0 }, kept;
    struct pb_field field;
    double factor;

    if (!ottl_argument(call, 0, machine, value) || !ottl_argument_string(call, 1, machine, &unit))
        return false;
    if (value->kind != OTTL_DOUBLE && value->kind != OTTL_INT)
        return ottl_fail_kind(machine, "float64", value);
    factor = value->kind == OTTL_INT ? (double)value->integer : value->number;
    if (machine->metric_kind == OTLP_EXPONENTIAL_HISTOGRAM)
        return ottl_fail(machine, "exponential histograms are not supported by the scale_metric function");
    if (!current_data(machine, &data))
        return true;
    struct pb_reader reader = pb_reader_of(data);
    struct buffer *work = ottl_work(machine);
    while (pb_next(&reader, &field)) {
        bool is_point = field.number == DATA_POINTS && field.type == PB_BYTES;
        if (!is_point)
            buffer_append_slice(work, field.raw);
        else if (machine->metric_kind == OTLP_GAUGE || machine->metric_kind == OTLP_SUM)
            put_scaled_point(work, field.bytes, factor);
        else
            put_scaled_summary(work, field.bytes, machine->metric_kind, factor);
    }
    if (!ottl_keep_work(machine, &kept))
        return false;
    edit_set_bytes(ottl_edit(machine, LEVEL_RECORD), (uint32_t)machine->metric_kind, kept);
    if (unit.data != NULL)
        edit_set_bytes(ottl_edit(machine, LEVEL_RECORD), 3, unit);
    return true;
}

/* ---- filter's questions about a metric's data points ---- */

static bool any_point_has(struct ottl_machine *machine, struct slice key, const struct slice *wanted)
{
    enum otlp_attributes_field attributes = (enum otlp_attributes_field)points_attributes(machine->metric_kind);
    struct otlp_value found;
    struct pb_field field;
    struct slice data;

    if (!current_data(machine, &data))
        return false;
    struct pb_reader reader = pb_reader_of(data);
    while (pb_next(&reader, &field)) {
        bool is_point = field.number == DATA_POINTS && field.type == PB_BYTES;
        if (is_point && otlp_find_attribute(field.bytes, attributes, key, &found) &&
            (wanted == NULL || (found.kind == OTLP_VALUE_STRING && slice_equal(found.bytes, *wanted))))
            return true;
    }
    return false;
}

static bool run_has_key(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice key;

    if (!ottl_argument_string(call, 0, machine, &key))
        return false;
    *value = ottl_bool(any_point_has(machine, key, NULL));
    return true;
}

static bool run_has_attribute(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice key, wanted;

    if (!ottl_argument_string(call, 0, machine, &key) || !ottl_argument_string(call, 1, machine, &wanted))
        return false;
    *value = ottl_bool(any_point_has(machine, key, &wanted));
    return true;
}

const struct ottl_function ottl_metric_functions[] = {
    { "convert_gauge_to_sum", "stringAggTemp:literal,monotonic:value", run_gauge_to_sum, prepare_temporality, true, true, METRICS },
    { "convert_sum_to_gauge", "", run_sum_to_gauge, NULL, true, true, METRICS },
    { "convert_summary_sum_val_to_sum", "stringAggTemp:literal,monotonic:value,?suffix:value", run_summary_sum, prepare_temporality, true,
        true, METRICS | POINTS },
    { "convert_summary_count_val_to_sum", "stringAggTemp:literal,monotonic:value,?suffix:value", run_summary_count, prepare_temporality,
        true, true, METRICS | POINTS },
    { "extract_sum_metric", "monotonic:value,?suffix:value", run_extract_sum, NULL, true, true, METRICS },
    { "extract_count_metric", "monotonic:value,?suffix:value", run_extract_count, NULL, true, true, METRICS },
    { "scale_metric", "factor:value,?unit:value", run_scale, NULL, true, true, METRICS },
    { "HasAttrKeyOnDatapoint", "key:value", run_has_key, NULL, false, true, METRICS },
    { "HasAttrOnDatapoint", "key:value,expectedVal:value", run_has_attribute, NULL, false, true, METRICS },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
