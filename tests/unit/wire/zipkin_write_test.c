/* OTLP to Zipkin's messages, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/wire/json.h"
#include "collector/wire/zipkin.h"
#include "tests/unit/wire/zipkin_samples.h"

#include <cmocka.h>

static void wire_of(const char *text, struct buffer *wire)
{
    struct json_error fault;

    if (!json_read_request(SIGNAL_TRACES, slice_of_string(text), wire, &fault))
        fail_msg("%s", fault.message);
}

static void write(struct zipkin_writer *writer, struct slice wire, struct buffer *out)
{
    zipkin_writer_begin(writer, out);
    assert_true(zipkin_writer_add(writer, wire, out));
    zipkin_writer_end(writer, out);
}

static void check(const char *otlp, const char *wanted)
{
    struct zipkin_writer writer = { .format = ZIPKIN_JSON, .default_service_name = SLICE("Nobody") };
    struct buffer wire = { 0 }, out = { 0 };

    wire_of(otlp, &wire);
    write(&writer, buffer_slice(&wire), &out);
    assert_string_equal(buffer_string(&out), wanted);
    zipkin_writer_fini(&writer);
    buffer_fini(&wire);
    buffer_fini(&out);
}

#define SPANS(resource, scope, spans)                                                                                                      \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" resource "]},\"scopeSpans\":[{\"scope\":{" scope "},\"spans\":[" spans "]}]}]}"
#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define IDS "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"0102030405060708\""
#define OUT "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"id\":\"0102030405060708\""

static void spans_become_json(void **state)
{
    (void)state;
    check(SPANS(TEXT("service.name", "Shop") "," TEXT("host.name", "h"), "\"name\":\"lib\",\"version\":\"1\"",
              "{" IDS ",\"parentSpanId\":\"1111111111111111\",\"name\":\"GET /x\",\"kind\":3,\"startTimeUnixNano\":\"1500000000000001499\","
              "\"endTimeUnixNano\":\"1500000000000004000\",\"attributes\":["
              "{\"key\":\"n\",\"value\":{\"intValue\":\"7\"}},{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}},{\"key\":\"b\",\"value\":{"
              "\"boolValue\":true}},"
              "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"stringValue\":\"x\"}]}}}," TEXT(
                  "network.peer.address",
                  "10.0.0.9") ",{\"key\":\"net.peer.port\",\"value\":{\"intValue\":\"80\"}}," TEXT("service.peer.name",
                  "Peer") "," TEXT("network.local.address",
                  "fe80::1") "],"
                             "\"events\":[{\"timeUnixNano\":\"1500000000000002000\",\"name\":\"ev\",\"attributes\":[" TEXT(
                                 "k", "v") "],"
                                           "\"droppedAttributesCount\":1},{\"timeUnixNano\":\"1500000000000003000\",\"name\":\"plain\"}],"
                                           "\"links\":[{\"traceId\":\"0f0e0d0c0b0a09080706050403020100\",\"spanId\":\"0807060504030201\","
                                           "\"traceState\":\"s=1\"}],"
                                           "\"status\":{\"code\":2,\"message\":\"no\"}}"),
        "[{\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"parentId\":\"1111111111111111\",\"id\":\"0102030405060708\",\"kind\":"
        "\"CLIENT\","
        "\"name\":\"get "
        "/x\",\"timestamp\":1500000000000001,\"duration\":3,\"localEndpoint\":{\"serviceName\":\"shop\",\"ipv6\":\"fe80::1\"},"
        "\"remoteEndpoint\":{\"serviceName\":\"peer\",\"ipv4\":\"10.0.0.9\",\"port\":80},"
        "\"annotations\":[{\"timestamp\":1500000000000002,\"value\":\"ev|{\\\"k\\\":\\\"v\\\"}|1\"},{\"timestamp\":1500000000000003,"
        "\"value\":\"plain\"}],"
        "\"tags\":{\"otlp.link.0\":\"0f0e0d0c0b0a09080706050403020100|0807060504030201|s=1|{}|0\",\"host.name\":\"h\",\"otel.scope.name\":"
        "\"lib\","
        "\"otel.scope.version\":\"1\",\"n\":\"7\",\"d\":\"1.5\",\"b\":\"true\",\"l\":\"[1,\\\"x\\\"]\",\"error\":\"true\","
        "\"otel.status_code\":\"STATUS_CODE_ERROR\",\"otel.status_description\":\"no\"}}]");
}

static void names_come_from_elsewhere(void **state)
{
    (void)state;
    check(SPANS("", "", "{" IDS "}"), "[{" OUT ",\"localEndpoint\":{\"serviceName\":\"nobody\"}}]");
    check(SPANS(TEXT("faas.name", "f"), "", "{" IDS "}"),
        "[{" OUT ",\"localEndpoint\":{\"serviceName\":\"f\"},\"tags\":{\"otlp.service.name.source\":\"faas.name\"}}]");
    check(SPANS("", "", "{" IDS ",\"kind\":1,\"attributes\":[" TEXT("http.response.status_code", "200") "," TEXT("error", "false") "]}"),
        "[{" OUT
        ",\"localEndpoint\":{\"serviceName\":\"nobody\"},\"tags\":{\"http.response.status_code\":\"200\",\"http.status_code\":\"200\","
        "\"span.kind\":\"internal\"}}]");
}

/* The span's attribute before its scope's and its resource's. */
static void the_nearest_attribute_counts(void **state)
{
    (void)state;
    check(SPANS(TEXT("a", "resource") "," TEXT("b", "resource") "," TEXT("c", "resource"),
              "\"attributes\":[" TEXT("b", "scope") "," TEXT("c", "scope") "]", "{" IDS ",\"attributes\":[" TEXT("c", "span") "]}"),
        "[{" OUT ",\"localEndpoint\":{\"serviceName\":\"nobody\"},\"tags\":{\"a\":\"resource\",\"b\":\"scope\",\"c\":\"span\"}}]");
}

static void times_are_rounded(void **state)
{
    (void)state;
    check(SPANS("", "", "{" IDS ",\"startTimeUnixNano\":\"2000000000000000500\",\"endTimeUnixNano\":\"2000000000000000501\"}"),
        "[{" OUT ",\"timestamp\":2000000000000001,\"duration\":1,\"localEndpoint\":{\"serviceName\":\"nobody\"}}]");
    check(SPANS("", "", "{" IDS ",\"startTimeUnixNano\":\"2000000000000009000\",\"endTimeUnixNano\":\"2000000000000008000\"}"),
        "[{" OUT ",\"timestamp\":2000000000000009,\"localEndpoint\":{\"serviceName\":\"nobody\"}}]");
}

static void spans_without_ids_are_left_out(void **state)
{
    struct zipkin_writer writer = { .format = ZIPKIN_JSON };
    struct buffer wire = { 0 }, out = { 0 };

    (void)state;
    wire_of(SPANS("", "", "{\"spanId\":\"0102030405060708\"},{" IDS "},{\"traceId\":\"000102030405060708090a0b0c0d0e0f\"}"), &wire);
    write(&writer, buffer_slice(&wire), &out);
    assert_int_equal(writer.spans, 1);
    assert_int_equal(writer.skipped, 2);
    assert_string_equal(buffer_string(&out), "[{" OUT "}]");
    zipkin_writer_fini(&writer);
    buffer_fini(&wire);
    buffer_fini(&out);
}

/* Any number of requests make one message, and a writer makes one message after the other. */
static void requests_are_joined(void **state)
{
    struct zipkin_writer writer = { .format = ZIPKIN_JSON };
    struct buffer wire = { 0 }, out = { 0 };

    (void)state;
    wire_of(SPANS("", "", "{" IDS "}"), &wire);
    for (int i = 0; i < 2; i++) {
        buffer_clear(&out);
        zipkin_writer_begin(&writer, &out);
        assert_true(zipkin_writer_add(&writer, buffer_slice(&wire), &out));
        assert_true(zipkin_writer_add(&writer, buffer_slice(&wire), &out));
        zipkin_writer_end(&writer, &out);
        assert_string_equal(buffer_string(&out), "[{" OUT "},{" OUT "}]");
    }
    buffer_clear(&out);
    zipkin_writer_begin(&writer, &out);
    zipkin_writer_end(&writer, &out);
    assert_string_equal(buffer_string(&out), "[]");
    zipkin_writer_fini(&writer);
    buffer_fini(&wire);
    buffer_fini(&out);
}

static void read_back(enum zipkin_format format, struct slice message, struct buffer *wire)
{
    struct zipkin_reading reading = { .format = format };

    if (!zipkin_read(&reading, message, wire))
        fail_msg("%s", reading.message);
}

/* What came as Zipkin's goes out as Zipkin's, and means the same when it comes in again. */
static void what_is_written_reads_the_same(void **state)
{
    static const enum zipkin_format formats[] = { ZIPKIN_JSON, ZIPKIN_PROTO };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct zipkin_writer writer = { .format = formats[i] };
        struct buffer first = { 0 }, message = { 0 }, second = { 0 }, again = { 0 };
        read_back(ZIPKIN_JSON, slice_of_string(zipkin_sample_json), &first);
        write(&writer, buffer_slice(&first), &message);
        read_back(formats[i], buffer_slice(&message), &second);
        write(&writer, buffer_slice(&second), &again);
        assert_int_equal(message.size, again.size);
        assert_memory_equal(message.data, again.data, again.size);
        zipkin_writer_fini(&writer);
        buffer_fini(&first);
        buffer_fini(&message);
        buffer_fini(&second);
        buffer_fini(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_become_json),
        cmocka_unit_test(names_come_from_elsewhere),
        cmocka_unit_test(the_nearest_attribute_counts),
        cmocka_unit_test(times_are_rounded),
        cmocka_unit_test(spans_without_ids_are_left_out),
        cmocka_unit_test(requests_are_joined),
        cmocka_unit_test(what_is_written_reads_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
