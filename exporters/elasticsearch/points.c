/*
 * Grouping of data points. Cost: one hash of the attributes and one look into a table for each point; about 300 bytes a
 * point, for as long as the batch is written. Threads: none of its own.
 */
#include "exporters/elasticsearch/points.h"

#include <stdlib.h>

#include "collector/base/hash.h"

enum { FIRST_POINTS = 256, FIRST_GROUPS = 64, FIRST_SLOTS = 256 };

void elastic_points_clear(struct elastic_points *points)
{
    points->count = points->group_count = 0;
    if (points->slots != NULL)
        memset(points->slots, 0, points->slot_count * sizeof(*points->slots));
    points->failed = false;
}

void elastic_points_fini(struct elastic_points *points)
{
    free(points->items);
    free(points->groups);
    free(points->slots);
    free(points->order);
    memset(points, 0, sizeof(*points));
}

/* ---- identity ---- */

static bool is_stream_name(struct slice key)
{
    return slice_equal(key, SLICE("data_stream.type")) || slice_equal(key, SLICE("data_stream.dataset")) ||
           slice_equal(key, SLICE("data_stream.namespace")) || slice_equal(key, SLICE("elasticsearch.mapping.hints"));
}

/*
 * An attribute's own bytes stand for it, without the tag, which differs between kinds of points: two encoders of one value would have
 * to differ in a way that none does.
 */
uint64_t elastic_points_hash(const struct elastic_attributes *attributes)
{
    uint64_t sum = attributes->count;

    for (size_t i = 0; i < attributes->count; i++) {
        struct slice raw = attributes->items[i].raw;

        if (!attributes->reserved || !is_stream_name(attributes->items[i].key))
            sum += hash_bytes(slice_of(raw.data + 1, raw.size - 1));
    }
    return sum;
}

/* ---- the table ---- */

static void *grow(void *items, uint32_t *capacity, uint32_t first, size_t size)
{
    uint32_t wanted = *capacity == 0 ? first : 2 * *capacity;
    void *grown = wanted > *capacity ? realloc(items, (size_t)wanted * size) : NULL;

    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

static bool make_room(struct elastic_points *points)
{
    if (points->count + 2 > points->capacity) {
        void *items = grow(points->items, &points->capacity, FIRST_POINTS, sizeof(*points->items));

        if (items == NULL)
            return false;
        points->items = items;
    }
    if (points->group_count == points->group_capacity) {
        void *groups = grow(points->groups, &points->group_capacity, FIRST_GROUPS, sizeof(*points->groups));

        if (groups == NULL)
            return false;
        points->groups = groups;
    }
    return true;
}

static uint32_t *find_slot(uint32_t *slots, uint32_t slot_count, const struct elastic_points *points, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash & (slot_count - 1));

    while (slots[at] != 0 && points->groups[slots[at] - 1].hash != hash)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

/* At most half of the slots are in use. */
static bool make_slots(struct elastic_points *points)
{
    uint32_t wanted = points->slot_count == 0 ? FIRST_SLOTS : 2 * points->slot_count;
    uint32_t *slots;

    if (points->slot_count > 2 * points->group_count)
        return true;
    slots = calloc(wanted, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < points->group_count; i++)
        *find_slot(slots, wanted, points, points->groups[i].hash) = i + 1;
    free(points->slots);
    points->slots = slots;
    points->slot_count = wanted;
    return true;
}

void elastic_points_add(struct elastic_points *points, const struct elastic_point_place *place, const struct elastic_point *point)
{
    struct elastic_point_group *group;
    uint32_t *slot, number;

    points->failed |= !make_room(points) || !make_slots(points);
    if (points->failed)
        return;
    number = ++points->count;
    points->items[number] = *point;
    points->items[number].next = 0;
    slot = find_slot(points->slots, points->slot_count, points, place->identity);
    if (*slot == 0) {
        *slot = ++points->group_count;
        points->groups[*slot - 1] =
            (struct elastic_point_group){ place->identity, place->group, place->scope_group, .first = number, .last = number, .count = 1 };
        return;
    }
    group = &points->groups[*slot - 1];
    points->items[group->last].next = number;
    group->last = number;
    group->count++;
}

/* ---- order ---- */

static int compare_names(const void *a, const void *b, void *context)
{
    const struct elastic_points *points = context;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    struct slice left_name = points->items[left].metric.name, right_name = points->items[right].metric.name;
    int order = slice_compare(left_name, right_name);

    return order != 0 ? order : (left > right) - (left < right);
}

const uint32_t *elastic_points_by_name(struct elastic_points *points, const struct elastic_point_group *group)
{
    uint32_t count = 0;

    if (points->order_capacity < group->count) {
        uint32_t *order = realloc(points->order, group->count * sizeof(*order));

        if (order == NULL)
            return NULL;
        points->order = order;
        points->order_capacity = group->count;
    }
    for (uint32_t number = group->first; number != 0; number = points->items[number].next)
        points->order[count++] = number;
    qsort_r(points->order, count, sizeof(*points->order), compare_names, points);
    return points->order;
}

/* ---- hints ---- */

enum otlp_attributes_field elastic_point_attributes(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_HISTOGRAM:
        return OTLP_ATTRIBUTES_OF_HISTOGRAM_POINT;
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return OTLP_ATTRIBUTES_OF_EXPONENTIAL_POINT;
    case OTLP_SUMMARY:
        return OTLP_ATTRIBUTES_OF_SUMMARY_POINT;
    default:
        return OTLP_ATTRIBUTES_OF_NUMBER_POINT;
    }
}

unsigned elastic_point_hints(const struct elastic_attributes *attributes)
{
    const struct otlp_value *hints =
        attributes->reserved ? elastic_attributes_find(attributes, SLICE("elasticsearch.mapping.hints")) : NULL;
    struct pb_field field;
    struct pb_reader reader;
    unsigned found = 0;

    if (hints == NULL || hints->kind != OTLP_VALUE_ARRAY)
        return 0;
    reader = pb_reader_of(hints->bytes);
    while (pb_next(&reader, &field)) {
        struct otlp_value hint = otlp_value_of(field.bytes);

        if (slice_equal(hint.bytes, SLICE("aggregate_metric_double")))
            found |= ELASTIC_HINT_AGGREGATE;
        else if (slice_equal(hint.bytes, SLICE("_doc_count")))
            found |= ELASTIC_HINT_DOC_COUNT;
    }
    return found;
}
