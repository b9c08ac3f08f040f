/*
 * kafka exporter: a batch becomes messages, each a valid request (or, raw, one log record's body), and is settled when the broker has
 * confirmed them all.
 *
 * Differs from the OpenTelemetry Collector on purpose: required_acks is "all", and then the producer is idempotent. Only what
 * failed is sent again as long as part of a batch got through; a batch of which nothing did goes back to retry_on_failure.
 * Threads: consume blocks its (the queue's) thread until all delivery reports are there; num_consumers batches are under way.
 */
#include "exporters/kafka/kafka.h"

#include <string.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"

#define FIELD(field) offsetof(struct kafka_exporter, field)
#define SIGNAL(field) offsetof(struct kafka_signal_settings, field)
#define PRODUCER(field) offsetof(struct kafka_producer_settings, field)

/* ---- options ---- */

#define ENCODINGS "otlp_proto|otlp_json|raw|zipkin_json|zipkin_proto|jaeger_proto|jaeger_json"
#define TOPIC_OPTION(name)                                                                                                                 \
    {                                                                                                                                      \
        "topic", OPTION_STRING, SIGNAL(topic), name, "nonempty", "where messages go"                                                       \
    }

static const struct option signal_options[] = {
    { "encoding", OPTION_ENUM, SIGNAL(encoding), "otlp_proto", ENCODINGS,
        "form of the messages; raw (logs only): each record's body, text as it is; zipkin (traces only): version 2; jaeger is not "
        "supported" },
    { "topic_from_metadata_key", OPTION_STRING, SIGNAL(topic_from_metadata_key), NULL, NULL,
        "request metadata that names the topic; wins over topic_from_attribute, which wins over topic" },
    { "message_key_from_metadata_key", OPTION_STRING, SIGNAL(message_key_from_metadata_key), NULL, NULL,
        "request metadata that is the message key; not together with partition_*" },
    { 0 },
};
static const struct option traces_options[] = { TOPIC_OPTION("otlp_spans"), { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, signal_options },
    { 0 } };
static const struct option metrics_options[] = { TOPIC_OPTION("otlp_metrics"), { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, signal_options },
    { 0 } };
static const struct option logs_options[] = { TOPIC_OPTION("otlp_logs"), { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, signal_options },
    { 0 } };
static const struct option profiles_options[] = { TOPIC_OPTION("otlp_profiles"),
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, signal_options }, { 0 } };

static const struct option sticky_key_options[] = {
    { "hasher", OPTION_ENUM, FIELD(hasher), "sarama_compat", "sarama_compat|murmur2",
        "how a key is hashed; murmur2: as the Java client does" },
    { 0 },
};
static const struct option no_options[] = { { 0 } };
static const struct option partitioner_options[] = {
    { "sticky_key", OPTION_BLOCK, 0, NULL, NULL, "by the key's hash; without a key one partition for a while, then another",
        sticky_key_options, .present = FIELD(sticky_key_present) },
    { "round_robin", OPTION_BLOCK, 0, NULL, NULL, "one after the other, whatever the key", no_options,
        .present = FIELD(round_robin_present) },
    { "least_backup", OPTION_UNSUPPORTED, 0, NULL, NULL, "the partition with the fewest waiting messages" },
    { "extension", OPTION_UNSUPPORTED, 0, NULL, NULL, "an extension decides" },
    { 0 },
};

static const struct option compression_options[] = {
    { "level", OPTION_INT, PRODUCER(compression_level), "0", "0..12", "of the compression; 0: its default" },
    { 0 },
};

static const struct option producer_options[] = {
    { "max_message_bytes", OPTION_INT, PRODUCER(max_message_bytes), "1000000", "1000..1000000000",
        "a larger batch becomes several messages; not more than the brokers' message.max.bytes" },
    { "required_acks", OPTION_ENUM, PRODUCER(required_acks), "all", "0|1|-1|all",
        "who confirms: nobody, the leader, all in-sync replicas; the default differs from the collector's 1: only with \"all\" is what was "
        "confirmed "
        "safe when a broker dies, and the producer idempotent" },
    { "compression", OPTION_STRING, PRODUCER(compression), "none", "none|gzip|snappy|lz4|zstd", "of the requests" },
    { "compression_params", OPTION_BLOCK, 0, NULL, NULL, "how compression is done", compression_options },
    { "flush_max_messages", OPTION_INT, PRODUCER(flush_max_messages), "10000", "0..1000000", "most messages in one request; 0: no limit" },
    { "linger", OPTION_DURATION, PRODUCER(linger_ns), "10ms", "0s..15m", "how long messages wait for company" },
    { "allow_auto_topic_creation", OPTION_BOOL, PRODUCER(allow_auto_topic_creation), "true", NULL,
        "ask the brokers to create topics that are missing" },
    { "max_broker_write_bytes", OPTION_IGNORED, 0, "104857600", NULL,
        "a request holds one partition's messages, max_message_bytes at most" },
    { "delivery_timeout", OPTION_DURATION, PRODUCER(delivery_timeout_ns), "2m", "10ms..1h",
        "how long a message may wait for its confirmation, attempts of the producer's own included, before retry_on_failure has its turn",
        .flags = OPTION_WEIR },
    { 0 },
};

static const struct option dead_letter_options[] = {
    { "path", OPTION_STRING, FIELD(dead_letters.path), NULL, NULL,
        "file for what Kafka will never take (a record that is too large), one JSON object a line with the reason; without it such records "
        "are lost, and counted",
        .flags = OPTION_WEIR },
    { "max_size_mib", OPTION_INT, FIELD(dead_letter_max_mib), "100", "1..", "a fuller file takes no more", .flags = OPTION_WEIR },
    { 0 },
};

static const struct option options[] = {
    { "", OPTION_INCLUDE, FIELD(client), NULL, NULL, NULL, kafka_client_options },
    { "traces", OPTION_BLOCK, FIELD(signals[SIGNAL_TRACES]), NULL, NULL, "how spans are sent", traces_options },
    { "metrics", OPTION_BLOCK, FIELD(signals[SIGNAL_METRICS]), NULL, NULL, "how metrics are sent", metrics_options },
    { "logs", OPTION_BLOCK, FIELD(signals[SIGNAL_LOGS]), NULL, NULL, "how logs are sent", logs_options },
    { "profiles", OPTION_BLOCK, FIELD(signals[SIGNAL_PROFILES]), NULL, NULL, "how profiles are sent", profiles_options },
    { "topic", OPTION_REMOVED, 0, NULL, NULL, "set traces.topic, metrics.topic or logs.topic" },
    { "encoding", OPTION_REMOVED, 0, NULL, NULL, "set traces.encoding, metrics.encoding or logs.encoding" },
    { "topic_from_attribute", OPTION_STRING, FIELD(topic_from_attribute), NULL, NULL,
        "resource attribute that names the topic, for each resource" },
    { "include_metadata_keys", OPTION_STRINGS, FIELD(include_metadata_keys), NULL, NULL, "request metadata that becomes message headers" },
    { "record_headers", OPTION_PAIRS, FIELD(record_headers), NULL, NULL, "headers of every message" },
    { "partition_traces_by_id", OPTION_BOOL, FIELD(traces_by_id), "false", NULL, "a message for each trace, with its id as the key" },
    { "partition_metrics_by_resource_attributes", OPTION_BOOL, FIELD(metrics_by_resource), "false", NULL,
        "a message for each resource, with a hash of its attributes as the key" },
    { "partition_logs_by_resource_attributes", OPTION_BOOL, FIELD(logs_by_resource), "false", NULL,
        "a message for each resource, with a hash of its attributes as the key" },
    { "partition_logs_by_trace_id", OPTION_BOOL, FIELD(logs_by_trace_id), "false", NULL,
        "a message for each trace, with its id as the key" },
    { "record_partitioner", OPTION_BLOCK, 0, NULL, NULL, "how a message's partition is chosen; default: sticky_key", partitioner_options },
    { "producer", OPTION_BLOCK, FIELD(producer), NULL, NULL, "how requests are made", producer_options },
    { "timeout", OPTION_DURATION, FIELD(timeout_ns), "5s", NULL, "for one request's answer; then the producer itself sends it again" },
    { "dead_letter", OPTION_BLOCK, 0, NULL, NULL, "what becomes of records that Kafka will never take", dead_letter_options,
        .flags = OPTION_WEIR },
    { "", OPTION_INCLUDE, FIELD(delivery), NULL, NULL, NULL, delivery_options },
    { 0 },
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- checks ---- */

static bool check_encodings(const struct kafka_exporter *self, struct error *err)
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        int encoding = self->signals[signal].encoding;

        if (encoding >= KAFKA_ENCODINGS)
            return fail(
                err, "%s.encoding: this one is not supported; use otlp_proto, otlp_json or zipkin_json", signal_name((enum signal)signal));
        if (encoding == KAFKA_RAW && signal != SIGNAL_LOGS)
            return fail(err, "%s.encoding: raw is for logs only; use otlp_proto or otlp_json", signal_name((enum signal)signal));
        if (encoding > KAFKA_RAW && signal != SIGNAL_TRACES)
            return fail(err, "%s.encoding: zipkin is for traces only; use otlp_proto or otlp_json", signal_name((enum signal)signal));
    }
    return true;
}

static bool check_keys(const struct kafka_exporter *self, struct error *err)
{
    const bool partitioned[SIGNAL_COUNT] = {
        [SIGNAL_TRACES] = self->traces_by_id,
        [SIGNAL_METRICS] = self->metrics_by_resource,
        [SIGNAL_LOGS] = self->logs_by_resource || self->logs_by_trace_id,
    };

    if (self->logs_by_resource && self->logs_by_trace_id)
        return fail(err, "partition_logs_by_resource_attributes and partition_logs_by_trace_id don't go together");
    if (self->sticky_key_present && self->round_robin_present)
        return fail(err, "record_partitioner: sticky_key and round_robin don't go together");
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (partitioned[signal] && is_set(self->signals[signal].message_key_from_metadata_key))
            return fail(err, "%s.message_key_from_metadata_key does not go together with partition_%s_*", signal_name((enum signal)signal),
                signal_name((enum signal)signal));
    }
    return true;
}

/* Batches of different requests keep only the metadata that they are parted by. */
static bool check_batched(const struct kafka_exporter *self, const char *key, const char *option, struct error *err)
{
    const struct option_strings *keys = &self->delivery.queue.batch.metadata_keys;

    if (!self->delivery.queue.batch_present || !is_set(key))
        return true;
    for (size_t i = 0; i < keys->count; i++) {
        if (slice_equal_ignoring_case(slice_of_string(keys->items[i]), slice_of_string(key)))
            return true;
    }
    return fail(err, "sending_queue.batch.partition.metadata_keys must have \"%s\" of %s in it", key, option);
}

static bool check_metadata(const struct kafka_exporter *self, struct error *err)
{
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        if (!check_batched(self, self->signals[signal].topic_from_metadata_key, "topic_from_metadata_key", err) ||
            !check_batched(self, self->signals[signal].message_key_from_metadata_key, "message_key_from_metadata_key", err))
            return false;
    }
    for (size_t i = 0; i < self->include_metadata_keys.count; i++) {
        if (!check_batched(self, self->include_metadata_keys.items[i], "include_metadata_keys", err))
            return false;
    }
    return true;
}

static bool kafka_validate(struct component *component, struct error *err)
{
    const struct kafka_exporter *self = (const struct kafka_exporter *)component;

    if (self->producer.delivery_timeout_ns <= self->producer.linger_ns)
        return fail(err, "producer.delivery_timeout must be longer than producer.linger");
    return kafka_client_check(&self->client, err) && check_encodings(self, err) && check_keys(self, err) && check_metadata(self, err);
}

/* ---- start and stop ---- */

static bool kafka_start(struct component *component, struct error *err)
{
    struct kafka_exporter *self = (struct kafka_exporter *)component;
    pthread_condattr_t monotonic;
    struct kafka_producer *producer;

    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->cancel, &monotonic);
    pthread_condattr_destroy(&monotonic);
    kafka_dead_letters_init(&self->dead_letters);
    self->dead_letters.max_bytes = self->dead_letter_max_mib << 20;
    self->started = true;
    if (!kafka_dead_letters_open(&self->dead_letters, err))
        return false;
    producer = kafka_exporter_producer(self, KAFKA_TOGETHER, err);
    kafka_producer_unref(producer);
    return producer != NULL;
}

static void kafka_cancel(struct component *component)
{
    struct kafka_exporter *self = (struct kafka_exporter *)component;

    if (!self->started)
        return;
    pthread_mutex_lock(&self->lock);
    self->cancelled = true;
    pthread_cond_broadcast(&self->cancel);
    for (size_t i = 0; i < KAFKA_COMPANIES; i++) {
        if (self->producers[i] != NULL)
            kafka_producer_purge(self->producers[i]);
    }
    pthread_mutex_unlock(&self->lock);
}

static void kafka_stop(struct component *component)
{
    struct kafka_exporter *self = (struct kafka_exporter *)component;

    if (!self->started)
        return;
    self->started = false;
    for (size_t i = 0; i < KAFKA_COMPANIES; i++) {
        kafka_producer_unref(self->producers[i]);
        self->producers[i] = NULL;
    }
    kafka_dead_letters_fini(&self->dead_letters);
    pthread_cond_destroy(&self->cancel);
    pthread_mutex_destroy(&self->lock);
}

static void kafka_consume(struct component *component, struct batch *batch)
{
    batch_settle(batch, kafka_exporter_deliver((struct kafka_exporter *)component, batch));
}

const struct component_type kafka_exporter = {
    .name = "kafka",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_BETA,
    .summary = "Sends telemetry to Kafka topics, confirmed by delivery reports.",
    .options = options,
    .instance_size = sizeof(struct kafka_exporter),
    .validate = kafka_validate,
    .start = kafka_start,
    .cancel = kafka_cancel,
    .stop = kafka_stop,
    .consume = kafka_consume,
    .delivery_offset = offsetof(struct kafka_exporter, delivery),
};
