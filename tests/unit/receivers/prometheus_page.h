/* Pages read into a layout, and what comes out as OTLP/JSON. */
#ifndef WEIR_TESTS_UNIT_RECEIVERS_PROMETHEUS_PAGE_H
#define WEIR_TESTS_UNIT_RECEIVERS_PROMETHEUS_PAGE_H

#include "collector/wire/json.h"
#include "collector/wire/otlp.h"
#include "receivers/prometheus/page.h"

enum { START_MS = 1700000000 };

static const struct label page_target[] = { { SLICE_INIT("instance"), SLICE_INIT("host:9100") },
    { SLICE_INIT("job"), SLICE_INIT("node") } };

struct scraped {
    struct layout_settings settings;
    struct layout layout;
    struct page_reader reader;
    struct buffer wire, json;
    int64_t now_ms;
    size_t points;
    struct error err;
    bool fine;
};

static inline void scraped_init(struct scraped *self)
{
    memset(self, 0, sizeof(*self));
    self->settings =
        (struct layout_settings){ .target_labels = page_target, .target_label_count = 2, .scheme = "http", .honor_timestamps = true };
    layout_init(&self->layout, &self->settings);
    self->reader = (struct page_reader){ .layout = &self->layout, .matcher = ottl_matcher_create(), .native_histograms = true };
    self->now_ms = START_MS;
}

static inline void scraped_fini(struct scraped *self)
{
    layout_fini(&self->layout);
    ottl_matcher_destroy(self->reader.matcher);
    page_reader_fini(&self->reader);
    buffer_fini(&self->wire);
    buffer_fini(&self->json);
}

/* One scrape: whether the page was taken; its points as JSON in self->json. Each is a second after the last. */
static inline bool scrape(struct scraped *self, enum page_format format, struct slice page)
{
    struct layout_report report = { .duration_seconds = 0.5 };

    layout_begin(&self->layout, self->now_ms);
    self->now_ms += 1000;
    self->err.message[0] = '\0';
    self->fine = page_read(&self->reader, format, page, &self->err);
    report.up = self->fine;
    report.samples = self->layout.samples;
    report.kept = self->layout.kept;
    report.added = self->layout.added;
    if (!self->fine)
        layout_abandon(&self->layout);
    buffer_clear(&self->wire);
    buffer_clear(&self->json);
    self->points = layout_write(&self->layout, &report, &self->wire);
    json_write_request(SIGNAL_METRICS, buffer_slice(&self->wire), &self->json);
    return self->fine;
}

static inline bool scrape_text(struct scraped *self, const char *page)
{
    return scrape(self, PAGE_TEXT, slice_of_string(page));
}

#endif
