/* normalize: each rule, that it can be turned off, and that what needs nothing is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/base/clock.h"
#include "collector/processors/normalize/conventions.h"
#include "collector/processors/normalize/severity.h"
#include "collector/processors/normalize/trace_ids.h"
#include "collector/wire/encoding.h"
#include "tests/unit/collector/processor_harness.h"

#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INTEGER(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
/* Only names: all else is turned off. */
#define NAMES "{severity: false, timestamps: false, trace_context: false, service_name: false}"
#define SPAN(kind, attributes)                                                                                                             \
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"kind\":" kind ",\"attributes\":[" attributes "]}]}]}]}"
#define SPAN_OF(schema, attributes)                                                                                                        \
    "{\"resourceSpans\":[{\"schemaUrl\":\"" schema "\",\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"attributes\":[" attributes "]}]}]}]}"

struct row {
    const char *settings, *in, *wanted;
};

static void check_rows(enum signal signal, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *out = processed("normalize", rows[i].settings, signal, rows[i].in);
        if (strcmp(out, rows[i].wanted) != 0)
            fail_msg("%s of %s\ngave   %s\nwanted %s", rows[i].settings, rows[i].in, out, rows[i].wanted);
        free(out);
    }
}

#define CHECK(signal, rows) check_rows(signal, rows, sizeof(rows) / sizeof((rows)[0]))

/* ---- names ---- */

static void test_names(void **state)
{
#define OLD "https://opentelemetry.io/schemas/1.20.0"
#define NEW "https://opentelemetry.io/schemas/1.40.0"
    const struct row rows[] = {
        { NAMES, SPAN("3", TEXT("http.method", "GET") "," INTEGER("http.status_code", "200")),
            SPAN("3", TEXT("http.request.method", "GET") "," INTEGER("http.response.status_code", "200")) },
        { NAMES, SPAN("3", TEXT("http.request.method", "GET")), "same" },
        { NAMES, SPAN("3", TEXT("http.method", "GET") "," TEXT("http.request.method", "POST")), "same" },
        { NAMES, SPAN("3", TEXT("net.peer.name", "a") "," INTEGER("net.peer.port", "1")),
            SPAN("3", TEXT("server.address", "a") "," INTEGER("server.port", "1")) },
        { NAMES, SPAN("2", TEXT("net.peer.name", "a") "," INTEGER("net.peer.port", "1")),
            SPAN("2", TEXT("client.address", "a") "," INTEGER("client.port", "1")) },
        { NAMES, SPAN("3", TEXT("net.transport", "ip_tcp")), SPAN("3", TEXT("network.transport", "tcp")) },
        { NAMES, SPAN("3", TEXT("db.system", "mssql")), SPAN("3", TEXT("db.system.name", "microsoft.sql_server")) },
        { NAMES, SPAN("3", TEXT("db.system", "mysql")), SPAN("3", TEXT("db.system.name", "mysql")) },
        { NAMES, SPAN("3", INTEGER("messaging.kafka.partition", "7")), SPAN("3", TEXT("messaging.destination.partition.id", "7")) },
        { NAMES, SPAN("3", TEXT("container.image.tag", "1")),
            SPAN("3", "{\"key\":\"container.image.tags\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"1\"}]}}}") },
        { NAMES, SPAN("2", TEXT("http.target", "/a?b=c")), SPAN("2", TEXT("url.query", "b=c") "," TEXT("url.path", "/a")) },
        { NAMES, SPAN("2", TEXT("http.target", "/a")), SPAN("2", TEXT("url.path", "/a")) },
        { NAMES, SPAN_OF(OLD, TEXT("http.method", "GET")), SPAN_OF(NEW, TEXT("http.request.method", "GET")) },
        { NAMES, SPAN_OF("https://opentelemetry.io/schemas/1.26.0", TEXT("db.name", "x") "," TEXT("code.function", "f")),
            SPAN_OF(NEW, TEXT("db.name", "x") "," TEXT("code.function.name", "f")) },
        { NAMES, SPAN_OF(NEW, TEXT("http.method", "GET")), "same" },
        { NAMES, SPAN_OF("https://example.com/1.0", TEXT("http.method", "GET")), "same" },
        { "{conventions: false, timestamps: false}", SPAN("3", TEXT("http.method", "GET")), "same" },
    };

    (void)state;
    CHECK(SIGNAL_TRACES, rows);
}

static void test_table_of_names(void **state)
{
    struct conventions conventions;
    const char *old_name, *name, *before = "";
    int since;

    (void)state;
    conventions_init(&conventions);
    for (size_t i = 0; conventions_pair(i, &old_name, &name, &since); i++) {
        struct buffer message = { .data = NULL };
        struct edit edit = { .fields = NULL };
        struct otlp_value value = { .kind = OTLP_VALUE_INT, .integer = 1 };
        bool opened = false;
        assert_true(strcmp(before, old_name) < 0); /* in order, none twice */
        assert_true(since > 0 && since <= CONVENTIONS_CURRENT);
        before = old_name;
        edit_open(&edit, (struct slice){ NULL, 0 }, OTLP_ATTRIBUTES_OF_SPAN);
        edit_set_attribute(&edit, slice_of_string(old_name), &value);
        edit_write(&edit, 0, &message);
        struct conventions_message work = { buffer_slice(&message), OTLP_ATTRIBUTES_OF_SPAN, since - 1, false };
        assert_true(conventions_apply(&conventions, &work, &edit, &opened));
        assert_true(edit_get_attribute(&edit, slice_of_string(name), &value));
        assert_false(edit_get_attribute(&edit, slice_of_string(old_name), &value));
        work.version = since;
        assert_false(conventions_apply(&conventions, &work, &edit, &opened));
        edit_fini(&edit);
        buffer_fini(&message);
    }
}

static void test_points_and_resources(void **state)
{
    char *out = processed("normalize", "{}", SIGNAL_METRICS,
        "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[" TEXT("deployment.environment", "prod") "," TEXT("container.name",
            "c") "]},\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":{\"dataPoints\":[{\"attributes\":[" TEXT("http.method",
            "GET") "],\"asInt\":\"1\"}]}}]}]}]}");

    (void)state;
    assert_non_null(strstr(out, TEXT("deployment.environment.name", "prod")));
    assert_non_null(strstr(out, TEXT("service.name", "c")));
    assert_non_null(strstr(out, TEXT("http.request.method", "GET")));
    free(out);
}

/* ---- severity ---- */

#define SEVERITY "{conventions: false, timestamps: false, trace_context: false, service_name: false}"
#define LOG(fields) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" fields "}]}]}]}"

static void test_severity(void **state)
{
    const struct row rows[] = {
        { SEVERITY, LOG("\"severityText\":\"Warning\""), LOG("\"severityText\":\"Warning\",\"severityNumber\":13") },
        { SEVERITY, LOG("\"severityNumber\":14"), LOG("\"severityNumber\":14,\"severityText\":\"WARN2\"") },
        { SEVERITY, LOG("\"severityNumber\":9,\"severityText\":\"INFO\""), "same" },
        { SEVERITY, LOG("\"severityText\":\"whatever\""), "same" },
        { SEVERITY, LOG("\"attributes\":[" TEXT("level", "error") "]"),
            LOG("\"attributes\":[" TEXT("level", "error") "],\"severityNumber\":17,\"severityText\":\"error\"") },
        { SEVERITY, LOG("\"attributes\":[" TEXT("level", "7th") "]"), "same" },
        { "{severity: false, timestamps: false}", LOG("\"severityText\":\"WARN\""), "same" },
    };

    (void)state;
    CHECK(SIGNAL_LOGS, rows);
    assert_int_equal(severity_number_of(SLICE("[warn]")), 13);
    assert_int_equal(severity_number_of(SLICE("E")), 17);
    assert_int_equal(severity_number_of(SLICE("")), 0);
    assert_int_equal(severity_number_of(SLICE("[]")), 0);
    for (uint32_t number = 1; number <= 24; number++)
        assert_int_equal(severity_number_of(slice_of_string(severity_text_of(number))), number);
    assert_null(severity_text_of(0));
    assert_null(severity_text_of(25));
}

/* ---- times ---- */

static void test_times(void **state)
{
    struct processing processing;
    char request[400];
    const char *out;
    unsigned long long now = clock_wall_nanos();

    (void)state;
    assert_true(processing_start(&processing, "normalize", "{}", SIGNAL_LOGS));
    snprintf(request, sizeof(request), LOG("\"timeUnixNano\":\"%llu\",\"severityNumber\":9,\"severityText\":\"I\""), now);
    out = processing_run(&processing, request);
    assert_non_null(strstr(out, "\"observedTimeUnixNano\":\"1"));
    assert_null(strstr(out, "problem"));
    snprintf(request, sizeof(request),
        LOG("\"timeUnixNano\":\"%llu\",\"observedTimeUnixNano\":\"%llu\",\"severityNumber\":9,\"severityText\":\"I\""), now, now);
    assert_string_equal(processing_run(&processing, request), "same");
    snprintf(
        request, sizeof(request), LOG("\"timeUnixNano\":\"%llu\",\"observedTimeUnixNano\":\"%llu\""), now / 1000, now); /* microseconds */
    assert_non_null(strstr(processing_run(&processing, request), TEXT("weir.timestamp.problem", "past")));
    snprintf(request, sizeof(request), LOG("\"timeUnixNano\":\"%llu\",\"observedTimeUnixNano\":\"%llu\""), now + 7200000000000ULL, now);
    assert_non_null(strstr(processing_run(&processing, request), TEXT("weir.timestamp.problem", "future")));
    processing_stop(&processing);
    assert_true(processing_start(&processing, "normalize", "{}", SIGNAL_TRACES));
    snprintf(request, sizeof(request),
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"%llu\",\"endTimeUnixNano\":\"%llu\"}]}]}]}", now,
        now - 1);
    out = processing_run(&processing, request);
    assert_non_null(strstr(out, TEXT("weir.timestamp.problem", "end_before_start")));
    processing_stop(&processing);
}

/* ---- trace ids ---- */

#define ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN_ID "b7ad6b7169203331"

static void check_text(const char *text, const char *trace, const char *span)
{
    struct trace_ids ids = { .has_trace = false };
    char hex[33] = "";

    trace_ids_of_text(&ids, slice_of_string(text));
    if (ids.has_trace != (trace != NULL) || ids.has_span != (span != NULL))
        fail_msg("%s: trace %d, span %d", text, ids.has_trace, ids.has_span);
    if (trace != NULL) {
        encoding_write_hex(slice_of(ids.trace, 16), hex);
        assert_string_equal(hex, trace);
    }
    if (span != NULL) {
        memset(hex, 0, sizeof(hex));
        encoding_write_hex(slice_of(ids.span, 8), hex);
        assert_string_equal(hex, span);
    }
}

static void test_ids_in_texts(void **state)
{
    (void)state;
    check_text("done trace_id=" ID " span_id=" SPAN_ID " in 3 ms", ID, SPAN_ID);
    check_text("{\"traceId\":\"" ID "\",\"spanId\":\"" SPAN_ID "\"}", ID, SPAN_ID);
    check_text("{\\\"traceId\\\": \\\"" ID "\\\"}", ID, NULL);
    check_text("TraceId: " ID, ID, NULL);
    check_text("X-B3-TraceId: " SPAN_ID, "0000000000000000" SPAN_ID, NULL);
    check_text("[dd.service=a dd.trace_id=1311768467463790320 dd.span_id=81985529216486895]", "0000000000000000123456789abcdef0",
        "0123456789abcdef");
    check_text("dd.trace_id=" ID, ID, NULL);
    check_text("X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "5759e988bd862e3fe1be46a994272793", NULL);
    check_text("traceparent: 00-" ID "-" SPAN_ID "-01", ID, SPAN_ID);
    check_text("got 00-" ID "-" SPAN_ID "-01 from a", ID, SPAN_ID);
    check_text("trace_id=none, otelTraceID=" ID, ID, NULL);
    check_text("trace_id=" ID "0", NULL, NULL);
    check_text("trace_id=00000000000000000000000000000000", NULL, NULL);
    check_text("trace_id of " ID, NULL, NULL);
    check_text("stack trace: something quite long follows here", NULL, NULL);
    check_text("x00-" ID "-" SPAN_ID "-01", ID, SPAN_ID);
    check_text("100-" ID "-" SPAN_ID "-01", NULL, NULL);
}

static void test_texts_cut_anywhere(void **state)
{
    static const char text[] =
        "dd.trace_id=13 trace_id: zz traceparent=00-" ID "-" SPAN_ID "-01 Root=1-5759e988-bd862e3fe1be46a994272793 spanId\":\"" SPAN_ID;

    (void)state;
    for (size_t start = 0; start < sizeof(text); start++) {
        for (size_t end = start; end < sizeof(text); end++) {
            char *cut = malloc(end - start + 1);
            struct trace_ids ids = { .has_trace = false };
            memcpy(cut, text + start, end - start);
            trace_ids_of_text(&ids, slice_of(cut, end - start));
            free(cut);
        }
    }
}

static void test_trace_context(void **state)
{
#define TRACE "{conventions: false, timestamps: false, severity: false, service_name: false}"
#define IDS "\"traceId\":\"" ID "\",\"spanId\":\"" SPAN_ID "\""
    const struct row rows[] = {
        { TRACE, LOG("\"attributes\":[" TEXT("trace_id", ID) "," TEXT("span.id", SPAN_ID) "]"),
            LOG("\"attributes\":[" TEXT("trace_id", ID) "," TEXT("span.id", SPAN_ID) "]," IDS) },
        { TRACE, LOG("\"attributes\":[" TEXT("http.request.header.traceparent", "00-" ID "-" SPAN_ID "-01") "]"),
            LOG("\"attributes\":[" TEXT("http.request.header.traceparent", "00-" ID "-" SPAN_ID "-01") "]," IDS ",\"flags\":1") },
        { TRACE, LOG("\"attributes\":[" INTEGER("dd.trace_id", "1") "]"),
            LOG("\"attributes\":[" INTEGER("dd.trace_id", "1") "],\"traceId\":\"00000000000000000000000000000001\"") },
        { TRACE, LOG("\"body\":{\"stringValue\":\"trace_id=" ID " span_id=" SPAN_ID "\"}"),
            LOG("\"body\":{\"stringValue\":\"trace_id=" ID " span_id=" SPAN_ID "\"}," IDS) },
        { TRACE, LOG("\"body\":{\"kvlistValue\":{\"values\":[" TEXT("traceId", ID) "," TEXT("spanId", SPAN_ID) "]}}"),
            LOG("\"body\":{\"kvlistValue\":{\"values\":[" TEXT("traceId", ID) "," TEXT("spanId", SPAN_ID) "]}}," IDS) },
        { TRACE, LOG("\"attributes\":[" TEXT("trace_id", "nonsense") "]"), "same" },
        { TRACE, LOG("\"attributes\":[" TEXT("trace_id", ID) "],\"traceId\":\"11111111111111111111111111111111\""), "same" },
        { "{trace_context: false, timestamps: false}", LOG("\"attributes\":[" TEXT("trace_id", ID) "]"), "same" },
    };

    (void)state;
    CHECK(SIGNAL_LOGS, rows);
}

/* ---- service names ---- */

static void test_service_name(void **state)
{
#define RESOURCE(attributes) "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" attributes "]},\"scopeLogs\":[{\"logRecords\":[{}]}]}]}"
#define SERVICE "{timestamps: false}"
    const struct row rows[] = {
        { SERVICE, RESOURCE(TEXT("container.name", "c") "," TEXT("k8s.deployment.name", "d")),
            RESOURCE(TEXT("container.name", "c") "," TEXT("k8s.deployment.name", "d") "," TEXT("service.name", "d")) },
        { SERVICE, RESOURCE(TEXT("service.name", "unknown_service:java") "," TEXT("app", "a")),
            RESOURCE(TEXT("service.name", "a") "," TEXT("app", "a")) },
        { SERVICE, RESOURCE(TEXT("service.name", "s") "," TEXT("app", "a")), "same" },
        { SERVICE, RESOURCE(TEXT("host.name", "h")), "same" },
        { "{timestamps: false, service_name_from: [host.name]}", RESOURCE(TEXT("host.name", "h")),
            RESOURCE(TEXT("host.name", "h") "," TEXT("service.name", "h")) },
        { "{timestamps: false, service_name: false}", RESOURCE(TEXT("app", "a")), "same" },
    };

    (void)state;
    CHECK(SIGNAL_LOGS, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_table_of_names),
        cmocka_unit_test(test_points_and_resources),
        cmocka_unit_test(test_severity),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_ids_in_texts),
        cmocka_unit_test(test_texts_cut_anywhere),
        cmocka_unit_test(test_trace_context),
        cmocka_unit_test(test_service_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
