/*
 * What stands around held spans, their resource and scope with everything beside them, once for all spans that share it.
 * Not thread-safe: each shard of the store has its own, behind its lock.
 */
#ifndef WEIR_TAIL_SAMPLING_HEADS_H
#define WEIR_TAIL_SAMPLING_HEADS_H

#include <stdatomic.h>

#include "collector/processors/tail_sampling/trace.h"

struct tail_held_head {
    uint64_t hash;
    uint8_t *data; /* owned; the group's fields, then the scope group's. NULL: the index is free, and `chain` the next free one */
    uint32_t size, group_size;
    uint32_t references;
    uint32_t chain; /* index of the next in the bucket; 0: none */
};

struct tail_heads {
    struct tail_held_head *items; /* owned; 0 stands for none */
    uint32_t *buckets;            /* owned */
    uint32_t count, capacity, bucket_count, used;
    uint32_t free;
    atomic_size_t *account; /* borrowed */
};

/* Bytes as they came, both parts in one piece, and their hash. */
struct tail_head_bytes {
    struct slice bytes;
    size_t group_size;
    uint64_t hash;
};

void tail_heads_fini(struct tail_heads *heads);
/* The index of an equal one, or of a new one without references; 0: memory is out. */
uint32_t tail_heads_find(struct tail_heads *heads, const struct tail_head_bytes *wanted);
void tail_heads_ref(struct tail_heads *heads, uint32_t index);
/* The last one frees it. */
void tail_heads_unref(struct tail_heads *heads, uint32_t index);

static inline struct tail_head tail_heads_get(const struct tail_heads *heads, uint32_t index)
{
    const struct tail_held_head *head = &heads->items[index];

    return (
        struct tail_head){ slice_of(head->data, head->group_size), slice_of(head->data + head->group_size, head->size - head->group_size) };
}

#endif
