/*
 * The sections: every component's id, type and options. Options are filled into an instance that is thrown away, and
 * validated there, so what passes here can't fail when it is started for real.
 */
#include "collector/configuration_checks.h"

#include <assert.h>
#include <stdlib.h>

#include "collector/component_names.h"
#include "collector/delivery.h"
#include "collector/registry.h"

static const enum component_kind section_order[COMPONENT_KIND_COUNT] = { COMPONENT_RECEIVER, COMPONENT_PROCESSOR, COMPONENT_CONNECTOR,
    COMPONENT_EXPORTER, COMPONENT_EXTENSION };

const char *configuration_section_name(enum component_kind kind)
{
    static const char *const names[COMPONENT_KIND_COUNT] = {
        [COMPONENT_RECEIVER] = "receivers",
        [COMPONENT_PROCESSOR] = "processors",
        [COMPONENT_CONNECTOR] = "connectors",
        [COMPONENT_EXPORTER] = "exporters",
        [COMPONENT_EXTENSION] = "extensions",
    };

    return names[kind];
}

/* ---- instances ---- */

static bool validate(struct component *instance, struct error *err)
{
    const struct component_type *type = instance->type;

    err->message[0] = '\0';
    if (type->delivery_offset != 0 &&
        !delivery_settings_check((struct delivery_settings *)(void *)((char *)instance + type->delivery_offset), err))
        return false;
    return type->validate == NULL || type->validate(instance, err);
}

static struct component *new_instance(const struct configuration_component *component)
{
    struct component *instance;

    assert(component->type->instance_size >= sizeof(*instance));
    instance = calloc(1, component->type->instance_size);
    if (instance == NULL)
        return NULL;
    instance->type = component->type;
    instance->id = component->id;
    instance->path = component->path;
    return instance;
}

static const char *first_error(const struct config_errors *errors)
{
    for (const struct config_error *error = errors->first; error != NULL; error = error->next)
        if (!error->warning)
            return error->text;
    return "has errors";
}

struct component *configuration_instance(const struct configuration_component *component, struct arena *arena, struct error *err)
{
    struct arena scratch = { 0 };
    struct config_errors errors = { .arena = &scratch };
    struct component *instance = new_instance(component);
    struct option_target target = { instance, arena, &errors };
    bool fine;

    if (instance == NULL) {
        fail(err, "%s: out of memory", component->path);
        return NULL;
    }
    fine = option_fill(component->type->options, component->node, component->path, &target);
    if (!fine)
        fail(err, "%s", first_error(&errors));
    else if (!validate(instance, err))
        fine = fail_within(err, "%s", component->path);
    arena_fini(&scratch);
    if (fine)
        return instance;
    free(instance);
    return NULL;
}

static void check_options(struct checking *self, const struct configuration_component *component)
{
    struct arena scratch = { 0 };
    struct component *instance = new_instance(component);
    struct option_target target = { instance, &scratch, self->errors };
    struct error err;

    if (instance == NULL)
        abort();
    if (option_fill(component->type->options, component->node, component->path, &target) && !validate(instance, &err))
        config_error_add_at_key(self->errors, component->node, component->path, "%s", err.message);
    free(instance);
    arena_fini(&scratch);
}

/* ---- types ---- */

static const char *nearest_type(struct arena *arena, enum component_kind kind, const char *type)
{
    const char **names;
    size_t count = 0, i = 0;

    while (registry[count] != NULL)
        count++;
    names = arena_alloc(arena, (count + 1) * sizeof(*names));
    for (count = 0; registry[i] != NULL; i++)
        if (registry[i]->kind == kind)
            names[count++] = registry[i]->name;
    return config_nearest(type, names);
}

static const struct component_type *find_in_other_kind(const char *type)
{
    for (size_t i = 0; i < COMPONENT_KIND_COUNT; i++) {
        const struct component_type *found = registry_find(section_order[i], type, NULL);

        if (found != NULL)
            return found;
    }
    return NULL;
}

static void refuse_type(struct checking *self, const struct configuration_component *component, enum component_kind kind, const char *type)
{
    const char *kind_name = component_kind_name(kind), *hint = component_removed_hint(kind, type);
    const char *near = nearest_type(&self->configuration->arena, kind, type);
    const struct component_type *other = find_in_other_kind(type);
    const struct config_node *node = component->node;

    if (hint != NULL)
        config_error_add_at_key(self->errors, node, component->path, "the %s type \"%s\" was removed: %s", kind_name, type, hint);
    else if (component_known_elsewhere(kind, type))
        config_error_add_at_key(self->errors, node, component->path, "unknown %s type \"%s\"; weir does not have it yet", kind_name, type);
    else if (other != NULL)
        config_error_add_at_key(self->errors, node, component->path,
            "unknown %s type \"%s\"; there is a %s of that name, which stands under %s", kind_name, type, component_kind_name(other->kind),
            configuration_section_name(other->kind));
    else if (near != NULL)
        config_error_add_at_key(self->errors, node, component->path, "unknown %s type \"%s\", did you mean \"%s\"?", kind_name, type, near);
    else
        config_error_add_at_key(
            self->errors, node, component->path, "unknown %s type \"%s\"; `weir components` lists what there is", kind_name, type);
}

static bool find_type(struct checking *self, struct configuration_component *component, enum component_kind kind)
{
    struct slice type, name;
    const char *type_name;
    bool deprecated = false;

    if (!option_parse_id(component->id, &type, &name)) {
        config_error_add_at_key(self->errors, component->node, component->path,
            "\"%s\" is not a component id: a type (letters, digits, \"_\"), or type/name", component->id);
        return false;
    }
    type_name = arena_string(&self->configuration->arena, type);
    component->type = registry_find(kind, type_name, &deprecated);
    if (component->type == NULL)
        refuse_type(self, component, kind, type_name);
    else if (deprecated)
        config_warning_add(
            self->errors, component->node, component->path, "\"%s\" is the former name of \"%s\"", type_name, component->type->name);
    return component->type != NULL;
}

/* ---- sections ---- */

static size_t count_children(const struct config_node *node)
{
    size_t count = 0;

    for (const struct config_node *child = node != NULL ? node->children : NULL; child != NULL; child = child->next)
        count++;
    return count;
}

static void check_section(struct checking *self, enum component_kind kind, const struct config_node *section)
{
    struct configuration *configuration = self->configuration;
    const char *name = configuration_section_name(kind);

    if (section == NULL || section->kind == CONFIG_NULL)
        return;
    if (section->kind != CONFIG_MAP) {
        config_error_add(self->errors, section, name, "expected a map of components by id");
        return;
    }
    for (const struct config_node *child = section->children; child != NULL; child = child->next) {
        struct configuration_component *component = &self->components[configuration->component_count];

        component->id = child->key;
        component->path = arena_printf(&configuration->arena, "%s.%s", name, child->key);
        component->node = child;
        if (!find_type(self, component, kind))
            continue;
        check_options(self, component);
        configuration->component_count++;
    }
}

void configuration_check_components(struct checking *self)
{
    struct configuration *configuration = self->configuration;
    size_t most = 0;

    for (size_t i = 0; i < COMPONENT_KIND_COUNT; i++)
        most += count_children(config_get(configuration->tree, configuration_section_name(section_order[i])));
    self->components = arena_alloc(&configuration->arena, (most + 1) * sizeof(*self->components));
    configuration->components = self->components;
    for (size_t i = 0; i < COMPONENT_KIND_COUNT; i++)
        check_section(self, section_order[i], config_get(configuration->tree, configuration_section_name(section_order[i])));
}

/* ---- references ---- */

static bool is_defined(const struct checking *self, unsigned kinds, const char *id)
{
    for (size_t i = 0; i < COMPONENT_KIND_COUNT; i++)
        if (kinds & 1U << section_order[i] &&
            config_get(config_get(self->configuration->tree, configuration_section_name(section_order[i])), id) != NULL)
            return true;
    return false;
}

static const char *nearest_id(const struct checking *self, unsigned kinds, const char *id)
{
    struct configuration *configuration = self->configuration;
    const char **ids = arena_alloc(&configuration->arena, (configuration->component_count + 1) * sizeof(*ids));
    size_t count = 0;

    for (size_t i = 0; i < configuration->component_count; i++)
        if (kinds & 1U << self->components[i].type->kind)
            ids[count++] = self->components[i].id;
    return config_nearest(id, ids);
}

/* The kind that an error speaks of: connectors are the rarer. */
static enum component_kind first_kind(unsigned kinds)
{
    for (size_t i = 0; i < COMPONENT_KIND_COUNT; i++)
        if (kinds & 1U << section_order[i] && section_order[i] != COMPONENT_CONNECTOR)
            return section_order[i];
    return COMPONENT_CONNECTOR;
}

struct configuration_component *configuration_resolve(
    struct checking *self, const struct config_node *reference, unsigned kinds, const char *path)
{
    const char *id = reference->kind == CONFIG_SCALAR ? reference->text : NULL;
    const char *kind_name = component_kind_name(first_kind(kinds)), *near;

    if (id == NULL) {
        config_error_add(self->errors, reference, path, "expected the id of a %s", kind_name);
        return NULL;
    }
    for (size_t i = 0; i < self->configuration->component_count; i++)
        if (kinds & 1U << self->components[i].type->kind && strcmp(self->components[i].id, id) == 0)
            return &self->components[i];
    if (is_defined(self, kinds, id))
        return NULL; /* its type is unknown, which was said */
    near = nearest_id(self, kinds, id);
    if (near != NULL)
        config_error_add(self->errors, reference, path, "there is no %s \"%.200s\", did you mean \"%s\"?", kind_name, id, near);
    else
        config_error_add(self->errors, reference, path, "there is no %s \"%.200s\" under %s", kind_name, id,
            configuration_section_name(first_kind(kinds)));
    return NULL;
}
