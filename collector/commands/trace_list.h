/*
 * Which traces there are: one small entry for each, whatever its size. Holds at most TRACE_LIST_MAX traces and
 * TRACE_NAMES_MAX different names; those beyond are counted.
 */
#ifndef WEIR_COLLECTOR_COMMANDS_TRACE_LIST_H
#define WEIR_COLLECTOR_COMMANDS_TRACE_LIST_H

#include "collector/base/arena.h"
#include "collector/commands/trace_gather.h"

enum { TRACE_LIST_MAX = 1000000, TRACE_NAMES_MAX = 200000, TRACE_LIST_SERVICES = 8 };

struct trace_name; /* a name, kept once; private */

struct trace_summary {
    uint8_t id[TRACE_ID_SIZE];
    uint64_t first, last;                         /* times of spans and log records; 0: none */
    uint64_t root_start;                          /* of the span that `root` names */
    const struct trace_name *root, *root_service; /* of the earliest span without a parent, else of the earliest one; NULL: no span */
    const struct trace_name *services[TRACE_LIST_SERVICES];
    uint32_t service_count; /* more than there is room for: at least that many */
    uint32_t spans, logs, errors;
    bool has_root;
};

/* Zeroed. */
struct trace_list {
    struct arena arena;
    struct trace_summary *items; /* owned */
    size_t count, capacity;
    uint32_t *table; /* owned; item + 1 by id; 0: free */
    size_t table_size;
    const struct trace_name **names; /* owned; by text */
    size_t name_count, name_capacity;
    size_t left_out; /* records of traces that there was no room for */
};

/* Counts what belongs to a trace in a well-formed request of any signal. */
void trace_list_add(struct trace_list *list, enum signal signal, struct slice request);

/* In the order of their times, a line each below a headline. */
void trace_list_print(struct trace_list *list, struct buffer *out);

void trace_list_fini(struct trace_list *list);

#endif
