/* Collects at the interval or for a flush, while no request is under way. Threads: the worker. */
#include "sdk/src/metric_pipeline.h"

#include "sdk/src/clock.h"
#include "sdk/src/engine.h"
#include "sdk/src/metric.h"

void metric_pipeline_init(struct metric_pipeline *pipeline, const struct settings *settings, struct slice resource)
{
    memset(pipeline, 0, sizeof(*pipeline));
    pipeline->settings = &settings->metrics;
    pipeline->resource = resource;
    pipeline->next_due = clock_monotonic_ms() + pipeline->settings->interval_ms;
    exporter_init(&pipeline->exporter, WEIR_SIGNAL_METRICS, settings, &engine_totals[WEIR_SIGNAL_METRICS]);
    metric_begin();
}

void metric_pipeline_fini(struct metric_pipeline *pipeline)
{
    exporter_abort(&pipeline->exporter, "stopped before they were sent");
    exporter_fini(&pipeline->exporter);
    memset(pipeline, 0, sizeof(*pipeline));
}

void metric_pipeline_flush(struct metric_pipeline *pipeline)
{
    pipeline->wanted = true;
}

bool metric_pipeline_flushed(const struct metric_pipeline *pipeline)
{
    return !pipeline->wanted && pipeline->exporter.state == EXPORTER_IDLE;
}

void metric_pipeline_step(struct metric_pipeline *pipeline)
{
    while (exporter_step(&pipeline->exporter)) {
        int64_t now = clock_monotonic_ms();
        if (!pipeline->wanted && now < pipeline->next_due)
            return;
        pipeline->wanted = false;
        pipeline->next_due = now + pipeline->settings->interval_ms;
        uint32_t points = metric_collect(pipeline->resource, &pipeline->exporter.request);
        if (points != 0)
            exporter_begin(&pipeline->exporter, points, pipeline->settings->timeout_ms);
        else
            buffer_clear(&pipeline->exporter.request);
    }
}

int64_t metric_pipeline_due(const struct metric_pipeline *pipeline)
{
    int64_t due = exporter_due(&pipeline->exporter);

    return pipeline->exporter.state == EXPORTER_IDLE && pipeline->next_due < due ? pipeline->next_due : due;
}
