/* The statsd receiver's options, and the rules that they become. Private to receivers/statsd. */
#ifndef WEIR_STATSD_SETTINGS_H
#define WEIR_STATSD_SETTINGS_H

#include "collector/base/error.h"
#include "collector/config/option.h"
#include "receivers/statsd/table.h"

enum statsd_transport { STATSD_UDP, STATSD_UDP4, STATSD_UDP6, STATSD_TCP, STATSD_TCP4, STATSD_TCP6, STATSD_UNIXGRAM };

struct statsd_settings {
    const char *endpoint;
    int64_t socket_permissions;
    int transport; /* enum statsd_transport */
    int64_t socket_buffer_size;
    int64_t aggregation_interval_ns;
    bool enable_metric_type, enable_simple_tags, enable_ip_only_aggregation, ignore_host, is_monotonic_counter;
    int counter_type; /* enum statsd_counters */
    struct option_list mappings;
    struct option_strings tag_formats;
    int64_t max_series, max_samples, tcp_idle_timeout_ns, max_connections;
};

extern const struct option statsd_options[];

/* Allocates what the rules point to: regular expressions, bounds, percentiles. */
bool statsd_rules_init(struct statsd_rules *rules, const struct statsd_settings *settings, struct error *err);
void statsd_rules_fini(struct statsd_rules *rules);

#endif
