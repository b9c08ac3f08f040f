/* The bits of weir_ctx.origin_: where a context came from, and what its sender said about sampling besides the W3C flag. */
#ifndef WEIR_SDK_ORIGIN_H
#define WEIR_SDK_ORIGIN_H

enum {
    ORIGIN_REMOTE = 1,
    ORIGIN_DEBUG = 2,    /* B3 debug: sampled, and passed on as debug */
    ORIGIN_DEFERRED = 4, /* B3 without a decision: the receiver decides */
    ORIGIN_ACCEPT = 8,   /* no ids, but the sender wants the trace sampled */
    ORIGIN_DENY = 16,    /* no ids, and the sender wants it not sampled */
};

#endif
