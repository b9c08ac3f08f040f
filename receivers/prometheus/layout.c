/*
 * Finding and putting samples. What is found needs no memory; what is new is relabelled and sorted into its group, in layout_add.c.
 * Cost: a compare and some stores for a sample that stands where it stood, a hash and a look into the table for one that does not.
 */
#include "receivers/prometheus/layout.h"

#include <stdlib.h>

#include "collector/base/hash.h"

enum { AHEAD_MS = 10 * 60 * 1000 }; /* Prometheus' own limit */

void layout_init(struct layout *layout, const struct layout_settings *settings)
{
    *layout = (struct layout){ .settings = settings, .first = LAYOUT_NONE, .metadata_first = LAYOUT_NONE, .generation = 1 };
}

static void home_fini(struct home *home)
{
    free((void *)(uintptr_t)home->job.data);
    free((void *)(uintptr_t)home->instance.data);
    free((void *)(uintptr_t)home->scope.data);
    free((void *)(uintptr_t)home->schema_url.data);
    free((void *)(uintptr_t)home->information.data);
}

void layout_reset(struct layout *layout)
{
    for (size_t i = 0; i < layout->home_count; i++)
        home_fini(&layout->homes[i]);
    layout->home_count = layout->family_count = layout->group_count = layout->series_count = 0;
    buffer_clear(&layout->texts);
    table_fini(&layout->series_table);
    table_fini(&layout->group_table);
    table_fini(&layout->family_table);
    layout->first = layout->hint = layout->last = LAYOUT_NONE;
    layout->types_changed = false;
}

void layout_fini(struct layout *layout)
{
    layout_reset(layout);
    for (size_t i = 0; i < layout->metadata_count; i++) {
        free((void *)(uintptr_t)layout->metadata[i].name.data);
        free((void *)(uintptr_t)layout->metadata[i].help.data);
        free((void *)(uintptr_t)layout->metadata[i].unit.data);
    }
    table_fini(&layout->metadata_table);
    buffer_fini(&layout->texts);
    buffer_fini(&layout->natives);
    buffer_fini(&layout->exemplar_bytes);
    free(layout->series);
    free(layout->groups);
    free(layout->families);
    free(layout->homes);
    free(layout->metadata);
    free(layout->exemplars);
    *layout = (struct layout){ .settings = NULL };
}

void layout_begin(struct layout *layout, int64_t now_ms)
{
    layout->generation++;
    layout->now_ms = now_ms;
    layout->hint = layout->first;
    layout->metadata_hint = layout->metadata_first;
    layout->last = layout->metadata_last = LAYOUT_NONE;
    layout->samples = layout->kept = layout->added = layout->live = 0;
    layout->duplicates = layout->out_of_bounds = layout->inconsistent = layout->malformed = 0;
    layout->exemplar_count = 0;
    layout->failed = false;
    buffer_clear(&layout->natives);
    buffer_clear(&layout->exemplar_bytes);
}

void layout_abandon(struct layout *layout)
{
    layout->generation++;
    layout->exemplar_count = 0;
    layout->added = layout->live = 0;
}

void *layout_grow(void **items, size_t *count, size_t *capacity, size_t size)
{
    if (*count == *capacity) {
        size_t wanted = *capacity + *capacity / 2 + 16;
        void *bigger = wanted < LAYOUT_NONE ? realloc(*items, wanted * size) : NULL;

        if (bigger == NULL)
            return NULL;
        *items = bigger;
        *capacity = wanted;
    }
    return (char *)*items + size * (*count)++;
}

uint32_t layout_find(struct layout *layout, struct slice key)
{
    uint32_t number = layout->hint, hash;
    size_t cursor = 0;
    bool found;

    if (number == LAYOUT_NONE || !slice_equal(layout_key(layout, &layout->series[number]), key)) {
        hash = (uint32_t)hash_bytes(key);
        do
            found = table_next(&layout->series_table, hash, &cursor, &number);
        while (found && !slice_equal(layout_key(layout, &layout->series[number]), key));
        if (!found)
            return LAYOUT_NONE;
        if (layout->last != LAYOUT_NONE)
            layout->series[layout->last].follower = number;
        else
            layout->first = number;
    }
    layout->last = number;
    layout->hint = layout->series[number].follower;
    return number;
}

/* Whether the time fits the group's; the group takes it. */
static bool take_timestamp(struct layout *layout, struct group *group, const struct layout_sample *sample)
{
    bool timed = sample->has_timestamp && layout->settings->honor_timestamps;
    bool begun = group->seen == layout->generation;

    if (timed && sample->timestamp_ms > layout->now_ms + AHEAD_MS) {
        layout->out_of_bounds++;
        return false;
    }
    if (begun && (timed != group->timed || (timed && sample->timestamp_ms != group->timestamp_ms))) {
        layout->inconsistent++;
        return false;
    }
    group->timed = timed;
    group->timestamp_ms = timed ? sample->timestamp_ms : 0;
    return true;
}

/* Counts the sample. NULL: it is not taken. */
static struct series *take(struct layout *layout, uint32_t number, const struct layout_sample *sample)
{
    struct series *series = &layout->series[number];

    layout->samples++;
    layout->kept += series->role != ROLE_DROPPED;
    if (series->role <= ROLE_MALFORMED) {
        layout->malformed += series->role == ROLE_MALFORMED;
        series->seen = layout->generation;
        return NULL;
    }
    if (series->seen == layout->generation) {
        layout->duplicates++;
        return NULL;
    }
    if (series->role == ROLE_INFO) {
        layout->homes[series->group].information_seen = layout->generation;
    } else {
        struct group *group = &layout->groups[series->group];

        if (!take_timestamp(layout, group, sample))
            return NULL;
        group->seen = layout->generation;
    }
    layout->added += series->seen + 1 != layout->generation;
    layout->live++;
    series->seen = layout->generation;
    return series;
}

bool layout_put(struct layout *layout, uint32_t number, const struct layout_sample *sample)
{
    struct series *series = take(layout, number, sample);

    if (series != NULL)
        series->value = sample->value;
    return series != NULL;
}

bool layout_put_native(struct layout *layout, uint32_t number, const struct layout_sample *sample, struct slice body)
{
    struct series *series = take(layout, number, sample);

    if (series == NULL)
        return false;
    series->native = (struct native_place){ (uint32_t)layout->natives.size, (uint32_t)body.size };
    series->bound = sample->value;
    buffer_append_slice(&layout->natives, body);
    return true;
}

void layout_put_created(struct layout *layout, uint32_t number, double seconds)
{
    const struct series *series = &layout->series[number];
    struct group *group;

    if (series->role < ROLE_VALUE || series->role == ROLE_INFO || !(seconds > 0 && seconds < 1e10))
        return;
    group = &layout->groups[series->group];
    group->start_ns = (uint64_t)(seconds * 1e9);
    group->created = true;
}

void layout_put_exemplar(struct layout *layout, uint32_t number, struct slice exemplar)
{
    struct layout_exemplar *place;

    if (layout->series[number].role < ROLE_VALUE || layout->series[number].role == ROLE_INFO)
        return;
    place = layout_grow((void **)&layout->exemplars, &layout->exemplar_count, &layout->exemplar_capacity, sizeof(*place));
    if (place == NULL) {
        layout->failed = true;
        return;
    }
    *place = (struct layout_exemplar){ layout->series[number].group, (uint32_t)layout->exemplar_bytes.size, (uint32_t)exemplar.size };
    buffer_append_slice(&layout->exemplar_bytes, exemplar);
}

size_t layout_bytes(const struct layout *layout)
{
    size_t tables =
        layout->series_table.capacity + layout->group_table.capacity + layout->family_table.capacity + layout->metadata_table.capacity;

    return layout->texts.capacity + layout->natives.capacity + layout->exemplar_bytes.capacity +
           layout->series_capacity * sizeof(struct series) + layout->group_capacity * sizeof(struct group) +
           layout->family_capacity * sizeof(struct family) + layout->home_capacity * sizeof(struct home) +
           layout->metadata_capacity * sizeof(struct layout_metadata) + tables * sizeof(struct table_place);
}
