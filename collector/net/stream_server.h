/*
 * A server of byte streams over TCP, TLS or a unix socket, for protocols that are not HTTP: bytes in, bytes out, no more.
 *
 * A session is one connection. It is served by one data loop; what it holds is bounded by max_pending, the bytes of a message that is not
 * whole yet. A peer that has ended is kept until nobody is busy with what it sent.
 * Threads: all of a protocol's functions run on the session's loop, and so must every call here but start, stop, ref and unref.
 */
#ifndef WEIR_NET_STREAM_SERVER_H
#define WEIR_NET_STREAM_SERVER_H

#include "collector/base/error.h"
#include "collector/base/slice.h"
#include "collector/net/compress.h"
#include "collector/net/loop.h"
#include "collector/net/tls.h"

struct stream_server;
struct stream_session;

struct stream_protocol {
    size_t state_size;                              /* zeroed memory that comes with each session */
    void (*opened)(struct stream_session *session); /* NULL: nothing to do */
    /* All bytes that were not used yet, from the first on. Returns how many are used now; 0: more are needed, or the session waits. */
    size_t (*received)(struct stream_session *session, struct slice bytes);
    /* The peer has sent its last byte; `rest` was not used. NULL: nothing to do. */
    void (*ended)(struct stream_session *session, struct slice rest);
    void (*tick)(struct stream_session *session, int64_t now); /* some four times a second; NULL: nothing to do */
    void (*closed)(struct stream_session *session);            /* last call; NULL: nothing to do */
};

struct stream_server_settings {
    const char *endpoint; /* "host:port", or the path of a unix socket when is_unix. Copied */
    bool is_unix;
    const struct tls_settings *tls; /* NULL: plain; borrowed for the call */
    size_t max_connections;         /* 0: 16384 */
    size_t max_pending;             /* bytes of one message; a peer that sends more is cut off */
    int64_t stall_ns;               /* half a message, and no byte more for so long: cut off. 0: never */
};

struct stream_service {
    const struct stream_protocol *protocol; /* borrowed */
    void *context;
    struct admission admission; /* asked before the memory for a large message is taken */
    /* A connection ended for a reason that the peer did not choose ("too_many_connections", "stalled" ...). Any data loop. */
    void (*fault)(void *context, const char *peer, const char *reason);
};

/* NULL with the error. */
struct stream_server *stream_server_start(
    const struct stream_server_settings *settings, const struct stream_service *service, struct error *err);
/* Reads no more, waits up to grace_ns until no session is busy, closes all. NULL is fine. No function of the protocol runs afterwards. */
void stream_server_stop(struct stream_server *server, int64_t grace_ns);

void *stream_session_state(struct stream_session *session);
void *stream_session_context(const struct stream_session *session); /* not once it is closed */
const char *stream_session_peer(const struct stream_session *session);
struct loop *stream_session_loop(const struct stream_session *session);
bool stream_session_is_closed(const struct stream_session *session);
bool stream_session_has_ended(const struct stream_session *session); /* the peer has */

/* What the socket does not take at once is kept; a peer that does not take its answers is cut off. */
void stream_session_send(struct stream_session *session, struct slice bytes);
/* Nothing is read until the next tick or stream_session_resume; then `received` gets what was not used. */
void stream_session_wait(struct stream_session *session);
void stream_session_resume(struct stream_session *session);
/* Something the peer sent is still under way: the session is kept although the peer has ended. */
void stream_session_set_busy(struct stream_session *session, bool busy);
/* Closes when what was sent is out. reason: for service->fault; NULL: none. */
void stream_session_close(struct stream_session *session, const char *reason);

/* Keeps the memory, not the connection: whoever comes back from elsewhere looks at is_closed. */
void stream_session_ref(struct stream_session *session);
void stream_session_unref(struct stream_session *session);

#endif
