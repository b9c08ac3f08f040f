/* Times in logs: layouts of strptime, of Go and of epochs, in a location. */
#ifndef WEIR_STANZA_TIMESTAMP_H
#define WEIR_STANZA_TIMESTAMP_H

#include "collector/base/arena.h"
#include "collector/base/error.h"
#include "collector/stanza/value.h"

enum stanza_layout_type { STANZA_STRPTIME, STANZA_GOTIME, STANZA_EPOCH };

struct stanza_zone; /* a location's offsets from UTC */

struct stanza_layout {
    enum stanza_layout_type type;
    struct slice format;            /* strptime's directives, or the epoch's unit */
    const struct stanza_zone *zone; /* NULL: UTC */
    bool has_year, has_zone;
};

/* location NULL or "": that of this machine; else UTC, Local or a name as the system's time zone files have them. */
bool stanza_layout_init(struct stanza_layout *layout, struct arena *arena, const char *text, const char *location, struct error *err);
/* False with a problem (static). A year that is missing is that of `now_ns`, or the one beside it that is nearer. */
bool stanza_layout_read(
    const struct stanza_layout *layout, const struct stanza_value *value, uint64_t now_ns, uint64_t *time_ns, const char **problem);

/* "2026-11-21T06:07:08.123456789Z" or with an offset: the whole text. */
bool stanza_read_rfc3339(struct slice text, uint64_t *time_ns);

/* The zone of a location; NULL with an error, or for UTC without one. */
const struct stanza_zone *stanza_zone_load(struct arena *arena, const char *location, struct error *err);
/* Seconds east of UTC at a time of that location's clocks. */
int32_t stanza_zone_offset(const struct stanza_zone *zone, int64_t local_seconds);

#endif
