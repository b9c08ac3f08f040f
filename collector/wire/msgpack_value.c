/* MessagePack values as AnyValues. Recursion is bounded by OTLP_MAX_DEPTH; the output by the buffer's limit. */
#include "collector/wire/msgpack.h"
#include "collector/wire/otlp.h"
#include "collector/wire/utf8.h"

struct writing {
    struct msgpack_reader *reader;
    struct buffer *out;
    size_t repaired;
};

static bool write_value(struct writing *writing, int depth);

static void put_text(struct writing *writing, uint32_t number, struct slice text)
{
    size_t mark;

    if (utf8_is_valid(text)) {
        pb_put_bytes(writing->out, number, text);
        return;
    }
    writing->repaired++;
    mark = pb_open(writing->out, number);
    utf8_append_repaired(writing->out, text);
    pb_close(writing->out, mark);
}

static bool write_array(struct writing *writing, uint32_t count, int depth)
{
    size_t array = pb_open(writing->out, OTLP_VALUE_ARRAY);

    for (uint32_t i = 0; i < count && !writing->out->failed; i++) {
        size_t value = pb_open(writing->out, 1);

        if (!write_value(writing, depth + 1))
            return false;
        pb_close(writing->out, value);
    }
    pb_close(writing->out, array);
    return true;
}

static bool write_key(struct writing *writing)
{
    struct msgpack_item item;
    size_t mark;

    if (!msgpack_next(writing->reader, &item))
        return false;
    if (item.kind == MSGPACK_STRING || item.kind == MSGPACK_BINARY) {
        put_text(writing, 1, item.bytes);
        return true;
    }
    if (item.kind != MSGPACK_INT)
        return false;
    mark = pb_open(writing->out, 1);
    buffer_printf(writing->out, "%lld", (long long)item.integer);
    pb_close(writing->out, mark);
    return true;
}

static bool write_map(struct writing *writing, uint32_t count, int depth)
{
    size_t map = pb_open(writing->out, OTLP_VALUE_MAP);

    for (uint32_t i = 0; i < count && !writing->out->failed; i++) {
        size_t pair = pb_open(writing->out, OTLP_ATTRIBUTES_OF_MAP), value;

        if (!write_key(writing))
            return false;
        value = pb_open(writing->out, 2);
        if (!write_value(writing, depth + 1))
            return false;
        pb_close(writing->out, value);
        pb_close(writing->out, pair);
    }
    pb_close(writing->out, map);
    return true;
}

static bool write_value(struct writing *writing, int depth)
{
    struct msgpack_item item;

    if (depth >= OTLP_MAX_DEPTH || !msgpack_next(writing->reader, &item))
        return false;
    switch (item.kind) {
    case MSGPACK_NIL:
        return true;
    case MSGPACK_BOOL:
        pb_put_varint(writing->out, OTLP_VALUE_BOOL, (uint64_t)item.integer);
        return true;
    case MSGPACK_INT:
    case MSGPACK_UINT:
        pb_put_varint(writing->out, OTLP_VALUE_INT, (uint64_t)item.integer);
        return true;
    case MSGPACK_DOUBLE:
        pb_put_double(writing->out, OTLP_VALUE_DOUBLE, item.number);
        return true;
    case MSGPACK_STRING:
    case MSGPACK_BINARY:
        put_text(writing, OTLP_VALUE_STRING, item.bytes);
        return true;
    case MSGPACK_EXTENSION:
        pb_put_bytes(writing->out, OTLP_VALUE_BYTES, item.bytes);
        return true;
    case MSGPACK_ARRAY:
        return write_array(writing, item.count, depth);
    case MSGPACK_MAP:
        return write_map(writing, item.count, depth);
    }
    return false;
}

bool msgpack_read_value(struct msgpack_reader *reader, struct buffer *out, size_t *repaired)
{
    struct writing writing = { .reader = reader, .out = out };
    bool read = write_value(&writing, 1);

    *repaired += writing.repaired;
    return read;
}
