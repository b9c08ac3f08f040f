/* Decimal text: what is written is shortest and reads back, what is read agrees with strtod. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "collector/wire/decimal.h"

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static size_t significant_digits(const char *text)
{
    size_t count = 0, zeros = 0;

    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

static size_t fewest_digits(double value)
{
    char text[64];

    for (int digits = 1; digits < 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, value);
        if (bits_of(strtod(text, NULL)) == bits_of(value))
            return (size_t)digits;
    }
    return 17;
}

static bool read_double(const char *text, double *value)
{
    struct decimal decimal;

    return decimal_scan(slice_of_string(text), &decimal) && decimal.text.size == strlen(text) && decimal_to_double(&decimal, value);
}

static void assert_round_trip(double value)
{
    char text[DECIMAL_SIZE + 1], longer[64];
    double again;

    text[decimal_write_double(value, text)] = '\0';
    if (bits_of(strtod(text, NULL)) != bits_of(value))
        fail_msg("%a was written as %s", value, text);
    if (!read_double(text, &again) || bits_of(again) != bits_of(value))
        fail_msg("%s was read as %a", text, again);
    if (value != 0 && significant_digits(text) > fewest_digits(value))
        fail_msg("%s is not the shortest text of %a", text, value);
    snprintf(longer, sizeof(longer), "%.20e", value);
    if (!read_double(longer, &again) || bits_of(again) != bits_of(value))
        fail_msg("%s was read as %a", longer, again);
}

static void test_doubles_are_spelt_as_expected(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { -0.0, "-0" },
        { 1, "1" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 100, "100" },
        { 3.14, "3.14" },
        { 1e-4, "0.0001" },
        { 1.5e-5, "0.000015" },
        { 1e-6, "1e-6" },
        { 1.25e-7, "1.25e-7" },
        { 1e20, "100000000000000000000" },
        { 1e21, "1e21" },
        { 123456789012345680000.0, "123456789012345680000" },
        { 9007199254740993.0, "9007199254740992" },
        { 1e23, "1e23" },
        { 1.7976931348623157e308, "1.7976931348623157e308" },
        { 5e-324, "5e-324" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[DECIMAL_SIZE + 1];
        text[decimal_write_double(rows[i].value, text)] = '\0';
        assert_string_equal(text, rows[i].text);
    }
}

static void test_doubles_round_trip(void **state)
{
    uint64_t seed = 1;
    (void)state;

    for (int i = 0; i < 20000; i++) {
        double any = double_of(next_random(&seed));
        if (isfinite(any))
            assert_round_trip(any);
        assert_round_trip((double)(next_random(&seed) % 1000000) / (double)(1 + next_random(&seed) % 1000));
    }
}

static void test_doubles_at_the_edges_of_binades_round_trip(void **state)
{
    (void)state;

    for (uint64_t exponent = 0; exponent < 2047; exponent++) {
        for (uint64_t near = 0; near < 3; near++) {
            double value = double_of((exponent << 52) + near - 1);
            if (isfinite(value))
                assert_round_trip(value);
        }
    }
}

static void test_reading_agrees_with_strtod(void **state)
{
    uint64_t seed = 2;
    (void)state;

    for (int i = 0; i < 50000; i++) {
        char text[64];
        double value;
        int size = snprintf(text, sizeof(text), "%u.%llu", (unsigned)(1 + next_random(&seed) % 9),
            (unsigned long long)(next_random(&seed) >> next_random(&seed) % 64));
        snprintf(text + size, sizeof(text) - (size_t)size, "e%d", (int)(next_random(&seed) % 680) - 340);
        double expected = strtod(text, NULL);
        bool is_read = read_double(text, &value);
        if (is_read != (bool)isfinite(expected) || (is_read && bits_of(value) != bits_of(expected)))
            fail_msg("%s", text);
    }
}

static void test_numbers_halfway_between_doubles(void **state)
{
    static const char *const texts[] = { "9007199254740993", "9007199254740993.0000000000000000000000001",
        "1.00000000000000011102230246251565", "1.00000000000000011102230246251566", "2.4703282292062328e-324", "2.4703282292062327e-324",
        "1.7976931348623158e308" };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        double value;
        assert_true(read_double(texts[i], &value));
        assert_int_equal(bits_of(value), bits_of(strtod(texts[i], NULL)));
    }
}

static void test_what_is_no_json_number_is_refused(void **state)
{
    static const char *const texts[] = { "", "-", "+1", "01", "-01", ".5", "1.", "1.e3", "1e", "1e+", "--1", "x", "Infinity" };
    struct decimal decimal;
    char longest[DECIMAL_MAX_TEXT + 2];
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(decimal_scan(slice_of_string(texts[i]), &decimal));
    memset(longest, '1', sizeof(longest));
    assert_false(decimal_scan(slice_of(longest, sizeof(longest)), &decimal));
}

static void test_scanning_stops_behind_the_number(void **state)
{
    struct decimal decimal;
    (void)state;

    assert_true(decimal_scan(SLICE("12.5e3,7"), &decimal));
    assert_int_equal(decimal.text.size, 6);
    assert_int_equal(decimal.digits, 125);
    assert_int_equal(decimal.exponent, 2);
}

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        bool is_unsigned, is_signed;
        uint64_t value;
    } rows[] = {
        { "0", true, true, 0 },
        { "-0", true, true, 0 },
        { "17", true, true, 17 },
        { "-17", false, true, (uint64_t)-17 },
        { "1e3", true, true, 1000 },
        { "1.0", true, true, 1 },
        { "12.50e1", true, true, 125 },
        { "1.5", false, false, 0 },
        { "0e999", true, true, 0 },
        { "1e20", false, false, 0 },
        { "1e-1", false, false, 0 },
        { "0.0000", true, true, 0 },
        { "9223372036854775807", true, true, INT64_MAX },
        { "9223372036854775808", true, false, UINT64_C(1) << 63 },
        { "-9223372036854775808", false, true, UINT64_C(1) << 63 },
        { "-9223372036854775809", false, false, 0 },
        { "18446744073709551615", true, false, UINT64_MAX },
        { "18446744073709551616", false, false, 0 },
        { "18446744073709551610", true, false, UINT64_MAX - 5 },
        { "99999999999999999999999", false, false, 0 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct decimal decimal;
        uint64_t plain = 0;
        int64_t with_sign = 0;
        assert_true(decimal_scan(slice_of_string(rows[i].text), &decimal));
        if (decimal_to_uint64(&decimal, &plain) != rows[i].is_unsigned || decimal_to_int64(&decimal, &with_sign) != rows[i].is_signed)
            fail_msg("%s", rows[i].text);
        if (rows[i].is_unsigned)
            assert_int_equal(plain, rows[i].value);
        if (rows[i].is_signed)
            assert_int_equal(with_sign, (int64_t)rows[i].value);
    }
}

static void test_integers_are_written(void **state)
{
    char text[DECIMAL_SIZE], expected[DECIMAL_SIZE];
    uint64_t seed = 3;
    (void)state;

    for (int i = 0; i < 2000; i++) {
        uint64_t value = next_random(&seed) >> next_random(&seed) % 64;
        size_t size = decimal_write_uint64(value, text);
        assert_int_equal(size, snprintf(expected, sizeof(expected), "%llu", (unsigned long long)value));
        assert_memory_equal(text, expected, size);
        size = decimal_write_int64((int64_t)-value, text);
        assert_int_equal(size, snprintf(expected, sizeof(expected), "%lld", (long long)-value));
        assert_memory_equal(text, expected, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_are_spelt_as_expected),
        cmocka_unit_test(test_doubles_round_trip),
        cmocka_unit_test(test_doubles_at_the_edges_of_binades_round_trip),
        cmocka_unit_test(test_reading_agrees_with_strtod),
        cmocka_unit_test(test_numbers_halfway_between_doubles),
        cmocka_unit_test(test_what_is_no_json_number_is_refused),
        cmocka_unit_test(test_scanning_stops_behind_the_number),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_integers_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
