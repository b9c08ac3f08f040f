/*
 * Sessions: reading into the loop's scratch memory and, only while a message is not whole, into the session's own; output that waits; ticks.
 *
 * Cost: an idle session is one allocation of some 400 bytes and its protocol's state. Bytes that are used at once are not copied.
 * Threads: the session's loop, but for the reference count.
 */
#include "collector/net/stream_session.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "collector/base/clock.h"

enum { READS_AT_ONCE = 8, OUTPUT_MAX = 4 << 20 };
static const int64_t tick_period = NANOS_PER_SECOND / 4;
static const int64_t handshake_limit = 20 * NANOS_PER_SECOND;
static const int64_t write_limit = 60 * NANOS_PER_SECOND;

/* ---- what others see ---- */

void *stream_session_state(struct stream_session *session)
{
    return session->state;
}

void *stream_session_context(const struct stream_session *session)
{
    return session->shard->server->service.context;
}

const char *stream_session_peer(const struct stream_session *session)
{
    return session->peer;
}

struct loop *stream_session_loop(const struct stream_session *session)
{
    return session->loop;
}

bool stream_session_is_closed(const struct stream_session *session)
{
    return session->closed;
}

bool stream_session_has_ended(const struct stream_session *session)
{
    return session->ended;
}

void stream_session_ref(struct stream_session *session)
{
    atomic_fetch_add(&session->references, 1);
}

void stream_session_unref(struct stream_session *session)
{
    if (atomic_fetch_sub(&session->references, 1) == 1)
        free(session);
}

/* ---- closing ---- */

static void unlink_from_shard(struct stream_session *session)
{
    struct stream_shard *shard = session->shard;
    struct stream_server *server = shard->server;

    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        shard->sessions = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
    pthread_mutex_lock(&server->lock);
    atomic_fetch_sub(&shard->load, 1);
    pthread_cond_broadcast(&server->emptied);
    pthread_mutex_unlock(&server->lock);
}

static void unwatch(struct stream_session *session)
{
    if (!session->unwatched)
        loop_remove(session->loop, &session->watch);
    session->unwatched = true;
}

static void post_delivery(struct stream_session *session);

static void close_now(struct stream_session *session)
{
    const struct stream_protocol *protocol = session->shard->server->service.protocol;

    if (session->closed)
        return;
    if (protocol->closed != NULL)
        protocol->closed(session);
    session->closed = true;
    unwatch(session);
    transport_shutdown(&session->transport);
    transport_fini(&session->transport);
    buffer_fini(&session->in);
    buffer_fini(&session->out);
    unlink_from_shard(session);
    session->shard = NULL;
    stream_session_unref(session);
}

static void report(struct stream_session *session, const char *reason)
{
    const struct stream_service *service = &session->shard->server->service;

    if (service->fault != NULL)
        service->fault(service->context, session->peer, reason);
}

void stream_session_close(struct stream_session *session, const char *reason)
{
    if (session->closed || session->closing)
        return;
    if (reason != NULL)
        report(session, reason);
    session->closing = true;
    post_delivery(session);
}

static bool has_output(const struct stream_session *session)
{
    return session->out.size > session->out_sent;
}

/* ---- what is watched ---- */

static uint32_t wanted_events(const struct stream_session *session)
{
    const struct transport *transport = &session->transport;
    bool reads = !session->waiting && !session->ended && !session->closing && !session->shard->draining;
    uint32_t events = 0;

    if (reads)
        events |= EPOLLIN | (transport->read_wants_write ? (uint32_t)EPOLLOUT : 0);
    if (has_output(session))
        events |= transport->write_wants_read ? EPOLLIN : EPOLLOUT;
    return events;
}

/* After anything that may have changed the session: closes it when it is through, watches what it waits for. */
static void settle(struct stream_session *session)
{
    bool through =
        session->closing || (session->ended && session->told_end && !session->busy) || (session->shard->draining && !session->busy);
    uint32_t events;

    if (through && !has_output(session)) {
        close_now(session);
        return;
    }
    events = wanted_events(session);
    if ((events & EPOLLIN) != 0 && transport_pending(&session->transport))
        post_delivery(session);
    if (events == session->events || session->unwatched)
        return;
    session->events = events;
    if (!loop_change(session->loop, &session->watch, events))
        close_now(session);
}

/* ---- output ---- */

/* false: the connection is broken, and what was to be sent is dropped. */
static bool flush_output(struct stream_session *session)
{
    while (has_output(session)) {
        ssize_t count = transport_write(&session->transport, session->out.data + session->out_sent, session->out.size - session->out_sent);

        if (count == TRANSPORT_WAIT)
            return true;
        if (count <= 0) {
            session->ended = true;
            break;
        }
        session->out_sent += (size_t)count;
        session->out_progress = loop_now(session->loop);
    }
    buffer_fini(&session->out);
    session->out_sent = 0;
    return !session->ended;
}

void stream_session_send(struct stream_session *session, struct slice bytes)
{
    if (session->closed || session->closing)
        return;
    if (!has_output(session))
        session->out_progress = loop_now(session->loop);
    session->out.limit = OUTPUT_MAX;
    buffer_append_slice(&session->out, bytes);
    if (session->out.failed) {
        buffer_fini(&session->out);
        session->out_sent = 0;
        stream_session_close(session, "answers_not_taken");
        return;
    }
    flush_output(session);
    post_delivery(session); /* what is watched may have changed, and the caller may be deep in `received` */
}

/* ---- input ---- */

static bool may_deliver(const struct stream_session *session)
{
    return !session->closed && !session->closing && !session->waiting && !session->shard->draining;
}

/* Hands over as often as something is used. Returns how much of it was used in all. */
static size_t hand_in(struct stream_session *session, struct slice bytes)
{
    const struct stream_protocol *protocol = session->shard->server->service.protocol;
    size_t used = 0;

    while (used < bytes.size && may_deliver(session)) {
        size_t now = protocol->received(session, slice_of(bytes.data + used, bytes.size - used));

        if (now == 0)
            break;
        used += now;
    }
    return used;
}

static void keep(struct stream_session *session, struct slice rest)
{
    const struct stream_server *server = session->shard->server;

    session->in.limit = server->settings.max_pending + LOOP_SCRATCH_SIZE;
    buffer_append_slice(&session->in, rest);
    if (session->in.failed)
        stream_session_close(session, session->in.size + rest.size > session->in.limit ? "too_large" : "memory");
}

static void deliver_kept(struct stream_session *session)
{
    size_t used;

    if (session->in.size == 0)
        return;
    used = hand_in(session, buffer_slice(&session->in));
    if (used == session->in.size) {
        buffer_fini(&session->in);
        return;
    }
    if (used > 0)
        memmove(session->in.data, session->in.data + used, session->in.size - used);
    session->in.size -= used;
    if (!session->waiting && session->in.size > session->shard->server->settings.max_pending)
        stream_session_close(session, "too_large");
}

static void deliver(struct stream_session *session, struct slice bytes)
{
    if (session->in.size == 0) {
        size_t used = hand_in(session, bytes);

        if (used < bytes.size)
            keep(session, slice_of(bytes.data + used, bytes.size - used));
        return;
    }
    keep(session, bytes);
    if (!session->closing)
        deliver_kept(session);
}

static void tell_end(struct stream_session *session)
{
    const struct stream_protocol *protocol = session->shard->server->service.protocol;

    if (!session->ended || session->told_end || session->waiting)
        return;
    session->told_end = true;
    if (protocol->ended != NULL && !session->closing && !session->shard->draining)
        protocol->ended(session, buffer_slice(&session->in));
}

/* Large messages need memory of their own, which is asked for. */
static bool may_read(struct stream_session *session)
{
    const struct admission *admission = &session->shard->server->service.admission;

    if (!may_deliver(session) || session->ended)
        return false;
    if (session->in.size < LOOP_SCRATCH_SIZE || admission->admit == NULL || admission->admit(admission->context, session->in.size))
        return true;
    stream_session_wait(session);
    return false;
}

static void read_some(struct stream_session *session)
{
    uint8_t *scratch = loop_scratch(session->loop, LOOP_SCRATCH_READ);

    for (int i = 0; scratch != NULL && i < READS_AT_ONCE && may_read(session); i++) {
        ssize_t count = transport_read(&session->transport, scratch, LOOP_SCRATCH_SIZE);

        if (count == TRANSPORT_WAIT)
            return;
        session->read_at = loop_now(session->loop);
        if (count > 0)
            deliver(session, slice_of(scratch, (size_t)count));
        else
            session->ended = true;
        if (count > 0 && count < LOOP_SCRATCH_SIZE && !transport_pending(&session->transport))
            return; /* the socket says when there is more */
    }
}

static void on_events(struct loop_watch *watch, uint32_t events)
{
    struct stream_session *session = (struct stream_session *)watch;

    stream_session_ref(session);
    if (has_output(session))
        flush_output(session);
    if ((session->events & EPOLLIN) != 0)
        read_some(session);
    else if ((events & (EPOLLERR | EPOLLHUP)) != 0 && !session->ended) {
        session->ended = true;
        buffer_fini(&session->out); /* nobody reads it */
        session->out_sent = 0;
    }
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 && session->ended)
        unwatch(session); /* it would be announced again and again */
    if (!session->closed) {
        tell_end(session);
        settle(session);
    }
    stream_session_unref(session);
}

/* ---- again ---- */

static void run_task(struct loop_task *task)
{
    struct stream_session *session = (struct stream_session *)((char *)task - offsetof(struct stream_session, task));

    session->task_posted = false;
    if (!session->closed && may_deliver(session)) {
        deliver_kept(session);
        if (transport_pending(&session->transport))
            read_some(session);
    }
    if (!session->closed) {
        tell_end(session);
        settle(session);
    }
    stream_session_unref(session);
}

static void post_delivery(struct stream_session *session)
{
    if (session->task_posted || session->closed)
        return;
    session->task_posted = true;
    stream_session_ref(session);
    loop_post_task(session->loop, &session->task);
}

void stream_session_wait(struct stream_session *session)
{
    session->waiting = true;
}

void stream_session_resume(struct stream_session *session)
{
    session->waiting = false;
    post_delivery(session);
}

void stream_session_set_busy(struct stream_session *session, bool busy)
{
    session->busy = busy;
    post_delivery(session);
}

/* ---- ticks ---- */

/* Why the session must end now; NULL: it need not. */
static const char *overdue(const struct stream_session *session, int64_t now)
{
    int64_t stall = session->shard->server->settings.stall_ns;

    if (transport_handshaking(&session->transport) && now - session->opened_at > handshake_limit)
        return "tls_handshake";
    if (has_output(session) && now - session->out_progress > write_limit)
        return "answers_not_taken";
    if (session->in.size > 0 && !session->waiting && !session->busy && stall > 0 && now - session->read_at > stall)
        return "stalled";
    return NULL;
}

static void tick_session(struct stream_session *session, int64_t now)
{
    const struct stream_protocol *protocol = session->shard->server->service.protocol;
    const char *reason = overdue(session, now);

    if (protocol->tick != NULL)
        protocol->tick(session, now);
    if (session->waiting)
        stream_session_resume(session);
    if (reason == NULL)
        return;
    buffer_fini(&session->out);
    session->out_sent = 0;
    stream_session_close(session, reason);
    settle(session);
}

static void tick(void *context)
{
    struct stream_shard *shard = context;
    int64_t now = loop_now(shard->loop);
    struct stream_session *session = shard->sessions, *next;

    if (shard == &shard->server->shards[0] && !shard->draining)
        stream_server_resume_accepting(shard->server);
    for (; session != NULL; session = next) {
        next = session->next;
        tick_session(session, now);
    }
    if (shard->sessions != NULL)
        loop_timer_move(shard->timer, tick_period);
    else
        shard->ticking = false;
}

void stream_shard_keep_ticking(struct stream_shard *shard)
{
    if (shard->ticking)
        return;
    if (shard->timer == NULL)
        shard->timer = loop_timer_start(shard->loop, tick_period, 0, tick, shard);
    else
        loop_timer_move(shard->timer, tick_period);
    shard->ticking = shard->timer != NULL;
}

/* ---- shards ---- */

void stream_shard_drain(struct stream_shard *shard)
{
    struct stream_session *session = shard->sessions, *next;

    shard->draining = true;
    for (; session != NULL; session = next) {
        next = session->next;
        settle(session);
    }
}

void stream_shard_stop(struct stream_shard *shard)
{
    while (shard->sessions != NULL)
        close_now(shard->sessions);
    loop_timer_stop(shard->timer);
    shard->timer = NULL;
}

static bool add_to_shard(struct stream_session *session)
{
    struct stream_shard *shard = session->shard;

    if (!loop_add(session->loop, &session->watch, EPOLLIN, NULL))
        return false;
    session->next = shard->sessions;
    if (session->next != NULL)
        session->next->previous = session;
    shard->sessions = session;
    stream_shard_keep_ticking(shard);
    return true;
}

static struct stream_session *create(struct stream_shard *shard, int fd, const char *peer)
{
    struct stream_session *session = calloc(1, sizeof(*session) + shard->server->service.protocol->state_size);

    if (session == NULL) {
        close(fd);
        return NULL;
    }
    if (!transport_init(&session->transport, fd, shard->server->tls)) {
        free(session);
        return NULL;
    }
    if (session->transport.ssl != NULL)
        SSL_set_num_tickets(session->transport.ssl, 0); /* a client that never reads would reset the connection, and lose its last bytes */
    session->watch = (struct loop_watch){ fd, on_events };
    session->task.run = run_task;
    atomic_init(&session->references, 1);
    session->shard = shard;
    session->loop = shard->loop;
    session->events = EPOLLIN;
    session->opened_at = session->read_at = loop_now(shard->loop);
    memcpy(session->peer, peer, sizeof(session->peer));
    return session;
}

void stream_session_open(struct stream_shard *shard, int fd, const char *peer)
{
    const struct stream_protocol *protocol = shard->server->service.protocol;
    struct stream_session *session = create(shard, fd, peer);

    if (session != NULL && add_to_shard(session)) {
        if (protocol->opened != NULL)
            protocol->opened(session);
        if (shard->draining)
            settle(session);
        return;
    }
    if (session != NULL) {
        transport_fini(&session->transport);
        free(session);
    }
    atomic_fetch_sub(&shard->load, 1);
}
