/*
 * Attributes of a series that is seen for the first time: tags as they are written, sorted, each key once (the last one wins), as OTLP encodes them.
 * Cost: once for each spelling of a series in an interval. Limits: STATSD_MAX_TAGS.
 */
#include <stdlib.h>

#include "collector/wire/metric_write.h"
#include "collector/wire/utf8.h"
#include "receivers/statsd/series.h"

struct tag {
    struct slice key, value;
    size_t place;
};

struct tags {
    struct tag items[STATSD_MAX_TAGS + 2];
    size_t count;
};

static void put(struct tags *tags, struct slice key, struct slice value)
{
    tags->items[tags->count] = (struct tag){ key, value, tags->count };
    tags->count++;
}

static bool cut(struct slice item, char separator, struct slice *key, struct slice *value)
{
    struct slice rest = item;

    statsd_next_item(&rest, separator, key);
    *value = rest;
    return rest.data != NULL;
}

/* DogStatsD's. A '#' before each tag is what its PHP client sends. */
static const char *read_tags(struct slice list, bool simple_tags, struct tags *tags)
{
    struct slice item, key, value;

    while (statsd_next_item(&list, ',', &item)) {
        if (item.size > 0 && item.data[0] == '#')
            item = slice_of(item.data + 1, item.size - 1);
        if (item.size == 0)
            continue;
        if (tags->count >= STATSD_MAX_TAGS)
            return "too_many_tags";
        cut(item, ':', &key, &value);
        if (key.size == 0 || (value.size == 0 && !simple_tags))
            return "bad_tag";
        put(tags, key, value);
    }
    return NULL;
}

/* The other dialects': what is not "key=value" says nothing. */
static const char *read_name_tags(struct slice list, struct tags *tags)
{
    struct slice item, key, value;

    while (statsd_next_item(&list, ',', &item)) {
        if (!cut(item, '=', &key, &value) || key.size == 0 || value.size == 0)
            continue;
        if (tags->count >= STATSD_MAX_TAGS)
            return "too_many_tags";
        put(tags, key, value);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct tag *left = a, *right = b;
    int order = slice_compare(left->key, right->key);

    return order != 0 ? order : (left->place > right->place) - (left->place < right->place);
}

static const char *gather(
    const struct statsd_rules *rules, const struct statsd_line *line, const struct statsd_name *name, struct tags *tags)
{
    bool dogstatsd = (rules->dialects & STATSD_DOGSTATSD) != 0;
    const char *fault = name->tags.size > 0 ? read_name_tags(name->tags, tags) : NULL;

    if (fault == NULL && tags->count > 0 && line->tags.size > 0)
        fault = "mixed_tags";
    if (fault == NULL && dogstatsd && line->tags.size > 0)
        fault = read_tags(line->tags, rules->simple_tags, tags);
    if (fault != NULL)
        return fault;
    if (dogstatsd && line->container.size > 0)
        put(tags, SLICE("container.id"), line->container);
    if (rules->metric_type)
        put(tags, SLICE("metric_type"), slice_of_string(statsd_type_name(line->type)));
    return NULL;
}

const char *statsd_attributes(struct statsd_table *table, const struct statsd_line *line, const struct statsd_name *name, uint32_t field)
{
    struct tags tags;
    const char *fault;

    tags.count = 0;
    buffer_clear(&table->attributes);
    if (!utf8_is_valid(line->name) || !utf8_is_valid(line->tags) || !utf8_is_valid(line->container))
        return "not_utf8";
    fault = gather(table->rules, line, name, &tags);
    if (fault != NULL)
        return fault;
    qsort(tags.items, tags.count, sizeof(tags.items[0]), compare);
    for (size_t i = 0; i < tags.count; i++)
        if (i + 1 == tags.count || !slice_equal(tags.items[i].key, tags.items[i + 1].key))
            metric_write_attribute(&table->attributes, field, tags.items[i].key, tags.items[i].value);
    return table->attributes.failed ? "memory" : NULL;
}
