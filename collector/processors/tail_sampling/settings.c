/* The option tables of tail_sampling. */
#include "collector/processors/tail_sampling/settings.h"

#define LEAF(field) offsetof(struct tail_leaf_settings, field)
#define POLICY(field) offsetof(struct tail_policy_settings, field)
#define TAIL(field) offsetof(struct tail_settings, field)

#define LEAF_TYPES                                                                                                                         \
    "always_sample|latency|numeric_attribute|probabilistic|status_code|string_attribute|rate_limiting|bytes_limiting|span_count|"          \
    "trace_state|trace_flags|boolean_attribute|ottl_condition"
#define TYPE(where, types)                                                                                                                 \
    {                                                                                                                                      \
        "type", OPTION_STRING, where, NULL, types, "what the policy looks at", .flags = OPTION_REQUIRED                                    \
    }
#define NAME(where, is)                                                                                                                    \
    {                                                                                                                                      \
        "name", OPTION_STRING, where, NULL, NULL, "how counters and attributes call the policy", .flags = (is)                             \
    }
#define KEY(where)                                                                                                                         \
    {                                                                                                                                      \
        "key", OPTION_STRING, where, NULL, NULL, "of the attribute"                                                                        \
    }
#define INVERT(where)                                                                                                                      \
    {                                                                                                                                      \
        "invert_match", OPTION_BOOL, where, "false", NULL, "samples the traces in which neither a span nor a resource matches"             \
    }

static const struct option latency_options[] = {
    { "threshold_ms", OPTION_INT, LEAF(latency.threshold_ms), "0", NULL,
        "traces that took this long or longer are sampled; with an upper bound: longer only" },
    { "upper_threshold_ms", OPTION_INT, LEAF(latency.upper_threshold_ms), "0", NULL,
        "and that took no longer than this; 0: no upper bound" },
    { 0 },
};

static const struct option numeric_options[] = {
    KEY(LEAF(numeric.key)),
    { "min_value", OPTION_INT, LEAF(numeric.min_value), "0", NULL, "smallest integer that matches; 0: none" },
    { "max_value", OPTION_INT, LEAF(numeric.max_value), "0", NULL, "largest integer that matches; 0: none" },
    INVERT(LEAF(numeric.invert_match)),
    { 0 },
};

static const struct option probabilistic_options[] = {
    { "hash_salt", OPTION_STRING, LEAF(probabilistic.hash_salt), NULL, NULL,
        "tiers with different salts decide independently of each other; default-hash-seed when left out" },
    { "sampling_percentage", OPTION_DOUBLE, LEAF(probabilistic.sampling_percentage), "0", "0..",
        "share of the traces that is sampled; 100 and more: all" },
    { 0 },
};

static const struct option status_code_options[] = {
    { "status_codes", OPTION_STRINGS, LEAF(status_codes), NULL, "OK|ERROR|UNSET", "a span with any of them makes the trace sampled" },
    { 0 },
};

static const struct option string_options[] = {
    KEY(LEAF(string.key)),
    { "values", OPTION_STRINGS, LEAF(string.values), NULL, NULL, "texts, or regular expressions, any of which matches" },
    { "enabled_regex_matching", OPTION_BOOL, LEAF(string.regex), "false", NULL,
        "values are regular expressions of RE2's syntax, matched anywhere in the text" },
    { "cache_max_size", OPTION_INT, LEAF(string.cache_max_size), "0", "0..1000000",
        "how many texts are remembered with what the regular expressions said; 0: 128" },
    INVERT(LEAF(string.invert_match)),
    { 0 },
};

static const struct option boolean_options[] = {
    KEY(LEAF(boolean.key)),
    { "value", OPTION_BOOL, LEAF(boolean.value), "false", NULL, "what it has to be" },
    INVERT(LEAF(boolean.invert_match)),
    { 0 },
};

static const struct option trace_state_options[] = {
    { "key", OPTION_STRING, LEAF(trace_state.key), NULL, NULL, "of the trace state's member" },
    { "values", OPTION_STRINGS, LEAF(trace_state.values), NULL, NULL, "what its value may be" },
    { 0 },
};

static const struct option rate_options[] = {
    { "spans_per_second", OPTION_INT, LEAF(spans.per_second), "0", "0..", "spans that flow into the bucket each second" },
    { "burst_capacity", OPTION_INT, LEAF(spans.burst_capacity), "0", "0..",
        "spans that the bucket holds, and the most that one trace may have; 0: twice spans_per_second" },
    { 0 },
};

static const struct option bytes_options[] = {
    { "bytes_per_second", OPTION_INT, LEAF(bytes.per_second), "0", "0..", "bytes that flow into the bucket each second" },
    { "burst_capacity", OPTION_INT, LEAF(bytes.burst_capacity), "0", "0..",
        "bytes that the bucket holds, and the most that one trace may have; 0: twice bytes_per_second" },
    { 0 },
};

static const struct option span_count_options[] = {
    { "min_spans", OPTION_INT, LEAF(span_count.min_spans), "0", "0..2147483647", "fewest spans of a trace that is sampled" },
    { "max_spans", OPTION_INT, LEAF(span_count.max_spans), "0", "0..2147483647",
        "most spans of a trace that is sampled; 0: no upper bound" },
    { 0 },
};

static const struct option ottl_options[] = {
    { "error_mode", OPTION_STRING, LEAF(ottl.error_mode), NULL, "ignore|silent|propagate",
        "what becomes of a condition that fails: ignore takes it as not holding and logs it, silent (as when left out) does not log, "
        "propagate passes the policy over for that trace" },
    { "span", OPTION_ANY, LEAF(ottl.span), NULL, NULL, "conditions on spans, any of which samples the trace" },
    { "spanevent", OPTION_ANY, LEAF(ottl.spanevent), NULL, NULL, "conditions on span events, any of which samples the trace" },
    { 0 },
};

static const struct option none[] = { { 0 } };

/* Offsets into struct tail_leaf_settings. */
static const struct option leaf_options[] = {
    { "always_sample", OPTION_BLOCK, 0, NULL, NULL, "has no keys", none },
    { "latency", OPTION_BLOCK, 0, NULL, NULL, "from the earliest start to the latest end", latency_options },
    { "numeric_attribute", OPTION_BLOCK, 0, NULL, NULL, "an integer attribute of a span or resource", numeric_options },
    { "probabilistic", OPTION_BLOCK, 0, NULL, NULL, "a share of the traces, by a hash of the trace id", probabilistic_options },
    { "status_code", OPTION_BLOCK, 0, NULL, NULL, "the spans' status", status_code_options },
    { "string_attribute", OPTION_BLOCK, 0, NULL, NULL, "a text attribute of a span or resource", string_options },
    { "rate_limiting", OPTION_BLOCK, 0, NULL, NULL, "a token bucket of spans", rate_options },
    { "bytes_limiting", OPTION_BLOCK, 0, NULL, NULL, "a token bucket of bytes", bytes_options },
    { "span_count", OPTION_BLOCK, 0, NULL, NULL, "how many spans the trace has", span_count_options },
    { "trace_state", OPTION_BLOCK, 0, NULL, NULL, "a member of the spans' W3C trace state", trace_state_options },
    { "trace_flags", OPTION_BLOCK, 0, NULL, NULL, "has no keys: the W3C flag \"sampled\" of a span", none },
    { "boolean_attribute", OPTION_BLOCK, 0, NULL, NULL, "a boolean attribute of a span or resource", boolean_options },
    { "ottl_condition", OPTION_BLOCK, 0, NULL, NULL, "conditions of the OpenTelemetry Transformation Language", ottl_options },
    { 0 },
};

/* Offsets into struct tail_named_leaf. */
static const struct option negated_options[] = {
    NAME(offsetof(struct tail_named_leaf, name), 0),
    TYPE(offsetof(struct tail_named_leaf, type), LEAF_TYPES),
    { "", OPTION_INCLUDE, offsetof(struct tail_named_leaf, leaf), NULL, NULL, NULL, leaf_options },
    { 0 },
};

static const struct option not_options[] = {
    { "not_sub_policy", OPTION_BLOCK, POLICY(negated), NULL, NULL, "the policy whose opposite counts", negated_options },
    { 0 },
};

#define NOT                                                                                                                                \
    {                                                                                                                                      \
        "not", OPTION_BLOCK, 0, NULL, NULL, "the opposite of another policy", not_options                                                  \
    }
#define LEAVES                                                                                                                             \
    {                                                                                                                                      \
        "", OPTION_INCLUDE, POLICY(leaf), NULL, NULL, NULL, leaf_options                                                                   \
    }
#define LIST(key_, field, table, help_)                                                                                                    \
    {                                                                                                                                      \
        key_, OPTION_LIST, POLICY(field), NULL, NULL, help_, table, sizeof(struct tail_policy_settings)                                    \
    }

static const struct option joined_options[] = {
    NAME(POLICY(name), 0),
    TYPE(POLICY(type), LEAF_TYPES "|not"),
    LEAVES,
    NOT,
    { 0 },
};

static const struct option and_options[] = {
    LIST("and_sub_policy", and_policies, joined_options, "policies that all have to sample the trace"),
    { 0 },
};

static const struct option drop_options[] = {
    LIST("drop_sub_policy", drop_policies, joined_options, "policies that all have to match for the trace to be dropped"),
    { 0 },
};

#define AND                                                                                                                                \
    {                                                                                                                                      \
        "and", OPTION_BLOCK, 0, NULL, NULL, "several policies at once", and_options                                                        \
    }

static const struct option part_options[] = {
    NAME(POLICY(name), 0),
    TYPE(POLICY(type), LEAF_TYPES "|and"),
    LEAVES,
    AND,
    { 0 },
};

static const struct option allocation_options[] = {
    { "policy", OPTION_STRING, offsetof(struct tail_rate_allocation, policy), NULL, NULL, "name of one of composite_sub_policy" },
    { "percent", OPTION_INT, offsetof(struct tail_rate_allocation, percent), "0", NULL,
        "its share of max_total_spans_per_second; 0: an equal share" },
    { 0 },
};

static const struct option composite_options[] = {
    { "max_total_spans_per_second", OPTION_INT, POLICY(max_total_spans_per_second), "0", NULL,
        "most spans that each part may sample in a second" },
    { "policy_order", OPTION_STRINGS, POLICY(policy_order), NULL, NULL,
        "has no effect, as in the OpenTelemetry Collector: parts are asked in the order of composite_sub_policy" },
    LIST("composite_sub_policy", composite_policies, part_options, "the parts; the first that samples the trace decides, within its rate"),
    { "rate_allocation", OPTION_LIST, POLICY(rate_allocation), NULL, NULL, "the parts' rates; a part that is not listed samples nothing",
        allocation_options, sizeof(struct tail_rate_allocation) },
    { 0 },
};

static const struct option policy_options[] = {
    NAME(POLICY(name), OPTION_REQUIRED),
    TYPE(POLICY(type), LEAF_TYPES "|and|not|drop|composite"),
    LEAVES,
    AND,
    NOT,
    { "drop", OPTION_BLOCK, 0, NULL, NULL, "drops traces whatever other policies say", drop_options },
    { "composite", OPTION_BLOCK, 0, NULL, NULL, "policies that share a rate", composite_options },
    { 0 },
};

static const struct option cache_options[] = {
    { "sampled_cache_size", OPTION_INT, TAIL(sampled_cache_size), "0", "0..1000000000",
        "how many sampled traces are remembered beyond num_traces; 0: none" },
    { "non_sampled_cache_size", OPTION_INT, TAIL(non_sampled_cache_size), "0", "0..1000000000",
        "how many traces that were not sampled are remembered beyond num_traces; 0: none" },
    { 0 },
};

const struct option tail_options[] = {
    { "sampling_strategy", OPTION_ENUM, TAIL(strategy), "trace-complete", "trace-complete|span-ingest",
        "decide on the whole trace once the wait is over, or on each part as it comes in" },
    { "decision_wait", OPTION_DURATION, TAIL(decision_wait_ns), "30s", NULL, "how long a trace is held from its first span on" },
    { "decision_wait_after_root_received", OPTION_DURATION, TAIL(decision_wait_after_root_ns), "0s", NULL,
        "how long it is held from its root span on, when that ends earlier; 0: no difference" },
    { "num_traces", OPTION_INT, TAIL(num_traces), "50000", "1..100000000",
        "most traces held or remembered; beyond it the oldest is forgotten, or decided early on what is there of it" },
    { "expected_new_traces_per_sec", OPTION_INT, TAIL(expected_new_traces_per_sec), "0", "0..", "how large tables are at the start" },
    { "sample_on_first_match", OPTION_BOOL, TAIL(sample_on_first_match), "false", NULL,
        "ask no further policies once one has sampled the trace" },
    { "block_on_overflow", OPTION_BOOL, TAIL(block_on_overflow), "false", NULL,
        "refuse new spans (to be sent again later) when num_traces or max_memory_mib is reached, in the place of deciding early" },
    { "drop_pending_traces_on_shutdown", OPTION_BOOL, TAIL(drop_pending_traces_on_shutdown), "false", NULL,
        "drop traces that are held when weir stops, in the place of deciding on what is there of them" },
    { "maximum_trace_size_bytes", OPTION_INT, TAIL(maximum_trace_size_bytes), "0", "0..",
        "larger traces are dropped as soon as they are; 0: none are" },
    { "decision_cache", OPTION_BLOCK, 0, NULL, NULL, "decisions that are remembered for late spans", cache_options },
    { "policies", OPTION_LIST, TAIL(policies), NULL, NULL, "what is sampled", policy_options, sizeof(struct tail_policy_settings),
        .flags = OPTION_REQUIRED },
    { "max_memory_mib", OPTION_INT, TAIL(max_memory_mib), "1024", "1..1048576",
        "most memory for held spans; beyond it the oldest traces are decided early", .flags = OPTION_WEIR },
    { "record_policy", OPTION_BOOL, TAIL(record_policy), "false", NULL,
        "write the name of the policy that sampled a trace to its scopes, as tailsampling.policy (and tailsampling.composite_policy, "
        "tailsampling.cached_decision); a feature gate of the OpenTelemetry Collector",
        .flags = OPTION_WEIR },
    { "num_shards", OPTION_IGNORED, 0, NULL, NULL, "weir shards by trace id on its own" },
    { "tail_storage", OPTION_UNSUPPORTED, 0, NULL, NULL, "spans are held in memory" },
    { 0 },
};
