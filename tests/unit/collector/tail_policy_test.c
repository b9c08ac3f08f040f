/* Policies of tail sampling, one by one and together, over small traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/processors/tail_sampling/policy.h"

#include <cmocka.h>

/* ---- spans and traces ---- */

enum { SPANS_MAX = 400 };

struct sample {
    struct buffer spans[SPANS_MAX], group, scope;
    size_t count;
};

static void put_attribute(struct buffer *out, uint32_t field, const char *key, const struct otlp_value *value)
{
    size_t attribute = pb_open(out, field), inner;

    pb_put_bytes(out, 1, slice_of_string(key));
    inner = pb_open(out, 2);
    if (value->kind == OTLP_VALUE_STRING)
        pb_put_bytes(out, OTLP_VALUE_STRING, value->bytes);
    else if (value->kind == OTLP_VALUE_DOUBLE)
        pb_put_double(out, OTLP_VALUE_DOUBLE, value->number);
    else
        pb_put_varint(out, value->kind, (uint64_t)value->integer);
    pb_close(out, inner);
    pb_close(out, attribute);
}

static struct buffer *add_span(struct sample *sample, uint64_t start_ms, uint64_t end_ms)
{
    struct buffer *span = &sample->spans[sample->count++];

    pb_put_bytes(span, 1, slice_of("0123456789abcdef", 16));
    pb_put_bytes(span, 5, SLICE("name"));
    pb_put_fixed64(span, 7, start_ms * 1000000);
    pb_put_fixed64(span, 8, end_ms * 1000000);
    return span;
}

static void set_status(struct buffer *span, uint64_t code)
{
    size_t status = pb_open(span, 15);

    pb_put_varint(span, 3, code);
    pb_close(span, status);
}

static void put_text(struct buffer *span, const char *key, const char *text)
{
    put_attribute(span, OTLP_ATTRIBUTES_OF_SPAN, key, &(struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = slice_of_string(text) });
}

static void put_integer(struct buffer *span, const char *key, enum otlp_value_kind kind, int64_t integer)
{
    put_attribute(span, OTLP_ATTRIBUTES_OF_SPAN, key, &(struct otlp_value){ .kind = kind, .integer = integer });
}

static void put_resource_text(struct sample *sample, const char *key, const char *text)
{
    size_t resource = pb_open(&sample->group, 1);

    put_attribute(&sample->group, OTLP_ATTRIBUTES_OF_RESOURCE, key,
        &(struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = slice_of_string(text) });
    pb_close(&sample->group, resource);
}

static void sample_fini(struct sample *sample)
{
    for (size_t i = 0; i < sample->count; i++)
        buffer_fini(&sample->spans[i]);
    buffer_fini(&sample->group);
    buffer_fini(&sample->scope);
    *sample = (struct sample){ .count = 0 };
}

static void load(struct tail_trace *trace, bool again)
{
    const struct sample *sample = trace->source;

    trace->start = again ? 0 : trace->start + trace->count;
    for (trace->count = 0; trace->count < TAIL_WINDOW && trace->start + trace->count < sample->count; trace->count++) {
        struct tail_span *span = &trace->window[trace->count];
        span->body = buffer_slice(&sample->spans[trace->start + trace->count]);
        span->head = (struct tail_head){ buffer_slice(&sample->group), buffer_slice(&sample->scope) };
        otlp_span_view(span->body, &span->view);
    }
}

static struct tail_trace trace_of(const struct sample *sample, struct tail_worker *worker)
{
    struct tail_trace trace = { .spans = sample->count, .worker = worker, .load = load, .source = sample, .window = worker->window };

    memcpy(trace.id, "0123456789abcdef", 16);
    for (size_t i = 0; i < sample->count; i++)
        trace.bytes += sample->spans[i].size;
    return trace;
}

/* ---- policies of YAML ---- */

struct rig {
    struct arena arena;
    struct tail_settings settings;
    struct tail_policies policies;
    struct tail_worker worker;
};

static bool set_up(struct rig *rig, const char *yaml, struct error *err)
{
    struct config_errors errors = { .arena = &rig->arena };
    struct config_source source;
    struct config_node *node;

    source = (struct config_source){ arena_printf(&rig->arena, "yaml:%s", yaml), false };
    node = config_load(&rig->arena, &source, 1, &errors);
    assert_non_null(node);
    assert_true(tail_worker_init(&rig->worker, "test"));
    if (!option_fill(tail_options, node, "tail", &(struct option_target){ &rig->settings, &rig->arena, &errors })) {
        snprintf(err->message, sizeof(err->message), "%s", errors.first->text);
        return false;
    }
    return tail_policies_init(&rig->policies, &rig->settings, err);
}

static void tear_down(struct rig *rig)
{
    tail_policies_fini(&rig->policies);
    tail_worker_fini(&rig->worker);
    arena_fini(&rig->arena);
}

static enum tail_decision decide(const char *yaml, const struct sample *sample)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct error err = { "" };
    struct tail_trace trace;
    enum tail_decision decision;

    assert_non_null(rig);
    if (!set_up(rig, yaml, &err))
        fail_msg("%s", err.message);
    trace = trace_of(sample, &rig->worker);
    tail_policies_decide(&rig->policies, &trace, rig->worker.verdict);
    decision = rig->worker.verdict->asked > 0 && rig->worker.verdict->said[0] == TAIL_FAILED ? TAIL_FAILED : rig->worker.verdict->decision;
    tear_down(rig);
    free(rig);
    return decision;
}

#define ONE(policy) "policies: [{name: p, " policy "}]"

static void check(const char *yaml, const struct sample *sample, enum tail_decision wanted)
{
    enum tail_decision got = decide(yaml, sample);

    if (got != wanted)
        fail_msg("%s: %d wanted, got %d", yaml, (int)wanted, (int)got);
}

/* ---- cores ---- */

static void a_share_of_the_hashes_is_rounded_as_upstream(void **state)
{
    const struct {
        double ratio;
        uint64_t threshold;
    } rows[] = { { 0.1, 0x19999999999999ff }, { 0.075, 0x13333333333332ff }, { 0.5, 0x7fffffffffffffff }, { 0.25, 0x3fffffffffffffff },
        { 1e-9, 0x44b82fa09 }, { 0.9999999999999999, 0xfffffffffffff7ff }, { 0.01, 0x28f5c28f5c28f5f }, { 0.03, 0x7ae147ae147adff },
        { 0, 0 }, { 1, UINT64_MAX }, { 7, UINT64_MAX }, { -1, 0 }, { 5e-324, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(tail_threshold(rows[i].ratio), rows[i].threshold);
    assert_int_equal(
        tail_hash("default-hash-seed", (const uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }), 0xdbcf64d5420f4cad);
}

static void a_bucket_gives_what_flows_in_and_no_more_than_it_holds(void **state)
{
    const int64_t second = 1000000000;
    struct tail_bucket bucket;

    (void)state;
    tail_bucket_init(&bucket, 3, 6, 0);
    assert_false(tail_bucket_take(&bucket, 0, 7));
    assert_true(tail_bucket_take(&bucket, 0, 6));
    assert_false(tail_bucket_take(&bucket, 0, 1));
    assert_false(tail_bucket_take(&bucket, second / 4, 1)); /* refusing takes nothing, and what came stays */
    assert_true(tail_bucket_take(&bucket, second / 2, 1));
    assert_true(tail_bucket_take(&bucket, second * 100, 6));
    assert_false(tail_bucket_take(&bucket, second * 99, 1)); /* a clock that goes back */
    assert_true(tail_bucket_take(&bucket, second * 99, 0));
}

static void a_trace_state_is_read_when_all_of_it_is_right(void **state)
{
    const struct {
        const char *state, *value; /* NULL: refused */
    } rows[] = { { "k=v", "v" }, { "a=1,k=v,z=2", "v" }, { "a=1,,k=v", "v" }, { " k=v \t", "v" }, { "a=1", "" }, { "k=", NULL },
        { "k", NULL }, { "K=v", NULL }, { "k=v,k=w", NULL }, { "k=a=b", NULL }, { "1k=v", NULL }, { "1a@k=v,k=x", "x" }, { "a@1=v", NULL },
        { "k=v,a=\x7f", NULL }, { "a@b@c=v", NULL }, { "a1_-*/@s=v,k=x y", "x y" }, { "a= b,k=v", "v" } };
    struct buffer many = { .data = NULL };
    struct slice value;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool read = tail_trace_state_get(slice_of_string(rows[i].state), SLICE("k"), &value);
        if (read != (rows[i].value != NULL) || (read && !slice_equal_string(value, rows[i].value)))
            fail_msg("\"%s\"", rows[i].state);
    }
    for (int i = 0; i < 33; i++) {
        assert_true(i == 0 || tail_trace_state_get(buffer_slice(&many), SLICE("k"), &value));
        buffer_printf(&many, "k%d=v,", i);
    }
    assert_false(tail_trace_state_get(buffer_slice(&many), SLICE("k"), &value));
    buffer_fini(&many);
}

/* ---- policies ---- */

static void latency_looks_at_the_trace_up_to_each_span(void **state)
{
    struct sample sample = { .count = 0 };

    (void)state;
    add_span(&sample, 1000, 1100);
    check(ONE("type: latency, latency: {threshold_ms: 100}"), &sample, TAIL_SAMPLED);
    check(ONE("type: latency, latency: {threshold_ms: 101}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: latency, latency: {threshold_ms: 100, upper_threshold_ms: 200}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: latency, latency: {threshold_ms: 99, upper_threshold_ms: 100}"), &sample, TAIL_SAMPLED);
    add_span(&sample, 900, 1050);
    check(ONE("type: latency, latency: {threshold_ms: 200}"), &sample, TAIL_SAMPLED);
    check(
        ONE("type: latency, latency: {threshold_ms: 50, upper_threshold_ms: 150}"), &sample, TAIL_SAMPLED); /* the first alone was within */
    sample_fini(&sample);
    pb_put_fixed64(add_span(&sample, 0, 0), 8, UINT64_MAX); /* a time that is before 1970 when taken as signed */
    check(ONE("type: latency, latency: {threshold_ms: 1}"), &sample, TAIL_NOT_SAMPLED);
    sample_fini(&sample);
}

static void attributes_of_another_kind_are_that_kinds_zero(void **state)
{
    struct sample sample = { .count = 0 };
    struct buffer *span = add_span(&sample, 1, 2);

    (void)state;
    put_text(span, "text", "value");
    put_integer(span, "number", OTLP_VALUE_INT, 7);
    put_integer(span, "truth", OTLP_VALUE_BOOL, 1);
    put_resource_text(&sample, "service", "shop");
    check(ONE("type: numeric_attribute, numeric_attribute: {key: number, min_value: 7, max_value: 7}"), &sample, TAIL_SAMPLED);
    check(ONE("type: numeric_attribute, numeric_attribute: {key: number, min_value: 8}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: numeric_attribute, numeric_attribute: {key: text, min_value: -1}"), &sample, TAIL_SAMPLED);
    check(ONE("type: numeric_attribute, numeric_attribute: {key: number, min_value: 7, invert_match: true}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: numeric_attribute, numeric_attribute: {key: none, min_value: 7, invert_match: true}"), &sample, TAIL_SAMPLED);
    check(ONE("type: boolean_attribute, boolean_attribute: {key: truth, value: true}"), &sample, TAIL_SAMPLED);
    check(ONE("type: boolean_attribute, boolean_attribute: {key: text, value: false}"), &sample, TAIL_SAMPLED);
    check(ONE("type: boolean_attribute, boolean_attribute: {key: truth, value: true, invert_match: true}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: string_attribute, string_attribute: {key: service, values: [cart, shop]}"), &sample, TAIL_SAMPLED);
    check(ONE("type: string_attribute, string_attribute: {key: service, values: [shop], invert_match: true}"), &sample, TAIL_NOT_SAMPLED);
    check(
        ONE("type: string_attribute, string_attribute: {key: text, values: [lue$], enabled_regex_matching: true}"), &sample, TAIL_SAMPLED);
    check(ONE("type: string_attribute, string_attribute: {key: text, values: [^lue], enabled_regex_matching: true}"), &sample,
        TAIL_NOT_SAMPLED);
    check(ONE("type: string_attribute, string_attribute: {key: number, values: ['^$'], enabled_regex_matching: true}"), &sample,
        TAIL_NOT_SAMPLED);
    sample_fini(&sample);
}

static void what_a_regular_expression_said_is_remembered_and_stays_right(void **state)
{
    static const char yaml[] =
        ONE("type: string_attribute, string_attribute: {key: k, values: ['^a.*7$'], enabled_regex_matching: true, cache_max_size: 3}");
    struct rig *rig = calloc(1, sizeof(*rig));
    struct error err;
    char text[400];

    (void)state;
    assert_non_null(rig);
    assert_true(set_up(rig, yaml, &err));
    for (int i = 0; i < 300; i++) {
        struct sample sample = { .count = 0 };
        struct tail_trace trace;
        snprintf(text, sizeof(text), "%c%0*d", i % 3 == 0 ? 'a' : 'b', i % 7 == 0 ? 300 : 1, i % 40);
        put_text(add_span(&sample, 1, 2), "k", text);
        trace = trace_of(&sample, &rig->worker);
        tail_policies_decide(&rig->policies, &trace, rig->worker.verdict);
        assert_int_equal(rig->worker.verdict->decision, i % 3 == 0 && i % 40 % 10 == 7 ? TAIL_SAMPLED : TAIL_NOT_SAMPLED);
        sample_fini(&sample);
    }
    tear_down(rig);
    free(rig);
}

static void fields_of_spans_decide(void **state)
{
    struct sample sample = { .count = 0 };
    struct buffer *span;

    (void)state;
    set_status(add_span(&sample, 1, 2), 1);
    span = add_span(&sample, 1, 2);
    set_status(span, 7);
    pb_put_fixed32(span, 16, 0x101);
    pb_put_bytes(span, 3, SLICE("vendor=gold"));
    check(ONE("type: status_code, status_code: {status_codes: [OK]}"), &sample, TAIL_SAMPLED);
    check(ONE("type: status_code, status_code: {status_codes: [ERROR, UNSET]}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: trace_flags"), &sample, TAIL_SAMPLED);
    check(ONE("type: trace_state, trace_state: {key: vendor, values: [gold]}"), &sample, TAIL_SAMPLED);
    check(ONE("type: trace_state, trace_state: {key: vendor, values: [iron, '']}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: span_count, span_count: {min_spans: 2}"), &sample, TAIL_SAMPLED);
    check(ONE("type: span_count, span_count: {min_spans: 1, max_spans: 1}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: probabilistic, probabilistic: {sampling_percentage: 100}"), &sample, TAIL_SAMPLED);
    check(ONE("type: probabilistic"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: rate_limiting, rate_limiting: {spans_per_second: 1}"), &sample, TAIL_SAMPLED);
    check(ONE("type: rate_limiting, rate_limiting: {spans_per_second: 10, burst_capacity: 1}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: bytes_limiting, bytes_limiting: {bytes_per_second: 10}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: bytes_limiting, bytes_limiting: {bytes_per_second: 1000}"), &sample, TAIL_SAMPLED);
    sample_fini(&sample);
}

static void conditions_are_asked_of_spans_and_events(void **state)
{
    struct sample sample = { .count = 0 };
    struct buffer *span = add_span(&sample, 1, 2);
    size_t event = pb_open(span, 11);

    (void)state;
    pb_put_bytes(span, 2, SLICE("exception"));
    pb_close(span, event);
    put_resource_text(&sample, "service", "shop");
    check(ONE("type: ottl_condition, ottl_condition: {span: ['name == \"name\"']}"), &sample, TAIL_SAMPLED);
    check(ONE("type: ottl_condition, ottl_condition: {span: ['span.name == \"x\"', 'resource.attributes[\"service\"] == \"shop\"']}"),
        &sample, TAIL_SAMPLED);
    check(ONE("type: ottl_condition, ottl_condition: {spanevent: ['name == \"exception\"']}"), &sample, TAIL_SAMPLED);
    check(ONE("type: ottl_condition, ottl_condition: {spanevent: ['name == \"other\"']}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: ottl_condition, ottl_condition: {error_mode: propagate, span: ['ParseJSON(name) == nil']}"), &sample, TAIL_FAILED);
    check(
        ONE("type: ottl_condition, ottl_condition: {error_mode: silent, span: ['ParseJSON(name) == nil', 'true']}"), &sample, TAIL_SAMPLED);
    sample_fini(&sample);
}

static void policies_of_policies(void **state)
{
    struct sample sample = { .count = 0 };

    (void)state;
    add_span(&sample, 1000, 2000);
    add_span(&sample, 1000, 2000);
    check(ONE("type: and, and: {and_sub_policy: [{type: always_sample}, {type: latency, latency: {threshold_ms: 1000}}]}"), &sample,
        TAIL_SAMPLED);
    check(ONE("type: and, and: {and_sub_policy: [{type: always_sample}, {type: latency, latency: {threshold_ms: 1001}}]}"), &sample,
        TAIL_NOT_SAMPLED);
    check(ONE("type: not, not: {not_sub_policy: {type: always_sample}}"), &sample, TAIL_NOT_SAMPLED);
    check(ONE("type: and, and: {and_sub_policy: [{type: not, not: {not_sub_policy: {type: trace_flags}}}]}"), &sample, TAIL_SAMPLED);
    check(ONE("type: not, not: {not_sub_policy: {type: ottl_condition, ottl_condition: {error_mode: propagate, span: ['ParseJSON(name) == "
              "nil']}}}"),
        &sample, TAIL_FAILED);
    check(ONE("type: composite, composite: {max_total_spans_per_second: 4, composite_sub_policy: [{name: a, type: trace_flags}, {name: b, "
              "type: always_sample}], "
              "rate_allocation: [{policy: b, percent: 50}]}"),
        &sample, TAIL_SAMPLED);
    check(ONE("type: composite, composite: {max_total_spans_per_second: 4, composite_sub_policy: [{name: a, type: always_sample}, {name: "
              "b, type: always_sample}], "
              "rate_allocation: [{policy: b, percent: 50}]}"),
        &sample, TAIL_NOT_SAMPLED); /* a has no rate, and is the first to want it */
    check(ONE("type: composite, composite: {max_total_spans_per_second: 2, composite_sub_policy: [{name: a, type: always_sample}, {name: "
              "b, type: trace_flags}], "
              "rate_allocation: [{policy: a, percent: 0}]}"),
        &sample, TAIL_NOT_SAMPLED);
    sample_fini(&sample);
}

#define DROP "{name: d, type: drop, drop: {drop_sub_policy: [{type: span_count, span_count: {min_spans: 2}}]}}"
#define ALL "{name: a, type: always_sample}"
#define NEVER "{name: n, type: trace_flags}"

static void drop_wins_then_the_first_that_samples(void **state)
{
    struct sample sample = { .count = 0 };
    struct rig *rig = calloc(1, sizeof(*rig));
    struct tail_trace trace;
    struct error err;

    (void)state;
    assert_non_null(rig);
    add_span(&sample, 1, 2);
    check("policies: [" NEVER ", " ALL ", " DROP "]", &sample, TAIL_SAMPLED);
    check("policies: [" NEVER "]", &sample, TAIL_NOT_SAMPLED);
    assert_true(set_up(rig, "sample_on_first_match: true\npolicies: [" NEVER ", " ALL ", {name: b, type: always_sample}]", &err));
    trace = trace_of(&sample, &rig->worker);
    tail_policies_decide(&rig->policies, &trace, rig->worker.verdict);
    assert_int_equal(rig->worker.verdict->policy, 1);
    assert_int_equal(rig->worker.verdict->asked, 2);
    tear_down(rig);
    add_span(&sample, 1, 2);
    check("policies: [" NEVER ", " ALL ", " DROP "]", &sample, TAIL_DROPPED);
    sample_fini(&sample);
    free(rig);
}

static bool part_is_pending(const char *yaml, const struct sample *sample)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct error err = { "" };
    struct tail_trace trace;
    bool pending;

    assert_non_null(rig);
    if (!set_up(rig, yaml, &err))
        fail_msg("%s", err.message);
    trace = trace_of(sample, &rig->worker);
    tail_policies_decide_part(&rig->policies, &trace, rig->worker.verdict);
    pending = rig->worker.verdict->pending;
    tear_down(rig);
    free(rig);
    return pending;
}

static void a_part_decides_only_what_nothing_later_can_change(void **state)
{
    struct sample sample = { .count = 0 };

    (void)state;
    add_span(&sample, 1, 2);
    assert_false(part_is_pending("sampling_strategy: span-ingest\npolicies: [" NEVER ", " ALL "]", &sample));
    assert_true(part_is_pending("sampling_strategy: span-ingest\npolicies: [" NEVER "]", &sample));
    assert_true(part_is_pending("sampling_strategy: span-ingest\npolicies: [" DROP ", " ALL "]", &sample)); /* it may be dropped yet */
    add_span(&sample, 1, 2);
    assert_false(part_is_pending("sampling_strategy: span-ingest\npolicies: [" DROP ", " ALL "]", &sample));
    sample_fini(&sample);
}

static void a_trace_longer_than_the_window_is_seen_whole_again_and_again(void **state)
{
    struct sample sample = { .count = 0 };

    (void)state;
    for (size_t i = 0; i < SPANS_MAX; i++)
        set_status(add_span(&sample, 1000 + i, 1001 + i), i + 1 == SPANS_MAX ? 2 : 1);
    check("policies: [" NEVER ", {name: l, type: latency, latency: {threshold_ms: 400}}]", &sample, TAIL_SAMPLED);
    check("policies: [" NEVER ", {name: l, type: latency, latency: {threshold_ms: 401}}]", &sample, TAIL_NOT_SAMPLED);
    check("policies: [" NEVER ", {name: s, type: status_code, status_code: {status_codes: [ERROR]}}]", &sample, TAIL_SAMPLED);
    sample_fini(&sample);
}

static void settings_that_cannot_work_are_refused_with_a_reason(void **state)
{
    const struct {
        const char *yaml, *text;
    } rows[] = {
        { ONE("type: numeric_attribute, numeric_attribute: {key: k}"), "min_value or max_value must be set" },
        { ONE("type: status_code"), "expected at least one of OK, ERROR and UNSET" },
        { ONE("type: string_attribute, string_attribute: {key: k, values: ['('], enabled_regex_matching: true}"),
            "regular expression \"(\"" },
        { ONE("type: ottl_condition"), "expected at least one condition" },
        { ONE("type: ottl_condition, ottl_condition: {span: ['nope(']}"), "nope(" },
        { ONE("type: ottl_condition, ottl_condition: {span: true}"), "expected a list" },
        { ONE("type: nonsense"), "nonsense" },
        { ONE("type: and, and: {and_sub_policy: [{type: and}]}"), "and" },
        { ONE("type: not, not: {not_sub_policy: {name: inner}}"), "not" },
        { "policies: [{type: always_sample}]", "name" },
        { "policies: [" ALL ", " ALL "]", "two policies are named \"a\"" },
        { "sampling_strategy: span-ingest\npolicies: [{name: r, type: rate_limiting}]", "span-ingest" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = calloc(1, sizeof(*rig));
        struct error err = { "" };
        assert_non_null(rig);
        if (set_up(rig, rows[i].yaml, &err) || strstr(err.message, rows[i].text) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].yaml, err.message, rows[i].text);
        tear_down(rig);
        free(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_of_the_hashes_is_rounded_as_upstream),
        cmocka_unit_test(a_bucket_gives_what_flows_in_and_no_more_than_it_holds),
        cmocka_unit_test(a_trace_state_is_read_when_all_of_it_is_right),
        cmocka_unit_test(latency_looks_at_the_trace_up_to_each_span),
        cmocka_unit_test(attributes_of_another_kind_are_that_kinds_zero),
        cmocka_unit_test(what_a_regular_expression_said_is_remembered_and_stays_right),
        cmocka_unit_test(fields_of_spans_decide),
        cmocka_unit_test(conditions_are_asked_of_spans_and_events),
        cmocka_unit_test(policies_of_policies),
        cmocka_unit_test(drop_wins_then_the_first_that_samples),
        cmocka_unit_test(a_part_decides_only_what_nothing_later_can_change),
        cmocka_unit_test(a_trace_longer_than_the_window_is_seen_whole_again_and_again),
        cmocka_unit_test(settings_that_cannot_work_are_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
