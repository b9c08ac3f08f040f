/*
 * Taking a StatsD line apart.
 * Cost: some 40 ns a line; each byte is looked at a few times at the most. No threads, no state.
 */
#include "receivers/statsd/line.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_NUMBER = 400, MAX_SECONDS_DIGITS = 10 };

static const double powers_of_ten[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };

const char *statsd_type_name(enum statsd_type type)
{
    static const char *const names[STATSD_TYPE_COUNT] = { "counter", "gauge", "timing", "histogram", "distribution", "set" };

    return names[type];
}

/* ---- numbers ---- */

static bool slow_number(struct slice text, double *value)
{
    char copy[MAX_NUMBER + 1], *end;

    if (text.size == 0 || text.size > MAX_NUMBER)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < '0' || text.data[i] > '9') && memchr("+-.eE", text.data[i], 5) == NULL)
            return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *value = strtod(copy, &end);
    return end == copy + text.size && isfinite(*value);
}

/* At most 15 digits: both the digits and the power of ten are exact as doubles, and so the quotient is rounded once. */
bool statsd_number(struct slice text, double *value)
{
    size_t i = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    size_t digits = 0, point = 0;
    uint64_t number = 0;
    bool has_point = false;

    for (; i < text.size && digits <= 15; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';

        if (digit <= 9) {
            number = number * 10 + digit;
            digits++;
            point += has_point;
        } else if (text.data[i] == '.' && !has_point) {
            has_point = true;
        } else {
            break;
        }
    }
    if (i < text.size || digits == 0 || digits > 15)
        return slow_number(text, value);
    *value = (double)number / powers_of_ten[point];
    if (text.data[0] == '-')
        *value = -*value;
    return true;
}

bool statsd_next_value(struct slice *values, double *value, bool *is_relative)
{
    struct slice one;

    if (!statsd_next_item(values, ':', &one) || one.size == 0)
        return false;
    *is_relative = one.data[0] == '-' || one.data[0] == '+';
    return statsd_number(one, value);
}

/* ---- parts ---- */

bool statsd_next_item(struct slice *list, char separator, struct slice *item)
{
    const uint8_t *found;

    if (list->data == NULL)
        return false;
    found = list->size > 0 ? memchr(list->data, separator, list->size) : NULL;
    if (found == NULL) {
        *item = *list;
        *list = slice_of(NULL, 0);
        return true;
    }
    *item = slice_of(list->data, (size_t)(found - list->data));
    *list = slice_of(found + 1, list->size - item->size - 1);
    return true;
}

static bool type_of(struct slice text, enum statsd_type *type)
{
    static const char letters[] = "cg_hds";
    const char *found;

    if (text.size == 2 && text.data[0] == 'm' && text.data[1] == 's') {
        *type = STATSD_TIMING;
        return true;
    }
    found = text.size == 1 && text.data[0] != '\0' && text.data[0] != '_' ? strchr(letters, text.data[0]) : NULL;
    if (found != NULL)
        *type = (enum statsd_type)(found - letters);
    return found != NULL;
}

static const char *timestamp(struct slice digits, struct statsd_line *line)
{
    uint64_t seconds = 0;

    if (line->type != STATSD_COUNTER && line->type != STATSD_GAUGE)
        return "bad_timestamp";
    if (digits.size == 0 || digits.size > MAX_SECONDS_DIGITS)
        return "bad_timestamp";
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return "bad_timestamp";
        seconds = seconds * 10 + (uint64_t)(digits.data[i] - '0');
    }
    line->time_ns = seconds * 1000000000U;
    return NULL;
}

/* Cuts "c:3" of etsy's "1|c:3|ms" into what is before the colon and the sample behind it. */
static void cut_more(struct slice *part, struct slice rest, struct statsd_line *line)
{
    const uint8_t *colon = memchr(part->data, ':', part->size);
    const uint8_t *end = rest.data != NULL ? rest.data + rest.size : part->data + part->size;

    if (colon == NULL)
        return;
    line->more = slice_of(colon + 1, (size_t)(end - colon - 1));
    part->size = (size_t)(colon - part->data);
}

static struct slice behind(struct slice part, size_t size)
{
    return slice_of(part.data + size, part.size - size);
}

/* What DogStatsD adds: |c:container, |e:external data, |card:cardinality, |Tseconds. The second and third say nothing to a receiver that has no agent. */
static const char *extension(struct slice part, struct statsd_line *line)
{
    if (part.data[0] == 'T')
        return timestamp(behind(part, 1), line);
    if (part.size > 2 && part.data[0] == 'c' && part.data[1] == ':') {
        line->container = behind(part, 2);
        return NULL;
    }
    return slice_starts_with(part, SLICE("e:")) || slice_starts_with(part, SLICE("card:")) ? NULL : "bad_part";
}

static const char *parse_parts(struct slice rest, struct statsd_line *line)
{
    struct slice part;
    const char *fault = NULL;

    while (fault == NULL && line->more.size == 0 && statsd_next_item(&rest, '|', &part)) {
        if (part.size == 0)
            return "empty_part";
        if (part.data[0] == '#') {
            if (line->tags.size > 0 && part.size > 1)
                return "bad_part";
            line->tags = part.size > 1 ? behind(part, 1) : line->tags;
        } else if (part.data[0] == '@') {
            cut_more(&part, rest, line);
            fault = statsd_number(behind(part, 1), &line->rate) ? NULL : "bad_rate";
        } else {
            fault = extension(part, line);
        }
    }
    return fault;
}

static bool has_many_values(struct slice values)
{
    return memchr(values.data, ':', values.size) != NULL;
}

/* From the value on. */
static const char *parse_sample(struct slice rest, struct statsd_line *line)
{
    struct slice type;

    *line = (struct statsd_line){ .name = line->name };
    statsd_next_item(&rest, '|', &line->values);
    if (rest.data == NULL)
        return "no_type";
    if (line->values.size == 0)
        return "empty_value";
    statsd_next_item(&rest, '|', &type);
    cut_more(&type, rest, line);
    if (!type_of(type, &line->type))
        return "unsupported_type";
    if ((line->type == STATSD_COUNTER || line->type == STATSD_GAUGE) && has_many_values(line->values))
        return "bad_value";
    return line->more.size > 0 || rest.data == NULL ? NULL : parse_parts(rest, line);
}

const char *statsd_line_parse(struct slice text, struct statsd_line *line)
{
    const uint8_t *colon;

    *line = (struct statsd_line){ .rate = 0 };
    if (text.size > STATSD_MAX_LINE)
        return "too_long";
    colon = text.size > 0 ? memchr(text.data, ':', text.size) : NULL;
    if (colon == NULL)
        return "no_value";
    if (colon == text.data)
        return "empty_name";
    line->name = slice_of(text.data, (size_t)(colon - text.data));
    if (memchr(line->name.data, '|', line->name.size) != NULL)
        return "no_value";
    return parse_sample(behind(text, line->name.size + 1), line);
}

const char *statsd_line_more(struct statsd_line *line)
{
    return parse_sample(line->more, line);
}

/* ---- names with tags ---- */

static const uint8_t *find(struct slice text, char letter)
{
    return text.size > 0 ? memchr(text.data, letter, text.size) : NULL;
}

struct statsd_name statsd_name_of(struct slice name, unsigned dialects)
{
    struct statsd_name out = { .head = name };
    const uint8_t *open = find(name, '['), *close = find(name, ']'), *end = name.data + name.size;

    if ((dialects & STATSD_SIGNALFX) != 0 && (open != NULL || close != NULL)) {
        if (open == NULL || close == NULL || close < open)
            return out;
        out.head.size = (size_t)(open - name.data);
        out.tags = slice_of(open + 1, (size_t)(close - open - 1));
        out.tail = slice_of(close + 1, (size_t)(end - close - 1));
        return out;
    }
    for (const uint8_t *at = name.data; at < end; at++) {
        if ((*at == '#' && (dialects & STATSD_LIBRATO) != 0) || (*at == ',' && (dialects & STATSD_INFLUXDB) != 0)) {
            out.head.size = (size_t)(at - name.data);
            out.tags = slice_of(at + 1, (size_t)(end - at - 1));
            break;
        }
    }
    return out;
}
