/*
 * syslog receiver: RFC 3164 and RFC 5424 messages over TCP, TLS, UDP and unix sockets, by lines, octet counting or a trailer.
 *
 * The body is the message as it came; what it says stands in attributes, as the OpenTelemetry Collector's receiver names them. What is no
 * syslog is kept as it is, or dropped (on_error). A TCP sender is held up while destinations take nothing; datagrams cannot be.
 */
#include "receivers/syslog/listener.h"

#define AT(field) offsetof(struct log_listener, field)
static const struct option options[] = {
    { "protocol", OPTION_ENUM, AT(protocol), NULL, "|rfc3164|rfc5424", "what the messages look like", .flags = OPTION_REQUIRED },
    { "location", OPTION_STRING, AT(location), "UTC", "nonempty", "time zone of RFC 3164's times: UTC, Local, Europe/Athens ..." },
    { "enable_octet_counting", OPTION_BOOL, AT(octet_counting), "false", NULL,
        "TCP: messages are counted (RFC 6587); those that are not are lines" },
    { "max_octets", OPTION_INT, AT(max_octets), "8192", "1..1073741824", "the largest count; a connection that claims more is ended" },
    { "allow_skip_pri_header", OPTION_BOOL, AT(allow_skip_pri_header), "false", NULL, "a message may have no priority" },
    { "non_transparent_framing_trailer", OPTION_STRING, AT(trailer), NULL, "|LF|NUL", "TCP: what ends a message" },
    { "on_error", OPTION_ENUM, AT(on_error), "send", "send|drop|send_quiet|drop_quiet",
        "what is done with logs that are no syslog; quiet: without a line in weir's log" },
    { "tcp", OPTION_BLOCK, 0, NULL, NULL, "streams", log_tcp_options, .present = AT(tcp_present) },
    { "udp", OPTION_BLOCK, 0, NULL, NULL, "datagrams", log_udp_options, .present = AT(udp_present) },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, log_shared_options },
    { 0 },
};

static bool syslog_validate(struct component *component, struct error *err)
{
    const struct log_listener *self = (const struct log_listener *)component;

    if (self->protocol == 0)
        return fail(err, "protocol is empty: write rfc3164 or rfc5424");
    if (!self->tcp_present && !self->udp_present)
        return fail(err, "neither tcp nor udp is there: write at least one of them, with its listen_address");
    return log_listener_validate(component, err);
}

const struct component_type syslog_receiver = {
    .name = "syslog",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Receives syslog messages (RFC 3164, RFC 5424) over TCP, TLS, UDP and unix sockets.",
    .options = options,
    .instance_size = sizeof(struct log_listener),
    .validate = syslog_validate,
    .start = log_listener_start,
    .stop = log_listener_stop,
};
