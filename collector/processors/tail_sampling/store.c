/*
 * The store: shards, names, holders, and the records of a trace.
 *
 * Cost of a held span: its bytes, a record of 20, its share of 64 for the trace and of the table's 4 to 8.
 */
#include "collector/processors/tail_sampling/store.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

struct tail_store *tail_store_create(size_t shard_count)
{
    struct tail_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        abort();
    store->shards = calloc(shard_count, sizeof(*store->shards));
    if (store->shards == NULL)
        abort();
    store->shard_count = shard_count;
    atomic_init(&store->name_count, 1);
    for (size_t i = 0; i < shard_count; i++) {
        struct tail_shard *shard = &store->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->chunks.account = shard->heads.account = shard->traces.account = &store->bytes;
    }
    return store;
}

static void destroy_shard(struct tail_shard *shard)
{
    for (uint32_t i = 1; i < shard->holder_count; i++) {
        if (shard->holders[i].handle != NULL)
            batch_settle(shard->holders[i].handle, outcome_retry("shutdown", 0));
    }
    free(shard->holders);
    tail_chunks_fini(&shard->chunks);
    tail_heads_fini(&shard->heads);
    tail_traces_fini(&shard->traces);
    tail_cache_fini(&shard->sampled);
    tail_cache_fini(&shard->not_sampled);
    pthread_mutex_destroy(&shard->lock);
}

void tail_store_destroy(struct tail_store *store)
{
    if (store == NULL)
        return;
    while (atomic_load(&store->users) > 0)
        sched_yield();
    for (size_t i = 0; i < store->shard_count; i++)
        destroy_shard(&store->shards[i]);
    for (size_t i = 1; i < store->name_count; i++)
        free(store->names[i]);
    free(store->shards);
    free(store);
}

void tail_store_set_caches(struct tail_store *store, int64_t sampled, int64_t not_sampled)
{
    int64_t shards = (int64_t)store->shard_count;

    for (size_t i = 0; i < store->shard_count; i++) {
        struct tail_shard *shard = &store->shards[i];
        pthread_mutex_lock(&shard->lock);
        tail_cache_set_capacity(&shard->sampled, (uint32_t)((sampled + shards - 1) / shards));
        tail_cache_set_capacity(&shard->not_sampled, (uint32_t)((not_sampled + shards - 1) / shards));
        pthread_mutex_unlock(&shard->lock);
    }
}

uint16_t tail_store_name(struct tail_store *store, const char *name)
{
    size_t count = atomic_load(&store->name_count);

    for (size_t i = 1; i < count; i++) {
        if (strcmp(store->names[i], name) == 0)
            return (uint16_t)i;
    }
    if (count == TAIL_NAMES_MAX)
        return 0;
    store->names[count] = slice_dup_string(slice_of_string(name));
    atomic_store_explicit(&store->name_count, count + 1, memory_order_release);
    return (uint16_t)count;
}

/* ---- holders ---- */

uint32_t tail_shard_add_holder(struct tail_shard *shard, struct batch *handle)
{
    uint32_t index = shard->holder_free;

    if (index != 0) {
        shard->holder_free = shard->holders[index].spans;
    } else {
        if (shard->holder_count == shard->holder_capacity) {
            uint32_t capacity = shard->holder_capacity > 0 ? shard->holder_capacity * 2 : 16;
            struct tail_holder *holders = realloc(shard->holders, capacity * sizeof(*holders));
            if (holders == NULL)
                return 0;
            shard->holders = holders;
            shard->holder_capacity = capacity;
        }
        if (shard->holder_count == 0)
            shard->holders[shard->holder_count++] = (struct tail_holder){ .handle = NULL };
        index = shard->holder_count++;
    }
    shard->holders[index] = (struct tail_holder){ handle, 0, 0 };
    return index;
}

void tail_shard_leave_holder(struct tail_shard *shard, uint32_t index, struct batch **ended)
{
    struct tail_holder *holder = index != 0 ? &shard->holders[index] : NULL;

    if (holder == NULL || --holder->spans > 0)
        return;
    holder->handle->next = *ended;
    *ended = holder->handle;
    *holder = (struct tail_holder){ NULL, shard->holder_free, 0 };
    shard->holder_free = index;
}

/* ---- records of a trace ---- */

/* What the span adds to a request: tag and length of a few bytes, and with another head than the one before its group and scope group. */
static uint64_t cost_of(const struct tail_shard *shard, const struct tail_entry *entry, const struct tail_addition *addition)
{
    const struct tail_held_head *head = &shard->heads.items[addition->head];
    uint64_t cost = 1 + pb_varint_size(addition->body.size) + addition->body.size;

    if (entry->last == 0 || tail_chunks_at(&shard->chunks, entry->last)->head != addition->head)
        cost += head->size + 6U;
    return cost;
}

bool tail_shard_append(struct tail_shard *shard, uint32_t index, const struct tail_addition *addition)
{
    struct tail_entry *entry = tail_traces_at(&shard->traces, index);
    const struct tail_record record = { (uint32_t)addition->body.size, index, 0, addition->head, addition->holder };
    uint64_t cost = cost_of(shard, entry, addition);
    uint32_t position = tail_chunks_put(&shard->chunks, &record, addition->body.data);

    if (position == 0)
        return false;
    if (entry->last != 0)
        tail_chunks_at(&shard->chunks, entry->last)->next = position;
    else
        entry->first = position;
    entry->last = position;
    if (entry->fresh == 0)
        entry->fresh = position;
    entry->bytes += cost;
    entry->spans += entry->spans < UINT32_MAX;
    tail_heads_ref(&shard->heads, addition->head);
    if (addition->holder != 0)
        shard->holders[addition->holder].spans++;
    return true;
}

void tail_shard_release_first(struct tail_shard *shard, struct tail_entry *entry, struct batch **ended)
{
    const struct tail_record *record = tail_chunks_at(&shard->chunks, entry->first);
    uint32_t position = entry->first, head = record->head, holder = record->holder;

    entry->first = record->next;
    if (entry->first == 0)
        entry->last = 0;
    tail_chunks_release(&shard->chunks, position);
    tail_heads_unref(&shard->heads, head);
    tail_shard_leave_holder(shard, holder, ended);
}

/* ---- compaction ---- */

enum { COMPACT_SPANS_MAX = 1024 }; /* of one trace: its list is walked once for each chunk that is emptied */

/* Moves one record behind all others; *link is what leads to it. */
static bool move_record(struct tail_shard *shard, struct tail_entry *entry, uint32_t previous, uint32_t position)
{
    struct tail_record *record = tail_chunks_at(&shard->chunks, position);
    uint32_t moved = tail_chunks_put(&shard->chunks, record, (const uint8_t *)(record + 1));

    if (moved == 0)
        return false;
    if (previous != 0)
        tail_chunks_at(&shard->chunks, previous)->next = moved;
    else
        entry->first = moved;
    if (entry->last == position)
        entry->last = moved;
    if (entry->fresh == position)
        entry->fresh = moved;
    return true;
}

/* Moves those of the trace's records that are in the chunk. False: memory is out. */
static bool move_trace(struct tail_shard *shard, struct tail_entry *entry, uint32_t number)
{
    uint32_t previous = 0;

    for (uint32_t at = entry->first, next; at != 0; at = next) {
        next = tail_chunks_at(&shard->chunks, at)->next;
        if (at >> 16 == number - 1) {
            if (!move_record(shard, entry, previous, at))
                return false;
            uint32_t moved = previous != 0 ? tail_chunks_at(&shard->chunks, previous)->next : entry->first;
            bool was_last = shard->chunks.items[number - 1].live ==
                            sizeof(struct tail_record) + ((tail_chunks_at(&shard->chunks, at)->size + 3U) & ~3U);
            tail_chunks_release(&shard->chunks, at);
            if (was_last)
                return false; /* the chunk is gone */
            at = moved;
        }
        previous = at;
    }
    return true;
}

bool tail_shard_compact(struct tail_shard *shard)
{
    uint32_t number = tail_chunks_sparse(&shard->chunks, &shard->sweep);
    uint32_t at = number != 0 ? tail_chunks_walk(&shard->chunks, number, 0) : 0;

    while (at != 0) {
        uint32_t trace = tail_chunks_at(&shard->chunks, at)->trace;
        struct tail_entry *entry = trace != TAIL_RECORD_DEAD ? tail_traces_at(&shard->traces, trace) : NULL;

        if (entry != NULL && entry->spans <= COMPACT_SPANS_MAX && !move_trace(shard, entry, number))
            break;
        at = tail_chunks_walk(&shard->chunks, number, at);
    }
    return number != 0;
}
