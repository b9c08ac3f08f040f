/*
 * Fluent's forward protocol: messages of all four modes to log records, and the shared key handshake's texts. I/O-free.
 *
 * Mapped as the OpenTelemetry Collector does: "message" or "log" is the body, every other key an attribute, the tag is fluent.tag; times are seconds
 * or EventTime; entries whose time stands beside metadata ([time, {...}], Fluent Bit) are read too. Decompressing is the caller's.
 * Implements https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
 */
#ifndef WEIR_WIRE_FLUENT_H
#define WEIR_WIRE_FLUENT_H

#include "collector/wire/msgpack.h"
#include "collector/wire/otlp_logs.h"

enum fluent_mode { FLUENT_MESSAGE, FLUENT_FORWARD, FLUENT_PACKED };
enum fluent_compression { FLUENT_PLAIN, FLUENT_GZIP, FLUENT_ZSTD, FLUENT_UNKNOWN_COMPRESSION };

struct fluent_message { /* slices are borrowed from the message */
    enum fluent_mode mode;
    struct slice tag;
    struct slice entries;                /* MESSAGE: time and record; FORWARD: the entries; PACKED: the same, perhaps compressed */
    uint32_t entry_count;                /* FORWARD */
    struct slice chunk;                  /* to be acknowledged; data NULL: nothing is asked for */
    enum fluent_compression compression; /* PACKED */
};

/* One whole message. false: it is none. */
bool fluent_read_message(struct slice bytes, struct fluent_message *message);

/* Appends the message's records; `entries` is message->entries, decompressed. false: malformed; take back what was written. */
bool fluent_append_records(const struct fluent_message *message, struct slice entries, uint64_t observed, struct otlp_logs *logs);

/* {"ack": chunk} */
void fluent_append_ack(struct slice chunk, struct buffer *out);

/* ---- handshake ---- */

enum { FLUENT_NONCE_SIZE = 16, FLUENT_DIGEST_SIZE = 128 }; /* the digest in hexadecimal */

/* auth.size 0: no user name is asked for. */
void fluent_append_helo(struct slice nonce, struct slice auth, struct buffer *out);

struct fluent_ping {
    struct slice hostname, salt, digest, username, password;
};
bool fluent_read_ping(struct slice bytes, struct fluent_ping *ping);

/* reason: why not; empty when passed. */
struct fluent_pong {
    bool passed;
    struct slice reason, hostname, digest;
};
void fluent_append_pong(const struct fluent_pong *pong, struct buffer *out);

#endif
