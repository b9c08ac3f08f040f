/* A stretch of failures of one destination: told once when it begins, once for each new cause, and once when it is over. Any thread. */
#ifndef WEIR_EXPORTERS_STRETCH_H
#define WEIR_EXPORTERS_STRETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed at first. */
struct stretch {
    _Atomic(const char *) reason; /* of the last failure; NULL: it works */
    atomic_uint_fast64_t attempts;
    atomic_int_fast64_t since_ns;
};

/* One more failure, for a static reason. Whether this one is to be told. */
bool stretch_failed(struct stretch *stretch, const char *reason);

struct stretch_past {
    uint64_t attempts;
    double seconds;
};
/* It worked. Whether that ends a stretch, which is to be told. Costs one load when all is well. */
bool stretch_worked(struct stretch *stretch, struct stretch_past *past);

#endif
