/* The reader of HTTP/1.1 responses: a state machine over lines and counted bytes. Costs one look at each byte of the head; bodies are copied in runs. */
#include "collector/net/http_response.h"

#include <stdio.h>
#include <time.h>

#include "collector/base/clock.h"

enum {
    LINE_LIMIT = 16 * 1024,
    HEAD_LIMIT = 64 * 1024,
    CHUNK_LINE_LIMIT = 1024,
    BODY_SKIPPED_LIMIT = 16 * 1024 * 1024, /* beyond what is kept: a peer that never ends is cut off */
    RETRY_AFTER_LIMIT = 24 * 3600,
};

void http_response_reader_init(struct http_response_reader *reader, struct http_answer *answer, size_t body_limit)
{
    memset(reader, 0, sizeof(*reader));
    reader->answer = answer;
    reader->body_limit = body_limit;
    reader->line.limit = LINE_LIMIT;
    answer->status = 0;
    buffer_clear(&answer->body);
    buffer_clear(&answer->headers);
    answer->retry_after_ns = 0;
}

void http_response_reader_fini(struct http_response_reader *reader)
{
    buffer_fini(&reader->line);
}

static void bad(struct http_response_reader *reader, const char *fault)
{
    reader->state = HTTP_RESPONSE_BAD;
    reader->fault = fault;
    reader->keep_alive = false;
}

static void done(struct http_response_reader *reader)
{
    struct slice after = http_answer_header(reader->answer, "retry-after");

    reader->state = HTTP_RESPONSE_DONE;
    if (after.data != NULL)
        reader->answer->retry_after_ns = http_retry_after(after, (int64_t)time(NULL)) * NANOS_PER_SECOND;
    if (reader->answer->headers.failed || reader->answer->body.failed)
        bad(reader, "out of memory for the response");
}

/* Moves bytes up to a line's end into `line`; true when the line is whole (then without its end). */
static bool take_line(struct http_response_reader *reader, struct slice *bytes, size_t total_limit)
{
    const uint8_t *end = memchr(bytes->data, '\n', bytes->size);
    size_t take = end != NULL ? (size_t)(end - bytes->data) : bytes->size;

    reader->seen += take + 1;
    buffer_append(&reader->line, bytes->data, take);
    *bytes = slice_of(bytes->data + take + (end != NULL), bytes->size - take - (end != NULL));
    if (reader->line.failed || reader->seen > total_limit) {
        bad(reader, "the response's head is too long");
        return false;
    }
    if (end == NULL)
        return false;
    if (reader->line.size > 0 && reader->line.data[reader->line.size - 1] == '\r')
        reader->line.size--;
    return true;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static void read_status(struct http_response_reader *reader, struct slice line)
{
    const uint8_t *at = line.data;

    if (line.size < 12 || !slice_starts_with(line, SLICE("HTTP/1.")) || !is_digit(at[7]) || at[8] != ' ' || !is_digit(at[9]) ||
        !is_digit(at[10]) || !is_digit(at[11]) || at[9] == '0' || (line.size > 12 && at[12] != ' ')) {
        bad(reader, "the response is not HTTP/1.1");
        return;
    }
    reader->keep_alive = at[7] != '0';
    reader->answer->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
}

static void read_length(struct http_response_reader *reader, struct slice value)
{
    uint64_t length = 0;

    for (size_t i = 0; i < value.size; i++)
        if (!is_digit(value.data[i]) || __builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(value.data[i] - '0'), &length)) {
            bad(reader, "the response's content-length is not a number");
            return;
        }
    if (value.size == 0 || (reader->have_length && length != reader->left))
        bad(reader, "the response has no or several content lengths");
    reader->have_length = true;
    reader->left = length;
}

/* Is `token` in a comma-separated list? */
static bool lists(struct slice value, struct slice token)
{
    while (value.size > 0) {
        const uint8_t *comma = memchr(value.data, ',', value.size);
        size_t length = comma != NULL ? (size_t)(comma - value.data) : value.size;

        if (slice_equal_ignoring_case(slice_trim(slice_of(value.data, length)), token))
            return true;
        value = slice_of(value.data + length + (comma != NULL), value.size - length - (comma != NULL));
    }
    return false;
}

static void note_header(struct http_response_reader *reader, struct slice name, struct slice value)
{
    if (slice_equal_ignoring_case(name, SLICE("content-length"))) {
        read_length(reader, value);
    } else if (slice_equal_ignoring_case(name, SLICE("transfer-encoding"))) {
        reader->chunked = slice_equal_ignoring_case(value, SLICE("chunked"));
        if (!reader->chunked)
            bad(reader, "the response has an unknown transfer-encoding");
    } else if (slice_equal_ignoring_case(name, SLICE("connection"))) {
        if (lists(value, SLICE("close")))
            reader->keep_alive = false;
        else if (lists(value, SLICE("keep-alive")))
            reader->keep_alive = true;
    }
}

static bool is_clean(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < 0x20 && text.data[i] != '\t') || text.data[i] == 0x7f)
            return false;
    return true;
}

static void read_header(struct http_response_reader *reader, struct slice line, bool trailer)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    struct slice name, value;

    if (colon == NULL || colon == line.data || line.data[0] == ' ' || line.data[0] == '\t' || !is_clean(line)) {
        bad(reader, "the response has a malformed header");
        return;
    }
    name = slice_of(line.data, (size_t)(colon - line.data));
    value = slice_trim(slice_of(colon + 1, line.size - name.size - 1));
    for (size_t i = 0; i < name.size; i++)
        buffer_append_byte(&reader->answer->headers, name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20 : name.data[i]);
    buffer_append_string(&reader->answer->headers, ": ");
    buffer_append_slice(&reader->answer->headers, value);
    buffer_append_byte(&reader->answer->headers, '\n');
    if (!trailer)
        note_header(reader, name, value);
}

static void end_of_head(struct http_response_reader *reader)
{
    int status = reader->answer->status;

    reader->seen = 0;
    if (status < 200 && status != 101) { /* interim: the real one follows */
        reader->answer->status = 0;
        reader->have_length = reader->chunked = false;
        buffer_clear(&reader->answer->headers);
    } else if (status == 101) {
        bad(reader, "the server switches to another protocol unasked");
    } else if (reader->head_only || status == 204 || status == 304 || (!reader->chunked && reader->have_length && reader->left == 0)) {
        done(reader);
    } else if (reader->chunked) {
        reader->state = HTTP_RESPONSE_CHUNK_SIZE;
    } else if (!reader->have_length) {
        reader->state = HTTP_RESPONSE_UNTIL_END;
        reader->keep_alive = false;
    } else {
        reader->state = HTTP_RESPONSE_BODY;
    }
}

static void feed_head(struct http_response_reader *reader, struct slice *bytes)
{
    if (!take_line(reader, bytes, HEAD_LIMIT))
        return;
    if (reader->answer->status == 0) {
        if (reader->line.size > 0 || reader->seen > 4) /* an empty line or two before the status are let pass */
            read_status(reader, buffer_slice(&reader->line));
    } else if (reader->line.size == 0) {
        end_of_head(reader);
    } else {
        read_header(reader, buffer_slice(&reader->line), false);
    }
    buffer_clear(&reader->line);
}

/* Keeps what the limit allows. */
static void take_body(struct http_response_reader *reader, struct slice *bytes, uint64_t most)
{
    struct buffer *body = &reader->answer->body;
    size_t take = bytes->size < most ? bytes->size : (size_t)most;
    size_t room = reader->body_limit - body->size;

    buffer_append(body, bytes->data, take < room ? take : room);
    reader->seen += take;
    *bytes = slice_of(bytes->data + take, bytes->size - take);
    if (reader->state != HTTP_RESPONSE_UNTIL_END)
        reader->left -= take;
    if (reader->seen <= reader->body_limit + BODY_SKIPPED_LIMIT)
        return;
    reader->keep_alive = false;
    done(reader);
}

static void feed_chunk_size(struct http_response_reader *reader, struct slice *bytes)
{
    uint64_t size = 0;
    size_t digits = 0, body_seen = reader->seen;
    bool whole;

    reader->seen = reader->line.size;
    whole = take_line(reader, bytes, CHUNK_LINE_LIMIT);
    reader->seen = body_seen;
    if (!whole)
        return;
    for (; digits < reader->line.size && digits < 16; digits++) {
        uint8_t byte = reader->line.data[digits] | 0x20;

        if (!is_digit(byte) && !(byte >= 'a' && byte <= 'f'))
            break;
        size = size << 4 | (uint64_t)(is_digit(byte) ? byte - '0' : byte - 'a' + 10);
    }
    if (digits == 0 || (digits < reader->line.size && strchr("; \t", reader->line.data[digits]) == NULL)) {
        bad(reader, "the response has a malformed chunk");
        return;
    }
    reader->left = size;
    reader->state = size > 0 ? HTTP_RESPONSE_CHUNK : HTTP_RESPONSE_TRAILERS;
    if (size == 0)
        reader->seen = 0;
    buffer_clear(&reader->line);
}

static void feed_chunk_end(struct http_response_reader *reader, struct slice *bytes)
{
    size_t body_seen = reader->seen;
    bool whole;

    reader->seen = reader->line.size;
    whole = take_line(reader, bytes, 4);
    reader->seen = body_seen;
    if (!whole)
        return;
    if (reader->line.size != 0)
        bad(reader, "the response has a malformed chunk");
    else
        reader->state = HTTP_RESPONSE_CHUNK_SIZE;
}

static void feed_trailers(struct http_response_reader *reader, struct slice *bytes)
{
    if (!take_line(reader, bytes, HEAD_LIMIT))
        return;
    if (reader->line.size == 0)
        done(reader);
    else
        read_header(reader, buffer_slice(&reader->line), true);
    buffer_clear(&reader->line);
}

static void feed_some(struct http_response_reader *reader, struct slice *bytes)
{
    switch (reader->state) {
    case HTTP_RESPONSE_HEAD:
        feed_head(reader, bytes);
        break;
    case HTTP_RESPONSE_BODY:
        take_body(reader, bytes, reader->left);
        if (reader->left == 0 && reader->state == HTTP_RESPONSE_BODY)
            done(reader);
        break;
    case HTTP_RESPONSE_UNTIL_END:
        take_body(reader, bytes, UINT64_MAX);
        break;
    case HTTP_RESPONSE_CHUNK_SIZE:
        feed_chunk_size(reader, bytes);
        break;
    case HTTP_RESPONSE_CHUNK:
        take_body(reader, bytes, reader->left);
        if (reader->left == 0 && reader->state == HTTP_RESPONSE_CHUNK)
            reader->state = HTTP_RESPONSE_CHUNK_END;
        break;
    case HTTP_RESPONSE_CHUNK_END:
        feed_chunk_end(reader, bytes);
        break;
    case HTTP_RESPONSE_TRAILERS:
        feed_trailers(reader, bytes);
        break;
    case HTTP_RESPONSE_DONE:
    case HTTP_RESPONSE_BAD:
        break;
    }
}

void http_response_feed(struct http_response_reader *reader, struct slice bytes)
{
    if (bytes.size > 0)
        reader->started = true;
    while (bytes.size > 0 && reader->state != HTTP_RESPONSE_DONE && reader->state != HTTP_RESPONSE_BAD)
        feed_some(reader, &bytes);
    if (bytes.size > 0)
        reader->keep_alive = false;
}

void http_response_end(struct http_response_reader *reader)
{
    if (reader->state == HTTP_RESPONSE_UNTIL_END)
        done(reader);
    else if (reader->state != HTTP_RESPONSE_DONE && reader->state != HTTP_RESPONSE_BAD)
        bad(reader, reader->started ? "the server closed the connection in the middle of its answer"
                                    : "the server closed the connection without an answer");
    reader->keep_alive = false;
}

/* ---- what an answer says ---- */

void http_answer_fini(struct http_answer *answer)
{
    buffer_fini(&answer->body);
    buffer_fini(&answer->headers);
    memset(answer, 0, sizeof(*answer));
}

struct slice http_answer_header(const struct http_answer *answer, const char *name)
{
    struct slice rest = buffer_slice(&answer->headers), wanted = slice_of_string(name);

    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t length = end != NULL ? (size_t)(end - rest.data) : rest.size;

        if (length >= wanted.size + 2 && rest.data[wanted.size] == ':' &&
            slice_equal_ignoring_case(slice_of(rest.data, wanted.size), wanted))
            return slice_of(rest.data + wanted.size + 2, length - wanted.size - 2);
        rest = slice_of(rest.data + length + (end != NULL), rest.size - length - (end != NULL));
    }
    return (struct slice){ NULL, 0 };
}

/* RFC 9110, 5.6.7: the current form, and the two obsolete ones. */
static bool parse_date(const char *text, int64_t *seconds)
{
    static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm time = { 0 };
        const char *end = strptime(text, forms[i], &time);

        if (end != NULL && *end == '\0') {
            *seconds = (int64_t)timegm(&time);
            return true;
        }
    }
    return false;
}

int64_t http_retry_after(struct slice value, int64_t now_seconds)
{
    char text[64];
    int64_t seconds = 0;
    size_t i = 0;

    if (value.size == 0 || value.size >= sizeof(text))
        return 0;
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    while (i < value.size && is_digit(value.data[i]) && seconds < RETRY_AFTER_LIMIT)
        seconds = seconds * 10 + (value.data[i++] - '0');
    if (i == 0) {
        if (!parse_date(text, &seconds))
            return 0;
        seconds -= now_seconds;
    } else if (i < value.size && !is_digit(value.data[i])) {
        return 0;
    }
    if (seconds < 0)
        return 0;
    return seconds < RETRY_AFTER_LIMIT ? seconds : RETRY_AFTER_LIMIT;
}
