/*
 * HTTP/2 for one gRPC call at a time, straight over nghttp2: the DATA frames' payload stays where it is (NO_COPY), up to 32 frames
 * leave in one sendmsg, and each is as large as the peer's SETTINGS_MAX_FRAME_SIZE allows, up to 1 MiB. libcurl copies each
 * frame of 16 KiB and sends it by itself. Measured with messages of 3.3 MB: 90 to 103 ns of CPU per 400 bytes, with frames of 1 MiB to 16 KiB;
 * HTTP/1.1 takes 86, bare write() 115, and libcurl's HTTP/1.1 122 to 173.
 * Threads: a connection is used by one thread at a time.
 */
#include "collector/net/grpc_connection.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"

enum {
    FRAME_LIMIT = 1024 * 1024,
    READ_SIZE = 16 * 1024,
    RESPONSE_LIMIT = 64 * 1024,
    HEADER_TEXT_LIMIT = 8 * 1024, /* of grpc-message and of grpc-status-details-bin */
    FIXED_HEADERS = 8,
    REVIVE_READS = 16,
};

/* ---- the queue ---- */

static bool queue_is_empty(const struct frame_queue *queue)
{
    return queue->first == queue->count;
}

/* Writes until it is empty or the socket is full. false: the connection broke. */
static bool queue_flush(struct grpc_connection *connection)
{
    struct frame_queue *queue = &connection->queue;

    while (!queue_is_empty(queue)) {
        ssize_t written = stream_write(&connection->stream, queue->pieces + queue->first, queue->count - queue->first);

        if (written == STREAM_AGAIN)
            return true;
        if (written == STREAM_FAILED)
            return false;
        while (written > 0) {
            struct slice *piece = &queue->pieces[queue->first];
            size_t passed = (size_t)written < piece->size ? (size_t)written : piece->size;

            *piece = slice_of(piece->data + passed, piece->size - passed);
            written -= (ssize_t)passed;
            queue->first += piece->size == 0;
        }
    }
    queue->first = queue->count = queue->copied = 0;
    return true;
}

/* Room for `pieces` and `bytes`, after writing what is there if need be. */
static int queue_make_room(struct grpc_connection *connection, size_t pieces, size_t bytes)
{
    struct frame_queue *queue = &connection->queue;

    if (queue->count + pieces <= GRPC_QUEUE_PIECES && queue->copied + bytes <= GRPC_QUEUE_COPIES)
        return 0;
    if (!queue_flush(connection))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return queue_is_empty(queue) ? 0 : NGHTTP2_ERR_WOULDBLOCK;
}

static void queue_copy(struct frame_queue *queue, const uint8_t *data, size_t size)
{
    memcpy(queue->copies + queue->copied, data, size);
    queue->pieces[queue->count++] = slice_of(queue->copies + queue->copied, size);
    queue->copied += size;
}

/* ---- what nghttp2 asks for ---- */

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags, void *context)
{
    struct grpc_connection *connection = context;
    size_t size = length < GRPC_QUEUE_COPIES ? length : GRPC_QUEUE_COPIES;
    int result = queue_make_room(connection, 1, size);

    (void)session;
    (void)flags;
    if (result != 0)
        return result;
    queue_copy(&connection->queue, data, size);
    return (ssize_t)size;
}

static ssize_t on_frame_length(nghttp2_session *session, uint8_t type, int32_t stream_id, int32_t session_window, int32_t stream_window,
    uint32_t frame_size, void *context)
{
    (void)session;
    (void)type;
    (void)stream_id;
    (void)session_window;
    (void)stream_window;
    (void)context;
    return frame_size < FRAME_LIMIT ? (ssize_t)frame_size : FRAME_LIMIT;
}

static ssize_t on_message_read(
    nghttp2_session *session, int32_t stream_id, uint8_t *into, size_t room, uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct grpc_exchange *exchange = source->ptr;
    uint64_t size = exchange->cursor.left < room ? exchange->cursor.left : room;

    (void)session;
    (void)stream_id;
    (void)into;
    (void)context;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == exchange->cursor.left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

/* Called again for the same frame until it returns 0, so it remembers how far it came. */
static int on_message_send(
    nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length, nghttp2_data_source *source, void *context)
{
    struct grpc_connection *connection = context;
    struct grpc_exchange *exchange = source->ptr;
    struct frame_queue *queue = &connection->queue;

    (void)session;
    (void)frame;
    if (!exchange->in_frame) {
        int result = queue_make_room(connection, 2, 9);

        if (result != 0)
            return result;
        queue_copy(queue, head, 9);
        exchange->in_frame = true;
        exchange->frame_left = length;
    }
    while (exchange->frame_left > 0) {
        int result = queue_make_room(connection, 1, 0);
        size_t before = queue->count;

        if (result != 0)
            return result;
        queue->count +=
            part_cursor_look(&exchange->cursor, exchange->frame_left, queue->pieces + queue->count, GRPC_QUEUE_PIECES - queue->count);
        for (size_t i = before; i < queue->count; i++) {
            part_cursor_pass(&exchange->cursor, queue->pieces[i].size);
            exchange->frame_left -= queue->pieces[i].size;
        }
    }
    exchange->in_frame = false;
    return 0;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* grpc-message is percent-encoded UTF-8; it ends in a log line, so control bytes become spaces. */
static void read_message(struct buffer *out, struct slice value)
{
    buffer_clear(out);
    for (size_t i = 0; i < value.size && i < HEADER_TEXT_LIMIT; i++) {
        uint8_t byte = value.data[i];

        if (byte == '%' && i + 2 < value.size && hex_digit(value.data[i + 1]) >= 0 && hex_digit(value.data[i + 2]) >= 0) {
            byte = (uint8_t)(hex_digit(value.data[i + 1]) << 4 | hex_digit(value.data[i + 2]));
            i += 2;
        }
        buffer_append_byte(out, byte < 0x20 || byte == 0x7f ? ' ' : byte);
    }
}

/* Base64, with or without its padding. */
static void read_details(struct buffer *out, struct slice value)
{
    uint8_t padded[HEADER_TEXT_LIMIT + 4];
    size_t size = value.size;
    int decoded;

    buffer_clear(out);
    while (size > 0 && value.data[size - 1] == '=')
        size--;
    if (size == 0 || size > HEADER_TEXT_LIMIT || size % 4 == 1)
        return;
    memcpy(padded, value.data, size);
    memset(padded + size, '=', 3);
    if (!buffer_reserve(out, size + 3))
        return;
    decoded = EVP_DecodeBlock(out->data, padded, (int)((size + 3) / 4 * 4));
    if (decoded > 0)
        out->size = size * 3 / 4;
}

static int read_number(struct slice value)
{
    int number = 0;

    if (value.size == 0 || value.size > 9)
        return -1;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return -1;
        number = number * 10 + (value.data[i] - '0');
    }
    return number;
}

static struct grpc_exchange *exchange_of(struct grpc_connection *connection, int32_t stream_id)
{
    return connection->exchange != NULL && connection->exchange->stream_id == stream_id ? connection->exchange : NULL;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
    size_t value_size, uint8_t flags, void *context)
{
    struct grpc_exchange *exchange = exchange_of(context, frame->hd.stream_id);
    struct slice key = slice_of(name, name_size), text = slice_of(value, value_size);

    (void)session;
    (void)flags;
    if (exchange == NULL || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    exchange->started = true;
    if (slice_equal_string(key, ":status"))
        exchange->http_status = read_number(text);
    else if (slice_equal_string(key, "grpc-status"))
        exchange->grpc_status = read_number(text);
    else if (slice_equal_string(key, "grpc-message"))
        read_message(&exchange->answer->message, text);
    else if (slice_equal_string(key, "grpc-status-details-bin"))
        read_details(&exchange->answer->details, text);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t size, void *context)
{
    struct grpc_exchange *exchange = exchange_of(context, stream_id);
    struct buffer *body;
    size_t limit, skip = 0;

    (void)session;
    (void)flags;
    if (exchange == NULL)
        return 0;
    if (exchange->response_seen == 0 && size > 0)
        exchange->response_compressed = data[0] != 0;
    if (exchange->response_seen < GRPC_PREFIX_SIZE)
        skip = GRPC_PREFIX_SIZE - exchange->response_seen < size ? GRPC_PREFIX_SIZE - exchange->response_seen : size;
    exchange->response_seen += size;
    body = &exchange->answer->body;
    limit = exchange->request->response_limit > 0 ? exchange->request->response_limit : RESPONSE_LIMIT;
    size -= skip;
    if (size > limit - body->size)
        size = limit - body->size;
    buffer_append(body, data + skip, size);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct grpc_connection *connection = context;
    struct grpc_exchange *exchange = exchange_of(connection, frame->hd.stream_id);

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        connection->going_away = true;
    if (exchange != NULL && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        exchange->ended = true;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *context)
{
    struct grpc_exchange *exchange = exchange_of(context, stream_id);

    (void)session;
    if (exchange == NULL)
        return 0;
    if (!exchange->ended)
        exchange->reset_code = error_code;
    exchange->ended = true;
    return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_message_send);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_frame_length);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}

bool grpc_connection_start(struct grpc_connection *connection, struct error *err)
{
    nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 4 * HEADER_TEXT_LIMIT } };
    nghttp2_session_callbacks *callbacks = make_callbacks();
    int result = callbacks != NULL ? nghttp2_session_client_new(&connection->session, callbacks, connection) : NGHTTP2_ERR_NOMEM;

    nghttp2_session_callbacks_del(callbacks);
    if (result == 0)
        result = nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
    return result == 0 || fail(err, "HTTP/2: %s", nghttp2_strerror(result));
}

/* ---- a call ---- */

static nghttp2_nv header(const char *name, size_t name_size, const char *value, size_t value_size)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, name_size, value_size, NGHTTP2_NV_FLAG_NONE };
}

static nghttp2_nv header_of_strings(const char *name, const char *value)
{
    return header(name, strlen(name), value, strlen(value));
}

/* At most eight digits and a unit. */
static void format_timeout(int64_t timeout_ns, char *out, size_t size)
{
    int64_t milliseconds = (timeout_ns + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI;

    if (milliseconds <= 99999999)
        snprintf(out, size, "%dm", (int)milliseconds);
    else
        snprintf(out, size, "%dS", (int)(milliseconds / 1000 <= 99999999 ? milliseconds / 1000 : 99999999));
}

static size_t write_headers(const struct grpc_exchange *exchange, const char *timeout, nghttp2_nv *out)
{
    const struct grpc_request *request = exchange->request;
    size_t count = 0;

    out[count++] = header_of_strings(":method", "POST");
    out[count++] = header_of_strings(":scheme", exchange->scheme);
    out[count++] = header_of_strings(":path", request->method);
    out[count++] = header_of_strings(":authority", exchange->authority);
    out[count++] = header_of_strings("te", "trailers");
    out[count++] = header_of_strings("content-type", "application/grpc");
    if (request->encoding != NULL)
        out[count++] = header_of_strings("grpc-encoding", request->encoding);
    if (*timeout != '\0')
        out[count++] = header_of_strings("grpc-timeout", timeout);
    for (const char *const *line = request->headers; line != NULL && *line != NULL; line++) {
        const char *colon = strchr(*line, ':');

        if (colon != NULL && colon != *line)
            out[count++] =
                header(*line, (size_t)(colon - *line), colon + 1 + strspn(colon + 1, " "), strlen(colon + 1 + strspn(colon + 1, " ")));
    }
    return count;
}

static void start_message(struct grpc_exchange *exchange)
{
    const struct grpc_request *request = exchange->request;
    uint64_t size = 0;

    for (size_t i = 0; i < request->part_count; i++)
        size += request->parts[i].size;
    exchange->prefix[0] = request->encoding != NULL;
    for (size_t i = 0; i < 4; i++)
        exchange->prefix[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    exchange->cursor = part_cursor_of(slice_of(exchange->prefix, GRPC_PREFIX_SIZE), request->parts, request->part_count);
}

static bool submit(struct grpc_connection *connection, struct grpc_exchange *exchange, struct error *err)
{
    nghttp2_data_provider provider = { .source.ptr = exchange, .read_callback = on_message_read };
    size_t count = FIXED_HEADERS;
    char timeout[16] = "";
    nghttp2_nv *headers;

    for (const char *const *line = exchange->request->headers; line != NULL && *line != NULL; line++)
        count++;
    headers = calloc(count, sizeof(*headers));
    if (headers == NULL)
        return fail(err, "out of memory");
    if (exchange->timeout_ns > 0)
        format_timeout(exchange->timeout_ns, timeout, sizeof(timeout));
    start_message(exchange);
    exchange->stream_id =
        nghttp2_submit_request(connection->session, NULL, headers, write_headers(exchange, timeout, headers), &provider, NULL);
    free(headers);
    return exchange->stream_id > 0 || fail(err, "HTTP/2: %s", nghttp2_strerror(exchange->stream_id));
}

/* Gives the socket all that can be sent now. */
static bool send_frames(struct grpc_connection *connection, struct error *err)
{
    char why[200];
    int result;

    if (!queue_flush(connection))
        return fail(err, "the connection broke: %s", stream_failure(&connection->stream, why, sizeof(why)));
    result = nghttp2_session_send(connection->session);
    if (result == 0 && queue_flush(connection))
        return true;
    if (result == 0 || result == NGHTTP2_ERR_CALLBACK_FAILURE)
        return fail(err, "the connection broke: %s", stream_failure(&connection->stream, why, sizeof(why)));
    return fail(err, "HTTP/2: %s", nghttp2_strerror(result));
}

/* Takes what has come. *again: there was nothing. */
static bool receive_frames(struct grpc_connection *connection, bool *again, struct error *err)
{
    uint8_t bytes[READ_SIZE];
    ssize_t got = stream_read(&connection->stream, bytes, sizeof(bytes)), taken;
    char why[200];

    *again = got == STREAM_AGAIN;
    if (*again)
        return true;
    if (got == 0)
        return fail(err, "the server closed the connection");
    if (got < 0)
        return fail(err, "the connection broke: %s", stream_failure(&connection->stream, why, sizeof(why)));
    taken = nghttp2_session_mem_recv(connection->session, bytes, (size_t)got);
    if (taken < 0)
        return fail(err, "the server does not speak HTTP/2 here: %s", nghttp2_strerror((int)taken));
    return true;
}

/* When the peer was last heard, and whether it owes an answer to a PING. */
struct silence {
    int64_t heard_ns;
    bool pinged;
};

/* The next wait ends at the deadline, or when the peer has been silent for as long as keepalive allows. */
static struct stream_limits next_wait(const struct grpc_exchange *exchange, const struct silence *silence)
{
    struct stream_limits limits = exchange->limits;
    int64_t quiet_until;

    if (exchange->keepalive_time_ns <= 0)
        return limits;
    quiet_until = silence->heard_ns + (silence->pinged ? exchange->keepalive_timeout_ns : exchange->keepalive_time_ns);
    if (limits.deadline_ns == 0 || quiet_until < limits.deadline_ns)
        limits.deadline_ns = quiet_until;
    return limits;
}

/*
 * Stops sending a message that was answered early. false: something of it is still on its way, or nghttp2 still holds on
 * to it, so the connection can't be used again.
 */
static bool finish(struct grpc_connection *connection, struct grpc_exchange *exchange)
{
    if (nghttp2_session_get_stream_local_close(connection->session, exchange->stream_id) == 0) {
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_CANCEL);
        if (!send_frames(connection, NULL))
            return false;
    }
    return nghttp2_session_get_stream_local_close(connection->session, exchange->stream_id) != 0 && !exchange->in_frame &&
           queue_is_empty(&connection->queue);
}

/* The time that may pass without a word is over: PING, or give up. */
static bool break_silence(
    struct grpc_connection *connection, const struct grpc_exchange *exchange, struct silence *silence, struct error *err)
{
    if (silence->pinged)
        return fail(
            err, "the server did not answer a PING within %.3g s", (double)exchange->keepalive_timeout_ns / (double)NANOS_PER_SECOND);
    nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
    *silence = (struct silence){ clock_monotonic_nanos(), true };
    return true;
}

static enum grpc_run run_once(
    struct grpc_connection *connection, struct grpc_exchange *exchange, struct silence *silence, struct error *err)
{
    struct stream_limits limits;
    unsigned ready;
    bool again = true;

    if (!send_frames(connection, err))
        return GRPC_RUN_BROKEN;
    if (nghttp2_session_want_read(connection->session) == 0) {
        fail(err, "the server does not speak HTTP/2 here, or broke its rules");
        return GRPC_RUN_BROKEN;
    }
    limits = next_wait(exchange, silence);
    ready = stream_wait(&connection->stream, !queue_is_empty(&connection->queue), &limits);
    if (ready & STREAM_CANCELLED)
        return GRPC_RUN_CANCELLED;
    if (ready & STREAM_READABLE && !receive_frames(connection, &again, err)) {
        connection->going_away = true;
        return exchange->ended ? GRPC_RUN_DONE : GRPC_RUN_BROKEN;
    }
    if (!again || ready & STREAM_WRITABLE)
        *silence = (struct silence){ clock_monotonic_nanos(), false };
    if (!(ready & STREAM_TIMED_OUT))
        return GRPC_RUN_DONE;
    if (limits.deadline_ns == exchange->limits.deadline_ns)
        return GRPC_RUN_TIMED_OUT;
    return break_silence(connection, exchange, silence, err) ? GRPC_RUN_DONE : GRPC_RUN_BROKEN;
}

static enum grpc_run run(struct grpc_connection *connection, struct grpc_exchange *exchange, struct error *err)
{
    struct silence silence = { clock_monotonic_nanos(), false };
    enum grpc_run result = GRPC_RUN_DONE;

    while (!exchange->ended && result == GRPC_RUN_DONE)
        result = run_once(connection, exchange, &silence, err);
    return result;
}

enum grpc_run grpc_connection_run(struct grpc_connection *connection, struct grpc_exchange *exchange, struct error *err)
{
    enum grpc_run result = GRPC_RUN_BROKEN;

    exchange->grpc_status = -1;
    connection->exchange = exchange;
    if (submit(connection, exchange, err))
        result = run(connection, exchange, err);
    if (result == GRPC_RUN_DONE && !finish(connection, exchange))
        connection->going_away = true; /* the answer counts all the same */
    connection->exchange = NULL;
    return result;
}

bool grpc_connection_revive(struct grpc_connection *connection)
{
    bool again = false;

    for (int i = 0; i < REVIVE_READS && !again; i++)
        if (!receive_frames(connection, &again, NULL))
            return false;
    return again && !connection->going_away;
}

void grpc_connection_close(struct grpc_connection *connection)
{
    if (connection == NULL)
        return;
    nghttp2_session_del(connection->session);
    stream_close(&connection->stream);
    free(connection);
}
