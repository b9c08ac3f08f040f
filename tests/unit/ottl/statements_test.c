/* Editors, conditions, contexts, filters, and what is wrong at start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/unit/ottl/fixture.h"

#include <cmocka.h>

static void assert_holds(const struct outcome *result, const char *text)
{
    if (strstr(result->json, text) == NULL)
        fail_msg("no %s in %s (%s)", text, result->json, result->error);
}

static void assert_lacks(const struct outcome *result, const char *text)
{
    if (strstr(result->json, text) != NULL)
        fail_msg("%s in %s", text, result->json);
}

static struct outcome log_after(const char *statements)
{
    return ottl_transform(SIGNAL_LOGS, OTTL_LOG, statements, ottl_log);
}

static void test_untouched_records_are_not_written(void **state)
{
    struct outcome result =
        log_after("set(attributes[\"x\"], 1) where body == \"other\"\ndelete_key(attributes, \"none\")\n"
                  "delete_matching_keys(attributes, \"^none\")\nreplace_pattern(body, \"none\", \"x\")\nset(body, nil)");

    (void)state;
    assert_int_equal(result.outcome, OTTL_UNCHANGED);
    assert_string_equal(result.error, "");
}

static void test_editors(void **state)
{
    static const struct {
        const char *statement, *holds, *lacks;
    } rows[] = {
        { "set(attributes[\"map\"][\"a\"][\"c\"][\"d\"], 1)", "{\"key\":\"d\",\"value\":{\"intValue\":\"1\"}}", "\"error\"" },
        { "set(attributes[\"list\"][0], \"x\")", "{\"values\":[{\"stringValue\":\"x\"},{\"intValue\":\"1\"}]}", "\"3\"" },
        { "set(body[\"k\"], 1)", "", "\"k\"" },
        { "set(body, {\"k\": body})", "{\"key\":\"k\",\"value\":{\"stringValue\":\"hello world\"}}", "\"body\":{\"stringValue\"" },
        { "set(severity_text, \"INFO\")", "\"severityText\":\"INFO\"", "\"x\"" },
        { "delete_key(attributes, \"method\")", "\"count\"", "\"method\"" },
        { "delete_key(attributes[\"map\"], \"a\")", "\"map\"", "deep" },
        { "delete_matching_keys(attributes, \"^m\")", "\"count\"", "\"method\"" },
        { "keep_keys(attributes, [\"count\"])", "\"count\"", "\"method\"" },
        { "keep_matching_keys(attributes, \"^c\")", "\"count\"", "\"method\"" },
        { "limit(attributes, 2, [\"list\"])", "\"list\"", "\"count\"" },
        { "truncate_all(attributes, 1)", "\"stringValue\":\"g\"", "\"get\"" },
        { "replace_pattern(body, \"(?P<first>\\\\w+) (\\\\w+)\", \"$2 ${first}\")", "world hello", "hello world" },
        { "replace_pattern(body, \"w.*\", \"$0\", SHA1)", "hello 7c211433f02071597741e6ff5a8ea34789abbf43", "world" },
        { "replace_match(body, \"hello*\", \"bye\")", "\"bye\"", "hello" },
        { "replace_all_patterns(attributes, \"value\", \"g\", \"p\")", "\"pet\"", "\"get\"" },
        { "replace_all_patterns(attributes, \"key\", \"meth\", \"x\")", "\"xod\"", "\"method\"" },
        { "replace_all_matches(attributes, \"g*\", \"x\")", "\"stringValue\":\"x\"", "\"get\"" },
        { "merge_maps(attributes, {\"count\": 1, \"new\": 2}, \"upsert\")", "{\"key\":\"count\",\"value\":{\"intValue\":\"1\"}}", "\"7\"" },
        { "merge_maps(attributes, attributes[\"map\"][\"a\"], \"insert\")", "{\"key\":\"b\",\"value\":{\"stringValue\":\"deep\"}}]}]}",
            "\"error\"" },
        { "append(attributes[\"list\"], values=[5, 6])", "{\"intValue\":\"1\"},{\"intValue\":\"5\"},{\"intValue\":\"6\"}", "\"x\"" },
        { "append(attributes[\"method\"], \"put\")", "[{\"stringValue\":\"get\"},{\"stringValue\":\"put\"}]", "\"x\"" },
        { "flatten(attributes)", "{\"key\":\"map.a.b\",\"value\":{\"stringValue\":\"deep\"}},{\"key\":\"list.0\"", "\"map\"" },
        { "set(resource.attributes[\"host\"], body)", "{\"key\":\"host\",\"value\":{\"stringValue\":\"hello world\"}}",
            "\"a\"}}]},\"scopeLogs\"" },
        { "set(scope.name, \"renamed\")", "\"scope\":{\"name\":\"renamed\"}", "\"name\":\"s\"" },
        { "set(trace_id, TraceID(0x000102030405060708090a0b0c0d0e0f))", "\"traceId\":\"000102030405060708090a0b0c0d0e0f\"", "\"x\"" },
        { "set(cache[\"a\"], body)\nset(attributes[\"copy\"], cache[\"a\"])",
            "{\"key\":\"copy\",\"value\":{\"stringValue\":\"hello world\"}}", "\"x\"" },
        { "set(attributes[\"n\"], 1)\nset(attributes[\"n\"], attributes[\"n\"] + 1)", "{\"key\":\"n\",\"value\":{\"intValue\":\"2\"}}",
            "\"x\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outcome result = log_after(rows[i].statement);
        if (rows[i].holds[0] == '\0') {
            assert_int_equal(result.outcome, OTTL_UNCHANGED);
            continue;
        }
        assert_holds(&result, rows[i].holds);
        assert_lacks(&result, rows[i].lacks);
    }
}

static void test_conditions(void **state)
{
    static const struct {
        const char *condition;
        bool holds;
    } rows[] = {
        { "true", true },
        { "not true", false },
        { "1 < 2 and 2 <= 2 or false", true },
        { "false or (true and not (1 > 2))", true },
        { "(1 + 1) == 2", true },
        { "((1 + 1) * 2 == 4) and ((true))", true },
        { "body == \"hello world\"", true },
        { "body != nil", true },
        { "attributes[\"none\"] == nil", true },
        { "attributes[\"none\"] != \"x\"", true },
        { "attributes[\"none\"] < 1", false },
        { "attributes[\"count\"] > 6.5", true },
        { "attributes[\"count\"] == \"7\"", false },
        { "severity_number < SEVERITY_NUMBER_WARN", true },
        { "trace_id == TraceID(0x0102030405060708090a0b0c0d0e0f10)", true },
        { "span_id != SpanID(0x0000000000000000)", true },
        { "attributes[\"list\"] == [3, 1]", true },
        { "attributes[\"map\"][\"a\"] == {\"b\": \"deep\"}", true },
        { "time > Time(\"2020\", \"%Y\")", true },
        { "IsMatch(body, \"o w\") and IsString(body)", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outcome result = ottl_filter(SIGNAL_LOGS, OTTL_LOG, rows[i].condition, ottl_log);
        if ((result.outcome == OTTL_CHANGED) != rows[i].holds || result.error[0] != '\0')
            fail_msg("%s: wanted %d, got %d %s", rows[i].condition, rows[i].holds, result.outcome, result.error);
    }
}

static void test_filters(void **state)
{
    struct outcome result = ottl_filter(SIGNAL_TRACES, OTTL_SPAN, "name == \"drop\"", ottl_traces);

    (void)state;
    assert_holds(&result, "\"keep\"");
    assert_lacks(&result, "\"drop\"");
    assert_lacks(&result, "\"two\"");
    result = ottl_filter(SIGNAL_TRACES, OTTL_SPANEVENT, "name == \"e1\"", ottl_traces);
    assert_holds(&result, "\"e2\"");
    assert_lacks(&result, "\"e1\"");
    result = ottl_filter(SIGNAL_TRACES, OTTL_RESOURCE, "attributes[\"service.name\"] == \"one\"", ottl_traces);
    assert_lacks(&result, "\"keep\"");
    result = ottl_filter(SIGNAL_TRACES, OTTL_SPAN, "name != nil", ottl_traces);
    assert_int_equal(result.outcome, OTTL_CHANGED);
    assert_string_equal(result.json, "");
    result = ottl_filter(SIGNAL_TRACES, OTTL_SPAN, "IsRootSpan() and name == \"drop\"", ottl_traces);
    assert_holds(&result, "\"drop\"");
    assert_lacks(&result, "\"two\"");
    result = ottl_filter(SIGNAL_METRICS, OTTL_DATAPOINT, "value_int == 4", ottl_metrics);
    assert_holds(&result, "\"asDouble\":1.5");
    assert_holds(&result, "\"isMonotonic\":true");
    assert_lacks(&result, "\"asInt\":\"4\"");
    result = ottl_filter(SIGNAL_METRICS, OTTL_DATAPOINT, "metric.type == METRIC_DATA_TYPE_HISTOGRAM", ottl_metrics);
    assert_lacks(&result, "latency");
    result = ottl_filter(SIGNAL_METRICS, OTTL_METRIC, "HasAttrOnDatapoint(\"a\", \"1\")", ottl_metrics);
    assert_lacks(&result, "requests");
    result = ottl_filter(SIGNAL_TRACES, OTTL_SPAN, "name == \"none\"", ottl_traces);
    assert_int_equal(result.outcome, OTTL_UNCHANGED);
}

static void test_parts_and_metrics(void **state)
{
    struct outcome result = ottl_transform(
        SIGNAL_TRACES, OTTL_SPANEVENT, "set(attributes[\"i\"], event_index) where span.kind == SPAN_KIND_SERVER", ottl_traces);

    (void)state;
    assert_holds(&result, "{\"name\":\"e2\",\"attributes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"1\"}}]}");
    result = ottl_transform(
        SIGNAL_METRICS, OTTL_DATAPOINT, "set(value_int, 9) where value_double == 1.5\nset(metric.unit, \"s\")", ottl_metrics);
    assert_holds(&result, "\"asInt\":\"9\"");
    assert_holds(&result, "\"unit\":\"s\"");
    assert_lacks(&result, "1.5");
    result = ottl_transform(
        SIGNAL_METRICS, OTTL_METRIC, "set(is_monotonic, false)\nset(aggregation_temporality, AGGREGATION_TEMPORALITY_DELTA)", ottl_metrics);
    assert_holds(&result, "\"asInt\":\"4\"}],\"aggregationTemporality\":1}");
    result = ottl_transform(SIGNAL_METRICS, OTTL_METRIC,
        "extract_sum_metric(true) where name == \"latency\"\nscale_metric(2.0) where name == \"requests\"", ottl_metrics);
    assert_holds(&result, "\"latency_sum\"");
    assert_holds(&result, "\"asDouble\":3}");
    result = ottl_transform(SIGNAL_METRICS, OTTL_METRIC, "convert_sum_to_gauge()", ottl_metrics);
    assert_holds(&result, "\"gauge\":{\"dataPoints\"");
}

static const char numbers[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"sum\":{\"dataPoints\":["
    "{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}},{\"key\":\"b\",\"value\":{\"stringValue\":\"x\"}}],"
    "\"startTimeUnixNano\":\"5\",\"asInt\":\"4\"},"
    "{\"attributes\":[{\"key\":\"b\",\"value\":{\"stringValue\":\"y\"}},{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}],"
    "\"startTimeUnixNano\":\"3\",\"asInt\":\"9\"},"
    "{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"2\"}}],\"asInt\":\"1\"}],\"aggregationTemporality\":2}}]}]}]}";

static const char histograms[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"h\",\"histogram\":{\"dataPoints\":["
    "{\"count\":\"3\",\"sum\":4,\"bucketCounts\":[\"1\",\"2\",\"0\"],\"explicitBounds\":[1,2],\"min\":1,\"max\":2},"
    "{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}],\"count\":\"5\",\"sum\":9,\"bucketCounts\":[\"0\",\"1\","
    "\"4\"],\"explicitBounds\":[1,2],\"min\":1.5,\"max\":7}],\"aggregationTemporality\":1}}]}]}]}";

static const char exponential[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"e\",\"exponentialHistogram\":{\"dataPoints\":["
    "{\"count\":\"10\",\"sum\":30,\"scale\":0,\"zeroCount\":\"1\",\"positive\":{\"offset\":0,\"bucketCounts\":[\"2\",\"3\",\"4\"]}},"
    "{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}],\"count\":\"1\",\"scale\":0,\"positive\":{\"bucketCounts\":["
    "\"0\",\"1\"]}}],\"aggregationTemporality\":1}}]}]}]}";

static const char summary[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"s\",\"unit\":\"ms\",\"summary\":{\"dataPoints\":["
    "{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}],\"timeUnixNano\":\"7\",\"count\":\"2\",\"sum\":3,"
    "\"quantileValues\":[{\"quantile\":0.5,\"value\":1},{\"quantile\":0.99,\"value\":2}]}]}}]}]}]}";

static const char exemplars[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"sum\":{\"dataPoints\":[{\"asInt\":\"1\"},{\"asInt\":\"4\","
    "\"exemplars\":[{\"filteredAttributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}}],\"asInt\":\"3\"},{\"asDouble\":2.5}]}]}}]}]"
    "}]}";

static void test_metrics_are_aggregated_and_derived(void **state)
{
    static const struct {
        enum ottl_context context;
        const char *statement, *in, *wanted;
    } rows[] = {
        { OTTL_METRIC, "aggregate_on_attributes(\"sum\", [\"a\"])", numbers,
            "[{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}],\"startTimeUnixNano\":\"3\",\"asInt\":\"13\"},{"
            "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"2\"}}],\"asInt\":\"1\"}]" },
        { OTTL_METRIC, "aggregate_on_attributes(\"median\", [])", numbers, "[{\"asInt\":\"4\"}]" },
        { OTTL_METRIC, "aggregate_on_attributes(\"max\", [])", numbers, "\"asInt\":\"9\"}]" },
        { OTTL_METRIC, "aggregate_on_attributes(\"count\", [])", numbers, "\"asInt\":\"3\"}]" },
        { OTTL_METRIC, "aggregate_on_attributes(\"mean\", [])", numbers, "\"asInt\":\"4\"}]" },
        { OTTL_METRIC, "aggregate_on_attribute_value(\"min\", \"b\", [\"x\", \"y\"], \"z\")", numbers,
            "{\"key\":\"b\",\"value\":{\"stringValue\":\"z\"}}],\"startTimeUnixNano\":\"3\",\"asInt\":\"4\"},{" },
        { OTTL_METRIC, "aggregate_on_attributes(\"sum\", [])", histograms,
            "[{\"count\":\"8\",\"sum\":13,\"min\":1,\"max\":7,\"explicitBounds\":[1,2],\"bucketCounts\":[\"1\",\"3\",\"4\"]}]" },
        { OTTL_METRIC, "aggregate_on_attributes(\"max\", [])", histograms, "!by \"sum\" only" },
        { OTTL_METRIC, "aggregate_on_attributes(\"sum\", [])", exponential,
            "[{\"count\":\"11\",\"sum\":30,\"zeroCount\":\"1\",\"positive\":{\"bucketCounts\":[\"2\",\"4\",\"4\"]},\"negative\":{}}]" },
        { OTTL_METRIC, "convert_exponential_histogram_to_histogram(\"upper\", [1.0, 2.0, 5.0])", exponential,
            "[{\"count\":\"10\",\"sum\":30,\"bucketCounts\":[\"1\",\"2\",\"3\",\"4\"],\"explicitBounds\":[1,2,5]},{" },
        { OTTL_METRIC, "convert_exponential_histogram_to_histogram(\"uniform\", [5, 6])", exponential,
            "\"bucketCounts\":[\"7\",\"1\",\"2\"]" },
        { OTTL_METRIC, "copy_metric(\"n\", unit=\"1\") where name == \"s\"", summary, "{\"name\":\"n\",\"unit\":\"1\",\"summary\":{" },
        { OTTL_METRIC, "copy_metric()", summary, "!more than 10000 metrics were made" },
        { OTTL_METRIC, "convert_summary_quantile_val_to_gauge(\"q\")", summary,
            "{\"name\":\"s.quantiles\",\"unit\":\"ms\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"a\",\"value\":{"
            "\"stringValue\":\"1\"}},{\"key\":\"q\",\"value\":{\"stringValue\":\"0.50\"}}],\"timeUnixNano\":\"7\",\"asDouble\":1},{" },
        { OTTL_EXEMPLAR, "set(exemplar.filtered_attributes[\"b\"], metric.name) where double_value > 2.0", exemplars,
            "{\"asInt\":\"4\",\"exemplars\":[{\"filteredAttributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}}],\"asInt\":\"3\"},{"
            "\"asDouble\":2.5,\"filteredAttributes\":[{\"key\":\"b\",\"value\":{\"stringValue\":\"m\"}}]}]}" },
        { OTTL_EXEMPLAR, "set(double_value, 7.5) where datapoint.value_int == 4", exemplars, "\"asDouble\":7.5},{\"asDouble\":7.5}]}" },
        { OTTL_DATAPOINT, "merge_histogram_buckets(1.0)", histograms, "\"bucketCounts\":[\"3\",\"0\"],\"explicitBounds\":[2]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outcome result = ottl_transform(SIGNAL_METRICS, rows[i].context, rows[i].statement, rows[i].in);
        bool fails = rows[i].wanted[0] == '!';
        if (strstr(fails ? result.error : result.json, rows[i].wanted + fails) == NULL)
            fail_msg("%s: wanted %s, got %s (%s)", rows[i].statement, rows[i].wanted, result.json, result.error);
    }
}

static void test_errors_say_where_and_what(void **state)
{
    static const struct {
        const char *statement, *error;
    } rows[] = {
        { "set(attributes[\"a\"], 1", "at 23: expected \",\", found the end" },
        { "set(attributes[\"a\"] 1)", "at 21: expected \",\", found \"1\"" },
        { "sett(body, 1)", "at 1: undefined function \"sett\"" },
        { "set(body, Nothing(1))", "undefined function \"Nothing\"" },
        { "set(body, ExtractGrokPatterns(body, \"%{NOTHING}\"))", "unknown pattern \"NOTHING\"" },
        { "set(body, ExtractGrokPatterns(body, \"%{A}\", true, [\"A=%{A}\"]))", "pattern \"A\" refers to itself" },
        { "set(body, ExtractGrokPatterns(body, \"x\"))", "at least 1 named capture group" },
        { "set(body, ExtractGrokPatterns(body, \"%{INT:n:date}\"))", "unknown type \"date\"" },
        { "set(body, GetXML(body, \"/a[\"))", "invalid xpath \"/a[\"" },
        { "set(body, Time(body, \"%Y\", \"../../etc/passwd\"))", "unknown time zone \"../../etc/passwd\"" },
        { "set(body, Decode(body, \"klingon\"))", "unknown encoding \"klingon\"" },
        { "set(bodyy, 1)", "at 5: context \"log\" has no field \"bodyy\"" },
        { "set(span.name, \"x\")", "context \"log\" cannot see \"span\"" },
        { "set(body, NO_ENUM)", "unknown enum symbol \"NO_ENUM\"" },
        { "set(body)", "missing argument \"value\"" },
        { "set(body, 1, 2)", "takes at most 2 arguments" },
        { "set(body, 1) where", "expected a value, found the end" },
        { "set(body, 1) where body", "expected one of ==" },
        { "set(body, 1) when true", "expected \"where\" or the end" },
        { "set(\"a\", 1)", "expected a path" },
        { "set(body, \"a)", "a string that has no end" },
        { "set(body, 1)[0]", "only paths and converters may be indexed" },
        { "set(body, IsMatch(body, \"(?=a)\"))", "syntax that is not supported" },
        { "set(body, IsMatch(body, \"(a)\\\\1\"))", "an escape that is not supported" },
        { "set(body, IsMatch(body, \"[a\"))", "a missing ]" },
        { "limit(attributes, -1, [])", "invalid limit" },
        { "merge_maps(attributes, attributes, \"x\")", "invalid strategy" },
        { "set(severity_text[\"a\"], 1)", "nothing to index" },
        { "Concat([], \"\")", "expected the name of an editor" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outcome result = log_after(rows[i].statement);
        if (strstr(result.error, rows[i].error) == NULL)
            fail_msg("%s: wanted \"%s\", got \"%s\"", rows[i].statement, rows[i].error, result.error);
    }
}

static void test_statements_cut_anywhere_are_refused(void **state)
{
    static const char text[] =
        "set(attributes[\"a\"][0], {\"k\": [1, 0x0a, Concat([body, 1.5], \"-\")]}) where not (body == nil or 1 + 2 > 3)";

    (void)state;
    assert_int_not_equal(log_after(text).outcome, OTTL_FAILED);
    for (size_t size = 0; size + 1 < sizeof(text); size++) {
        char cut[sizeof(text)];
        memcpy(cut, text, size);
        cut[size] = '\0';
        struct ottl *program = ottl_create(OTTL_LOG, false);
        struct error err = { "" };
        bool complete = size == strlen("set(attributes[\"a\"][0], {\"k\": [1, 0x0a, Concat([body, 1.5], \"-\")]})") ||
                        (size > 0 && text[size - 1] == ' ' && text[size - 2] == ')' && text[size] == 'w');
        assert_true(ottl_add_statement(program, cut, &err) == complete);
        assert_true(complete || err.message[0] != '\0');
        ottl_destroy(program);
    }
}

static void test_nesting_is_bounded(void **state)
{
    char text[4000] = "set(body, ";
    struct outcome result;

    (void)state;
    memset(text + 10, '(', 3000);
    text[3010] = '\0';
    result = log_after(text);
    assert_non_null(strstr(result.error, "nested deeper"));
}

static void test_hostile_patterns_end(void **state)
{
    char json[4000];
    struct outcome result;

    (void)state;
    snprintf(
        json, sizeof(json), "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"%0*d!\"}}]}]}]}", 2000, 0);
    result = ottl_filter(SIGNAL_LOGS, OTTL_LOG, "IsMatch(body, \"^(0+)+$\")", json);
    assert_non_null(strstr(result.error, "too many steps"));
}

static void test_contexts_are_inferred(void **state)
{
    static const struct {
        enum signal signal;
        const char *text;
        enum ottl_context context;
    } rows[] = {
        { SIGNAL_LOGS, "set(log.body, resource.attributes[\"a\"])", OTTL_LOG },
        { SIGNAL_LOGS, "set(resource.attributes[\"a\"], 1)", OTTL_RESOURCE },
        { SIGNAL_TRACES, "set(span.name, \"x\") where spanevent.name == nil", OTTL_SPANEVENT },
        { SIGNAL_TRACES, "set(resource.attributes[\"a\"], 1) where IsRootSpan()", OTTL_SPAN },
        { SIGNAL_METRICS, "set(metric.name, \"a\") where metric.type == METRIC_DATA_TYPE_SUM", OTTL_METRIC },
        { SIGNAL_METRICS, "datapoint.count == 1", OTTL_DATAPOINT },
        { SIGNAL_METRICS, "set(exemplar.int_value, 1) where metric.name == \"a\"", OTTL_EXEMPLAR },
    };
    enum ottl_context context;
    const char *bare = "set(body, 1)";
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(ottl_infer_context(rows[i].signal, &rows[i].text, 1, &context, &err));
        assert_int_equal(context, rows[i].context);
    }
    assert_false(ottl_infer_context(SIGNAL_LOGS, &bare, 1, &context, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untouched_records_are_not_written),
        cmocka_unit_test(test_editors),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_parts_and_metrics),
        cmocka_unit_test(test_metrics_are_aggregated_and_derived),
        cmocka_unit_test(test_errors_say_where_and_what),
        cmocka_unit_test(test_statements_cut_anywhere_are_refused),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_hostile_patterns_end),
        cmocka_unit_test(test_contexts_are_inferred),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
