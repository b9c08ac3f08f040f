/*
 * The sending queue.
 *
 * A push reserves room under the lock, tells the receipts without it, then links the batch in. A consumer thread
 * sleeps until there is enough to take: anything, or, when batching is on, min_size or a batch that has waited flush_timeout.
 * Cost: two short critical sections and one small allocation for each batch; nothing for each record.
 */
#include "collector/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "collector/accounts.h"
#include "collector/base/clock.h"
#include "collector/crew.h"
#include "collector/telemetry.h"

/* A source that waits for room holds a loop's thread; longer than this it is told to come again. */
static const int64_t longest_wait_ns = 5 * NANOS_PER_SECOND;

struct queue {
    struct consumer consumer;
    struct queue_settings settings;
    struct consumer *next;
    enum signal signal;
    pthread_mutex_t lock;
    pthread_cond_t filled;  /* something to take, or stopping */
    pthread_cond_t emptied; /* room, or nothing left */
    struct held *first, *last;
    int64_t size;           /* held and reserved, in the sizer's units */
    int64_t content;        /* held, in the batcher's units */
    struct crew crew;
    size_t busy;
    bool interrupted, draining, stopping;
    struct metric *metrics[2];
};

/* A batch in the queue. */
struct held {
    struct batch *batch;
    int64_t since_ns;
    struct held *next;
};

static int64_t measure(int sizer, const struct batch *batch)
{
    if (sizer == SIZER_REQUESTS)
        return 1;
    return sizer == SIZER_ITEMS ? (int64_t)batch->records : (int64_t)batch->bytes;
}

/* ---- putting in ---- */

static bool has_room_locked(const struct queue *queue, int64_t size)
{
    return queue->size + size <= queue->settings.queue_size || queue->size == 0;
}

static bool wait_for_room_locked(struct queue *queue, int64_t size)
{
    int64_t until_ns = clock_monotonic_nanos() + longest_wait_ns;
    struct timespec until = { (time_t)(until_ns / NANOS_PER_SECOND), (long)(until_ns % NANOS_PER_SECOND) };

    while (!has_room_locked(queue, size)) {
        if (!queue->settings.block_on_overflow || queue->interrupted || queue->draining)
            return false;
        if (pthread_cond_timedwait(&queue->emptied, &queue->lock, &until) == ETIMEDOUT)
            return has_room_locked(queue, size);
    }
    return true;
}

/*
 * Bytes in all memory queues and on their way out of them, and when some were last done with: with both, sources can tell a
 * destination that is slow (slow down with it) from one that is away (fill the queue, then be refused).
 */
static atomic_size_t outgoing_bytes;
static atomic_int_fast64_t last_progress_ns;
static const size_t crowded_bytes = 12 << 20;
static const int64_t progress_window_ns = 500 * NANOS_PER_MILLI;

bool queue_is_crowded(void)
{
    return atomic_load_explicit(&outgoing_bytes, memory_order_relaxed) > crowded_bytes
        && clock_monotonic_nanos() - atomic_load_explicit(&last_progress_ns, memory_order_relaxed) < progress_window_ns;
}

static const char *reserve(struct queue *queue, int64_t size)
{
    const char *refusal = NULL;

    pthread_mutex_lock(&queue->lock);
    if (queue->draining)
        refusal = "shutdown";
    else if (!wait_for_room_locked(queue, size))
        refusal = "queue_full";
    else
        queue->size += size;
    pthread_mutex_unlock(&queue->lock);
    return refusal;
}

static void append_locked(struct queue *queue, struct held *held)
{
    if (queue->last != NULL)
        queue->last->next = held;
    else
        queue->first = held;
    queue->last = held;
    queue->content += measure(queue->settings.batch.sizer, held->batch);
    atomic_fetch_add_explicit(&outgoing_bytes, held->batch->bytes, memory_order_relaxed);
}

static void refuse(struct queue *queue, struct batch *batch, const char *reason)
{
    accounts_count_enqueue_failed(queue->consumer.component, batch->signal, batch->records);
    component_count_dropped(queue->consumer.component, batch->signal, reason, batch->records);
    batch_settle(batch, outcome_retry(reason, NANOS_PER_SECOND));
}

static void queue_consume(struct consumer *consumer, struct batch *batch)
{
    struct queue *queue = (struct queue *)consumer;
    int64_t size = measure(queue->settings.sizer, batch);
    struct held *held = malloc(sizeof(*held));
    const char *refusal = held == NULL ? "no_memory" : reserve(queue, size);

    if (refusal != NULL) {
        free(held);
        refuse(queue, batch, refusal);
        return;
    }
    if (!queue->settings.wait_for_result)
        batch_accept(batch);
    *held = (struct held){ batch, clock_monotonic_nanos(), NULL };
    pthread_mutex_lock(&queue->lock);
    append_locked(queue, held);
    crew_call_locked(&queue->crew);
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- taking out ---- */

static bool same_partition(const struct option_strings *keys, const struct batch *a, const struct batch *b)
{
    for (size_t i = 0; i < keys->count; i++) {
        for (size_t nth = 0;; nth++) {
            struct slice left = metadata_get(a->metadata, keys->items[i], nth), right = metadata_get(b->metadata, keys->items[i], nth);

            if (!slice_equal(left, right) || (left.data == NULL) != (right.data == NULL))
                return false;
            if (left.data == NULL)
                break;
        }
    }
    return true;
}

/* When the first batch may be taken, as monotonic time; 0: now. */
static int64_t ready_at_locked(const struct queue *queue)
{
    const struct batcher_settings *batch = &queue->settings.batch;

    if (!queue->settings.batch_present || queue->draining || queue->stopping)
        return 0;
    if (queue->content >= batch->min_size || queue->size >= queue->settings.queue_size)
        return 0;
    return queue->first->since_ns + batch->flush_timeout_ns;
}

static struct batch *unlink_locked(struct queue *queue, struct held **link)
{
    struct held *held = *link;
    struct batch *batch = held->batch;

    *link = held->next;
    if (held == queue->last)
        queue->last = link == &queue->first ? NULL : (struct held *)((char *)link - offsetof(struct held, next));
    queue->size -= measure(queue->settings.sizer, batch);
    queue->content -= measure(queue->settings.batch.sizer, batch);
    free(held);
    return batch;
}

/* The first batch, and with batching on all that fit with it; linked by batch->next. */
static struct batch *take_locked(struct queue *queue, size_t *count)
{
    const struct batcher_settings *settings = &queue->settings.batch;
    struct batch *first = unlink_locked(queue, &queue->first), *last = first;
    int64_t size = measure(settings->sizer, first);
    struct held **link = &queue->first;

    *count = 1;
    first->next = NULL;
    while (queue->settings.batch_present && *link != NULL && size < settings->min_size) {
        struct batch *batch = (*link)->batch;
        int64_t more = measure(settings->sizer, batch);

        if ((settings->max_size != 0 && size + more > settings->max_size) || !same_partition(&settings->metadata_keys, first, batch)) {
            link = &(*link)->next;
            continue;
        }
        last->next = unlink_locked(queue, link);
        last = batch;
        last->next = NULL;
        size += more;
        ++*count;
    }
    return first;
}

/* Sends a batch on, in pieces when it is larger than max_size. */
static void pass_on(struct queue *queue, struct batch *batch)
{
    const struct batcher_settings *settings = &queue->settings.batch;
    size_t max = queue->settings.batch_present ? (size_t)settings->max_size : 0;
    size_t max_records = settings->sizer == SIZER_BYTES ? 0 : max, max_bytes = settings->sizer == SIZER_BYTES ? max : 0;
    struct batch *head;

    while (max != 0 && batch != NULL && (head = batch_split(batch, max_records, max_bytes)) != NULL)
        consume(queue->next, head);
    consume(queue->next, batch);
}

static void count_progress(size_t bytes)
{
    atomic_fetch_sub_explicit(&outgoing_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&last_progress_ns, clock_monotonic_nanos(), memory_order_relaxed);
}

static void send(struct queue *queue, struct batch *list, size_t count)
{
    size_t bytes = 0;

    for (const struct batch *batch = list; batch != NULL; batch = batch->next)
        bytes += batch->bytes;
    pass_on(queue, batch_merge(list, count));
    count_progress(bytes);
}

/* Sleeps until there is a batch to take; false when stopping. */
static bool wait_for_work_locked(struct queue *queue)
{
    while (!queue->stopping) {
        int64_t at = queue->first != NULL ? ready_at_locked(queue) : 0;
        struct timespec until = { (time_t)(at / NANOS_PER_SECOND), (long)(at % NANOS_PER_SECOND) };

        if (queue->first != NULL && at <= clock_monotonic_nanos())
            return true;
        if (queue->first == NULL && queue->draining && queue->busy == 0)
            pthread_cond_broadcast(&queue->emptied);
        queue->crew.idle++;
        if (at == 0)
            pthread_cond_wait(&queue->filled, &queue->lock);
        else
            pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
        queue->crew.idle--;
    }
    return false;
}

static void *run_consumer(void *context)
{
    struct queue *queue = context;

    pthread_setname_np(pthread_self(), "weir-send");
    pthread_mutex_lock(&queue->lock);
    while (wait_for_work_locked(queue)) {
        size_t count;
        struct batch *list = take_locked(queue, &count);

        queue->busy++;
        if (queue->first != NULL)
            crew_call_locked(&queue->crew);
        pthread_cond_broadcast(&queue->emptied);
        pthread_mutex_unlock(&queue->lock);
        send(queue, list, count);
        pthread_mutex_lock(&queue->lock);
        queue->busy--;
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* ---- life ---- */

static double read_size(void *context)
{
    struct queue *queue = context;
    double size;

    pthread_mutex_lock(&queue->lock);
    size = (double)queue->size;
    pthread_mutex_unlock(&queue->lock);
    return size;
}

static double read_capacity(void *context)
{
    return (double)((const struct queue *)context)->settings.queue_size;
}

static void observe(struct queue *queue)
{
    static const struct metric_spec size = { "otelcol_exporter_queue_size", "Current size of the sending queue, in its sizer's units", METRIC_GAUGE };
    static const struct metric_spec capacity = { "otelcol_exporter_queue_capacity", "Fixed capacity of the sending queue", METRIC_GAUGE };
    const struct metric_label labels[] = {
        { "data_type", signal_name(queue->signal) }, { "exporter", queue->consumer.component->id }, { NULL, NULL } };

    queue->metrics[0] = metric_observe(&size, labels, read_size, queue);
    queue->metrics[1] = metric_observe(&capacity, labels, read_capacity, queue);
}

struct queue *queue_create(const struct queue_settings *settings, struct consumer *next, enum signal signal)
{
    struct queue *queue = calloc(1, sizeof(*queue));
    pthread_condattr_t monotonic;

    if (queue == NULL)
        abort();
    queue->consumer = (struct consumer){ queue_consume, next->component };
    queue->settings = *settings;
    queue->next = next;
    queue->signal = signal;
    crew_init(&queue->crew, (size_t)settings->num_consumers, run_consumer, queue);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->filled, &monotonic);
    pthread_cond_init(&queue->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    observe(queue);
    return queue;
}

struct consumer *queue_entry(struct queue *queue)
{
    return &queue->consumer;
}

static void set_interrupted(struct queue *queue, bool interrupted)
{
    pthread_mutex_lock(&queue->lock);
    queue->interrupted = interrupted;
    pthread_cond_broadcast(&queue->emptied);
    pthread_mutex_unlock(&queue->lock);
}

void queue_interrupt(struct queue *queue)
{
    set_interrupted(queue, true);
}

void queue_resume(struct queue *queue)
{
    set_interrupted(queue, false);
}

bool queue_drain(struct queue *queue, int64_t deadline_ns)
{
    struct timespec until = { (time_t)(deadline_ns / NANOS_PER_SECOND), (long)(deadline_ns % NANOS_PER_SECOND) };
    int result = 0;
    bool empty;

    pthread_mutex_lock(&queue->lock);
    queue->draining = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_cond_broadcast(&queue->emptied);
    while ((queue->size > 0 || queue->busy > 0) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&queue->emptied, &queue->lock, &until);
    empty = queue->size == 0 && queue->busy == 0;
    pthread_mutex_unlock(&queue->lock);
    return empty;
}

static void stop_consumers(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->draining = queue->stopping = true;
    crew_close_locked(&queue->crew);
    pthread_cond_broadcast(&queue->filled);
    pthread_cond_broadcast(&queue->emptied);
    pthread_mutex_unlock(&queue->lock);
    crew_join(&queue->crew);
}

void queue_destroy(struct queue *queue)
{
    if (queue == NULL)
        return;
    for (size_t i = 0; i < 2; i++)
        metric_destroy(queue->metrics[i]);
    stop_consumers(queue);
    while (queue->first != NULL) {
        struct batch *batch = unlink_locked(queue, &queue->first);
        struct outcome outcome = outcome_retry("shutdown", 0);

        component_count_sent(queue->consumer.component, batch->signal, batch->records, outcome);
        count_progress(batch->bytes);
        batch_settle(batch, outcome);
    }
    pthread_cond_destroy(&queue->filled);
    pthread_cond_destroy(&queue->emptied);
    pthread_mutex_destroy(&queue->lock);
    crew_fini(&queue->crew);
    free(queue);
}
