/*
 * Counts the records of a request as its bytes come by, in any pieces: walks the lengths, keeps nothing, checks nothing.
 * With a tracker it also notes each record's stamp (bodies.h).
 */
#ifndef WEIR_BENCH_COUNTER_H
#define WEIR_BENCH_COUNTER_H

#include "tests/bench/bodies.h"

struct tracker {
    uint8_t *seen;                       /* owned; one bit for a stamp */
    size_t capacity;                     /* in bits */
    uint64_t distinct, doubled, foreign; /* foreign: no stamp, or beyond what can be */
};

void tracker_fini(struct tracker *tracker);
void tracker_note(struct tracker *tracker, uint64_t stamp);

enum { COUNTER_DEPTH = 7 };

struct counter {
    enum bench_signal signal;
    struct tracker *tracker; /* borrowed; NULL: only count */
    uint64_t records;
    bool broken; /* not a protobuf message */
    /* private */
    int depth;
    uint64_t left[COUNTER_DEPTH]; /* bytes of the open message at each depth */
    int phase;
    uint64_t varint;
    unsigned shift;
    uint32_t field;
    uint64_t skip;
    uint8_t captured[16];
    unsigned captured_size, captured_wanted;
};

void counter_init(struct counter *counter, enum bench_signal signal, struct tracker *tracker);
void counter_feed(struct counter *counter, const uint8_t *data, size_t size);

/* Was the last byte the end of a message? */
bool counter_at_end(const struct counter *counter);

#endif
