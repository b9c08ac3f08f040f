/*
 * The tags of one span, by open addressing. Cost: a hash of the key for each call; clearing costs what is in it.
 * Threads: none of its own; one table is used by one thread at a time.
 */
#include "collector/wire/zipkin_tags.h"

#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/wire/zipkin.h"

enum { FIRST_CAPACITY = 32 };

struct zipkin_tags *zipkin_tags_create(void)
{
    return calloc(1, sizeof(struct zipkin_tags));
}

void zipkin_tags_destroy(struct zipkin_tags *tags)
{
    if (tags == NULL)
        return;
    free(tags->items);
    free(tags->slots);
    free(tags);
}

void zipkin_tags_clear(struct zipkin_tags *tags)
{
    for (size_t i = 0; i < tags->count; i++)
        tags->slots[tags->items[i].slot] = 0;
    tags->count = 0;
    tags->initials = 0;
}

static uint64_t initial_of(struct slice key)
{
    return UINT64_C(1) << (key.size > 0 ? key.data[0] % 64 : 0);
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t find_slot(const struct zipkin_tags *tags, struct slice key)
{
    size_t slot = hash_bytes(key) & (tags->slot_count - 1);

    while (tags->slots[slot] != 0 && !slice_equal(tags->items[tags->slots[slot] - 1].key, key))
        slot = (slot + 1) & (tags->slot_count - 1);
    return (uint32_t)slot;
}

static bool grow(struct zipkin_tags *tags)
{
    size_t capacity = tags->capacity > 0 ? tags->capacity * 2 : FIRST_CAPACITY;
    struct zipkin_tag *items;
    uint32_t *slots;

    if (capacity > ZIPKIN_MAX_TAGS)
        return false;
    items = realloc(tags->items, capacity * sizeof(*items));
    if (items == NULL)
        return false;
    tags->items = items;
    slots = calloc(capacity * 2, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(tags->slots);
    tags->slots = slots;
    tags->slot_count = capacity * 2;
    tags->capacity = capacity;
    for (size_t i = 0; i < tags->count; i++) {
        items[i].slot = find_slot(tags, items[i].key);
        slots[items[i].slot] = (uint32_t)i + 1;
    }
    return true;
}

bool zipkin_tags_set(struct zipkin_tags *tags, struct slice key, const struct otlp_value *value)
{
    uint32_t slot = tags->slot_count > 0 ? find_slot(tags, key) : 0;

    if (tags->slot_count == 0 || tags->slots[slot] == 0) {
        if (tags->count == tags->capacity) {
            if (!grow(tags))
                return false;
            slot = find_slot(tags, key);
        }
        tags->slots[slot] = (uint32_t)tags->count + 1;
        tags->count++;
    }
    tags->initials |= initial_of(key);
    tags->items[tags->slots[slot] - 1] = (struct zipkin_tag){ .key = key, .value = *value, .slot = slot };
    return true;
}

bool zipkin_tags_set_text(struct zipkin_tags *tags, struct slice key, struct slice text)
{
    return zipkin_tags_set(tags, key, &(struct otlp_value){ .kind = OTLP_VALUE_STRING, .bytes = text });
}

struct zipkin_tag *zipkin_tags_find(struct zipkin_tags *tags, struct slice key)
{
    if ((tags->initials & initial_of(key)) == 0)
        return NULL;
    uint32_t found = tags->slots[find_slot(tags, key)];
    return found != 0 && !tags->items[found - 1].taken ? &tags->items[found - 1] : NULL;
}

struct zipkin_tag *zipkin_tags_take(struct zipkin_tags *tags, struct slice key)
{
    struct zipkin_tag *tag = zipkin_tags_find(tags, key);

    if (tag != NULL)
        tag->taken = true;
    return tag;
}
