#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/wire/protobuf.h"

static void test_varints_round_trip(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)(int64_t)delta;
            uint8_t bytes[10];
            size_t size = (size_t)(pb_encode_varint(bytes, value) - bytes);
            assert_int_equal(size, pb_varint_size(value));
            struct pb_reader reader = pb_reader_of((struct slice){ bytes, size });
            assert_true(pb_varint(&reader) == value);
            assert_false(reader.failed);
            assert_ptr_equal(reader.at, bytes + size);
        }
    }
}

static void test_truncated_and_overlong_varints_fail(void **state)
{
    static const uint8_t bytes[11] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };

    (void)state;
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        struct pb_reader reader = pb_reader_of((struct slice){ bytes, size });
        pb_varint(&reader);
        assert_true(reader.failed);
        assert_ptr_equal(reader.at, reader.end);
    }
}

static void test_zigzag(void **state)
{
    (void)state;
    assert_int_equal(pb_zigzag_decode(0), 0);
    assert_int_equal(pb_zigzag_decode(1), -1);
    assert_int_equal(pb_zigzag_decode(2), 1);
    assert_true(pb_zigzag_decode(UINT64_MAX) == INT64_MIN);
}

/* One field of each wire type, a long one, a large number and a nested message. */
static void write_sample(struct buffer *out)
{
    static const uint8_t zeros[300];

    pb_put_varint(out, 1, 300);
    pb_put_fixed64(out, 2, UINT64_C(0x0102030405060708));
    pb_put_bytes(out, 3, SLICE("short"));
    pb_put_bytes(out, 4, slice_of(zeros, sizeof(zeros)));
    pb_put_fixed32(out, 5, 0xdeadbeef);
    pb_put_double(out, 536870911, -1.5);
    size_t mark = pb_open(out, 7);
    pb_put_varint(out, 1, 1);
    size_t inner = pb_open(out, 2);
    pb_put_bytes(out, 1, slice_of(zeros, 200));
    pb_close(out, inner);
    pb_close(out, mark);
}

static void test_fields_come_back(void **state)
{
    struct buffer out = { 0 };
    struct pb_field fields[7];
    size_t count = 0, raw = 0;

    (void)state;
    write_sample(&out);
    struct pb_reader reader = pb_reader_of(buffer_slice(&out));
    while (count < 7 && pb_next(&reader, &fields[count]))
        raw += fields[count++].raw.size;
    assert_int_equal(count, 7);
    assert_int_equal(raw, out.size);
    assert_false(pb_next(&reader, &fields[0]));
    assert_false(reader.failed);
    assert_true(fields[0].number == 1 && fields[0].type == PB_VARINT && fields[0].scalar == 300);
    assert_true(fields[1].type == PB_FIXED64 && fields[1].scalar == UINT64_C(0x0102030405060708));
    assert_true(fields[2].type == PB_BYTES && slice_equal_string(fields[2].bytes, "short"));
    assert_int_equal(fields[3].bytes.size, 300);
    assert_true(fields[4].type == PB_FIXED32 && fields[4].scalar == 0xdeadbeef);
    assert_true(fields[5].number == 536870911 && pb_double(fields[5].scalar) == -1.5);
    /* 1: 2 bytes; 2: tag, two bytes of length, then tag, two bytes of length and 200 zeros */
    assert_int_equal(fields[6].bytes.size, 2 + 3 + 3 + 200);
    buffer_fini(&out);
}

static void test_every_cut_fails_or_ends_at_a_field(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    write_sample(&out);
    for (size_t size = 0; size <= out.size; size++) {
        struct pb_reader reader = pb_reader_of((struct slice){ out.data, size });
        struct pb_field field;
        size_t raw = 0;
        while (pb_next(&reader, &field))
            raw += field.raw.size;
        assert_int_equal(reader.failed, raw != size);
        assert_false(pb_next(&reader, &field));
    }
    buffer_fini(&out);
}

static void test_malformed_fields_are_refused(void **state)
{
    static const struct slice cases[] = {
        { (const uint8_t *)"\x00\x01", 2 },                                      /* field number 0 */
        { (const uint8_t *)"\x02\x00", 2 },                                      /* the same, length-delimited */
        { (const uint8_t *)"\x0b\x0c", 2 },                                      /* a group */
        { (const uint8_t *)"\x0c", 1 },                                          /* the end of one */
        { (const uint8_t *)"\x0e\x00", 2 },                                      /* wire type 6 */
        { (const uint8_t *)"\x0f\x00", 2 },                                      /* wire type 7 */
        { (const uint8_t *)"\x80\x80\x80\x80\x10\x01", 6 },                      /* number 2^29 */
        { (const uint8_t *)"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, /* a length of 2^64 - 1 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_reader reader = pb_reader_of(cases[i]);
        struct pb_field field;
        assert_false(pb_next(&reader, &field));
        assert_true(reader.failed);
        assert_false(pb_next(&reader, &field));
    }
}

static void test_empty_slices_have_no_fields(void **state)
{
    struct pb_reader reader = pb_reader_of((struct slice){ NULL, 0 });
    struct pb_field field;

    (void)state;
    assert_false(pb_next(&reader, &field));
    assert_false(reader.failed);
}

static void test_full_buffer_fails_once(void **state)
{
    struct buffer out = { .limit = 40 };

    (void)state;
    write_sample(&out);
    assert_true(out.failed);
    assert_true(out.size <= 40);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varints_round_trip),
        cmocka_unit_test(test_truncated_and_overlong_varints_fail),
        cmocka_unit_test(test_zigzag),
        cmocka_unit_test(test_fields_come_back),
        cmocka_unit_test(test_every_cut_fails_or_ends_at_a_field),
        cmocka_unit_test(test_malformed_fields_are_refused),
        cmocka_unit_test(test_empty_slices_have_no_fields),
        cmocka_unit_test(test_full_buffer_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
