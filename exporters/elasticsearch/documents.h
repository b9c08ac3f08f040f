/*
 * Turning batches into documents: one walk over the wire bytes, each record written by the mapping mode of its scope.
 *
 * A record that a mode can't write (a metric in mode none, a log whose body is no map in mode bodymap) is counted and left out.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_DOCUMENTS_H
#define WEIR_EXPORTERS_ELASTICSEARCH_DOCUMENTS_H

#include "exporters/elasticsearch/bulk.h"
#include "exporters/elasticsearch/fields.h"
#include "exporters/elasticsearch/points.h"

/* What all records of one scope have in common, looked at once. */
struct elastic_scope {
    struct otlp_group group;
    struct otlp_scope_group scope_group;
    enum elastic_mode mode;
    struct elastic_attributes resource, scope;
    struct slice name, version;
    uint32_t resource_dropped, scope_dropped; /* attributes that were dropped before they came here */
    struct elastic_hints hints;
    bool has_way, events_have_way;
    struct elastic_route route, event_route; /* of records without hints of their own */
    struct buffer shared;                    /* otel: "resource":{...},"scope":{...}, */
};

struct elastic_documents {
    const struct elastic_settings *settings;
    /* Called when the bulk is full, and at the end; sends it and clears it. False: stop. */
    bool (*send)(void *context, struct elastic_bulk *bulk);
    void *context;

    enum signal signal;
    enum elastic_mode request_mode; /* of scopes that say nothing */
    struct elastic_bulk bulk;
    struct elastic_scope current;
    struct elastic_attributes record;
    struct elastic_route own_route; /* of a record with hints of its own */
    struct elastic_fields fields;
    struct elastic_points points;
    struct buffer scratch;
    struct buffer templates, document; /* of a group of points: dynamic templates, and the document itself */
    size_t left_out;                   /* records that could not be written */
    const char *why;                   /* the last reason for that; static */
    bool stopped;
};

/* Writes the whole batch, sending as it goes. False: send() said stop, or memory is out (then the bulk's text has failed). */
bool elastic_documents_write(struct elastic_documents *documents, const struct batch *batch);
/* Zeroed memory is fine; settings, send and context are set by the owner. */
void elastic_documents_fini(struct elastic_documents *documents);

/* ---- for the mapping modes ---- */

/* Each appends one JSON object; the record's attributes have been read. false with `why`: it can't be written. */
struct elastic_mapping {
    void (*open_scope)(struct elastic_documents *documents); /* NULL: nothing to prepare */
    bool (*log)(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_route *route);
    bool (*span)(struct elastic_documents *documents, const struct otlp_span *span, const struct elastic_route *route);
    /* NULL: events are part of the span's document. */
    void (*event)(struct elastic_documents *documents, const struct otlp_span *span, struct slice event, const struct elastic_route *route);
    /* The points of one group; documents->templates gets the dynamic templates, as a JSON object, if there are any. NULL: no metrics. */
    bool (*metrics)(struct elastic_documents *documents, const struct elastic_point_group *group, const struct elastic_route *route,
        struct buffer *out);
};

extern const struct elastic_mapping elastic_mapping_none, elastic_mapping_ecs, elastic_mapping_otel, elastic_mapping_raw,
    elastic_mapping_bodymap;
const struct elastic_mapping *elastic_mapping_of(enum elastic_mode mode);

/* Goes over to the scope that these belong to; nothing to do when it is the one at hand. */
void elastic_scope_enter(struct elastic_documents *documents, const struct otlp_group *group, const struct otlp_scope_group *scope_group);

/* Documents of modes none and raw, which differ in what stands before the names of attributes and events: "Attributes." or nothing. */
struct elastic_prefixes {
    struct slice attributes, events;
};
bool elastic_plain_log(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_prefixes *prefixes,
    const struct elastic_route *route);
bool elastic_plain_span(struct elastic_documents *documents, const struct otlp_span *span, const struct elastic_prefixes *prefixes,
    const struct elastic_route *route);

/* data_stream.type, .dataset and .namespace; nothing when it is no data stream. */
void elastic_fields_stream(struct elastic_fields *fields, const struct elastic_route *route);

#endif
