/*
 * One pass over a request: programs are run on its resources, scopes, records, span events or data points, and what they
 * changed or dropped is written to a new request. What nobody touched is copied as it stands, in runs; when nothing was
 * touched at all, nothing is written.
 */
#ifndef WEIR_OTTL_REWRITE_H
#define WEIR_OTTL_REWRITE_H

#include "collector/ottl/ottl.h"

/* A program of a pass: statements that change records, or conditions that drop them. */
struct ottl_step {
    const struct ottl *program;
    enum ottl_error_mode mode;
    bool (*drop)(void *context, struct ottl_machine *machine); /* in the place of `program`: true drops the record */
    void *context;
};

struct ottl_pass {
    enum signal signal;
    bool filter; /* programs hold conditions: what matches any is dropped, and so is what is left empty */
    const struct ottl_step *steps[OTTL_CONTEXT_COUNT]; /* NULL: nothing to do in that context */
    size_t counts[OTTL_CONTEXT_COUNT];
    /* Told of what is dropped, before it is; see ottl_current and ottl_matched. NULL: nobody */
    void (*dropped)(void *context, const struct ottl_machine *machine, enum ottl_context level);
    void *dropped_context;
};

enum ottl_outcome {
    OTTL_UNCHANGED, /* out is as it was */
    OTTL_CHANGED,   /* the new request was appended to out; it may be empty */
    OTTL_FAILED,    /* a statement failed and propagates, or memory is out; see ottl_machine_error */
};

enum ottl_outcome ottl_rewrite(const struct ottl_pass *pass, struct ottl_machine *machine, struct slice payload, struct buffer *out);

/* For `dropped`: the text of the condition that held. */
const char *ottl_matched(const struct ottl_machine *machine);

/* For `drop` and `dropped`: the bodies of what is being visited; empty above the level of the visit. */
struct slice ottl_current(const struct ottl_machine *machine, enum ottl_context context);

#endif
