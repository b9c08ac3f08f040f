/*
 * Propagators: each reads its headers into one extraction and writes them from a context. Nothing is allocated but
 * one slot for tracestate and baggage, where there are any.
 */
#ifndef WEIR_SDK_PROPAGATION_H
#define WEIR_SDK_PROPAGATION_H

#include "sdk/src/settings.h"

enum { HEADER_PARTS = 32 };

/* The values of a header that may be given several times. */
struct header_parts {
    weir_str part[HEADER_PARTS];
    unsigned count;
    size_t size; /* bytes of all parts as they will be stored, separators included */
};

struct extraction {
    weir_get_fn get;
    const void *carrier;
    weir_ctx ctx; /* ids, flags, origin */
    bool found_ids, found_baggage;
    struct header_parts tracestate, baggage;
};

void tracecontext_extract(struct extraction *e);
int tracecontext_inject(const weir_ctx *ctx, weir_set_fn set, void *carrier);

void b3_extract(struct extraction *e);
int b3_inject(const weir_ctx *ctx, bool multi, weir_set_fn set, void *carrier);

/* Bad members are left out; so are those beyond 64 or 8,192 bytes. */
void baggage_extract(struct extraction *e);
char *baggage_copy(char *out, const struct header_parts *parts);

/* The nth value of a header, without spaces around; p NULL when there is none, or when the carrier ignores nth. */
weir_str propagation_header(const struct extraction *e, weir_str name, size_t nth);

#endif
