/* The debug exporter: the texts of the three verbosities, sampling, and where they go. */
#include <fcntl.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "exporters/debug/points.h"
#include "exporters/debug/text.h"
#include "tests/unit/collector/exporter_harness.h"

extern const struct component_type debug_exporter;

#define START UINT64_C(1581452772000000321)
#define END UINT64_C(1581452773000000789)
#define START_TEXT "2020-02-11 20:26:12.000000321 +0000 UTC"
#define END_TEXT "2020-02-11 20:26:13.000000789 +0000 UTC"

static const char trace_id[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
static const char span_id[] = "\x11\x12\x13\x14\x15\x16\x17\x18";

/* Opens a group, its resource with one attribute, and a scope group with its scope. */
struct around {
    size_t group, scope;
};

static struct around open_request(struct buffer *out, const char *scope_name, const char *schema_url)
{
    struct around around = { .group = pb_open(out, 1) };
    size_t mark = pb_open(out, 1);

    put_attribute(out, 1, "resource-attr", "val-1");
    pb_close(out, mark);
    pb_put_bytes(out, 3, slice_of_string(schema_url));
    around.scope = pb_open(out, 2);
    mark = pb_open(out, 1);
    pb_put_bytes(out, 1, slice_of_string(scope_name));
    pb_put_bytes(out, 2, SLICE("1.0"));
    pb_close(out, mark);
    return around;
}

static void close_request(struct buffer *out, struct around around)
{
    pb_close(out, around.scope);
    pb_close(out, around.group);
}

static void assert_text(struct buffer *text, const char *expected)
{
    assert_false(text->failed);
    assert_string_equal(buffer_string(text), expected);
    buffer_clear(text);
}

/* ---- traces ---- */

static void put_event(struct buffer *out)
{
    size_t event = pb_open(out, 11);

    pb_put_fixed64(out, 1, END);
    pb_put_bytes(out, 2, SLICE("event-1"));
    put_attribute(out, 3, "ek", "ev");
    pb_put_varint(out, 4, 2);
    pb_close(out, event);
}

static void put_link(struct buffer *out)
{
    size_t link = pb_open(out, 13);

    pb_put_bytes(out, 1, slice_of(trace_id, 16));
    pb_put_bytes(out, 2, slice_of(span_id, 8));
    pb_put_bytes(out, 3, SLICE("a=b"));
    put_attribute(out, 4, "lk", "lv");
    pb_close(out, link);
}

static void put_span(struct buffer *out)
{
    size_t span = pb_open(out, 2), status;

    pb_put_bytes(out, 1, slice_of(trace_id, 16));
    pb_put_bytes(out, 2, slice_of(span_id, 8));
    pb_put_bytes(out, 3, SLICE("ot=th:0"));
    pb_put_bytes(out, 5, SLICE("operationA"));
    pb_put_varint(out, 6, 2);
    pb_put_fixed64(out, 7, START);
    pb_put_fixed64(out, 8, END);
    put_attribute(out, 9, "k", "v");
    put_attribute(out, 9, "k2", "v2");
    pb_put_varint(out, 10, 1);
    put_event(out);
    put_link(out);
    pb_put_varint(out, 14, 3);
    status = pb_open(out, 15);
    pb_put_bytes(out, 2, SLICE("cancelled"));
    pb_put_varint(out, 3, 2);
    pb_close(out, status);
    pb_close(out, span);
}

static void test_traces(void **state)
{
    struct buffer request = { 0 }, text = { 0 };
    struct text_counts counts = { 0 };
    struct around around = open_request(&request, "lib", "");

    (void)state;
    put_span(&request);
    pb_put_bytes(&request, 2, SLICE("")); /* a span with nothing in it */
    close_request(&request, around);
    text_count(SIGNAL_TRACES, buffer_slice(&request), &counts);
    text_summary(SIGNAL_TRACES, &counts, &text);
    assert_text(&text, "{\"resource spans\": 1, \"spans\": 2}");
    text_normal(SIGNAL_TRACES, buffer_slice(&request), &text);
    assert_text(&text, "ResourceTraces #0 resource-attr=val-1\nScopeTraces #0 lib@1.0\n"
                       "operationA 0102030405060708090a0b0c0d0e0f10 1112131415161718 k=v k2=v2\n  \n");
    text_detailed(SIGNAL_TRACES, buffer_slice(&request), &text);
    assert_text(&text,
        "ResourceSpans #0\nResource SchemaURL: \nResource attributes:\n     -> resource-attr: Str(val-1)\n"
        "ScopeSpans #0\nScopeSpans SchemaURL: \nInstrumentationScope lib 1.0\n"
        "Span #0\n"
        "    Trace ID       : 0102030405060708090a0b0c0d0e0f10\n"
        "    Parent ID      : \n"
        "    ID             : 1112131415161718\n"
        "    Name           : operationA\n"
        "    Kind           : Server\n"
        "    TraceState     : ot=th:0\n"
        "    Start time     : " START_TEXT "\n"
        "    End time       : " END_TEXT "\n"
        "    Status code    : Error\n"
        "    Status message : cancelled\n"
        "    DroppedAttributesCount: 1\n"
        "    DroppedEventsCount: 0\n"
        "    DroppedLinksCount: 3\n"
        "Attributes:\n     -> k: Str(v)\n     -> k2: Str(v2)\n"
        "Events:\nSpanEvent #0\n     -> Name: event-1\n     -> Timestamp: " END_TEXT "\n     -> DroppedAttributesCount: 2\n"
        "     -> Attributes::\n          -> ek: Str(ev)\n"
        "Links:\nSpanLink #0\n     -> Trace ID: 0102030405060708090a0b0c0d0e0f10\n     -> ID: 1112131415161718\n     -> TraceState: a=b\n"
        "     -> DroppedAttributesCount: 0\n     -> Attributes::\n          -> lk: Str(lv)\n"
        "Span #1\n"
        "    Trace ID       : \n    Parent ID      : \n    ID             : \n    Name           : \n    Kind           : Unspecified\n"
        "    Start time     : 1970-01-01 00:00:00 +0000 UTC\n    End time       : 1970-01-01 00:00:00 +0000 UTC\n"
        "    Status code    : Unset\n    Status message : \n"
        "    DroppedAttributesCount: 0\n    DroppedEventsCount: 0\n    DroppedLinksCount: 0\n");
    buffer_fini(&request);
    buffer_fini(&text);
}

/* ---- logs ---- */

/* {"zeta": {"inner": [true, 1.5, null, bytes]}, "alpha": -3} */
static void put_map_value(struct buffer *out, uint32_t field)
{
    size_t any = pb_open(out, field), map = pb_open(out, 6), entry = pb_open(out, 1), value, inner, item, array_any, array, element;

    pb_put_bytes(out, 1, SLICE("zeta"));
    value = pb_open(out, 2);
    inner = pb_open(out, 6);
    item = pb_open(out, 1);
    pb_put_bytes(out, 1, SLICE("inner"));
    array_any = pb_open(out, 2);
    array = pb_open(out, 5);
    element = pb_open(out, 1);
    pb_put_varint(out, 2, 1);
    pb_close(out, element);
    element = pb_open(out, 1);
    pb_put_double(out, 4, 1.5);
    pb_close(out, element);
    pb_put_bytes(out, 1, SLICE(""));
    element = pb_open(out, 1);
    pb_put_bytes(out, 7, SLICE("\xff\x00"));
    pb_close(out, element);
    pb_close(out, array);
    pb_close(out, array_any);
    pb_close(out, item);
    pb_close(out, inner);
    pb_close(out, value);
    pb_close(out, entry);
    entry = pb_open(out, 1);
    pb_put_bytes(out, 1, SLICE("alpha"));
    value = pb_open(out, 2);
    pb_put_varint(out, 3, (uint64_t)-3);
    pb_close(out, value);
    pb_close(out, entry);
    pb_close(out, map);
    pb_close(out, any);
}

static void test_logs(void **state)
{
    struct buffer request = { 0 }, text = { 0 };
    struct text_counts counts = { 0 };
    struct around around = open_request(&request, "", "https://schema");
    size_t record = pb_open(&request, 2), mark;

    (void)state;
    pb_put_fixed64(&request, 1, END);
    pb_put_varint(&request, 2, 10);
    pb_put_bytes(&request, 3, SLICE("INFO"));
    put_map_value(&request, 5);
    put_attribute(&request, 6, "app", "server");
    pb_put_bytes(&request, 9, slice_of(trace_id, 16));
    pb_put_bytes(&request, 12, SLICE("my.event"));
    pb_close(&request, record);
    record = pb_open(&request, 2);
    mark = pb_open(&request, 5);
    pb_put_bytes(&request, 1, SLICE("two\nlines"));
    pb_close(&request, mark);
    pb_close(&request, record);
    close_request(&request, around);
    text_count(SIGNAL_LOGS, buffer_slice(&request), &counts);
    text_summary(SIGNAL_LOGS, &counts, &text);
    assert_text(&text, "{\"resource logs\": 1, \"log records\": 2}");
    text_normal(SIGNAL_LOGS, buffer_slice(&request), &text);
    assert_text(&text, "ResourceLog #0 [https://schema] resource-attr=val-1\nScopeLog #0 @1.0\n"
                       "{\"alpha\":-3,\"zeta\":{\"inner\":[true,1.5,null,\"/wA=\"]}} app=server\n"
                       "two\nlines \n");
    text_detailed(SIGNAL_LOGS, buffer_slice(&request), &text);
    assert_text(&text, "ResourceLog #0\nResource SchemaURL: https://schema\nResource attributes:\n     -> resource-attr: Str(val-1)\n"
                       "ScopeLogs #0\nScopeLogs SchemaURL: \nInstrumentationScope  1.0\n"
                       "LogRecord #0\nObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC\nTimestamp: " END_TEXT
                       "\nSeverityText: INFO\nSeverityNumber: Info2(10)\n"
                       "EventName: my.event\nBody: Map({\"alpha\":-3,\"zeta\":{\"inner\":[true,1.5,null,\"/wA=\"]}})\nAttributes:\n     -> "
                       "app: Str(server)\n"
                       "Trace ID: 0102030405060708090a0b0c0d0e0f10\nSpan ID: \nFlags: 0\n"
                       "LogRecord #1\nObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC\nTimestamp: 1970-01-01 00:00:00 +0000 "
                       "UTC\nSeverityText: \nSeverityNumber: Unspecified(0)\n"
                       "Body: Str(two\nlines)\nTrace ID: \nSpan ID: \nFlags: 0\n");
    buffer_fini(&request);
    buffer_fini(&text);
}

/* ---- metrics ---- */

static void put_packed_fixed64(struct buffer *out, uint32_t field, const uint64_t *values, size_t count)
{
    pb_put_bytes(out, field, slice_of(values, count * 8));
}

static size_t open_metric(struct buffer *out, const char *name)
{
    size_t metric = pb_open(out, 2);

    pb_put_bytes(out, 1, slice_of_string(name));
    pb_put_bytes(out, 3, SLICE("1"));
    return metric;
}

static void put_times(struct buffer *out)
{
    pb_put_fixed64(out, 2, START);
    pb_put_fixed64(out, 3, END);
}

static void put_number_metrics(struct buffer *out)
{
    size_t metric = open_metric(out, "gauge"), data = pb_open(out, 5), point = pb_open(out, 1), exemplar;

    put_attribute(out, 7, "l", "v");
    put_times(out);
    pb_put_double(out, 4, 78.901234567);
    exemplar = pb_open(out, 5);
    pb_put_fixed64(out, 2, END);
    pb_put_fixed64(out, 6, 15);
    put_attribute(out, 7, "x", "y");
    pb_close(out, exemplar);
    pb_close(out, point);
    pb_close(out, data);
    put_attribute(out, 12, "meta.key", "meta-value");
    pb_close(out, metric);
    metric = open_metric(out, "sum");
    data = pb_open(out, 7);
    point = pb_open(out, 1);
    pb_put_fixed64(out, 6, (uint64_t)-5);
    pb_close(out, point);
    pb_put_varint(out, 2, 2);
    pb_put_varint(out, 3, 1);
    pb_close(out, data);
    pb_close(out, metric);
}

static void put_histogram(struct buffer *out)
{
    const uint64_t counts[] = { 1324, 13, 1 };
    const uint64_t bounds[] = { pb_double_bits(0.125), pb_double_bits(3) };
    size_t metric = open_metric(out, "histogram"), data = pb_open(out, 9), point = pb_open(out, 1);

    put_times(out);
    pb_put_fixed64(out, 4, 1338);
    pb_put_double(out, 5, 99.573);
    put_packed_fixed64(out, 6, counts, 3);
    put_packed_fixed64(out, 7, bounds, 2);
    put_attribute(out, 9, "l", "v");
    pb_put_double(out, 11, 0.017);
    pb_put_double(out, 12, 8.13);
    pb_close(out, point);
    pb_put_varint(out, 2, 1);
    pb_close(out, data);
    pb_close(out, metric);
}

static void put_buckets(struct buffer *out, uint32_t field, uint64_t zigzag_offset, struct slice counts)
{
    size_t buckets = pb_open(out, field);

    pb_put_varint(out, 1, zigzag_offset);
    pb_put_bytes(out, 2, counts);
    pb_close(out, buckets);
}

static void put_exponential(struct buffer *out)
{
    size_t metric = open_metric(out, "exponential"), data = pb_open(out, 10), point = pb_open(out, 1);

    put_times(out);
    pb_put_fixed64(out, 4, 5);
    pb_put_varint(out, 6, 2); /* scale 1 */
    pb_put_fixed64(out, 7, 7);
    put_buckets(out, 8, 2, SLICE("\x01\x02"));     /* offset 1 */
    put_buckets(out, 9, 1, SLICE("\x03\xac\x02")); /* offset -1; 3 and 300 */
    pb_close(out, point);
    pb_put_varint(out, 2, 2);
    pb_close(out, data);
    pb_close(out, metric);
}

static void put_summary(struct buffer *out)
{
    size_t metric = open_metric(out, "summary"), data = pb_open(out, 11), point = pb_open(out, 1), quantile;

    pb_put_fixed64(out, 4, 2);
    pb_put_double(out, 5, 15);
    quantile = pb_open(out, 6);
    pb_put_double(out, 1, 0.01);
    pb_put_double(out, 2, 15);
    pb_close(out, quantile);
    pb_close(out, point);
    pb_close(out, data);
    pb_close(out, metric);
}

static void test_metrics_normal(void **state)
{
    struct buffer request = { 0 }, text = { 0 };
    struct text_counts counts = { 0 };
    struct around around = open_request(&request, "lib", "");

    (void)state;
    put_number_metrics(&request);
    put_histogram(&request);
    put_exponential(&request);
    put_summary(&request);
    close_request(&request, around);
    text_count(SIGNAL_METRICS, buffer_slice(&request), &counts);
    text_summary(SIGNAL_METRICS, &counts, &text);
    assert_text(&text, "{\"resource metrics\": 1, \"metrics\": 5, \"data points\": 5}");
    text_normal(SIGNAL_METRICS, buffer_slice(&request), &text);
    assert_text(&text, "ResourceMetrics #0 resource-attr=val-1\nScopeMetrics #0 lib@1.0\n"
                       "gauge{l=v} 78.901234567\n"
                       "sum{} -5\n"
                       "histogram{l=v} count=1338 sum=99.573 min=0.017 max=8.13 le0.125=1324 le3=13 1\n"
                       "exponential{} count=5 le-1=300 le-0.7071067811865476=3 zero=7 le2=1 le2.82842712474619=2\n"
                       "summary{} count=2 sum=15.000000 q0.01=15\n");
    buffer_fini(&request);
    buffer_fini(&text);
}

static void test_metrics_detailed(void **state)
{
    struct buffer request = { 0 }, text = { 0 };
    struct around around = open_request(&request, "lib", "");
    static const char head[] = "ResourceMetrics #0\nResource SchemaURL: \nResource attributes:\n     -> resource-attr: Str(val-1)\n"
                               "ScopeMetrics #0\nScopeMetrics SchemaURL: \nInstrumentationScope lib 1.0\n";

    (void)state;
    put_number_metrics(&request);
    put_histogram(&request);
    put_exponential(&request);
    put_summary(&request);
    pb_put_bytes(&request, 2, SLICE(""));
    close_request(&request, around);
    text_detailed(SIGNAL_METRICS, buffer_slice(&request), &text);
    assert_memory_equal(text.data, head, sizeof(head) - 1);
    memmove(text.data, text.data + sizeof(head) - 1, text.size - sizeof(head) + 1);
    text.size -= sizeof(head) - 1;
    assert_text(&text,
        "Metric #0\nDescriptor:\n     -> Name: gauge\n     -> Description: \n     -> Unit: 1\n     -> DataType: Gauge\n"
        "     -> Metadata:\n          -> meta.key: Str(meta-value)\n"
        "NumberDataPoints #0\nData point attributes:\n     -> l: Str(v)\nStartTimestamp: " START_TEXT "\nTimestamp: " END_TEXT
        "\nValue: 78.901235\n"
        "Exemplars:\nExemplar #0\n     -> Trace ID: \n     -> Span ID: \n     -> Timestamp: " END_TEXT "\n     -> Value: 15\n"
        "     -> FilteredAttributes:\n          -> x: Str(y)\n"
        "Metric #1\nDescriptor:\n     -> Name: sum\n     -> Description: \n     -> Unit: 1\n     -> DataType: Sum\n     -> IsMonotonic: "
        "true\n"
        "     -> AggregationTemporality: Cumulative\n"
        "NumberDataPoints #0\nStartTimestamp: 1970-01-01 00:00:00 +0000 UTC\nTimestamp: 1970-01-01 00:00:00 +0000 UTC\nValue: -5\n"
        "Metric #2\nDescriptor:\n     -> Name: histogram\n     -> Description: \n     -> Unit: 1\n     -> DataType: Histogram\n     -> "
        "AggregationTemporality: Delta\n"
        "HistogramDataPoints #0\nData point attributes:\n     -> l: Str(v)\nStartTimestamp: " START_TEXT "\nTimestamp: " END_TEXT
        "\nCount: 1338\n"
        "Sum: 99.573000\nMin: 0.017000\nMax: 8.130000\nExplicitBounds #0: 0.125000\nExplicitBounds #1: 3.000000\n"
        "Buckets #0, Count: 1324\nBuckets #1, Count: 13\nBuckets #2, Count: 1\n"
        "Metric #3\nDescriptor:\n     -> Name: exponential\n     -> Description: \n     -> Unit: 1\n     -> DataType: "
        "ExponentialHistogram\n"
        "     -> AggregationTemporality: Cumulative\n"
        "ExponentialHistogramDataPoints #0\nStartTimestamp: " START_TEXT "\nTimestamp: " END_TEXT "\nCount: 5\n"
        "Bucket [-1.414214, -1.000000), Count: 300\nBucket [-1.000000, -0.707107), Count: 3\nBucket [0, 0], Count: 7\n"
        "Bucket (1.414214, 2.000000], Count: 1\nBucket (2.000000, 2.828427], Count: 2\n"
        "Metric #4\nDescriptor:\n     -> Name: summary\n     -> Description: \n     -> Unit: 1\n     -> DataType: Summary\n"
        "SummaryDataPoints #0\nStartTimestamp: 1970-01-01 00:00:00 +0000 UTC\nTimestamp: 1970-01-01 00:00:00 +0000 UTC\nCount: 2\nSum: "
        "15.000000\n"
        "QuantileValue #0: Quantile 0.010000, Value 15.000000\n"
        "Metric #5\nDescriptor:\n     -> Name: \n     -> Description: \n     -> Unit: \n     -> DataType: Empty\n");
    buffer_fini(&request);
    buffer_fini(&text);
}

/* Lists that are not packed, and such as end in the middle of a number. */
static void test_numbers(void **state)
{
    struct buffer message = { 0 };
    struct numbers numbers;
    uint64_t value;

    (void)state;
    pb_put_fixed64(&message, 6, 1);
    pb_put_fixed64(&message, 7, 99);
    pb_put_bytes(&message, 6, slice_of("\2\0\0\0\0\0\0\0xyz", 11));
    pb_put_fixed64(&message, 6, 3);
    numbers = numbers_of(buffer_slice(&message), 6, false);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(numbers_next(&numbers, &value));
        assert_int_equal(value, i);
    }
    assert_false(numbers_next(&numbers, &value));
    buffer_fini(&message);
}

/* ---- the exporter ---- */

static char output[] = "/tmp/weir_debug_exporter_XXXXXX";

static int make_output(void **state)
{
    int fd = mkstemp(output);

    (void)state;
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static int remove_output(void **state)
{
    (void)state;
    return unlink(output);
}

static struct buffer read_output(void)
{
    struct buffer content = { 0 };
    FILE *file = fopen(output, "r");
    int byte;

    while ((byte = fgetc(file)) != EOF)
        buffer_append_byte(&content, (uint8_t)byte);
    fclose(file);
    assert_int_equal(truncate(output, 0), 0);
    return content;
}

static void start(struct harness *harness, const char *more)
{
    char yaml[300];

    snprintf(yaml, sizeof(yaml), "{use_internal_logger: false, output_paths: [%s]%s}", output, more);
    harness_start(harness, &debug_exporter, yaml);
}

static size_t count_of(struct buffer *content, const char *text)
{
    size_t count = 0;

    for (const char *at = strstr(buffer_string(content), text); at != NULL; at = strstr(at + 1, text))
        count++;
    buffer_fini(content);
    return count;
}

static void test_output_paths(void **state)
{
    struct harness harness;
    struct buffer content;

    (void)state;
    start(&harness, ", verbosity: normal");
    assert_int_equal(harness_send_logs(&harness, "hello \x1b[31m\tworld", 2).verdict, VERDICT_ACCEPTED);
    harness_stop(&harness);
    content = read_output();
    assert_string_equal(buffer_string(&content), "Logs\t{\"resource logs\": 1, \"log records\": 2}\nResourceLog #0\nScopeLog #0\n"
                                                 "hello ?[31m\tworld \nhello ?[31m\tworld \n"); /* it can't steer the terminal */
    buffer_fini(&content);
}

static size_t told_of_ten(const char *more)
{
    struct harness harness;
    struct buffer content;
    int64_t second;

    do { /* all within one second of the sampler */
        start(&harness, more);
        truncate(output, 0);
        second = clock_monotonic_nanos() / NANOS_PER_SECOND;
        for (int i = 0; i < 10; i++)
            assert_int_equal(harness_send_logs(&harness, "x", 1).verdict, VERDICT_ACCEPTED);
        harness_stop(&harness);
    } while (clock_monotonic_nanos() / NANOS_PER_SECOND != second);
    content = read_output();
    return count_of(&content, "Logs\t");
}

static void test_sampling(void **state)
{
    (void)state;
    assert_int_equal(told_of_ten(""), 10);
    assert_int_equal(told_of_ten(", sampling_initial: 1, sampling_thereafter: 4"), 3);
    assert_int_equal(told_of_ten(", sampling_initial: 3, sampling_thereafter: 0"), 3);
}

static void test_internal_logger(void **state)
{
    struct harness harness;
    struct buffer content;
    int fd = open(output, O_WRONLY | O_APPEND);

    (void)state;
    log_configure(&(struct log_settings){ .level = LOG_INFO, .fd = fd });
    harness_start(&harness, &debug_exporter, "{verbosity: detailed}");
    harness_send_logs(&harness, "hello", 1);
    content = read_output();
    assert_non_null(strstr(buffer_string(&content), "exporters.test: Logs {\"resource logs\": 1, \"log records\": 1}\n"));
    assert_non_null(strstr(buffer_string(&content), "LogRecord #0\nObservedTimestamp"));
    buffer_fini(&content);
    log_configure(&(struct log_settings){ .level = LOG_INFO, .json = true, .fd = fd });
    harness_send_logs(&harness, "a \"b\"", 1);
    content = read_output();
    assert_non_null(strstr(buffer_string(&content), "Body: Str(a \\\"b\\\")\\nTrace ID"));
    assert_int_equal(count_of(&content, "\n"), 2);
    harness_stop(&harness);
    log_configure(&(struct log_settings){ .level = LOG_INFO, .fd = 2 });
    close(fd);
}

static void test_configurations_that_are_refused(void **state)
{
    struct harness harness = { 0 };

    (void)state;
    assert_false(harness_fill(&harness, &debug_exporter, "{verbosity: loud}"));
    harness_discard(&harness);
    memset(&harness, 0, sizeof(harness));
    assert_false(harness_fill(&harness, &debug_exporter, "{output_paths: [stdout]}"));
    assert_non_null(strstr(harness.err.message, "use_internal_logger"));
    harness_discard(&harness);
    memset(&harness, 0, sizeof(harness));
    assert_true(harness_fill(&harness, &debug_exporter, "{use_internal_logger: false, output_paths: [/nonexistent/x]}"));
    assert_false(debug_exporter.start(harness.exporter, &harness.err));
    debug_exporter.stop(harness.exporter);
    harness_discard(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_metrics_normal),
        cmocka_unit_test(test_metrics_detailed),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_output_paths),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_internal_logger),
        cmocka_unit_test(test_configurations_that_are_refused),
    };

    return cmocka_run_group_tests(tests, make_output, remove_output);
}
