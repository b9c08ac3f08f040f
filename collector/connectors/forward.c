/* forward connector: the end of some pipelines is the beginning of others, of the same signal. Nothing is held or changed. */
#include "collector/component.h"

static const struct option options[] = { { 0 } };

static void forward_consume(struct component *component, struct batch *batch)
{
    component_emit(component, batch);
}

const struct component_type forward_connector = {
    .name = "forward",
    .kind = COMPONENT_CONNECTOR,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_BETA,
    .summary = "Passes batches from one pipeline to others of the same signal.",
    .options = options,
    .instance_size = sizeof(struct component),
    .consume = forward_consume,
};
