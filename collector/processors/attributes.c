/*
 * attributes processor: inserts, changes and deletes attributes of spans, log records and data points.
 *
 * A batch in which no action has anything to do passes without a byte being copied. Cost otherwise: a scan of each record's attributes, and
 * the record's bytes once more where it changes. Threads: everything is fixed at start; see batch_rewrite.
 */
#include "collector/processors/attribute_actions.h"
#include "collector/processors/record_match.h"

struct attributes {
    struct component base;
    struct option_list settings; /* struct attribute_action_settings */
    struct record_match_settings include_settings, exclude_settings;
    struct attribute_actions actions;
    struct record_match *include, *exclude; /* owned; NULL: not given */
    struct batch_rewrite rewrite;
};

#define MATCH(key, member, help)                                                                                                           \
    {                                                                                                                                      \
        key, OPTION_BLOCK, offsetof(struct attributes, member), NULL, NULL, help, record_match_options,                                    \
            .present = offsetof(struct attributes, member.present)                                                                         \
    }

static const struct option match_blocks[] = {
    MATCH("include", include_settings, "only records that match are touched"),
    MATCH("exclude", exclude_settings, "records that match are left alone"),
    { 0 },
};

static const struct option options[] = {
    { "actions", OPTION_LIST, offsetof(struct attributes, settings), NULL, NULL, "what is done, in this order; required",
        attribute_action_options, sizeof(struct attribute_action_settings) },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, match_blocks },
    { 0 },
};

/* ---- settings ---- */

static bool make_match(const struct record_match_settings *settings, const char *key, struct record_match **match, struct error *err)
{
    *match = settings->present ? record_match_create(settings, err) : NULL;
    return *match != NULL || !settings->present || fail_within(err, "%s", key);
}

static void release(struct attributes *self)
{
    attribute_actions_fini(&self->actions);
    record_match_destroy(self->include);
    record_match_destroy(self->exclude);
    self->include = self->exclude = NULL;
}

static bool make(struct attributes *self, struct error *err)
{
    return attribute_actions_init(&self->actions, &self->settings, "actions", err) &&
           make_match(&self->include_settings, "include", &self->include, err) &&
           make_match(&self->exclude_settings, "exclude", &self->exclude, err);
}

static bool attributes_validate(struct component *component, struct error *err)
{
    struct attributes *self = (struct attributes *)component;
    bool ok = make(self, err);

    release(self);
    return ok;
}

/* What is asked for must be something that the records of the pipeline have. */
static bool fits(const struct attributes *self, const struct record_match_settings *settings, const char *key, struct error *err)
{
    for (int signal = 0; settings->present && signal < SIGNAL_COUNT; signal++) {
        if (self->base.next[signal] != NULL && (record_match_signals(settings, err) & 1u << signal) == 0)
            return fail(err, "%s: asks for things that %s do not have", key, signal_name((enum signal)signal));
    }
    return true;
}

static bool attributes_start(struct component *component, struct error *err)
{
    struct attributes *self = (struct attributes *)component;

    batch_rewrite_init(&self->rewrite);
    return fits(self, &self->include_settings, "include", err) && fits(self, &self->exclude_settings, "exclude", err) && make(self, err);
}

static void attributes_stop(struct component *component)
{
    struct attributes *self = (struct attributes *)component;

    release(self);
    batch_rewrite_fini(&self->rewrite);
}

/* ---- batches ---- */

struct point_visit {
    const struct attribute_actions *actions;
    struct rewrite_worker *worker;
};

static bool visit_point(void *context, struct slice point, uint32_t attributes_field, struct buffer *out)
{
    const struct point_visit *visit = context;
    const struct attribute_target target = { point, attributes_field };
    struct attribute_change change;

    if (!attribute_actions_run(visit->actions, visit->worker, &target, &change))
        return false;
    attribute_change_write(&change, visit->worker, 1, out);
    return true;
}

static void visit_metric(struct attributes *self, struct rewrite_worker *worker)
{
    struct point_visit visit = { &self->actions, worker };
    struct buffer *metric = &worker->spare;

    buffer_clear(metric);
    if (otlp_rewrite_points(worker->rewrite.record.body, visit_point, &visit, metric))
        pb_put_bytes(otlp_rewrite_replace_record(&worker->rewrite), OTLP_RECORDS_FIELD, buffer_slice(metric));
    worker->failed = worker->failed || metric->failed;
}

static void visit_record(struct attributes *self, struct rewrite_worker *worker)
{
    const struct attribute_target target = { worker->rewrite.record.body,
        worker->signal == SIGNAL_TRACES ? OTLP_ATTRIBUTES_OF_SPAN : OTLP_ATTRIBUTES_OF_LOG };
    struct attribute_change change;

    if (worker->signal == SIGNAL_METRICS)
        visit_metric(self, worker);
    else if (attribute_actions_run(&self->actions, worker, &target, &change))
        attribute_change_write(&change, worker, OTLP_RECORDS_FIELD, otlp_rewrite_replace_record(&worker->rewrite));
}

static void visit_scope_group(struct attributes *self, struct rewrite_worker *worker, bool excluded)
{
    while (otlp_rewrite_next_record(&worker->rewrite)) {
        if ((self->include == NULL || record_match_record(self->include, worker)) &&
            (!excluded || !record_match_record(self->exclude, worker)))
            visit_record(self, worker);
    }
}

static void visit(struct component *component, struct rewrite_worker *worker)
{
    struct attributes *self = (struct attributes *)component;

    while (otlp_rewrite_next_group(&worker->rewrite)) {
        if (self->include != NULL && !record_match_group(self->include, worker))
            continue;
        bool excluded = self->exclude != NULL && record_match_group(self->exclude, worker);
        while (otlp_rewrite_next_scope_group(&worker->rewrite)) {
            if (self->include == NULL || record_match_scope(self->include, worker))
                visit_scope_group(self, worker, excluded && record_match_scope(self->exclude, worker));
        }
    }
}

static void attributes_consume(struct component *component, struct batch *batch)
{
    batch_rewrite_run(&((struct attributes *)component)->rewrite, component, visit, batch);
}

const struct component_type attributes_processor = {
    .name = "attributes",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_TRACES | SIGNALS_METRICS | SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Inserts, changes and deletes attributes of spans, log records and data points.",
    .options = options,
    .instance_size = sizeof(struct attributes),
    .validate = attributes_validate,
    .start = attributes_start,
    .stop = attributes_stop,
    .consume = attributes_consume,
};
