/*
 * The retry stage: the consumer right in front of an exporter. It makes attempts until one is settled as accepted or
 * rejected, or time is up, and counts what became of the records.
 */
#ifndef WEIR_COLLECTOR_RETRY_H
#define WEIR_COLLECTOR_RETRY_H

#include <pthread.h>

#include "collector/delivery.h"

struct retry {
    struct consumer consumer;
    struct retry_settings settings; /* enabled false: one attempt, the outcome goes up as it is */
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stopping; /* under the lock */
};

/* `exporter` is borrowed until fini. */
void retry_init(struct retry *retry, struct component *exporter, const struct retry_settings *settings);
/* Waiting ends now: what is not delivered is settled as retry, reason "shutdown". Any thread. */
void retry_interrupt(struct retry *retry);
/* After the last consume has returned. */
void retry_fini(struct retry *retry);

#endif
