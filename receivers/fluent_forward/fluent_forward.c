/*
 * fluent_forward receiver: logs from Fluentd, Fluent Bit, Docker and Fluent's client libraries by the forward protocol, version 1.
 *
 * A chunk is acknowledged once its records are *durable*; what is sent without asking for that is taken when it is in a bounded queue, and the
 * sender is not read while it cannot be.
 * Limits: a message, packed or unpacked, is at most max_message_size; sessions are those of the stream server.
 * Threads: start and stop on the control thread; sessions on the data loops.
 */
#include "receivers/fluent_forward/fluent_forward.h"

#include "collector/base/clock.h"
#include "collector/base/log.h"

static const int64_t stop_grace_ns = 2 * NANOS_PER_SECOND, stall_ns = 5 * 60 * NANOS_PER_SECOND;

#define SECURITY(field) offsetof(struct fluent_security, field)
static const struct option security_options[] = {
    { "self_hostname", OPTION_STRING, SECURITY(self_hostname), "weir", "nonempty", "the name that clients are told", .flags = OPTION_WEIR },
    { "shared_key", OPTION_SECRET, SECURITY(shared_key), NULL, NULL, "clients must know it", .flags = OPTION_WEIR | OPTION_REQUIRED },
    { "users", OPTION_PAIRS, SECURITY(users), NULL, NULL, "passwords by user name; set: clients must be one of them",
        .flags = OPTION_WEIR | OPTION_HIDDEN },
    { 0 },
};

static const struct option options[] = {
    { "endpoint", OPTION_STRING, offsetof(struct fluent_receiver, endpoint), NULL, "nonempty",
        "address to listen on, \"host:port\" or \"unix:///path\"", .flags = OPTION_REQUIRED },
    { "tls", OPTION_BLOCK, offsetof(struct fluent_receiver, tls), NULL, NULL, "speak TLS", tls_server_options,
        .present = offsetof(struct fluent_receiver, tls_present), .flags = OPTION_WEIR },
    { "security", OPTION_BLOCK, offsetof(struct fluent_receiver, security), NULL, NULL, "ask clients for a shared key", security_options,
        .present = offsetof(struct fluent_receiver, security_present), .flags = OPTION_WEIR },
    { "max_message_size", OPTION_INT, offsetof(struct fluent_receiver, max_message_size), "33554432", "1024..1073741824",
        "bytes of one message, and of what it decompresses to; a client that sends more is cut off", .flags = OPTION_WEIR },
    { 0 },
};

static const char *unix_path(const struct fluent_receiver *self)
{
    static const char prefix[] = "unix://";

    return strncmp(self->endpoint, prefix, sizeof(prefix) - 1) == 0 ? self->endpoint + sizeof(prefix) - 1 : NULL;
}

static bool fluent_validate(struct component *component, struct error *err)
{
    const struct fluent_receiver *self = (const struct fluent_receiver *)component;
    struct socket_endpoint parsed;

    if (unix_path(self) == NULL && !socket_parse_endpoint(self->endpoint, &parsed, err))
        return false;
    if (self->security_present && self->security.shared_key[0] == '\0')
        return fail(err, "security: shared_key is empty: set it to what the clients' shared_key is");
    return !self->tls_present || tls_settings_check(&self->tls, true, err) || fail_within(err, "tls");
}

static bool admit(void *context, size_t bytes)
{
    return component_admit(context, bytes);
}

static void fault(void *context, const char *peer, const char *reason)
{
    struct fluent_receiver *self = context;

    log_warn(self->base.path, "connection from %s ended: %s", peer, reason);
    component_count_dropped(&self->base, SIGNAL_LOGS, reason, 1);
}

static bool fluent_start(struct component *component, struct error *err)
{
    struct fluent_receiver *self = (struct fluent_receiver *)component;
    const char *path = unix_path(self);
    struct stream_server_settings settings = {
        .endpoint = path != NULL ? path : self->endpoint,
        .is_unix = path != NULL,
        .tls = self->tls_present ? &self->tls : NULL,
        .max_pending = (size_t)self->max_message_size,
        .stall_ns = stall_ns,
    };
    struct stream_service service = { .protocol = &fluent_protocol, .context = self, .admission = { admit, self }, .fault = fault };

    self->server = stream_server_start(&settings, &service, err);
    return self->server != NULL;
}

static void fluent_stop(struct component *component)
{
    struct fluent_receiver *self = (struct fluent_receiver *)component;

    stream_server_stop(self->server, stop_grace_ns);
    self->server = NULL;
}

static const char *const aliases[] = { "fluentforward", NULL };

const struct component_type fluent_forward_receiver = {
    .name = "fluent_forward",
    .aliases = aliases,
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary =
        "Receives logs by Fluent's forward protocol, from Fluentd, Fluent Bit, Docker and client libraries; chunks are acknowledged once "
        "they are durable.",
    .options = options,
    .instance_size = sizeof(struct fluent_receiver),
    .validate = fluent_validate,
    .start = fluent_start,
    .stop = fluent_stop,
};
