/*
 * OTLP in wire form: check, walk, look, split. Nothing is decoded into objects; every slice borrows from
 * the payload that was given. I/O-free, no allocation.
 *
 * The four Export*ServiceRequests share one skeleton, and so one walker serves them all:
 *
 *   request      repeated resource group = 1
 *   group        resource = 1, repeated scope group = 2, schema_url = 3
 *   scope group  scope = 1, repeated record = 2, schema_url = 3
 *   record       Span, LogRecord, Metric (which holds data points), Profile
 *
 * Field numbers: opentelemetry-proto 1.9 (trace/v1, metrics/v1, logs/v1, common/v1, resource/v1).
 */
#ifndef WEIR_WIRE_OTLP_H
#define WEIR_WIRE_OTLP_H

#include "collector/wire/protobuf.h"
#include "collector/wire/signal.h"

/* ---- the border: check a request and count it, in one scan ---- */

enum otlp_fault {
    OTLP_OK,
    OTLP_BAD_FRAMING,   /* truncated, over-long, unknown wire type, field number 0 */
    OTLP_BAD_WIRE_TYPE, /* a known field with a wire type that is not its own */
    OTLP_BAD_ID,        /* trace, span or profile id neither empty nor of its exact length */
    OTLP_TOO_DEEP,      /* AnyValue nested beyond OTLP_MAX_DEPTH */
    OTLP_BAD_UTF8,      /* only from otlp_check: the strings need otlp_repair */
};

enum { OTLP_MAX_DEPTH = 100 };

struct otlp_check {
    enum otlp_fault fault;
    size_t offset;       /* where in the payload the fault is */
    const char *message; /* path of message and field names of the fault, static: "Span.trace_id" */
    size_t records;      /* spans, log records, data points, profiles */
    size_t groups;       /* resource groups */
};

/*
 * Validates every nested field that the schema knows and counts the records. Unknown fields are passed
 * over. BAD_UTF8 is reported only when everything else is in order, with the counts filled in.
 */
struct otlp_check otlp_check(enum signal signal, struct slice payload);

/* Copies a payload that otlp_check called BAD_UTF8, each bad byte sequence replaced by U+FFFD; returns how many strings changed. */
size_t otlp_repair(enum signal signal, struct slice payload, struct buffer *out);

const char *otlp_fault_text(enum otlp_fault fault);

/* Counts the records of a payload that is known to be well-formed. */
size_t otlp_count(enum signal signal, struct slice payload);

/* ---- walking ---- */

struct otlp_group {
    struct slice raw;      /* the whole field of the request, tag included */
    struct slice body;     /* its content */
    struct slice resource; /* content of the Resource message; empty when absent */
    struct slice schema_url;
};

struct otlp_scope_group {
    struct slice raw;
    struct slice body;
    struct slice scope; /* content of the InstrumentationScope message */
    struct slice schema_url;
};

/* Each iterator is a cursor over well-formed bytes; next returns false at the end. */
struct otlp_groups {
    struct pb_reader reader;
};
struct otlp_scope_groups {
    struct pb_reader reader;
};
struct otlp_records {
    struct pb_reader reader;
};

struct otlp_groups otlp_groups(struct slice payload);
bool otlp_next_group(struct otlp_groups *groups, struct otlp_group *group);

struct otlp_scope_groups otlp_scope_groups(const struct otlp_group *group);
bool otlp_next_scope_group(struct otlp_scope_groups *scope_groups, struct otlp_scope_group *scope_group);

struct otlp_record {
    struct slice raw;  /* the whole field of the scope group, tag included */
    struct slice body; /* content of Span, LogRecord, Metric or Profile */
};

struct otlp_records otlp_records(const struct otlp_scope_group *scope_group);
bool otlp_next_record(struct otlp_records *records, struct otlp_record *record);

/* All records of a payload in one loop; the group and scope group that hold the record are at hand. */
struct otlp_walk {
    struct otlp_group group;
    struct otlp_scope_group scope_group;
    struct otlp_record record;
    struct otlp_groups groups_;
    struct otlp_scope_groups scope_groups_;
    struct otlp_records records_;
};

struct otlp_walk otlp_walk(struct slice payload);
bool otlp_walk_next(struct otlp_walk *walk);

/* ---- views of records: a scan of the record's own fields; repeated ones stay where they are ---- */

struct otlp_span {
    struct slice body;
    struct slice trace_id, span_id, parent_span_id, trace_state, name;
    uint64_t start_time, end_time; /* Unix nanoseconds */
    uint32_t flags, kind;
    uint32_t status_code;
    struct slice status_message;
    uint32_t dropped_attributes, dropped_events, dropped_links;
};

struct otlp_log {
    struct slice body;
    uint64_t time, observed_time;
    uint32_t severity_number, flags, dropped_attributes;
    struct slice severity_text, trace_id, span_id, event_name;
    struct slice value; /* content of the body AnyValue; empty when absent */
};

enum otlp_metric_kind {
    OTLP_METRIC_NONE = 0,
    OTLP_GAUGE = 5,
    OTLP_SUM = 7,
    OTLP_HISTOGRAM = 9,
    OTLP_EXPONENTIAL_HISTOGRAM = 10,
    OTLP_SUMMARY = 11,
};

struct otlp_metric {
    struct slice body;
    struct slice name, description, unit;
    enum otlp_metric_kind kind; /* the field number of the data that is there */
    struct slice data;          /* content of Gauge, Sum ... */
    uint32_t temporality;
    bool monotonic;
};

struct otlp_point {
    struct slice body;
    uint64_t start_time, time;
    uint32_t flags;
    bool is_int, is_double; /* NumberDataPoint only */
    int64_t int_value;
    double double_value;
};

struct otlp_points {
    struct pb_reader reader;
    enum otlp_metric_kind kind;
};

void otlp_span_view(struct slice body, struct otlp_span *span);
void otlp_log_view(struct slice body, struct otlp_log *log);
void otlp_metric_view(struct slice body, struct otlp_metric *metric);
struct otlp_points otlp_points(const struct otlp_metric *metric);
bool otlp_next_point(struct otlp_points *points, struct otlp_point *point);

/* ---- attributes ---- */

enum otlp_value_kind { /* the field numbers of AnyValue */
    OTLP_VALUE_EMPTY = 0,
    OTLP_VALUE_STRING = 1,
    OTLP_VALUE_BOOL = 2,
    OTLP_VALUE_INT = 3,
    OTLP_VALUE_DOUBLE = 4,
    OTLP_VALUE_ARRAY = 5,
    OTLP_VALUE_MAP = 6,
    OTLP_VALUE_BYTES = 7,
};

struct otlp_value {
    enum otlp_value_kind kind;
    struct slice bytes; /* string and bytes: the content; array and map: content of ArrayValue or KeyValueList */
    int64_t integer;    /* bool and int */
    double number;
};

struct otlp_attribute {
    struct slice raw; /* the whole field, tag included */
    struct slice key;
    struct otlp_value value;
};

/* The field number that holds `repeated KeyValue attributes` in each message that has one. */
enum otlp_attributes_field {
    OTLP_ATTRIBUTES_OF_RESOURCE = 1,
    OTLP_ATTRIBUTES_OF_SCOPE = 3,
    OTLP_ATTRIBUTES_OF_SPAN = 9,
    OTLP_ATTRIBUTES_OF_SPAN_EVENT = 3,
    OTLP_ATTRIBUTES_OF_SPAN_LINK = 4,
    OTLP_ATTRIBUTES_OF_LOG = 6,
    OTLP_ATTRIBUTES_OF_NUMBER_POINT = 7,
    OTLP_ATTRIBUTES_OF_HISTOGRAM_POINT = 9,
    OTLP_ATTRIBUTES_OF_EXPONENTIAL_POINT = 1,
    OTLP_ATTRIBUTES_OF_SUMMARY_POINT = 7,
    OTLP_ATTRIBUTES_OF_EXEMPLAR = 7,
    OTLP_ATTRIBUTES_OF_MAP = 1, /* KeyValueList.values */
};

struct otlp_attributes {
    struct pb_reader reader;
    uint32_t field;
};

/*
 * Is the content of a KeyValue what encoders write: a key, then a value, both short, and nothing else? Then the key is the content[1] bytes from
 * content + 2. For those who tell keys apart without decoding them.
 */
static inline bool otlp_is_plain_key_value(const uint8_t *content, size_t size)
{
    if (size < 4 || content[0] != (1 << 3 | PB_BYTES) || content[1] >= 0x80 || content[1] + 4u > size)
        return false;
    const uint8_t *value = content + 2 + content[1];
    return value[0] == (2 << 3 | PB_BYTES) && value[1] < 0x80 && value[1] + 4u + content[1] == size;
}

struct otlp_attributes otlp_attributes(struct slice message, enum otlp_attributes_field field);
bool otlp_next_attribute(struct otlp_attributes *attributes, struct otlp_attribute *attribute);

/* The first attribute of that key; false when there is none. */
bool otlp_find_attribute(struct slice message, enum otlp_attributes_field field, struct slice key, struct otlp_value *value);

/* The value of an AnyValue's content; the key of a KeyValue's content. */
struct otlp_value otlp_value_of(struct slice any_value);
struct slice otlp_key_of(struct slice key_value);
/* Both of them; `raw` stays as it was. */
void otlp_attribute_of(struct slice key_value, struct otlp_attribute *attribute);

/* ---- splitting ---- */

/*
 * Cuts at a record boundary: appends to `head` the request that holds the first records, at most `max_records` of them
 * and at most `max_bytes` as a whole (0: no limit), but one at least; and to `tail` the rest, group and scope headers
 * repeated. For metrics a record is a data point: a metric may be cut in two, its name and type repeated. Groups and metrics
 * without records stay with the records before them, whatever their bytes. For profiles the dictionary stands in both.
 * Returns the records in the head; check both buffers' `failed`.
 */
struct otlp_split_limits {
    size_t max_records, max_bytes;
};
size_t otlp_split(enum signal signal, struct slice payload, struct otlp_split_limits limits, struct buffer *head, struct buffer *tail);

#endif
