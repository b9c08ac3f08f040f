/* Splicing attributes: the same as an edit gives, on random messages, whatever the order of the steps; and cut messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/processors/attribute_splice.h"
#include "collector/wire/edit.h"

#include <cmocka.h>

enum { FIELD = OTLP_ATTRIBUTES_OF_SPAN, KEYS = 6 };

static uint64_t state_;

static unsigned below(unsigned limit)
{
    state_ = state_ * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(state_ >> 33) % limit;
}

/* Two of one size, one that is longer than a length of one byte allows for. */
static struct slice key_of(unsigned i)
{
    static char longest[150];
    const struct slice keys[KEYS] = { SLICE("a"), SLICE("b"), SLICE("http.method"), SLICE("net.peer.ip"), SLICE(""),
        slice_of(longest, sizeof(longest)) };

    memset(longest, 'k', sizeof(longest));
    return keys[i];
}

static struct otlp_value random_value(void)
{
    static const char text[200] = "value";

    switch (below(4)) {
    case 0:
        return (struct otlp_value){ .kind = OTLP_VALUE_INT, .integer = (int64_t)below(1000) - 500 };
    case 1:
        return (struct otlp_value){ .kind = OTLP_VALUE_DOUBLE, .number = below(100) };
    case 2:
        return (struct otlp_value){ .kind = OTLP_VALUE_BOOL, .integer = below(2) };
    default:
        return (struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = slice_of(text, below(sizeof(text))) };
    }
}

static void make_message(struct buffer *out)
{
    struct edit edit = { .fields = NULL };

    edit_open(&edit, (struct slice){ NULL, 0 }, FIELD);
    for (unsigned i = 0, count = below(12); i < count; i++) {
        struct otlp_value value = random_value();
        if (below(3) == 0)
            edit_set_bytes(&edit, 1 + below(8), value.bytes);
        else if (below(3) == 0)
            edit_set_fixed64(&edit, 20 + below(3), below(100));
        else
            edit_set_attribute(&edit, key_of(below(KEYS)), &value);
    }
    edit_write(&edit, 0, out);
    edit_fini(&edit);
}

/* Fields in any order, attributes by key: what the message says. */
static void sign(struct slice message, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;
    struct otlp_value value;

    while (pb_next(&reader, &field)) {
        if (field.number != FIELD)
            buffer_append_slice(out, field.raw);
    }
    assert_false(reader.failed);
    for (unsigned i = 0; i < KEYS; i++) {
        bool found = otlp_find_attribute(message, OTLP_ATTRIBUTES_OF_SPAN, key_of(i), &value);
        buffer_printf(out, "|%d %d %lld %g %.*s", found, found ? (int)value.kind : 0, found ? (long long)value.integer : 0,
            found ? value.number : 0, found ? (int)value.bytes.size : 0,
            found && value.bytes.size > 0 ? (const char *)value.bytes.data : "");
    }
}

static void edit_as(struct edit *edit, enum splice_kind kind, struct slice key, const struct otlp_value *value)
{
    struct otlp_value old;
    bool there = edit_get_attribute(edit, key, &old);

    if (kind == SPLICE_DELETE)
        edit_remove_attribute(edit, key);
    else if (kind == SPLICE_UPSERT || there == (kind == SPLICE_UPDATE))
        edit_set_attribute(edit, key, value);
}

static void check_one(struct slice message)
{
    struct arena arena = { .blocks = NULL };
    struct attribute_splice splice = { .arena = &arena };
    struct edit edit = { .fields = NULL };
    struct buffer out = { .data = NULL }, edited = { .data = NULL }, got = { .data = NULL }, wanted = { .data = NULL };
    struct splice_found found;
    struct splice_result result = { .tag = FIELD << 3 | PB_BYTES };
    struct slice content = message;
    struct pb_field field;

    edit_open(&edit, message, FIELD);
    for (unsigned i = 0, count = 1 + below(6); i < count; i++) {
        enum splice_kind kind = (enum splice_kind)below(4);
        struct slice key = key_of(below(KEYS));
        struct otlp_value value = random_value();
        assert_true(attribute_splice_add(&splice, kind, key, &value));
        edit_as(&edit, kind, key, &value);
    }
    attribute_splice_find(&splice, message, FIELD, &found);
    assert_false(found.twice);
    if (attribute_splice_run(&splice, message, &found, &result)) {
        attribute_splice_write(&result, 2, &out);
        struct pb_reader reader = pb_reader_of(buffer_slice(&out));
        assert_true(pb_next(&reader, &field));
        assert_int_equal(field.raw.size, out.size);
        content = field.bytes;
    }
    edit_write(&edit, 0, &edited);
    sign(content, &got);
    sign(buffer_slice(&edited), &wanted);
    assert_string_equal(buffer_string(&got), buffer_string(&wanted));
    edit_fini(&edit);
    buffer_fini(&out);
    buffer_fini(&edited);
    buffer_fini(&got);
    buffer_fini(&wanted);
    arena_fini(&arena);
}

static void test_same_as_an_edit(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 3000; seed++) {
        struct buffer message = { .data = NULL };
        state_ = seed;
        make_message(&message);
        check_one(buffer_slice(&message));
        buffer_fini(&message);
    }
}

static void test_same_value_changes_nothing(void **state)
{
    const struct otlp_value value = { .kind = OTLP_VALUE_INT, .integer = 7 };
    struct arena arena = { .blocks = NULL };
    struct attribute_splice splice = { .arena = &arena };
    struct edit edit = { .fields = NULL };
    struct buffer message = { .data = NULL };
    struct splice_found found;
    struct splice_result result;

    (void)state;
    edit_open(&edit, (struct slice){ NULL, 0 }, FIELD);
    edit_set_attribute(&edit, SLICE("a"), &value);
    edit_write(&edit, 0, &message);
    attribute_splice_add(&splice, SPLICE_UPSERT, SLICE("a"), &value);
    attribute_splice_find(&splice, buffer_slice(&message), FIELD, &found);
    assert_false(attribute_splice_run(&splice, buffer_slice(&message), &found, &result));
    edit_append_attribute(&edit, slice_of("\x0a\x01"
                                          "a",
                                     3));
    buffer_clear(&message);
    edit_write(&edit, 0, &message);
    attribute_splice_find(&splice, buffer_slice(&message), FIELD, &found);
    assert_true(found.twice);
    edit_fini(&edit);
    buffer_fini(&message);
    arena_fini(&arena);
}

/* What is not well-formed is not read beyond its end. */
static void test_cut_anywhere(void **state)
{
    struct arena arena = { .blocks = NULL };
    struct attribute_splice splice = { .arena = &arena };
    struct buffer message = { .data = NULL };
    struct splice_found found;

    (void)state;
    for (unsigned i = 0; i < KEYS; i++)
        attribute_splice_add(&splice, SPLICE_DELETE, key_of(i), NULL);
    for (state_ = 11; message.size < 600;)
        make_message(&message);
    for (size_t size = 0; size < message.size; size++) {
        uint8_t *cut = malloc(size + 1);
        memcpy(cut, message.data, size);
        attribute_splice_find(&splice, slice_of(cut, size), FIELD, &found);
        free(cut);
    }
    buffer_fini(&message);
    arena_fini(&arena);
}

static void test_bounds(void **state)
{
    struct arena arena = { .blocks = NULL };
    struct attribute_splice splice = { .arena = &arena };
    char key[8];

    (void)state;
    for (int i = 0; i < SPLICE_KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_true(attribute_splice_add(&splice, SPLICE_DELETE, slice_of_string(arena_string(&arena, slice_of_string(key))), NULL));
    }
    assert_false(attribute_splice_add(&splice, SPLICE_DELETE, SLICE("one more"), NULL));
    assert_true(attribute_splice_add(&splice, SPLICE_DELETE, SLICE("k3"), NULL));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_an_edit),
        cmocka_unit_test(test_same_value_changes_nothing),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
