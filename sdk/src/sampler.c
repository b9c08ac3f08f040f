/* Sampling decisions: a few comparisons; a slot for a new tracestate where one changes. Threads: any; signal-safe within thread_enter. */
#include "sdk/src/sampler.h"

#include <stdio.h>

#include "sdk/src/extra.h"
#include "sdk/src/origin.h"
#include "sdk/src/tracestate.h"

#define NEVER (UINT64_C(1) << SAMPLER_RANDOM_BITS)

void sampler_set_ratio(struct sampler *sampler, double probability)
{
    sampler->threshold = NEVER - (uint64_t)(probability * (double)NEVER + 0.5);
    if (sampler->threshold >= NEVER)
        return;
    snprintf(sampler->th, sizeof(sampler->th), "%014llx", (unsigned long long)sampler->threshold);
    /* Trailing zeros say nothing; one digit stays. */
    size_t n = strlen(sampler->th);
    while (n > 1 && sampler->th[n - 1] == '0')
        n--;
    sampler->th[n] = '\0';
    struct extra *extra = extra_create(6 + n, 0);
    if (extra != NULL)
        extra_make_immortal(extra, tracestate_set_threshold(extra->text, weir_sn(NULL, 0), sampler->th));
    extra_bind(&sampler->root_state, extra);
}

static uint64_t randomness(const weir_ctx *ctx, weir_str tracestate)
{
    uint64_t value;

    if (tracestate.n != 0 && tracestate_random(tracestate, &value))
        return value;
    memcpy(&value, ctx->trace_id + 8, 8);
    return __builtin_bswap64(value) & (NEVER - 1);
}

/* An extra with room for a tracestate, to be finished by adopt. */
static struct extra *prepare(const weir_ctx *ctx, size_t room)
{
    return extra_create(room, extra_baggage(extra_of(ctx)).n);
}

/* Gives *ctx the extra, whose text holds `size` bytes of tracestate, with the baggage of the old one behind. */
static void adopt(weir_ctx *ctx, struct extra *extra, size_t size)
{
    weir_str baggage = extra_baggage(extra_of(ctx));

    extra->tracestate_size = (uint32_t)size;
    if (baggage.n != 0)
        memcpy(extra->text + size, baggage.p, baggage.n);
    extra_bind(ctx, extra);
}

/* Sets or removes th in the tracestate. Roots that are sampled share one object. Without memory the old tracestate stays. */
static bool set_threshold(const struct sampler *sampler, weir_ctx *ctx, bool sampled)
{
    const struct extra *old = extra_of(ctx);
    weir_str tracestate = extra_tracestate(old);

    if (!sampled && tracestate.n == 0)
        return false;
    if (tracestate.n == 0 && extra_baggage(old).n == 0) {
        ctx->extra_ = sampler->root_state.extra_;
        ctx->generation_ = sampler->root_state.generation_;
        return extra_ref(ctx);
    }
    size_t room = tracestate.n + TRACESTATE_MEMBER_MAX;
    struct extra *extra = prepare(ctx, room < EXTRA_TRACESTATE_MAX ? room : EXTRA_TRACESTATE_MAX);
    if (extra == NULL)
        return false;
    adopt(ctx, extra, tracestate_set_threshold(extra->text, tracestate, sampled ? sampler->th : NULL));
    return true;
}

static struct sampling by_ratio(const struct sampler *sampler, weir_ctx *ctx, bool *owned)
{
    uint64_t random = randomness(ctx, extra_tracestate(extra_of(ctx)));
    struct sampling sampling = { random >= sampler->threshold, { NULL, 0 } };

    *owned = set_threshold(sampler, ctx, sampling.sampled);
    return sampling;
}

static struct sampling by_function(const struct sampler *sampler, const struct sampling_request *request, weir_ctx *ctx, bool *owned)
{
    const weir_span_opts *opts = request->opts;
    weir_sample_args args = { (uint32_t)sizeof(args), opts->kind, request->parent, ctx->trace_id, request->name, opts->attrs, opts->links,
        opts->link_count };
    weir_sample_result result;
    unsigned members = 0;
    size_t size;

    memset(&result, 0, sizeof(result));
    result.size = (uint32_t)sizeof(result);
    sampler->function(&args, &result, sampler->user);
    if (result.replace_tracestate && tracestate_check(result.tracestate, &members, &size)) {
        struct extra *extra = prepare(ctx, size);
        *owned = extra != NULL;
        if (extra != NULL) {
            tracestate_copy(extra->text, result.tracestate, false);
            adopt(ctx, extra, size);
        }
    }
    return (struct sampling){ result.sample, result.attrs };
}

struct sampling sampler_decide(const struct sampler *sampler, const struct sampling_request *request, weir_ctx *ctx, bool *owned)
{
    struct sampling sampling = { true, { NULL, 0 } };

    *owned = false;
    if (request->parent == NULL && (request->hint & (ORIGIN_ACCEPT | ORIGIN_DENY)) != 0) {
        sampling.sampled = (request->hint & ORIGIN_ACCEPT) != 0;
        return sampling;
    }
    if (sampler->parent_based && request->parent != NULL && (request->parent->origin_ & ORIGIN_DEFERRED) == 0) {
        sampling.sampled = weir_ctx_sampled(request->parent);
        return sampling;
    }
    switch (sampler->kind) {
    case SAMPLER_ALWAYS_ON:
        return sampling;
    case SAMPLER_ALWAYS_OFF:
        sampling.sampled = false;
        return sampling;
    case SAMPLER_RATIO:
        return by_ratio(sampler, ctx, owned);
    case SAMPLER_FUNCTION:
        return by_function(sampler, request, ctx, owned);
    }
    return sampling;
}
