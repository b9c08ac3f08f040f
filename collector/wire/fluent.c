/* The forward protocol's messages. Each is looked at twice: once for its parts, once for its records. No state, no allocation but the buffers'. */
#include "collector/wire/fluent.h"

#include "collector/base/clock.h"

enum { EVENT_TIME = 0, EVENT_TIME_SIZE = 8 };

static bool is_text(const struct msgpack_item *item)
{
    return item->kind == MSGPACK_STRING || item->kind == MSGPACK_BINARY;
}

static bool read_text(struct msgpack_reader *reader, struct slice *out)
{
    struct msgpack_item item;

    if (!msgpack_next(reader, &item) || !is_text(&item))
        return false;
    *out = item.bytes;
    return true;
}

static bool read_array(struct msgpack_reader *reader, uint32_t *count)
{
    struct msgpack_item item;

    if (!msgpack_next(reader, &item) || item.kind != MSGPACK_ARRAY)
        return false;
    *count = item.count;
    return true;
}

/* ---- a message's parts ---- */

static enum fluent_compression compression_of(struct slice name)
{
    if (slice_equal_string(name, "gzip"))
        return FLUENT_GZIP;
    if (slice_equal_string(name, "zstd"))
        return FLUENT_ZSTD;
    return name.size == 0 || slice_equal_string(name, "text") ? FLUENT_PLAIN : FLUENT_UNKNOWN_COMPRESSION;
}

static bool read_option(struct msgpack_reader *reader, struct fluent_message *message)
{
    struct msgpack_reader value;
    struct msgpack_item item;
    struct slice key;

    if (!read_text(reader, &key))
        return false;
    value = *reader;
    if (!msgpack_skip(reader))
        return false;
    if (!msgpack_next(&value, &item) || !is_text(&item))
        return true;
    if (slice_equal_string(key, "chunk") && item.bytes.size > 0)
        message->chunk = item.bytes;
    else if (slice_equal_string(key, "compressed"))
        message->compression = compression_of(item.bytes);
    return true;
}

/* A map; some clients send nil for none. */
static bool read_options(struct msgpack_reader *reader, struct fluent_message *message)
{
    struct msgpack_item item;

    if (!msgpack_next(reader, &item) || (item.kind != MSGPACK_MAP && item.kind != MSGPACK_NIL))
        return false;
    for (uint32_t i = 0; item.kind == MSGPACK_MAP && i < item.count; i++)
        if (!read_option(reader, message))
            return false;
    return true;
}

static bool read_packed(struct msgpack_reader *reader, struct fluent_message *message)
{
    message->mode = FLUENT_PACKED;
    return read_text(reader, &message->entries);
}

static bool read_forward(struct msgpack_reader *reader, struct fluent_message *message)
{
    const uint8_t *start;

    message->mode = FLUENT_FORWARD;
    if (!read_array(reader, &message->entry_count))
        return false;
    start = reader->at;
    for (uint32_t i = 0; i < message->entry_count; i++)
        if (!msgpack_skip(reader))
            return false;
    message->entries = slice_of(start, (size_t)(reader->at - start));
    return true;
}

static bool read_plain(struct msgpack_reader *reader, struct fluent_message *message)
{
    const uint8_t *start = reader->at;

    message->mode = FLUENT_MESSAGE;
    for (int part = 0; part < 2; part++) /* time and record */
        if (!msgpack_skip(reader))
            return false;
    message->entries = slice_of(start, (size_t)(reader->at - start));
    return true;
}

bool fluent_read_message(struct slice bytes, struct fluent_message *message)
{
    struct msgpack_reader reader = msgpack_reader_of(bytes), peek;
    struct msgpack_item second;
    uint32_t count, without_options;
    bool read;

    *message = (struct fluent_message){ 0 };
    if (!read_array(&reader, &count) || count < 2 || !read_text(&reader, &message->tag))
        return false;
    peek = reader;
    if (!msgpack_next(&peek, &second))
        return false;
    if (second.kind == MSGPACK_ARRAY)
        read = read_forward(&reader, message);
    else
        read = is_text(&second) ? read_packed(&reader, message) : read_plain(&reader, message);
    without_options = message->mode == FLUENT_MESSAGE ? 3 : 2;
    if (!read || count < without_options || count > without_options + 1)
        return false;
    return (count == without_options || read_options(&reader, message)) && reader.at == reader.end;
}

/* ---- records ---- */

static uint64_t from_seconds(int64_t seconds)
{
    return seconds > 0 && seconds < INT64_MAX / NANOS_PER_SECOND ? (uint64_t)(seconds * NANOS_PER_SECOND) : 0;
}

static uint64_t big_endian_32(const uint8_t *at)
{
    return (uint64_t)at[0] << 24 | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 8 | at[3];
}

/* Seconds, EventTime, or either of them beside metadata, which is passed over. */
static bool read_time(struct msgpack_reader *reader, bool beside, uint64_t *out)
{
    struct msgpack_item item;

    if (!msgpack_next(reader, &item))
        return false;
    if (item.kind == MSGPACK_ARRAY && item.count == 2 && beside)
        return read_time(reader, false, out) && msgpack_skip(reader);
    *out = 0;
    if (item.kind == MSGPACK_INT)
        *out = from_seconds(item.integer);
    else if (item.kind == MSGPACK_DOUBLE && item.number > 0 && item.number < 1e10)
        *out = (uint64_t)(item.number * 1e9);
    else if (item.kind == MSGPACK_EXTENSION && item.extension == EVENT_TIME && item.bytes.size == EVENT_TIME_SIZE)
        *out = big_endian_32(item.bytes.data) * NANOS_PER_SECOND + big_endian_32(item.bytes.data + 4);
    else
        return item.kind == MSGPACK_DOUBLE || item.kind == MSGPACK_UINT;
    return true;
}

static bool append_body(struct msgpack_reader *reader, struct otlp_logs *logs)
{
    size_t body = pb_open(logs->out, OTLP_LOG_BODY);
    bool read = msgpack_read_value(reader, logs->out, &logs->repaired);

    pb_close(logs->out, body);
    return read;
}

static bool append_attribute(struct msgpack_reader *reader, struct slice key, struct otlp_logs *logs)
{
    size_t pair = pb_open(logs->out, OTLP_LOG_ATTRIBUTES), value;
    bool read;

    otlp_logs_put_text(logs, 1, key);
    value = pb_open(logs->out, 2);
    read = msgpack_read_value(reader, logs->out, &logs->repaired);
    pb_close(logs->out, value);
    pb_close(logs->out, pair);
    return read;
}

static bool append_record(struct msgpack_reader *reader, struct slice tag, struct otlp_logs *logs)
{
    struct msgpack_item item;
    struct slice key;

    if (!msgpack_next(reader, &item) || item.kind != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < item.count && !logs->out->failed; i++) {
        bool read = read_text(reader, &key);

        if (read && (slice_equal_string(key, "message") || slice_equal_string(key, "log")))
            read = append_body(reader, logs);
        else if (read)
            read = append_attribute(reader, key, logs);
        if (!read)
            return false;
    }
    otlp_log_put_attribute(logs, SLICE("fluent.tag"), tag);
    return !logs->out->failed;
}

static bool append_entry(struct msgpack_reader *reader, struct slice tag, uint64_t observed, struct otlp_logs *logs)
{
    uint64_t time;
    size_t record;
    bool read;

    if (!read_time(reader, true, &time))
        return false;
    record = otlp_log_open(logs, time, observed);
    read = append_record(reader, tag, logs);
    pb_close(logs->out, record);
    return read;
}

bool fluent_append_records(const struct fluent_message *message, struct slice entries, uint64_t observed, struct otlp_logs *logs)
{
    struct msgpack_reader reader = msgpack_reader_of(entries);
    uint32_t parts;

    if (message->mode == FLUENT_MESSAGE)
        return append_entry(&reader, message->tag, observed, logs);
    while (reader.at < reader.end)
        if (!read_array(&reader, &parts) || parts != 2 || !append_entry(&reader, message->tag, observed, logs))
            return false;
    return true;
}

/* ---- writing ---- */

static void put_text(struct buffer *out, struct slice text)
{
    uint8_t head[5] = { 0xdb, (uint8_t)(text.size >> 24), (uint8_t)(text.size >> 16), (uint8_t)(text.size >> 8), (uint8_t)text.size };

    if (text.size < 32)
        buffer_append_byte(out, (uint8_t)(0xa0 | text.size));
    else
        buffer_append(out, head, sizeof(head));
    buffer_append_slice(out, text);
}

void fluent_append_ack(struct slice chunk, struct buffer *out)
{
    buffer_append_byte(out, 0x81);
    put_text(out, SLICE("ack"));
    put_text(out, chunk);
}

void fluent_append_helo(struct slice nonce, struct slice auth, struct buffer *out)
{
    buffer_append_byte(out, 0x92);
    put_text(out, SLICE("HELO"));
    buffer_append_byte(out, 0x83);
    put_text(out, SLICE("nonce"));
    put_text(out, nonce);
    put_text(out, SLICE("auth"));
    put_text(out, auth);
    put_text(out, SLICE("keepalive"));
    buffer_append_byte(out, 0xc3);
}

bool fluent_read_ping(struct slice bytes, struct fluent_ping *ping)
{
    struct msgpack_reader reader = msgpack_reader_of(bytes);
    struct slice word;
    uint32_t count;

    return read_array(&reader, &count) && count == 6 && read_text(&reader, &word) && slice_equal_string(word, "PING") &&
           read_text(&reader, &ping->hostname) && read_text(&reader, &ping->salt) && read_text(&reader, &ping->digest) &&
           read_text(&reader, &ping->username) && read_text(&reader, &ping->password) && reader.at == reader.end;
}

void fluent_append_pong(const struct fluent_pong *pong, struct buffer *out)
{
    buffer_append_byte(out, 0x95);
    put_text(out, SLICE("PONG"));
    buffer_append_byte(out, pong->passed ? 0xc3 : 0xc2);
    put_text(out, pong->reason);
    put_text(out, pong->hostname);
    put_text(out, pong->digest);
}
