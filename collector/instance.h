/*
 * A running component: the component itself, what its strings live in, and what stands in front of it. Instances
 * survive reloads that do not change them. Private to the core.
 */
#ifndef WEIR_COLLECTOR_INSTANCE_H
#define WEIR_COLLECTOR_INSTANCE_H

#include <stdatomic.h>

#include "collector/configuration.h"
#include "collector/delivery.h"

/* A configuration that lives as long as an instance was made of it. */
struct loaded {
    unsigned references; /* control thread only */
    struct configuration *configuration;
};

struct instance {
    struct component *component; /* owned */
    struct arena arena;          /* its options' strings */
    struct loaded *loaded;       /* one reference is held */
    const struct configuration_component *settings; /* of `loaded` */
    const char *pipeline;        /* processors: the id of their pipeline, of `loaded`; else "" */
    bool start_called;
    bool kept;                   /* while reloading: taken over by the new graph */
    struct delivery *delivery[SIGNAL_COUNT]; /* exporters, for the signals in use; owned */
    struct component *const *limiters;       /* receivers: every memory_limiter behind them; in the graph's arena */
    size_t limiter_count;
    struct instance *next;       /* in the graph, in the order of their start */
};

/* NULL with the error. Not started. `pipeline` is borrowed from the configuration. */
struct instance *instance_create(struct loaded *loaded, const struct configuration_component *settings, const char *pipeline, struct error *err);
bool instance_start(struct instance *instance, struct error *err);
/* Starts the delivery chains that have come since the exporter was started. */
bool instance_start_delivery(struct instance *instance, struct error *err);
/* Stops (once), frees. NULL is fine. */
void instance_destroy(struct instance *instance);
/* Does it do what these settings ask for? */
bool instance_matches(const struct instance *instance, const struct configuration_component *settings, const char *pipeline);

void loaded_unref(struct loaded *loaded);

#endif
