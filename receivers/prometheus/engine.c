/* Building pools from the settings, and the looks of their discoveries. Starting reads TLS files and connects to nobody. */
#include "receivers/prometheus/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"

enum { FILE_LOOK_SECONDS = 5 };

/* ---- looks ---- */

static bool look(struct watch *watch, struct discovered *found, bool *same, struct error *err)
{
    bool fine;

    if (watch->files != NULL) {
        fine = discover_files(watch->files, &watch->look, found, err);
        *same = fine && watch->look.same;
        if (!fine)
            watch->look.fingerprint = 0;
        return fine;
    }
    return watch->http != NULL ? discover_http(watch->http, watch->fetcher, found, err) : discover_dns(watch->dns, found, err);
}

static int64_t pause_of(const struct watch *watch)
{
    int64_t longest = FILE_LOOK_SECONDS * NANOS_PER_SECOND;

    if (watch->http != NULL)
        return watch->http->refresh_ns;
    if (watch->dns != NULL)
        return watch->dns->refresh_ns;
    return watch->files->refresh_ns < longest ? watch->files->refresh_ns : longest;
}

static int64_t watch_run(struct job *job, struct worker *worker)
{
    struct watch *self = (struct watch *)job;
    struct pool *pool = self->pool;
    struct discovered found = { .targets = NULL };
    struct error err = { "" };
    bool same = false;

    if (!look(self, &found, &same, &err)) {
        if (!pool->engine->jobs.stopping)
            log_warn(pool->engine->component->path, "job \"%s\": targets could not be found, those that were known stay: %s",
                pool->scrape->job_name, err.message);
        discovered_fini(&found);
    } else if (!same) {
        pthread_mutex_lock(&pool->lock);
        discovered_fini(&self->found);
        self->found = found;
        pthread_mutex_unlock(&pool->lock);
        pool_fill(pool, worker->matcher);
    }
    return clock_monotonic_nanos() + pause_of(self);
}

static void watch_destroy(struct job *job)
{
    struct watch *self = (struct watch *)job;

    discovered_fini(&self->found);
    fetcher_destroy(self->fetcher);
    free(self);
}

/* ---- pools ---- */

static struct watch *add_watch(struct pool *pool)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    pool->watches = realloc(pool->watches, (pool->watch_count + 1) * sizeof(struct watch *));
    if (watch == NULL || pool->watches == NULL)
        abort();
    pool->watches[pool->watch_count++] = watch;
    watch->pool = pool;
    watch->job = (struct job){ .run = watch_run, .destroy = watch_destroy };
    return watch;
}

static bool add_watches(struct pool *pool, struct error *err)
{
    const struct scrape_settings *scrape = pool->scrape;
    const struct file_sd_settings *files = scrape->file_sd_configs.items;
    const struct http_sd_settings *https = scrape->http_sd_configs.items;
    const struct dns_sd_settings *names = scrape->dns_sd_configs.items;

    discover_static(&scrape->static_configs, &add_watch(pool)->found);
    for (size_t i = 0; i < scrape->file_sd_configs.count; i++)
        add_watch(pool)->files = &files[i];
    for (size_t i = 0; i < scrape->dns_sd_configs.count; i++)
        add_watch(pool)->dns = &names[i];
    for (size_t i = 0; i < scrape->http_sd_configs.count; i++) {
        struct watch *watch = add_watch(pool);

        watch->http = &https[i];
        watch->fetcher =
            fetcher_create(&https[i].http, https[i].refresh_ns < 30 * NANOS_PER_SECOND ? https[i].refresh_ns : 30 * NANOS_PER_SECOND, err);
        if (watch->fetcher == NULL)
            return fail_within(err, "http_sd_configs[%zu]", i);
    }
    return true;
}

static char *make_accept(const struct scrape_settings *scrape)
{
    static const char *const types[SCRAPE_PROTOCOLS] = {
        [PROTOCOL_PROTOBUF] = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        [PROTOCOL_OPENMETRICS_1] = "application/openmetrics-text;version=1.0.0",
        [PROTOCOL_OPENMETRICS_0] = "application/openmetrics-text;version=0.0.1",
        [PROTOCOL_TEXT_1] = "text/plain;version=1.0.0",
        [PROTOCOL_TEXT_0] = "text/plain;version=0.0.4",
    };
    bool utf8 = strcmp(scrape->validation_scheme, "legacy") != 0;
    struct buffer text = { .data = NULL };
    char *kept;

    buffer_append_string(&text, "Accept: ");
    for (size_t i = 0; i < scrape->protocol_count; i++) {
        enum scrape_protocol protocol = scrape->protocols[i];
        bool escapes = protocol == PROTOCOL_PROTOBUF || protocol == PROTOCOL_OPENMETRICS_1 || protocol == PROTOCOL_TEXT_1;

        buffer_printf(
            &text, "%s%s;q=0.%zu,", types[protocol], utf8 && escapes ? ";escaping=allow-utf-8" : "", scrape->protocol_count + 2 - i);
    }
    buffer_append_string(&text, "*/*;q=0.2");
    kept = slice_dup_string(buffer_slice(&text));
    buffer_fini(&text);
    return kept;
}

static bool pool_init(struct pool *pool, struct engine *engine, const struct scrape_settings *scrape, struct error *err)
{
    const struct option_pairs *external = &engine->settings->global.external_labels;
    char text[100];

    pool->engine = engine;
    pool->scrape = scrape;
    pthread_mutex_init(&pool->lock, NULL);
    pool->accept = make_accept(scrape);
    snprintf(text, sizeof(text), "X-Prometheus-Scrape-Timeout-Seconds: %g", (double)scrape->timeout_ns / 1e9);
    pool->timeout_header = slice_dup_string(slice_of_string(text));
    pool->external_labels = calloc(external->count + 1, sizeof(struct label));
    if (pool->external_labels == NULL)
        abort();
    for (size_t i = 0; i < external->count; i++)
        pool->external_labels[pool->external_label_count++] =
            (struct label){ slice_of_string(external->items[i].key), slice_of_string(external->items[i].value) };
    pool->rules = relabel_create(&scrape->relabel_configs, err);
    pool->metric_rules = pool->rules != NULL ? relabel_create(&scrape->metric_relabel_configs, err) : NULL;
    pool->fetcher = pool->metric_rules != NULL ? fetcher_create(&scrape->http, scrape->timeout_ns, err) : NULL;
    return pool->fetcher != NULL && add_watches(pool, err);
}

/* Its jobs are gone already. */
static void pool_fini(struct pool *pool)
{
    if (pool->engine == NULL)
        return;
    relabel_destroy(pool->rules);
    relabel_destroy(pool->metric_rules);
    fetcher_destroy(pool->fetcher);
    free(pool->accept);
    free(pool->timeout_header);
    free(pool->external_labels);
    free(pool->watches);
    free(pool->targets);
    pthread_mutex_destroy(&pool->lock);
}

/* The static watch is filled here; the others look when the crew gets to them. */
static void pool_begin(struct pool *pool, struct ottl_matcher *matcher)
{
    pool_fill(pool, matcher);
    for (size_t i = 1; i < pool->watch_count; i++)
        jobs_add(&pool->engine->jobs, &pool->watches[i]->job);
}

/* ---- the engine ---- */

struct engine *engine_start(struct component *component, const struct prometheus_settings *settings, struct error *err)
{
    const struct scrape_settings *scrapes = settings->scrape_configs.items;
    struct engine *engine = calloc(1, sizeof(*engine));
    struct ottl_matcher *matcher = ottl_matcher_create();

    if (engine == NULL || matcher == NULL)
        abort();
    engine->component = component;
    engine->settings = settings;
    jobs_init(&engine->jobs);
    engine->pools = calloc(settings->scrape_configs.count + 1, sizeof(*engine->pools));
    if (engine->pools == NULL)
        abort();
    for (size_t i = 0; i < settings->scrape_configs.count; i++) {
        engine->pool_count++;
        if (!pool_init(&engine->pools[i], engine, &scrapes[i], err)) {
            fail_within(err, "config.scrape_configs[%zu]", i);
            ottl_matcher_destroy(matcher);
            engine_stop(engine);
            return NULL;
        }
    }
    for (size_t i = 0; i < engine->pool_count; i++)
        pool_begin(&engine->pools[i], matcher);
    ottl_matcher_destroy(matcher);
    return engine;
}

/* Of a pool that was not begun, the watches are no jobs yet. */
static bool is_job(const struct pool *pool, size_t watch)
{
    return watch > 0 && pool->watches[watch]->job.queued;
}

void engine_stop(struct engine *engine)
{
    if (engine == NULL)
        return;
    jobs_end(&engine->jobs);
    for (size_t i = 0; i < engine->pool_count; i++) {
        struct pool *pool = &engine->pools[i];

        if (pool->fetcher != NULL)
            fetcher_cancel(pool->fetcher);
        for (size_t j = 0; j < pool->watch_count; j++)
            if (pool->watches[j]->fetcher != NULL)
                fetcher_cancel(pool->watches[j]->fetcher);
    }
    crew_join(&engine->jobs.crew); /* then every job is in the queue, or was never one */
    for (size_t i = 0; i < engine->pool_count; i++)
        for (size_t j = 0; j < engine->pools[i].watch_count; j++)
            if (!is_job(&engine->pools[i], j))
                watch_destroy(&engine->pools[i].watches[j]->job);
    jobs_stop(&engine->jobs);
    for (size_t i = 0; i < engine->pool_count; i++)
        pool_fini(&engine->pools[i]);
    free(engine->pools);
    free(engine);
}
