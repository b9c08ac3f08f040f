/*
 * Messages out of a window that slides over the file. A line that is damaged costs itself, or the part before a message that begins in
 * its middle (an exporter that was killed, and appended later). A frame that is damaged costs what stands
 * before the next place where a length, and a message of that length that checks, are found.
 */
#include "collector/commands/telemetry_file.h"

#include <stdlib.h>

#include "collector/commands/telemetry_source.h"

enum { CHUNK_SIZE = 256 * 1024, LENGTH_SIZE = 4, BEGINNING = 16, RESTARTS_MAX = 100, DETECTED_SIZE = 64 * 1024 };

enum form { FORM_UNKNOWN, FORM_LINES, FORM_FRAMES };

struct telemetry_file {
    struct telemetry_source *source;
    struct telemetry_decoder decoder;
    enum form form;
    bool ended;  /* nothing more comes from the source */
    bool broken; /* because it failed, which is still to be said */
    bool pinned; /* what is before `at` is still wanted */
    struct error source_err;
    struct buffer window;
    size_t at;         /* of the window: where the next message begins */
    size_t scanned;    /* bytes behind `at` that hold no line break */
    uint64_t offset;   /* of `at` in the file */
    uint64_t line;     /* from 1 */
    unsigned restarts; /* within this line */
};

struct telemetry_file *telemetry_file_open(const char *path, const struct telemetry_file_settings *settings, struct error *err)
{
    struct telemetry_file *file = calloc(1, sizeof(*file));

    if (file == NULL)
        abort();
    file->decoder.signal_given = settings->signal_given;
    file->decoder.signal = settings->signal;
    file->decoder.limit = settings->message_max != 0 ? settings->message_max : TELEMETRY_MESSAGE_MAX;
    file->line = 1;
    file->source = telemetry_source_open(path, err);
    if (file->source != NULL)
        return file;
    free(file);
    return NULL;
}

void telemetry_file_close(struct telemetry_file *file)
{
    if (file == NULL)
        return;
    telemetry_source_close(file->source);
    telemetry_decoder_fini(&file->decoder);
    buffer_fini(&file->window);
    free(file);
}

/* ---- the window ---- */

static struct slice rest_of(const struct telemetry_file *file)
{
    return slice_of(file->window.data + file->at, file->window.size - file->at);
}

static void advance(struct telemetry_file *file, size_t size)
{
    file->at += size;
    file->offset += size;
    file->scanned = 0;
}

static void read_more(struct telemetry_file *file)
{
    ssize_t got;

    if (!file->pinned && file->at > 0 && file->at >= file->window.size / 2) { /* each byte is moved once at the most, on average */
        memmove(file->window.data, file->window.data + file->at, file->window.size - file->at);
        file->window.size -= file->at;
        file->at = 0;
    }
    if (!buffer_reserve(&file->window, CHUNK_SIZE)) {
        file->ended = file->broken = true;
        fail(&file->source_err, "out of memory");
        return;
    }
    got = telemetry_source_read(
        file->source, file->window.data + file->window.size, file->window.capacity - file->window.size, &file->source_err);
    if (got > 0)
        file->window.size += (size_t)got;
    else
        file->ended = true;
    file->broken = got < 0;
}

/* Whether there are so many bytes from `at` on. */
static bool have(struct telemetry_file *file, size_t size)
{
    while (file->window.size - file->at < size && !file->ended)
        read_more(file);
    return file->window.size - file->at >= size;
}

static enum telemetry_next fault(struct error *err, const struct telemetry_file *file, uint64_t offset)
{
    if (file->form == FORM_LINES)
        fail_within(err, "line %llu (byte %llu)", (unsigned long long)file->line, (unsigned long long)offset);
    else
        fail_within(err, "byte %llu", (unsigned long long)offset);
    return TELEMETRY_FAULT;
}

static enum telemetry_next end(struct telemetry_file *file, struct error *err)
{
    if (!file->broken)
        return TELEMETRY_END;
    file->broken = false;
    *err = file->source_err;
    return fault(err, file, file->offset);
}

/* ---- lines ---- */

/* Size of the line at `at`, its break included where it has one. False at the end, or when it is longer than may be. */
static bool find_line(struct telemetry_file *file, size_t *size, bool *whole)
{
    for (;;) {
        struct slice rest = rest_of(file);
        const uint8_t *found = rest.size > file->scanned ? memchr(rest.data + file->scanned, '\n', rest.size - file->scanned) : NULL;

        *whole = found != NULL;
        *size = found != NULL ? (size_t)(found - rest.data) + 1 : rest.size;
        if (found != NULL || *size > file->decoder.limit)
            return *size <= file->decoder.limit;
        file->scanned = rest.size;
        if (file->ended)
            return rest.size > 0;
        read_more(file);
    }
}

/* Passes over a line however long it is. */
static void drop_line(struct telemetry_file *file)
{
    for (;;) {
        struct slice rest = rest_of(file);
        const uint8_t *found = rest.size > 0 ? memchr(rest.data, '\n', rest.size) : NULL;

        advance(file, found != NULL ? (size_t)(found - rest.data) + 1 : rest.size);
        if (found != NULL || file->ended)
            return;
        read_more(file);
    }
}

/* Where in the bytes another message seems to begin; their size: nowhere. */
static size_t find_restart(struct slice bytes)
{
    static const struct slice beginnings[] = { SLICE_INIT("{\"resourceSpans\""), SLICE_INIT("{\"resourceMetrics\""),
        SLICE_INIT("{\"resourceLogs\""), SLICE_INIT("{\"resourceProfiles\"") };
    size_t nearest = bytes.size;

    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        const uint8_t *found = memmem(bytes.data, nearest, beginnings[i].data, beginnings[i].size);

        if (found != NULL)
            nearest = (size_t)(found - bytes.data);
    }
    return nearest;
}

static bool is_blank(struct slice line)
{
    while (line.size > 0 && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    return slice_trim(line).size == 0;
}

static void end_line(struct telemetry_file *file)
{
    file->line++;
    file->restarts = 0;
}

static enum telemetry_next drop_long_line(struct telemetry_file *file, struct error *err)
{
    enum telemetry_next result;

    fail(err, "longer than %zu MiB", file->decoder.limit >> 20);
    result = fault(err, file, file->offset);
    drop_line(file);
    end_line(file);
    return result;
}

/* The line did not check: passes over it, or over the part before another message in it. */
static enum telemetry_next drop_damage(struct telemetry_file *file, struct slice line, bool whole, struct error *err)
{
    size_t size = line.size;
    struct error what = *err;

    if (file->restarts < RESTARTS_MAX)
        size = 1 + find_restart(slice_of(line.data + 1, line.size - 1));
    if (size < line.size)
        fail(err, "%s; another message begins %zu bytes further on", what.message, size);
    else if (!whole)
        fail(err, "%s; it is the end of the file, whose last line is incomplete", what.message);
    fault(err, file, file->offset);
    advance(file, size);
    file->restarts++;
    if (size == line.size)
        end_line(file);
    return TELEMETRY_FAULT;
}

static enum telemetry_next next_line(struct telemetry_file *file, struct telemetry_message *message, struct error *err)
{
    struct slice line;
    bool whole;

    for (;;) {
        size_t size;

        if (!find_line(file, &size, &whole))
            return size == 0 ? end(file, err) : drop_long_line(file, err);
        line = slice_of(file->window.data + file->at, size);
        if (!is_blank(line))
            break;
        advance(file, size);
        end_line(file);
    }
    message->offset = file->offset;
    if (!telemetry_decode(&file->decoder, line, &message->request, err))
        return drop_damage(file, line, whole, err);
    message->signal = file->decoder.signal;
    advance(file, line.size);
    end_line(file);
    return TELEMETRY_MESSAGE;
}

/* ---- frames ---- */

static size_t length_at(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* Whether a length and the beginning of a message stand at `at`. */
static bool may_be_frame(struct telemetry_file *file)
{
    struct slice rest;
    size_t length;

    if (!have(file, LENGTH_SIZE + BEGINNING) && !have(file, LENGTH_SIZE + 2))
        return false;
    rest = rest_of(file);
    length = length_at(rest.data);
    return length <= file->decoder.limit && telemetry_may_begin(slice_of(rest.data + LENGTH_SIZE, rest.size - LENGTH_SIZE), length);
}

static bool is_frame(struct telemetry_file *file)
{
    struct slice request;
    size_t length;

    if (!may_be_frame(file))
        return false;
    length = length_at(rest_of(file).data);
    return have(file, LENGTH_SIZE + length) &&
           telemetry_decode(&file->decoder, slice_of(rest_of(file).data + LENGTH_SIZE, length), &request, &(struct error){ "" });
}

/* Goes to the next message that checks, or to the end. */
static enum telemetry_next drop_frame(struct telemetry_file *file, struct error *err)
{
    uint64_t begin = file->offset;
    struct error what = *err;

    do
        advance(file, 1);
    while (have(file, LENGTH_SIZE + 2) && !is_frame(file));
    if (!have(file, LENGTH_SIZE + 2))
        advance(file, rest_of(file).size);
    fail(err, "%s; %llu bytes are passed over", what.message, (unsigned long long)(file->offset - begin));
    return fault(err, file, begin);
}

static enum telemetry_next next_frame(struct telemetry_file *file, struct telemetry_message *message, struct error *err)
{
    size_t length;

    if (!have(file, 1))
        return end(file, err);
    if (!have(file, LENGTH_SIZE)) {
        fail(err, "the file ends within a length");
        return drop_frame(file, err);
    }
    length = length_at(rest_of(file).data);
    if (length == 0 || length > file->decoder.limit) {
        fail(err, "not the length of a message");
        return drop_frame(file, err);
    }
    if (!have(file, LENGTH_SIZE + length)) {
        fail(err, "incomplete: a message of %zu bytes, of which %zu are there", length, rest_of(file).size - LENGTH_SIZE);
        return drop_frame(file, err);
    }
    message->offset = file->offset;
    if (!telemetry_decode(&file->decoder, slice_of(rest_of(file).data + LENGTH_SIZE, length), &message->request, err))
        return drop_frame(file, err);
    message->signal = file->decoder.signal;
    advance(file, LENGTH_SIZE + length);
    return TELEMETRY_MESSAGE;
}

/* ---- any ---- */

static bool is_gzip(struct slice bytes)
{
    return bytes.size >= 2 && bytes.data[0] == 0x1f && bytes.data[1] == 0x8b;
}

/* Whether a whole frame that checks begins in the first bytes. */
static bool has_frame(struct telemetry_file *file, size_t within)
{
    struct telemetry_file begin = *file;
    bool found = false;

    file->pinned = true;
    for (size_t i = 0; i < within && !found; i++) {
        found = is_frame(file);
        advance(file, 1);
    }
    file->pinned = false;
    file->at = begin.at;
    file->offset = begin.offset;
    return found;
}

/* By the first bytes; when those are damaged, by what follows. */
static enum form detect(struct telemetry_file *file)
{
    struct slice rest;
    const uint8_t *found;

    if (may_be_frame(file))
        return FORM_FRAMES;
    have(file, DETECTED_SIZE);
    rest = rest_of(file);
    found = rest.size > 0 ? memchr(rest.data, '{', rest.size) : NULL;
    if (found != NULL && is_blank(slice_of(rest.data, (size_t)(found - rest.data))))
        return FORM_LINES;
    rest.size = rest.size < DETECTED_SIZE ? rest.size : DETECTED_SIZE;
    if (has_frame(file, rest.size))
        return FORM_FRAMES;
    rest = rest_of(file);
    return rest.size > 0 && (find_restart(rest) < rest.size || *rest.data >= ' ') ? FORM_LINES : FORM_FRAMES;
}

enum telemetry_next telemetry_file_next(struct telemetry_file *file, struct telemetry_message *message, struct error *err)
{
    if (file->form == FORM_UNKNOWN) {
        file->form = detect(file);
        if (is_gzip(rest_of(file))) {
            file->at = file->window.size;
            file->ended = true;
            fail(err, "gzip; unpack it first, as in: zcat FILE | weir cat -");
            return TELEMETRY_FAULT;
        }
    }
    return file->form == FORM_LINES ? next_line(file, message, err) : next_frame(file, message, err);
}
