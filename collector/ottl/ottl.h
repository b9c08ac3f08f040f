/*
 * The OpenTelemetry Transformation Language (OTTL): statements and conditions, from text to compiled program, evaluated over
 * records in wire form. I/O-free.
 *
 * A program is the conditions and statements of one group, for one context. It is compiled once (functions, paths, enums and
 * types resolved, constants folded, regular expressions compiled) and is immutable afterwards: any number of threads may
 * run it at once, each with its own machine. A record is copied when, and only when, a statement changes it.
 *
 * Bounds: 64 KiB of text a statement, 64 levels of nesting, regular expressions end after a limited number of steps, 64 MiB of
 * intermediate values a record.
 */
#ifndef WEIR_OTTL_OTTL_H
#define WEIR_OTTL_OTTL_H

#include "collector/base/error.h"
#include "collector/wire/otlp.h"

enum ottl_context { OTTL_RESOURCE, OTTL_SCOPE, OTTL_SPAN, OTTL_SPANEVENT, OTTL_METRIC, OTTL_DATAPOINT, OTTL_LOG, OTTL_EXEMPLAR, OTTL_CONTEXT_COUNT };

/* What becomes of a statement that fails on a record. */
enum ottl_error_mode {
    OTTL_PROPAGATE, /* the whole request fails */
    OTTL_IGNORE,    /* told, and the next statement follows */
    OTTL_SILENT,    /* not even told */
};

/* "span"; also of words: "instrumentation_scope" is OTTL_SCOPE. */
const char *ottl_context_name(enum ottl_context context);
bool ottl_context_of(struct slice name, enum ottl_context *context);
/* Has the signal records of that context? */
bool ottl_context_fits(enum ottl_context context, enum signal signal);

/* ---- programs: start-up only; memory that runs out ends the process ---- */

struct ottl;

/* qualified: every path has to begin with the name of its context. */
struct ottl *ottl_create(enum ottl_context context, bool qualified);
/* The context that a group of texts means, from the paths and functions in it: the lowest that all of them can be evaluated in. */
bool ottl_infer_context(enum signal signal, const char *const *texts, size_t count, enum ottl_context *context, struct error *err);
void ottl_destroy(struct ottl *program);

/* Errors say the position within the text, and what was expected there. */
bool ottl_add_statement(struct ottl *program, const char *text, struct error *err);
bool ottl_add_condition(struct ottl *program, const char *text, struct error *err);

enum ottl_context ottl_context_of_program(const struct ottl *program);

/* Each statement and condition, in no order. `statement` lives as long as the program. */
struct ottl_statement;
void ottl_for_each(const struct ottl *program, void (*each)(void *context, struct ottl_statement *statement), void *context);
const char *ottl_statement_text(const struct ottl_statement *statement);
/* How often it failed since the program was made. Any thread. */
unsigned long long ottl_statement_failures(const struct ottl_statement *statement);

/* ---- machines: what one thread needs to run programs ---- */

struct ottl_machine;

/* Told of each failure that does not propagate, but in silent mode. Both borrowed for the call. */
typedef void (*ottl_told)(void *context, const char *statement, const char *message);

/* NULL when memory is out. */
struct ottl_machine *ottl_machine_create(ottl_told told, void *context);
void ottl_machine_destroy(struct ottl_machine *machine);

/* Why the last run failed. */
const char *ottl_machine_error(const struct ottl_machine *machine);

#endif
