/* The store of tail sampling against models of itself: spans, heads, traces and the decision cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/processors/tail_sampling/store.h"

#include <cmocka.h>

/* The same on each run. */
static uint64_t chance_state;

static size_t chance(size_t below)
{
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(chance_state >> 33) % below;
}

/* ---- traces of spans ---- */

enum { TRACES = 300, SPANS = 60, STEPS = 60000 };

struct model_span {
    uint32_t seed, size;
    uint32_t head;
};

struct model_trace {
    uint8_t id[16];
    uint32_t index; /* 0: not there */
    struct model_span spans[SPANS];
    size_t first, count;
};

static void fill(uint8_t *out, uint32_t seed, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(seed * 31 + i * 7);
}

static uint32_t find_head(struct tail_shard *shard, uint32_t number)
{
    char text[40];
    int size = snprintf(text, sizeof(text), "group %u scope %u", number, number);
    struct slice bytes = slice_of(text, (size_t)size);

    return tail_heads_find(&shard->heads, &(struct tail_head_bytes){ bytes, 6, hash_bytes(bytes) });
}

static void append(struct tail_shard *shard, struct model_trace *trace)
{
    static uint8_t body[400000];
    struct model_span *span;
    struct tail_addition addition;

    if (trace->count == SPANS)
        return;
    if (trace->index == 0) {
        trace->index = tail_traces_add(&shard->traces, trace->id, tail_traces_hash(trace->id));
        assert_int_not_equal(trace->index, 0);
    }
    span = &trace->spans[trace->count++];
    *span = (struct model_span){ (uint32_t)chance(1000000), (uint32_t)(chance(2000) == 0 ? 300000 + chance(90000) : chance(1500)),
        (uint32_t)chance(9) };
    fill(body, span->seed, span->size);
    addition = (struct tail_addition){ slice_of(body, span->size), find_head(shard, span->head), 0 };
    assert_true(tail_shard_append(shard, trace->index, &addition));
}

static void check_record(struct tail_shard *shard, const struct tail_record *record, const struct model_span *span)
{
    static uint8_t wanted[400000];
    struct tail_head head = tail_heads_get(&shard->heads, record->head);
    char text[40];

    assert_int_equal(record->size, span->size);
    fill(wanted, span->seed, span->size);
    assert_memory_equal(record + 1, wanted, span->size);
    snprintf(text, sizeof(text), " %u scope %u", span->head, span->head);
    assert_true(slice_equal_string(head.group, "group ") && slice_equal_string(head.scope, text + 1));
}

static void check_trace(struct tail_shard *shard, const struct model_trace *trace)
{
    size_t number = trace->first;

    assert_int_equal(tail_traces_find(&shard->traces, trace->id, tail_traces_hash(trace->id)), trace->index);
    if (trace->index == 0)
        return;
    for (uint32_t at = tail_traces_at(&shard->traces, trace->index)->first; at != 0; number++) {
        const struct tail_record *record = tail_chunks_at(&shard->chunks, at);
        assert_true(number < trace->count);
        assert_int_equal(record->trace, trace->index);
        check_record(shard, record, &trace->spans[number]);
        at = record->next;
    }
    assert_int_equal(number, trace->count);
}

static void release(struct tail_shard *shard, struct model_trace *trace, size_t count)
{
    struct batch *ended = NULL;

    for (; trace->index != 0 && count > 0 && trace->first < trace->count; count--) {
        tail_shard_release_first(shard, tail_traces_at(&shard->traces, trace->index), &ended);
        trace->first++;
    }
    if (trace->index == 0 || trace->first < trace->count)
        return;
    tail_traces_remove(&shard->traces, trace->index);
    trace->index = 0;
    trace->first = trace->count = 0;
}

static void a_shard_keeps_what_it_was_given(void **state)
{
    struct model_trace *traces = calloc(TRACES, sizeof(*traces));
    struct tail_store *store = tail_store_create(1);
    struct tail_shard *shard = &store->shards[0];
    size_t compacted = 0;

    (void)state;
    assert_non_null(traces);
    chance_state = 42;
    for (size_t i = 0; i < TRACES; i++)
        memcpy(traces[i].id, &(uint64_t[]){ i % 7, i }, 16);
    for (size_t step = 0; step < STEPS; step++) {
        struct model_trace *trace = &traces[chance(TRACES)];
        /* few are left over from many, so that chunks thin out */
        if (step % 4000 < 2500)
            append(shard, trace);
        else
            release(shard, trace, chance(10) == 0 ? 1 : trace - traces < TRACES / 20 ? 0 : SPANS);
        if (step % 50 == 0)
            compacted += tail_shard_compact(shard);
        check_trace(shard, trace);
        if (step % 4000 == 3999) {
            for (size_t i = 0; i < TRACES; i++)
                check_trace(shard, &traces[i]);
        }
    }
    assert_true(compacted > 50);
    for (size_t i = 0; i < TRACES; i++)
        release(shard, &traces[i], SPANS);
    assert_int_equal(shard->traces.count, 0);
    assert_int_equal(shard->chunks.live, 0);
    assert_int_equal(shard->heads.used, 0);
    assert_true(shard->chunks.bytes <= TAIL_CHUNK_SIZE);
    tail_store_destroy(store);
    free(traces);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void sparse_chunks_do_not_stay(void **state)
{
    enum { MANY = 20000 };
    struct tail_store *store = tail_store_create(1);
    struct tail_shard *shard = &store->shards[0];
    struct batch *ended = NULL;
    uint8_t body[400], id[16] = { 1 };

    (void)state;
    fill(body, 1, sizeof(body));
    for (uint32_t i = 1; i <= MANY; i++) {
        memcpy(id, &i, sizeof(i));
        uint32_t index = tail_traces_add(&shard->traces, id, tail_traces_hash(id));
        assert_true(tail_shard_append(shard, index, &(struct tail_addition){ slice_of(body, sizeof(body)), find_head(shard, 1), 0 }));
        if (i % 10 == 0)
            continue;
        tail_shard_release_first(shard, tail_traces_at(&shard->traces, index), &ended);
        tail_traces_remove(&shard->traces, index);
    }
    assert_true(shard->chunks.bytes > 5 * shard->chunks.live);
    for (size_t i = 0; i < 1000 && tail_shard_compact(shard); i++)
        ;
    assert_true(shard->chunks.bytes < 2 * shard->chunks.live + 4 * (size_t)TAIL_CHUNK_SIZE);
    tail_store_destroy(store);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void lists_are_in_the_order_of_time(void **state)
{
    struct tail_store *store = tail_store_create(1);
    struct tail_traces *traces = &store->shards[0].traces;
    uint32_t indices[100];
    uint8_t id[16] = { 0 };

    (void)state;
    tail_traces_reserve(traces, 5000);
    for (uint32_t i = 0; i < 100; i++) {
        id[3] = (uint8_t)i;
        indices[i] = tail_traces_add(traces, id, tail_traces_hash(id));
    }
    for (uint32_t i = 0; i < 100; i += 2)
        tail_traces_move(traces, indices[i], TAIL_DECIDED, i);
    tail_traces_move(traces, indices[0], TAIL_DECIDED, 100);
    assert_int_equal(traces->lists[TAIL_WAITING].first, indices[1]);
    assert_int_equal(traces->lists[TAIL_WAITING].last, indices[99]);
    assert_int_equal(traces->lists[TAIL_DECIDED].first, indices[2]);
    assert_int_equal(traces->lists[TAIL_DECIDED].last, indices[0]);
    for (uint32_t i = 0; i < 100; i++)
        tail_traces_remove(traces, indices[i]);
    for (size_t i = 0; i < TAIL_STATE_COUNT; i++)
        assert_int_equal(traces->lists[i].first + traces->lists[i].last, 0);
    tail_store_destroy(store);
}

/* ---- the decision cache ---- */

enum { KEYS = 64, CAPACITY = 20 };

/* model[0] is the newest. */
static size_t place_in(const uint64_t *model, size_t count, uint64_t key)
{
    size_t i = 0;

    while (i < count && model[i] != key)
        i++;
    return i;
}

static void to_front(uint64_t *model, size_t place, uint64_t key)
{
    memmove(&model[1], &model[0], place * sizeof(*model));
    model[0] = key;
}

static void a_cache_forgets_what_was_not_used_for_longest(void **state)
{
    struct tail_cache cache = { .capacity = 0 };
    uint64_t model[CAPACITY + 1] = { 0 };
    size_t count = 0;
    uint16_t policy;

    (void)state;
    tail_cache_put(&cache, (const uint8_t[16]){ 1 }, 1);
    assert_false(tail_cache_get(&cache, (const uint8_t[16]){ 1 }, &policy));
    tail_cache_set_capacity(&cache, CAPACITY);
    chance_state = 7;
    for (size_t step = 0; step < 20000; step++) {
        uint64_t key = chance(KEYS) + 1;
        uint8_t id[16] = { (uint8_t)step };
        size_t place = place_in(model, count, key);
        memcpy(id + 8, &key, sizeof(key)); /* the left half does not count */
        if (chance(2) == 0) {
            assert_int_equal(tail_cache_get(&cache, id, &policy), place < count);
            if (place == count)
                continue;
            assert_int_equal(policy, key * 3);
        } else {
            tail_cache_put(&cache, id, (uint16_t)(key * 3));
        }
        to_front(model, place < CAPACITY ? place : CAPACITY - 1, key);
        count += place == count && count < CAPACITY;
    }
    tail_cache_set_capacity(&cache, 0);
    assert_int_equal(cache.used, 0);
    tail_cache_fini(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shard_keeps_what_it_was_given),
        cmocka_unit_test(sparse_chunks_do_not_stay),
        cmocka_unit_test(lists_are_in_the_order_of_time),
        cmocka_unit_test(a_cache_forgets_what_was_not_used_for_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
