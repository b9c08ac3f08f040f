/* A few atomics; two threads at the same moment may both tell of it. */
#include "exporters/stretch.h"

#include <stddef.h>

#include "collector/base/clock.h"

bool stretch_failed(struct stretch *stretch, const char *reason)
{
    const char *before = atomic_exchange_explicit(&stretch->reason, reason, memory_order_relaxed);

    if (before == NULL) {
        atomic_store_explicit(&stretch->since_ns, clock_monotonic_nanos(), memory_order_relaxed);
        atomic_store_explicit(&stretch->attempts, 0, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&stretch->attempts, 1, memory_order_relaxed);
    return before != reason;
}

bool stretch_worked(struct stretch *stretch, struct stretch_past *past)
{
    if (atomic_load_explicit(&stretch->reason, memory_order_relaxed) == NULL ||
        atomic_exchange_explicit(&stretch->reason, NULL, memory_order_relaxed) == NULL)
        return false;
    past->attempts = atomic_load_explicit(&stretch->attempts, memory_order_relaxed);
    past->seconds =
        (double)(clock_monotonic_nanos() - atomic_load_explicit(&stretch->since_ns, memory_order_relaxed)) / (double)NANOS_PER_SECOND;
    return true;
}
