/* What OTLP servers answer: protobuf and JSON, whole and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/wire/protobuf.h"
#include "exporters/otlp_response.h"

#include <cmocka.h>

static void make_partial(struct buffer *out, uint64_t rejected, const char *message)
{
    size_t partial = pb_open(out, 1);

    pb_put_varint(out, 1, rejected);
    pb_put_bytes(out, 2, slice_of_string(message));
    pb_close(out, partial);
    pb_put_varint(out, 99, 7); /* unknown */
}

static void test_partial_success(void **state)
{
    struct otlp_partial_success partial = { 0 };
    struct buffer response = { 0 };

    (void)state;
    assert_true(otlp_read_partial_success(SLICE(""), &partial));
    assert_int_equal(partial.rejected, 0);
    make_partial(&response, 12, "too old");
    assert_true(otlp_read_partial_success(buffer_slice(&response), &partial));
    assert_int_equal(partial.rejected, 12);
    assert_true(slice_equal_string(buffer_slice(&partial.message), "too old"));
    buffer_clear(&response);
    make_partial(&response, UINT64_MAX, "");
    assert_true(otlp_read_partial_success(buffer_slice(&response), &partial));
    assert_int_equal(partial.rejected, 0);
    otlp_partial_success_fini(&partial);
    buffer_fini(&response);
}

static void test_partial_success_cut_anywhere(void **state)
{
    struct buffer response = { 0 };

    (void)state;
    make_partial(&response, 300, "a message");
    for (size_t size = 0; size <= response.size; size++) {
        struct otlp_partial_success partial = { 0 };
        uint8_t *exact = malloc(size + 1);
        bool read;

        memcpy(exact, response.data, size);
        read = otlp_read_partial_success(slice_of(exact, size), &partial);
        /* whole only between fields: nothing, the partial success, and the unknown field behind it */
        assert_int_equal(read, size == 0 || size == response.size || size == response.size - 3);
        otlp_partial_success_fini(&partial);
        free(exact);
    }
    buffer_fini(&response);
}

static void test_partial_success_json(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t rejected;
        const char *message;
    } cases[] = {
        { "", true, 0, "" },
        { "{}", true, 0, "" },
        { " { \"partialSuccess\" : { } } ", true, 0, "" },
        { "{\"partialSuccess\":null}", true, 0, "" },
        { "{\"partialSuccess\":{\"rejectedSpans\":\"5\",\"errorMessage\":\"bad \\\"x\\\"\\n\"}}", true, 5, "bad \"x\" " },
        { "{\"other\":[1,{\"a\":[]},\"}\"],\"partialSuccess\":{\"rejectedLogRecords\":7,\"more\":{\"b\":1}}}", true, 7, "" },
        { "{\"partial_success\":{\"rejected_data_points\":3,\"error_message\":\"m\"}}", true, 3, "m" },
        { "{\"partialSuccess\":{\"rejectedProfiles\":-3}}", true, 0, "" },
        { "{\"partialSuccess\":{\"rejectedSpans\":\"99999999999999999999\"}}", true, INT64_MAX, "" },
        { "[]", false, 0, "" },
        { "{\"partialSuccess\":{\"rejectedSpans\":}}", false, 0, "" },
        { "{\"a\" 1}", false, 0, "" },
        { "null", false, 0, "" },
        { "{\"a\":\"open", false, 0, "" },
        { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", false, 0, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct otlp_partial_success partial = { 0 };

        assert_int_equal(otlp_read_partial_success_json(slice_of_string(cases[i].text), &partial), cases[i].good);
        if (cases[i].good) {
            assert_int_equal(partial.rejected, cases[i].rejected);
            assert_true(slice_equal_string(buffer_slice(&partial.message), cases[i].message));
        }
        otlp_partial_success_fini(&partial);
    }
}

static void test_json_cut_anywhere(void **state)
{
    static const char text[] =
        "{\"x\":[1,{\"a\":\"\\u00e9\"}],\"partialSuccess\":{\"rejectedSpans\":\"5\",\"errorMessage\":\"no\",\"y\":{}}}";

    (void)state;
    for (size_t size = 1; size < sizeof(text) - 1; size++) {
        struct otlp_partial_success partial = { 0 };
        uint8_t *exact = malloc(size);

        memcpy(exact, text, size);
        assert_false(otlp_read_partial_success_json(slice_of(exact, size), &partial));
        otlp_partial_success_fini(&partial);
        free(exact);
    }
}

static void make_status(struct buffer *out, const char *type, uint64_t seconds, uint64_t nanos)
{
    size_t any, value, delay;

    pb_put_varint(out, 1, 8);
    pb_put_bytes(out, 2, SLICE("slow down"));
    any = pb_open(out, 3);
    pb_put_bytes(out, 1, slice_of_string(type));
    value = pb_open(out, 2);
    delay = pb_open(out, 1);
    pb_put_varint(out, 1, seconds);
    pb_put_varint(out, 2, nanos);
    pb_close(out, delay);
    pb_close(out, value);
    pb_close(out, any);
}

static void test_status(void **state)
{
    struct buffer bytes = { 0 };
    struct otlp_status status;

    (void)state;
    make_status(&bytes, "type.googleapis.com/google.rpc.RetryInfo", 3, 500000000);
    assert_true(otlp_read_status(buffer_slice(&bytes), &status));
    assert_int_equal(status.code, 8);
    assert_true(slice_equal_string(status.message, "slow down"));
    assert_true(status.has_retry_info);
    assert_true(status.retry_delay_ns == 3500 * NANOS_PER_MILLI);
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *exact = malloc(size + 1);

        memcpy(exact, bytes.data, size);
        if (otlp_read_status(slice_of(exact, size), &status))
            assert_false(status.has_retry_info);
        free(exact);
    }
    buffer_clear(&bytes);
    make_status(&bytes, "type.googleapis.com/google.rpc.DebugInfo", 3, 0);
    assert_true(otlp_read_status(buffer_slice(&bytes), &status));
    assert_false(status.has_retry_info);
    buffer_clear(&bytes);
    make_status(&bytes, "x/google.rpc.RetryInfo", UINT64_MAX, 0); /* minus one second */
    assert_true(otlp_read_status(buffer_slice(&bytes), &status));
    assert_true(status.has_retry_info);
    assert_int_equal(status.retry_delay_ns, 0);
    buffer_clear(&bytes);
    make_status(&bytes, "x/google.rpc.RetryInfo", INT64_MAX, 0);
    assert_true(otlp_read_status(buffer_slice(&bytes), &status));
    assert_true(status.retry_delay_ns == 24 * 3600 * NANOS_PER_SECOND);
    buffer_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partial_success),
        cmocka_unit_test(test_partial_success_cut_anywhere),
        cmocka_unit_test(test_partial_success_json),
        cmocka_unit_test(test_json_cut_anywhere),
        cmocka_unit_test(test_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
