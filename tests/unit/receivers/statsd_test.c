/* StatsD lines to OTLP: what a line says, what series add up to, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/ottl/regex.h"
#include "collector/wire/otlp.h"
#include "receivers/statsd/event.h"
#include "receivers/statsd/exponential.h"
#include "receivers/statsd/table.h"

#include <cmocka.h>

static const double bounds[] = { 1, 10, 100 };
static const struct statsd_origin origin = { 0, 711 };

static struct statsd_rules plain_rules(void)
{
    struct statsd_rules rules = { .dialects = STATSD_DOGSTATSD, .max_series = 100, .max_samples = 100 };

    for (int i = 0; i < STATSD_TYPE_COUNT; i++)
        rules.observers[i].max_size = 160;
    return rules;
}

static const char *add(struct statsd_table *table, const char *line)
{
    return statsd_table_add(table, slice_of_string(line), &origin);
}

static void assert_fault(const char *line, const char *fault)
{
    struct statsd_rules rules = plain_rules();
    struct statsd_table *table = statsd_table_create(&rules);
    const char *got = add(table, line);

    if (fault == NULL)
        assert_null(got);
    else
        assert_string_equal(got != NULL ? got : "taken", fault);
    statsd_table_destroy(table);
}

/* ---- one metric out of a table ---- */

struct result {
    struct buffer wire;
    struct otlp_walk walk;
    struct otlp_metric metric;
    struct otlp_point point;
    size_t points;
};

static struct result flush(struct statsd_table *table)
{
    struct result result = { .points = 0 };
    struct otlp_points points;

    result.points = statsd_table_flush(table, 700, 711, &result.wire);
    assert_int_equal(otlp_check(SIGNAL_METRICS, buffer_slice(&result.wire)).fault, OTLP_OK);
    assert_int_equal(otlp_check(SIGNAL_METRICS, buffer_slice(&result.wire)).records, result.points);
    result.walk = otlp_walk(buffer_slice(&result.wire));
    assert_true(otlp_walk_next(&result.walk));
    otlp_metric_view(result.walk.record.body, &result.metric);
    points = otlp_points(&result.metric);
    assert_true(otlp_next_point(&points, &result.point));
    assert_int_equal(statsd_table_series(table), 0);
    return result;
}

static struct result result_of(const struct statsd_rules *rules, const char *const *lines)
{
    struct statsd_table *table = statsd_table_create(rules);
    struct result result;

    for (; *lines != NULL; lines++)
        assert_null(add(table, *lines));
    result = flush(table);
    statsd_table_destroy(table);
    return result;
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- lines ---- */

static void test_refusals(void **state)
{
    (void)state;
    assert_fault("a", "no_value");
    assert_fault("a|c", "no_value");
    assert_fault("a:1", "no_type");
    assert_fault("a:|c", "empty_value");
    assert_fault(":1|c", "empty_name");
    assert_fault("a:1|x", "unsupported_type");
    assert_fault("a:1|", "unsupported_type");
    assert_fault("a:1x|c", "bad_value");
    assert_fault("a:nan|g", "bad_value");
    assert_fault("a:inf|g", "bad_value");
    assert_fault("a:1e999|g", "bad_value");
    assert_fault("a:0x10|g", "bad_value");
    assert_fault("a:1:2|c", "bad_value");
    assert_fault("a:1e19|c", "bad_value");
    assert_fault("a:1|c|@x", "bad_rate");
    assert_fault("a:1|h|@1e-300", "bad_rate");
    assert_fault("a:1|c|", "empty_part");
    assert_fault("a:1|c|c", "bad_part");
    assert_fault("a:1|c|#a:b|#c:d", "bad_part");
    assert_fault("a:1|c|#:b", "bad_tag");
    assert_fault("a:1|c|#b", "bad_tag");
    assert_fault("a:1|c|Tx", "bad_timestamp");
    assert_fault("a:1|ms|T1", "bad_timestamp");
    assert_fault("a\xc3\x28:1|c", "not_utf8");
    assert_fault("a:1|c|#k:\xff", "not_utf8");
}

static void test_what_is_taken(void **state)
{
    (void)state;
    assert_fault("a:1|c", NULL);
    assert_fault("a:-1.5e3|g|@0.5|#k:v,k2:v:2,,|c:abc|T1656581400", NULL);
    assert_fault("a:.5|g", NULL);
    assert_fault("a:12345678901234567890|g", NULL);
    assert_fault("a:1:2:3|h|#a:b", NULL);
    assert_fault("a:1|c:2|g:5|ms|@0.1:6|h", NULL);
    assert_fault("a:x:y|s", NULL);
    assert_fault("a:1|c|#", NULL);
    assert_fault("a:1|c|e:external|card:low", NULL);
}

static void test_every_beginning(void **state)
{
    static const char line[] = "name:1:2.5|ms|@0.5|#k:v,k2:v2|c:abc";
    struct statsd_rules rules = plain_rules();
    struct statsd_table *table = statsd_table_create(&rules);

    (void)state;
    for (size_t size = 0; size < sizeof(line); size++) {
        uint8_t *copy = malloc(size + 1);

        assert_non_null(copy);
        memcpy(copy, line, size);
        statsd_table_add(table, slice_of(copy, size), &origin);
        free(copy);
    }
    statsd_table_destroy(table);
}

static void test_long_lines(void **state)
{
    static char line[60000];
    static char tags[8000] = "a:1|c|#";

    (void)state;
    memset(line, 'a', sizeof(line) - 1);
    memcpy(line + sizeof(line) - 5, ":1|c", 5);
    assert_fault(line, "too_long");
    for (int i = 0; i < 200; i++)
        sprintf(tags + strlen(tags), "k%d:v,", i);
    assert_fault(tags, "too_many_tags");
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = { { "0", 0 }, { "-0.1", -0.1 }, { "123456789012345", 123456789012345 }, { "0.000000000000001", 1e-15 },
        { "1234567890123456", 1234567890123456 }, { "3.14159265358979323846", 3.14159265358979323846 }, { "+7", 7 }, { "1e-7", 1e-7 },
        { "5.", 5 } };
    double value;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(statsd_number(slice_of_string(rows[i].text), &value));
        assert_memory_equal(&value, &rows[i].value, sizeof(value));
    }
    assert_false(statsd_number(slice_of_string(""), &value));
    assert_false(statsd_number(slice_of_string("-"), &value));
    assert_false(statsd_number(slice_of_string("."), &value));
    assert_false(statsd_number(slice_of_string("1 "), &value));
}

/* ---- series ---- */

static void test_counters(void **state)
{
    struct statsd_rules rules = plain_rules();
    struct result result = result_of(&rules, LINES("a:3000|c|#k:v,j:w", "a:4000|c|#j:w,k:v", "a:20|c|@0.8|#k:v,j:w", "a:0.9|c|#k:v,j:w"));
    struct otlp_value value;

    (void)state;
    assert_int_equal(result.points, 1);
    assert_int_equal(result.metric.kind, OTLP_SUM);
    assert_int_equal(result.metric.temporality, 1);
    assert_false(result.metric.monotonic);
    assert_true(result.point.is_int);
    assert_int_equal(result.point.int_value, 7025);
    assert_int_equal(result.point.start_time, 700);
    assert_int_equal(result.point.time, 711);
    assert_true(otlp_find_attribute(result.point.body, OTLP_ATTRIBUTES_OF_NUMBER_POINT, SLICE("j"), &value));
    assert_true(slice_equal_string(value.bytes, "w"));
    buffer_fini(&result.wire);
    rules.counters = STATSD_COUNT_FLOAT;
    rules.monotonic = rules.metric_type = true;
    result = result_of(&rules, LINES("a:0.25|c", "a:0.5|c|T5"));
    assert_true(result.metric.monotonic);
    assert_true(result.point.double_value == 0.75);
    assert_int_equal(result.point.time, 5000000000);
    assert_true(otlp_find_attribute(result.point.body, OTLP_ATTRIBUTES_OF_NUMBER_POINT, SLICE("metric_type"), &value));
    assert_true(slice_equal_string(value.bytes, "counter"));
    buffer_fini(&result.wire);
}

static void test_gauges_and_sets(void **state)
{
    struct statsd_rules rules = plain_rules();
    struct result result = result_of(&rules, LINES("a:5000|g", "a:+500|g", "a:-1.5|g"));

    (void)state;
    assert_int_equal(result.metric.kind, OTLP_GAUGE);
    assert_true(result.point.double_value == 5498.5);
    buffer_fini(&result.wire);
    result = result_of(&rules, LINES("u:ann|s", "u:bob|s", "u:ann|s", "u:a:b|s"));
    assert_int_equal(result.point.int_value, 3);
    buffer_fini(&result.wire);
}

static void test_timings_as_gauges(void **state)
{
    struct statsd_rules rules = plain_rules();
    struct result result = result_of(&rules, LINES("t:5:6|ms", "t:7|ms|@0.1"));

    (void)state;
    assert_int_equal(result.points, 3);
    assert_true(result.point.double_value == 5);
    buffer_fini(&result.wire);
    rules.observers[STATSD_TIMING].method = STATSD_OBSERVE_NOTHING;
    result = result_of(&rules, LINES("t:5|ms", "c:1|c"));
    assert_int_equal(result.points, 1);
    buffer_fini(&result.wire);
}

static double quantile_of(struct slice point, size_t number)
{
    struct pb_reader reader = pb_reader_of(point), inner;
    struct pb_field field, value;

    while (pb_next(&reader, &field)) {
        if (field.number != 6 || number-- > 0)
            continue;
        inner = pb_reader_of(field.bytes);
        while (pb_next(&inner, &value))
            if (value.number == 2)
                return pb_double(value.scalar);
    }
    return -1;
}

static void test_summaries(void **state)
{
    static const double percentiles[] = { 0, 50, 95, 100 };
    struct statsd_rules rules = plain_rules();
    struct result result;

    (void)state;
    rules.observers[STATSD_HISTOGRAM] =
        (struct statsd_observer){ .method = STATSD_OBSERVE_SUMMARY, .percentiles = percentiles, .percentile_count = 4 };
    result = result_of(&rules, LINES("s:300|h|@0.1", "s:100|h|@0.05", "s:300|h|@0.1", "s:200|h|@0.01"));
    assert_int_equal(result.metric.kind, OTLP_SUMMARY);
    assert_true(quantile_of(result.point.body, 0) == 100);
    assert_true(quantile_of(result.point.body, 1) == 200);
    assert_true(quantile_of(result.point.body, 2) == 300);
    assert_true(quantile_of(result.point.body, 3) == 300);
    buffer_fini(&result.wire);
}

static void test_explicit_histograms(void **state)
{
    static struct statsd_buckets buckets = { NULL, bounds, 3 };
    static const uint64_t wanted[] = { 2, 0, 1, 1 };
    struct statsd_rules rules = plain_rules();
    struct pb_reader reader;
    struct pb_field field;
    struct result result;
    struct error err;
    int seen = 0;

    (void)state;
    buckets.name = ottl_regex_create(SLICE("^h\\."), &err);
    rules.observers[STATSD_HISTOGRAM] =
        (struct statsd_observer){ .method = STATSD_OBSERVE_HISTOGRAM, .max_size = 160, .buckets = &buckets, .bucket_count = 1 };
    result = result_of(&rules, LINES("h.a:1|h|@0.5", "h.a:11|h", "h.a:1000|h"));
    assert_int_equal(result.metric.kind, OTLP_HISTOGRAM);
    reader = pb_reader_of(result.point.body);
    while (pb_next(&reader, &field)) {
        seen += field.number == 6;
        if (field.number == 6)
            assert_memory_equal(field.bytes.data, wanted, sizeof(wanted));
    }
    assert_int_equal(seen, 1);
    buffer_fini(&result.wire);
    result = result_of(&rules, LINES("other:1|h"));
    assert_int_equal(result.metric.kind, OTLP_EXPONENTIAL_HISTOGRAM);
    buffer_fini(&result.wire);
    ottl_regex_destroy(buckets.name);
}

static void test_limits(void **state)
{
    struct statsd_rules rules = plain_rules();
    struct statsd_table *table = statsd_table_create(&rules);
    struct result result;
    char line[64];

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "m%d:1|c", i);
        assert_null(add(table, line));
    }
    assert_string_equal(add(table, "one.more:1|c"), "too_many_series");
    assert_null(add(table, "m7:1|c"));
    result = flush(table);
    assert_int_equal(result.points, 100);
    buffer_fini(&result.wire);
    for (int i = 0; i < 100; i++)
        assert_null(add(table, "t:1|ms"));
    assert_string_equal(add(table, "t:1|ms"), "too_many_samples");
    assert_string_equal(add(table, "s:1|s"), "too_many_samples");
    statsd_table_destroy(table);
}

static void test_peers_are_groups(void **state)
{
    struct statsd_rules rules = plain_rules();
    struct statsd_table *table = statsd_table_create(&rules);
    struct result result;

    (void)state;
    for (uint64_t peer = 1; peer <= 3; peer++)
        assert_null(statsd_table_add(table, slice_of_string("a:1|c"), &(struct statsd_origin){ peer, 1 }));
    result = flush(table);
    assert_int_equal(result.points, 3);
    assert_int_equal(otlp_check(SIGNAL_METRICS, buffer_slice(&result.wire)).groups, 3);
    buffer_fini(&result.wire);
    statsd_table_destroy(table);
}

static void test_other_dialects(void **state)
{
    static const char *const lines[] = { "a#k=v:1|c", "a,k=v:1|c", "[k=v]a:1|c" };
    struct statsd_rules rules = plain_rules();
    struct otlp_value value;

    (void)state;
    rules.dialects |= STATSD_INFLUXDB | STATSD_LIBRATO | STATSD_SIGNALFX;
    for (size_t i = 0; i < 3; i++) {
        struct result result = result_of(&rules, LINES(lines[i]));

        assert_true(slice_equal_string(result.metric.name, "a"));
        assert_true(otlp_find_attribute(result.point.body, OTLP_ATTRIBUTES_OF_NUMBER_POINT, SLICE("k"), &value));
        buffer_fini(&result.wire);
    }
}

/* ---- exponential histograms ---- */

static void test_exponential(void **state)
{
    static const double values[] = { 1.5, 4.5, 16.5, 64.5, 512.5 };
    static const uint64_t wanted[] = { 1, 0, 1, 0, 1, 0, 1, 0, 0, 1 };
    struct exponential *histogram = exponential_create(10);

    (void)state;
    for (size_t i = 0; i < 5; i++)
        exponential_add(histogram, values[i], 1);
    assert_int_equal(histogram->scale, 0);
    assert_int_equal(histogram->positive.first, 0);
    assert_int_equal(histogram->positive.last, 9);
    for (int64_t i = 0; i < 10; i++)
        assert_int_equal(exponential_count(&histogram->positive, i), wanted[i]);
    exponential_destroy(histogram);
    histogram = exponential_create(10);
    exponential_add(histogram, 1, 8);
    exponential_add(histogram, 0, 4);
    exponential_add(histogram, -1, 2);
    assert_int_equal(histogram->scale, EXPONENTIAL_MAX_SCALE);
    assert_int_equal(histogram->positive.first, -1);
    assert_int_equal(exponential_count(&histogram->negative, -1), 2);
    assert_int_equal(histogram->zero_count, 4);
    exponential_destroy(histogram);
}

/* The smallest and the largest double in two buckets, in either order; no count is lost. */
static void test_exponential_extremes(void **state)
{
    static const double values[] = { 1.7976931348623157e308, 4.9e-324, 1, 3, 1e100, -1e-100, -1e300, 0.1 };
    struct exponential *histogram = exponential_create(2);
    uint64_t total = 0;

    (void)state;
    for (size_t i = 0; i < 8; i++)
        exponential_add(histogram, values[i], 1);
    for (int64_t i = histogram->positive.first; i <= histogram->positive.last; i++)
        total += exponential_count(&histogram->positive, i);
    for (int64_t i = histogram->negative.first; i <= histogram->negative.last; i++)
        total += exponential_count(&histogram->negative, i);
    assert_int_equal(total, 8);
    assert_true(histogram->positive.last - histogram->positive.first < 2);
    exponential_destroy(histogram);
}

/* ---- events ---- */

static void test_events(void **state)
{
    static const char event[] = "_e{5,9}:title|one\\n|two|d:12|h:host|k:key|p:low|s:src|t:error|#a:b,simple|c:cid";
    static const char check[] = "_sc|db|2|d:7|h:host|#a:b|m:it is | down";
    struct buffer records = { 0 }, request = { 0 };
    struct otlp_value value;
    struct otlp_walk walk;
    struct otlp_log log;

    (void)state;
    assert_null(statsd_event(slice_of_string(event), 1, &records));
    assert_null(statsd_event(slice_of_string(check), 1, &records));
    statsd_events_request(buffer_slice(&records), &request);
    assert_int_equal(otlp_check(SIGNAL_LOGS, buffer_slice(&request)).fault, OTLP_OK);
    walk = otlp_walk(buffer_slice(&request));
    assert_true(otlp_walk_next(&walk));
    otlp_log_view(walk.record.body, &log);
    assert_true(slice_equal_string(otlp_value_of(log.value).bytes, "one\n|two"));
    assert_int_equal(log.severity_number, 17);
    assert_int_equal(log.time, 12000000000);
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("dogstatsd.event.title"), &value));
    assert_true(slice_equal_string(value.bytes, "title"));
    assert_true(otlp_walk_next(&walk));
    otlp_log_view(walk.record.body, &log);
    assert_true(slice_equal_string(otlp_value_of(log.value).bytes, "it is | down"));
    assert_true(otlp_find_attribute(log.body, OTLP_ATTRIBUTES_OF_LOG, SLICE("dogstatsd.service_check.status"), &value));
    assert_int_equal(value.integer, 2);
    for (size_t size = 3; size < sizeof(event); size++)
        statsd_event(slice_of(event, size), 1, &records);
    for (size_t size = 4; size < sizeof(check); size++)
        statsd_event(slice_of(check, size), 1, &records);
    buffer_fini(&records);
    buffer_fini(&request);
}

static void test_bad_events(void **state)
{
    static const char *const lines[] = { "_e{}:a|b", "_e{1,2}:a|b", "_e{9999999999,1}:a|b", "_e{0,1}:|b", "_e{1,1}:a|bx", "_e{1,1}:a|b|z:9",
        "_sc|a", "_sc||0", "_sc|a|4", "_sc|a|1|x", "_sc|a|1|d:x" };
    struct buffer records = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_non_null(statsd_event(slice_of_string(lines[i]), 1, &records));
    assert_int_equal(records.size, 0);
    buffer_fini(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_gauges_and_sets),
        cmocka_unit_test(test_timings_as_gauges),
        cmocka_unit_test(test_summaries),
        cmocka_unit_test(test_explicit_histograms),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_peers_are_groups),
        cmocka_unit_test(test_other_dialects),
        cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_exponential_extremes),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_bad_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
