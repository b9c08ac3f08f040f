/* The sender: a list of what was refused, each tried again after 100 ms, then twice as long, up to 5 s, or when the next stage asked for it. */
#include "collector/processors/tail_sampling/sender.h"

#include <pthread.h>
#include <stdlib.h>

#include "collector/base/clock.h"

struct parcel {
    struct tail_sender *sender;
    struct batch *batch; /* kept until the outcome is known */
    int64_t due_ns, delay_ns;
    bool awaited;
    struct parcel *next;
};

struct tail_sender {
    pthread_mutex_t lock;
    struct component *owner; /* NULL: gone */
    size_t references;       /* the owner's, and one for each parcel */
    struct parcel *waiting;  /* owned */
    atomic_size_t bytes;
};

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

/* False when the owner is gone. */
static bool put_off(struct parcel *parcel, int64_t retry_after_ns)
{
    struct tail_sender *sender = parcel->sender;
    bool kept;

    parcel->delay_ns = parcel->delay_ns == 0 ? first_delay_ns : parcel->delay_ns * 2 < last_delay_ns ? parcel->delay_ns * 2 : last_delay_ns;
    parcel->due_ns = clock_monotonic_nanos() + (retry_after_ns > parcel->delay_ns ? retry_after_ns : parcel->delay_ns);
    pthread_mutex_lock(&sender->lock);
    kept = sender->owner != NULL;
    if (kept) {
        parcel->next = sender->waiting;
        sender->waiting = parcel;
        atomic_fetch_add(&sender->bytes, parcel->batch->bytes);
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
    if (outcome.verdict != VERDICT_ACCEPTED) {
        pthread_mutex_lock(&sender->lock);
        if (sender->owner != NULL)
            component_count_dropped(sender->owner, SIGNAL_TRACES, outcome.reason != NULL ? outcome.reason : "refused", parcel->batch->records);
        pthread_mutex_unlock(&sender->lock);
    }
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

void tail_sender_send(struct tail_sender *sender, struct batch *batch, bool awaited)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));

    if (parcel == NULL) {
        component_count_dropped(sender->owner, SIGNAL_TRACES, "no_memory", batch->records);
        batch_settle(batch, outcome_retry("no_memory", 0));
        return;
    }
    *parcel = (struct parcel){ .sender = sender, .batch = batch, .awaited = awaited };
    pthread_mutex_lock(&sender->lock);
    sender->references++;
    pthread_mutex_unlock(&sender->lock);
    attempt(parcel);
}

/* Those that are due, oldest refusal first. */
static struct parcel *take_due(struct tail_sender *sender, int64_t now_ns, bool *more)
{
    struct parcel *due = NULL, **link = &sender->waiting;

    pthread_mutex_lock(&sender->lock);
    while (*link != NULL) {
        struct parcel *parcel = *link;
        if (parcel->due_ns > now_ns) {
            link = &parcel->next;
            continue;
        }
        *link = parcel->next;
        parcel->next = due;
        due = parcel;
        atomic_fetch_sub(&sender->bytes, parcel->batch->bytes);
    }
    *more = sender->waiting != NULL;
    pthread_mutex_unlock(&sender->lock);
    return due;
}

bool tail_sender_work(struct tail_sender *sender, bool all)
{
    bool more;
    struct parcel *due = take_due(sender, all ? INT64_MAX : clock_monotonic_nanos(), &more);

    while (due != NULL) {
        struct parcel *next = due->next;
        attempt(due);
        due = next;
    }
    return more || tail_sender_bytes(sender) > 0;
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
    list = sender->waiting;
    sender->waiting = NULL;
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
