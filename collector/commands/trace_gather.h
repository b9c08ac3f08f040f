/*
 * The spans and log records of one trace, gathered out of any number of requests. Copies only what belongs to the trace; beyond
 * TRACE_RECORDS_MAX records or TRACE_BYTES_MAX bytes it takes no more, and counts.
 */
#ifndef WEIR_COLLECTOR_COMMANDS_TRACE_GATHER_H
#define WEIR_COLLECTOR_COMMANDS_TRACE_GATHER_H

#include "collector/base/arena.h"
#include "collector/wire/otlp.h"

enum { TRACE_ID_SIZE = 16, SPAN_ID_SIZE = 8, TRACE_RECORDS_MAX = 1000000, TRACE_SERVICES_MAX = 1000, TRACE_BYTES_MAX = 512 << 20 };

struct trace_service {
    struct slice name; /* empty: the resource names none */
    size_t number;     /* in the order of appearance; the last possible one stands for all further services */
    size_t spans, logs;
    struct trace_service *next;
    struct trace_service *below; /* the next in a tree's order; see trace_tree */
    bool listed;                 /* in a tree's order */
};

struct trace_resource {
    struct slice body; /* content of the Resource message */
    struct trace_service *service;
    struct trace_resource *next;
};

struct trace_span {
    struct otlp_span view; /* its slices lie in the trace's arena; a parent id of zeros is none */
    const struct trace_resource *resource;
    bool shares_id; /* another span that is not the same has the same id */
};

struct trace_log {
    struct otlp_log view;
    const struct trace_resource *resource;
    uint64_t time; /* its own, else when it was observed */
};

/* Zeroed but for the id. */
struct trace {
    uint8_t id[TRACE_ID_SIZE];
    struct arena arena;
    struct trace_resource *resources; /* the one used last first */
    struct trace_service *services, *last_service;
    size_t service_count;
    struct trace_span *spans; /* owned */
    struct trace_log *logs;   /* owned */
    size_t span_count, span_capacity, log_count, log_capacity;
    size_t bytes;      /* copied */
    size_t left_out;   /* records that there was no room for */
    size_t duplicates; /* records that were there twice; see trace_finish */
};

/* Takes what belongs to the trace out of a well-formed request of any signal. */
void trace_gather(struct trace *trace, enum signal signal, struct slice request);

/* When all is gathered: spans in the order of their ids, logs by time, and what came twice once. */
void trace_finish(struct trace *trace);

void trace_fini(struct trace *trace);

/* The first span of that id, preferably one of that service (NULL: any); NULL: none. After trace_finish. */
const struct trace_span *trace_find_span(const struct trace *trace, struct slice span_id, const struct trace_service *service);

/* The service of that name, if there is any; after trace_finish. */
const struct trace_service *trace_find_service(const struct trace *trace, struct slice name);

/* The id of a span, or the empty slice: some write an id of zeros where there is none. */
struct slice trace_real_id(struct slice id);

/* An array with room for one more item than `count`; aborts when memory is out, like the arena. */
void *trace_grow(void *items, size_t *capacity, size_t count, size_t item_size);

#endif
