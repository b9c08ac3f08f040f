/*
 * zipkin receiver: spans in Zipkin's formats by HTTP, as Zipkin's server takes them: POST to /api/v2/spans (JSON, protobuf) and
 * /api/v1/spans (JSON, Thrift), under any prefix, answered by 202.
 *
 * Cost: a body is read into one payload, translated into a buffer and copied into a payload of its size.
 * Limits: bodies are refused before they are read when they are larger than max_request_body_size, and when a memory_limiter behind says no.
 * Threads: start and stop on the control thread; requests on the data loops; answers from whoever settles the receipt.
 */
#include "receivers/zipkin/zipkin.h"

#include "collector/base/clock.h"
#include "collector/base/log.h"

static const int64_t stop_grace_ns = 2 * NANOS_PER_SECOND;

#define LISTEN(field) offsetof(struct zipkin, http.field)
static const struct option options[] = {
    { "endpoint", OPTION_STRING, LISTEN(endpoint), "localhost:9411", "nonempty", "address to listen on" },
    { "parse_string_tags", OPTION_BOOL, offsetof(struct zipkin, parse_string_tags), "false", NULL,
        "tags that spell an integer, a decimal number or a boolean become one" },
    { "read_header_timeout", OPTION_DURATION, LISTEN(read_header_timeout_ns), "0s", NULL, "for a request's headers; 0: a minute" },
    { "write_timeout", OPTION_DURATION, LISTEN(write_timeout_ns), "0s", NULL, "for a response; 0: a minute without progress" },
    { "idle_timeout", OPTION_DURATION, LISTEN(idle_timeout_ns), "0s", NULL, "until an idle connection is closed; 0: never" },
    { "", OPTION_INCLUDE, offsetof(struct zipkin, http), NULL, NULL, NULL, http_listen_options },
    { 0 },
};

/* ---- answers ---- */

static void answer_text(const struct zipkin_request *request, int status, struct slice text, struct http_header more)
{
    struct http_header headers[] = { { SLICE("content-type"), SLICE("text/plain; charset=utf-8") }, more };
    struct http_response response = { .status = status, .headers = headers, .header_count = more.name.size > 0 ? 2 : 1, .body = text };

    http_listen_reply(&request->self->listen, request->exchange, &response);
}

void zipkin_refuse(const struct zipkin_request *request, int status, const char *text)
{
    struct http_header none = { { NULL, 0 }, { NULL, 0 } };

    answer_text(request, status, slice_of_string(text), status == 405 ? (struct http_header){ SLICE("allow"), SLICE("POST") } : none);
}

static void refuse_for_now(const struct zipkin_request *request, const char *reason, int64_t delay_ns)
{
    int64_t wait = delay_ns > NANOS_PER_SECOND ? delay_ns : NANOS_PER_SECOND;
    struct buffer seconds = { 0 }, text = { 0 };

    buffer_printf(&seconds, "%lld", (long long)((wait + NANOS_PER_SECOND - 1) / NANOS_PER_SECOND));
    buffer_printf(&text, "not taken now, send it again later: %s\n", reason);
    answer_text(request, 503, buffer_slice(&text), (struct http_header){ SLICE("retry-after"), buffer_slice(&seconds) });
    buffer_fini(&seconds);
    buffer_fini(&text);
}

void zipkin_answer(const struct zipkin_request *request, struct outcome outcome)
{
    const char *reason = outcome.reason != NULL ? outcome.reason : "";
    struct buffer text = { 0 };

    switch (outcome.verdict) {
    case VERDICT_ACCEPTED:
        http_listen_reply(&request->self->listen, request->exchange, &(struct http_response){ .status = 202 });
        return;
    case VERDICT_RETRY:
        refuse_for_now(request, reason, outcome.retry_after_ns);
        return;
    case VERDICT_REJECTED:
        buffer_printf(&text, "refused: %s\n", reason);
        answer_text(request, 400, buffer_slice(&text), (struct http_header){ { NULL, 0 }, { NULL, 0 } });
        buffer_fini(&text);
        return;
    }
}

/* ---- requests ---- */

static bool ends_with(struct slice text, struct slice end)
{
    return text.size >= end.size && memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

/* Is the media type that one, whatever its parameters? */
static bool has_type(const struct http_exchange *exchange, struct slice type)
{
    struct slice header = slice_trim(http_exchange_header(exchange, "content-type", 0));

    if (header.size < type.size || !slice_equal_ignoring_case(slice_of(header.data, type.size), type))
        return false;
    return header.size == type.size || header.data[type.size] == ';' || header.data[type.size] == ' ';
}

/* What is not said to be something else is JSON. */
static struct zipkin_request request_of(struct zipkin *self, struct http_exchange *exchange)
{
    struct zipkin_request request = { .self = self, .exchange = exchange, .format = ZIPKIN_JSON };

    if (ends_with(http_exchange_request(exchange)->path, SLICE("/api/v1/spans")))
        request.format = has_type(exchange, SLICE("application/x-thrift")) ? ZIPKIN_THRIFT : ZIPKIN_JSON_V1;
    else if (has_type(exchange, SLICE("application/x-protobuf")))
        request.format = ZIPKIN_PROTO;
    return request;
}

static bool authenticate(const struct zipkin_request *request)
{
    struct error err = { "" };

    if (authenticator_check(request->self->listen.authenticator, request->exchange, &err))
        return true;
    component_count_dropped(&request->self->base, SIGNAL_TRACES, "unauthenticated", 1);
    zipkin_refuse(request, 401, err.message);
    return false;
}

static bool head(void *context, struct http_exchange *exchange)
{
    struct zipkin *self = context;
    struct zipkin_request request = request_of(self, exchange);
    struct slice path = http_exchange_request(exchange)->path;

    if (http_listen_preflight(&self->listen, exchange) || !authenticate(&request))
        return false;
    if (!ends_with(path, SLICE("/api/v2/spans")) && !ends_with(path, SLICE("/api/v1/spans"))) {
        zipkin_refuse(&request, 404, "404 page not found: spans go to /api/v2/spans or /api/v1/spans\n");
        return false;
    }
    if (slice_equal(http_exchange_request(exchange)->method, SLICE("POST")))
        return true;
    zipkin_refuse(&request, 405, "405 method not allowed, supported: [POST]\n");
    return false;
}

static void serve(void *context, struct http_exchange *exchange)
{
    struct zipkin_request request = request_of(context, exchange);

    zipkin_take(&request, http_exchange_take_body(exchange));
}

static void refuse(void *context, struct http_exchange *exchange, enum http_refusal why)
{
    static const struct {
        int status;
        const char *reason, *text;
    } refusals[] = {
        [HTTP_REFUSE_BODY_TOO_LARGE] = { 413, "too_large", "the body is larger than max_request_body_size\n" },
        [HTTP_REFUSE_NO_MEMORY] = { 503, "memory", "memory" },
        [HTTP_REFUSE_UNKNOWN_ENCODING] = { 415, "content_encoding", "the Content-Encoding is not supported\n" },
        [HTTP_REFUSE_CORRUPT_BODY] = { 400, "corrupt", "the body does not decompress by its Content-Encoding\n" },
        [HTTP_REFUSE_TIMEOUT] = { 408, "timeout", "the body did not come in time\n" },
    };
    struct zipkin_request request = request_of(context, exchange);

    component_count_dropped(&request.self->base, SIGNAL_TRACES, refusals[why].reason, 1);
    if (why == HTTP_REFUSE_NO_MEMORY)
        refuse_for_now(&request, refusals[why].text, 0);
    else
        zipkin_refuse(&request, refusals[why].status, refusals[why].text);
}

static void fault(void *context, const char *peer, const char *reason)
{
    struct zipkin *self = context;

    log_debug(self->base.path, "connection from %s: %s", peer, reason);
    component_count_dropped(&self->base, SIGNAL_TRACES, reason, 1);
}

static bool admit(void *context, size_t bytes)
{
    return component_admit(context, bytes);
}

static bool crowded(void *context)
{
    return component_crowded(context);
}

/* ---- life ---- */

static bool zipkin_validate(struct component *component, struct error *err)
{
    struct http_server_settings settings;

    return http_listen_to_net(&((const struct zipkin *)component)->http, &settings, err);
}

static bool zipkin_start(struct component *component, struct error *err)
{
    struct zipkin *self = (struct zipkin *)component;
    struct http_service service = {
        .context = self, .admission = { admit, self }, .crowded = crowded, .head = head, .serve = serve, .refuse = refuse, .fault = fault
    };
    struct http_server_settings settings;

    self->link = receiver_link_create();
    if (!http_listen_init(&self->listen, &self->http, component, err) || !http_listen_to_net(&self->http, &settings, err))
        return false;
    self->server = http_server_start(&settings, &service, err);
    return self->server != NULL;
}

static void zipkin_stop(struct component *component)
{
    struct zipkin *self = (struct zipkin *)component;

    http_server_stop(self->server, stop_grace_ns);
    receiver_link_cut(self->link);
    http_listen_fini(&self->listen);
    self->server = NULL;
    self->link = NULL;
}

const struct component_type zipkin_receiver = {
    .name = "zipkin",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_TRACES,
    .stability = STABILITY_BETA,
    .summary = "Receives spans in Zipkin's formats over HTTP: version 2 as JSON and protobuf, version 1 as JSON and Thrift.",
    .options = options,
    .instance_size = sizeof(struct zipkin),
    .validate = zipkin_validate,
    .start = zipkin_start,
    .stop = zipkin_stop,
};
