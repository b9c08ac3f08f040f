/* The border check on bytes made by hand: every fault, at the right place, with the right name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "collector/wire/otlp.h"
#include "collector/wire/otlp_table.h"
#include "tests/unit/wire/otlp_random.h"

/* The path from the request to the message under test; ends with 0. */
static const uint32_t to_span[] = { 1, 2, 2, 0 };
static const uint32_t to_any_value[] = { 1, 2, 2, 9, 2, 0 };

/* Wraps `bytes` as the content of the message at the end of the path. */
static void wrap(const uint32_t *path, struct slice bytes, struct buffer *out)
{
    size_t marks[8], depth = 0;

    for (; path[depth] != 0; depth++)
        marks[depth] = pb_open(out, path[depth]);
    buffer_append_slice(out, bytes);
    while (depth > 0)
        pb_close(out, marks[--depth]);
}

static struct otlp_check check_wrapped(enum signal signal, const uint32_t *path, struct slice bytes)
{
    struct buffer out = { 0 };

    wrap(path, bytes, &out);
    struct otlp_check check = otlp_check(signal, buffer_slice(&out));
    buffer_fini(&out);
    return check;
}

struct fault_case {
    const char *bytes;
    size_t size;
    enum otlp_fault fault;
    const char *name;
};

#define CASE(literal, fault, name)                                                                                                         \
    {                                                                                                                                      \
        literal, sizeof(literal) - 1, fault, name                                                                                          \
    }

static void test_span_faults(void **state)
{
    static const struct fault_case cases[] = {
        CASE("", OTLP_OK, NULL),
        CASE("\x0a\x10"
             "0123456789abcdef",
            OTLP_OK, NULL),
        CASE("\x0a\x00\x12\x00\x22\x00", OTLP_OK, NULL),
        CASE("\x0a\x0f"
             "0123456789abcde",
            OTLP_BAD_ID, "Span.trace_id"),
        CASE("\x12\x07"
             "0123456",
            OTLP_BAD_ID, "Span.span_id"),
        CASE("\x22\x09"
             "012345678",
            OTLP_BAD_ID, "Span.parent_span_id"),
        CASE("\x08\x01", OTLP_BAD_WIRE_TYPE, "Span.trace_id"), CASE("\x39\x00\x00\x00", OTLP_BAD_FRAMING, "Span.start_time_unix_nano"),
        CASE("\x38\x00", OTLP_BAD_WIRE_TYPE, "Span.start_time_unix_nano"), CASE("\x85\x01\x01\x02\x03\x04", OTLP_OK, NULL),
        CASE("\x85\x01\x01\x02\x03", OTLP_BAD_FRAMING, "Span.flags"), CASE("\x80\x01\x01", OTLP_BAD_WIRE_TYPE, "Span.flags"),
        CASE("\x8a\x00\x00", OTLP_OK, NULL), /* trace_id with a tag in two bytes */
        CASE("\x8a\x00\x01\x00", OTLP_BAD_ID, "Span.trace_id"), CASE("\xca\x00\x05\x0a\x01k\x12\x00\x4a\x00", OTLP_OK, NULL),
        CASE("\x30\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", OTLP_OK, NULL),
        CASE("\x30\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", OTLP_BAD_FRAMING, "Span.kind"),
        CASE("\x2a\x05"
             "name",
            OTLP_BAD_FRAMING, "Span.name"),
        CASE("\x2a\x80\x80\x80\x80\x00", OTLP_OK, NULL), /* five bytes of length are allowed */
        CASE("\x2a\x80\x80\x80\x80\x80\x00", OTLP_BAD_FRAMING, "Span.name"), CASE("\x2a", OTLP_BAD_FRAMING, "Span.name"),
        CASE("\x00\x00", OTLP_BAD_FRAMING, "Span"), CASE("\x02\x00", OTLP_BAD_FRAMING, "Span"),
        CASE("\xa3\x06\xa4\x06", OTLP_BAD_FRAMING, "Span"), /* a group, of an unknown field */
        CASE("\xa6\x06\x00", OTLP_BAD_FRAMING, "Span"),     /* wire type 6 */
        CASE("\xa0\x06\x01\xa1\x06"
             "12345678"
             "\xa2\x06\x02\xff\xff\xa5\x06"
             "1234",
            OTLP_OK, NULL), /* unknown fields */
        CASE("\xa0\x06", OTLP_BAD_FRAMING, "Span"), CASE("\xff\xff\xff\xff\xff\x01", OTLP_BAD_FRAMING, NULL),
        CASE("\x4a\x02\x0a\x05", OTLP_BAD_FRAMING, "KeyValue.key"),
        CASE("\x4a\x03\x12\x01\x08", OTLP_BAD_WIRE_TYPE, "AnyValue.string_value"),
        CASE("\x6a\x03\x0a\x01\x00", OTLP_BAD_ID, "Span.Link.trace_id"),
        CASE("\x2a\x03"
             "a\xff"
             "b",
            OTLP_BAD_UTF8, "Span.name"),
        CASE("\x4a\x07\x0a\x01\xff\x12\x02\x08\x01", OTLP_BAD_WIRE_TYPE, "AnyValue.string_value"), /* before BAD_UTF8 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct otlp_check check = check_wrapped(SIGNAL_TRACES, to_span, slice_of(cases[i].bytes, cases[i].size));
        if (check.fault != cases[i].fault)
            fail_msg("case %zu: %s", i, otlp_fault_text(check.fault));
        if (cases[i].name != NULL)
            assert_string_equal(check.message, cases[i].name);
        if (check.fault == OTLP_OK || check.fault == OTLP_BAD_UTF8)
            assert_int_equal(check.records, 1);
        assert_true(check.fault == OTLP_OK || check.offset >= 6);
    }
}

static void test_offset_is_the_start_of_the_field(void **state)
{
    static const char bytes[] = "\x2a\x04name\x0a\x01x";

    (void)state;
    /* three tags and lengths around it, and a name before it */
    assert_int_equal(check_wrapped(SIGNAL_TRACES, to_span, slice_of(bytes, sizeof(bytes) - 1)).offset, 6 + 6);
}

static void test_empty_requests_are_fine(void **state)
{
    (void)state;
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct otlp_check check = otlp_check((enum signal)signal, (struct slice){ NULL, 0 });
        assert_int_equal(check.fault, OTLP_OK);
        assert_int_equal(check.records + check.groups, 0);
    }
}

/* Puts an AnyValue into an array or a map in another AnyValue. */
static void nest(struct buffer *value, bool in_map)
{
    struct buffer outer = { 0 };
    size_t list = pb_open(&outer, in_map ? OTLP_VALUE_MAP : OTLP_VALUE_ARRAY), element = pb_open(&outer, 1);

    if (in_map)
        pb_put_bytes(&outer, 2, buffer_slice(value));
    else
        buffer_append_slice(&outer, buffer_slice(value));
    pb_close(&outer, element);
    pb_close(&outer, list);
    buffer_fini(value);
    *value = outer;
}

static void test_values_nest_100_deep_and_no_deeper(void **state)
{
    struct buffer value = { 0 };

    (void)state;
    for (size_t depth = 1; depth <= OTLP_MAX_DEPTH + 10; depth++) {
        static const uint32_t to_log_body[] = { 1, 2, 2, 5, 0 };
        enum otlp_fault expected = depth > OTLP_MAX_DEPTH ? OTLP_TOO_DEEP : OTLP_OK;
        assert_int_equal(check_wrapped(SIGNAL_TRACES, to_any_value, buffer_slice(&value)).fault, expected);
        assert_int_equal(check_wrapped(SIGNAL_LOGS, to_log_body, buffer_slice(&value)).fault, expected);
        nest(&value, depth % 2 == 0);
    }
    buffer_fini(&value);
}

/* Every string of every size, with one bad byte at every place. */
static void test_bad_text_is_found_wherever_it_is(void **state)
{
    static const uint8_t padding[200];
    uint8_t text[140];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t size = 1; size <= sizeof(text); size += size < 40 ? 1 : 9) {
        for (size_t bad = 0; bad <= size; bad++) {
            struct buffer span = { 0 };
            memset(text, 'a', sizeof(text));
            if (bad < size)
                text[bad] = 0xff;
            size_t attribute = pb_open(&span, OTLP_ATTRIBUTES_OF_SPAN);
            pb_put_bytes(&span, 1, SLICE("key"));
            size_t value = pb_open(&span, 2);
            pb_put_bytes(&span, OTLP_VALUE_STRING, slice_of(text, size));
            pb_close(&span, value);
            pb_close(&span, attribute);
            enum otlp_fault expected = bad < size ? OTLP_BAD_UTF8 : OTLP_OK;
            assert_int_equal(check_wrapped(SIGNAL_TRACES, to_span, buffer_slice(&span)).fault, expected);
            pb_put_bytes(&span, 100, slice_of(padding, sizeof(padding)));
            struct otlp_check check = check_wrapped(SIGNAL_TRACES, to_span, buffer_slice(&span));
            assert_int_equal(check.fault, expected);
            assert_int_equal(check.records, 1);
            if (bad < size)
                assert_string_equal(check.message, "AnyValue.string_value");
            buffer_fini(&span);
        }
    }
}

static void test_repeated_numbers_are_read_packed_and_unpacked(void **state)
{
    static const uint32_t to_histogram_point[] = { 1, 2, 2, 9, 1, 0 }, to_buckets[] = { 1, 2, 2, 10, 1, 8, 0 };
    static const char fixed[] = "\x31"
                                "12345678"
                                "\x32\x10"
                                "1234567812345678"
                                "\x32\x00";

    (void)state;
    assert_int_equal(check_wrapped(SIGNAL_METRICS, to_histogram_point, slice_of(fixed, sizeof(fixed) - 1)).fault, OTLP_OK);
    assert_int_equal(check_wrapped(SIGNAL_METRICS, to_histogram_point,
                         SLICE("\x32\x07"
                               "1234567"))
                         .fault,
        OTLP_BAD_FRAMING);
    assert_int_equal(check_wrapped(SIGNAL_METRICS, to_buckets, SLICE("\x10\x05\x12\x04\x01\x80\x80\x01\x12\x00")).fault, OTLP_OK);
    assert_int_equal(check_wrapped(SIGNAL_METRICS, to_buckets, SLICE("\x12\x02\x01\x80")).fault, OTLP_BAD_FRAMING);
}

/* ---- the table of fields against the .proto files ---- */

static enum otlp_content expected_content(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return CONTENT_STRING;
    case PROTOBUF_C_TYPE_BYTES:
        if (strcmp(field->name, "trace_id") == 0 || strcmp(field->name, "profile_id") == 0)
            return CONTENT_ID16;
        return strstr(field->name, "span_id") != NULL ? CONTENT_ID8 : CONTENT_BYTES;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return CONTENT_FIXED64;
    case PROTOBUF_C_TYPE_FIXED32:
        return CONTENT_FIXED32;
    default:
        return CONTENT_VARINT;
    }
}

static uint32_t expected_tag(const ProtobufCFieldDescriptor *field)
{
    enum otlp_content content = expected_content(field);

    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return field->id << 3 | PB_BYTES;
    if (content == CONTENT_VARINT)
        return field->id << 3 | PB_VARINT;
    if (content == CONTENT_FIXED64)
        return field->id << 3 | PB_FIXED64;
    return field->id << 3 | (content == CONTENT_FIXED32 ? PB_FIXED32 : PB_BYTES);
}

struct table_walk {
    bool seen[OTLP_CONTENTS];
    size_t fields;
};

static void compare_message(struct table_walk *walk, enum otlp_content message, const ProtobufCMessageDescriptor *descriptor)
{
    const uint8_t *contents = otlp_contents_of(message);
    char name[100];

    if (walk->seen[message])
        return;
    walk->seen[message] = true;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        enum otlp_content content = (enum otlp_content)contents[expected_tag(field)];
        snprintf(name, sizeof(name), ".%s", field->name);
        assert_non_null(strstr(otlp_field_name(message, field->id), name));
        walk->fields++;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            assert_true(content >= OTLP_MESSAGES);
            compare_message(walk, content, field->descriptor);
            continue;
        }
        assert_int_equal(content, expected_content(field));
        if (field->label == PROTOBUF_C_LABEL_REPEATED && content != CONTENT_STRING) {
            enum otlp_content packed = content == CONTENT_VARINT ? CONTENT_PACKED_VARINT : CONTENT_PACKED_FIXED64;
            assert_int_equal(contents[field->id << 3 | PB_BYTES], packed);
            walk->fields++;
        }
    }
}

static void test_table_agrees_with_the_protocol_files(void **state)
{
    enum { STRING_INDICES = 2 }; /* of profiles, in AnyValue and KeyValue; not in these .proto files */
    struct table_walk walk = { .fields = 0 };
    size_t entries = 0;

    (void)state;
    for (int signal = 0; signal < SIGNAL_COUNT; signal++)
        compare_message(&walk, otlp_request_message((enum signal)signal), request_descriptor((enum signal)signal));
    for (int message = OTLP_MESSAGES; message < OTLP_CONTENTS; message++) {
        assert_true(walk.seen[message]);
        for (size_t tag = 0; tag < OTLP_TAGS; tag++)
            entries += otlp_contents_of((enum otlp_content)message)[tag] != CONTENT_UNKNOWN;
    }
    assert_int_equal(entries, walk.fields + STRING_INDICES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_span_faults),
        cmocka_unit_test(test_offset_is_the_start_of_the_field),
        cmocka_unit_test(test_empty_requests_are_fine),
        cmocka_unit_test(test_values_nest_100_deep_and_no_deeper),
        cmocka_unit_test(test_bad_text_is_found_wherever_it_is),
        cmocka_unit_test(test_repeated_numbers_are_read_packed_and_unpacked),
        cmocka_unit_test(test_table_agrees_with_the_protocol_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
