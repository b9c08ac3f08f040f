/*
 * gRPC's own syntax, I/O-free: length-prefixed messages, grpc-timeout, grpc-message, and the details that carry a RetryInfo.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
#ifndef WEIR_NET_GRPC_MESSAGE_H
#define WEIR_NET_GRPC_MESSAGE_H

#include "collector/base/buffer.h"
#include "collector/net/compress.h"

enum { GRPC_PREFIX_SIZE = 5 };

enum grpc_framing {
    GRPC_FRAMING_MORE, /* the message is not whole yet */
    GRPC_FRAMING_WHOLE,
    GRPC_FRAMING_BAD_FLAG,  /* neither compressed nor not */
    GRPC_FRAMING_TOO_LARGE, /* `length` says how large */
    GRPC_FRAMING_NO_MEMORY,
    GRPC_FRAMING_TRAILING, /* bytes behind the one message of a unary call */
};

struct grpc_reader {                   /* zeroed, but for the first two, to begin with */
    size_t limit;                      /* bytes of a message */
    const struct admission *admission; /* borrowed; NULL: always */
    uint8_t prefix[GRPC_PREFIX_SIZE];
    size_t prefix_size;
    uint32_t length; /* of the message, when its prefix is there */
    bool compressed;
    struct payload *message; /* owned; NULL: none yet, or it is empty */
};

/* The first state but MORE is final. The message's payload is made to its exact length when the prefix is there. */
enum grpc_framing grpc_reader_feed(struct grpc_reader *reader, struct slice bytes);
void grpc_reader_fini(struct grpc_reader *reader);

void grpc_write_prefix(uint8_t out[GRPC_PREFIX_SIZE], size_t length);

/* "100m" to nanoseconds; false when it is not a timeout. */
bool grpc_parse_timeout(struct slice text, int64_t *out_ns);

/* A status text, percent-encoded; cut at some 4 KiB. */
void grpc_encode_text(struct buffer *out, struct slice text);

/* google.rpc.Status with a google.rpc.RetryInfo, in base64 without padding. */
void grpc_encode_retry_details(struct buffer *out, int status, struct slice text, int64_t delay_ns);

#endif
