/*
 * Values, attributes, ids and times as text. A map's keys are sorted, which needs memory for their list; without it the
 * map comes out unsorted. Nested values are as deep as the border lets in (OTLP_MAX_DEPTH), so recursion is bounded.
 */
#include "exporters/debug/text.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>

#include "collector/base/clock.h"
#include "collector/wire/decimal.h"
#include "collector/wire/json.h"

void text_hex(struct slice bytes, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        buffer_append_byte(out, (uint8_t)digits[bytes.data[i] >> 4]);
        buffer_append_byte(out, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

void text_time(uint64_t nanos, struct buffer *out)
{
    time_t seconds = (time_t)(nanos / NANOS_PER_SECOND);
    unsigned fraction = (unsigned)(nanos % NANOS_PER_SECOND);
    int digits = 9;
    struct tm time;

    gmtime_r(&seconds, &time);
    buffer_printf(
        out, "%04d-%02d-%02d %02d:%02d:%02d", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec);
    for (; fraction > 0 && fraction % 10 == 0; fraction /= 10)
        digits--;
    if (fraction > 0)
        buffer_printf(out, ".%0*u", digits, fraction);
    buffer_append_string(out, " +0000 UTC");
}

void text_double(double value, struct buffer *out)
{
    char digits[DECIMAL_SIZE];

    if (isnan(value))
        buffer_append_string(out, "NaN");
    else if (isinf(value))
        buffer_append_string(out, value > 0 ? "Infinity" : "-Infinity");
    else
        buffer_append(out, digits, decimal_write_double(value, digits));
}

void text_fixed(double value, struct buffer *out)
{
    if (isnan(value))
        buffer_append_string(out, "NaN");
    else if (isinf(value))
        buffer_append_string(out, value > 0 ? "+Inf" : "-Inf");
    else
        buffer_printf(out, "%f", value);
}

static void write_base64(struct slice bytes, struct buffer *out)
{
    if (buffer_reserve(out, (bytes.size + 2) / 3 * 4 + 1))
        out->size += (size_t)EVP_EncodeBlock(out->data + out->size, bytes.data, (int)bytes.size);
}

/* ---- maps and arrays, as JSON ---- */

static void write_json(const struct otlp_value *value, struct buffer *out);

/* Content of the value in a KeyValue; `raw` is its field in the list. */
static int compare_attributes(const void *left, const void *right)
{
    const struct otlp_attribute *a = left, *b = right;

    return slice_compare(a->key, b->key);
}

static void write_entry(const struct otlp_attribute *attribute, bool first, struct buffer *out)
{
    if (!first)
        buffer_append_byte(out, ',');
    json_write_string(attribute->key, out);
    buffer_append_byte(out, ':');
    write_json(&attribute->value, out);
}

static size_t list_entries(struct slice map, struct otlp_attribute *into)
{
    struct otlp_attributes attributes = otlp_attributes(map, OTLP_ATTRIBUTES_OF_MAP);
    struct otlp_attribute attribute;
    size_t count = 0;

    while (otlp_next_attribute(&attributes, &attribute)) {
        if (into != NULL)
            into[count] = attribute;
        count++;
    }
    return count;
}

static void write_map(struct slice map, struct buffer *out)
{
    size_t count = list_entries(map, NULL);
    struct otlp_attribute *entries = calloc(count + 1, sizeof(*entries));

    buffer_append_byte(out, '{');
    if (entries != NULL) {
        list_entries(map, entries);
        qsort(entries, count, sizeof(*entries), compare_attributes);
        for (size_t i = 0; i < count; i++)
            write_entry(&entries[i], i == 0, out);
    }
    free(entries);
    buffer_append_byte(out, '}');
}

static void write_array(struct slice array, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(array);
    struct pb_field field;
    bool first = true;

    buffer_append_byte(out, '[');
    while (pb_next(&reader, &field)) {
        struct otlp_value value;

        if (field.number != 1 || field.type != PB_BYTES)
            continue;
        if (!first)
            buffer_append_byte(out, ',');
        first = false;
        value = otlp_value_of(field.bytes);
        write_json(&value, out);
    }
    buffer_append_byte(out, ']');
}

static void write_json(const struct otlp_value *value, struct buffer *out)
{
    switch (value->kind) {
    case OTLP_VALUE_EMPTY:
        buffer_append_string(out, "null");
        break;
    case OTLP_VALUE_STRING:
        json_write_string(value->bytes, out);
        break;
    case OTLP_VALUE_BYTES:
        buffer_append_byte(out, '"');
        write_base64(value->bytes, out);
        buffer_append_byte(out, '"');
        break;
    default:
        text_value(value, out);
        break;
    }
}

void text_value(const struct otlp_value *value, struct buffer *out)
{
    switch (value->kind) {
    case OTLP_VALUE_STRING:
        buffer_append_slice(out, value->bytes);
        break;
    case OTLP_VALUE_BOOL:
        buffer_append_string(out, value->integer != 0 ? "true" : "false");
        break;
    case OTLP_VALUE_INT:
        buffer_printf(out, "%lld", (long long)value->integer);
        break;
    case OTLP_VALUE_DOUBLE:
        text_double(value->number, out);
        break;
    case OTLP_VALUE_ARRAY:
        write_array(value->bytes, out);
        break;
    case OTLP_VALUE_MAP:
        write_map(value->bytes, out);
        break;
    case OTLP_VALUE_BYTES:
        write_base64(value->bytes, out);
        break;
    case OTLP_VALUE_EMPTY:
        break;
    }
}

void text_typed_value(const struct otlp_value *value, struct buffer *out)
{
    static const char *const names[] = { "Empty", "Str", "Bool", "Int", "Double", "Slice", "Map", "Bytes" };

    buffer_printf(out, "%s(", text_name(names, sizeof(names) / sizeof(names[0]), value->kind, ""));
    text_value(value, out);
    buffer_append_byte(out, ')');
}

/* ---- attributes ---- */

bool text_pairs(struct text_attributes attributes, const char *separator, struct buffer *out)
{
    struct otlp_attributes all = otlp_attributes(attributes.message, attributes.field);
    struct otlp_attribute attribute;
    bool any = false;

    while (otlp_next_attribute(&all, &attribute)) {
        if (any)
            buffer_append_string(out, separator);
        any = true;
        buffer_append_slice(out, attribute.key);
        buffer_append_byte(out, '=');
        text_value(&attribute.value, out);
    }
    return any;
}

void text_attribute_lines(struct text_attributes attributes, struct text_block block, struct buffer *out)
{
    struct otlp_attributes all = otlp_attributes(attributes.message, attributes.field);
    struct otlp_attribute attribute;
    bool any = false;

    while (otlp_next_attribute(&all, &attribute)) {
        if (!any)
            buffer_printf(out, "%*s%s:\n", block.header_indent, "", block.header);
        any = true;
        buffer_printf(out, "%*s     -> ", block.indent, "");
        buffer_append_slice(out, attribute.key);
        buffer_append_string(out, ": ");
        text_typed_value(&attribute.value, out);
        buffer_append_byte(out, '\n');
    }
}

const char *text_name(const char *const *names, size_t count, uint32_t value, const char *other)
{
    return value < count ? names[value] : other;
}
