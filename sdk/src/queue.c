/*
 * Bounded queues without a shared lock: one compare-and-swap a record on the thread's own cache line, one atomic addition on a
 * shared one for every `chunk` records. Threads: any put; the worker alone collects.
 */
#include "sdk/src/queue.h"

#include "sdk/src/engine.h"

struct queue {
    _Alignas(64) _Atomic uint32_t taken;
    _Atomic uint32_t limit, batch, chunk;
};

static struct queue queues[RECORD_SIGNALS];

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void queue_configure(enum record_signal signal, uint32_t limit, uint32_t batch)
{
    uint32_t chunk = smaller(smaller(limit / 64, batch / 16), 32);

    atomic_store_explicit(&queues[signal].limit, limit, memory_order_relaxed);
    atomic_store_explicit(&queues[signal].batch, batch, memory_order_relaxed);
    atomic_store_explicit(&queues[signal].chunk, chunk != 0 ? chunk : 1, memory_order_relaxed);
}

bool queue_reserve(struct thread *self, enum record_signal signal)
{
    struct queue *queue = &queues[signal];
    uint32_t chunk = atomic_load_explicit(&queue->chunk, memory_order_relaxed);
    uint32_t taken = atomic_fetch_add_explicit(&queue->taken, chunk, memory_order_relaxed) + chunk;

    if (taken > atomic_load_explicit(&queue->limit, memory_order_relaxed)) {
        atomic_fetch_sub_explicit(&queue->taken, chunk, memory_order_relaxed);
        engine_wake_for_batch(signal);
        return false;
    }
    self->credit[signal] = chunk;
    if (taken >= atomic_load_explicit(&queue->batch, memory_order_relaxed))
        engine_wake_for_batch(signal);
    else
        engine_ensure();
    return true;
}

void queue_put_uncounted(enum record_signal signal, struct record *record)
{
    atomic_fetch_add_explicit(&queues[signal].taken, 1, memory_order_relaxed);
    /* There is a first thread: somebody made the record. */
    queue_push(thread_first(), signal, record);
}

void queue_release_credit(struct thread *self)
{
    for (int i = 0; i < RECORD_SIGNALS; i++) {
        atomic_fetch_sub_explicit(&queues[i].taken, self->credit[i], memory_order_relaxed);
        self->credit[i] = 0;
    }
}

static void append_reversed(struct record_list *list, struct record *newest)
{
    struct record *first = NULL;
    struct record *last = newest;

    while (newest != NULL) {
        struct record *next = newest->next;
        newest->next = first;
        first = newest;
        newest = next;
        list->count++;
    }
    if (first == NULL)
        return;
    if (list->last != NULL)
        list->last->next = first;
    else
        list->first = first;
    list->last = last;
}

void queue_collect(enum record_signal signal, struct record_list *list)
{
    for (struct thread *thread = thread_first(); thread != NULL; thread = thread->next) {
        if (atomic_load_explicit(&thread->queue[signal], memory_order_relaxed) != NULL)
            append_reversed(list, atomic_exchange_explicit(&thread->queue[signal], NULL, memory_order_acquire));
    }
}

void queue_leave(enum record_signal signal, uint32_t count)
{
    atomic_fetch_sub_explicit(&queues[signal].taken, count, memory_order_relaxed);
}

uint32_t queue_length(enum record_signal signal)
{
    return atomic_load_explicit(&queues[signal].taken, memory_order_relaxed);
}

uint32_t queue_limit(enum record_signal signal)
{
    return atomic_load_explicit(&queues[signal].limit, memory_order_relaxed);
}

void queue_forget(void)
{
    for (int i = 0; i < RECORD_SIGNALS; i++)
        atomic_store_explicit(&queues[i].taken, 0, memory_order_relaxed);
}
