/* What the codings' files share: the output that grows, and the contexts that a thread keeps. Private to compress*.c. */
#ifndef WEIR_NET_COMPRESS_CODINGS_H
#define WEIR_NET_COMPRESS_CODINGS_H

#include "collector/net/compress.h"

/* One inflation under way. The payload is the caller's to free or hand out. */
struct inflation {
    struct slice in;
    size_t limit;
    const struct admission *admission; /* borrowed; NULL: always */
    struct payload *payload;           /* owned; NULL until inflation_reserve */
};

/* Makes the payload at least `capacity` bytes, but never more than limit + 1 (one byte more shows that there is too much). */
enum inflate_result inflation_reserve(struct inflation *inflation, size_t capacity);
/* Doubles the payload. TOO_LARGE when it is as large as it may be. */
enum inflate_result inflation_grow(struct inflation *inflation);

static inline uint8_t *inflation_room(const struct inflation *inflation, size_t *room)
{
    *room = inflation->payload->capacity - inflation->payload->size;
    return inflation->payload->data + inflation->payload->size;
}

static inline uint32_t read_le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

enum { DEFLATE_LEVEL_MAX = 12 };

/* A thread's coders, each made when it is first needed and reused, so that a call costs no set-up. Freed when the thread ends. */
struct coders {
    struct libdeflate_decompressor *deflate_reader;
    struct libdeflate_compressor *deflate_writers[DEFLATE_LEVEL_MAX + 1];
    struct igzip *igzip;
    struct ZSTD_DCtx_s *zstd_reader;
    struct ZSTD_CCtx_s *zstd_writer;
    struct LZ4F_dctx_s *lz4_reader;
    struct LZ4F_cctx_s *lz4_writer;
};

/* NULL when memory is out. */
struct coders *coders_of_thread(void);

/* Each reads all of inflation->in and leaves the plain bytes in its payload. */
enum inflate_result gzip_inflate(struct inflation *inflation);
enum inflate_result zlib_inflate(struct inflation *inflation);
enum inflate_result zstd_inflate(struct inflation *inflation);
enum inflate_result snappy_inflate(struct inflation *inflation); /* block, or framed when the stream identifier is there */
enum inflate_result snappy_framed_inflate(struct inflation *inflation);
enum inflate_result lz4_inflate(struct inflation *inflation);

/* What is to be compressed: one after the other. */
struct parts {
    const struct slice *items;
    size_t count;
    size_t total; /* bytes of all */
};

/* The fast end of gzip or zlib. False: not in this build, too large, or memory is out; `out` is as it was. */
bool igzip_deflate(bool gzip, struct slice in, struct buffer *out);
void igzip_destroy(struct igzip *igzip); /* NULL is fine */

/* Each appends to `out`, and says so when memory is out; what `out` then holds is cut off again by the caller. */
bool gzip_deflate(int level, struct slice in, struct buffer *out);
bool zlib_deflate(int level, struct slice in, struct buffer *out);
bool zstd_deflate(int level, const struct parts *parts, struct buffer *out);
bool snappy_deflate(struct slice in, struct buffer *out);
bool snappy_framed_deflate(struct slice in, struct buffer *out);
bool lz4_deflate(int level, const struct parts *parts, struct buffer *out);

#endif
