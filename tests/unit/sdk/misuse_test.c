/* What a careless program does to every function of the API: no crash, bounded, counted. Hostile headers: tests/fuzz/sdk_extract.c. */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <math.h>

WEIR_SCOPE(scope, "misuse", "1");

static int start(void **state)
{
    (void)state;
    capture_start(NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weir_shutdown(1000);
    capture_clear();
    return 0;
}

static weir_stats_values stats(void)
{
    weir_stats_values values = { .size = sizeof(values) };
    weir_stats(&values);
    return values;
}

static void nothing(weir_observer *observer, void *user)
{
    (void)user;
    weir_observed(observer, NAN, WEIR_NO_ATTRS);
    weir_observed(NULL, 1, WEIR_NO_ATTRS);
    weir_observed_int(NULL, 1, WEIR_NO_ATTRS);
}

/* Every function that takes a handle, with it and all else NULL or zeroed. */
static void touch_everything(weir_scope *of, weir_instr *instr, weir_span *span)
{
    const weir_attrs none = { NULL, 5 }; /* a count without data */
    const weir_str text = { NULL, 5 };
    char out[4];
    weir_ctx ctx;
    memset(&ctx, 0, sizeof(ctx));

    weir_span_begin(span, of, text, NULL);
    weir_span_set(span, weir_kv_int(text, 1));
    weir_span_set_all(span, none);
    weir_span_event(span, text, none, 0);
    weir_span_exception(span, text, text, text);
    weir_span_link(span, NULL, none);
    weir_span_link(span, &ctx, none);
    weir_span_status(span, (weir_status)77, text);
    weir_span_rename(span, text);
    weir_span_end(span);
    weir_span_end_at(span, UINT64_MAX);
    weir_log(of, -5, text, none);
    weir_log(of, 1000, text, none);
    weir_logf(of, WEIR_INFO, "%s", "text");
    weir_log_emit(of, NULL);
    weir_log_enabled(of, 0);
    weir_syslog(of, false, 999, "%d", 1);
    weir_series *series = weir_bind(instr, none);
    assert_non_null(series);
    weir_add(series, 1);
    weir_add(NULL, 1);
    weir_add_double(NULL, 1);
    weir_record(series, 1);
    weir_record(NULL, 1);
    weir_add_attrs(instr, 1, none);
    weir_record_attrs(instr, 1, none);
    weir_unobserve(weir_observe(instr, nothing, NULL));
    weir_unobserve(-1);
    weir_unobserve(INT32_MAX);
    weir_ctx_attach(NULL);
    weir_ctx_detach(NULL);
    weir_ctx_ref(NULL);
    weir_ctx_unref(NULL);
    weir_ctx_ref(&ctx);
    weir_ctx_unref(&ctx);
    assert_false(weir_ctx_valid(NULL) || weir_ctx_sampled(NULL) || weir_ctx_remote(NULL));
    assert_int_equal(weir_ctx_tracestate(NULL).n, 0);
    assert_int_equal(weir_baggage_header(NULL).n, 0);
    assert_int_equal(weir_baggage_get(NULL, text, out, sizeof(out)), -1);
    assert_int_equal(weir_baggage_get(&ctx, text, NULL, 0), -1);
    weir_baggage_set(NULL, NULL, text, text, text);
    assert_int_equal(weir_baggage_set(&ctx, NULL, text, text, text), -EINVAL);
    weir_stats(NULL);
    weir_env_set(NULL, text, text);
    weir_env_get(NULL, text, 0);
    assert_null(weir_propagation_field(SIZE_MAX));
}

static void null_and_zeroed_handles(void **state)
{
    (void)state;
    weir_scope zero_scope;
    weir_instr zero_instr;
    weir_span zero_span;
    touch_everything(NULL, NULL, NULL);
    memset(&zero_scope, 0, sizeof(zero_scope));
    memset(&zero_instr, 0, sizeof(zero_instr));
    memset(&zero_span, 0, sizeof(zero_span));
    touch_everything(&zero_scope, &zero_instr, &zero_span);
    weir_instr odd = { .size = sizeof(odd), .kind = 99, .scope = &scope, .name = WEIR_S("odd") };
    touch_everything(&scope, &odd, &zero_span);
    weir_flush(5000);
    assert_int_equal(stats().spans_live, 0);
}

static void not_a_number(void **state)
{
    (void)state;
    static const double values[] = { NAN, INFINITY, -INFINITY, -0.0, 1e308 * 10 };
    WEIR_INSTRUMENT(histogram, WEIR_HISTOGRAM, scope, "n.histogram", "1");
    WEIR_INSTRUMENT(gauge, WEIR_GAUGE, scope, "n.gauge", "1");
    WEIR_INSTRUMENT(counter, WEIR_COUNTER, scope, "n.counter", "1");
    gauge.floating = counter.floating = true;
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("n"), NULL);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        weir_span_set(&span, WEIR_KV("v", values[i]));
        weir_record_attrs(&histogram, values[i], WEIR_NO_ATTRS);
        weir_record_attrs(&gauge, values[i], WEIR_NO_ATTRS);
        weir_record_attrs(&counter, values[i], WEIR_NO_ATTRS);
    }
    weir_span_set(&span, WEIR_KV("nan", NAN));
    weir_record_attrs(&histogram, 2, WEIR_NO_ATTRS);
    weir_span_end(&span);
    assert_int_equal(weir_flush(5000), 0);
    AnyValue *nan_value = span_value(capture_span(0), "nan");
    assert_true(nan_value != NULL && isnan(nan_value->double_value)); /* an attribute may be one */
    Opentelemetry__Proto__Metrics__V1__ScopeMetrics *metrics = NULL;
    MetricsRequest *request = capture.metrics[capture.metric_count - 1];
    for (size_t i = 0; i < request->resource_metrics[0]->n_scope_metrics; i++) {
        Opentelemetry__Proto__Metrics__V1__ScopeMetrics *group = request->resource_metrics[0]->scope_metrics[i];
        if (group->scope != NULL && strcmp(group->scope->name, "misuse") == 0)
            metrics = group;
    }
    assert_non_null(metrics);
    for (size_t i = 0; i < metrics->n_metrics; i++) {
        if (strcmp(metrics->metrics[i]->name, "n.histogram") == 0) {
            assert_int_equal(metrics->metrics[i]->histogram->data_points[0]->count, 2); /* -0 and 2 */
            assert_true(isfinite(metrics->metrics[i]->histogram->data_points[0]->sum));
        }
    }
}

/* Names of a mebibyte: of spans, events, keys, scopes, instruments, propagated headers. */
static void over_long_names(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    char *text = malloc(LONG);
    memset(text, 'n', LONG);
    weir_str name = weir_sn(text, LONG);
    weir_scope long_scope = { .size = sizeof(long_scope), .name = name, .version = name, .schema_url = name };
    weir_instr long_instr = { .size = sizeof(long_instr), .kind = WEIR_COUNTER, .scope = &scope, .name = name, .unit = name };
    weir_stats_values first = stats();
    weir_span span;
    weir_span_begin(&span, &scope, name, NULL);
    weir_span_rename(&span, name);
    weir_span_event(&span, name, WEIR_ATTRS(weir_kv_int(name, 1)), 0);
    weir_span_set(&span, weir_kv_int(name, 1));
    weir_span_status(&span, WEIR_ERROR, name);
    weir_span_end(&span);
    weir_span_begin(&span, &long_scope, WEIR_S("in a long scope"), NULL);
    weir_span_end(&span);
    weir_log(&scope, WEIR_INFO, name, WEIR_ATTRS(weir_kv_int(name, 1)));
    weir_add_attrs(&long_instr, 1, WEIR_ATTRS(weir_kv_int(name, 1)));
    assert_true(weir_flush(5000) != -ETIMEDOUT);
    weir_stats_values last = stats();
    assert_int_equal(last.spans_live, 0);
    assert_int_equal(last.spans_started - first.spans_started, 2);
    assert_int_equal(last.spans_exported - first.spans_exported + (last.spans_dropped - first.spans_dropped), 2);
    assert_true(last.attributes_dropped > first.attributes_dropped);
    for (size_t i = 0; capture_span(i) != NULL; i++)
        assert_true(strlen(capture_span(i)->name) <= 65536);
    free(text);
}

static void after_shutdown(void **state)
{
    (void)state;
    WEIR_INSTRUMENT(counter, WEIR_COUNTER, scope, "late.counter", "1");
    weir_series *series = weir_bind(&counter, WEIR_NO_ATTRS);
    weir_span open, span;
    weir_span_begin(&open, &scope, WEIR_S("open"), NULL);
    weir_shutdown(1000);
    weir_stats_values first = stats();
    memset(&span, 0, sizeof(span));
    touch_everything(&scope, &counter, &span);
    touch_everything(&scope, &counter, &open);
    weir_add(series, 1);
    assert_int_equal(stats().spans_started, first.spans_started);
    assert_int_equal(stats().logs_recorded, first.logs_recorded);
    assert_int_equal(weir_poll(NULL, 0), -EINVAL);
    capture_start(NULL, 0); /* and it begins again as if nothing had been */
    weir_span_begin(&span, &scope, WEIR_S("again"), NULL);
    weir_span_end(&span);
    assert_int_equal(weir_flush(5000), 0);
    assert_string_equal(capture_span(0)->name, "again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(null_and_zeroed_handles, start, stop),
        cmocka_unit_test_setup_teardown(not_a_number, start, stop),
        cmocka_unit_test_setup_teardown(over_long_names, start, stop),
        cmocka_unit_test_setup_teardown(after_shutdown, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
