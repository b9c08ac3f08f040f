/*
 * transform processor: statements of the OpenTelemetry Transformation Language on resources, scopes, spans, span events, metrics, data points
 * and log records.
 *
 * Cost: a walk of the batch for each group of statements; records that no statement changes are copied as bytes, and a batch
 * that none changes not at all. Threads: programs are fixed at start; see ottl_rules.
 */
#include "collector/processors/ottl_rules.h"

struct transform {
    struct component base;
    const char *error_mode;
    const struct config_node *trace_statements, *metric_statements, *log_statements;
    struct ottl_rules rules;
};

#define STATEMENTS "OTTL statements: texts, or groups of {context, error_mode, conditions, statements}"

static const struct option options[] = {
    { "error_mode", OPTION_STRING, offsetof(struct transform, error_mode), "ignore", NULL, "what becomes of a statement that fails: ignore goes on and logs it, silent goes on, propagate refuses the request" },
    { "trace_statements", OPTION_ANY, offsetof(struct transform, trace_statements), NULL, NULL, STATEMENTS },
    { "metric_statements", OPTION_ANY, offsetof(struct transform, metric_statements), NULL, NULL, STATEMENTS },
    { "log_statements", OPTION_ANY, offsetof(struct transform, log_statements), NULL, NULL, STATEMENTS },
    { "profile_statements", OPTION_UNSUPPORTED, 0, NULL, NULL, STATEMENTS },
    { "flatten_data", OPTION_UNSUPPORTED, 0, "false", NULL, "give each log record a resource and scope of its own first" },
    { 0 },
};

static bool read_rules(struct transform *self, struct error *err)
{
    enum ottl_error_mode mode;

    self->rules = (struct ottl_rules){ .owner = &self->base };
    if (!ottl_mode_of(self->error_mode, OTTL_IGNORE, &mode))
        return fail(err, "error_mode: unknown mode \"%s\", must be propagate, ignore or silent", self->error_mode);
    const struct ottl_source sources[] = {
        { SIGNAL_TRACES, "trace_statements", self->trace_statements, mode },
        { SIGNAL_METRICS, "metric_statements", self->metric_statements, mode },
        { SIGNAL_LOGS, "log_statements", self->log_statements, mode },
    };
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if (!ottl_rules_read(&self->rules, &sources[i], err))
            return false;
    }
    return true;
}

static bool transform_validate(struct component *component, struct error *err)
{
    struct transform *self = (struct transform *)component;
    bool ok = read_rules(self, err);

    ottl_rules_fini(&self->rules);
    return ok;
}

static bool transform_start(struct component *component, struct error *err)
{
    struct transform *self = (struct transform *)component;

    if (!read_rules(self, err))
        return false;
    ottl_rules_prepare(&self->rules);
    return true;
}

static void transform_stop(struct component *component)
{
    ottl_rules_fini(&((struct transform *)component)->rules);
}

static void transform_consume(struct component *component, struct batch *batch)
{
    ottl_rules_run(&((struct transform *)component)->rules, batch);
}

const struct component_type transform_processor = {
    .name = "transform",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_TRACES | SIGNALS_METRICS | SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Changes telemetry with statements of the OpenTelemetry Transformation Language.",
    .options = options,
    .instance_size = sizeof(struct transform),
    .validate = transform_validate,
    .start = transform_start,
    .stop = transform_stop,
    .consume = transform_consume,
};
