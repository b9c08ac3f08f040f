/* The HTTP server's beginning and end, its time limits, and its other transports. */
#include "collector/base/clock.h"
#include "collector/net/http_server.h"
#include "collector/net/loop.h"
#include "collector/net/socket.h"

#include <fcntl.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/net/http_harness.h"

static const char small[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
static const char held[] = "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

static int start_loops(void **state)
{
    struct error err = { 0 };

    (void)state;
    return loops_start(3, &err) ? 0 : -1;
}

static int stop_loops(void **state)
{
    (void)state;
    loops_stop();
    return 0;
}

/* ---- time limits ---- */

static void a_head_that_does_not_end_is_given_up(void **state)
{
    struct http_server_settings settings = harness_settings();
    int fd;

    (void)state;
    settings.read_header_timeout_ns = 30 * NANOS_PER_MILLI;
    harness_start(&settings);
    fd = connect_to_harness();
    send_text(fd, "GET / HTTP/1.1\r\nHost:");
    expect_status(fd, 408);
    expect_fault("header_timeout");
    expect_end(fd);
    harness_stop();
}

static void a_body_that_does_not_end_is_given_up(void **state)
{
    struct http_server_settings settings = harness_settings();
    int fd;

    (void)state;
    settings.read_timeout_ns = 30 * NANOS_PER_MILLI;
    harness_start(&settings);
    fd = connect_to_harness();
    send_text(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
    expect_status(fd, 408);
    expect_end(fd);
    harness_stop();
}

static void an_idle_connection_is_closed(void **state)
{
    struct http_server_settings settings = harness_settings();
    int fresh, used;

    (void)state;
    settings.idle_timeout_ns = 30 * NANOS_PER_MILLI;
    harness_start(&settings);
    fresh = connect_to_harness();
    used = connect_to_harness();
    send_text(used, small);
    expect_status(used, 200);
    expect_end(fresh);
    expect_end(used);
    harness_stop();
}

static void a_client_that_does_not_read_is_given_up(void **state)
{
    struct http_server_settings settings = harness_settings();
    int fd;

    (void)state;
    settings.write_timeout_ns = 30 * NANOS_PER_MILLI;
    harness_start(&settings);
    fd = connect_to_harness();
    send_text(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_fault("write_timeout");
    close(fd);
    harness_stop();
}

/* ---- stop ---- */

static void *stop_with_grace(void *argument)
{
    http_server_stop(harness.server, *(int64_t *)argument);
    return NULL;
}

static void a_stop_waits_for_what_was_read_in(void **state)
{
    struct http_server_settings settings = harness_settings();
    int64_t grace = 20 * NANOS_PER_SECOND;
    struct answer answer;
    pthread_t thread;
    int fd, idle;

    (void)state;
    harness_start(&settings);
    fd = connect_to_harness();
    idle = connect_to_harness();
    send_text(idle, small);
    expect_status(idle, 200);
    send_text(fd, held);
    sem_wait(&harness.holding);
    pthread_create(&thread, NULL, stop_with_grace, &grace);
    expect_end(idle);
    harness_echo(harness.held);
    assert_int_equal(read_answer(fd, &answer), 200);
    assert_non_null(strstr(answer.head, "Connection: close"));
    buffer_fini(&answer.body);
    expect_end(fd);
    pthread_join(thread, NULL);
    harness.server = NULL;
    harness_stop();
}

static void an_exchange_may_be_replied_to_after_the_stop(void **state)
{
    struct http_server_settings settings = harness_settings();

    (void)state;
    for (int i = 0; i < 3; i++) {
        int fd;

        harness_start(&settings);
        fd = connect_to_harness();
        send_text(fd, held);
        sem_wait(&harness.holding);
        http_server_stop(harness.server, i * NANOS_PER_MILLI);
        harness.server = NULL;
        expect_end(fd);
        harness_echo(harness.held);
        loop_call(loop_data(0), (void (*)(void *))free, NULL); /* the replies have run */
        loop_call(loop_data(1), (void (*)(void *))free, NULL);
        loop_call(loop_data(2), (void (*)(void *))free, NULL);
        harness_stop();
    }
}

static void a_server_can_start_again_on_its_port(void **state)
{
    struct http_server_settings settings = harness_settings();
    char endpoint[32];

    (void)state;
    harness_start(&settings);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", http_server_port(harness.server));
    harness_stop();
    settings.endpoint = endpoint;
    for (int i = 0; i < 5; i++) {
        int fd;

        harness_start(&settings);
        fd = connect_to_harness();
        send_text(fd, small);
        expect_status(fd, 200);
        harness_stop();
        expect_end(fd);
    }
}

static void a_server_that_stops_leaves_the_others_alone(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct error err = { 0 };
    struct http_server *other;
    int fd, gone;

    (void)state;
    harness_start(&settings);
    settings.control = true;
    other = http_server_start(&settings, &harness_service, &err);
    assert_non_null(other);
    fd = connect_to_harness();
    gone = connect_to(http_server_port(other));
    send_text(gone, small);
    expect_status(gone, 200);
    send_text(fd, small);
    http_server_stop(other, NANOS_PER_SECOND);
    expect_status(fd, 200);
    expect_end(gone);
    close(fd);
    harness_stop();
}

static void stop_on_own_loop(void *context)
{
    http_server_stop(context, 20 * NANOS_PER_SECOND);
}

static void a_server_may_be_stopped_on_its_own_loop(void **state)
{
    struct http_server_settings settings = harness_settings();
    int fd;

    (void)state;
    settings.control = true;
    harness_start(&settings);
    fd = connect_to_harness();
    send_text(fd, small);
    expect_status(fd, 200);
    loop_call(loop_control(), stop_on_own_loop, harness.server);
    harness.server = NULL;
    expect_end(fd);
    harness_stop();
}

/* ---- endpoints ---- */

static void endpoints_are_read(void **state)
{
    struct socket_endpoint endpoint;
    struct error err;

    (void)state;
    assert_true(socket_parse_endpoint("localhost:4318", &endpoint, &err));
    assert_string_equal(endpoint.host, "localhost");
    assert_string_equal(endpoint.port, "4318");
    assert_true(socket_parse_endpoint("[::1]:80", &endpoint, &err));
    assert_string_equal(endpoint.host, "::1");
    assert_true(socket_parse_endpoint(":80", &endpoint, &err));
    assert_string_equal(endpoint.host, "");
    assert_false(socket_parse_endpoint("localhost", &endpoint, &err));
    assert_false(socket_parse_endpoint("localhost:", &endpoint, &err));
    assert_false(socket_parse_endpoint("::1:80", &endpoint, &err));
    assert_false(socket_parse_endpoint("[::1]", &endpoint, &err));
    assert_false(socket_parse_endpoint("[::1:80", &endpoint, &err));
    assert_false(socket_parse_endpoint("", &endpoint, &err));
}

static void bad_endpoints_are_errors(void **state)
{
    static const char *const cases[] = { "", "no-port", "127.0.0.1:notaport", "256.256.256.256:1", "192.0.2.1:1" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_server_settings settings = harness_settings();
        struct error err = { 0 };

        settings.endpoint = cases[i];
        assert_null(http_server_start(&settings, &harness_service, &err));
        assert_string_not_equal(err.message, "");
    }
}

static void a_port_in_use_is_an_error(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct error err = { 0 };
    char endpoint[32];

    (void)state;
    harness_start(&settings);
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", http_server_port(harness.server));
    settings.endpoint = endpoint;
    assert_null(http_server_start(&settings, &harness_service, &err));
    assert_non_null(strstr(err.message, "in use"));
    harness_stop();
}

static int connect_to_path(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void unix_sockets_serve_and_replace_stale_ones(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct error err = { 0 };
    char path[64], file[64];
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/weir_test_%d.sock", (int)getpid());
    settings.endpoint = path;
    settings.transport = "unix";
    close(socket_listen_unix(path, &err)); /* leaves the file behind, as a process that dies does */
    harness_start(&settings);
    fd = connect_to_path(path);
    send_text(fd, small);
    expect_status(fd, 200);
    close(fd);
    assert_null(http_server_start(&settings, &harness_service, &err));
    assert_non_null(strstr(err.message, "in use"));
    harness_stop();
    assert_int_equal(access(path, F_OK), -1);
    snprintf(file, sizeof(file), "/tmp/weir_test_%d.file", (int)getpid());
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    close(fd);
    settings.endpoint = file;
    assert_null(http_server_start(&settings, &harness_service, &err));
    assert_int_equal(access(file, F_OK), 0); /* not ours to remove */
    unlink(file);
}

/* ---- many connections ---- */

static void connections_beyond_the_limit_are_closed(void **state)
{
    struct http_server_settings settings = harness_settings();
    int first, second;

    (void)state;
    settings.max_connections = 1;
    harness_start(&settings);
    first = connect_to_harness();
    send_text(first, small);
    expect_status(first, 200);
    second = connect_to_harness();
    expect_fault("too_many_connections");
    expect_end(second);
    send_text(first, small);
    expect_status(first, 200);
    close(first);
    harness_stop();
}

static void without_file_descriptors_accepting_pauses(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct rlimit before, tight;
    int first, second;

    (void)state;
    harness_start(&settings);
    first = connect_to_harness();
    send_text(first, small);
    expect_status(first, 200);
    second = socket(AF_INET, SOCK_STREAM, 0);
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)second + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    {
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(harness.server)), .sin_addr = { htonl(INADDR_LOOPBACK) }
        };

        assert_int_equal(connect(second, (struct sockaddr *)&address, sizeof(address)), 0);
    }
    expect_fault("no_file_descriptors");
    send_text(first, small);
    expect_status(first, 200); /* the others are served meanwhile */
    setrlimit(RLIMIT_NOFILE, &before);
    send_text(second, small);
    expect_status(second, 200);
    close(first);
    close(second);
    harness_stop();
}

enum { IDLE = 400 };

static void idle_connections_are_small(void **state)
{
    struct http_server_settings settings = harness_settings();
    int fds[IDLE];
    size_t before;

    (void)state;
    harness_start(&settings);
    fds[0] = connect_to_harness();
    send_text(fds[0], small);
    expect_status(fds[0], 200);
    before = mallinfo2().uordblks;
    for (int i = 1; i < IDLE; i++) {
        fds[i] = connect_to_harness();
        send_text(fds[i], small);
        expect_status(fds[i], 200);
    }
    assert_true(mallinfo2().uordblks - before < (size_t)IDLE * 1024);
    for (int i = 0; i < IDLE; i++)
        close(fds[i]);
    harness_stop();
}

/* ---- TLS ---- */

static void requests_come_over_tls(void **state)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    struct tls_settings tls = { 0 };
    struct http_server_settings settings = harness_settings();
    char folder[] = "/tmp/weir_http_XXXXXX", command[256], certificate[64], key[64], body[30000];
    struct buffer received = { 0 };
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof(certificate), "%s/a.crt", folder);
    snprintf(key, sizeof(key), "%s/a.key", folder);
    snprintf(command, sizeof(command),
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s -out %s -subj /CN=a >/dev/null 2>&1", key,
        certificate);
    assert_int_equal(system(command), 0);
    tls.cert_file = certificate;
    tls.key_file = key;
    settings.tls = &tls;
    harness_start(&settings);
    fd = connect_to_harness();
    SSL_set_fd(ssl, fd);
    SSL_set_alpn_protos(ssl, protocols, sizeof(protocols) - 1);
    assert_int_equal(SSL_connect(ssl), 1);
    memset(body, 'x', sizeof(body));
    for (int i = 0; i < 3; i++) {
        char chunk[4096];

        buffer_clear(&received);
        assert_true(SSL_write(ssl, "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n", 56) > 0);
        assert_true(SSL_write(ssl, body, sizeof(body)) > 0);
        while (received.size < sizeof(body) || memcmp(received.data + received.size - 4, "xxxx", 4) != 0) {
            int count = SSL_read(ssl, chunk, sizeof(chunk));

            assert_true(count > 0);
            buffer_append(&received, chunk, (size_t)count);
        }
        assert_non_null(strstr(buffer_string(&received), "\r\n\r\nxxxx"));
    }
    SSL_write(ssl, "GET /echo HTTP/1.0\r\n\r\n", 22);
    while (SSL_read(ssl, body, sizeof(body)) > 0)
        ;
    SSL_free(ssl);
    close(fd);
    fd = connect_to_harness(); /* not TLS at all */
    send_text(fd, small);
    shutdown(fd, SHUT_WR);
    while (recv(fd, body, sizeof(body), 0) > 0)
        ;
    close(fd);
    expect_fault("tls_handshake");
    harness_stop();
    SSL_CTX_free(context);
    buffer_fini(&received);
    unlink(certificate);
    unlink(key);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_connections_are_small),
        cmocka_unit_test(a_head_that_does_not_end_is_given_up),
        cmocka_unit_test(a_body_that_does_not_end_is_given_up),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(a_client_that_does_not_read_is_given_up),
        cmocka_unit_test(a_stop_waits_for_what_was_read_in),
        cmocka_unit_test(an_exchange_may_be_replied_to_after_the_stop),
        cmocka_unit_test(a_server_can_start_again_on_its_port),
        cmocka_unit_test(a_server_that_stops_leaves_the_others_alone),
        cmocka_unit_test(a_server_may_be_stopped_on_its_own_loop),
        cmocka_unit_test(endpoints_are_read),
        cmocka_unit_test(bad_endpoints_are_errors),
        cmocka_unit_test(a_port_in_use_is_an_error),
        cmocka_unit_test(unix_sockets_serve_and_replace_stale_ones),
        cmocka_unit_test(connections_beyond_the_limit_are_closed),
        cmocka_unit_test(without_file_descriptors_accepting_pauses),
        cmocka_unit_test(requests_come_over_tls),
    };

    return cmocka_run_group_tests(tests, start_loops, stop_loops);
}
