/* The zipkin receiver's parts: zipkin.c (life and HTTP), zipkin_intake.c (bodies, batches, receipts). Private to receivers/zipkin. */
#ifndef WEIR_RECEIVERS_ZIPKIN_H
#define WEIR_RECEIVERS_ZIPKIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "collector/http_listen.h"
#include "collector/wire/zipkin.h"

/*
 * The way back from receipts to the receiver, which they may outlive: stop() cuts it, and waits for those that are being told.
 * Answers are given under the read lock.
 */
struct zipkin_link {
    atomic_uint references;
    pthread_rwlock_t lock;
    struct zipkin *self; /* NULL: the receiver has stopped */
};

struct zipkin {
    struct component base;
    struct http_listen_settings http; /* options */
    bool parse_string_tags;           /* option */

    struct http_listen listen;
    struct http_server *server; /* owned; NULL: not started */
    struct zipkin_link *link;   /* one reference */
};

/* One request on its way: who sent what. Small, and copied. */
struct zipkin_request {
    struct zipkin *self;
    struct http_exchange *exchange;
    enum zipkin_format format;
    size_t spans;
};

/* Aborts when memory is out. */
struct zipkin_link *zipkin_link_create(struct zipkin *self);
/* Nobody is told any more from here on. link NULL is fine. */
void zipkin_link_cut(struct zipkin_link *link);

/* Reads the body (taken; NULL: empty) and passes its spans on. It leads to one answer. */
void zipkin_take(const struct zipkin_request *request, struct payload *body);

/* ---- answers: each ends the exchange ---- */

/* 202, or what the outcome means. */
void zipkin_answer(const struct zipkin_request *request, struct outcome outcome);
void zipkin_refuse(const struct zipkin_request *request, int status, const char *text);

#endif
