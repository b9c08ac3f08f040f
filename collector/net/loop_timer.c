/*
 * Timers of the event loops: a binary heap a loop, under one lock for all. A loop whose first timer is not due takes no lock.
 * Resolution is a millisecond, the epoll timeout's.
 */
#include <assert.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/net/loop_internal.h"

enum { NOT_IN_HEAP = -1 };

struct loop_timer {
    struct loop *loop;
    int64_t due, period;
    void (*fn)(void *context);
    void *context;
    ptrdiff_t position; /* in the heap */
    bool stopped;       /* while its callback runs */
    bool free_after;    /* the callback stopped it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t callback_ended = PTHREAD_COND_INITIALIZER;

static void put(struct loop *loop, size_t position, struct loop_timer *timer)
{
    loop->timers[position] = timer;
    timer->position = (ptrdiff_t)position;
}

static void sift_up(struct loop *loop, size_t position)
{
    struct loop_timer *timer = loop->timers[position];

    while (position > 0 && loop->timers[(position - 1) / 2]->due > timer->due) {
        put(loop, position, loop->timers[(position - 1) / 2]);
        position = (position - 1) / 2;
    }
    put(loop, position, timer);
}

static void sift_down(struct loop *loop, size_t position)
{
    struct loop_timer *timer = loop->timers[position];

    for (;;) {
        size_t child = 2 * position + 1;

        if (child + 1 < loop->timer_count && loop->timers[child + 1]->due < loop->timers[child]->due)
            child++;
        if (child >= loop->timer_count || loop->timers[child]->due >= timer->due)
            break;
        put(loop, position, loop->timers[child]);
        position = child;
    }
    put(loop, position, timer);
}

static void publish_due_locked(struct loop *loop)
{
    atomic_store(&loop->timer_due, loop->timer_count > 0 ? loop->timers[0]->due : INT64_MAX);
}

/* There is room: a timer's place is kept for it from its start to its stop. */
static void insert_locked(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;

    put(loop, loop->timer_count++, timer);
    sift_up(loop, loop->timer_count - 1);
    publish_due_locked(loop);
}

static void remove_locked(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;
    size_t position = (size_t)timer->position;
    struct loop_timer *last = loop->timers[--loop->timer_count];

    timer->position = NOT_IN_HEAP;
    if (last != timer) {
        put(loop, position, last);
        sift_up(loop, position);
        sift_down(loop, (size_t)last->position);
    }
    publish_due_locked(loop);
}

static bool reserve_locked(struct loop *loop)
{
    size_t capacity = loop->timer_capacity == 0 ? 16 : 2 * loop->timer_capacity;
    struct loop_timer **timers;

    if (loop->timer_owners < loop->timer_capacity)
        return true;
    timers = realloc(loop->timers, capacity * sizeof(struct loop_timer *));
    if (timers == NULL)
        return false;
    loop->timers = timers;
    loop->timer_capacity = capacity;
    return true;
}

struct loop_timer *loop_timer_start(struct loop *loop, int64_t first_ns, int64_t period_ns, void (*fn)(void *context), void *context)
{
    struct loop_timer *timer = malloc(sizeof(*timer));
    bool kept;

    if (timer == NULL)
        return NULL;
    *timer = (struct loop_timer){ .loop = loop, .period = period_ns, .fn = fn, .context = context, .position = NOT_IN_HEAP };
    timer->due = clock_monotonic_nanos() + first_ns;
    pthread_mutex_lock(&lock);
    kept = reserve_locked(loop);
    if (kept) {
        loop->timer_owners++;
        insert_locked(timer);
    }
    pthread_mutex_unlock(&lock);
    if (!kept) {
        free(timer);
        return NULL;
    }
    loop_wake(loop);
    return timer;
}

void loop_timer_move(struct loop_timer *timer, int64_t first_ns)
{
    pthread_mutex_lock(&lock);
    if (timer->position != NOT_IN_HEAP)
        remove_locked(timer);
    timer->due = clock_monotonic_nanos() + first_ns;
    insert_locked(timer);
    pthread_mutex_unlock(&lock);
    loop_wake(timer->loop);
}

static void forget_locked(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;

    if (--loop->timer_owners == 0) {
        free(loop->timers);
        loop->timers = NULL;
        loop->timer_capacity = 0;
    }
}

void loop_timer_stop(struct loop_timer *timer)
{
    struct loop *loop;

    if (timer == NULL)
        return;
    loop = timer->loop;
    pthread_mutex_lock(&lock);
    if (timer->position != NOT_IN_HEAP)
        remove_locked(timer);
    timer->stopped = true;
    timer->free_after = loop->running_timer == timer && loop_is_current(loop);
    while (!timer->free_after && loop->running_timer == timer)
        pthread_cond_wait(&callback_ended, &lock);
    if (!timer->free_after) {
        forget_locked(timer);
        free(timer);
    }
    pthread_mutex_unlock(&lock);
}

static void reschedule_locked(struct loop_timer *timer)
{
    int64_t now = clock_monotonic_nanos();

    timer->due += timer->period;
    if (timer->due < now)
        timer->due = now + timer->period; /* ticks that were missed are not made up for */
    insert_locked(timer);
}

static void run_first_locked(struct loop *loop)
{
    struct loop_timer *timer = loop->timers[0];

    remove_locked(timer);
    loop->running_timer = timer;
    pthread_mutex_unlock(&lock);
    timer->fn(timer->context);
    pthread_mutex_lock(&lock);
    loop->running_timer = NULL;
    if (timer->free_after) {
        forget_locked(timer);
        free(timer);
    } else if (!timer->stopped && timer->period > 0 && timer->position == NOT_IN_HEAP) {
        reschedule_locked(timer);
    }
    pthread_cond_broadcast(&callback_ended);
}

void loop_run_timers(struct loop *loop)
{
    if (atomic_load_explicit(&loop->timer_due, memory_order_relaxed) > loop->now)
        return;
    pthread_mutex_lock(&lock);
    while (loop->timer_count > 0 && loop->timers[0]->due <= loop->now)
        run_first_locked(loop);
    pthread_mutex_unlock(&lock);
}

void loop_timers_start(struct loop *loop)
{
    pthread_mutex_lock(&lock);
    publish_due_locked(loop);
    pthread_mutex_unlock(&lock);
}
