/*
 * A span or log record under construction: OTLP bytes (the content of a Span or LogRecord message) in a slot.
 * What does not fit the slot moves to a bigger one, up to 64 KiB; beyond that it is dropped and counted.
 * Field numbers: opentelemetry-proto 1.9, trace/v1 and logs/v1.
 */
#ifndef WEIR_SDK_RECORD_H
#define WEIR_SDK_RECORD_H

#include "sdk/src/pool.h"
#include "sdk/src/text.h"
#include "sdk/src/thread.h"

struct scope;

enum {
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID,
    SPAN_TRACE_STATE,
    SPAN_PARENT_ID,
    SPAN_NAME,
    SPAN_KIND,
    SPAN_START,
    SPAN_END,
    SPAN_ATTRIBUTES,
    SPAN_DROPPED_ATTRIBUTES,
    SPAN_EVENTS,
    SPAN_DROPPED_EVENTS,
    SPAN_LINKS,
    SPAN_DROPPED_LINKS,
    SPAN_STATUS,
    SPAN_FLAGS,

    EVENT_TIME = 1,
    EVENT_NAME,
    EVENT_ATTRIBUTES,
    EVENT_DROPPED,
    LINK_TRACE_ID = 1,
    LINK_SPAN_ID,
    LINK_TRACE_STATE,
    LINK_ATTRIBUTES,
    LINK_DROPPED,
    LINK_FLAGS,
    STATUS_MESSAGE = 2,
    STATUS_CODE = 3,

    LOG_TIME = 1,
    LOG_SEVERITY,
    LOG_SEVERITY_TEXT,
    LOG_BODY = 5,
    LOG_ATTRIBUTES,
    LOG_DROPPED,
    LOG_FLAGS,
    LOG_TRACE_ID,
    LOG_SPAN_ID,
    LOG_OBSERVED,
    LOG_EVENT_NAME,

    KEY_VALUE_KEY = 1,
    KEY_VALUE_VALUE = 2,
};

struct record {
    struct record *next; /* first, as a pool_slot's: free list or queue */
    const struct scope *scope;
    uint8_t *data; /* inline_data, or a bigger slot */
    uint32_t size, capacity;
    _Atomic uint32_t lock;
    _Atomic uint32_t generation; /* bumped when the span ends: older handles are void */
    uint64_t keys;               /* one bit for each key's hash: a clear bit means that no such key is there */
    uint64_t start_ns;
    uint32_t end_at;    /* where the end time goes */
    uint32_t fields_at; /* where the fields begin that may be removed */
    uint32_t dropped_attributes;
    uint16_t attributes, events, links;
    uint8_t data_class; /* POOL_512: inline */
    uint8_t status;
    uint32_t dropped_events, dropped_links;
    uint8_t inline_data[];
};

#define RECORD_INLINE ((uint32_t)(512 - sizeof(struct record)))
#define RECORD_MAX ((uint32_t)65536)

extern struct pool record_pool;

/* A free slot, reset; NULL when the pool is exhausted. Slow path: record_refill. */
bool record_refill(struct thread *self);

static inline struct record *record_take(struct thread *self, const struct scope *scope)
{
    if (__builtin_expect(self->free == NULL, 0) && !record_refill(self))
        return NULL;
    struct record *record = self->free;
    struct record *next = record->next;
    self->free = next;
    /* The next slot comes from the worker's cache: fetch its header and first bytes while this one is filled. */
    for (size_t line = 0; line < 4; line++)
        __builtin_prefetch((const void *)((uintptr_t)next + line * 64), 1);
    record->scope = scope;
    record->data = record->inline_data;
    record->size = 0;
    record->capacity = RECORD_INLINE;
    record->keys = 0;
    record->dropped_attributes = 0;
    record->attributes = record->events = record->links = 0;
    record->data_class = POOL_512;
    record->status = 0;
    record->dropped_events = record->dropped_links = 0;
    return record;
}

/* Puts a record that is not to be exported back. */
void record_discard(struct thread *self, struct record *record);

/* Gives the thread's free slots back to the pool. */
void record_release_free(struct thread *self);

/* Gives exported records, linked from first to last through `next`, back to the pool. For the worker. */
void record_free_chain(struct record *first);

/* A span may be used by several threads at once; its record is locked for each change, for some tens of nanoseconds. */
void record_lock_slow(struct record *record);

static inline void record_lock(struct record *record)
{
    if (__builtin_expect(atomic_exchange_explicit(&record->lock, 1, memory_order_acquire) != 0, 0))
        record_lock_slow(record);
}

static inline void record_unlock(struct record *record)
{
    atomic_store_explicit(&record->lock, 0, memory_order_release);
}

/* Moves the data to a bigger slot; false when there is none. */
bool record_grow(struct record *record, size_t extra);

/* Where `extra` more bytes may be written; NULL when they do not fit. The writer advances record->size. */
static inline uint8_t *record_reserve(struct record *record, size_t extra)
{
    if (__builtin_expect(record->capacity - record->size < extra, 0) && !record_grow(record, extra))
        return NULL;
    return record->data + record->size;
}

/* Removes every field `number` (singular ones that are to be written anew). */
void record_remove_field(struct record *record, uint32_t number);

/* Appends a string field; {NULL, 0} and "" append nothing. What does not fit is left out. */
void record_put_text(struct thread *self, struct record *record, uint32_t field, weir_str text);

struct attribute_limits {
    uint32_t count;
    uint32_t value_length; /* characters; TEXT_UNLIMITED */
};

/*
 * Adds or overwrites one attribute of the record itself (field SPAN_ATTRIBUTES or LOG_ATTRIBUTES), or drops and counts it.
 * record->attributes counts them.
 */
void record_put_attribute(struct thread *self, struct record *record, uint32_t field, const weir_attr *attr);

/* The limits of the settings in force for spans (SPAN_ATTRIBUTES), events and links, log records (LOG_ATTRIBUTES). */
struct attribute_limits record_limits(uint32_t field);

/* Appends an event or a link. */
struct event {
    weir_str name;
    uint64_t time_ns;
    weir_attrs attrs;
};
void record_put_event(struct thread *self, struct record *record, const struct event *event);
void record_put_link(struct thread *self, struct record *record, const weir_ctx *to, weir_attrs attrs);

/* Appends field `field` with an AnyValue; cut or left out when it does not fit. For log bodies. */
void record_put_value(struct thread *self, struct record *record, uint32_t field, const weir_attr *value);

/* ---- bytes: the caller has reserved room ---- */

static inline uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static inline size_t varint_size(uint64_t value)
{
    return (size_t)(9 * (63 - __builtin_clzll(value | 1)) + 73) / 64;
}

static inline uint8_t *put_fixed64(uint8_t *out, uint32_t field, uint64_t value)
{
    *out++ = (uint8_t)(field << 3 | 1);
    memcpy(out, &value, 8);
    return out + 8;
}

static inline uint8_t *put_id16(uint8_t *out, uint32_t field, const uint8_t *id)
{
    *out++ = (uint8_t)(field << 3 | 2);
    *out++ = 16;
    memcpy(out, id, 16);
    return out + 16;
}

static inline uint8_t *put_id8(uint8_t *out, uint32_t field, const uint8_t *id)
{
    *out++ = (uint8_t)(field << 3 | 2);
    *out++ = 8;
    memcpy(out, id, 8);
    return out + 8;
}

#endif
