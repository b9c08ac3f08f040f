/*
 * Within the HTTP server: one request and its answer-to-be.
 *
 * Loop thread, but for the request itself, which never changes, and http_reply. `connection` is the only link to what may go away
 * earlier: it is cut when the client leaves, when it was answered early, and when the server stops.
 */
#ifndef WEIR_NET_HTTP_EXCHANGE_H
#define WEIR_NET_HTTP_EXCHANGE_H

#include "collector/net/http_connection.h"

struct http_exchange {
    struct loop_task task; /* first, so that a task is an exchange: a reply from another thread */
    struct loop *loop;
    struct http_connection *connection; /* NULL: nobody to answer */
    void *stream;                       /* HTTP/2's, while connected */
    struct http_request request;
    struct payload *body;
    size_t receiving; /* of the payload's capacity: counted in the shard while it is not whole */
    uint64_t length; /* declared, with has_length */
    bool has_length, served, replied;
    bool bare; /* HTTP/2: no headers are added to the response's own */
    enum coding coding;
    int64_t deadline; /* INT64_MAX: none */
    void *attachment; /* a protocol's on top, freed with the exchange by: */
    void (*free_attachment)(void *attachment);
    struct http_stored_response *stored; /* of a reply from another thread */
    char peer[SOCKET_PEER_SIZE];
    struct http_header headers[]; /* and after them the bytes that all slices point into */
};

/* NULL when memory is out. */
struct http_exchange *http_exchange_create(struct http_connection *connection, const struct http_head *head);
/* Without a reply: the client went away before its request was whole. */
void http_exchange_destroy(struct http_exchange *exchange);
/* The client is gone: destroyed, or, when the service has it, left to be replied to. */
void http_exchange_abandon(struct http_exchange *exchange);

/* The head is there; `length` and `has_length` are set. false: it was replied to. */
bool http_exchange_begin(struct http_exchange *exchange);
/* Where the next bytes of a body of known length may be written. */
uint8_t *http_exchange_room(struct http_exchange *exchange);
/* Bytes of the body. false: it was replied to. */
bool http_exchange_append(struct http_exchange *exchange, struct slice bytes);
/* The request is whole: decompresses, and hands it to the service. */
void http_exchange_serve(struct http_exchange *exchange);
void http_exchange_refuse(struct http_exchange *exchange, enum http_refusal why);

/* Answers the client now and cuts the link to it; the exchange stays, for a later http_reply that nobody hears. */
void http_exchange_answer(struct http_exchange *exchange, const struct http_response *response);
void http_exchange_set_deadline(struct http_exchange *exchange, int64_t at);

/* A server with hooks. */
struct http_server *http_server_start_hooked(
    const struct http_server_settings *settings, const struct http_service *service, const struct http_hooks *hooks, struct error *err);

#endif
