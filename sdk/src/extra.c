/*
 * Context extras, in slots of a pool of their own (4 MiB at most): contexts that a fork's child inherits stay readable there.
 * A reference costs one compare-and-swap. Threads: any; signal-safe but for create.
 */
#include "sdk/src/extra.h"

#include "sdk/src/pool.h"

static struct pool pool = POOL_INITIALIZER((size_t)4 << 20);

struct extra *extra_create(size_t tracestate_size, size_t baggage_size)
{
    if (tracestate_size > EXTRA_TRACESTATE_MAX || baggage_size > EXTRA_BAGGAGE_MAX)
        return NULL;
    enum pool_class which = pool_class_for(sizeof(struct extra) + tracestate_size + baggage_size);
    struct extra *extra = (struct extra *)(void *)pool_take(&pool, which, 1);
    if (extra == NULL)
        return NULL;
    uint64_t generation = (atomic_load_explicit(&extra->state, memory_order_relaxed) >> 32) + 1;
    extra->slot_class = (uint32_t)which;
    extra->tracestate_size = (uint32_t)tracestate_size;
    extra->baggage_size = (uint32_t)baggage_size;
    atomic_store_explicit(&extra->state, (generation & UINT32_MAX) << 32 | 1, memory_order_release);
    return extra;
}

void extra_make_immortal(struct extra *extra, size_t tracestate_size)
{
    extra->slot_class = POOL_CLASSES;
    extra->tracestate_size = (uint32_t)tracestate_size;
}

void extra_bind(weir_ctx *ctx, struct extra *extra)
{
    ctx->extra_ = extra;
    ctx->generation_ = extra != NULL ? (uint32_t)(atomic_load_explicit(&extra->state, memory_order_relaxed) >> 32) : 0;
}

bool extra_ref(weir_ctx *ctx)
{
    struct extra *extra = (struct extra *)(uintptr_t)ctx->extra_;

    if (extra == NULL)
        return false;
    if (extra->slot_class == POOL_CLASSES)
        return true;
    uint64_t state = atomic_load_explicit(&extra->state, memory_order_relaxed);
    while (state >> 32 == ctx->generation_ && (state & UINT32_MAX) != 0) {
        if (atomic_compare_exchange_weak_explicit(&extra->state, &state, state + 1, memory_order_acquire, memory_order_relaxed))
            return true;
    }
    ctx->extra_ = NULL;
    return false;
}

void extra_unref(weir_ctx *ctx)
{
    struct extra *extra = (struct extra *)(uintptr_t)ctx->extra_;

    ctx->extra_ = NULL;
    if (extra == NULL || extra->slot_class == POOL_CLASSES)
        return;
    uint64_t state = atomic_load_explicit(&extra->state, memory_order_relaxed);
    while (state >> 32 == ctx->generation_ && (state & UINT32_MAX) != 0) {
        if (!atomic_compare_exchange_weak_explicit(&extra->state, &state, state - 1, memory_order_acq_rel, memory_order_relaxed))
            continue;
        if (((state - 1) & UINT32_MAX) == 0)
            pool_give(&pool, (enum pool_class)extra->slot_class, (struct pool_slot *)(void *)extra, (struct pool_slot *)(void *)extra);
        return;
    }
}

void extra_lock_all(void)
{
    pthread_mutex_lock(&pool.lock);
}

void extra_unlock_all(void)
{
    pthread_mutex_unlock(&pool.lock);
}

void extra_after_fork_child(void)
{
    pthread_mutex_init(&pool.lock, NULL);
}
