/* What HELP, TYPE and UNIT say: kept across scrapes, found by the same hint as series. */
#include <stdlib.h>

#include "collector/base/hash.h"
#include "receivers/prometheus/layout.h"

uint32_t layout_find_metadata(const struct layout *layout, struct slice name)
{
    uint32_t hash = (uint32_t)hash_bytes(name), number;
    size_t cursor = 0;

    while (table_next(&layout->metadata_table, hash, &cursor, &number))
        if (slice_equal(layout->metadata[number].name, name))
            return number;
    return LAYOUT_NONE;
}

/* false: memory is out, `into` is as it was. */
static bool keep(struct layout *layout, struct slice text, struct slice *into)
{
    uint8_t *copy;

    if (slice_equal(*into, text))
        return true;
    copy = malloc(text.size + 1);
    if (copy == NULL) {
        layout->failed = true;
        return false;
    }
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    free((void *)(uintptr_t)into->data);
    *into = slice_of(copy, text.size);
    return true;
}

static uint32_t add(struct layout *layout, struct slice name)
{
    struct layout_metadata entry = { .follower = LAYOUT_NONE }, *place;
    uint32_t number = (uint32_t)layout->metadata_count;

    if (!keep(layout, name, &entry.name))
        return LAYOUT_NONE;
    place = layout_grow((void **)&layout->metadata, &layout->metadata_count, &layout->metadata_capacity, sizeof(*place));
    if (place == NULL || !table_add(&layout->metadata_table, (uint32_t)hash_bytes(name), number)) {
        layout->metadata_count = number;
        layout->failed = true;
        free((void *)(uintptr_t)entry.name.data);
        return LAYOUT_NONE;
    }
    *place = entry;
    return number;
}

/* The entry of the name, made when there is none; NULL: memory is out. */
static struct layout_metadata *entry_of(struct layout *layout, struct slice name)
{
    uint32_t number = layout->metadata_hint;

    if (layout->metadata_last != LAYOUT_NONE && slice_equal(layout->metadata[layout->metadata_last].name, name))
        return &layout->metadata[layout->metadata_last];
    if (number == LAYOUT_NONE || !slice_equal(layout->metadata[number].name, name)) {
        number = layout_find_metadata(layout, name);
        if (number == LAYOUT_NONE) {
            number = add(layout, name);
            if (number == LAYOUT_NONE)
                return NULL;
            layout->metadata[number].follower = layout->metadata_hint;
        }
        if (layout->metadata_last != LAYOUT_NONE)
            layout->metadata[layout->metadata_last].follower = number;
        else
            layout->metadata_first = number;
    }
    layout->metadata_last = number;
    layout->metadata_hint = layout->metadata[number].follower;
    return &layout->metadata[number];
}

/* Whether there are samples already that may belong to what the name is the type of. */
static bool has_samples(const struct layout *layout, struct slice name)
{
    static const char *const suffixes[] = { "", "_bucket", "_sum", "_count", "_total", "_created", "_info" };
    struct buffer text = { .data = NULL };
    bool found = false;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && !found; i++) {
        buffer_clear(&text);
        buffer_append_slice(&text, name);
        buffer_append_string(&text, suffixes[i]);
        found = layout_has_family(layout, buffer_slice(&text));
    }
    buffer_fini(&text);
    return found;
}

void layout_put_type(struct layout *layout, struct slice name, enum metric_type type)
{
    struct layout_metadata *entry = entry_of(layout, name);

    if (entry == NULL || (entry->typed && entry->type == (uint8_t)type))
        return;
    /* Samples that came before their type are sorted anew when the page is done. */
    layout->types_changed = layout->types_changed || entry->typed || has_samples(layout, name);
    entry->typed = true;
    entry->type = (uint8_t)type;
}

void layout_put_help(struct layout *layout, struct slice name, struct slice text)
{
    struct layout_metadata *entry = entry_of(layout, name);

    if (entry != NULL)
        keep(layout, text, &entry->help);
}

void layout_put_unit(struct layout *layout, struct slice name, struct slice text)
{
    struct layout_metadata *entry = entry_of(layout, name);

    if (entry != NULL)
        keep(layout, text, &entry->unit);
}
