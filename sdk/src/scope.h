/* Instrumentation scopes as the exporter needs them: encoded once, kept for the life of the process. */
#ifndef WEIR_SDK_SCOPE_H
#define WEIR_SDK_SCOPE_H

#include <stdatomic.h>

#include "collector/base/slice.h"
#include "sdk/include/weir/trace.h"

struct scope {
    struct scope *next;
    struct slice encoded;    /* content of the InstrumentationScope message; owned */
    struct slice schema_url; /* owned */
    uint32_t mark;           /* the worker's: where in the batch under construction this scope is */
};

/* The slow path: finds or makes the scope; the empty one when out of memory. Takes a lock and allocates. */
const struct scope *scope_bind(weir_scope *scope);

/* NULL gives the scope without a name. */
static inline const struct scope *scope_of(weir_scope *scope)
{
    if (__builtin_expect(scope != NULL, 1)) {
        const struct scope *bound = (const struct scope *)__atomic_load_n(&scope->bound_, __ATOMIC_ACQUIRE);
        if (__builtin_expect(bound != NULL, 1))
            return bound;
    }
    return scope_bind(scope);
}

void scope_lock_all(void);
void scope_unlock_all(void);
void scope_after_fork_child(void);

#endif
