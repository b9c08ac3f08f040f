/*
 * Dead letters: appended with as few writes as the kernel allows, synced, and the end of the file put back when that fails, so that
 * every line is whole. Cost: one fdatasync for all that one answer refused.
 */
#include "exporters/elasticsearch/dead_letters.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/wire/json.h"

static const char letter_lead[] = "{\"time\":";

struct elastic_dead_letters {
    char *path; /* owned */
    int64_t max_bytes;
    pthread_mutex_t lock;
    int file;
};

/* ---- opening ---- */

/* Where the last line that has no line break begins; the file's end when there is none such. -1 with errno. */
static off_t find_torn_line(int file, off_t end)
{
    char block[4096];

    for (off_t at = end; at > 0;) {
        size_t size = at < (off_t)sizeof(block) ? (size_t)at : sizeof(block);
        const char *found;

        at -= (off_t)size;
        if (pread(file, block, size, at) != (ssize_t)size)
            return -1;
        found = memrchr(block, '\n', size);
        if (found != NULL)
            return at + (found - block) + 1;
    }
    return 0;
}

/*
 * A process that was killed within a write leaves a part of a letter. Its document never counted as dealt with, so that it can go. What is at the
 * end of a file that somebody else wrote stays.
 */
static bool cut_torn_line(int file)
{
    char start[sizeof(letter_lead)] = "";
    struct stat status;
    off_t torn;

    if (fstat(file, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return true;
    torn = find_torn_line(file, status.st_size);
    if (torn < 0 || pread(file, start, sizeof(start) - 1, torn) < 0)
        return false;
    if (torn == status.st_size)
        return true;
    return memcmp(start, letter_lead, sizeof(letter_lead) - 1) == 0 ? ftruncate(file, torn) == 0 : write(file, "\n", 1) == 1;
}

struct elastic_dead_letters *elastic_dead_letters_open(const char *path, int64_t max_bytes, struct error *err)
{
    struct elastic_dead_letters *letters = calloc(1, sizeof(*letters));

    if (letters == NULL)
        abort();
    letters->path = slice_dup_string(slice_of_string(path));
    letters->max_bytes = max_bytes;
    pthread_mutex_init(&letters->lock, NULL);
    letters->file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (letters->file >= 0 && cut_torn_line(letters->file))
        return letters;
    fail(err, "dead_letter.path: could not open \"%s\": %s", path, strerror(errno));
    elastic_dead_letters_close(letters);
    return NULL;
}

void elastic_dead_letters_close(struct elastic_dead_letters *letters)
{
    if (letters == NULL)
        return;
    if (letters->file >= 0)
        close(letters->file);
    pthread_mutex_destroy(&letters->lock);
    free(letters->path);
    free(letters);
}

/* ---- lines ---- */

/* The raw text of the index's name: action lines begin with it. */
static struct slice index_of(struct slice action)
{
    static const char lead[] = "{\"create\":{\"_index\":";
    struct json_text text = { action.data + sizeof(lead) - 1, action.data + action.size, NULL };
    struct json_string string;

    return json_scan_string(&text, &string) ? string.raw : SLICE("");
}

static void write_raw(const char *key, struct slice json, struct buffer *out)
{
    buffer_append_string(out, key);
    buffer_append_slice(out, json);
}

/* A server may lay out its JSON in lines; line breaks are never within a string. */
static void write_in_one_line(const char *key, struct slice json, struct buffer *out)
{
    size_t start;

    buffer_append_string(out, key);
    start = out->size;
    buffer_append_slice(out, json);
    for (size_t i = start; i < out->size; i++)
        if (out->data[i] == '\n' || out->data[i] == '\r')
            out->data[i] = ' ';
}

void elastic_letter_write(const struct elastic_letter *letter, struct buffer *out)
{
    struct slice action = elastic_bulk_action(letter->bulk, letter->item);
    char time[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_wall_nanos(), time);
    buffer_printf(out, "%s\"%s\",\"exporter\":", letter_lead, time);
    json_write_string(slice_of_string(letter->exporter), out);
    write_raw(",\"index\":\"", index_of(action), out);
    buffer_printf(out, "\",\"status\":%d", letter->status);
    write_in_one_line(",\"error\":", letter->error.json.size > 0 ? letter->error.json : SLICE("null"), out);
    write_raw(",\"action\":", action, out);
    write_raw(",\"document\":", elastic_bulk_document(letter->bulk, letter->item), out);
    ELASTIC_PUT(out, "}\n");
}

/* ---- the file ---- */

static bool write_all(int file, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(file, bytes.data, bytes.size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes = slice_of(bytes.data + written, bytes.size - (size_t)written);
    }
    return fdatasync(file) == 0;
}

static enum elastic_burial write_locked(const struct elastic_dead_letters *letters, struct slice lines, struct error *err)
{
    struct stat before;

    if (fstat(letters->file, &before) != 0) {
        fail(err, "could not look at \"%s\": %s", letters->path, strerror(errno));
        return ELASTIC_BURIAL_FAILED;
    }
    if ((int64_t)before.st_size + (int64_t)lines.size > letters->max_bytes) {
        fail(err, "\"%s\" is full: it would grow beyond dead_letter.max_size_mib", letters->path);
        return ELASTIC_NO_GRAVE;
    }
    if (write_all(letters->file, lines))
        return ELASTIC_BURIED;
    fail(err, "could not write to \"%s\": %s", letters->path, strerror(errno));
    if (ftruncate(letters->file, before.st_size) != 0)
        fail_within(err, "and could not cut it off again");
    return ELASTIC_BURIAL_FAILED;
}

enum elastic_burial elastic_dead_letters_write(struct elastic_dead_letters *letters, struct slice lines, struct error *err)
{
    enum elastic_burial burial;

    pthread_mutex_lock(&letters->lock);
    burial = write_locked(letters, lines, err);
    pthread_mutex_unlock(&letters->lock);
    return burial;
}
