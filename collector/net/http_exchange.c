/*
 * Exchanges: one allocation holds the exchange, its headers and their bytes; a body of known length is received in place.
 * A reply on the loop's thread is written at once; one from another thread is copied and posted to the loop.
 */
#include "collector/net/http_exchange.h"

#include "collector/net/http_pacing.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_BODY_SIZE = 16 * 1024 };

/* ---- life ---- */

struct rebase {
    struct slice from;
    const uint8_t *to;
};

/* The same bytes in the copy; what points elsewhere (a literal, nothing) stays. */
static struct slice rebased(struct rebase rebase, struct slice s)
{
    uintptr_t offset = (uintptr_t)s.data - (uintptr_t)rebase.from.data;

    return offset <= rebase.from.size ? slice_of(rebase.to + offset, s.size) : s;
}

static void copy_head(struct http_exchange *exchange, const struct http_head *head)
{
    uint8_t *bytes = (uint8_t *)&exchange->headers[head->header_count];
    struct rebase rebase = { head->bytes, bytes };

    memcpy(bytes, head->bytes.data, head->bytes.size);
    for (size_t i = 0; i < head->header_count; i++) {
        exchange->headers[i].name = rebased(rebase, head->headers[i].name);
        exchange->headers[i].value = rebased(rebase, head->headers[i].value);
    }
    exchange->request.method = rebased(rebase, head->method);
    exchange->request.path = rebased(rebase, head->path);
    exchange->request.query = rebased(rebase, head->query);
    exchange->request.authority = rebased(rebase, head->authority);
    exchange->request.headers = exchange->headers;
    exchange->request.header_count = head->header_count;
}

struct http_exchange *http_exchange_create(struct http_connection *connection, const struct http_head *head)
{
    size_t size = sizeof(struct http_exchange) + head->header_count * sizeof(struct http_header) + head->bytes.size;
    struct http_exchange *exchange = malloc(size);

    if (exchange == NULL)
        return NULL;
    *exchange = (struct http_exchange){ .loop = connection->shard->loop, .connection = connection, .deadline = INT64_MAX };
    copy_head(exchange, head);
    memcpy(exchange->peer, connection->peer, sizeof(exchange->peer));
    exchange->request.peer = exchange->peer;
    exchange->request.http2 = connection->http2 != NULL;
    exchange->request.tls = connection->transport.ssl != NULL;
    return exchange;
}

/* The body is whole, or nobody waits for the rest any more. */
static void end_receiving(struct http_exchange *exchange)
{
    if (exchange->receiving > 0 && exchange->connection != NULL)
        http_pacing_count(exchange->connection->shard, -(int64_t)exchange->receiving);
    exchange->receiving = 0;
}

void http_exchange_destroy(struct http_exchange *exchange)
{
    end_receiving(exchange);
    if (exchange->free_attachment != NULL)
        exchange->free_attachment(exchange->attachment);
    payload_unref(exchange->body);
    free(exchange->stored);
    free(exchange);
}

void http_exchange_abandon(struct http_exchange *exchange)
{
    end_receiving(exchange);
    exchange->connection = NULL;
    exchange->stream = NULL;
    if (!exchange->served && !exchange->replied)
        http_exchange_destroy(exchange);
}

void http_exchange_set_deadline(struct http_exchange *exchange, int64_t at)
{
    exchange->deadline = at;
    if (exchange->connection != NULL)
        http_connection_advance_deadline(exchange->connection, at);
}

/* ---- the body ---- */

static const struct http_server_settings *settings_of(const struct http_exchange *exchange)
{
    return exchange->connection->shard->settings;
}

static bool admit(const struct http_exchange *exchange, size_t bytes)
{
    const struct admission *admission = &exchange->connection->shard->service->admission;

    return admission->admit == NULL || admission->admit(admission->context, bytes);
}

static bool refuse(struct http_exchange *exchange, enum http_refusal why)
{
    http_exchange_refuse(exchange, why);
    return false;
}

/* CODING_UNKNOWN when the server does not take it, or when there is more than one. */
static enum coding body_coding(const struct http_exchange *exchange)
{
    struct slice name = http_exchange_header(exchange, "content-encoding", 0);
    enum coding coding;

    if (name.data == NULL || settings_of(exchange)->leave_coding)
        return CODING_IDENTITY;
    if (http_exchange_header(exchange, "content-encoding", 1).data != NULL)
        return CODING_UNKNOWN;
    coding = coding_of_name(name);
    if (coding <= CODING_IDENTITY || (settings_of(exchange)->codings & (1u << coding)) != 0)
        return coding;
    return CODING_UNKNOWN;
}

static bool make_room(struct http_exchange *exchange, size_t capacity)
{
    size_t before = exchange->body != NULL ? exchange->body->capacity : 0;
    struct payload *body;

    if (!admit(exchange, capacity - before))
        return false;
    body = exchange->body != NULL ? payload_resize(exchange->body, capacity) : payload_create(capacity);
    if (body == NULL)
        return false;
    exchange->body = body;
    exchange->receiving += capacity - before;
    http_pacing_count(exchange->connection->shard, (int64_t)(capacity - before));
    return true;
}

bool http_exchange_begin(struct http_exchange *exchange)
{
    const struct http_shard *shard = exchange->connection->shard;

    if (shard->service->head != NULL && !shard->service->head(shard->service->context, exchange))
        return false;
    exchange->coding = body_coding(exchange);
    if (exchange->coding == CODING_UNKNOWN)
        return refuse(exchange, HTTP_REFUSE_UNKNOWN_ENCODING);
    if (!exchange->has_length || exchange->length == 0 || shard->hooks.data != NULL)
        return true;
    if (exchange->length > settings_of(exchange)->max_body)
        return refuse(exchange, HTTP_REFUSE_BODY_TOO_LARGE);
    if (!make_room(exchange, (size_t)exchange->length))
        return refuse(exchange, HTTP_REFUSE_NO_MEMORY);
    return true;
}

uint8_t *http_exchange_room(struct http_exchange *exchange)
{
    return exchange->body->data + exchange->body->size;
}

static bool grow_for(struct http_exchange *exchange, size_t extra)
{
    size_t limit = settings_of(exchange)->max_body;
    size_t size = exchange->body != NULL ? exchange->body->size : 0;
    size_t capacity = exchange->body != NULL ? exchange->body->capacity : 0;

    if (extra <= capacity - size)
        return true;
    if (extra > limit - size)
        return refuse(exchange, HTTP_REFUSE_BODY_TOO_LARGE);
    capacity = capacity < FIRST_BODY_SIZE / 2 ? FIRST_BODY_SIZE : capacity * 2;
    if (capacity > limit)
        capacity = limit;
    if (capacity < size + extra)
        capacity = size + extra;
    return make_room(exchange, capacity) || refuse(exchange, HTTP_REFUSE_NO_MEMORY);
}

bool http_exchange_append(struct http_exchange *exchange, struct slice bytes)
{
    const struct http_shard *shard = exchange->connection->shard;

    if (bytes.size == 0)
        return true;
    if (shard->hooks.data != NULL)
        return shard->hooks.data(shard->service->context, exchange, bytes);
    if (!grow_for(exchange, bytes.size))
        return false;
    memcpy(http_exchange_room(exchange), bytes.data, bytes.size);
    exchange->body->size += bytes.size;
    return true;
}

static bool decompress(struct http_exchange *exchange)
{
    const struct http_shard *shard = exchange->connection->shard;
    const struct admission *admission = shard->service->admission.admit != NULL ? &shard->service->admission : NULL;
    struct payload *plain = NULL;
    enum inflate_result result =
        inflate_payload(exchange->coding, payload_slice(exchange->body), shard->settings->max_body, admission, &plain);

    switch (result) {
    case INFLATE_OK:
        payload_unref(exchange->body);
        exchange->body = plain;
        return true;
    case INFLATE_TOO_LARGE:
        return refuse(exchange, HTTP_REFUSE_BODY_TOO_LARGE);
    case INFLATE_NO_MEMORY:
        return refuse(exchange, HTTP_REFUSE_NO_MEMORY);
    case INFLATE_CORRUPT:
    default:
        return refuse(exchange, HTTP_REFUSE_CORRUPT_BODY);
    }
}

/* A body that came without its length was given up to twice the room it needs. */
static void trim_body(struct http_exchange *exchange)
{
    struct payload *body = exchange->body;

    if (body == NULL || exchange->has_length || body->capacity - body->size < body->capacity / 4)
        return;
    body = payload_resize(body, body->size);
    if (body != NULL)
        exchange->body = body;
}

void http_exchange_serve(struct http_exchange *exchange)
{
    const struct http_service *service = exchange->connection->shard->service;

    end_receiving(exchange);
    if (exchange->coding != CODING_IDENTITY && exchange->body != NULL) {
        if (!decompress(exchange))
            return;
    } else {
        trim_body(exchange);
    }
    exchange->served = true;
    service->serve(service->context, exchange);
}

/* ---- refusals ---- */

static const struct {
    int status;
    const char *text;
} refusals[] = {
    [HTTP_REFUSE_BODY_TOO_LARGE] = { 413, "the request's body is too large\n" },
    [HTTP_REFUSE_NO_MEMORY] = { 503, "there is no memory for the request now, try again\n" },
    [HTTP_REFUSE_UNKNOWN_ENCODING] = { 415, "the request's content-encoding is not supported\n" },
    [HTTP_REFUSE_CORRUPT_BODY] = { 400, "the request's body does not decompress\n" },
    [HTTP_REFUSE_TIMEOUT] = { 408, "the request took too long to arrive\n" },
};

void http_exchange_refuse(struct http_exchange *exchange, enum http_refusal why)
{
    static const struct http_header type = { SLICE_INIT("content-type"), SLICE_INIT("text/plain; charset=utf-8") };
    const struct http_service *service = exchange->connection->shard->service;
    struct http_response response = { .status = refusals[why].status, .headers = &type, .header_count = 1 };

    if (service->refuse != NULL) {
        service->refuse(service->context, exchange, why);
        return;
    }
    response.body = slice_of_string(refusals[why].text);
    http_reply(exchange, &response);
}

/* ---- the reply ---- */

void http_exchange_answer(struct http_exchange *exchange, const struct http_response *response)
{
    struct http_connection *connection = exchange->connection;

    if (connection == NULL)
        return;
    end_receiving(exchange);
    connection->protocol->reply(exchange, response);
    exchange->connection = NULL;
    exchange->stream = NULL;
}

static void answer_and_destroy(struct http_exchange *exchange, const struct http_response *response)
{
    http_exchange_answer(exchange, response);
    http_exchange_destroy(exchange);
}

struct http_stored_response { /* one allocation, all bytes within */
    struct http_response response;
    struct http_header headers[];
};

static size_t headers_size(const struct http_header *headers, size_t count)
{
    size_t size = count * sizeof(*headers);

    for (size_t i = 0; i < count; i++)
        size += headers[i].name.size + headers[i].value.size;
    return size;
}

static struct slice copy_bytes(uint8_t **at, struct slice s)
{
    struct slice copy = slice_of(*at, s.size);

    if (s.size > 0)
        memcpy(*at, s.data, s.size);
    *at += s.size;
    return copy;
}

static void copy_headers(struct http_header *into, const struct http_header *headers, size_t count, uint8_t **at)
{
    for (size_t i = 0; i < count; i++) {
        into[i].name = copy_bytes(at, headers[i].name);
        into[i].value = copy_bytes(at, headers[i].value);
    }
}

static struct http_stored_response *store(const struct http_response *response)
{
    size_t size = sizeof(struct http_stored_response) + headers_size(response->headers, response->header_count) +
                  headers_size(response->trailers, response->trailer_count) + response->body.size;
    struct http_stored_response *stored = malloc(size);
    struct http_header *trailers;
    uint8_t *at;

    if (stored == NULL)
        return NULL;
    trailers = stored->headers + response->header_count;
    at = (uint8_t *)(trailers + response->trailer_count);
    stored->response = *response;
    stored->response.headers = stored->headers;
    stored->response.trailers = trailers;
    copy_headers(stored->headers, response->headers, response->header_count, &at);
    copy_headers(trailers, response->trailers, response->trailer_count, &at);
    stored->response.body = copy_bytes(&at, response->body);
    return stored;
}

static void run_reply(struct loop_task *task)
{
    static const struct http_response out_of_memory = { .status = 503 };
    struct http_exchange *exchange = (struct http_exchange *)task;

    answer_and_destroy(exchange, exchange->stored != NULL ? &exchange->stored->response : &out_of_memory);
}

void http_reply(struct http_exchange *exchange, const struct http_response *response)
{
    assert(!exchange->replied);
    exchange->replied = true;
    if (loop_is_current(exchange->loop)) {
        answer_and_destroy(exchange, response);
        return;
    }
    exchange->stored = store(response);
    exchange->task.run = run_reply;
    loop_post_task(exchange->loop, &exchange->task);
}

/* ---- what services ask ---- */

const struct http_request *http_exchange_request(const struct http_exchange *exchange)
{
    return &exchange->request;
}

struct slice http_exchange_header(const struct http_exchange *exchange, const char *name, size_t nth)
{
    return http_header_find(exchange->headers, exchange->request.header_count, name, nth);
}

struct payload *http_exchange_take_body(struct http_exchange *exchange)
{
    struct payload *body = exchange->body;

    exchange->body = NULL;
    return body;
}
