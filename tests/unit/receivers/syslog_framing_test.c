/* Lines, NUL and octet counting, however the bytes come. */
#include <setjmp.h>
#include <stdarg.h>

#include "receivers/syslog/framing.h"

#include <cmocka.h>

enum { FRAMES_MAX = 8 };

struct result {
    struct slice texts[FRAMES_MAX], messages[FRAMES_MAX];
    size_t count, left;
    enum frame_read last;
};

/* Feeds the bytes in pieces of `step`, as a session would see them. */
static struct result read_all(const struct framing *framing, struct slice bytes, size_t step)
{
    struct result result = { .last = FRAME_MORE };
    size_t used = 0, come = 0, scanned = 0;
    struct frame frame;

    while (come < bytes.size && result.last != FRAME_BAD) {
        come = come + step < bytes.size ? come + step : bytes.size;
        while (
            used < come && (result.last = frame_read(framing, slice_of(bytes.data + used, come - used), &scanned, &frame)) == FRAME_WHOLE) {
            assert_true(result.count < FRAMES_MAX && frame.size > 0);
            result.texts[result.count] = frame.text;
            result.messages[result.count++] = frame.message;
            used += frame.size;
        }
    }
    result.left = bytes.size - used;
    return result;
}

static void lines_end_where_they_end(void **state)
{
    static const struct framing lines = { FRAMING_LINES, 5, 0 }, nul = { FRAMING_NUL, 5, 0 };

    (void)state;
    for (size_t step = 1; step < 16; step++) {
        struct result result = read_all(&lines, SLICE("ab\n\n12345\n1234567\nx"), step);

        assert_int_equal(result.count, 5);
        assert_true(slice_equal_string(result.texts[0], "ab") && result.texts[1].size == 0);
        assert_true(slice_equal_string(result.texts[2], "12345"));
        assert_true(slice_equal_string(result.texts[3], "12345") && slice_equal_string(result.texts[4], "67"));
        assert_int_equal(result.left, 1);
        result = read_all(&nul, SLICE("a\nb\0c\0"), step);
        assert_int_equal(result.count, 2);
        assert_true(slice_equal_string(result.texts[0], "a\nb"));
    }
}

static void counted_messages_may_stand_between_lines(void **state)
{
    static const struct framing octets = { FRAMING_OCTETS, 100, 100 };

    (void)state;
    for (size_t step = 1; step < 16; step++) {
        struct result result = read_all(&octets, SLICE("4 <1>a2 <b<13>line\n3 a\nb\n12 cut"), step);

        assert_int_equal(result.count, 5);
        assert_true(slice_equal_string(result.texts[0], "4 <1>a") && slice_equal_string(result.messages[0], "<1>a"));
        assert_true(slice_equal_string(result.messages[1], "<b") && slice_equal_string(result.messages[2], "<13>line"));
        assert_true(slice_equal_string(result.messages[3], "a\nb") && result.messages[4].size == 0);
        assert_int_equal(result.left, 6);
        assert_int_equal(result.last, FRAME_MORE);
    }
}

static void counts_that_lie_are_refused(void **state)
{
    static const struct framing octets = { FRAMING_OCTETS, 100, 100 };
    static const char *const texts[] = { "101 x", "99999999999999999999 x", "0 x", "05 abcde", "5x" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        for (size_t step = 1; step < 32; step++)
            assert_int_equal(read_all(&octets, slice_of_string(texts[i]), step).last, FRAME_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_where_they_end),
        cmocka_unit_test(counted_messages_may_stand_between_lines),
        cmocka_unit_test(counts_that_lie_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
