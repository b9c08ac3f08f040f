/*
 * Looking at a journal's folder (journal.h says what is in it) without its lock and without changing anything: for people who ask
 * while weir runs, or is dead. What is seen is a snapshot: records that are appended or settled meanwhile may or may not show, and
 * what the owner has settled in the last second may still show as waiting.
 *
 * Damage is reported record by record; whatever a file holds, memory stays within one payload and one bit for each record
 * of one segment.
 */
#ifndef WEIR_STORAGE_LOOK_H
#define WEIR_STORAGE_LOOK_H

#include "collector/base/buffer.h"
#include "collector/storage/filesystem.h"

enum { LOOK_NAME_SIZE = 24 };

/* Where the walk stands; what is counted is of the part that has been walked over. */
struct look_segment {
    char name[LOOK_NAME_SIZE]; /* "0000000000000000.seg" */
    uint64_t first;            /* sequence number of its first record */
    uint64_t size;             /* bytes of the file, when it was opened */
    bool last;                 /* its end may be a record that is being written now */
    uint64_t requests;         /* whole ones */
    uint64_t settled;          /* of them */
    uint64_t records;          /* telemetry records in those not settled */
    uint64_t damaged;          /* runs of bytes that are no record */
    uint64_t torn_bytes;       /* the end of the last segment, which is no whole record */
};

struct look_record {
    uint64_t sequence;
    uint64_t offset; /* of its header in the segment */
    uint32_t size;   /* of the payload */
    uint32_t records;
    uint8_t signal;
    bool settled;
};

struct look;

/* NULL with the error when the folder cannot be listed. The filesystem is borrowed. */
struct look *look_open(const struct filesystem *filesystem, struct error *err);
void look_close(struct look *look); /* NULL is fine */

/* On to the next segment in order: 1, 0 behind the last one, or -errno (that segment is passed by; call again). */
int look_next_segment(struct look *look);
const struct look_segment *look_segment(const struct look *look);

/* The next record of the segment, by its header: true, or false at the end. */
bool look_next_record(struct look *look, struct look_record *record);

/* The payload of the record that was returned last: 0, -EBADMSG when its checksum is wrong, or what the file system said. */
int look_read(struct look *look, const struct look_record *record, struct buffer *payload);

#endif
