/* Names of the signals, as configuration and metrics spell them. */
#include "collector/wire/signal.h"

#include <assert.h>

static const char *const names[SIGNAL_COUNT] = { "traces", "metrics", "logs", "profiles" };
static const char *const record_names[SIGNAL_COUNT] = { "spans", "metric_points", "log_records", "samples" };

const char *signal_name(enum signal signal)
{
    assert(signal < SIGNAL_COUNT);
    return names[signal];
}

const char *signal_record_name(enum signal signal)
{
    assert(signal < SIGNAL_COUNT);
    return record_names[signal];
}
