/*
 * The journal under a disk queue: append-only segments of checksummed records, each settled on its own, in any order.
 *
 * Files of a folder:
 *   FIRST.seg   records, one after the other; FIRST is the sequence number of the first one, 16 hex digits. Sequence numbers
 *               have no gaps, so a segment's count is the next one's name minus its own.
 *   FIRST.ack   what is settled of that segment: entries of 8 bytes, in any order
 *   FIRST.stray a segment whose first record is of another number, which another segment has: set aside
 *   quarantine  bytes that did not check, each run behind a line that says where they were; bounded
 *
 * A record is 40 bytes of header, little endian, and its payload:
 *   u32 magic "WEIR"   u32 payload size   u64 sequence   u64 telemetry records before it   u32 telemetry records in it
 *   u8 signal   u8 0   u16 0   u32 CRC-32C of the payload   u32 CRC-32C of the 36 bytes before
 *
 * What is appended and synced survives a crash; it is handed out until it is settled, and after a crash again when the ack
 * file had not reached the disk (a duplicate, never a loss). Opening costs one look at each file's size and first header and a scan of
 * the last segment: neither time nor memory grows with the backlog.
 *
 * Threads: one appends, any may read (they take turns) and settle.
 */
#ifndef WEIR_STORAGE_JOURNAL_H
#define WEIR_STORAGE_JOURNAL_H

#include "collector/base/payload.h"
#include "collector/storage/filesystem.h"

enum { JOURNAL_HEADER_SIZE = 40 };

struct journal;

struct journal_settings {
    uint64_t segment_bytes; /* a segment is closed once it is larger; 0: 32 MiB */
    uint64_t max_bytes;     /* of all segments; 0: no limit */
    uint64_t max_record;    /* payloads above it are taken for corruption; 0: 1 GiB */
    bool sync;              /* false: what is appended survives the process, not the machine */
    int64_t settle_ns;      /* settled numbers are written when the last write was so long ago; 0: when 512 are together, or by journal_flush */
};

struct journal_item {
    const struct slice *parts; /* the payload, one after the other */
    size_t part_count;
    uint32_t records;
    uint8_t signal;
};

struct journal_record {
    struct payload *payload; /* the caller owns the reference */
    uint64_t sequence;
    uint32_t records;
    uint8_t signal;
};

struct journal_stats {
    uint64_t bytes;       /* in segment files */
    uint64_t requests;    /* appended and not settled */
    uint64_t records;     /* telemetry records in them; counts all of a segment that has not been read yet */
    uint64_t segments;
    uint64_t corrupt;     /* records, or runs of bytes, that did not check, since opening */
    uint64_t torn_bytes;  /* cut off the end of the last segment at opening */
};

/* NULL with the error only when the folder cannot be read or written at all; damage never is a reason. */
struct journal *journal_open(const struct filesystem *filesystem, const struct journal_settings *settings, struct error *err);
/* Writes out the ack files. What is not settled stays. NULL is fine. */
void journal_close(struct journal *journal);

/*
 * Appends all items and syncs once; all of them are durable when it returns 0. Else none is (or will be read): -ENOSPC when the
 * limit or the disk is full, or what the file system said. The next call may succeed.
 */
int journal_append(struct journal *journal, const struct journal_item *items, size_t count);

/* The next record in order: 1, or 0 when there is none yet, or -errno (-ENOMEM, -EMFILE; the record stays next). */
int journal_read(struct journal *journal, struct journal_record *record);

/* The record is done with; its segment goes when all of it is. Each sequence once. */
void journal_settle(struct journal *journal, uint64_t sequence);

/* Writes settled sequence numbers that are still in memory; false when there were none. Called now and then by the one who appends. */
bool journal_flush(struct journal *journal);

struct journal_stats journal_stats(struct journal *journal);

#endif
