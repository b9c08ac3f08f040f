/*
 * Looking at a journal: one segment at a time, through a window of 64 KiB (4 KiB while records are larger than that, since only
 * headers are wanted). Headers are checked, payloads only when they are asked for.
 *
 * While the owner runs, a segment may go between the listing and the opening, and its ack file after the opening: both
 * mean that all of it is settled, and it is passed by.
 */
#include "collector/storage/look.h"

#include <errno.h>
#include <stdlib.h>

#include "collector/base/crc32c.h"
#include "collector/storage/names.h"
#include "collector/storage/segment.h"

enum { WINDOW_SIZE = 64 * 1024, GLANCE_SIZE = 4 * 1024 };

struct look {
    struct journal journal; /* only what segment.h's functions need of it */
    struct segment_names names;
    size_t next;
    struct segment segment; /* handle -1: none is open */
    struct look_segment shown;
    uint64_t offset, sequence;
    uint64_t window_offset;
    size_t window_size;
    size_t wanted; /* how much of the window to read at a time */
    uint8_t window[WINDOW_SIZE];
};

struct look *look_open(const struct filesystem *filesystem, struct error *err)
{
    struct look *look = calloc(1, sizeof(*look));
    int result;

    if (look == NULL)
        abort();
    look->journal.filesystem = filesystem;
    look->segment.handle = -1;
    result = segment_names_read(filesystem, &look->names);
    if (result == 0)
        return look;
    look_close(look);
    fail(err, "could not list the folder: %s", strerror(-result));
    return NULL;
}

static void leave_segment(struct look *look)
{
    const struct filesystem *fs = look->journal.filesystem;

    if (look->segment.handle >= 0)
        fs->close(fs->context, look->segment.handle);
    free(look->segment.settled);
    look->segment = (struct segment){ .handle = -1 };
    look->window_size = 0;
}

void look_close(struct look *look)
{
    if (look == NULL)
        return;
    leave_segment(look);
    free(look->names.first);
    free(look);
}

/* ---- segments ---- */

static bool is_gone(const struct look *look)
{
    const struct filesystem *fs = look->journal.filesystem;
    int handle = fs->open(fs->context, look->shown.name, false);

    if (handle >= 0)
        fs->close(fs->context, handle);
    return handle == -ENOENT;
}

/* 1, or 0 when it is gone, or -errno. */
static int enter_segment(struct look *look, uint64_t first)
{
    const struct filesystem *fs = look->journal.filesystem;
    struct segment *segment = &look->segment;
    int64_t size;
    int result;

    leave_segment(look);
    segment->first = first;
    look->shown = (struct look_segment){ .first = first, .last = look->next == look->names.count };
    segment_name(first, "seg", look->shown.name);
    result = segment_open(&look->journal, segment);
    if (result != 0)
        return result == -ENOENT ? 0 : result;
    size = fs->size(fs->context, segment->handle);
    if (size < 0)
        return (int)size;
    look->shown.size = segment->size = (uint64_t)size;
    segment->count = segment->size / JOURNAL_HEADER_SIZE; /* more can't be in it */
    look->offset = 0;
    look->sequence = first;
    look->wanted = WINDOW_SIZE;
    result = segment_load(&look->journal, segment);
    if (result != 0)
        return result;
    return is_gone(look) ? 0 : 1;
}

int look_next_segment(struct look *look)
{
    int result = 0;

    while (result == 0 && look->next < look->names.count)
        result = enter_segment(look, look->names.first[look->next++]);
    if (result != 1)
        leave_segment(look);
    return result;
}

const struct look_segment *look_segment(const struct look *look)
{
    return &look->shown;
}

/* ---- records ---- */

/* The bytes at the offset, as many as the window holds of them, but at least `size`; empty when there are not so many. */
static struct slice view(struct look *look, uint64_t offset, size_t size)
{
    const struct filesystem *fs = look->journal.filesystem;
    uint64_t end = look->window_offset + look->window_size;
    int64_t got;

    if (offset + size > look->segment.size)
        return slice_of(NULL, 0);
    if (look->window_size == 0 || offset < look->window_offset || offset + size > end) {
        got = fs->read(fs->context, look->segment.handle, offset, look->window, look->wanted);
        look->window_offset = offset;
        look->window_size = got > 0 ? (size_t)got : 0;
        end = offset + look->window_size;
    }
    return offset + size <= end ? slice_of(look->window + (offset - look->window_offset), (size_t)(end - offset)) : slice_of(NULL, 0);
}

static bool fits(const struct look *look, uint64_t offset, const struct record_header *header)
{
    return header->sequence >= look->sequence && header->sequence - look->segment.first < look->segment.count &&
           offset + JOURNAL_HEADER_SIZE + header->size <= look->segment.size;
}

/* The first header at or behind the place that fits; false when there is none. */
static bool find_header(struct look *look, uint64_t *offset, struct record_header *header)
{
    for (;;) {
        struct slice bytes = view(look, *offset, JOURNAL_HEADER_SIZE);
        size_t found;

        if (bytes.size == 0)
            return false;
        if (record_header_read(bytes.data, header) && fits(look, *offset, header))
            return true;
        look->wanted = WINDOW_SIZE;
        found = record_header_find(slice_of(bytes.data + 1, bytes.size - 1));
        *offset += found < bytes.size - 1 ? found + 1 : bytes.size - (JOURNAL_HEADER_SIZE - 1);
    }
}

static void count_rest(struct look *look)
{
    uint64_t left = look->segment.size > look->offset ? look->segment.size - look->offset : 0;

    if (left > 0 && look->shown.last)
        look->shown.torn_bytes = left;
    else if (left > 0)
        look->shown.damaged++;
    look->offset = look->segment.size;
}

bool look_next_record(struct look *look, struct look_record *record)
{
    struct record_header header;
    uint64_t offset = look->offset;

    if (look->segment.handle < 0)
        return false;
    if (!find_header(look, &offset, &header)) {
        count_rest(look);
        return false;
    }
    if (offset > look->offset)
        look->shown.damaged++;
    look->offset = offset + JOURNAL_HEADER_SIZE + header.size;
    look->sequence = header.sequence + 1;
    look->wanted = header.size > GLANCE_SIZE ? GLANCE_SIZE : WINDOW_SIZE;
    *record = (struct look_record){ header.sequence, offset, header.size, header.records, header.signal,
        segment_is_settled(&look->segment, header.sequence - look->segment.first) };
    look->shown.requests++;
    look->shown.settled += record->settled;
    look->shown.records += record->settled ? 0 : record->records;
    return true;
}

int look_read(struct look *look, const struct look_record *record, struct buffer *payload)
{
    const struct filesystem *fs = look->journal.filesystem;
    uint8_t bytes[JOURNAL_HEADER_SIZE];
    struct record_header header;
    int64_t got;

    buffer_clear(payload);
    if (!buffer_reserve(payload, record->size))
        return -ENOMEM;
    got = fs->read(fs->context, look->segment.handle, record->offset, bytes, sizeof(bytes));
    if (got != JOURNAL_HEADER_SIZE || !record_header_read(bytes, &header) || header.size != record->size)
        return got < 0 ? (int)got : -EBADMSG;
    got = fs->read(fs->context, look->segment.handle, record->offset + JOURNAL_HEADER_SIZE, payload->data, record->size);
    if (got < 0)
        return (int)got;
    payload->size = (size_t)got;
    return payload->size == record->size && crc32c(0, buffer_slice(payload)) == header.payload_crc ? 0 : -EBADMSG;
}
