/*
 * Reading: whole blocks of each file that is ready, in turn, and their records to the writer: straight, when there are no operators.
 * Nothing of a file is kept in memory between two rounds; a record that is not whole yet is read again when it is.
 * Cost: one copy from the page cache, one into the batch. Limits: a block is as large as the longest record may be, UNDER_WAY_MAX bytes and
 * CHUNKS_MAX chunks are under way: beyond that, files wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/wire/utf8.h"
#include "receivers/file_log/file_log.h"

enum { BLOCK = 128 << 10, CHUNK = 256 << 10, UNDER_WAY_MAX = 4 << 20, CHUNKS_MAX = 64, TURN = 2 << 20 };

bool file_reader_is_pressed(const struct file_reader *reader)
{
    return reader->bytes_under_way >= UNDER_WAY_MAX || reader->chunks_under_way >= CHUNKS_MAX || reader->writer.out.size >= 2 * CHUNK ||
           !component_admit(&reader->settings->base, CHUNK);
}

/* ---- records ---- */

struct source {
    struct file_reader *reader;
    struct followed *file;
    bool valid; /* the block is known to be UTF-8 */
    struct buffer wire;
};

static void put_number(struct buffer *out, const char *key, uint64_t value)
{
    struct stanza_member member = { slice_of_string(key), stanza_int((int64_t)value) };
    const struct stanza_map map = { &member, 1, 1 };

    stanza_put_attributes(out, 6, &map);
}

static void add_plain(struct source *source, struct slice text, bool bytes, uint64_t origin)
{
    struct file_reader *reader = source->reader;
    const struct file_attributes *with = &reader->settings->with;
    struct stanza_plain plain = { text, bytes, buffer_slice(&source->file->wire), buffer_slice(&reader->resource_wire), reader->now_ns };

    if (with->record_number || with->record_offset) {
        buffer_clear(&source->wire);
        buffer_append_slice(&source->wire, plain.attributes);
        if (with->record_number)
            put_number(&source->wire, "log.file.record_number", source->file->records);
        if (with->record_offset)
            put_number(&source->wire, "log.file.record_offset", origin);
        plain.attributes = buffer_slice(&source->wire);
    }
    stanza_writer_add_plain(&reader->writer, &plain);
}

static bool add_facts(struct source *source, struct stanza_record *record, uint64_t origin)
{
    const struct file_attributes *with = &source->reader->settings->with;

    record->attributes = source->file->attributes;
    record->resource = source->reader->resource;
    return stanza_map_copy(record->memory, &record->attributes, false) && stanza_map_copy(record->memory, &record->resource, false) &&
           (!with->record_number || stanza_map_set(record->memory, &record->attributes, SLICE("log.file.record_number"),
                                        stanza_int((int64_t)source->file->records))) &&
           (!with->record_offset ||
               stanza_map_set(record->memory, &record->attributes, SLICE("log.file.record_offset"), stanza_int((int64_t)origin)));
}

static void process(struct source *source, struct slice text, bool bytes, uint64_t origin)
{
    struct file_reader *reader = source->reader;
    struct stanza_record record = { .memory = &reader->memory,
        .body = { .kind = bytes ? STANZA_BYTES : STANZA_STRING, .bytes = text },
        .observed_ns = reader->now_ns,
        .source = source->file,
        .origin = origin };

    stanza_memory_reset(&reader->memory);
    if (!add_facts(source, &record, origin)) {
        reader->writer.out.failed = true; /* read again when there is memory */
        return;
    }
    stanza_pipeline_process(reader->pipeline, &record);
}

static void add_record(struct source *source, struct slice line, uint64_t origin)
{
    struct file_reader *reader = source->reader;
    bool bytes, repaired;
    struct slice text;

    source->file->records++;
    if (line.size == 0)
        return;
    text = lines_text(&reader->lines, line, source->valid, &bytes, &repaired);
    if (repaired)
        component_count_repaired(&reader->settings->base, SIGNAL_LOGS, 1);
    if (stanza_pipeline_is_empty(reader->pipeline))
        add_plain(source, text, bytes, origin);
    else
        process(source, text, bytes, origin);
}

static void record_out(void *context, struct stanza_record *record)
{
    stanza_writer_add(&((struct file_reader *)context)->writer, record);
}

static void event_out(void *context, enum stanza_event event, const char *id, const char *text)
{
    struct file_reader *reader = context;

    switch (event) {
    case STANZA_EVENT_ERROR:
        log_error(reader->path, "operator %s: %s", id, text);
        break;
    case STANZA_EVENT_ERROR_QUIET:
        log_debug(reader->path, "operator %s: %s", id, text);
        break;
    case STANZA_EVENT_DROPPED:
        component_count_dropped(&reader->settings->base, SIGNAL_LOGS, "operator_error", 1);
        break;
    case STANZA_EVENT_FILTERED:
        break;
    }
}

void file_reader_set_sink(struct file_reader *reader)
{
    struct stanza_sink sink = { record_out, event_out, reader };

    stanza_pipeline_set_sink(reader->pipeline, &sink);
}

/* ---- blocks ---- */

/* All whole records of the block; returns the bytes that are dealt with. */
static size_t cut_block(struct source *source, struct slice block, bool all)
{
    struct lines_cut cut = { .skipping = source->file->skipping };
    size_t at = 0;

    while (at < block.size && !source->reader->writer.out.failed) {
        lines_next(&source->reader->lines, slice_of(block.data + at, block.size - at), all, &cut);
        if (cut.used == 0)
            break;
        if (!cut.none)
            add_record(source, cut.record, source->file->offset + at);
        at += cut.used;
    }
    source->file->skipping = cut.skipping;
    return at;
}

static bool has_waited(const struct file_reader *reader, const struct followed *file)
{
    return reader->settings->force_flush_ns > 0 && clock_monotonic_nanos() - file->changed_ns >= reader->settings->force_flush_ns;
}

/* Room for the longest record and what ends it. */
static bool make_room(struct file_reader *reader, size_t size)
{
    size_t most = (size_t)reader->settings->max_log_size + 4096;

    if (size > most && size > BLOCK)
        size = most > BLOCK ? most : BLOCK;
    buffer_clear(&reader->block);
    return buffer_reserve(&reader->block, size);
}

/* One block; false when there is nothing more for now. */
static bool read_block(struct file_reader *reader, struct source *source, size_t size)
{
    struct followed *file = source->file;
    ssize_t got;
    size_t used;
    bool ended;

    if (!make_room(reader, size))
        return false;
    size = reader->block.capacity < size ? reader->block.capacity : size;
    got = followed_read(file, file->offset, reader->block.data, size);
    if (got <= 0) {
        file->at_end = true;
        return false;
    }
    if (file->unpacker == NULL && !followed_begins(file, &file->print)) { /* cut off meanwhile: this may be of what came after */
        file->ready = true;
        file->at_end = false;
        file->modified_ns = 0;
        return false;
    }
    ended = (size_t)got < size;
    source->valid = reader->lines.charset == LINES_UTF8 && utf8_valid_prefix(slice_of(reader->block.data, (size_t)got)) + 4 > (size_t)got;
    source->valid = source->valid && utf8_is_valid(slice_of(reader->block.data, (size_t)got));
    used = cut_block(source, slice_of(reader->block.data, (size_t)got), ended && has_waited(reader, file));
    file->offset += used;
    file->touched |= used > 0;
    if (used == 0 && !ended && size < (size_t)reader->settings->max_log_size + 4096)
        return read_block(reader, source, size * 4);
    file->at_end = ended;
    if (ended && used < (size_t)got)
        file->ready = true; /* the rest is a record when nothing comes behind it for long enough */
    return !ended && used > 0;
}

static void advise(const struct file_reader *reader, const struct followed *file)
{
    if (reader->settings->file_cache_advise)
        posix_fadvise(file->fd, 0, (off_t)file->offset, POSIX_FADV_DONTNEED);
}

/* A turn of one file: what there is of it, up to a bound. */
static void read_file(struct file_reader *reader, struct source *source)
{
    struct followed *file = source->file;
    uint64_t begin = file->offset;
    bool more = true;

    file->ready = false;
    if (!followed_look(reader, file))
        return;
    begin = file->offset;
    if (reader->header != NULL && !file->header_done)
        file_header_read(reader, file);
    if (reader->header != NULL && !file->header_done)
        return;
    if (file->unpacker == NULL && file->offset >= file->size) {
        file->at_end = true;
        return;
    }
    while (more && !reader->writer.out.failed) {
        if (file->offset - begin >= TURN || file_reader_is_pressed(reader)) {
            file->ready = true;
            break;
        }
        more = read_block(reader, source, BLOCK);
        if (reader->writer.out.size >= CHUNK)
            file_reader_send(reader);
    }
    advise(reader, file);
}

void file_reader_read(struct file_reader *reader)
{
    struct source source = { .reader = reader };

    reader->now_ns = clock_wall_nanos();
    for (size_t i = 0; i < reader->count && !file_reader_is_pressed(reader); i++) {
        if (!reader->files[i]->ready)
            continue;
        source.file = reader->files[i];
        read_file(reader, &source);
    }
    buffer_fini(&source.wire);
}
