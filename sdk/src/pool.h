/*
 * Memory for records and context extras: slots of four sizes carved from one mapping of fixed size.
 * Never grows, never returns memory to the system, never calls malloc, so that a stale pointer always points at a slot.
 */
#ifndef WEIR_SDK_POOL_H
#define WEIR_SDK_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pool_class { POOL_512, POOL_2K, POOL_8K, POOL_64K, POOL_CLASSES };

/* Every slot begins with this word while it is free; the owner may use it while it is not. */
struct pool_slot {
    struct pool_slot *next;
};

struct pool {
    pthread_mutex_t lock;
    uint8_t *base;
    size_t size;
    size_t used; /* carved so far */
    struct pool_slot *free[POOL_CLASSES];
};

static inline size_t pool_class_size(enum pool_class which)
{
    return (size_t)512 << (which == POOL_64K ? 7 : 2 * (unsigned)which);
}

/* The smallest class of at least `size` bytes; POOL_CLASSES when there is none. */
enum pool_class pool_class_for(size_t size);

/* A pool of `size` bytes of address space, mapped when the first slot is taken. */
#define POOL_INITIALIZER(size_)                                                                                                            \
    {                                                                                                                                      \
        .lock = PTHREAD_MUTEX_INITIALIZER, .size = (size_)                                                                                 \
    }

/* Changes the size of a pool that is not mapped yet; else does nothing. */
void pool_resize(struct pool *pool, size_t size);

/* Up to `count` slots linked through `next`, NULL when the pool is exhausted. Fresh slots are zeroed, used ones are not. */
struct pool_slot *pool_take(struct pool *pool, enum pool_class which, unsigned count);

/* Gives back the slots linked from first to last. */
void pool_give(struct pool *pool, enum pool_class which, struct pool_slot *first, struct pool_slot *last);

/* In the child of a fork: forgets every slot and gives the pages back to the system. No lock may be held by others. */
void pool_forget(struct pool *pool);

/* Bytes carved so far: the most that was ever in use, nearly. */
size_t pool_used(struct pool *pool);

#endif
