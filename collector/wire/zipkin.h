/*
 * Zipkin's messages to OTLP wire bytes and back: version 2 as JSON and protobuf, version 1 as JSON and Thrift. I/O-free.
 *
 * Spans are mapped as the OpenTelemetry Collector maps them (its pkg/translator/zipkin), with these differences, so that nothing is lost:
 * spans that differ in their resource's tags do not share a resource; an annotation or an "otlp.link.N" tag that is not of the form in
 * which events and links travel stays what it is; a span that Zipkin cannot have, for its ids are zero, costs that span and not its request.
 * https://zipkin.io/zipkin-api/ , https://github.com/openzipkin/zipkin-api
 */
#ifndef WEIR_WIRE_ZIPKIN_H
#define WEIR_WIRE_ZIPKIN_H

#include "collector/base/buffer.h"
#include "collector/base/slice.h"

enum zipkin_format { ZIPKIN_JSON, ZIPKIN_PROTO, ZIPKIN_JSON_V1, ZIPKIN_THRIFT };

enum {
    ZIPKIN_MAX_TAGS = 16384, /* of one span; a message with more is refused */
    ZIPKIN_MAX_GROWTH = 16,  /* so many times as long as the message its OTLP can be, beside ZIPKIN_EXTRA */
    ZIPKIN_EXTRA = 1024,
};

struct zipkin_reading {
    enum zipkin_format format;
    bool parse_string_tags; /* tags that spell an integer, a decimal number or a boolean become one */
    uint64_t now_ns;        /* version 1 only: the time of spans that have none */
    size_t spans;           /* out */
    size_t repaired;        /* out: strings that were not UTF-8 */
    size_t offset;          /* out, on failure: where in the message */
    char message[160];      /* out, on failure: "span 3: traceId: expected ..." */
};

/*
 * Appends the ExportTraceServiceRequest of all spans in a message: what otlp_check calls OTLP_OK. False when the message
 * is malformed, `out` is then as long as before; when memory ran out, or out's limit was reached, out->failed is set too.
 */
bool zipkin_read(struct zipkin_reading *reading, struct slice message, struct buffer *out);

/* Writes one message of any number of requests: begin, add for each, end. Zeroed but for the settings. */
struct zipkin_writer {
    enum zipkin_format format;         /* ZIPKIN_JSON or ZIPKIN_PROTO */
    struct slice default_service_name; /* of resources that have no name; borrowed */
    size_t spans;                      /* out: written since begin */
    size_t skipped;                    /* out: spans without a trace or span id */
    struct zipkin_tags *tags;          /* private; owned */
    struct buffer span;                /* private; owned */
};

void zipkin_writer_begin(struct zipkin_writer *writer, struct buffer *out);
/* `payload` is well-formed. False when memory ran out; out->failed is set too. */
bool zipkin_writer_add(struct zipkin_writer *writer, struct slice payload, struct buffer *out);
void zipkin_writer_end(struct zipkin_writer *writer, struct buffer *out);
/* fini of a zeroed writer is fine. */
void zipkin_writer_fini(struct zipkin_writer *writer);

#endif
