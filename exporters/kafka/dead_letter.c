/*
 * Dead letters: appended with one write each, and the end of the file put back when a write was cut short, so that every line is whole.
 * Cost: one fdatasync a record; these are rare, or something is very wrong.
 */
#include "exporters/kafka/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"

void kafka_dead_letters_init(struct kafka_dead_letters *letters)
{
    letters->file = -1;
    pthread_mutex_init(&letters->lock, NULL);
}

bool kafka_dead_letters_open(struct kafka_dead_letters *letters, struct error *err)
{
    if (letters->path == NULL || *letters->path == '\0')
        return true;
    letters->file = open(letters->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    return letters->file >= 0 || fail(err, "dead_letter.path: could not open \"%s\": %s", letters->path, strerror(errno));
}

static void put_text(struct buffer *line, const char *key, struct slice text)
{
    buffer_printf(line, ",\"%s\":", key);
    json_write_string(text, line);
}

static void put_letter(struct buffer *line, const struct kafka_dead_letter *letter)
{
    const struct kafka_message *message = letter->message;
    char time[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_wall_nanos(), time);
    buffer_clear(line);
    buffer_printf(line, "{\"time\":\"%s\"", time);
    put_text(line, "exporter", slice_of_string(letter->exporter));
    put_text(line, "reason", slice_of_string(letter->reason));
    put_text(line, "detail", slice_of_string(letter->detail));
    put_text(line, "topic", letter->topic);
    if (message->key.data != NULL)
        put_text(line, "key", message->key);
    buffer_printf(line, ",\"signal\":\"%s\",\"records\":%zu,", signal_name(letter->signal), message->records);
    if (message->wire.size > 0) {
        buffer_append_string(line, "\"request\":");
        json_write_request(letter->signal, message->wire, line);
    } else {
        buffer_append_string(line, "\"value_base64\":\"");
        encoding_write_base64(message->value, line);
        buffer_append_string(line, "\"");
    }
    buffer_append_string(line, "}\n");
}

static enum kafka_burial write_line_locked(struct kafka_dead_letters *letters, struct error *err)
{
    struct buffer *line = &letters->line;
    struct stat before;
    ssize_t written;

    if (fstat(letters->file, &before) != 0) {
        fail(err, "could not look at \"%s\": %s", letters->path, strerror(errno));
        return KAFKA_BURIAL_FAILED;
    }
    if (before.st_size + (int64_t)line->size > letters->max_bytes) {
        fail(err, "\"%s\" is full", letters->path);
        return KAFKA_NO_GRAVE;
    }
    errno = 0;
    written = write(letters->file, line->data, line->size);
    if (written == (ssize_t)line->size && fdatasync(letters->file) == 0)
        return KAFKA_BURIED;
    fail(err, "could not write to \"%s\": %s", letters->path, errno != 0 ? strerror(errno) : "it was cut short");
    if (ftruncate(letters->file, before.st_size) != 0)
        fail_within(err, "and could not cut it off again");
    return KAFKA_BURIAL_FAILED;
}

enum kafka_burial kafka_dead_letters_write(struct kafka_dead_letters *letters, const struct kafka_dead_letter *letter, struct error *err)
{
    enum kafka_burial burial = KAFKA_BURIAL_FAILED;

    if (letters->file < 0) {
        fail(err, "no dead_letter.path is set");
        return KAFKA_NO_GRAVE;
    }
    pthread_mutex_lock(&letters->lock);
    put_letter(&letters->line, letter);
    if (letters->line.failed)
        fail(err, "out of memory");
    else
        burial = write_line_locked(letters, err);
    buffer_fini(&letters->line); /* a large one is rare, and not kept */
    pthread_mutex_unlock(&letters->lock);
    return burial;
}

void kafka_dead_letters_fini(struct kafka_dead_letters *letters)
{
    if (letters->file >= 0)
        close(letters->file);
    letters->file = -1;
    pthread_mutex_destroy(&letters->lock);
}
