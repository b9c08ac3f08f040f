/*
 * One accepted connection's bytes, plain or TLS, without blocking. The TLS handshake happens within the first reads.
 * Threads: the connection's loop.
 */
#ifndef WEIR_NET_TRANSPORT_H
#define WEIR_NET_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;
struct tls_server;

struct transport {
    int fd;
    struct ssl_st *ssl;                      /* NULL: plain */
    bool read_wants_write, write_wants_read; /* TLS: what the last call that had to wait waits for */
};

enum { TRANSPORT_WAIT = -1, TRANSPORT_FAILED = -2 };

/* Takes the socket, also when it fails. tls NULL: plain. */
bool transport_init(struct transport *transport, int fd, struct tls_server *tls);
void transport_fini(struct transport *transport);

/* Bytes read; 0 at the end of the peer's bytes; TRANSPORT_WAIT; TRANSPORT_FAILED. */
ssize_t transport_read(struct transport *transport, void *into, size_t size);
/* Bytes written, at least 1 (of at least 1); TRANSPORT_WAIT; TRANSPORT_FAILED. */
ssize_t transport_write(struct transport *transport, const void *from, size_t size);
/* Bytes can be read that the socket will not announce: TLS has them already. */
bool transport_pending(const struct transport *transport);
/* TLS, and not agreed on it yet. */
bool transport_handshaking(const struct transport *transport);
/* No more bytes from us: the peer sees the end after what was written. */
void transport_shutdown(struct transport *transport);

#endif
