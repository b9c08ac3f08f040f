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

/* Bit by bit, as the definition has it. */
static uint32_t by_definition(struct slice bytes)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
    }
    return ~crc;
}

static void every_size_and_place(void **state)
{
    static uint8_t bytes[20100];
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t size = 0; size < 20000; size += size < 200 ? 1 : 97) {
        struct slice run = slice_of(bytes + size % 9, size);
        uint32_t wanted = by_definition(run);

        assert_int_equal(crc32c(0, run), wanted);
        assert_int_equal(crc32c(crc32c(0, slice_of(run.data, size / 3)), slice_of(run.data + size / 3, size - size / 3)), wanted);
    }
    for (size_t size = 6144 - 9; size < 6144 + 9; size++)
        assert_int_equal(crc32c(0, slice_of(bytes, size)), by_definition(slice_of(bytes, size)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(pieces_give_the_same),
        cmocka_unit_test(every_size_and_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
