/*
 * Retry: each attempt is another handle of the batch under a receipt of its own, so that the sources hear only the
 * last word. Back-off is exponential with jitter; what the destination asks for (Retry-After, RetryInfo) is a lower bound.
 *
 * Threads: consume runs on the queue's consumer threads (or, for an exporter without a queue, on the pipeline's) and
 * keeps its thread while it waits, so num_consumers bounds the attempts under way.
 */
#include "collector/retry.h"

#include <errno.h>
#include <stdio.h>

#include "collector/accounts.h"
#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"

struct attempt {
    pthread_mutex_t lock;
    pthread_cond_t settled;
    bool done;
    struct outcome outcome;
};

static void attempt_told(void *context, struct outcome outcome)
{
    struct attempt *attempt = context;

    pthread_mutex_lock(&attempt->lock);
    attempt->outcome = outcome;
    attempt->done = true;
    pthread_cond_signal(&attempt->settled); /* under the lock: the waiter's stack is gone once it wakes */
    pthread_mutex_unlock(&attempt->lock);
}

static struct outcome try_once(struct component *exporter, const struct batch *batch)
{
    struct attempt attempt = { .lock = PTHREAD_MUTEX_INITIALIZER, .settled = PTHREAD_COND_INITIALIZER };
    struct receipt *receipt = receipt_create(RECEIPT_DURABLE, attempt_told, &attempt);
    struct batch *copy = receipt != NULL ? batch_share_with(batch, receipt) : NULL;

    if (receipt == NULL)
        return outcome_retry("no_memory", 0);
    consume(&exporter->consumer, copy); /* without memory for a copy the receipt has been settled already */
    pthread_mutex_lock(&attempt.lock);
    while (!attempt.done)
        pthread_cond_wait(&attempt.settled, &attempt.lock);
    pthread_mutex_unlock(&attempt.lock);
    return attempt.outcome;
}

static struct timespec timespec_of(int64_t nanos)
{
    return (struct timespec){ (time_t)(nanos / NANOS_PER_SECOND), (long)(nanos % NANOS_PER_SECOND) };
}

/* False when the stage is stopping. */
static bool wait_for(struct retry *retry, int64_t delay_ns)
{
    struct timespec until = timespec_of(clock_monotonic_nanos() + delay_ns);
    int result = 0;
    bool stopping;

    pthread_mutex_lock(&retry->lock);
    while (!retry->stopping && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&retry->stopped, &retry->lock, &until);
    stopping = retry->stopping;
    pthread_mutex_unlock(&retry->lock);
    return !stopping;
}

static int64_t with_jitter(const struct retry_settings *settings, double interval_ns)
{
    double spread = settings->randomization_factor * interval_ns;

    return (int64_t)(interval_ns - spread + 2 * spread * random_unit());
}

static struct outcome attempt_until_settled(struct retry *retry, const struct batch *batch)
{
    const struct retry_settings *settings = &retry->settings;
    int64_t started = clock_monotonic_nanos();
    double interval_ns = (double)settings->initial_interval_ns;

    for (;;) {
        struct outcome outcome = try_once(retry->consumer.component, batch);
        int64_t delay;

        if (outcome.verdict != VERDICT_RETRY || !settings->enabled)
            return outcome;
        delay = with_jitter(settings, interval_ns);
        if (delay < outcome.retry_after_ns)
            delay = outcome.retry_after_ns;
        if (settings->max_elapsed_time_ns != 0 && clock_monotonic_nanos() - started + delay > settings->max_elapsed_time_ns)
            return outcome_retry("retries_exhausted", outcome.retry_after_ns);
        if (!wait_for(retry, delay))
            return outcome_retry("shutdown", 0);
        interval_ns *= settings->multiplier;
        if (interval_ns > (double)settings->max_interval_ns)
            interval_ns = (double)settings->max_interval_ns;
    }
}

static void retry_consume(struct consumer *consumer, struct batch *batch)
{
    struct retry *retry = (struct retry *)consumer;
    struct component *exporter = consumer->component;
    struct outcome outcome = attempt_until_settled(retry, batch);

    component_count_sent(exporter, batch->signal, batch->records, outcome);
    if (outcome.verdict != VERDICT_ACCEPTED && batch->accepted)
        log_error(exporter->path, "gave up %zu %s that had been accepted: %s", batch->records, signal_record_name(batch->signal),
            outcome.reason != NULL ? outcome.reason : "refused");
    batch_settle(batch, outcome);
}

void retry_init(struct retry *retry, struct component *exporter, const struct retry_settings *settings)
{
    pthread_condattr_t monotonic;

    retry->consumer = (struct consumer){ retry_consume, exporter };
    retry->settings = *settings;
    retry->stopping = false;
    pthread_mutex_init(&retry->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&retry->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void retry_interrupt(struct retry *retry)
{
    pthread_mutex_lock(&retry->lock);
    retry->stopping = true;
    pthread_cond_broadcast(&retry->stopped);
    pthread_mutex_unlock(&retry->lock);
}

void retry_fini(struct retry *retry)
{
    pthread_cond_destroy(&retry->stopped);
    pthread_mutex_destroy(&retry->lock);
}
