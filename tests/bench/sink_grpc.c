/* The sink's gRPC side: unary calls over nghttp2, many streams on a connection. */
#include "tests/bench/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

enum { PREFIX = 5, WINDOW = 16 << 20, STREAMS = 1000 };

struct grpc_stream {
    struct grpc_stream *next, **place; /* in the list of the connection */
    struct sink_request request;
    char path[256];
    uint8_t prefix[PREFIX];
    size_t prefix_size;
    enum sink_coding coding; /* of grpc-encoding */
    uint8_t reply[128];
    size_t reply_size, reply_sent;
    char status[4];
    const char *message;
};

struct grpc_state {
    nghttp2_session *session;    /* owned */
    struct grpc_stream *streams; /* owned; those that are open */
};

/* google.rpc.Status { code 8, details: google.rpc.RetryInfo { 100 ms } }, in base64: without it RESOURCE_EXHAUSTED means never. */
static const char retry_info[] = "CAgSEHRoZSBzaW5rIHJlZnVzZXMaMwoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIHCgUQgMLXLw";

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct grpc_state *state = ((struct sink_connection *)context)->state;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct grpc_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    stream->next = state->streams;
    stream->place = &state->streams;
    if (stream->next != NULL)
        stream->next->place = &stream->next;
    state->streams = stream;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
    size_t value_size, uint8_t flags, void *context)
{
    struct grpc_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    char text[256];

    (void)flags;
    (void)context;
    snprintf(text, sizeof(text), "%.*s", (int)value_size, (const char *)value);
    if (stream != NULL && name_size == 5 && memcmp(name, ":path", 5) == 0)
        memcpy(stream->path, text, sizeof(text));
    if (stream != NULL && name_size == 13 && memcmp(name, "grpc-encoding", 13) == 0)
        stream->coding = sink_coding_of(text);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size, void *context)
{
    struct sink_connection *connection = context;
    struct grpc_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    if (stream == NULL)
        return 0;
    while (size > 0 && stream->prefix_size < PREFIX) {
        stream->prefix[stream->prefix_size++] = *data++;
        size--;
        if (stream->prefix_size == PREFIX) {
            sink_request_init(connection->sink, &stream->request, stream->path);
            stream->request.coding = stream->prefix[0] != 0 ? stream->coding : SINK_IDENTITY;
        }
    }
    if (size > 0)
        sink_request_feed(&stream->request, data, size);
    return 0;
}

static ssize_t on_reply(
    nghttp2_session *session, int32_t id, uint8_t *out, size_t size, uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct grpc_stream *stream = source->ptr;
    size_t left = stream->reply_size - stream->reply_sent;
    size_t n = left < size ? left : size;
    nghttp2_nv trailers[] = {
        { (uint8_t *)(uintptr_t) "grpc-status", (uint8_t *)stream->status, 11, strlen(stream->status), NGHTTP2_NV_FLAG_NONE },
        { (uint8_t *)(uintptr_t) "grpc-message", (uint8_t *)(uintptr_t)stream->message, 12, strlen(stream->message), NGHTTP2_NV_FLAG_NONE },
        { (uint8_t *)(uintptr_t) "grpc-status-details-bin", (uint8_t *)(uintptr_t)retry_info, 23, sizeof(retry_info) - 1,
            NGHTTP2_NV_FLAG_NONE },
    };
    size_t trailer_count = strcmp(stream->status, "8") == 0 ? 3 : 2;

    (void)context;
    memcpy(out, stream->reply + stream->reply_sent, n);
    stream->reply_sent += n;
    if (n == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, trailers, trailer_count) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

/* An empty message, or one with partial_success {rejected = 1}. */
static void fill_reply(struct grpc_stream *stream, enum sink_mode mode)
{
    /* partial_success { rejected 1, error_message } in a gRPC message */
    static const char partial[] = "\0\0\0\0\x18\x0a\x16\x08\x01\x12\x12the sink said so!!";

    stream->message = "";
    snprintf(stream->status, sizeof(stream->status), "%d",
        mode == SINK_UNAVAILABLE ? 14
        : mode == SINK_EXHAUSTED ? 8
        : mode == SINK_REJECT    ? 3
                                 : 0);
    stream->reply_size = PREFIX;
    if (mode == SINK_PARTIAL) {
        stream->reply_size = sizeof(partial) - 1;
        memcpy(stream->reply, partial, stream->reply_size);
    } else if (mode != SINK_OK) {
        stream->reply_size = 0;
        stream->message = "the sink refuses";
    }
}

/* Never from within a callback: nghttp2 forbids it. */
static bool grpc_flush(struct sink_connection *connection)
{
    struct grpc_state *state = connection->state;

    for (;;) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(state->session, &data);
        if (n <= 0)
            return n == 0;
        if (!sink_write(connection, data, (size_t)n))
            return false;
    }
}

static bool grpc_answer(struct sink_connection *connection, int32_t id, enum sink_mode mode)
{
    nghttp2_session *session = ((struct grpc_state *)connection->state)->session;
    struct grpc_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    nghttp2_data_provider provider = { .source.ptr = stream, .read_callback = on_reply };
    nghttp2_nv headers[] = {
        { (uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "200", 7, 3, NGHTTP2_NV_FLAG_NONE },
        { (uint8_t *)(uintptr_t) "content-type", (uint8_t *)(uintptr_t) "application/grpc", 12, 16, NGHTTP2_NV_FLAG_NONE },
    };

    if (mode == SINK_CLOSE)
        return false;
    if (stream == NULL || mode == SINK_HANG)
        return true; /* the client gave the stream up; or is left waiting */
    fill_reply(stream, mode);
    return nghttp2_submit_response(session, id, headers, sizeof(headers) / sizeof(headers[0]), &provider) == 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct sink_connection *connection = context;
    struct grpc_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && stream != NULL) {
        enum sink_mode mode = sink_request_finish(connection->sink, &stream->request);
        if (!sink_later(connection, frame->hd.stream_id, mode))
            return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static void stream_destroy(struct grpc_stream *stream)
{
    if (stream == NULL)
        return;
    *stream->place = stream->next;
    if (stream->next != NULL)
        stream->next->place = stream->place;
    sink_request_fini(&stream->request);
    free(stream);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    (void)error;
    (void)context;
    stream_destroy(nghttp2_session_get_stream_user_data(session, id));
    nghttp2_session_set_stream_user_data(session, id, NULL);
    return 0;
}

static bool grpc_open(struct sink_connection *connection)
{
    nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW },
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS } };
    nghttp2_session_callbacks *callbacks;
    struct grpc_state *state = calloc(1, sizeof(*state));

    connection->state = state;
    if (state == NULL || nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    int failed = nghttp2_session_server_new(&state->session, callbacks, connection);
    nghttp2_session_callbacks_del(callbacks);
    return !failed && nghttp2_submit_settings(state->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])) == 0 &&
           nghttp2_session_set_local_window_size(state->session, NGHTTP2_FLAG_NONE, 0, WINDOW) == 0 && grpc_flush(connection);
}

static void grpc_close(struct sink_connection *connection)
{
    struct grpc_state *state = connection->state;

    if (state == NULL)
        return;
    for (struct grpc_stream *stream = state->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        stream_destroy(stream);
    }
    nghttp2_session_del(state->session);
    free(state);
    connection->state = NULL;
}

static bool grpc_received(struct sink_connection *connection, const uint8_t *data, size_t size)
{
    nghttp2_session *session = ((struct grpc_state *)connection->state)->session;

    return nghttp2_session_mem_recv(session, data, size) >= 0 && grpc_flush(connection) &&
           (nghttp2_session_want_read(session) || nghttp2_session_want_write(session));
}

const struct sink_protocol sink_grpc = {
    .open = grpc_open,
    .received = grpc_received,
    .answer = grpc_answer,
    .flush = grpc_flush,
    .close = grpc_close,
};
