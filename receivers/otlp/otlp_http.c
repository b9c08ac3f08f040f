/*
 * OTLP over HTTP. A request is refused by its head where that is possible, so that its body is not read for nothing:
 * who (401), where (404), how (405), what (415).
 */
#include "collector/base/clock.h"
#include "receivers/otlp/otlp.h"

static struct slice without_slash(struct slice path)
{
    while (path.size > 0 && path.data[0] == '/') {
        path.data++;
        path.size--;
    }
    return path;
}

/* SIGNAL_COUNT: no such path. */
static enum signal signal_of_path(const struct otlp *self, struct slice path)
{
    if (path.size == 0 || path.data[0] != '/')
        return SIGNAL_COUNT;
    path = slice_of(path.data + 1, path.size - 1);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (slice_equal(path, self->paths[i]))
            return (enum signal)i;
    return SIGNAL_COUNT;
}

static struct otlp_request request_of(struct otlp *self, struct http_exchange *exchange)
{
    return (struct otlp_request){
        .self = self,
        .signal = signal_of_path(self, http_exchange_request(exchange)->path),
        .encoding = otlp_encoding_of(http_exchange_header(exchange, "content-type", 0)),
        .exchange = exchange,
    };
}

/* ---- answers ---- */

/* A status body under the given HTTP status, with one more header when its name is not empty. */
struct refusal {
    int http_status;
    struct otlp_status status;
    enum otlp_encoding encoding;
    struct http_header header;
};

static void refuse_with(const struct otlp_request *request, const struct refusal *refusal)
{
    struct buffer body = { 0 };
    struct http_header headers[] = { { SLICE("content-type"), otlp_content_type(refusal->encoding) }, refusal->header };
    struct http_response response = {
        .status = refusal->http_status, .headers = headers, .header_count = refusal->header.name.size > 0 ? 2 : 1
    };

    otlp_status_write(&refusal->status, refusal->encoding, &body);
    response.body = buffer_slice(&body);
    http_listen_reply(&request->self->listen, request->exchange, &response);
    buffer_fini(&body);
}

static void refuse_as_text(const struct otlp_request *request, int http_status, const char *text)
{
    struct refusal refusal = { http_status, { .message = slice_of_string(text) }, OTLP_ENCODING_UNKNOWN, { { 0 }, { 0 } } };

    if (http_status == 405)
        refusal.header = (struct http_header){ SLICE("allow"), SLICE("POST") };
    refuse_with(request, &refusal);
}

static void refuse_for_now(const struct otlp_request *request, const struct otlp_status *status)
{
    struct buffer seconds = { 0 };
    struct refusal refusal = { 503, *status, request->encoding, { { 0 }, { 0 } } };

    buffer_printf(&seconds, "%lld", (long long)((status->retry_delay_ns + NANOS_PER_SECOND - 1) / NANOS_PER_SECOND));
    refusal.header = (struct http_header){ SLICE("retry-after"), buffer_slice(&seconds) };
    refuse_with(request, &refusal);
    buffer_fini(&seconds);
}

void otlp_http_answer(const struct otlp_request *request, const struct otlp_status *status)
{
    struct http_header header = { SLICE("content-type"), otlp_content_type(request->encoding) };
    struct http_response response = { .status = 200, .headers = &header, .header_count = 1, .body = otlp_success(request->encoding) };
    struct refusal refusal = { otlp_status_http(status->code), *status, request->encoding, { { 0 }, { 0 } } };

    if (status->code == GRPC_OK)
        http_listen_reply(&request->self->listen, request->exchange, &response);
    else if (status->retry_delay_ns > 0)
        refuse_for_now(request, status);
    else
        refuse_with(request, &refusal);
}

/* ---- requests ---- */

static bool authenticate(const struct otlp_request *request)
{
    struct error err = { "" };
    struct refusal refusal = { 401, { .code = GRPC_UNAUTHENTICATED }, request->encoding, { { 0 }, { 0 } } };

    if (authenticator_check(request->self->listen.authenticator, request->exchange, &err))
        return true;
    otlp_count_refused(request->self, request->signal < SIGNAL_COUNT ? request->signal : SIGNAL_TRACES, "unauthenticated");
    refusal.status.message = slice_of_string(err.message);
    refuse_with(request, &refusal);
    return false;
}

static bool head(void *context, struct http_exchange *exchange)
{
    struct otlp *self = context;
    struct otlp_request request = request_of(self, exchange);

    if (http_listen_preflight(&self->listen, exchange) || !authenticate(&request))
        return false;
    if (request.signal == SIGNAL_COUNT || !component_takes(&self->base, request.signal)) {
        refuse_as_text(&request, 404, "404 page not found");
    } else if (!slice_equal(http_exchange_request(exchange)->method, SLICE("POST"))) {
        refuse_as_text(&request, 405, "405 method not allowed, supported: [POST]");
    } else if (request.encoding == OTLP_ENCODING_UNKNOWN) {
        otlp_count_refused(self, request.signal, "content_type");
        refuse_as_text(&request, 415, "415 unsupported media type, supported: [application/json, application/x-protobuf]");
    } else {
        return true;
    }
    return false;
}

static void serve(void *context, struct http_exchange *exchange)
{
    struct otlp_request request = request_of(context, exchange);

    otlp_take(&request, http_exchange_take_body(exchange));
}

static void refuse(void *context, struct http_exchange *exchange, enum http_refusal why)
{
    static const struct {
        int http_status;
        enum grpc_status code;
        const char *reason, *message;
    } refusals[] = {
        [HTTP_REFUSE_BODY_TOO_LARGE] = { 413, GRPC_INVALID_ARGUMENT, "too_large", "the body is larger than max_request_body_size" },
        [HTTP_REFUSE_NO_MEMORY] = { 503, GRPC_UNAVAILABLE, "memory", "not taken now, send it again later: memory" },
        [HTTP_REFUSE_UNKNOWN_ENCODING] = { 415, GRPC_INVALID_ARGUMENT, "content_encoding", "the Content-Encoding is not supported" },
        [HTTP_REFUSE_CORRUPT_BODY] = { 400, GRPC_INVALID_ARGUMENT, "corrupt", "the body does not decompress by its Content-Encoding" },
        [HTTP_REFUSE_TIMEOUT] = { 408, GRPC_DEADLINE_EXCEEDED, "timeout", "the body did not come in time" },
    };
    struct otlp_request request = request_of(context, exchange);
    struct otlp_status status = { .code = refusals[why].code, .message = slice_of_string(refusals[why].message) };
    struct refusal refusal = { refusals[why].http_status, status, request.encoding, { { 0 }, { 0 } } };

    otlp_count_refused(context, request.signal < SIGNAL_COUNT ? request.signal : SIGNAL_TRACES, refusals[why].reason);
    status.retry_delay_ns = NANOS_PER_SECOND;
    if (why == HTTP_REFUSE_NO_MEMORY)
        refuse_for_now(&request, &status);
    else
        refuse_with(&request, &refusal);
}

static void fault(void *context, const char *peer, const char *reason)
{
    otlp_count_fault(context, "http", peer, reason);
}

bool otlp_http_start(struct otlp *self, struct error *err)
{
    struct http_service service = {
        .context = self, .admission = { otlp_admit, self }, .crowded = otlp_crowded, .head = head, .serve = serve, .refuse = refuse, .fault = fault
    };
    struct http_server_settings settings;

    self->paths[SIGNAL_TRACES] = without_slash(slice_of_string(self->http.traces_url_path));
    self->paths[SIGNAL_METRICS] = without_slash(slice_of_string(self->http.metrics_url_path));
    self->paths[SIGNAL_LOGS] = without_slash(slice_of_string(self->http.logs_url_path));
    self->paths[SIGNAL_PROFILES] = SLICE("v1development/profiles");
    if (!http_listen_init(&self->listen, &self->http.listen, &self->base, err))
        return false;
    if (!http_listen_to_net(&self->http.listen, &settings, err))
        return false;
    self->http_server = http_server_start(&settings, &service, err);
    return self->http_server != NULL;
}
