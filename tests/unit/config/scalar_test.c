/* Scalars: what text means, and writing it so that it means the same again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "collector/config/scalar.h"

#include <cmocka.h>

static void test_types(void **state)
{
    static const struct {
        const char *text;
        enum scalar_type type;
    } cases[] = {
        { "", SCALAR_NULL },
        { "~", SCALAR_NULL },
        { "null", SCALAR_NULL },
        { "Null", SCALAR_NULL },
        { "nul", SCALAR_STRING },
        { "true", SCALAR_BOOL },
        { "False", SCALAR_BOOL },
        { "TRUE", SCALAR_BOOL },
        { "tRue", SCALAR_STRING },
        { "yes", SCALAR_STRING },
        { "on", SCALAR_STRING },
        { "0", SCALAR_INT },
        { "-5", SCALAR_INT },
        { "+5", SCALAR_INT },
        { "1_000", SCALAR_INT },
        { "0x1F", SCALAR_INT },
        { "0o17", SCALAR_INT },
        { "0b101", SCALAR_INT },
        { "017", SCALAR_INT },
        { "08", SCALAR_FLOAT },
        { "0x", SCALAR_STRING },
        { "_1", SCALAR_STRING },
        { "1.5", SCALAR_FLOAT },
        { ".5", SCALAR_FLOAT },
        { "5.", SCALAR_FLOAT },
        { "1e3", SCALAR_FLOAT },
        { "1e", SCALAR_STRING },
        { ".", SCALAR_STRING },
        { "-", SCALAR_STRING },
        { "-.inf", SCALAR_FLOAT },
        { ".nan", SCALAR_FLOAT },
        { "5s", SCALAR_STRING },
        { "1.2.3", SCALAR_STRING },
        { "9223372036854775808", SCALAR_FLOAT },
        { "localhost:4317", SCALAR_STRING },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (scalar_type_of(cases[i].text) != cases[i].type)
            fail_msg("\"%s\": type %d", cases[i].text, scalar_type_of(cases[i].text));
}

static void assert_int(const char *text, int64_t expected)
{
    int64_t value;

    assert_true(scalar_parse_int(text, &value));
    assert_int_equal(value, expected);
}

static void test_integers(void **state)
{
    int64_t value;

    (void)state;
    assert_int("0", 0);
    assert_int("0123", 83);
    assert_int("0xdeadbeef", 3735928559);
    assert_int("-0x10", -16);
    assert_int("0b1111_0000", 240);
    assert_int("9223372036854775807", INT64_MAX);
    assert_int("-9223372036854775808", INT64_MIN);
    assert_false(scalar_parse_int("9223372036854775808", &value));
    assert_false(scalar_parse_int("-9223372036854775809", &value));
    assert_false(scalar_parse_int("0b12", &value));
    assert_false(scalar_parse_int("12a", &value));
    assert_false(scalar_parse_int("", &value));
    assert_false(scalar_parse_int("- 5", &value));
}

static void test_floats(void **state)
{
    double value;

    (void)state;
    assert_true(scalar_parse_float("1_0.5e-1", &value));
    assert_true(value > 1.049 && value < 1.051);
    assert_true(scalar_parse_float("0x10", &value));
    assert_true(value > 15.9 && value < 16.1);
    assert_false(scalar_parse_float("1e999", &value));
    assert_false(scalar_parse_float(".inf", &value));
    assert_false(scalar_parse_float("nan", &value));
    assert_false(scalar_parse_float("infinity", &value));
}

static void assert_duration(const char *text, int64_t expected)
{
    int64_t value;

    if (!scalar_parse_duration(text, &value))
        fail_msg("\"%s\" is a duration", text);
    assert_int_equal(value, expected);
}

static void test_durations(void **state)
{
    static const char *const wrong[] = { "", "5", "s", "5 s", "5x", "1h30", "-", ".s", "--5s", "1e3s", "9223372036854775808ns",
        "300000h300000h300000000h", "5S", "1d" };
    int64_t value;

    (void)state;
    assert_duration("0", 0);
    assert_duration("-0", 0);
    assert_duration("1ns", 1);
    assert_duration("1us", 1000);
    assert_duration("1\xc2\xb5s", 1000);
    assert_duration("1\xce\xbcs", 1000);
    assert_duration("200ms", 200000000);
    assert_duration("1h30m", INT64_C(5400000000000));
    assert_duration("1.5h", INT64_C(5400000000000));
    assert_duration(".5s", 500000000);
    assert_duration("1.s", 1000000000);
    assert_duration("-1.5s", -1500000000);
    assert_duration("9223372036854775807ns", INT64_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (scalar_parse_duration(wrong[i], &value))
            fail_msg("\"%s\" is no duration", wrong[i]);
}

static void assert_written(const char *text, const char *expected)
{
    struct buffer out = { 0 };

    scalar_write_string(&out, text);
    assert_string_equal(buffer_string(&out), expected);
    buffer_fini(&out);
}

static void test_writing(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    assert_written("localhost:4317", "localhost:4317");
    assert_written("/v1/traces", "/v1/traces");
    assert_written("", "\"\"");
    assert_written("true", "\"true\"");
    assert_written("5", "\"5\"");
    assert_written("a: b", "\"a: b\"");
    assert_written("a:", "\"a:\"");
    assert_written("#x", "\"#x\"");
    assert_written("${env:X} $", "\"$${env:X} $$\"");
    assert_written("say \"hi\"\\\n\t\x01", "\"say \\\"hi\\\"\\\\\\n\\t\\u0001\"");
    assert_written("\xc2\x85\xe2\x80\xa8\xef\xbb\xbf", "\"\\u0085\\u2028\\ufeff\"");
    assert_written("gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"");
    assert_written("a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    scalar_write_json(&out, "a$\"\n\xff");
    assert_string_equal(buffer_string(&out), "\"a$\\\"\\n\xef\xbf\xbd\"");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_writing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
