/* Edits: reading a field back, and writing all attributes anew. */
#include <setjmp.h>
#include <stdarg.h>

#include "collector/wire/edit.h"

#include <cmocka.h>

static struct buffer message(void)
{
    struct buffer out = { .data = NULL };

    pb_put_varint(&out, 2, 9);
    pb_put_bytes(&out, 3, SLICE("first"));
    pb_put_bytes(&out, 6, SLICE("\x0a\x01\x61"));
    pb_put_bytes(&out, 3, SLICE("last"));
    pb_put_bytes(&out, 6, SLICE("\x0a\x01\x62"));
    return out;
}

static void test_get_sees_the_last_field_and_what_was_set(void **state)
{
    struct buffer bytes = message();
    struct edit edit = { .fields = NULL };
    struct pb_field field;

    (void)state;
    edit_open(&edit, buffer_slice(&bytes), OTLP_ATTRIBUTES_OF_LOG);
    assert_true(edit_get(&edit, 3, &field));
    assert_true(slice_equal_string(field.bytes, "last"));
    assert_false(edit_get(&edit, 5, &field));
    assert_false(edit_get(&edit, 0, &field));
    edit_set_varint(&edit, 2, 300);
    assert_true(edit_get(&edit, 2, &field));
    assert_int_equal(field.scalar, 300);
    edit_remove(&edit, 2);
    assert_false(edit_get(&edit, 2, &field));
    edit_fini(&edit);
    buffer_fini(&bytes);
}

static void test_attributes_are_written_anew(void **state)
{
    struct buffer bytes = message(), out = { .data = NULL };
    struct edit edit = { .fields = NULL };
    struct otlp_attribute attribute;
    size_t cursor = 0;

    (void)state;
    edit_open(&edit, buffer_slice(&bytes), OTLP_ATTRIBUTES_OF_LOG);
    edit_clear_attributes(&edit);
    assert_false(edit_attribute_at(&edit, &cursor, &attribute));
    edit_append_attribute(&edit, SLICE("\x0a\x01\x63"));
    edit_append_attribute(&edit, SLICE("\x0a\x01\x63"));
    edit_write(&edit, 0, &out);
    struct otlp_attributes attributes = otlp_attributes(buffer_slice(&out), OTLP_ATTRIBUTES_OF_LOG);
    for (size_t i = 0; i < 2; i++) {
        assert_true(otlp_next_attribute(&attributes, &attribute));
        assert_true(slice_equal_string(attribute.key, "c"));
    }
    assert_false(otlp_next_attribute(&attributes, &attribute));
    edit_fini(&edit);
    buffer_fini(&bytes);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_sees_the_last_field_and_what_was_set),
        cmocka_unit_test(test_attributes_are_written_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
