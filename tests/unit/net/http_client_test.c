/* The HTTP client: the reader of responses by itself, then calls to a scripted server. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include "collector/base/clock.h"
#include "collector/net/http_client.h"
#include "collector/net/http_response.h"
#include "collector/net/part_cursor.h"
#include "collector/net/url.h"
#include "tests/unit/net/scripted_server.h"

#include <cmocka.h>

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* ---- the reader ---- */

static void read_response(struct http_response_reader *reader, struct http_answer *answer, const char *text, size_t step)
{
    size_t size = strlen(text);

    http_response_reader_init(reader, answer, 1024);
    for (size_t at = 0; at < size; at += step)
        http_response_feed(reader, slice_of(text + at, size - at < step ? size - at : step));
}

static void test_response_in_pieces(void **state)
{
    static const char text[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-One:  a b \r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n"
        "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-Trailer: t\r\n\r\n";
    struct http_response_reader reader;
    struct http_answer answer = { 0 };

    (void)state;
    for (size_t step = 1; step <= sizeof(text); step++) {
        read_response(&reader, &answer, text, step);
        assert_int_equal(reader.state, HTTP_RESPONSE_DONE);
        assert_true(reader.keep_alive);
        assert_int_equal(answer.status, 200);
        assert_true(slice_equal_string(buffer_slice(&answer.body), "hello!"));
        assert_true(slice_equal_string(http_answer_header(&answer, "x-one"), "a b"));
        assert_true(slice_equal_string(http_answer_header(&answer, "X-Trailer"), "t"));
        assert_null(http_answer_header(&answer, "x-on").data);
        assert_true(answer.retry_after_ns == 7 * NANOS_PER_SECOND);
        http_response_reader_fini(&reader);
    }
    http_answer_fini(&answer);
}

static void test_response_cut_anywhere_is_not_whole(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    struct http_response_reader reader;
    struct http_answer answer = { 0 };

    (void)state;
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        http_response_reader_init(&reader, &answer, 1024);
        http_response_feed(&reader, slice_of(text, size));
        http_response_end(&reader);
        assert_int_equal(reader.state, HTTP_RESPONSE_BAD);
        assert_non_null(reader.fault);
        http_response_reader_fini(&reader);
    }
    http_answer_fini(&answer);
}

static void test_bad_responses(void **state)
{
    static const char *const bad[] = {
        "HTTP/2 200\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: v\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
    };
    struct http_response_reader reader;
    struct http_answer answer = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        read_response(&reader, &answer, bad[i], 1000);
        assert_int_equal(reader.state, HTTP_RESPONSE_BAD);
        http_response_reader_fini(&reader);
    }
    http_answer_fini(&answer);
}

static void test_response_bounds(void **state)
{
    struct http_response_reader reader;
    struct http_answer answer = { 0 };
    char line[2000];

    (void)state;
    http_response_reader_init(&reader, &answer, 4);
    http_response_feed(&reader, SLICE("HTTP/1.1 200 OK\r\n\r\n123456"));
    http_response_end(&reader);
    assert_int_equal(reader.state, HTTP_RESPONSE_DONE);
    assert_true(slice_equal_string(buffer_slice(&answer.body), "1234"));
    http_response_reader_fini(&reader);

    memset(line, 'x', sizeof(line));
    line[1] = ':';
    line[sizeof(line) - 1] = '\n';
    http_response_reader_init(&reader, &answer, 4);
    http_response_feed(&reader, SLICE("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 100 && reader.state == HTTP_RESPONSE_HEAD; i++)
        http_response_feed(&reader, slice_of(line, sizeof(line)));
    assert_int_equal(reader.state, HTTP_RESPONSE_BAD);
    http_response_reader_fini(&reader);
    http_answer_fini(&answer);
}

static void test_retry_after(void **state)
{
    (void)state;
    assert_int_equal(http_retry_after(SLICE("120"), 0), 120);
    assert_int_equal(http_retry_after(SLICE("99999999999999999999999"), 0), 24 * 3600);
    assert_int_equal(http_retry_after(SLICE("12x"), 0), 0);
    assert_int_equal(http_retry_after(SLICE(""), 0), 0);
    assert_int_equal(http_retry_after(SLICE("-5"), 0), 0);
    assert_int_equal(http_retry_after(SLICE("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777 - 30), 30);
    assert_int_equal(http_retry_after(SLICE("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777 - 30), 30);
    assert_int_equal(http_retry_after(SLICE("Sun Nov  6 08:49:37 1994"), 784111777 - 30), 30);
    assert_int_equal(http_retry_after(SLICE("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777 + 30), 0);
}

/* ---- parts and URLs ---- */

static void test_part_cursor(void **state)
{
    const struct slice parts[] = { SLICE("bcd"), SLICE(""), SLICE("e"), SLICE("fgh") };
    struct slice pieces[8];

    (void)state;
    for (uint64_t step = 1; step <= 8; step++) {
        struct part_cursor cursor = part_cursor_of(SLICE("a"), parts, 4);
        struct buffer seen = { 0 };

        assert_int_equal(cursor.left, 8);
        while (cursor.left > 0) {
            uint64_t most = cursor.left < step ? cursor.left : step;
            size_t count = part_cursor_look(&cursor, most, pieces, 8);

            for (size_t i = 0; i < count; i++)
                buffer_append_slice(&seen, pieces[i]);
            part_cursor_pass(&cursor, most);
        }
        assert_true(slice_equal_string(buffer_slice(&seen), "abcdefgh"));
        buffer_fini(&seen);
    }
}

static void test_urls(void **state)
{
    static const char *const bad[] = { "", "localhost:4318", "ftp://x/", "http://", "http:///x", "http://h:0/", "http://h:65536/",
        "http://h:12a/", "http://[::1/", "http://[::1]x/", "http://a b/", "http://h/\r\nX: y", "http://h?q" };
    struct error err;
    struct url url;

    (void)state;
    assert_true(url_parse("http://user:p%40ss@host/v1/x?y=1#z", &url, &err));
    assert_string_equal(url.host, "host");
    assert_string_equal(url.port, "80");
    assert_string_equal(url.authority, "host");
    assert_true(slice_equal_string(url.target, "/v1/x?y=1"));
    assert_true(slice_equal_string(url.user, "user:p%40ss"));
    assert_true(url_parse("https://[::1]:4318", &url, &err));
    assert_true(url.https);
    assert_string_equal(url.host, "::1");
    assert_string_equal(url.authority, "[::1]:4318");
    assert_true(slice_equal_string(url.target, "/"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.message[0] = '\0';
        assert_false(url_parse(bad[i], &url, &err));
        assert_string_not_equal(err.message, "");
    }
}

static void test_proxy_choice(void **state)
{
    struct error err;
    struct url url;

    (void)state;
    setenv("HTTP_PROXY", "http://proxy:3128", 1);
    setenv("NO_PROXY", "10.0.0.1, .internal,example.com:8080", 1);
    assert_true(url_parse("http://collector.example.org/", &url, &err));
    assert_string_equal(url_proxy(&url, NULL), "http://proxy:3128");
    assert_string_equal(url_proxy(&url, "http://mine:1"), "http://mine:1");
    assert_true(url_parse("https://collector.example.org/", &url, &err));
    assert_null(url_proxy(&url, NULL));
    for (const char *const *exempt = (const char *const[]){ "http://localhost/", "http://127.1.2.3/", "http://[::1]/", "http://10.0.0.1/",
             "http://a.internal/", "http://example.com:8080/", "http://a.example.com:8080/", NULL };
         *exempt != NULL; exempt++) {
        assert_true(url_parse(*exempt, &url, &err));
        assert_null(url_proxy(&url, NULL));
    }
    assert_true(url_parse("http://example.com/", &url, &err));
    assert_non_null(url_proxy(&url, NULL));
    assert_true(url_parse("http://notinternal/", &url, &err));
    assert_non_null(url_proxy(&url, NULL));
    unsetenv("HTTP_PROXY");
    unsetenv("NO_PROXY");
}

/* ---- calls ---- */

struct caller {
    struct scripted_server server;
    struct http_client *client;
    char url[100];
    struct http_answer answer;
    struct error err;
};

static void caller_start(struct caller *caller, struct http_client_settings settings, const struct scripted_step *steps, size_t count)
{
    memset(caller, 0, sizeof(*caller));
    if (settings.unix_path != NULL)
        scripted_start_unix(&caller->server, settings.unix_path, steps, count);
    else
        scripted_start(&caller->server, steps, count);
    caller->client = http_client_create(&settings, &caller->err);
    assert_non_null(caller->client);
    snprintf(caller->url, sizeof(caller->url), "http://127.0.0.1:%d/v1/logs", caller->server.port);
}

static void caller_stop(struct caller *caller)
{
    http_client_destroy(caller->client);
    scripted_stop(&caller->server);
    http_answer_fini(&caller->answer);
}

static bool call(struct caller *caller, const struct slice *parts, size_t count)
{
    static const char *const headers[] = { "Content-Type: application/x-protobuf", NULL };
    struct http_call request = { .url = caller->url, .headers = headers, .parts = parts, .part_count = count };

    caller->err.message[0] = '\0';
    return http_client_call(caller->client, &request, &caller->answer, &caller->err);
}

static const struct http_client_settings plain = { .timeout_ns = 10 * NANOS_PER_SECOND };

static void test_body_in_parts(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok } };
    const struct slice parts[] = { SLICE("one "), SLICE(""), SLICE("two "), SLICE("three") };
    struct caller caller;

    (void)state;
    caller_start(&caller, plain, steps, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(call(&caller, parts, 4));
        assert_int_equal(caller.answer.status, 200);
        assert_true(slice_equal_string(buffer_slice(&caller.answer.body), "ok"));
        assert_true(slice_equal_string(buffer_slice(&caller.server.body), "one two three"));
        assert_true(scripted_head_has(&caller.server, "POST /v1/logs HTTP/1.1\r\n"));
        assert_true(scripted_head_has(&caller.server, "Content-Type: application/x-protobuf\r\n"));
        assert_false(scripted_head_has(&caller.server, "Expect"));
    }
    assert_int_equal(atomic_load(&caller.server.connections), 1);
    caller_stop(&caller);
}

static void test_large_body(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok } };
    enum { PARTS = 300, SIZE = 20000 };
    struct slice parts[PARTS];
    uint8_t *bytes = malloc(PARTS * SIZE);
    struct caller caller;

    (void)state;
    for (size_t i = 0; i < PARTS * SIZE; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = slice_of(bytes + i * SIZE, SIZE);
    caller_start(&caller, plain, steps, 1);
    assert_true(call(&caller, parts, PARTS));
    assert_true(slice_equal(buffer_slice(&caller.server.body), slice_of(bytes, PARTS * SIZE)));
    caller_stop(&caller);
    free(bytes);
}

static void test_statuses(void **state)
{
    static const struct scripted_step steps[] = {
        { .answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad" },
        { .answer = "HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n" },
        { .answer = "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n", .bytewise = true },
        { .answer = "HTTP/1.0 200 OK\r\n\r\nuntil the end", .close = true },
        { .answer = "HTTP/1.1 204 No Content\r\n\r\n" },
    };
    struct caller caller;

    (void)state;
    caller_start(&caller, plain, steps, 5);
    assert_true(call(&caller, NULL, 0));
    assert_int_equal(caller.answer.status, 400);
    assert_true(call(&caller, NULL, 0));
    assert_int_equal(caller.answer.status, 429);
    assert_true(caller.answer.retry_after_ns == 3 * NANOS_PER_SECOND);
    assert_true(call(&caller, NULL, 0));
    assert_int_equal(caller.answer.status, 503);
    assert_true(slice_equal_string(buffer_slice(&caller.answer.body), "busy"));
    assert_true(caller.answer.retry_after_ns == 0);
    assert_true(call(&caller, NULL, 0));
    assert_true(slice_equal_string(buffer_slice(&caller.answer.body), "until the end"));
    assert_true(call(&caller, NULL, 0));
    assert_int_equal(caller.answer.status, 204);
    assert_int_equal(atomic_load(&caller.server.connections), 2);
    caller_stop(&caller);
}

static void test_half_a_reply(void **state)
{
    static const struct scripted_step steps[] = {
        { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", .close = true },
        { .answer = "HTTP/1.1 200", .reset = true },
        { .answer = "garbage\r\n\r\n", .close = true },
        { .close = true },
    };
    struct caller caller;

    (void)state;
    caller_start(&caller, plain, steps, 4);
    for (int i = 0; i < 4; i++) {
        assert_false(call(&caller, NULL, 0));
        assert_int_equal(caller.answer.status, 0);
        assert_string_not_equal(caller.err.message, "");
    }
    assert_int_equal(atomic_load(&caller.server.requests), 4); /* none was tried again: those were fresh connections */
    caller_stop(&caller);
}

static void test_dropped_idle_connection_is_retried_once(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok }, { .drop_idle = true }, { .answer = ok }, { .drop_idle = true },
        { .drop_idle = true } };
    struct caller caller;

    (void)state;
    caller_start(&caller, plain, steps, 5);
    assert_true(call(&caller, NULL, 0));
    assert_true(call(&caller, NULL, 0)); /* the second step, then the third on a new connection */
    assert_int_equal(caller.answer.status, 200);
    assert_int_equal(atomic_load(&caller.server.requests), 3);
    assert_false(call(&caller, NULL, 0));
    assert_int_equal(atomic_load(&caller.server.requests), 5);
    caller_stop(&caller);
}

static void test_early_answer(void **state)
{
    static const struct scripted_step steps[] = {
        { .answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig", .before_body = true, .delay_ms = 50 },
        { .answer = ok },
    };
    enum { SIZE = 20 * 1024 * 1024 };
    struct slice part = slice_of(calloc(1, SIZE), SIZE);
    struct caller caller;

    (void)state;
    caller_start(&caller, plain, steps, 2);
    caller.server.steps = steps;
    assert_true(call(&caller, &part, 1));
    assert_int_equal(caller.answer.status, 413);
    assert_true(call(&caller, NULL, 0));
    assert_int_equal(caller.answer.status, 200);
    assert_int_equal(atomic_load(&caller.server.connections), 2);
    caller_stop(&caller);
    free((void *)(uintptr_t)part.data);
}

static void test_timeout_and_refusal(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok, .delay_ms = 2000 } };
    struct http_client_settings settings = { .timeout_ns = 100 * NANOS_PER_MILLI };
    struct caller caller;

    (void)state;
    caller_start(&caller, settings, steps, 1);
    assert_false(call(&caller, NULL, 0));
    assert_non_null(strstr(caller.err.message, "timed out"));
    snprintf(caller.url, sizeof(caller.url), "http://127.0.0.1:1/");
    assert_false(call(&caller, NULL, 0));
    assert_non_null(strstr(caller.err.message, "refused"));
    snprintf(caller.url, sizeof(caller.url), "http://name.invalid/");
    assert_false(call(&caller, NULL, 0));
    assert_non_null(strstr(caller.err.message, "name.invalid"));
    caller_stop(&caller);
}

static void *cancel_soon(void *context)
{
    usleep(50000);
    http_client_cancel(context);
    return NULL;
}

static void test_cancel(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok, .delay_ms = 3000 } };
    struct http_client_settings settings = { 0 };
    struct caller caller;
    pthread_t thread;

    (void)state;
    caller_start(&caller, settings, steps, 1);
    pthread_create(&thread, NULL, cancel_soon, caller.client);
    assert_false(call(&caller, NULL, 0));
    assert_string_equal(caller.err.message, "stopping");
    assert_false(call(&caller, NULL, 0));
    pthread_join(thread, NULL);
    caller_stop(&caller);
}

static void test_connection_settings(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok } };
    struct http_client_settings settings = { .timeout_ns = 10 * NANOS_PER_SECOND, .disable_keep_alives = true };
    struct caller caller;

    (void)state;
    caller_start(&caller, settings, steps, 1);
    assert_true(call(&caller, NULL, 0) && call(&caller, NULL, 0));
    assert_true(scripted_head_has(&caller.server, "Connection: close\r\n"));
    assert_int_equal(atomic_load(&caller.server.connections), 2);
    caller_stop(&caller);
    settings = (struct http_client_settings){ .idle_conn_timeout_ns = 1 };
    caller_start(&caller, settings, steps, 1);
    assert_true(call(&caller, NULL, 0) && call(&caller, NULL, 0));
    assert_int_equal(atomic_load(&caller.server.connections), 2);
    caller_stop(&caller);
    settings = (struct http_client_settings){ .unix_path = "/tmp/weir_http_client_test.sock" };
    unlink(settings.unix_path);
    caller_start(&caller, settings, steps, 1);
    snprintf(caller.url, sizeof(caller.url), "http://weir.example/v1/logs");
    assert_true(call(&caller, NULL, 0));
    assert_true(scripted_head_has(&caller.server, "Host: weir.example\r\n"));
    caller_stop(&caller);
}

static void test_proxies(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok }, { .answer = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n" } };
    struct http_client_settings settings = { .timeout_ns = 10 * NANOS_PER_SECOND };
    char proxy[100];
    struct caller caller;

    (void)state;
    memset(&caller, 0, sizeof(caller));
    scripted_start(&caller.server, steps, 2);
    snprintf(proxy, sizeof(proxy), "http://me:secret@127.0.0.1:%d", caller.server.port);
    settings.proxy_url = proxy;
    caller.client = http_client_create(&settings, &caller.err);
    snprintf(caller.url, sizeof(caller.url), "http://far.example/v1/logs");
    assert_true(call(&caller, NULL, 0));
    assert_true(scripted_head_has(&caller.server, "POST http://far.example/v1/logs HTTP/1.1\r\n"));
    assert_true(scripted_head_has(&caller.server, "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
    snprintf(caller.url, sizeof(caller.url), "https://far.example/v1/logs");
    assert_false(call(&caller, NULL, 0));
    assert_true(scripted_head_has(&caller.server, "CONNECT far.example:443 HTTP/1.1\r\n"));
    assert_non_null(strstr(caller.err.message, "407"));
    caller_stop(&caller);
}

struct many {
    struct caller *caller;
    int failures;
};

static void *call_many(void *context)
{
    struct many *many = context;
    const struct slice part = SLICE("x");

    for (int i = 0; i < 50; i++) {
        struct http_call request = { .url = many->caller->url, .parts = &part, .part_count = 1 };
        struct http_answer answer = { 0 };

        many->failures += !http_client_call(many->caller->client, &request, &answer, NULL) || answer.status != 200;
        http_answer_fini(&answer);
    }
    return NULL;
}

static void test_several_threads(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok } };
    struct many many[4];
    pthread_t threads[4];
    struct caller caller;

    (void)state;
    caller_start(&caller, plain, steps, 1);
    for (int i = 0; i < 4; i++) {
        many[i] = (struct many){ &caller, 0 };
        pthread_create(&threads[i], NULL, call_many, &many[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(many[i].failures, 0);
    }
    assert_int_equal(atomic_load(&caller.server.requests), 200);
    assert_true(atomic_load(&caller.server.connections) <= 4);
    caller_stop(&caller);
}

/* ---- TLS ---- */

static char folder[] = "/tmp/weir_http_client_XXXXXX";
static char certificate[64], key[64];

static int make_certificate(void **state)
{
    char command[512];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof(certificate), "%s/a.crt", folder);
    snprintf(key, sizeof(key), "%s/a.key", folder);
    snprintf(command, sizeof(command),
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout %s -out %s -subj /CN=weir.test "
        "-addext subjectAltName=DNS:weir.test,IP:127.0.0.1 >/dev/null 2>&1",
        key, certificate);
    return system(command);
}

static int remove_certificate(void **state)
{
    (void)state;
    unlink(certificate);
    unlink(key);
    return rmdir(folder);
}

static bool call_tls(struct caller *caller, struct tls_settings tls, const char *host, const struct slice *parts, size_t count)
{
    struct http_client_settings settings = { .timeout_ns = 10 * NANOS_PER_SECOND, .tls = &tls };
    bool answered;

    caller->client = http_client_create(&settings, &caller->err);
    assert_non_null(caller->client);
    snprintf(caller->url, sizeof(caller->url), "https://%s:%d/", host, caller->server.port);
    answered = call(caller, parts, count);
    http_client_destroy(caller->client);
    caller->client = NULL;
    return answered;
}

static void test_tls(void **state)
{
    static const struct scripted_step steps[] = { { .answer = ok } };
    enum { SIZE = 3 * 1024 * 1024 };
    struct slice parts[] = { SLICE("a"), slice_of(calloc(1, SIZE), SIZE), SLICE("b") };
    struct caller caller = { 0 };

    (void)state;
    caller.server.tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(caller.server.tls, certificate, SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(caller.server.tls, key, SSL_FILETYPE_PEM);
    scripted_start(&caller.server, steps, 1);
    assert_true(call_tls(&caller, (struct tls_settings){ .ca_file = certificate }, "127.0.0.1", parts, 3));
    assert_int_equal(caller.server.body.size, SIZE + 2);
    assert_true(
        call_tls(&caller, (struct tls_settings){ .ca_file = certificate, .server_name_override = "weir.test" }, "localhost", parts, 1));
    assert_false(call_tls(&caller, (struct tls_settings){ .ca_file = certificate }, "localhost", parts, 1));
    assert_non_null(strstr(caller.err.message, "not trusted"));
    assert_false(call_tls(&caller, (struct tls_settings){ 0 }, "127.0.0.1", parts, 1));
    assert_non_null(strstr(caller.err.message, "not trusted"));
    assert_true(call_tls(&caller, (struct tls_settings){ .insecure_skip_verify = true }, "localhost", parts, 1));
    assert_null(
        http_client_create(&(struct http_client_settings){ .tls = &(struct tls_settings){ .ca_file = "/nonexistent.pem" } }, &caller.err));
    assert_non_null(strstr(caller.err.message, "/nonexistent.pem"));
    scripted_stop(&caller.server);
    http_answer_fini(&caller.answer);
    SSL_CTX_free(caller.server.tls);
    free((void *)(uintptr_t)parts[1].data);
}

static void *answer_in_plain_text(void *context)
{
    int fd = accept(*(int *)context, NULL, NULL);

    scripted_write(&(struct scripted_connection){ .fd = fd }, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    usleep(100000);
    close(fd);
    return NULL;
}

static void test_tls_to_a_plain_server(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof(address);
    struct caller caller = { 0 };
    pthread_t thread;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    caller.server.port = ntohs(address.sin_port);
    pthread_create(&thread, NULL, answer_in_plain_text, &listener);
    assert_false(call_tls(&caller, (struct tls_settings){ 0 }, "127.0.0.1", NULL, 0));
    assert_non_null(strstr(caller.err.message, "tls.insecure"));
    pthread_join(thread, NULL);
    close(listener);
    http_answer_fini(&caller.answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_in_pieces),
        cmocka_unit_test(test_response_cut_anywhere_is_not_whole),
        cmocka_unit_test(test_bad_responses),
        cmocka_unit_test(test_response_bounds),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_part_cursor),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_proxy_choice),
        cmocka_unit_test(test_body_in_parts),
        cmocka_unit_test(test_large_body),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_half_a_reply),
        cmocka_unit_test(test_dropped_idle_connection_is_retried_once),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_timeout_and_refusal),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_connection_settings),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_several_threads),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_to_a_plain_server),
    };

    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
