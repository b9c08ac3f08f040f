/* Log records, from the calls to the exported bytes. */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <syslog.h>

WEIR_SCOPE(scope, "log.scope", "2");

static int start(void **state)
{
    (void)state;
    capture_start(NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weir_log_level(0);
    weir_shutdown(2000);
    capture_clear();
    return 0;
}

static void flush(void)
{
    assert_int_equal(weir_flush(5000), 0);
}

static void records_carry_the_context(void **state)
{
    (void)state;
    weir_ctx ctx;
    weir_log(&scope, WEIR_INFO, WEIR_S("outside"), WEIR_NO_ATTRS);
    {
        WEIR_SPAN(span, scope, "span", WEIR_INTERNAL, NULL);
        ctx = span.ctx;
        weir_log(&scope, WEIR_WARN, WEIR_S("inside"), WEIR_ATTRS(WEIR_KV("k", "v"), WEIR_KV("n", 1), WEIR_KV("k", "w")));
        weir_logf(&scope, WEIR_FAIL, "%s %d", "formatted", 7);
    }
    flush();
    LogRecord *outside = capture_log(0), *inside = capture_log(1), *formatted = capture_log(2);
    assert_int_equal(outside->trace_id.len, 0);
    assert_text(outside->body, "outside");
    assert_int_equal(outside->severity_number, 9);
    assert_true(outside->observed_time_unix_nano > 0 && outside->time_unix_nano == outside->observed_time_unix_nano);
    assert_memory_equal(inside->trace_id.data, ctx.trace_id, 16);
    assert_memory_equal(inside->span_id.data, ctx.span_id, 8);
    assert_int_equal(inside->flags, 3);
    assert_int_equal(inside->n_attributes, 2);
    assert_text(capture_value(inside->attributes, 2, "k"), "w");
    assert_text(formatted->body, "formatted 7");
    assert_int_equal(formatted->severity_number, 17);
    assert_string_equal(capture.logs[0]->resource_logs[0]->scope_logs[0]->scope->name, "log.scope");
}

static void all_fields(void **state)
{
    (void)state;
    weir_attr body[] = { WEIR_KV("a", 1), WEIR_KV("b", true) };
    weir_ctx other = weir_ctx_make((const uint8_t *)"0123456789abcdef", (const uint8_t *)"01234567", 1, true);
    weir_log_opts opts = { .size = sizeof(opts),
        .severity = 12,
        .severity_text = WEIR_S("INFO4"),
        .body = weir_kv_map(WEIR_S(""), body, 2),
        .attrs = WEIR_ATTRS(WEIR_KV("x", 1.5)),
        .event_name = WEIR_S("device.lost"),
        .time_ns = 5,
        .observed_ns = 6,
        .ctx = &other };
    weir_log_emit(&scope, &opts);
    weir_log_emit(NULL, &(weir_log_opts){ .size = 8, .severity = 3 });
    flush();
    LogRecord *got = capture_log(0);
    assert_string_equal(got->severity_text, "INFO4");
    assert_string_equal(got->event_name, "device.lost");
    assert_int_equal(got->time_unix_nano, 5);
    assert_int_equal(got->observed_time_unix_nano, 6);
    assert_int_equal(got->body->kvlist_value->n_values, 2);
    assert_memory_equal(got->trace_id.data, "0123456789abcdef", 16);
    assert_int_equal(capture.logs[0]->resource_logs[0]->n_scope_logs, 2);
}

static void levels(void **state)
{
    (void)state;
    assert_true(weir_log_enabled(&scope, WEIR_TRACE));
    assert_int_equal(weir_log_level(WEIR_WARN), 0);
    assert_false(weir_log_enabled(&scope, WEIR_INFO));
    assert_true(weir_log_enabled(&scope, WEIR_WARN));
    weir_log(&scope, WEIR_INFO, WEIR_S("no"), WEIR_NO_ATTRS);
    weir_logf(&scope, WEIR_WARN, "yes");
    flush();
    assert_text(capture_log(0)->body, "yes");
    assert_null(capture_log(1));
    weir_shutdown(1000);
    assert_false(weir_log_enabled(&scope, WEIR_FATAL));
    weir_log(&scope, WEIR_FATAL, WEIR_S("after"), WEIR_NO_ATTRS);
}

static void system_log(void **state)
{
    (void)state;
    errno = ENOENT;
    const char *format = "could not open %s: %m"; /* which ISO C does not know */
    weir_syslog(&scope, false, LOG_ERR, format, "file");
    weir_syslog(&scope, false, LOG_DAEMON | LOG_NOTICE, "started");
    flush();
    assert_text(capture_log(0)->body, "could not open file: No such file or directory");
    assert_int_equal(capture_log(0)->severity_number, 17);
    assert_string_equal(capture_log(0)->severity_text, "err");
    assert_int_equal(capture_log(1)->severity_number, 10);
}

static void lines_of_a_stream(void **state)
{
    (void)state;
    static char copied[100], long_line[6000];
    FILE *copy = fmemopen(copied, sizeof(copied), "w");
    FILE *stream = weir_log_stream(&scope, WEIR_INFO, copy);
    assert_non_null(stream);
    fprintf(stream, "one %d\n\ntw", 1);
    {
        WEIR_SPAN(span, scope, "span", WEIR_INTERNAL, NULL);
        fprintf(stream, "o\n");
    }
    fputs("unfinished", stream);
    fclose(stream);
    assert_string_equal(copied, "one 1\n\ntwo\nunfinished");
    fclose(copy);
    stream = weir_log_stream(&scope, WEIR_INFO, NULL);
    memset(long_line, 'x', sizeof(long_line) - 1);
    fprintf(stream, "%s\n", long_line);
    fclose(stream);
    flush();
    assert_text(capture_log(0)->body, "one 1");
    assert_text(capture_log(1)->body, "two");
    assert_int_equal(capture_log(1)->trace_id.len, 16);
    assert_text(capture_log(2)->body, "unfinished");
    assert_int_equal(strlen(capture_log(3)->body->string_value), 4095);
    assert_int_equal(strlen(capture_log(4)->body->string_value), 5999 - 4095);
}

static void limits(void **state)
{
    (void)state;
    weir_setting settings[] = { { "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "2" }, { "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3" } };
    weir_shutdown(1000);
    capture_start(settings, 2);
    weir_log(&scope, 1, WEIR_S("the body is not cut"), WEIR_ATTRS(WEIR_KV("a", "12345"), WEIR_KV("b", 1), WEIR_KV("c", 1)));
    flush();
    assert_text(capture_log(0)->body, "the body is not cut");
    assert_int_equal(capture_log(0)->n_attributes, 2);
    assert_int_equal(capture_log(0)->dropped_attributes_count, 1);
    assert_text(capture_value(capture_log(0)->attributes, 2, "a"), "123");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_carry_the_context, start, stop),
        cmocka_unit_test_setup_teardown(all_fields, start, stop),
        cmocka_unit_test_setup_teardown(levels, start, stop),
        cmocka_unit_test_setup_teardown(system_log, start, stop),
        cmocka_unit_test_setup_teardown(lines_of_a_stream, start, stop),
        cmocka_unit_test_setup_teardown(limits, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
