/*
 * Trace and span ids where applications write them: in attributes, in structured bodies, and in lines of text. I/O-free.
 */
#ifndef WEIR_PROCESSORS_NORMALIZE_TRACE_IDS_H
#define WEIR_PROCESSORS_NORMALIZE_TRACE_IDS_H

#include "collector/wire/otlp.h"

struct trace_ids {
    bool has_trace, has_span, has_flags;
    uint8_t trace[16], span[8];
    uint8_t flags;
};

/*
 * Takes what an attribute says, if its key is one of those that mean an id: trace_id, traceId, trace.id, X-B3-TraceId, dd.trace_id,
 * traceparent, X-Amzn-Trace-Id ..., and likewise of spans. What was found before stays.
 */
void trace_ids_of_attribute(struct trace_ids *ids, struct slice key, const struct otlp_value *value);

/* The same keys within a line: `trace_id=...`, `"traceId":"..."`, `Root=1-...`, or a bare traceparent. */
void trace_ids_of_text(struct trace_ids *ids, struct slice text);

#endif
