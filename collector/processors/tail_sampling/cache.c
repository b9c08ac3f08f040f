/* The decision cache: a hash table whose entries are linked by the time of their last use. 28 bytes a trace. */
#include "collector/processors/tail_sampling/cache.h"

#include <stdlib.h>
#include <string.h>

#include "collector/base/hash.h"

void tail_cache_fini(struct tail_cache *cache)
{
    free(cache->items);
    free(cache->buckets);
    *cache = (struct tail_cache){ .items = NULL };
}

void tail_cache_set_capacity(struct tail_cache *cache, uint32_t capacity)
{
    if (capacity < cache->capacity)
        tail_cache_fini(cache);
    cache->capacity = capacity;
}

static uint32_t *bucket_of(struct tail_cache *cache, uint64_t key)
{
    return &cache->buckets[hash_bytes(slice_of(&key, sizeof(key))) & (cache->bucket_count - 1)];
}

static uint64_t key_of(const uint8_t id[16])
{
    uint64_t key;

    memcpy(&key, id + 8, sizeof(key));
    return key;
}

static uint32_t find(struct tail_cache *cache, uint64_t key)
{
    uint32_t index = cache->bucket_count > 0 ? *bucket_of(cache, key) : 0;

    while (index != 0 && cache->items[index].key != key)
        index = cache->items[index].chain;
    return index;
}

/* ---- order of use ---- */

static void detach(struct tail_cache *cache, uint32_t index)
{
    const struct tail_cached *item = &cache->items[index];

    if (item->newer != 0)
        cache->items[item->newer].older = item->older;
    else
        cache->newest = item->older;
    if (item->older != 0)
        cache->items[item->older].newer = item->newer;
    else
        cache->oldest = item->newer;
}

static void attach(struct tail_cache *cache, uint32_t index)
{
    struct tail_cached *item = &cache->items[index];

    item->newer = 0;
    item->older = cache->newest;
    if (cache->newest != 0)
        cache->items[cache->newest].newer = index;
    else
        cache->oldest = index;
    cache->newest = index;
}

/* ---- room ---- */

static bool grow(struct tail_cache *cache)
{
    uint32_t room = cache->room > 0 ? cache->room * 2 : 256, count = 1;
    struct tail_cached *items;
    uint32_t *buckets;

    if (room > cache->capacity)
        room = cache->capacity;
    while (count < room)
        count *= 2;
    items = realloc(cache->items, ((size_t)room + 1) * sizeof(*items));
    if (items == NULL)
        return false;
    cache->items = items;
    buckets = calloc(count, sizeof(*buckets));
    if (buckets == NULL)
        return false;
    free(cache->buckets);
    cache->buckets = buckets;
    cache->bucket_count = count;
    cache->room = room;
    for (uint32_t i = 1; i <= cache->used; i++) {
        uint32_t *bucket = bucket_of(cache, items[i].key);
        items[i].chain = *bucket;
        *bucket = i;
    }
    return true;
}

static uint32_t take_oldest(struct tail_cache *cache)
{
    uint32_t index = cache->oldest, *link = bucket_of(cache, cache->items[index].key);

    while (*link != index)
        link = &cache->items[*link].chain;
    *link = cache->items[index].chain;
    detach(cache, index);
    return index;
}

void tail_cache_put(struct tail_cache *cache, const uint8_t id[16], uint16_t policy)
{
    uint64_t key = key_of(id);
    uint32_t index = find(cache, key), *bucket;

    if (cache->capacity == 0)
        return;
    if (index != 0) {
        detach(cache, index);
    } else {
        if (cache->used == cache->room && cache->room < cache->capacity && !grow(cache) && cache->room == 0)
            return;
        index = cache->used < cache->room ? ++cache->used : take_oldest(cache);
        cache->items[index].key = key;
        bucket = bucket_of(cache, key);
        cache->items[index].chain = *bucket;
        *bucket = index;
    }
    cache->items[index].policy = policy;
    attach(cache, index);
}

bool tail_cache_get(struct tail_cache *cache, const uint8_t id[16], uint16_t *policy)
{
    uint32_t index = find(cache, key_of(id));

    if (index == 0)
        return false;
    *policy = cache->items[index].policy;
    detach(cache, index);
    attach(cache, index);
    return true;
}
