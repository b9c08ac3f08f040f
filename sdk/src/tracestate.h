/* W3C tracestate: checked as Trace Context level 2 and the working group's test suite say; the "ot" member read and written. */
#ifndef WEIR_SDK_TRACESTATE_H
#define WEIR_SDK_TRACESTATE_H

#include "sdk/include/weir/value.h"

enum { TRACESTATE_MEMBERS = 32, TRACESTATE_MEMBER_MAX = 256 + 1 + 256 };

/*
 * Checks one header's members. Returns false when the whole tracestate must be discarded. *members counts on over several
 * headers, *size is how many bytes tracestate_copy will write for this one, without separators to others.
 */
bool tracestate_check(weir_str header, unsigned *members, size_t *size);

/* Appends the checked header's members, normalised ("a=1,b=2"), at out, with a comma before when `more`. Returns the end. */
char *tracestate_copy(char *out, weir_str header, bool more);

/* The 56 bits of "rv" in the ot member; false when there is none that is valid. */
bool tracestate_random(weir_str tracestate, uint64_t *value);

/*
 * Writes the tracestate with the ot member's "th" set (th NULL: removed), which moves the ot member to the front, and drops
 * the last member when there would be 33. Returns the size; out has room for tracestate.n + TRACESTATE_MEMBER_MAX bytes.
 */
size_t tracestate_set_threshold(char *out, weir_str tracestate, const char *th);

#endif
