/* The journal's segments: the list of them, what is settled in each, and when one may go. Private to the journal. */
#ifndef WEIR_STORAGE_SEGMENT_H
#define WEIR_STORAGE_SEGMENT_H

#include <pthread.h>

#include "collector/storage/record.h"

enum { SEGMENT_NAME_SIZE = 24, ACK_ENTRY_SIZE = 8, ACK_BUFFERED_MAX = 512 };

struct segment {
    uint64_t first;      /* sequence number of its first record */
    uint64_t count;      /* sequence numbers that belong to it; grows while it is not sealed */
    uint64_t size;       /* committed bytes: nothing behind them is read */
    uint64_t records_before;
    bool sealed;         /* no more is appended */
    bool passed;         /* sealed, and the reader is behind its end */
    int handle;          /* -1: not open */
    unsigned users;      /* readers that use the handle now */
    /* what is settled; loaded when the reader gets here, or something is settled */
    bool loaded;
    uint8_t *settled;    /* bit map; owned */
    uint64_t settled_capacity; /* bits */
    uint64_t settled_count;
    uint64_t ack_size;   /* bytes of the ack file */
    uint32_t *ack_pending; /* indices not yet written; owned */
    size_t ack_pending_count;
    int64_t ack_written_ns; /* when entries were written last, monotonic */
    struct segment *next;
};

struct journal {
    const struct filesystem *filesystem;
    struct journal_settings settings;
    pthread_mutex_t lock;    /* the list, the counts, what is settled */
    pthread_mutex_t reading; /* whose turn it is to read */
    struct segment *first, *last;
    struct segment *reader;  /* where the next record is; NULL: behind the last one */
    uint64_t reader_offset;
    uint64_t reader_sequence; /* the next one expected */
    uint64_t next_sequence, next_records;
    uint64_t bytes, waiting, segment_count, corrupt, torn_bytes; /* waiting: records of the list that are not settled */
    struct segment *retired; /* off the list, their files still to be removed */
};

void segment_name(uint64_t first, const char *suffix, char out[SEGMENT_NAME_SIZE]);

/* Appends a segment to the list. NULL when memory is out. */
struct segment *segment_add_locked(struct journal *journal, uint64_t first);
void segment_free(struct segment *segment);

/* The one that holds the sequence number; NULL when it is gone. */
struct segment *segment_find_locked(struct journal *journal, uint64_t sequence);
int segment_open(struct journal *journal, struct segment *segment);

/* Reads what its ack file says is settled. -ENOMEM, or 0: an ack file that cannot be read counts as empty. */
int segment_load(struct journal *journal, struct segment *segment);
bool segment_is_settled(const struct segment *segment, uint64_t index);
/* Marks one index; false when it was marked before or memory is out. */
bool segment_settle_locked(struct journal *journal, struct segment *segment, uint64_t index);
/* Writes the indices that are only in memory, for which the lock is given up for a while; the segment stays. */
void segment_flush_acks_locked(struct journal *journal, struct segment *segment);

/* Takes it off the list when it is sealed, the reader is behind it, nobody uses it and everything in it is settled. */
void segment_retire_locked(struct journal *journal, struct segment *segment);
/* Removes the files of those, and frees them. Without the lock: a large file takes its time to go. */
void segments_sweep(struct journal *journal);

#endif
