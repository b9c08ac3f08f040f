/*
 * The wire core on any bytes. Walks and views must stay within them; what the check accepts must count, split and repair without
 * losing a record. The first byte says the signal, the next two the limits of the split.
 */
#include <assert.h>

#include "collector/wire/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t look_at_value(const struct otlp_value *value)
{
    uint64_t sum = (uint64_t)value->integer + pb_double_bits(value->number);

    for (size_t i = 0; i < value->bytes.size; i++)
        sum += value->bytes.data[i];
    return sum;
}

static uint64_t look_at_attributes(struct slice message, enum otlp_attributes_field field)
{
    struct otlp_attributes attributes = otlp_attributes(message, field);
    struct otlp_attribute attribute;
    struct otlp_value value;
    uint64_t sum = 0;

    while (otlp_next_attribute(&attributes, &attribute)) {
        sum += look_at_value(&attribute.value);
        assert(otlp_find_attribute(message, field, attribute.key, &value));
    }
    return sum;
}

static uint64_t look_at_metric(struct slice body)
{
    struct otlp_metric metric;
    struct otlp_point point;
    uint64_t sum = 0;

    otlp_metric_view(body, &metric);
    struct otlp_points points = otlp_points(&metric);
    while (otlp_next_point(&points, &point))
        sum += point.time + look_at_attributes(point.body, OTLP_ATTRIBUTES_OF_NUMBER_POINT);
    return sum;
}

static uint64_t look_at_all(struct slice payload)
{
    struct otlp_walk walk = otlp_walk(payload);
    struct otlp_span span;
    struct otlp_log log;
    uint64_t sum = 0;

    while (otlp_walk_next(&walk)) {
        otlp_span_view(walk.record.body, &span);
        otlp_log_view(walk.record.body, &log);
        struct otlp_value value = otlp_value_of(log.value);
        sum += look_at_value(&value) + span.kind;
        sum += look_at_attributes(walk.record.body, OTLP_ATTRIBUTES_OF_SPAN);
        sum += look_at_metric(walk.record.body);
    }
    return sum;
}

static void check_split(enum signal signal, struct slice payload, struct otlp_split_limits limits)
{
    struct buffer head = { 0 }, tail = { 0 };
    size_t all = otlp_count(signal, payload);
    size_t records = otlp_split(signal, payload, limits, &head, &tail);
    struct otlp_check in_head = otlp_check(signal, buffer_slice(&head));
    struct otlp_check in_tail = otlp_check(signal, buffer_slice(&tail));

    assert(in_head.fault == OTLP_OK && in_tail.fault == OTLP_OK);
    assert(in_head.records == records && records + in_tail.records == all);
    assert(limits.max_records == 0 || records <= limits.max_records);
    buffer_fini(&head);
    buffer_fini(&tail);
}

static void check_repair(enum signal signal, struct slice payload, size_t records)
{
    struct buffer repaired = { 0 };

    assert(otlp_repair(signal, payload, &repaired) > 0);
    struct otlp_check check = otlp_check(signal, buffer_slice(&repaired));
    assert(check.fault == OTLP_OK && check.records == records);
    buffer_fini(&repaired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    enum signal signal = (enum signal)(data[0] % SIGNAL_COUNT);
    struct otlp_split_limits limits = { .max_records = data[1], .max_bytes = (size_t)data[2] * 4 };
    struct slice payload = { data + 3, size - 3 };
    struct otlp_check check = otlp_check(signal, payload);
    volatile uint64_t sink = look_at_all(payload);

    (void)sink;
    assert(check.fault == OTLP_OK || (check.message != NULL && check.offset <= payload.size));
    if (check.fault == OTLP_OK || check.fault == OTLP_BAD_UTF8)
        assert(otlp_count(signal, payload) == check.records);
    if (check.fault == OTLP_OK)
        check_split(signal, payload, limits);
    else if (check.fault == OTLP_BAD_UTF8)
        check_repair(signal, payload, check.records);
    return 0;
}
