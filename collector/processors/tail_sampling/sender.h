/*
 * What leaves the store, until the next stage has it: a refusal (retry) is not a loss, the spans are kept and sent again. What it keeps counts as
 * held. Outlives the processor as long as somebody downstream has not answered.
 *
 * Threads: any; one lock, never held while something is passed on.
 */
#ifndef WEIR_TAIL_SAMPLING_SENDER_H
#define WEIR_TAIL_SAMPLING_SENDER_H

#include "collector/component.h"

struct tail_sender;

/* Aborts when memory is out. */
struct tail_sender *tail_sender_create(struct component *owner);
/* The owner is gone: what is refused from now on is told so to whoever waits for it. NULL is fine. Returns the spans that were given up. */
size_t tail_sender_detach(struct tail_sender *sender);

/* Sends (takes) the batch. awaited: its receipt is to hear what the destination said; else it is enough that a queue has it. */
void tail_sender_send(struct tail_sender *sender, struct batch *batch, bool awaited);
/* Sends again what is due (all: its first part, now); call it every now and then. Returns whether something still waits for its next attempt. */
bool tail_sender_work(struct tail_sender *sender, bool all);

/* Bytes of what has been refused and waits. */
size_t tail_sender_bytes(const struct tail_sender *sender);

#endif
