/*
 * Policies on the spans' own fields and on the trace as a whole. None keeps state.
 */
#include <stdlib.h>

#include "collector/ottl/probe.h"
#include "collector/processors/tail_sampling/policy.h"

struct plain_policy {
    struct tail_policy base;
    const struct tail_leaf_settings *settings;
    uint64_t threshold; /* probabilistic */
    unsigned codes;     /* status_code: bits */
};

static struct plain_policy *make(
    const struct tail_leaf_settings *settings, enum tail_decision (*evaluate)(struct tail_policy *, struct tail_trace *))
{
    struct plain_policy *self = tail_policy_alloc(sizeof(*self));

    self->base.evaluate = evaluate;
    self->settings = settings;
    return self;
}

static enum tail_decision said(bool sampled)
{
    return sampled ? TAIL_SAMPLED : TAIL_NOT_SAMPLED;
}

/* ---- always_sample, span_count ---- */

static enum tail_decision evaluate_always(struct tail_policy *policy, struct tail_trace *trace)
{
    (void)policy;
    (void)trace;
    return TAIL_SAMPLED;
}

struct tail_policy *tail_always_create(const struct tail_leaf_settings *settings, struct error *err)
{
    (void)err;
    return &make(settings, evaluate_always)->base;
}

static enum tail_decision evaluate_count(struct tail_policy *policy, struct tail_trace *trace)
{
    const struct tail_leaf_settings *settings = ((struct plain_policy *)policy)->settings;
    int64_t spans = (int64_t)trace->spans;

    return said(
        spans >= settings->span_count.min_spans && (settings->span_count.max_spans == 0 || spans <= settings->span_count.max_spans));
}

struct tail_policy *tail_span_count_create(const struct tail_leaf_settings *settings, struct error *err)
{
    struct plain_policy *self = make(settings, evaluate_count);

    (void)err;
    self->base.stateful = settings->span_count.max_spans > 0;
    return &self->base;
}

/* ---- latency ---- */

static int64_t duration_ms(uint64_t from, uint64_t to)
{
    int64_t start = (int64_t)from, end = (int64_t)to, duration;

    if (__builtin_sub_overflow(end, start, &duration))
        duration = end < start ? INT64_MIN : INT64_MAX;
    return duration / 1000000;
}

/* The bounds hold as soon as the spans up to some one are within them: the order in which they came matters, as upstream. */
static enum tail_decision evaluate_latency(struct tail_policy *policy, struct tail_trace *trace)
{
    const struct tail_leaf_settings *settings = ((struct plain_policy *)policy)->settings;
    int64_t threshold = settings->latency.threshold_ms, upper = settings->latency.upper_threshold_ms;
    uint64_t start = 0, end = 0;

    for (const struct tail_span *span = tail_trace_first(trace); span != NULL; span = tail_trace_next(trace, span)) {
        if (start == 0 || span->view.start_time < start)
            start = span->view.start_time;
        if (end == 0 || span->view.end_time > end)
            end = span->view.end_time;
        int64_t duration = duration_ms(start, end);
        if (upper == 0 ? duration >= threshold : threshold < duration && duration <= upper)
            return TAIL_SAMPLED;
    }
    return TAIL_NOT_SAMPLED;
}

struct tail_policy *tail_latency_create(const struct tail_leaf_settings *settings, struct error *err)
{
    struct plain_policy *self = make(settings, evaluate_latency);

    (void)err;
    self->base.stateful = settings->latency.upper_threshold_ms > 0;
    return &self->base;
}

/* ---- status_code, trace_flags ---- */

static enum tail_decision evaluate_status(struct tail_policy *policy, struct tail_trace *trace)
{
    unsigned codes = ((struct plain_policy *)policy)->codes;

    for (const struct tail_span *span = tail_trace_first(trace); span != NULL; span = tail_trace_next(trace, span)) {
        if (span->view.status_code < 3 && (codes & 1U << span->view.status_code) != 0)
            return TAIL_SAMPLED;
    }
    return TAIL_NOT_SAMPLED;
}

struct tail_policy *tail_status_code_create(const struct tail_leaf_settings *settings, struct error *err)
{
    static const char *const words[] = { "UNSET", "OK", "ERROR" }; /* in the order of their numbers */
    struct plain_policy *self;

    if (settings->status_codes.count == 0) {
        fail(err, "status_codes: expected at least one of OK, ERROR and UNSET");
        return NULL;
    }
    self = make(settings, evaluate_status);
    for (size_t i = 0; i < settings->status_codes.count; i++) {
        for (unsigned code = 0; code < 3; code++)
            self->codes |= strcmp(settings->status_codes.items[i], words[code]) == 0 ? 1U << code : 0;
    }
    return &self->base;
}

static enum tail_decision evaluate_flags(struct tail_policy *policy, struct tail_trace *trace)
{
    (void)policy;
    for (const struct tail_span *span = tail_trace_first(trace); span != NULL; span = tail_trace_next(trace, span)) {
        if ((span->view.flags & 1) != 0)
            return TAIL_SAMPLED;
    }
    return TAIL_NOT_SAMPLED;
}

struct tail_policy *tail_trace_flags_create(const struct tail_leaf_settings *settings, struct error *err)
{
    (void)err;
    return &make(settings, evaluate_flags)->base;
}

/* ---- probabilistic ---- */

/* A fraction of the 64-bit range, in the precision of 64 bits and rounded to even, as the OpenTelemetry Collector computes it. */
uint64_t tail_threshold(double ratio)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t bits, mantissa;
    wide product;
    int exponent, shift;

    if (!(ratio > 0))
        return 0;
    if (ratio >= 1)
        return UINT64_MAX;
    memcpy(&bits, &ratio, sizeof(bits));
    exponent = (int)(bits >> 52) - 1075;
    mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    if (bits >> 52 == 0)
        return 0; /* subnormal: far below one in 2^64 */
    product = (wide)mantissa * UINT64_MAX;
    shift = 64 - __builtin_clzll((uint64_t)(product >> 64)); /* bits beyond 64; the product has 116 or 117 */
    wide rest = product & (((wide)1 << shift) - 1), half = (wide)1 << (shift - 1);
    product >>= shift;
    if (rest > half || (rest == half && (product & 1) != 0))
        product++;
    exponent += shift; /* below 0, since ratio < 1 */
    return -exponent < 128 ? (uint64_t)(product >> -exponent) : 0;
}

uint64_t tail_hash(const char *salt, const uint8_t id[16])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const char *at = salt; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < 16; i++)
        hash = (hash ^ id[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static enum tail_decision evaluate_share(struct tail_policy *policy, struct tail_trace *trace)
{
    const struct plain_policy *self = (struct plain_policy *)policy;
    const char *salt = self->settings->probabilistic.hash_salt;

    return said(tail_hash(salt != NULL && salt[0] != '\0' ? salt : "default-hash-seed", trace->id) <= self->threshold);
}

struct tail_policy *tail_probabilistic_create(const struct tail_leaf_settings *settings, struct error *err)
{
    struct plain_policy *self = make(settings, evaluate_share);

    (void)err;
    self->threshold = tail_threshold(settings->probabilistic.sampling_percentage / 100);
    return &self->base;
}

/* ---- trace_state ---- */

static enum tail_decision evaluate_state(struct tail_policy *policy, struct tail_trace *trace)
{
    const struct tail_attribute_settings *settings = &((struct plain_policy *)policy)->settings->trace_state;
    struct slice key = slice_of_string(settings->key), value;

    for (const struct tail_span *span = tail_trace_first(trace); span != NULL; span = tail_trace_next(trace, span)) {
        if (span->view.trace_state.size == 0 || !tail_trace_state_get(span->view.trace_state, key, &value) || value.size == 0)
            continue;
        for (size_t i = 0; i < settings->values.count; i++) {
            /* with its key, a member has at most 256 characters */
            if (slice_equal_string(value, settings->values.items[i]) && key.size + value.size < 256)
                return TAIL_SAMPLED;
        }
    }
    return TAIL_NOT_SAMPLED;
}

struct tail_policy *tail_trace_state_create(const struct tail_leaf_settings *settings, struct error *err)
{
    (void)err;
    return &make(settings, evaluate_state)->base;
}

/* ---- ottl_condition ---- */

struct ottl_policy {
    struct tail_policy base;
    enum ottl_error_mode mode;
    struct ottl *span, *event; /* owned; NULL: none */
};

static struct ottl_span_place place_of(const struct tail_span *span)
{
    return (struct ottl_span_place){ tail_head_message(span->head.group), tail_head_schema_url(span->head.group),
        tail_head_message(span->head.scope), tail_head_schema_url(span->head.scope), span->body };
}

static enum tail_decision evaluate_ottl(struct tail_policy *policy, struct tail_trace *trace)
{
    struct ottl_policy *self = (struct ottl_policy *)policy;
    struct ottl_machine *machine = trace->worker->machine;
    const struct ottl *programs[] = { self->span, self->event };

    for (const struct tail_span *span = tail_trace_first(trace); span != NULL; span = tail_trace_next(trace, span)) {
        struct ottl_span_place place = place_of(span);
        for (size_t i = 0; i < 2; i++) {
            bool holds = false;
            if (programs[i] != NULL && !ottl_probe_span(programs[i], machine, &place, self->mode, &holds))
                return TAIL_FAILED;
            if (holds)
                return TAIL_SAMPLED;
        }
    }
    return TAIL_NOT_SAMPLED;
}

static void destroy_ottl(struct tail_policy *policy)
{
    struct ottl_policy *self = (struct ottl_policy *)policy;

    ottl_destroy(self->span);
    ottl_destroy(self->event);
    free(self);
}

/* *program stays NULL when the list is empty. */
static bool read_conditions(const struct config_node *list, enum ottl_context context, struct ottl **program, struct error *err)
{
    if (list == NULL || list->kind == CONFIG_NULL || (list->kind == CONFIG_LIST && list->children == NULL))
        return true;
    if (list->kind != CONFIG_LIST)
        return fail(err, "line %d: expected a list of conditions", list->line);
    *program = ottl_create(context, false);
    for (const struct config_node *item = list->children; item != NULL; item = item->next) {
        if (item->kind != CONFIG_SCALAR)
            return fail(err, "line %d: expected a condition", item->line);
        if (!ottl_add_condition(*program, item->text, err))
            return fail_within(err, "line %d: \"%s\"", item->line, item->text);
    }
    return true;
}

static enum ottl_error_mode mode_of(const char *word)
{
    if (word != NULL && strcmp(word, "propagate") == 0)
        return OTTL_PROPAGATE;
    return word != NULL && strcmp(word, "ignore") == 0 ? OTTL_IGNORE : OTTL_SILENT;
}

struct tail_policy *tail_ottl_create(const struct tail_leaf_settings *settings, struct error *err)
{
    struct ottl_policy *self = tail_policy_alloc(sizeof(*self));

    self->base = (struct tail_policy){ evaluate_ottl, destroy_ottl, false };
    self->mode = mode_of(settings->ottl.error_mode);
    if (!read_conditions(settings->ottl.span, OTTL_SPAN, &self->span, err))
        fail_within(err, "span");
    else if (!read_conditions(settings->ottl.spanevent, OTTL_SPANEVENT, &self->event, err))
        fail_within(err, "spanevent");
    else if (self->span == NULL && self->event == NULL)
        fail(err, "expected at least one condition, in span or spanevent");
    else
        return &self->base;
    destroy_ottl(&self->base);
    return NULL;
}
