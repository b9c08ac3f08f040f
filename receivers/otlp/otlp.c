/*
 * otlp receiver: OTLP by gRPC and HTTP, four signals, protobuf and JSON.
 *
 * Cost: a request's body is read into one payload, checked in place and passed on; besides it a batch, a receipt and a small
 * struct are allocated. JSON, and text that is not UTF-8, cost a copy.
 * Limits: bodies are refused before they are read when they are larger than max_request_body_size or
 * max_recv_msg_size_mib, and when a memory_limiter behind says no.
 * Threads: start and stop on the control thread; requests on the data loops; answers from whoever settles the receipt.
 */
#include "receivers/otlp/otlp.h"

#include "collector/base/clock.h"
#include "collector/base/log.h"

/* Long enough for what the batch processor holds by default, short enough for a shutdown. */
static const int64_t stop_grace_ns = 2 * NANOS_PER_SECOND;

static const struct option grpc_options[] = {
    { "endpoint", OPTION_STRING, offsetof(struct grpc_listen_settings, endpoint), "localhost:4317", "nonempty", "address to listen on" },
    { "read_buffer_size", OPTION_INT, offsetof(struct grpc_listen_settings, read_buffer_size), "524288", "0..",
        "accepted; weir sizes its buffers itself" },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, grpc_listen_options },
    { 0 },
};

/* Rows before the included ones go before them: these have other defaults here. */
#define LISTEN(field) offsetof(struct otlp_http_settings, listen.field)
static const struct option http_options[] = {
    { "endpoint", OPTION_STRING, LISTEN(endpoint), "localhost:4318", "nonempty", "address to listen on" },
    { "traces_url_path", OPTION_STRING, offsetof(struct otlp_http_settings, traces_url_path), "/v1/traces", "nonempty",
        "path that takes traces" },
    { "metrics_url_path", OPTION_STRING, offsetof(struct otlp_http_settings, metrics_url_path), "/v1/metrics", "nonempty",
        "path that takes metrics" },
    { "logs_url_path", OPTION_STRING, offsetof(struct otlp_http_settings, logs_url_path), "/v1/logs", "nonempty", "path that takes logs" },
    { "read_header_timeout", OPTION_DURATION, LISTEN(read_header_timeout_ns), "0s", NULL, "for a request's headers; 0: a minute" },
    { "write_timeout", OPTION_DURATION, LISTEN(write_timeout_ns), "0s", NULL, "for a response; 0: a minute without progress" },
    { "idle_timeout", OPTION_DURATION, LISTEN(idle_timeout_ns), "0s", NULL, "until an idle connection is closed; 0: never" },
    { "", OPTION_INCLUDE, offsetof(struct otlp_http_settings, listen), NULL, NULL, NULL, http_listen_options },
    { 0 },
};

static const struct option protocols_options[] = {
    { "grpc", OPTION_BLOCK, offsetof(struct otlp, grpc), NULL, NULL, "listen for OTLP/gRPC; only when the key is there", grpc_options,
        .present = offsetof(struct otlp, grpc_present) },
    { "http", OPTION_BLOCK, offsetof(struct otlp, http), NULL, NULL, "listen for OTLP/HTTP; only when the key is there", http_options,
        .present = offsetof(struct otlp, http_present) },
    { 0 },
};

static const struct option options[] = {
    { "protocols", OPTION_BLOCK, 0, NULL, NULL, "how to listen; without this block both protocols, with their defaults", protocols_options,
        .present = offsetof(struct otlp, protocols_present) },
    { 0 },
};

/* ---- counting ---- */

bool otlp_crowded(void *context)
{
    return component_crowded(context);
}

bool otlp_admit(void *context, size_t bytes)
{
    return component_admit(context, bytes);
}

void otlp_count_refused(struct otlp *self, enum signal signal, const char *reason)
{
    component_count_dropped(&self->base, signal, reason, 1);
}

void otlp_count_fault(struct otlp *self, const char *transport, const char *peer, const char *reason)
{
    enum signal signal = SIGNAL_TRACES;

    while (signal + 1 < SIGNAL_COUNT && !component_takes(&self->base, signal))
        signal++;
    log_debug(self->base.path, "%s: connection from %s: %s", transport, peer, reason);
    otlp_count_refused(self, signal, reason);
}

/* ---- life ---- */

static bool uses_grpc(const struct otlp *self)
{
    return self->grpc_present || !self->protocols_present;
}

static bool uses_http(const struct otlp *self)
{
    return self->http_present || !self->protocols_present;
}

/* A path, not an address: a colon before the first slash would be a scheme's. */
static bool check_path(const char *path, struct error *err)
{
    size_t length = strcspn(path, ":/?#");

    if (path[length] == '\0' || path[length] == '/')
        return true;
    return fail(err, "protocols.http: \"%s\" is not a path such as /v1/traces", path);
}

static bool otlp_validate(struct component *component, struct error *err)
{
    const struct otlp *self = (const struct otlp *)component;
    const char *const paths[] = { self->http.traces_url_path, self->http.metrics_url_path, self->http.logs_url_path };
    struct grpc_server_settings grpc;
    struct http_server_settings http;

    if (!uses_grpc(self) && !uses_http(self))
        return fail(err, "protocols: name at least one of grpc and http");
    for (size_t i = 0; i < 3; i++) {
        if (!check_path(paths[i], err))
            return false;
        if (strcmp(paths[i], paths[(i + 1) % 3]) == 0)
            return fail(err, "protocols.http: \"%s\" cannot take two signals", paths[i]);
    }
    if (uses_grpc(self) && !grpc_listen_to_net(&self->grpc, &grpc, err))
        return fail_within(err, "protocols.grpc");
    if (uses_http(self) && !http_listen_to_net(&self->http.listen, &http, err))
        return fail_within(err, "protocols.http");
    return true;
}

static bool otlp_start(struct component *component, struct error *err)
{
    struct otlp *self = (struct otlp *)component;

    self->link = receiver_link_create();
    if (uses_grpc(self) && !otlp_grpc_start(self, err))
        return fail_within(err, "protocols.grpc");
    if (uses_http(self) && !otlp_http_start(self, err))
        return fail_within(err, "protocols.http");
    return true;
}

static void otlp_stop(struct component *component)
{
    struct otlp *self = (struct otlp *)component;

    http_server_stop(self->http_server, stop_grace_ns);
    grpc_server_stop(self->grpc_server, stop_grace_ns);
    receiver_link_cut(self->link);
    http_listen_fini(&self->listen);
    self->http_server = NULL;
    self->grpc_server = NULL;
    self->link = NULL;
}

const struct component_type otlp_receiver = {
    .name = "otlp",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_STABLE,
    .summary = "Receives traces, metrics, logs and profiles by OTLP, over gRPC and HTTP.",
    .options = options,
    .instance_size = sizeof(struct otlp),
    .validate = otlp_validate,
    .start = otlp_start,
    .stop = otlp_stop,
};
