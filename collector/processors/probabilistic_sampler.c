/*
 * probabilistic_sampler processor: keeps a share of spans and log records, by trace id or by an attribute, and writes down with what
 * probability, so that what comes later can count.
 *
 * The decisions, and what is written, are those of the OpenTelemetry Collector in each mode. Cost: a scan of the span for its trace id, trace state
 * and priority; what is kept is copied, with its new trace state. Threads: everything is fixed at start; see batch_rewrite.
 */
#include <math.h>

#include "collector/base/log.h"
#include "collector/processors/any_value.h"
#include "collector/processors/batch_rewrite.h"
#include "collector/processors/sampling.h"

enum mode { MODE_NEVER, MODE_HASH_SEED, MODE_EQUALIZING, MODE_PROPORTIONAL };

/* Why a record was not kept. */
enum reason { NOT_SAMPLED, BY_PRIORITY, MISSING_RANDOMNESS, BAD_STATE, STATE_IN_USE, INCONSISTENT, REASON_COUNT };

static const char *const reasons[REASON_COUNT] = { "not_sampled", "sampling_priority", "missing_randomness", "malformed_sampling_state",
    "sampling_state_in_use", "inconsistent_threshold" };

struct probabilistic_sampler {
    struct component base;
    double sampling_percentage;
    int64_t hash_seed, sampling_precision;
    const char *mode_name, *attribute_source, *from_attribute, *sampling_priority;
    bool fail_closed;
    /* made of these at start */
    enum mode mode;
    double ratio;
    uint64_t threshold; /* of a record that was not sampled before */
    uint32_t hashed_seed;
    bool by_record;
    struct slice attribute, priority;
    char state[3 + 3 + SAMPLING_DIGITS]; /* "ot=th:c", what most spans get */
    size_t state_size;
    struct batch_rewrite rewrite;
};

#define OPTION(field) offsetof(struct probabilistic_sampler, field)

static const struct option options[] = {
    { "sampling_percentage", OPTION_DOUBLE, OPTION(sampling_percentage), "0", "0..", "how many of a hundred are kept; 100 and more: all" },
    { "mode", OPTION_STRING, OPTION(mode_name), "hash_seed", "proportional|equalizing|hash_seed",
        "hash_seed: by a hash of the trace id or attribute; proportional: this share of what comes, whatever was sampled before; "
        "equalizing: what "
        "was sampled before counts" },
    { "hash_seed", OPTION_INT, OPTION(hash_seed), "0", "0..4294967295",
        "hash_seed: collectors of one tier have the same, those of the next another one" },
    { "fail_closed", OPTION_BOOL, OPTION(fail_closed), "true", NULL,
        "what cannot be decided on (no trace id, malformed trace state) is dropped; else kept" },
    { "sampling_precision", OPTION_INT, OPTION(sampling_precision), "4", "1..14", "hexadecimal digits of the threshold" },
    { "attribute_source", OPTION_STRING, OPTION(attribute_source), "traceID", "traceID|record",
        "log records: what hash_seed hashes, the trace id or from_attribute" },
    { "from_attribute", OPTION_STRING, OPTION(from_attribute), NULL, NULL,
        "log records: attribute that is hashed with attribute_source record, or when there is no trace id" },
    { "sampling_priority", OPTION_STRING, OPTION(sampling_priority), NULL, NULL,
        "log records: attribute that holds a percentage of its own" },
    { 0 },
};

/* ---- settings ---- */

static bool sampler_validate(struct component *component, struct error *err)
{
    const struct probabilistic_sampler *self = (const struct probabilistic_sampler *)component;
    double ratio = (double)(float)self->sampling_percentage / 100;

    if (ratio != 0 && ratio < 1.0 / (double)SAMPLING_NEVER)
        return fail(err, "sampling_percentage: %g is too small, the least is 100 * 2^-56", self->sampling_percentage);
    return true;
}

static enum mode mode_of(const struct probabilistic_sampler *self)
{
    if (self->sampling_percentage == 0)
        return MODE_NEVER;
    if (strcmp(self->mode_name, "equalizing") == 0)
        return MODE_EQUALIZING;
    return strcmp(self->mode_name, "hash_seed") == 0 ? MODE_HASH_SEED : MODE_PROPORTIONAL;
}

/* As the collector does it: in single precision, 14 bits, rounded down. */
static void set_hash_threshold(struct probabilistic_sampler *self, float percentage)
{
    enum { BUCKETS = 0x4000 };
    uint32_t rate = (uint32_t)(percentage * (float)(BUCKETS / 100.0));

    if (rate == 0) {
        log_warn(self->base.path, "sampling_percentage %g is less than hash_seed can tell from 0: nothing is kept", (double)percentage);
        self->mode = MODE_NEVER;
    }
    self->threshold = (uint64_t)(BUCKETS - rate) << 42;
}

static bool sampler_start(struct component *component, struct error *err)
{
    struct probabilistic_sampler *self = (struct probabilistic_sampler *)component;
    float percentage = self->sampling_percentage > 100 ? 100 : (float)self->sampling_percentage;

    (void)err;
    batch_rewrite_init(&self->rewrite);
    self->by_record = strcmp(self->attribute_source, "record") == 0;
    self->attribute = slice_of_string(self->from_attribute);
    self->priority = slice_of_string(self->sampling_priority);
    self->mode = mode_of(self);
    self->ratio = (double)percentage / 100;
    self->hashed_seed = sampling_hash_seed((uint32_t)self->hash_seed);
    self->threshold = SAMPLING_NEVER;
    if (self->mode == MODE_HASH_SEED)
        set_hash_threshold(self, percentage);
    else if (self->mode != MODE_NEVER)
        sampling_threshold_of(self->ratio, (int)self->sampling_precision, &self->threshold);
    memcpy(self->state, "ot=th:", 6);
    self->state_size = 6 + sampling_write_threshold(self->threshold, self->state + 6);
    return true;
}

static void sampler_stop(struct component *component)
{
    batch_rewrite_fini(&((struct probabilistic_sampler *)component)->rewrite);
}

/* ---- the decision ---- */

/* A span or log record to be decided on. */
struct candidate {
    struct sampling_state state;
    bool carried;                /* the state is understood, and written back when the record is kept */
    bool missing;                /* there is nothing to decide by */
    uint64_t randomness, hashed; /* hashed: of the trace id that begins a span, where encoders put it */
    enum reason fault;           /* NOT_SAMPLED: none */
    uint64_t priority;           /* threshold by priority */
    bool prioritized;
    bool randomness_is_new, threshold_is_new, threshold_is_gone;
};

/* Field by field: nearly all spans leave most of it unused. */
static void candidate_init(struct candidate *candidate)
{
    candidate->state.text = candidate->state.ot = (struct slice){ NULL, 0 };
    candidate->state.has_threshold = candidate->state.has_randomness = false;
    candidate->carried = true;
    candidate->missing = candidate->prioritized = false;
    candidate->fault = NOT_SAMPLED;
    candidate->randomness = candidate->hashed = candidate->priority = 0;
    candidate->randomness_is_new = candidate->threshold_is_new = candidate->threshold_is_gone = false;
}

static uint64_t threshold_for(const struct probabilistic_sampler *self, const struct sampling_state *state)
{
    uint64_t threshold;

    if (!state->has_threshold || self->mode == MODE_NEVER || self->mode == MODE_HASH_SEED)
        return self->threshold;
    if (self->mode == MODE_EQUALIZING)
        return state->threshold > self->threshold ? state->threshold : self->threshold;
    if (!sampling_threshold_of(sampling_probability_of(state->threshold) * self->ratio, (int)self->sampling_precision, &threshold))
        return SAMPLING_NEVER;
    return threshold;
}

/* A record that says it was sampled with a threshold that its randomness does not reach says something wrong. */
static void check_consistency(struct candidate *candidate)
{
    if (candidate->fault != NOT_SAMPLED)
        return;
    if (candidate->missing) {
        candidate->fault = MISSING_RANDOMNESS;
    } else if (candidate->carried && candidate->state.has_threshold && candidate->state.threshold > candidate->randomness) {
        candidate->fault = INCONSISTENT;
        candidate->state.has_threshold = false;
        candidate->threshold_is_gone = true;
    }
}

/* A threshold that was written before is never lowered. */
static void note_threshold(struct candidate *candidate, uint64_t threshold)
{
    struct sampling_state *state = &candidate->state;

    if (state->has_threshold && state->threshold > threshold)
        return;
    state->has_threshold = true;
    state->threshold = threshold;
    state->threshold_text = (struct slice){ NULL, 0 };
    candidate->threshold_is_new = true;
}

static bool decide(const struct probabilistic_sampler *self, struct candidate *candidate)
{
    uint64_t threshold;

    check_consistency(candidate);
    if (candidate->fault != NOT_SAMPLED)
        threshold = self->fail_closed ? SAMPLING_NEVER : SAMPLING_ALWAYS;
    else
        threshold = threshold_for(self, &candidate->state);
    if (candidate->prioritized)
        threshold = candidate->priority;
    if (threshold > candidate->randomness)
        return false;
    if (candidate->carried)
        note_threshold(candidate, threshold);
    return true;
}

static enum reason reason_of(const struct candidate *candidate)
{
    return candidate->prioritized ? BY_PRIORITY : candidate->fault;
}

static void miss(struct candidate *candidate)
{
    candidate->missing = true;
    candidate->randomness = SAMPLING_RANDOM_MAX;
}

static void give_randomness(struct candidate *candidate)
{
    candidate->state.has_randomness = true;
    candidate->state.randomness = candidate->randomness;
    candidate->state.randomness_text = (struct slice){ NULL, 0 };
    candidate->randomness_is_new = true;
}

/* hash_seed leaves alone what was sampled in another mode. */
static void claim_state(struct candidate *candidate, bool even_if_missing)
{
    if (!candidate->carried) {
        candidate->fault = BAD_STATE;
    } else if (candidate->state.has_randomness || candidate->state.has_threshold) {
        candidate->fault = STATE_IN_USE;
        candidate->carried = false;
    } else if (!candidate->missing || even_if_missing) {
        give_randomness(candidate);
    }
}

static bool is_trace_id(struct slice id)
{
    static const uint8_t zero[16];

    return id.size == sizeof(zero) && memcmp(id.data, zero, sizeof(zero)) != 0;
}

/* For the modes that go by the specification: what the record says, or its trace id. */
static void take_randomness(const struct probabilistic_sampler *self, struct candidate *candidate, struct slice trace_id)
{
    if (!candidate->carried)
        candidate->fault = BAD_STATE;
    if (self->mode == MODE_NEVER)
        candidate->randomness = SAMPLING_RANDOM_MAX;
    else if (candidate->carried && candidate->state.has_randomness)
        candidate->randomness = candidate->state.randomness;
    else if (candidate->carried && is_trace_id(trace_id))
        candidate->randomness = sampling_randomness_of_trace(trace_id.data);
    else
        miss(candidate);
}

/* ---- spans ---- */

enum { SPAN_TRACE_ID = 1, SPAN_TRACE_STATE = 3, SPAN_ATTRIBUTES = OTLP_ATTRIBUTES_OF_SPAN };
#define PRIORITY_KEY SLICE("sampling.priority")

enum { TRACE_ID_HEAD = 2, TRACE_ID_SIZE = 16 };

struct span {
    struct slice body;
    struct slice trace_id, trace_state, trace_state_field, priority; /* priority: content of its KeyValue */
};

/* Is the attribute that begins here another one? Told by its key's size, where encoders put it; false: look closer. */
static inline bool is_other_attribute(const uint8_t *at, size_t size)
{
    return otlp_is_plain_key_value(at + 2, size - 2) && at[3] != sizeof("sampling.priority") - 1;
}

/* Takes the field that begins here, with a tag and a length of one byte each; false: look closer. */
static inline bool scan_short(const uint8_t *at, size_t size, struct span *span)
{
    switch (at[0]) {
    case SPAN_ATTRIBUTES << 3 | PB_BYTES:
        return is_other_attribute(at, size);
    case SPAN_TRACE_ID << 3 | PB_BYTES:
        span->trace_id = (struct slice){ at + 2, size - 2 };
        return true;
    case SPAN_TRACE_STATE << 3 | PB_BYTES:
        span->trace_state = (struct slice){ at + 2, size - 2 };
        span->trace_state_field = (struct slice){ at, size };
        return true;
    default:
        return true;
    }
}

static void scan_span(const uint8_t *at, const uint8_t *end, struct span *span)
{
    struct pb_reader reader = { at, end, false };
    struct pb_field field;

    *span = (struct span){ .body = { at, (size_t)(end - at) } };
    for (;;) {
        size_t size = pb_short_size(reader.at, (size_t)(reader.end - reader.at));
        if (size > 0 && scan_short(reader.at, size, span)) {
            reader.at += size;
            continue;
        }
        if (!pb_next(&reader, &field))
            break;
        if (field.number == SPAN_TRACE_ID) {
            span->trace_id = field.bytes;
        } else if (field.number == SPAN_TRACE_STATE) {
            span->trace_state = field.bytes;
            span->trace_state_field = field.raw;
        } else if (field.number == SPAN_ATTRIBUTES && span->priority.data == NULL && slice_equal(otlp_key_of(field.bytes), PRIORITY_KEY)) {
            span->priority = field.bytes;
        }
    }
}

/* sampling.priority of OpenTracing: 0 drops, more keeps; anything else says nothing. */
static void read_priority(struct candidate *candidate, struct slice key_value)
{
    struct pb_reader reader = pb_reader_of(key_value);
    struct otlp_value value = { .kind = OTLP_VALUE_EMPTY };
    struct pb_field field;
    double number = -1;

    while (pb_next(&reader, &field)) {
        if (field.number == 2)
            value = otlp_value_of(field.bytes);
    }
    if (value.kind == OTLP_VALUE_INT)
        number = value.integer > 0 ? 1 : value.integer < 0 ? -1 : 0;
    else if (value.kind == OTLP_VALUE_DOUBLE)
        number = value.number;
    else if (value.kind != OTLP_VALUE_STRING || !any_value_parse_double(value.bytes, &number))
        return;
    candidate->prioritized = number >= 0;
    candidate->priority = number > 0 ? SAMPLING_ALWAYS : SAMPLING_NEVER;
}

static void look_at_span(const struct probabilistic_sampler *self, const struct span *span, struct candidate *candidate)
{
    candidate->carried = true;
    if (span->trace_state.size > 0)
        candidate->carried = sampling_state_parse(span->trace_state, &candidate->state);
    if (self->mode != MODE_HASH_SEED) {
        take_randomness(self, candidate, span->trace_id);
    } else {
        if (!is_trace_id(span->trace_id))
            miss(candidate);
        else if (span->trace_id.data == span->body.data + TRACE_ID_HEAD)
            candidate->randomness = candidate->hashed;
        else
            candidate->randomness = sampling_randomness_of_bytes(span->trace_id, self->hashed_seed);
        claim_state(candidate, true);
    }
    if (span->priority.data != NULL)
        read_priority(candidate, span->priority);
}

/* The span with another trace state, in the place of the one that it had. */
static void put_span(struct rewrite_worker *worker, const struct span *span, struct slice state)
{
    struct slice body = worker->rewrite.record.body, old = span->trace_state_field;
    size_t before = old.data != NULL ? (size_t)(old.data - body.data) : body.size;
    size_t field = 1 + pb_varint_size(state.size) + state.size, size = body.size - old.size + field;
    struct buffer *out = otlp_rewrite_replace_record(&worker->rewrite);

    if (!buffer_reserve(out, size + 2 * 10))
        return;
    pb_put_tag(out, OTLP_RECORDS_FIELD, PB_BYTES);
    pb_put_raw_varint(out, size);
    buffer_append(out, body.data, before);
    pb_put_bytes(out, SPAN_TRACE_STATE, state);
    buffer_append(out, body.data + before + old.size, body.size - before - old.size);
}

static void keep_span(
    const struct probabilistic_sampler *self, struct rewrite_worker *worker, const struct span *span, const struct candidate *candidate)
{
    struct slice state;

    if (!candidate->carried)
        return;
    if (span->trace_state.size == 0 && !candidate->state.has_randomness && candidate->state.threshold == self->threshold) {
        put_span(worker, span, slice_of(self->state, self->state_size));
        return;
    }
    buffer_clear(&worker->value);
    sampling_state_write(&candidate->state, &worker->value);
    state = buffer_slice(&worker->value);
    worker->failed = worker->failed || worker->value.failed;
    if (!slice_equal(state, span->trace_state))
        put_span(worker, span, state);
}

static void visit_span(const struct probabilistic_sampler *self, struct rewrite_worker *worker, size_t dropped[REASON_COUNT])
{
    const struct slice *body = &worker->rewrite.record.body;
    struct candidate candidate;
    struct span span;

    candidate_init(&candidate);
    /* before the scan, so that the processor does both at once */
    if (self->mode == MODE_HASH_SEED && body->size >= TRACE_ID_HEAD + TRACE_ID_SIZE)
        candidate.hashed = sampling_randomness_of_bytes(slice_of(body->data + TRACE_ID_HEAD, TRACE_ID_SIZE), self->hashed_seed);
    scan_span(body->data, body->data + body->size, &span);
    look_at_span(self, &span, &candidate);
    if (decide(self, &candidate)) {
        keep_span(self, worker, &span, &candidate);
    } else {
        dropped[reason_of(&candidate)]++;
        otlp_rewrite_drop_record(&worker->rewrite);
    }
}

/* ---- log records ---- */

#define THRESHOLD_KEY SLICE("sampling.threshold")
#define RANDOMNESS_KEY SLICE("sampling.randomness")

/* The text of an attribute; data NULL when there is none, or it is empty or no text. */
static struct slice text_of(struct slice body, struct slice key)
{
    struct otlp_value value;

    if (!otlp_find_attribute(body, OTLP_ATTRIBUTES_OF_LOG, key, &value) || value.kind != OTLP_VALUE_STRING || value.bytes.size == 0)
        return (struct slice){ NULL, 0 };
    return value.bytes;
}

static void read_log_state(struct slice body, struct candidate *candidate)
{
    struct sampling_state *state = &candidate->state;

    state->threshold_text = text_of(body, THRESHOLD_KEY);
    state->randomness_text = text_of(body, RANDOMNESS_KEY);
    state->has_threshold = state->threshold_text.data != NULL && sampling_parse_threshold(state->threshold_text, &state->threshold);
    state->has_randomness = state->randomness_text.data != NULL && sampling_parse_randomness(state->randomness_text, &state->randomness);
    candidate->carried =
        state->has_threshold == (state->threshold_text.data != NULL) && state->has_randomness == (state->randomness_text.data != NULL);
}

/* The bytes of the attribute that stands for the record; none: empty. */
static struct slice bytes_of_attribute(const struct probabilistic_sampler *self, struct rewrite_worker *worker, struct slice body)
{
    struct otlp_value value;

    if (self->attribute.size == 0 || !otlp_find_attribute(body, OTLP_ATTRIBUTES_OF_LOG, self->attribute, &value))
        return (struct slice){ NULL, 0 };
    if (value.kind == OTLP_VALUE_STRING || value.kind == OTLP_VALUE_BYTES)
        return value.bytes;
    buffer_clear(&worker->value);
    any_value_put_text(&value, &worker->value);
    worker->failed = worker->failed || worker->value.failed;
    return buffer_slice(&worker->value);
}

static void hash_log(
    const struct probabilistic_sampler *self, struct rewrite_worker *worker, struct slice trace_id, struct candidate *candidate)
{
    struct slice bytes = trace_id;

    if (self->by_record || !is_trace_id(trace_id))
        bytes = bytes_of_attribute(self, worker, worker->rewrite.record.body);
    if (bytes.size > 0)
        candidate->randomness = sampling_randomness_of_bytes(bytes, self->hashed_seed);
    else
        miss(candidate);
    claim_state(candidate, false);
}

static void read_log_priority(const struct probabilistic_sampler *self, struct slice body, struct candidate *candidate)
{
    struct otlp_value value;
    double number = 0;

    if (self->priority.size == 0 || !otlp_find_attribute(body, OTLP_ATTRIBUTES_OF_LOG, self->priority, &value))
        return;
    if (value.kind == OTLP_VALUE_DOUBLE)
        number = value.number / 100;
    else if (value.kind == OTLP_VALUE_INT)
        number = (double)value.integer / 100;
    candidate->prioritized = number != 0 && sampling_threshold_of(number, (int)self->sampling_precision, &candidate->priority);
}

static void set_text(struct edit *edit, struct slice key, const char *digits, size_t size)
{
    const struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = slice_of(digits, size) };

    edit_set_attribute(edit, key, &value);
}

static void keep_log(struct rewrite_worker *worker, const struct candidate *candidate)
{
    char digits[SAMPLING_DIGITS];

    if (!candidate->randomness_is_new && !candidate->threshold_is_new && !candidate->threshold_is_gone)
        return;
    edit_open(&worker->edit, worker->rewrite.record.body, OTLP_ATTRIBUTES_OF_LOG);
    if (candidate->threshold_is_gone)
        edit_remove_attribute(&worker->edit, THRESHOLD_KEY);
    if (candidate->randomness_is_new)
        set_text(&worker->edit, RANDOMNESS_KEY, digits, sampling_write_randomness(candidate->state.randomness, digits));
    if (candidate->threshold_is_new)
        set_text(&worker->edit, THRESHOLD_KEY, digits, sampling_write_threshold(candidate->state.threshold, digits));
    worker->failed = worker->failed || worker->edit.failed;
    otlp_rewrite_set_record(&worker->rewrite, &worker->edit);
}

static void visit_log(const struct probabilistic_sampler *self, struct rewrite_worker *worker, size_t dropped[REASON_COUNT])
{
    struct slice body = worker->rewrite.record.body;
    struct candidate candidate;
    struct otlp_log log;

    candidate_init(&candidate);
    otlp_log_view(body, &log);
    read_log_state(body, &candidate);
    if (self->mode == MODE_HASH_SEED)
        hash_log(self, worker, log.trace_id, &candidate);
    else
        take_randomness(self, &candidate, log.trace_id);
    read_log_priority(self, body, &candidate);
    if (decide(self, &candidate)) {
        keep_log(worker, &candidate);
    } else {
        dropped[reason_of(&candidate)]++;
        otlp_rewrite_drop_record(&worker->rewrite);
    }
}

/* ---- batches ---- */

static void visit(struct component *component, struct rewrite_worker *worker)
{
    const struct probabilistic_sampler *self = (const struct probabilistic_sampler *)component;
    size_t dropped[REASON_COUNT] = { 0 };

    while (otlp_rewrite_next(&worker->rewrite)) {
        if (worker->signal == SIGNAL_TRACES)
            visit_span(self, worker, dropped);
        else
            visit_log(self, worker, dropped);
    }
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (dropped[i] > 0)
            component_count_dropped(component, worker->signal, reasons[i], dropped[i]);
    }
}

static void sampler_consume(struct component *component, struct batch *batch)
{
    batch_rewrite_run(&((struct probabilistic_sampler *)component)->rewrite, component, visit, batch);
}

const struct component_type probabilistic_sampler_processor = {
    .name = "probabilistic_sampler",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_TRACES | SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Keeps a share of spans and log records, and writes down with what probability.",
    .options = options,
    .instance_size = sizeof(struct probabilistic_sampler),
    .validate = sampler_validate,
    .start = sampler_start,
    .stop = sampler_stop,
    .consume = sampler_consume,
};
