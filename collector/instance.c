/* Making, starting and ending one component. All on the control thread. */
#include "collector/instance.h"

#include <stdlib.h>

#include "collector/accounts.h"

void loaded_unref(struct loaded *loaded)
{
    if (loaded == NULL || --loaded->references > 0)
        return;
    configuration_destroy(loaded->configuration);
    free(loaded);
}

static void component_consume(struct consumer *consumer, struct batch *batch)
{
    struct component *component = (struct component *)consumer;

    component->type->consume(component, batch);
}

struct instance *instance_create(struct loaded *loaded, const struct configuration_component *settings, const char *pipeline, struct error *err)
{
    struct instance *instance = calloc(1, sizeof(*instance));

    if (instance == NULL)
        abort();
    instance->component = configuration_instance(settings, &instance->arena, err);
    if (instance->component == NULL) {
        arena_fini(&instance->arena);
        free(instance);
        return NULL;
    }
    instance->loaded = loaded;
    loaded->references++;
    instance->settings = settings;
    instance->pipeline = pipeline;
    instance->component->instance = instance;
    instance->component->consumer = (struct consumer){ component_consume, instance->component };
    accounts_create(instance->component);
    return instance;
}

bool instance_start_delivery(struct instance *instance, struct error *err)
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (instance->delivery[signal] != NULL && !delivery_start(instance->delivery[signal], err))
            return false;
    }
    return true;
}

bool instance_start(struct instance *instance, struct error *err)
{
    struct component *component = instance->component;

    instance->start_called = true;
    if ((component->type->start == NULL || component->type->start(component, err)) && instance_start_delivery(instance, err))
        return true;
    return fail_within(err, "%s", component->path);
}

void instance_destroy(struct instance *instance)
{
    struct component *component;

    if (instance == NULL)
        return;
    component = instance->component;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        delivery_destroy(instance->delivery[i]);
    if (instance->start_called && component->type->stop != NULL)
        component->type->stop(component);
    accounts_destroy(component);
    free(component);
    arena_fini(&instance->arena);
    loaded_unref(instance->loaded);
    free(instance);
}

bool instance_matches(const struct instance *instance, const struct configuration_component *settings, const char *pipeline)
{
    return instance->settings->type == settings->type && strcmp(instance->settings->id, settings->id) == 0
        && strcmp(instance->pipeline, pipeline) == 0 && configuration_component_equal(instance->settings, settings);
}
