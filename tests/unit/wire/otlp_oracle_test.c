/*
 * The wire core against protobuf-c on random requests: the check accepts and counts them, walk and views see the same fields,
 * and what the check accepts of damaged bytes protobuf-c can read too.
 *
 * Differences that are meant: protobuf-c takes strings that are not UTF-8, ids of any length, any nesting, and field number 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/wire/otlp.h"
#include "tests/unit/wire/otlp_oracle.h"

typedef Opentelemetry__Proto__Common__V1__AnyValue PbAnyValue;
typedef Opentelemetry__Proto__Common__V1__KeyValue PbKeyValue;
typedef Opentelemetry__Proto__Trace__V1__Span PbSpan;
typedef Opentelemetry__Proto__Logs__V1__LogRecord PbLog;
typedef Opentelemetry__Proto__Metrics__V1__Metric PbMetric;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint PbNumberPoint;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint PbHistogramPoint;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint PbExponentialPoint;
typedef Opentelemetry__Proto__Metrics__V1__SummaryDataPoint PbSummaryPoint;

/* ---- the check ---- */

static void test_random_requests_are_accepted_and_counted(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct random_otlp random = { .state = seed, .max_children = 2 + seed % 4, .with_unknown = seed % 2 == 0 };
        enum signal signal = (enum signal)(seed % SIGNAL_COUNT);
        struct buffer packed = { 0 };
        ProtobufCMessage *request = random_message(&random, request_descriptor(signal));
        struct slice payload = pack_message(request, &packed);
        struct otlp_check check = otlp_check(signal, payload);
        assert_int_equal(check.fault, OTLP_OK);
        assert_int_equal(check.records, oracle_count(request));
        assert_int_equal(check.groups, oracle_list(request, 1).count);
        assert_int_equal(otlp_count(signal, payload), check.records);
        buffer_fini(&packed);
        arena_fini(&random.arena);
    }
}

/* The check must not depend on what lies behind a field: the same bytes, at the payload's end and before an unknown field. */
static void compare_with_padding(enum signal signal, struct slice payload, const struct otlp_check *check)
{
    static const uint8_t padding[300];
    struct buffer padded = { 0 };

    buffer_append_slice(&padded, payload);
    pb_put_bytes(&padded, 100, slice_of(padding, sizeof(padding)));
    struct otlp_check other = otlp_check(signal, buffer_slice(&padded));
    assert_int_equal(other.fault, check->fault);
    assert_int_equal(other.records, check->records);
    buffer_fini(&padded);
}

static void test_every_cut_is_refused_or_agrees(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct random_otlp random = { .state = seed, .max_children = 3, .with_unknown = seed % 2 == 0 };
        enum signal signal = (enum signal)(seed % SIGNAL_COUNT);
        struct buffer packed = { 0 };
        struct slice payload = random_payload(&random, signal, &packed);
        for (size_t size = 0; size < payload.size; size++) {
            struct slice cut = { payload.data, size };
            struct otlp_check check = otlp_check(signal, cut);
            ProtobufCMessage *request = unpack_request(signal, cut);
            assert_int_equal(check.fault, request != NULL ? OTLP_OK : OTLP_BAD_FRAMING);
            assert_true(request == NULL || check.records == oracle_count(request));
            protobuf_c_message_free_unpacked(request, NULL);
        }
        buffer_fini(&packed);
        arena_fini(&random.arena);
    }
}

static void check_repaired(enum signal signal, struct slice payload, const struct otlp_check *check)
{
    struct buffer repaired = { 0 };

    assert_true(otlp_repair(signal, payload, &repaired) > 0);
    struct otlp_check again = otlp_check(signal, buffer_slice(&repaired));
    assert_int_equal(again.fault, OTLP_OK);
    assert_int_equal(again.records, check->records);
    buffer_fini(&repaired);
}

static void check_damaged(enum signal signal, struct slice payload)
{
    struct otlp_check check = otlp_check(signal, payload);

    if (check.fault == OTLP_BAD_UTF8)
        check_repaired(signal, payload, &check);
    if (check.fault == OTLP_OK || check.fault == OTLP_BAD_UTF8) {
        ProtobufCMessage *request = unpack_request(signal, payload);
        assert_non_null(request);
        protobuf_c_message_free_unpacked(request, NULL);
        assert_int_equal(otlp_count(signal, payload), check.records);
        compare_with_padding(signal, payload, &check);
    }
}

static void test_accepted_damage_can_be_unpacked(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct random_otlp random = { .state = seed, .max_children = 3, .with_unknown = seed % 3 == 0 };
        enum signal signal = (enum signal)(seed % SIGNAL_COUNT);
        struct buffer packed = { 0 };
        struct slice payload = random_payload(&random, signal, &packed);
        for (size_t i = 0; i < 200 && payload.size > 0; i++) {
            uint8_t *byte = &packed.data[random_below(&random, payload.size)];
            uint8_t old = *byte;
            uint64_t flip = random_chance(&random, 50) ? UINT64_C(1) << random_below(&random, 8) : random_bits(&random);
            *byte = (uint8_t)(old ^ flip);
            check_damaged(signal, payload);
            if (random_chance(&random, 80))
                *byte = old;
        }
        buffer_fini(&packed);
        arena_fini(&random.arena);
    }
}

/* ---- views ---- */

static void same_text(struct slice view, const char *text)
{
    assert_true(slice_equal_string(view, text));
}

static void same_bytes(struct slice view, ProtobufCBinaryData bytes)
{
    assert_true(slice_equal(view, slice_of(bytes.data, bytes.len)));
}

static void same_attributes(struct slice message, enum otlp_attributes_field field, PbKeyValue *const *expected, size_t count);

static void same_array(struct slice array, const Opentelemetry__Proto__Common__V1__ArrayValue *expected);

static void same_value(const struct otlp_value *value, const PbAnyValue *expected)
{
    if (expected == NULL) {
        assert_int_equal(value->kind, OTLP_VALUE_EMPTY);
        return;
    }
    assert_int_equal(value->kind, expected->value_case);
    switch (value->kind) {
    case OTLP_VALUE_EMPTY:
        break;
    case OTLP_VALUE_STRING:
        same_text(value->bytes, expected->string_value);
        break;
    case OTLP_VALUE_BOOL:
        assert_int_equal(value->integer, expected->bool_value);
        break;
    case OTLP_VALUE_INT:
        assert_true(value->integer == expected->int_value);
        break;
    case OTLP_VALUE_DOUBLE:
        assert_memory_equal(&value->number, &expected->double_value, sizeof(double));
        break;
    case OTLP_VALUE_ARRAY:
        same_array(value->bytes, expected->array_value);
        break;
    case OTLP_VALUE_MAP:
        same_attributes(value->bytes, OTLP_ATTRIBUTES_OF_MAP, expected->kvlist_value->values, expected->kvlist_value->n_values);
        break;
    case OTLP_VALUE_BYTES:
        same_bytes(value->bytes, expected->bytes_value);
        break;
    }
}

static void same_array(struct slice array, const Opentelemetry__Proto__Common__V1__ArrayValue *expected)
{
    struct pb_reader reader = pb_reader_of(array);
    struct pb_field field;
    size_t count = 0;

    while (pb_next(&reader, &field)) {
        if (field.number != 1)
            continue;
        struct otlp_value value = otlp_value_of(field.bytes);
        assert_true(count < expected->n_values);
        same_value(&value, expected->values[count++]);
    }
    assert_int_equal(count, expected->n_values);
}

static void same_attributes(struct slice message, enum otlp_attributes_field field, PbKeyValue *const *expected, size_t count)
{
    struct otlp_attributes attributes = otlp_attributes(message, field);
    struct otlp_attribute attribute;
    struct otlp_value found;

    for (size_t i = 0; i < count; i++) {
        assert_true(otlp_next_attribute(&attributes, &attribute));
        same_text(attribute.key, expected[i]->key);
        same_value(&attribute.value, expected[i]->value);
        size_t first = 0;
        while (strcmp(expected[first]->key, expected[i]->key) != 0)
            first++;
        assert_true(otlp_find_attribute(message, field, attribute.key, &found));
        same_value(&found, expected[first]->value);
    }
    assert_false(otlp_next_attribute(&attributes, &attribute));
    assert_false(otlp_find_attribute(message, field, SLICE("no such key"), &found));
}

static void same_span(struct slice body, const PbSpan *expected)
{
    struct otlp_span span;

    otlp_span_view(body, &span);
    same_bytes(span.trace_id, expected->trace_id);
    same_bytes(span.span_id, expected->span_id);
    same_bytes(span.parent_span_id, expected->parent_span_id);
    same_text(span.trace_state, expected->trace_state);
    same_text(span.name, expected->name);
    assert_true(span.start_time == expected->start_time_unix_nano && span.end_time == expected->end_time_unix_nano);
    assert_int_equal(span.flags, expected->flags);
    assert_int_equal(span.kind, expected->kind);
    assert_int_equal(span.status_code, expected->status != NULL ? (int)expected->status->code : 0);
    same_text(span.status_message, expected->status != NULL ? expected->status->message : "");
    assert_int_equal(span.dropped_attributes, expected->dropped_attributes_count);
    assert_int_equal(span.dropped_events, expected->dropped_events_count);
    assert_int_equal(span.dropped_links, expected->dropped_links_count);
    same_attributes(body, OTLP_ATTRIBUTES_OF_SPAN, expected->attributes, expected->n_attributes);
}

static void same_log(struct slice body, const PbLog *expected)
{
    struct otlp_log log;

    otlp_log_view(body, &log);
    assert_true(log.time == expected->time_unix_nano && log.observed_time == expected->observed_time_unix_nano);
    assert_int_equal(log.severity_number, (uint32_t)expected->severity_number);
    same_text(log.severity_text, expected->severity_text);
    assert_int_equal(log.flags, expected->flags);
    assert_int_equal(log.dropped_attributes, expected->dropped_attributes_count);
    same_bytes(log.trace_id, expected->trace_id);
    same_bytes(log.span_id, expected->span_id);
    same_text(log.event_name, expected->event_name);
    struct otlp_value value = otlp_value_of(log.value);
    same_value(&value, expected->body);
    same_attributes(body, OTLP_ATTRIBUTES_OF_LOG, expected->attributes, expected->n_attributes);
}

static void same_number_point(const struct otlp_point *point, const PbNumberPoint *expected)
{
    assert_true(point->start_time == expected->start_time_unix_nano && point->time == expected->time_unix_nano);
    assert_int_equal(point->flags, expected->flags);
    assert_int_equal(point->is_double, expected->value_case == OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE);
    assert_int_equal(point->is_int, expected->value_case == OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT);
    assert_true(!point->is_int || point->int_value == expected->as_int);
    assert_true(!point->is_double || pb_double_bits(point->double_value) == pb_double_bits(expected->as_double));
    same_attributes(point->body, OTLP_ATTRIBUTES_OF_NUMBER_POINT, expected->attributes, expected->n_attributes);
}

static void same_point(enum otlp_metric_kind kind, const struct otlp_point *point, const ProtobufCMessage *expected)
{
    const PbHistogramPoint *histogram = (const void *)expected;
    const PbExponentialPoint *exponential = (const void *)expected;
    const PbSummaryPoint *summary = (const void *)expected;

    if (kind == OTLP_HISTOGRAM) {
        assert_true(point->start_time == histogram->start_time_unix_nano && point->time == histogram->time_unix_nano);
        assert_int_equal(point->flags, histogram->flags);
        same_attributes(point->body, OTLP_ATTRIBUTES_OF_HISTOGRAM_POINT, histogram->attributes, histogram->n_attributes);
    } else if (kind == OTLP_EXPONENTIAL_HISTOGRAM) {
        assert_true(point->start_time == exponential->start_time_unix_nano && point->time == exponential->time_unix_nano);
        assert_int_equal(point->flags, exponential->flags);
        same_attributes(point->body, OTLP_ATTRIBUTES_OF_EXPONENTIAL_POINT, exponential->attributes, exponential->n_attributes);
    } else if (kind == OTLP_SUMMARY) {
        assert_true(point->start_time == summary->start_time_unix_nano && point->time == summary->time_unix_nano);
        assert_int_equal(point->flags, summary->flags);
        same_attributes(point->body, OTLP_ATTRIBUTES_OF_SUMMARY_POINT, summary->attributes, summary->n_attributes);
    } else {
        same_number_point(point, (const PbNumberPoint *)(const void *)expected);
    }
}

static void same_metric(struct slice body, const PbMetric *expected)
{
    struct otlp_metric metric;
    struct otlp_point point;

    otlp_metric_view(body, &metric);
    same_text(metric.name, expected->name);
    same_text(metric.description, expected->description);
    same_text(metric.unit, expected->unit);
    assert_int_equal(metric.kind, expected->data_case);
    if (metric.kind == OTLP_SUM) {
        assert_int_equal(metric.temporality, expected->sum->aggregation_temporality);
        assert_int_equal(metric.monotonic, expected->sum->is_monotonic);
    } else if (metric.kind == OTLP_HISTOGRAM) {
        assert_int_equal(metric.temporality, expected->histogram->aggregation_temporality);
    }
    ProtobufCMessage *data = oracle_metric_data(expected);
    struct message_list list = data != NULL ? oracle_list(data, 1) : (struct message_list){ NULL, 0 };
    struct otlp_points points = otlp_points(&metric);
    for (size_t i = 0; i < list.count; i++) {
        assert_true(otlp_next_point(&points, &point));
        same_point(metric.kind, &point, list.items[i]);
    }
    assert_false(otlp_next_point(&points, &point));
}

static void same_record(struct slice body, const ProtobufCMessage *expected)
{
    if (expected->descriptor == &opentelemetry__proto__trace__v1__span__descriptor)
        same_span(body, (const PbSpan *)(const void *)expected);
    else if (expected->descriptor == &opentelemetry__proto__logs__v1__log_record__descriptor)
        same_log(body, (const PbLog *)(const void *)expected);
    else if (expected->descriptor == &opentelemetry__proto__metrics__v1__metric__descriptor)
        same_metric(body, (const PbMetric *)(const void *)expected);
}

/* The string field 3 of groups and scope groups, and the attributes of the message in field 1. */
static void same_header(const ProtobufCMessage *message, struct slice schema_url, struct slice about)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message->descriptor, 3);
    const ProtobufCMessage *resource;
    char *text;

    memcpy(&text, (const char *)message + field->offset, sizeof(text));
    same_text(schema_url, text);
    field = protobuf_c_message_descriptor_get_field(message->descriptor, 1);
    memcpy(&resource, (const char *)message + field->offset, sizeof(resource));
    if (resource == NULL) {
        assert_int_equal(about.size, 0);
        return;
    }
    bool is_scope = resource->descriptor == &opentelemetry__proto__common__v1__instrumentation_scope__descriptor;
    unsigned number = is_scope ? OTLP_ATTRIBUTES_OF_SCOPE : OTLP_ATTRIBUTES_OF_RESOURCE;
    struct message_list attributes = oracle_list(resource, number);
    same_attributes(about, (enum otlp_attributes_field)number, (PbKeyValue **)(void *)attributes.items, attributes.count);
}

static void same_request(struct slice payload, const ProtobufCMessage *request)
{
    struct otlp_walk walk = otlp_walk(payload);
    struct message_list groups = oracle_list(request, 1);

    for (size_t i = 0; i < groups.count; i++) {
        struct message_list scope_groups = oracle_list(groups.items[i], 2);
        for (size_t j = 0; j < scope_groups.count; j++) {
            struct message_list records = oracle_list(scope_groups.items[j], 2);
            for (size_t k = 0; k < records.count; k++) {
                assert_true(otlp_walk_next(&walk));
                same_header(groups.items[i], walk.group.schema_url, walk.group.resource);
                same_header(scope_groups.items[j], walk.scope_group.schema_url, walk.scope_group.scope);
                same_record(walk.record.body, records.items[k]);
            }
        }
    }
    assert_false(otlp_walk_next(&walk));
    assert_false(otlp_walk_next(&walk));
}

static void test_walk_and_views_see_what_protobuf_c_sees(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 600; seed++) {
        struct random_otlp random = { .state = seed * 7, .max_children = 2 + seed % 4, .with_unknown = seed % 2 == 0 };
        enum signal signal = (enum signal)(seed % SIGNAL_COUNT);
        struct buffer packed = { 0 };
        ProtobufCMessage *request = random_message(&random, request_descriptor(signal));
        same_request(pack_message(request, &packed), request);
        buffer_fini(&packed);
        arena_fini(&random.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_requests_are_accepted_and_counted),
        cmocka_unit_test(test_every_cut_is_refused_or_agrees),
        cmocka_unit_test(test_accepted_damage_can_be_unpacked),
        cmocka_unit_test(test_walk_and_views_see_what_protobuf_c_sees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
