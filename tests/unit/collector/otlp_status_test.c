/* The otlp receiver's answers: bodies against protobuf-c, codes against the OTLP specification. */
#include "receivers/otlp/otlp_status.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "collector/base/clock.h"
#include "google_rpc.pb-c.h"
#include "logs_service.pb-c.h"
#include "metrics_service.pb-c.h"
#include "trace_service.pb-c.h"

static void content_types_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(otlp_encoding_of(SLICE("application/x-protobuf")), OTLP_ENCODING_PROTOBUF);
    assert_int_equal(otlp_encoding_of(SLICE("Application/X-Protobuf")), OTLP_ENCODING_PROTOBUF);
    assert_int_equal(otlp_encoding_of(SLICE("application/json")), OTLP_ENCODING_JSON);
    assert_int_equal(otlp_encoding_of(SLICE(" application/json ; charset=utf-8")), OTLP_ENCODING_JSON);
    assert_int_equal(otlp_encoding_of(SLICE("application/json+x")), OTLP_ENCODING_UNKNOWN);
    assert_int_equal(otlp_encoding_of(SLICE("text/plain")), OTLP_ENCODING_UNKNOWN);
    assert_int_equal(otlp_encoding_of(SLICE("")), OTLP_ENCODING_UNKNOWN);
    assert_int_equal(otlp_encoding_of(slice_of(NULL, 0)), OTLP_ENCODING_UNKNOWN);
    assert_true(slice_equal(otlp_content_type(OTLP_ENCODING_JSON), SLICE("application/json")));
    assert_true(slice_equal(otlp_content_type(OTLP_ENCODING_PROTOBUF), SLICE("application/x-protobuf")));
}

static void a_status_is_google_s(void **state)
{
    static const struct {
        enum grpc_status code;
        const char *message;
    } cases[] = { { GRPC_INVALID_ARGUMENT, "malformed \"x\"\n" }, { GRPC_UNAVAILABLE, "" }, { GRPC_UNAUTHENTICATED, "\xc3\xa9" },
        { GRPC_OK, "" } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct otlp_status status = { cases[i].code, slice_of_string(cases[i].message), 0 };
        struct buffer body = { 0 };
        Google__Rpc__Status *read;

        otlp_status_write(&status, OTLP_ENCODING_PROTOBUF, &body);
        read = google__rpc__status__unpack(NULL, body.size, body.data);
        assert_non_null(read);
        assert_int_equal(read->code, cases[i].code);
        assert_string_equal(read->message, cases[i].message);
        assert_int_equal(read->n_details, 0);
        assert_int_equal(google__rpc__status__get_packed_size(read), body.size);
        google__rpc__status__free_unpacked(read, NULL);
        buffer_fini(&body);
    }
}

static void assert_written(enum otlp_encoding encoding, const char *message, const char *expected)
{
    struct otlp_status status = { GRPC_INVALID_ARGUMENT, slice_of_string(message), 0 };
    struct buffer body = { 0 };

    otlp_status_write(&status, encoding, &body);
    assert_string_equal(buffer_string(&body), expected);
    buffer_fini(&body);
}

static void a_status_in_json_is_escaped(void **state)
{
    (void)state;
    assert_written(OTLP_ENCODING_JSON, "plain", "{\"code\":3,\"message\":\"plain\"}");
    assert_written(OTLP_ENCODING_JSON, "a \"b\" \\ \n \xff", "{\"code\":3,\"message\":\"a \\\"b\\\" \\\\ \\n \xef\xbf\xbd\"}");
    assert_written(OTLP_ENCODING_UNKNOWN, "plain", "plain\n");
}

static void a_success_is_an_empty_response_of_every_signal(void **state)
{
    struct slice body = otlp_success(OTLP_ENCODING_PROTOBUF);
    Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse *traces;
    Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceResponse *metrics;
    Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceResponse *logs;

    (void)state;
    traces = opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(NULL, body.size, body.data);
    metrics = opentelemetry__proto__collector__metrics__v1__export_metrics_service_response__unpack(NULL, body.size, body.data);
    logs = opentelemetry__proto__collector__logs__v1__export_logs_service_response__unpack(NULL, body.size, body.data);
    assert_true(traces != NULL && metrics != NULL && logs != NULL);
    assert_true(traces->partial_success == NULL && metrics->partial_success == NULL && logs->partial_success == NULL);
    opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(traces, NULL);
    opentelemetry__proto__collector__metrics__v1__export_metrics_service_response__free_unpacked(metrics, NULL);
    opentelemetry__proto__collector__logs__v1__export_logs_service_response__free_unpacked(logs, NULL);
    assert_true(slice_equal(otlp_success(OTLP_ENCODING_JSON), SLICE("{}")));
}

static struct otlp_status status_of(struct outcome outcome, const char *part)
{
    struct buffer message = { 0 };
    struct otlp_status status = otlp_status_of(outcome, &message);

    if (part != NULL)
        assert_non_null(strstr(buffer_string(&message), part));
    status.message = slice_of(NULL, 0);
    buffer_fini(&message);
    return status;
}

static void outcomes_have_codes(void **state)
{
    struct otlp_status status;

    (void)state;
    assert_int_equal(status_of(OUTCOME_ACCEPTED, NULL).code, GRPC_OK);
    status = status_of(outcome_retry("queue_full", 7 * NANOS_PER_SECOND), "queue_full");
    assert_int_equal(status.code, GRPC_UNAVAILABLE);
    assert_int_equal(status.retry_delay_ns, 7 * NANOS_PER_SECOND);
    status = status_of(outcome_retry("memory", 0), "memory"); /* a delay is always told */
    assert_int_equal(status.retry_delay_ns, NANOS_PER_SECOND);
    status = status_of(outcome_rejected("destination"), "destination");
    assert_int_equal(status.code, GRPC_INVALID_ARGUMENT);
    assert_int_equal(status.retry_delay_ns, 0);
    assert_int_equal(status_of(outcome_rejected("no_pipeline"), "no_pipeline").code, GRPC_UNIMPLEMENTED);
    assert_int_equal(status_of(outcome_rejected(NULL), "unknown").code, GRPC_INVALID_ARGUMENT);
}

/* What a client may send again over gRPC it must be allowed to send again over HTTP, and the other way round. */
static void http_agrees_with_grpc(void **state)
{
    static const enum grpc_status retryable[] = { GRPC_CANCELLED, GRPC_DEADLINE_EXCEEDED, GRPC_RESOURCE_EXHAUSTED, GRPC_ABORTED,
        GRPC_OUT_OF_RANGE, GRPC_UNAVAILABLE, GRPC_DATA_LOSS };

    (void)state;
    for (int code = GRPC_OK; code <= GRPC_UNAUTHENTICATED; code++) {
        int http = otlp_status_http((enum grpc_status)code);
        bool again = http == 429 || http == 502 || http == 503 || http == 504, expected = false;

        for (size_t i = 0; i < sizeof(retryable) / sizeof(retryable[0]); i++)
            expected |= (int)retryable[i] == code;
        assert_int_equal(again, expected);
        assert_int_equal(http == 200, code == GRPC_OK);
    }
    assert_int_equal(otlp_status_http(GRPC_INVALID_ARGUMENT), 400);
    assert_int_equal(otlp_status_http(GRPC_UNAUTHENTICATED), 401);
    assert_int_equal(otlp_status_http(GRPC_UNIMPLEMENTED), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_types_are_told_apart),
        cmocka_unit_test(a_status_is_google_s),
        cmocka_unit_test(a_status_in_json_is_escaped),
        cmocka_unit_test(a_success_is_an_empty_response_of_every_signal),
        cmocka_unit_test(outcomes_have_codes),
        cmocka_unit_test(http_agrees_with_grpc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
