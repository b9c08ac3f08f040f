/*
 * Label sets: of a target, of a sample. The text is borrowed, or kept in the set's own blocks until it is cleared.
 *
 * Running out of memory sticks in `failed`, which the owner checks once at the end.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_LABELS_H
#define WEIR_RECEIVERS_PROMETHEUS_LABELS_H

#include "collector/base/slice.h"

struct label {
    struct slice name, value;
};

struct label_block;

struct labels {
    struct label *items; /* owned */
    size_t count, capacity;
    struct label_block *blocks; /* owned; the newest first */
    bool failed;
};

/* fini of a zeroed set is fine. */
void labels_fini(struct labels *labels);
/* No labels and no text; some memory is kept. */
void labels_clear(struct labels *labels);

/* A copy that lives until the set is cleared; empty when memory is out. */
struct slice labels_keep(struct labels *labels, struct slice text);
/* Room for `size` bytes with the same life; NULL when memory is out. */
uint8_t *labels_room(struct labels *labels, size_t size);

/* Appends, whatever is there already. The text is borrowed. */
void labels_add(struct labels *labels, struct slice name, struct slice value);
/* In the place of a label of that name, if there is one; an empty value removes it. */
void labels_set(struct labels *labels, struct slice name, struct slice value);
void labels_remove(struct labels *labels, struct slice name);

/* data NULL: there is none. */
struct slice labels_get(const struct labels *labels, struct slice name);

/* By name; equal names keep their order. */
void labels_sort(struct labels *labels);
/* Of a sorted set: the first name that is there twice; data NULL: none. */
struct slice labels_duplicate(const struct labels *labels);

/* [a-zA-Z_][a-zA-Z0-9_]*; for metric names ':' too. */
bool label_name_is_legacy(struct slice name, bool metric);

#endif
