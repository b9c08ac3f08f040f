/*
 * Expressions as configurations of the OpenTelemetry Collector write them in `if`, `expr`, `is_first_entry`, EXPR(...): the part of the
 * expr language that reads records. What is left out (closures, variables, pipes, slices) is an error when it is read.
 * Threads: compiled ones are shared, the matcher is one thread's.
 */
#ifndef WEIR_STANZA_EXPRESSION_H
#define WEIR_STANZA_EXPRESSION_H

#include "collector/base/arena.h"
#include "collector/base/error.h"
#include "collector/stanza/value.h"

struct ottl_matcher;
struct stanza_expression;

/* Lives in the arena, but for its regular expressions: destroy. NULL with an error that quotes the place. */
struct stanza_expression *stanza_expression_create(struct arena *arena, const char *text, struct error *err);
void stanza_expression_destroy(struct stanza_expression *expression); /* NULL is fine */

struct stanza_evaluation {
    struct stanza_record *record; /* values are made in its memory */
    struct ottl_matcher *matcher;
    const char *problem; /* static */
};

/* False with the problem. */
bool stanza_evaluate(const struct stanza_expression *expression, struct stanza_evaluation *evaluation, struct stanza_value *value);
/* The same for those that must give a bool. */
bool stanza_test(const struct stanza_expression *expression, struct stanza_evaluation *evaluation, bool *result);

#endif
