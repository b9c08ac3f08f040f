/* StatsD lines from anybody: whatever is taken must come out as well-formed OTLP. */
#include <assert.h>

#include "collector/wire/otlp.h"
#include "receivers/statsd/event.h"
#include "receivers/statsd/table.h"

static struct statsd_rules rules = { .simple_tags = true,
    .metric_type = true,
    .dialects = 15,
    .max_series = 50,
    .max_samples = 50,
    .observers = {
        [STATSD_TIMING] = { .method = STATSD_OBSERVE_GAUGE },
        [STATSD_HISTOGRAM] = { .method = STATSD_OBSERVE_SUMMARY },
        [STATSD_DISTRIBUTION] = { .method = STATSD_OBSERVE_HISTOGRAM, .max_size = 20 },
    } };

static void check(enum signal signal, struct buffer *request, size_t records)
{
    struct otlp_check result = otlp_check(signal, buffer_slice(request));

    assert(result.fault == OTLP_OK && result.records == records);
    buffer_fini(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct statsd_table *table;
    struct slice rest = slice_of(data, size), line;
    struct buffer events = { 0 }, request = { 0 };
    size_t event_count = 0, points;

    if (table == NULL)
        table = statsd_table_create(&rules);
    while (rest.size > 0 && statsd_next_item(&rest, '\n', &line)) {
        if (statsd_is_event(line))
            event_count += statsd_event(line, 1, &events) == NULL;
        else
            statsd_table_add(table, line, &(struct statsd_origin){ 1, 1 });
    }
    points = statsd_table_flush(table, 1, 2, &request);
    check(SIGNAL_METRICS, &request, points);
    statsd_events_request(buffer_slice(&events), &request);
    check(SIGNAL_LOGS, &request, event_count);
    buffer_fini(&events);
    return 0;
}
