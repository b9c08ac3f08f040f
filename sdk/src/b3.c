/* B3, as Zipkin's b3-propagation and the OpenTelemetry propagators specification say. Threads: any; signal-safe. */
#include "sdk/src/origin.h"
#include "sdk/src/propagation.h"

/* 16 or 32 digits, the short form standing for the lower half. */
static bool read_trace_id(weir_str text, weir_ctx *ctx)
{
    if (text.n == 32)
        return text_unhex(ctx->trace_id, text.p, 16, true);
    return text.n == 16 && text_unhex(ctx->trace_id + 8, text.p, 8, true);
}

/* False when it is no sampling state. "true" and "false" are old spellings. */
static bool read_sampling(weir_str text, weir_ctx *ctx)
{
    if (text_equal(text, WEIR_S("1")) || text_equal_ignoring_case(text, WEIR_S("true"))) {
        ctx->flags |= WEIR_FLAG_SAMPLED;
        return true;
    }
    if (text_equal(text, WEIR_S("d"))) {
        ctx->flags |= WEIR_FLAG_SAMPLED;
        ctx->origin_ |= ORIGIN_DEBUG;
        return true;
    }
    return text_equal(text, WEIR_S("0")) || text_equal_ignoring_case(text, WEIR_S("false"));
}

/* A decision without a trace: the new trace will follow it. */
static bool decision_only(weir_str text, weir_ctx *ctx)
{
    if (!read_sampling(text, ctx))
        return false;
    ctx->origin_ |= (ctx->flags & WEIR_FLAG_SAMPLED) != 0 ? ORIGIN_ACCEPT : ORIGIN_DENY;
    ctx->flags = 0;
    return true;
}

/* "{trace id}-{span id}[-{sampling}[-{parent span id}]]" or "{sampling}" */
static bool parse_single(weir_str text, weir_ctx *ctx)
{
    weir_str rest;
    weir_str trace = text_cut(text, '-', &rest);

    if (rest.p == NULL)
        return decision_only(trace, ctx);
    weir_str span = text_cut(rest, '-', &rest);
    if (!read_trace_id(trace, ctx) || span.n != 16 || !text_unhex(ctx->span_id, span.p, 8, true) || !weir_ctx_valid(ctx))
        return false;
    ctx->origin_ = ORIGIN_REMOTE;
    if (rest.p == NULL) {
        ctx->origin_ |= ORIGIN_DEFERRED;
        return true;
    }
    weir_str parent;
    weir_str sampling = text_cut(rest, '-', &parent);
    uint8_t ignored[8];
    if (parent.p != NULL && (parent.n != 16 || !text_unhex(ignored, parent.p, 8, true)))
        return false;
    return read_sampling(sampling, ctx);
}

static bool parse_multi(const struct extraction *e, weir_ctx *ctx)
{
    weir_str trace = propagation_header(e, WEIR_S("x-b3-traceid"), 0);
    weir_str span = propagation_header(e, WEIR_S("x-b3-spanid"), 0);
    weir_str sampled = propagation_header(e, WEIR_S("x-b3-sampled"), 0);
    bool debug = text_equal(propagation_header(e, WEIR_S("x-b3-flags"), 0), WEIR_S("1"));

    if (debug)
        sampled = WEIR_S("d");
    if (trace.p == NULL && span.p == NULL)
        return sampled.p != NULL && decision_only(sampled, ctx);
    if (!read_trace_id(trace, ctx) || span.n != 16 || !text_unhex(ctx->span_id, span.p, 8, true) || !weir_ctx_valid(ctx))
        return false;
    ctx->origin_ = ORIGIN_REMOTE;
    if (sampled.p == NULL || !read_sampling(sampled, ctx))
        ctx->origin_ |= ORIGIN_DEFERRED;
    return true;
}

void b3_extract(struct extraction *e)
{
    weir_ctx ctx;
    weir_str single = propagation_header(e, WEIR_S("b3"), 0);

    memset(&ctx, 0, sizeof(ctx));
    if (single.p == NULL || !parse_single(single, &ctx)) {
        memset(&ctx, 0, sizeof(ctx));
        if (!parse_multi(e, &ctx))
            return;
    }
    e->ctx = ctx;
    e->found_ids = true;
    e->tracestate.count = 0;
    e->tracestate.size = 0;
}

static weir_str sampling_state(const weir_ctx *ctx)
{
    if ((ctx->origin_ & ORIGIN_DEBUG) != 0)
        return WEIR_S("d");
    return weir_ctx_sampled(ctx) ? WEIR_S("1") : WEIR_S("0");
}

static int inject_multi(const weir_ctx *ctx, const char *text, weir_set_fn set, void *carrier)
{
    bool debug = (ctx->origin_ & ORIGIN_DEBUG) != 0;
    bool deferred = (ctx->origin_ & ORIGIN_DEFERRED) != 0;
    int result = set(carrier, WEIR_S("x-b3-traceid"), weir_sn(text, 32));

    if (result == 0)
        result = set(carrier, WEIR_S("x-b3-spanid"), weir_sn(text + 33, 16));
    if (result == 0 && debug)
        result = set(carrier, WEIR_S("x-b3-flags"), WEIR_S("1"));
    else if (result == 0 && !deferred)
        result = set(carrier, WEIR_S("x-b3-sampled"), sampling_state(ctx));
    return result;
}

int b3_inject(const weir_ctx *ctx, bool multi, weir_set_fn set, void *carrier)
{
    char text[32 + 1 + 16 + 2];

    text_hex(text, ctx->trace_id, 16);
    text[32] = '-';
    text_hex(text + 33, ctx->span_id, 8);
    if (multi)
        return inject_multi(ctx, text, set, carrier);
    text[49] = '-';
    text[50] = sampling_state(ctx).p[0];
    bool deferred = (ctx->origin_ & ORIGIN_DEFERRED) != 0;
    return set(carrier, WEIR_S("b3"), weir_sn(text, deferred ? 49 : sizeof(text)));
}
