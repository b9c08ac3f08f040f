/*
 * Writing log records straight into a request: one resource, one scope, any number of records. I/O-free, no allocation but the buffer's.
 * A record's fields are written by the caller between otlp_log_open and pb_close, with the field numbers below.
 */
#ifndef WEIR_WIRE_OTLP_LOGS_H
#define WEIR_WIRE_OTLP_LOGS_H

#include "collector/wire/otlp.h"

enum otlp_log_field {
    OTLP_LOG_TIME = 1,
    OTLP_LOG_SEVERITY_NUMBER = 2,
    OTLP_LOG_SEVERITY_TEXT = 3,
    OTLP_LOG_BODY = 5,
    OTLP_LOG_ATTRIBUTES = 6,
    OTLP_LOG_OBSERVED_TIME = 11,
};

struct otlp_logs {
    struct buffer *out;
    size_t group, scope; /* marks */
    size_t records, repaired;
};

/* `resource`: attributes of the resource as raw fields (KeyValue at field 1); empty: none. */
void otlp_logs_begin(struct otlp_logs *logs, struct buffer *out, struct slice resource);
void otlp_logs_end(struct otlp_logs *logs);

/* A record; time 0: unknown. Close the mark with pb_close; to take it back, set out->size to what it was and lower `records`. */
size_t otlp_log_open(struct otlp_logs *logs, uint64_t time, uint64_t observed);

/* A string field, each bad byte sequence replaced by U+FFFD and counted. */
void otlp_logs_put_text(struct otlp_logs *logs, uint32_t number, struct slice text);
/* Within a record: the body, or one attribute. */
void otlp_log_put_body(struct otlp_logs *logs, struct slice text);
void otlp_log_put_attribute(struct otlp_logs *logs, struct slice key, struct slice text);
void otlp_log_put_integer(struct otlp_logs *logs, struct slice key, int64_t integer);

#endif
