/* Receipts from the inside: only batches use this. The promise itself is described in batch.h. */
#ifndef WEIR_COLLECTOR_RECEIPT_H
#define WEIR_COLLECTOR_RECEIPT_H

#include "collector/batch.h"

/* One receipt for a merged batch: passes on to the receipts of all batches in the list. NULL when memory is out. */
struct receipt *receipt_join(const struct batch *list, size_t count);

/* One more piece; the caller holds one already. `accepted`: the new piece counts as accepted from the start. */
void receipt_hold(struct receipt *receipt, bool accepted);

/* Is there a source behind it that is told when all is durable, and not before? */
bool receipt_is_awaited(const struct receipt *receipt);

/* This piece is in a bounded queue. Once a piece. */
void receipt_accept(struct receipt *receipt);

/* This piece has ended; `accepted`: receipt_accept was called for it. The receipt may be gone afterwards. */
void receipt_settle(struct receipt *receipt, struct outcome outcome, bool accepted);

#endif
