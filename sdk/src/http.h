/*
 * A small HTTP/1.1 client for one endpoint: one POST at a time over one kept connection, never blocking but for the name
 * look-up of a new connection to a host given by name. TCP over IPv4 and IPv6, unix sockets, TLS where it was built in.
 * RFC 9110, RFC 9112. Redirects are not followed. Never raises SIGPIPE.
 */
#ifndef WEIR_SDK_HTTP_H
#define WEIR_SDK_HTTP_H

#include <netdb.h>

#include "collector/base/buffer.h"
#include "sdk/src/settings.h"

enum http_state { HTTP_IDLE, HTTP_CONNECTING, HTTP_HANDSHAKE, HTTP_SENDING, HTTP_RECEIVING, HTTP_DONE, HTTP_FAILED };

enum { HTTP_HEAD_MAX = 64 << 10, HTTP_RESPONSE_MAX = 4 << 20 };

struct http_response {
    int status;             /* 0 until the head is there */
    int64_t retry_after_ms; /* -1: not given */
    size_t head_size;
    int64_t length; /* -1: until the end of the connection, or chunked */
    bool chunked, close;
    struct slice body; /* of a finished response; borrowed until the next request */
};

struct tls_session;

struct http {
    const struct exporter_settings *settings; /* borrowed */
    enum http_state state;
    int fd;          /* -1: not connected */
    uint32_t serial; /* changes with each connection, to tell one descriptor from the next of the same number */
    short wants;     /* POLLIN, POLLOUT */
    bool reused;     /* the request went out on a connection that had served before */
    bool retried;
    struct addrinfo *addresses, *address; /* while connecting */
    struct tls_session *tls;
    struct buffer head; /* of the request */
    struct slice body;  /* borrowed until the request is over */
    size_t sent;
    struct buffer in;
    struct http_response response;
    bool fatal;        /* a failure that no retry will mend */
    char message[256]; /* why it failed */
};

void http_init(struct http *http, const struct exporter_settings *settings);

/* Closes the connection; fini of a zeroed object is fine. */
void http_fini(struct http *http);

struct http_request {
    struct slice body; /* must stay until the request is over */
    const char *content_type;
    bool gzip;
};

/* Begins a request; http_step drives it. */
void http_begin(struct http *http, const struct http_request *request);

/* Goes on as far as possible without waiting; DONE and FAILED are final. Otherwise wait for http->wants on http->fd. */
enum http_state http_step(struct http *http);

/* Gives up the request and the connection. */
void http_abort(struct http *http);

/* ---- the protocol core, I/O-free ---- */

enum http_parse { HTTP_PARSE_MORE, HTTP_PARSE_DONE, HTTP_PARSE_BAD };

/*
 * Looks at all bytes received so far. `in` is changed only by decoding a finished chunked body in place. `closed`: no more will come.
 * DONE fills response->body.
 */
enum http_parse http_parse(struct http_response *response, struct buffer *in, bool closed);

#endif
