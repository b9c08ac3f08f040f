/*
 * The OTLP fields, one line each, and the tables made of them.
 *
 * Field numbers and names: opentelemetry-proto 1.9; profiles (v1development) and the string indices they brought as of 1.10.
 * A repeated scalar stands twice, unpacked and packed: both must be read.
 */
#include "collector/wire/otlp_table.h"

#include <assert.h>
#include <stddef.h>

#include "collector/wire/protobuf.h"

/* X(message, field number, content, name) */
#define OTLP_FIELDS(X)                                                                                                                     \
    X(TRACES_REQUEST, 1, MESSAGE_RESOURCE_SPANS, "ExportTraceServiceRequest.resource_spans")                                               \
    X(METRICS_REQUEST, 1, MESSAGE_RESOURCE_METRICS, "ExportMetricsServiceRequest.resource_metrics")                                        \
    X(LOGS_REQUEST, 1, MESSAGE_RESOURCE_LOGS, "ExportLogsServiceRequest.resource_logs")                                                    \
    X(PROFILES_REQUEST, 1, MESSAGE_RESOURCE_PROFILES, "ExportProfilesServiceRequest.resource_profiles")                                    \
    X(PROFILES_REQUEST, 2, MESSAGE_PROFILES_DICTIONARY, "ExportProfilesServiceRequest.dictionary")                                         \
    X(RESOURCE, 1, MESSAGE_KEY_VALUE, "Resource.attributes")                                                                               \
    X(RESOURCE, 2, CONTENT_VARINT, "Resource.dropped_attributes_count")                                                                    \
    X(RESOURCE, 3, MESSAGE_ENTITY_REF, "Resource.entity_refs")                                                                             \
    X(ENTITY_REF, 1, CONTENT_STRING, "EntityRef.schema_url")                                                                               \
    X(ENTITY_REF, 2, CONTENT_STRING, "EntityRef.type")                                                                                     \
    X(ENTITY_REF, 3, CONTENT_STRING, "EntityRef.id_keys")                                                                                  \
    X(ENTITY_REF, 4, CONTENT_STRING, "EntityRef.description_keys")                                                                         \
    X(SCOPE, 1, CONTENT_STRING, "InstrumentationScope.name")                                                                               \
    X(SCOPE, 2, CONTENT_STRING, "InstrumentationScope.version")                                                                            \
    X(SCOPE, 3, MESSAGE_KEY_VALUE, "InstrumentationScope.attributes")                                                                      \
    X(SCOPE, 4, CONTENT_VARINT, "InstrumentationScope.dropped_attributes_count")                                                           \
    X(KEY_VALUE, 1, CONTENT_STRING, "KeyValue.key")                                                                                        \
    X(KEY_VALUE, 2, MESSAGE_ANY_VALUE, "KeyValue.value")                                                                                   \
    X(KEY_VALUE, 3, CONTENT_VARINT, "KeyValue.key_strindex")                                                                               \
    X(ANY_VALUE, 1, CONTENT_STRING, "AnyValue.string_value")                                                                               \
    X(ANY_VALUE, 2, CONTENT_VARINT, "AnyValue.bool_value")                                                                                 \
    X(ANY_VALUE, 3, CONTENT_VARINT, "AnyValue.int_value")                                                                                  \
    X(ANY_VALUE, 4, CONTENT_FIXED64, "AnyValue.double_value")                                                                              \
    X(ANY_VALUE, 5, MESSAGE_ARRAY_VALUE, "AnyValue.array_value")                                                                           \
    X(ANY_VALUE, 6, MESSAGE_KEY_VALUE_LIST, "AnyValue.kvlist_value")                                                                       \
    X(ANY_VALUE, 7, CONTENT_BYTES, "AnyValue.bytes_value")                                                                                 \
    X(ANY_VALUE, 8, CONTENT_VARINT, "AnyValue.string_value_strindex")                                                                      \
    X(ARRAY_VALUE, 1, MESSAGE_ANY_VALUE, "ArrayValue.values")                                                                              \
    X(KEY_VALUE_LIST, 1, MESSAGE_KEY_VALUE, "KeyValueList.values")                                                                         \
    X(RESOURCE_SPANS, 1, MESSAGE_RESOURCE, "ResourceSpans.resource")                                                                       \
    X(RESOURCE_SPANS, 2, MESSAGE_SCOPE_SPANS, "ResourceSpans.scope_spans")                                                                 \
    X(RESOURCE_SPANS, 3, CONTENT_STRING, "ResourceSpans.schema_url")                                                                       \
    X(SCOPE_SPANS, 1, MESSAGE_SCOPE, "ScopeSpans.scope")                                                                                   \
    X(SCOPE_SPANS, 2, MESSAGE_SPAN, "ScopeSpans.spans")                                                                                    \
    X(SCOPE_SPANS, 3, CONTENT_STRING, "ScopeSpans.schema_url")                                                                             \
    X(SPAN, 1, CONTENT_ID16, "Span.trace_id")                                                                                              \
    X(SPAN, 2, CONTENT_ID8, "Span.span_id")                                                                                                \
    X(SPAN, 3, CONTENT_STRING, "Span.trace_state")                                                                                         \
    X(SPAN, 4, CONTENT_ID8, "Span.parent_span_id")                                                                                         \
    X(SPAN, 5, CONTENT_STRING, "Span.name")                                                                                                \
    X(SPAN, 6, CONTENT_VARINT, "Span.kind")                                                                                                \
    X(SPAN, 7, CONTENT_FIXED64, "Span.start_time_unix_nano")                                                                               \
    X(SPAN, 8, CONTENT_FIXED64, "Span.end_time_unix_nano")                                                                                 \
    X(SPAN, 9, MESSAGE_KEY_VALUE, "Span.attributes")                                                                                       \
    X(SPAN, 10, CONTENT_VARINT, "Span.dropped_attributes_count")                                                                           \
    X(SPAN, 11, MESSAGE_SPAN_EVENT, "Span.events")                                                                                         \
    X(SPAN, 12, CONTENT_VARINT, "Span.dropped_events_count")                                                                               \
    X(SPAN, 13, MESSAGE_SPAN_LINK, "Span.links")                                                                                           \
    X(SPAN, 14, CONTENT_VARINT, "Span.dropped_links_count")                                                                                \
    X(SPAN, 15, MESSAGE_SPAN_STATUS, "Span.status")                                                                                        \
    X(SPAN, 16, CONTENT_FIXED32, "Span.flags")                                                                                             \
    X(SPAN_EVENT, 1, CONTENT_FIXED64, "Span.Event.time_unix_nano")                                                                         \
    X(SPAN_EVENT, 2, CONTENT_STRING, "Span.Event.name")                                                                                    \
    X(SPAN_EVENT, 3, MESSAGE_KEY_VALUE, "Span.Event.attributes")                                                                           \
    X(SPAN_EVENT, 4, CONTENT_VARINT, "Span.Event.dropped_attributes_count")                                                                \
    X(SPAN_LINK, 1, CONTENT_ID16, "Span.Link.trace_id")                                                                                    \
    X(SPAN_LINK, 2, CONTENT_ID8, "Span.Link.span_id")                                                                                      \
    X(SPAN_LINK, 3, CONTENT_STRING, "Span.Link.trace_state")                                                                               \
    X(SPAN_LINK, 4, MESSAGE_KEY_VALUE, "Span.Link.attributes")                                                                             \
    X(SPAN_LINK, 5, CONTENT_VARINT, "Span.Link.dropped_attributes_count")                                                                  \
    X(SPAN_LINK, 6, CONTENT_FIXED32, "Span.Link.flags")                                                                                    \
    X(SPAN_STATUS, 2, CONTENT_STRING, "Status.message")                                                                                    \
    X(SPAN_STATUS, 3, CONTENT_VARINT, "Status.code")                                                                                       \
    X(RESOURCE_LOGS, 1, MESSAGE_RESOURCE, "ResourceLogs.resource")                                                                         \
    X(RESOURCE_LOGS, 2, MESSAGE_SCOPE_LOGS, "ResourceLogs.scope_logs")                                                                     \
    X(RESOURCE_LOGS, 3, CONTENT_STRING, "ResourceLogs.schema_url")                                                                         \
    X(SCOPE_LOGS, 1, MESSAGE_SCOPE, "ScopeLogs.scope")                                                                                     \
    X(SCOPE_LOGS, 2, MESSAGE_LOG_RECORD, "ScopeLogs.log_records")                                                                          \
    X(SCOPE_LOGS, 3, CONTENT_STRING, "ScopeLogs.schema_url")                                                                               \
    X(LOG_RECORD, 1, CONTENT_FIXED64, "LogRecord.time_unix_nano")                                                                          \
    X(LOG_RECORD, 2, CONTENT_VARINT, "LogRecord.severity_number")                                                                          \
    X(LOG_RECORD, 3, CONTENT_STRING, "LogRecord.severity_text")                                                                            \
    X(LOG_RECORD, 5, MESSAGE_ANY_VALUE, "LogRecord.body")                                                                                  \
    X(LOG_RECORD, 6, MESSAGE_KEY_VALUE, "LogRecord.attributes")                                                                            \
    X(LOG_RECORD, 7, CONTENT_VARINT, "LogRecord.dropped_attributes_count")                                                                 \
    X(LOG_RECORD, 8, CONTENT_FIXED32, "LogRecord.flags")                                                                                   \
    X(LOG_RECORD, 9, CONTENT_ID16, "LogRecord.trace_id")                                                                                   \
    X(LOG_RECORD, 10, CONTENT_ID8, "LogRecord.span_id")                                                                                    \
    X(LOG_RECORD, 11, CONTENT_FIXED64, "LogRecord.observed_time_unix_nano")                                                                \
    X(LOG_RECORD, 12, CONTENT_STRING, "LogRecord.event_name")                                                                              \
    X(RESOURCE_METRICS, 1, MESSAGE_RESOURCE, "ResourceMetrics.resource")                                                                   \
    X(RESOURCE_METRICS, 2, MESSAGE_SCOPE_METRICS, "ResourceMetrics.scope_metrics")                                                         \
    X(RESOURCE_METRICS, 3, CONTENT_STRING, "ResourceMetrics.schema_url")                                                                   \
    X(SCOPE_METRICS, 1, MESSAGE_SCOPE, "ScopeMetrics.scope")                                                                               \
    X(SCOPE_METRICS, 2, MESSAGE_METRIC, "ScopeMetrics.metrics")                                                                            \
    X(SCOPE_METRICS, 3, CONTENT_STRING, "ScopeMetrics.schema_url")                                                                         \
    X(METRIC, 1, CONTENT_STRING, "Metric.name")                                                                                            \
    X(METRIC, 2, CONTENT_STRING, "Metric.description")                                                                                     \
    X(METRIC, 3, CONTENT_STRING, "Metric.unit")                                                                                            \
    X(METRIC, 5, MESSAGE_GAUGE, "Metric.gauge")                                                                                            \
    X(METRIC, 7, MESSAGE_SUM, "Metric.sum")                                                                                                \
    X(METRIC, 9, MESSAGE_HISTOGRAM, "Metric.histogram")                                                                                    \
    X(METRIC, 10, MESSAGE_EXPONENTIAL_HISTOGRAM, "Metric.exponential_histogram")                                                           \
    X(METRIC, 11, MESSAGE_SUMMARY, "Metric.summary")                                                                                       \
    X(METRIC, 12, MESSAGE_KEY_VALUE, "Metric.metadata")                                                                                    \
    X(GAUGE, 1, MESSAGE_NUMBER_POINT, "Gauge.data_points")                                                                                 \
    X(SUM, 1, MESSAGE_NUMBER_POINT, "Sum.data_points")                                                                                     \
    X(SUM, 2, CONTENT_VARINT, "Sum.aggregation_temporality")                                                                               \
    X(SUM, 3, CONTENT_VARINT, "Sum.is_monotonic")                                                                                          \
    X(HISTOGRAM, 1, MESSAGE_HISTOGRAM_POINT, "Histogram.data_points")                                                                      \
    X(HISTOGRAM, 2, CONTENT_VARINT, "Histogram.aggregation_temporality")                                                                   \
    X(EXPONENTIAL_HISTOGRAM, 1, MESSAGE_EXPONENTIAL_POINT, "ExponentialHistogram.data_points")                                             \
    X(EXPONENTIAL_HISTOGRAM, 2, CONTENT_VARINT, "ExponentialHistogram.aggregation_temporality")                                            \
    X(SUMMARY, 1, MESSAGE_SUMMARY_POINT, "Summary.data_points")                                                                            \
    X(NUMBER_POINT, 2, CONTENT_FIXED64, "NumberDataPoint.start_time_unix_nano")                                                            \
    X(NUMBER_POINT, 3, CONTENT_FIXED64, "NumberDataPoint.time_unix_nano")                                                                  \
    X(NUMBER_POINT, 4, CONTENT_FIXED64, "NumberDataPoint.as_double")                                                                       \
    X(NUMBER_POINT, 5, MESSAGE_EXEMPLAR, "NumberDataPoint.exemplars")                                                                      \
    X(NUMBER_POINT, 6, CONTENT_FIXED64, "NumberDataPoint.as_int")                                                                          \
    X(NUMBER_POINT, 7, MESSAGE_KEY_VALUE, "NumberDataPoint.attributes")                                                                    \
    X(NUMBER_POINT, 8, CONTENT_VARINT, "NumberDataPoint.flags")                                                                            \
    X(HISTOGRAM_POINT, 2, CONTENT_FIXED64, "HistogramDataPoint.start_time_unix_nano")                                                      \
    X(HISTOGRAM_POINT, 3, CONTENT_FIXED64, "HistogramDataPoint.time_unix_nano")                                                            \
    X(HISTOGRAM_POINT, 4, CONTENT_FIXED64, "HistogramDataPoint.count")                                                                     \
    X(HISTOGRAM_POINT, 5, CONTENT_FIXED64, "HistogramDataPoint.sum")                                                                       \
    X(HISTOGRAM_POINT, 6, CONTENT_FIXED64, "HistogramDataPoint.bucket_counts")                                                             \
    X(HISTOGRAM_POINT, 6, CONTENT_PACKED_FIXED64, "HistogramDataPoint.bucket_counts")                                                      \
    X(HISTOGRAM_POINT, 7, CONTENT_FIXED64, "HistogramDataPoint.explicit_bounds")                                                           \
    X(HISTOGRAM_POINT, 7, CONTENT_PACKED_FIXED64, "HistogramDataPoint.explicit_bounds")                                                    \
    X(HISTOGRAM_POINT, 8, MESSAGE_EXEMPLAR, "HistogramDataPoint.exemplars")                                                                \
    X(HISTOGRAM_POINT, 9, MESSAGE_KEY_VALUE, "HistogramDataPoint.attributes")                                                              \
    X(HISTOGRAM_POINT, 10, CONTENT_VARINT, "HistogramDataPoint.flags")                                                                     \
    X(HISTOGRAM_POINT, 11, CONTENT_FIXED64, "HistogramDataPoint.min")                                                                      \
    X(HISTOGRAM_POINT, 12, CONTENT_FIXED64, "HistogramDataPoint.max")                                                                      \
    X(EXPONENTIAL_POINT, 1, MESSAGE_KEY_VALUE, "ExponentialHistogramDataPoint.attributes")                                                 \
    X(EXPONENTIAL_POINT, 2, CONTENT_FIXED64, "ExponentialHistogramDataPoint.start_time_unix_nano")                                         \
    X(EXPONENTIAL_POINT, 3, CONTENT_FIXED64, "ExponentialHistogramDataPoint.time_unix_nano")                                               \
    X(EXPONENTIAL_POINT, 4, CONTENT_FIXED64, "ExponentialHistogramDataPoint.count")                                                        \
    X(EXPONENTIAL_POINT, 5, CONTENT_FIXED64, "ExponentialHistogramDataPoint.sum")                                                          \
    X(EXPONENTIAL_POINT, 6, CONTENT_VARINT, "ExponentialHistogramDataPoint.scale")                                                         \
    X(EXPONENTIAL_POINT, 7, CONTENT_FIXED64, "ExponentialHistogramDataPoint.zero_count")                                                   \
    X(EXPONENTIAL_POINT, 8, MESSAGE_BUCKETS, "ExponentialHistogramDataPoint.positive")                                                     \
    X(EXPONENTIAL_POINT, 9, MESSAGE_BUCKETS, "ExponentialHistogramDataPoint.negative")                                                     \
    X(EXPONENTIAL_POINT, 10, CONTENT_VARINT, "ExponentialHistogramDataPoint.flags")                                                        \
    X(EXPONENTIAL_POINT, 11, MESSAGE_EXEMPLAR, "ExponentialHistogramDataPoint.exemplars")                                                  \
    X(EXPONENTIAL_POINT, 12, CONTENT_FIXED64, "ExponentialHistogramDataPoint.min")                                                         \
    X(EXPONENTIAL_POINT, 13, CONTENT_FIXED64, "ExponentialHistogramDataPoint.max")                                                         \
    X(EXPONENTIAL_POINT, 14, CONTENT_FIXED64, "ExponentialHistogramDataPoint.zero_threshold")                                              \
    X(BUCKETS, 1, CONTENT_VARINT, "ExponentialHistogramDataPoint.Buckets.offset")                                                          \
    X(BUCKETS, 2, CONTENT_VARINT, "ExponentialHistogramDataPoint.Buckets.bucket_counts")                                                   \
    X(BUCKETS, 2, CONTENT_PACKED_VARINT, "ExponentialHistogramDataPoint.Buckets.bucket_counts")                                            \
    X(SUMMARY_POINT, 2, CONTENT_FIXED64, "SummaryDataPoint.start_time_unix_nano")                                                          \
    X(SUMMARY_POINT, 3, CONTENT_FIXED64, "SummaryDataPoint.time_unix_nano")                                                                \
    X(SUMMARY_POINT, 4, CONTENT_FIXED64, "SummaryDataPoint.count")                                                                         \
    X(SUMMARY_POINT, 5, CONTENT_FIXED64, "SummaryDataPoint.sum")                                                                           \
    X(SUMMARY_POINT, 6, MESSAGE_QUANTILE, "SummaryDataPoint.quantile_values")                                                              \
    X(SUMMARY_POINT, 7, MESSAGE_KEY_VALUE, "SummaryDataPoint.attributes")                                                                  \
    X(SUMMARY_POINT, 8, CONTENT_VARINT, "SummaryDataPoint.flags")                                                                          \
    X(QUANTILE, 1, CONTENT_FIXED64, "SummaryDataPoint.ValueAtQuantile.quantile")                                                           \
    X(QUANTILE, 2, CONTENT_FIXED64, "SummaryDataPoint.ValueAtQuantile.value")                                                              \
    X(EXEMPLAR, 2, CONTENT_FIXED64, "Exemplar.time_unix_nano")                                                                             \
    X(EXEMPLAR, 3, CONTENT_FIXED64, "Exemplar.as_double")                                                                                  \
    X(EXEMPLAR, 4, CONTENT_ID8, "Exemplar.span_id")                                                                                        \
    X(EXEMPLAR, 5, CONTENT_ID16, "Exemplar.trace_id")                                                                                      \
    X(EXEMPLAR, 6, CONTENT_FIXED64, "Exemplar.as_int")                                                                                     \
    X(EXEMPLAR, 7, MESSAGE_KEY_VALUE, "Exemplar.filtered_attributes")                                                                      \
    X(RESOURCE_PROFILES, 1, MESSAGE_RESOURCE, "ResourceProfiles.resource")                                                                 \
    X(RESOURCE_PROFILES, 2, MESSAGE_SCOPE_PROFILES, "ResourceProfiles.scope_profiles")                                                     \
    X(RESOURCE_PROFILES, 3, CONTENT_STRING, "ResourceProfiles.schema_url")                                                                 \
    X(SCOPE_PROFILES, 1, MESSAGE_SCOPE, "ScopeProfiles.scope")                                                                             \
    X(SCOPE_PROFILES, 2, MESSAGE_PROFILE, "ScopeProfiles.profiles")                                                                        \
    X(SCOPE_PROFILES, 3, CONTENT_STRING, "ScopeProfiles.schema_url")                                                                       \
    X(PROFILE, 1, MESSAGE_VALUE_TYPE, "Profile.sample_type")                                                                               \
    X(PROFILE, 2, MESSAGE_SAMPLE, "Profile.samples")                                                                                       \
    X(PROFILE, 3, CONTENT_FIXED64, "Profile.time_unix_nano")                                                                               \
    X(PROFILE, 4, CONTENT_VARINT, "Profile.duration_nano")                                                                                 \
    X(PROFILE, 5, MESSAGE_VALUE_TYPE, "Profile.period_type")                                                                               \
    X(PROFILE, 6, CONTENT_VARINT, "Profile.period")                                                                                        \
    X(PROFILE, 7, CONTENT_ID16, "Profile.profile_id")                                                                                      \
    X(PROFILE, 8, CONTENT_VARINT, "Profile.dropped_attributes_count")                                                                      \
    X(PROFILE, 9, CONTENT_STRING, "Profile.original_payload_format")                                                                       \
    X(PROFILE, 10, CONTENT_BYTES, "Profile.original_payload")                                                                              \
    X(PROFILE, 11, CONTENT_VARINT, "Profile.attribute_indices")                                                                            \
    X(PROFILE, 11, CONTENT_PACKED_VARINT, "Profile.attribute_indices")                                                                     \
    X(PROFILES_DICTIONARY, 1, MESSAGE_MAPPING, "ProfilesDictionary.mapping_table")                                                         \
    X(PROFILES_DICTIONARY, 2, MESSAGE_LOCATION, "ProfilesDictionary.location_table")                                                       \
    X(PROFILES_DICTIONARY, 3, MESSAGE_FUNCTION, "ProfilesDictionary.function_table")                                                       \
    X(PROFILES_DICTIONARY, 4, MESSAGE_PROFILE_LINK, "ProfilesDictionary.link_table")                                                       \
    X(PROFILES_DICTIONARY, 5, CONTENT_STRING, "ProfilesDictionary.string_table")                                                           \
    X(PROFILES_DICTIONARY, 6, MESSAGE_KEY_VALUE_AND_UNIT, "ProfilesDictionary.attribute_table")                                            \
    X(PROFILES_DICTIONARY, 7, MESSAGE_STACK, "ProfilesDictionary.stack_table")                                                             \
    X(VALUE_TYPE, 1, CONTENT_VARINT, "ValueType.type_strindex")                                                                            \
    X(VALUE_TYPE, 2, CONTENT_VARINT, "ValueType.unit_strindex")                                                                            \
    X(SAMPLE, 1, CONTENT_VARINT, "Sample.stack_index")                                                                                     \
    X(SAMPLE, 2, CONTENT_VARINT, "Sample.attribute_indices")                                                                               \
    X(SAMPLE, 2, CONTENT_PACKED_VARINT, "Sample.attribute_indices")                                                                        \
    X(SAMPLE, 3, CONTENT_VARINT, "Sample.link_index")                                                                                      \
    X(SAMPLE, 4, CONTENT_VARINT, "Sample.values")                                                                                          \
    X(SAMPLE, 4, CONTENT_PACKED_VARINT, "Sample.values")                                                                                   \
    X(SAMPLE, 5, CONTENT_FIXED64, "Sample.timestamps_unix_nano")                                                                           \
    X(SAMPLE, 5, CONTENT_PACKED_FIXED64, "Sample.timestamps_unix_nano")                                                                    \
    X(MAPPING, 1, CONTENT_VARINT, "Mapping.memory_start")                                                                                  \
    X(MAPPING, 2, CONTENT_VARINT, "Mapping.memory_limit")                                                                                  \
    X(MAPPING, 3, CONTENT_VARINT, "Mapping.file_offset")                                                                                   \
    X(MAPPING, 4, CONTENT_VARINT, "Mapping.filename_strindex")                                                                             \
    X(MAPPING, 5, CONTENT_VARINT, "Mapping.attribute_indices")                                                                             \
    X(MAPPING, 5, CONTENT_PACKED_VARINT, "Mapping.attribute_indices")                                                                      \
    X(LOCATION, 1, CONTENT_VARINT, "Location.mapping_index")                                                                               \
    X(LOCATION, 2, CONTENT_VARINT, "Location.address")                                                                                     \
    X(LOCATION, 3, MESSAGE_LINE, "Location.lines")                                                                                         \
    X(LOCATION, 4, CONTENT_VARINT, "Location.attribute_indices")                                                                           \
    X(LOCATION, 4, CONTENT_PACKED_VARINT, "Location.attribute_indices")                                                                    \
    X(LINE, 1, CONTENT_VARINT, "Line.function_index")                                                                                      \
    X(LINE, 2, CONTENT_VARINT, "Line.line")                                                                                                \
    X(LINE, 3, CONTENT_VARINT, "Line.column")                                                                                              \
    X(FUNCTION, 1, CONTENT_VARINT, "Function.name_strindex")                                                                               \
    X(FUNCTION, 2, CONTENT_VARINT, "Function.system_name_strindex")                                                                        \
    X(FUNCTION, 3, CONTENT_VARINT, "Function.filename_strindex")                                                                           \
    X(FUNCTION, 4, CONTENT_VARINT, "Function.start_line")                                                                                  \
    X(PROFILE_LINK, 1, CONTENT_ID16, "Link.trace_id")                                                                                      \
    X(PROFILE_LINK, 2, CONTENT_ID8, "Link.span_id")                                                                                        \
    X(STACK, 1, CONTENT_VARINT, "Stack.location_indices")                                                                                  \
    X(STACK, 1, CONTENT_PACKED_VARINT, "Stack.location_indices")                                                                           \
    X(KEY_VALUE_AND_UNIT, 1, CONTENT_VARINT, "KeyValueAndUnit.key_strindex")                                                               \
    X(KEY_VALUE_AND_UNIT, 2, MESSAGE_ANY_VALUE, "KeyValueAndUnit.value")                                                                   \
    X(KEY_VALUE_AND_UNIT, 3, CONTENT_VARINT, "KeyValueAndUnit.unit_strindex")

#define WIRE_TYPE(content)                                                                                                                 \
    ((content) == CONTENT_VARINT       ? PB_VARINT                                                                                         \
        : (content) == CONTENT_FIXED64 ? PB_FIXED64                                                                                        \
        : (content) == CONTENT_FIXED32 ? PB_FIXED32                                                                                        \
                                       : PB_BYTES)
#define TAG_CONTENT(message, number, content, name) [MESSAGE_##message - OTLP_MESSAGES][(number) << 3 | WIRE_TYPE(content)] = (content),

const uint8_t otlp_contents[OTLP_MESSAGE_COUNT][OTLP_TAGS] = { OTLP_FIELDS(TAG_CONTENT) };

struct field_name {
    uint8_t message, number;
    const char *name;
};

#define FIELD_NAME(message, number, content, name) { MESSAGE_##message, number, name },

static const struct field_name field_names[] = { OTLP_FIELDS(FIELD_NAME) };

static const char *const message_names[OTLP_MESSAGE_COUNT] = {
    [MESSAGE_TRACES_REQUEST - OTLP_MESSAGES] = "ExportTraceServiceRequest",
    [MESSAGE_METRICS_REQUEST - OTLP_MESSAGES] = "ExportMetricsServiceRequest",
    [MESSAGE_LOGS_REQUEST - OTLP_MESSAGES] = "ExportLogsServiceRequest",
    [MESSAGE_PROFILES_REQUEST - OTLP_MESSAGES] = "ExportProfilesServiceRequest",
    [MESSAGE_RESOURCE - OTLP_MESSAGES] = "Resource",
    [MESSAGE_ENTITY_REF - OTLP_MESSAGES] = "EntityRef",
    [MESSAGE_SCOPE - OTLP_MESSAGES] = "InstrumentationScope",
    [MESSAGE_KEY_VALUE - OTLP_MESSAGES] = "KeyValue",
    [MESSAGE_ANY_VALUE - OTLP_MESSAGES] = "AnyValue",
    [MESSAGE_ARRAY_VALUE - OTLP_MESSAGES] = "ArrayValue",
    [MESSAGE_KEY_VALUE_LIST - OTLP_MESSAGES] = "KeyValueList",
    [MESSAGE_RESOURCE_SPANS - OTLP_MESSAGES] = "ResourceSpans",
    [MESSAGE_SCOPE_SPANS - OTLP_MESSAGES] = "ScopeSpans",
    [MESSAGE_SPAN - OTLP_MESSAGES] = "Span",
    [MESSAGE_SPAN_EVENT - OTLP_MESSAGES] = "Span.Event",
    [MESSAGE_SPAN_LINK - OTLP_MESSAGES] = "Span.Link",
    [MESSAGE_SPAN_STATUS - OTLP_MESSAGES] = "Status",
    [MESSAGE_RESOURCE_LOGS - OTLP_MESSAGES] = "ResourceLogs",
    [MESSAGE_SCOPE_LOGS - OTLP_MESSAGES] = "ScopeLogs",
    [MESSAGE_LOG_RECORD - OTLP_MESSAGES] = "LogRecord",
    [MESSAGE_RESOURCE_METRICS - OTLP_MESSAGES] = "ResourceMetrics",
    [MESSAGE_SCOPE_METRICS - OTLP_MESSAGES] = "ScopeMetrics",
    [MESSAGE_METRIC - OTLP_MESSAGES] = "Metric",
    [MESSAGE_GAUGE - OTLP_MESSAGES] = "Gauge",
    [MESSAGE_SUM - OTLP_MESSAGES] = "Sum",
    [MESSAGE_HISTOGRAM - OTLP_MESSAGES] = "Histogram",
    [MESSAGE_EXPONENTIAL_HISTOGRAM - OTLP_MESSAGES] = "ExponentialHistogram",
    [MESSAGE_SUMMARY - OTLP_MESSAGES] = "Summary",
    [MESSAGE_NUMBER_POINT - OTLP_MESSAGES] = "NumberDataPoint",
    [MESSAGE_HISTOGRAM_POINT - OTLP_MESSAGES] = "HistogramDataPoint",
    [MESSAGE_EXPONENTIAL_POINT - OTLP_MESSAGES] = "ExponentialHistogramDataPoint",
    [MESSAGE_BUCKETS - OTLP_MESSAGES] = "ExponentialHistogramDataPoint.Buckets",
    [MESSAGE_SUMMARY_POINT - OTLP_MESSAGES] = "SummaryDataPoint",
    [MESSAGE_QUANTILE - OTLP_MESSAGES] = "SummaryDataPoint.ValueAtQuantile",
    [MESSAGE_EXEMPLAR - OTLP_MESSAGES] = "Exemplar",
    [MESSAGE_RESOURCE_PROFILES - OTLP_MESSAGES] = "ResourceProfiles",
    [MESSAGE_SCOPE_PROFILES - OTLP_MESSAGES] = "ScopeProfiles",
    [MESSAGE_PROFILE - OTLP_MESSAGES] = "Profile",
    [MESSAGE_PROFILES_DICTIONARY - OTLP_MESSAGES] = "ProfilesDictionary",
    [MESSAGE_VALUE_TYPE - OTLP_MESSAGES] = "ValueType",
    [MESSAGE_SAMPLE - OTLP_MESSAGES] = "Sample",
    [MESSAGE_MAPPING - OTLP_MESSAGES] = "Mapping",
    [MESSAGE_LOCATION - OTLP_MESSAGES] = "Location",
    [MESSAGE_LINE - OTLP_MESSAGES] = "Line",
    [MESSAGE_FUNCTION - OTLP_MESSAGES] = "Function",
    [MESSAGE_PROFILE_LINK - OTLP_MESSAGES] = "Link",
    [MESSAGE_STACK - OTLP_MESSAGES] = "Stack",
    [MESSAGE_KEY_VALUE_AND_UNIT - OTLP_MESSAGES] = "KeyValueAndUnit",
};

enum otlp_content otlp_request_message(enum signal signal)
{
    assert(signal < SIGNAL_COUNT);
    return (enum otlp_content)(MESSAGE_TRACES_REQUEST + (int)signal);
}

const char *otlp_field_name(enum otlp_content message, uint32_t number)
{
    for (size_t i = 0; i < sizeof(field_names) / sizeof(field_names[0]); i++) {
        if (field_names[i].message == message && field_names[i].number == number)
            return field_names[i].name;
    }
    return message_names[message - OTLP_MESSAGES];
}

bool otlp_knows_field(enum otlp_content message, uint32_t number)
{
    const uint8_t *contents = otlp_contents_of(message);

    if (number >= OTLP_TAGS / 8)
        return false;
    return contents[number << 3 | PB_VARINT] != CONTENT_UNKNOWN || contents[number << 3 | PB_FIXED64] != CONTENT_UNKNOWN ||
           contents[number << 3 | PB_BYTES] != CONTENT_UNKNOWN || contents[number << 3 | PB_FIXED32] != CONTENT_UNKNOWN;
}
