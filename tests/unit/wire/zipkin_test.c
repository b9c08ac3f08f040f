/* Zipkin's messages to OTLP. The spans' meaning is that of the collector's pkg/translator/zipkin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/wire/json.h"
#include "collector/wire/zipkin.h"
#include "tests/unit/wire/zipkin_samples.h"

#include <cmocka.h>

static bool read(enum zipkin_format format, struct slice message, struct buffer *out, struct zipkin_reading *reading)
{
    *reading = (struct zipkin_reading){ .format = format, .now_ns = 7000 };
    return zipkin_read(reading, message, out);
}

/* The message as OTLP/JSON. */
static void check(enum zipkin_format format, struct slice message, const char *wanted)
{
    struct buffer wire = { 0 }, text = { 0 };
    struct zipkin_reading reading;

    if (!read(format, message, &wire, &reading))
        fail_msg("refused: %s, at byte %zu", reading.message, reading.offset);
    assert_int_equal(otlp_check(SIGNAL_TRACES, buffer_slice(&wire)).fault, OTLP_OK);
    assert_int_equal(otlp_count(SIGNAL_TRACES, buffer_slice(&wire)), reading.spans);
    json_write_request(SIGNAL_TRACES, buffer_slice(&wire), &text);
    assert_string_equal(buffer_string(&text), wanted);
    buffer_fini(&wire);
    buffer_fini(&text);
}

static void check_refused(enum zipkin_format format, struct slice message, const char *wanted)
{
    struct buffer wire = { 0 };
    struct zipkin_reading reading;

    buffer_append_string(&wire, "kept");
    assert_false(read(format, message, &wire, &reading));
    assert_string_equal(reading.message, wanted);
    assert_true(reading.offset <= message.size);
    assert_string_equal(buffer_string(&wire), "kept");
    assert_false(wire.failed);
    buffer_fini(&wire);
}

#define ATTRIBUTE(key, value) "{\"key\":\"" key "\",\"value\":{" value "}}"
#define TEXT(key, value) ATTRIBUTE(key, "\"stringValue\":\"" value "\"")
#define GROUP(resource, scope, spans)                                                                                                      \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" resource "]},\"scopeSpans\":[{" scope "\"spans\":[" spans "]}]}]}"
#define IDS "\"traceId\":\"00000000000000000000000000000abc\",\"spanId\":\"0000000000000def\""

static void json_becomes_otlp(void **state)
{
    (void)state;
    check(ZIPKIN_JSON, slice_of_string(zipkin_sample_json),
        GROUP(TEXT("service.name", "frontend"), "",
            "{\"traceId\":\"4d1e00c0db9010db86154a4ba6e91385\",\"spanId\":\"4d1e00c0db9010db\",\"parentSpanId\":\"86154a4ba6e91385\","
            "\"name\":\"get\",\"kind\":3,\"startTimeUnixNano\":\"1472470996199000000\",\"endTimeUnixNano\":\"1472470996406000000\","
            "\"status\":{\"code\":2},\"attributes\":[" TEXT("network.local.address", "7::80:807f") "," TEXT(
                "service.peer.name", "backend") "," TEXT("network.peer.address", "192.168.99.101") "," ATTRIBUTE("net.peer.port",
                "\"intValue\":\"9000\"") "," TEXT("http.path", "/api") "," TEXT("http.response.status_code",
                "500") "],"
                       "\"events\":[{\"timeUnixNano\":\"1472470996238000000\",\"name\":\"foo\"}]}"));
}

static void proto_becomes_otlp(void **state)
{
    (void)state;
    check(ZIPKIN_PROTO, slice_of(zipkin_sample_proto, zipkin_sample_proto_size),
        GROUP(TEXT("service.name", "shop"), "",
            "{\"traceId\":\"00000000000000000102030405060708\",\"spanId\":\"1112131415161718\",\"name\":\"buy\",\"kind\":2,"
            "\"startTimeUnixNano\":\"1000000\",\"endTimeUnixNano\":\"1005000\",\"attributes\":[" TEXT("network.local.address",
                "10.0.0.1") "," TEXT("k", "v") "],\"events\":[{\"timeUnixNano\":\"2000000\",\"name\":\"paid\"}]}"));
}

static void thrift_becomes_otlp(void **state)
{
    (void)state;
    check(ZIPKIN_THRIFT, slice_of(zipkin_sample_thrift, zipkin_sample_thrift_size),
        GROUP(TEXT("service.name", "svc") "," TEXT("ipv4", "10.1.2.3") "," TEXT("port", "80"), "",
            "{\"traceId\":\"00000000000000010000000000000002\",\"spanId\":\"0000000000000003\",\"parentSpanId\":\"0000000000000004\","
            "\"name\":\"call\",\"kind\":3,\"startTimeUnixNano\":\"1000000\",\"endTimeUnixNano\":\"1500000\",\"attributes\":[" ATTRIBUTE(
                "n", "\"intValue\":\"258\"") "," ATTRIBUTE("sa", "\"boolValue\":true") "," TEXT("component",
                "lib") "],\"events\":[{\"timeUnixNano\":\"1200000\",\"name\":\"wait\"}]}"));
}

static void version_1_says_kind_and_service_by_annotations(void **state)
{
    (void)state;
    check(ZIPKIN_JSON_V1, slice_of_string(zipkin_sample_json_v1),
        GROUP(TEXT("service.name", "service1") "," TEXT("ipv4", "172.31.0.4"), "",
            "{\"traceId\":\"00000000000000000ed2e63cbe71f5a8\",\"spanId\":\"0ed2e63cbe71f5a8\",\"name\":\"check\",\"kind\":2,"
            "\"startTimeUnixNano\":\"1544805927448081000\",\"endTimeUnixNano\":\"1544805927460102000\","
            "\"status\":{\"message\":\"went wrong\",\"code\":2},\"attributes\":[" TEXT(
                "http.url", "http://x/") "],\"events\":[{\"timeUnixNano\":\"1544805927450000000\",\"name\":\"custom\"}]}"));
    check(ZIPKIN_JSON_V1, SLICE("[{\"traceId\":\"abc\",\"id\":\"def\"}]"),
        GROUP(TEXT("service.name", "unknown-service"), "",
            "{" IDS ",\"startTimeUnixNano\":\"7000\",\"endTimeUnixNano\":\"7000\",\"attributes\":[" ATTRIBUTE(
                "otel.zipkin.absentField.startTime", "\"boolValue\":true") "]}"));
}

static void tags_go_where_they_belong(void **state)
{
    (void)state;
    check(ZIPKIN_JSON,
        SLICE("[{\"traceId\":\"abc\",\"id\":\"def\",\"timestamp\":1,\"localEndpoint\":{\"serviceName\":\"s\"},\"tags\":{"
              "\"host.name\":\"h\",\"otlp.service.name.source\":\"faas.name\",\"otel.library.name\":\"lib\",\"otel.scope.version\":\"2\","
              "\"w3c.tracestate\":\"a=b\",\"span.kind\":\"internal\",\"otel.status_code\":\"OK\",\"otel.status_description\":\"fine\","
              "\"otlp.link.0\":\"0102030405060708090a0b0c0d0e0f10|0102030405060708|x=y|{\\\"a\\\":1}|2\",\"x\":\"y\"}}]"),
        GROUP(TEXT("faas.name", "s") "," TEXT("host.name", "h"), "\"scope\":{\"name\":\"lib\",\"version\":\"2\"},",
            "{" IDS ",\"traceState\":\"a=b\",\"kind\":1,\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"1000\","
            "\"status\":{\"message\":\"fine\",\"code\":1},\"links\":[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\","
            "\"spanId\":\"0102030405060708\",\"traceState\":\"x=y\",\"attributes\":[" ATTRIBUTE(
                "a", "\"intValue\":\"1\"") "],"
                                           "\"droppedAttributesCount\":2}],\"attributes\":[" TEXT("x", "y") "]}"));
}

/* What looks like a link or an event and is none stays what it is. */
static void text_with_bars_is_kept(void **state)
{
    (void)state;
    check(ZIPKIN_JSON,
        SLICE("[{\"traceId\":\"abc\",\"id\":\"def\",\"timestamp\":1,\"tags\":{\"otlp.link.0\":\"a|b|c\"},\"annotations\":["
              "{\"timestamp\":1,\"value\":\"a|b|c\"},{\"timestamp\":2,\"value\":\"ev|{\\\"k\\\":\\\"x|y\\\"}|3\"},"
              "{\"timestamp\":3,\"value\":\"ev|{\\\"k\\\":1|3\"}]}]"),
        "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"spans\":["
        "{" IDS ",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"1000\",\"attributes\":[" TEXT("otlp.link.0",
            "a|b|c") "],\"events\":[{\"timeUnixNano\":\"1000\",\"name\":\"a|b|c\"},{\"timeUnixNano\":\"2000\",\"name\":\"ev\","
                     "\"attributes\":[" TEXT(
                         "k", "x|y") "],\"droppedAttributesCount\":3},{\"timeUnixNano\":\"3000\",\"name\":\"ev|{\\\"k\\\":1|3\"}]}]}]}]}");
}

static void strings_become_numbers_when_asked(void **state)
{
    static const struct {
        const char *text, *value;
    } cases[] = { { "12", "\"intValue\":\"12\"" }, { "-007", "\"intValue\":\"-7\"" }, { "1.50", "\"doubleValue\":1.5" },
        { "-0.25", "\"doubleValue\":-0.25" }, { "true", "\"boolValue\":true" }, { "false", "\"boolValue\":false" },
        { "1.", "\"stringValue\":\"1.\"" }, { ".5", "\"stringValue\":\".5\"" }, { "1e3", "\"stringValue\":\"1e3\"" },
        { "", "\"stringValue\":\"\"" }, { "-", "\"stringValue\":\"-\"" }, { "+1", "\"stringValue\":\"+1\"" },
        { "9223372036854775807", "\"intValue\":\"9223372036854775807\"" },
        { "9223372036854775808", "\"stringValue\":\"9223372036854775808\"" } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zipkin_reading reading = { .format = ZIPKIN_JSON, .parse_string_tags = true };
        struct buffer message = { 0 }, wire = { 0 }, text = { 0 };
        buffer_printf(&message, "[{\"traceId\":\"1\",\"id\":\"1\",\"timestamp\":1,\"tags\":{\"k\":\"%s\"}}]", cases[i].text);
        assert_true(zipkin_read(&reading, buffer_slice(&message), &wire));
        json_write_request(SIGNAL_TRACES, buffer_slice(&wire), &text);
        assert_non_null(strstr(buffer_string(&text), cases[i].value));
        buffer_fini(&message);
        buffer_fini(&wire);
        buffer_fini(&text);
    }
}

/* Neighbours that differ in nothing but the span share their groups. */
static void spans_are_grouped(void **state)
{
    static const char message[] =
        "[{\"traceId\":\"1\",\"id\":\"1\",\"localEndpoint\":{\"serviceName\":\"a\"}},{\"traceId\":\"1\",\"id\":\"2\",\"localEndpoint\":"
        "{\"serviceName\":\"a\"}},{\"traceId\":\"1\",\"id\":\"3\",\"localEndpoint\":{\"serviceName\":\"a\"},\"tags\":{\"otel.scope.name\":"
        "\"l\"}},{\"traceId\":\"1\",\"id\":\"4\",\"localEndpoint\":{\"serviceName\":\"b\"}},null]";
    struct zipkin_reading reading;
    struct buffer wire = { 0 };
    struct otlp_check found;
    struct otlp_walk walk;
    size_t scopes = 0;
    const uint8_t *last = NULL;

    (void)state;
    assert_true(read(ZIPKIN_JSON, slice_of_string(message), &wire, &reading));
    found = otlp_check(SIGNAL_TRACES, buffer_slice(&wire));
    assert_int_equal(found.records, 4);
    assert_int_equal(found.groups, 2);
    walk = otlp_walk(buffer_slice(&wire));
    while (otlp_walk_next(&walk)) {
        scopes += walk.scope_group.raw.data != last;
        last = walk.scope_group.raw.data;
    }
    assert_int_equal(scopes, 3);
    buffer_fini(&wire);
}

static void what_is_malformed_is_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "span 0: expected a list of spans" },
        { "{}", "span 0: expected a list of spans" },
        { "[1]", "span 0: expected an object" },
        { "[{}]", "span 0: traceId is missing" },
        { "[{\"traceId\":\"1\"}]", "span 0: id is missing" },
        { "[{\"traceId\":\"0\",\"id\":\"1\"}]", "span 0: traceId: all zeros are no id" },
        { "[{\"traceId\":\"1\",\"id\":\"00\"}]", "span 0: id: all zeros are no id" },
        { "[{\"traceId\":\"x\",\"id\":\"1\"}]", "span 0: traceId: expected up to 32 hexadecimal digits" },
        { "[{\"traceId\":\"1\",\"id\":\"12345678901234567\"}]", "span 0: id: expected up to 16 hexadecimal digits" },
        { "[{\"traceId\":\"1\",\"id\":\"1\"},{\"parentId\":\"BADID\"}]", "span 1: parentId: expected up to 16 hexadecimal digits" },
        { "[{\"traceId\":\"1\",\"id\":\"1\",\"tags\":{\"a\":{}}}]", "span 0: tags: expected a string" },
        { "[{\"traceId\":\"1\",\"id\":\"1\",\"localEndpoint\":[]}]", "span 0: localEndpoint: expected an object" },
        { "[{\"traceId\":\"1\",\"id\":\"1\"}] x", "span 1: there is something behind the list of spans" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_refused(ZIPKIN_JSON, slice_of_string(cases[i].text), cases[i].message);
    check_refused(ZIPKIN_PROTO, SLICE("\x0a\x03\x0a\x01\x01"), "span 0: traceId: expected 8 or 16 bytes");
    check_refused(ZIPKIN_PROTO, SLICE("\x08\x01"), "span 0: a field of another type than its own");
    check_refused(ZIPKIN_THRIFT, SLICE("\x08\x00\x00\x00\x00"), "span 0: expected a list of structs");
    check_refused(ZIPKIN_THRIFT, SLICE("\x0c\x7f\xff\xff\xff\x00"), "span 0: a list that is longer than the message");
    check_refused(ZIPKIN_THRIFT, SLICE("\x0c\x00\x00\x00\x01\x05\x00\x01"), "span 0: a type that does not exist");
}

static void no_thrift_is_too_deep(void **state)
{
    struct buffer message = { 0 };

    (void)state;
    buffer_append(&message, "\x0c\x00\x00\x00\x01", 5);
    for (int i = 0; i < 100000; i++)
        buffer_append(&message, "\x0c\x00\x63", 3); /* field 99, a struct */
    check_refused(ZIPKIN_THRIFT, buffer_slice(&message), "span 0: nested too deep");
    buffer_fini(&message);
}

static void no_span_has_too_many_tags(void **state)
{
    struct buffer message = { 0 }, wire = { 0 };
    struct zipkin_reading reading;

    (void)state;
    buffer_append_string(&message, "[{\"traceId\":\"1\",\"id\":\"1\",\"tags\":{\"t\":\"\"");
    for (int i = 1; i < ZIPKIN_MAX_TAGS; i++)
        buffer_printf(&message, ",\"t%d\":\"\"", i);
    size_t allowed = message.size;
    buffer_append_string(&message, "}}]");
    assert_true(read(ZIPKIN_JSON, buffer_slice(&message), &wire, &reading));
    buffer_clear(&wire);
    message.size = allowed;
    buffer_append_string(&message, ",\"last\":\"\"}}]");
    assert_false(read(ZIPKIN_JSON, buffer_slice(&message), &wire, &reading));
    assert_string_equal(reading.message, "span 0: more tags than a span may have");
    buffer_fini(&message);
    buffer_fini(&wire);
}

static void text_that_is_not_utf8_is_repaired(void **state)
{
    struct buffer wire = { 0 };
    struct zipkin_reading reading;

    (void)state;
    assert_true(read(ZIPKIN_PROTO,
        SLICE("\x0a\x19\x0a\x08\1\2\3\4\5\6\7\x08\x1a\x08\1\2\3\4\5\6\7\x08\x2a\x03"
              "a\xff"
              "b"),
        &wire, &reading));
    assert_int_equal(reading.repaired, 1);
    assert_int_equal(otlp_check(SIGNAL_TRACES, buffer_slice(&wire)).fault, OTLP_OK);
    buffer_fini(&wire);
}

/* A message cut at every byte is refused, or is a shorter message: never more than it was, never read beyond its end. */
static void cut_everywhere(void **state)
{
    const struct {
        enum zipkin_format format;
        struct slice message;
    } samples[] = {
        { ZIPKIN_JSON, slice_of_string(zipkin_sample_json) },
        { ZIPKIN_PROTO, slice_of(zipkin_sample_proto, zipkin_sample_proto_size) },
        { ZIPKIN_JSON_V1, slice_of_string(zipkin_sample_json_v1) },
        { ZIPKIN_THRIFT, slice_of(zipkin_sample_thrift, zipkin_sample_thrift_size) },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        for (size_t size = 0; size < samples[i].message.size; size++) {
            struct buffer wire = { 0 };
            struct zipkin_reading reading;
            uint8_t *exact = malloc(size + (size == 0)); /* so that a sanitizer sees what is read beyond */
            memcpy(exact, samples[i].message.data, size);
            bool is_read = read(samples[i].format, slice_of(exact, size), &wire, &reading);
            assert_true(!is_read || (samples[i].format == ZIPKIN_PROTO && size == 0));
            assert_int_equal(wire.size, 0);
            buffer_fini(&wire);
            free(exact);
        }
    }
}

/* No more memory than was allowed. */
static void the_limit_is_kept(void **state)
{
    struct buffer wire = { .limit = 40 };
    struct zipkin_reading reading;

    (void)state;
    assert_false(read(ZIPKIN_JSON, slice_of_string(zipkin_sample_json), &wire, &reading));
    assert_true(wire.failed);
    buffer_fini(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_becomes_otlp),
        cmocka_unit_test(proto_becomes_otlp),
        cmocka_unit_test(thrift_becomes_otlp),
        cmocka_unit_test(version_1_says_kind_and_service_by_annotations),
        cmocka_unit_test(tags_go_where_they_belong),
        cmocka_unit_test(text_with_bars_is_kept),
        cmocka_unit_test(strings_become_numbers_when_asked),
        cmocka_unit_test(spans_are_grouped),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(no_thrift_is_too_deep),
        cmocka_unit_test(no_span_has_too_many_tags),
        cmocka_unit_test(text_that_is_not_utf8_is_repaired),
        cmocka_unit_test(cut_everywhere),
        cmocka_unit_test(the_limit_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
