/*
 * Context: which span, of which trace, is being worked on; and how it travels between threads and processes.
 * OpenTelemetry specification: context, propagators, baggage; W3C Trace Context level 2, W3C Baggage, B3.
 */
#ifndef WEIR_CONTEXT_H
#define WEIR_CONTEXT_H

#include "weir/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of weir_ctx.flags: W3C trace flags. */
enum { WEIR_FLAG_SAMPLED = 1, WEIR_FLAG_RANDOM = 2 };

/*
 * A context is a plain value: copy it, keep it in a connection, pass it to another thread. The ids and flags are always
 * valid. Tracestate and baggage, which most contexts lack, stand behind the value and are counted: they live
 * as long as a span of this context is open, or until weir_ctx_unref. A context used later than that is still safe;
 * it has lost its tracestate and baggage.
 */
typedef struct weir_ctx {
    uint8_t trace_id[16]; /* all zero: no span */
    uint8_t span_id[8];
    uint8_t flags;
    uint8_t origin_; /* remote, debug ... */
    uint8_t pad_[2];
    uint32_t generation_; /* of extra_ */
    const void *extra_;
} weir_ctx;

/* The context of the calling thread; all zero when there is none. One read of thread-local memory. Hot, signal-safe. */
WEIR_API weir_ctx weir_ctx_current(void);

/* Makes *ctx (NULL: none) the calling thread's context and returns the one before, for weir_ctx_detach. Hot, signal-safe. */
WEIR_API weir_ctx weir_ctx_attach(const weir_ctx *ctx);
WEIR_API void weir_ctx_detach(const weir_ctx *previous);

/*
 * Keeps a context's tracestate and baggage beyond the span or extraction that it came from; to be undone once with
 * weir_ctx_unref. Both change nothing in a context without them, or whose have gone. Hot, signal-safe.
 */
WEIR_API void weir_ctx_ref(weir_ctx *ctx);
WEIR_API void weir_ctx_unref(weir_ctx *ctx);

/* True when the trace and span ids are not zero. */
static inline bool weir_ctx_valid(const weir_ctx *ctx)
{
    uint64_t a, b, c;
    if (ctx == NULL)
        return false;
    memcpy(&a, ctx->trace_id, 8);
    memcpy(&b, ctx->trace_id + 8, 8);
    memcpy(&c, ctx->span_id, 8);
    return (a | b) != 0 && c != 0;
}

static inline bool weir_ctx_sampled(const weir_ctx *ctx)
{
    return ctx != NULL && (ctx->flags & WEIR_FLAG_SAMPLED) != 0;
}

/* True when the context came from another process. */
WEIR_API bool weir_ctx_remote(const weir_ctx *ctx);

/* A context from ids received by other means than a propagator; all its values are the caller's. Signal-safe. */
WEIR_API weir_ctx weir_ctx_make(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags, bool remote);

/* Lower-case hexadecimal and a NUL. Signal-safe. */
WEIR_API void weir_ctx_trace_hex(const weir_ctx *ctx, char out[33]);
WEIR_API void weir_ctx_span_hex(const weir_ctx *ctx, char out[17]);

/* The W3C tracestate, {NULL, 0} when there is none; valid as long as the context's (see weir_ctx). Signal-safe. */
WEIR_API weir_str weir_ctx_tracestate(const weir_ctx *ctx);

/* ---- baggage: names and values that travel with the context ---- */

/*
 * Copies the decoded value of `name` to out, NUL-terminated, cut to `size`; returns its full length, or -1
 * when it is not there. Hot, signal-safe.
 */
WEIR_API ptrdiff_t weir_baggage_get(const weir_ctx *ctx, weir_str name, char *out, size_t size);

/*
 * *out becomes *ctx with the entry set (value.p NULL: removed). `out` holds a reference: weir_ctx_unref ends it;
 * it may be the same object as ctx, whose own reference, if it held one, stays to be ended on a copy. `metadata` are W3C
 * baggage properties ("k=v;k2"), written as they are; {NULL, 0} for none. Names are W3C tokens; values any UTF-8.
 * Returns 0, -EINVAL (name), -E2BIG (above 64 entries or 8,192 bytes) or -ENOMEM; then *out equals *ctx without a
 * reference of its own. Not for signal handlers.
 */
WEIR_API int weir_baggage_set(weir_ctx *out, const weir_ctx *ctx, weir_str name, weir_str value, weir_str metadata);

/* The baggage as a W3C header value, {NULL, 0} when there is none; valid as long as the context's. Signal-safe. */
WEIR_API weir_str weir_baggage_header(const weir_ctx *ctx);

/* ---- propagation: in the order of OTEL_PROPAGATORS (default "tracecontext,baggage") ---- */

/*
 * The nth (from 0) value of a header, {NULL, 0} when there is none. Names are asked for in lower case; HTTP carriers
 * must find them in any case. A carrier that holds one value a name may ignore nth. What is returned must stay as it is
 * until weir_extract returns.
 */
typedef weir_str (*weir_get_fn)(const void *carrier, weir_str name, size_t nth);

/* Sets a header; 0, or a negative errno value that weir_inject passes on. Name and value are borrowed for the call. */
typedef int (*weir_set_fn)(void *carrier, weir_str name, weir_str value);

/*
 * Reads the context that a request carries. Always fills *out: with the thread's current context when the carrier
 * has none (then without baggage found there). Returns true when something was found. Tracestate and baggage of *out
 * last until this thread's next weir_extract, or as long as a span started from it; weir_ctx_ref keeps them.
 * Bad headers are ignored as the W3C demands, never an error. Hot.
 */
WEIR_API bool weir_extract(weir_ctx *out, weir_get_fn get, const void *carrier);

/*
 * Writes *ctx (NULL: the current one) into a request by calling `set` for each header. Returns 0, or the first error
 * of `set`. Works without weir_init and when the SDK is disabled, so that contexts pass through. Hot.
 */
WEIR_API int weir_inject(const weir_ctx *ctx, weir_set_fn set, void *carrier);

/*
 * The names of the headers that weir_inject may set, in lower case; NULL behind the last. For carriers that
 * must clear or copy them. (Specification: TextMap propagator, Fields.)
 */
WEIR_API const char *weir_propagation_field(size_t index);

/*
 * Environment variables as carriers (specification: "environment variables as context propagation carriers").
 * weir_env_get reads: carrier is an envp array, NULL for the process's own. weir_env_set writes: carrier is a weir_env.
 */
WEIR_API weir_str weir_env_get(const void *carrier, weir_str name, size_t nth);

typedef struct weir_env {
    char **vars;  /* array for execve: "NAME=value" strings, always ends in NULL; an entry of the same name is replaced */
    size_t space; /* pointers that fit into vars, the NULL included */
    char *text;   /* where the strings are written */
    size_t text_size, text_used;
} weir_env;

/* -ENOBUFS when vars or text is full. */
WEIR_API int weir_env_set(void *carrier, weir_str name, weir_str value);

#ifdef __cplusplus
}
#endif
#endif
