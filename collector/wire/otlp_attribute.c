/*
 * Attributes: iteration, lookup by key, and values.
 *
 * Lookup compares keys in place and decodes only the value that is asked for. Cost: a few nanoseconds an attribute passed.
 * Threads: none of its own; no state.
 */
#include "collector/wire/otlp.h"

enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum {
    KEY_TAG = KEY_VALUE_KEY << 3 | PB_BYTES,
    VALUE_TAG = KEY_VALUE_VALUE << 3 | PB_BYTES,
    STRING_TAG = OTLP_VALUE_STRING << 3 | PB_BYTES
};

struct key_value {
    struct slice key;
    struct slice value; /* content of the AnyValue */
};

static struct otlp_value decode_value(struct slice any_value)
{
    struct pb_reader reader = pb_reader_of(any_value);
    struct pb_field field;
    struct otlp_value value = { .kind = OTLP_VALUE_EMPTY };

    while (pb_next(&reader, &field)) {
        if (field.number > OTLP_VALUE_BYTES)
            continue;
        value = (struct otlp_value){ .kind = (enum otlp_value_kind)field.number, .bytes = field.bytes };
        if (value.kind == OTLP_VALUE_BOOL)
            value.integer = field.scalar != 0;
        else if (value.kind == OTLP_VALUE_INT)
            value.integer = (int64_t)field.scalar;
        else if (value.kind == OTLP_VALUE_DOUBLE)
            value.number = pb_double(field.scalar);
    }
    return value;
}

struct otlp_value otlp_value_of(struct slice any_value)
{
    const uint8_t *at = any_value.data;
    bool is_short_string = any_value.size >= 2 && at[0] == STRING_TAG && at[1] < 0x80 && at[1] + 2u == any_value.size;

    if (is_short_string)
        return (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = { at + 2, any_value.size - 2 } };
    return decode_value(any_value);
}

struct otlp_attributes otlp_attributes(struct slice message, enum otlp_attributes_field field)
{
    return (struct otlp_attributes){ pb_reader_of(message), field };
}

/* A key, then a value, both short, and nothing else: what encoders write. */
static inline bool split_plain(struct slice bytes, struct key_value *key_value)
{
    const uint8_t *at = bytes.data;

    if (bytes.size < 4 || at[0] != KEY_TAG || at[1] >= 0x80 || at[1] + 4u > bytes.size)
        return false;
    const uint8_t *value = at + 2 + at[1];
    size_t left = bytes.size - 4 - at[1];
    if (value[0] != VALUE_TAG || value[1] >= 0x80 || value[1] != left)
        return false;
    key_value->key = (struct slice){ at + 2, at[1] };
    key_value->value = (struct slice){ value + 2, left };
    return true;
}

static void split_any(struct slice bytes, struct key_value *key_value)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;

    *key_value = (struct key_value){ .key = { NULL, 0 } };
    while (pb_next(&reader, &field)) {
        if (field.number == KEY_VALUE_KEY)
            key_value->key = field.bytes;
        else if (field.number == KEY_VALUE_VALUE)
            key_value->value = field.bytes;
    }
}

static inline struct key_value split(struct slice bytes)
{
    struct key_value key_value;

    if (!split_plain(bytes, &key_value))
        split_any(bytes, &key_value);
    return key_value;
}

struct slice otlp_key_of(struct slice key_value)
{
    return split(key_value).key;
}

bool otlp_next_attribute(struct otlp_attributes *attributes, struct otlp_attribute *attribute)
{
    struct pb_field field;

    while (pb_next(&attributes->reader, &field)) {
        if (field.number != attributes->field || field.type != PB_BYTES)
            continue;
        struct key_value key_value = split(field.bytes);
        attribute->raw = field.raw;
        attribute->key = key_value.key;
        attribute->value = otlp_value_of(key_value.value);
        return true;
    }
    return false;
}

/* Has the attribute whose field, tag included, is `size` bytes long at `at` another key? False: look closer. */
static inline bool is_other(const uint8_t *at, size_t size, struct slice key)
{
    return otlp_is_plain_key_value(at + 2, size - 2) && (at[3] != key.size || memcmp(at + 4, key.data, key.size) != 0);
}

bool otlp_find_attribute(struct slice message, enum otlp_attributes_field field, struct slice key, struct otlp_value *value)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field attribute;
    const uint8_t tag = (uint8_t)(field << 3 | PB_BYTES);

    while (reader.at < reader.end) {
        size_t size = pb_short_size(reader.at, (size_t)(reader.end - reader.at));
        if (size > 0 && (reader.at[0] != tag || is_other(reader.at, size, key))) {
            reader.at += size;
            continue;
        }
        if (!pb_next(&reader, &attribute))
            return false;
        if (attribute.number != (uint32_t)field || attribute.type != PB_BYTES)
            continue;
        struct key_value key_value = split(attribute.bytes);
        if (slice_equal(key_value.key, key)) {
            *value = otlp_value_of(key_value.value);
            return true;
        }
    }
    return false;
}

void otlp_attribute_of(struct slice key_value, struct otlp_attribute *attribute)
{
    struct key_value parts = split(key_value);

    attribute->key = parts.key;
    attribute->value = otlp_value_of(parts.value);
}
