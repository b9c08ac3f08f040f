/* Sample values as Prometheus' parsers take them: what Go's strconv.ParseFloat does, without hexadecimal and underscores. */
#ifndef WEIR_RECEIVERS_PROMETHEUS_NUMBER_H
#define WEIR_RECEIVERS_PROMETHEUS_NUMBER_H

#include "collector/base/slice.h"

/* All of the text; false when it is no number, or one beyond the largest double. Correctly rounded. NaN comes out as Prometheus' normal one. */
bool number_parse(struct slice text, double *value);

/* The bits that mean "no longer there" (stale), and those of every other NaN. */
#define NUMBER_STALE_BITS UINT64_C(0x7ff0000000000002)
#define NUMBER_NAN_BITS UINT64_C(0x7ff8000000000001)

double number_of_bits(uint64_t bits);
bool number_is_stale(double value);

#endif
