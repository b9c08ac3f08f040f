/* Severities by the words and numbers that logs use for them. */
#ifndef WEIR_STANZA_SEVERITY_H
#define WEIR_STANZA_SEVERITY_H

#include "collector/base/arena.h"
#include "collector/base/error.h"
#include "collector/config/tree.h"
#include "collector/stanza/value.h"

struct stanza_severities;

/* preset: "default", "otel", "aliases" or "none"; mapping: a map of severities to values, or NULL. NULL with an error. */
struct stanza_severities *stanza_severities_create(
    struct arena *arena, const char *preset, const struct config_node *mapping, struct error *err);
/* Strings in any case, and integers; 0 when it is not known. */
uint8_t stanza_severity_of(const struct stanza_severities *table, const struct stanza_value *value);
/* "INFO", "WARN2" */
const char *stanza_severity_name(uint8_t severity);

#endif
