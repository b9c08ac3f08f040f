/*
 * A producer: one librdkafka handle, its topics, and the thread that hands out its delivery reports. Shared by the threads that send;
 * when idempotence breaks for good (a fatal error), the exporter takes a new one and this one ends with its last user.
 *
 * Bytes are not copied: a message's key and value must stay where they are until its report is there, which send waits for.
 */
#ifndef WEIR_EXPORTERS_KAFKA_PRODUCER_H
#define WEIR_EXPORTERS_KAFKA_PRODUCER_H

#include "collector/kafka/client.h"
#include "exporters/kafka/messages.h"

struct kafka_producer;

/* What all messages of a batch have in common. */
struct kafka_envelope {
    struct slice topic;                /* when a message names none */
    const rd_kafka_headers_t *headers; /* borrowed; NULL: none */
};

/* One reference. Takes conf whatever happens. NULL with the error. `path` must outlive it. */
struct kafka_producer *kafka_producer_create(rd_kafka_conf_t *conf, struct kafka_client *client, struct error *err);
/* A new zeroed client for kafka_client_conf and kafka_producer_create, which takes it. Aborts when memory is out. */
struct kafka_client *kafka_producer_client(const char *path);
/* Frees what kafka_producer_client made and no producer took. */
void kafka_producer_client_destroy(struct kafka_client *client);

struct kafka_producer *kafka_producer_ref(struct kafka_producer *producer);
/* The last one ends its threads; everything sent has been reported by then. NULL is fine. */
void kafka_producer_unref(struct kafka_producer *producer);

/*
 * Sends every pending message whose `alone` is as given, and waits for all reports: their `error` is set, and fate is DELIVERED
 * where there was none. Returns how many were sent.
 */
size_t kafka_producer_send(
    struct kafka_producer *producer, struct kafka_messages *messages, const struct kafka_envelope *envelope, bool alone);

/*
 * Is a broker there? Costs a load when something came through lately; else asks one, for at most `millis`, and complains when there
 * is none. What can't be sent yet should stay with the caller: what was never sent can't arrive twice.
 */
bool kafka_producer_reachable(struct kafka_producer *producer, int millis);

/* Reports everything under way as failed, soon. Any thread. */
void kafka_producer_purge(struct kafka_producer *producer);

/* Has it come to a fatal error? Then its text is in `err`. */
bool kafka_producer_broken(struct kafka_producer *producer, struct error *err);

#endif
