/*
 * Editors: what statements do. Each reads its target, builds what it should become, and sets it, when it is something else.
 *
 * Cost: set and delete_key touch one attribute; the others write their map anew. merge_maps, limit and flatten look keys up one by one.
 * Limits: FLAT_MAX values that flatten gives, LOOKUPS_MAX pairs of entries that merge_maps may compare.
 * Threads: the machine's.
 */
#include "collector/ottl/program.h"

enum { FLAT_MAX = 4000, LOOKUPS_MAX = 16 << 20 };

#define TARGET(call) ((call)->arguments[0]->path)

/* The target as a map. */
static bool target_map(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *map)
{
    return ottl_argument_kind(call, 0, machine, OTTL_MAP, map);
}

/* What was built in `work` becomes the target. */
static bool store_map(const struct ottl_call *call, struct ottl_machine *machine)
{
    struct ottl_value map = ottl_map((struct slice){ NULL, 0 });

    return ottl_keep_work(machine, &map.bytes) && ottl_path_set(TARGET(call), machine, &map);
}

static bool run_set(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return ottl_argument(call, 1, machine, value) && (value->kind == OTTL_NIL || ottl_path_set(TARGET(call), machine, value));
}

/* ---- keys ---- */

static bool run_delete_key(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    const struct ottl_path *path = TARGET(call);
    struct slice key;

    if (!ottl_argument_string(call, 1, machine, &key))
        return false;
    if (path->field->kind == FIELD_ATTRIBUTES && path->key_count == 0) {
        if (ottl_read_attribute(machine, path->level, key, value))
            edit_remove_attribute(ottl_edit(machine, path->level), key);
        return true;
    }
    struct ottl_value map, found;
    if (!target_map(call, machine, &map))
        return false;
    if (!ottl_map_get(&map, key, &found))
        return true;
    struct ottl_cursor cursor = ottl_entries(&map);
    struct buffer *work = ottl_work(machine);
    struct ottl_entry entry;
    while (ottl_next_entry(&cursor, &entry)) {
        if (!slice_equal(entry.key, key))
            ottl_copy_entry(work, &entry);
    }
    return store_map(call, machine);
}

/* Keeps the entries whose keys match, or those that do not. */
static bool filter_by_pattern(const struct ottl_call *call, struct ottl_machine *machine, bool keep)
{
    struct ottl_regex *owned;
    const struct ottl_regex *regex = ottl_argument_regex(call, 1, machine, &owned);
    struct ottl_value map;
    bool ok = regex != NULL && target_map(call, machine, &map), changed = false;
    struct ottl_cursor cursor = ok ? ottl_entries(&map) : (struct ottl_cursor){ .field = 0 };
    struct buffer *work = ottl_work(machine);
    struct ottl_entry entry;

    while (ok && ottl_next_entry(&cursor, &entry)) {
        enum ottl_match match = ottl_match(machine, regex, entry.key, 0);
        ok = match != OTTL_MATCH_FAILED;
        if ((match == OTTL_MATCH) == keep)
            ottl_copy_entry(work, &entry);
        else
            changed = true;
    }
    ottl_regex_destroy(owned);
    return ok && (!changed || store_map(call, machine));
}

static bool run_delete_matching_keys(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    (void)value;
    return filter_by_pattern(call, machine, false);
}

static bool run_keep_matching_keys(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    (void)value;
    return filter_by_pattern(call, machine, true);
}

static bool holds_string(const struct ottl_value *list, struct slice text)
{
    struct ottl_cursor cursor = ottl_items(list);
    struct ottl_value item;

    while (ottl_next_item(&cursor, &item)) {
        if (item.kind == OTTL_STRING && slice_equal(item.bytes, text))
            return true;
    }
    return false;
}

static bool run_keep_keys(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *keys)
{
    struct ottl_value map;
    bool changed = false;

    if (!target_map(call, machine, &map) || !ottl_argument_kind(call, 1, machine, OTTL_LIST, keys))
        return false;
    struct ottl_cursor cursor = ottl_entries(&map);
    struct buffer *work = ottl_work(machine);
    struct ottl_entry entry;
    while (ottl_next_entry(&cursor, &entry)) {
        if (holds_string(keys, entry.key))
            ottl_copy_entry(work, &entry);
        else
            changed = true;
    }
    return !changed || store_map(call, machine);
}

/* limit(map, count, [keys that stay]): those, then the first others up to the count. */
static bool run_limit(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *keys)
{
    struct ottl_value map, found;
    int64_t limit, kept = 0;

    if (!target_map(call, machine, &map) || !ottl_argument_int(call, 1, machine, &limit) ||
        !ottl_argument_kind(call, 2, machine, OTTL_LIST, keys))
        return false;
    if ((int64_t)ottl_count(&map) <= limit)
        return true;
    struct ottl_cursor priority = ottl_items(keys), cursor = ottl_entries(&map);
    while (ottl_next_item(&priority, &found))
        kept += found.kind == OTTL_STRING && ottl_map_get(&map, found.bytes, &found);
    struct buffer *work = ottl_work(machine);
    struct ottl_entry entry;
    while (ottl_next_entry(&cursor, &entry)) {
        bool stays = holds_string(keys, entry.key);
        if (stays || kept < limit)
            ottl_copy_entry(work, &entry);
        kept += !stays && kept < limit;
    }
    return store_map(call, machine);
}

static bool prepare_limit(struct ottl_call *call, struct arena *arena, struct error *err)
{
    const struct ottl_expression *limit = call->arguments[1], *keys = call->arguments[2];

    (void)arena;
    if (limit->constant && limit->value.kind == OTTL_INT && limit->value.integer < 0)
        return fail(err, "invalid limit %lld, it must not be negative", (long long)limit->value.integer);
    if (limit->constant && keys->constant && limit->value.kind == OTTL_INT && keys->value.kind == OTTL_LIST &&
        (int64_t)ottl_count(&keys->value) > limit->value.integer)
        return fail(err, "the limit of %lld is less than the number of keys that have to stay", (long long)limit->value.integer);
    return true;
}

/* Cuts at the limit, not within a character. */
static struct slice truncated(struct slice text, int64_t limit)
{
    size_t size = (size_t)limit;

    while (size > 0 && (text.data[size] & 0xc0) == 0x80)
        size--;
    return slice_of(text.data, size);
}

static bool run_truncate_all(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value map;
    int64_t limit;
    bool changed = false;

    (void)value;
    if (!target_map(call, machine, &map) || !ottl_argument_int(call, 1, machine, &limit))
        return false;
    struct ottl_cursor cursor = ottl_entries(&map);
    struct buffer *work = ottl_work(machine);
    struct ottl_entry entry;
    while (limit >= 0 && ottl_next_entry(&cursor, &entry)) {
        if (entry.value.kind != OTTL_STRING || (int64_t)entry.value.bytes.size <= limit) {
            ottl_copy_entry(work, &entry);
            continue;
        }
        struct ottl_value cut = ottl_string(truncated(entry.value.bytes, limit));
        ottl_put_entry(work, entry.key, &cut);
        changed = true;
    }
    return !changed || store_map(call, machine);
}

static bool prepare_truncate_all(struct ottl_call *call, struct arena *arena, struct error *err)
{
    const struct ottl_value *limit = &call->arguments[1]->value;

    (void)arena;
    return !call->arguments[1]->constant || limit->kind != OTTL_INT || limit->integer >= 0 ||
           fail(err, "invalid limit %lld, it must not be negative", (long long)limit->integer);
}

/* ---- merging ---- */

static bool run_merge_maps(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *source)
{
    struct slice strategy;
    struct ottl_value map, other;
    struct ottl_entry entry;

    if (!ottl_argument_string(call, 2, machine, &strategy) || !ottl_argument_kind(call, 1, machine, OTTL_MAP, source) ||
        !target_map(call, machine, &map))
        return false;
    if (ottl_count(&map) * ottl_count(source) > LOOKUPS_MAX)
        return ottl_fail(machine, "maps of %zu and %zu entries are too large to merge", ottl_count(&map), ottl_count(source));
    bool update = slice_equal_string(strategy, "update") || slice_equal_string(strategy, "upsert");
    bool insert = slice_equal_string(strategy, "insert") || slice_equal_string(strategy, "upsert");
    struct ottl_cursor cursor = ottl_entries(&map);
    struct buffer *work = ottl_work(machine);
    while (ottl_next_entry(&cursor, &entry)) {
        if (update && ottl_map_get(source, entry.key, &other))
            ottl_put_entry(work, entry.key, &other);
        else
            ottl_copy_entry(work, &entry);
    }
    cursor = ottl_entries(source);
    while (insert && ottl_next_entry(&cursor, &entry)) {
        if (!ottl_map_get(&map, entry.key, &other))
            ottl_copy_entry(work, &entry);
    }
    return store_map(call, machine);
}

static bool prepare_merge_maps(struct ottl_call *call, struct arena *arena, struct error *err)
{
    struct slice strategy = call->arguments[2]->value.bytes;

    (void)arena;
    return slice_equal_string(strategy, "insert") || slice_equal_string(strategy, "update") || slice_equal_string(strategy, "upsert") ||
           fail(err, "invalid strategy \"%.*s\", must be insert, update or upsert", SLICE_PRINT(strategy));
}

/* ---- append ---- */

static void put_items(struct buffer *out, const struct ottl_value *list)
{
    struct ottl_cursor cursor = ottl_items(list);
    struct ottl_value item;

    while (ottl_next_item(&cursor, &item))
        ottl_put_item(out, &item);
}

static bool run_append(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *target)
{
    struct ottl_value value, values, list = ottl_list((struct slice){ NULL, 0 });

    if (!ottl_argument(call, 1, machine, &value) || !ottl_argument(call, 2, machine, &values) || !ottl_argument(call, 0, machine, target))
        return false;
    if (value.kind == OTTL_NIL && values.kind == OTTL_NIL)
        return true;
    if (values.kind != OTTL_NIL && values.kind != OTTL_LIST)
        return ottl_fail_kind(machine, "pcommon.Slice", &values);
    struct buffer *work = ottl_work(machine);
    if (target->kind == OTTL_LIST)
        put_items(work, target);
    else if (target->kind != OTTL_NIL)
        ottl_put_item(work, target);
    if (value.kind != OTTL_NIL)
        ottl_put_item(work, &value);
    if (values.kind == OTTL_LIST)
        put_items(work, &values);
    return ottl_keep_work(machine, &list.bytes) && ottl_path_set(TARGET(call), machine, &list);
}

static bool prepare_append(struct ottl_call *call, struct arena *arena, struct error *err)
{
    (void)arena;
    return call->arguments[1] != NULL || call->arguments[2] != NULL || fail(err, "expected value or values");
}

/* ---- flatten ---- */

struct flattening {
    struct buffer *out;
    struct buffer key; /* up to where we are */
    int64_t depth;     /* levels that may be flattened */
    size_t count;
    bool resolve; /* give keys that are there already a number */
};

static bool is_taken(const struct flattening *flattening, struct slice key)
{
    struct ottl_value map = ottl_map(buffer_slice(flattening->out)), found;

    return ottl_map_get(&map, key, &found);
}

static void put_flat(struct flattening *flattening, const struct ottl_value *value)
{
    size_t size = flattening->key.size;
    struct ottl_value map = ottl_map(buffer_slice(flattening->out)), old;

    for (unsigned i = 0; flattening->resolve && is_taken(flattening, buffer_slice(&flattening->key)); i++) {
        flattening->key.size = size;
        buffer_printf(&flattening->key, ".%u", i);
    }
    if (!flattening->resolve && ottl_map_get(&map, buffer_slice(&flattening->key), &old)) {
        /* the later one counts: written behind, the first is left out below */
        struct buffer rest = { .data = NULL };
        struct ottl_cursor cursor = ottl_entries(&map);
        struct ottl_entry entry;
        while (ottl_next_entry(&cursor, &entry)) {
            if (!slice_equal(entry.key, buffer_slice(&flattening->key)))
                buffer_append_slice(&rest, entry.raw);
        }
        buffer_clear(flattening->out);
        buffer_append_slice(flattening->out, buffer_slice(&rest));
        flattening->out->failed |= rest.failed;
        buffer_fini(&rest);
    }
    ottl_put_entry(flattening->out, buffer_slice(&flattening->key), value);
    flattening->key.size = size;
}

static void flatten_value(struct flattening *flattening, const struct ottl_value *value, int64_t level)
{
    size_t size = flattening->key.size;
    struct ottl_cursor cursor;
    struct ottl_entry entry;
    struct ottl_value item;

    if ((value->kind != OTTL_MAP && value->kind != OTTL_LIST) || level >= flattening->depth || flattening->out->failed) {
        if (flattening->count++ < FLAT_MAX)
            put_flat(flattening, value);
        return;
    }
    cursor = value->kind == OTTL_MAP ? ottl_entries(value) : ottl_items(value);
    for (unsigned i = 0; value->kind == OTTL_MAP ? ottl_next_entry(&cursor, &entry) : ottl_next_item(&cursor, &item); i++) {
        if (size > 0)
            buffer_append_byte(&flattening->key, '.');
        if (value->kind == OTTL_MAP)
            buffer_append_slice(&flattening->key, entry.key);
        else
            buffer_printf(&flattening->key, "%u", i);
        flatten_value(flattening, value->kind == OTTL_MAP ? &entry.value : &item, level + 1);
        flattening->key.size = size;
    }
}

static bool run_flatten(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *map)
{
    struct slice prefix = { NULL, 0 };
    struct flattening flattening = { .depth = OTLP_MAX_DEPTH };
    struct ottl_cursor cursor;
    struct ottl_entry entry;

    if (!target_map(call, machine, map) || !ottl_argument_string(call, 1, machine, &prefix) ||
        !ottl_argument_int(call, 2, machine, &flattening.depth) || !ottl_argument_bool(call, 3, machine, &flattening.resolve))
        return false;
    flattening.out = ottl_work(machine);
    cursor = ottl_entries(map);
    while (ottl_next_entry(&cursor, &entry)) {
        flattening.key.size = 0;
        buffer_append_slice(&flattening.key, prefix);
        if (prefix.size > 0)
            buffer_append_byte(&flattening.key, '.');
        buffer_append_slice(&flattening.key, entry.key);
        flatten_value(&flattening, &entry.value, 0);
    }
    bool ok = !flattening.key.failed;
    buffer_fini(&flattening.key);
    if (flattening.count > FLAT_MAX)
        return ottl_fail(machine, "more than %d values to flatten", FLAT_MAX);
    return ok ? store_map(call, machine) : ottl_fail(machine, "out of memory");
}

static bool prepare_flatten(struct ottl_call *call, struct arena *arena, struct error *err)
{
    const struct ottl_expression *depth = call->arguments[2];

    (void)arena;
    return depth == NULL || !depth->constant || depth->value.kind != OTTL_INT || depth->value.integer > 0 ||
           fail(err, "invalid depth %lld, it must be greater than 0", (long long)depth->value.integer);
}

const struct ottl_function ottl_editors[] = {
    { "set", "target:path,value:value", run_set, NULL, true, true, 0 },
    { "delete_key", "target:path,key:value", run_delete_key, NULL, true, true, 0 },
    { "delete_matching_keys", "target:path,pattern:regex", run_delete_matching_keys, NULL, true, true, 0 },
    { "keep_keys", "target:path,keys:value", run_keep_keys, NULL, true, true, 0 },
    { "keep_matching_keys", "target:path,pattern:regex", run_keep_matching_keys, NULL, true, true, 0 },
    { "limit", "target:path,limit:value,priority_keys:value", run_limit, prepare_limit, true, true, 0 },
    { "truncate_all", "target:path,limit:value", run_truncate_all, prepare_truncate_all, true, true, 0 },
    { "merge_maps", "target:path,source:value,strategy:literal", run_merge_maps, prepare_merge_maps, true, true, 0 },
    { "append", "target:path,?value:value,?values:value", run_append, prepare_append, true, true, 0 },
    { "flatten", "target:path,?prefix:value,?depth:value,?resolveConflicts:value", run_flatten, prepare_flatten, true, true, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
