/*
 * The worker. It sleeps in epoll until a batch is full, a timer is due, a socket is ready or somebody waits for a flush. With delays as
 * by default it wakes once a second.
 * Threads: one worker, or one caller of weir_poll at a time; `control` is shared under its lock.
 */
#include "sdk/src/engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sdk/src/clock.h"
#include "sdk/src/diag.h"
#include "sdk/src/metric_pipeline.h"
#include "sdk/src/pipeline.h"
#include "sdk/src/resource.h"

/* What is registered for an exporter's socket. */
struct registration {
    int fd;
    uint32_t serial;
    short events; /* 0: nothing */
};

struct engine {
    const struct settings *settings;
    int poller; /* epoll */
    struct buffer resource;
    struct pipeline pipelines[RECORD_SIGNALS];
    struct metric_pipeline metrics;
    struct registration registrations[SETTINGS_SIGNALS];
    uint64_t flush_ticket; /* the flush under way; 0: none */
    _Atomic bool stop;
    struct engine *before; /* inherited ones, kept reachable */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool cond_ready;
    struct engine *engine; /* NULL: stopped */
    pthread_t thread;
    bool running;       /* the worker is in its loop */
    bool flushing_here; /* no_thread: somebody steps */
    uint64_t flushes_asked, flushes_done;
} control = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct engine *inherited_engines;
/* Open for the life of the process: a thread that wakes must never write to a descriptor that meanwhile is another's. */
static _Atomic int event_fd = -1;
static _Atomic bool wake_pending;
static _Atomic bool wants_batch[RECORD_SIGNALS];
_Atomic bool engine_restart_wanted;
struct exporter_totals engine_totals[SETTINGS_SIGNALS];

uint64_t engine_losses(void)
{
    uint64_t sum = thread_count(COUNT_SPANS_DROPPED) + thread_count(COUNT_LOGS_DROPPED);

    for (int i = 0; i < SETTINGS_SIGNALS; i++)
        sum += atomic_load_explicit(&engine_totals[i].failed, memory_order_relaxed);
    return sum;
}

void engine_wake(void)
{
    int saved = errno;
    uint64_t one = 1;

    if (!atomic_exchange(&wake_pending, true) && write(event_fd, &one, sizeof(one)) < 0)
        atomic_store(&wake_pending, false); /* not started, or just forked: there is nobody to wake */
    errno = saved;
}

void engine_wake_for_batch(enum record_signal signal)
{
    engine_ensure();
    if (atomic_load_explicit(&wants_batch[signal], memory_order_relaxed) && atomic_exchange(&wants_batch[signal], false))
        engine_wake();
}

/* ---- one turn ---- */

static void begin_flush(struct engine *engine)
{
    pthread_mutex_lock(&control.lock);
    uint64_t asked = control.flushes_asked;
    bool begin = engine->flush_ticket == 0 && asked > control.flushes_done;
    pthread_mutex_unlock(&control.lock);
    if (!begin)
        return;
    engine->flush_ticket = asked;
    for (int i = 0; i < RECORD_SIGNALS; i++)
        pipeline_flush(&engine->pipelines[i]);
    metric_pipeline_flush(&engine->metrics);
}

/* True when a flush ended. */
static bool end_flush(struct engine *engine)
{
    if (engine->flush_ticket == 0 || !metric_pipeline_flushed(&engine->metrics))
        return false;
    for (int i = 0; i < RECORD_SIGNALS; i++) {
        if (!pipeline_flushed(&engine->pipelines[i]))
            return false;
    }
    pthread_mutex_lock(&control.lock);
    control.flushes_done = engine->flush_ticket;
    pthread_cond_broadcast(&control.changed);
    pthread_mutex_unlock(&control.lock);
    engine->flush_ticket = 0;
    return true;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void watch_socket(struct engine *engine, int index, const struct http *http)
{
    struct registration *known = &engine->registrations[index];
    bool busy = http->state != HTTP_IDLE && http->state != HTTP_DONE && http->state != HTTP_FAILED;
    short events = busy && http->fd >= 0 ? http->wants : 0;
    struct epoll_event event = { .events = (events & POLLIN ? EPOLLIN : 0U) | (events & POLLOUT ? EPOLLOUT : 0U) };

    if (known->events == events && (events == 0 || (known->fd == http->fd && known->serial == http->serial)))
        return;
    /* A descriptor that was closed has left the set by itself. */
    if (known->events != 0 && known->fd == http->fd && known->serial == http->serial)
        epoll_ctl(engine->poller, events != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, http->fd, &event);
    else if (events != 0)
        epoll_ctl(engine->poller, EPOLL_CTL_ADD, http->fd, &event);
    *known = (struct registration){ http->fd, http->serial, events };
}

/* Does what can be done now; returns when the next turn is due, in monotonic milliseconds. */
static int64_t turn(struct engine *engine)
{
    int64_t due = INT64_MAX;

    do {
        begin_flush(engine);
        for (int i = 0; i < RECORD_SIGNALS; i++)
            pipeline_step(&engine->pipelines[i]);
        metric_pipeline_step(&engine->metrics);
    } while (end_flush(engine));
    for (int i = 0; i < RECORD_SIGNALS; i++) {
        struct pipeline *pipeline = &engine->pipelines[i];
        due = earliest(due, pipeline_due(pipeline));
        watch_socket(engine, i, &pipeline->exporter.http);
        if (pipeline->exporter.state == EXPORTER_IDLE)
            atomic_store(&wants_batch[i], true);
    }
    watch_socket(engine, WEIR_SIGNAL_METRICS, &engine->metrics.exporter.http);
    return earliest(due, metric_pipeline_due(&engine->metrics));
}

static void wait_for_work(struct engine *engine, int64_t timeout_ms)
{
    struct epoll_event events[4];
    uint64_t count;

    epoll_wait(engine->poller, events, 4, timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms > 0 ? (int)timeout_ms : 0);
    if (read(event_fd, &count, sizeof(count)) < 0)
        count = 0; /* a timer or a socket */
    atomic_store(&wake_pending, false);
}

/* ---- life ---- */

static void destroy(struct engine *engine)
{
    for (int i = 0; i < RECORD_SIGNALS; i++)
        pipeline_fini(&engine->pipelines[i]);
    metric_pipeline_fini(&engine->metrics);
    buffer_fini(&engine->resource);
    if (engine->poller >= 0)
        close(engine->poller);
    free(engine);
}

static struct engine *create(const struct settings *settings)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return NULL;
    engine->settings = settings;
    resource_write(settings, &engine->resource);
    for (int i = 0; i < RECORD_SIGNALS; i++)
        pipeline_init(&engine->pipelines[i], (enum record_signal)i, settings, buffer_slice(&engine->resource));
    metric_pipeline_init(&engine->metrics, settings, buffer_slice(&engine->resource));
    if (event_fd < 0)
        event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    engine->poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };
    if (engine->resource.failed || event_fd < 0 || engine->poller < 0 || epoll_ctl(engine->poller, EPOLL_CTL_ADD, event_fd, &event) != 0) {
        destroy(engine);
        return NULL;
    }
    return engine;
}

static void *work(void *argument)
{
    struct engine *engine = argument;

    while (!atomic_load(&engine->stop)) {
        int64_t due = turn(engine);
        wait_for_work(engine, due - clock_monotonic_ms());
    }
    destroy(engine);
    pthread_mutex_lock(&control.lock);
    if (control.engine == engine) {
        control.engine = NULL;
        control.running = false;
        pthread_cond_broadcast(&control.changed);
    }
    pthread_mutex_unlock(&control.lock);
    return NULL;
}

/* All signals stay with the application's threads, but those a fault raises here, and SIGPROF, so that profilers see this thread. */
static int start_thread(struct engine *engine)
{
    static const int open_signals[] = { SIGPROF, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
    sigset_t blocked, saved;
    pthread_attr_t attributes;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(open_signals) / sizeof(open_signals[0]); i++)
        sigdelset(&blocked, open_signals[i]);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    pthread_sigmask(SIG_SETMASK, &blocked, &saved);
    int result = pthread_create(&control.thread, &attributes, work, engine);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    pthread_attr_destroy(&attributes);
    if (result == 0)
        pthread_setname_np(control.thread, "weir-export");
    return -result;
}

static void prepare_cond_locked(void)
{
    pthread_condattr_t attributes;

    if (control.cond_ready)
        return;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&control.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    control.cond_ready = true;
}

int engine_start(const struct settings *settings)
{
    struct engine *engine = create(settings);
    int result = 0;

    if (engine == NULL)
        return -ENOMEM;
    for (int i = 0; i < RECORD_SIGNALS; i++)
        queue_configure((enum record_signal)i, settings->batch[i].queue_size, settings->batch[i].batch_size);
    pthread_mutex_lock(&control.lock);
    prepare_cond_locked();
    control.engine = engine;
    control.flushes_done = control.flushes_asked;
    control.running = !settings->no_thread;
    if (control.running)
        result = start_thread(engine);
    if (result != 0) {
        control.engine = NULL;
        control.running = false;
    }
    pthread_mutex_unlock(&control.lock);
    if (result != 0)
        destroy(engine);
    return result;
}

void engine_restart(void)
{
    if (atomic_exchange(&engine_restart_wanted, false) && engine_start(settings_now()) != 0)
        diag(WEIR_LEVEL_WARN, "nothing is exported from this forked process: no thread could be started");
}

/* ---- waiting for it ---- */

static struct timespec timespec_after(int64_t timeout_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(timeout_ms / 1000);
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Waits for a change; false when the time is over. at NULL: no limit. */
static bool wait_locked(const struct timespec *at)
{
    if (at == NULL)
        return pthread_cond_wait(&control.changed, &control.lock) == 0;
    return pthread_cond_timedwait(&control.changed, &control.lock, at) == 0;
}

/* Without a worker: one caller at a time takes turns. False when another one does, and the time is over. */
static bool take_turns_locked(const struct timespec *at)
{
    while (control.flushing_here) {
        if (!wait_locked(at))
            return false;
    }
    control.flushing_here = true;
    return true;
}

static void leave_turns_locked(void)
{
    control.flushing_here = false;
    pthread_cond_broadcast(&control.changed);
}

/* No worker: this thread works until the flush is done or the time is over. */
static void flush_here_locked(struct engine *engine, uint64_t ticket, int64_t timeout_ms, const struct timespec *at)
{
    int64_t end = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms() + timeout_ms;

    if (!take_turns_locked(at))
        return;
    while (control.flushes_done < ticket && control.engine == engine) {
        pthread_mutex_unlock(&control.lock);
        int64_t due = turn(engine);
        int64_t now = clock_monotonic_ms();
        pthread_mutex_lock(&control.lock);
        bool done = control.flushes_done >= ticket;
        if (!done && now >= end)
            break;
        pthread_mutex_unlock(&control.lock);
        if (!done)
            wait_for_work(engine, earliest(due, end) - now);
        pthread_mutex_lock(&control.lock);
    }
    leave_turns_locked();
}

int engine_flush(int64_t timeout_ms)
{
    struct timespec at = timespec_after(timeout_ms > 0 ? timeout_ms : 0);

    engine_ensure();
    pthread_mutex_lock(&control.lock);
    struct engine *engine = control.engine;
    uint64_t ticket = ++control.flushes_asked;
    if (engine != NULL && control.running) {
        engine_wake();
        while (control.engine == engine && control.flushes_done < ticket && wait_locked(timeout_ms < 0 ? NULL : &at))
            continue;
    } else if (engine != NULL) {
        flush_here_locked(engine, ticket, timeout_ms, timeout_ms < 0 ? NULL : &at);
    }
    bool done = engine == NULL || control.flushes_done >= ticket;
    if (engine == NULL)
        control.flushes_done = control.flushes_asked;
    pthread_mutex_unlock(&control.lock);
    return done ? 0 : -ETIMEDOUT;
}

int engine_poll(int *fd, int timeout_ms)
{
    engine_ensure();
    pthread_mutex_lock(&control.lock);
    struct engine *engine = control.engine;
    struct timespec at = timespec_after(timeout_ms > 0 ? timeout_ms : 0);
    if (engine == NULL || control.running || !take_turns_locked(&at)) {
        pthread_mutex_unlock(&control.lock);
        return -EINVAL;
    }
    pthread_mutex_unlock(&control.lock);
    if (fd != NULL)
        *fd = engine->poller;
    wait_for_work(engine, 0);
    int64_t due = turn(engine);
    int64_t left = due - clock_monotonic_ms();
    if (timeout_ms > 0 && left > 0) {
        wait_for_work(engine, earliest(left, timeout_ms));
        due = turn(engine);
        left = due - clock_monotonic_ms();
    }
    pthread_mutex_lock(&control.lock);
    leave_turns_locked();
    pthread_mutex_unlock(&control.lock);
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Records that came after the last look of a worker that is gone. */
static void sweep(void)
{
    for (int i = 0; i < RECORD_SIGNALS; i++) {
        struct record_list left = { NULL, NULL, 0 };
        queue_collect((enum record_signal)i, &left);
        queue_leave((enum record_signal)i, left.count);
        atomic_fetch_add_explicit(&engine_totals[i].failed, left.count, memory_order_relaxed);
        record_free_chain(left.first);
    }
}

bool engine_stop(int64_t timeout_ms)
{
    struct timespec at = timespec_after(timeout_ms);

    atomic_store(&engine_restart_wanted, false);
    pthread_mutex_lock(&control.lock);
    struct engine *engine = control.engine;
    bool threaded = control.running;
    pthread_t thread = control.thread;
    if (engine != NULL) {
        atomic_store(&engine->stop, true);
        engine_wake();
    }
    if (engine != NULL && !threaded) {
        while (control.flushing_here && wait_locked(&at))
            continue;
        control.engine = NULL;
    }
    while (threaded && control.engine == engine && wait_locked(&at))
        continue;
    bool ended = control.engine != engine || engine == NULL;
    control.engine = NULL;
    control.running = false;
    pthread_mutex_unlock(&control.lock);
    if (threaded && ended)
        pthread_join(thread, NULL);
    else if (threaded)
        pthread_detach(thread); /* stuck in the resolver or a callback; it destroys its engine when it comes back */
    else if (engine != NULL)
        destroy(engine);
    sweep();
    return ended;
}

/* ---- fork ---- */

void engine_lock_all(void)
{
    pthread_mutex_lock(&control.lock);
}

void engine_unlock_all(void)
{
    pthread_mutex_unlock(&control.lock);
}

/* The parent's engine may have been in the middle of anything: only its descriptors are touched. */
static void abandon(struct engine *engine)
{
    for (int i = 0; i < RECORD_SIGNALS; i++) {
        if (engine->pipelines[i].exporter.http.fd >= 0)
            close(engine->pipelines[i].exporter.http.fd);
    }
    if (engine->metrics.exporter.http.fd >= 0)
        close(engine->metrics.exporter.http.fd);
    close(engine->poller);
    engine->before = inherited_engines;
    inherited_engines = engine;
}

void engine_after_fork_child(void)
{
    pthread_mutex_init(&control.lock, NULL);
    control.cond_ready = false;
    if (control.engine != NULL) {
        abandon(control.engine);
        control.engine = NULL;
        atomic_store(&engine_restart_wanted, true);
    }
    control.running = control.flushing_here = false;
    if (event_fd >= 0)
        close(event_fd);
    event_fd = -1;
    atomic_store(&wake_pending, false);
    for (int i = 0; i < RECORD_SIGNALS; i++)
        atomic_store(&wants_batch[i], false);
    memset(engine_totals, 0, sizeof(engine_totals));
}
