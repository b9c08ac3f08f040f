/* The tail_sampling processor between a source and a sink: what is told when, what comes out, and what a successor takes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/log.h"
#include "collector/instance.h"
#include "collector/net/loop.h"
#include "collector/processors/tail_sampling/processor.h"
#include "collector/wire/otlp.h"

#include <cmocka.h>

extern const struct component_type tail_sampling_processor;

/* ---- the processor, made of YAML ---- */

struct fixture {
    struct arena arena;
    struct configuration_component settings;
    struct loaded loaded;
    struct instance *instance;
};

static struct tail_sampling *make(struct fixture *fixture, const char *yaml)
{
    struct config_errors errors = { .arena = &fixture->arena };
    struct config_source source;
    struct error err = { "" };

    *fixture = (struct fixture){ .loaded = { 2, NULL } };
    source = (struct config_source){ arena_printf(&fixture->arena, "yaml:%s", yaml), false };
    fixture->settings = (struct configuration_component){ &tail_sampling_processor, "tail_sampling", "tail_sampling", NULL, true };
    fixture->settings.node = config_load(&fixture->arena, &source, 1, &errors);
    fixture->instance = instance_create(&fixture->loaded, &fixture->settings, "", &err);
    if (fixture->instance == NULL) {
        print_message("%s\n", err.message);
        abort();
    }
    return (struct tail_sampling *)fixture->instance->component;
}

/* ---- a sink that remembers spans, and a source that hears ---- */

struct sink {
    struct component component;
    struct outcome outcome;
    size_t batches, count, per_trace[256];
    struct buffer last;
};

static void sink_consume(struct consumer *consumer, struct batch *batch)
{
    struct sink *sink = (struct sink *)consumer;

    sink->batches++;
    buffer_clear(&sink->last);
    for (size_t i = 0; sink->outcome.verdict == VERDICT_ACCEPTED && i < batch->run_count; i++) {
        struct otlp_walk walk = otlp_walk(batch->runs[i].bytes);
        struct otlp_span view;
        assert_int_equal(otlp_check(SIGNAL_TRACES, batch->runs[i].bytes).fault, OTLP_OK);
        assert_int_equal(otlp_count(SIGNAL_TRACES, batch->runs[i].bytes), batch->runs[i].records);
        while (otlp_walk_next(&walk)) {
            otlp_span_view(walk.record.body, &view);
            sink->per_trace[view.trace_id.size > 0 ? view.trace_id.data[0] : 0]++;
            sink->count++;
        }
        buffer_append_slice(&sink->last, batch->runs[i].bytes);
    }
    batch_settle(batch, sink->outcome);
}

static const struct component_type sink_type = { .name = "sink", .kind = COMPONENT_EXPORTER, .signals = SIGNALS_ALL };

static void sink_init(struct sink *sink, struct tail_sampling *tail)
{
    *sink = (struct sink){ .outcome = OUTCOME_ACCEPTED };
    sink->component.type = &sink_type;
    sink->component.id = sink->component.path = "sink";
    sink->component.consumer = (struct consumer){ sink_consume, &sink->component };
    tail->base.next[SIGNAL_TRACES] = &sink->component.consumer;
}

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

/* ---- requests ---- */

/* `count` spans of one trace (0: without an id), each with a note of so many bytes. */
static struct payload *request(uint8_t trace, size_t count, size_t note)
{
    struct buffer out = { .data = NULL };
    uint8_t id[16] = { trace }, *text = calloc(1, note + 1);
    struct payload *payload;
    size_t group = pb_open(&out, 1), resource = pb_open(&out, 1);

    assert_non_null(text);
    memset(text, 'x', note);
    pb_close(&out, resource);
    size_t scopes = pb_open(&out, 2);
    for (size_t i = 0; i < count; i++) {
        size_t span = pb_open(&out, 2);
        if (trace != 0)
            pb_put_bytes(&out, 1, slice_of(id, 16));
        pb_put_bytes(&out, 5, slice_of(text, note));
        pb_close(&out, span);
    }
    pb_close(&out, scopes);
    pb_put_bytes(&out, 3, SLICE("schema"));
    pb_close(&out, group);
    payload = payload_create(out.size);
    memcpy(payload->data, out.data, out.size);
    payload->size = out.size;
    buffer_fini(&out);
    free(text);
    return payload;
}

static void send(struct tail_sampling *tail, uint8_t trace, size_t count, struct source *source, enum receipt_level level)
{
    struct receipt *receipt = source != NULL ? receipt_create(level, told, source) : NULL;

    consume(&tail->base.consumer, batch_create(SIGNAL_TRACES, request(trace, count, 20), count, receipt));
}

static void start(struct fixture *fixture)
{
    struct error err = { "" };

    if (!instance_start(fixture->instance, &err))
        fail_msg("%s", err.message);
}

static void finish(struct fixture *fixture, struct sink *sink)
{
    instance_destroy(fixture->instance);
    arena_fini(&fixture->arena);
    buffer_fini(&sink->last);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

#define ALL "policies: [{name: all, type: always_sample}]"
#define NONE "policies: [{name: none, type: trace_flags}]"

static void drain(struct tail_sampling *tail)
{
    tail_sampling_processor.drain(&tail->base);
}

/* ---- what is told when ---- */

static void held_spans_are_accepted_and_durable_only_when_delivered(void **state)
{
    const struct outcome outcomes[] = { OUTCOME_ACCEPTED, outcome_rejected("test") };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        struct tail_sampling *tail = make(&fixture, ALL);
        struct source accepted = { 0 }, durable = { 0 };
        struct sink sink;
        sink_init(&sink, tail);
        sink.outcome = outcomes[i];
        start(&fixture);
        send(tail, 1, 3, &accepted, RECEIPT_ACCEPTED);
        send(tail, 2, 3, &durable, RECEIPT_DURABLE);
        assert_int_equal(accepted.told, 1);
        assert_int_equal(accepted.outcome.verdict, VERDICT_ACCEPTED);
        assert_int_equal(durable.told, 0);
        assert_int_equal(sink.batches, 0);
        drain(tail);
        assert_int_equal(durable.told, 1);
        assert_int_equal(durable.outcome.verdict, outcomes[i].verdict);
        finish(&fixture, &sink);
    }
}

static void what_is_not_sampled_is_settled_when_it_is_decided(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, NONE);
    struct source durable = { 0 };
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    start(&fixture);
    send(tail, 1, 3, &durable, RECEIPT_DURABLE);
    assert_int_equal(durable.told, 0);
    drain(tail);
    assert_int_equal(durable.told, 1);
    assert_int_equal(durable.outcome.verdict, VERDICT_ACCEPTED);
    assert_int_equal(sink.batches, 0);
    send(tail, 1, 1, &durable, RECEIPT_DURABLE); /* late */
    assert_int_equal(durable.told, 2);
    finish(&fixture, &sink);
}

static void decide_all(struct tail_sampling *tail)
{
    struct tail_hand *hand = tail_hand_take(tail);
    struct tail_store *store = atomic_load(&tail->store);

    for (size_t i = 0; i < store->shard_count; i++)
        tail_work(&(struct tail_session){ tail, store, &store->shards[i], hand, tail_now_ms() }, TAIL_WORK_ALL);
    tail_hand_send(tail, hand);
    tail_hand_give_back(tail, hand);
}

static void a_refusal_is_tried_again_until_it_is_taken(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL);
    struct source durable = { 0 };
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    sink.outcome = outcome_retry("full", 0);
    start(&fixture);
    send(tail, 1, 3, &durable, RECEIPT_DURABLE);
    decide_all(tail);
    for (int i = 0; i < 3; i++)
        tail_sender_work(tail->sender, true);
    assert_true(sink.batches >= 3);
    assert_int_equal(durable.told, 0);
    assert_true(tail_sender_bytes(tail->sender) > 0);
    sink.outcome = OUTCOME_ACCEPTED;
    tail_sender_work(tail->sender, true);
    assert_int_equal(durable.told, 1);
    assert_int_equal(durable.outcome.verdict, VERDICT_ACCEPTED);
    assert_int_equal(sink.count, 3);
    assert_int_equal(tail_sender_bytes(tail->sender), 0);
    finish(&fixture, &sink);
}

static void a_source_whose_spans_are_given_up_at_the_end_is_told_to_send_them_again(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL);
    struct source durable = { 0 };
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    sink.outcome = outcome_retry("full", 0);
    start(&fixture);
    send(tail, 1, 3, &durable, RECEIPT_DURABLE);
    finish(&fixture, &sink);
    assert_int_equal(durable.told, 1);
    assert_int_equal(durable.outcome.verdict, VERDICT_RETRY);
}

/* ---- late spans ---- */

static void late_spans_go_where_their_trace_went(void **state)
{
    static const char *const settings[] = { ALL, ALL "\ndecision_cache: {sampled_cache_size: 100}",
        ALL "\nrecord_policy: true\ndecision_cache: {sampled_cache_size: 100}" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture fixture;
        struct tail_sampling *tail = make(&fixture, settings[i]);
        struct source source = { 0 };
        struct sink sink;
        sink_init(&sink, tail);
        start(&fixture);
        send(tail, 1, 3, NULL, 0);
        drain(tail);
        assert_int_equal(sink.count, 3);
        assert_int_equal(memmem(sink.last.data, sink.last.size, "tailsampling.policy", 19) != NULL, i == 2);
        sink.outcome = outcome_retry("full", 0);
        send(tail, 1, 2, &source, RECEIPT_ACCEPTED); /* nothing of it is held: the sink's answer is the source's */
        assert_int_equal(source.outcome.verdict, VERDICT_RETRY);
        sink.outcome = OUTCOME_ACCEPTED;
        send(tail, 1, 2, &source, RECEIPT_DURABLE);
        assert_int_equal(source.outcome.verdict, VERDICT_ACCEPTED);
        assert_int_equal(sink.count, 5);
        assert_int_equal(memmem(sink.last.data, sink.last.size, "tailsampling.cached_decision", 28) != NULL, i == 2);
        assert_int_equal(source.told, 2);
        finish(&fixture, &sink);
    }
}

/* ---- bounds ---- */

static void too_many_traces_are_decided_early_and_none_is_lost(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL "\nnum_traces: 10");
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    start(&fixture);
    for (uint8_t trace = 1; trace <= 200; trace++)
        send(tail, trace, 2, NULL, 0);
    assert_true(atomic_load(&atomic_load(&tail->store)->open) <= 10);
    assert_int_equal(metric_value(tail->accounts.early[TAIL_EARLY_NUM_TRACES]), 190);
    drain(tail);
    assert_int_equal(sink.count, 400);
    finish(&fixture, &sink);
}

static void or_refused_when_that_is_wanted(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL "\nnum_traces: 10\nblock_on_overflow: true");
    size_t refused = 0;
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    start(&fixture);
    for (uint8_t trace = 1; trace <= 20; trace++) {
        struct source source = { 0 };
        send(tail, trace, 2, &source, RECEIPT_ACCEPTED);
        assert_int_equal(source.told, 1);
        refused += source.outcome.verdict == VERDICT_RETRY;
    }
    assert_int_equal(refused, 10);
    drain(tail);
    assert_int_equal(sink.count, 20);
    send(tail, 100, 2, NULL, 0); /* what is decided makes room */
    drain(tail);
    assert_int_equal(sink.count, 22);
    finish(&fixture, &sink);
}

static void a_trace_of_very_many_spans_stays_within_the_memory(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL "\nmax_memory_mib: 8");
    size_t most = 0;
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    start(&fixture);
    for (size_t i = 0; i < 100; i++) {
        send(tail, 1, 10000, NULL, 0);
        size_t held = atomic_load(&atomic_load(&tail->store)->bytes);
        most = held > most ? held : most;
    }
    drain(tail);
    assert_int_equal(sink.per_trace[1], 1000000);
    assert_true(most < 9 << 20);
    assert_int_equal(metric_value(tail->accounts.early[TAIL_EARLY_TRACE_SIZE]), 1);
    finish(&fixture, &sink);
}

static void large_spans_and_traces(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL "\nmax_memory_mib: 4\nmaximum_trace_size_bytes: 3000000");
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    start(&fixture);
    consume(&tail->base.consumer, batch_create(SIGNAL_TRACES, request(1, 1, 10 << 20), 1, NULL));
    consume(&tail->base.consumer, batch_create(SIGNAL_TRACES, request(2, 2, 500000), 2, NULL));
    drain(tail);
    assert_int_equal(sink.per_trace[1], 0);
    assert_int_equal(sink.per_trace[2], 2);
    assert_int_equal(metric_value(tail->accounts.too_large), 1);
    finish(&fixture, &sink);
}

static void spans_without_a_trace_id_are_decided_alone(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, "policies: [{name: one, type: span_count, span_count: {min_spans: 1, max_spans: 1}}]");
    struct source source = { 0 };
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    start(&fixture);
    send(tail, 0, 1000, &source, RECEIPT_DURABLE);
    assert_int_equal(sink.count, 1000);
    assert_int_equal(source.told, 1);
    assert_int_equal(metric_value(tail->accounts.without_id), 1000);
    finish(&fixture, &sink);
}

static void pending_traces_are_dropped_at_the_end_when_that_is_wanted(void **state)
{
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL "\ndrop_pending_traces_on_shutdown: true");
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    start(&fixture);
    send(tail, 1, 5, NULL, 0);
    drain(tail);
    assert_int_equal(sink.count, 0);
    finish(&fixture, &sink);
}

/* ---- reload ---- */

static void a_successor_takes_over_what_is_held(void **state)
{
    struct fixture old_fixture, new_fixture;
    struct tail_sampling *old = make(&old_fixture, NONE "\nrecord_policy: true"), *new;
    struct source durable = { 0 };
    struct sink old_sink, new_sink;

    (void)state;
    new = make(&new_fixture,
        "policies: [{name: four, type: span_count, span_count: {min_spans: 4, max_spans: 4}}]\nrecord_policy: true\nnum_traces: 3");
    sink_init(&old_sink, old);
    sink_init(&new_sink, new);
    start(&old_fixture);
    send(old, 1, 2, &durable, RECEIPT_DURABLE);
    send(old, 2, 2, NULL, 0);
    start(&new_fixture);
    tail_sampling_processor.inherit(&new->base, &old->base);
    drain(old);
    instance_destroy(old_fixture.instance);
    arena_fini(&old_fixture.arena);
    assert_int_equal(old_sink.count, 0);
    assert_int_equal(durable.told, 0);
    send(new, 1, 2, NULL, 0);
    send(new, 2, 3, NULL, 0);
    drain(new);
    assert_int_equal(new_sink.per_trace[1], 4);
    assert_int_equal(new_sink.per_trace[2], 0);
    assert_int_equal(durable.told, 1);
    finish(&new_fixture, &new_sink);
}

/* ---- what nobody should send ---- */

static void a_request_cut_at_any_byte_does_no_harm(void **state)
{
    struct payload *whole = request(1, 3, 30);
    struct fixture fixture;
    struct tail_sampling *tail = make(&fixture, ALL "\nrecord_policy: true\ndecision_wait_after_root_received: 1s");
    struct sink sink;

    (void)state;
    sink_init(&sink, tail);
    sink.outcome = outcome_rejected("not looked at");
    start(&fixture);
    for (size_t size = 0; size <= whole->size; size++) {
        struct payload *cut = payload_create(size);
        memcpy(cut->data, whole->data, size);
        cut->size = size;
        consume(&tail->base.consumer, batch_create(SIGNAL_TRACES, cut, 3, NULL));
    }
    drain(tail);
    payload_unref(whole);
    finish(&fixture, &sink);
}

static int set_up(void **state)
{
    struct error err;

    (void)state;
    log_configure(&(struct log_settings){ .level = LOG_ERROR, .fd = STDERR_FILENO });
    return loops_start(1, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loops_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_spans_are_accepted_and_durable_only_when_delivered),
        cmocka_unit_test(what_is_not_sampled_is_settled_when_it_is_decided),
        cmocka_unit_test(a_refusal_is_tried_again_until_it_is_taken),
        cmocka_unit_test(a_source_whose_spans_are_given_up_at_the_end_is_told_to_send_them_again),
        cmocka_unit_test(late_spans_go_where_their_trace_went),
        cmocka_unit_test(too_many_traces_are_decided_early_and_none_is_lost),
        cmocka_unit_test(or_refused_when_that_is_wanted),
        cmocka_unit_test(a_trace_of_very_many_spans_stays_within_the_memory),
        cmocka_unit_test(large_spans_and_traces),
        cmocka_unit_test(spans_without_a_trace_id_are_decided_alone),
        cmocka_unit_test(pending_traces_are_dropped_at_the_end_when_that_is_wanted),
        cmocka_unit_test(a_successor_takes_over_what_is_held),
        cmocka_unit_test(a_request_cut_at_any_byte_does_no_harm),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
