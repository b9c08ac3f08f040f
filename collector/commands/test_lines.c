/*
 * Requests compared as lines of "path: value", such as resourceLogs[0].scopeLogs[0].logRecords[0].attributes["a"]: 1. What stands on one side only
 * is the difference; the order of attributes and of fields does not count.
 *
 * Limits: JSON of our own making, nested as deep as OTLP allows. Threads: none of its own; no state.
 */
#include <stdlib.h>

#include "collector/commands/print.h"
#include "collector/commands/test.h"
#include "collector/wire/json.h"
#include "collector/wire/json_text.h"

/* ---- JSON to lines ---- */

struct lines {
    struct json_text text;
    struct buffer path, out; /* out: lines, each ended by '\n' */
};

static void flatten(struct lines *lines);

/* The scalar that stands next, as it is written; behind its path. */
static void put_scalar(struct lines *lines)
{
    const uint8_t *start = lines->text.at;

    json_skip_value(&lines->text);
    buffer_append_slice(&lines->out, buffer_slice(&lines->path));
    buffer_append_string(&lines->out, ": ");
    buffer_append(&lines->out, start, (size_t)(lines->text.at - start));
    buffer_append_byte(&lines->out, '\n');
}

/* Is what stands next {"key": "...", "value": ...}? Then its key. */
static bool peek_key(const struct lines *lines, struct slice *key)
{
    struct json_text text = lines->text;
    struct json_string name;

    if (!json_take(&text, '{') || json_peek(&text) != '"' || !json_scan_string(&text, &name) || !slice_equal_string(name.raw, "key"))
        return false;
    if (!json_take(&text, ':') || json_peek(&text) != '"' || !json_scan_string(&text, &name))
        return false;
    *key = name.raw;
    return true;
}

static void flatten_members(struct lines *lines, bool attribute)
{
    size_t path = lines->path.size;
    struct json_string name;

    lines->text.at++;
    while (!json_take(&lines->text, '}') && json_peek(&lines->text) == '"' && json_scan_string(&lines->text, &name)) {
        json_take(&lines->text, ':');
        json_peek(&lines->text);
        if (attribute && slice_equal_string(name.raw, "key")) {
            json_skip_value(&lines->text); /* it is in the path */
        } else {
            if (!attribute)
                buffer_printf(&lines->path, "%s%.*s", path > 0 ? "." : "", SLICE_PRINT(name.raw));
            flatten(lines);
            lines->path.size = path;
        }
        json_take(&lines->text, ',');
    }
}

static void flatten_elements(struct lines *lines)
{
    size_t path = lines->path.size, index = 0;
    struct slice key;

    lines->text.at++;
    while (!json_take(&lines->text, ']') && json_peek(&lines->text) != 0 && lines->text.problem == NULL) {
        bool attribute = peek_key(lines, &key);
        if (attribute)
            buffer_printf(&lines->path, "[\"%.*s\"]", SLICE_PRINT(key));
        else
            buffer_printf(&lines->path, "[%zu]", index++);
        if (attribute)
            flatten_members(lines, true);
        else
            flatten(lines);
        lines->path.size = path;
        json_take(&lines->text, ',');
    }
}

/* Empty objects and lists are a line too: a span without fields is still a span. */
static void flatten(struct lines *lines)
{
    struct json_text after = lines->text;
    uint8_t first = json_peek(&lines->text);
    bool empty;

    json_take(&after, (char)first);
    empty = json_peek(&after) == (first == '{' ? '}' : ']');
    if (first == '{' && !empty)
        flatten_members(lines, false);
    else if (first == '[' && !empty)
        flatten_elements(lines);
    else
        put_scalar(lines);
}

static void lines_of(enum signal signal, struct slice request, struct lines *lines)
{
    struct buffer json = { 0 };

    json_write_request(signal, request, &json);
    lines->text = (struct json_text){ json.data, json.data + json.size, NULL };
    if (json.size > 2) /* "{}": nothing */
        flatten(lines);
    buffer_fini(&json);
}

/* ---- the difference ---- */

struct line {
    struct slice text;
    size_t place;
    bool came, matched;
};

static int by_text(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    int order = slice_compare(a->text, b->text);

    return order != 0 ? order : (int)a->came - (int)b->came;
}

/* In the order in which they were written; at the same place what was expected before what came. */
static int by_place(const void *left, const void *right)
{
    const struct line *a = left, *b = right;

    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return (int)a->came - (int)b->came;
}

static size_t split_lines(struct slice text, bool came, struct line *lines)
{
    size_t count = 0;

    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = (size_t)(end - text.data);
        if (lines != NULL)
            lines[count] = (struct line){ { text.data, size }, count, came, false };
        count++;
        text = slice_of(end + 1, text.size - size - 1);
    }
    return count;
}

/* Lines that are the same on both sides stand side by side when sorted: of n expected and m that came, n - m are left. */
static void match(struct line *lines, size_t count)
{
    for (size_t start = 0, end; start < count; start = end) {
        size_t first_came;
        for (end = start; end < count && slice_equal(lines[end].text, lines[start].text);)
            end++;
        for (first_came = start; first_came < end && !lines[first_came].came;)
            first_came++;
        for (size_t i = start, k = first_came; i < first_came && k < end; i++, k++)
            lines[i].matched = lines[k].matched = true;
    }
}

static bool write_difference(const struct line *lines, size_t count, const char *indent, struct buffer *out)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (lines[i].matched)
            continue;
        any = true;
        buffer_printf(out, "%s%c ", indent, lines[i].came ? '+' : '-');
        print_text(out, lines[i].text, 0);
        buffer_append_byte(out, '\n');
    }
    return any;
}

bool test_difference(const struct test_pair *pair, const char *indent, struct buffer *out)
{
    struct lines expected = { .path = { 0 } }, came = { .path = { 0 } };
    struct line *lines;
    size_t count;
    bool any;

    lines_of(pair->signal, pair->expected, &expected);
    lines_of(pair->signal, pair->came, &came);
    count = split_lines(buffer_slice(&expected.out), false, NULL) + split_lines(buffer_slice(&came.out), true, NULL);
    lines = calloc(count + 1, sizeof(*lines));
    if (lines == NULL)
        abort();
    split_lines(buffer_slice(&came.out), true, lines + split_lines(buffer_slice(&expected.out), false, lines));
    qsort(lines, count, sizeof(*lines), by_text);
    match(lines, count);
    qsort(lines, count, sizeof(*lines), by_place);
    any = write_difference(lines, count, indent, out);
    free(lines);
    buffer_fini(&expected.path);
    buffer_fini(&expected.out);
    buffer_fini(&came.path);
    buffer_fini(&came.out);
    return any;
}
