/* gRPC's syntax. A message costs one allocation of its exact size, after admission, and one copy. */
#include "collector/net/grpc_message.h"

#include "collector/base/clock.h"

enum { TEXT_MAX = 4096, TIMEOUT_DIGITS_MAX = 8 };

/* ---- messages ---- */

static enum grpc_framing start_message(struct grpc_reader *reader)
{
    const uint8_t *prefix = reader->prefix;

    reader->length = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
    reader->compressed = prefix[0] == 1;
    if (prefix[0] > 1)
        return GRPC_FRAMING_BAD_FLAG;
    if (reader->length > reader->limit)
        return GRPC_FRAMING_TOO_LARGE;
    if (reader->length == 0)
        return GRPC_FRAMING_WHOLE;
    if (reader->admission != NULL && !reader->admission->admit(reader->admission->context, reader->length))
        return GRPC_FRAMING_NO_MEMORY;
    reader->message = payload_create(reader->length);
    return reader->message != NULL ? GRPC_FRAMING_MORE : GRPC_FRAMING_NO_MEMORY;
}

static struct slice without(struct slice s, size_t count)
{
    return slice_of(s.data + count, s.size - count);
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum grpc_framing grpc_reader_feed(struct grpc_reader *reader, struct slice bytes)
{
    size_t count = lesser(GRPC_PREFIX_SIZE - reader->prefix_size, bytes.size);

    if (count > 0) {
        enum grpc_framing started;

        memcpy(reader->prefix + reader->prefix_size, bytes.data, count);
        reader->prefix_size += count;
        bytes = without(bytes, count);
        if (reader->prefix_size < GRPC_PREFIX_SIZE)
            return GRPC_FRAMING_MORE;
        started = start_message(reader);
        if (started > GRPC_FRAMING_WHOLE)
            return started;
    }
    if (reader->prefix_size < GRPC_PREFIX_SIZE)
        return GRPC_FRAMING_MORE;
    if (reader->message != NULL) {
        count = lesser(reader->length - reader->message->size, bytes.size);
        if (count > 0)
            memcpy(reader->message->data + reader->message->size, bytes.data, count);
        reader->message->size += count;
        bytes = without(bytes, count);
        if (reader->message->size < reader->length)
            return GRPC_FRAMING_MORE;
    }
    return bytes.size > 0 ? GRPC_FRAMING_TRAILING : GRPC_FRAMING_WHOLE;
}

void grpc_reader_fini(struct grpc_reader *reader)
{
    payload_unref(reader->message);
    reader->message = NULL;
}

void grpc_write_prefix(uint8_t out[GRPC_PREFIX_SIZE], size_t length)
{
    out[0] = 0;
    for (size_t i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(length >> (24 - 8 * i));
}

/* ---- grpc-timeout ---- */

static int64_t unit_nanos(uint8_t unit)
{
    switch (unit) {
    case 'H':
        return 3600 * NANOS_PER_SECOND;
    case 'M':
        return 60 * NANOS_PER_SECOND;
    case 'S':
        return NANOS_PER_SECOND;
    case 'm':
        return NANOS_PER_MILLI;
    case 'u':
        return 1000;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

bool grpc_parse_timeout(struct slice text, int64_t *out_ns)
{
    int64_t value = 0, unit;

    if (text.size < 2 || text.size > TIMEOUT_DIGITS_MAX + 1)
        return false;
    unit = unit_nanos(text.data[text.size - 1]);
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    if (unit == 0)
        return false;
    *out_ns = value > INT64_MAX / 2 / unit ? INT64_MAX / 2 : value * unit;
    return true;
}

/* ---- grpc-message ---- */

void grpc_encode_text(struct buffer *out, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t size = lesser(text.size, TEXT_MAX);

    for (size_t i = 0; i < size; i++) {
        uint8_t byte = text.data[i];

        if (byte >= ' ' && byte <= '~' && byte != '%') {
            buffer_append_byte(out, byte);
        } else {
            uint8_t escape[3] = { '%', (uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15] };

            buffer_append(out, escape, sizeof(escape));
        }
    }
}

/* ---- grpc-status-details-bin ---- */

static void append_varint(struct buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buffer_append_byte(out, (uint8_t)(value | 0x80));
    buffer_append_byte(out, (uint8_t)value);
}

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void append_number_field(struct buffer *out, unsigned field, int64_t value)
{
    if (value == 0)
        return;
    append_varint(out, field << 3 | WIRE_VARINT);
    append_varint(out, (uint64_t)value);
}

static void append_bytes_field(struct buffer *out, unsigned field, struct slice value)
{
    append_varint(out, field << 3 | WIRE_BYTES);
    append_varint(out, value.size);
    buffer_append_slice(out, value);
}

/* `inner` becomes the bytes of a field of a new `inner`. */
static void wrap(struct buffer *inner, struct buffer *outer, unsigned field)
{
    struct buffer swap = *inner;

    append_bytes_field(outer, field, buffer_slice(inner));
    *inner = *outer;
    *outer = swap;
    buffer_clear(outer);
}

static void append_base64(struct buffer *out, struct slice in)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < in.size; i += 3) {
        size_t left = in.size - i;
        uint32_t bits = (uint32_t)in.data[i] << 16 | (uint32_t)(left > 1 ? in.data[i + 1] : 0) << 8 | (left > 2 ? in.data[i + 2] : 0);

        for (size_t digit = 0; digit < lesser(left, 3) + 1; digit++)
            buffer_append_byte(out, (uint8_t)alphabet[bits >> (18 - 6 * digit) & 63]);
    }
}

void grpc_encode_retry_details(struct buffer *out, int status, struct slice text, int64_t delay_ns)
{
    struct buffer inner = { 0 }, outer = { 0 };

    append_number_field(&inner, 1, delay_ns / NANOS_PER_SECOND); /* google.protobuf.Duration: seconds, nanos */
    append_number_field(&inner, 2, delay_ns % NANOS_PER_SECOND);
    wrap(&inner, &outer, 1); /* RetryInfo.retry_delay */
    append_bytes_field(&outer, 1, SLICE("type.googleapis.com/google.rpc.RetryInfo"));
    wrap(&inner, &outer, 2);                /* Any.value, after its type_url */
    append_number_field(&outer, 1, status); /* google.rpc.Status: code, message, details */
    append_bytes_field(&outer, 2, slice_of(text.data, lesser(text.size, TEXT_MAX)));
    wrap(&inner, &outer, 3);
    append_base64(out, buffer_slice(&inner));
    buffer_fini(&inner);
    buffer_fini(&outer);
}
