/*
 * tail_sampling processor: holds the spans of a trace for a while, decides on the trace as a whole, and passes it on or drops it.
 * The keys, policies and precedence are the OpenTelemetry Collector's.
 *
 * Held spans are *accepted*: a source that asks for no more has its answer once they are in the store, which memory bounds; one
 * that waits for *durable* (Kafka, files) waits until they are decided and delivered. Nothing is lost to a lack of room: the oldest
 * traces are decided early, or new spans refused. A reload hands the store on.
 *
 * Threads: spans come in on any thread; each data loop decides for its share of the shards, every 100 ms. Locks: a shard's, for
 * 256 spans or traces at a time, never while something is passed on.
 */
#include <stdlib.h>
#include <time.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/processors/tail_sampling/processor.h"

enum { TURNS_MAX = 64, TRACES_A_SHARD = 2048, MIB_A_SHARD = 8 };

static const int64_t period_ns = 100 * NANOS_PER_MILLI, drain_grace_ns = 5 * NANOS_PER_SECOND;

/* A reload may give the store to another processor meanwhile; it does not end before it is unpinned. */
static struct tail_store *pin(struct tail_sampling *self)
{
    struct tail_store *store;

    pthread_mutex_lock(&self->lock);
    store = atomic_load(&self->store);
    atomic_fetch_add(&store->users, 1);
    pthread_mutex_unlock(&self->lock);
    return store;
}

static void set_store(struct tail_sampling *self, struct tail_store *store)
{
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->store, store);
    pthread_mutex_unlock(&self->lock);
}

static void unpin(struct tail_store *store)
{
    atomic_fetch_sub(&store->users, 1);
}

/* The shards of one lane, or of all lanes. */
static void work_on(struct tail_sampling *self, size_t first, size_t step, enum tail_work work)
{
    struct tail_hand *hand = tail_hand_take(self);
    struct tail_store *store;

    if (hand == NULL)
        return;
    store = pin(self);
    for (size_t i = first; i < store->shard_count; i += step) {
        struct tail_session session = { self, store, &store->shards[i], hand, tail_now_ms() };
        for (size_t turn = 0; tail_work(&session, work) && (work == TAIL_WORK_ALL || turn < TURNS_MAX); turn++)
            session.now_ms = tail_now_ms();
    }
    tail_hand_send(self, hand);
    unpin(store);
    tail_hand_give_back(self, hand);
}

static void tick(void *context)
{
    const struct tail_lane *lane = context;

    work_on(lane->self, lane->number, lane->self->lane_count, TAIL_WORK_DUE);
    if (lane->number == 0)
        tail_sender_work(lane->self->sender, false);
}

/* ---- life ---- */

static size_t count_shards(const struct tail_settings *settings)
{
    size_t count = 1;

    while (count < TAIL_SHARDS_MAX && (int64_t)count * 2 * TRACES_A_SHARD <= settings->num_traces &&
           (int64_t)count * 2 * MIB_A_SHARD <= settings->max_memory_mib)
        count *= 2;
    return count;
}

/* Tells the store how the policies, and the parts of composite ones, are called. */
static void name_policies(struct tail_sampling *self, struct tail_store *store)
{
    const struct tail_policy_settings *items = self->settings.policies.items;

    for (size_t i = 0; i < self->policies.count; i++)
        self->policy_names[i] = tail_store_name(store, self->policies.items[i].name);
    for (size_t i = 0; i < self->settings.policies.count; i++) {
        const struct tail_policy_settings *parts = items[i].composite_policies.items;
        for (size_t k = 0; k < items[i].composite_policies.count; k++)
            tail_store_name(store, parts[k].name != NULL ? parts[k].name : "");
    }
}

static struct tail_store *create_store(const struct tail_settings *settings)
{
    struct tail_store *store = tail_store_create(count_shards(settings));
    int64_t expected = settings->expected_new_traces_per_sec * (settings->decision_wait_ns / NANOS_PER_SECOND + 1);

    if (expected > settings->num_traces)
        expected = settings->num_traces;
    for (size_t i = 0; expected > 0 && i < store->shard_count; i++)
        tail_traces_reserve(&store->shards[i].traces, (uint32_t)(expected / (int64_t)store->shard_count));
    tail_store_set_caches(store, settings->sampled_cache_size, settings->non_sampled_cache_size);
    return store;
}

static bool tail_validate(struct component *component, struct error *err)
{
    struct tail_sampling *self = (struct tail_sampling *)component;
    struct tail_policies policies;
    bool ok = tail_policies_init(&policies, &self->settings, err);

    tail_policies_fini(&policies);
    return ok;
}

static bool start_lanes(struct tail_sampling *self, struct error *err)
{
    self->lane_count = loop_data_count();
    self->lanes = tail_policy_alloc(self->lane_count * sizeof(*self->lanes));
    for (size_t i = 0; i < self->lane_count; i++) {
        self->lanes[i] = (struct tail_lane){ self, NULL, i };
        self->lanes[i].timer = loop_timer_start(loop_data(i), period_ns, period_ns, tick, &self->lanes[i]);
        if (self->lanes[i].timer == NULL)
            return fail(err, "could not start the timer of decisions");
    }
    return true;
}

static bool tail_start(struct component *component, struct error *err)
{
    struct tail_sampling *self = (struct tail_sampling *)component;

    pthread_mutex_init(&self->lock, NULL);
    self->sender = tail_sender_create(component);
    if (!tail_policies_init(&self->policies, &self->settings, err))
        return false;
    self->policy_names = tail_policy_alloc((self->policies.count + 1) * sizeof(*self->policy_names));
    atomic_store(&self->store, create_store(&self->settings));
    name_policies(self, atomic_load(&self->store));
    tail_accounts_create(self);
    return start_lanes(self, err);
}

/* Another processor of that name, with other settings, has run until now: its traces are ours. Nothing comes in meanwhile. */
static void tail_inherit(struct component *component, struct component *predecessor)
{
    struct tail_sampling *self = (struct tail_sampling *)component, *before = (struct tail_sampling *)predecessor;
    struct tail_store *store = atomic_load(&before->store), *fresh = atomic_load(&self->store);

    name_policies(self, store);
    tail_store_set_caches(store, self->settings.sampled_cache_size, self->settings.non_sampled_cache_size);
    set_store(before, fresh);
    set_store(self, store);
}

static void tail_drain(struct component *component)
{
    struct tail_sampling *self = (struct tail_sampling *)component;
    int64_t deadline_ns = clock_monotonic_nanos() + drain_grace_ns;

    work_on(self, 0, 1, TAIL_WORK_ALL);
    while (tail_sender_bytes(self->sender) > 0 && clock_monotonic_nanos() < deadline_ns) {
        if (tail_sender_work(self->sender, false))
            nanosleep(&(struct timespec){ .tv_nsec = 10 * NANOS_PER_MILLI }, NULL);
    }
}

static void stop_lanes(struct tail_sampling *self)
{
    for (size_t i = 0; i < self->lane_count; i++)
        loop_timer_stop(self->lanes[i].timer);
    free(self->lanes);
    self->lanes = NULL;
    self->lane_count = 0;
}

static void tail_stop(struct component *component)
{
    struct tail_sampling *self = (struct tail_sampling *)component;
    size_t lost;

    if (self->sender == NULL)
        return;
    stop_lanes(self);
    if (atomic_load(&self->store) != NULL && self->base.next[SIGNAL_TRACES] != NULL)
        work_on(self, 0, 1, TAIL_WORK_ALL);
    lost = tail_sender_detach(self->sender);
    self->sender = NULL;
    if (lost > 0)
        log_warn(self->base.path, "stopping with %zu sampled spans that the next stage did not take", lost);
    tail_accounts_destroy(&self->accounts);
    tail_store_destroy(atomic_load(&self->store));
    atomic_store(&self->store, NULL);
    while (self->idle != NULL) {
        struct tail_hand *hand = self->idle;
        self->idle = hand->next;
        tail_hand_destroy(hand);
    }
    tail_policies_fini(&self->policies);
    free(self->policy_names);
    pthread_mutex_destroy(&self->lock);
}

static void tail_consume(struct component *component, struct batch *batch)
{
    tail_hold((struct tail_sampling *)component, batch);
}

static const struct option options[] = {
    { "", OPTION_INCLUDE, offsetof(struct tail_sampling, settings), NULL, NULL, NULL, tail_options },
    { 0 },
};

const struct component_type tail_sampling_processor = {
    .name = "tail_sampling",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_TRACES,
    .stability = STABILITY_ALPHA,
    .summary = "Holds the spans of a trace, and keeps or drops the trace as a whole.",
    .options = options,
    .instance_size = sizeof(struct tail_sampling),
    .validate = tail_validate,
    .start = tail_start,
    .stop = tail_stop,
    .consume = tail_consume,
    .drain = tail_drain,
    .inherit = tail_inherit,
};
