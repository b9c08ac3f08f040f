/* tcp_log receiver: logs over TCP, as they come; what they say is left to processors. See listener.c. */
#include "receivers/syslog/listener.h"

static const struct option options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, log_tcp_options },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, log_shared_options },
    { 0 },
};

static const char *const aliases[] = { "tcplog", NULL };

const struct component_type tcp_log_receiver = {
    .name = "tcp_log",
    .aliases = aliases,
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Receives lines over TCP, TLS or a unix socket, each a log record.",
    .options = options,
    .instance_size = sizeof(struct log_listener),
    .validate = log_listener_validate,
    .start = log_listener_start,
    .stop = log_listener_stop,
};
