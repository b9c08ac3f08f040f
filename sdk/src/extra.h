/*
 * What a context carries besides its ids: tracestate and baggage, as header text. Immutable once shared, counted, and
 * checked by generation, so that a context used after its last reference loses its extras and nothing else.
 */
#ifndef WEIR_SDK_EXTRA_H
#define WEIR_SDK_EXTRA_H

#include <pthread.h>
#include <stdatomic.h>

#include "sdk/include/weir/context.h"

enum { EXTRA_TRACESTATE_MAX = 32 * 514, EXTRA_BAGGAGE_MAX = 8192 };

struct extra {
    struct extra *next;     /* while free */
    _Atomic uint64_t state; /* generation << 32 | references */
    uint32_t slot_class;    /* POOL_CLASSES: immortal */
    uint32_t tracestate_size;
    uint32_t baggage_size;
    char text[]; /* tracestate, then baggage */
};

/* A new extra with one reference and room for both texts; NULL when there is no memory. */
struct extra *extra_create(size_t tracestate_size, size_t baggage_size);

/* An extra that is never freed and so not counted, since many threads share it. Sets the size of its tracestate. */
void extra_make_immortal(struct extra *extra, size_t tracestate_size);

/* Gives the context the extra and its reference (take). extra may be NULL. The context's old one is not touched. */
void extra_bind(weir_ctx *ctx, struct extra *extra);

/* The context's extra, NULL when it has none or it is gone. Borrowed as long as the context's reference. */
static inline const struct extra *extra_of(const weir_ctx *ctx)
{
    const struct extra *extra = ctx != NULL ? (const struct extra *)ctx->extra_ : NULL;

    if (__builtin_expect(extra == NULL, 1))
        return NULL;
    uint64_t state = atomic_load_explicit(&extra->state, memory_order_acquire);
    return state >> 32 == ctx->generation_ && (state & UINT32_MAX) != 0 ? extra : NULL;
}

/* Takes a reference; a context whose extra is gone forgets it. True when a reference was taken. */
bool extra_ref(weir_ctx *ctx);
void extra_unref(weir_ctx *ctx);

static inline weir_str extra_tracestate(const struct extra *extra)
{
    return extra != NULL && extra->tracestate_size != 0 ? weir_sn(extra->text, extra->tracestate_size) : weir_sn(NULL, 0);
}

static inline weir_str extra_baggage(const struct extra *extra)
{
    return extra != NULL && extra->baggage_size != 0 ? weir_sn(extra->text + extra->tracestate_size, extra->baggage_size)
                                                     : weir_sn(NULL, 0);
}

void extra_lock_all(void);
void extra_unlock_all(void);
void extra_after_fork_child(void);

#endif
