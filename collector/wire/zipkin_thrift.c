/*
 * Zipkin's Thrift of version 1 (zipkinCore.thrift, a list of Span in TBinaryProtocol), read: each span becomes the protobuf that JSON's
 * spans of version 1 become too (zipkin_span.h), and is mapped from there.
 *
 * Limits: lengths and counts are held against the bytes that are left; values nested deeper than MAX_DEPTH are refused.
 * Cost: one copy of a span beside the mapping. Threads: none of its own; no state.
 */
#include <arpa/inet.h>

#include "collector/wire/zipkin_span.h"

enum { MAX_DEPTH = 16, MIN_ELEMENT = 1 };

enum type {
    TYPE_STOP = 0,
    TYPE_BOOL = 2,
    TYPE_BYTE = 3,
    TYPE_DOUBLE = 4,
    TYPE_I16 = 6,
    TYPE_I32 = 8,
    TYPE_I64 = 10,
    TYPE_STRING = 11,
    TYPE_STRUCT = 12,
    TYPE_MAP = 13,
    TYPE_SET = 14,
    TYPE_LIST = 15,
};

struct thrift {
    const uint8_t *at, *end;
    const char *problem; /* sticky; static */
    struct buffer *out;  /* the span at hand, as protobuf */
};

struct field {
    enum type type;
    int16_t id;
};

static bool fault(struct thrift *thrift, const char *problem)
{
    if (thrift->problem == NULL)
        thrift->problem = problem;
    thrift->at = thrift->end;
    return false;
}

/* ---- TBinaryProtocol: numbers are big endian ---- */

static uint64_t read_number(struct thrift *thrift, size_t size)
{
    uint64_t value = 0;

    if ((size_t)(thrift->end - thrift->at) < size) {
        fault(thrift, "cut off");
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value = value << 8 | thrift->at[i];
    thrift->at += size;
    return value;
}

static struct slice read_bytes(struct thrift *thrift)
{
    uint64_t size = read_number(thrift, 4);
    struct slice bytes = { thrift->at, (size_t)size };

    if (size > (size_t)(thrift->end - thrift->at)) {
        fault(thrift, "a string that is longer than the message");
        return slice_of(thrift->at, 0);
    }
    thrift->at += size;
    return bytes;
}

/* The header of a list or set; of what: *element. */
static uint32_t read_list(struct thrift *thrift, enum type *element)
{
    uint64_t count;

    *element = (enum type)read_number(thrift, 1);
    count = read_number(thrift, 4);
    if (count <= (size_t)(thrift->end - thrift->at) / MIN_ELEMENT)
        return (uint32_t)count;
    fault(thrift, "a list that is longer than the message");
    return 0;
}

/* False at the end of the struct, and behind a fault. */
static bool next_field(struct thrift *thrift, struct field *field)
{
    field->type = (enum type)read_number(thrift, 1);
    if (field->type == TYPE_STOP)
        return false;
    field->id = (int16_t)read_number(thrift, 2);
    return thrift->problem == NULL;
}

static void skip(struct thrift *thrift, enum type type, unsigned depth);

static void skip_elements(struct thrift *thrift, const enum type types[2], size_t count, unsigned depth)
{
    for (; count > 0 && thrift->problem == NULL; count--)
        for (int i = 0; i < 2 && types[i] != TYPE_STOP; i++)
            skip(thrift, types[i], depth);
}

static void skip_nested(struct thrift *thrift, enum type type, unsigned depth)
{
    enum type types[2] = { TYPE_STOP, TYPE_STOP };
    struct field field;
    uint32_t count;

    if (depth == MAX_DEPTH) {
        fault(thrift, "nested too deep");
    } else if (type == TYPE_STRUCT) {
        while (next_field(thrift, &field))
            skip(thrift, field.type, depth + 1);
    } else {
        if (type == TYPE_MAP)
            types[0] = (enum type)read_number(thrift, 1);
        count = read_list(thrift, &types[type == TYPE_MAP]);
        skip_elements(thrift, types, count, depth + 1);
    }
}

/* Passes over one value. */
static void skip(struct thrift *thrift, enum type type, unsigned depth)
{
    switch (type) {
    case TYPE_BOOL:
    case TYPE_BYTE:
        read_number(thrift, 1);
        return;
    case TYPE_I16:
        read_number(thrift, 2);
        return;
    case TYPE_I32:
        read_number(thrift, 4);
        return;
    case TYPE_I64:
    case TYPE_DOUBLE:
        read_number(thrift, 8);
        return;
    case TYPE_STRING:
        read_bytes(thrift);
        return;
    case TYPE_STRUCT:
    case TYPE_MAP:
    case TYPE_SET:
    case TYPE_LIST:
        skip_nested(thrift, type, depth);
        return;
    case TYPE_STOP:
        break;
    }
    fault(thrift, "a type that does not exist");
}

/* ---- Zipkin's structs ---- */

static bool is_field(const struct field *field, int16_t id, enum type type)
{
    return field->id == id && field->type == type;
}

static void put_address(struct thrift *thrift, uint32_t number, struct slice address)
{
    char text[ZIPKIN_ADDRESS_SIZE];
    struct slice written = zipkin_address_text(address, text);

    if (written.size > 0)
        pb_put_bytes(thrift->out, number, written);
}

static void read_endpoint(struct thrift *thrift, uint32_t number)
{
    size_t mark = pb_open(thrift->out, number);
    struct field field;
    uint32_t ipv4;

    while (next_field(thrift, &field)) {
        if (is_field(&field, 1, TYPE_I32)) {
            ipv4 = htonl((uint32_t)read_number(thrift, 4));
            if (ipv4 != 0)
                put_address(thrift, ZIPKIN_ENDPOINT_IPV4, slice_of(&ipv4, sizeof(ipv4)));
        } else if (is_field(&field, 2, TYPE_I16)) {
            pb_put_varint(thrift->out, ZIPKIN_ENDPOINT_PORT, (uint16_t)read_number(thrift, 2));
        } else if (is_field(&field, 3, TYPE_STRING)) {
            pb_put_bytes(thrift->out, ZIPKIN_ENDPOINT_SERVICE, read_bytes(thrift));
        } else if (is_field(&field, 4, TYPE_STRING)) {
            put_address(thrift, ZIPKIN_ENDPOINT_IPV6, read_bytes(thrift));
        } else {
            skip(thrift, field.type, 0);
        }
    }
    pb_close(thrift->out, mark);
}

static void read_annotation(struct thrift *thrift, uint32_t number)
{
    size_t mark = pb_open(thrift->out, number);
    struct field field;

    while (next_field(thrift, &field)) {
        if (is_field(&field, 1, TYPE_I64))
            pb_put_fixed64(thrift->out, ZIPKIN_ANNOTATION_TIMESTAMP, read_number(thrift, 8));
        else if (is_field(&field, 2, TYPE_STRING))
            pb_put_bytes(thrift->out, ZIPKIN_ANNOTATION_VALUE, read_bytes(thrift));
        else if (is_field(&field, 3, TYPE_STRUCT))
            read_endpoint(thrift, ZIPKIN_ANNOTATION_HOST);
        else
            skip(thrift, field.type, 0);
    }
    pb_close(thrift->out, mark);
}

static void read_binary_annotation(struct thrift *thrift, uint32_t number)
{
    size_t mark = pb_open(thrift->out, number);
    struct field field;

    while (next_field(thrift, &field)) {
        if (is_field(&field, 1, TYPE_STRING))
            pb_put_bytes(thrift->out, ZIPKIN_TAG_KEY, read_bytes(thrift));
        else if (is_field(&field, 2, TYPE_STRING))
            pb_put_bytes(thrift->out, ZIPKIN_TAG_VALUE, read_bytes(thrift));
        else if (is_field(&field, 3, TYPE_I32))
            pb_put_varint(thrift->out, ZIPKIN_TAG_TYPE, read_number(thrift, 4));
        else if (is_field(&field, 4, TYPE_STRUCT))
            read_endpoint(thrift, ZIPKIN_TAG_HOST);
        else
            skip(thrift, field.type, 0);
    }
    pb_close(thrift->out, mark);
}

static void read_structs(struct thrift *thrift, uint32_t number, void (*read)(struct thrift *, uint32_t))
{
    enum type element;
    uint32_t count = read_list(thrift, &element);

    if (count > 0 && element != TYPE_STRUCT)
        fault(thrift, "a list of something else than structs");
    for (; count > 0 && thrift->problem == NULL; count--)
        read(thrift, number);
}

static void put_id(struct thrift *thrift, uint32_t number, uint64_t high, uint64_t low)
{
    uint64_t id[2] = { __builtin_bswap64(high), __builtin_bswap64(low) };

    if (number == ZIPKIN_SPAN_TRACE_ID)
        pb_put_bytes(thrift->out, number, slice_of(id, 16));
    else
        pb_put_bytes(thrift->out, number, slice_of(&id[1], 8));
}

/* Fields of Span by their ids; the trace id is in two of them. */
static void read_span_field(struct thrift *thrift, const struct field *field, uint64_t trace_id[2])
{
    if (is_field(field, 1, TYPE_I64))
        trace_id[1] = read_number(thrift, 8);
    else if (is_field(field, 12, TYPE_I64))
        trace_id[0] = read_number(thrift, 8);
    else if (is_field(field, 3, TYPE_STRING))
        pb_put_bytes(thrift->out, ZIPKIN_SPAN_NAME, read_bytes(thrift));
    else if (is_field(field, 4, TYPE_I64))
        put_id(thrift, ZIPKIN_SPAN_ID, 0, read_number(thrift, 8));
    else if (is_field(field, 5, TYPE_I64))
        put_id(thrift, ZIPKIN_SPAN_PARENT_ID, 0, read_number(thrift, 8));
    else if (is_field(field, 6, TYPE_LIST))
        read_structs(thrift, ZIPKIN_SPAN_ANNOTATION, read_annotation);
    else if (is_field(field, 8, TYPE_LIST))
        read_structs(thrift, ZIPKIN_SPAN_BINARY_ANNOTATION, read_binary_annotation);
    else if (is_field(field, 10, TYPE_I64))
        pb_put_fixed64(thrift->out, ZIPKIN_SPAN_TIMESTAMP, read_number(thrift, 8));
    else if (is_field(field, 11, TYPE_I64))
        pb_put_varint(thrift->out, ZIPKIN_SPAN_DURATION, read_number(thrift, 8));
    else
        skip(thrift, field->type, 0);
}

static bool read_span(struct thrift *thrift, struct zipkin_mapper *mapper)
{
    uint64_t trace_id[2] = { 0, 0 };
    struct field field;

    buffer_clear(thrift->out);
    while (next_field(thrift, &field))
        read_span_field(thrift, &field, trace_id);
    put_id(thrift, ZIPKIN_SPAN_TRACE_ID, trace_id[0], trace_id[1]);
    if (thrift->problem != NULL || thrift->out->failed)
        return false;
    return zipkin_map_v1_span(mapper, buffer_slice(thrift->out));
}

bool zipkin_read_thrift(struct zipkin_mapper *mapper, struct slice message)
{
    struct buffer span = { 0 };
    struct thrift thrift = { .at = message.data, .end = message.data + message.size, .out = &span };
    enum type element;
    uint32_t count = read_list(&thrift, &element);
    bool read = true;

    if (thrift.problem == NULL && element != TYPE_STRUCT)
        fault(&thrift, "expected a list of structs");
    for (; read && count > 0 && thrift.problem == NULL; count--) {
        mapper->reading->offset = (size_t)(thrift.at - message.data);
        read = read_span(&thrift, mapper);
    }
    if (thrift.problem == NULL && read && thrift.at != thrift.end)
        fault(&thrift, "there is something behind the list of spans");
    if (thrift.problem != NULL)
        read = zipkin_fault(mapper->reading, thrift.problem);
    mapper->out->failed |= span.failed;
    buffer_fini(&span);
    return read;
}
