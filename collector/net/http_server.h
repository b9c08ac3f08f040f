/*
 * HTTP server: HTTP/1.1 and HTTP/2 (by prior knowledge or ALPN) over TCP, TLS and unix sockets, on the data loops or the control loop.
 *
 * A request goes: head read -> head() may refuse -> body read straight into a payload (asked for by admit() before it is
 * allocated), decompressed -> serve() -> one http_reply() from any thread. Every length, count and time is bounded by the settings.
 */
#ifndef WEIR_NET_HTTP_SERVER_H
#define WEIR_NET_HTTP_SERVER_H

#include "collector/base/payload.h"
#include "collector/net/compress.h"
#include "collector/net/tls.h"

struct http_header {
    struct slice name, value;
};

struct http_request {
    struct slice method, path, query; /* path and query as sent, '?' left out */
    struct slice authority;
    const struct http_header *headers; /* names lower case */
    size_t header_count;
    const char *peer; /* "127.0.0.1:52114", "unix" */
    bool http2, tls;
};

struct http_exchange; /* one request and its answer-to-be; lives until replied, even when the client went away */

struct http_response {
    int status;
    const struct http_header *headers; /* content-length, date and connection are added */
    size_t header_count;
    struct slice body;
    const struct http_header *trailers; /* HTTP/2 only */
    size_t trailer_count;
};

enum http_refusal {
    HTTP_REFUSE_BODY_TOO_LARGE,   /* before or after decompression: 413 */
    HTTP_REFUSE_NO_MEMORY,        /* admission said no: 503 */
    HTTP_REFUSE_UNKNOWN_ENCODING, /* 415 */
    HTTP_REFUSE_CORRUPT_BODY,     /* does not decompress: 400 */
    HTTP_REFUSE_TIMEOUT,          /* 408 */
};

struct http_service {
    void *context;
    struct admission admission; /* may a body of that size be taken in? */
    /* Is more on its way out than is of use? Then new requests wait for a moment before they are read. NULL: never. Loop thread. */
    bool (*crowded)(void *context);
    /* Head is read. true: go on. false: http_reply was called. NULL: every request goes on. Loop thread. */
    bool (*head)(void *context, struct http_exchange *exchange);
    /* The whole body is there. Must lead to one http_reply, now or later, from any thread. Loop thread. */
    void (*serve)(void *context, struct http_exchange *exchange);
    /* The request can't be taken: must call http_reply at once. NULL: a text/plain answer with the refusal's status. */
    void (*refuse)(void *context, struct http_exchange *exchange, enum http_refusal why);
    /* A connection or request that never became an exchange: malformed head, header flood, time-out. `reason` is static. NULL: not told. Loop thread. */
    void (*fault)(void *context, const char *peer, const char *reason);
};

struct http_server_settings {
    const char *endpoint;           /* "localhost:4318", "0.0.0.0:4318", "[::1]:0"; a path when transport is "unix" */
    const char *transport;          /* "tcp" or "unix"; NULL: tcp */
    const struct tls_settings *tls; /* NULL: plain. Borrowed until stop */
    size_t max_body;                /* bytes, before and after decompression */
    unsigned codings;               /* bit set of enum coding that request bodies may use */
    size_t max_header_bytes;        /* 0: 64 KiB in all */
    int64_t read_timeout_ns;        /* whole request; 0: none, but a body is given up that stalls, or trickles, for a minute */
    int64_t read_header_timeout_ns; /* 0: 1 minute */
    int64_t write_timeout_ns;       /* 0: 1 minute without progress */
    int64_t idle_timeout_ns;        /* 0: none */
    bool no_keep_alive;
    bool control;                    /* serve on the control loop */
    bool leave_coding;               /* bodies are handed over as they came (gRPC decompresses messages itself) */
    uint32_t max_concurrent_streams; /* HTTP/2; 0: 100 */
    int64_t max_connection_age_ns, max_connection_age_grace_ns, keepalive_time_ns, keepalive_timeout_ns; /* HTTP/2; 0: none */
    int64_t min_ping_interval_ns; /* HTTP/2: a client that pings more often, with no request in between, is sent away; 0: floods only */
    bool refuse_idle_pings;       /* the same for pings of a connection without requests */
    size_t max_connections;       /* 0: 65536; beyond it new ones are closed at once */
};

struct http_server;

struct http_server *http_server_start(const struct http_server_settings *settings, const struct http_service *service, struct error *err);
/* Closes the listening socket, lets requests that are read in be answered (GOAWAY, Connection: close) for at most `grace_ns`, then closes. NULL is fine. */
void http_server_stop(struct http_server *server, int64_t grace_ns);
/* The port that was bound, when the endpoint said 0. */
int http_server_port(const struct http_server *server);

const struct http_request *http_exchange_request(const struct http_exchange *exchange);
/* nth value (from 0) of a header, in any case; data NULL: none. */
struct slice http_exchange_header(const struct http_exchange *exchange, const char *name, size_t nth);
/* The body; NULL when empty or already taken. The caller owns the reference. */
struct payload *http_exchange_take_body(struct http_exchange *exchange);
/* Exactly once for each exchange, from any thread; everything is copied. The exchange is gone afterwards. */
void http_reply(struct http_exchange *exchange, const struct http_response *response);

#endif
