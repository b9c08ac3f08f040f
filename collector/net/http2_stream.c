/*
 * HTTP/2 streams: nghttp2's callbacks turn frames into exchanges; replies are handed back to it.
 *
 * A body costs one copy, from the read buffer into its payload. The flow-control windows are wide and given back as bytes are
 * read; what bounds memory is admission, which every growth of a payload asks.
 * Threads: the shard's loop.
 */
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/net/http1_response.h"
#include "collector/net/http2.h"

static const int64_t flood_ping_interval = 10 * NANOS_PER_MILLI;
enum { FIELD_OVERHEAD = 32, RESPONSE_HEADERS_MAX = 40, PING_STRIKES_MAX = 2, FLOOD_PING_STRIKES_MAX = 100 };

/* ---- life of a stream ---- */

static struct http2_stream *add_stream(struct http2 *http2, int32_t id)
{
    struct http2_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    stream->id = id;
    stream->began = stream->progress = http_connection_now(http2->connection);
    stream->next = http2->streams;
    if (stream->next != NULL)
        stream->next->previous = stream;
    http2->streams = stream;
    http2->stream_count++;
    http_connection_advance_deadline(http2->connection, http2_stream_due(http2, stream));
    return stream;
}

static void free_stream(struct http2 *http2, struct http2_stream *stream)
{
    if (stream->exchange != NULL) {
        if (!stream->whole)
            http_connection_fault(http2->connection, "truncated_body");
        http_exchange_abandon(stream->exchange);
    }
    free(stream->answer);
    free(stream);
}

static void remove_stream(struct http2 *http2, struct http2_stream *stream)
{
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        http2->streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    if (--http2->stream_count == 0)
        http2->idle_since = http_connection_now(http2->connection);
    free_stream(http2, stream);
}

void http2_streams_close(struct http2 *http2)
{
    while (http2->streams != NULL)
        remove_stream(http2, http2->streams);
}

int64_t http2_stream_due(const struct http2 *http2, const struct http2_stream *stream)
{
    const struct http_server_settings *settings = http2->connection->shard->settings;
    int64_t due = INT64_MAX;

    if (stream->answered)
        return http_time_after(stream->progress, settings->write_timeout_ns);
    if (stream->exchange == NULL)
        return http_time_after(stream->began, settings->read_header_timeout_ns);
    if (!stream->whole) {
        struct http_body_progress progress = { stream->began, stream->progress, stream->received };

        due = http_body_due(http2->connection, progress);
    }
    return stream->exchange->deadline < due ? stream->exchange->deadline : due;
}

static void expire_exchange(struct http2 *http2, struct http2_stream *stream)
{
    const struct http_shard *shard = http2->connection->shard;
    struct http_exchange *exchange = stream->exchange;

    if (exchange->deadline > http_connection_now(http2->connection)) {
        http_exchange_refuse(exchange, HTTP_REFUSE_TIMEOUT);
        return;
    }
    shard->hooks.expired(shard->service->context, exchange);
    http_exchange_abandon(exchange);
}

void http2_stream_expire(struct http2 *http2, struct http2_stream *stream)
{
    if (stream->answered) {
        nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
        stream->progress = http_connection_now(http2->connection);
        http2_wants_flush(http2);
    } else if (stream->exchange == NULL) {
        http2_terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM, "header_timeout");
    } else {
        expire_exchange(http2, stream);
    }
}

/* ---- answers ---- */

struct http2_answer { /* one allocation, all bytes within */
    struct slice body;
    size_t trailer_count;
    nghttp2_nv trailers[];
};

static nghttp2_nv name_value(struct slice name, struct slice value)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.size, value.size, NGHTTP2_NV_FLAG_NONE };
}

static uint8_t *copy(uint8_t *at, const void *from, size_t size)
{
    if (size > 0)
        memcpy(at, from, size);
    return at + size;
}

static struct http2_answer *create_answer(const struct http_response *response)
{
    size_t size = sizeof(struct http2_answer) + response->trailer_count * sizeof(nghttp2_nv) + response->body.size;
    struct http2_answer *answer;
    uint8_t *at;

    for (size_t i = 0; i < response->trailer_count; i++)
        size += response->trailers[i].name.size + response->trailers[i].value.size;
    answer = malloc(size);
    if (answer == NULL)
        return NULL;
    answer->trailer_count = response->trailer_count;
    at = (uint8_t *)&answer->trailers[response->trailer_count];
    for (size_t i = 0; i < response->trailer_count; i++) {
        struct slice name = response->trailers[i].name, value = response->trailers[i].value;

        answer->trailers[i] = name_value(slice_of(at, name.size), slice_of(at + name.size, value.size));
        at = copy(copy(at, name.data, name.size), value.data, value.size);
    }
    answer->body = slice_of(at, response->body.size);
    copy(at, response->body.data, response->body.size);
    return answer;
}

static ssize_t read_answer(
    nghttp2_session *session, int32_t id, uint8_t *into, size_t size, uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct http2 *http2 = context;
    struct http2_stream *stream = source->ptr;
    struct http2_answer *answer = stream->answer;
    size_t length = answer->body.size < size ? answer->body.size : size;

    copy(into, answer->body.data, length);
    answer->body = slice_of(answer->body.data + length, answer->body.size - length);
    stream->progress = http_connection_now(http2->connection);
    if (answer->body.size > 0)
        return (ssize_t)length;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (answer->trailer_count > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, id, answer->trailers, answer->trailer_count) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)length;
}

struct fields {
    nghttp2_nv items[RESPONSE_HEADERS_MAX + 4];
    size_t count;
    char status[12], length[24];
};

static void add_field(struct fields *fields, struct slice name, struct slice value)
{
    if (fields->count < sizeof(fields->items) / sizeof(fields->items[0]))
        fields->items[fields->count++] = name_value(name, value);
}

static void fill_fields(struct fields *fields, const struct http_response *response, bool bare)
{
    int length = snprintf(fields->status, sizeof(fields->status), "%03d", response->status % 1000);

    fields->count = 0;
    add_field(fields, SLICE(":status"), slice_of(fields->status, (size_t)length));
    for (size_t i = 0; i < response->header_count; i++)
        add_field(fields, response->headers[i].name, response->headers[i].value);
    if (bare)
        return;
    add_field(fields, SLICE("date"), http_date());
    if (response->status == 204 || response->status == 304)
        return;
    length = snprintf(fields->length, sizeof(fields->length), "%zu", response->body.size);
    add_field(fields, SLICE("content-length"), slice_of(fields->length, (size_t)length));
}

enum { BARE = 1, WITHOUT_BODY = 2 }; /* form of an answer */

static void answer_stream(struct http2 *http2, struct http2_stream *stream, const struct http_response *response, unsigned form)
{
    nghttp2_data_provider provider = { .source = { .ptr = stream }, .read_callback = read_answer };
    bool has_more = ((form & WITHOUT_BODY) == 0 && response->body.size > 0) || response->trailer_count > 0;
    struct fields fields;
    int failure = 0;

    fill_fields(&fields, response, (form & BARE) != 0);
    stream->answered = true;
    stream->progress = http_connection_now(http2->connection);
    http_connection_advance_deadline(http2->connection, http2_stream_due(http2, stream));
    if (has_more) {
        stream->answer = create_answer(response);
        failure = stream->answer == NULL;
    }
    if (failure == 0)
        failure = nghttp2_submit_response(http2->session, stream->id, fields.items, fields.count, has_more ? &provider : NULL);
    if (failure != 0)
        nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
    http2->ping_strikes = 0;
    http2_wants_flush(http2);
}

void http2_reply(struct http_exchange *exchange, const struct http_response *response)
{
    struct http2_stream *stream = exchange->stream;
    bool head_only = slice_equal(exchange->request.method, SLICE("HEAD"));

    stream->exchange = NULL;
    answer_stream(exchange->connection->http2, stream, response, (exchange->bare ? BARE : 0u) | (head_only ? WITHOUT_BODY : 0u));
}

/* An answer to what never became an exchange. */
static void refuse_head(struct http2 *http2, struct http2_stream *stream, int status, const char *reason)
{
    struct http_response response = { .status = status };

    http_connection_fault(http2->connection, reason);
    answer_stream(http2, stream, &response, 0);
}

/* ---- heads ---- */

struct field { /* offsets into head_bytes */
    uint32_t name, name_size, value, value_size;
};

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *http2 = context;
    struct http2_stream *stream;

    http2->head_size = 0;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream = add_stream(http2, frame->hd.stream_id);
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    buffer_clear(&http2->head_bytes);
    buffer_clear(&http2->head_fields);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
    size_t value_size, uint8_t flags, void *context)
{
    struct http2 *http2 = context;
    size_t limit = http2->connection->shard->settings->max_header_bytes;
    struct field field = { (uint32_t)http2->head_bytes.size, (uint32_t)name_size, (uint32_t)(http2->head_bytes.size + name_size),
        (uint32_t)value_size };

    (void)session;
    (void)flags;
    http2->head_size += name_size + value_size + FIELD_OVERHEAD;
    if (http2->head_size > 16 * limit)
        return NGHTTP2_ERR_CALLBACK_FAILURE; /* a compressed flood: not worth an answer */
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST || http2->head_size > limit)
        return 0;
    buffer_append(&http2->head_bytes, name, name_size);
    buffer_append(&http2->head_bytes, value, value_size);
    buffer_append(&http2->head_fields, &field, sizeof(field));
    return 0;
}

static void set_pseudo_header(struct http_head *head, struct slice name, struct slice value)
{
    if (slice_equal(name, SLICE(":method")))
        head->method = value;
    else if (slice_equal(name, SLICE(":path")))
        http_head_set_target(head, value);
    else if (slice_equal(name, SLICE(":authority")))
        head->authority = value;
}

/* The collected fields as a head; 0 or the status to refuse them with. */
static int make_head(const struct http2 *http2, struct http_head *head)
{
    size_t count = http2->head_fields.size / sizeof(struct field);

    head->header_count = 0;
    head->bytes = buffer_slice(&http2->head_bytes);
    head->method = head->path = head->query = head->authority = (struct slice){ NULL, 0 };
    for (size_t i = 0; i < count; i++) {
        struct field field;
        struct slice name, value;

        memcpy(&field, http2->head_fields.data + i * sizeof(field), sizeof(field));
        name = slice_of(http2->head_bytes.data + field.name, field.name_size);
        value = slice_of(http2->head_bytes.data + field.value, field.value_size);
        if (name.size > 0 && name.data[0] == ':') {
            set_pseudo_header(head, name, value);
            continue;
        }
        if (head->header_count == HTTP_HEADERS_MAX)
            return 431;
        head->headers[head->header_count++] = (struct http_header){ name, value };
    }
    if (head->authority.data == NULL)
        head->authority = http_header_find(head->headers, head->header_count, "host", 0);
    return head->path.size + head->query.size > HTTP1_TARGET_MAX ? 414 : 0;
}

static int check_head(struct http2 *http2, struct http_head *head)
{
    if (http2->head_size > http2->connection->shard->settings->max_header_bytes)
        return 431;
    if (http2->head_bytes.failed || http2->head_fields.failed)
        return 503;
    return make_head(http2, head);
}

static const char *head_reason(int status)
{
    return status == 431 ? "large_head" : status == 414 ? "long_target" : "out_of_memory";
}

static void start_request(struct http2 *http2, struct http2_stream *stream)
{
    struct http_head head;
    struct http_exchange *exchange = NULL;
    int status = check_head(http2, &head);
    struct slice length;

    if (status == 0) {
        exchange = http_exchange_create(http2->connection, &head);
        status = exchange == NULL ? 503 : 0;
    }
    if (status != 0) {
        refuse_head(http2, stream, status, head_reason(status));
        return;
    }
    exchange->stream = stream;
    stream->exchange = exchange;
    length = http_exchange_header(exchange, "content-length", 0);
    exchange->has_length = length.data != NULL && http_parse_length(length, &exchange->length);
    if (http_exchange_begin(exchange))
        http_connection_advance_deadline(http2->connection, http2_stream_due(http2, stream));
}

/* ---- frames ---- */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size, void *context)
{
    struct http2 *http2 = context;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    if (stream == NULL || stream->exchange == NULL)
        return 0; /* answered already: the rest is dropped */
    stream->progress = http_connection_now(http2->connection);
    stream->received += size;
    http_exchange_append(stream->exchange, slice_of(data, size));
    return 0;
}

static void end_request(struct http2_stream *stream)
{
    stream->whole = true;
    if (stream->exchange != NULL)
        http_exchange_serve(stream->exchange);
}

/* As gRPC servers do: a client that pings too often, without requests in between, is sent away. */
static void on_ping(struct http2 *http2)
{
    const struct http_server_settings *settings = http2->connection->shard->settings;
    bool limited = settings->min_ping_interval_ns > 0;
    int64_t now = http_connection_now(http2->connection), interval = limited ? settings->min_ping_interval_ns : flood_ping_interval;
    bool too_soon = now - http2->last_ping < interval || (http2->stream_count == 0 && settings->refuse_idle_pings);
    unsigned strikes_max = limited ? PING_STRIKES_MAX : FLOOD_PING_STRIKES_MAX;

    if (http2->last_ping != 0 && too_soon && ++http2->ping_strikes > strikes_max)
        http2_terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    http2->last_ping = now;
}

static void on_ping_answer(struct http2 *http2)
{
    http2->ping_sent = 0;
    if (http2->closing == HTTP2_NOTICE)
        http_connection_set_deadline(http2->connection, http_connection_now(http2->connection));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *http2 = context;
    struct http2_stream *stream;

    if (frame->hd.type == NGHTTP2_PING) {
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
            on_ping_answer(http2);
        else
            on_ping(http2);
        return 0;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        start_request(http2, stream);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        end_request(stream);
    return 0;
}

/* The whole answer went out before the whole request came in: the client need not send the rest. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2_stream *stream;

    (void)context;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream != NULL && !stream->whole)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)code;
    if (stream != NULL)
        remove_stream(context, stream);
    nghttp2_session_set_stream_user_data(session, id, NULL);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *context)
{
    struct http2 *http2 = context;

    (void)session;
    (void)frame;
    (void)code;
    http_connection_fault(http2->connection, "bad_http2_frame");
    return 0;
}

void http2_set_stream_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
}
