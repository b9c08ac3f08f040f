/*
 * The targets of one scrape configuration. When a discovery has found something else, all targets are made anew and compared with those that are
 * there: the same ones go on with the state of their series, new ones get a time of their own within the interval.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/hash.h"
#include "collector/base/log.h"
#include "receivers/prometheus/engine.h"

/* The same target has the same place in the interval, also after a restart; different ones are spread over it. */
static int64_t first_due(const struct pool *pool, const struct target *target)
{
    int64_t interval = target->interval_ns, offset = (int64_t)(hash_bytes(slice_of_string(target->url)) % (uint64_t)interval);
    int64_t since = (int64_t)(clock_wall_nanos() % (uint64_t)interval);

    return clock_monotonic_nanos() + pool->engine->settings->initial_scrape_offset_ns + (offset - since + interval) % interval;
}

static void set_layout(struct scrape_target *target)
{
    const struct pool *pool = target->pool;
    const struct scrape_settings *scrape = pool->scrape;

    target->layout_settings = (struct layout_settings){
        .target_labels = target->target.labels,
        .target_label_count = target->target.label_count,
        .external_labels = pool->external_labels,
        .external_label_count = pool->external_label_count,
        .metric_rules = pool->metric_rules,
        .scheme = target->target.scheme,
        .sample_limit = scrape->limits.sample_limit,
        .label_limit = scrape->limits.label_limit,
        .label_name_length_limit = scrape->limits.label_name_length_limit,
        .label_value_length_limit = scrape->limits.label_value_length_limit,
        .honor_labels = scrape->honor_labels,
        .honor_timestamps = scrape->honor_timestamps,
        .track_timestamps_staleness = scrape->track_timestamps_staleness,
        .legacy_names = strcmp(scrape->validation_scheme, "legacy") == 0,
        .trim_suffixes = pool->engine->settings->trim_metric_suffixes,
    };
    layout_init(&target->layout, &target->layout_settings);
}

/* Takes the target. */
static void add_target(struct pool *pool, struct target target)
{
    struct scrape_target *added = calloc(1, sizeof(*added));

    if (added == NULL)
        abort();
    added->job = (struct job){ .run = scrape_run, .destroy = scrape_target_destroy, .due_ns = first_due(pool, &target) };
    added->pool = pool;
    added->target = target;
    added->marked = true;
    set_layout(added);
    if (pool->target_count == pool->target_capacity) {
        pool->target_capacity = pool->target_capacity > 0 ? pool->target_capacity * 2 : 16;
        pool->targets = realloc(pool->targets, pool->target_capacity * sizeof(struct scrape_target *));
        if (pool->targets == NULL)
            abort();
    }
    pool->targets[pool->target_count++] = added;
    jobs_add(&pool->engine->jobs, &added->job);
}

/* ---- the same again ---- */

struct known {
    struct table table;
};

static uint32_t short_hash(const struct target *target)
{
    return (uint32_t)(target->identity ^ target->identity >> 32);
}

static void know(struct known *known, const struct pool *pool, size_t number)
{
    if (!table_add(&known->table, short_hash(&pool->targets[number]->target), (uint32_t)number))
        abort();
}

static struct scrape_target *find_known(const struct known *known, const struct pool *pool, const struct target *target)
{
    uint32_t number;
    size_t cursor = 0;

    while (table_next(&known->table, short_hash(target), &cursor, &number))
        if (pool->targets[number]->target.identity == target->identity && strcmp(pool->targets[number]->target.url, target->url) == 0)
            return pool->targets[number];
    return NULL;
}

static void take_found(
    struct pool *pool, const struct discovered_target *found, struct labels *labels, const struct target_maker *maker, struct known *known)
{
    struct scrape_target *same;
    struct error err = { "" };
    struct target target;

    labels_clear(labels);
    for (size_t i = 0; i < found->count; i++)
        labels_set(labels, found->labels[i].name, found->labels[i].value);
    switch (target_make(maker, labels, &target, &err)) {
    case TARGET_DROPPED:
        return;
    case TARGET_BAD:
        log_warn(pool->engine->component->path, "job \"%s\": %s", pool->scrape->job_name, err.message);
        return;
    case TARGET_MADE:
        break;
    }
    same = find_known(known, pool, &target);
    if (same == NULL) {
        add_target(pool, target);
        know(known, pool, pool->target_count - 1);
        return;
    }
    same->marked = true;
    target_fini(&target);
}

static void dismiss_unmarked(struct pool *pool)
{
    size_t kept = 0;

    for (size_t i = 0; i < pool->target_count; i++) {
        if (pool->targets[i]->marked)
            pool->targets[kept++] = pool->targets[i];
        else
            jobs_dismiss(&pool->engine->jobs, &pool->targets[i]->job);
    }
    pool->target_count = kept;
}

void pool_fill(struct pool *pool, struct ottl_matcher *matcher)
{
    struct target_maker maker = { pool->scrape, pool->rules, matcher };
    struct labels labels = { .items = NULL };
    struct known known = { .table = { .places = NULL } };
    int64_t limit = pool->scrape->limits.target_limit;

    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < pool->target_count; i++) {
        pool->targets[i]->marked = false;
        know(&known, pool, i);
    }
    for (size_t i = 0; i < pool->watch_count; i++)
        for (size_t j = 0; j < pool->watches[i]->found.count; j++)
            take_found(pool, pool->watches[i]->found.targets[j], &labels, &maker, &known);
    dismiss_unmarked(pool);
    atomic_store(&pool->over_limit, limit > 0 && pool->target_count > (uint64_t)limit);
    pthread_mutex_unlock(&pool->lock);
    table_fini(&known.table);
    labels_fini(&labels);
}
