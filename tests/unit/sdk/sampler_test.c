/* Samplers: decisions, consistency between services, tracestate. */
#include "tests/unit/sdk/capture.h"

#include "sdk/src/tracestate.h"

WEIR_SCOPE(scope, "sampler", "1");

static void start(const char *name, const char *argument)
{
    weir_setting settings[] = { { "OTEL_TRACES_SAMPLER", name }, { "OTEL_TRACES_SAMPLER_ARG", argument } };
    weir_shutdown(1000);
    capture_start(settings, 2);
}

static int stop(void **state)
{
    (void)state;
    weir_shutdown(1000);
    capture_clear();
    return 0;
}

/* Whether a span with this parent (NULL: none) is sampled. */
static bool sampled_under(const weir_ctx *parent)
{
    WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, parent);
    assert_true(weir_ctx_valid(&span.ctx)); /* also when it is not recorded */
    assert_int_equal(weir_recording(&span), weir_ctx_sampled(&span.ctx));
    return weir_ctx_sampled(&span.ctx);
}

static void parents_decide_or_not(void **state)
{
    (void)state;
    weir_ctx yes = weir_ctx_make((const uint8_t *)"0123456789abcdef", (const uint8_t *)"01234567", 1, true), no = yes;
    no.flags = 0;
    static const struct {
        const char *sampler, *argument;
        bool root, under_yes, under_no;
    } cases[] = {
        { "always_on", "", true, true, true },
        { "always_off", "", false, false, false },
        { "parentbased_always_on", "", true, true, false },
        { "parentbased_always_off", "", false, true, false },
        { "parentbased_traceidratio", "0", false, true, false },
        { "parentbased_traceidratio", "1", true, true, false },
        { "traceidratio", "0", false, false, false },
        { "traceidratio", "1", true, true, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start(cases[i].sampler, cases[i].argument);
        assert_int_equal(sampled_under(NULL), cases[i].root);
        assert_int_equal(sampled_under(&yes), cases[i].under_yes);
        assert_int_equal(sampled_under(&no), cases[i].under_no);
    }
}

/* Unsampled spans keep the trace together: a child has its parent's trace id. */
static void not_sampled_is_passed_on(void **state)
{
    (void)state;
    start("always_off", "");
    WEIR_SPAN(outer, scope, "outer", WEIR_INTERNAL, NULL);
    WEIR_SPAN(inner, scope, "inner", WEIR_INTERNAL, NULL);
    assert_memory_equal(outer.ctx.trace_id, inner.ctx.trace_id, 16);
    assert_memory_not_equal(outer.ctx.span_id, inner.ctx.span_id, 8);
    assert_int_equal(inner.ctx.flags, WEIR_FLAG_RANDOM);
}

static weir_str state_of(const weir_ctx *ctx)
{
    return weir_ctx_tracestate(ctx);
}

static void ratios_are_met_and_written(void **state)
{
    (void)state;
    int sampled = 0;
    start("traceidratio", "0.25");
    for (int i = 0; i < 40000; i++) {
        WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, NULL);
        if (!weir_ctx_sampled(&span.ctx)) {
            assert_int_equal(state_of(&span.ctx).n, 0);
            continue;
        }
        sampled++;
        assert_memory_equal(state_of(&span.ctx).p, "ot=th:c", 7);
        assert_true(span.ctx.trace_id[9] >= 0xc0); /* the 56 random bits are at least the threshold */
    }
    assert_in_range(sampled, 9600, 10400);
}

static weir_str value_of(const void *carrier, weir_str name, size_t nth)
{
    const char *const *pairs = carrier;
    for (; *pairs != NULL; pairs += 2) {
        if (strlen(pairs[0]) == name.n && memcmp(pairs[0], name.p, name.n) == 0 && nth == 0)
            return weir_z(pairs[1]);
    }
    return weir_z(NULL);
}

static void explicit_randomness_and_others_states(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool sampled;
    } cases[] = {
        { "ot=rv:ffffffffffffff;th:4,foo=1", "ot=th:8;rv:ffffffffffffff,foo=1", true },
        { "foo=1,ot=th:4;rv:80000000000000", "ot=th:8;rv:80000000000000,foo=1", true },
        { "foo=1,ot=th:4;rv:7fffffffffffff", "ot=rv:7fffffffffffff,foo=1", false },
        { "foo=1,ot=th:4", "foo=1", false },             /* by the trace id, which is low */
        { "foo=1,ot=rv:xyz", "ot=rv:xyz,foo=1", false }, /* a bad rv does not count */
        { "foo=1", "foo=1", false },
    };
    start("traceidratio", "0.5");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const pairs[] = { "traceparent", "00-0af7651916cd43dd0048eb211c80319c-b7ad6b7169203331-01", "tracestate", cases[i].in,
            NULL };
        weir_ctx parent;
        assert_true(weir_extract(&parent, value_of, pairs));
        WEIR_SPAN(span, scope, "x", WEIR_SERVER, &parent);
        assert_int_equal(weir_ctx_sampled(&span.ctx), cases[i].sampled);
        assert_int_equal(state_of(&span.ctx).n, strlen(cases[i].out));
        assert_memory_equal(state_of(&span.ctx).p, cases[i].out, strlen(cases[i].out));
    }
}

static void a_full_tracestate_loses_its_last(void **state)
{
    (void)state;
    char in[400] = "", out[1000];
    for (int i = 0; i < 32; i++)
        sprintf(in + strlen(in), "%sk%02d=%d", i > 0 ? "," : "", i, i);
    size_t size = tracestate_set_threshold(out, weir_z(in), "8");
    out[size] = '\0';
    assert_memory_equal(out, "ot=th:8,k00=0,", 14);
    assert_string_equal(out + size - 6, "k30=30");
}

static void decide(const weir_sample_args *args, weir_sample_result *result, void *user)
{
    static weir_attr attr;
    (*(int *)user)++;
    attr = weir_kv_z(WEIR_S("sampler"), "mine");
    result->sample = args->name.n > 0 && args->name.p[0] == 'y' && args->attrs.count == 1 && args->parent == NULL;
    result->attrs = weir_attrs_of(&attr, 1);
    result->replace_tracestate = true;
    result->tracestate = WEIR_S("mine=1");
}

static void number(uint8_t *id, size_t size, void *user)
{
    memset(id, 0, size);
    id[size - 1] = (uint8_t)++ * (int *)user;
}

static void functions_of_the_application(void **state)
{
    (void)state;
    weir_config config = weir_config_default();
    int calls = 0, ids = 0;
    weir_shutdown(1000);
    capture_clear();
    config.no_environment = true;
    config.export_fn = capture_export;
    config.sampler = decide;
    config.sampler_user = &calls;
    config.ids = number;
    config.ids_user = &ids;
    assert_int_equal(weir_init(&config), 0);
    weir_span span;
    weir_span_opts opts = { .size = sizeof(opts), .attrs = WEIR_ATTRS(WEIR_KV("a", 1)) };
    weir_span_begin(&span, &scope, WEIR_S("yes"), &opts);
    assert_true(weir_recording(&span));
    assert_memory_equal(state_of(&span.ctx).p, "mine=1", 6);
    weir_span_end(&span);
    weir_span_begin(&span, &scope, WEIR_S("no"), &opts);
    assert_false(weir_recording(&span));
    weir_span_end(&span);
    assert_int_equal(weir_flush(5000), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(ids, 4);
    assert_text(span_value(capture_span(0), "sampler"), "mine");
    assert_string_equal(capture_span(0)->trace_state, "mine=1");
    weir_shutdown(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(parents_decide_or_not, stop),
        cmocka_unit_test_teardown(not_sampled_is_passed_on, stop),
        cmocka_unit_test_teardown(ratios_are_met_and_written, stop),
        cmocka_unit_test_teardown(explicit_randomness_and_others_states, stop),
        cmocka_unit_test(a_full_tracestate_loses_its_last),
        cmocka_unit_test_teardown(functions_of_the_application, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
