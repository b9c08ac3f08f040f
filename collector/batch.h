/*
 * Batches, receipts and the hop between consumers.
 *
 * A batch is a handle with one owner: consume() takes it, and it ends in exactly one batch_settle(). What it points to,
 * runs of OTLP bytes of one signal in reference-counted payloads, is immutable and shared: fan-out and retry
 * make another handle, never a copy. Each run is a valid request by itself, so all of them, one
 * after the other, are one valid request too (protobuf concatenation merges repeated fields).
 *
 * A receipt is the promise to a source about one request. Every handle made of that request holds it. It is told
 * twice at most: when all pieces are at least *accepted* (in a bounded queue), and when all are *settled*
 * (durable, refused or dropped on purpose), with the worst verdict of all pieces.
 *
 * Threads: one handle is used by one thread at a time; receipts may be settled from any thread.
 */
#ifndef WEIR_COLLECTOR_BATCH_H
#define WEIR_COLLECTOR_BATCH_H

#include "collector/base/buffer.h"
#include "collector/base/payload.h"
#include "collector/base/slice.h"
#include "collector/wire/signal.h"

enum verdict {
    VERDICT_ACCEPTED, /* delivered, or dropped on purpose (filter, sampler) */
    VERDICT_RETRY,    /* not now: the sender may send it again */
    VERDICT_REJECTED, /* never */
};

/* What became of a batch, or of a piece of it. `reason` is a short static word for counters ("queue_full"). */
struct outcome {
    enum verdict verdict;
    int64_t retry_after_ns; /* with RETRY: not before; 0: up to the sender */
    const char *reason;     /* static; NULL when accepted */
};

#define OUTCOME_ACCEPTED ((struct outcome){ VERDICT_ACCEPTED, 0, NULL })
static inline struct outcome outcome_retry(const char *reason, int64_t retry_after_ns)
{
    return (struct outcome){ VERDICT_RETRY, retry_after_ns, reason };
}
static inline struct outcome outcome_rejected(const char *reason)
{
    return (struct outcome){ VERDICT_REJECTED, 0, reason };
}

/* ---- receipts ---- */

enum receipt_level {
    RECEIPT_ACCEPTED, /* told as soon as every piece is in a bounded queue, or settled */
    RECEIPT_DURABLE,  /* told when every piece is on disk or confirmed by its destination */
};

struct receipt;

/* Called once, from any thread, never while weir holds a lock. Must not block. */
typedef void (*receipt_told)(void *context, struct outcome worst);

/* One holder: the batch that is made with it. NULL when memory is out. */
struct receipt *receipt_create(enum receipt_level level, receipt_told told, void *context);

/* ---- metadata: what a request carried beside its payload (headers, client address), for batch.metadata_keys and the like ---- */

struct metadata; /* immutable, reference counted */

struct metadata_entry {
    const char *key; /* lower case */
    struct slice value;
};

/* Copies the entries. NULL when memory is out. */
struct metadata *metadata_create(const struct metadata_entry *entries, size_t count);
struct metadata *metadata_ref(struct metadata *metadata);
void metadata_unref(struct metadata *metadata);
/* nth value (from 0) of a key, in any case; an empty slice with data NULL when there is none. NULL metadata has none. */
struct slice metadata_get(const struct metadata *metadata, const char *key, size_t nth);

/* ---- batches ---- */

struct run {
    struct payload *payload; /* one reference is held */
    struct slice bytes;      /* a valid request of the batch's signal, within the payload */
    size_t records;
};

struct batch {
    enum signal signal;
    size_t records; /* of all runs */
    size_t bytes;   /* of all runs */
    struct receipt *receipt;   /* NULL: nobody waits */
    struct metadata *metadata; /* NULL: none; one reference is held */
    bool accepted;             /* this handle has told its receipt so */
    size_t run_count;
    struct batch *next;        /* for whoever holds it in a list */
    struct run runs[];
};

/*
 * Takes the payload (all of payload_slice) and the receipt. NULL when memory is out: then the payload is freed and
 * the receipt is settled with RETRY.
 */
struct batch *batch_create(enum signal signal, struct payload *payload, size_t records, struct receipt *receipt);

/* A second handle of the same bytes and the same receipt. NULL when memory is out. */
struct batch *batch_share(struct batch *batch);

/* A second handle of the same bytes under another receipt (taken; may be NULL). NULL when memory is out, the receipt is then settled with RETRY. */
struct batch *batch_share_with(const struct batch *batch, struct receipt *receipt);

/*
 * One batch of all of them, in order: takes every handle of the list linked by `next`; receipts are joined.
 * All must be of one signal; the first one's metadata is kept. NULL when memory is out: all are settled with RETRY.
 */
struct batch *batch_merge(struct batch *list, size_t count);

/* A handle of other bytes in the place of this one (an edited or filtered copy): takes both the handle and the payload; receipt and metadata move over. payload NULL: nothing is left, see batch_settle. */
struct batch *batch_replace(struct batch *batch, struct payload *payload, size_t records);

/*
 * Cuts off the first `max_records` records and at most `max_bytes` (0: no limit) of them, at least one record; both
 * handles hold the receipt. Returns the head, and leaves the rest in `batch`. Returns NULL when the whole
 * batch is within the limits (nothing to cut), or memory is out (batch as it was).
 */
struct batch *batch_split(struct batch *batch, size_t max_records, size_t max_bytes);

/* Does a source wait for more than *accepted*? Whoever holds the batch's bytes in memory then keeps its receipt open as long. */
bool batch_is_awaited(const struct batch *batch);

/* Tells the receipt that this piece is in a bounded queue. Called by queues, once; harmless without a receipt. */
void batch_accept(struct batch *batch);

/* Ends the handle: settles its piece of the receipt, unrefs the payloads, frees it. batch NULL is fine. */
void batch_settle(struct batch *batch, struct outcome outcome);

/* All bytes as one slice: the one run's own bytes, or a copy of all runs in `scratch`. data NULL: memory is out. */
struct slice batch_flatten(const struct batch *batch, struct buffer *scratch);

#endif
