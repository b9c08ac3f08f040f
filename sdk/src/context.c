/* The current context, references, ids as text. A few moves each. Threads: any; signal-safe. */
#include "sdk/src/context.h"

#include "sdk/src/extra.h"
#include "sdk/src/origin.h"
#include "sdk/src/text.h"
#include "sdk/src/thread.h"

/* Bit 0: recording; bit 1: some context was attached, so spans that do not record must pass theirs on. */
uint32_t weir_on_;

void context_set_recording(bool on)
{
    if (on)
        __atomic_or_fetch(&weir_on_, CONTEXT_RECORDING, __ATOMIC_RELEASE);
    else
        __atomic_and_fetch(&weir_on_, ~(uint32_t)CONTEXT_RECORDING, __ATOMIC_RELEASE);
}

void context_note_attached(void)
{
    if ((__atomic_load_n(&weir_on_, __ATOMIC_RELAXED) & CONTEXT_ATTACHED) == 0)
        __atomic_or_fetch(&weir_on_, CONTEXT_ATTACHED, __ATOMIC_RELAXED);
}

weir_ctx weir_ctx_current(void)
{
    return thread_locals.current;
}

weir_ctx weir_ctx_attach(const weir_ctx *ctx)
{
    weir_ctx previous = thread_locals.current;

    if (ctx == NULL) {
        memset(&thread_locals.current, 0, sizeof(thread_locals.current));
        return previous;
    }
    context_note_attached();
    thread_locals.current = *ctx;
    return previous;
}

void weir_ctx_detach(const weir_ctx *previous)
{
    weir_ctx_attach(previous);
}

void weir_ctx_ref(weir_ctx *ctx)
{
    if (ctx != NULL)
        extra_ref(ctx);
}

void weir_ctx_unref(weir_ctx *ctx)
{
    if (ctx != NULL)
        extra_unref(ctx);
}

bool weir_ctx_remote(const weir_ctx *ctx)
{
    return ctx != NULL && (ctx->origin_ & ORIGIN_REMOTE) != 0;
}

weir_ctx weir_ctx_make(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags, bool remote)
{
    weir_ctx ctx;

    memset(&ctx, 0, sizeof(ctx));
    if (trace_id != NULL)
        memcpy(ctx.trace_id, trace_id, 16);
    if (span_id != NULL)
        memcpy(ctx.span_id, span_id, 8);
    ctx.flags = flags & (WEIR_FLAG_SAMPLED | WEIR_FLAG_RANDOM);
    ctx.origin_ = remote ? ORIGIN_REMOTE : 0;
    return ctx;
}

void weir_ctx_trace_hex(const weir_ctx *ctx, char out[33])
{
    static const weir_ctx none;

    text_hex(out, (ctx != NULL ? ctx : &none)->trace_id, 16);
    out[32] = '\0';
}

void weir_ctx_span_hex(const weir_ctx *ctx, char out[17])
{
    static const weir_ctx none;

    text_hex(out, (ctx != NULL ? ctx : &none)->span_id, 8);
    out[16] = '\0';
}

weir_str weir_ctx_tracestate(const weir_ctx *ctx)
{
    return extra_tracestate(extra_of(ctx));
}

weir_str weir_baggage_header(const weir_ctx *ctx)
{
    return extra_baggage(extra_of(ctx));
}
