/*
 * Label sets: small arrays, looked through from one end to the other; a sample has some ten labels. Sorting is by insertion, which
 * is next to nothing for labels that come in order, and by qsort for hundreds of them.
 */
#include "receivers/prometheus/labels.h"

#include <stdlib.h>

enum { BLOCK_SIZE = 2048, FEW_LABELS = 64 };

struct label_block {
    struct label_block *next;
    size_t used, size;
    uint8_t bytes[];
};

static void free_blocks(struct label_block *block)
{
    while (block != NULL) {
        struct label_block *next = block->next;

        free(block);
        block = next;
    }
}

void labels_fini(struct labels *labels)
{
    free(labels->items);
    free_blocks(labels->blocks);
    *labels = (struct labels){ .items = NULL };
}

void labels_clear(struct labels *labels)
{
    labels->count = 0;
    labels->failed = false;
    if (labels->blocks == NULL)
        return;
    free_blocks(labels->blocks->next);
    labels->blocks->next = NULL;
    labels->blocks->used = 0;
}

uint8_t *labels_room(struct labels *labels, size_t size)
{
    struct label_block *block = labels->blocks;

    if (block == NULL || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

        block = malloc(sizeof(*block) + room);
        if (block == NULL) {
            labels->failed = true;
            return NULL;
        }
        *block = (struct label_block){ labels->blocks, 0, room };
        labels->blocks = block;
    }
    block->used += size;
    return block->bytes + block->used - size;
}

struct slice labels_keep(struct labels *labels, struct slice text)
{
    uint8_t *room = labels_room(labels, text.size);

    if (room == NULL)
        return SLICE("");
    if (text.size > 0)
        memcpy(room, text.data, text.size);
    return slice_of(room, text.size);
}

void labels_add(struct labels *labels, struct slice name, struct slice value)
{
    if (labels->count == labels->capacity) {
        size_t capacity = labels->capacity > 0 ? labels->capacity * 2 : 16;
        struct label *items = realloc(labels->items, capacity * sizeof(*items));

        if (items == NULL) {
            labels->failed = true;
            return;
        }
        labels->items = items;
        labels->capacity = capacity;
    }
    labels->items[labels->count++] = (struct label){ name, value };
}

static struct label *find(const struct labels *labels, struct slice name)
{
    for (size_t i = 0; i < labels->count; i++)
        if (slice_equal(labels->items[i].name, name))
            return &labels->items[i];
    return NULL;
}

void labels_remove(struct labels *labels, struct slice name)
{
    struct label *label = find(labels, name);

    if (label == NULL)
        return;
    labels->count--;
    memmove(label, label + 1, (size_t)(labels->items + labels->count - label) * sizeof(*label));
}

void labels_set(struct labels *labels, struct slice name, struct slice value)
{
    struct label *label = find(labels, name);

    if (value.size == 0)
        labels_remove(labels, name);
    else if (label != NULL)
        label->value = value;
    else
        labels_add(labels, name, value);
}

struct slice labels_get(const struct labels *labels, struct slice name)
{
    const struct label *label = find(labels, name);

    return label != NULL ? label->value : (struct slice){ NULL, 0 };
}

static int compare(const void *a, const void *b)
{
    const struct label *left = a, *right = b;
    int order = slice_compare(left->name, right->name);

    return order != 0 ? order : (left > right) - (left < right);
}

void labels_sort(struct labels *labels)
{
    if (labels->count > FEW_LABELS) {
        qsort(labels->items, labels->count, sizeof(*labels->items), compare);
        return;
    }
    for (size_t i = 1; i < labels->count; i++) {
        struct label label = labels->items[i];
        size_t j = i;

        for (; j > 0 && slice_compare(labels->items[j - 1].name, label.name) > 0; j--)
            labels->items[j] = labels->items[j - 1];
        labels->items[j] = label;
    }
}

struct slice labels_duplicate(const struct labels *labels)
{
    for (size_t i = 1; i < labels->count; i++)
        if (slice_equal(labels->items[i - 1].name, labels->items[i].name))
            return labels->items[i].name;
    return (struct slice){ NULL, 0 };
}

bool label_name_is_legacy(struct slice name, bool metric)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (metric && c == ':');

        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.size > 0;
}
