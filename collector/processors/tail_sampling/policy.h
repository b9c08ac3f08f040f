/*
 * Sampling policies: made of their settings at start, asked about traces afterwards, and what all of them together decide.
 *
 * Threads: any number of traces may be evaluated at once, each with its own worker; policies that count over time lock.
 */
#ifndef WEIR_TAIL_SAMPLING_POLICY_H
#define WEIR_TAIL_SAMPLING_POLICY_H

#include <pthread.h>

#include "collector/base/error.h"
#include "collector/processors/tail_sampling/settings.h"
#include "collector/processors/tail_sampling/trace.h"

struct ottl_machine;
struct ottl_matcher;

enum tail_decision { TAIL_NOT_SAMPLED, TAIL_SAMPLED, TAIL_DROPPED, TAIL_FAILED };

struct tail_policy {
    enum tail_decision (*evaluate)(struct tail_policy *self, struct tail_trace *trace);
    void (*destroy)(struct tail_policy *self); /* NULL: free() does */
    bool stateful;                             /* what it says of a part of a trace may be another thing once more of it is known */
};

/* NULL with the error. Settings are borrowed as long as the policy lives. */
struct tail_policy *tail_policy_create(const struct tail_policy_settings *settings, struct error *err);
/* NULL is fine. */
void tail_policy_destroy(struct tail_policy *policy);

/* ---- all policies of a processor, those that drop first ---- */

struct tail_policies {
    struct tail_named_policy {
        const char *name; /* borrowed from the settings */
        struct tail_policy *policy;
        bool drops;
    } * items; /* owned */
    size_t count;
    bool first_match;
};

bool tail_policies_init(struct tail_policies *policies, const struct tail_settings *settings, struct error *err);
void tail_policies_fini(struct tail_policies *policies);

enum { TAIL_POLICIES_MAX = 1000, TAIL_NOBODY = 0xffff };

struct tail_verdict {
    enum tail_decision decision; /* never FAILED */
    uint16_t policy;             /* which one sampled or dropped it; TAIL_NOBODY: none did */
    bool pending;                /* of a part: nothing is decided yet */
    size_t asked;                /* policies that were asked, from the first */
    enum tail_decision said[];   /* by policy, of those that were asked; TAIL_FAILED: none, it failed */
};

/* With room for all policies. NULL: memory is out. */
struct tail_verdict *tail_verdict_create(void);

/* Any drop wins, then any sample; of several the first counts. */
void tail_policies_decide(const struct tail_policies *policies, struct tail_trace *trace, struct tail_verdict *verdict);
/* Of a part of a trace, as it comes in: sampled or dropped for good, or pending. */
void tail_policies_decide_part(const struct tail_policies *policies, struct tail_trace *trace, struct tail_verdict *verdict);

/* ---- what one thread needs to evaluate ---- */

struct tail_worker {
    struct ottl_machine *machine;
    struct ottl_matcher *matcher;
    struct tail_verdict *verdict;
    struct tail_span window[TAIL_WINDOW];
};

/* owner: whose path log lines carry. False: memory is out; fini is fine then. */
bool tail_worker_init(struct tail_worker *worker, const char *owner_path);
void tail_worker_fini(struct tail_worker *worker);

/* ---- the single kinds ---- */

struct tail_policy *tail_always_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_latency_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_probabilistic_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_status_code_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_span_count_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_trace_flags_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_trace_state_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_ottl_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_numeric_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_string_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_boolean_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_rate_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_bytes_create(const struct tail_leaf_settings *settings, struct error *err);
struct tail_policy *tail_composite_create(const struct tail_policy_settings *settings, struct error *err);

/* Zeroed memory for a policy; aborts when there is none. */
void *tail_policy_alloc(size_t size);

/* ---- their cores ---- */

/* The largest hash that is sampled, and the hash of a trace: FNV-1a of salt and id. */
uint64_t tail_threshold(double ratio);
uint64_t tail_hash(const char *salt, const uint8_t id[16]);

/* Is it a W3C trace state, as the OpenTelemetry SDK for Go reads one? Then *value is that of the key, empty without one. */
bool tail_trace_state_get(struct slice state, struct slice key, struct slice *value);

struct tail_bucket {
    double per_second, capacity, tokens;
    int64_t since_ns;
};
/* Full at the start. Takes `count` tokens when there are as many. */
void tail_bucket_init(struct tail_bucket *bucket, int64_t per_second, int64_t capacity, int64_t now_ns);
bool tail_bucket_take(struct tail_bucket *bucket, int64_t now_ns, uint64_t count);

#endif
