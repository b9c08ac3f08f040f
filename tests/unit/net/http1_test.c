/* HTTP/1.1 heads and chunks: what is read, what is refused, and input that is cut anywhere. */
#include <stdlib.h>
#include <string.h>

#include "collector/base/buffer.h"
#include "collector/net/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char request[] = "POST /v1/traces?a=b HTTP/1.1\r\n"
                              "Host: localhost:4318\r\n"
                              "Content-Type:application/x-protobuf  \r\n"
                              "X-Empty:\r\n"
                              "CONTENT-LENGTH: 42\r\n"
                              "Connection: foo, Close\r\n"
                              "\r\n";

/* A copy of its exact size, so that reading beyond it is seen. */
static int parse(struct http1_head *head, const char *text, uint8_t **bytes)
{
    const char *reason = NULL;
    size_t size = strlen(text);
    int status;

    *bytes = malloc(size > 0 ? size : 1);
    memcpy(*bytes, text, size);
    status = http1_parse_head(head, *bytes, size, &reason);
    assert_true(status == 0 || reason != NULL);
    return status;
}

#define assert_slice(s, text) assert_true(slice_equal_string(s, text))

static void a_request_is_read(void **state)
{
    struct http1_head head;
    uint8_t *bytes;

    (void)state;
    assert_int_equal(parse(&head, request, &bytes), 0);
    assert_slice(head.head.method, "POST");
    assert_slice(head.head.path, "/v1/traces");
    assert_slice(head.head.query, "a=b");
    assert_slice(head.head.authority, "localhost:4318");
    assert_int_equal(head.head.header_count, 5);
    assert_slice(head.head.headers[1].name, "content-type");
    assert_slice(head.head.headers[1].value, "application/x-protobuf");
    assert_int_equal(head.head.headers[2].value.size, 0);
    assert_true(head.has_length);
    assert_int_equal(head.content_length, 42);
    assert_false(head.keep_alive);
    assert_false(head.chunked);
    free(bytes);
}

static void the_end_is_found_wherever_the_input_is_cut(void **state)
{
    size_t size = sizeof(request) - 1;

    (void)state;
    for (size_t cut = 0; cut <= size; cut++) {
        size_t scanned = 0;
        uint8_t *part = malloc(size);

        memcpy(part, request, cut);
        assert_int_equal(http1_find_end(slice_of(part, cut), &scanned), cut == size ? size : 0);
        memcpy(part, request, size);
        assert_int_equal(http1_find_end(slice_of(part, size), &scanned), size);
        free(part);
    }
}

static void a_head_that_is_cut_is_refused(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof(request) - 1; cut++) {
        struct http1_head head;
        const char *reason;
        uint8_t *part = malloc(cut > 0 ? cut : 1);

        memcpy(part, request, cut);
        assert_int_not_equal(http1_parse_head(&head, part, cut, &reason), 0);
        assert_non_null(reason);
        free(part);
    }
}

static void bad_heads_are_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        { "\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n\r\n", 400 }, /* no Host */
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\nHost: a\n\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
        { "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
        { "GET /\r\nHost: a\r\n\r\n", 400 },
        { "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET / FTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
        { "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505 },
        { "GET no-slash HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n folded\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501 },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501 },
        { "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417 },
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", 400 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_head head;
        uint8_t *bytes;
        int status = parse(&head, cases[i].text, &bytes);

        if (status != cases[i].status)
            fail_msg("%d instead of %d: %s", status, cases[i].status, cases[i].text);
        free(bytes);
    }
}

static void odd_but_good_heads_are_read(void **state)
{
    struct http1_head head;
    uint8_t *bytes;

    (void)state;
    assert_int_equal(parse(&head, "\r\nGET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &bytes), 0);
    assert_true(head.http10 && head.keep_alive && !head.has_length);
    free(bytes);
    assert_int_equal(parse(&head, "GET / HTTP/1.0\r\n\r\n", &bytes), 0);
    assert_false(head.keep_alive);
    free(bytes);
    assert_int_equal(parse(&head, "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", &bytes), 0);
    assert_slice(head.head.path, "*");
    free(bytes);
    assert_int_equal(parse(&head, "GET http://a.b/c?d HTTP/1.1\r\nHost: a.b\r\n\r\n", &bytes), 0);
    assert_slice(head.head.path, "/c");
    assert_slice(head.head.query, "d");
    free(bytes);
    assert_int_equal(parse(&head, "GET http://a.b HTTP/1.1\r\nHost: a.b\r\n\r\n", &bytes), 0);
    assert_slice(head.head.path, "/");
    free(bytes);
    assert_int_equal(parse(&head, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n", &bytes), 0);
    assert_true(head.chunked && head.expects_continue && head.keep_alive);
    free(bytes);
}

static void floods_are_refused(void **state)
{
    struct buffer text = { 0 };
    struct http1_head head;
    uint8_t *bytes;

    (void)state;
    buffer_append_string(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        buffer_append_string(&text, "x: y\r\n");
    buffer_append_string(&text, "\r\n");
    assert_int_equal(parse(&head, buffer_string(&text), &bytes), 431);
    free(bytes);
    buffer_clear(&text);
    buffer_append_string(&text, "GET /");
    for (int i = 0; i < HTTP1_TARGET_MAX; i++)
        buffer_append_byte(&text, 'a');
    buffer_append_string(&text, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(parse(&head, buffer_string(&text), &bytes), 414);
    free(bytes);
    buffer_fini(&text);
}

static void a_preface_is_told_from_a_request(void **state)
{
    const char text[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    (void)state;
    for (size_t i = 1; i < sizeof(text) - 1; i++)
        assert_int_equal(http1_preface(slice_of(text, i)), HTTP1_PREFACE_PART);
    assert_int_equal(http1_preface(slice_of(text, sizeof(text) - 1)), HTTP1_PREFACE);
    assert_int_equal(http1_preface(SLICE("PRI * HTTP/2.0\r\n\r\nXX")), HTTP1_NO_PREFACE);
    assert_int_equal(http1_preface(SLICE("POST / HTTP/1.1")), HTTP1_NO_PREFACE);
}

/* ---- chunks ---- */

static void feed(struct http1_chunks *chunks, const char *text, size_t size, struct buffer *out)
{
    uint8_t *bytes = calloc(1, size + 1);
    struct slice in = slice_of(bytes, size), run;

    memcpy(bytes, text, size);
    do {
        run = http1_chunks_next(chunks, &in);
        buffer_append_slice(out, run);
    } while (run.size > 0);
    free(bytes);
}

static const char body[] = "4\r\nWiki\r\n006;name=value\r\npedia \r\nE \r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n";

static void chunks_are_read_wherever_they_are_cut(void **state)
{
    size_t size = sizeof(body) - 1;

    (void)state;
    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second += 3) {
            struct http1_chunks chunks = { 0 };
            struct buffer out = { 0 };

            feed(&chunks, body, first, &out);
            feed(&chunks, body + first, second - first, &out);
            assert_int_equal(chunks.state == HTTP1_CHUNKS_DONE, second == size);
            feed(&chunks, body + second, size - second, &out);
            assert_int_equal(chunks.state, HTTP1_CHUNKS_DONE);
            assert_string_equal(buffer_string(&out), "Wikipedia in \r\n\r\nchunks.");
            buffer_fini(&out);
        }
    }
}

static void what_follows_the_last_chunk_is_left(void **state)
{
    struct http1_chunks chunks = { 0 };
    struct slice in = SLICE("1\r\na\r\n0\r\n\r\nGET");

    (void)state;
    assert_slice(http1_chunks_next(&chunks, &in), "a");
    assert_int_equal(http1_chunks_next(&chunks, &in).size, 0);
    assert_int_equal(chunks.state, HTTP1_CHUNKS_DONE);
    assert_slice(in, "GET");
}

static void bad_chunks_are_refused(void **state)
{
    static const char *const cases[] = { "\r\n", "x\r\n", "-1\r\n", "4\nWiki", "4\r\nWikix", "4\r\nWiki\n", "4\r\r",
        "1234567890abcdef0\r\n", "0\r\nTrailer\n", "0\r\n\rx", "4;\n", " 4\r\n", "4\r\nWiki\r\r" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_chunks chunks = { 0 };
        struct buffer out = { 0 };

        feed(&chunks, cases[i], strlen(cases[i]), &out);
        if (chunks.state != HTTP1_CHUNKS_BAD)
            fail_msg("not refused: %s", cases[i]);
        buffer_fini(&out);
    }
}

static void extensions_and_trailers_are_bounded(void **state)
{
    struct http1_chunks chunks = { 0 };
    struct buffer out = { 0 };

    (void)state;
    for (int i = 0; i < 20000 && chunks.state != HTTP1_CHUNKS_BAD; i++)
        feed(&chunks, "1;x\r\na\r\n", 8, &out);
    assert_int_equal(chunks.state, HTTP1_CHUNKS_BAD);
    chunks = (struct http1_chunks){ 0 };
    feed(&chunks, "0\r\n", 3, &out);
    for (int i = 0; i < 20000 && chunks.state != HTTP1_CHUNKS_BAD; i++)
        feed(&chunks, "a:b\r\n", 5, &out);
    assert_int_equal(chunks.state, HTTP1_CHUNKS_BAD);
    buffer_fini(&out);
}

/* ---- header values ---- */

static void lists_and_lengths_are_read(void **state)
{
    uint64_t length = 0;

    (void)state;
    assert_true(http_list_has(SLICE("a, Keep-Alive ,b"), "keep-alive"));
    assert_true(http_list_has(SLICE("close"), "close"));
    assert_false(http_list_has(SLICE("closer, clos"), "close"));
    assert_false(http_list_has(SLICE(""), "close"));
    assert_true(http_parse_length(SLICE("000123"), &length));
    assert_int_equal(length, 123);
    assert_true(http_parse_length(SLICE("999999999999999999"), &length));
    assert_false(http_parse_length(SLICE("1000000000000000000"), &length));
    assert_false(http_parse_length(SLICE("1 "), &length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(the_end_is_found_wherever_the_input_is_cut),
        cmocka_unit_test(a_head_that_is_cut_is_refused),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(odd_but_good_heads_are_read),
        cmocka_unit_test(floods_are_refused),
        cmocka_unit_test(a_preface_is_told_from_a_request),
        cmocka_unit_test(chunks_are_read_wherever_they_are_cut),
        cmocka_unit_test(what_follows_the_last_chunk_is_left),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(lists_and_lengths_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
