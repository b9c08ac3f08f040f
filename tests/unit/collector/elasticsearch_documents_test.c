/* Documents of the elasticsearch exporter: from OTLP/JSON to the text of a _bulk request, in every mapping mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/wire/json.h"
#include "exporters/elasticsearch/documents.h"

#include <cmocka.h>

struct fixture {
    struct elastic_settings settings;
    struct elastic_documents documents;
    struct buffer text; /* of all requests, a "--" line behind each */
    size_t requests, documents_sent, largest;
    size_t stop_after; /* requests; 0: never */
};

static bool take(void *context, struct elastic_bulk *bulk)
{
    struct fixture *fixture = context;

    buffer_append_slice(&fixture->text, buffer_slice(&bulk->text));
    fixture->requests++;
    fixture->documents_sent += bulk->count;
    fixture->largest = bulk->text.size > fixture->largest ? bulk->text.size : fixture->largest;
    return fixture->requests != fixture->stop_after;
}

static void fixture_init(struct fixture *fixture, enum elastic_mode mode)
{
    *fixture = (struct fixture){ .settings = { .mode = mode, .request_limit = SIZE_MAX } };
    for (size_t i = 0; i < ELASTIC_MODE_COUNT; i++)
        fixture->settings.allowed[i] = true;
    fixture->documents.settings = &fixture->settings;
    fixture->documents.send = take;
    fixture->documents.context = fixture;
    fixture->documents.request_mode = mode;
}

static void fixture_fini(struct fixture *fixture)
{
    elastic_documents_fini(&fixture->documents);
    buffer_fini(&fixture->text);
}

static struct batch *batch_of(enum signal signal, const char *json)
{
    struct buffer wire = { 0 };
    struct json_error err;
    struct payload *payload;

    if (!json_read_request(signal, slice_of_string(json), &wire, &err))
        fail_msg("%s", err.message);
    payload = payload_create(wire.size + 1);
    if (wire.size > 0)
        memcpy(payload->data, wire.data, wire.size);
    payload->size = wire.size;
    buffer_fini(&wire);
    return batch_create(signal, payload, otlp_count(signal, payload_slice(payload)), NULL);
}

static bool write(struct fixture *fixture, enum signal signal, const char *json)
{
    struct batch *batch = batch_of(signal, json);
    bool whole = elastic_documents_write(&fixture->documents, batch);

    batch_settle(batch, OUTCOME_ACCEPTED);
    return whole;
}

/* One request in one mode, and the text that it must become. */
static void check(enum elastic_mode mode, enum signal signal, const char *json, const char *expected)
{
    struct fixture fixture;

    fixture_init(&fixture, mode);
    assert_true(write(&fixture, signal, json));
    assert_string_equal(buffer_string(&fixture.text), expected);
    fixture_fini(&fixture);
}

#define LOG(record) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" record "]}]}]}"
#define STRING(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INTEGER(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define DOUBLE(key, value) "{\"key\":\"" key "\",\"value\":{\"doubleValue\":" value "}}"
#define LOGS_ACTION "{\"create\":{\"_index\":\"logs-generic.otel-default\"}}\n"
#define STREAM(type) "\"data_stream\":{\"type\":\"" type "\",\"dataset\":\"generic.otel\",\"namespace\":\"default\"}"
#define LOGS_LEAD "{\"@timestamp\":\"0.0\",\"observed_timestamp\":\"0.0\"," STREAM("logs") ","
#define EMPTY_TAIL "\"resource\":{},\"scope\":{}}\n"

/* ---- mode otel ---- */

static void a_log_keeps_its_structure(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_LOGS,
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" STRING("service.name",
            "shop") "],\"droppedAttributesCount\":3},\"schemaUrl\":\"s\","
                    "\"scopeLogs\":[{\"scope\":{\"name\":\"n\",\"version\":\"v\"},\"logRecords\":[{\"timeUnixNano\":"
                    "\"1721314113467654123\",\"observedTimeUnixNano\":\"1000000\","
                    "\"severityNumber\":9,\"severityText\":\"INFO\",\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
                    "\"0102030405060708\","
                    "\"droppedAttributesCount\":2,\"eventName\":\"e\",\"body\":{\"stringValue\":\"a \\\"b\\\"\"},\"attributes\":[" INTEGER(
                        "n", "-5") "]}]}]}]}",
        LOGS_ACTION "{\"@timestamp\":\"1721314113467.654123\",\"observed_timestamp\":\"1.0\"," STREAM(
            "logs") ",\"severity_text\":\"INFO\",\"severity_number\":9,"
                    "\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"0102030405060708\",\"attributes\":{\"n\":-5},"
                    "\"dropped_attributes_count\":2,"
                    "\"event_name\":\"e\",\"resource\":{\"schema_url\":\"s\",\"attributes\":{\"service.name\":\"shop\"},\"dropped_"
                    "attributes_count\":3},"
                    "\"scope\":{\"name\":\"n\",\"version\":\"v\"},\"body\":{\"text\":\"a \\\"b\\\"\"}}\n");
}

static void times_keep_every_nanosecond(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_LOGS, LOG("{\"timeUnixNano\":\"1000000000000000007\",\"observedTimeUnixNano\":\"999999\"}"),
        LOGS_ACTION "{\"@timestamp\":\"1000000000000.000007\",\"observed_timestamp\":\"0.999999\"," STREAM("logs") "," EMPTY_TAIL);
}

static void values_of_every_kind(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_LOGS,
        LOG("{\"attributes\":[" STRING("s", "x") "," INTEGER("i", "9223372036854775807") "," DOUBLE("whole", "1") "," DOUBLE(
            "half", "0.5") "," DOUBLE("big", "1e300") "," DOUBLE("nan",
            "\"NaN\"") ",{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"none\",\"value\":{}},"
                       "{\"key\":\"bytes\",\"value\":{\"bytesValue\":\"AQL/\"}},"
                       "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"stringValue\":\"y\"}]}}},"
                       "{\"key\":\"map\",\"value\":{\"kvlistValue\":{\"values\":[" INTEGER("k", "1") "," INTEGER("k", "2") "]}}}]}"),
        LOGS_ACTION LOGS_LEAD
        "\"attributes\":{\"s\":\"x\",\"i\":9223372036854775807,\"whole\":1.0,\"half\":0.5,\"big\":1e300,\"nan\":null,\"b\":true,"
        "\"none\":null,\"bytes\":\"0102ff\",\"list\":[1,\"y\"],\"map\":{\"k\":1}}," EMPTY_TAIL);
}

static void a_key_is_written_once(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_LOGS, LOG("{\"attributes\":[" INTEGER("a", "1") "," INTEGER("b", "2") "," INTEGER("a", "3") "]}"),
        LOGS_ACTION LOGS_LEAD "\"attributes\":{\"a\":1,\"b\":2}," EMPTY_TAIL);
}

/* Beyond a few keys another way is taken. */
static void of_many_keys_each_is_written_once_too(void **state)
{
    struct fixture fixture;
    struct buffer json = { 0 };
    const char *text;
    size_t keys = 0;

    (void)state;
    buffer_append_string(&json, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"kvlistValue\":{\"values\":[");
    for (int i = 0; i < 6000; i++)
        buffer_printf(&json, "%s{\"key\":\"k%d\",\"value\":{\"intValue\":\"%d\"}}", i > 0 ? "," : "", i % 1500, i);
    buffer_append_string(&json, "]}}}]}]}]}");
    fixture_init(&fixture, ELASTIC_OTEL);
    assert_true(write(&fixture, SIGNAL_LOGS, buffer_string(&json)));
    text = buffer_string(&fixture.text);
    for (const char *at = strstr(text, "\"k"); at != NULL; at = strstr(at + 1, "\"k"))
        keys++;
    assert_int_equal(keys, 1500);
    assert_non_null(strstr(text, "\"k0\":0,"));
    assert_non_null(strstr(text, "\"k1499\":1499}"));
    fixture_fini(&fixture);
    buffer_fini(&json);
}

static void bodies_that_are_no_objects_are_wrapped(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_LOGS, LOG("{\"body\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"x\"}]}}}"),
        LOGS_ACTION LOGS_LEAD "\"resource\":{},\"scope\":{},\"body\":{\"structured\":{\"value\":[\"x\"]}}}\n");
    check(ELASTIC_OTEL, SIGNAL_LOGS,
        LOG("{\"body\":{\"arrayValue\":{\"values\":[{\"kvlistValue\":{\"values\":[" INTEGER("a", "1") "]}}]}}}"),
        LOGS_ACTION LOGS_LEAD "\"resource\":{},\"scope\":{},\"body\":{\"structured\":[{\"a\":1}]}}\n");
    check(ELASTIC_OTEL, SIGNAL_LOGS, LOG("{\"body\":{\"intValue\":\"7\"}}"),
        LOGS_ACTION LOGS_LEAD "\"resource\":{},\"scope\":{},\"body\":{\"text\":7}}\n");
}

static void two_halves_make_a_place(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_LOGS,
        LOG("{\"attributes\":[" DOUBLE("geo.location.lat", "2") "," DOUBLE("geo.location.lon", "1") "," DOUBLE("x.geo.location.lon",
            "3") "," DOUBLE("y.geo.location.lat", "4") "," DOUBLE("y.geo.location.lon", "5") "," DOUBLE("zgeo.location.lat", "6") "]}"),
        LOGS_ACTION LOGS_LEAD "\"attributes\":{\"geo.location\":[1.0,2.0],\"x.geo.location.lon\":3.0,\"y.geo.location\":[5.0,4.0],"
                              "\"zgeo.location.lat\":6.0}," EMPTY_TAIL);
}

static void attributes_that_route_are_no_part_of_the_document(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_LOGS,
        LOG("{\"attributes\":[" STRING("data_stream.dataset", "Web-Shop") "," STRING("data_stream.namespace", "pro/d") "," STRING(
            "x", "y") "]}"),
        "{\"create\":{\"_index\":\"logs-web_shop.otel-pro_d\"}}\n{\"@timestamp\":\"0.0\",\"observed_timestamp\":\"0.0\",\"data_stream\":{"
        "\"type\":\"logs\","
        "\"dataset\":\"web_shop.otel\",\"namespace\":\"pro_d\"},\"attributes\":{\"x\":\"y\"}," EMPTY_TAIL);
    check(ELASTIC_OTEL, SIGNAL_LOGS, LOG("{\"attributes\":[" STRING("elasticsearch.index", "mine") "]}"),
        "{\"create\":{\"_index\":\"mine\"}}\n{\"@timestamp\":\"0.0\",\"observed_timestamp\":\"0.0\",\"attributes\":{}," EMPTY_TAIL);
}

static void a_span_and_its_event(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_TRACES,
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
        "\"0102030405060708\","
        "\"parentSpanId\":\"1102030405060708\",\"traceState\":\"a=b\",\"name\":\"GET\",\"kind\":3,\"startTimeUnixNano\":\"5000000\","
        "\"endTimeUnixNano\":\"5000250\","
        "\"status\":{\"code\":2,\"message\":\"bad\"},\"links\":[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
        "\"0102030405060708\"}],"
        "\"attributes\":[" STRING("k", "v") "],\"events\":[{\"name\":\"ev\",\"timeUnixNano\":\"5000001\",\"attributes\":[" INTEGER(
            "n", "1") "]}]}]}]}]}",
        "{\"create\":{\"_index\":\"traces-generic.otel-default\"}}\n{\"@timestamp\":\"5.0\"," STREAM(
            "traces") ","
                      "\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"0102030405060708\",\"trace_state\":\"a=b\",\"parent_"
                      "span_id\":\"1102030405060708\","
                      "\"name\":\"GET\",\"kind\":\"Client\",\"duration\":250,\"attributes\":{\"k\":\"v\"},"
                      "\"links\":[{\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"0102030405060708\"}],"
                      "\"status\":{\"message\":\"bad\",\"code\":\"Error\"}," EMPTY_TAIL LOGS_ACTION
                      "{\"@timestamp\":\"5.000001\"," STREAM("logs") ","
                                                                     "\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":"
                                                                     "\"0102030405060708\",\"event_name\":\"ev\","
                                                                     "\"attributes\":{\"n\":1,\"event.name\":\"ev\"}," EMPTY_TAIL);
}

/* ---- metrics ---- */

#define METRICS(resource, metrics) "{\"resource\":{\"attributes\":[" resource "]},\"scopeMetrics\":[{\"metrics\":[" metrics "]}]}"
#define GAUGE(name, points) "{\"name\":\"" name "\",\"gauge\":{\"dataPoints\":[" points "]}}"
#define METRICS_ACTION(templates) "{\"create\":{\"_index\":\"metrics-generic.otel-default\",\"dynamic_templates\":{" templates "}}}\n"

static size_t documents_of(enum elastic_mode mode, const char *groups)
{
    struct fixture fixture;
    char *json;
    size_t count;

    assert_true(asprintf(&json, "{\"resourceMetrics\":[%s]}", groups) > 0);
    fixture_init(&fixture, mode);
    assert_true(write(&fixture, SIGNAL_METRICS, json));
    count = fixture.documents_sent;
    fixture_fini(&fixture);
    free(json);
    return count;
}

static void points_of_one_moment_are_one_document(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_METRICS,
        "{\"resourceMetrics\":[" METRICS("", GAUGE("b", "{\"asInt\":\"2\",\"timeUnixNano\":\"1000000\"}") "," GAUGE(
                                                 "a", "{\"asDouble\":1,\"timeUnixNano\":\"1000000\"}")) "]}",
        METRICS_ACTION("\"metrics.a\":\"gauge_double\",\"metrics.b\":\"gauge_long\"") "{\"@timestamp\":\"1.0\"," STREAM(
            "metrics") ",\"resource\":{},\"scope\":{},\"metrics\":{\"a\":1.0,\"b\":2},\"_metric_names_hash\":\"4d2505ca\"}\n");
}

static void what_tells_documents_apart(void **state)
{
    (void)state;
    /* equal resources in two groups, kinds of metrics, and the order of attributes do not */
    assert_int_equal(documents_of(ELASTIC_OTEL, METRICS(STRING("r", "1"), GAUGE("a", "{\"asInt\":\"1\"}")) "," METRICS(STRING("r", "1"),
                                                    "{\"name\":\"s\",\"summary\":{\"dataPoints\":[{\"count\":\"1\",\"sum\":1}]}}")),
        1);
    assert_int_equal(documents_of(ELASTIC_OTEL,
                         METRICS("", GAUGE("a", "{\"asInt\":\"1\",\"attributes\":[" STRING("x", "1") "," STRING("y", "2") "]}") "," GAUGE(
                                         "b", "{\"asInt\":\"1\",\"attributes\":[" STRING("y", "2") "," STRING("x", "1") "]}"))),
        1);
    /* resource, time, start time, attributes and unit do */
    assert_int_equal(documents_of(ELASTIC_OTEL, METRICS(STRING("r", "1"), GAUGE("a", "{\"asInt\":\"1\"}")) "," METRICS(
                                                    STRING("r", "2"), GAUGE("b", "{\"asInt\":\"1\"}"))),
        2);
    assert_int_equal(documents_of(ELASTIC_OTEL, METRICS("", GAUGE("a", "{\"asInt\":\"1\"},{\"asInt\":\"1\",\"timeUnixNano\":\"1\"}"))), 2);
    assert_int_equal(
        documents_of(ELASTIC_OTEL, METRICS("", GAUGE("a", "{\"asInt\":\"1\"},{\"asInt\":\"1\",\"startTimeUnixNano\":\"1\"}"))), 2);
    assert_int_equal(
        documents_of(ELASTIC_OTEL, METRICS("", GAUGE("a", "{\"asInt\":\"1\"},{\"asInt\":\"1\",\"attributes\":[" STRING("x", "1") "]}"))),
        2);
    assert_int_equal(
        documents_of(ELASTIC_OTEL,
            METRICS("", GAUGE("a", "{\"asInt\":\"1\"}") ",{\"name\":\"b\",\"unit\":\"s\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"1\"}]}}")),
        2);
    /* mode ecs has neither start time nor unit */
    assert_int_equal(
        documents_of(ELASTIC_ECS, METRICS("", GAUGE("a", "{\"asInt\":\"1\"}") ",{\"name\":\"b\",\"unit\":\"s\",\"gauge\":{\"dataPoints\":[{"
                                                                              "\"asInt\":\"1\",\"startTimeUnixNano\":\"1\"}]}}")),
        1);
}

static void many_groups_are_all_found_again(void **state)
{
    struct fixture fixture;
    struct buffer json = { 0 };

    (void)state;
    buffer_append_string(&json, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[");
    for (int metric = 0; metric < 3; metric++) {
        buffer_printf(&json, "%s{\"name\":\"m%d\",\"gauge\":{\"dataPoints\":[", metric > 0 ? "," : "", metric);
        for (int point = 0; point < 1000; point++)
            buffer_printf(&json, "%s{\"asInt\":\"1\",\"timeUnixNano\":\"%d\"}", point > 0 ? "," : "", point);
        buffer_append_string(&json, "]}}");
    }
    buffer_append_string(&json, "]}]}]}");
    fixture_init(&fixture, ELASTIC_OTEL);
    assert_true(write(&fixture, SIGNAL_METRICS, buffer_string(&json)));
    assert_int_equal(fixture.documents_sent, 1000);
    assert_int_equal(fixture.documents.left_out, 0);
    fixture_fini(&fixture);
    buffer_fini(&json);
}

#define ONE_METRIC(body) "{\"resourceMetrics\":[" METRICS("", "{\"name\":\"m\"," body "}") "]}"
#define METRIC_LINES(template, value)                                                                                                      \
    METRICS_ACTION("\"metrics.m\":\"" template "\"")                                                                                       \
    "{\"@timestamp\":\"0.0\"," STREAM("metrics") ",\"resource\":{},\"scope\":{},\"metrics\":{\"m\":" value                                 \
                                                 "},\"_metric_names_hash\":\"e80c2f78\"}\n"

static void values_and_templates_of_every_kind(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_METRICS,
        ONE_METRIC("\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":2,\"dataPoints\":[{\"asInt\":\"3\"}]}"),
        METRIC_LINES("counter_long", "3"));
    check(ELASTIC_OTEL, SIGNAL_METRICS,
        ONE_METRIC("\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":1,\"dataPoints\":[{\"asDouble\":3}]}"),
        METRIC_LINES("gauge_double", "3.0"));
    check(ELASTIC_OTEL, SIGNAL_METRICS,
        ONE_METRIC("\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"count\":\"6\",\"sum\":9,\"bucketCounts\":[\"1\",\"0\","
                   "\"2\",\"3\"],\"explicitBounds\":[-2,0,4]}]}"),
        METRIC_LINES("histogram", "{\"counts\":[1,2,3],\"values\":[-2.0,2.0,4.0]}"));
    check(ELASTIC_OTEL, SIGNAL_METRICS,
        ONE_METRIC("\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"count\":\"4\",\"sum\":10}]}"),
        METRIC_LINES("histogram", "{\"counts\":[4],\"values\":[2.5]}"));
    check(ELASTIC_OTEL, SIGNAL_METRICS,
        ONE_METRIC("\"exponentialHistogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"count\":\"6\",\"zeroCount\":\"1\","
                   "\"positive\":{\"offset\":1,\"bucketCounts\":[\"2\",\"0\",\"1\"]},"
                   "\"negative\":{\"offset\":0,\"bucketCounts\":[\"1\",\"1\"]}}]}"),
        METRIC_LINES("histogram", "{\"counts\":[1,1,1,2,1],\"values\":[-3.0,-1.5,0.0,3.0,12.0]}"));
    check(ELASTIC_OTEL, SIGNAL_METRICS, ONE_METRIC("\"summary\":{\"dataPoints\":[{\"count\":\"2\",\"sum\":3.5}]}"),
        METRIC_LINES("summary", "{\"sum\":3.5,\"value_count\":2}"));
}

#define HINTS(hint)                                                                                                                        \
    "\"attributes\":[{\"key\":\"elasticsearch.mapping.hints\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"" hint "\"}]}}}]"

static void hints_change_how_a_point_is_stored(void **state)
{
    (void)state;
    check(ELASTIC_OTEL, SIGNAL_METRICS,
        ONE_METRIC("\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"count\":\"4\",\"sum\":10," HINTS(
            "aggregate_metric_double") "}]}"),
        METRICS_ACTION("\"metrics.m\":\"summary\"") "{\"@timestamp\":\"0.0\"," STREAM(
            "metrics") ",\"attributes\":{},\"resource\":{},\"scope\":{},"
                       "\"metrics\":{\"m\":{\"sum\":10.0,\"value_count\":4}},\"_metric_names_hash\":\"e80c2f78\"}\n");
    check(ELASTIC_OTEL, SIGNAL_METRICS, ONE_METRIC("\"summary\":{\"dataPoints\":[{\"count\":\"9\",\"sum\":1," HINTS("_doc_count") "}]}"),
        METRICS_ACTION("\"metrics.m\":\"summary\"") "{\"@timestamp\":\"0.0\"," STREAM(
            "metrics") ",\"attributes\":{},\"resource\":{},\"scope\":{},"
                       "\"metrics\":{\"m\":{\"sum\":1.0,\"value_count\":9}},\"_doc_count\":9,\"_metric_names_hash\":\"e80c2f78\"}\n");
}

static void points_without_a_value_are_left_out_and_counted(void **state)
{
    static const char beyond[] = "\"exponentialHistogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"scale\":-20,"
                                 "\"positive\":{\"offset\":2000000000,\"bucketCounts\":[\"1\"]}}]}";
    static const char *const bodies[] = {
        "\"gauge\":{\"dataPoints\":[{\"asDouble\":\"NaN\"}]}",
        "\"gauge\":{\"dataPoints\":[{\"asDouble\":\"-Infinity\"}]}",
        "\"gauge\":{\"dataPoints\":[{\"flags\":1}]}",
        "\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"bucketCounts\":[\"1\",\"2\"],\"explicitBounds\":[1,2]}]}",
        "\"histogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"explicitBounds\":[1,2]}]}",
        "\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"count\":\"1\",\"sum\":1}]}",
        "\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"count\":\"1\"}]}",
        beyond,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct fixture fixture;
        char json[400];

        snprintf(json, sizeof(json), "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",%s}]}]}]}", bodies[i]);
        fixture_init(&fixture, ELASTIC_OTEL);
        assert_true(write(&fixture, SIGNAL_METRICS, json));
        assert_int_equal(fixture.requests, 0);
        assert_int_equal(fixture.documents.left_out, 1);
        fixture_fini(&fixture);
    }
}

static void of_two_points_of_one_metric_the_first_is_kept(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, ELASTIC_OTEL);
    assert_true(
        write(&fixture, SIGNAL_METRICS, "{\"resourceMetrics\":[" METRICS("", GAUGE("m", "{\"asInt\":\"1\"},{\"asInt\":\"2\"}")) "]}"));
    assert_non_null(strstr(buffer_string(&fixture.text), "\"metrics\":{\"m\":1}"));
    assert_int_equal(fixture.documents.left_out, 1);
    assert_string_equal(fixture.documents.why, "repeated_metric");
    fixture_fini(&fixture);
}

/* ---- the other modes ---- */

static void mode_none_is_flat(void **state)
{
    (void)state;
    check(ELASTIC_NONE, SIGNAL_LOGS,
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" STRING("r",
            "1") "]},\"scopeLogs\":[{\"scope\":{\"name\":\"n\"},\"logRecords\":["
                 "{\"timeUnixNano\":\"1681873445000000006\",\"severityNumber\":5,\"body\":{\"stringValue\":\"b\"},\"attributes\":[" STRING(
                     "a", "x") "]}]}]}]}",
        "{\"create\":{\"_index\":\"logs-generic-default\"}}\n"
        "{\"@timestamp\":\"2023-04-19T03:04:05.000000006Z\",\"Attributes.a\":\"x\",\"Body\":\"b\",\"Resource.r\":\"1\",\"Scope.name\":"
        "\"n\",\"Scope.version\":\"\","
        "\"SeverityNumber\":5,\"TraceFlags\":0}\n");
}

static void mode_raw_has_no_prefixes(void **state)
{
    (void)state;
    check(ELASTIC_RAW, SIGNAL_TRACES,
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"n\",\"kind\":2,\"startTimeUnixNano\":\"0\",\"endTimeUnixNano\":"
        "\"5000\","
        "\"attributes\":[" STRING("a", "x") "],\"events\":[{\"name\":\"e\",\"timeUnixNano\":\"1000\",\"attributes\":[" STRING(
            "b", "y") "]}],"
                      "\"links\":[{\"spanId\":\"0102030405060708\"}]}]}]}]}",
        "{\"create\":{\"_index\":\"traces-generic-default\"}}\n"
        "{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"Duration\":5,\"EndTimestamp\":\"1970-01-01T00:00:00.000005000Z\",\"Kind\":"
        "\"SPAN_KIND_SERVER\","
        "\"Link\":\"[{\\\"attribute\\\":{},\\\"spanID\\\":\\\"0102030405060708\\\",\\\"traceID\\\":\\\"\\\"}]\",\"Name\":\"n\",\"Scope."
        "name\":\"\",\"Scope.version\":\"\","
        "\"TraceStatus\":0,\"a\":\"x\",\"data_stream.dataset\":\"generic\",\"data_stream.namespace\":\"default\",\"data_stream.type\":"
        "\"traces\",\"e.b\":\"y\","
        "\"e.time\":\"1970-01-01T00:00:00.000001000Z\"}\n");
}

static void mode_ecs_translates_and_nests(void **state)
{
    (void)state;
    check(ELASTIC_ECS, SIGNAL_LOGS,
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" STRING("service.name", "s") "," STRING("k8s.pod.name", "p") "," STRING(
            "host.name", "h") "," STRING("telemetry.sdk.name", "opentelemetry") "," STRING("os.type",
            "darwin") "]},\"scopeLogs\":[{\"logRecords\":["
                      "{\"timeUnixNano\":\"951782400000000000\",\"severityText\":\"WARN\",\"body\":{\"stringValue\":\"b\"},\"attributes\":"
                      "[" STRING("event.name", "login") "]}]}]}]}",
        "{\"create\":{\"_index\":\"logs-generic-default\"}}\n"
        "{\"@timestamp\":\"2000-02-29T00:00:00.000000000Z\",\"agent\":{\"name\":\"opentelemetry\"},"
        "\"data_stream\":{\"dataset\":\"generic\",\"namespace\":\"default\",\"type\":\"logs\"},\"event\":{\"action\":\"login\"},"
        "\"host\":{\"hostname\":\"h\",\"name\":\"h\",\"os\":{\"platform\":\"darwin\",\"type\":\"macos\"}},\"kubernetes\":{\"pod\":{"
        "\"name\":\"p\"}},"
        "\"log\":{\"level\":\"WARN\"},\"message\":\"b\",\"service\":{\"name\":\"s\"}}\n");
}

static void mode_ecs_keeps_a_body_that_is_no_text(void **state)
{
    (void)state;
    check(ELASTIC_ECS, SIGNAL_LOGS,
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"kvlistValue\":{\"values\":[" STRING("a", "b") "]}}},{}]}]}]}",
        "{\"create\":{\"_index\":\"logs-generic-default\"}}\n"
        "{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"agent\":{\"name\":\"otlp\"},"
        "\"data_stream\":{\"dataset\":\"generic\",\"namespace\":\"default\",\"type\":\"logs\"},\"message\":\"{\\\"a\\\":\\\"b\\\"}\"}\n"
        "{\"create\":{\"_index\":\"logs-generic-default\"}}\n"
        "{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"agent\":{\"name\":\"otlp\"},"
        "\"data_stream\":{\"dataset\":\"generic\",\"namespace\":\"default\",\"type\":\"logs\"}}\n");
}

static void mode_ecs_of_spans(void **state)
{
    (void)state;
    check(ELASTIC_ECS, SIGNAL_TRACES,
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
        "\"0102030405060708\",\"name\":\"n\",\"kind\":3,"
        "\"status\":{\"code\":1},\"startTimeUnixNano\":\"0\",\"endTimeUnixNano\":\"7\",\"attributes\":[" STRING(
            "db.system", "mysql") "," STRING("messaging.destination.name", "q") "],\"links\":[{\"spanId\":\"1102030405060708\"}]}]}]}]}",
        "{\"create\":{\"_index\":\"traces-generic-default\"}}\n"
        "{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"data_stream\":{\"dataset\":\"generic\",\"namespace\":\"default\",\"type\":"
        "\"traces\"},"
        "\"event\":{\"duration\":7,\"outcome\":\"success\"},\"span\":{\"db\":{\"type\":\"mysql\"},\"id\":\"0102030405060708\",\"kind\":"
        "\"CLIENT\","
        "\"links\":[{\"span\":{\"id\":\"1102030405060708\"}}],\"message\":{\"queue\":{\"name\":\"q\"}},\"name\":\"n\"},"
        "\"trace\":{\"id\":\"0102030405060708090a0b0c0d0e0f10\"}}\n");
}

static void a_name_that_is_also_a_beginning_gets_value(void **state)
{
    (void)state;
    check(ELASTIC_ECS, SIGNAL_LOGS,
        LOG("{\"attributes\":[" STRING("a.b", "2") "," STRING("a", "1") "," STRING("a-b", "3") "," STRING("a.b.c", "4") "," STRING(
            "elasticsearch.index", "i") "]}"),
        "{\"create\":{\"_index\":\"i\"}}\n{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"a-b\":\"3\",\"a\":{\"b\":{\"c\":\"4\","
        "\"value\":\"2\"},\"value\":\"1\"},"
        "\"agent\":{\"name\":\"otlp\"}}\n");
}

static void the_last_of_equal_names_counts_and_maps_are_taken_apart(void **state)
{
    (void)state;
    check(ELASTIC_ECS, SIGNAL_LOGS,
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" STRING("x.y", "resource") "," STRING("elasticsearch.index",
            "i") "]},\"scopeLogs\":[{\"logRecords\":["
                 "{\"attributes\":[{\"key\":\"x\",\"value\":{\"kvlistValue\":{\"values\":[" STRING(
                     "y", "record") "]}}},"
                                    "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"kvlistValue\":{\"values\":[" INTEGER(
                                        "q.r", "1") "," INTEGER("q", "2") "]}},{\"kvlistValue\":{}}]}}},"
                                                                          "{\"key\":\"empty\",\"value\":{\"arrayValue\":{}}}]}]}]}]}",
        "{\"create\":{\"_index\":\"i\"}}\n{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"agent\":{\"name\":\"otlp\"},"
        "\"list\":[{\"q\":{\"r\":1,\"value\":2}},null],\"x\":{\"y\":\"record\"}}\n");
}

static void mode_bodymap_is_the_body(void **state)
{
    struct fixture fixture;

    (void)state;
    check(ELASTIC_BODYMAP, SIGNAL_LOGS,
        LOG("{\"body\":{\"kvlistValue\":{\"values\":[" INTEGER("a", "1") "]}},\"attributes\":[" STRING("data_stream.type", "metrics") "]}"),
        "{\"create\":{\"_index\":\"metrics-generic-default\"}}\n{\"a\":1}\n");
    fixture_init(&fixture, ELASTIC_BODYMAP);
    assert_true(write(&fixture, SIGNAL_LOGS,
        LOG("{\"body\":{\"stringValue\":\"text\"}},{\"attributes\":[" STRING("data_stream.type", "synthetics") "]}")));
    assert_int_equal(fixture.requests, 0);
    assert_int_equal(fixture.documents.left_out, 2);
    fixture_fini(&fixture);
}

static void modes_without_a_signal_leave_it_out(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, ELASTIC_NONE);
    assert_true(
        write(&fixture, SIGNAL_METRICS, "{\"resourceMetrics\":[" METRICS("", GAUGE("m", "{\"asInt\":\"1\"},{\"asInt\":\"2\"}")) "]}"));
    assert_int_equal(fixture.documents.left_out, 2);
    fixture_fini(&fixture);
    fixture_init(&fixture, ELASTIC_BODYMAP);
    assert_true(write(&fixture, SIGNAL_TRACES, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{},{}]}]}]}"));
    assert_int_equal(fixture.documents.left_out, 2);
    fixture_fini(&fixture);
}

/* ---- requests ---- */

static void full_requests_are_sent_and_stopping_stops(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, ELASTIC_OTEL);
    fixture.settings.request_limit = 500;
    assert_true(write(&fixture, SIGNAL_LOGS, LOG("{},{},{},{},{},{},{},{},{},{}")));
    assert_int_equal(fixture.documents_sent, 10);
    assert_int_equal(fixture.requests, 4);
    assert_true(fixture.largest < 900);
    fixture.stop_after = 6;
    assert_false(write(&fixture, SIGNAL_LOGS, LOG("{},{},{},{},{},{},{},{},{},{}")));
    assert_int_equal(fixture.requests, 6);
    fixture_fini(&fixture);
}

static void what_requires_a_data_stream_goes_by_itself(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, ELASTIC_OTEL);
    assert_true(write(&fixture, SIGNAL_LOGS,
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]},{\"scope\":{\"attributes\":[" STRING("elastic.mapping.mode",
            "ECS") "]},\"logRecords\":[{}]},"
                   "{\"scope\":{\"attributes\":[" STRING("elastic.mapping.mode", "unheard of") "]},\"logRecords\":[{}]}]}]}"));
    assert_int_equal(fixture.requests, 3);
    fixture_fini(&fixture);
}

static void ids_and_pipelines_come_from_attributes_when_asked(void **state)
{
    static const char json[] =
        LOG("{\"attributes\":[" STRING("elasticsearch.document_id", "i\\\"d") "," INTEGER("elasticsearch.ingest_pipeline", "7") "]}");
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, ELASTIC_OTEL);
    fixture.settings.dynamic_id = fixture.settings.dynamic_pipeline = true;
    assert_true(write(&fixture, SIGNAL_LOGS, json));
    assert_string_equal(buffer_string(&fixture.text),
        "{\"create\":{\"_index\":\"logs-generic.otel-default\",\"_id\":\"i\\\"d\",\"pipeline\":\"7\"}}\n" LOGS_LEAD
        "\"attributes\":{}," EMPTY_TAIL);
    fixture_fini(&fixture);
    check(ELASTIC_OTEL, SIGNAL_LOGS, json, LOGS_ACTION LOGS_LEAD "\"attributes\":{}," EMPTY_TAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_keeps_its_structure),
        cmocka_unit_test(times_keep_every_nanosecond),
        cmocka_unit_test(values_of_every_kind),
        cmocka_unit_test(a_key_is_written_once),
        cmocka_unit_test(of_many_keys_each_is_written_once_too),
        cmocka_unit_test(bodies_that_are_no_objects_are_wrapped),
        cmocka_unit_test(two_halves_make_a_place),
        cmocka_unit_test(attributes_that_route_are_no_part_of_the_document),
        cmocka_unit_test(a_span_and_its_event),
        cmocka_unit_test(points_of_one_moment_are_one_document),
        cmocka_unit_test(what_tells_documents_apart),
        cmocka_unit_test(many_groups_are_all_found_again),
        cmocka_unit_test(values_and_templates_of_every_kind),
        cmocka_unit_test(hints_change_how_a_point_is_stored),
        cmocka_unit_test(points_without_a_value_are_left_out_and_counted),
        cmocka_unit_test(of_two_points_of_one_metric_the_first_is_kept),
        cmocka_unit_test(mode_none_is_flat),
        cmocka_unit_test(mode_raw_has_no_prefixes),
        cmocka_unit_test(mode_ecs_translates_and_nests),
        cmocka_unit_test(mode_ecs_keeps_a_body_that_is_no_text),
        cmocka_unit_test(mode_ecs_of_spans),
        cmocka_unit_test(a_name_that_is_also_a_beginning_gets_value),
        cmocka_unit_test(the_last_of_equal_names_counts_and_maps_are_taken_apart),
        cmocka_unit_test(mode_bodymap_is_the_body),
        cmocka_unit_test(modes_without_a_signal_leave_it_out),
        cmocka_unit_test(full_requests_are_sent_and_stopping_stops),
        cmocka_unit_test(what_requires_a_data_stream_goes_by_itself),
        cmocka_unit_test(ids_and_pipelines_come_from_attributes_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
