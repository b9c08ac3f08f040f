/* Pages of every format, scraped twice and then a third time cut in half: what comes out has to be OTLP. */
#include <assert.h>

#include "collector/wire/otlp.h"
#include "receivers/prometheus/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct label target[] = { { SLICE_INIT("instance"), SLICE_INIT("h:1") }, { SLICE_INIT("job"), SLICE_INIT("j") } };
static const struct layout_settings settings = {
    .target_labels = target, .target_label_count = 2, .scheme = "http", .honor_timestamps = true
};

static void scrape(struct page_reader *reader, enum page_format format, struct slice page)
{
    struct layout_report report = { .up = true };
    struct buffer out = { .data = NULL };
    struct otlp_check found;
    size_t points;

    layout_begin(reader->layout, 1000);
    if (!page_read(reader, format, page, NULL))
        layout_abandon(reader->layout);
    points = layout_write(reader->layout, &report, &out);
    found = otlp_check(SIGNAL_METRICS, buffer_slice(&out));
    assert(found.fault == OTLP_OK);
    assert(found.records == points);
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct layout layout;
    struct page_reader reader = { .layout = &layout };
    enum page_format format;

    if (size == 0)
        return 0;
    format = (enum page_format)(data[0] % 3);
    reader.native_histograms = data[0] & 0x40;
    reader.always_classic_histograms = data[0] & 0x80;
    layout_init(&layout, &settings);
    for (int i = 0; i < 3; i++)
        scrape(&reader, format, slice_of(data + 1, i < 2 ? size - 1 : (size - 1) / 2));
    page_reader_fini(&reader);
    layout_fini(&layout);
    return 0;
}
