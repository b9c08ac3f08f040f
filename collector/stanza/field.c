/* Fields of records. Cost: one search in a map for each key. */
#include "collector/stanza/field.h"

#include <ctype.h>

enum { KEYS_MAX = 32 };

struct scanner {
    const char *at;
    const char *text;
    struct error *err;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '/' || c == '@' || c == ':';
}

static bool read_bracket(struct scanner *scanner, struct slice *key)
{
    char quote = scanner->at[1];
    const char *start = scanner->at + 2, *end;

    if (quote != '"' && quote != '\'')
        return fail(scanner->err, "field \"%s\": expected a quoted key behind \"[\"", scanner->text);
    end = strchr(start, quote);
    if (end == NULL || end[1] != ']')
        return fail(scanner->err, "field \"%s\": a quote or \"]\" is missing", scanner->text);
    *key = slice_of(start, (size_t)(end - start));
    scanner->at = end + 2;
    return true;
}

static bool read_key(struct scanner *scanner, struct slice *key)
{
    const char *start = scanner->at + 1;

    if (*scanner->at == '[')
        return read_bracket(scanner, key);
    if (*scanner->at != '.' || !is_word(*start))
        return fail(scanner->err, "field \"%s\": expected \".key\" or \"[\\\"key\\\"]\" at \"%s\"", scanner->text, scanner->at);
    scanner->at = start;
    while (is_word(*scanner->at))
        scanner->at++;
    *key = slice_of(start, (size_t)(scanner->at - start));
    return true;
}

static bool read_root(struct scanner *scanner, enum stanza_root *root)
{
    static const struct {
        const char *name;
        enum stanza_root root;
    } roots[] = { { "body", STANZA_BODY }, { "attributes", STANZA_ATTRIBUTES }, { "resource", STANZA_RESOURCE } };
    const char *at = scanner->at + (scanner->at[0] == '$');

    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(roots[i].name);
        if (strncmp(at, roots[i].name, size) != 0 || (at[size] != '\0' && at[size] != '.' && at[size] != '['))
            continue;
        *root = roots[i].root;
        scanner->at = at + size;
        return true;
    }
    return fail(scanner->err, "field \"%s\": expected it to begin with body, attributes or resource", scanner->text);
}

bool stanza_field_parse(struct arena *arena, const char *text, struct stanza_field *field, struct error *err)
{
    struct scanner scanner = { text, text, err };
    struct slice keys[KEYS_MAX], *kept;
    size_t count = 0;

    if (!read_root(&scanner, &field->root))
        return false;
    while (*scanner.at != '\0') {
        if (count == KEYS_MAX)
            return fail(err, "field \"%s\": more than %d keys", text, KEYS_MAX);
        if (!read_key(&scanner, &keys[count++]))
            return false;
    }
    kept = arena_alloc(arena, (count + 1) * sizeof(*kept));
    for (size_t i = 0; i < count; i++)
        kept[i] = slice_of(arena_string(arena, keys[i]), keys[i].size);
    field->keys = kept;
    field->count = count;
    return true;
}

/* ---- reading ---- */

/* The map that holds the last key; NULL: there is none. */
static struct stanza_map *parent_of(const struct stanza_record *record, const struct stanza_field *field)
{
    const struct stanza_map *map = NULL;

    if (field->root == STANZA_ATTRIBUTES)
        map = &record->attributes;
    else if (field->root == STANZA_RESOURCE)
        map = &record->resource;
    else if (record->body.kind == STANZA_MAP)
        map = record->body.map;
    for (size_t i = 0; map != NULL && i + 1 < field->count; i++) {
        const struct stanza_value *next = stanza_map_get(map, field->keys[i]);
        map = next != NULL && next->kind == STANZA_MAP ? next->map : NULL;
    }
    return (struct stanza_map *)(uintptr_t)map;
}

bool stanza_field_get(const struct stanza_record *record, const struct stanza_field *field, struct stanza_value *value)
{
    struct stanza_map *parent;
    const struct stanza_value *there;

    if (field->count == 0 && field->root == STANZA_BODY) {
        *value = record->body;
        return value->kind != STANZA_NIL;
    }
    parent = parent_of(record, field);
    if (field->count == 0) {
        *value = (struct stanza_value){ .kind = STANZA_MAP, .map = parent };
        return true;
    }
    there = parent != NULL ? stanza_map_get(parent, field->keys[field->count - 1]) : NULL;
    if (there == NULL)
        return false;
    *value = *there;
    return true;
}

/* ---- writing ---- */

static struct stanza_map *step_into(struct stanza_record *record, struct stanza_map *map, struct slice key)
{
    struct stanza_value *next = stanza_map_get(map, key), made;

    if (next != NULL && next->kind == STANZA_MAP)
        return next->map;
    made = stanza_map_create(record->memory);
    if (made.kind == STANZA_NIL || !stanza_map_set(record->memory, map, key, made))
        return NULL;
    return made.map;
}

/* The root's map, made where the body is none. */
static struct stanza_map *root_map(struct stanza_record *record, enum stanza_root root)
{
    struct stanza_value made;

    if (root == STANZA_ATTRIBUTES)
        return &record->attributes;
    if (root == STANZA_RESOURCE)
        return &record->resource;
    if (record->body.kind == STANZA_MAP)
        return record->body.map;
    made = stanza_map_create(record->memory);
    if (made.kind == STANZA_NIL)
        return NULL;
    record->body = made;
    return made.map;
}

/* Into what the first `count` keys lead to. */
static struct stanza_map *descend(struct stanza_record *record, const struct stanza_field *field, size_t count)
{
    struct stanza_map *map = root_map(record, field->root);

    for (size_t i = 0; map != NULL && i < count; i++)
        map = step_into(record, map, field->keys[i]);
    return map;
}

static bool merge(struct stanza_record *record, const struct stanza_field *field, struct stanza_map *from)
{
    struct stanza_map *map;

    if (field->count == 0 && field->root == STANZA_BODY && record->body.kind != STANZA_MAP) {
        record->body = (struct stanza_value){ .kind = STANZA_MAP, .map = from };
        return true;
    }
    map = descend(record, field, field->count);
    if (map == NULL)
        return false;
    if (map->count == 0) {
        *map = *from;
        return true;
    }
    for (size_t i = 0; map != from && i < from->count; i++) {
        if (!stanza_map_set(record->memory, map, from->members[i].key, from->members[i].value))
            return false;
    }
    return true;
}

bool stanza_field_set(struct stanza_record *record, const struct stanza_field *field, struct stanza_value value, const char **problem)
{
    struct stanza_map *map;

    *problem = "the record is too large";
    if (value.kind == STANZA_MAP)
        return merge(record, field, value.map);
    if (field->count == 0) {
        *problem = "attributes and resource must be maps";
        if (field->root != STANZA_BODY)
            return false;
        record->body = value;
        return true;
    }
    map = descend(record, field, field->count - 1);
    return map != NULL && stanza_map_set(record->memory, map, field->keys[field->count - 1], value);
}

bool stanza_field_remove(struct stanza_record *record, const struct stanza_field *field, struct stanza_value *removed)
{
    struct stanza_map *parent = parent_of(record, field), *whole;

    if (field->count > 0)
        return parent != NULL && stanza_map_remove(parent, field->keys[field->count - 1], removed);
    if (field->root == STANZA_BODY) {
        if (removed != NULL)
            *removed = record->body;
        record->body = (struct stanza_value){ .kind = STANZA_NIL };
        return true;
    }
    whole = stanza_alloc(record->memory, sizeof(*whole));
    if (whole == NULL)
        return false;
    *whole = *parent;
    *parent = (struct stanza_map){ 0 };
    if (removed != NULL)
        *removed = (struct stanza_value){ .kind = STANZA_MAP, .map = whole };
    return true;
}
