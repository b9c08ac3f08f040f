/*
 * HTTP/1.1 on a connection: one request at a time, pipelined ones wait in `in` or in the kernel.
 *
 * A request whose head came with one read costs: that read (4 KiB at the most, so that little of the body is copied), one read
 * of the rest straight into its payload, one write. A body that is refused or not read is dropped, if it is short, and
 * the connection lives on; else the connection ends, lingering.
 * Threads: the shard's loop.
 */
#include <stdio.h>

#include "collector/base/clock.h"
#include "collector/net/http1_response.h"
#include "collector/net/http_exchange.h"

enum { FIRST_READ = 4096, DISCARD_MAX = 256 * 1024, CHUNKED_READ = 64 * 1024 };

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- waiting ---- */

static void wait_for_head(struct http_connection *connection)
{
    const struct http_server_settings *settings = connection->shard->settings;
    struct http1_state *http1 = &connection->http1;
    int64_t now = http_connection_now(connection);

    http1->state = HTTP1_HEAD;
    http1->began = now;
    http_connection_set_deadline(
        connection, http_time_after(now, http1->in.size > 0 ? settings->read_header_timeout_ns : settings->idle_timeout_ns));
    http_connection_set_reading(connection, !http_connection_has_output(connection));
    if (http1->in.size > 0 && connection->reading)
        http_connection_later(connection);
}

void http1_begin(struct http_connection *connection)
{
    wait_for_head(connection);
    if (connection->transport.ssl != NULL) /* the handshake comes first */
        http_connection_set_deadline(
            connection, http_time_after(connection->http1.began, connection->shard->settings->read_header_timeout_ns));
}

static void wait_for_body(struct http_connection *connection)
{
    const struct http1_state *http1 = &connection->http1;
    const struct payload *body = http1->exchange != NULL ? http1->exchange->body : NULL;
    struct http_body_progress progress = { http1->began, http_connection_now(connection), body != NULL ? body->size : http1->discarded };

    http_connection_set_deadline(connection, http_body_due(connection, progress));
}

/* ---- answering ---- */

static bool body_is_unread(const struct http1_state *http1)
{
    return http1->left > 0 || (http1->chunked && http1->chunks.state != HTTP1_CHUNKS_DONE);
}

/* Whether the next request can be found behind what is left of this one. */
static bool can_go_on(const struct http_connection *connection)
{
    const struct http1_state *http1 = &connection->http1;

    if (!http1->keep_alive || connection->shard->draining || http1->chunks.state == HTTP1_CHUNKS_BAD)
        return false;
    if (http1->continue_due && body_is_unread(http1))
        return false; /* the client may or may not send the body now */
    return http1->left <= DISCARD_MAX;
}

static void send_response(struct http_connection *connection, const struct http_response *response, bool keep_alive)
{
    struct http1_response_form form = { connection->http1.http10, keep_alive, connection->http1.head_only };
    struct buffer out = { .data = loop_scratch(connection->shard->loop, LOOP_SCRATCH_WRITE), .capacity = LOOP_SCRATCH_SIZE };
    bool borrowed = out.data != NULL && response->body.size < LOOP_SCRATCH_SIZE / 2;

    out.limit = borrowed ? LOOP_SCRATCH_SIZE : 0;
    if (!borrowed)
        out = (struct buffer){ 0 };
    http1_write_response(&out, response, form);
    if (out.failed)
        http_connection_close(connection);
    else
        http_connection_send(connection, buffer_slice(&out));
    if (!borrowed)
        buffer_fini(&out);
}

static void end_request(struct http_connection *connection, bool keep_alive)
{
    struct http1_state *http1 = &connection->http1;

    if (connection->closed)
        return;
    if (!keep_alive) {
        http_connection_linger(connection);
    } else if (body_is_unread(http1)) {
        http1->state = HTTP1_DISCARD;
        http1->discarded = 0;
        wait_for_body(connection);
        http_connection_set_reading(connection, !http_connection_has_output(connection));
        if (http1->in.size > 0 && connection->reading)
            http_connection_later(connection);
    } else {
        wait_for_head(connection);
    }
}

static void http1_reply(struct http_exchange *exchange, const struct http_response *response)
{
    struct http_connection *connection = exchange->connection;
    bool keep_alive = can_go_on(connection);

    connection->http1.exchange = NULL;
    send_response(connection, response, keep_alive);
    end_request(connection, keep_alive);
}

/* An answer to what never became an exchange. */
static void refuse_head(struct http_connection *connection, int status, const char *reason)
{
    static const struct http_header type = { SLICE_INIT("content-type"), SLICE_INIT("text/plain; charset=utf-8") };
    struct http_response response = { .status = status, .headers = &type, .header_count = 1 };
    char text[128];
    int length = snprintf(text, sizeof(text), "%d %s: %s\n", status, http_status_text(status), reason);

    http_connection_fault(connection, reason);
    response.body = slice_of(text, (size_t)length);
    connection->http1.head_only = false;
    send_response(connection, &response, false);
    http_connection_linger(connection);
}

/* The peer went away, or lost its way, in the middle of a request. */
static void give_up(struct http_connection *connection, const char *reason)
{
    http_connection_fault(connection, reason);
    http_connection_close(connection);
}

/* ---- bodies ---- */

/* Bytes behind the request that was read; they may lie in `in` already. */
static void keep_for_later(struct http_connection *connection, struct slice rest)
{
    struct buffer *in = &connection->http1.in;

    if (rest.size == 0) {
        buffer_fini(in);
    } else if (in->data != NULL && rest.data >= in->data && rest.data <= in->data + in->size) {
        memmove(in->data, rest.data, rest.size);
        in->size = rest.size;
    } else {
        buffer_clear(in);
        buffer_append_slice(in, rest);
        if (in->failed)
            http_connection_close(connection);
    }
    connection->http1.scanned = 0;
}

static bool is_gone(const struct http_connection *connection)
{
    return connection->closed || connection->protocol != &http1_protocol;
}

static void serve(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;

    http1->state = HTTP1_SERVING;
    http_connection_set_deadline(connection, http1->exchange->deadline);
    http_exchange_serve(http1->exchange);
}

/* Appends the data of the chunks to the exchange, or drops it when there is none. What follows the body is kept. */
static void feed_chunks(struct http_connection *connection, struct slice in)
{
    struct http1_state *http1 = &connection->http1;

    for (;;) {
        struct slice run = http1_chunks_next(&http1->chunks, &in);

        if (run.size == 0)
            break;
        http1->discarded += run.size;
        if (http1->exchange != NULL && !http_exchange_append(http1->exchange, run) && is_gone(connection))
            return; /* replied to; if the connection lives on, the rest is dropped */
    }
    if (http1->chunks.state == HTTP1_CHUNKS_BAD && http1->exchange != NULL) {
        http_exchange_destroy(http1->exchange);
        http1->exchange = NULL;
        refuse_head(connection, 400, "bad_chunk");
        return;
    }
    keep_for_later(connection, in);
}

/* Bytes at the front of the body, whatever its framing; afterwards `in` holds what is behind it. */
static void feed_body(struct http_connection *connection, struct slice in)
{
    struct http1_state *http1 = &connection->http1;
    size_t length = http1->left < in.size ? (size_t)http1->left : in.size;

    if (http1->chunked) {
        feed_chunks(connection, in);
        return;
    }
    http1->left -= length;
    http1->discarded += length;
    if (http1->exchange != NULL && !http_exchange_append(http1->exchange, slice_of(in.data, length)) && is_gone(connection))
        return;
    keep_for_later(connection, slice_of(in.data + length, in.size - length));
}

/* The body, or what is dropped of it, is read further or at its end. */
static void after_body_bytes(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;

    if (is_gone(connection))
        return;
    if (http1->state == HTTP1_BODY) {
        if (body_is_unread(http1))
            wait_for_body(connection);
        else
            serve(connection);
    } else if (http1->state == HTTP1_DISCARD) {
        if (http1->discarded > DISCARD_MAX || http1->chunks.state == HTTP1_CHUNKS_BAD)
            http_connection_linger(connection);
        else if (!body_is_unread(http1))
            wait_for_head(connection);
    } else if (http1->state == HTTP1_HEAD && http1->in.size > 0) {
        http_connection_later(connection); /* replied to from its head alone, with the next request behind it */
    }
}

/* One read into the payload itself. A second one at once is for TLS, which hands out what it has record by record. */
static void read_into_payload(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;
    ssize_t count;

    do {
        count = transport_read(&connection->transport, http_exchange_room(http1->exchange), (size_t)http1->left);
        if (count == 0 || count == TRANSPORT_FAILED) {
            give_up(connection, "truncated_body");
            return;
        }
        if (count == TRANSPORT_WAIT)
            break;
        http1->exchange->body->size += (size_t)count;
        http1->left -= (size_t)count;
    } while (http1->left > 0 && transport_pending(&connection->transport));
    after_body_bytes(connection);
}

/* Through the scratch buffer: chunks, and bodies that are dropped. */
static void read_through_scratch(struct http_connection *connection)
{
    uint8_t *scratch = loop_scratch(connection->shard->loop, LOOP_SCRATCH_READ);
    ssize_t count = scratch != NULL ? transport_read(&connection->transport, scratch, CHUNKED_READ) : TRANSPORT_FAILED;

    if (count == TRANSPORT_WAIT)
        return;
    if (count <= 0) {
        give_up(connection, "truncated_body");
        return;
    }
    feed_body(connection, slice_of(scratch, (size_t)count));
    after_body_bytes(connection);
}

/* ---- heads ---- */

static bool send_continue(struct http_connection *connection)
{
    connection->http1.continue_due = false;
    return http_connection_send(connection, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void start_request(struct http_connection *connection, const struct http1_head *head, struct slice rest)
{
    struct http1_state *http1 = &connection->http1;
    struct http_exchange *exchange = http_exchange_create(connection, &head->head);

    http1->keep_alive = head->keep_alive && !connection->shard->settings->no_keep_alive;
    http1->http10 = head->http10;
    http1->head_only = slice_equal(head->head.method, SLICE("HEAD"));
    http1->chunked = head->chunked;
    http1->chunks = (struct http1_chunks){ 0 };
    http1->left = head->content_length;
    http1->discarded = 0;
    http1->continue_due = head->expects_continue && rest.size == 0 && body_is_unread(http1);
    http1->state = HTTP1_BODY;
    if (exchange == NULL) {
        refuse_head(connection, 503, "out_of_memory");
        return;
    }
    http1->exchange = exchange;
    exchange->length = head->content_length;
    exchange->has_length = head->has_length;
    if (!http_exchange_begin(exchange)) {
        if (!is_gone(connection))
            feed_body(connection, rest); /* to drop it, and to keep what is behind it */
        after_body_bytes(connection);
        return;
    }
    feed_body(connection, rest);
    if (!is_gone(connection) && http1->continue_due && !send_continue(connection))
        return;
    after_body_bytes(connection);
}

static void take_incomplete_head(struct http_connection *connection, struct slice bytes)
{
    struct http1_state *http1 = &connection->http1;
    const struct http_server_settings *settings = connection->shard->settings;

    if (bytes.size >= settings->max_header_bytes) {
        bool in_first_line = memchr(bytes.data, '\n', bytes.size) == NULL;

        refuse_head(connection, in_first_line ? 414 : 431, in_first_line ? "long_target" : "large_head");
        return;
    }
    if (http1->in.size == 0) {
        buffer_append_slice(&http1->in, bytes);
        http1->began = http_connection_now(connection);
        http_connection_set_deadline(connection, earlier(http_time_after(http1->began, settings->read_header_timeout_ns),
                                                     http_time_after(http1->began, settings->read_timeout_ns)));
    }
    if (http1->in.failed)
        http_connection_close(connection);
}

/* The bytes from the front of a request on: in scratch, or all of `in`. */
static void take_head(struct http_connection *connection, uint8_t *bytes, size_t size)
{
    struct http1_state *http1 = &connection->http1;
    struct http1_head head;
    const char *reason;
    size_t end;
    int status;

    if (bytes[0] == 'P' && http1_preface(slice_of(bytes, size)) == HTTP1_PREFACE) {
        http2_take_over(connection, slice_of(bytes, size));
        return;
    }
    end = http1_find_end(slice_of(bytes, size), &http1->scanned);
    if (end == 0 || http1_preface(slice_of(bytes, size)) == HTTP1_PREFACE_PART) {
        take_incomplete_head(connection, slice_of(bytes, size));
        return;
    }
    if (http1->in.size == 0)
        http1->began = http_connection_now(connection);
    if (end > connection->shard->settings->max_header_bytes) {
        refuse_head(connection, 431, "large_head");
        return;
    }
    status = http1_parse_head(&head, bytes, end, &reason);
    if (status != 0) {
        refuse_head(connection, status, reason);
        return;
    }
    start_request(connection, &head, slice_of(bytes + end, size - end));
}

/* 0: nothing was read, or the connection is closed. */
static size_t read_head_bytes(struct http_connection *connection, uint8_t *into)
{
    ssize_t count = into != NULL ? transport_read(&connection->transport, into, FIRST_READ) : TRANSPORT_FAILED;

    if (count > 0)
        return (size_t)count;
    if (count == TRANSPORT_WAIT)
        return 0;
    if (connection->http1.in.size > 0)
        http_connection_fault(connection, "truncated_head");
    else if (transport_handshaking(&connection->transport))
        http_connection_fault(connection, "tls_handshake");
    http_connection_close(connection);
    return 0;
}

/* The first read was full, so the rest of the body is most likely there. */
static void read_on(struct http_connection *connection)
{
    const struct http1_state *http1 = &connection->http1;

    if (!is_gone(connection) && http1->state == HTTP1_BODY && !http1->chunked && http1->left > 0)
        read_into_payload(connection);
}

static void read_head(struct http_connection *connection)
{
    struct buffer *in = &connection->http1.in;
    size_t count;

    if (in->size == 0) {
        uint8_t *scratch = loop_scratch(connection->shard->loop, LOOP_SCRATCH_READ);

        count = read_head_bytes(connection, scratch);
        if (count > 0)
            take_head(connection, scratch, count);
        if (count == FIRST_READ)
            read_on(connection);
        return;
    }
    if (!buffer_reserve(in, FIRST_READ)) {
        http_connection_close(connection);
        return;
    }
    count = read_head_bytes(connection, in->data + in->size);
    if (count == 0)
        return;
    in->size += count;
    take_head(connection, in->data, in->size);
}

/* ---- the protocol's table ---- */

static void http1_readable(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;

    switch (http1->state) {
    case HTTP1_HEAD:
        read_head(connection);
        return;
    case HTTP1_BODY:
        if (http1->chunked)
            read_through_scratch(connection);
        else
            read_into_payload(connection);
        return;
    case HTTP1_DISCARD:
        read_through_scratch(connection);
        return;
    case HTTP1_SERVING:
        http_connection_set_reading(connection, false); /* a pipelined request, or the end: later */
        return;
    }
}

static void http1_resume(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;

    if (http1->state == HTTP1_HEAD && http1->in.size > 0) {
        take_head(connection, http1->in.data, http1->in.size);
    } else if (http1->state == HTTP1_DISCARD && http1->in.size > 0) {
        feed_body(connection, buffer_slice(&http1->in));
        after_body_bytes(connection);
    } else if (connection->reading) {
        http1_readable(connection);
    }
}

static void http1_written(struct http_connection *connection)
{
    if (connection->http1.state == HTTP1_HEAD)
        wait_for_head(connection);
    else if (connection->http1.state == HTTP1_DISCARD)
        http_connection_set_reading(connection, true);
}

static void http1_expired(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;

    switch (http1->state) {
    case HTTP1_HEAD:
        if (http1->in.size > 0)
            refuse_head(connection, 408, "header_timeout");
        else
            http_connection_close(connection);
        return;
    case HTTP1_BODY:
        http1->keep_alive = false;
        http_exchange_refuse(http1->exchange, HTTP_REFUSE_TIMEOUT);
        return;
    case HTTP1_DISCARD:
        give_up(connection, "body_timeout");
        return;
    case HTTP1_SERVING:
        return;
    }
}

static void http1_drain(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;

    if (http1->state == HTTP1_HEAD && http1->in.size == 0)
        http_connection_linger(connection);
}

static void http1_closing(struct http_connection *connection)
{
    struct http1_state *http1 = &connection->http1;

    buffer_fini(&http1->in);
    if (http1->exchange != NULL)
        http_exchange_abandon(http1->exchange);
    http1->exchange = NULL;
}

const struct http_protocol http1_protocol = {
    .readable = http1_readable,
    .written = http1_written,
    .resume = http1_resume,
    .expired = http1_expired,
    .drain = http1_drain,
    .reply = http1_reply,
    .closing = http1_closing,
};
