/* Within the otlp receiver: the instance, and a request on its way from a server through the pipelines to its answer. */
#ifndef WEIR_RECEIVERS_OTLP_H
#define WEIR_RECEIVERS_OTLP_H

#include "collector/component.h"
#include "collector/http_listen.h"
#include "collector/receiver_link.h"
#include "receivers/otlp/otlp_status.h"

struct otlp_http_settings {
    struct http_listen_settings listen;
    const char *traces_url_path, *metrics_url_path, *logs_url_path;
};

struct otlp {
    struct component base;
    bool protocols_present, grpc_present, http_present;
    struct grpc_listen_settings grpc;
    struct otlp_http_settings http;
    struct component *grpc_authenticator; /* borrowed from the core; NULL: everybody may send */
    struct http_listen listen;
    struct slice paths[SIGNAL_COUNT]; /* of HTTP, without the first '/' */
    struct receiver_link *link;       /* one reference */
    struct grpc_server *grpc_server;  /* owned; NULL: not started */
    struct http_server *http_server;
};

/* Where a request came from, and where its answer goes. */
struct otlp_request {
    struct otlp *self;
    enum signal signal;
    enum otlp_encoding encoding;
    size_t records;
    struct http_exchange *exchange; /* HTTP */
    struct grpc_call *call;         /* gRPC: then exchange is NULL */
};

/*
 * Takes the body (NULL: empty): checks it, repairs and converts it where needed, and sends it on. Leads to one
 * answer, now or later, from any thread.
 */
void otlp_take(const struct otlp_request *request, struct payload *body);

/* One of the two is a request's last. */
void otlp_http_answer(const struct otlp_request *request, const struct otlp_status *status);
void otlp_grpc_answer(const struct otlp_request *request, const struct otlp_status *status);

bool otlp_http_start(struct otlp *self, struct error *err);
bool otlp_grpc_start(struct otlp *self, struct error *err);

/* One request, of how many records is not known, was refused before its body was read or understood. */
void otlp_count_refused(struct otlp *self, enum signal signal, const char *reason);
/* A connection broke down before there was a request: counted with the first signal that is taken. */
void otlp_count_fault(struct otlp *self, const char *transport, const char *peer, const char *reason);

/* struct admission's, with the instance as context. */
bool otlp_crowded(void *context);
bool otlp_admit(void *context, size_t bytes);

#endif
