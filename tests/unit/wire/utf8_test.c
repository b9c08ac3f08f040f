#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/wire/utf8.h"

struct utf8_case {
    const char *text;
    size_t valid; /* bytes before the first bad sequence */
    const char *repaired;
};

#define BAD "\xef\xbf\xbd"

static const struct utf8_case cases[] = {
    { "", 0, "" },
    { "plain", 5, "plain" },
    { "sixteen bytes of ASCII and some more of it", 42, "sixteen bytes of ASCII and some more of it" },
    { "gr\xc3\xb6\xc3\x9f"
      "er",
        8,
        "gr\xc3\xb6\xc3\x9f"
        "er" },
    { "\xe6\x97\xa5\xf0\x9f\x98\x80", 7, "\xe6\x97\xa5\xf0\x9f\x98\x80" },
    { "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 13, "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf" },
    { "a\x80"
      "b",
        1, "a" BAD "b" },   /* a continuation alone */
    { "\xc3", 0, BAD },     /* cut */
    { "\xe6\x97", 0, BAD }, /* cut: one sequence, one replacement */
    { "\xf0\x9f\x98"
      "x",
        0, BAD "x" },
    { "\xc0\xaf", 0, BAD BAD },                 /* over-long */
    { "\xe0\x80\xaf", 0, BAD BAD BAD },         /* over-long */
    { "\xf0\x8f\xbf\xbf", 0, BAD BAD BAD BAD }, /* over-long */
    { "\xed\xa0\x80", 0, BAD BAD BAD },         /* a surrogate */
    { "\xf4\x90\x80\x80", 0, BAD BAD BAD BAD }, /* above U+10FFFF */
    { "\xff\xfe", 0, BAD BAD },
    { "0123456789abcdef\xff"
      "0123456789abcdef",
        16, "0123456789abcdef" BAD "0123456789abcdef" },
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void test_valid_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct slice text = slice_of_string(cases[i].text);
        assert_int_equal(utf8_valid_prefix(text), cases[i].valid);
        assert_int_equal(utf8_is_valid(text), cases[i].valid == text.size);
    }
}

static void test_repair(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        buffer_clear(&out);
        utf8_append_repaired(&out, slice_of_string(cases[i].text));
        assert_string_equal(buffer_string(&out), cases[i].repaired);
        assert_true(utf8_is_valid(buffer_slice(&out)));
    }
    buffer_fini(&out);
}

static void test_every_cut_of_a_character_is_bad(void **state)
{
    static const char text[] = "\xf0\x9f\x98\x80";

    (void)state;
    for (size_t size = 1; size < 4; size++)
        assert_int_equal(utf8_valid_prefix(slice_of(text, size)), 0);
}

static void test_high_bits(void **state)
{
    uint8_t block[UTF8_BLOCK] = "0123456789abcde";

    (void)state;
    assert_int_equal(utf8_high_bits(block), 0);
    block[0] = block[15] = 0x80;
    assert_int_equal(utf8_high_bits(block), 0x8001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_prefix),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_every_cut_of_a_character_is_bad),
        cmocka_unit_test(test_high_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
