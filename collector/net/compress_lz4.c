/*
 * lz4, frame format, by liblz4.
 *
 * Limits: a frame that says its length is allocated once, others double. The decoder keeps up to one block and its history
 * (4 MiB and 128 KiB) for the thread.
 */
#include "collector/net/compress_codings.h"

#include <lz4frame.h>

enum {
    LZ4_RATIO_MAX = 256,
    LZ4_RATIO_GUESS = 4,
    LZ4_LEVEL_MAX = 12,
};

static LZ4F_dctx *reader_of_thread(void)
{
    struct coders *coders = coders_of_thread();

    if (coders == NULL)
        return NULL;
    if (coders->lz4_reader == NULL && LZ4F_isError(LZ4F_createDecompressionContext(&coders->lz4_reader, LZ4F_VERSION)))
        coders->lz4_reader = NULL;
    return coders->lz4_reader;
}

/* A context is only reused behind a frame that ended: version 1.9.4's reset forgets to forget how much of a frame was left. */
static void drop_reader_of_thread(void)
{
    struct coders *coders = coders_of_thread();

    if (coders == NULL)
        return;
    LZ4F_freeDecompressionContext(coders->lz4_reader);
    coders->lz4_reader = NULL;
}

/* Reads the header of the first frame off the input, and gives the room for what it says. */
static enum inflate_result begin(LZ4F_dctx *reader, struct inflation *inflation)
{
    LZ4F_frameInfo_t info = { 0 };
    size_t used = inflation->in.size;
    size_t guess = inflation->in.size * LZ4_RATIO_GUESS;

    if (LZ4F_isError(LZ4F_getFrameInfo(reader, &info, inflation->in.data, &used)))
        return INFLATE_CORRUPT;
    if (info.contentSize / LZ4_RATIO_MAX > inflation->in.size)
        return INFLATE_CORRUPT;
    if (info.contentSize > inflation->limit)
        return INFLATE_TOO_LARGE;
    inflation->in.data += used;
    inflation->in.size -= used;
    return inflation_reserve(inflation, info.contentSize > 0 ? (size_t)info.contentSize : guess);
}

static enum inflate_result inflate_frames(LZ4F_dctx *reader, struct inflation *inflation)
{
    enum inflate_result result = begin(reader, inflation);
    size_t left = 1;

    while (result == INFLATE_OK && (left != 0 || inflation->in.size > 0)) {
        size_t read = inflation->in.size, written;
        uint8_t *out = inflation_room(inflation, &written);

        left = LZ4F_decompress(reader, out, &written, inflation->in.data, &read, NULL);
        if (LZ4F_isError(left))
            return INFLATE_CORRUPT;
        inflation->payload->size += written;
        inflation->in.data += read;
        inflation->in.size -= read;
        if (read > 0 || written > 0 || left == 0)
            continue;
        if (inflation->payload->size < inflation->payload->capacity)
            return INFLATE_CORRUPT; /* it waits for bytes that never come */
        result = inflation_grow(inflation);
    }
    return result;
}

enum inflate_result lz4_inflate(struct inflation *inflation)
{
    LZ4F_dctx *reader = reader_of_thread();
    enum inflate_result result = reader != NULL ? inflate_frames(reader, inflation) : INFLATE_NO_MEMORY;

    if (result != INFLATE_OK)
        drop_reader_of_thread();
    return result;
}

static LZ4F_cctx *writer_of_thread(void)
{
    struct coders *coders = coders_of_thread();

    if (coders == NULL)
        return NULL;
    if (coders->lz4_writer == NULL && LZ4F_isError(LZ4F_createCompressionContext(&coders->lz4_writer, LZ4F_VERSION)))
        coders->lz4_writer = NULL;
    return coders->lz4_writer;
}

/* Counts what a step wrote; false when it failed. */
static bool advance(struct buffer *out, size_t written)
{
    if (LZ4F_isError(written))
        return false;
    out->size += written;
    return true;
}

bool lz4_deflate(int level, const struct parts *parts, struct buffer *out)
{
    LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
    LZ4F_cctx *writer = writer_of_thread();
    bool done;

    preferences.frameInfo.contentSize = parts->total;
    preferences.compressionLevel = level < LZ4_LEVEL_MAX ? level : LZ4_LEVEL_MAX;
    if (writer == NULL || !buffer_reserve(out, LZ4F_HEADER_SIZE_MAX))
        return false;
    done = advance(out, LZ4F_compressBegin(writer, out->data + out->size, out->capacity - out->size, &preferences));
    for (size_t i = 0; done && i < parts->count; i++) {
        struct slice part = parts->items[i];

        done = buffer_reserve(out, LZ4F_compressBound(part.size, &preferences)) &&
               advance(out, LZ4F_compressUpdate(writer, out->data + out->size, out->capacity - out->size, part.data, part.size, NULL));
    }
    return done && buffer_reserve(out, LZ4F_compressBound(0, &preferences)) &&
           advance(out, LZ4F_compressEnd(writer, out->data + out->size, out->capacity - out->size, NULL));
}
