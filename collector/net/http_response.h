/*
 * HTTP/1.1 responses: bytes in, an answer out. I/O-free; a response may come in pieces cut anywhere.
 * RFC 9112. Interim (1xx) responses are skipped. Head, chunk lines and trailers are bounded, the body is kept up to a limit.
 */
#ifndef WEIR_NET_HTTP_RESPONSE_H
#define WEIR_NET_HTTP_RESPONSE_H

#include "collector/net/http_client.h"

enum http_response_state {
    HTTP_RESPONSE_HEAD,
    HTTP_RESPONSE_BODY,      /* `left` bytes */
    HTTP_RESPONSE_UNTIL_END, /* of the connection */
    HTTP_RESPONSE_CHUNK_SIZE,
    HTTP_RESPONSE_CHUNK, /* `left` bytes */
    HTTP_RESPONSE_CHUNK_END,
    HTTP_RESPONSE_TRAILERS,
    HTTP_RESPONSE_DONE,
    HTTP_RESPONSE_BAD,
};

struct http_response_reader {
    enum http_response_state state;
    struct http_answer *answer; /* borrowed; filled */
    size_t body_limit;          /* bytes of the body that are kept */
    size_t seen;                /* bytes of the head or of a line, or of the body, against their bounds */
    uint64_t left;
    bool head_only;  /* the request was HEAD */
    bool keep_alive; /* valid when done */
    bool started;    /* a byte came */
    bool have_length, chunked;
    const char *fault; /* static; when bad */
    struct buffer line;
};

void http_response_reader_init(struct http_response_reader *reader, struct http_answer *answer, size_t body_limit);
void http_response_reader_fini(struct http_response_reader *reader);

/* Takes the bytes; what follows a response that is done is a fault of the peer's and ends keep_alive. */
void http_response_feed(struct http_response_reader *reader, struct slice bytes);
/* The connection ended: done, if that is how the body ends, else bad. */
void http_response_end(struct http_response_reader *reader);

/* Retry-After: seconds, or the three date forms of HTTP relative to `now_seconds`; 0 when it is neither. At most a day. */
int64_t http_retry_after(struct slice value, int64_t now_seconds);

#endif
