/* Records out of the bytes of a file: whole, cut anywhere, too long, by patterns, in other encodings; and patterns of paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "receivers/file_log/file_log.h"
#include "receivers/file_log/glob.h"
#include "receivers/file_log/lines.h"

#include <cmocka.h>

static const struct lines_settings usual = { .encoding = "utf-8", .max_size = 64 };

/* All records of the bytes with "|" behind each; those at the end only when `all`. Each call sees a block of its own size. */
static void cut_all(const struct lines_settings *settings, struct slice bytes, bool all, struct buffer *out)
{
    struct lines_reader reader;
    struct error err;
    struct lines_cut cut = { .skipping = false };
    size_t at = 0;

    assert_true(lines_init(&reader, settings, &err));
    while (at < bytes.size) {
        uint8_t *block = malloc(bytes.size - at);
        bool is_bytes, repaired;
        memcpy(block, bytes.data + at, bytes.size - at);
        lines_next(&reader, slice_of(block, bytes.size - at), all, &cut);
        assert_true(cut.used <= bytes.size - at);
        if (cut.used > 0 && !cut.none) {
            buffer_append_slice(out, lines_text(&reader, cut.record, false, &is_bytes, &repaired));
            buffer_append_string(out, is_bytes ? "B|" : repaired ? "R|" : "|");
        }
        at += cut.used;
        free(block);
        if (cut.used == 0)
            break;
    }
    buffer_printf(out, "%zu", bytes.size - at);
    lines_fini(&reader);
}

static void check(const struct lines_settings *settings, const char *text, size_t size, bool all, const char *expected)
{
    struct buffer out = { 0 };

    cut_all(settings, slice_of(text, size), all, &out);
    assert_string_equal(buffer_string(&out), expected);
    buffer_fini(&out);
}

#define CHECK(settings, text, all, expected) check(settings, text, sizeof(text) - 1, all, expected)

static void test_lines(void **state)
{
    struct lines_settings keep = usual;

    (void)state;
    keep.keep_leading = keep.keep_trailing = true;
    CHECK(&usual, "one\ntwo\r\n  three \n\nrest", false, "one|two|three||4");
    CHECK(&usual, "one\nrest", true, "one|rest|0");
    CHECK(&keep, " one \r\n", false, " one |0");
    CHECK(&usual, "a\0b\n", false, "a"); /* the rest stands behind the NUL */
}

static void test_too_long(void **state)
{
    struct lines_settings settings = usual;

    (void)state;
    settings.max_size = 4;
    CHECK(&settings, "abcdefghij\nk\n", false, "abcd|efgh|ij|k|0");
    CHECK(&settings, "abcd\nk\n", false, "abcd|k|0");
    settings.truncate = true;
    CHECK(&settings, "abcdefghij\nk\n", false, "abcd|k|0");
    CHECK(&settings, "abcdefgh", true, "abcd|0");
}

static void test_patterns(void **state)
{
    struct lines_settings settings = usual;

    (void)state;
    settings.start_pattern = "^#";
    CHECK(&settings, "before\n#one\nmore\n#two\n", false, "before|#one\nmore|5");
    CHECK(&settings, "#one\nmore\n#two\n", true, "#one\nmore|#two|0");
    settings = usual;
    settings.end_pattern = ";$";
    CHECK(&settings, "a\nb;\nc;\nd", false, "a\nb;|c;|2");
    settings.omit_pattern = true;
    CHECK(&settings, "a\nb;\nc;\nd", true, "a\nb|c|d|0");
}

static void test_encodings(void **state)
{
    struct lines_settings settings = usual;
    struct lines_reader reader;
    struct error err;

    (void)state;
    CHECK(&usual, "a\xff\n", false, "a\xef\xbf\xbdR|0");
    settings.encoding = "utf-8-raw";
    CHECK(&settings, "a\xff\nb\n", false,
        "a\xff"
        "B|b|0");
    settings.encoding = "nop";
    CHECK(&settings, "a\n", false, "aB|0");
    settings.encoding = "utf-16le";
    CHECK(&settings, "\xe4\0b\0\r\0\n\0c\0", false,
        "\xc3\xa4"
        "b|2");
    settings.encoding = "utf-16be";
    CHECK(&settings, "\0a\0\n\n\0\0\n", false, "a|\xe0\xa8\x80|0");
    settings.encoding = "iso-8859-1";
    CHECK(&settings, "\xe4\n", false, "\xc3\xa4|0");
    settings.encoding = "big5";
    CHECK(&settings, "\xa4\xa4\n", false, "\xe4\xb8\xad|0");
    settings.encoding = "morse";
    assert_false(lines_init(&reader, &settings, &err));
    lines_fini(&reader);
}

/* However the bytes arrive, the records are the same: what is not whole is seen again with more behind it. */
static void test_cut_everywhere(void **state)
{
    static const char text[] = "first\nsecond line\n#third\n\xc3\xa4 umlaut\n\n#x\ny\n";
    static const char *const starts[] = { NULL, "^#" };

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        struct lines_settings settings = usual;
        struct buffer whole = { 0 };
        settings.start_pattern = starts[kind];
        cut_all(&settings, slice_of_string(text), true, &whole);
        for (size_t size = 0; size < sizeof(text) - 1; size++) {
            struct buffer parts = { 0 };
            size_t left = 0;
            cut_all(&settings, slice_of(text, size), false, &parts);
            const char *bar = strrchr(buffer_string(&parts), '|');
            left = (size_t)strtoul(bar != NULL ? bar + 1 : buffer_string(&parts), NULL, 10);
            parts.size = bar != NULL ? (size_t)(bar + 1 - (const char *)parts.data) : 0;
            cut_all(&settings, slice_of(text + size - left, sizeof(text) - 1 - size + left), true, &parts);
            assert_string_equal(buffer_string(&parts), buffer_string(&whole));
            buffer_fini(&parts);
        }
        buffer_fini(&whole);
    }
}

static void test_globs(void **state)
{
    (void)state;
    assert_true(glob_fits("/var/log/*.log", "/var/log/a.log"));
    assert_false(glob_fits("/var/log/*.log", "/var/log/b/a.log"));
    assert_true(glob_fits("/var/log/**/*.log", "/var/log/b/c/a.log"));
    assert_true(glob_fits("/var/log/**/*.log", "/var/log/a.log"));
    assert_true(glob_fits("/var/{log,run}/?.l[oa]g", "/var/run/a.lag"));
    assert_false(glob_fits("/var/{log,run}/?.log", "/var/lib/a.log"));
    assert_true(glob_fits("/var/log/**", "/var/log/a/b"));
}

static void test_prints(void **state)
{
    struct file_print a = file_print_of(SLICE("abc")), b = file_print_of(SLICE("abd"));

    (void)state;
    assert_true(file_prints_differ(&a, &b));
    b = file_print_of(SLICE("abc"));
    assert_false(file_prints_differ(&a, &b));
    b = file_print_of(SLICE("abcdef"));
    assert_false(file_prints_differ(&a, &b)); /* may be its beginning */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_prints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
