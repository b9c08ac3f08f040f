/* Heads of held spans: a hash table of reference-counted copies. Cost: one lookup a group of spans that comes in. */
#include "collector/processors/tail_sampling/heads.h"

#include <assert.h>
#include <stdlib.h>

enum { HEAD = 1, SCHEMA_URL = 3 };

static struct slice field_of(struct slice fields, uint32_t number)
{
    struct pb_reader reader = pb_reader_of(fields);
    struct slice found = { NULL, 0 };
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == number && field.type == PB_BYTES)
            found = field.bytes;
    }
    return found;
}

struct slice tail_head_message(struct slice fields)
{
    return field_of(fields, HEAD);
}

struct slice tail_head_schema_url(struct slice fields)
{
    return field_of(fields, SCHEMA_URL);
}

static size_t cost_of(const struct tail_held_head *head)
{
    return head->size + sizeof(*head) + sizeof(uint32_t);
}

static void free_head(struct tail_heads *heads, uint32_t index)
{
    struct tail_held_head *head = &heads->items[index];

    atomic_fetch_sub_explicit(heads->account, cost_of(head), memory_order_relaxed);
    free(head->data);
    *head = (struct tail_held_head){ .chain = heads->free };
    heads->free = index;
    heads->used--;
}

void tail_heads_fini(struct tail_heads *heads)
{
    for (uint32_t i = 1; i < heads->count; i++) {
        if (heads->items[i].data != NULL)
            free_head(heads, i);
    }
    free(heads->items);
    free(heads->buckets);
    *heads = (struct tail_heads){ .account = heads->account };
}

static bool grow_buckets(struct tail_heads *heads)
{
    uint32_t count = heads->bucket_count > 0 ? heads->bucket_count * 2 : 64;
    uint32_t *buckets = calloc(count, sizeof(*buckets));

    if (buckets == NULL)
        return heads->bucket_count > 0; /* longer chains, then */
    for (uint32_t i = 1; i < heads->count; i++) {
        struct tail_held_head *head = &heads->items[i];
        if (head->data == NULL)
            continue;
        head->chain = buckets[head->hash & (count - 1)];
        buckets[head->hash & (count - 1)] = i;
    }
    free(heads->buckets);
    heads->buckets = buckets;
    heads->bucket_count = count;
    return true;
}

static bool take_index(struct tail_heads *heads, uint32_t *index)
{
    if (heads->free != 0) {
        *index = heads->free;
        heads->free = heads->items[*index].chain;
        return true;
    }
    if (heads->count == heads->capacity) {
        uint32_t capacity = heads->capacity > 0 ? heads->capacity * 2 : 64;
        struct tail_held_head *items = realloc(heads->items, capacity * sizeof(*items));
        if (items == NULL)
            return false;
        heads->items = items;
        heads->capacity = capacity;
    }
    if (heads->count == 0)
        heads->items[heads->count++] = (struct tail_held_head){ .data = NULL };
    *index = heads->count++;
    return true;
}

static uint32_t add(struct tail_heads *heads, const struct tail_head_bytes *wanted)
{
    uint8_t *copy = malloc(wanted->bytes.size + 1);
    struct tail_held_head *head;
    uint32_t index;

    if (copy == NULL)
        return 0;
    if ((heads->used >= heads->bucket_count && !grow_buckets(heads)) || !take_index(heads, &index)) {
        free(copy);
        return 0;
    }
    if (wanted->bytes.size > 0)
        memcpy(copy, wanted->bytes.data, wanted->bytes.size);
    head = &heads->items[index];
    *head = (struct tail_held_head){
        .hash = wanted->hash, .data = copy, .size = (uint32_t)wanted->bytes.size, .group_size = (uint32_t)wanted->group_size
    };
    head->chain = heads->buckets[wanted->hash & (heads->bucket_count - 1)];
    heads->buckets[wanted->hash & (heads->bucket_count - 1)] = index;
    heads->used++;
    atomic_fetch_add_explicit(heads->account, cost_of(head), memory_order_relaxed);
    return index;
}

uint32_t tail_heads_find(struct tail_heads *heads, const struct tail_head_bytes *wanted)
{
    uint32_t index = heads->bucket_count > 0 ? heads->buckets[wanted->hash & (heads->bucket_count - 1)] : 0;

    for (; index != 0; index = heads->items[index].chain) {
        const struct tail_held_head *head = &heads->items[index];
        if (head->hash == wanted->hash && head->group_size == wanted->group_size &&
            slice_equal(slice_of(head->data, head->size), wanted->bytes))
            return index;
    }
    return add(heads, wanted);
}

void tail_heads_ref(struct tail_heads *heads, uint32_t index)
{
    heads->items[index].references++;
}

void tail_heads_unref(struct tail_heads *heads, uint32_t index)
{
    struct tail_held_head *head = &heads->items[index];
    uint32_t *link = &heads->buckets[head->hash & (heads->bucket_count - 1)];

    assert(head->references > 0);
    if (--head->references > 0)
        return;
    while (*link != index)
        link = &heads->items[*link].chain;
    *link = head->chain;
    free_head(heads, index);
}
