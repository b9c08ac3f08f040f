/*
 * The consumer: one member of a group, on a thread of its own.
 *
 * The thread polls librdkafka, hands messages in, collects what receipts told, and commits. When too much is under way all partitions
 * are paused until half of it has settled; nothing is buffered here. A consumer that librdkafka calls broken for good is closed and
 * made anew.
 * Limits: max_under_way_mib, and UNDER_WAY_MESSAGES messages.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "receivers/kafka/kafka.h"

enum { UNDER_WAY_MESSAGES = 20000, AT_ONCE = 100, BUSY_MILLIS = 10, QUIET_MILLIS = 100, LIST_MILLIS = 2000 };
static const int64_t look_interval_ns = NANOS_PER_SECOND, reopen_wait_ns = 10 * NANOS_PER_SECOND;
static const int64_t first_refresh_ns = NANOS_PER_SECOND, longest_refresh_ns = 30 * NANOS_PER_SECOND;

/* ---- opening ---- */

static bool open_session(struct kafka_consumer *consumer, struct error *err)
{
    consumer->session = kafka_session_open(consumer, err);
    if (consumer->session == NULL)
        return false;
    consumer->handle = consumer->session->handle;
    consumer->subscribed = 0;
    consumer->broken = consumer->paused = consumer->topics_missing = false;
    consumer->refresh_interval_ns = first_refresh_ns;
    consumer->next_commit_ns = consumer->next_look_ns = consumer->next_refresh_ns = 0;
    return true;
}

static void close_session(struct kafka_consumer *consumer)
{
    if (consumer->session == NULL)
        return;
    kafka_session_close(consumer->session);
    consumer->session = NULL;
    consumer->handle = NULL;
    while (consumer->partition_count > 0) /* what was not given up in time */
        kafka_partition_destroy(consumer->partitions[--consumer->partition_count], consumer->inbox);
    consumer->recent = NULL;
}

struct kafka_consumer *kafka_consumer_create(struct kafka_receiver *receiver, struct error *err)
{
    struct kafka_consumer *consumer = calloc(1, sizeof(*consumer));

    if (consumer == NULL)
        abort();
    consumer->path = receiver->base.path;
    consumer->receiver = receiver;
    consumer->inbox = kafka_inbox_create();
    if (kafka_rules_init(consumer->rules, receiver, err) && open_session(consumer, err))
        return consumer;
    kafka_consumer_destroy(consumer);
    return NULL;
}

void kafka_consumer_destroy(struct kafka_consumer *consumer)
{
    if (consumer == NULL)
        return;
    atomic_store(&consumer->stopping, true);
    if (consumer->thread_started)
        pthread_join(consumer->thread, NULL);
    close_session(consumer);
    kafka_inbox_unref(consumer->inbox);
    kafka_rules_fini(consumer->rules);
    kafka_decoder_fini(&consumer->decoder);
    free(consumer->partitions);
    free(consumer);
}

/* ---- subscribing ---- */

static unsigned signals_taken(const struct kafka_consumer *consumer)
{
    unsigned taken = 0;

    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++)
        taken |= component_takes(&consumer->receiver->base, (enum signal)signal) ? 1U << signal : 0;
    return taken;
}

/* The pipelines may have changed at a reload. */
static void subscribe(struct kafka_consumer *consumer)
{
    unsigned taken = signals_taken(consumer);
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t error;

    if (taken == consumer->subscribed)
        return;
    list = rd_kafka_topic_partition_list_new(8);
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        const struct option_strings *topics = &consumer->rules[signal].topics;

        for (size_t i = 0; (taken & 1U << signal) != 0 && i < topics->count; i++)
            rd_kafka_topic_partition_list_add(list, topics->items[i], RD_KAFKA_PARTITION_UA);
    }
    error = list->cnt > 0 ? rd_kafka_subscribe(consumer->handle, list) : rd_kafka_unsubscribe(consumer->handle);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_error(consumer->path, "could not subscribe: %s", rd_kafka_err2str(error));
    else
        consumer->subscribed = taken;
    consumer->refresh_interval_ns = first_refresh_ns;
}

static bool is_listed(const struct rd_kafka_metadata *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (metadata->topics[i].partition_cnt > 0 && strcmp(metadata->topics[i].topic, topic) == 0)
            return true;
    }
    return false;
}

static bool are_all_listed(const struct kafka_consumer *consumer, const struct rd_kafka_metadata *metadata)
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        const struct option_strings *topics = &consumer->rules[signal].topics;

        for (size_t i = 0; (consumer->subscribed & 1U << signal) != 0 && i < topics->count; i++) {
            if (topics->items[i][0] != '^' && !is_listed(metadata, topics->items[i]))
                return false;
        }
    }
    return true;
}

/* A topic that is not there yet is found when all topics are listed; by itself librdkafka does so every metadata.refresh_interval only. */
static void look_for_topics(struct kafka_consumer *consumer)
{
    const struct rd_kafka_metadata *metadata;

    if (rd_kafka_metadata(consumer->handle, 1, NULL, &metadata, LIST_MILLIS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    consumer->topics_missing = !are_all_listed(consumer, metadata);
    rd_kafka_metadata_destroy(metadata);
}

/* ---- the loop ---- */

static void on_error(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    char text[512];

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return;
    if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        consumer->topics_missing = true;
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_fatal_error(consumer->handle, text, sizeof(text));
        log_error(consumer->path, "the consumer can't go on and is made anew: %s", text);
        consumer->broken = true;
        return;
    }
    kafka_client_complain(&consumer->session->client, rd_kafka_message_errstr(message));
}

static bool is_full(const struct kafka_consumer *consumer, unsigned share)
{
    size_t messages, bytes = kafka_consumer_under_way(consumer, &messages);
    size_t most = (size_t)consumer->receiver->max_under_way_mib << 20;

    return bytes >= most / share || messages >= UNDER_WAY_MESSAGES / share;
}

static void press(struct kafka_consumer *consumer)
{
    if (!consumer->paused && is_full(consumer, 1))
        kafka_consumer_pause_all(consumer, true);
    else if (consumer->paused && !is_full(consumer, 2))
        kafka_consumer_pause_all(consumer, false);
}

static void read_messages(struct kafka_consumer *consumer, int millis)
{
    for (int i = 0; i < AT_ONCE && !consumer->broken; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->handle, i == 0 ? millis : 0);

        if (message == NULL)
            return;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            on_error(consumer, message);
            rd_kafka_message_destroy(message);
            continue;
        }
        if (atomic_load_explicit(&consumer->session->client.failing, memory_order_relaxed))
            kafka_client_works(&consumer->session->client);
        kafka_consumer_take(consumer, message);
    }
}

static void keep_house(struct kafka_consumer *consumer)
{
    int64_t now_ns = clock_monotonic_nanos();

    if (now_ns >= consumer->next_commit_ns || !consumer->receiver->autocommit) {
        kafka_consumer_commit(consumer);
        consumer->next_commit_ns = now_ns + consumer->receiver->autocommit_interval_ns;
    }
    if (now_ns >= consumer->next_look_ns) {
        subscribe(consumer);
        consumer->next_look_ns = now_ns + look_interval_ns;
    }
    if (consumer->topics_missing && now_ns >= consumer->next_refresh_ns) {
        look_for_topics(consumer);
        consumer->next_refresh_ns = now_ns + consumer->refresh_interval_ns;
        if (consumer->refresh_interval_ns < longest_refresh_ns)
            consumer->refresh_interval_ns *= 2;
    }
}

static void serve(struct kafka_consumer *consumer)
{
    while (!atomic_load(&consumer->stopping) && !consumer->broken) {
        size_t messages;

        kafka_consumer_collect(consumer);
        kafka_consumer_try_again(consumer);
        press(consumer);
        keep_house(consumer);
        kafka_consumer_under_way(consumer, &messages);
        read_messages(consumer, messages > 0 ? BUSY_MILLIS : QUIET_MILLIS);
    }
}

static void wait_to_reopen(const struct kafka_consumer *consumer)
{
    struct timespec pause = { 0, QUIET_MILLIS * NANOS_PER_MILLI };
    int64_t until_ns = clock_monotonic_nanos() + reopen_wait_ns;

    while (!atomic_load(&consumer->stopping) && clock_monotonic_nanos() < until_ns)
        nanosleep(&pause, NULL);
}

static void *run(void *context)
{
    struct kafka_consumer *consumer = context;
    struct error err = { "" };

    pthread_setname_np(pthread_self(), "weir-kafka-in");
    while (!atomic_load(&consumer->stopping)) {
        if (consumer->session == NULL && !open_session(consumer, &err))
            log_error(consumer->path, "could not open a consumer: %s", err.message);
        else
            serve(consumer);
        close_session(consumer);
        if (!atomic_load(&consumer->stopping))
            wait_to_reopen(consumer);
    }
    return NULL;
}

bool kafka_consumer_start(struct kafka_consumer *consumer, struct error *err)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&consumer->thread, NULL, run, consumer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    consumer->thread_started = result == 0;
    return result == 0 || fail(err, "could not start a thread: %s", strerror(result));
}
