/* Operators that change fields: move, copy, add, remove, retain, flatten, assign_keys, unquote, regex_replace, sanitize_utf8, noop. */
#include <stdlib.h>

#include "collector/stanza/operator.h"
#include "collector/wire/utf8.h"

#define OPERATOR_OPTIONS                                                                                                                   \
    {                                                                                                                                      \
        "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_operator_options                                                                   \
    }

static enum stanza_step set_or_fail(
    struct stanza_operator *operator, struct stanza_record * record, const struct stanza_field *field, struct stanza_value value)
{
    const char *problem;

    return stanza_field_set(record, field, value, &problem) ? STANZA_NEXT : stanza_fail(operator, "%s", problem);
}

/* ---- move and copy ---- */

struct move {
    struct stanza_operator base;
    const char *from_text, *to_text;
    struct stanza_field from, to;
};

static const struct option move_options[] = {
    OPERATOR_OPTIONS,
    { "from", OPTION_STRING, offsetof(struct move, from_text), NULL, "nonempty", "field that is read", .flags = OPTION_REQUIRED },
    { "to", OPTION_STRING, offsetof(struct move, to_text), NULL, "nonempty", "field that is written", .flags = OPTION_REQUIRED },
    { 0 },
};

static bool move_init(struct stanza_operator *operator, struct error * err)
{
    struct move *self = (struct move *)operator;

    return (stanza_field_parse(operator->arena, self->from_text, &self->from, err) || fail_within(err, "from")) &&
           (stanza_field_parse(operator->arena, self->to_text, &self->to, err) || fail_within(err, "to"));
}

static enum stanza_step move_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct move *self = (struct move *)operator;
    struct stanza_value value;

    if (!stanza_field_remove(record, &self->from, &value))
        return stanza_fail(operator, "there is no \"%s\" to move", self->from_text);
    return set_or_fail(operator, record, &self->to, value);
}

const struct stanza_operator_type stanza_move = {
    .name = "move", .options = move_options, .size = sizeof(struct move), .init = move_init, .process = move_process
};

static enum stanza_step copy_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct move *self = (struct move *)operator;
    struct stanza_value value;

    if (!stanza_field_get(record, &self->from, &value))
        return stanza_fail(operator, "there is no \"%s\" to copy", self->from_text);
    if (!stanza_value_copy(record->memory, &value, false))
        return stanza_fail(operator, "the record is too large");
    return set_or_fail(operator, record, &self->to, value);
}

const struct stanza_operator_type stanza_copy = {
    .name = "copy", .options = move_options, .size = sizeof(struct move), .init = move_init, .process = copy_process
};

/* ---- add ---- */

struct add {
    struct stanza_operator base;
    const char *field_text;
    const struct config_node *node;
    struct stanza_field field;
    struct stanza_value value;
    struct stanza_expression *expression; /* owned; NULL: the value as it stands */
};

static const struct option add_options[] = {
    OPERATOR_OPTIONS,
    { "field", OPTION_STRING, offsetof(struct add, field_text), NULL, "nonempty", "field that is written", .flags = OPTION_REQUIRED },
    { "value", OPTION_ANY, offsetof(struct add, node), NULL, NULL, "what is written; EXPR(...) for an expression",
        .flags = OPTION_REQUIRED },
    { 0 },
};

static bool add_init(struct stanza_operator *operator, struct error * err)
{
    struct add *self = (struct add *)operator;

    if (!stanza_field_parse(operator->arena, self->field_text, &self->field, err))
        return fail_within(err, "field");
    if (self->node == NULL)
        return fail(err, "value: it must be set");
    self->value = stanza_value_of_node(operator->arena, self->node);
    if (self->value.kind != STANZA_STRING || !slice_starts_with(self->value.bytes, SLICE("EXPR(")) ||
        self->value.bytes.data[self->value.bytes.size - 1] != ')')
        return true;
    self->expression = stanza_expression_create(operator->arena,
        arena_string(operator->arena, slice_of(self->value.bytes.data + 5, self->value.bytes.size - 6)), err);
    return self->expression != NULL || fail_within(err, "value");
}

static void add_fini(struct stanza_operator *operator)
{
    stanza_expression_destroy(((struct add *)operator)->expression);
}

static enum stanza_step add_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct add *self = (struct add *)operator;
    struct stanza_evaluation evaluation = { record, stanza_matcher(operator), NULL };
    struct stanza_value value = self->value;

    if (self->expression != NULL && !stanza_evaluate(self->expression, &evaluation, &value))
        return stanza_fail(operator, "value: %s", evaluation.problem);
    if (!stanza_value_copy(record->memory, &value, false))
        return stanza_fail(operator, "the record is too large");
    return set_or_fail(operator, record, &self->field, value);
}

const struct stanza_operator_type stanza_add = {
    .name = "add", .options = add_options, .size = sizeof(struct add), .init = add_init, .fini = add_fini, .process = add_process
};

/* ---- remove ---- */

struct one_field {
    struct stanza_operator base;
    const char *text;
    struct stanza_field field;
    const char *regex_text, *replacement; /* regex_replace */
    int named;
    struct ottl_regex *regex;
};

#define FIELD_OPTION(help)                                                                                                                 \
    {                                                                                                                                      \
        "field", OPTION_STRING, offsetof(struct one_field, text), NULL, "nonempty", help, .flags = OPTION_REQUIRED                         \
    }
static const struct option field_options[] = { OPERATOR_OPTIONS, FIELD_OPTION("the field"), { 0 } };
static const struct option sanitize_options[] = {
    OPERATOR_OPTIONS,
    { "field", OPTION_STRING, offsetof(struct one_field, text), "body", "nonempty", "the field" },
    { 0 },
};

static bool field_init(struct stanza_operator *operator, struct error * err)
{
    struct one_field *self = (struct one_field *)operator;

    return stanza_field_parse(operator->arena, self->text, &self->field, err) || fail_within(err, "field");
}

static enum stanza_step remove_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct one_field *self = (struct one_field *)operator;

    return stanza_field_remove(record, &self->field, NULL) ? STANZA_NEXT
                                                           : stanza_fail(operator, "there is no \"%s\" to remove", self->text);
}

const struct stanza_operator_type stanza_remove = {
    .name = "remove", .options = field_options, .size = sizeof(struct one_field), .init = field_init, .process = remove_process
};

/* ---- flatten ---- */

/* The map's entries take its place beside it. */
static enum stanza_step flatten_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct one_field *self = (struct one_field *)operator;
    struct stanza_field parent = self->field;
    struct stanza_value value;
    const char *problem;

    if (!stanza_field_get(record, &self->field, &value) || value.kind != STANZA_MAP || self->field.count == 0)
        return stanza_fail(operator, "\"%s\" is not a map within another", self->text);
    if (!stanza_field_remove(record, &self->field, &value))
        return stanza_fail(operator, "there is no \"%s\"", self->text);
    parent.count--;
    for (size_t i = 0; i < value.map->count; i++) {
        struct stanza_map one = { &value.map->members[i], 1, 1 };
        if (!stanza_field_set(record, &parent, (struct stanza_value){ .kind = STANZA_MAP, .map = &one }, &problem))
            return stanza_fail(operator, "%s", problem);
    }
    return STANZA_NEXT;
}

const struct stanza_operator_type stanza_flatten = {
    .name = "flatten", .options = field_options, .size = sizeof(struct one_field), .init = field_init, .process = flatten_process
};

/* ---- unquote: Go's quoted strings ---- */

static size_t unescape(struct slice text, uint8_t *out, bool *failed)
{
    static const char letters[] = "abfnrtv\\\"'", values[] = "\a\b\f\n\r\t\v\\\"'";
    size_t size = 0;

    for (size_t i = 0; i < text.size && !*failed; i++) {
        if (text.data[i] != '\\') {
            out[size++] = text.data[i];
            continue;
        }
        const char *found = i + 1 < text.size && text.data[i + 1] != 0 ? strchr(letters, text.data[i + 1]) : NULL;
        char digits[9] = { 0 }, *end = digits;
        size_t count = i + 1 < text.size ? (text.data[i + 1] == 'x'      ? 2
                                               : text.data[i + 1] == 'u' ? 4
                                               : text.data[i + 1] == 'U' ? 8
                                                                         : 0)
                                         : 0;
        if (found != NULL) {
            out[size++] = (uint8_t)values[found - letters];
            i++;
            continue;
        }
        *failed = count == 0 || text.size - i - 2 < count;
        if (*failed)
            break;
        memcpy(digits, text.data + i + 2, count);
        unsigned long code = strtoul(digits, &end, 16);
        *failed = end != digits + count || code > 0x10ffff || (code >= 0xd800 && code < 0xe000 && count > 2);
        if (count == 2 || code < 0x80) {
            out[size++] = (uint8_t)code;
        } else {
            if (code >= 0x10000) {
                out[size++] = (uint8_t)(0xf0 | code >> 18);
                out[size++] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
            } else if (code >= 0x800) {
                out[size++] = (uint8_t)(0xe0 | code >> 12);
            }
            out[size++] = (uint8_t)(code < 0x800 ? 0xc0 | code >> 6 : 0x80 | (code >> 6 & 0x3f));
            out[size++] = (uint8_t)(0x80 | (code & 0x3f));
        }
        i += count + 1;
    }
    return size;
}

static enum stanza_step unquote_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct one_field *self = (struct one_field *)operator;
    struct stanza_value value;
    bool failed = false;
    uint8_t *plain;
    uint8_t quote;

    if (!stanza_field_get(record, &self->field, &value) || value.kind != STANZA_STRING)
        return stanza_fail(operator, "\"%s\" is not a string", self->text);
    quote = value.bytes.size >= 2 ? value.bytes.data[0] : 0;
    if ((quote != '"' && quote != '`' && quote != '\'') || value.bytes.data[value.bytes.size - 1] != quote)
        return stanza_fail(operator, "\"%s\" is not in quotes", self->text);
    value.bytes = slice_of(value.bytes.data + 1, value.bytes.size - 2);
    if (quote == '`')
        return set_or_fail(operator, record, &self->field, value);
    plain = stanza_alloc(record->memory, value.bytes.size + 1);
    if (plain == NULL)
        return stanza_fail(operator, "the record is too large");
    value.bytes = slice_of(plain, unescape(value.bytes, plain, &failed));
    if (failed)
        return stanza_fail(operator, "\"%s\" has an escape that is not known", self->text);
    return set_or_fail(operator, record, &self->field, value);
}

const struct stanza_operator_type stanza_unquote = {
    .name = "unquote", .options = field_options, .size = sizeof(struct one_field), .init = field_init, .process = unquote_process
};

/* ---- sanitize_utf8 ---- */

static enum stanza_step sanitize_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct one_field *self = (struct one_field *)operator;
    struct stanza_value value;
    struct buffer repaired = { 0 };

    if (!stanza_field_get(record, &self->field, &value) || (value.kind != STANZA_STRING && value.kind != STANZA_BYTES))
        return stanza_fail(operator, "\"%s\" is not a string", self->text);
    if (!utf8_is_valid(value.bytes)) {
        utf8_append_repaired(&repaired, value.bytes);
        value.bytes = stanza_keep(record->memory, buffer_slice(&repaired));
        buffer_fini(&repaired);
        if (value.bytes.data == NULL)
            return stanza_fail(operator, "the record is too large");
    }
    value.kind = STANZA_STRING;
    return set_or_fail(operator, record, &self->field, value);
}

const struct stanza_operator_type stanza_sanitize_utf8 = {
    .name = "sanitize_utf8", .options = sanitize_options, .size = sizeof(struct one_field), .init = field_init, .process = sanitize_process
};

/* ---- regex_replace ---- */

static const struct option replace_options[] = {
    OPERATOR_OPTIONS,
    FIELD_OPTION("field whose text is changed"),
    { "regex", OPTION_STRING, offsetof(struct one_field, regex_text), NULL, NULL, "what is replaced" },
    { "replace_with", OPTION_STRING, offsetof(struct one_field, replacement), "", NULL, "what takes its place; $1 and $name are groups" },
    { "regex_name", OPTION_ENUM, offsetof(struct one_field, named), "", "|ansi_control_sequences", "a pattern that is there already" },
    { 0 },
};

static bool replace_init(struct stanza_operator *operator, struct error * err)
{
    struct one_field *self = (struct one_field *)operator;
    static const char ansi[] = "\\x1b\\[[0-9;]*[a-zA-Z]";
    bool own = self->regex_text != NULL && *self->regex_text != '\0';

    if (own == (self->named != 0))
        return fail(err, "set either regex or regex_name");
    self->regex = ottl_regex_create(slice_of_string(own ? self->regex_text : ansi), err);
    return self->regex != NULL ? field_init(operator, err) : fail_within(err, "regex");
}

static void replace_fini(struct stanza_operator *operator)
{
    ottl_regex_destroy(((struct one_field *)operator)->regex);
}

static bool replace_all(const struct one_field *self, struct slice text, struct buffer *out)
{
    struct ottl_matcher *matcher = stanza_matcher(&self->base);
    size_t at = 0, copied = 0, start = 0, end = 0;
    enum ottl_match match;

    while (at <= text.size && (match = ottl_regex_match(self->regex, matcher, text, at)) == OTTL_MATCH) {
        ottl_regex_group(matcher, 0, &start, &end);
        buffer_append(out, text.data + copied, start - copied);
        ottl_regex_expand(self->regex, matcher, text, slice_of_string(self->replacement), out);
        copied = end;
        at = end > start ? end : end + 1;
        while (at < text.size && (text.data[at] & 0xc0) == 0x80) /* not into the middle of a character */
            at++;
    }
    buffer_append(out, text.data + copied, text.size - copied);
    return copied > 0 || end > 0 || out->size != text.size;
}

static enum stanza_step replace_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct one_field *self = (struct one_field *)operator;
    struct buffer out = { .limit = STANZA_RECORD_MAX };
    struct stanza_value value;

    if (!stanza_field_get(record, &self->field, &value))
        return stanza_fail(operator, "there is no \"%s\"", self->text);
    if (value.kind != STANZA_STRING)
        return stanza_fail(operator, "\"%s\" is a %s, not a string", self->text, stanza_kind_name(value.kind));
    replace_all(self, value.bytes, &out);
    value.bytes = out.failed ? (struct slice){ NULL, 0 } : stanza_keep(record->memory, buffer_slice(&out));
    buffer_fini(&out);
    if (value.bytes.data == NULL)
        return stanza_fail(operator, "the record is too large");
    return set_or_fail(operator, record, &self->field, value);
}

const struct stanza_operator_type stanza_regex_replace = { .name = "regex_replace",
    .options = replace_options,
    .size = sizeof(struct one_field),
    .init = replace_init,
    .fini = replace_fini,
    .process = replace_process };

/* ---- assign_keys ---- */

struct assign_keys {
    struct stanza_operator base;
    const char *text;
    struct option_strings keys;
    struct stanza_field field;
};

static const struct option assign_options[] = {
    OPERATOR_OPTIONS,
    { "field", OPTION_STRING, offsetof(struct assign_keys, text), NULL, "nonempty", "field with a list", .flags = OPTION_REQUIRED },
    { "keys", OPTION_STRINGS, offsetof(struct assign_keys, keys), NULL, NULL, "a key for each item, which make a map of it",
        .flags = OPTION_REQUIRED },
    { 0 },
};

static bool assign_init(struct stanza_operator *operator, struct error * err)
{
    struct assign_keys *self = (struct assign_keys *)operator;

    if (self->keys.count == 0)
        return fail(err, "keys: expected at least one");
    return stanza_field_parse(operator->arena, self->text, &self->field, err) || fail_within(err, "field");
}

static enum stanza_step assign_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct assign_keys *self = (struct assign_keys *)operator;
    struct stanza_value list, map;

    if (!stanza_field_get(record, &self->field, &list) || list.kind != STANZA_LIST)
        return stanza_fail(operator, "\"%s\" is not a list", self->text);
    if (list.list->count != self->keys.count)
        return stanza_fail(operator, "%zu keys for %zu items", self->keys.count, list.list->count);
    map = stanza_map_create(record->memory);
    for (size_t i = 0; map.kind == STANZA_MAP && i < self->keys.count; i++) {
        if (!stanza_map_set(record->memory, map.map, slice_of_string(self->keys.items[i]), list.list->items[i]))
            map.kind = STANZA_NIL;
    }
    if (map.kind == STANZA_NIL || !stanza_field_remove(record, &self->field, NULL))
        return stanza_fail(operator, "the record is too large");
    return set_or_fail(operator, record, &self->field, map);
}

const struct stanza_operator_type stanza_assign_keys = {
    .name = "assign_keys", .options = assign_options, .size = sizeof(struct assign_keys), .init = assign_init, .process = assign_process
};

/* ---- retain ---- */

struct retain {
    struct stanza_operator base;
    struct option_strings texts;
    struct stanza_field *fields;
    bool roots[3]; /* those that some field is of; the others stay whole */
};

static const struct option retain_options[] = {
    OPERATOR_OPTIONS,
    { "fields", OPTION_STRINGS, offsetof(struct retain, texts), NULL, NULL, "fields that stay; all others beside them go",
        .flags = OPTION_REQUIRED },
    { 0 },
};

static bool retain_init(struct stanza_operator *operator, struct error * err)
{
    struct retain *self = (struct retain *)operator;

    if (self->texts.count == 0)
        return fail(err, "fields: expected at least one");
    self->fields = arena_alloc(operator->arena, self->texts.count * sizeof(*self->fields));
    for (size_t i = 0; i < self->texts.count; i++) {
        if (!stanza_field_parse(operator->arena, self->texts.items[i], &self->fields[i], err))
            return fail_within(err, "fields");
        self->roots[self->fields[i].root] = true;
    }
    return true;
}

static enum stanza_step retain_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct retain *self = (struct retain *)operator;
    struct stanza_record kept = *record;
    struct stanza_value value;
    const char *problem;

    if (self->roots[STANZA_BODY])
        kept.body = (struct stanza_value){ .kind = STANZA_NIL };
    if (self->roots[STANZA_ATTRIBUTES])
        kept.attributes = (struct stanza_map){ 0 };
    if (self->roots[STANZA_RESOURCE])
        kept.resource = (struct stanza_map){ 0 };
    for (size_t i = 0; i < self->texts.count; i++) {
        if (stanza_field_get(record, &self->fields[i], &value) && !stanza_field_set(&kept, &self->fields[i], value, &problem))
            return stanza_fail(operator, "%s", problem);
    }
    *record = kept;
    return STANZA_NEXT;
}

const struct stanza_operator_type stanza_retain = {
    .name = "retain", .options = retain_options, .size = sizeof(struct retain), .init = retain_init, .process = retain_process
};

/* ---- noop ---- */

static const struct option noop_options[] = { OPERATOR_OPTIONS, { 0 } };

static enum stanza_step noop_process(struct stanza_operator *operator, struct stanza_record * record)
{
    (void)operator;
    (void)record;
    return STANZA_NEXT;
}

const struct stanza_operator_type stanza_noop = {
    .name = "noop", .options = noop_options, .size = sizeof(struct stanza_operator), .process = noop_process
};
