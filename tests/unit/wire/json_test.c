/* OTLP/JSON by tables: texts and what they become, texts that are refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/wire/json_check.h"

static void test_values(void **state)
{
    static const struct row rows[] = {
        { "{\"stringValue\":\"x\"}", NULL },
        { "{\"string_value\":\"x\"}", "{\"stringValue\":\"x\"}" },
        { "{\"stringValue\":\"\"}", NULL },
        { "{\"stringValue\":null}", "{\"stringValue\":\"\"}" },
        { "{\"intValue\":\"5\",\"stringValue\":null}", "{\"intValue\":\"5\"}" },
        { "{\"stringValue\":null,\"intValue\":\"5\"}", "{\"intValue\":\"5\"}" },
        { "{\"boolValue\":true}", NULL },
        { "{\"boolValue\":false}", NULL },
        { "{\"boolValue\":null}", "{}" },
        { "{\"intValue\":\"0\"}", NULL },
        { "{\"intValue\":7}", "{\"intValue\":\"7\"}" },
        { "{\"intValue\":-7}", "{\"intValue\":\"-7\"}" },
        { "{\"intValue\":\"+7\"}", "{\"intValue\":\"7\"}" },
        { "{\"intValue\":\"007\"}", "{\"intValue\":\"7\"}" },
        { "{\"intValue\":1e3}", "{\"intValue\":\"1000\"}" },
        { "{\"intValue\":\"1.0\"}", "{\"intValue\":\"1\"}" },
        { "{\"intValue\":9223372036854775807}", "{\"intValue\":\"9223372036854775807\"}" },
        { "{\"intValue\":\"-9223372036854775808\"}", NULL },
        { "{\"doubleValue\":0}", NULL },
        { "{\"doubleValue\":\"3.5\"}", "{\"doubleValue\":3.5}" },
        { "{\"doubleValue\":-1.5E-7}", "{\"doubleValue\":-1.5e-7}" },
        { "{\"doubleValue\":\"NaN\"}", NULL },
        { "{\"doubleValue\":\"Infinity\"}", NULL },
        { "{\"doubleValue\":\"-Infinity\"}", NULL },
        { "{\"doubleValue\":\"+Inf\"}", "{\"doubleValue\":\"Infinity\"}" },
        { "{\"bytesValue\":\"\"}", NULL },
        { "{\"bytesValue\":\"AQID\"}", NULL },
        { "{\"bytesValue\":\"-_8\"}", "{\"bytesValue\":\"+/8=\"}" },
        { "{\"bytesValue\":\"+\\/8=\"}", "{\"bytesValue\":\"+/8=\"}" },
        { "{\"arrayValue\":{}}", NULL },
        { "{\"arrayValue\":{\"values\":[]}}", "{\"arrayValue\":{}}" },
        { "{\"arrayValue\":{\"values\":[{},null,{\"intValue\":1}]}}", "{\"arrayValue\":{\"values\":[{},{},{\"intValue\":\"1\"}]}}" },
        { "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{}},{\"value\":{\"boolValue\":false}}]}}", NULL },
        { "{}", NULL },
        { "{\"unknown\":1}", "{}" },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_become(SIGNAL_LOGS, BODY, rows);
}

static void test_values_that_are_refused(void **state)
{
    static const struct row rows[] = {
        { "[]", "logRecords[0].body: expected an object" },
        { "5", "expected an object" },
        { "{\"stringValue\":5}", "body.stringValue: expected a string" },
        { "{\"boolValue\":\"true\"}", "expected true or false" },
        { "{\"boolValue\":1}", "expected true or false" },
        { "{\"intValue\":1.5}", "expected an integer of 64 bits" },
        { "{\"intValue\":9223372036854775808}", "expected an integer of 64 bits" },
        { "{\"intValue\":\"-9223372036854775809\"}", "expected an integer of 64 bits" },
        { "{\"intValue\":\"\"}", "expected a number" },
        { "{\"intValue\":\" 7\"}", "expected a number" },
        { "{\"intValue\":\"--7\"}", "expected a number" },
        { "{\"intValue\":\"7x\"}", "expected a number" },
        { "{\"intValue\":01}", "expected a number" },
        { "{\"intValue\":true}", "expected a number" },
        { "{\"doubleValue\":\"nano\"}", "expected a number" },
        { "{\"doubleValue\":1e999}", "expected a number that a double can hold" },
        { "{\"bytesValue\":\"A\"}", "expected base64" },
        { "{\"arrayValue\":[]}", "body.arrayValue: expected an object" },
        { "{\"arrayValue\":{\"values\":{}}}", "body.arrayValue.values: expected an array" },
        { "{\"arrayValue\":{\"values\":[{},5]}}", "body.arrayValue.values[1]: expected an object" },
        { "{\"arrayValue\":{\"values\":[{},]}}", "values[1]: expected an object" },
        { "{\"stringValue\":\"x\",}", "expected a field name" },
        { "{\"stringValue\" \"x\"}", "expected \":\"" },
        { "{\"stringValue\":\"x\" \"intValue\":1}", "expected \",\" or \"}\"" },
        { "{\"stringValue\":\"\\x\"}", "unknown escape in a string" },
        { "{\"stringValue\":\"\\u12g4\"}", "unknown escape in a string" },
        { "{\"stringValue\":\"\t\"}", "control character in a string" },
        { "{\"unknown\":\"\\x\"}", "unknown escape in a string" },
        { "{\"unknown\":nul}", "expected a value" },
        { "{\"unknown\":[1,]}", "expected a value" },
        { "{\"unknown\":{\"a\":1,}}", "expected a field name" },
        { "{\"unknown\":{\"a\",1}}", "expected \":\"" },
        { "{\"unknown\":[1}}", "expected \",\" or \"]\"" },
        { "{\"unknown\":{\"a\":1]}", "expected \",\" or \"}\"" },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_refused(SIGNAL_LOGS, BODY, rows);
}

static void test_spans(void **state)
{
    static const struct row rows[] = {
        { "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\"",
            "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\"" },
        { "\"trace_id\":\"5b8efff798038103d269b633813fc60c\",\"parent_span_id\":\"eee19b7ec3c1b174\"",
            "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"parentSpanId\":\"eee19b7ec3c1b174\"" },
        { "\"traceId\":\"\",\"spanId\":null", "" },
        { "\"kind\":\"SPAN_KIND_SERVER\"", "\"kind\":2" },
        { "\"kind\":99", NULL },
        { "\"kind\":-1", NULL },
        { "\"kind\":0,\"name\":\"\",\"startTimeUnixNano\":0,\"droppedAttributesCount\":0,\"flags\":0", "" },
        { "\"startTimeUnixNano\":1544712660000000000,\"endTimeUnixNano\":\"18446744073709551615\"",
            "\"startTimeUnixNano\":\"1544712660000000000\",\"endTimeUnixNano\":\"18446744073709551615\"" },
        { "\"droppedAttributesCount\":\"4294967295\"", "\"droppedAttributesCount\":4294967295" },
        { "\"flags\":257", NULL },
        { "\"status\":{}", NULL },
        { "\"status\":null", "" },
        { "\"status\":{\"message\":\"m\",\"code\":\"STATUS_CODE_ERROR\"}", "\"status\":{\"message\":\"m\",\"code\":2}" },
        { "\"attributes\":null,\"events\":[],\"links\":[{\"traceState\":\"a=b\"}]", "\"links\":[{\"traceState\":\"a=b\"}]" },
        { "\"name\":\"a\",\"name\":\"b\"", "\"name\":\"b\"" },
        { "\"name\":\"a\",\"name\":\"\"", "" },
        { "\"name\":\"a\",\"name\":null", "\"name\":\"a\"" },
        { "\"kind\":2,\"kind\":0", "" },
        { "\"events\":[{\"name\":\"1\"}],\"name\":\"n\",\"events\":[{\"name\":\"2\"}]",
            "\"name\":\"n\",\"events\":[{\"name\":\"1\"},{\"name\":\"2\"}]" },
        { "\"status\":{\"code\":2},\"name\":\"n\",\"status\":{\"message\":\"m\"}",
            "\"name\":\"n\",\"status\":{\"code\":2,\"message\":\"m\"}" },
        { "\"n\\u0061me\" : \"escaped key\"", "\"name\":\"escaped key\"" },
        { " \"name\"\t:\r\n\"white space\" ", "\"name\":\"white space\"" },
        { "\"\":1,\"Name\":2,\"names\":{\"a\":[1,-2.5e3,null,true,false,\"\\\"\\u00e9\",{},[],{\"b\":[[]]}]},\"name\":\"x\"",
            "\"name\":\"x\"" },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_become(SIGNAL_TRACES, SPAN, rows);
}

static void test_spans_that_are_refused(void **state)
{
    static const struct row rows[] = {
        { "\"traceId\":\"--\"", "spans[0].traceId: expected 32 hexadecimal digits" },
        { "\"traceId\":\"5B8EFFF798038103D269B633813FC60\"", "expected 32 hexadecimal digits" },
        { "\"traceId\":\"5B8EFFF798038103D269B633813FC60G\"", "expected 32 hexadecimal digits" },
        { "\"spanId\":\"5B8EFFF798038103D269B633813FC60C\"", "expected 16 hexadecimal digits" },
        { "\"spanId\":5", "expected a string" },
        { "\"parent_span_id\":\"--\"", "spans[0].parentSpanId: expected 16 hexadecimal digits" },
        { "\"kind\":\"SERVER\"", "unknown name of an enum value" },
        { "\"kind\":\"2\"", "unknown name of an enum value" },
        { "\"kind\":2147483648", "expected an integer of 32 bits" },
        { "\"flags\":4294967296", "expected an unsigned integer of 32 bits" },
        { "\"flags\":-1", "expected an unsigned integer" },
        { "\"startTimeUnixNano\":18446744073709551616", "expected an unsigned integer of 64 bits" },
        { "\"startTimeUnixNano\":\"-1\"", "expected an unsigned integer of 64 bits" },
        { "\"startTimeUnixNano\":{}", "expected a number" },
        { "\"attributes\":{\"a\":\"b\"}", "spans[0].attributes: expected an array" },
        { "\"attributes\":[{\"key\":\"k\"},{\"key\":5}]", "spans[0].attributes[1].key: expected a string" },
        { "\"events\":[{}],\"links\":[{\"flags\":\"x\"}]", "spans[0].links[0].flags: expected a number" },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_refused(SIGNAL_TRACES, SPAN, rows);
}

static void test_logs(void **state)
{
    static const struct row rows[] = {
        { "\"timeUnixNano\":\"1\",\"observedTimeUnixNano\":\"2\",\"severityNumber\":9,\"severityText\":\"INFO\",\"eventName\":\"e\","
          "\"flags\":1",
            NULL },
        { "\"severityNumber\":\"SEVERITY_NUMBER_WARN2\"", "\"severityNumber\":14" },
        { "\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"1\"}}],\"droppedAttributesCount\":3", NULL },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_become(SIGNAL_LOGS, RECORD, rows);
}

static void test_metrics(void **state)
{
    static const struct row rows[] = {
        { "\"name\":\"m\",\"description\":\"d\",\"unit\":\"By\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"0\"},{\"asDouble\":0},{"
          "\"asDouble\":-0},{}]}",
            NULL },
        { "\"gauge\":{\"extra\":\"\"}", "\"gauge\":{}" },
        { "\"gauge\":null,\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true}",
            "\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true}" },
        { "\"gauge\":{},\"sum\":{}", "\"sum\":{}" },
        { "\"sum\":{\"aggregationTemporality\":\"AGGREGATION_TEMPORALITY_DELTA\",\"isMonotonic\":false}",
            "\"sum\":{\"aggregationTemporality\":1}" },
        { "\"gauge\":{\"dataPoints\":[{\"asInt\":\"1\",\"asDouble\":2}]}", "\"gauge\":{\"dataPoints\":[{\"asDouble\":2}]}" },
        { "\"histogram\":{\"dataPoints\":[{\"count\":\"0\",\"sum\":0,\"bucketCounts\":[0,\"1\",\"18446744073709551615\"],"
          "\"explicitBounds\":[0,2.5,\"NaN\"],"
          "\"min\":0,\"max\":null}]}",
            "\"histogram\":{\"dataPoints\":[{\"sum\":0,\"bucketCounts\":[\"0\",\"1\",\"18446744073709551615\"],\"explicitBounds\":[0,2.5,"
            "\"NaN\"],"
            "\"min\":0}]}" },
        { "\"exponential_histogram\":{\"dataPoints\":[{\"scale\":-3,\"zeroCount\":\"2\",\"positive\":{\"offset\":-5,\"bucketCounts\":[1,"
          "\"2\"]},"
          "\"negative\":{},\"zeroThreshold\":1e-9}]}",
            "\"exponentialHistogram\":{\"dataPoints\":[{\"scale\":-3,\"zeroCount\":\"2\",\"positive\":{\"offset\":-5,\"bucketCounts\":["
            "\"1\",\"2\"]},"
            "\"negative\":{},\"zeroThreshold\":1e-9}]}" },
        { "\"summary\":{\"dataPoints\":[{\"count\":\"3\",\"sum\":3.14,\"quantileValues\":[{\"quantile\":0.5,\"value\":3},{}]}]}", NULL },
        { "\"metadata\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]", NULL },
        { "\"sum\":{\"dataPoints\":[{\"exemplars\":[{\"asInt\":\"-4\",\"spanId\":\"0102030405060708\"}]}]}", NULL },
        { NULL, NULL },
    };
    static const struct row refused[] = {
        { "\"gauge\":{\"dataPoints\":[{\"asInt\":\"12oops\"}]}", "metrics[0].gauge.dataPoints[0].asInt: expected a number" },
        { "\"histogram\":{\"dataPoints\":[{\"bucketCounts\":[1,null]}]}", "dataPoints[0].bucketCounts[1]: expected a number" },
        { "\"exponentialHistogram\":{\"dataPoints\":[{\"scale\":2147483648}]}", "expected an integer of 32 bits" },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_become(SIGNAL_METRICS, METRIC, rows);
    assert_rows_refused(SIGNAL_METRICS, METRIC, refused);
}

static void test_profiles(void **state)
{
    static const char text[] =
        "{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{\"sampleType\":{\"typeStrindex\":1,\"unitStrindex\":-2},"
        "\"samples\":[{\"stackIndex\":1,\"attributeIndices\":[1,0,-1],\"linkIndex\":3,\"values\":[\"5\",\"-6\"],\"timestampsUnixNano\":["
        "\"7\"]}],"
        "\"timeUnixNano\":\"9\",\"durationNano\":\"10\",\"periodType\":{},\"period\":\"-3\",\"profileId\":"
        "\"0102030405060708090a0b0c0d0e0f10\","
        "\"originalPayload\":\"AQID\"}]}]}],\"dictionary\":{\"stringTable\":[\"\",\"a\"],\"attributeTable\":[{\"keyStrindex\":1,"
        "\"value\":{\"stringValueStrindex\":0}}],\"stackTable\":[{\"locationIndices\":[1,2]}]}}";
    (void)state;

    assert_becomes(SIGNAL_PROFILES, text, text);
}

static void test_whole_requests(void **state)
{
    static const struct row rows[] = {
        { "{}", NULL },
        { " \t\r\n{ } \n", "{}" },
        { "{\"extra\":\"\",\"resourceSpans\":[]}", "{}" },
        { "{\"resource_spans\":[{}]}", "{\"resourceSpans\":[{}]}" },
        { "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{}}],\"schemaUrl\":\"u\"},null]}",
            "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{}}],\"schemaUrl\":\"u\"},{}]}" },
        { "{\"resourceSpans\":[{\"resource\":{\"entityRefs\":[{\"type\":\"t\",\"idKeys\":[\"a\",null,\"\"]}]}}]}",
            "{\"resourceSpans\":[{\"resource\":{\"entityRefs\":[{\"type\":\"t\",\"idKeys\":[\"a\",\"\",\"\"]}]}}]}" },
        { NULL, NULL },
    };
    static const struct row refused[] = {
        { "", "expected an object" },
        { "null", "expected an object" },
        { "[]", "expected an object" },
        { "\"x\"", "expected an object" },
        { "{} x", "something follows the request" },
        { "{}{}", "something follows the request" },
        { "{\"resourceSpans\":\"extra\"}", "resourceSpans: expected an array" },
        { "{\"resourceSpans\":{}}", "resourceSpans: expected an array" },
        { "{\"resourceSpans\":[5]}", "resourceSpans[0]: expected an object" },
        { "{,}", "expected a field name" },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_become(SIGNAL_TRACES, "%s", rows);
    assert_rows_refused(SIGNAL_TRACES, "%s", refused);
}

/* ---- strings ---- */

static void test_strings(void **state)
{
    static const struct row rows[] = {
        { "plain", NULL },
        { "sixteen bytes...", NULL },
        { "more than sixteen bytes, and not a multiple", NULL },
        { "gr\xc3\xb6\xc3\x9f"
          "er \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80 in more than sixteen bytes",
            NULL },
        { "\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f", NULL },
        { "\\/\\u0041\\u00e9\\u65e5\\ud83d\\ude00", "/A\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80" },
        { "a\\ud800", "a\xef\xbf\xbd" },
        { "\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\\ud83d\\n", "\xef\xbf\xbd\\n" },
        { "\\ud83d\\u0041", "\xef\xbf\xbd"
                            "A" },
        { "a\xff"
          "b",
            "a\xef\xbf\xbd"
            "b" },
        { "cut off \xe6\x97", "cut off \xef\xbf\xbd" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\x7f", NULL },
        { NULL, NULL },
    };
    (void)state;

    assert_rows_become(SIGNAL_LOGS, "{\"resourceLogs\":[{\"schemaUrl\":\"%s\"}]}", rows);
}

static void test_strings_of_every_length(void **state)
{
    char text[300], frame[400];
    (void)state;

    for (size_t size = 1; size < sizeof(text); size++) {
        memset(text, 'a', size);
        text[size - 1] = 'z';
        text[size] = '\0';
        snprintf(frame, sizeof(frame), "{\"resourceLogs\":[{\"schemaUrl\":\"%s\"}]}", text);
        assert_becomes(SIGNAL_LOGS, frame, frame);
        memcpy(text + size - 1, "\xc3\xbc", 3);
        snprintf(frame, sizeof(frame), "{\"resourceLogs\":[{\"schemaUrl\":\"%s\"}]}", text);
        assert_becomes(SIGNAL_LOGS, frame, frame);
        if (size >= sizeof(text) - 2)
            break;
    }
}

static void test_written_strings(void **state)
{
    struct buffer out = { 0 };
    (void)state;

    json_write_string(SLICE("a\"b\\c\n\x01\xff"), &out);
    assert_string_equal(buffer_string(&out), "\"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd\"");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_values_that_are_refused),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_spans_that_are_refused),
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_whole_requests),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_strings_of_every_length),
        cmocka_unit_test(test_written_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
