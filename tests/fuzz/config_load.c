/* Any text as a configuration: it loads, or says why; what loads is printed, reads back, and is the same. */
#include <assert.h>
#include <stdlib.h>

#include "collector/config/option.h"
#include "tests/unit/config/toy_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tree {
    struct arena arena;
    struct config_errors errors;
    struct config_node *root;
};

static void load(struct tree *self, struct slice bytes)
{
    char *source = malloc(bytes.size + 6);

    if (source == NULL)
        abort();
    memcpy(source, "yaml:", 5);
    if (bytes.size > 0)
        memcpy(source + 5, bytes.data, bytes.size);
    source[bytes.size + 5] = '\0';
    *self = (struct tree){ .root = NULL };
    self->errors.arena = &self->arena;
    self->root = config_load(&self->arena, &(struct config_source){ source, false }, 1, &self->errors);
    free(source);
    assert((self->root == NULL) == (self->errors.count > 0));
}

static bool fill(struct tree *self, struct toy *toy)
{
    size_t before = self->errors.count;
    bool fine = option_fill(toy_options, self->root, "toy", &(struct option_target){ toy, &self->arena, &self->errors });

    assert(fine == (self->errors.count == before));
    return fine;
}

/* A configuration that is accepted is printed so that it is accepted again. */
static void check_printed(const struct tree *first)
{
    struct buffer text = { 0 };
    struct toy toy = { .flag = false };
    struct tree second;

    option_print(toy_options, first->root, 0, &text);
    load(&second, buffer_slice(&text));
    assert(second.root != NULL && fill(&second, &toy));
    arena_fini(&second.arena);
    buffer_fini(&text);
}

static void check_dumped(const struct tree *first)
{
    struct buffer text = { 0 };

    option_print_node(first->root, 0, &text);
    buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct toy toy = { .flag = false };
    struct tree tree;

    load(&tree, slice_of(data, size));
    if (tree.root != NULL) {
        check_dumped(&tree);
        if (fill(&tree, &toy))
            check_printed(&tree);
    }
    arena_fini(&tree.arena);
    return 0;
}
