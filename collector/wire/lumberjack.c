/* Frames by their lengths, events by their keys. A JSON event is written once to find its keys, and then copied to its record. */
#include "collector/wire/lumberjack.h"

#include "collector/wire/json_value.h"
#include "collector/wire/timestamp.h"

enum { HEAD = 2, NUMBER = 4 };

static uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- frames ---- */

struct cursor {
    struct slice bytes;
    size_t at, limit;
    enum lumberjack_read read; /* sticky */
};

static bool has(struct cursor *cursor, size_t size)
{
    if (cursor->read == LUMBERJACK_WHOLE && (size > cursor->limit || cursor->at > cursor->limit - size))
        cursor->read = LUMBERJACK_BAD;
    else if (cursor->read == LUMBERJACK_WHOLE && cursor->bytes.size - cursor->at < size)
        cursor->read = LUMBERJACK_MORE;
    return cursor->read == LUMBERJACK_WHOLE;
}

static uint32_t take_number(struct cursor *cursor)
{
    if (!has(cursor, NUMBER))
        return 0;
    cursor->at += NUMBER;
    return number_at(cursor->bytes.data + cursor->at - NUMBER);
}

static struct slice take_text(struct cursor *cursor)
{
    uint32_t size = take_number(cursor);

    if (!has(cursor, size))
        return slice_of(NULL, 0);
    cursor->at += size;
    return slice_of(cursor->bytes.data + cursor->at - size, size);
}

static void take_pairs(struct cursor *cursor, struct lumberjack_frame *frame)
{
    size_t start;

    frame->number = take_number(cursor);
    frame->pairs = take_number(cursor);
    start = cursor->at;
    if (frame->pairs > LUMBERJACK_PAIRS_MAX)
        cursor->read = LUMBERJACK_BAD;
    for (uint32_t i = 0; i < 2 * frame->pairs && cursor->read == LUMBERJACK_WHOLE; i++)
        take_text(cursor);
    frame->body = slice_of(cursor->bytes.data + start, cursor->at - start);
}

/* The rest of a frame of that type. */
static void take_rest(struct cursor *cursor, uint8_t type, struct lumberjack_frame *frame)
{
    switch (type) {
    case 'W':
        frame->kind = LUMBERJACK_WINDOW;
        frame->number = take_number(cursor);
        break;
    case 'D':
        frame->kind = LUMBERJACK_PAIRS;
        take_pairs(cursor, frame);
        break;
    case 'J':
        frame->kind = LUMBERJACK_JSON;
        frame->number = take_number(cursor);
        frame->body = take_text(cursor);
        break;
    case 'C':
        frame->kind = LUMBERJACK_COMPRESSED;
        frame->body = take_text(cursor);
        break;
    default:
        cursor->read = LUMBERJACK_BAD;
        break;
    }
}

enum lumberjack_read lumberjack_read_frame(struct slice bytes, size_t limit, struct lumberjack_frame *frame, size_t *size)
{
    struct cursor cursor = { .bytes = bytes, .limit = limit, .read = LUMBERJACK_WHOLE };

    *frame = (struct lumberjack_frame){ 0 };
    if (bytes.size > 0 && bytes.data[0] != '1' && bytes.data[0] != '2')
        return LUMBERJACK_BAD;
    if (!has(&cursor, HEAD))
        return cursor.read;
    frame->version = bytes.data[0];
    cursor.at = HEAD;
    take_rest(&cursor, bytes.data[1], frame);
    *size = cursor.at;
    return cursor.read;
}

void lumberjack_append_ack(uint8_t version, uint32_t sequence, struct buffer *out)
{
    const uint8_t ack[LUMBERJACK_ACK_SIZE] = { version, 'A', (uint8_t)(sequence >> 24), (uint8_t)(sequence >> 16), (uint8_t)(sequence >> 8),
        (uint8_t)sequence };

    buffer_append(out, ack, sizeof(ack));
}

/* ---- events ---- */

static uint64_t time_of(struct slice text)
{
    struct timestamp timestamp;

    return text.size > 0 && timestamp_read(text, &timestamp) == text.size ? timestamp_nanos(&timestamp) : 0;
}

static void append_map(struct slice map, uint64_t observed, struct otlp_logs *logs)
{
    struct otlp_attributes attributes = otlp_attributes(map, OTLP_ATTRIBUTES_OF_MAP);
    struct otlp_attribute attribute;
    struct otlp_value time = { 0 };
    uint64_t nanos = 0;
    size_t record;

    if (otlp_find_attribute(map, OTLP_ATTRIBUTES_OF_MAP, SLICE("@timestamp"), &time) && time.kind == OTLP_VALUE_STRING)
        nanos = time_of(time.bytes);
    record = otlp_log_open(logs, nanos, observed);
    while (otlp_next_attribute(&attributes, &attribute)) {
        struct pb_reader content = pb_reader_of(attribute.raw), pair;
        struct pb_field whole = { 0 }, part = { 0 };

        if (!pb_next(&content, &whole) || (nanos != 0 && slice_equal_string(attribute.key, "@timestamp")))
            continue;
        if (!slice_equal_string(attribute.key, "message")) {
            pb_put_bytes(logs->out, OTLP_LOG_ATTRIBUTES, whole.bytes);
            continue;
        }
        pair = pb_reader_of(whole.bytes);
        while (pb_next(&pair, &part))
            if (part.number == 2)
                pb_put_bytes(logs->out, OTLP_LOG_BODY, part.bytes);
    }
    pb_close(logs->out, record);
}

static void append_text(struct slice text, uint64_t observed, struct otlp_logs *logs)
{
    size_t record = otlp_log_open(logs, 0, observed);

    otlp_log_put_body(logs, text);
    pb_close(logs->out, record);
}

static void append_json(struct slice text, uint64_t observed, struct buffer *scratch, struct otlp_logs *logs)
{
    struct otlp_value value = { 0 };

    buffer_clear(scratch);
    if (json_read_value(text, scratch, NULL))
        value = otlp_value_of(buffer_slice(scratch));
    if (scratch->failed)
        logs->out->failed = true;
    else if (value.kind == OTLP_VALUE_MAP)
        append_map(value.bytes, observed, logs);
    else
        append_text(text, observed, logs);
}

static void append_pairs(const struct lumberjack_frame *frame, uint64_t observed, struct otlp_logs *logs)
{
    struct cursor cursor = { .bytes = frame->body, .limit = frame->body.size, .read = LUMBERJACK_WHOLE };
    size_t record = otlp_log_open(logs, 0, observed);
    struct slice key, value;

    for (uint32_t i = 0; i < frame->pairs; i++) {
        key = take_text(&cursor);
        value = take_text(&cursor);
        if (slice_equal_string(key, "line") || slice_equal_string(key, "message"))
            otlp_log_put_body(logs, value);
        else
            otlp_log_put_attribute(logs, key, value);
    }
    pb_close(logs->out, record);
}

bool lumberjack_append_event(const struct lumberjack_frame *frame, uint64_t observed, struct buffer *scratch, struct otlp_logs *logs)
{
    if (frame->kind == LUMBERJACK_JSON)
        append_json(frame->body, observed, scratch, logs);
    else
        append_pairs(frame, observed, logs);
    return !logs->out->failed;
}
