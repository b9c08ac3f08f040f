/*
 * What OTLP servers answer, in both forms: ExportPartialSuccess and google.rpc.Status with its RetryInfo. I/O-free; whatever cannot be
 * understood reads as an answer that says nothing.
 */
#ifndef WEIR_EXPORTERS_OTLP_RESPONSE_H
#define WEIR_EXPORTERS_OTLP_RESPONSE_H

#include "collector/base/buffer.h"
#include "collector/wire/signal.h"

struct otlp_partial_success {
    int64_t rejected; /* records; never negative */
    struct buffer message;
};
void otlp_partial_success_fini(struct otlp_partial_success *partial);

/* Of an Export*ServiceResponse, zeroed before. False when the response is malformed. */
bool otlp_read_partial_success(struct slice response, struct otlp_partial_success *out);
bool otlp_read_partial_success_json(struct slice response, struct otlp_partial_success *out);

struct otlp_status {
    int code;
    struct slice message; /* borrowed from the bytes */
    bool has_retry_info;
    int64_t retry_delay_ns; /* never negative; at most a day */
};
/* Of a google.rpc.Status. False when it is malformed. */
bool otlp_read_status(struct slice status, struct otlp_status *out);

#endif
