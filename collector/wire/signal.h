/* The four kinds of telemetry, as small numbers and as bits of a set. */
#ifndef WEIR_WIRE_SIGNAL_H
#define WEIR_WIRE_SIGNAL_H

enum signal { SIGNAL_TRACES, SIGNAL_METRICS, SIGNAL_LOGS, SIGNAL_PROFILES, SIGNAL_COUNT };

enum signal_set {
    SIGNALS_TRACES = 1 << SIGNAL_TRACES,
    SIGNALS_METRICS = 1 << SIGNAL_METRICS,
    SIGNALS_LOGS = 1 << SIGNAL_LOGS,
    SIGNALS_PROFILES = 1 << SIGNAL_PROFILES,
    SIGNALS_ALL = (1 << SIGNAL_COUNT) - 1,
};

/* "traces", "metrics", "logs", "profiles" */
const char *signal_name(enum signal signal);

/* What one record of the signal is called in metrics: "spans", "metric_points", "log_records", "samples". */
const char *signal_record_name(enum signal signal);

#endif
