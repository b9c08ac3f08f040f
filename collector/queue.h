/*
 * The sending queue: bounded, in memory, with consumer threads of its own; batches on the way out when asked to.
 * What is in it is *accepted*, unless the settings say that the source waits for the result.
 */
#ifndef WEIR_COLLECTOR_QUEUE_H
#define WEIR_COLLECTOR_QUEUE_H

#include "collector/delivery.h"

struct queue;

/* Batches go to `next`, from up to num_consumers threads, which start when there is work. Aborts when memory is out. */
struct queue *queue_create(const struct queue_settings *settings, struct consumer *next, enum signal signal);

/* Do the memory queues, all together, hold more than is of use while their destinations are taking data? Any thread. */
bool queue_is_crowded(void);

/* Where to put batches in. */
struct consumer *queue_entry(struct queue *queue);

/* Whoever waits for room gives up (retry). Stays so until queue_resume. For reloading. */
void queue_interrupt(struct queue *queue);
void queue_resume(struct queue *queue);

/*
 * Takes nothing more in and hands out what is held, until empty or `deadline_ns` (monotonic). Returns whether it got empty.
 * Consumers may still be busy with what they took.
 */
bool queue_drain(struct queue *queue, int64_t deadline_ns);

/* Settles what is still held as retry (reason "shutdown"), waits for the consumers to return, frees. NULL is fine. */
void queue_destroy(struct queue *queue);

#endif
