/*
 * The table of series: one hash table with open addressing that finds a series by the bytes of its line (an alias), and, when
 * these were not seen yet, by its name and sorted attributes, so that the order of tags makes no other series.
 *
 * Cost: some 60 ns for a line whose spelling was seen; the first time also its attributes are sorted and encoded.
 * Limits: max_series; four spellings of each on average (further ones are looked up the long way); keys of 256 MiB.
 */
#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/ottl/regex.h"
#include "receivers/statsd/series.h"

enum { FIRST_ENTRIES = 256, FIRST_SERIES = 64, SPELLINGS = 4 };
static const size_t max_key_bytes = (size_t)256 << 20;

struct key_parts {
    struct statsd_key head;
    struct slice parts[3];
    uint64_t hash;
};

struct statsd_table *statsd_table_create(const struct statsd_rules *rules)
{
    struct statsd_table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        return NULL;
    table->rules = rules;
    table->keys.limit = max_key_bytes;
    table->matcher = ottl_matcher_create();
    table->entries = calloc(FIRST_ENTRIES, sizeof(table->entries[0]));
    table->entry_capacity = FIRST_ENTRIES;
    if (table->entries != NULL && table->matcher != NULL)
        return table;
    statsd_table_destroy(table);
    return NULL;
}

void statsd_table_destroy(struct statsd_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->series_count; i++)
        statsd_series_fini(&table->series[i]);
    ottl_matcher_destroy(table->matcher);
    buffer_fini(&table->keys);
    buffer_fini(&table->attributes);
    free(table->entries);
    free(table->series);
    free(table->samples);
    free(table->members);
    free(table);
}

size_t statsd_table_series(const struct statsd_table *table)
{
    return table->series_count;
}

/* ---- finding ---- */

static void hash_key(struct key_parts *key)
{
    uint64_t sizes = (uint64_t)key->head.type | (uint64_t)key->head.is_alias << 8 | (uint64_t)key->head.name_size << 16 |
                     (uint64_t)key->head.tags_size << 32 | (uint64_t)key->head.container_size << 48;

    key->hash = hash_combine(hash_bytes(key->parts[0]), hash_combine(key->head.peer, sizes));
    for (size_t i = 1; i < 3; i++)
        if (key->parts[i].size > 0)
            key->hash = hash_combine(key->hash, hash_bytes(key->parts[i]));
}

static size_t key_size(const struct key_parts *key)
{
    return sizeof(key->head) + key->parts[0].size + key->parts[1].size + key->parts[2].size;
}

static bool is_key(const struct statsd_table *table, const struct statsd_entry *entry, const struct key_parts *key)
{
    const uint8_t *at = table->keys.data + entry->offset;

    if (entry->hash != key->hash || entry->size != key_size(key) || memcmp(at, &key->head, sizeof(key->head)) != 0)
        return false;
    at += sizeof(key->head);
    for (size_t i = 0; i < 3; i++) {
        if (key->parts[i].size > 0 && memcmp(at, key->parts[i].data, key->parts[i].size) != 0)
            return false;
        at += key->parts[i].size;
    }
    return true;
}

/* The key's entry, or the free one where it belongs. */
static struct statsd_entry *find(const struct statsd_table *table, const struct key_parts *key)
{
    size_t mask = table->entry_capacity - 1;

    for (size_t i = key->hash & mask;; i = (i + 1) & mask)
        if (table->entries[i].series == 0 || is_key(table, &table->entries[i], key))
            return &table->entries[i];
}

static bool make_room(struct statsd_table *table)
{
    struct statsd_entry *old = table->entries;
    size_t capacity = table->entry_capacity, mask = capacity * 2 - 1;

    if (table->entry_count * 2 < capacity)
        return true;
    table->entries = calloc(capacity * 2, sizeof(table->entries[0]));
    if (table->entries == NULL) {
        table->entries = old;
        return false;
    }
    for (size_t i = 0; i < capacity; i++) {
        size_t at = old[i].hash & mask;

        if (old[i].series == 0)
            continue;
        while (table->entries[at].series != 0)
            at = (at + 1) & mask;
        table->entries[at] = old[i];
    }
    table->entry_capacity = capacity * 2;
    free(old);
    return true;
}

static bool remember(struct statsd_table *table, const struct key_parts *key, uint32_t series)
{
    size_t offset = table->keys.size;
    struct statsd_entry *entry;

    if (!make_room(table) || !buffer_reserve(&table->keys, key_size(key))) {
        table->keys.failed = false;
        return false;
    }
    buffer_append(&table->keys, &key->head, sizeof(key->head));
    for (size_t i = 0; i < 3; i++)
        buffer_append_slice(&table->keys, key->parts[i]);
    entry = find(table, key);
    *entry = (struct statsd_entry){ key->hash, (uint32_t)offset, (uint32_t)key_size(key), series };
    table->entry_count++;
    return true;
}

/* ---- new series ---- */

static bool make_series_room(struct statsd_table *table)
{
    size_t capacity = table->series_capacity > 0 ? table->series_capacity * 2 : FIRST_SERIES;
    struct statsd_series *series;

    if (table->series_count < table->series_capacity)
        return true;
    series = realloc(table->series, capacity * sizeof(*series));
    if (series == NULL)
        return false;
    table->series = series;
    table->series_capacity = capacity;
    return true;
}

static const struct statsd_buckets *buckets_of(const struct statsd_table *table, const struct statsd_observer *observer, struct slice name)
{
    for (size_t i = 0; i < observer->bucket_count; i++)
        if (ottl_regex_match(observer->buckets[i].name, table->matcher, name, 0) == OTTL_MATCH)
            return &observer->buckets[i];
    return NULL;
}

static bool init_histogram(struct statsd_series *series, const struct statsd_observer *observer, const struct statsd_buckets *buckets)
{
    if (buckets == NULL) {
        series->exponential = exponential_create(observer->max_size);
        return series->exponential != NULL;
    }
    series->explicit = calloc(1, sizeof(*series->explicit) + (buckets->count + 1) * sizeof(uint64_t));
    if (series->explicit != NULL)
        series->explicit->buckets = buckets;
    return series->explicit != NULL;
}

static const char *add_series(struct statsd_table *table, const struct key_parts *key, const struct statsd_buckets *buckets)
{
    const struct statsd_observer *observer = &table->rules->observers[key->head.type];
    struct statsd_series *series;

    if (table->series_count >= table->rules->max_series)
        return "too_many_series";
    if (!make_series_room(table))
        return "memory";
    series = &table->series[table->series_count];
    *series = (struct statsd_series){ .type = (enum statsd_type)key->head.type, .method = observer->method };
    series->key_offset = (uint32_t)table->keys.size;
    series->key_size = (uint32_t)key_size(key);
    if (series->method == STATSD_OBSERVE_HISTOGRAM && !init_histogram(series, observer, buckets))
        return "memory";
    table->series_count++;
    if (remember(table, key, (uint32_t)table->series_count))
        return NULL;
    statsd_series_fini(&table->series[table->series_count - 1]);
    table->series_count--;
    return "memory";
}

/* By name and attributes; the tail of the name, if tags stood in its middle, is a part of the key of its own. */
static const char *find_by_meaning(struct statsd_table *table, const struct statsd_line *line, uint64_t peer, uint32_t *series)
{
    struct statsd_name name = statsd_name_of(line->name, table->rules->dialects);
    const struct statsd_observer *observer = &table->rules->observers[line->type];
    const struct statsd_buckets *buckets = NULL;
    struct key_parts key = { .head = { .peer = peer, .type = (uint8_t)line->type } };
    struct statsd_entry *entry;
    const char *fault;

    if (name.head.size + name.tail.size == 0)
        return "empty_name";
    if (observer->method == STATSD_OBSERVE_HISTOGRAM)
        buckets = buckets_of(table, observer, name.head);
    fault = statsd_attributes(table, line, &name, statsd_attributes_field(line->type, observer, buckets != NULL));
    if (fault != NULL)
        return fault;
    key.head.name_size = (uint16_t)(name.head.size + name.tail.size);
    key.parts[0] = name.head;
    key.parts[1] = name.tail;
    key.parts[2] = buffer_slice(&table->attributes);
    hash_key(&key);
    entry = find(table, &key);
    if (entry->series == 0) {
        fault = add_series(table, &key, buckets);
        *series = (uint32_t)table->series_count;
        return fault;
    }
    *series = entry->series;
    return NULL;
}

static const char *find_series(struct statsd_table *table, const struct statsd_line *line, uint64_t peer, uint32_t *series)
{
    struct key_parts alias = {
        .head = { peer, (uint8_t)line->type, 1, (uint16_t)line->name.size, (uint16_t)line->tags.size, (uint16_t)line->container.size },
        .parts = { line->name, line->tags, line->container },
    };
    const struct statsd_entry *entry;
    const char *fault;

    hash_key(&alias);
    entry = find(table, &alias);
    *series = entry->series;
    if (entry->series != 0)
        return NULL;
    fault = find_by_meaning(table, line, peer, series);
    if (fault == NULL && table->entry_count < table->rules->max_series * SPELLINGS)
        remember(table, &alias, *series); /* without it, the next one takes the long way */
    return fault;
}

/* ---- adding ---- */

static const char *add_sample(struct statsd_table *table, const struct statsd_line *line, const struct statsd_origin *origin)
{
    struct statsd_value value = { .rate = line->rate, .now_ns = origin->now_ns };
    struct slice values = line->values;
    const char *fault = NULL;
    uint32_t series;

    if (line->type != STATSD_SET)
        while (values.data != NULL)
            if (!statsd_next_value(&values, &value.value, &value.is_relative))
                return "bad_value";
    if (table->rules->observers[line->type].method == STATSD_OBSERVE_NOTHING)
        return NULL;
    fault = find_series(table, line, origin->peer, &series);
    if (fault != NULL)
        return fault;
    if (line->time_ns != 0)
        table->series[series - 1].time_ns = line->time_ns;
    if (line->type == STATSD_SET)
        return statsd_series_add_member(table, &table->series[series - 1], line->values);
    values = line->values;
    while (fault == NULL && values.data != NULL) {
        statsd_next_value(&values, &value.value, &value.is_relative);
        fault = statsd_series_add(table, &table->series[series - 1], &value);
    }
    return fault;
}

const char *statsd_table_add(struct statsd_table *table, struct slice text, const struct statsd_origin *origin)
{
    struct statsd_line line;
    const char *fault = statsd_line_parse(text, &line);

    if (fault == NULL)
        fault = add_sample(table, &line, origin);
    while (fault == NULL && line.more.size > 0) {
        fault = statsd_line_more(&line);
        if (fault == NULL)
            fault = add_sample(table, &line, origin);
    }
    return fault;
}
