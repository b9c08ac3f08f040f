/*
 * The OTLP messages as one const table: every message that can be reached from the four
 * Export*ServiceRequests, with the number, both JSON spellings and the kind of each field.
 *
 * Field numbers and names: opentelemetry-proto 1.9 for traces, metrics and logs; for profiles (v1development)
 * those of 1.10, which the OpenTelemetry Collector of today speaks.
 */
#ifndef WEIR_WIRE_SCHEMA_H
#define WEIR_WIRE_SCHEMA_H

#include "collector/wire/protobuf.h"
#include "collector/wire/signal.h"

enum schema_kind {
    SCHEMA_STRING,
    SCHEMA_BYTES,
    SCHEMA_ID, /* bytes, in JSON hex: trace, span and profile ids */
    SCHEMA_MESSAGE,
    SCHEMA_BOOL,
    SCHEMA_ENUM,
    SCHEMA_INT32,
    SCHEMA_UINT32,
    SCHEMA_SINT32,
    SCHEMA_FIXED32,
    SCHEMA_INT64,
    SCHEMA_UINT64,
    SCHEMA_SINT64,
    SCHEMA_FIXED64,
    SCHEMA_SFIXED64,
    SCHEMA_DOUBLE,
};

/* Named values count from 0 without gaps. */
struct schema_enum {
    const char *name;
    const char *const *values;
    size_t count;
};

struct schema_field {
    const char *key;                      /* the JSON name as it is written: "\"traceId\":" */
    const char *snake_name;               /* "trace_id" */
    const struct schema_message *message; /* of SCHEMA_MESSAGE */
    const struct schema_enum *values;     /* of SCHEMA_ENUM */
    uint8_t key_size;                     /* with the quotes and the colon */
    uint8_t snake_size;
    uint8_t number;
    uint8_t kind;    /* enum schema_kind */
    uint8_t id_size; /* bytes of a SCHEMA_ID */
    bool repeated;
    uint8_t oneof;     /* members of one oneof share a number; 0: none */
    bool has_presence; /* in a oneof, or optional: there even when it holds the default */
};

struct schema_message {
    const char *name;                  /* "Span", "SpanEvent" */
    const struct schema_field *fields; /* in the order in which the specification declares them */
    uint8_t field_count;
    uint8_t id; /* below SCHEMA_MESSAGE_COUNT; for tables beside this one */
};

enum { SCHEMA_MESSAGE_COUNT = 48, SCHEMA_MAX_NUMBER = 16 };

/* The Export*ServiceRequest of a signal. */
const struct schema_message *schema_request(enum signal signal);

extern const struct schema_message schema_any_value;
extern const struct schema_message schema_key_value;

/* NULL when the message has no such field. The name is without quotes, in either spelling. */
const struct schema_field *schema_field_by_number(const struct schema_message *message, uint32_t number);
const struct schema_field *schema_field_by_name(const struct schema_message *message, struct slice name);

/* "traceId" */
static inline struct slice schema_field_name(const struct schema_field *field)
{
    return (struct slice){ (const uint8_t *)field->key + 1, (size_t)field->key_size - 3 };
}

/* How one value of the field is encoded, when it is not packed. */
static inline enum pb_wire_type schema_wire_type(const struct schema_field *field)
{
    static const uint8_t types[] = {
        [SCHEMA_STRING] = PB_BYTES,
        [SCHEMA_BYTES] = PB_BYTES,
        [SCHEMA_ID] = PB_BYTES,
        [SCHEMA_MESSAGE] = PB_BYTES,
        [SCHEMA_BOOL] = PB_VARINT,
        [SCHEMA_ENUM] = PB_VARINT,
        [SCHEMA_INT32] = PB_VARINT,
        [SCHEMA_UINT32] = PB_VARINT,
        [SCHEMA_SINT32] = PB_VARINT,
        [SCHEMA_FIXED32] = PB_FIXED32,
        [SCHEMA_INT64] = PB_VARINT,
        [SCHEMA_UINT64] = PB_VARINT,
        [SCHEMA_SINT64] = PB_VARINT,
        [SCHEMA_FIXED64] = PB_FIXED64,
        [SCHEMA_SFIXED64] = PB_FIXED64,
        [SCHEMA_DOUBLE] = PB_FIXED64,
    };

    return (enum pb_wire_type)types[field->kind];
}

/* Scalars that repeat are packed: one length-delimited run (a reader takes single ones too). */
static inline bool schema_is_packed(const struct schema_field *field)
{
    return field->repeated && field->kind > SCHEMA_MESSAGE;
}

/* The number of a named value; false when there is none of that name. */
bool schema_enum_number(const struct schema_enum *values, struct slice name, int32_t *number);

#endif
