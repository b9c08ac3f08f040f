/* The one list of components that this weir was built with. */
#ifndef WEIR_COLLECTOR_REGISTRY_H
#define WEIR_COLLECTOR_REGISTRY_H

#include "collector/component.h"

/* NULL-terminated; written by hand in registry.c. */
extern const struct component_type *const registry[];

/*
 * The type of that kind and name ("otlp_grpc"), or with that former name ("otlp"): then *deprecated_alias is true. A current
 * name wins over another type's former one. NULL: none. deprecated_alias may be NULL.
 */
const struct component_type *registry_find(enum component_kind kind, const char *name, bool *deprecated_alias);

/* "receiver", "processor", "connector", "exporter", "extension" */
const char *component_kind_name(enum component_kind kind);

#endif
