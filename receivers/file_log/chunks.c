/*
 * Chunks: what was read becomes a batch under a receipt that waits for *durable*; places move over the settled front of the list only, so
 * that a restart never begins behind a record that got lost. What can't be taken now is tried again for as long as it takes.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "receivers/file_log/file_log.h"

enum { KEPT_MAX = 4 << 20 };

static const char transport[] = "file";
static const int64_t first_wait_ns = 100 * NANOS_PER_MILLI, longest_wait_ns = 5 * NANOS_PER_SECOND;

/* ---- settled ---- */

static void pop_settled(struct file_reader *reader)
{
    struct file_chunk *chunk;

    while ((chunk = reader->first_chunk) != NULL && chunk->state == CHUNK_SETTLED) {
        for (size_t i = 0; i < chunk->mark_count; i++) {
            struct file_mark *mark = &chunk->marks[i];
            mark->file->marks--;
            reader->dirty = true;
            if (mark->generation != mark->file->generation)
                continue; /* what it was a place in is not there any more */
            mark->file->durable = mark->offset;
            mark->file->durable_records = mark->records;
        }
        reader->first_chunk = chunk->next;
        if (reader->first_chunk == NULL)
            reader->last_chunk = NULL;
        reader->bytes_under_way -= chunk->bytes;
        reader->chunks_under_way--;
        file_chunk_destroy(chunk);
    }
}

static void defer(struct file_reader *reader, struct file_chunk *chunk)
{
    int64_t wait_ns = first_wait_ns << (chunk->failures < 6 ? chunk->failures : 6);

    chunk->failures++;
    chunk->state = CHUNK_WAITING;
    wait_ns = wait_ns < longest_wait_ns ? wait_ns : longest_wait_ns;
    wait_ns += (int64_t)((double)wait_ns * 0.5 * random_unit());
    if (wait_ns < chunk->outcome.retry_after_ns)
        wait_ns = chunk->outcome.retry_after_ns;
    chunk->due_ns = clock_monotonic_nanos() + wait_ns;
    if (!reader->failing)
        log_warn(reader->path, "the pipeline can't take records now (%s): they are tried again until it does",
            chunk->outcome.reason != NULL ? chunk->outcome.reason : "refused");
    reader->failing = true;
}

static void conclude(struct file_reader *reader, struct file_chunk *chunk)
{
    component_count_received(&reader->settings->base, SIGNAL_LOGS, transport, chunk->records, chunk->outcome);
    if (chunk->outcome.verdict == VERDICT_RETRY) {
        defer(reader, chunk);
        return;
    }
    if (chunk->outcome.verdict == VERDICT_REJECTED)
        log_error(reader->path, "%zu records were refused for good (%s)", chunk->records,
            chunk->outcome.reason != NULL ? chunk->outcome.reason : "rejected");
    else if (reader->failing)
        log_info(reader->path, "the pipeline takes records again");
    reader->failing = reader->failing && chunk->outcome.verdict != VERDICT_ACCEPTED;
    chunk->state = CHUNK_SETTLED;
}

void file_reader_collect(struct file_reader *reader)
{
    for (struct file_chunk *chunk = file_inbox_take(reader->inbox), *next; chunk != NULL; chunk = next) {
        next = chunk->next_told;
        conclude(reader, chunk);
    }
    pop_settled(reader);
}

/* ---- sent ---- */

static void emit(struct file_reader *reader, struct file_chunk *chunk)
{
    struct receipt *receipt = file_chunk_receipt(chunk, reader->inbox);
    struct batch *batch = receipt != NULL ? batch_share_with(chunk->batch, receipt) : NULL;

    if (receipt == NULL) {
        chunk->outcome = outcome_retry("memory", 0);
        defer(reader, chunk);
    } else if (batch != NULL) { /* else the receipt has been told to come again */
        component_emit(&reader->settings->base, batch);
    }
}

void file_reader_try_again(struct file_reader *reader)
{
    int64_t now_ns = clock_monotonic_nanos();

    for (struct file_chunk *chunk = reader->first_chunk; chunk != NULL; chunk = chunk->next) {
        if (chunk->state == CHUNK_WAITING && now_ns >= chunk->due_ns)
            emit(reader, chunk);
    }
}

/* Where each file that was touched may go on: at what is held of it, or behind what was read. */
static bool mark_files(struct file_reader *reader, struct file_chunk *chunk)
{
    size_t touched = 0;

    for (size_t i = 0; i < reader->count; i++)
        touched += reader->files[i]->touched;
    chunk->marks = calloc(touched + 1, sizeof(*chunk->marks));
    if (chunk->marks == NULL)
        return false;
    for (size_t i = 0; i < reader->count; i++) {
        struct followed *file = reader->files[i];
        uint64_t held;
        if (!file->touched)
            continue;
        held = stanza_pipeline_held(reader->pipeline, file);
        chunk->marks[chunk->mark_count++] =
            (struct file_mark){ file, held < file->offset ? held : file->offset, file->records, file->generation };
        file->sent = chunk->marks[chunk->mark_count - 1].offset;
        file->sent_records = file->records;
        file->marks++;
        file->touched = held != UINT64_MAX; /* its place moves on when that is sent */
    }
    return true;
}

static struct batch *batch_of(struct file_reader *reader)
{
    struct payload *payload = NULL;

    if (reader->writer.out.failed)
        return NULL;
    payload = payload_create(reader->writer.out.size);
    if (payload == NULL)
        return NULL;
    memcpy(payload->data, reader->writer.out.data, reader->writer.out.size);
    payload->size = reader->writer.out.size;
    return batch_create(SIGNAL_LOGS, payload, reader->writer.records, NULL);
}

static void append(struct file_reader *reader, struct file_chunk *chunk)
{
    if (reader->last_chunk != NULL)
        reader->last_chunk->next = chunk;
    else
        reader->first_chunk = chunk;
    reader->last_chunk = chunk;
    reader->bytes_under_way += chunk->bytes;
    reader->chunks_under_way++;
}

static bool any_touched(const struct file_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (reader->files[i]->touched)
            return true;
    }
    return false;
}

/* NULL: memory is out, nothing has changed. */
static struct file_chunk *chunk_create(struct file_reader *reader)
{
    struct file_chunk *chunk = calloc(1, sizeof(*chunk));

    if (chunk == NULL)
        return NULL;
    chunk->state = CHUNK_SETTLED; /* of no records: only places moved, over lines that were dropped on purpose */
    if (reader->writer.records > 0) {
        stanza_writer_end(&reader->writer);
        chunk->state = CHUNK_WAITING;
        chunk->records = reader->writer.records;
        chunk->bytes = reader->writer.out.size;
        chunk->batch = batch_of(reader);
    }
    if ((chunk->batch != NULL || chunk->records == 0) && mark_files(reader, chunk))
        return chunk;
    file_chunk_destroy(chunk);
    return NULL;
}

/* Memory ran out while records were written: they are read again. */
static void rewind_files(struct file_reader *reader)
{
    stanza_pipeline_flush(reader->pipeline, clock_monotonic_nanos(), true); /* what is held is read again too */
    for (size_t i = 0; i < reader->count; i++) {
        struct followed *file = reader->files[i];
        if (!file->touched)
            continue;
        file->offset = file->sent;
        file->records = file->sent_records;
        file->touched = false;
        file->ready = true;
    }
    buffer_fini(&reader->writer.out);
    stanza_writer_clear(&reader->writer);
}

void file_reader_send(struct file_reader *reader)
{
    struct file_chunk *chunk;

    if (reader->writer.out.failed) {
        rewind_files(reader);
        return;
    }
    if (reader->writer.records == 0 && !any_touched(reader))
        return;
    chunk = chunk_create(reader);
    if (chunk == NULL)
        return; /* at the next round */
    append(reader, chunk);
    if (reader->writer.out.capacity > KEPT_MAX)
        buffer_fini(&reader->writer.out);
    stanza_writer_clear(&reader->writer);
    if (chunk->state == CHUNK_SETTLED)
        pop_settled(reader);
    else
        emit(reader, chunk);
}
