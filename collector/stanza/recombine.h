/* Records that are held until the rest of them has come: recombine, and the partial lines of containers. */
#ifndef WEIR_STANZA_RECOMBINE_H
#define WEIR_STANZA_RECOMBINE_H

#include "collector/stanza/operator.h"

struct stanza_held;

struct stanza_holder {
    struct stanza_operator *operator; /* who sends on; borrowed */
    struct stanza_field field;        /* what is joined */
    struct slice with;
    int64_t max_batch, max_unmatched, max_sources, max_bytes, flush_after_ns; /* 0: no limit; texts are bounded anyway */
    bool newest;                                                              /* the last record is the one that goes on, not the first */
    struct stanza_held **items;                                               /* owned; `count` in use, up to `made` kept for reuse */
    size_t count, made;
};

void stanza_holder_fini(struct stanza_holder *holder);
/* Is there anything of that source? */
bool stanza_holder_has(struct stanza_holder *holder, struct slice source);
/* Joins the record to what there is. `matched`: it is a first or last one. */
void stanza_holder_add(struct stanza_holder *holder, struct slice source, struct stanza_record *record, bool matched);
/* Sends on what there is of the source. */
void stanza_holder_send(struct stanza_holder *holder, struct slice source);
void stanza_holder_flush(struct stanza_holder *holder, int64_t now_ns, bool all);
uint64_t stanza_holder_lowest(const struct stanza_holder *holder, const void *source);

#endif
