/* Delivery: queue, batching on the way out, and retry, in front of an exporter that does as it is told. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/accounts.h"
#include "collector/base/clock.h"
#include "collector/delivery.h"
#include "collector/telemetry.h"

#include <cmocka.h>

/* The exporter under the chain: answers from a script, then accepts; counts what it saw. */
struct scripted {
    struct component base;
    struct delivery_settings delivery;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const struct outcome *script;
    size_t script_size, attempts, accepted_records;
    size_t sizes[64]; /* records of each attempt */
    bool blocked;     /* attempts wait while set */
};

static void scripted_consume(struct component *component, struct batch *batch)
{
    struct scripted *self = (struct scripted *)component;
    struct outcome outcome = OUTCOME_ACCEPTED;

    pthread_mutex_lock(&self->lock);
    while (self->blocked)
        pthread_cond_wait(&self->changed, &self->lock);
    if (self->attempts < self->script_size)
        outcome = self->script[self->attempts];
    self->sizes[self->attempts++ % 64] = batch->records;
    if (outcome.verdict == VERDICT_ACCEPTED)
        self->accepted_records += batch->records;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    batch_settle(batch, outcome);
}

static const struct component_type scripted_type = {
    .name = "scripted",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .delivery_offset = offsetof(struct scripted, delivery),
    .consume = scripted_consume,
};

static void component_consume(struct consumer *consumer, struct batch *batch)
{
    scripted_consume((struct component *)consumer, batch);
}

static void scripted_init(struct scripted *self, const struct outcome *script, size_t count)
{
    *self = (struct scripted){ .script = script, .script_size = count };
    self->base.type = &scripted_type;
    self->base.id = "scripted";
    self->base.path = "exporters.scripted";
    self->base.consumer = (struct consumer){ component_consume, &self->base };
    self->delivery.queue = (struct queue_settings){ .enabled = true, .num_consumers = 2, .queue_size = 4, .sizer = SIZER_REQUESTS };
    self->delivery.retry = (struct retry_settings){ true, NANOS_PER_MILLI, 4 * NANOS_PER_MILLI, 0, 0.5, 1.5 };
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    accounts_create(&self->base);
}

static void scripted_fini(struct scripted *self)
{
    accounts_destroy(&self->base);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
}

static void set_blocked(struct scripted *self, bool blocked)
{
    pthread_mutex_lock(&self->lock);
    self->blocked = blocked;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

struct source {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int told;
    struct outcome outcome;
};

#define SOURCE_INITIALIZER { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, { 0 } }

static void told(void *context, struct outcome outcome)
{
    struct source *source = context;

    pthread_mutex_lock(&source->lock);
    source->told++;
    source->outcome = outcome;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
}

static int told_so_far(struct source *source)
{
    int count;

    pthread_mutex_lock(&source->lock);
    count = source->told;
    pthread_mutex_unlock(&source->lock);
    return count;
}

static void wait_until_told(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    while (source->told == 0)
        pthread_cond_wait(&source->changed, &source->lock);
    pthread_mutex_unlock(&source->lock);
}

/* `records` empty spans. */
static struct batch *make(size_t records, enum receipt_level level, struct source *source)
{
    struct payload *payload = payload_create(6 + 2 * records);
    const size_t scope = 2 * records;

    assert_true(scope + 2 < 128);
    memcpy(payload->data, (uint8_t[]){ 0x0a, (uint8_t)(scope + 2), 0x12, (uint8_t)scope }, 4);
    for (size_t i = 0; i < records; i++)
        memcpy(payload->data + 4 + 2 * i, (uint8_t[]){ 0x12, 0x00 }, 2);
    payload->size = 4 + scope;
    return batch_create(SIGNAL_TRACES, payload, records, source != NULL ? receipt_create(level, told, source) : NULL);
}

static void retries_until_accepted(void **state)
{
    const struct outcome script[] = { outcome_retry("unavailable", 0), outcome_retry("unavailable", 2 * NANOS_PER_MILLI), OUTCOME_ACCEPTED };
    struct source quick = SOURCE_INITIALIZER, durable = SOURCE_INITIALIZER;
    struct scripted exporter;
    struct delivery *delivery;

    (void)state;
    scripted_init(&exporter, script, 3);
    delivery = delivery_create(&exporter.base, SIGNAL_TRACES);
    consume(delivery_entry(delivery), make(3, RECEIPT_DURABLE, &durable));
    wait_until_told(&durable);
    assert_int_equal(durable.outcome.verdict, VERDICT_ACCEPTED);
    assert_int_equal(exporter.attempts, 3);
    consume(delivery_entry(delivery), make(2, RECEIPT_ACCEPTED, &quick));
    assert_int_equal(told_so_far(&quick), 1); /* accepted as soon as it is in the queue */
    assert_true(delivery_drain(delivery, clock_monotonic_nanos() + 20 * NANOS_PER_SECOND));
    assert_int_equal(exporter.accepted_records, 5);
    delivery_destroy(delivery);
    scripted_fini(&exporter);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void rejected_is_never_retried(void **state)
{
    const struct outcome script[] = { outcome_rejected("malformed") };
    struct source durable = SOURCE_INITIALIZER;
    struct scripted exporter;
    struct delivery *delivery;

    (void)state;
    scripted_init(&exporter, script, 1);
    delivery = delivery_create(&exporter.base, SIGNAL_TRACES);
    consume(delivery_entry(delivery), make(1, RECEIPT_DURABLE, &durable));
    wait_until_told(&durable);
    assert_int_equal(durable.outcome.verdict, VERDICT_REJECTED);
    assert_int_equal(exporter.attempts, 1);
    delivery_destroy(delivery);
    scripted_fini(&exporter);
}

static void a_full_queue_refuses_and_loses_nothing_it_took(void **state)
{
    struct source sources[12];
    struct scripted exporter;
    struct delivery *delivery;
    int accepted = 0, refused = 0;

    (void)state;
    scripted_init(&exporter, NULL, 0);
    exporter.blocked = true;
    delivery = delivery_create(&exporter.base, SIGNAL_TRACES);
    for (size_t i = 0; i < 12; i++) {
        sources[i] = (struct source)SOURCE_INITIALIZER;
        consume(delivery_entry(delivery), make(1, RECEIPT_ACCEPTED, &sources[i]));
        assert_int_equal(told_so_far(&sources[i]), 1);
        accepted += sources[i].outcome.verdict == VERDICT_ACCEPTED;
        refused += sources[i].outcome.verdict == VERDICT_RETRY;
    }
    /* 4 in the queue, and as many as the two consumers had taken by then */
    assert_true(accepted >= 4 && accepted <= 6);
    assert_int_equal(accepted + refused, 12);
    set_blocked(&exporter, false);
    assert_true(delivery_drain(delivery, clock_monotonic_nanos() + 20 * NANOS_PER_SECOND));
    assert_int_equal(exporter.accepted_records, accepted);
    delivery_destroy(delivery);
    scripted_fini(&exporter);
}

static void batching_merges_and_cuts(void **state)
{
    struct scripted exporter;
    struct delivery *delivery;
    struct source durable = SOURCE_INITIALIZER;

    (void)state;
    scripted_init(&exporter, NULL, 0);
    exporter.delivery.queue.queue_size = 1000;
    exporter.delivery.queue.num_consumers = 1;
    exporter.delivery.queue.batch_present = true;
    exporter.delivery.queue.batch = (struct batcher_settings){ 3600 * NANOS_PER_SECOND, 10, 8, SIZER_ITEMS, { NULL, 0 } };
    delivery = delivery_create(&exporter.base, SIGNAL_TRACES);
    consume(delivery_entry(delivery), make(3, RECEIPT_DURABLE, NULL));
    consume(delivery_entry(delivery), make(3, RECEIPT_DURABLE, NULL));
    consume(delivery_entry(delivery), make(20, RECEIPT_DURABLE, &durable)); /* 26: the hour need not pass */
    wait_until_told(&durable);
    assert_true(delivery_drain(delivery, clock_monotonic_nanos() + 20 * NANOS_PER_SECOND));
    assert_int_equal(exporter.accepted_records, 26);
    assert_int_equal(exporter.sizes[0], 6);
    for (size_t i = 0; i < exporter.attempts; i++)
        assert_true(exporter.sizes[i] <= 8);
    delivery_destroy(delivery);
    scripted_fini(&exporter);
}

static void shutdown_gives_back_what_was_not_sent(void **state)
{
    const struct outcome script[] = { outcome_retry("down", 0), outcome_retry("down", 3600 * NANOS_PER_SECOND) };
    struct source durable = SOURCE_INITIALIZER;
    struct scripted exporter;
    struct delivery *delivery;

    (void)state;
    scripted_init(&exporter, script, 2);
    exporter.delivery.queue.num_consumers = 1;
    delivery = delivery_create(&exporter.base, SIGNAL_TRACES);
    consume(delivery_entry(delivery), make(1, RECEIPT_DURABLE, &durable));
    assert_false(delivery_drain(delivery, clock_monotonic_nanos() + 20 * NANOS_PER_MILLI));
    delivery_interrupt(delivery);
    wait_until_told(&durable);
    assert_int_equal(durable.outcome.verdict, VERDICT_RETRY);
    assert_string_equal(durable.outcome.reason, "shutdown");
    delivery_destroy(delivery);
    scripted_fini(&exporter);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void exhausted_retries_are_told_and_counted(void **state)
{
    const struct outcome script[] = { outcome_retry("down", 0), outcome_retry("down", 0), outcome_retry("down", 3600 * NANOS_PER_SECOND) };
    struct source durable = SOURCE_INITIALIZER;
    struct scripted exporter;
    struct delivery *delivery;
    struct buffer page = { 0 };

    (void)state;
    scripted_init(&exporter, script, 3);
    exporter.delivery.retry.max_elapsed_time_ns = 60 * NANOS_PER_SECOND;
    delivery = delivery_create(&exporter.base, SIGNAL_TRACES);
    consume(delivery_entry(delivery), make(4, RECEIPT_DURABLE, &durable));
    wait_until_told(&durable);
    assert_string_equal(durable.outcome.reason, "retries_exhausted");
    assert_true(delivery_drain(delivery, clock_monotonic_nanos() + 20 * NANOS_PER_SECOND));
    metrics_write(&page);
    assert_non_null(strstr(buffer_string(&page), "otelcol_exporter_send_failed_spans{exporter=\"scripted\"} 4\n"));
    assert_non_null(strstr(buffer_string(&page), "reason=\"retries_exhausted\"} 4\n"));
    buffer_fini(&page);
    delivery_destroy(delivery);
    scripted_fini(&exporter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_until_accepted),
        cmocka_unit_test(rejected_is_never_retried),
        cmocka_unit_test(a_full_queue_refuses_and_loses_nothing_it_took),
        cmocka_unit_test(batching_merges_and_cuts),
        cmocka_unit_test(shutdown_gives_back_what_was_not_sent),
        cmocka_unit_test(exhausted_retries_are_told_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
