/* Parsing. A cursor runs over the text once; the first thing that does not fit ends it. Cost: some 100 ns a message. */
#include "collector/wire/syslog.h"

#include "collector/wire/utf8.h"

enum { HOSTNAME_MAX = 255, APPNAME_MAX = 48, PROC_ID_MAX = 128, MSG_ID_MAX = 32, ID_MAX = 32, TAG_MAX = 48, ELEMENTS_MAX = 256 };
enum { WEEK = 7 * 86400 };

struct cursor {
    const uint8_t *at, *end;
    const char *problem; /* static; NULL: none yet */
};

static bool expect(struct cursor *cursor, const char *what)
{
    cursor->problem = what;
    return false;
}

static bool skip(struct cursor *cursor, char byte)
{
    if (cursor->at >= cursor->end || *cursor->at != (uint8_t)byte)
        return false;
    cursor->at++;
    return true;
}

static struct slice rest_of(const struct cursor *cursor)
{
    return slice_of(cursor->at, (size_t)(cursor->end - cursor->at));
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Up to `most` digits without leading zeros; -1 when there is none. */
static int read_number(struct cursor *cursor, int most)
{
    const uint8_t *start = cursor->at;
    int value = 0;

    while (cursor->at < cursor->end && cursor->at - start < most && is_digit(*cursor->at))
        value = value * 10 + *cursor->at++ - '0';
    return cursor->at == start || (*start == '0' && cursor->at - start > 1) ? -1 : value;
}

static bool read_priority(struct cursor *cursor, const struct syslog_rules *rules, struct syslog_message *message)
{
    message->priority = -1;
    if (rules->allow_skip_pri_header && cursor->at < cursor->end && *cursor->at != '<')
        return true;
    if (!skip(cursor, '<'))
        return expect(cursor, "a priority within angle brackets");
    message->priority = read_number(cursor, 3);
    if (message->priority < 0 || message->priority > 191)
        return expect(cursor, "a priority from 0 to 191");
    return skip(cursor, '>') || expect(cursor, "a priority within angle brackets");
}

/* ---- RFC 5424 ---- */

/* Printable ASCII up to a space or the end, at most `most`; "-" is absent. */
static bool read_word(struct cursor *cursor, size_t most, struct slice *out)
{
    const uint8_t *start = cursor->at;

    while (cursor->at<cursor->end && * cursor->at> 0x20 && *cursor->at < 0x7f)
        cursor->at++;
    *out = slice_of(start, (size_t)(cursor->at - start));
    if (out->size == 0 || out->size > most)
        return false;
    if (out->size == 1 && *start == '-')
        *out = slice_of(NULL, 0);
    return skip(cursor, ' ');
}

/* Upper case and at most six digits of a fraction, as RFC 5424 wants it. */
static bool read_5424_time(struct cursor *cursor, struct syslog_message *message)
{
    struct slice text = rest_of(cursor);
    size_t size;

    if (skip(cursor, '-'))
        return skip(cursor, ' ');
    size = timestamp_read(text, &message->time);
    if (size == 0 || text.data[10] != 'T' || text.data[size - 1] == 'z' || text.data[19] == ',' || message->time.second > 59)
        return false;
    if (message->time.nanosecond % 1000 != 0 || (text.data[size - 1] != 'Z' && text.data[size - 3] != ':'))
        return false;
    cursor->at += size;
    message->has_time = message->has_year = message->has_offset = true;
    return skip(cursor, ' ');
}

static bool is_name_byte(uint8_t byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '=' && byte != ']' && byte != '"';
}

static bool read_name(struct cursor *cursor, struct slice *out)
{
    const uint8_t *start = cursor->at;

    while (cursor->at < cursor->end && is_name_byte(*cursor->at))
        cursor->at++;
    *out = slice_of(start, (size_t)(cursor->at - start));
    return out->size > 0 && out->size <= ID_MAX;
}

/* Behind the opening quote, up to behind the closing one. */
static bool read_value(struct cursor *cursor, struct slice *out)
{
    const uint8_t *start = cursor->at;

    while (cursor->at < cursor->end && *cursor->at != '"' && *cursor->at != ']') {
        if (*cursor->at == '\\' && (++cursor->at >= cursor->end || memchr("\"]\\", *cursor->at, 3) == NULL))
            return false;
        cursor->at++;
    }
    *out = slice_of(start, (size_t)(cursor->at - start));
    return utf8_is_valid(*out) && skip(cursor, '"');
}

static bool read_element(struct cursor *cursor, struct slice *id)
{
    struct slice name, value;

    if (!read_name(cursor, id))
        return expect(cursor, "a structured data element's id of 1 to 32 characters");
    while (skip(cursor, ' ')) {
        if (!read_name(cursor, &name) || !skip(cursor, '=') || !skip(cursor, '"'))
            return expect(cursor, "a structured data parameter, name=\"value\"");
        if (!read_value(cursor, &value))
            return expect(cursor, "a parameter's value in UTF-8, with \\, ] and \" escaped");
    }
    return skip(cursor, ']') || expect(cursor, "the end of a structured data element");
}

static bool read_structured(struct cursor *cursor, struct syslog_message *message)
{
    const uint8_t *start = cursor->at;
    struct slice ids[ELEMENTS_MAX];
    size_t count = 0;

    if (skip(cursor, '-'))
        return true;
    while (skip(cursor, '[')) {
        if (count == ELEMENTS_MAX)
            return expect(cursor, "at most 256 structured data elements");
        if (!read_element(cursor, &ids[count]))
            return false;
        for (size_t i = 0; i < count; i++)
            if (slice_equal(ids[i], ids[count]))
                return expect(cursor, "structured data elements that are there once");
        count++;
    }
    message->structured = slice_of(start, (size_t)(cursor->at - start));
    return count > 0 || expect(cursor, "structured data, or -");
}

static bool parse_5424(struct cursor *cursor, struct syslog_message *message)
{
    message->version = read_number(cursor, 3);
    if (message->version < 1 || !skip(cursor, ' '))
        return expect(cursor, "a version from 1 to 999");
    if (!read_5424_time(cursor, message))
        return expect(cursor, "a timestamp as RFC 5424 wants it, or -");
    if (!read_word(cursor, HOSTNAME_MAX, &message->hostname))
        return expect(cursor, "a host name of 1 to 255 characters, or -");
    if (!read_word(cursor, APPNAME_MAX, &message->appname))
        return expect(cursor, "an application's name of 1 to 48 characters, or -");
    if (!read_word(cursor, PROC_ID_MAX, &message->proc_id))
        return expect(cursor, "a process id of 1 to 128 characters, or -");
    if (!read_word(cursor, MSG_ID_MAX, &message->msg_id))
        return expect(cursor, "a message id of 1 to 32 characters, or -");
    if (!read_structured(cursor, message))
        return false;
    if (cursor->at == cursor->end)
        return true;
    if (!skip(cursor, ' '))
        return expect(cursor, "a space before the message");
    if (cursor->at < cursor->end)
        message->message = rest_of(cursor);
    return true;
}

/* ---- RFC 3164 ---- */

static int month_of(const uint8_t *at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int month = 0; month < 12; month++)
        if (memcmp(at, names + 3 * month, 3) == 0)
            return month + 1;
    return 0;
}

static int two_digits(const uint8_t *at)
{
    int tens = at[0] == ' ' ? 0 : is_digit(at[0]) ? at[0] - '0' : -100;

    return is_digit(at[1]) ? tens * 10 + at[1] - '0' : -1;
}

/* "Nov 21 06:07:08", "Nov  1 ..." */
static bool read_stamp(struct cursor *cursor, struct syslog_message *message)
{
    const uint8_t *at = cursor->at;
    struct timestamp *time = &message->time;

    if (cursor->end - at < 15 || at[3] != ' ' || at[6] != ' ' || at[9] != ':' || at[12] != ':')
        return false;
    *time = (struct timestamp){ .year = 2000, /* a leap year */
        .month = month_of(at),
        .day = two_digits(at + 4),
        .hour = two_digits(at + 7),
        .minute = two_digits(at + 10),
        .second = two_digits(at + 13) };
    if (time->month == 0 || time->day < 1 || time->day > timestamp_days_of_month(2000, time->month) || time->hour < 0 || time->hour > 23 ||
        time->minute < 0 || time->minute > 59 || time->second < 0 || time->second > 59)
        return false;
    cursor->at += 15;
    message->has_time = true;
    return true;
}

static bool read_3164_time(struct cursor *cursor, struct syslog_message *message)
{
    size_t size;

    if (read_stamp(cursor, message)) {
        skip(cursor, ':'); /* as some routers write it */
        return true;
    }
    size = timestamp_read(rest_of(cursor), &message->time);
    message->has_time = message->has_year = message->has_offset = size > 0;
    cursor->at += size;
    return size > 0;
}

/* "tag:", "tag[pid]:", "tag[pid]". The cursor is behind it, or where it was. */
static bool read_tag(struct cursor *cursor, struct syslog_message *message)
{
    const uint8_t *start = cursor->at, *tag_end, *pid = NULL, *pid_end = NULL;

    while (cursor->at<cursor->end && * cursor->at> 0x20 && *cursor->at < 0x7f && *cursor->at != ':' && *cursor->at != '[')
        cursor->at++;
    tag_end = cursor->at;
    if (skip(cursor, '[')) {
        pid = cursor->at;
        while (cursor->at < cursor->end && *cursor->at != ']' && *cursor->at > 0x20)
            cursor->at++;
        pid_end = cursor->at;
        if (!skip(cursor, ']'))
            pid = NULL;
    }
    if (tag_end == start || tag_end - start > TAG_MAX || (!skip(cursor, ':') && pid == NULL)) {
        cursor->at = start;
        return false;
    }
    message->appname = slice_of(start, (size_t)(tag_end - start));
    if (pid != NULL)
        message->proc_id = slice_of(pid, (size_t)(pid_end - pid));
    return true;
}

/* A word that is no tag; without a space behind it there is nothing else, and it is the message. */
static void read_hostname(struct cursor *cursor, struct syslog_message *message)
{
    const uint8_t *start = cursor->at;

    while (cursor->at<cursor->end && * cursor->at> 0x20 && *cursor->at < 0x7f)
        cursor->at++;
    if (cursor->at == start || cursor->at - start > HOSTNAME_MAX || cursor->at == cursor->end || *cursor->at != ' ')
        cursor->at = start;
    else
        message->hostname = slice_of(start, (size_t)(cursor->at++ - start));
}

/* Is the next word a tag with nothing before it? An IPv6 address is none. */
static bool begins_with_tag(struct cursor cursor)
{
    struct syslog_message scratch = { 0 };

    return read_tag(&cursor, &scratch) && (cursor.at == cursor.end || *cursor.at == ' ');
}

static bool parse_3164(struct cursor *cursor, struct syslog_message *message)
{
    skip(cursor, ' ');
    if (!read_3164_time(cursor, message))
        return expect(cursor, "a timestamp such as \"Nov 21 06:07:08\"");
    if (!skip(cursor, ' '))
        return expect(cursor, "a space behind the timestamp");
    if (!begins_with_tag(*cursor))
        read_hostname(cursor, message);
    if (read_tag(cursor, message))
        skip(cursor, ' ');
    if (cursor->at < cursor->end)
        message->message = rest_of(cursor);
    return true;
}

bool syslog_parse(const struct syslog_rules *rules, struct slice text, struct syslog_message *message, const char **problem)
{
    struct cursor cursor = { text.data, text.size > 0 ? text.data + text.size : text.data, NULL };
    bool parsed;

    *message = (struct syslog_message){ .priority = -1 };
    parsed = read_priority(&cursor, rules, message) &&
             (rules->protocol == SYSLOG_RFC5424 ? parse_5424(&cursor, message) : parse_3164(&cursor, message));
    *problem = cursor.problem;
    return parsed;
}

/* ---- times ---- */

void syslog_complete_time(struct syslog_message *message, int64_t now)
{
    int year = 1970 + (int)(now / 31556952); /* the mean length of a year; at its turn the other one is tried */

    if (message->has_year || !message->has_time)
        return;
    message->has_year = true;
    message->time.year = year + 1;
    while (timestamp_seconds(&message->time) > now + WEEK)
        message->time.year--;
}
