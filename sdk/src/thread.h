/*
 * What the SDK keeps for each thread of the application: its current context, free slots, queues of finished records,
 * random numbers, counters. Thread states are never freed; one whose thread has ended serves the next new thread.
 */
#ifndef WEIR_SDK_THREAD_H
#define WEIR_SDK_THREAD_H

#include <stdatomic.h>

#include "sdk/include/weir/context.h"
#include "sdk/src/counters.h"
#include "sdk/src/random.h"

struct record;
struct metric_cells;

enum record_signal { RECORD_SPANS, RECORD_LOGS, RECORD_SIGNALS };

struct thread {
    struct thread *next; /* of all; set before the thread is listed, never changed */
    _Atomic bool in_use;
    _Atomic uint32_t busy;           /* inside the SDK: a signal handler that finds it set must not go on */
    struct record *free;             /* 512-byte slots, linked */
    uint32_t credit[RECORD_SIGNALS]; /* records that may be queued before asking the queue again */
    struct random random;
    weir_ctx extracted; /* holds the reference of the last weir_extract */
    _Atomic(struct metric_cells *) cells;
    struct counters counters;
    _Alignas(64) _Atomic(struct record *) queue[RECORD_SIGNALS]; /* finished records, newest first; the worker takes all */
};

struct thread_locals {
    weir_ctx current;
    struct thread *thread; /* NULL until the thread's first call */
    bool registering;
};

/* initial-exec: read without a call, and safe in signal handlers even when the library was loaded by dlopen. */
extern __thread struct thread_locals thread_locals __attribute__((tls_model("initial-exec")));

/* Counts that belong to no thread: calls refused because the thread has no state or is inside the SDK already. */
extern struct counters thread_shared_counters;

/* Bumped in the child of a fork: what was begun before belongs to the parent. */
extern uint32_t thread_epoch;

/* Makes the calling thread's state; NULL when out of memory. */
struct thread *thread_register(void);

/* NULL: not now (a signal handler inside another call, or out of memory); the caller counts the loss. Undone by thread_leave. */
static inline struct thread *thread_enter(void)
{
    struct thread *self = thread_locals.thread;

    if (__builtin_expect(self == NULL, 0)) {
        self = thread_register();
        if (self == NULL)
            return NULL;
    }
    if (__builtin_expect(atomic_load_explicit(&self->busy, memory_order_relaxed) != 0, 0))
        return NULL;
    atomic_store_explicit(&self->busy, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return self;
}

static inline void thread_leave(struct thread *self)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&self->busy, 0, memory_order_relaxed);
}

/* The list of all thread states, for the worker; grows at the front. */
struct thread *thread_first(void);

/* Sum over all threads. */
uint64_t thread_count(enum counter which);

void thread_lock_all(void);   /* before a fork */
void thread_unlock_all(void); /* after it, in the parent */
void thread_forget_all(void); /* after it, in the child: every state but the caller's is free, and all are empty */

#endif
