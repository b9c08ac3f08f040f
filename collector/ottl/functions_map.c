/*
 * Converters of lists and maps. Threads: the machine's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "collector/ottl/program.h"

static bool run_len(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    if (!ottl_argument(call, 0, machine, value))
        return false;
    if (value->kind == OTTL_STRING || value->kind == OTTL_BYTES)
        *value = ottl_int((int64_t)value->bytes.size);
    else if (value->kind == OTTL_LIST || value->kind == OTTL_MAP)
        *value = ottl_int((int64_t)ottl_count(value));
    else
        return ottl_fail(
            machine, "target arg must be of type string, []any, map[string]any or pcommon.Map, but is %s", ottl_kind_name(value->kind));
    return true;
}

static bool run_keys(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value map;
    struct ottl_entry entry;

    if (!ottl_argument_kind(call, 0, machine, OTTL_MAP, &map))
        return false;
    struct ottl_cursor cursor = ottl_entries(&map);
    struct buffer *work = ottl_work(machine);
    while (ottl_next_entry(&cursor, &entry)) {
        struct ottl_value key = ottl_string(entry.key);
        ottl_put_item(work, &key);
    }
    return ottl_give_list(machine, value);
}

static bool run_values(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value map;
    struct ottl_entry entry;

    if (!ottl_argument_kind(call, 0, machine, OTTL_MAP, &map))
        return false;
    struct ottl_cursor cursor = ottl_entries(&map);
    struct buffer *work = ottl_work(machine);
    while (ottl_next_entry(&cursor, &entry))
        ottl_put_item(work, &entry.value);
    return ottl_give_list(machine, value);
}

static bool run_contains_value(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value list, wanted, item;
    bool found = false;

    if (!ottl_argument_kind(call, 0, machine, OTTL_LIST, &list) || !ottl_argument(call, 1, machine, &wanted))
        return false;
    struct ottl_cursor cursor = ottl_items(&list);
    while (!found && ottl_next_item(&cursor, &item))
        found = ottl_compare(&item, &wanted, OTTL_EQUAL);
    *value = ottl_bool(found);
    return true;
}

/* ---- Sort ---- */

/* How the items of a list are compared: as numbers or texts when all are, as texts when they are mixed. */
enum sorting { SORT_NUMBERS, SORT_TEXTS, SORT_BOOLS, SORT_MIXED };

struct item {
    struct ottl_value value;
    struct slice text;
};

static int order_of_items(const void *one, const void *other)
{
    const struct item *a = one, *b = other;

    if (a->text.data == NULL || b->text.data == NULL)
        return ottl_compare(&a->value, &b->value, OTTL_LESS) ? -1 : ottl_compare(&a->value, &b->value, OTTL_GREATER);
    return slice_compare(a->text, b->text);
}

static enum sorting sorting_of(const struct item *items, size_t count)
{
    size_t numbers = 0, texts = 0, bools = 0;

    for (size_t i = 0; i < count; i++) {
        numbers += items[i].value.kind == OTTL_INT || items[i].value.kind == OTTL_DOUBLE;
        texts += items[i].value.kind == OTTL_STRING;
        bools += items[i].value.kind == OTTL_BOOL;
    }
    return numbers == count ? SORT_NUMBERS : texts == count ? SORT_TEXTS : bools == count ? SORT_BOOLS : SORT_MIXED;
}

static struct item *read_items(struct ottl_machine *machine, const struct ottl_value *list, size_t count)
{
    struct item *items = ottl_alloc(machine, (count + 1) * sizeof(*items));
    struct ottl_cursor cursor = ottl_items(list);

    for (size_t i = 0; items != NULL && i < count; i++) {
        items[i].text = (struct slice){ NULL, 0 };
        ottl_next_item(&cursor, &items[i].value);
    }
    for (size_t i = 0; items != NULL && sorting_of(items, count) == SORT_MIXED && i < count; i++) {
        if (items[i].value.kind == OTTL_LIST || items[i].value.kind == OTTL_MAP)
            return NULL;
    }
    return items;
}

/* Stable, without further memory: lists are short. Falls back to qsort for long ones, where equal items look alike anyway. */
static void sort_items(struct item *items, size_t count)
{
    if (count > 64) {
        qsort(items, count, sizeof(*items), order_of_items);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct item moved = items[i];
        size_t k = i;
        for (; k > 0 && order_of_items(&items[k - 1], &moved) > 0; k--)
            items[k] = items[k - 1];
        items[k] = moved;
    }
}

static bool run_sort(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice order = SLICE("asc");
    struct ottl_value list;
    struct item *items;
    size_t count;

    if (!ottl_argument(call, 0, machine, &list) || !ottl_argument_string(call, 1, machine, &order))
        return false;
    if (list.kind != OTTL_LIST)
        return ottl_fail(machine, "sort with unsupported type: '%s'", ottl_kind_name(list.kind));
    count = ottl_count(&list);
    items = read_items(machine, &list, count);
    if (items == NULL) { /* lists and maps within have no order */
        *value = list;
        return true;
    }
    for (size_t i = 0; sorting_of(items, count) == SORT_MIXED && i < count; i++) {
        if (!ottl_text_of(machine, &items[i].value, &items[i].text))
            return false;
        if (items[i].text.data == NULL)
            items[i].text = SLICE("");
    }
    sort_items(items, count);
    bool descending = slice_equal_string(order, "desc");
    struct buffer *work = ottl_work(machine);
    for (size_t i = 0; i < count; i++)
        ottl_put_item(work, &items[descending ? count - 1 - i : i].value);
    return ottl_give_list(machine, value);
}

static bool prepare_sort(struct ottl_call *call, struct arena *arena, struct error *err)
{
    const struct ottl_expression *order = call->arguments[1];

    (void)arena;
    return order == NULL || !order->constant || slice_equal_string(order->value.bytes, "asc") ||
           slice_equal_string(order->value.bytes, "desc") ||
           fail(err, "invalid arguments: %.*s. Order should be either \"asc\" or \"desc\"", SLICE_PRINT(order->value.bytes));
}

/* ---- SliceToMap(list, [key path], [value path]) ---- */

static bool follow(const struct ottl_value *path, const struct ottl_value *from, struct ottl_value *found)
{
    struct ottl_cursor cursor = ottl_items(path);
    struct ottl_value name;

    *found = *from;
    while (ottl_next_item(&cursor, &name)) {
        struct ottl_value map = *found;
        if (map.kind != OTTL_MAP || !ottl_map_get(&map, name.bytes, found))
            return false;
    }
    return true;
}

static bool run_slice_to_map(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value list, key_path = { .kind = OTTL_NIL }, value_path = { .kind = OTTL_NIL }, item, key, content;

    if (!ottl_argument_kind(call, 0, machine, OTTL_LIST, &list) || !ottl_argument(call, 1, machine, &key_path) ||
        !ottl_argument(call, 2, machine, &value_path))
        return false;
    struct ottl_cursor cursor = ottl_items(&list);
    struct buffer *work = ottl_work(machine);
    for (unsigned i = 0; ottl_next_item(&cursor, &item); i++) {
        char number[16];
        if (key_path.kind == OTTL_LIST && ottl_count(&key_path) > 0) {
            if (item.kind != OTTL_MAP)
                return ottl_fail(machine, "could not cast element of %s to map[string]any", ottl_kind_name(item.kind));
            if (!follow(&key_path, &item, &key))
                return ottl_fail(machine, "could not extract key value from element %u", i);
            if (key.kind != OTTL_STRING)
                return ottl_fail(machine, "extracted key attribute is not of type string");
        } else {
            key = ottl_string(slice_of(number, (size_t)snprintf(number, sizeof(number), "%u", i)));
        }
        content = item;
        if (value_path.kind == OTTL_LIST && ottl_count(&value_path) > 0 && !follow(&value_path, &item, &content))
            return ottl_fail(machine, "could not extract value from element %u", i);
        ottl_put_entry(work, key.bytes, &content);
    }
    return ottl_give_map(machine, value);
}

const struct ottl_function ottl_map_functions[] = {
    { "Len", "target:value", run_len, NULL, false, false, 0 },
    { "Keys", "target:value", run_keys, NULL, false, false, 0 },
    { "Values", "target:value", run_values, NULL, false, false, 0 },
    { "ContainsValue", "target:value,item:value", run_contains_value, NULL, false, false, 0 },
    { "Sort", "target:value,?order:value", run_sort, prepare_sort, false, false, 0 },
    { "SliceToMap", "target:value,?keyPath:value,?valuePath:value", run_slice_to_map, NULL, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
