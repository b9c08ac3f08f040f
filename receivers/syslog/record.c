/* One log: its body, its source, and for syslog what the message says. Cost: that of the parser, and one copy of the bytes. */
#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/ottl/zone.h"
#include "receivers/syslog/listener.h"

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct slice trimmed(const struct log_input *input, struct slice text)
{
    while (!input->preserve_leading && text.size > 0 && is_space(text.data[0]))
        text = slice_of(text.data + 1, text.size - 1);
    while (!input->preserve_trailing && text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

static void put_body(const struct log_input *input, struct slice text, struct otlp_logs *logs)
{
    size_t body;

    if (input->encoding != LOG_NOP) {
        otlp_log_put_body(logs, text);
        return;
    }
    body = pb_open(logs->out, OTLP_LOG_BODY);
    pb_put_bytes(logs->out, OTLP_VALUE_BYTES, text);
    pb_close(logs->out, body);
}

/* "[::1]:52114" is "::1" and "52114". */
static void put_source(const struct log_source *source, struct otlp_logs *logs)
{
    const char *colon = strrchr(source->peer, ':');
    struct slice host;

    otlp_log_put_attribute(logs, SLICE("net.transport"), slice_of_string(source->transport));
    if (colon == NULL)
        return;
    host = slice_of(source->peer, (size_t)(colon - source->peer));
    if (host.size > 2 && host.data[0] == '[')
        host = slice_of(host.data + 1, host.size - 2);
    otlp_log_put_attribute(logs, SLICE("net.peer.ip"), host);
    otlp_log_put_attribute(logs, SLICE("net.peer.port"), slice_of_string(colon + 1));
}

/* Times without an offset are in `location`. */
static uint64_t time_of(const struct log_source *source, struct syslog_message *message)
{
    int64_t now = (int64_t)(source->now / NANOS_PER_SECOND);

    if (!message->has_time)
        return 0;
    syslog_complete_time(message, now + ottl_zone_offset(source->self->zone, now));
    if (!message->has_offset)
        message->time.offset = ottl_zone_offset(source->self->zone, timestamp_seconds(&message->time));
    return timestamp_nanos(&message->time);
}

/* The text is no syslog. Returns whether it is sent as it is. */
static bool is_sent_anyway(const struct log_source *source, const char *problem, struct slice text)
{
    const struct log_listener *self = source->self;

    if (self->on_error == LOG_SEND || self->on_error == LOG_DROP)
        log_warn(self->base.path, "no syslog message from %s: expected %s in \"%.*s\"", source->peer, problem,
            (int)(text.size < 100 ? text.size : 100), (const char *)text.data);
    if (self->on_error == LOG_SEND || self->on_error == LOG_SEND_QUIET)
        return true;
    component_count_dropped(&source->self->base, SIGNAL_LOGS, "malformed", 1);
    return false;
}

void log_append(const struct log_source *source, const struct frame *frame, struct otlp_logs *logs)
{
    const struct log_listener *self = source->self;
    struct slice text = trimmed(source->input, frame->text), inner = trimmed(source->input, frame->message);
    struct syslog_message message = { .priority = -1 };
    const char *problem = NULL;
    size_t record;

    if (text.size == 0)
        return;
    if (self->protocol != 0 && !syslog_parse(&self->rules, inner, &message, &problem)) {
        message = (struct syslog_message){ .priority = -1 };
        if (!is_sent_anyway(source, problem, inner))
            return;
    }
    record = otlp_log_open(logs, time_of(source, &message), source->now);
    put_body(source->input, text, logs);
    syslog_append_attributes(&message, logs);
    if (source->input->add_attributes)
        put_source(source, logs);
    buffer_append_slice(logs->out, buffer_slice(&self->raw_attributes));
    pb_close(logs->out, record);
}
