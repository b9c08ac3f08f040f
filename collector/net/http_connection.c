/*
 * Connections of the HTTP server: output that the socket does not take at once, deadlines, the lingering close.
 * An idle connection is one allocation of some 500 bytes; buffers exist only while bytes wait in them.
 */
#include "collector/net/http_connection.h"

#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/http_pacing.h"

enum { LINGER_BYTES_MAX = 4 * 1024 * 1024, LINGER_READS = 4, BODY_RATE_MIN = 256 };
static const int64_t body_stall_limit = 60 * NANOS_PER_SECOND;
static const int64_t linger_time = 2 * NANOS_PER_SECOND;
static const int64_t linger_time_draining = NANOS_PER_SECOND / 10;

static const struct http_protocol linger_protocol; /* below */

/* ---- the task: later, or free ---- */

static void update_watch(struct http_connection *connection);

static void run_task(struct loop_task *task)
{
    struct http_connection *connection = (struct http_connection *)((char *)task - offsetof(struct http_connection, task));

    connection->task_posted = false;
    if (connection->closed) {
        free(connection);
        return;
    }
    if (connection->resume_wanted) {
        connection->resume_wanted = false;
        connection->protocol->resume(connection);
        update_watch(connection);
    }
}

static void post(struct http_connection *connection)
{
    if (connection->task_posted)
        return;
    connection->task_posted = true;
    loop_post_task(connection->shard->loop, &connection->task);
}

void http_connection_later(struct http_connection *connection)
{
    connection->resume_wanted = true;
    post(connection);
}

/* ---- what is watched ---- */

bool http_connection_has_output(const struct http_connection *connection)
{
    return connection->out.size > connection->out_sent;
}

static uint32_t wanted_events(const struct http_connection *connection)
{
    const struct transport *transport = &connection->transport;
    uint32_t events = 0;

    if (connection->reading)
        events |= EPOLLIN | (transport->read_wants_write ? (uint32_t)EPOLLOUT : 0);
    if (http_connection_has_output(connection))
        events |= transport->write_wants_read ? EPOLLIN : EPOLLOUT;
    return events;
}

static void update_watch(struct http_connection *connection)
{
    uint32_t events = wanted_events(connection);

    if (connection->closed)
        return;
    if (connection->reading && transport_pending(&connection->transport))
        http_connection_later(connection); /* the socket will not announce it */
    if (events == connection->events)
        return;
    connection->events = events;
    if (!loop_change(connection->shard->loop, &connection->watch, events))
        http_connection_close(connection);
}

void http_connection_set_reading(struct http_connection *connection, bool reading)
{
    connection->reading = reading;
    update_watch(connection);
}

/* ---- output ---- */

static ssize_t write_some(struct http_connection *connection, struct slice bytes)
{
    size_t total = 0;

    while (total < bytes.size) {
        ssize_t count = transport_write(&connection->transport, bytes.data + total, bytes.size - total);

        if (count == TRANSPORT_FAILED)
            return TRANSPORT_FAILED;
        if (count == TRANSPORT_WAIT)
            break;
        total += (size_t)count;
    }
    return (ssize_t)total;
}

static void keep_output(struct http_connection *connection, struct slice rest)
{
    if (!http_connection_has_output(connection))
        connection->out_progress = http_connection_now(connection);
    buffer_append_slice(&connection->out, rest);
    if (connection->out.failed) {
        http_connection_close(connection);
        return;
    }
    http_connection_set_deadline(connection, connection->deadline);
    update_watch(connection);
}

bool http_connection_send(struct http_connection *connection, struct slice bytes)
{
    ssize_t sent = 0;

    if (connection->closed)
        return false;
    if (!http_connection_has_output(connection))
        sent = write_some(connection, bytes);
    if (sent == TRANSPORT_FAILED) {
        http_connection_close(connection);
        return false;
    }
    if ((size_t)sent < bytes.size)
        keep_output(connection, slice_of(bytes.data + sent, bytes.size - (size_t)sent));
    return !connection->closed;
}

static void start_lingering(struct http_connection *connection)
{
    int64_t limit = connection->shard->draining ? linger_time_draining : linger_time;

    connection->close_when_written = false;
    transport_shutdown(&connection->transport);
    http_connection_set_deadline(connection, http_connection_now(connection) + limit);
    http_connection_set_reading(connection, true);
}

static void flush_output(struct http_connection *connection)
{
    struct buffer *out = &connection->out;
    ssize_t sent = write_some(connection, slice_of(out->data + connection->out_sent, out->size - connection->out_sent));

    if (sent == TRANSPORT_FAILED) {
        http_connection_close(connection);
        return;
    }
    if (sent > 0)
        connection->out_progress = http_connection_now(connection);
    connection->out_sent += (size_t)sent;
    if (http_connection_has_output(connection)) {
        update_watch(connection);
        return;
    }
    buffer_fini(out);
    connection->out_sent = 0;
    update_watch(connection);
    if (!connection->closed)
        connection->protocol->written(connection);
}

/* ---- events ---- */

static void on_events(struct loop_watch *watch, uint32_t events)
{
    struct http_connection *connection = (struct http_connection *)watch;

    if (http_connection_has_output(connection)) {
        flush_output(connection);
        if (connection->closed)
            return;
    }
    if (connection->reading) {
        if (events == EPOLLIN && http_pacing_parks(connection))
            return;
        if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 || connection->transport.read_wants_write)
            connection->protocol->readable(connection);
        update_watch(connection); /* a TLS read may have come to wait for the other direction */
    } else if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        http_connection_close(connection);
    }
}

/* ---- deadlines ---- */

void http_connection_set_deadline(struct http_connection *connection, int64_t at)
{
    if (http_connection_has_output(connection)) {
        int64_t output = http_time_after(connection->out_progress, connection->shard->settings->write_timeout_ns);

        at = output < at ? output : at;
    }
    connection->deadline = at;
    if (at < connection->shard->timer_due)
        http_shard_due(connection->shard, at);
}

void http_connection_advance_deadline(struct http_connection *connection, int64_t at)
{
    if (at < connection->deadline)
        http_connection_set_deadline(connection, at);
}

int64_t http_body_due(const struct http_connection *connection, struct http_body_progress progress)
{
    int64_t total = http_time_after(progress.began, connection->shard->settings->read_timeout_ns);
    int64_t credit = (int64_t)(progress.received / BODY_RATE_MIN) * NANOS_PER_SECOND;
    int64_t stalled = progress.last + body_stall_limit, slow = progress.began + body_stall_limit + credit;

    if (slow < stalled)
        stalled = slow;
    return stalled < total ? stalled : total;
}

/* ---- opening and closing ---- */

static void link_to_shard(struct http_connection *connection)
{
    struct http_shard *shard = connection->shard;

    connection->next = shard->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    shard->connections = connection;
}

static void unlink_from_shard(struct http_connection *connection)
{
    struct http_shard *shard = connection->shard;

    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        shard->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    atomic_fetch_sub_explicit(&shard->load, 1, memory_order_relaxed);
    if (shard->draining && shard->connections == NULL)
        shard->emptied(shard->server);
}

void http_connection_close(struct http_connection *connection)
{
    if (connection->closed)
        return;
    connection->closed = true;
    http_pacing_forget(connection);
    loop_remove(connection->shard->loop, &connection->watch);
    connection->protocol->closing(connection);
    transport_fini(&connection->transport);
    buffer_fini(&connection->out);
    post(connection); /* first, as the shard may be gone with its last connection */
    unlink_from_shard(connection);
}

void http_connection_fault(struct http_connection *connection, const char *reason)
{
    const struct http_service *service = connection->shard->service;

    if (service->fault != NULL)
        service->fault(service->context, connection->peer, reason);
}

/* ---- the lingering close ---- */

void http_connection_linger(struct http_connection *connection)
{
    if (connection->closed)
        return;
    connection->protocol->closing(connection);
    connection->protocol = &linger_protocol;
    connection->close_when_written = true;
    if (http_connection_has_output(connection))
        http_connection_set_reading(connection, false);
    else
        start_lingering(connection);
}

static void linger_readable(struct http_connection *connection)
{
    uint8_t *scratch = loop_scratch(connection->shard->loop, LOOP_SCRATCH_READ);

    if (scratch == NULL) {
        http_connection_close(connection);
        return;
    }
    for (int i = 0; i < LINGER_READS; i++) {
        ssize_t count = transport_read(&connection->transport, scratch, LOOP_SCRATCH_SIZE);

        if (count == TRANSPORT_WAIT)
            return;
        connection->lingered += count > 0 ? (size_t)count : 0;
        if (count <= 0 || connection->lingered > LINGER_BYTES_MAX) {
            http_connection_close(connection);
            return;
        }
    }
}

static void linger_written(struct http_connection *connection)
{
    if (connection->close_when_written)
        start_lingering(connection);
}

static void linger_expired(struct http_connection *connection)
{
    http_connection_close(connection);
}

static void linger_drain(struct http_connection *connection)
{
    if (!http_connection_has_output(connection))
        http_connection_set_deadline(connection, http_connection_now(connection) + linger_time_draining);
}

static void linger_nothing(struct http_connection *connection)
{
    (void)connection;
}

static const struct http_protocol linger_protocol = {
    .readable = linger_readable,
    .written = linger_written,
    .resume = linger_nothing,
    .expired = linger_expired,
    .drain = linger_drain,
    .closing = linger_nothing,
};

void http_connection_open(struct http_shard *shard, int fd, const char *peer)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL || !transport_init(&connection->transport, fd, shard->tls)) {
        if (connection == NULL)
            close(fd);
        free(connection);
        atomic_fetch_sub_explicit(&shard->load, 1, memory_order_relaxed);
        return;
    }
    connection->watch = (struct loop_watch){ fd, on_events };
    connection->task.run = run_task;
    connection->shard = shard;
    connection->protocol = &http1_protocol;
    connection->reading = true;
    connection->events = EPOLLIN;
    connection->deadline = INT64_MAX;
    memcpy(connection->peer, peer, sizeof(connection->peer));
    if (!loop_add(shard->loop, &connection->watch, EPOLLIN, NULL)) {
        transport_fini(&connection->transport);
        free(connection);
        atomic_fetch_sub_explicit(&shard->load, 1, memory_order_relaxed);
        return;
    }
    link_to_shard(connection);
    http1_begin(connection);
}
