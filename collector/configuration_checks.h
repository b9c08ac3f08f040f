/* The parts of configuration_load; private to it. */
#ifndef WEIR_COLLECTOR_CONFIGURATION_CHECKS_H
#define WEIR_COLLECTOR_CONFIGURATION_CHECKS_H

#include "collector/configuration.h"

enum { PIPELINES_MAX = 1000 };

struct checking {
    struct configuration *configuration;
    struct config_errors *errors;
    struct configuration_component *components; /* configuration->components, while they may still be changed */
};

/* "receivers", "processors" ... */
const char *configuration_section_name(enum component_kind kind);

/* A map whose keys are among `keys` (NULL-terminated); errors name others. NULL and null have no keys. */
bool configuration_check_keys(struct checking *self, const struct config_node *map, const char *path, const char *const *keys);

/* Every section's components, with their options. */
void configuration_check_components(struct checking *self);

/* One component named in a list; NULL after an error, or when its own definition has one. Several kinds may be meant: bits of 1 << kind. */
struct configuration_component *configuration_resolve(
    struct checking *self, const struct config_node *reference, unsigned kinds, const char *path);

/* service.extensions, service.pipelines, connectors, and what nobody uses or starts. */
void configuration_check_extensions(struct checking *self, const struct config_node *service);
void configuration_check_pipelines(struct checking *self, const struct config_node *service);
void configuration_check_connectors(struct checking *self, const struct config_node *pipelines);
void configuration_warn_unused(struct checking *self);

/* service.telemetry */
void configuration_check_telemetry(struct checking *self, const struct config_node *node);

#endif
