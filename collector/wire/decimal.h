/*
 * Numbers and their decimal text, as JSON spells them: what is written is the shortest text that reads back as
 * the same double, what is read is correctly rounded. Independent of the locale.
 */
#ifndef WEIR_WIRE_DECIMAL_H
#define WEIR_WIRE_DECIMAL_H

#include "collector/base/slice.h"

enum {
    DECIMAL_SIZE = 32,       /* room that `out` must have; no NUL is written */
    DECIMAL_MAX_TEXT = 1000, /* longer numbers are refused */
};

/* Each returns the bytes written. The double must be finite; -0.0 becomes "-0". */
size_t decimal_write_uint64(uint64_t value, char *out);
size_t decimal_write_int64(int64_t value, char *out);
size_t decimal_write_double(double value, char *out);

/* A number that was scanned: (-1)^negative * digits * 10^exponent, or more exactly what `text` says. */
struct decimal {
    struct slice text; /* borrowed from what was scanned */
    uint64_t digits;   /* the first 19 significant ones */
    int exponent;
    bool negative;
    bool truncated; /* there were more digits than that, and not all of them zero */
};

/* Scans the JSON number that `text` begins with; false when there is none, or it is longer than DECIMAL_MAX_TEXT. */
bool decimal_scan(struct slice text, struct decimal *decimal);

/* False when the value is not an integer or does not fit. "1e3" and "1.0" are integers. */
bool decimal_to_uint64(const struct decimal *decimal, uint64_t *value);
bool decimal_to_int64(const struct decimal *decimal, int64_t *value);

/* False when the value is beyond the largest double. */
bool decimal_to_double(const struct decimal *decimal, double *value);

#endif
