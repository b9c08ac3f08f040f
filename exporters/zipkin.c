/*
 * zipkin exporter: one POST per batch to a Zipkin server's /api/v2/spans, as JSON or protobuf.
 *
 * Retried: no answer at all, 408, 429 and 5xx (with their Retry-After). Every other error status is for good.
 * Spans without a trace or span id are none that Zipkin can have: they are left out, and counted.
 * Cost: the batch is translated for each attempt. Threads: consume blocks its (the queue's) thread for at most `timeout`, several at once on
 * connections of their own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/log.h"
#include "collector/delivery.h"
#include "collector/net/compress.h"
#include "collector/net/url.h"
#include "collector/settings.h"
#include "collector/wire/zipkin.h"
#include "exporters/otlp_message.h"

struct zipkin {
    struct component base;
    struct http_connect_settings http; /* option */
    const char *default_service_name;  /* option */
    int format;                        /* option; enum zipkin_format */
    struct delivery_settings delivery; /* options */

    enum coding coding;
    struct buffer headers;           /* "Name: value\n"..., of every request */
    struct component *authenticator; /* borrowed until stop; NULL: none */
    struct http_client *client;      /* owned */
    struct stretch failures;
};

_Static_assert(ZIPKIN_JSON == 0 && ZIPKIN_PROTO == 1, "the option's words stand in that order");

#define FIELD(field) offsetof(struct zipkin, field)

static const struct option options[] = {
    { "endpoint", OPTION_STRING, FIELD(http.endpoint), NULL, "nonempty", "URL, such as http://localhost:9411/api/v2/spans",
        .flags = OPTION_REQUIRED },
    { "format", OPTION_ENUM, FIELD(format), "json", "json|proto", "form of the messages" },
    { "default_service_name", OPTION_STRING, FIELD(default_service_name), "<missing service name>", NULL,
        "name of services whose resource has none" },
    { "compression", OPTION_STRING, FIELD(http.compression), "", "|none|gzip|zlib|deflate|zstd|snappy|x-snappy-framed|lz4",
        "how messages are compressed; Zipkin's server takes gzip" },
    { "timeout", OPTION_DURATION, FIELD(http.timeout_ns), "5s", NULL, "for one attempt; 0: none" },
    { "write_buffer_size", OPTION_INT, FIELD(http.write_buffer_size), "524288", "0..", "accepted; weir sizes its buffers itself" },
    { "", OPTION_INCLUDE, FIELD(http), NULL, NULL, NULL, http_connect_options },
    { "", OPTION_INCLUDE, FIELD(delivery), NULL, NULL, NULL, delivery_options },
    { 0 },
};

/* ---- start and stop ---- */

static bool read_coding(struct zipkin *self, struct error *err)
{
    const char *name = self->http.compression;
    bool none = name == NULL || *name == '\0' || strcmp(name, "none") == 0;

    self->coding = none ? CODING_IDENTITY : coding_of_name(slice_of_string(name));
    return self->coding != CODING_UNKNOWN || fail(err, "compression: \"%s\" is not known", name);
}

static bool zipkin_validate(struct component *component, struct error *err)
{
    struct zipkin *self = (struct zipkin *)component;
    const char *proxy = self->http.proxy_url;
    struct url url;

    if (!url_parse(self->http.endpoint, &url, err))
        return fail_within(err, "endpoint");
    if (proxy != NULL && *proxy != '\0' && !url_parse(proxy, &url, err))
        return fail_within(err, "proxy_url");
    return read_coding(self, err) && otlp_headers_check(&self->http.headers, err);
}

static void write_headers(struct zipkin *self)
{
    const struct option_pairs *configured = &self->http.headers;
    struct buffer *out = &self->headers;

    buffer_clear(out);
    buffer_printf(out, "Content-Type: %s\n", self->format == ZIPKIN_PROTO ? "application/x-protobuf" : "application/json");
    if (self->coding != CODING_IDENTITY)
        buffer_printf(out, "Content-Encoding: %s\n", self->http.compression);
    if (!otlp_headers_have(configured, "user-agent"))
        buffer_append_string(out, "User-Agent: weir/" WEIR_VERSION "\n");
    for (size_t i = 0; i < configured->count; i++)
        buffer_printf(out, "%s: %s\n", configured->items[i].key, configured->items[i].value != NULL ? configured->items[i].value : "");
}

static bool zipkin_start(struct component *component, struct error *err)
{
    struct zipkin *self = (struct zipkin *)component;
    struct http_client_settings settings;

    if (!read_coding(self, err) || !otlp_find_authenticator(component, self->http.auth.authenticator, &self->authenticator, err))
        return false;
    write_headers(self);
    http_connect_to_net(&self->http, &settings);
    self->client = http_client_create(&settings, err);
    return self->client != NULL;
}

static void zipkin_cancel(struct component *component)
{
    http_client_cancel(((struct zipkin *)component)->client);
}

static void zipkin_stop(struct component *component)
{
    struct zipkin *self = (struct zipkin *)component;

    http_client_destroy(self->client);
    self->client = NULL;
    buffer_fini(&self->headers);
}

/* ---- what the server said ---- */

static struct outcome outcome_of_status(int status, int64_t retry_after_ns)
{
    if (status >= 200 && status < 300)
        return OUTCOME_ACCEPTED;
    if (status == 429)
        return outcome_retry("throttled", retry_after_ns);
    if (status == 408 || status >= 500)
        return outcome_retry("unavailable", retry_after_ns);
    switch (status) {
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
        return outcome_rejected(status >= 300 && status < 400 ? "redirected" : "http_error");
    }
}

/* ---- the attempt ---- */

/* A batch as one message, and what of it is left out. */
struct message {
    struct buffer text, compressed;
    struct slice body; /* one of the two */
    size_t spans, skipped;
};

static void message_fini(struct message *message)
{
    buffer_fini(&message->text);
    buffer_fini(&message->compressed);
}

/* False: memory is out. */
static bool message_build(struct message *message, const struct zipkin *self, const struct batch *batch)
{
    struct zipkin_writer writer = { .format = (enum zipkin_format)self->format,
        .default_service_name = slice_of_string(self->default_service_name) };
    int level = self->http.compression_level > 0 ? (int)self->http.compression_level : 0;

    zipkin_writer_begin(&writer, &message->text);
    for (size_t i = 0; i < batch->run_count && zipkin_writer_add(&writer, batch->runs[i].bytes, &message->text); i++)
        continue;
    zipkin_writer_end(&writer, &message->text);
    zipkin_writer_fini(&writer);
    message->spans = writer.spans;
    message->skipped = writer.skipped;
    message->body = buffer_slice(&message->text);
    if (message->text.failed || self->coding == CODING_IDENTITY)
        return !message->text.failed;
    if (!deflate_parts(self->coding, level, &message->body, 1, &message->compressed))
        return false;
    message->body = buffer_slice(&message->compressed);
    return true;
}

static void report_failure(struct zipkin *self, const struct batch *batch, struct outcome outcome, const char *result)
{
    char tried[512];

    snprintf(tried, sizeof(tried), "POST %s", self->http.endpoint);
    otlp_destination_failed(&self->failures, &self->base, &(struct otlp_failure){ outcome, tried, result, batch->records });
}

static struct outcome conclude(struct zipkin *self, const struct batch *batch, const struct http_answer *answer)
{
    struct outcome outcome = outcome_of_status(answer->status, answer->retry_after_ns);
    struct slice location = http_answer_header(answer, "location");
    char excerpt[OTLP_EXCERPT_SIZE], result[OTLP_EXCERPT_SIZE + 32];

    if (outcome.verdict == VERDICT_ACCEPTED) {
        otlp_destination_worked(&self->failures, &self->base);
        return outcome;
    }
    if (answer->status / 100 != 3 || location.size == 0)
        location = buffer_slice(&answer->body);
    snprintf(result, sizeof(result), "status %d%s", answer->status, otlp_excerpt(location, excerpt));
    report_failure(self, batch, outcome, result);
    return outcome;
}

static struct outcome send_message(struct zipkin *self, const struct batch *batch, const struct message *message)
{
    struct otlp_headers_source source = { buffer_slice(&self->headers), self->authenticator, false };
    struct outcome outcome = outcome_retry("unreachable", 0);
    struct otlp_headers headers = { 0 };
    struct http_answer answer = { 0 };
    struct error err = { "" };
    struct http_call call = { .url = self->http.endpoint, .headers = headers.lines, .parts = &message->body, .part_count = 1 };

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

static void zipkin_consume(struct component *component, struct batch *batch)
{
    struct zipkin *self = (struct zipkin *)component;
    struct outcome outcome = outcome_retry("no_memory", 0);
    struct message message = { .spans = 0 };

    if (message_build(&message, self, batch))
        outcome = message.spans > 0 ? send_message(self, batch, &message) : outcome_rejected("zero_id");
    if (outcome.verdict == VERDICT_ACCEPTED && message.skipped > 0) {
        log_warn(component->path, "%zu of %zu spans were left out: they have no trace id or no span id", message.skipped, batch->records);
        component_count_dropped(component, SIGNAL_TRACES, "zero_id", message.skipped);
    }
    message_fini(&message);
    batch_settle(batch, outcome);
}

const struct component_type zipkin_exporter = {
    .name = "zipkin",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_TRACES,
    .stability = STABILITY_BETA,
    .summary = "Sends spans to a Zipkin server, as JSON or protobuf of version 2.",
    .options = options,
    .instance_size = sizeof(struct zipkin),
    .validate = zipkin_validate,
    .start = zipkin_start,
    .cancel = zipkin_cancel,
    .stop = zipkin_stop,
    .consume = zipkin_consume,
    .delivery_offset = offsetof(struct zipkin, delivery),
};
