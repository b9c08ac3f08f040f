/*
 * Metrics inside: an instrument feeds one or more streams (one for each view); a stream has a point for each set of attributes;
 * a point has a cell for each thread that recorded. Instruments, streams and points are made once and never freed, so that
 * recording needs no lock to reach them.
 */
#ifndef WEIR_SDK_METRIC_H
#define WEIR_SDK_METRIC_H

#include <pthread.h>
#include <stdatomic.h>

#include "collector/base/buffer.h"
#include "sdk/src/settings.h"

enum aggregation { AGGREGATION_SUM, AGGREGATION_LAST, AGGREGATION_BUCKETS, AGGREGATION_EXPONENTIAL };

enum { METRIC_BUCKETS_MAX = 200, METRIC_CARDINALITY = 2000, METRIC_TABLE = 256, METRIC_KEY_MAX = 2048, EXPONENTIAL_SIZE = 160 };

#define METRIC_NO_INDEX UINT32_MAX

/* A measurement kept as an example, with the span it was made in. */
struct exemplar {
    uint64_t time_ns; /* 0: none */
    double value;
    uint8_t trace_id[16], span_id[8];
    uint64_t seen; /* candidates since the last collection */
};

/* Counts of one sign at indexes offset .. offset + EXPONENTIAL_SIZE - 1, of which [first, last] are in use. */
struct exponential_side {
    int32_t offset;
    uint32_t used; /* buckets from offset on; 0: empty */
    uint64_t counts[EXPONENTIAL_SIZE];
};

struct distribution {
    uint64_t count;
    double sum, min, max;
    int32_t scale;       /* exponential */
    uint64_t zero_count; /* exponential */
};

/* What one thread added to one point. Sums are written by the thread alone; distributions under the cell's lock. */
struct cell {
    _Atomic uint64_t sum; /* int64_t, or the bits of a double */
    _Atomic bool touched;
    _Atomic uint32_t lock;
    struct exemplar *exemplars; /* as many as the stream says; under the lock */
    struct distribution total;
    struct exponential_side *side; /* exponential */
    uint64_t *buckets;             /* explicit: bounds + 1 */
};

struct metric_cells {
    struct metric_cells *before; /* a smaller table that readers may still see */
    uint32_t capacity;
    _Atomic(struct cell *) cell[];
};

struct point;

struct weir_series {
    struct weir_series *next; /* of the same first point */
    uint32_t count;
    uint32_t index; /* of its one point, when that is a sum of integers; else METRIC_NO_INDEX */
    struct point *points[];
};

struct point {
    struct point *next; /* in its bucket of the table */
    struct point *all;  /* in order of creation */
    struct stream *stream;
    uint32_t index; /* of its cell in each thread's table */
    uint64_t hash;
    struct slice key; /* encoded attributes, each with its length before it; owned */
    weir_series *_Atomic series;
    _Atomic uint64_t last_value; /* LAST: bits */
    _Atomic bool has_last;
    /* The collector's. */
    uint32_t epoch;
    uint64_t reported;    /* delta: the sum at the last collection */
    uint64_t observed;    /* observed instruments: bits */
    uint64_t observed_in; /* number of the collection that observed it */
    uint64_t start_ns;
};

struct stream {
    struct stream *next; /* of the same instrument */
    struct instrument *instrument;
    char *name, *description; /* owned */
    enum aggregation aggregation;
    bool delta;
    bool filter;
    weir_str *keep; /* owned */
    size_t keep_count;
    double *bounds; /* owned */
    uint32_t bound_count;
    uint32_t exemplar_count;
    uint32_t cardinality, point_count;
    struct point *first, *last;
    struct point *overflow;
    _Atomic(struct point *) table[METRIC_TABLE];
};

struct instrument {
    struct instrument *next;
    const struct scope *scope;
    weir_str scope_name; /* borrowed from the weir_scope */
    weir_instr_kind kind;
    bool floating;
    char *name, *unit, *description; /* owned */
    struct stream *streams;
    uint32_t stream_count;
    bool advised_exponential;
    const double *advised_bounds; /* borrowed from the weir_instr */
    uint32_t advised_count;
    uint32_t mark; /* the collector's: written in this collection */
};

extern pthread_mutex_t metric_lock; /* held for registration, for new sets of attributes, and while a collection is written */

/* Starts the clock of cumulative values, once for each process. */
void metric_begin(void);

struct instrument *metric_first_locked(void);

/* The one behind `instrument`, the first for NULL; takes the lock. */
struct instrument *metric_next(const struct instrument *instrument);

/* The instrument behind a weir_instr, NULL before weir_init or when metrics are off. */
struct instrument *metric_instrument_of(weir_instr *instr);

/* The point of a set of attributes in a stream, made when it is new; never NULL but when out of memory. */
struct point *metric_point_of(struct stream *stream, weir_attrs attrs);

/* This thread's cell of a point, made when it is new; NULL when out of memory. */
struct cell *metric_cell_of(const struct point *point);

static inline bool metric_is_monotonic(weir_instr_kind kind)
{
    return kind == WEIR_COUNTER || kind == WEIR_OBSERVED_COUNTER || kind == WEIR_HISTOGRAM;
}

static inline bool metric_is_observed(weir_instr_kind kind)
{
    return kind >= WEIR_OBSERVED_COUNTER;
}

static inline uint64_t metric_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

static inline double metric_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* Views and defaults: fills instrument->streams. False when out of memory. */
bool metric_make_streams(struct instrument *instrument, const struct settings *settings);

/* ---- distributions (metric_histogram.c) ---- */

void histogram_record(const struct stream *stream, struct cell *cell, double value);

/* A point's cells added up. */
struct histogram_sum {
    struct distribution total;
    struct exponential_side positive, negative;
    uint64_t buckets[METRIC_BUCKETS_MAX + 1];
};

void histogram_reset(struct histogram_sum *sum);
void histogram_merge(const struct stream *stream, struct histogram_sum *sum, struct cell *cell);

/* ---- collection ---- */

/* Appends an ExportMetricsServiceRequest of all points; returns how many data points it has. Runs observers. */
uint32_t metric_collect(struct slice resource, struct buffer *out);

/* Runs the callbacks of an instrument. metric_observe.c */
void metric_run_observers(struct instrument *instrument, uint64_t collection);

void metric_lock_all(void);
void metric_unlock_all(void);
void metric_after_fork_child(void);
void metric_observe_after_fork_child(void);

#endif
