/* The keys of sending_queue and retry_on_failure, and the checks across them. */
#include "collector/delivery.h"

#define BATCH(field) offsetof(struct batcher_settings, field)
#define QUEUE(field) offsetof(struct queue_settings, field)
#define RETRY(field) offsetof(struct retry_settings, field)

static const struct option partition_options[] = {
    { "metadata_keys", OPTION_STRINGS, BATCH(metadata_keys), NULL, NULL, "request metadata by whose values batches are kept apart" },
    { 0 },
};

const struct option sending_queue_batch_options[] = {
    { "flush_timeout", OPTION_DURATION, BATCH(flush_timeout_ns), "200ms", "1ns..", "longest time that data waits for a batch to fill" },
    { "min_size", OPTION_INT, BATCH(min_size), "8192", "0..", "a batch of this size goes at once" },
    { "max_size", OPTION_INT, BATCH(max_size), "0", "0..", "larger batches are cut; 0: never" },
    { "sizer", OPTION_ENUM, BATCH(sizer), NULL, "|items|bytes",
        "unit of the sizes; the queue's own when that is set to items or bytes, else items" },
    { "partition", OPTION_BLOCK, 0, NULL, NULL, "which data may share a batch", partition_options },
    { "min_size_items", OPTION_REMOVED, 0, NULL, NULL, "use min_size with sizer: items" },
    { "max_size_items", OPTION_REMOVED, 0, NULL, NULL, "use max_size with sizer: items" },
    { 0 },
};

const struct option sending_queue_options[] = {
    { "enabled", OPTION_BOOL, QUEUE(enabled), "true", NULL, "without a queue the source waits until the destination has answered" },
    { "num_consumers", OPTION_INT, QUEUE(num_consumers), "10", "1..1000", "requests that are sent at the same time" },
    { "queue_size", OPTION_INT, QUEUE(queue_size), "1000", "1..", "what the queue holds at most, in units of `sizer`" },
    { "sizer", OPTION_ENUM, QUEUE(sizer), "requests", "requests|items|bytes", "unit of queue_size" },
    { "block_on_overflow", OPTION_BOOL, QUEUE(block_on_overflow), "false", NULL,
        "wait for room instead of refusing when the queue is full" },
    { "wait_for_result", OPTION_BOOL, QUEUE(wait_for_result), "false", NULL, "answer the source only when the destination has answered" },
    { "storage", OPTION_ID, QUEUE(storage), NULL, NULL,
        "storage extension that keeps the queue on disk: then acknowledged means stored, and max_elapsed_time does not apply" },
    { "batch", OPTION_BLOCK, QUEUE(batch), NULL, NULL, "gathers requests on their way out of the queue", sending_queue_batch_options,
        .present = QUEUE(batch_present) },
    { "blocking", OPTION_REMOVED, 0, NULL, NULL, "use block_on_overflow" },
    { 0 },
};

static const struct option retry_options[] = {
    { "enabled", OPTION_BOOL, RETRY(enabled), "true", NULL, "try again when the destination is away or busy" },
    { "initial_interval", OPTION_DURATION, RETRY(initial_interval_ns), "5s", NULL, "wait before the second attempt" },
    { "randomization_factor", OPTION_DOUBLE, RETRY(randomization_factor), "0.5", "0..1",
        "each wait is this much shorter or longer, at random" },
    { "multiplier", OPTION_DOUBLE, RETRY(multiplier), "1.5", "0..", "each wait is so many times the one before" },
    { "max_interval", OPTION_DURATION, RETRY(max_interval_ns), "30s", NULL, "longest wait between attempts" },
    { "max_elapsed_time", OPTION_DURATION, RETRY(max_elapsed_time_ns), "5m", NULL, "after this time the data is given up; 0: never" },
    { 0 },
};

const struct option delivery_options[] = {
    { "sending_queue", OPTION_BLOCK, offsetof(struct delivery_settings, queue), NULL, NULL, "the queue in front of the exporter",
        sending_queue_options },
    { "retry_on_failure", OPTION_BLOCK, offsetof(struct delivery_settings, retry), NULL, NULL, "when sending fails for now",
        retry_options },
    { "batcher", OPTION_REMOVED, 0, NULL, NULL, "use sending_queue.batch" },
    { 0 },
};

static bool check_queue(struct queue_settings *queue, struct error *err)
{
    struct batcher_settings *batch = &queue->batch;

    if (!queue->enabled || !queue->batch_present)
        return true;
    if (batch->sizer == SIZER_REQUESTS)
        batch->sizer = queue->sizer == SIZER_REQUESTS ? SIZER_ITEMS : queue->sizer;
    if (batch->max_size > 0 && batch->max_size < batch->min_size)
        return fail(err, "sending_queue.batch: max_size must not be less than min_size");
    if (batch->sizer == queue->sizer && batch->min_size > queue->queue_size)
        return fail(err, "sending_queue.batch: min_size must not be more than queue_size: the queue would be full before a batch is");
    return true;
}

static bool check_retry(const struct retry_settings *retry, struct error *err)
{
    if (retry->max_elapsed_time_ns == 0)
        return true;
    if (retry->max_elapsed_time_ns < retry->initial_interval_ns)
        return fail(err, "retry_on_failure: max_elapsed_time must not be less than initial_interval");
    if (retry->max_elapsed_time_ns < retry->max_interval_ns)
        return fail(err, "retry_on_failure: max_elapsed_time must not be less than max_interval");
    return true;
}

bool delivery_settings_check(struct delivery_settings *settings, struct error *err)
{
    return check_queue(&settings->queue, err) && check_retry(&settings->retry, err);
}
