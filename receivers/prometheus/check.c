/* One scrape without a pipeline, looked at for what makes pages large, and for what their readers stumble over. */
#include "collector/commands/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/net/url.h"
#include "receivers/prometheus/fetch.h"
#include "receivers/prometheus/page.h"

enum { TIMEOUT_SECONDS = 30, LARGEST = 5, WARNINGS_MAX = 20, BODY_MAX = 128 << 20 };

struct check {
    struct buffer *report;
    struct layout layout;
    struct page_reader reader;
    struct fetch fetch;
    size_t warnings;
};

static void warn(struct check *check, const char *what, struct slice name)
{
    if (++check->warnings <= WARNINGS_MAX)
        buffer_printf(check->report, "warning: %.*s: %s\n", SLICE_PRINT(name), what);
}

static struct slice name_of(const struct check *check, const struct family *family)
{
    return layout_text(&check->layout, family->name, family->name_size);
}

static bool ends_with(struct slice text, struct slice suffix)
{
    return text.size > suffix.size && memcmp(text.data + text.size - suffix.size, suffix.data, suffix.size) == 0;
}

static void look_at_family(struct check *check, const struct family *family)
{
    struct slice name = name_of(check, family);
    const struct layout_metadata *metadata = family->metadata != LAYOUT_NONE ? &check->layout.metadata[family->metadata] : NULL;
    enum metric_type type = (enum metric_type)family->type;
    bool total = ends_with(name, SLICE("_total"));

    if (metadata == NULL || !metadata->typed)
        warn(check, "no TYPE: it is taken for a gauge", name);
    else if (metadata->help.size == 0)
        warn(check, "no HELP", name);
    if (type == METRIC_COUNTER && !total)
        warn(check, "a counter whose name does not end with _total", name);
    if (type == METRIC_GAUGE && total)
        warn(check, "a gauge whose name ends with _total, as a counter's does", name);
    if (!label_name_is_legacy(name, true))
        warn(check, "a name that only readers of UTF-8 names understand", name);
}

/* ---- the largest ---- */

struct share {
    const struct family *family;
    size_t series;
};

static int compare_shares(const void *a, const void *b)
{
    const struct share *left = a, *right = b;

    return (left->series < right->series) - (left->series > right->series);
}

static void write_largest(struct check *check)
{
    const struct layout *layout = &check->layout;
    struct share *shares = calloc(layout->family_count + 1, sizeof(*shares));

    if (shares == NULL)
        return;
    for (size_t i = 0; i < layout->family_count; i++)
        shares[i].family = &layout->families[i];
    for (size_t i = 0; i < layout->series_count; i++)
        if (layout->series[i].role >= ROLE_VALUE && layout->series[i].role != ROLE_INFO)
            shares[layout->groups[layout->series[i].group].family].series++;
    qsort(shares, layout->family_count, sizeof(*shares), compare_shares);
    buffer_append_string(check->report, "largest:");
    for (size_t i = 0; i < LARGEST && i < layout->family_count; i++)
        buffer_printf(
            check->report, "%s %.*s (%zu series)", i > 0 ? "," : "", SLICE_PRINT(name_of(check, shares[i].family)), shares[i].series);
    buffer_append_string(check->report, "\n");
    free(shares);
}

/* ---- the whole ---- */

static void write_types(struct check *check)
{
    size_t counts[METRIC_TYPE_COUNT] = { 0 };
    bool first = true;

    for (size_t i = 0; i < check->layout.family_count; i++)
        counts[check->layout.families[i].type]++;
    buffer_printf(check->report, "%zu samples, %zu metrics:", check->layout.samples, check->layout.family_count);
    for (int i = 0; i < METRIC_TYPE_COUNT; i++) {
        if (counts[i] == 0)
            continue;
        buffer_printf(check->report, "%s %zu %s", first ? "" : ",", counts[i], metric_type_name((enum metric_type)i));
        first = false;
    }
    buffer_append_string(check->report, "\n");
}

static void write_dropped(struct check *check)
{
    const struct layout *layout = &check->layout;

    if (layout->duplicates > 0)
        buffer_printf(check->report, "warning: %zu samples of series that the page has already\n", layout->duplicates);
    if (layout->out_of_bounds > 0)
        buffer_printf(check->report, "warning: %zu samples with timestamps more than ten minutes ahead\n", layout->out_of_bounds);
    if (layout->inconsistent > 0)
        buffer_printf(check->report, "warning: %zu samples with another timestamp than the rest of their histogram or summary\n",
            layout->inconsistent);
    if (layout->malformed > 0)
        buffer_printf(check->report, "warning: %zu samples that make no histogram or summary: no bound, no count, or counts that fall\n",
            layout->malformed);
    if (check->warnings > WARNINGS_MAX)
        buffer_printf(check->report, "and %zu warnings more\n", check->warnings - WARNINGS_MAX);
}

static bool fetch_page(struct check *check, struct fetcher *fetcher, enum page_format *format, struct error *err)
{
    struct slice type, encoding;
    int64_t start = clock_monotonic_nanos();

    if (!fetcher_get(fetcher, &check->fetch, err))
        return false;
    type = http_answer_header(&check->fetch.answer, "content-type");
    encoding = http_answer_header(&check->fetch.answer, "content-encoding");
    buffer_printf(check->report, "%zu bytes in %.1f ms, %s%.*s", check->fetch.body.size, (double)(clock_monotonic_nanos() - start) / 1e6,
        encoding.size > 0 ? "compressed, " : "", SLICE_PRINT(type));
    buffer_append_string(check->report, "\n");
    if (!page_format_of(type, format)) {
        buffer_append_string(check->report, "warning: this Content-Type is not one that is scraped; read as text/plain\n");
        *format = PAGE_TEXT;
    }
    return true;
}

static bool read_page(struct check *check, enum page_format format, struct error *err)
{
    struct layout_report report = { .up = true };
    struct buffer out = { .data = NULL };

    layout_begin(&check->layout, (int64_t)(clock_wall_nanos() / 1000000));
    if (!page_read(&check->reader, format, check->fetch.body, err))
        return false;
    write_types(check);
    write_largest(check);
    for (size_t i = 0; i < check->layout.family_count; i++)
        look_at_family(check, &check->layout.families[i]);
    check->layout.types_changed = false; /* what is counted is still looked at */
    layout_write(&check->layout, &report, &out);
    buffer_fini(&out);
    write_dropped(check);
    return true;
}

bool scrape_check(const char *url, struct buffer *report, struct error *err)
{
    static const char *const headers[] = {
        "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "User-Agent: weir/" WEIR_VERSION,
        "Accept-Encoding: gzip",
        NULL,
    };
    static const struct scrape_http_settings http = { .follow_redirects = true };
    static const struct label target[] = { { SLICE_INIT("instance"), SLICE_INIT("checked") }, { SLICE_INIT("job"), SLICE_INIT("check") } };
    struct layout_settings settings = {
        .target_labels = target, .target_label_count = 2, .scheme = "http", .honor_timestamps = true, .honor_labels = true
    };
    struct check check = { .report = report, .fetch = { .url = url, .headers = headers, .body_limit = BODY_MAX } };
    struct fetcher *fetcher = fetcher_create(&http, TIMEOUT_SECONDS * NANOS_PER_SECOND, err);
    enum page_format format;
    bool fine;

    if (fetcher == NULL)
        return false;
    layout_init(&check.layout, &settings);
    check.reader = (struct page_reader){ .layout = &check.layout };
    fine = fetch_page(&check, fetcher, &format, err) && read_page(&check, format, err);
    page_reader_fini(&check.reader);
    layout_fini(&check.layout);
    fetch_fini(&check.fetch);
    fetcher_destroy(fetcher);
    return fine;
}
