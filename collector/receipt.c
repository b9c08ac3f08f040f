/*
 * Receipts: two counters of pieces, not yet accepted and not yet settled, and the worst outcome so far.
 *
 * A leaf receipt belongs to a source and is told once; a joint receipt stands for a merged batch and passes both
 * events on to the receipts of what was merged. Whoever brings a counter to zero does the telling, and still holds
 * its own piece while it does, so a receipt cannot vanish under another thread.
 */
#include "collector/receipt.h"

#include <assert.h>
#include <stdlib.h>

struct joined {
    struct receipt *receipt;
    bool accepted;
};

struct receipt {
    atomic_uint unaccepted;
    atomic_uint unsettled;
    atomic_int verdict;
    atomic_int_fast64_t retry_after_ns;
    _Atomic(const char *) reason;
    enum receipt_level level;
    receipt_told told; /* NULL: a joint receipt */
    void *context;
    size_t joined_count;
    struct joined joined[];
};

static struct receipt *allocate(size_t joined_count)
{
    struct receipt *receipt = calloc(1, sizeof(*receipt) + joined_count * sizeof(receipt->joined[0]));

    if (receipt == NULL)
        return NULL;
    atomic_init(&receipt->unaccepted, 1);
    atomic_init(&receipt->unsettled, 1);
    receipt->joined_count = joined_count;
    return receipt;
}

struct receipt *receipt_create(enum receipt_level level, receipt_told told, void *context)
{
    struct receipt *receipt = allocate(0);

    if (receipt == NULL)
        return NULL;
    receipt->level = level;
    receipt->told = told;
    receipt->context = context;
    return receipt;
}

struct receipt *receipt_join(const struct batch *list, size_t count)
{
    struct receipt *receipt = allocate(count);
    size_t used = 0;

    if (receipt == NULL)
        return NULL;
    for (const struct batch *batch = list; batch != NULL; batch = batch->next) {
        if (batch->receipt != NULL)
            receipt->joined[used++] = (struct joined){ batch->receipt, batch->accepted };
    }
    receipt->joined_count = used;
    return receipt;
}

void receipt_hold(struct receipt *receipt, bool accepted)
{
    unsigned before = atomic_fetch_add(&receipt->unsettled, 1);

    assert(before > 0);
    if (!accepted)
        atomic_fetch_add(&receipt->unaccepted, 1);
}

bool receipt_is_awaited(const struct receipt *receipt)
{
    bool awaited = receipt->told != NULL && receipt->level == RECEIPT_DURABLE;

    for (size_t i = 0; i < receipt->joined_count && !awaited; i++)
        awaited = receipt_is_awaited(receipt->joined[i].receipt);
    return awaited;
}

/* Keeps the worst verdict and the longest delay of all pieces. */
static void worsen(struct receipt *receipt, struct outcome outcome)
{
    int verdict = atomic_load(&receipt->verdict);
    int_fast64_t delay = atomic_load(&receipt->retry_after_ns);

    while ((int)outcome.verdict > verdict) {
        if (atomic_compare_exchange_weak(&receipt->verdict, &verdict, (int)outcome.verdict)) {
            atomic_store(&receipt->reason, outcome.reason);
            break;
        }
    }
    while (outcome.retry_after_ns > delay && !atomic_compare_exchange_weak(&receipt->retry_after_ns, &delay, outcome.retry_after_ns))
        ;
}

static struct outcome worst_of(const struct receipt *receipt)
{
    return (struct outcome){ (enum verdict)atomic_load(&receipt->verdict), atomic_load(&receipt->retry_after_ns),
        atomic_load(&receipt->reason) };
}

/* Every piece is at least accepted. */
static void all_accepted(struct receipt *receipt)
{
    struct outcome worst = worst_of(receipt);

    if (receipt->told != NULL && receipt->level == RECEIPT_ACCEPTED)
        receipt->told(receipt->context, worst);
    for (size_t i = 0; i < receipt->joined_count; i++) {
        struct joined *joined = &receipt->joined[i];

        worsen(joined->receipt, worst);
        if (!joined->accepted)
            receipt_accept(joined->receipt);
        joined->accepted = true;
    }
}

static void all_settled(struct receipt *receipt)
{
    struct outcome worst = worst_of(receipt);

    if (receipt->told != NULL && receipt->level == RECEIPT_DURABLE)
        receipt->told(receipt->context, worst);
    for (size_t i = 0; i < receipt->joined_count; i++)
        receipt_settle(receipt->joined[i].receipt, worst, true);
    free(receipt);
}

void receipt_accept(struct receipt *receipt)
{
    unsigned before = atomic_fetch_sub(&receipt->unaccepted, 1);

    assert(before > 0);
    if (before == 1)
        all_accepted(receipt);
}

void receipt_settle(struct receipt *receipt, struct outcome outcome, bool accepted)
{
    unsigned before;

    worsen(receipt, outcome);
    if (!accepted)
        receipt_accept(receipt);
    before = atomic_fetch_sub(&receipt->unsettled, 1);
    assert(before > 0);
    if (before == 1)
        all_settled(receipt);
}
