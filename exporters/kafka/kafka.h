/* The kafka exporter's instance, shared by the files that make it up. */
#ifndef WEIR_EXPORTERS_KAFKA_KAFKA_H
#define WEIR_EXPORTERS_KAFKA_KAFKA_H

#include <pthread.h>

#include "collector/delivery.h"
#include "collector/kafka/client.h"
#include "exporters/kafka/dead_letter.h"
#include "exporters/kafka/producer.h"
#include "exporters/stretch.h"

struct kafka_signal_settings {
    const char *topic, *topic_from_metadata_key, *message_key_from_metadata_key;
    int encoding; /* enum kafka_encoding; those from KAFKA_ENCODINGS on are not supported yet */
};
enum { KAFKA_ENCODINGS = KAFKA_ZIPKIN_PROTO + 1 };

enum kafka_acks { KAFKA_ACKS_NONE, KAFKA_ACKS_LEADER, KAFKA_ACKS_ALL_NUMBER, KAFKA_ACKS_ALL };

struct kafka_producer_settings {
    int64_t max_message_bytes, flush_max_messages, compression_level;
    int required_acks; /* enum kafka_acks */
    const char *compression;
    int64_t linger_ns, delivery_timeout_ns;
    bool allow_auto_topic_creation;
};

/* Two producers of the same settings: */
enum kafka_company {
    KAFKA_TOGETHER, /* many messages a request */
    KAFKA_ALONE,    /* one: for messages that were refused for the size of a request that held others too */
    KAFKA_COMPANIES,
};

struct kafka_exporter {
    struct component base;
    struct kafka_client_settings client;                                        /* options */
    struct kafka_signal_settings signals[SIGNAL_COUNT];                         /* options */
    const char *topic_from_attribute;                                           /* option */
    struct option_strings include_metadata_keys;                                /* option */
    struct option_pairs record_headers;                                         /* option */
    bool traces_by_id, metrics_by_resource, logs_by_resource, logs_by_trace_id; /* options */
    int hasher;                                                                 /* option; 0 as Sarama, 1 murmur2 */
    bool sticky_key_present, round_robin_present;                               /* options */
    struct kafka_producer_settings producer;                                    /* options */
    int64_t timeout_ns;                                                         /* option */
    int64_t dead_letter_max_mib;                                                /* option */
    struct kafka_dead_letters dead_letters;                                     /* its path is an option */
    struct delivery_settings delivery;                                          /* options */

    bool started;
    pthread_mutex_t lock; /* the two below, and the wait */
    pthread_cond_t cancel;
    bool cancelled;
    struct kafka_producer *producers[KAFKA_COMPANIES]; /* one reference each; the second is made when it is needed */
    struct stretch stretch;
};

/* The librdkafka configuration of one producer, and the client that goes with it (for kafka_producer_create). */
rd_kafka_conf_t *kafka_exporter_conf(
    const struct kafka_exporter *self, enum kafka_company company, struct kafka_client *client, struct error *err);

/* A reference to a producer that works; NULL with the error. Any thread. */
struct kafka_producer *kafka_exporter_producer(struct kafka_exporter *self, enum kafka_company company, struct error *err);

/* Sends a batch until all of it is settled, or it can only be tried again later. */
struct outcome kafka_exporter_deliver(struct kafka_exporter *self, const struct batch *batch);

#endif
