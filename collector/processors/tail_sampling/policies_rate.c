/*
 * Policies that count over time: token buckets of spans or bytes, and composite, which gives each of its parts a rate of its own.
 *
 * Threads: one lock a policy, held for the counting only.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/processors/tail_sampling/policy.h"

void tail_bucket_init(struct tail_bucket *bucket, int64_t per_second, int64_t capacity, int64_t now_ns)
{
    *bucket = (struct tail_bucket){ (double)per_second, (double)capacity, (double)capacity, now_ns };
}

bool tail_bucket_take(struct tail_bucket *bucket, int64_t now_ns, uint64_t count)
{
    double came = (double)(now_ns - bucket->since_ns) / (double)NANOS_PER_SECOND * bucket->per_second;
    double tokens = came > 0 ? bucket->tokens + came : bucket->tokens;

    if (tokens > bucket->capacity)
        tokens = bucket->capacity;
    if ((double)count > tokens)
        return false;
    bucket->tokens = tokens - (double)count;
    bucket->since_ns = now_ns;
    return true;
}

/* ---- token buckets ---- */

struct bucket_policy {
    struct tail_policy base;
    bool of_bytes;
    pthread_mutex_t lock;
    struct tail_bucket bucket;
};

static enum tail_decision evaluate_bucket(struct tail_policy *policy, struct tail_trace *trace)
{
    struct bucket_policy *self = (struct bucket_policy *)policy;
    bool taken;

    pthread_mutex_lock(&self->lock);
    taken = tail_bucket_take(&self->bucket, clock_monotonic_nanos(), self->of_bytes ? trace->bytes : trace->spans);
    pthread_mutex_unlock(&self->lock);
    return taken ? TAIL_SAMPLED : TAIL_NOT_SAMPLED;
}

static void destroy_bucket(struct tail_policy *policy)
{
    pthread_mutex_destroy(&((struct bucket_policy *)policy)->lock);
    free(policy);
}

static struct tail_policy *create_bucket(int64_t per_second, int64_t capacity, bool of_bytes)
{
    struct bucket_policy *self = tail_policy_alloc(sizeof(*self));

    self->base = (struct tail_policy){ evaluate_bucket, destroy_bucket, true };
    self->of_bytes = of_bytes;
    pthread_mutex_init(&self->lock, NULL);
    if (capacity <= 0)
        capacity = per_second < INT64_MAX / 2 ? per_second * 2 : per_second;
    tail_bucket_init(&self->bucket, per_second, capacity, clock_monotonic_nanos());
    return &self->base;
}

struct tail_policy *tail_rate_create(const struct tail_leaf_settings *settings, struct error *err)
{
    (void)err;
    return create_bucket(settings->spans.per_second, settings->spans.burst_capacity, false);
}

struct tail_policy *tail_bytes_create(const struct tail_leaf_settings *settings, struct error *err)
{
    (void)err;
    return create_bucket(settings->bytes.per_second, settings->bytes.burst_capacity, true);
}

/* ---- composite ---- */

struct composite_part {
    const char *name;
    struct tail_policy *policy; /* owned */
    int64_t allowed, sampled;   /* spans in a second, in this one */
};

struct composite_policy {
    struct tail_policy base;
    int64_t allowed;
    pthread_mutex_t lock;
    int64_t second;
    size_t count;
    struct composite_part parts[];
};

static bool has_room(struct composite_policy *self, struct composite_part *part, uint64_t spans)
{
    int64_t second = (int64_t)(clock_wall_nanos() / (uint64_t)NANOS_PER_SECOND), sampled;
    bool room;

    pthread_mutex_lock(&self->lock);
    if (second != self->second) {
        self->second = second;
        for (size_t i = 0; i < self->count; i++)
            self->parts[i].sampled = 0;
    }
    sampled = part->sampled + (int64_t)spans;
    room = sampled <= part->allowed && sampled <= self->allowed;
    if (room)
        part->sampled = sampled;
    pthread_mutex_unlock(&self->lock);
    return room;
}

static enum tail_decision evaluate_composite(struct tail_policy *policy, struct tail_trace *trace)
{
    struct composite_policy *self = (struct composite_policy *)policy;

    for (size_t i = 0; i < self->count; i++) {
        struct composite_part *part = &self->parts[i];
        enum tail_decision said = part->policy->evaluate(part->policy, trace);

        if (said == TAIL_FAILED)
            return said;
        if (said != TAIL_SAMPLED)
            continue;
        if (!has_room(self, part, trace->spans))
            return TAIL_NOT_SAMPLED;
        trace->composite = part->name;
        return TAIL_SAMPLED;
    }
    return TAIL_NOT_SAMPLED;
}

static void destroy_composite(struct tail_policy *policy)
{
    struct composite_policy *self = (struct composite_policy *)policy;

    for (size_t i = 0; i < self->count; i++)
        tail_policy_destroy(self->parts[i].policy);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* A part that no allocation names has no rate at all, as in the OpenTelemetry Collector. */
static int64_t allowed_of(const struct tail_policy_settings *settings, const char *name)
{
    const struct tail_rate_allocation *allocations = settings->rate_allocation.items;
    double total = (double)settings->max_total_spans_per_second, allowed = 0;

    for (size_t i = 0; i < settings->rate_allocation.count; i++) {
        const struct tail_rate_allocation *one = &allocations[i];
        if (one->policy != NULL && strcmp(one->policy, name) == 0)
            allowed = one->percent > 0 ? (double)one->percent / 100 * total : total / (double)settings->composite_policies.count;
    }
    return (int64_t)allowed;
}

struct tail_policy *tail_composite_create(const struct tail_policy_settings *settings, struct error *err)
{
    const struct tail_policy_settings *items = settings->composite_policies.items;
    size_t count = settings->composite_policies.count;
    struct composite_policy *self = tail_policy_alloc(sizeof(*self) + count * sizeof(struct composite_part));

    self->base = (struct tail_policy){ evaluate_composite, destroy_composite, false };
    self->allowed = settings->max_total_spans_per_second;
    pthread_mutex_init(&self->lock, NULL);
    for (size_t i = 0; i < count; i++) {
        const char *name = items[i].name != NULL ? items[i].name : "";
        struct tail_policy *policy = tail_policy_create(&items[i], err);
        if (policy == NULL) {
            fail_within(err, "composite_sub_policy \"%s\"", name);
            destroy_composite(&self->base);
            return NULL;
        }
        self->parts[self->count++] = (struct composite_part){ name, policy, allowed_of(settings, name), 0 };
        self->base.stateful |= policy->stateful;
    }
    return &self->base;
}
