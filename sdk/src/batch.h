/* Finished records to one Export*ServiceRequest: lengths are summed first, then everything is copied once. */
#ifndef WEIR_SDK_BATCH_H
#define WEIR_SDK_BATCH_H

#include "collector/base/buffer.h"
#include "sdk/src/queue.h"

/*
 * Takes up to `limit` records from the front of the list and appends a request of theirs to `out`; their slots are free afterwards.
 * Returns how many; 0 when the list is empty or memory is out (then the list is as before).
 */
uint32_t batch_write(struct record_list *list, uint32_t limit, struct slice resource, struct buffer *out);

#endif
