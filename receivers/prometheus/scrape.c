/*
 * One scrape of one target: the page comes, is read along the target's layout, and goes on as one batch, with `up` and the scrape_* series. What
 * the pipeline refuses is lost, as a scrape that came too late would be: the next one says more.
 */
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "receivers/prometheus/engine.h"

enum { KEPT_OUTPUT = 256 << 10 };

bool worker_init(struct worker *worker)
{
    *worker = (struct worker){ .matcher = ottl_matcher_create() };
    return worker->matcher != NULL;
}

void worker_fini(struct worker *worker)
{
    ottl_matcher_destroy(worker->matcher);
    page_reader_fini(&worker->reader);
    fetch_fini(&worker->fetch);
    buffer_fini(&worker->out);
}

void scrape_target_destroy(struct job *job)
{
    struct scrape_target *self = (struct scrape_target *)job;

    layout_fini(&self->layout);
    target_fini(&self->target);
    free(self);
}

/* ---- sending ---- */

struct sent {
    struct component *component;
    size_t records;
};

static void told(void *context, struct outcome outcome)
{
    struct sent *sent = context;

    component_count_received(sent->component, SIGNAL_METRICS, "http", sent->records, outcome);
    free(sent);
}

static void refuse(struct component *component, size_t points)
{
    component_count_received(component, SIGNAL_METRICS, "http", points, outcome_retry("memory", 0));
}

static void send_on(struct component *component, const struct buffer *out, size_t points)
{
    struct payload *payload = !out->failed && component_admit(component, out->size) ? payload_create(out->size) : NULL;
    struct sent *sent = payload != NULL ? malloc(sizeof(*sent)) : NULL;
    struct receipt *receipt;
    struct batch *batch;

    if (sent == NULL) {
        payload_unref(payload);
        refuse(component, points);
        return;
    }
    memcpy(payload->data, out->data, out->size);
    payload->size = out->size;
    *sent = (struct sent){ component, points };
    receipt = receipt_create(RECEIPT_ACCEPTED, told, sent);
    if (receipt == NULL) {
        payload_unref(payload);
        free(sent);
        refuse(component, points);
        return;
    }
    batch = batch_create(SIGNAL_METRICS, payload, points, receipt);
    if (batch != NULL)
        component_emit(component, batch);
}

/* ---- reading ---- */

static bool choose_format(const struct scrape_settings *scrape, const struct fetch *fetch, enum page_format *format, struct error *err)
{
    struct slice type = http_answer_header(&fetch->answer, "content-type");

    if (page_format_of(type, format))
        return true;
    if (!scrape->has_fallback)
        return fail(err, "the page's Content-Type, \"%.*s\", is not one that is scraped; set fallback_scrape_protocol", SLICE_PRINT(type));
    *format = scrape->fallback;
    return true;
}

static bool read_page(struct scrape_target *self, struct worker *worker, struct error *err)
{
    const struct pool *pool = self->pool;
    const char *headers[] = { pool->accept, "User-Agent: weir/" WEIR_VERSION, pool->timeout_header,
        pool->scrape->enable_compression ? "Accept-Encoding: gzip" : "Accept-Encoding: identity", NULL };
    enum page_format format;

    worker->fetch.url = self->target.url;
    worker->fetch.headers = headers;
    worker->fetch.body_limit = pool->scrape->body_limit;
    if (!fetcher_get(pool->fetcher, &worker->fetch, err) || !choose_format(pool->scrape, &worker->fetch, &format, err))
        return false;
    worker->reader.layout = &self->layout;
    worker->reader.matcher = worker->matcher;
    worker->reader.native_histograms = pool->scrape->scrape_native_histograms;
    worker->reader.always_classic_histograms = pool->scrape->always_scrape_classic_histograms;
    return page_read(&worker->reader, format, worker->fetch.body, err);
}

static void count_dropped(const struct scrape_target *self)
{
    struct component *component = self->pool->engine->component;
    const struct layout *layout = &self->layout;

    if (layout->duplicates > 0)
        component_count_dropped(component, SIGNAL_METRICS, "duplicate", layout->duplicates);
    if (layout->out_of_bounds > 0)
        component_count_dropped(component, SIGNAL_METRICS, "timestamp", layout->out_of_bounds);
    if (layout->inconsistent > 0)
        component_count_dropped(component, SIGNAL_METRICS, "inconsistent_timestamp", layout->inconsistent);
    if (layout->malformed > 0)
        component_count_dropped(component, SIGNAL_METRICS, "malformed_point", layout->malformed);
    if (layout->duplicates + layout->out_of_bounds + layout->inconsistent + layout->malformed > 0)
        log_warn(component->path,
            "%s: samples were dropped: %zu duplicate, %zu too far ahead, %zu with another time than their point, %zu malformed",
            self->target.url, layout->duplicates, layout->out_of_bounds, layout->inconsistent, layout->malformed);
}

static void finish(struct scrape_target *self, struct worker *worker, const struct layout_report *report)
{
    size_t points;

    buffer_clear(&worker->out);
    points = layout_write(&self->layout, report, &worker->out);
    count_dropped(self);
    send_on(self->pool->engine->component, &worker->out, points);
    if (worker->out.capacity > KEPT_OUTPUT)
        buffer_fini(&worker->out);
}

/* The target is no longer there: its series, and what was said about it, end. */
static void end_series(struct scrape_target *self, struct worker *worker)
{
    layout_begin(&self->layout, (int64_t)(clock_wall_nanos() / 1000000));
    finish(self, worker, &(struct layout_report){ .ended = true });
}

static void say_failure(struct scrape_target *self, const struct error *err)
{
    log_warn(self->pool->engine->component->path, "scraping %s failed: %s", self->target.url, err->message);
    self->failing = true;
}

static void scrape(struct scrape_target *self, struct worker *worker)
{
    struct layout_report report = { .up = true };
    int64_t start = clock_monotonic_nanos();
    struct error err = { "" };

    layout_begin(&self->layout, (int64_t)(clock_wall_nanos() / 1000000));
    if (atomic_load(&self->pool->over_limit))
        report.up = fail(&err, "target_limit exceeded: all targets of job \"%s\" are left alone", self->pool->scrape->job_name);
    else
        report.up = read_page(self, worker, &err);
    report.duration_seconds = (double)(clock_monotonic_nanos() - start) / 1e9;
    report.samples = self->layout.samples;
    report.kept = self->layout.kept;
    report.added = self->layout.added;
    if (self->pool->engine->jobs.stopping) /* the end is not the target's */
        return;
    if (!report.up) {
        report.added = 0;
        say_failure(self, &err);
        layout_abandon(&self->layout);
    } else if (self->failing) {
        log_info(self->pool->engine->component->path, "scraping %s works again", self->target.url);
        self->failing = false;
    }
    finish(self, worker, &report);
    self->scraped = true;
}

int64_t scrape_run(struct job *job, struct worker *worker)
{
    struct scrape_target *self = (struct scrape_target *)job;
    int64_t interval = self->target.interval_ns, due = job->due_ns, now;

    if (job->gone) {
        if (self->scraped)
            end_series(self, worker);
        return 0;
    }
    scrape(self, worker);
    now = clock_monotonic_nanos();
    due += interval;
    return due > now ? due : due + (now - due + interval) / interval * interval; /* what was missed is left out */
}
