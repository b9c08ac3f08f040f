/*
 * The tracker. Order is what counts: an offset says "everything before me is done", so it moves only over the settled front of a
 * partition's list, whatever is settled behind it.
 * Cost: one allocation a message, one lock for each that is told. Looking for an offset walks the list, which is short unless
 * the pipeline stands still.
 */
#include "receivers/kafka/tracker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "collector/base/clock.h"

struct kafka_inbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct kafka_tracked *first, *last;
    size_t references; /* the consumer's and those of messages under way */
};

struct kafka_inbox *kafka_inbox_create(void)
{
    struct kafka_inbox *inbox = calloc(1, sizeof(*inbox));
    pthread_condattr_t monotonic;

    if (inbox == NULL)
        abort();
    pthread_mutex_init(&inbox->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&inbox->filled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    inbox->references = 1;
    return inbox;
}

/* Unlocks. */
static void unref_locked(struct kafka_inbox *inbox)
{
    bool last = --inbox->references == 0;

    pthread_mutex_unlock(&inbox->lock);
    if (!last)
        return;
    pthread_cond_destroy(&inbox->filled);
    pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

void kafka_inbox_unref(struct kafka_inbox *inbox)
{
    if (inbox == NULL)
        return;
    pthread_mutex_lock(&inbox->lock);
    unref_locked(inbox);
}

struct kafka_tracked *kafka_inbox_take(struct kafka_inbox *inbox)
{
    struct kafka_tracked *list;

    pthread_mutex_lock(&inbox->lock);
    list = inbox->first;
    inbox->first = inbox->last = NULL;
    pthread_mutex_unlock(&inbox->lock);
    return list;
}

bool kafka_inbox_wait(struct kafka_inbox *inbox, int64_t deadline_ns)
{
    struct timespec until = { (time_t)(deadline_ns / NANOS_PER_SECOND), (long)(deadline_ns % NANOS_PER_SECOND) };
    bool filled;

    pthread_mutex_lock(&inbox->lock);
    while (inbox->first == NULL && pthread_cond_timedwait(&inbox->filled, &inbox->lock, &until) != ETIMEDOUT)
        ;
    filled = inbox->first != NULL;
    pthread_mutex_unlock(&inbox->lock);
    return filled;
}

static void free_tracked(struct kafka_tracked *tracked)
{
    if (tracked->raw != NULL)
        tracked->free_raw(tracked->raw);
    batch_settle(tracked->batch, OUTCOME_ACCEPTED); /* nobody waits for this handle */
    free(tracked);
}

/* Any thread. */
static void told(void *context, struct outcome outcome)
{
    struct kafka_tracked *tracked = context;
    struct kafka_inbox *inbox = tracked->inbox;
    bool orphan;

    pthread_mutex_lock(&inbox->lock);
    orphan = tracked->orphan;
    if (!orphan) {
        tracked->outcome = outcome;
        tracked->next_told = NULL;
        if (inbox->last != NULL)
            inbox->last->next_told = tracked;
        else
            inbox->first = tracked;
        inbox->last = tracked;
        pthread_cond_signal(&inbox->filled);
    }
    unref_locked(inbox);
    if (orphan)
        free_tracked(tracked);
}

struct receipt *kafka_tracked_receipt(struct kafka_tracked *tracked, struct kafka_inbox *inbox)
{
    struct receipt *receipt = receipt_create(RECEIPT_DURABLE, told, tracked);

    if (receipt == NULL)
        return NULL;
    tracked->state = KAFKA_UNDER_WAY;
    tracked->inbox = inbox;
    pthread_mutex_lock(&inbox->lock);
    inbox->references++;
    pthread_mutex_unlock(&inbox->lock);
    return receipt;
}

/* ---- partitions ---- */

struct kafka_partition *kafka_partition_create(const char *topic, int32_t number)
{
    struct kafka_partition *partition = calloc(1, sizeof(*partition));

    if (partition == NULL)
        abort();
    partition->topic = slice_dup_string(slice_of_string(topic));
    partition->number = number;
    partition->next_offset = partition->committed = -1;
    return partition;
}

/* Out of the inbox with what was told of this partition and not taken yet; returns it, linked by next_told. */
static struct kafka_tracked *withdraw_locked(struct kafka_inbox *inbox, const struct kafka_partition *partition)
{
    struct kafka_tracked *all = inbox->first, *theirs = NULL;

    inbox->first = inbox->last = NULL;
    while (all != NULL) {
        struct kafka_tracked *next = all->next_told;

        if (all->partition == partition) {
            all->next_told = theirs;
            theirs = all;
        } else {
            all->next_told = NULL;
            if (inbox->last != NULL)
                inbox->last->next_told = all;
            else
                inbox->first = all;
            inbox->last = all;
        }
        all = next;
    }
    return theirs;
}

void kafka_partition_destroy(struct kafka_partition *partition, struct kafka_inbox *inbox)
{
    struct kafka_tracked *next, *tracked;

    pthread_mutex_lock(&inbox->lock);
    for (tracked = withdraw_locked(inbox, partition); tracked != NULL; tracked = tracked->next_told)
        tracked->state = KAFKA_SETTLED;
    for (tracked = partition->first; tracked != NULL; tracked = tracked->next)
        tracked->orphan = tracked->state == KAFKA_UNDER_WAY;
    /* still under the lock: an orphan may be gone once it is let go of */
    for (tracked = partition->first, partition->first = NULL; tracked != NULL; tracked = next) {
        next = tracked->next;
        if (tracked->orphan)
            continue;
        tracked->next = partition->first;
        partition->first = tracked;
    }
    pthread_mutex_unlock(&inbox->lock);
    for (tracked = partition->first; tracked != NULL; tracked = next) {
        next = tracked->next;
        free_tracked(tracked);
    }
    free(partition->topic);
    free(partition);
}

struct kafka_tracked *kafka_partition_add(struct kafka_partition *partition, int64_t offset, size_t bytes)
{
    struct kafka_tracked *tracked = calloc(1, sizeof(*tracked));

    if (tracked == NULL)
        return NULL;
    tracked->partition = partition;
    tracked->offset = offset;
    tracked->bytes = bytes;
    tracked->state = KAFKA_WAITING;
    if (partition->last != NULL)
        partition->last->next = tracked;
    else
        partition->first = tracked;
    partition->last = tracked;
    partition->messages++;
    partition->bytes += bytes;
    partition->waiting++;
    return tracked;
}

bool kafka_partition_has(const struct kafka_partition *partition, int64_t offset)
{
    if (partition->last == NULL || offset > partition->last->offset)
        return false; /* what comes next, nearly always */
    for (const struct kafka_tracked *tracked = partition->first; tracked != NULL; tracked = tracked->next) {
        if (tracked->offset == offset)
            return true;
    }
    return false;
}

void kafka_tracked_settle(struct kafka_tracked *tracked)
{
    struct kafka_partition *partition = tracked->partition;

    assert(tracked->state != KAFKA_SETTLED);
    partition->messages--;
    partition->bytes -= tracked->bytes;
    if (tracked->state == KAFKA_WAITING)
        partition->waiting--;
    tracked->state = KAFKA_SETTLED;
    batch_settle(tracked->batch, OUTCOME_ACCEPTED);
    tracked->batch = NULL;
    while (partition->first != NULL && partition->first->state == KAFKA_SETTLED) {
        struct kafka_tracked *done = partition->first;

        partition->next_offset = done->offset + 1;
        partition->first = done->next;
        if (partition->first == NULL)
            partition->last = NULL;
        free_tracked(done);
    }
}
