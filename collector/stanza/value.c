/*
 * Trees of values. Cost: maps are searched linearly, which a line's few keys are best served by; beyond STANZA_UNIQUE_KEYS keys are only
 * appended, so that no input makes it quadratic.
 */
#include "collector/stanza/value.h"

#include <stdlib.h>

enum { BLOCK_SIZE = 16 << 10, ALIGNMENT = 16, FIRST_CAPACITY = 8, KEPT_BLOCK_MAX = 256 << 10 };

struct stanza_block {
    struct stanza_block *next;
    size_t size;
    _Alignas(16) uint8_t data[];
};

/* ---- memory ---- */

static struct stanza_block *add_block(struct stanza_memory *memory, size_t size)
{
    size_t least = memory->block_size > 0 ? memory->block_size : BLOCK_SIZE, room = size > least ? size : least;
    struct stanza_block *block = malloc(sizeof(*block) + room);

    if (block == NULL)
        return NULL;
    block->size = room;
    block->next = NULL;
    if (memory->current != NULL) {
        block->next = memory->current->next;
        memory->current->next = block;
    } else {
        memory->blocks = block;
    }
    return block;
}

static void *alloc_slow(struct stanza_memory *memory, size_t size)
{
    struct stanza_block *block = memory->current != NULL ? memory->current->next : memory->blocks;

    if (block == NULL || block->size < size)
        block = add_block(memory, size);
    if (block == NULL)
        return NULL;
    memory->current = block;
    memory->used = size;
    return block->data;
}

void *stanza_alloc(struct stanza_memory *memory, size_t size)
{
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > STANZA_RECORD_MAX || memory->total + size > STANZA_RECORD_MAX)
        return NULL;
    memory->total += size;
    if (memory->current == NULL || memory->current->size - memory->used < size)
        return alloc_slow(memory, size);
    memory->used += size;
    return memory->current->data + memory->used - size;
}

void stanza_memory_reset(struct stanza_memory *memory)
{
    if (memory->total > KEPT_BLOCK_MAX) {
        stanza_memory_fini(memory);
        return;
    }
    memory->current = memory->blocks;
    memory->used = memory->total = 0;
}

void stanza_memory_fini(struct stanza_memory *memory)
{
    for (struct stanza_block *block = memory->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    *memory = (struct stanza_memory){ 0 };
}

struct slice stanza_keep(struct stanza_memory *memory, struct slice bytes)
{
    uint8_t *copy = stanza_alloc(memory, bytes.size > 0 ? bytes.size : 1);

    if (copy == NULL)
        return (struct slice){ NULL, 0 };
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return slice_of(copy, bytes.size);
}

/* ---- maps and lists ---- */

const char *stanza_kind_name(enum stanza_kind kind)
{
    static const char *const names[] = { "nil", "string", "bool", "int", "float64", "list", "map", "bytes", "time" };

    return names[kind];
}

struct stanza_value stanza_map_create(struct stanza_memory *memory)
{
    struct stanza_map *map = stanza_alloc(memory, sizeof(*map));

    if (map == NULL)
        return (struct stanza_value){ .kind = STANZA_NIL };
    *map = (struct stanza_map){ 0 };
    return (struct stanza_value){ .kind = STANZA_MAP, .map = map };
}

struct stanza_value stanza_list_create(struct stanza_memory *memory)
{
    struct stanza_list *list = stanza_alloc(memory, sizeof(*list));

    if (list == NULL)
        return (struct stanza_value){ .kind = STANZA_NIL };
    *list = (struct stanza_list){ 0 };
    return (struct stanza_value){ .kind = STANZA_LIST, .list = list };
}

/* Room for one more of `count` items of `size` bytes; NULL when memory is out. */
static void *grown(struct stanza_memory *memory, void *items, size_t count, size_t *capacity, size_t size)
{
    size_t wanted = *capacity > 0 ? 2 * *capacity : FIRST_CAPACITY;
    void *larger;

    if (count < *capacity)
        return items;
    larger = stanza_alloc(memory, wanted * size);
    if (larger == NULL)
        return NULL;
    if (count > 0)
        memcpy(larger, items, count * size);
    *capacity = wanted;
    return larger;
}

struct stanza_value *stanza_map_get(const struct stanza_map *map, struct slice key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (slice_equal(map->members[i].key, key))
            return &map->members[i].value;
    }
    return NULL;
}

bool stanza_map_set(struct stanza_memory *memory, struct stanza_map *map, struct slice key, struct stanza_value value)
{
    struct stanza_value *there = map->count <= STANZA_UNIQUE_KEYS ? stanza_map_get(map, key) : NULL;
    struct stanza_member *members;

    if (there != NULL) {
        *there = value;
        return true;
    }
    members = grown(memory, map->members, map->count, &map->capacity, sizeof(*members));
    if (members == NULL)
        return false;
    map->members = members;
    members[map->count++] = (struct stanza_member){ key, value };
    return true;
}

bool stanza_map_remove(struct stanza_map *map, struct slice key, struct stanza_value *removed)
{
    struct stanza_value *there = stanza_map_get(map, key);
    size_t i;

    if (there == NULL)
        return false;
    if (removed != NULL)
        *removed = *there;
    for (i = 0; &map->members[i].value != there; i++)
        ;
    memmove(&map->members[i], &map->members[i + 1], (map->count - i - 1) * sizeof(map->members[0]));
    map->count--;
    return true;
}

bool stanza_list_add(struct stanza_memory *memory, struct stanza_list *list, struct stanza_value value)
{
    struct stanza_value *items = grown(memory, list->items, list->count, &list->capacity, sizeof(*items));

    if (items == NULL)
        return false;
    list->items = items;
    items[list->count++] = value;
    return true;
}

/* ---- copies ---- */

static bool copy_slice(struct stanza_memory *memory, struct slice *bytes, bool deep)
{
    if (!deep || bytes->data == NULL)
        return true;
    *bytes = stanza_keep(memory, *bytes);
    return bytes->data != NULL;
}

bool stanza_map_copy(struct stanza_memory *memory, struct stanza_map *map, bool deep)
{
    struct stanza_member *members = stanza_alloc(memory, (map->count + FIRST_CAPACITY) * sizeof(*members));

    if (members == NULL)
        return false;
    if (map->count > 0)
        memcpy(members, map->members, map->count * sizeof(*members));
    map->members = members;
    map->capacity = map->count + FIRST_CAPACITY; /* most get some more soon */
    for (size_t i = 0; i < map->count; i++) {
        if (!copy_slice(memory, &members[i].key, deep) || !stanza_value_copy(memory, &members[i].value, deep))
            return false;
    }
    return true;
}

static bool copy_list(struct stanza_memory *memory, struct stanza_list *list, bool deep)
{
    struct stanza_value *items = stanza_alloc(memory, (list->count + 1) * sizeof(*items));

    if (items == NULL)
        return false;
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof(*items));
    list->items = items;
    list->capacity = list->count + 1;
    for (size_t i = 0; i < list->count; i++) {
        if (!stanza_value_copy(memory, &items[i], deep))
            return false;
    }
    return true;
}

bool stanza_value_copy(struct stanza_memory *memory, struct stanza_value *value, bool deep)
{
    struct stanza_value copy;

    switch (value->kind) {
    case STANZA_STRING:
    case STANZA_BYTES:
        return copy_slice(memory, &value->bytes, deep);
    case STANZA_MAP:
        copy = stanza_map_create(memory);
        if (copy.kind == STANZA_NIL)
            return false;
        *copy.map = *value->map;
        *value = copy;
        return stanza_map_copy(memory, value->map, deep);
    case STANZA_LIST:
        copy = stanza_list_create(memory);
        if (copy.kind == STANZA_NIL)
            return false;
        *copy.list = *value->list;
        *value = copy;
        return copy_list(memory, value->list, deep);
    default:
        return true;
    }
}

bool stanza_record_copy(struct stanza_memory *memory, const struct stanza_record *record, bool deep, struct stanza_record *copy)
{
    *copy = *record;
    copy->memory = memory;
    return stanza_value_copy(memory, &copy->body, deep) && stanza_map_copy(memory, &copy->attributes, deep) &&
           stanza_map_copy(memory, &copy->resource, deep) && copy_slice(memory, &copy->severity_text, deep) &&
           copy_slice(memory, &copy->trace_id, deep) && copy_slice(memory, &copy->span_id, deep) && copy_slice(memory, &copy->scope, deep);
}

/* ---- comparing ---- */

static bool maps_equal(const struct stanza_map *a, const struct stanza_map *b)
{
    if (a->count != b->count || a->count > STANZA_UNIQUE_KEYS)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct stanza_value *other = stanza_map_get(b, a->members[i].key);
        if (other == NULL || !stanza_value_equal(&a->members[i].value, other))
            return false;
    }
    return true;
}

static bool lists_equal(const struct stanza_list *a, const struct stanza_list *b)
{
    bool equal = a->count == b->count;

    for (size_t i = 0; equal && i < a->count; i++)
        equal = stanza_value_equal(&a->items[i], &b->items[i]);
    return equal;
}

bool stanza_value_equal(const struct stanza_value *a, const struct stanza_value *b)
{
    if (a->kind == STANZA_INT && b->kind == STANZA_DOUBLE)
        return (double)a->integer == b->number;
    if (a->kind == STANZA_DOUBLE && b->kind == STANZA_INT)
        return a->number == (double)b->integer;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case STANZA_NIL:
        return true;
    case STANZA_STRING:
    case STANZA_BYTES:
        return slice_equal(a->bytes, b->bytes);
    case STANZA_DOUBLE:
        return a->number == b->number;
    case STANZA_LIST:
        return lists_equal(a->list, b->list);
    case STANZA_MAP:
        return maps_equal(a->map, b->map);
    default:
        return a->integer == b->integer;
    }
}
