/* Observed instruments over weir_stats: nothing is counted twice for them. Threads: registration any, callbacks the worker. */
#include "sdk/src/self.h"

#include "sdk/include/weir/setup.h"
#include "sdk/src/queue.h"

WEIR_SCOPE(scope, "weir.sdk", WEIR_VERSION);

enum { SERIES_MAX = 2 };

/* One instrument and where its values stand in weir_stats_values. */
struct row {
    weir_instr instrument;
    struct {
        size_t offset;           /* 0: no such series */
        const char *key, *value; /* the attribute that tells it from the other */
    } series[SERIES_MAX];
};

#define INSTRUMENT(kind_, name_, unit_)                                                                                                    \
    {                                                                                                                                      \
        (uint32_t)sizeof(weir_instr), kind_, &scope, { name_, sizeof(name_) - 1 }, { unit_, sizeof(unit_) - 1 }, { NULL, 0 }, false,       \
            false, 0, NULL, NULL                                                                                                           \
    }
#define AT(member_) offsetof(weir_stats_values, member_)

static struct row rows[] = {
    { INSTRUMENT(WEIR_OBSERVED_COUNTER, "otel.sdk.span.started", "{span}"),
        { { AT(spans_started), "otel.span.sampling_result", "RECORD_AND_SAMPLE" },
            { AT(spans_unsampled), "otel.span.sampling_result", "DROP" } } },
    { INSTRUMENT(WEIR_OBSERVED_UPDOWN, "otel.sdk.span.live", "{span}"), { { AT(spans_live), NULL, NULL } } },
    { INSTRUMENT(WEIR_OBSERVED_UPDOWN, "otel.sdk.processor.span.queue.size", "{span}"), { { AT(queue_spans), NULL, NULL } } },
    { INSTRUMENT(WEIR_OBSERVED_COUNTER, "otel.sdk.processor.span.processed", "{span}"),
        { { AT(spans_exported), NULL, NULL }, { AT(spans_dropped), "error.type", "queue_full" } } },
    { INSTRUMENT(WEIR_OBSERVED_COUNTER, "otel.sdk.exporter.span.exported", "{span}"),
        { { AT(spans_exported), NULL, NULL }, { AT(spans_failed), "error.type", "_OTHER" } } },
    { INSTRUMENT(WEIR_OBSERVED_COUNTER, "otel.sdk.log.created", "{log_record}"), { { AT(logs_recorded), NULL, NULL } } },
    { INSTRUMENT(WEIR_OBSERVED_UPDOWN, "otel.sdk.processor.log.queue.size", "{log_record}"), { { AT(queue_logs), NULL, NULL } } },
    { INSTRUMENT(WEIR_OBSERVED_COUNTER, "otel.sdk.processor.log.processed", "{log_record}"),
        { { AT(logs_exported), NULL, NULL }, { AT(logs_dropped), "error.type", "queue_full" } } },
    { INSTRUMENT(WEIR_OBSERVED_COUNTER, "otel.sdk.exporter.log.exported", "{log_record}"),
        { { AT(logs_exported), NULL, NULL }, { AT(logs_failed), "error.type", "_OTHER" } } },
    { INSTRUMENT(WEIR_OBSERVED_COUNTER, "otel.sdk.exporter.metric_data_point.exported", "{data_point}"),
        { { AT(points_exported), NULL, NULL }, { AT(points_failed), "error.type", "_OTHER" } } },
};

static weir_instr span_capacity = INSTRUMENT(WEIR_OBSERVED_UPDOWN, "otel.sdk.processor.span.queue.capacity", "{span}");
static weir_instr log_capacity = INSTRUMENT(WEIR_OBSERVED_UPDOWN, "otel.sdk.processor.log.queue.capacity", "{log_record}");

static void observe_row(weir_observer *observer, void *user)
{
    const struct row *row = user;
    weir_stats_values stats = { .size = (uint32_t)sizeof(stats) };

    weir_stats(&stats);
    for (int i = 0; i < SERIES_MAX && row->series[i].offset != 0; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + row->series[i].offset, sizeof(value));
        weir_attr attr = weir_kv_z(weir_z(row->series[i].key), row->series[i].value);
        weir_observed_int(observer, (int64_t)value, weir_attrs_of(&attr, row->series[i].key != NULL));
    }
}

static void observe_capacity(weir_observer *observer, void *user)
{
    weir_observed_int(observer, queue_limit(user == &span_capacity ? RECORD_SPANS : RECORD_LOGS), WEIR_NO_ATTRS);
}

void self_register(void)
{
    static bool registered;

    if (registered)
        return;
    registered = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        weir_observe(&rows[i].instrument, observe_row, &rows[i]);
    weir_observe(&span_capacity, observe_capacity, &span_capacity);
    weir_observe(&log_capacity, observe_capacity, &log_capacity);
}
