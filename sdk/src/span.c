/*
 * Spans: from begin to end in the thread's slot, OTLP bytes from the start. A begin and end cost two clock reads, three random
 * words, one compare-and-swap and some 90 bytes written; each change one uncontended atomic exchange more.
 * Threads: any; a span's changes exclude each other by its record's lock. Signal-safe.
 */
#include "sdk/src/clock.h"
#include "sdk/src/context.h"
#include "sdk/src/extra.h"
#include "sdk/src/origin.h"
#include "sdk/src/queue.h"
#include "sdk/src/record.h"
#include "sdk/src/scope.h"
#include "sdk/src/settings.h"

enum { STATE_ACTIVE = 1, STATE_EXTRA = 2, STATE_OPEN = 4 };

_Static_assert(sizeof(weir_ctx) == 40 && sizeof(weir_span) == 112 && sizeof(weir_attr) == 40, "part of the ABI");

/* Options as long as this library knows them, whatever the caller was compiled with. */
static const weir_span_opts *known_opts(const weir_span_opts *opts, weir_span_opts *copy)
{
    if (opts != NULL && __builtin_expect(opts->size >= sizeof(*copy), 1))
        return opts;
    memset(copy, 0, sizeof(*copy));
    if (opts != NULL)
        memcpy(copy, opts, opts->size);
    copy->size = (uint32_t)sizeof(*copy);
    return copy;
}

static void activate(weir_span *span, const weir_span_opts *opts)
{
    if (opts->no_activate)
        return;
    span->previous_ = thread_locals.current;
    thread_locals.current = span->ctx;
    span->state_ |= STATE_ACTIVE;
}

/* A span that does not record and is its parent over again (specification: behaviour without an SDK). */
static void pass_through(weir_span *span, const weir_ctx *parent, const weir_span_opts *opts)
{
    if (parent != NULL)
        span->ctx = *parent;
    else
        memset(&span->ctx, 0, sizeof(span->ctx));
    span->record_ = NULL;
    span->state_ = 0;
    if (parent == NULL && !opts->root)
        return;
    if (extra_ref(&span->ctx))
        span->state_ |= STATE_EXTRA;
    context_note_attached();
    activate(span, opts);
}

static void new_ids(struct thread *self, const struct settings *settings, weir_ctx *ctx, const weir_ctx *parent)
{
    if (__builtin_expect(settings->ids != NULL, 0)) {
        if (parent == NULL)
            settings->ids(ctx->trace_id, 16, settings->ids_user);
        settings->ids(ctx->span_id, 8, settings->ids_user);
        return;
    }
    uint64_t word = random_id_word(&self->random);
    memcpy(ctx->span_id, &word, 8);
    if (parent != NULL)
        return;
    word = random_id_word(&self->random);
    memcpy(ctx->trace_id, &word, 8);
    word = random_id_word(&self->random);
    memcpy(ctx->trace_id + 8, &word, 8);
    ctx->flags = WEIR_FLAG_RANDOM;
}

struct beginning {
    struct thread *self;
    const weir_ctx *base;   /* where baggage comes from; its ids may be none */
    const weir_ctx *parent; /* base when it is a parent, else NULL */
    weir_scope *scope;
    weir_str name;
    const weir_span_opts *opts;
};

/* The fixed fields come first, so that later changes never move the end time. */
static void write_start(struct record *record, const weir_ctx *ctx, const struct beginning *b)
{
    uint32_t kind = b->opts->kind <= WEIR_CONSUMER ? b->opts->kind : WEIR_INTERNAL;
    uint32_t flags = ctx->flags | 0x100U;
    uint8_t *out = record->data;

    out = put_id16(out, SPAN_TRACE_ID, ctx->trace_id);
    out = put_id8(out, SPAN_SPAN_ID, ctx->span_id);
    if (b->parent != NULL) {
        out = put_id8(out, SPAN_PARENT_ID, b->parent->span_id);
        flags |= (b->parent->origin_ & ORIGIN_REMOTE) != 0 ? 0x200U : 0;
    }
    *out++ = SPAN_KIND << 3;
    *out++ = (uint8_t)(kind + 1);
    *out++ = ((SPAN_FLAGS << 3 | 5) & 0x7f) | 0x80;
    *out++ = (SPAN_FLAGS << 3 | 5) >> 7;
    memcpy(out, &flags, 4);
    out = put_fixed64(out + 4, SPAN_START, record->start_ns);
    record->end_at = (uint32_t)(out + 1 - record->data);
    out = put_fixed64(out, SPAN_END, 0);
    record->fields_at = record->size = (uint32_t)(out - record->data);
}

static void put_attributes(struct thread *self, struct record *record, weir_attrs attrs)
{
    for (size_t i = 0; attrs.data != NULL && i < attrs.count; i++)
        record_put_attribute(self, record, SPAN_ATTRIBUTES, &attrs.data[i]);
}

static struct record *open_record(const weir_ctx *ctx, const struct beginning *b, weir_attrs sampler_attrs)
{
    struct record *record = record_take(b->self, scope_of(b->scope));

    if (record == NULL)
        return NULL;
    record->start_ns = b->opts->start_ns != 0 ? b->opts->start_ns : clock_now();
    write_start(record, ctx, b);
    record_put_text(b->self, record, SPAN_NAME, b->name);
    if (__builtin_expect(ctx->extra_ != NULL, 0))
        record_put_text(b->self, record, SPAN_TRACE_STATE, extra_tracestate(extra_of(ctx)));
    put_attributes(b->self, record, b->opts->attrs);
    put_attributes(b->self, record, sampler_attrs);
    for (size_t i = 0; b->opts->links != NULL && i < b->opts->link_count; i++)
        record_put_link(b->self, record, &b->opts->links[i].ctx, b->opts->links[i].attrs);
    return record;
}

/*
 * A new trace keeps the baggage of the context it begins in, but not the tracestate. Returns true when *ctx got an
 * extra with a reference of its own.
 */
static bool inherit_baggage(weir_ctx *ctx, const weir_ctx *base)
{
    const struct extra *extra = extra_of(base);
    weir_str baggage = extra_baggage(extra);

    if (baggage.n == 0)
        return false;
    if (extra->tracestate_size == 0) {
        ctx->extra_ = base->extra_;
        ctx->generation_ = base->generation_;
        return false;
    }
    struct extra *own = extra_create(0, baggage.n);
    if (own == NULL)
        return false;
    memcpy(own->text, baggage.p, baggage.n);
    extra_bind(ctx, own);
    return true;
}

/* Fills span->ctx and asks the sampler. */
static struct sampling choose(weir_span *span, const struct beginning *b)
{
    const struct settings *settings = settings_now();
    weir_ctx *ctx = &span->ctx;
    bool inherited = false, owned;

    if (b->parent != NULL) {
        *ctx = *b->parent;
    } else {
        memset(ctx, 0, sizeof(*ctx));
        if (__builtin_expect(b->base != NULL && b->base->extra_ != NULL, 0))
            inherited = inherit_baggage(ctx, b->base);
    }
    ctx->origin_ &= ORIGIN_DEBUG;
    new_ids(b->self, settings, ctx, b->parent);
    struct sampling_request request = { b->parent, b->name, b->opts, b->parent == NULL && b->base != NULL ? b->base->origin_ : 0 };
    weir_ctx before = *ctx;
    struct sampling sampling = sampler_decide(&settings->sampler, &request, ctx, &owned);
    if (inherited && owned)
        extra_unref(&before);
    span->state_ = 0;
    if (__builtin_expect(ctx->extra_ != NULL, 0) && (inherited || owned || extra_ref(ctx)))
        span->state_ |= STATE_EXTRA;
    return sampling;
}

static void begin(weir_span *span, const struct beginning *b)
{
    struct thread *self = b->self;
    struct sampling sampling = choose(span, b);

    span->record_ = NULL;
    if (!sampling.sampled) {
        span->ctx.flags &= (uint8_t)~WEIR_FLAG_SAMPLED;
        count(&self->counters, COUNT_SPANS_UNSAMPLED, 1);
        return;
    }
    span->ctx.flags |= WEIR_FLAG_SAMPLED;
    struct record *record = open_record(&span->ctx, b, sampling.attrs);
    count(&self->counters, record != NULL ? COUNT_SPANS_STARTED : COUNT_SPANS_DROPPED, 1);
    if (record == NULL)
        return;
    span->generation_ = atomic_load_explicit(&record->generation, memory_order_relaxed);
    span->epoch_ = thread_epoch;
    span->state_ |= STATE_OPEN;
    __atomic_store_n(&span->record_, record, __ATOMIC_RELAXED);
}

void weir_span_start_(weir_span *span, weir_scope *scope, weir_str name, const weir_span_opts *opts)
{
    weir_span_opts copy;

    if (span == NULL)
        return;
    struct beginning b = { NULL, NULL, NULL, scope, name, known_opts(opts, &copy) };
    b.base = b.opts->parent != NULL ? b.opts->parent : &thread_locals.current;
    b.parent = !b.opts->root && weir_ctx_valid(b.base) ? b.base : NULL;
    bool recording = context_recording();
    b.self = recording ? thread_enter() : NULL;
    if (b.self == NULL) {
        if (recording)
            count_shared(&thread_shared_counters, COUNT_SPANS_DROPPED, 1);
        pass_through(span, b.opts->root ? NULL : b.base, b.opts);
        return;
    }
    begin(span, &b);
    activate(span, b.opts);
    thread_leave(b.self);
}

/* ---- while it is open ---- */

/* The span's record, locked, within thread_enter; NULL when the span does not record (any more). Undone by let_go. */
static struct record *hold(weir_span *span, struct thread **self)
{
    struct record *record = span != NULL ? (struct record *)__atomic_load_n(&span->record_, __ATOMIC_RELAXED) : NULL;

    if (record == NULL || span->epoch_ != thread_epoch)
        return NULL;
    *self = thread_enter();
    if (*self == NULL)
        return NULL;
    record_lock(record);
    if (__builtin_expect(atomic_load_explicit(&record->generation, memory_order_relaxed) == span->generation_, 1))
        return record;
    record_unlock(record);
    thread_leave(*self);
    return NULL;
}

static void let_go(struct thread *self, struct record *record)
{
    record_unlock(record);
    thread_leave(self);
}

void weir_span_set_(weir_span *span, const weir_attr *attrs, size_t attr_count)
{
    struct thread *self;
    struct record *record = hold(span, &self);

    if (record == NULL)
        return;
    put_attributes(self, record, weir_attrs_of(attrs, attr_count));
    let_go(self, record);
}

void weir_span_event(weir_span *span, weir_str name, weir_attrs attrs, uint64_t time_ns)
{
    struct event event = { name, time_ns != 0 || !weir_recording(span) ? time_ns : clock_now(), attrs };
    struct thread *self;
    struct record *record = hold(span, &self);

    if (record == NULL)
        return;
    record_put_event(self, record, &event);
    let_go(self, record);
}

void weir_span_exception(weir_span *span, weir_str type, weir_str message, weir_str stacktrace)
{
    weir_attr attrs[3];
    size_t attr_count = 0;

    if (type.p != NULL)
        attrs[attr_count++] = weir_kv_str(WEIR_S("exception.type"), type);
    if (message.p != NULL)
        attrs[attr_count++] = weir_kv_str(WEIR_S("exception.message"), message);
    if (stacktrace.p != NULL)
        attrs[attr_count++] = weir_kv_str(WEIR_S("exception.stacktrace"), stacktrace);
    weir_span_event(span, WEIR_S("exception"), weir_attrs_of(attrs, attr_count), 0);
}

void weir_span_link(weir_span *span, const weir_ctx *to, weir_attrs attrs)
{
    struct thread *self;
    struct record *record = to != NULL ? hold(span, &self) : NULL;

    if (record == NULL)
        return;
    record_put_link(self, record, to, attrs);
    let_go(self, record);
}

/* The status as a field of the span: message, then code. */
static void write_status(struct thread *self, struct record *record, weir_status status, weir_str description)
{
    struct text_plan plan = text_plan(status == WEIR_ERROR ? description : weir_sn(NULL, 0), TEXT_UNLIMITED);
    size_t content = 2 + (plan.written != 0 ? 1 + varint_size(plan.written) + plan.written : 0);
    uint8_t *out = record_reserve(record, 1 + varint_size(content) + content);

    if (out == NULL) {
        plan = (struct text_plan){ 0, 0 };
        content = 2;
        out = record_reserve(record, 4);
    }
    if (plan.read != plan.written)
        count(&self->counters, COUNT_TEXT_REPAIRED, 1);
    if (out == NULL)
        return;
    *out++ = SPAN_STATUS << 3 | 2;
    out = put_varint(out, content);
    if (plan.written != 0) {
        *out++ = STATUS_MESSAGE << 3 | 2;
        out = put_varint(out, plan.written);
        out = text_copy(out, description, plan);
    }
    *out++ = STATUS_CODE << 3;
    *out++ = (uint8_t)status;
    record->size = (uint32_t)(out - record->data);
}

void weir_span_status(weir_span *span, weir_status status, weir_str description)
{
    struct thread *self;
    struct record *record = status == WEIR_OK || status == WEIR_ERROR ? hold(span, &self) : NULL;

    if (record == NULL)
        return;
    if (record->status != WEIR_OK) {
        if (record->status != WEIR_UNSET)
            record_remove_field(record, SPAN_STATUS);
        record->status = (uint8_t)status;
        write_status(self, record, status, description);
    }
    let_go(self, record);
}

void weir_span_rename(weir_span *span, weir_str name)
{
    struct thread *self;
    struct record *record = hold(span, &self);

    if (record == NULL)
        return;
    record_remove_field(record, SPAN_NAME);
    record_put_text(self, record, SPAN_NAME, name);
    let_go(self, record);
}

/* ---- end ---- */

static void put_count(struct record *record, uint32_t field, uint32_t value)
{
    if (value == 0)
        return;
    uint8_t *out = record_reserve(record, 6);
    if (out == NULL)
        return;
    *out++ = (uint8_t)(field << 3);
    out = put_varint(out, value);
    record->size = (uint32_t)(out - record->data);
}

/* The last change: afterwards no handle fits the record's generation. */
static void close_record(struct record *record, uint64_t end_ns)
{
    if (end_ns < record->start_ns)
        end_ns = record->start_ns;
    memcpy(record->data + record->end_at, &end_ns, 8);
    put_count(record, SPAN_DROPPED_ATTRIBUTES, record->dropped_attributes);
    put_count(record, SPAN_DROPPED_EVENTS, record->dropped_events);
    put_count(record, SPAN_DROPPED_LINKS, record->dropped_links);
    atomic_fetch_add_explicit(&record->generation, 1, memory_order_relaxed);
}

/* Queues the record, or counts its loss. */
static void hand_over(struct thread *self, struct record *record)
{
    count(&self->counters, COUNT_SPANS_ENDED, 1);
    if (__builtin_expect(context_recording() && queue_put(self, RECORD_SPANS, record), 1))
        return;
    count(&self->counters, COUNT_SPANS_DROPPED, 1);
    record_discard(self, record);
}

/* Inside another call on this thread, that is, in a signal handler: without the thread's state, and without waiting for a lock. */
static void finish_inside(const weir_span *span, struct record *record, uint64_t end_ns)
{
    count_shared(&thread_shared_counters, COUNT_SPANS_ENDED, 1);
    if (atomic_exchange_explicit(&record->lock, 1, memory_order_acquire) != 0) {
        count_shared(&thread_shared_counters, COUNT_SPANS_DROPPED, 1);
        return;
    }
    bool mine = atomic_load_explicit(&record->generation, memory_order_relaxed) == span->generation_;
    if (mine)
        close_record(record, end_ns);
    record_unlock(record);
    if (mine)
        queue_put_uncounted(RECORD_SPANS, record);
}

static void finish(const weir_span *span, struct record *record, uint64_t end_ns)
{
    struct thread *self = thread_enter();

    if (self == NULL) {
        finish_inside(span, record, end_ns);
        return;
    }
    record_lock(record);
    bool mine = atomic_load_explicit(&record->generation, memory_order_relaxed) == span->generation_;
    if (mine)
        close_record(record, end_ns);
    record_unlock(record);
    if (mine)
        hand_over(self, record);
    thread_leave(self);
}

void weir_span_end_(weir_span *span, uint64_t end_ns)
{
    uint32_t state = __atomic_load_n(&span->state_, __ATOMIC_RELAXED);
    struct record *record = (struct record *)__atomic_load_n(&span->record_, __ATOMIC_RELAXED);

    /* Only one of two ends may give the extra's reference back. */
    if (__builtin_expect((state & STATE_EXTRA) != 0, 0))
        state = __atomic_exchange_n(&span->state_, 0, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&span->state_, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&span->record_, NULL, __ATOMIC_RELAXED);
    if (record != NULL && span->epoch_ == thread_epoch)
        finish(span, record, end_ns != 0 ? end_ns : clock_now());
    if ((state & STATE_ACTIVE) != 0 && memcmp(thread_locals.current.span_id, span->ctx.span_id, 8) == 0)
        thread_locals.current = span->previous_;
    if (__builtin_expect((state & STATE_EXTRA) != 0, 0)) {
        weir_ctx ctx = span->ctx;
        extra_unref(&ctx);
    }
}
