/* Where the tap can be turned to: a list of pairs, in the order of the configuration. */
#include "collector/tap_places.h"

#include <pthread.h>
#include <stdio.h>

struct pair {
    const char *pipeline, *processor;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct arena arena; /* of what is listed; under the lock, like the rest */
static struct pair *pairs;
static size_t pair_count;

static void add_pipeline_locked(const struct configuration_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->processors.count; i++)
        pairs[pair_count++] = (struct pair){ arena_string(&arena, slice_of_string(pipeline->id)),
            arena_string(&arena, slice_of_string(pipeline->processors.items[i]->id)) };
}

void tap_places_set(const struct configuration *configuration)
{
    size_t count = 0;

    pthread_mutex_lock(&lock);
    arena_fini(&arena);
    pairs = NULL;
    pair_count = 0;
    for (size_t i = 0; configuration != NULL && i < configuration->pipeline_count; i++)
        count += configuration->pipelines[i].processors.count;
    if (count > 0)
        pairs = arena_alloc(&arena, count * sizeof(*pairs));
    for (size_t i = 0; configuration != NULL && i < configuration->pipeline_count; i++)
        add_pipeline_locked(&configuration->pipelines[i]);
    pthread_mutex_unlock(&lock);
}

/* Does the target begin with the pipeline's id? Then *rest is the processor's, or empty. */
static bool is_within(struct slice target, const char *pipeline, struct slice *rest)
{
    struct slice id = slice_of_string(pipeline);

    if (!slice_starts_with(target, id) || (target.size > id.size && target.data[id.size] != '/'))
        return false;
    *rest = target.size > id.size ? slice_of(target.data + id.size + 1, target.size - id.size - 1) : slice_of(NULL, 0);
    return true;
}

static bool take_locked(const struct pair *pair, struct tap_place *place)
{
    size_t at = (size_t)(pair - pairs), first = at, last = at;

    while (first > 0 && strcmp(pairs[first - 1].pipeline, pair->pipeline) == 0)
        first--;
    while (last + 1 < pair_count && strcmp(pairs[last + 1].pipeline, pair->pipeline) == 0)
        last++;
    snprintf(place->pipeline, sizeof(place->pipeline), "%s", pair->pipeline);
    snprintf(place->first, sizeof(place->first), "%s", pairs[first].processor);
    snprintf(place->last, sizeof(place->last), "%s", pairs[last].processor);
    return true;
}

bool tap_places_find(struct slice target, struct tap_place *place)
{
    struct slice rest;
    bool found = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; !found && i < pair_count; i++) {
        if (!is_within(target, pairs[i].pipeline, &rest) || (rest.size > 0 && !slice_equal_string(rest, pairs[i].processor)))
            continue;
        found = take_locked(&pairs[i], place);
        snprintf(place->processor, sizeof(place->processor), "%s", rest.size > 0 ? pairs[i].processor : "");
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void tap_places_list(struct buffer *out)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < pair_count; i++) {
        if (i == 0 || strcmp(pairs[i - 1].pipeline, pairs[i].pipeline) != 0)
            buffer_printf(out, "  %s\n", pairs[i].pipeline);
        buffer_printf(out, "  %s/%s\n", pairs[i].pipeline, pairs[i].processor);
    }
    pthread_mutex_unlock(&lock);
}
