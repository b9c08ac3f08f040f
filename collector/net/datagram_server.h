/*
 * Receives datagrams, by UDP or a unix socket, many with one call to the kernel.
 * Threads: start and stop on whoever configures; the rest on one data loop.
 */
#ifndef WEIR_NET_DATAGRAM_SERVER_H
#define WEIR_NET_DATAGRAM_SERVER_H

#include "collector/base/error.h"
#include "collector/base/slice.h"

struct datagram_server;

struct datagram {
    struct slice bytes;
    const char *peer; /* "127.0.0.1:52114" or "unix" */
};

struct datagram_service {
    void *context;
    /* All that came at once; borrowed. Whoever cannot take it drops and counts it: there is nobody to tell. */
    void (*received)(void *context, const struct datagram *datagrams, size_t count);
    /* May datagrams be read now? If not, they wait in the kernel for a moment, as far as it keeps them. NULL: always. */
    bool (*ready)(void *context);
};

/* endpoint: "host:port", or a path when is_unix. NULL with the error. */
struct datagram_server *datagram_server_start(
    const char *endpoint, bool is_unix, const struct datagram_service *service, struct error *err);
/* NULL is fine. */
void datagram_server_stop(struct datagram_server *server);

#endif
