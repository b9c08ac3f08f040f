/* The counters of tail_sampling, by the names that the OpenTelemetry Collector gives them; what is weir's own begins with "weir_". */
#include <stdio.h>
#include <stdlib.h>

#include "collector/processors/tail_sampling/processor.h"

#define OURS "weir_tail_sampling_"
#define THEIRS "otelcol_processor_tail_sampling_"

static const struct metric_spec traces_spec = { THEIRS "count_traces_sampled",
    "Count of traces that were sampled or not per sampling policy", METRIC_COUNTER };
static const struct metric_spec spans_spec = { THEIRS "count_spans_sampled", "Count of spans that were sampled or not per sampling policy",
    METRIC_COUNTER };
static const struct metric_spec asked_spec = { THEIRS "sampling_policy_execution_count",
    "Total number of executions of a specific sampling policy", METRIC_COUNTER };
static const struct metric_spec decided_spec = { THEIRS "global_count_traces_sampled",
    "Global count of traces that were sampled or not by at least one policy", METRIC_COUNTER };
static const struct metric_spec cached_spec = { THEIRS "early_releases_from_cache_decision",
    "Number of spans that were able to be immediately released due to a decision cache hit", METRIC_COUNTER };
static const struct metric_spec new_spec = { THEIRS "new_trace_id_received", "Counts the arrival of new traces", METRIC_COUNTER };
static const struct metric_spec errors_spec = { THEIRS "sampling_policy_evaluation_error", "Count of sampling policy evaluation errors",
    METRIC_COUNTER };
static const struct metric_spec large_spec = { THEIRS "traces_dropped_too_large",
    "Count of traces that were dropped because they were too large", METRIC_COUNTER };
static const struct metric_spec memory_spec = { THEIRS "sampling_traces_on_memory", "Tracks the number of traces current on memory",
    METRIC_GAUGE };
static const struct metric_spec late_spec = { OURS "late_spans", "Spans that came after the decision on their trace", METRIC_COUNTER };
static const struct metric_spec without_spec = { OURS "spans_without_trace_id", "Spans without a trace id, each decided on alone",
    METRIC_COUNTER };
static const struct metric_spec early_spec = { OURS "decided_early", "Traces that were decided before their time, by reason",
    METRIC_COUNTER };
static const struct metric_spec open_spec = { OURS "held_traces", "Traces that wait for their decision", METRIC_GAUGE };
static const struct metric_spec held_spec = { OURS "held_spans", "Spans that are held", METRIC_GAUGE };
static const struct metric_spec bytes_spec = { OURS "held_bytes", "Memory that held spans and tables of traces take", METRIC_GAUGE };

static struct metric *make(const struct tail_sampling *self, const struct metric_spec *spec, const struct metric_label *more)
{
    struct metric_label labels[5] = { { "processor", self->base.id } };
    size_t count = 1;

    for (; more != NULL && more->name != NULL; more++)
        labels[count++] = *more;
    labels[count] = (struct metric_label){ NULL, NULL };
    return metric_create(spec, labels);
}

static const char *const decisions[] = { [TAIL_NOT_SAMPLED] = "not_sampled", [TAIL_SAMPLED] = "sampled", [TAIL_DROPPED] = "dropped" };

static struct metric *make_decision(
    const struct tail_sampling *self, const struct metric_spec *spec, enum tail_decision decision, const char *policy)
{
    const struct metric_label labels[] = { { "sampled", decision == TAIL_SAMPLED ? "true" : "false" }, { "decision", decisions[decision] },
        { policy != NULL ? "policy" : NULL, policy }, { NULL, NULL } };

    return make(self, spec, labels);
}

/* "policy", or "NAME.policy" for a processor "tail_sampling/NAME", as upstream. */
static const char *label_of(const struct tail_sampling *self, const char *policy, char *out, size_t size)
{
    const char *slash = strchr(self->base.id, '/');

    if (slash == NULL)
        return policy;
    snprintf(out, size, "%s.%s", slash + 1, policy);
    return out;
}

static void make_policies(struct tail_sampling *self)
{
    struct tail_accounts *accounts = &self->accounts;
    char text[512];

    accounts->policies = tail_policy_alloc((self->policies.count + 1) * sizeof(*accounts->policies));
    accounts->policy_count = self->policies.count;
    for (size_t i = 0; i < self->policies.count; i++) {
        const char *policy = label_of(self, self->policies.items[i].name, text, sizeof(text));
        const struct metric_label label[] = { { "policy", policy }, { NULL, NULL } };

        accounts->policies[i].asked = make(self, &asked_spec, label);
        for (int said = 0; said < 3; said++) {
            accounts->policies[i].traces[said] = make_decision(self, &traces_spec, (enum tail_decision)said, policy);
            accounts->policies[i].spans[said] = make_decision(self, &spans_spec, (enum tail_decision)said, policy);
        }
    }
}

/* ---- gauges ---- */

static double read_size(const atomic_size_t *value)
{
    return (double)atomic_load_explicit(value, memory_order_relaxed);
}

/* Called under the registry's lock: the store may change hands meanwhile, but not end, since its end comes after that of the gauges. */
static struct tail_store *store_of(void *context)
{
    return atomic_load(&((struct tail_sampling *)context)->store);
}

static double read_open(void *context)
{
    return read_size(&store_of(context)->open);
}

static double read_traces(void *context)
{
    return read_size(&store_of(context)->traces);
}

static double read_spans(void *context)
{
    return read_size(&store_of(context)->spans);
}

static double read_bytes(void *context)
{
    return read_size(&store_of(context)->bytes);
}

static struct metric *observe(struct tail_sampling *self, const struct metric_spec *spec, double (*read)(void *))
{
    const struct metric_label labels[] = { { "processor", self->base.id }, { NULL, NULL } };

    return metric_observe(spec, labels, read, self);
}

void tail_accounts_create(struct tail_sampling *self)
{
    static const char *const reasons[] = { "num_traces", "memory", "trace_size", "stop" };
    struct tail_accounts *accounts = &self->accounts;

    make_policies(self);
    for (int i = 0; i < 3; i++)
        accounts->decided[i] = make_decision(self, &decided_spec, (enum tail_decision)i, NULL);
    for (int i = 0; i < 2; i++) {
        const struct metric_label label[] = { { "sampled", i == 1 ? "true" : "false" }, { NULL, NULL } };
        accounts->cached[i] = make(self, &cached_spec, label);
        accounts->late[i] = make(self, &late_spec, label);
    }
    for (int i = 0; i < TAIL_EARLY_COUNT; i++) {
        const struct metric_label label[] = { { "reason", reasons[i] }, { NULL, NULL } };
        accounts->early[i] = make(self, &early_spec, label);
    }
    accounts->new_traces = make(self, &new_spec, NULL);
    accounts->errors = make(self, &errors_spec, NULL);
    accounts->too_large = make(self, &large_spec, NULL);
    accounts->without_id = make(self, &without_spec, NULL);
    accounts->open = observe(self, &open_spec, read_open);
    accounts->remembered = observe(self, &memory_spec, read_traces);
    accounts->spans = observe(self, &held_spec, read_spans);
    accounts->bytes = observe(self, &bytes_spec, read_bytes);
}

void tail_accounts_destroy(struct tail_accounts *accounts)
{
    struct metric *const singles[] = { accounts->decided[0], accounts->decided[1], accounts->decided[2], accounts->cached[0],
        accounts->cached[1], accounts->late[0], accounts->late[1], accounts->new_traces, accounts->errors, accounts->too_large,
        accounts->without_id, accounts->open, accounts->remembered, accounts->spans, accounts->bytes };

    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
        metric_destroy(singles[i]);
    for (size_t i = 0; i < TAIL_EARLY_COUNT; i++)
        metric_destroy(accounts->early[i]);
    for (size_t i = 0; i < accounts->policy_count; i++) {
        metric_destroy(accounts->policies[i].asked);
        for (int said = 0; said < 3; said++) {
            metric_destroy(accounts->policies[i].traces[said]);
            metric_destroy(accounts->policies[i].spans[said]);
        }
    }
    free(accounts->policies);
    *accounts = (struct tail_accounts){ .policies = NULL };
}

void tail_accounts_count_verdict(struct tail_sampling *self, const struct tail_verdict *verdict, uint64_t spans)
{
    for (size_t i = 0; i < verdict->asked; i++) {
        const struct tail_policy_account *account = &self->accounts.policies[i];

        metric_add(account->asked, 1);
        if (verdict->said[i] == TAIL_FAILED) {
            metric_add(self->accounts.errors, 1);
            continue;
        }
        metric_add(account->traces[verdict->said[i]], 1);
        metric_add(account->spans[verdict->said[i]], spans);
    }
}
