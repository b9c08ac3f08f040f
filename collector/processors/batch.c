/*
 * batch processor: gathers batches until there are enough records or time is up, and passes them on as one. The
 * receipts of what it holds stay open until the next stage has the merged batch: nothing is acknowledged early.
 *
 * Cost: a pointer pushed to a list for each batch; bytes are not touched (a cut to send_batch_max_size copies).
 * Threads: one lock around the lists, never held while passing on. A timer looks twice in each timeout, so that
 * nothing waits longer than it.
 */
#include <pthread.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/component.h"
#include "collector/net/loop.h"

/* Batches that came with the same values of metadata_keys. */
struct group {
    struct batch *first, *last;
    size_t count, records;
    int64_t since_ns;    /* when the oldest came */
    struct slice *values; /* one for each key; owned, with their bytes */
    struct group *next;
};

struct batch_processor {
    struct component base;
    int64_t timeout_ns;
    int64_t send_batch_size, send_batch_max_size;
    struct option_strings metadata_keys;
    int64_t metadata_cardinality_limit;
    pthread_mutex_t lock;
    struct group *groups; /* owned */
    size_t group_count;
    struct loop_timer *timer;
};

static const struct option options[] = {
    { "timeout", OPTION_DURATION, offsetof(struct batch_processor, timeout_ns), "200ms", NULL, "longest time that a record waits for a batch to fill; 0 passes every batch on at once" },
    { "send_batch_size", OPTION_INT, offsetof(struct batch_processor, send_batch_size), "8192", "0..", "number of records that makes a batch go" },
    { "send_batch_max_size", OPTION_INT, offsetof(struct batch_processor, send_batch_max_size), "0", "0..", "larger batches are cut; 0: never" },
    { "metadata_keys", OPTION_STRINGS, offsetof(struct batch_processor, metadata_keys), NULL, NULL, "request metadata by whose values batches are kept apart" },
    { "metadata_cardinality_limit", OPTION_INT, offsetof(struct batch_processor, metadata_cardinality_limit), "1000", "0..", "most combinations of metadata values; batches with further ones are refused; 0: no limit" },
    { 0 },
};

/* ---- groups ---- */

static bool group_fits(const struct batch_processor *self, const struct group *group, const struct batch *batch)
{
    for (size_t i = 0; i < self->metadata_keys.count; i++) {
        if (!slice_equal(group->values[i], metadata_get(batch->metadata, self->metadata_keys.items[i], 0)))
            return false;
    }
    return true;
}

static struct group *make_group(const struct batch_processor *self, const struct batch *batch)
{
    struct group *group = calloc(1, sizeof(*group));

    if (group == NULL)
        return NULL;
    group->values = calloc(self->metadata_keys.count + 1, sizeof(struct slice));
    if (group->values == NULL) {
        free(group);
        return NULL;
    }
    for (size_t i = 0; i < self->metadata_keys.count; i++) {
        struct slice value = metadata_get(batch->metadata, self->metadata_keys.items[i], 0);

        group->values[i] = slice_of(slice_dup_string(value), value.size);
    }
    return group;
}

static struct group *find_group_locked(struct batch_processor *self, const struct batch *batch)
{
    struct group *group;

    for (group = self->groups; group != NULL; group = group->next) {
        if (group_fits(self, group, batch))
            return group;
    }
    if (self->metadata_cardinality_limit != 0 && self->group_count >= (size_t)self->metadata_cardinality_limit)
        return NULL;
    group = make_group(self, batch);
    if (group == NULL)
        return NULL;
    group->next = self->groups;
    self->groups = group;
    self->group_count++;
    return group;
}

static void append(struct group *group, struct batch *batch)
{
    batch->next = NULL;
    if (group->first == NULL) {
        group->first = batch;
        group->since_ns = clock_monotonic_nanos();
    } else {
        group->last->next = batch;
    }
    group->last = batch;
    group->count++;
    group->records += batch->records;
}

/* Everything that the group holds, as one batch; NULL when there is nothing. `count` as batch_merge needs it. */
static struct batch *detach(struct group *group, size_t *count)
{
    struct batch *list = group->first;

    *count = group->count;
    group->first = group->last = NULL;
    group->count = group->records = 0;
    return list;
}

/* ---- passing on ---- */

static void put_back(struct batch_processor *self, struct batch *rest)
{
    struct group *group;

    pthread_mutex_lock(&self->lock);
    group = find_group_locked(self, rest);
    if (group != NULL)
        append(group, rest);
    pthread_mutex_unlock(&self->lock);
    if (group == NULL)
        component_emit(&self->base, rest);
}

/* Sends a merged batch on in pieces of the largest size; a rest that would not fill a batch goes back when it may wait. */
static void pass_on(struct batch_processor *self, struct batch *batch, bool rest_may_wait)
{
    size_t max = (size_t)self->send_batch_max_size;
    struct batch *head;

    while (max != 0 && batch != NULL && (head = batch_split(batch, max, 0)) != NULL)
        component_emit(&self->base, head);
    if (batch != NULL && rest_may_wait && batch->records < (size_t)self->send_batch_size)
        put_back(self, batch);
    else
        component_emit(&self->base, batch);
}

static void batch_consume(struct component *component, struct batch *batch)
{
    struct batch_processor *self = (struct batch_processor *)component;
    struct batch *full = NULL;
    struct group *group;
    size_t count = 0;

    if (batch->signal == SIGNAL_PROFILES) { /* two requests' dictionaries do not merge, and a cut would need both halves to have it */
        component_emit(component, batch);
        return;
    }
    if (self->timeout_ns == 0) {
        pass_on(self, batch, false);
        return;
    }
    pthread_mutex_lock(&self->lock);
    group = find_group_locked(self, batch);
    if (group != NULL) {
        append(group, batch);
        if (group->records >= (size_t)self->send_batch_size)
            full = detach(group, &count);
    }
    pthread_mutex_unlock(&self->lock);
    if (group == NULL) {
        component_count_dropped(component, batch->signal, "metadata_cardinality", batch->records);
        batch_settle(batch, outcome_retry("metadata_cardinality", NANOS_PER_SECOND));
    } else if (full != NULL) {
        pass_on(self, batch_merge(full, count), true);
    }
}

/* Passes on what came before `before_ns`. */
static void flush(struct batch_processor *self, int64_t before_ns)
{
    size_t count = 1;

    while (count > 0) {
        struct batch *list = NULL;

        count = 0;
        pthread_mutex_lock(&self->lock);
        for (struct group *group = self->groups; group != NULL && list == NULL; group = group->next) {
            if (group->first != NULL && group->since_ns <= before_ns)
                list = detach(group, &count);
        }
        pthread_mutex_unlock(&self->lock);
        if (list != NULL)
            pass_on(self, batch_merge(list, count), false);
    }
}

static void tick(void *context)
{
    struct batch_processor *self = context;

    flush(self, clock_monotonic_nanos() - self->timeout_ns / 2);
}

/* ---- life ---- */

static void batch_drain(struct component *component)
{
    flush((struct batch_processor *)component, INT64_MAX);
}

static bool batch_validate(struct component *component, struct error *err)
{
    const struct batch_processor *self = (struct batch_processor *)component;

    if (self->send_batch_max_size != 0 && self->send_batch_max_size < self->send_batch_size)
        return fail(err, "send_batch_max_size must be greater or equal to send_batch_size");
    for (size_t i = 0; i < self->metadata_keys.count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (slice_equal_ignoring_case(slice_of_string(self->metadata_keys.items[i]), slice_of_string(self->metadata_keys.items[k])))
                return fail(err, "metadata_keys: \"%s\" is listed twice", self->metadata_keys.items[i]);
        }
    }
    return true;
}

static bool batch_start(struct component *component, struct error *err)
{
    struct batch_processor *self = (struct batch_processor *)component;
    int64_t period_ns = self->timeout_ns / 2 > NANOS_PER_MILLI ? self->timeout_ns / 2 : NANOS_PER_MILLI;

    pthread_mutex_init(&self->lock, NULL);
    if (self->timeout_ns == 0)
        return true;
    self->timer = loop_timer_start(loop_data(0), period_ns, period_ns, tick, self);
    return self->timer != NULL || fail(err, "could not start the batch timer");
}

static void batch_stop(struct component *component)
{
    struct batch_processor *self = (struct batch_processor *)component;

    loop_timer_stop(self->timer);
    self->timer = NULL;
    flush(self, INT64_MAX);
    while (self->groups != NULL) {
        struct group *group = self->groups;

        self->groups = group->next;
        for (size_t i = 0; i < self->metadata_keys.count; i++)
            free((void *)(uintptr_t)group->values[i].data);
        free(group->values);
        free(group);
    }
    pthread_mutex_destroy(&self->lock);
}

const struct component_type batch_processor = {
    .name = "batch",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_BETA,
    .summary = "Gathers records into larger batches; acknowledges nothing before the next stage does.",
    .options = options,
    .instance_size = sizeof(struct batch_processor),
    .validate = batch_validate,
    .start = batch_start,
    .stop = batch_stop,
    .consume = batch_consume,
    .drain = batch_drain,
};
