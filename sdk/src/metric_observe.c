/*
 * Observed instruments: callbacks and what they report. Registrations change under a lock of their own, which is held while callbacks
 * run, so that weir_unobserve can promise that none runs afterwards. Threads: any register; the worker runs them.
 */
#include <errno.h>
#include <stdlib.h>

#include "sdk/src/metric.h"
#include "sdk/src/thread.h"

struct registration {
    struct registration *next;
    int id;
    struct instrument *instrument;
    weir_observe_fn observe;
    void *user;
};

struct weir_observer {
    struct instrument *instrument;
    uint64_t collection;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct registration *registrations;
static int last_id;

int weir_observe(weir_instr *instr, weir_observe_fn observe, void *user)
{
    struct instrument *instrument = metric_instrument_of(instr);

    if (instrument == NULL || observe == NULL || !metric_is_observed(instrument->kind))
        return -EINVAL;
    struct registration *registration = calloc(1, sizeof(*registration));
    if (registration == NULL)
        return -ENOMEM;
    registration->instrument = instrument;
    registration->observe = observe;
    registration->user = user;
    pthread_mutex_lock(&lock);
    registration->id = ++last_id;
    registration->next = registrations;
    registrations = registration;
    pthread_mutex_unlock(&lock);
    return registration->id;
}

void weir_unobserve(int id)
{
    pthread_mutex_lock(&lock);
    for (struct registration **at = &registrations; *at != NULL; at = &(*at)->next) {
        struct registration *registration = *at;
        if (registration->id == id) {
            *at = registration->next;
            free(registration);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

static void observed(weir_observer *observer, uint64_t bits, weir_attrs attrs)
{
    for (struct stream *stream = observer->instrument->streams; stream != NULL; stream = stream->next) {
        struct point *point = metric_point_of(stream, attrs);
        if (point == NULL)
            continue;
        /* What a view's filter makes one is added up, where it is a sum. */
        bool again = point->observed_in == observer->collection && stream->filter && stream->aggregation == AGGREGATION_SUM;
        if (again && observer->instrument->floating)
            point->observed = metric_bits(metric_double(point->observed) + metric_double(bits));
        else
            point->observed = again ? point->observed + bits : bits;
        point->observed_in = observer->collection;
    }
}

void weir_observed_int(weir_observer *observer, int64_t value, weir_attrs attrs)
{
    if (observer != NULL)
        observed(observer, observer->instrument->floating ? metric_bits((double)value) : (uint64_t)value, attrs);
}

void weir_observed(weir_observer *observer, double value, weir_attrs attrs)
{
    if (observer == NULL || value != value)
        return;
    observed(observer, observer->instrument->floating ? metric_bits(value) : (uint64_t)(int64_t)value, attrs);
}

void metric_run_observers(struct instrument *instrument, uint64_t collection)
{
    struct weir_observer observer = { instrument, collection };

    pthread_mutex_lock(&lock);
    for (const struct registration *registration = registrations; registration != NULL; registration = registration->next) {
        if (registration->instrument == instrument)
            registration->observe(&observer, registration->user);
    }
    pthread_mutex_unlock(&lock);
}

void metric_observe_after_fork_child(void)
{
    pthread_mutex_init(&lock, NULL);
}
