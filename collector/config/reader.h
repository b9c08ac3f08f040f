/* YAML text to nodes, and the expressions in them; what config_load is made of. */
#ifndef WEIR_CONFIG_READER_H
#define WEIR_CONFIG_READER_H

#include "collector/base/buffer.h"
#include "collector/config/tree.h"

enum { CONFIG_SOURCE_MAX = 4 << 20, CONFIG_NODES_MAX = 100000, CONFIG_KEYS_MAX = 10000, CONFIG_DEPTH_MAX = 100 };

/* What one config_load may use up. */
struct config_reading {
    struct arena *arena;
    struct config_errors *errors;
    size_t nodes_left;
    size_t expansion_left; /* bytes that expressions may still be searched in and give */
};

struct config_text {
    struct slice bytes;
    const char *file;             /* for errors */
    const struct config_node *at; /* NULL, or where all of it counts as written */
    bool quiet;                   /* text that is not YAML is no error: NULL is returned and nothing said */
};

/* The first document; an empty one is null. NULL after an error. Aliases and merge keys are resolved. */
struct config_node *config_read_yaml(struct config_reading *reading, const struct config_text *text);

/* Expands every ${...} and $$ below `root`; false after an error. */
bool config_expand(struct config_reading *reading, struct config_node *root);

/* The file's content, in the arena. Standard input and pipes are fine; longer than CONFIG_SOURCE_MAX is not. */
bool config_read_file(struct arena *arena, const char *path, struct slice *content, struct error *err);

/* "scheme:rest": the length of a scheme of two letters or more (letters, digits, '+', '.', '-'), or 0. */
size_t config_scheme_length(const char *text);

/* A NAME as environment variables have it. */
bool config_is_variable_name(const char *text);

#endif
