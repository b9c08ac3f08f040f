/*
 * What requests that wait for their receipts hold of a receiver, for it may be gone by then: at a reload, its batches stay with others.
 * Threads: any.
 */
#ifndef WEIR_COLLECTOR_RECEIVER_LINK_H
#define WEIR_COLLECTOR_RECEIVER_LINK_H

#include <stdbool.h>

struct receiver_link;

/* In start(), with one reference, the receiver's; aborts when memory is out. */
struct receiver_link *receiver_link_create(void);
/* One reference more; returns the link. */
struct receiver_link *receiver_link_ref(struct receiver_link *link);
void receiver_link_unref(struct receiver_link *link);

/* In stop(): nobody uses the receiver when it returns. Takes the reference. NULL is fine. */
void receiver_link_cut(struct receiver_link *link);

/* Is the receiver still there? If so, it stays until receiver_link_leave, which has to be called either way. */
bool receiver_link_enter(struct receiver_link *link);
void receiver_link_leave(struct receiver_link *link);

#endif
