/* Whole-buffer compression and decompression, by the names that HTTP and gRPC use. */
#ifndef WEIR_NET_COMPRESS_H
#define WEIR_NET_COMPRESS_H

#include "collector/base/buffer.h"
#include "collector/base/payload.h"

enum coding {
    CODING_IDENTITY,
    CODING_GZIP,
    CODING_ZLIB, /* "zlib" and "deflate" (RFC 1950, bare RFC 1951 tolerated when reading) */
    CODING_ZSTD,
    CODING_SNAPPY,        /* block format: "snappy" over HTTP; framed is told apart when reading */
    CODING_SNAPPY_FRAMED, /* "x-snappy-framed"; gRPC's "snappy" */
    CODING_LZ4,           /* frame format */
    CODING_COUNT,
    CODING_UNKNOWN = -1,
};

/* "", identity, gzip, x-gzip, deflate, zlib, zstd, snappy, x-snappy-framed, lz4; in any case. */
enum coding coding_of_name(struct slice name);
/* The name for Content-Encoding; CODING_ZLIB is "deflate". */
const char *coding_name(enum coding coding);

/* May this many more bytes be held? Asked before memory is allocated. NULL: always. */
struct admission {
    bool (*admit)(void *context, size_t bytes);
    void *context;
};

enum inflate_result { INFLATE_OK, INFLATE_CORRUPT, INFLATE_TOO_LARGE, INFLATE_NO_MEMORY };

/*
 * The plain bytes in a new payload; never more than `limit` of them. Time and memory are bounded by the limit and by what the
 * input could hold at most; the decoder's own window is bounded by 8 MiB. Nothing may stand behind the compressed data, and
 * empty input is corrupt but for identity. gzip and zstd may be of several members.
 */
enum inflate_result inflate_payload(
    enum coding coding, struct slice in, size_t limit, const struct admission *admission, struct payload **out);

/*
 * Appends the compressed form of the parts, one after the other, to `out`. level 0: the coding's default, which is the
 * fast end (gzip and zlib 1, zstd 1, lz4 0; snappy has none); a level beyond the coding's range is taken as its nearest end.
 * false when memory is out; `out` is then as long as before.
 */
bool deflate_parts(enum coding coding, int level, const struct slice *parts, size_t count, struct buffer *out);

#endif
