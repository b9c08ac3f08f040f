/*
 * Starting, reloading and stopping the graph. All on the control thread; what runs meanwhile goes on.
 *
 * A reload makes and starts what is new beside what is there. Something that keeps its id but changes its settings may
 * need what its predecessor holds (a port): so extensions and receivers change places, the old one stopped first,
 * and put back when the new one does not start. Only when all have started is the gate closed and the kept part rewired.
 */
#include "collector/pipeline.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/graph.h"
#include "collector/hop.h"
#include "collector/tap_places.h"

/* How long a changed or removed exporter may take to send what its queue holds. */
static const int64_t retire_grace_ns = 10 * NANOS_PER_SECOND;

static atomic_bool ready;

/* Whose instances are being started: where they find the extensions they name. Control thread only. */
static const struct graph *starting;

bool pipeline_is_ready(void)
{
    return atomic_load(&ready);
}

struct component *component_find_extension(const struct component *self, const char *id, struct error *err)
{
    for (size_t i = 0; starting != NULL && i < starting->count; i++) {
        const struct instance *instance = starting->instances[i];

        if (instance->settings->type->kind == COMPONENT_EXTENSION && strcmp(instance->settings->id, id) == 0)
            return instance->component;
    }
    fail(err, "extension \"%s\", which %s asks for, is not started; list it in service.extensions", id, self->path);
    return NULL;
}

/* ---- starting ---- */

static bool start_all(struct graph *graph, struct error *err)
{
    starting = graph;
    for (size_t i = 0; i < graph->count; i++) {
        if (!instance_start(graph->instances[i], err))
            return false;
    }
    return true;
}

struct graph *pipeline_start(struct configuration *configuration, struct error *err)
{
    struct graph *graph = calloc(1, sizeof(*graph));

    if (graph == NULL)
        abort();
    if (!graph_plan(graph, configuration, NULL, err)) {
        free(graph);
        return NULL;
    }
    graph_wire(graph, false);
    if (!start_all(graph, err)) {
        pipeline_stop(graph, 0);
        return NULL;
    }
    tap_places_set(configuration);
    atomic_store(&ready, true);
    return graph;
}

/* ---- stopping ---- */

static bool is_kind(const struct instance *instance, enum component_kind kind)
{
    return instance->settings->type->kind == kind;
}

static void stop_component(struct instance *instance)
{
    if (instance->start_called && instance->component->type->stop != NULL)
        instance->component->type->stop(instance->component);
    instance->start_called = false;
}

/* Processors pass on what they hold, in the order of the pipelines; once more for each connector between two. */
static void drain_processors(struct graph *graph, bool all)
{
    size_t rounds = 1;

    for (size_t i = 0; i < graph->count; i++)
        rounds += is_kind(graph->instances[i], COMPONENT_CONNECTOR);
    while (rounds-- > 0) {
        for (size_t i = 0; i < graph->count; i++) {
            struct instance *instance = graph->instances[i];

            if ((all || !instance->kept) && instance->start_called && instance->component->type->drain != NULL)
                instance->component->type->drain(instance->component);
        }
    }
}

/* One exporter's queues: sent until the deadline, then interrupted. */
static void drain_exporter(struct instance *instance, int64_t deadline_ns)
{
    bool empty = true;

    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (instance->delivery[signal] != NULL)
            empty &= delivery_drain(instance->delivery[signal], deadline_ns);
    }
    if (empty)
        return;
    log_warn(instance->component->path, "stopping with undelivered data: the time to send it is over");
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (instance->delivery[signal] != NULL)
            delivery_interrupt(instance->delivery[signal]);
    }
    if (instance->component->type->cancel != NULL)
        instance->component->type->cancel(instance->component);
}

void pipeline_stop(struct graph *graph, int64_t grace_ns)
{
    int64_t deadline_ns = clock_monotonic_nanos() + grace_ns;

    if (graph == NULL)
        return;
    atomic_store(&ready, false);
    tap_places_set(NULL);
    for (size_t i = graph->count; i-- > 0;) {
        if (is_kind(graph->instances[i], COMPONENT_RECEIVER))
            stop_component(graph->instances[i]);
    }
    drain_processors(graph, true);
    for (size_t i = 0; i < graph->count; i++)
        drain_exporter(graph->instances[i], deadline_ns);
    graph_fini(graph, false);
    free(graph);
}

/* ---- reloading ---- */

static struct instance *predecessor(const struct graph *old, const struct instance *instance)
{
    struct instance *found = graph_find(old, instance->settings, instance->pipeline);

    return found != NULL && !found->kept ? found : NULL;
}

/* Puts a fresh instance in the place of one that was stopped for a successor that did not start. */
static void put_back(struct graph *old, struct instance *stopped)
{
    struct error err;
    struct instance *fresh = instance_create(stopped->loaded, stopped->settings, stopped->pipeline, &err);

    for (size_t i = 0; fresh != NULL && i < old->count; i++) {
        if (old->instances[i] != stopped)
            continue;
        memcpy(fresh->component->next, stopped->component->next, sizeof(fresh->component->next));
        fresh->limiters = stopped->limiters;
        fresh->limiter_count = stopped->limiter_count;
        old->instances[i] = fresh;
        starting = old;
        if (!instance_start(fresh, &err))
            log_error(fresh->component->path, "could not be put back after the failed reload: %s", err.message);
        instance_destroy(stopped);
        return;
    }
}

static bool changes_places(const struct instance *instance)
{
    return is_kind(instance, COMPONENT_RECEIVER) || is_kind(instance, COMPONENT_EXTENSION);
}

/* Undoes start_new: whatever was stopped for a successor before `end` is put back. */
static void roll_back(struct graph *graph, struct graph *old, size_t end)
{
    for (size_t i = 0; i < end; i++) {
        struct instance *instance = graph->instances[i], *before;

        if (instance->kept || !changes_places(instance))
            continue;
        before = predecessor(old, instance);
        stop_component(instance);
        if (before != NULL)
            put_back(old, before);
    }
}

static bool start_new(struct graph *graph, struct graph *old, struct error *err)
{
    starting = graph;
    for (size_t i = 0; i < graph->count; i++) {
        struct instance *instance = graph->instances[i], *before;

        if (instance->kept) {
            if (instance_start_delivery(instance, err))
                continue;
            roll_back(graph, old, i);
            return false;
        }
        before = changes_places(instance) ? predecessor(old, instance) : NULL;
        if (before != NULL)
            stop_component(before);
        if (instance_start(instance, err))
            continue;
        roll_back(graph, old, i + 1);
        return false;
    }
    return true;
}

static void hold_back(struct graph *graph, bool on)
{
    for (size_t i = 0; i < graph->count; i++) {
        for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
            if (graph->instances[i]->delivery[signal] != NULL)
                delivery_hold_back(graph->instances[i]->delivery[signal], on);
        }
    }
}

/* From here on nobody brings data to what is not kept any more: it passes on what it holds, and ends. */
static void retire(struct graph *old)
{
    int64_t deadline_ns = clock_monotonic_nanos() + retire_grace_ns;

    for (size_t i = old->count; i-- > 0;) {
        if (!old->instances[i]->kept && is_kind(old->instances[i], COMPONENT_RECEIVER))
            stop_component(old->instances[i]);
    }
    drain_processors(old, false);
    for (size_t i = 0; i < old->count; i++) {
        if (!old->instances[i]->kept)
            drain_exporter(old->instances[i], deadline_ns);
    }
    graph_fini(old, true);
}

/* Processors whose settings have changed take over what their predecessors hold. */
static void inherit(struct graph *graph, const struct graph *old)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct instance *instance = graph->instances[i], *before;
        void (*take_over)(struct component *, struct component *) = instance->component->type->inherit;

        before = !instance->kept && take_over != NULL ? predecessor(old, instance) : NULL;
        if (before != NULL && before->start_called)
            take_over(instance->component, before->component);
    }
}

bool pipeline_reload(struct graph *graph, struct configuration *configuration, struct error *err)
{
    struct graph next, old;

    if (!graph_plan(&next, configuration, graph, err))
        return false;
    graph_wire(&next, false);
    if (!start_new(&next, graph, err)) {
        graph_fini(&next, true);
        return false;
    }
    hold_back(graph, true);
    gate_close();
    graph_wire(&next, true);
    inherit(&next, graph);
    gate_open();
    hold_back(graph, false);
    old = *graph;
    *graph = next;
    tap_places_set(configuration);
    retire(&old);
    for (size_t i = 0; i < graph->count; i++)
        graph->instances[i]->kept = false;
    return true;
}
