/*
 * The sending queue on disk: what is in it is *durable*, and survives the process. In the place of queue.h when
 * sending_queue.storage names an extension.
 *
 * A source is told once its data is in the journal (and synced, unless the extension says fsync: false), a full queue or a full disk
 * refuses with retry. Records leave the journal when the destination has settled them; whatever was not settled when the
 * process ended comes again, so a crash may double what was under way, and loses nothing.
 */
#ifndef WEIR_COLLECTOR_DISK_QUEUE_H
#define WEIR_COLLECTOR_DISK_QUEUE_H

#include "collector/delivery.h"

struct disk_queue;

/* Opens nothing yet. Aborts when memory is out. */
struct disk_queue *disk_queue_create(const struct queue_settings *settings, struct consumer *next, enum signal signal);
/* In start: finds the extension, opens the journal. Batches that come before are refused as retry. */
bool disk_queue_start(struct disk_queue *queue, struct error *err);
struct consumer *disk_queue_entry(struct disk_queue *queue);
/* Takes nothing more in and starts nothing new; waits until what is under way has been settled, or `deadline_ns`. */
bool disk_queue_drain(struct disk_queue *queue, int64_t deadline_ns);
/* What is not settled stays on disk. NULL is fine. */
void disk_queue_destroy(struct disk_queue *queue);

#endif
