/*
 * Where a document goes: a data stream named by attributes, an index named by an attribute or by the configuration, each with a date behind it
 * when logstash_format says so.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_ROUTE_H
#define WEIR_EXPORTERS_ELASTICSEARCH_ROUTE_H

#include "exporters/elasticsearch/elasticsearch.h"
#include "exporters/elasticsearch/json.h"

enum { ELASTIC_INDEX_SIZE = 512, ELASTIC_STREAM_PART = 100 };

struct elastic_route {
    bool is_stream;   /* the next three say which */
    const char *type; /* "logs", "metrics", "traces" */
    char dataset[ELASTIC_STREAM_PART + 1], name_space[ELASTIC_STREAM_PART + 1];
    char index[ELASTIC_INDEX_SIZE];
    struct buffer action; /* {"create":{"_index":"...": what an action line begins with */
    struct buffer stream; /* "data_stream":{...}, as a member of a document; empty when it is none */
};
void elastic_route_fini(struct elastic_route *route);

/* What the attributes of one level say about the way. Slices borrow from the message. */
struct elastic_hints {
    struct otlp_value index, type, dataset, name_space; /* kind EMPTY: not there */
};
struct elastic_hints elastic_hints_of(const struct elastic_attributes *attributes);
/* Those of the inner level, and of the outer one where it has none. */
struct elastic_hints elastic_hints_over(const struct elastic_hints *inner, const struct elastic_hints *outer);
bool elastic_hints_any(const struct elastic_hints *hints);

struct elastic_question {
    const struct elastic_settings *settings;
    enum elastic_mode mode;
    enum signal signal;      /* of the document: a span event is a log */
    struct slice scope_name; /* "/receiver/NAME" in it is a dataset */
};

/* False: such a document has no way (bodymap with another data_stream.type than logs or metrics). The route keeps its memory. */
bool elastic_route_find(struct elastic_route *route, const struct elastic_question *question, const struct elastic_hints *hints);

#endif
