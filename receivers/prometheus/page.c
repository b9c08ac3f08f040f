/*
 * Reading pages of text along the layout. A line that begins with the text of the series that stood there last time is not taken apart: what
 * follows is its value.
 * Cost: 20 to 40 ns a line of an unchanged page, of any length.
 */
#include "receivers/prometheus/page.h"

#include "collector/wire/protobuf.h"

void page_reader_fini(struct page_reader *reader)
{
    labels_fini(&reader->labels);
    buffer_fini(&reader->scratch);
}

static struct slice media_type(struct slice content_type)
{
    const uint8_t *end = content_type.size > 0 ? memchr(content_type.data, ';', content_type.size) : NULL;

    return slice_trim(end != NULL ? slice_of(content_type.data, (size_t)(end - content_type.data)) : content_type);
}

static bool contains(struct slice text, const char *word)
{
    return text.size > 0 && memmem(text.data, text.size, word, strlen(word)) != NULL;
}

bool page_format_of(struct slice content_type, enum page_format *format)
{
    struct slice type = media_type(content_type);

    if (slice_equal_ignoring_case(type, SLICE("text/plain")))
        *format = PAGE_TEXT;
    else if (slice_equal_ignoring_case(type, SLICE("application/openmetrics-text")))
        *format = PAGE_OPENMETRICS;
    else if (slice_equal_ignoring_case(type, SLICE("application/vnd.google.protobuf")) &&
             contains(content_type, "io.prometheus.client.MetricFamily") && contains(content_type, "delimited"))
        *format = PAGE_PROTOBUF;
    else
        return false;
    return true;
}

/* ---- exemplars ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly `size` bytes of hexadecimal text, not all zero. */
static bool read_id(struct slice text, uint8_t *id, size_t size)
{
    uint8_t any = 0;

    if (text.size != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        id[i] = (uint8_t)(high << 4 | low);
        any |= id[i];
    }
    return any != 0;
}

void page_write_exemplar(struct page_reader *reader, double value, uint64_t time_ns)
{
    struct buffer *out = &reader->scratch;
    uint8_t id[16];

    buffer_clear(out);
    pb_put_fixed64(out, 2, time_ns);
    pb_put_double(out, 3, value);
    for (size_t i = 0; i < reader->labels.count; i++) {
        struct label label = reader->labels.items[i];

        if (label.value.size == 0)
            continue;
        if (slice_equal_ignoring_case(label.name, SLICE("trace_id")) && read_id(label.value, id, 16))
            pb_put_bytes(out, 5, slice_of(id, 16));
        else if (slice_equal_ignoring_case(label.name, SLICE("span_id")) && read_id(label.value, id, 8))
            pb_put_bytes(out, 4, slice_of(id, 8));
        else
            layout_write_attribute(out, 7, label.name, label.value);
    }
}

static void put_exemplar(struct page_reader *reader, uint32_t number, const struct text_exemplar *exemplar)
{
    int64_t at = exemplar->has_timestamp ? exemplar->timestamp_ms : reader->layout->now_ms;

    labels_clear(&reader->labels);
    text_labels(exemplar->labels, true, &reader->labels);
    page_write_exemplar(reader, exemplar->value, at > 0 ? (uint64_t)at * 1000000 : 0);
    layout_put_exemplar(reader->layout, number, buffer_slice(&reader->scratch));
}

/* ---- samples ---- */

bool page_check_limits(const struct page_reader *reader, struct error *err)
{
    const struct layout *layout = reader->layout;
    int64_t limit = layout->settings->sample_limit;

    if (layout->failed || layout->texts.failed || layout->natives.failed || layout->exemplar_bytes.failed || reader->labels.failed)
        return fail(err, "out of memory");
    if (limit > 0 && layout->kept > (uint64_t)limit)
        return fail(err, "sample_limit exceeded: %zu samples, %lld are allowed", layout->kept, (long long)limit);
    return true;
}

static void put(struct page_reader *reader, uint32_t number, const struct text_line *line)
{
    struct layout_sample sample = { line->value, line->has_timestamp, line->timestamp_ms };

    if (layout_put(reader->layout, number, &sample) && line->exemplar.labels.data != NULL)
        put_exemplar(reader, number, &line->exemplar);
}

static bool take_sample(struct page_reader *reader, const struct text_line *line, bool openmetrics, struct error *err)
{
    uint32_t number = layout_find(reader->layout, line->key);

    if (number == LAYOUT_NONE) {
        labels_clear(&reader->labels);
        text_labels(line->key, openmetrics, &reader->labels);
        number = layout_add(reader->layout, line->key, &reader->labels, reader->matcher, err);
        if (number == LAYOUT_NONE)
            return false;
    }
    put(reader, number, line);
    return true;
}

/* The series that is expected stands here: takes its value, and passes it. false: something else does, and nothing was passed. */
static bool take_expected(struct page_reader *reader, struct text_reader *text)
{
    struct layout *layout = reader->layout;
    const struct series *series = &layout->series[layout->hint];
    struct slice key = layout_key(layout, series);
    struct text_line line;
    const uint8_t *start = text->at;

    if ((size_t)(text->end - start) <= key.size || start[key.size] != ' ' || memcmp(start, key.data, key.size) != 0)
        return false;
    text->at = start + key.size;
    if (text_read_value(text, &line) != TEXT_SAMPLE) { /* read again, for the error, or because it is a longer one */
        text->at = start;
        return false;
    }
    layout->last = layout->hint;
    layout->hint = series->follower;
    put(reader, layout->last, &line);
    return true;
}

static bool take_item(struct page_reader *reader, enum text_item item, const struct text_line *line, bool openmetrics, struct error *err)
{
    switch (item) {
    case TEXT_SAMPLE:
        return take_sample(reader, line, openmetrics, err);
    case TEXT_TYPE:
        layout_put_type(reader->layout, line->name, line->type);
        break;
    case TEXT_HELP:
        labels_clear(&reader->labels);
        layout_put_help(reader->layout, line->name, text_unescape(line->text, openmetrics, &reader->labels));
        break;
    case TEXT_UNIT:
        layout_put_unit(reader->layout, line->name, line->text);
        break;
    case TEXT_END:
    case TEXT_BAD:
        break;
    }
    return true;
}

static bool read_text(struct page_reader *reader, struct slice page, bool openmetrics, struct error *err)
{
    struct text_reader text = text_reader_of(page, openmetrics);
    struct layout *layout = reader->layout;
    struct text_line line;

    for (;;) {
        enum text_item item;

        while (layout->hint != LAYOUT_NONE && take_expected(reader, &text))
            ;
        const uint8_t *start = text.at;
        item = text_next(&text, &line);
        if (item == TEXT_END)
            return page_check_limits(reader, err);
        if (item == TEXT_BAD)
            return fail(err, "line %zu: %s", text_line_number(&text), text.fault);
        if (!take_item(reader, item, &line, openmetrics, err)) {
            text.at = start;
            return fail_within(err, "line %zu", text_line_number(&text));
        }
    }
}

bool page_read(struct page_reader *reader, enum page_format format, struct slice page, struct error *err)
{
    if (format == PAGE_PROTOBUF)
        return page_read_protobuf(reader, page, err);
    return read_text(reader, page, format == PAGE_OPENMETRICS, err);
}
