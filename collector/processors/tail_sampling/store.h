/*
 * The store of held spans: shards by trace id, each with its own lock. It outlives the processor that made it when a reload brings
 * another one in its place.
 *
 * Threads: a shard's members only with its lock held; the account and the counts are atomics; names are added on the control
 * thread, before anybody can ask for them.
 */
#ifndef WEIR_TAIL_SAMPLING_STORE_H
#define WEIR_TAIL_SAMPLING_STORE_H

#include <pthread.h>

#include "collector/batch.h"
#include "collector/processors/tail_sampling/cache.h"
#include "collector/processors/tail_sampling/chunks.h"
#include "collector/processors/tail_sampling/heads.h"
#include "collector/processors/tail_sampling/traces.h"

/* A request whose source still waits for what becomes of it: as long as spans of it are held in this shard. */
struct tail_holder {
    struct batch *handle; /* of no bytes, with its receipt; NULL: the index is free, and `spans` the next free one */
    uint32_t spans;
    uint64_t mark; /* the output that has a share of it */
};

struct tail_shard {
    pthread_mutex_t lock;
    struct tail_chunks chunks;
    struct tail_heads heads;
    struct tail_traces traces;
    struct tail_cache sampled, not_sampled;
    struct tail_holder *holders; /* owned; 0 stands for nobody */
    uint32_t holder_count, holder_capacity, holder_free;
    uint32_t sweep; /* where the search for sparse chunks goes on */
};

enum { TAIL_SHARDS_MAX = 16, TAIL_NAMES_MAX = 4096 };

struct tail_store {
    struct tail_shard *shards;   /* owned */
    size_t shard_count;          /* a power of two */
    atomic_size_t bytes;         /* of everything that is held */
    atomic_size_t traces;        /* held and remembered */
    atomic_size_t open;          /* held */
    atomic_size_t spans;         /* held */
    atomic_int users;            /* on their way through it */
    char *names[TAIL_NAMES_MAX]; /* owned; of policies, 0 stands for none */
    atomic_size_t name_count;
};

/* Aborts when memory is out. */
struct tail_store *tail_store_create(size_t shard_count);
/* Waits for its users; whoever still waits for spans in it is told to send them again. NULL is fine. */
void tail_store_destroy(struct tail_store *store);
void tail_store_set_caches(struct tail_store *store, int64_t sampled, int64_t not_sampled);

/* Control thread only. 0 when there is no room for more names. */
uint16_t tail_store_name(struct tail_store *store, const char *name);

static inline struct tail_shard *tail_store_shard(const struct tail_store *store, uint64_t hash)
{
    return &store->shards[(hash >> 48) & (store->shard_count - 1)];
}

/* ---- all with the shard's lock held ---- */

/* Takes the handle. 0: memory is out, and the handle is the caller's still. */
uint32_t tail_shard_add_holder(struct tail_shard *shard, struct batch *handle);
/* One span less; the handle of the last one goes to the front of *ended, to be settled without the lock. */
void tail_shard_leave_holder(struct tail_shard *shard, uint32_t index, struct batch **ended);

/* Appends a span to a trace. False: memory is out, and nothing has changed. */
struct tail_addition {
    struct slice body;
    uint32_t head, holder;
};
bool tail_shard_append(struct tail_shard *shard, uint32_t index, const struct tail_addition *addition);

/* Releases the trace's first record. */
void tail_shard_release_first(struct tail_shard *shard, struct tail_entry *entry, struct batch **ended);

/* Moves what is left in a sparse chunk, so that it can be freed. False: there was none. */
bool tail_shard_compact(struct tail_shard *shard);

#endif
