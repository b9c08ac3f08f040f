/*
 * Readers of OTLP answers. JSON answers are scanned for the keys that count at their place in the object; what is
 * nested deeper than JSON_DEPTH ends the reading.
 */
#include "exporters/otlp_response.h"

#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/wire/protobuf.h"

enum { JSON_DEPTH = 32, RETRY_DELAY_LIMIT = 24 * 3600 };

void otlp_partial_success_fini(struct otlp_partial_success *partial)
{
    buffer_fini(&partial->message);
}

/* ---- protobuf ---- */

/* The last occurrence of a message field, as protobuf reads it (its fields are not merged here: they are scalars). */
static bool find_message(struct slice message, uint32_t number, struct slice *out)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    *out = (struct slice){ NULL, 0 };
    while (pb_next(&reader, &field))
        if (field.number == number && field.type == PB_BYTES)
            *out = field.bytes;
    return !reader.failed;
}

bool otlp_read_partial_success(struct slice response, struct otlp_partial_success *out)
{
    struct slice partial;
    struct pb_reader reader;
    struct pb_field field;

    if (!find_message(response, 1, &partial))
        return false;
    reader = pb_reader_of(partial);
    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT)
            out->rejected = (int64_t)field.scalar > 0 ? (int64_t)field.scalar : 0;
        if (field.number == 2 && field.type == PB_BYTES) {
            buffer_clear(&out->message);
            buffer_append_slice(&out->message, field.bytes);
        }
    }
    return !reader.failed;
}

static int64_t read_duration(struct slice duration)
{
    struct pb_reader reader = pb_reader_of(duration);
    struct pb_field field;
    int64_t seconds = 0, nanos = 0;

    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT)
            seconds = (int64_t)field.scalar;
        if (field.number == 2 && field.type == PB_VARINT)
            nanos = (int32_t)field.scalar;
    }
    if (seconds < 0 || nanos < 0 || nanos >= NANOS_PER_SECOND)
        return 0;
    return seconds >= RETRY_DELAY_LIMIT ? RETRY_DELAY_LIMIT * NANOS_PER_SECOND : seconds * NANOS_PER_SECOND + nanos;
}

/* google.protobuf.Any: type_url 1, value 2. RetryInfo: retry_delay 1. */
static bool read_detail(struct slice any, struct otlp_status *out)
{
    struct slice type, value, delay;
    struct slice wanted = SLICE("google.rpc.RetryInfo");

    if (!find_message(any, 1, &type) || !find_message(any, 2, &value))
        return false;
    if (type.size < wanted.size || !slice_equal(slice_of(type.data + type.size - wanted.size, wanted.size), wanted))
        return true;
    if (!find_message(value, 1, &delay))
        return false;
    out->has_retry_info = true;
    out->retry_delay_ns = read_duration(delay);
    return true;
}

bool otlp_read_status(struct slice status, struct otlp_status *out)
{
    struct pb_reader reader = pb_reader_of(status);
    struct pb_field field;

    memset(out, 0, sizeof(*out));
    while (pb_next(&reader, &field)) {
        if (field.number == 1 && field.type == PB_VARINT)
            out->code = (int)field.scalar;
        if (field.number == 2 && field.type == PB_BYTES)
            out->message = field.bytes;
        if (field.number == 3 && field.type == PB_BYTES && !read_detail(field.bytes, out))
            return false;
    }
    return !reader.failed;
}

/* ---- JSON ---- */

struct json_cursor {
    const uint8_t *at, *end;
    bool failed;
};

static void skip_space(struct json_cursor *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

/* Passes `byte` when it is next, white space before it or not. */
static bool pass(struct json_cursor *json, char byte)
{
    skip_space(json);
    if (json->at == json->end || *json->at != (uint8_t)byte)
        return false;
    json->at++;
    return true;
}

/* A string's bytes; escapes but \uXXXX are undone, those stay as they are written: this is text for a log line. */
static bool read_string(struct json_cursor *json, struct buffer *out)
{
    if (!pass(json, '"'))
        return false;
    while (json->at < json->end && *json->at != '"') {
        uint8_t byte = *json->at++;

        if (byte == '\\' && json->at < json->end) {
            byte = *json->at++;
            if (byte == 'u')
                buffer_append_byte(out, '\\');
            else if (strchr("bfnrt", byte) != NULL && byte != '\0')
                byte = ' ';
        }
        buffer_append_byte(out, byte);
    }
    return pass(json, '"');
}

/* A number, true, false or null: up to whatever ends it. */
static struct slice read_word(struct json_cursor *json)
{
    const uint8_t *start;

    skip_space(json);
    start = json->at;
    while (json->at < json->end && strchr(",:{}[]\" \t\r\n", *json->at) == NULL)
        json->at++;
    if (json->at == start)
        json->failed = true;
    return slice_of(start, (size_t)(json->at - start));
}

/* Over one value of any kind, without recursion. */
static void skip_value(struct json_cursor *json)
{
    struct buffer nothing = { 0 };
    int depth = 0;

    do {
        if (pass(json, '{') || pass(json, '['))
            depth++;
        else if (pass(json, '}') || pass(json, ']'))
            depth--;
        else if (json->at < json->end && *json->at == '"')
            json->failed |= !read_string(json, &nothing);
        else if (depth == 0 || !(pass(json, ',') || pass(json, ':')))
            read_word(json);
        buffer_clear(&nothing);
    } while (depth > 0 && depth <= JSON_DEPTH && !json->failed);
    json->failed |= depth != 0;
    buffer_fini(&nothing);
}

/* The next key of an object whose brace is passed; false at its end. */
static bool next_key(struct json_cursor *json, struct buffer *key)
{
    buffer_clear(key);
    pass(json, ',');
    if (pass(json, '}'))
        return false;
    if (read_string(json, key) && pass(json, ':'))
        return true;
    json->failed = true;
    return false;
}

static bool is_key(const struct buffer *key, const char *camel, const char *snake)
{
    return slice_equal_string(buffer_slice(key), camel) || slice_equal_string(buffer_slice(key), snake);
}

static bool is_rejected_count(const struct buffer *key)
{
    return is_key(key, "rejectedSpans", "rejected_spans") || is_key(key, "rejectedDataPoints", "rejected_data_points") ||
           is_key(key, "rejectedLogRecords", "rejected_log_records") || is_key(key, "rejectedProfiles", "rejected_profiles");
}

/* 64-bit integers are strings in OTLP/JSON, or numbers. */
static int64_t read_count(struct json_cursor *json)
{
    char text[24] = "";
    struct buffer quoted = { 0 };
    struct slice digits;
    long long count;

    skip_space(json);
    if (json->at < json->end && *json->at == '"') {
        json->failed |= !read_string(json, &quoted);
        digits = buffer_slice(&quoted);
    } else {
        digits = read_word(json);
    }
    if (digits.size > 0 && digits.size < sizeof(text))
        memcpy(text, digits.data, digits.size);
    buffer_fini(&quoted);
    count = strtoll(text, NULL, 10);
    return count > 0 ? count : 0;
}

static void read_partial_object(struct json_cursor *json, struct otlp_partial_success *out)
{
    struct buffer key = { 0 };

    if (!pass(json, '{')) {
        skip_value(json);
        return;
    }
    while (!json->failed && next_key(json, &key)) {
        skip_space(json);
        if (is_rejected_count(&key)) {
            out->rejected = read_count(json);
        } else if (is_key(&key, "errorMessage", "error_message") && json->at < json->end && *json->at == '"') {
            buffer_clear(&out->message);
            json->failed |= !read_string(json, &out->message);
        } else {
            skip_value(json);
        }
    }
    buffer_fini(&key);
}

bool otlp_read_partial_success_json(struct slice response, struct otlp_partial_success *out)
{
    struct json_cursor json = { response.data, response.data + response.size, false };
    struct buffer key = { 0 };

    if (response.size == 0)
        return true;
    json.failed = !pass(&json, '{');
    while (!json.failed && next_key(&json, &key)) {
        if (is_key(&key, "partialSuccess", "partial_success"))
            read_partial_object(&json, out);
        else
            skip_value(&json);
    }
    buffer_fini(&key);
    return !json.failed;
}
