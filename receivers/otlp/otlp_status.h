/*
 * What an OTLP server says: the codes, and the bodies (google.rpc.Status, Export*ServiceResponse) as protobuf and JSON.
 * https://opentelemetry.io/docs/specs/otlp/ I/O-free; any thread.
 */
#ifndef WEIR_RECEIVERS_OTLP_STATUS_H
#define WEIR_RECEIVERS_OTLP_STATUS_H

#include "collector/batch.h"
#include "collector/net/grpc_server.h"

enum otlp_encoding { OTLP_ENCODING_PROTOBUF, OTLP_ENCODING_JSON, OTLP_ENCODING_UNKNOWN };

/* By the Content-Type; parameters are passed over. */
enum otlp_encoding otlp_encoding_of(struct slice content_type);
struct slice otlp_content_type(enum otlp_encoding encoding);

/* An answer, before it is HTTP or gRPC. */
struct otlp_status {
    enum grpc_status code;
    struct slice message;   /* borrowed */
    int64_t retry_delay_ns; /* with UNAVAILABLE */
};

/*
 * What a request's outcome is called. accepted: OK. retry: UNAVAILABLE with a delay of at least a second, for full queues
 * and spent memory too: clients exist that give up at RESOURCE_EXHAUSTED and 429. rejected: INVALID_ARGUMENT, which no
 * client sends again; but UNIMPLEMENTED when no pipeline takes the signal.
 */
struct otlp_status otlp_status_of(struct outcome outcome, struct buffer *message);

int otlp_status_http(enum grpc_status code);

/* Appends a google.rpc.Status. UNKNOWN encoding: the message as text. */
void otlp_status_write(const struct otlp_status *status, enum otlp_encoding encoding, struct buffer *out);

/* The whole body of an Export*ServiceResponse that says nothing but that all is well; the same for all signals. */
struct slice otlp_success(enum otlp_encoding encoding);

#endif
