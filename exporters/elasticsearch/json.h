/*
 * JSON as Elasticsearch's documents want it: doubles with a radix point, so that a field is not taken for a long because its
 * first value was whole; bytes in hex; NaN and the infinities as null; each key of an object once, since the server
 * refuses documents with a key that is there twice (the first one counts).
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_JSON_H
#define WEIR_EXPORTERS_ELASTICSEARCH_JSON_H

#include "collector/base/buffer.h"
#include "collector/wire/otlp.h"

/* Appends a literal; for what is known at compile time. */
#define ELASTIC_PUT(out, literal) buffer_append(out, literal, sizeof(literal) - 1)

/* An object or array that is being written: every member ends with a comma, the last one is turned into the bracket. */
static inline void elastic_json_close(struct buffer *out, char bracket)
{
    if (out->size > 0 && !out->failed && out->data[out->size - 1] == ',')
        out->data[out->size - 1] = (uint8_t)bracket;
    else
        buffer_append_byte(out, (uint8_t)bracket);
}

/* "key": */
void elastic_json_key(struct slice key, struct buffer *out);

void elastic_json_integer(int64_t value, struct buffer *out);
void elastic_json_unsigned(uint64_t value, struct buffer *out);
void elastic_json_double(double value, struct buffer *out);
/* In quotes: lower-case hex. */
void elastic_json_hex(struct slice bytes, struct buffer *out);
/* In quotes: milliseconds since 1970 and, behind a point, the nanoseconds that are left: "1721314113467.654123". */
void elastic_json_epoch(uint64_t nanos, struct buffer *out);
/* In quotes: "2024-03-12T20:00:41.123456789Z" */
void elastic_json_time(uint64_t nanos, struct buffer *out);

/* Any value; a map is an object. `key_value_list` is the content of a KeyValueList. */
void elastic_json_value(const struct otlp_value *value, struct buffer *out);
void elastic_json_map(struct slice key_value_list, struct buffer *out);
/* A value as the text that it would be outside of JSON: a string as it stands, everything else as its JSON. */
void elastic_text_of(const struct otlp_value *value, struct buffer *out);

/* ---- attributes, decoded once for all who look at them ---- */

struct elastic_attributes {
    struct otlp_attribute *items; /* owned */
    size_t count, capacity;
    bool reserved; /* a key begins with "data_stream." or "elastic" */
    bool failed;   /* memory is out */
};

/* Replaces the content; a key that was there before is left out. The slices borrow from `message`. */
void elastic_attributes_read(struct elastic_attributes *attributes, struct slice message, enum otlp_attributes_field field);
void elastic_attributes_fini(struct elastic_attributes *attributes);
/* NULL when there is none of that key. */
const struct otlp_value *elastic_attributes_find(const struct elastic_attributes *attributes, struct slice key);

#endif
