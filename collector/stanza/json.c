/* JSON to a tree of values. Strings without escapes are borrowed from the text. Stack: one frame a level, STANZA_DEPTH_MAX at the most. */
#include "collector/stanza/value.h"
#include "collector/wire/decimal.h"
#include "collector/wire/json_text.h"

struct reader {
    struct json_text text;
    struct stanza_memory *memory;
    bool ints;
    unsigned depth;
};

static bool read_value(struct reader *reader, struct stanza_value *value);

static bool out_of_memory(struct reader *reader)
{
    return json_fault(&reader->text, "the record is too large");
}

static bool read_string(struct reader *reader, struct slice *out)
{
    struct buffer plain = { 0 };
    struct json_string string;

    if (json_peek(&reader->text) != '"')
        return json_fault(&reader->text, "expected a string");
    if (!json_scan_string(&reader->text, &string))
        return false;
    *out = string.raw;
    if (string.is_plain)
        return true;
    json_unescape(string.raw, &plain);
    *out = plain.failed ? (struct slice){ NULL, 0 } : stanza_keep(reader->memory, buffer_slice(&plain));
    buffer_fini(&plain);
    return out->data != NULL || out_of_memory(reader);
}

static bool read_number(struct reader *reader, struct stanza_value *value)
{
    struct decimal decimal;
    int64_t whole;
    double number;

    if (!decimal_scan(slice_of(reader->text.at, (size_t)(reader->text.end - reader->text.at)), &decimal))
        return json_fault(&reader->text, "expected a value");
    reader->text.at += decimal.text.size;
    if (reader->ints && memchr(decimal.text.data, '.', decimal.text.size) == NULL && decimal_to_int64(&decimal, &whole)) {
        *value = stanza_int(whole);
        return true;
    }
    if (!decimal_to_double(&decimal, &number))
        return json_fault(&reader->text, "a number is out of range");
    *value = stanza_double(number);
    return true;
}

static bool read_members(struct reader *reader, struct stanza_map *map)
{
    struct stanza_value value;
    struct slice key;

    do {
        if (!read_string(reader, &key))
            return false;
        if (!json_take(&reader->text, ':'))
            return json_fault(&reader->text, "expected \":\"");
        if (!read_value(reader, &value))
            return false;
        if (!stanza_map_set(reader->memory, map, key, value))
            return out_of_memory(reader);
    } while (json_take(&reader->text, ','));
    return json_take(&reader->text, '}') || json_fault(&reader->text, "expected \",\" or \"}\"");
}

static bool read_items(struct reader *reader, struct stanza_list *list)
{
    struct stanza_value value;

    do {
        if (!read_value(reader, &value))
            return false;
        if (!stanza_list_add(reader->memory, list, value))
            return out_of_memory(reader);
    } while (json_take(&reader->text, ','));
    return json_take(&reader->text, ']') || json_fault(&reader->text, "expected \",\" or \"]\"");
}

static bool read_nested(struct reader *reader, struct stanza_value *value, bool map)
{
    bool read;

    reader->text.at++;
    if (++reader->depth > STANZA_DEPTH_MAX)
        return json_fault(&reader->text, "nested too deep");
    *value = map ? stanza_map_create(reader->memory) : stanza_list_create(reader->memory);
    if (value->kind == STANZA_NIL)
        return out_of_memory(reader);
    read = json_take(&reader->text, map ? '}' : ']') || (map ? read_members(reader, value->map) : read_items(reader, value->list));
    reader->depth--;
    return read;
}

static bool read_value(struct reader *reader, struct stanza_value *value)
{
    switch (json_peek(&reader->text)) {
    case '{':
        return read_nested(reader, value, true);
    case '[':
        return read_nested(reader, value, false);
    case '"':
        value->kind = STANZA_STRING;
        return read_string(reader, &value->bytes);
    case 't':
        *value = stanza_bool(true);
        return json_literal(&reader->text, "true");
    case 'f':
        *value = stanza_bool(false);
        return json_literal(&reader->text, "false");
    case 'n':
        *value = (struct stanza_value){ .kind = STANZA_NIL };
        return json_literal(&reader->text, "null");
    default:
        return read_number(reader, value);
    }
}

bool stanza_read_json(struct stanza_memory *memory, struct slice text, bool ints, struct stanza_value *value, const char **problem)
{
    struct reader reader = { .text = { text.data, text.data + text.size, NULL }, .memory = memory, .ints = ints };
    bool read = read_value(&reader, value);

    if (read) {
        json_skip_space(&reader.text);
        read = reader.text.at == reader.text.end || json_fault(&reader.text, "text behind the value");
    }
    *problem = reader.text.problem;
    return read;
}
