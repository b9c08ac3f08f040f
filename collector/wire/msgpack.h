/*
 * MessagePack, as far as a receiver needs it: items one by one, skipping, and finding the end of a message in bytes that are still coming.
 * Nothing is allocated but the buffer that a value is written to. I/O-free. Implements https://github.com/msgpack/msgpack/blob/master/spec.md
 */
#ifndef WEIR_WIRE_MSGPACK_H
#define WEIR_WIRE_MSGPACK_H

#include "collector/base/buffer.h"
#include "collector/base/slice.h"

enum msgpack_kind {
    MSGPACK_NIL,
    MSGPACK_BOOL,
    MSGPACK_INT,
    MSGPACK_UINT, /* above INT64_MAX only; the rest is an INT */
    MSGPACK_DOUBLE,
    MSGPACK_STRING,
    MSGPACK_BINARY,
    MSGPACK_ARRAY,
    MSGPACK_MAP,
    MSGPACK_EXTENSION,
};

struct msgpack_item {
    enum msgpack_kind kind;
    int64_t integer; /* BOOL, INT; UINT as its bits */
    double number;
    struct slice bytes; /* STRING, BINARY, EXTENSION: the content */
    uint32_t count;     /* ARRAY: items that follow; MAP: pairs */
    int8_t extension;   /* EXTENSION: its type */
};

struct msgpack_reader {
    const uint8_t *at, *end;
    bool failed; /* truncated, or the byte that means nothing (0xc1); sticky */
};

static inline struct msgpack_reader msgpack_reader_of(struct slice bytes)
{
    return (struct msgpack_reader){ bytes.data, bytes.size > 0 ? bytes.data + bytes.size : bytes.data, false };
}

/* The next item, of arrays and maps the head only. false: failed (there is no end to ask for; look at reader->at). */
bool msgpack_next(struct msgpack_reader *reader, struct msgpack_item *item);

/* Passes over the next item with all that is in it; bounded by the bytes that are there, whatever it claims to hold. */
bool msgpack_skip(struct msgpack_reader *reader);

/* The next item as the content of an AnyValue: binaries that are text, and strings, as strings; extensions as bytes. Map keys must be text or whole
 * numbers. false when it failed or is nested beyond OTLP_MAX_DEPTH; `out` holds rubbish then. *repaired counts strings that were not UTF-8. */
bool msgpack_read_value(struct msgpack_reader *reader, struct buffer *out, size_t *repaired);

/* ---- where a message ends ---- */

enum msgpack_scanned { MSGPACK_MORE, MSGPACK_WHOLE, MSGPACK_BAD };

/* Zeroed at a message's start; keeps its place, so that bytes that come in pieces are looked at once. */
struct msgpack_scan {
    size_t offset;    /* after WHOLE: the message's size */
    uint64_t pending; /* items that are still to come */
    bool begun;
};

/* `bytes`: the message from its first byte on, as far as it came. BAD: it is none, or cannot be within `limit` bytes. */
enum msgpack_scanned msgpack_scan(struct msgpack_scan *scan, struct slice bytes, size_t limit);

#endif
