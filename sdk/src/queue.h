/*
 * The way from recording threads to the worker: a list of finished records for each thread and signal, and one count for each
 * signal that bounds them all. A thread reserves places a few at a time, so that threads share no cache line for each record.
 */
#ifndef WEIR_SDK_QUEUE_H
#define WEIR_SDK_QUEUE_H

#include "sdk/src/record.h"

/* At most `limit` records wait; the worker is woken when about `batch` do. */
void queue_configure(enum record_signal signal, uint32_t limit, uint32_t batch);

/* Reserves places for this thread; false when the queue is full. */
bool queue_reserve(struct thread *self, enum record_signal signal);

static inline void queue_push(struct thread *thread, enum record_signal signal, struct record *record)
{
    struct record *old = atomic_load_explicit(&thread->queue[signal], memory_order_relaxed);

    do
        record->next = old;
    while (!atomic_compare_exchange_weak_explicit(&thread->queue[signal], &old, record, memory_order_release, memory_order_relaxed));
}

/* Takes the record. False when the queue is full; then the record is still the caller's. */
static inline bool queue_put(struct thread *self, enum record_signal signal, struct record *record)
{
    if (__builtin_expect(self->credit[signal] == 0, 0) && !queue_reserve(self, signal))
        return false;
    self->credit[signal]--;
    queue_push(self, signal, record);
    return true;
}

/* Takes the record, full or not. For signal handlers that interrupted the thread inside the SDK. */
void queue_put_uncounted(enum record_signal signal, struct record *record);

/* For a thread that ends. */
void queue_release_credit(struct thread *self);

/* Records in line, oldest first within a thread. */
struct record_list {
    struct record *first, *last;
    uint32_t count;
};

/* Appends all finished records of all threads to the list. For the worker. */
void queue_collect(enum record_signal signal, struct record_list *list);

/* Tells that `count` collected records no longer wait. */
void queue_leave(enum record_signal signal, uint32_t count);

/* Places taken: waiting records, and places that threads hold in reserve. */
uint32_t queue_length(enum record_signal signal);
uint32_t queue_limit(enum record_signal signal);

/* In the child of a fork. */
void queue_forget(void);

#endif
