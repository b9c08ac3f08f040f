/* A blocking HTTP/2 client over nghttp2, for tests. Include after http_harness.h. */
#ifndef WEIR_TESTS_UNIT_NET_HTTP2_CLIENT_H
#define WEIR_TESTS_UNIT_NET_HTTP2_CLIENT_H

#include <nghttp2/nghttp2.h>

struct http2_client {
    int fd;
    nghttp2_session *session;
    bool ended; /* the connection */
    bool goaway;
    uint32_t goaway_code;
    int32_t goaway_last;
    char goaway_text[64];
    int pings; /* answered */
};

struct client_call {
    int32_t id;
    struct slice body;
    bool unfinished; /* the request is left open behind its body */
    int status;
    struct buffer fields; /* "name: value\n", trailers too */
    struct buffer answer;
    bool closed;
    uint32_t code;
};

static int client_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
    const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    struct client_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)context;
    if (call == NULL)
        return 0;
    if (name_size == 7 && memcmp(name, ":status", 7) == 0)
        call->status = atoi((const char *)value);
    buffer_printf(&call->fields, "%.*s: %.*s\n", (int)name_size, (const char *)name, (int)value_size, (const char *)value);
    return 0;
}

static int client_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size, void *context)
{
    struct client_call *call = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)context;
    if (call != NULL)
        buffer_append(&call->answer, data, size);
    return 0;
}

static int client_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct client_call *call = nghttp2_session_get_stream_user_data(session, id);

    (void)context;
    if (call != NULL) {
        call->closed = true;
        call->code = code;
    }
    return 0;
}

static int client_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2_client *client = context;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->goaway = true;
        client->goaway_code = frame->goaway.error_code;
        client->goaway_last = frame->goaway.last_stream_id;
        if (frame->goaway.opaque_data_len > 0)
            snprintf(client->goaway_text, sizeof(client->goaway_text), "%.*s", (int)frame->goaway.opaque_data_len,
                (const char *)frame->goaway.opaque_data);
    }
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        client->pings++;
    return 0;
}

static inline void http2_client_open(struct http2_client *client, int port)
{
    nghttp2_session_callbacks *callbacks;

    memset(client, 0, sizeof(*client));
    client->fd = connect_to(port);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, client_on_frame);
    assert_int_equal(nghttp2_session_client_new(&client->session, callbacks, client), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static inline void http2_client_close(struct http2_client *client)
{
    nghttp2_session_del(client->session);
    close(client->fd);
}

static inline void http2_client_send(struct http2_client *client)
{
    const uint8_t *data;
    ssize_t count;

    while ((count = nghttp2_session_mem_send(client->session, &data)) > 0)
        send_bytes(client->fd, data, (size_t)count);
}

/* One read. */
static inline void http2_client_receive(struct http2_client *client)
{
    uint8_t bytes[65536];
    ssize_t count = recv(client->fd, bytes, sizeof(bytes), 0);

    if (count <= 0)
        client->ended = true;
    else
        assert_true(nghttp2_session_mem_recv(client->session, bytes, (size_t)count) == count);
}

static ssize_t client_read_body(
    nghttp2_session *session, int32_t id, uint8_t *into, size_t size, uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct client_call *call = source->ptr;
    size_t count = call->body.size < size ? call->body.size : size;

    (void)session;
    (void)id;
    (void)context;
    if (count == 0 && call->unfinished)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(into, call->body.data, count);
    call->body = slice_of(call->body.data + count, call->body.size - count);
    if (call->body.size == 0 && !call->unfinished)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static inline nghttp2_nv client_field(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

/* POSTs call->body. fields: name, value, ..., NULL. */
static inline void http2_client_start(struct http2_client *client, struct client_call *call, const char *path, const char *const *fields)
{
    nghttp2_nv headers[160] = { client_field(":method", "POST"), client_field(":scheme", "http"), client_field(":path", path),
        client_field(":authority", "localhost") };
    nghttp2_data_provider provider = { .source = { .ptr = call }, .read_callback = client_read_body };
    size_t count = 4;

    for (; fields != NULL && fields[0] != NULL; fields += 2)
        headers[count++] = client_field(fields[0], fields[1]);
    call->id = nghttp2_submit_request(client->session, NULL, headers, count, &provider, call);
    assert_true(call->id > 0);
    http2_client_send(client);
}

static inline void http2_client_wait(struct http2_client *client, struct client_call *call)
{
    while (!call->closed && !client->ended) {
        http2_client_send(client);
        http2_client_receive(client);
    }
    http2_client_send(client);
}

static inline void client_call_fini(struct client_call *call)
{
    buffer_fini(&call->fields);
    buffer_fini(&call->answer);
}

static inline bool client_call_has(struct client_call *call, const char *line)
{
    return strstr(buffer_string(&call->fields), line) != NULL;
}

#endif
