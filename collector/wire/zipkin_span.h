/*
 * What the readers and writers of Zipkin's formats have between them: one span as protobuf. That of version 2 is Zipkin's own message
 * (zipkin.proto, package zipkin.proto3), so that protobuf needs no translation at all; that of version 1 adds to it what Thrift
 * (zipkinCore.thrift) has and version 2 dropped. Internal to collector/wire.
 */
#ifndef WEIR_WIRE_ZIPKIN_SPAN_H
#define WEIR_WIRE_ZIPKIN_SPAN_H

#include "collector/wire/otlp.h"
#include "collector/wire/zipkin.h"

enum zipkin_list_field { ZIPKIN_LIST_SPANS = 1 };

enum zipkin_span_field {
    ZIPKIN_SPAN_TRACE_ID = 1,
    ZIPKIN_SPAN_PARENT_ID = 2,
    ZIPKIN_SPAN_ID = 3,
    ZIPKIN_SPAN_KIND = 4,
    ZIPKIN_SPAN_NAME = 5,
    ZIPKIN_SPAN_TIMESTAMP = 6, /* microseconds */
    ZIPKIN_SPAN_DURATION = 7,  /* microseconds */
    ZIPKIN_SPAN_LOCAL_ENDPOINT = 8,
    ZIPKIN_SPAN_REMOTE_ENDPOINT = 9,
    ZIPKIN_SPAN_ANNOTATION = 10,
    ZIPKIN_SPAN_TAG = 11,
    ZIPKIN_SPAN_BINARY_ANNOTATION = 100, /* version 1 only, and of our own making */
};

enum zipkin_kind { ZIPKIN_NO_KIND, ZIPKIN_CLIENT, ZIPKIN_SERVER, ZIPKIN_PRODUCER, ZIPKIN_CONSUMER, ZIPKIN_KINDS };

/* The addresses are 4 and 16 bytes; those of version 1 are text. */
enum zipkin_endpoint_field { ZIPKIN_ENDPOINT_SERVICE = 1, ZIPKIN_ENDPOINT_IPV4 = 2, ZIPKIN_ENDPOINT_IPV6 = 3, ZIPKIN_ENDPOINT_PORT = 4 };

enum zipkin_annotation_field {
    ZIPKIN_ANNOTATION_TIMESTAMP = 1,
    ZIPKIN_ANNOTATION_VALUE = 2,
    ZIPKIN_ANNOTATION_HOST = 3 /* version 1 only */
};

enum zipkin_tag_field {
    ZIPKIN_TAG_KEY = 1,
    ZIPKIN_TAG_VALUE = 2,
    ZIPKIN_TAG_TYPE = 3,
    ZIPKIN_TAG_HOST = 4 /* the last two of version 1 only */
};

/* Thrift's AnnotationType. */
enum zipkin_type { ZIPKIN_BOOL, ZIPKIN_BYTES, ZIPKIN_I16, ZIPKIN_I32, ZIPKIN_I64, ZIPKIN_DOUBLE, ZIPKIN_STRING };

/* ---- names that both directions know ---- */

#define ZIPKIN_KEY_SERVICE_NAME SLICE("service.name")
#define ZIPKIN_KEY_NAME_SOURCE SLICE("otlp.service.name.source")
#define ZIPKIN_KEY_SCOPE_NAME SLICE("otel.scope.name")
#define ZIPKIN_KEY_SCOPE_VERSION SLICE("otel.scope.version")
#define ZIPKIN_KEY_LIBRARY_NAME SLICE("otel.library.name")
#define ZIPKIN_KEY_LIBRARY_VERSION SLICE("otel.library.version")
#define ZIPKIN_KEY_STATUS_CODE SLICE("otel.status_code")
#define ZIPKIN_KEY_STATUS_TEXT SLICE("otel.status_description")
#define ZIPKIN_KEY_ERROR SLICE("error")
#define ZIPKIN_KEY_TRACE_STATE SLICE("w3c.tracestate")
#define ZIPKIN_KEY_SPAN_KIND SLICE("span.kind")
#define ZIPKIN_KEY_NO_START SLICE("otel.zipkin.absentField.startTime")
#define ZIPKIN_KEY_HTTP_STATUS SLICE("http.response.status_code")
#define ZIPKIN_KEY_OLD_HTTP_STATUS SLICE("http.status_code")
#define ZIPKIN_KEY_HOST_IP SLICE("network.local.address")
#define ZIPKIN_KEY_HOST_PORT SLICE("net.host.port")
#define ZIPKIN_KEY_PEER_NAME SLICE("service.peer.name")
#define ZIPKIN_KEY_PEER_IP SLICE("network.peer.address")
#define ZIPKIN_KEY_PEER_PORT SLICE("net.peer.port")

/* What the collector calls a service without a name. */
#define ZIPKIN_NO_SERVICE SLICE("OTLPResourceNoServiceName")

enum { ZIPKIN_MAX_LINKS = 128, ZIPKIN_LINK_KEY_SIZE = 24 };
/* "otlp.link.7" */
struct slice zipkin_link_key(size_t index, char out[ZIPKIN_LINK_KEY_SIZE]);

/* Whether a tag of that name belongs to the resource and not to the span. */
bool zipkin_is_resource_key(struct slice key);

/* ---- one span to OTLP (zipkin_map*.c) ---- */

struct zipkin_mapper {
    struct zipkin_reading *reading;
    struct buffer *out;
    struct zipkin_tags *tags;
    struct buffer resource, scope;           /* of the span at hand: contents of Resource and InstrumentationScope */
    struct buffer open_resource, open_scope; /* of the groups that are open */
    struct buffer value;                     /* scratch */
    size_t group_mark, scope_mark;           /* of the open groups; 0: none */
};

/* Each appends one span, opening groups as needed. False: reading->message says why, or memory is out. */
bool zipkin_map_span(struct zipkin_mapper *mapper, struct slice span);
bool zipkin_map_v1_span(struct zipkin_mapper *mapper, struct slice span);

/* Parts of the two. */
struct zipkin_ids {
    uint8_t trace_id[16], span_id[8], parent_id[8];
    bool has_trace_id, has_span_id, has_parent;
};
bool zipkin_map_id(struct zipkin_mapper *mapper, struct zipkin_ids *ids, const struct pb_field *field);
/* Checks that the ids are there, and opens Span with them; returns the mark to close it with, 0 when they are not. */
size_t zipkin_map_open(struct zipkin_mapper *mapper, const struct zipkin_ids *ids);
void zipkin_map_groups(struct zipkin_mapper *mapper);
/* Text as field `number`, repaired where it is not UTF-8. */
void zipkin_map_text(struct zipkin_mapper *mapper, struct buffer *out, uint32_t number, struct slice text);
void zipkin_map_attribute(struct zipkin_mapper *mapper, uint32_t field, struct slice key, const struct otlp_value *value);
void zipkin_map_status(struct zipkin_mapper *mapper, uint32_t code, struct slice text);
/* A text as it is, or as the number or boolean that it spells, if that is wanted. */
struct otlp_value zipkin_value_of(const struct zipkin_reading *reading, struct slice text);
bool zipkin_fault(struct zipkin_reading *reading, const char *what);
uint64_t zipkin_nanos(uint64_t micros);

/* ---- formats to spans: each gives every span of the message to its map function ---- */

bool zipkin_read_json(struct zipkin_mapper *mapper, struct slice message);
bool zipkin_read_json_v1(struct zipkin_mapper *mapper, struct slice message);
bool zipkin_read_proto(struct zipkin_mapper *mapper, struct slice message);
bool zipkin_read_thrift(struct zipkin_mapper *mapper, struct slice message);

/* One span of version 2 as JSON, from what zipkin_write.c wrote: fields in their numbers' order. */
void zipkin_write_json_span(struct slice span, struct buffer *out);

/* An address as text, 4 or 16 bytes; an IPv4 address within IPv6 is written as IPv4. Empty when it is of another length. */
enum { ZIPKIN_ADDRESS_SIZE = 48 };
struct slice zipkin_address_text(struct slice address, char out[ZIPKIN_ADDRESS_SIZE]);
/* Bytes of the address that the text spells, 4 or 16; 0: none. */
size_t zipkin_address_of(struct slice text, uint8_t out[16]);

#endif
