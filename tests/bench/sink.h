/*
 * The counting sink: takes OTLP over HTTP/1.1 and gRPC, counts records as they come by, and answers as its mode says.
 * One thread, one epoll; memory stays flat but for compressed bodies, which are held until they are whole.
 */
#ifndef WEIR_BENCH_SINK_H
#define WEIR_BENCH_SINK_H

#include "tests/bench/counter.h"

enum sink_mode {
    SINK_OK,
    SINK_UNAVAILABLE, /* 503 with Retry-After; UNAVAILABLE */
    SINK_EXHAUSTED,   /* 429 with Retry-After; RESOURCE_EXHAUSTED */
    SINK_REJECT,      /* 400; INVALID_ARGUMENT */
    SINK_PARTIAL,     /* accepted but for one record */
    SINK_HANG,        /* never answers */
    SINK_CLOSE,       /* closes the connection instead of answering */
    SINK_MODE_COUNT,
};

enum sink_coding { SINK_IDENTITY, SINK_GZIP, SINK_ZSTD, SINK_UNKNOWN };

struct sink;
struct sink_connection;

struct sink_request {
    enum bench_signal signal;
    enum sink_coding coding;
    bool known; /* the path names a signal */
    struct counter counter;
    uint64_t bytes; /* as received */
    uint8_t *held;  /* owned; a compressed body */
    size_t held_size, held_capacity;
};

/* `path` as in the request line or in :path. */
void sink_request_init(struct sink *sink, struct sink_request *request, const char *path);
void sink_request_fini(struct sink_request *request);
enum sink_coding sink_coding_of(const char *name);
void sink_request_feed(struct sink_request *request, const uint8_t *data, size_t size);
/* The body is whole. Counts it when the mode accepts it, and says how to answer. */
enum sink_mode sink_request_finish(struct sink *sink, struct sink_request *request);

struct sink_protocol {
    bool (*open)(struct sink_connection *connection);
    bool (*received)(struct sink_connection *connection, const uint8_t *data, size_t size); /* false: close it */
    /* The answer that sink_later put off. */
    bool (*answer)(struct sink_connection *connection, int32_t stream, enum sink_mode mode);
    bool (*flush)(struct sink_connection *connection); /* after answer(), where it only prepares; NULL: it sent */
    void (*close)(struct sink_connection *connection);
};

struct sink_connection {
    struct sink_connection *next, **place; /* in the sink's list */
    struct sink *sink;                     /* borrowed */
    const struct sink_protocol *protocol;
    int fd;
    void *state;  /* the protocol's; owned by it */
    uint8_t *out; /* owned; bytes that the socket did not take yet */
    size_t out_size, out_sent, out_capacity;
};

extern const struct sink_protocol sink_http, sink_grpc;

/* Sends now what the socket takes and keeps the rest. false: broken. */
bool sink_write(struct sink_connection *connection, const void *data, size_t size);

/* Has the protocol answer after the configured delay, or now: then returns what answer() returned. */
bool sink_later(struct sink_connection *connection, int32_t stream, enum sink_mode mode);

/* Control, over HTTP: "/stats", "/reset", "/mode/NAME". Writes a JSON object; false: no such thing. */
bool sink_control(struct sink *sink, const char *path, char *out, size_t size);

#endif
