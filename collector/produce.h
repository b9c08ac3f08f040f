/*
 * Receivers that make their own batches and that nobody waits for an answer of (datagrams, scraped files): from OTLP bytes in a buffer to a batch that is
 * sent on, and its outcome counted, also when it is settled after the receiver has ended.
 */
#ifndef WEIR_COLLECTOR_PRODUCE_H
#define WEIR_COLLECTOR_PRODUCE_H

#include "collector/component.h"

struct producer;

/* `transport` as component_count_received has it; static. Aborts when memory is out. */
struct producer *producer_create(struct component *receiver, const char *transport);
/* In stop: what is still under way is not counted any more. NULL is fine. */
void producer_destroy(struct producer *producer);

/* Copies the bytes, a whole request, into a batch and sends it on. What cannot be sent is counted with its reason; the result says which. Any thread. */
bool produce(struct producer *producer, enum signal signal, const struct buffer *request, size_t records);

#endif
