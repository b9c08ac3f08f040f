/*
 * OTLP/JSON to wire bytes, in one pass over the text and without a tree: each field goes out as it is met.
 *
 * The length of a nested message is not known when it begins: room is left for as many bytes as the last message of its
 * kind needed, and the content is moved when that was wrong, which is rare. Keys are expected in the order of the schema and
 * found at once when they come so.
 *
 * Limits: AnyValue nests OTLP_MAX_DEPTH deep, which takes about 90 KiB of stack; what is skipped nests
 * JSON_MAX_SKIPPED_DEPTH deep and takes none. Threads: none of its own; no state.
 */
#include <stdio.h>

#include "collector/wire/encoding.h"
#include "collector/wire/json.h"
#include "collector/wire/json_number.h"
#include "collector/wire/json_text.h"
#include "collector/wire/schema.h"

enum { MAX_STEPS = 16, MAX_KEY = 64, SCALAR_ROOM = 16, ID_MAX = 16 };
enum { SEEN_ONEOF = 1 }; /* the bit of field 0, which there is not */

/* One step of the path to where it went wrong. */
struct step {
    const struct schema_field *field; /* NULL: an element of a list */
    size_t index;
};

struct reader {
    struct json_text text;
    struct buffer *out;
    struct buffer scratch;                      /* owned; strings with escapes that are not string fields */
    unsigned depth;                             /* AnyValues that are open */
    uint8_t length_sizes[SCHEMA_MESSAGE_COUNT]; /* of the length of the last message of each kind */
    size_t step_count;                          /* innermost first, noted while a failure is passed up */
    struct step steps[MAX_STEPS];
};

static bool read_message(struct reader *reader, const struct schema_message *message);

static bool fault(struct reader *reader, const char *problem)
{
    return json_fault(&reader->text, problem);
}

static bool failed_in(struct reader *reader, const struct schema_field *field, size_t index)
{
    if (reader->step_count < MAX_STEPS)
        reader->steps[reader->step_count] = (struct step){ field, index };
    reader->step_count++;
    return false;
}

/* ---- what goes out ---- */

/* Tag and room for a length; returns where the content begins. */
static size_t open_length(struct buffer *out, const struct schema_field *field, size_t length_size)
{
    if (!buffer_reserve(out, SCALAR_ROOM))
        return 0;
    uint8_t *at = pb_encode_varint(out->data + out->size, (uint32_t)field->number << 3 | PB_BYTES);
    out->size = (size_t)(at - out->data) + length_size;
    return out->size;
}

/* Writes the length of what was appended since; returns how many bytes that took. */
static size_t close_length(struct buffer *out, size_t start, size_t length_size)
{
    if (out->failed)
        return length_size;
    size_t size = out->size - start;
    size_t need = pb_varint_size(size);
    if (need != length_size) {
        if (need > length_size && !buffer_reserve(out, need - length_size))
            return length_size;
        memmove(out->data + start + need - length_size, out->data + start, size);
        out->size += need - length_size;
    }
    pb_encode_varint(out->data + start - length_size, size);
    return need;
}

static uint8_t *put_bits(uint8_t *at, const struct schema_field *field, uint64_t bits)
{
    switch (schema_wire_type(field)) {
    case PB_FIXED64:
        memcpy(at, &bits, 8);
        return at + 8;
    case PB_FIXED32:
        memcpy(at, &bits, 4);
        return at + 4;
    case PB_VARINT:
    case PB_BYTES:
        break;
    }
    return pb_encode_varint(at, bits);
}

static void put_scalar(struct buffer *out, const struct schema_field *field, uint64_t bits)
{
    if (!buffer_reserve(out, SCALAR_ROOM))
        return;
    uint8_t *at = pb_encode_varint(out->data + out->size, (uint32_t)field->number << 3 | schema_wire_type(field));
    out->size = (size_t)(put_bits(at, field, bits) - out->data);
}

static void put_bytes(struct buffer *out, const struct schema_field *field, struct slice bytes)
{
    if (!buffer_reserve(out, SCALAR_ROOM + bytes.size))
        return;
    uint8_t *at = pb_encode_varint(out->data + out->size, (uint32_t)field->number << 3 | PB_BYTES);
    at = pb_encode_varint(at, bytes.size);
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    out->size = (size_t)(at - out->data) + bytes.size;
}

/* ---- scalars ---- */

static bool scan_string(struct reader *reader, struct json_string *string)
{
    if (json_peek(&reader->text) != '"')
        return fault(reader, "expected a string");
    return json_scan_string(&reader->text, string);
}

/* A string that is not a string field; valid until the next one. */
static bool read_word(struct reader *reader, struct slice *word)
{
    struct json_string string;

    if (!scan_string(reader, &string))
        return false;
    *word = string.raw;
    if (string.is_plain)
        return true;
    buffer_clear(&reader->scratch);
    json_unescape(string.raw, &reader->scratch);
    if (reader->scratch.failed)
        return fault(reader, "out of memory");
    *word = buffer_slice(&reader->scratch);
    return true;
}

static bool read_bool(struct reader *reader, uint64_t *bits)
{
    *bits = json_peek(&reader->text) == 't';
    return json_literal(&reader->text, *bits ? "true" : "false") || fault(reader, "expected true or false");
}

static bool read_enum(struct reader *reader, const struct schema_field *field, uint64_t *bits)
{
    const uint8_t *start = reader->text.at;
    struct slice name;
    int32_t number;
    int64_t wide;

    if (json_peek(&reader->text) != '"') {
        if (!json_read_signed(&reader->text, 32, &wide))
            return false;
        *bits = (uint64_t)wide;
        return true;
    }
    if (!read_word(reader, &name))
        return false;
    if (!schema_enum_number(field->values, name, &number)) {
        reader->text.at = start;
        return fault(reader, "unknown name of an enum value");
    }
    *bits = (uint64_t)number;
    return true;
}

static bool read_signed(struct reader *reader, const struct schema_field *field, uint64_t *bits)
{
    int64_t value;
    bool is_narrow = field->kind == SCHEMA_INT32 || field->kind == SCHEMA_SINT32;

    if (!json_read_signed(&reader->text, is_narrow ? 32 : 64, &value))
        return false;
    *bits = (uint64_t)value;
    if (field->kind == SCHEMA_SINT32 || field->kind == SCHEMA_SINT64)
        *bits = *bits << 1 ^ (value < 0 ? UINT64_MAX : 0);
    return true;
}

static bool read_double(struct reader *reader, uint64_t *bits)
{
    double value;

    if (!json_read_double(&reader->text, &value))
        return false;
    *bits = pb_double_bits(value);
    return true;
}

/* The value as the wire has it: a varint's or a fixed field's bits. */
static bool read_scalar(struct reader *reader, const struct schema_field *field, uint64_t *bits)
{
    json_skip_space(&reader->text);
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_BOOL:
        return read_bool(reader, bits);
    case SCHEMA_ENUM:
        return read_enum(reader, field, bits);
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        return json_read_unsigned(&reader->text, UINT32_MAX, bits);
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        return json_read_unsigned(&reader->text, UINT64_MAX, bits);
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        return read_signed(reader, field, bits);
    case SCHEMA_DOUBLE:
        return read_double(reader, bits);
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
    case SCHEMA_ID:
    case SCHEMA_MESSAGE:
        break;
    }
    return fault(reader, "not a scalar");
}

/* ---- fields; `keep`: an empty value is written too ---- */

static bool read_string(struct reader *reader, const struct schema_field *field, bool keep)
{
    struct json_string string;

    if (!scan_string(reader, &string))
        return false;
    if (string.raw.size == 0 && !keep)
        return true;
    if (string.is_plain) {
        put_bytes(reader->out, field, string.raw);
        return true;
    }
    size_t length_size = pb_varint_size(string.raw.size);
    size_t start = open_length(reader->out, field, length_size);
    json_unescape(string.raw, reader->out);
    close_length(reader->out, start, length_size);
    return true;
}

static bool read_id(struct reader *reader, const struct schema_field *field, bool keep)
{
    const uint8_t *start = reader->text.at;
    uint8_t id[ID_MAX];
    struct slice text;

    if (!read_word(reader, &text))
        return false;
    if (text.size == 0 && !keep)
        return true;
    if ((text.size != 0 && text.size != 2 * (size_t)field->id_size) || !encoding_read_hex(text, id)) {
        reader->text.at = start;
        return fault(reader, field->id_size == 8 ? "expected 16 hexadecimal digits" : "expected 32 hexadecimal digits");
    }
    put_bytes(reader->out, field, (struct slice){ id, text.size / 2 });
    return true;
}

static bool read_bytes(struct reader *reader, const struct schema_field *field, bool keep)
{
    const uint8_t *start = reader->text.at;
    struct slice text;

    if (!read_word(reader, &text))
        return false;
    if (text.size == 0 && !keep)
        return true;
    size_t length_size = pb_varint_size(text.size / 4 * 3);
    size_t mark = open_length(reader->out, field, length_size);
    if (!encoding_read_base64(text, reader->out)) {
        reader->text.at = start;
        return fault(reader, "expected base64");
    }
    close_length(reader->out, mark, length_size);
    return true;
}

static bool read_nested(struct reader *reader, const struct schema_field *field)
{
    const struct schema_message *message = field->message;
    bool is_value = message == &schema_any_value;

    if (is_value && reader->depth == OTLP_MAX_DEPTH)
        return fault(reader, "nested too deeply");
    reader->depth += is_value;
    size_t length_size = reader->length_sizes[message->id];
    size_t start = open_length(reader->out, field, length_size);
    if (json_peek(&reader->text) == 'n') { /* of a list: an element without content */
        if (!json_literal(&reader->text, "null"))
            return false;
    } else if (!read_message(reader, message)) {
        return false;
    }
    reader->length_sizes[message->id] = (uint8_t)close_length(reader->out, start, length_size);
    reader->depth -= is_value;
    return !reader->out->failed || fault(reader, "the message grows too large");
}

static bool read_one(struct reader *reader, const struct schema_field *field, bool keep)
{
    uint64_t bits;

    switch ((enum schema_kind)field->kind) {
    case SCHEMA_STRING:
        return read_string(reader, field, keep);
    case SCHEMA_ID:
        return read_id(reader, field, keep);
    case SCHEMA_BYTES:
        return read_bytes(reader, field, keep);
    case SCHEMA_MESSAGE:
        return read_nested(reader, field);
    default:
        if (!read_scalar(reader, field, &bits))
            return false;
        if (bits != 0 || keep)
            put_scalar(reader->out, field, bits);
        return true;
    }
}

/* ---- lists ---- */

static bool read_element(struct reader *reader, const struct schema_field *field)
{
    uint64_t bits;

    if (!schema_is_packed(field)) {
        if (field->kind == SCHEMA_STRING && json_peek(&reader->text) == 'n') {
            put_bytes(reader->out, field, (struct slice){ NULL, 0 });
            return json_literal(&reader->text, "null");
        }
        return read_one(reader, field, true);
    }
    if (!read_scalar(reader, field, &bits))
        return false;
    if (buffer_reserve(reader->out, SCALAR_ROOM))
        reader->out->size = (size_t)(put_bits(reader->out->data + reader->out->size, field, bits) - reader->out->data);
    return true;
}

static bool read_elements(struct reader *reader, const struct schema_field *field)
{
    for (size_t index = 0;; index++) {
        if (!read_element(reader, field))
            return failed_in(reader, NULL, index);
        if (json_take(&reader->text, ','))
            continue;
        return json_take(&reader->text, ']') || fault(reader, "expected \",\" or \"]\"");
    }
}

static bool read_list(struct reader *reader, const struct schema_field *field)
{
    if (!json_take(&reader->text, '['))
        return fault(reader, "expected an array");
    if (json_take(&reader->text, ']'))
        return true;
    if (!schema_is_packed(field))
        return read_elements(reader, field);
    size_t start = open_length(reader->out, field, 1);
    if (!read_elements(reader, field))
        return false;
    close_length(reader->out, start, 1);
    return true;
}

/* ---- messages ---- */

/* For keys, which have six bytes and more, quotes and colon included. */
static inline bool same_key(const uint8_t *text, const char *key, size_t size)
{
    uint64_t a, b;
    uint32_t c, d;

    if (size < 8) {
        memcpy(&c, text, 4);
        memcpy(&d, key, 4);
        return c == d && memcmp(text + 4, key + 4, size - 4) == 0;
    }
    for (size_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&a, text + i, 8);
        memcpy(&b, key + i, 8);
        if (a != b)
            return false;
    }
    memcpy(&a, text + size - 8, 8);
    memcpy(&b, key + size - 8, 8);
    return a == b;
}

/* The key as weir itself would write it, tried from field `first` on; NULL when it is not that. */
static const struct schema_field *match_key(struct reader *reader, const struct schema_message *message, size_t first)
{
    size_t left = (size_t)(reader->text.end - reader->text.at);

    for (size_t i = 0; i < message->field_count; i++) {
        size_t index = first + i < message->field_count ? first + i : first + i - message->field_count;
        const struct schema_field *field = &message->fields[index];
        if (field->key_size <= left && same_key(reader->text.at, field->key, field->key_size)) {
            reader->text.at += field->key_size;
            return field;
        }
    }
    return NULL;
}

/* Reads a key and its colon, however spelt; *field is NULL when the message has no such field. */
static bool read_key(struct reader *reader, const struct schema_message *message, const struct schema_field **field)
{
    struct slice name;

    if (json_peek(&reader->text) != '"')
        return fault(reader, "expected a field name");
    if (!read_word(reader, &name))
        return false;
    *field = name.size <= MAX_KEY ? schema_field_by_name(message, name) : NULL;
    return json_take(&reader->text, ':') || fault(reader, "expected \":\"");
}

/* null is as if the key were not there; but {"stringValue": null} is a string, so the OpenTelemetry Collector has it. */
static bool read_null(struct reader *reader, const struct schema_field *field, uint32_t seen)
{
    if (field->kind == SCHEMA_STRING && field->oneof != 0 && (seen & SEEN_ONEOF) == 0)
        put_bytes(reader->out, field, (struct slice){ NULL, 0 });
    return json_literal(&reader->text, "null");
}

static bool read_field(struct reader *reader, const struct schema_field *field, uint32_t *seen)
{
    uint32_t bit = UINT32_C(1) << field->number;
    bool keep = field->has_presence || (*seen & bit) != 0;

    if (json_peek(&reader->text) == 'n')
        return read_null(reader, field, *seen);
    *seen |= bit | (field->oneof != 0 ? SEEN_ONEOF : 0);
    return field->repeated ? read_list(reader, field) : read_one(reader, field, keep);
}

static bool read_message(struct reader *reader, const struct schema_message *message)
{
    const struct schema_field *field;
    uint32_t seen = 0; /* bits of fields: a default value counts when it takes back an earlier one */
    size_t expected = 0;

    if (!json_take(&reader->text, '{'))
        return fault(reader, "expected an object");
    if (json_take(&reader->text, '}'))
        return true;
    for (;;) {
        json_skip_space(&reader->text);
        field = match_key(reader, message, expected);
        if (field == NULL && !read_key(reader, message, &field))
            return false;
        if (field == NULL) {
            if (!json_skip_value(&reader->text))
                return false;
        } else {
            if (!read_field(reader, field, &seen))
                return failed_in(reader, field, 0);
            expected = (size_t)(field - message->fields) + 1;
        }
        if (json_take(&reader->text, ','))
            continue;
        return json_take(&reader->text, '}') || fault(reader, "expected \",\" or \"}\"");
    }
}

/* ---- the request ---- */

/* "resourceSpans[0].scopeSpans[2]"; what is further out than MAX_STEPS is left out. */
static void print_path(const struct reader *reader, struct buffer *path)
{
    size_t count = reader->step_count < MAX_STEPS ? reader->step_count : MAX_STEPS;

    if (reader->step_count > MAX_STEPS)
        buffer_append_string(path, "...");
    for (size_t i = count; i-- > 0;) {
        const struct step *step = &reader->steps[i];
        if (step->field == NULL) {
            buffer_printf(path, "[%zu]", step->index);
            continue;
        }
        if (path->size > 0)
            buffer_append_byte(path, '.');
        buffer_append_slice(path, schema_field_name(step->field));
    }
}

static void explain(const struct reader *reader, struct slice text, struct json_error *err)
{
    enum { LONGEST = 120 };
    struct buffer path = { .limit = 4096 };

    err->offset = (size_t)(reader->text.at - text.data);
    print_path(reader, &path);
    struct slice shown = buffer_slice(&path);
    if (shown.size > LONGEST)
        shown = (struct slice){ shown.data + shown.size - LONGEST, LONGEST };
    snprintf(err->message, sizeof(err->message), "%s%.*s%s%s", shown.size < path.size ? "..." : "", SLICE_PRINT(shown),
        shown.size > 0 ? ": " : "", reader->text.problem);
    buffer_fini(&path);
}

static bool read_request(struct reader *reader, enum signal signal)
{
    if (!read_message(reader, schema_request(signal)))
        return false;
    if (json_peek(&reader->text) != 0 || reader->text.at < reader->text.end)
        return fault(reader, "something follows the request");
    return !reader->out->failed || fault(reader, "the request grows too large");
}

bool json_read_request(enum signal signal, struct slice text, struct buffer *out, struct json_error *err)
{
    if (text.size == 0)
        text = SLICE(""); /* an empty slice need not point anywhere */
    struct reader reader = { .text = { text.data, text.data + text.size, "" }, .out = out };
    size_t size_before = out->size;

    memset(reader.length_sizes, 1, sizeof(reader.length_sizes));
    bool is_read = read_request(&reader, signal);
    if (!is_read) {
        out->size = size_before;
        if (err != NULL)
            explain(&reader, text, err);
    }
    buffer_fini(&reader.scratch);
    return is_read;
}
