/* The producer's librdkafka configuration, and the producers made of it: one at the start, another when idempotence broke for good. */
#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "exporters/kafka/kafka.h"

enum { DEFAULT_TIMEOUT_SECONDS = 60, MOST_MESSAGES = 1000000 };

/* ---- the partitioner that librdkafka does not have ---- */

static int32_t round_robin(
    const rd_kafka_topic_t *topic, const void *key, size_t key_size, int32_t partitions, void *topic_opaque, void *opaque)
{
    static atomic_uint turn;
    int32_t partition = 0;

    (void)key;
    (void)key_size;
    (void)topic_opaque;
    (void)opaque;
    for (int32_t i = 0; i < partitions; i++) {
        partition = (int32_t)(atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % (unsigned)partitions);
        if (rd_kafka_topic_partition_available(topic, partition))
            break;
    }
    return partition;
}

/* First of all: it brings the topic settings that other properties then change. */
static bool set_partitioner(rd_kafka_conf_t *conf, const struct kafka_exporter *self, struct error *err)
{
    rd_kafka_topic_conf_t *topic_conf;

    if (!self->round_robin_present)
        return kafka_conf_set(conf, "partitioner", self->hasher == 0 ? "fnv1a_random" : "murmur2_random", err);
    topic_conf = rd_kafka_topic_conf_new();
    rd_kafka_topic_conf_set_partitioner_cb(topic_conf, round_robin);
    rd_kafka_conf_set_default_topic_conf(conf, topic_conf);
    return true;
}

/* ---- the rest ---- */

static bool set_acks(rd_kafka_conf_t *conf, const struct kafka_producer_settings *producer, struct error *err)
{
    static const char *const words[] = { "0", "1", "all", "all" };
    bool all = producer->required_acks >= KAFKA_ACKS_ALL_NUMBER;

    return kafka_conf_set(conf, "acks", words[producer->required_acks], err) &&
           kafka_conf_set(conf, "enable.idempotence", all ? "true" : "false", err);
}

static bool set_compression(rd_kafka_conf_t *conf, const struct kafka_producer_settings *producer, struct error *err)
{
    return kafka_conf_set(conf, "compression.type", producer->compression, err) &&
           (producer->compression_level == 0 || kafka_conf_set_number(conf, "compression.level", producer->compression_level, err));
}

/* Waiting messages are bounded by the batches under way, not by the producer. */
static bool set_sizes(rd_kafka_conf_t *conf, const struct kafka_producer_settings *producer, enum kafka_company company, struct error *err)
{
    int64_t most = producer->flush_max_messages > 0 ? producer->flush_max_messages : MOST_MESSAGES;

    return kafka_conf_set_number(conf, "message.max.bytes", producer->max_message_bytes, err) &&
           kafka_conf_set_number(conf, "batch.size", producer->max_message_bytes, err) &&
           kafka_conf_set_number(conf, "batch.num.messages", company == KAFKA_ALONE ? 1 : most, err) &&
           kafka_conf_set_number(conf, "queue.buffering.max.messages", 0, err) &&
           kafka_conf_set_number(conf, "queue.buffering.max.kbytes", INT32_MAX, err);
}

static bool set_times(rd_kafka_conf_t *conf, const struct kafka_exporter *self, struct error *err)
{
    int64_t timeout_ns = self->timeout_ns > 0 ? self->timeout_ns : DEFAULT_TIMEOUT_SECONDS * NANOS_PER_SECOND;
    const struct kafka_millis request = { timeout_ns, 1000, 300000 };
    const struct kafka_millis delivery = { self->producer.delivery_timeout_ns, 10, INT32_MAX };
    const struct kafka_millis linger = { self->producer.linger_ns, 0, 900000 };

    return kafka_conf_set_millis(conf, "socket.timeout.ms", request, err) &&
           kafka_conf_set_millis(conf, "request.timeout.ms", request, err) &&
           kafka_conf_set_millis(conf, "message.timeout.ms", delivery, err) && kafka_conf_set_millis(conf, "linger.ms", linger, err);
}

rd_kafka_conf_t *kafka_exporter_conf(
    const struct kafka_exporter *self, enum kafka_company company, struct kafka_client *client, struct error *err)
{
    const struct kafka_producer_settings *producer = &self->producer;
    rd_kafka_conf_t *conf = kafka_client_conf(&self->client, client, err);

    if (conf == NULL)
        return NULL;
    if (set_partitioner(conf, self, err) && set_acks(conf, producer, err) && set_compression(conf, producer, err) &&
        set_sizes(conf, producer, company, err) && set_times(conf, self, err) &&
        kafka_conf_set(conf, "allow.auto.create.topics", producer->allow_auto_topic_creation ? "true" : "false", err))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

/* ---- producers ---- */

static struct kafka_producer *create(const struct kafka_exporter *self, enum kafka_company company, struct error *err)
{
    struct kafka_client *client = kafka_producer_client(self->base.path);
    rd_kafka_conf_t *conf = kafka_exporter_conf(self, company, client, err);

    if (conf == NULL) {
        kafka_producer_client_destroy(client);
        return NULL;
    }
    return kafka_producer_create(conf, client, err);
}

static void say_broken(const struct kafka_exporter *self, const struct error *why)
{
    log_error(
        self->base.path, "the producer had to be replaced; what it had under way is sent again, and may arrive twice: %s", why->message);
}

struct kafka_producer *kafka_exporter_producer(struct kafka_exporter *self, enum kafka_company company, struct error *err)
{
    struct kafka_producer *producer, *old = NULL;
    struct error why = { "" };

    pthread_mutex_lock(&self->lock);
    producer = self->producers[company];
    if (producer != NULL && kafka_producer_broken(producer, &why)) {
        old = producer;
        producer = NULL;
    }
    if (producer == NULL)
        producer = self->producers[company] = create(self, company, err);
    if (producer != NULL)
        kafka_producer_ref(producer);
    pthread_mutex_unlock(&self->lock);
    if (old != NULL) {
        say_broken(self, &why);
        kafka_producer_purge(old);
        kafka_producer_unref(old);
    }
    return producer;
}
