/*
 * The fields of each context: names, kinds and numbers in OTLP; and the enums.
 *
 * Field numbers: opentelemetry-proto 1.9. Threads: none; constant tables.
 */
#include "collector/ottl/program.h"

static const struct ottl_field resource_fields[] = {
    { "attributes", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "dropped_attributes_count", FIELD_VARINT, 0, 2, NULL },
    { "schema_url", FIELD_SCHEMA_URL, 0, 0, NULL },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

static const struct ottl_field scope_fields[] = {
    { "name", FIELD_STRING, 0, 1, NULL },
    { "version", FIELD_STRING, 0, 2, NULL },
    { "attributes", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "dropped_attributes_count", FIELD_VARINT, 0, 4, NULL },
    { "schema_url", FIELD_SCHEMA_URL, 0, 0, NULL },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

static const struct ottl_field span_fields[] = {
    { "attributes", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "name", FIELD_STRING, 0, 5, NULL },
    { "kind", FIELD_VARINT, 0, 6, NULL },
    { "kind.string", FIELD_KIND_TEXT, 0, 6, NULL },
    { "kind.deprecated_string", FIELD_KIND_OLD_TEXT, 0, 6, NULL },
    { "status", FIELD_MESSAGES, 0, 15, NULL },
    { "status.code", FIELD_VARINT, 15, 3, NULL },
    { "status.message", FIELD_STRING, 15, 2, NULL },
    { "trace_id", FIELD_TRACE_ID, 0, 1, NULL },
    { "trace_id.string", FIELD_TRACE_ID_TEXT, 0, 1, NULL },
    { "span_id", FIELD_SPAN_ID, 0, 2, NULL },
    { "span_id.string", FIELD_SPAN_ID_TEXT, 0, 2, NULL },
    { "parent_span_id", FIELD_SPAN_ID, 0, 4, NULL },
    { "parent_span_id.string", FIELD_SPAN_ID_TEXT, 0, 4, NULL },
    { "trace_state", FIELD_TRACE_STATE, 0, 3, NULL },
    { "start_time_unix_nano", FIELD_FIXED64, 0, 7, NULL },
    { "end_time_unix_nano", FIELD_FIXED64, 0, 8, NULL },
    { "start_time", FIELD_TIME, 0, 7, NULL },
    { "end_time", FIELD_TIME, 0, 8, NULL },
    { "dropped_attributes_count", FIELD_VARINT, 0, 10, NULL },
    { "dropped_events_count", FIELD_VARINT, 0, 12, NULL },
    { "dropped_links_count", FIELD_VARINT, 0, 14, NULL },
    { "events", FIELD_MESSAGES, 0, 11, NULL },
    { "links", FIELD_MESSAGES, 0, 13, NULL },
    { "flags", FIELD_FIXED32, 0, 16, NULL },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

static const struct ottl_field spanevent_fields[] = {
    { "attributes", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "name", FIELD_STRING, 0, 2, NULL },
    { "time_unix_nano", FIELD_FIXED64, 0, 1, NULL },
    { "time", FIELD_TIME, 0, 1, NULL },
    { "dropped_attributes_count", FIELD_VARINT, 0, 4, NULL },
    { "event_index", FIELD_PART_INDEX, 0, 0, NULL },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

static const struct ottl_field log_fields[] = {
    { "attributes", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "body", FIELD_ANY, 0, 5, NULL },
    { "body.string", FIELD_ANY_TEXT, 0, 5, NULL },
    { "severity_number", FIELD_VARINT, 0, 2, NULL },
    { "severity_text", FIELD_STRING, 0, 3, NULL },
    { "time_unix_nano", FIELD_FIXED64, 0, 1, NULL },
    { "observed_time_unix_nano", FIELD_FIXED64, 0, 11, NULL },
    { "time", FIELD_TIME, 0, 1, NULL },
    { "observed_time", FIELD_TIME, 0, 11, NULL },
    { "trace_id", FIELD_TRACE_ID, 0, 9, NULL },
    { "trace_id.string", FIELD_TRACE_ID_TEXT, 0, 9, NULL },
    { "span_id", FIELD_SPAN_ID, 0, 10, NULL },
    { "span_id.string", FIELD_SPAN_ID_TEXT, 0, 10, NULL },
    { "event_name", FIELD_STRING, 0, 12, NULL },
    { "dropped_attributes_count", FIELD_VARINT, 0, 7, NULL },
    { "flags", FIELD_FIXED32, 0, 8, NULL },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

/* Of metrics: what stands in the data (within: 1, whatever its number) is found by the metric's kind. */
static const uint8_t in_data_temporality[] = { 0, 0, 1, 2, 1, 2, 1, 2, 0, 0 };
static const uint8_t in_data_monotonic[] = { 0, 0, 1, 3, 0, 0, 0, 0, 0, 0 };
static const uint8_t in_data_points[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

static const struct ottl_field metric_fields[] = {
    { "name", FIELD_STRING, 0, 1, NULL },
    { "description", FIELD_STRING, 0, 2, NULL },
    { "unit", FIELD_STRING, 0, 3, NULL },
    { "type", FIELD_METRIC_TYPE, 0, 0, NULL },
    { "aggregation_temporality", FIELD_VARINT, 0, 0, in_data_temporality },
    { "is_monotonic", FIELD_BOOL, 0, 0, in_data_monotonic },
    { "data_points", FIELD_MESSAGES, 0, 0, in_data_points },
    { "metadata", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

/* Of data points, in the order gauge, sum, histogram, exponential histogram, summary. */
static const uint8_t point_flags[] = { 0, 8, 0, 8, 0, 10, 0, 10, 0, 8 };
static const uint8_t point_value_double[] = { 0, 4, 0, 4, 0, 0, 0, 0, 0, 0 };
static const uint8_t point_value_int[] = { 0, 6, 0, 6, 0, 0, 0, 0, 0, 0 };
static const uint8_t point_count[] = { 0, 0, 0, 0, 0, 4, 0, 4, 0, 4 };
static const uint8_t point_sum[] = { 0, 0, 0, 0, 0, 5, 0, 5, 0, 5 };
static const uint8_t point_bucket_counts[] = { 0, 0, 0, 0, 0, 6, 0, 0, 0, 0 };
static const uint8_t point_explicit_bounds[] = { 0, 0, 0, 0, 0, 7, 0, 0, 0, 0 };
static const uint8_t point_exemplars[] = { 0, 5, 0, 5, 0, 8, 0, 11, 0, 0 };
static const uint8_t point_scale[] = { 0, 0, 0, 0, 0, 0, 0, 6, 0, 0 };
static const uint8_t point_zero_count[] = { 0, 0, 0, 0, 0, 0, 0, 7, 0, 0 };
static const uint8_t point_positive[] = { 0, 0, 0, 0, 0, 0, 0, 8, 0, 0 };
static const uint8_t point_positive_offset[] = { 0, 0, 0, 0, 0, 0, 8, 1, 0, 0 };
static const uint8_t point_positive_counts[] = { 0, 0, 0, 0, 0, 0, 8, 2, 0, 0 };
static const uint8_t point_negative[] = { 0, 0, 0, 0, 0, 0, 0, 9, 0, 0 };
static const uint8_t point_negative_offset[] = { 0, 0, 0, 0, 0, 0, 9, 1, 0, 0 };
static const uint8_t point_negative_counts[] = { 0, 0, 0, 0, 0, 0, 9, 2, 0, 0 };
static const uint8_t point_quantiles[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 6 };

static const struct ottl_field datapoint_fields[] = {
    { "attributes", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "start_time_unix_nano", FIELD_FIXED64, 0, 2, NULL },
    { "time_unix_nano", FIELD_FIXED64, 0, 3, NULL },
    { "start_time", FIELD_TIME, 0, 2, NULL },
    { "time", FIELD_TIME, 0, 3, NULL },
    { "value_double", FIELD_DOUBLE, 0, 0, point_value_double },
    { "value_int", FIELD_FIXED64, 0, 0, point_value_int },
    { "flags", FIELD_VARINT, 0, 0, point_flags },
    { "count", FIELD_FIXED64, 0, 0, point_count },
    { "sum", FIELD_DOUBLE, 0, 0, point_sum },
    { "bucket_counts", FIELD_FIXED64_LIST, 0, 0, point_bucket_counts },
    { "explicit_bounds", FIELD_DOUBLE_LIST, 0, 0, point_explicit_bounds },
    { "exemplars", FIELD_MESSAGES, 0, 0, point_exemplars },
    { "scale", FIELD_SINT, 0, 0, point_scale },
    { "zero_count", FIELD_FIXED64, 0, 0, point_zero_count },
    { "positive", FIELD_MESSAGES, 0, 0, point_positive },
    { "positive.offset", FIELD_SINT, 0, 0, point_positive_offset },
    { "positive.bucket_counts", FIELD_VARINT_LIST, 0, 0, point_positive_counts },
    { "negative", FIELD_MESSAGES, 0, 0, point_negative },
    { "negative.offset", FIELD_SINT, 0, 0, point_negative_offset },
    { "negative.bucket_counts", FIELD_VARINT_LIST, 0, 0, point_negative_counts },
    { "quantile_values", FIELD_MESSAGES, 0, 0, point_quantiles },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

static const struct ottl_field exemplar_fields[] = {
    { "filtered_attributes", FIELD_ATTRIBUTES, 0, 0, NULL },
    { "time_unix_nano", FIELD_FIXED64, 0, 2, NULL },
    { "time", FIELD_TIME, 0, 2, NULL },
    { "double_value", FIELD_DOUBLE, 0, 3, NULL },
    { "int_value", FIELD_FIXED64, 0, 6, NULL },
    { "trace_id", FIELD_TRACE_ID, 0, 5, NULL },
    { "trace_id.string", FIELD_TRACE_ID_TEXT, 0, 5, NULL },
    { "span_id", FIELD_SPAN_ID, 0, 4, NULL },
    { "span_id.string", FIELD_SPAN_ID_TEXT, 0, 4, NULL },
    { "cache", FIELD_CACHE, 0, 0, NULL },
    { NULL, FIELD_STRING, 0, 0, NULL },
};

static const struct ottl_field *const fields[OTTL_CONTEXT_COUNT] = { resource_fields, scope_fields, span_fields, spanevent_fields,
    metric_fields, datapoint_fields, log_fields, exemplar_fields };

const struct ottl_field *ottl_find_field(enum ottl_context context, struct slice name)
{
    for (const struct ottl_field *field = fields[context]; field->name != NULL; field++) {
        if (slice_equal_string(name, field->name))
            return field;
    }
    return NULL;
}

/* ---- contexts ---- */

static const char *const context_names[OTTL_CONTEXT_COUNT] = { "resource", "scope", "span", "spanevent", "metric", "datapoint", "log", "exemplar" };

const char *ottl_context_name(enum ottl_context context)
{
    return context_names[context];
}

bool ottl_context_of(struct slice name, enum ottl_context *context)
{
    if (slice_equal_string(name, "instrumentation_scope"))
        name = SLICE("scope");
    for (size_t i = 0; i < OTTL_CONTEXT_COUNT; i++) {
        if (slice_equal_string(name, context_names[i])) {
            *context = (enum ottl_context)i;
            return true;
        }
    }
    return false;
}

bool ottl_context_fits(enum ottl_context context, enum signal signal)
{
    switch (context) {
    case OTTL_SPAN:
    case OTTL_SPANEVENT:
        return signal == SIGNAL_TRACES;
    case OTTL_METRIC:
    case OTTL_DATAPOINT:
    case OTTL_EXEMPLAR:
        return signal == SIGNAL_METRICS;
    case OTTL_LOG:
        return signal == SIGNAL_LOGS;
    default:
        return signal != SIGNAL_PROFILES;
    }
}

/* ---- enums ---- */

struct enumerator {
    const char *name;
    int value;
};

static const struct enumerator span_enums[] = {
    { "SPAN_KIND_UNSPECIFIED", 0 },
    { "SPAN_KIND_INTERNAL", 1 },
    { "SPAN_KIND_SERVER", 2 },
    { "SPAN_KIND_CLIENT", 3 },
    { "SPAN_KIND_PRODUCER", 4 },
    { "SPAN_KIND_CONSUMER", 5 },
    { "STATUS_CODE_UNSET", 0 },
    { "STATUS_CODE_OK", 1 },
    { "STATUS_CODE_ERROR", 2 },
    { NULL, 0 },
};

static const struct enumerator metric_enums[] = {
    { "AGGREGATION_TEMPORALITY_UNSPECIFIED", 0 },
    { "AGGREGATION_TEMPORALITY_DELTA", 1 },
    { "AGGREGATION_TEMPORALITY_CUMULATIVE", 2 },
    { "FLAG_NONE", 0 },
    { "FLAG_NO_RECORDED_VALUE", 1 },
    { "METRIC_DATA_TYPE_NONE", 0 },
    { "METRIC_DATA_TYPE_GAUGE", 1 },
    { "METRIC_DATA_TYPE_SUM", 2 },
    { "METRIC_DATA_TYPE_HISTOGRAM", 3 },
    { "METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM", 4 },
    { "METRIC_DATA_TYPE_SUMMARY", 5 },
    { NULL, 0 },
};

static bool find_enum(const struct enumerator *table, struct slice name, int64_t *value)
{
    for (; table->name != NULL; table++) {
        if (slice_equal_string(name, table->name)) {
            *value = table->value;
            return true;
        }
    }
    return false;
}

/* SEVERITY_NUMBER_ and UNSPECIFIED, or one of six words with 2, 3, 4 or nothing behind it. */
static bool find_severity(struct slice name, int64_t *value)
{
    static const char *const words[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };
    struct slice prefix = SLICE("SEVERITY_NUMBER_");

    if (!slice_starts_with(name, prefix))
        return false;
    name = slice_of(name.data + prefix.size, name.size - prefix.size);
    *value = 0;
    if (slice_equal_string(name, "UNSPECIFIED"))
        return true;
    for (int64_t i = 0; i < 6; i++) {
        size_t size = strlen(words[i]);
        *value = i * 4 + 1;
        if (slice_equal_string(name, words[i]))
            return true;
        bool numbered = name.size == size + 1 && memcmp(name.data, words[i], size) == 0 && name.data[size] >= '2' && name.data[size] <= '4';
        *value += numbered ? name.data[size] - '1' : 0;
        if (numbered)
            return true;
    }
    return false;
}

bool ottl_find_enum(enum ottl_context context, struct slice name, int64_t *value)
{
    switch (context) {
    case OTTL_SPAN:
    case OTTL_SPANEVENT:
        return find_enum(span_enums, name, value);
    case OTTL_METRIC:
    case OTTL_DATAPOINT:
    case OTTL_EXEMPLAR:
        return find_enum(metric_enums, name, value);
    case OTTL_LOG:
        return find_severity(name, value);
    default:
        return false;
    }
}
