/* Fan-out: one batch to several consumers, by reference. */
#ifndef WEIR_COLLECTOR_FANOUT_H
#define WEIR_COLLECTOR_FANOUT_H

#include "collector/component.h"

/* The consumer that passes on to all targets (borrowed); one target is returned as it is. Lives in `arena`. count >= 1. */
struct consumer *fanout_create(struct arena *arena, struct consumer *const *targets, size_t count);

#endif
