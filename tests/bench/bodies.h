/*
 * Request bodies for the load generator: made once, sent many times. Written without the collector's own
 * writer, so that a fault there cannot hide here.
 */
#ifndef WEIR_BENCH_BODIES_H
#define WEIR_BENCH_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_signal { BENCH_TRACES, BENCH_METRICS, BENCH_LOGS, BENCH_SIGNAL_COUNT };

struct body_shape {
    enum bench_signal signal;
    size_t records;     /* in one request */
    size_t record_size; /* bytes, about; 0: what eight attributes come to */
    bool gzip;
    bool grpc; /* with the five bytes of a gRPC message in front */
};

struct body {
    uint8_t *data; /* owned */
    size_t size;
    size_t records;
    uint32_t *stamps; /* owned; where each record's eight stamp bytes are; NULL when compressed */
};

/* Two seeds give two bodies with other ids, times and values. Aborts when out of memory. */
void body_init(struct body *body, const struct body_shape *shape, uint64_t seed);
void body_fini(struct body *body);

/* A second body of the same bytes, to be stamped. */
void body_dup(struct body *out, const struct body *body);

/* Writes the numbers first, first + 1, ... into the records: what the sink's --track counts. */
void body_stamp(struct body *body, uint64_t first);

/*
 * Writes trace ids instead: of each `spans` bodies of as many records that are sent one after the other, record i belongs to the same trace. `first` as above.
 */
void body_trace(struct body *body, uint64_t first, size_t spans);

#endif
