/*
 * Grok: regular expressions put together from named patterns, %{NAME}, %{NAME:field} and %{NAME:field:type}; compiled once.
 * Internal to collector/ottl.
 */
#ifndef WEIR_OTTL_GROK_H
#define WEIR_OTTL_GROK_H

#include "collector/base/arena.h"
#include "collector/ottl/machine.h"
#include "collector/ottl/regex.h"

/* A pattern by name. */
struct grok_pattern {
    struct slice name, text;
};

/* The patterns that every program knows; ends with an empty name. */
extern const struct grok_pattern grok_patterns[];

struct grok;

struct grok_options {
    struct slice pattern;
    const struct grok_pattern *own; /* looked up before the known ones */
    size_t own_count;
    bool named_only; /* %{NAME} without a field captures nothing */
};

/* Start-up only; NULL with an error. Lives in the arena; its expression is *regex, to be destroyed by the caller. */
struct grok *grok_create(const struct grok_options *options, struct arena *arena, struct ottl_regex **regex, struct error *err);

/* The fields of the text as a map, empty when it does not match. False with the machine's error. */
bool grok_match(const struct grok *grok, struct ottl_machine *machine, struct slice text, struct ottl_value *map);

#endif
