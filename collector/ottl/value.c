/*
 * Values: between OTLP's AnyValue and OTTL's kinds, comparing, and text.
 *
 * Cost: maps and lists are scanned, never decoded. Comparing two maps looks every key up in the other; maps are small.
 * Threads: none of its own; no state.
 */
#include "collector/ottl/value.h"

#include <stdio.h>

#include "collector/base/clock.h"
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"

enum { ITEMS = 1, KEY = 1, VALUE = 2 };

const char *ottl_kind_name(enum ottl_kind kind)
{
    static const char *const names[] = { "nil", "string", "bool", "int64", "float64", "pcommon.Slice", "pcommon.Map", "[]byte", "time.Time",
        "time.Duration", "pcommon.TraceID", "pcommon.SpanID" };

    return names[kind];
}

struct ottl_value ottl_value_of(const struct otlp_value *value)
{
    return (struct ottl_value){
        .kind = (enum ottl_kind)value->kind,
        .field = OTLP_ATTRIBUTES_OF_MAP,
        .bytes = value->bytes,
        .integer = value->integer,
        .number = value->number,
    };
}

/* ---- writing ---- */

static void put_map(struct buffer *out, const struct ottl_value *map)
{
    struct ottl_cursor cursor = ottl_entries(map);
    struct ottl_entry entry;

    if (map->field == OTLP_ATTRIBUTES_OF_MAP) {
        pb_put_bytes(out, OTTL_MAP, map->bytes);
        return;
    }
    size_t mark = pb_open(out, OTTL_MAP);
    while (ottl_next_entry(&cursor, &entry))
        ottl_copy_entry(out, &entry);
    pb_close(out, mark);
}

/* The content of an AnyValue. */
static void put_content(struct buffer *out, const struct ottl_value *value)
{
    switch (value->kind) {
    case OTTL_NIL:
        break;
    case OTTL_BOOL:
        pb_put_varint(out, OTTL_BOOL, value->integer != 0);
        break;
    case OTTL_INT:
    case OTTL_TIME:
    case OTTL_DURATION:
        pb_put_varint(out, OTTL_INT, (uint64_t)value->integer);
        break;
    case OTTL_DOUBLE:
        pb_put_double(out, OTTL_DOUBLE, value->number);
        break;
    case OTTL_MAP:
        put_map(out, value);
        break;
    case OTTL_STRING:
    case OTTL_LIST:
    case OTTL_BYTES:
        pb_put_bytes(out, value->kind, value->bytes);
        break;
    case OTTL_TRACE_ID:
    case OTTL_SPAN_ID:
        pb_put_bytes(out, OTTL_BYTES, value->bytes);
        break;
    }
}

void ottl_put_any(struct buffer *out, uint32_t number, const struct ottl_value *value)
{
    size_t mark = pb_open(out, number);

    put_content(out, value);
    pb_close(out, mark);
}

void ottl_put_entry(struct buffer *out, struct slice key, const struct ottl_value *value)
{
    size_t mark = pb_open(out, ITEMS);

    pb_put_bytes(out, KEY, key);
    ottl_put_any(out, VALUE, value);
    pb_close(out, mark);
}

void ottl_put_item(struct buffer *out, const struct ottl_value *value)
{
    ottl_put_any(out, ITEMS, value);
}

/* ---- maps and lists ---- */

struct ottl_cursor ottl_entries(const struct ottl_value *map)
{
    return (struct ottl_cursor){ pb_reader_of(map->bytes), map->field };
}

bool ottl_next_entry(struct ottl_cursor *cursor, struct ottl_entry *entry)
{
    struct otlp_attributes attributes = { cursor->reader, cursor->field };
    struct otlp_attribute attribute;
    bool found = otlp_next_attribute(&attributes, &attribute);

    cursor->reader = attributes.reader;
    if (found)
        *entry = (struct ottl_entry){ attribute.key, ottl_value_of(&attribute.value), attribute.raw };
    return found;
}

struct ottl_cursor ottl_items(const struct ottl_value *list)
{
    return (struct ottl_cursor){ pb_reader_of(list->bytes), ITEMS };
}

bool ottl_next_item(struct ottl_cursor *cursor, struct ottl_value *item)
{
    struct pb_field field;

    while (pb_next(&cursor->reader, &field)) {
        if (field.number != ITEMS || field.type != PB_BYTES)
            continue;
        struct otlp_value value = otlp_value_of(field.bytes);
        *item = ottl_value_of(&value);
        return true;
    }
    return false;
}

bool ottl_map_get(const struct ottl_value *map, struct slice key, struct ottl_value *value)
{
    struct otlp_value found;

    if (!otlp_find_attribute(map->bytes, (enum otlp_attributes_field)map->field, key, &found))
        return false;
    *value = ottl_value_of(&found);
    return true;
}

bool ottl_list_get(const struct ottl_value *list, int64_t index, struct ottl_value *value)
{
    struct ottl_cursor cursor = ottl_items(list);

    if (index < 0)
        return false;
    while (ottl_next_item(&cursor, value)) {
        if (index-- == 0)
            return true;
    }
    return false;
}

size_t ottl_count(const struct ottl_value *value)
{
    struct pb_reader reader = pb_reader_of(value->bytes);
    uint32_t number = value->kind == OTTL_MAP ? value->field : ITEMS;
    struct pb_field field;
    size_t count = 0;

    while (pb_next(&reader, &field))
        count += field.number == number && field.type == PB_BYTES;
    return count;
}

void ottl_copy_entry(struct buffer *out, const struct ottl_entry *entry)
{
    struct pb_reader reader = pb_reader_of(entry->raw);
    struct pb_field field;

    if (pb_next(&reader, &field))
        pb_put_bytes(out, ITEMS, field.bytes);
}

/* ---- comparing ---- */

static bool holds(enum ottl_comparison comparison, int order)
{
    switch (comparison) {
    case OTTL_EQUAL:
        return order == 0;
    case OTTL_NOT_EQUAL:
        return order != 0;
    case OTTL_LESS:
        return order < 0;
    case OTTL_LESS_OR_EQUAL:
        return order <= 0;
    case OTTL_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool compare_doubles(double a, double b, enum ottl_comparison comparison)
{
    if (a != a || b != b)
        return comparison == OTTL_NOT_EQUAL;
    return holds(comparison, a < b ? -1 : a > b);
}

static bool is_zero(struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] != 0)
            return false;
    }
    return true;
}

static bool equal_lists(const struct ottl_value *a, const struct ottl_value *b)
{
    struct ottl_cursor left = ottl_items(a), right = ottl_items(b);
    struct ottl_value one, other;

    if (ottl_count(a) != ottl_count(b))
        return false;
    while (ottl_next_item(&left, &one) && ottl_next_item(&right, &other)) {
        if (!ottl_compare(&one, &other, OTTL_EQUAL))
            return false;
    }
    return true;
}

static bool equal_maps(const struct ottl_value *a, const struct ottl_value *b)
{
    struct ottl_cursor cursor = ottl_entries(a);
    struct ottl_entry entry;
    struct ottl_value other;

    if (ottl_count(a) != ottl_count(b))
        return false;
    while (ottl_next_entry(&cursor, &entry)) {
        if (!ottl_map_get(b, entry.key, &other) || !ottl_compare(&entry.value, &other, OTTL_EQUAL))
            return false;
    }
    return true;
}

static bool compare_same_kind(const struct ottl_value *a, const struct ottl_value *b, enum ottl_comparison comparison)
{
    switch (a->kind) {
    case OTTL_NIL:
        return holds(comparison, 0);
    case OTTL_STRING:
    case OTTL_BYTES:
        if (comparison == OTTL_EQUAL)
            return slice_equal(a->bytes, b->bytes);
        return holds(comparison, slice_compare(a->bytes, b->bytes));
    case OTTL_DOUBLE:
        return compare_doubles(a->number, b->number, comparison);
    case OTTL_LIST:
    case OTTL_MAP: {
        bool equal = a->kind == OTTL_LIST ? equal_lists(a, b) : equal_maps(a, b);
        return comparison == OTTL_EQUAL ? equal : comparison == OTTL_NOT_EQUAL && !equal;
    }
    case OTTL_TRACE_ID:
    case OTTL_SPAN_ID: {
        bool equal = slice_equal(a->bytes, b->bytes) || (is_zero(a->bytes) && is_zero(b->bytes));
        return comparison == OTTL_EQUAL ? equal : comparison == OTTL_NOT_EQUAL && !equal;
    }
    default:
        return holds(comparison, (a->integer > b->integer) - (a->integer < b->integer));
    }
}

bool ottl_compare(const struct ottl_value *a, const struct ottl_value *b, enum ottl_comparison comparison)
{
    if (a->kind == b->kind)
        return compare_same_kind(a, b, comparison);
    if (a->kind == OTTL_INT && b->kind == OTTL_DOUBLE)
        return compare_doubles((double)a->integer, b->number, comparison);
    if (a->kind == OTTL_DOUBLE && b->kind == OTTL_INT)
        return compare_doubles(a->number, (double)b->integer, comparison);
    return comparison == OTTL_NOT_EQUAL;
}

/* ---- text ---- */

static void put_hex(struct buffer *out, struct slice bytes)
{
    if (!buffer_reserve(out, bytes.size * 2))
        return;
    encoding_write_hex(bytes, (char *)out->data + out->size);
    out->size += bytes.size * 2;
}

static void put_json(struct buffer *out, const struct ottl_value *value)
{
    struct buffer any = { .data = NULL };

    put_content(&any, value);
    if (any.failed)
        out->failed = true;
    else
        json_write_value(buffer_slice(&any), out);
    buffer_fini(&any);
}

static void put_double(struct buffer *out, double number)
{
    char text[DECIMAL_SIZE];

    if (number != number)
        buffer_append_string(out, "NaN");
    else if (number - number != 0)
        buffer_append_string(out, number > 0 ? "+Inf" : "-Inf");
    else
        buffer_append(out, text, decimal_write_double(number, text));
}

static void put_duration(struct buffer *out, int64_t nanoseconds)
{
    uint64_t left = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;
    uint64_t seconds = left / 1000000000u;

    if (nanoseconds < 0)
        buffer_append_byte(out, '-');
    if (seconds >= 3600)
        buffer_printf(out, "%lluh", (unsigned long long)(seconds / 3600));
    if (seconds >= 60)
        buffer_printf(out, "%llum", (unsigned long long)(seconds / 60 % 60));
    put_double(out, (double)(seconds % 60) + (double)(left % 1000000000u) / 1e9);
    buffer_append_byte(out, 's');
}

void ottl_put_text(struct buffer *out, const struct ottl_value *value)
{
    char text[DECIMAL_SIZE];

    switch (value->kind) {
    case OTTL_NIL:
        break;
    case OTTL_STRING:
        buffer_append_slice(out, value->bytes);
        break;
    case OTTL_BOOL:
        buffer_append_string(out, value->integer != 0 ? "true" : "false");
        break;
    case OTTL_INT:
        buffer_append(out, text, decimal_write_int64(value->integer, text));
        break;
    case OTTL_DOUBLE:
        put_double(out, value->number);
        break;
    case OTTL_LIST:
    case OTTL_MAP:
        put_json(out, value);
        break;
    case OTTL_BYTES:
    case OTTL_TRACE_ID:
    case OTTL_SPAN_ID:
        put_hex(out, value->bytes);
        break;
    case OTTL_TIME: {
        char stamp[CLOCK_RFC3339_SIZE];
        clock_format_rfc3339((uint64_t)value->integer, stamp);
        buffer_append_string(out, stamp);
        break;
    }
    case OTTL_DURATION:
        put_duration(out, value->integer);
        break;
    }
}
