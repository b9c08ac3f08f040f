/* Delivery over real sockets to a server that follows a script. */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <zlib.h>

#include "sdk/src/http.h"
#include "tests/unit/net/scripted_server.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

WEIR_SCOPE(scope, "export", "1");

static char last_message[600];
static int warnings;

static void note(weir_level level, const char *message, void *user)
{
    (void)user;
    if (level <= WEIR_LEVEL_WARN)
        warnings++;
    snprintf(last_message, sizeof(last_message), "%s", message);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static weir_setting settings[16];
static size_t setting_count;

static void set(const char *name, const char *value)
{
    settings[setting_count++] = (weir_setting){ name, value };
}

static void start(bool no_thread)
{
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.no_thread = no_thread;
    config.settings = settings;
    config.setting_count = setting_count;
    config.diag = note;
    assert_int_equal(weir_init(&config), 0);
}

static struct scripted_server server;
static char endpoint[64];

static void serve(const struct scripted_step *steps, size_t count)
{
    memset(&server, 0, sizeof(server));
    scripted_start(&server, steps, count);
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", server.port);
    set("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
}

static int before(void **state)
{
    (void)state;
    setting_count = 0;
    warnings = 0;
    last_message[0] = '\0';
    return 0;
}

static void one_span(const char *name)
{
    weir_span span;
    weir_span_begin(&span, &scope, weir_z(name), NULL);
    weir_span_end(&span);
}

static weir_stats_values stats(void)
{
    weir_stats_values values = { .size = sizeof(values) };
    weir_stats(&values);
    return values;
}

static void end(void)
{
    weir_shutdown(1000);
    scripted_stop(&server);
}

static void delivers_and_keeps_the_connection(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY },
        { .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { .answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", .bytewise = true } };
    serve(steps, 3);
    set("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b,content-length=3,bad header=1,y=2");
    start(false);
    uint64_t before_spans = stats().spans_exported;
    for (int i = 0; i < 3; i++) {
        one_span("s");
        assert_int_equal(weir_flush(5000), 0);
    }
    assert_int_equal(stats().spans_exported - before_spans, 3);
    assert_int_equal(server.requests, 3);
    assert_int_equal(server.connections, 1);
    assert_true(scripted_head_has(&server, "POST /v1/traces HTTP/1.1\r\n"));
    assert_true(scripted_head_has(&server, "User-Agent: OTel-OTLP-Exporter-C/"));
    assert_true(scripted_head_has(&server, "x-key: a b\r\n"));
    assert_true(scripted_head_has(&server, "y: 2\r\n"));
    assert_false(scripted_head_has(&server, "bad header"));
    TraceRequest *request = unpack_trace(NULL, server.body.size, server.body.data);
    assert_non_null(request);
    assert_string_equal(request->resource_spans[0]->scope_spans[0]->spans[0]->name, "s");
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(request, NULL);
    end();
}

static void a_dropped_idle_connection_costs_nothing(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY }, { .drop_idle = true }, { .answer = OK_EMPTY } };
    serve(steps, 3);
    start(false);
    one_span("first");
    assert_int_equal(weir_flush(5000), 0);
    one_span("second");
    assert_int_equal(weir_flush(5000), 0);
    assert_int_equal(server.connections, 2);
    assert_int_equal(warnings, 0);
    end();
}

static void retries_what_may_pass(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy" },
        { .answer = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n" },
        { .answer = "HTTP/1.1 502 Bad\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            .close = true },
        { .answer = OK_EMPTY } };
    serve(steps, 4);
    start(false);
    weir_stats_values first = stats();
    int64_t began = now_ms();
    one_span("retried");
    assert_int_equal(weir_flush(9000), 0);
    assert_true(now_ms() - began >= 1000);
    assert_int_equal(server.requests, 4);
    assert_int_equal(stats().retries - first.retries, 3);
    assert_int_equal(stats().spans_exported - first.spans_exported, 1);
    assert_int_equal(stats().spans_failed, first.spans_failed);
    end();
}

static void never_retries_what_cannot(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n" },
        { .answer = "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" }, { .answer = OK_EMPTY } };
    serve(steps, 3);
    start(false);
    weir_stats_values first = stats();
    one_span("refused");
    assert_int_equal(weir_flush(5000), -EIO);
    one_span("moved");
    assert_int_equal(weir_flush(5000), -EIO);
    assert_int_equal(warnings, 1); /* once when it begins */
    assert_non_null(strstr(last_message, "HTTP status 400"));
    one_span("fine");
    assert_int_equal(weir_flush(5000), 0);
    assert_int_equal(warnings, 2); /* once when it ends */
    assert_non_null(strstr(last_message, "2 were lost"));
    assert_int_equal(server.requests, 3);
    assert_int_equal(stats().spans_failed - first.spans_failed, 2);
    end();
}

static void partial_success_is_told_once(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n\x0a\x08\x08\x01\x12\x04"
                                                              "nope" } };
    serve(steps, 1);
    start(false);
    weir_stats_values first = stats();
    for (int i = 0; i < 3; i++) {
        one_span("a");
        one_span("b");
        assert_int_equal(weir_flush(5000), -EIO);
    }
    assert_int_equal(server.requests, 3);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_message, "nope"));
    assert_int_equal(stats().spans_exported - first.spans_exported, 3);
    assert_int_equal(stats().spans_failed - first.spans_failed, 3);
    end();
}

static void gzip_and_json(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY } };
    static char text[65536];
    z_stream stream = { 0 };
    serve(steps, 1);
    set("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    start(false);
    one_span("packed");
    assert_int_equal(weir_flush(5000), 0);
    assert_true(scripted_head_has(&server, "Content-Encoding: gzip\r\n"));
    assert_true(scripted_head_has(&server, "Content-Type: application/json\r\n"));
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = server.body.data;
    stream.avail_in = (uInt)server.body.size;
    stream.next_out = (Bytef *)text;
    stream.avail_out = sizeof(text) - 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    assert_non_null(strstr(text, "\"name\":\"packed\""));
    end();
}

static void unix_socket_and_own_paths(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY } };
    char path[64], url[80];
    snprintf(path, sizeof(path), "/tmp/weir-export-test.%d", (int)getpid());
    snprintf(url, sizeof(url), "unix:%s", path);
    memset(&server, 0, sizeof(server));
    scripted_start_unix(&server, path, steps, 1);
    set("OTEL_EXPORTER_OTLP_ENDPOINT", url);
    start(false);
    one_span("local");
    assert_int_equal(weir_flush(5000), 0);
    assert_true(scripted_head_has(&server, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"));
    end();
}

static void a_signal_endpoint_is_used_as_it_is(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY } };
    char url[100];
    serve(steps, 1);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", server.port);
    set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url);
    start(false);
    one_span("x");
    assert_int_equal(weir_flush(5000), 0);
    assert_true(scripted_head_has(&server, "POST / HTTP/1.1\r\n"));
    end();
}

static void logs_go_to_their_own_path(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY } };
    serve(steps, 1);
    start(false);
    weir_log(&scope, WEIR_WARN, WEIR_S("message"), WEIR_ATTRS(WEIR_KV("k", 1)));
    assert_int_equal(weir_flush(5000), 0);
    assert_true(scripted_head_has(&server, "POST /v1/logs HTTP/1.1\r\n"));
    end();
}

/* A listener that never answers, nor reads. */
static void shutdown_keeps_its_time(void **state)
{
    (void)state;
    char url[64];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int hole = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(hole, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(hole, 1), 0);
    getsockname(hole, (struct sockaddr *)&address, &size);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    set("OTEL_EXPORTER_OTLP_ENDPOINT", url);
    start(false);
    weir_stats_values first = stats();
    one_span("unsent");
    int64_t began = now_ms();
    assert_int_equal(weir_flush(100), -ETIMEDOUT);
    assert_int_equal(weir_shutdown(300), -ETIMEDOUT);
    assert_in_range(now_ms() - began, 390, 600);
    assert_int_equal(stats().spans_failed - first.spans_failed, 1);
    close(hole);
}

static void nobody_listens(void **state)
{
    (void)state;
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    set("OTEL_EXPORTER_OTLP_TIMEOUT", "200");
    start(false);
    one_span("unsent");
    assert_int_equal(weir_flush(5000), -EIO);
    assert_int_equal(warnings, 1);
    assert_int_equal(weir_shutdown(1000), 0);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int signal_number)
{
    (void)signal_number;
    pipes++;
}

/* A server that resets in the middle of a large request. */
static void no_sigpipe(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = {
        { .answer = "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", .before_body = true, .reset = true }
    };
    static char text[30000];
    signal(SIGPIPE, on_pipe);
    memset(text, 'x', sizeof(text));
    serve(steps, 1);
    set("OTEL_EXPORTER_OTLP_TIMEOUT", "300");
    start(true);
    for (int i = 0; i < 400; i++) {
        weir_span span;
        weir_span_begin(&span, &scope, WEIR_S("large"), NULL);
        weir_span_set(&span, weir_kv_str(WEIR_S("text"), weir_sn(text, sizeof(text))));
        weir_span_end(&span);
    }
    assert_int_equal(weir_flush(5000), -EIO);
    assert_int_equal(pipes, 0);
    signal(SIGPIPE, SIG_DFL);
    end();
}

static void driven_by_the_applications_loop(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY, .delay_ms = 20 } };
    serve(steps, 1);
    set("OTEL_BSP_SCHEDULE_DELAY", "50");
    start(true);
    weir_stats_values first = stats();
    int fd = -1;
    assert_in_range(weir_poll(&fd, 0), 1, 1000);
    assert_true(fd >= 0);
    one_span("polled");
    int64_t end_at = now_ms() + 5000;
    int turns = 0;
    while (stats().spans_exported == first.spans_exported && now_ms() < end_at) {
        int wait = weir_poll(NULL, 0);
        assert_true(wait >= 0);
        struct pollfd poller = { fd, POLLIN, 0 };
        poll(&poller, 1, wait);
        turns++;
    }
    assert_int_equal(stats().spans_exported - first.spans_exported, 1);
    assert_true(turns < 50);
    one_span("flushed");
    assert_int_equal(weir_flush(2000), 0);
    end();
    assert_int_equal(weir_poll(NULL, 0), -EINVAL);
}

static void a_file_of_lines(void **state)
{
    (void)state;
    char path[64], url[80], line[32768];
    snprintf(path, sizeof(path), "/tmp/weir-export-file.%d", (int)getpid());
    snprintf(url, sizeof(url), "file://%s", path);
    set("OTEL_EXPORTER_OTLP_ENDPOINT", url);
    start(false);
    one_span("first");
    assert_int_equal(weir_flush(5000), 0);
    weir_log(&scope, WEIR_INFO, WEIR_S("second \"line\""), WEIR_NO_ATTRS);
    assert_int_equal(weir_flush(5000), 0);
    weir_shutdown(1000);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof(line), file));
    assert_memory_equal(line, "{\"resourceSpans\":[", 18);
    assert_non_null(strstr(line, "\"name\":\"first\""));
    assert_non_null(fgets(line, sizeof(line), file));
    assert_memory_equal(line, "{\"resourceLogs\":[", 17);
    assert_non_null(strstr(line, "second \\\"line\\\""));
    assert_null(fgets(line, sizeof(line), file));
    fclose(file);
    unlink(path);
}

/* A batch goes when it is full, without waiting for the delay; and a full queue drops, counts and says so once. */
static void batches_and_drops(void **state)
{
    (void)state;
    static const struct scripted_step steps[] = { { .answer = OK_EMPTY, .delay_ms = 800 } };
    serve(steps, 1);
    set("OTEL_BSP_SCHEDULE_DELAY", "600000");
    set("OTEL_BSP_MAX_QUEUE_SIZE", "20");
    set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10");
    start(false);
    weir_stats_values first = stats();
    for (int i = 0; i < 10; i++)
        one_span("batch");
    for (int i = 0; i < 500 && stats().exports == first.exports; i++)
        usleep(2000);
    assert_int_equal(stats().exports - first.exports, 1);
    for (int i = 0; i < 100; i++)
        one_span("flood");
    weir_stats_values now = stats();
    assert_int_equal(now.spans_dropped - first.spans_dropped, 80);
    assert_int_equal(weir_flush(5000), -EIO);
    assert_int_equal(warnings, 1);
    assert_int_equal(stats().spans_exported - first.spans_exported, 30);
    end();
}

/* ---- the parser alone ---- */

static enum http_parse parse(const char *text, size_t size, bool closed, struct http_response *response)
{
    struct buffer in = { 0 };
    memset(response, 0, sizeof(*response));
    buffer_append(&in, text, size);
    enum http_parse result = http_parse(response, &in, closed);
    if (result == HTTP_PARSE_DONE)
        response->head_size = response->body.size; /* the bytes themselves go now */
    buffer_fini(&in);
    return result;
}

static void responses_cut_at_every_byte(void **state)
{
    (void)state;
    static const char *const whole[] = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 204 None\r\n\r\n" };
    struct http_response response;
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(whole[i]);
        assert_int_equal(parse(whole[i], size, false, &response), HTTP_PARSE_DONE);
        assert_int_equal(response.head_size, i < 2 ? 5 : 0);
        for (size_t n = 0; n < size; n++) {
            assert_int_equal(parse(whole[i], n, false, &response), HTTP_PARSE_MORE);
            assert_int_equal(parse(whole[i], n, true, &response), HTTP_PARSE_BAD);
        }
    }
    static const char *const bad[] = { "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], strlen(bad[i]), false, &response), HTTP_PARSE_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(delivers_and_keeps_the_connection, before),
        cmocka_unit_test_setup(a_dropped_idle_connection_costs_nothing, before),
        cmocka_unit_test_setup(retries_what_may_pass, before),
        cmocka_unit_test_setup(never_retries_what_cannot, before),
        cmocka_unit_test_setup(partial_success_is_told_once, before),
        cmocka_unit_test_setup(gzip_and_json, before),
        cmocka_unit_test_setup(unix_socket_and_own_paths, before),
        cmocka_unit_test_setup(a_signal_endpoint_is_used_as_it_is, before),
        cmocka_unit_test_setup(logs_go_to_their_own_path, before),
        cmocka_unit_test_setup(shutdown_keeps_its_time, before),
        cmocka_unit_test_setup(nobody_listens, before),
        cmocka_unit_test_setup(no_sigpipe, before),
        cmocka_unit_test_setup(driven_by_the_applications_loop, before),
        cmocka_unit_test_setup(a_file_of_lines, before),
        cmocka_unit_test_setup(batches_and_drops, before),
        cmocka_unit_test_setup(responses_cut_at_every_byte, before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
