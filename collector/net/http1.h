/*
 * HTTP/1.1 requests: heads and chunked bodies (RFC 9112). Strict: what two implementations could read in two ways is
 * refused. I/O-free; memory is the caller's.
 */
#ifndef WEIR_NET_HTTP1_H
#define WEIR_NET_HTTP1_H

#include "collector/net/http_head.h"

enum { HTTP1_TARGET_MAX = 8192 };

struct http1_head {
    struct http_head head; /* slices into the bytes parsed */
    bool http10;
    bool keep_alive;
    bool chunked;
    bool expects_continue;
    bool has_length;
    uint64_t content_length; /* 0 when chunked, or when none was given */
};

/*
 * Where the head ends (after its empty line), or 0 when its end is not there yet. `*scanned` bytes were searched before;
 * it is brought up to date, so that a head that comes byte by byte costs no more than one that comes whole.
 */
size_t http1_find_end(struct slice bytes, size_t *scanned);

/*
 * Parses the head, which is all of `bytes`; header names are made lower case there. Returns 0, or the status to refuse it with:
 * 400, 414, 417, 431, 501 or 505. `reason` is a static word for counters.
 */
int http1_parse_head(struct http1_head *out, uint8_t *bytes, size_t size, const char **reason);

/* The beginning of an HTTP/2 connection ("PRI * HTTP/2.0..."). */
enum http1_preface { HTTP1_NO_PREFACE, HTTP1_PREFACE_PART, HTTP1_PREFACE };
enum http1_preface http1_preface(struct slice bytes);

enum http1_chunk_state {
    HTTP1_CHUNK_SIZE,
    HTTP1_CHUNK_EXTENSION,
    HTTP1_CHUNK_SIZE_END,
    HTTP1_CHUNK_DATA,
    HTTP1_CHUNK_DATA_CR,
    HTTP1_CHUNK_DATA_LF,
    HTTP1_TRAILER_START,
    HTTP1_TRAILER_LINE,
    HTTP1_TRAILER_LF,
    HTTP1_TRAILERS_END,
    HTTP1_CHUNKS_DONE,
    HTTP1_CHUNKS_BAD,
};

struct http1_chunks { /* zeroed to begin with */
    enum http1_chunk_state state;
    unsigned digits;
    uint64_t left;   /* of the chunk */
    size_t overhead; /* bytes of extensions and trailers so far, against a bound */
};

/*
 * Reads on from the front of `in` until a run of data, the end, or no more input: returns the run (empty: none), and cuts what was
 * read off `in`. state says DONE or BAD.
 */
struct slice http1_chunks_next(struct http1_chunks *chunks, struct slice *in);

#endif
