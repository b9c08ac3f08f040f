/* Within the HTTP server: HTTP/2 on one connection, over nghttp2. http2_connection.c has the connection, http2_stream.c its streams. */
#ifndef WEIR_NET_HTTP2_H
#define WEIR_NET_HTTP2_H

#include <nghttp2/nghttp2.h>

#include "collector/net/http_exchange.h"

struct http2_answer;

struct http2_stream {
    struct http2_stream *previous, *next;
    int32_t id;
    bool whole; /* the request has ended */
    bool answered;
    uint64_t received;              /* bytes of body */
    int64_t began, progress;        /* its first byte; its last byte of body, or the answer */
    struct http_exchange *exchange; /* NULL: the head is not there yet, or it was answered */
    struct http2_answer *answer;    /* owned: what is to be sent after the response's headers */
};

enum http2_closing { HTTP2_OPEN, HTTP2_NOTICE, HTTP2_GOAWAY };

struct http2 {
    nghttp2_session *session;
    struct http_connection *connection;
    struct http2_stream *streams;
    size_t stream_count;
    bool receiving; /* within nghttp2_session_mem_recv */
    enum http2_closing closing;
    int64_t closing_since;
    int64_t age_due, idle_since, last_read;
    int64_t ping_sent; /* 0: none is waited for */
    int64_t last_ping; /* the client's */
    unsigned ping_strikes;

    struct buffer head_bytes, head_fields; /* of the request whose headers are being read */
    size_t head_size;                      /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
};

void http2_set_stream_callbacks(nghttp2_session_callbacks *callbacks);
/* Output is there: sent after what is being received, or soon. */
void http2_wants_flush(struct http2 *http2);
void http2_reply(struct http_exchange *exchange, const struct http_response *response);
/* When the stream needs to be looked at; INT64_MAX: never. */
int64_t http2_stream_due(const struct http2 *http2, const struct http2_stream *stream);
/* It is due. */
void http2_stream_expire(struct http2 *http2, struct http2_stream *stream);
void http2_streams_close(struct http2 *http2);
/* The session ends with a GOAWAY that says why. */
void http2_terminate(struct http2 *http2, uint32_t code, const char *reason);

#endif
