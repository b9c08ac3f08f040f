/*
 * prometheus receiver: scrapes what a Prometheus configuration's scrape_configs say, as they stand.
 *
 * Differs from the OpenTelemetry Collector on purpose: gauge histograms are gauges instead of nothing, cumulative points have start times from the
 * first scrape on, and a target that is gone is said to have ended at once.
 * Threads: a crew of the engine's, as many as scrapes take at the same time; start and stop on the control thread.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "collector/config/reader.h"
#include "receivers/prometheus/engine.h"

struct prometheus_receiver {
    struct component base;               /* first */
    struct prometheus_settings settings; /* options */
    struct arena files;                  /* of what scrape_config_files name */
    struct engine *engine;               /* owned; NULL until started */
};

#define SETTINGS offsetof(struct prometheus_receiver, settings)

static const struct option options[] = {
    { "", OPTION_INCLUDE, SETTINGS, NULL, NULL, NULL, prometheus_options },
    { 0 },
};

/* ---- scrape_config_files ---- */

static void append_scrapes(struct prometheus_receiver *self, const struct option_list *more)
{
    struct option_list *all = &self->settings.scrape_configs;
    char *items = arena_alloc(&self->files, (all->count + more->count) * sizeof(struct scrape_settings));

    if (all->count > 0)
        memcpy(items, all->items, all->count * sizeof(struct scrape_settings));
    if (more->count > 0)
        memcpy(items + all->count * sizeof(struct scrape_settings), more->items, more->count * sizeof(struct scrape_settings));
    *all = (struct option_list){ items, all->count + more->count };
}

static const struct option file_options[] = {
    { "scrape_configs", OPTION_LIST, 0, NULL, NULL, "what is scraped", scrape_options, sizeof(struct scrape_settings) },
    { 0 },
};

static bool read_scrapes(struct prometheus_receiver *self, const char *path, struct error *err)
{
    struct config_errors errors = { .arena = &self->files };
    struct config_reading reading = { &self->files, &errors, CONFIG_NODES_MAX, 0 };
    struct config_text text = { .file = path };
    struct option_list scrapes = { NULL, 0 };
    struct option_target target = { &scrapes, &self->files, &errors };
    const struct config_node *root;

    if (!config_read_file(&self->files, path, &text.bytes, err))
        return false;
    root = config_read_yaml(&reading, &text);
    if (root == NULL || !option_fill(file_options, root, "", &target))
        return fail(err, "%s", errors.first != NULL ? errors.first->text : path);
    append_scrapes(self, &scrapes);
    return true;
}

/* The files' scrape configurations stand behind the configuration's own. */
static bool load_files(struct prometheus_receiver *self, struct error *err)
{
    const struct option_strings *patterns = &self->settings.scrape_config_files;
    bool fine = true;

    for (size_t i = 0; i < patterns->count && fine; i++) {
        glob_t paths = { 0 };

        if (glob(patterns->items[i], 0, NULL, &paths) == GLOB_NOMATCH && strpbrk(patterns->items[i], "*?[") == NULL)
            fine = fail(err, "there is no file \"%s\"", patterns->items[i]);
        for (size_t j = 0; j < paths.gl_pathc && fine; j++)
            fine = read_scrapes(self, paths.gl_pathv[j], err);
        globfree(&paths);
    }
    return fine || fail_within(err, "config.scrape_config_files");
}

/* ---- life ---- */

static bool prepare(struct prometheus_receiver *self, struct error *err)
{
    return load_files(self, err) && prometheus_settings_check(&self->settings, err);
}

/* Leaves nothing behind: what is only validated is never stopped. */
static bool prometheus_validate(struct component *component, struct error *err)
{
    struct prometheus_receiver *self = (struct prometheus_receiver *)component;
    struct prometheus_settings before = self->settings;
    bool fine = prepare(self, err);

    self->settings = before;
    arena_fini(&self->files);
    return fine;
}

static bool prometheus_start(struct component *component, struct error *err)
{
    struct prometheus_receiver *self = (struct prometheus_receiver *)component;

    if (!prepare(self, err))
        return false;
    self->engine = engine_start(component, &self->settings, err);
    return self->engine != NULL;
}

static void prometheus_stop(struct component *component)
{
    struct prometheus_receiver *self = (struct prometheus_receiver *)component;

    engine_stop(self->engine);
    self->engine = NULL;
    arena_fini(&self->files);
}

const struct component_type prometheus_receiver = {
    .name = "prometheus",
    .kind = COMPONENT_RECEIVER,
    .signals = SIGNALS_METRICS,
    .stability = STABILITY_BETA,
    .summary = "Scrapes Prometheus targets: a Prometheus configuration's scrape_configs as they stand.",
    .options = options,
    .instance_size = sizeof(struct prometheus_receiver),
    .validate = prometheus_validate,
    .start = prometheus_start,
    .stop = prometheus_stop,
};
