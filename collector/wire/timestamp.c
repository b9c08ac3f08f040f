/* Timestamps as texts of fixed places. Cost: some 20 ns. */
#include "collector/wire/timestamp.h"

enum { SECONDS_PER_DAY = 86400, FRACTION_DIGITS = 9 };

int timestamp_days_of_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01, by counting the year from March on. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t shifted = month > 2 ? year : year - 1;
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t timestamp_seconds(const struct timestamp *timestamp)
{
    return days_of(timestamp->year, timestamp->month, timestamp->day) * SECONDS_PER_DAY + timestamp->hour * 3600 + timestamp->minute * 60 +
           timestamp->second;
}

uint64_t timestamp_nanos(const struct timestamp *timestamp)
{
    int64_t seconds = timestamp_seconds(timestamp) - timestamp->offset;

    if (seconds < 0 || seconds >= INT64_C(18446744073))
        return 0;
    return (uint64_t)seconds * UINT64_C(1000000000) + (uint64_t)timestamp->nanosecond;
}

/* So many digits; -1: there are fewer. */
static int digits(const uint8_t *at, size_t count)
{
    int value = 0;

    for (size_t i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = value * 10 + at[i] - '0';
    }
    return value;
}

static bool read_fields(const uint8_t *at, struct timestamp *out)
{
    bool separated = at[4] == '-' && at[7] == '-' && (at[10] == 'T' || at[10] == 't' || at[10] == ' ') && at[13] == ':' && at[16] == ':';

    *out = (struct timestamp){ .year = digits(at, 4),
        .month = digits(at + 5, 2),
        .day = digits(at + 8, 2),
        .hour = digits(at + 11, 2),
        .minute = digits(at + 14, 2),
        .second = digits(at + 17, 2) };
    return separated && out->year >= 0 && out->month >= 1 && out->month <= 12 && out->day >= 1 &&
           out->day <= timestamp_days_of_month(out->year, out->month) && out->hour >= 0 && out->hour < 24 && out->minute >= 0 &&
           out->minute < 60 && out->second >= 0 && out->second <= 60;
}

/* Digits behind the point; more than nine are passed over. Returns their length, 0 when there is none. */
static size_t read_fraction(struct slice text, int64_t *nanosecond)
{
    int64_t value = 0;
    size_t count = 0;

    for (; count < text.size && text.data[count] >= '0' && text.data[count] <= '9'; count++)
        if (count < FRACTION_DIGITS)
            value = value * 10 + text.data[count] - '0';
    for (size_t i = count; i < FRACTION_DIGITS; i++)
        value *= 10;
    *nanosecond = value;
    return count;
}

/* "Z", "+02:00", "-0530". Returns its length, 0 when there is none. */
static size_t read_offset(struct slice text, int *offset)
{
    size_t colon = text.size > 3 && text.data[3] == ':', size = 5 + colon;
    int hours, minutes;

    *offset = 0;
    if (text.size > 0 && (text.data[0] == 'Z' || text.data[0] == 'z'))
        return 1;
    if (text.size < size || (text.data[0] != '+' && text.data[0] != '-'))
        return 0;
    hours = digits(text.data + 1, 2);
    minutes = digits(text.data + 3 + colon, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return 0;
    *offset = (hours * 60 + minutes) * (text.data[0] == '-' ? -60 : 60);
    return size;
}

size_t timestamp_read(struct slice text, struct timestamp *out)
{
    size_t at = 19, size;

    if (text.size <= at || !read_fields(text.data, out))
        return 0;
    if (text.data[at] == '.' || text.data[at] == ',') {
        size = read_fraction(slice_of(text.data + at + 1, text.size - at - 1), &out->nanosecond);
        if (size == 0)
            return 0;
        at += 1 + size;
    }
    size = read_offset(slice_of(text.data + at, text.size - at), &out->offset);
    return size > 0 ? at + size : 0;
}
