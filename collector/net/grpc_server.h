/*
 * gRPC server, unary calls: length-prefixed messages over the HTTP/2 server, per-message compression (identity, gzip, zstd, snappy),
 * status in trailers, grpc-timeout honoured. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
#ifndef WEIR_NET_GRPC_SERVER_H
#define WEIR_NET_GRPC_SERVER_H

#include "collector/net/http_server.h"

enum grpc_status {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16,
};

struct grpc_call;

struct grpc_service {
    void *context;
    struct admission admission;
    /* Is there such a method ("/package.Service/Method")? false: UNIMPLEMENTED. Also the place to authenticate: NULL err message means unknown method, else UNAUTHENTICATED with it. */
    bool (*accept)(void *context, struct grpc_call *call, struct error *err);
    /* The message is there. Must lead to one grpc_reply, from any thread. */
    void (*call)(void *context, struct grpc_call *call);
    /* Refused below the service (too large, no memory, corrupt): counted by whoever serves. `reason` is static. NULL: not told. */
    void (*refused)(void *context, const char *method, const char *reason);
    void (*fault)(void *context, const char *peer, const char *reason);
};

struct grpc_server_settings {
    struct http_server_settings http; /* endpoint, transport, tls, keepalive, limits */
    size_t max_message;               /* bytes, before and after decompression */
};

struct grpc_server;
struct grpc_server *grpc_server_start(const struct grpc_server_settings *settings, const struct grpc_service *service, struct error *err);
void grpc_server_stop(struct grpc_server *server, int64_t grace_ns);
int grpc_server_port(const struct grpc_server *server);

struct slice grpc_call_method(const struct grpc_call *call);
const struct http_exchange *grpc_call_exchange(const struct grpc_call *call); /* headers and peer */
struct payload *grpc_call_take_message(struct grpc_call *call);

struct grpc_reply {
    enum grpc_status status;
    struct slice message;   /* text of the status; percent-encoded on the wire */
    struct slice body;      /* the response message; with GRPC_OK */
    int64_t retry_delay_ns; /* > 0: grpc-status-details-bin with google.rpc.RetryInfo */
};
void grpc_reply(struct grpc_call *call, const struct grpc_reply *reply);

#endif
