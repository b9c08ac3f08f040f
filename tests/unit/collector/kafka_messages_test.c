/* From batches to Kafka messages: by hand, and on random requests, where every record must be in exactly one message, headers and all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/wire/encoding.h"
#include "collector/wire/json.h"
#include "exporters/kafka/messages.h"
#include "tests/unit/wire/otlp_random.h"

#include <cmocka.h>

enum { LARGE = 1 << 20 };

static struct payload *payload_of(struct slice bytes)
{
    struct payload *payload = payload_create(bytes.size);

    if (bytes.size > 0)
        memcpy(payload->data, bytes.data, bytes.size);
    payload->size = bytes.size;
    return payload;
}

static struct batch *batch_of(enum signal signal, struct slice bytes)
{
    return batch_create(signal, payload_of(bytes), otlp_count(signal, bytes), NULL);
}

static struct batch *from_json(enum signal signal, const char *text)
{
    struct buffer wire = { 0 };
    struct json_error fault;
    struct batch *batch;

    if (!json_read_request(signal, slice_of_string(text), &wire, &fault))
        fail_msg("%s", fault.message);
    batch = batch_of(signal, buffer_slice(&wire));
    buffer_fini(&wire);
    return batch;
}

static struct batch *merge(struct batch *first, struct batch *second)
{
    first->next = second;
    second->next = NULL;
    return batch_merge(first, 2);
}

/* ---- what is in a message, as one number that does not depend on the order ---- */

struct content {
    size_t records; /* spans, log records, metrics */
    uint64_t sum;
};

static uint64_t hash_headers(struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;
    uint64_t hash = 7;

    while (pb_next(&reader, &field)) {
        if (field.number != 2 || field.type != PB_BYTES)
            hash = hash_combine(hash, hash_bytes(field.raw));
    }
    return hash;
}

static void add_content(struct content *content, struct slice wire)
{
    struct otlp_walk walk = otlp_walk(wire);

    while (otlp_walk_next(&walk)) {
        uint64_t hash = hash_combine(hash_headers(walk.group.body), hash_headers(walk.scope_group.body));

        content->records++;
        content->sum += hash_combine(hash, hash_bytes(walk.record.raw));
    }
}

static struct content content_of_batch(const struct batch *batch)
{
    struct content content = { 0, 0 };

    for (size_t i = 0; i < batch->run_count; i++)
        add_content(&content, batch->runs[i].bytes);
    return content;
}

static struct content content_of_messages(const struct kafka_messages *messages)
{
    struct content content = { 0, 0 };

    for (size_t i = 0; i < messages->count; i++)
        add_content(&content, messages->items[i].wire);
    return content;
}

static void assert_all_there(const struct kafka_messages *messages, const struct batch *batch)
{
    struct content wanted = content_of_batch(batch), got = content_of_messages(messages);
    size_t records = 0;

    for (size_t i = 0; i < messages->count; i++) {
        struct otlp_check check = otlp_check(batch->signal, messages->items[i].wire);

        assert_int_equal(check.fault, OTLP_OK);
        assert_int_equal(check.records, messages->items[i].records);
        records += check.records;
    }
    assert_int_equal(records, batch->records);
    assert_int_equal(got.records, wanted.records);
    assert_true(got.sum == wanted.sum);
}

/* ---- without grouping ---- */

static const char one_span[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}}]},\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"00000000000000000000000000000001\",\"spanId\":\"0000000000000001\",\"name\":\"n\"}]}]}]}";

static void a_run_is_sent_from_where_it_lies(void **state)
{
    const struct kafka_form form = { .max_bytes = LARGE };
    struct kafka_messages messages = { 0 };
    struct batch *batch = from_json(SIGNAL_TRACES, one_span);

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 1);
    assert_ptr_equal(messages.items[0].value.data, batch->runs[0].bytes.data);
    assert_null(messages.items[0].key.data);
    assert_null(messages.items[0].topic.data);
    assert_int_equal(messages.items[0].fate, KAFKA_PENDING);
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void small_runs_are_put_together(void **state)
{
    const struct kafka_form form = { .max_bytes = LARGE };
    struct kafka_messages messages = { 0 };
    struct batch *batch = from_json(SIGNAL_TRACES, one_span);

    (void)state;
    for (int i = 0; i < 2000; i++) /* each about 50 bytes */
        batch = merge(batch, from_json(SIGNAL_TRACES, one_span));
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 1);
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void profiles_are_never_put_together(void **state)
{
    const struct kafka_form form = { .max_bytes = LARGE };
    struct random_otlp random = { .state = 3, .max_children = 3 };
    struct kafka_messages messages = { 0 };
    struct buffer packed = { 0 };
    struct batch *batch;

    (void)state;
    batch = batch_of(SIGNAL_PROFILES, random_payload(&random, SIGNAL_PROFILES, &packed));
    batch = merge(batch, batch_of(SIGNAL_PROFILES, buffer_slice(&packed)));
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 2);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
    buffer_fini(&packed);
    arena_fini(&random.arena);
}

static struct batch *many_spans(size_t count, size_t name_size)
{
    struct buffer out = { 0 };
    size_t group = pb_open(&out, 1), scope = pb_open(&out, 2);
    char *name = calloc(1, name_size + 1);
    struct batch *batch;

    memset(name, 'n', name_size);
    for (size_t i = 0; i < count; i++) {
        uint8_t id[16] = { [14] = (uint8_t)(i >> 8), [15] = (uint8_t)(i | 1) };
        size_t span = pb_open(&out, 2);

        pb_put_bytes(&out, 1, slice_of(id, sizeof(id)));
        pb_put_bytes(&out, 2, slice_of(id + 8, 8));
        pb_put_bytes(&out, 5, slice_of(name, name_size));
        pb_close(&out, span);
    }
    pb_close(&out, scope);
    pb_close(&out, group);
    batch = batch_of(SIGNAL_TRACES, buffer_slice(&out));
    free(name);
    buffer_fini(&out);
    return batch;
}

static void check_within(enum kafka_encoding encoding, size_t max_bytes)
{
    const struct kafka_form form = { .max_bytes = max_bytes, .encoding = encoding };
    struct kafka_messages messages = { 0 };
    struct batch *batch = many_spans(1000, 100);

    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_true(messages.count > 1);
    for (size_t i = 0; i < messages.count; i++) {
        assert_in_range(messages.items[i].value.size, 1, max_bytes);
        assert_int_equal(messages.items[i].fate, KAFKA_PENDING);
    }
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void a_large_batch_is_cut_between_records(void **state)
{
    (void)state;
    check_within(KAFKA_OTLP_PROTO, 20000);
    check_within(KAFKA_OTLP_PROTO, 1000);
    check_within(KAFKA_OTLP_JSON, 20000);
    check_within(KAFKA_OTLP_JSON, 1000);
    check_within(KAFKA_ZIPKIN_JSON, 20000);
    check_within(KAFKA_ZIPKIN_JSON, 1000);
    check_within(KAFKA_ZIPKIN_PROTO, 1000);
}

static void only_the_record_that_is_too_large_is_refused(void **state)
{
    const struct kafka_form form = { .max_bytes = 1000 };
    struct kafka_messages messages = { 0 };
    struct batch *batch = merge(merge(many_spans(10, 100), many_spans(1, 5000)), many_spans(10, 100));
    size_t too_large = 0;

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    for (size_t i = 0; i < messages.count; i++) {
        if (messages.items[i].fate != KAFKA_TOO_LARGE)
            continue;
        too_large++;
        assert_int_equal(messages.items[i].records, 1);
    }
    assert_int_equal(too_large, 1);
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void splitting_goes_down_to_one_record(void **state)
{
    const struct kafka_form form = { .max_bytes = LARGE };
    struct kafka_messages messages = { 0 };
    struct batch *batch = many_spans(37, 20);

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    for (size_t i = 0; i < messages.count; i++) {
        while (kafka_messages_split(&messages, i, &form))
            ;
        assert_int_equal(messages.items[i].records, 1);
    }
    assert_int_equal(messages.count, 37);
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

/* ---- grouping ---- */

static struct slice hex(struct slice bytes, char out[64])
{
    encoding_write_hex(bytes, out);
    return slice_of(out, bytes.size * 2);
}

static void assert_key_is_that_of_all_records(const struct kafka_message *message, enum signal signal, enum kafka_key key)
{
    struct otlp_walk walk = otlp_walk(message->wire);
    uint8_t resource[KAFKA_KEY_BYTES];
    char text[64];

    while (otlp_walk_next(&walk)) {
        struct slice bytes = kafka_trace_id(signal, walk.record.body);

        if (key == KAFKA_KEY_RESOURCE) {
            kafka_resource_key(walk.group.resource, resource);
            bytes = slice_of(resource, sizeof(resource));
        }
        assert_true(slice_equal(message->key, hex(bytes, text)));
        assert_int_equal(message->key.data == NULL, bytes.size == 0);
    }
}

static void assert_keys_differ(const struct kafka_messages *messages)
{
    for (size_t i = 0; i < messages->count; i++) {
        for (size_t j = i + 1; j < messages->count; j++)
            assert_false(slice_equal(messages->items[i].key, messages->items[j].key) &&
                         slice_equal(messages->items[i].topic, messages->items[j].topic));
    }
}

static void check_random(uint64_t seed, enum signal signal, enum kafka_key key)
{
    const struct kafka_form form = { .max_bytes = SIZE_MAX / 2, .key = key };
    struct random_otlp random = { .state = seed, .max_children = 2 + seed % 5, .with_unknown = seed % 2 == 0 };
    struct kafka_messages messages = { 0 };
    struct buffer packed = { 0 };
    struct batch *batch = batch_of(signal, random_payload(&random, signal, &packed));

    buffer_clear(&packed);
    batch = merge(batch, batch_of(signal, random_payload(&random, signal, &packed)));
    assert_true(kafka_messages_build(&messages, batch, &form));
    for (size_t i = 0; i < messages.count; i++)
        assert_key_is_that_of_all_records(&messages.items[i], signal, key);
    assert_keys_differ(&messages);
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
    buffer_fini(&packed);
    arena_fini(&random.arena);
}

static void random_requests_are_grouped_without_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        check_random(seed, SIGNAL_TRACES, KAFKA_KEY_TRACE_ID);
        check_random(seed, SIGNAL_LOGS, KAFKA_KEY_TRACE_ID);
        check_random(seed, SIGNAL_LOGS, KAFKA_KEY_RESOURCE);
        check_random(seed, SIGNAL_METRICS, KAFKA_KEY_RESOURCE);
    }
}

static void many_traces_have_a_message_each(void **state)
{
    const struct kafka_form form = { .max_bytes = LARGE, .key = KAFKA_KEY_TRACE_ID };
    struct kafka_messages messages = { 0 };
    struct batch *batch = many_spans(2000, 10);

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 1000); /* the lowest bit of the ids is always set */
    assert_all_there(&messages, batch);
    assert_keys_differ(&messages);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void a_trace_that_is_too_large_is_cut_under_its_key(void **state)
{
    const struct kafka_form form = { .max_bytes = 2000, .key = KAFKA_KEY_TRACE_ID };
    struct kafka_messages messages = { 0 };
    struct batch *batch = many_spans(2, 100);

    (void)state;
    for (int i = 0; i < 40; i++)
        batch = merge(batch, many_spans(2, 100));
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_true(messages.count > 2);
    for (size_t i = 0; i < messages.count; i++) {
        assert_int_equal(messages.items[i].key.size, 32);
        assert_in_range(messages.items[i].value.size + 32, 1, 2000);
        assert_key_is_that_of_all_records(&messages.items[i], SIGNAL_TRACES, KAFKA_KEY_TRACE_ID);
    }
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void the_order_of_attributes_does_not_matter(void **state)
{
    struct batch *batch = from_json(SIGNAL_LOGS,
        "{\"resourceLogs\":["
        "{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}},{\"key\":\"b\",\"value\":{\"intValue\":\"2\"}}]},"
        "\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":9}]}]},"
        "{\"resource\":{\"attributes\":[{\"key\":\"b\",\"value\":{\"intValue\":\"2\"}},{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}]},"
        "\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":10}]}]},"
        "{\"resource\":{\"attributes\":[{\"key\":\"b\",\"value\":{\"intValue\":\"3\"}},{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}}]},"
        "\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":11}]}]}]}");
    const struct kafka_form form = { .max_bytes = LARGE, .key = KAFKA_KEY_RESOURCE };
    struct kafka_messages messages = { 0 };

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 2);
    assert_int_equal(messages.items[0].records, 2);
    /* the key is the same in every version: a change would move every resource to another partition */
    assert_memory_equal(messages.items[0].key.data, "84f001bab848", 12);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

#define TOPIC(name) "{\"resource\":{\"attributes\":[{\"key\":\"topic\",\"value\":{\"stringValue\":\"" name "\"}}]},"
#define TWO_SPANS(one, two)                                                                                                                \
    "\"scopeSpans\":[{\"spans\":[{\"traceId\":\"000000000000000000000000000000" one                                                        \
    "\"},{\"traceId\":\"000000000000000000000000000000" two "\"}]}]}"

static void each_resource_goes_to_its_own_topic(void **state)
{
    struct batch *batch = from_json(SIGNAL_TRACES, "{\"resourceSpans\":[" TOPIC("blue") TWO_SPANS("01", "02") "," TOPIC("red") TWO_SPANS(
                                                       "01", "01") "," TOPIC("blue") TWO_SPANS("02", "02") ",{" TWO_SPANS("03", "03") "]}");
    struct kafka_form form = { .max_bytes = LARGE, .topic_attribute = "topic" };
    struct kafka_messages messages = { 0 };

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 3);
    assert_true(slice_equal_string(messages.items[0].topic, "blue"));
    assert_int_equal(messages.items[0].records, 4);
    assert_true(slice_equal_string(messages.items[1].topic, "red"));
    assert_null(messages.items[2].topic.data);
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    form.key = KAFKA_KEY_TRACE_ID;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 4); /* blue 1, blue 2, red 1, none 3 */
    assert_all_there(&messages, batch);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void the_fixed_key_is_that_of_all_messages(void **state)
{
    const struct kafka_form form = { .max_bytes = 1000, .fixed_key = SLICE_INIT("tenant") };
    struct kafka_messages messages = { 0 };
    struct batch *batch = many_spans(100, 100);

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_true(messages.count > 10);
    for (size_t i = 0; i < messages.count; i++)
        assert_true(slice_equal_string(messages.items[i].key, "tenant"));
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

/* ---- raw ---- */

static void raw_sends_bodies(void **state)
{
    static const char *const wanted[] = { "plain \"text\"", "\xff", "{\"a\":1}", "[true,1.5]", "42" };
    struct batch *batch =
        from_json(SIGNAL_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
                               "{\"body\":{\"stringValue\":\"plain \\\"text\\\"\"}},{\"body\":{\"bytesValue\":\"/w==\"}},{},"
                               "{\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}]}}},"
                               "{\"body\":{\"arrayValue\":{\"values\":[{\"boolValue\":true},{\"doubleValue\":1.5}]}}},"
                               "{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"body\":{\"intValue\":\"42\"}}]}]}]}");
    const struct kafka_form form = { .max_bytes = LARGE, .encoding = KAFKA_RAW, .key = KAFKA_KEY_TRACE_ID };
    struct kafka_messages messages = { 0 };

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.count, 5);
    assert_int_equal(messages.skipped, 1);
    for (size_t i = 0; i < 5; i++) {
        assert_true(slice_equal_string(messages.items[i].value, wanted[i]));
        assert_int_equal(messages.items[i].records, 1);
    }
    assert_null(messages.items[0].key.data);
    assert_true(slice_equal_string(messages.items[4].key, "0102030405060708090a0b0c0d0e0f10"));
    assert_false(kafka_messages_split(&messages, 0, &form));
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void raw_knows_what_is_too_large(void **state)
{
    struct batch *batch = from_json(SIGNAL_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":"
                                                 "\"123456\"}},{\"body\":{\"stringValue\":\"1234\"}}]}]}]}");
    const struct kafka_form form = { .max_bytes = 5, .encoding = KAFKA_RAW };
    struct kafka_messages messages = { 0 };

    (void)state;
    assert_true(kafka_messages_build(&messages, batch, &form));
    assert_int_equal(messages.items[0].fate, KAFKA_TOO_LARGE);
    assert_int_equal(messages.items[1].fate, KAFKA_PENDING);
    kafka_messages_fini(&messages);
    batch_settle(batch, OUTCOME_ACCEPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_sent_from_where_it_lies),
        cmocka_unit_test(small_runs_are_put_together),
        cmocka_unit_test(profiles_are_never_put_together),
        cmocka_unit_test(a_large_batch_is_cut_between_records),
        cmocka_unit_test(only_the_record_that_is_too_large_is_refused),
        cmocka_unit_test(splitting_goes_down_to_one_record),
        cmocka_unit_test(random_requests_are_grouped_without_loss),
        cmocka_unit_test(many_traces_have_a_message_each),
        cmocka_unit_test(a_trace_that_is_too_large_is_cut_under_its_key),
        cmocka_unit_test(the_order_of_attributes_does_not_matter),
        cmocka_unit_test(each_resource_goes_to_its_own_topic),
        cmocka_unit_test(the_fixed_key_is_that_of_all_messages),
        cmocka_unit_test(raw_sends_bodies),
        cmocka_unit_test(raw_knows_what_is_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
