/* The libmicrohttpd server, asked over loopback. */
#include "tests/unit/sdk/capture.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "weir/contrib/microhttpd.h"

WEIR_SCOPE(scope, "test.microhttpd", "1.0.0");

static struct MHD_Daemon *mhd;
static int port, completed;

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload_data, size_t *upload_data_size, void **request)
{
    (void)version, (void)upload_data, (void)method;
    assert_ptr_equal(cls, &port);
    if (*request == NULL) {
        *request = &completed;
        return MHD_YES;
    }
    if (*upload_data_size != 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    WEIR_SPAN(span, scope, "inner", WEIR_INTERNAL, NULL);
    WEIR_SET(weir_microhttpd_span(request), "shop.own", 7);
    struct MHD_Response *response = MHD_create_response_from_buffer(2, (void *)"ok", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, strncmp(url, "/stock/", 7) == 0 ? 200 : 503, response);
    MHD_destroy_response(response);
    return result;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode how)
{
    (void)cls, (void)connection, (void)how;
    if (*request == &completed)
        completed++;
}

static const char *route(void *user, const char *method, const char *path)
{
    (void)user, (void)method;
    return strncmp(path, "/stock/", 7) == 0 ? "/stock/{sku}" : NULL;
}

static const weir_microhttpd wrapper = { on_request, &port, on_completed, NULL, route };

static int start(void **state)
{
    (void)state;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    capture_start(NULL, 0);
    completed = 0;
    mhd = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, weir_microhttpd_handler, (void *)&wrapper, MHD_OPTION_SOCK_ADDR,
        &address, MHD_OPTION_NOTIFY_COMPLETED, weir_microhttpd_completed, (void *)&wrapper, MHD_OPTION_END);
    assert_non_null(mhd);
    port = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_BIND_PORT)->port;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weir_shutdown(2000);
    capture_clear();
    return 0;
}

static int dial(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Sends the request, reads to the end of the answer. */
static void ask(const char *request, char *answer, size_t size)
{
    size_t used = 0;
    int fd = dial();

    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    for (ssize_t got; used < size - 1 && (got = read(fd, answer + used, size - 1 - used)) > 0;)
        used += (size_t)got;
    answer[used] = '\0';
    close(fd);
}

/* Stops the daemon, so that all requests are completed, and what was recorded is exported. */
static Span *server_span(const char *name)
{
    MHD_stop_daemon(mhd);
    assert_int_equal(weir_flush(5000), 0);
    Span *span = capture_span_named(name);
    assert_non_null(span);
    assert_int_equal(span->kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_SERVER);
    return span;
}

static void a_request_continues_the_callers_trace(void **state)
{
    (void)state;
    char answer[1024];
    ask("POST /stock/A-1?x=1 HTTP/1.1\r\nhost: shop.example:8080\r\nUser-Agent: test/1\r\nConnection: close\r\n"
        "TraceParent: 00-30313233343536373839616263646566-3031323334353637-01\r\nTraceState: a=1\r\nTraceState: b=2\r\n"
        "Content-Length: 4\r\n\r\nbody",
        answer, sizeof(answer));
    assert_non_null(strstr(answer, " 200 "));
    Span *span = server_span("POST /stock/{sku}");
    assert_int_equal(completed, 1);
    assert_int_equal(capture_span_count(), 2);
    assert_memory_equal(span->trace_id.data, "0123456789abcdef", 16);
    assert_memory_equal(span->parent_span_id.data, "01234567", 8);
    assert_string_equal(span->trace_state, "a=1,b=2");
    assert_memory_equal(capture_span_named("inner")->trace_id.data, span->trace_id.data, 16);
    assert_memory_equal(capture_span_named("inner")->parent_span_id.data, span->span_id.data, 8);
    assert_text(span_value(span, "http.request.method"), "POST");
    assert_text(span_value(span, "http.route"), "/stock/{sku}");
    assert_text(span_value(span, "url.path"), "/stock/A-1");
    assert_text(span_value(span, "url.scheme"), "http");
    assert_text(span_value(span, "server.address"), "shop.example");
    assert_int(span_value(span, "server.port"), 8080);
    assert_text(span_value(span, "network.peer.address"), "127.0.0.1");
    assert_text(span_value(span, "network.protocol.version"), "1.1");
    assert_text(span_value(span, "user_agent.original"), "test/1");
    assert_int(span_value(span, "http.response.status_code"), 200);
    assert_int(span_value(span, "shop.own"), 7);
    assert_null(span_value(span, "error.type"));
}

static void a_server_error_is_an_error(void **state)
{
    (void)state;
    char answer[1024];
    ask("BREW /pot HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n", answer, sizeof(answer));
    assert_non_null(strstr(answer, " 503 "));
    Span *span = server_span("HTTP");
    assert_int_equal(span->parent_span_id.len, 0);
    assert_text(span_value(span, "http.request.method"), "_OTHER");
    assert_text(span_value(span, "http.request.method_original"), "BREW");
    assert_null(span_value(span, "http.route"));
    assert_text(span_value(span, "server.address"), "::1");
    assert_null(span_value(span, "server.port"));
    assert_int(span_value(span, "http.response.status_code"), 503);
    assert_text(span_value(span, "error.type"), "503");
    assert_int_equal(span->status->code, WEIR_ERROR);
}

static void an_aborted_request_is_an_error(void **state)
{
    (void)state;
    const char *half = "POST /stock/A-1 HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\nhalf";
    int fd = dial();
    char byte;
    assert_int_equal(write(fd, half, strlen(half)), strlen(half));
    shutdown(fd, SHUT_WR);
    while (read(fd, &byte, 1) > 0)
        continue;
    close(fd);
    Span *span = server_span("POST /stock/{sku}");
    assert_int_equal(completed, 1);
    assert_text(span_value(span, "error.type"), "aborted");
    assert_null(span_value(span, "http.response.status_code"));
    assert_int_equal(span->status->code, WEIR_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_continues_the_callers_trace, start, stop),
        cmocka_unit_test_setup_teardown(a_server_error_is_an_error, start, stop),
        cmocka_unit_test_setup_teardown(an_aborted_request_is_an_error, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
