/*
 * A gRPC server that does as a script says, for testing clients: nghttp2 over blocking sockets, one thread per connection. It keeps the
 * last request it read. Included by one test file each.
 */
#ifndef WEIR_TESTS_SCRIPTED_GRPC_SERVER_H
#define WEIR_TESTS_SCRIPTED_GRPC_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/base/buffer.h"

struct grpc_step {
    const char *grpc_status;  /* NULL: none is sent */
    const char *grpc_message; /* NULL: none */
    const char *details;      /* grpc-status-details-bin; NULL: none */
    const char *http_status;  /* NULL: 200 */
    struct slice body;        /* prefix included */
    uint32_t reset;           /* RST_STREAM with that code instead of an answer */
    bool before_body;         /* answers when the headers are there */
    bool go_away;             /* GOAWAY with the answer */
    bool hang_up;             /* closes without an answer */
    int delay_ms;
};

struct scripted_grpc_server {
    int listener, port;
    SSL_CTX *tls;
    uint32_t max_frame_size, window; /* 0: the protocol's defaults */
    const struct grpc_step *steps;
    size_t step_count; /* the last repeats */
    atomic_size_t requests, connections, pings;
    atomic_bool stopping;
    pthread_t acceptor, threads[64];
    int sockets[64];
    size_t thread_count;
    pthread_mutex_t lock;
    struct buffer headers, message; /* of the last request */
};

struct grpc_peer {
    struct scripted_grpc_server *server;
    int fd;
    SSL *ssl;
    nghttp2_session *session;
    const struct grpc_step *step;
    size_t body_sent;
    bool hang_up;
};

static ssize_t peer_send(nghttp2_session *session, const uint8_t *data, size_t size, int flags, void *context)
{
    struct grpc_peer *peer = context;
    ssize_t sent = peer->ssl != NULL ? SSL_write(peer->ssl, data, (int)size) : send(peer->fd, data, size, MSG_NOSIGNAL);

    (void)session;
    (void)flags;
    return sent > 0 ? sent : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static nghttp2_nv peer_header(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0 };
}

static size_t peer_status(const struct grpc_step *step, nghttp2_nv *out)
{
    size_t count = 0;

    if (step->grpc_status != NULL)
        out[count++] = peer_header("grpc-status", step->grpc_status);
    if (step->grpc_message != NULL)
        out[count++] = peer_header("grpc-message", step->grpc_message);
    if (step->details != NULL)
        out[count++] = peer_header("grpc-status-details-bin", step->details);
    return count;
}

static ssize_t peer_body(
    nghttp2_session *session, int32_t stream, uint8_t *into, size_t room, uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct grpc_peer *peer = context;
    const struct grpc_step *step = source->ptr;
    size_t left = step->body.size - peer->body_sent, take = left < room ? left : room;
    nghttp2_nv trailers[3];
    size_t count = peer_status(step, trailers);

    memcpy(into, step->body.data + peer->body_sent, take);
    peer->body_sent += take;
    if (take == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | (count > 0 ? NGHTTP2_DATA_FLAG_NO_END_STREAM : 0);
        if (count > 0)
            nghttp2_submit_trailer(session, stream, trailers, count);
    }
    return (ssize_t)take;
}

static void peer_answer(struct grpc_peer *peer, int32_t stream)
{
    const struct grpc_step *step = peer->step;
    nghttp2_data_provider provider = { .source.ptr = (void *)(uintptr_t)step, .read_callback = peer_body };
    nghttp2_nv headers[8] = { peer_header(":status", step->http_status != NULL ? step->http_status : "200"),
        peer_header("content-type", "application/grpc") };

    if (step->delay_ms > 0)
        usleep((useconds_t)step->delay_ms * 1000);
    peer->hang_up = step->hang_up;
    peer->body_sent = 0;
    if (step->hang_up)
        return;
    if (step->reset != 0)
        nghttp2_submit_rst_stream(peer->session, 0, stream, step->reset);
    else if (step->body.size > 0)
        nghttp2_submit_response(peer->session, stream, headers, 2, &provider);
    else
        nghttp2_submit_response(peer->session, stream, headers, 2 + peer_status(step, headers + 2), NULL);
    if (step->go_away)
        nghttp2_submit_goaway(peer->session, 0, nghttp2_session_get_last_proc_stream_id(peer->session), NGHTTP2_NO_ERROR, NULL, 0);
}

static void peer_next_step(struct grpc_peer *peer)
{
    size_t index = atomic_fetch_add(&peer->server->requests, 1);

    peer->step = &peer->server->steps[index < peer->server->step_count ? index : peer->server->step_count - 1];
}

static int peer_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct grpc_peer *peer = context;

    (void)session;
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        atomic_fetch_add(&peer->server->pings, 1);
    if (frame->hd.type == NGHTTP2_HEADERS) {
        peer_next_step(peer);
        if (peer->step->before_body)
            peer_answer(peer, frame->hd.stream_id);
    }
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
        !peer->step->before_body)
        peer_answer(peer, frame->hd.stream_id);
    return 0;
}

static int peer_begin(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct grpc_peer *peer = context;

    (void)session;
    (void)frame;
    pthread_mutex_lock(&peer->server->lock);
    buffer_clear(&peer->server->headers);
    buffer_clear(&peer->server->message);
    pthread_mutex_unlock(&peer->server->lock);
    return 0;
}

static int peer_request_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
    const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    struct grpc_peer *peer = context;

    (void)session;
    (void)frame;
    (void)flags;
    pthread_mutex_lock(&peer->server->lock);
    buffer_printf(&peer->server->headers, "%.*s: %.*s\n", (int)name_size, name, (int)value_size, value);
    pthread_mutex_unlock(&peer->server->lock);
    return 0;
}

static int peer_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t size, void *context)
{
    struct grpc_peer *peer = context;

    (void)session;
    (void)flags;
    (void)stream;
    pthread_mutex_lock(&peer->server->lock);
    buffer_append(&peer->server->message, data, size);
    pthread_mutex_unlock(&peer->server->lock);
    return 0;
}

static void peer_open_session(struct grpc_peer *peer)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry settings[2];
    size_t count = 0;

    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_send_callback(callbacks, peer_send);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, peer_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, peer_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, peer_request_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, peer_data);
    nghttp2_session_server_new(&peer->session, callbacks, peer);
    nghttp2_session_callbacks_del(callbacks);
    if (peer->server->max_frame_size > 0)
        settings[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_FRAME_SIZE, peer->server->max_frame_size };
    if (peer->server->window > 0)
        settings[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, peer->server->window };
    nghttp2_submit_settings(peer->session, 0, settings, count);
}

static int peer_choose_h2(
    SSL *ssl, const unsigned char **out, unsigned char *size, const unsigned char *in, unsigned in_size, void *context)
{
    (void)ssl;
    (void)context;
    return nghttp2_select_next_protocol((unsigned char **)(uintptr_t)out, size, in, in_size) == 1 ? SSL_TLSEXT_ERR_OK
                                                                                                  : SSL_TLSEXT_ERR_NOACK;
}

static void *peer_run(void *context)
{
    struct grpc_peer *peer = context;
    uint8_t bytes[65536];

    if (peer->server->tls != NULL) {
        peer->ssl = SSL_new(peer->server->tls);
        SSL_set_fd(peer->ssl, peer->fd);
        if (SSL_accept(peer->ssl) != 1)
            peer->hang_up = true;
    }
    peer_open_session(peer);
    while (!peer->hang_up && nghttp2_session_send(peer->session) == 0) {
        ssize_t got = peer->ssl != NULL ? SSL_read(peer->ssl, bytes, sizeof(bytes)) : read(peer->fd, bytes, sizeof(bytes));

        if (got <= 0 || nghttp2_session_mem_recv(peer->session, bytes, (size_t)got) < 0)
            break;
    }
    nghttp2_session_del(peer->session);
    SSL_free(peer->ssl);
    shutdown(peer->fd, SHUT_RDWR);
    free(peer);
    return NULL;
}

static void *peer_accept(void *context)
{
    struct scripted_grpc_server *server = context;

    while (server->thread_count < 64) {
        int fd = accept(server->listener, NULL, NULL);
        struct grpc_peer *peer;

        if (fd < 0 || atomic_load(&server->stopping)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        peer = calloc(1, sizeof(*peer));
        peer->server = server;
        peer->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        atomic_fetch_add(&server->connections, 1);
        server->sockets[server->thread_count] = fd;
        pthread_create(&server->threads[server->thread_count++], NULL, peer_run, peer);
    }
    return NULL;
}

/* The struct is zeroed, but for tls, max_frame_size and window. */
static void scripted_grpc_start(struct scripted_grpc_server *server, const struct grpc_step *steps, size_t count)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(server->listener, 64) != 0)
        abort();
    getsockname(server->listener, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    server->steps = steps;
    server->step_count = count;
    if (server->tls != NULL)
        SSL_CTX_set_alpn_select_cb(server->tls, peer_choose_h2, NULL);
    pthread_mutex_init(&server->lock, NULL);
    pthread_create(&server->acceptor, NULL, peer_accept, server);
}

static void scripted_grpc_stop(struct scripted_grpc_server *server)
{
    atomic_store(&server->stopping, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    for (size_t i = 0; i < server->thread_count; i++)
        shutdown(server->sockets[i], SHUT_RDWR);
    for (size_t i = 0; i < server->thread_count; i++) {
        pthread_join(server->threads[i], NULL);
        close(server->sockets[i]);
    }
    close(server->listener);
    buffer_fini(&server->headers);
    buffer_fini(&server->message);
    pthread_mutex_destroy(&server->lock);
}

static inline bool scripted_grpc_has(struct scripted_grpc_server *server, const char *text)
{
    bool found;

    pthread_mutex_lock(&server->lock);
    found = strstr(buffer_string(&server->headers), text) != NULL;
    pthread_mutex_unlock(&server->lock);
    return found;
}

#endif
