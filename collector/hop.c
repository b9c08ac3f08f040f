/*
 * The hop between consumers, and the gate that a reload closes.
 * Cost: a read lock at the entry of a batch, nothing at the inner hops; all per batch.
 */
#include "collector/hop.h"

#include <assert.h>
#include <pthread.h>

#include "collector/accounts.h"
#include "collector/component.h"
#include "collector/instance.h"
#include "collector/queue.h"
#include "collector/tap.h"

static pthread_rwlock_t gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static _Thread_local unsigned depth;

void gate_enter(void)
{
    if (depth++ == 0)
        pthread_rwlock_rdlock(&gate);
}

void gate_leave(void)
{
    assert(depth > 0);
    if (--depth == 0)
        pthread_rwlock_unlock(&gate);
}

void gate_close(void)
{
    assert(depth == 0);
    pthread_rwlock_wrlock(&gate);
}

void gate_open(void)
{
    pthread_rwlock_unlock(&gate);
}

static bool counts_items(const struct component *component)
{
    return component->type->kind == COMPONENT_PROCESSOR || component->type->kind == COMPONENT_CONNECTOR;
}

void consume(struct consumer *next, struct batch *batch)
{
    if (batch == NULL)
        return;
    assert(next != NULL && next->consume != NULL && batch->signal < SIGNAL_COUNT);
    if (batch->records == 0) {
        batch_settle(batch, OUTCOME_ACCEPTED);
        return;
    }
    if (counts_items(next->component) && next == &next->component->consumer) {
        accounts_count_incoming(next->component, batch->signal, batch->records);
        if (tap_is_on())
            tap_saw(next->component, TAP_IN, batch);
    }
    next->consume(next, batch);
}

void component_emit(struct component *self, struct batch *batch)
{
    struct consumer *next;

    if (batch == NULL)
        return;
    gate_enter();
    next = self->next[batch->signal];
    if (next == NULL) {
        component_count_dropped(self, batch->signal, "no_pipeline", batch->records);
        batch_settle(batch, outcome_rejected("no_pipeline"));
    } else {
        if (counts_items(self)) {
            accounts_count_outgoing(self, batch->signal, batch->records);
            if (tap_is_on())
                tap_saw(self, TAP_OUT, batch);
        }
        consume(next, batch);
    }
    gate_leave();
}

bool component_takes(const struct component *receiver, enum signal signal)
{
    bool takes;

    gate_enter();
    takes = receiver->next[signal] != NULL;
    gate_leave();
    return takes;
}

bool component_crowded(struct component *receiver)
{
    (void)receiver;
    return queue_is_crowded();
}

bool component_admit(struct component *receiver, size_t bytes)
{
    struct instance *instance = receiver->instance;
    bool admitted = true;

    gate_enter();
    for (size_t i = 0; admitted && i < instance->limiter_count; i++)
        admitted = instance->limiters[i]->type->admit(instance->limiters[i], bytes);
    gate_leave();
    return admitted;
}
