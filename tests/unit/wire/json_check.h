/* What the tests of OTLP/JSON have in common: a text becomes another, or is refused for a reason. */
#ifndef WEIR_TESTS_JSON_CHECK_H
#define WEIR_TESTS_JSON_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "collector/wire/json.h"

static inline bool read_text(enum signal signal, const char *text, struct buffer *out, struct json_error *err)
{
    size_t size = strlen(text);
    char *exact = malloc(size + 1); /* no byte behind the text, so that a sanitizer sees a read there */

    memcpy(exact, text, size);
    char *shrunk = realloc(exact, size > 0 ? size : 1);
    bool is_read = json_read_request(signal, slice_of(shrunk, size), out, err);
    free(shrunk);
    return is_read;
}

static inline void assert_becomes(enum signal signal, const char *text, const char *expected)
{
    struct buffer wire = { 0 }, written = { 0 }, again = { 0 };
    struct json_error err;

    if (!read_text(signal, text, &wire, &err))
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(otlp_check(signal, buffer_slice(&wire)).fault, OTLP_OK);
    json_write_request(signal, buffer_slice(&wire), &written);
    assert_string_equal(buffer_string(&written), expected);
    assert_true(read_text(signal, expected, &again, &err));
    buffer_clear(&written);
    json_write_request(signal, buffer_slice(&again), &written);
    assert_string_equal(buffer_string(&written), expected);
    buffer_fini(&wire);
    buffer_fini(&written);
    buffer_fini(&again);
}

static inline void assert_refused(enum signal signal, const char *text, const char *reason)
{
    struct buffer wire = { 0 };
    struct json_error err = { 0 };

    buffer_append_string(&wire, "before");
    if (read_text(signal, text, &wire, &err))
        fail_msg("was not refused: %s", text);
    if (strstr(err.message, reason) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", text, reason, err.message);
    assert_string_equal(buffer_string(&wire), "before");
    assert_true(err.offset <= strlen(text));
    assert_false(read_text(signal, text, &wire, NULL));
    buffer_fini(&wire);
}

struct row {
    const char *text;
    const char *expected; /* what it becomes, or why it is refused; NULL: the same text */
};

/* Puts the row into the place of %s. */
static inline char *wrap(const char *frame, const char *text)
{
    size_t size = strlen(frame) + strlen(text);
    char *whole = malloc(size);
    const char *place = strstr(frame, "%s");

    snprintf(whole, size, "%.*s%s%s", (int)(place - frame), frame, text, place + 2);
    return whole;
}

static inline void assert_rows_become(enum signal signal, const char *frame, const struct row *rows)
{
    for (; rows->text != NULL; rows++) {
        char *text = wrap(frame, rows->text);
        char *expected = wrap(frame, rows->expected != NULL ? rows->expected : rows->text);
        assert_becomes(signal, text, expected);
        free(text);
        free(expected);
    }
}

static inline void assert_rows_refused(enum signal signal, const char *frame, const struct row *rows)
{
    for (; rows->text != NULL; rows++) {
        char *text = wrap(frame, rows->text);
        assert_refused(signal, text, rows->expected);
        free(text);
    }
}

#define BODY "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":%s}]}]}]}"
#define RECORD "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{%s}]}]}]}"
#define SPAN "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}"
#define METRIC "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{%s}]}]}]}"

#endif
