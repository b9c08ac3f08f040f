/*
 * Requests to a cluster: the endpoints in turn, credentials and headers, and waiting that can be ended.
 * Threads: call and wait from any thread, several at once, between open and close.
 */
#ifndef WEIR_EXPORTERS_ELASTICSEARCH_CONNECTION_H
#define WEIR_EXPORTERS_ELASTICSEARCH_CONNECTION_H

#include <pthread.h>

#include "exporters/elasticsearch/endpoints.h"

struct elastic_connection {
    const struct elastic_settings *settings; /* borrowed until close */
    struct component *authenticator;         /* borrowed; NULL: none */
    struct elastic_endpoints *endpoints;     /* owned */
    struct http_client *client;              /* owned */
    struct buffer headers;                   /* "Name: value\n"..., of every request */
    pthread_mutex_t lock;
    pthread_cond_t cancelled;
    bool is_cancelled; /* under the lock */
    bool open;
};

/* Connects to nobody. False with an error; close is fine all the same. */
bool elastic_connection_open(
    struct elastic_connection *connection, const struct elastic_settings *settings, struct component *authenticator, struct error *err);
/* Of a zeroed one is fine. */
void elastic_connection_close(struct elastic_connection *connection);
/* Calls and waits under way end soon, later ones at once. */
void elastic_connection_cancel(struct elastic_connection *connection);
/* False when it was cancelled. */
bool elastic_connection_wait(struct elastic_connection *connection, int64_t nanos);

struct elastic_call {
    const char *method;       /* NULL: POST */
    const char *path;         /* "/_bulk" */
    struct slice query;       /* "pretty&refresh=true" */
    const char *content_type; /* NULL: no body */
    bool gzip;                /* the parts are gzip */
    const struct slice *parts;
    size_t part_count;
    size_t response_limit; /* 0: 64 KiB */
};

/*
 * One request. A server that can't be reached is passed over for the next one at once, as long as there are others. False with the
 * error: no answer came. `answer` is zeroed by the caller.
 */
bool elastic_connection_call(
    struct elastic_connection *connection, const struct elastic_call *call, struct http_answer *answer, struct error *err);

#endif
