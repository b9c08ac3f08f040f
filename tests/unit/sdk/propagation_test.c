/*
 * Propagators, in and out. The traceparent and tracestate cases are those of the W3C's test suite for trace context
 * (levels 1 and 2), by name.
 */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <strings.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define PARENT "00-" TRACE "-" SPAN "-01"

WEIR_SCOPE(scope, "propagation", "1");

struct header {
    const char *name, *value;
};

struct carrier {
    struct header in[64];
    size_t in_count;
    char names[16][32], values[16][9000];
    size_t out_count;
};

static weir_str get(const void *context, weir_str name, size_t nth)
{
    const struct carrier *carrier = context;

    for (size_t i = 0; i < carrier->in_count; i++) {
        if (strlen(carrier->in[i].name) == name.n && strncasecmp(carrier->in[i].name, name.p, name.n) == 0 && nth-- == 0)
            return weir_z(carrier->in[i].value);
    }
    return weir_z(NULL);
}

static int set(void *context, weir_str name, weir_str value)
{
    struct carrier *carrier = context;

    snprintf(carrier->names[carrier->out_count], 32, "%.*s", (int)name.n, name.p);
    snprintf(carrier->values[carrier->out_count], 9000, "%.*s", (int)value.n, value.p);
    carrier->out_count++;
    return 0;
}

static struct carrier carrier;

static const char *sent(const char *name)
{
    for (size_t i = 0; i < carrier.out_count; i++) {
        if (strcmp(carrier.names[i], name) == 0)
            return carrier.values[i];
    }
    return NULL;
}

/* Receives a request with the carrier's headers, makes a span of it and calls on, as a service in the middle does. */
static bool forward(void)
{
    weir_ctx parent;
    carrier.out_count = 0;
    bool found = weir_extract(&parent, get, &carrier);
    WEIR_SPAN(span, scope, "hop", WEIR_SERVER, &parent);
    assert_int_equal(weir_inject(&span.ctx, set, &carrier), 0);
    return found;
}

static void clear(void)
{
    carrier.in_count = 0;
}

static void add(const char *name, const char *value)
{
    carrier.in[carrier.in_count++] = (struct header){ name, value };
}

static bool keeps_trace(void)
{
    forward();
    const char *out = sent("traceparent");
    assert_non_null(out);
    assert_int_equal(strlen(out), 55);
    assert_memory_not_equal(out + 36, SPAN, 16);
    return strncmp(out + 3, TRACE, 32) == 0;
}

static bool keeps_with(const char *traceparent)
{
    clear();
    add("traceparent", traceparent);
    return keeps_trace();
}

static void traceparent_cases(void **state)
{
    (void)state;
    clear();
    assert_false(keeps_trace()); /* both_traceparent_and_tracestate_missing */
    assert_true(keeps_with(PARENT));
    static const char *const bad[] = {
        "",
        "0",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01.",
        "00-" TRACE "-" SPAN "-01-extra", /* version 00 */
        "00-" TRACE "-" SPAN "-1",
        "00-0-" SPAN "-01",
        "00-" TRACE "-0-01",
        "0-" TRACE "-" SPAN "-01",
        "ff-" TRACE "-" SPAN "-01",
        "FF-" TRACE "-" SPAN "-01",
        ".0-" TRACE "-" SPAN "-01",
        "0.-" TRACE "-" SPAN "-01",
        "cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like",
        "cc-" TRACE "-" SPAN "-01what",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-.af7651916cd43dd8448eb211c80319c-" SPAN "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-" TRACE "0-" SPAN "-01",
        "00-0af7651916cd43dd8448eb211c80319-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-" TRACE "-.7ad6b7169203331-01",
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-" TRACE "-" SPAN "0-01",
        "00-" TRACE "-b7ad6b716920333-01",
        "00-" TRACE "-" SPAN "-.0",
        "00-" TRACE "-" SPAN "-0.",
        "00-" TRACE "-" SPAN "-001",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "_" SPAN "-01",
        "00_" TRACE "-" SPAN "-01",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(keeps_with(bad[i]));
    static const char *const good[] = {
        "cc-" TRACE "-" SPAN "-01",
        "cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like",
        "cc-" TRACE "-" SPAN "-01-",
        " " PARENT,
        "\t" PARENT,
        PARENT " ",
        PARENT "\t",
        "\t " PARENT " \t", /* ows_handling */
        "00-" TRACE "-" SPAN "-00",
        "00-" TRACE "-" SPAN "-ff",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(keeps_with(good[i]));
    /* version_0xcc is answered in version 00 */
    assert_true(keeps_with("cc-" TRACE "-" SPAN "-01"));
    assert_memory_equal(sent("traceparent"), "00-", 3);
}

static void traceparent_names_and_doubles(void **state)
{
    (void)state;
    static const char *const names[] = { "TraceParent", "TRACEPARENT", "TrAcEpArEnT" };
    static const char *const wrong[] = { "trace-parent", "trace.parent", "traceparen" };
    for (size_t i = 0; i < 3; i++) {
        clear();
        add(names[i], PARENT);
        assert_true(keeps_trace());
        clear();
        add(wrong[i], PARENT);
        assert_false(keeps_trace());
    }
    clear();
    add("traceparent", PARENT);
    add("traceparent", "00-1234567890abcdef1234567890abcdef-" SPAN "-01");
    assert_false(keeps_trace()); /* duplicated: neither counts */
    assert_memory_not_equal(sent("traceparent") + 3, "1234567890abcdef1234567890abcdef", 32);
}

static const char *state_after(const char *first, const char *second)
{
    clear();
    add("traceparent", PARENT);
    if (first != NULL)
        add("tracestate", first);
    if (second != NULL)
        add("TraceState", second);
    assert_true(keeps_trace());
    return sent("tracestate");
}

static void tracestate_cases(void **state)
{
    (void)state;
    static char long_key[600], long_value[600], many[4000];
    assert_null(state_after(NULL, NULL));
    assert_string_equal(state_after("foo=1,bar=2", NULL), "foo=1,bar=2");
    assert_string_equal(state_after("foo=1", "bar=2"), "foo=1,bar=2"); /* multiple_headers_different_keys */
    assert_string_equal(state_after("foo=1", ""), "foo=1");            /* empty_header */
    assert_string_equal(state_after("", "foo=1"), "foo=1");
    assert_null(state_after("", NULL));
    assert_string_equal(state_after("foo=1 \t , \t bar=2, \t baz=3", NULL), "foo=1,bar=2,baz=3"); /* ows_handling */
    assert_string_equal(state_after("foo=1\t \t,\t \tbar=2,\t \tbaz=3", NULL), "foo=1,bar=2,baz=3");
    assert_string_equal(state_after(" foo=1 ", "\tbar=2"), "foo=1,bar=2");
    assert_string_equal(state_after("foo=1,,bar=2", NULL), "foo=1,bar=2");
    assert_string_equal(state_after("foo=1,foo=1", NULL), "foo=1,foo=1"); /* duplicated_keys are tolerated */
    static const char *const bad[] = { "foo =1", "FOO=1", "foo.bar=1", "foo@=1,bar=2", "@foo=1,bar=2", "foo@@bar=1,bar=2",
        "foo@bar@baz=1,bar=2", "foo", "foo=", "foo=bar=baz", "foo=,bar=3", "foo=\x80", "=1", "fo\to=1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(state_after(bad[i], NULL));
    assert_null(state_after("foo=1", "FOO=1")); /* one bad header spoils all */
    /* all_allowed_characters */
    assert_string_equal(state_after("0123456789abcdefghijklmnopqrstuvwxyz_-*/=1", NULL), "0123456789abcdefghijklmnopqrstuvwxyz_-*/=1");
    assert_non_null(state_after("foo= !\"#$%&'()*+-./0123456789:;<>?@[\\]^_`{|}~", NULL));
    /* key_length_limit */
    memset(long_key, 'z', 256);
    strcpy(long_key + 256, "=1");
    assert_non_null(state_after(long_key, NULL));
    memset(long_key, 'z', 257);
    strcpy(long_key + 257, "=1");
    assert_null(state_after(long_key, NULL));
    memset(long_key, 't', 241);
    strcpy(long_key + 241, "@vvvvvvvvvvvvvv=1");
    assert_non_null(state_after(long_key, NULL));
    strcpy(long_key + 241, "@vvvvvvvvvvvvvvv=1");
    assert_null(state_after(long_key, NULL));
    memset(long_key, 't', 242);
    strcpy(long_key + 242, "@v=1");
    assert_null(state_after(long_key, NULL));
    strcpy(long_value, "a=");
    memset(long_value + 2, 'v', 256);
    assert_non_null(state_after(long_value, NULL));
    memset(long_value + 2, 'v', 257);
    assert_null(state_after(long_value, NULL));
    /* member_count_limit */
    for (int members = 32; members <= 33; members++) {
        many[0] = '\0';
        for (int i = 0; i < members; i++)
            sprintf(many + strlen(many), "%sbar%02d=%02d", i > 0 ? "," : "", i, i);
        const char *got = state_after(many, NULL);
        if (members == 32)
            assert_string_equal(got, many);
        else
            assert_null(got);
    }
    clear();
    add("tracestate", "foo=1"); /* tracestate_included_traceparent_missing */
    assert_false(keeps_trace());
    assert_null(sent("tracestate"));
}

static void flags_level_2(void **state)
{
    (void)state;
    clear();
    forward();
    assert_string_equal(sent("traceparent") + 53, "03"); /* a new trace: sampled, and its id is random */
    keeps_with("00-" TRACE "-" SPAN "-02");
    assert_string_equal(sent("traceparent") + 53, "02"); /* not sampled by the parent, random kept */
    keeps_with("00-" TRACE "-" SPAN "-01");
    assert_string_equal(sent("traceparent") + 53, "01"); /* random is never invented */
    keeps_with("00-" TRACE "-" SPAN "-ff");
    assert_string_equal(sent("traceparent") + 53, "03"); /* unknown flags are not passed on */
}

static void cut_at_every_byte(void **state)
{
    (void)state;
    char text[56];
    for (size_t n = 0; n < 55; n++) {
        memcpy(text, PARENT, n);
        text[n] = '\0';
        assert_false(keeps_with(text));
    }
}

/* ---- B3 ---- */

static void start_with_propagators(const char *names)
{
    weir_setting setting = { "OTEL_PROPAGATORS", names };
    weir_shutdown(1000);
    capture_start(&setting, 1);
}

static void b3_single(void **state)
{
    (void)state;
    start_with_propagators("b3");
    static const struct {
        const char *in;
        const char *trace; /* NULL: a new one */
        char sampled;
    } cases[] = {
        { TRACE "-" SPAN "-1", TRACE, '1' },
        { TRACE "-" SPAN "-0", TRACE, '0' },
        { TRACE "-" SPAN "-d", TRACE, 'd' },
        { TRACE "-" SPAN "-1-05e3ac9a4f6e3b90", TRACE, '1' },
        { TRACE "-" SPAN, TRACE, '1' }, /* deferred: decided here */
        { "8448eb211c80319c-" SPAN "-1", "00000000000000008448eb211c80319c", '1' },
        { "0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-1", TRACE, '1' },
        { "0", NULL, '0' },
        { "1", NULL, '1' },
        { "d", NULL, '1' },
        { TRACE "-" SPAN "-x", NULL, '1' },
        { TRACE "-" SPAN "-1-short", NULL, '1' },
        { "-", NULL, '1' },
        { "", NULL, '1' },
        { TRACE, NULL, '1' },
        { "00000000000000000000000000000000-" SPAN "-1", NULL, '1' },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        clear();
        add("b3", cases[i].in);
        forward();
        const char *out = sent("b3");
        assert_int_equal(strlen(out), 51);
        if (cases[i].trace != NULL)
            assert_memory_equal(out, cases[i].trace, 32);
        else
            assert_memory_not_equal(out, TRACE, 32);
        assert_memory_not_equal(out + 33, SPAN, 16); /* the span id is never reused */
        assert_int_equal(out[50], cases[i].sampled);
        assert_int_equal(carrier.out_count, 1);
    }
}

static void b3_multi(void **state)
{
    (void)state;
    start_with_propagators("b3multi");
    clear();
    add("X-B3-TraceId", TRACE);
    add("X-B3-SpanId", SPAN);
    add("X-B3-ParentSpanId", "05e3ac9a4f6e3b90");
    add("X-B3-Sampled", "1");
    assert_true(forward());
    assert_string_equal(sent("x-b3-traceid"), TRACE);
    assert_string_equal(sent("x-b3-sampled"), "1");
    assert_null(sent("x-b3-parentspanid"));
    assert_null(sent("x-b3-flags"));
    carrier.in[3].value = "0";
    forward();
    assert_string_equal(sent("x-b3-sampled"), "0");
    add("X-B3-Flags", "1");
    forward();
    assert_string_equal(sent("x-b3-flags"), "1"); /* debug survives the hop and implies sampled */
    assert_null(sent("x-b3-sampled"));
    add("b3", "1234567890abcdef1234567890abcdef-" SPAN "-1"); /* single before multi */
    forward();
    assert_string_equal(sent("x-b3-traceid"), "1234567890abcdef1234567890abcdef");
    clear();
    add("x-b3-sampled", "0");
    forward();
    assert_string_equal(sent("x-b3-sampled"), "0");
}

static void order_and_fields(void **state)
{
    (void)state;
    start_with_propagators("b3, tracecontext ,B3, nonsense,baggage");
    static const char *const fields[] = { "b3", "traceparent", "tracestate", "baggage" };
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(weir_propagation_field(i), fields[i]);
    assert_null(weir_propagation_field(4));
    clear();
    add("b3", "1234567890abcdef1234567890abcdef-" SPAN "-1");
    add("traceparent", PARENT);
    forward();
    assert_memory_equal(sent("traceparent") + 3, TRACE, 32); /* the last that finds one decides */
    assert_memory_equal(sent("b3"), TRACE, 32);
    start_with_propagators("none");
    assert_false(forward());
    assert_int_equal(carrier.out_count, 0);
}

/* ---- baggage ---- */

static void baggage_headers(void **state)
{
    (void)state;
    char value[64];
    weir_ctx ctx;
    clear();
    add("baggage", "user=alice%20b , empty= ,bad name=1,x=\"q\",prop=1;p=2;q");
    add("baggage", "more=%E2%9C%93");
    assert_true(weir_extract(&ctx, get, &carrier));
    assert_false(weir_ctx_valid(&ctx));
    assert_int_equal(weir_baggage_get(&ctx, WEIR_S("user"), value, sizeof(value)), 7);
    assert_string_equal(value, "alice b");
    assert_int_equal(weir_baggage_get(&ctx, WEIR_S("empty"), value, sizeof(value)), 0);
    assert_int_equal(weir_baggage_get(&ctx, WEIR_S("x"), value, sizeof(value)), -1);
    assert_int_equal(weir_baggage_get(&ctx, WEIR_S("more"), value, sizeof(value)), 3);
    assert_string_equal(value, "\xe2\x9c\x93");
    assert_int_equal(weir_baggage_get(&ctx, WEIR_S("user"), value, 4), 7);
    assert_string_equal(value, "ali");
    forward();
    assert_string_equal(sent("baggage"), "user=alice%20b,empty=,prop=1;p=2;q,more=%E2%9C%93");
    assert_non_null(sent("traceparent"));
}

static void baggage_changes(void **state)
{
    (void)state;
    char value[64], big[9000];
    weir_ctx ctx, other;
    memset(&ctx, 0, sizeof(ctx));
    assert_int_equal(weir_baggage_set(&ctx, NULL, WEIR_S("a"), WEIR_S("1,;\" \\%\xc3\xa4"), WEIR_S("p=1")), 0);
    assert_int_equal(weir_baggage_get(&ctx, WEIR_S("a"), value, sizeof(value)), 9);
    assert_string_equal(value, "1,;\" \\%\xc3\xa4");
    weir_ctx first = ctx;
    assert_int_equal(weir_baggage_set(&ctx, &ctx, WEIR_S("b"), WEIR_S("2"), weir_z(NULL)), 0);
    assert_int_equal(weir_baggage_set(&other, &ctx, WEIR_S("a"), weir_z(NULL), weir_z(NULL)), 0);
    assert_string_equal(weir_sn(weir_baggage_header(&other).p, 3).p, "b=2");
    assert_int_equal(weir_baggage_header(&other).n, 3);
    assert_int_equal(weir_baggage_set(&other, &ctx, WEIR_S("bad key"), WEIR_S("2"), weir_z(NULL)), -EINVAL);
    assert_int_equal(weir_baggage_set(&other, &ctx, WEIR_S("k"), WEIR_S("2"), WEIR_S("x,y=1")), -EINVAL);
    memset(big, 'x', sizeof(big));
    assert_int_equal(weir_baggage_set(&other, &ctx, WEIR_S("k"), weir_sn(big, 8200), weir_z(NULL)), -E2BIG);
    weir_ctx_unref(&ctx);
    assert_int_equal(weir_baggage_get(&first, WEIR_S("a"), value, sizeof(value)), 9);
    weir_ctx_unref(&first);
}

static void a_context_outlives_its_extras(void **state)
{
    (void)state;
    weir_ctx kept, stale;
    clear();
    add("traceparent", PARENT);
    add("tracestate", "foo=1");
    assert_true(weir_extract(&kept, get, &carrier));
    stale = kept;
    weir_ctx_ref(&kept);
    carrier.in[1].value = "foo=2";
    weir_ctx next;
    assert_true(weir_extract(&next, get, &carrier));
    assert_memory_equal(weir_ctx_tracestate(&kept).p, "foo=1", 5);
    weir_ctx_unref(&kept);
    for (int i = 0; i < 100; i++)
        weir_extract(&next, get, &carrier);
    assert_null(weir_ctx_tracestate(&stale).p);
    assert_true(weir_ctx_valid(&stale));
}

/* Slots of extras come back: many more extractions than there is memory for. */
static void extras_do_not_leak(void **state)
{
    (void)state;
    weir_ctx ctx;
    clear();
    add("traceparent", PARENT);
    add("tracestate", "foo=1");
    add("baggage", "a=b");
    for (int i = 0; i < 50000; i++) {
        assert_true(weir_extract(&ctx, get, &carrier));
        assert_int_equal(weir_ctx_tracestate(&ctx).n, 5);
        WEIR_SPAN(span, scope, "x", WEIR_SERVER, &ctx);
        assert_int_equal(weir_ctx_tracestate(&span.ctx).n, 5);
    }
}

static void without_an_sdk_contexts_pass(void **state)
{
    (void)state;
    weir_shutdown(1000);
    clear();
    add("traceparent", PARENT);
    add("tracestate", "foo=1");
    assert_true(forward());
    assert_string_equal(sent("traceparent"), PARENT);
    assert_string_equal(sent("tracestate"), "foo=1");
}

static void environment(void **state)
{
    (void)state;
    char *vars[] = { "PATH=/bin", "TRACEPARENT=" PARENT, "BAGGAGE=a=b", NULL, NULL, NULL };
    char text[256];
    weir_env env = { vars, 6, text, sizeof(text), 0 };
    weir_ctx ctx;
    assert_true(weir_extract(&ctx, weir_env_get, vars));
    {
        WEIR_SPAN(span, scope, "child", WEIR_INTERNAL, &ctx);
        assert_int_equal(weir_inject(&span.ctx, weir_env_set, &env), 0);
    }
    assert_memory_equal(vars[1], "TRACEPARENT=00-" TRACE, 15 + 32);
    assert_memory_not_equal(vars[1] + 12 + 36, SPAN, 16);
    assert_string_equal(vars[2], "BAGGAGE=a=b");
    assert_null(vars[3]);
    assert_int_equal(weir_env_set(&env, WEIR_S("x-b3-traceid"), WEIR_S("1")), 0);
    assert_string_equal(vars[3], "X_B3_TRACEID=1");
    assert_int_equal(weir_env_set(&env, WEIR_S("y"), WEIR_S("1")), 0);
    assert_int_equal(weir_env_set(&env, WEIR_S("z"), WEIR_S("1")), -ENOBUFS);
    assert_null(vars[5]);
}

static int start_plain(void **state)
{
    (void)state;
    weir_shutdown(1000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(traceparent_cases, start_plain),
        cmocka_unit_test_setup(traceparent_names_and_doubles, start_plain),
        cmocka_unit_test_setup(tracestate_cases, start_plain),
        cmocka_unit_test_setup(flags_level_2, start_plain),
        cmocka_unit_test_setup(cut_at_every_byte, start_plain),
        cmocka_unit_test_setup(b3_single, start_plain),
        cmocka_unit_test_setup(b3_multi, start_plain),
        cmocka_unit_test_setup(order_and_fields, start_plain),
        cmocka_unit_test_setup(baggage_headers, start_plain),
        cmocka_unit_test_setup(baggage_changes, start_plain),
        cmocka_unit_test_setup(a_context_outlives_its_extras, start_plain),
        cmocka_unit_test_setup(extras_do_not_leak, start_plain),
        cmocka_unit_test_setup(environment, start_plain),
        cmocka_unit_test_setup_teardown(without_an_sdk_contexts_pass, start_plain, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
