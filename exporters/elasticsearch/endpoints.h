/*
 * The servers of a cluster: taken in turn, those that failed left out for a while (one second, then twice as long each time, at most a
 * minute). When all are left out, the one whose time is up first is tried.
 *
 * Threads: any.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_ENDPOINTS_H
#define WEIR_EXPORTERS_ELASTICSEARCH_ENDPOINTS_H

#include "exporters/elasticsearch/elasticsearch.h"

struct elastic_endpoint;  /* one server; reference counted */
struct elastic_endpoints; /* all of them */

/*
 * The servers that the settings name: endpoint, endpoints, cloudid, or ELASTICSEARCH_URL when none of those is set. NULL with an error when that is not exactly one
 * of them, or one is no http or https URL. Aborts when memory is out.
 */
struct elastic_endpoints *elastic_endpoints_create(const struct elastic_settings *settings, struct error *err);
void elastic_endpoints_destroy(struct elastic_endpoints *endpoints); /* NULL is fine; all taken ones have been put back */

size_t elastic_endpoints_count(struct elastic_endpoints *endpoints);

/* The next one; put it back with what came of it. */
struct elastic_endpoint *elastic_endpoints_take(struct elastic_endpoints *endpoints);
void elastic_endpoints_put(struct elastic_endpoints *endpoints, struct elastic_endpoint *endpoint, bool works);

/* Appends "http://host:9200/base/PATH?a=b&QUERY"; `path` begins with '/', `query` may be empty. */
void elastic_endpoint_url(const struct elastic_endpoint *endpoint, const char *path, struct slice query, struct buffer *out);

/* Takes over the addresses of an answer to GET /_nodes/http in the place of those that there are; false: there are none in it. */
bool elastic_endpoints_learn(struct elastic_endpoints *endpoints, struct slice response);

#endif
