/*
 * Processors without a pipeline around them: made, wired one behind the other, given one batch, drained and stopped.
 * Threads: the caller's, and the loops' for those that have timers.
 */
#include <stdlib.h>

#include "collector/commands/test.h"
#include "collector/hop.h"
#include "collector/instance.h"

/* Where the last processor sends to. */
struct capture {
    struct consumer consumer;
    struct component component;
    struct test_result *result;
};

static const struct component_type capture_type = { .name = "test", .kind = COMPONENT_EXPORTER, .signals = SIGNALS_ALL };

static void capture_consume(struct consumer *consumer, struct batch *batch)
{
    struct test_result *result = ((struct capture *)consumer)->result;

    for (size_t i = 0; i < batch->run_count; i++)
        buffer_append_slice(&result->wire, batch->runs[i].bytes);
    result->records += batch->records;
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static void told(void *context, struct outcome outcome)
{
    struct test_result *result = context;

    result->verdict = outcome.verdict;
    result->reason = outcome.reason;
}

/* ---- instances ---- */

struct chain {
    struct loaded loaded; /* only counted in */
    struct instance *instances[TEST_PROCESSORS_MAX];
    size_t count;
};

static bool make(struct chain *chain, const struct test_processors *processors, struct error *err)
{
    for (size_t i = 0; i < processors->count; i++) {
        chain->instances[i] = instance_create(&chain->loaded, processors->items[i], "test", err);
        if (chain->instances[i] == NULL)
            return fail_within(err, "%s", processors->items[i]->path);
        chain->count++;
    }
    return true;
}

static struct consumer *wire(struct chain *chain, enum signal signal, struct consumer *last)
{
    for (size_t i = chain->count; i-- > 0;) {
        chain->instances[i]->component->next[signal] = last;
        last = &chain->instances[i]->component->consumer;
    }
    return last;
}

static bool start(struct chain *chain, struct error *err)
{
    for (size_t i = 0; i < chain->count; i++)
        if (!instance_start(chain->instances[i], err))
            return false;
    return true;
}

static void drain(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        struct component *component = chain->instances[i]->component;
        if (component->type->drain != NULL)
            component->type->drain(component);
    }
}

static void end(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        instance_destroy(chain->instances[i]);
}

/* ---- the run ---- */

static bool send(struct consumer *first, const struct test_request *input, struct test_result *result)
{
    struct payload *payload = payload_create(input->wire.size);
    struct receipt *receipt = payload != NULL ? receipt_create(RECEIPT_DURABLE, told, result) : NULL;
    struct batch *batch;

    if (receipt == NULL) {
        payload_unref(payload);
        return false;
    }
    memcpy(payload->data, input->wire.data, input->wire.size);
    payload->size = input->wire.size;
    batch = batch_create(input->signal, payload, input->records, receipt);
    gate_enter();
    consume(first, batch);
    gate_leave();
    return batch != NULL;
}

bool test_run(const struct test_processors *processors, const struct test_request *input, struct test_result *result, struct error *err)
{
    struct capture capture = { .consumer = { capture_consume, &capture.component },
        .component = { .type = &capture_type, .id = "test", .path = "test" },
        .result = result };
    struct chain chain = { .loaded = { .references = 1 } };
    bool fine = make(&chain, processors, err);
    struct consumer *first = wire(&chain, input->signal, &capture.consumer);

    fine = fine && start(&chain, err);
    if (fine && !send(first, input, result))
        fine = fail(err, "out of memory");
    if (fine)
        drain(&chain);
    end(&chain);
    return fine;
}
