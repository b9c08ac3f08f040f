/* Values to AnyValues and to text. Stack: one frame a level; whoever makes values bounds the levels. */
#include <math.h>

#include "collector/stanza/value.h"
#include "collector/wire/decimal.h"
#include "collector/wire/json.h"
#include "collector/wire/protobuf.h"
#include "collector/wire/utf8.h"

enum { KEY = 1, VALUE = 2, ITEM = 1, ENTRY = 1 };

static void put_text(struct buffer *out, uint32_t number, struct slice text)
{
    size_t mark;

    if (utf8_is_valid(text)) {
        pb_put_bytes(out, number, text);
        return;
    }
    mark = pb_open(out, number);
    utf8_append_repaired(out, text);
    pb_close(out, mark);
}

/* Most values are short texts: their lengths are known, so nothing has to be opened and closed. */
static bool put_short_entry(struct buffer *out, uint32_t number, const struct stanza_member *member)
{
    size_t key = member->key.size, text = member->value.bytes.size;
    uint8_t *at;

    if (member->value.kind != STANZA_STRING || key >= 64 || text >= 50 || !utf8_is_valid(member->value.bytes) ||
        !utf8_is_valid(member->key) || number >= 16 || !buffer_reserve(out, key + text + 8))
        return false;
    at = out->data + out->size;
    *at++ = (uint8_t)(number << 3 | PB_BYTES);
    *at++ = (uint8_t)(2 + key + 2 + 2 + text);
    *at++ = KEY << 3 | PB_BYTES;
    *at++ = (uint8_t)key;
    memcpy(at, member->key.data, key);
    at += key;
    *at++ = VALUE << 3 | PB_BYTES;
    *at++ = (uint8_t)(2 + text);
    *at++ = STANZA_STRING << 3 | PB_BYTES;
    *at++ = (uint8_t)text;
    if (text > 0)
        memcpy(at, member->value.bytes.data, text);
    out->size += key + text + 8;
    return true;
}

void stanza_put_attributes(struct buffer *out, uint32_t number, const struct stanza_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        if (put_short_entry(out, number, &map->members[i]))
            continue;
        size_t entry = pb_open(out, number);
        put_text(out, KEY, map->members[i].key);
        size_t value = pb_open(out, VALUE);
        stanza_put_any(out, &map->members[i].value);
        pb_close(out, value);
        pb_close(out, entry);
    }
}

static void put_list(struct buffer *out, const struct stanza_list *list)
{
    size_t mark = pb_open(out, STANZA_LIST);

    for (size_t i = 0; i < list->count; i++) {
        size_t item = pb_open(out, ITEM);
        stanza_put_any(out, &list->items[i]);
        pb_close(out, item);
    }
    pb_close(out, mark);
}

void stanza_put_any(struct buffer *out, const struct stanza_value *value)
{
    struct buffer text = { 0 };
    size_t mark;

    switch (value->kind) {
    case STANZA_NIL:
        break;
    case STANZA_STRING:
        put_text(out, STANZA_STRING, value->bytes);
        break;
    case STANZA_BYTES:
        pb_put_bytes(out, STANZA_BYTES, value->bytes);
        break;
    case STANZA_BOOL:
    case STANZA_INT:
        pb_put_varint(out, (uint32_t)value->kind, (uint64_t)value->integer);
        break;
    case STANZA_DOUBLE:
        pb_put_double(out, STANZA_DOUBLE, value->number);
        break;
    case STANZA_LIST:
        put_list(out, value->list);
        break;
    case STANZA_MAP:
        mark = pb_open(out, STANZA_MAP);
        stanza_put_attributes(out, ENTRY, value->map);
        pb_close(out, mark);
        break;
    case STANZA_TIME:
        stanza_value_text(value, &text);
        pb_put_bytes(out, STANZA_STRING, buffer_slice(&text));
        out->failed |= text.failed;
        buffer_fini(&text);
        break;
    }
}

/* ---- text ---- */

static void json_text(const struct stanza_value *value, struct buffer *out)
{
    struct buffer any = { 0 };

    stanza_put_any(&any, value);
    json_write_value(buffer_slice(&any), out);
    out->failed |= any.failed;
    buffer_fini(&any);
}

void stanza_value_text(const struct stanza_value *value, struct buffer *out)
{
    char digits[DECIMAL_SIZE];

    switch (value->kind) {
    case STANZA_NIL:
        break;
    case STANZA_STRING:
    case STANZA_BYTES:
        buffer_append_slice(out, value->bytes);
        break;
    case STANZA_BOOL:
        buffer_append_string(out, value->integer != 0 ? "true" : "false");
        break;
    case STANZA_INT:
        buffer_append(out, digits, decimal_write_int64(value->integer, digits));
        break;
    case STANZA_DOUBLE:
        if (isfinite(value->number))
            buffer_append(out, digits, decimal_write_double(value->number, digits));
        else
            buffer_append_string(out, isnan(value->number) ? "NaN" : value->number > 0 ? "+Inf" : "-Inf");
        break;
    case STANZA_TIME:
        buffer_append(out, digits, decimal_write_int64(value->integer, digits));
        break;
    case STANZA_LIST:
    case STANZA_MAP:
        json_text(value, out);
        break;
    }
}
