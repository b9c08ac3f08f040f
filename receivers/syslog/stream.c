/* A session's logs: all that are whole in what was read become one batch. Nothing is answered; a sender that is too fast is not read. */
#include "collector/base/clock.h"
#include "receivers/syslog/listener.h"

enum { BATCH_BYTES = 1 << 20, BATCH_LIMIT = 1 << 30 };

struct stream_state {
    struct intake intake;
    size_t scanned; /* of the log that is not whole yet */
};

struct taking {
    struct log_source source;
    struct stream_state *state;
    struct buffer out;
    struct otlp_logs logs;
    bool lies; /* an octet count that is none */
};

static struct taking begin(struct stream_session *session)
{
    struct log_listener *self = stream_session_context(session);
    struct taking taking = { .state = stream_session_state(session), .out = { .limit = BATCH_LIMIT } };
    const char *peer = stream_session_peer(session);

    taking.source = (struct log_source){ self, &self->tcp, strcmp(peer, "unix") == 0 ? "Unix" : "IP.TCP", peer, clock_wall_nanos() };
    return taking;
}

static size_t take_frames(struct taking *taking, struct slice bytes)
{
    size_t used = 0;
    struct frame frame;

    while (used < bytes.size && taking->out.size < BATCH_BYTES) {
        enum frame_read read =
            frame_read(&taking->source.self->framing, slice_of(bytes.data + used, bytes.size - used), &taking->state->scanned, &frame);

        taking->lies = read == FRAME_BAD;
        if (read != FRAME_WHOLE)
            break;
        log_append(&taking->source, &frame, &taking->logs);
        used += frame.size;
    }
    return used;
}

/* false: there is no memory for it, and the same bytes will come again. */
static bool pass_on(struct taking *taking)
{
    struct component *base = &taking->source.self->base;
    struct intake_work work = { .count = taking->logs.records, .level = RECEIPT_ACCEPTED };

    if (taking->logs.records == 0)
        return true;
    otlp_logs_end(&taking->logs);
    if (taking->out.failed) {
        stream_session_wait(taking->state->intake.session);
        return false;
    }
    work.records = buffer_slice(&taking->out);
    if (!intake_take(&taking->state->intake, &work))
        return false;
    if (taking->logs.repaired > 0)
        component_count_repaired(base, SIGNAL_LOGS, taking->logs.repaired);
    return true;
}

static size_t received(struct stream_session *session, struct slice bytes)
{
    struct taking taking = begin(session);
    size_t used;

    if (!intake_has_room(&taking.state->intake))
        return 0;
    otlp_logs_begin(&taking.logs, &taking.out, buffer_slice(&taking.source.self->raw_resource));
    used = take_frames(&taking, bytes);
    if (!pass_on(&taking)) {
        taking.state->scanned = 0;
        used = 0;
    } else if (taking.lies) {
        stream_session_close(session, "octet_count");
    }
    buffer_fini(&taking.out);
    return used;
}

/* A last line needs no end; a counted message is cut, and taken as far as it came. */
static void ended(struct stream_session *session, struct slice rest)
{
    struct taking taking = begin(session);
    struct frame frame = { rest, rest, rest.size };

    if (rest.size == 0)
        return;
    otlp_logs_begin(&taking.logs, &taking.out, buffer_slice(&taking.source.self->raw_resource));
    log_append(&taking.source, &frame, &taking.logs);
    if (!pass_on(&taking))
        component_count_dropped(&taking.source.self->base, SIGNAL_LOGS, "memory", 1);
    buffer_fini(&taking.out);
}

static void opened(struct stream_session *session)
{
    struct log_listener *self = stream_session_context(session);
    struct stream_state *state = stream_session_state(session);

    intake_init(&state->intake, &self->base, self->tls_present ? "tls" : "tcp", session);
}

static void tick(struct stream_session *session, int64_t now)
{
    struct stream_state *state = stream_session_state(session);

    intake_tick(&state->intake, now);
}

static void closed(struct stream_session *session)
{
    struct stream_state *state = stream_session_state(session);

    intake_close(&state->intake);
}

const struct stream_protocol log_stream_protocol = {
    .state_size = sizeof(struct stream_state),
    .opened = opened,
    .received = received,
    .ended = ended,
    .tick = tick,
    .closed = closed,
};
