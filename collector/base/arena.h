/*
 * An arena: many small allocations, freed together. Named for what ends it (process, configuration,
 * connection, batch). Memory comes zeroed. Not thread-safe.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "collector/base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; newest first */
    size_t block_size;          /* 0: 4 KiB */
};

/* Frees all; fini of a zeroed arena is fine. */
void arena_fini(struct arena *arena);

/* Zeroed, aligned for any type. Aborts when out of memory: arenas are for start-up and configuration. */
void *arena_alloc(struct arena *arena, size_t size);

/* NUL-terminated copies that live as long as the arena. */
char *arena_string(struct arena *arena, struct slice s);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
