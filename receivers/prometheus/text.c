/*
 * Reading text by hand: each function takes what it knows from reader->at on. Spaces: 0.0.4 allows any number of spaces and tabs between
 * words, OpenMetrics exactly one space.
 * Cost: some 5 ns a label; samples that are known from the scrape before do not come here but for their value.
 */
#include "receivers/prometheus/text.h"

#include <math.h>

#include "collector/wire/utf8.h"
#include "receivers/prometheus/number.h"

const char *metric_type_name(enum metric_type type)
{
    static const char *const names[METRIC_TYPE_COUNT] = { "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info",
        "stateset" };

    return names[type];
}

struct text_reader text_reader_of(struct slice page, bool openmetrics)
{
    return (struct text_reader){ page.data, page.data, page.data + page.size, openmetrics, NULL };
}

size_t text_line_number(const struct text_reader *reader)
{
    size_t line = 1;

    for (const uint8_t *at = reader->start; at < reader->at; at++)
        line += *at == '\n';
    return line;
}

static enum text_item bad(struct text_reader *reader, const char *fault)
{
    reader->fault = fault;
    return TEXT_BAD;
}

/* 0 at the end, which no rule wants. */
static uint8_t peek(const struct text_reader *reader)
{
    return reader->at < reader->end ? *reader->at : 0;
}

static void skip_blanks(struct text_reader *reader)
{
    while (!reader->openmetrics && (peek(reader) == ' ' || peek(reader) == '\t'))
        reader->at++;
}

static bool at_line_end(const struct text_reader *reader)
{
    /* 0.0.4 is read as if a newline stood behind the last byte. */
    return reader->at == reader->end ? !reader->openmetrics : *reader->at == '\n';
}

static bool is_name_byte(uint8_t c, bool first, bool metric)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9') || (metric && c == ':');
}

/* Empty when there is none. */
static struct slice scan_name(struct text_reader *reader, bool metric)
{
    const uint8_t *start = reader->at;

    while (is_name_byte(peek(reader), reader->at == start, metric))
        reader->at++;
    return slice_of(start, (size_t)(reader->at - start));
}

/* From one quote to the other; what stands between. */
static bool scan_quoted(struct text_reader *reader, bool newlines, struct slice *inside)
{
    const uint8_t *at = reader->at + 1;

    while (at < reader->end && *at != '"' && (newlines || *at != '\n'))
        at += *at == '\\' ? 2 : 1;
    if (at >= reader->end || *at != '"')
        return false;
    *inside = slice_of(reader->at + 1, (size_t)(at - reader->at - 1));
    reader->at = at + 1;
    return true;
}

/* ---- labels ---- */

struct slice text_unescape(struct slice text, bool quotes, struct labels *labels)
{
    uint8_t *out;
    size_t size = 0;

    if (text.size == 0 || memchr(text.data, '\\', text.size) == NULL)
        return text;
    out = labels_room(labels, text.size);
    if (out == NULL)
        return SLICE("");
    for (size_t i = 0; i < text.size; i++) {
        uint8_t next = i + 1 < text.size ? text.data[i + 1] : 0;

        if (text.data[i] == '\\' && (next == '\\' || next == 'n' || (quotes && next == '"'))) {
            out[size++] = next == 'n' ? '\n' : next;
            i++;
        } else {
            out[size++] = text.data[i];
        }
    }
    return slice_of(out, size);
}

struct label_scan {
    struct text_reader *reader;
    struct labels *labels; /* NULL: only looked at */
    bool exemplar;
    bool has_name;
};

static void found_label(const struct label_scan *scan, struct slice name, struct slice value)
{
    if (scan->labels != NULL)
        labels_add(scan->labels, text_unescape(name, true, scan->labels), text_unescape(value, true, scan->labels));
}

/* "=" and the value. */
static const char *scan_label_value(struct label_scan *scan, struct slice name)
{
    struct text_reader *reader = scan->reader;
    struct slice value;

    if (peek(reader) != '=')
        return "expected \"=\" after the label's name";
    reader->at++;
    skip_blanks(reader);
    if (peek(reader) != '"' || !scan_quoted(reader, !reader->openmetrics, &value))
        return "expected a label value in quotes";
    if (scan->labels == NULL && !utf8_is_valid(value))
        return "the label's value is not UTF-8";
    found_label(scan, name, value);
    skip_blanks(reader);
    return NULL;
}

/* A label, or the metric's name in quotes. */
static const char *scan_label(struct label_scan *scan)
{
    struct text_reader *reader = scan->reader;
    bool quoted = peek(reader) == '"';
    struct slice name;

    if (quoted && !scan_quoted(reader, true, &name))
        return "a quoted name without an end";
    if (!quoted)
        name = scan_name(reader, false);
    if (!quoted && name.size == 0)
        return "expected a label's name";
    skip_blanks(reader);
    if (!quoted || (peek(reader) != ',' && peek(reader) != '}'))
        return scan_label_value(scan, name);
    if (scan->exemplar)
        return "expected a label's name";
    if (scan->has_name)
        return "the metric has two names";
    scan->has_name = true;
    found_label(scan, SLICE("__name__"), name);
    return NULL;
}

/* From "{" to "}"; NULL, or what is wrong. */
static const char *scan_labels(struct label_scan *scan)
{
    struct text_reader *reader = scan->reader;

    reader->at++;
    skip_blanks(reader);
    while (peek(reader) != '}') {
        const char *fault = scan_label(scan);

        if (fault != NULL)
            return fault;
        if (peek(reader) == ',')
            reader->at++;
        else if (reader->openmetrics && peek(reader) != '}')
            return "expected \",\" or \"}\" after a label";
        skip_blanks(reader);
    }
    reader->at++;
    return NULL;
}

void text_labels(struct slice key, bool openmetrics, struct labels *labels)
{
    struct text_reader reader = text_reader_of(key, openmetrics);
    struct label_scan scan = { .reader = &reader, .labels = labels };
    struct slice name;

    skip_blanks(&reader);
    name = scan_name(&reader, true);
    if (name.size > 0)
        labels_add(labels, SLICE("__name__"), name);
    skip_blanks(&reader);
    if (peek(&reader) == '{')
        scan_labels(&scan);
}

/* ---- values ---- */

/* The word up to a blank or the line's end. */
static struct slice scan_word(struct text_reader *reader)
{
    const uint8_t *start = reader->at;

    while (reader->at < reader->end && *reader->at != ' ' && *reader->at != '\n' &&
           (reader->openmetrics || (*reader->at != '\t' && *reader->at != '{')))
        reader->at++;
    return slice_of(start, (size_t)(reader->at - start));
}

static bool scan_number(struct text_reader *reader, double *value)
{
    struct slice word;

    if (reader->openmetrics && peek(reader) != ' ')
        return false;
    reader->at += reader->openmetrics;
    skip_blanks(reader);
    word = scan_word(reader);
    return word.size > 0 && number_parse(word, value);
}

/* OpenMetrics: seconds, with a fraction. */
static bool scan_seconds(struct text_reader *reader, int64_t *milliseconds)
{
    double seconds;

    if (!scan_number(reader, &seconds) || !isfinite(seconds) || fabs(seconds) > 9e15)
        return false;
    *milliseconds = (int64_t)(seconds * 1000);
    return true;
}

static bool scan_milliseconds(struct text_reader *reader, int64_t *milliseconds)
{
    uint64_t value = 0;
    const uint8_t *start = reader->at;

    for (; peek(reader) >= '0' && peek(reader) <= '9'; reader->at++) {
        if (value > (uint64_t)INT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (uint64_t)(*reader->at - '0');
    }
    *milliseconds = (int64_t)value;
    return reader->at > start;
}

/* Behind " # ". */
static enum text_item read_exemplar(struct text_reader *reader, struct text_exemplar *exemplar)
{
    struct label_scan scan = { .reader = reader, .exemplar = true };
    const uint8_t *start = reader->at;
    const char *fault = scan_labels(&scan);

    if (fault != NULL)
        return bad(reader, fault);
    exemplar->labels = slice_of(start, (size_t)(reader->at - start));
    if (!scan_number(reader, &exemplar->value))
        return bad(reader, "expected a value after the exemplar's labels");
    if (!at_line_end(reader)) {
        if (!scan_seconds(reader, &exemplar->timestamp_ms))
            return bad(reader, "expected the exemplar's timestamp, or the end of the line");
        exemplar->has_timestamp = true;
    }
    return TEXT_SAMPLE;
}

static bool at_exemplar(const struct text_reader *reader)
{
    return reader->openmetrics && reader->end - reader->at >= 4 && memcmp(reader->at, " # {", 4) == 0;
}

enum text_item text_read_value(struct text_reader *reader, struct text_line *line)
{
    line->has_timestamp = false;
    line->exemplar = (struct text_exemplar){ .value = 0 };
    if (!scan_number(reader, &line->value))
        return bad(reader, "expected a value after the metric");
    skip_blanks(reader);
    if (!at_line_end(reader) && !at_exemplar(reader)) {
        line->has_timestamp =
            reader->openmetrics ? scan_seconds(reader, &line->timestamp_ms) : scan_milliseconds(reader, &line->timestamp_ms);
        if (!line->has_timestamp)
            return bad(reader, "expected a timestamp or the end of the line");
        skip_blanks(reader);
    }
    if (at_exemplar(reader)) {
        reader->at += 3;
        if (read_exemplar(reader, &line->exemplar) == TEXT_BAD)
            return TEXT_BAD;
    }
    if (!at_line_end(reader))
        return bad(reader, reader->at == reader->end ? "the page does not end with # EOF" : "expected the end of the line");
    reader->at += reader->at < reader->end;
    return TEXT_SAMPLE;
}

static enum text_item read_sample(struct text_reader *reader, struct text_line *line, const uint8_t *start)
{
    struct label_scan scan = { .reader = reader };
    const char *fault = NULL;

    scan.has_name = scan_name(reader, true).size > 0;
    line->key = slice_of(start, (size_t)(reader->at - start));
    if (scan.has_name)
        skip_blanks(reader);
    if (peek(reader) == '{') {
        fault = scan_labels(&scan);
        line->key = slice_of(start, (size_t)(reader->at - start));
    } else if (!scan.has_name) {
        fault = "expected a metric, a comment or the end";
    }
    if (fault == NULL && !scan.has_name)
        fault = "a metric without a name";
    return fault != NULL ? bad(reader, fault) : text_read_value(reader, line);
}

/* ---- comments ---- */

static bool skip_word(struct text_reader *reader, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(reader->end - reader->at) <= size || memcmp(reader->at, word, size) != 0)
        return false;
    if (reader->at[size] != ' ' && (reader->openmetrics || reader->at[size] != '\t'))
        return false;
    reader->at += size + 1;
    skip_blanks(reader);
    return true;
}

static bool type_of(struct slice text, bool openmetrics, enum metric_type *type)
{
    if (!openmetrics && slice_equal_string(text, "untyped")) {
        *type = METRIC_UNKNOWN;
        return true;
    }
    for (int i = 0; i < METRIC_TYPE_COUNT; i++) {
        bool known = openmetrics || i == METRIC_COUNTER || i == METRIC_GAUGE || i == METRIC_HISTOGRAM || i == METRIC_SUMMARY;

        if (known && slice_equal_string(text, metric_type_name((enum metric_type)i))) {
            *type = (enum metric_type)i;
            return true;
        }
    }
    return false;
}

static bool unit_fits(struct slice name, struct slice unit)
{
    return unit.size == 0 || (name.size > unit.size && name.data[name.size - unit.size - 1] == '_' &&
                                 memcmp(name.data + name.size - unit.size, unit.data, unit.size) == 0);
}

/* What follows "# HELP " and the like. */
static enum text_item read_metadata(struct text_reader *reader, enum text_item item, struct text_line *line)
{
    const uint8_t *end;

    if (peek(reader) == '"') {
        if (!scan_quoted(reader, true, &line->name))
            return bad(reader, "expected a metric's name");
    } else {
        line->name = scan_name(reader, true);
        if (line->name.size == 0)
            return bad(reader, "expected a metric's name");
    }
    if (reader->openmetrics && peek(reader) != ' ')
        return bad(reader, "expected a text after the metric's name");
    end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    if (end == NULL && reader->openmetrics)
        return bad(reader, "the page does not end with # EOF");
    if (end == NULL)
        end = reader->end;
    line->text = slice_of(reader->at, (size_t)(end - reader->at));
    if (line->text.size > 0)
        line->text = slice_of(line->text.data + 1, line->text.size - 1);
    if (item == TEXT_TYPE && !type_of(line->text, reader->openmetrics, &line->type))
        return bad(reader, "this is no metric type");
    if (item == TEXT_HELP && !utf8_is_valid(line->text))
        return bad(reader, "the help text is not UTF-8");
    if (item == TEXT_UNIT && !unit_fits(line->name, line->text))
        return bad(reader, "the metric's name does not end with the unit");
    reader->at = end < reader->end ? end + 1 : end;
    return item;
}

/* OpenMetrics: behind "# ". */
static enum text_item read_comment(struct text_reader *reader, struct text_line *line)
{
    size_t left = (size_t)(reader->end - reader->at);

    if (left >= 3 && memcmp(reader->at, "EOF", 3) == 0) {
        if (left > 4 || (left == 4 && reader->at[3] != '\n'))
            return bad(reader, "something stands behind # EOF");
        reader->at = reader->end;
        return TEXT_END;
    }
    if (skip_word(reader, "HELP"))
        return read_metadata(reader, TEXT_HELP, line);
    if (skip_word(reader, "TYPE"))
        return read_metadata(reader, TEXT_TYPE, line);
    if (skip_word(reader, "UNIT"))
        return read_metadata(reader, TEXT_UNIT, line);
    return bad(reader, "OpenMetrics has no comments but HELP, TYPE, UNIT and EOF");
}

static enum text_item next_openmetrics(struct text_reader *reader, struct text_line *line)
{
    if (reader->at == reader->end)
        return bad(reader, "the page does not end with # EOF");
    if (reader->end - reader->at >= 2 && reader->at[0] == '#' && reader->at[1] == ' ') {
        reader->at += 2;
        return read_comment(reader, line);
    }
    return read_sample(reader, line, reader->at);
}

/* Behind "#": TEXT_END when it was only a comment. */
static enum text_item next_comment(struct text_reader *reader, struct text_line *line)
{
    const uint8_t *end;

    if (peek(reader) == ' ' || peek(reader) == '\t') {
        skip_blanks(reader);
        if (skip_word(reader, "HELP"))
            return read_metadata(reader, TEXT_HELP, line);
        if (skip_word(reader, "TYPE"))
            return read_metadata(reader, TEXT_TYPE, line);
    }
    end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    reader->at = end != NULL ? end : reader->end;
    return TEXT_END;
}

enum text_item text_next(struct text_reader *reader, struct text_line *line)
{
    if (reader->openmetrics)
        return next_openmetrics(reader, line);
    for (;;) {
        const uint8_t *start = reader->at;

        skip_blanks(reader);
        if (reader->at == reader->end || *reader->at == 0) /* a zero byte ends a page, as it does in Prometheus */
            return TEXT_END;
        if (*reader->at == '\n') {
            reader->at++;
        } else if (*reader->at == '#') {
            reader->at++;
            enum text_item item = next_comment(reader, line);
            if (item != TEXT_END)
                return item;
        } else {
            return read_sample(reader, line, start);
        }
    }
}
