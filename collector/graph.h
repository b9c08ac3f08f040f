/* The graph of instances that a configuration describes: which there are, and what leads where. Private to the core. */
#ifndef WEIR_COLLECTOR_GRAPH_H
#define WEIR_COLLECTOR_GRAPH_H

#include "collector/instance.h"

struct graph {
    struct loaded *loaded;       /* one reference is held */
    struct arena arena;          /* the list below, fan-outs, lists of limiters */
    struct instance **instances; /* in the order of their start: extensions, exporters, connectors, processors, receivers */
    size_t count, capacity;
};

/*
 * Lists the instances that the configuration (taken) needs; those of `old` (NULL: none) that match are taken over, with `kept`
 * set, the others made. False with the error: then nothing was made, and `graph` is empty.
 */
bool graph_plan(struct graph *graph, struct configuration *configuration, struct graph *old, struct error *err);

/*
 * Sets `next` and the limiters of the kept instances, or of the new ones. What the new ones lead to may be wired before the
 * kept ones are: new data then runs through old wires for a moment, which is as good.
 */
void graph_wire(struct graph *graph, bool kept);

/* Destroys the instances that were made for it (all of them when `new_only` is false), frees the lists. */
void graph_fini(struct graph *graph, bool new_only);

/* The graph's instance made of these settings, for a pipeline ("" for others than processors). */
struct instance *graph_find(const struct graph *graph, const struct configuration_component *settings, const char *pipeline);

#endif
