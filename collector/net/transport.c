/* Sockets of accepted connections. A plain read or write is one system call; TLS is OpenSSL on the same socket. */
#include "collector/net/transport.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/net/tls.h"

bool transport_init(struct transport *transport, int fd, struct tls_server *tls)
{
    *transport = (struct transport){ .fd = fd };
    if (tls == NULL)
        return true;
    transport->ssl = tls_server_accept(tls, fd);
    if (transport->ssl == NULL) {
        transport_fini(transport);
        return false;
    }
    SSL_set_read_ahead(transport->ssl, 0); /* so that what SSL_pending says is all there is */
    SSL_set_mode(transport->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return true;
}

void transport_fini(struct transport *transport)
{
    SSL_free(transport->ssl);
    transport->ssl = NULL;
    if (transport->fd >= 0)
        close(transport->fd);
    transport->fd = -1;
}

static ssize_t plain_result(ssize_t count)
{
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? TRANSPORT_WAIT : TRANSPORT_FAILED;
}

/* Why a TLS call did not move bytes; `crossed` says that it waits for the other direction. */
static ssize_t tls_result(struct transport *transport, int result, int crossing, bool *crossed)
{
    int reason = SSL_get_error(transport->ssl, result);

    ERR_clear_error();
    *crossed = reason == crossing;
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
        return TRANSPORT_WAIT;
    return reason == SSL_ERROR_ZERO_RETURN ? 0 : TRANSPORT_FAILED;
}

static ssize_t tls_read(struct transport *transport, uint8_t *into, size_t size)
{
    size_t total = 0;
    int count;

    transport->read_wants_write = false;
    while (total < size) { /* a record is 16 KiB at the most */
        count = SSL_read(transport->ssl, into + total, (int)(size - total));
        if (count > 0)
            total += (size_t)count;
        else if (total > 0)
            break; /* the reason comes again with the next call */
        else
            return tls_result(transport, count, SSL_ERROR_WANT_WRITE, &transport->read_wants_write);
    }
    return (ssize_t)total;
}

ssize_t transport_read(struct transport *transport, void *into, size_t size)
{
    if (transport->ssl == NULL)
        return plain_result(recv(transport->fd, into, size, 0));
    ERR_clear_error();
    return tls_read(transport, into, size < INT_MAX ? size : INT_MAX);
}

ssize_t transport_write(struct transport *transport, const void *from, size_t size)
{
    int count;
    ssize_t result;

    if (transport->ssl == NULL)
        return plain_result(send(transport->fd, from, size, MSG_NOSIGNAL));
    ERR_clear_error();
    transport->write_wants_read = false;
    count = SSL_write(transport->ssl, from, (int)(size < INT_MAX ? size : INT_MAX));
    if (count > 0)
        return count;
    result = tls_result(transport, count, SSL_ERROR_WANT_READ, &transport->write_wants_read);
    return result == 0 ? TRANSPORT_FAILED : result;
}

bool transport_pending(const struct transport *transport)
{
    return transport->ssl != NULL && SSL_pending(transport->ssl) > 0;
}

bool transport_handshaking(const struct transport *transport)
{
    return transport->ssl != NULL && !SSL_is_init_finished(transport->ssl);
}

void transport_shutdown(struct transport *transport)
{
    if (transport->ssl != NULL) {
        ERR_clear_error();
        SSL_shutdown(transport->ssl);
        ERR_clear_error();
    }
    shutdown(transport->fd, SHUT_WR);
}
