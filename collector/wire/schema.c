/*
 * The table of OTLP messages. Nothing but const data and look-ups in it.
 *
 * Cost: a look-up compares its way through at most 16 entries; who walks a message in order
 * tries the next entry first. Threads: none of its own; no state.
 */
#include "collector/wire/schema.h"

#include <assert.h>

enum message_id {
    ANY_VALUE,
    ARRAY_VALUE,
    KEY_VALUE_LIST,
    KEY_VALUE,
    SCOPE,
    ENTITY_REF,
    RESOURCE,
    TRACES_REQUEST,
    RESOURCE_SPANS,
    SCOPE_SPANS,
    SPAN,
    SPAN_EVENT,
    SPAN_LINK,
    STATUS,
    LOGS_REQUEST,
    RESOURCE_LOGS,
    SCOPE_LOGS,
    LOG_RECORD,
    METRICS_REQUEST,
    RESOURCE_METRICS,
    SCOPE_METRICS,
    METRIC,
    GAUGE,
    SUM,
    HISTOGRAM,
    EXPONENTIAL_HISTOGRAM,
    SUMMARY,
    NUMBER_POINT,
    HISTOGRAM_POINT,
    EXPONENTIAL_POINT,
    BUCKETS,
    SUMMARY_POINT,
    QUANTILE,
    EXEMPLAR,
    PROFILES_REQUEST,
    RESOURCE_PROFILES,
    SCOPE_PROFILES,
    PROFILE,
    DICTIONARY,
    SAMPLE,
    MAPPING,
    LOCATION,
    LINE,
    FUNCTION,
    LINK,
    STACK,
    VALUE_TYPE,
    KEY_VALUE_AND_UNIT,
    MESSAGE_ID_COUNT
};

_Static_assert((int)MESSAGE_ID_COUNT == (int)SCHEMA_MESSAGE_COUNT, "every message has an id");

#define NAMED(field_number, field_kind, camel, snake)                                                                                      \
    .number = (field_number), .kind = SCHEMA_##field_kind, .key = "\"" camel "\":", .key_size = sizeof(camel) + 2, .snake_name = (snake),  \
    .snake_size = sizeof(snake) - 1
#define ONE(number, kind, camel, snake) NAMED(number, kind, camel, snake)
#define LIST(number, kind, camel, snake) NAMED(number, kind, camel, snake), .repeated = true
#define OPTIONAL(number, kind, camel, snake) NAMED(number, kind, camel, snake), .has_presence = true
#define CHOICE(number, kind, camel, snake) NAMED(number, kind, camel, snake), .has_presence = true, .oneof = 1
#define ID(number, size, camel, snake) NAMED(number, ID, camel, snake), .id_size = (size)
#define ENUM(number, type, camel, snake) NAMED(number, ENUM, camel, snake), .values = &(type)
#define ONE_OF(number, type, camel, snake) NAMED(number, MESSAGE, camel, snake), .message = &(type)
#define LIST_OF(number, type, camel, snake) ONE_OF(number, type, camel, snake), .repeated = true
#define CHOICE_OF(number, type, camel, snake) ONE_OF(number, type, camel, snake), .has_presence = true, .oneof = 1
#define MESSAGE(message_id, message_name, table)                                                                                           \
    .name = (message_name), .fields = (table), .field_count = sizeof(table) / sizeof((table)[0]), .id = (message_id)
#define VALUES(enum_name, table) .name = (enum_name), .values = (table), .count = sizeof(table) / sizeof((table)[0])

/* ---- enums ---- */

static const char *const span_kind_values[] = {
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
};
static const struct schema_enum span_kind = { VALUES("SpanKind", span_kind_values) };

static const char *const status_code_values[] = { "STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR" };
static const struct schema_enum status_code = { VALUES("StatusCode", status_code_values) };

static const char *const temporality_values[] = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
};
static const struct schema_enum temporality = { VALUES("AggregationTemporality", temporality_values) };

static const char *const severity_values[] = {
    "SEVERITY_NUMBER_UNSPECIFIED", /* then six levels of four steps */
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
};
static const struct schema_enum severity = { VALUES("SeverityNumber", severity_values) };

/* ---- common and resource ---- */

static const struct schema_message array_value, key_value_list;

/* string_value_strindex and key_strindex are for profiles only. */
static const struct schema_field any_value_fields[] = {
    { CHOICE(1, STRING, "stringValue", "string_value") },
    { CHOICE(2, BOOL, "boolValue", "bool_value") },
    { CHOICE(3, INT64, "intValue", "int_value") },
    { CHOICE(4, DOUBLE, "doubleValue", "double_value") },
    { CHOICE_OF(5, array_value, "arrayValue", "array_value") },
    { CHOICE_OF(6, key_value_list, "kvlistValue", "kvlist_value") },
    { CHOICE(7, BYTES, "bytesValue", "bytes_value") },
    { CHOICE(8, INT32, "stringValueStrindex", "string_value_strindex") },
};
const struct schema_message schema_any_value = { MESSAGE(ANY_VALUE, "AnyValue", any_value_fields) };

static const struct schema_field key_value_fields[] = {
    { ONE(1, STRING, "key", "key") },
    { ONE_OF(2, schema_any_value, "value", "value") },
    { ONE(3, INT32, "keyStrindex", "key_strindex") },
};
const struct schema_message schema_key_value = { MESSAGE(KEY_VALUE, "KeyValue", key_value_fields) };

static const struct schema_field array_value_fields[] = { { LIST_OF(1, schema_any_value, "values", "values") } };
static const struct schema_message array_value = { MESSAGE(ARRAY_VALUE, "ArrayValue", array_value_fields) };

static const struct schema_field key_value_list_fields[] = { { LIST_OF(1, schema_key_value, "values", "values") } };
static const struct schema_message key_value_list = { MESSAGE(KEY_VALUE_LIST, "KeyValueList", key_value_list_fields) };

static const struct schema_field scope_fields[] = {
    { ONE(1, STRING, "name", "name") },
    { ONE(2, STRING, "version", "version") },
    { LIST_OF(3, schema_key_value, "attributes", "attributes") },
    { ONE(4, UINT32, "droppedAttributesCount", "dropped_attributes_count") },
};
static const struct schema_message scope = { MESSAGE(SCOPE, "InstrumentationScope", scope_fields) };

static const struct schema_field entity_ref_fields[] = {
    { ONE(1, STRING, "schemaUrl", "schema_url") },
    { ONE(2, STRING, "type", "type") },
    { LIST(3, STRING, "idKeys", "id_keys") },
    { LIST(4, STRING, "descriptionKeys", "description_keys") },
};
static const struct schema_message entity_ref = { MESSAGE(ENTITY_REF, "EntityRef", entity_ref_fields) };

static const struct schema_field resource_fields[] = {
    { LIST_OF(1, schema_key_value, "attributes", "attributes") },
    { ONE(2, UINT32, "droppedAttributesCount", "dropped_attributes_count") },
    { LIST_OF(3, entity_ref, "entityRefs", "entity_refs") },
};
static const struct schema_message resource = { MESSAGE(RESOURCE, "Resource", resource_fields) };

/* ---- traces ---- */

static const struct schema_field status_fields[] = {
    { ONE(2, STRING, "message", "message") },
    { ENUM(3, status_code, "code", "code") },
};
static const struct schema_message status = { MESSAGE(STATUS, "Status", status_fields) };

static const struct schema_field span_event_fields[] = {
    { ONE(1, FIXED64, "timeUnixNano", "time_unix_nano") },
    { ONE(2, STRING, "name", "name") },
    { LIST_OF(3, schema_key_value, "attributes", "attributes") },
    { ONE(4, UINT32, "droppedAttributesCount", "dropped_attributes_count") },
};
static const struct schema_message span_event = { MESSAGE(SPAN_EVENT, "SpanEvent", span_event_fields) };

static const struct schema_field span_link_fields[] = {
    { ID(1, 16, "traceId", "trace_id") },
    { ID(2, 8, "spanId", "span_id") },
    { ONE(3, STRING, "traceState", "trace_state") },
    { LIST_OF(4, schema_key_value, "attributes", "attributes") },
    { ONE(5, UINT32, "droppedAttributesCount", "dropped_attributes_count") },
    { ONE(6, FIXED32, "flags", "flags") },
};
static const struct schema_message span_link = { MESSAGE(SPAN_LINK, "SpanLink", span_link_fields) };

static const struct schema_field span_fields[] = {
    { ID(1, 16, "traceId", "trace_id") },
    { ID(2, 8, "spanId", "span_id") },
    { ONE(3, STRING, "traceState", "trace_state") },
    { ID(4, 8, "parentSpanId", "parent_span_id") },
    { ONE(16, FIXED32, "flags", "flags") },
    { ONE(5, STRING, "name", "name") },
    { ENUM(6, span_kind, "kind", "kind") },
    { ONE(7, FIXED64, "startTimeUnixNano", "start_time_unix_nano") },
    { ONE(8, FIXED64, "endTimeUnixNano", "end_time_unix_nano") },
    { LIST_OF(9, schema_key_value, "attributes", "attributes") },
    { ONE(10, UINT32, "droppedAttributesCount", "dropped_attributes_count") },
    { LIST_OF(11, span_event, "events", "events") },
    { ONE(12, UINT32, "droppedEventsCount", "dropped_events_count") },
    { LIST_OF(13, span_link, "links", "links") },
    { ONE(14, UINT32, "droppedLinksCount", "dropped_links_count") },
    { ONE_OF(15, status, "status", "status") },
};
static const struct schema_message span = { MESSAGE(SPAN, "Span", span_fields) };

static const struct schema_field scope_spans_fields[] = {
    { ONE_OF(1, scope, "scope", "scope") },
    { LIST_OF(2, span, "spans", "spans") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message scope_spans = { MESSAGE(SCOPE_SPANS, "ScopeSpans", scope_spans_fields) };

static const struct schema_field resource_spans_fields[] = {
    { ONE_OF(1, resource, "resource", "resource") },
    { LIST_OF(2, scope_spans, "scopeSpans", "scope_spans") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message resource_spans = { MESSAGE(RESOURCE_SPANS, "ResourceSpans", resource_spans_fields) };

static const struct schema_field traces_request_fields[] = { { LIST_OF(1, resource_spans, "resourceSpans", "resource_spans") } };
static const struct schema_message traces_request = { MESSAGE(TRACES_REQUEST, "ExportTraceServiceRequest", traces_request_fields) };

/* ---- logs ---- */

static const struct schema_field log_record_fields[] = {
    { ONE(1, FIXED64, "timeUnixNano", "time_unix_nano") },
    { ONE(11, FIXED64, "observedTimeUnixNano", "observed_time_unix_nano") },
    { ENUM(2, severity, "severityNumber", "severity_number") },
    { ONE(3, STRING, "severityText", "severity_text") },
    { ONE_OF(5, schema_any_value, "body", "body") },
    { LIST_OF(6, schema_key_value, "attributes", "attributes") },
    { ONE(7, UINT32, "droppedAttributesCount", "dropped_attributes_count") },
    { ONE(8, FIXED32, "flags", "flags") },
    { ID(9, 16, "traceId", "trace_id") },
    { ID(10, 8, "spanId", "span_id") },
    { ONE(12, STRING, "eventName", "event_name") },
};
static const struct schema_message log_record = { MESSAGE(LOG_RECORD, "LogRecord", log_record_fields) };

static const struct schema_field scope_logs_fields[] = {
    { ONE_OF(1, scope, "scope", "scope") },
    { LIST_OF(2, log_record, "logRecords", "log_records") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message scope_logs = { MESSAGE(SCOPE_LOGS, "ScopeLogs", scope_logs_fields) };

static const struct schema_field resource_logs_fields[] = {
    { ONE_OF(1, resource, "resource", "resource") },
    { LIST_OF(2, scope_logs, "scopeLogs", "scope_logs") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message resource_logs = { MESSAGE(RESOURCE_LOGS, "ResourceLogs", resource_logs_fields) };

static const struct schema_field logs_request_fields[] = { { LIST_OF(1, resource_logs, "resourceLogs", "resource_logs") } };
static const struct schema_message logs_request = { MESSAGE(LOGS_REQUEST, "ExportLogsServiceRequest", logs_request_fields) };

/* ---- metrics ---- */

static const struct schema_field exemplar_fields[] = {
    { LIST_OF(7, schema_key_value, "filteredAttributes", "filtered_attributes") },
    { ONE(2, FIXED64, "timeUnixNano", "time_unix_nano") },
    { CHOICE(3, DOUBLE, "asDouble", "as_double") },
    { CHOICE(6, SFIXED64, "asInt", "as_int") },
    { ID(4, 8, "spanId", "span_id") },
    { ID(5, 16, "traceId", "trace_id") },
};
static const struct schema_message exemplar = { MESSAGE(EXEMPLAR, "Exemplar", exemplar_fields) };

static const struct schema_field number_point_fields[] = {
    { LIST_OF(7, schema_key_value, "attributes", "attributes") },
    { ONE(2, FIXED64, "startTimeUnixNano", "start_time_unix_nano") },
    { ONE(3, FIXED64, "timeUnixNano", "time_unix_nano") },
    { CHOICE(4, DOUBLE, "asDouble", "as_double") },
    { CHOICE(6, SFIXED64, "asInt", "as_int") },
    { LIST_OF(5, exemplar, "exemplars", "exemplars") },
    { ONE(8, UINT32, "flags", "flags") },
};
static const struct schema_message number_point = { MESSAGE(NUMBER_POINT, "NumberDataPoint", number_point_fields) };

static const struct schema_field histogram_point_fields[] = {
    { LIST_OF(9, schema_key_value, "attributes", "attributes") },
    { ONE(2, FIXED64, "startTimeUnixNano", "start_time_unix_nano") },
    { ONE(3, FIXED64, "timeUnixNano", "time_unix_nano") },
    { ONE(4, FIXED64, "count", "count") },
    { OPTIONAL(5, DOUBLE, "sum", "sum") },
    { LIST(6, FIXED64, "bucketCounts", "bucket_counts") },
    { LIST(7, DOUBLE, "explicitBounds", "explicit_bounds") },
    { LIST_OF(8, exemplar, "exemplars", "exemplars") },
    { ONE(10, UINT32, "flags", "flags") },
    { OPTIONAL(11, DOUBLE, "min", "min") },
    { OPTIONAL(12, DOUBLE, "max", "max") },
};
static const struct schema_message histogram_point = { MESSAGE(HISTOGRAM_POINT, "HistogramDataPoint", histogram_point_fields) };

static const struct schema_field buckets_fields[] = {
    { ONE(1, SINT32, "offset", "offset") },
    { LIST(2, UINT64, "bucketCounts", "bucket_counts") },
};
static const struct schema_message buckets = { MESSAGE(BUCKETS, "Buckets", buckets_fields) };

static const struct schema_field exponential_point_fields[] = {
    { LIST_OF(1, schema_key_value, "attributes", "attributes") },
    { ONE(2, FIXED64, "startTimeUnixNano", "start_time_unix_nano") },
    { ONE(3, FIXED64, "timeUnixNano", "time_unix_nano") },
    { ONE(4, FIXED64, "count", "count") },
    { OPTIONAL(5, DOUBLE, "sum", "sum") },
    { ONE(6, SINT32, "scale", "scale") },
    { ONE(7, FIXED64, "zeroCount", "zero_count") },
    { ONE_OF(8, buckets, "positive", "positive") },
    { ONE_OF(9, buckets, "negative", "negative") },
    { ONE(10, UINT32, "flags", "flags") },
    { LIST_OF(11, exemplar, "exemplars", "exemplars") },
    { OPTIONAL(12, DOUBLE, "min", "min") },
    { OPTIONAL(13, DOUBLE, "max", "max") },
    { ONE(14, DOUBLE, "zeroThreshold", "zero_threshold") },
};
static const struct schema_message exponential_point = { MESSAGE(
    EXPONENTIAL_POINT, "ExponentialHistogramDataPoint", exponential_point_fields) };

static const struct schema_field quantile_fields[] = {
    { ONE(1, DOUBLE, "quantile", "quantile") },
    { ONE(2, DOUBLE, "value", "value") },
};
static const struct schema_message quantile = { MESSAGE(QUANTILE, "ValueAtQuantile", quantile_fields) };

static const struct schema_field summary_point_fields[] = {
    { LIST_OF(7, schema_key_value, "attributes", "attributes") },
    { ONE(2, FIXED64, "startTimeUnixNano", "start_time_unix_nano") },
    { ONE(3, FIXED64, "timeUnixNano", "time_unix_nano") },
    { ONE(4, FIXED64, "count", "count") },
    { ONE(5, DOUBLE, "sum", "sum") },
    { LIST_OF(6, quantile, "quantileValues", "quantile_values") },
    { ONE(8, UINT32, "flags", "flags") },
};
static const struct schema_message summary_point = { MESSAGE(SUMMARY_POINT, "SummaryDataPoint", summary_point_fields) };

static const struct schema_field gauge_fields[] = { { LIST_OF(1, number_point, "dataPoints", "data_points") } };
static const struct schema_message gauge = { MESSAGE(GAUGE, "Gauge", gauge_fields) };

static const struct schema_field sum_fields[] = {
    { LIST_OF(1, number_point, "dataPoints", "data_points") },
    { ENUM(2, temporality, "aggregationTemporality", "aggregation_temporality") },
    { ONE(3, BOOL, "isMonotonic", "is_monotonic") },
};
static const struct schema_message sum = { MESSAGE(SUM, "Sum", sum_fields) };

static const struct schema_field histogram_fields[] = {
    { LIST_OF(1, histogram_point, "dataPoints", "data_points") },
    { ENUM(2, temporality, "aggregationTemporality", "aggregation_temporality") },
};
static const struct schema_message histogram = { MESSAGE(HISTOGRAM, "Histogram", histogram_fields) };

static const struct schema_field exponential_histogram_fields[] = {
    { LIST_OF(1, exponential_point, "dataPoints", "data_points") },
    { ENUM(2, temporality, "aggregationTemporality", "aggregation_temporality") },
};
static const struct schema_message exponential_histogram = { MESSAGE(
    EXPONENTIAL_HISTOGRAM, "ExponentialHistogram", exponential_histogram_fields) };

static const struct schema_field summary_fields[] = { { LIST_OF(1, summary_point, "dataPoints", "data_points") } };
static const struct schema_message summary = { MESSAGE(SUMMARY, "Summary", summary_fields) };

static const struct schema_field metric_fields[] = {
    { ONE(1, STRING, "name", "name") },
    { ONE(2, STRING, "description", "description") },
    { ONE(3, STRING, "unit", "unit") },
    { CHOICE_OF(5, gauge, "gauge", "gauge") },
    { CHOICE_OF(7, sum, "sum", "sum") },
    { CHOICE_OF(9, histogram, "histogram", "histogram") },
    { CHOICE_OF(10, exponential_histogram, "exponentialHistogram", "exponential_histogram") },
    { CHOICE_OF(11, summary, "summary", "summary") },
    { LIST_OF(12, schema_key_value, "metadata", "metadata") },
};
static const struct schema_message metric = { MESSAGE(METRIC, "Metric", metric_fields) };

static const struct schema_field scope_metrics_fields[] = {
    { ONE_OF(1, scope, "scope", "scope") },
    { LIST_OF(2, metric, "metrics", "metrics") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message scope_metrics = { MESSAGE(SCOPE_METRICS, "ScopeMetrics", scope_metrics_fields) };

static const struct schema_field resource_metrics_fields[] = {
    { ONE_OF(1, resource, "resource", "resource") },
    { LIST_OF(2, scope_metrics, "scopeMetrics", "scope_metrics") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message resource_metrics = { MESSAGE(RESOURCE_METRICS, "ResourceMetrics", resource_metrics_fields) };

static const struct schema_field metrics_request_fields[] = { { LIST_OF(1, resource_metrics, "resourceMetrics", "resource_metrics") } };
static const struct schema_message metrics_request = { MESSAGE(METRICS_REQUEST, "ExportMetricsServiceRequest", metrics_request_fields) };

/* ---- profiles (v1development) ---- */

static const struct schema_field value_type_fields[] = {
    { ONE(1, INT32, "typeStrindex", "type_strindex") },
    { ONE(2, INT32, "unitStrindex", "unit_strindex") },
};
static const struct schema_message value_type = { MESSAGE(VALUE_TYPE, "ValueType", value_type_fields) };

static const struct schema_field sample_fields[] = {
    { ONE(1, INT32, "stackIndex", "stack_index") },
    { LIST(2, INT32, "attributeIndices", "attribute_indices") },
    { ONE(3, INT32, "linkIndex", "link_index") },
    { LIST(4, INT64, "values", "values") },
    { LIST(5, FIXED64, "timestampsUnixNano", "timestamps_unix_nano") },
};
static const struct schema_message sample = { MESSAGE(SAMPLE, "Sample", sample_fields) };

static const struct schema_field profile_fields[] = {
    { ONE_OF(1, value_type, "sampleType", "sample_type") },
    { LIST_OF(2, sample, "samples", "samples") },
    { ONE(3, FIXED64, "timeUnixNano", "time_unix_nano") },
    { ONE(4, UINT64, "durationNano", "duration_nano") },
    { ONE_OF(5, value_type, "periodType", "period_type") },
    { ONE(6, INT64, "period", "period") },
    { ID(7, 16, "profileId", "profile_id") },
    { ONE(8, UINT32, "droppedAttributesCount", "dropped_attributes_count") },
    { ONE(9, STRING, "originalPayloadFormat", "original_payload_format") },
    { ONE(10, BYTES, "originalPayload", "original_payload") },
    { LIST(11, INT32, "attributeIndices", "attribute_indices") },
};
static const struct schema_message profile = { MESSAGE(PROFILE, "Profile", profile_fields) };

static const struct schema_field mapping_fields[] = {
    { ONE(1, UINT64, "memoryStart", "memory_start") },
    { ONE(2, UINT64, "memoryLimit", "memory_limit") },
    { ONE(3, UINT64, "fileOffset", "file_offset") },
    { ONE(4, INT32, "filenameStrindex", "filename_strindex") },
    { LIST(5, INT32, "attributeIndices", "attribute_indices") },
};
static const struct schema_message mapping = { MESSAGE(MAPPING, "Mapping", mapping_fields) };

static const struct schema_field line_fields[] = {
    { ONE(1, INT32, "functionIndex", "function_index") },
    { ONE(2, INT64, "line", "line") },
    { ONE(3, INT64, "column", "column") },
};
static const struct schema_message line = { MESSAGE(LINE, "Line", line_fields) };

static const struct schema_field location_fields[] = {
    { ONE(1, INT32, "mappingIndex", "mapping_index") },
    { ONE(2, UINT64, "address", "address") },
    { LIST_OF(3, line, "lines", "lines") },
    { LIST(4, INT32, "attributeIndices", "attribute_indices") },
};
static const struct schema_message location = { MESSAGE(LOCATION, "Location", location_fields) };

static const struct schema_field function_fields[] = {
    { ONE(1, INT32, "nameStrindex", "name_strindex") },
    { ONE(2, INT32, "systemNameStrindex", "system_name_strindex") },
    { ONE(3, INT32, "filenameStrindex", "filename_strindex") },
    { ONE(4, INT64, "startLine", "start_line") },
};
static const struct schema_message function = { MESSAGE(FUNCTION, "Function", function_fields) };

static const struct schema_field link_fields[] = {
    { ID(1, 16, "traceId", "trace_id") },
    { ID(2, 8, "spanId", "span_id") },
};
static const struct schema_message link_message = { MESSAGE(LINK, "Link", link_fields) };

static const struct schema_field stack_fields[] = { { LIST(1, INT32, "locationIndices", "location_indices") } };
static const struct schema_message stack = { MESSAGE(STACK, "Stack", stack_fields) };

static const struct schema_field key_value_and_unit_fields[] = {
    { ONE(1, INT32, "keyStrindex", "key_strindex") },
    { ONE_OF(2, schema_any_value, "value", "value") },
    { ONE(3, INT32, "unitStrindex", "unit_strindex") },
};
static const struct schema_message key_value_and_unit = { MESSAGE(KEY_VALUE_AND_UNIT, "KeyValueAndUnit", key_value_and_unit_fields) };

static const struct schema_field dictionary_fields[] = {
    { LIST_OF(1, mapping, "mappingTable", "mapping_table") },
    { LIST_OF(2, location, "locationTable", "location_table") },
    { LIST_OF(3, function, "functionTable", "function_table") },
    { LIST_OF(4, link_message, "linkTable", "link_table") },
    { LIST(5, STRING, "stringTable", "string_table") },
    { LIST_OF(6, key_value_and_unit, "attributeTable", "attribute_table") },
    { LIST_OF(7, stack, "stackTable", "stack_table") },
};
static const struct schema_message dictionary = { MESSAGE(DICTIONARY, "ProfilesDictionary", dictionary_fields) };

static const struct schema_field scope_profiles_fields[] = {
    { ONE_OF(1, scope, "scope", "scope") },
    { LIST_OF(2, profile, "profiles", "profiles") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message scope_profiles = { MESSAGE(SCOPE_PROFILES, "ScopeProfiles", scope_profiles_fields) };

static const struct schema_field resource_profiles_fields[] = {
    { ONE_OF(1, resource, "resource", "resource") },
    { LIST_OF(2, scope_profiles, "scopeProfiles", "scope_profiles") },
    { ONE(3, STRING, "schemaUrl", "schema_url") },
};
static const struct schema_message resource_profiles = { MESSAGE(RESOURCE_PROFILES, "ResourceProfiles", resource_profiles_fields) };

static const struct schema_field profiles_request_fields[] = {
    { LIST_OF(1, resource_profiles, "resourceProfiles", "resource_profiles") },
    { ONE_OF(2, dictionary, "dictionary", "dictionary") },
};
static const struct schema_message profiles_request = { MESSAGE(
    PROFILES_REQUEST, "ExportProfilesServiceRequest", profiles_request_fields) };

/* ---- look-ups ---- */

const struct schema_message *schema_request(enum signal signal)
{
    static const struct schema_message *const requests[SIGNAL_COUNT] = {
        [SIGNAL_TRACES] = &traces_request,
        [SIGNAL_METRICS] = &metrics_request,
        [SIGNAL_LOGS] = &logs_request,
        [SIGNAL_PROFILES] = &profiles_request,
    };

    assert(signal < SIGNAL_COUNT);
    return requests[signal];
}

const struct schema_field *schema_field_by_number(const struct schema_message *message, uint32_t number)
{
    for (size_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].number == number)
            return &message->fields[i];
    }
    return NULL;
}

const struct schema_field *schema_field_by_name(const struct schema_message *message, struct slice name)
{
    for (size_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        if (slice_equal(schema_field_name(field), name))
            return field;
        if (slice_equal(slice_of(field->snake_name, field->snake_size), name))
            return field;
    }
    return NULL;
}

bool schema_enum_number(const struct schema_enum *values, struct slice name, int32_t *number)
{
    for (size_t i = 0; i < values->count; i++) {
        if (slice_equal_string(name, values->values[i])) {
            *number = (int32_t)i;
            return true;
        }
    }
    return false;
}
