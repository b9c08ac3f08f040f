/*
 * Places over restarts: one small file, written anew beside the old one and put in its place, so that it is whole whenever the process ends.
 * A line for each file: its beginning's size and hashes, device, inode, offset, records.
 * Limits: PLACES_MAX files that are not there any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/log.h"
#include "collector/storage_access.h"
#include "receivers/file_log/file_log.h"

enum { PLACES_MAX = 4096 };
static const char heading[] = "weir file places 1\n";

void file_places_add(struct file_reader *reader, const struct file_place *place)
{
    struct file_place *larger;

    if (reader->place_count == PLACES_MAX) {
        memmove(reader->places, reader->places + 1, (PLACES_MAX - 1) * sizeof(*place));
        reader->place_count--;
    }
    larger = realloc(reader->places, (reader->place_count + 1) * sizeof(*larger));
    if (larger == NULL)
        return;
    reader->places = larger;
    larger[reader->place_count++] = *place;
    reader->dirty = true;
}

/* ---- where ---- */

bool file_places_locate(struct file_reader *reader, struct error *err)
{
    struct component *self = &reader->settings->base, *extension;
    struct storage_place place = { 0 };
    struct buffer client = { 0 };
    bool located;

    if (reader->settings->storage == NULL)
        return true;
    extension = component_find_extension(self, reader->settings->storage, err);
    if (extension == NULL)
        return fail_within(err, "storage");
    if (extension->type->storage == NULL)
        return fail(err, "storage: extension \"%s\" stores nothing; name a file_storage", reader->settings->storage);
    buffer_printf(&client, "receiver_%s", self->id);
    for (size_t i = 0; i < client.size; i++) {
        if (strchr("/\\ ", client.data[i]) != NULL)
            client.data[i] = '_';
    }
    located = extension->type->storage->locate(extension, buffer_string(&client), &place, err);
    if (located) {
        buffer_append_string(&place.path, "/places");
        reader->store = strdup(buffer_string(&place.path));
        reader->sync_store = place.journal.sync;
    }
    buffer_fini(&client);
    buffer_fini(&place.path);
    return located || fail_within(err, "storage");
}

/* ---- read ---- */

static bool read_line(const char *line, struct file_place *place)
{
    uint64_t device, inode;
    uint32_t version;

    if (sscanf(line, "%" SCNu32 " %" SCNu32 " %" SCNx64 " %" SCNx32 " %" SCNx32 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &version,
            &place->print.size, &place->print.hash, &place->print.check, &place->print.head, &device, &inode, &place->offset,
            &place->records) != 9 ||
        version != 1)
        return false;
    place->device = (dev_t)device;
    place->inode = (ino_t)inode;
    place->durable = place->offset;
    return true;
}

bool file_places_load(struct file_reader *reader, struct error *err)
{
    FILE *file = reader->store != NULL ? fopen(reader->store, "re") : NULL;
    struct file_place place;
    char line[256];

    if (file == NULL)
        return reader->store == NULL || errno == ENOENT || fail(err, "storage: could not read \"%s\": %s", reader->store, strerror(errno));
    reader->resumed = fgets(line, sizeof(line), file) != NULL && strcmp(line, heading) == 0;
    if (!reader->resumed)
        log_warn(reader->path, "\"%s\" is not a file of places: files are read as if for the first time", reader->store);
    while (reader->resumed && fgets(line, sizeof(line), file) != NULL) {
        if (read_line(line, &place))
            file_places_add(reader, &place);
    }
    fclose(file);
    return true;
}

/* ---- written ---- */

static void put_place(struct buffer *out, const struct file_place *place)
{
    buffer_printf(out, "1 %" PRIu32 " %" PRIx64 " %" PRIx32 " %" PRIx32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
        place->print.size, place->print.hash, place->print.check, place->print.head, (uint64_t)place->device, (uint64_t)place->inode,
        place->durable, place->records);
}

static bool write_all(int fd, struct slice text)
{
    while (text.size > 0) {
        ssize_t written = write(fd, text.data, text.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text = slice_of(text.data + written, text.size - (size_t)written);
    }
    return true;
}

static bool replace(const struct file_reader *reader, struct slice text)
{
    struct buffer beside = { 0 };
    bool done = false;
    int fd;

    buffer_printf(&beside, "%s.new", reader->store);
    fd = open(buffer_string(&beside), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        done = write_all(fd, text) && (!reader->sync_store || fsync(fd) == 0);
        done = close(fd) == 0 && done && rename(buffer_string(&beside), reader->store) == 0;
    }
    buffer_fini(&beside);
    return done;
}

void file_places_save(struct file_reader *reader)
{
    struct buffer text = { 0 };

    if (reader->store == NULL || !reader->dirty)
        return;
    buffer_append_string(&text, heading);
    for (size_t i = 0; i < reader->place_count; i++)
        put_place(&text, &reader->places[i]);
    for (size_t i = 0; i < reader->count; i++) {
        const struct followed *file = reader->files[i];
        const struct file_place place = { file->print, file->device, file->inode, file->durable, file->durable_records, file->durable };
        if (file->print.size > 0 && file->copy_of == NULL)
            put_place(&text, &place);
    }
    if (!text.failed && replace(reader, buffer_slice(&text)))
        reader->dirty = false;
    else
        log_error(reader->path, "could not write \"%s\": %s; after a restart records come again", reader->store, strerror(errno));
    buffer_fini(&text);
}
