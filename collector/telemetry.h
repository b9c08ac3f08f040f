/*
 * weir's own metrics: counters and gauges by name and labels, read out in the Prometheus text format.
 * Names and labels are those of the OpenTelemetry Collector where it has the metric; what is weir's own begins with "weir_".
 *
 * Threads: series are made and destroyed on any thread; adding is one relaxed atomic add.
 */
#ifndef WEIR_COLLECTOR_TELEMETRY_H
#define WEIR_COLLECTOR_TELEMETRY_H

#include "collector/base/buffer.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric_spec {
    const char *name, *help; /* static */
    enum metric_kind kind;
};

/* A list of labels ends with one whose name is NULL. */
struct metric_label {
    const char *name, *value;
};

struct metric; /* one series */

/* Copies the labels (NULL: none). Two series of the same name and labels are added up when they are read out. Aborts when memory is out. */
struct metric *metric_create(const struct metric_spec *spec, const struct metric_label *labels);
/* A series whose value is asked for when it is read out; `read` must be quick and is called under the registry's lock. */
struct metric *metric_observe(const struct metric_spec *spec, const struct metric_label *labels, double (*read)(void *), void *context);
/* NULL is fine. */
void metric_destroy(struct metric *metric);

void metric_add(struct metric *metric, uint64_t value);
void metric_set(struct metric *metric, int64_t value);
uint64_t metric_value(const struct metric *metric);

/* All series, sorted by name, in the Prometheus text format 0.0.4. */
void metrics_write(struct buffer *out);

/* otelcol_process_* and weir_memory_*; once. */
void metrics_observe_process(void);

#endif
