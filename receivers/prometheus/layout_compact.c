/*
 * Forgetting. Series that vanish leave their places behind; when those are more than the living, what lives moves into fresh arrays.
 * Cost: one copy of the layout, at most once for each time that half of it has gone.
 */
#include <stdlib.h>

#include "collector/base/hash.h"
#include "receivers/prometheus/layout.h"

enum { FEW = 256 };

/* Where things have gone; LAYOUT_NONE: nowhere. */
struct moved {
    uint32_t *groups, *series;
};

static uint32_t move_text(struct buffer *texts, struct slice text)
{
    uint32_t offset = (uint32_t)texts->size;

    buffer_append_slice(texts, text);
    return offset;
}

/* A family keeps its place, as homes do: names come and go more slowly than series. */
static bool move_families(struct layout *layout, struct buffer *texts)
{
    for (size_t i = 0; i < layout->family_count; i++) {
        struct family *family = &layout->families[i];

        family->name = move_text(texts, layout_text(layout, family->name, family->name_size));
        family->first = family->last = LAYOUT_NONE;
    }
    return !texts->failed;
}

static bool move_groups(struct layout *layout, struct buffer *texts, struct moved *moved)
{
    size_t kept = 0;

    table_fini(&layout->group_table);
    for (size_t i = 0; i < layout->group_count; i++) {
        struct group group = layout->groups[i];
        struct family *family = &layout->families[group.family];
        struct slice attributes = layout_text(layout, group.attributes, group.attributes_size);
        uint32_t number = (uint32_t)kept, hash = (uint32_t)hash_combine(hash_bytes(attributes), group.family);

        moved->groups[i] = LAYOUT_NONE;
        if (group.seen != layout->generation)
            continue;
        if (!table_add(&layout->group_table, hash, number))
            return false;
        moved->groups[i] = number;
        group.attributes = move_text(texts, attributes);
        group.next = LAYOUT_NONE;
        if (family->last != LAYOUT_NONE)
            layout->groups[family->last].next = number;
        else
            family->first = number;
        family->last = number;
        layout->groups[kept++] = group;
    }
    layout->group_count = kept;
    return !texts->failed;
}

static bool move_series(struct layout *layout, struct buffer *texts, struct moved *moved)
{
    size_t kept = 0;

    table_fini(&layout->series_table);
    for (size_t i = 0; i < layout->series_count; i++) {
        struct series series = layout->series[i];
        struct slice key = layout_key(layout, &series);

        moved->series[i] = LAYOUT_NONE;
        if (series.seen != layout->generation)
            continue;
        if (!table_add(&layout->series_table, (uint32_t)hash_bytes(key), (uint32_t)kept))
            return false;
        moved->series[i] = (uint32_t)kept;
        series.key_offset = move_text(texts, key);
        if (series.role != ROLE_INFO && series.group != LAYOUT_NONE)
            series.group = moved->groups[series.group];
        layout->series[kept++] = series;
    }
    layout->series_count = kept;
    return !texts->failed;
}

/* The first living one in a chain of numbers as they were before. */
static uint32_t living(const uint32_t *moved, const uint32_t *chain, uint32_t at)
{
    while (at != LAYOUT_NONE && moved[at] == LAYOUT_NONE)
        at = chain[at];
    return at == LAYOUT_NONE ? LAYOUT_NONE : moved[at];
}

static bool move_all(struct layout *layout, struct buffer *texts, struct moved *moved, uint32_t *siblings)
{
    for (size_t i = 0; i < layout->series_count; i++)
        siblings[i] = layout->series[i].sibling;
    if (!move_families(layout, texts) || !move_groups(layout, texts, moved) || !move_series(layout, texts, moved))
        return false;
    for (size_t i = 0; i < layout->group_count; i++)
        layout->groups[i].first = living(moved->series, siblings, layout->groups[i].first);
    for (size_t i = 0; i < layout->series_count; i++) {
        layout->series[i].sibling = living(moved->series, siblings, layout->series[i].sibling);
        layout->series[i].follower = i + 1 < layout->series_count ? (uint32_t)(i + 1) : LAYOUT_NONE;
    }
    layout->first = layout->series_count > 0 ? 0 : LAYOUT_NONE;
    return true;
}

/* Names may be spread over the texts in any way: the table of families is not touched, their texts move. */
void layout_compact(struct layout *layout)
{
    struct buffer texts = { .data = NULL };
    struct moved moved;
    uint32_t *siblings;
    bool done;

    if (layout->live == 0 || layout->series_count < FEW ||
        layout->series_count / 2 < layout->live + layout->samples - layout->kept + layout->malformed)
        return;
    moved.groups = malloc((layout->group_count + 1) * sizeof(uint32_t));
    moved.series = malloc((layout->series_count + 1) * sizeof(uint32_t));
    siblings = malloc((layout->series_count + 1) * sizeof(uint32_t));
    done = moved.groups != NULL && moved.series != NULL && siblings != NULL && move_all(layout, &texts, &moved, siblings);
    free(moved.groups);
    free(moved.series);
    free(siblings);
    buffer_fini(&layout->texts);
    layout->texts = texts;
    if (!done) /* memory is out in the midst of it: the next scrape begins anew */
        layout_reset(layout);
}

struct fitting {
    size_t size, part; /* of an item; of the count that may be free */
};

/* What `items` has room for beyond `count` is given back, when that is much. */
static void fit(void **items, size_t *capacity, size_t count, struct fitting fitting)
{
    void *smaller = *capacity - count > count / fitting.part + 1 ? realloc(*items, (count + 1) * fitting.size) : NULL;

    if (smaller == NULL)
        return;
    *items = smaller;
    *capacity = count + 1;
}

void layout_fit(struct layout *layout)
{
    size_t part = layout->added > 0 ? 5 : 16; /* what grows will grow again, by less */

    if (layout->live == 0)
        return;
    fit((void **)&layout->texts.data, &layout->texts.capacity, layout->texts.size, (struct fitting){ 1, part });
    fit((void **)&layout->series, &layout->series_capacity, layout->series_count, (struct fitting){ sizeof(*layout->series), part });
    fit((void **)&layout->groups, &layout->group_capacity, layout->group_count, (struct fitting){ sizeof(*layout->groups), part });
}
