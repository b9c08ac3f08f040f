/*
 * Zipkin's JSON of version 2, written from Zipkin's protobuf as zipkin_write.c makes it: fields in the order of their numbers, those that
 * repeat side by side. Cost: one copy. Threads: none of its own; no state.
 */
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"
#include "collector/wire/zipkin_span.h"

static void write_number(uint64_t number, struct buffer *out)
{
    if (buffer_reserve(out, DECIMAL_SIZE))
        out->size += decimal_write_uint64(number, (char *)out->data + out->size);
}

/* A trace id of 64 bits is written with 16 digits. */
static void write_id(struct slice id, struct buffer *out)
{
    static const uint8_t zeros[8];
    char digits[32];

    if (id.size == 16 && memcmp(id.data, zeros, 8) == 0)
        id = slice_of(id.data + 8, 8);
    encoding_write_hex(id, digits);
    buffer_append_byte(out, '"');
    buffer_append(out, digits, id.size * 2);
    buffer_append_byte(out, '"');
}

static void write_kind(uint64_t kind, struct buffer *out)
{
    static const char *const names[ZIPKIN_KINDS] = { "\"\"", "\"CLIENT\"", "\"SERVER\"", "\"PRODUCER\"", "\"CONSUMER\"" };

    buffer_append_string(out, names[kind < ZIPKIN_KINDS ? kind : 0]);
}

static void write_endpoint(struct slice endpoint, struct buffer *out)
{
    static const char *const keys[] = { "", "\"serviceName\":", "\"ipv4\":", "\"ipv6\":", "\"port\":" };
    struct pb_reader reader = pb_reader_of(endpoint);
    char text[ZIPKIN_ADDRESS_SIZE];
    struct pb_field field;
    char before = '{';

    while (pb_next(&reader, &field)) {
        buffer_append_byte(out, (uint8_t)before);
        before = ',';
        buffer_append_string(out, keys[field.number]);
        if (field.number == ZIPKIN_ENDPOINT_SERVICE)
            json_write_string(field.bytes, out);
        else if (field.number == ZIPKIN_ENDPOINT_PORT)
            write_number(field.scalar, out);
        else
            json_write_string(zipkin_address_text(field.bytes, text), out);
    }
    buffer_append_byte(out, '}');
}

static void write_annotation(struct slice annotation, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(annotation);
    struct pb_field field;

    buffer_append_string(out, "{\"timestamp\":");
    while (pb_next(&reader, &field)) {
        if (field.number == ZIPKIN_ANNOTATION_TIMESTAMP) {
            write_number(field.scalar, out);
        } else {
            buffer_append_string(out, ",\"value\":");
            json_write_string(field.bytes, out);
        }
    }
    buffer_append_byte(out, '}');
}

static void write_tag(struct slice tag, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(tag);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == ZIPKIN_TAG_VALUE)
            buffer_append_byte(out, ':');
        json_write_string(field.bytes, out);
    }
}

static void write_value(const struct pb_field *field, struct buffer *out)
{
    switch (field->number) {
    case ZIPKIN_SPAN_TRACE_ID:
    case ZIPKIN_SPAN_PARENT_ID:
    case ZIPKIN_SPAN_ID:
        write_id(field->bytes, out);
        return;
    case ZIPKIN_SPAN_KIND:
        write_kind(field->scalar, out);
        return;
    case ZIPKIN_SPAN_NAME:
        json_write_string(field->bytes, out);
        return;
    case ZIPKIN_SPAN_LOCAL_ENDPOINT:
    case ZIPKIN_SPAN_REMOTE_ENDPOINT:
        write_endpoint(field->bytes, out);
        return;
    case ZIPKIN_SPAN_ANNOTATION:
        write_annotation(field->bytes, out);
        return;
    case ZIPKIN_SPAN_TAG:
        write_tag(field->bytes, out);
        return;
    default:
        write_number(field->scalar, out);
        return;
    }
}

void zipkin_write_json_span(struct slice span, struct buffer *out)
{
    static const struct {
        const char *key;
        char open, close; /* of fields that repeat */
    } members[] = {
        [ZIPKIN_SPAN_TRACE_ID] = { "\"traceId\":" },
        [ZIPKIN_SPAN_PARENT_ID] = { "\"parentId\":" },
        [ZIPKIN_SPAN_ID] = { "\"id\":" },
        [ZIPKIN_SPAN_KIND] = { "\"kind\":" },
        [ZIPKIN_SPAN_NAME] = { "\"name\":" },
        [ZIPKIN_SPAN_TIMESTAMP] = { "\"timestamp\":" },
        [ZIPKIN_SPAN_DURATION] = { "\"duration\":" },
        [ZIPKIN_SPAN_LOCAL_ENDPOINT] = { "\"localEndpoint\":" },
        [ZIPKIN_SPAN_REMOTE_ENDPOINT] = { "\"remoteEndpoint\":" },
        [ZIPKIN_SPAN_ANNOTATION] = { "\"annotations\":", '[', ']' },
        [ZIPKIN_SPAN_TAG] = { "\"tags\":", '{', '}' },
    };
    struct pb_reader reader = pb_reader_of(span);
    struct pb_field field;
    uint32_t last = 0;

    buffer_append_byte(out, '{');
    while (pb_next(&reader, &field)) {
        if (field.number == 0 || field.number > ZIPKIN_SPAN_TAG)
            continue;
        if (last != 0 && last != field.number && members[last].close != 0)
            buffer_append_byte(out, (uint8_t)members[last].close);
        if (last != 0)
            buffer_append_byte(out, ',');
        if (last != field.number) {
            buffer_append_string(out, members[field.number].key);
            if (members[field.number].open != 0)
                buffer_append_byte(out, (uint8_t)members[field.number].open);
        }
        last = field.number;
        write_value(&field, out);
    }
    if (last != 0 && members[last].close != 0)
        buffer_append_byte(out, (uint8_t)members[last].close);
    buffer_append_byte(out, '}');
}
