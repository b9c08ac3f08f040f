/* Time zones by name, from the system's tz database. Internal to collector/ottl. */
#ifndef WEIR_OTTL_ZONE_H
#define WEIR_OTTL_ZONE_H

#include "collector/base/arena.h"
#include "collector/base/error.h"

struct ottl_zone;

/* Start-up only: reads the zone into the arena; NULL with an error when there is no such zone. */
const struct ottl_zone *ottl_zone_load(struct slice name, struct arena *arena, struct error *err);

/* Seconds east of UTC at a local time, given as if it were UTC. Of a time that is skipped or comes twice, one of the two. */
int32_t ottl_zone_offset(const struct ottl_zone *zone, int64_t local_seconds);

#endif
