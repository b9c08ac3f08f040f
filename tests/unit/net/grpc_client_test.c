/* The gRPC client, against a scripted server. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include "collector/base/clock.h"
#include "collector/net/grpc_client.h"
#include "tests/unit/net/scripted_grpc_server.h"

#include <cmocka.h>

static const char reply[] = "\0\0\0\0\5hello";
#define REPLY slice_of(reply, sizeof(reply) - 1)

struct caller {
    struct scripted_grpc_server server;
    struct grpc_client *client;
    struct tls_settings tls;
    char endpoint[100];
    struct grpc_answer answer;
};

static void open_client(struct caller *caller, struct grpc_client_settings settings)
{
    struct error err;

    snprintf(caller->endpoint, sizeof(caller->endpoint), "127.0.0.1:%d", caller->server.port);
    if (settings.endpoint == NULL)
        settings.endpoint = caller->endpoint;
    if (settings.tls == NULL) {
        caller->tls.insecure = true;
        settings.tls = &caller->tls;
    }
    if (settings.timeout_ns == 0)
        settings.timeout_ns = 10 * NANOS_PER_SECOND;
    caller->client = grpc_client_create(&settings, &err);
    assert_non_null(caller->client);
}

static void start(struct caller *caller, const struct grpc_step *steps, size_t count)
{
    memset(caller, 0, sizeof(*caller));
    scripted_grpc_start(&caller->server, steps, count);
    open_client(caller, (struct grpc_client_settings){ 0 });
}

static void stop(struct caller *caller)
{
    grpc_client_destroy(caller->client);
    scripted_grpc_stop(&caller->server);
    grpc_answer_fini(&caller->answer);
}

static enum grpc_status call(struct caller *caller, const struct slice *parts, size_t count)
{
    static const char *const headers[] = { "user-agent: test", "x-tenant: a", NULL };
    struct grpc_request request = { .method = "/a.B/C", .headers = headers, .parts = parts, .part_count = count };

    grpc_client_call(caller->client, &request, &caller->answer);
    return caller->answer.status;
}

static bool message_is(struct caller *caller, const char *text)
{
    return slice_equal_string(buffer_slice(&caller->answer.message), text);
}

static void test_call(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .body = REPLY } };
    const struct slice parts[] = { SLICE("one "), SLICE(""), SLICE("two") };
    struct caller caller;

    (void)state;
    start(&caller, steps, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(&caller, parts, 3), GRPC_OK);
        assert_true(caller.answer.from_server);
        assert_true(slice_equal_string(buffer_slice(&caller.answer.body), "hello"));
        assert_true(slice_equal(buffer_slice(&caller.server.message), slice_of("\0\0\0\0\7one two", 12)));
    }
    assert_true(scripted_grpc_has(&caller.server, ":path: /a.B/C\n"));
    assert_true(scripted_grpc_has(&caller.server, ":scheme: http\n"));
    assert_true(scripted_grpc_has(&caller.server, "te: trailers\n"));
    assert_true(scripted_grpc_has(&caller.server, "content-type: application/grpc\n"));
    assert_true(scripted_grpc_has(&caller.server, "grpc-timeout: 10000m\n"));
    assert_true(scripted_grpc_has(&caller.server, "user-agent: test\n"));
    assert_true(scripted_grpc_has(&caller.server, "x-tenant: a\n"));
    assert_false(scripted_grpc_has(&caller.server, "grpc-encoding"));
    assert_int_equal(atomic_load(&caller.server.connections), 1);
    stop(&caller);
}

static void send_large(uint32_t max_frame_size, uint32_t window, struct tls_settings *tls, SSL_CTX *server_tls)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .body = REPLY } };
    enum { PARTS = 500, SIZE = 7000 };
    struct slice parts[PARTS];
    uint8_t *bytes = malloc(PARTS * SIZE);
    struct caller caller = { .server = { .max_frame_size = max_frame_size, .window = window, .tls = server_tls } };

    for (size_t i = 0; i < PARTS * SIZE; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = slice_of(bytes + i * SIZE, SIZE);
    scripted_grpc_start(&caller.server, steps, 1);
    open_client(&caller, (struct grpc_client_settings){ .tls = tls });
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call(&caller, parts, PARTS), GRPC_OK);
        assert_int_equal(caller.server.message.size, PARTS * SIZE + 5);
        assert_memory_equal(caller.server.message.data + 5, bytes, PARTS * SIZE);
    }
    assert_int_equal(atomic_load(&caller.server.connections), 1);
    stop(&caller);
    free(bytes);
}

static void test_large_messages(void **state)
{
    (void)state;
    send_large(0, 0, NULL, NULL);
    send_large(1 << 20, 1 << 24, NULL, NULL);
    send_large(16777215, 0x7fffffff, NULL, NULL);
    send_large(20000, 1000, NULL, NULL);
}

static void test_statuses(void **state)
{
    const struct grpc_step steps[] = {
        { .grpc_status = "14", .grpc_message = "not%20now%0a%zz" },
        { .grpc_status = "8", .details = "CAgSBGZ1bGw" },
        { .grpc_status = "8", .details = "CAgSBGZ1bGw=" },
        { .grpc_status = "8", .details = "!" },
        { .http_status = "503" },
        { .http_status = "404" },
        { .http_status = "200" },
        { .grpc_status = "x" },
        { .reset = NGHTTP2_INTERNAL_ERROR },
        { .reset = NGHTTP2_ENHANCE_YOUR_CALM },
        { .grpc_status = "0", .body = SLICE("\1\0\0\0\1x") },
        { .grpc_status = "3", .body = REPLY },
    };
    const struct slice part = SLICE("x");
    struct caller caller;

    (void)state;
    start(&caller, steps, 12);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_true(message_is(&caller, "not now %zz"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call(&caller, &part, 1), GRPC_RESOURCE_EXHAUSTED);
        assert_true(slice_equal_string(buffer_slice(&caller.answer.details), "\x08\x08\x12\x04"
                                                                             "full"));
    }
    assert_int_equal(call(&caller, &part, 1), GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(caller.answer.details.size, 0);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_false(caller.answer.from_server);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNIMPLEMENTED);
    assert_int_equal(call(&caller, &part, 1), GRPC_INTERNAL);
    assert_int_equal(call(&caller, &part, 1), GRPC_INTERNAL);
    assert_int_equal(call(&caller, &part, 1), GRPC_INTERNAL);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_int_equal(call(&caller, &part, 1), GRPC_OK);
    assert_int_equal(caller.answer.body.size, 0); /* compressed, which was not asked for */
    assert_int_equal(call(&caller, &part, 1), GRPC_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&caller.server.connections), 1);
    stop(&caller);
}

static void test_early_answers(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "8", .before_body = true }, { .grpc_status = "0", .body = REPLY } };
    enum { SIZE = 8 * 1024 * 1024 };
    struct slice part = slice_of(calloc(1, SIZE), SIZE);
    struct caller caller;

    (void)state;
    start(&caller, steps, 2);
    assert_int_equal(call(&caller, &part, 1), GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(call(&caller, &part, 1), GRPC_OK);
    assert_int_equal(caller.server.message.size, SIZE + 5);
    stop(&caller);
    free((void *)(uintptr_t)part.data);
}

static void test_connections_that_end(void **state)
{
    const struct grpc_step steps[] = {
        { .grpc_status = "0", .go_away = true }, /* answered; the next call needs a new connection */
        { .grpc_status = "0" },
        { .hang_up = true },                 /* reused: tried again */
        { .reset = NGHTTP2_REFUSED_STREAM }, /* on a new one: said */
        { .hang_up = true },                 /* reused: tried again, once */
        { .hang_up = true },
        { .grpc_status = "0" },
        { .reset = NGHTTP2_REFUSED_STREAM }, /* reused: tried again, on a new one */
        { .grpc_status = "0" },
    };
    const struct slice part = SLICE("x");
    struct caller caller;

    (void)state;
    start(&caller, steps, 9);
    assert_int_equal(call(&caller, &part, 1), GRPC_OK);
    assert_int_equal(call(&caller, &part, 1), GRPC_OK);
    assert_int_equal(atomic_load(&caller.server.connections), 2);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_int_equal(atomic_load(&caller.server.requests), 4);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_int_equal(atomic_load(&caller.server.requests), 6);
    assert_int_equal(call(&caller, &part, 1), GRPC_OK);
    assert_int_equal(call(&caller, &part, 1), GRPC_OK);
    assert_int_equal(atomic_load(&caller.server.requests), 9);
    stop(&caller);
}

static void test_timeout_and_refusal(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .delay_ms = 1500 } };
    const struct slice part = SLICE("x");
    struct caller caller = { 0 };

    (void)state;
    scripted_grpc_start(&caller.server, steps, 1);
    open_client(&caller, (struct grpc_client_settings){ .timeout_ns = 100 * NANOS_PER_MILLI });
    assert_int_equal(call(&caller, &part, 1), GRPC_DEADLINE_EXCEEDED);
    assert_false(caller.answer.from_server);
    grpc_client_destroy(caller.client);
    open_client(&caller, (struct grpc_client_settings){ .endpoint = "127.0.0.1:1" });
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_non_null(strstr(buffer_string(&caller.answer.message), "refused"));
    stop(&caller);
}

static void test_keepalive(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .delay_ms = 500 }, { .grpc_status = "0", .delay_ms = 3000 } };
    const struct slice part = SLICE("x");
    struct caller caller = { 0 };

    (void)state;
    scripted_grpc_start(&caller.server, steps, 2);
    open_client(&caller,
        (struct grpc_client_settings){ .keepalive_time_ns = 100 * NANOS_PER_MILLI, .keepalive_timeout_ns = 1500 * NANOS_PER_MILLI });
    assert_int_equal(call(&caller, &part, 1), GRPC_OK); /* the server sleeps, and answers the PING afterwards */
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_non_null(strstr(buffer_string(&caller.answer.message), "PING"));
    stop(&caller);
    assert_true(atomic_load(&caller.server.pings) >= 1);
}

static void *cancel_soon(void *context)
{
    usleep(50000);
    grpc_client_cancel(context);
    return NULL;
}

static void test_cancel(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .delay_ms = 1500 } };
    const struct slice part = SLICE("x");
    struct caller caller;
    pthread_t thread;

    (void)state;
    start(&caller, steps, 1);
    pthread_create(&thread, NULL, cancel_soon, caller.client);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_true(message_is(&caller, "stopping"));
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    pthread_join(thread, NULL);
    stop(&caller);
}

static void test_endpoints(void **state)
{
    static const char *const good[] = { "localhost:4317", "localhost", "[::1]:4317", "http://localhost:4317", "https://localhost:4317/",
        "dns:///localhost:4317", "dns:localhost:4317", "passthrough:///localhost:4317", "unix:/tmp/x.sock", "unix:///tmp/x.sock",
        "unix-abstract:x" };
    static const char *const bad[] = { "", "http://", "localhost:x", "localhost:4317/v1/traces", "dns://8.8.8.8/localhost:4317",
        "unix:", "a b:1", "[::1" };
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(grpc_endpoint_check(good[i], &err));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(grpc_endpoint_check(bad[i], &err));
}

static void *answer_as_http1(void *context)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    int fd = accept(*(int *)context, NULL, NULL);

    if (write(fd, text, sizeof(text) - 1) < 0)
        abort();
    usleep(100000);
    close(fd);
    return NULL;
}

static void test_server_without_http2(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof(address);
    struct caller caller = { 0 };
    const struct slice part = SLICE("x");
    pthread_t thread;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    caller.server.port = ntohs(address.sin_port);
    open_client(&caller, (struct grpc_client_settings){ 0 });
    pthread_create(&thread, NULL, answer_as_http1, &listener);
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_non_null(strstr(buffer_string(&caller.answer.message), "HTTP/2"));
    pthread_join(thread, NULL);
    grpc_client_destroy(caller.client);
    grpc_answer_fini(&caller.answer);
    close(listener);
}

struct many {
    struct grpc_client *client;
    int failures;
};

static void *call_many(void *context)
{
    struct many *many = context;
    const struct slice part = SLICE("x");

    for (int i = 0; i < 50; i++) {
        struct grpc_answer answer = { 0 };

        grpc_client_call(many->client, &(struct grpc_request){ .method = "/a.B/C", .parts = &part, .part_count = 1 }, &answer);
        many->failures += answer.status != GRPC_OK;
        grpc_answer_fini(&answer);
    }
    return NULL;
}

static void test_several_threads(void **state)
{
    const struct grpc_step steps[] = { { .grpc_status = "0", .body = REPLY } };
    struct many many[4];
    pthread_t threads[4];
    struct caller caller;

    (void)state;
    start(&caller, steps, 1);
    for (int i = 0; i < 4; i++) {
        many[i] = (struct many){ caller.client, 0 };
        pthread_create(&threads[i], NULL, call_many, &many[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(many[i].failures, 0);
    }
    assert_int_equal(atomic_load(&caller.server.requests), 200);
    assert_true(atomic_load(&caller.server.connections) <= 4);
    stop(&caller);
}

/* ---- TLS ---- */

static char folder[] = "/tmp/weir_grpc_client_XXXXXX";
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

static SSL_CTX *server_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM);
    return context;
}

static void test_tls(void **state)
{
    struct tls_settings trusted = { .ca_file = certificate }, named = { .ca_file = certificate, .server_name_override = "weir.test" },
                        strange = { 0 };
    const struct grpc_step steps[] = { { .grpc_status = "0" } };
    const struct slice part = SLICE("x");
    SSL_CTX *context = server_context();
    struct caller caller = { .server = { .tls = context } };

    (void)state;
    send_large(1 << 20, 1 << 24, &trusted, context);
    send_large(0, 0, &named, context);
    scripted_grpc_start(&caller.server, steps, 1);
    open_client(&caller, (struct grpc_client_settings){ .tls = &named });
    assert_int_equal(call(&caller, &part, 1), GRPC_OK);
    assert_true(scripted_grpc_has(&caller.server, ":scheme: https\n"));
    assert_true(scripted_grpc_has(&caller.server, ":authority: weir.test\n"));
    grpc_client_destroy(caller.client);
    open_client(&caller, (struct grpc_client_settings){ .tls = &strange });
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_non_null(strstr(buffer_string(&caller.answer.message), "not trusted"));
    grpc_client_destroy(caller.client);
    SSL_CTX_set_alpn_select_cb(context, NULL, NULL);
    open_client(&caller, (struct grpc_client_settings){ .tls = &trusted });
    assert_int_equal(call(&caller, &part, 1), GRPC_UNAVAILABLE);
    assert_non_null(strstr(buffer_string(&caller.answer.message), "ALPN"));
    stop(&caller);
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_large_messages),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_early_answers),
        cmocka_unit_test(test_connections_that_end),
        cmocka_unit_test(test_timeout_and_refusal),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_server_without_http2),
        cmocka_unit_test(test_several_threads),
        cmocka_unit_test(test_tls),
    };

    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
