/*
 * Values of documents as JSON text, written straight from the wire bytes.
 *
 * Cost: a copy for strings, 10 to 40 ns for numbers. Keys that are there twice are found by a 64-bit filter, of many keys by
 * their hashes. Threads: none of its own; no state.
 */
#include "exporters/elasticsearch/json.h"

#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"

enum { NANOS_PER_MILLISECOND = 1000000, NANOS_DIGITS = 6 };

void elastic_json_key(struct slice key, struct buffer *out)
{
    json_write_string(key, out);
    buffer_append_byte(out, ':');
}

/* ---- numbers ---- */

void elastic_json_integer(int64_t value, struct buffer *out)
{
    if (buffer_reserve(out, DECIMAL_SIZE))
        out->size += decimal_write_int64(value, (char *)out->data + out->size);
}

void elastic_json_unsigned(uint64_t value, struct buffer *out)
{
    if (buffer_reserve(out, DECIMAL_SIZE))
        out->size += decimal_write_uint64(value, (char *)out->data + out->size);
}

void elastic_json_double(double value, struct buffer *out)
{
    size_t start = out->size;

    if (value - value != 0) { /* NaN, or infinite */
        ELASTIC_PUT(out, "null");
        return;
    }
    if (!buffer_reserve(out, DECIMAL_SIZE + 2))
        return;
    out->size += decimal_write_double(value, (char *)out->data + out->size);
    for (size_t i = start; i < out->size; i++)
        if (out->data[i] == '.' || out->data[i] == 'e' || out->data[i] == 'E')
            return;
    ELASTIC_PUT(out, ".0");
}

void elastic_json_hex(struct slice bytes, struct buffer *out)
{
    if (!buffer_reserve(out, 2 * bytes.size + 2))
        return;
    char *at = (char *)out->data + out->size;
    *at = '"';
    encoding_write_hex(bytes, at + 1);
    at[2 * bytes.size + 1] = '"';
    out->size += 2 * bytes.size + 2;
}

/* ---- times ---- */

/* `digits` digits, zeros in front. */
static char *write_padded(char *at, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

void elastic_json_epoch(uint64_t nanos, struct buffer *out)
{
    uint64_t rest = nanos % NANOS_PER_MILLISECOND;

    if (!buffer_reserve(out, DECIMAL_SIZE + NANOS_DIGITS + 3))
        return;
    char *start = (char *)out->data + out->size, *at = start;
    *at++ = '"';
    at += decimal_write_uint64(nanos / NANOS_PER_MILLISECOND, at);
    *at++ = '.';
    if (rest == 0)
        *at++ = '0';
    else
        at = write_padded(at, rest, NANOS_DIGITS);
    *at++ = '"';
    out->size += (size_t)(at - start);
}

struct civil_date {
    uint64_t year;
    unsigned month, day;
};

/* Days since 1970 in the Gregorian calendar, counted in eras of 400 years that begin in March. */
static struct civil_date civil_date_of(uint64_t days)
{
    uint64_t shifted = days + 719468;
    uint64_t era = shifted / 146097;
    unsigned of_era = (unsigned)(shifted % 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * of_year + 2) / 153;
    struct civil_date date = { .year = year_of_era + era * 400, .day = of_year - (153 * month + 2) / 5 + 1 };

    date.month = month < 10 ? month + 3 : month - 9;
    date.year += date.month <= 2;
    return date;
}

void elastic_json_time(uint64_t nanos, struct buffer *out)
{
    uint64_t seconds = nanos / 1000000000;
    struct civil_date date = civil_date_of(seconds / 86400);
    char text[DECIMAL_SIZE];
    char *at = text;

    *at++ = '"';
    at = write_padded(at, date.year, 4);
    *at++ = '-';
    at = write_padded(at, date.month, 2);
    *at++ = '-';
    at = write_padded(at, date.day, 2);
    *at++ = 'T';
    at = write_padded(at, seconds / 3600 % 24, 2);
    *at++ = ':';
    at = write_padded(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = write_padded(at, seconds % 60, 2);
    *at++ = '.';
    buffer_append(out, text, (size_t)(at - text));
    at = write_padded(text, nanos % 1000000000, 9);
    *at++ = 'Z';
    *at++ = '"';
    buffer_append(out, text, (size_t)(at - text));
}

/* ---- keys that are there twice ---- */

/*
 * The keys of one object so far. Of a few, a filter of 64 bits says that most are new, and the others are looked up where they stand. Of many, a
 * table holds their hashes, which are seeded anew in every process, so that nobody can make this slow.
 */
struct key_set {
    struct otlp_attributes all; /* from the first on */
    size_t count;               /* attributes that were asked about */
    uint64_t filter;
    uint64_t *slots; /* owned; hashes, 0: free; NULL while there are few */
    size_t slot_count, used;
};

enum { FEW_KEYS = 64, FIRST_SLOTS = 512 };

/* One of 64 bits; equal keys have equal bits. */
static uint64_t filter_bit(struct slice key)
{
    uint64_t mix = key.size;

    if (key.size > 0)
        mix += (uint64_t)key.data[0] * 7 + (uint64_t)key.data[key.size / 2] * 13 + (uint64_t)key.data[key.size - 1] * 29;
    return UINT64_C(1) << mix % 64;
}

/* Whether one of the first `count` attributes has that key. */
static bool is_repeated(struct otlp_attributes attributes, size_t count, struct slice key)
{
    struct otlp_attribute earlier;

    for (size_t i = 0; i < count && otlp_next_attribute(&attributes, &earlier); i++)
        if (slice_equal(earlier.key, key))
            return true;
    return false;
}

/* False: it was there. */
static bool insert(uint64_t *slots, size_t slot_count, uint64_t hash)
{
    size_t at = (size_t)hash & (slot_count - 1);

    while (slots[at] != 0 && slots[at] != hash)
        at = (at + 1) & (slot_count - 1);
    if (slots[at] == hash)
        return false;
    slots[at] = hash;
    return true;
}

static uint64_t hash_key(struct slice key)
{
    uint64_t hash = hash_bytes(key);

    return hash != 0 ? hash : 1;
}

/* At most half of the slots are in use. False: memory is out. */
static bool make_slots(struct key_set *set)
{
    size_t wanted = set->slot_count == 0 ? FIRST_SLOTS : 2 * set->slot_count;
    struct otlp_attributes attributes = set->all;
    struct otlp_attribute earlier;
    uint64_t *slots;

    if (set->slot_count > 2 * set->used)
        return true;
    slots = calloc(wanted, sizeof(*slots));
    if (slots == NULL)
        return false;
    set->used = 0;
    for (size_t i = 0; i < set->count && otlp_next_attribute(&attributes, &earlier); i++)
        set->used += insert(slots, wanted, hash_key(earlier.key));
    free(set->slots);
    set->slots = slots;
    set->slot_count = wanted;
    return true;
}

/* Asked once for each attribute, in their order. */
static bool is_new_key(struct key_set *set, struct slice key)
{
    uint64_t bit = filter_bit(key);
    bool is_new;

    if (set->count >= FEW_KEYS && make_slots(set)) {
        is_new = insert(set->slots, set->slot_count, hash_key(key));
        set->used += is_new;
    } else {
        is_new = (set->filter & bit) == 0 || !is_repeated(set->all, set->count, key);
        set->filter |= bit;
    }
    set->count++;
    return is_new;
}

/* ---- values ---- */

static void write_value(const struct otlp_value *value, unsigned depth, struct buffer *out);

static void write_map(struct slice key_value_list, unsigned depth, struct buffer *out)
{
    struct otlp_attributes rest = otlp_attributes(key_value_list, OTLP_ATTRIBUTES_OF_MAP);
    struct key_set keys = { .all = rest };
    struct otlp_attribute attribute;

    buffer_append_byte(out, '{');
    while (otlp_next_attribute(&rest, &attribute)) {
        if (!is_new_key(&keys, attribute.key))
            continue;
        elastic_json_key(attribute.key, out);
        write_value(&attribute.value, depth, out);
        buffer_append_byte(out, ',');
    }
    elastic_json_close(out, '}');
    free(keys.slots);
}

static void write_array(struct slice array, unsigned depth, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(array);
    struct pb_field field;

    buffer_append_byte(out, '[');
    while (pb_next(&reader, &field)) {
        if (field.number != 1 || field.type != PB_BYTES)
            continue;
        struct otlp_value value = otlp_value_of(field.bytes);
        write_value(&value, depth, out);
        buffer_append_byte(out, ',');
    }
    elastic_json_close(out, ']');
}

static void write_value(const struct otlp_value *value, unsigned depth, struct buffer *out)
{
    switch (depth < OTLP_MAX_DEPTH ? value->kind : OTLP_VALUE_EMPTY) {
    case OTLP_VALUE_STRING:
        json_write_string(value->bytes, out);
        break;
    case OTLP_VALUE_BOOL:
        buffer_append_string(out, value->integer != 0 ? "true" : "false");
        break;
    case OTLP_VALUE_INT:
        elastic_json_integer(value->integer, out);
        break;
    case OTLP_VALUE_DOUBLE:
        elastic_json_double(value->number, out);
        break;
    case OTLP_VALUE_ARRAY:
        write_array(value->bytes, depth + 1, out);
        break;
    case OTLP_VALUE_MAP:
        write_map(value->bytes, depth + 1, out);
        break;
    case OTLP_VALUE_BYTES:
        elastic_json_hex(value->bytes, out);
        break;
    case OTLP_VALUE_EMPTY:
        ELASTIC_PUT(out, "null");
        break;
    }
}

void elastic_json_value(const struct otlp_value *value, struct buffer *out)
{
    if (value->kind == OTLP_VALUE_STRING)
        json_write_string(value->bytes, out);
    else
        write_value(value, 0, out);
}

void elastic_json_map(struct slice key_value_list, struct buffer *out)
{
    write_map(key_value_list, 0, out);
}

void elastic_text_of(const struct otlp_value *value, struct buffer *out)
{
    if (value->kind == OTLP_VALUE_STRING)
        buffer_append_slice(out, value->bytes);
    else if (value->kind != OTLP_VALUE_EMPTY)
        write_value(value, 0, out);
}

/* ---- attributes ---- */

void elastic_attributes_fini(struct elastic_attributes *attributes)
{
    free(attributes->items);
    memset(attributes, 0, sizeof(*attributes));
}

static bool make_room(struct elastic_attributes *attributes)
{
    size_t capacity = attributes->capacity == 0 ? 32 : 2 * attributes->capacity;
    struct otlp_attribute *items;

    if (attributes->count < attributes->capacity)
        return true;
    items = realloc(attributes->items, capacity * sizeof(*items));
    if (items == NULL) {
        attributes->failed = true;
        return false;
    }
    attributes->items = items;
    attributes->capacity = capacity;
    return true;
}

static bool is_reserved(struct slice key)
{
    return key.size > 8 && ((key.data[0] == 'd' && slice_starts_with(key, SLICE("data_stream."))) ||
                               (key.data[0] == 'e' && slice_starts_with(key, SLICE("elastic"))));
}

void elastic_attributes_read(struct elastic_attributes *attributes, struct slice message, enum otlp_attributes_field field)
{
    struct otlp_attributes rest = otlp_attributes(message, field);
    struct key_set keys = { .all = rest };

    attributes->count = 0;
    attributes->reserved = false;
    while (make_room(attributes) && otlp_next_attribute(&rest, &attributes->items[attributes->count])) {
        struct slice key = attributes->items[attributes->count].key;

        if (!is_new_key(&keys, key))
            continue;
        attributes->reserved |= is_reserved(key);
        attributes->count++;
    }
    free(keys.slots);
}

const struct otlp_value *elastic_attributes_find(const struct elastic_attributes *attributes, struct slice key)
{
    for (size_t i = 0; i < attributes->count; i++)
        if (slice_equal(attributes->items[i].key, key))
            return &attributes->items[i].value;
    return NULL;
}
