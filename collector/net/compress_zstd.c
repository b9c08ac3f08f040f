/*
 * zstd (RFC 8878) by libzstd.
 *
 * Limits: one frame that says its length, as nearly all do, is inflated in one piece without a window. Anything else
 * is streamed, with a window of at most 8 MiB (what the RFC asks every decoder to support), which the thread keeps.
 */
#include "collector/net/compress_codings.h"

#include <zstd.h>

enum {
    WINDOW_LOG_MAX = 23,
    BLOCK_MAX = 128 * 1024, /* a block of at least 3 bytes gives no more */
    BLOCK_HEADER = 3,
    ZSTD_RATIO_GUESS = 8,
    ZSTD_LEVEL_DEFAULT = 1,
};

static ZSTD_DCtx *reader_of_thread(void)
{
    struct coders *coders = coders_of_thread();

    if (coders == NULL)
        return NULL;
    if (coders->zstd_reader == NULL) {
        coders->zstd_reader = ZSTD_createDCtx();
        if (coders->zstd_reader != NULL)
            ZSTD_DCtx_setParameter(coders->zstd_reader, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    }
    if (coders->zstd_reader != NULL)
        ZSTD_DCtx_reset(coders->zstd_reader, ZSTD_reset_session_only);
    return coders->zstd_reader;
}

static enum inflate_result inflate_frame(ZSTD_DCtx *reader, struct inflation *inflation, size_t size)
{
    enum inflate_result result = inflation_reserve(inflation, size);
    size_t room, written;
    uint8_t *out;

    if (result != INFLATE_OK)
        return result;
    out = inflation_room(inflation, &room);
    written = ZSTD_decompressDCtx(reader, out, room, inflation->in.data, inflation->in.size);
    if (ZSTD_isError(written))
        return INFLATE_CORRUPT;
    inflation->payload->size = written;
    return INFLATE_OK;
}

static enum inflate_result inflate_stream(ZSTD_DCtx *reader, struct inflation *inflation, size_t guess)
{
    ZSTD_inBuffer in = { inflation->in.data, inflation->in.size, 0 };
    enum inflate_result result = inflation_reserve(inflation, guess);
    size_t left = 1;

    while (result == INFLATE_OK && (left != 0 || in.pos < in.size)) {
        ZSTD_outBuffer out = { inflation->payload->data, inflation->payload->capacity, inflation->payload->size };
        size_t read_before = in.pos;
        bool moved;

        left = ZSTD_decompressStream(reader, &out, &in);
        if (ZSTD_isError(left))
            return INFLATE_CORRUPT;
        moved = in.pos > read_before || out.pos > inflation->payload->size;
        inflation->payload->size = out.pos;
        if (moved || left == 0)
            continue;
        if (out.pos < out.size)
            return INFLATE_CORRUPT; /* it waits for bytes that never come */
        result = inflation_grow(inflation);
    }
    return result;
}

enum inflate_result zstd_inflate(struct inflation *inflation)
{
    struct slice in = inflation->in;
    unsigned long long size = ZSTD_getFrameContentSize(in.data, in.size);
    unsigned long long possible = ((unsigned long long)in.size / BLOCK_HEADER + 1) * BLOCK_MAX;
    size_t frame = ZSTD_findFrameCompressedSize(in.data, in.size);
    ZSTD_DCtx *reader = reader_of_thread();

    if (reader == NULL)
        return INFLATE_NO_MEMORY;
    if (size == ZSTD_CONTENTSIZE_ERROR || ZSTD_isError(frame))
        return INFLATE_CORRUPT;
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || frame != in.size)
        return inflate_stream(reader, inflation, in.size * ZSTD_RATIO_GUESS);
    if (size > possible)
        return INFLATE_CORRUPT;
    if (size > inflation->limit)
        return INFLATE_TOO_LARGE;
    return inflate_frame(reader, inflation, (size_t)size);
}

static ZSTD_CCtx *writer_of_thread(int level, size_t total)
{
    struct coders *coders = coders_of_thread();
    ZSTD_CCtx *writer;

    if (coders != NULL && coders->zstd_writer == NULL)
        coders->zstd_writer = ZSTD_createCCtx();
    writer = coders != NULL ? coders->zstd_writer : NULL;
    if (writer == NULL)
        return NULL;
    ZSTD_CCtx_reset(writer, ZSTD_reset_session_only);
    if (level <= 0)
        level = ZSTD_LEVEL_DEFAULT;
    if (level > ZSTD_maxCLevel())
        level = ZSTD_maxCLevel();
    ZSTD_CCtx_setParameter(writer, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setPledgedSrcSize(writer, total);
    return writer;
}

/* Feeds one part; there is room for the worst case. */
static bool deflate_part(ZSTD_CCtx *writer, struct slice part, bool last, ZSTD_outBuffer *out)
{
    ZSTD_inBuffer in = { part.data, part.size, 0 };
    bool more = true;

    while (more && out->pos < out->size) {
        size_t left = ZSTD_compressStream2(writer, out, &in, last ? ZSTD_e_end : ZSTD_e_continue);

        if (ZSTD_isError(left))
            return false;
        more = last ? left != 0 : in.pos < in.size;
    }
    return !more;
}

bool zstd_deflate(int level, const struct parts *parts, struct buffer *out)
{
    ZSTD_CCtx *writer = writer_of_thread(level, parts->total);
    ZSTD_outBuffer to = { 0 };
    bool done = true;

    if (writer == NULL || !buffer_reserve(out, ZSTD_compressBound(parts->total) + 64))
        return false;
    to.dst = out->data + out->size;
    to.size = out->capacity - out->size;
    for (size_t i = 0; done && i + 1 < parts->count; i++)
        done = deflate_part(writer, parts->items[i], false, &to);
    if (done)
        done = deflate_part(writer, parts->count > 0 ? parts->items[parts->count - 1] : slice_of(NULL, 0), true, &to);
    if (done)
        out->size += to.pos;
    return done;
}
