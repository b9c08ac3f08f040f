/*
 * Conditions asked about one span at a time, for whoever does not have it in a request. Nothing is written.
 */
#ifndef WEIR_OTTL_PROBE_H
#define WEIR_OTTL_PROBE_H

#include "collector/ottl/ottl.h"

/* The contents of the messages, and the schema URLs of their groups. */
struct ottl_span_place {
    struct slice resource, resource_schema_url, scope, scope_schema_url, span;
};

/*
 * Does one of the program's conditions hold for the span, or for an event of it when it is a program of span events? False
 * when one failed and propagates: see ottl_machine_error.
 */
bool ottl_probe_span(
    const struct ottl *program, struct ottl_machine *machine, const struct ottl_span_place *place, enum ottl_error_mode mode, bool *holds);

#endif
