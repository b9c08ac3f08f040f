/*
 * Configuration as a tree that remembers where each value was written.
 *
 * Sources are read, merged (maps key by key, everything else replaced by the later one; `--set` after all others) and expanded
 * (${env:NAME:-default}, ${NAME}, ${file:...}, ${yaml:...}, $$). All nodes live in one arena and are immutable afterwards.
 * Bounds: 4 MiB a source, 100,000 nodes (aliases count as what they stand for), 10,000 keys a map, 100 levels.
 */
#ifndef WEIR_CONFIG_TREE_H
#define WEIR_CONFIG_TREE_H

#include "collector/base/arena.h"
#include "collector/base/error.h"

enum config_kind { CONFIG_NULL, CONFIG_SCALAR, CONFIG_LIST, CONFIG_MAP };

struct config_node {
    enum config_kind kind;
    const char *key;      /* in a map; else NULL */
    const char *text;     /* scalars: the value as written, after expansion */
    bool quoted;          /* scalars: written as a string, so that "5" is not a number and "null" not nothing */
    const char *original; /* the whole value came from ${...}: what that gave, word for word; what a string option takes. Else NULL */
    const char *file;     /* where it was written: a path, "--set" or "default" */
    int line, column;     /* of the value, from 1; of the key: key_line, key_column */
    int key_line, key_column;
    struct config_node *children; /* lists and maps: the first */
    struct config_node *next;     /* the next sibling */
};

/* NULL when the map (or NULL) has no such key. */
const struct config_node *config_get(const struct config_node *map, const char *key);

/* Do both say the same? Positions don't count, nor the order of a map's keys; NULL equals null. */
bool config_equal(const struct config_node *a, const struct config_node *b);

/* ---- errors: all of a configuration's, in the order of their positions ---- */

struct config_errors {
    struct arena *arena; /* borrowed */
    struct config_error *first, *last;
    size_t count; /* errors */
    size_t warnings;
    size_t kept; /* in the list; after 1,000 they are only counted */
};

struct config_error {
    const char *text; /* "weir.yaml:12:5: exporters.otlp.endpont: unknown key, did you mean \"endpoint\"?" */
    bool warning;
    const char *file;
    int line, column;
    struct config_error *next;
};

/* node NULL: no position. `path` is the dotted path of the value. */
void config_error_add(struct config_errors *errors, const struct config_node *node, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, at the node's key. */
void config_error_add_at_key(struct config_errors *errors, const struct config_node *node, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void config_warning_add(struct config_errors *errors, const struct config_node *node, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- reading ---- */

struct config_source {
    const char *text; /* a path, "yaml:...", "env:NAME" or "file:..."; for --set: "a.b=c" */
    bool is_set;
};

/* The merged tree, a map; NULL when there is an error (then errors->count > 0). */
struct config_node *config_load(struct arena *arena, const struct config_source *sources, size_t count, struct config_errors *errors);

/* The nearest of the candidates (NULL-terminated), or NULL when none is near: for "did you mean". */
const char *config_nearest(const char *word, const char *const *candidates);

#endif
