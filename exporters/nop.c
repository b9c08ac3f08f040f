/* nop exporter: takes everything and keeps nothing; for trying pipelines and for benches. Any thread, no cost. */
#include "collector/component.h"

static void nop_consume(struct component *self, struct batch *batch)
{
    (void)self;
    batch_settle(batch, OUTCOME_ACCEPTED);
}

static const struct option options[] = { { 0 } };

const struct component_type nop_exporter = {
    .name = "nop",
    .kind = COMPONENT_EXPORTER,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_STABLE,
    .summary = "Takes telemetry and throws it away.",
    .options = options,
    .instance_size = sizeof(struct component),
    .consume = nop_consume,
};
