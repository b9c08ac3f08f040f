/* The processors attributes and resource: every action, and whom it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/collector/processor_harness.h"

#define SPAN(attributes)                                                                                                                   \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},\"scopeSpans\":" \
    "[{"                                                                                                                                   \
    "\"scope\":{\"name\":\"lib\",\"version\":\"1.2\"},\"spans\":[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\","                       \
    "\"spanId\":\"0102030405060708\",\"name\":\"get\",\"kind\":2,\"attributes\":[" attributes "]}]}]}]}"
#define LOG(attributes)                                                                                                                    \
    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":9,\"severityText\":\"INFO\",\"body\":{\"stringValue\":"       \
    "\"hello\"},"                                                                                                                          \
    "\"attributes\":[" attributes "]}]}]}]}"
#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INTEGER(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define DOUBLE(key, value) "{\"key\":\"" key "\",\"value\":{\"doubleValue\":" value "}}"
#define BOOL(key, value) "{\"key\":\"" key "\",\"value\":{\"boolValue\":" value "}}"

struct row {
    const char *settings;
    const char *in, *wanted; /* requests; wanted "same": nothing changed */
};

static void check_rows(const char *name, enum signal signal, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *out = processed(name, rows[i].settings, signal, rows[i].in);
        if (strcmp(out, rows[i].wanted) != 0)
            fail_msg("%s\ngave   %s\nwanted %s", rows[i].settings, out, rows[i].wanted);
        free(out);
    }
}

#define CHECK(name, signal, rows) check_rows(name, signal, rows, sizeof(rows) / sizeof((rows)[0]))

static void test_values(void **state)
{
    const struct row rows[] = {
        { "{actions: [{key: a, action: insert, value: x}]}", SPAN(TEXT("b", "1")), SPAN(TEXT("b", "1") "," TEXT("a", "x")) },
        { "{actions: [{key: a, action: insert, value: x}]}", SPAN(TEXT("a", "1")), "same" },
        { "{actions: [{key: a, action: update, value: x}]}", SPAN(TEXT("a", "1") "," TEXT("b", "2")),
            SPAN(TEXT("a", "x") "," TEXT("b", "2")) },
        { "{actions: [{key: a, action: update, value: x}]}", SPAN(TEXT("b", "1")), "same" },
        { "{actions: [{key: a, action: UPSERT, value: 7}]}", SPAN(""), SPAN(INTEGER("a", "7")) },
        { "{actions: [{key: a, action: upsert, value: 1.5}]}", SPAN(TEXT("a", "1")), SPAN(DOUBLE("a", "1.5")) },
        { "{actions: [{key: a, action: upsert, value: true}]}", SPAN(""), SPAN(BOOL("a", "true")) },
        { "{actions: [{key: a, action: upsert, value: \"7\"}]}", SPAN(""), SPAN(TEXT("a", "7")) },
        { "{actions: [{key: a, action: upsert, value: [x, 1]}]}", SPAN(""),
            SPAN("{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"x\"},{\"intValue\":\"1\"}]}}}") },
        { "{actions: [{key: a, action: upsert, value: {k: v}}]}", SPAN(""),
            SPAN("{\"key\":\"a\",\"value\":{\"kvlistValue\":{\"values\":[" TEXT("k", "v") "]}}}") },
        { "{actions: [{key: a, action: insert, from_attribute: b}]}", SPAN(INTEGER("b", "3")),
            SPAN(INTEGER("b", "3") "," INTEGER("a", "3")) },
        { "{actions: [{key: a, action: insert, from_attribute: b}]}", SPAN(TEXT("c", "3")), "same" },
        { "{actions: [{key: a, action: upsert, from_attribute: b, default_value: d}]}", SPAN(""), SPAN(TEXT("a", "d")) },
        { "{actions: [{key: a, action: delete}]}", SPAN(TEXT("a", "1") "," TEXT("b", "2")), SPAN(TEXT("b", "2")) },
        { "{actions: [{key: a, action: delete}]}", SPAN(TEXT("b", "2")), "same" },
        { "{actions: [{pattern: \"^secret\", action: delete}]}", SPAN(TEXT("secret.a", "1") "," TEXT("b", "2") "," TEXT("secret.c", "1")),
            SPAN(TEXT("b", "2")) },
        { "{actions: [{key: a, action: insert, value: 1}, {key: a, action: update, value: 2}, {key: b, action: delete}]}",
            SPAN(TEXT("b", "1")), SPAN(INTEGER("a", "2")) },
    };

    (void)state;
    CHECK("attributes", SIGNAL_TRACES, rows);
}

static void test_hash(void **state)
{
    const struct row rows[] = {
        { "{actions: [{key: a, action: hash}]}", SPAN(TEXT("a", "abc")),
            SPAN(TEXT("a", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")) },
        { "{actions: [{key: a, action: hash}]}", SPAN(BOOL("a", "true")),
            SPAN(TEXT("a", "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a")) },
        { "{actions: [{key: a, action: hash}]}", SPAN(INTEGER("a", "1")),
            SPAN(TEXT("a", "7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8")) },
        { "{actions: [{key: a, action: hash}]}", SPAN(TEXT("a", "")),
            SPAN(TEXT("a", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")) },
        { "{actions: [{pattern: \"^a\", action: hash}]}", SPAN(TEXT("ab", "abc") "," TEXT("b", "abc")),
            SPAN(TEXT("ab", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") "," TEXT("b", "abc")) },
        { "{actions: [{key: a, action: hash}]}", SPAN("{\"key\":\"a\",\"value\":{\"arrayValue\":{}}}"), SPAN(TEXT("a", "")) },
    };

    (void)state;
    CHECK("attributes", SIGNAL_TRACES, rows);
}

static void test_extract(void **state)
{
    const struct row rows[] = {
        { "{actions: [{key: url, action: extract, pattern: \"^(?P<scheme>[a-z]+)://(?P<host>[^/]+)(?P<path>/.*)?\"}]}",
            SPAN(TEXT("url", "http://x.y")),
            SPAN(TEXT("url", "http://x.y") "," TEXT("scheme", "http") "," TEXT("host", "x.y") "," TEXT("path", "")) },
        { "{actions: [{key: url, action: extract, pattern: \"^(?P<url>[a-z]+)://(?P<host>[^/]+)\"}]}", SPAN(TEXT("url", "http://x.y")),
            SPAN(TEXT("url", "http") "," TEXT("host", "x.y")) },
        { "{actions: [{key: url, action: extract, pattern: \"^(?P<n>[0-9]+)\"}]}", SPAN(TEXT("url", "http")), "same" },
        { "{actions: [{key: url, action: extract, pattern: \"^(?P<n>[0-9]+)\"}]}", SPAN(INTEGER("url", "7")), "same" },
    };

    (void)state;
    CHECK("attributes", SIGNAL_TRACES, rows);
}

static void test_convert(void **state)
{
    const struct row rows[] = {
        { "{actions: [{key: a, action: convert, converted_type: int}]}", SPAN(TEXT("a", "-12")), SPAN(INTEGER("a", "-12")) },
        { "{actions: [{key: a, action: convert, converted_type: int}]}", SPAN(TEXT("a", "9223372036854775807")),
            SPAN(INTEGER("a", "9223372036854775807")) },
        { "{actions: [{key: a, action: convert, converted_type: int}]}", SPAN(TEXT("a", "9223372036854775808")), "same" },
        { "{actions: [{key: a, action: convert, converted_type: int}]}", SPAN(TEXT("a", "1.5")), "same" },
        { "{actions: [{key: a, action: convert, converted_type: int}]}", SPAN(TEXT("a", "")), "same" },
        { "{actions: [{key: a, action: convert, converted_type: int}]}", SPAN(DOUBLE("a", "1.9")), SPAN(INTEGER("a", "1")) },
        { "{actions: [{key: a, action: convert, converted_type: int}]}", SPAN(BOOL("a", "true")), SPAN(INTEGER("a", "1")) },
        { "{actions: [{key: a, action: convert, converted_type: double}]}", SPAN(TEXT("a", "+1.5e1")), SPAN(DOUBLE("a", "15")) },
        { "{actions: [{key: a, action: convert, converted_type: double}]}", SPAN(TEXT("a", ".5")), SPAN(DOUBLE("a", "0.5")) },
        { "{actions: [{key: a, action: convert, converted_type: double}]}", SPAN(TEXT("a", "1e")), "same" },
        { "{actions: [{key: a, action: convert, converted_type: double}]}", SPAN(INTEGER("a", "3")), SPAN(DOUBLE("a", "3")) },
        { "{actions: [{key: a, action: convert, converted_type: string}]}", SPAN(DOUBLE("a", "1.5")), SPAN(TEXT("a", "1.5")) },
        { "{actions: [{key: a, action: convert, converted_type: string}]}", SPAN(TEXT("a", "x")), "same" },
        { "{actions: [{key: a, action: convert, converted_type: string}]}", SPAN("{\"key\":\"a\",\"value\":{\"bytesValue\":\"AQID\"}}"),
            SPAN(TEXT("a", "AQID")) },
        { "{actions: [{key: a, action: convert, converted_type: string}]}",
            SPAN("{\"key\":\"a\",\"value\":{\"kvlistValue\":{\"values\":[" INTEGER("k", "1") "]}}}"), SPAN(TEXT("a", "{\\\"k\\\":1}")) },
    };

    (void)state;
    CHECK("attributes", SIGNAL_TRACES, rows);
}

static void test_include_and_exclude(void **state)
{
#define ADD ", actions: [{key: a, action: insert, value: 1}]}"
#define ADDED SPAN(TEXT("env", "prod") "," INTEGER("a", "1"))
    const struct row rows[] = {
        { "{include: {match_type: strict, services: [shop]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, services: [sho]}" ADD, SPAN(TEXT("env", "prod")), "same" },
        { "{include: {match_type: regexp, services: [sho]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, span_names: [put, get]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, span_kinds: [SPAN_KIND_SERVER]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, span_kinds: [SPAN_KIND_CLIENT]}" ADD, SPAN(TEXT("env", "prod")), "same" },
        { "{include: {match_type: strict, attributes: [{key: env, value: prod}]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, attributes: [{key: env}]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, attributes: [{key: env, value: dev}]}" ADD, SPAN(TEXT("env", "prod")), "same" },
        { "{include: {match_type: regexp, attributes: [{key: env, value: \"^p.*d$\"}]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, libraries: [{name: lib, version: \"1.2\"}]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, libraries: [{name: lib, version: \"1.3\"}]}" ADD, SPAN(TEXT("env", "prod")), "same" },
        { "{include: {match_type: strict, resources: [{key: service.name, value: shop}]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{exclude: {match_type: strict, resources: [{key: service.name, value: shop}]}" ADD, SPAN(TEXT("env", "prod")), "same" },
        { "{exclude: {match_type: strict, services: [other]}" ADD, SPAN(TEXT("env", "prod")), ADDED },
        { "{include: {match_type: strict, services: [shop]}, exclude: {match_type: strict, span_names: [get]}" ADD,
            SPAN(TEXT("env", "prod")), "same" },
        { "{include: {match_type: strict, attributes: [{key: n, value: 5}]}" ADD, SPAN(INTEGER("n", "5")),
            SPAN(INTEGER("n", "5") "," INTEGER("a", "1")) },
        { "{include: {match_type: strict, attributes: [{key: n, value: 5}]}" ADD, SPAN(DOUBLE("n", "5")), "same" },
        { "{include: {match_type: regexp, attributes: [{key: n, value: \"^5$\"}]}" ADD, SPAN(INTEGER("n", "5")),
            SPAN(INTEGER("n", "5") "," INTEGER("a", "1")) },
    };
    const struct row logs[] = {
        { "{include: {match_type: strict, log_bodies: [hello]}" ADD, LOG(""), LOG(INTEGER("a", "1")) },
        { "{include: {match_type: regexp, log_bodies: [ell]}" ADD, LOG(""), LOG(INTEGER("a", "1")) },
        { "{include: {match_type: strict, log_severity_texts: [WARN]}" ADD, LOG(""), "same" },
        { "{include: {match_type: strict, log_severity_number: {min: 9}}" ADD, LOG(""), LOG(INTEGER("a", "1")) },
        { "{include: {match_type: strict, log_severity_number: {min: WARN}}" ADD, LOG(""), "same" },
    };

    (void)state;
    CHECK("attributes", SIGNAL_TRACES, rows);
    CHECK("attributes", SIGNAL_LOGS, logs);
}

#define METRIC(attributes)                                                                                                                 \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"sum\":{\"dataPoints\":[{\"attributes\":[" attributes         \
    "],\"asInt\":\"4\"}],\"aggregationTemporality\":2}},{\"name\":\"h\",\"histogram\":{\"dataPoints\":[{\"count\":\"2\","                  \
    "\"attributes\":[" attributes "]}]}}]}]}]}"

static void test_data_points(void **state)
{
    struct processing processing;
    const char *out;

    (void)state;
    assert_true(processing_start(&processing, "attributes", "{actions: [{key: a, action: insert, value: x}]}", SIGNAL_METRICS));
    out = processing_run(&processing, METRIC(TEXT("b", "1")));
    assert_non_null(strstr(out, "\"sum\":{\"dataPoints\":[{\"attributes\":[" TEXT("b", "1") "," TEXT("a", "x") "],\"asInt\":\"4\"}]"));
    assert_non_null(strstr(out, "\"count\":\"2\",\"attributes\":[" TEXT("b", "1") "," TEXT("a", "x") "]"));
    assert_int_equal(processing.records, 2);
    assert_string_equal(processing_run(&processing, METRIC(TEXT("a", "1"))), "same");
    processing_stop(&processing);
    assert_true(processing_start(&processing, "attributes",
        "{include: {match_type: strict, metric_names: [h]}, actions: [{key: a, action: insert, value: x}]}", SIGNAL_METRICS));
    out = processing_run(&processing, METRIC(TEXT("b", "1")));
    assert_non_null(strstr(out, "\"dataPoints\":[{\"attributes\":[" TEXT("b", "1") "],\"asInt\":\"4\"}]"));
    assert_non_null(strstr(out, "\"count\":\"2\",\"attributes\":[" TEXT("b", "1") "," TEXT("a", "x") "]"));
    processing_stop(&processing);
}

static void test_from_context(void **state)
{
    const struct metadata_entry entries[] = { { "x-tenant", SLICE("one") }, { "x-tenant", SLICE("two") }, { ":peer", SLICE("10.0.0.1") } };
    struct processing processing;

    (void)state;
    assert_true(processing_start(&processing, "attributes",
        "{actions: [{key: a, action: insert, from_context: metadata.X-Tenant}, {key: b, action: insert, from_context: client.address}, "
        "{key: c, action: insert, from_context: metadata.none}, {key: d, action: insert, from_context: none, default_value: 1}]}",
        SIGNAL_TRACES));
    processing.metadata = metadata_create(entries, 3);
    assert_string_equal(processing_run(&processing, SPAN("")), SPAN(TEXT("a", "one;two") "," TEXT("b", "10.0.0.1") "," INTEGER("d", "1")));
    processing_stop(&processing);
}

static void test_resource(void **state)
{
#define RESOURCE(attributes)                                                                                                               \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" attributes "]},\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":9}]}]}]}"
    const struct row rows[] = {
        { "{attributes: [{key: a, action: upsert, value: x}]}", RESOURCE(TEXT("b", "1")), RESOURCE(TEXT("b", "1") "," TEXT("a", "x")) },
        { "{attributes: [{key: a, action: upsert, value: x}]}",
            "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":9}]}]}]}", RESOURCE(TEXT("a", "x")) },
        { "{attributes: [{key: a, action: delete}]}", RESOURCE(TEXT("b", "1")), "same" },
    };

    (void)state;
    CHECK("resource", SIGNAL_LOGS, rows);
}

static void test_settings_that_are_wrong(void **state)
{
    static const struct {
        const char *settings, *error;
    } rows[] = {
        { "{}", "actions: is required" },
        { "{actions: [{key: a, action: replace, value: 1}]}", "actions[0]: action: unknown action \"replace\"" },
        { "{actions: [{action: insert, value: 1}]}", "insert needs a key" },
        { "{actions: [{action: delete}]}", "delete needs a key, or a pattern" },
        { "{actions: [{key: a, action: insert}]}", "needs one of value" },
        { "{actions: [{key: a, action: insert, value: 1, from_attribute: b}]}", "only one of" },
        { "{actions: [{key: a, action: delete, value: 1}]}", "does not use \"value\"" },
        { "{actions: [{key: a, action: extract, pattern: \"(a)\"}]}", "group 1 has no name" },
        { "{actions: [{key: a, action: extract, pattern: \"a\"}]}", "at least one named group" },
        { "{actions: [{key: a, action: delete, pattern: \"(\"}]}", "pattern" },
        { "{actions: [{key: a, action: convert}]}", "converted_type" },
        { "{actions: [{key: a, action: convert, converted_type: bool}]}", "unknown type \"bool\"" },
        { "{actions: [{key: a, action: insert, from_context: auth.user}]}", "not supported yet" },
        { "{include: {match_type: strict}" ADD, "include: nothing is set" },
        { "{include: {match_type: strict, span_names: [a], log_bodies: [b]}" ADD, "no one signal" },
        { "{include: {match_type: strict, log_bodies: [b]}" ADD, "traces do not have" },
        { "{include: {match_type: strict, span_kinds: [server]}" ADD, "unknown kind" },
        { "{include: {match_type: regexp, span_names: [\"(\"]}" ADD, "pattern \"(\"" },
        { "{include: {match_type: regexp, attributes: [{key: a, value: 1}]}" ADD, "put it in quotes" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *out = processed("attributes", rows[i].settings, SIGNAL_TRACES, SPAN(""));
        if (strncmp(out, "error: ", 7) != 0 || strstr(out, rows[i].error) == NULL)
            fail_msg("%s gave %s", rows[i].settings, out);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_extract),
        cmocka_unit_test(test_convert),
        cmocka_unit_test(test_include_and_exclude),
        cmocka_unit_test(test_data_points),
        cmocka_unit_test(test_from_context),
        cmocka_unit_test(test_resource),
        cmocka_unit_test(test_settings_that_are_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
