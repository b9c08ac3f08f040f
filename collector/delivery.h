/*
 * Delivery: the chain of consumers in front of every exporter: queue -> batcher -> retry -> exporter.
 * Settings here are the OpenTelemetry Collector's sending_queue, retry_on_failure and timeout; an exporter embeds
 * struct delivery_settings, includes delivery_options in its table and names its place in delivery_offset.
 */
#ifndef WEIR_COLLECTOR_DELIVERY_H
#define WEIR_COLLECTOR_DELIVERY_H

#include "collector/component.h"

enum sizer { SIZER_REQUESTS, SIZER_ITEMS, SIZER_BYTES };

struct batcher_settings {
    int64_t flush_timeout_ns;
    int64_t min_size, max_size; /* in sizer units; max 0: none */
    int sizer;                  /* enum sizer; items or bytes */
    struct option_strings metadata_keys;
};

struct queue_settings {
    bool enabled;
    int64_t num_consumers;
    int64_t queue_size; /* in sizer units */
    int sizer;          /* enum sizer */
    bool block_on_overflow;
    bool wait_for_result;
    const char *storage; /* id of a storage extension */
    bool batch_present;
    struct batcher_settings batch;
};

struct retry_settings {
    bool enabled;
    int64_t initial_interval_ns, max_interval_ns, max_elapsed_time_ns; /* max_elapsed 0: for ever */
    double randomization_factor, multiplier;
};

struct delivery_settings {
    struct queue_settings queue;
    struct retry_settings retry;
};

/* Keys sending_queue and retry_on_failure, with offsets into struct delivery_settings; OPTION_INCLUDE it. */
extern const struct option delivery_options[];

/*
 * Those of sending_queue alone, and of its batch, with offsets into struct queue_settings and struct batcher_settings: for an exporter with other
 * defaults (a block sending_queue before delivery_options, with the rows that differ, and then these), or whose queue is off unless it is written.
 */
extern const struct option sending_queue_options[], sending_queue_batch_options[];

/* Checks across the options, and sets what one takes from another (the batcher's sizer). Done by configuration_instance. */
bool delivery_settings_check(struct delivery_settings *settings, struct error *err);

/* ---- the chain itself; private to the core ---- */

struct delivery;

/* For one signal of an exporter that has its options. Aborts when memory is out. */
struct delivery *delivery_create(struct component *exporter, enum signal signal);
/* Opens what is stored; again is fine. In the exporter's start, after it. */
bool delivery_start(struct delivery *delivery, struct error *err);
/* Where pipelines put batches in. */
struct consumer *delivery_entry(struct delivery *delivery);
/* While held back nobody waits for room (a batch that finds none is refused as retry). */
void delivery_hold_back(struct delivery *delivery, bool hold_back);
/* Takes nothing more in, sends what is held, until `deadline_ns` (monotonic). Returns whether all got out. */
bool delivery_drain(struct delivery *delivery, int64_t deadline_ns);
/* Ends waits between attempts. */
void delivery_interrupt(struct delivery *delivery);
/* Settles what is left as retry, joins the threads. NULL is fine. */
void delivery_destroy(struct delivery *delivery);

#endif
