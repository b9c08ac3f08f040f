/*
 * otlp_grpc exporter: one unary Export call per batch. An uncompressed batch goes out as the bytes that came in.
 *
 * Retried: CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS, and RESOURCE_EXHAUSTED when the server says with
 * RetryInfo that it will recover (https://opentelemetry.io/docs/specs/otlp/#failures). Everything else is for good.
 * Threads: consume blocks its (the queue's) thread for at most `timeout`, several at once on connections of their own.
 */
#include <openssl/evp.h>
#include <stdio.h>

#include "collector/base/log.h"
#include "collector/delivery.h"
#include "collector/net/grpc_client.h"
#include "collector/settings.h"
#include "exporters/otlp_message.h"
#include "exporters/otlp_response.h"

struct otlp_grpc {
    struct component base;
    struct grpc_connect_settings grpc; /* options */
    int64_t timeout_ns;                /* option */
    struct delivery_settings delivery; /* options */

    struct otlp_form form;
    struct buffer headers;           /* "name: value\n"..., of every call */
    struct component *authenticator; /* borrowed until stop; NULL: none */
    struct grpc_client *client;      /* owned */
    struct stretch failures;
};

#define FIELD(field) offsetof(struct otlp_grpc, field)

static const struct option options[] = {
    { "compression", OPTION_STRING, FIELD(grpc.compression), "gzip", "|none|gzip|snappy|zstd", "how messages are compressed" },
    { "timeout", OPTION_DURATION, FIELD(timeout_ns), "5s", NULL, "for one attempt; 0: none" },
    { "", OPTION_INCLUDE, FIELD(grpc), NULL, NULL, NULL, grpc_connect_options },
    { "", OPTION_INCLUDE, FIELD(delivery), NULL, NULL, NULL, delivery_options },
    { 0 },
};

static const char *const methods[SIGNAL_COUNT] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- start and stop ---- */

/* What gRPC calls snappy is the framed format. */
static bool read_form(struct otlp_grpc *self, struct error *err)
{
    const char *name = self->grpc.compression;

    self->form.coding = !is_set(name) || strcmp(name, "none") == 0 ? CODING_IDENTITY : coding_of_name(slice_of_string(name));
    if (self->form.coding == CODING_SNAPPY)
        self->form.coding = CODING_SNAPPY_FRAMED;
    return self->form.coding != CODING_UNKNOWN || fail(err, "compression: \"%s\" is not known", name);
}

static struct grpc_client *make_client(const struct otlp_grpc *self, struct error *err)
{
    return grpc_client_create(
        &(struct grpc_client_settings){
            .endpoint = self->grpc.endpoint,
            .tls = &self->grpc.tls,
            .authority = self->grpc.authority,
            .round_robin = self->grpc.balancer_name != NULL && strcmp(self->grpc.balancer_name, "round_robin") == 0,
            .timeout_ns = self->timeout_ns,
            .keepalive_time_ns = self->grpc.keepalive_present ? self->grpc.keepalive.time_ns : 0,
            .keepalive_timeout_ns = self->grpc.keepalive.timeout_ns,
        },
        err);
}

static bool otlp_grpc_validate(struct component *component, struct error *err)
{
    struct otlp_grpc *self = (struct otlp_grpc *)component;

    return read_form(self, err) && grpc_endpoint_check(self->grpc.endpoint, err) && otlp_headers_check(&self->grpc.headers, err);
}

/* Values of names that end in -bin are bytes, base64 on the wire. */
static void write_header(struct buffer *out, const char *name, const char *value)
{
    size_t length = strlen(name), size = value != NULL ? strlen(value) : 0;

    buffer_printf(out, "%s: ", name);
    if (length < 4 || strcmp(name + length - 4, "-bin") != 0)
        buffer_append(out, value, size);
    else if (buffer_reserve(out, (size + 2) / 3 * 4 + 1))
        out->size += (size_t)EVP_EncodeBlock(out->data + out->size, (const uint8_t *)value, (int)size);
    buffer_append_byte(out, '\n');
}

static void write_headers(struct otlp_grpc *self)
{
    const struct option_pairs *configured = &self->grpc.headers;

    buffer_clear(&self->headers);
    write_header(&self->headers, "user-agent", is_set(self->grpc.user_agent) ? self->grpc.user_agent : "weir/" WEIR_VERSION);
    for (size_t i = 0; i < configured->count; i++)
        write_header(&self->headers, configured->items[i].key, configured->items[i].value);
}

static bool otlp_grpc_start(struct component *component, struct error *err)
{
    struct otlp_grpc *self = (struct otlp_grpc *)component;

    if (!read_form(self, err) || !otlp_find_authenticator(component, self->grpc.auth.authenticator, &self->authenticator, err))
        return false;
    write_headers(self);
    self->client = make_client(self, err);
    return self->client != NULL;
}

static void otlp_grpc_cancel(struct component *component)
{
    grpc_client_cancel(((struct otlp_grpc *)component)->client);
}

static void otlp_grpc_stop(struct component *component)
{
    struct otlp_grpc *self = (struct otlp_grpc *)component;

    grpc_client_destroy(self->client);
    self->client = NULL;
    buffer_fini(&self->headers);
}

/* ---- what the server said ---- */

static struct outcome outcome_of_status(enum grpc_status status, const struct otlp_status *details)
{
    switch (status) {
    case GRPC_OK:
        return OUTCOME_ACCEPTED;
    case GRPC_UNAVAILABLE:
        return outcome_retry("unavailable", details->retry_delay_ns);
    case GRPC_DEADLINE_EXCEEDED:
        return outcome_retry("timed_out", details->retry_delay_ns);
    case GRPC_CANCELLED:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_DATA_LOSS:
        return outcome_retry("interrupted", details->retry_delay_ns);
    case GRPC_RESOURCE_EXHAUSTED:
        return details->has_retry_info ? outcome_retry("throttled", details->retry_delay_ns) : outcome_rejected("too_large");
    case GRPC_UNAUTHENTICATED:
        return outcome_rejected("unauthenticated");
    case GRPC_PERMISSION_DENIED:
        return outcome_rejected("permission_denied");
    case GRPC_UNIMPLEMENTED:
        return outcome_rejected("unimplemented");
    case GRPC_INVALID_ARGUMENT:
        return outcome_rejected("bad_request");
    default:
        return outcome_rejected("grpc_error");
    }
}

static void read_partial_success(struct otlp_grpc *self, const struct batch *batch, const struct grpc_answer *answer)
{
    struct otlp_partial_success partial = { 0 };

    if (otlp_read_partial_success(buffer_slice(&answer->body), &partial))
        otlp_count_partial_success(&self->base, batch, partial.rejected, buffer_slice(&partial.message));
    else
        log_warn(self->base.path, "the destination accepted the data, but its answer could not be read");
    otlp_partial_success_fini(&partial);
}

static void report_failure(struct otlp_grpc *self, const struct batch *batch, struct outcome outcome, const char *result)
{
    char tried[512];

    snprintf(tried, sizeof(tried), "call to %s of %s", strrchr(methods[batch->signal], '.') + 1, self->grpc.endpoint);
    otlp_destination_failed(&self->failures, &self->base, &(struct otlp_failure){ outcome, tried, result, batch->records });
}

static struct outcome conclude(struct otlp_grpc *self, const struct batch *batch, const struct grpc_answer *answer)
{
    struct otlp_status details = { 0 };
    struct outcome outcome;
    char excerpt[OTLP_EXCERPT_SIZE], result[OTLP_EXCERPT_SIZE + 300];

    if (answer->details.size > 0 && !otlp_read_status(buffer_slice(&answer->details), &details))
        details = (struct otlp_status){ 0 };
    outcome = outcome_of_status(answer->status, &details);
    if (!answer->from_server && outcome.verdict == VERDICT_RETRY && answer->status == GRPC_UNAVAILABLE)
        outcome.reason = "unreachable";
    if (outcome.verdict == VERDICT_ACCEPTED) {
        otlp_destination_worked(&self->failures, &self->base);
        read_partial_success(self, batch, answer);
        return outcome;
    }
    if (answer->from_server)
        snprintf(
            result, sizeof(result), "%s%s", grpc_status_name((int)answer->status), otlp_excerpt(buffer_slice(&answer->message), excerpt));
    else
        snprintf(result, sizeof(result), "%.*s", (int)(answer->message.size < sizeof(result) ? answer->message.size : sizeof(result) - 1),
            (const char *)answer->message.data);
    report_failure(self, batch, outcome, result);
    return outcome;
}

/* ---- the attempt ---- */

static const char *encoding_name(enum coding coding)
{
    switch (coding) {
    case CODING_IDENTITY:
        return NULL;
    case CODING_SNAPPY_FRAMED:
        return "snappy";
    default:
        return coding_name(coding);
    }
}

static struct outcome send_message(struct otlp_grpc *self, const struct batch *batch, const struct otlp_message *message)
{
    struct otlp_headers_source source = { buffer_slice(&self->headers), self->authenticator, true };
    struct outcome outcome = outcome_retry("no_credentials", 0);
    struct otlp_headers headers = { 0 };
    struct grpc_answer answer = { 0 };
    struct error err = { "" };
    struct grpc_request request = {
        .method = methods[batch->signal],
        .headers = headers.lines,
        .encoding = encoding_name(self->form.coding),
        .parts = message->parts,
        .part_count = message->part_count,
    };

    if (otlp_headers_make(&headers, &source, &err)) {
        grpc_client_call(self->client, &request, &answer);
        outcome = conclude(self, batch, &answer);
    } else {
        report_failure(self, batch, outcome, err.message);
    }
    grpc_answer_fini(&answer);
    otlp_headers_fini(&headers);
    return outcome;
}

static void otlp_grpc_consume(struct component *component, struct batch *batch)
{
    struct otlp_grpc *self = (struct otlp_grpc *)component;
    struct otlp_message message = { 0 };
    struct outcome outcome = outcome_retry("no_memory", 0);

    if (otlp_message_build(&message, batch, &self->form))
        outcome = send_message(self, batch, &message);
    otlp_message_fini(&message);
    batch_settle(batch, outcome);
}

static const char *const aliases[] = { "otlp", NULL };

const struct component_type otlp_grpc_exporter = {
    .name = "otlp_grpc",
    .aliases = aliases,
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_STABLE,
    .summary = "Sends telemetry to an OTLP/gRPC server.",
    .options = options,
    .instance_size = sizeof(struct otlp_grpc),
    .validate = otlp_grpc_validate,
    .start = otlp_grpc_start,
    .cancel = otlp_grpc_cancel,
    .stop = otlp_grpc_stop,
    .consume = otlp_grpc_consume,
    .delivery_offset = offsetof(struct otlp_grpc, delivery),
};
