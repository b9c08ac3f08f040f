/*
 * OTLP to Zipkin: each span becomes Zipkin's protobuf, with the attributes of its resource and scope among its tags; JSON is made of that.
 *
 * The tags are gathered in one table, so that a span's attribute counts before its scope's and its resource's of the same name.
 * Cost: a hash for each attribute of span, scope and resource, for each span; nothing is allocated once the table is warm.
 * Limits: attributes beyond ZIPKIN_MAX_TAGS, and links beyond ZIPKIN_MAX_LINKS, are left out. Threads: none of its own.
 */
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"
#include "collector/wire/zipkin_map.h"
#include "collector/wire/zipkin_tags.h"

/* What is the same for all spans of a scope group. */
struct context {
    struct slice resource, scope;      /* contents of the messages */
    struct slice service, service_key; /* service_key: the attribute that named it; empty when nothing did */
    struct slice scope_name, scope_version;
};

/* ---- values as text ---- */

static void write_number(double number, struct buffer *out)
{
    if (number != number)
        buffer_append_string(out, "NaN");
    else if (number - number != 0)
        buffer_append_string(out, number > 0 ? "Infinity" : "-Infinity");
    else if (buffer_reserve(out, DECIMAL_SIZE))
        out->size += decimal_write_double(number, (char *)out->data + out->size);
}

static void write_integer(int64_t number, struct buffer *out)
{
    if (buffer_reserve(out, DECIMAL_SIZE))
        out->size += decimal_write_int64(number, (char *)out->data + out->size);
}

/* Lists and maps are JSON. */
static void write_nested(const struct otlp_value *value, struct buffer *out)
{
    struct buffer any_value = { 0 };

    pb_put_bytes(&any_value, (uint32_t)value->kind, value->bytes);
    json_write_value(buffer_slice(&any_value), out);
    out->failed |= any_value.failed;
    buffer_fini(&any_value);
}

static void write_text(const struct otlp_value *value, struct buffer *out)
{
    switch (value->kind) {
    case OTLP_VALUE_EMPTY:
        return;
    case OTLP_VALUE_STRING:
        buffer_append_slice(out, value->bytes);
        return;
    case OTLP_VALUE_BOOL:
        buffer_append_string(out, value->integer != 0 ? "true" : "false");
        return;
    case OTLP_VALUE_INT:
        write_integer(value->integer, out);
        return;
    case OTLP_VALUE_DOUBLE:
        write_number(value->number, out);
        return;
    case OTLP_VALUE_BYTES:
        encoding_write_base64(value->bytes, out);
        return;
    case OTLP_VALUE_ARRAY:
    case OTLP_VALUE_MAP:
        write_nested(value, out);
        return;
    }
}

static void put_tag(struct buffer *out, struct slice key, const struct otlp_value *value)
{
    size_t tag = pb_open(out, ZIPKIN_SPAN_TAG), text;

    pb_put_bytes(out, ZIPKIN_TAG_KEY, key);
    text = pb_open(out, ZIPKIN_TAG_VALUE);
    write_text(value, out);
    pb_close(out, text);
    pb_close(out, tag);
}

/* ---- resource and scope ---- */

static void read_service(struct zipkin_writer *writer, struct context *context)
{
    static const struct slice keys[] = { SLICE_INIT("service.name"), SLICE_INIT("faas.name"), SLICE_INIT("k8s.deployment.name"),
        SLICE_INIT("process.executable.name") };
    struct otlp_value value;

    context->service = writer->default_service_name;
    context->service_key = slice_of(NULL, 0);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!otlp_find_attribute(context->resource, OTLP_ATTRIBUTES_OF_RESOURCE, keys[i], &value) || value.kind != OTLP_VALUE_STRING)
            continue;
        context->service = value.bytes;
        context->service_key = keys[i];
        return;
    }
}

static void read_scope(struct context *context, struct slice scope)
{
    struct pb_reader reader = pb_reader_of(scope);
    struct pb_field field;

    context->scope = scope;
    context->scope_name = context->scope_version = slice_of(NULL, 0);
    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            context->scope_name = field.bytes;
        else if (field.number == 2)
            context->scope_version = field.bytes;
    }
}

/* ---- tags ---- */

static void gather(struct zipkin_tags *tags, struct slice message, enum otlp_attributes_field number)
{
    struct otlp_attributes attributes = otlp_attributes(message, number);
    struct otlp_attribute attribute;

    while (otlp_next_attribute(&attributes, &attribute))
        zipkin_tags_set(tags, attribute.key, &attribute.value);
}

static void set_text(struct zipkin_tags *tags, struct slice key, struct slice text)
{
    if (text.size > 0)
        zipkin_tags_set_text(tags, key, text);
}

static void gather_status(struct zipkin_tags *tags, const struct otlp_span *span)
{
    if (span->status_code == STATUS_ERROR)
        zipkin_tags_set_text(tags, ZIPKIN_KEY_ERROR, SLICE("true"));
    else
        zipkin_tags_take(tags, ZIPKIN_KEY_ERROR); /* Zipkin shows a span with such a tag as failed, whatever it says */
    if (span->status_code == STATUS_UNSET)
        return;
    set_text(tags, ZIPKIN_KEY_STATUS_CODE, span->status_code == STATUS_OK ? SLICE("STATUS_CODE_OK") : SLICE("STATUS_CODE_ERROR"));
    set_text(tags, ZIPKIN_KEY_STATUS_TEXT, span->status_message);
}

static void gather_tags(struct zipkin_tags *tags, const struct context *context, const struct otlp_span *span)
{
    const struct zipkin_tag *http;

    zipkin_tags_clear(tags);
    gather(tags, context->resource, OTLP_ATTRIBUTES_OF_RESOURCE);
    if (context->service_key.size > 0) {
        zipkin_tags_take(tags, context->service_key);
        if (!slice_equal(context->service_key, ZIPKIN_KEY_SERVICE_NAME))
            zipkin_tags_set_text(tags, ZIPKIN_KEY_NAME_SOURCE, context->service_key);
    }
    gather(tags, context->scope, OTLP_ATTRIBUTES_OF_SCOPE);
    set_text(tags, ZIPKIN_KEY_SCOPE_NAME, context->scope_name);
    set_text(tags, ZIPKIN_KEY_SCOPE_VERSION, context->scope_version);
    gather(tags, span->body, OTLP_ATTRIBUTES_OF_SPAN);
    http = zipkin_tags_find(tags, ZIPKIN_KEY_HTTP_STATUS);
    if (http != NULL && zipkin_tags_find(tags, ZIPKIN_KEY_OLD_HTTP_STATUS) == NULL) {
        struct otlp_value value = http->value; /* the table may move */
        zipkin_tags_set(tags, ZIPKIN_KEY_OLD_HTTP_STATUS, &value);
    }
    set_text(tags, ZIPKIN_KEY_TRACE_STATE, span->trace_state);
    if (span->kind == KIND_INTERNAL)
        zipkin_tags_set_text(tags, ZIPKIN_KEY_SPAN_KIND, SLICE("internal"));
    gather_status(tags, span);
}

/* ---- endpoints ---- */

struct endpoint {
    uint8_t address[16];
    size_t address_size; /* 0: none */
    uint64_t port;       /* 0: none */
    struct zipkin_tag *address_tag, *port_tag;
};

static struct endpoint find_endpoint(struct zipkin_tags *tags, const struct slice addresses[2], struct slice port)
{
    struct endpoint endpoint = { .port_tag = zipkin_tags_find(tags, port) };
    struct decimal decimal;

    for (int i = 0; i < 2 && endpoint.address_size == 0; i++) {
        endpoint.address_tag = zipkin_tags_find(tags, addresses[i]);
        if (endpoint.address_tag != NULL && endpoint.address_tag->value.kind == OTLP_VALUE_STRING)
            endpoint.address_size = zipkin_address_of(endpoint.address_tag->value.bytes, endpoint.address);
    }
    if (endpoint.port_tag == NULL)
        return endpoint;
    endpoint.port = (uint64_t)endpoint.port_tag->value.integer;
    if (endpoint.port_tag->value.kind == OTLP_VALUE_STRING &&
        (!decimal_scan(endpoint.port_tag->value.bytes, &decimal) || !decimal_to_uint64(&decimal, &endpoint.port)))
        endpoint.port = 0;
    endpoint.port = endpoint.port <= UINT16_MAX ? endpoint.port : 0;
    return endpoint;
}

/* Zipkin's names are in lower case. */
static void put_lower(struct buffer *out, uint32_t number, struct slice text)
{
    size_t mark = pb_open(out, number), from = out->size;

    buffer_append_slice(out, text);
    for (size_t i = from; i < out->size; i++)
        if (out->data[i] >= 'A' && out->data[i] <= 'Z')
            out->data[i] |= 0x20;
    pb_close(out, mark);
}

/* An endpoint without a name and an address is none; its tags stay tags. */
static void put_endpoint(struct buffer *out, uint32_t number, struct slice service, const struct endpoint *endpoint)
{
    size_t mark;

    if (service.size == 0 && endpoint->address_size == 0)
        return;
    mark = pb_open(out, number);
    if (service.size > 0)
        put_lower(out, ZIPKIN_ENDPOINT_SERVICE, service);
    if (endpoint->address_size > 0) {
        uint32_t field = endpoint->address_size == 4 ? ZIPKIN_ENDPOINT_IPV4 : ZIPKIN_ENDPOINT_IPV6;
        pb_put_bytes(out, field, slice_of(endpoint->address, endpoint->address_size));
        endpoint->address_tag->taken = true;
    }
    if (endpoint->port > 0) {
        pb_put_varint(out, ZIPKIN_ENDPOINT_PORT, endpoint->port);
        endpoint->port_tag->taken = true;
    }
    pb_close(out, mark);
}

static void put_endpoints(struct zipkin_writer *writer, const struct context *context)
{
    static const struct slice hosts[2] = { SLICE_INIT("network.local.address"), SLICE_INIT("net.host.ip") };
    static const struct slice peers[2] = { SLICE_INIT("network.peer.address"), SLICE_INIT("net.peer.ip") };
    struct endpoint local = find_endpoint(writer->tags, hosts, ZIPKIN_KEY_HOST_PORT);
    struct endpoint remote = find_endpoint(writer->tags, peers, ZIPKIN_KEY_PEER_PORT);
    struct zipkin_tag *peer = zipkin_tags_find(writer->tags, ZIPKIN_KEY_PEER_NAME);
    struct slice name = { NULL, 0 };

    if (peer == NULL)
        peer = zipkin_tags_find(writer->tags, SLICE("peer.service"));
    if (peer != NULL && peer->value.kind == OTLP_VALUE_STRING) {
        name = peer->value.bytes;
        peer->taken = true;
    }
    put_endpoint(&writer->span, ZIPKIN_SPAN_LOCAL_ENDPOINT, context->service, &local);
    put_endpoint(&writer->span, ZIPKIN_SPAN_REMOTE_ENDPOINT, name, &remote);
}

/* ---- events and links ---- */

static void put_tail(struct buffer *out, struct slice message, enum otlp_attributes_field field, uint64_t dropped)
{
    json_write_attributes(message, field, out);
    buffer_append_byte(out, '|');
    write_integer((int64_t)dropped, out);
}

static void put_event(struct buffer *out, struct slice event)
{
    struct pb_reader reader = pb_reader_of(event);
    uint64_t time = 0, dropped = 0;
    struct slice name = { NULL, 0 };
    struct pb_field field;
    bool attributes = false;
    size_t mark, value;

    while (pb_next(&reader, &field)) {
        if (field.number == EVENT_TIME)
            time = field.scalar;
        else if (field.number == EVENT_NAME)
            name = field.bytes;
        else if (field.number == EVENT_DROPPED)
            dropped = (uint32_t)field.scalar;
        attributes |= field.number == EVENT_ATTRIBUTE;
    }
    mark = pb_open(out, ZIPKIN_SPAN_ANNOTATION);
    pb_put_fixed64(out, ZIPKIN_ANNOTATION_TIMESTAMP, time / 1000 + (time % 1000 >= 500));
    value = pb_open(out, ZIPKIN_ANNOTATION_VALUE);
    buffer_append_slice(out, name);
    if (attributes || dropped > 0) {
        buffer_append_byte(out, '|');
        put_tail(out, event, OTLP_ATTRIBUTES_OF_SPAN_EVENT, dropped);
    }
    pb_close(out, value);
    pb_close(out, mark);
}

static void put_hex(struct buffer *out, struct slice id)
{
    if (!buffer_reserve(out, id.size * 2))
        return;
    encoding_write_hex(id, (char *)out->data + out->size);
    out->size += id.size * 2;
}

static void put_link(struct buffer *out, struct slice key, struct slice link)
{
    struct pb_reader reader = pb_reader_of(link);
    struct slice trace_id = { NULL, 0 }, span_id = { NULL, 0 }, state = { NULL, 0 };
    struct pb_field field;
    uint64_t dropped = 0;
    size_t mark, value;

    while (pb_next(&reader, &field)) {
        if (field.number == LINK_TRACE_ID)
            trace_id = field.bytes;
        else if (field.number == LINK_SPAN_ID)
            span_id = field.bytes;
        else if (field.number == LINK_TRACE_STATE)
            state = field.bytes;
        else if (field.number == LINK_DROPPED)
            dropped = (uint32_t)field.scalar;
    }
    mark = pb_open(out, ZIPKIN_SPAN_TAG);
    pb_put_bytes(out, ZIPKIN_TAG_KEY, key);
    value = pb_open(out, ZIPKIN_TAG_VALUE);
    put_hex(out, trace_id);
    buffer_append_byte(out, '|');
    put_hex(out, span_id);
    buffer_append_byte(out, '|');
    buffer_append_slice(out, state);
    buffer_append_byte(out, '|');
    put_tail(out, link, OTLP_ATTRIBUTES_OF_SPAN_LINK, dropped);
    pb_close(out, value);
    pb_close(out, mark);
}

static void put_events(struct buffer *out, struct slice span)
{
    struct pb_reader reader = pb_reader_of(span);
    struct pb_field field;

    while (pb_next(&reader, &field))
        if (field.number == SPAN_EVENT)
            put_event(out, field.bytes);
}

static void put_links(struct zipkin_writer *writer, struct slice span)
{
    struct pb_reader reader = pb_reader_of(span);
    char key[ZIPKIN_LINK_KEY_SIZE];
    struct pb_field field;
    size_t index = 0;

    while (pb_next(&reader, &field)) {
        if (field.number != SPAN_LINK || index == ZIPKIN_MAX_LINKS)
            continue;
        struct slice name = zipkin_link_key(index++, key);
        zipkin_tags_take(writer->tags, name);
        put_link(&writer->span, name, field.bytes);
    }
}

/* ---- the span ---- */

static bool is_id(struct slice id, size_t size)
{
    static const uint8_t zeros[16];

    return id.size == size && memcmp(id.data, zeros, size) != 0;
}

static void put_ids(struct buffer *out, const struct otlp_span *span)
{
    pb_put_bytes(out, ZIPKIN_SPAN_TRACE_ID, span->trace_id);
    if (is_id(span->parent_span_id, 8))
        pb_put_bytes(out, ZIPKIN_SPAN_PARENT_ID, span->parent_span_id);
    pb_put_bytes(out, ZIPKIN_SPAN_ID, span->span_id);
}

static uint64_t to_micros(uint64_t nanos)
{
    return nanos / 1000 + (nanos % 1000 >= 500);
}

/* A span of less than a microsecond lasts one; one that ends before it began has no duration. */
static void put_times(struct buffer *out, const struct otlp_span *span)
{
    bool has_start = span->start_time >= 1000000000; /* as the collector: what is in 1970's first second was not said */
    uint64_t nanos = span->end_time > span->start_time ? span->end_time - span->start_time : 0;

    if (has_start)
        pb_put_fixed64(out, ZIPKIN_SPAN_TIMESTAMP, to_micros(span->start_time));
    if (nanos > 0)
        pb_put_varint(out, ZIPKIN_SPAN_DURATION, nanos < 1000 ? 1 : to_micros(nanos));
}

static void make_span(struct zipkin_writer *writer, const struct context *context, const struct otlp_span *span)
{
    static const uint8_t kinds[] = { 0, 0, ZIPKIN_SERVER, ZIPKIN_CLIENT, ZIPKIN_PRODUCER, ZIPKIN_CONSUMER };
    struct buffer *out = &writer->span;

    buffer_clear(out);
    gather_tags(writer->tags, context, span);
    put_ids(out, span);
    if (span->kind < sizeof(kinds) && kinds[span->kind] != 0)
        pb_put_varint(out, ZIPKIN_SPAN_KIND, kinds[span->kind]);
    if (span->name.size > 0)
        put_lower(out, ZIPKIN_SPAN_NAME, span->name);
    put_times(out, span);
    put_endpoints(writer, context);
    put_events(out, span->body);
    put_links(writer, span->body);
    for (size_t i = 0; i < writer->tags->count; i++)
        if (!writer->tags->items[i].taken)
            put_tag(out, writer->tags->items[i].key, &writer->tags->items[i].value);
}

static void write_span(struct zipkin_writer *writer, const struct context *context, struct slice body, struct buffer *out)
{
    struct otlp_span span;

    otlp_span_view(body, &span);
    if (!is_id(span.trace_id, 16) || !is_id(span.span_id, 8)) {
        writer->skipped++;
        return;
    }
    make_span(writer, context, &span);
    if (writer->format == ZIPKIN_PROTO) {
        pb_put_bytes(out, ZIPKIN_LIST_SPANS, buffer_slice(&writer->span));
    } else {
        if (writer->spans > 0)
            buffer_append_byte(out, ',');
        zipkin_write_json_span(buffer_slice(&writer->span), out);
    }
    writer->spans++;
}

/* ---- the message ---- */

void zipkin_writer_begin(struct zipkin_writer *writer, struct buffer *out)
{
    writer->spans = writer->skipped = 0;
    if (writer->format != ZIPKIN_PROTO)
        buffer_append_byte(out, '[');
}

bool zipkin_writer_add(struct zipkin_writer *writer, struct slice payload, struct buffer *out)
{
    struct otlp_groups groups = otlp_groups(payload);
    struct context context = { .service = writer->default_service_name };
    struct otlp_scope_group scope_group;
    struct otlp_record record;
    struct otlp_group group;

    if (writer->tags == NULL)
        writer->tags = zipkin_tags_create();
    out->failed |= writer->tags == NULL;
    while (!out->failed && otlp_next_group(&groups, &group)) {
        struct otlp_scope_groups scope_groups = otlp_scope_groups(&group);
        context.resource = group.resource;
        read_service(writer, &context);
        while (otlp_next_scope_group(&scope_groups, &scope_group)) {
            struct otlp_records records = otlp_records(&scope_group);
            read_scope(&context, scope_group.scope);
            while (!out->failed && otlp_next_record(&records, &record))
                write_span(writer, &context, record.body, out);
        }
    }
    out->failed |= writer->span.failed;
    return !out->failed;
}

void zipkin_writer_end(struct zipkin_writer *writer, struct buffer *out)
{
    if (writer->format != ZIPKIN_PROTO)
        buffer_append_byte(out, ']');
}

void zipkin_writer_fini(struct zipkin_writer *writer)
{
    zipkin_tags_destroy(writer->tags);
    writer->tags = NULL;
    buffer_fini(&writer->span);
}
