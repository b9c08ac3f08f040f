/* One signal between queue and exporter: when to send, how much, and a word when records are lost. */
#ifndef WEIR_SDK_PIPELINE_H
#define WEIR_SDK_PIPELINE_H

#include "sdk/src/exporter.h"
#include "sdk/src/queue.h"

struct pipeline {
    enum record_signal signal;
    const struct batch_settings *settings;
    struct slice resource; /* borrowed from the engine */
    struct exporter exporter;
    struct record_list waiting;
    uint32_t owed; /* of those waiting: to be sent without waiting for a full batch */
    int64_t next_due;
    uint64_t drops_seen, drops_before; /* counts at the last look, and when the present loss began */
    int64_t last_drop;
    bool dropping;
};

void pipeline_init(struct pipeline *pipeline, enum record_signal signal, const struct settings *settings, struct slice resource);

/* Counts what is left as failed. */
void pipeline_fini(struct pipeline *pipeline);

/* Everything finished before the call is to be sent now; pipeline_flushed says when it is. */
void pipeline_flush(struct pipeline *pipeline);
bool pipeline_flushed(const struct pipeline *pipeline);

/* Goes on without waiting. */
void pipeline_step(struct pipeline *pipeline);

/* When to step again at the latest. */
int64_t pipeline_due(const struct pipeline *pipeline);

#endif
