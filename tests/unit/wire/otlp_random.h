/*
 * Random OTLP requests as protobuf-c objects, for tests that need an oracle: made by walking protobuf-c's own descriptors, so
 * that every field of every message occurs, and is sometimes absent. The same seed gives the same request; all memory is the
 * arena's. Only what a strict receiver takes: ids of their lengths, UTF-8 strings.
 */
#ifndef WEIR_TESTS_OTLP_RANDOM_H
#define WEIR_TESTS_OTLP_RANDOM_H

#include "collector/base/arena.h"
#include "collector/base/buffer.h"
#include "collector/wire/signal.h"
#include "logs_service.pb-c.h"
#include "metrics_service.pb-c.h"
#include "profiles_service.pb-c.h"
#include "trace_service.pb-c.h"

struct random_otlp {
    uint64_t state;
    struct arena arena;
    size_t max_children; /* of each repeated message: fewer than this */
    bool with_unknown;   /* unknown fields here and there */
    unsigned depth;      /* AnyValues that are open */
};

enum { RANDOM_DEPTH = 4, RANDOM_ATTRIBUTES = 9 };

static inline uint64_t random_bits(struct random_otlp *random)
{
    uint64_t x = random->state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline size_t random_below(struct random_otlp *random, size_t limit)
{
    return (size_t)(random_bits(random) % limit);
}

static inline bool random_chance(struct random_otlp *random, unsigned percent)
{
    return random_below(random, 100) < percent;
}

static inline char *random_text(struct random_otlp *random)
{
    static const char *const fixed[] = { "", "service.name", "GET", "größer", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "\xf0\x9f\x98\x80" };

    if (random_chance(random, 50))
        return arena_string(&random->arena, slice_of_string(fixed[random_below(random, 6)]));
    size_t size = random_chance(random, 10) ? random_below(random, 400) : random_below(random, 40);
    char *text = arena_alloc(&random->arena, size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(' ' + random_below(random, 95));
    return text;
}

static inline size_t random_bytes_size(struct random_otlp *random, const char *name)
{
    if (strcmp(name, "trace_id") == 0 || strcmp(name, "profile_id") == 0)
        return 16;
    return strstr(name, "span_id") != NULL ? 8 : random_below(random, 20);
}

static inline ProtobufCBinaryData random_bytes(struct random_otlp *random, const char *name)
{
    size_t size = random_bytes_size(random, name);
    ProtobufCBinaryData bytes = { size, arena_alloc(&random->arena, size + 1) };

    for (size_t i = 0; i < size; i++)
        bytes.data[i] = (uint8_t)random_bits(random);
    return bytes;
}

static inline void random_unknown(struct random_otlp *random, ProtobufCMessage *message)
{
    static uint8_t varint[] = { 0x96, 0x01 }, fixed64[8] = { 1, 2, 3 }, text[] = { 3, 'x', 0xff, 'z' }, fixed32[4] = { 9 };
    static const ProtobufCMessageUnknownField kinds[] = {
        { 100, PROTOBUF_C_WIRE_TYPE_VARINT, sizeof(varint), varint },
        { 17, PROTOBUF_C_WIRE_TYPE_64BIT, sizeof(fixed64), fixed64 },
        { 5000, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof(text), text },
        { 19, PROTOBUF_C_WIRE_TYPE_32BIT, sizeof(fixed32), fixed32 },
    };

    message->n_unknown_fields = 1;
    message->unknown_fields = arena_alloc(&random->arena, sizeof(kinds[0]));
    message->unknown_fields[0] = kinds[random_below(random, 4)];
}

static inline ProtobufCMessage *random_message(struct random_otlp *random, const ProtobufCMessageDescriptor *descriptor);

static inline size_t random_value_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 4;
    }
}

/* Writes one value of the field's type at `out`. */
static inline void random_value(struct random_otlp *random, const ProtobufCFieldDescriptor *field, void *out)
{
    uint64_t number = random_bits(random) >> random_below(random, 64);
    double real = (double)(int64_t)random_bits(random) / 1e9;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)out = random_text(random);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)out = random_message(random, field->descriptor);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)out = random_bytes(random, field->name);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        number &= 1;
        memcpy(out, &number, 4);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        number %= ((const ProtobufCEnumDescriptor *)field->descriptor)->n_values;
        memcpy(out, &number, 4);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(out, &real, 8);
        break;
    default:
        memcpy(out, &number, random_value_size(field));
    }
}

static inline void random_repeated(struct random_otlp *random, const ProtobufCFieldDescriptor *field, char *message)
{
    bool is_attribute = field->descriptor == &opentelemetry__proto__common__v1__key_value__descriptor;
    size_t limit = is_attribute && random->depth == 0 ? RANDOM_ATTRIBUTES : random->max_children;
    size_t count = random_below(random, limit), size = random_value_size(field);
    char *list = arena_alloc(&random->arena, (count + 1) * size);

    for (size_t i = 0; i < count; i++)
        random_value(random, field, list + i * size);
    memcpy(message + field->quantifier_offset, &count, sizeof(count));
    memcpy(message + field->offset, &list, sizeof(list));
}

/* Each member of a oneof, and none, with the same chance. */
static inline bool random_takes_oneof(struct random_otlp *random, const ProtobufCMessageDescriptor *descriptor, unsigned index)
{
    size_t before = 0;

    for (unsigned i = 0; i < index; i++)
        before += descriptor->fields[i].quantifier_offset == descriptor->fields[index].quantifier_offset;
    return random_below(random, before + 2) == 0;
}

static inline void random_field(struct random_otlp *random, const ProtobufCMessageDescriptor *descriptor, unsigned index, char *message)
{
    const ProtobufCFieldDescriptor *field = &descriptor->fields[index];
    bool is_any = descriptor == &opentelemetry__proto__common__v1__any_value__descriptor;

    if (is_any && field->type == PROTOBUF_C_TYPE_MESSAGE && random->depth >= RANDOM_DEPTH)
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        random_repeated(random, field, message);
    } else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        if (!random_takes_oneof(random, descriptor, index))
            return;
        memcpy(message + field->quantifier_offset, &field->id, sizeof(field->id));
        random_value(random, field, message + field->offset);
    } else if (random_chance(random, 70)) {
        random_value(random, field, message + field->offset);
    }
}

static inline ProtobufCMessage *random_message(struct random_otlp *random, const ProtobufCMessageDescriptor *descriptor)
{
    bool is_any = descriptor == &opentelemetry__proto__common__v1__any_value__descriptor;
    ProtobufCMessage *message = arena_alloc(&random->arena, descriptor->sizeof_message);

    protobuf_c_message_init(descriptor, message);
    random->depth += is_any;
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        random_field(random, descriptor, i, (char *)message);
    random->depth -= is_any;
    if (random->with_unknown && random_chance(random, 15))
        random_unknown(random, message);
    return message;
}

static inline const ProtobufCMessageDescriptor *request_descriptor(enum signal signal)
{
    static const ProtobufCMessageDescriptor *const descriptors[SIGNAL_COUNT] = {
        [SIGNAL_TRACES] = &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
        [SIGNAL_METRICS] = &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
        [SIGNAL_LOGS] = &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
        [SIGNAL_PROFILES] = &opentelemetry__proto__collector__profiles__v1development__export_profiles_service_request__descriptor,
    };

    return descriptors[signal];
}

/* Appends the packed message, and returns it. */
static inline struct slice pack_message(const ProtobufCMessage *message, struct buffer *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);

    if (!buffer_reserve(out, size + 1))
        return (struct slice){ NULL, 0 };
    out->size += protobuf_c_message_pack(message, out->data + out->size);
    return (struct slice){ out->data + out->size - size, size };
}

/* Appends a random packed request of the signal. */
static inline struct slice random_payload(struct random_otlp *random, enum signal signal, struct buffer *out)
{
    return pack_message(random_message(random, request_descriptor(signal)), out);
}

/* The caller frees it with protobuf_c_message_free_unpacked; NULL when it cannot be unpacked. */
static inline ProtobufCMessage *unpack_request(enum signal signal, struct slice payload)
{
    return protobuf_c_message_unpack(request_descriptor(signal), NULL, payload.size, payload.data);
}

#endif
