/*
 * A journal's folder out of anything: two segments and an ack file, cut out of the input. Looking ends, reads within the files, and hands
 * out only payloads whose checksum is right.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "collector/storage/look.h"
#include "collector/storage/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "0000000000000000.seg", "0000000000000003.seg", "0000000000000000.ack" };

enum { FILES = sizeof(names) / sizeof(names[0]) };

struct memory {
    struct slice files[FILES];
};

static int memory_open(void *context, const char *name, bool create)
{
    (void)context;
    assert(!create);
    for (int i = 0; i < FILES; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -ENOENT;
}

static void memory_close(void *context, int handle)
{
    (void)context;
    (void)handle;
}

static int64_t memory_read(void *context, int handle, uint64_t offset, void *out, size_t size)
{
    struct slice file = ((const struct memory *)context)->files[handle];

    if (offset >= file.size)
        return 0;
    size = size < file.size - offset ? size : file.size - (size_t)offset;
    memcpy(out, file.data + offset, size);
    return (int64_t)size;
}

static int64_t memory_size(void *context, int handle)
{
    return (int64_t)((const struct memory *)context)->files[handle].size;
}

static int memory_list(void *context, void (*each)(void *argument, const char *name), void *argument)
{
    (void)context;
    for (int i = 0; i < FILES; i++)
        each(argument, names[i]);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory = { { { data, size / 2 }, { data + size / 2, size - size / 2 }, { data + size / 3, size / 3 } } };
    const struct filesystem filesystem = {
        .context = &memory, .open = memory_open, .close = memory_close, .read = memory_read, .size = memory_size, .list = memory_list
    };
    struct look *look = look_open(&filesystem, NULL);
    struct look_record record;
    struct buffer payload = { 0 };
    int next;

    assert(look != NULL);
    while ((next = look_next_segment(look)) != 0) {
        uint64_t end = 0;

        while (next == 1 && look_next_record(look, &record)) {
            assert(record.offset >= end);
            end = record.offset + JOURNAL_HEADER_SIZE + record.size;
            assert(end <= look_segment(look)->size);
            if (look_read(look, &record, &payload) == 0)
                assert(payload.size == record.size);
        }
    }
    look_close(look);
    buffer_fini(&payload);
    return 0;
}
