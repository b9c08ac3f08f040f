/* RFC 3339 timestamps, and the calendar behind them. Proleptic Gregorian, no leap seconds but as a text (":60" is the next minute's first). I/O-free. */
#ifndef WEIR_WIRE_TIMESTAMP_H
#define WEIR_WIRE_TIMESTAMP_H

#include "collector/base/slice.h"

struct timestamp { /* as it is written */
    int year, month, day, hour, minute, second;
    int64_t nanosecond;
    int offset; /* seconds east of UTC */
};

/* "2026-11-21T06:07:08.123456789Z", "+02:00"; "t", "z" and a space between date and time are fine. Returns its length; 0: it is none. */
size_t timestamp_read(struct slice text, struct timestamp *out);

/* Seconds since 1970 of these fields as if they were UTC. */
int64_t timestamp_seconds(const struct timestamp *timestamp);
/* Nanoseconds since 1970; 0 when it is before, or beyond 2554. */
uint64_t timestamp_nanos(const struct timestamp *timestamp);

/* Days of that month. */
int timestamp_days_of_month(int year, int month);

#endif
