/*
 * Delivering one batch: rounds of sending what is still pending, until all is confirmed or refused for good.
 *
 * As long as nothing of a batch got through, a failure goes back to retry_on_failure; once part of it did, only the rest is sent
 * again, from here, under the same back-off and the same end. What Kafka will never take is written to the dead-letter file
 * when everything else is done, so that it is written once.
 */
#include <string.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "exporters/kafka/kafka.h"

enum { MESSAGE_OVERHEAD = 256, HEADER_OVERHEAD = 10, PROBE_MILLIS = 250 };

struct attempt {
    struct kafka_exporter *self;
    const struct batch *batch;
    struct kafka_messages messages;
    struct kafka_form form;
    struct kafka_envelope envelope;
    rd_kafka_headers_t *headers; /* owned; NULL: none */
    size_t headers_size;
    size_t delivered, buried, lost; /* records */
    const char *reason;             /* of the last failure; static */
};

/* ---- what librdkafka's errors mean ---- */

enum remedy { REMEDY_AGAIN, REMEDY_SMALLER, REMEDY_NONE };

struct meaning {
    rd_kafka_resp_err_t error;
    enum remedy remedy;
    const char *reason;
};

/* Whatever is not listed is tried again: losing is worse than sending twice. */
static const struct meaning meanings[] = {
    { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, REMEDY_SMALLER, "too_large" },
    { RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, REMEDY_SMALLER, "too_large" },
    { RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, REMEDY_NONE, "invalid_topic" },
    { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, REMEDY_NONE, "permission_denied" },
    { RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, REMEDY_NONE, "permission_denied" },
    { RD_KAFKA_RESP_ERR_INVALID_RECORD, REMEDY_NONE, "invalid_record" },
    { RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, REMEDY_NONE, "invalid_record" },
    { RD_KAFKA_RESP_ERR_POLICY_VIOLATION, REMEDY_NONE, "policy_violation" },
    { RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, REMEDY_NONE, "unsupported_compression" },
    { RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, REMEDY_NONE, "unsupported_format" },
    { RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, REMEDY_AGAIN, "timeout" },
    { RD_KAFKA_RESP_ERR__TRANSPORT, REMEDY_AGAIN, "unreachable" },
    { RD_KAFKA_RESP_ERR__PURGE_QUEUE, REMEDY_AGAIN, "shutdown" },
    { RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, REMEDY_AGAIN, "shutdown" },
    { RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, REMEDY_AGAIN, "unknown_topic" },
    { RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, REMEDY_AGAIN, "unknown_topic" },
    { RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, REMEDY_AGAIN, "not_enough_replicas" },
    { RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, REMEDY_AGAIN, "not_enough_replicas" },
};

static const struct meaning *meaning_of(rd_kafka_resp_err_t error)
{
    static const struct meaning other = { RD_KAFKA_RESP_ERR_UNKNOWN, REMEDY_AGAIN, "kafka_error" };

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].error == error)
            return &meanings[i];
    }
    return &other;
}

/* ---- before sending ---- */

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

static enum kafka_key key_of(const struct kafka_exporter *self, enum signal signal)
{
    if ((signal == SIGNAL_TRACES && self->traces_by_id) || (signal == SIGNAL_LOGS && self->logs_by_trace_id))
        return KAFKA_KEY_TRACE_ID;
    if ((signal == SIGNAL_METRICS && self->metrics_by_resource) || (signal == SIGNAL_LOGS && self->logs_by_resource))
        return KAFKA_KEY_RESOURCE;
    return KAFKA_KEY_NONE;
}

static bool add_header(struct attempt *attempt, const char *name, struct slice value)
{
    if (attempt->headers == NULL)
        attempt->headers = rd_kafka_headers_new(8);
    if (attempt->headers == NULL)
        return false;
    attempt->headers_size += strlen(name) + value.size + HEADER_OVERHEAD;
    return rd_kafka_header_add(attempt->headers, name, -1, value.data, (ssize_t)value.size) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool make_headers(struct attempt *attempt)
{
    const struct option_pairs *fixed = &attempt->self->record_headers;
    const struct option_strings *keys = &attempt->self->include_metadata_keys;

    for (size_t i = 0; i < fixed->count; i++) {
        if (!add_header(attempt, fixed->items[i].key, slice_of_string(fixed->items[i].value != NULL ? fixed->items[i].value : "")))
            return false;
    }
    for (size_t i = 0; i < keys->count; i++) {
        struct slice value;

        for (size_t nth = 0; (value = metadata_get(attempt->batch->metadata, keys->items[i], nth)).data != NULL; nth++) {
            if (!add_header(attempt, keys->items[i], value))
                return false;
        }
    }
    attempt->envelope.headers = attempt->headers;
    return true;
}

static void make_form(struct attempt *attempt)
{
    const struct kafka_exporter *self = attempt->self;
    const struct kafka_signal_settings *settings = &self->signals[attempt->batch->signal];
    size_t most = (size_t)self->producer.max_message_bytes, overhead = MESSAGE_OVERHEAD + attempt->headers_size;
    struct slice topic = { NULL, 0 };

    attempt->form = (struct kafka_form){ .encoding = (enum kafka_encoding)settings->encoding, .key = key_of(self, attempt->batch->signal) };
    attempt->form.max_bytes = most > overhead ? most - overhead : 1;
    if (is_set(settings->message_key_from_metadata_key))
        attempt->form.fixed_key = metadata_get(attempt->batch->metadata, settings->message_key_from_metadata_key, 0);
    if (attempt->form.fixed_key.size == 0)
        attempt->form.fixed_key.data = NULL;
    if (is_set(settings->topic_from_metadata_key))
        topic = metadata_get(attempt->batch->metadata, settings->topic_from_metadata_key, 0);
    if (topic.size == 0 && is_set(self->topic_from_attribute))
        attempt->form.topic_attribute = self->topic_from_attribute;
    attempt->envelope.topic = topic.size > 0 ? topic : slice_of_string(settings->topic);
}

/* ---- one round ---- */

static bool is_cancelled(struct kafka_exporter *self)
{
    bool cancelled;

    pthread_mutex_lock(&self->lock);
    cancelled = self->cancelled;
    pthread_mutex_unlock(&self->lock);
    return cancelled;
}

/* Waits for a broker, delivery_timeout at the most. */
static bool is_reachable(const struct attempt *attempt, struct kafka_producer *producer)
{
    int64_t left_ns = attempt->self->producer.delivery_timeout_ns, until_ns = clock_monotonic_nanos() + left_ns;

    while (left_ns > 0 && !is_cancelled(attempt->self)) {
        if (kafka_producer_reachable(
                producer, left_ns < PROBE_MILLIS * NANOS_PER_MILLI ? (int)(left_ns / NANOS_PER_MILLI) + 1 : PROBE_MILLIS))
            return true;
        left_ns = until_ns - clock_monotonic_nanos();
    }
    return false;
}

/* False: there is no producer, or no broker; nothing was sent. */
static bool send_to(struct attempt *attempt, enum kafka_company company)
{
    struct error err = { "" };
    struct kafka_producer *producer = kafka_exporter_producer(attempt->self, company, &err);
    bool reachable;

    if (producer == NULL) {
        log_error(attempt->self->base.path, "could not make a producer: %s", err.message);
        return false;
    }
    reachable = is_reachable(attempt, producer);
    if (reachable)
        kafka_producer_send(producer, &attempt->messages, &attempt->envelope, company == KAFKA_ALONE);
    else
        attempt->reason = "unreachable";
    kafka_producer_unref(producer);
    return reachable;
}

static bool any(const struct attempt *attempt, enum kafka_fate fate, bool alone)
{
    for (size_t i = 0; i < attempt->messages.count; i++) {
        if (attempt->messages.items[i].fate == fate && attempt->messages.items[i].alone == alone)
            return true;
    }
    return false;
}

static void say_failed(struct attempt *attempt, const struct kafka_message *message, const struct meaning *meaning)
{
    struct kafka_exporter *self = attempt->self;
    struct slice topic = message->topic.data != NULL ? message->topic : attempt->envelope.topic;

    attempt->reason = meaning->reason;
    if (strcmp(meaning->reason, "shutdown") != 0 && stretch_failed(&self->stretch, meaning->reason))
        log_warn(self->base.path, "can't deliver to topic \"%.*s\" (%s): %s; further failures of this kind are not logged",
            SLICE_PRINT(topic), meaning->reason, rd_kafka_err2str(message->error));
}

/* A refusal for size may be that of the whole request: only alone is a message refused for itself. */
static void shrink(struct attempt *attempt, size_t index)
{
    struct kafka_message *message = &attempt->messages.items[index];

    if (!message->alone) {
        message->alone = true;
        return;
    }
    if (kafka_messages_split(&attempt->messages, index, &attempt->form))
        return;
    attempt->messages.items[index].fate = KAFKA_TOO_LARGE;
}

/* Sorts out what the round left pending. Returns whether anything can be done at once. */
static bool sort_out(struct attempt *attempt)
{
    size_t count = attempt->messages.count; /* halves that come behind are pending, and have no error */
    bool again = false;

    for (size_t i = 0; i < count; i++) {
        struct kafka_message *message = &attempt->messages.items[i];
        const struct meaning *meaning = meaning_of(message->error);

        if (message->fate != KAFKA_PENDING)
            continue;
        if (meaning->remedy == REMEDY_AGAIN) {
            say_failed(attempt, message, meaning);
        } else if (meaning->remedy == REMEDY_SMALLER) {
            shrink(attempt, i);
            again = true;
        } else {
            message->fate = KAFKA_REFUSED;
        }
    }
    return again;
}

static size_t records_with(const struct attempt *attempt, enum kafka_fate fate)
{
    size_t records = 0;

    for (size_t i = 0; i < attempt->messages.count; i++)
        records += attempt->messages.items[i].fate == fate ? attempt->messages.items[i].records : 0;
    return records;
}

/* ---- what nobody takes ---- */

static struct kafka_dead_letter letter_of(const struct attempt *attempt, const struct kafka_message *message)
{
    bool too_large = message->fate == KAFKA_TOO_LARGE;

    return (struct kafka_dead_letter){
        .exporter = attempt->self->base.id,
        .reason = too_large ? "too_large" : meaning_of(message->error)->reason,
        .detail =
            message->error != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(message->error) : "larger than producer.max_message_bytes",
        .topic = message->topic.data != NULL ? message->topic : attempt->envelope.topic,
        .signal = attempt->batch->signal,
        .message = message,
    };
}

/* False: it has to be tried again. */
static bool bury(struct attempt *attempt, struct kafka_message *message)
{
    struct kafka_exporter *self = attempt->self;
    struct kafka_dead_letter letter = letter_of(attempt, message);
    struct error err = { "" };
    enum kafka_burial burial = kafka_dead_letters_write(&self->dead_letters, &letter, &err);

    if (burial == KAFKA_BURIAL_FAILED) {
        attempt->reason = "dead_letter";
        if (stretch_failed(&self->stretch, attempt->reason))
            log_error(self->base.path, "could not write a dead letter, the batch waits: %s", err.message);
        return false;
    }
    if (burial == KAFKA_BURIED) {
        attempt->buried += message->records;
        log_warn(self->base.path, "%zu %s (%zu bytes) went to the dead-letter file (%s): %s", message->records,
            signal_record_name(attempt->batch->signal), message->value.size, letter.reason, letter.detail);
    } else {
        attempt->lost += message->records;
        log_error(self->base.path, "%zu %s (%zu bytes) are lost, topic \"%.*s\" will never take them (%s): %s; %s", message->records,
            signal_record_name(attempt->batch->signal), message->value.size, SLICE_PRINT(letter.topic), letter.reason, letter.detail,
            err.message);
    }
    attempt->reason = letter.reason;
    message->fate = KAFKA_DONE;
    return true;
}

static bool bury_all(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->messages.count; i++) {
        struct kafka_message *message = &attempt->messages.items[i];

        if ((message->fate == KAFKA_TOO_LARGE || message->fate == KAFKA_REFUSED) && !bury(attempt, message))
            return false;
    }
    return true;
}

/* ---- the end ---- */

static struct outcome conclude(struct attempt *attempt)
{
    struct component *base = &attempt->self->base;
    enum signal signal = attempt->batch->signal;
    struct stretch_past past;
    size_t without_id = 0;

    for (size_t i = 0; i < attempt->messages.count; i++)
        without_id += attempt->messages.items[i].without_id;
    if (without_id > 0)
        component_count_dropped(base, signal, "no_span_id", without_id);
    if (attempt->messages.skipped > 0)
        component_count_dropped(base, signal, "empty_body", attempt->messages.skipped);
    if (attempt->delivered > 0 && stretch_worked(&attempt->self->stretch, &past))
        log_info(base->path, "delivers again, after %llu failed messages in %.1f s", (unsigned long long)past.attempts, past.seconds);
    if (attempt->lost > 0 && attempt->delivered + attempt->buried == 0)
        return outcome_rejected(attempt->reason);
    if (attempt->lost + attempt->buried > 0)
        component_count_dropped(base, signal, attempt->reason, attempt->lost + attempt->buried);
    return OUTCOME_ACCEPTED;
}

/* False: cancelled. */
static bool wait_for(struct kafka_exporter *self, int64_t delay_ns)
{
    int64_t until_ns = clock_monotonic_nanos() + delay_ns;
    struct timespec until = { (time_t)(until_ns / NANOS_PER_SECOND), (long)(until_ns % NANOS_PER_SECOND) };
    bool cancelled;

    pthread_mutex_lock(&self->lock);
    while (!self->cancelled && pthread_cond_timedwait(&self->cancel, &self->lock, &until) == 0)
        ;
    cancelled = self->cancelled;
    pthread_mutex_unlock(&self->lock);
    return !cancelled;
}

/* Waits before the `nth` repetition; false when there is to be none. */
static bool may_repeat(const struct attempt *attempt, int64_t started_ns, double *interval_ns)
{
    const struct retry_settings *retry = &attempt->self->delivery.retry;
    bool for_ever = retry->max_elapsed_time_ns == 0 || attempt->self->delivery.queue.storage != NULL;
    double spread = retry->randomization_factor * *interval_ns;
    int64_t delay_ns = (int64_t)(*interval_ns - spread + 2 * spread * random_unit());

    if (!retry->enabled || (!for_ever && clock_monotonic_nanos() - started_ns + delay_ns > retry->max_elapsed_time_ns))
        return false;
    *interval_ns *= retry->multiplier;
    if (*interval_ns > (double)retry->max_interval_ns)
        *interval_ns = (double)retry->max_interval_ns;
    return wait_for(attempt->self, delay_ns);
}

/* One round: what was refused in company goes alone. False: not all could be sent now. */
static bool send_round(struct attempt *attempt)
{
    for (int company = 0; company < KAFKA_COMPANIES; company++) {
        if (is_cancelled(attempt->self)) {
            attempt->reason = "shutdown";
            return false;
        }
        if (any(attempt, KAFKA_PENDING, company == KAFKA_ALONE) && !send_to(attempt, (enum kafka_company)company))
            return false;
    }
    return true;
}

/* Sends until nothing more can be done at once. */
static void send_pending(struct attempt *attempt)
{
    while (send_round(attempt) && sort_out(attempt) && !attempt->messages.failed)
        ;
    attempt->delivered = records_with(attempt, KAFKA_DELIVERED);
}

static struct outcome deliver(struct attempt *attempt)
{
    double interval_ns = (double)attempt->self->delivery.retry.initial_interval_ns;
    int64_t started_ns = clock_monotonic_nanos();

    do {
        send_pending(attempt);
        if (!any(attempt, KAFKA_PENDING, false) && !any(attempt, KAFKA_PENDING, true) && bury_all(attempt))
            return conclude(attempt);
        if (attempt->messages.failed)
            return outcome_retry("no_memory", 0);
    } while (attempt->delivered + attempt->buried > 0 && may_repeat(attempt, started_ns, &interval_ns));
    return outcome_retry(attempt->reason, 0);
}

struct outcome kafka_exporter_deliver(struct kafka_exporter *self, const struct batch *batch)
{
    struct attempt attempt = { .self = self, .batch = batch };
    struct outcome outcome = outcome_retry("no_memory", 0);

    if (make_headers(&attempt)) {
        make_form(&attempt);
        if (kafka_messages_build(&attempt.messages, batch, &attempt.form))
            outcome = deliver(&attempt);
    }
    kafka_messages_fini(&attempt.messages);
    if (attempt.headers != NULL)
        rd_kafka_headers_destroy(attempt.headers);
    return outcome;
}
