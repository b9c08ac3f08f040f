/*
 * A document of many origins: fields with dotted names, added in any order, of which the last one of a name counts. What is written is
 * sorted, and either flat ("a.b":1) or nested ({"a":{"b":1}}). A field that is also the beginning of others' names gets
 * ".value" behind its own: Elasticsearch can't have a.b and a.b.c.
 *
 * Maps are taken apart into fields; maps inside of arrays become objects of their own, always nested.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_FIELDS_H
#define WEIR_EXPORTERS_ELASTICSEARCH_FIELDS_H

#include "exporters/elasticsearch/json.h"

enum elastic_field_kind { ELASTIC_FIELD_VALUE, ELASTIC_FIELD_TIME, ELASTIC_FIELD_HEX, ELASTIC_FIELD_JSON, ELASTIC_FIELD_DROPPED };

struct elastic_field {
    size_t key; /* where it stands among the keys */
    uint32_t key_size, order;
    enum elastic_field_kind kind;
    struct otlp_value value; /* VALUE; of TIME the integer, of HEX the bytes */
    size_t json, json_size;  /* JSON: where it stands among the texts */
};

struct elastic_fields {
    struct elastic_field *items; /* owned */
    size_t count, capacity;
    struct buffer keys, texts;
    bool failed; /* memory is out */
};

void elastic_fields_clear(struct elastic_fields *fields);
void elastic_fields_fini(struct elastic_fields *fields);

/* `prefix` is "" or ends with a dot; values borrow from what they were read from. An empty value adds nothing. */
void elastic_fields_add(struct elastic_fields *fields, struct slice prefix, struct slice key, const struct otlp_value *value);
void elastic_fields_add_all(struct elastic_fields *fields, struct slice prefix, const struct elastic_attributes *attributes);
/* Empty text, and an id of zeros, add nothing. */
void elastic_fields_text(struct elastic_fields *fields, struct slice key, struct slice text);
void elastic_fields_id(struct elastic_fields *fields, struct slice key, struct slice id);
void elastic_fields_integer(struct elastic_fields *fields, struct slice key, int64_t value);
void elastic_fields_time(struct elastic_fields *fields, struct slice key, uint64_t nanos);
/* The text that was appended to fields->texts since `start`, as it stands. */
void elastic_fields_json(struct elastic_fields *fields, struct slice key, size_t start);

/* Appends the object. The fields are not in their order afterwards. */
void elastic_fields_write(struct elastic_fields *fields, bool nested, struct buffer *out);

/* Neither empty nor all zeros. */
bool elastic_id_is_set(struct slice id);

#endif
