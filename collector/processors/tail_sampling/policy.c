/*
 * Making policies of settings, policies made of policies, and deciding.
 *
 * Cost: each policy goes over the spans as far as it has to; the first that asks opens the views. Threads: see policy.h.
 */
#include "collector/processors/tail_sampling/policy.h"

#include <stdlib.h>
#include <string.h>

#include "collector/base/log.h"
#include "collector/ottl/ottl.h"
#include "collector/ottl/regex.h"

void *tail_policy_alloc(size_t size)
{
    void *policy = calloc(1, size);

    if (policy == NULL)
        abort();
    return policy;
}

void tail_policy_destroy(struct tail_policy *policy)
{
    if (policy == NULL)
        return;
    if (policy->destroy != NULL)
        policy->destroy(policy);
    else
        free(policy);
}

/* ---- policies of policies ---- */

struct joined_policy {
    struct tail_policy base;
    enum tail_decision when_all; /* say that the trace is sampled */
    size_t count;
    struct tail_policy *parts[];
};

static enum tail_decision evaluate_joined(struct tail_policy *policy, struct tail_trace *trace)
{
    struct joined_policy *self = (struct joined_policy *)policy;

    for (size_t i = 0; i < self->count; i++) {
        enum tail_decision said = self->parts[i]->evaluate(self->parts[i], trace);
        if (said != TAIL_SAMPLED)
            return said;
    }
    return self->when_all;
}

static enum tail_decision evaluate_not(struct tail_policy *policy, struct tail_trace *trace)
{
    struct joined_policy *self = (struct joined_policy *)policy;
    enum tail_decision said = self->parts[0]->evaluate(self->parts[0], trace);

    if (said == TAIL_FAILED)
        return said;
    return said == TAIL_SAMPLED ? TAIL_NOT_SAMPLED : TAIL_SAMPLED;
}

static void destroy_joined(struct tail_policy *policy)
{
    struct joined_policy *self = (struct joined_policy *)policy;

    for (size_t i = 0; i < self->count; i++)
        tail_policy_destroy(self->parts[i]);
    free(self);
}

static struct joined_policy *make_joined(size_t room, enum tail_decision when_all)
{
    struct joined_policy *self = tail_policy_alloc(sizeof(*self) + room * sizeof(struct tail_policy *));

    self->base = (struct tail_policy){ evaluate_joined, destroy_joined, false };
    self->when_all = when_all;
    return self;
}

static struct tail_policy *create_joined(const struct option_list *list, enum tail_decision when_all, struct error *err)
{
    const struct tail_policy_settings *items = list->items;
    struct joined_policy *self = make_joined(list->count, when_all);

    for (size_t i = 0; i < list->count; i++) {
        struct tail_policy *part = tail_policy_create(&items[i], err);
        if (part == NULL) {
            fail_within(err, "%s %zu", items[i].name != NULL ? items[i].name : "policy", i + 1);
            destroy_joined(&self->base);
            return NULL;
        }
        self->parts[self->count++] = part;
        self->base.stateful |= part->stateful;
    }
    return &self->base;
}

/* ---- by type ---- */

static const struct {
    const char *type;
    struct tail_policy *(*create)(const struct tail_leaf_settings *settings, struct error *err);
} leaves[] = {
    { "always_sample", tail_always_create },
    { "latency", tail_latency_create },
    { "numeric_attribute", tail_numeric_create },
    { "probabilistic", tail_probabilistic_create },
    { "status_code", tail_status_code_create },
    { "string_attribute", tail_string_create },
    { "rate_limiting", tail_rate_create },
    { "bytes_limiting", tail_bytes_create },
    { "span_count", tail_span_count_create },
    { "trace_state", tail_trace_state_create },
    { "trace_flags", tail_trace_flags_create },
    { "boolean_attribute", tail_boolean_create },
    { "ottl_condition", tail_ottl_create },
};

static struct tail_policy *create_leaf(const char *type, const struct tail_leaf_settings *settings, struct error *err)
{
    for (size_t i = 0; type != NULL && i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        if (strcmp(type, leaves[i].type) != 0)
            continue;
        struct tail_policy *policy = leaves[i].create(settings, err);
        if (policy == NULL)
            fail_within(err, "%s", type);
        return policy;
    }
    fail(err, "type: a policy needs a type, such as always_sample");
    return NULL;
}

static struct tail_policy *create_not(const struct tail_named_leaf *negated, struct error *err)
{
    struct tail_policy *inner = create_leaf(negated->type, &negated->leaf, err);
    struct joined_policy *self;

    if (inner == NULL) {
        fail_within(err, "not.not_sub_policy");
        return NULL;
    }
    self = make_joined(1, TAIL_SAMPLED);
    self->base.evaluate = evaluate_not;
    self->base.stateful = inner->stateful;
    self->parts[self->count++] = inner;
    return &self->base;
}

struct tail_policy *tail_policy_create(const struct tail_policy_settings *settings, struct error *err)
{
    const char *type = settings->type != NULL ? settings->type : "";

    if (strcmp(type, "and") == 0)
        return create_joined(&settings->and_policies, TAIL_SAMPLED, err);
    if (strcmp(type, "drop") == 0)
        return create_joined(&settings->drop_policies, TAIL_DROPPED, err);
    if (strcmp(type, "not") == 0)
        return create_not(&settings->negated, err);
    if (strcmp(type, "composite") == 0)
        return tail_composite_create(settings, err);
    return create_leaf(settings->type, &settings->leaf, err);
}

/* ---- all of them ---- */

static bool name_is_new(const struct tail_policies *policies, const char *name)
{
    for (size_t i = 0; i < policies->count; i++) {
        const char *other = policies->items[i].name;
        if (other != NULL && strcmp(other, name) == 0)
            return false;
    }
    return true;
}

static bool is_of_type(const struct tail_policy_settings *settings, const char *type)
{
    return settings->type != NULL && strcmp(settings->type, type) == 0;
}

static bool add_policy(
    struct tail_policies *policies, const struct tail_policy_settings *settings, const struct tail_settings *all, struct error *err)
{
    struct tail_named_policy *item = &policies->items[policies->count];

    if (settings->name == NULL || settings->name[0] == '\0')
        return fail(err, "name: a policy's name must not be empty");
    if (!name_is_new(policies, settings->name))
        return fail(err, "name: two policies are named \"%s\"", settings->name);
    item->policy = tail_policy_create(settings, err);
    if (item->policy == NULL)
        return fail_within(err, "policy \"%s\"", settings->name);
    item->name = settings->name;
    item->drops = is_of_type(settings, "drop");
    policies->count++;
    if (all->strategy == TAIL_SPAN_INGEST && item->policy->stateful)
        return fail(err,
            "policy \"%s\": with sampling_strategy span-ingest no policy may depend on what came before or comes later; use trace-complete",
            settings->name);
    return true;
}

bool tail_policies_init(struct tail_policies *policies, const struct tail_settings *settings, struct error *err)
{
    const struct tail_policy_settings *items = settings->policies.items;

    *policies = (struct tail_policies){ .first_match = settings->sample_on_first_match };
    if (settings->policies.count > TAIL_POLICIES_MAX)
        return fail(err, "policies: more than %d policies", TAIL_POLICIES_MAX);
    policies->items = tail_policy_alloc((settings->policies.count + 1) * sizeof(*policies->items));
    for (int drops = 1; drops >= 0; drops--) {
        for (size_t i = 0; i < settings->policies.count; i++) {
            if (is_of_type(&items[i], "drop") == (drops == 1) && !add_policy(policies, &items[i], settings, err))
                return fail_within(err, "policies");
        }
    }
    return true;
}

void tail_policies_fini(struct tail_policies *policies)
{
    for (size_t i = 0; i < policies->count; i++)
        tail_policy_destroy(policies->items[i].policy);
    free(policies->items);
    *policies = (struct tail_policies){ .items = NULL };
}

/* ---- deciding ---- */

struct tail_verdict *tail_verdict_create(void)
{
    return calloc(1, sizeof(struct tail_verdict) + TAIL_POLICIES_MAX * sizeof(enum tail_decision));
}

static enum tail_decision ask(const struct tail_policies *policies, size_t i, struct tail_trace *trace, struct tail_verdict *verdict)
{
    struct tail_policy *policy = policies->items[i].policy;

    verdict->said[i] = policy->evaluate(policy, trace);
    verdict->asked = i + 1;
    return verdict->said[i];
}

void tail_policies_decide(const struct tail_policies *policies, struct tail_trace *trace, struct tail_verdict *verdict)
{
    verdict->decision = TAIL_NOT_SAMPLED;
    verdict->policy = TAIL_NOBODY;
    verdict->pending = false;
    verdict->asked = 0;
    for (size_t i = 0; i < policies->count; i++) {
        enum tail_decision said = ask(policies, i, trace, verdict);

        if (said == TAIL_DROPPED || (said == TAIL_SAMPLED && verdict->decision == TAIL_NOT_SAMPLED)) {
            verdict->decision = said;
            verdict->policy = (uint16_t)i;
        }
        if (said == TAIL_DROPPED || (said == TAIL_SAMPLED && policies->first_match))
            return;
    }
}

void tail_policies_decide_part(const struct tail_policies *policies, struct tail_trace *trace, struct tail_verdict *verdict)
{
    bool may_drop = false; /* a policy that drops has not matched, and might on what is still to come */

    verdict->decision = TAIL_NOT_SAMPLED;
    verdict->policy = TAIL_NOBODY;
    verdict->pending = true;
    verdict->asked = 0;
    for (size_t i = 0; i < policies->count && (policies->items[i].drops || !may_drop); i++) {
        enum tail_decision said = ask(policies, i, trace, verdict);

        may_drop |= policies->items[i].drops && said != TAIL_FAILED;
        if (said != TAIL_DROPPED && said != TAIL_SAMPLED)
            continue;
        verdict->decision = said;
        verdict->policy = (uint16_t)i;
        verdict->pending = false;
        return;
    }
}

/* ---- workers ---- */

static void told(void *context, const char *statement, const char *message)
{
    log_warn(context, "failed to evaluate condition \"%s\": %s", statement, message);
}

bool tail_worker_init(struct tail_worker *worker, const char *owner_path)
{
    worker->machine = ottl_machine_create(told, (void *)(uintptr_t)owner_path);
    worker->matcher = ottl_matcher_create();
    worker->verdict = tail_verdict_create();
    return worker->machine != NULL && worker->matcher != NULL && worker->verdict != NULL;
}

void tail_worker_fini(struct tail_worker *worker)
{
    ottl_machine_destroy(worker->machine);
    ottl_matcher_destroy(worker->matcher);
    free(worker->verdict);
    worker->machine = NULL;
    worker->matcher = NULL;
    worker->verdict = NULL;
}
