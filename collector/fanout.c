/* Fan-out: every target but the last gets another handle of the same bytes. */
#include "collector/fanout.h"

struct fanout {
    struct consumer consumer;
    size_t count;
    struct consumer **targets;
};

static void fanout_consume(struct consumer *consumer, struct batch *batch)
{
    struct fanout *fanout = (struct fanout *)consumer;

    for (size_t i = 0; i + 1 < fanout->count; i++) {
        struct batch *share = batch_share(batch);

        if (share == NULL) {
            /* some targets may have it already: the source sends again, a duplicate is better than a loss */
            batch_settle(batch, outcome_retry("no_memory", 0));
            return;
        }
        consume(fanout->targets[i], share);
    }
    consume(fanout->targets[fanout->count - 1], batch);
}

struct consumer *fanout_create(struct arena *arena, struct consumer *const *targets, size_t count)
{
    struct fanout *fanout;

    if (count == 1)
        return targets[0];
    fanout = arena_alloc(arena, sizeof(*fanout));
    fanout->consumer = (struct consumer){ fanout_consume, targets[0]->component };
    fanout->count = count;
    fanout->targets = arena_alloc(arena, count * sizeof(struct consumer *));
    for (size_t i = 0; i < count; i++)
        fanout->targets[i] = targets[i];
    return &fanout->consumer;
}
