/* Any JSON as an attribute value, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/wire/json_value.h"

#include <cmocka.h>

static void check(const char *text, const char *wanted)
{
    struct buffer value = { 0 }, back = { 0 };
    struct json_error fault;

    if (!json_read_value(slice_of_string(text), &value, &fault))
        fail_msg("%s: %s at %zu", text, fault.message, fault.offset);
    json_write_value(buffer_slice(&value), &back);
    assert_string_equal(buffer_string(&back), wanted);
    buffer_fini(&value);
    buffer_fini(&back);
}

static void values_come_back(void **state)
{
    static const char *const same[] = { "\"\"", "\"x\"", "true", "false", "null", "0", "-1", "9223372036854775807", "-9223372036854775808",
        "1.5", "-0.25", "[]", "{}", "[1,[2,[3]],{}]", "{\"a\":{\"b\":[null,\"c\"]},\"\":0}", "{\"a\":1,\"a\":2}" };
    char large[600] = "[\"";

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        check(same[i], same[i]);
    check(" { \"a\" : [ 1 , 2 ] } ", "{\"a\":[1,2]}");
    check("\"\\u0041\\n\\ud83d\\ude00\"", "\"A\\n\xf0\x9f\x98\x80\"");
    check("1e3", "1000");
    check("2.0", "2");
    check("9223372036854775808", "9223372036854776000");
    memset(large + 2, 'x', 500);
    strcpy(large + 502, "\",1]");
    check(large, large);
}

static void whole_numbers_are_integers(void **state)
{
    struct buffer value = { 0 };
    struct otlp_value read;

    (void)state;
    assert_true(json_read_value(SLICE("17"), &value, NULL));
    read = otlp_value_of(buffer_slice(&value));
    assert_int_equal(read.kind, OTLP_VALUE_INT);
    assert_int_equal(read.integer, 17);
    buffer_clear(&value);
    assert_true(json_read_value(SLICE("17.0"), &value, NULL));
    assert_int_equal(otlp_value_of(buffer_slice(&value)).kind, OTLP_VALUE_DOUBLE);
    buffer_fini(&value);
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const wrong[] = { "", " ", "x", "{", "}", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "\"",
        "\"\\x\"", "tru", "nul", "01", "1.", "-", "+1", "1 2", "{}[]", "NaN", "'a'", "[\"1\" \"2\"]", "\"1\"2" };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buffer out = { 0 };
        struct json_error fault;

        buffer_append_string(&out, "before");
        if (json_read_value(slice_of_string(wrong[i]), &out, &fault))
            fail_msg("taken: %s", wrong[i]);
        assert_int_equal(out.size, 6);
        assert_in_range(fault.offset, 0, strlen(wrong[i]));
        assert_true(fault.message[0] != '\0');
        buffer_fini(&out);
    }
}

static bool takes_depth(unsigned depth, char open, char close)
{
    struct buffer text = { 0 }, out = { 0 };
    bool taken;

    for (unsigned i = 0; i < depth; i++)
        buffer_printf(&text, open == '{' ? "{\"a\":" : "[");
    buffer_append_byte(&text, '1');
    for (unsigned i = 0; i < depth; i++)
        buffer_append_byte(&text, (uint8_t)close);
    taken = json_read_value(buffer_slice(&text), &out, NULL);
    buffer_fini(&text);
    buffer_fini(&out);
    return taken;
}

static void nesting_has_an_end(void **state)
{
    (void)state;
    assert_true(takes_depth(OTLP_MAX_DEPTH - 1, '[', ']'));
    assert_true(takes_depth(OTLP_MAX_DEPTH - 1, '{', '}'));
    assert_false(takes_depth(OTLP_MAX_DEPTH, '[', ']'));
    assert_false(takes_depth(OTLP_MAX_DEPTH, '{', '}'));
    assert_false(takes_depth(100000, '[', ']'));
}

/* What is taken is what the border takes too: as the body of a log record. */
static void what_is_taken_passes_the_check(void **state)
{
    struct buffer request = { 0 };
    size_t group = pb_open(&request, 1), scope = pb_open(&request, 2), record = pb_open(&request, 2), body = pb_open(&request, 5);
    char deep[2 * OTLP_MAX_DEPTH + 1] = "";

    (void)state;
    memset(deep, '[', OTLP_MAX_DEPTH - 1);
    memset(deep + OTLP_MAX_DEPTH - 1, ']', OTLP_MAX_DEPTH - 1);
    assert_true(json_read_value(slice_of_string(deep), &request, NULL));
    pb_close(&request, body);
    pb_close(&request, record);
    pb_close(&request, scope);
    pb_close(&request, group);
    assert_int_equal(otlp_check(SIGNAL_LOGS, buffer_slice(&request)).fault, OTLP_OK);
    buffer_fini(&request);
}

static void text_that_is_cut_short(void **state)
{
    const struct slice whole = SLICE("{\"a\":[1,-2.5e3,\"x\\u00e9\",null,true,false,{\"b\":{}}]}");

    (void)state;
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *copy = malloc(size + 1);
        struct buffer out = { 0 };

        memcpy(copy, whole.data, size);
        assert_false(json_read_value(slice_of(copy, size), &out, NULL));
        free(copy);
        buffer_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(whole_numbers_are_integers),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(what_is_taken_passes_the_check),
        cmocka_unit_test(text_that_is_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
