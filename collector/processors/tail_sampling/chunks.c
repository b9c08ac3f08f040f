/* Chunks of held spans; see chunks.h. A span that is larger than a chunk gets one of its own. */
#include "collector/processors/tail_sampling/chunks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 4 }; /* so that no position is 0 */

static size_t room_of(uint32_t body)
{
    return (sizeof(struct tail_record) + body + 3U) & ~(size_t)3;
}

static void charge(struct tail_chunks *chunks, size_t bytes, bool on)
{
    chunks->bytes = on ? chunks->bytes + bytes : chunks->bytes - bytes;
    if (on)
        atomic_fetch_add_explicit(chunks->account, bytes, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(chunks->account, bytes, memory_order_relaxed);
}

static void free_chunk(struct tail_chunks *chunks, uint32_t index)
{
    struct tail_chunk *chunk = &chunks->items[index];

    charge(chunks, chunk->payload->capacity, false);
    payload_unref(chunk->payload);
    *chunk = (struct tail_chunk){ NULL, chunks->free, 0 };
    chunks->free = index + 1;
}

void tail_chunks_fini(struct tail_chunks *chunks)
{
    for (uint32_t i = 0; i < chunks->count; i++) {
        if (chunks->items[i].payload != NULL)
            free_chunk(chunks, i);
    }
    free(chunks->items);
    *chunks = (struct tail_chunks){ .account = chunks->account };
}

static bool take_number(struct tail_chunks *chunks, uint32_t *index)
{
    if (chunks->free != 0) {
        *index = chunks->free - 1;
        chunks->free = chunks->items[*index].used;
        return true;
    }
    if (chunks->count == TAIL_CHUNKS_MAX)
        return false;
    if (chunks->count == chunks->capacity) {
        uint32_t capacity = chunks->capacity > 0 ? chunks->capacity * 2 : 16;
        struct tail_chunk *items = realloc(chunks->items, capacity * sizeof(*items));
        if (items == NULL)
            return false;
        chunks->items = items;
        chunks->capacity = capacity;
    }
    *index = chunks->count++;
    return true;
}

/* index + 1; 0: memory is out. */
static uint32_t make_chunk(struct tail_chunks *chunks, size_t size)
{
    struct payload *payload = payload_create(size);
    uint32_t index;

    if (payload == NULL)
        return 0;
    if (!take_number(chunks, &index)) {
        payload_unref(payload);
        return 0;
    }
    chunks->items[index] = (struct tail_chunk){ payload, FIRST, 0 };
    charge(chunks, payload->capacity, true);
    return index + 1;
}

/* The chunk to write to: the active one, a new active one, or one of its own; index + 1. */
static uint32_t chunk_for(struct tail_chunks *chunks, size_t room)
{
    uint32_t before = chunks->active;

    if (room + FIRST > TAIL_CHUNK_SIZE)
        return room < UINT32_MAX - FIRST ? make_chunk(chunks, room + FIRST) : 0;
    if (before != 0 && TAIL_CHUNK_SIZE - chunks->items[before - 1].used >= room)
        return before;
    chunks->active = make_chunk(chunks, TAIL_CHUNK_SIZE);
    if (before != 0 && chunks->items[before - 1].live == 0)
        free_chunk(chunks, before - 1);
    return chunks->active;
}

uint32_t tail_chunks_put(struct tail_chunks *chunks, const struct tail_record *record, const uint8_t *body)
{
    size_t room = room_of(record->size);
    uint32_t number = chunk_for(chunks, room), position;
    struct tail_chunk *chunk;
    uint8_t *at;

    if (number == 0)
        return 0;
    chunk = &chunks->items[number - 1];
    at = chunk->payload->data + chunk->used;
    memcpy(at, record, sizeof(*record));
    if (record->size > 0)
        memcpy(at + sizeof(*record), body, record->size);
    position = (number - 1) << 16 | chunk->used / 4;
    chunk->used += (uint32_t)room;
    chunk->live += (uint32_t)room;
    chunks->live += room;
    return position;
}

void tail_chunks_release(struct tail_chunks *chunks, uint32_t position)
{
    uint32_t index = position >> 16;
    struct tail_chunk *chunk = &chunks->items[index];
    struct tail_record *record = tail_chunks_at(chunks, position);
    size_t room = room_of(record->size);

    assert(record->trace != TAIL_RECORD_DEAD && chunk->live >= room);
    record->trace = TAIL_RECORD_DEAD;
    chunk->live -= (uint32_t)room;
    chunks->live -= room;
    if (chunk->live > 0)
        return;
    if (chunks->active == index + 1)
        chunk->used = FIRST;
    else
        free_chunk(chunks, index);
}

uint32_t tail_chunks_sparse(const struct tail_chunks *chunks, uint32_t *from)
{
    enum { LOOKS = 64 };

    if (chunks->bytes < 4 * (size_t)TAIL_CHUNK_SIZE || chunks->live >= chunks->bytes - chunks->bytes / 4)
        return 0;
    for (uint32_t i = 0; i < LOOKS && i < chunks->count; i++) {
        uint32_t index = *from < chunks->count ? *from : 0;
        const struct tail_chunk *chunk = &chunks->items[index];

        *from = index + 1;
        if (chunk->payload != NULL && index + 1 != chunks->active && chunk->live < chunk->used / 2)
            return index + 1;
    }
    return 0;
}

uint32_t tail_chunks_walk(const struct tail_chunks *chunks, uint32_t number, uint32_t position)
{
    const struct tail_chunk *chunk = &chunks->items[number - 1];
    size_t offset = FIRST;

    if (position != 0)
        offset = (size_t)(position & 0xffff) * 4 + room_of(tail_chunks_at(chunks, position)->size);
    return offset < chunk->used ? (number - 1) << 16 | (uint32_t)(offset / 4) : 0;
}
