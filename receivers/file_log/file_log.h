/*
 * The file_log receiver's instance and its thread, shared by the files that make it up.
 *
 * Everything of struct file_reader belongs to its one thread, from start to stop; receipts, told on any thread, reach it by the inbox.
 */
#ifndef WEIR_RECEIVERS_FILE_LOG_FILE_LOG_H
#define WEIR_RECEIVERS_FILE_LOG_FILE_LOG_H

#include <pthread.h>
#include <sys/types.h>

#include "collector/component.h"
#include "collector/stanza/pipeline.h"
#include "receivers/file_log/lines.h"
#include "receivers/file_log/watch.h"

enum file_start { FILE_FROM_END, FILE_FROM_BEGINNING };
enum file_on_truncate { FILE_TRUNCATE_IGNORE, FILE_TRUNCATE_READ_WHOLE, FILE_TRUNCATE_READ_NEW };
enum file_sort { FILE_SORT_NUMERIC, FILE_SORT_ALPHABETICAL, FILE_SORT_TIMESTAMP, FILE_SORT_MTIME };
enum file_compression { FILE_PLAIN, FILE_GZIP, FILE_AUTO };

struct file_sort_rule {
    const char *regex_key, *location, *layout;
    int type; /* enum file_sort */
    bool ascending;
};

struct file_attributes {
    bool name, path, name_resolved, path_resolved, owner_name, owner_group_name, permissions, record_number, record_offset;
};

struct file_log {
    struct component base;
    struct option_strings include, exclude;
    int64_t exclude_older_than_ns, poll_interval_ns, force_flush_ns;
    const struct config_node *fingerprint_node, *max_log_node; /* sizes, read by validate and start */
    int64_t fingerprint_size, max_log_size;
    int start_at, on_truncate, compression; /* enums above */
    int behavior;                           /* 0: split, 1: truncate */
    bool multiline_present, header_present, ordering_present;
    struct lines_settings lines;
    struct file_attributes with;
    struct option_pairs attributes, resource;
    const struct config_node *operators, *header_operators;
    const char *header_pattern;
    bool delete_after_read, file_cache_advise;
    const char *storage;
    struct {
        const char *regex, *group_by;
        int64_t top_n;
        struct option_list sort_by; /* struct file_sort_rule */
    } ordering;

    struct file_reader *reader; /* owned; NULL until started */
};

/* ---- files ---- */

/* What tells a file by its beginning: a hash of its first `size` bytes. */
struct file_print {
    uint64_t hash;
    uint32_t check;
    uint32_t head; /* of the first few of them, to tell at once what differs */
    uint32_t size;
};

/* A file that was read before: a place to go on from. */
struct file_place {
    struct file_print print;
    dev_t device;
    ino_t inode;
    uint64_t offset, records;
    uint64_t durable; /* at most offset: where another run begins */
};

struct file_unpacker;

struct followed {
    int fd;
    dev_t device;
    ino_t inode;
    char *path; /* owned */
    struct file_print print;
    uint64_t offset, records;          /* where reading is, and how many records came before */
    uint64_t durable, durable_records; /* where it may begin again */
    uint64_t sent, sent_records;       /* what the last chunk stands for */
    uint64_t size;                     /* when it was last looked at */
    int64_t changed_ns;                /* when the size last changed */
    int64_t modified_ns;              /* what the file says of its last change, when it was last looked at */
    struct followed *copy_of;          /* the same content as of a file that is read; NULL: read itself */
    struct file_unpacker *unpacker;    /* owned; NULL: read as it is */
    struct buffer wire;                /* its attributes as fields of a LogRecord */
    struct stanza_map attributes;      /* the same, for operators; in `memory` */
    struct stanza_memory memory;
    unsigned generation; /* of its content: one more when it is cut off or written anew */
    size_t marks;        /* chunks under way that hold a place of it */
    bool ready;          /* to be looked at */
    bool polled;         /* writes to it are not told */
    bool gone;           /* its path leads elsewhere or nowhere */
    bool seen;           /* by the scan that goes on */
    bool fresh;          /* found by it */
    bool skipping;       /* the rest of a record that was too long is passed over */
    bool touched;        /* since the last chunk was sent */
    bool at_end;         /* nothing more to read when it was last looked at */
    bool header_done;
};

/* ---- chunks: batches under way, and the places that they stand for ---- */

struct file_mark {
    struct followed *file;
    uint64_t offset, records;
    unsigned generation;
};

enum file_chunk_state { CHUNK_WAITING, CHUNK_UNDER_WAY, CHUNK_SETTLED };

struct file_inbox;
struct file_chunk {
    struct batch *batch;     /* owned, without receipt, for another attempt */
    struct file_mark *marks; /* owned */
    size_t mark_count, bytes, records;
    enum file_chunk_state state;
    struct outcome outcome;
    int64_t due_ns;
    unsigned failures;
    bool orphan;              /* under the inbox' lock */
    struct file_inbox *inbox; /* one reference while it is under way */
    struct file_chunk *next, *next_told;
};

/* inbox.c */
struct file_inbox *file_inbox_create(void);
void file_inbox_unref(struct file_inbox *inbox);
int file_inbox_fd(const struct file_inbox *inbox); /* readable when something was told */
struct file_chunk *file_inbox_take(struct file_inbox *inbox);
/* NULL: memory is out. */
struct receipt *file_chunk_receipt(struct file_chunk *chunk, struct file_inbox *inbox);
/* Frees the chunks, or makes orphans of those under way. */
void file_chunks_abandon(struct file_chunk *list, struct file_inbox *inbox);
void file_chunk_destroy(struct file_chunk *chunk);

/* ---- the reader ---- */

struct file_order;

struct file_reader {
    struct file_log *settings;
    const char *path;
    struct lines_reader lines;
    struct stanza_pipeline *pipeline; /* owned */
    struct stanza_memory memory;      /* of the record at hand */
    struct stanza_writer writer;
    struct buffer resource_wire;
    struct stanza_map resource; /* in `process_memory` */
    struct stanza_memory process_memory;
    struct buffer block; /* what was read */
    uint64_t now_ns;     /* wall clock of this round */

    struct followed **files; /* owned */
    size_t count, capacity;
    struct file_place *places; /* owned: files that were read before and are not followed now; the oldest first */
    size_t place_count;
    struct watch *watch;        /* NULL: there is none */
    struct file_order *order;   /* NULL: by path */
    struct file_header *header; /* NULL: none */
    bool first_scan, resumed;   /* resumed: there were places from another run */
    bool scan_wanted;
    int64_t next_scan_ns, next_look_ns, next_save_ns;

    struct file_inbox *inbox;
    struct file_chunk *first_chunk, *last_chunk;
    size_t bytes_under_way, chunks_under_way;
    bool failing, dirty; /* dirty: places moved since they were saved */
    char *store;         /* owned; file of places; NULL: none is kept */
    bool sync_store;

    atomic_bool stopping;
    int wake_fd;
    pthread_t thread;
    bool thread_started;
};

/* reader.c */
struct file_reader *file_reader_create(struct file_log *settings, struct error *err);
bool file_reader_start(struct file_reader *reader, struct error *err);
void file_reader_destroy(struct file_reader *reader); /* NULL is fine */

/* follow.c: which files there are */
void file_reader_scan(struct file_reader *reader);
void followed_destroy(struct followed *file);
/* Has it been cut off or written anew below what was read? Then reading begins where the settings say. False: it can't be looked at. */
bool followed_look(struct file_reader *reader, struct followed *file);
/* Files that are at their end and gone, with nothing under way, are let go; deleted where the settings say so. */
void file_reader_let_go(struct file_reader *reader);

/* attributes.c */
bool followed_describe(const struct file_reader *reader, struct followed *file);

/* identity.c */
struct file_print file_print_of(struct slice beginning);
/* The content, as it is when unpacked; bytes read, fewer at the end; -1: it can't be read. */
ssize_t followed_read(struct followed *file, uint64_t offset, void *out, size_t size);
struct file_print followed_print(struct followed *file, size_t size);
/* Does the file begin with what the print is of? */
bool followed_begins(struct followed *file, const struct file_print *print);
/* Do they tell, without a look at the files, that neither can be the beginning of the other? */
bool file_prints_differ(const struct file_print *a, const struct file_print *b);

/* unpack.c: gzip, read as a stream */
struct file_unpacker *file_unpacker_create(int fd);
void file_unpacker_destroy(struct file_unpacker *unpacker);
ssize_t file_unpacker_read(struct file_unpacker *unpacker, uint64_t offset, void *out, size_t size);

/* read.c: what is in them */
void file_reader_read(struct file_reader *reader);
bool file_reader_is_pressed(const struct file_reader *reader);
void file_reader_set_sink(struct file_reader *reader);

/* chunks.c: what becomes of it */
void file_reader_send(struct file_reader *reader);
void file_reader_collect(struct file_reader *reader);
void file_reader_try_again(struct file_reader *reader);

/* places.c: kept over restarts */
bool file_places_locate(struct file_reader *reader, struct error *err);
bool file_places_load(struct file_reader *reader, struct error *err);
void file_places_save(struct file_reader *reader);
void file_places_add(struct file_reader *reader, const struct file_place *place);

/* order.c: ordering_criteria */
struct file_order *file_order_create(const struct file_log *settings, struct error *err);
void file_order_destroy(struct file_order *order);
struct file_candidate {
    char *path; /* owned by the scan */
    dev_t device;
    ino_t inode;
    int64_t modified_ns;
};
/* Sorts, and leaves out those beyond top_n; returns how many there are. */
size_t file_order_apply(struct file_order *order, struct file_candidate *items, size_t count);

/* header.c: facts at the beginning of files */
struct file_header *file_header_create(const struct file_log *settings, struct error *err);
void file_header_destroy(struct file_header *header);
/* Reads them once they are whole; moves the file's offset behind them. */
void file_header_read(struct file_reader *reader, struct followed *file);

#endif
