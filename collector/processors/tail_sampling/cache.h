/*
 * Trace ids of decisions beyond those that the table of traces remembers: the least recently used ones are forgotten first. Keyed by the
 * right half of the id, as the OpenTelemetry Collector's. Not thread-safe: each shard has its own, behind its lock.
 */
#ifndef WEIR_TAIL_SAMPLING_CACHE_H
#define WEIR_TAIL_SAMPLING_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct tail_cached {
    uint64_t key;
    uint32_t chain, newer, older; /* index; 0: none */
    uint16_t policy;
};

struct tail_cache {
    struct tail_cached *items; /* owned; grows up to the capacity; 0 stands for none */
    uint32_t *buckets;         /* owned */
    uint32_t bucket_count, used, room, capacity;
    uint32_t newest, oldest;
};

/* capacity 0: it remembers nothing. A smaller one than before forgets everything. */
void tail_cache_set_capacity(struct tail_cache *cache, uint32_t capacity);
void tail_cache_fini(struct tail_cache *cache);
/* Out of memory: it is not remembered. */
void tail_cache_put(struct tail_cache *cache, const uint8_t id[16], uint16_t policy);
/* True, with who decided, when it is there. */
bool tail_cache_get(struct tail_cache *cache, const uint8_t id[16], uint16_t *policy);

#endif
