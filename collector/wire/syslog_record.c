/* From a parsed message to a record's attributes, named as the OpenTelemetry Collector's syslog parser names them. */
#include "collector/wire/syslog.h"

static const struct {
    const char *text;
    int number;
} severities[] = { { "emerg", 21 }, { "alert", 19 }, { "crit", 18 }, { "err", 17 }, { "warning", 13 }, { "notice", 10 }, { "info", 9 },
    { "debug", 5 } };

const char *syslog_severity_text(int severity)
{
    return severities[severity & 7].text;
}

int syslog_severity_number(int severity)
{
    return severities[severity & 7].number;
}

/* ---- structured data; well-formed as syslog_parse has seen it ---- */

static size_t index_of(struct slice text, size_t from, char byte)
{
    const uint8_t *found = from < text.size ? memchr(text.data + from, byte, text.size - from) : NULL;

    return found != NULL ? (size_t)(found - text.data) : text.size;
}

/* Where the quote is that ends a value. */
static size_t end_of_value(struct slice text, size_t from)
{
    while (from < text.size && text.data[from] != '"')
        from += text.data[from] == '\\' ? 2 : 1;
    return from < text.size ? from : text.size;
}

static struct slice from(struct slice text, size_t at)
{
    return at < text.size ? slice_of(text.data + at, text.size - at) : slice_of(NULL, 0);
}

bool syslog_next_element(struct slice *structured, struct syslog_element *element)
{
    size_t at = 1, end;

    if (structured->size < 2)
        return false;
    while (at < structured->size && structured->data[at] != ' ' && structured->data[at] != ']')
        at++;
    element->id = slice_of(structured->data + 1, at - 1);
    end = at;
    while (end < structured->size && structured->data[end] != ']')
        end = structured->data[end] == '"' ? end_of_value(*structured, end + 1) + 1 : end + 1;
    if (end > structured->size)
        end = structured->size;
    element->parameters = slice_of(structured->data + at, end - at);
    *structured = from(*structured, end + 1);
    return true;
}

bool syslog_next_parameter(struct slice *parameters, struct slice *name, struct slice *value)
{
    size_t equals = index_of(*parameters, 1, '='), end;

    if (equals + 2 > parameters->size)
        return false;
    end = end_of_value(*parameters, equals + 2);
    *name = slice_of(parameters->data + 1, equals - 1);
    *value = slice_of(parameters->data + equals + 2, end - equals - 2);
    *parameters = from(*parameters, end + 1);
    return true;
}

void syslog_append_value(struct slice value, struct buffer *out)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '\\' && i + 1 < value.size)
            i++;
        buffer_append_byte(out, value.data[i]);
    }
}

enum { PAIR_KEY = 1, PAIR_VALUE = 2 };

static void append_parameter(struct otlp_logs *logs, struct slice name, struct slice value)
{
    size_t pair = pb_open(logs->out, OTLP_ATTRIBUTES_OF_MAP), any, text;

    otlp_logs_put_text(logs, PAIR_KEY, name);
    any = pb_open(logs->out, PAIR_VALUE);
    text = pb_open(logs->out, OTLP_VALUE_STRING);
    syslog_append_value(value, logs->out);
    pb_close(logs->out, text);
    pb_close(logs->out, any);
    pb_close(logs->out, pair);
}

static void append_element(struct otlp_logs *logs, const struct syslog_element *element)
{
    size_t pair = pb_open(logs->out, OTLP_ATTRIBUTES_OF_MAP), any, map;
    struct slice parameters = element->parameters, name, value;

    otlp_logs_put_text(logs, PAIR_KEY, element->id);
    any = pb_open(logs->out, PAIR_VALUE);
    map = pb_open(logs->out, OTLP_VALUE_MAP);
    while (syslog_next_parameter(&parameters, &name, &value))
        append_parameter(logs, name, value);
    pb_close(logs->out, map);
    pb_close(logs->out, any);
    pb_close(logs->out, pair);
}

static void append_structured(struct otlp_logs *logs, struct slice structured)
{
    size_t pair = pb_open(logs->out, OTLP_LOG_ATTRIBUTES), any, map;
    struct syslog_element element;

    pb_put_bytes(logs->out, PAIR_KEY, SLICE("structured_data"));
    any = pb_open(logs->out, PAIR_VALUE);
    map = pb_open(logs->out, OTLP_VALUE_MAP);
    while (syslog_next_element(&structured, &element))
        append_element(logs, &element);
    pb_close(logs->out, map);
    pb_close(logs->out, any);
    pb_close(logs->out, pair);
}

void syslog_append_attributes(const struct syslog_message *message, struct otlp_logs *logs)
{
    const struct {
        const char *key;
        struct slice text;
    } texts[] = { { "hostname", message->hostname }, { "appname", message->appname }, { "proc_id", message->proc_id },
        { "msg_id", message->msg_id }, { "message", message->message } };

    if (message->priority >= 0) {
        pb_put_varint(logs->out, OTLP_LOG_SEVERITY_NUMBER, (uint64_t)syslog_severity_number(message->priority & 7));
        pb_put_bytes(logs->out, OTLP_LOG_SEVERITY_TEXT, slice_of_string(syslog_severity_text(message->priority & 7)));
        otlp_log_put_integer(logs, SLICE("priority"), message->priority);
        otlp_log_put_integer(logs, SLICE("facility"), message->priority >> 3);
    }
    if (message->version > 0)
        otlp_log_put_integer(logs, SLICE("version"), message->version);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].text.data != NULL)
            otlp_log_put_attribute(logs, slice_of_string(texts[i].key), texts[i].text);
    if (message->structured.size > 0)
        append_structured(logs, message->structured);
}
