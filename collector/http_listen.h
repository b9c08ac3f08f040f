/*
 * What confighttp does around a handler, for every component that serves HTTP: CORS, response headers, authentication, request
 * metadata. The same authentication and metadata serve gRPC, whose calls are HTTP exchanges.
 * Threads: init and fini on the control thread, the rest on any.
 */
#ifndef WEIR_COLLECTOR_HTTP_LISTEN_H
#define WEIR_COLLECTOR_HTTP_LISTEN_H

#include "collector/component.h"
#include "collector/settings.h"

enum { HTTP_LISTEN_HEADERS_MAX = 32 }; /* response_headers; and those that a handler gives */

struct http_listen {
    const struct http_listen_settings *settings; /* borrowed */
    struct component *authenticator;             /* NULL: everybody may send */
    struct http_header fixed[HTTP_LISTEN_HEADERS_MAX];
    size_t fixed_count;
    char *text;           /* owned: what is made of the settings */
    struct slice exposed; /* Access-Control-Expose-Headers; empty: none */
    struct slice max_age;
};

/* In start(). False with the error: no such authenticator, or headers that cannot be sent. */
bool http_listen_init(
    struct http_listen *listen, const struct http_listen_settings *settings, const struct component *owner, struct error *err);
void http_listen_fini(struct http_listen *listen);

/* Answers a browser's question whether it may send (OPTIONS, CORS). True: it was one, and the exchange is gone. */
bool http_listen_preflight(const struct http_listen *listen, struct http_exchange *exchange);

/* http_reply with the configured headers, and CORS's, behind the given ones (at most HTTP_LISTEN_HEADERS_MAX). */
void http_listen_reply(const struct http_listen *listen, struct http_exchange *exchange, const struct http_response *response);

/* The started extension that checks requests; *found is NULL when id is NULL or empty. */
bool authenticator_find(const struct component *owner, const char *id, struct component **found, struct error *err);
/* May the request pass? authenticator NULL: always. */
bool authenticator_check(struct component *authenticator, const struct http_exchange *exchange, struct error *err);

/* The request's headers, names in lower case, its authority as "host", and the address it came from as ":peer". NULL when memory is out. */
struct metadata *http_metadata(const struct http_exchange *exchange);

#endif
