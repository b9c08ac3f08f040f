/*
 * JSON to an AnyValue, in one pass. Lengths of what is nested are not known in advance: the content is moved by a byte or two where
 * it turns out longer than 127. Threads: none of its own; no state. Stack: one frame a level, OTLP_MAX_DEPTH at the most.
 */
#include "collector/wire/json_value.h"

#include <stdio.h>

#include "collector/wire/json_number.h"
#include "collector/wire/json_text.h"

enum { KEY = 1, VALUE = 2, ELEMENT = 1 };

struct reader {
    struct json_text text;
    struct buffer *out;
    unsigned depth;
};

static bool read_value(struct reader *reader);

static bool put_string(struct reader *reader, uint32_t number)
{
    struct json_string string;
    size_t mark;

    if (json_peek(&reader->text) != '"')
        return json_fault(&reader->text, "expected a string");
    if (!json_scan_string(&reader->text, &string))
        return false;
    if (string.is_plain) {
        pb_put_bytes(reader->out, number, string.raw);
        return true;
    }
    mark = pb_open(reader->out, number);
    json_unescape(string.raw, reader->out);
    pb_close(reader->out, mark);
    return true;
}

static bool is_whole(const struct json_text *text)
{
    for (const uint8_t *at = text->at; at < text->end && memchr("+-0123456789.eE", *at, 15) != NULL; at++) {
        if (*at == '.' || *at == 'e' || *at == 'E')
            return false;
    }
    return true;
}

static bool put_number(struct reader *reader)
{
    const uint8_t *start = reader->text.at;
    int64_t whole;
    double number;

    if (is_whole(&reader->text) && json_read_signed(&reader->text, 64, &whole)) {
        pb_put_varint(reader->out, OTLP_VALUE_INT, (uint64_t)whole);
        return true;
    }
    reader->text.at = start;
    if (!json_read_double(&reader->text, &number))
        return false;
    pb_put_double(reader->out, OTLP_VALUE_DOUBLE, number);
    return true;
}

static bool put_nested(struct reader *reader, uint32_t number)
{
    size_t mark = pb_open(reader->out, number);

    if (++reader->depth >= OTLP_MAX_DEPTH)
        return json_fault(&reader->text, "nested too deep");
    if (!read_value(reader))
        return false;
    pb_close(reader->out, mark);
    reader->depth--;
    return true;
}

static bool put_member(struct reader *reader)
{
    size_t mark = pb_open(reader->out, OTLP_ATTRIBUTES_OF_MAP);

    if (!put_string(reader, KEY))
        return false;
    if (!json_take(&reader->text, ':'))
        return json_fault(&reader->text, "expected \":\"");
    if (!put_nested(reader, VALUE))
        return false;
    pb_close(reader->out, mark);
    return true;
}

/* Everything up to the closing bracket; `at` is behind the opening one. */
static bool put_items(struct reader *reader, char closing)
{
    if (json_take(&reader->text, closing))
        return true;
    do {
        if (!(closing == '}' ? put_member(reader) : put_nested(reader, ELEMENT)))
            return false;
    } while (json_take(&reader->text, ','));
    return json_take(&reader->text, closing) ||
           json_fault(&reader->text, closing == '}' ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
}

static bool put_list(struct reader *reader, char closing)
{
    size_t mark = pb_open(reader->out, closing == '}' ? OTLP_VALUE_MAP : OTLP_VALUE_ARRAY);

    reader->text.at++;
    if (!put_items(reader, closing))
        return false;
    pb_close(reader->out, mark);
    return true;
}

static bool put_bool(struct reader *reader, bool value)
{
    if (!json_literal(&reader->text, value ? "true" : "false"))
        return false;
    pb_put_varint(reader->out, OTLP_VALUE_BOOL, value);
    return true;
}

static bool read_value(struct reader *reader)
{
    switch (json_peek(&reader->text)) {
    case '{':
        return put_list(reader, '}');
    case '[':
        return put_list(reader, ']');
    case '"':
        return put_string(reader, OTLP_VALUE_STRING);
    case 't':
        return put_bool(reader, true);
    case 'f':
        return put_bool(reader, false);
    case 'n':
        return json_literal(&reader->text, "null");
    default:
        return put_number(reader);
    }
}

bool json_read_value(struct slice text, struct buffer *out, struct json_error *err)
{
    struct reader reader = { .text = { text.data, text.data, NULL }, .out = out };
    size_t before = out->size;

    if (text.size > 0)
        reader.text.end = text.data + text.size;
    if (read_value(&reader)) {
        json_skip_space(&reader.text);
        if (reader.text.at == reader.text.end && !out->failed)
            return true;
        json_fault(&reader.text, out->failed ? "out of memory" : "there is something behind the value");
    }
    out->size = before;
    if (err != NULL) {
        err->offset = (size_t)(reader.text.at - text.data);
        snprintf(err->message, sizeof(err->message), "%s", reader.text.problem);
    }
    return false;
}
