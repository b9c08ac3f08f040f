/*
 * A span of version 2 to an OTLP span.
 *
 * A first scan takes what there is once and fills the table of tags; those that mean something else than an attribute are taken out of it
 * as they are used, and what is left in the end becomes attributes. A second scan writes the annotations. Threads: none of its own.
 */
#include "collector/wire/encoding.h"
#include "collector/wire/json_number.h"
#include "collector/wire/json_value.h"
#include "collector/wire/zipkin_map.h"
#include "collector/wire/zipkin_tags.h"

struct endpoint {
    bool present;
    struct slice service, ipv4, ipv6;
    uint64_t port;
};

struct span {
    struct zipkin_ids ids;
    struct slice name;
    uint64_t kind, timestamp, duration; /* microseconds */
    struct endpoint local, remote;
    bool has_annotations;
};

/* ---- the first scan ---- */

static bool is_type(struct zipkin_mapper *mapper, const struct pb_field *field, enum pb_wire_type type)
{
    return field->type == type || zipkin_fault(mapper->reading, "a field of another type than its own");
}

static bool read_endpoint(struct zipkin_mapper *mapper, struct slice bytes, struct endpoint *endpoint)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;

    endpoint->present = true;
    while (pb_next(&reader, &field)) {
        if (field.number <= ZIPKIN_ENDPOINT_PORT && !is_type(mapper, &field, field.number == ZIPKIN_ENDPOINT_PORT ? PB_VARINT : PB_BYTES))
            return false;
        if (field.number == ZIPKIN_ENDPOINT_SERVICE)
            endpoint->service = field.bytes;
        else if (field.number == ZIPKIN_ENDPOINT_IPV4)
            endpoint->ipv4 = field.bytes;
        else if (field.number == ZIPKIN_ENDPOINT_IPV6)
            endpoint->ipv6 = field.bytes;
        else if (field.number == ZIPKIN_ENDPOINT_PORT)
            endpoint->port = field.scalar;
    }
    return !reader.failed || zipkin_fault(mapper->reading, "endpoint: not well-formed");
}

static bool read_tag(struct zipkin_mapper *mapper, struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct slice key = { NULL, 0 }, value = { NULL, 0 };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number <= ZIPKIN_TAG_VALUE && !is_type(mapper, &field, PB_BYTES))
            return false;
        if (field.number == ZIPKIN_TAG_KEY)
            key = field.bytes;
        else if (field.number == ZIPKIN_TAG_VALUE)
            value = field.bytes;
    }
    if (reader.failed)
        return zipkin_fault(mapper->reading, "tags: not well-formed");
    if (zipkin_tags_set_text(mapper->tags, key, value))
        return true;
    mapper->out->failed |= mapper->tags->count < ZIPKIN_MAX_TAGS;
    return zipkin_fault(mapper->reading, "more tags than a span may have");
}

static bool read_bytes_field(struct zipkin_mapper *mapper, struct span *span, const struct pb_field *field)
{
    if (!is_type(mapper, field, PB_BYTES))
        return false;
    switch (field->number) {
    case ZIPKIN_SPAN_NAME:
        span->name = field->bytes;
        return true;
    case ZIPKIN_SPAN_LOCAL_ENDPOINT:
        return read_endpoint(mapper, field->bytes, &span->local);
    case ZIPKIN_SPAN_REMOTE_ENDPOINT:
        return read_endpoint(mapper, field->bytes, &span->remote);
    case ZIPKIN_SPAN_ANNOTATION:
        span->has_annotations = true;
        return true;
    case ZIPKIN_SPAN_TAG:
        return read_tag(mapper, field->bytes);
    default:
        return zipkin_map_id(mapper, &span->ids, field);
    }
}

static bool read_field(struct zipkin_mapper *mapper, struct span *span, const struct pb_field *field)
{
    switch (field->number) {
    case ZIPKIN_SPAN_KIND:
        span->kind = field->scalar;
        return is_type(mapper, field, PB_VARINT);
    case ZIPKIN_SPAN_TIMESTAMP:
        span->timestamp = field->scalar;
        return is_type(mapper, field, PB_FIXED64);
    case ZIPKIN_SPAN_DURATION:
        span->duration = field->scalar;
        return is_type(mapper, field, PB_VARINT);
    default:
        return field->number > ZIPKIN_SPAN_TAG || read_bytes_field(mapper, span, field);
    }
}

static bool read_span(struct zipkin_mapper *mapper, struct slice bytes, struct span *span)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;

    *span = (struct span){ .kind = ZIPKIN_NO_KIND };
    zipkin_tags_clear(mapper->tags);
    while (pb_next(&reader, &field))
        if (!read_field(mapper, span, &field))
            return false;
    return !reader.failed || zipkin_fault(mapper->reading, "not well-formed");
}

/* ---- resource and scope ---- */

static struct slice take_text(struct zipkin_mapper *mapper, struct slice key)
{
    const struct zipkin_tag *tag = zipkin_tags_take(mapper->tags, key);

    return tag != NULL ? tag->value.bytes : slice_of(NULL, 0);
}

/* What of the service's name the tags do not say themselves. */
static void put_service(struct zipkin_mapper *mapper, const struct span *span)
{
    struct slice key = take_text(mapper, ZIPKIN_KEY_NAME_SOURCE);
    struct otlp_value name = { .kind = OTLP_VALUE_STRING, .bytes = span->local.service };

    if (name.bytes.size == 0 || slice_equal(name.bytes, ZIPKIN_NO_SERVICE))
        return;
    if (key.size == 0)
        key = ZIPKIN_KEY_SERVICE_NAME;
    if (zipkin_tags_find(mapper->tags, key) == NULL || !zipkin_is_resource_key(key))
        zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_RESOURCE, key, &name);
}

static void put_resource(struct zipkin_mapper *mapper, const struct span *span)
{
    buffer_clear(&mapper->resource);
    put_service(mapper, span);
    for (size_t i = 0; i < mapper->tags->count; i++) {
        struct zipkin_tag *tag = &mapper->tags->items[i];
        if (tag->taken || !zipkin_is_resource_key(tag->key))
            continue;
        tag->taken = true;
        zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_RESOURCE, tag->key, &tag->value);
    }
}

/* Both are taken, whichever counts. */
static struct slice take_either(struct zipkin_mapper *mapper, struct slice key, struct slice old_key)
{
    struct slice text = take_text(mapper, key), old = take_text(mapper, old_key);

    return text.size > 0 ? text : old;
}

static void put_scope(struct zipkin_mapper *mapper)
{
    struct slice name = take_either(mapper, ZIPKIN_KEY_SCOPE_NAME, ZIPKIN_KEY_LIBRARY_NAME);
    struct slice version = take_either(mapper, ZIPKIN_KEY_SCOPE_VERSION, ZIPKIN_KEY_LIBRARY_VERSION);

    buffer_clear(&mapper->scope);
    if (name.size > 0)
        zipkin_map_text(mapper, &mapper->scope, 1, name);
    if (version.size > 0)
        zipkin_map_text(mapper, &mapper->scope, 2, version);
}

/* ---- kind and status ---- */

static uint32_t kind_of(struct zipkin_mapper *mapper, const struct span *span)
{
    static const uint8_t kinds[ZIPKIN_KINDS] = {
        [ZIPKIN_CLIENT] = KIND_CLIENT, [ZIPKIN_SERVER] = KIND_SERVER, [ZIPKIN_PRODUCER] = KIND_PRODUCER, [ZIPKIN_CONSUMER] = KIND_CONSUMER
    };

    if (span->kind != ZIPKIN_NO_KIND && span->kind < ZIPKIN_KINDS)
        return kinds[span->kind];
    return slice_equal(take_text(mapper, ZIPKIN_KEY_SPAN_KIND), SLICE("internal")) ? KIND_INTERNAL : 0;
}

static uint32_t code_of(struct slice word)
{
    if (slice_equal(word, SLICE("STATUS_CODE_OK")) || slice_equal(word, SLICE("Ok")) || slice_equal(word, SLICE("OK")))
        return STATUS_OK;
    if (slice_equal(word, SLICE("STATUS_CODE_ERROR")) || slice_equal(word, SLICE("Error")) || slice_equal(word, SLICE("ERROR")))
        return STATUS_ERROR;
    return STATUS_UNSET;
}

static void put_status(struct zipkin_mapper *mapper)
{
    const struct zipkin_tag *status = zipkin_tags_take(mapper->tags, ZIPKIN_KEY_STATUS_CODE);
    struct zipkin_tag *error = zipkin_tags_find(mapper->tags, ZIPKIN_KEY_ERROR);
    struct slice text = { NULL, 0 };
    uint32_t code = STATUS_UNSET;

    if (status != NULL) {
        code = code_of(status->value.bytes);
        text = take_text(mapper, ZIPKIN_KEY_STATUS_TEXT);
    }
    if (error != NULL) {
        code = STATUS_ERROR;
        error->taken = slice_equal(error->value.bytes, SLICE("true")); /* another text says more than the status does */
    }
    zipkin_map_status(mapper, code, text);
}

/* ---- events and links, which travel as text: parts with "|" between ---- */

static bool cut(struct slice *text, struct slice *part)
{
    const uint8_t *bar = text->size > 0 ? memchr(text->data, '|', text->size) : NULL;

    if (bar == NULL)
        return false;
    *part = slice_of(text->data, (size_t)(bar - text->data));
    *text = slice_of(bar + 1, text->size - part->size - 1);
    return true;
}

struct tail {
    struct slice attributes; /* an AnyValue that is a map, or empty */
    uint64_t dropped;
};

/* "{attributes as JSON}|dropped attributes": the JSON may hold bars as well. False: it is something else. */
static bool read_tail(struct zipkin_mapper *mapper, struct slice text, struct tail *tail)
{
    const uint8_t *bar = text.size > 0 ? memrchr(text.data, '|', text.size) : NULL;
    struct json_text number;

    if (bar == NULL || text.data[0] != '{')
        return false;
    number = (struct json_text){ bar + 1, text.data + text.size, NULL };
    if (number.at == number.end || *number.at < '0' || *number.at > '9' || !json_read_unsigned(&number, UINT32_MAX, &tail->dropped))
        return false;
    buffer_clear(&mapper->value);
    if (number.at != number.end || !json_read_value(slice_of(text.data, (size_t)(bar - text.data)), &mapper->value, NULL))
        return false;
    tail->attributes = otlp_value_of(buffer_slice(&mapper->value)).bytes;
    return true;
}

static void put_tail(struct zipkin_mapper *mapper, const struct tail *tail, uint32_t field, uint32_t dropped_field)
{
    struct pb_reader reader = pb_reader_of(tail->attributes);
    struct pb_field attribute;

    while (pb_next(&reader, &attribute))
        pb_put_bytes(mapper->out, field, attribute.bytes);
    if (tail->dropped > 0)
        pb_put_varint(mapper->out, dropped_field, tail->dropped);
}

/* An id within a link: none, or all of its digits, with quotes or without. */
static bool read_link_id(struct slice text, uint8_t *id, size_t size)
{
    if (text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"')
        text = slice_of(text.data + 1, text.size - 2);
    memset(id, 0, size);
    return text.size == 0 || (text.size == size * 2 && encoding_read_hex(text, id));
}

/* "trace id|span id|trace state|{attributes as JSON}|dropped attributes" */
static bool put_link(struct zipkin_mapper *mapper, struct slice text)
{
    struct slice trace_text, span_text, state;
    uint8_t trace_id[16], span_id[8];
    struct tail tail;
    size_t mark;

    if (!cut(&text, &trace_text) || !cut(&text, &span_text) || !cut(&text, &state))
        return false;
    if (!read_link_id(trace_text, trace_id, 16) || !read_link_id(span_text, span_id, 8) || !read_tail(mapper, text, &tail))
        return false;
    mark = pb_open(mapper->out, SPAN_LINK);
    pb_put_bytes(mapper->out, LINK_TRACE_ID, slice_of(trace_id, 16));
    pb_put_bytes(mapper->out, LINK_SPAN_ID, slice_of(span_id, 8));
    if (state.size > 0)
        zipkin_map_text(mapper, mapper->out, LINK_TRACE_STATE, state);
    put_tail(mapper, &tail, LINK_ATTRIBUTE, LINK_DROPPED);
    pb_close(mapper->out, mark);
    return true;
}

static void put_links(struct zipkin_mapper *mapper)
{
    char key[ZIPKIN_LINK_KEY_SIZE];

    for (size_t i = 0; i < ZIPKIN_MAX_LINKS; i++) {
        struct zipkin_tag *tag = zipkin_tags_find(mapper->tags, zipkin_link_key(i, key));
        if (tag == NULL)
            return;
        tag->taken = put_link(mapper, tag->value.bytes);
    }
}

static void put_event(struct zipkin_mapper *mapper, uint64_t micros, struct slice value)
{
    struct slice name = value, rest = value;
    struct tail tail = { { NULL, 0 }, 0 };
    size_t mark = pb_open(mapper->out, SPAN_EVENT);

    if (!cut(&rest, &name) || !read_tail(mapper, rest, &tail)) {
        name = value;
        tail = (struct tail){ { NULL, 0 }, 0 };
    }
    pb_put_fixed64(mapper->out, EVENT_TIME, zipkin_nanos(micros));
    if (name.size > 0)
        zipkin_map_text(mapper, mapper->out, EVENT_NAME, name);
    put_tail(mapper, &tail, EVENT_ATTRIBUTE, EVENT_DROPPED);
    pb_close(mapper->out, mark);
}

static bool put_annotation(struct zipkin_mapper *mapper, struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct slice value = { NULL, 0 };
    struct pb_field field;
    uint64_t micros = 0;

    while (pb_next(&reader, &field)) {
        if (field.number == ZIPKIN_ANNOTATION_TIMESTAMP && is_type(mapper, &field, PB_FIXED64))
            micros = field.scalar;
        else if (field.number == ZIPKIN_ANNOTATION_VALUE && is_type(mapper, &field, PB_BYTES))
            value = field.bytes;
        else if (field.number <= ZIPKIN_ANNOTATION_VALUE)
            return false;
    }
    if (reader.failed)
        return zipkin_fault(mapper->reading, "annotations: not well-formed");
    put_event(mapper, micros, value);
    return true;
}

static bool put_annotations(struct zipkin_mapper *mapper, struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;

    while (pb_next(&reader, &field))
        if (field.number == ZIPKIN_SPAN_ANNOTATION && !put_annotation(mapper, field.bytes))
            return false;
    return true;
}

/* ---- attributes ---- */

static void put_text(struct zipkin_mapper *mapper, struct slice key, struct slice text)
{
    zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_SPAN, key, &(struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = text });
}

struct endpoint_keys {
    struct slice name, address, port;
};

/* The endpoint's word counts, whatever a tag of that name says. */
static void put_endpoint(struct zipkin_mapper *mapper, const struct endpoint *endpoint, const struct endpoint_keys *keys)
{
    char text[ZIPKIN_ADDRESS_SIZE];
    struct slice address = zipkin_address_text(endpoint->ipv6.size > 0 ? endpoint->ipv6 : endpoint->ipv4, text);

    if (keys->name.size > 0 && endpoint->service.size > 0) {
        zipkin_tags_take(mapper->tags, keys->name);
        put_text(mapper, keys->name, endpoint->service);
    }
    if (address.size > 0) {
        zipkin_tags_take(mapper->tags, keys->address);
        put_text(mapper, keys->address, address);
    }
    if (endpoint->port > 0 && endpoint->port <= UINT16_MAX) {
        struct otlp_value port = { .kind = OTLP_VALUE_INT, .integer = (int64_t)endpoint->port };
        zipkin_tags_take(mapper->tags, keys->port);
        zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_SPAN, keys->port, &port);
    }
}

static void put_tags(struct zipkin_mapper *mapper)
{
    bool has_http_status = zipkin_tags_find(mapper->tags, ZIPKIN_KEY_HTTP_STATUS) != NULL;

    for (size_t i = 0; i < mapper->tags->count; i++) {
        const struct zipkin_tag *tag = &mapper->tags->items[i];
        struct otlp_value value = zipkin_value_of(mapper->reading, tag->value.bytes);
        bool is_status = slice_equal(tag->key, ZIPKIN_KEY_OLD_HTTP_STATUS);
        if (!tag->taken && !(is_status && has_http_status))
            zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_SPAN, is_status ? ZIPKIN_KEY_HTTP_STATUS : tag->key, &value);
    }
}

static void put_attributes(struct zipkin_mapper *mapper, const struct span *span)
{
    static const struct otlp_value is_true = { .kind = OTLP_VALUE_BOOL, .integer = 1 };

    if (span->timestamp == 0)
        zipkin_tags_take(mapper->tags, ZIPKIN_KEY_NO_START);
    put_endpoint(mapper, &span->local, &(struct endpoint_keys){ { NULL, 0 }, ZIPKIN_KEY_HOST_IP, ZIPKIN_KEY_HOST_PORT });
    put_endpoint(mapper, &span->remote, &(struct endpoint_keys){ ZIPKIN_KEY_PEER_NAME, ZIPKIN_KEY_PEER_IP, ZIPKIN_KEY_PEER_PORT });
    put_tags(mapper);
    if (span->timestamp == 0)
        zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_SPAN, ZIPKIN_KEY_NO_START, &is_true);
}

/* ---- the span ---- */

static void put_times(struct zipkin_mapper *mapper, const struct span *span)
{
    uint64_t start = zipkin_nanos(span->timestamp), end = start + zipkin_nanos(span->duration);

    if (start > 0)
        pb_put_fixed64(mapper->out, SPAN_START, start);
    if (end > 0)
        pb_put_fixed64(mapper->out, SPAN_END, end);
}

bool zipkin_map_span(struct zipkin_mapper *mapper, struct slice bytes)
{
    struct slice trace_state;
    struct span span;
    uint32_t kind;
    size_t mark;

    if (!read_span(mapper, bytes, &span))
        return false;
    put_resource(mapper, &span);
    put_scope(mapper);
    mark = zipkin_map_open(mapper, &span.ids);
    if (mark == 0)
        return false;
    trace_state = take_text(mapper, ZIPKIN_KEY_TRACE_STATE);
    if (trace_state.size > 0)
        zipkin_map_text(mapper, mapper->out, SPAN_TRACE_STATE, trace_state);
    if (span.name.size > 0)
        zipkin_map_text(mapper, mapper->out, SPAN_NAME, span.name);
    kind = kind_of(mapper, &span);
    if (kind != 0)
        pb_put_varint(mapper->out, SPAN_KIND, kind);
    put_times(mapper, &span);
    put_status(mapper);
    put_links(mapper);
    put_attributes(mapper, &span);
    if (span.has_annotations && !put_annotations(mapper, bytes))
        return false;
    pb_close(mapper->out, mark);
    mapper->reading->spans++;
    return true;
}
