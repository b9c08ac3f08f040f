/*
 * The running pipelines: what a configuration asks for, started, reloaded and stopped as a whole.
 * Threads: everything but pipeline_is_ready is called from the control thread.
 */
#ifndef WEIR_COLLECTOR_PIPELINE_H
#define WEIR_COLLECTOR_PIPELINE_H

#include "collector/configuration.h"

struct graph;

/* Starts everything, receivers last. Takes the configuration. NULL with the error: then nothing runs. */
struct graph *pipeline_start(struct configuration *configuration, struct error *err);

/*
 * Changes to another configuration (taken): components that it does not change keep running, with their sockets, queues
 * and counters. False with the error when something new could not be started: then all is as it was before.
 */
bool pipeline_reload(struct graph *graph, struct configuration *configuration, struct error *err);

/* Receivers stop first; what is held is passed on and sent for at most `grace_ns`, then given up (and counted). NULL is fine. */
void pipeline_stop(struct graph *graph, int64_t grace_ns);

/* Are the pipelines taking data? Any thread. */
bool pipeline_is_ready(void);

#endif
