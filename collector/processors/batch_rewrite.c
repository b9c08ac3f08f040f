/*
 * Rewriting batches.
 *
 * A batch that the visit leaves alone passes as it is. Cost otherwise: what was changed is written to the worker's buffer, then once more to
 * a payload of its size. Threads: workers are taken from a list under a lock, once a batch.
 */
#include "collector/processors/batch_rewrite.h"

#include <stdlib.h>

enum { KEPT_BUFFER_MAX = 4 << 20 };

struct rewrite_worker *rewrite_worker_create(void)
{
    struct rewrite_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        return NULL;
    worker->matcher = ottl_matcher_create();
    if (worker->matcher != NULL)
        return worker;
    free(worker);
    return NULL;
}

void rewrite_worker_destroy(struct rewrite_worker *worker)
{
    edit_fini(&worker->edit);
    buffer_fini(&worker->spare);
    buffer_fini(&worker->value);
    buffer_fini(&worker->out);
    ottl_matcher_destroy(worker->matcher);
    free(worker);
}

void batch_rewrite_init(struct batch_rewrite *pool)
{
    pthread_mutex_init(&pool->lock, NULL);
    pool->ready = true;
}

void batch_rewrite_fini(struct batch_rewrite *pool)
{
    while (pool->idle != NULL) {
        struct rewrite_worker *worker = pool->idle;
        pool->idle = worker->next;
        rewrite_worker_destroy(worker);
    }
    if (pool->ready)
        pthread_mutex_destroy(&pool->lock);
    *pool = (struct batch_rewrite){ .idle = NULL };
}

static struct rewrite_worker *take_worker(struct batch_rewrite *pool)
{
    struct rewrite_worker *worker;

    pthread_mutex_lock(&pool->lock);
    worker = pool->idle;
    if (worker != NULL)
        pool->idle = worker->next;
    pthread_mutex_unlock(&pool->lock);
    return worker != NULL ? worker : rewrite_worker_create();
}

static void shrink(struct buffer *buffer)
{
    if (buffer->capacity > KEPT_BUFFER_MAX)
        buffer_fini(buffer);
}

static void give_back(struct batch_rewrite *pool, struct rewrite_worker *worker)
{
    shrink(&worker->out);
    shrink(&worker->spare);
    shrink(&worker->value);
    shrink(&worker->edit.scratch);
    pthread_mutex_lock(&pool->lock);
    worker->next = pool->idle;
    pool->idle = worker;
    pthread_mutex_unlock(&pool->lock);
}

/* What a pass over a batch came to. */
struct pass {
    size_t before; /* runs before the first that was changed: they are not in worker->out */
    size_t dropped;
    bool changed;
};

static struct pass pass_over(struct component *self, rewrite_visit visit, struct rewrite_worker *worker, const struct batch *batch)
{
    struct pass pass = { .before = 0 };

    worker->signal = batch->signal;
    worker->metadata = batch->metadata;
    worker->failed = false;
    buffer_clear(&worker->out);
    for (size_t i = 0; i < batch->run_count; i++) {
        otlp_rewrite_begin(&worker->rewrite, batch->runs[i].bytes, &worker->out);
        visit(self, worker);
        bool changed = otlp_rewrite_end(&worker->rewrite);
        pass.dropped += worker->rewrite.dropped;
        if (changed && !pass.changed)
            pass.before = i;
        else if (!changed && pass.changed)
            buffer_append_slice(&worker->out, batch->runs[i].bytes);
        pass.changed = pass.changed || changed;
    }
    worker->failed = worker->failed || worker->out.failed;
    return pass;
}

/* The batch with what it became in the place of its bytes; settles it when nothing is left. Takes the batch. */
static void send_changed(struct component *self, struct batch *batch, const struct pass *pass, const struct buffer *out)
{
    size_t size = out->size, records = batch->records - pass->dropped;
    struct payload *payload;

    for (size_t i = 0; i < pass->before; i++)
        size += batch->runs[i].bytes.size;
    if (size == 0 || (records == 0 && pass->dropped > 0)) {
        batch_settle(batch, OUTCOME_ACCEPTED);
        return;
    }
    payload = payload_create(size);
    if (payload == NULL) {
        batch_settle(batch, outcome_retry("memory", 0));
        return;
    }
    for (size_t i = 0; i < pass->before; i++) {
        memcpy(payload->data + payload->size, batch->runs[i].bytes.data, batch->runs[i].bytes.size);
        payload->size += batch->runs[i].bytes.size;
    }
    if (out->size > 0)
        memcpy(payload->data + payload->size, out->data, out->size);
    payload->size = size;
    component_emit(self, batch_replace(batch, payload, records));
}

void batch_rewrite_run(struct batch_rewrite *pool, struct component *self, rewrite_visit visit, struct batch *batch)
{
    struct rewrite_worker *worker = take_worker(pool);
    struct pass pass;

    if (worker == NULL) {
        batch_settle(batch, outcome_retry("memory", 0));
        return;
    }
    pass = pass_over(self, visit, worker, batch);
    if (worker->failed)
        batch_settle(batch, outcome_retry("memory", 0));
    else if (pass.changed)
        send_changed(self, batch, &pass, &worker->out);
    else
        component_emit(self, batch);
    give_back(pool, worker);
}
