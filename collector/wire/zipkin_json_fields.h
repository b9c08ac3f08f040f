/*
 * JSON objects and lists of known shape, for Zipkin's formats: a table of members instead of a tree. White space, unknown members and
 * nulls are passed over. Internal to collector/wire.
 */
#ifndef WEIR_WIRE_ZIPKIN_JSON_FIELDS_H
#define WEIR_WIRE_ZIPKIN_JSON_FIELDS_H

#include "collector/wire/json_text.h"
#include "collector/wire/zipkin_span.h"

struct zipkin_json {
    struct json_text text;
    const uint8_t *start; /* of the message */
    struct zipkin_mapper *mapper;
    struct buffer *out; /* the span at hand, as protobuf */
    struct buffer scratch;
    const char *member; /* of the span, for messages */
};

struct zipkin_json_member {
    const char *name;
    /* `at` is on the value, which is not null; moves behind it. */
    bool (*read)(struct zipkin_json *json, uint32_t number);
    uint32_t number; /* of the field that it becomes */
};

/* The members end with a zeroed one. */
bool zipkin_json_object(struct zipkin_json *json, const struct zipkin_json_member *members);
/* Elements that are null are passed over. */
bool zipkin_json_list(struct zipkin_json *json, uint32_t number, bool (*read)(struct zipkin_json *json, uint32_t number));

/* Values as fields: a text as bytes, also of a number or boolean; an id of up to 16 and 32 digits; microseconds; and so on. */
bool zipkin_json_text(struct zipkin_json *json, uint32_t number);
bool zipkin_json_trace_id(struct zipkin_json *json, uint32_t number);
bool zipkin_json_span_id(struct zipkin_json *json, uint32_t number);
bool zipkin_json_fixed(struct zipkin_json *json, uint32_t number);
bool zipkin_json_varint(struct zipkin_json *json, uint32_t number);
/* A number of a port, passed over when it is none. */
bool zipkin_json_port(struct zipkin_json *json, uint32_t number);
/* The text of a string value, valid until the next. */
bool zipkin_json_string(struct zipkin_json *json, struct slice *text);

/* A whole message: a list of spans, each given to `map` when its members are read. */
struct zipkin_json_format {
    const struct zipkin_json_member *members;
    bool (*map)(struct zipkin_mapper *mapper, struct slice span);
};
bool zipkin_json_message(struct zipkin_mapper *mapper, struct slice message, const struct zipkin_json_format *format);

#endif
