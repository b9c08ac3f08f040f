/*
 * filter processor: drops what a condition of the OpenTelemetry Transformation Language holds for, and scopes and resources that are
 * left empty. A batch in which nothing matches passes without a byte being copied.
 *
 * Cost: one walk of the batch; what stays is copied in runs. Threads: programs are fixed at start; see ottl_rules.
 */
#include "collector/processors/filter_match.h"
#include "collector/processors/ottl_rules.h"

struct filter {
    struct component base;
    const char *error_mode;
    const struct config_node *trace_conditions, *metric_conditions, *log_conditions;
    struct {
        const struct config_node *resource, *span, *spanevent;
    } traces;
    struct {
        const struct config_node *resource, *metric, *datapoint;
    } metrics;
    struct {
        const struct config_node *resource, *log_record;
    } logs;
    bool traces_present, metrics_present, logs_present, spans_present;
    struct {
        struct filter_match include, exclude;
    } span_match, metric_match, log_match;
    struct ottl_rules rules;
};

#define CONDITIONS "OTTL conditions: texts, or groups of {context, error_mode, conditions}; what any of them holds for is dropped"
#define MATCH(key, member, table, help) \
    { key, OPTION_BLOCK, offsetof(struct filter, member), NULL, NULL, help, table, .present = offsetof(struct filter, member.present) }

static const struct option trace_options[] = {
    { "resource", OPTION_ANY, offsetof(struct filter, traces.resource), NULL, NULL, "conditions on resources" },
    { "span", OPTION_ANY, offsetof(struct filter, traces.span), NULL, NULL, "conditions on spans" },
    { "spanevent", OPTION_ANY, offsetof(struct filter, traces.spanevent), NULL, NULL, "conditions on span events" },
    { 0 },
};

static const struct option metric_options[] = {
    { "resource", OPTION_ANY, offsetof(struct filter, metrics.resource), NULL, NULL, "conditions on resources" },
    { "metric", OPTION_ANY, offsetof(struct filter, metrics.metric), NULL, NULL, "conditions on metrics" },
    { "datapoint", OPTION_ANY, offsetof(struct filter, metrics.datapoint), NULL, NULL, "conditions on data points" },
    MATCH("include", metric_match.include, filter_metric_match, "what does not match is dropped"),
    MATCH("exclude", metric_match.exclude, filter_metric_match, "what matches is dropped"),
    { 0 },
};

static const struct option log_options[] = {
    { "resource", OPTION_ANY, offsetof(struct filter, logs.resource), NULL, NULL, "conditions on resources" },
    { "log_record", OPTION_ANY, offsetof(struct filter, logs.log_record), NULL, NULL, "conditions on log records" },
    MATCH("include", log_match.include, filter_log_match, "what does not match is dropped"),
    MATCH("exclude", log_match.exclude, filter_log_match, "what matches is dropped"),
    { 0 },
};

static const struct option span_options[] = {
    MATCH("include", span_match.include, filter_span_match, "what does not match is dropped"),
    MATCH("exclude", span_match.exclude, filter_span_match, "what matches is dropped"),
    { 0 },
};

static const struct option options[] = {
    { "error_mode", OPTION_STRING, offsetof(struct filter, error_mode), "ignore", NULL, "what becomes of a condition that fails: ignore takes it as not holding and logs it, silent does not log, propagate refuses the request" },
    { "trace_conditions", OPTION_ANY, offsetof(struct filter, trace_conditions), NULL, NULL, CONDITIONS },
    { "metric_conditions", OPTION_ANY, offsetof(struct filter, metric_conditions), NULL, NULL, CONDITIONS },
    { "log_conditions", OPTION_ANY, offsetof(struct filter, log_conditions), NULL, NULL, CONDITIONS },
    { "traces", OPTION_BLOCK, 0, NULL, NULL, "conditions by context", .fields = trace_options, .present = offsetof(struct filter, traces_present) },
    { "metrics", OPTION_BLOCK, 0, NULL, NULL, "conditions by context", .fields = metric_options, .present = offsetof(struct filter, metrics_present) },
    { "logs", OPTION_BLOCK, 0, NULL, NULL, "conditions by context", .fields = log_options, .present = offsetof(struct filter, logs_present) },
    { "spans", OPTION_BLOCK, 0, NULL, NULL, "older rules on spans", .fields = span_options, .present = offsetof(struct filter, spans_present) },
    { "profile_conditions", OPTION_UNSUPPORTED, 0, NULL, NULL, CONDITIONS },
    { "profiles", OPTION_UNSUPPORTED, 0, NULL, NULL, "conditions by context" },
    { 0 },
};

static bool read_by_context(struct filter *self, enum ottl_error_mode mode, struct error *err)
{
    const struct {
        struct ottl_source source;
        enum ottl_context context;
    } lists[] = {
        { { SIGNAL_TRACES, "traces.resource", self->traces.resource, mode }, OTTL_RESOURCE },
        { { SIGNAL_TRACES, "traces.span", self->traces.span, mode }, OTTL_SPAN },
        { { SIGNAL_TRACES, "traces.spanevent", self->traces.spanevent, mode }, OTTL_SPANEVENT },
        { { SIGNAL_METRICS, "metrics.resource", self->metrics.resource, mode }, OTTL_RESOURCE },
        { { SIGNAL_METRICS, "metrics.metric", self->metrics.metric, mode }, OTTL_METRIC },
        { { SIGNAL_METRICS, "metrics.datapoint", self->metrics.datapoint, mode }, OTTL_DATAPOINT },
        { { SIGNAL_LOGS, "logs.resource", self->logs.resource, mode }, OTTL_RESOURCE },
        { { SIGNAL_LOGS, "logs.log_record", self->logs.log_record, mode }, OTTL_LOG },
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (!ottl_rules_read_conditions(&self->rules, &lists[i].source, lists[i].context, err))
            return false;
    }
    return true;
}

/* One of include and exclude, as a condition. */
struct match_rule {
    struct ottl_source source;
    enum ottl_context context;
    const struct filter_match *match;
    bool include;
    bool (*put)(const struct filter_match *match, struct buffer *condition, struct error *err);
};

static bool read_match(struct ottl_rules *rules, const struct match_rule *rule, struct error *err)
{
    struct buffer condition = { .data = NULL }, text = { .data = NULL };
    bool ok;

    if (!rule->match->present)
        return true;
    ok = rule->put(rule->match, &condition, err) || fail_within(err, "%s", rule->source.key);
    if (ok && condition.size == 0 && rule->context == OTTL_SPAN)
        ok = fail(err, "%s: nothing is set to match on", rule->source.key);
    if (ok && condition.size > 0) {
        buffer_append_string(&text, rule->include ? "not (" : "(");
        buffer_append_slice(&text, buffer_slice(&condition));
        buffer_append_byte(&text, ')');
        ok = ottl_rules_add_condition(rules, &rule->source, rule->context, buffer_string(&text), err);
    }
    buffer_fini(&condition);
    buffer_fini(&text);
    return ok;
}

static bool read_matches(struct filter *self, enum ottl_error_mode mode, struct error *err)
{
    const struct match_rule rules[] = {
        { { SIGNAL_TRACES, "spans.include", NULL, mode }, OTTL_SPAN, &self->span_match.include, true, filter_match_spans },
        { { SIGNAL_TRACES, "spans.exclude", NULL, mode }, OTTL_SPAN, &self->span_match.exclude, false, filter_match_spans },
        { { SIGNAL_METRICS, "metrics.include", NULL, mode }, OTTL_RESOURCE, &self->metric_match.include, true, filter_match_resources },
        { { SIGNAL_METRICS, "metrics.include", NULL, mode }, OTTL_METRIC, &self->metric_match.include, true, filter_match_metrics },
        { { SIGNAL_METRICS, "metrics.exclude", NULL, mode }, OTTL_RESOURCE, &self->metric_match.exclude, false, filter_match_resources },
        { { SIGNAL_METRICS, "metrics.exclude", NULL, mode }, OTTL_METRIC, &self->metric_match.exclude, false, filter_match_metrics },
        { { SIGNAL_LOGS, "logs.include", NULL, mode }, OTTL_LOG, &self->log_match.include, true, filter_match_logs },
        { { SIGNAL_LOGS, "logs.exclude", NULL, mode }, OTTL_LOG, &self->log_match.exclude, false, filter_match_logs },
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!read_match(&self->rules, &rules[i], err))
            return false;
    }
    return true;
}

static bool read_rules(struct filter *self, struct error *err)
{
    enum ottl_error_mode mode;

    self->rules = (struct ottl_rules){ .owner = &self->base, .filter = true };
    if (!ottl_mode_of(self->error_mode, OTTL_IGNORE, &mode))
        return fail(err, "error_mode: unknown mode \"%s\", must be propagate, ignore or silent", self->error_mode);
    const struct ottl_source sources[] = {
        { SIGNAL_TRACES, "trace_conditions", self->trace_conditions, mode },
        { SIGNAL_METRICS, "metric_conditions", self->metric_conditions, mode },
        { SIGNAL_LOGS, "log_conditions", self->log_conditions, mode },
    };
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if (!ottl_rules_read(&self->rules, &sources[i], err))
            return false;
    }
    return read_by_context(self, mode, err) && read_matches(self, mode, err);
}

static bool filter_validate(struct component *component, struct error *err)
{
    struct filter *self = (struct filter *)component;
    bool ok = read_rules(self, err);

    ottl_rules_fini(&self->rules);
    return ok;
}

static bool filter_start(struct component *component, struct error *err)
{
    struct filter *self = (struct filter *)component;

    if (!read_rules(self, err))
        return false;
    ottl_rules_prepare(&self->rules);
    return true;
}

static void filter_stop(struct component *component)
{
    ottl_rules_fini(&((struct filter *)component)->rules);
}

static void filter_consume(struct component *component, struct batch *batch)
{
    ottl_rules_run(&((struct filter *)component)->rules, batch);
}

const struct component_type filter_processor = {
    .name = "filter",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_TRACES | SIGNALS_METRICS | SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Drops telemetry that conditions of the OpenTelemetry Transformation Language hold for.",
    .options = options,
    .instance_size = sizeof(struct filter),
    .validate = filter_validate,
    .start = filter_start,
    .stop = filter_stop,
    .consume = filter_consume,
};
