/*
 * Which files there are, and which of them is which. Every file that is followed is kept open, so that neither a new name nor its removal takes
 * away what was not read yet, and so that its inode can't be another's. A new file is, in this order: one that was read before, by its beginning and
 * where it was kept; the copy of one that is followed (copytruncate), which is left alone until the other is cut off, and then goes on where
 * that one was; or new.
 * Cost: one stat a path for each scan.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "receivers/file_log/file_log.h"
#include "receivers/file_log/glob.h"

enum { NAMES_MAX = 2000000, FILES_MAX = 200000, TAIL = 1024 };
static const int64_t gone_ns = 30 * NANOS_PER_SECOND;

/* ---- candidates ---- */

struct scan {
    struct file_reader *reader;
    struct file_candidate *items;
    size_t count, capacity;
    struct followed **by_inode; /* owned; those that were known before */
    size_t known;
};

static bool is_excluded(const struct file_log *settings, const char *path, const struct stat *status)
{
    for (size_t i = 0; i < settings->exclude.count; i++) {
        if (glob_fits(settings->exclude.items[i], path))
            return true;
    }
    return settings->exclude_older_than_ns > 0 &&
           (int64_t)clock_wall_nanos() - (int64_t)status->st_mtim.tv_sec * NANOS_PER_SECOND > settings->exclude_older_than_ns;
}

static void found_file(void *context, const char *path)
{
    struct scan *scan = context;
    struct file_candidate *larger;
    struct stat status;

    if (scan->count == FILES_MAX || stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
        is_excluded(scan->reader->settings, path, &status))
        return;
    if (scan->count == scan->capacity) {
        larger = realloc(scan->items, (scan->capacity * 2 + 64) * sizeof(*larger));
        if (larger == NULL)
            return;
        scan->items = larger;
        scan->capacity = scan->capacity * 2 + 64;
    }
    larger = &scan->items[scan->count];
    *larger = (struct file_candidate){ strdup(path), status.st_dev, status.st_ino,
        (int64_t)status.st_mtim.tv_sec * NANOS_PER_SECOND + status.st_mtim.tv_nsec };
    scan->count += larger->path != NULL;
}

static void found_folder(void *context, const char *path)
{
    struct scan *scan = context;

    if (scan->reader->watch != NULL)
        watch_folder(scan->reader->watch, path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file_candidate *)a)->path, ((const struct file_candidate *)b)->path);
}

static void gather(struct scan *scan)
{
    struct file_reader *reader = scan->reader;
    struct glob_walk walk = { found_file, found_folder, scan, NAMES_MAX };

    if (reader->watch != NULL)
        watch_begin(reader->watch);
    for (size_t i = 0; i < reader->settings->include.count; i++)
        glob_walk(&walk, reader->settings->include.items[i]);
    if (reader->watch != NULL)
        watch_end(reader->watch);
    if (scan->count > 1)
        qsort(scan->items, scan->count, sizeof(*scan->items), by_path);
    if (reader->order != NULL)
        scan->count = file_order_apply(reader->order, scan->items, scan->count);
}

/* ---- followed files ---- */

void followed_destroy(struct followed *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file_unpacker_destroy(file->unpacker);
    buffer_fini(&file->wire);
    stanza_memory_fini(&file->memory);
    free(file->path);
    free(file);
}

static int by_inode(const void *a, const void *b)
{
    const struct followed *left = *(struct followed *const *)a, *right = *(struct followed *const *)b;

    if (left->inode != right->inode)
        return left->inode < right->inode ? -1 : 1;
    return (left->device > right->device) - (left->device < right->device);
}

/* known: those from before the scan, sorted; the others stand behind them in the list. */
static struct followed *find_inode(const struct scan *scan, const struct file_candidate *candidate)
{
    struct followed key = { .inode = candidate->inode, .device = candidate->device }, *wanted = &key;
    struct followed *const *found = scan->known > 0 ? bsearch(&wanted, scan->by_inode, scan->known, sizeof(wanted), by_inode) : NULL;

    if (found != NULL)
        return *found;
    for (size_t i = scan->known; i < scan->reader->count; i++) {
        struct followed *file = scan->reader->files[i];
        if (file->inode == candidate->inode && file->device == candidate->device)
            return file;
    }
    return NULL;
}

static bool is_gzip(const struct file_reader *reader, const char *path)
{
    size_t size = strlen(path);

    return reader->settings->compression == FILE_GZIP ||
           (reader->settings->compression == FILE_AUTO && size > 3 && strcmp(path + size - 3, ".gz") == 0);
}

static bool is_polled(const struct file_reader *reader, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct stat status;

    if (reader->watch == NULL || lstat(path, &status) != 0 || S_ISLNK(status.st_mode))
        return true;
    return slash == NULL ? !watch_has(reader->watch, ".", 1) : !watch_has(reader->watch, path, slash > path ? (size_t)(slash - path) : 1);
}

static bool rename_followed(struct file_reader *reader, struct followed *file, const char *path)
{
    char *copy = strdup(path);

    if (copy == NULL)
        return false;
    free(file->path);
    file->path = copy;
    file->polled = is_polled(reader, path);
    return followed_describe(reader, file);
}

static bool add_followed(struct file_reader *reader, struct followed *file)
{
    struct followed **larger;

    if (reader->count == reader->capacity) {
        larger = realloc(reader->files, (reader->capacity * 2 + 64) * sizeof(struct followed *));
        if (larger == NULL)
            return false;
        reader->files = larger;
        reader->capacity = reader->capacity * 2 + 64;
    }
    reader->files[reader->count++] = file;
    return true;
}

/* Opened, with its beginning; NULL when it can't be. */
static struct followed *open_followed(struct file_reader *reader, const struct file_candidate *candidate)
{
    struct followed *file = calloc(1, sizeof(*file));
    struct stat status;

    if (file == NULL)
        return NULL;
    file->fd = open(candidate->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        if (errno != ENOENT)
            log_warn(reader->path, "could not open \"%s\": %s", candidate->path, strerror(errno));
        followed_destroy(file);
        return NULL;
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->size = (uint64_t)status.st_size;
    file->changed_ns = clock_monotonic_nanos();
    file->ready = file->seen = file->fresh = true;
    if (is_gzip(reader, candidate->path))
        file->unpacker = file_unpacker_create(file->fd);
    file->print = followed_print(file, (size_t)reader->settings->fingerprint_size);
    if (!rename_followed(reader, file, candidate->path) || !add_followed(reader, file)) {
        followed_destroy(file);
        return NULL;
    }
    return file;
}

/* ---- which one is it ---- */

static void go_on_at(struct followed *file, uint64_t offset, uint64_t records)
{
    file->offset = file->sent = file->durable = offset;
    file->records = file->sent_records = file->durable_records = records;
    file->fresh = false;
}

/* A place of a file that was read before; with `same_inode` only its own. */
static bool take_place(struct file_reader *reader, struct followed *file, bool same_inode)
{
    for (size_t i = reader->place_count; i-- > 0;) {
        struct file_place place = reader->places[i];
        if ((same_inode && (place.inode != file->inode || place.device != file->device)) || place.print.size == 0 ||
            place.print.size > file->print.size || file_prints_differ(&place.print, &file->print) ||
            (file->unpacker == NULL && place.offset > file->size) || !followed_begins(file, &place.print))
            continue;
        go_on_at(file, place.offset, place.records);
        file->durable = place.durable;
        file->touched = place.durable < place.offset;
        memmove(&reader->places[i], &reader->places[i + 1], (reader->place_count - i - 1) * sizeof(place));
        reader->place_count--;
        reader->dirty = true;
        return true;
    }
    return false;
}

/* Do both hold the same before that offset? By the last bytes of it. */
static bool same_tail(struct followed *a, struct followed *b, uint64_t offset)
{
    uint64_t start = offset > TAIL ? offset - TAIL : 0;
    uint8_t left[TAIL], right[TAIL];
    size_t size = (size_t)(offset - start);

    if (a->unpacker != NULL || b->unpacker != NULL)
        return true; /* looking back would unpack all of it again */
    return followed_read(a, start, left, size) == (ssize_t)size && followed_read(b, start, right, size) == (ssize_t)size &&
           memcmp(left, right, size) == 0;
}

static bool is_copy(struct followed *file, struct followed *of)
{
    uint64_t shorter = file->size < of->size ? file->size : of->size;

    if (of == file || of->print.size == 0 || of->copy_of != NULL || of->fresh || file_prints_differ(&file->print, &of->print))
        return false;
    if (of->print.size <= file->print.size ? !followed_begins(file, &of->print) : !followed_begins(of, &file->print))
        return false;
    return file->unpacker != NULL || of->unpacker != NULL || same_tail(file, of, shorter);
}

/* Takes over where the other one was, which is read no more. */
static void succeed(struct followed *file, struct followed *other)
{
    go_on_at(file, other->offset, other->records);
    file->durable = other->durable;
    file->durable_records = other->durable_records;
    file->copy_of = NULL;
    file->ready = file->touched = true; /* touched: its place moves on when what is under way of the other is settled */
}

static bool begin_anew_if_cut(struct file_reader *reader, struct followed *file);

static void match_copy(struct file_reader *reader, struct followed *file)
{
    for (size_t i = 0; file->print.size > 0 && i < reader->count; i++) {
        struct followed *other = reader->files[i];
        /* what was cut off since it was copied has left its place, which the copy takes then */
        if (other != file && other->print.size > 0 && other->copy_of == NULL && !file_prints_differ(&file->print, &other->print) &&
            begin_anew_if_cut(reader, other))
            continue;
        if (!is_copy(file, other))
            continue;
        if (other->gone && other->size <= file->size) {
            succeed(file, other);
            other->offset = other->size; /* the rest is read here */
        } else {
            file->copy_of = other;
            file->fresh = false;
        }
        return;
    }
}

/* Which one it is, once there is something in it; before, it could yet become a copy. */
static void decide(struct file_reader *reader, struct followed *file)
{
    struct stat status;

    match_copy(reader, file);
    if (file->fresh && fstat(file->fd, &status) == 0) { /* a copy is whole by now, when what it is of was cut off */
        file->size = (uint64_t)status.st_size;
        file->print = followed_print(file, (size_t)reader->settings->fingerprint_size);
        take_place(reader, file, false);
    }
    file->fresh = false;
}

/* In two passes, so that a copy never takes a place before the file that it is of. */
static void identify(struct file_reader *reader, size_t first)
{
    bool at_end = reader->first_scan && !reader->resumed && reader->settings->start_at == FILE_FROM_END;

    for (size_t i = first; i < reader->count; i++)
        take_place(reader, reader->files[i], true);
    for (size_t i = first; i < reader->count; i++) {
        struct followed *file = reader->files[i];
        bool fresh = file->fresh && file->print.size > 0;
        if (fresh)
            decide(reader, file);
        if (fresh && at_end && file->unpacker == NULL && file->copy_of == NULL && file->offset == 0)
            go_on_at(file, file->size, 0);
    }
}

static void meet(struct scan *scan, const struct file_candidate *candidate)
{
    struct followed *file = find_inode(scan, candidate);
    struct file_reader *reader = scan->reader;

    if (file == NULL) {
        open_followed(reader, candidate);
        return;
    }
    if (file->seen)
        return; /* another name of the same file */
    file->seen = true;
    file->gone = false;
    if (strcmp(file->path, candidate->path) != 0 && rename_followed(reader, file, candidate->path))
        file->ready = true; /* what was written under the old name was told of the name's new file */
}

void file_reader_scan(struct file_reader *reader)
{
    struct scan scan = { .reader = reader, .known = reader->count };

    scan.by_inode = malloc((scan.known + 1) * sizeof(struct followed *));
    if (scan.by_inode == NULL)
        return;
    if (scan.known > 0)
        memcpy(scan.by_inode, reader->files, scan.known * sizeof(struct followed *));
    qsort(scan.by_inode, scan.known, sizeof(struct followed *), by_inode);
    for (size_t i = 0; i < reader->count; i++)
        reader->files[i]->seen = false;
    gather(&scan);
    for (size_t i = 0; i < scan.count; i++)
        meet(&scan, &scan.items[i]);
    for (size_t i = 0; i < scan.known; i++) {
        if (reader->files[i]->seen)
            continue;
        reader->files[i]->ready = reader->files[i]->ready || !reader->files[i]->gone;
        reader->files[i]->gone = true;
    }
    identify(reader, scan.known);
    for (size_t i = 0; i < scan.count; i++)
        free(scan.items[i].path);
    free(scan.items);
    free(scan.by_inode);
    reader->first_scan = false;
}

/* ---- cut off, or written anew ---- */

static void adopt_copies(struct file_reader *reader, struct followed *file)
{
    bool taken = false;

    for (size_t i = 0; i < reader->count; i++) {
        struct followed *copy = reader->files[i];
        if (copy->copy_of != file)
            continue;
        if (!taken)
            succeed(copy, file);
        else
            go_on_at(copy, copy->size, 0); /* one copy is enough */
        copy->copy_of = NULL;
        taken = true;
    }
    if (!taken && file->print.size > 0)
        file_places_add(reader, &(struct file_place){ file->print, 0, 0, file->offset, file->records, file->durable });
}

static void begin_anew(struct file_reader *reader, struct followed *file, uint64_t size)
{
    adopt_copies(reader, file);
    file->size = size;
    file->skipping = false;
    file->print = followed_print(file, (size_t)reader->settings->fingerprint_size);
    go_on_at(file, 0, 0);
    file->generation++;
    reader->dirty = true;
    file->header_done = false;
}

static bool begin_anew_if_cut(struct file_reader *reader, struct followed *file)
{
    struct stat status;

    if (file->unpacker != NULL || fstat(file->fd, &status) != 0 ||
        ((uint64_t)status.st_size >= file->print.size && followed_begins(file, &file->print)))
        return false;
    begin_anew(reader, file, (uint64_t)status.st_size);
    file->ready = true;
    return true;
}

/* Part of what was read is there still. */
static void cut_in_place(struct file_reader *reader, struct followed *file, uint64_t size)
{
    if (reader->settings->on_truncate == FILE_TRUNCATE_READ_WHOLE)
        begin_anew(reader, file, size);
    else if (reader->settings->on_truncate == FILE_TRUNCATE_READ_NEW)
        file->offset = size;
    file->touched = true;
}

static void refresh_print(struct file_reader *reader, struct followed *file, uint64_t size)
{
    if (file->print.size < (size_t)reader->settings->fingerprint_size && (size > file->print.size || file->unpacker != NULL))
        file->print = followed_print(file, (size_t)reader->settings->fingerprint_size);
}

/* A copy that has become another file is read from its beginning. */
static void look_at_copy(struct file_reader *reader, struct followed *file, uint64_t size)
{
    struct stat status;

    if (fstat(file->copy_of->fd, &status) == 0)
        file->copy_of->size = (uint64_t)status.st_size;
    if (size == file->size && (uint64_t)file->copy_of->size >= file->copy_of->offset)
        return;
    file->size = size;
    if (begin_anew_if_cut(reader, file->copy_of))
        return; /* and this copy has taken its place */
    if (file->copy_of->size >= file->copy_of->offset && !is_copy(file, file->copy_of)) {
        file->copy_of = NULL;
        go_on_at(file, 0, 0);
    }
}

bool followed_look(struct file_reader *reader, struct followed *file)
{
    struct stat status;
    int64_t modified_ns;
    uint64_t size;
    bool changed;

    if (fstat(file->fd, &status) != 0)
        return false;
    size = (uint64_t)status.st_size;
    modified_ns = (int64_t)status.st_mtim.tv_sec * NANOS_PER_SECOND + status.st_mtim.tv_nsec;
    changed = size != file->size || modified_ns != file->modified_ns || file->fresh;
    file->modified_ns = modified_ns;
    if (size != file->size)
        file->changed_ns = clock_monotonic_nanos();
    if (file->copy_of != NULL) {
        look_at_copy(reader, file, size);
        return file->copy_of == NULL;
    }
    if (!changed)
        return true;
    if (file->unpacker == NULL && file->print.size > 0 && (size < file->print.size || !followed_begins(file, &file->print)))
        begin_anew(reader, file, size);
    else if (file->unpacker == NULL && size < file->offset)
        cut_in_place(reader, file, size);
    file->size = size;
    refresh_print(reader, file, size);
    if (file->fresh && file->print.size > 0)
        decide(reader, file);
    return file->copy_of == NULL && !file->fresh;
}

/* ---- the end ---- */

static bool is_over(const struct file_reader *reader, const struct followed *file, int64_t now_ns)
{
    struct stat status;
    bool deleted = file->gone && fstat(file->fd, &status) == 0 && status.st_nlink == 0;
    int64_t quiet_ns = deleted ? reader->settings->force_flush_ns + 100 * NANOS_PER_MILLI : gone_ns;

    return file->gone && file->at_end && !file->ready && now_ns - file->changed_ns > quiet_ns;
}

static bool is_copied(const struct file_reader *reader, const struct followed *file)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (reader->files[i]->copy_of == file)
            return true;
    }
    return false;
}

void file_reader_let_go(struct file_reader *reader)
{
    int64_t now_ns = clock_monotonic_nanos();

    for (size_t i = 0; i < reader->count;) {
        struct followed *file = reader->files[i];
        bool done = reader->settings->delete_after_read && file->at_end && !file->touched && file->durable >= file->offset &&
                    file->offset > 0 && !file->gone;
        if (done && file->marks == 0 && unlink(file->path) == 0)
            file->gone = true;
        if (file->marks > 0 || file->touched || !is_over(reader, file, now_ns) || is_copied(reader, file)) {
            i++;
            continue;
        }
        if (file->print.size > 0 && file->copy_of == NULL)
            file_places_add(reader,
                &(struct file_place){ file->print, file->device, file->inode, file->durable, file->durable_records, file->durable });
        followed_destroy(file);
        memmove(&reader->files[i], &reader->files[i + 1], (reader->count - i - 1) * sizeof(struct followed *));
        reader->count--;
    }
}
