/*
 * Cost: some 150 ns a line, and what the regular expressions take. Limits: a line of 16 KiB, 128 tags.
 * Threads: none of its own.
 */
#include "receivers/carbon/line.h"

#include <math.h>
#include <stdlib.h>

#include "collector/ottl/regex.h"
#include "collector/wire/utf8.h"
#include "receivers/statsd/line.h"

enum { TYPE_CUMULATIVE = 1 };
static const double max_seconds = 9.2e9; /* what fits nanoseconds */

/* ---- rules ---- */

static int compare_groups(const void *a, const void *b, void *context)
{
    const struct ottl_regex *regex = context;

    return slice_compare(ottl_regex_group_name(regex, *(const size_t *)a), ottl_regex_group_name(regex, *(const size_t *)b));
}

static bool init_rule(struct carbon_rules *rules, size_t number, struct error *err)
{
    struct ottl_regex *regex = ottl_regex_create(slice_of_string(rules->items[number].regexp), err);
    size_t groups, *names;

    rules->regexes[number] = regex;
    if (regex == NULL)
        return fail_within(err, "rules[%zu]: regexp", number);
    groups = ottl_regex_group_count(regex);
    names = calloc(groups + 1, sizeof(*names));
    if (names == NULL)
        abort();
    rules->name_groups[number] = names;
    for (size_t i = 1; i <= groups; i++) {
        struct slice name = ottl_regex_group_name(regex, i);

        if (slice_starts_with(name, SLICE("name_")))
            names[rules->name_group_counts[number]++] = i;
        else if (name.size > 0 && !slice_starts_with(name, SLICE("key_")))
            return fail(err, "rules[%zu]: regexp: the group \"%.*s\" must be called key_... or name_...", number, SLICE_PRINT(name));
    }
    qsort_r(names, rules->name_group_counts[number], sizeof(*names), compare_groups, regex);
    return true;
}

bool carbon_rules_init(struct carbon_rules *rules, const struct option_list *settings, const char *name_separator, struct error *err)
{
    *rules = (struct carbon_rules){ .items = settings->items, .count = settings->count, .name_separator = name_separator };
    if (rules->count == 0)
        return true;
    rules->matcher = ottl_matcher_create();
    rules->regexes = calloc(rules->count, sizeof(struct ottl_regex *));
    rules->name_groups = calloc(rules->count, sizeof(size_t *));
    rules->name_group_counts = calloc(rules->count, sizeof(size_t));
    if (rules->matcher == NULL || rules->regexes == NULL || rules->name_groups == NULL || rules->name_group_counts == NULL)
        abort();
    for (size_t i = 0; i < rules->count; i++)
        if (!init_rule(rules, i, err))
            return false;
    return true;
}

void carbon_rules_fini(struct carbon_rules *rules)
{
    for (size_t i = 0; rules->regexes != NULL && i < rules->count; i++) {
        ottl_regex_destroy(rules->regexes[i]);
        free(rules->name_groups[i]);
    }
    ottl_matcher_destroy(rules->matcher);
    free(rules->regexes);
    free(rules->name_groups);
    free(rules->name_group_counts);
    *rules = (struct carbon_rules){ .count = 0 };
}

/* ---- lines ---- */

static bool integer(struct slice text, int64_t *value)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t i = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;

    *value = 0;
    if (i == text.size || text.size - i > 18)
        return false;
    for (; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *value = *value * 10 + (text.data[i] - '0');
    }
    *value = negative ? -*value : *value;
    return true;
}

const char *carbon_value(struct slice text, struct carbon_point *point)
{
    point->is_int = integer(text, &point->integer);
    return point->is_int || statsd_number(text, &point->number) ? NULL : "bad_value";
}

/* "-1" and "N" are Graphite's "now". */
const char *carbon_time(struct slice text, uint64_t now_ns, struct carbon_point *point)
{
    double seconds, whole;
    int64_t exact;

    point->time_ns = now_ns;
    if (slice_equal(text, SLICE("-1")) || slice_equal(text, SLICE("N")))
        return NULL;
    if (integer(text, &exact) && exact >= 0 && (double)exact <= max_seconds) {
        point->time_ns = (uint64_t)exact * 1000000000U;
        return NULL;
    }
    if (!statsd_number(text, &seconds) || seconds < 0 || seconds > max_seconds)
        return "bad_timestamp";
    seconds = modf(seconds, &whole);
    point->time_ns = (uint64_t)whole * 1000000000U + (uint64_t)(seconds * 1e9);
    return NULL;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct slice next_word(struct slice *text)
{
    size_t start = 0, end;
    struct slice word;

    while (start < text->size && is_blank(text->data[start]))
        start++;
    for (end = start; end < text->size && !is_blank(text->data[end]);)
        end++;
    word = slice_of(text->data + start, end - start);
    *text = slice_of(text->data + end, text->size - end);
    return word;
}

const char *carbon_line(struct slice line, uint64_t now_ns, struct carbon_point *point)
{
    struct slice value, time;
    const char *fault;

    *point = (struct carbon_point){ .is_int = false };
    if (line.size > CARBON_MAX_LINE)
        return "too_long";
    point->path = next_word(&line);
    value = next_word(&line);
    time = next_word(&line);
    if (time.size == 0 || next_word(&line).size > 0)
        return "not_three_fields";
    fault = carbon_value(value, point);
    return fault != NULL ? fault : carbon_time(time, now_ns, point);
}

/* ---- writing ---- */

static size_t begin(const struct carbon_point *point, const struct metric_head *head, struct metric_writer *writer)
{
    size_t mark;

    metric_write_open(writer, head);
    mark = metric_write_point(writer);
    metric_write_times(writer->out, 0, point->time_ns);
    if (point->is_int)
        metric_write_int(writer->out, point->integer);
    else
        metric_write_double(writer->out, point->number);
    return mark;
}

static void end(struct metric_writer *writer, size_t mark)
{
    metric_write_end_point(writer, mark);
    metric_write_close(writer);
}

static void put(struct metric_writer *writer, struct slice key, struct slice value)
{
    metric_write_attribute(writer->out, OTLP_ATTRIBUTES_OF_NUMBER_POINT, key, value);
}

/* A key that stands twice counts as what it says last. */
static bool is_said_again(struct slice rest, struct slice key)
{
    struct slice item;

    while (statsd_next_item(&rest, ';', &item))
        if (item.size > key.size && item.data[key.size] == '=' && memcmp(item.data, key.data, key.size) == 0)
            return true;
    return false;
}

static const char *check_tags(struct slice rest)
{
    struct slice item;
    size_t count = 0;

    while (statsd_next_item(&rest, ';', &item)) {
        const uint8_t *equals = item.size > 0 ? memchr(item.data, '=', item.size) : NULL;

        if (item.size == 0 && rest.data == NULL)
            break; /* "name;" */
        if (equals == NULL || equals == item.data)
            return "bad_tag";
        if (++count > CARBON_MAX_TAGS)
            return "too_many_tags";
    }
    return NULL;
}

/* "name;key=value;key=value" */
static const char *write_plain(const struct carbon_point *point, struct metric_writer *writer)
{
    struct metric_head head = { .kind = OTLP_GAUGE };
    struct slice rest = point->path, item, key;
    const char *fault;
    size_t mark;

    statsd_next_item(&rest, ';', &head.name);
    if (head.name.size == 0)
        return "empty_name";
    fault = check_tags(rest);
    if (fault != NULL)
        return fault;
    mark = begin(point, &head, writer);
    while (statsd_next_item(&rest, ';', &item)) {
        if (item.size == 0)
            break;
        statsd_next_item(&item, '=', &key);
        if (!is_said_again(rest, key))
            put(writer, key, item.data != NULL ? item : slice_of("", 0));
    }
    end(writer, mark);
    return NULL;
}

static struct slice group_of(const struct carbon_rules *rules, struct slice path, size_t group)
{
    size_t from, to;

    return ottl_regex_group(rules->matcher, group, &from, &to) ? slice_of(path.data + from, to - from) : slice_of(path.data, 0);
}

static void name_of(const struct carbon_rules *rules, size_t rule, struct slice path, struct buffer *name)
{
    const struct carbon_rule_settings *settings = &rules->items[rule];

    if (settings->name_prefix != NULL)
        buffer_append_string(name, settings->name_prefix);
    for (size_t i = 0; i < rules->name_group_counts[rule]; i++) {
        if (rules->name_separator != NULL)
            buffer_append_string(name, rules->name_separator);
        buffer_append_slice(name, group_of(rules, path, rules->name_groups[rule][i]));
    }
    if (name->size == 0)
        buffer_append_slice(name, path);
}

static bool is_label(const struct carbon_rule_settings *settings, struct slice key)
{
    for (size_t i = 0; i < settings->labels.count; i++)
        if (slice_equal_string(key, settings->labels.items[i].key))
            return true;
    return false;
}

static void write_matched(const struct carbon_rules *rules, size_t rule, const struct carbon_point *point, struct metric_writer *writer)
{
    const struct carbon_rule_settings *settings = &rules->items[rule];
    struct metric_head head = {
        .kind = settings->type == TYPE_CUMULATIVE ? OTLP_SUM : OTLP_GAUGE, .temporality = METRIC_CUMULATIVE, .monotonic = true
    };
    struct buffer name = { 0 };
    size_t mark;

    name_of(rules, rule, point->path, &name);
    head.name = buffer_slice(&name);
    writer->out->failed = writer->out->failed || name.failed;
    mark = begin(point, &head, writer);
    for (size_t i = 1; i <= ottl_regex_group_count(rules->regexes[rule]); i++) {
        struct slice key = ottl_regex_group_name(rules->regexes[rule], i), value = group_of(rules, point->path, i);

        if (value.size == 0 || !slice_starts_with(key, SLICE("key_")))
            continue;
        key = slice_of(key.data + 4, key.size - 4);
        if (!is_label(settings, key))
            put(writer, key, value);
    }
    for (size_t i = 0; i < settings->labels.count; i++)
        put(writer, slice_of_string(settings->labels.items[i].key), slice_of_string(settings->labels.items[i].value));
    end(writer, mark);
    buffer_fini(&name);
}

const char *carbon_write(struct carbon_rules *rules, const struct carbon_point *point, struct metric_writer *writer)
{
    if (!utf8_is_valid(point->path))
        return "not_utf8";
    if (point->path.size == 0)
        return "empty_name";
    for (size_t i = 0; i < rules->count; i++) {
        if (ottl_regex_match(rules->regexes[i], rules->matcher, point->path, 0) != OTTL_MATCH)
            continue;
        write_matched(rules, i, point, writer);
        return NULL;
    }
    return write_plain(point, writer);
}
