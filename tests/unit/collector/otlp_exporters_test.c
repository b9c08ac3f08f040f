/* The two OTLP exporters, each against a scripted server: what is sent, and what becomes of the batch. */
#include <signal.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/net/compress.h"
#include "exporters/otlp_message.h"
#include "tests/unit/collector/exporter_harness.h"
#include "tests/unit/net/scripted_grpc_server.h"
#include "tests/unit/net/scripted_server.h"

extern const struct component_type otlp_http_exporter;
extern const struct component_type otlp_grpc_exporter;

static FILE *log_file;

static int start_log(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_file = tmpfile();
    log_configure(&(struct log_settings){ .level = LOG_INFO, .fd = fileno(log_file) });
    return 0;
}

/* How often the text is in the log so far. */
static size_t logged(const char *text)
{
    static char content[1 << 20];
    size_t count = 0;
    ssize_t size = pread(fileno(log_file), content, sizeof(content) - 1, 0);

    content[size > 0 ? size : 0] = '\0';
    for (const char *at = strstr(content, text); at != NULL; at = strstr(at + 1, text))
        count++;
    return count;
}

static void clear_log(void)
{
    assert_int_equal(ftruncate(fileno(log_file), 0), 0);
    lseek(fileno(log_file), 0, SEEK_SET);
}

/* ---- OTLP/HTTP ---- */

static void start_http(
    struct harness *harness, struct scripted_server *server, const struct scripted_step *steps, size_t count, const char *more)
{
    char yaml[1000];

    memset(server, 0, sizeof(*server));
    scripted_start(server, steps, count);
    snprintf(yaml, sizeof(yaml), "{endpoint: 'http://127.0.0.1:%d', timeout: 5s%s}", server->port, more);
    harness_start(harness, &otlp_http_exporter, yaml);
}

static void stop_http(struct harness *harness, struct scripted_server *server)
{
    harness_stop(harness);
    scripted_stop(server);
}

static const char http_ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

static void test_http_request(void **state)
{
    const struct scripted_step steps[] = { { .answer = http_ok } };
    struct buffer request = { 0 };
    struct scripted_server server;
    struct harness harness;

    (void)state;
    put_logs(&request, "service.name", "a", "hello", 3);
    start_http(&harness, &server, steps, 1, ", compression: none, headers: {X-Tenant: a, x-empty: ''}");
    assert_int_equal(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)).verdict, VERDICT_ACCEPTED);
    assert_true(slice_equal(buffer_slice(&server.body), buffer_slice(&request)));
    assert_true(scripted_head_has(&server, "POST /v1/logs HTTP/1.1\r\n"));
    assert_true(scripted_head_has(&server, "Content-Type: application/x-protobuf\r\n"));
    assert_true(scripted_head_has(&server, "User-Agent: weir/"));
    assert_true(scripted_head_has(&server, "X-Tenant: a\r\n"));
    assert_false(scripted_head_has(&server, "Content-Encoding"));
    harness_send(&harness, SIGNAL_TRACES, SLICE(""));
    assert_true(scripted_head_has(&server, "POST /v1/traces HTTP/1.1\r\n"));
    harness_send(&harness, SIGNAL_METRICS, SLICE(""));
    assert_true(scripted_head_has(&server, "POST /v1/metrics HTTP/1.1\r\n"));
    harness_send(&harness, SIGNAL_PROFILES, SLICE(""));
    assert_true(scripted_head_has(&server, "POST /v1development/profiles HTTP/1.1\r\n"));
    stop_http(&harness, &server);
    buffer_fini(&request);
}

static void assert_inflates_to(const struct buffer *body, enum coding coding, struct slice plain)
{
    struct payload *payload = NULL;

    assert_int_equal(inflate_payload(coding, buffer_slice(body), 1 << 20, NULL, &payload), INFLATE_OK);
    assert_true(slice_equal(payload_slice(payload), plain));
    payload_unref(payload);
}

static void test_http_compression(void **state)
{
    static const char *const names[] = { "gzip", "zlib", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4" };
    const struct scripted_step steps[] = { { .answer = http_ok } };
    struct buffer request = { 0 };
    struct scripted_server server;
    struct harness harness;
    char option[64], header[64];

    (void)state;
    put_logs(&request, "service.name", "a", "hello hello hello", 30);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(option, sizeof(option), ", compression: %s", names[i]);
        snprintf(header, sizeof(header), "Content-Encoding: %s\r\n", names[i]);
        start_http(&harness, &server, steps, 1, option);
        assert_int_equal(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)).verdict, VERDICT_ACCEPTED);
        assert_true(scripted_head_has(&server, header));
        assert_inflates_to(&server.body, coding_of_name(slice_of_string(names[i])), buffer_slice(&request));
        stop_http(&harness, &server);
    }
    start_http(&harness, &server, steps, 1, "");
    harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request));
    assert_true(scripted_head_has(&server, "Content-Encoding: gzip\r\n")); /* the default */
    stop_http(&harness, &server);
    buffer_fini(&request);
}

static void test_http_json(void **state)
{
    const struct scripted_step steps[] = {
        { .answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 79\r\n\r\n"
                    "{\"partialSuccess\":{\"rejectedLogRecords\":\"2\",\"errorMessage\":\"too old, dropped\"}}" },
    };
    struct scripted_server server;
    struct harness harness;

    (void)state;
    clear_log();
    start_http(&harness, &server, steps, 1, ", compression: none, encoding: json");
    assert_int_equal(harness_send_logs(&harness, "hello", 2).verdict, VERDICT_ACCEPTED);
    assert_true(scripted_head_has(&server, "Content-Type: application/json\r\n"));
    assert_true(slice_starts_with(buffer_slice(&server.body), SLICE("{\"resourceLogs\":[{")));
    assert_int_equal((int)harness_metric("weir_dropped_records{"), 2);
    assert_int_equal(logged("refused 2 of 2 records"), 1);
    assert_int_equal(logged("too old, dropped"), 1);
    stop_http(&harness, &server);
}

static void test_http_partial_success(void **state)
{
    const struct scripted_step steps[] = {
        { .answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 9\r\n\r\n\x0a\x07\x08\x63\x12\x03old" },
        { .answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 7\r\n\r\n\x0a\x05\x12\x03now" },
        { .answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1\r\n\r\n\x0a" },
    };
    struct scripted_server server;
    struct harness harness;

    (void)state;
    clear_log();
    start_http(&harness, &server, steps, 3, "");
    assert_int_equal(harness_send_logs(&harness, "hello", 5).verdict, VERDICT_ACCEPTED); /* never retried */
    assert_int_equal((int)harness_metric("weir_dropped_records{"), 5);                   /* 99 cannot be, of 5 */
    assert_int_equal(harness_send_logs(&harness, "hello", 5).verdict, VERDICT_ACCEPTED);
    assert_int_equal(logged("warning: \"now\""), 1);
    assert_int_equal(harness_send_logs(&harness, "hello", 5).verdict, VERDICT_ACCEPTED);
    assert_int_equal(logged("could not be read"), 1);
    assert_int_equal((int)harness_metric("weir_dropped_records{"), 5);
    stop_http(&harness, &server);
}

static void test_http_verdicts(void **state)
{
    static const struct {
        const char *answer;
        enum verdict verdict;
        const char *reason;
        int64_t after_s;
    } cases[] = {
        { "HTTP/1.1 429 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", VERDICT_RETRY, "throttled", 7 },
        { "HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n", VERDICT_RETRY, "unavailable", 0 },
        { "HTTP/1.1 503 x\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n", VERDICT_RETRY, "unavailable", 2 },
        { "HTTP/1.1 504 x\r\nContent-Length: 0\r\n\r\n", VERDICT_RETRY, "unavailable", 0 },
        { "HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n", VERDICT_REJECTED, "bad_request", 0 },
        { "HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n", VERDICT_REJECTED, "unauthenticated", 0 },
        { "HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n", VERDICT_REJECTED, "too_large", 0 },
        { "HTTP/1.1 500 x\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n", VERDICT_REJECTED, "http_error", 0 },
        { "HTTP/1.1 301 x\r\nLocation: https://there/\r\nContent-Length: 0\r\n\r\n", VERDICT_REJECTED, "redirected", 0 },
        { "HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n", VERDICT_ACCEPTED, NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct scripted_step step = { .answer = cases[i].answer };
        struct scripted_server server;
        struct harness harness;
        struct outcome outcome;

        start_http(&harness, &server, &step, 1, "");
        outcome = harness_send_logs(&harness, "hello", 1);
        assert_int_equal(outcome.verdict, cases[i].verdict);
        if (cases[i].reason != NULL)
            assert_string_equal(outcome.reason, cases[i].reason);
        assert_true(outcome.retry_after_ns == cases[i].after_s * NANOS_PER_SECOND);
        stop_http(&harness, &server);
    }
}

static void test_http_no_answer(void **state)
{
    const struct scripted_step steps[] = { { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha", .close = true }, { .reset = true },
        { .answer = http_ok, .delay_ms = 800 } };
    struct scripted_server server;
    struct harness harness;

    (void)state;
    start_http(&harness, &server, steps, 3, ", retry_on_failure: {enabled: false}");
    assert_int_equal(harness_send_logs(&harness, "hello", 1).verdict, VERDICT_RETRY);
    assert_string_equal(harness_send_logs(&harness, "hello", 1).reason, "unreachable");
    stop_http(&harness, &server);
    memset(&server, 0, sizeof(server));
    scripted_start(&server, steps + 2, 1);
    char yaml[200];
    snprintf(yaml, sizeof(yaml), "{logs_endpoint: 'http://127.0.0.1:%d/own/path?x=1', timeout: 100ms}", server.port);
    harness_start(&harness, &otlp_http_exporter, yaml);
    assert_int_equal(harness_send_logs(&harness, "hello", 1).verdict, VERDICT_RETRY);
    assert_true(scripted_head_has(&server, "POST /own/path?x=1 HTTP/1.1\r\n"));
    assert_int_equal(harness_send(&harness, SIGNAL_TRACES, SLICE("")).verdict, VERDICT_REJECTED);
    stop_http(&harness, &server);
}

static void test_failures_are_told_once(void **state)
{
    const struct scripted_step steps[] = {
        { .answer = "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nno\x07 room\n" },
        { .answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" },
        { .answer = "HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n" },
        { .answer = http_ok },
        { .answer = http_ok },
        { .answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" },
    };
    struct scripted_server server;
    struct harness harness;

    (void)state;
    clear_log();
    start_http(&harness, &server, steps, 6, "");
    harness_send_logs(&harness, "hello", 1);
    assert_int_equal(logged("status 503: \"no  room\""), 1);
    harness_send_logs(&harness, "hello", 1);
    assert_int_equal(logged("can't deliver (unavailable)"), 1);
    harness_send_logs(&harness, "hello", 1);
    assert_int_equal(logged("can't deliver (throttled)"), 1);
    harness_send_logs(&harness, "hello", 1);
    harness_send_logs(&harness, "hello", 1);
    assert_int_equal(logged("delivers again, after 3 failed attempts"), 1);
    harness_send_logs(&harness, "hello", 1);
    assert_int_equal(logged("can't deliver (unavailable)"), 2);
    stop_http(&harness, &server);
}

static void assert_refused(const struct component_type *type, const char *yaml, const char *text)
{
    struct harness harness = { 0 };

    if (harness_fill(&harness, type, yaml))
        fail_msg("%s was accepted", yaml);
    if (strstr(harness.err.message, text) == NULL)
        fail_msg("%s: %s", yaml, harness.err.message);
    harness_discard(&harness);
}

static void test_configurations_that_are_refused(void **state)
{
    (void)state;
    assert_refused(&otlp_http_exporter, NULL, "endpoint is missing");
    assert_refused(&otlp_http_exporter, "{endpoint: 'localhost:4318'}", "http://");
    assert_refused(&otlp_http_exporter, "{endpoint: 'http://x', logs_endpoint: 'y'}", "logs_endpoint");
    assert_refused(&otlp_http_exporter, "{endpoint: 'http://x', compression: rar}", "compression");
    assert_refused(&otlp_http_exporter, "{endpoint: 'http://x', headers: {'a b': c}}", "a b");
    assert_refused(&otlp_http_exporter, "{endpoint: 'http://x', headers: {a: \"b\\r\\nc: d\"}}", "line break");
    assert_refused(&otlp_http_exporter, "{endpoint: 'http://x', proxy_url: 'proxy'}", "proxy_url");
    assert_refused(&otlp_grpc_exporter, "{endpoint: ''}", "endpoint");
    assert_refused(&otlp_grpc_exporter, "{endpoint: 'localhost:4317/v1'}", "path");
    assert_refused(&otlp_grpc_exporter, "{endpoint: 'localhost:4317', compression: lz4}", "compression");
}

static void test_tls_files_are_read_at_start(void **state)
{
    struct harness harness = { 0 };

    (void)state;
    assert_true(harness_fill(&harness, &otlp_http_exporter, "{endpoint: 'https://localhost:1', tls: {ca_file: /nonexistent/ca.pem}}"));
    assert_false(otlp_http_exporter.start(harness.exporter, &harness.err));
    assert_non_null(strstr(harness.err.message, "/nonexistent/ca.pem"));
    otlp_http_exporter.stop(harness.exporter);
    harness_discard(&harness);
    memset(&harness, 0, sizeof(harness));
    assert_true(harness_fill(
        &harness, &otlp_grpc_exporter, "{endpoint: 'localhost:1', tls: {cert_file: /nonexistent/a.pem, key_file: /nonexistent/a.key}}"));
    assert_false(otlp_grpc_exporter.start(harness.exporter, &harness.err));
    otlp_grpc_exporter.stop(harness.exporter);
    harness_discard(&harness);
}

/* ---- OTLP/gRPC ---- */

static void start_grpc(
    struct harness *harness, struct scripted_grpc_server *server, const struct grpc_step *steps, size_t count, const char *more)
{
    char yaml[1000];

    memset(server, 0, sizeof(*server));
    scripted_grpc_start(server, steps, count);
    snprintf(yaml, sizeof(yaml), "{endpoint: '127.0.0.1:%d', tls: {insecure: true}%s}", server->port, more);
    harness_start(harness, &otlp_grpc_exporter, yaml);
}

static void stop_grpc(struct harness *harness, struct scripted_grpc_server *server)
{
    harness_stop(harness);
    scripted_grpc_stop(server);
}

static void test_grpc_request(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .body = SLICE("\0\0\0\0\0") } };
    struct buffer request = { 0 };
    struct scripted_grpc_server server;
    struct harness harness;

    (void)state;
    put_logs(&request, "service.name", "a", "hello", 3);
    start_grpc(&harness, &server, steps, 1, ", compression: none, headers: {X-Tenant: a, k-bin: hello}");
    assert_int_equal(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)).verdict, VERDICT_ACCEPTED);
    assert_true(slice_equal(slice_of(server.message.data + 5, server.message.size - 5), buffer_slice(&request)));
    assert_true(scripted_grpc_has(&server, ":path: /opentelemetry.proto.collector.logs.v1.LogsService/Export\n"));
    assert_true(scripted_grpc_has(&server, "user-agent: weir/"));
    assert_true(scripted_grpc_has(&server, "x-tenant: a\n"));
    assert_true(scripted_grpc_has(&server, "k-bin: aGVsbG8=\n"));
    assert_true(scripted_grpc_has(&server, "grpc-timeout: 5000m\n"));
    harness_send(&harness, SIGNAL_TRACES, SLICE(""));
    assert_true(scripted_grpc_has(&server, ":path: /opentelemetry.proto.collector.trace.v1.TraceService/Export\n"));
    harness_send(&harness, SIGNAL_METRICS, SLICE(""));
    assert_true(scripted_grpc_has(&server, ":path: /opentelemetry.proto.collector.metrics.v1.MetricsService/Export\n"));
    harness_send(&harness, SIGNAL_PROFILES, SLICE(""));
    assert_true(scripted_grpc_has(&server, ":path: /opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export\n"));
    stop_grpc(&harness, &server);
    buffer_fini(&request);
}

static void test_grpc_compression(void **state)
{
    static const struct {
        const char *name;
        enum coding coding;
    } codings[] = { { "gzip", CODING_GZIP }, { "zstd", CODING_ZSTD }, { "snappy", CODING_SNAPPY_FRAMED } };
    const struct grpc_step steps[] = { { .grpc_status = "0", .body = SLICE("\0\0\0\0\0") } };
    struct buffer request = { 0 };
    struct scripted_grpc_server server;
    struct harness harness;
    char option[64], header[64];

    (void)state;
    put_logs(&request, "service.name", "a", "hello hello hello", 30);
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct buffer body = { 0 };

        snprintf(option, sizeof(option), ", compression: %s", codings[i].name);
        snprintf(header, sizeof(header), "grpc-encoding: %s\n", codings[i].name);
        start_grpc(&harness, &server, steps, 1, option);
        assert_int_equal(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)).verdict, VERDICT_ACCEPTED);
        assert_true(scripted_grpc_has(&server, header));
        assert_int_equal(server.message.data[0], 1);
        buffer_append(&body, server.message.data + 5, server.message.size - 5);
        assert_inflates_to(&body, codings[i].coding, buffer_slice(&request));
        buffer_fini(&body);
        stop_grpc(&harness, &server);
    }
    buffer_fini(&request);
}

static void test_grpc_verdicts(void **state)
{
    /* Status{code 8, details [RetryInfo{3 s}]}, and the same without details */
    static const char with_delay[] = "CAgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAw";
    static const struct {
        const char *status, *details;
        enum verdict verdict;
        const char *reason;
        int64_t after_s;
    } cases[] = {
        { "1", NULL, VERDICT_RETRY, "interrupted", 0 },
        { "4", NULL, VERDICT_RETRY, "timed_out", 0 },
        { "10", NULL, VERDICT_RETRY, "interrupted", 0 },
        { "11", NULL, VERDICT_RETRY, "interrupted", 0 },
        { "14", NULL, VERDICT_RETRY, "unavailable", 0 },
        { "15", NULL, VERDICT_RETRY, "interrupted", 0 },
        { "8", NULL, VERDICT_REJECTED, "too_large", 0 },
        { "8", with_delay, VERDICT_RETRY, "throttled", 3 },
        { "14", with_delay, VERDICT_RETRY, "unavailable", 3 },
        { "2", NULL, VERDICT_REJECTED, "grpc_error", 0 },
        { "3", NULL, VERDICT_REJECTED, "bad_request", 0 },
        { "5", NULL, VERDICT_REJECTED, "grpc_error", 0 },
        { "7", NULL, VERDICT_REJECTED, "permission_denied", 0 },
        { "9", NULL, VERDICT_REJECTED, "grpc_error", 0 },
        { "12", NULL, VERDICT_REJECTED, "unimplemented", 0 },
        { "13", NULL, VERDICT_REJECTED, "grpc_error", 0 },
        { "16", NULL, VERDICT_REJECTED, "unauthenticated", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct grpc_step step = { .grpc_status = cases[i].status, .details = cases[i].details };
        struct scripted_grpc_server server;
        struct harness harness;
        struct outcome outcome;

        start_grpc(&harness, &server, &step, 1, "");
        outcome = harness_send_logs(&harness, "hello", 1);
        assert_int_equal(outcome.verdict, cases[i].verdict);
        assert_string_equal(outcome.reason, cases[i].reason);
        assert_true(outcome.retry_after_ns == cases[i].after_s * NANOS_PER_SECOND);
        stop_grpc(&harness, &server);
    }
}

static void test_grpc_partial_success(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .body = SLICE("\0\0\0\0\x09\x0a\x07\x08\x02\x12\x03old") } };
    struct scripted_grpc_server server;
    struct harness harness;

    (void)state;
    clear_log();
    start_grpc(&harness, &server, steps, 1, "");
    assert_int_equal(harness_send_logs(&harness, "hello", 5).verdict, VERDICT_ACCEPTED);
    assert_int_equal((int)harness_metric("weir_dropped_records{"), 2);
    assert_int_equal(logged("refused 2 of 5 records"), 1);
    stop_grpc(&harness, &server);
}

static void test_grpc_unreachable(void **state)
{
    struct harness harness;

    (void)state;
    clear_log();
    harness_start(&harness, &otlp_grpc_exporter, "{endpoint: '127.0.0.1:1', tls: {insecure: true}}"); /* not an error of start */
    assert_string_equal(harness_send_logs(&harness, "hello", 1).reason, "unreachable");
    harness_send_logs(&harness, "hello", 1);
    assert_int_equal(logged("refused"), 1);
    otlp_grpc_exporter.cancel(harness.exporter);
    assert_int_equal(harness_send_logs(&harness, "hello", 1).verdict, VERDICT_RETRY);
    harness_stop(&harness);
}

/* ---- headers ---- */

static bool add_credentials(struct component *extension, struct buffer *out, struct error *err)
{
    (void)extension;
    (void)err;
    buffer_append_string(out, "Authorization: Bearer x\n");
    return true;
}

static bool add_rubbish(struct component *extension, struct buffer *out, struct error *err)
{
    (void)extension;
    (void)err;
    buffer_append_string(out, "no end of line");
    return true;
}

static void test_authenticator_headers(void **state)
{
    static const struct authenticator good = { .headers = add_credentials }, bad = { .headers = add_rubbish };
    const struct component_type good_type = { .authenticator = &good }, bad_type = { .authenticator = &bad };
    struct component extension = { .type = &good_type, .path = "extensions.x" };
    struct otlp_headers headers = { 0 };
    struct error err;

    (void)state;
    assert_true(otlp_headers_make(&headers, &(struct otlp_headers_source){ SLICE("A: b\n"), &extension, true }, &err));
    assert_string_equal(headers.lines[0], "a: b");
    assert_string_equal(headers.lines[1], "authorization: Bearer x");
    assert_null(headers.lines[2]);
    otlp_headers_fini(&headers);
    extension.type = &bad_type;
    assert_false(otlp_headers_make(&headers, &(struct otlp_headers_source){ SLICE(""), &extension, false }, &err));
    otlp_headers_fini(&headers);
}

static void test_excerpts(void **state)
{
    char long_text[400], out[OTLP_EXCERPT_SIZE];

    (void)state;
    assert_string_equal(otlp_excerpt(SLICE(""), out), "");
    assert_string_equal(otlp_excerpt(SLICE(" \r\n"), out), "");
    assert_string_equal(otlp_excerpt(SLICE("no\troom\r\n"), out), ": \"no room\"");
    assert_string_equal(otlp_excerpt(SLICE("\xc3\xa9"), out), ": \"\xc3\xa9\"");
    assert_string_equal(otlp_excerpt(SLICE("a\xff\x00"), out), ": \"a?\"");
    memset(long_text, 'x', sizeof(long_text));
    memcpy(long_text + 199, "\xc3\xa9", 2); /* the cut would go through it */
    otlp_excerpt(slice_of(long_text, sizeof(long_text)), out);
    assert_int_equal(strlen(out), 3 + 199 + 4);
    assert_string_equal(out + 3 + 199, "...\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_request),
        cmocka_unit_test(test_http_compression),
        cmocka_unit_test(test_http_json),
        cmocka_unit_test(test_http_partial_success),
        cmocka_unit_test(test_http_verdicts),
        cmocka_unit_test(test_http_no_answer),
        cmocka_unit_test(test_failures_are_told_once),
        cmocka_unit_test(test_configurations_that_are_refused),
        cmocka_unit_test(test_tls_files_are_read_at_start),
        cmocka_unit_test(test_grpc_request),
        cmocka_unit_test(test_grpc_compression),
        cmocka_unit_test(test_grpc_verdicts),
        cmocka_unit_test(test_grpc_partial_success),
        cmocka_unit_test(test_grpc_unreachable),
        cmocka_unit_test(test_authenticator_headers),
        cmocka_unit_test(test_excerpts),
    };

    return cmocka_run_group_tests(tests, start_log, NULL);
}
