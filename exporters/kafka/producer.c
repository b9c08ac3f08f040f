/*
 * The producer around librdkafka.
 *
 * Threads: send is called by the queue's consumer threads, several at once; "weir-kafka" polls for delivery reports and does nothing
 * else; librdkafka has a thread for each broker, which compresses, writes and reads.
 * Cost: one handle of librdkafka's for each message (about a microsecond), nothing for each record.
 * Limits: TOPICS_MAX distinct topics; names that Kafka does not allow are refused here.
 */
#include "exporters/kafka/producer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { TOPICS_MAX = 10000, TOPIC_NAME_MAX = 249, POLL_MILLIS = 1000 };

struct topic {
    rd_kafka_topic_t *handle;
    char *name;
};

struct kafka_producer {
    struct kafka_client *client; /* owned; the handle's opaque */
    atomic_uint references;
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue; /* the main one, to wake the poller */
    pthread_t poller;
    atomic_bool stopping, purged;
    pthread_mutex_t lock; /* topics */
    struct topic *topics; /* sorted by name */
    size_t topic_count, topic_capacity;
};

/* Messages of one call that have no report yet; on its stack. */
struct kafka_sending {
    pthread_mutex_t lock;
    pthread_cond_t done;
    size_t under_way;
};

/* ---- reports ---- */

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *report, void *opaque)
{
    struct kafka_message *message = report->_private;
    struct kafka_sending *sending = message->sending;

    (void)handle;
    message->error = report->err;
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        message->fate = KAFKA_DELIVERED;
        kafka_client_works(opaque);
    }
    pthread_mutex_lock(&sending->lock);
    if (--sending->under_way == 0)
        pthread_cond_signal(&sending->done); /* under the lock: the waiter's stack is gone once it wakes */
    pthread_mutex_unlock(&sending->lock);
}

static void *poll_reports(void *context)
{
    struct kafka_producer *producer = context;

    pthread_setname_np(pthread_self(), "weir-kafka");
    while (!atomic_load(&producer->stopping))
        rd_kafka_poll(producer->handle, POLL_MILLIS);
    return NULL;
}

/* ---- life ---- */

struct kafka_client *kafka_producer_client(const char *path)
{
    struct kafka_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        abort();
    client->path = path;
    return client;
}

void kafka_producer_client_destroy(struct kafka_client *client)
{
    free(client);
}

static bool start_poller(struct kafka_producer *producer, struct error *err)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&producer->poller, NULL, poll_reports, producer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 || fail(err, "could not start a thread: %s", strerror(result));
}

struct kafka_producer *kafka_producer_create(rd_kafka_conf_t *conf, struct kafka_client *client, struct error *err)
{
    struct kafka_producer *producer = calloc(1, sizeof(*producer));
    char text[512];

    if (producer == NULL)
        abort();
    producer->client = client;
    atomic_init(&producer->references, 1);
    pthread_mutex_init(&producer->lock, NULL);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (producer->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        pthread_mutex_destroy(&producer->lock);
        free(producer->client);
        free(producer);
        fail(err, "%s", text);
        return NULL;
    }
    producer->queue = rd_kafka_queue_get_main(producer->handle);
    if (start_poller(producer, err))
        return producer;
    atomic_store(&producer->stopping, true);
    producer->poller = pthread_self();
    kafka_producer_unref(producer);
    return NULL;
}

struct kafka_producer *kafka_producer_ref(struct kafka_producer *producer)
{
    atomic_fetch_add(&producer->references, 1);
    return producer;
}

void kafka_producer_unref(struct kafka_producer *producer)
{
    if (producer == NULL || atomic_fetch_sub(&producer->references, 1) > 1)
        return;
    atomic_store(&producer->stopping, true);
    rd_kafka_queue_yield(producer->queue);
    if (!pthread_equal(producer->poller, pthread_self()))
        pthread_join(producer->poller, NULL);
    rd_kafka_queue_destroy(producer->queue);
    for (size_t i = 0; i < producer->topic_count; i++) {
        rd_kafka_topic_destroy(producer->topics[i].handle);
        free(producer->topics[i].name);
    }
    free(producer->topics);
    rd_kafka_destroy(producer->handle);
    pthread_mutex_destroy(&producer->lock);
    free(producer->client);
    free(producer);
}

void kafka_producer_purge(struct kafka_producer *producer)
{
    atomic_store(&producer->purged, true);
    rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

bool kafka_producer_broken(struct kafka_producer *producer, struct error *err)
{
    char text[512];

    return rd_kafka_fatal_error(producer->handle, text, sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR && !fail(err, "%s", text);
}

bool kafka_producer_reachable(struct kafka_producer *producer, int millis)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error;

    if (atomic_load_explicit(&producer->client->up, memory_order_relaxed))
        return true;
    error = rd_kafka_metadata(producer->handle, 0, NULL, &metadata, millis);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    kafka_client_works(producer->client);
    return true;
}

/* ---- topics ---- */

static bool is_topic_name(struct slice name)
{
    if (name.size == 0 || name.size > TOPIC_NAME_MAX || slice_equal(name, SLICE(".")) || slice_equal(name, SLICE("..")))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* The place where the name stands, or would. */
static size_t place_of(const struct kafka_producer *producer, const char *name)
{
    size_t low = 0, high = producer->topic_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(producer->topics[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rd_kafka_topic_t *add_topic_locked(struct kafka_producer *producer, const char *name, size_t place)
{
    struct topic added;

    if (producer->topic_count == TOPICS_MAX)
        return NULL;
    if (producer->topic_count == producer->topic_capacity) {
        size_t capacity = producer->topic_capacity > 0 ? producer->topic_capacity * 2 : 4;
        struct topic *topics = realloc(producer->topics, capacity * sizeof(*topics));

        if (topics == NULL)
            return NULL;
        producer->topics = topics;
        producer->topic_capacity = capacity;
    }
    added.name = strdup(name);
    added.handle = added.name != NULL ? rd_kafka_topic_new(producer->handle, name, NULL) : NULL;
    if (added.handle == NULL) {
        free(added.name);
        return NULL;
    }
    memmove(&producer->topics[place + 1], &producer->topics[place], (producer->topic_count - place) * sizeof(*producer->topics));
    producer->topics[place] = added;
    producer->topic_count++;
    return added.handle;
}

/* Lives as long as the producer. NULL: it can't be a topic, or there are too many; the error says which. */
static rd_kafka_topic_t *topic_of(struct kafka_producer *producer, struct slice name, rd_kafka_resp_err_t *error)
{
    char text[TOPIC_NAME_MAX + 1];
    rd_kafka_topic_t *topic;
    size_t place;

    *error = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (!is_topic_name(name))
        return NULL;
    *error = RD_KAFKA_RESP_ERR__QUEUE_FULL;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    pthread_mutex_lock(&producer->lock);
    place = place_of(producer, text);
    if (place < producer->topic_count && strcmp(producer->topics[place].name, text) == 0)
        topic = producer->topics[place].handle;
    else
        topic = add_topic_locked(producer, text, place);
    pthread_mutex_unlock(&producer->lock);
    return topic;
}

/* ---- sending ---- */

static rd_kafka_resp_err_t produce_with_headers(
    struct kafka_producer *producer, rd_kafka_topic_t *topic, struct kafka_message *message, const rd_kafka_headers_t *headers)
{
    rd_kafka_headers_t *copy = rd_kafka_headers_copy(headers);
    const rd_kafka_vu_t parts[] = {
        { .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic },
        { .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { (void *)(uintptr_t)message->value.data, message->value.size } },
        { .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)(uintptr_t)message->key.data, message->key.size } },
        { .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = copy },
        { .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = message },
    };
    rd_kafka_error_t *error;
    rd_kafka_resp_err_t code;

    if (copy == NULL)
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    error = rd_kafka_produceva(producer->handle, parts, sizeof(parts) / sizeof(parts[0]));
    if (error == NULL)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(copy);
    return code;
}

static rd_kafka_resp_err_t produce(
    struct kafka_producer *producer, rd_kafka_topic_t *topic, struct kafka_message *message, const rd_kafka_headers_t *headers)
{
    if (headers != NULL)
        return produce_with_headers(producer, topic, message, headers);
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, (void *)(uintptr_t)message->value.data, message->value.size, message->key.data,
            message->key.size, message) == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    return rd_kafka_last_error();
}

static void count(struct kafka_sending *sending, bool up)
{
    pthread_mutex_lock(&sending->lock);
    sending->under_way += up ? 1 : (size_t)-1;
    pthread_mutex_unlock(&sending->lock);
}

/* The message is under way, or has its error. */
static void send_one(
    struct kafka_producer *producer, rd_kafka_topic_t *topic, struct kafka_message *message, const rd_kafka_headers_t *headers)
{
    rd_kafka_resp_err_t error;

    count(message->sending, true);
    error = produce(producer, topic, message, headers);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return; /* from here on the report may change it at any time */
    count(message->sending, false);
    message->error = error;
}

/* The topic of the message before is most often this one's too. */
struct recent_topic {
    struct slice name;
    rd_kafka_topic_t *topic;
};

static void send_to_topic(
    struct kafka_producer *producer, struct kafka_message *message, const struct kafka_envelope *envelope, struct recent_topic *recent)
{
    struct slice name = message->topic.data != NULL ? message->topic : envelope->topic;

    if (recent->topic == NULL || !slice_equal(recent->name, name)) {
        recent->topic = topic_of(producer, name, &message->error);
        recent->name = name;
    }
    if (recent->topic != NULL)
        send_one(producer, recent->topic, message, envelope->headers);
}

size_t kafka_producer_send(
    struct kafka_producer *producer, struct kafka_messages *messages, const struct kafka_envelope *envelope, bool alone)
{
    struct kafka_sending sending = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
    struct recent_topic recent = { { NULL, 0 }, NULL };
    size_t sent = 0;

    for (size_t i = 0; i < messages->count; i++) {
        struct kafka_message *message = &messages->items[i];

        if (message->fate != KAFKA_PENDING || message->alone != alone)
            continue;
        message->sending = &sending;
        message->error = RD_KAFKA_RESP_ERR_NO_ERROR;
        send_to_topic(producer, message, envelope, &recent);
        sent++;
    }
    if (atomic_load(&producer->purged)) /* while these were handed over: nobody else would end them */
        kafka_producer_purge(producer);
    pthread_mutex_lock(&sending.lock);
    while (sending.under_way > 0)
        pthread_cond_wait(&sending.done, &sending.lock);
    pthread_mutex_unlock(&sending.lock);
    for (size_t i = 0; i < messages->count; i++)
        messages->items[i].sending = NULL;
    return sent;
}
