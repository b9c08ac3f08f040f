/*
 * Graphite's pickles, [(path, (seconds, value)), ...], read as data: texts, numbers, tuples and lists, in the protocols 0 to 5. An
 * operation that would name a class, call something or build an object ends the reading. I/O-free.
 */
#ifndef WEIR_CARBON_PICKLE_H
#define WEIR_CARBON_PICKLE_H

#include "receivers/carbon/line.h"

enum { PICKLE_MAX_VALUES = 200000 };

struct pickle_visit {
    void *context;
    void (*point)(void *context, const struct carbon_point *point); /* its path is borrowed for the call */
    void (*bad_point)(void *context, const char *reason);
};

/* NULL, or why the pickle was refused: a short static word; then no point was visited. */
const char *pickle_read(struct slice pickle, uint64_t now_ns, const struct pickle_visit *visit);

#endif
