/*
 * A listening TCP socket whose peers send and hear nothing back: each connection's bytes are handed to one function, which says how many it
 * could use; the rest is kept until more comes.
 */
#ifndef WEIR_NET_FEED_H
#define WEIR_NET_FEED_H

#include <sys/socket.h>

#include "collector/base/error.h"
#include "collector/base/slice.h"
#include "collector/net/loop.h"

struct feed_settings {
    const char *endpoint;
    int family;              /* AF_UNSPEC, AF_INET, AF_INET6 */
    int64_t idle_timeout_ns; /* a connection that says nothing for so long is closed; 0: never */
    size_t max_connections;
    size_t max_pending; /* bytes that may be kept of a connection: one more, and it is closed as "too_long"; below LOOP_SCRATCH_SIZE / 2 */
};

enum { FEED_CLOSE = -1 };

struct feed_handler {
    void *context;
    /* Returns the bytes that were used, or FEED_CLOSE. At the end all that is left is shown once more; what is not used then is gone. */
    ptrdiff_t (*received)(void *context, struct slice bytes, bool at_end, const struct sockaddr *peer);
    void (*fault)(void *context, const char *reason); /* "too_long", "too_many_connections", "no_file_descriptors", "memory" */
    void (*burst_end)(void *context);                 /* for now there is no more of this connection; may be NULL */
};

struct feed;

/* Callbacks run on the loop's thread. NULL with the error. */
struct feed *feed_start(const struct feed_settings *settings, struct loop *loop, const struct feed_handler *handler, struct error *err);
/* Closes all connections; no callback runs any more after it. NULL is fine. */
void feed_stop(struct feed *feed);
int feed_port(const struct feed *feed);

#endif
