/*
 * The journal: appending, settling, opening and closing. Reading is in journal_read.c.
 *
 * Everything in one journal_append goes out in one vectored write and one sync. When either fails the segment is cut back
 * to what was committed, and closed: after a failed sync nobody knows what the kernel still holds.
 */
#include "collector/storage/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/crc32c.h"
#include "collector/storage/recover.h"
#include "collector/storage/segment.h"

/* ---- appending ---- */

static void seal_last_locked(struct journal *journal)
{
    if (journal->last != NULL)
        journal->last->sealed = true;
}

/* The segment that is appended to: the last one, or a new one. NULL with *result set. */
static struct segment *open_for_append(struct journal *journal, int *result)
{
    const struct filesystem *fs = journal->filesystem;
    struct segment *segment;
    char name[SEGMENT_NAME_SIZE];
    int handle;

    pthread_mutex_lock(&journal->lock);
    segment = journal->last != NULL && !journal->last->sealed ? journal->last : NULL;
    pthread_mutex_unlock(&journal->lock);
    if (segment != NULL)
        return segment;
    segment_name(journal->next_sequence, "ack", name);
    fs->remove(fs->context, name); /* one left from an earlier life would call new records settled */
    segment_name(journal->next_sequence, "seg", name);
    handle = fs->open(fs->context, name, true);
    *result = handle < 0 ? handle : fs->truncate(fs->context, handle, 0);
    if (*result == 0 && journal->settings.sync)
        *result = fs->sync_names(fs->context);
    if (*result != 0) {
        if (handle >= 0)
            fs->close(fs->context, handle);
        return NULL;
    }
    pthread_mutex_lock(&journal->lock);
    segment = segment_add_locked(journal, journal->next_sequence);
    if (segment != NULL) {
        segment->handle = handle;
        segment->records_before = journal->next_records;
        segment->loaded = true;
        if (journal->reader == NULL) {
            journal->reader = segment;
            journal->reader_offset = 0;
            journal->reader_sequence = segment->first;
        }
    }
    pthread_mutex_unlock(&journal->lock);
    if (segment == NULL) {
        fs->close(fs->context, handle);
        *result = -ENOMEM;
    }
    return segment;
}

struct packed {
    struct iovec *parts;
    uint8_t *headers;
    size_t part_count;
    uint64_t bytes, records;
};

static uint32_t checksum(const struct journal_item *item, uint32_t *size)
{
    uint32_t crc = 0;

    *size = 0;
    for (size_t i = 0; i < item->part_count; i++) {
        crc = crc32c(crc, item->parts[i]);
        *size += (uint32_t)item->parts[i].size;
    }
    return crc;
}

/* Headers and payloads of all items as one list for a vectored write. */
static bool pack(const struct journal *journal, const struct journal_item *items, size_t count, struct packed *packed)
{
    size_t part_count = count;

    for (size_t i = 0; i < count; i++)
        part_count += items[i].part_count;
    *packed = (struct packed){ malloc(part_count * sizeof(struct iovec)), malloc(count * JOURNAL_HEADER_SIZE), 0, 0, 0 };
    if (packed->parts == NULL || packed->headers == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct record_header header = { .sequence = journal->next_sequence + i, .records_before = journal->next_records + packed->records,
            .records = items[i].records, .signal = items[i].signal };

        header.payload_crc = checksum(&items[i], &header.size);
        record_header_write(&header, packed->headers + i * JOURNAL_HEADER_SIZE);
        packed->parts[packed->part_count++] = (struct iovec){ packed->headers + i * JOURNAL_HEADER_SIZE, JOURNAL_HEADER_SIZE };
        for (size_t k = 0; k < items[i].part_count; k++)
            packed->parts[packed->part_count++] = (struct iovec){ (void *)(uintptr_t)items[i].parts[k].data, items[i].parts[k].size };
        packed->bytes += JOURNAL_HEADER_SIZE + (uint64_t)header.size;
        packed->records += items[i].records;
    }
    return true;
}

static void free_packed(struct packed *packed)
{
    free(packed->parts);
    free(packed->headers);
}

static int write_out(struct journal *journal, struct segment *segment, struct packed *packed)
{
    const struct filesystem *fs = journal->filesystem;
    int result = fs->write(fs->context, segment->handle, segment->size, packed->parts, (int)packed->part_count);

    if (result == 0 && journal->settings.sync)
        result = fs->sync(fs->context, segment->handle);
    if (result == 0)
        return 0;
    fs->truncate(fs->context, segment->handle, segment->size);
    pthread_mutex_lock(&journal->lock);
    segment->sealed = segment->count > 0; /* an empty one is written over: a second one of its name would be the same file */
    pthread_mutex_unlock(&journal->lock);
    return result;
}

static void commit_locked(struct journal *journal, struct segment *segment, const struct packed *packed, size_t count)
{
    segment->size += packed->bytes;
    segment->count += count;
    journal->bytes += packed->bytes;
    journal->waiting += count;
    journal->next_sequence += count;
    journal->next_records += packed->records;
    if (segment->size >= journal->settings.segment_bytes)
        seal_last_locked(journal);
}

static bool has_room(struct journal *journal, uint64_t bytes)
{
    bool room;

    pthread_mutex_lock(&journal->lock);
    room = journal->settings.max_bytes == 0 || journal->bytes + bytes <= journal->settings.max_bytes;
    pthread_mutex_unlock(&journal->lock);
    return room;
}

int journal_append(struct journal *journal, const struct journal_item *items, size_t count)
{
    struct packed packed;
    struct segment *segment;
    int result = -ENOMEM;

    if (pack(journal, items, count, &packed)) {
        segment = NULL;
        if (!has_room(journal, packed.bytes))
            result = -ENOSPC;
        else
            segment = open_for_append(journal, &result);
        if (segment != NULL) {
            result = write_out(journal, segment, &packed);
            pthread_mutex_lock(&journal->lock);
            if (result == 0)
                commit_locked(journal, segment, &packed, count);
            pthread_mutex_unlock(&journal->lock);
        }
    }
    free_packed(&packed);
    return result;
}

/* ---- settling ---- */

static bool is_due_locked(const struct journal *journal, const struct segment *segment)
{
    int64_t after = journal->settings.settle_ns;

    return segment->ack_pending_count == ACK_BUFFERED_MAX ||
           (after != 0 && clock_monotonic_nanos() - segment->ack_written_ns >= after);
}

void journal_settle(struct journal *journal, uint64_t sequence)
{
    struct segment *segment;

    pthread_mutex_lock(&journal->lock);
    segment = segment_find_locked(journal, sequence);
    if (segment != NULL && segment_settle_locked(journal, segment, sequence - segment->first)) {
        if (segment->ack_pending == NULL)
            segment->ack_pending = malloc(ACK_BUFFERED_MAX * sizeof(uint32_t));
        if (segment->ack_pending != NULL)
            segment->ack_pending[segment->ack_pending_count++] = (uint32_t)(sequence - segment->first);
        if (is_due_locked(journal, segment))
            segment_flush_acks_locked(journal, segment);
        segment_retire_locked(journal, segment);
    }
    pthread_mutex_unlock(&journal->lock);
    segments_sweep(journal);
}

bool journal_flush(struct journal *journal)
{
    struct segment *next;
    bool any = false;

    pthread_mutex_lock(&journal->lock);
    for (struct segment *segment = journal->first; segment != NULL; segment = next) {
        any |= segment->ack_pending_count > 0;
        segment_flush_acks_locked(journal, segment);
        next = segment->next;
        segment_retire_locked(journal, segment);
    }
    pthread_mutex_unlock(&journal->lock);
    segments_sweep(journal);
    return any;
}

/* ---- life ---- */

struct journal *journal_open(const struct filesystem *filesystem, const struct journal_settings *settings, struct error *err)
{
    struct journal *journal = calloc(1, sizeof(*journal));

    if (journal == NULL)
        abort();
    journal->filesystem = filesystem;
    journal->settings = *settings;
    if (journal->settings.segment_bytes == 0)
        journal->settings.segment_bytes = UINT64_C(32) << 20;
    if (journal->settings.max_record == 0)
        journal->settings.max_record = UINT64_C(1) << 30;
    pthread_mutex_init(&journal->lock, NULL);
    pthread_mutex_init(&journal->reading, NULL);
    if (journal_recover(journal, err)) {
        segments_sweep(journal);
        return journal;
    }
    journal_close(journal);
    return NULL;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    journal_flush(journal);
    while (journal->first != NULL) {
        struct segment *segment = journal->first;

        journal->first = segment->next;
        if (segment->handle >= 0)
            journal->filesystem->close(journal->filesystem->context, segment->handle);
        segment_free(segment);
    }
    pthread_mutex_destroy(&journal->reading);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

struct journal_stats journal_stats(struct journal *journal)
{
    struct journal_stats stats;
    const struct segment *segment;

    pthread_mutex_lock(&journal->lock);
    segment = journal->first;
    stats = (struct journal_stats){ journal->bytes, journal->waiting, segment != NULL ? journal->next_records - segment->records_before : 0, journal->segment_count,
        journal->corrupt, journal->torn_bytes };
    pthread_mutex_unlock(&journal->lock);
    return stats;
}
