/* Dates, and their text by strftime-like formats. Internal to collector/ottl. */
#ifndef WEIR_OTTL_CALENDAR_H
#define WEIR_OTTL_CALENDAR_H

#include "collector/base/buffer.h"

struct ottl_date {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int64_t nanosecond;
    int weekday;     /* 0: Sunday */
    int day_of_year; /* from 1 */
    int32_t zone;    /* seconds east of UTC */
};

struct ottl_date ottl_date_of(int64_t unix_nanos, int32_t zone);

/* False when a field is out of its range, or the result out of that of 64 bits. */
bool ottl_date_to_nanos(const struct ottl_date *date, int64_t *unix_nanos);

/* Reads a text by a format; `problem` (static) says what does not fit. `date` holds the year and zone of texts that have none. */
bool ottl_parse_date(struct slice text, struct slice format, struct ottl_date *date, const char **problem);
void ottl_format_date(const struct ottl_date *date, struct slice format, struct buffer *out);

/* NULL when every directive of the format is known; else the first that is not. */
const uint8_t *ottl_unknown_directive(struct slice format);

#endif
