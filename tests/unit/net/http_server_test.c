/* The HTTP server over HTTP/1.1, spoken to byte by byte where that matters. */
#include "collector/base/clock.h"
#include "collector/net/http_server.h"
#include "collector/net/loop.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/net/http_harness.h"

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

static void expect_body(int fd, const char *text)
{
    struct answer answer;

    assert_int_equal(read_answer(fd, &answer), 200);
    assert_string_equal(buffer_string(&answer.body), text);
    buffer_fini(&answer.body);
}

static const char small[] = "POST /echo?q HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

/* ---- requests that are served ---- */

static void requests_follow_each_other(void **state)
{
    int fd = connect_to_harness();

    (void)state;
    for (int i = 0; i < 10; i++) {
        send_text(fd, small);
        expect_body(fd, "hello");
    }
    close(fd);
}

static void a_request_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < sizeof(small) - 1; cut++) {
        int fd = connect_to_harness();

        send_bytes(fd, small, cut);
        usleep(500);
        send_text(fd, small + cut);
        expect_body(fd, "hello");
        send_text(fd, small);
        expect_body(fd, "hello");
        close(fd);
    }
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct buffer text = { 0 };
    int fd = connect_to_harness();

    (void)state;
    for (int i = 0; i < 200; i++)
        buffer_printf(&text, "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%04d", i % 3 == 0 ? "later" : "echo", i);
    send_bytes(fd, text.data, text.size);
    for (int i = 0; i < 200; i++) {
        char expected[8];

        snprintf(expected, sizeof(expected), "%04d", i);
        expect_body(fd, expected);
    }
    buffer_fini(&text);
    close(fd);
}

static void pipelined_requests_without_bodies_are_all_answered(void **state)
{
    int fd = connect_to_harness();

    (void)state;
    for (int i = 0; i < 20; i++)
        send_text(fd, "GET /refused HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        expect_status(fd, 401);
        expect_status(fd, 200);
    }
    close(fd);
}

static void bodies_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = { 0, 1, 3900, 4096, 5000, 70000, 300000, 1024 * 1024 };
    int fd = connect_to_harness();

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buffer text = { 0 };
        struct answer answer;

        buffer_printf(&text, "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", i % 2 == 0 ? "echo" : "later", sizes[i]);
        for (size_t at = 0; at < sizes[i]; at++)
            buffer_append_byte(&text, (uint8_t)(at * 7));
        send_bytes(fd, text.data, text.size);
        assert_int_equal(read_answer(fd, &answer), 200);
        assert_int_equal(answer.body.size, sizes[i]);
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(answer.body.data[at], (uint8_t)(at * 7));
        buffer_fini(&answer.body);
        buffer_fini(&text);
    }
    close(fd);
}

static void chunked_bodies_are_put_together(void **state)
{
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n1;x\r\n \r\n5\r\nworld\r\n0\r\nT: x\r\n\r\n";
    int fd = connect_to_harness();

    (void)state;
    for (size_t cut = 60; cut < sizeof(text) - 1; cut++) {
        send_bytes(fd, text, cut);
        usleep(300);
        send_text(fd, text + cut);
        send_text(fd, small);
        expect_body(fd, "hello world");
        expect_body(fd, "hello");
    }
    close(fd);
}

static void a_long_chunked_body_is_put_together(void **state)
{
    struct buffer text = { 0 };
    struct answer answer;
    int fd = connect_to_harness();

    (void)state;
    buffer_append_string(&text, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 5000; i++)
        buffer_printf(&text, "64\r\n%0100d\r\n", i);
    buffer_append_string(&text, "0\r\n\r\n");
    send_bytes(fd, text.data, text.size);
    assert_int_equal(read_answer(fd, &answer), 200);
    assert_int_equal(answer.body.size, 500000);
    for (size_t i = 0; i < 5000; i++) {
        char number[101];

        snprintf(number, sizeof(number), "%0100d", (int)i);
        assert_memory_equal(answer.body.data + i * 100, number, 100);
    }
    buffer_fini(&answer.body);
    buffer_fini(&text);
    close(fd);
}

static void a_client_that_expects_it_is_told_to_continue(void **state)
{
    int fd = connect_to_harness();

    (void)state;
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    expect_status(fd, 100);
    send_text(fd, "hello");
    expect_body(fd, "hello");
    send_text(fd, "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    expect_status(fd, 401);
    expect_end(fd);
}

static void head_and_old_clients_get_what_they_know(void **state)
{
    struct answer answer;
    int fd = connect_to_harness();

    (void)state;
    send_text(fd, "HEAD /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    read_head_of(fd, &answer);
    assert_non_null(strstr(answer.head, "Content-Length: 5\r\n"));
    send_text(fd, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    read_head_of(fd, &answer);
    assert_non_null(strstr(answer.head, "Connection: keep-alive\r\n"));
    send_text(fd, "GET /echo HTTP/1.0\r\n\r\n");
    read_head_of(fd, &answer);
    assert_non_null(strstr(answer.head, "Connection: close\r\n"));
    expect_end(fd);
}

static void a_client_may_close_its_half_and_still_get_its_answer(void **state)
{
    int fd = connect_to_harness();

    (void)state;
    send_text(fd, "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    shutdown(fd, SHUT_WR);
    expect_body(fd, "hello");
    expect_end(fd);
}

static void a_large_answer_goes_to_a_slow_reader(void **state)
{
    struct answer answer;
    int fd = connect_to_harness();

    (void)state;
    send_text(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    usleep(50000);
    assert_int_equal(read_answer(fd, &answer), 200);
    assert_int_equal(answer.body.size, 8 * 1024 * 1024);
    buffer_fini(&answer.body);
    expect_body(fd, "");
    close(fd);
}

/* ---- requests that are refused ---- */

static void bad_heads_are_answered_and_told(void **state)
{
    static const struct {
        const char *text;
        int status;
        const char *reason;
    } cases[] = {
        { "NONSENSE\r\n\r\n", 400, "bad_target" },
        { "GET / HTTP/1.1\r\n\r\n", 400, "bad_host" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_transfer_encoding" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, "bad_content_length" },
        { "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "bad_version" },
        { "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello world\r\n", 400, "bad_chunk" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = connect_to_harness();

        send_text(fd, cases[i].text);
        expect_status(fd, cases[i].status);
        expect_fault(cases[i].reason);
        expect_end(fd);
    }
}

static void floods_of_headers_end_with_a_status(void **state)
{
    struct buffer text = { 0 };
    int fd = connect_to_harness();

    (void)state;
    buffer_append_string(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 20000; i++)
        buffer_printf(&text, "x%d: y\r\n", i);
    send_bytes(fd, text.data, text.size);
    expect_status(fd, 431);
    expect_fault("large_head");
    expect_end(fd);
    buffer_clear(&text);
    buffer_append_string(&text, "GET /");
    for (int i = 0; i < 100000; i++)
        buffer_append_byte(&text, 'a');
    fd = connect_to_harness();
    send_bytes(fd, text.data, text.size);
    expect_status(fd, 414);
    expect_fault("long_target");
    expect_end(fd);
    buffer_fini(&text);
}

static void a_body_that_is_refused_is_skipped(void **state)
{
    int fd = connect_to_harness();

    (void)state;
    for (int i = 0; i < 3; i++) {
        send_text(fd, "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nnever rea");
        send_text(fd, small);
        expect_status(fd, 401);
        expect_body(fd, "hello");
        send_text(fd, "POST /refused HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        usleep(1000);
        send_text(fd, "0\r\n\r\n");
        send_text(fd, small);
        expect_status(fd, 401);
        expect_body(fd, "hello");
    }
    close(fd);
}

static void a_body_that_is_too_large_is_refused_unread(void **state)
{
    struct buffer junk = { 0 };
    int fd = connect_to_harness();

    (void)state;
    for (int i = 0; i < 1200 * 1024; i++)
        buffer_append_byte(&junk, 'x');
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n");
    expect_status(fd, 413);
    send_bytes(fd, junk.data, junk.size); /* read and dropped, so that the answer gets through */
    expect_end(fd);
    fd = connect_to_harness();
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n124f80\r\n");
    send_bytes(fd, junk.data, junk.size);
    expect_status(fd, 413);
    close(fd);
    buffer_fini(&junk);
    assert_int_equal(atomic_load(&harness.served), 0);
}

static void without_memory_requests_are_told_so(void **state)
{
    int fd = connect_to_harness();

    (void)state;
    atomic_store(&harness.room, 4);
    send_text(fd, small);
    expect_status(fd, 503);
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    expect_status(fd, 503);
    atomic_store(&harness.room, SIZE_MAX);
    send_text(fd, small);
    expect_body(fd, "hello");
    close(fd);
}

static void post_coded(int fd, const char *coding, struct slice body)
{
    struct buffer text = { 0 };

    buffer_printf(&text, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", coding, body.size);
    buffer_append_slice(&text, body);
    send_bytes(fd, text.data, text.size);
    buffer_fini(&text);
}

static void compressed_bodies_are_handed_over_plain(void **state)
{
    static const enum coding codings[] = { CODING_GZIP, CODING_ZLIB, CODING_ZSTD, CODING_SNAPPY, CODING_LZ4 };
    struct slice hello = SLICE("hello hello hello");
    int fd = connect_to_harness();

    (void)state;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct buffer packed = { 0 };

        assert_true(deflate_parts(codings[i], 0, &hello, 1, &packed));
        post_coded(fd, coding_name(codings[i]), buffer_slice(&packed));
        expect_body(fd, "hello hello hello");
        post_coded(fd, coding_name(codings[i]), slice_of(packed.data, packed.size - 1));
        expect_status(fd, 400);
        buffer_fini(&packed);
    }
    post_coded(fd, "identity", hello);
    expect_body(fd, "hello hello hello");
    post_coded(fd, "br", hello);
    expect_status(fd, 415);
    post_coded(fd, "gzip, gzip", hello);
    expect_status(fd, 415);
    close(fd);
}

static void a_bomb_is_refused(void **state)
{
    struct buffer packed = { 0 };
    uint8_t *zeros = calloc(1, 2 * 1024 * 1024);
    struct slice part = slice_of(zeros, 2 * 1024 * 1024);
    int fd = connect_to_harness();

    (void)state;
    assert_true(deflate_parts(CODING_GZIP, 0, &part, 1, &packed));
    post_coded(fd, "gzip", buffer_slice(&packed));
    expect_status(fd, 413);
    send_text(fd, small);
    expect_body(fd, "hello");
    close(fd);
    buffer_fini(&packed);
    free(zeros);
}

static void a_body_that_ends_early_is_told(void **state)
{
    int fd = connect_to_harness();

    (void)state;
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
    shutdown(fd, SHUT_WR);
    expect_fault("truncated_body");
    expect_end(fd);
    fd = connect_to_harness();
    send_text(fd, "POST /echo HT");
    shutdown(fd, SHUT_WR);
    expect_fault("truncated_head");
    expect_end(fd);
    assert_int_equal(atomic_load(&harness.served), 0);
}

static void a_client_that_leaves_does_not_take_its_exchange_along(void **state)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = connect_to_harness();

        send_text(fd, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        sem_wait(&harness.holding);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
        if (i % 2 == 0)
            usleep(1000);
        harness_echo(harness.held);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_may_be_cut_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(pipelined_requests_are_answered_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(pipelined_requests_without_bodies_are_all_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_of_every_size_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(chunked_bodies_are_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_chunked_body_is_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_expects_it_is_told_to_continue, setup, teardown),
        cmocka_unit_test_setup_teardown(head_and_old_clients_get_what_they_know, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_may_close_its_half_and_still_get_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_answer_goes_to_a_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_heads_are_answered_and_told, setup, teardown),
        cmocka_unit_test_setup_teardown(floods_of_headers_end_with_a_status, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_that_is_refused_is_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_that_is_too_large_is_refused_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_requests_are_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(compressed_bodies_are_handed_over_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bomb_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_that_ends_early_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_does_not_take_its_exchange_along, setup, teardown),
    };

    return cmocka_run_group_tests(tests, start_loops, stop_loops);
}
