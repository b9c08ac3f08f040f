/*
 * From the bytes of a stream to the pipelines: what every receiver on a stream server does with log records that it has read.
 *
 * A piece is what was read at once; its reply (an acknowledgement, or nothing) goes back when the piece has been taken, in the order in which
 * pieces came. What the pipelines cannot take now is held and tried again while the peer is not read: back-pressure instead of loss.
 * What can never be taken is counted and replied to as well, since the peer would send it for ever. Of a peer that has gone, pieces
 * with a reply are given up at the next refusal (it sends them again), the others after a minute.
 * Threads: the session's loop.
 */
#ifndef WEIR_COLLECTOR_STREAM_INTAKE_H
#define WEIR_COLLECTOR_STREAM_INTAKE_H

#include "collector/component.h"
#include "collector/net/stream_server.h"

struct intake_piece;

struct intake { /* in the session's state; zeroed, then set up by intake_init */
    struct component *component;
    const char *transport;
    struct stream_session *session; /* whose state this is in */
    struct intake_piece *first, *last;
    size_t pieces;
};

struct intake_work {
    struct slice records; /* OTLP, copied */
    size_t count;
    enum receipt_level level;
    struct slice reply; /* copied; empty: none */
};

void intake_init(struct intake *intake, struct component *component, const char *transport, struct stream_session *session);

/* May more be read from this session? If not, it waits, and is read again when there is room. */
bool intake_has_room(struct intake *intake);

/* false: no memory for it now, the session waits; nothing of it was taken, and the same bytes must come again. */
bool intake_take(struct intake *intake, const struct intake_work *work);

/* In the protocol's tick: tries again what is due. */
void intake_tick(struct intake *intake, int64_t now);

/* In the protocol's closed: nothing is replied any more. */
void intake_close(struct intake *intake);

#endif
