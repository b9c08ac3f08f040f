/*
 * An open-addressing table from hashes to numbers of things that are kept elsewhere: whoever looks up compares. Eight bytes a place,
 * half of them used at least after it has grown.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_TABLE_H
#define WEIR_RECEIVERS_PROMETHEUS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_place {
    uint32_t hash;
    uint32_t number; /* plus one; 0: free */
};

struct table {
    struct table_place *places; /* owned */
    size_t count, capacity;     /* a power of two, or 0 */
};

void table_fini(struct table *table);

/* false: memory is out. */
bool table_add(struct table *table, uint32_t hash, uint32_t number);

/* The numbers that were added with that hash, one after the other: *cursor is 0 at first. false: no more. */
bool table_next(const struct table *table, uint32_t hash, size_t *cursor, uint32_t *number);

#endif
