/* udp_log receiver: logs over UDP, as they come; what they say is left to processors. See listener.c. */
#include "receivers/syslog/listener.h"

static const struct option options[] = {
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, log_udp_options },
    { "", OPTION_INCLUDE, 0, NULL, NULL, NULL, log_shared_options },
    { 0 },
};

static const char *const aliases[] = { "udplog", NULL };

const struct component_type udp_log_receiver = {
    .name = "udp_log",
    .aliases = aliases,
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_LOGS,
    .stability = STABILITY_BETA,
    .summary = "Receives datagrams over UDP or a unix socket, each line a log record.",
    .options = options,
    .instance_size = sizeof(struct log_listener),
    .validate = log_listener_validate,
    .start = log_listener_start,
    .stop = log_listener_stop,
};
