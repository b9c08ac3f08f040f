/* What loop.c and loop_timer.c share. */
#ifndef WEIR_NET_LOOP_INTERNAL_H
#define WEIR_NET_LOOP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "collector/net/loop.h"

enum { LOOP_EVENTS = 64 };

struct loop {
    int epoll;
    struct loop_watch wake_watch; /* its fd is an eventfd */
    pthread_t thread;
    bool running;
    atomic_bool quit, sleeping;
    _Atomic(struct loop_task *) tasks; /* newest first; NULL while the loop does not run */
    int64_t now;
    int event_count, event_next; /* of the events being dispatched */
    struct epoll_event events[LOOP_EVENTS];
    uint8_t *scratch[LOOP_SCRATCH_COUNT];

    _Atomic int64_t timer_due;                        /* of the first timer; INT64_MAX: none */
    struct loop_timer **timers;                       /* a heap, the first due on top; under the timers' lock, as all below */
    size_t timer_count, timer_capacity, timer_owners; /* in the heap; places; timers that were started and not stopped */
    struct loop_timer *running_timer;
};

/* Ends the loop's sleep, if it sleeps. Any thread. */
void loop_wake(struct loop *loop);
void loop_run_timers(struct loop *loop);
/* Timers that were started before the loop are due from now on. */
void loop_timers_start(struct loop *loop);

#endif
