/*
 * Pieces under way, one list a session, in order. A receipt tells on any thread; what follows is a task on the session's loop.
 * Limits: PIECES_MAX pieces a session; each is one `received`, so at most some megabytes.
 */
#include "collector/stream_intake.h"

#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"

enum { PIECES_MAX = 16 };
static const int64_t first_pause = 250 * NANOS_PER_MILLI, longest_pause = 5 * NANOS_PER_SECOND;
static const int64_t patience = 60 * NANOS_PER_SECOND; /* with a peer that has gone */

enum piece_state { PIECE_UNDER_WAY, PIECE_WAITING, PIECE_DONE };

struct intake_piece {
    struct loop_task task;          /* first, so that a task is a piece */
    struct stream_session *session; /* one reference */
    struct intake *intake;          /* as long as the session is open */
    struct intake_piece *next;
    struct batch *held; /* without a receipt; NULL: done */
    enum receipt_level level;
    enum piece_state state;
    struct outcome outcome;
    int64_t due, since;
    unsigned failures;
    size_t records, reply_size;
    uint8_t reply[];
};

void intake_init(struct intake *intake, struct component *component, const char *transport, struct stream_session *session)
{
    *intake = (struct intake){ .component = component, .transport = transport, .session = session };
}

bool intake_has_room(struct intake *intake)
{
    const struct intake_piece *last = intake->last;
    bool held_up = intake->pieces >= PIECES_MAX || (last != NULL && last->state == PIECE_WAITING) ||
                   (intake->pieces > 0 && component_crowded(intake->component));

    if (held_up)
        stream_session_wait(intake->session);
    return !held_up;
}

static void destroy(struct intake_piece *piece)
{
    batch_settle(piece->held, OUTCOME_ACCEPTED); /* nobody waits for this handle */
    stream_session_unref(piece->session);
    free(piece);
}

/* ---- done ---- */

static void finish(struct intake_piece *piece, struct outcome outcome)
{
    struct intake *intake = piece->intake;

    component_count_received(intake->component, SIGNAL_LOGS, intake->transport, piece->records, outcome);
    if (outcome.verdict == VERDICT_REJECTED)
        log_warn(intake->component->path, "%zu log records from %s were refused for good: %s", piece->records,
            stream_session_peer(piece->session), outcome.reason != NULL ? outcome.reason : "refused");
    batch_settle(piece->held, OUTCOME_ACCEPTED);
    piece->held = NULL;
    piece->state = PIECE_DONE;
    piece->outcome = outcome;
}

/* Replies are in order: those at the front that are done go out. A piece that was given up has none. */
static void reply(struct intake *intake)
{
    while (intake->first != NULL && intake->first->state == PIECE_DONE) {
        struct intake_piece *piece = intake->first;

        intake->first = piece->next;
        if (intake->first == NULL)
            intake->last = NULL;
        intake->pieces--;
        if (piece->reply_size > 0 && piece->outcome.verdict != VERDICT_RETRY)
            stream_session_send(intake->session, slice_of(piece->reply, piece->reply_size));
        destroy(piece);
    }
    if (intake->first == NULL)
        stream_session_set_busy(intake->session, false);
}

/* ---- not now ---- */

static bool is_hopeless(const struct intake_piece *piece, int64_t now)
{
    return stream_session_has_ended(piece->session) && (piece->reply_size > 0 || now - piece->since > patience);
}

static void defer(struct intake_piece *piece, struct outcome outcome)
{
    int64_t now = loop_now(stream_session_loop(piece->session)), pause = first_pause;

    if (is_hopeless(piece, now)) {
        finish(piece, outcome);
        return;
    }
    for (unsigned i = 0; i < piece->failures && pause < longest_pause; i++)
        pause *= 2;
    if (pause > longest_pause)
        pause = longest_pause;
    if (piece->failures++ == 0)
        log_info(piece->intake->component->path, "log records from %s are not taken now (%s): the sender is held up until they are",
            stream_session_peer(piece->session), outcome.reason != NULL ? outcome.reason : "refused");
    piece->due = now + (pause > outcome.retry_after_ns ? pause : outcome.retry_after_ns);
    piece->state = PIECE_WAITING;
}

static void run_told(struct loop_task *task)
{
    struct intake_piece *piece = (struct intake_piece *)task;
    struct intake *intake = piece->intake;

    if (stream_session_is_closed(piece->session)) {
        destroy(piece);
        return;
    }
    if (piece->outcome.verdict == VERDICT_RETRY)
        defer(piece, piece->outcome);
    else
        finish(piece, piece->outcome);
    reply(intake);
    if (intake->last == NULL || intake->last->state != PIECE_WAITING)
        stream_session_resume(intake->session);
}

static void told(void *context, struct outcome outcome)
{
    struct intake_piece *piece = context;

    piece->outcome = outcome;
    loop_post_task(stream_session_loop(piece->session), &piece->task);
}

/* ---- under way ---- */

static void emit(struct intake_piece *piece)
{
    struct receipt *receipt = receipt_create(piece->level, told, piece);

    piece->state = PIECE_UNDER_WAY;
    if (receipt == NULL) {
        defer(piece, outcome_retry("memory", 0));
        return;
    }
    component_emit(piece->intake->component, batch_share_with(piece->held, receipt)); /* without memory the receipt tells so */
}

static struct batch *batch_of(struct component *component, const struct intake_work *work)
{
    struct payload *payload = component_admit(component, work->records.size) ? payload_create(work->records.size) : NULL;

    if (payload == NULL)
        return NULL;
    if (work->records.size > 0)
        memcpy(payload->data, work->records.data, work->records.size);
    payload->size = work->records.size;
    return batch_create(SIGNAL_LOGS, payload, work->count, NULL);
}

static struct intake_piece *create(struct intake *intake, const struct intake_work *work)
{
    struct batch *batch = batch_of(intake->component, work);
    struct intake_piece *piece = batch != NULL ? malloc(sizeof(*piece) + work->reply.size) : NULL;

    if (piece == NULL) {
        batch_settle(batch, OUTCOME_ACCEPTED);
        return NULL;
    }
    *piece = (struct intake_piece){ .task = { .run = run_told },
        .session = intake->session,
        .intake = intake,
        .held = batch,
        .level = work->level,
        .since = loop_now(stream_session_loop(intake->session)),
        .records = work->count,
        .reply_size = work->reply.size };
    if (work->reply.size > 0)
        memcpy(piece->reply, work->reply.data, work->reply.size);
    stream_session_ref(intake->session);
    return piece;
}

bool intake_take(struct intake *intake, const struct intake_work *work)
{
    struct intake_piece *piece = create(intake, work);

    if (piece == NULL) {
        stream_session_wait(intake->session);
        return false;
    }
    if (intake->last != NULL)
        intake->last->next = piece;
    else
        intake->first = piece;
    intake->last = piece;
    if (intake->pieces++ == 0)
        stream_session_set_busy(intake->session, true);
    emit(piece);
    return true;
}

void intake_tick(struct intake *intake, int64_t now)
{
    for (struct intake_piece *piece = intake->first, *next; piece != NULL; piece = next) {
        next = piece->next;
        if (piece->state == PIECE_WAITING && piece->due <= now)
            emit(piece);
    }
    if (intake->first != NULL)
        reply(intake);
}

void intake_close(struct intake *intake)
{
    for (struct intake_piece *piece = intake->first, *next; piece != NULL; piece = next) {
        next = piece->next;
        if (piece->state == PIECE_UNDER_WAY)
            continue; /* the receipt tells, and finds the session closed */
        if (piece->state == PIECE_WAITING)
            component_count_received(
                intake->component, SIGNAL_LOGS, intake->transport, piece->records, outcome_retry("connection_closed", 0));
        destroy(piece);
    }
    intake->first = intake->last = NULL;
    intake->pieces = 0;
}
