/*
 * The spans of one trace as a forest: a node for each span, and one for each span that others name but that is not there. Below a node
 * hang, in the order of time, its child spans, its log records, its events and its links.
 */
#ifndef WEIR_COLLECTOR_COMMANDS_TRACE_TREE_H
#define WEIR_COLLECTOR_COMMANDS_TRACE_TREE_H

#include "collector/commands/trace_gather.h"

enum { TRACE_ROOTS = 0 }; /* the node below which the roots, and log records of no span, hang */

enum trace_missing { TRACE_MISSING, TRACE_MISSING_REMOTE, TRACE_MISSING_LOCAL }; /* what its children say about it */

struct trace_node {
    const struct trace_span *span; /* NULL: missing */
    struct slice id;
    uint32_t parent;
    uint64_t start; /* of a missing one the earliest that hangs below */
    enum trace_missing missing;
    bool loop;           /* its parents lead back to it; it was made a root */
    size_t first, count; /* its entries */
    size_t children;     /* of them that are nodes */
    uint32_t walk;       /* while the tree is made: which walk came by, 0: none; then how many entries a walk has left behind */
};

enum trace_entry_kind { TRACE_ENTRY_NODE, TRACE_ENTRY_LOG, TRACE_ENTRY_EVENT, TRACE_ENTRY_LINK };

struct trace_entry {
    uint32_t parent; /* the node it hangs below */
    uint64_t time;
    size_t order; /* of those of one time */
    enum trace_entry_kind kind;
    union {
        uint32_t node;
        const struct trace_log *log;
        struct slice body; /* of the event or the link */
    };
};

struct trace_tree {
    const struct trace *trace;   /* borrowed */
    struct trace_node *nodes;    /* owned; nodes[TRACE_ROOTS], then the spans in the trace's order, then those missing */
    struct trace_entry *entries; /* owned */
    size_t node_count, node_capacity, entry_count, entry_capacity;
    struct trace_service *services, *last_service; /* linked by `below`, as the tree names them from above */
    size_t service_count;
    uint64_t base;          /* what offsets count from: the start of the earliest root */
    uint64_t first, last;   /* of all spans and log records */
    size_t missing_parents; /* spans whose parent is not there */
    size_t loops;
};

enum { TRACE_EVENTS_MAX = 1000 }; /* of one span; of links too */

/* The trace is finished, and is made a tree once. Aborts when memory is out. */
void trace_tree_init(struct trace_tree *tree, const struct trace *trace);
void trace_tree_fini(struct trace_tree *tree);

/* How a span's times stand to those of its parent. */
struct trace_skew {
    uint64_t starts_before; /* nanoseconds before its parent does; 0: it does not */
    uint64_t ends_after;    /* only where the parent is of another service on another machine, and more than a millisecond */
    bool clocks;            /* it can't be but that two clocks differ */
};
struct trace_skew trace_skew_of(const struct trace_tree *tree, const struct trace_node *node);

#endif
