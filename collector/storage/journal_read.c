/*
 * Reading a journal in order, around damage: a payload that does not check costs that record; a header that does not costs
 * the bytes up to the next one that does. What is skipped is counted, kept in the quarantine file, and taken for settled, so
 * that its segment can go.
 *
 * Threads: readers take turns (`reading`); the state lock is not held while bytes are read.
 */
#include <errno.h>
#include <stdlib.h>

#include "collector/base/crc32c.h"
#include "collector/storage/recover.h"
#include "collector/storage/segment.h"

enum { WINDOW_SIZE = 64 * 1024 };

/* Where the reader is, copied out of the journal for the time without the lock. */
struct place {
    struct segment *segment;
    uint64_t offset, end; /* committed bytes */
    uint64_t sequence;    /* expected next */
    uint64_t behind;      /* the first sequence number that is not the segment's */
};

/* ---- taking and giving back the place ---- */

/* Behind the end of a sealed segment: on to the next one. What never came up in it was lost to damage. */
static void pass_segment_locked(struct journal *journal, struct segment *segment)
{
    for (uint64_t sequence = journal->reader_sequence; sequence < segment->first + segment->count; sequence++)
        segment_settle_locked(journal, segment, sequence - segment->first);
    segment->passed = true;
    journal->reader = segment->next;
    journal->reader_offset = 0;
    journal->reader_sequence = segment->next != NULL ? segment->next->first : journal->next_sequence;
    segment_retire_locked(journal, segment);
}

/* 1: there is something at the place; 0: nothing yet; else an error. */
static int take_place(struct journal *journal, struct place *place)
{
    int result = 0;

    pthread_mutex_lock(&journal->lock);
    while (journal->reader != NULL && result == 0) {
        struct segment *segment = journal->reader;

        result = segment_load(journal, segment);
        if (result != 0)
            break;
        if (journal->reader_offset >= segment->size) {
            if (!segment->sealed)
                break;
            pass_segment_locked(journal, segment);
            continue;
        }
        result = segment_open(journal, segment);
        if (result == -ENOENT || result == -EIO) { /* gone or unreadable for good: what else there is must not wait for it */
            result = 0;
            journal->corrupt++;
            segment->sealed = true;
            pass_segment_locked(journal, segment);
            continue;
        }
        if (result != 0)
            break;
        segment->users++;
        *place =
            (struct place){ segment, journal->reader_offset, segment->size, journal->reader_sequence, segment->first + segment->count };
        result = 1;
    }
    pthread_mutex_unlock(&journal->lock);
    return result;
}

/* How the reader goes on: the numbers before `lost_until` that it jumped over are settled. */
struct step {
    uint64_t offset;
    uint64_t lost_until;
    uint64_t next;
};

static void give_back(struct journal *journal, const struct place *place, const struct step *step)
{
    struct segment *segment = place->segment;

    pthread_mutex_lock(&journal->lock);
    for (uint64_t lost = place->sequence; lost < step->lost_until; lost++)
        segment_settle_locked(journal, segment, lost - segment->first);
    journal->reader_offset = step->offset;
    journal->reader_sequence = step->next;
    segment->users--;
    segment_retire_locked(journal, segment);
    pthread_mutex_unlock(&journal->lock);
}

static bool is_settled(struct journal *journal, const struct segment *segment, uint64_t sequence)
{
    bool settled;

    pthread_mutex_lock(&journal->lock);
    settled = segment_is_settled(segment, sequence - segment->first);
    pthread_mutex_unlock(&journal->lock);
    return settled;
}

static void count_corrupt(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->corrupt++;
    pthread_mutex_unlock(&journal->lock);
}

/* ---- one record ---- */

static int64_t read_at(struct journal *journal, const struct place *place, uint64_t offset, struct slice out)
{
    if (offset + out.size > place->end)
        return -ENODATA;
    return journal->filesystem->read(journal->filesystem->context, place->segment->handle, offset, (void *)(uintptr_t)out.data, out.size);
}

static bool header_fits(const struct journal *journal, const struct place *place, const struct record_header *header, uint64_t offset)
{
    return header->sequence >= place->sequence && header->sequence < place->behind && header->size <= journal->settings.max_record &&
           offset + JOURNAL_HEADER_SIZE + header->size <= place->end;
}

static bool read_header(struct journal *journal, const struct place *place, struct record_header *header)
{
    uint8_t bytes[JOURNAL_HEADER_SIZE] = { 0 };

    return read_at(journal, place, place->offset, slice_of(bytes, sizeof(bytes))) == JOURNAL_HEADER_SIZE &&
           record_header_read(bytes, header) && header_fits(journal, place, header, place->offset);
}

/* Offset of the next valid header behind the place, or the end. */
static uint64_t find_header(struct journal *journal, const struct place *place, uint8_t *window)
{
    uint64_t offset = place->offset + 1;

    while (offset + JOURNAL_HEADER_SIZE <= place->end) {
        size_t size = place->end - offset < WINDOW_SIZE ? (size_t)(place->end - offset) : WINDOW_SIZE;
        int64_t got = read_at(journal, place, offset, slice_of(window, size));
        size_t found;

        if (got < JOURNAL_HEADER_SIZE)
            break;
        found = record_header_find(slice_of(window, (size_t)got));
        if (found < (size_t)got)
            return offset + found;
        offset += (uint64_t)got - (JOURNAL_HEADER_SIZE - 1);
    }
    return place->end;
}

/* Jumps over bytes that are no header. */
static int skip_damage(struct journal *journal, const struct place *place)
{
    uint8_t *window = malloc(WINDOW_SIZE);
    struct step step = { place->offset, 0, place->sequence };
    int64_t got;
    size_t size;

    if (window == NULL) {
        give_back(journal, place, &step);
        return -ENOMEM;
    }
    step.offset = find_header(journal, place, window);
    size = step.offset - place->offset < WINDOW_SIZE ? (size_t)(step.offset - place->offset) : WINDOW_SIZE;
    got = read_at(journal, place, place->offset, slice_of(window, size));
    if (got > 0)
        journal_quarantine(journal, place->segment, place->offset, slice_of(window, (size_t)got));
    count_corrupt(journal);
    free(window);
    give_back(journal, place, &step);
    return 0;
}

/* 1 with the record; 0: skipped, look again; or an error, with the place as it was. */
static int read_record(
    struct journal *journal, const struct place *place, const struct record_header *header, struct journal_record *record)
{
    struct step stay = { place->offset, 0, place->sequence };
    struct step on = { place->offset + JOURNAL_HEADER_SIZE + header->size, header->sequence, header->sequence + 1 };
    struct payload *payload;
    int64_t got;

    if (is_settled(journal, place->segment, header->sequence)) {
        give_back(journal, place, &on);
        return 0;
    }
    payload = payload_create(header->size);
    if (payload == NULL) {
        give_back(journal, place, &stay);
        return -ENOMEM;
    }
    got = read_at(journal, place, place->offset + JOURNAL_HEADER_SIZE, slice_of(payload->data, header->size));
    payload->size = got > 0 ? (size_t)got : 0; /* a sector that cannot be read is damage like any other */
    if (payload->size != header->size || crc32c(0, payload_slice(payload)) != header->payload_crc) {
        journal_quarantine(journal, place->segment, place->offset, payload_slice(payload));
        count_corrupt(journal);
        payload_unref(payload);
        on.lost_until = on.next;
        give_back(journal, place, &on);
        return 0;
    }
    *record = (struct journal_record){ payload, header->sequence, header->records, header->signal };
    give_back(journal, place, &on);
    return 1;
}

int journal_read(struct journal *journal, struct journal_record *record)
{
    int result;

    pthread_mutex_lock(&journal->reading);
    for (;;) {
        struct record_header header;
        struct place place = { 0 };

        result = take_place(journal, &place);
        if (result <= 0)
            break;
        result = read_header(journal, &place, &header) ? read_record(journal, &place, &header, record) : skip_damage(journal, &place);
        if (result != 0)
            break;
    }
    pthread_mutex_unlock(&journal->reading);
    segments_sweep(journal);
    return result;
}
