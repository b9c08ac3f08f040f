/*
 * Zipkin's JSON of version 1, read: each span becomes the protobuf that Thrift's spans become too (zipkin_span.h), and is mapped from there.
 * Cost: one copy of a span beside the mapping. Threads: none of its own; no state.
 */
#include "collector/wire/zipkin_json_fields.h"

static bool read_host(struct zipkin_json *json, uint32_t number)
{
    static const struct zipkin_json_member members[] = {
        { "serviceName", zipkin_json_text, ZIPKIN_ENDPOINT_SERVICE },
        { "ipv4", zipkin_json_text, ZIPKIN_ENDPOINT_IPV4 },
        { "ipv6", zipkin_json_text, ZIPKIN_ENDPOINT_IPV6 },
        { "port", zipkin_json_port, ZIPKIN_ENDPOINT_PORT },
        { 0 },
    };
    size_t mark = pb_open(json->out, number);

    if (!zipkin_json_object(json, members))
        return false;
    pb_close(json->out, mark);
    return true;
}

static bool read_annotation(struct zipkin_json *json, uint32_t number)
{
    static const struct zipkin_json_member members[] = {
        { "timestamp", zipkin_json_fixed, ZIPKIN_ANNOTATION_TIMESTAMP },
        { "value", zipkin_json_text, ZIPKIN_ANNOTATION_VALUE },
        { "endpoint", read_host, ZIPKIN_ANNOTATION_HOST },
        { 0 },
    };
    size_t mark = pb_open(json->out, number);

    if (!zipkin_json_object(json, members))
        return false;
    pb_close(json->out, mark);
    return true;
}

/* A string; or a boolean, which is how addresses ("sa", "ca") are said. */
static bool read_value(struct zipkin_json *json, uint32_t number)
{
    uint8_t first = json_peek(&json->text);
    uint8_t is_true = first == 't';

    if (first != 't' && first != 'f') {
        pb_put_varint(json->out, ZIPKIN_TAG_TYPE, ZIPKIN_STRING);
        return zipkin_json_text(json, number);
    }
    pb_put_varint(json->out, ZIPKIN_TAG_TYPE, ZIPKIN_BOOL);
    pb_put_bytes(json->out, number, slice_of(&is_true, 1));
    return json_literal(&json->text, is_true ? "true" : "false");
}

static bool read_binary_annotation(struct zipkin_json *json, uint32_t number)
{
    static const struct zipkin_json_member members[] = {
        { "key", zipkin_json_text, ZIPKIN_TAG_KEY },
        { "value", read_value, ZIPKIN_TAG_VALUE },
        { "endpoint", read_host, ZIPKIN_TAG_HOST },
        { 0 },
    };
    size_t mark = pb_open(json->out, number);

    if (!zipkin_json_object(json, members))
        return false;
    pb_close(json->out, mark);
    return true;
}

static bool read_annotations(struct zipkin_json *json, uint32_t number)
{
    json->member = "annotations";
    return zipkin_json_list(json, number, read_annotation);
}

static bool read_binary_annotations(struct zipkin_json *json, uint32_t number)
{
    json->member = "binaryAnnotations";
    return zipkin_json_list(json, number, read_binary_annotation);
}

bool zipkin_read_json_v1(struct zipkin_mapper *mapper, struct slice message)
{
    static const struct zipkin_json_member members[] = {
        { "traceId", zipkin_json_trace_id, ZIPKIN_SPAN_TRACE_ID },
        { "id", zipkin_json_span_id, ZIPKIN_SPAN_ID },
        { "parentId", zipkin_json_span_id, ZIPKIN_SPAN_PARENT_ID },
        { "name", zipkin_json_text, ZIPKIN_SPAN_NAME },
        { "timestamp", zipkin_json_fixed, ZIPKIN_SPAN_TIMESTAMP },
        { "duration", zipkin_json_varint, ZIPKIN_SPAN_DURATION },
        { "annotations", read_annotations, ZIPKIN_SPAN_ANNOTATION },
        { "binaryAnnotations", read_binary_annotations, ZIPKIN_SPAN_BINARY_ANNOTATION },
        { 0 },
    };

    return zipkin_json_message(mapper, message, &(struct zipkin_json_format){ members, zipkin_map_v1_span });
}
