/*
 * Records on their way through operators: values as small trees whose texts are borrowed from the line, in memory that is used again
 * for the next record. A tree, and not wire bytes, because most operators move what a parser has just made: each value is written to the
 * wire once, when the record leaves. Internal to collector/stanza, but for what makes and takes records.
 * Threads: one at a time for everything that shares a memory.
 */
#ifndef WEIR_STANZA_VALUE_H
#define WEIR_STANZA_VALUE_H

#include "collector/base/buffer.h"

/* ---- memory of one record ---- */

struct stanza_block;
struct stanza_memory {
    struct stanza_block *blocks, *current; /* owned; current: the one in use */
    size_t used;                           /* of it */
    size_t total;                          /* handed out since the last reset; at most STANZA_RECORD_MAX */
    size_t block_size;                     /* 0: 16 KiB; for what holds little */
};
enum { STANZA_RECORD_MAX = 64 << 20 };

/* Aligned for any value, not zeroed. NULL when memory is out or the record's bound is reached. */
void *stanza_alloc(struct stanza_memory *memory, size_t size);
void stanza_memory_reset(struct stanza_memory *memory);
void stanza_memory_fini(struct stanza_memory *memory); /* of a zeroed one is fine */
/* A copy; data NULL when memory is out. */
struct slice stanza_keep(struct stanza_memory *memory, struct slice bytes);

/* ---- values ---- */

/* Up to STANZA_BYTES as enum otlp_value_kind. */
enum stanza_kind { STANZA_NIL, STANZA_STRING, STANZA_BOOL, STANZA_INT, STANZA_DOUBLE, STANZA_LIST, STANZA_MAP, STANZA_BYTES, STANZA_TIME };

struct stanza_map;
struct stanza_list;
struct stanza_value {
    enum stanza_kind kind;
    union {
        struct slice bytes; /* STRING, BYTES */
        int64_t integer;    /* BOOL, INT; TIME in Unix nanoseconds */
        double number;
        struct stanza_map *map;
        struct stanza_list *list;
    };
};
struct stanza_member {
    struct slice key;
    struct stanza_value value;
};
struct stanza_map { /* in the order in which keys came; each once, as long as there are not more than STANZA_UNIQUE_KEYS */
    struct stanza_member *members;
    size_t count, capacity;
};
struct stanza_list {
    struct stanza_value *items;
    size_t count, capacity;
};
enum { STANZA_UNIQUE_KEYS = 256, STANZA_DEPTH_MAX = 64 };

static inline struct stanza_value stanza_string(struct slice text)
{
    return (struct stanza_value){ .kind = STANZA_STRING, .bytes = text };
}
static inline struct stanza_value stanza_int(int64_t value)
{
    return (struct stanza_value){ .kind = STANZA_INT, .integer = value };
}
static inline struct stanza_value stanza_bool(bool value)
{
    return (struct stanza_value){ .kind = STANZA_BOOL, .integer = value };
}
static inline struct stanza_value stanza_double(double value)
{
    return (struct stanza_value){ .kind = STANZA_DOUBLE, .number = value };
}

const char *stanza_kind_name(enum stanza_kind kind);

/* An empty one; kind NIL when memory is out. */
struct stanza_value stanza_map_create(struct stanza_memory *memory);
struct stanza_value stanza_list_create(struct stanza_memory *memory);
/* NULL: there is none. */
struct stanza_value *stanza_map_get(const struct stanza_map *map, struct slice key);
/* Sets or appends; false when memory is out. */
bool stanza_map_set(struct stanza_memory *memory, struct stanza_map *map, struct slice key, struct stanza_value value);
/* Out of it; false when there is none. removed may be NULL. */
bool stanza_map_remove(struct stanza_map *map, struct slice key, struct stanza_value *removed);
bool stanza_list_add(struct stanza_memory *memory, struct stanza_list *list, struct stanza_value value);

/* Maps and lists anew, texts too when `deep` (else they are borrowed as before); false when memory is out. */
bool stanza_value_copy(struct stanza_memory *memory, struct stanza_value *value, bool deep);
bool stanza_map_copy(struct stanza_memory *memory, struct stanza_map *map, bool deep);

bool stanza_value_equal(const struct stanza_value *a, const struct stanza_value *b);
/* Appends the value as a string of Go's strconv and JSON has it. */
void stanza_value_text(const struct stanza_value *value, struct buffer *out);

/* Appends the content of an AnyValue; attributes as field `number` each. Text that is not UTF-8 is repaired. */
void stanza_put_any(struct buffer *out, const struct stanza_value *value);
void stanza_put_attributes(struct buffer *out, uint32_t number, const struct stanza_map *map);

/* Reads JSON, as a tree; problem (static) says what is wrong. ints: whole numbers as integers, else all are doubles. */
bool stanza_read_json(struct stanza_memory *memory, struct slice text, bool ints, struct stanza_value *value, const char **problem);

/* ---- records ---- */

struct stanza_record {
    struct stanza_memory *memory; /* what the values are made in */
    struct stanza_value body;
    struct stanza_map attributes, resource;
    struct slice severity_text, trace_id, span_id, scope; /* ids as bytes */
    uint64_t time_ns, observed_ns;                        /* time_ns 0: unknown */
    uint8_t severity, trace_flags;
    const void *source; /* what it was read from, and where it begins there: for whoever keeps places */
    uint64_t origin;
};

/* A copy that shares nothing with the record but texts, or when `deep` not even those. False when memory is out. */
bool stanza_record_copy(struct stanza_memory *memory, const struct stanza_record *record, bool deep, struct stanza_record *copy);

#endif
