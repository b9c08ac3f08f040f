/* Units as Prometheus writes them in words, and as OTLP has them (UCUM). */
#ifndef WEIR_RECEIVERS_PROMETHEUS_UNITS_H
#define WEIR_RECEIVERS_PROMETHEUS_UNITS_H

#include "collector/base/slice.h"

/* "seconds" is "s", "bytes_per_second" is "By/s"; what is not known stays. Static, or the unit itself. */
struct slice unit_to_ucum(struct slice unit);

/* The name without "_total" (of a sum) and without its unit. */
struct slice unit_trim_suffixes(struct slice name, struct slice unit, bool is_sum);

#endif
