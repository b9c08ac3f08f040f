/*
 * The way of one message: decoded, emitted under a receipt that waits for *durable*, and settled when that tells.
 *
 * What the pipeline can't take now (a full queue, a dead destination, the memory limit) is tried again for as long as it takes, its
 * partition paused meanwhile. What can never be taken, malformed messages among it, is counted, logged and passed over.
 */
#include <ctype.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "receivers/kafka/kafka.h"

enum { HEADERS_MAX = 64, HEADER_NAME_MAX = 128, HEADER_BYTES_MAX = 64 << 10 };
static const char transport[] = "kafka";

static const struct kafka_backoff usual_backoff = {
    .initial_interval_ns = 500 * NANOS_PER_MILLI,
    .max_interval_ns = 30 * NANOS_PER_SECOND,
    .multiplier = 1.5,
    .randomization_factor = 0.5,
};

static const struct kafka_rule *rule_of(const struct kafka_tracked *tracked)
{
    return tracked->partition->rule;
}

static enum signal signal_of(const struct kafka_tracked *tracked)
{
    return rule_of(tracked)->format.signal;
}

/* ---- later ---- */

static int64_t delay_after(const struct kafka_backoff *backoff, unsigned failures)
{
    double interval_ns = (double)backoff->initial_interval_ns, spread;

    for (unsigned i = 1; i < failures && interval_ns < (double)backoff->max_interval_ns; i++)
        interval_ns *= backoff->multiplier;
    if (interval_ns > (double)backoff->max_interval_ns)
        interval_ns = (double)backoff->max_interval_ns;
    spread = interval_ns * backoff->randomization_factor;
    return (int64_t)(interval_ns - spread + 2 * spread * random_unit());
}

/* Only when the user says so twice: by marking on errors, and by an end to the attempts. */
static bool is_given_up(const struct kafka_receiver *receiver, const struct kafka_tracked *tracked)
{
    const struct kafka_backoff *backoff = &receiver->backoff;

    return receiver->mark_on_error && backoff->enabled && backoff->max_elapsed_time_ns > 0 &&
           clock_monotonic_nanos() - tracked->first_failed_ns > backoff->max_elapsed_time_ns;
}

static void give_up(struct kafka_consumer *consumer, struct kafka_tracked *tracked)
{
    log_error(consumer->path, "gave up message %lld of %s [%d]: refused for longer than error_backoff.max_elapsed_time",
        (long long)tracked->offset, tracked->partition->topic, (int)tracked->partition->number);
    component_count_dropped(
        &consumer->receiver->base, signal_of(tracked), "given_up", tracked->batch != NULL ? tracked->batch->records : 1);
    kafka_tracked_settle(tracked);
}

/* The message waits, and its partition with it. */
static void defer(struct kafka_consumer *consumer, struct kafka_tracked *tracked, struct outcome outcome)
{
    const struct kafka_backoff *backoff = consumer->receiver->backoff.enabled ? &consumer->receiver->backoff : &usual_backoff;
    int64_t now_ns = clock_monotonic_nanos(), delay_ns;

    if (tracked->failures++ == 0)
        tracked->first_failed_ns = now_ns;
    if (is_given_up(consumer->receiver, tracked)) {
        give_up(consumer, tracked);
        return;
    }
    delay_ns = delay_after(backoff, tracked->failures);
    if (delay_ns < outcome.retry_after_ns)
        delay_ns = outcome.retry_after_ns;
    tracked->due_ns = now_ns + delay_ns;
    if (tracked->state == KAFKA_UNDER_WAY) {
        tracked->state = KAFKA_WAITING;
        tracked->partition->waiting++;
    }
    kafka_consumer_pause(consumer, tracked->partition, true);
    if (!consumer->pipeline.failing)
        log_warn(consumer->path, "the pipeline can't take messages now (%s): they are tried again until it does",
            outcome.reason != NULL ? outcome.reason : "refused");
    consumer->pipeline.failing = true;
}

/* ---- headers ---- */

static size_t find_extras(
    const struct kafka_receiver *receiver, const rd_kafka_headers_t *headers, struct kafka_extra extras[HEADERS_MAX], struct buffer *names)
{
    size_t starts[HEADERS_MAX], count = 0;
    const void *value;
    const char *name;
    size_t size;

    for (size_t i = 0; i < receiver->headers.count && count < HEADERS_MAX; i++) {
        for (size_t at = 0; rd_kafka_header_get_all(headers, at, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; at++) {
            if (strcmp(name, receiver->headers.items[i]) != 0)
                continue;
            starts[count] = names->size;
            buffer_printf(names, "kafka.header.%s", name);
            buffer_append_byte(names, 0);
            extras[count++].value = slice_of(value, size);
            break;
        }
    }
    for (size_t i = 0; i < count && !names->failed; i++)
        extras[i].key = (const char *)names->data + starts[i];
    return names->failed ? 0 : count;
}

static bool lower_name(const char *name, char out[HEADER_NAME_MAX])
{
    size_t size = strlen(name);

    if (size >= HEADER_NAME_MAX)
        return false;
    for (size_t i = 0; i <= size; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    return true;
}

/* The headers as the request's metadata, for exporters and batchers that ask for it. NULL: none, or memory is out. */
static struct metadata *metadata_of(const rd_kafka_headers_t *headers)
{
    struct metadata_entry entries[HEADERS_MAX];
    char names[HEADERS_MAX][HEADER_NAME_MAX];
    size_t count = 0, bytes = 0, size;
    const void *value;
    const char *name;

    for (size_t at = 0; count < HEADERS_MAX && rd_kafka_header_get_all(headers, at, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         at++) {
        if (!lower_name(name, names[count]) || (bytes += size) > HEADER_BYTES_MAX)
            continue;
        entries[count] = (struct metadata_entry){ names[count], slice_of(value, size) };
        count++;
    }
    return count > 0 ? metadata_create(entries, count) : NULL;
}

/* ---- from the message to the batch ---- */

static void free_message(void *message)
{
    rd_kafka_message_destroy(message);
}

static void pass_over(struct kafka_consumer *consumer, struct kafka_tracked *tracked, const char *fault)
{
    log_error(consumer->path, "malformed %s message %lld of %s [%d] is passed over: %s", signal_name(signal_of(tracked)),
        (long long)tracked->offset, tracked->partition->topic, (int)tracked->partition->number, fault);
    component_count_dropped(&consumer->receiver->base, signal_of(tracked), "malformed", 1);
    kafka_tracked_settle(tracked);
}

/* Returns false when the message is dealt with, or waits. */
static bool take_decoded(
    struct kafka_consumer *consumer, struct kafka_tracked *tracked, const struct kafka_decode *decode, const rd_kafka_headers_t *headers)
{
    if (decode->repaired > 0)
        component_count_repaired(&consumer->receiver->base, signal_of(tracked), decode->repaired);
    if (decode->payload == NULL) { /* a request of no records */
        kafka_tracked_settle(tracked);
        return false;
    }
    tracked->batch = batch_create(signal_of(tracked), decode->payload, decode->records, NULL);
    if (tracked->batch == NULL) {
        defer(consumer, tracked, outcome_retry("no_memory", 0));
        return false;
    }
    if (headers != NULL)
        tracked->batch->metadata = metadata_of(headers);
    free_message(tracked->raw);
    tracked->raw = NULL;
    return true;
}

static bool decode(struct kafka_consumer *consumer, struct kafka_tracked *tracked)
{
    const rd_kafka_message_t *message = tracked->raw;
    rd_kafka_headers_t *headers = NULL;
    struct kafka_extra extras[HEADERS_MAX];
    struct buffer names = { 0 };
    struct kafka_decode decode = { .format = &rule_of(tracked)->format, .message = slice_of(message->payload, message->len) };
    enum kafka_decoding result;

    if (!component_admit(&consumer->receiver->base, message->len)) {
        defer(consumer, tracked, outcome_retry("memory", 0));
        return false;
    }
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        headers = NULL;
    if (headers != NULL && consumer->receiver->extract_headers)
        decode.extra_count = find_extras(consumer->receiver, headers, extras, &names);
    decode.extras = extras;
    decode.now_ns = clock_wall_nanos();
    result = kafka_decode(&consumer->decoder, &decode);
    buffer_fini(&names);
    if (result == KAFKA_DECODED)
        return take_decoded(consumer, tracked, &decode, headers);
    if (result == KAFKA_MALFORMED)
        pass_over(consumer, tracked, decode.fault);
    else
        defer(consumer, tracked, outcome_retry("no_memory", 0));
    return false;
}

/* One attempt; the message is WAITING, and counted so. */
static void attempt(struct kafka_consumer *consumer, struct kafka_tracked *tracked)
{
    struct receipt *receipt;
    struct batch *copy;

    if (tracked->batch == NULL && !decode(consumer, tracked))
        return;
    receipt = kafka_tracked_receipt(tracked, consumer->inbox);
    if (receipt == NULL) {
        defer(consumer, tracked, outcome_retry("no_memory", 0));
        return;
    }
    tracked->partition->waiting--;
    copy = batch_share_with(tracked->batch, receipt); /* without memory the receipt tells so */
    component_emit(&consumer->receiver->base, copy);
}

void kafka_consumer_take(struct kafka_consumer *consumer, rd_kafka_message_t *message)
{
    struct kafka_partition *partition = kafka_consumer_partition(consumer, rd_kafka_topic_name(message->rkt), message->partition);
    struct kafka_tracked *tracked;

    /* not ours any more, or read again after a pause */
    if (partition == NULL || partition->rule == NULL || kafka_partition_has(partition, message->offset)) {
        rd_kafka_message_destroy(message);
        return;
    }
    tracked = kafka_partition_add(partition, message->offset, message->len);
    if (tracked == NULL) { /* it would be committed over: begin again at what is committed */
        log_error(consumer->path, "out of memory, the consumer is made anew");
        consumer->broken = true;
        rd_kafka_message_destroy(message);
        return;
    }
    tracked->raw = message;
    tracked->free_raw = free_message;
    if (!partition->seen) {
        partition->seen = true;
        kafka_consumer_pause(consumer, partition, partition->paused); /* when all are */
    }
    if (message->payload == NULL || message->len == 0)
        kafka_tracked_settle(tracked); /* a tombstone says nothing */
    else
        attempt(consumer, tracked);
}

/* ---- what became of it ---- */

static void conclude(struct kafka_consumer *consumer, struct kafka_tracked *tracked)
{
    struct component *base = &consumer->receiver->base;
    struct outcome outcome = tracked->outcome;

    if (outcome.verdict == VERDICT_RETRY) {
        defer(consumer, tracked, outcome);
        return;
    }
    component_count_received(base, signal_of(tracked), transport, tracked->batch->records, outcome);
    if (outcome.verdict == VERDICT_REJECTED)
        log_error(base->path, "%zu %s of message %lld of %s [%d] were refused for good (%s) and are passed over", tracked->batch->records,
            signal_record_name(signal_of(tracked)), (long long)tracked->offset, tracked->partition->topic, (int)tracked->partition->number,
            outcome.reason != NULL ? outcome.reason : "refused");
    if (consumer->pipeline.failing && tracked->failures > 0) {
        consumer->pipeline.failing = false;
        log_info(base->path, "the pipeline takes messages again");
    }
    kafka_tracked_settle(tracked);
}

void kafka_consumer_collect(struct kafka_consumer *consumer)
{
    struct kafka_tracked *tracked = kafka_inbox_take(consumer->inbox);

    while (tracked != NULL) {
        struct kafka_tracked *next = tracked->next_told;

        conclude(consumer, tracked);
        tracked = next;
    }
}

static void try_partition_again(struct kafka_consumer *consumer, struct kafka_partition *partition)
{
    int64_t now_ns = clock_monotonic_nanos();
    struct kafka_tracked *tracked = partition->first;

    while (tracked != NULL && partition->waiting > 0) {
        size_t before = partition->messages;

        if (tracked->state == KAFKA_WAITING && tracked->due_ns <= now_ns)
            attempt(consumer, tracked);
        /* once one is settled any of those at the front may be gone */
        tracked = partition->messages == before ? tracked->next : partition->first;
    }
}

void kafka_consumer_try_again(struct kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->partition_count; i++) {
        struct kafka_partition *partition = consumer->partitions[i];

        if (partition->waiting > 0)
            try_partition_again(consumer, partition);
        if (partition->waiting == 0)
            kafka_consumer_pause(consumer, partition, false);
    }
}

size_t kafka_consumer_under_way(const struct kafka_consumer *consumer, size_t *messages)
{
    size_t bytes = 0;

    *messages = 0;
    for (size_t i = 0; i < consumer->partition_count; i++) {
        bytes += consumer->partitions[i]->bytes;
        *messages += consumer->partitions[i]->messages;
    }
    return bytes;
}
