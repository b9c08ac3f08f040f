/* Metrics between collection and exporter: the periodic reader of the specification. */
#ifndef WEIR_SDK_METRIC_PIPELINE_H
#define WEIR_SDK_METRIC_PIPELINE_H

#include "sdk/src/exporter.h"

struct metric_pipeline {
    const struct metric_settings *settings;
    struct slice resource; /* borrowed from the engine */
    struct exporter exporter;
    int64_t next_due;
    bool wanted; /* collect at the next step */
};

void metric_pipeline_init(struct metric_pipeline *pipeline, const struct settings *settings, struct slice resource);
void metric_pipeline_fini(struct metric_pipeline *pipeline);

/* What was recorded before the call is to be sent now; metric_pipeline_flushed says when it is. */
void metric_pipeline_flush(struct metric_pipeline *pipeline);
bool metric_pipeline_flushed(const struct metric_pipeline *pipeline);

void metric_pipeline_step(struct metric_pipeline *pipeline);
int64_t metric_pipeline_due(const struct metric_pipeline *pipeline);

#endif
