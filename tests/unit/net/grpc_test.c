/* gRPC: its syntax, and the server against nghttp2's client. */
#include "collector/base/clock.h"
#include "collector/net/grpc_message.h"
#include "collector/net/grpc_server.h"
#include "collector/net/loop.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/net/http_harness.h"
#include "tests/unit/net/http2_client.h"

enum { MESSAGE_MAX = 100000 };

/* ---- syntax ---- */

static void messages_are_read_wherever_they_are_cut(void **state)
{
    static const uint8_t wire[] = { 1, 0, 0, 0, 4, 'a', 'b', 'c', 'd' };

    (void)state;
    for (size_t cut = 0; cut <= sizeof(wire); cut++) {
        struct grpc_reader reader = { .limit = 4 };
        enum grpc_framing first = grpc_reader_feed(&reader, slice_of(wire, cut));

        assert_int_equal(first, cut == sizeof(wire) ? GRPC_FRAMING_WHOLE : GRPC_FRAMING_MORE);
        assert_int_equal(grpc_reader_feed(&reader, slice_of(wire + cut, sizeof(wire) - cut)), GRPC_FRAMING_WHOLE);
        assert_true(reader.compressed);
        assert_true(slice_equal_string(payload_slice(reader.message), "abcd"));
        assert_int_equal(reader.message->capacity, 4);
        grpc_reader_fini(&reader);
    }
}

static enum grpc_framing feed(const char *wire, size_t size)
{
    struct grpc_reader reader = { .limit = 4 };
    enum grpc_framing framing = grpc_reader_feed(&reader, slice_of(wire, size));

    grpc_reader_fini(&reader);
    return framing;
}

static void bad_messages_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(feed("\0\0\0\0\0", 5), GRPC_FRAMING_WHOLE);
    assert_int_equal(feed("\2\0\0\0\0", 5), GRPC_FRAMING_BAD_FLAG);
    assert_int_equal(feed("\0\0\0\0\5", 5), GRPC_FRAMING_TOO_LARGE);
    assert_int_equal(feed("\0\xff\xff\xff\xff", 5), GRPC_FRAMING_TOO_LARGE);
    assert_int_equal(feed("\0\0\0\0\0\0", 6), GRPC_FRAMING_TRAILING);
    assert_int_equal(feed("\0\0\0\0\1ab", 7), GRPC_FRAMING_TRAILING);
    assert_int_equal(feed("\0\0\0\0\2a", 6), GRPC_FRAMING_MORE);
}

static void timeouts_are_read(void **state)
{
    int64_t ns = 0;

    (void)state;
    assert_true(grpc_parse_timeout(SLICE("1S"), &ns) && ns == NANOS_PER_SECOND);
    assert_true(grpc_parse_timeout(SLICE("250m"), &ns) && ns == 250 * NANOS_PER_MILLI);
    assert_true(grpc_parse_timeout(SLICE("2H"), &ns) && ns == 7200 * NANOS_PER_SECOND);
    assert_true(grpc_parse_timeout(SLICE("3M"), &ns) && ns == 180 * NANOS_PER_SECOND);
    assert_true(grpc_parse_timeout(SLICE("9u"), &ns) && ns == 9000);
    assert_true(grpc_parse_timeout(SLICE("99999999n"), &ns) && ns == 99999999);
    assert_true(grpc_parse_timeout(SLICE("99999999H"), &ns) && ns > 0);
    assert_false(grpc_parse_timeout(SLICE("100000000n"), &ns));
    assert_false(grpc_parse_timeout(SLICE("S"), &ns));
    assert_false(grpc_parse_timeout(SLICE("1"), &ns));
    assert_false(grpc_parse_timeout(SLICE("1s"), &ns));
    assert_false(grpc_parse_timeout(SLICE("-1S"), &ns));
    assert_false(grpc_parse_timeout(SLICE(""), &ns));
}

static void texts_are_percent_encoded(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    grpc_encode_text(&out, SLICE("100% \xc3\xa4\n~"));
    assert_string_equal(buffer_string(&out), "100%25 %C3%A4%0A~");
    buffer_fini(&out);
}

static void retry_details_are_a_status_with_a_retry_info(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    /* as protobuf's own encoder writes Status{14, "busy", [RetryInfo{1.5s}]} */
    grpc_encode_retry_details(&out, GRPC_UNAVAILABLE, SLICE("busy"), 1500 * NANOS_PER_MILLI);
    assert_string_equal(buffer_string(&out), "CA4SBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ");
    buffer_fini(&out);
}

/* ---- the server ---- */

static struct grpc_server *server;
static struct grpc_call *held_call;
static atomic_int refusals;

static bool accept_call(void *context, struct grpc_call *call, struct error *err)
{
    (void)context;
    if (http_exchange_header(grpc_call_exchange(call), "authorization", 0).data == NULL &&
        slice_equal_string(grpc_call_method(call), "/test.Service/Guarded"))
        return (fail)(err, "who are you? 100%%");
    return slice_starts_with(grpc_call_method(call), SLICE("/test.Service/"));
}

static void *reply_on_thread(void *argument)
{
    struct grpc_call *call = argument;
    struct payload *message = grpc_call_take_message(call);

    usleep(1000);
    grpc_reply(call, &(struct grpc_reply){ .status = GRPC_OK, .body = message != NULL ? payload_slice(message) : SLICE("") });
    payload_unref(message);
    return NULL;
}

static void serve_call(void *context, struct grpc_call *call)
{
    struct slice method = grpc_call_method(call);

    (void)context;
    atomic_fetch_add(&harness.served, 1);
    if (slice_equal_string(method, "/test.Service/Hold")) {
        held_call = call;
        sem_post(&harness.holding);
    } else if (slice_equal_string(method, "/test.Service/Busy")) {
        grpc_reply(
            call, &(struct grpc_reply){ .status = GRPC_UNAVAILABLE, .message = SLICE("busy"), .retry_delay_ns = 1500 * NANOS_PER_MILLI });
    } else if (slice_equal_string(method, "/test.Service/Later") && harness.thread_count < THREADS_MAX) {
        pthread_create(&harness.threads[harness.thread_count++], NULL, reply_on_thread, call);
    } else {
        reply_on_thread(call);
    }
}

static void count_refusal(void *context, const char *method, const char *reason)
{
    (void)context;
    assert_non_null(method);
    harness_fault(NULL, "", reason);
    atomic_fetch_add(&refusals, 1);
}

static int start(void **state)
{
    struct grpc_server_settings settings = { .http = { .endpoint = "127.0.0.1:0" }, .max_message = MESSAGE_MAX };
    struct grpc_service service = {
        .admission = { harness_admit, NULL }, .accept = accept_call, .call = serve_call, .refused = count_refusal, .fault = harness_fault
    };
    struct error err = { 0 };

    (void)state;
    memset(&harness, 0, sizeof(harness));
    pthread_mutex_init(&harness.lock, NULL);
    sem_init(&harness.holding, 0, 0);
    atomic_store(&harness.room, SIZE_MAX);
    server = grpc_server_start(&settings, &service, &err);
    return server != NULL ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    grpc_server_stop(server, 5 * NANOS_PER_SECOND);
    harness_stop();
    return 0;
}

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

static const char *const grpc_fields[] = { "content-type", "application/grpc", "te", "trailers", NULL };

struct request {
    const char *method;
    const char *name, *value; /* one more header */
    struct slice wire;
    bool unfinished;
};

/* The answer; its status is in the fields. */
static void make_call(struct http2_client *client, struct client_call *call, const struct request *request)
{
    const char *fields[8] = { "content-type", "application/grpc", "te", "trailers", request->name, request->value, NULL };
    char path[64];

    *call = (struct client_call){ .body = request->wire, .unfinished = request->unfinished };
    snprintf(path, sizeof(path), "%s%s", request->method[0] == '/' ? "" : "/test.Service/", request->method);
    http2_client_start(client, call, path, fields);
    http2_client_wait(client, call);
}

static void expect(struct http2_client *client, const struct request *request, const char *status, const char *message)
{
    struct client_call call;
    char line[256];

    make_call(client, &call, request);
    assert_int_equal(call.status, 200);
    snprintf(line, sizeof(line), "grpc-status: %s\n", status);
    if (!client_call_has(&call, line))
        fail_msg("no %s in %s", line, buffer_string(&call.fields));
    if (message != NULL) {
        snprintf(line, sizeof(line), "grpc-message: %s\n", message);
        if (!client_call_has(&call, line))
            fail_msg("no %s in %s", line, buffer_string(&call.fields));
    }
    client_call_fini(&call);
}

static void open_client(struct http2_client *client)
{
    http2_client_open(client, grpc_server_port(server));
}

static void calls_are_answered(void **state)
{
    static const char *const methods[] = { "Echo", "Later" };
    struct http2_client client;

    (void)state;
    open_client(&client);
    for (int i = 0; i < 10; i++) {
        struct client_call call;

        make_call(&client, &call, &(struct request){ .method = methods[i % 2], .wire = SLICE("\0\0\0\0\5hello") });
        assert_int_equal(call.answer.size, 10);
        assert_memory_equal(call.answer.data, "\0\0\0\0\5hello", 10);
        assert_true(client_call_has(&call, "content-type: application/grpc\n"));
        assert_true(client_call_has(&call, "grpc-status: 0\n"));
        client_call_fini(&call);
    }
    http2_client_close(&client);
}

static void empty_and_large_messages_are_answered(void **state)
{
    uint8_t *wire = calloc(1, GRPC_PREFIX_SIZE + MESSAGE_MAX);
    struct http2_client client;
    struct client_call call;

    (void)state;
    open_client(&client);
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\0\0\0\0\0") }, "0", NULL);
    grpc_write_prefix(wire, MESSAGE_MAX);
    make_call(&client, &call, &(struct request){ .method = "Echo", .wire = slice_of(wire, GRPC_PREFIX_SIZE + MESSAGE_MAX) });
    assert_int_equal(call.answer.size, GRPC_PREFIX_SIZE + MESSAGE_MAX);
    client_call_fini(&call);
    http2_client_close(&client);
    free(wire);
}

static void compressed_messages_are_handed_over_plain(void **state)
{
    static const struct {
        const char *name;
        enum coding coding;
    } codings[] = { { "gzip", CODING_GZIP }, { "zstd", CODING_ZSTD }, { "snappy", CODING_SNAPPY_FRAMED } };
    struct slice text = SLICE("hello hello hello hello");
    struct http2_client client;

    (void)state;
    open_client(&client);
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct buffer packed = { 0 }, wire = { 0 };
        struct request request = { "Echo", "grpc-encoding", codings[i].name, { NULL, 0 }, false };
        struct client_call call;
        uint8_t prefix[GRPC_PREFIX_SIZE];

        assert_true(deflate_parts(codings[i].coding, 0, &text, 1, &packed));
        grpc_write_prefix(prefix, packed.size);
        prefix[0] = 1;
        buffer_append(&wire, prefix, sizeof(prefix));
        buffer_append(&wire, packed.data, packed.size);
        request.wire = buffer_slice(&wire);
        make_call(&client, &call, &request);
        assert_int_equal(call.answer.size, GRPC_PREFIX_SIZE + text.size);
        assert_memory_equal(call.answer.data + GRPC_PREFIX_SIZE, text.data, text.size);
        client_call_fini(&call);
        wire.data[GRPC_PREFIX_SIZE + 3] ^= 0xff;
        expect(&client, &request, "13", NULL);
        buffer_fini(&wire);
        buffer_fini(&packed);
    }
    http2_client_close(&client);
}

static void a_bomb_is_refused(void **state)
{
    uint8_t *zeros = calloc(1, 1024 * 1024), prefix[GRPC_PREFIX_SIZE];
    struct slice part = slice_of(zeros, 1024 * 1024);
    struct buffer packed = { 0 }, wire = { 0 };
    struct http2_client client;

    (void)state;
    open_client(&client);
    assert_true(deflate_parts(CODING_GZIP, 0, &part, 1, &packed));
    grpc_write_prefix(prefix, packed.size);
    prefix[0] = 1;
    buffer_append(&wire, prefix, sizeof(prefix));
    buffer_append(&wire, packed.data, packed.size);
    expect(&client, &(struct request){ "Echo", "grpc-encoding", "gzip", buffer_slice(&wire), false }, "8", NULL);
    expect_fault("too_large");
    http2_client_close(&client);
    buffer_fini(&wire);
    buffer_fini(&packed);
    free(zeros);
}

static void bad_calls_get_the_status_that_real_servers_give(void **state)
{
    struct http2_client client;

    (void)state;
    open_client(&client);
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\0\0\1\x86\xa1") }, "8",
        "grpc: received message larger than max (100001 vs. 100000)");
    expect_fault("too_large");
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\0\0\1\x86\xa1"), .unfinished = true }, "8", NULL);
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\7\0\0\0\0") }, "13", NULL);
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\0\0\0\0\5hell") }, "13", "unexpected EOF");
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\0\0\0") }, "13", "unexpected EOF");
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("") }, "13", NULL);
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\0\0\0\0\1a\0\0\0\0\1b") }, "13", NULL);
    expect(&client, &(struct request){ .method = "Echo", .wire = SLICE("\1\0\0\0\1a") }, "13",
        "grpc: compressed flag set with identity or empty encoding");
    expect(&client, &(struct request){ "Echo", "grpc-encoding", "br", SLICE("\1\0\0\0\1a"), false }, "12",
        "grpc: decompressor is not installed for grpc-encoding \"br\"");
    expect(&client, &(struct request){ "Echo", "grpc-timeout", "soon", SLICE("\0\0\0\0\0"), false }, "13", "malformed grpc-timeout");
    expect(&client, &(struct request){ .method = "/other.Service/Echo", .wire = SLICE("\0\0\0\0\0") }, "12",
        "unknown method /other.Service/Echo");
    expect(&client, &(struct request){ .method = "Guarded", .wire = SLICE("\0\0\0\0\0") }, "16", "who are you? 100%25");
    expect(&client, &(struct request){ "Guarded", "authorization", "me", SLICE("\0\0\0\0\0"), false }, "0", NULL);
    http2_client_close(&client);
}

static void retries_carry_their_delay(void **state)
{
    struct http2_client client;
    struct client_call call;

    (void)state;
    open_client(&client);
    make_call(&client, &call, &(struct request){ .method = "Busy", .wire = SLICE("\0\0\0\0\0") });
    assert_true(client_call_has(&call, "grpc-status: 14\n"));
    assert_true(client_call_has(&call, "grpc-message: busy\n"));
    assert_true(client_call_has(
        &call, "grpc-status-details-bin: CA4SBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ\n"));
    client_call_fini(&call);
    atomic_store(&harness.room, 4);
    make_call(&client, &call, &(struct request){ .method = "Echo", .wire = SLICE("\0\0\0\0\5hello") });
    assert_true(client_call_has(&call, "grpc-status: 14\n"));
    assert_true(client_call_has(&call, "grpc-status-details-bin: "));
    client_call_fini(&call);
    expect_fault("no_memory");
    http2_client_close(&client);
}

static void what_is_not_grpc_is_answered_in_http(void **state)
{
    static const char *const json[] = { "content-type", "application/json", NULL };
    static const char *const plus[] = { "content-type", "application/grpc+proto", NULL };
    struct client_call call = { .body = SLICE("{}") };
    struct http2_client client;
    int fd = connect_to(grpc_server_port(server));

    (void)state;
    send_text(fd, "POST /test.Service/Echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 2\r\n\r\n{}");
    expect_status(fd, 505);
    expect_fault("not_http2");
    close(fd);
    open_client(&client);
    http2_client_start(&client, &call, "/test.Service/Echo", json);
    http2_client_wait(&client, &call);
    assert_int_equal(call.status, 415);
    client_call_fini(&call);
    call = (struct client_call){ .body = SLICE("\0\0\0\0\0") };
    http2_client_start(&client, &call, "/test.Service/Echo", plus);
    http2_client_wait(&client, &call);
    assert_int_equal(call.status, 200);
    client_call_fini(&call);
    http2_client_close(&client);
}

static void a_deadline_is_answered_and_the_late_reply_harmless(void **state)
{
    struct http2_client client;

    (void)state;
    open_client(&client);
    for (int i = 0; i < 5; i++) {
        expect(&client, &(struct request){ "Hold", "grpc-timeout", "20m", SLICE("\0\0\0\0\1a"), false }, "4", NULL);
        sem_wait(&harness.holding);
        grpc_reply(held_call, &(struct grpc_reply){ .status = GRPC_OK });
    }
    expect(&client, &(struct request){ "Echo", "grpc-timeout", "20m", SLICE("\0\0\0\0\5hell"), true }, "4", NULL);
    expect(&client, &(struct request){ "Later", "grpc-timeout", "10S", SLICE("\0\0\0\0\1a"), false }, "0", NULL);
    http2_client_close(&client);
}

static void a_call_whose_client_left_may_be_replied_to(void **state)
{
    struct http2_client client;

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct client_call call = { .body = SLICE("\0\0\0\0\1a") };

        open_client(&client);
        http2_client_start(&client, &call, "/test.Service/Hold", grpc_fields);
        sem_wait(&harness.holding);
        if (i % 2 == 0) {
            nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, call.id, NGHTTP2_CANCEL);
            http2_client_send(&client);
        } else {
            shutdown(client.fd, SHUT_RDWR);
        }
        grpc_reply(held_call, &(struct grpc_reply){ .status = GRPC_INTERNAL, .message = SLICE("late") });
        client_call_fini(&call);
        http2_client_close(&client);
    }
}

int main(void)
{
    const struct CMUnitTest syntax[] = {
        cmocka_unit_test(messages_are_read_wherever_they_are_cut),
        cmocka_unit_test(bad_messages_are_told_apart),
        cmocka_unit_test(timeouts_are_read),
        cmocka_unit_test(texts_are_percent_encoded),
        cmocka_unit_test(retry_details_are_a_status_with_a_retry_info),
    };
    const struct CMUnitTest serving[] = {
        cmocka_unit_test_setup_teardown(calls_are_answered, start, stop),
        cmocka_unit_test_setup_teardown(empty_and_large_messages_are_answered, start, stop),
        cmocka_unit_test_setup_teardown(compressed_messages_are_handed_over_plain, start, stop),
        cmocka_unit_test_setup_teardown(a_bomb_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(bad_calls_get_the_status_that_real_servers_give, start, stop),
        cmocka_unit_test_setup_teardown(retries_carry_their_delay, start, stop),
        cmocka_unit_test_setup_teardown(what_is_not_grpc_is_answered_in_http, start, stop),
        cmocka_unit_test_setup_teardown(a_deadline_is_answered_and_the_late_reply_harmless, start, stop),
        cmocka_unit_test_setup_teardown(a_call_whose_client_left_may_be_replied_to, start, stop),
    };
    int failed = cmocka_run_group_tests(syntax, NULL, NULL);

    return failed + cmocka_run_group_tests(serving, start_loops, stop_loops);
}
