/*
 * Zipkin's JSON of version 2, read: each span becomes Zipkin's protobuf in a buffer that serves all of them, and is mapped from there.
 * Cost: one copy of a span beside the mapping. Threads: none of its own; no state.
 */
#include "collector/wire/zipkin_json_fields.h"

static bool read_kind(struct zipkin_json *json, uint32_t number)
{
    static const char *const names[ZIPKIN_KINDS] = { "", "CLIENT", "SERVER", "PRODUCER", "CONSUMER" };
    struct slice text;

    if (!zipkin_json_string(json, &text))
        return false;
    for (unsigned i = ZIPKIN_CLIENT; i < ZIPKIN_KINDS; i++)
        if (slice_equal_string(text, names[i]))
            pb_put_varint(json->out, number, i);
    return true;
}

/* One that is no address is passed over: Zipkin's server does so too. */
static bool read_address(struct zipkin_json *json, uint32_t number)
{
    struct slice text;
    uint8_t address[16];
    size_t size;

    (void)number;
    if (!zipkin_json_string(json, &text))
        return false;
    size = zipkin_address_of(text, address);
    if (size > 0)
        pb_put_bytes(json->out, size == 4 ? ZIPKIN_ENDPOINT_IPV4 : ZIPKIN_ENDPOINT_IPV6, slice_of(address, size));
    return true;
}

static bool read_endpoint(struct zipkin_json *json, uint32_t number)
{
    static const struct zipkin_json_member members[] = {
        { "serviceName", zipkin_json_text, ZIPKIN_ENDPOINT_SERVICE },
        { "ipv4", read_address, 0 },
        { "ipv6", read_address, 0 },
        { "port", zipkin_json_port, ZIPKIN_ENDPOINT_PORT },
        { 0 },
    };
    size_t mark;

    json->member = number == ZIPKIN_SPAN_LOCAL_ENDPOINT ? "localEndpoint" : "remoteEndpoint";
    mark = pb_open(json->out, number);
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

static bool read_tag(struct zipkin_json *json, uint32_t number)
{
    size_t mark = pb_open(json->out, number);

    if (json_peek(&json->text) != '"')
        return json_fault(&json->text, "expected a field name");
    if (!zipkin_json_text(json, ZIPKIN_TAG_KEY))
        return false;
    if (!json_take(&json->text, ':'))
        return json_fault(&json->text, "expected \":\"");
    if (json_peek(&json->text) == 'n' ? !json_literal(&json->text, "null") : !zipkin_json_text(json, ZIPKIN_TAG_VALUE))
        return false;
    pb_close(json->out, mark);
    return true;
}

static bool read_tags(struct zipkin_json *json, uint32_t number)
{
    json->member = "tags";
    if (!json_take(&json->text, '{'))
        return json_fault(&json->text, "expected an object");
    if (json_take(&json->text, '}'))
        return true;
    do {
        if (!read_tag(json, number))
            return false;
    } while (json_take(&json->text, ','));
    return json_take(&json->text, '}') || json_fault(&json->text, "expected \",\" or \"}\"");
}

bool zipkin_read_json(struct zipkin_mapper *mapper, struct slice message)
{
    static const struct zipkin_json_member members[] = {
        { "traceId", zipkin_json_trace_id, ZIPKIN_SPAN_TRACE_ID },
        { "id", zipkin_json_span_id, ZIPKIN_SPAN_ID },
        { "parentId", zipkin_json_span_id, ZIPKIN_SPAN_PARENT_ID },
        { "kind", read_kind, ZIPKIN_SPAN_KIND },
        { "name", zipkin_json_text, ZIPKIN_SPAN_NAME },
        { "timestamp", zipkin_json_fixed, ZIPKIN_SPAN_TIMESTAMP },
        { "duration", zipkin_json_varint, ZIPKIN_SPAN_DURATION },
        { "localEndpoint", read_endpoint, ZIPKIN_SPAN_LOCAL_ENDPOINT },
        { "remoteEndpoint", read_endpoint, ZIPKIN_SPAN_REMOTE_ENDPOINT },
        { "annotations", read_annotations, ZIPKIN_SPAN_ANNOTATION },
        { "tags", read_tags, ZIPKIN_SPAN_TAG },
        { 0 },
    };

    return zipkin_json_message(mapper, message, &(struct zipkin_json_format){ members, zipkin_map_span });
}
