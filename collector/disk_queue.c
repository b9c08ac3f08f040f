/*
 * The sending queue on disk.
 *
 * In:  consume links the batch to a list; the writer thread takes the whole list, appends it with one write and one sync, and settles
 *      all of it. While it syncs the next list gathers: that is the group commit, without any timer.
 * Out: consumer threads take turns at reading records (several, when batching), and hand them on outside the turn. A settled record
 *      is settled in the journal, in any order; one that was given back because of a shutdown stays.
 *
 * Cost: the payload is written from where it lies and read back once; memory holds what waits to be written (bounded) and
 * what is under way, whatever the backlog.
 */
#include "collector/disk_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/accounts.h"
#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/crew.h"
#include "collector/storage_access.h"
#include "collector/telemetry.h"

enum { WRITE_ITEMS_MAX = 512 };
static const size_t pending_bytes_max = 64 << 20;
/* What was settled and not written comes again after a kill: a settled record is written when the last one was so long ago ... */
static const int64_t settle_interval_ns = 5 * NANOS_PER_MILLI;
static const int64_t flush_interval_ns = 20 * NANOS_PER_MILLI; /* ... and those that came between by the writer */

struct disk_queue {
    struct consumer consumer;
    struct queue_settings settings;
    struct consumer *next;
    enum signal signal;
    struct folder *folder;
    struct journal *journal; /* NULL until started */
    pthread_mutex_t lock;
    pthread_cond_t arrived;  /* something to write, or stopping: for the writer */
    pthread_cond_t filled;   /* something to read, or stopping: for the consumers */
    pthread_cond_t settled;  /* something under way has ended: for drain */
    struct batch *first, *last; /* to be written */
    size_t pending_count, pending_bytes, pending_records;
    struct crew writer, crew;
    bool taking;             /* a consumer is at reading */
    size_t under_way;        /* records read and not settled, and batches being written */
    bool draining, stopping;
    bool refusing;           /* the last append failed, and it was said */
    struct metric *metrics[3];
};

static struct timespec timespec_of(int64_t nanos)
{
    return (struct timespec){ (time_t)(nanos / NANOS_PER_SECOND), (long)(nanos % NANOS_PER_SECOND) };
}

/* ---- in ---- */

static int64_t size_locked(struct disk_queue *queue)
{
    struct journal_stats stats = journal_stats(queue->journal);

    if (queue->settings.sizer == SIZER_REQUESTS)
        return (int64_t)(stats.requests + queue->pending_count);
    if (queue->settings.sizer == SIZER_ITEMS)
        return (int64_t)(stats.records + queue->pending_records);
    return (int64_t)(stats.bytes + queue->pending_bytes);
}

static int64_t measure(int sizer, const struct batch *batch)
{
    if (sizer == SIZER_REQUESTS)
        return 1;
    return sizer == SIZER_ITEMS ? (int64_t)batch->records : (int64_t)batch->bytes;
}

static const char *push(struct disk_queue *queue, struct batch *batch)
{
    const char *refusal = NULL;

    pthread_mutex_lock(&queue->lock);
    if (queue->draining || queue->journal == NULL) {
        refusal = "shutdown";
    } else if (queue->pending_bytes > pending_bytes_max) {
        refusal = "disk_busy";
    } else if (size_locked(queue) + measure(queue->settings.sizer, batch) > queue->settings.queue_size) {
        refusal = "queue_full";
    } else {
        batch->next = NULL;
        if (queue->last != NULL)
            queue->last->next = batch;
        else
            queue->first = batch;
        queue->last = batch;
        queue->pending_count++;
        queue->pending_bytes += batch->bytes;
        queue->pending_records += batch->records;
        pthread_cond_signal(&queue->arrived);
    }
    pthread_mutex_unlock(&queue->lock);
    return refusal;
}

static void refuse(struct disk_queue *queue, struct batch *batch, const char *reason)
{
    accounts_count_enqueue_failed(queue->consumer.component, batch->signal, batch->records);
    component_count_dropped(queue->consumer.component, batch->signal, reason, batch->records);
    batch_settle(batch, outcome_retry(reason, NANOS_PER_SECOND));
}

static void disk_queue_consume(struct consumer *consumer, struct batch *batch)
{
    struct disk_queue *queue = (struct disk_queue *)consumer;
    const char *refusal = push(queue, batch);

    if (refusal != NULL)
        refuse(queue, batch, refusal);
}

/* ---- the writer ---- */

/* Up to WRITE_ITEMS_MAX of the list. */
static struct batch *take_pending_locked(struct disk_queue *queue, size_t *count)
{
    struct batch *list = queue->first, *last = NULL;

    for (*count = 0; queue->first != NULL && *count < WRITE_ITEMS_MAX; ++*count) {
        last = queue->first;
        queue->first = last->next;
    }
    if (queue->first == NULL)
        queue->last = NULL;
    if (last != NULL)
        last->next = NULL;
    queue->under_way += *count;
    return list;
}

static int append(struct disk_queue *queue, const struct batch *list, size_t count)
{
    struct journal_item *items = calloc(count, sizeof(*items));
    struct slice *parts;
    size_t part_count = 0, used = 0, n = 0;
    int result = -ENOMEM;

    for (const struct batch *batch = list; batch != NULL; batch = batch->next)
        part_count += batch->run_count;
    parts = calloc(part_count, sizeof(*parts));
    if (items != NULL && parts != NULL) {
        for (const struct batch *batch = list; batch != NULL; batch = batch->next) {
            items[n++] = (struct journal_item){ parts + used, batch->run_count, (uint32_t)batch->records, (uint8_t)batch->signal };
            for (size_t i = 0; i < batch->run_count; i++)
                parts[used++] = batch->runs[i].bytes;
        }
        result = journal_append(queue->journal, items, n);
    }
    free(items);
    free(parts);
    return result;
}

static void report(struct disk_queue *queue, int result)
{
    const char *path = queue->consumer.component->path;

    if (result != 0 && !queue->refusing)
        log_error(path, "could not write to the disk queue: %s; senders are told to come again until it works", strerror(-result));
    if (result == 0 && queue->refusing)
        log_info(path, "the disk queue takes data again");
    queue->refusing = result != 0;
}

static void write_list(struct disk_queue *queue, struct batch *list, size_t count)
{
    int result = append(queue, list, count);
    size_t bytes = 0, records = 0;

    for (const struct batch *batch = list; batch != NULL; batch = batch->next) {
        bytes += batch->bytes;
        records += batch->records;
    }
    pthread_mutex_lock(&queue->lock);
    queue->pending_count -= count;
    queue->pending_bytes -= bytes;
    queue->pending_records -= records;
    queue->under_way -= count;
    if (result == 0)
        crew_call_locked(&queue->crew);
    pthread_cond_broadcast(&queue->filled);
    pthread_cond_broadcast(&queue->settled);
    pthread_mutex_unlock(&queue->lock);
    report(queue, result);
    while (list != NULL) {
        struct batch *next = list->next;

        if (result == 0)
            batch_settle(list, OUTCOME_ACCEPTED);
        else
            refuse(queue, list, result == -ENOSPC ? "disk_full" : "disk_error");
        list = next;
    }
}

static void *run_writer(void *context)
{
    struct disk_queue *queue = context;
    struct batch *list;
    size_t count;
    int64_t flush_ns = clock_monotonic_nanos() + flush_interval_ns;
    bool busy = false; /* since the last flush; else waking up once a second is enough */

    pthread_setname_np(pthread_self(), "weir-disk");
    pthread_mutex_lock(&queue->lock);
    while (!queue->stopping || queue->first != NULL) {
        struct timespec until = timespec_of(flush_ns);

        if (queue->first == NULL && pthread_cond_timedwait(&queue->arrived, &queue->lock, &until) != ETIMEDOUT)
            continue;
        list = take_pending_locked(queue, &count);
        pthread_mutex_unlock(&queue->lock);
        if (count > 0)
            write_list(queue, list, count);
        busy |= count > 0;
        if (clock_monotonic_nanos() >= flush_ns) {
            busy |= journal_flush(queue->journal);
            flush_ns = clock_monotonic_nanos() + (busy ? flush_interval_ns : NANOS_PER_SECOND);
            busy = false;
        }
        pthread_mutex_lock(&queue->lock);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* ---- out ---- */

struct ticket {
    struct disk_queue *queue;
    uint64_t sequence;
};

static void ticket_told(void *context, struct outcome outcome)
{
    struct ticket *ticket = context;
    struct disk_queue *queue = ticket->queue;

    if (outcome.verdict != VERDICT_RETRY) /* only a shutdown gives back: with storage there is no other end to retries */
        journal_settle(queue->journal, ticket->sequence);
    free(ticket);
    pthread_mutex_lock(&queue->lock);
    queue->under_way--;
    pthread_cond_broadcast(&queue->settled);
    pthread_mutex_unlock(&queue->lock);
}

static struct batch *batch_of(struct disk_queue *queue, const struct journal_record *record)
{
    struct ticket *ticket = malloc(sizeof(*ticket));
    struct receipt *receipt = ticket != NULL ? receipt_create(RECEIPT_DURABLE, ticket_told, ticket) : NULL;

    if (receipt == NULL) {
        /* it stays in the journal, and is read again after the next start */
        free(ticket);
        payload_unref(record->payload);
        log_error(queue->consumer.component->path, "memory is out: a record stays in the disk queue until the next start");
        return NULL;
    }
    *ticket = (struct ticket){ queue, record->sequence };
    pthread_mutex_lock(&queue->lock);
    queue->under_way++;
    pthread_mutex_unlock(&queue->lock);
    return batch_create(queue->signal, record->payload, record->records, receipt);
}

/* What one turn of reading gathers. */
struct gathered {
    struct batch *first, *last;
    size_t count;
    int64_t size;
    int64_t since_ns;
};

/* Reads what is there, as far as a batch goes. False when reading failed for now. */
static bool gather(struct disk_queue *queue, struct gathered *gathered)
{
    const struct batcher_settings *batch = &queue->settings.batch;
    int64_t enough = queue->settings.batch_present ? batch->min_size : 1;
    struct journal_record record;
    int result = 1;

    while (gathered->size < enough && (result = journal_read(queue->journal, &record)) > 0) {
        struct batch *more = batch_of(queue, &record);

        if (more == NULL)
            continue;
        if (gathered->last != NULL)
            gathered->last->next = more;
        else
            gathered->first = more;
        gathered->last = more;
        gathered->count++;
        gathered->size += queue->settings.batch_present ? measure(batch->sizer, more) : 1;
    }
    return result >= 0;
}

/* One consumer at a time: waits for records until a batch is complete, its time is up, or the queue stops. */
static struct batch *take_turn(struct disk_queue *queue, size_t *count)
{
    struct gathered gathered = { 0 };
    int64_t wait_ns = queue->settings.batch_present ? queue->settings.batch.flush_timeout_ns : 0;

    for (;;) {
        bool more = gather(queue, &gathered), stop;
        int64_t now = clock_monotonic_nanos();
        struct timespec until;

        if (gathered.count > 0 && gathered.since_ns == 0)
            gathered.since_ns = now;
        if (gathered.count > 0
            && (wait_ns == 0 || now - gathered.since_ns >= wait_ns || gathered.size >= queue->settings.batch.min_size))
            break;
        until = timespec_of(gathered.count > 0 ? gathered.since_ns + wait_ns : now + NANOS_PER_SECOND / (more ? 1 : 10));
        pthread_mutex_lock(&queue->lock);
        stop = queue->draining || queue->stopping;
        if (!stop)
            pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
        pthread_mutex_unlock(&queue->lock);
        if (stop)
            break;
    }
    *count = gathered.count;
    return gathered.first;
}

static void pass_on(struct disk_queue *queue, struct batch *batch)
{
    const struct batcher_settings *settings = &queue->settings.batch;
    size_t max = queue->settings.batch_present ? (size_t)settings->max_size : 0;
    bool bytes = settings->sizer == SIZER_BYTES;
    struct batch *head;

    while (max != 0 && batch != NULL && (head = batch_split(batch, bytes ? 0 : max, bytes ? max : 0)) != NULL)
        consume(queue->next, head);
    consume(queue->next, batch);
}

static void *run_consumer(void *context)
{
    struct disk_queue *queue = context;

    pthread_setname_np(pthread_self(), "weir-send");
    pthread_mutex_lock(&queue->lock);
    while (!queue->draining && !queue->stopping) {
        struct batch *list;
        size_t count;

        if (queue->taking) {
            queue->crew.idle++;
            pthread_cond_wait(&queue->filled, &queue->lock);
            queue->crew.idle--;
            continue;
        }
        queue->taking = true;
        pthread_mutex_unlock(&queue->lock);
        list = take_turn(queue, &count);
        pthread_mutex_lock(&queue->lock);
        queue->taking = false;
        crew_call_locked(&queue->crew); /* somebody else reads on while this one sends */
        pthread_cond_broadcast(&queue->filled);
        pthread_mutex_unlock(&queue->lock);
        if (count > 0)
            pass_on(queue, batch_merge(list, count));
        pthread_mutex_lock(&queue->lock);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* ---- metrics ---- */

static double read_size(void *context)
{
    struct disk_queue *queue = context;
    double size;

    pthread_mutex_lock(&queue->lock);
    size = (double)size_locked(queue);
    pthread_mutex_unlock(&queue->lock);
    return size;
}

static double read_capacity(void *context)
{
    return (double)((const struct disk_queue *)context)->settings.queue_size;
}

static double read_corrupt(void *context)
{
    return (double)journal_stats(((const struct disk_queue *)context)->journal).corrupt;
}

static void observe(struct disk_queue *queue)
{
    static const struct metric_spec size = { "otelcol_exporter_queue_size", "Current size of the sending queue, in its sizer's units", METRIC_GAUGE };
    static const struct metric_spec capacity = { "otelcol_exporter_queue_capacity", "Fixed capacity of the sending queue", METRIC_GAUGE };
    static const struct metric_spec corrupt = { "weir_disk_queue_corrupt_records", "Records of the disk queue that did not check and were put into quarantine", METRIC_COUNTER };
    const struct metric_label labels[] = {
        { "data_type", signal_name(queue->signal) }, { "exporter", queue->consumer.component->id }, { NULL, NULL } };

    queue->metrics[0] = metric_observe(&size, labels, read_size, queue);
    queue->metrics[1] = metric_observe(&capacity, labels, read_capacity, queue);
    queue->metrics[2] = metric_observe(&corrupt, labels, read_corrupt, queue);
}

/* ---- life ---- */

struct disk_queue *disk_queue_create(const struct queue_settings *settings, struct consumer *next, enum signal signal)
{
    struct disk_queue *queue = calloc(1, sizeof(*queue));
    pthread_condattr_t monotonic;

    if (queue == NULL)
        abort();
    queue->consumer = (struct consumer){ disk_queue_consume, next->component };
    queue->settings = *settings;
    queue->next = next;
    queue->signal = signal;
    crew_init(&queue->writer, 1, run_writer, queue);
    crew_init(&queue->crew, (size_t)settings->num_consumers, run_consumer, queue);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->arrived, &monotonic);
    pthread_cond_init(&queue->filled, &monotonic);
    pthread_cond_init(&queue->settled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return queue;
}

struct consumer *disk_queue_entry(struct disk_queue *queue)
{
    return &queue->consumer;
}

/* "exporter_otlp_2_traces": a folder's name that no id can get out of. */
static void client_name(const struct disk_queue *queue, struct buffer *out)
{
    size_t start;

    buffer_append_string(out, "exporter_");
    start = out->size;
    buffer_printf(out, "%s_%s", queue->consumer.component->id, signal_name(queue->signal));
    for (size_t i = start; i < out->size; i++) {
        uint8_t byte = out->data[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';

        if (!plain)
            out->data[i] = '_';
    }
}

static bool open_journal(struct disk_queue *queue, const struct storage_place *place, struct error *err)
{
    struct buffer path = place->path;
    struct journal_settings settings = place->journal;

    queue->folder = folder_open(buffer_string(&path), err);
    if (queue->folder == NULL)
        return false;
    settings.settle_ns = settle_interval_ns;
    queue->journal = journal_open(folder_filesystem(queue->folder), &settings, err);
    return queue->journal != NULL;
}

bool disk_queue_start(struct disk_queue *queue, struct error *err)
{
    struct component *extension;
    struct storage_place place = { 0 };
    struct buffer client = { 0 };
    bool open = false;

    if (queue->journal != NULL)
        return true;
    extension = component_find_extension(queue->consumer.component, queue->settings.storage, err);
    if (extension == NULL)
        return false;
    if (extension->type->storage == NULL)
        return fail(err, "sending_queue.storage: extension \"%s\" stores nothing; name a file_storage", queue->settings.storage);
    client_name(queue, &client);
    if (extension->type->storage->locate(extension, buffer_string(&client), &place, err))
        open = open_journal(queue, &place, err);
    buffer_fini(&client);
    buffer_fini(&place.path);
    if (!open)
        return fail_within(err, "sending_queue.storage");
    observe(queue);
    pthread_mutex_lock(&queue->lock);
    crew_call_locked(&queue->writer);
    crew_call_locked(&queue->crew);
    pthread_mutex_unlock(&queue->lock);
    return queue->writer.threads == 1 || fail(err, "could not start the disk queue's writer");
}

bool disk_queue_drain(struct disk_queue *queue, int64_t deadline_ns)
{
    struct timespec until = timespec_of(deadline_ns);
    int result = 0;
    bool done;

    pthread_mutex_lock(&queue->lock);
    queue->draining = true;
    pthread_cond_broadcast(&queue->arrived);
    pthread_cond_broadcast(&queue->filled);
    while ((queue->under_way > 0 || queue->first != NULL) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&queue->settled, &queue->lock, &until);
    done = queue->under_way == 0 && queue->first == NULL;
    pthread_mutex_unlock(&queue->lock);
    return done;
}

void disk_queue_destroy(struct disk_queue *queue)
{
    if (queue == NULL)
        return;
    for (size_t i = 0; i < 3; i++)
        metric_destroy(queue->metrics[i]);
    pthread_mutex_lock(&queue->lock);
    queue->draining = queue->stopping = true;
    crew_close_locked(&queue->writer);
    crew_close_locked(&queue->crew);
    pthread_cond_broadcast(&queue->arrived);
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
    crew_join(&queue->writer);
    crew_join(&queue->crew);
    journal_close(queue->journal);
    folder_close(queue->folder);
    crew_fini(&queue->writer);
    crew_fini(&queue->crew);
    pthread_cond_destroy(&queue->settled);
    pthread_cond_destroy(&queue->filled);
    pthread_cond_destroy(&queue->arrived);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}
