/*
 * Held spans: their wire bytes, one after the other in chunks, in the order in which they came. What came together ends together,
 * so that chunks empty as a whole; those that do not are emptied by whoever owns the records (see sparse).
 *
 * Cost: 20 bytes a span beside its own. Not thread-safe: each shard of the store has its own, behind its lock.
 */
#ifndef WEIR_TAIL_SAMPLING_CHUNKS_H
#define WEIR_TAIL_SAMPLING_CHUNKS_H

#include <stdatomic.h>

#include "collector/base/payload.h"

/* The span's bytes follow it. */
struct tail_record {
    uint32_t size;
    uint32_t trace;  /* index of its trace; TAIL_RECORD_DEAD: released */
    uint32_t next;   /* position of the next one of its trace; 0: none */
    uint32_t head;   /* index of its head */
    uint32_t holder; /* index of who waits for it; 0: nobody */
};

#define TAIL_RECORD_DEAD UINT32_MAX

enum { TAIL_CHUNK_SIZE = 256 * 1024 - 64, TAIL_CHUNKS_MAX = 65536 };

struct tail_chunk {
    struct payload *payload; /* NULL: the number is free, and `used` the next free one */
    uint32_t used, live;
};

struct tail_chunks {
    struct tail_chunk *items; /* owned */
    uint32_t count, capacity;
    uint32_t active;        /* index + 1; 0: none */
    uint32_t free;          /* index + 1 */
    size_t bytes;           /* of all chunks */
    size_t live;            /* of records that are not released */
    atomic_size_t *account; /* borrowed; bytes are added to it */
};

void tail_chunks_fini(struct tail_chunks *chunks);

/* Copies the span; `record` says the rest. Returns its position, never 0; 0: memory is out. */
uint32_t tail_chunks_put(struct tail_chunks *chunks, const struct tail_record *record, const uint8_t *body);

/* Valid until the record is released. */
static inline struct tail_record *tail_chunks_at(const struct tail_chunks *chunks, uint32_t position)
{
    return (struct tail_record *)(void *)(chunks->items[position >> 16].payload->data + (size_t)(position & 0xffff) * 4);
}

static inline struct slice tail_record_body(const struct tail_record *record)
{
    return slice_of((const uint8_t *)(record + 1), record->size);
}

void tail_chunks_release(struct tail_chunks *chunks, uint32_t position);

/* A chunk that is mostly released, while more than a quarter of all is: its index + 1; 0: none. Looks from `from` on, at a few. */
uint32_t tail_chunks_sparse(const struct tail_chunks *chunks, uint32_t *from);

/* Walks the records of one chunk, the released ones too: position of the one behind `position` (0: the first); 0: the end. */
uint32_t tail_chunks_walk(const struct tail_chunks *chunks, uint32_t number, uint32_t position);

#endif
