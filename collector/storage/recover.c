/*
 * Opening a journal: names and sizes of the segments, the first header of each for the counts, and one scan of the last
 * segment for its torn tail. Older segments are looked at when the reader comes to them.
 *
 * What a segment's first header says counts for more than its name: a file that was renamed gets its name back, and one whose name is
 * taken by another (a copy) is set aside.
 */
#include "collector/storage/recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/crc32c.h"
#include "collector/storage/names.h"

enum { CHUNK_SIZE = 64 * 1024, QUARANTINE_MAX = 16 * 1024 * 1024, GAP_MAX = 1 << 20 };

/* ---- the last segment ---- */

struct scan {
    struct journal *journal;
    int handle;
    uint64_t size;
    uint8_t chunk[CHUNK_SIZE];
};

static bool payload_checks(struct scan *scan, uint64_t offset, const struct record_header *header)
{
    const struct filesystem *fs = scan->journal->filesystem;
    uint64_t left = header->size;
    uint32_t crc = 0;

    while (left > 0) {
        int64_t got = fs->read(fs->context, scan->handle, offset, scan->chunk, left < CHUNK_SIZE ? (size_t)left : CHUNK_SIZE);

        if (got <= 0)
            return false;
        crc = crc32c(crc, slice_of(scan->chunk, (size_t)got));
        offset += (uint64_t)got;
        left -= (uint64_t)got;
    }
    return crc == header->payload_crc;
}

/* The next header at or behind `offset`; false when there is none any more. */
static bool next_header(struct scan *scan, uint64_t *offset, struct record_header *header)
{
    const struct filesystem *fs = scan->journal->filesystem;

    while (*offset + JOURNAL_HEADER_SIZE <= scan->size) {
        int64_t got = fs->read(fs->context, scan->handle, *offset, scan->chunk, CHUNK_SIZE);
        size_t found;

        if (got < JOURNAL_HEADER_SIZE)
            return false;
        found = record_header_find(slice_of(scan->chunk, (size_t)got));
        if (found < (size_t)got) {
            *offset += found;
            return record_header_read(scan->chunk + found, header);
        }
        *offset += (uint64_t)got - (JOURNAL_HEADER_SIZE - 1);
    }
    return false;
}

/* Where the last whole record ends; the journal's next numbers follow from it. Damage before it is left to the reader. */
static uint64_t scan_segment(struct scan *scan, const struct segment *segment)
{
    struct journal *journal = scan->journal;
    struct record_header header;
    uint64_t offset = 0, end = 0;

    journal->next_sequence = segment->first;
    while (next_header(scan, &offset, &header)) {
        uint64_t behind = offset + JOURNAL_HEADER_SIZE + header.size;

        if (header.sequence < journal->next_sequence || behind > scan->size || !payload_checks(scan, offset + JOURNAL_HEADER_SIZE, &header)) {
            offset++;
            continue;
        }
        journal->next_sequence = header.sequence + 1;
        journal->next_records = header.records_before + header.records;
        offset = end = behind;
    }
    return end;
}

/*
 * Up to the next segment's name, but where names were changed by hand not more than there can be: the reader keeps a bit for each,
 * and goes through them.
 */
static uint64_t count_of(const struct segment *segment, uint64_t next)
{
    uint64_t gap = next - segment->first, most = segment->size / JOURNAL_HEADER_SIZE + GAP_MAX;

    return gap < most ? gap : most;
}

/*
 * A tail that is cut off is what a crash left of an append, when it ends before its record does. More than that was a record
 * once, which is counted and kept like any other damage.
 */
static void note_tail(struct scan *scan, const struct segment *segment, uint64_t end)
{
    const struct filesystem *fs = scan->journal->filesystem;
    struct record_header header;
    int64_t got = fs->read(fs->context, scan->handle, end, scan->chunk, CHUNK_SIZE);

    if (got < JOURNAL_HEADER_SIZE || (record_header_read(scan->chunk, &header) && end + JOURNAL_HEADER_SIZE + header.size > scan->size))
        return;
    journal_quarantine(scan->journal, segment, end, slice_of(scan->chunk, (size_t)got));
    scan->journal->corrupt++;
}

static void recover_last(struct journal *journal, struct segment *segment)
{
    const struct filesystem *fs = journal->filesystem;
    struct scan *scan = malloc(sizeof(*scan));
    uint64_t end;

    if (scan == NULL)
        abort();
    scan->journal = journal;
    scan->handle = segment->handle;
    scan->size = segment->size;
    end = scan_segment(scan, segment);
    if (end < segment->size)
        note_tail(scan, segment, end);
    free(scan);
    journal->torn_bytes = segment->size - end;
    if (end < segment->size)
        fs->truncate(fs->context, segment->handle, end); /* if that fails the bytes stay: nobody reads behind `size` */
    segment->size = end;
    segment->count = count_of(segment, journal->next_sequence);
}

/* ---- the list ---- */

static uint64_t first_records_before(struct journal *journal, const struct segment *segment, uint64_t otherwise)
{
    const struct filesystem *fs = journal->filesystem;
    uint8_t bytes[JOURNAL_HEADER_SIZE];
    struct record_header header;

    if (fs->read(fs->context, segment->handle, 0, bytes, sizeof(bytes)) == JOURNAL_HEADER_SIZE && record_header_read(bytes, &header))
        return header.records_before;
    return otherwise;
}

static bool add_segment(struct journal *journal, uint64_t first, bool last)
{
    const struct filesystem *fs = journal->filesystem;
    struct segment *segment = segment_add_locked(journal, first);
    int64_t size;

    if (segment == NULL)
        abort();
    segment->sealed = true;
    if (segment_open(journal, segment) != 0)
        return true; /* unreadable: the reader passes it by */
    size = fs->size(fs->context, segment->handle);
    segment->size = size > 0 ? (uint64_t)size : 0;
    segment->records_before = first_records_before(journal, segment, journal->next_records);
    journal->next_records = segment->records_before;
    if (last)
        recover_last(journal, segment);
    journal->bytes += segment->size;
    fs->close(fs->context, segment->handle); /* opened again when it is read: a long backlog must not hold descriptors */
    segment->handle = -1;
    return true;
}

/* ---- names ---- */

/* The number of the record that a segment begins with; what its name says when it does not check. */
static uint64_t true_first(const struct filesystem *fs, uint64_t named)
{
    uint8_t bytes[JOURNAL_HEADER_SIZE];
    struct record_header header;
    char name[SEGMENT_NAME_SIZE];
    uint64_t first = named;
    int handle;

    segment_name(named, "seg", name);
    handle = fs->open(fs->context, name, false);
    if (handle < 0)
        return named;
    if (fs->read(fs->context, handle, 0, bytes, sizeof(bytes)) == JOURNAL_HEADER_SIZE && record_header_read(bytes, &header))
        first = header.sequence;
    fs->close(fs->context, handle);
    return first;
}

/* Back to its own name, or aside when that is taken. False when nothing could be done: then the reader takes it for damage. */
static bool mend_name(struct journal *journal, uint64_t named, uint64_t first)
{
    const struct filesystem *fs = journal->filesystem;
    char wrong[SEGMENT_NAME_SIZE], right[SEGMENT_NAME_SIZE];

    segment_name(named, "seg", wrong);
    segment_name(first, "seg", right);
    if (fs->rename(fs->context, wrong, right) == 0)
        return true;
    journal->corrupt++;
    segment_name(named, "stray", right);
    return fs->rename(fs->context, wrong, right) == 0;
}

/* Names of the segments after those that contradict their content were mended. 0 or -errno. */
static int read_names(struct journal *journal, struct segment_names *names)
{
    int result = segment_names_read(journal->filesystem, names);
    bool mended = false;

    for (size_t i = 0; result == 0 && i < names->count; i++) {
        uint64_t first = true_first(journal->filesystem, names->first[i]);

        mended |= first != names->first[i] && mend_name(journal, names->first[i], first);
    }
    if (!mended)
        return result;
    free(names->first);
    *names = (struct segment_names){ 0 };
    return segment_names_read(journal->filesystem, names);
}

/* The next append makes a segment of the same name, which must not be in the list twice. */
static void drop_empty_last(struct journal *journal)
{
    struct segment *last = journal->last;

    if (last == NULL || last->count > 0)
        return;
    last->passed = true;
    journal->next_sequence = last->first;
    segment_retire_locked(journal, last);
}

bool journal_recover(struct journal *journal, struct error *err)
{
    struct segment_names names = { 0 };
    int result = read_names(journal, &names);

    if (result < 0)
        return fail(err, "could not list the folder: %s", strerror(-result));
    for (size_t i = 0; i < names.count; i++) {
        add_segment(journal, names.first[i], i + 1 == names.count);
        if (i + 1 < names.count)
            journal->last->count = count_of(journal->last, names.first[i + 1]);
    }
    free(names.first);
    drop_empty_last(journal);
    for (const struct segment *segment = journal->first; segment != NULL; segment = segment->next)
        journal->waiting += segment->count;
    journal->reader = journal->first;
    journal->reader_sequence = journal->first != NULL ? journal->first->first : journal->next_sequence;
    return true;
}

/* ---- quarantine ---- */

void journal_quarantine(struct journal *journal, const struct segment *segment, uint64_t offset, struct slice bytes)
{
    const struct filesystem *fs = journal->filesystem;
    char line[96];
    int length = snprintf(line, sizeof(line), "\n%016" PRIx64 ".seg offset %" PRIu64 " size %zu\n", segment->first, offset, bytes.size);
    struct iovec parts[] = { { line, (size_t)length }, { (void *)(uintptr_t)bytes.data, bytes.size } };
    int handle = fs->open(fs->context, "quarantine", true);
    int64_t size;

    if (handle < 0)
        return;
    size = fs->size(fs->context, handle);
    if (size >= 0 && (uint64_t)size + (size_t)length + bytes.size <= QUARANTINE_MAX)
        fs->write(fs->context, handle, (uint64_t)size, parts, 2);
    fs->close(fs->context, handle);
}
