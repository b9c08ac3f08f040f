/*
 * The load generator's connections: each has one request under way at a time. A protocol sends the connection's body
 * and says what was answered; pace, numbers and time are load.c's.
 */
#ifndef WEIR_BENCH_LOAD_H
#define WEIR_BENCH_LOAD_H

#include <sys/uio.h>

#include "tests/bench/bodies.h"

struct load_options {
    bool grpc;
    const char *host, *port, *path;
    struct body_shape shape;
    double rate;     /* records a second; 0: flat out */
    double duration; /* seconds; 0: until `count` */
    uint64_t count;  /* records; 0: until `duration` */
    size_t connections, bodies;
    size_t trace_spans; /* spans of one trace, in as many requests, one after the other; 0: ids as the bodies have them */
    bool stamp;         /* number the records, for the sink's --track */
    bool retry;         /* send refused requests again until they are accepted */
    bool bare_inflate;  /* send nothing */
};

enum load_answer { ANSWER_ACCEPTED, ANSWER_REFUSED, ANSWER_REJECTED, ANSWER_LOST };

enum connection_state { CONNECTION_CLOSED, CONNECTION_CONNECTING, CONNECTION_IDLE, CONNECTION_BUSY };

struct load;
struct h2_client;

struct load_connection {
    struct load *load; /* borrowed */
    const struct load_options *options;
    enum connection_state state;
    int fd;
    struct body *body; /* what is under way; borrowed from `load`, or `own` */
    struct body own;   /* stamped copy */
    bool again;        /* the body was refused and is to be sent again */
    int64_t started_ns;
    int64_t not_before_ns; /* after a refusal or a failed connection */
    bool wants_write;
    struct h2_client *h2; /* gRPC only; owned */
    char head[512];       /* HTTP only */
    size_t head_size, sent;
    char answer[4096];
    size_t answer_size;
    size_t answer_missing; /* bytes of the answer's body still to come */
};

struct load_protocol {
    bool (*open)(struct load_connection *connection);
    bool (*send)(struct load_connection *connection); /* starts the request; these four: false when the connection broke */
    bool (*readable)(struct load_connection *connection);
    bool (*writable)(struct load_connection *connection);
    void (*close)(struct load_connection *connection);
};

extern const struct load_protocol load_http, load_grpc;

/* The request under way is over. */
void load_answered(struct load_connection *connection, enum load_answer answer);

/* Asks for readable, and for writable too when there is more to send. */
void load_watch(struct load_connection *connection, bool write);

const char *load_signal_word(enum bench_signal signal);

#endif
