/* Requests of held spans. */
#ifndef WEIR_TAIL_SAMPLING_WRITE_H
#define WEIR_TAIL_SAMPLING_WRITE_H

#include "collector/processors/tail_sampling/trace.h"
#include "collector/wire/edit.h"

/* What is written to the scopes of sampled spans; nothing when all are empty. */
struct tail_marks {
    const char *policy, *composite; /* NULL: not */
    bool cached;
};

struct tail_writer {
    struct edit edit;
    struct buffer scope;
};

void tail_writer_fini(struct tail_writer *writer);

/* Appends a resource group with one scope group whose spans, `spans_size` bytes of fields, the caller appends next. */
void tail_write_head(
    struct tail_writer *writer, struct buffer *out, const struct tail_head *head, const struct tail_marks *marks, size_t spans_size);

static inline size_t tail_span_size(size_t body)
{
    return 1 + pb_varint_size(body) + body;
}
static inline void tail_write_span(struct buffer *out, struct slice body)
{
    pb_put_bytes(out, 2, body);
}

#endif
