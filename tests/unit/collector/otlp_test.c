/* The otlp receiver over HTTP, on real sockets; and its settings. */
#include "tests/unit/collector/otlp_bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "google_rpc.pb-c.h"

#define HTTP_ONLY "{protocols: {http: {endpoint: \"127.0.0.1:0\"}}}"

static const char json_trace[] = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"30313233343536373839616263646566\","
                                 "\"spanId\":\"3031323334353637\",\"name\":\"a\"}]}]}]}";

/* ---- HTTP by hand ---- */

static int connect_to(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

struct reply {
    int status;
    struct buffer text; /* head and body, NUL-terminated; the head in lower case */
    const char *body;
    size_t body_size;
};

static void send_all(int fd, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        bytes.data += sent;
        bytes.size -= (size_t)sent;
    }
}

static struct reply read_reply(int fd)
{
    struct reply reply = { 0 };
    uint8_t chunk[4096];
    ssize_t got;
    char *end;

    while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 0)
        buffer_append(&reply.text, chunk, (size_t)got);
    close(fd);
    buffer_string(&reply.text);
    end = strstr((char *)reply.text.data, "\r\n\r\n");
    assert_non_null(end);
    for (char *at = (char *)reply.text.data; at < end; at++)
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
    reply.status = atoi((const char *)reply.text.data + 9);
    reply.body = end + 4;
    reply.body_size = reply.text.size - (size_t)(end + 4 - (char *)reply.text.data);
    return reply;
}

/* `head`: "POST /v1/traces" and further header lines, each begun by "\r\n". */
static struct reply ask(const struct bench *bench, const char *method_and_path, const char *headers, struct slice body)
{
    int fd = connect_to(http_server_port(bench->otlp->http_server));
    struct buffer request = { 0 };

    buffer_printf(
        &request, "%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: %zu%s\r\n\r\n", method_and_path, body.size, headers);
    buffer_append_slice(&request, body);
    send_all(fd, buffer_slice(&request));
    buffer_fini(&request);
    return read_reply(fd);
}

static bool has_line(const struct reply *reply, const char *line)
{
    const char *found = strstr((const char *)reply->text.data, line);

    return found != NULL && found < reply->body && strncmp(found + strlen(line), "\r\n", 2) == 0;
}

static void forget(struct reply *reply)
{
    buffer_fini(&reply->text);
}

#define PROTOBUF "\r\nContent-Type: application/x-protobuf"
#define JSON "\r\nContent-Type: application/json"

static void assert_status(const struct bench *bench, const char *method_and_path, const char *headers, struct slice body, int status)
{
    struct reply reply = ask(bench, method_and_path, headers, body);

    if (reply.status != status)
        print_error("%s\n", (const char *)reply.text.data);
    assert_int_equal(reply.status, status);
    forget(&reply);
}

/* The code of a google.rpc.Status body; its message must hold `part`. */
static int status_code(const struct reply *reply, const char *part)
{
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, reply->body_size, (const uint8_t *)reply->body);
    int code;

    assert_non_null(status);
    if (strstr(status->message, part) == NULL)
        print_error("\"%s\" does not hold \"%s\"\n", status->message, part);
    assert_non_null(strstr(status->message, part));
    code = status->code;
    google__rpc__status__free_unpacked(status, NULL);
    return code;
}

/* ---- HTTP ---- */

static bool refuse_all(struct component *self, size_t bytes)
{
    (void)self;
    (void)bytes;
    return false;
}

static const struct component_type limiter_type = { .name = "limiter", .kind = COMPONENT_PROCESSOR, .admit = refuse_all };
static struct component limiter = { .type = &limiter_type };
static struct component *const limiters[] = { &limiter };

static void http_takes_protobuf_and_json(void **state)
{
    struct buffer plain = traces(3, SLICE("a")), one = traces(1, SLICE("a"));
    struct bench bench;
    struct reply reply;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    reply = ask(&bench, "POST /v1/traces", PROTOBUF, buffer_slice(&plain));
    assert_int_equal(reply.status, 200);
    assert_true(has_line(&reply, "content-type: application/x-protobuf"));
    assert_int_equal(reply.body_size, 0);
    assert_int_equal(bench.sink.records, 3);
    assert_true(slice_equal(buffer_slice(&bench.sink.bytes), buffer_slice(&plain)));
    forget(&reply);
    reply = ask(&bench, "POST /v1/traces", JSON "; charset=utf-8", slice_of_string(json_trace));
    assert_int_equal(reply.status, 200);
    assert_true(has_line(&reply, "content-type: application/json"));
    assert_string_equal(reply.body, "{}");
    assert_int_equal(bench.sink.records, 4);
    assert_true(slice_equal(buffer_slice(&bench.sink.bytes), buffer_slice(&one)));
    forget(&reply);
    assert_status(&bench, "POST /v1/logs", PROTOBUF, SLICE(""), 200); /* nothing is fine */
    assert_status(&bench, "POST /v1/logs", JSON, SLICE("{}"), 200);
    assert_int_equal(bench.sink.batches, 2);
    bench_end(&bench);
    buffer_fini(&plain);
    buffer_fini(&one);
}

static void http_refuses_by_the_head(void **state)
{
    struct bench bench;
    struct reply reply;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    assert_status(&bench, "POST /v1/nothing", PROTOBUF, SLICE(""), 404);
    assert_status(&bench, "POST /v1/traces/", PROTOBUF, SLICE(""), 404);
    assert_status(&bench, "POST //v1/traces", PROTOBUF, SLICE(""), 404);
    assert_status(&bench, "POST /v1/metrics", PROTOBUF, SLICE(""), 404); /* no pipeline takes them */
    assert_status(&bench, "POST /v1development/profiles", PROTOBUF, SLICE(""), 200);
    assert_status(&bench, "POST /v1/traces", "", SLICE(""), 415);
    assert_status(&bench, "POST /v1/traces", "\r\nContent-Type: text/plain", SLICE("x"), 415);
    reply = ask(&bench, "GET /v1/traces", PROTOBUF, SLICE(""));
    assert_int_equal(reply.status, 405);
    assert_true(has_line(&reply, "allow: post"));
    forget(&reply);
    assert_int_equal(bench.sink.batches, 0);
    bench_end(&bench);
}

static void http_says_what_is_malformed(void **state)
{
    struct bench bench;
    struct reply reply;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    reply = ask(&bench, "POST /v1/traces", PROTOBUF, SLICE("\x0a\x05\x12"));
    assert_int_equal(reply.status, 400);
    assert_true(has_line(&reply, "content-type: application/x-protobuf"));
    assert_int_equal(status_code(&reply, "malformed traces request from 127.0.0.1"), GRPC_INVALID_ARGUMENT);
    forget(&reply);
    reply = ask(&bench, "POST /v1/traces", JSON, SLICE("{\"resourceSpans\":[{\"scopeSpans\":3}]}"));
    assert_int_equal(reply.status, 400);
    assert_true(has_line(&reply, "content-type: application/json"));
    assert_non_null(strstr(reply.body, "{\"code\":3,\"message\":\"malformed traces request"));
    forget(&reply);
    assert_int_equal(bench.sink.batches, 0);
    bench_end(&bench);
}

static void http_bodies_may_be_compressed(void **state)
{
    struct buffer plain = traces(100, SLICE("a")), gzip = { 0 }, large = { 0 };
    struct slice part = buffer_slice(&plain);
    struct bench bench;

    (void)state;
    bench_start(&bench, "{protocols: {http: {endpoint: \"127.0.0.1:0\", max_request_body_size: 5000}}}");
    assert_true(deflate_parts(CODING_GZIP, 0, &part, 1, &gzip));
    assert_status(&bench, "POST /v1/traces", PROTOBUF "\r\nContent-Encoding: gzip", buffer_slice(&gzip), 200);
    assert_true(slice_equal(buffer_slice(&bench.sink.bytes), part));
    gzip.size -= 9;
    assert_status(&bench, "POST /v1/traces", PROTOBUF "\r\nContent-Encoding: gzip", buffer_slice(&gzip), 400);
    assert_status(&bench, "POST /v1/traces", PROTOBUF "\r\nContent-Encoding: br", buffer_slice(&gzip), 415);
    buffer_clear(&gzip);
    while (large.size <= 5000)
        buffer_append_slice(&large, part);
    part = buffer_slice(&large);
    assert_true(deflate_parts(CODING_GZIP, 0, &part, 1, &gzip));
    assert_status(&bench, "POST /v1/traces", PROTOBUF "\r\nContent-Encoding: gzip", buffer_slice(&gzip), 413);
    assert_status(&bench, "POST /v1/traces", PROTOBUF, buffer_slice(&large), 413);
    assert_int_equal(bench.sink.batches, 1);
    bench_end(&bench);
    buffer_fini(&plain);
    buffer_fini(&gzip);
    buffer_fini(&large);
}

static void http_tells_the_outcome(void **state)
{
    struct buffer plain = traces(2, SLICE("a"));
    struct bench bench;
    struct reply reply;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    bench.sink.outcome = outcome_retry("queue_full", 2500 * NANOS_PER_MILLI);
    reply = ask(&bench, "POST /v1/traces", PROTOBUF, buffer_slice(&plain));
    assert_int_equal(reply.status, 503);
    assert_true(has_line(&reply, "retry-after: 3"));
    assert_int_equal(status_code(&reply, "queue_full"), GRPC_UNAVAILABLE);
    forget(&reply);
    bench.sink.outcome = outcome_rejected("destination");
    reply = ask(&bench, "POST /v1/traces", PROTOBUF, buffer_slice(&plain));
    assert_int_equal(reply.status, 400);
    assert_int_equal(status_code(&reply, "destination"), GRPC_INVALID_ARGUMENT);
    forget(&reply);
    bench_end(&bench);
    buffer_fini(&plain);
}

static void memory_is_asked_for_first(void **state)
{
    struct buffer plain = traces(2, SLICE("a"));
    struct bench bench;
    struct reply reply;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    bench.instance.limiters = limiters;
    bench.instance.limiter_count = 1;
    reply = ask(&bench, "POST /v1/traces", PROTOBUF, buffer_slice(&plain));
    assert_int_equal(reply.status, 503);
    assert_true(has_line(&reply, "retry-after: 1"));
    assert_int_equal(status_code(&reply, "memory"), GRPC_UNAVAILABLE);
    assert_int_equal(bench.sink.batches, 0);
    forget(&reply);
    bench_end(&bench);
    buffer_fini(&plain);
}

static void text_is_repaired(void **state)
{
    struct buffer bad = traces(2, SLICE("a\xff")), good = traces(2, SLICE("a\xef\xbf\xbd"));
    struct bench bench;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    assert_status(&bench, "POST /v1/traces", PROTOBUF, buffer_slice(&bad), 200);
    assert_true(slice_equal(buffer_slice(&bench.sink.bytes), buffer_slice(&good)));
    assert_int_equal(bench.sink.records, 2);
    bench_end(&bench);
    buffer_fini(&bad);
    buffer_fini(&good);
}

static void browsers_are_answered(void **state)
{
    struct bench bench;
    struct reply reply;

    (void)state;
    bench_start(&bench, "{protocols: {http: {endpoint: \"127.0.0.1:0\", response_headers: {X-Served-By: weir}, cors: {"
                        "allowed_origins: [\"https://*.example.com\"], allowed_headers: [X-Key], exposed_headers: [A, B], max_age: 60}}}}");
    reply = ask(&bench, "OPTIONS /v1/traces",
        "\r\nOrigin: https://a.example.com\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-key", SLICE(""));
    assert_int_equal(reply.status, 204);
    assert_true(has_line(&reply, "access-control-allow-origin: https://a.example.com"));
    assert_true(has_line(&reply, "access-control-allow-methods: post"));
    assert_true(has_line(&reply, "access-control-allow-headers: x-key"));
    assert_true(has_line(&reply, "access-control-allow-credentials: true"));
    assert_true(has_line(&reply, "access-control-max-age: 60"));
    forget(&reply);
    reply = ask(&bench, "OPTIONS /v1/traces",
        "\r\nOrigin: https://a.example.com\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-other", SLICE(""));
    assert_false(has_line(&reply, "access-control-allow-origin: https://a.example.com"));
    forget(&reply);
    reply = ask(&bench, "OPTIONS /v1/traces", "\r\nOrigin: https://example.org\r\nAccess-Control-Request-Method: POST", SLICE(""));
    assert_int_equal(reply.status, 204);
    assert_null(strstr((const char *)reply.text.data, "access-control-allow"));
    forget(&reply);
    reply = ask(&bench, "POST /v1/traces", JSON "\r\nOrigin: https://b.example.com", SLICE("{}"));
    assert_int_equal(reply.status, 200);
    assert_true(has_line(&reply, "access-control-allow-origin: https://b.example.com"));
    assert_true(has_line(&reply, "access-control-expose-headers: a, b"));
    assert_true(has_line(&reply, "vary: origin"));
    assert_true(has_line(&reply, "x-served-by: weir"));
    forget(&reply);
    bench_end(&bench);
}

static void headers_become_metadata(void **state)
{
    struct buffer plain = traces(1, SLICE("a"));
    struct bench bench;

    (void)state;
    bench_start(&bench, "{protocols: {http: {endpoint: \"127.0.0.1:0\", include_metadata: true}}}");
    assert_status(&bench, "POST /v1/traces", PROTOBUF "\r\nX-Tenant: acme", buffer_slice(&plain), 200);
    assert_string_equal(bench.sink.metadata, "acme");
    bench_end(&bench);
    bench_start(&bench, HTTP_ONLY);
    assert_status(&bench, "POST /v1/traces", PROTOBUF "\r\nX-Tenant: acme", buffer_slice(&plain), 200);
    assert_string_equal(bench.sink.metadata, "");
    bench_end(&bench);
    buffer_fini(&plain);
}

static void who_may_not_send_is_told_so(void **state)
{
    struct buffer plain = traces(1, SLICE("a"));
    struct bench bench;
    struct reply reply;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    bench.otlp->listen.authenticator = &key_extension;
    reply = ask(&bench, "POST /v1/traces", PROTOBUF, buffer_slice(&plain));
    assert_int_equal(reply.status, 401);
    assert_int_equal(status_code(&reply, "no key"), GRPC_UNAUTHENTICATED);
    forget(&reply);
    assert_int_equal(bench.sink.batches, 0);
    assert_status(&bench, "POST /v1/traces", PROTOBUF "\r\nX-Key: open", buffer_slice(&plain), 200);
    bench_end(&bench);
    buffer_fini(&plain);
}

static void wait_for_batch(struct sink *sink)
{
    bool there = false;

    while (!there) {
        pthread_mutex_lock(&sink->lock);
        there = sink->held != NULL;
        pthread_mutex_unlock(&sink->lock);
        usleep(1000);
    }
}

/* At a reload a receiver may go while its batches are with others. */
static void a_receiver_may_go_before_its_receipts(void **state)
{
    struct buffer plain = traces(1, SLICE("a")), request = { 0 };
    struct bench bench;
    int fd;

    (void)state;
    bench_start(&bench, HTTP_ONLY);
    bench.sink.hold = true;
    fd = connect_to(http_server_port(bench.otlp->http_server));
    buffer_printf(&request, "POST /v1/traces HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
        plain.size);
    buffer_append_slice(&request, buffer_slice(&plain));
    send_all(fd, buffer_slice(&request));
    wait_for_batch(&bench.sink);
    otlp_receiver.stop(&bench.otlp->base);
    accounts_destroy(&bench.otlp->base);
    free(bench.otlp);
    bench.otlp = NULL;
    batch_settle(bench.sink.held, OUTCOME_ACCEPTED);
    close(fd);
    bench_end(&bench);
    buffer_fini(&plain);
    buffer_fini(&request);
}

/* ---- settings ---- */

static void assert_not_valid(const char *yaml, const char *part)
{
    struct bench bench;
    struct error err = { "" };

    bench_begin(&bench, yaml);
    assert_false(otlp_receiver.validate(&bench.otlp->base, &err));
    assert_non_null(strstr(err.message, part));
    bench_end(&bench);
}

static void settings_are_checked(void **state)
{
    struct bench bench;
    struct error err = { "" };

    (void)state;
    assert_not_valid("{protocols: {}}", "at least one");
    assert_not_valid("{protocols: {http: {traces_url_path: /x, logs_url_path: /x}}}", "cannot take two signals");
    assert_not_valid("{protocols: {grpc: {tls: {cert_file: a}}}}", "needs its key");
    bench_begin(&bench, "{}");
    assert_true(otlp_receiver.validate(&bench.otlp->base, &err));
    assert_string_equal(bench.otlp->grpc.endpoint, "localhost:4317");
    assert_string_equal(bench.otlp->http.listen.endpoint, "localhost:4318");
    assert_int_equal(bench.otlp->http.listen.write_timeout_ns, 0);
    assert_int_equal(bench.otlp->http.listen.idle_timeout_ns, 0);
    assert_int_equal(bench.otlp->grpc.read_buffer_size, 524288);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_takes_protobuf_and_json),
        cmocka_unit_test(http_refuses_by_the_head),
        cmocka_unit_test(http_says_what_is_malformed),
        cmocka_unit_test(http_bodies_may_be_compressed),
        cmocka_unit_test(http_tells_the_outcome),
        cmocka_unit_test(memory_is_asked_for_first),
        cmocka_unit_test(text_is_repaired),
        cmocka_unit_test(browsers_are_answered),
        cmocka_unit_test(headers_become_metadata),
        cmocka_unit_test(who_may_not_send_is_told_so),
        cmocka_unit_test(a_receiver_may_go_before_its_receipts),
        cmocka_unit_test(settings_are_checked),
    };

    return cmocka_run_group_tests(tests, start_loops, stop_loops);
}
