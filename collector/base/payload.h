/*
 * A payload is a reference-counted block of received or produced bytes. Every payload is charged, with its
 * whole capacity, to one process-wide account of bytes in flight; that is what the memory ceiling limits.
 *
 * Threads: ref, unref and the account are safe from any thread. The bytes are written by the one owner
 * before the payload is shared, and never after.
 */
#ifndef WEIR_BASE_PAYLOAD_H
#define WEIR_BASE_PAYLOAD_H

#include <stdatomic.h>

#include "collector/base/slice.h"

struct payload {
    atomic_uint references;
    size_t size;     /* bytes in use; the owner sets it */
    size_t capacity; /* bytes usable at data */
    uint8_t data[];
};

/* One reference, size 0. NULL when memory is out. Asking whether it may be allocated is the caller's (admission). */
struct payload *payload_create(size_t capacity);

/* The same payload with at least `capacity`; only while there is one reference. NULL: memory out, the old one stays. */
struct payload *payload_resize(struct payload *payload, size_t capacity);

struct payload *payload_ref(struct payload *payload);

/* unref(NULL) is fine. */
void payload_unref(struct payload *payload);

static inline struct slice payload_slice(const struct payload *payload)
{
    return (struct slice){ payload->data, payload->size };
}

/* Bytes in flight now, and the highest they have been since start. */
size_t payload_bytes_in_flight(void);
size_t payload_bytes_peak(void);

#endif
