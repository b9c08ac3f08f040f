/* The tracker: offsets move only over the settled front, whatever the order of settling, on any thread, also when nobody waits any more. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "receivers/kafka/tracker.h"

#include <cmocka.h>

static struct batch *some_batch(struct receipt *receipt)
{
    struct payload *payload = payload_create(4);

    memcpy(payload->data, "\x0a\x02\x12\x00", 4);
    payload->size = 4;
    return batch_create(SIGNAL_TRACES, payload, 1, receipt);
}

static struct kafka_tracked *emit(struct kafka_partition *partition, int64_t offset, struct kafka_inbox *inbox, struct batch **under_way)
{
    struct kafka_tracked *tracked = kafka_partition_add(partition, offset, 100);

    tracked->batch = some_batch(NULL);
    partition->waiting--;
    *under_way = batch_share_with(tracked->batch, kafka_tracked_receipt(tracked, inbox));
    return tracked;
}

static void collect(struct kafka_inbox *inbox)
{
    struct kafka_tracked *next;

    for (struct kafka_tracked *tracked = kafka_inbox_take(inbox); tracked != NULL; tracked = next) {
        next = tracked->next_told;
        kafka_tracked_settle(tracked);
    }
}

static void offsets_move_over_the_settled_front_only(void **state)
{
    struct kafka_partition *partition = kafka_partition_create("t", 3);
    struct kafka_inbox *inbox = kafka_inbox_create();
    struct batch *batches[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        emit(partition, 10 + 2 * i, inbox, &batches[i]);
    assert_int_equal(partition->messages, 4);
    assert_int_equal(partition->bytes, 400);
    batch_settle(batches[2], OUTCOME_ACCEPTED);
    collect(inbox);
    assert_int_equal(partition->next_offset, -1);
    assert_true(kafka_partition_has(partition, 12));
    assert_false(kafka_partition_has(partition, 13));
    batch_settle(batches[0], OUTCOME_ACCEPTED);
    collect(inbox);
    assert_int_equal(partition->next_offset, 11);
    batch_settle(batches[1], OUTCOME_ACCEPTED);
    collect(inbox);
    assert_int_equal(partition->next_offset, 15); /* the third one was settled before */
    batch_settle(batches[3], OUTCOME_ACCEPTED);
    collect(inbox);
    assert_int_equal(partition->next_offset, 17);
    assert_int_equal(partition->messages, 0);
    assert_int_equal(partition->bytes, 0);
    assert_null(partition->last);
    kafka_partition_destroy(partition, inbox);
    kafka_inbox_unref(inbox);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void the_verdict_comes_with_the_message(void **state)
{
    struct kafka_partition *partition = kafka_partition_create("t", 0);
    struct kafka_inbox *inbox = kafka_inbox_create();
    struct kafka_tracked *tracked, *told;
    struct batch *batch;

    (void)state;
    tracked = emit(partition, 1, inbox, &batch);
    assert_false(kafka_inbox_wait(inbox, clock_monotonic_nanos()));
    batch_settle(batch, outcome_retry("queue_full", 5));
    assert_true(kafka_inbox_wait(inbox, clock_monotonic_nanos()));
    told = kafka_inbox_take(inbox);
    assert_ptr_equal(told, tracked);
    assert_int_equal(told->outcome.verdict, VERDICT_RETRY);
    assert_int_equal(told->outcome.retry_after_ns, 5);
    kafka_tracked_settle(told);
    kafka_partition_destroy(partition, inbox);
    kafka_inbox_unref(inbox);
}

static void late_settlements_are_nobodys_business(void **state)
{
    struct kafka_partition *partition = kafka_partition_create("t", 0), *other = kafka_partition_create("t", 1);
    struct kafka_inbox *inbox = kafka_inbox_create();
    struct batch *before, *after, *theirs;

    (void)state;
    emit(partition, 1, inbox, &before);
    emit(partition, 2, inbox, &after);
    kafka_partition_add(partition, 3, 10); /* waits */
    emit(other, 1, inbox, &theirs);
    batch_settle(before, OUTCOME_ACCEPTED); /* told, not taken */
    batch_settle(theirs, OUTCOME_ACCEPTED);
    kafka_partition_destroy(partition, inbox);
    batch_settle(after, OUTCOME_ACCEPTED);
    collect(inbox);
    assert_int_equal(other->next_offset, 2);
    kafka_partition_destroy(other, inbox);
    kafka_inbox_unref(inbox);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void the_inbox_outlives_its_owner(void **state)
{
    struct kafka_partition *partition = kafka_partition_create("t", 0);
    struct kafka_inbox *inbox = kafka_inbox_create();
    struct batch *batch;

    (void)state;
    emit(partition, 1, inbox, &batch);
    kafka_partition_destroy(partition, inbox);
    kafka_inbox_unref(inbox);
    batch_settle(batch, OUTCOME_ACCEPTED);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

/* ---- settled at random, from another thread ---- */

enum { MESSAGES = 5000 };

struct crowd {
    struct batch *batches[MESSAGES];
};

static void *settle_all(void *context)
{
    struct crowd *crowd = context;

    for (size_t i = MESSAGES; i > 0; i--) {
        size_t other = random_next() % i;
        struct batch *batch = crowd->batches[other];

        crowd->batches[other] = crowd->batches[i - 1];
        batch_settle(batch, OUTCOME_ACCEPTED);
    }
    return NULL;
}

static void any_order_from_any_thread_ends_at_the_last_offset(void **state)
{
    struct kafka_partition *partition = kafka_partition_create("t", 0);
    struct kafka_inbox *inbox = kafka_inbox_create();
    static struct crowd crowd;
    int64_t before = -1;
    pthread_t thread;

    (void)state;
    for (int i = 0; i < MESSAGES; i++)
        emit(partition, i, inbox, &crowd.batches[i]);
    assert_int_equal(pthread_create(&thread, NULL, settle_all, &crowd), 0);
    while (partition->messages > 0) {
        kafka_inbox_wait(inbox, clock_monotonic_nanos() + NANOS_PER_SECOND);
        collect(inbox);
        assert_true(partition->next_offset >= before);
        before = partition->next_offset;
    }
    pthread_join(thread, NULL);
    assert_int_equal(partition->next_offset, MESSAGES);
    kafka_partition_destroy(partition, inbox);
    kafka_inbox_unref(inbox);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void giving_up_while_settling_frees_everything_once(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct kafka_partition *partition = kafka_partition_create("t", 0);
        struct kafka_inbox *inbox = kafka_inbox_create();
        static struct crowd crowd;
        pthread_t thread;

        for (int i = 0; i < MESSAGES; i++)
            emit(partition, i, inbox, &crowd.batches[i]);
        assert_int_equal(pthread_create(&thread, NULL, settle_all, &crowd), 0);
        collect(inbox);
        kafka_partition_destroy(partition, inbox);
        kafka_inbox_unref(inbox);
        pthread_join(thread, NULL);
        assert_int_equal(payload_bytes_in_flight(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_move_over_the_settled_front_only),
        cmocka_unit_test(the_verdict_comes_with_the_message),
        cmocka_unit_test(late_settlements_are_nobodys_business),
        cmocka_unit_test(the_inbox_outlives_its_owner),
        cmocka_unit_test(any_order_from_any_thread_ends_at_the_last_offset),
        cmocka_unit_test(giving_up_while_settling_frees_everything_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
