/*
 * resource processor: inserts, changes and deletes attributes of resources.
 *
 * A batch in which no action has anything to do passes without a byte being copied. Cost otherwise: the walk over the groups, and the batch's
 * bytes once more. Threads: everything is fixed at start; see batch_rewrite.
 */
#include "collector/processors/attribute_actions.h"

struct resource {
    struct component base;
    struct option_list settings; /* struct attribute_action_settings */
    struct attribute_actions actions;
    struct batch_rewrite rewrite;
};

static const struct option options[] = {
    { "attributes", OPTION_LIST, offsetof(struct resource, settings), NULL, NULL, "what is done, in this order; required",
        attribute_action_options, sizeof(struct attribute_action_settings) },
    { 0 },
};

static bool resource_validate(struct component *component, struct error *err)
{
    struct resource *self = (struct resource *)component;
    bool ok = attribute_actions_init(&self->actions, &self->settings, "attributes", err);

    attribute_actions_fini(&self->actions);
    return ok;
}

static bool resource_start(struct component *component, struct error *err)
{
    struct resource *self = (struct resource *)component;

    batch_rewrite_init(&self->rewrite);
    return attribute_actions_init(&self->actions, &self->settings, "attributes", err);
}

static void resource_stop(struct component *component)
{
    struct resource *self = (struct resource *)component;

    attribute_actions_fini(&self->actions);
    batch_rewrite_fini(&self->rewrite);
}

static void visit(struct component *component, struct rewrite_worker *worker)
{
    const struct resource *self = (const struct resource *)component;

    while (otlp_rewrite_next_group(&worker->rewrite)) {
        const struct attribute_target target = { worker->rewrite.group.resource, OTLP_ATTRIBUTES_OF_RESOURCE };
        struct attribute_change change;
        if (attribute_actions_run(&self->actions, worker, &target, &change))
            attribute_change_write(&change, worker, OTLP_RESOURCE_FIELD, otlp_rewrite_replace_resource(&worker->rewrite));
    }
}

static void resource_consume(struct component *component, struct batch *batch)
{
    batch_rewrite_run(&((struct resource *)component)->rewrite, component, visit, batch);
}

const struct component_type resource_processor = {
    .name = "resource",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_BETA,
    .summary = "Inserts, changes and deletes attributes of resources.",
    .options = options,
    .instance_size = sizeof(struct resource),
    .validate = resource_validate,
    .start = resource_start,
    .stop = resource_stop,
    .consume = resource_consume,
};
