/*
 * Expanding patterns, and what a match gives. Fields become groups with names of our own, since a field may have dots, and may
 * stand twice. Limits: 64 KiB and 200 fields expanded, 32 levels of patterns within patterns. Threads: any, once made.
 */
#include "collector/ottl/grok.h"

#include <stdio.h>
#include <stdlib.h>

#include "collector/ottl/program.h"
#include "collector/wire/decimal.h"

enum { FIELDS_MAX = 200, DEPTH_MAX = 32, EXPANDED_MAX = 64 * 1024 };

static const char group_prefix[] = "grokfield";

enum field_type { TYPE_STRING, TYPE_INT, TYPE_DOUBLE, TYPE_BOOL };

struct field {
    struct slice name;
    enum field_type type;
    size_t group;
};

struct grok {
    const struct ottl_regex *regex;
    struct field fields[FIELDS_MAX];
    size_t count;
};

struct expansion {
    const struct grok_options *options;
    struct arena *arena;
    struct grok *grok;
    struct buffer text;
    unsigned depth;
};

/* ---- expanding ---- */

static const struct grok_pattern *find_pattern(const struct grok_options *options, struct slice name)
{
    for (size_t i = options->own_count; i-- > 0;) {
        if (slice_equal(options->own[i].name, name))
            return &options->own[i];
    }
    for (const struct grok_pattern *pattern = grok_patterns; pattern->name.size > 0; pattern++) {
        if (slice_equal(pattern->name, name))
            return pattern;
    }
    return NULL;
}

static bool type_of(struct slice name, enum field_type *type)
{
    static const struct {
        const char *name;
        enum field_type type;
    } types[] = { { "", TYPE_STRING }, { "string", TYPE_STRING }, { "int", TYPE_INT }, { "long", TYPE_INT }, { "float", TYPE_DOUBLE },
        { "double", TYPE_DOUBLE }, { "bool", TYPE_BOOL }, { "boolean", TYPE_BOOL } };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (slice_equal_string(name, types[i].name)) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

/* The text up to the colon, which is taken off. */
static struct slice take_part(struct slice *rest)
{
    const uint8_t *colon = memchr(rest->data, ':', rest->size);
    struct slice part = slice_of(rest->data, colon != NULL ? (size_t)(colon - rest->data) : rest->size);

    *rest = slice_of(rest->data + part.size + (colon != NULL), rest->size - part.size - (colon != NULL));
    return part;
}

static bool add_field(struct expansion *self, struct slice name, struct slice type, struct error *err)
{
    struct grok *grok = self->grok;
    struct field *field = &grok->fields[grok->count];
    char group[32];

    if (grok->count == FIELDS_MAX)
        return fail(err, "more than %d fields", FIELDS_MAX);
    if (!type_of(type, &field->type))
        return fail(err, "unknown type \"%.*s\" of field \"%.*s\"; expected string, int, long, float, double or bool", SLICE_PRINT(type),
            SLICE_PRINT(name));
    field->name = slice_of(arena_string(self->arena, name), name.size);
    snprintf(group, sizeof(group), "(?P<%s%zu>", group_prefix, grok->count++);
    buffer_append_string(&self->text, group);
    return true;
}

static bool expand(struct expansion *self, struct slice pattern, struct error *err);

/* What stands between "%{" and "}". */
static bool expand_reference(struct expansion *self, struct slice reference, struct error *err)
{
    struct slice rest = reference, name = take_part(&rest), field = take_part(&rest);
    const struct grok_pattern *pattern = find_pattern(self->options, name);
    bool ok;

    if (pattern == NULL)
        return fail(err, "unknown pattern \"%.*s\"; define it in patternDefinitions as \"%.*s=...\"", SLICE_PRINT(name), SLICE_PRINT(name));
    if (self->depth == DEPTH_MAX)
        return fail(err, "pattern \"%.*s\" refers to itself, or is more than %d levels deep", SLICE_PRINT(name), DEPTH_MAX);
    if (field.size == 0 && self->options->named_only)
        buffer_append_string(&self->text, "(?:");
    else if (!add_field(self, field.size > 0 ? field : name, rest, err))
        return false;
    self->depth++;
    ok = expand(self, pattern->text, err);
    self->depth--;
    buffer_append_byte(&self->text, ')');
    return ok;
}

static bool expand(struct expansion *self, struct slice pattern, struct error *err)
{
    for (size_t i = 0; i < pattern.size; i++) {
        const uint8_t *end = NULL;
        if (pattern.data[i] == '%' && i + 1 < pattern.size && pattern.data[i + 1] == '{')
            end = memchr(pattern.data + i, '}', pattern.size - i);
        if (self->text.size > EXPANDED_MAX)
            return fail(err, "more than %d bytes when expanded", EXPANDED_MAX);
        if (end == NULL) {
            buffer_append_byte(&self->text, pattern.data[i]);
            continue;
        }
        if (!expand_reference(self, slice_of(pattern.data + i + 2, (size_t)(end - pattern.data) - i - 2), err))
            return false;
        i = (size_t)(end - pattern.data);
    }
    return true;
}

/* ---- fields ---- */

/* Our groups get their numbers; groups that the pattern itself names become fields. */
static bool number_fields(struct grok *grok, struct arena *arena, struct error *err)
{
    size_t prefix = strlen(group_prefix);

    for (size_t group = 1; group <= ottl_regex_group_count(grok->regex); group++) {
        struct slice name = ottl_regex_group_name(grok->regex, group);
        if (name.size == 0)
            continue;
        if (name.size > prefix && memcmp(name.data, group_prefix, prefix) == 0) {
            grok->fields[strtoul((const char *)name.data + prefix, NULL, 10)].group = group;
            continue;
        }
        if (grok->count == FIELDS_MAX)
            return fail(err, "more than %d fields", FIELDS_MAX);
        grok->fields[grok->count++] = (struct field){ slice_of(arena_string(arena, name), name.size), TYPE_STRING, group };
    }
    return grok->count > 0 || fail(err, "at least 1 named capture group must be supplied in the given regex");
}

struct grok *grok_create(const struct grok_options *options, struct arena *arena, struct ottl_regex **regex, struct error *err)
{
    struct expansion expansion = { .options = options, .arena = arena, .grok = arena_alloc(arena, sizeof(struct grok)) };
    bool ok = expand(&expansion, options->pattern, err);

    *regex = ok ? ottl_regex_create(buffer_slice(&expansion.text), err) : NULL;
    buffer_fini(&expansion.text);
    if (*regex == NULL)
        return NULL;
    expansion.grok->regex = *regex;
    return number_fields(expansion.grok, arena, err) ? expansion.grok : NULL;
}

/* ---- matching ---- */

static bool is_captured(const struct ottl_machine *machine, const struct field *field)
{
    size_t start = 0, end = 0;

    return ottl_regex_group(machine->matcher, field->group, &start, &end) && end > start;
}

/* A later field of the same name counts, when it took part. */
static bool is_overruled(const struct grok *grok, const struct ottl_machine *machine, size_t index)
{
    for (size_t i = index + 1; i < grok->count; i++) {
        if (slice_equal(grok->fields[i].name, grok->fields[index].name) && is_captured(machine, &grok->fields[i]))
            return true;
    }
    return false;
}

static bool convert(struct ottl_machine *machine, const struct field *field, struct slice text, struct ottl_value *value)
{
    struct decimal decimal;
    double number;
    bool ok = false;

    switch (field->type) {
    case TYPE_INT:
        ok = decimal_scan(text, &decimal) && decimal.text.size == text.size && decimal_to_int64(&decimal, &value->integer);
        value->kind = OTTL_INT;
        break;
    case TYPE_DOUBLE:
        ok = decimal_scan(text, &decimal) && decimal.text.size == text.size && decimal_to_double(&decimal, &number);
        *value = ottl_double(ok ? number : 0);
        break;
    case TYPE_BOOL:
        ok = slice_equal_ignoring_case(text, SLICE("true")) || slice_equal_ignoring_case(text, SLICE("false"));
        *value = ottl_bool(text.data[0] == 't' || text.data[0] == 'T');
        break;
    default:
        *value = ottl_string(text);
        return true;
    }
    return ok || ottl_fail(machine, "field \"%.*s\": cannot convert \"%.*s\"", SLICE_PRINT(field->name), SLICE_PRINT(text));
}

bool grok_match(const struct grok *grok, struct ottl_machine *machine, struct slice text, struct ottl_value *map)
{
    enum ottl_match match = ottl_match(machine, grok->regex, text, 0);
    struct buffer *work = ottl_work(machine);

    if (match == OTTL_MATCH_FAILED)
        return false;
    for (size_t i = 0; match == OTTL_MATCH && i < grok->count; i++) {
        struct ottl_value value = { .kind = OTTL_NIL };
        size_t start, end;
        if (!is_captured(machine, &grok->fields[i]) || is_overruled(grok, machine, i))
            continue;
        ottl_regex_group(machine->matcher, grok->fields[i].group, &start, &end);
        if (!convert(machine, &grok->fields[i], slice_of(text.data + start, end - start), &value))
            return false;
        ottl_put_entry(work, grok->fields[i].name, &value);
    }
    return ottl_give_map(machine, map);
}
