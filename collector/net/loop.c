/*
 * Event loops over epoll, level-triggered.
 *
 * A round: wait, events, due timers, posted tasks. Posted tasks are a stack that any thread pushes to with one
 * compare-and-swap and the loop takes as a whole; only a push that finds the loop asleep writes its eventfd, which is
 * edge-triggered and so never read.
 *
 * Threads: each loop's own. Shared are the stack of tasks, `sleeping`, and the timers under one lock (loop_timer.c).
 */
#include "collector/net/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/loop_internal.h"

enum { DATA_LOOPS_MAX = 64, DATA_LOOPS_DEFAULT_MAX = 4, TASK_ROUNDS = 4 };

static struct loop loops[DATA_LOOPS_MAX + 1]; /* the last one in use is the control loop */
static size_t data_count;
static bool started;
static _Thread_local const struct loop *current;
static struct loop_task end_of_tasks; /* ends every stack; a stack that is NULL belongs to a loop that does not run */

size_t loop_data_count(void)
{
    return data_count;
}

struct loop *loop_data(size_t index)
{
    assert(index < data_count);
    return &loops[index];
}

struct loop *loop_control(void)
{
    return &loops[DATA_LOOPS_MAX];
}

bool loop_is_current(const struct loop *loop)
{
    return loop == current;
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

/* ---- tasks ---- */

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;

    if (!atomic_exchange(&loop->sleeping, false))
        return;
    if (write(loop->wake_watch.fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: the loop is awake */
}

void loop_post_task(struct loop *loop, struct loop_task *task)
{
    struct loop_task *top = atomic_load_explicit(&loop->tasks, memory_order_relaxed);

    do {
        if (top == NULL) {
            task->run(task);
            return;
        }
        task->next = top;
    } while (!atomic_compare_exchange_weak(&loop->tasks, &top, task));
    if (current != loop)
        loop_wake(loop);
}

/* Runs what is on the stack, oldest first, and leaves `empty` there. False: nothing was. */
static bool run_tasks(struct loop *loop, struct loop_task *empty)
{
    struct loop_task *task, *next, *oldest = NULL;

    if (atomic_load_explicit(&loop->tasks, memory_order_relaxed) == empty)
        return false;
    task = atomic_exchange(&loop->tasks, empty);
    for (; task != &end_of_tasks; task = next) {
        next = task->next;
        task->next = oldest;
        oldest = task;
    }
    for (task = oldest; task != NULL; task = next) {
        next = task->next;
        task->run(task);
    }
    return true;
}

struct posted {
    struct loop_task task; /* first, so that a task is a posted */
    void (*fn)(void *context);
    void *context;
    sem_t *done; /* NULL: nobody waits, and the memory is the task's own */
};

static void run_posted(struct loop_task *task)
{
    struct posted *posted = (struct posted *)task;
    sem_t *done = posted->done;

    posted->fn(posted->context);
    if (done == NULL)
        free(posted);
    else
        sem_post(done);
}

void loop_post(struct loop *loop, void (*fn)(void *context), void *context)
{
    struct posted *posted = malloc(sizeof(*posted));

    if (posted == NULL)
        abort();
    *posted = (struct posted){ .task = { .run = run_posted }, .fn = fn, .context = context };
    loop_post_task(loop, &posted->task);
}

void loop_call(struct loop *loop, void (*fn)(void *context), void *context)
{
    sem_t done;
    struct posted posted = { .task = { .run = run_posted }, .fn = fn, .context = context, .done = &done };

    if (current == loop) {
        fn(context);
        return;
    }
    sem_init(&done, 0, 0);
    loop_post_task(loop, &posted.task);
    while (sem_wait(&done) != 0)
        ;
    sem_destroy(&done);
}

/* ---- watches ---- */

bool loop_add(struct loop *loop, struct loop_watch *watch, uint32_t events, struct error *err)
{
    struct epoll_event event = { .events = events, .data = { .ptr = watch } };

    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) != 0)
        return fail(err, "could not watch a file descriptor: %s", strerror(errno));
    return true;
}

bool loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data = { .ptr = watch } };

    return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->event_next; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

uint8_t *loop_scratch(struct loop *loop, enum loop_scratch which)
{
    if (loop->scratch[which] == NULL)
        loop->scratch[which] = malloc(LOOP_SCRATCH_SIZE);
    return loop->scratch[which];
}

/* ---- threads ---- */

static void woken(struct loop_watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
}

/* How long to wait: not at all when a task came before the loop said that it sleeps. */
static int wait_milliseconds(struct loop *loop)
{
    int64_t due, left;

    atomic_store(&loop->sleeping, true);
    if (atomic_load(&loop->tasks) != &end_of_tasks || atomic_load(&loop->quit))
        return 0;
    due = atomic_load(&loop->timer_due);
    if (due == INT64_MAX)
        return -1;
    left = due - clock_monotonic_nanos();
    if (left <= 0)
        return 0;
    left = (left + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI;
    return left > 1000000 ? 1000000 : (int)left;
}

static void dispatch(struct loop *loop)
{
    while (loop->event_next < loop->event_count) {
        struct epoll_event *event = &loop->events[loop->event_next++];
        struct loop_watch *watch = event->data.ptr;

        if (watch != NULL)
            watch->ready(watch, event->events);
    }
}

static void round_of(struct loop *loop)
{
    int count = epoll_wait(loop->epoll, loop->events, LOOP_EVENTS, wait_milliseconds(loop));

    atomic_store(&loop->sleeping, false);
    loop->now = clock_monotonic_nanos();
    loop->event_count = count > 0 ? count : 0;
    loop->event_next = 0;
    dispatch(loop);
    loop_run_timers(loop);
    for (int i = 0; i < TASK_ROUNDS && run_tasks(loop, &end_of_tasks); i++)
        ;
}

static void *run(void *argument)
{
    struct loop *loop = argument;

    current = loop;
    while (!atomic_load(&loop->quit))
        round_of(loop);
    current = NULL;
    return NULL;
}

static void release(struct loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake_watch.fd >= 0)
        close(loop->wake_watch.fd);
    loop->epoll = -1;
    loop->wake_watch.fd = -1;
    for (size_t i = 0; i < LOOP_SCRATCH_COUNT; i++) {
        free(loop->scratch[i]);
        loop->scratch[i] = NULL;
    }
}

static bool start_thread(struct loop *loop, const char *name, struct error *err)
{
    static const int own_faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t blocked, before;
    int failure;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(own_faults) / sizeof(own_faults[0]); i++)
        sigdelset(&blocked, own_faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    failure = pthread_create(&loop->thread, NULL, run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return fail(err, "could not start thread \"%s\": %s", name, strerror(failure));
    pthread_setname_np(loop->thread, name);
    loop->running = true;
    return true;
}

static bool start_loop(struct loop *loop, const char *name, struct error *err)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_watch = (struct loop_watch){ eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), woken };
    if (loop->epoll < 0 || loop->wake_watch.fd < 0) {
        fail(err, "could not make an event loop: %s", strerror(errno));
        release(loop);
        return false;
    }
    atomic_store(&loop->quit, false);
    atomic_store(&loop->tasks, &end_of_tasks);
    loop_timers_start(loop);
    loop->now = clock_monotonic_nanos();
    if (!loop_add(loop, &loop->wake_watch, EPOLLIN | EPOLLET, err) || !start_thread(loop, name, err)) {
        atomic_store(&loop->tasks, NULL);
        release(loop);
        return false;
    }
    return true;
}

static void stop_loop(struct loop *loop)
{
    if (!loop->running)
        return;
    atomic_store(&loop->quit, true);
    loop_wake(loop);
    pthread_join(loop->thread, NULL);
    loop->running = false;
    current = loop; /* what was posted last finds itself on its loop */
    run_tasks(loop, NULL);
    current = NULL;
    release(loop);
}

static size_t processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? (size_t)CPU_COUNT(&set) : 1;
}

bool loops_start(size_t count, struct error *err)
{
    char name[16];

    assert(!started);
    if (count == 0)
        count = processors() < DATA_LOOPS_DEFAULT_MAX ? processors() : DATA_LOOPS_DEFAULT_MAX;
    if (count > DATA_LOOPS_MAX)
        return fail(err, "there can be %d data loops at the most, not %zu", DATA_LOOPS_MAX, count);
    started = true;
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "weir-data-%u", (unsigned)i & 0xffu);
        data_count = i + 1;
        if (!start_loop(&loops[i], name, err)) {
            loops_stop();
            return false;
        }
    }
    if (!start_loop(loop_control(), "weir-control", err)) {
        loops_stop();
        return false;
    }
    return true;
}

void loops_stop(void)
{
    assert(current == NULL);
    for (size_t i = 0; i < data_count; i++)
        stop_loop(&loops[i]);
    stop_loop(loop_control());
    started = false;
}
