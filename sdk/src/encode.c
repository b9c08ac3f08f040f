/*
 * AnyValue and KeyValue encoding. Nested values are measured once a level, which the depth limit bounds.
 * Threads: any; signal-safe.
 */
#include "sdk/src/encode.h"

#include "sdk/src/record.h"

static struct text_plan plan_text(struct encoding *encoding, weir_str text)
{
    struct text_plan plan = text_plan(text, encoding->value_length);

    encoding->repaired += plan.read != plan.written;
    return plan;
}

static size_t delimited(size_t content)
{
    return 1 + varint_size(content) + content;
}

static uint8_t *put_header(uint8_t *out, uint32_t field, size_t content)
{
    *out++ = (uint8_t)(field << 3 | 2);
    return put_varint(out, content);
}

/* One element of a list of any kind, as a value of its own. */
static bool element(const weir_attr *list, size_t i, weir_attr *out)
{
    memset(out, 0, sizeof(*out));
    switch (list->type) {
    case WEIR_STRS:
        out->type = WEIR_STR;
        out->v.str = list->v.strs[i];
        return true;
    case WEIR_BOOLS:
        out->type = WEIR_BOOL;
        out->v.i64 = list->v.bools[i];
        return true;
    case WEIR_INTS:
        out->type = WEIR_INT;
        out->v.i64 = list->v.ints[i];
        return true;
    case WEIR_DOUBLES:
        out->type = WEIR_DOUBLE;
        out->v.f64 = list->v.doubles[i];
        return true;
    case WEIR_LIST:
        *out = list->v.items[i];
        return true;
    default:
        return false;
    }
}

static size_t list_size(struct encoding *encoding, const weir_attr *list, int depth)
{
    size_t size = 0;
    weir_attr item;

    if (list->v.items == NULL)
        return 0;
    for (size_t i = 0; i < list->n && element(list, i, &item); i++)
        size += delimited(encode_value_size(encoding, &item, depth + 1));
    return size;
}

static uint8_t *put_list(uint8_t *out, const struct encoding *encoding, const weir_attr *list, int depth)
{
    struct encoding measured = *encoding;
    weir_attr item;

    if (list->v.items == NULL)
        return out;
    for (size_t i = 0; i < list->n && element(list, i, &item); i++) {
        out = put_header(out, 1, encode_value_size(&measured, &item, depth + 1));
        out = encode_value(out, encoding, &item, depth + 1);
    }
    return out;
}

static size_t key_value_size(struct encoding *encoding, const weir_attr *attr, int depth)
{
    struct encoding whole = { TEXT_UNLIMITED, 0 };
    size_t size = delimited(plan_text(&whole, attr->key).written) + delimited(encode_value_size(encoding, attr, depth));

    encoding->repaired += whole.repaired;
    return size;
}

static uint8_t *put_key_value(uint8_t *out, const struct encoding *encoding, const weir_attr *attr, int depth)
{
    struct encoding measured = *encoding;
    struct text_plan plan = text_plan(attr->key, TEXT_UNLIMITED);

    out = put_header(out, KEY_VALUE_KEY, plan.written);
    out = text_copy(out, attr->key, plan);
    out = put_header(out, KEY_VALUE_VALUE, encode_value_size(&measured, attr, depth));
    return encode_value(out, encoding, attr, depth);
}

static size_t map_size(struct encoding *encoding, const weir_attr *map, int depth)
{
    size_t size = 0;

    for (size_t i = 0; map->v.items != NULL && i < map->n; i++)
        size += delimited(key_value_size(encoding, &map->v.items[i], depth + 1));
    return size;
}

static uint8_t *put_map(uint8_t *out, const struct encoding *encoding, const weir_attr *map, int depth)
{
    struct encoding measured = *encoding;

    for (size_t i = 0; map->v.items != NULL && i < map->n; i++) {
        out = put_header(out, 1, key_value_size(&measured, &map->v.items[i], depth + 1));
        out = put_key_value(out, encoding, &map->v.items[i], depth + 1);
    }
    return out;
}

static size_t bytes_size(const struct encoding *encoding, weir_str bytes)
{
    if (bytes.p == NULL)
        return 0;
    return bytes.n < encoding->value_length ? bytes.n : encoding->value_length;
}

size_t encode_value_size(struct encoding *encoding, const weir_attr *attr, int depth)
{
    if (depth > ENCODE_MAX_DEPTH)
        return 0;
    switch (attr->type) {
    case WEIR_STR:
        return delimited(plan_text(encoding, attr->v.str).written);
    case WEIR_BOOL:
        return 2;
    case WEIR_INT:
        return 1 + varint_size((uint64_t)attr->v.i64);
    case WEIR_DOUBLE:
        return 9;
    case WEIR_BYTES:
        return delimited(bytes_size(encoding, attr->v.str));
    case WEIR_STRS:
    case WEIR_BOOLS:
    case WEIR_INTS:
    case WEIR_DOUBLES:
    case WEIR_LIST:
        return delimited(list_size(encoding, attr, depth));
    case WEIR_MAP:
        return delimited(map_size(encoding, attr, depth));
    default:
        return 0;
    }
}

static uint8_t *put_string(uint8_t *out, const struct encoding *encoding, weir_str text)
{
    struct text_plan plan = text_plan(text, encoding->value_length);

    out = put_header(out, VALUE_STRING, plan.written);
    return text_copy(out, text, plan);
}

static uint8_t *put_double(uint8_t *out, double value)
{
    *out++ = VALUE_DOUBLE << 3 | 1;
    memcpy(out, &value, 8);
    return out + 8;
}

static uint8_t *put_bytes(uint8_t *out, const struct encoding *encoding, weir_str bytes)
{
    size_t size = bytes_size(encoding, bytes);

    out = put_header(out, VALUE_BYTES, size);
    if (size != 0)
        memcpy(out, bytes.p, size);
    return out + size;
}

/* Lists and maps: a message around their content. */
static uint8_t *put_nested(uint8_t *out, const struct encoding *encoding, const weir_attr *attr, int depth)
{
    struct encoding measured = *encoding;

    if (attr->type == WEIR_MAP) {
        out = put_header(out, VALUE_MAP, map_size(&measured, attr, depth));
        return put_map(out, encoding, attr, depth);
    }
    out = put_header(out, VALUE_ARRAY, list_size(&measured, attr, depth));
    return put_list(out, encoding, attr, depth);
}

uint8_t *encode_value(uint8_t *out, const struct encoding *encoding, const weir_attr *attr, int depth)
{
    if (depth > ENCODE_MAX_DEPTH)
        return out;
    switch (attr->type) {
    case WEIR_STR:
        return put_string(out, encoding, attr->v.str);
    case WEIR_BOOL:
        *out++ = VALUE_BOOL << 3;
        *out++ = attr->v.i64 != 0;
        return out;
    case WEIR_INT:
        *out++ = VALUE_INT << 3;
        return put_varint(out, (uint64_t)attr->v.i64);
    case WEIR_DOUBLE:
        return put_double(out, attr->v.f64);
    case WEIR_BYTES:
        return put_bytes(out, encoding, attr->v.str);
    case WEIR_STRS:
    case WEIR_BOOLS:
    case WEIR_INTS:
    case WEIR_DOUBLES:
    case WEIR_LIST:
    case WEIR_MAP:
        return put_nested(out, encoding, attr, depth);
    default:
        return out;
    }
}

size_t encode_attribute_size(struct encoding *encoding, const weir_attr *attr)
{
    if (attr->key.p == NULL || attr->key.n == 0 || attr->type == WEIR_NONE || attr->type > WEIR_MAP)
        return 0;
    return key_value_size(encoding, attr, 0);
}

uint8_t *encode_attribute(uint8_t *out, const struct encoding *encoding, const weir_attr *attr)
{
    return put_key_value(out, encoding, attr, 0);
}
