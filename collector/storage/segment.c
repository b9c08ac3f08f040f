/*
 * Segments. A bit map for what is settled exists only for segments between the oldest unsettled record and the reader; the
 * backlog behind the reader costs one small struct for each segment.
 */
#include "collector/storage/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/crc32c.h"

void segment_name(uint64_t first, const char *suffix, char out[SEGMENT_NAME_SIZE])
{
    snprintf(out, SEGMENT_NAME_SIZE, "%016" PRIx64 ".%s", first, suffix);
}

struct segment *segment_add_locked(struct journal *journal, uint64_t first)
{
    struct segment *segment = calloc(1, sizeof(*segment));

    if (segment == NULL)
        return NULL;
    segment->first = first;
    segment->handle = -1;
    if (journal->last != NULL)
        journal->last->next = segment;
    else
        journal->first = segment;
    journal->last = segment;
    journal->segment_count++;
    return segment;
}

void segment_free(struct segment *segment)
{
    free(segment->settled);
    free(segment->ack_pending);
    free(segment);
}

struct segment *segment_find_locked(struct journal *journal, uint64_t sequence)
{
    for (struct segment *segment = journal->first; segment != NULL; segment = segment->next) {
        if (sequence >= segment->first && sequence - segment->first < segment->count)
            return segment;
    }
    return NULL;
}

int segment_open(struct journal *journal, struct segment *segment)
{
    char name[SEGMENT_NAME_SIZE];

    if (segment->handle >= 0)
        return 0;
    segment_name(segment->first, "seg", name);
    segment->handle = journal->filesystem->open(journal->filesystem->context, name, false);
    return segment->handle < 0 ? segment->handle : 0;
}

/* ---- what is settled ---- */

static bool grow_map(struct segment *segment, uint64_t index)
{
    uint64_t capacity = segment->settled_capacity < 1024 ? 1024 : segment->settled_capacity;
    uint8_t *map;

    if (index < segment->settled_capacity)
        return true;
    while (capacity <= index)
        capacity *= 2;
    map = realloc(segment->settled, capacity / 8);
    if (map == NULL)
        return false;
    memset(map + segment->settled_capacity / 8, 0, (capacity - segment->settled_capacity) / 8);
    segment->settled = map;
    segment->settled_capacity = capacity;
    return true;
}

bool segment_is_settled(const struct segment *segment, uint64_t index)
{
    return index < segment->settled_capacity && (segment->settled[index / 8] >> (index % 8) & 1) != 0;
}

bool segment_settle_locked(struct journal *journal, struct segment *segment, uint64_t index)
{
    if (segment_is_settled(segment, index) || !grow_map(segment, index))
        return false;
    segment->settled[index / 8] |= (uint8_t)(1 << (index % 8));
    segment->settled_count++;
    journal->waiting--;
    return true;
}

static void load_entries_locked(struct journal *journal, struct segment *segment, struct slice entries)
{
    for (size_t at = 0; at + ACK_ENTRY_SIZE <= entries.size; at += ACK_ENTRY_SIZE) {
        uint32_t index, check;

        memcpy(&index, entries.data + at, 4);
        memcpy(&check, entries.data + at + 4, 4);
        if (check == crc32c(0, slice_of(entries.data + at, 4)) && index < segment->count)
            segment_settle_locked(journal, segment, index);
    }
}

int segment_load(struct journal *journal, struct segment *segment)
{
    const struct filesystem *fs = journal->filesystem;
    char name[SEGMENT_NAME_SIZE];
    uint8_t buffer[4096];
    int64_t got;
    int handle;

    if (segment->loaded)
        return 0;
    if (!grow_map(segment, segment->count))
        return -ENOMEM;
    segment->loaded = true;
    segment_name(segment->first, "ack", name);
    handle = fs->open(fs->context, name, false);
    if (handle < 0)
        return 0;
    for (segment->ack_size = 0; (got = fs->read(fs->context, handle, segment->ack_size, buffer, sizeof(buffer))) >= ACK_ENTRY_SIZE;) {
        size_t whole = (size_t)got / ACK_ENTRY_SIZE * ACK_ENTRY_SIZE;

        load_entries_locked(journal, segment, slice_of(buffer, whole));
        segment->ack_size += whole;
    }
    fs->close(fs->context, handle);
    return 0;
}

/* The pending entries as the ack file has them; their size. */
static size_t take_pending_locked(struct segment *segment, uint8_t entries[ACK_BUFFERED_MAX * ACK_ENTRY_SIZE])
{
    size_t count = segment->ack_pending_count;

    for (size_t i = 0; i < count; i++) {
        uint32_t check = crc32c(0, slice_of(&segment->ack_pending[i], 4));

        memcpy(entries + i * ACK_ENTRY_SIZE, &segment->ack_pending[i], 4);
        memcpy(entries + i * ACK_ENTRY_SIZE + 4, &check, 4);
    }
    segment->ack_pending_count = 0;
    return count * ACK_ENTRY_SIZE;
}

/* What can't be written comes again after a crash, and leaves entries that do not check: a duplicate, never a loss. */
static void write_acks(struct journal *journal, const struct segment *segment, uint64_t offset, struct slice entries)
{
    const struct filesystem *fs = journal->filesystem;
    struct iovec part = { (void *)(uintptr_t)entries.data, entries.size };
    char name[SEGMENT_NAME_SIZE];
    int handle;

    segment_name(segment->first, "ack", name);
    handle = fs->open(fs->context, name, true);
    if (handle < 0)
        return;
    fs->write(fs->context, handle, offset, &part, 1);
    fs->close(fs->context, handle);
}

void segment_flush_acks_locked(struct journal *journal, struct segment *segment)
{
    uint8_t entries[ACK_BUFFERED_MAX * ACK_ENTRY_SIZE];
    uint64_t offset = segment->ack_size;
    size_t size = take_pending_locked(segment, entries);

    if (size == 0)
        return;
    segment->ack_written_ns = clock_monotonic_nanos();
    segment->ack_size += size; /* others write behind it meanwhile */
    segment->users++;
    pthread_mutex_unlock(&journal->lock);
    write_acks(journal, segment, offset, slice_of(entries, size));
    pthread_mutex_lock(&journal->lock);
    segment->users--;
}

/* ---- the end of a segment ---- */

static void unlink_segment(struct journal *journal, const struct segment *segment)
{
    const struct filesystem *fs = journal->filesystem;
    char name[SEGMENT_NAME_SIZE];

    /* the segment first: without it the ack file means nothing, the other way round all would come again */
    segment_name(segment->first, "seg", name);
    fs->remove(fs->context, name);
    segment_name(segment->first, "ack", name);
    fs->remove(fs->context, name);
}

void segment_retire_locked(struct journal *journal, struct segment *segment)
{
    struct segment *before = NULL;

    if (!segment->passed || segment->users > 0 || segment->settled_count < segment->count)
        return;
    for (struct segment *other = journal->first; other != segment; other = other->next)
        before = other;
    if (before != NULL)
        before->next = segment->next;
    else
        journal->first = segment->next;
    if (journal->last == segment)
        journal->last = before;
    segment->next = journal->retired;
    journal->retired = segment;
}

void segments_sweep(struct journal *journal)
{
    for (;;) {
        struct segment *segment;

        pthread_mutex_lock(&journal->lock);
        segment = journal->retired;
        if (segment != NULL)
            journal->retired = segment->next;
        pthread_mutex_unlock(&journal->lock);
        if (segment == NULL)
            return;
        if (segment->handle >= 0)
            journal->filesystem->close(journal->filesystem->context, segment->handle);
        unlink_segment(journal, segment);
        pthread_mutex_lock(&journal->lock);
        journal->bytes -= segment->size; /* now there is room */
        journal->segment_count--;
        pthread_mutex_unlock(&journal->lock);
        segment_free(segment);
    }
}
