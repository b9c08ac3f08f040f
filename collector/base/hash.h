/* Hashes for tables, and random numbers for jitter; neither is for secrets. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include "collector/base/slice.h"

/* 64 bits, well mixed; the same within a process, seeded at start against chosen collisions. */
uint64_t hash_bytes(struct slice s);
uint64_t hash_combine(uint64_t a, uint64_t b);

/* Per-thread generator; uniform. */
uint64_t random_next(void);
double random_unit(void); /* [0, 1) */

#endif
