/*
 * The composite propagator: runs those of OTEL_PROPAGATORS in order, the last that finds a span deciding.
 * Threads: any; extraction signal-safe as thread_enter.
 */
#include "sdk/src/propagation.h"

#include "sdk/src/context.h"
#include "sdk/src/extra.h"
#include "sdk/src/tracestate.h"

weir_str propagation_header(const struct extraction *e, weir_str name, size_t nth)
{
    weir_str value = e->get(e->carrier, name, nth);

    if (value.p == NULL)
        return value;
    if (nth > 0) {
        weir_str before = e->get(e->carrier, name, nth - 1);
        if (before.p == value.p && before.n == value.n)
            return weir_sn(NULL, 0);
    }
    return text_trim(value);
}

static void run_extractors(struct extraction *e)
{
    const struct settings *settings = settings_now();

    for (uint32_t i = 0; i < settings->propagator_count; i++) {
        switch (settings->propagators[i]) {
        case PROPAGATOR_TRACECONTEXT:
            tracecontext_extract(e);
            break;
        case PROPAGATOR_BAGGAGE:
            baggage_extract(e);
            break;
        case PROPAGATOR_B3:
        case PROPAGATOR_B3_MULTI:
            b3_extract(e);
            break;
        default:
            break;
        }
    }
}

/* Tracestate and baggage of the new context, in one slot, or NULL. */
static struct extra *build_extra(const struct extraction *e, const weir_ctx *base)
{
    weir_str kept = e->found_ids ? weir_sn(NULL, 0) : extra_tracestate(extra_of(base));
    struct extra *extra = extra_create(e->found_ids ? e->tracestate.size : kept.n, e->baggage.size);

    if (extra == NULL)
        return NULL;
    char *out = extra->text;
    if (kept.n != 0)
        memcpy(out, kept.p, kept.n);
    out += kept.n;
    for (unsigned i = 0; e->found_ids && i < e->tracestate.count; i++)
        out = tracestate_copy(out, e->tracestate.part[i], i > 0);
    baggage_copy(out, &e->baggage);
    return extra;
}

/* The thread keeps the reference until its next extraction. */
static void keep(weir_ctx *out, struct extra *extra)
{
    struct thread *self = extra != NULL || thread_locals.thread != NULL ? thread_enter() : NULL;

    extra_bind(out, extra);
    if (self == NULL) {
        extra_unref(out);
        return;
    }
    extra_unref(&self->extracted);
    self->extracted = *out;
    thread_leave(self);
}

bool weir_extract(weir_ctx *out, weir_get_fn get, const void *carrier)
{
    struct extraction e;

    if (out == NULL)
        return false;
    *out = thread_locals.current;
    if (get == NULL)
        return false;
    e.get = get;
    e.carrier = carrier;
    memset(&e.ctx, 0, sizeof(e.ctx));
    e.found_ids = e.found_baggage = false;
    e.tracestate.count = e.baggage.count = 0;
    e.tracestate.size = e.baggage.size = 0;
    run_extractors(&e);
    if (!e.found_ids && !e.found_baggage)
        return false;
    struct extra *extra = e.tracestate.size + e.baggage.size != 0 ? build_extra(&e, out) : NULL;
    if (e.found_ids)
        *out = e.ctx;
    keep(out, extra);
    return true;
}

static int inject_one(enum propagator which, const weir_ctx *ctx, weir_set_fn set, void *carrier)
{
    weir_str baggage;

    switch (which) {
    case PROPAGATOR_TRACECONTEXT:
        return weir_ctx_valid(ctx) ? tracecontext_inject(ctx, set, carrier) : 0;
    case PROPAGATOR_BAGGAGE:
        baggage = extra_baggage(extra_of(ctx));
        return baggage.n != 0 ? set(carrier, WEIR_S("baggage"), baggage) : 0;
    case PROPAGATOR_B3:
    case PROPAGATOR_B3_MULTI:
        return weir_ctx_valid(ctx) ? b3_inject(ctx, which == PROPAGATOR_B3_MULTI, set, carrier) : 0;
    default:
        return 0;
    }
}

int weir_inject(const weir_ctx *ctx, weir_set_fn set, void *carrier)
{
    const struct settings *settings = settings_now();
    int result = 0;

    if (set == NULL)
        return 0;
    if (ctx == NULL)
        ctx = &thread_locals.current;
    for (uint32_t i = 0; i < settings->propagator_count && result == 0; i++)
        result = inject_one(settings->propagators[i], ctx, set, carrier);
    return result;
}

const char *weir_propagation_field(size_t index)
{
    static const char *const fields[PROPAGATORS][5] = {
        [PROPAGATOR_TRACECONTEXT] = { "traceparent", "tracestate" },
        [PROPAGATOR_BAGGAGE] = { "baggage" },
        [PROPAGATOR_B3] = { "b3" },
        [PROPAGATOR_B3_MULTI] = { "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags" },
    };
    const struct settings *settings = settings_now();

    for (uint32_t i = 0; i < settings->propagator_count; i++) {
        for (const char *const *field = fields[settings->propagators[i]]; *field != NULL; field++) {
            if (index-- == 0)
                return *field;
        }
    }
    return NULL;
}
