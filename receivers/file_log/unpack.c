/*
 * gzip files as a stream, of several members too. What is asked for again, up to what the last call gave, is kept; to go further back the file is
 * unpacked anew. Cost: zlib's 44 KiB a file, and what is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "receivers/file_log/file_log.h"

enum { INPUT = 32 << 10 };

struct file_unpacker {
    int fd; /* borrowed */
    z_stream stream;
    uint64_t packed_at; /* in the file: how much was given to zlib */
    struct buffer kept; /* unpacked, from `kept_at` on */
    uint64_t kept_at;
    bool failed;
    uint8_t input[INPUT];
};

struct file_unpacker *file_unpacker_create(int fd)
{
    struct file_unpacker *unpacker = calloc(1, sizeof(*unpacker));

    if (unpacker == NULL)
        return NULL;
    unpacker->fd = fd;
    if (inflateInit2(&unpacker->stream, 15 + 16) == Z_OK)
        return unpacker;
    free(unpacker);
    return NULL;
}

void file_unpacker_destroy(struct file_unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    inflateEnd(&unpacker->stream);
    buffer_fini(&unpacker->kept);
    free(unpacker);
}

static void begin_again(struct file_unpacker *unpacker)
{
    inflateReset(&unpacker->stream);
    unpacker->stream.avail_in = 0;
    unpacker->packed_at = unpacker->kept_at = 0;
    unpacker->failed = false;
    buffer_clear(&unpacker->kept);
}

static bool more_input(struct file_unpacker *unpacker)
{
    ssize_t got;

    if (unpacker->stream.avail_in > 0)
        return true;
    do {
        got = pread(unpacker->fd, unpacker->input, INPUT, (off_t)unpacker->packed_at);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    unpacker->packed_at += (uint64_t)got;
    unpacker->stream.next_in = unpacker->input;
    unpacker->stream.avail_in = (uInt)got;
    return true;
}

/* Some more bytes behind those that are kept; false when there are none now. */
static bool unpack(struct file_unpacker *unpacker, size_t size)
{
    int result;

    if (unpacker->failed || !more_input(unpacker) || !buffer_reserve(&unpacker->kept, size))
        return false;
    unpacker->stream.next_out = unpacker->kept.data + unpacker->kept.size;
    unpacker->stream.avail_out = (uInt)size;
    result = inflate(&unpacker->stream, Z_NO_FLUSH);
    unpacker->kept.size += size - unpacker->stream.avail_out;
    if (result == Z_STREAM_END)
        inflateReset(&unpacker->stream);
    else if (result != Z_OK && result != Z_BUF_ERROR)
        unpacker->failed = true;
    return !unpacker->failed;
}

/* Forgets what stands before the offset. */
static void forget(struct file_unpacker *unpacker, uint64_t offset)
{
    size_t size = offset - unpacker->kept_at < unpacker->kept.size ? (size_t)(offset - unpacker->kept_at) : unpacker->kept.size;

    memmove(unpacker->kept.data, unpacker->kept.data + size, unpacker->kept.size - size);
    unpacker->kept.size -= size;
    unpacker->kept_at += size;
}

ssize_t file_unpacker_read(struct file_unpacker *unpacker, uint64_t offset, void *out, size_t size)
{
    size_t have;

    if (offset < unpacker->kept_at)
        begin_again(unpacker);
    do {
        if (unpacker->kept.size > 0)
            forget(unpacker, offset);
        have = unpacker->kept_at == offset ? unpacker->kept.size : 0;
    } while (have < size && unpack(unpacker, size < INPUT ? INPUT : size));
    if (have > size)
        have = size;
    if (have > 0)
        memcpy(out, unpacker->kept.data, have);
    return (ssize_t)have;
}
