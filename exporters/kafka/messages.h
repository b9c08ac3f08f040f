/*
 * From a batch to Kafka messages: which records go together under which topic and key, and as what bytes. I/O-free.
 *
 * A message's `wire` is a valid OTLP request of its records, so that it can be cut again when it turns out too large, and
 * written down when nobody takes it. Bytes are borrowed from the batch wherever they go out as they came in.
 * Threads: one struct kafka_messages per batch and thread.
 */
#ifndef WEIR_EXPORTERS_KAFKA_MESSAGES_H
#define WEIR_EXPORTERS_KAFKA_MESSAGES_H

#include <librdkafka/rdkafka.h>

#include "collector/batch.h"

enum kafka_encoding { KAFKA_OTLP_PROTO, KAFKA_OTLP_JSON, KAFKA_RAW, KAFKA_ZIPKIN_JSON, KAFKA_ZIPKIN_PROTO };

enum kafka_key {
    KAFKA_KEY_NONE,
    KAFKA_KEY_TRACE_ID, /* 32 hexadecimal digits; none when the record has no trace */
    KAFKA_KEY_RESOURCE, /* a hash of the resource's attributes, whatever their order; 32 hexadecimal digits */
};

/* How one signal is sent. */
struct kafka_form {
    enum kafka_encoding encoding;
    enum kafka_key key;
    const char *topic_attribute; /* of the resource; NULL: none */
    struct slice fixed_key;      /* of all messages; data NULL: none */
    size_t max_bytes;            /* of one message's key and value */
};

enum kafka_fate {
    KAFKA_PENDING,   /* to be sent (again) */
    KAFKA_DELIVERED, /* confirmed by the broker */
    KAFKA_TOO_LARGE, /* one record that is larger than max_bytes, or than the broker takes */
    KAFKA_REFUSED,   /* for good */
    KAFKA_DONE,      /* refused, and written down or counted */
};

struct kafka_sending;

struct kafka_message {
    struct slice topic; /* data NULL: the signal's */
    struct slice key;   /* data NULL: none */
    struct slice wire;  /* empty for KAFKA_RAW */
    struct slice value; /* what is sent */
    size_t records;
    size_t without_id; /* of them: spans that Zipkin cannot have, for their ids are zero; not in `value` */
    enum kafka_fate fate;
    bool alone;                        /* the broker refused it in company: send it in a request of its own */
    rd_kafka_resp_err_t error;         /* of the last attempt */
    struct kafka_sending *sending;     /* while it is under way */
    struct buffer own_wire, own_value; /* bytes that are nobody else's */
};

struct kafka_messages {
    enum signal signal;
    struct kafka_message *items; /* owned */
    size_t count, capacity;
    struct buffer storage; /* keys, and the bytes of messages that were put together */
    size_t skipped;        /* records without anything to send (KAFKA_RAW, an empty body) */
    bool failed;           /* memory is out */
};

/* All messages of the batch, in its order; the struct is zeroed before. false: memory is out. Borrows from the batch and the form. */
bool kafka_messages_build(struct kafka_messages *messages, const struct batch *batch, const struct kafka_form *form);

/* Cuts one message in two at a record boundary; the second half is appended. false: it is one record, or memory is out (see failed). */
bool kafka_messages_split(struct kafka_messages *messages, size_t index, const struct kafka_form *form);

void kafka_messages_fini(struct kafka_messages *messages);

/* ---- for those who build them ---- */

/* A new message, zeroed but for what `like` says of topic and key; NULL: memory is out. Valid until the next one. */
struct kafka_message *kafka_messages_add(struct kafka_messages *messages, const struct kafka_message *like);

/* By trace id, resource or topic attribute, for the OTLP encodings; fills wire. (grouping.c) */
void kafka_messages_group(struct kafka_messages *messages, const struct batch *batch, const struct kafka_form *form);

/* One message for each log record. (raw.c) */
void kafka_messages_raw(struct kafka_messages *messages, const struct batch *batch, const struct kafka_form *form);

/* The hash of KAFKA_KEY_RESOURCE; the same in every process. `resource`: content of the Resource message. */
enum { KAFKA_KEY_BYTES = 16 };
void kafka_resource_key(struct slice resource, uint8_t out[KAFKA_KEY_BYTES]);
/* The resource attribute that names the topic; data NULL when there is none, or it is no string. */
struct slice kafka_topic_of(struct slice resource, const char *attribute);
/* The trace id of a span's or log record's content; empty when there is none. */
struct slice kafka_trace_id(enum signal signal, struct slice record);

#endif
