/*
 * Payloads on the C library's heap, with one account of all bytes in flight.
 *
 * Cost: an allocation, two atomic adds and the reference counts; all per request, none per record.
 */
#include "collector/base/payload.h"

#include <assert.h>
#include <stdlib.h>

static atomic_size_t in_flight;
static atomic_size_t peak;

static void charge(size_t bytes)
{
    size_t now = atomic_fetch_add_explicit(&in_flight, bytes, memory_order_relaxed) + bytes;
    size_t highest = atomic_load_explicit(&peak, memory_order_relaxed);

    while (now > highest && !atomic_compare_exchange_weak_explicit(&peak, &highest, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

static void discharge(size_t bytes)
{
    atomic_fetch_sub_explicit(&in_flight, bytes, memory_order_relaxed);
}

struct payload *payload_create(size_t capacity)
{
    struct payload *payload;

    if (capacity > SIZE_MAX - sizeof(*payload))
        return NULL;
    payload = malloc(sizeof(*payload) + capacity);
    if (payload == NULL)
        return NULL;
    atomic_init(&payload->references, 1);
    payload->size = 0;
    payload->capacity = capacity;
    charge(capacity);
    return payload;
}

struct payload *payload_resize(struct payload *payload, size_t capacity)
{
    struct payload *resized;
    size_t before = payload->capacity;

    assert(atomic_load(&payload->references) == 1);
    assert(capacity >= payload->size);
    if (capacity > SIZE_MAX - sizeof(*payload))
        return NULL;
    resized = realloc(payload, sizeof(*payload) + capacity);
    if (resized == NULL)
        return NULL;
    resized->capacity = capacity;
    charge(capacity);
    discharge(before);
    return resized;
}

struct payload *payload_ref(struct payload *payload)
{
    atomic_fetch_add_explicit(&payload->references, 1, memory_order_relaxed);
    return payload;
}

void payload_unref(struct payload *payload)
{
    unsigned before;

    if (payload == NULL)
        return;
    before = atomic_fetch_sub_explicit(&payload->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    discharge(payload->capacity);
    free(payload);
}

size_t payload_bytes_in_flight(void)
{
    return atomic_load_explicit(&in_flight, memory_order_relaxed);
}

size_t payload_bytes_peak(void)
{
    return atomic_load_explicit(&peak, memory_order_relaxed);
}
