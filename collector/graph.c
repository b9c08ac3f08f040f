/*
 * Planning and wiring.
 *
 * Extensions, exporters, connectors and receivers exist once for each id, processors once for each place in a pipeline.
 * An exporter has a delivery chain for each signal that is sent to it. Pipelines are wired from their ends:
 * exporters' fan-out, then the processors backwards; the entries of all pipelines that name a receiver are its `next`.
 */
#include "collector/graph.h"

#include <assert.h>
#include <stdlib.h>

#include "collector/fanout.h"

/* ---- planning ---- */

static bool names(const struct config_node *node, const char *id)
{
    if (node == NULL)
        return false;
    if (node->kind == CONFIG_SCALAR)
        return strcmp(node->text, id) == 0;
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        if (names(child, id))
            return true;
    }
    return false;
}

/* A component that uses an extension (names it anywhere in its settings) has to start again when the extension does. */
static bool uses_new_extension(const struct graph *graph, const struct configuration_component *settings)
{
    for (size_t i = 0; i < graph->count; i++) {
        const struct instance *instance = graph->instances[i];

        if (instance->settings->type->kind == COMPONENT_EXTENSION && !instance->kept && names(settings->node, instance->settings->id))
            return true;
    }
    return false;
}

static struct instance *find_match(struct graph *old, const struct configuration_component *settings, const char *pipeline)
{
    for (size_t i = 0; old != NULL && i < old->count; i++) {
        if (instance_matches(old->instances[i], settings, pipeline))
            return old->instances[i];
    }
    return NULL;
}

struct plan {
    struct graph *graph;
    struct graph *old; /* NULL: none */
    struct error *err;
};

/* One more instance: of the old graph where one matches, else a new one. */
static bool add(const struct plan *plan, const struct configuration_component *settings, const char *pipeline)
{
    struct graph *graph = plan->graph;
    struct instance *instance = find_match(plan->old, settings, pipeline);

    if (instance != NULL && !uses_new_extension(graph, settings))
        instance->kept = true;
    else
        instance = instance_create(graph->loaded, settings, pipeline, plan->err);
    if (instance == NULL)
        return false;
    assert(graph->count < graph->capacity);
    graph->instances[graph->count++] = instance;
    return true;
}

static bool add_kind(const struct plan *plan, enum component_kind kind)
{
    const struct configuration *configuration = plan->graph->loaded->configuration;

    for (size_t i = 0; i < configuration->component_count; i++) {
        const struct configuration_component *settings = &configuration->components[i];

        if (settings->type->kind == kind && settings->used && !add(plan, settings, ""))
            return false;
    }
    return true;
}

static bool add_extensions(const struct plan *plan)
{
    const struct configuration_references *extensions = &plan->graph->loaded->configuration->extensions;

    for (size_t i = 0; i < extensions->count; i++) {
        if (!add(plan, extensions->items[i], ""))
            return false;
    }
    return true;
}

static bool add_processors(const struct plan *plan)
{
    const struct configuration *configuration = plan->graph->loaded->configuration;

    for (size_t i = 0; i < configuration->pipeline_count; i++) {
        const struct configuration_pipeline *pipeline = &configuration->pipelines[i];

        for (size_t k = 0; k < pipeline->processors.count; k++) {
            if (!add(plan, pipeline->processors.items[k], pipeline->id))
                return false;
        }
    }
    return true;
}

static void start_list(struct graph *graph, struct configuration *configuration)
{
    graph->loaded = calloc(1, sizeof(*graph->loaded));
    if (graph->loaded == NULL)
        abort();
    *graph->loaded = (struct loaded){ 1, configuration };
    graph->capacity = configuration->component_count;
    for (size_t i = 0; i < configuration->pipeline_count; i++)
        graph->capacity += configuration->pipelines[i].processors.count;
    graph->instances = arena_alloc(&graph->arena, (graph->capacity + 1) * sizeof(struct instance *));
}

bool graph_plan(struct graph *graph, struct configuration *configuration, struct graph *old, struct error *err)
{
    const struct plan plan = { graph, old, err };

    *graph = (struct graph){ 0 };
    start_list(graph, configuration);
    for (size_t i = 0; old != NULL && i < old->count; i++)
        old->instances[i]->kept = false;
    if (add_extensions(&plan) && add_kind(&plan, COMPONENT_EXPORTER) && add_kind(&plan, COMPONENT_CONNECTOR) && add_processors(&plan)
        && add_kind(&plan, COMPONENT_RECEIVER))
        return true;
    graph_fini(graph, true);
    return false;
}

void graph_fini(struct graph *graph, bool new_only)
{
    for (size_t i = graph->count; i-- > 0;) {
        if (!new_only || !graph->instances[i]->kept)
            instance_destroy(graph->instances[i]);
    }
    arena_fini(&graph->arena);
    loaded_unref(graph->loaded);
    *graph = (struct graph){ 0 };
}

struct instance *graph_find(const struct graph *graph, const struct configuration_component *settings, const char *pipeline)
{
    for (size_t i = 0; i < graph->count; i++) {
        const struct instance *instance = graph->instances[i];

        if (instance->settings->type == settings->type && strcmp(instance->settings->id, settings->id) == 0 && strcmp(instance->pipeline, pipeline) == 0)
            return graph->instances[i];
    }
    return NULL;
}

/* ---- wiring ---- */

static struct consumer *exporter_entry(const struct graph *graph, const struct configuration_component *settings, enum signal signal)
{
    struct instance *instance = graph_find(graph, settings, "");

    assert(instance != NULL);
    if (settings->type->kind == COMPONENT_CONNECTOR)
        return &instance->component->consumer;
    if (instance->delivery[signal] == NULL)
        instance->delivery[signal] = delivery_create(instance->component, signal);
    return delivery_entry(instance->delivery[signal]);
}

static struct consumer *pipeline_end(struct graph *graph, const struct configuration_pipeline *pipeline)
{
    const struct configuration_references *exporters = &pipeline->exporters;
    struct consumer **targets = arena_alloc(&graph->arena, exporters->count * sizeof(struct consumer *));

    for (size_t i = 0; i < exporters->count; i++)
        targets[i] = exporter_entry(graph, exporters->items[i], pipeline->signal);
    return fanout_create(&graph->arena, targets, exporters->count);
}

/* Connects the processors that are (or are not) kept, and returns where the pipeline begins. */
static struct consumer *wire_pipeline(struct graph *graph, const struct configuration_pipeline *pipeline, bool kept)
{
    struct consumer *next = pipeline_end(graph, pipeline);

    for (size_t i = pipeline->processors.count; i-- > 0;) {
        struct instance *instance = graph_find(graph, pipeline->processors.items[i], pipeline->id);

        assert(instance != NULL);
        if (instance->kept == kept)
            instance->component->next[pipeline->signal] = next;
        next = &instance->component->consumer;
    }
    return next;
}

static bool lists(const struct configuration_references *references, const struct instance *instance)
{
    for (size_t i = 0; i < references->count; i++) {
        if (references->items[i]->type == instance->settings->type && strcmp(references->items[i]->id, instance->settings->id) == 0)
            return true;
    }
    return false;
}

/* A receiver, or a connector as one: leads to every pipeline of the signal that lists it. */
static void wire_source(struct graph *graph, struct instance *instance, struct consumer *const *entries)
{
    const struct configuration *configuration = graph->loaded->configuration;
    struct consumer **targets = arena_alloc(&graph->arena, configuration->pipeline_count * sizeof(struct consumer *));

    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        size_t count = 0;

        for (size_t i = 0; i < configuration->pipeline_count; i++) {
            if (configuration->pipelines[i].signal == (enum signal)signal && lists(&configuration->pipelines[i].receivers, instance))
                targets[count++] = entries[i];
        }
        instance->component->next[signal] = count > 0 ? fanout_create(&graph->arena, targets, count) : NULL;
    }
}

/* Every memory_limiter of the pipelines that list the receiver, and of those behind their connectors. */
static size_t collect_limiters(const struct graph *graph, const struct instance *source, struct component **found, size_t count)
{
    const struct configuration *configuration = graph->loaded->configuration;

    for (size_t i = 0; i < configuration->pipeline_count; i++) {
        const struct configuration_pipeline *pipeline = &configuration->pipelines[i];

        if (!lists(&pipeline->receivers, source))
            continue;
        for (size_t k = 0; k < pipeline->processors.count; k++) {
            const struct instance *instance = graph_find(graph, pipeline->processors.items[k], pipeline->id);

            if (instance->component->type->admit != NULL && count < graph->count)
                found[count++] = instance->component;
        }
        /* connectors cannot form a circle: the configuration was checked for it */
        for (size_t k = 0; k < pipeline->exporters.count; k++) {
            if (pipeline->exporters.items[k]->type->kind == COMPONENT_CONNECTOR)
                count = collect_limiters(graph, graph_find(graph, pipeline->exporters.items[k], ""), found, count);
        }
    }
    return count;
}

static void wire_limiters(struct graph *graph, struct instance *receiver)
{
    struct component **found = arena_alloc(&graph->arena, (graph->count + 1) * sizeof(struct component *));

    receiver->limiter_count = collect_limiters(graph, receiver, found, 0);
    receiver->limiters = found;
}

void graph_wire(struct graph *graph, bool kept)
{
    const struct configuration *configuration = graph->loaded->configuration;
    struct consumer **entries = arena_alloc(&graph->arena, configuration->pipeline_count * sizeof(struct consumer *));

    for (size_t i = 0; i < configuration->pipeline_count; i++)
        entries[i] = wire_pipeline(graph, &configuration->pipelines[i], kept);
    for (size_t i = 0; i < graph->count; i++) {
        struct instance *instance = graph->instances[i];
        enum component_kind kind = instance->settings->type->kind;

        if (instance->kept != kept || (kind != COMPONENT_RECEIVER && kind != COMPONENT_CONNECTOR))
            continue;
        wire_source(graph, instance, entries);
        if (kind == COMPONENT_RECEIVER)
            wire_limiters(graph, instance);
    }
}
