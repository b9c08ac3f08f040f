/*
 * Byte streams to a peer: a TCP or unix socket, plain or TLS. The socket does not block; stream_wait does, until
 * a deadline or until it is cancelled, so that no peer can hold a thread longer than its settings say.
 *
 * Threads: a stream is used by one thread at a time; a cancel may be set from any thread.
 */
#ifndef WEIR_NET_STREAM_H
#define WEIR_NET_STREAM_H

#include <stdatomic.h>
#include <sys/types.h>

#include "collector/base/error.h"
#include "collector/base/slice.h"

struct ssl_st;
struct tls_client;

/* Ends every wait of those who share it, now and later. */
struct stream_cancel {
    int fd; /* an eventfd, readable once it is set */
    atomic_bool set;
};
bool stream_cancel_init(struct stream_cancel *cancel, struct error *err);
void stream_cancel_fini(struct stream_cancel *cancel);
void stream_cancel_set(struct stream_cancel *cancel);

/* How long one call may take. */
struct stream_limits {
    int64_t deadline_ns;          /* clock_monotonic_nanos; 0: none */
    struct stream_cancel *cancel; /* borrowed; may be NULL */
};

struct stream_target {
    const char *host, *port;
    const char *unix_path; /* instead of host and port; "@name" is in the abstract namespace */
    unsigned rotation;     /* begins with the n-th of the name's addresses of the first one's family */
};

struct stream {
    int fd;              /* -1: closed */
    struct ssl_st *ssl;  /* NULL: plain */
    bool read_for_write; /* TLS: the last write waits for bytes to read */
};

enum stream_wait { STREAM_READABLE = 1, STREAM_WRITABLE = 2, STREAM_TIMED_OUT = 4, STREAM_CANCELLED = 8 };

/* Resolves and connects: the name's addresses one after the other, the time that is left shared among them. */
bool stream_connect(struct stream *stream, const struct stream_target *target, const struct stream_limits *limits, struct error *err);

/* TLS from here on. alpn: wire format, or NULL; when the peer does not choose it, that is an error if `alpn_required`. */
struct stream_tls {
    struct tls_client *client;
    const char *server_name; /* to ask for and to verify */
    struct slice alpn;
    bool alpn_required;
};
bool stream_start_tls(struct stream *stream, const struct stream_tls *tls, const struct stream_limits *limits, struct error *err);

/* Closes; a closed or zero-fd'd stream that was never opened must have fd -1. */
void stream_close(struct stream *stream);

enum { STREAM_AGAIN = -1, STREAM_FAILED = -2 };

/* Bytes written (at least 1), STREAM_AGAIN, or STREAM_FAILED with errno. */
ssize_t stream_write(struct stream *stream, const struct slice *parts, size_t count);
/* Bytes read, 0 at the end, STREAM_AGAIN, or STREAM_FAILED with errno. */
ssize_t stream_read(struct stream *stream, void *into, size_t size);

/* Set of enum stream_wait; waits for readable, and for writable if asked. */
unsigned stream_wait(struct stream *stream, bool writable, const struct stream_limits *limits);

/* Whether an idle connection can be used: nothing came, neither bytes nor the end. */
bool stream_is_quiet(struct stream *stream);

/* What STREAM_FAILED was, for a person. */
const char *stream_failure(const struct stream *stream, char *out, size_t size);

/* Writes all of `bytes` and waits as long as that takes. */
bool stream_write_all(struct stream *stream, struct slice bytes, const struct stream_limits *limits, struct error *err);

#endif
