/*
 * What a tail_sampling processor is told: its keys are the OpenTelemetry Collector's, and a few of weir's own. One struct holds any
 * policy; what may stand inside which other one is the option tables' matter.
 */
#ifndef WEIR_TAIL_SAMPLING_SETTINGS_H
#define WEIR_TAIL_SAMPLING_SETTINGS_H

#include "collector/config/option.h"

struct tail_attribute_settings {
    const char *key;
    struct option_strings values;
    int64_t min_value, max_value, cache_max_size;
    bool value, regex, invert_match;
};

/* A policy that is made of no others. */
struct tail_leaf_settings {
    struct {
        int64_t threshold_ms, upper_threshold_ms;
    } latency;
    struct tail_attribute_settings numeric, string, boolean, trace_state;
    struct {
        double sampling_percentage;
        const char *hash_salt;
    } probabilistic;
    struct option_strings status_codes;
    struct {
        int64_t per_second, burst_capacity;
    } spans, bytes;
    struct {
        int64_t min_spans, max_spans;
    } span_count;
    struct {
        const char *error_mode;
        const struct config_node *span, *spanevent;
    } ottl;
};

struct tail_named_leaf {
    const char *name, *type;
    struct tail_leaf_settings leaf;
};

struct tail_rate_allocation {
    const char *policy;
    int64_t percent;
};

struct tail_policy_settings {
    const char *name, *type;
    struct tail_leaf_settings leaf;
    struct tail_named_leaf negated;                         /* not */
    struct option_list and_policies, drop_policies;         /* of struct tail_policy_settings */
    struct option_list composite_policies, rate_allocation; /* of struct tail_policy_settings, struct tail_rate_allocation */
    struct option_strings policy_order;
    int64_t max_total_spans_per_second;
};

enum tail_strategy { TAIL_TRACE_COMPLETE, TAIL_SPAN_INGEST };

struct tail_settings {
    int strategy; /* enum tail_strategy */
    int64_t decision_wait_ns, decision_wait_after_root_ns;
    int64_t num_traces, expected_new_traces_per_sec;
    bool sample_on_first_match, block_on_overflow, drop_pending_traces_on_shutdown;
    int64_t maximum_trace_size_bytes;
    int64_t sampled_cache_size, non_sampled_cache_size;
    struct option_list policies; /* of struct tail_policy_settings */
    int64_t max_memory_mib;      /* weir's own */
    bool record_policy;          /* weir's own */
};

/* Offsets into struct tail_settings. */
extern const struct option tail_options[];

#endif
