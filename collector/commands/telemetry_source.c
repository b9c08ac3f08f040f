/* Reading a file or a pipe, through zstd's stream when it begins with its magic number. One block of input is held. */
#include "collector/commands/telemetry_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

enum { BLOCK_SIZE = 128 * 1024, WINDOW_LOG_MAX = 27 };

struct telemetry_source {
    int fd;
    bool started;
    bool frame_open;   /* zstd waits for the rest of a frame */
    bool output_left;  /* zstd may hold more than there was room for */
    ZSTD_DCtx *zstd;   /* owned; NULL: the file is plain */
    size_t at, filled; /* of the block */
    uint8_t block[BLOCK_SIZE];
};

struct telemetry_source *telemetry_source_open(const char *path, struct error *err)
{
    struct telemetry_source *source = calloc(1, sizeof(*source));

    if (source == NULL)
        abort();
    source->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd >= 0)
        return source;
    fail(err, "could not open \"%s\": %s", path, strerror(errno));
    free(source);
    return NULL;
}

void telemetry_source_close(struct telemetry_source *source)
{
    if (source == NULL)
        return;
    close(source->fd);
    ZSTD_freeDCtx(source->zstd);
    free(source);
}

static ssize_t read_some(struct telemetry_source *source, uint8_t *out, size_t size, struct error *err)
{
    ssize_t got;

    do
        got = read(source->fd, out, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        fail(err, "could not read: %s", strerror(errno));
    return got;
}

static bool fill_block(struct telemetry_source *source, struct error *err)
{
    ssize_t got = read_some(source, source->block, BLOCK_SIZE, err);

    source->at = 0;
    source->filled = got > 0 ? (size_t)got : 0;
    return got >= 0;
}

/* A pipe may give the first bytes one by one. */
static bool start(struct telemetry_source *source, struct error *err)
{
    static const uint8_t magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

    source->started = true;
    while (source->filled < sizeof(magic)) {
        ssize_t got = read_some(source, source->block + source->filled, BLOCK_SIZE - source->filled, err);

        if (got < 0)
            return false;
        if (got == 0)
            return true;
        source->filled += (size_t)got;
    }
    if (memcmp(source->block, magic, sizeof(magic)) != 0)
        return true;
    source->zstd = ZSTD_createDCtx();
    if (source->zstd == NULL)
        abort();
    ZSTD_DCtx_setParameter(source->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return true;
}

static ssize_t inflate(struct telemetry_source *source, uint8_t *out, size_t size, struct error *err)
{
    ZSTD_outBuffer to = { out, size, 0 };

    while (to.pos == 0) {
        ZSTD_inBuffer from;
        size_t result;

        if (source->at == source->filled && !source->output_left) {
            if (!fill_block(source, err))
                return -1;
            if (source->filled == 0)
                break;
        }
        from = (ZSTD_inBuffer){ source->block, source->filled, source->at };
        result = ZSTD_decompressStream(source->zstd, &to, &from);
        if (ZSTD_isError(result)) {
            fail(err, "the zstd data are damaged: %s", ZSTD_getErrorName(result));
            return -1;
        }
        source->at = from.pos;
        source->frame_open = result != 0;
        source->output_left = result != 0 && to.pos == to.size;
    }
    if (to.pos == 0 && source->frame_open) {
        fail(err, "the zstd data end too early");
        return -1;
    }
    return (ssize_t)to.pos;
}

ssize_t telemetry_source_read(struct telemetry_source *source, uint8_t *out, size_t size, struct error *err)
{
    if (!source->started && !start(source, err))
        return -1;
    if (source->zstd != NULL)
        return inflate(source, out, size, err);
    if (source->at < source->filled) {
        size_t left = source->filled - source->at;

        size = size < left ? size : left;
        memcpy(out, source->block + source->at, size);
        source->at += size;
        return (ssize_t)size;
    }
    return read_some(source, out, size, err);
}
