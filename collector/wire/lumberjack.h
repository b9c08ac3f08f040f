/*
 * The Lumberjack protocol, versions 1 and 2, which Beats, Logstash and logstash-forwarder speak: frames, and events to log records. I/O-free.
 *
 * An event's "message" is the body ("line" in version 1), its "@timestamp" the time, every other key an attribute. An event that is not the JSON
 * it should be is kept as text in the body.
 * Implements https://github.com/elastic/logstash-forwarder/blob/master/PROTOCOL.md and what go-lumber makes of version 2.
 */
#ifndef WEIR_WIRE_LUMBERJACK_H
#define WEIR_WIRE_LUMBERJACK_H

#include "collector/wire/otlp_logs.h"

enum lumberjack_kind { LUMBERJACK_WINDOW, LUMBERJACK_PAIRS, LUMBERJACK_JSON, LUMBERJACK_COMPRESSED };

struct lumberjack_frame {
    enum lumberjack_kind kind;
    uint8_t version;   /* '1' or '2' */
    uint32_t number;   /* WINDOW: its events; PAIRS, JSON: the event's sequence number */
    uint32_t pairs;    /* PAIRS */
    struct slice body; /* PAIRS, JSON, COMPRESSED; borrowed */
};

enum lumberjack_read { LUMBERJACK_MORE, LUMBERJACK_WHOLE, LUMBERJACK_BAD };

/* The frame that `bytes` begins with, and its size. BAD: it is none, or has more than `limit` bytes or LUMBERJACK_PAIRS_MAX pairs. */
enum { LUMBERJACK_PAIRS_MAX = 10000 };
enum lumberjack_read lumberjack_read_frame(struct slice bytes, size_t limit, struct lumberjack_frame *frame, size_t *size);

/* Appends a PAIRS or JSON frame's event. `scratch` is used and cleared. false: memory, or out's limit. */
bool lumberjack_append_event(const struct lumberjack_frame *frame, uint64_t observed, struct buffer *scratch, struct otlp_logs *logs);

enum { LUMBERJACK_ACK_SIZE = 6 };
void lumberjack_append_ack(uint8_t version, uint32_t sequence, struct buffer *out);

#endif
