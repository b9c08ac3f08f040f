/* The libcurl client against a small server on loopback that keeps what it was sent. */
#include "tests/unit/sdk/capture.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "weir/contrib/curl.h"

WEIR_SCOPE(scope, "test.curl", "1.0.0");

/* Answers one request. */
static struct {
    int listener, port;
    const char *answer;
    char got[4096];
    pthread_t thread;
} server;

static void *serve(void *unused)
{
    size_t size = 0;
    int fd = accept(server.listener, NULL, NULL);

    while (size < sizeof(server.got) - 1 && strstr(server.got, "\r\n\r\n") == NULL) {
        ssize_t got = read(fd, server.got + size, sizeof(server.got) - 1 - size);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    dprintf(fd, "%s", server.answer);
    close(fd);
    return unused;
}

static void server_start(const char *answer)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);

    memset(server.got, 0, sizeof(server.got));
    server.answer = answer;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server.listener, 1), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
    server.port = ntohs(address.sin_port);
    if (answer != NULL)
        assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void server_stop(void)
{
    if (server.answer != NULL)
        pthread_join(server.thread, NULL);
    close(server.listener);
}

static int start(void **state)
{
    (void)state;
    curl_global_init(CURL_GLOBAL_ALL);
    capture_start(NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weir_shutdown(2000);
    capture_clear();
    curl_global_cleanup();
    return 0;
}

static size_t swallow(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count;
}

/* One transfer within a span "parent"; %d of `pattern` is the port. */
static CURLcode fetch(const char *method, const char *pattern)
{
    char url[128];
    weir_curl call;
    CURL *easy = curl_easy_init();

    snprintf(url, sizeof(url), pattern, server.port);
    WEIR_SPAN(parent, scope, "parent", WEIR_INTERNAL, NULL);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    assert_int_equal(weir_curl_begin(&call, easy, method, url), CURLE_OK);
    assert_int_equal(weir_curl_header(&call, "X-Own: yes"), CURLE_OK);
    weir_ctx current = weir_ctx_current();
    assert_memory_equal(current.span_id, parent.ctx.span_id, 8);
    CURLcode result = curl_easy_perform(easy);
    weir_curl_end(&call, result);
    curl_easy_cleanup(easy);
    return result;
}

static Span *client_span(const char *name)
{
    assert_int_equal(weir_flush(5000), 0);
    assert_int_equal(capture_span_count(), 2);
    Span *span = capture_span_named(name), *parent = capture_span_named("parent");
    assert_non_null(span);
    assert_int_equal(span->kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CLIENT);
    assert_memory_equal(span->trace_id.data, parent->trace_id.data, 16);
    assert_memory_equal(span->parent_span_id.data, parent->span_id.data, 8);
    return span;
}

static void assert_sent(const Span *span)
{
    char wanted[80] = "traceparent: 00-";

    for (size_t i = 0; i < 16; i++)
        sprintf(wanted + strlen(wanted), "%02x", span->trace_id.data[i]);
    strcat(wanted, "-");
    for (size_t i = 0; i < 8; i++)
        sprintf(wanted + strlen(wanted), "%02x", span->span_id.data[i]);
    assert_non_null(strstr(server.got, wanted));
    assert_non_null(strstr(server.got, "X-Own: yes\r\n"));
}

static void a_transfer_is_a_span_and_carries_it(void **state)
{
    (void)state;
    char url[128];
    server_start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    assert_int_equal(fetch("GET", "http://anna:secret@127.0.0.1:%d/stock?sku=1"), CURLE_OK);
    server_stop();
    Span *span = client_span("GET");
    assert_sent(span);
    snprintf(url, sizeof(url), "http://REDACTED:REDACTED@127.0.0.1:%d/stock?sku=1", server.port);
    assert_text(span_value(span, "url.full"), url);
    assert_text(span_value(span, "http.request.method"), "GET");
    assert_null(span_value(span, "http.request.method_original"));
    assert_text(span_value(span, "server.address"), "127.0.0.1");
    assert_int(span_value(span, "server.port"), server.port);
    assert_int(span_value(span, "http.response.status_code"), 200);
    assert_text(span_value(span, "network.peer.address"), "127.0.0.1");
    assert_text(span_value(span, "network.protocol.version"), "1.1");
    assert_null(span_value(span, "error.type"));
    assert_true(span->status == NULL || span->status->code == 0);
}

static void a_refusal_is_an_error(void **state)
{
    (void)state;
    server_start("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_int_equal(fetch("BREW", "http://127.0.0.1:%d/"), CURLE_OK);
    server_stop();
    Span *span = client_span("HTTP");
    assert_sent(span);
    assert_text(span_value(span, "http.request.method"), "_OTHER");
    assert_text(span_value(span, "http.request.method_original"), "BREW");
    assert_int(span_value(span, "http.response.status_code"), 404);
    assert_text(span_value(span, "error.type"), "404");
    assert_int_equal(span->status->code, WEIR_ERROR);
}

static void no_connection_is_an_error(void **state)
{
    (void)state;
    server_start(NULL);
    server_stop();
    assert_int_equal(fetch("POST", "http://[::1]:%d/"), CURLE_COULDNT_CONNECT);
    Span *span = client_span("POST");
    assert_text(span_value(span, "server.address"), "::1");
    assert_text(span_value(span, "error.type"), "CURLE_COULDNT_CONNECT");
    assert_null(span_value(span, "http.response.status_code"));
    assert_int_equal(span->status->code, WEIR_ERROR);
    assert_string_equal(span->status->message, curl_easy_strerror(CURLE_COULDNT_CONNECT));
}

static void without_the_sdk_contexts_pass_through(void **state)
{
    (void)state;
    weir_ctx ctx = weir_ctx_make((const uint8_t *)"0123456789abcdef", (const uint8_t *)"01234567", 1, true);
    weir_shutdown(1000);
    weir_ctx previous = weir_ctx_attach(&ctx);
    server_start("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assert_int_equal(fetch("GET", "http://127.0.0.1:%d/"), CURLE_OK);
    server_stop();
    weir_ctx_detach(&previous);
    assert_non_null(strstr(server.got, "traceparent: 00-30313233343536373839616263646566-3031323334353637-01\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_transfer_is_a_span_and_carries_it, start, stop),
        cmocka_unit_test_setup_teardown(a_refusal_is_an_error, start, stop),
        cmocka_unit_test_setup_teardown(no_connection_is_an_error, start, stop),
        cmocka_unit_test_setup_teardown(without_the_sdk_contexts_pass_through, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
