/*
 * The border check: one scan that looks at every nested field of a request and counts its records.
 *
 * Driven by the table of otlp_table.c, one entry a tag. Attributes of the shape that encoders write (a key, then a string,
 * integer, double or bool) are seen through as a whole, without descending. Known messages recurse; only AnyValue can nest in
 * itself, OTLP_MAX_DEPTH deep, so that the stack stays below 64 KiB.
 * Cost: 40 ns for a span of 400 bytes with eight attributes (wire_bench, 3.7 GHz). Threads: none of its own; no state.
 */
#include "collector/wire/otlp.h"

#include "collector/wire/otlp_table.h"
#include "collector/wire/utf8.h"

/* Framing that protobuf's own libraries refuse too: longer lengths and tags than 32 bits need. */
enum { MAX_VARINT_SIZE = 10, MAX_SHORT_VARINT_SIZE = 5 };

/* Behind whatever starts before `fast_end`, a tag, a length and FAST_SIZE bytes can be read in whole blocks. */
enum { FAST_SIZE = 128, FAST_SLACK = 2 + FAST_SIZE + UTF8_BLOCK };

enum {
    KEY_TAG = 1 << 3 | PB_BYTES,
    VALUE_TAG = 2 << 3 | PB_BYTES,
    STRING_TAG = OTLP_VALUE_STRING << 3 | PB_BYTES,
    BOOL_TAG = OTLP_VALUE_BOOL << 3 | PB_VARINT,
    INT_TAG = OTLP_VALUE_INT << 3 | PB_VARINT,
    DOUBLE_TAG = OTLP_VALUE_DOUBLE << 3 | PB_FIXED64,
};

struct checker {
    const uint8_t *begin, *end;
    const uint8_t *fast_end; /* `begin` in a short payload */
    enum otlp_fault fault;   /* set where it is found; bad framing otherwise */
    const uint8_t *fault_at; /* the innermost field with a fault; NULL: there is none */
    const char *fault_name;
    const uint8_t *bad_text; /* the first field with a string that is not UTF-8 */
    const char *bad_text_name;
    unsigned depth; /* AnyValues that are open */
    size_t seen[OTLP_MESSAGE_COUNT];
};

static const char *name_at(const struct checker *checker, enum otlp_content message, const uint8_t *start)
{
    struct pb_reader reader = { start, checker->end, false };

    return otlp_field_name(message, (uint32_t)(pb_varint(&reader) >> 3));
}

/* Called once for each message around the fault, from the inside out: the first call counts. */
__attribute__((noinline, cold)) static void note_fault(struct checker *checker, enum otlp_content message, const uint8_t *start)
{
    if (checker->fault_at != NULL)
        return;
    checker->fault_at = start;
    checker->fault_name = name_at(checker, message, start);
    if (checker->fault == OTLP_OK)
        checker->fault = OTLP_BAD_FRAMING;
}

__attribute__((noinline, cold)) static void note_bad_text(struct checker *checker, enum otlp_content message, const uint8_t *start)
{
    if (checker->bad_text != NULL)
        return;
    checker->bad_text = start;
    checker->bad_text_name = name_at(checker, message, start);
}

/* What every function here returns that finds a fault. */
static const uint8_t *refuse(struct checker *checker, enum otlp_fault fault)
{
    checker->fault = fault;
    return NULL;
}

/* ---- single values: each returns the byte behind the value, or NULL when it does not end in time ---- */

static inline const uint8_t *skip_varint_long(const uint8_t *at, const uint8_t *end)
{
    for (int i = 0; i < MAX_VARINT_SIZE && at < end; i++) {
        if (*at++ < 0x80)
            return at;
    }
    return NULL;
}

static inline const uint8_t *skip_varint(const uint8_t *at, const uint8_t *end)
{
    if (__builtin_expect(at < end && *at < 0x80, 1))
        return at + 1;
    return skip_varint_long(at, end);
}

static inline const uint8_t *skip_fixed(const uint8_t *at, const uint8_t *end, size_t size)
{
    return (size_t)(end - at) >= size ? at + size : NULL;
}

/* Tags and lengths of more than one byte. */
static inline const uint8_t *read_short_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < MAX_SHORT_VARINT_SIZE && at < end; i++) {
        *value |= (uint64_t)(*at & 0x7f) << (7 * i);
        if (*at++ < 0x80)
            return at;
    }
    return NULL;
}

/* A length and as many bytes: sets `value` to them. */
static inline const uint8_t *read_bytes(const uint8_t *at, const uint8_t *end, struct slice *value)
{
    uint64_t size = 0;

    if (__builtin_expect(at < end && *at < 0x80, 1))
        size = *at++;
    else
        at = read_short_varint(at, end, &size);
    if (at == NULL || size > (size_t)(end - at))
        return NULL;
    *value = (struct slice){ at, (size_t)size };
    return at + size;
}

static bool are_varints(struct slice values)
{
    const uint8_t *at = values.data, *end = values.data + values.size;

    while (at != NULL && at < end)
        at = skip_varint(at, end);
    return at != NULL;
}

/* ---- text ---- */

/* Needs size < FAST_SIZE, and whole blocks that can be read at `at`. */
static inline bool is_ascii(const uint8_t *at, size_t size)
{
    if (size <= UTF8_BLOCK)
        return (utf8_high_bits(at) & ((1U << size) - 1)) == 0;
    const uint8_t *last = at + size - UTF8_BLOCK;
    uint32_t bits = utf8_high_bits(at) | utf8_high_bits(last);
    for (at += UTF8_BLOCK; at < last; at += UTF8_BLOCK)
        bits |= utf8_high_bits(at);
    return bits == 0;
}

static inline bool is_text(const struct checker *checker, struct slice text)
{
    if (text.size < FAST_SIZE && text.data < checker->fast_end && is_ascii(text.data, text.size))
        return true;
    return utf8_is_valid(text);
}

/* ---- attributes as encoders write them: a key, then one value, each with a length of one byte ---- */

static inline uint32_t load_four(const uint8_t *at)
{
    uint32_t four;

    memcpy(&four, at, sizeof(four));
    return four;
}

/* The value's tag and length, then the tag and length of the string in it: four bytes, made and compared at once. */
static inline uint32_t string_head(size_t value_size)
{
    const uint32_t empty = VALUE_TAG + (STRING_TAG << 16) - (2U << 24);

    return empty + (uint32_t)value_size * 0x01000100U;
}

static inline bool is_plain_number(const uint8_t *value, size_t size)
{
    if (value[0] == INT_TAG || value[0] == BOOL_TAG)
        return skip_varint(value + 1, value + size) == value + size;
    return value[0] == DOUBLE_TAG && size == 9;
}

/* Needs what is_ascii needs. False: it may be anything, and has to be looked at field by field. */
static inline bool is_plain_key_value(const uint8_t *at, size_t size)
{
    size_t key_size = at[1];

    if (key_size + 6 > size)
        return false;
    const uint8_t *value = at + 2 + key_size;
    size_t value_size = size - 4 - key_size;
    if (load_four(value) == string_head(value_size))
        return is_ascii(at, size);
    return value[0] == VALUE_TAG && value[1] == value_size && is_ascii(at, 2 + key_size) && is_plain_number(value + 2, value_size);
}

/* Passes over as many attributes of that shape as stand side by side from `at` on. */
static inline const uint8_t *skip_plain_attributes(const struct checker *checker, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *limit = end < checker->fast_end ? end : checker->fast_end;
    uint32_t tag = *at;

    /* The field's tag, its length (below FAST_SIZE), the key's tag, its length. */
    while (at < limit && (load_four(at) & 0x00ff80ffU) == (tag | KEY_TAG << 16)) {
        size_t size = at[1];
        const uint8_t *next = at + 2 + size;
        if (next > end || !is_plain_key_value(at + 2, size))
            break;
        at = next;
    }
    return at;
}

/* ---- fields and messages ---- */

static bool check_message(struct checker *checker, enum otlp_content message, struct slice body);

static const uint8_t *check_nested(struct checker *checker, enum otlp_content message, const uint8_t *at, const uint8_t *end)
{
    bool is_value = message == MESSAGE_ANY_VALUE;
    struct slice body;
    const uint8_t *next = read_bytes(at, end, &body);

    if (next == NULL)
        return NULL;
    if (is_value && checker->depth == OTLP_MAX_DEPTH)
        return refuse(checker, OTLP_TOO_DEEP);
    checker->seen[message - OTLP_MESSAGES]++;
    checker->depth += is_value;
    bool ok = check_message(checker, message, body);
    checker->depth -= is_value;
    return ok ? next : NULL;
}

static inline const uint8_t *check_id(struct checker *checker, size_t size, const uint8_t *at, const uint8_t *end)
{
    struct slice id;

    if (__builtin_expect(at < end && *at == size && (size_t)(end - at) > size, 1))
        return at + 1 + size;
    const uint8_t *next = read_bytes(at, end, &id);
    if (next != NULL && id.size != 0 && id.size != size)
        return refuse(checker, OTLP_BAD_ID);
    return next;
}

static const uint8_t *check_packed(enum otlp_content content, const uint8_t *at, const uint8_t *end)
{
    struct slice values;
    const uint8_t *next = read_bytes(at, end, &values);

    if (next == NULL || (content == CONTENT_PACKED_FIXED64 && values.size % 8 != 0))
        return NULL;
    return content == CONTENT_PACKED_FIXED64 || are_varints(values) ? next : NULL;
}

/* A field that is passed over for its wire type alone. */
static const uint8_t *skip_unknown(uint32_t tag, const uint8_t *at, const uint8_t *end)
{
    struct slice value;

    if (tag >> 3 == 0)
        return NULL;
    switch (tag & 7) {
    case PB_VARINT:
        return skip_varint(at, end);
    case PB_FIXED64:
        return skip_fixed(at, end, 8);
    case PB_BYTES:
        return read_bytes(at, end, &value);
    case PB_FIXED32:
        return skip_fixed(at, end, 4);
    default:
        return NULL;
    }
}

/* A tag of more than one byte; 0, which no field has, when there is none. */
__attribute__((noinline)) static const uint8_t *read_long_tag(const uint8_t *at, const uint8_t *end, uint32_t *tag)
{
    uint64_t value = 0;

    at = read_short_varint(at, end, &value);
    *tag = at != NULL && value <= UINT32_MAX ? (uint32_t)value : 0;
    return at;
}

static bool check_message(struct checker *checker, enum otlp_content message, struct slice body)
{
    const uint8_t *contents = otlp_contents_of(message);
    const uint8_t *end = body.data + body.size;
    const uint8_t *next;

    for (const uint8_t *start = body.data; start < end; start = next) {
        struct slice value;
        uint32_t tag = *start;
        enum otlp_content content = (enum otlp_content)contents[tag];
        next = start + 1;
        if (__builtin_expect(tag >= 0x80, 0)) {
            next = read_long_tag(start, end, &tag);
            content = tag < OTLP_TAGS ? (enum otlp_content)contents[tag] : CONTENT_UNKNOWN;
        }
        switch (content) {
        case CONTENT_UNKNOWN:
            next = otlp_knows_field(message, tag >> 3) ? refuse(checker, OTLP_BAD_WIRE_TYPE) : skip_unknown(tag, next, end);
            break;
        case CONTENT_VARINT:
            next = skip_varint(next, end);
            break;
        case CONTENT_FIXED64:
            next = skip_fixed(next, end, 8);
            break;
        case CONTENT_FIXED32:
            next = skip_fixed(next, end, 4);
            break;
        case CONTENT_ID16:
            next = check_id(checker, 16, next, end);
            break;
        case CONTENT_ID8:
            next = check_id(checker, 8, next, end);
            break;
        case CONTENT_PACKED_VARINT:
        case CONTENT_PACKED_FIXED64:
            next = check_packed(content, next, end);
            break;
        case CONTENT_BYTES:
        case CONTENT_STRING:
            next = read_bytes(next, end, &value);
            if (next != NULL && content == CONTENT_STRING && !is_text(checker, value))
                note_bad_text(checker, message, start);
            break;
        case MESSAGE_KEY_VALUE:
            value.data = skip_plain_attributes(checker, start, end);
            next = value.data > start ? value.data : check_nested(checker, content, next, end);
            break;
        default:
            next = check_nested(checker, content, next, end);
        }
        if (__builtin_expect(next == NULL, 0)) {
            note_fault(checker, message, start);
            return false;
        }
    }
    return true;
}

/* ---- results ---- */

static const enum otlp_content group_messages[SIGNAL_COUNT] = { MESSAGE_RESOURCE_SPANS, MESSAGE_RESOURCE_METRICS, MESSAGE_RESOURCE_LOGS,
    MESSAGE_RESOURCE_PROFILES };

static const enum otlp_content record_messages[] = {
    MESSAGE_SPAN,
    MESSAGE_LOG_RECORD,
    MESSAGE_NUMBER_POINT,
    MESSAGE_HISTOGRAM_POINT,
    MESSAGE_EXPONENTIAL_POINT,
    MESSAGE_SUMMARY_POINT,
    MESSAGE_PROFILE,
};

static size_t count_records(const struct checker *checker)
{
    size_t records = 0;

    for (size_t i = 0; i < sizeof(record_messages) / sizeof(record_messages[0]); i++)
        records += checker->seen[record_messages[i] - OTLP_MESSAGES];
    return records;
}

struct otlp_check otlp_check(enum signal signal, struct slice payload)
{
    struct checker checker = { .begin = payload.data, .fast_end = payload.data };

    if (payload.size > 0) {
        checker.end = payload.data + payload.size;
        checker.fast_end = payload.size > FAST_SLACK ? checker.end - FAST_SLACK : checker.begin;
        check_message(&checker, otlp_request_message(signal), payload);
    }
    if (checker.fault == OTLP_OK && checker.bad_text != NULL) {
        checker.fault = OTLP_BAD_UTF8;
        checker.fault_at = checker.bad_text;
        checker.fault_name = checker.bad_text_name;
    }
    return (struct otlp_check){
        .fault = checker.fault,
        .offset = checker.fault != OTLP_OK ? (size_t)(checker.fault_at - checker.begin) : 0,
        .message = checker.fault_name,
        .records = count_records(&checker),
        .groups = checker.seen[group_messages[signal] - OTLP_MESSAGES],
    };
}

const char *otlp_fault_text(enum otlp_fault fault)
{
    switch (fault) {
    case OTLP_OK:
        return "well-formed";
    case OTLP_BAD_FRAMING:
        return "truncated or malformed protobuf";
    case OTLP_BAD_WIRE_TYPE:
        return "field with a wire type that is not its own";
    case OTLP_BAD_ID:
        return "id of a wrong length";
    case OTLP_TOO_DEEP:
        return "values nested too deep";
    case OTLP_BAD_UTF8:
        return "string that is not UTF-8";
    }
    return "unknown fault";
}
