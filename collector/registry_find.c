/* Looking up component types by name: a walk of a short list, at start and reload only. */
#include "collector/registry.h"

#include <string.h>

const char *component_kind_name(enum component_kind kind)
{
    static const char *const names[COMPONENT_KIND_COUNT] = {
        [COMPONENT_RECEIVER] = "receiver",
        [COMPONENT_PROCESSOR] = "processor",
        [COMPONENT_CONNECTOR] = "connector",
        [COMPONENT_EXPORTER] = "exporter",
        [COMPONENT_EXTENSION] = "extension",
    };

    return names[kind];
}

static bool has_alias(const struct component_type *type, const char *name)
{
    for (const char *const *alias = type->aliases; alias != NULL && *alias != NULL; alias++)
        if (strcmp(*alias, name) == 0)
            return true;
    return false;
}

const struct component_type *registry_find(enum component_kind kind, const char *name, bool *deprecated_alias)
{
    const struct component_type *former = NULL;

    for (const struct component_type *const *entry = registry; *entry != NULL; entry++) {
        if ((*entry)->kind != kind)
            continue;
        if (strcmp((*entry)->name, name) == 0) {
            if (deprecated_alias != NULL)
                *deprecated_alias = false;
            return *entry;
        }
        if (former == NULL && has_alias(*entry, name))
            former = *entry;
    }
    if (former != NULL && deprecated_alias != NULL)
        *deprecated_alias = true;
    return former;
}
