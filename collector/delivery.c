/* Puts the chain queue -> retry -> exporter together, one for each signal of an exporter, and takes it down again. */
#include "collector/delivery.h"

#include <stdlib.h>

#include "collector/disk_queue.h"
#include "collector/queue.h"
#include "collector/retry.h"

struct delivery {
    struct retry retry;
    struct queue *queue;     /* in memory; or */
    struct disk_queue *disk; /* on disk; neither: the exporter takes batches on the pipeline's thread */
};

/* Without a queue the source waits for the result; the hand-over to threads stays, so that no event loop blocks. */
enum { UNQUEUED_REQUESTS = 1000 };

static struct queue_settings effective(const struct queue_settings *configured, enum signal signal)
{
    struct queue_settings settings = *configured;

    if (!settings.enabled) {
        settings.wait_for_result = true;
        settings.batch_present = false;
        settings.sizer = SIZER_REQUESTS;
        settings.queue_size = UNQUEUED_REQUESTS;
    }
    if (signal == SIGNAL_PROFILES) /* two requests' dictionaries do not merge */
        settings.batch_present = false;
    return settings;
}

struct delivery *delivery_create(struct component *exporter, enum signal signal)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    size_t offset = exporter->type->delivery_offset;

    if (delivery == NULL)
        abort();
    if (offset == 0) {
        retry_init(&delivery->retry, exporter, &(struct retry_settings){ .enabled = false });
        return delivery;
    }
    const struct delivery_settings *settings = (const struct delivery_settings *)((const char *)exporter + offset);
    struct queue_settings queue = effective(&settings->queue, signal);

    struct retry_settings retry = settings->retry;

    if (queue.enabled && queue.storage != NULL) {
        retry.max_elapsed_time_ns = 0; /* what was acknowledged as durable is never given up */
        retry_init(&delivery->retry, exporter, &retry);
        delivery->disk = disk_queue_create(&queue, &delivery->retry.consumer, signal);
        return delivery;
    }
    retry_init(&delivery->retry, exporter, &retry);
    delivery->queue = queue_create(&queue, &delivery->retry.consumer, signal);
    return delivery;
}

bool delivery_start(struct delivery *delivery, struct error *err)
{
    return delivery->disk == NULL || disk_queue_start(delivery->disk, err);
}

struct consumer *delivery_entry(struct delivery *delivery)
{
    if (delivery->disk != NULL)
        return disk_queue_entry(delivery->disk);
    return delivery->queue != NULL ? queue_entry(delivery->queue) : &delivery->retry.consumer;
}

void delivery_hold_back(struct delivery *delivery, bool hold_back)
{
    if (delivery->queue == NULL)
        return;
    if (hold_back)
        queue_interrupt(delivery->queue);
    else
        queue_resume(delivery->queue);
}

bool delivery_drain(struct delivery *delivery, int64_t deadline_ns)
{
    if (delivery->disk != NULL)
        return disk_queue_drain(delivery->disk, deadline_ns);
    return delivery->queue == NULL || queue_drain(delivery->queue, deadline_ns);
}

void delivery_interrupt(struct delivery *delivery)
{
    retry_interrupt(&delivery->retry);
}

void delivery_destroy(struct delivery *delivery)
{
    if (delivery == NULL)
        return;
    queue_destroy(delivery->queue);
    disk_queue_destroy(delivery->disk);
    retry_fini(&delivery->retry);
    free(delivery);
}
