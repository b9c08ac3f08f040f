/*
 * Batches: handles over shared runs of bytes. Making, sharing, merging and settling cost one small
 * allocation each and never touch the bytes; only a cut through the middle of a run copies.
 */
#include "collector/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "collector/receipt.h"
#include "collector/wire/otlp.h"

static struct batch *allocate(enum signal signal, size_t run_count)
{
    struct batch *batch = malloc(sizeof(*batch) + run_count * sizeof(batch->runs[0]));

    if (batch == NULL)
        return NULL;
    memset(batch, 0, sizeof(*batch));
    batch->signal = signal;
    return batch;
}

/* Takes the run's reference. */
static void add_run(struct batch *batch, struct run run)
{
    batch->runs[batch->run_count++] = run;
    batch->records += run.records;
    batch->bytes += run.bytes.size;
}

static struct run run_ref(const struct run *run)
{
    payload_ref(run->payload);
    return *run;
}

struct batch *batch_create(enum signal signal, struct payload *payload, size_t records, struct receipt *receipt)
{
    struct batch *batch = allocate(signal, 1);

    if (batch == NULL) {
        payload_unref(payload);
        if (receipt != NULL)
            receipt_settle(receipt, outcome_retry("no_memory", 0), false);
        return NULL;
    }
    batch->receipt = receipt;
    add_run(batch, (struct run){ payload, payload_slice(payload), records });
    return batch;
}

struct batch *batch_share_with(const struct batch *batch, struct receipt *receipt)
{
    struct batch *copy = allocate(batch->signal, batch->run_count);

    if (copy == NULL) {
        if (receipt != NULL)
            receipt_settle(receipt, outcome_retry("no_memory", 0), false);
        return NULL;
    }
    for (size_t i = 0; i < batch->run_count; i++)
        add_run(copy, run_ref(&batch->runs[i]));
    copy->receipt = receipt;
    copy->metadata = metadata_ref(batch->metadata);
    return copy;
}

struct batch *batch_share(struct batch *batch)
{
    struct batch *copy = batch_share_with(batch, NULL);

    if (copy == NULL || batch->receipt == NULL)
        return copy;
    receipt_hold(batch->receipt, batch->accepted);
    copy->receipt = batch->receipt;
    copy->accepted = batch->accepted;
    return copy;
}

static void free_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->run_count; i++)
        payload_unref(batch->runs[i].payload);
    metadata_unref(batch->metadata);
    free(batch);
}

static void settle_list(struct batch *list, struct outcome outcome)
{
    while (list != NULL) {
        struct batch *next = list->next;

        batch_settle(list, outcome);
        list = next;
    }
}

struct batch *batch_merge(struct batch *list, size_t count)
{
    size_t run_count = 0, receipts = 0;
    struct batch *merged;

    if (count == 1)
        return list;
    for (const struct batch *batch = list; batch != NULL; batch = batch->next) {
        assert(batch->signal == list->signal);
        run_count += batch->run_count;
        receipts += batch->receipt != NULL;
    }
    merged = allocate(list->signal, run_count);
    if (merged != NULL && receipts > 0)
        merged->receipt = receipt_join(list, count);
    if (merged == NULL || (receipts > 0 && merged->receipt == NULL)) {
        free(merged);
        settle_list(list, outcome_retry("no_memory", 0));
        return NULL;
    }
    merged->metadata = list->metadata;
    list->metadata = NULL;
    while (list != NULL) {
        struct batch *next = list->next;

        for (size_t i = 0; i < list->run_count; i++)
            add_run(merged, list->runs[i]);
        list->run_count = 0; /* the references have moved, and so have the receipts */
        free_batch(list);
        list = next;
    }
    return merged;
}

struct batch *batch_replace(struct batch *batch, struct payload *payload, size_t records)
{
    for (size_t i = 0; i < batch->run_count; i++)
        payload_unref(batch->runs[i].payload);
    batch->run_count = 0;
    batch->records = batch->bytes = 0;
    if (payload != NULL)
        add_run(batch, (struct run){ payload, payload_slice(payload), records });
    return batch;
}

static struct payload *payload_of(const struct buffer *buffer)
{
    struct payload *payload = payload_create(buffer->size);

    if (payload == NULL)
        return NULL;
    if (buffer->size > 0)
        memcpy(payload->data, buffer->data, buffer->size);
    payload->size = buffer->size;
    return payload;
}

/* Cuts one run in two; both halves are copies. False, with nothing changed, when memory is out. */
static bool cut_run(enum signal signal, const struct run *run, struct otlp_split_limits limits, struct run halves[2])
{
    struct buffer head = { 0 }, tail = { 0 };
    size_t records = otlp_split(signal, run->bytes, limits, &head, &tail);
    struct payload *first = head.failed ? NULL : payload_of(&head), *second = tail.failed ? NULL : payload_of(&tail);

    buffer_fini(&head);
    buffer_fini(&tail);
    if (first == NULL || second == NULL) {
        payload_unref(first);
        payload_unref(second);
        return false;
    }
    halves[0] = (struct run){ first, payload_slice(first), records };
    halves[1] = (struct run){ second, payload_slice(second), run->records - records };
    return true;
}

/* How many whole runs fit; `left` is what the limits still allow behind them. */
static size_t whole_runs(const struct batch *batch, struct otlp_split_limits *left)
{
    size_t i = 0;

    for (; i < batch->run_count; i++) {
        const struct run *run = &batch->runs[i];

        if (run->records > left->max_records || run->bytes.size > left->max_bytes)
            break;
        left->max_records -= run->records;
        left->max_bytes -= run->bytes.size;
    }
    return i;
}

static bool within(const struct batch *batch, size_t max_records, size_t max_bytes)
{
    return (max_records == 0 || batch->records <= max_records) && (max_bytes == 0 || batch->bytes <= max_bytes);
}

/* Moves runs [0, whole) and the first half of a cut run to `head`, and closes the gap. */
static void move_front(struct batch *batch, struct batch *head, size_t whole, const struct run *halves)
{
    size_t kept = 0;

    for (size_t i = 0; i < whole; i++)
        add_run(head, batch->runs[i]);
    if (halves != NULL) {
        add_run(head, halves[0]);
        payload_unref(batch->runs[whole].payload);
        batch->runs[whole] = halves[1];
    }
    for (size_t i = whole; i < batch->run_count; i++)
        batch->runs[kept++] = batch->runs[i];
    batch->run_count = kept;
    batch->records = batch->bytes = 0;
    for (size_t i = 0; i < kept; i++) {
        batch->records += batch->runs[i].records;
        batch->bytes += batch->runs[i].bytes.size;
    }
}

struct batch *batch_split(struct batch *batch, size_t max_records, size_t max_bytes)
{
    /* 0 means "none" to the caller, but the limits are counted down here: none is the largest number */
    struct otlp_split_limits left = { max_records != 0 ? max_records : SIZE_MAX, max_bytes != 0 ? max_bytes : SIZE_MAX };
    struct run halves[2];
    struct batch *head;
    size_t whole;
    bool cut;

    if (batch->records <= 1 || within(batch, max_records, max_bytes))
        return NULL;
    whole = whole_runs(batch, &left);
    /* behind whole runs a part of the next one is worth a copy only when it fills up a record limit */
    cut = batch->runs[whole].records > 1 && left.max_records > 0 && (whole == 0 || (max_records != 0 && left.max_bytes > 0));
    if (whole == 0 && !cut)
        whole = 1; /* one record that is larger than the limit goes alone */
    head = allocate(batch->signal, whole + 1);
    if (head == NULL)
        return NULL;
    if (cut && !cut_run(batch->signal, &batch->runs[whole], left, halves)) {
        free(head);
        return NULL;
    }
    move_front(batch, head, whole, cut ? halves : NULL);
    head->metadata = metadata_ref(batch->metadata);
    head->receipt = batch->receipt;
    head->accepted = batch->accepted;
    if (head->receipt != NULL)
        receipt_hold(head->receipt, head->accepted);
    return head;
}

bool batch_is_awaited(const struct batch *batch)
{
    return batch->receipt != NULL && receipt_is_awaited(batch->receipt);
}

void batch_accept(struct batch *batch)
{
    if (batch->accepted)
        return;
    batch->accepted = true;
    if (batch->receipt != NULL)
        receipt_accept(batch->receipt);
}

void batch_settle(struct batch *batch, struct outcome outcome)
{
    struct receipt *receipt;
    bool accepted;

    if (batch == NULL)
        return;
    receipt = batch->receipt;
    accepted = batch->accepted;
    free_batch(batch); /* first: the source may answer by sending more, and finds the memory free */
    if (receipt != NULL)
        receipt_settle(receipt, outcome, accepted);
}

struct slice batch_flatten(const struct batch *batch, struct buffer *scratch)
{
    if (batch->run_count == 1)
        return batch->runs[0].bytes;
    buffer_clear(scratch);
    buffer_reserve(scratch, batch->bytes);
    for (size_t i = 0; i < batch->run_count; i++)
        buffer_append_slice(scratch, batch->runs[i].bytes);
    if (scratch->failed)
        return (struct slice){ NULL, 0 };
    return buffer_slice(scratch);
}
