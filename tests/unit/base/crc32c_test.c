/* CRC-32C against the vectors of RFC 3720, B.4, and in pieces. */
#include <setjmp.h>
#include <stdarg.h>

#include "collector/base/crc32c.h"

#include <cmocka.h>

static void known_vectors(void **state)
{
    uint8_t zeros[32] = { 0 }, ones[32], rising[32];

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    for (size_t i = 0; i < sizeof(rising); i++)
        rising[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, slice_of(zeros, 32)), 0x8a9136aaU);
    assert_int_equal(crc32c(0, slice_of(ones, 32)), 0x62a8ab43U);
    assert_int_equal(crc32c(0, slice_of(rising, 32)), 0x46dd794eU);
    assert_int_equal(crc32c(0, SLICE("123456789")), 0xe3069283U);
    assert_int_equal(crc32c(0, SLICE("")), 0);
}

static void pieces_give_the_same(void **state)
{
    struct slice whole = SLICE("the quick brown fox jumps over the lazy dog");

    (void)state;
    for (size_t cut = 0; cut <= whole.size; cut++) {
        uint32_t first = crc32c(0, slice_of(whole.data, cut));

        assert_int_equal(crc32c(first, slice_of(whole.data + cut, whole.size - cut)), crc32c(0, whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known_vectors), cmocka_unit_test(pieces_give_the_same) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
