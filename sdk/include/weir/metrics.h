/*
 * Instruments. Bind a set of attributes once, then each measurement is an addition to a cell of the calling thread's own.
 * OpenTelemetry specification: metrics API and SDK; "Bind" is its bound instruments.
 *
 *     WEIR_SCOPE(scope, "shop.stock", "1.0.0");
 *     WEIR_INSTRUMENT(requests, WEIR_COUNTER, scope, "shop.requests", "{request}");
 *
 *     weir_series *gets = weir_bind(&requests, WEIR_ATTRS(WEIR_KV("http.request.method", "GET")));   after weir_init
 *     weir_add(gets, 1);
 */
#ifndef WEIR_METRICS_H
#define WEIR_METRICS_H

#include "weir/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weir_instr_kind {
    WEIR_COUNTER = 0,          /* a sum that never falls; negative additions are ignored */
    WEIR_UPDOWN = 1,           /* a sum that may */
    WEIR_GAUGE = 2,            /* the last value */
    WEIR_HISTOGRAM = 3,        /* a distribution; negative and non-finite values are ignored */
    WEIR_OBSERVED_COUNTER = 4, /* values of these come from a callback at each collection; a counter's are totals */
    WEIR_OBSERVED_UPDOWN = 5,
    WEIR_OBSERVED_GAUGE = 6
} weir_instr_kind;

/* An instrument. Static; bound on first use after weir_init, and then for the life of the process. Two of the same scope, name, kind and unit are one. */
typedef struct weir_instr {
    uint32_t size; /* sizeof(weir_instr) */
    uint32_t kind; /* enum weir_instr_kind */
    weir_scope *scope;
    weir_str name, unit, description;
    bool floating;    /* values are doubles, else int64_t; histograms always are doubles */
    bool exponential; /* histograms: with exponential buckets */
    uint32_t bound_count;
    const double
        *bounds; /* histograms: upper bounds of the buckets, ascending (advice; a view beats it); NULL: the specification's default */
    void *bound_;
} weir_instr;

#define WEIR_INSTRUMENT(variable_, kind_, scope_, name_, unit_)                                                                            \
    static weir_instr variable_ = { (uint32_t)sizeof(weir_instr), (uint32_t)(kind_), &(scope_), { "" name_, sizeof(name_) - 1 },           \
        { "" unit_, sizeof(unit_) - 1 }, { NULL, 0 }, false, false, 0, NULL, NULL }

/* An instrument with a set of attributes. Lives as long as the process. */
typedef struct weir_series weir_series;

/*
 * Never NULL. Beyond the cardinality limit (2,000 sets an instrument) it is the series with otel.metric.overflow=true; before
 * weir_init, when metrics are off, or out of memory, one that ignores everything. Looks the set up, and allocates for a new
 * one; not for signal handlers.
 */
WEIR_API weir_series *weir_bind(weir_instr *instr, weir_attrs attrs);

/*
 * Counters and up-down counters. A thread's first addition to a series allocates its cell. Hot; signal-safe behind that, but
 * an addition that a handler makes while the thread is in another one to the same series may get lost.
 */
WEIR_API void weir_add(weir_series *series, int64_t value);
WEIR_API void weir_add_double(weir_series *series, double value);

/* Gauges: sets the value. Histograms: counts it. Counters: as weir_add_double. Hot, not for signal handlers. */
WEIR_API void weir_record(weir_series *series, double value);

/* The same without binding: one look-up more each, about 100 ns for four attributes. Hot when the set was seen before, not for signal handlers. */
WEIR_API void weir_add_attrs(weir_instr *instr, int64_t value, weir_attrs attrs);
WEIR_API void weir_record_attrs(weir_instr *instr, double value, weir_attrs attrs);

/*
 * Observed instruments: `observe` runs at each collection, on the SDK's thread (or in weir_poll, weir_flush) and reports values by
 * weir_observed. It must not bind, or call weir_flush or weir_shutdown. Returns a number above 0 for weir_unobserve, or
 * -EINVAL (not an observed kind, or not started) or -ENOMEM. When weir_unobserve returns, the callback no longer runs.
 */
typedef struct weir_observer weir_observer;
typedef void (*weir_observe_fn)(weir_observer *observer, void *user);
WEIR_API int weir_observe(weir_instr *instr, weir_observe_fn observe, void *user);
WEIR_API void weir_unobserve(int registration);

/* Inside the callback only; a set of attributes reported twice in one collection counts once, the last. */
WEIR_API void weir_observed(weir_observer *observer, double value, weir_attrs attrs);
WEIR_API void weir_observed_int(weir_observer *observer, int64_t value, weir_attrs attrs);

/* ---- views: how instruments become metrics (specification: View) ---- */

typedef enum weir_aggregation {
    WEIR_AGGREGATE_DEFAULT = 0,
    WEIR_AGGREGATE_DROP = 1,
    WEIR_AGGREGATE_SUM = 2,
    WEIR_AGGREGATE_LAST_VALUE = 3,
    WEIR_AGGREGATE_BUCKETS = 4, /* explicit buckets: `bounds` */
    WEIR_AGGREGATE_EXPONENTIAL = 5
} weir_aggregation;

/* Zeroed fields match everything and change nothing. An instrument that several views match becomes several metrics. All is copied by weir_init. */
typedef struct weir_view {
    uint32_t size;       /* sizeof(weir_view) */
    uint32_t any_kind;   /* 1 + enum weir_instr_kind to match one kind; 0: all */
    weir_str match_name; /* with * and ? */
    weir_str match_unit, match_scope;
    weir_str name, description; /* of the metric */
    bool filter;                /* keep only the attributes in `keep` */
    const weir_str *keep;
    size_t keep_count;
    uint32_t aggregation; /* enum weir_aggregation */
    uint32_t bound_count;
    const double *bounds;
    uint32_t cardinality; /* limit; 0: 2,000 */
} weir_view;

#ifdef __cplusplus
}
#endif
#endif
