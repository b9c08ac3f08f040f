/* Items of every form, values as AnyValues, and messages that come in pieces, lie, or nest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "collector/wire/msgpack.h"
#include "collector/wire/otlp.h"

#include <cmocka.h>

/* {"a":[1,-1,nil,true,1.5f,0.25],"b":{"c":"hello"},"d":bin(2),"e":ext(5,2),"f":2^64-1,"g":[]} in forms of all lengths */
static const uint8_t sample[] = {
    0x86, 0xa1, 'a', 0xdc, 0x00, 0x06, 0x01, 0xd1, 0xff, 0xff, 0xc0, 0xc3, 0xca, 0x3f, 0xc0, 0x00, 0x00, 0xcb, 0x3f, 0xd0, 0, 0, 0, 0, 0,
    0,                                                                                                   //
    0xd9, 0x01, 'b', 0xde, 0x00, 0x01, 0xda, 0x00, 0x01, 'c', 0xdb, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', //
    0xa1, 'd', 0xc4, 0x02, 0xff, 0xfe, 0xc4, 0x01, 'e', 0xd5, 0x05, 0x01, 0x02,                          //
    0xa1, 'f', 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xa1, 'g', 0x90,                    //
};

static struct slice cut(size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1); /* of its own, so that a byte too far is found */

    memcpy(copy, sample, size);
    return slice_of(copy, size);
}

static void numbers_are_what_was_written(void **state)
{
    static const struct {
        uint8_t bytes[9];
        size_t size;
        int64_t value;
    } cases[] = {
        { { 0x00 }, 1, 0 },
        { { 0x7f }, 1, 127 },
        { { 0xff }, 1, -1 },
        { { 0xe0 }, 1, -32 },
        { { 0xcc, 0xff }, 2, 255 },
        { { 0xcd, 0xff, 0xfe }, 3, 65534 },
        { { 0xce, 0xff, 0xff, 0xff, 0xff }, 5, 4294967295 },
        { { 0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 9, INT64_MAX },
        { { 0xd0, 0x80 }, 2, -128 },
        { { 0xd1, 0x80, 0x00 }, 3, -32768 },
        { { 0xd2, 0x80, 0x00, 0x00, 0x00 }, 5, INT32_MIN },
        { { 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0 }, 9, INT64_MIN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct msgpack_reader reader = msgpack_reader_of(slice_of(cases[i].bytes, cases[i].size));
        struct msgpack_item item;

        assert_true(msgpack_next(&reader, &item));
        assert_int_equal(item.kind, MSGPACK_INT);
        assert_int_equal(item.integer, cases[i].value);
        assert_ptr_equal(reader.at, reader.end);
    }
}

static void a_value_becomes_an_any_value(void **state)
{
    struct msgpack_reader reader = msgpack_reader_of(slice_of(sample, sizeof(sample)));
    struct buffer out = { 0 };
    struct otlp_value map, value;
    size_t repaired = 0;

    (void)state;
    assert_true(msgpack_read_value(&reader, &out, &repaired));
    assert_int_equal(repaired, 1);
    map = otlp_value_of(buffer_slice(&out));
    assert_int_equal(map.kind, OTLP_VALUE_MAP);
    assert_true(otlp_find_attribute(map.bytes, OTLP_ATTRIBUTES_OF_MAP, SLICE("b"), &value));
    assert_int_equal(value.kind, OTLP_VALUE_MAP);
    assert_true(otlp_find_attribute(value.bytes, OTLP_ATTRIBUTES_OF_MAP, SLICE("c"), &value));
    assert_true(slice_equal_string(value.bytes, "hello"));
    assert_true(otlp_find_attribute(map.bytes, OTLP_ATTRIBUTES_OF_MAP, SLICE("e"), &value));
    assert_int_equal(value.kind, OTLP_VALUE_BYTES);
    assert_true(otlp_find_attribute(map.bytes, OTLP_ATTRIBUTES_OF_MAP, SLICE("f"), &value));
    assert_int_equal(value.integer, -1);
    assert_true(otlp_find_attribute(map.bytes, OTLP_ATTRIBUTES_OF_MAP, SLICE("a"), &value));
    assert_int_equal(value.kind, OTLP_VALUE_ARRAY);
    buffer_fini(&out);
}

static void what_is_cut_fails_and_is_waited_for(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(sample); size++) {
        struct slice part = cut(size);
        struct msgpack_reader reader = msgpack_reader_of(part), skipping = reader;
        struct msgpack_scan scan = { 0 };
        struct buffer out = { 0 };
        size_t repaired = 0;

        assert_false(msgpack_read_value(&reader, &out, &repaired));
        assert_false(msgpack_skip(&skipping));
        assert_int_equal(msgpack_scan(&scan, part, 1000), MSGPACK_MORE);
        buffer_fini(&out);
        free((void *)part.data);
    }
}

static void a_message_may_come_byte_by_byte(void **state)
{
    struct msgpack_scan scan = { 0 };

    (void)state;
    for (size_t size = 1; size < sizeof(sample); size++)
        assert_int_equal(msgpack_scan(&scan, slice_of(sample, size), sizeof(sample)), MSGPACK_MORE);
    assert_int_equal(msgpack_scan(&scan, slice_of(sample, sizeof(sample)), sizeof(sample)), MSGPACK_WHOLE);
    assert_int_equal(scan.offset, sizeof(sample));
}

static void what_cannot_fit_is_refused_at_its_head(void **state)
{
    static const uint8_t text[] = { 0xdb, 0xff, 0xff, 0xff, 0xff }, array[] = { 0xdd, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t map[] = { 0xdf, 0x00, 0x00, 0x02, 0x00 }, never[] = { 0xc1 };

    (void)state;
    assert_int_equal(msgpack_scan(&(struct msgpack_scan){ 0 }, slice_of(text, sizeof(text)), 1 << 20), MSGPACK_BAD);
    assert_int_equal(msgpack_scan(&(struct msgpack_scan){ 0 }, slice_of(array, sizeof(array)), 1 << 20), MSGPACK_BAD);
    assert_int_equal(msgpack_scan(&(struct msgpack_scan){ 0 }, slice_of(map, sizeof(map)), 1023), MSGPACK_BAD);
    assert_int_equal(msgpack_scan(&(struct msgpack_scan){ 0 }, slice_of(map, sizeof(map)), 1100), MSGPACK_MORE);
    assert_int_equal(msgpack_scan(&(struct msgpack_scan){ 0 }, slice_of(never, sizeof(never)), 1100), MSGPACK_BAD);
}

static void nesting_is_bounded(void **state)
{
    uint8_t deep[100000];
    struct msgpack_reader reader, skipping;
    struct buffer out = { 0 };
    size_t repaired = 0;

    (void)state;
    memset(deep, 0x91, sizeof(deep));
    deep[sizeof(deep) - 1] = 0xc0;
    reader = skipping = msgpack_reader_of(slice_of(deep, sizeof(deep)));
    assert_false(msgpack_read_value(&reader, &out, &repaired));
    assert_true(msgpack_skip(&skipping));
    reader = msgpack_reader_of(slice_of(deep + sizeof(deep) - 50, 50));
    buffer_clear(&out);
    assert_true(msgpack_read_value(&reader, &out, &repaired));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_what_was_written),
        cmocka_unit_test(a_value_becomes_an_any_value),
        cmocka_unit_test(what_is_cut_fails_and_is_waited_for),
        cmocka_unit_test(a_message_may_come_byte_by_byte),
        cmocka_unit_test(what_cannot_fit_is_refused_at_its_head),
        cmocka_unit_test(nesting_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
