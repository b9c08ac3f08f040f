/* Per-thread counts: written by their thread only, read by any. */
#ifndef WEIR_SDK_COUNTERS_H
#define WEIR_SDK_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum counter {
    COUNT_SPANS_STARTED,
    COUNT_SPANS_UNSAMPLED,
    COUNT_SPANS_ENDED,
    COUNT_SPANS_DROPPED,
    COUNT_LOGS_RECORDED,
    COUNT_LOGS_DROPPED,
    COUNT_ATTRIBUTES_DROPPED,
    COUNT_TEXT_REPAIRED,
    COUNTERS
};

struct counters {
    _Atomic uint64_t value[COUNTERS];
};

static inline void count(struct counters *counters, enum counter which, uint64_t n)
{
    uint64_t old = atomic_load_explicit(&counters->value[which], memory_order_relaxed);
    atomic_store_explicit(&counters->value[which], old + n, memory_order_relaxed);
}

/* For counts that several threads share. */
static inline void count_shared(struct counters *counters, enum counter which, uint64_t n)
{
    atomic_fetch_add_explicit(&counters->value[which], n, memory_order_relaxed);
}

#endif
