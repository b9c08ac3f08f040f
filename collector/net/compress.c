/*
 * Compression: names, dispatch, the output that grows, the contexts of a thread.
 *
 * Cost: no set-up a call, the coders are kept by thread (a few hundred KiB for each coding and level that a thread has used). An
 * inflation allocates its payload once when the input says how long it is (gzip, zstd, snappy, most lz4), else it doubles.
 * Threads: any; no state is shared between them.
 */
#include "collector/net/compress_codings.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

enum { SMALLEST_OUTPUT = 4096 };

static const struct {
    const char *name;
    enum coding coding;
} names[] = {
    { "", CODING_IDENTITY },
    { "gzip", CODING_GZIP },
    { "zstd", CODING_ZSTD },
    { "deflate", CODING_ZLIB },
    { "snappy", CODING_SNAPPY },
    { "lz4", CODING_LZ4 },
    { "zlib", CODING_ZLIB },
    { "x-snappy-framed", CODING_SNAPPY_FRAMED },
    { "x-gzip", CODING_GZIP },
    { "identity", CODING_IDENTITY },
};

enum coding coding_of_name(struct slice name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal_ignoring_case(name, slice_of_string(names[i].name)))
            return names[i].coding;
    return CODING_UNKNOWN;
}

const char *coding_name(enum coding coding)
{
    if (coding == CODING_IDENTITY)
        return "identity";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].coding == coding)
            return names[i].name;
    return "unknown";
}

/* ---- a thread's coders ---- */

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;
static _Thread_local struct coders *mine;

static void coders_destroy(void *context)
{
    struct coders *coders = context;

    libdeflate_free_decompressor(coders->deflate_reader);
    for (size_t i = 0; i <= DEFLATE_LEVEL_MAX; i++)
        libdeflate_free_compressor(coders->deflate_writers[i]);
    igzip_destroy(coders->igzip);
    ZSTD_freeDCtx(coders->zstd_reader);
    ZSTD_freeCCtx(coders->zstd_writer);
    LZ4F_freeDecompressionContext(coders->lz4_reader);
    LZ4F_freeCompressionContext(coders->lz4_writer);
    free(coders);
    mine = NULL;
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, coders_destroy) == 0;
}

struct coders *coders_of_thread(void)
{
    if (mine != NULL)
        return mine;
    pthread_once(&key_once, make_key);
    mine = key_made ? calloc(1, sizeof(*mine)) : NULL;
    if (mine != NULL && pthread_setspecific(key, mine) != 0) {
        free(mine);
        mine = NULL;
    }
    return mine;
}

/* ---- the output that grows ---- */

enum inflate_result inflation_reserve(struct inflation *inflation, size_t capacity)
{
    const struct admission *admission = inflation->admission;
    size_t ceiling = inflation->limit < SIZE_MAX ? inflation->limit + 1 : SIZE_MAX;
    size_t held = inflation->payload != NULL ? inflation->payload->capacity : 0;
    struct payload *payload;

    if (capacity > ceiling)
        capacity = ceiling;
    if (inflation->payload != NULL && capacity <= held)
        return INFLATE_OK;
    if (admission != NULL && !admission->admit(admission->context, capacity - held))
        return INFLATE_NO_MEMORY;
    payload = inflation->payload != NULL ? payload_resize(inflation->payload, capacity) : payload_create(capacity);
    if (payload == NULL)
        return INFLATE_NO_MEMORY;
    inflation->payload = payload;
    return INFLATE_OK;
}

enum inflate_result inflation_grow(struct inflation *inflation)
{
    size_t held = inflation->payload->capacity;
    size_t wanted = held < SMALLEST_OUTPUT / 2 ? SMALLEST_OUTPUT : held > SIZE_MAX / 2 ? SIZE_MAX : held * 2;

    if (held > inflation->limit)
        return INFLATE_TOO_LARGE;
    return inflation_reserve(inflation, wanted);
}

/* Gives back what a guess was too high by: a payload is charged with its whole capacity. */
static struct payload *trim(struct payload *payload)
{
    struct payload *trimmed = NULL;

    if (payload->capacity - payload->size > payload->size / 8)
        trimmed = payload_resize(payload, payload->size);
    return trimmed != NULL ? trimmed : payload;
}

static enum inflate_result identity_inflate(struct inflation *inflation)
{
    enum inflate_result result;

    if (inflation->in.size > inflation->limit)
        return INFLATE_TOO_LARGE;
    result = inflation_reserve(inflation, inflation->in.size);
    if (result == INFLATE_OK && inflation->in.size > 0) {
        memcpy(inflation->payload->data, inflation->in.data, inflation->in.size);
        inflation->payload->size = inflation->in.size;
    }
    return result;
}

static enum inflate_result inflate_by(enum coding coding, struct inflation *inflation)
{
    if (coding != CODING_IDENTITY && inflation->in.size == 0)
        return INFLATE_CORRUPT;
    switch (coding) {
    case CODING_IDENTITY:
        return identity_inflate(inflation);
    case CODING_GZIP:
        return gzip_inflate(inflation);
    case CODING_ZLIB:
        return zlib_inflate(inflation);
    case CODING_ZSTD:
        return zstd_inflate(inflation);
    case CODING_SNAPPY:
        return snappy_inflate(inflation);
    case CODING_SNAPPY_FRAMED:
        return snappy_framed_inflate(inflation);
    case CODING_LZ4:
        return lz4_inflate(inflation);
    case CODING_COUNT:
    case CODING_UNKNOWN:
        break;
    }
    return INFLATE_CORRUPT;
}

enum inflate_result inflate_payload(
    enum coding coding, struct slice in, size_t limit, const struct admission *admission, struct payload **out)
{
    struct inflation inflation = { .in = in, .limit = limit, .admission = admission };
    enum inflate_result result = inflate_by(coding, &inflation);

    if (result == INFLATE_OK && inflation.payload->size > limit)
        result = INFLATE_TOO_LARGE;
    if (result != INFLATE_OK) {
        payload_unref(inflation.payload);
        *out = NULL;
        return result;
    }
    *out = trim(inflation.payload);
    return INFLATE_OK;
}

/* ---- deflating ---- */

static bool deflate_slice(enum coding coding, int level, struct slice in, struct buffer *out)
{
    switch (coding) {
    case CODING_GZIP:
        return gzip_deflate(level, in, out);
    case CODING_ZLIB:
        return zlib_deflate(level, in, out);
    case CODING_SNAPPY:
        return snappy_deflate(in, out);
    case CODING_SNAPPY_FRAMED:
        return snappy_framed_deflate(in, out);
    default:
        return false;
    }
}

static void append_parts(const struct parts *parts, struct buffer *out)
{
    buffer_reserve(out, parts->total);
    for (size_t i = 0; i < parts->count; i++)
        buffer_append_slice(out, parts->items[i]);
}

/* These coders want one run of bytes. Flattening costs a hundredth of what compressing does. */
static bool deflate_flattened(enum coding coding, int level, const struct parts *parts, struct buffer *out)
{
    struct buffer flat = { 0 };
    bool done;

    if (parts->count == 1)
        return deflate_slice(coding, level, parts->items[0], out);
    append_parts(parts, &flat);
    done = !flat.failed && deflate_slice(coding, level, buffer_slice(&flat), out);
    buffer_fini(&flat);
    return done;
}

bool deflate_parts(enum coding coding, int level, const struct slice *parts, size_t count, struct buffer *out)
{
    struct parts all = { .items = parts, .count = count };
    size_t before = out->size;
    bool done;

    for (size_t i = 0; i < count; i++)
        all.total += parts[i].size;
    switch (coding) {
    case CODING_IDENTITY:
        append_parts(&all, out);
        done = true;
        break;
    case CODING_ZSTD:
        done = zstd_deflate(level, &all, out);
        break;
    case CODING_LZ4:
        done = lz4_deflate(level, &all, out);
        break;
    default:
        done = deflate_flattened(coding, level, &all, out);
        break;
    }
    done = done && !out->failed;
    if (!done)
        out->size = before;
    return done;
}
