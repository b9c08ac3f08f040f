/*
 * gRPC client, unary calls: blocking, from exporters' own threads, callable from several at once. One connection for
 * each call at the same time, kept alive; HTTP/2 by prior knowledge, or by ALPN over TLS.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 *
 * The message goes from the caller's parts to the socket without a copy, in frames as large as the peer allows.
 */
#ifndef WEIR_NET_GRPC_CLIENT_H
#define WEIR_NET_GRPC_CLIENT_H

#include "collector/base/buffer.h"
#include "collector/net/grpc_server.h"

struct grpc_client_settings {
    const char *endpoint;           /* "host:4317", "http://...", "https://...", "dns:///host:4317", "unix:/path", "unix-abstract:name" */
    const struct tls_settings *tls; /* borrowed; plain text when insecure and no authority is named, and the endpoint is not https:// */
    const char *authority;          /* :authority; NULL: the endpoint's */
    bool round_robin;               /* a new connection begins with another of the name's addresses */
    int64_t timeout_ns;             /* whole call, also told to the server; 0: none */
    int64_t keepalive_time_ns;      /* PING when nothing came for so long while a call waits; 0: none */
    int64_t keepalive_timeout_ns;   /* the connection is given up when nothing came for so long after it */
};

struct grpc_client;

/* Whether an endpoint is of one of those forms. */
bool grpc_endpoint_check(const char *endpoint, struct error *err);

/* Checks the endpoint and reads the TLS files; connects to nobody. The settings' strings are borrowed as long as the client. */
struct grpc_client *grpc_client_create(const struct grpc_client_settings *settings, struct error *err);
/* No call may be under way. NULL is fine. */
void grpc_client_destroy(struct grpc_client *client);
/* Calls under way end soon; later ones at once. Any thread. NULL is fine. */
void grpc_client_cancel(struct grpc_client *client);

struct grpc_request {
    const char *method;         /* "/package.Service/Method" */
    const char *const *headers; /* "name: value", names lower case, NULL-terminated; NULL: none */
    const char *encoding;       /* grpc-encoding of a message that is compressed; NULL: it is not */
    const struct slice *parts;  /* the message, one part after the other; borrowed for the call */
    size_t part_count;
    size_t response_limit; /* bytes of response kept; 0: 64 KiB. A longer one is cut */
};

struct grpc_answer {
    enum grpc_status status;
    struct buffer message; /* the status's text, or what went wrong here */
    struct buffer details; /* grpc-status-details-bin, decoded: google.rpc.Status */
    struct buffer body;    /* the response message, without its prefix */
    bool from_server;      /* the status was said by the server, not made up here (no connection, time-out, reset) */
};
/* fini of a zeroed answer is fine. */
void grpc_answer_fini(struct grpc_answer *answer);

/* Always fills the answer (zeroed by the caller): what went wrong on the way is UNAVAILABLE or DEADLINE_EXCEEDED, as gRPC says. */
void grpc_client_call(struct grpc_client *client, const struct grpc_request *request, struct grpc_answer *answer);

const char *grpc_status_name(int status); /* "UNAVAILABLE" */

#endif
