/*
 * Index templates for the data streams that the exporter writes to, on servers that do not bring them along (Elasticsearch without X-Pack,
 * OpenSearch). Templates that are built in are left alone. Installing again is fine.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_SETUP_H
#define WEIR_EXPORTERS_ELASTICSEARCH_SETUP_H

#include "exporters/elasticsearch/connection.h"

struct elastic_setup {
    const char *path;      /* for the log: "exporters.elasticsearch" */
    struct buffer *report; /* a line for each template; NULL: to the log */
};
bool elastic_set_up(struct elastic_connection *connection, const struct elastic_setup *setup, struct error *err);

/* ---- the templates themselves ---- */

/* Servers differ in the types they have; the variants are tried from the richest on until one is taken. */
enum { ELASTIC_TEMPLATE_VARIANTS = 4 };

struct elastic_template {
    const char *name;     /* of ours: "weir-logs-otel" */
    const char *built_in; /* name of the one that a server may bring */
    const char *text;     /* for elastic_template_write */
};
extern const struct elastic_template elastic_templates[]; /* ends with a name of NULL */
extern const struct elastic_template elastic_probe;       /* taken by servers that have all types; its text is a body as it stands */

/* Appends the body of PUT /_index_template/NAME. */
void elastic_template_write(const struct elastic_template *entry, size_t variant, struct buffer *out);

#endif
