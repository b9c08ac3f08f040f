/*
 * Dates by Gregorian rules, and strftime-like formats: the directives that the OpenTelemetry Collector knows.
 * Threads: none; no state.
 */
#include "collector/ottl/calendar.h"

#include <stdio.h>
#include <strings.h>

#include "collector/base/clock.h"

static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

enum { SECONDS_PER_DAY = 86400 };

/* Days since 1970 of a date, and back: years that begin in March make leap days come last. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void set_day(struct ottl_date *date, int64_t number)
{
    int64_t shifted = number + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    date->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    date->month = (int)(month < 10 ? month + 3 : month - 9);
    date->year = year + era * 400 + (date->month <= 2);
    date->weekday = (int)(((number + 4) % 7 + 7) % 7);
    date->day_of_year = (int)(number - days_of(date->year, 1, 1)) + 1;
}

struct ottl_date ottl_date_of(int64_t unix_nanos, int32_t zone)
{
    int64_t seconds = unix_nanos / NANOS_PER_SECOND, nanos = unix_nanos % NANOS_PER_SECOND, day, second;
    struct ottl_date date = { .zone = zone };

    if (nanos < 0) {
        nanos += NANOS_PER_SECOND;
        seconds--;
    }
    seconds += zone;
    day = seconds / SECONDS_PER_DAY;
    second = seconds % SECONDS_PER_DAY;
    if (second < 0) {
        second += SECONDS_PER_DAY;
        day--;
    }
    set_day(&date, day);
    date.hour = (int)(second / 3600);
    date.minute = (int)(second / 60 % 60);
    date.second = (int)(second % 60);
    date.nanosecond = nanos;
    return date;
}

static int days_in_month(int64_t year, int month)
{
    static const int counts[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return counts[month - 1] + (month == 2 && leap);
}

bool ottl_date_to_nanos(const struct ottl_date *date, int64_t *unix_nanos)
{
    int64_t seconds;

    if (date->month < 1 || date->month > 12 || date->day < 1 || date->day > days_in_month(date->year, date->month) || date->hour > 23 ||
        date->minute > 59 || date->second > 59)
        return false;
    if (date->year < 0 || date->year > 9999)
        return false;
    seconds =
        days_of(date->year, date->month, date->day) * SECONDS_PER_DAY + date->hour * 3600 + date->minute * 60 + date->second - date->zone;
    return !__builtin_mul_overflow(seconds, NANOS_PER_SECOND, unix_nanos) &&
           !__builtin_add_overflow(*unix_nanos, date->nanosecond, unix_nanos);
}

/* ---- reading ---- */

struct date_reader {
    struct slice text;
    size_t at;
    struct ottl_date *date;
    bool pm, am;
    const char *problem;
};

static bool misfit(struct date_reader *reader, const char *problem)
{
    reader->problem = problem;
    return false;
}

static bool read_number(struct date_reader *reader, int least, int most, int64_t *value)
{
    int digits = 0;

    *value = 0;
    while (
        digits < most && reader->at < reader->text.size && reader->text.data[reader->at] >= '0' && reader->text.data[reader->at] <= '9') {
        *value = *value * 10 + reader->text.data[reader->at++] - '0';
        digits++;
    }
    return digits >= least || misfit(reader, "expected a number");
}

static bool read_part(struct date_reader *reader, int least, int most, int *part)
{
    int64_t value;

    if (!read_number(reader, least, most, &value))
        return false;
    *part = (int)value;
    return true;
}

/* A name in full, or its first three letters; in any case. */
static bool read_word(struct date_reader *reader, const char *const *words, int count, bool full, int *index)
{
    for (int i = 0; i < count; i++) {
        size_t size = full ? strlen(words[i]) : 3;
        if (reader->text.size - reader->at < size || strncasecmp((const char *)reader->text.data + reader->at, words[i], size) != 0)
            continue;
        *index = i;
        reader->at += size;
        return true;
    }
    return misfit(reader, "expected the name of a month or day");
}

/* Digits of a fraction, as nanoseconds. */
static bool read_fraction(struct date_reader *reader, int digits)
{
    int64_t value, scale = 1;
    size_t start = reader->at;

    if (!read_number(reader, 1, digits, &value))
        return false;
    for (size_t i = reader->at - start; i < 9; i++)
        scale *= 10;
    reader->date->nanosecond = value * scale;
    return true;
}

static bool read_half(struct date_reader *reader)
{
    static const char *const halves[] = { "AM", "PM" };

    for (int i = 0; i < 2; i++) {
        if (reader->text.size - reader->at >= 2 && strncasecmp((const char *)reader->text.data + reader->at, halves[i], 2) == 0) {
            reader->am = i == 0;
            reader->pm = i == 1;
            reader->at += 2;
            return true;
        }
    }
    return misfit(reader, "expected AM or PM");
}

/* +hhmm, +hh:mm, +hh, Z, or an abbreviation of UTC. */
static bool read_zone(struct date_reader *reader, bool colon, bool minutes)
{
    const uint8_t *at = reader->text.data + reader->at;
    size_t left = reader->text.size - reader->at;
    int hours, rest = 0;

    if (left >= 3 && (memcmp(at, "UTC", 3) == 0 || memcmp(at, "GMT", 3) == 0)) {
        reader->at += 3;
        return true;
    }
    if (left > 0 && *at == 'Z') {
        reader->at++;
        return true;
    }
    if (left == 0 || (*at != '+' && *at != '-'))
        return misfit(reader, "expected an offset from UTC");
    reader->at++;
    if (!read_part(reader, 2, 2, &hours))
        return false;
    if (minutes && colon && (reader->at >= reader->text.size || reader->text.data[reader->at++] != ':'))
        return misfit(reader, "expected \":\"");
    if (minutes && !read_part(reader, 2, 2, &rest))
        return false;
    reader->date->zone = (hours * 3600 + rest * 60) * (*at == '-' ? -1 : 1);
    return true;
}

static void skip_spaces(struct date_reader *reader)
{
    while (reader->at < reader->text.size && reader->text.data[reader->at] == ' ')
        reader->at++;
}

static bool read_year(struct date_reader *reader, bool short_form)
{
    if (!read_number(reader, short_form ? 2 : 4, short_form ? 2 : 4, &reader->date->year))
        return false;
    if (short_form)
        reader->date->year += reader->date->year >= 69 ? 1900 : 2000;
    return true;
}

static bool read_directive(struct date_reader *reader, uint8_t directive)
{
    struct ottl_date *date = reader->date;
    int index;

    switch (directive) {
    case 'Y':
    case 'y':
        return read_year(reader, directive == 'y');
    case 'm':
        return read_part(reader, 2, 2, &date->month);
    case 'o':
    case 'q':
        skip_spaces(reader);
        return read_part(reader, 1, 2, &date->month);
    case 'b':
    case 'h':
    case 'B':
        if (!read_word(reader, months, 12, directive == 'B', &index))
            return false;
        date->month = index + 1;
        return true;
    case 'a':
    case 'A':
        return read_word(reader, days, 7, directive == 'A', &date->weekday);
    case 'd':
        return read_part(reader, 2, 2, &date->day);
    case 'e':
    case 'g':
        skip_spaces(reader);
        return read_part(reader, 1, 2, &date->day);
    case 'H':
    case 'I':
        return read_part(reader, 2, 2, &date->hour);
    case 'k':
    case 'l':
        skip_spaces(reader);
        return read_part(reader, 1, 2, &date->hour);
    case 'M':
        return read_part(reader, 2, 2, &date->minute);
    case 'S':
        return read_part(reader, 2, 2, &date->second);
    case 'L':
        return read_fraction(reader, 3);
    case 'f':
        return read_fraction(reader, 6);
    case 's':
        return read_fraction(reader, 9);
    case 'p':
    case 'P':
        return read_half(reader);
    case 'z':
    case 'i':
    case 'Z':
        return read_zone(reader, directive == 'i', true);
    case 'w':
        return read_zone(reader, false, false);
    default:
        return misfit(reader, "unknown directive");
    }
}

static bool read_format(struct date_reader *reader, struct slice format);

/* Directives that stand for several. */
static struct slice expansion(uint8_t directive)
{
    switch (directive) {
    case 'D':
        return SLICE("%m/%d/%y");
    case 'x':
        return SLICE("%m/%d/%y");
    case 'F':
        return SLICE("%Y-%m-%d");
    case 'T':
    case 'X':
        return SLICE("%H:%M:%S");
    case 'R':
        return SLICE("%H:%M");
    case 'r':
        return SLICE("%I:%M:%S %p");
    case 'c':
        return SLICE("%a %b %d %H:%M:%S %Y");
    case 'v':
        return SLICE("%e-%b-%Y");
    case 'n':
        return SLICE("\n");
    case 't':
        return SLICE("\t");
    default:
        return (struct slice){ NULL, 0 };
    }
}

static bool read_format(struct date_reader *reader, struct slice format)
{
    for (size_t i = 0; i < format.size; i++) {
        if (format.data[i] == '%' && i + 1 < format.size && format.data[i + 1] != '%') {
            struct slice longer = expansion(format.data[++i]);
            if (!(longer.data != NULL ? read_format(reader, longer) : read_directive(reader, format.data[i])))
                return false;
            /* a fraction of the second may follow it, as Go allows */
            bool fraction = format.data[i] == 'S' && (i + 1 == format.size || format.data[i + 1] != '.') &&
                            reader->at + 1 < reader->text.size &&
                            (reader->text.data[reader->at] == '.' || reader->text.data[reader->at] == ',') &&
                            reader->text.data[reader->at + 1] >= '0' && reader->text.data[reader->at + 1] <= '9';
            reader->at += fraction;
            if (fraction && !read_fraction(reader, 9))
                return false;
            continue;
        }
        i += format.data[i] == '%' && i + 1 < format.size;
        if (reader->at >= reader->text.size || reader->text.data[reader->at] != format.data[i])
            return misfit(reader, "the text does not fit the format");
        reader->at++;
    }
    return true;
}

bool ottl_parse_date(struct slice text, struct slice format, struct ottl_date *date, const char **problem)
{
    struct date_reader reader = { .text = text, .date = date };
    int32_t zone = date->zone;

    *date = (struct ottl_date){ .year = date->year, .month = 1, .day = 1, .zone = zone };
    *problem = "out of range";
    if (!read_format(&reader, format)) {
        *problem = reader.problem;
        return false;
    }
    if (reader.at != text.size) {
        *problem = "the text is longer than the format";
        return false;
    }
    if (reader.pm && date->hour < 12)
        date->hour += 12;
    else if (reader.am && date->hour == 12)
        date->hour = 0;
    return true;
}

/* ---- writing ---- */

static void write_zone(const struct ottl_date *date, struct buffer *out, const char *format)
{
    int minutes = (date->zone < 0 ? -date->zone : date->zone) / 60;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    buffer_append_byte(out, date->zone < 0 ? '-' : '+');
    buffer_printf(out, format, minutes / 60, minutes % 60);
#pragma GCC diagnostic pop
}

static void write_day(const struct ottl_date *date, uint8_t directive, struct buffer *out)
{
    switch (directive) {
    case 'Y':
        buffer_printf(out, "%04lld", (long long)date->year);
        break;
    case 'y':
        buffer_printf(out, "%02lld", (long long)date->year % 100);
        break;
    case 'm':
        buffer_printf(out, "%02d", date->month);
        break;
    case 'o':
        buffer_printf(out, "%2d", date->month);
        break;
    case 'q':
        buffer_printf(out, "%d", date->month);
        break;
    case 'b':
    case 'h':
        buffer_printf(out, "%.3s", months[date->month - 1]);
        break;
    case 'B':
        buffer_append_string(out, months[date->month - 1]);
        break;
    case 'a':
        buffer_printf(out, "%.3s", days[date->weekday]);
        break;
    case 'A':
        buffer_append_string(out, days[date->weekday]);
        break;
    case 'd':
        buffer_printf(out, "%02d", date->day);
        break;
    case 'e':
        buffer_printf(out, "%2d", date->day);
        break;
    case 'g':
        buffer_printf(out, "%d", date->day);
        break;
    case 'j':
        buffer_printf(out, "%03d", date->day_of_year);
        break;
    }
}

static void write_time(const struct ottl_date *date, uint8_t directive, struct buffer *out)
{
    int half = date->hour % 12 == 0 ? 12 : date->hour % 12;

    switch (directive) {
    case 'H':
        buffer_printf(out, "%02d", date->hour);
        break;
    case 'k':
        buffer_printf(out, "%2d", date->hour);
        break;
    case 'I':
        buffer_printf(out, "%02d", half);
        break;
    case 'l':
        buffer_printf(out, "%d", half);
        break;
    case 'M':
        buffer_printf(out, "%02d", date->minute);
        break;
    case 'S':
        buffer_printf(out, "%02d", date->second);
        break;
    case 'L':
        buffer_printf(out, "%03lld", (long long)(date->nanosecond / 1000000));
        break;
    case 'f':
        buffer_printf(out, "%06lld", (long long)(date->nanosecond / 1000));
        break;
    case 's':
        buffer_printf(out, "%09lld", (long long)date->nanosecond);
        break;
    case 'p':
        buffer_append_string(out, date->hour < 12 ? "AM" : "PM");
        break;
    case 'P':
        buffer_append_string(out, date->hour < 12 ? "am" : "pm");
        break;
    case 'Z':
        if (date->zone == 0)
            buffer_append_string(out, "UTC");
        else
            write_zone(date, out, "%02d%02d");
        break;
    case 'z':
        write_zone(date, out, "%02d%02d");
        break;
    case 'i':
        write_zone(date, out, "%02d:%02d");
        break;
    case 'w':
        write_zone(date, out, "%02d");
        break;
    }
}

void ottl_format_date(const struct ottl_date *date, struct slice format, struct buffer *out)
{
    for (size_t i = 0; i < format.size; i++) {
        if (format.data[i] != '%' || i + 1 == format.size) {
            buffer_append_byte(out, format.data[i]);
            continue;
        }
        uint8_t directive = format.data[++i];
        struct slice longer = expansion(directive);
        if (longer.data != NULL) {
            ottl_format_date(date, longer, out);
        } else if (directive == '%') {
            buffer_append_byte(out, '%');
        } else {
            write_day(date, directive, out);
            write_time(date, directive, out);
        }
    }
}

const uint8_t *ottl_unknown_directive(struct slice format)
{
    for (size_t i = 0; i + 1 < format.size; i++) {
        if (format.data[i] != '%')
            continue;
        i++;
        if (format.data[i] == 0 || strchr("YymoqbhBaAdegjHkIlMSLfspPZziwDxFTXRrcvnt%", format.data[i]) == NULL)
            return format.data + i;
    }
    return NULL;
}
