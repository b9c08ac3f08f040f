/*
 * Cost: one copy of the request into a payload of its size, which is asked of the memory limiters first.
 * Threads: the link between a batch under way and its receiver is counted, and cut under a lock when the receiver ends.
 */
#include "collector/produce.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct producer {
    atomic_uint references;
    pthread_rwlock_t lock;
    struct component *receiver; /* NULL once it has ended */
    const char *transport;
};

struct waiting {
    struct producer *producer; /* one reference */
    enum signal signal;
    size_t records;
};

struct producer *producer_create(struct component *receiver, const char *transport)
{
    struct producer *producer = calloc(1, sizeof(*producer));

    if (producer == NULL)
        abort();
    atomic_init(&producer->references, 1);
    pthread_rwlock_init(&producer->lock, NULL);
    producer->receiver = receiver;
    producer->transport = transport;
    return producer;
}

static void unref(struct producer *producer)
{
    if (atomic_fetch_sub(&producer->references, 1) > 1)
        return;
    pthread_rwlock_destroy(&producer->lock);
    free(producer);
}

void producer_destroy(struct producer *producer)
{
    if (producer == NULL)
        return;
    pthread_rwlock_wrlock(&producer->lock);
    producer->receiver = NULL;
    pthread_rwlock_unlock(&producer->lock);
    unref(producer);
}

static void told(void *context, struct outcome outcome)
{
    struct waiting *waiting = context;
    struct producer *producer = waiting->producer;

    pthread_rwlock_rdlock(&producer->lock);
    if (producer->receiver != NULL)
        component_count_received(producer->receiver, waiting->signal, producer->transport, waiting->records, outcome);
    pthread_rwlock_unlock(&producer->lock);
    unref(producer);
    free(waiting);
}

static struct receipt *promise(struct producer *producer, enum signal signal, size_t records)
{
    struct waiting *waiting = malloc(sizeof(*waiting));
    struct receipt *receipt;

    if (waiting == NULL)
        return NULL;
    *waiting = (struct waiting){ producer, signal, records };
    receipt = receipt_create(RECEIPT_ACCEPTED, told, waiting);
    if (receipt == NULL)
        free(waiting);
    else
        atomic_fetch_add(&producer->references, 1);
    return receipt;
}

static bool refuse(const struct producer *producer, enum signal signal, size_t records)
{
    component_count_received(producer->receiver, signal, producer->transport, records, outcome_retry("memory", 0));
    component_count_dropped(producer->receiver, signal, "memory", records);
    return false;
}

bool produce(struct producer *producer, enum signal signal, const struct buffer *request, size_t records)
{
    struct component *receiver = producer->receiver;
    struct payload *payload;
    struct receipt *receipt;
    struct batch *batch;

    if (request->failed || !component_admit(receiver, request->size))
        return refuse(producer, signal, records);
    payload = payload_create(request->size);
    receipt = payload != NULL ? promise(producer, signal, records) : NULL;
    if (receipt == NULL) {
        payload_unref(payload);
        return refuse(producer, signal, records);
    }
    if (request->size > 0)
        memcpy(payload->data, request->data, request->size);
    payload->size = request->size;
    batch = batch_create(signal, payload, records, receipt);
    if (batch == NULL)
        return false; /* the receipt was told */
    component_emit(receiver, batch);
    return true;
}
