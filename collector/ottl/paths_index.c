/*
 * What stands below a key or an index: in maps, lists, and the trace state. Changing it builds what is around it anew.
 * Limits: LIST_GROWTH_MAX items that an index may add. Threads: the machine's.
 */
#include "collector/ottl/program.h"

static bool index_one(struct ottl_machine *machine, const struct ottl_value *key, struct ottl_value *value)
{
    struct ottl_value found = { .kind = OTTL_NIL };

    if (value->kind == OTTL_MAP) {
        if (key->kind != OTTL_STRING)
            return ottl_fail(machine,
                "unable to resolve a string index in map: could not resolve key for map/slice, expecting 'string' but got %s",
                ottl_kind_name(key->kind));
        ottl_map_get(value, key->bytes, &found);
    } else if (value->kind == OTTL_LIST) {
        if (key->kind != OTTL_INT)
            return ottl_fail(machine,
                "unable to resolve an integer index in slice: could not resolve key for map/slice, expecting 'int64' but got %s",
                ottl_kind_name(key->kind));
        if (!ottl_list_get(value, key->integer, &found))
            return ottl_fail(machine, "index %lld out of bounds", (long long)key->integer);
    } else if (value->kind != OTTL_NIL) {
        return ottl_fail(
            machine, "type, %s, does not support %s indexing", ottl_kind_name(value->kind), key->kind == OTTL_INT ? "int" : "string");
    }
    *value = found;
    return true;
}

bool ottl_index(struct ottl_machine *machine, const struct ottl_expression **keys, size_t count, struct ottl_value *value)
{
    struct ottl_value key;

    for (size_t i = 0; i < count; i++) {
        if (!ottl_evaluate(keys[i], machine, &key) || !index_one(machine, &key, value))
            return false;
    }
    return true;
}

/* The map with one entry written over, or added. */
static bool map_with(struct ottl_machine *machine, struct ottl_value *map, struct slice key, const struct ottl_value *value)
{
    struct ottl_cursor cursor = ottl_entries(map);
    struct buffer *work = ottl_work(machine);
    struct ottl_entry entry;
    bool written = false;

    while (map->kind == OTTL_MAP && ottl_next_entry(&cursor, &entry)) {
        if (!slice_equal(entry.key, key)) {
            ottl_copy_entry(work, &entry);
        } else if (!written) {
            ottl_put_entry(work, key, value);
            written = true;
        }
    }
    if (!written)
        ottl_put_entry(work, key, value);
    return ottl_give_map(machine, map);
}

static bool list_with(struct ottl_machine *machine, struct ottl_value *list, int64_t index, const struct ottl_value *value)
{
    struct ottl_cursor cursor = ottl_items(list);
    struct buffer *work = ottl_work(machine);
    struct ottl_value item;
    int64_t i = 0;

    for (; list->kind == OTTL_LIST && ottl_next_item(&cursor, &item); i++)
        ottl_put_item(work, i == index ? value : &item);
    for (item = (struct ottl_value){ .kind = OTTL_NIL }; i <= index; i++)
        ottl_put_item(work, i == index ? value : &item);
    return ottl_give_list(machine, list);
}

enum { LIST_GROWTH_MAX = 10000 };

bool ottl_index_set(struct ottl_machine *machine, const struct ottl_expression **keys, size_t count, struct ottl_value *target,
    const struct ottl_value *value)
{
    struct ottl_value key, inner;
    bool is_map, is_empty = target->kind == OTTL_NIL;

    if (count == 0) {
        *target = *value;
        return true;
    }
    if (!ottl_evaluate(keys[0], machine, &key))
        return false;
    inner = *target;
    is_map = target->kind == OTTL_MAP || (is_empty && key.kind == OTTL_STRING);
    if (!is_empty && !index_one(machine, &key, &inner))
        return false;
    if (is_empty && key.kind != OTTL_STRING && (key.kind != OTTL_INT || key.integer < 0 || key.integer > LIST_GROWTH_MAX))
        return ottl_fail(machine, "expected a string, or an integer from 0 to %d, as the index", LIST_GROWTH_MAX);
    if (!ottl_index_set(machine, keys + 1, count - 1, &inner, value))
        return false;
    return is_map ? map_with(machine, target, key.bytes, &inner) : list_with(machine, target, key.integer, &inner);
}

/* ---- trace state: "key=value,key=value" ---- */

bool ottl_trace_state_get(struct slice state, struct slice key, struct slice *found)
{
    while (state.size > 0) {
        const uint8_t *comma = memchr(state.data, ',', state.size);
        size_t size = comma != NULL ? (size_t)(comma - state.data) : state.size;
        struct slice member = slice_trim(slice_of(state.data, size));
        if (member.size > key.size && member.data[key.size] == '=' && memcmp(member.data, key.data, key.size) == 0) {
            *found = slice_of(member.data + key.size + 1, member.size - key.size - 1);
            return true;
        }
        size += comma != NULL;
        state = slice_of(state.data + size, state.size - size);
    }
    return false;
}

/* The state with the member in front, and no other of its key. */
bool ottl_trace_state_set(struct ottl_machine *machine, struct slice state, struct slice key, struct slice *value)
{
    struct buffer *work = ottl_work(machine);

    buffer_append_slice(work, key);
    buffer_append_byte(work, '=');
    buffer_append_slice(work, *value);
    while (state.size > 0) {
        const uint8_t *comma = memchr(state.data, ',', state.size);
        size_t size = comma != NULL ? (size_t)(comma - state.data) : state.size;
        struct slice member = slice_trim(slice_of(state.data, size)), found;
        if (member.size > 0 && !ottl_trace_state_get(member, key, &found)) {
            buffer_append_byte(work, ',');
            buffer_append_slice(work, member);
        }
        size += comma != NULL;
        state = slice_of(state.data + size, state.size - size);
    }
    return ottl_keep_work(machine, value);
}
