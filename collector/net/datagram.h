/*
 * Datagram sockets, UDP and unix, read by recvmmsg in bursts on one loop. What the kernel dropped because nobody read in time is
 * told (SO_RXQ_OVFL).
 */
#ifndef WEIR_NET_DATAGRAM_H
#define WEIR_NET_DATAGRAM_H

#include <sys/socket.h>

#include "collector/base/error.h"
#include "collector/base/slice.h"
#include "collector/net/loop.h"

struct datagram_settings {
    const char *endpoint; /* "host:port", or the path of a unix socket ("@name": abstract) */
    int family;           /* AF_UNSPEC: whatever the name has, IPv4 first; AF_INET, AF_INET6, AF_UNIX */
    unsigned permissions; /* of a unix socket's file */
    int64_t buffer_size;  /* bytes that the kernel keeps; 0: its default */
};

struct datagram_handler {
    void *context;
    /* The bytes are borrowed for the call. A peer without a name has the family AF_UNSPEC. */
    void (*received)(void *context, struct slice bytes, const struct sockaddr *peer);
    void (*truncated)(void *context);               /* one was larger than 64 KiB; it is gone */
    void (*dropped)(void *context, uint64_t count); /* by the kernel, since it was last told */
    void (*burst_end)(void *context);               /* for now there is no more */
};

struct datagram_socket;

/* Callbacks run on the loop's thread. NULL with the error. */
struct datagram_socket *datagram_start(
    const struct datagram_settings *settings, struct loop *loop, const struct datagram_handler *handler, struct error *err);
/* No callback runs any more after it. NULL is fine. */
void datagram_stop(struct datagram_socket *datagrams);
int datagram_port(const struct datagram_socket *datagrams);

/* A bound socket that does not block, TCP ones not listening yet; -1 with the error. type: SOCK_DGRAM or SOCK_STREAM. */
int datagram_bind(const char *endpoint, int family, int type, struct error *err);

#endif
