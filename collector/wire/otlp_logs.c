/* Log records written in place. Cost: that of the bytes, and one move of a group's bytes when its length turns out to need more than one byte. */
#include "collector/wire/otlp_logs.h"

#include "collector/wire/utf8.h"

enum { REQUEST_GROUP = 1, GROUP_RESOURCE = 1, GROUP_SCOPE = 2, SCOPE_RECORD = 2, PAIR_KEY = 1, PAIR_VALUE = 2 };

void otlp_logs_begin(struct otlp_logs *logs, struct buffer *out, struct slice resource)
{
    *logs = (struct otlp_logs){ .out = out, .group = pb_open(out, REQUEST_GROUP) };
    if (resource.size > 0)
        pb_put_bytes(out, GROUP_RESOURCE, resource);
    logs->scope = pb_open(out, GROUP_SCOPE);
}

void otlp_logs_end(struct otlp_logs *logs)
{
    pb_close(logs->out, logs->scope);
    pb_close(logs->out, logs->group);
}

size_t otlp_log_open(struct otlp_logs *logs, uint64_t time, uint64_t observed)
{
    size_t mark = pb_open(logs->out, SCOPE_RECORD);

    if (time != 0)
        pb_put_fixed64(logs->out, OTLP_LOG_TIME, time);
    if (observed != 0)
        pb_put_fixed64(logs->out, OTLP_LOG_OBSERVED_TIME, observed);
    logs->records++;
    return mark;
}

void otlp_logs_put_text(struct otlp_logs *logs, uint32_t number, struct slice text)
{
    size_t mark;

    if (utf8_is_valid(text)) {
        pb_put_bytes(logs->out, number, text);
        return;
    }
    logs->repaired++;
    mark = pb_open(logs->out, number);
    utf8_append_repaired(logs->out, text);
    pb_close(logs->out, mark);
}

void otlp_log_put_body(struct otlp_logs *logs, struct slice text)
{
    size_t body = pb_open(logs->out, OTLP_LOG_BODY);

    otlp_logs_put_text(logs, OTLP_VALUE_STRING, text);
    pb_close(logs->out, body);
}

void otlp_log_put_attribute(struct otlp_logs *logs, struct slice key, struct slice text)
{
    size_t pair = pb_open(logs->out, OTLP_LOG_ATTRIBUTES), value;

    otlp_logs_put_text(logs, PAIR_KEY, key);
    value = pb_open(logs->out, PAIR_VALUE);
    otlp_logs_put_text(logs, OTLP_VALUE_STRING, text);
    pb_close(logs->out, value);
    pb_close(logs->out, pair);
}

void otlp_log_put_integer(struct otlp_logs *logs, struct slice key, int64_t integer)
{
    size_t pair = pb_open(logs->out, OTLP_LOG_ATTRIBUTES), value;

    otlp_logs_put_text(logs, PAIR_KEY, key);
    value = pb_open(logs->out, PAIR_VALUE);
    pb_put_varint(logs->out, OTLP_VALUE_INT, (uint64_t)integer);
    pb_close(logs->out, value);
    pb_close(logs->out, pair);
}
