/* Log records as syslog messages. I/O-free. */
#ifndef WEIR_EXPORTERS_SYSLOG_FORMAT_H
#define WEIR_EXPORTERS_SYSLOG_FORMAT_H

#include "collector/wire/syslog.h"

struct syslog_format {
    enum syslog_protocol protocol;
    bool octet_counting; /* else each message ends in a line feed, and line feeds within it become "#012" */
    bool datagram;       /* neither */
};

/*
 * Appends one record. Its attributes are those that the syslog receiver gives: priority, version, hostname, appname, proc_id, msg_id,
 * structured_data and message; without message and
 * priority its body is the text, without a priority it is facility 20 and the record's severity.
 * `scratch` is used and cleared.
 */
void syslog_format_record(const struct syslog_format *format, const struct otlp_log *log, struct buffer *scratch, struct buffer *out);

#endif
