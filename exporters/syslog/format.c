/* Header fields are cut to what the RFCs allow, and what may not stand in them becomes '_'. Times are in UTC. */
#include "exporters/syslog/format.h"

#include <stdio.h>
#include <time.h>

#include "collector/base/clock.h"
#include "collector/wire/json.h"

enum { FACILITY_DEFAULT = 20, SEVERITY_NOTICE = 5, HOSTNAME_MAX = 255, APPNAME_MAX = 48, PROC_ID_MAX = 128, WORD_MAX = 32 };

static struct otlp_value find(const struct otlp_log *log, const char *key)
{
    struct otlp_value value = { .kind = OTLP_VALUE_EMPTY };

    otlp_find_attribute(log->body, OTLP_ATTRIBUTES_OF_LOG, slice_of_string(key), &value);
    return value;
}

/* From OpenTelemetry's severity numbers. */
static int severity_of(uint32_t number)
{
    static const int severities[] = { SEVERITY_NOTICE, 7, 7, 7, 7, 7, 7, 7, 7, 6, 5, 5, 5, 4, 4, 4, 4, 3, 2, 1, 1, 0, 0, 0, 0 };

    return number < sizeof(severities) / sizeof(severities[0]) ? severities[number] : SEVERITY_NOTICE;
}

static int priority_of(const struct otlp_log *log)
{
    struct otlp_value value = find(log, "priority");

    if (value.kind == OTLP_VALUE_INT && value.integer >= 0 && value.integer <= 191)
        return (int)value.integer;
    return FACILITY_DEFAULT * 8 + severity_of(log->severity_number);
}

static void put_time(const struct syslog_format *format, uint64_t nanos, struct buffer *out)
{
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(nanos / (uint64_t)NANOS_PER_SECOND);
    struct tm tm;

    if (nanos == 0 && format->protocol == SYSLOG_RFC5424) {
        buffer_append_byte(out, '-');
        return;
    }
    gmtime_r(&seconds, &tm);
    if (format->protocol == SYSLOG_RFC5424)
        buffer_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
            tm.tm_sec, (unsigned)(nanos % (uint64_t)NANOS_PER_SECOND / 1000));
    else
        buffer_printf(out, "%s %2d %02d:%02d:%02d", months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Printable ASCII without `forbidden`; nothing becomes "-". */
static void put_word(struct slice text, size_t most, const char *forbidden, struct buffer *out)
{
    for (size_t i = 0; i < text.size && i < most; i++) {
        uint8_t byte = text.data[i];
        bool fits = byte > 0x20 && byte < 0x7f && strchr(forbidden, byte) == NULL;

        buffer_append_byte(out, fits ? byte : '_');
    }
    if (text.size == 0)
        buffer_append_byte(out, '-');
}

static void put_field(const struct otlp_log *log, const char *key, size_t most, struct buffer *out)
{
    struct otlp_value value = find(log, key);
    char number[32];

    if (value.kind == OTLP_VALUE_INT)
        snprintf(number, sizeof(number), "%lld", (long long)value.integer);
    put_word(value.kind == OTLP_VALUE_INT      ? slice_of_string(number)
             : value.kind == OTLP_VALUE_STRING ? value.bytes
                                               : slice_of(NULL, 0),
        most, "", out);
}

static void put_parameters(struct slice map, struct buffer *out)
{
    struct otlp_attributes parameters = otlp_attributes(map, OTLP_ATTRIBUTES_OF_MAP);
    struct otlp_attribute parameter;

    while (otlp_next_attribute(&parameters, &parameter)) {
        if (parameter.value.kind != OTLP_VALUE_STRING)
            continue;
        buffer_append_byte(out, ' ');
        put_word(parameter.key, WORD_MAX, "=]\"", out);
        buffer_append_string(out, "=\"");
        for (size_t i = 0; i < parameter.value.bytes.size; i++) {
            uint8_t byte = parameter.value.bytes.data[i];

            if (byte == '"' || byte == '\\' || byte == ']')
                buffer_append_byte(out, '\\');
            buffer_append_byte(out, byte);
        }
        buffer_append_byte(out, '"');
    }
}

static void put_structured(const struct otlp_log *log, struct buffer *out)
{
    struct otlp_value value = find(log, "structured_data");
    struct otlp_attributes elements = otlp_attributes(value.bytes, OTLP_ATTRIBUTES_OF_MAP);
    struct otlp_attribute element;
    size_t start = out->size;

    while (value.kind == OTLP_VALUE_MAP && otlp_next_attribute(&elements, &element)) {
        if (element.value.kind != OTLP_VALUE_MAP)
            continue;
        buffer_append_byte(out, '[');
        put_word(element.key, WORD_MAX, "=]\"", out);
        put_parameters(element.value.bytes, out);
        buffer_append_byte(out, ']');
    }
    if (out->size == start)
        buffer_append_byte(out, '-');
}

static void put_text(const struct otlp_log *log, struct buffer *out)
{
    struct otlp_value value = find(log, "message");
    struct slice any = log->value;

    if (value.kind != OTLP_VALUE_STRING && find(log, "priority").kind == OTLP_VALUE_INT)
        return; /* it was syslog without a text, and the body is the message as it came */
    if (value.kind != OTLP_VALUE_STRING)
        value = otlp_value_of(any);
    if (value.kind == OTLP_VALUE_STRING || value.kind == OTLP_VALUE_BYTES)
        buffer_append_slice(out, value.bytes);
    else if (value.kind != OTLP_VALUE_EMPTY)
        json_write_value(any, out);
}

static void put_5424(const struct syslog_format *format, const struct otlp_log *log, struct buffer *out)
{
    struct otlp_value version = find(log, "version");
    size_t start;

    buffer_printf(out, "<%d>%d ", priority_of(log),
        version.kind == OTLP_VALUE_INT && version.integer > 0 && version.integer < 1000 ? (int)version.integer : 1);
    put_time(format, log->time != 0 ? log->time : log->observed_time, out);
    buffer_append_byte(out, ' ');
    put_field(log, "hostname", HOSTNAME_MAX, out);
    buffer_append_byte(out, ' ');
    put_field(log, "appname", APPNAME_MAX, out);
    buffer_append_byte(out, ' ');
    put_field(log, "proc_id", PROC_ID_MAX, out);
    buffer_append_byte(out, ' ');
    put_field(log, "msg_id", WORD_MAX, out);
    buffer_append_byte(out, ' ');
    put_structured(log, out);
    start = out->size;
    buffer_append_byte(out, ' ');
    put_text(log, out);
    if (out->size == start + 1)
        out->size = start; /* no text, and so no space before it */
}

static void put_3164(const struct syslog_format *format, const struct otlp_log *log, struct buffer *out)
{
    struct otlp_value appname = find(log, "appname"), proc_id = find(log, "proc_id");

    buffer_printf(out, "<%d>", priority_of(log));
    put_time(format, log->time != 0 ? log->time : log->observed_time, out);
    buffer_append_byte(out, ' ');
    put_field(log, "hostname", HOSTNAME_MAX, out);
    buffer_append_byte(out, ' ');
    if (appname.kind == OTLP_VALUE_STRING && appname.bytes.size > 0) {
        put_word(appname.bytes, APPNAME_MAX, ":[", out);
        if (proc_id.kind == OTLP_VALUE_STRING && proc_id.bytes.size > 0) {
            buffer_append_byte(out, '[');
            put_word(proc_id.bytes, PROC_ID_MAX, "]", out);
            buffer_append_byte(out, ']');
        }
        buffer_append_string(out, ": ");
    }
    put_text(log, out);
}

static void put_line(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\n')
            buffer_append_string(out, "#012");
        else
            buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, '\n');
}

void syslog_format_record(const struct syslog_format *format, const struct otlp_log *log, struct buffer *scratch, struct buffer *out)
{
    buffer_clear(scratch);
    if (format->protocol == SYSLOG_RFC5424)
        put_5424(format, log, scratch);
    else
        put_3164(format, log, scratch);
    if (scratch->failed)
        out->failed = true;
    else if (format->datagram)
        buffer_append_slice(out, buffer_slice(scratch));
    else if (format->octet_counting) {
        buffer_printf(out, "%zu ", scratch->size);
        buffer_append_slice(out, buffer_slice(scratch));
    } else {
        put_line(buffer_slice(scratch), out);
    }
}
