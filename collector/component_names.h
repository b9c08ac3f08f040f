/* Component types that weir does not have but configurations name: to say more than "unknown". */
#ifndef WEIR_COLLECTOR_COMPONENT_NAMES_H
#define WEIR_COLLECTOR_COMPONENT_NAMES_H

#include "collector/component.h"

/* What to use in the place of a type that the OpenTelemetry Collector itself no longer has; NULL: not such a one. */
const char *component_removed_hint(enum component_kind kind, const char *type);

/* Is it a type of the OpenTelemetry Collector's distributions, under its new or its old name? */
bool component_known_elsewhere(enum component_kind kind, const char *type);

#endif
