/*
 * HTTP/2 connections: bytes between the socket and nghttp2, and the times that end a connection (idle, age, keepalive).
 *
 * One read of up to 256 KiB an event; output is gathered, so that all answers of a burst leave with one write. While output waits,
 * nothing is read, so that a client that does not listen cannot make answers pile up.
 * Threads: the shard's loop.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/net/http2.h"

enum {
    CONNECTION_WINDOW = 16 * 1024 * 1024,
    STREAM_WINDOW_MAX = 8 * 1024 * 1024,
    STREAM_WINDOW_MIN = 256 * 1024,
    FRAME_ROOM = 20 * 1024, /* a frame of ours is smaller */
};
static const int64_t goaway_wait = NANOS_PER_SECOND; /* for streams that were opened before the notice came */
static const int64_t default_keepalive_timeout = 20 * NANOS_PER_SECOND;

/* ---- output ---- */

static bool is_gone(const struct http_connection *connection)
{
    return connection->closed || connection->protocol != &http2_protocol;
}

/* Sends what nghttp2 has, as much as the socket takes. */
static void send_frames(struct http2 *http2)
{
    struct http_connection *connection = http2->connection;
    uint8_t *scratch = loop_scratch(connection->shard->loop, LOOP_SCRATCH_WRITE);
    size_t size = 0;
    ssize_t count = -1;

    while (scratch != NULL && !http_connection_has_output(connection)) {
        const uint8_t *data;

        count = nghttp2_session_mem_send(http2->session, &data);
        if (count <= 0)
            break;
        if ((size_t)count > LOOP_SCRATCH_SIZE - size) {
            if (!http_connection_send(connection, slice_of(scratch, size)))
                return;
            size = 0;
        }
        if ((size_t)count > LOOP_SCRATCH_SIZE) {
            if (!http_connection_send(connection, slice_of(data, (size_t)count)))
                return;
            continue;
        }
        memcpy(scratch + size, data, (size_t)count);
        size += (size_t)count;
    }
    if (count < 0)
        http_connection_close(connection);
    else if (size > 0)
        http_connection_send(connection, slice_of(scratch, size));
}

static void flush(struct http2 *http2)
{
    struct http_connection *connection = http2->connection;

    send_frames(http2);
    if (is_gone(connection))
        return;
    if (!nghttp2_session_want_read(http2->session) && !nghttp2_session_want_write(http2->session))
        http_connection_linger(connection);
    else
        http_connection_set_reading(connection, !http_connection_has_output(connection));
}

void http2_wants_flush(struct http2 *http2)
{
    if (!http2->receiving)
        http_connection_later(http2->connection);
}

/* ---- input ---- */

void http2_terminate(struct http2 *http2, uint32_t code, const char *reason)
{
    http_connection_fault(http2->connection, reason);
    nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(http2->session), code,
        (const uint8_t *)reason, strlen(reason));
    nghttp2_session_terminate_session(http2->session, code);
    http2_wants_flush(http2);
}

static void receive(struct http2 *http2, struct slice bytes)
{
    ssize_t used;

    http2->last_read = http_connection_now(http2->connection);
    http2->receiving = true;
    used = nghttp2_session_mem_recv(http2->session, bytes.data, bytes.size);
    http2->receiving = false;
    if (used < 0)
        http2_terminate(http2,
            used == NGHTTP2_ERR_FLOODED || used == NGHTTP2_ERR_CALLBACK_FAILURE ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR,
            used == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? "bad_http2_preface" : "bad_http2");
    flush(http2);
}

static void http2_readable(struct http_connection *connection)
{
    uint8_t *scratch = loop_scratch(connection->shard->loop, LOOP_SCRATCH_READ);
    ssize_t count = scratch != NULL ? transport_read(&connection->transport, scratch, LOOP_SCRATCH_SIZE) : TRANSPORT_FAILED;

    if (count == TRANSPORT_WAIT)
        return;
    if (count <= 0)
        http_connection_close(connection);
    else
        receive(connection->http2, slice_of(scratch, (size_t)count));
}

static void http2_flush_connection(struct http_connection *connection)
{
    flush(connection->http2);
}

/* ---- the end of a connection ---- */

/* First a notice; streams that cross it on the way are still served. Then, a round trip later, the GOAWAY that counts. */
static void start_closing(struct http2 *http2)
{
    if (http2->closing != HTTP2_OPEN)
        return;
    http2->closing = HTTP2_NOTICE;
    http2->closing_since = http_connection_now(http2->connection);
    http2->ping_sent = http2->closing_since;
    nghttp2_submit_shutdown_notice(http2->session);
    nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, NULL);
    http_connection_advance_deadline(http2->connection, http2->closing_since + goaway_wait);
    http2_wants_flush(http2);
}

static void go_away(struct http2 *http2)
{
    http2->closing = HTTP2_GOAWAY;
    nghttp2_submit_goaway(
        http2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(http2->session), NGHTTP2_NO_ERROR, NULL, 0);
    http2_wants_flush(http2);
}

static void http2_drain(struct http_connection *connection)
{
    start_closing(connection->http2);
}

/* ---- times ---- */

static int64_t keepalive_timeout(const struct http_server_settings *settings)
{
    return settings->keepalive_timeout_ns > 0 ? settings->keepalive_timeout_ns : default_keepalive_timeout;
}

static int64_t keepalive_due(const struct http2 *http2, const struct http_server_settings *settings)
{
    if (http2->ping_sent != 0)
        return http2->ping_sent + keepalive_timeout(settings);
    return http_time_after(http2->last_read, settings->keepalive_time_ns);
}

/* false: the connection is closed. */
static bool check_keepalive(struct http2 *http2, int64_t now)
{
    const struct http_server_settings *settings = http2->connection->shard->settings;

    if (keepalive_due(http2, settings) > now)
        return true;
    if (http2->ping_sent == 0) {
        http2->ping_sent = now;
        nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, NULL);
        http2_wants_flush(http2);
        return true;
    }
    if (http2->last_read > http2->ping_sent) { /* it lives, whatever became of the answer */
        http2->ping_sent = 0;
        return true;
    }
    http_connection_fault(http2->connection, "keepalive_timeout");
    http_connection_close(http2->connection);
    return false;
}

static int64_t closing_due(const struct http2 *http2, const struct http_server_settings *settings)
{
    if (http2->closing == HTTP2_NOTICE)
        return http2->ping_sent == 0 ? 0 : http2->closing_since + goaway_wait;
    return http2->closing == HTTP2_GOAWAY ? http_time_after(http2->closing_since, settings->max_connection_age_grace_ns) : INT64_MAX;
}

/* false: the connection is closed. */
static bool check_closing(struct http2 *http2, int64_t now)
{
    const struct http_server_settings *settings = http2->connection->shard->settings;

    if (http2->closing == HTTP2_OPEN) {
        bool idle = http2->stream_count == 0 && now >= http_time_after(http2->idle_since, settings->idle_timeout_ns);

        if (idle || now >= http2->age_due)
            start_closing(http2);
        return true;
    }
    if (now < closing_due(http2, settings))
        return true;
    if (http2->closing == HTTP2_NOTICE) {
        go_away(http2);
        return true;
    }
    http_connection_close(http2->connection);
    return false;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_next_deadline(struct http2 *http2)
{
    const struct http_server_settings *settings = http2->connection->shard->settings;
    int64_t due = keepalive_due(http2, settings);

    if (http2->closing != HTTP2_OPEN)
        due = sooner(due, closing_due(http2, settings));
    else
        due = sooner(due, http2->age_due);
    if (http2->closing == HTTP2_OPEN && http2->stream_count == 0)
        due = sooner(due, http_time_after(http2->idle_since, settings->idle_timeout_ns));
    for (const struct http2_stream *i = http2->streams; i != NULL; i = i->next)
        due = sooner(due, http2_stream_due(http2, i));
    http_connection_set_deadline(http2->connection, due);
}

/* Answers are only submitted here, and streams freed when they are sent: the list stays as it is. */
static void http2_expired(struct http_connection *connection)
{
    struct http2 *http2 = connection->http2;
    int64_t now = http_connection_now(connection);

    for (struct http2_stream *i = http2->streams; i != NULL; i = i->next)
        if (http2_stream_due(http2, i) <= now)
            http2_stream_expire(http2, i);
    if (check_keepalive(http2, now) && check_closing(http2, now))
        set_next_deadline(http2);
}

/* ---- opening and closing ---- */

static nghttp2_session *create_session(struct http2 *http2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *session = NULL;

    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        http2_set_stream_callbacks(callbacks);
        nghttp2_option_set_no_closed_streams(option, 1);
        if (nghttp2_session_server_new2(&session, callbacks, http2, option) != 0)
            session = NULL;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return session;
}

static uint32_t stream_window(size_t max_body)
{
    if (max_body < STREAM_WINDOW_MIN)
        return STREAM_WINDOW_MIN;
    return max_body > STREAM_WINDOW_MAX ? STREAM_WINDOW_MAX : (uint32_t)max_body;
}

static bool send_preface(struct http2 *http2)
{
    const struct http_server_settings *settings = http2->connection->shard->settings;
    nghttp2_settings_entry entries[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings->max_concurrent_streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window(settings->max_body) },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
            settings->max_header_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)settings->max_header_bytes },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
    };

    return nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, entries, sizeof(entries) / sizeof(entries[0])) == 0 &&
           nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) == 0;
}

static void destroy(struct http2 *http2)
{
    http2_streams_close(http2);
    nghttp2_session_del(http2->session);
    buffer_fini(&http2->head_bytes);
    buffer_fini(&http2->head_fields);
    free(http2);
}

/* Some earlier, some later, so that clients that came together do not all come again together. */
static int64_t age_limit(int64_t now, int64_t age)
{
    return age > 0 ? now + (int64_t)((double)age * (0.9 + 0.2 * random_unit())) : INT64_MAX;
}

static struct http2 *create(struct http_connection *connection)
{
    struct http2 *http2 = calloc(1, sizeof(*http2));
    int64_t now = http_connection_now(connection);

    if (http2 == NULL)
        return NULL;
    http2->connection = connection;
    http2->age_due = age_limit(now, connection->shard->settings->max_connection_age_ns);
    http2->idle_since = http2->last_read = now;
    http2->session = create_session(http2);
    if (http2->session == NULL || !send_preface(http2)) {
        destroy(http2);
        return NULL;
    }
    return http2;
}

void http2_take_over(struct http_connection *connection, struct slice bytes)
{
    struct buffer in = connection->http1.in; /* the bytes may lie there */

    connection->http1.in = (struct buffer){ 0 };
    connection->http2 = create(connection);
    if (connection->http2 == NULL) {
        http_connection_close(connection);
    } else {
        connection->protocol = &http2_protocol;
        set_next_deadline(connection->http2);
        receive(connection->http2, bytes);
    }
    buffer_fini(&in);
}

static void http2_closing(struct http_connection *connection)
{
    destroy(connection->http2);
    connection->http2 = NULL;
}

const struct http_protocol http2_protocol = {
    .readable = http2_readable,
    .written = http2_flush_connection,
    .resume = http2_flush_connection,
    .expired = http2_expired,
    .drain = http2_drain,
    .reply = http2_reply,
    .closing = http2_closing,
};
