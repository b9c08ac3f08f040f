/* One HTTP/2 connection of a gRPC client, with at most one call on it at a time. Private to grpc_client.c and grpc_connection.c. */
#ifndef WEIR_NET_GRPC_CONNECTION_H
#define WEIR_NET_GRPC_CONNECTION_H

#include "collector/net/grpc_client.h"
#include "collector/net/part_cursor.h"
#include "collector/net/stream.h"

struct nghttp2_session;

enum { GRPC_QUEUE_PIECES = 64, GRPC_QUEUE_COPIES = 4096, GRPC_PREFIX_SIZE = 5 };

/* Frames on their way to the socket: small ones are copied, pieces of the message are borrowed. */
struct frame_queue {
    struct slice pieces[GRPC_QUEUE_PIECES];
    size_t first, count;
    uint8_t copies[GRPC_QUEUE_COPIES];
    size_t copied;
};

struct grpc_exchange {
    const struct grpc_request *request;
    struct grpc_answer *answer;
    const char *scheme, *authority;
    struct stream_limits limits;
    int64_t timeout_ns; /* for grpc-timeout; 0: none */
    int64_t keepalive_time_ns, keepalive_timeout_ns;

    uint8_t prefix[GRPC_PREFIX_SIZE];
    struct part_cursor cursor; /* what of the message has not been queued */
    uint64_t frame_left;       /* of the DATA frame that is being queued */
    bool in_frame;

    int32_t stream_id;
    int http_status;
    int grpc_status;      /* -1: none came */
    size_t response_seen; /* bytes of response message, prefix included */
    bool response_compressed;
    bool started;        /* response headers came */
    bool ended;          /* the response is whole, or the stream was reset */
    uint32_t reset_code; /* HTTP/2 error code; 0: none */
};

struct grpc_connection {
    struct stream stream;
    struct nghttp2_session *session;
    struct frame_queue queue;
    struct grpc_exchange *exchange; /* the call under way; NULL: none */
    struct grpc_connection *next;   /* idle */
    int64_t idle_since_ns;
    bool reused;
    bool going_away; /* GOAWAY came: no new call */
};

enum grpc_run {
    GRPC_RUN_DONE,   /* the exchange says what came */
    GRPC_RUN_BROKEN, /* the connection failed: err */
    GRPC_RUN_TIMED_OUT,
    GRPC_RUN_CANCELLED,
};

/* Begins HTTP/2 on a connected stream. */
bool grpc_connection_start(struct grpc_connection *connection, struct error *err);
/* One call. After anything but DONE the connection must be closed. */
enum grpc_run grpc_connection_run(struct grpc_connection *connection, struct grpc_exchange *exchange, struct error *err);
/* Reads what came while it was idle (PING, SETTINGS, GOAWAY); false when it can't be used any more. */
bool grpc_connection_revive(struct grpc_connection *connection);
/* Closes and frees. NULL is fine. */
void grpc_connection_close(struct grpc_connection *connection);

#endif
