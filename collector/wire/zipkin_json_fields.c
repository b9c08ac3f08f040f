/*
 * JSON objects and lists of known shape.
 *
 * Limits: what is nested deeper than Zipkin's spans are is passed over without a stack (json_skip_value).
 * Threads: none of its own; no state.
 */
#include "collector/wire/zipkin_json_fields.h"

#include <stdio.h>

#include "collector/wire/encoding.h"
#include "collector/wire/json_number.h"

static bool skip_null(struct zipkin_json *json, bool *is_null)
{
    *is_null = json_peek(&json->text) == 'n';
    return !*is_null || json_literal(&json->text, "null");
}

static const struct zipkin_json_member *find_member(const struct zipkin_json_member *members, const struct json_string *key)
{
    const struct zipkin_json_member *member = members;

    while (member->name != NULL && !(key->is_plain && slice_equal_string(key->raw, member->name)))
        member++;
    return member;
}

static bool read_member(struct zipkin_json *json, const struct zipkin_json_member *members)
{
    const struct zipkin_json_member *member;
    struct json_string key;
    bool is_null;

    if (json_peek(&json->text) != '"')
        return json_fault(&json->text, "expected a field name");
    if (!json_scan_string(&json->text, &key))
        return false;
    if (!json_take(&json->text, ':'))
        return json_fault(&json->text, "expected \":\"");
    if (!skip_null(json, &is_null) || is_null)
        return is_null && json->text.problem == NULL;
    member = find_member(members, &key);
    return member->read != NULL ? member->read(json, member->number) : json_skip_value(&json->text);
}

bool zipkin_json_object(struct zipkin_json *json, const struct zipkin_json_member *members)
{
    if (!json_take(&json->text, '{'))
        return json_fault(&json->text, "expected an object");
    if (json_take(&json->text, '}'))
        return true;
    do {
        if (!read_member(json, members))
            return false;
    } while (json_take(&json->text, ','));
    return json_take(&json->text, '}') || json_fault(&json->text, "expected \",\" or \"}\"");
}

bool zipkin_json_list(struct zipkin_json *json, uint32_t number, bool (*read)(struct zipkin_json *json, uint32_t number))
{
    bool is_null;

    if (!json_take(&json->text, '['))
        return json_fault(&json->text, "expected a list");
    if (json_take(&json->text, ']'))
        return true;
    do {
        if (!skip_null(json, &is_null) || (!is_null && !read(json, number)))
            return false;
    } while (json_take(&json->text, ','));
    return json_take(&json->text, ']') || json_fault(&json->text, "expected \",\" or \"]\"");
}

/* ---- values ---- */

bool zipkin_json_string(struct zipkin_json *json, struct slice *text)
{
    struct json_string string;

    if (json_peek(&json->text) != '"')
        return json_fault(&json->text, "expected a string");
    if (!json_scan_string(&json->text, &string))
        return false;
    *text = string.raw;
    if (string.is_plain)
        return true;
    buffer_clear(&json->scratch);
    json_unescape(string.raw, &json->scratch);
    json->out->failed |= json->scratch.failed;
    *text = buffer_slice(&json->scratch);
    return true;
}

bool zipkin_json_text(struct zipkin_json *json, uint32_t number)
{
    uint8_t first = json_peek(&json->text);
    const uint8_t *start = json->text.at;
    struct slice text;

    if (first == '{' || first == '[')
        return json_fault(&json->text, "expected a string");
    if (first != '"') {
        if (!json_skip_value(&json->text))
            return false;
        text = slice_of(start, (size_t)(json->text.at - start));
    } else if (!zipkin_json_string(json, &text)) {
        return false;
    }
    pb_put_bytes(json->out, number, text);
    return true;
}

/* Digits of up to `size` bytes, zeros before them left out. */
static bool read_id(struct zipkin_json *json, uint32_t number, size_t size)
{
    const uint8_t *start = json->text.at;
    uint8_t digits[32], id[16];
    struct slice text;

    if (!zipkin_json_string(json, &text))
        return false;
    if (text.size == 0 && number == ZIPKIN_SPAN_PARENT_ID)
        return true;
    if (text.size > 0 && text.size <= size * 2) {
        memset(digits, '0', size * 2);
        memcpy(digits + size * 2 - text.size, text.data, text.size);
        if (encoding_read_hex(slice_of(digits, size * 2), id)) {
            pb_put_bytes(json->out, number, slice_of(id, size));
            return true;
        }
    }
    json->text.at = start;
    return json_fault(&json->text, size == 16 ? "expected up to 32 hexadecimal digits" : "expected up to 16 hexadecimal digits");
}

bool zipkin_json_trace_id(struct zipkin_json *json, uint32_t number)
{
    json->member = "traceId";
    return read_id(json, number, 16);
}

bool zipkin_json_span_id(struct zipkin_json *json, uint32_t number)
{
    json->member = number == ZIPKIN_SPAN_ID ? "id" : "parentId";
    return read_id(json, number, 8);
}

bool zipkin_json_fixed(struct zipkin_json *json, uint32_t number)
{
    uint64_t value;

    json_peek(&json->text);
    if (!json_read_unsigned(&json->text, UINT64_MAX, &value))
        return false;
    pb_put_fixed64(json->out, number, value);
    return true;
}

bool zipkin_json_varint(struct zipkin_json *json, uint32_t number)
{
    uint64_t value;

    json_peek(&json->text);
    if (!json_read_unsigned(&json->text, UINT64_MAX, &value))
        return false;
    pb_put_varint(json->out, number, value);
    return true;
}

bool zipkin_json_port(struct zipkin_json *json, uint32_t number)
{
    int64_t value;

    json_peek(&json->text);
    if (!json_read_signed(&json->text, 64, &value))
        return false;
    if (value > 0 && value <= UINT16_MAX)
        pb_put_varint(json->out, number, (uint64_t)value);
    return true;
}

/* ---- the message ---- */

static bool read_spans(struct zipkin_json *json, const struct zipkin_json_format *format)
{
    bool is_null;

    if (!json_take(&json->text, '['))
        return json_fault(&json->text, "expected a list of spans");
    if (json_take(&json->text, ']'))
        return true;
    do {
        buffer_clear(json->out);
        json->member = NULL;
        json->mapper->reading->offset = (size_t)(json->text.at - json->start);
        if (!skip_null(json, &is_null) || (!is_null && !zipkin_json_object(json, format->members)))
            return false;
        json->member = NULL;
        if (json->out->failed)
            return json_fault(&json->text, "out of memory");
        if (!is_null && !format->map(json->mapper, buffer_slice(json->out)))
            return false;
    } while (json_take(&json->text, ','));
    return json_take(&json->text, ']') || json_fault(&json->text, "expected \",\" or \"]\"");
}

static void report(const struct zipkin_json *json)
{
    struct zipkin_reading *reading = json->mapper->reading;
    const char *member = json->member;

    if (json->text.problem == NULL)
        return; /* the mapper has said what is wrong */
    reading->offset = (size_t)(json->text.at - json->start);
    snprintf(reading->message, sizeof(reading->message), "span %zu: %s%s%s", reading->spans, member != NULL ? member : "",
        member != NULL ? ": " : "", json->text.problem);
}

bool zipkin_json_message(struct zipkin_mapper *mapper, struct slice message, const struct zipkin_json_format *format)
{
    struct buffer span = { 0 };
    struct zipkin_json json = {
        .text = { message.data, message.data + message.size, NULL }, .start = message.data, .mapper = mapper, .out = &span
    };
    bool read = read_spans(&json, format);

    if (read) {
        json_skip_space(&json.text);
        read = json.text.at == json.text.end || json_fault(&json.text, "there is something behind the list of spans");
    }
    if (!read)
        report(&json);
    mapper->out->failed |= span.failed;
    buffer_fini(&span);
    buffer_fini(&json.scratch);
    return read;
}
