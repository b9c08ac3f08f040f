/* W3C Trace Context level 2: traceparent and tracestate. Threads: any; signal-safe. */
#include "sdk/src/extra.h"
#include "sdk/src/origin.h"
#include "sdk/src/propagation.h"
#include "sdk/src/tracestate.h"

enum { TRACEPARENT_SIZE = 55 };

/* "00-{32 digits}-{16 digits}-{2 digits}"; a higher version may have more behind. */
static bool parse_traceparent(weir_str text, weir_ctx *ctx)
{
    uint8_t version, flags;
    const char *p = text.p;

    if (text.n < TRACEPARENT_SIZE || p[2] != '-' || p[35] != '-' || p[52] != '-')
        return false;
    if (!text_unhex(&version, p, 1, false) || version == 0xff)
        return false;
    if (text.n > TRACEPARENT_SIZE && (version == 0 || p[TRACEPARENT_SIZE] != '-'))
        return false;
    if (!text_unhex(ctx->trace_id, p + 3, 16, false) || !text_unhex(ctx->span_id, p + 36, 8, false) ||
        !text_unhex(&flags, p + 53, 1, false))
        return false;
    ctx->flags = flags & (WEIR_FLAG_SAMPLED | WEIR_FLAG_RANDOM);
    ctx->origin_ = ORIGIN_REMOTE;
    return weir_ctx_valid(ctx);
}

/* Several headers are one list, in order. Any fault discards all of it. */
static void read_tracestate(struct extraction *e)
{
    struct header_parts *parts = &e->tracestate;
    unsigned members = 0;

    parts->count = 0;
    parts->size = 0;
    for (size_t nth = 0;; nth++) {
        unsigned before = members;
        size_t size;
        weir_str part = propagation_header(e, WEIR_S("tracestate"), nth);
        if (part.p == NULL)
            return;
        if (!tracestate_check(part, &members, &size) || nth >= HEADER_PARTS)
            break;
        if (members == before)
            continue;
        parts->size += size + (parts->count > 0);
        parts->part[parts->count++] = part;
    }
    parts->count = 0;
    parts->size = 0;
}

void tracecontext_extract(struct extraction *e)
{
    weir_ctx ctx;
    weir_str text = propagation_header(e, WEIR_S("traceparent"), 0);

    if (text.p == NULL)
        return;
    memset(&ctx, 0, sizeof(ctx));
    if (!parse_traceparent(text, &ctx) || propagation_header(e, WEIR_S("traceparent"), 1).p != NULL)
        return;
    e->ctx = ctx;
    e->found_ids = true;
    read_tracestate(e);
}

int tracecontext_inject(const weir_ctx *ctx, weir_set_fn set, void *carrier)
{
    char text[TRACEPARENT_SIZE + 1] = "00-";
    uint8_t flags = ctx->flags & (WEIR_FLAG_SAMPLED | WEIR_FLAG_RANDOM);
    weir_str state = extra_tracestate(extra_of(ctx));

    text_hex(text + 3, ctx->trace_id, 16);
    text[35] = '-';
    text_hex(text + 36, ctx->span_id, 8);
    text[52] = '-';
    text_hex(text + 53, &flags, 1);
    int result = set(carrier, WEIR_S("traceparent"), weir_sn(text, TRACEPARENT_SIZE));
    if (result == 0 && state.n != 0)
        result = set(carrier, WEIR_S("tracestate"), state);
    return result;
}
