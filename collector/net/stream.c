/*
 * Streams: connect, TLS handshake, read, write and wait. A write hands the caller's parts to the kernel as they are
 * (sendmsg); TLS gathers 16 KiB at a time, the size of a record.
 * Threads: none of its own; names are resolved by resolve.c.
 */
#include "collector/net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/net/resolve.h"
#include "collector/net/tls_client.h"

enum { PARTS_AT_ONCE = 64, TLS_RECORD = 16384 };

bool stream_cancel_init(struct stream_cancel *cancel, struct error *err)
{
    atomic_init(&cancel->set, false);
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return cancel->fd >= 0 || fail(err, "could not make an eventfd: %s", strerror(errno));
}

void stream_cancel_fini(struct stream_cancel *cancel)
{
    if (cancel->fd > 0)
        close(cancel->fd);
    cancel->fd = -1;
}

void stream_cancel_set(struct stream_cancel *cancel)
{
    uint64_t one = 1;

    atomic_store(&cancel->set, true);
    if (write(cancel->fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: it is readable already */
}

static int poll_timeout(int64_t deadline_ns)
{
    int64_t left;

    if (deadline_ns == 0)
        return -1;
    left = deadline_ns - clock_monotonic_nanos();
    if (left <= 0)
        return 0;
    left = (left + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI;
    return left > 3600000 ? 3600000 : (int)left;
}

unsigned stream_wait(struct stream *stream, bool writable, const struct stream_limits *limits)
{
    struct pollfd watched[2] = {
        { .fd = stream->fd, .events = (short)(POLLIN | (writable && !stream->read_for_write ? POLLOUT : 0)) },
        { .fd = limits->cancel != NULL ? limits->cancel->fd : -1, .events = POLLIN },
    };
    unsigned result = 0;
    int count;

    if (stream->ssl != NULL && SSL_pending(stream->ssl) > 0)
        return STREAM_READABLE;
    do
        count = poll(watched, 2, poll_timeout(limits->deadline_ns));
    while (count < 0 && errno == EINTR);
    if (watched[1].revents != 0)
        return STREAM_CANCELLED;
    if (count <= 0)
        return STREAM_TIMED_OUT;
    if (watched[0].revents & (POLLIN | POLLHUP | POLLERR))
        result |= STREAM_READABLE;
    if (watched[0].revents & POLLOUT || (stream->read_for_write && result != 0))
        result |= STREAM_WRITABLE;
    return result;
}

/* Waits until the connection stands or failed; 0 or an errno. */
static int finish_connect(struct stream *stream, const struct stream_limits *limits)
{
    struct pollfd watched[2] = { { .fd = stream->fd, .events = POLLOUT },
        { .fd = limits->cancel != NULL ? limits->cancel->fd : -1, .events = POLLIN } };
    int error = 0, count;
    socklen_t size = sizeof(error);

    do
        count = poll(watched, 2, poll_timeout(limits->deadline_ns));
    while (count < 0 && errno == EINTR);
    if (watched[1].revents != 0)
        return ECANCELED;
    if (count <= 0)
        return ETIMEDOUT;
    return getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/* 0 or an errno. */
static int connect_address(struct stream *stream, const struct sockaddr *address, socklen_t size, const struct stream_limits *limits)
{
    int one = 1, error = 0;

    stream->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream->fd < 0)
        return errno;
    if (address->sa_family != AF_UNIX) {
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
    if (connect(stream->fd, address, size) != 0)
        error = errno == EINPROGRESS ? finish_connect(stream, limits) : errno;
    if (error != 0)
        stream_close(stream);
    return error;
}

static bool connect_unix(struct stream *stream, const char *path, const struct stream_limits *limits, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(path);
    int error;

    if (length >= sizeof(address.sun_path))
        return fail(err, "the socket path \"%s\" is longer than %zu bytes", path, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    error = connect_address(stream, (const struct sockaddr *)&address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1)), limits);
    return error == 0 || fail(err, "could not connect to \"%s\": %s", path, strerror(error));
}

/* Until when the next of `left` addresses may be tried, so that one that drops packets does not use up the others' time. */
static int64_t share_of_time(const struct stream_limits *limits, size_t left)
{
    int64_t now = clock_monotonic_nanos();

    if (limits->deadline_ns == 0)
        return left > 1 ? now + 10 * NANOS_PER_SECOND : 0;
    return now + (limits->deadline_ns - now) / (int64_t)left;
}

bool stream_connect(struct stream *stream, const struct stream_target *target, const struct stream_limits *limits, struct error *err)
{
    struct resolved addresses;
    int error = ETIMEDOUT;

    stream->fd = -1;
    stream->ssl = NULL;
    stream->read_for_write = false;
    if (target->unix_path != NULL)
        return connect_unix(stream, target->unix_path, limits, err);
    if (!resolve(target->host, target->port, limits, &addresses, err))
        return false;
    resolve_rotate(&addresses, target->rotation);
    for (size_t i = 0; i < addresses.count; i++) {
        struct stream_limits share = { share_of_time(limits, addresses.count - i), limits->cancel };

        error = connect_address(stream, (const struct sockaddr *)&addresses.items[i].address, addresses.items[i].size, &share);
        if (error == 0)
            return true;
        if (error == ECANCELED)
            break;
    }
    return fail(err, "could not connect to %s:%s: %s", target->host, target->port, error == ECANCELED ? "stopping" : strerror(error));
}

/* ---- TLS ---- */

static bool fail_handshake(struct stream *stream, const struct stream_tls *tls, struct error *err)
{
    long verified = SSL_get_verify_result(stream->ssl);
    unsigned long code = ERR_get_error();
    const char *hint = "";

    if (verified != X509_V_OK && SSL_get_verify_mode(stream->ssl) != SSL_VERIFY_NONE)
        return fail(err,
            "TLS: the certificate of \"%s\" is not trusted: %s (tls.ca_file names the authority; tls.server_name_override the name)",
            tls->server_name, X509_verify_cert_error_string(verified));
    if (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
        hint = " (the server does not speak TLS here; for plain text use an http:// URL, or tls.insecure: true with gRPC)";
    if (code == 0)
        return fail(err, "TLS: the server closed the connection during the handshake");
    return fail(err, "TLS: %s%s", ERR_reason_error_string(code) != NULL ? ERR_reason_error_string(code) : "handshake failed", hint);
}

static bool check_alpn(struct stream *stream, const struct stream_tls *tls, struct error *err)
{
    const unsigned char *chosen = NULL;
    unsigned size = 0;

    SSL_get0_alpn_selected(stream->ssl, &chosen, &size);
    if (!tls->alpn_required || slice_equal(slice_of(chosen, size), slice_of(tls->alpn.data + 1, tls->alpn.size - 1)))
        return true;
    return fail(err, "TLS: the server did not choose \"%.*s\" by ALPN", (int)tls->alpn.size - 1, (const char *)tls->alpn.data + 1);
}

bool stream_start_tls(struct stream *stream, const struct stream_tls *tls, const struct stream_limits *limits, struct error *err)
{
    stream->ssl = tls_client_connection(tls->client, stream->fd, tls->server_name, tls->alpn);
    if (stream->ssl == NULL)
        return fail(err, "TLS: out of memory");
    for (;;) {
        int result, why;
        unsigned ready;

        ERR_clear_error();
        result = SSL_connect(stream->ssl);
        if (result == 1)
            return check_alpn(stream, tls, err);
        why = SSL_get_error(stream->ssl, result);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            return fail_handshake(stream, tls, err);
        ready = stream_wait(stream, why == SSL_ERROR_WANT_WRITE, limits);
        if (ready & (STREAM_TIMED_OUT | STREAM_CANCELLED))
            return fail(err, "TLS: %s during the handshake", ready & STREAM_CANCELLED ? "stopped" : "timed out");
    }
}

static ssize_t tls_result(struct stream *stream, int result, bool writing)
{
    int saved = errno;

    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        stream->read_for_write = writing;
        return STREAM_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        errno = EPIPE;
        return writing ? STREAM_FAILED : 0;
    case SSL_ERROR_SYSCALL:
        errno = saved != 0 ? saved : ECONNRESET;
        return STREAM_FAILED;
    default:
        errno = EPROTO;
        return STREAM_FAILED;
    }
}

/* Gathered afresh at each try: OpenSSL allows the buffer to move as long as its first bytes are those of the try before. */
static ssize_t tls_write(struct stream *stream, const struct slice *parts, size_t count)
{
    uint8_t gathered[TLS_RECORD];
    size_t size = 0;
    int written;

    if (count > 0 && parts[0].size >= TLS_RECORD) {
        ERR_clear_error();
        written = SSL_write(stream->ssl, parts[0].data, parts[0].size > INT32_MAX ? INT32_MAX : (int)parts[0].size);
        stream->read_for_write = false;
        return written > 0 ? written : tls_result(stream, written, true);
    }
    for (size_t i = 0; i < count && size < sizeof(gathered); i++) {
        size_t take = parts[i].size < sizeof(gathered) - size ? parts[i].size : sizeof(gathered) - size;

        memcpy(gathered + size, parts[i].data, take);
        size += take;
    }
    ERR_clear_error();
    written = SSL_write(stream->ssl, gathered, (int)size);
    stream->read_for_write = false;
    return written > 0 ? written : tls_result(stream, written, true);
}

/* ---- bytes ---- */

ssize_t stream_write(struct stream *stream, const struct slice *parts, size_t count)
{
    struct iovec vector[PARTS_AT_ONCE];
    struct msghdr message = { .msg_iov = vector };
    ssize_t written;

    if (stream->ssl != NULL)
        return tls_write(stream, parts, count);
    for (; message.msg_iovlen < count && message.msg_iovlen < PARTS_AT_ONCE; message.msg_iovlen++)
        vector[message.msg_iovlen] = (struct iovec){ (void *)(uintptr_t)parts[message.msg_iovlen].data, parts[message.msg_iovlen].size };
    do
        written = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    while (written < 0 && errno == EINTR);
    if (written >= 0)
        return written;
    return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_FAILED;
}

ssize_t stream_read(struct stream *stream, void *into, size_t size)
{
    ssize_t got;

    if (stream->ssl != NULL) {
        int result;

        ERR_clear_error();
        errno = 0;
        result = SSL_read(stream->ssl, into, (int)size);
        return result > 0 ? result : tls_result(stream, result, false);
    }
    do
        got = recv(stream->fd, into, size, 0);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return got;
    return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_FAILED;
}

bool stream_is_quiet(struct stream *stream)
{
    uint8_t byte;
    ssize_t got;

    if (stream->ssl != NULL) {
        /* TLS 1.3 sends session tickets after the handshake: they are read away, and are not what was asked for. */
        int peeked;

        ERR_clear_error();
        peeked = SSL_peek(stream->ssl, &byte, 1);
        return peeked <= 0 && SSL_get_error(stream->ssl, peeked) == SSL_ERROR_WANT_READ;
    }
    got = recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

const char *stream_failure(const struct stream *stream, char *out, size_t size)
{
    int error = errno;

    if (stream->ssl != NULL && error == EPROTO)
        snprintf(out, size, "TLS: %s",
            ERR_reason_error_string(ERR_peek_error()) != NULL ? ERR_reason_error_string(ERR_peek_error()) : "protocol error");
    else
        snprintf(out, size, "%s", strerror(error));
    return out;
}

bool stream_write_all(struct stream *stream, struct slice bytes, const struct stream_limits *limits, struct error *err)
{
    while (bytes.size > 0) {
        ssize_t written = stream_write(stream, &bytes, 1);
        char why[200];

        if (written == STREAM_FAILED)
            return fail(err, "could not write: %s", stream_failure(stream, why, sizeof(why)));
        if (written > 0)
            bytes = slice_of(bytes.data + written, bytes.size - (size_t)written);
        else if (stream_wait(stream, true, limits) & (STREAM_TIMED_OUT | STREAM_CANCELLED))
            return fail(err, "timed out");
    }
    return true;
}

void stream_close(struct stream *stream)
{
    if (stream->ssl != NULL) {
        SSL_set_shutdown(stream->ssl, SSL_get_shutdown(stream->ssl) | SSL_RECEIVED_SHUTDOWN);
        ERR_clear_error();
        SSL_shutdown(stream->ssl);
        SSL_free(stream->ssl);
        stream->ssl = NULL;
    }
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}
