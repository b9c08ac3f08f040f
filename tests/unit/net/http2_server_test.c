/* The HTTP server over HTTP/2, against nghttp2's client. */
#include "collector/base/clock.h"
#include "collector/net/http_server.h"
#include "collector/net/loop.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/net/http_harness.h"
#include "tests/unit/net/http2_client.h"

static int start_loops(void **state)
{
    struct error err = { 0 };

    (void)state;
    return loops_start(2, &err) ? 0 : -1;
}

static int stop_loops(void **state)
{
    (void)state;
    loops_stop();
    return 0;
}

static int setup(void **state)
{
    struct http_server_settings settings = harness_settings();

    (void)state;
    harness_start(&settings);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_stop();
    return 0;
}

static void open_client(struct http2_client *client)
{
    http2_client_open(client, http_server_port(harness.server));
}

static void bodies_come_back(void **state)
{
    static const char *const with_length[] = { "content-length", "1000000", NULL };
    uint8_t *body = malloc(1000000);
    struct http2_client client;

    (void)state;
    for (size_t i = 0; i < 1000000; i++)
        body[i] = (uint8_t)(i * 13);
    open_client(&client);
    for (int i = 0; i < 4; i++) {
        struct client_call call = { .body = slice_of(body, 1000000) };

        http2_client_start(&client, &call, i % 2 == 0 ? "/echo?q=1" : "/later", i < 2 ? NULL : with_length);
        http2_client_wait(&client, &call);
        assert_int_equal(call.status, 200);
        assert_int_equal(call.answer.size, 1000000);
        assert_memory_equal(call.answer.data, body, 1000000);
        assert_true(client_call_has(&call, "content-length: 1000000\n"));
        assert_true(client_call_has(&call, "x-method: POST\n"));
        assert_true(i % 2 != 0 || client_call_has(&call, "x-query: q=1\n"));
        client_call_fini(&call);
    }
    http2_client_close(&client);
    free(body);
}

enum { STREAMS = 80 };

static void streams_run_side_by_side(void **state)
{
    struct client_call calls[STREAMS] = { 0 };
    char text[STREAMS][16];
    struct http2_client client;

    (void)state;
    open_client(&client);
    for (size_t i = 0; i < STREAMS; i++) {
        snprintf(text[i], sizeof(text[i]), "body %zu", i);
        calls[i].body = slice_of_string(text[i]);
        http2_client_start(&client, &calls[i], i % 2 == 0 ? "/later" : "/trailers", NULL);
    }
    for (size_t i = 0; i < STREAMS; i++) {
        http2_client_wait(&client, &calls[i]);
        assert_int_equal(calls[i].status, 200);
        assert_string_equal(buffer_string(&calls[i].answer), text[i]);
        assert_int_equal(client_call_has(&calls[i], "x-trailer: end\n"), i % 2 != 0);
        client_call_fini(&calls[i]);
    }
    http2_client_close(&client);
}

static void expect_call(struct http2_client *client, const char *path, const char *const *fields, int status)
{
    struct client_call call = { .body = SLICE("some bytes of a body") };

    http2_client_start(client, &call, path, fields);
    http2_client_wait(client, &call);
    assert_int_equal(call.status, status);
    client_call_fini(&call);
}

static void refusals_leave_the_connection_alone(void **state)
{
    static const char *const unknown[] = { "content-encoding", "br", NULL };
    static const char *const corrupt[] = { "content-encoding", "gzip", NULL };
    static const char *const large[] = { "content-length", "99999999", NULL };
    struct client_call unfinished = { .body = SLICE("part"), .unfinished = true };
    struct http2_client client;

    (void)state;
    open_client(&client);
    expect_call(&client, "/refused", NULL, 401);
    expect_call(&client, "/echo", unknown, 415);
    expect_call(&client, "/echo", corrupt, 400);
    atomic_store(&harness.room, 3);
    expect_call(&client, "/echo", NULL, 503);
    atomic_store(&harness.room, SIZE_MAX);
    http2_client_start(&client, &unfinished, "/echo", large);
    http2_client_wait(&client, &unfinished);
    assert_int_equal(unfinished.status, 413);
    client_call_fini(&unfinished);
    expect_call(&client, "/echo", NULL, 200);
    http2_client_close(&client);
}

static void a_body_that_grows_too_large_is_refused(void **state)
{
    uint8_t *body = calloc(1, 3 * 1024 * 1024);
    struct client_call call = { .body = slice_of(body, 3 * 1024 * 1024) };
    struct http2_client client;

    (void)state;
    open_client(&client);
    http2_client_start(&client, &call, "/echo", NULL);
    http2_client_wait(&client, &call);
    assert_int_equal(call.status, 413);
    expect_call(&client, "/echo", NULL, 200);
    client_call_fini(&call);
    http2_client_close(&client);
    free(body);
}

static void floods_of_headers_are_refused(void **state)
{
    const char *fields[2 * 140 + 1] = { NULL };
    static char value[20000], path[9000];
    const char *const large[] = { "x-large", value, NULL };
    struct http2_client client;

    (void)state;
    open_client(&client);
    for (size_t i = 0; i < 140; i++) {
        fields[2 * i] = "x-many";
        fields[2 * i + 1] = "y";
    }
    expect_call(&client, "/echo", fields, 431);
    expect_fault("large_head");
    memset(value, 'v', sizeof(value) - 1);
    expect_call(&client, "/echo", large, 431);
    memset(path, '/', sizeof(path) - 1);
    expect_call(&client, path, NULL, 414);
    expect_call(&client, "/echo", NULL, 200);
    http2_client_close(&client);
}

static void a_stream_that_is_reset_leaves_its_exchange(void **state)
{
    struct http2_client client;

    (void)state;
    open_client(&client);
    for (int i = 0; i < 20; i++) {
        struct client_call call = { .body = SLICE("hello") }, unfinished = { .body = SLICE("hello"), .unfinished = true };

        http2_client_start(&client, &call, "/hold", NULL);
        http2_client_start(&client, &unfinished, "/hold", NULL);
        sem_wait(&harness.holding);
        nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, call.id, NGHTTP2_CANCEL);
        nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, unfinished.id, NGHTTP2_CANCEL);
        http2_client_send(&client);
        if (i % 2 == 0)
            expect_fault("truncated_body"); /* the resets have arrived */
        harness_echo(harness.held);
        client_call_fini(&call);
        client_call_fini(&unfinished);
    }
    expect_call(&client, "/echo", NULL, 200);
    http2_client_close(&client);
}

static void a_connection_that_ends_leaves_its_exchanges(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct client_call call = { .body = SLICE("hello") };
        struct http2_client client;

        open_client(&client);
        http2_client_start(&client, &call, "/hold", NULL);
        sem_wait(&harness.holding);
        http2_client_close(&client);
        harness_echo(harness.held);
        client_call_fini(&call);
    }
}

static void large_answers_obey_the_window(void **state)
{
    struct client_call call = { .body = SLICE("x") };
    struct http2_client client;

    (void)state;
    open_client(&client);
    http2_client_start(&client, &call, "/big", NULL);
    http2_client_wait(&client, &call);
    assert_int_equal(call.answer.size, 8 * 1024 * 1024);
    client_call_fini(&call);
    http2_client_close(&client);
}

static void nonsense_ends_the_connection(void **state)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    char rest[256];
    int fd = connect_to_harness();

    (void)state;
    send_text(fd, preface);
    memset(rest, 0xff, sizeof(rest));
    send_bytes(fd, rest, sizeof(rest));
    while (recv(fd, rest, sizeof(rest), 0) > 0)
        ;
    close(fd);
    for (size_t cut = 1; cut < sizeof(preface) - 1; cut++) {
        fd = connect_to_harness();
        send_bytes(fd, preface, cut);
        usleep(300);
        if (cut % 2 == 0) {
            send_text(fd, preface + cut);
            send_bytes(fd, "\0\0\0\4\0\0\0\0\0", 9); /* empty SETTINGS */
            assert_int_equal(recv(fd, rest, 9, MSG_WAITALL), 9);
            assert_int_equal(rest[3], NGHTTP2_SETTINGS);
        }
        close(fd);
    }
}

/* ---- the end of a connection ---- */

static void *stop_server(void *argument)
{
    (void)argument;
    http_server_stop(harness.server, 20 * NANOS_PER_SECOND);
    return NULL;
}

static void a_stop_lets_streams_end(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct client_call call = { .body = SLICE("hello") }, late = { .body = SLICE("late") };
    struct http2_client client;
    pthread_t thread;

    (void)state;
    harness_start(&settings);
    open_client(&client);
    http2_client_start(&client, &call, "/hold", NULL);
    sem_wait(&harness.holding);
    pthread_create(&thread, NULL, stop_server, NULL);
    while (!client.goaway)
        http2_client_receive(&client);
    assert_int_equal(client.goaway_code, NGHTTP2_NO_ERROR);
    assert_int_equal(client.goaway_last, 0x7fffffff); /* a notice first */
    client.goaway = false;
    while (!client.goaway) {
        http2_client_send(&client); /* the ping's answer */
        http2_client_receive(&client);
    }
    assert_int_equal(client.goaway_last, call.id);
    harness_echo(harness.held);
    http2_client_wait(&client, &call);
    assert_int_equal(call.status, 200);
    while (!client.ended)
        http2_client_receive(&client);
    pthread_join(thread, NULL);
    harness.server = NULL;
    client_call_fini(&call);
    client_call_fini(&late);
    http2_client_close(&client);
    harness_stop();
}

static void an_old_connection_is_sent_away(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct http2_client client;

    (void)state;
    settings.max_connection_age_ns = 20 * NANOS_PER_MILLI;
    settings.max_connection_age_grace_ns = 20 * NANOS_PER_MILLI;
    harness_start(&settings);
    open_client(&client);
    while (!client.ended) {
        http2_client_send(&client);
        http2_client_receive(&client);
    }
    assert_true(client.goaway);
    assert_int_equal(client.goaway_code, NGHTTP2_NO_ERROR);
    http2_client_close(&client);
    harness_stop();
}

static void an_idle_connection_is_sent_away(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct http2_client client;

    (void)state;
    settings.idle_timeout_ns = 20 * NANOS_PER_MILLI;
    harness_start(&settings);
    open_client(&client);
    expect_call(&client, "/echo", NULL, 200);
    while (!client.ended) {
        http2_client_send(&client);
        http2_client_receive(&client);
    }
    assert_true(client.goaway);
    http2_client_close(&client);
    harness_stop();
}

static void a_dead_connection_is_noticed(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct http2_client client;

    (void)state;
    settings.keepalive_time_ns = 20 * NANOS_PER_MILLI;
    settings.keepalive_timeout_ns = 20 * NANOS_PER_MILLI;
    harness_start(&settings);
    open_client(&client);
    expect_call(&client, "/echo", NULL, 200);
    expect_fault("keepalive_timeout"); /* nobody reads, so nobody answers the ping */
    http2_client_close(&client);
    harness_stop();
}

static void too_many_pings_end_the_connection(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct http2_client client;

    (void)state;
    settings.min_ping_interval_ns = 60 * NANOS_PER_SECOND;
    harness_start(&settings);
    open_client(&client);
    for (int i = 0; i < 4; i++) {
        nghttp2_submit_ping(client.session, NGHTTP2_FLAG_NONE, NULL);
        http2_client_send(&client);
    }
    while (!client.ended)
        http2_client_receive(&client);
    assert_int_equal(client.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_string_equal(client.goaway_text, "too_many_pings");
    http2_client_close(&client);
    harness_stop();
}

static void slow_requests_are_given_up(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct client_call call = { .body = SLICE("hello"), .unfinished = true };
    struct http2_client client;

    (void)state;
    settings.read_timeout_ns = 20 * NANOS_PER_MILLI;
    harness_start(&settings);
    open_client(&client);
    http2_client_start(&client, &call, "/echo", NULL);
    http2_client_wait(&client, &call);
    assert_int_equal(call.status, 408);
    expect_call(&client, "/echo", NULL, 200);
    client_call_fini(&call);
    http2_client_close(&client);
    harness_stop();
}

static void resets_without_end_end_the_connection(void **state)
{
    struct http_server_settings settings = harness_settings();
    struct http2_client client;

    (void)state;
    harness_start(&settings);
    open_client(&client);
    for (int i = 0; i < 3000 && !client.ended; i++) {
        struct client_call call = { .body = SLICE(""), .unfinished = true };

        http2_client_start(&client, &call, "/echo", NULL);
        nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, call.id, NGHTTP2_CANCEL);
        nghttp2_session_set_stream_user_data(client.session, call.id, NULL);
        http2_client_send(&client);
        client_call_fini(&call);
    }
    while (!client.ended)
        http2_client_receive(&client);
    assert_true(client.goaway || client.ended);
    http2_client_close(&client);
    harness_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bodies_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_run_side_by_side, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_leave_the_connection_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_that_grows_too_large_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(floods_of_headers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_is_reset_leaves_its_exchange, setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_that_ends_leaves_its_exchanges, setup, teardown),
        cmocka_unit_test_setup_teardown(large_answers_obey_the_window, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_ends_the_connection, setup, teardown),
        cmocka_unit_test(a_stop_lets_streams_end),
        cmocka_unit_test(an_old_connection_is_sent_away),
        cmocka_unit_test(an_idle_connection_is_sent_away),
        cmocka_unit_test(a_dead_connection_is_noticed),
        cmocka_unit_test(too_many_pings_end_the_connection),
        cmocka_unit_test(slow_requests_are_given_up),
        cmocka_unit_test(resets_without_end_end_the_connection),
    };

    return cmocka_run_group_tests(tests, start_loops, stop_loops);
}
