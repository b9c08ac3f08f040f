/*
 * Spans. OpenTelemetry specification: trace API and SDK.
 *
 *     WEIR_SCOPE(scope, "shop.frontend", "1.4.0");
 *
 *     void on_request(const struct request *request)
 *     {
 *         weir_ctx parent;
 *         weir_extract(&parent, get_header, request);
 *         WEIR_SPAN(span, scope, "GET /order", WEIR_SERVER, &parent);
 *         WEIR_SET(&span, "url.path", request->path);
 *         ...
 *     }                                   the span ends here, on every way out
 */
#ifndef WEIR_TRACE_H
#define WEIR_TRACE_H

#include "weir/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An instrumentation scope: which library or part of a program records. Static; bound on first use, and then for
 * the life of the process. (Specification: get a Tracer, Meter or Logger.)
 */
typedef struct weir_scope {
    uint32_t size; /* sizeof(weir_scope) */
    uint32_t pad_;
    weir_str name, version, schema_url; /* kept: must live as long as the process */
    weir_attrs attrs;                   /* kept until the first use */
    void *bound_;
} weir_scope;

#define WEIR_SCOPE(variable_, name_, version_)                                                                                             \
    static weir_scope variable_ = { (uint32_t)sizeof(weir_scope), 0, { "" name_, sizeof(name_) - 1 },                                      \
        { "" version_, sizeof(version_) - 1 }, { NULL, 0 }, { NULL, 0 }, NULL }

typedef enum weir_kind { WEIR_INTERNAL = 0, WEIR_SERVER = 1, WEIR_CLIENT = 2, WEIR_PRODUCER = 3, WEIR_CONSUMER = 4 } weir_kind;
typedef enum weir_status { WEIR_UNSET = 0, WEIR_OK = 1, WEIR_ERROR = 2 } weir_status;

/*
 * A span stands in the caller's storage: stack, connection, request. It may be moved by memcpy, then only the copy is used.
 * `ctx` is the span's context, for weir_inject, children and links. All else belongs to the library. A zeroed span
 * is one that does not record.
 */
typedef struct weir_span {
    weir_ctx ctx;
    weir_ctx previous_;
    void *record_; /* NULL: not recording */
    uint32_t state_, generation_;
    uint32_t epoch_, pad_;
    uint64_t reserved_;
} weir_span;

typedef struct weir_link {
    weir_ctx ctx;
    weir_attrs attrs;
} weir_link;

/* Zeroed but for `size`: defaults. */
typedef struct weir_span_opts {
    uint32_t size;          /* sizeof(weir_span_opts) */
    uint32_t kind;          /* enum weir_kind */
    const weir_ctx *parent; /* NULL: the thread's current context */
    bool root;              /* ignore any parent, begin a new trace */
    bool no_activate;       /* do not make the span the thread's current context */
    uint64_t start_ns;
    weir_attrs attrs; /* seen by samplers */
    const weir_link *links;
    size_t link_count;
} weir_span_opts;

/* Not 0 once there is anything to do: recording is on, or a context is to be passed through. */
WEIR_API extern uint32_t weir_on_;

WEIR_API void weir_span_start_(weir_span *span, weir_scope *scope, weir_str name, const weir_span_opts *opts);
WEIR_API void weir_span_set_(weir_span *span, const weir_attr *attrs, size_t count);
WEIR_API void weir_span_end_(weir_span *span, uint64_t end_ns);

static inline void weir_span_off_(weir_span *span)
{
    memset(&span->ctx, 0, sizeof(span->ctx));
    span->record_ = NULL;
    span->state_ = 0;
}

/* What WEIR_SPAN does; the options are only written when they are needed. */
static inline void weir_span_scoped_(weir_span *span, weir_scope *scope, weir_str name, uint32_t kind, const weir_ctx *parent)
{
    if (__atomic_load_n(&weir_on_, __ATOMIC_RELAXED) != 0 || parent != NULL) {
        weir_span_opts opts;
        memset(&opts, 0, sizeof(opts));
        opts.size = (uint32_t)sizeof(opts);
        opts.kind = kind;
        opts.parent = parent;
        weir_span_start_(span, scope, name, &opts);
    } else {
        weir_span_off_(span);
    }
}

/*
 * Begins a span in *span, which need not be initialised. opts NULL: internal kind, child of the current context, becomes
 * the current context. A span that the sampler refuses, or one begun without weir_init, does not record but carries a valid
 * context where its parent had one, so that the trace passes through. Every begin needs one weir_span_end. Hot, signal-safe.
 */
static inline void weir_span_begin(weir_span *span, weir_scope *scope, weir_str name, const weir_span_opts *opts)
{
    if (span == NULL)
        return;
    if (__atomic_load_n(&weir_on_, __ATOMIC_RELAXED) != 0 || (opts != NULL && opts->parent != NULL))
        weir_span_start_(span, scope, name, opts);
    else
        weir_span_off_(span);
}

/* True from begin to end of a span that the sampler chose. Ask before computing costly attributes. Hot, signal-safe. */
static inline bool weir_recording(const weir_span *span)
{
    return span != NULL && __atomic_load_n(&span->record_, __ATOMIC_RELAXED) != NULL;
}

/*
 * Sets attributes; a key that is there is overwritten. Beyond the limits (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, 64 KiB a span)
 * they are dropped and the span says how many. Hot, signal-safe.
 */
static inline void weir_span_set(weir_span *span, weir_attr attr)
{
    if (weir_recording(span))
        weir_span_set_(span, &attr, 1);
}

static inline void weir_span_set_all(weir_span *span, weir_attrs attrs)
{
    if (weir_recording(span))
        weir_span_set_(span, attrs.data, attrs.count);
}

/* Adds an event. Hot, signal-safe. */
WEIR_API void weir_span_event(weir_span *span, weir_str name, weir_attrs attrs, uint64_t time_ns);

/* Adds the event "exception" with exception.type, .message and .stacktrace (those with p NULL are left out). Hot, signal-safe. */
WEIR_API void weir_span_exception(weir_span *span, weir_str type, weir_str message, weir_str stacktrace);

/* Adds a link to another span. Hot, signal-safe. */
WEIR_API void weir_span_link(weir_span *span, const weir_ctx *to, weir_attrs attrs);

/* WEIR_OK is final; WEIR_UNSET is ignored; the description counts only with WEIR_ERROR. Hot, signal-safe. */
WEIR_API void weir_span_status(weir_span *span, weir_status status, weir_str description);

/* Hot, signal-safe. */
WEIR_API void weir_span_rename(weir_span *span, weir_str name);

/*
 * Ends a span, on any thread; only the first end counts. When the span is the calling thread's current context, the one
 * before becomes current again. An end before the start is recorded as the start. Hot, signal-safe.
 */
static inline void weir_span_end_at(weir_span *span, uint64_t end_ns)
{
    if (span != NULL && __atomic_load_n(&span->state_, __ATOMIC_RELAXED) != 0)
        weir_span_end_(span, end_ns);
}

static inline void weir_span_end(weir_span *span)
{
    weir_span_end_at(span, 0);
}

/* Begins a span that ends when control leaves the block. parent_ NULL: the current context. Not with setjmp or across co-routines. */
#define WEIR_SPAN(variable_, scope_, name_, kind_, parent_)                                                                                \
    weir_span variable_ __attribute__((cleanup(weir_span_end)));                                                                           \
    weir_span_scoped_(&variable_, &(scope_), WEIR_S(name_), (uint32_t)(kind_), (parent_))

/* Sets one attribute; value_ is not evaluated unless the span records, so it must have no side effects. */
#define WEIR_SET(span_, key_, value_)                                                                                                      \
    do {                                                                                                                                   \
        if (weir_recording(span_)) {                                                                                                       \
            weir_attr attr_ = WEIR_KV(key_, value_);                                                                                       \
            weir_span_set_(span_, &attr_, 1);                                                                                              \
        }                                                                                                                                  \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
