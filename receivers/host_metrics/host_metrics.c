/*
 * host_metrics receiver: the machine's own metrics out of /proc and /sys, under the OpenTelemetry Collector's names.
 *
 * Cost: some 2 ms of CPU time for a scrape, to which the kernel's listing of TCP connections adds up to 10 and the process scraper some 50 us a process. A file that cannot be read costs its
 * points, which are left out and counted as a failure.
 * Threads: one of its own, since looking at a file system that hangs may take for ever; start and stop on the control thread.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/component.h"
#include "collector/produce.h"
#include "receivers/host_metrics/host.h"

struct host_receiver {
    struct component base; /* first, so that a component is a host_receiver */
    struct host_settings settings;
    struct host_state state;
    struct producer *producer;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool running, stopping;
};

static const struct option options[] = {
    { "", OPTION_INCLUDE, offsetof(struct host_receiver, settings), NULL, NULL, NULL, host_options },
    { 0 },
};

static void scrape(struct host_receiver *self)
{
    struct buffer request = { 0 };
    size_t failures = 0, points;

    if (!component_takes(&self->base, SIGNAL_METRICS))
        return;
    points = host_scrape_all(&self->state, &request, &failures);
    if (failures > 0) {
        component_count_dropped(&self->base, SIGNAL_METRICS, "unreadable", failures);
        log_warn(self->base.path, "%zu files of /proc or mount points could not be read; is root_path right, and may this user read them?",
            failures);
    }
    if (points > 0)
        produce(self->producer, SIGNAL_METRICS, &request, points);
    buffer_fini(&request);
}

/* False when it is time to stop. */
static bool wait_until(struct host_receiver *self, int64_t at)
{
    struct timespec until = { at / NANOS_PER_SECOND, at % NANOS_PER_SECOND };
    bool stopping;

    pthread_mutex_lock(&self->lock);
    while (!self->stopping && pthread_cond_timedwait(&self->stopped, &self->lock, &until) != ETIMEDOUT)
        ;
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return !stopping;
}

static void *work(void *context)
{
    struct host_receiver *self = context;
    int64_t due = clock_monotonic_nanos() + self->settings.initial_delay_ns;

    pthread_setname_np(pthread_self(), "weir-host");
    while (wait_until(self, due)) {
        int64_t now;

        scrape(self);
        now = clock_monotonic_nanos();
        due += self->settings.collection_interval_ns;
        if (due < now) /* what was missed is not made up for */
            due = now + self->settings.collection_interval_ns;
    }
    return NULL;
}

static bool host_receiver_validate(struct component *component, struct error *err)
{
    const struct host_receiver *self = (const struct host_receiver *)component;
    struct host_state state;
    bool any = false, valid;

    for (size_t i = 0; i < HOST_SCRAPER_COUNT; i++)
        any = any || self->settings.scrapers[i];
    if (!any)
        return fail(err, "scrapers: name at least one: cpu, memory, load, disk, filesystem, network, paging, processes, process, system");
    valid = host_state_init(&state, &self->settings, err);
    host_state_fini(&state);
    return valid;
}

static bool start_thread(struct host_receiver *self)
{
    sigset_t all, old;
    int failure;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failure = pthread_create(&self->thread, NULL, work, self);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    self->running = failure == 0;
    return self->running;
}

static bool host_receiver_start(struct component *component, struct error *err)
{
    struct host_receiver *self = (struct host_receiver *)component;
    pthread_condattr_t monotonic;

    if (!host_state_init(&self->state, &self->settings, err))
        return false;
    self->producer = producer_create(component, "host");
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return start_thread(self) || fail(err, "could not start a thread");
}

static void host_receiver_stop(struct component *component)
{
    struct host_receiver *self = (struct host_receiver *)component;

    if (self->running) {
        pthread_mutex_lock(&self->lock);
        self->stopping = true;
        pthread_cond_signal(&self->stopped);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
        self->running = false;
    }
    if (self->producer != NULL) {
        pthread_cond_destroy(&self->stopped);
        pthread_mutex_destroy(&self->lock);
    }
    producer_destroy(self->producer);
    self->producer = NULL;
    host_state_fini(&self->state);
}

static const char *const aliases[] = { "hostmetrics", NULL };

const struct component_type host_metrics_receiver = {
    .name = "host_metrics",
    .aliases = aliases,
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_METRICS,
    .stability = STABILITY_BETA,
    .summary = "Reads the machine's own metrics from /proc and /sys: CPUs, memory, disks, file systems, network, paging, processes.",
    .options = options,
    .instance_size = sizeof(struct host_receiver),
    .validate = host_receiver_validate,
    .start = host_receiver_start,
    .stop = host_receiver_stop,
};
