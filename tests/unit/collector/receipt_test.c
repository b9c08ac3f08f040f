/* Receipts and batches: every receipt is told exactly once, with the worst verdict, whatever becomes of the pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "collector/batch.h"
#include "collector/wire/protobuf.h"

#include <cmocka.h>

struct source {
    int told;
    struct outcome outcome;
};

static void told(void *context, struct outcome outcome)
{
    struct source *source = context;

    source->told++;
    source->outcome = outcome;
}

/* A traces request with `records` spans that are numbered from `first` by their names. */
static struct payload *request(size_t records, size_t first)
{
    struct buffer out = { 0 };
    size_t group = pb_open(&out, 1), scope = pb_open(&out, 2);
    struct payload *payload;

    for (size_t i = 0; i < records; i++) {
        size_t span = pb_open(&out, 2);
        char name[24];

        snprintf(name, sizeof(name), "span-%zu", first + i);
        pb_put_bytes(&out, 5, slice_of_string(name));
        pb_close(&out, span);
    }
    pb_close(&out, scope);
    pb_close(&out, group);
    payload = payload_create(out.size);
    memcpy(payload->data, out.data, out.size);
    payload->size = out.size;
    buffer_fini(&out);
    return payload;
}

static struct batch *make(size_t records, size_t first, enum receipt_level level, struct source *source)
{
    struct receipt *receipt = source != NULL ? receipt_create(level, told, source) : NULL;

    return batch_create(SIGNAL_TRACES, request(records, first), records, receipt);
}

static void settle_tells_once(void **state)
{
    struct source source = { 0 };

    (void)state;
    batch_settle(make(1, 0, RECEIPT_DURABLE, &source), outcome_rejected("bad"));
    assert_int_equal(source.told, 1);
    assert_int_equal(source.outcome.verdict, VERDICT_REJECTED);
    assert_string_equal(source.outcome.reason, "bad");
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void accept_tells_only_who_asked_for_it(void **state)
{
    struct source quick = { 0 }, durable = { 0 };
    struct batch *first = make(1, 0, RECEIPT_ACCEPTED, &quick), *second = make(1, 0, RECEIPT_DURABLE, &durable);

    (void)state;
    batch_accept(first);
    batch_accept(second);
    assert_int_equal(quick.told, 1);
    assert_int_equal(quick.outcome.verdict, VERDICT_ACCEPTED);
    assert_int_equal(durable.told, 0);
    batch_settle(first, outcome_retry("late", 0));
    batch_settle(second, outcome_retry("late", 7));
    assert_int_equal(quick.told, 1);
    assert_int_equal(durable.told, 1);
    assert_int_equal(durable.outcome.verdict, VERDICT_RETRY);
    assert_int_equal(durable.outcome.retry_after_ns, 7);
}

static void shares_wait_for_all_and_keep_the_worst(void **state)
{
    struct source source = { 0 };
    struct batch *batch = make(2, 0, RECEIPT_ACCEPTED, &source), *share = batch_share(batch), *third = batch_share(share);

    (void)state;
    assert_ptr_equal(share->runs[0].payload, batch->runs[0].payload);
    batch_accept(batch);
    batch_settle(share, outcome_retry("queue_full", 5));
    assert_int_equal(source.told, 0);
    batch_settle(third, OUTCOME_ACCEPTED);
    assert_int_equal(source.told, 1);
    assert_int_equal(source.outcome.verdict, VERDICT_RETRY);
    assert_string_equal(source.outcome.reason, "queue_full");
    batch_settle(batch, OUTCOME_ACCEPTED);
    assert_int_equal(source.told, 1);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void share_after_accept_does_not_ask_again(void **state)
{
    struct source quick = { 0 };
    struct batch *batch = make(1, 0, RECEIPT_ACCEPTED, &quick), *share;

    (void)state;
    batch_accept(batch);
    share = batch_share(batch);
    assert_int_equal(quick.told, 1);
    batch_settle(batch, OUTCOME_ACCEPTED);
    batch_settle(share, OUTCOME_ACCEPTED);
    assert_int_equal(quick.told, 1);
}

static void merge_joins_receipts(void **state)
{
    struct source sources[3] = { 0 };
    struct batch *list = make(2, 0, RECEIPT_ACCEPTED, &sources[0]), *merged, *share;

    (void)state;
    list->next = make(1, 2, RECEIPT_DURABLE, &sources[1]);
    list->next->next = make(3, 3, RECEIPT_ACCEPTED, &sources[2]);
    merged = batch_merge(list, 3);
    assert_int_equal(merged->records, 6);
    assert_int_equal(merged->run_count, 3);
    share = batch_share(merged);
    batch_accept(merged);
    assert_int_equal(sources[0].told, 0);
    batch_accept(share);
    assert_int_equal(sources[0].told, 1);
    assert_int_equal(sources[1].told, 0);
    assert_int_equal(sources[2].told, 1);
    batch_settle(merged, OUTCOME_ACCEPTED);
    batch_settle(share, outcome_rejected("no"));
    assert_int_equal(sources[1].told, 1);
    assert_int_equal(sources[1].outcome.verdict, VERDICT_REJECTED);
    assert_int_equal(sources[0].told + sources[2].told, 2);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void merge_of_accepted_ones_does_not_accept_twice(void **state)
{
    struct source quick = { 0 }, durable = { 0 };
    struct batch *list = make(1, 0, RECEIPT_ACCEPTED, &quick), *merged;

    (void)state;
    batch_accept(list);
    list->next = make(1, 1, RECEIPT_DURABLE, &durable);
    merged = batch_merge(list, 2);
    batch_accept(merged);
    batch_settle(merged, OUTCOME_ACCEPTED);
    assert_int_equal(quick.told, 1);
    assert_int_equal(durable.told, 1);
}

static void split_cuts_by_records_and_loses_none(void **state)
{
    (void)state;
    for (size_t max = 1; max <= 13; max++) {
        struct source source = { 0 };
        struct batch *list = make(5, 0, RECEIPT_DURABLE, &source), *batch, *head;
        struct buffer all = { 0 }, scratch = { 0 };
        size_t records = 0;

        list->next = make(1, 5, RECEIPT_DURABLE, NULL);
        list->next->next = make(6, 6, RECEIPT_DURABLE, NULL);
        batch = batch_merge(list, 3);
        while ((head = batch_split(batch, max, 0)) != NULL) {
            assert_true(head->records <= max && head->records >= 1);
            records += head->records;
            buffer_append_slice(&all, batch_flatten(head, &scratch));
            assert_int_equal(source.told, 0);
            batch_settle(head, OUTCOME_ACCEPTED);
        }
        records += batch->records;
        buffer_append_slice(&all, batch_flatten(batch, &scratch));
        batch_settle(batch, OUTCOME_ACCEPTED);
        assert_int_equal(records, 12);
        assert_int_equal(source.told, 1);
        for (size_t i = 0; i < 12; i++) {
            char name[24];

            snprintf(name, sizeof(name), "span-%zu", i);
            assert_non_null(memmem(all.data, all.size, name, strlen(name)));
        }
        buffer_fini(&all);
        buffer_fini(&scratch);
        assert_int_equal(payload_bytes_in_flight(), 0);
    }
}

static void split_by_bytes_keeps_the_limit_unless_one_record_is_larger(void **state)
{
    (void)state;
    for (size_t max = 1; max < 120; max += 7) {
        struct batch *batch = make(6, 0, RECEIPT_DURABLE, NULL), *head;
        size_t records = 0;

        while ((head = batch_split(batch, 0, max)) != NULL) {
            assert_true(head->bytes <= max || head->records == 1);
            records += head->records;
            batch_settle(head, OUTCOME_ACCEPTED);
        }
        records += batch->records;
        batch_settle(batch, OUTCOME_ACCEPTED);
        assert_int_equal(records, 6);
        assert_int_equal(payload_bytes_in_flight(), 0);
    }
}

static void metadata_is_found_in_any_case(void **state)
{
    const struct metadata_entry entries[] = { { "x-tenant", SLICE_INIT("a") }, { "x-tenant", SLICE_INIT("b") }, { "other", SLICE_INIT("") } };
    struct metadata *metadata = metadata_create(entries, 3);

    (void)state;
    assert_true(slice_equal_string(metadata_get(metadata, "X-Tenant", 0), "a"));
    assert_true(slice_equal_string(metadata_get(metadata, "x-tenant", 1), "b"));
    assert_null(metadata_get(metadata, "x-tenant", 2).data);
    assert_non_null(metadata_get(metadata, "other", 0).data);
    assert_null(metadata_get(NULL, "other", 0).data);
    metadata_unref(metadata_ref(metadata));
    metadata_unref(metadata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settle_tells_once),
        cmocka_unit_test(accept_tells_only_who_asked_for_it),
        cmocka_unit_test(shares_wait_for_all_and_keep_the_worst),
        cmocka_unit_test(share_after_accept_does_not_ask_again),
        cmocka_unit_test(merge_joins_receipts),
        cmocka_unit_test(merge_of_accepted_ones_does_not_accept_twice),
        cmocka_unit_test(split_cuts_by_records_and_loses_none),
        cmocka_unit_test(split_by_bytes_keeps_the_limit_unless_one_record_is_larger),
        cmocka_unit_test(metadata_is_found_in_any_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
