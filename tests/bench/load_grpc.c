/*
 * OTLP over gRPC: unary calls over nghttp2, one stream at a time on a connection. The body is never copied: frames
 * go out as a list of pieces, the headers from `scratch`, the data from the body itself.
 */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <nghttp2/nghttp2.h>

enum { PIECES = 64, SCRATCH = 16384, FRAME_HEAD = 9, WINDOW = 1 << 20 };

struct h2_client {
    nghttp2_session *session;
    struct iovec pieces[PIECES];
    size_t piece_count, piece_first;
    uint8_t scratch[SCRATCH];
    size_t scratch_size;
    size_t body_sent;
    int grpc_status, http_status;
};

static bool push(struct h2_client *client, const void *head, size_t head_size, struct iovec data)
{
    if (client->piece_count + 2 > PIECES || client->scratch_size + head_size > SCRATCH)
        return false;
    memcpy(client->scratch + client->scratch_size, head, head_size);
    client->pieces[client->piece_count++] = (struct iovec){ client->scratch + client->scratch_size, head_size };
    client->scratch_size += head_size;
    if (data.iov_len > 0)
        client->pieces[client->piece_count++] = data;
    return true;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags, void *context)
{
    struct load_connection *connection = context;

    (void)session;
    (void)flags;
    return push(connection->h2, data, length, (struct iovec){ 0 }) ? (ssize_t)length : NGHTTP2_ERR_WOULDBLOCK;
}

static ssize_t on_body(
    nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t length, uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct load_connection *connection = context;
    size_t left = connection->body->size - connection->h2->body_sent;
    size_t n = left < length ? left : length;

    (void)session;
    (void)stream;
    (void)buffer;
    (void)source;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_send_data(
    nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head, size_t length, nghttp2_data_source *source, void *context)
{
    struct load_connection *connection = context;
    struct h2_client *client = connection->h2;

    (void)session;
    (void)frame;
    (void)source;
    if (!push(client, frame_head, FRAME_HEAD, (struct iovec){ connection->body->data + client->body_sent, length }))
        return NGHTTP2_ERR_WOULDBLOCK;
    client->body_sent += length;
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
    size_t value_size, uint8_t flags, void *context)
{
    struct load_connection *connection = context;
    char number[16] = "";

    (void)session;
    (void)frame;
    (void)flags;
    if (value_size < sizeof(number))
        memcpy(number, value, value_size);
    if (name_size == 11 && memcmp(name, "grpc-status", 11) == 0)
        connection->h2->grpc_status = atoi(number);
    else if (name_size == 7 && memcmp(name, ":status", 7) == 0)
        connection->h2->http_status = atoi(number);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
    struct load_connection *connection = context;
    int status = connection->h2->grpc_status;

    (void)session;
    (void)stream;
    (void)error;
    if (connection->state != CONNECTION_BUSY)
        return 0;
    if (status == 0)
        load_answered(connection, ANSWER_ACCEPTED);
    else if (status == 8 || status == 14 || status == 4 || status == 1 || status == 10)
        load_answered(connection, ANSWER_REFUSED);
    else
        load_answered(connection, status < 0 ? ANSWER_LOST : ANSWER_REJECTED);
    return 0;
}

static bool create_session(struct load_connection *connection)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    int failed = nghttp2_session_client_new(&connection->h2->session, callbacks, connection);
    nghttp2_session_callbacks_del(callbacks);
    return failed == 0;
}

static bool grpc_open(struct load_connection *connection)
{
    nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW }, { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 } };

    connection->h2 = calloc(1, sizeof(*connection->h2));
    return connection->h2 != NULL && create_session(connection) &&
           nghttp2_submit_settings(connection->h2->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])) == 0;
}

static void grpc_close(struct load_connection *connection)
{
    if (connection->h2 != NULL)
        nghttp2_session_del(connection->h2->session);
    free(connection->h2);
    connection->h2 = NULL;
}

/* Writes the pieces: 1 all, 0 the socket is full, -1 broken. */
static int write_pieces(struct load_connection *connection)
{
    struct h2_client *client = connection->h2;

    while (client->piece_first < client->piece_count) {
        struct iovec *first = client->pieces + client->piece_first;
        struct msghdr message = { .msg_iov = first, .msg_iovlen = client->piece_count - client->piece_first };
        ssize_t n = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        for (size_t left = (size_t)n; left > 0;) {
            struct iovec *piece = client->pieces + client->piece_first;
            size_t used = left < piece->iov_len ? left : piece->iov_len;
            piece->iov_base = (uint8_t *)piece->iov_base + used;
            piece->iov_len -= used;
            left -= used;
            client->piece_first += piece->iov_len == 0;
        }
    }
    client->piece_first = client->piece_count = client->scratch_size = 0;
    return 1;
}

static bool grpc_writable(struct load_connection *connection)
{
    struct h2_client *client = connection->h2;

    for (;;) {
        int written = write_pieces(connection);
        if (written <= 0) {
            load_watch(connection, true);
            return written == 0;
        }
        if (nghttp2_session_send(client->session) != 0)
            return false;
        if (client->piece_count == 0)
            break;
    }
    load_watch(connection, false);
    return nghttp2_session_want_read(client->session) || nghttp2_session_want_write(client->session);
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

static bool grpc_send(struct load_connection *connection)
{
    const struct load_options *options = connection->options;
    nghttp2_data_provider provider = { .read_callback = on_body };
    nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", options->path),
        header(":authority", options->host),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
        header("grpc-encoding", options->shape.gzip ? "gzip" : "identity"),
    };

    connection->h2->body_sent = 0;
    connection->h2->grpc_status = -1;
    if (nghttp2_submit_request(connection->h2->session, NULL, headers, sizeof(headers) / sizeof(headers[0]), &provider, NULL) < 0)
        return false;
    return grpc_writable(connection);
}

static bool grpc_readable(struct load_connection *connection)
{
    static uint8_t buffer[65536];

    for (;;) {
        ssize_t n = recv(connection->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return grpc_writable(connection);
        if (n <= 0 || nghttp2_session_mem_recv(connection->h2->session, buffer, (size_t)n) < 0)
            return false;
    }
}

const struct load_protocol load_grpc = {
    .open = grpc_open,
    .send = grpc_send,
    .readable = grpc_readable,
    .writable = grpc_writable,
    .close = grpc_close,
};
