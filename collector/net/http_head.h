/* A request's head as HTTP/1.1's and HTTP/2's readers hand it to the exchange. */
#ifndef WEIR_NET_HTTP_HEAD_H
#define WEIR_NET_HTTP_HEAD_H

#include "collector/net/http_server.h"

enum { HTTP_HEADERS_MAX = 100 };

struct http_head {
    struct slice bytes; /* what the slices below point into, borrowed */
    struct slice method, path, query, authority;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
};

/* "/path?query" to its parts. */
void http_head_set_target(struct http_head *head, struct slice target);
/* Is `token` one of the comma-separated words of `list`, in any case? */
bool http_list_has(struct slice list, const char *token);
/* Digits only, at most 18 of them. */
bool http_parse_length(struct slice text, uint64_t *out);
/* nth value (from 0) of a header, in any case; data NULL: none. */
struct slice http_header_find(const struct http_header *headers, size_t count, const char *name, size_t nth);

#endif
