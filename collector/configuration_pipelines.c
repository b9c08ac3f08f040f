/* service.extensions and service.pipelines: what is named exists, takes part in that signal, and is named once. */
#include "collector/configuration_checks.h"

#include "collector/registry.h"

enum { RECEIVERS = 1U << COMPONENT_RECEIVER | 1U << COMPONENT_CONNECTOR, EXPORTERS = 1U << COMPONENT_EXPORTER | 1U << COMPONENT_CONNECTOR };

static const char *const pipeline_keys[] = { "receivers", "processors", "exporters", NULL };

struct list {
    const struct config_node *node; /* may be NULL or null */
    const char *path;
    unsigned kinds;
};

static bool is_among(const struct configuration_references *references, const struct configuration_component *component)
{
    for (size_t i = 0; i < references->count; i++)
        if (references->items[i] == component)
            return true;
    return false;
}

/* Every component that the list names; those with errors are left out. */
static struct configuration_references resolve_list(struct checking *self, const struct list *list)
{
    struct configuration_references references = { NULL, 0 };
    const struct configuration_component **items;
    size_t count = 0;

    if (list->node == NULL || list->node->kind == CONFIG_NULL)
        return references;
    if (list->node->kind != CONFIG_LIST) {
        config_error_add(self->errors, list->node, list->path, "expected a list of component ids");
        return references;
    }
    for (const struct config_node *child = list->node->children; child != NULL; child = child->next)
        count++;
    items = arena_alloc(&self->configuration->arena, count * sizeof(*items));
    references.items = items;
    for (const struct config_node *child = list->node->children; child != NULL; child = child->next) {
        struct configuration_component *component = configuration_resolve(self, child, list->kinds, list->path);

        if (component == NULL)
            continue;
        component->used = true;
        if (is_among(&references, component))
            config_error_add(self->errors, child, list->path, "\"%s\" is listed twice", component->id);
        else
            items[references.count++] = component;
    }
    return references;
}

void configuration_check_extensions(struct checking *self, const struct config_node *service)
{
    struct list list = { config_get(service, "extensions"), "service.extensions", 1U << COMPONENT_EXTENSION };

    self->configuration->extensions = resolve_list(self, &list);
}

/* ---- pipelines ---- */

static bool parse_signal(const char *id, enum signal *signal)
{
    struct slice type, name;

    if (!option_parse_id(id, &type, &name))
        return false;
    for (*signal = 0; *signal < SIGNAL_COUNT; ++*signal)
        if (slice_equal_string(type, signal_name(*signal)))
            return true;
    return false;
}

static void refuse_pipeline_id(struct checking *self, const struct config_node *node, const char *path)
{
    const char *names[SIGNAL_COUNT + 1] = { NULL }, *near;

    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        names[i] = signal_name((enum signal)i);
    near = config_nearest(node->key, names);
    config_error_add_at_key(self->errors, node, path,
        "a pipeline is called traces, metrics, logs or profiles, or one of them with a name: traces/2%s%s%s",
        near != NULL ? "; did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static const char *signals_text(struct arena *arena, unsigned signals)
{
    const char *text = "";

    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (signals & 1U << i)
            text = arena_printf(arena, "%s%s%s", text, text[0] != '\0' ? ", " : "", signal_name((enum signal)i));
    return text[0] != '\0' ? text : "no signal";
}

/* Signals that the component takes (as exporter or processor) or gives (as receiver). */
static unsigned signals_of(const struct component_type *type, bool as_receiver)
{
    unsigned given = 0;

    if (type->kind != COMPONENT_CONNECTOR || !as_receiver)
        return type->signals;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        given |= type->outputs[i];
    return given != 0 ? given : type->signals;
}

static void check_signals(
    struct checking *self, const struct configuration_references *references, const struct list *list, enum signal signal)
{
    bool as_receiver = list->kinds == RECEIVERS;

    for (size_t i = 0; i < references->count; i++) {
        const struct configuration_component *component = references->items[i];
        unsigned signals = signals_of(component->type, as_receiver);

        if (!(signals & 1U << signal))
            config_error_add(self->errors, list->node, list->path, "the %s \"%s\" does not %s %s, only %s",
                component_kind_name(component->type->kind), component->id, as_receiver ? "give" : "take", signal_name(signal),
                signals_text(&self->configuration->arena, signals));
    }
}

static struct configuration_references check_list(
    struct checking *self, const struct config_node *pipeline, const struct list *list, enum signal signal)
{
    struct configuration_references references = resolve_list(self, list);

    check_signals(self, &references, list, signal);
    if (list->kinds != 1U << COMPONENT_PROCESSOR && (list->node == NULL || list->node->children == NULL) && pipeline != NULL)
        config_error_add_at_key(self->errors, list->node != NULL ? list->node : pipeline, list->path, "must name at least one %s",
            list->kinds == RECEIVERS ? "receiver" : "exporter");
    return references;
}

static void check_pipeline(struct checking *self, const struct config_node *node, struct configuration_pipeline *pipeline)
{
    struct arena *arena = &self->configuration->arena;
    const char *path = arena_printf(arena, "service.pipelines.%s", node->key);
    struct list receivers = { config_get(node, "receivers"), arena_printf(arena, "%s.receivers", path), RECEIVERS };
    struct list processors = { config_get(node, "processors"), arena_printf(arena, "%s.processors", path), 1U << COMPONENT_PROCESSOR };
    struct list exporters = { config_get(node, "exporters"), arena_printf(arena, "%s.exporters", path), EXPORTERS };

    pipeline->id = node->key;
    if (!parse_signal(node->key, &pipeline->signal)) {
        refuse_pipeline_id(self, node, path);
        return;
    }
    if (!configuration_check_keys(self, node, path, pipeline_keys))
        return;
    pipeline->receivers = check_list(self, node, &receivers, pipeline->signal);
    pipeline->processors = check_list(self, node, &processors, pipeline->signal);
    pipeline->exporters = check_list(self, node, &exporters, pipeline->signal);
}

void configuration_check_pipelines(struct checking *self, const struct config_node *service)
{
    const struct config_node *node = config_get(service, "pipelines");
    struct configuration_pipeline *pipelines;
    size_t count = 0;

    for (const struct config_node *child = node != NULL ? node->children : NULL; child != NULL; child = child->next)
        count++;
    if (node != NULL && node->kind != CONFIG_MAP && node->kind != CONFIG_NULL) {
        config_error_add(self->errors, node, "service.pipelines", "expected a map of pipelines by id");
        return;
    }
    if (count == 0 || count > PIPELINES_MAX) {
        if (service != NULL)
            config_error_add_at_key(self->errors, node != NULL ? node : service, "service.pipelines",
                count == 0 ? "there must be at least one pipeline" : "more than 1,000 pipelines");
        return;
    }
    pipelines = arena_alloc(&self->configuration->arena, count * sizeof(*pipelines));
    self->configuration->pipelines = pipelines;
    for (const struct config_node *child = node->children; child != NULL; child = child->next)
        check_pipeline(self, child, &pipelines[self->configuration->pipeline_count++]);
    configuration_check_connectors(self, node);
}

/* ---- extensions that options name ---- */

static bool is_listed(const struct checking *self, const char *id)
{
    const struct configuration_references *extensions = &self->configuration->extensions;

    for (size_t i = 0; i < extensions->count; i++)
        if (strcmp(extensions->items[i]->id, id) == 0)
            return true;
    return false;
}

static void warn_unlisted(struct checking *self, const struct option *table, const struct config_node *node, const char *path)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++) {
        const struct option *option = rows[i].option;
        const struct config_node *value = config_get(node, option->key);
        const char *whole = value != NULL ? arena_printf(&self->configuration->arena, "%s.%s", path, option->key) : path;

        if (value != NULL && option->kind == OPTION_ID && value->kind == CONFIG_SCALAR && !is_listed(self, value->text))
            config_warning_add(self->errors, value, whole,
                "the extension \"%.200s\" is not listed in service.extensions, so this will not start", value->text);
        if (value != NULL && option->kind == OPTION_BLOCK)
            warn_unlisted(self, option->fields, value, whole);
    }
}

void configuration_warn_unused(struct checking *self)
{
    for (size_t i = 0; i < self->configuration->component_count; i++)
        if (self->components[i].used)
            warn_unlisted(self, self->components[i].type->options, self->components[i].node, self->components[i].path);
    for (size_t i = 0; i < self->configuration->component_count; i++) {
        const struct configuration_component *component = &self->components[i];

        if (!component->used)
            config_warning_add(self->errors, component->node, component->path,
                component->type->kind == COMPONENT_EXTENSION ? "is not listed in service.extensions and is not started"
                                                             : "is used by no pipeline and is not started");
    }
}
