/*
 * A session's messages: all that are whole in what was read become one batch, and their acknowledgements its reply.
 * Cost: each byte is scanned once for the message's end, and read twice; compressed entries are inflated whole, within max_message_size.
 */
#include "collector/base/clock.h"
#include "receivers/fluent_forward/fluent_forward.h"

enum { BATCH_BYTES = 1 << 20, BATCH_MESSAGES = 4096, GROWTH_MAX = 8 };

struct taking { /* what one call of `received` makes */
    struct stream_session *session;
    struct fluent_session *state;
    const struct fluent_receiver *self;
    struct buffer out, replies;
    struct otlp_logs logs;
    size_t messages;
    uint64_t now;
    const char *fault; /* static; NULL: none */
    bool no_memory;
};

static const char *fault_of(enum inflate_result result)
{
    return result == INFLATE_TOO_LARGE ? "too_large" : "corrupt";
}

/* The entries as they are, or inflated into *owner. false: see taking. */
static bool unpack(struct taking *taking, const struct fluent_message *message, struct slice *entries, struct payload **owner)
{
    struct fluent_receiver *self = (struct fluent_receiver *)taking->self;
    struct admission admission = { (bool (*)(void *, size_t))component_admit, self };
    enum coding coding = message->compression == FLUENT_GZIP ? CODING_GZIP : CODING_ZSTD;
    enum inflate_result result;

    *entries = message->entries;
    if (message->compression == FLUENT_PLAIN || message->mode != FLUENT_PACKED)
        return true;
    if (message->compression == FLUENT_UNKNOWN_COMPRESSION) {
        taking->fault = "unknown_compression";
        return false;
    }
    result = inflate_payload(coding, message->entries, (size_t)self->max_message_size, &admission, owner);
    taking->no_memory = result == INFLATE_NO_MEMORY;
    if (result != INFLATE_OK && result != INFLATE_NO_MEMORY)
        taking->fault = fault_of(result);
    if (result == INFLATE_OK)
        *entries = payload_slice(*owner);
    return result == INFLATE_OK;
}

/* All of the message's records, or none. */
static bool append_message(struct taking *taking, const struct fluent_message *message)
{
    size_t size = taking->out.size, records = taking->logs.records, repaired = taking->logs.repaired;
    struct payload *owner = NULL;
    struct slice entries;
    bool read = unpack(taking, message, &entries, &owner);

    if (read && !fluent_append_records(message, entries, taking->now, &taking->logs)) {
        read = false;
        taking->fault = taking->out.failed ? "too_large" : "malformed";
    }
    payload_unref(owner);
    if (read) {
        if (message->chunk.data != NULL)
            fluent_append_ack(message->chunk, &taking->replies);
        taking->messages++;
        return true;
    }
    taking->out.failed = false;
    taking->out.size = size;
    taking->logs.records = records;
    taking->logs.repaired = repaired;
    return false;
}

static bool take_message(struct taking *taking, struct slice bytes)
{
    struct fluent_message message;

    if (taking->state->stage == FLUENT_EXPECTING_PING) {
        fluent_check_ping(taking->session, bytes);
        return taking->state->stage == FLUENT_RECEIVING;
    }
    if (!fluent_read_message(bytes, &message)) {
        taking->fault = "malformed";
        return false;
    }
    return append_message(taking, &message);
}

/* Every message is an array of two to six; what begins otherwise need not be waited for. */
static bool begins_message(struct slice bytes)
{
    return bytes.data[0] >= 0x92 && bytes.data[0] <= 0x96;
}

/* Returns how many bytes the whole messages have. */
static size_t take_messages(struct taking *taking, struct slice bytes)
{
    struct msgpack_scan *scan = &taking->state->scan;
    size_t used = 0;

    while (used < bytes.size && taking->out.size < BATCH_BYTES && taking->messages < BATCH_MESSAGES) {
        struct slice rest = slice_of(bytes.data + used, bytes.size - used);
        enum msgpack_scanned scanned = MSGPACK_BAD;

        if (begins_message(rest))
            scanned = msgpack_scan(scan, rest, (size_t)taking->self->max_message_size);
        if (scanned == MSGPACK_BAD)
            taking->fault = "malformed";
        if (scanned != MSGPACK_WHOLE || !take_message(taking, slice_of(rest.data, scan->offset)))
            break;
        used += scan->offset;
        *scan = (struct msgpack_scan){ 0 };
    }
    return used;
}

/* false: there is no memory for it, and the same bytes will come again. */
static bool pass_on(struct taking *taking)
{
    struct intake_work work = { .count = taking->logs.records, .reply = buffer_slice(&taking->replies) };

    if (taking->messages == 0)
        return true;
    otlp_logs_end(&taking->logs);
    if (taking->out.failed || taking->replies.failed) {
        stream_session_wait(taking->session);
        return false;
    }
    work.records = buffer_slice(&taking->out);
    work.level = work.reply.size > 0 ? RECEIPT_DURABLE : RECEIPT_ACCEPTED;
    if (!intake_take(&taking->state->intake, &work))
        return false;
    if (taking->logs.repaired > 0)
        component_count_repaired(taking->state->intake.component, SIGNAL_LOGS, taking->logs.repaired);
    return true;
}

static size_t received(struct stream_session *session, struct slice bytes)
{
    struct taking taking = { .session = session, .state = stream_session_state(session), .self = stream_session_context(session) };
    size_t used;

    if (!intake_has_room(&taking.state->intake))
        return 0;
    taking.out.limit = (size_t)taking.self->max_message_size * GROWTH_MAX + BATCH_BYTES;
    taking.now = clock_wall_nanos();
    otlp_logs_begin(&taking.logs, &taking.out, slice_of(NULL, 0));
    used = take_messages(&taking, bytes);
    if (!pass_on(&taking)) {
        taking.state->scan = (struct msgpack_scan){ 0 };
        used = 0;
    } else if (taking.no_memory) {
        stream_session_wait(session);
    } else if (taking.fault != NULL) {
        stream_session_close(session, taking.fault);
    }
    buffer_fini(&taking.out);
    buffer_fini(&taking.replies);
    return used;
}

static void opened(struct stream_session *session)
{
    struct fluent_receiver *self = stream_session_context(session);
    struct fluent_session *state = stream_session_state(session);

    intake_init(&state->intake, &self->base, self->tls_present ? "tls" : "tcp", session);
    if (self->security_present && fluent_greet(session))
        state->stage = FLUENT_EXPECTING_PING;
}

static void ended(struct stream_session *session, struct slice rest)
{
    struct fluent_receiver *self = stream_session_context(session);

    if (rest.size > 0)
        component_count_dropped(&self->base, SIGNAL_LOGS, "truncated", 1);
}

static void tick(struct stream_session *session, int64_t now)
{
    struct fluent_session *state = stream_session_state(session);

    intake_tick(&state->intake, now);
}

static void closed(struct stream_session *session)
{
    struct fluent_session *state = stream_session_state(session);

    intake_close(&state->intake);
}

const struct stream_protocol fluent_protocol = {
    .state_size = sizeof(struct fluent_session),
    .opened = opened,
    .received = received,
    .ended = ended,
    .tick = tick,
    .closed = closed,
};
