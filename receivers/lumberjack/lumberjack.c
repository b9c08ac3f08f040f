/*
 * lumberjack receiver: what Filebeat and the other Beats, Logstash and logstash-forwarder send ("output.logstash"), protocol versions 1 and 2.
 *
 * Events are acknowledged, in order, once they are *durable*; a client that waits longer hears every `keepalive` that it is not forgotten.
 * Limits: a frame, and what it decompresses to, is at most max_message_size; sessions are those of the stream server.
 * Threads: start and stop on the control thread; sessions on the data loops.
 */
#include "receivers/lumberjack/lumberjack.h"

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/net/socket.h"

static const int64_t stop_grace_ns = 2 * NANOS_PER_SECOND, stall_ns = 5 * 60 * NANOS_PER_SECOND;

#define AT(field) offsetof(struct lumberjack_receiver, field)
static const struct option options[] = {
    { "endpoint", OPTION_STRING, AT(endpoint), "localhost:5044", "nonempty", "address to listen on", .flags = OPTION_WEIR },
    { "tls", OPTION_BLOCK, AT(tls), NULL, NULL, "speak TLS", tls_server_options, .present = AT(tls_present), .flags = OPTION_WEIR },
    { "max_message_size", OPTION_INT, AT(max_message_size), "33554432", "1024..1073741824",
        "bytes of one frame, and of what it decompresses to; a client that sends more is cut off", .flags = OPTION_WEIR },
    { "keepalive", OPTION_DURATION, AT(keepalive_ns), "3s", "100ms..1h",
        "how often a client of version 2 that waits for an acknowledgement is told to go on waiting", .flags = OPTION_WEIR },
    { 0 },
};

static bool lumberjack_validate(struct component *component, struct error *err)
{
    const struct lumberjack_receiver *self = (const struct lumberjack_receiver *)component;
    struct socket_endpoint parsed;

    if (!socket_parse_endpoint(self->endpoint, &parsed, err))
        return false;
    return !self->tls_present || tls_settings_check(&self->tls, true, err) || fail_within(err, "tls");
}

static bool admit(void *context, size_t bytes)
{
    return component_admit(context, bytes);
}

static void fault(void *context, const char *peer, const char *reason)
{
    struct lumberjack_receiver *self = context;

    log_warn(self->base.path, "connection from %s ended: %s", peer, reason);
    component_count_dropped(&self->base, SIGNAL_LOGS, reason, 1);
}

static bool lumberjack_start(struct component *component, struct error *err)
{
    struct lumberjack_receiver *self = (struct lumberjack_receiver *)component;
    struct stream_server_settings settings = { .endpoint = self->endpoint,
        .tls = self->tls_present ? &self->tls : NULL,
        .max_pending = (size_t)self->max_message_size,
        .stall_ns = stall_ns };
    struct stream_service service = { .protocol = &lumberjack_protocol, .context = self, .admission = { admit, self }, .fault = fault };

    self->server = stream_server_start(&settings, &service, err);
    return self->server != NULL;
}

static void lumberjack_stop(struct component *component)
{
    struct lumberjack_receiver *self = (struct lumberjack_receiver *)component;

    stream_server_stop(self->server, stop_grace_ns);
    self->server = NULL;
}

const struct component_type lumberjack_receiver = {
    .name = "lumberjack",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary =
        "Receives events from Filebeat, other Beats and Logstash by the Lumberjack protocol; they are acknowledged once they are durable.",
    .options = options,
    .instance_size = sizeof(struct lumberjack_receiver),
    .validate = lumberjack_validate,
    .start = lumberjack_start,
    .stop = lumberjack_stop,
};
