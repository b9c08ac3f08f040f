/* Times of records. Cost: a layout is a walk over its directives, on collector/ottl's calendar. Threads: layouts are shared once made. */
#include "collector/stanza/timestamp.h"

#include <ctype.h>

#include "collector/base/clock.h"
#include "collector/ottl/calendar.h"
#include "collector/wire/decimal.h"

enum { FORMAT_MAX = 256 };

/* ---- Go's layouts ---- */

static const struct {
    const char *go;
    const char *directive;
} go_words[] = { /* the longer ones first */
    { "January", "%B" }, { "Monday", "%A" }, { "-07:00", "%i" }, { "Z07:00", "%i" }, { "-0700", "%z" }, { "Z0700", "%z" }, { "2006", "%Y" },
    { "Jan", "%b" }, { "Mon", "%a" }, { "MST", "%Z" }, { "-07", "%w" }, { "Z07", "%w" }, { "01", "%m" }, { "02", "%d" }, { "03", "%I" },
    { "04", "%M" }, { "05", "%S" }, { "06", "%y" }, { "15", "%H" }, { "_2", "%e" }, { "PM", "%p" }, { "pm", "%P" }, { "1", "%q" },
    { "2", "%g" }, { "3", "%l" }, { "4", "%M" }, { "5", "%S" }
};

/* ".000" or ",999" behind the seconds: read with them, so that it stands for nothing. */
static size_t fraction_length(const char *at, const struct buffer *out)
{
    size_t length = 1;

    if ((*at != '.' && *at != ',') || (at[1] != '0' && at[1] != '9') || out->size < 2 || out->data[out->size - 1] != 'S')
        return 0;
    while (at[length] == at[1])
        length++;
    return isdigit((unsigned char)at[length]) ? 0 : length;
}

static void convert_go_layout(const char *layout, struct buffer *out)
{
    while (*layout != '\0') {
        size_t length = fraction_length(layout, out);
        for (size_t i = 0; length == 0 && i < sizeof(go_words) / sizeof(go_words[0]); i++) {
            if (strncmp(layout, go_words[i].go, strlen(go_words[i].go)) != 0)
                continue;
            length = strlen(go_words[i].go);
            buffer_append_string(out, go_words[i].directive);
        }
        if (length == 0) {
            buffer_append_string(out, *layout == '%' ? "%" : "");
            buffer_append_byte(out, (uint8_t)*layout);
            length = 1;
        }
        layout += length;
    }
}

static bool has_directive(struct slice format, const char *directives)
{
    for (size_t i = 0; i + 1 < format.size; i++) {
        if (format.data[i] == '%' && strchr(directives, format.data[++i]) != NULL)
            return true;
    }
    return false;
}

static bool init_epoch(struct stanza_layout *layout, const char *text, struct error *err)
{
    static const char *const units[] = { "s", "ms", "us", "ns", "s.ms", "s.us", "s.ns" };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i]) == 0)
            return true;
    }
    (void)layout;
    return fail(err, "layout \"%s\": expected s, ms, us, ns, s.ms, s.us or s.ns", text);
}

bool stanza_layout_init(struct stanza_layout *layout, struct arena *arena, const char *text, const char *location, struct error *err)
{
    struct buffer format = { 0 };
    const uint8_t *unknown = NULL;

    if (text == NULL || *text == '\0')
        return fail(err, "layout: it must be set");
    if (layout->type == STANZA_GOTIME)
        convert_go_layout(text, &format);
    else
        buffer_append_string(&format, text);
    layout->format = slice_of(arena_string(arena, buffer_slice(&format)), format.size);
    buffer_fini(&format);
    if (layout->type == STANZA_EPOCH)
        return init_epoch(layout, text, err);
    unknown = ottl_unknown_directive(layout->format);
    if (unknown != NULL)
        return fail(err, "layout \"%s\": \"%%%c\" is not known", text, *unknown);
    layout->has_year = has_directive(layout->format, "YyDxFcv");
    layout->has_zone = has_directive(layout->format, "zZiw");
    *err = (struct error){ "" };
    layout->zone = stanza_zone_load(arena, location, err);
    return err->message[0] == '\0';
}

/* ---- epochs ---- */

static bool scaled(double number, double scale, uint64_t *time_ns, const char **problem)
{
    *problem = "the time is out of range";
    if (!(number >= 0) || number * scale >= 9.2e18)
        return false;
    *time_ns = (uint64_t)(number * scale + 0.5);
    return true;
}

static bool read_decimal(const struct stanza_value *value, struct decimal *decimal, char text[DECIMAL_SIZE])
{
    struct slice digits = value->bytes;

    if (value->kind == STANZA_INT)
        digits = slice_of(text, decimal_write_int64(value->integer, text));
    else if (value->kind == STANZA_DOUBLE && value->number > -1e18 && value->number < 1e18)
        digits = slice_of(text, decimal_write_double(value->number, text));
    else if (value->kind != STANZA_STRING)
        return false;
    return decimal_scan(digits, decimal) && decimal->text.size == digits.size;
}

static bool read_epoch(const struct stanza_layout *layout, const struct stanza_value *value, uint64_t *time_ns, const char **problem)
{
    int64_t scale = NANOS_PER_SECOND;
    char text[DECIMAL_SIZE];
    struct decimal decimal;
    double number;

    *problem = "expected an epoch as a number";
    if (!read_decimal(value, &decimal, text) || decimal.negative)
        return false;
    if (layout->format.data[0] != 's')
        scale = layout->format.data[0] == 'm' ? 1000000 : layout->format.data[0] == 'u' ? 1000 : 1;
    if (decimal.exponent <= 0 && decimal.exponent >= -9 && !decimal.truncated) { /* exact, where a double would not be */
        uint64_t unit = (uint64_t)scale;
        int exponent = decimal.exponent;
        for (; exponent < 0 && unit % 10 == 0; exponent++)
            unit /= 10;
        *problem = "the time is out of range";
        if (exponent == 0)
            return !__builtin_mul_overflow(decimal.digits, unit, time_ns) && *time_ns <= INT64_MAX;
    }
    return decimal_to_double(&decimal, &number) && scaled(number, (double)scale, time_ns, problem);
}

/* ---- dates ---- */

/* Half a year around now, so that December's lines read in January are last year's. */
static void guess_year(struct ottl_date *date, uint64_t now_ns)
{
    struct ottl_date now = ottl_date_of((int64_t)now_ns, date->zone);
    int ahead = (date->month - now.month) * 31 + date->day - now.day;

    date->year = now.year - (ahead > 7);
}

bool stanza_layout_read(
    const struct stanza_layout *layout, const struct stanza_value *value, uint64_t now_ns, uint64_t *time_ns, const char **problem)
{
    struct ottl_date date = { .year = 1970 };
    int64_t nanos;

    if (value->kind == STANZA_TIME) {
        *time_ns = (uint64_t)value->integer;
        return true;
    }
    if (layout->type == STANZA_EPOCH)
        return read_epoch(layout, value, time_ns, problem);
    *problem = "expected a time as a string";
    if (value->kind != STANZA_STRING)
        return false;
    if (!ottl_parse_date(value->bytes, layout->format, &date, problem))
        return false;
    if (!layout->has_year)
        guess_year(&date, now_ns);
    *problem = "the time is out of range";
    if (!ottl_date_to_nanos(&date, &nanos))
        return false;
    if (!layout->has_zone && layout->zone != NULL)
        nanos -= stanza_zone_offset(layout->zone, nanos / NANOS_PER_SECOND) * NANOS_PER_SECOND;
    *time_ns = (uint64_t)nanos;
    return nanos >= 0;
}

/* ---- RFC 3339, which containers and RFC 5424 write ---- */

static bool digits_at(struct slice text, size_t at, size_t count, int *value)
{
    *value = 0;
    for (size_t i = at; i < at + count; i++) {
        if (i >= text.size || text.data[i] < '0' || text.data[i] > '9')
            return false;
        *value = *value * 10 + text.data[i] - '0';
    }
    return true;
}

static bool read_offset(struct slice rest, int32_t *zone)
{
    int hours, minutes;

    *zone = 0;
    if (rest.size == 1 && (rest.data[0] == 'Z' || rest.data[0] == 'z'))
        return true;
    if (rest.size != 6 || (rest.data[0] != '+' && rest.data[0] != '-') || rest.data[3] != ':' || !digits_at(rest, 1, 2, &hours) ||
        !digits_at(rest, 4, 2, &minutes) || hours > 24 || minutes > 59)
        return false;
    *zone = (hours * 3600 + minutes * 60) * (rest.data[0] == '-' ? -1 : 1);
    return true;
}

bool stanza_read_rfc3339(struct slice text, uint64_t *time_ns)
{
    struct ottl_date date = { 0 };
    int64_t nanos, scale = 100000000;
    size_t at = 19;
    int year;

    if (text.size < 20 || text.data[4] != '-' || text.data[7] != '-' || (text.data[10] != 'T' && text.data[10] != 't') ||
        text.data[13] != ':' || text.data[16] != ':' || !digits_at(text, 0, 4, &year) || !digits_at(text, 5, 2, &date.month) ||
        !digits_at(text, 8, 2, &date.day) || !digits_at(text, 11, 2, &date.hour) || !digits_at(text, 14, 2, &date.minute) ||
        !digits_at(text, 17, 2, &date.second))
        return false;
    if (text.data[at] == '.' || text.data[at] == ',') {
        size_t start = ++at;
        for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++, scale /= 10)
            date.nanosecond += (text.data[at] - '0') * scale;
        if (at == start)
            return false;
    }
    date.year = year;
    if (!read_offset(slice_of(text.data + at, text.size - at), &date.zone) || !ottl_date_to_nanos(&date, &nanos) || nanos < 0)
        return false;
    *time_ns = (uint64_t)nanos;
    return true;
}
