/*
 * Thread states: registration, reuse, and what a fork leaves of them. One allocation for the first call of each thread beyond
 * the most that ever ran at once. Threads: any; registration and thread exit take one lock.
 */
#include "sdk/src/thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "sdk/src/queue.h"
#include "sdk/src/record.h"
#include "sdk/src/extra.h"

__thread struct thread_locals thread_locals __attribute__((tls_model("initial-exec")));
struct counters thread_shared_counters;
uint32_t thread_epoch = 1;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct thread *) first;
static pthread_key_t exit_key;
static bool have_exit_key;

/* At thread exit. Finished records stay queued for the worker; slots and credit go back. Records made by later destructors register anew. */
static void release(void *argument)
{
    struct thread *self = argument;

    record_release_free(self);
    queue_release_credit(self);
    extra_unref(&self->extracted);
    thread_locals.thread = NULL;
    atomic_store_explicit(&self->in_use, false, memory_order_release);
}

static struct thread *reuse_locked(void)
{
    struct thread *thread = atomic_load_explicit(&first, memory_order_relaxed);

    while (thread != NULL && atomic_load_explicit(&thread->in_use, memory_order_acquire))
        thread = thread->next;
    return thread;
}

static struct thread *create_locked(void)
{
    struct thread *thread = aligned_alloc(64, sizeof(*thread));

    if (thread == NULL)
        return NULL;
    memset(thread, 0, sizeof(*thread));
    thread->next = atomic_load_explicit(&first, memory_order_relaxed);
    atomic_store_explicit(&thread->in_use, true, memory_order_relaxed);
    atomic_store_explicit(&first, thread, memory_order_release);
    return thread;
}

struct thread *thread_register(void)
{
    if (thread_locals.registering)
        return NULL;
    thread_locals.registering = true;
    atomic_signal_fence(memory_order_seq_cst);
    pthread_mutex_lock(&lock);
    if (!have_exit_key)
        have_exit_key = pthread_key_create(&exit_key, release) == 0;
    struct thread *self = reuse_locked();
    if (self != NULL)
        atomic_store_explicit(&self->in_use, true, memory_order_relaxed);
    else
        self = create_locked();
    pthread_mutex_unlock(&lock);
    if (self != NULL) {
        random_seed(&self->random);
        if (have_exit_key)
            pthread_setspecific(exit_key, self);
        thread_locals.thread = self;
    }
    atomic_signal_fence(memory_order_seq_cst);
    thread_locals.registering = false;
    return self;
}

struct thread *thread_first(void)
{
    return atomic_load_explicit(&first, memory_order_acquire);
}

uint64_t thread_count(enum counter which)
{
    uint64_t sum = atomic_load_explicit(&thread_shared_counters.value[which], memory_order_relaxed);

    for (struct thread *thread = thread_first(); thread != NULL; thread = thread->next)
        sum += atomic_load_explicit(&thread->counters.value[which], memory_order_relaxed);
    return sum;
}

void thread_lock_all(void)
{
    pthread_mutex_lock(&lock);
}

void thread_unlock_all(void)
{
    pthread_mutex_unlock(&lock);
}

void thread_forget_all(void)
{
    pthread_mutex_init(&lock, NULL);
    thread_epoch++;
    for (struct thread *thread = thread_first(); thread != NULL; thread = thread->next) {
        thread->free = NULL;
        memset(thread->credit, 0, sizeof(thread->credit));
        memset(&thread->counters, 0, sizeof(thread->counters));
        for (int i = 0; i < RECORD_SIGNALS; i++)
            atomic_store_explicit(&thread->queue[i], NULL, memory_order_relaxed);
        atomic_store_explicit(&thread->cells, NULL, memory_order_relaxed);
        atomic_store_explicit(&thread->busy, 0, memory_order_relaxed);
        if (thread == thread_locals.thread)
            random_seed(&thread->random);
        else
            atomic_store_explicit(&thread->in_use, false, memory_order_relaxed);
    }
    memset(&thread_shared_counters, 0, sizeof(thread_shared_counters));
}
