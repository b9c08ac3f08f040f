/*
 * The scrape engine: jobs with a time each (a scrape of a target, a look of a discovery), a crew of threads that runs what is due, and pools of
 * targets, one for each scrape configuration, that discoveries fill.
 *
 * Threads: a job is run by one thread at a time. The engine's lock is held for moments only, never while something is scraped or looked for.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_ENGINE_H
#define WEIR_RECEIVERS_PROMETHEUS_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "collector/crew.h"
#include "receivers/prometheus/discovery.h"
#include "receivers/prometheus/target.h"

struct engine;

/* What a thread of the crew works with. */
struct worker {
    struct ottl_matcher *matcher;
    struct page_reader reader;
    struct fetch fetch;
    struct buffer out;
};

struct job {
    int64_t due_ns; /* monotonic */
    size_t place;   /* in the heap, when it is there */
    bool queued, running;
    atomic_bool gone; /* dismissed: what it does next is its last */
    /* Returns when it is due next; 0: never, it is freed. */
    int64_t (*run)(struct job *job, struct worker *worker);
    void (*destroy)(struct job *job);
};

/* ---- jobs.c ---- */

struct job_queue {
    pthread_mutex_t lock;
    pthread_cond_t due, followers;
    struct job **heap;             /* owned; the earliest first */
    size_t count, capacity, total; /* total: those that run too */
    struct crew crew;
    bool waiting; /* a thread waits for the earliest */
    atomic_bool stopping;
};

void jobs_init(struct job_queue *queue);
/* Ends the threads, and destroys all jobs. */
void jobs_stop(struct job_queue *queue);
/* Nothing new is begun from here on. */
void jobs_end(struct job_queue *queue);
/* Takes the job. */
void jobs_add(struct job_queue *queue, struct job *job);
/* Runs the job soon, if it is not running; it sees `gone`, now or when it is done. */
void jobs_dismiss(struct job_queue *queue, struct job *job);

/* ---- engine.c ---- */

struct pool;

/* One target that is scraped. */
struct scrape_target {
    struct job job; /* first */
    struct pool *pool;
    struct target target;
    struct layout_settings layout_settings;
    struct layout layout;
    bool marked;  /* while a pool is filled anew */
    bool failing; /* the last scrape failed */
    bool scraped; /* once at least */
};

/* One discovery of a pool. */
struct watch {
    struct job job; /* first */
    struct pool *pool;
    const struct file_sd_settings *files; /* one of these; or none: static */
    const struct http_sd_settings *http;
    const struct dns_sd_settings *dns;
    struct fetcher *fetcher; /* owned; http */
    struct file_look look;
    struct discovered found; /* by the last look that worked; under the pool's lock */
};

struct pool {
    struct engine *engine;
    const struct scrape_settings *scrape;
    struct relabel_rules *rules, *metric_rules; /* owned */
    struct fetcher *fetcher;                    /* owned */
    char *accept, *timeout_header;              /* owned; header lines */
    struct label *external_labels;              /* owned; borrow from the settings */
    size_t external_label_count;
    pthread_mutex_t lock;   /* of the lists */
    struct watch **watches; /* owned by the queue of jobs; the first is the static one, no job */
    size_t watch_count;
    struct scrape_target **targets; /* owned by the queue of jobs */
    size_t target_count, target_capacity;
    atomic_bool over_limit;
};

struct engine {
    struct component *component;
    const struct prometheus_settings *settings;
    struct job_queue jobs;
    struct pool *pools; /* owned */
    size_t pool_count;
};

/* Starts everything. The settings are checked, and borrowed as long as the engine. */
struct engine *engine_start(struct component *component, const struct prometheus_settings *settings, struct error *err);
/* NULL is fine. */
void engine_stop(struct engine *engine);

/* pool.c: the pool's targets are those that its watches have found. */
void pool_fill(struct pool *pool, struct ottl_matcher *matcher);

/* scrape.c */
int64_t scrape_run(struct job *job, struct worker *worker);
void scrape_target_destroy(struct job *job);

void worker_fini(struct worker *worker);
bool worker_init(struct worker *worker);

#endif
