/*
 * OTLP/JSON at its limits: depth, full buffers, texts cut at every byte, wire bytes that no JSON reader would have written,
 * and random requests that must come back as protobuf-c wrote them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/wire/json_check.h"
#include "tests/unit/wire/otlp_random.h"

/* ---- depth ---- */

static void append_times(struct buffer *out, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buffer_append_string(out, text);
}

/* A log body of so many AnyValues, one in the other. */
static const char *nested_values(struct buffer *text, size_t depth)
{
    buffer_clear(text);
    buffer_append_string(text, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
    append_times(text, "{\"arrayValue\":{\"values\":[", depth - 1);
    buffer_append_string(text, "{}");
    append_times(text, "]}}", depth - 1);
    buffer_append_string(text, "}]}]}]}");
    return buffer_string(text);
}

static const char *nested_maps(struct buffer *text, size_t depth)
{
    buffer_clear(text);
    buffer_append_string(text, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
    append_times(text, "{\"kvlistValue\":{\"values\":[{\"value\":", depth - 1);
    buffer_append_string(text, "{}");
    append_times(text, "}]}}", depth - 1);
    buffer_append_string(text, "}]}]}]}");
    return buffer_string(text);
}

static const char *nested_unknown(struct buffer *text, size_t depth)
{
    buffer_clear(text);
    buffer_append_string(text, "{\"unknown\":");
    append_times(text, "[{\"a\":", depth / 2);
    buffer_append_string(text, "1");
    append_times(text, "}]", depth / 2);
    buffer_append_string(text, "}");
    return buffer_string(text);
}

static void test_nesting_is_bounded(void **state)
{
    struct buffer text = { 0 };
    (void)state;

    nested_values(&text, OTLP_MAX_DEPTH);
    assert_becomes(SIGNAL_LOGS, buffer_string(&text), buffer_string(&text));
    nested_maps(&text, OTLP_MAX_DEPTH);
    assert_becomes(SIGNAL_LOGS, buffer_string(&text), buffer_string(&text));
    assert_refused(SIGNAL_LOGS, nested_values(&text, OTLP_MAX_DEPTH + 1), "nested too deeply");
    assert_refused(SIGNAL_LOGS, nested_maps(&text, OTLP_MAX_DEPTH + 1), "nested too deeply");
    assert_refused(SIGNAL_LOGS, nested_values(&text, 100000), "...");
    assert_becomes(SIGNAL_LOGS, nested_unknown(&text, 1000), "{}");
    assert_refused(SIGNAL_LOGS, nested_unknown(&text, 1002), "nested too deeply");
    buffer_fini(&text);
}

/* ---- wire bytes that no JSON reader would have written ---- */

static void assert_written(enum signal signal, const struct buffer *payload, const char *expected)
{
    struct buffer out = { 0 };

    json_write_request(signal, buffer_slice(payload), &out);
    assert_string_equal(buffer_string(&out), expected);
    buffer_fini(&out);
}

static void put_span_named(struct buffer *out, const char *name)
{
    size_t group = pb_open(out, 1);
    size_t scope_group = pb_open(out, 2);
    size_t span = pb_open(out, 2);

    pb_put_bytes(out, 5, slice_of_string(name));
    pb_put_varint(out, 6, 0);
    pb_put_fixed64(out, 7, 0);
    pb_put_varint(out, 99, 1);
    pb_close(out, span);
    pb_close(out, scope_group);
    pb_close(out, group);
}

static void test_requests_behind_one_another(void **state)
{
    struct buffer payload = { 0 };
    (void)state;

    put_span_named(&payload, "a");
    put_span_named(&payload, "b");
    assert_written(SIGNAL_TRACES, &payload,
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\"}]}]},{\"scopeSpans\":[{\"spans\":[{\"name\":\"b\"}]}]}]}");
    buffer_fini(&payload);
}

/* Opens resource metrics, scope metrics and a metric's histogram with one point. */
static void put_scattered_point(struct buffer *out)
{
    uint64_t counts[2] = { 3, 4 };

    pb_put_fixed64(out, 6, 1);
    pb_put_fixed64(out, 4, 5);
    pb_put_bytes(out, 6, slice_of(counts, sizeof(counts)));
    pb_put_fixed64(out, 6, 2);
    pb_put_fixed64(out, 4, 6);
    pb_put_double(out, 5, 0);
    pb_put_bytes(out, 7, SLICE(""));
    pb_put_varint(out, 3, 7); /* not the type of field 3 */
}

static void test_scattered_fields(void **state)
{
    struct buffer payload = { 0 };
    size_t marks[5];
    (void)state;

    static const uint32_t path[] = { 1, 2, 2, 9, 1 };
    for (size_t i = 0; i < 5; i++)
        marks[i] = pb_open(&payload, path[i]);
    put_scattered_point(&payload);
    for (size_t i = 5; i-- > 0;)
        pb_close(&payload, marks[i]);
    assert_written(SIGNAL_METRICS, &payload,
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{"
        "\"count\":\"6\",\"sum\":0,\"bucketCounts\":[\"1\",\"3\",\"4\",\"2\"]}]}}]}]}]}");
    buffer_fini(&payload);
}

static void test_writing_survives_cut_payloads(void **state)
{
    struct random_otlp random = { .state = 7, .max_children = 3 };
    struct buffer payload = { 0 }, out = { 0 };
    (void)state;

    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        buffer_clear(&payload);
        random_payload(&random, (enum signal)signal, &payload);
        size_t step = payload.size / 500 + 1;
        for (size_t size = 0; size < payload.size; size += step) {
            uint8_t *exact = malloc(size + 1);
            memcpy(exact, payload.data, size);
            buffer_clear(&out);
            json_write_request((enum signal)signal, slice_of(exact, size), &out);
            assert_int_equal(out.data[out.size - 1], '}');
            free(exact);
        }
    }
    buffer_fini(&payload);
    buffer_fini(&out);
    arena_fini(&random.arena);
}

/* ---- there and back ---- */

static void assert_random_round_trip(struct random_otlp *random, enum signal signal)
{
    struct buffer payload = { 0 }, text = { 0 }, again = { 0 };
    struct json_error err;

    random_payload(random, signal, &payload);
    json_write_request(signal, buffer_slice(&payload), &text);
    if (!json_read_request(signal, buffer_slice(&text), &again, &err))
        fail_msg("%s in %s", err.message, buffer_string(&text));
    ProtobufCMessage *message = unpack_request(signal, buffer_slice(&again));
    assert_non_null(message);
    buffer_clear(&text);
    pack_message(message, &text);
    protobuf_c_message_free_unpacked(message, NULL);
    assert_true(slice_equal(buffer_slice(&text), buffer_slice(&payload)));
    assert_true(slice_equal(buffer_slice(&again), buffer_slice(&payload)));
    buffer_fini(&payload);
    buffer_fini(&text);
    buffer_fini(&again);
}

static void test_random_requests_come_back(void **state)
{
    struct random_otlp random = { .state = 11, .max_children = 4 };
    (void)state;

    for (int i = 0; i < 400; i++) {
        assert_random_round_trip(&random, (enum signal)(i % SIGNAL_COUNT));
        arena_fini(&random.arena);
    }
}

static void assert_every_cut_is_refused(enum signal signal, struct slice text)
{
    struct buffer out = { 0 };
    struct json_error err;

    for (size_t size = 0; size < text.size; size++) {
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, text.data, size);
        uint8_t *shrunk = realloc(exact, size > 0 ? size : 1);
        assert_false(json_read_request(signal, slice_of(shrunk, size), &out, &err));
        assert_int_equal(out.size, 0);
        assert_true(err.offset <= size);
        free(shrunk);
    }
    assert_true(json_read_request(signal, text, &out, &err));
    buffer_fini(&out);
}

static void test_every_cut_is_refused(void **state)
{
    struct random_otlp random = { .state = 5, .max_children = 2 };
    struct buffer payload = { 0 }, text = { 0 };
    (void)state;

    for (int i = 0; i < 4 * SIGNAL_COUNT; i++) {
        enum signal signal = (enum signal)(i % SIGNAL_COUNT);
        buffer_clear(&payload);
        buffer_clear(&text);
        random_payload(&random, signal, &payload);
        json_write_request(signal, buffer_slice(&payload), &text);
        if (text.size < 8000)
            assert_every_cut_is_refused(signal, buffer_slice(&text));
    }
    assert_every_cut_is_refused(SIGNAL_LOGS, SLICE("{ \"unknown\" : [ 1.5e3 , { \"a\" : null } , \"\\u00e9\" ] , \"resource_logs\" : [ { "
                                                   "\"schema_url\" : \"\\ud83d\\ude00\" } ] }"));
    buffer_fini(&payload);
    buffer_fini(&text);
    arena_fini(&random.arena);
}

/* ---- memory ---- */

static void test_a_full_buffer_is_a_failure(void **state)
{
    static const char text[] =
        "{\"resourceLogs\":[{\"schemaUrl\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}]}";
    (void)state;

    for (size_t limit = 1; limit < 60; limit++) {
        struct buffer out = { .limit = limit };
        struct json_error err;
        assert_false(json_read_request(SIGNAL_LOGS, slice_of_string(text), &out, &err));
        assert_true(out.failed);
        assert_int_equal(out.size, 0);
        assert_non_null(strstr(err.message, "grows too large"));
        buffer_fini(&out);
    }
}

/* ---- ordinary JSON ---- */

static void test_attributes_as_ordinary_json(void **state)
{
    static const char text[] =
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"s\",\"value\":{\"stringValue\":\"a\\\"b\"}},{\"key\":\"i\",\"value\":"
        "{\"intValue\":-5}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}},{\"key\":\"n\",\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"t\",\"value\":{"
        "\"boolValue\":true}},"
        "{\"key\":\"y\",\"value\":{\"bytesValue\":\"AQI=\"}},{\"key\":\"e\"},{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{"
        "\"stringValue\":\"x\"},{}]}}},"
        "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"arrayValue\":{}}}]}}}]}}]}";
    struct buffer wire = { 0 }, out = { 0 };
    struct otlp_group group;
    (void)state;

    assert_true(json_read_request(SIGNAL_LOGS, slice_of_string(text), &wire, NULL));
    struct otlp_groups groups = otlp_groups(buffer_slice(&wire));
    assert_true(otlp_next_group(&groups, &group));
    json_write_attributes(group.resource, OTLP_ATTRIBUTES_OF_RESOURCE, &out);
    assert_string_equal(buffer_string(&out),
        "{\"s\":\"a\\\"b\",\"i\":-5,\"d\":1.5,\"n\":\"NaN\",\"t\":true,\"y\":\"AQI=\",\"e\":null,\"a\":[\"x\",null],\"m\":{\"k\":[]}}");
    buffer_fini(&wire);
    buffer_fini(&out);
}

static void test_a_value_as_ordinary_json(void **state)
{
    static const uint8_t integer[] = { 3 << 3, 42 };
    struct buffer out = { 0 };
    (void)state;

    json_write_value(slice_of(integer, sizeof(integer)), &out);
    json_write_value(SLICE(""), &out);
    json_write_attributes(SLICE(""), OTLP_ATTRIBUTES_OF_SPAN, &out);
    assert_string_equal(buffer_string(&out), "42null{}");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_requests_behind_one_another),
        cmocka_unit_test(test_scattered_fields),
        cmocka_unit_test(test_writing_survives_cut_payloads),
        cmocka_unit_test(test_random_requests_come_back),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_a_full_buffer_is_a_failure),
        cmocka_unit_test(test_attributes_as_ordinary_json),
        cmocka_unit_test(test_a_value_as_ordinary_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
