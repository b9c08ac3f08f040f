/*
 * Filling an instance: defaults first, then what was written. Every key is looked up in its table; what is not there is an
 * error with the nearest key. Costs (keys written) times (keys of the table). Control thread.
 */
#include "collector/config/option.h"

#include <assert.h>

#include "collector/config/option_value.h"

static bool apply_map(const struct option *table, const struct config_node *node, const char *path, const struct option_target *target);

static void *field_of(const struct option_row *row, const struct option_target *target)
{
    return (char *)target->instance + row->offset + row->option->offset;
}

static struct option_spot spot_of(const struct option_row *row, const char *path, const struct option_target *target)
{
    return (struct option_spot){ target->errors, target->arena, path, row->option->key };
}

static const char *join(const struct option_target *target, const char *path, const char *key)
{
    return path[0] != '\0' ? arena_printf(target->arena, "%s.%s", path, key) : key;
}

static bool is_value(const struct option *option)
{
    return option->kind >= OPTION_BOOL && option->kind <= OPTION_ID && option->kind != OPTION_STRINGS && option->kind != OPTION_PAIRS;
}

/* ---- defaults ---- */

static void fill_defaults(const struct option *table, const struct option_target *target);

static struct option_strings split_commas(struct arena *arena, const char *text)
{
    const char **items;
    size_t count = 1, i = 0;

    if (text == NULL || text[0] == '\0')
        return (struct option_strings){ NULL, 0 };
    for (const char *p = text; *p != '\0'; p++)
        count += *p == ',';
    items = arena_alloc(arena, count * sizeof(*items));
    for (i = 0; i < count; i++) {
        size_t size = strcspn(text, ",");

        items[i] = arena_string(arena, slice_trim(slice_of(text, size)));
        text += size + 1;
    }
    return (struct option_strings){ items, count };
}

static void fill_default(const struct option_row *row, const struct option_target *target)
{
    const struct option *option = row->option;
    bool text = option->kind == OPTION_STRING || option->kind == OPTION_SECRET || option->kind == OPTION_ID;
    struct config_node node = { .kind = CONFIG_SCALAR, .text = option->def, .quoted = text };
    struct option_target inner = *target;

    if (option->kind == OPTION_BLOCK) {
        inner.instance = field_of(row, target);
        fill_defaults(option->fields, &inner);
    } else if (option->kind == OPTION_STRINGS) {
        *(struct option_strings *)field_of(row, target) = split_commas(target->arena, option->def);
    } else if (is_value(option) && option->def != NULL) {
        struct option_spot spot = spot_of(row, "", target);
        bool fine = option_set_value(option, &node, field_of(row, target), &spot);

        assert(fine); /* a table's own default is within its range */
        (void)fine;
    }
}

static void fill_defaults(const struct option *table, const struct option_target *target)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++)
        fill_default(&rows[i], target);
}

/* ---- lists and maps of values ---- */

static bool check_item(const struct option *option, const struct config_node *node, const char *item, const struct option_spot *spot)
{
    if (option->range == NULL || option_word_index(option->range, item) >= 0)
        return true;
    return option_refuse(spot, node, "expected any of %s, found \"%.100s\"", option_words_text(spot->arena, option->range), item);
}

static size_t count_children(const struct config_node *node)
{
    size_t count = 0;

    for (const struct config_node *child = node->children; child != NULL; child = child->next)
        count++;
    return count;
}

static bool set_strings(
    const struct option *option, const struct config_node *node, struct option_strings *field, const struct option_spot *spot)
{
    const char **items;
    size_t count = 0;

    if (node->kind != CONFIG_LIST) {
        const char *text = option_string_of(node);

        if (text == NULL)
            return option_refuse(spot, node, "expected a list of strings, found %s", option_describe(spot->arena, node));
        *field = split_commas(spot->arena, text);
        for (size_t i = 0; i < field->count; i++)
            if (!check_item(option, node, field->items[i], spot))
                return false;
        return true;
    }
    items = arena_alloc(spot->arena, count_children(node) * sizeof(*items));
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        items[count] = child->kind == CONFIG_NULL && child->original == NULL ? "" : option_string_of(child);
        if (items[count] == NULL)
            return option_refuse(spot, child, "expected a string, found %s%s", option_describe(spot->arena, child),
                child->kind == CONFIG_SCALAR ? "; put it into quotes" : "");
        if (!check_item(option, child, items[count++], spot))
            return false;
    }
    *field = (struct option_strings){ items, count };
    return true;
}

static bool set_pair(
    const struct config_node *name, const struct config_node *value, struct option_pair *pair, const struct option_spot *spot)
{
    if (name != NULL)
        pair->key = option_string_of(name);
    if (pair->key == NULL)
        return option_refuse(spot, name, "expected a name, found %s", option_describe(spot->arena, name));
    pair->value = value == NULL || (value->kind == CONFIG_NULL && value->original == NULL) ? "" : option_string_of(value);
    if (pair->value == NULL)
        return option_refuse(spot, value, "\"%.100s\": expected a string, found %s%s", pair->key, option_describe(spot->arena, value),
            value->kind == CONFIG_SCALAR ? "; put it into quotes" : "");
    return true;
}

/* A map of strings, or a list of {name, value}. */
static bool set_pairs(const struct config_node *node, struct option_pairs *field, const struct option_spot *spot)
{
    struct option_pair *pairs;
    size_t count = 0;

    if (node->kind != CONFIG_MAP && node->kind != CONFIG_LIST)
        return option_refuse(spot, node, "expected a map of strings, found %s", option_describe(spot->arena, node));
    pairs = arena_alloc(spot->arena, count_children(node) * sizeof(*pairs));
    for (const struct config_node *child = node->children; child != NULL; child = child->next, count++) {
        const struct config_node *name = config_get(child, "name");

        if (node->kind == CONFIG_MAP) {
            pairs[count].key = child->key;
            if (!set_pair(NULL, child, &pairs[count], spot))
                return false;
        } else if (name == NULL) {
            return option_refuse(spot, child, "expected {name: ..., value: ...}, found %s", option_describe(spot->arena, child));
        } else if (!set_pair(name, config_get(child, "value"), &pairs[count], spot)) {
            return false;
        }
    }
    *field = (struct option_pairs){ pairs, count };
    return true;
}

/* ---- nested tables ---- */

static void set_present(const struct option_row *row, const struct option_target *target, bool present)
{
    if (row->option->present != 0)
        *((bool *)target->instance + row->offset + row->option->present) = present;
}

static bool has_key(const struct option *table, const char *key)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].option->key, key) == 0)
            return true;
    return false;
}

/* The block's map without its switch. */
static const struct config_node *without_key(struct arena *arena, const struct config_node *map, const struct config_node *key)
{
    struct config_node *copy = arena_alloc(arena, sizeof(*copy)), **tail = &copy->children;

    *copy = *map;
    copy->children = NULL;
    for (const struct config_node *child = map->children; child != NULL; child = child->next) {
        if (child == key)
            continue;
        *tail = arena_alloc(arena, sizeof(**tail));
        **tail = *child;
        (*tail)->next = NULL;
        tail = &(*tail)->next;
    }
    return copy;
}

static bool apply_block(const struct option_row *row, const struct config_node *node, const char *path, const struct option_target *target)
{
    const struct option *option = row->option;
    const struct config_node *enabled = config_get(node, "enabled");
    struct option_spot spot = { target->errors, target->arena, path, "enabled" };
    struct option_target inner = *target;
    bool on = true;

    if (enabled != NULL && option->present != 0 && !has_key(option->fields, "enabled")) {
        static const struct option enabled_option = { .key = "enabled", .kind = OPTION_BOOL };

        if (enabled->kind != CONFIG_NULL && !option_set_value(&enabled_option, enabled, &on, &spot))
            return false;
        node = without_key(target->arena, node, enabled);
    }
    set_present(row, target, on);
    inner.instance = field_of(row, target);
    return apply_map(option->fields, node, path, &inner);
}

/* LIST: maps one after the other. MAP: the same, each with its key. */
static bool apply_items(const struct option_row *row, const struct config_node *node, const char *path, const struct option_target *target)
{
    const struct option *option = row->option;
    struct option_list *field = field_of(row, target);
    struct option_target inner = *target;
    char *items = arena_alloc(target->arena, count_children(node) * option->size);
    bool fine = true;
    size_t count = 0;

    for (const struct config_node *child = node->children; child != NULL; child = child->next, count++) {
        const char *item =
            option->kind == OPTION_MAP ? join(target, path, child->key) : arena_printf(target->arena, "%s[%zu]", path, count);

        inner.instance = items + count * option->size;
        fill_defaults(option->fields, &inner);
        if (option->kind == OPTION_MAP)
            *(const char **)inner.instance = child->key;
        fine = apply_map(option->fields, child, item, &inner) && fine;
    }
    set_present(row, target, true);
    *field = (struct option_list){ items, count };
    return fine;
}

static bool apply_nested(const struct option_row *row, const struct config_node *node, const char *path, const struct option_target *target)
{
    enum config_kind expected = row->option->kind == OPTION_LIST ? CONFIG_LIST : CONFIG_MAP;
    struct option_spot spot = spot_of(row, path, target);

    if (row->option->kind == OPTION_BLOCK)
        return apply_block(row, node, join(target, path, row->option->key), target);
    if (node->kind != expected)
        return option_refuse(
            &spot, node, "expected a %s, found %s", expected == CONFIG_LIST ? "list" : "map", option_describe(spot.arena, node));
    return apply_items(row, node, join(target, path, row->option->key), target);
}

/* ---- keys that are no options ---- */

static bool apply_other(const struct option_row *row, const struct config_node *node, const char *path, const struct option_target *target)
{
    const struct option *option = row->option;
    const char *help = option->help != NULL ? option->help : "";
    const char *whole = join(target, path, option->key);

    if (option->kind == OPTION_IGNORED) {
        config_warning_add(target->errors, node, whole, "is accepted and has no effect%s%s", help[0] != '\0' ? ": " : "", help);
        return true;
    }
    if (option->kind == OPTION_UNSUPPORTED && option_is_default(option->def, node))
        return true;
    if (option->kind == OPTION_REMOVED)
        config_error_add_at_key(target->errors, node, whole, "is no longer there: %s", help);
    else if (option->def != NULL)
        config_error_add_at_key(target->errors, node, whole, "weir does not support this key yet, only its default, %s", option->def);
    else
        config_error_add_at_key(target->errors, node, whole, "weir does not support this key yet");
    return false;
}

/* ---- maps ---- */

/* "key:" with nothing says nothing, but for a block, and for a string that an expression made empty. */
static bool keeps_default(const struct option *option, const struct config_node *node)
{
    bool text = option->kind == OPTION_STRING || option->kind == OPTION_SECRET;

    return node->kind == CONFIG_NULL && option->kind != OPTION_BLOCK && !(text && node->original != NULL);
}

static bool apply_row(const struct option_row *row, const struct config_node *node, const char *path, const struct option_target *target)
{
    const struct option *option = row->option;
    struct option_spot spot = spot_of(row, path, target);

    if (option->flags & OPTION_DEPRECATED)
        config_warning_add(target->errors, node, join(target, path, option->key), "is deprecated: %s", option->help);
    if (option->kind >= OPTION_UNSUPPORTED)
        return apply_other(row, node, path, target);
    if (option->kind == OPTION_ANY) {
        *(const struct config_node **)field_of(row, target) = node;
        return true;
    }
    if (node->kind == CONFIG_NULL && option->flags & OPTION_REQUIRED && node->original == NULL)
        return option_refuse(&spot, node, "must not be empty");
    if (keeps_default(option, node))
        return true;
    if (option->kind == OPTION_STRINGS)
        return set_strings(option, node, field_of(row, target), &spot);
    if (option->kind == OPTION_PAIRS)
        return set_pairs(node, field_of(row, target), &spot);
    if (is_value(option))
        return option_set_value(option, node, field_of(row, target), &spot);
    return apply_nested(row, node, path, target);
}

static const struct option_row *find_row(const struct option_row *rows, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].option->key, key) == 0)
            return &rows[i];
    return NULL;
}

static void refuse_unknown(const struct option_row *rows, size_t count, const struct config_node *node, const struct option_spot *spot)
{
    const char *keys[OPTION_ROWS_MAX + 1], *near, *known = "";
    const char *path = arena_printf(spot->arena, "%s%s%s", spot->path, spot->path[0] != '\0' ? "." : "", node->key);

    for (size_t i = 0; i < count; i++)
        keys[i] = rows[i].option->key;
    keys[count] = NULL;
    near = config_nearest(node->key, keys);
    for (size_t i = 0; near == NULL && i < count && count <= 12; i++)
        known = arena_printf(spot->arena, "%s%s%s", known, i == 0 ? "; known keys are " : ", ", keys[i]);
    if (near != NULL)
        config_error_add_at_key(spot->errors, node, path, "unknown key, did you mean \"%s\"?", near);
    else
        config_error_add_at_key(spot->errors, node, path, "unknown key%s", known);
}

static bool check_required(const struct option_row *row, const struct config_node *node, const struct option_spot *spot)
{
    if (!(row->option->flags & OPTION_REQUIRED) || config_get(node, row->option->key) != NULL)
        return true;
    config_error_add_at_key(spot->errors, node, spot->path, "the key \"%s\" is required", row->option->key);
    return false;
}

static bool apply_map(const struct option *table, const struct config_node *node, const char *path, const struct option_target *target)
{
    struct option_row rows[OPTION_ROWS_MAX];
    struct option_spot spot = { target->errors, target->arena, path, NULL };
    size_t count = option_rows(table, rows);
    bool fine = true;

    if (node != NULL && node->kind != CONFIG_MAP && node->kind != CONFIG_NULL)
        return option_refuse(&spot, node, "expected a map, found %s", option_describe(target->arena, node));
    for (const struct config_node *child = node != NULL ? node->children : NULL; child != NULL; child = child->next) {
        const struct option_row *row = find_row(rows, count, child->key);

        if (row == NULL)
            refuse_unknown(rows, count, child, &spot);
        fine = row != NULL && apply_row(row, child, path, target) && fine;
    }
    for (size_t i = 0; i < count; i++)
        fine = check_required(&rows[i], node, &spot) && fine;
    return fine;
}

bool option_fill(const struct option *table, const struct config_node *node, const char *path, const struct option_target *target)
{
    fill_defaults(table, target);
    return apply_map(table, node, path, target);
}
