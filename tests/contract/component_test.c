/*
 * What every registered component must hold, looped over the registry: starts and stops in any order, settles every receipt
 * exactly once whatever comes after it, loses and doubles nothing, and takes each option at both ends of its range
 * but not one step beyond. Settings to start a component with stand in tests/contract/examples/KIND-NAME.yaml.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/accounts.h"
#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/instance.h"
#include "collector/net/loop.h"
#include "collector/registry.h"

#include <cmocka.h>

/* ---- a component, made from its example ---- */

struct fixture {
    struct arena arena;
    struct config_errors errors;
    struct configuration_component settings;
    struct loaded loaded;
    struct instance *instance;
};

static void print_errors(const struct config_errors *errors)
{
    for (const struct config_error *error = errors->first; error != NULL; error = error->next)
        print_message("%s\n", error->text);
}

static void fixture_init(struct fixture *fixture, const struct component_type *type)
{
    struct config_source source;
    struct error err = { "" };

    *fixture = (struct fixture){ .loaded = { 2, NULL } }; /* one more reference than is given back: it is on the stack */
    fixture->errors.arena = &fixture->arena;
    source.text = arena_printf(&fixture->arena, "tests/contract/examples/%s-%s.yaml", component_kind_name(type->kind), type->name);
    source.is_set = false;
    fixture->settings = (struct configuration_component){ type, type->name, type->name, NULL, true };
    fixture->settings.node = config_load(&fixture->arena, &source, 1, &fixture->errors);
    print_errors(&fixture->errors);
    assert_int_equal(fixture->errors.count, 0);
    fixture->instance = instance_create(&fixture->loaded, &fixture->settings, "", &err);
    if (fixture->instance == NULL)
        print_message("%s: %s\n", type->name, err.message);
    assert_non_null(fixture->instance);
    if (type->validate != NULL)
        assert_true(type->validate(fixture->instance->component, &err));
}

static void fixture_fini(struct fixture *fixture)
{
    instance_destroy(fixture->instance);
    arena_fini(&fixture->arena);
}

static void start(struct fixture *fixture)
{
    struct error err = { "" };

    if (!instance_start(fixture->instance, &err))
        fail_msg("%s", err.message);
}

/* ---- a sink that answers from a pattern, now or later ---- */

enum answer { ANSWER_ACCEPT, ANSWER_RETRY, ANSWER_REJECT, ANSWER_MIX, ANSWER_COUNT };

struct sink {
    struct component component;
    enum answer answer;
    atomic_size_t batches, records;
};

static void sink_consume(struct consumer *consumer, struct batch *batch)
{
    struct sink *sink = (struct sink *)consumer;
    const struct outcome outcomes[] = { OUTCOME_ACCEPTED, outcome_retry("test", 0), outcome_rejected("test") };
    size_t turn = atomic_fetch_add(&sink->batches, 1);

    atomic_fetch_add(&sink->records, batch->records);
    if (turn % 2 == 1)
        batch_accept(batch);
    batch_settle(batch, outcomes[sink->answer == ANSWER_MIX ? turn % 3 : (size_t)sink->answer]);
}

static const struct component_type sink_type = { .name = "sink", .kind = COMPONENT_EXPORTER, .signals = SIGNALS_ALL };

static void sink_init(struct sink *sink, enum answer answer)
{
    *sink = (struct sink){ .answer = answer };
    sink->component.type = &sink_type;
    sink->component.id = sink->component.path = "sink";
    sink->component.consumer = (struct consumer){ sink_consume, &sink->component };
}

struct source {
    atomic_int told;
};

static void told(void *context, struct outcome outcome)
{
    (void)outcome;
    atomic_fetch_add(&((struct source *)context)->told, 1);
}

/* One resource, one scope, `records` records that are as empty as the signal allows. */
static struct batch *make(enum signal signal, size_t records, struct source *source, enum receipt_level level)
{
    /* a metric needs a data point to count: Metric{gauge{data_points{}}} */
    static const uint8_t point[] = { 0x12, 0x04, 0x2a, 0x02, 0x0a, 0x00 }, plain[] = { 0x12, 0x00 };
    const uint8_t *record = signal == SIGNAL_METRICS ? point : plain;
    size_t size = signal == SIGNAL_METRICS ? sizeof(point) : sizeof(plain), scope = size * records;
    struct payload *payload = payload_create(scope + 4);

    assert_true(scope + 2 < 128);
    memcpy(payload->data, (uint8_t[]){ 0x0a, (uint8_t)(scope + 2), 0x12, (uint8_t)scope }, 4);
    for (size_t i = 0; i < records; i++)
        memcpy(payload->data + 4 + i * size, record, size);
    payload->size = scope + 4;
    return batch_create(signal, payload, records, receipt_create(level, told, source));
}

/* ---- the contracts ---- */

static void check_start_and_stop(const struct component_type *type)
{
    struct fixture fixture;

    fixture_init(&fixture, type); /* stop without start */
    fixture.instance->start_called = true;
    fixture_fini(&fixture);
    fixture_init(&fixture, type); /* neither */
    fixture_fini(&fixture);
    for (int i = 0; i < 3; i++) { /* again and again */
        fixture_init(&fixture, type);
        start(&fixture);
        fixture_fini(&fixture);
    }
}

static void check_settling(const struct component_type *type, enum signal signal, enum answer answer)
{
    enum { REQUESTS = 40 };
    struct source sources[REQUESTS] = { 0 };
    struct fixture fixture;
    struct sink sink;
    size_t sent = 0;

    sink_init(&sink, answer);
    fixture_init(&fixture, type);
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        fixture.instance->component->next[i] = &sink.component.consumer;
    start(&fixture);
    for (size_t i = 0; i < REQUESTS; i++) {
        size_t records = 1 + i % 7;

        sent += records;
        consume(&fixture.instance->component->consumer, make(signal, records, &sources[i], i % 2 == 0 ? RECEIPT_ACCEPTED : RECEIPT_DURABLE));
    }
    if (type->drain != NULL)
        type->drain(fixture.instance->component);
    fixture_fini(&fixture);
    for (size_t i = 0; i < REQUESTS; i++)
        assert_int_equal(atomic_load(&sources[i].told), 1);
    if (type->kind == COMPONENT_PROCESSOR || type->kind == COMPONENT_CONNECTOR)
        assert_int_equal(atomic_load(&sink.records), sent);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void every_component_starts_and_stops_in_any_order(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++)
        check_start_and_stop(registry[i]);
}

static void every_receipt_is_settled_once_whatever_comes_after(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++) {
        for (size_t signal = 0; registry[i]->consume != NULL && signal < SIGNAL_COUNT; signal++) {
            if ((registry[i]->signals & 1U << signal) == 0)
                continue;
            for (int answer = 0; answer < ANSWER_COUNT; answer++)
                check_settling(registry[i], (enum signal)signal, (enum answer)answer);
        }
    }
}

/* ---- options ---- */

/* Where an option stands: its keys from the outermost in. */
struct place {
    const struct component_type *type;
    const char *prefix, *suffix; /* "{a: {b: ", "}}" */
};

/* Whether the table takes `value` there; other required keys are of no matter, so only errors at this key count. */
static bool takes(const struct place *place, const struct option *option, const char *value)
{
    struct arena arena = { 0 };
    struct config_errors errors = { .arena = &arena };
    struct config_source source = { arena_printf(&arena, "yaml:%s%s: %s%s", place->prefix, option->key, value, place->suffix), false };
    struct config_node *node = config_load(&arena, &source, 1, &errors);
    void *instance = calloc(1, place->type->instance_size);
    struct option_target target = { instance, &arena, &errors };
    char *needle = arena_printf(&arena, "%s:", option->key);
    bool taken = true;

    assert_non_null(node);
    option_fill(place->type->options, node, "c", &target);
    for (const struct config_error *error = errors.first; error != NULL; error = error->next)
        taken &= error->warning || strstr(error->text, needle) == NULL;
    free(instance);
    arena_fini(&arena);
    return taken;
}

static void check_range(const struct place *place, const struct option *option)
{
    char low[64], high[64];
    const char *dots = strstr(option->range, "..");
    char beyond[80];

    if (dots == NULL)
        return;
    snprintf(low, sizeof(low), "%.*s", (int)(dots - option->range), option->range);
    snprintf(high, sizeof(high), "%s", dots + 2);
    if (low[0] != '\0') {
        assert_true(takes(place, option, low));
        if (option->kind == OPTION_INT) {
            snprintf(beyond, sizeof(beyond), "%lld", atoll(low) - 1);
            assert_false(takes(place, option, beyond));
        }
    }
    if (high[0] != '\0') {
        assert_true(takes(place, option, high));
        if (option->kind == OPTION_INT || option->kind == OPTION_DOUBLE) {
            snprintf(beyond, sizeof(beyond), "%lld", atoll(high) + 1);
            assert_false(takes(place, option, beyond));
        }
    }
}

static void check_enum(const struct place *place, const struct option *option)
{
    char *words = strdup(option->range), *rest = words;

    for (char *word = strtok_r(rest, "|", &rest); word != NULL; word = strtok_r(NULL, "|", &rest))
        assert_true(takes(place, option, word));
    assert_false(takes(place, option, "no-such-word"));
    free(words);
}

static void check_options(const struct place *place, const struct option *table)
{
    for (; table->key != NULL; table++) {
        struct place inner = *place;
        char prefix[512], suffix[128];

        if ((table->kind == OPTION_INT || table->kind == OPTION_DOUBLE || table->kind == OPTION_DURATION) && table->range != NULL)
            check_range(place, table);
        if (table->kind == OPTION_ENUM)
            check_enum(place, table);
        if (table->kind == OPTION_BOOL)
            assert_false(takes(place, table, "neither"));
        if (table->kind == OPTION_DURATION)
            assert_false(takes(place, table, "soon"));
        if (table->kind == OPTION_INCLUDE)
            check_options(place, table->fields);
        if (table->kind == OPTION_BLOCK) {
            snprintf(prefix, sizeof(prefix), "%s%s: {", place->prefix, table->key);
            snprintf(suffix, sizeof(suffix), "}%s", place->suffix);
            inner.prefix = prefix;
            inner.suffix = suffix;
            check_options(&inner, table->fields);
        }
    }
}

static void every_option_is_taken_at_both_ends_of_its_range_and_not_beyond(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++)
        check_options(&(struct place){ registry[i], "{", "}" }, registry[i]->options);
}

static void every_option_has_a_help_text(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++) {
        assert_non_null(registry[i]->summary);
        for (const struct option *option = registry[i]->options; option->key != NULL; option++)
            assert_true(option->kind == OPTION_INCLUDE || (option->help != NULL && option->help[0] != '\0'));
    }
}

static int set_up(void **state)
{
    struct error err;

    (void)state;
    log_configure(&(struct log_settings){ .level = LOG_ERROR, .sampling = true, .fd = STDERR_FILENO });
    return loops_start(2, &err) ? 0 : -1;
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
        cmocka_unit_test(every_component_starts_and_stops_in_any_order),
        cmocka_unit_test(every_receipt_is_settled_once_whatever_comes_after),
        cmocka_unit_test(every_option_is_taken_at_both_ends_of_its_range_and_not_beyond),
        cmocka_unit_test(every_option_has_a_help_text),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
