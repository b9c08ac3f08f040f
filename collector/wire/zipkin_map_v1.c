/*
 * A span of version 1 to an OTLP span.
 *
 * Kind and service are not said but follow from the annotations: "cs" and "cr" are written by a client, and so on. The endpoint of the first
 * of those is the resource; the other annotations become events, the binary ones attributes.
 * Cost: three scans of the annotations. Threads: none of its own.
 */
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/zipkin_map.h"
#include "collector/wire/zipkin_tags.h"

struct host {
    bool present;
    struct slice service, ipv4, ipv6;
    uint64_t port;
};

struct annotation {
    uint64_t timestamp;
    struct slice value;
    struct host host;
};

struct binary_annotation {
    struct slice key, value;
    uint64_t type;
    struct host host;
};

/* A status as one kind of tags says it. */
struct said {
    bool present;
    uint32_t code;
    struct slice text;
};

struct span {
    struct zipkin_ids ids;
    struct slice name;
    uint64_t timestamp, duration; /* microseconds, as said */
    uint64_t first, last;         /* of the annotations */
    uint32_t kind;
    bool has_annotations;
    struct host host;       /* of the first annotation that has a kind and a service */
    struct slice service;   /* that some binary annotation names */
    struct slice component; /* the value of "lc" */
    struct said census, status, error, http;
};

/* ---- parts; what is read here was written by this program, and is well-formed ---- */

static struct host host_of(struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct host host = { .present = true };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == ZIPKIN_ENDPOINT_SERVICE)
            host.service = field.bytes;
        else if (field.number == ZIPKIN_ENDPOINT_IPV4)
            host.ipv4 = field.bytes;
        else if (field.number == ZIPKIN_ENDPOINT_IPV6)
            host.ipv6 = field.bytes;
        else if (field.number == ZIPKIN_ENDPOINT_PORT)
            host.port = field.scalar;
    }
    return host;
}

static struct annotation annotation_of(struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct annotation annotation = { 0 };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == ZIPKIN_ANNOTATION_TIMESTAMP)
            annotation.timestamp = (int64_t)field.scalar > 0 ? field.scalar : 0;
        else if (field.number == ZIPKIN_ANNOTATION_VALUE)
            annotation.value = field.bytes;
        else if (field.number == ZIPKIN_ANNOTATION_HOST)
            annotation.host = host_of(field.bytes);
    }
    return annotation;
}

static struct binary_annotation binary_annotation_of(struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct binary_annotation annotation = { 0 };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == ZIPKIN_TAG_KEY)
            annotation.key = field.bytes;
        else if (field.number == ZIPKIN_TAG_VALUE)
            annotation.value = field.bytes;
        else if (field.number == ZIPKIN_TAG_TYPE)
            annotation.type = field.scalar;
        else if (field.number == ZIPKIN_TAG_HOST)
            annotation.host = host_of(field.bytes);
    }
    return annotation;
}

/* 0: the annotation says nothing about the kind, and is an event. */
static uint32_t kind_of(struct slice value)
{
    static const struct {
        char name[3];
        uint8_t kind;
    } kinds[] = { { "cs", KIND_CLIENT }, { "cr", KIND_CLIENT }, { "ss", KIND_SERVER }, { "sr", KIND_SERVER }, { "ms", KIND_PRODUCER },
        { "mr", KIND_CONSUMER } };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (value.size == 2 && memcmp(value.data, kinds[i].name, 2) == 0)
            return kinds[i].kind;
    return 0;
}

/* ---- the first scan ---- */

static void read_annotation(struct span *span, struct slice bytes)
{
    struct annotation annotation = annotation_of(bytes);
    uint32_t kind = kind_of(annotation.value);

    if (annotation.value.size == 0)
        return;
    if (span->kind == 0)
        span->kind = kind;
    if (kind != 0 && !span->host.present && annotation.host.service.size > 0)
        span->host = annotation.host;
    if (!span->has_annotations || annotation.timestamp < span->first)
        span->first = annotation.timestamp;
    if (!span->has_annotations || annotation.timestamp > span->last)
        span->last = annotation.timestamp;
    span->has_annotations = true;
}

static bool read_span(struct zipkin_mapper *mapper, struct slice bytes, struct span *span)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;

    *span = (struct span){ .kind = 0 };
    while (pb_next(&reader, &field)) {
        switch (field.number) {
        case ZIPKIN_SPAN_NAME:
            span->name = field.bytes;
            break;
        case ZIPKIN_SPAN_TIMESTAMP:
            span->timestamp = (int64_t)field.scalar > 0 ? field.scalar : 0;
            break;
        case ZIPKIN_SPAN_DURATION:
            span->duration = (int64_t)field.scalar > 0 ? field.scalar : 0;
            break;
        case ZIPKIN_SPAN_ANNOTATION:
            read_annotation(span, field.bytes);
            break;
        case ZIPKIN_SPAN_BINARY_ANNOTATION:
            break;
        default:
            if (!zipkin_map_id(mapper, &span->ids, &field))
                return false;
        }
    }
    return true;
}

/* ---- binary annotations ---- */

static uint64_t big_endian(struct slice bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

/* Text of our own making, which lives in mapper->value until the span is mapped; it was made as long as needed before. */
static struct otlp_value made_text(struct zipkin_mapper *mapper, size_t from)
{
    return (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = slice_of(mapper->value.data + from, mapper->value.size - from) };
}

static struct otlp_value typed_value(struct zipkin_mapper *mapper, const struct binary_annotation *annotation)
{
    static const uint8_t sizes[] = { [ZIPKIN_I16] = 2, [ZIPKIN_I32] = 4, [ZIPKIN_I64] = 8, [ZIPKIN_DOUBLE] = 8 };
    struct slice bytes = annotation->value;
    size_t size = annotation->type < sizeof(sizes) ? sizes[annotation->type] : 0, from = mapper->value.size;

    if (annotation->type == ZIPKIN_STRING)
        return (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = bytes };
    if (annotation->type == ZIPKIN_BOOL)
        return (struct otlp_value){ .kind = OTLP_VALUE_BOOL, .integer = bytes.size == 1 && bytes.data[0] == 1 };
    if (size > 0 && bytes.size >= size && annotation->type == ZIPKIN_DOUBLE)
        return (struct otlp_value){ .kind = OTLP_VALUE_DOUBLE, .number = pb_double(big_endian(bytes, size)) };
    if (size > 0 && bytes.size >= size)
        return (struct otlp_value){ .kind = OTLP_VALUE_INT, .integer = (int64_t)big_endian(bytes, size) };
    if (size > 0)
        return (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = SLICE("<not enough bytes representing the number>") };
    encoding_write_base64(bytes, &mapper->value); /* bytes, and what is of no type that there is */
    return made_text(mapper, from);
}

/* "-12", "007": an integer of at most 18 digits. */
static bool read_integer(struct slice text, int64_t *number)
{
    size_t at = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    int64_t value = 0;

    if (at == text.size || text.size > 18)
        return false;
    for (; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9')
            return false;
        value = value * 10 + (text.data[at] - '0');
    }
    *number = text.data[0] == '-' ? -value : value;
    return true;
}

static bool read_code(const struct otlp_value *value, int32_t *code)
{
    int64_t number = value->integer;

    if (value->kind != OTLP_VALUE_INT && (value->kind != OTLP_VALUE_STRING || !read_integer(value->bytes, &number)))
        return false;
    *code = (int32_t)number;
    return number <= INT32_MAX && number >= INT32_MIN;
}

static void say(struct said *said, uint32_t code)
{
    said->present = true;
    said->code = code;
}

/* True: the tag was about the status, and is no attribute. */
static bool take_status(struct span *span, struct slice key, const struct otlp_value *value)
{
    struct slice text = value->kind == OTLP_VALUE_STRING ? value->bytes : slice_of(NULL, 0);
    bool is_http = slice_equal(key, ZIPKIN_KEY_OLD_HTTP_STATUS) || slice_equal(key, ZIPKIN_KEY_HTTP_STATUS);
    int32_t code;

    if (slice_equal(key, SLICE("census.status_code"))) {
        if (read_code(value, &code))
            say(&span->census, code == 0 ? STATUS_OK : STATUS_ERROR);
    } else if (slice_equal(key, SLICE("census.status_description")) || slice_equal(key, SLICE("opencensus.status_description"))) {
        span->census.text = text;
    } else if (slice_equal(key, ZIPKIN_KEY_STATUS_CODE)) {
        if (read_code(value, &code))
            say(&span->status, (uint32_t)code);
    } else if (slice_equal(key, ZIPKIN_KEY_STATUS_TEXT)) {
        span->status.text = text;
    } else if (slice_equal(key, ZIPKIN_KEY_ERROR)) {
        say(&span->error, STATUS_ERROR);
    } else {
        if (is_http && read_code(value, &code))
            say(&span->http, code >= 100 && code < 400 ? STATUS_UNSET : STATUS_ERROR);
        if (slice_equal(key, SLICE("http.status_message")))
            span->http.text = text;
        return false;
    }
    return true;
}

static void put_status(struct zipkin_mapper *mapper, struct span *span)
{
    struct said said = span->http;

    if (span->census.present) {
        said = span->census;
    } else if (span->status.present) {
        said = span->status;
    } else if (span->error.present) {
        said = span->error;
        said.text = span->census.text.size > 0 ? span->census.text : span->status.text;
    }
    if (said.present)
        zipkin_map_status(mapper, said.code, said.text);
}

static bool read_tag(struct zipkin_mapper *mapper, struct span *span, struct slice bytes)
{
    struct binary_annotation annotation = binary_annotation_of(bytes);
    struct otlp_value value = typed_value(mapper, &annotation);

    if (mapper->reading->format == ZIPKIN_JSON_V1 && value.kind == OTLP_VALUE_STRING)
        value = zipkin_value_of(mapper->reading, value.bytes);
    if (annotation.host.service.size > 0)
        span->service = annotation.host.service;
    if (slice_equal(annotation.key, SLICE("lc"))) {
        annotation.key = SLICE("component");
        span->component = annotation.value;
    }
    if (take_status(span, annotation.key, &value))
        return true;
    if (slice_equal(annotation.key, ZIPKIN_KEY_OLD_HTTP_STATUS))
        annotation.key = ZIPKIN_KEY_HTTP_STATUS;
    if (zipkin_tags_set(mapper->tags, annotation.key, &value))
        return true;
    mapper->out->failed |= mapper->tags->count < ZIPKIN_MAX_TAGS;
    return zipkin_fault(mapper->reading, "more binary annotations than a span may have");
}

static bool read_tags(struct zipkin_mapper *mapper, struct span *span, struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;

    zipkin_tags_clear(mapper->tags);
    buffer_clear(&mapper->value);
    if (!buffer_reserve(&mapper->value, bytes.size * 2 + 64)) /* texts in it must not move */
        return false;
    while (pb_next(&reader, &field))
        if (field.number == ZIPKIN_SPAN_BINARY_ANNOTATION && !read_tag(mapper, span, field.bytes))
            return false;
    return true;
}

/* ---- writing ---- */

static void put_resource_text(struct zipkin_mapper *mapper, struct slice key, struct slice text)
{
    if (text.size > 0)
        zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_RESOURCE, key, &(struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = text });
}

static void put_resource(struct zipkin_mapper *mapper, const struct span *span)
{
    struct slice name = span->host.service;
    char port[DECIMAL_SIZE];

    buffer_clear(&mapper->resource);
    if (name.size == 0 || slice_equal(name, SLICE("unknown-service")))
        name = span->service.size > 0 ? span->service : span->component;
    put_resource_text(mapper, ZIPKIN_KEY_SERVICE_NAME, name.size > 0 ? name : SLICE("unknown-service"));
    put_resource_text(mapper, SLICE("ipv4"), span->host.ipv4);
    put_resource_text(mapper, SLICE("ipv6"), span->host.ipv6);
    if (span->host.port != 0)
        put_resource_text(mapper, SLICE("port"), slice_of(port, decimal_write_uint64(span->host.port, port)));
}

/* True: nothing says when the span was. */
static bool put_times(struct zipkin_mapper *mapper, const struct span *span)
{
    uint64_t start = zipkin_nanos(span->timestamp > 0 ? span->timestamp : span->first);
    uint64_t end = span->timestamp > 0 ? start + zipkin_nanos(span->duration) : zipkin_nanos(span->last);
    bool unknown = start == 0;

    if (unknown)
        start = end = mapper->reading->now_ns;
    pb_put_fixed64(mapper->out, SPAN_START, start);
    pb_put_fixed64(mapper->out, SPAN_END, end);
    return unknown;
}

static void put_events(struct zipkin_mapper *mapper, struct slice bytes)
{
    struct pb_reader reader = pb_reader_of(bytes);
    struct pb_field field;
    size_t mark;

    while (pb_next(&reader, &field)) {
        struct annotation annotation = { 0 };
        if (field.number == ZIPKIN_SPAN_ANNOTATION)
            annotation = annotation_of(field.bytes);
        if (annotation.value.size == 0 || kind_of(annotation.value) != 0)
            continue;
        mark = pb_open(mapper->out, SPAN_EVENT);
        pb_put_fixed64(mapper->out, EVENT_TIME, zipkin_nanos(annotation.timestamp));
        zipkin_map_text(mapper, mapper->out, EVENT_NAME, annotation.value);
        pb_close(mapper->out, mark);
    }
}

static void put_attributes(struct zipkin_mapper *mapper, bool no_start)
{
    static const struct otlp_value is_true = { .kind = OTLP_VALUE_BOOL, .integer = 1 };

    if (no_start)
        zipkin_tags_take(mapper->tags, ZIPKIN_KEY_NO_START);
    for (size_t i = 0; i < mapper->tags->count; i++)
        if (!mapper->tags->items[i].taken)
            zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_SPAN, mapper->tags->items[i].key, &mapper->tags->items[i].value);
    if (no_start)
        zipkin_map_attribute(mapper, OTLP_ATTRIBUTES_OF_SPAN, ZIPKIN_KEY_NO_START, &is_true);
}

bool zipkin_map_v1_span(struct zipkin_mapper *mapper, struct slice bytes)
{
    struct span span;
    bool no_start;
    size_t mark;

    if (!read_span(mapper, bytes, &span) || !read_tags(mapper, &span, bytes))
        return false;
    put_resource(mapper, &span);
    buffer_clear(&mapper->scope);
    mark = zipkin_map_open(mapper, &span.ids);
    if (mark == 0)
        return false;
    if (span.name.size > 0)
        zipkin_map_text(mapper, mapper->out, SPAN_NAME, span.name);
    if (span.kind != 0)
        pb_put_varint(mapper->out, SPAN_KIND, span.kind);
    no_start = put_times(mapper, &span);
    put_status(mapper, &span);
    put_attributes(mapper, no_start);
    put_events(mapper, bytes);
    pb_close(mapper->out, mark);
    mapper->reading->spans++;
    return true;
}
