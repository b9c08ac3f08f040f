/*
 * Grouping a batch costs one look-up per resource and a sort of the resources; groups point into the batch. Finding an
 * open file goes along the list of them, most recently used first.
 */
#include "exporters/file/grouping.h"

#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/wire/otlp.h"

/* One resource group on its way to its path group. */
struct path_entry {
    uint64_t hash;
    struct slice segment;
    struct slice raw;
    size_t index;
};

static int compare_entries(const void *left, const void *right)
{
    const struct path_entry *a = left, *b = right;
    int order;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    order = slice_compare(a->segment, b->segment);
    return order != 0 ? order : (a->index < b->index ? -1 : 1);
}

/* A request's fields other than its resource groups: the dictionary that the profiles in it need. */
static struct slice dictionary_of(const struct batch *batch)
{
    struct pb_reader reader = pb_reader_of(batch->run_count > 0 ? batch->runs[0].bytes : SLICE(""));
    struct pb_field field;

    while (batch->signal == SIGNAL_PROFILES && pb_next(&reader, &field))
        if (field.number == 2)
            return field.raw;
    return SLICE("");
}

static size_t count_groups(const struct batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->run_count; i++) {
        struct otlp_groups groups = otlp_groups(batch->runs[i].bytes);
        struct otlp_group group;

        while (otlp_next_group(&groups, &group))
            count++;
    }
    return count;
}

static size_t list_entries(const struct batch *batch, struct slice attribute, struct grouping *grouping)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->run_count; i++) {
        struct otlp_groups groups = otlp_groups(batch->runs[i].bytes);
        struct otlp_group group;
        struct otlp_value value;

        while (otlp_next_group(&groups, &group)) {
            if (!otlp_find_attribute(group.resource, OTLP_ATTRIBUTES_OF_RESOURCE, attribute, &value) || value.kind != OTLP_VALUE_STRING) {
                grouping->dropped_records += otlp_count(batch->signal, group.raw);
                continue;
            }
            grouping->entries[count] = (struct path_entry){ hash_bytes(value.bytes), value.bytes, group.raw, count };
            count++;
        }
    }
    return count;
}

/* Sorted entries to groups: each begins with the dictionary, if there is one. */
static void collect(struct grouping *grouping, size_t count, struct slice dictionary)
{
    struct slice *next = grouping->pieces;

    for (size_t i = 0; i < count; i++) {
        const struct path_entry *entry = &grouping->entries[i];
        struct path_group *group = grouping->count > 0 ? &grouping->groups[grouping->count - 1] : NULL;

        if (group == NULL || !slice_equal(group->segment, entry->segment)) {
            group = &grouping->groups[grouping->count++];
            *group = (struct path_group){ entry->segment, next, 0 };
            if (dictionary.size > 0) {
                *next++ = dictionary;
                group->count++;
            }
        }
        *next++ = entry->raw;
        group->count++;
    }
}

bool grouping_of(const struct batch *batch, struct slice attribute, struct grouping *grouping)
{
    size_t most = count_groups(batch) + 1, count;

    grouping->entries = calloc(most, sizeof(*grouping->entries));
    grouping->groups = calloc(most, sizeof(*grouping->groups));
    grouping->pieces = calloc(2 * most, sizeof(*grouping->pieces));
    if (grouping->entries == NULL || grouping->groups == NULL || grouping->pieces == NULL)
        return false;
    count = list_entries(batch, attribute, grouping);
    qsort(grouping->entries, count, sizeof(*grouping->entries), compare_entries);
    collect(grouping, count, dictionary_of(batch));
    return true;
}

void grouping_fini(struct grouping *grouping)
{
    free(grouping->entries);
    free(grouping->groups);
    free(grouping->pieces);
}
