/* Files are told by their beginnings. Cost: up to fingerprint_size bytes read and hashed for each look at a file that has grown. */
#include <errno.h>
#include <unistd.h>

#include "collector/base/crc32c.h"
#include "receivers/file_log/file_log.h"

enum { PRINT_MAX = 64 << 10, HEAD = 64 };

struct file_print file_print_of(struct slice beginning)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: the same in every run */

    for (size_t i = 0; i < beginning.size; i++)
        hash = (hash ^ beginning.data[i]) * UINT64_C(0x100000001b3);
    return (struct file_print){ hash, crc32c(0, beginning), beginning.size >= HEAD ? crc32c(0, slice_of(beginning.data, HEAD)) : 0,
        (uint32_t)beginning.size };
}

ssize_t followed_read(struct followed *file, uint64_t offset, void *out, size_t size)
{
    size_t got = 0;

    if (file->unpacker != NULL)
        return file_unpacker_read(file->unpacker, offset, out, size);
    while (got < size) {
        ssize_t more = pread(file->fd, (char *)out + got, size - got, (off_t)(offset + got));
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0 && got == 0)
            return -1;
        if (more <= 0)
            break;
        got += (size_t)more;
    }
    return (ssize_t)got;
}

struct file_print followed_print(struct followed *file, size_t size)
{
    uint8_t beginning[PRINT_MAX];
    ssize_t got = followed_read(file, 0, beginning, size < PRINT_MAX ? size : PRINT_MAX);

    return file_print_of(slice_of(beginning, got > 0 ? (size_t)got : 0));
}

bool followed_begins(struct followed *file, const struct file_print *print)
{
    struct file_print own = followed_print(file, print->size);

    return own.size == print->size && own.hash == print->hash && own.check == print->check;
}

bool file_prints_differ(const struct file_print *a, const struct file_print *b)
{
    if (a->size == b->size)
        return a->hash != b->hash || a->check != b->check;
    return a->size >= HEAD && b->size >= HEAD && a->head != b->head;
}
