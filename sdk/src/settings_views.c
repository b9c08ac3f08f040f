/* Views, copied into one block of memory. Start-up only. */
#include <stdlib.h>

#include "sdk/src/settings.h"

/* A block that is handed out in pieces; with `base` NULL it only counts. */
struct block {
    char *base;
    size_t used;
};

static void *piece(struct block *block, const void *from, size_t size)
{
    void *to = block->base != NULL ? block->base + block->used : NULL;

    if (to != NULL && size != 0)
        memcpy(to, from, size);
    block->used += (size + 7) & ~(size_t)7;
    return to;
}

static weir_str copy_text(struct block *block, weir_str text)
{
    return text.n != 0 && text.p != NULL ? weir_sn(piece(block, text.p, text.n), text.n) : weir_sn(NULL, 0);
}

static void copy_view(struct block *block, const weir_view *from, struct view *to)
{
    to->kind = from->any_kind;
    to->match_name = copy_text(block, from->match_name);
    to->match_unit = copy_text(block, from->match_unit);
    to->match_scope = copy_text(block, from->match_scope);
    to->name = copy_text(block, from->name);
    to->description = copy_text(block, from->description);
    to->filter = from->filter;
    to->keep_count = from->keep != NULL ? from->keep_count : 0;
    to->keep = piece(block, from->keep, to->keep_count * sizeof(weir_str));
    for (size_t i = 0; i < to->keep_count; i++) {
        weir_str name = copy_text(block, from->keep[i]);
        if (to->keep != NULL)
            to->keep[i] = name;
    }
    to->aggregation = from->aggregation;
    to->bound_count = from->bounds != NULL ? from->bound_count : 0;
    to->bounds = from->bounds != NULL ? piece(block, from->bounds, to->bound_count * sizeof(double)) : NULL;
    to->cardinality = from->cardinality;
}

/* Views of an older caller are shorter; the array's stride is the size the first one states. */
static weir_view known_view(const weir_config *config, size_t index)
{
    size_t stride = config->views[0].size;
    weir_view known;

    memset(&known, 0, sizeof(known));
    memcpy(&known, (const char *)config->views + index * stride, stride < sizeof(known) ? stride : sizeof(known));
    return known;
}

bool settings_copy_views(struct settings *settings, const weir_config *config)
{
    struct block block = { NULL, 0 };
    struct view ignored;

    if (config->views == NULL || config->view_count == 0 || config->views[0].size == 0)
        return true;
    for (size_t i = 0; i < config->view_count; i++) {
        weir_view view = known_view(config, i);
        copy_view(&block, &view, &ignored);
    }
    settings->views = calloc(config->view_count, sizeof(*settings->views));
    settings->view_memory = malloc(block.used + 1);
    if (settings->views == NULL || settings->view_memory == NULL)
        return false;
    block = (struct block){ settings->view_memory, 0 };
    for (size_t i = 0; i < config->view_count; i++) {
        weir_view view = known_view(config, i);
        copy_view(&block, &view, &settings->views[i]);
    }
    settings->view_count = config->view_count;
    return true;
}
