/*
 * gzip (RFC 1952) and zlib (RFC 1950, or bare RFC 1951) by libdeflate, but for what igzip_deflate compresses.
 *
 * Cost: libdeflate works on whole buffers, and starts over when the output is too short. gzip says at its end how long it is; the
 * hint is believed as far as the input could hold it, so an honest body is inflated once. A wrong or missing
 * hint costs at most as much again, for the output doubles.
 */
#include "collector/net/compress_codings.h"

#include <libdeflate.h>

enum {
    DEFLATE_RATIO_MAX = 1032, /* no deflate stream grows by more */
    DEFLATE_LEVEL_DEFAULT = 1,
    ZLIB_RATIO_GUESS = 8, /* telemetry is mostly between 4 and 15 */
    GZIP_TRAILER = 8,
};

enum wrapper { WRAPPER_GZIP, WRAPPER_ZLIB, WRAPPER_NONE };

static struct libdeflate_decompressor *reader_of_thread(void)
{
    struct coders *coders = coders_of_thread();

    if (coders != NULL && coders->deflate_reader == NULL)
        coders->deflate_reader = libdeflate_alloc_decompressor();
    return coders != NULL ? coders->deflate_reader : NULL;
}

/* Inflates one member at the head of `in` behind what the payload holds already, and says how long the member was. */
static enum libdeflate_result inflate_member(
    struct libdeflate_decompressor *reader, enum wrapper wrapper, struct inflation *inflation, size_t *used)
{
    struct slice in = inflation->in;
    enum libdeflate_result result;
    size_t room, written = 0;
    uint8_t *out = inflation_room(inflation, &room);

    switch (wrapper) {
    case WRAPPER_GZIP:
        result = libdeflate_gzip_decompress_ex(reader, in.data, in.size, out, room, used, &written);
        break;
    case WRAPPER_ZLIB:
        result = libdeflate_zlib_decompress_ex(reader, in.data, in.size, out, room, used, &written);
        break;
    default:
        result = libdeflate_deflate_decompress_ex(reader, in.data, in.size, out, room, used, &written);
        break;
    }
    if (result == LIBDEFLATE_SUCCESS)
        inflation->payload->size += written;
    return result;
}

/* All members; more than one only for gzip. */
static enum inflate_result inflate_members(struct inflation *inflation, enum wrapper wrapper, size_t capacity)
{
    struct libdeflate_decompressor *reader = reader_of_thread();
    enum inflate_result result = reader != NULL ? inflation_reserve(inflation, capacity) : INFLATE_NO_MEMORY;

    while (result == INFLATE_OK && inflation->in.size > 0) {
        size_t used = 0;

        switch (inflate_member(reader, wrapper, inflation, &used)) {
        case LIBDEFLATE_SUCCESS:
            inflation->in.data += used;
            inflation->in.size -= used;
            if (inflation->in.size > 0 && wrapper != WRAPPER_GZIP)
                return INFLATE_CORRUPT;
            break;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            result = inflation_grow(inflation);
            break;
        default:
            return INFLATE_CORRUPT;
        }
    }
    return result;
}

/* What the input could inflate to at most. */
static size_t largest_output(struct slice in)
{
    return in.size > SIZE_MAX / DEFLATE_RATIO_MAX ? SIZE_MAX : in.size * DEFLATE_RATIO_MAX;
}

enum inflate_result gzip_inflate(struct inflation *inflation)
{
    struct slice in = inflation->in;
    size_t hint;

    if (in.size <= GZIP_TRAILER)
        return INFLATE_CORRUPT;
    hint = read_le32(in.data + in.size - 4);
    if (hint > largest_output(in))
        hint = largest_output(in);
    return inflate_members(inflation, WRAPPER_GZIP, hint);
}

enum inflate_result zlib_inflate(struct inflation *inflation)
{
    struct slice in = inflation->in;
    bool wrapped = in.size >= 2 && (in.data[0] & 0x0f) == 8 && (in.data[0] << 8 | in.data[1]) % 31 == 0;
    size_t guess = in.size > SIZE_MAX / ZLIB_RATIO_GUESS ? SIZE_MAX : in.size * ZLIB_RATIO_GUESS;

    return inflate_members(inflation, wrapped ? WRAPPER_ZLIB : WRAPPER_NONE, guess);
}

static struct libdeflate_compressor *writer_of_thread(int level)
{
    struct coders *coders = coders_of_thread();
    int index = level <= 0 ? DEFLATE_LEVEL_DEFAULT : level < DEFLATE_LEVEL_MAX ? level : DEFLATE_LEVEL_MAX;

    if (coders != NULL && coders->deflate_writers[index] == NULL)
        coders->deflate_writers[index] = libdeflate_alloc_compressor(index);
    return coders != NULL ? coders->deflate_writers[index] : NULL;
}

bool gzip_deflate(int level, struct slice in, struct buffer *out)
{
    struct libdeflate_compressor *writer;
    size_t written;

    if (level <= DEFLATE_LEVEL_DEFAULT && igzip_deflate(true, in, out))
        return true;
    writer = writer_of_thread(level);
    if (writer == NULL || !buffer_reserve(out, libdeflate_gzip_compress_bound(writer, in.size)))
        return false;
    written = libdeflate_gzip_compress(writer, in.data, in.size, out->data + out->size, out->capacity - out->size);
    out->size += written;
    return written > 0;
}

bool zlib_deflate(int level, struct slice in, struct buffer *out)
{
    struct libdeflate_compressor *writer;
    size_t written;

    if (level <= DEFLATE_LEVEL_DEFAULT && igzip_deflate(false, in, out))
        return true;
    writer = writer_of_thread(level);
    if (writer == NULL || !buffer_reserve(out, libdeflate_zlib_compress_bound(writer, in.size)))
        return false;
    written = libdeflate_zlib_compress(writer, in.data, in.size, out->data + out->size, out->capacity - out->size);
    out->size += written;
    return written > 0;
}
