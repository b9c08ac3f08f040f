/* Time: nanoseconds everywhere; wall clock for what is stored, monotonic for what is waited for. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>

#include "collector/base/slice.h"

#define NANOS_PER_SECOND INT64_C(1000000000)
#define NANOS_PER_MILLI INT64_C(1000000)

uint64_t clock_wall_nanos(void);      /* since 1970, UTC */
int64_t clock_monotonic_nanos(void);  /* since an arbitrary start; never goes back */
int64_t clock_cpu_nanos(void);        /* user and system time of this process */

/* "2026-11-21T06:07:08.123456789Z" */
#define CLOCK_RFC3339_SIZE 31
void clock_format_rfc3339(uint64_t wall_nanos, char out[CLOCK_RFC3339_SIZE]);

#endif
