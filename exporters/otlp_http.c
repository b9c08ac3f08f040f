/*
 * otlp_http exporter: one POST per batch, protobuf or JSON. An uncompressed protobuf batch goes out as the bytes that came in.
 *
 * Retried: no answer at all, 429, 502, 503, 504 (with their Retry-After). Every other error status is for good, as the OTLP
 * specification says (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response). Partial success is counted, never retried.
 * Threads: consume blocks its (the queue's) thread for at most `timeout`, several at once on connections of their own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/log.h"
#include "collector/delivery.h"
#include "collector/settings.h"
#include "collector/net/url.h"
#include "exporters/otlp_message.h"
#include "exporters/otlp_response.h"

enum encoding { ENCODING_PROTO, ENCODING_JSON };

struct otlp_http {
    struct component base;
    struct http_connect_settings http;          /* option */
    const char *signal_endpoints[SIGNAL_COUNT]; /* options; NULL or "": the endpoint and the signal's path */
    int encoding;                               /* option; enum encoding */
    struct delivery_settings delivery;          /* options */

    struct otlp_form form;
    char *urls[SIGNAL_COUNT];        /* owned; NULL: no endpoint for that signal */
    struct buffer headers;           /* "Name: value\n"..., of every request */
    struct component *authenticator; /* borrowed until stop; NULL: none */
    struct http_client *client;      /* owned */
    struct stretch failures;
};

#define FIELD(field) offsetof(struct otlp_http, field)

static const struct option options[] = {
    { "endpoint", OPTION_STRING, FIELD(http.endpoint), NULL, NULL, "URL; /v1/traces, /v1/metrics or /v1/logs is appended" },
    { "traces_endpoint", OPTION_STRING, FIELD(signal_endpoints[SIGNAL_TRACES]), NULL, NULL, "URL for traces, used as it stands" },
    { "metrics_endpoint", OPTION_STRING, FIELD(signal_endpoints[SIGNAL_METRICS]), NULL, NULL, "URL for metrics, used as it stands" },
    { "logs_endpoint", OPTION_STRING, FIELD(signal_endpoints[SIGNAL_LOGS]), NULL, NULL, "URL for logs, used as it stands" },
    { "profiles_endpoint", OPTION_STRING, FIELD(signal_endpoints[SIGNAL_PROFILES]), NULL, NULL, "URL for profiles, used as it stands" },
    { "encoding", OPTION_ENUM, FIELD(encoding), "proto", "proto|json", "form of the messages" },
    { "compression", OPTION_STRING, FIELD(http.compression), "gzip", "|none|gzip|zlib|deflate|zstd|snappy|x-snappy-framed|lz4",
        "how messages are compressed" },
    { "timeout", OPTION_DURATION, FIELD(http.timeout_ns), "30s", NULL, "for one attempt; 0: none" },
    { "", OPTION_INCLUDE, FIELD(http), NULL, NULL, NULL, http_connect_options },
    { "", OPTION_INCLUDE, FIELD(delivery), NULL, NULL, NULL, delivery_options },
    { 0 },
};

static const char *const paths[SIGNAL_COUNT] = { "v1/traces", "v1/metrics", "v1/logs", "v1development/profiles" };

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- start and stop ---- */

static bool check_url(const char *text, const char *what, struct error *err)
{
    struct url url;

    return !is_set(text) || url_parse(text, &url, err) || fail_within(err, "%s", what);
}

/* NULL: there is no endpoint for this signal. */
static char *make_url(const struct otlp_http *self, enum signal signal)
{
    const char *endpoint = self->http.endpoint;
    struct buffer text = { 0 };
    char *url;

    if (is_set(self->signal_endpoints[signal]))
        return slice_dup_string(slice_of_string(self->signal_endpoints[signal]));
    if (!is_set(endpoint))
        return NULL;
    buffer_printf(&text, "%s%s%s", endpoint, endpoint[strlen(endpoint) - 1] == '/' ? "" : "/", paths[signal]);
    url = slice_dup_string(buffer_slice(&text));
    buffer_fini(&text);
    return url;
}

static bool read_form(struct otlp_http *self, struct error *err)
{
    const char *name = self->http.compression;

    self->form.json = self->encoding == ENCODING_JSON;
    self->form.coding = !is_set(name) || strcmp(name, "none") == 0 ? CODING_IDENTITY : coding_of_name(slice_of_string(name));
    self->form.level = self->http.compression_level > 0 ? (int)self->http.compression_level : 0;
    return self->form.coding != CODING_UNKNOWN || fail(err, "compression: \"%s\" is not known", name);
}

static bool otlp_http_validate(struct component *component, struct error *err)
{
    struct otlp_http *self = (struct otlp_http *)component;
    bool any = is_set(self->http.endpoint);

    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++)
        any |= is_set(self->signal_endpoints[signal]);
    if (!any)
        return fail(err, "endpoint is missing: set it, or traces_endpoint, metrics_endpoint and logs_endpoint");
    return check_url(self->http.endpoint, "endpoint", err) && check_url(self->signal_endpoints[SIGNAL_TRACES], "traces_endpoint", err) &&
           check_url(self->signal_endpoints[SIGNAL_METRICS], "metrics_endpoint", err) &&
           check_url(self->signal_endpoints[SIGNAL_LOGS], "logs_endpoint", err) &&
           check_url(self->signal_endpoints[SIGNAL_PROFILES], "profiles_endpoint", err) &&
           check_url(self->http.proxy_url, "proxy_url", err) && read_form(self, err) && otlp_headers_check(&self->http.headers, err);
}

static void write_headers(struct otlp_http *self)
{
    const struct option_pairs *configured = &self->http.headers;
    struct buffer *out = &self->headers;

    buffer_clear(out);
    buffer_printf(out, "Content-Type: %s\n", self->form.json ? "application/json" : "application/x-protobuf");
    if (self->form.coding != CODING_IDENTITY)
        buffer_printf(out, "Content-Encoding: %s\n", self->http.compression);
    if (!otlp_headers_have(configured, "user-agent"))
        buffer_append_string(out, "User-Agent: weir/" WEIR_VERSION "\n");
    for (size_t i = 0; i < configured->count; i++)
        buffer_printf(out, "%s: %s\n", configured->items[i].key, configured->items[i].value != NULL ? configured->items[i].value : "");
}

static bool otlp_http_start(struct component *component, struct error *err)
{
    struct otlp_http *self = (struct otlp_http *)component;
    struct http_client_settings settings;

    if (!read_form(self, err) || !otlp_find_authenticator(component, self->http.auth.authenticator, &self->authenticator, err))
        return false;
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++)
        self->urls[signal] = make_url(self, (enum signal)signal);
    write_headers(self);
    http_connect_to_net(&self->http, &settings);
    self->client = http_client_create(&settings, err);
    return self->client != NULL;
}

static void otlp_http_cancel(struct component *component)
{
    http_client_cancel(((struct otlp_http *)component)->client);
}

static void otlp_http_stop(struct component *component)
{
    struct otlp_http *self = (struct otlp_http *)component;

    http_client_destroy(self->client);
    self->client = NULL;
    buffer_fini(&self->headers);
    for (size_t signal = 0; signal < SIGNAL_COUNT; signal++) {
        free(self->urls[signal]);
        self->urls[signal] = NULL;
    }
}

/* ---- what the server said ---- */

static struct outcome outcome_of_status(int status, int64_t retry_after_ns)
{
    switch (status) {
    case 429:
        return outcome_retry("throttled", retry_after_ns);
    case 502:
    case 503:
    case 504:
        return outcome_retry("unavailable", retry_after_ns);
    case 400:
        return outcome_rejected("bad_request");
    case 401:
        return outcome_rejected("unauthenticated");
    case 403:
        return outcome_rejected("permission_denied");
    case 404:
    case 405:
        return outcome_rejected("not_found");
    case 413:
        return outcome_rejected("too_large");
    case 415:
        return outcome_rejected("unsupported_media_type");
    default:
        if (status >= 200 && status < 300)
            return OUTCOME_ACCEPTED;
        return outcome_rejected(status >= 300 && status < 400 ? "redirected" : "http_error");
    }
}

static bool has_type(const struct http_answer *answer, struct slice type)
{
    struct slice header = http_answer_header(answer, "content-type");

    return header.size >= type.size && slice_equal_ignoring_case(slice_of(header.data, type.size), type);
}

static void read_partial_success(struct otlp_http *self, const struct batch *batch, const struct http_answer *answer)
{
    struct otlp_partial_success partial = { 0 };
    bool read = true;

    if (has_type(answer, SLICE("application/x-protobuf")))
        read = otlp_read_partial_success(buffer_slice(&answer->body), &partial);
    else if (has_type(answer, SLICE("application/json")))
        read = otlp_read_partial_success_json(buffer_slice(&answer->body), &partial);
    if (read)
        otlp_count_partial_success(&self->base, batch, partial.rejected, buffer_slice(&partial.message));
    else
        log_warn(self->base.path, "the destination accepted the data, but its answer could not be read");
    otlp_partial_success_fini(&partial);
}

/* "status 400: "what the server wrote"" */
static void describe(const struct http_answer *answer, char *out, size_t size)
{
    struct slice text = buffer_slice(&answer->body), location = http_answer_header(answer, "location");
    struct otlp_status status;
    char excerpt[OTLP_EXCERPT_SIZE];

    if (has_type(answer, SLICE("application/x-protobuf")) && otlp_read_status(text, &status))
        text = status.message;
    if (answer->status / 100 == 3 && location.size > 0)
        text = location;
    snprintf(out, size, "status %d%s", answer->status, otlp_excerpt(text, excerpt));
}

/* ---- the attempt ---- */

static void report_failure(struct otlp_http *self, const struct batch *batch, struct outcome outcome, const char *result)
{
    char tried[512];

    snprintf(tried, sizeof(tried), "POST %s", self->urls[batch->signal]);
    otlp_destination_failed(&self->failures, &self->base, &(struct otlp_failure){ outcome, tried, result, batch->records });
}

static struct outcome conclude(struct otlp_http *self, const struct batch *batch, const struct http_answer *answer)
{
    struct outcome outcome = outcome_of_status(answer->status, answer->retry_after_ns);
    char result[OTLP_EXCERPT_SIZE + 32];

    if (outcome.verdict == VERDICT_ACCEPTED) {
        otlp_destination_worked(&self->failures, &self->base);
        read_partial_success(self, batch, answer);
    } else {
        describe(answer, result, sizeof(result));
        report_failure(self, batch, outcome, result);
    }
    return outcome;
}

static struct outcome send_message(struct otlp_http *self, const struct batch *batch, const struct otlp_message *message)
{
    struct otlp_headers_source source = { buffer_slice(&self->headers), self->authenticator, false };
    struct outcome outcome = outcome_retry("unreachable", 0);
    struct otlp_headers headers = { 0 };
    struct http_answer answer = { 0 };
    struct error err = { "" };
    struct http_call call = {
        .url = self->urls[batch->signal],
        .headers = headers.lines,
        .parts = message->parts,
        .part_count = message->part_count,
    };

    if (!otlp_headers_make(&headers, &source, &err)) {
        outcome = outcome_retry("no_credentials", 0);
        report_failure(self, batch, outcome, err.message);
    } else if (http_client_call(self->client, &call, &answer, &err)) {
        outcome = conclude(self, batch, &answer);
    } else {
        report_failure(self, batch, outcome, err.message);
    }
    http_answer_fini(&answer);
    otlp_headers_fini(&headers);
    return outcome;
}

static void otlp_http_consume(struct component *component, struct batch *batch)
{
    struct otlp_http *self = (struct otlp_http *)component;
    struct otlp_message message = { 0 };
    struct outcome outcome = outcome_retry("no_memory", 0);

    if (self->urls[batch->signal] == NULL) {
        log_error(
            self->base.path, "no endpoint for %s: set endpoint or %s_endpoint", signal_name(batch->signal), signal_name(batch->signal));
        batch_settle(batch, outcome_rejected("no_endpoint"));
        return;
    }
    if (otlp_message_build(&message, batch, &self->form))
        outcome = send_message(self, batch, &message);
    otlp_message_fini(&message);
    batch_settle(batch, outcome);
}

static const char *const aliases[] = { "otlphttp", NULL };

const struct component_type otlp_http_exporter = {
    .name = "otlp_http",
    .aliases = aliases,
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_STABLE,
    .summary = "Sends telemetry to an OTLP/HTTP server, as protobuf or JSON.",
    .options = options,
    .instance_size = sizeof(struct otlp_http),
    .validate = otlp_http_validate,
    .start = otlp_http_start,
    .cancel = otlp_http_cancel,
    .stop = otlp_http_stop,
    .consume = otlp_http_consume,
    .delivery_offset = offsetof(struct otlp_http, delivery),
};
