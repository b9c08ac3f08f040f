/*
 * Values of OTTL: what a path, a literal or a function gives. Lists and maps stay in wire form.
 * Internal to collector/ottl.
 */
#ifndef WEIR_OTTL_VALUE_H
#define WEIR_OTTL_VALUE_H

#include "collector/wire/otlp.h"

/* Up to OTTL_BYTES as enum otlp_value_kind. */
enum ottl_kind {
    OTTL_NIL = 0,
    OTTL_STRING = 1,
    OTTL_BOOL = 2,
    OTTL_INT = 3,
    OTTL_DOUBLE = 4,
    OTTL_LIST = 5,
    OTTL_MAP = 6,
    OTTL_BYTES = 7,
    OTTL_TIME = 8,
    OTTL_DURATION = 9,
    OTTL_TRACE_ID = 10,
    OTTL_SPAN_ID = 11,
};

struct ottl_value {
    enum ottl_kind kind;
    uint32_t field;     /* MAP: number of the field of `bytes` that holds the entries; 1 in a KeyValueList */
    struct slice bytes; /* STRING, BYTES, ids; LIST: content of an ArrayValue; MAP: a message */
    int64_t integer;    /* BOOL, INT; TIME in Unix nanoseconds, DURATION in nanoseconds */
    double number;
    int32_t zone; /* TIME: seconds east of UTC */
};

/* What it is called in errors: "string", "int64". */
const char *ottl_kind_name(enum ottl_kind kind);

static inline struct ottl_value ottl_string(struct slice text)
{
    return (struct ottl_value){ .kind = OTTL_STRING, .bytes = text };
}

static inline struct ottl_value ottl_int(int64_t value)
{
    return (struct ottl_value){ .kind = OTTL_INT, .integer = value };
}

static inline struct ottl_value ottl_bool(bool value)
{
    return (struct ottl_value){ .kind = OTTL_BOOL, .integer = value };
}

static inline struct ottl_value ottl_double(double value)
{
    return (struct ottl_value){ .kind = OTTL_DOUBLE, .number = value };
}

static inline struct ottl_value ottl_map(struct slice key_value_list)
{
    return (struct ottl_value){ .kind = OTTL_MAP, .field = OTLP_ATTRIBUTES_OF_MAP, .bytes = key_value_list };
}

static inline struct ottl_value ottl_list(struct slice array)
{
    return (struct ottl_value){ .kind = OTTL_LIST, .bytes = array };
}

struct ottl_value ottl_value_of(const struct otlp_value *value);

/* Appends the value as the AnyValue field `number`. Kinds that OTLP has not are written as the nearest: times and durations as integers, ids as bytes. */
void ottl_put_any(struct buffer *out, uint32_t number, const struct ottl_value *value);
/* Appends one entry to a KeyValueList, one item to an ArrayValue. */
void ottl_put_entry(struct buffer *out, struct slice key, const struct ottl_value *value);
void ottl_put_item(struct buffer *out, const struct ottl_value *value);

/* ---- maps and lists ---- */

struct ottl_entry {
    struct slice key;
    struct ottl_value value;
    struct slice raw; /* the whole field */
};
struct ottl_cursor {
    struct pb_reader reader;
    uint32_t field;
};
struct ottl_cursor ottl_entries(const struct ottl_value *map);
bool ottl_next_entry(struct ottl_cursor *cursor, struct ottl_entry *entry);
struct ottl_cursor ottl_items(const struct ottl_value *list);
bool ottl_next_item(struct ottl_cursor *cursor, struct ottl_value *item);

bool ottl_map_get(const struct ottl_value *map, struct slice key, struct ottl_value *value);
bool ottl_list_get(const struct ottl_value *list, int64_t index, struct ottl_value *value);
/* Entries of a map, items of a list. */
size_t ottl_count(const struct ottl_value *value);

/* Appends the entry as an entry of a KeyValueList, its value as it stands. */
void ottl_copy_entry(struct buffer *out, const struct ottl_entry *entry);

/* ---- comparing ---- */

enum ottl_comparison { OTTL_EQUAL, OTTL_NOT_EQUAL, OTTL_LESS, OTTL_LESS_OR_EQUAL, OTTL_GREATER, OTTL_GREATER_OR_EQUAL };

/* What does not compare is not equal, and neither less nor greater. Integers and doubles compare as numbers. */
bool ottl_compare(const struct ottl_value *a, const struct ottl_value *b, enum ottl_comparison comparison);

/* Appends the text of a value, as string functions see it: lists and maps as JSON, bytes in hexadecimal. */
void ottl_put_text(struct buffer *out, const struct ottl_value *value);

#endif
