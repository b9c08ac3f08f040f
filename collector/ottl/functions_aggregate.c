/*
 * Data points that become one: aggregate_on_attributes and aggregate_on_attribute_value.
 *
 * Points are grouped by their attributes, time and, where adding up needs it, the shape of their buckets; each group is written as
 * its first point with the values of all. Cost: a sort of the points by key. Threads: the machine's.
 */
#include "collector/ottl/points.h"

#include <stdlib.h>

enum { METRICS = 1u << OTTL_METRIC };

/* What becomes of a point's attributes. */
struct aggregation {
    struct ottl_machine *machine;
    enum points_function function;
    const struct ottl_value *keep; /* list of keys; NULL: all */
    struct slice attribute, replacement;
    const struct ottl_value *replaced; /* list of values; NULL: none is */
    bool delta;
};

static bool is_in(const struct ottl_value *list, const struct ottl_value *wanted)
{
    struct ottl_cursor cursor = ottl_items(list);
    struct ottl_value item;

    while (ottl_next_item(&cursor, &item)) {
        if (item.kind == wanted->kind && ottl_compare(&item, wanted, OTTL_EQUAL))
            return true;
    }
    return false;
}

/* ---- one point ---- */

struct entry {
    struct slice key, raw;
};

static int order_of_entries(const void *one, const void *other)
{
    return slice_compare(((const struct entry *)one)->key, ((const struct entry *)other)->key);
}

/* The point's attributes, as entries of a KeyValueList, sorted by key. */
static bool put_attributes(const struct aggregation *self, const struct point *point, struct buffer *out)
{
    struct ottl_value map = { .kind = OTTL_MAP, .field = points_attributes(self->machine->metric_kind), .bytes = point->body };
    struct entry *entries = ottl_alloc(self->machine, (ottl_count(&map) + 1) * sizeof(*entries));
    struct ottl_value replacement = ottl_string(self->replacement);
    struct ottl_cursor cursor = ottl_entries(&map);
    struct ottl_entry entry;
    size_t count = 0;

    if (entries == NULL)
        return false;
    while (ottl_next_entry(&cursor, &entry)) {
        struct ottl_value key = ottl_string(entry.key);
        if (self->keep != NULL && !is_in(self->keep, &key))
            continue;
        buffer_clear(out);
        if (self->replaced != NULL && slice_equal(entry.key, self->attribute) && is_in(self->replaced, &entry.value))
            ottl_put_entry(out, entry.key, &replacement);
        else
            ottl_copy_entry(out, &entry);
        entries[count].key = entry.key;
        if (out->failed || !ottl_keep(self->machine, buffer_slice(out), &entries[count++].raw))
            return ottl_fail(self->machine, "out of memory");
    }
    qsort(entries, count, sizeof(*entries), order_of_entries);
    buffer_clear(out);
    for (size_t i = 0; i < count; i++)
        buffer_append_slice(out, entries[i].raw);
    return true;
}

static void append(struct buffer *out, const void *bytes, size_t size)
{
    buffer_append(out, bytes, size);
}

/* What points have in common that may become one. */
static bool make_key(const struct aggregation *self, struct point *point)
{
    struct buffer *work = ottl_work(self->machine);
    uint64_t size, present = point->present & (POINT_HAS_MIN | POINT_HAS_MAX);

    if (!put_attributes(self, point, work) || !ottl_keep_work(self->machine, &point->attributes))
        return false;
    size = point->attributes.size;
    append(work, &size, sizeof(size));
    append(work, &point->time, sizeof(point->time));
    append(work, &present, sizeof(present));
    if (self->delta)
        append(work, &point->start, sizeof(point->start));
    if (self->machine->metric_kind == OTLP_HISTOGRAM) {
        append(work, &point->flags, sizeof(point->flags));
        buffer_append_slice(work, point->bounds);
    } else if (self->machine->metric_kind == OTLP_EXPONENTIAL_HISTOGRAM) {
        append(work, &point->flags, sizeof(point->flags));
        append(work, &point->scale, sizeof(point->scale));
        append(work, &point->positive.offset, sizeof(point->positive.offset));
        append(work, &point->negative.offset, sizeof(point->negative.offset));
    }
    return ottl_keep_work(self->machine, &point->key);
}

/* ---- groups ---- */

static int order_of_points(const void *one, const void *other)
{
    const struct point *a = one, *b = other;
    int order = slice_compare(a->key, b->key);

    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* A run of points with one key. */
struct group {
    const struct point *first;
    size_t count;
};

static int order_of_groups(const void *one, const void *other)
{
    const struct group *a = one, *b = other;

    return (a->first->index > b->first->index) - (a->first->index < b->first->index);
}

static bool write_groups(const struct aggregation *self, struct point *points, size_t count)
{
    struct group *groups = ottl_alloc(self->machine, (count + 1) * sizeof(*groups));
    struct buffer *out = &self->machine->parts;
    size_t used = 0;

    if (groups == NULL)
        return false;
    qsort(points, count, sizeof(*points), order_of_points);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && slice_equal(points[i].key, points[i - 1].key))
            groups[used - 1].count++;
        else
            groups[used++] = (struct group){ &points[i], 1 };
    }
    qsort(groups, used, sizeof(*groups), order_of_groups);
    buffer_clear(out);
    for (size_t i = 0; i < used; i++) {
        if (!points_write(self->machine, self->function, groups[i].first, groups[i].count, out))
            return false;
    }
    return true;
}

/* ---- the metric ---- */

static bool aggregate(struct aggregation *self)
{
    struct ottl_machine *machine = self->machine;
    struct points points;
    struct slice kept;
    struct buffer *work;

    if (machine->metric_kind == OTLP_METRIC_NONE)
        return true;
    if (machine->metric_kind == OTLP_SUMMARY)
        return ottl_fail(machine, "summaries cannot be aggregated");
    if (machine->metric_kind != OTLP_GAUGE && machine->metric_kind != OTLP_SUM && self->function != POINTS_SUM)
        return ottl_fail(machine, "histograms can be aggregated by \"sum\" only");
    if (!points_read(machine, &points))
        return false;
    self->delta = points.temporality == 1;
    for (size_t i = 0; i < points.count; i++) {
        if (!make_key(self, &points.all[i]))
            return false;
    }
    if (!write_groups(self, points.all, points.count))
        return false;
    work = ottl_work(machine);
    buffer_append_slice(work, buffer_slice(&machine->parts));
    buffer_append_slice(work, points.rest);
    work->failed |= machine->parts.failed;
    if (!ottl_keep_work(machine, &kept))
        return false;
    edit_set_bytes(ottl_edit(machine, LEVEL_RECORD), (uint32_t)machine->metric_kind, kept);
    return true;
}

static bool function_of(struct slice name, enum points_function *function)
{
    static const char *const names[] = { "sum", "mean", "min", "max", "median", "count" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *function = (enum points_function)i;
        if (slice_equal_string(name, names[i]))
            return true;
    }
    return false;
}

static bool prepare(struct ottl_call *call, struct arena *arena, struct error *err)
{
    enum points_function function;

    (void)arena;
    return function_of(call->arguments[0]->value.bytes, &function) ||
           fail(err, "unknown aggregation \"%.*s\"; expected sum, mean, min, max, median or count",
               SLICE_PRINT(call->arguments[0]->value.bytes));
}

static bool run_on_attributes(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct aggregation self = { .machine = machine };
    struct ottl_value keys;

    (void)value;
    function_of(call->arguments[0]->value.bytes, &self.function);
    if (call->arguments[1] != NULL) {
        if (!ottl_argument_kind(call, 1, machine, OTTL_LIST, &keys))
            return false;
        self.keep = &keys;
    }
    return aggregate(&self);
}

static bool run_on_attribute_value(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct aggregation self = { .machine = machine };
    struct ottl_value values;

    (void)value;
    function_of(call->arguments[0]->value.bytes, &self.function);
    if (!ottl_argument_string(call, 1, machine, &self.attribute) || !ottl_argument_kind(call, 2, machine, OTTL_LIST, &values) ||
        !ottl_argument_string(call, 3, machine, &self.replacement))
        return false;
    self.replaced = &values;
    return aggregate(&self);
}

const struct ottl_function ottl_aggregate_functions[] = {
    { "aggregate_on_attributes", "function:literal,?attributes:value", run_on_attributes, prepare, true, true, METRICS },
    { "aggregate_on_attribute_value", "function:literal,attribute:value,values:value,newValue:value", run_on_attribute_value, prepare, true,
        true, METRICS },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
