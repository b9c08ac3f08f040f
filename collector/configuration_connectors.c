/*
 * Connectors: each ends some pipelines and begins others, of signals that it can turn into each other, and never in a circle.
 * Costs (pipelines) squared times (connectors of one); both are small.
 */
#include "collector/configuration_checks.h"

struct walk {
    const struct configuration *configuration;
    const struct configuration_component **via; /* by pipeline: the connector through which the walk goes on */
    size_t *next;                               /* by pipeline: where that leads */
    enum { NEW, OPEN, DONE } * states;          /* by pipeline */
};

static bool lists(const struct configuration_references *references, const struct configuration_component *component)
{
    for (size_t i = 0; i < references->count; i++)
        if (references->items[i] == component)
            return true;
    return false;
}

static bool turns_into(const struct component_type *type, enum signal from, enum signal to)
{
    unsigned any = 0;

    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        any |= type->outputs[i];
    return any != 0 ? (type->outputs[from] & 1U << to) != 0 : from == to;
}

/* Is there a pipeline at the connector's other side that it can serve? */
static bool has_other_side(const struct configuration *configuration, const struct configuration_component *connector,
    const struct configuration_pipeline *pipeline, bool ends)
{
    for (size_t i = 0; i < configuration->pipeline_count; i++) {
        const struct configuration_pipeline *other = &configuration->pipelines[i];

        if (ends && lists(&other->receivers, connector) && turns_into(connector->type, pipeline->signal, other->signal))
            return true;
        if (!ends && lists(&other->exporters, connector) && turns_into(connector->type, other->signal, pipeline->signal))
            return true;
    }
    return false;
}

static void check_sides(struct checking *self, const struct configuration_pipeline *pipeline, const struct config_node *node, bool ends)
{
    const struct configuration_references *references = ends ? &pipeline->exporters : &pipeline->receivers;
    const char *list = ends ? "exporters" : "receivers";

    for (size_t i = 0; i < references->count; i++) {
        const struct configuration_component *connector = references->items[i];

        if (connector->type->kind != COMPONENT_CONNECTOR || has_other_side(self->configuration, connector, pipeline, ends))
            continue;
        config_error_add_at_key(self->errors, config_get(node, list),
            arena_printf(&self->configuration->arena, "service.pipelines.%s.%s", pipeline->id, list),
            "the connector \"%s\" %s here, but no pipeline that it can %s has it among its %s", connector->id, ends ? "ends" : "begins",
            ends ? "feed" : "be fed by", ends ? "receivers" : "exporters");
    }
}

/* ---- circles ---- */

/* From the pipeline round to itself; cut when it gets long. */
static const char *circle_text(const struct walk *self, struct arena *arena, size_t start)
{
    const struct configuration_pipeline *pipelines = self->configuration->pipelines;
    const char *text = pipelines[start].id;
    size_t at = start;

    do {
        text = arena_printf(arena, "%s -> %s -> %s", text, self->via[at]->id, pipelines[self->next[at]].id);
        at = self->next[at];
    } while (at != start && strlen(text) < 800);
    return text;
}

static bool visit(struct checking *checking, struct walk *self, size_t at);

/* Goes on to every pipeline that the connector feeds. */
static bool follow(struct checking *checking, struct walk *self, size_t at, const struct configuration_component *connector)
{
    const struct configuration *configuration = self->configuration;

    self->via[at] = connector;
    for (size_t i = 0; i < configuration->pipeline_count; i++) {
        const struct configuration_pipeline *other = &configuration->pipelines[i];

        if (!lists(&other->receivers, connector) || !turns_into(connector->type, configuration->pipelines[at].signal, other->signal))
            continue;
        self->next[at] = i;
        if (self->states[i] == OPEN) {
            config_error_add_at_key(checking->errors, connector->node, connector->path, "closes a circle: %s",
                circle_text(self, &checking->configuration->arena, i));
            return false;
        }
        if (!visit(checking, self, i))
            return false;
    }
    return true;
}

static bool visit(struct checking *checking, struct walk *self, size_t at)
{
    const struct configuration_pipeline *pipeline = &self->configuration->pipelines[at];

    if (self->states[at] != NEW)
        return true;
    self->states[at] = OPEN;
    for (size_t i = 0; i < pipeline->exporters.count; i++)
        if (pipeline->exporters.items[i]->type->kind == COMPONENT_CONNECTOR && !follow(checking, self, at, pipeline->exporters.items[i]))
            return false;
    self->states[at] = DONE;
    return true;
}

void configuration_check_connectors(struct checking *self, const struct config_node *pipelines)
{
    const struct configuration *configuration = self->configuration;
    struct arena *arena = &self->configuration->arena;
    struct walk walk = { configuration, arena_alloc(arena, configuration->pipeline_count * sizeof(*walk.via)),
        arena_alloc(arena, configuration->pipeline_count * sizeof(*walk.next)),
        arena_alloc(arena, configuration->pipeline_count * sizeof(*walk.states)) };

    for (size_t i = 0; i < configuration->pipeline_count; i++) {
        const struct configuration_pipeline *pipeline = &configuration->pipelines[i];

        check_sides(self, pipeline, config_get(pipelines, pipeline->id), true);
        check_sides(self, pipeline, config_get(pipelines, pipeline->id), false);
    }
    for (size_t i = 0; i < configuration->pipeline_count; i++)
        if (!visit(self, &walk, i))
            return;
}
