/*
 * A crew: up to a number of threads that do the same work, started one by one when there is need. Under the owner's lock.
 */
#ifndef WEIR_COLLECTOR_CREW_H
#define WEIR_COLLECTOR_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct crew {
    void *(*work)(void *context);
    void *context;
    size_t most, threads;
    size_t idle;        /* threads that wait for work; the work function counts them */
    pthread_t *handles; /* owned */
    bool closed;        /* nobody is called any more */
};

/* Aborts when memory is out. Every thread calls work(context) once. */
void crew_init(struct crew *crew, size_t most, void *(*work)(void *context), void *context);
void crew_fini(struct crew *crew);

/* One thread more when none is idle and there may be more; a failure is fine as long as there is one. Signals are blocked in it. */
void crew_call_locked(struct crew *crew);

/* Calls have no effect from now on: before joining, which must know all threads. */
void crew_close_locked(struct crew *crew);

/* Waits until every thread has returned. Closed, and not under the lock. */
void crew_join(struct crew *crew);

#endif
