/*
 * gRPC server: unary calls on the HTTP/2 server. The message is read into its own payload as its bytes come (grpc_message.c), so that
 * a service gets exactly the message.
 *
 * Replies are trailers-only but for GRPC_OK. A deadline that passes is answered then; what the service says later is not heard.
 * Threads: the HTTP server's; grpc_reply from any.
 */
#include "collector/net/grpc_server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/net/grpc_message.h"
#include "collector/net/http_exchange.h"

static const int64_t no_memory_retry_delay = NANOS_PER_SECOND;

struct grpc_server {
    struct http_server *http;
    struct grpc_service service;
    size_t max_message;
};

struct grpc_call {
    const struct grpc_server *server; /* not after the call was handed to the service: it may be gone */
    struct http_exchange *exchange;
    struct grpc_reader reader;
    const struct admission *admission; /* of the service; NULL: always */
    enum coding coding;
};

static const struct http_header content_type = { SLICE_INIT("content-type"), SLICE_INIT("application/grpc") };
static const struct http_header accepted = { SLICE_INIT("grpc-accept-encoding"), SLICE_INIT("identity,gzip,zstd,snappy") };

static void free_call(void *attachment)
{
    struct grpc_call *call = attachment;

    grpc_reader_fini(&call->reader);
    free(call);
}

/* ---- replies ---- */

struct wire_status { /* a status as headers or trailers */
    struct http_header fields[5];
    size_t count;
    char number[12];
    struct buffer text, details;
};

static void add_field(struct wire_status *wire, struct slice name, struct slice value)
{
    wire->fields[wire->count++] = (struct http_header){ name, value };
}

static void wire_status_init(struct wire_status *wire, const struct grpc_reply *reply, bool trailers_only)
{
    int length = snprintf(wire->number, sizeof(wire->number), "%d", (int)reply->status);

    wire->count = 0;
    wire->text = wire->details = (struct buffer){ 0 };
    if (trailers_only)
        wire->fields[wire->count++] = content_type;
    add_field(wire, SLICE("grpc-status"), slice_of(wire->number, (size_t)length));
    if (reply->message.size > 0) {
        grpc_encode_text(&wire->text, reply->message);
        add_field(wire, SLICE("grpc-message"), buffer_slice(&wire->text));
    }
    if (reply->retry_delay_ns > 0) {
        grpc_encode_retry_details(&wire->details, (int)reply->status, reply->message, reply->retry_delay_ns);
        add_field(wire, SLICE("grpc-status-details-bin"), buffer_slice(&wire->details));
    }
    if (reply->status == GRPC_UNIMPLEMENTED && trailers_only)
        wire->fields[wire->count++] = accepted;
}

static void wire_status_fini(struct wire_status *wire)
{
    buffer_fini(&wire->text);
    buffer_fini(&wire->details);
}

typedef void send_response(struct http_exchange *exchange, const struct http_response *response);

static void send_error(struct http_exchange *exchange, const struct grpc_reply *reply, send_response *send)
{
    struct wire_status wire;

    wire_status_init(&wire, reply, true);
    send(exchange, &(struct http_response){ .status = 200, .headers = wire.fields, .header_count = wire.count });
    wire_status_fini(&wire);
}

static void send_ok(struct http_exchange *exchange, const struct grpc_reply *reply)
{
    struct http_response response = { .status = 200, .headers = &content_type, .header_count = 1 };
    struct wire_status wire;
    uint8_t small[512];
    uint8_t *body = small;

    if (reply->body.size > sizeof(small) - GRPC_PREFIX_SIZE)
        body = malloc(GRPC_PREFIX_SIZE + reply->body.size);
    if (body == NULL) {
        send_error(exchange, &(struct grpc_reply){ .status = GRPC_UNAVAILABLE, .message = SLICE("no memory for the reply") }, http_reply);
        return;
    }
    grpc_write_prefix(body, reply->body.size);
    if (reply->body.size > 0)
        memcpy(body + GRPC_PREFIX_SIZE, reply->body.data, reply->body.size);
    wire_status_init(&wire, reply, false);
    response.body = slice_of(body, GRPC_PREFIX_SIZE + reply->body.size);
    response.trailers = wire.fields;
    response.trailer_count = wire.count;
    http_reply(exchange, &response);
    wire_status_fini(&wire);
    if (body != small)
        free(body);
}

void grpc_reply(struct grpc_call *call, const struct grpc_reply *reply)
{
    if (reply->status == GRPC_OK)
        send_ok(call->exchange, reply);
    else
        send_error(call->exchange, reply, http_reply);
}

static void reply_text(struct grpc_call *call, enum grpc_status status, const char *text)
{
    grpc_reply(call, &(struct grpc_reply){ .status = status, .message = slice_of_string(text) });
}

/* ---- refusals ---- */

static void tell_refused(const struct grpc_call *call, const char *reason)
{
    const struct grpc_service *service = &call->server->service;
    char method[256];
    struct slice path = grpc_call_method(call);

    if (service->refused == NULL)
        return;
    snprintf(method, sizeof(method), "%.*s", (int)(path.size < sizeof(method) ? path.size : sizeof(method) - 1), (const char *)path.data);
    service->refused(service->context, method, reason);
}

static void refuse_too_large(struct grpc_call *call, bool decompressed)
{
    char text[128];

    if (decompressed)
        snprintf(text, sizeof(text), "grpc: received message of %u bytes is larger than max after decompression (%zu)",
            (unsigned)call->reader.length, call->reader.limit);
    else
        snprintf(
            text, sizeof(text), "grpc: received message larger than max (%u vs. %zu)", (unsigned)call->reader.length, call->reader.limit);
    tell_refused(call, "too_large");
    reply_text(call, GRPC_RESOURCE_EXHAUSTED, text);
}

static void refuse_no_memory(struct grpc_call *call)
{
    tell_refused(call, "no_memory");
    grpc_reply(call, &(struct grpc_reply){ .status = GRPC_UNAVAILABLE,
                         .message = SLICE("there is no memory for the request now, try again"),
                         .retry_delay_ns = no_memory_retry_delay });
}

static void refuse_corrupt(struct grpc_call *call, const char *text)
{
    tell_refused(call, "corrupt");
    reply_text(call, GRPC_INTERNAL, text);
}

/* ---- the head of a call ---- */

static bool is_grpc(struct slice type)
{
    struct slice prefix = SLICE("application/grpc");

    if (type.size < prefix.size || !slice_equal_ignoring_case(slice_of(type.data, prefix.size), prefix))
        return false;
    return type.size == prefix.size || type.data[prefix.size] == '+' || type.data[prefix.size] == ';';
}

/* What is not gRPC at all is answered in plain HTTP. */
static bool refuse_http(const struct grpc_server *server, struct http_exchange *exchange, int status, const char *reason)
{
    static const struct http_header type = { SLICE_INIT("content-type"), SLICE_INIT("text/plain; charset=utf-8") };
    struct http_response response = { .status = status, .headers = &type, .header_count = 1 };
    char text[128];
    int length = snprintf(text, sizeof(text), "this is a gRPC server: %s\n", reason);

    response.body = slice_of(text, (size_t)length);
    if (server->service.fault != NULL)
        server->service.fault(server->service.context, http_exchange_request(exchange)->peer, reason);
    http_reply(exchange, &response);
    return false;
}

static bool check_http(const struct grpc_server *server, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);

    if (!request->http2)
        return refuse_http(server, exchange, 505, "not_http2");
    if (!slice_equal(request->method, SLICE("POST")))
        return refuse_http(server, exchange, 405, "bad_method");
    if (!is_grpc(http_exchange_header(exchange, "content-type", 0)))
        return refuse_http(server, exchange, 415, "bad_content_type");
    return true;
}

static enum coding message_coding(const struct http_exchange *exchange)
{
    struct slice name = http_exchange_header(exchange, "grpc-encoding", 0);

    if (name.size == 0 || slice_equal(name, SLICE("identity")))
        return CODING_IDENTITY;
    if (slice_equal(name, SLICE("gzip")))
        return CODING_GZIP;
    if (slice_equal(name, SLICE("zstd")))
        return CODING_ZSTD;
    if (slice_equal(name, SLICE("snappy")))
        return CODING_SNAPPY_FRAMED;
    return CODING_UNKNOWN;
}

static bool take_timeout(struct grpc_call *call)
{
    struct slice text = http_exchange_header(call->exchange, "grpc-timeout", 0);
    int64_t timeout;

    if (text.data == NULL)
        return true;
    if (!grpc_parse_timeout(text, &timeout))
        return false;
    http_exchange_set_deadline(call->exchange, loop_now(call->exchange->loop) + timeout);
    return true;
}

/* false: replied to. */
static bool accept_call(struct grpc_call *call)
{
    const struct grpc_service *service = &call->server->service;
    struct error err = { 0 };
    char text[160];
    struct slice path;

    if (service->accept == NULL || service->accept(service->context, call, &err))
        return true;
    if (err.message[0] != '\0') {
        reply_text(call, GRPC_UNAUTHENTICATED, err.message);
        return false;
    }
    path = grpc_call_method(call);
    snprintf(text, sizeof(text), "unknown method %.*s", (int)(path.size < 100 ? path.size : 100), (const char *)path.data);
    tell_refused(call, "unknown_method");
    reply_text(call, GRPC_UNIMPLEMENTED, text);
    return false;
}

static bool refuse_encoding(struct grpc_call *call)
{
    struct slice name = http_exchange_header(call->exchange, "grpc-encoding", 0);
    char text[160];

    snprintf(text, sizeof(text), "grpc: decompressor is not installed for grpc-encoding \"%.*s\"", (int)(name.size < 60 ? name.size : 60),
        (const char *)name.data);
    tell_refused(call, "unknown_encoding");
    reply_text(call, GRPC_UNIMPLEMENTED, text);
    return false;
}

static bool on_head(void *context, struct http_exchange *exchange)
{
    const struct grpc_server *server = context;
    struct grpc_call *call;

    if (!check_http(server, exchange))
        return false;
    exchange->bare = true;
    call = calloc(1, sizeof(*call));
    if (call == NULL) {
        send_error(exchange, &(struct grpc_reply){ .status = GRPC_UNAVAILABLE, .message = SLICE("no memory for the call") }, http_reply);
        return false;
    }
    call->server = server;
    call->exchange = exchange;
    call->admission = server->service.admission.admit != NULL ? &server->service.admission : NULL;
    call->reader.limit = server->max_message;
    call->reader.admission = call->admission;
    exchange->attachment = call;
    exchange->free_attachment = free_call;
    if (!accept_call(call))
        return false;
    call->coding = message_coding(exchange);
    if (call->coding == CODING_UNKNOWN)
        return refuse_encoding(call);
    if (!take_timeout(call)) {
        refuse_corrupt(call, "malformed grpc-timeout");
        return false;
    }
    return true;
}

/* ---- the message ---- */

static bool on_data(void *context, struct http_exchange *exchange, struct slice bytes)
{
    struct grpc_call *call = exchange->attachment;

    (void)context;
    switch (grpc_reader_feed(&call->reader, bytes)) {
    case GRPC_FRAMING_MORE:
    case GRPC_FRAMING_WHOLE:
        return true;
    case GRPC_FRAMING_BAD_FLAG:
        refuse_corrupt(call, "grpc: received unexpected payload format");
        return false;
    case GRPC_FRAMING_TOO_LARGE:
        refuse_too_large(call, false);
        return false;
    case GRPC_FRAMING_NO_MEMORY:
        refuse_no_memory(call);
        return false;
    case GRPC_FRAMING_TRAILING:
    default:
        refuse_corrupt(call, "grpc: more than one message in a unary call");
        return false;
    }
}

/* false: replied to. */
static bool decompress(struct grpc_call *call)
{
    struct grpc_reader *reader = &call->reader;
    struct payload *plain = NULL;
    enum inflate_result result;

    if (!reader->compressed || reader->message == NULL)
        return true;
    if (call->coding == CODING_IDENTITY) {
        refuse_corrupt(call, "grpc: compressed flag set with identity or empty encoding");
        return false;
    }
    result = inflate_payload(call->coding, payload_slice(reader->message), reader->limit, call->admission, &plain);
    if (result == INFLATE_OK) {
        payload_unref(reader->message);
        reader->message = plain;
        return true;
    }
    if (result == INFLATE_TOO_LARGE)
        refuse_too_large(call, true);
    else if (result == INFLATE_NO_MEMORY)
        refuse_no_memory(call);
    else
        refuse_corrupt(call, "grpc: failed to decompress the received message");
    return false;
}

static void on_whole(void *context, struct http_exchange *exchange)
{
    const struct grpc_server *server = context;
    struct grpc_call *call = exchange->attachment;
    const struct grpc_reader *reader = &call->reader;

    if (reader->prefix_size < GRPC_PREFIX_SIZE || (reader->message != NULL && reader->message->size < reader->length)) {
        refuse_corrupt(call, "unexpected EOF");
        return;
    }
    if (decompress(call))
        server->service.call(server->service.context, call);
}

static void on_expired(void *context, struct http_exchange *exchange)
{
    (void)context;
    send_error(exchange, &(struct grpc_reply){ .status = GRPC_DEADLINE_EXCEEDED, .message = SLICE("context deadline exceeded") },
        http_exchange_answer);
}

/* The HTTP server's refusals: only a time-out is left to it. */
static void on_refused(void *context, struct http_exchange *exchange, enum http_refusal why)
{
    struct grpc_call *call = exchange->attachment;

    (void)context;
    tell_refused(call, why == HTTP_REFUSE_TIMEOUT ? "timeout" : "refused");
    reply_text(call, GRPC_UNAVAILABLE, "the request took too long to arrive");
}

static void on_fault(void *context, const char *peer, const char *reason)
{
    const struct grpc_server *server = context;

    if (server->service.fault != NULL)
        server->service.fault(server->service.context, peer, reason);
}

/* ---- start and stop ---- */

struct grpc_server *grpc_server_start(const struct grpc_server_settings *settings, const struct grpc_service *service, struct error *err)
{
    static const struct http_hooks hooks = { .data = on_data, .expired = on_expired };
    struct http_server_settings http = settings->http;
    struct grpc_server *server = calloc(1, sizeof(*server));
    struct http_service http_service = { .context = server, .head = on_head, .serve = on_whole, .refuse = on_refused, .fault = on_fault };

    if (server == NULL)
        abort();
    server->service = *service;
    server->max_message = settings->max_message;
    http.leave_coding = true;
    http.max_body = settings->max_message + GRPC_PREFIX_SIZE;
    server->http = http_server_start_hooked(&http, &http_service, &hooks, err);
    if (server->http == NULL) {
        free(server);
        return NULL;
    }
    return server;
}

void grpc_server_stop(struct grpc_server *server, int64_t grace_ns)
{
    if (server == NULL)
        return;
    http_server_stop(server->http, grace_ns);
    free(server);
}

int grpc_server_port(const struct grpc_server *server)
{
    return http_server_port(server->http);
}

/* ---- what services ask ---- */

struct slice grpc_call_method(const struct grpc_call *call)
{
    return http_exchange_request(call->exchange)->path;
}

const struct http_exchange *grpc_call_exchange(const struct grpc_call *call)
{
    return call->exchange;
}

struct payload *grpc_call_take_message(struct grpc_call *call)
{
    struct payload *message = call->reader.message;

    call->reader.message = NULL;
    return message;
}
