/*
 * Syslog messages by RFC 3164 and RFC 5424, one at a time and without framing. Nothing is copied or allocated; I/O-free.
 *
 * RFC 5424 is taken at its word, but that a message may be of any length and in any encoding. RFC 3164 describes what is seen, so a host name, a tag and
 * even the time may be missing, and RFC 3339 times are taken too.
 */
#ifndef WEIR_WIRE_SYSLOG_H
#define WEIR_WIRE_SYSLOG_H

#include "collector/wire/otlp_logs.h"
#include "collector/wire/timestamp.h"

enum syslog_protocol { SYSLOG_RFC3164, SYSLOG_RFC5424 };

struct syslog_message {                  /* slices are borrowed; data NULL: absent, or the nil value "-" */
    int priority;                        /* facility * 8 + severity; -1: absent */
    int version;                         /* RFC 5424 */
    bool has_time, has_year, has_offset; /* RFC 3164's times have neither year nor offset: see syslog_complete_time */
    struct timestamp time;
    struct slice hostname, appname, proc_id, msg_id, message;
    struct slice structured; /* RFC 5424: the elements, well-formed, brackets and all */
};

struct syslog_rules {
    enum syslog_protocol protocol;
    bool allow_skip_pri_header;
};

/* false: *problem says what was expected (static). */
bool syslog_parse(const struct syslog_rules *rules, struct slice text, struct syslog_message *message, const char **problem);

/* A time without a year is this year's, or last year's when it would be more than a week ahead. `now` in local seconds, as if they were UTC. */
void syslog_complete_time(struct syslog_message *message, int64_t now);

/* "emerg" ... "debug", and the OpenTelemetry severity number; severity from 0 to 7. */
const char *syslog_severity_text(int severity);
int syslog_severity_number(int severity);

/* ---- structured data ---- */

struct syslog_element {
    struct slice id;
    struct slice parameters; /* for syslog_next_parameter */
};
/* Cuts the next one off. */
bool syslog_next_element(struct slice *structured, struct syslog_element *element);
/* The value is as it is written: see syslog_append_value. */
bool syslog_next_parameter(struct slice *parameters, struct slice *name, struct slice *value);
/* Without its backslashes. */
void syslog_append_value(struct slice value, struct buffer *out);

/* Within an open record: the attributes that the OpenTelemetry Collector gives it, and its severity. */
void syslog_append_attributes(const struct syslog_message *message, struct otlp_logs *logs);

#endif
