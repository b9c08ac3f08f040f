/*
 * A scraped page into a layout: text 0.0.4, OpenMetrics, or protobuf. A page that is malformed anywhere is refused as a whole; the caller then
 * abandons the scrape (layout.h), so that nothing of it is sent. I/O-free.
 */
#ifndef WEIR_RECEIVERS_PROMETHEUS_PAGE_H
#define WEIR_RECEIVERS_PROMETHEUS_PAGE_H

#include "receivers/prometheus/layout.h"

enum page_format { PAGE_TEXT, PAGE_OPENMETRICS, PAGE_PROTOBUF };

/* What one thread needs to read pages. */
struct page_reader {
    struct layout *layout;        /* borrowed; layout_begin was called */
    struct ottl_matcher *matcher; /* borrowed */
    struct labels labels;         /* scratch */
    struct buffer scratch;
    bool native_histograms;         /* protobuf: exponential histograms, where there are any */
    bool always_classic_histograms; /* and the classic ones too */
};

void page_reader_fini(struct page_reader *reader);

/* false with the error, which names the line. */
bool page_read(struct page_reader *reader, enum page_format format, struct slice page, struct error *err);

/* What a Content-Type stands for; false: not a format that is scraped. */
bool page_format_of(struct slice content_type, enum page_format *format);

/* ---- within the reading ---- */

bool page_read_protobuf(struct page_reader *reader, struct slice page, struct error *err);

/* An Exemplar message of the reader's labels, into its scratch. */
void page_write_exemplar(struct page_reader *reader, double value, uint64_t time_ns);

bool page_check_limits(const struct page_reader *reader, struct error *err);

#endif
