/*
 * HTTP/1.1 client: blocking calls from exporters' own threads, callable from several at once; connections are kept alive,
 * as many as there are calls at the same time. Plain and TLS, unix sockets, proxies (CONNECT for https).
 *
 * The body goes from the caller's parts to the socket without a copy. A call whose reused connection turns out to be
 * dead is tried once more on a new one.
 */
#ifndef WEIR_NET_HTTP_CLIENT_H
#define WEIR_NET_HTTP_CLIENT_H

#include "collector/base/buffer.h"
#include "collector/base/error.h"
#include "collector/net/tls.h"

struct http_client_settings {
    const struct tls_settings *tls; /* borrowed; NULL: defaults. The URL's scheme says whether TLS is spoken */
    const char *proxy_url;          /* NULL: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say */
    bool ignore_environment_proxy;  /* proxy_url NULL means none */
    int64_t timeout_ns;             /* whole call; 0: none */
    bool disable_keep_alives;
    int64_t idle_conn_timeout_ns; /* an idle connection is not used again after that; 0: none */
    int64_t max_idle_conns;       /* kept at most; 0: as many as there were calls at the same time */
    const char *unix_path;        /* connect there whatever the URL's host says */
};

struct http_client; /* a pool of connections */

/* Reads the TLS files now. Connects to nobody. The settings' strings are borrowed as long as the client. */
struct http_client *http_client_create(const struct http_client_settings *settings, struct error *err);
/* No call may be under way. NULL is fine. */
void http_client_destroy(struct http_client *client);
/* Calls under way end soon with an error; later ones at once. For stopping. Any thread. NULL is fine. */
void http_client_cancel(struct http_client *client);

struct http_call {
    const char *method; /* NULL: POST */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; Host, Content-Length and Connection are added. NULL: none */
    const struct slice *parts;  /* the body, one after the other; borrowed for the call */
    size_t part_count;
    size_t response_limit; /* bytes of response body kept; 0: 64 KiB. A longer one is cut */
};

struct http_answer {
    int status; /* 0: none came; see the error */
    struct buffer body;
    int64_t retry_after_ns; /* Retry-After, seconds or date; 0: none */
    struct buffer headers;  /* "name: value\n", names lower case, trailers too */
};
/* fini of a zeroed answer is fine. */
void http_answer_fini(struct http_answer *answer);
/* First value of a header or trailer; data NULL: none. Valid until the answer is changed. */
struct slice http_answer_header(const struct http_answer *answer, const char *name);

/* `answer` is zeroed by the caller. false with the error when no answer came (refused, reset, timed out, TLS, malformed). */
bool http_client_call(struct http_client *client, const struct http_call *call, struct http_answer *answer, struct error *err);

#endif
