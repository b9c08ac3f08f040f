/* Words about components that several commands print. */
#ifndef WEIR_COLLECTOR_COMMANDS_LISTING_H
#define WEIR_COLLECTOR_COMMANDS_LISTING_H

#include "collector/component.h"

const char *listing_stability(enum component_stability stability);

/* "traces, metrics"; `between` stands between the names, `around` at both sides of each. */
void listing_signals(struct buffer *out, unsigned signals, const char *between, const char *around);

#endif
