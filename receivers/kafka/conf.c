/* The receiver's librdkafka configuration. Offsets are committed by the receiver alone: librdkafka neither stores nor commits any. */
#include <string.h>

#include "collector/base/clock.h"
#include "receivers/kafka/kafka.h"

/* Room for one answer beside the messages in it, and how much librdkafka reads ahead. */
enum {
    RESPONSE_EXTRA = 1 << 20,
    AHEAD_KBYTES = 16 << 10,
    AHEAD_MESSAGES = 10000,
    SMALLEST_RESPONSE = 100000000,
    UNLIMITED_FETCH = 50 << 20
};

static bool set_strategies(rd_kafka_conf_t *conf, const struct kafka_receiver *receiver, struct error *err)
{
    struct buffer list = { 0 };
    bool done;

    for (size_t i = 0; i < receiver->strategies.count; i++)
        buffer_printf(&list, "%s%s", i > 0 ? "," : "", receiver->strategies.items[i]);
    if (list.size == 0)
        buffer_append_string(&list, receiver->strategy != NULL ? receiver->strategy : "cooperative-sticky");
    done = kafka_conf_set(conf, "partition.assignment.strategy", buffer_string(&list), err);
    buffer_fini(&list);
    return done;
}

static bool set_group(rd_kafka_conf_t *conf, const struct kafka_receiver *receiver, struct error *err)
{
    const struct kafka_millis session = { receiver->session_timeout_ns, 1, 3600000 };
    const struct kafka_millis heartbeat = { receiver->heartbeat_interval_ns, 1, 3600000 };

    if (receiver->group_instance_id != NULL && *receiver->group_instance_id != '\0' &&
        !kafka_conf_set(conf, "group.instance.id", receiver->group_instance_id, err))
        return false;
    return kafka_conf_set(conf, "group.id", receiver->group_id, err) && set_strategies(conf, receiver, err) &&
           kafka_conf_set_millis(conf, "session.timeout.ms", session, err) &&
           kafka_conf_set_millis(conf, "heartbeat.interval.ms", heartbeat, err) &&
           kafka_conf_set(conf, "enable.auto.commit", "false", err) && kafka_conf_set(conf, "enable.auto.offset.store", "false", err) &&
           kafka_conf_set(conf, "auto.offset.reset", receiver->initial_offset == KAFKA_LATEST ? "latest" : "earliest", err);
}

static bool set_fetch(rd_kafka_conf_t *conf, const struct kafka_receiver *receiver, struct error *err)
{
    const struct kafka_millis wait = { receiver->max_fetch_wait_ns, 0, 300000 };
    int64_t most = receiver->max_fetch_size > 0 ? receiver->max_fetch_size : UNLIMITED_FETCH,
            partition = receiver->max_partition_fetch_size;

    if (most < partition)
        most = partition;
    return kafka_conf_set_number(conf, "fetch.min.bytes", receiver->min_fetch_size, err) &&
           kafka_conf_set_number(conf, "fetch.max.bytes", most, err) &&
           kafka_conf_set_number(conf, "max.partition.fetch.bytes", partition, err) &&
           kafka_conf_set_number(conf, "receive.message.max.bytes",
               most + RESPONSE_EXTRA > SMALLEST_RESPONSE ? most + RESPONSE_EXTRA : SMALLEST_RESPONSE, err) &&
           kafka_conf_set_millis(conf, "fetch.wait.max.ms", wait, err) &&
           kafka_conf_set_number(conf, "queued.max.messages.kbytes", AHEAD_KBYTES, err) &&
           kafka_conf_set_number(conf, "queued.min.messages", AHEAD_MESSAGES, err);
}

static bool set_rest(rd_kafka_conf_t *conf, const struct kafka_receiver *receiver, struct error *err)
{
    struct buffer blacklist = { 0 };
    bool done = true;

    kafka_rules_blacklist(receiver, &blacklist);
    if (blacklist.size > 0)
        done = kafka_conf_set(conf, "topic.blacklist", buffer_string(&blacklist), err);
    buffer_fini(&blacklist);
    if (receiver->rack_id != NULL && *receiver->rack_id != '\0')
        done = done && kafka_conf_set(conf, "client.rack", receiver->rack_id, err);
    return done;
}

rd_kafka_conf_t *kafka_consumer_conf(const struct kafka_receiver *receiver, struct kafka_client *client, struct error *err)
{
    rd_kafka_conf_t *conf = kafka_client_conf(&receiver->client, client, err);

    if (conf == NULL)
        return NULL;
    rd_kafka_conf_set_rebalance_cb(conf, kafka_consumer_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, kafka_consumer_committed);
    if (set_group(conf, receiver, err) && set_fetch(conf, receiver, err) && set_rest(conf, receiver, err))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}
