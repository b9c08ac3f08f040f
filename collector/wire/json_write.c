/*
 * Wire bytes to OTLP/JSON, in the order in which the fields stand.
 *
 * A JSON object has each key once, but on the wire a repeated field may be scattered and a single one be there twice. A
 * message's own tags are looked over first; one that is not in order is written field by field, its parts gathered.
 *
 * Limits: AnyValues beyond OTLP_MAX_DEPTH are written as empty; so deep, it takes about 140 KiB of stack. Threads: none of its own; no state.
 */
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"
#include "collector/wire/schema.h"

struct writer {
    struct buffer *out;
    unsigned depth; /* AnyValues that are open */
    bool comma;     /* something stands before the next key or element */
};

static void write_message(struct writer *writer, const struct schema_message *message, struct slice body);

/* Empty slices need not point anywhere, but what is read has to. */
static struct slice readable(struct slice bytes)
{
    return bytes.size > 0 ? bytes : SLICE("");
}

/* ---- tokens ---- */

static void open_bracket(struct writer *writer, char c)
{
    buffer_append_byte(writer->out, (uint8_t)c);
    writer->comma = false;
}

static void close_bracket(struct writer *writer, char c)
{
    buffer_append_byte(writer->out, (uint8_t)c);
    writer->comma = true;
}

static void separate(struct writer *writer)
{
    if (writer->comma)
        buffer_append_byte(writer->out, ',');
    writer->comma = true;
}

static void write_key(struct writer *writer, const struct schema_field *field)
{
    separate(writer);
    buffer_append(writer->out, field->key, field->key_size);
}

/* ---- scalars ---- */

static void write_double(double value, struct buffer *out)
{
    if (value != value)
        buffer_append_string(out, "\"NaN\"");
    else if (value - value != 0)
        buffer_append_string(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else if (buffer_reserve(out, DECIMAL_SIZE))
        out->size += decimal_write_double(value, (char *)out->data + out->size);
}

static void write_integer(int64_t value, struct buffer *out)
{
    if (buffer_reserve(out, DECIMAL_SIZE))
        out->size += decimal_write_int64(value, (char *)out->data + out->size);
}

/* 64-bit integers are strings, so that readers that know only doubles do not spoil them. */
static void write_quoted(uint64_t magnitude, bool negative, struct buffer *out)
{
    if (!buffer_reserve(out, DECIMAL_SIZE))
        return;
    char *start = (char *)out->data + out->size;
    char *at = start;
    *at++ = '"';
    if (negative)
        *at++ = '-';
    at += decimal_write_uint64(magnitude, at);
    *at++ = '"';
    out->size += (size_t)(at - start);
}

static void write_scalar(const struct schema_field *field, uint64_t bits, struct buffer *out)
{
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_BOOL:
        buffer_append_string(out, bits != 0 ? "true" : "false");
        return;
    case SCHEMA_ENUM:
    case SCHEMA_INT32:
        write_integer((int32_t)bits, out);
        return;
    case SCHEMA_SINT32:
        write_integer((int32_t)pb_zigzag_decode(bits), out);
        return;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        write_integer((uint32_t)bits, out);
        return;
    case SCHEMA_INT64:
    case SCHEMA_SFIXED64:
        write_quoted((int64_t)bits < 0 ? -bits : bits, (int64_t)bits < 0, out);
        return;
    case SCHEMA_SINT64:
        bits = (uint64_t)pb_zigzag_decode(bits);
        write_quoted((int64_t)bits < 0 ? -bits : bits, (int64_t)bits < 0, out);
        return;
    case SCHEMA_DOUBLE:
        write_double(pb_double(bits), out);
        return;
    default:
        write_quoted(bits, false, out);
        return;
    }
}

static void write_hex(struct slice bytes, struct buffer *out)
{
    if (!buffer_reserve(out, 2 * bytes.size + 2))
        return;
    char *at = (char *)out->data + out->size;
    *at++ = '"';
    encoding_write_hex(bytes, at);
    at[2 * bytes.size] = '"';
    out->size += 2 * bytes.size + 2;
}

static void write_base64(struct slice bytes, struct buffer *out)
{
    buffer_append_byte(out, '"');
    encoding_write_base64(bytes, out);
    buffer_append_byte(out, '"');
}

/* ---- values ---- */

static void write_nested(struct writer *writer, const struct schema_message *message, struct slice body)
{
    bool is_value = message == &schema_any_value;

    if (is_value && writer->depth == OTLP_MAX_DEPTH)
        body.size = 0;
    writer->depth += is_value;
    write_message(writer, message, body);
    writer->depth -= is_value;
}

static void write_value(struct writer *writer, const struct schema_field *field, const struct pb_field *value)
{
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_STRING:
        json_write_string(value->bytes, writer->out);
        return;
    case SCHEMA_ID:
        write_hex(value->bytes, writer->out);
        return;
    case SCHEMA_BYTES:
        write_base64(value->bytes, writer->out);
        return;
    case SCHEMA_MESSAGE:
        write_nested(writer, field->message, value->bytes);
        return;
    default:
        write_scalar(field, value->scalar, writer->out);
        return;
    }
}

/* Whether the wire type is one that the field can have: its own, or a packed run; an empty run says nothing. */
static bool is_readable(const struct schema_field *field, const struct pb_field *value)
{
    return value->type == schema_wire_type(field) || (value->type == PB_BYTES && schema_is_packed(field) && value->bytes.size > 0);
}

static bool is_default(const struct schema_field *field, const struct pb_field *value)
{
    if (field->has_presence || field->repeated || field->kind == SCHEMA_MESSAGE)
        return false;
    return value->type == PB_BYTES ? value->bytes.size == 0 : value->scalar == 0;
}

/* The elements of a packed run, each with its comma. */
static void write_packed(struct writer *writer, const struct schema_field *field, struct slice run)
{
    struct pb_reader reader = pb_reader_of(run);
    uint64_t bits;

    while (reader.at < reader.end) {
        if (schema_wire_type(field) == PB_FIXED64) {
            if (reader.end - reader.at < 8)
                return;
            memcpy(&bits, reader.at, 8);
            reader.at += 8;
        } else {
            bits = pb_varint(&reader);
            if (reader.failed)
                return;
        }
        separate(writer);
        write_scalar(field, bits, writer->out);
    }
}

/* One occurrence of a repeated field: an element, or several of them. */
static void write_elements(struct writer *writer, const struct schema_field *field, const struct pb_field *value)
{
    if (value->type == PB_BYTES && schema_is_packed(field)) {
        write_packed(writer, field, value->bytes);
        return;
    }
    separate(writer);
    write_value(writer, field, value);
    writer->comma = true;
}

/* ---- messages whose fields are in order ---- */

/* The field of a number; *expected is tried first, and becomes the one behind it. */
static const struct schema_field *find_field(const struct schema_message *message, uint32_t number, size_t *expected)
{
    const struct schema_field *field = &message->fields[*expected];

    if (field->number != number) {
        field = schema_field_by_number(message, number);
        if (field == NULL)
            return NULL;
    }
    size_t index = (size_t)(field - message->fields);
    *expected = field->repeated || index + 1 == message->field_count ? index : index + 1;
    return field;
}

/* Each field once, or repeated ones in one run; of a oneof one member. */
static bool is_in_order(const struct schema_message *message, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    const struct schema_field *last = NULL;
    struct pb_field value;
    uint32_t seen = 0; /* bits of field numbers; bit 0: a oneof */
    size_t expected = 0;

    while (pb_next(&reader, &value)) {
        const struct schema_field *field = find_field(message, value.number, &expected);
        if (field == NULL || !is_readable(field, &value) || (field == last && field->repeated))
            continue;
        uint32_t bits = UINT32_C(1) << field->number | (field->oneof != 0);
        if ((seen & bits) != 0)
            return false;
        seen |= bits;
        last = field;
    }
    return true;
}

static void write_ordered(struct writer *writer, const struct schema_message *message, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    const struct schema_field *list = NULL; /* the repeated field whose array is open */
    struct pb_field value;
    size_t expected = 0;

    while (pb_next(&reader, &value)) {
        const struct schema_field *field = find_field(message, value.number, &expected);
        if (field == NULL || !is_readable(field, &value) || is_default(field, &value))
            continue;
        if (list != NULL && list != field) {
            close_bracket(writer, ']');
            list = NULL;
        }
        if (list == NULL) {
            write_key(writer, field);
            if (field->repeated)
                open_bracket(writer, '[');
        }
        if (field->repeated) {
            list = field;
            write_elements(writer, field, &value);
        } else {
            write_value(writer, field, &value);
            writer->comma = true;
        }
    }
    if (list != NULL)
        close_bracket(writer, ']');
}

/* ---- messages whose fields are scattered ---- */

/* What there is of one field in a message. */
struct parts {
    size_t count;
    struct pb_field last;
};

static struct parts parts_of(const struct schema_field *field, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct parts parts = { .count = 0 };
    struct pb_field value;

    while (pb_next(&reader, &value)) {
        if (value.number != field->number || !is_readable(field, &value))
            continue;
        parts.count++;
        parts.last = value;
    }
    return parts;
}

static void write_scattered_list(struct writer *writer, const struct schema_field *field, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field value;

    write_key(writer, field);
    open_bracket(writer, '[');
    while (pb_next(&reader, &value)) {
        if (value.number == field->number && is_readable(field, &value))
            write_elements(writer, field, &value);
    }
    close_bracket(writer, ']');
}

/*
 * A message that came in several parts is the message that they are one behind the other. Not so a oneof's member, of
 * which the last counts, and an AnyValue, which is a oneof: that also keeps nested values from being copied at every level.
 */
static bool is_joined(const struct schema_field *field)
{
    return field->kind == SCHEMA_MESSAGE && field->oneof == 0 && field->message != &schema_any_value;
}

static void write_joined(struct writer *writer, const struct schema_field *field, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct buffer joined = { 0 };
    struct pb_field value;

    while (pb_next(&reader, &value)) {
        if (value.number == field->number && value.type == PB_BYTES)
            buffer_append_slice(&joined, value.bytes);
    }
    writer->out->failed |= joined.failed;
    write_nested(writer, field->message, readable(buffer_slice(&joined)));
    buffer_fini(&joined);
}

/* The member of the oneof that counts: the one that comes last. */
static uint32_t last_choice(const struct schema_message *message, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field value;
    uint32_t number = 0;

    while (pb_next(&reader, &value)) {
        const struct schema_field *field = schema_field_by_number(message, value.number);
        if (field != NULL && field->oneof != 0 && is_readable(field, &value))
            number = value.number;
    }
    return number;
}

static void write_scattered(struct writer *writer, const struct schema_message *message, struct slice body)
{
    uint32_t choice = last_choice(message, body);

    for (size_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        struct parts parts = parts_of(field, body);
        if (parts.count == 0 || (field->oneof != 0 && field->number != choice) || is_default(field, &parts.last))
            continue;
        if (field->repeated) {
            write_scattered_list(writer, field, body);
            continue;
        }
        write_key(writer, field);
        if (parts.count > 1 && is_joined(field))
            write_joined(writer, field, body);
        else
            write_value(writer, field, &parts.last);
        writer->comma = true;
    }
}

static void write_message(struct writer *writer, const struct schema_message *message, struct slice body)
{
    open_bracket(writer, '{');
    if (message->field_count == 1 || is_in_order(message, body))
        write_ordered(writer, message, body);
    else
        write_scattered(writer, message, body);
    close_bracket(writer, '}');
}

void json_write_request(enum signal signal, struct slice payload, struct buffer *out)
{
    struct writer writer = { .out = out };

    write_message(&writer, schema_request(signal), readable(payload));
}

/* ---- attribute values as ordinary JSON ---- */

static void write_plain(struct writer *writer, const struct otlp_value *value);

static void write_plain_map(struct writer *writer, struct otlp_attributes attributes)
{
    struct otlp_attribute attribute;

    open_bracket(writer, '{');
    while (otlp_next_attribute(&attributes, &attribute)) {
        separate(writer);
        json_write_string(attribute.key, writer->out);
        buffer_append_byte(writer->out, ':');
        write_plain(writer, &attribute.value);
        writer->comma = true;
    }
    close_bracket(writer, '}');
}

static void write_plain_array(struct writer *writer, struct slice array)
{
    struct pb_reader reader = pb_reader_of(array);
    struct pb_field field;

    open_bracket(writer, '[');
    while (pb_next(&reader, &field)) {
        if (field.number != 1 || field.type != PB_BYTES)
            continue;
        struct otlp_value value = otlp_value_of(field.bytes);
        separate(writer);
        write_plain(writer, &value);
        writer->comma = true;
    }
    close_bracket(writer, ']');
}

static void write_plain(struct writer *writer, const struct otlp_value *value)
{
    enum otlp_value_kind kind = writer->depth < OTLP_MAX_DEPTH ? value->kind : OTLP_VALUE_EMPTY;

    writer->depth++;
    switch (kind) {
    case OTLP_VALUE_STRING:
        json_write_string(value->bytes, writer->out);
        break;
    case OTLP_VALUE_BOOL:
        buffer_append_string(writer->out, value->integer != 0 ? "true" : "false");
        break;
    case OTLP_VALUE_INT:
        write_integer(value->integer, writer->out);
        break;
    case OTLP_VALUE_DOUBLE:
        write_double(value->number, writer->out);
        break;
    case OTLP_VALUE_ARRAY:
        write_plain_array(writer, value->bytes);
        break;
    case OTLP_VALUE_MAP:
        write_plain_map(writer, otlp_attributes(value->bytes, OTLP_ATTRIBUTES_OF_MAP));
        break;
    case OTLP_VALUE_BYTES:
        write_base64(value->bytes, writer->out);
        break;
    case OTLP_VALUE_EMPTY:
        buffer_append_string(writer->out, "null");
        break;
    }
    writer->depth--;
}

void json_write_value(struct slice any_value, struct buffer *out)
{
    struct writer writer = { .out = out };
    struct otlp_value value = otlp_value_of(readable(any_value));

    write_plain(&writer, &value);
}

void json_write_attributes(struct slice message, enum otlp_attributes_field field, struct buffer *out)
{
    struct writer writer = { .out = out };

    write_plain_map(&writer, otlp_attributes(readable(message), field));
}
