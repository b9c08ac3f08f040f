/* The zipkin receiver's parts: zipkin.c (life and HTTP), zipkin_intake.c (bodies, batches, receipts). Private to receivers/zipkin. */
#ifndef WEIR_RECEIVERS_ZIPKIN_H
#define WEIR_RECEIVERS_ZIPKIN_H

#include "collector/http_listen.h"
#include "collector/receiver_link.h"
#include "collector/wire/zipkin.h"

struct zipkin {
    struct component base;
    struct http_listen_settings http; /* options */
    bool parse_string_tags;           /* option */

    struct http_listen listen;
    struct http_server *server; /* owned; NULL: not started */
    struct receiver_link *link; /* one reference */
};

/* One request on its way: who sent what. Small, and copied. */
struct zipkin_request {
    struct zipkin *self;
    struct http_exchange *exchange;
    enum zipkin_format format;
    size_t spans;
};

/* Reads the body (taken; NULL: empty) and passes its spans on. It leads to one answer. */
void zipkin_take(const struct zipkin_request *request, struct payload *body);

/* ---- answers: each ends the exchange ---- */

/* 202, or what the outcome means. */
void zipkin_answer(const struct zipkin_request *request, struct outcome outcome);
void zipkin_refuse(const struct zipkin_request *request, int status, const char *text);

#endif
