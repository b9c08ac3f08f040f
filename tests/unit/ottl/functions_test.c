/* What converters give: each row's expression is set as an attribute, and read back as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/unit/ottl/fixture.h"

#include <cmocka.h>

struct row {
    const char *expression;
    const char *wanted; /* JSON of the AnyValue; NULL: nothing is set; "!": it fails with what follows */
};

static const struct row rows[] = {
    { "1 + 2 * 3", "{\"intValue\":\"7\"}" },
    { "(1 + 2) * 3", "{\"intValue\":\"9\"}" },
    { "7 / 2", "{\"intValue\":\"3\"}" },
    { "1 / 0", "!attempted to divide by 0" },
    { "1.5 + 1", "{\"doubleValue\":2.5}" },
    { "attributes[\"count\"] - 1", "{\"intValue\":\"6\"}" },
    { "attributes[\"count\"]-1", "{\"intValue\":\"6\"}" },
    { "attributes[\"map\"][\"a\"][\"b\"]", "{\"stringValue\":\"deep\"}" },
    { "attributes[\"list\"][1]", "{\"intValue\":\"1\"}" },
    { "attributes[\"list\"][5]", "!index 5 out of bounds" },
    { "attributes[\"none\"]", NULL },
    { "attributes[\"none\"][\"further\"]", NULL },
    { "attributes[\"method\"][\"a\"]", "!type, string, does not support string indexing" },
    { "nil", NULL },
    { "true", "{\"boolValue\":true}" },
    { "[1, \"a\"]", "{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"stringValue\":\"a\"}]}}" },
    { "{\"k\": {\"l\": 1}}", "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"l\","
                             "\"value\":{\"intValue\":\"1\"}}]}}}]}}" },
    { "SEVERITY_NUMBER_ERROR2", "{\"intValue\":\"18\"}" },
    { "severity_number", "{\"intValue\":\"9\"}" },
    { "resource.attributes[\"host\"]", "{\"stringValue\":\"a\"}" },
    { "trace_id.string", "{\"stringValue\":\"0102030405060708090a0b0c0d0e0f10\"}" },
    { "Concat([\"a\", 1, 1.5, nil], \"-\")", "{\"stringValue\":\"a-1-1.5-<nil>\"}" },
    { "Split(\"a|b|\", \"|\")[1]", "{\"stringValue\":\"b\"}" },
    { "Len(Split(\"a|b|\", \"|\"))", "{\"intValue\":\"3\"}" },
    { "Len(attributes)", "{\"intValue\":\"4\"}" },
    { "Substring(\"abcdef\", 2, 3)", "{\"stringValue\":\"cde\"}" },
    { "Substring(\"abc\", 2, 3)", "!invalid range" },
    { "ConvertCase(\"fooBar\", \"snake\")", "{\"stringValue\":\"foo_bar\"}" },
    { "ConvertCase(\"foo_bar\", \"camel\")", "{\"stringValue\":\"FooBar\"}" },
    { "ToUpperCase(attributes[\"method\"])", "{\"stringValue\":\"GET\"}" },
    { "Int(\"12\")", "{\"intValue\":\"12\"}" },
    { "Int(\"12x\")", NULL },
    { "Int(3.9)", "{\"intValue\":\"3\"}" },
    { "Double(\"1.5\")", "{\"doubleValue\":1.5}" },
    { "String(attributes[\"map\"])", "{\"stringValue\":\"{\\\"a\\\":{\\\"b\\\":\\\"deep\\\"}}\"}" },
    { "IsMatch(body, \"^hello\\\\s\")", "{\"boolValue\":true}" },
    { "IsMatch(attributes[\"none\"], \".*\")", "{\"boolValue\":false}" },
    { "IsMatch(attributes[\"count\"], \"7\")", "{\"boolValue\":true}" },
    { "ExtractPatterns(\"k=v\", \"(?P<key>\\\\w)=(?P<value>\\\\w)\")[\"value\"]", "{\"stringValue\":\"v\"}" },
    { "FNV(\"hello world\")", "{\"intValue\":\"8618312879776256743\"}" },
    { "MD5(\"hello world\")", "{\"stringValue\":\"5eb63bbbe01eeed093cb22bb8f5acdc3\"}" },
    { "SHA1(\"hello world\")", "{\"stringValue\":\"2aae6c35c94fcfb415dbe95f408b9ce91ee846ed\"}" },
    { "Murmur3Hash(\"Hello World\")", "{\"stringValue\":\"ce837619\"}" },
    { "Murmur3Hash128(\"Hello World\")", "{\"stringValue\":\"dbc2a0c1ab26631a27b4c09fcf1fe683\"}" },
    { "Hex(12)", "{\"stringValue\":\"000000000000000c\"}" },
    { "ParseJSON(\"{\\\"a\\\":[1,null,\\\"x\\\\n\\\"]}\")[\"a\"][2]", "{\"stringValue\":\"x\\n\"}" },
    { "ParseJSON(\"{\")", "!could not parse JSON" },
    { "ParseJSON(1)", "!expected string but got int64" },
    { "ParseKeyValue(\"a=1 b='x y'\")[\"b\"]", "{\"stringValue\":\"x y\"}" },
    { "ParseCSV(\"1,\\\"a,b\\\"\", \"x,y\")[\"y\"]", "{\"stringValue\":\"a,b\"}" },
    { "URL(\"http://u:p@h.example:8080/a/b.gif?q=1#f\")[\"url.port\"]", "{\"intValue\":\"8080\"}" },
    { "URL(\"http://u:p@h.example:8080/a/b.gif?q=1#f\")[\"url.extension\"]", "{\"stringValue\":\"gif\"}" },
    { "FormatTime(time, \"%Y-%m-%dT%H:%M:%S.%sZ\")", "{\"stringValue\":\"2020-02-11T20:26:12.000000321Z\"}" },
    { "Unix(1)", "{\"intValue\":\"1000000000\"}" },
    { "UnixNano(Time(\"2023-04-12 01:02:03 +0100\", \"%Y-%m-%d %H:%M:%S %z\"))", "{\"intValue\":\"1681257723000000000\"}" },
    { "Hour(Time(\"2023-04-12 01:02:03 +0100\", \"%Y-%m-%d %H:%M:%S %z\"))", "{\"intValue\":\"1\"}" },
    { "UnixSeconds(Time(\"2023-01-15 12:00:00\", \"%Y-%m-%d %H:%M:%S\", \"America/New_York\"))", "{\"intValue\":\"1673802000\"}" },
    { "UnixSeconds(Time(\"2023-07-15 12:00:00\", \"%Y-%m-%d %H:%M:%S\", \"America/New_York\"))", "{\"intValue\":\"1689436800\"}" },
    { "UnixSeconds(Time(\"2023-07-15 12:00:00 +0000\", \"%Y-%m-%d %H:%M:%S %z\", \"Asia/Tokyo\"))", "{\"intValue\":\"1689422400\"}" },
    { "Time(\"x\", \"%Y\")", "!could not parse time" },
    { "Seconds(Duration(\"1m30s\"))", "{\"doubleValue\":90}" },
    { "Milliseconds(Unix(3) - Unix(1))", "{\"intValue\":\"2000\"}" },
    { "Sort([3, 1, 2], \"desc\")[0]", "{\"intValue\":\"3\"}" },
    { "Trim(\"  x \")", "{\"stringValue\":\"x\"}" },
    { "Format(\"%s-%03d\", [\"a\", 7])", "{\"stringValue\":\"a-007\"}" },
    { "Base64Decode(\"cGFzcw==\")", "{\"stringValue\":\"pass\"}" },
    { "Keys({\"a\": 1, \"b\": 2})[1]", "{\"stringValue\":\"b\"}" },
    { "HasPrefix(body, \"hello\")", "{\"boolValue\":true}" },
    { "IsMap(attributes[\"map\"])", "{\"boolValue\":true}" },
    { "XXH3(\"hello world\")", "{\"stringValue\":\"d447b1ea40e6988b\"}" },
    { "XXH128(\"hello world\")", "{\"stringValue\":\"df8d09e93f874900a99b8775cc15b6c7\"}" },
    { "IsMatch(UUIDv7(), \"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\")", "{\"boolValue\":true}" },
    { "Hex(ProfileID(\"0102030405060708090a0b0c0d0e0f10\"))", "{\"stringValue\":\"0102030405060708090a0b0c0d0e0f10\"}" },
    { "Decode(Base64Decode(\"dOlzdA==\"), \"windows-1252\")", "{\"stringValue\":\"t\u00e9st\"}" },
    { "Decode(Base64Decode(\"dOlzdA==\"), \"us-ascii\")", "!could not decode" },
    { "GetXML(\"<a><x>1</x><b><x y='2'/></b>t</a>\", \"/a//x\")", "{\"stringValue\":\"<x>1</x><x y=\\\"2\\\"></x>\"}" },
    { "GetXML(\"<a k='v'>t</a>\", \"/a/@k | /a/text()\")", "{\"stringValue\":\"vt\"}" },
    { "GetXML(\"<a>\", \"/a\")", "!not well-formed" },
    { "GetXML(\"</weir-fragment><weir-fragment>\", \"/\")", "!not well-formed" },
    { "GetXML(\"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>\", \"/a\")", "!not well-formed" },
    { "RemoveXML(\"<?xml version='1.0'?><a><b><b/></b>t<c d='1'/></a>\", \"//b | //@d\")",
        "{\"stringValue\":\"<?xml version='1.0'?><a>t<c></c></a>\"}" },
    { "InsertXML(\"<a/><a/>\", \"/a\", \"<b/>t\")", "{\"stringValue\":\"<a><b></b>t</a><a><b></b>t</a>\"}" },
    { "InsertXML(\"<a k='v'/>\", \"/a/@k\", \"<b/>\")", "!InsertXML XPath selected non-element: \"k\"" },
    { "ConvertAttributesToElementsXML(\"<a b='1' c='2'>t</a>\")", "{\"stringValue\":\"<a>t<b>1</b><c>2</c></a>\"}" },
    { "ConvertTextToElementsXML(\"<a>x<b/>y</a>\", \"/\", \"v\")", "{\"stringValue\":\"<a><v>x</v><b></b><v>y</v></a>\"}" },
    { "ParseXML(\"<a k='v'> t <b/></a>\")",
        "{\"kvlistValue\":{\"values\":[{\"key\":\"tag\",\"value\":{\"stringValue\":\"a\"}},{\"key\":\"attributes\",\"value\":{"
        "\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]}}},{\"key\":\"content\",\"value\":{"
        "\"stringValue\":\"t\"}},{\"key\":\"children\",\"value\":{\"arrayValue\":{\"values\":[{\"kvlistValue\":{\"values\":[{"
        "\"key\":\"tag\",\"value\":{\"stringValue\":\"b\"}}]}}]}}}]}}" },
    { "ParseXML(\"<a/><a/>\")", "!trailing bytes after parsing xml" },
    { "ParseSimplifiedXML(\"<a>1</a><b><c/></b><a><d>2</d></a>\")",
        "{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"1\"},{"
        "\"kvlistValue\":{\"values\":[{\"key\":\"d\",\"value\":{\"stringValue\":\"2\"}}]}}]}}}]}}" },
    { "ExtractGrokPatterns(\"a=b c=d\", \"^a=(?P<a>\\\\w+)\\\\s+c=(?P<c>\\\\w+)$\")[\"c\"]", "{\"stringValue\":\"d\"}" },
    { "Len(ExtractGrokPatterns(\"x\", \"%{INT:n}\", true))", "{\"intValue\":\"0\"}" },
    { "ExtractGrokPatterns(\"http://user:pw@example.com:80/path?query=string\", \"%{ELB_URI}\", true)",
        "{\"kvlistValue\":{\"values\":[{\"key\":\"url.scheme\",\"value\":{\"stringValue\":\"http\"}},{\"key\":\"url.username\",\"value\":{"
        "\"stringValue\":\"user\"}},{\"key\":\"url.domain\",\"value\":{\"stringValue\":\"example.com\"}},{\"key\":\"url.port\",\"value\":{"
        "\"intValue\":\"80\"}},{\"key\":\"url.path\",\"value\":{\"stringValue\":\"/path\"}},{\"key\":\"url.query\",\"value\":{"
        "\"stringValue\":\"query=string\"}}]}}" },
    { "ExtractGrokPatterns(\"2024-06-18 12:34:56 otel\", \"%{MINE}\", true, [\"MINE=%{MYDATE:timestamp} otel\", "
      "\"MYDATE=%{DATE}[- ]%{TIME}\"])[\"timestamp\"]",
        "{\"stringValue\":\"24-06-18 12:34:56\"}" },
    { "ExtractGrokPatterns(\"from fe80::1:2 or 10.0.0.1\", \"%{IP:six} or %{IP:four}\", true)",
        "{\"kvlistValue\":{\"values\":[{\"key\":\"six\",\"value\":{\"stringValue\":\"fe80::1:2\"}},{\"key\":\"four\",\"value\":{"
        "\"stringValue\":\"10.0.0.1\"}}]}}" },
    { "ExtractGrokPatterns(\"1.2.3.4 - bob [10/Oct/2000:13:55:36 -0700] 'GET /a HTTP/1.0' 200 23\", \"%{COMMONAPACHELOG}\", true, "
      "[\"COMMONAPACHELOG=%{IP:ip} - %{USER:user} .%{HTTPDATE:time}. .%{WORD:method} %{NOTSPACE:path} HTTP/%{NUMBER:version:float}. "
      "%{INT:status:int} %{INT:size}\"])[\"status\"]",
        "{\"intValue\":\"200\"}" },
    { "ExtractGrokPatterns(\"7 8\", \"%{INT:n} %{INT:n}\")[\"n\"]", "{\"stringValue\":\"8\"}" },
    { "UserAgent(\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/51.0.2704.103 "
      "Safari/537.36\")[\"user_agent.version\"]",
        "{\"stringValue\":\"51.0.2704\"}" },
    { "UserAgent(\"curl/7.81.0\")",
        "{\"kvlistValue\":{\"values\":[{\"key\":\"user_agent.original\",\"value\":{\"stringValue\":\"curl/7.81.0\"}},{\"key\":"
        "\"user_agent.name\",\"value\":{\"stringValue\":\"curl\"}},{\"key\":\"user_agent.version\",\"value\":{\"stringValue\":\"7.81.0\"}}]"
        "}}" },
    { "UserAgent(\"nobody\")[\"user_agent.name\"]", "{\"stringValue\":\"Other\"}" },
};

static void check(const struct row *row)
{
    char statement[512], wanted[1024];
    struct outcome result;

    snprintf(statement, sizeof(statement), "set(attributes[\"result\"], %s)", row->expression);
    result = ottl_transform(SIGNAL_LOGS, OTTL_LOG, statement, ottl_log);
    snprintf(wanted, sizeof(wanted), "{\"key\":\"result\",\"value\":%s}", row->wanted != NULL ? row->wanted : "");
    bool right = row->wanted == NULL     ? result.outcome == OTTL_UNCHANGED && result.error[0] == '\0'
                 : row->wanted[0] == '!' ? strstr(result.error, row->wanted + 1) != NULL
                                         : strstr(result.json, wanted) != NULL;
    if (!right)
        fail_msg("%s: wanted %s, got %s (%s)", row->expression, row->wanted, result.json, result.error);
}

static void test_expressions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_expressions) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
