/* Clocks of the system, in nanoseconds. */
#include "collector/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec time;

    clock_gettime(id, &time);
    return (int64_t)time.tv_sec * NANOS_PER_SECOND + time.tv_nsec;
}

uint64_t clock_wall_nanos(void)
{
    return (uint64_t)read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_nanos(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_cpu_nanos(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_format_rfc3339(uint64_t wall_nanos, char out[CLOCK_RFC3339_SIZE])
{
    time_t seconds = (time_t)(wall_nanos / (uint64_t)NANOS_PER_SECOND);
    unsigned nanos = (unsigned)(wall_nanos % (uint64_t)NANOS_PER_SECOND);
    struct tm parts;
    size_t used;

    gmtime_r(&seconds, &parts);
    used = strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + used, CLOCK_RFC3339_SIZE - used, ".%09uZ", nanos % 1000000000U);
}
