/*
 * Option tables: one row a key says how it is parsed, checked, defaulted, printed and documented.
 * A component's table fills its zeroed instance by offset; the same table writes docs/components/ and the JSON Schema.
 */
#ifndef WEIR_CONFIG_OPTION_H
#define WEIR_CONFIG_OPTION_H

#include <stddef.h>

#include "collector/base/buffer.h"
#include "collector/config/tree.h"

enum option_kind {
    OPTION_END,
    /* kind             field at offset          notation, range */
    OPTION_BOOL,     /* bool                     true, false */
    OPTION_INT,      /* int64_t                  "1..65535"; "0.." for no upper end */
    OPTION_DOUBLE,   /* double                   "0..1" */
    OPTION_DURATION, /* int64_t, nanoseconds     Go's: 200ms, 1h30m; "1s..1h" */
    OPTION_STRING,   /* const char *             NULL when there is no default; range: "nonempty", or the words allowed: "tcp|unix" */
    OPTION_SECRET,   /* const char *             as a string, printed as [REDACTED] */
    OPTION_ENUM,     /* int                      range: "basic|normal|detailed", stored as the index from 0 */
    OPTION_STRINGS,  /* struct option_strings    a list, or comma-separated (the default too); range: what items may be, "a|b" */
    OPTION_PAIRS,    /* struct option_pairs      a map of strings, or a list of {name, value} */
    OPTION_ID,       /* const char *             a component's id, "basicauth/server" */
    OPTION_BLOCK,    /* a struct, by `fields`    a nested map; `present` says whether it was written */
    OPTION_INCLUDE,  /* a struct, by `fields`    the same, with its keys at this level; key is "" */
    OPTION_LIST,     /* struct option_list       list of maps, each a struct of `size` bytes by `fields` */
    OPTION_MAP,      /* struct option_list       map of maps; each struct begins with const char *key */
    OPTION_ANY,      /* const struct config_node *   taken as it stands; the component checks it */
    /* keys that are known and not options; nothing is stored */
    OPTION_UNSUPPORTED, /* the OpenTelemetry Collector has it, weir does not yet: an error that says so; a value equal to `def` passes */
    OPTION_REMOVED,     /* an error with `help` as the migration hint */
    OPTION_IGNORED,     /* accepted with a warning that says why (`help`) */
};

enum option_flag {
    OPTION_REQUIRED = 1,
    OPTION_DEPRECATED = 2, /* works, with a warning; `help` says what to use */
    OPTION_WEIR = 4,       /* weir's own, marked so in the docs */
    OPTION_HIDDEN = 8,     /* PAIRS, STRINGS: values are printed as [REDACTED] */
};

struct option {
    const char *key;
    enum option_kind kind;
    size_t offset;
    const char *def; /* as it would be written; NULL: zero, empty */
    const char *range;
    const char *help;
    const struct option *fields; /* BLOCK, INCLUDE, LIST, MAP */
    size_t size;                 /* LIST, MAP: of one item */
    size_t present;              /* BLOCK, LIST, MAP: offset of a bool that says the key was written (even with nothing in it); 0: none.
                                    `enabled: false` in such a block (when it has no key of that name) counts as not written */
    unsigned flags;
};

struct option_strings {
    const char *const *items;
    size_t count;
};
struct option_pair {
    const char *key, *value;
};
struct option_pairs {
    const struct option_pair *items;
    size_t count;
};
struct option_list {
    const void *items;
    size_t count;
};

/*
 * Fills `instance` (zeroed) with the defaults, then with what `node` says (map or NULL). Strings live in `arena` or in the node's. All
 * errors are added to `errors` under `path`. Returns whether there was none. A NULL table has no keys.
 */
struct option_target {
    void *instance;
    struct arena *arena;
    struct config_errors *errors;
};
bool option_fill(const struct option *table, const struct config_node *node, const char *path, const struct option_target *target);

/* Go's duration notation ("1h30m", "200ms", "0"); negative values are refused. */
bool option_parse_duration(const char *text, int64_t *nanoseconds);

/* "type" or "type/name", as the OpenTelemetry Collector allows them; name.data is NULL without one. The slices are borrowed from `text`. */
bool option_parse_id(const char *text, struct slice *type, struct slice *name);

/* ---- for those who print or document tables ---- */

/*
 * A table's rows with the INCLUDEs resolved, each key once: a row hides later ones, so that a component can give an included
 * key another default by listing it first.
 */
struct option_row {
    const struct option *option;
    size_t offset;
};
enum { OPTION_ROWS_MAX = 200 };
size_t option_rows(const struct option *table, struct option_row rows[OPTION_ROWS_MAX]);

/* The effective settings as YAML, each line indented: what was written, and the defaults of the rest; secrets are [REDACTED]. Reads back as the same. */
void option_print(const struct option *table, const struct config_node *node, int indent, struct buffer *out);
/* A node as it stands, as YAML, from the current line on ("key:" has been written). */
void option_print_node(const struct config_node *node, int indent, struct buffer *out);
/* A Markdown table of all keys, then what is not supported, ignored and removed. */
void option_docs(const struct option *table, struct buffer *out);
/* The JSON Schema of the map that the table describes. Refers to "#/$defs/expression". */
void option_schema(const struct option *table, struct buffer *out);
/* A JSON list of the keys with type, default, range, help. */
void option_json(const struct option *table, struct buffer *out);

#endif
