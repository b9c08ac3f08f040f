/*
 * Where one log ends and the next begins in a stream: lines, texts that end in NUL, or octet counting (RFC 6587). I/O-free.
 * With octet counting a message that does not begin with a number is a line, as senders are mixed.
 */
#ifndef WEIR_RECEIVERS_SYSLOG_FRAMING_H
#define WEIR_RECEIVERS_SYSLOG_FRAMING_H

#include "collector/base/slice.h"

enum framing_kind { FRAMING_LINES, FRAMING_NUL, FRAMING_OCTETS };

struct framing {
    enum framing_kind kind;
    size_t max_size;   /* a longer line is cut into several */
    size_t max_octets; /* a larger count is a lie */
};

enum frame_read { FRAME_MORE, FRAME_WHOLE, FRAME_BAD };

struct frame {
    struct slice text;    /* without what ends it; with octet counting: with the count */
    struct slice message; /* the same, without the count */
    size_t size;          /* all of it */
};

/* *scanned: how much was looked at already; 0 at a frame's beginning. */
enum frame_read frame_read(const struct framing *framing, struct slice bytes, size_t *scanned, struct frame *frame);

#endif
