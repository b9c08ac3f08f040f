/*
 * Converters between kinds, and questions about them. Threads: the machine's.
 */
#include <errno.h>
#include <iconv.h>
#include <math.h>
#include <stdlib.h>

#include "collector/ottl/program.h"
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"

/* Go's ParseInt: a sign and digits, nothing else. */
static bool parse_int(struct slice text, int base, int64_t *value)
{
    char copy[80], *end;

    if (text.size == 0 || text.size >= sizeof(copy) || text.data[0] == ' ' || (text.data[0] >= '\t' && text.data[0] <= '\r'))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    long long number = strtoll(copy, &end, base);
    *value = number;
    return *end == '\0' && end == copy + text.size &&
           !((number == INT64_MAX || number == INT64_MIN) && text.size > 18 && base == 10 && strcmp(copy, "9223372036854775807") != 0 &&
               strcmp(copy, "-9223372036854775808") != 0);
}

static bool run_int(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    int64_t number;

    if (!ottl_argument(call, 0, machine, value))
        return false;
    switch (value->kind) {
    case OTTL_STRING:
        *value = parse_int(value->bytes, 10, &number) ? ottl_int(number) : (struct ottl_value){ .kind = OTTL_NIL };
        break;
    case OTTL_DOUBLE:
        *value = value->number > -9.3e18 && value->number < 9.3e18
                     ? ottl_int(value->number >= 9.2233720368547758e18 ? INT64_MAX : (int64_t)value->number)
                     : (struct ottl_value){ .kind = OTTL_NIL };
        break;
    case OTTL_BOOL:
        *value = ottl_int(value->integer != 0);
        break;
    case OTTL_INT:
        break;
    default:
        *value = (struct ottl_value){ .kind = OTTL_NIL };
        break;
    }
    return true;
}

static bool run_double(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct decimal decimal;
    double number;

    if (!ottl_argument(call, 0, machine, value))
        return false;
    switch (value->kind) {
    case OTTL_STRING: {
        struct slice text = value->bytes;
        *value = (struct ottl_value){ .kind = OTTL_NIL };
        if (text.size > 1 && text.data[0] == '+')
            text = slice_of(text.data + 1, text.size - 1);
        if (decimal_scan(text, &decimal) && decimal.text.size == text.size && decimal_to_double(&decimal, &number))
            *value = ottl_double(number);
        break;
    }
    case OTTL_INT:
        *value = ottl_double((double)value->integer);
        break;
    case OTTL_BOOL:
        *value = ottl_double(value->integer != 0);
        break;
    case OTTL_DOUBLE:
        break;
    default:
        *value = (struct ottl_value){ .kind = OTTL_NIL };
        break;
    }
    return true;
}

static bool run_string(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;
    bool is_nil;

    if (!ottl_argument_text(call, 0, machine, &text, &is_nil))
        return false;
    *value = is_nil ? (struct ottl_value){ .kind = OTTL_NIL } : ottl_string(text);
    return true;
}

static bool run_bool(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" }, *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

    if (!ottl_argument(call, 0, machine, value))
        return false;
    if (value->kind == OTTL_INT || value->kind == OTTL_DOUBLE) {
        *value = ottl_bool(value->kind == OTTL_INT ? value->integer != 0 : value->number != 0);
        return true;
    }
    for (size_t i = 0; value->kind == OTTL_STRING && i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (slice_equal_string(value->bytes, yes[i]) || slice_equal_string(value->bytes, no[i])) {
            *value = ottl_bool(slice_equal_string(value->bytes, yes[i]));
            return true;
        }
    }
    return value->kind == OTTL_BOOL || value->kind == OTTL_NIL || ottl_fail(machine, "could not convert value to bool");
}

static bool run_parse_int(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;
    int64_t base, number;

    if (!ottl_argument_string(call, 0, machine, &text) || !ottl_argument_int(call, 1, machine, &base))
        return false;
    if (text.size == 0)
        return ottl_fail(machine, "invalid target value for ParseInt function, it must not be empty");
    if (base != 0 && (base < 2 || base > 36))
        return ottl_fail(machine, "invalid base %lld for ParseInt function", (long long)base);
    if (!parse_int(text, (int)base, &number))
        return ottl_fail(machine, "could not convert \"%.*s\" to an integer", SLICE_PRINT(text));
    *value = ottl_int(number);
    return true;
}

static bool is_kind(const struct ottl_call *call, struct ottl_machine *machine, enum ottl_kind kind, struct ottl_value *value)
{
    if (!ottl_argument(call, 0, machine, value))
        return false;
    *value = ottl_bool(value->kind == kind);
    return true;
}

static bool run_is_string(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return is_kind(call, machine, OTTL_STRING, value);
}

static bool run_is_bool(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return is_kind(call, machine, OTTL_BOOL, value);
}

static bool run_is_int(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return is_kind(call, machine, OTTL_INT, value);
}

static bool run_is_double(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return is_kind(call, machine, OTTL_DOUBLE, value);
}

static bool run_is_map(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return is_kind(call, machine, OTTL_MAP, value);
}

static bool run_is_list(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return is_kind(call, machine, OTTL_LIST, value);
}

static bool run_is_root_span(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct pb_field field;
    bool has_parent = false;

    (void)call;
    if (ottl_read_field(machine, LEVEL_RECORD, 4, &field)) {
        for (size_t i = 0; i < field.bytes.size; i++)
            has_parent = has_parent || field.bytes.data[i] != 0;
    }
    *value = ottl_bool(!has_parent);
    return true;
}

static bool run_coalesce(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value list;

    if (!ottl_argument_kind(call, 0, machine, OTTL_LIST, &list))
        return false;
    struct ottl_cursor cursor = ottl_items(&list);
    while (ottl_next_item(&cursor, value)) {
        if (value->kind != OTTL_NIL)
            return true;
    }
    *value = (struct ottl_value){ .kind = OTTL_NIL };
    return true;
}

static bool run_log(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    double number;

    if (!run_double(call, machine, value))
        return false;
    if (value->kind != OTTL_DOUBLE)
        return ottl_fail(machine, "could not convert the value to a number");
    number = value->number;
    if (number <= 0)
        return ottl_fail(machine, "greater than zero expected");
    *value = ottl_double(log(number));
    return true;
}

/* The Luhn checksum of a number, or of the digits of a text. */
static bool run_is_valid_luhn(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;
    unsigned sum = 0, digits = 0;
    bool is_nil, plain = true;

    if (!ottl_argument_text(call, 0, machine, &text, &is_nil))
        return false;
    for (size_t i = text.size; i-- > 0;) {
        if (text.data[i] == ' ')
            continue;
        plain = plain && text.data[i] >= '0' && text.data[i] <= '9';
        unsigned digit = (unsigned)(text.data[i] - '0');
        digit = digits++ % 2 == 1 ? digit * 2 : digit;
        sum += digit > 9 ? digit - 9 : digit;
    }
    if (is_nil || !plain)
        return ottl_fail(machine, "invalid: expected the digits of a number");
    *value = ottl_bool(digits > 0 && sum % 10 == 0);
    return true;
}

/* ---- ids and hexadecimal ---- */

static bool to_id(const struct ottl_call *call, struct ottl_machine *machine, size_t size, struct ottl_value *value)
{
    uint8_t id[16];
    bool hexadecimal;

    if (!ottl_argument(call, 0, machine, value))
        return false;
    hexadecimal = value->kind == OTTL_STRING && value->bytes.size == 2 * size && encoding_read_hex(value->bytes, id);
    if (hexadecimal && !ottl_keep(machine, slice_of(id, size), &value->bytes))
        return false;
    if (!hexadecimal && (value->kind != OTTL_BYTES || value->bytes.size != size))
        return ottl_fail(machine, "%s ids must be %zu bytes", size == 16 ? "trace" : "span", size);
    *value = (struct ottl_value){ .kind = size == 16 ? OTTL_TRACE_ID : OTTL_SPAN_ID, .bytes = value->bytes };
    return true;
}

static bool run_trace_id(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return to_id(call, machine, 16, value);
}

static bool run_span_id(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return to_id(call, machine, 8, value);
}

/* As long as a trace's, and nothing else is known of it. */
static bool run_profile_id(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return to_id(call, machine, 16, value);
}

/* Literal ids are checked at start. */
static bool prepare_id(struct ottl_call *call, struct arena *arena, struct error *err)
{
    size_t size = strcmp(call->function->name, "SpanID") == 0 ? 8 : 16;
    const struct ottl_value *value = &call->arguments[0]->value;

    (void)arena;
    return !call->arguments[0]->constant || value->kind != OTTL_BYTES || value->bytes.size == size ||
           fail(err, "ids must be %zu bytes", size);
}

static bool run_hex(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    uint8_t number[8];
    uint64_t bits;

    if (!ottl_argument(call, 0, machine, value))
        return false;
    bits = value->kind == OTTL_DOUBLE ? pb_double_bits(value->number) : (uint64_t)value->integer;
    for (size_t i = 0; i < sizeof(number); i++)
        number[i] = (uint8_t)(bits >> (56 - 8 * i));
    switch (value->kind) {
    case OTTL_INT:
    case OTTL_DOUBLE:
        value->bytes = slice_of(number, sizeof(number));
        break;
    case OTTL_BOOL:
        value->bytes = slice_of(number + 7, 1);
        break;
    case OTTL_STRING:
    case OTTL_BYTES:
    case OTTL_TRACE_ID:
    case OTTL_SPAN_ID:
        break;
    default:
        return ottl_fail(machine, "unsupported type: %s", ottl_kind_name(value->kind));
    }
    char *text = ottl_alloc(machine, value->bytes.size * 2);
    if (text == NULL)
        return false;
    encoding_write_hex(value->bytes, text);
    *value = ottl_string(slice_of(text, value->bytes.size * 2));
    return true;
}

/* As Go's encodings: with padding, or, "raw", without. */
static bool decode_base64(struct ottl_machine *machine, struct slice text, bool raw, struct ottl_value *value)
{
    bool padded = text.size > 0 && text.data[text.size - 1] == '=';

    if ((raw ? padded : text.size % 4 != 0) || !encoding_read_base64(text, ottl_work(machine)))
        return ottl_fail(machine, "could not decode: illegal base64 data");
    return ottl_give_string(machine, value);
}

static bool run_base64_decode(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice text;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    return decode_base64(machine, text, false, value);
}

/* ---- Decode: base64 here, character sets by the C library ---- */

static bool is_base64(struct slice encoding)
{
    static const char *const names[] = { "base64", "base64-raw", "base64-url", "base64-raw-url" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_string(encoding, names[i]))
            return true;
    }
    return false;
}

/* From the character set to UTF-8; (iconv_t)-1 when the C library has no such set. */
static iconv_t open_encoding(struct slice encoding)
{
    char name[64];

    if (encoding.size >= sizeof(name) || memchr(encoding.data, '/', encoding.size) != NULL)
        return (iconv_t)-1;
    memcpy(name, encoding.data, encoding.size);
    name[encoding.size] = '\0';
    return iconv_open("UTF-8", name);
}

static bool convert(iconv_t converter, struct slice text, struct buffer *out)
{
    char chunk[1024], *to;
    char *from = (char *)(uintptr_t)text.data;
    size_t left = text.size, room;

    while (left > 0) {
        to = chunk;
        room = sizeof(chunk);
        bool stuck = iconv(converter, &from, &left, &to, &room) == (size_t)-1 && errno != E2BIG;
        buffer_append(out, chunk, sizeof(chunk) - room);
        if (stuck)
            return false;
    }
    return true;
}

static bool decode_text(struct ottl_machine *machine, struct slice encoding, struct ottl_value *value)
{
    iconv_t converter = open_encoding(encoding);
    bool ok;

    if (converter == (iconv_t)-1)
        return ottl_fail(machine, "unsupported encoding '%.*s'", SLICE_PRINT(encoding));
    ok = convert(converter, value->bytes, ottl_work(machine));
    iconv_close(converter);
    return ok ? ottl_give_string(machine, value) : ottl_fail(machine, "could not decode: not %.*s", SLICE_PRINT(encoding));
}

static bool run_decode(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice encoding;

    if (!ottl_argument(call, 0, machine, value) || !ottl_argument_string(call, 1, machine, &encoding))
        return false;
    if (value->kind != OTTL_STRING && value->kind != OTTL_BYTES)
        return ottl_fail(machine, "unsupported type provided to Decode function: %s", ottl_kind_name(value->kind));
    if (is_base64(encoding))
        return decode_base64(machine, value->bytes, slice_starts_with(encoding, SLICE("base64-raw")), value);
    if (slice_equal_ignoring_case(encoding, SLICE("utf-8")) || slice_equal_ignoring_case(encoding, SLICE("utf8"))) {
        *value = ottl_string(value->bytes);
        return true;
    }
    return decode_text(machine, encoding, value);
}

static bool prepare_decode(struct ottl_call *call, struct arena *arena, struct error *err)
{
    struct slice encoding = call->arguments[1]->value.bytes;
    iconv_t converter;

    (void)arena;
    if (!call->arguments[1]->constant || is_base64(encoding))
        return true;
    converter = open_encoding(encoding);
    if (converter == (iconv_t)-1)
        return fail(err,
            "unknown encoding \"%.*s\"; expected base64, base64-raw, base64-url, base64-raw-url, or a character set, as \"utf-8\"",
            SLICE_PRINT(encoding));
    iconv_close(converter);
    return true;
}

enum { SPANS = 1u << OTTL_SPAN | 1u << OTTL_SPANEVENT };

const struct ottl_function ottl_type_functions[] = {
    { "Int", "target:value", run_int, NULL, false, false, 0 },
    { "Double", "target:value", run_double, NULL, false, false, 0 },
    { "String", "target:value", run_string, NULL, false, false, 0 },
    { "Bool", "target:value", run_bool, NULL, false, false, 0 },
    { "ParseInt", "target:value,base:value", run_parse_int, NULL, false, false, 0 },
    { "IsString", "target:value", run_is_string, NULL, false, false, 0 },
    { "IsBool", "target:value", run_is_bool, NULL, false, false, 0 },
    { "IsInt", "target:value", run_is_int, NULL, false, false, 0 },
    { "IsDouble", "target:value", run_is_double, NULL, false, false, 0 },
    { "IsMap", "target:value", run_is_map, NULL, false, false, 0 },
    { "IsList", "target:value", run_is_list, NULL, false, false, 0 },
    { "IsRootSpan", "", run_is_root_span, NULL, false, true, SPANS },
    { "Coalesce", "values:value", run_coalesce, NULL, false, false, 0 },
    { "Log", "target:value", run_log, NULL, false, false, 0 },
    { "IsValidLuhn", "target:value", run_is_valid_luhn, NULL, false, false, 0 },
    { "TraceID", "bytes:value", run_trace_id, prepare_id, false, false, 0 },
    { "SpanID", "bytes:value", run_span_id, prepare_id, false, false, 0 },
    { "ProfileID", "bytes:value", run_profile_id, prepare_id, false, false, 0 },
    { "Hex", "target:value", run_hex, NULL, false, false, 0 },
    { "Base64Decode", "target:value", run_base64_decode, NULL, false, false, 0 },
    { "Decode", "target:value,encoding:value", run_decode, prepare_decode, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
