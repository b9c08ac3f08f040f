/*
 * Points and cells. Looking a known set up takes no lock: tables only ever grow at the heads of their chains.
 * Threads: any; new sets and cells take a lock or allocate.
 */
#include <stdlib.h>

#include "sdk/src/encode.h"
#include "sdk/src/metric.h"
#include "sdk/src/thread.h"

enum { SET_MAX = 64 };

static uint32_t next_index; /* under metric_lock */

/* ---- attributes to keys ---- */

static bool is_kept(const struct stream *stream, weir_str key)
{
    if (!stream->filter)
        return true;
    for (size_t i = 0; i < stream->keep_count; i++) {
        if (text_equal(stream->keep[i], key))
            return true;
    }
    return false;
}

static int compare_keys(weir_str a, weir_str b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return order != 0 ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* The kept attributes in order of their keys, the last of equal ones only. Returns how many. */
static size_t sort_set(const struct stream *stream, weir_attrs attrs, const weir_attr *out[SET_MAX])
{
    size_t count = 0;

    for (size_t i = 0; attrs.data != NULL && i < attrs.count && count < SET_MAX; i++) {
        const weir_attr *attr = &attrs.data[i];
        size_t at = count;
        if (attr->key.p == NULL || attr->key.n == 0 || !is_kept(stream, attr->key))
            continue;
        while (at > 0 && compare_keys(out[at - 1]->key, attr->key) > 0)
            at--;
        if (at > 0 && text_equal(out[at - 1]->key, attr->key)) {
            out[at - 1] = attr;
            continue;
        }
        memmove(&out[at + 1], &out[at], (count - at) * sizeof(out[0]));
        out[at] = attr;
        count++;
    }
    return count;
}

/* The key of a set: its attributes encoded. Returns the size, or SIZE_MAX when it is too long. */
static size_t encode_set(const struct stream *stream, weir_attrs attrs, uint8_t out[METRIC_KEY_MAX])
{
    const weir_attr *sorted[SET_MAX];
    size_t count = sort_set(stream, attrs, sorted);
    uint8_t *at = out;

    for (size_t i = 0; i < count; i++) {
        struct encoding encoding = { TEXT_UNLIMITED, 0 };
        size_t content = encode_attribute_size(&encoding, sorted[i]);
        if (content == 0)
            continue;
        if ((size_t)(out + METRIC_KEY_MAX - at) < content + 5)
            return SIZE_MAX;
        at = put_varint(at, content);
        at = encode_attribute(at, &encoding, sorted[i]);
    }
    return (size_t)(at - out);
}

static uint64_t hash_key(struct slice key)
{
    uint64_t hash = key.size * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = 0;

    for (; i + 8 <= key.size; i += 8) {
        uint64_t word;
        memcpy(&word, key.data + i, 8);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    for (; i < key.size; i++)
        hash = (hash ^ key.data[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

static struct point *find(struct stream *stream, struct slice key, uint64_t hash)
{
    struct point *point = atomic_load_explicit(&stream->table[hash % METRIC_TABLE], memory_order_acquire);

    while (point != NULL && (point->hash != hash || !slice_equal(point->key, key)))
        point = point->next;
    return point;
}

static struct point *create_locked(struct stream *stream, struct slice key, uint64_t hash)
{
    struct point *point = calloc(1, sizeof(*point));
    uint8_t *copy = malloc(key.size + 1);

    if (point == NULL || copy == NULL) {
        free(point);
        free(copy);
        return NULL;
    }
    if (key.size != 0)
        memcpy(copy, key.data, key.size);
    point->stream = stream;
    point->index = next_index++;
    point->hash = hash;
    point->key = slice_of(copy, key.size);
    point->epoch = thread_epoch;
    point->next = atomic_load_explicit(&stream->table[hash % METRIC_TABLE], memory_order_relaxed);
    if (stream->last != NULL)
        stream->last->all = point;
    else
        stream->first = point;
    stream->last = point;
    stream->point_count++;
    atomic_store_explicit(&stream->table[hash % METRIC_TABLE], point, memory_order_release);
    return point;
}

static struct point *overflow_locked(struct stream *stream)
{
    uint8_t key[64];
    weir_attr attr = weir_kv_bool(WEIR_S("otel.metric.overflow"), true);
    struct encoding encoding = { TEXT_UNLIMITED, 0 };

    if (stream->overflow == NULL) {
        uint8_t *end = put_varint(key, encode_attribute_size(&encoding, &attr));
        end = encode_attribute(end, &encoding, &attr);
        struct slice bytes = slice_of(key, (size_t)(end - key));
        stream->overflow = create_locked(stream, bytes, hash_key(bytes));
    }
    return stream->overflow;
}

struct point *metric_point_of(struct stream *stream, weir_attrs attrs)
{
    uint8_t bytes[METRIC_KEY_MAX];
    size_t size = encode_set(stream, attrs, bytes);
    struct slice key = slice_of(bytes, size != SIZE_MAX ? size : 0);
    uint64_t hash = hash_key(key);
    struct point *point = size != SIZE_MAX ? find(stream, key, hash) : NULL;

    if (point != NULL)
        return point;
    pthread_mutex_lock(&metric_lock);
    point = size != SIZE_MAX ? find(stream, key, hash) : NULL;
    if (point == NULL && size != SIZE_MAX && stream->point_count + (stream->overflow == NULL) < stream->cardinality)
        point = create_locked(stream, key, hash);
    if (point == NULL)
        point = overflow_locked(stream);
    pthread_mutex_unlock(&metric_lock);
    return point;
}

/* ---- cells ---- */

static struct metric_cells *grow(struct thread *self, uint32_t index)
{
    struct metric_cells *old = atomic_load_explicit(&self->cells, memory_order_relaxed);
    uint32_t capacity = 64;

    while (capacity <= index)
        capacity *= 2;
    struct metric_cells *cells = calloc(1, sizeof(*cells) + capacity * sizeof(cells->cell[0]));
    if (cells == NULL)
        return NULL;
    cells->capacity = capacity;
    cells->before = old;
    for (uint32_t i = 0; old != NULL && i < old->capacity; i++)
        atomic_store_explicit(&cells->cell[i], atomic_load_explicit(&old->cell[i], memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(&self->cells, cells, memory_order_release);
    return cells;
}

/* One allocation: the cell on cache lines of its own, and what its aggregation needs behind it. */
static struct cell *create_cell(const struct stream *stream)
{
    size_t exemplars = stream->exemplar_count * sizeof(struct exemplar);
    size_t buckets = stream->aggregation == AGGREGATION_BUCKETS ? (stream->bound_count + 1) * sizeof(uint64_t) : 0;
    size_t sides = stream->aggregation == AGGREGATION_EXPONENTIAL ? 2 * sizeof(struct exponential_side) : 0;
    size_t size = (sizeof(struct cell) + exemplars + buckets + sides + 63) & ~(size_t)63;
    struct cell *cell = aligned_alloc(64, size);

    if (cell == NULL)
        return NULL;
    memset(cell, 0, size);
    uint8_t *at = (uint8_t *)(cell + 1);
    cell->exemplars = (struct exemplar *)(void *)at;
    if (buckets != 0)
        cell->buckets = (uint64_t *)(void *)(at + exemplars);
    if (sides != 0)
        cell->side = (struct exponential_side *)(void *)(at + exemplars);
    return cell;
}

struct cell *metric_cell_of(const struct point *point)
{
    struct thread *self = thread_enter();

    if (self == NULL)
        return NULL;
    struct metric_cells *cells = atomic_load_explicit(&self->cells, memory_order_relaxed);
    if (cells == NULL || point->index >= cells->capacity)
        cells = grow(self, point->index);
    struct cell *cell = cells != NULL ? atomic_load_explicit(&cells->cell[point->index], memory_order_relaxed) : NULL;
    if (cells != NULL && cell == NULL) {
        cell = create_cell(point->stream);
        atomic_store_explicit(&cells->cell[point->index], cell, memory_order_release);
    }
    thread_leave(self);
    return cell;
}
