/*
 * Kafka messages of librdkafka. Costs a copy of each header that is written, and a look at each that came; keys are recorded up to
 * KEY_MAX bytes when they are printable, payloads never. Threads: as the message; ends on any.
 */
#include "weir/contrib/rdkafka.h"

#include <stdio.h>
#include <strings.h>

enum { KEY_MAX = 256, NAME_MAX_BYTES = 300 };

WEIR_SCOPE(scope, "weir.contrib.rdkafka", WEIR_VERSION);

/* ---- headers ---- */

struct carrier {
    rd_kafka_headers_t *headers;
    rd_kafka_resp_err_t error;
};

static int set_header(void *user, weir_str name, weir_str value)
{
    struct carrier *carrier = (struct carrier *)user;

    carrier->error = rd_kafka_header_add(carrier->headers, name.p, (ssize_t)name.n, value.p, (ssize_t)value.n);
    return carrier->error == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : -1;
}

rd_kafka_resp_err_t weir_rdkafka_inject(const weir_ctx *ctx, rd_kafka_headers_t *headers)
{
    struct carrier carrier = { headers, RD_KAFKA_RESP_ERR_NO_ERROR };
    const char *field;

    for (size_t i = 0; (field = weir_propagation_field(i)) != NULL; i++) {
        rd_kafka_resp_err_t error = rd_kafka_header_remove(headers, field);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__NOENT)
            return error;
    }
    weir_inject(ctx, set_header, &carrier);
    return carrier.error;
}

static weir_str get_header(const void *user, weir_str name, size_t nth)
{
    const rd_kafka_headers_t *headers = (const rd_kafka_headers_t *)user;
    const char *key;
    const void *value;
    size_t size;

    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &key, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        if (strncasecmp(key, name.p, name.n) == 0 && key[name.n] == '\0' && nth-- == 0)
            return weir_sn(value != NULL ? (const char *)value : "", value != NULL ? size : 0);
    }
    return weir_z(NULL);
}

static weir_str no_header(const void *user, weir_str name, size_t nth)
{
    (void)user, (void)name, (void)nth;
    return weir_z(NULL);
}

bool weir_rdkafka_extract(weir_ctx *out, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_extract(out, no_header, NULL);
    return weir_extract(out, get_header, headers);
}

/* ---- attributes ---- */

/* A key that is no text is left out, as the convention wants; so is a long one. */
static bool readable(const void *key, size_t size)
{
    const unsigned char *p = (const unsigned char *)key;

    for (size_t i = 0; i < size; i++) {
        if (p[i] < 0x20 || p[i] >= 0x7f)
            return false;
    }
    return key != NULL && size <= KEY_MAX;
}

static const char *topic_of(const rd_kafka_message_t *message)
{
    const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : NULL;

    return topic != NULL ? topic : "";
}

/* What one message has; librdkafka says -1 for an offset that it was not told. */
static void set_message(weir_span *span, const rd_kafka_message_t *message)
{
    char partition[16];

    if (!weir_recording(span))
        return;
    snprintf(partition, sizeof(partition), "%d", (int)message->partition);
    if (message->partition >= 0)
        WEIR_SET(span, "messaging.destination.partition.id", partition);
    if (message->offset >= 0)
        WEIR_SET(span, "messaging.kafka.offset", message->offset);
    if (readable(message->key, message->key_len))
        WEIR_SET(span, "messaging.kafka.message.key", weir_sn((const char *)message->key, message->key_len));
    if (message->payload == NULL)
        WEIR_SET(span, "messaging.kafka.message.tombstone", true);
    WEIR_SET(span, "messaging.message.body.size", message->len);
}

struct operation {
    const char *name, *topic, *group; /* group NULL: none */
    uint32_t kind;
    bool activate;
};

static void begin(weir_span *span, const struct operation *operation, const weir_ctx *parent, const weir_link *link)
{
    weir_attr attrs[5] = { WEIR_KV("messaging.system", "kafka"), WEIR_KV("messaging.operation.name", operation->name),
        WEIR_KV("messaging.operation.type", operation->name), WEIR_KV("messaging.destination.name", operation->topic) };
    size_t count = 4;
    char name[NAME_MAX_BYTES];
    weir_span_opts opts = { .size = sizeof(opts), .kind = operation->kind, .parent = parent, .no_activate = !operation->activate };

    if (operation->group != NULL)
        attrs[count++] = WEIR_KV("messaging.consumer.group.name", operation->group);
    opts.attrs = weir_attrs_of(attrs, count);
    opts.links = link;
    opts.link_count = link != NULL;
    snprintf(name, sizeof(name), "%s %s", operation->name, operation->topic);
    weir_span_begin(span, &scope, weir_z(name), &opts);
}

/* ---- sending ---- */

void weir_rdkafka_send(weir_span *span, const char *topic, rd_kafka_headers_t *headers)
{
    begin(span, &(struct operation){ .name = "send", .topic = topic, .kind = WEIR_PRODUCER }, NULL, NULL);
    if (headers != NULL)
        weir_rdkafka_inject(&span->ctx, headers);
}

void weir_rdkafka_delivered(weir_span *span, const rd_kafka_message_t *message)
{
    set_message(span, message);
    weir_rdkafka_end(span, message->err);
}

/* ---- processing ---- */

void weir_rdkafka_process(weir_span *span, const rd_kafka_message_t *message, const char *group)
{
    const struct operation process = { "process", topic_of(message), group, WEIR_CONSUMER, true };
    weir_link around = { .ctx = weir_ctx_current() };
    weir_ctx parent;
    bool carried = weir_rdkafka_extract(&parent, message);

    begin(span, &process, &parent, carried && weir_ctx_valid(&around.ctx) ? &around : NULL);
    set_message(span, message);
}

void weir_rdkafka_process_batch(weir_span *span, rd_kafka_message_t *const *messages, size_t count, const char *group)
{
    const struct operation process = { "process", topic_of(messages[0]), group, WEIR_CONSUMER, true };
    weir_ctx context;

    begin(span, &process, NULL, NULL);
    WEIR_SET(span, "messaging.batch.message_count", count);
    for (size_t i = 0; i < count && weir_recording(span); i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR && weir_rdkafka_extract(&context, messages[i]))
            weir_span_link(span, &context, WEIR_NO_ATTRS);
    }
}

void weir_rdkafka_end(weir_span *span, rd_kafka_resp_err_t error)
{
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        WEIR_SET(span, "error.type", rd_kafka_err2name(error));
        weir_span_status(span, WEIR_ERROR, weir_z(rd_kafka_err2str(error)));
    }
    weir_span_end(span);
}
