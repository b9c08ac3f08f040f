/*
 * syslog exporter: log records as RFC 5424 or RFC 3164 messages, over TCP, TLS, UDP or a unix socket.
 *
 * Syslog has no answers: a batch is delivered when the kernel has all of it. A connection that the server has closed is noticed before it is used
 * again; what was written just before that is lost, as with every syslog over TCP.
 * Threads: consume blocks its (the queue's) thread for at most `timeout`, several at once on connections of their own; idle ones are kept under one lock.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/delivery.h"
#include "collector/net/stream.h"
#include "collector/net/tls_client.h"
#include "collector/settings.h"
#include "exporters/otlp_message.h"
#include "exporters/syslog/format.h"

enum { IDLE_MAX = 16, PART_BYTES = 256 << 10 };
enum network { NETWORK_TCP, NETWORK_UDP, NETWORK_UNIX };

struct syslog_exporter {
    struct component base;
    const char *endpoint;              /* option */
    int64_t port, timeout_ns;          /* options */
    int network, protocol;             /* options; enum network, enum syslog_protocol */
    bool octet_counting;               /* option */
    struct tls_settings tls;           /* option */
    struct delivery_settings delivery; /* options */

    struct syslog_format format;
    char port_text[8];
    struct tls_client *tls_client; /* owned; NULL: plain */
    struct stream_cancel cancel;
    bool cancel_made;
    pthread_mutex_t lock;
    struct stream idle[IDLE_MAX];
    size_t idle_count;
    struct stretch failures;
};

#define FIELD(field) offsetof(struct syslog_exporter, field)
static const struct option queue_options[] = {
    { "enabled", OPTION_BOOL, offsetof(struct queue_settings, enabled), "false", NULL,
        "put a queue in front; the OpenTelemetry Collector has none here unless it is said" },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, sending_queue_options },
    { 0 },
};

static const struct option options[] = {
    { "endpoint", OPTION_STRING, FIELD(endpoint), NULL, "nonempty", "the server's name or address; with network unix its path",
        .flags = OPTION_REQUIRED },
    { "port", OPTION_INT, FIELD(port), "514", "1..65535", "the server's port" },
    { "network", OPTION_ENUM, FIELD(network), "tcp", "tcp|udp|unix",
        "how messages are sent; TLS is spoken over tcp unless tls.insecure is true" },
    { "protocol", OPTION_ENUM, FIELD(protocol), "rfc5424", "rfc3164|rfc5424", "what the messages look like" },
    { "enable_octet_counting", OPTION_BOOL, FIELD(octet_counting), "false", NULL,
        "each message begins with its size (RFC 6587), instead of ending in a line feed" },
    { "tls", OPTION_BLOCK, FIELD(tls), NULL, NULL, "TLS is spoken unless `insecure` is true", tls_client_options },
    { "timeout", OPTION_DURATION, FIELD(timeout_ns), "5s", NULL, "for one attempt; 0: none" },
    { "sending_queue", OPTION_BLOCK, FIELD(delivery.queue), NULL, NULL, "the queue in front of this exporter", queue_options },
    { "", OPTION_INCLUDE, FIELD(delivery), NULL, NULL, NULL, delivery_options },
    { 0 },
};

/* ---- connections ---- */

static bool connect_datagrams(const struct syslog_exporter *self, struct stream *stream, struct error *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list = NULL;
    int failure = getaddrinfo(self->endpoint, self->port_text, &hints, &list);

    stream->fd = -1;
    if (failure != 0)
        return fail(err, "could not resolve \"%s\": %s", self->endpoint, gai_strerror(failure));
    for (const struct addrinfo *i = list; i != NULL && stream->fd < 0; i = i->ai_next) {
        stream->fd = socket(i->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (stream->fd >= 0 && connect(stream->fd, i->ai_addr, i->ai_addrlen) != 0)
            stream_close(stream);
    }
    freeaddrinfo(list);
    return stream->fd >= 0 || fail(err, "could not send to \"%s\": %s", self->endpoint, strerror(errno));
}

static bool open_connection(struct syslog_exporter *self, struct stream *stream, const struct stream_limits *limits, struct error *err)
{
    struct stream_target target = { .host = self->endpoint, .port = self->port_text };
    struct stream_tls tls = { .client = self->tls_client, .server_name = self->endpoint };

    *stream = (struct stream){ .fd = -1 };
    if (self->network == NETWORK_UDP)
        return connect_datagrams(self, stream, err);
    if (self->network == NETWORK_UNIX)
        target = (struct stream_target){ .unix_path = self->endpoint };
    if (!stream_connect(stream, &target, limits, err))
        return false;
    if (self->tls_client == NULL || stream_start_tls(stream, &tls, limits, err))
        return true;
    stream_close(stream);
    return false;
}

/* An idle one that is still good, or a new one. */
static bool get_connection(struct syslog_exporter *self, struct stream *stream, const struct stream_limits *limits, struct error *err)
{
    for (;;) {
        bool found;

        pthread_mutex_lock(&self->lock);
        found = self->idle_count > 0;
        if (found)
            *stream = self->idle[--self->idle_count];
        pthread_mutex_unlock(&self->lock);
        if (!found)
            return open_connection(self, stream, limits, err);
        if (self->network == NETWORK_UDP || stream_is_quiet(stream))
            return true;
        stream_close(stream);
    }
}

static void keep_connection(struct syslog_exporter *self, struct stream *stream)
{
    bool kept;

    pthread_mutex_lock(&self->lock);
    kept = self->idle_count < IDLE_MAX;
    if (kept)
        self->idle[self->idle_count++] = *stream;
    pthread_mutex_unlock(&self->lock);
    if (!kept)
        stream_close(stream);
}

/* ---- the attempt ---- */

struct sending {
    struct syslog_exporter *self;
    struct stream stream;
    struct stream_limits limits;
    struct buffer out, scratch;
    struct error *err;
};

/* What a server that is not there, or a too large datagram, says is no reason to try again: nobody would know the difference. */
static bool send_datagram(struct sending *sending, struct slice bytes)
{
    while (send(sending->stream.fd, bytes.data, bytes.size, 0) < 0) {
        if (errno == ECONNREFUSED || errno == EMSGSIZE)
            return true;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return fail(sending->err, "could not send: %s", strerror(errno));
        if ((stream_wait(&sending->stream, true, &sending->limits) & (STREAM_TIMED_OUT | STREAM_CANCELLED)) != 0)
            return fail(sending->err, "could not send within the timeout");
    }
    return true;
}

static bool send_out(struct sending *sending)
{
    struct slice bytes = buffer_slice(&sending->out);
    bool sent;

    if (sending->out.failed)
        return fail(sending->err, "out of memory");
    if (sending->self->network == NETWORK_UDP)
        sent = send_datagram(sending, bytes);
    else
        sent = stream_write_all(&sending->stream, bytes, &sending->limits, sending->err);
    buffer_clear(&sending->out);
    return sent;
}

static bool send_records(struct sending *sending, const struct batch *batch)
{
    for (size_t i = 0; i < batch->run_count; i++) {
        struct otlp_walk walk = otlp_walk(batch->runs[i].bytes);
        struct otlp_log log;

        while (otlp_walk_next(&walk)) {
            otlp_log_view(walk.record.body, &log);
            syslog_format_record(&sending->self->format, &log, &sending->scratch, &sending->out);
            if ((sending->self->format.datagram || sending->out.size >= PART_BYTES || sending->out.failed) && !send_out(sending))
                return false;
        }
    }
    return sending->out.size == 0 || send_out(sending);
}

static struct outcome report(struct syslog_exporter *self, const struct batch *batch, const struct error *err)
{
    struct outcome outcome = outcome_retry("unreachable", 0);
    char tried[512];

    snprintf(tried, sizeof(tried), "syslog to %s", self->endpoint);
    otlp_destination_failed(&self->failures, &self->base, &(struct otlp_failure){ outcome, tried, err->message, batch->records });
    return outcome;
}

static void syslog_consume(struct component *component, struct batch *batch)
{
    struct syslog_exporter *self = (struct syslog_exporter *)component;
    struct error err = { "" };
    struct sending sending = { .self = self, .stream = { .fd = -1 }, .err = &err };
    struct outcome outcome = OUTCOME_ACCEPTED;
    bool sent;

    sending.limits = (struct stream_limits){ self->timeout_ns > 0 ? clock_monotonic_nanos() + self->timeout_ns : 0, &self->cancel };
    sent = get_connection(self, &sending.stream, &sending.limits, &err);
    if (sent) {
        sent = send_records(&sending, batch);
        if (sent)
            keep_connection(self, &sending.stream);
        else
            stream_close(&sending.stream);
    }
    buffer_fini(&sending.out);
    buffer_fini(&sending.scratch);
    if (sent)
        otlp_destination_worked(&self->failures, &self->base);
    else
        outcome = report(self, batch, &err);
    batch_settle(batch, outcome);
}

/* ---- life ---- */

static bool syslog_validate(struct component *component, struct error *err)
{
    const struct syslog_exporter *self = (const struct syslog_exporter *)component;

    if (self->octet_counting && self->protocol == SYSLOG_RFC3164)
        return fail(err, "enable_octet_counting goes with protocol rfc5424 only");
    return tls_settings_check(&self->tls, false, err) || fail_within(err, "tls");
}

static bool syslog_start(struct component *component, struct error *err)
{
    struct syslog_exporter *self = (struct syslog_exporter *)component;

    pthread_mutex_init(&self->lock, NULL);
    snprintf(self->port_text, sizeof(self->port_text), "%d", (int)self->port);
    self->format = (struct syslog_format){ (enum syslog_protocol)self->protocol, self->octet_counting, self->network == NETWORK_UDP };
    self->cancel_made = stream_cancel_init(&self->cancel, err);
    if (!self->cancel_made)
        return false;
    if (self->network == NETWORK_TCP && !self->tls.insecure)
        self->tls_client = tls_client_create(&self->tls, err);
    return self->network != NETWORK_TCP || self->tls.insecure || self->tls_client != NULL;
}

static void syslog_cancel(struct component *component)
{
    struct syslog_exporter *self = (struct syslog_exporter *)component;

    if (self->cancel_made)
        stream_cancel_set(&self->cancel);
}

static void syslog_stop(struct component *component)
{
    struct syslog_exporter *self = (struct syslog_exporter *)component;

    while (self->idle_count > 0)
        stream_close(&self->idle[--self->idle_count]);
    tls_client_destroy(self->tls_client);
    self->tls_client = NULL;
    if (self->cancel_made)
        stream_cancel_fini(&self->cancel);
    self->cancel_made = false;
}

const struct component_type syslog_exporter = {
    .name = "syslog",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Sends log records as syslog messages (RFC 5424, RFC 3164) over TCP, TLS, UDP or a unix socket.",
    .options = options,
    .instance_size = sizeof(struct syslog_exporter),
    .validate = syslog_validate,
    .start = syslog_start,
    .cancel = syslog_cancel,
    .stop = syslog_stop,
    .consume = syslog_consume,
    .delivery_offset = offsetof(struct syslog_exporter, delivery),
};
