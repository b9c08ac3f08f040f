/* Words about components that several commands print. */
#include "collector/commands/listing.h"

const char *listing_stability(enum component_stability stability)
{
    return stability == STABILITY_STABLE ? "stable" : stability == STABILITY_BETA ? "beta" : "alpha";
}

void listing_signals(struct buffer *out, unsigned signals, const char *between, const char *around)
{
    bool first = true;

    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (!(signals & 1U << i))
            continue;
        buffer_append_string(out, first ? "" : between);
        buffer_append_string(out, around);
        buffer_append_string(out, signal_name((enum signal)i));
        buffer_append_string(out, around);
        first = false;
    }
}
