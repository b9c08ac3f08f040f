/*
 * A session's frames: all events that are whole in what was read become one batch. Its reply acknowledges each window that ended
 * in it, and the last event of one that did not.
 * A compressed frame is inflated whole, within max_message_size; another one within it is refused.
 */
#include "collector/base/clock.h"
#include "receivers/lumberjack/lumberjack.h"

enum { BATCH_BYTES = 1 << 20, GROWTH_MAX = 8 };

struct taking { /* what one call of `received` makes */
    struct stream_session *session;
    struct lumberjack_session *state;
    struct lumberjack_receiver *self;
    struct lumberjack_session now; /* the session's state as it will be when all is taken */
    struct buffer out, replies, scratch;
    struct otlp_logs logs;
    uint32_t sequence; /* of the last event; 0: acknowledged, or none */
    uint64_t observed;
    const char *fault; /* static; NULL: none */
    bool no_memory;
};

static bool refuse(struct taking *taking, const char *fault)
{
    taking->fault = fault;
    return false;
}

static bool take_window(struct taking *taking, const struct lumberjack_frame *frame)
{
    taking->now.version = frame->version;
    taking->now.window = frame->number;
    return true;
}

static bool take_event(struct taking *taking, const struct lumberjack_frame *frame)
{
    if (taking->now.window == 0 || frame->version != taking->now.version)
        return refuse(taking, "malformed");
    if (!lumberjack_append_event(frame, taking->observed, &taking->scratch, &taking->logs))
        return refuse(taking, "too_large");
    taking->sequence = frame->number;
    if (--taking->now.window == 0) {
        lumberjack_append_ack(frame->version, frame->number, &taking->replies);
        taking->sequence = 0;
    }
    return true;
}

/* What a compressed frame holds: whole frames, and nothing else. */
static bool take_inner(struct taking *taking, struct slice bytes)
{
    struct lumberjack_frame frame;
    size_t size;

    for (; bytes.size > 0; bytes = slice_of(bytes.data + size, bytes.size - size)) {
        if (lumberjack_read_frame(bytes, bytes.size, &frame, &size) != LUMBERJACK_WHOLE || frame.kind == LUMBERJACK_COMPRESSED)
            return refuse(taking, "malformed");
        if (!(frame.kind == LUMBERJACK_WINDOW ? take_window(taking, &frame) : take_event(taking, &frame)))
            return false;
    }
    return true;
}

/* All of it or nothing: what is before it in this batch stays. */
static bool take_compressed(struct taking *taking, const struct lumberjack_frame *frame)
{
    struct admission admission = { (bool (*)(void *, size_t))component_admit, taking->self };
    struct payload *payload = NULL;
    enum inflate_result result;
    bool taken;

    if (taking->now.window == 0)
        return refuse(taking, "malformed");
    result = inflate_payload(CODING_ZLIB, frame->body, (size_t)taking->self->max_message_size, &admission, &payload);
    taking->no_memory = result == INFLATE_NO_MEMORY;
    if (result != INFLATE_OK)
        return taking->no_memory ? false : refuse(taking, result == INFLATE_TOO_LARGE ? "too_large" : "corrupt");
    taken = take_inner(taking, payload_slice(payload));
    payload_unref(payload);
    return taken;
}

static bool take_frame(struct taking *taking, const struct lumberjack_frame *frame)
{
    switch (frame->kind) {
    case LUMBERJACK_WINDOW:
        return take_window(taking, frame);
    case LUMBERJACK_COMPRESSED:
        return take_compressed(taking, frame);
    case LUMBERJACK_PAIRS:
    case LUMBERJACK_JSON:
        return take_event(taking, frame);
    }
    return false;
}

/* Returns how many bytes the whole frames have. What a frame that is not taken has written is taken back. */
static size_t take_frames(struct taking *taking, struct slice bytes)
{
    size_t used = 0, size;

    while (used < bytes.size && taking->out.size < BATCH_BYTES) {
        struct taking before = *taking;
        struct lumberjack_frame frame;
        enum lumberjack_read read =
            lumberjack_read_frame(slice_of(bytes.data + used, bytes.size - used), (size_t)taking->self->max_message_size, &frame, &size);

        if (read == LUMBERJACK_BAD)
            taking->fault = "malformed";
        if (read != LUMBERJACK_WHOLE)
            break;
        if (!take_frame(taking, &frame)) {
            taking->out.size = before.out.size;
            taking->out.failed = false;
            taking->replies.size = before.replies.size;
            taking->logs.records = before.logs.records;
            taking->logs.repaired = before.logs.repaired;
            taking->now = before.now;
            taking->sequence = before.sequence;
            break;
        }
        used += size;
    }
    return used;
}

/* false: there is no memory for it, and the same bytes will come again. */
static bool pass_on(struct taking *taking)
{
    struct intake_work work = { .count = taking->logs.records, .level = RECEIPT_DURABLE };

    if (taking->logs.records == 0)
        return true;
    otlp_logs_end(&taking->logs);
    if (taking->sequence != 0)
        lumberjack_append_ack(taking->now.version, taking->sequence, &taking->replies);
    if (taking->out.failed || taking->replies.failed) {
        stream_session_wait(taking->session);
        return false;
    }
    work.records = buffer_slice(&taking->out);
    work.reply = buffer_slice(&taking->replies);
    if (!intake_take(&taking->state->intake, &work))
        return false;
    if (taking->logs.repaired > 0)
        component_count_repaired(&taking->self->base, SIGNAL_LOGS, taking->logs.repaired);
    return true;
}

static size_t received(struct stream_session *session, struct slice bytes)
{
    struct taking taking = { .session = session, .state = stream_session_state(session), .self = stream_session_context(session) };
    size_t used;

    if (!intake_has_room(&taking.state->intake))
        return 0;
    taking.now = *taking.state;
    taking.out.limit = taking.scratch.limit = (size_t)taking.self->max_message_size * GROWTH_MAX + BATCH_BYTES;
    taking.observed = clock_wall_nanos();
    otlp_logs_begin(&taking.logs, &taking.out, slice_of(NULL, 0));
    used = take_frames(&taking, bytes);
    if (!pass_on(&taking)) {
        used = 0;
    } else {
        taking.state->window = taking.now.window;
        taking.state->version = taking.now.version;
        if (taking.no_memory)
            stream_session_wait(session);
        else if (taking.fault != NULL)
            stream_session_close(session, taking.fault);
    }
    buffer_fini(&taking.out);
    buffer_fini(&taking.replies);
    buffer_fini(&taking.scratch);
    return used;
}

static void opened(struct stream_session *session)
{
    struct lumberjack_receiver *self = stream_session_context(session);
    struct lumberjack_session *state = stream_session_state(session);

    intake_init(&state->intake, &self->base, self->tls_present ? "tls" : "tcp", session);
}

static void ended(struct stream_session *session, struct slice rest)
{
    struct lumberjack_receiver *self = stream_session_context(session);

    if (rest.size > 0)
        component_count_dropped(&self->base, SIGNAL_LOGS, "truncated", 1);
}

/* A client that waits for long takes us for dead. An acknowledgement of event 0 says nothing but that we are not. */
static void keep_alive(struct stream_session *session, int64_t now)
{
    const struct lumberjack_receiver *self = stream_session_context(session);
    struct lumberjack_session *state = stream_session_state(session);
    struct buffer out = { 0 };

    if (state->intake.pieces == 0 || state->version != '2') {
        state->kept_alive = now;
    } else if (now - state->kept_alive >= self->keepalive_ns) {
        state->kept_alive = now;
        lumberjack_append_ack(state->version, 0, &out);
        stream_session_send(session, buffer_slice(&out));
        buffer_fini(&out);
    }
}

static void tick(struct stream_session *session, int64_t now)
{
    struct lumberjack_session *state = stream_session_state(session);

    intake_tick(&state->intake, now);
    keep_alive(session, now);
}

static void closed(struct stream_session *session)
{
    struct lumberjack_session *state = stream_session_state(session);

    intake_close(&state->intake);
}

const struct stream_protocol lumberjack_protocol = {
    .state_size = sizeof(struct lumberjack_session),
    .opened = opened,
    .received = received,
    .ended = ended,
    .tick = tick,
    .closed = closed,
};
