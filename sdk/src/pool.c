/*
 * Slots of fixed sizes from one mapping. A slot keeps its size for ever: the mix of sizes is steady in practice, and
 * the mapping's size bounds the rest. One lock, held for a few pointer moves; callers take and give chains.
 * Threads: any.
 */
#include "sdk/src/pool.h"

#include <sys/mman.h>

enum pool_class pool_class_for(size_t size)
{
    unsigned which = POOL_512;

    while (which < POOL_CLASSES && pool_class_size((enum pool_class)which) < size)
        which++;
    return (enum pool_class)which;
}

void pool_resize(struct pool *pool, size_t size)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->base == NULL)
        pool->size = size;
    pthread_mutex_unlock(&pool->lock);
}

static bool map_locked(struct pool *pool)
{
    void *base = mmap(NULL, pool->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED)
        return false;
    pool->base = base;
    return true;
}

/* A new slot from the untouched end of the mapping, or NULL. */
static struct pool_slot *carve_locked(struct pool *pool, enum pool_class which)
{
    size_t size = pool_class_size(which);

    if ((pool->base == NULL && !map_locked(pool)) || pool->size - pool->used < size)
        return NULL;
    struct pool_slot *slot = (struct pool_slot *)(void *)(pool->base + pool->used);
    pool->used += size;
    return slot;
}

struct pool_slot *pool_take(struct pool *pool, enum pool_class which, unsigned count)
{
    struct pool_slot *chain = NULL;

    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < count; i++) {
        struct pool_slot *slot = pool->free[which];
        if (slot != NULL)
            pool->free[which] = slot->next;
        else
            slot = carve_locked(pool, which);
        if (slot == NULL)
            break;
        slot->next = chain;
        chain = slot;
    }
    pthread_mutex_unlock(&pool->lock);
    return chain;
}

void pool_give(struct pool *pool, enum pool_class which, struct pool_slot *first, struct pool_slot *last)
{
    pthread_mutex_lock(&pool->lock);
    last->next = pool->free[which];
    pool->free[which] = first;
    pthread_mutex_unlock(&pool->lock);
}

void pool_forget(struct pool *pool)
{
    pthread_mutex_init(&pool->lock, NULL);
    if (pool->base == NULL)
        return;
    madvise(pool->base, pool->used, MADV_DONTNEED);
    pool->used = 0;
    for (unsigned which = 0; which < POOL_CLASSES; which++)
        pool->free[which] = NULL;
}

size_t pool_used(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t used = pool->used;
    pthread_mutex_unlock(&pool->lock);
    return used;
}
