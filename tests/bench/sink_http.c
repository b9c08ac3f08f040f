/* The sink's HTTP/1.1 side: heads, bodies by Content-Length or in chunks, Expect: 100-continue. */
#include "tests/bench/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 16384 };

enum stage { STAGE_HEAD, STAGE_BODY, STAGE_CHUNK_SIZE, STAGE_CHUNK, STAGE_CHUNK_END, STAGE_WAIT };

struct http_state {
    enum stage stage;
    char head[HEAD_MAX];
    size_t head_size;
    size_t left; /* bytes of the body, or of the chunk */
    char path[256];
    struct sink_request request;
};

static bool http_open(struct sink_connection *connection)
{
    connection->state = calloc(1, sizeof(struct http_state));
    return connection->state != NULL;
}

static void http_close(struct sink_connection *connection)
{
    struct http_state *state = connection->state;

    if (state != NULL)
        sink_request_fini(&state->request);
    free(state);
    connection->state = NULL;
}

static bool reply(struct sink_connection *connection, int status, const char *more, const char *body)
{
    char text[2048];
    int size = snprintf(text, sizeof(text), "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s", status,
        status == 200 ? "OK" : "No", more, strlen(body), body);

    return size > 0 && (size_t)size < sizeof(text) && sink_write(connection, text, (size_t)size);
}

static bool http_answer(struct sink_connection *connection, int32_t stream, enum sink_mode mode)
{
    struct http_state *state = connection->state;

    (void)stream;
    state->stage = STAGE_HEAD;
    switch (mode) {
    case SINK_OK:
        return reply(connection, 200, "", "{}");
    case SINK_UNAVAILABLE:
        return reply(connection, 503, "Retry-After: 1\r\n", "{\"code\": 14}");
    case SINK_EXHAUSTED:
        return reply(connection, 429, "Retry-After: 1\r\n", "{\"code\": 8}");
    case SINK_REJECT:
        return reply(connection, 400, "", "{\"code\": 3, \"message\": \"the sink rejects\"}");
    case SINK_PARTIAL:
        return reply(
            connection, 200, "", "{\"partialSuccess\": {\"rejected_records\": \"1\", \"errorMessage\": \"the sink rejects one\"}}");
    case SINK_HANG:
        state->stage = STAGE_WAIT;
        return true;
    default:
        return false;
    }
}

static bool finish_request(struct sink_connection *connection)
{
    struct http_state *state = connection->state;
    char text[1024];

    if (state->request.known) {
        enum sink_mode mode = sink_request_finish(connection->sink, &state->request);
        sink_request_fini(&state->request);
        state->stage = STAGE_WAIT;
        return sink_later(connection, 0, mode);
    }
    state->stage = STAGE_HEAD;
    if (sink_control(connection->sink, state->path, text, sizeof(text)))
        return reply(connection, 200, "", text);
    return reply(connection, 404, "", "{}");
}

/* The value of a header, "" when it is not there; the head ends with an empty line. */
static void find_header(const char *head, const char *name, char *out, size_t size)
{
    size_t name_size = strlen(name);

    out[0] = '\0';
    for (const char *line = strstr(head, "\r\n"); line != NULL && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        if (strncasecmp(at, name, name_size) != 0 || at[name_size] != ':')
            continue;
        at += name_size + 1;
        while (*at == ' ')
            at++;
        size_t value_size = strcspn(at, "\r");
        snprintf(out, size, "%.*s", (int)(value_size < size ? value_size : size - 1), at);
    }
}

static bool read_head(struct sink_connection *connection)
{
    struct http_state *state = connection->state;
    char value[64];

    if (sscanf(state->head, "%*7s %255s", state->path) != 1)
        return false;
    sink_request_init(connection->sink, &state->request, state->path);
    find_header(state->head, "content-encoding", value, sizeof(value));
    state->request.coding = sink_coding_of(value);
    find_header(state->head, "expect", value, sizeof(value));
    if (value[0] != '\0' && !sink_write(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        return false;
    find_header(state->head, "transfer-encoding", value, sizeof(value));
    if (strcasecmp(value, "chunked") == 0) {
        state->stage = STAGE_CHUNK_SIZE;
        state->head_size = 0;
        return true;
    }
    find_header(state->head, "content-length", value, sizeof(value));
    state->left = strtoul(value, NULL, 10);
    state->stage = STAGE_BODY;
    state->head_size = 0;
    return state->left > 0 || finish_request(connection);
}

/* Takes bytes up to the end of the head. Returns how many; `done` when it is whole. */
static size_t take_head(struct http_state *state, const uint8_t *data, size_t size, bool *done)
{
    size_t used = 0;

    while (used < size && state->head_size < HEAD_MAX - 1 && !*done) {
        state->head[state->head_size++] = (char)data[used++];
        *done = state->head_size >= 4 && memcmp(state->head + state->head_size - 4, "\r\n\r\n", 4) == 0;
    }
    state->head[state->head_size] = '\0';
    return used;
}

/* Takes one line of the chunked coding: a size, or the end of a chunk. */
static size_t take_line(struct http_state *state, const uint8_t *data, size_t size, bool *done)
{
    size_t used = 0;

    while (used < size && state->head_size < 64 && !*done) {
        state->head[state->head_size++] = (char)data[used++];
        *done = state->head_size >= 2 && memcmp(state->head + state->head_size - 2, "\r\n", 2) == 0;
    }
    state->head[state->head_size] = '\0';
    return used;
}

static bool line_read(struct sink_connection *connection)
{
    struct http_state *state = connection->state;

    state->head_size = 0;
    if (state->stage == STAGE_CHUNK_END && state->left == 0) {
        return finish_request(connection);
    }
    if (state->stage == STAGE_CHUNK_END) {
        state->stage = STAGE_CHUNK_SIZE;
        return true;
    }
    state->left = strtoul(state->head, NULL, 16);
    state->stage = state->left > 0 ? STAGE_CHUNK : STAGE_CHUNK_END;
    return true;
}

/* One step over some of the bytes. false: close the connection. */
static bool step(struct sink_connection *connection, const uint8_t *data, size_t size, size_t *used)
{
    struct http_state *state = connection->state;
    bool done = false;

    switch (state->stage) {
    case STAGE_HEAD:
        *used = take_head(state, data, size, &done);
        return done ? read_head(connection) : state->head_size < HEAD_MAX - 1;
    case STAGE_CHUNK_SIZE:
    case STAGE_CHUNK_END:
        *used = take_line(state, data, size, &done);
        return done ? line_read(connection) : state->head_size < 64;
    case STAGE_BODY:
    case STAGE_CHUNK:
        *used = state->left < size ? state->left : size;
        sink_request_feed(&state->request, data, *used);
        state->left -= *used;
        if (state->left > 0)
            return true;
        if (state->stage == STAGE_BODY)
            return finish_request(connection);
        state->left = 1;
        state->stage = STAGE_CHUNK_END;
        return true;
    default:
        return false; /* nothing may come before the answer */
    }
}

static bool http_received(struct sink_connection *connection, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t used = 0;
        if (!step(connection, data, size, &used))
            return false;
        data += used;
        size -= used;
    }
    return true;
}

const struct sink_protocol sink_http = {
    .open = http_open,
    .received = http_received,
    .answer = http_answer,
    .close = http_close,
};
