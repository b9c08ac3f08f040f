/*
 * Loading a configuration: the tree, then the sections, the components, the pipelines, the telemetry. Everything is checked even
 * after an error, so that all errors are said at once. Control thread.
 */
#include "collector/configuration.h"

#include <assert.h>
#include <stdlib.h>

#include "collector/configuration_checks.h"

static const char *const top_keys[] = { "receivers", "processors", "connectors", "exporters", "extensions", "service", "tests", NULL };
static const char *const service_keys[] = { "extensions", "pipelines", "telemetry", NULL };

static void refuse_key(struct checking *self, const struct config_node *node, const char *path, const char *const *keys)
{
    const char *near = config_nearest(node->key, keys);
    const char *whole = arena_printf(&self->configuration->arena, "%s%s%s", path, path[0] != '\0' ? "." : "", node->key);

    if (near != NULL)
        config_error_add_at_key(self->errors, node, whole, "unknown key, did you mean \"%s\"?", near);
    else
        config_error_add_at_key(self->errors, node, whole, "unknown key");
}

static bool is_among(const char *key, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

bool configuration_check_keys(struct checking *self, const struct config_node *map, const char *path, const char *const *keys)
{
    if (map == NULL || map->kind == CONFIG_NULL)
        return true;
    if (map->kind != CONFIG_MAP) {
        config_error_add(self->errors, map, path, "expected a map");
        return false;
    }
    for (const struct config_node *child = map->children; child != NULL; child = child->next)
        if (!is_among(child->key, keys))
            refuse_key(self, child, path, keys);
    return true;
}

static void check(struct checking *self)
{
    const struct config_node *tree = self->configuration->tree, *service = config_get(tree, "service");

    configuration_check_keys(self, tree, "", top_keys);
    configuration_check_components(self);
    if (service == NULL)
        config_error_add(self->errors, NULL, "", "the key \"service\" is missing: it says what is started and which pipelines there are");
    else if (configuration_check_keys(self, service, "service", service_keys))
        configuration_check_extensions(self, service);
    configuration_check_pipelines(self, service);
    configuration_check_telemetry(self, config_get(service, "telemetry"));
    configuration_warn_unused(self);
}

struct configuration *configuration_load(const struct config_source *sources, size_t count, struct config_errors *errors)
{
    struct configuration *configuration = calloc(1, sizeof(*configuration));
    struct checking self = { .configuration = configuration, .errors = errors };
    size_t before = errors->count;

    if (configuration == NULL)
        abort();
    configuration->tree = config_load(&configuration->arena, sources, count, errors);
    if (configuration->tree != NULL)
        check(&self);
    if (configuration->tree != NULL && errors->count == before)
        return configuration;
    configuration_destroy(configuration);
    return NULL;
}

void configuration_destroy(struct configuration *configuration)
{
    if (configuration == NULL)
        return;
    arena_fini(&configuration->arena);
    free(configuration);
}

const struct configuration_component *configuration_find(
    const struct configuration *configuration, enum component_kind kind, const char *id)
{
    for (size_t i = 0; i < configuration->component_count; i++) {
        const struct configuration_component *component = &configuration->components[i];

        if (component->type->kind == kind && strcmp(component->id, id) == 0)
            return component;
    }
    return NULL;
}

bool configuration_component_equal(const struct configuration_component *a, const struct configuration_component *b)
{
    return a->type == b->type && strcmp(a->id, b->id) == 0 && config_equal(a->node, b->node);
}
