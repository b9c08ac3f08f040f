/*
 * Rules of OTTL in a processor's settings: read and compiled from its lists, and run over batches.
 *
 * Threads: read and freed on the control thread; any number of batches may be in ottl_rules_run at once.
 */
#ifndef WEIR_PROCESSORS_OTTL_RULES_H
#define WEIR_PROCESSORS_OTTL_RULES_H

#include <pthread.h>

#include "collector/component.h"
#include "collector/ottl/rewrite.h"

/* Statements or conditions of one group; one pass over the batch for statements, a part of the one pass for conditions. */
struct ottl_rule {
    enum signal signal;
    enum ottl_context context;
    enum ottl_error_mode mode;
    struct ottl *program; /* owned */
};

struct ottl_worker;

struct ottl_rules {
    struct component *owner; /* borrowed */
    bool filter;
    struct ottl_rule *items; /* owned */
    size_t count;
    struct ottl_step *steps;               /* owned; those of a filter, context by context */
    struct ottl_pass passes[SIGNAL_COUNT]; /* of a filter */
    pthread_mutex_t lock;
    struct ottl_worker *idle; /* owned */
    struct metric **failures; /* owned; of each statement and condition */
    size_t failure_count;
    bool prepared;
};

/* "propagate", "ignore", "silent"; NULL and "": `otherwise`. */
bool ottl_mode_of(const char *word, enum ottl_error_mode otherwise, enum ottl_error_mode *mode);

/* What one list of the settings says. */
struct ottl_source {
    enum signal signal;
    const char *key;                /* for errors: "log_statements" */
    const struct config_node *node; /* NULL: nothing */
    enum ottl_error_mode mode;
};

/* A list of texts, whose contexts are told by their paths, or of {context, error_mode, conditions, statements}. */
bool ottl_rules_read(struct ottl_rules *rules, const struct ottl_source *source, struct error *err);
/* A list of conditions of one context, whose paths need not name it. */
bool ottl_rules_read_conditions(struct ottl_rules *rules, const struct ottl_source *source, enum ottl_context context, struct error *err);
/* One condition more, of its own. */
bool ottl_rules_add_condition(
    struct ottl_rules *rules, const struct ottl_source *source, enum ottl_context context, const char *text, struct error *err);

/* After the last of them, and before the first batch. */
void ottl_rules_prepare(struct ottl_rules *rules);
void ottl_rules_fini(struct ottl_rules *rules);

/* Runs all rules on the batch and sends it on, or settles it. Takes the batch. */
void ottl_rules_run(struct ottl_rules *rules, struct batch *batch);

#endif
