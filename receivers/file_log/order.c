/*
 * ordering_criteria: which of the files that fit are followed, and in which order, by parts of their paths. Paths that the pattern does not fit are left out.
 */
#include <stdlib.h>

#include "collector/ottl/regex.h"
#include "collector/stanza/timestamp.h"
#include "collector/wire/decimal.h"
#include "receivers/file_log/file_log.h"

enum { RULES_MAX = 16 };

struct file_order {
    struct arena arena;
    struct ottl_regex *regex, *group; /* NULL: none */
    struct ottl_matcher *matcher;
    const struct file_sort_rule *rules; /* borrowed from the settings */
    size_t rule_count, top_n;
    struct stanza_layout layouts[RULES_MAX];
};

struct sorted {
    struct file_candidate candidate;
    struct slice group;
    struct slice texts[RULES_MAX];
    double numbers[RULES_MAX];
    const struct file_order *order;
};

static bool init_rules(struct file_order *order, struct error *err)
{
    for (size_t i = 0; i < order->rule_count; i++) {
        const struct file_sort_rule *rule = &order->rules[i];
        order->layouts[i].type = STANZA_STRPTIME;
        if (rule->type != FILE_SORT_MTIME && (rule->regex_key == NULL || order->regex == NULL))
            return fail(err, "sort_by[%zu]: set regex and regex_key", i);
        if (rule->type == FILE_SORT_TIMESTAMP && !stanza_layout_init(&order->layouts[i], &order->arena, rule->layout, rule->location, err))
            return fail_within(err, "sort_by[%zu]", i);
    }
    return true;
}

struct file_order *file_order_create(const struct file_log *settings, struct error *err)
{
    struct file_order *order = calloc(1, sizeof(*order));
    bool done = true;

    if (order == NULL)
        abort();
    order->matcher = ottl_matcher_create();
    order->rules = settings->ordering.sort_by.items;
    order->rule_count = settings->ordering.sort_by.count;
    order->top_n = (size_t)settings->ordering.top_n;
    if (order->rule_count > RULES_MAX)
        done = fail(err, "sort_by: more than %d rules", RULES_MAX);
    if (done && settings->ordering.regex != NULL)
        done = (order->regex = ottl_regex_create(slice_of_string(settings->ordering.regex), err)) != NULL;
    if (done && settings->ordering.group_by != NULL)
        done = (order->group = ottl_regex_create(slice_of_string(settings->ordering.group_by), err)) != NULL;
    if (done && init_rules(order, err) && order->matcher != NULL)
        return order;
    file_order_destroy(order);
    fail_within(err, "ordering_criteria");
    return NULL;
}

void file_order_destroy(struct file_order *order)
{
    if (order == NULL)
        return;
    ottl_regex_destroy(order->regex);
    ottl_regex_destroy(order->group);
    ottl_matcher_destroy(order->matcher);
    arena_fini(&order->arena);
    free(order);
}

static struct slice named_group(const struct file_order *order, struct slice path, const char *name)
{
    size_t start, end;

    for (size_t i = 1; i <= ottl_regex_group_count(order->regex); i++) {
        if (slice_equal_string(ottl_regex_group_name(order->regex, i), name) && ottl_regex_group(order->matcher, i, &start, &end))
            return slice_of(path.data + start, end - start);
    }
    return slice_of(NULL, 0);
}

static bool read_rule(const struct file_order *order, struct sorted *item, size_t rule, struct slice path)
{
    struct stanza_value text =
        stanza_string(order->rules[rule].type == FILE_SORT_MTIME ? path : named_group(order, path, order->rules[rule].regex_key));
    struct decimal decimal;
    const char *problem;
    uint64_t time_ns;

    item->texts[rule] = text.bytes;
    switch (order->rules[rule].type) {
    case FILE_SORT_NUMERIC:
        return decimal_scan(text.bytes, &decimal) ? decimal_to_double(&decimal, &item->numbers[rule]) : false;
    case FILE_SORT_TIMESTAMP:
        if (!stanza_layout_read(&order->layouts[rule], &text, 0, &time_ns, &problem))
            return false;
        item->numbers[rule] = (double)time_ns;
        return true;
    case FILE_SORT_MTIME:
        item->numbers[rule] = (double)item->candidate.modified_ns;
        return true;
    default:
        return text.bytes.data != NULL;
    }
}

static bool read_item(struct file_order *order, struct sorted *item)
{
    struct slice path = slice_of_string(item->candidate.path);
    size_t start, end;

    item->order = order;
    item->group = SLICE("");
    if (order->group != NULL && ottl_regex_match(order->group, order->matcher, path, 0) == OTTL_MATCH &&
        ottl_regex_group(order->matcher, ottl_regex_group_count(order->group) > 0 ? 1 : 0, &start, &end))
        item->group = slice_of(path.data + start, end - start);
    if (order->regex != NULL && ottl_regex_match(order->regex, order->matcher, path, 0) != OTTL_MATCH)
        return false;
    for (size_t i = 0; i < order->rule_count; i++) {
        if (!read_rule(order, item, i, path))
            return false;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct sorted *left = a, *right = b;
    int result = slice_compare(left->group, right->group);

    for (size_t i = 0; result == 0 && i < left->order->rule_count; i++) {
        const struct file_sort_rule *rule = &left->order->rules[i];
        if (rule->type == FILE_SORT_ALPHABETICAL)
            result = slice_compare(left->texts[i], right->texts[i]);
        else
            result = (left->numbers[i] > right->numbers[i]) - (left->numbers[i] < right->numbers[i]);
        result = rule->ascending ? result : -result;
    }
    return result != 0 ? result : strcmp(left->candidate.path, right->candidate.path);
}

size_t file_order_apply(struct file_order *order, struct file_candidate *items, size_t count)
{
    struct sorted *sorted = calloc(count + 1, sizeof(*sorted));
    size_t kept = 0, fitting = 0, of_group = 0;

    if (sorted == NULL)
        return count;
    for (size_t i = 0; i < count; i++) {
        sorted[fitting].candidate = items[i];
        if (read_item(order, &sorted[fitting]))
            fitting++;
        else
            free(items[i].path);
    }
    qsort(sorted, fitting, sizeof(*sorted), compare);
    for (size_t i = 0; i < fitting; i++) {
        of_group = i > 0 && slice_equal(sorted[i].group, sorted[i - 1].group) ? of_group + 1 : 0;
        if (order->rule_count == 0 || order->top_n == 0 || of_group < order->top_n)
            items[kept++] = sorted[i].candidate;
        else
            free(sorted[i].candidate.path);
    }
    free(sorted);
    return kept;
}
