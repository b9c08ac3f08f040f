/*
 * A small OTLP/JSON writer: a table without pointers (it costs no relocations) for the messages that this library writes, and
 * one recursive walk. It looks through a message once for each field that may occur: for consoles and files, not for
 * bulk. Field numbers and names: opentelemetry-proto 1.9. Threads: the worker.
 */
#include "sdk/src/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/wire/protobuf.h"
#include "sdk/src/text.h"

enum kind { TEXT, BYTES, HEX, MESSAGE, BOOLEAN, NUMBER, SIGNED, LONG, DOUBLE, PACKED_FIXED, PACKED_DOUBLE, PACKED_VARINT };

enum message {
    END,
    TRACES,
    LOGS,
    METRICS,
    RESOURCE_SPANS,
    RESOURCE_LOGS,
    RESOURCE_METRICS,
    RESOURCE,
    SCOPE_SPANS,
    SCOPE_LOGS,
    SCOPE_METRICS,
    SCOPE,
    SPAN,
    EVENT,
    LINK,
    STATUS,
    LOG,
    METRIC,
    GAUGE,
    SUM,
    HISTOGRAM,
    EXPONENTIAL,
    NUMBER_POINT,
    BUCKETS_POINT,
    EXPONENTIAL_POINT,
    SIDE,
    EXEMPLAR,
    KEY_VALUE,
    VALUE,
    VALUES,
    KEY_VALUES,
};

enum { MANY = 32, MAX_DEPTH = 40 };

struct row {
    uint8_t of; /* the message it belongs to */
    uint8_t number;
    uint8_t kind; /* enum kind, | MANY when repeated */
    uint8_t inner;
    char name[24];
};

static const struct row rows[] = {
    { TRACES, 1, MESSAGE | MANY, RESOURCE_SPANS, "resourceSpans" },
    { LOGS, 1, MESSAGE | MANY, RESOURCE_LOGS, "resourceLogs" },
    { METRICS, 1, MESSAGE | MANY, RESOURCE_METRICS, "resourceMetrics" },
    { RESOURCE_SPANS, 1, MESSAGE, RESOURCE, "resource" },
    { RESOURCE_SPANS, 2, MESSAGE | MANY, SCOPE_SPANS, "scopeSpans" },
    { RESOURCE_LOGS, 1, MESSAGE, RESOURCE, "resource" },
    { RESOURCE_LOGS, 2, MESSAGE | MANY, SCOPE_LOGS, "scopeLogs" },
    { RESOURCE_METRICS, 1, MESSAGE, RESOURCE, "resource" },
    { RESOURCE_METRICS, 2, MESSAGE | MANY, SCOPE_METRICS, "scopeMetrics" },
    { RESOURCE, 1, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { SCOPE_SPANS, 1, MESSAGE, SCOPE, "scope" },
    { SCOPE_SPANS, 2, MESSAGE | MANY, SPAN, "spans" },
    { SCOPE_SPANS, 3, TEXT, 0, "schemaUrl" },
    { SCOPE_LOGS, 1, MESSAGE, SCOPE, "scope" },
    { SCOPE_LOGS, 2, MESSAGE | MANY, LOG, "logRecords" },
    { SCOPE_LOGS, 3, TEXT, 0, "schemaUrl" },
    { SCOPE_METRICS, 1, MESSAGE, SCOPE, "scope" },
    { SCOPE_METRICS, 2, MESSAGE | MANY, METRIC, "metrics" },
    { SCOPE_METRICS, 3, TEXT, 0, "schemaUrl" },
    { SCOPE, 1, TEXT, 0, "name" },
    { SCOPE, 2, TEXT, 0, "version" },
    { SCOPE, 3, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { SPAN, 1, HEX, 0, "traceId" },
    { SPAN, 2, HEX, 0, "spanId" },
    { SPAN, 3, TEXT, 0, "traceState" },
    { SPAN, 4, HEX, 0, "parentSpanId" },
    { SPAN, 16, NUMBER, 0, "flags" },
    { SPAN, 5, TEXT, 0, "name" },
    { SPAN, 6, NUMBER, 0, "kind" },
    { SPAN, 7, LONG, 0, "startTimeUnixNano" },
    { SPAN, 8, LONG, 0, "endTimeUnixNano" },
    { SPAN, 9, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { SPAN, 10, NUMBER, 0, "droppedAttributesCount" },
    { SPAN, 11, MESSAGE | MANY, EVENT, "events" },
    { SPAN, 12, NUMBER, 0, "droppedEventsCount" },
    { SPAN, 13, MESSAGE | MANY, LINK, "links" },
    { SPAN, 14, NUMBER, 0, "droppedLinksCount" },
    { SPAN, 15, MESSAGE, STATUS, "status" },
    { EVENT, 1, LONG, 0, "timeUnixNano" },
    { EVENT, 2, TEXT, 0, "name" },
    { EVENT, 3, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { EVENT, 4, NUMBER, 0, "droppedAttributesCount" },
    { LINK, 1, HEX, 0, "traceId" },
    { LINK, 2, HEX, 0, "spanId" },
    { LINK, 3, TEXT, 0, "traceState" },
    { LINK, 4, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { LINK, 5, NUMBER, 0, "droppedAttributesCount" },
    { LINK, 6, NUMBER, 0, "flags" },
    { STATUS, 2, TEXT, 0, "message" },
    { STATUS, 3, NUMBER, 0, "code" },
    { LOG, 1, LONG, 0, "timeUnixNano" },
    { LOG, 11, LONG, 0, "observedTimeUnixNano" },
    { LOG, 2, NUMBER, 0, "severityNumber" },
    { LOG, 3, TEXT, 0, "severityText" },
    { LOG, 5, MESSAGE, VALUE, "body" },
    { LOG, 6, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { LOG, 7, NUMBER, 0, "droppedAttributesCount" },
    { LOG, 8, NUMBER, 0, "flags" },
    { LOG, 9, HEX, 0, "traceId" },
    { LOG, 10, HEX, 0, "spanId" },
    { LOG, 12, TEXT, 0, "eventName" },
    { METRIC, 1, TEXT, 0, "name" },
    { METRIC, 2, TEXT, 0, "description" },
    { METRIC, 3, TEXT, 0, "unit" },
    { METRIC, 5, MESSAGE, GAUGE, "gauge" },
    { METRIC, 7, MESSAGE, SUM, "sum" },
    { METRIC, 9, MESSAGE, HISTOGRAM, "histogram" },
    { METRIC, 10, MESSAGE, EXPONENTIAL, "exponentialHistogram" },
    { GAUGE, 1, MESSAGE | MANY, NUMBER_POINT, "dataPoints" },
    { SUM, 1, MESSAGE | MANY, NUMBER_POINT, "dataPoints" },
    { SUM, 2, NUMBER, 0, "aggregationTemporality" },
    { SUM, 3, BOOLEAN, 0, "isMonotonic" },
    { HISTOGRAM, 1, MESSAGE | MANY, BUCKETS_POINT, "dataPoints" },
    { HISTOGRAM, 2, NUMBER, 0, "aggregationTemporality" },
    { EXPONENTIAL, 1, MESSAGE | MANY, EXPONENTIAL_POINT, "dataPoints" },
    { EXPONENTIAL, 2, NUMBER, 0, "aggregationTemporality" },
    { NUMBER_POINT, 7, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { NUMBER_POINT, 2, LONG, 0, "startTimeUnixNano" },
    { NUMBER_POINT, 3, LONG, 0, "timeUnixNano" },
    { NUMBER_POINT, 4, DOUBLE, 0, "asDouble" },
    { NUMBER_POINT, 6, SIGNED, 0, "asInt" },
    { NUMBER_POINT, 5, MESSAGE | MANY, EXEMPLAR, "exemplars" },
    { BUCKETS_POINT, 9, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { BUCKETS_POINT, 2, LONG, 0, "startTimeUnixNano" },
    { BUCKETS_POINT, 3, LONG, 0, "timeUnixNano" },
    { BUCKETS_POINT, 4, LONG, 0, "count" },
    { BUCKETS_POINT, 5, DOUBLE, 0, "sum" },
    { BUCKETS_POINT, 6, PACKED_FIXED, 0, "bucketCounts" },
    { BUCKETS_POINT, 7, PACKED_DOUBLE, 0, "explicitBounds" },
    { BUCKETS_POINT, 8, MESSAGE | MANY, EXEMPLAR, "exemplars" },
    { BUCKETS_POINT, 11, DOUBLE, 0, "min" },
    { BUCKETS_POINT, 12, DOUBLE, 0, "max" },
    { EXPONENTIAL_POINT, 1, MESSAGE | MANY, KEY_VALUE, "attributes" },
    { EXPONENTIAL_POINT, 2, LONG, 0, "startTimeUnixNano" },
    { EXPONENTIAL_POINT, 3, LONG, 0, "timeUnixNano" },
    { EXPONENTIAL_POINT, 4, LONG, 0, "count" },
    { EXPONENTIAL_POINT, 5, DOUBLE, 0, "sum" },
    { EXPONENTIAL_POINT, 6, NUMBER, 1, "scale" },
    { EXPONENTIAL_POINT, 7, LONG, 0, "zeroCount" },
    { EXPONENTIAL_POINT, 8, MESSAGE, SIDE, "positive" },
    { EXPONENTIAL_POINT, 9, MESSAGE, SIDE, "negative" },
    { EXPONENTIAL_POINT, 11, MESSAGE | MANY, EXEMPLAR, "exemplars" },
    { EXPONENTIAL_POINT, 12, DOUBLE, 0, "min" },
    { EXPONENTIAL_POINT, 13, DOUBLE, 0, "max" },
    { SIDE, 1, NUMBER, 1, "offset" }, /* inner 1: zigzag */
    { SIDE, 2, PACKED_VARINT, 0, "bucketCounts" },
    { EXEMPLAR, 2, LONG, 0, "timeUnixNano" },
    { EXEMPLAR, 3, DOUBLE, 0, "asDouble" },
    { EXEMPLAR, 6, SIGNED, 0, "asInt" },
    { EXEMPLAR, 4, HEX, 0, "spanId" },
    { EXEMPLAR, 5, HEX, 0, "traceId" },
    { KEY_VALUE, 1, TEXT, 0, "key" },
    { KEY_VALUE, 2, MESSAGE, VALUE, "value" },
    { VALUE, 1, TEXT, 0, "stringValue" },
    { VALUE, 2, BOOLEAN, 0, "boolValue" },
    { VALUE, 3, SIGNED, 0, "intValue" },
    { VALUE, 4, DOUBLE, 0, "doubleValue" },
    { VALUE, 5, MESSAGE, VALUES, "arrayValue" },
    { VALUE, 6, MESSAGE, KEY_VALUES, "kvlistValue" },
    { VALUE, 7, BYTES, 0, "bytesValue" },
    { VALUES, 1, MESSAGE | MANY, VALUE, "values" },
    { KEY_VALUES, 1, MESSAGE | MANY, KEY_VALUE, "values" },
    { END, 0, 0, 0, "" },
};

static void put_text(struct buffer *out, struct slice text)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\')
            buffer_append_byte(out, '\\');
        if (c >= ' ')
            buffer_append_byte(out, c);
        else
            buffer_printf(out, "\\u%04x", c);
    }
    buffer_append_byte(out, '"');
}

static void put_hex(struct buffer *out, struct slice bytes)
{
    buffer_append_byte(out, '"');
    if (buffer_reserve(out, 2 * bytes.size)) {
        text_hex((char *)out->data + out->size, bytes.data, bytes.size);
        out->size += 2 * bytes.size;
    }
    buffer_append_byte(out, '"');
}

static void put_base64(struct buffer *out, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    buffer_append_byte(out, '"');
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three =
            (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) | (left > 2 ? bytes.data[i + 2] : 0U);
        char four[4] = { digits[three >> 18], digits[three >> 12 & 63], left > 1 ? digits[three >> 6 & 63] : '=',
            left > 2 ? digits[three & 63] : '=' };
        buffer_append(out, four, 4);
    }
    buffer_append_byte(out, '"');
}

/* The shortest of 15 to 17 digits that reads back as the same; a locale's decimal comma becomes a point. */
static void put_double(struct buffer *out, double value)
{
    char text[40];

    if (!isfinite(value)) {
        buffer_append_string(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (char *c = text; *c != '\0'; c++) {
        if (strchr("0123456789+-e", *c) == NULL)
            *c = '.';
    }
    buffer_append_string(out, text);
}

static void put_fixed(struct buffer *out, struct slice packed, bool floating)
{
    for (size_t i = 0; i + 8 <= packed.size; i += 8) {
        uint64_t bits;
        memcpy(&bits, packed.data + i, 8);
        if (i > 0)
            buffer_append_byte(out, ',');
        if (floating)
            put_double(out, pb_double(bits));
        else
            buffer_printf(out, "\"%llu\"", (unsigned long long)bits);
    }
}

static void put_varints(struct buffer *out, struct slice packed)
{
    struct pb_reader reader = pb_reader_of(packed);
    bool more = false;

    while (reader.at < reader.end && !reader.failed) {
        buffer_printf(out, more ? ",\"%llu\"" : "\"%llu\"", (unsigned long long)pb_varint(&reader));
        more = true;
    }
}

static void put_packed(struct buffer *out, enum kind kind, struct slice packed)
{
    buffer_append_byte(out, '[');
    if (kind == PACKED_VARINT)
        put_varints(out, packed);
    else
        put_fixed(out, packed, kind == PACKED_DOUBLE);
    buffer_append_byte(out, ']');
}

static void put_number(struct buffer *out, const struct row *row, uint64_t scalar)
{
    switch ((enum kind)(row->kind & ~MANY)) {
    case BOOLEAN:
        buffer_append_string(out, scalar != 0 ? "true" : "false");
        break;
    case SIGNED:
        buffer_printf(out, "\"%lld\"", (long long)scalar);
        break;
    case LONG:
        buffer_printf(out, "\"%llu\"", (unsigned long long)scalar);
        break;
    case DOUBLE:
        put_double(out, pb_double(scalar));
        break;
    default:
        buffer_printf(out, "%lld", row->inner != 0 ? (long long)pb_zigzag_decode(scalar) : (long long)scalar);
        break;
    }
}

static void put_message(struct buffer *out, enum message message, struct slice bytes, int depth);

static void put_value(struct buffer *out, const struct row *row, const struct pb_field *field, int depth)
{
    enum kind kind = (enum kind)(row->kind & ~MANY);

    switch (kind) {
    case TEXT:
        put_text(out, field->bytes);
        break;
    case HEX:
        put_hex(out, field->bytes);
        break;
    case BYTES:
        put_base64(out, field->bytes);
        break;
    case MESSAGE:
        put_message(out, (enum message)row->inner, field->bytes, depth + 1);
        break;
    case PACKED_FIXED:
    case PACKED_DOUBLE:
    case PACKED_VARINT:
        put_packed(out, kind, field->bytes);
        break;
    default:
        put_number(out, row, field->scalar);
        break;
    }
}

/* All occurrences of one field; false when there is none. */
static bool put_field(struct buffer *out, const struct row *row, struct slice bytes, int depth)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;
    bool found = false;

    while (pb_next(&reader, &field)) {
        if (field.number != row->number)
            continue;
        if (found && (row->kind & MANY) == 0)
            break;
        if (found)
            buffer_append_byte(out, ',');
        else
            buffer_printf(out, (row->kind & MANY) != 0 ? "\"%s\":[" : "\"%s\":", row->name);
        put_value(out, row, &field, depth);
        found = true;
    }
    if (found && (row->kind & MANY) != 0)
        buffer_append_byte(out, ']');
    return found;
}

static void put_message(struct buffer *out, enum message message, struct slice bytes, int depth)
{
    const struct row *row = rows;

    buffer_append_byte(out, '{');
    while (row->of != message)
        row++;
    for (; row->of == message && depth < MAX_DEPTH; row++) {
        if (put_field(out, row, bytes, depth))
            buffer_append_byte(out, ',');
    }
    if (out->size > 0 && out->data[out->size - 1] == ',')
        out->size--;
    buffer_append_byte(out, '}');
}

void json_write(weir_signal signal, struct slice request, struct buffer *out)
{
    static const enum message messages[] = { TRACES, LOGS, METRICS };

    put_message(out, messages[signal], request, 0);
}
