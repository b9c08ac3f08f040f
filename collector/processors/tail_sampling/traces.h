/*
 * Traces by id: those that are held, and those whose decision is remembered. 64 bytes each, in pages; four lists in the order of
 * time say who is next. Not thread-safe: each shard of the store has its own, behind its lock.
 */
#ifndef WEIR_TAIL_SAMPLING_TRACES_H
#define WEIR_TAIL_SAMPLING_TRACES_H

#include <stdatomic.h>

#include "collector/base/payload.h"

/* Which list a trace stands in. */
enum tail_state {
    TAIL_WAITING,  /* by arrival */
    TAIL_ROOTED,   /* its root has come, which brings its decision forward; by the root's arrival */
    TAIL_FLUSHING, /* sampled; its spans are on their way out */
    TAIL_DECIDED,  /* remembered; it has no spans any more */
    TAIL_STATE_COUNT
};

struct tail_entry {
    uint8_t id[16];
    uint64_t bytes;          /* of its spans with their heads, as a request would hold them */
    uint32_t chain;          /* next in the bucket; of a free entry: the next free one */
    uint32_t previous, next; /* in the list */
    uint32_t first, last;    /* positions of records; 0: none */
    uint32_t fresh;          /* first record that no policy has seen, with span-ingest; 0: none */
    uint32_t spans;
    uint32_t since_ms; /* when it came to its list; wraps */
    uint16_t policy;   /* names (store.h) of who decided; 0: nobody */
    uint16_t composite;
    uint8_t state, decision; /* enum tail_state, enum tail_decision */
    bool forget;             /* to be removed once it has no spans */
};

struct tail_list {
    uint32_t first, last;
};

enum { TAIL_PAGE_ENTRIES = 4096 };
#define TAIL_ENTRIES_MAX UINT32_C(0x7fffffff) /* most entries of a shard */

struct tail_traces {
    struct payload **pages; /* owned */
    uint32_t page_count;
    uint32_t *buckets; /* owned */
    uint32_t bucket_count;
    uint32_t top; /* entries ever used, with 0, which stands for none */
    uint32_t free;
    uint32_t count; /* in all lists */
    struct tail_list lists[TAIL_STATE_COUNT];
    atomic_size_t *account; /* borrowed */
};

void tail_traces_fini(struct tail_traces *traces);
/* Room for as many without another look for memory, where there is memory. */
void tail_traces_reserve(struct tail_traces *traces, uint32_t count);

static inline struct tail_entry *tail_traces_at(const struct tail_traces *traces, uint32_t index)
{
    return (struct tail_entry *)(void *)traces->pages[index / TAIL_PAGE_ENTRIES]->data + index % TAIL_PAGE_ENTRIES;
}

/* 0: there is none. */
uint32_t tail_traces_find(const struct tail_traces *traces, const uint8_t id[16], uint64_t hash);
/* A new one at the end of TAIL_WAITING; the id must be new. 0: memory is out. */
uint32_t tail_traces_add(struct tail_traces *traces, const uint8_t id[16], uint64_t hash);
void tail_traces_remove(struct tail_traces *traces, uint32_t index);
/* To the end of a list. */
void tail_traces_move(struct tail_traces *traces, uint32_t index, enum tail_state state, uint32_t now_ms);

/* The hash that the functions above take. */
uint64_t tail_traces_hash(const uint8_t id[16]);

/* Brings memory that a lookup will need nearer: first every bucket, then every entry. */
static inline void tail_traces_prefetch(const struct tail_traces *traces, uint64_t hash)
{
    if (traces->bucket_count > 0)
        __builtin_prefetch(&traces->buckets[hash & (traces->bucket_count - 1)]);
}
static inline void tail_traces_prefetch_entry(const struct tail_traces *traces, uint64_t hash)
{
    uint32_t index = traces->bucket_count > 0 ? traces->buckets[hash & (traces->bucket_count - 1)] : 0;

    if (index != 0)
        __builtin_prefetch(tail_traces_at(traces, index));
}

#endif
