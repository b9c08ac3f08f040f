/*
 * Within the HTTP server: one accepted connection, and the part of a server that lives on one loop.
 *
 * A connection speaks one protocol at a time (HTTP/1.1, HTTP/2, or the lingering close) through a table of functions. It is freed
 * by a posted task after it was closed, so that whoever is further up the stack may still look at `closed`.
 * Threads: everything here belongs to the shard's loop.
 */
#ifndef WEIR_NET_HTTP_CONNECTION_H
#define WEIR_NET_HTTP_CONNECTION_H

#include <stdatomic.h>
#include <sys/epoll.h>

#include "collector/base/buffer.h"
#include "collector/net/http1.h"
#include "collector/net/http_server.h"
#include "collector/net/loop.h"
#include "collector/net/socket.h"
#include "collector/net/transport.h"

struct http_connection;
struct http2;

/* What another protocol on top (gRPC) needs to know more than a service does; all may be NULL. Loop thread. */
struct http_hooks {
    /* Body bytes as they come, instead of the payload. false: the exchange was replied to. */
    bool (*data)(void *context, struct http_exchange *exchange, struct slice bytes);
    /* The exchange's deadline has passed: must call http_exchange_answer. */
    void (*expired)(void *context, struct http_exchange *exchange);
};

struct http_shard {
    struct http_server *server;
    struct loop *loop;
    const struct http_server_settings *settings; /* the server's copy, defaults filled in */
    const struct http_service *service;
    struct http_hooks hooks;
    struct tls_server *tls; /* NULL: plain */
    struct http_connection *connections;
    atomic_size_t load; /* connections, for whoever accepts */
    struct loop_timer *timer;
    int64_t timer_due; /* INT64_MAX: not running */
    int64_t last_sweep;
    int64_t receiving;                                  /* bytes of bodies that are not whole yet */
    struct http_connection *parked_first, *parked_last; /* they wait before a request (http_pacing.h) */
    struct loop_timer *pacing_timer;                    /* runs while somebody is parked */
    bool draining;
    void (*emptied)(struct http_server *server); /* the last connection is gone while draining */
    void (*swept)(struct http_server *server);   /* with each look after deadlines; NULL: not told */
};

struct http_protocol {
    void (*readable)(struct http_connection *connection);
    void (*written)(struct http_connection *connection); /* output that had to wait is out */
    void (*resume)(struct http_connection *connection);  /* http_connection_later */
    void (*expired)(struct http_connection *connection); /* the deadline, set to none before */
    void (*drain)(struct http_connection *connection);
    void (*reply)(struct http_exchange *exchange, const struct http_response *response);
    void (*closing)(struct http_connection *connection); /* frees what is the protocol's */
};

struct http1_state {
    enum { HTTP1_HEAD, HTTP1_BODY, HTTP1_SERVING, HTTP1_DISCARD } state;
    bool keep_alive, http10, head_only, chunked, continue_due;
    struct http_exchange *exchange;
    struct buffer in; /* bytes read and not used yet: part of a head, or a pipelined request */
    size_t scanned;
    uint64_t left; /* of the body, when its length is known */
    size_t discarded;
    struct http1_chunks chunks;
    int64_t began; /* when the request's first byte came */
};

struct http_connection {
    struct loop_watch watch; /* first, so that a watch is a connection */
    struct loop_task task;
    struct http_shard *shard;
    struct http_connection *previous, *next;
    const struct http_protocol *protocol;
    struct transport transport;
    uint32_t events; /* watched */
    bool reading, closed, task_posted, resume_wanted, close_when_written;
    int64_t deadline;  /* INT64_MAX: none */
    struct buffer out; /* output that the socket did not take, from `out_sent` on */
    size_t out_sent;
    int64_t out_progress; /* when the socket took some */
    size_t lingered;
    struct http_connection *parked_before, *parked_behind;
    int64_t parked_at; /* 0: not parked */
    bool unpaced;      /* has waited enough */
    struct http1_state http1;
    struct http2 *http2; /* owned; NULL: HTTP/1.1 */
    char peer[SOCKET_PEER_SIZE];
};

extern const struct http_protocol http1_protocol, http2_protocol;

/* Takes the socket, which is in the shard's load already. `peer` is SOCKET_PEER_SIZE long. */
void http_connection_open(struct http_shard *shard, int fd, const char *peer);
void http_connection_close(struct http_connection *connection);
/* What is still unsent goes out first. Then the peer's bytes are read and dropped for a moment, so that it can read our last ones. */
void http_connection_linger(struct http_connection *connection);

/* Writes now what the socket takes and keeps the rest. false: the connection is closed now. */
bool http_connection_send(struct http_connection *connection, struct slice bytes);
bool http_connection_has_output(const struct http_connection *connection);
void http_connection_set_reading(struct http_connection *connection, bool reading);
/* protocol->resume from the loop, soon. */
void http_connection_later(struct http_connection *connection);
/* From now until `at` (INT64_MAX: for ever), in the place of the deadline before, or only if it is earlier. */
void http_connection_set_deadline(struct http_connection *connection, int64_t at);
void http_connection_advance_deadline(struct http_connection *connection, int64_t at);
void http_connection_fault(struct http_connection *connection, const char *reason);
static inline int64_t http_connection_now(const struct http_connection *connection)
{
    return loop_now(connection->shard->loop);
}

/* The other side of a time limit: never when there is none. */
static inline int64_t http_time_after(int64_t start, int64_t limit)
{
    return limit > 0 ? start + limit : INT64_MAX;
}

/* A new connection waits for its first bytes. */
void http1_begin(struct http_connection *connection);
/*
 * When a body that is on its way is given up: a minute after its last byte, or when it has come slower than some 256 bytes a second
 * for longer than a minute; or at the configured limit for the whole request.
 */
struct http_body_progress {
    int64_t began, last;
    uint64_t received;
};
int64_t http_body_due(const struct http_connection *connection, struct http_body_progress progress);

/* Turns an HTTP/1.1 connection whose first bytes are an HTTP/2 preface into an HTTP/2 one; they are its input. */
void http2_take_over(struct http_connection *connection, struct slice bytes);

/* ---- the shard ---- */

void http_shard_start(struct http_shard *shard);
/* Looks after deadlines again at `at` at the latest. */
void http_shard_due(struct http_shard *shard, int64_t at);
void http_shard_drain(struct http_shard *shard);
/* Closes what is left. */
void http_shard_stop(struct http_shard *shard);

#endif
