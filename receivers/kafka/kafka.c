/*
 * kafka receiver: a member of a consumer group. An offset is committed when the records before it are *durable* downstream: confirmed by
 * the destination, or on disk in a queue.
 *
 * Differs from the OpenTelemetry Collector on purpose: message_marking can't make it commit earlier, and what the pipeline refuses for now
 * is tried again without end.
 * Threads: one for each receiver ("weir-kafka-in"), which decodes and runs the processors; librdkafka's own beside it.
 */
#include "receivers/kafka/kafka.h"

#include <string.h>

#define FIELD(field) offsetof(struct kafka_receiver, field)
#define SIGNAL(field) offsetof(struct kafka_signal_settings, field)
#define BACKOFF(field) offsetof(struct kafka_backoff, field)

/* ---- options ---- */

#define TOPICS_OPTION(name)                                                                                                                \
    {                                                                                                                                      \
        "topics", OPTION_STRINGS, SIGNAL(topics), name, NULL,                                                                              \
            "names of topics; one that begins with ^ is a regular expression (POSIX extended)"                                             \
    }
#define ENCODING_OPTION(help)                                                                                                              \
    {                                                                                                                                      \
        "encoding", OPTION_STRING, SIGNAL(encoding), "otlp_proto", "nonempty", help                                                        \
    }

static const struct option exclude_options[] = {
    { "exclude_topics", OPTION_STRINGS, SIGNAL(exclude_topics), NULL, NULL,
        "topics that the expressions do not mean; they are hidden from all signals" },
    { "topic", OPTION_REMOVED, 0, NULL, NULL, "set topics, a list" },
    { 0 },
};
static const struct option traces_options[] = {
    TOPICS_OPTION("otlp_spans"),
    ENCODING_OPTION("otlp_proto, otlp_json, zipkin_json, zipkin_proto or zipkin_thrift"),
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, exclude_options },
    { 0 },
};
static const struct option metrics_options[] = {
    TOPICS_OPTION("otlp_metrics"),
    ENCODING_OPTION("otlp_proto or otlp_json"),
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, exclude_options },
    { 0 },
};
static const struct option logs_options[] = {
    TOPICS_OPTION("otlp_logs"),
    ENCODING_OPTION("otlp_proto, otlp_json, raw (the body is the message's bytes), text, text_CHARSET or json (the body is what it says)"),
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, exclude_options },
    { 0 },
};
static const struct option profiles_options[] = {
    TOPICS_OPTION("otlp_profiles"),
    ENCODING_OPTION("otlp_proto or otlp_json"),
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, exclude_options },
    { 0 },
};

static const struct option autocommit_options[] = {
    { "enable", OPTION_BOOL, FIELD(autocommit), "true", NULL, "commit at intervals; false: as soon as messages are settled" },
    { "interval", OPTION_DURATION, FIELD(autocommit_interval_ns), "1s", "1ms..1h", "between commits" },
    { 0 },
};

static const struct option marking_options[] = {
    { "after", OPTION_IGNORED, 0, NULL, NULL, "messages are always marked after the pipeline has settled them" },
    { "on_error", OPTION_BOOL, FIELD(mark_on_error), "false", NULL,
        "give a message up that is refused for longer than error_backoff.max_elapsed_time; else it is tried again without end" },
    { "on_permanent_error", OPTION_IGNORED, 0, NULL, NULL, "what is refused for good is always passed over: counted and logged" },
    { 0 },
};

static const struct option header_options[] = {
    { "extract_headers", OPTION_BOOL, FIELD(extract_headers), "false", NULL, "headers become resource attributes kafka.header.NAME" },
    { "headers", OPTION_STRINGS, FIELD(headers), NULL, NULL, "which ones" },
    { 0 },
};

static const struct option backoff_options[] = {
    { "enabled", OPTION_BOOL, BACKOFF(enabled), "false", NULL, "use the values below; else 500ms, growing by half, up to 30s" },
    { "initial_interval", OPTION_DURATION, BACKOFF(initial_interval_ns), "5s", "1ms..1h", "before the second attempt" },
    { "max_interval", OPTION_DURATION, BACKOFF(max_interval_ns), "30s", "1ms..1h", "longest wait between attempts" },
    { "multiplier", OPTION_DOUBLE, BACKOFF(multiplier), "1.5", "1..100", "growth of the wait" },
    { "randomization_factor", OPTION_DOUBLE, BACKOFF(randomization_factor), "0.5", "0..1", "how far the wait may be off, either way" },
    { "max_elapsed_time", OPTION_DURATION, BACKOFF(max_elapsed_time_ns), "0s", NULL, "for message_marking.on_error; 0: for ever" },
    { 0 },
};

static const struct option delay_options[] = {
    { "enabled", OPTION_UNSUPPORTED, 0, "false", NULL, "how old messages are when they come" },
    { 0 },
};
static const struct option own_metrics_options[] = {
    { "kafka_receiver_records_delay", OPTION_BLOCK, 0, NULL, NULL, "how old messages are when they come", delay_options },
    { 0 },
};
static const struct option telemetry_options[] = {
    { "metrics", OPTION_BLOCK, 0, NULL, NULL, "metrics that are off by default", own_metrics_options },
    { 0 },
};

#define STRATEGIES "cooperative-sticky|range|roundrobin"

static const struct option options[] = {
    { "", OPTION_INCLUDE, FIELD(client), NULL, NULL, NULL, kafka_client_options },
    { "traces", OPTION_BLOCK, FIELD(signals[SIGNAL_TRACES]), NULL, NULL, "where spans come from", traces_options },
    { "metrics", OPTION_BLOCK, FIELD(signals[SIGNAL_METRICS]), NULL, NULL, "where metrics come from", metrics_options },
    { "logs", OPTION_BLOCK, FIELD(signals[SIGNAL_LOGS]), NULL, NULL, "where logs come from", logs_options },
    { "profiles", OPTION_BLOCK, FIELD(signals[SIGNAL_PROFILES]), NULL, NULL, "where profiles come from", profiles_options },
    { "topic", OPTION_REMOVED, 0, NULL, NULL, "set traces.topics, metrics.topics or logs.topics" },
    { "encoding", OPTION_REMOVED, 0, NULL, NULL, "set traces.encoding, metrics.encoding or logs.encoding" },
    { "group_id", OPTION_STRING, FIELD(group_id), "otel-collector", "nonempty", "consumer group; its members share the partitions" },
    { "group_instance_id", OPTION_STRING, FIELD(group_instance_id), NULL, NULL,
        "name of a static member, one of its own for each: a restart within session_timeout moves no partitions" },
    { "initial_offset", OPTION_ENUM, FIELD(initial_offset), "latest", "latest|earliest", "where a group without offsets begins" },
    { "session_timeout", OPTION_DURATION, FIELD(session_timeout_ns), "10s", "1s..1h", "without a heartbeat for so long a member is dead" },
    { "heartbeat_interval", OPTION_DURATION, FIELD(heartbeat_interval_ns), "3s", "10ms..1h", "between heartbeats" },
    { "group_rebalance_strategies", OPTION_STRINGS, FIELD(strategies), NULL, STRATEGIES,
        "how partitions are shared, in order of preference; default: cooperative-sticky, which does not go with the others" },
    { "group_rebalance_strategy", OPTION_STRING, FIELD(strategy), NULL, STRATEGIES, "use group_rebalance_strategies",
        .flags = OPTION_DEPRECATED },
    { "autocommit", OPTION_BLOCK, 0, NULL, NULL, "when offsets of settled messages are committed", autocommit_options },
    { "min_fetch_size", OPTION_INT, FIELD(min_fetch_size), "1", "1..100000000", "bytes that a fetch waits for" },
    { "max_fetch_size", OPTION_INT, FIELD(max_fetch_size), "1048576", "0..1000000000", "bytes of one fetch; 0: 50 MiB" },
    { "max_fetch_wait", OPTION_DURATION, FIELD(max_fetch_wait_ns), "250ms", "0s..5m", "how long a fetch waits for min_fetch_size" },
    { "max_partition_fetch_size", OPTION_INT, FIELD(max_partition_fetch_size), "1048576", "1..1000000000",
        "bytes of one partition in a fetch" },
    { "rack_id", OPTION_STRING, FIELD(rack_id), NULL, NULL, "where this client is: replicas there are read" },
    { "use_leader_epoch", OPTION_IGNORED, 0, "true", NULL, "librdkafka decides" },
    { "message_marking", OPTION_BLOCK, 0, NULL, NULL, "when a message counts as read", marking_options },
    { "header_extraction", OPTION_BLOCK, 0, NULL, NULL, "message headers as attributes; as request metadata they are always there",
        header_options },
    { "error_backoff", OPTION_BLOCK, FIELD(backoff), NULL, NULL, "between attempts at a message that the pipeline can't take now",
        backoff_options },
    { "telemetry", OPTION_BLOCK, 0, NULL, NULL, "weir's own metrics of this receiver", telemetry_options },
    { "max_under_way_mib", OPTION_INT, FIELD(max_under_way_mib), "64", "1..65536",
        "bytes of messages in the pipeline, not settled, that pause reading", .flags = OPTION_WEIR },
    { 0 },
};

/* ---- life ---- */

static bool check_strategies(const struct kafka_receiver *self, struct error *err)
{
    bool cooperative = false, eager = false;

    for (size_t i = 0; i < self->strategies.count; i++) {
        if (strcmp(self->strategies.items[i], "cooperative-sticky") == 0)
            cooperative = true;
        else
            eager = true;
    }
    return !cooperative || !eager ||
           fail(err, "group_rebalance_strategies: cooperative-sticky does not go together with range or roundrobin");
}

static bool kafka_validate(struct component *component, struct error *err)
{
    const struct kafka_receiver *self = (const struct kafka_receiver *)component;
    struct kafka_rule rules[SIGNAL_COUNT] = { 0 };
    bool valid;

    if (!kafka_client_check(&self->client, err) || !check_strategies(self, err))
        return false;
    if (self->heartbeat_interval_ns >= self->session_timeout_ns)
        return fail(err, "heartbeat_interval must be shorter than session_timeout; a third of it is usual");
    valid = kafka_rules_init(rules, self, err);
    kafka_rules_fini(rules);
    return valid;
}

static bool kafka_start(struct component *component, struct error *err)
{
    struct kafka_receiver *self = (struct kafka_receiver *)component;

    self->consumer = kafka_consumer_create(self, err);
    return self->consumer != NULL && kafka_consumer_start(self->consumer, err);
}

static void kafka_stop(struct component *component)
{
    struct kafka_receiver *self = (struct kafka_receiver *)component;

    kafka_consumer_destroy(self->consumer);
    self->consumer = NULL;
}

const struct component_type kafka_receiver = {
    .name = "kafka",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_BETA,
    .summary = "Receives telemetry from Kafka topics; offsets are committed when it is durable downstream.",
    .options = options,
    .instance_size = sizeof(struct kafka_receiver),
    .validate = kafka_validate,
    .start = kafka_start,
    .stop = kafka_stop,
};
