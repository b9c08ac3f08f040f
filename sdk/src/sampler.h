/*
 * Samplers. Ratios are consistent: a trace's 56 bits of randomness (from `rv` in tracestate, else the trace id) are compared
 * with a rejection threshold, which is passed on as `th`, so that every service of a trace decides alike and back ends can count.
 * OpenTelemetry specification: trace SDK, Sampling; tracestate: probability sampling.
 */
#ifndef WEIR_SDK_SAMPLER_H
#define WEIR_SDK_SAMPLER_H

#include "sdk/include/weir/setup.h"

enum sampler_kind { SAMPLER_ALWAYS_ON, SAMPLER_ALWAYS_OFF, SAMPLER_RATIO, SAMPLER_FUNCTION };

#define SAMPLER_RANDOM_BITS 56

struct sampler {
    enum sampler_kind kind; /* for roots, and for all where not parent_based */
    bool parent_based;
    uint64_t threshold;  /* sampled when randomness >= threshold; 2^56: never */
    char th[16];         /* threshold as it is spelled in tracestate */
    weir_ctx root_state; /* holds the tracestate "ot=th:..." that all sampled roots share */
    weir_sample_fn function;
    void *user;
};

/* Sets threshold, th and root_state from a probability in 0..1. */
void sampler_set_ratio(struct sampler *sampler, double probability);

struct sampling {
    bool sampled;
    weir_attrs attrs; /* to add; borrowed from the sampler function */
};

struct sampling_request {
    const weir_ctx *parent; /* valid, or NULL */
    weir_str name;
    const weir_span_opts *opts; /* never NULL */
    uint8_t hint;               /* origin bits of a parent without ids: a decision without a trace */
};

/*
 * Decides for a span whose trace id, flags and parent's extra (not counted yet) are in *ctx. May replace the extra by
 * one with a reference taken, then *owned is true.
 */
struct sampling sampler_decide(const struct sampler *sampler, const struct sampling_request *request, weir_ctx *ctx, bool *owned);

#endif
