/*
 * Times and durations. Times without a zone are UTC; of named zones only UTC is known. Threads: the machine's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/ottl/calendar.h"
#include "collector/ottl/program.h"
#include "collector/ottl/zone.h"

static struct ottl_value time_value(int64_t nanos, int32_t zone)
{
    return (struct ottl_value){ .kind = OTTL_TIME, .integer = nanos, .zone = zone };
}

static bool run_now(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    (void)call;
    (void)machine;
    *value = time_value((int64_t)clock_wall_nanos(), 0);
    return true;
}

enum { NO_ZONE = INT32_MIN };

/* What the text does not say: the zone of the location, or UTC. */
static bool settle_zone(const struct ottl_zone *zone, struct ottl_date *date, int64_t *nanos)
{
    bool ok;

    if (date->zone != NO_ZONE)
        return ottl_date_to_nanos(date, nanos);
    date->zone = 0;
    ok = ottl_date_to_nanos(date, nanos);
    if (!ok || zone == NULL)
        return ok;
    date->zone = ottl_zone_offset(zone, *nanos / NANOS_PER_SECOND - (*nanos % NANOS_PER_SECOND < 0));
    return ottl_date_to_nanos(date, nanos);
}

static bool run_time(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text, format;
    struct ottl_date date = ottl_date_of((int64_t)clock_wall_nanos(), 0); /* a text without a year means this one */
    const char *problem = "out of range";
    int64_t nanos;

    if (!ottl_argument_string(call, 0, machine, &text) || !ottl_argument_string(call, 1, machine, &format))
        return false;
    if (text.size == 0)
        return ottl_fail(machine, "time cannot be nil");
    date.zone = NO_ZONE;
    if (!ottl_parse_date(text, format, &date, &problem) || !settle_zone(call->data, &date, &nanos))
        return ottl_fail(machine, "could not parse time \"%.*s\" by \"%.*s\": %s", SLICE_PRINT(text), SLICE_PRINT(format), problem);
    *value = time_value(nanos, date.zone);
    return true;
}

static bool check_format(const struct ottl_expression *format, struct error *err)
{
    const uint8_t *unknown;

    if (!format->constant)
        return true;
    if (format->value.bytes.size == 0)
        return fail(err, "format cannot be nil");
    unknown = ottl_unknown_directive(format->value.bytes);
    return unknown == NULL || fail(err, "unsupported directive \"%%%c\" in the format", *unknown);
}

static bool prepare_time(struct ottl_call *call, struct arena *arena, struct error *err)
{
    const struct ottl_expression *location = call->arguments[2], *locale = call->arguments[3];

    if (location != NULL && !location->constant)
        return fail(err, "location: expected a constant");
    if (location != NULL && location->value.bytes.size > 0 && !slice_equal_string(location->value.bytes, "UTC")) {
        call->data = (void *)(uintptr_t)ottl_zone_load(location->value.bytes, arena, err);
        if (call->data == NULL)
            return false;
    }
    if (locale != NULL && !(locale->constant && (locale->value.bytes.size == 0 || slice_starts_with(locale->value.bytes, SLICE("en")))))
        return fail(err, "not supported yet: locale, but \"en\"");
    return check_format(call->arguments[1], err);
}

static bool run_format_time(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value time;
    struct slice format;

    if (!ottl_argument_kind(call, 0, machine, OTTL_TIME, &time) || !ottl_argument_string(call, 1, machine, &format))
        return false;
    struct ottl_date date = ottl_date_of(time.integer, time.zone);
    ottl_format_date(&date, format, ottl_work(machine));
    return ottl_give_string(machine, value);
}

static bool prepare_format_time(struct ottl_call *call, struct arena *arena, struct error *err)
{
    (void)arena;
    return check_format(call->arguments[1], err);
}

/* a * b % unit, in steps that fit 64 bits; unit below 2^63 */
static uint64_t multiply_modulo(uint64_t a, uint64_t b, uint64_t unit)
{
    uint64_t result = 0;

    for (a %= unit; b > 0; b >>= 1) {
        result = b & 1 ? (result + a) % unit : result;
        a = a * 2 % unit;
    }
    return result;
}

static bool run_truncate_time(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value duration;

    if (!ottl_argument_kind(call, 0, machine, OTTL_TIME, value) || !ottl_argument_kind(call, 1, machine, OTTL_DURATION, &duration))
        return false;
    if (duration.integer <= 0)
        return true;
    /* counted from the year 1, as Go does; the product fits, reduced before it is taken */
    uint64_t unit = (uint64_t)duration.integer;
    uint64_t offset = multiply_modulo(UINT64_C(62135596800), NANOS_PER_SECOND, unit);
    int64_t since = value->integer % duration.integer;
    uint64_t rest = (offset + (uint64_t)(since < 0 ? since + duration.integer : since)) % unit;
    value->integer -= (int64_t)rest;
    return true;
}

/* ---- durations ---- */

static bool unit_of(struct slice text, size_t *size, double *nanos)
{
    static const struct {
        const char *name;
        double nanos;
    } units[] = { { "ns", 1 }, { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "\xce\xbcs", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 6e10 },
        { "h", 3.6e12 } };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        *size = strlen(units[i].name);
        *nanos = units[i].nanos;
        if (text.size >= *size && memcmp(text.data, units[i].name, *size) == 0)
            return true;
    }
    return false;
}

/* Digits with at most one point; returns how many bytes. */
static size_t read_decimal(struct slice text, double *number)
{
    size_t i = 0, digits = 0;
    double scale = 1;
    bool point = false;

    *number = 0;
    for (; i < text.size && ((text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] == '.' && !point)); i++) {
        if (text.data[i] == '.') {
            point = true;
            continue;
        }
        digits++;
        *number = *number * 10 + text.data[i] - '0';
        scale *= point ? 10 : 1;
    }
    *number /= scale;
    return digits > 0 ? i : 0;
}

static bool parse_duration(struct slice text, int64_t *nanos)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    double total = 0, number, unit;
    size_t size;

    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        text = slice_of(text.data + 1, text.size - 1);
    *nanos = 0;
    if (slice_equal_string(text, "0"))
        return true;
    if (text.size == 0)
        return false;
    while (text.size > 0) {
        size_t read = read_decimal(text, &number);
        if (read == 0)
            return false;
        text = slice_of(text.data + read, text.size - read);
        if (!unit_of(text, &size, &unit))
            return false;
        text = slice_of(text.data + size, text.size - size);
        total += number * unit;
    }
    if (total > 9.2e18)
        return false;
    *nanos = (int64_t)(total + 0.5) * (negative ? -1 : 1);
    return true;
}

static bool run_duration(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;
    int64_t nanos;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    if (!parse_duration(text, &nanos))
        return ottl_fail(machine, "time: invalid duration \"%.*s\"", SLICE_PRINT(text));
    *value = (struct ottl_value){ .kind = OTTL_DURATION, .integer = nanos };
    return true;
}

/* Whole units first, as Go does, so that the last digit is the same. */
static bool duration_by(const struct ottl_call *call, struct ottl_machine *machine, int64_t unit, struct ottl_value *value)
{
    struct ottl_value duration;

    if (!ottl_argument_kind(call, 0, machine, OTTL_DURATION, &duration))
        return false;
    *value = ottl_double((double)(duration.integer / unit) + (double)(duration.integer % unit) / (double)unit);
    return true;
}

static bool run_hours(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return duration_by(call, machine, INT64_C(3600000000000), value);
}

static bool run_minutes(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return duration_by(call, machine, INT64_C(60000000000), value);
}

static bool run_seconds(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return duration_by(call, machine, NANOS_PER_SECOND, value);
}

static bool duration_in(const struct ottl_call *call, struct ottl_machine *machine, int64_t unit, struct ottl_value *value)
{
    struct ottl_value duration;

    if (!ottl_argument_kind(call, 0, machine, OTTL_DURATION, &duration))
        return false;
    *value = ottl_int(duration.integer / unit);
    return true;
}

static bool run_milliseconds(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return duration_in(call, machine, 1000000, value);
}

static bool run_microseconds(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return duration_in(call, machine, 1000, value);
}

static bool run_nanoseconds(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return duration_in(call, machine, 1, value);
}

/* ---- Unix time ---- */

static bool run_unix(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    int64_t seconds, nanos = 0, total;

    if (!ottl_argument_int(call, 0, machine, &seconds) || !ottl_argument_int(call, 1, machine, &nanos))
        return false;
    if (__builtin_mul_overflow(seconds, NANOS_PER_SECOND, &total) || __builtin_add_overflow(total, nanos, &total))
        return ottl_fail(machine, "a time beyond the range of 64 bits");
    *value = time_value(total, 0);
    return true;
}

static bool time_in(const struct ottl_call *call, struct ottl_machine *machine, int64_t unit, struct ottl_value *value)
{
    struct ottl_value time;

    if (!ottl_argument_kind(call, 0, machine, OTTL_TIME, &time))
        return false;
    *value = ottl_int(time.integer / unit - (time.integer % unit < 0));
    return true;
}

static bool run_unix_nano(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return time_in(call, machine, 1, value);
}

static bool run_unix_micro(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return time_in(call, machine, 1000, value);
}

static bool run_unix_milli(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return time_in(call, machine, NANOS_PER_MILLI, value);
}

static bool run_unix_seconds(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return time_in(call, machine, NANOS_PER_SECOND, value);
}

/* ---- parts of a date: Year, Month ... by the function's name ---- */

static bool run_part(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value time;

    if (!ottl_argument_kind(call, 0, machine, OTTL_TIME, &time))
        return false;
    struct ottl_date date = ottl_date_of(time.integer, time.zone);
    const struct {
        const char *name;
        int64_t part;
    } parts[] = { { "Year", date.year }, { "Month", date.month }, { "Day", date.day }, { "Hour", date.hour }, { "Minute", date.minute },
        { "Second", date.second }, { "Weekday", date.weekday } };
    *value = ottl_int(date.nanosecond);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(call->function->name, parts[i].name) == 0)
            *value = ottl_int(parts[i].part);
    }
    return true;
}

const struct ottl_function ottl_time_functions[] = {
    { "Now", "", run_now, NULL, false, true, 0 },
    { "Time", "time:value,format:value,?location:value,?locale:value", run_time, prepare_time, false, false, 0 },
    { "FormatTime", "time:value,format:value", run_format_time, prepare_format_time, false, false, 0 },
    { "TruncateTime", "time:value,duration:value", run_truncate_time, NULL, false, false, 0 },
    { "Duration", "duration:value", run_duration, NULL, false, false, 0 },
    { "Hours", "duration:value", run_hours, NULL, false, false, 0 },
    { "Minutes", "duration:value", run_minutes, NULL, false, false, 0 },
    { "Seconds", "duration:value", run_seconds, NULL, false, false, 0 },
    { "Milliseconds", "duration:value", run_milliseconds, NULL, false, false, 0 },
    { "Microseconds", "duration:value", run_microseconds, NULL, false, false, 0 },
    { "Nanoseconds", "duration:value", run_nanoseconds, NULL, false, false, 0 },
    { "Unix", "seconds:value,?nanoseconds:value", run_unix, NULL, false, false, 0 },
    { "UnixNano", "time:value", run_unix_nano, NULL, false, false, 0 },
    { "UnixMicro", "time:value", run_unix_micro, NULL, false, false, 0 },
    { "UnixMilli", "time:value", run_unix_milli, NULL, false, false, 0 },
    { "UnixSeconds", "time:value", run_unix_seconds, NULL, false, false, 0 },
    { "Year", "time:value", run_part, NULL, false, false, 0 },
    { "Month", "time:value", run_part, NULL, false, false, 0 },
    { "Day", "time:value", run_part, NULL, false, false, 0 },
    { "Hour", "time:value", run_part, NULL, false, false, 0 },
    { "Minute", "time:value", run_part, NULL, false, false, 0 },
    { "Second", "time:value", run_part, NULL, false, false, 0 },
    { "Nanosecond", "time:value", run_part, NULL, false, false, 0 },
    { "Weekday", "time:value", run_part, NULL, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
