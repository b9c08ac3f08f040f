/*
 * The sender: a list of what was refused, in order. After a refusal nothing is tried for 100 ms, then twice as long, up to 5 s, or as long
 * as the next stage asked for; what waits goes out together, up to a megabyte at a time.
 */
#include "collector/processors/tail_sampling/sender.h"

#include <pthread.h>
#include <stdlib.h>

#include "collector/base/clock.h"

struct parcel {
    struct tail_sender *sender;
    struct batch *batch; /* kept until the outcome is known */
    bool awaited;
    struct parcel *next;
};

struct tail_sender {
    pthread_mutex_t lock;
    struct component *owner;     /* NULL: gone */
    size_t references;           /* the owner's, and one for each parcel */
    struct parcel *first, *last; /* that wait; owned */
    int64_t due_ns, delay_ns;    /* when they are tried, and how long they wait after the next refusal */
    atomic_size_t bytes;
};

enum { TOGETHER = 1 << 20 };

static const int64_t first_delay_ns = 100 * NANOS_PER_MILLI, last_delay_ns = 5 * NANOS_PER_SECOND;

struct tail_sender *tail_sender_create(struct component *owner)
{
    struct tail_sender *sender = calloc(1, sizeof(*sender));

    if (sender == NULL)
        abort();
    pthread_mutex_init(&sender->lock, NULL);
    sender->owner = owner;
    sender->references = 1;
    return sender;
}

static void unref(struct tail_sender *sender)
{
    size_t left;

    pthread_mutex_lock(&sender->lock);
    left = --sender->references;
    pthread_mutex_unlock(&sender->lock);
    if (left > 0)
        return;
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}

static void end(struct parcel *parcel, struct outcome outcome)
{
    struct tail_sender *sender = parcel->sender;

    batch_settle(parcel->batch, outcome);
    free(parcel);
    unref(sender);
}

static void append_locked(struct tail_sender *sender, struct parcel *parcel)
{
    parcel->next = NULL;
    if (sender->last != NULL)
        sender->last->next = parcel;
    else
        sender->first = parcel;
    sender->last = parcel;
    atomic_fetch_add(&sender->bytes, parcel->batch->bytes);
}

/* False when the owner is gone. */
static bool put_off(struct parcel *parcel, int64_t retry_after_ns)
{
    struct tail_sender *sender = parcel->sender;
    int64_t delay_ns;
    bool kept;

    pthread_mutex_lock(&sender->lock);
    kept = sender->owner != NULL;
    if (kept) {
        delay_ns = sender->delay_ns > 0 ? sender->delay_ns : first_delay_ns;
        sender->delay_ns = delay_ns * 2 < last_delay_ns ? delay_ns * 2 : last_delay_ns;
        sender->due_ns = clock_monotonic_nanos() + (retry_after_ns > delay_ns ? retry_after_ns : delay_ns);
        append_locked(sender, parcel);
    }
    pthread_mutex_unlock(&sender->lock);
    return kept;
}

static void told(void *context, struct outcome outcome)
{
    struct parcel *parcel = context;
    struct tail_sender *sender = parcel->sender;

    if (outcome.verdict == VERDICT_RETRY && put_off(parcel, outcome.retry_after_ns))
        return;
    pthread_mutex_lock(&sender->lock);
    if (outcome.verdict == VERDICT_ACCEPTED)
        sender->delay_ns = 0;
    else if (sender->owner != NULL)
        component_count_dropped(sender->owner, SIGNAL_TRACES, outcome.reason != NULL ? outcome.reason : "refused", parcel->batch->records);
    pthread_mutex_unlock(&sender->lock);
    end(parcel, outcome);
}

/* The owner's thread, or one of its timers': the owner is there. */
static void attempt(struct parcel *parcel)
{
    struct component *owner = parcel->sender->owner;
    struct receipt *receipt = receipt_create(parcel->awaited ? RECEIPT_DURABLE : RECEIPT_ACCEPTED, told, parcel);
    struct batch *batch = receipt != NULL ? batch_share_with(parcel->batch, receipt) : NULL;

    if (receipt == NULL)
        told(parcel, outcome_retry("no_memory", 0));
    else if (batch != NULL) /* else the receipt was told so */
        component_emit(owner, batch);
}

/* Behind what waits already, if something does. */
static bool waits(struct tail_sender *sender, struct parcel *parcel)
{
    bool others;

    pthread_mutex_lock(&sender->lock);
    sender->references++;
    others = sender->first != NULL;
    if (others)
        append_locked(sender, parcel);
    pthread_mutex_unlock(&sender->lock);
    return others;
}

void tail_sender_send(struct tail_sender *sender, struct batch *batch, bool awaited)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));

    if (parcel == NULL) {
        component_count_dropped(sender->owner, SIGNAL_TRACES, "no_memory", batch->records);
        batch_settle(batch, outcome_retry("no_memory", 0));
        return;
    }
    *parcel = (struct parcel){ .sender = sender, .batch = batch, .awaited = awaited };
    if (!waits(sender, parcel))
        attempt(parcel);
}

static struct parcel *take_first_locked(struct tail_sender *sender)
{
    struct parcel *parcel = sender->first;

    sender->first = parcel->next;
    if (sender->first == NULL)
        sender->last = NULL;
    atomic_fetch_sub(&sender->bytes, parcel->batch->bytes);
    return parcel;
}

/* What waits, from the front: parcels of one kind, as large as they may be together. NULL: nothing is due. */
static struct parcel *take_due(struct tail_sender *sender, int64_t now_ns)
{
    struct parcel *list = NULL, *last = NULL;
    size_t size = 0;

    pthread_mutex_lock(&sender->lock);
    while (sender->due_ns <= now_ns && sender->first != NULL &&
           (list == NULL || (sender->first->awaited == list->awaited && size + sender->first->batch->bytes <= TOGETHER))) {
        struct parcel *parcel = take_first_locked(sender);
        size += parcel->batch->bytes;
        parcel->next = NULL;
        if (last != NULL)
            last->next = parcel;
        else
            list = parcel;
        last = parcel;
    }
    pthread_mutex_unlock(&sender->lock);
    return list;
}

/* One parcel of a list of them. NULL: memory is out, and whoever waits was told so. */
static struct parcel *join(struct tail_sender *sender, struct parcel *list)
{
    struct batch *batches, **link;
    struct parcel *rest = list->next;
    size_t count = 0;

    list->batch->next = NULL;
    batches = list->batch;
    for (link = &batches->next; rest != NULL; count++) {
        struct parcel *parcel = rest;
        rest = parcel->next;
        parcel->batch->next = NULL;
        *link = parcel->batch;
        link = &parcel->batch->next;
        free(parcel);
    }
    list->batch = batch_merge(batches, count + 1);
    if (list->batch == NULL) {
        free(list);
        list = NULL;
        count++;
    }
    pthread_mutex_lock(&sender->lock);
    sender->references -= count; /* the owner's is left */
    pthread_mutex_unlock(&sender->lock);
    return list;
}

bool tail_sender_work(struct tail_sender *sender, bool all)
{
    enum { ATTEMPTS = 64 };
    struct parcel *due;

    for (size_t i = 0; i < ATTEMPTS && (due = take_due(sender, all ? INT64_MAX : clock_monotonic_nanos())) != NULL; i++) {
        due = join(sender, due);
        if (due != NULL)
            attempt(due);
        if (all)
            break;
    }
    return tail_sender_bytes(sender) > 0;
}

size_t tail_sender_bytes(const struct tail_sender *sender)
{
    return atomic_load_explicit(&sender->bytes, memory_order_relaxed);
}

size_t tail_sender_detach(struct tail_sender *sender)
{
    struct parcel *list;
    size_t records = 0;

    if (sender == NULL)
        return 0;
    pthread_mutex_lock(&sender->lock);
    sender->owner = NULL;
    list = sender->first;
    sender->first = sender->last = NULL;
    pthread_mutex_unlock(&sender->lock);
    while (list != NULL) {
        struct parcel *next = list->next;
        records += list->batch->records;
        end(list, outcome_retry("shutdown", 0));
        list = next;
    }
    unref(sender);
    return records;
}
