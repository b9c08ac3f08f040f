/* Edits: by hand, and random ones done on the bytes and on protobuf-c's object alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "collector/wire/edit.h"
#include "tests/unit/wire/otlp_oracle.h"

typedef Opentelemetry__Proto__Common__V1__AnyValue PbAnyValue;
typedef Opentelemetry__Proto__Common__V1__KeyValue PbKeyValue;
typedef Opentelemetry__Proto__Trace__V1__Span PbSpan;

static const struct otlp_value text_value = { .kind = OTLP_VALUE_STRING, .bytes = { (const uint8_t *)"text", 4 } };

static void put_attribute(struct buffer *out, const char *key, const char *text)
{
    size_t attribute = pb_open(out, OTLP_ATTRIBUTES_OF_SPAN);

    pb_put_bytes(out, 1, slice_of_string(key));
    size_t value = pb_open(out, 2);
    pb_put_bytes(out, OTLP_VALUE_STRING, slice_of_string(text));
    pb_close(out, value);
    pb_close(out, attribute);
}

/* A name, three attributes (two of one key), a kind between them, an unknown field. */
static void put_span(struct buffer *out)
{
    pb_put_bytes(out, 5, SLICE("name"));
    put_attribute(out, "a", "1");
    pb_put_varint(out, 6, 2);
    put_attribute(out, "b", "2");
    put_attribute(out, "a", "3");
    pb_put_bytes(out, 1000, SLICE("unknown"));
}

/* "a=1 b=2" */
static void describe(struct slice message, char *out)
{
    struct otlp_attributes attributes = otlp_attributes(message, OTLP_ATTRIBUTES_OF_SPAN);
    struct otlp_attribute attribute;

    *out = '\0';
    while (otlp_next_attribute(&attributes, &attribute)) {
        out += sprintf(out, "%s%.*s=", *out == '\0' ? "" : " ", SLICE_PRINT(attribute.key));
        if (attribute.value.kind == OTLP_VALUE_STRING)
            out += sprintf(out, "%.*s ", SLICE_PRINT(attribute.value.bytes));
        else
            out += sprintf(out, "%d:%lld:%g ", attribute.value.kind, (long long)attribute.value.integer, attribute.value.number);
    }
}

struct fixture {
    struct buffer span, out;
    struct edit edit;
    char text[400];
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .text = "" };
    put_span(&fixture->span);
    edit_open(&fixture->edit, buffer_slice(&fixture->span), OTLP_ATTRIBUTES_OF_SPAN);
}

/* Writes the edit; its attributes are then in `text`. */
static void fixture_write(struct fixture *fixture)
{
    buffer_clear(&fixture->out);
    edit_write(&fixture->edit, 0, &fixture->out);
    assert_false(fixture->out.failed);
    describe(buffer_slice(&fixture->out), fixture->text);
}

static void fixture_fini(struct fixture *fixture)
{
    edit_fini(&fixture->edit);
    buffer_fini(&fixture->span);
    buffer_fini(&fixture->out);
}

static void test_unchanged_is_written_as_it_was(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture_write(&fixture);
    assert_false(fixture.edit.changed);
    assert_true(slice_equal(buffer_slice(&fixture.span), buffer_slice(&fixture.out)));
    buffer_clear(&fixture.out);
    edit_write(&fixture.edit, 2, &fixture.out);
    struct pb_reader reader = pb_reader_of(buffer_slice(&fixture.out));
    struct pb_field field;
    assert_true(pb_next(&reader, &field));
    assert_int_equal(field.number, 2);
    assert_true(slice_equal(field.bytes, buffer_slice(&fixture.span)));
    assert_ptr_equal(reader.at, reader.end);
    fixture_fini(&fixture);
}

static void test_set_writes_over_or_appends(void **state)
{
    struct fixture fixture;
    struct otlp_value value = { .kind = OTLP_VALUE_INT, .integer = -5 };

    (void)state;
    fixture_init(&fixture);
    edit_set_attribute(&fixture.edit, SLICE("a"), &text_value);
    edit_set_attribute(&fixture.edit, SLICE("new"), &value);
    value = (struct otlp_value){ .kind = OTLP_VALUE_BOOL, .integer = 7 };
    edit_set_attribute(&fixture.edit, SLICE("flag"), &value);
    value = (struct otlp_value){ .kind = OTLP_VALUE_DOUBLE, .number = 0.5 };
    edit_set_attribute(&fixture.edit, SLICE("half"), &value);
    fixture_write(&fixture);
    assert_true(fixture.edit.changed);
    assert_string_equal(fixture.text, "a=text b=2 new=3:-5:0 flag=2:1:0 half=4:0:0.5 ");
    fixture_fini(&fixture);
}

static void test_remove_and_rename_leave_no_second_one(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    edit_rename_attribute(&fixture.edit, SLICE("nothing"), SLICE("b"));
    assert_false(fixture.edit.changed);
    edit_rename_attribute(&fixture.edit, SLICE("a"), SLICE("b"));
    fixture_write(&fixture);
    assert_string_equal(fixture.text, "b=1 ");
    edit_remove_attribute(&fixture.edit, SLICE("b"));
    fixture_write(&fixture);
    assert_string_equal(fixture.text, "");
    edit_open(&fixture.edit, buffer_slice(&fixture.span), OTLP_ATTRIBUTES_OF_SPAN);
    edit_remove_attribute(&fixture.edit, SLICE("a"));
    fixture_write(&fixture);
    assert_string_equal(fixture.text, "b=2 ");
    fixture_fini(&fixture);
}

static void test_fields_by_number(void **state)
{
    struct fixture fixture;
    struct otlp_span span;

    (void)state;
    fixture_init(&fixture);
    edit_set_bytes(&fixture.edit, 5, SLICE("other name"));
    edit_set_varint(&fixture.edit, 6, 3);
    edit_set_fixed64(&fixture.edit, 7, 12345);
    edit_set_fixed32(&fixture.edit, 16, 9);
    fixture_write(&fixture);
    otlp_span_view(buffer_slice(&fixture.out), &span);
    assert_true(slice_equal_string(span.name, "other name"));
    assert_true(span.kind == 3 && span.start_time == 12345 && span.flags == 9);
    edit_remove(&fixture.edit, 5);
    edit_remove(&fixture.edit, 6);
    fixture_write(&fixture);
    otlp_span_view(buffer_slice(&fixture.out), &span);
    assert_true(span.name.size == 0 && span.kind == 0 && span.start_time == 12345);
    assert_string_equal(fixture.text, "a=1 b=2 a=3 ");
    fixture_fini(&fixture);
}

static void test_set_replaces_all_occurrences(void **state)
{
    struct buffer span = { 0 }, out = { 0 };
    struct edit edit = { 0 };

    (void)state;
    pb_put_varint(&span, 6, 1);
    pb_put_bytes(&span, 5, SLICE("name"));
    pb_put_varint(&span, 6, 2);
    edit_open(&edit, buffer_slice(&span), 0);
    edit_set_varint(&edit, 6, 4);
    edit_write(&edit, 0, &out);
    assert_true(slice_equal_string(buffer_slice(&out), "\x30\x04\x2a\x04name"));
    edit_fini(&edit);
    buffer_fini(&span);
    buffer_fini(&out);
}

/* Values that came out of the edit go back in, while its memory moves. */
static void test_values_of_the_edit_may_be_set(void **state)
{
    struct fixture fixture;
    struct otlp_value value;
    char key[20];

    (void)state;
    fixture_init(&fixture);
    edit_set_attribute(&fixture.edit, SLICE("key 0"), &text_value);
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        assert_true(edit_get_attribute(&fixture.edit, slice_of_string(key), &value));
        snprintf(key, sizeof(key), "key %d", i + 1);
        edit_set_attribute(&fixture.edit, slice_of_string(key), &value);
    }
    assert_true(edit_get_attribute(&fixture.edit, SLICE("key 500"), &value));
    assert_true(slice_equal_string(value.bytes, "text"));
    assert_false(edit_get_attribute(&fixture.edit, SLICE("key 501"), &value));
    fixture_fini(&fixture);
}

static void test_iteration_survives_removal(void **state)
{
    struct fixture fixture;
    struct otlp_attribute attribute;
    size_t cursor = 0, count = 0;

    (void)state;
    fixture_init(&fixture);
    while (edit_attribute_at(&fixture.edit, &cursor, &attribute)) {
        count++;
        edit_remove_attribute(&fixture.edit, attribute.key);
    }
    assert_int_equal(count, 2); /* the second "a" went with the first */
    fixture_write(&fixture);
    assert_string_equal(fixture.text, "");
    assert_true(fixture.out.size > 0);
    fixture_fini(&fixture);
}

static void test_malformed_messages_fail(void **state)
{
    struct edit edit = { 0 };
    struct buffer out = { 0 };

    (void)state;
    edit_open(&edit, SLICE("\x2a\x05name"), OTLP_ATTRIBUTES_OF_SPAN);
    assert_true(edit.failed);
    edit_write(&edit, 2, &out);
    assert_true(out.failed);
    assert_int_equal(out.size, 0);
    edit_fini(&edit);
    buffer_fini(&out);
}

/* ---- against protobuf-c ---- */

static void oracle_remove(PbSpan *span, const char *key, size_t from)
{
    size_t kept = from;

    for (size_t i = from; i < span->n_attributes; i++) {
        if (strcmp(span->attributes[i]->key, key) != 0)
            span->attributes[kept++] = span->attributes[i];
    }
    span->n_attributes = kept;
}

static size_t oracle_find(const PbSpan *span, const char *key)
{
    size_t i = 0;

    while (i < span->n_attributes && strcmp(span->attributes[i]->key, key) != 0)
        i++;
    return i;
}

static void oracle_set(struct random_otlp *random, PbSpan *span, PbKeyValue *attribute)
{
    size_t index = oracle_find(span, attribute->key);

    if (index == span->n_attributes) {
        PbKeyValue **list = arena_alloc(&random->arena, (span->n_attributes + 1) * sizeof(*list));
        if (span->n_attributes > 0)
            memcpy(list, span->attributes, span->n_attributes * sizeof(*list));
        span->attributes = list;
        span->n_attributes++;
    }
    span->attributes[index] = attribute;
    oracle_remove(span, attribute->key, index + 1);
}

static void random_set(struct random_otlp *random, PbSpan *span, struct edit *edit, const char *key)
{
    PbKeyValue *attribute = arena_alloc(&random->arena, sizeof(*attribute));
    struct buffer packed = { 0 };

    opentelemetry__proto__common__v1__key_value__init(attribute);
    attribute->key = arena_string(&random->arena, slice_of_string(key));
    random->with_unknown = false; /* a value that is set is the value alone */
    attribute->value = (PbAnyValue *)random_message(random, &opentelemetry__proto__common__v1__any_value__descriptor);
    struct otlp_value value = otlp_value_of(pack_message(&attribute->value->base, &packed));
    edit_set_attribute(edit, slice_of_string(key), &value);
    oracle_set(random, span, attribute);
    buffer_fini(&packed);
}

static void random_rename(struct random_otlp *random, PbSpan *span, struct edit *edit, const char *key)
{
    char *new_key = random_text(random);
    size_t index = oracle_find(span, key);

    edit_rename_attribute(edit, slice_of_string(key), slice_of_string(new_key));
    if (index == span->n_attributes || strcmp(key, new_key) == 0)
        return;
    PbKeyValue *attribute = span->attributes[index];
    oracle_remove(span, key, index + 1);
    attribute->key = arena_string(&random->arena, slice_of_string("\x01 set aside"));
    oracle_remove(span, new_key, 0);
    attribute->key = new_key;
}

static void random_step(struct random_otlp *random, PbSpan *span, struct edit *edit)
{
    bool present = span->n_attributes > 0 && random_chance(random, 70);
    const char *key = present ? span->attributes[random_below(random, span->n_attributes)]->key : random_text(random);

    key = arena_string(&random->arena, slice_of_string(key));
    switch (random_below(random, 6)) {
    case 0:
        edit_remove_attribute(edit, slice_of_string(key));
        oracle_remove(span, key, 0);
        break;
    case 1:
        random_rename(random, span, edit, key);
        break;
    case 2:
        span->name = random_text(random);
        edit_set_bytes(edit, 5, slice_of_string(span->name));
        break;
    case 3:
        span->end_time_unix_nano = random_bits(random);
        edit_set_fixed64(edit, 8, span->end_time_unix_nano);
        break;
    default:
        random_set(random, span, edit, key);
    }
}

static void test_random_edits_agree_with_protobuf_c(void **state)
{
    struct edit edit = { 0 };

    (void)state;
    for (uint64_t seed = 0; seed < 1500; seed++) {
        struct random_otlp random = { .state = seed, .max_children = 4, .with_unknown = seed % 2 == 0 };
        struct buffer before = { 0 }, after = { 0 }, expected = { 0 }, again = { 0 };
        PbSpan *span = (PbSpan *)random_message(&random, &opentelemetry__proto__trace__v1__span__descriptor);
        edit_open(&edit, pack_message(&span->base, &before), OTLP_ATTRIBUTES_OF_SPAN);
        for (size_t steps = random_below(&random, 8); steps > 0; steps--)
            random_step(&random, span, &edit);
        edit_write(&edit, 0, &after);
        ProtobufCMessage *unpacked = protobuf_c_message_unpack(span->base.descriptor, NULL, after.size, after.data);
        assert_non_null(unpacked);
        assert_true(slice_equal(pack_message(&span->base, &expected), pack_message(unpacked, &again)));
        protobuf_c_message_free_unpacked(unpacked, NULL);
        buffer_fini(&before);
        buffer_fini(&after);
        buffer_fini(&expected);
        buffer_fini(&again);
        arena_fini(&random.arena);
    }
    edit_fini(&edit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged_is_written_as_it_was),
        cmocka_unit_test(test_set_writes_over_or_appends),
        cmocka_unit_test(test_remove_and_rename_leave_no_second_one),
        cmocka_unit_test(test_fields_by_number),
        cmocka_unit_test(test_set_replaces_all_occurrences),
        cmocka_unit_test(test_values_of_the_edit_may_be_set),
        cmocka_unit_test(test_iteration_survives_removal),
        cmocka_unit_test(test_malformed_messages_fail),
        cmocka_unit_test(test_random_edits_agree_with_protobuf_c),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
