/* The base layer: buffers that stick in failure, arenas, slices, payload accounting, hashes, time. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/arena.h"
#include "collector/base/buffer.h"
#include "collector/base/clock.h"
#include "collector/base/error.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "collector/base/payload.h"

#include <cmocka.h>
#undef fail /* ours is meant */

static void slices_compare_and_trim(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE("abc"), slice_of_string("abc")));
    assert_false(slice_equal(SLICE("abc"), SLICE("abd")));
    assert_true(slice_equal(slice_of(NULL, 0), SLICE("")));
    assert_true(slice_equal_ignoring_case(SLICE("Content-Type"), SLICE("content-TYPE")));
    assert_false(slice_equal_ignoring_case(SLICE("a["), SLICE("a{"))); /* differ in the case bit, but are no letters */
    assert_true(slice_starts_with(SLICE("grpc-status"), SLICE("grpc-")));
    assert_false(slice_starts_with(SLICE("gr"), SLICE("grpc-")));
    assert_true(slice_equal(slice_trim(SLICE(" \t a b \t")), SLICE("a b")));
    assert_int_equal(slice_trim(SLICE(" \t ")).size, 0);
}

static void buffer_keeps_its_limit_and_its_failure(void **state)
{
    struct buffer buffer = { .limit = 100 };

    (void)state;
    for (int i = 0; i < 25; i++)
        buffer_append(&buffer, "1234", 4);
    assert_int_equal(buffer.size, 100);
    assert_false(buffer.failed);
    buffer_append_byte(&buffer, 'x');
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, 100);
    buffer_clear(&buffer);
    assert_false(buffer.failed);
    buffer_append_byte(&buffer, 'x'); /* usable again */
    assert_string_equal(buffer_string(&buffer), "x");
    assert_false(buffer_grow(&buffer, SIZE_MAX));
    buffer_fini(&buffer);
    buffer_fini(&buffer);
}

static void buffer_prints_any_length(void **state)
{
    struct buffer buffer = { 0 };
    char *text = malloc(10001);

    (void)state;
    memset(text, 'a', 10000);
    text[10000] = '\0';
    buffer_printf(&buffer, "%d-%s", 7, text);
    assert_int_equal(buffer.size, 10002);
    assert_int_equal(strlen(buffer_string(&buffer)), 10002);
    free(text);
    buffer_fini(&buffer);
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    struct arena arena = { 0 };

    (void)state;
    for (size_t size = 1; size < 20000; size = size * 3 + 1) {
        uint8_t *memory = arena_alloc(&arena, size);

        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
    }
    assert_string_equal(arena_printf(&arena, "%s/%d", "a", 5), "a/5");
    assert_string_equal(arena_string(&arena, slice_of("abcdef", 3)), "abc");
    arena_fini(&arena);
    arena_fini(&arena);
}

static void payloads_are_charged_with_their_capacity(void **state)
{
    struct payload *payload = payload_create(1000), *larger;

    (void)state;
    assert_int_equal(payload_bytes_in_flight(), 1000);
    memcpy(payload->data, "abc", 3);
    payload->size = 3;
    larger = payload_resize(payload, 5000);
    assert_int_equal(payload_bytes_in_flight(), 5000);
    assert_true(slice_equal(payload_slice(larger), SLICE("abc")));
    payload_ref(larger);
    payload_unref(larger);
    assert_int_equal(payload_bytes_in_flight(), 5000);
    payload_unref(larger);
    payload_unref(NULL);
    assert_int_equal(payload_bytes_in_flight(), 0);
    assert_true(payload_bytes_peak() >= 5000);
    assert_null(payload_create(SIZE_MAX));
}

static void *charge_and_discharge(void *context)
{
    (void)context;
    for (int i = 0; i < 20000; i++)
        payload_unref(payload_create((size_t)(i % 100)));
    return NULL;
}

static void payload_account_is_exact_across_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, charge_and_discharge, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void errors_nest_and_are_cut(void **state)
{
    struct error err;
    char *text = malloc(5000);

    (void)state;
    assert_false(fail(&err, "could not open \"%s\"", "x"));
    assert_false(fail_within(&err, "exporters.%s", "file"));
    assert_string_equal(err.message, "exporters.file: could not open \"x\"");
    memset(text, 'a', 4999);
    text[4999] = '\0';
    fail(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    fail_within(&err, "p");
    assert_int_equal(strncmp(err.message, "p: aaa", 6), 0);
    assert_false(fail(NULL, "nobody listens"));
    free(text);
}

static void hashes_differ_by_content_and_length(void **state)
{
    uint8_t zeros[64] = { 0 };

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        for (size_t k = 0; k < i; k++)
            assert_true(hash_bytes(slice_of(zeros, i)) != hash_bytes(slice_of(zeros, k)));
    }
    assert_true(hash_bytes(SLICE("same")) == hash_bytes(slice_of_string("same")));
}

static void random_numbers_are_spread(void **state)
{
    int low = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        double unit = random_unit();

        assert_true(unit >= 0 && unit < 1);
        low += unit < 0.5;
    }
    assert_true(low > 4000 && low < 6000);
}

static void time_is_printed_as_rfc3339(void **state)
{
    char text[CLOCK_RFC3339_SIZE];

    (void)state;
    clock_format_rfc3339(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000000Z");
    clock_format_rfc3339(1763705228123456789U, text);
    assert_string_equal(text, "2025-11-21T06:07:08.123456789Z");
}

static size_t read_all(int fd, char *out, size_t size)
{
    ssize_t got = pread(fd, out, size - 1, 0);

    assert_true(got >= 0);
    out[got] = '\0';
    return (size_t)got;
}

static void log_escapes_and_thins(void **state)
{
    char path[] = "/tmp/weir-log-XXXXXX", text[65536];
    int fd = mkstemp(path), lines = 0;

    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    log_configure(&(struct log_settings){ LOG_INFO, true, true, 3, 10, 3600 * NANOS_PER_SECOND, fd });
    log_debug(NULL, "not shown");
    log_warn("exporters.otlp", "quote \" and\nnewline");
    for (int i = 0; i < 23; i++)
        log_info(NULL, "again %d", i);
    read_all(fd, text, sizeof(text));
    assert_null(strstr(text, "not shown"));
    assert_non_null(strstr(text, "\"component\":\"exporters.otlp\",\"msg\":\"quote \\\" and\\nnewline\"}"));
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 1 + 3 + 2); /* the first three, then the 13th and the 23rd */
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_and_trim),
        cmocka_unit_test(buffer_keeps_its_limit_and_its_failure),
        cmocka_unit_test(buffer_prints_any_length),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(payloads_are_charged_with_their_capacity),
        cmocka_unit_test(payload_account_is_exact_across_threads),
        cmocka_unit_test(errors_nest_and_are_cut),
        cmocka_unit_test(hashes_differ_by_content_and_length),
        cmocka_unit_test(random_numbers_are_spread),
        cmocka_unit_test(time_is_printed_as_rfc3339),
        cmocka_unit_test(log_escapes_and_thins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
