/* What the tests of this folder share: a tree loaded from text, with its errors. */
#ifndef WEIR_TESTS_UNIT_CONFIG_LOADED_H
#define WEIR_TESTS_UNIT_CONFIG_LOADED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/config/tree.h" /* before cmocka, which has a macro called fail */

#include <cmocka.h>

struct loaded {
    struct arena arena;
    struct config_errors errors;
    struct config_node *tree;
};

static inline void load_sources(struct loaded *self, const struct config_source *sources, size_t count)
{
    *self = (struct loaded){ .tree = NULL };
    self->errors.arena = &self->arena;
    self->tree = config_load(&self->arena, sources, count, &self->errors);
}

/* The text as one source, "yaml". */
static inline void load_text(struct loaded *self, const char *text)
{
    char *source = malloc(strlen(text) + 6);

    memcpy(source, "yaml:", 5);
    memcpy(source + 5, text, strlen(text) + 1);
    load_sources(self, &(struct config_source){ source, false }, 1);
    free(source);
}

static inline void unload(struct loaded *self)
{
    arena_fini(&self->arena);
}

/* The nth error or warning, from 0; "" when there are fewer. */
static inline const char *error_text(const struct loaded *self, size_t n)
{
    const struct config_error *error = self->errors.first;

    while (error != NULL && n-- > 0)
        error = error->next;
    return error != NULL ? error->text : "";
}

static inline void assert_no_errors(const struct loaded *self)
{
    if (self->errors.count > 0)
        fail_msg("unexpected error: %s", error_text(self, 0));
}

/* Exactly this one error. */
static inline void assert_error(const struct loaded *self, const char *text)
{
    assert_string_equal(error_text(self, 0), text);
    assert_int_equal(self->errors.count, 1);
}

/* The node at "a.b.c"; list items by number. NULL: none. */
static inline const struct config_node *at(const struct loaded *self, const char *path)
{
    const struct config_node *node = self->tree;
    char *copy = strdup(path);

    for (char *part = strtok(copy, "."); part != NULL && node != NULL; part = strtok(NULL, ".")) {
        if (node->kind == CONFIG_MAP) {
            node = config_get(node, part);
            continue;
        }
        node = node->children;
        for (int i = atoi(part); i > 0 && node != NULL; i--)
            node = node->next;
    }
    free(copy);
    return node;
}

static inline void assert_scalar(const struct loaded *self, const char *path, const char *text)
{
    const struct config_node *node = at(self, path);

    assert_non_null(node);
    assert_int_equal(node->kind, CONFIG_SCALAR);
    assert_string_equal(node->text, text);
}

#endif
