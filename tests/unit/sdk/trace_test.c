/* Spans, from the calls to the exported bytes. */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

WEIR_SCOPE(scope, "test.scope", "1.2.3");

static int start_plain(void **state)
{
    (void)state;
    capture_start(NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weir_shutdown(2000);
    capture_clear();
    return 0;
}

static void flush(void)
{
    assert_int_equal(weir_flush(5000), 0);
}

static void parent_and_child(void **state)
{
    (void)state;
    weir_ctx parent_ctx;
    {
        WEIR_SPAN(parent, scope, "parent", WEIR_SERVER, NULL);
        parent_ctx = parent.ctx;
        assert_true(weir_recording(&parent));
        assert_memory_equal(weir_ctx_current().span_id, parent.ctx.span_id, 8);
        {
            WEIR_SPAN(child, scope, "child", WEIR_CLIENT, NULL);
            assert_memory_equal(child.ctx.trace_id, parent.ctx.trace_id, 16);
            WEIR_SET(&child, "answer", 42);
        }
        assert_memory_equal(weir_ctx_current().span_id, parent.ctx.span_id, 8);
    }
    weir_ctx after = weir_ctx_current();
    assert_false(weir_ctx_valid(&after));
    flush();
    assert_int_equal(capture_span_count(), 2);
    Span *parent = capture_span_named("parent"), *child = capture_span_named("child");
    assert_int_equal(parent->trace_id.len, 16);
    assert_memory_equal(parent->trace_id.data, parent_ctx.trace_id, 16);
    assert_memory_equal(parent->span_id.data, parent_ctx.span_id, 8);
    assert_int_equal(parent->parent_span_id.len, 0);
    assert_int_equal(parent->kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_SERVER);
    assert_int_equal(child->kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CLIENT);
    assert_memory_equal(child->parent_span_id.data, parent->span_id.data, 8);
    assert_true(child->start_time_unix_nano >= parent->start_time_unix_nano);
    assert_true(child->end_time_unix_nano >= child->start_time_unix_nano);
    assert_true(parent->end_time_unix_nano >= child->end_time_unix_nano);
    assert_int_equal(parent->flags, 0x103); /* sampled, random, parent known to be local */
    assert_int(span_value(child, "answer"), 42);
}

static void resource_and_scope(void **state)
{
    (void)state;
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("x"), NULL);
    weir_span_end(&span);
    weir_span_begin(&span, NULL, WEIR_S("y"), NULL);
    weir_span_end(&span);
    flush();
    assert_int_equal(capture.trace_count, 1);
    assert_int_equal(capture.traces[0]->n_resource_spans, 1);
    Opentelemetry__Proto__Trace__V1__ResourceSpans *group = capture.traces[0]->resource_spans[0];
    assert_text(capture_value(group->resource->attributes, group->resource->n_attributes, "telemetry.sdk.language"), "c");
    assert_int(capture_value(group->resource->attributes, group->resource->n_attributes, "process.pid"), getpid());
    assert_int_equal(group->n_scope_spans, 2);
    assert_string_equal(group->scope_spans[0]->scope->name, "test.scope");
    assert_string_equal(group->scope_spans[0]->scope->version, "1.2.3");
}

static void every_kind_of_attribute(void **state)
{
    (void)state;
    static const int64_t ints[] = { 1, -2, INT64_MIN };
    static const bool bools[] = { true, false };
    static const double doubles[] = { 0.5, NAN };
    weir_str strs[] = { WEIR_S("a"), WEIR_S("b") };
    weir_attr inner[] = { WEIR_KV("x", 1), WEIR_KV("y", "z") };
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("kinds"), NULL);
    weir_span_set_all(&span, WEIR_ATTRS(WEIR_KV("s", "text"), WEIR_KV("i", -7), WEIR_KV("u", (size_t)-1), WEIR_KV("d", 1.5),
                                 WEIR_KV("b", (bool)true), weir_kv_bytes(WEIR_S("raw"), "\0\xff", 2), weir_kv_ints(WEIR_S("is"), ints, 3),
                                 weir_kv_bools(WEIR_S("bs"), bools, 2), weir_kv_doubles(WEIR_S("ds"), doubles, 2),
                                 weir_kv_strs(WEIR_S("ss"), strs, 2), weir_kv_map(WEIR_S("m"), inner, 2), WEIR_KV("inf", INFINITY)));
    weir_span_end(&span);
    flush();
    Span *got = capture_span(0);
    assert_int_equal(got->n_attributes, 12);
    assert_text(span_value(got, "s"), "text");
    assert_int(span_value(got, "i"), -7);
    assert_int(span_value(got, "u"), INT64_MAX);
    assert_true(span_value(got, "d")->double_value == 1.5);
    assert_true(span_value(got, "b")->bool_value);
    assert_int_equal(span_value(got, "raw")->bytes_value.len, 2);
    assert_int_equal(span_value(got, "is")->array_value->n_values, 3);
    assert_true(span_value(got, "is")->array_value->values[2]->int_value == INT64_MIN);
    assert_false(span_value(got, "bs")->array_value->values[1]->bool_value);
    assert_true(isnan(span_value(got, "ds")->array_value->values[1]->double_value));
    assert_string_equal(span_value(got, "ss")->array_value->values[1]->string_value, "b");
    assert_string_equal(span_value(got, "m")->kvlist_value->values[1]->value->string_value, "z");
    assert_true(isinf(span_value(got, "inf")->double_value));
}

static void a_later_value_overwrites(void **state)
{
    (void)state;
    char key[16];
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("overwrite"), NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(key, sizeof(key), "key.%d", i);
            weir_span_set(&span, weir_kv_int(weir_z(key), round * 1000 + i));
        }
    }
    weir_span_set(&span, weir_kv_z(WEIR_S("key.5"), "now a text that is longer than the number was before"));
    weir_span_end(&span);
    flush();
    Span *got = capture_span(0);
    assert_int_equal(got->n_attributes, 100);
    assert_int(span_value(got, "key.99"), 2099);
    assert_text(span_value(got, "key.5"), "now a text that is longer than the number was before");
    assert_int_equal(got->dropped_attributes_count, 0);
}

static void limits_drop_and_count(void **state)
{
    (void)state;
    weir_setting settings[] = { { "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3" }, { "OTEL_SPAN_EVENT_COUNT_LIMIT", "2" },
        { "OTEL_SPAN_LINK_COUNT_LIMIT", "1" }, { "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "1" }, { "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0" },
        { "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4" } };
    weir_ctx other = weir_ctx_make((const uint8_t *)"0123456789abcdef", (const uint8_t *)"01234567", 1, true);
    weir_shutdown(1000);
    capture_start(settings, 6);
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("limits"), NULL);
    weir_span_set_all(
        &span, WEIR_ATTRS(WEIR_KV("a", "h\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), WEIR_KV("b", 2), WEIR_KV("c", 3), WEIR_KV("d", 4)));
    weir_span_set(&span, weir_kv_int(WEIR_S("b"), 22));
    for (int i = 0; i < 5; i++) {
        weir_span_event(&span, WEIR_S("event"), WEIR_ATTRS(WEIR_KV("a", 1), WEIR_KV("b", 2)), 5);
        weir_span_link(&span, &other, WEIR_ATTRS(WEIR_KV("a", 1)));
    }
    weir_span_end(&span);
    flush();
    Span *got = capture_span(0);
    assert_int_equal(got->n_attributes, 3);
    assert_int_equal(got->dropped_attributes_count, 1);
    assert_text(span_value(got, "a"), "h\xc3\xa4\xc3\xa4\xc3\xa4");
    assert_int(span_value(got, "b"), 22);
    assert_int_equal(got->n_events, 2);
    assert_int_equal(got->dropped_events_count, 3);
    assert_int_equal(got->events[0]->n_attributes, 1);
    assert_int_equal(got->events[0]->dropped_attributes_count, 1);
    assert_int_equal(got->events[0]->time_unix_nano, 5);
    assert_int_equal(got->n_links, 1);
    assert_int_equal(got->dropped_links_count, 4);
    assert_int_equal(got->links[0]->dropped_attributes_count, 1);
    assert_int_equal(got->links[0]->flags, 0x301);
    assert_memory_equal(got->links[0]->span_id.data, "01234567", 8);
}

static void status_rules(void **state)
{
    (void)state;
    static const struct {
        weir_status set[3];
        int code;
        const char *message;
    } cases[] = {
        { { WEIR_UNSET, WEIR_UNSET, WEIR_UNSET }, 0, NULL },
        { { WEIR_ERROR, WEIR_UNSET, WEIR_UNSET }, 2, "why" },
        { { WEIR_ERROR, WEIR_OK, WEIR_ERROR }, 1, "" },
        { { WEIR_OK, WEIR_ERROR, WEIR_UNSET }, 1, "" },
        { { WEIR_ERROR, WEIR_ERROR, WEIR_UNSET }, 2, "why" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        weir_span span;
        weir_span_begin(&span, &scope, WEIR_S("before"), NULL);
        for (int j = 0; j < 3; j++)
            weir_span_status(&span, cases[i].set[j], WEIR_S("why"));
        weir_span_set(&span, weir_kv_int(WEIR_S("k"), 1));
        weir_span_rename(&span, WEIR_S("a longer name than before"));
        weir_span_end(&span);
    }
    flush();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Span *got = capture_span(i);
        assert_string_equal(got->name, "a longer name than before");
        assert_int(span_value(got, "k"), 1);
        assert_int_equal(got->status != NULL ? got->status->code : 0, cases[i].code);
        if (got->status != NULL)
            assert_string_equal(got->status->message, cases[i].message);
    }
}

static void times_are_kept(void **state)
{
    (void)state;
    weir_span_opts opts = { .size = sizeof(opts), .start_ns = 1000, .root = true, .no_activate = true };
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("times"), &opts);
    weir_ctx now = weir_ctx_current();
    assert_false(weir_ctx_valid(&now));
    weir_span_end_at(&span, 5000);
    weir_span_begin(&span, &scope, WEIR_S("backwards"), &opts);
    weir_span_end_at(&span, 500);
    flush();
    assert_int_equal(capture_span(0)->start_time_unix_nano, 1000);
    assert_int_equal(capture_span(0)->end_time_unix_nano, 5000);
    assert_int_equal(capture_span(1)->end_time_unix_nano, 1000);
}

static void bad_input_is_harmless(void **state)
{
    (void)state;
    weir_span zero;
    memset(&zero, 0, sizeof(zero));
    weir_span_set(&zero, weir_kv_int(WEIR_S("a"), 1));
    weir_span_event(&zero, WEIR_S("e"), WEIR_NO_ATTRS, 0);
    weir_span_event(NULL, WEIR_S("e"), WEIR_NO_ATTRS, 0);
    weir_span_link(NULL, NULL, WEIR_NO_ATTRS);
    weir_span_status(NULL, WEIR_OK, WEIR_S(""));
    weir_span_rename(&zero, WEIR_S("x"));
    weir_span_end(&zero);
    weir_span_end(NULL);
    weir_span_begin(NULL, NULL, weir_z(NULL), NULL);
    weir_log(NULL, 0, weir_z(NULL), WEIR_NO_ATTRS);
    weir_log_emit(NULL, NULL);
    weir_inject(NULL, NULL, NULL);
    assert_false(weir_extract(NULL, NULL, NULL));

    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("bad \xff\xfe name"), NULL);
    weir_span copy = span;
    weir_attr broken = { { "k", 1 }, 99, 0, { { NULL, 0 } } };
    weir_attr empty_key = weir_kv_int(WEIR_S(""), 1);
    weir_attr null_text = weir_kv_z(WEIR_S("null"), NULL);
    weir_attr null_list = weir_kv_ints(WEIR_S("null.list"), NULL, 3);
    weir_span_set(&span, broken);
    weir_span_set(&span, empty_key);
    weir_span_set(&span, null_text);
    weir_span_set(&span, null_list);
    weir_span_set(&span, weir_kv_z(WEIR_S("bad"), "a\x80z\xed\xa0\x80"));
    weir_span_end(&span);
    weir_span_end(&span);
    weir_span_set(&copy, weir_kv_int(WEIR_S("late"), 1));
    weir_span_end(&copy);
    assert_false(weir_recording(&span));
    flush();
    assert_int_equal(capture_span_count(), 1);
    Span *got = capture_span(0);
    assert_string_equal(got->name, "bad \xef\xbf\xbd\xef\xbf\xbd name");
    assert_text(span_value(got, "bad"), "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_text(span_value(got, "null"), "");
    assert_null(span_value(got, "late"));
    assert_int_equal(got->dropped_attributes_count, 2);
    weir_stats_values stats = { .size = sizeof(stats) };
    weir_stats(&stats);
    assert_true(stats.text_repaired >= 2);
}

/* Depth, length and number beyond all sense. */
static void too_much_is_bounded(void **state)
{
    (void)state;
    weir_attr nest[40];
    nest[0] = WEIR_KV("leaf", 1);
    for (size_t i = 1; i < 40; i++)
        nest[i] = weir_kv_map(WEIR_S("n"), &nest[i - 1], 1);
    char *huge = malloc(1 << 20);
    memset(huge, 'x', 1 << 20);
    char key[16];
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("much"), NULL);
    weir_span_set(&span, nest[39]);
    weir_span_set(&span, weir_kv_str(WEIR_S("huge"), weir_sn(huge, 1 << 20)));
    weir_span_set(&span, weir_kv_str(WEIR_S("big"), weir_sn(huge, 40000)));
    weir_span_set(&span, weir_kv_str(WEIR_S("big2"), weir_sn(huge, 40000)));
    weir_span_set(&span, weir_kv_str(weir_sn(huge, 3000), WEIR_S("long key")));
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        weir_span_set(&span, weir_kv_int(weir_z(key), i));
    }
    weir_span_end(&span);
    weir_log(&scope, WEIR_INFO, weir_sn(huge, 1 << 20), WEIR_NO_ATTRS);
    free(huge);
    flush();
    Span *got = capture_span(0);
    assert_int_equal(got->n_attributes, 128);
    assert_int_equal(got->dropped_attributes_count, 10005 - 128);
    assert_null(span_value(got, "huge"));
    assert_int_equal(strlen(span_value(got, "big")->string_value), 40000);
    assert_null(span_value(got, "big2"));
    assert_non_null(capture_log(0)->body);
    assert_in_range(strlen(capture_log(0)->body->string_value), 15000, 65536);
}

/* Slots of every size come back: many more records of each size than there is memory for. */
static void memory_comes_back(void **state)
{
    (void)state;
    static char text[30000];
    static const size_t sizes[] = { 1, 390, 450, 500, 1900, 2100, 8000, 30000 };
    memset(text, 'x', sizeof(text));
    uint64_t used = 0;
    for (int round = 0; round < 30; round++) {
        for (size_t i = 0; i < 8 * 100; i++) {
            weir_span span;
            weir_span_begin(&span, &scope, WEIR_S("s"), NULL);
            for (size_t left = sizes[i % 8]; left > 0; left -= left < 37 ? left : 37)
                weir_span_event(&span, WEIR_S("e"), WEIR_NO_ATTRS, 1);
            weir_span_set(&span, weir_kv_str(WEIR_S("t"), weir_sn(text, sizes[i % 8])));
            weir_span_end(&span);
        }
        flush();
        capture_clear();
        weir_stats_values stats = { .size = sizeof(stats) };
        weir_stats(&stats);
        if (round == 4)
            used = stats.memory_used;
        if (round > 4)
            assert_true(stats.memory_used <= 2 * used); /* how far the exporter lags is chance; what never came back would be six times as much by the end */
    }
}

static void exceptions(void **state)
{
    (void)state;
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("x"), NULL);
    weir_span_exception(&span, WEIR_S("io_error"), WEIR_S("disk is full"), weir_z(NULL));
    weir_span_end(&span);
    flush();
    Span *got = capture_span(0);
    assert_string_equal(got->events[0]->name, "exception");
    assert_int_equal(got->events[0]->n_attributes, 2);
    assert_text(capture_value(got->events[0]->attributes, 2, "exception.message"), "disk is full");
    assert_true(got->events[0]->time_unix_nano >= got->start_time_unix_nano);
}

static void *end_elsewhere(void *argument)
{
    weir_span *span = argument;
    weir_span_set(span, weir_kv_int(WEIR_S("there"), 1));
    weir_span_end(span);
    return NULL;
}

static void end_on_another_thread(void **state)
{
    (void)state;
    pthread_t thread;
    weir_span span;
    weir_span_opts opts = { .size = sizeof(opts), .no_activate = true };
    weir_span_begin(&span, &scope, WEIR_S("elsewhere"), &opts);
    pthread_create(&thread, NULL, end_elsewhere, &span);
    pthread_join(thread, NULL);
    weir_span_end(&span);
    flush();
    assert_int_equal(capture_span_count(), 1);
    assert_int(span_value(capture_span(0), "there"), 1);
}

static void attach_and_detach(void **state)
{
    (void)state;
    weir_ctx remote = weir_ctx_make((const uint8_t *)"0123456789abcdef", (const uint8_t *)"01234567", WEIR_FLAG_SAMPLED, true);
    weir_ctx before = weir_ctx_attach(&remote);
    {
        WEIR_SPAN(span, scope, "server", WEIR_SERVER, NULL);
        assert_memory_equal(span.ctx.trace_id, "0123456789abcdef", 16);
        assert_false(weir_ctx_remote(&span.ctx));
    }
    weir_ctx_detach(&before);
    flush();
    assert_memory_equal(capture_span(0)->parent_span_id.data, "01234567", 8);
    assert_int_equal(capture_span(0)->flags, 0x301);
}

static void opts_of_an_older_caller(void **state)
{
    (void)state;
    weir_span_opts old;
    memset(&old, 0xff, sizeof(old)); /* behind the size that the caller states there may be anything */
    old.size = 8;
    old.kind = WEIR_CONSUMER;
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("old"), &old);
    weir_span_end(&span);
    flush();
    assert_int_equal(capture_span(0)->kind, OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CONSUMER);
}

static void before_and_after(void **state)
{
    (void)state;
    weir_span span, open;
    weir_span_begin(&open, &scope, WEIR_S("open at shutdown"), NULL);
    assert_int_equal(weir_shutdown(1000), 0);
    assert_int_equal(weir_shutdown(1000), 0);
    weir_span_end(&open);
    weir_span_begin(&span, &scope, WEIR_S("after"), NULL);
    assert_false(weir_recording(&span));
    weir_span_end(&span);
    assert_int_equal(weir_flush(10), -EIO); /* the open span was lost, and that is said once */
    assert_int_equal(weir_flush(10), 0);
    capture_start(NULL, 0);
    weir_span_begin(&span, &scope, WEIR_S("again"), NULL);
    weir_span_end(&span);
    flush();
    assert_int_equal(capture_span_count(), 1);
    assert_string_equal(capture_span(0)->name, "again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parent_and_child, start_plain, stop),
        cmocka_unit_test_setup_teardown(resource_and_scope, start_plain, stop),
        cmocka_unit_test_setup_teardown(every_kind_of_attribute, start_plain, stop),
        cmocka_unit_test_setup_teardown(a_later_value_overwrites, start_plain, stop),
        cmocka_unit_test_setup_teardown(limits_drop_and_count, start_plain, stop),
        cmocka_unit_test_setup_teardown(status_rules, start_plain, stop),
        cmocka_unit_test_setup_teardown(times_are_kept, start_plain, stop),
        cmocka_unit_test_setup_teardown(bad_input_is_harmless, start_plain, stop),
        cmocka_unit_test_setup_teardown(too_much_is_bounded, start_plain, stop),
        cmocka_unit_test_setup_teardown(memory_comes_back, start_plain, stop),
        cmocka_unit_test_setup_teardown(exceptions, start_plain, stop),
        cmocka_unit_test_setup_teardown(end_on_another_thread, start_plain, stop),
        cmocka_unit_test_setup_teardown(attach_and_detach, start_plain, stop),
        cmocka_unit_test_setup_teardown(opts_of_an_older_caller, start_plain, stop),
        cmocka_unit_test_setup_teardown(before_and_after, start_plain, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
