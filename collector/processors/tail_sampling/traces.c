/* Traces by id; see traces.h. */
#include "collector/processors/tail_sampling/traces.h"

#include <assert.h>
#include <stdlib.h>

#include "collector/base/hash.h"

_Static_assert(sizeof(struct tail_entry) == 64, "one line of the cache a trace");

uint64_t tail_traces_hash(const uint8_t id[16])
{
    return hash_bytes(slice_of(id, 16));
}

void tail_traces_fini(struct tail_traces *traces)
{
    for (uint32_t i = 0; i < traces->page_count; i++) {
        atomic_fetch_sub_explicit(traces->account, traces->pages[i]->capacity, memory_order_relaxed);
        payload_unref(traces->pages[i]);
    }
    free(traces->pages);
    free(traces->buckets);
    *traces = (struct tail_traces){ .account = traces->account };
}

static void rehash(struct tail_traces *traces, uint32_t *buckets, uint32_t count)
{
    for (uint32_t i = 0; i < traces->bucket_count; i++) {
        for (uint32_t index = traces->buckets[i], next; index != 0; index = next) {
            struct tail_entry *entry = tail_traces_at(traces, index);
            uint32_t *bucket = &buckets[tail_traces_hash(entry->id) & (count - 1)];

            next = entry->chain;
            entry->chain = *bucket;
            *bucket = index;
        }
    }
}

/* False: memory is out, and it stays as it was. */
static bool resize(struct tail_traces *traces, uint32_t count)
{
    uint32_t *buckets = calloc(count, sizeof(*buckets));

    if (buckets == NULL)
        return false;
    rehash(traces, buckets, count);
    free(traces->buckets);
    traces->buckets = buckets;
    traces->bucket_count = count;
    return true;
}

void tail_traces_reserve(struct tail_traces *traces, uint32_t count)
{
    uint32_t wanted = 1024;

    while (wanted < count && wanted < UINT32_C(1) << 30)
        wanted *= 2;
    if (wanted > traces->bucket_count)
        resize(traces, wanted);
}

static bool add_page(struct tail_traces *traces)
{
    struct payload **pages = realloc(traces->pages, (traces->page_count + 1) * sizeof(struct payload *));

    if (pages == NULL)
        return false;
    traces->pages = pages;
    pages[traces->page_count] = payload_create(TAIL_PAGE_ENTRIES * sizeof(struct tail_entry));
    if (pages[traces->page_count] == NULL)
        return false;
    atomic_fetch_add_explicit(traces->account, pages[traces->page_count]->capacity, memory_order_relaxed);
    traces->page_count++;
    return true;
}

static bool take_index(struct tail_traces *traces, uint32_t *index)
{
    if (traces->free != 0) {
        *index = traces->free;
        traces->free = tail_traces_at(traces, *index)->chain;
        return true;
    }
    if (traces->top == 0)
        traces->top = 1;
    if (traces->top >= TAIL_ENTRIES_MAX || (traces->top >= traces->page_count * TAIL_PAGE_ENTRIES && !add_page(traces)))
        return false;
    *index = traces->top++;
    return true;
}

/* ---- lists ---- */

static void push(struct tail_traces *traces, uint32_t index, enum tail_state state)
{
    struct tail_list *list = &traces->lists[state];
    struct tail_entry *entry = tail_traces_at(traces, index);

    entry->state = (uint8_t)state;
    entry->next = 0;
    entry->previous = list->last;
    if (list->last != 0)
        tail_traces_at(traces, list->last)->next = index;
    else
        list->first = index;
    list->last = index;
}

static void unlink_entry(struct tail_traces *traces, const struct tail_entry *entry)
{
    struct tail_list *list = &traces->lists[entry->state];

    if (entry->previous != 0)
        tail_traces_at(traces, entry->previous)->next = entry->next;
    else
        list->first = entry->next;
    if (entry->next != 0)
        tail_traces_at(traces, entry->next)->previous = entry->previous;
    else
        list->last = entry->previous;
}

void tail_traces_move(struct tail_traces *traces, uint32_t index, enum tail_state state, uint32_t now_ms)
{
    struct tail_entry *entry = tail_traces_at(traces, index);

    unlink_entry(traces, entry);
    push(traces, index, state);
    entry->since_ms = now_ms;
}

/* ---- by id ---- */

uint32_t tail_traces_find(const struct tail_traces *traces, const uint8_t id[16], uint64_t hash)
{
    uint32_t index = traces->bucket_count > 0 ? traces->buckets[hash & (traces->bucket_count - 1)] : 0;

    while (index != 0) {
        const struct tail_entry *entry = tail_traces_at(traces, index);
        if (memcmp(entry->id, id, sizeof(entry->id)) == 0)
            return index;
        index = entry->chain;
    }
    return 0;
}

uint32_t tail_traces_add(struct tail_traces *traces, const uint8_t id[16], uint64_t hash)
{
    struct tail_entry *entry;
    uint32_t index, *bucket;

    if (traces->count >= traces->bucket_count && !resize(traces, traces->bucket_count > 0 ? traces->bucket_count * 2 : 1024) &&
        traces->bucket_count == 0)
        return 0;
    if (!take_index(traces, &index))
        return 0;
    entry = tail_traces_at(traces, index);
    *entry = (struct tail_entry){ .bytes = 0 };
    memcpy(entry->id, id, sizeof(entry->id));
    bucket = &traces->buckets[hash & (traces->bucket_count - 1)];
    entry->chain = *bucket;
    *bucket = index;
    push(traces, index, TAIL_WAITING);
    traces->count++;
    return index;
}

void tail_traces_remove(struct tail_traces *traces, uint32_t index)
{
    struct tail_entry *entry = tail_traces_at(traces, index);
    uint32_t *link = &traces->buckets[tail_traces_hash(entry->id) & (traces->bucket_count - 1)];

    assert(entry->first == 0);
    while (*link != index)
        link = &tail_traces_at(traces, *link)->chain;
    *link = entry->chain;
    unlink_entry(traces, entry);
    entry->chain = traces->free;
    traces->free = index;
    traces->count--;
}
