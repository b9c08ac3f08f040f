/*
 * The parts of the protobuf reader and writer that are too long to be inlined.
 *
 * Cost: a field is a few nanoseconds. pb_close moves the message's content by one to four bytes when its length needs more
 * than one byte, so a deep nest of large messages is better written with known sizes.
 * Threads: none of its own; no state.
 */
#include "collector/wire/protobuf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed-width fields are copied as the host has them");

enum { MAX_FIELD_NUMBER = (1 << 29) - 1 };

static bool fail_reader(struct pb_reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
    return false;
}

uint64_t pb_varint_long(struct pb_reader *reader)
{
    const uint8_t *at = reader->at;
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70 && at < reader->end; shift += 7) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            reader->at = at;
            return value;
        }
    }
    fail_reader(reader);
    return 0;
}

static bool read_fixed(struct pb_reader *reader, struct pb_field *field, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size)
        return fail_reader(reader);
    memcpy(&field->scalar, reader->at, size);
    reader->at += size;
    return true;
}

static bool read_bytes(struct pb_reader *reader, struct pb_field *field)
{
    uint64_t size = pb_varint(reader);

    if (size > (size_t)(reader->end - reader->at))
        return fail_reader(reader);
    field->bytes = (struct slice){ reader->at, (size_t)size };
    reader->at += size;
    return !reader->failed;
}

static bool read_value(struct pb_reader *reader, struct pb_field *field)
{
    switch (field->type) {
    case PB_VARINT:
        field->scalar = pb_varint(reader);
        return !reader->failed;
    case PB_FIXED64:
        return read_fixed(reader, field, 8);
    case PB_BYTES:
        return read_bytes(reader, field);
    case PB_FIXED32:
        return read_fixed(reader, field, 4);
    }
    return fail_reader(reader); /* groups, and the two types that do not exist */
}

bool pb_next_any(struct pb_reader *reader, struct pb_field *field)
{
    const uint8_t *start = reader->at;

    if (start >= reader->end)
        return false;
    uint64_t tag = pb_varint(reader);
    uint64_t number = tag >> 3;
    if (number == 0 || number > MAX_FIELD_NUMBER)
        return fail_reader(reader);
    field->number = (uint32_t)number;
    field->type = (enum pb_wire_type)(tag & 7);
    field->scalar = 0;
    field->bytes = (struct slice){ NULL, 0 };
    if (!read_value(reader, field))
        return false;
    field->raw = (struct slice){ start, (size_t)(reader->at - start) };
    return true;
}

size_t pb_open(struct buffer *out, uint32_t number)
{
    pb_put_tag(out, number, PB_BYTES);
    buffer_append_byte(out, 0); /* the length, while it fits */
    return out->size;
}

void pb_close(struct buffer *out, size_t mark)
{
    if (out->failed)
        return;
    size_t size = out->size - mark;
    size_t extra = pb_varint_size(size) - 1;
    if (extra > 0) {
        if (!buffer_reserve(out, extra))
            return;
        memmove(out->data + mark + extra, out->data + mark, size);
        out->size += extra;
    }
    pb_encode_varint(out->data + mark - 1, size);
}
