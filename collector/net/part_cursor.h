/* A place in a message that lies in several parts: a head, then the caller's. Nothing is copied. */
#ifndef WEIR_NET_PART_CURSOR_H
#define WEIR_NET_PART_CURSOR_H

#include "collector/base/slice.h"

struct part_cursor {
    struct slice head;         /* part 0 */
    const struct slice *parts; /* parts 1 .. count */
    size_t count;
    size_t index, offset; /* next byte: this part, behind so many of its bytes */
    uint64_t left;        /* bytes not yet passed */
};

struct part_cursor part_cursor_of(struct slice head, const struct slice *parts, size_t count);

/* The next pieces, at most `limit` bytes in at most `room` slices; returns how many slices. */
size_t part_cursor_look(const struct part_cursor *cursor, uint64_t limit, struct slice *out, size_t room);
void part_cursor_pass(struct part_cursor *cursor, uint64_t bytes);

#endif
