/*
 * The schema table against protobuf-c's descriptors, which come from our .proto files, and against the table of the
 * border check: three statements of the same facts, which must agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <ctype.h>
#include <cmocka.h>

#include "collector/wire/otlp_table.h"
#include "collector/wire/schema.h"
#include "tests/unit/wire/otlp_random.h"

static bool visited[SCHEMA_MESSAGE_COUNT];

static bool is_string_index(const struct schema_field *field)
{
    return slice_equal(schema_field_name(field), SLICE("keyStrindex")) ||
           slice_equal(schema_field_name(field), SLICE("stringValueStrindex"));
}

static ProtobufCType type_of(const struct schema_field *field)
{
    static const ProtobufCType types[] = {
        [SCHEMA_STRING] = PROTOBUF_C_TYPE_STRING,
        [SCHEMA_BYTES] = PROTOBUF_C_TYPE_BYTES,
        [SCHEMA_ID] = PROTOBUF_C_TYPE_BYTES,
        [SCHEMA_MESSAGE] = PROTOBUF_C_TYPE_MESSAGE,
        [SCHEMA_BOOL] = PROTOBUF_C_TYPE_BOOL,
        [SCHEMA_ENUM] = PROTOBUF_C_TYPE_ENUM,
        [SCHEMA_INT32] = PROTOBUF_C_TYPE_INT32,
        [SCHEMA_UINT32] = PROTOBUF_C_TYPE_UINT32,
        [SCHEMA_SINT32] = PROTOBUF_C_TYPE_SINT32,
        [SCHEMA_FIXED32] = PROTOBUF_C_TYPE_FIXED32,
        [SCHEMA_INT64] = PROTOBUF_C_TYPE_INT64,
        [SCHEMA_UINT64] = PROTOBUF_C_TYPE_UINT64,
        [SCHEMA_SINT64] = PROTOBUF_C_TYPE_SINT64,
        [SCHEMA_FIXED64] = PROTOBUF_C_TYPE_FIXED64,
        [SCHEMA_SFIXED64] = PROTOBUF_C_TYPE_SFIXED64,
        [SCHEMA_DOUBLE] = PROTOBUF_C_TYPE_DOUBLE,
    };

    return types[field->kind];
}

/* lowerCamelCase from snake_case, as protobuf's JSON mapping makes it. */
static void assert_camel_case(const struct schema_field *field)
{
    char camel[64];
    size_t size = 0;

    for (const char *at = field->snake_name; *at != '\0'; at++) {
        bool is_start = at > field->snake_name && at[-1] == '_';
        if (*at != '_')
            camel[size++] = is_start ? (char)toupper(*at) : *at;
    }
    assert_true(slice_equal(schema_field_name(field), slice_of(camel, size)));
    assert_int_equal(strlen(field->key), field->key_size);
    assert_int_equal(strlen(field->snake_name), field->snake_size);
}

static void assert_same_enum(const struct schema_enum *values, const ProtobufCEnumDescriptor *descriptor)
{
    assert_int_equal(values->count, descriptor->n_values);
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        assert_int_equal(descriptor->values[i].value, i);
        assert_string_equal(values->values[i], descriptor->values[i].name);
    }
}

static void assert_same_field(const struct schema_field *field, const ProtobufCFieldDescriptor *descriptor)
{
    bool in_oneof = (descriptor->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;

    assert_string_equal(field->snake_name, descriptor->name);
    if (field->kind != SCHEMA_ENUM || descriptor->type != PROTOBUF_C_TYPE_INT32) /* our .proto files do not name the severities */
        assert_int_equal(type_of(field), descriptor->type);
    assert_int_equal(field->repeated, descriptor->label == PROTOBUF_C_LABEL_REPEATED);
    assert_int_equal(field->has_presence, in_oneof || descriptor->label == PROTOBUF_C_LABEL_OPTIONAL);
    assert_true(field->number <= SCHEMA_MAX_NUMBER);
    assert_camel_case(field);
    if (descriptor->type == PROTOBUF_C_TYPE_ENUM)
        assert_same_enum(field->values, descriptor->descriptor);
    if (field->kind == SCHEMA_ID)
        assert_int_equal(field->id_size, strstr(field->snake_name, "span") != NULL ? 8 : 16);
}

static void assert_same_message(const struct schema_message *message, const ProtobufCMessageDescriptor *descriptor)
{
    unsigned extra = 0;

    assert_true(message->id < SCHEMA_MESSAGE_COUNT);
    if (visited[message->id])
        return;
    visited[message->id] = true;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        const ProtobufCFieldDescriptor *other = protobuf_c_message_descriptor_get_field(descriptor, field->number);
        if (other == NULL && is_string_index(field)) {
            extra++;
            continue;
        }
        if (other == NULL)
            fail_msg("%s.%s is not in the .proto file", message->name, field->snake_name);
        assert_same_field(field, other);
        if (field->kind == SCHEMA_MESSAGE)
            assert_same_message(field->message, other->descriptor);
    }
    assert_int_equal(message->field_count, descriptor->n_fields + extra);
}

static void test_table_agrees_with_the_proto_files(void **state)
{
    (void)state;

    memset(visited, 0, sizeof(visited));
    for (int signal = 0; signal < SIGNAL_COUNT; signal++)
        assert_same_message(schema_request((enum signal)signal), request_descriptor((enum signal)signal));
    for (size_t i = 0; i < SCHEMA_MESSAGE_COUNT; i++)
        assert_true(visited[i]);
}

static uint8_t content_of(const struct schema_field *field)
{
    enum pb_wire_type type = schema_wire_type(field);

    if (field->kind == SCHEMA_STRING)
        return CONTENT_STRING;
    if (field->kind == SCHEMA_BYTES)
        return CONTENT_BYTES;
    if (field->kind == SCHEMA_ID)
        return field->id_size == 8 ? CONTENT_ID8 : CONTENT_ID16;
    if (type == PB_VARINT)
        return CONTENT_VARINT;
    return type == PB_FIXED64 ? CONTENT_FIXED64 : CONTENT_FIXED32;
}

static void assert_same_contents(const struct schema_message *message, enum otlp_content content)
{
    const uint8_t *contents = otlp_contents_of(content);

    if (visited[message->id])
        return;
    visited[message->id] = true;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        unsigned tag = (unsigned)field->number << 3;
        if (schema_is_packed(field))
            assert_int_equal(
                contents[tag | PB_BYTES], schema_wire_type(field) == PB_VARINT ? CONTENT_PACKED_VARINT : CONTENT_PACKED_FIXED64);
        if (field->kind != SCHEMA_MESSAGE) {
            assert_int_equal(contents[tag | schema_wire_type(field)], content_of(field));
            continue;
        }
        assert_true(contents[tag | PB_BYTES] >= OTLP_MESSAGES);
        assert_same_contents(field->message, (enum otlp_content)contents[tag | PB_BYTES]);
    }
}

static void test_table_agrees_with_the_border_check(void **state)
{
    (void)state;

    memset(visited, 0, sizeof(visited));
    for (int signal = 0; signal < SIGNAL_COUNT; signal++)
        assert_same_contents(schema_request((enum signal)signal), otlp_request_message((enum signal)signal));
}

static void test_fields_are_found(void **state)
{
    const struct schema_message *request = schema_request(SIGNAL_TRACES);
    (void)state;

    assert_ptr_equal(schema_field_by_name(request, SLICE("resourceSpans")), &request->fields[0]);
    assert_ptr_equal(schema_field_by_name(request, SLICE("resource_spans")), &request->fields[0]);
    assert_null(schema_field_by_name(request, SLICE("resourcespans")));
    assert_null(schema_field_by_name(request, SLICE("")));
    assert_ptr_equal(schema_field_by_number(request, 1), &request->fields[0]);
    assert_null(schema_field_by_number(request, 2));
}

static void test_enum_names_are_found(void **state)
{
    const struct schema_message *span = schema_request(SIGNAL_TRACES)->fields[0].message->fields[1].message->fields[1].message;
    const struct schema_field *kind = schema_field_by_name(span, SLICE("kind"));
    int32_t number;
    (void)state;

    assert_true(schema_enum_number(kind->values, SLICE("SPAN_KIND_CLIENT"), &number));
    assert_int_equal(number, 3);
    assert_false(schema_enum_number(kind->values, SLICE("CLIENT"), &number));
    assert_false(schema_enum_number(kind->values, SLICE("SPAN_KIND_CLIENTS"), &number));
}

static void test_severities_come_in_fours(void **state)
{
    const struct schema_message *record = schema_request(SIGNAL_LOGS)->fields[0].message->fields[1].message->fields[1].message;
    const struct schema_enum *severities = schema_field_by_name(record, SLICE("severityNumber"))->values;
    static const char *const levels[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };
    (void)state;

    assert_int_equal(severities->count, 25);
    for (int i = 0; i < 24; i++) {
        char name[40];
        int32_t number;
        snprintf(
            name, sizeof(name), i % 4 == 0 ? "SEVERITY_NUMBER_%s%.0d" : "SEVERITY_NUMBER_%s%d", levels[i / 4], i % 4 == 0 ? 0 : i % 4 + 1);
        assert_true(schema_enum_number(severities, slice_of_string(name), &number));
        assert_int_equal(number, i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_agrees_with_the_proto_files),
        cmocka_unit_test(test_table_agrees_with_the_border_check),
        cmocka_unit_test(test_fields_are_found),
        cmocka_unit_test(test_enum_names_are_found),
        cmocka_unit_test(test_severities_come_in_fours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
