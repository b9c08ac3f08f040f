/*
 * Values from a configuration, and values as text: JSON as Go's encoding/json writes it, keys in order. No state; cost is linear in the value, but for
 * the sorting of keys.
 */
#include "collector/processors/any_value.h"

#include <math.h>
#include <stdlib.h>

#include "collector/config/scalar.h"
#include "collector/ottl/value.h"
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"

enum { VALUES = 1, KEY = 1, VALUE = 2 };

/* The tree's reader bounds depth and size. */
static void put_any(struct buffer *out, const struct config_node *node)
{
    int64_t integer;
    double number;
    bool truth;

    if (node->kind == CONFIG_MAP || node->kind == CONFIG_LIST) {
        size_t mark = pb_open(out, node->kind == CONFIG_MAP ? OTLP_VALUE_MAP : OTLP_VALUE_ARRAY);
        for (const struct config_node *child = node->children; child != NULL; child = child->next) {
            size_t item = pb_open(out, VALUES), value = 0;
            if (node->kind == CONFIG_MAP) {
                pb_put_bytes(out, KEY, slice_of_string(child->key));
                value = pb_open(out, VALUE);
            }
            put_any(out, child);
            if (node->kind == CONFIG_MAP)
                pb_close(out, value);
            pb_close(out, item);
        }
        pb_close(out, mark);
        return;
    }
    if (node->kind == CONFIG_NULL || (!node->quoted && scalar_type_of(node->text) == SCALAR_NULL))
        return;
    if (!node->quoted && scalar_parse_bool(node->text, &truth))
        pb_put_varint(out, OTLP_VALUE_BOOL, truth);
    else if (!node->quoted && scalar_type_of(node->text) == SCALAR_INT && scalar_parse_int(node->text, &integer))
        pb_put_varint(out, OTLP_VALUE_INT, (uint64_t)integer);
    else if (!node->quoted && scalar_type_of(node->text) == SCALAR_FLOAT && scalar_parse_float(node->text, &number))
        pb_put_double(out, OTLP_VALUE_DOUBLE, number);
    else
        pb_put_bytes(out, OTLP_VALUE_STRING, slice_of_string(node->text));
}

struct otlp_value any_value_of(struct arena *arena, const struct config_node *node)
{
    struct buffer content = { .data = NULL };
    struct slice kept = { NULL, 0 };

    put_any(&content, node);
    if (content.size > 0)
        kept = slice_of(memcpy(arena_alloc(arena, content.size), content.data, content.size), content.size);
    buffer_fini(&content);
    return otlp_value_of(kept);
}

/* ---- as text ---- */

struct entry {
    struct slice key, value; /* content of the AnyValue */
    size_t place;
};

static void put_json(const struct otlp_value *value, struct buffer *out);

/* A string as Go's encoding/json writes it: what HTML would take for markup is escaped too. */
static void put_json_string(struct slice text, struct buffer *out)
{
    struct buffer plain = { .data = NULL };

    json_write_string(text, &plain);
    for (size_t i = 0; i < plain.size; i++) {
        uint8_t c = plain.data[i];
        if (c == '<' || c == '>' || c == '&')
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_append_byte(out, c);
    }
    out->failed = out->failed || plain.failed;
    buffer_fini(&plain);
}

static void put_json_list(struct slice list, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(list);
    struct pb_field field;
    bool first = true;

    buffer_append_byte(out, '[');
    while (pb_next(&reader, &field)) {
        if (field.number != VALUES)
            continue;
        struct otlp_value item = otlp_value_of(field.bytes);
        if (!first)
            buffer_append_byte(out, ',');
        put_json(&item, out);
        first = false;
    }
    buffer_append_byte(out, ']');
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    int order = slice_compare(one->key, other->key);

    return order != 0 ? order : one->place < other->place ? -1 : 1;
}

static struct entry entry_of(struct slice key_value, size_t place)
{
    struct pb_reader reader = pb_reader_of(key_value);
    struct entry entry = { .place = place };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == KEY)
            entry.key = field.bytes;
        else if (field.number == VALUE)
            entry.value = field.bytes;
    }
    return entry;
}

/* The entries in the order of their keys; of a key that is there twice the last. */
static void put_json_entries(struct entry *entries, size_t count, struct buffer *out)
{
    bool first = true;

    if (count > 0)
        qsort(entries, count, sizeof(*entries), compare_entries);
    buffer_append_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        struct otlp_value value = otlp_value_of(entries[i].value);
        if (i + 1 < count && slice_equal(entries[i].key, entries[i + 1].key))
            continue;
        if (!first)
            buffer_append_byte(out, ',');
        put_json_string(entries[i].key, out);
        buffer_append_byte(out, ':');
        put_json(&value, out);
        first = false;
    }
    buffer_append_byte(out, '}');
}

static void put_json_map(struct slice map, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(map);
    struct buffer entries = { .data = NULL };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number != VALUES || field.type != PB_BYTES)
            continue;
        struct entry entry = entry_of(field.bytes, entries.size);
        buffer_append(&entries, &entry, sizeof(entry));
    }
    out->failed = out->failed || entries.failed;
    put_json_entries((struct entry *)(void *)entries.data, entries.size / sizeof(struct entry), out);
    buffer_fini(&entries);
}

/* Deeper than OTLP_MAX_DEPTH there is nothing: the border refuses it. */
static void put_json(const struct otlp_value *value, struct buffer *out)
{
    switch (value->kind) {
    case OTLP_VALUE_EMPTY:
        buffer_append_string(out, "null");
        break;
    case OTLP_VALUE_STRING:
        put_json_string(value->bytes, out);
        break;
    case OTLP_VALUE_ARRAY:
        put_json_list(value->bytes, out);
        break;
    case OTLP_VALUE_MAP:
        put_json_map(value->bytes, out);
        break;
    case OTLP_VALUE_BYTES:
        buffer_append_byte(out, '"');
        encoding_write_base64(value->bytes, out);
        buffer_append_byte(out, '"');
        break;
    default:
        any_value_put_text(value, out);
    }
}

void any_value_put_text(const struct otlp_value *value, struct buffer *out)
{
    struct ottl_value as_ottl = ottl_value_of(value);

    if (value->kind == OTLP_VALUE_BYTES)
        encoding_write_base64(value->bytes, out);
    else if (value->kind == OTLP_VALUE_MAP || value->kind == OTLP_VALUE_ARRAY)
        put_json(value, out);
    else
        ottl_put_text(out, &as_ottl);
}

/* ---- numbers ---- */

bool any_value_parse_int(struct slice text, int64_t *value)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t i = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    uint64_t sum = 0, limit = (uint64_t)INT64_MAX + negative;

    if (i == text.size)
        return false;
    for (; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || sum > (limit - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

bool any_value_parse_double(struct slice text, double *value)
{
    static const char *const words[] = { "inf", "infinity", "nan" };
    char copy[DECIMAL_MAX_TEXT + 1];
    char *end = copy;
    size_t sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    struct slice rest = { text.data + sign, text.size - sign };
    struct decimal decimal;

    if (text.size > DECIMAL_MAX_TEXT)
        return false;
    if (decimal_scan(text, &decimal) && decimal.text.size == text.size)
        return decimal_to_double(&decimal, value);
    for (size_t i = 0; i < 3; i++) {
        if (slice_equal_ignoring_case(rest, slice_of_string(words[i]))) {
            *value = i == 2 ? NAN : text.data[0] == '-' ? -INFINITY : INFINITY;
            return i < 2 || sign == 0;
        }
    }
    for (size_t i = 0; i < text.size; i++) {
        if (strchr("0123456789+-.eE", text.data[i]) == NULL || text.data[i] == '\0')
            return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *value = strtod(copy, &end);
    return text.size > 0 && *end == '\0' && isfinite(*value);
}
