/*
 * Rewriting batches: a processor's visit walks each run of a batch, and what it changed goes on in the place of what came.
 *
 * Threads: init and fini on the control thread; any number of batches may be rewritten at once, each by a worker of its own.
 */
#ifndef WEIR_PROCESSORS_BATCH_REWRITE_H
#define WEIR_PROCESSORS_BATCH_REWRITE_H

#include <pthread.h>

#include "collector/component.h"
#include "collector/ottl/regex.h"
#include "collector/wire/otlp_rewrite.h"

/* What one visit works with; memory is kept from batch to batch. */
struct rewrite_worker {
    struct otlp_rewrite rewrite; /* of the run; begun */
    enum signal signal;
    const struct metadata *metadata; /* of the batch; NULL: none */
    struct edit edit;
    struct buffer spare, value; /* free for the visit */
    struct ottl_matcher *matcher;
    bool failed; /* memory is out: the batch is refused */
    struct buffer out;
    struct rewrite_worker *next;
};

/* Walks worker->rewrite from its beginning to its end; end() is the caller's. */
typedef void (*rewrite_visit)(struct component *self, struct rewrite_worker *worker);

struct batch_rewrite {
    pthread_mutex_t lock;
    struct rewrite_worker *idle; /* owned */
    bool ready;
};

void batch_rewrite_init(struct batch_rewrite *pool);
/* Fini of a zeroed one is fine. */
void batch_rewrite_fini(struct batch_rewrite *pool);

/* Sends the batch on as it became, or settles it when nothing is left of it. Takes the batch. */
void batch_rewrite_run(struct batch_rewrite *pool, struct component *self, rewrite_visit visit, struct batch *batch);

/* For unit tests of visits. NULL when memory is out. */
struct rewrite_worker *rewrite_worker_create(void);
void rewrite_worker_destroy(struct rewrite_worker *worker);

#endif
