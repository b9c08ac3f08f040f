/*
 * The client's sockets. A request on a kept connection that the server has closed meanwhile is sent once more on a new one.
 * Threads: the worker, or the caller of weir_poll.
 */
#include "sdk/src/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sdk/src/tls.h"

void http_init(struct http *http, const struct exporter_settings *settings)
{
    memset(http, 0, sizeof(*http));
    http->settings = settings;
    http->fd = -1;
    http->in.limit = HTTP_RESPONSE_MAX + HTTP_HEAD_MAX;
}

static void disconnect(struct http *http)
{
    http->serial++;
    tls_destroy(http->tls);
    http->tls = NULL;
    if (http->fd >= 0)
        close(http->fd);
    http->fd = -1;
    http->wants = 0;
}

static void forget_addresses(struct http *http)
{
    if (http->addresses != NULL)
        freeaddrinfo(http->addresses);
    http->addresses = http->address = NULL;
}

void http_abort(struct http *http)
{
    disconnect(http);
    forget_addresses(http);
    http->state = HTTP_IDLE;
}

void http_fini(struct http *http)
{
    if (http->settings == NULL)
        return;
    http_abort(http);
    buffer_fini(&http->head);
    buffer_fini(&http->in);
    memset(http, 0, sizeof(*http));
}

static enum http_state lose(struct http *http, const char *format, ...) __attribute__((format(printf, 2, 3)));

static enum http_state lose(struct http *http, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(http->message, sizeof(http->message), format, arguments);
    va_end(arguments);
    disconnect(http);
    forget_addresses(http);
    return http->state = HTTP_FAILED;
}

/* ---- connecting ---- */

static int open_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static enum http_state connected(struct http *http)
{
    forget_addresses(http);
    if (http->settings->url.scheme != URL_HTTPS)
        return http->state = HTTP_SENDING;
    http->tls = tls_create(http->settings, http->fd, http->message);
    if (http->tls == NULL) {
        char reason[256];
        memcpy(reason, http->message, sizeof(reason));
        http->fatal = true;
        return lose(http, "%.200s", reason);
    }
    return http->state = HTTP_HANDSHAKE;
}

/* Tries addresses in turn until one is connecting or connected. */
static enum http_state try_addresses(struct http *http, int error)
{
    for (; http->address != NULL; http->address = http->address->ai_next) {
        disconnect(http);
        http->fd = open_socket(http->address->ai_family);
        if (http->fd < 0) {
            error = errno;
            continue;
        }
        setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (connect(http->fd, http->address->ai_addr, http->address->ai_addrlen) == 0)
            return connected(http);
        if (errno == EINPROGRESS) {
            http->wants = POLLOUT;
            return http->state = HTTP_CONNECTING;
        }
        error = errno;
    }
    return lose(http, "could not connect: %s", strerror(error));
}

static enum http_state connect_unix(struct http *http)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(http->settings->url.host) >= sizeof(address.sun_path)) {
        http->fatal = true;
        return lose(http, "the socket's path is too long");
    }
    memcpy(address.sun_path, http->settings->url.host, strlen(http->settings->url.host));
    http->fd = open_socket(AF_UNIX);
    if (http->fd < 0 || connect(http->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return lose(http, "could not connect: %s", strerror(errno));
    return connected(http);
}

static enum http_state start_connecting(struct http *http)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST };
    const struct url *url = &http->settings->url;

    if (url->scheme == URL_UNIX)
        return connect_unix(http);
    int result = getaddrinfo(url->host, url->port, &hints, &http->addresses);
    if (result == EAI_NONAME) {
        hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
        result = getaddrinfo(url->host, url->port, &hints, &http->addresses);
    }
    if (result == EAI_NONAME || result == EAI_ADDRFAMILY) {
        /* localhost without a configured address */
        hints.ai_flags = AI_NUMERICSERV;
        result = getaddrinfo(url->host, url->port, &hints, &http->addresses);
    }
    if (result != 0) {
        http->addresses = NULL;
        return lose(http, "could not find the address of \"%.100s\": %s", url->host, gai_strerror(result));
    }
    http->address = http->addresses;
    return try_addresses(http, ENETUNREACH);
}

static bool is_ready(const struct http *http, short events)
{
    struct pollfd poller = { http->fd, events, 0 };

    return poll(&poller, 1, 0) > 0;
}

static enum http_state continue_connecting(struct http *http)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (!is_ready(http, POLLOUT))
        return HTTP_CONNECTING;
    if (getsockopt(http->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return connected(http);
    http->address = http->address->ai_next;
    return try_addresses(http, error);
}

/* ---- bytes over the connection ---- */

enum transfer { TRANSFER_SOME, TRANSFER_WAIT, TRANSFER_CLOSED, TRANSFER_FAILED };

static enum transfer by_need(struct http *http, enum tls_need need)
{
    if (need == TLS_READY)
        return TRANSFER_SOME;
    if (need == TLS_CLOSED)
        return TRANSFER_CLOSED;
    if (need == TLS_FAILED)
        return TRANSFER_FAILED;
    http->wants = need == TLS_NEEDS_INPUT ? POLLIN : POLLOUT;
    return TRANSFER_WAIT;
}

static enum transfer send_some(struct http *http, struct slice bytes, size_t *done)
{
    if (http->tls != NULL)
        return by_need(http, tls_send(http->tls, bytes.data, bytes.size, done));
    ssize_t n = send(http->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (n >= 0) {
        *done = (size_t)n;
        return TRANSFER_SOME;
    }
    http->wants = POLLOUT;
    return errno == EAGAIN || errno == EINTR ? TRANSFER_WAIT : TRANSFER_FAILED;
}

static enum transfer receive_some(struct http *http)
{
    size_t done = 0;

    if (!buffer_reserve(&http->in, 4096))
        return TRANSFER_FAILED;
    size_t room = http->in.capacity - http->in.size;
    if (http->tls != NULL) {
        enum transfer result = by_need(http, tls_receive(http->tls, http->in.data + http->in.size, room, &done));
        http->in.size += result == TRANSFER_SOME ? done : 0;
        return result;
    }
    ssize_t n = recv(http->fd, http->in.data + http->in.size, room, 0);
    if (n > 0)
        http->in.size += (size_t)n;
    http->wants = POLLIN;
    if (n == 0)
        return TRANSFER_CLOSED;
    return n > 0 ? TRANSFER_SOME : errno == EAGAIN || errno == EINTR ? TRANSFER_WAIT : TRANSFER_FAILED;
}

static void start_over(struct http *http)
{
    http->sent = 0;
    buffer_clear(&http->in);
    memset(&http->response, 0, sizeof(http->response));
}

/* The connection broke. A kept one may have been closed before the request came: once more on a new one. */
static enum http_state broken(struct http *http, const char *what)
{
    if (http->reused && !http->retried && http->in.size == 0) {
        disconnect(http);
        start_over(http);
        http->retried = true;
        return start_connecting(http);
    }
    return lose(http, "%s", what);
}

static enum http_state continue_handshake(struct http *http)
{
    char message[256] = "";

    switch (by_need(http, tls_handshake(http->tls, message))) {
    case TRANSFER_SOME:
        return http->state = HTTP_SENDING;
    case TRANSFER_WAIT:
        return HTTP_HANDSHAKE;
    default:
        return lose(http, "%.200s", message);
    }
}

static enum http_state continue_sending(struct http *http)
{
    size_t total = http->head.size + http->body.size;

    while (http->sent < total) {
        struct slice rest = http->sent < http->head.size ? slice_of(http->head.data + http->sent, http->head.size - http->sent)
                                                         : slice_of(http->body.data + (http->sent - http->head.size), total - http->sent);
        size_t done = 0;
        enum transfer result = send_some(http, rest, &done);
        if (result == TRANSFER_WAIT)
            return HTTP_SENDING;
        /* Perhaps the server answered early, and says why it took no more. */
        if (result != TRANSFER_SOME)
            return http->state = HTTP_RECEIVING;
        http->sent += done;
    }
    return http->state = HTTP_RECEIVING;
}

static enum http_state finish(struct http *http)
{
    if (http->response.close || http->sent < http->head.size + http->body.size)
        disconnect(http);
    http->wants = 0;
    return http->state = HTTP_DONE;
}

static enum http_state continue_receiving(struct http *http)
{
    for (;;) {
        enum transfer result = receive_some(http);
        if (result == TRANSFER_WAIT)
            return HTTP_RECEIVING;
        if (result == TRANSFER_FAILED || (result == TRANSFER_CLOSED && http->in.size == 0))
            return broken(http, http->in.failed ? "the response is too long" : "the connection was closed before a response came");
        switch (http_parse(&http->response, &http->in, result == TRANSFER_CLOSED)) {
        case HTTP_PARSE_DONE:
            http->response.close |= result == TRANSFER_CLOSED;
            return finish(http);
        case HTTP_PARSE_BAD:
            return lose(http, "the response is not HTTP, or was cut short");
        case HTTP_PARSE_MORE:
            break;
        }
    }
}

/* ---- requests ---- */

static void write_head(struct http *http, const struct http_request *request)
{
    const struct url *url = &http->settings->url;
    bool local = url->scheme == URL_UNIX;
    bool six = !local && strchr(url->host, ':') != NULL;

    buffer_clear(&http->head);
    buffer_printf(&http->head, "POST %s HTTP/1.1\r\nHost: %s%s%s%s%s\r\n", url->path, six ? "[" : "", local ? "localhost" : url->host,
        six ? "]" : "", local ? "" : ":", url->port);
    buffer_printf(&http->head, "User-Agent: OTel-OTLP-Exporter-C/%s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", WEIR_VERSION,
        request->content_type, request->body.size);
    if (request->gzip)
        buffer_append_string(&http->head, "Content-Encoding: gzip\r\n");
    buffer_append_string(&http->head, http->settings->headers);
    buffer_append_string(&http->head, "\r\n");
}

void http_begin(struct http *http, const struct http_request *request)
{
    write_head(http, request);
    http->body = request->body;
    http->message[0] = '\0';
    http->fatal = http->retried = false;
    start_over(http);
    if (http->head.failed) {
        lose(http, "out of memory");
        return;
    }
    /* Readable means closed by the server, or bytes that nobody asked for: both end a kept connection. */
    if (http->fd >= 0 && is_ready(http, POLLIN))
        disconnect(http);
    http->reused = http->fd >= 0;
    if (http->reused)
        http->state = HTTP_SENDING;
    else
        start_connecting(http);
}

enum http_state http_step(struct http *http)
{
    for (;;) {
        enum http_state before = http->state;
        switch (before) {
        case HTTP_CONNECTING:
            continue_connecting(http);
            break;
        case HTTP_HANDSHAKE:
            continue_handshake(http);
            break;
        case HTTP_SENDING:
            continue_sending(http);
            break;
        case HTTP_RECEIVING:
            continue_receiving(http);
            break;
        default:
            return before;
        }
        if (http->state == before)
            return before;
    }
}
