/* Hexadecimal and base64, there and back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collector/wire/encoding.h"

static void test_hex(void **state)
{
    static const uint8_t bytes[] = { 0x00, 0x5b, 0xff, 0xa9 };
    uint8_t again[4];
    char text[8];
    (void)state;

    encoding_write_hex(slice_of(bytes, 4), text);
    assert_memory_equal(text, "005bffa9", 8);
    assert_true(encoding_read_hex(SLICE("005BFfa9"), again));
    assert_memory_equal(again, bytes, 4);
    assert_true(encoding_read_hex(SLICE(""), again));
}

static void test_what_is_no_hex_is_refused(void **state)
{
    static const char *const texts[] = { "0", "0g", "G0", "--", "0x", "@A", "/1", ":1", "`0", "a ", "\xc3\xbc" };
    uint8_t bytes[4];
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(encoding_read_hex(slice_of_string(texts[i]), bytes));
}

static void test_base64(void **state)
{
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "\xfb\xff\xbf", "+/+/" },
    };
    struct buffer out = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buffer_clear(&out);
        encoding_write_base64(slice_of_string(rows[i].bytes), &out);
        assert_string_equal(buffer_string(&out), rows[i].text);
        buffer_clear(&out);
        assert_true(encoding_read_base64(slice_of_string(rows[i].text), &out));
        assert_string_equal(buffer_string(&out), rows[i].bytes);
    }
    buffer_fini(&out);
}

static void test_base64_of_other_writers(void **state)
{
    struct buffer out = { 0 };
    (void)state;

    assert_true(encoding_read_base64(SLICE("Zg"), &out));
    assert_true(encoding_read_base64(SLICE("Zm8"), &out));
    assert_true(encoding_read_base64(SLICE("-_-_"), &out));
    assert_string_equal(buffer_string(&out), "ffo\xfb\xff\xbf");
    buffer_fini(&out);
}

static void test_what_is_no_base64_is_refused(void **state)
{
    static const char *const texts[] = { "A", "=", "A=", "Zg=", "Zg===", "Zm9v=", "Zm9v====", "Z=g=", "Zm 9v", "Zm9v\n", "Zm9\xc3" };
    struct buffer out = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(encoding_read_base64(slice_of_string(texts[i]), &out));
    assert_int_equal(out.size, 0);
    buffer_fini(&out);
}

static void test_every_byte_survives(void **state)
{
    uint8_t bytes[256];
    struct buffer text = { 0 }, again = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        buffer_clear(&text);
        buffer_clear(&again);
        encoding_write_base64(slice_of(bytes, size), &text);
        assert_true(encoding_read_base64(buffer_slice(&text), &again));
        assert_true(slice_equal(buffer_slice(&again), slice_of(bytes, size)));
    }
    buffer_fini(&text);
    buffer_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_what_is_no_hex_is_refused),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64_of_other_writers),
        cmocka_unit_test(test_what_is_no_base64_is_refused),
        cmocka_unit_test(test_every_byte_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
