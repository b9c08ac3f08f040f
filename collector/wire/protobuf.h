/*
 * Protobuf wire format, both directions, nothing above it: no schema, no allocation but the buffer's.
 *
 * Reader: sticky failure, checked once. Writer: appends to a struct buffer, whose `failed` sticks.
 * Nested messages are opened and closed around their fields; lengths come out minimal.
 * I/O-free. Implements https://protobuf.dev/programming-guides/encoding (groups are refused).
 */
#ifndef WEIR_WIRE_PROTOBUF_H
#define WEIR_WIRE_PROTOBUF_H

#include "collector/base/buffer.h"
#include "collector/base/slice.h"

enum pb_wire_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed; /* truncated, over-long varint, group, field number 0 or above 2^29-1 */
};

struct pb_field {
    uint32_t number;
    enum pb_wire_type type;
    uint64_t scalar;    /* varint and fixed values, zero-extended; 0 for PB_BYTES */
    struct slice bytes; /* PB_BYTES: the content; empty for scalars */
    struct slice raw;   /* tag, length and content: what to copy to keep the field as it is */
};

static inline struct pb_reader pb_reader_of(struct slice bytes)
{
    const uint8_t *end = bytes.size > 0 ? bytes.data + bytes.size : bytes.data; /* data may be NULL */

    return (struct pb_reader){ bytes.data, end, false };
}

/* The slow path of pb_varint: two bytes and more. */
uint64_t pb_varint_long(struct pb_reader *reader);

static inline uint64_t pb_varint(struct pb_reader *reader)
{
    if (__builtin_expect(reader->at < reader->end && *reader->at < 0x80, 1))
        return *reader->at++;
    return pb_varint_long(reader);
}

/* The slow path of pb_next: any field. */
bool pb_next_any(struct pb_reader *reader, struct pb_field *field);

/* The fields that most of OTLP consists of, with a tag of one byte, and a length or varint of one byte. */
static inline bool pb_next_short(struct pb_reader *reader, struct pb_field *field)
{
    const uint8_t *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    size_t size = 2;

    if (left < 2 || at[0] < 8 || at[0] >= 0x80)
        return false;
    *field = (struct pb_field){ .number = at[0] >> 3, .type = (enum pb_wire_type)(at[0] & 7) };
    if (field->type == PB_BYTES && at[1] < 0x80 && at[1] <= left - 2) {
        field->bytes = (struct slice){ at + 2, at[1] };
        size += at[1];
    } else if (field->type == PB_VARINT && at[1] < 0x80) {
        field->scalar = at[1];
    } else if (field->type == PB_FIXED64 && left >= 9) {
        memcpy(&field->scalar, at + 1, sizeof(field->scalar));
        size = 9;
    } else {
        return false;
    }
    field->raw = (struct slice){ at, size };
    reader->at = at + size;
    return true;
}

/* For those who pass fields over: the size of one as above, which begins at `at`; 0: it is another one, ask pb_next. */
static inline size_t pb_short_size(const uint8_t *at, size_t left)
{
    size_t size = 0;

    if (left < 2 || at[0] < 8 || at[0] >= 0x80)
        return 0;
    if ((at[0] & 7) == PB_BYTES && at[1] < 0x80)
        size = 2u + at[1];
    else if ((at[0] & 7) == PB_FIXED64)
        size = 9;
    else if ((at[0] & 7) == PB_VARINT && at[1] < 0x80)
        size = 2;
    return size <= left ? size : 0;
}

/* The same for a length-delimited field with a tag of one byte and a length of at most two, which `*head` counts with the tag. */
static inline size_t pb_message_size(const uint8_t *at, size_t left, size_t *head)
{
    size_t size = left >= 3 ? at[1] : 0x80;

    if (left < 3 || at[0] >= 0x80 || (at[0] & 7) != PB_BYTES || at[0] < 8)
        return 0;
    *head = 2;
    if (size >= 0x80) {
        if (at[2] >= 0x80)
            return 0;
        size = (size & 0x7f) | (size_t)at[2] << 7;
        *head = 3;
    }
    return size <= left - *head ? size + *head : 0;
}

/* False at the end and on failure; the caller looks at reader->failed once, after the loop. */
static inline bool pb_next(struct pb_reader *reader, struct pb_field *field)
{
    if (reader->at >= reader->end)
        return false;
    if (__builtin_expect(pb_next_short(reader, field), 1))
        return true;
    /* Copies, so that the caller's reader and field can stay in registers. */
    return pb_next_any(reader, field);
}

static inline int64_t pb_zigzag_decode(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline double pb_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint64_t pb_double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* ---- writer ---- */

static inline size_t pb_varint_size(uint64_t value)
{
    return (size_t)(9 * (63 - __builtin_clzll(value | 1)) + 73) / 64;
}

/* Writes at most 10 bytes at `out`, returns the byte behind the last. */
static inline uint8_t *pb_encode_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static inline void pb_put_raw_varint(struct buffer *out, uint64_t value)
{
    if (!buffer_reserve(out, 10))
        return;
    out->size = (size_t)(pb_encode_varint(out->data + out->size, value) - out->data);
}

static inline void pb_put_tag(struct buffer *out, uint32_t number, enum pb_wire_type type)
{
    pb_put_raw_varint(out, (uint64_t)number << 3 | (uint64_t)type);
}

/* Scalars are written even when zero; proto3 callers leave default values out themselves. */
static inline void pb_put_varint(struct buffer *out, uint32_t number, uint64_t value)
{
    pb_put_tag(out, number, PB_VARINT);
    pb_put_raw_varint(out, value);
}

static inline void pb_put_fixed64(struct buffer *out, uint32_t number, uint64_t value)
{
    pb_put_tag(out, number, PB_FIXED64);
    buffer_append(out, &value, sizeof(value)); /* little endian hosts only; asserted at build time in protobuf.c */
}

static inline void pb_put_fixed32(struct buffer *out, uint32_t number, uint32_t value)
{
    pb_put_tag(out, number, PB_FIXED32);
    buffer_append(out, &value, sizeof(value));
}

static inline void pb_put_double(struct buffer *out, uint32_t number, double value)
{
    pb_put_fixed64(out, number, pb_double_bits(value));
}

static inline void pb_put_bytes(struct buffer *out, uint32_t number, struct slice bytes)
{
    pb_put_tag(out, number, PB_BYTES);
    pb_put_raw_varint(out, bytes.size);
    buffer_append_slice(out, bytes);
}

/* Opens a nested message; everything appended until pb_close with the returned mark is its content. */
size_t pb_open(struct buffer *out, uint32_t number);
void pb_close(struct buffer *out, size_t mark);

#endif
