/*
 * A trace as policies see it: its spans, one after the other, as views of their wire bytes. Few are open at a time, so that a
 * trace of a million spans costs no more memory than one of a hundred. Borrowed for one evaluation.
 */
#ifndef WEIR_TAIL_SAMPLING_TRACE_H
#define WEIR_TAIL_SAMPLING_TRACE_H

#include "collector/wire/otlp.h"

/* What stands around a span: fields of its resource group and scope group, as they came, without the groups and spans in them. */
struct tail_head {
    struct slice group, scope;
};

struct tail_span {
    struct slice body;
    struct tail_head head; /* the same bytes for neighbours of one group: group.data tells */
    struct otlp_span view;
};

enum { TAIL_WINDOW = 128 };

struct tail_worker;

struct tail_trace {
    uint8_t id[16];
    uint64_t spans, bytes; /* also of what is not looked at */
    const char *composite; /* set by the evaluation: which part of a composite policy sampled it; NULL: none */
    struct tail_worker *worker;
    /* Fills `window` from the start (again) or with what follows, sets `count`; 0 at the end. */
    void (*load)(struct tail_trace *trace, bool again);
    const void *source;
    uint32_t from, at; /* the source's: where the trace begins, and where it goes on */
    size_t start;      /* of the window within the trace */
    size_t count;
    struct tail_span *window; /* TAIL_WINDOW of them */
};

static inline const struct tail_span *tail_trace_first(struct tail_trace *trace)
{
    if (trace->start != 0 || trace->count == 0)
        trace->load(trace, true);
    return trace->count > 0 ? &trace->window[0] : NULL;
}

static inline const struct tail_span *tail_trace_next(struct tail_trace *trace, const struct tail_span *span)
{
    if (span + 1 < trace->window + trace->count)
        return span + 1;
    if (trace->count < TAIL_WINDOW)
        return NULL;
    trace->load(trace, false);
    return trace->count > 0 ? &trace->window[0] : NULL;
}

/* The content of Resource and InstrumentationScope; empty when there is none. */
struct slice tail_head_message(struct slice fields);
/* Schema URLs of both; empty when there is none. */
struct slice tail_head_schema_url(struct slice fields);

#endif
