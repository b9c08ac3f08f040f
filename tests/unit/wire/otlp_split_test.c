/* Cutting requests: by hand, and at random limits against protobuf-c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/wire/otlp.h"
#include "tests/unit/wire/otlp_oracle.h"

static void sign(enum signal signal, struct slice payload, struct buffer *out)
{
    ProtobufCMessage *request = unpack_request(signal, payload);

    assert_non_null(request);
    oracle_signature(request, out);
    protobuf_c_message_free_unpacked(request, NULL);
}

static struct otlp_split_limits random_limits(struct random_otlp *random)
{
    struct otlp_split_limits limits = { .max_records = random_below(random, 8) };

    if (limits.max_records == 0 || random_chance(random, 30))
        limits.max_bytes = 1 + random_below(random, 6000);
    return limits;
}

/* Splits until nothing is left; returns the records of all parts, their signatures in `signature`. */
static size_t split_all(struct random_otlp *random, enum signal signal, struct slice payload, struct buffer *signature)
{
    struct buffer rest = { 0 }, head = { 0 }, tail = { 0 };
    size_t records = 0;

    buffer_append_slice(&rest, payload);
    while (rest.size > 0) {
        struct otlp_split_limits limits = random_limits(random);
        buffer_clear(&head);
        buffer_clear(&tail);
        size_t count = otlp_split(signal, buffer_slice(&rest), limits, &head, &tail);
        struct otlp_check check = otlp_check(signal, buffer_slice(&head));
        assert_int_equal(check.fault, OTLP_OK);
        assert_int_equal(check.records, count);
        assert_true(limits.max_records == 0 || count <= limits.max_records);
        assert_true(count > 0 || tail.size == 0);
        assert_true(tail.size == 0 || otlp_count(signal, buffer_slice(&tail)) > 0);
        assert_false(head.failed || tail.failed);
        records += count;
        sign(signal, buffer_slice(&head), signature);
        buffer_clear(&rest);
        buffer_append_slice(&rest, buffer_slice(&tail));
    }
    buffer_fini(&rest);
    buffer_fini(&head);
    buffer_fini(&tail);
    return records;
}

static void test_random_splits_keep_every_record(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct random_otlp random = { .state = seed, .max_children = 2 + seed % 5, .with_unknown = seed % 2 == 0 };
        enum signal signal = (enum signal)(seed % SIGNAL_COUNT);
        struct buffer packed = { 0 }, whole = { 0 }, parts = { 0 };
        struct slice payload = random_payload(&random, signal, &packed);
        sign(signal, payload, &whole);
        assert_int_equal(split_all(&random, signal, payload, &parts), otlp_count(signal, payload));
        assert_true(slice_equal(buffer_slice(&whole), buffer_slice(&parts)));
        buffer_fini(&packed);
        buffer_fini(&whole);
        buffer_fini(&parts);
        arena_fini(&random.arena);
    }
}

/* Two groups of two scope groups of two spans; each span's name is its number. schema_url stands behind the records. */
static void put_spans(struct buffer *out)
{
    char name = '0';

    for (int group = 0; group < 2; group++) {
        size_t group_mark = pb_open(out, 1);
        pb_put_bytes(out, 1, SLICE("\x10\x07"));
        for (int scope = 0; scope < 2; scope++) {
            size_t scope_mark = pb_open(out, 2);
            for (int span = 0; span < 2; span++, name++) {
                size_t span_mark = pb_open(out, 2);
                pb_put_bytes(out, 5, slice_of(&name, 1));
                pb_close(out, span_mark);
            }
            pb_put_bytes(out, 3, SLICE("scope-url"));
            pb_close(out, scope_mark);
        }
        pb_put_bytes(out, 3, SLICE("group-url"));
        pb_close(out, group_mark);
    }
}

static void names_of(struct slice payload, char *names)
{
    struct otlp_walk walk = otlp_walk(payload);
    struct otlp_span span;

    while (otlp_walk_next(&walk)) {
        otlp_span_view(walk.record.body, &span);
        assert_int_equal(span.name.size, 1);
        *names++ = (char)span.name.data[0];
        assert_true(slice_equal_string(walk.group.resource, "\x10\x07"));
        assert_true(slice_equal_string(walk.group.schema_url, "group-url"));
        assert_true(slice_equal_string(walk.scope_group.schema_url, "scope-url"));
    }
    *names = '\0';
}

static void test_every_cut_of_eight_spans(void **state)
{
    static const char all[] = "01234567";
    struct buffer payload = { 0 }, head = { 0 }, tail = { 0 };
    char names[20];

    (void)state;
    put_spans(&payload);
    for (size_t records = 1; records <= 9; records++) {
        struct otlp_split_limits limits = { .max_records = records };
        buffer_clear(&head);
        buffer_clear(&tail);
        size_t count = otlp_split(SIGNAL_TRACES, buffer_slice(&payload), limits, &head, &tail);
        assert_int_equal(count, records < 8 ? records : 8);
        names_of(buffer_slice(&head), names);
        assert_int_equal(strlen(names), count);
        assert_memory_equal(names, all, count);
        names_of(buffer_slice(&tail), names);
        assert_string_equal(names, all + count);
        assert_int_equal(tail.size == 0, count == 8);
    }
    /* Between groups nothing is written anew. */
    buffer_clear(&head);
    buffer_clear(&tail);
    otlp_split(SIGNAL_TRACES, buffer_slice(&payload), (struct otlp_split_limits){ .max_records = 4 }, &head, &tail);
    assert_int_equal(head.size + tail.size, payload.size);
    buffer_fini(&payload);
    buffer_fini(&head);
    buffer_fini(&tail);
}

static void test_byte_limits_fill_the_head(void **state)
{
    struct buffer payload = { 0 }, head = { 0 }, tail = { 0 };
    size_t last = 0;

    (void)state;
    put_spans(&payload);
    for (size_t bytes = 1; bytes <= payload.size; bytes++) {
        buffer_clear(&head);
        buffer_clear(&tail);
        size_t count = otlp_split(SIGNAL_TRACES, buffer_slice(&payload), (struct otlp_split_limits){ .max_bytes = bytes }, &head, &tail);
        assert_true(count == 1 || head.size <= bytes);
        assert_true(count >= last && count <= last + 1);
        last = count > last ? count : last;
    }
    assert_int_equal(last, 8);
    buffer_fini(&payload);
    buffer_fini(&head);
    buffer_fini(&tail);
}

static void test_full_buffers_fail(void **state)
{
    struct buffer payload = { 0 }, head = { .limit = 10 }, tail = { .limit = 10 };

    (void)state;
    put_spans(&payload);
    otlp_split(SIGNAL_TRACES, buffer_slice(&payload), (struct otlp_split_limits){ .max_records = 3 }, &head, &tail);
    assert_true(head.failed && tail.failed);
    buffer_fini(&payload);
    buffer_fini(&head);
    buffer_fini(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_splits_keep_every_record),
        cmocka_unit_test(test_every_cut_of_eight_spans),
        cmocka_unit_test(test_byte_limits_fill_the_head),
        cmocka_unit_test(test_full_buffers_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
