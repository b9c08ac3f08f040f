/*
 * Option tables as JSON: the schema that editors complete and check with (draft 2020-12), and the plain list that
 * `weir components --json` prints. Any value may also be an expression, a string with ${...}.
 */
#include "collector/config/option.h"

#include <ctype.h>

#include "collector/config/scalar.h"

/* ---- the plain list ---- */

static const char *kind_word(enum option_kind kind)
{
    static const char *const words[] = {
        [OPTION_BOOL] = "bool",
        [OPTION_INT] = "int",
        [OPTION_DOUBLE] = "double",
        [OPTION_DURATION] = "duration",
        [OPTION_STRING] = "string",
        [OPTION_SECRET] = "secret",
        [OPTION_ENUM] = "enum",
        [OPTION_STRINGS] = "strings",
        [OPTION_PAIRS] = "pairs",
        [OPTION_ID] = "id",
        [OPTION_BLOCK] = "block",
        [OPTION_LIST] = "list",
        [OPTION_MAP] = "map",
        [OPTION_ANY] = "any",
        [OPTION_UNSUPPORTED] = "unsupported",
        [OPTION_REMOVED] = "removed",
        [OPTION_IGNORED] = "ignored",
    };

    return words[kind];
}

static void write_member(struct buffer *out, const char *name, const char *text)
{
    if (text == NULL)
        return;
    buffer_printf(out, ", \"%s\": ", name);
    scalar_write_json(out, text);
}

void option_json(const struct option *table, struct buffer *out)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    buffer_append_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct option *option = rows[i].option;

        buffer_append_string(out, i > 0 ? ", {\"key\": " : "{\"key\": ");
        scalar_write_json(out, option->key);
        write_member(out, "kind", kind_word(option->kind));
        write_member(out, "default", option->def);
        write_member(out, "range", option->range);
        write_member(out, "help", option->help);
        buffer_append_string(out, option->flags & OPTION_REQUIRED ? ", \"required\": true" : "");
        buffer_append_string(out, option->flags & OPTION_DEPRECATED ? ", \"deprecated\": true" : "");
        buffer_append_string(out, option->flags & OPTION_WEIR ? ", \"weir\": true" : "");
        if (option->fields != NULL) {
            buffer_append_string(out, ", \"keys\": ");
            option_json(option->fields, out);
        }
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

/* ---- the schema ---- */

/* A default or bound in JSON's own type. */
static void write_typed(struct buffer *out, enum option_kind kind, const char *text)
{
    int64_t integer;
    double fraction;
    bool boolean;

    if (kind == OPTION_BOOL && scalar_parse_bool(text, &boolean))
        buffer_append_string(out, boolean ? "true" : "false");
    else if (kind == OPTION_INT && scalar_parse_int(text, &integer))
        buffer_printf(out, "%lld", (long long)integer);
    else if (kind == OPTION_DOUBLE && scalar_parse_float(text, &fraction))
        buffer_printf(out, "%.15g", fraction);
    else
        scalar_write_json(out, text);
}

static void write_bounds(struct buffer *out, const struct option *option)
{
    const char *dots = option->range != NULL ? strstr(option->range, "..") : NULL;
    struct buffer low = { .limit = 64 };

    if (dots == NULL)
        return;
    if (dots != option->range) {
        buffer_append(&low, option->range, (size_t)(dots - option->range));
        buffer_append_string(out, ", \"minimum\": ");
        write_typed(out, option->kind, buffer_string(&low));
    }
    if (dots[2] != '\0') {
        buffer_append_string(out, ", \"maximum\": ");
        write_typed(out, option->kind, dots + 2);
    }
    buffer_fini(&low);
}

static void write_words(struct buffer *out, const char *words)
{
    struct buffer word = { .limit = 256 };

    buffer_append_string(out, "\"enum\": [");
    for (;;) {
        size_t size = strcspn(words, "|");

        buffer_clear(&word);
        buffer_append(&word, words, size);
        scalar_write_json(out, buffer_string(&word));
        if (words[size] == '\0')
            break;
        buffer_append_string(out, ", ");
        words += size + 1;
    }
    buffer_append_byte(out, ']');
    buffer_fini(&word);
}

static void write_strings_schema(struct buffer *out, const struct option *option)
{
    buffer_append_string(out, "{\"type\": [\"array\", \"string\"], \"items\": {");
    if (option->range != NULL)
        write_words(out, option->range);
    else
        buffer_append_string(out, "\"type\": \"string\"");
    buffer_append_string(out, "}}");
}

/* The words, and the same in any other case: enum completes, pattern checks. */
static void write_words_schema(struct buffer *out, const char *words)
{
    buffer_append_string(out, "{\"anyOf\": [{");
    write_words(out, words);
    buffer_append_string(out, "}, {\"type\": \"string\", \"pattern\": \"^(");
    for (; *words != '\0'; words++) {
        if (*words == '.')
            buffer_append_string(out, "[.]");
        else if (isalpha((unsigned char)*words))
            buffer_printf(out, "[%c%c]", toupper((unsigned char)*words), tolower((unsigned char)*words));
        else
            buffer_append_byte(out, (uint8_t)*words);
    }
    buffer_append_string(out, ")$\"}]}");
}

static void write_object(struct buffer *out, const struct option *table, bool can_be_off);

/* What the value itself may be. */
static void write_type(struct buffer *out, const struct option *option)
{
    switch (option->kind) {
    case OPTION_BOOL:
        buffer_append_string(out, "{\"type\": \"boolean\"}");
        break;
    case OPTION_INT:
    case OPTION_DOUBLE:
        buffer_printf(out, "{\"type\": \"%s\"", option->kind == OPTION_INT ? "integer" : "number");
        write_bounds(out, option);
        buffer_append_byte(out, '}');
        break;
    case OPTION_DURATION:
        buffer_append_string(out, "{\"$ref\": \"#/$defs/duration\"}");
        break;
    case OPTION_ENUM:
        write_words_schema(out, option->range);
        break;
    case OPTION_STRINGS:
        write_strings_schema(out, option);
        break;
    case OPTION_PAIRS:
        buffer_append_string(out, "{\"$ref\": \"#/$defs/pairs\"}");
        break;
    case OPTION_BLOCK:
        write_object(out, option->fields, option->present != 0);
        break;
    case OPTION_LIST:
        buffer_append_string(out, "{\"type\": \"array\", \"items\": ");
        option_schema(option->fields, out);
        buffer_append_byte(out, '}');
        break;
    case OPTION_MAP:
        buffer_append_string(out, "{\"type\": \"object\", \"additionalProperties\": ");
        option_schema(option->fields, out);
        buffer_append_byte(out, '}');
        break;
    case OPTION_STRING:
        if (option->range != NULL && strchr(option->range, '|') != NULL)
            write_words_schema(out, option->range);
        else
            buffer_append_string(out, "{\"type\": \"string\"}");
        break;
    default:
        buffer_append_string(out, "{\"type\": \"string\"}");
    }
}

static void write_description(struct buffer *out, const struct option *option)
{
    struct buffer text = { .limit = 4096 };

    if (option->kind == OPTION_UNSUPPORTED)
        buffer_append_string(&text, "weir does not support this key yet. ");
    if (option->kind == OPTION_REMOVED)
        buffer_append_string(&text, "Removed: ");
    if (option->kind == OPTION_IGNORED)
        buffer_append_string(&text, "Accepted without effect. ");
    if (option->flags & OPTION_DEPRECATED)
        buffer_append_string(&text, "Deprecated: ");
    buffer_append_string(&text, option->help != NULL ? option->help : "");
    buffer_append_string(out, "\"description\": ");
    scalar_write_json(out, buffer_string(&text));
    if (option->flags & OPTION_DEPRECATED || option->kind == OPTION_IGNORED)
        buffer_append_string(out, ", \"deprecated\": true");
    buffer_fini(&text);
}

/* All that a key may say that weir does not support yet: its default, or nothing. */
static void write_unsupported(struct buffer *out, const struct option *option)
{
    enum scalar_type type = option->def != NULL ? scalar_type_of(option->def) : SCALAR_NULL;

    buffer_append_string(out, ", \"enum\": [null");
    if (option->def == NULL)
        buffer_append_string(out, ", \"\", [], {}");
    if (type == SCALAR_BOOL || type == SCALAR_INT || type == SCALAR_FLOAT)
        buffer_printf(out, ", %s", option->def);
    if (option->def != NULL) {
        buffer_append_string(out, ", ");
        scalar_write_json(out, option->def);
    }
    buffer_append_byte(out, ']');
}

static void write_property(struct buffer *out, const struct option *option)
{
    scalar_write_json(out, option->key);
    buffer_append_string(out, ": {");
    write_description(out, option);
    if (option->kind == OPTION_REMOVED)
        buffer_append_string(out, ", \"not\": {}");
    if (option->kind == OPTION_UNSUPPORTED)
        write_unsupported(out, option);
    if (option->kind < OPTION_ANY) {
        if (option->def != NULL && option->kind != OPTION_STRINGS) {
            buffer_append_string(out, ", \"default\": ");
            write_typed(out, option->kind, option->def);
        }
        buffer_append_string(out, ", \"anyOf\": [");
        write_type(out, option);
        buffer_append_string(out, ", {\"type\": \"null\"}, {\"$ref\": \"#/$defs/expression\"}]");
    }
    buffer_append_byte(out, '}');
}

static bool has_key(const struct option_row *rows, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].option->key, key) == 0)
            return true;
    return false;
}

static void write_object(struct buffer *out, const struct option *table, bool can_be_off)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows), required = 0;

    buffer_append_string(out, "{\"type\": [\"object\", \"null\"], \"additionalProperties\": false, \"properties\": {");
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, i > 0 ? ",\n" : "\n");
        write_property(out, rows[i].option);
    }
    if (can_be_off && !has_key(rows, count, "enabled"))
        buffer_printf(out, "%s\"enabled\": {\"type\": \"boolean\", \"description\": \"false: as if the block were not there\"}",
            count > 0 ? ",\n" : "");
    buffer_append_byte(out, '}');
    for (size_t i = 0; i < count; i++) {
        if (!(rows[i].option->flags & OPTION_REQUIRED))
            continue;
        buffer_append_string(out, required++ == 0 ? ", \"required\": [" : ", ");
        scalar_write_json(out, rows[i].option->key);
    }
    buffer_append_string(out, required > 0 ? "]}" : "}");
}

void option_schema(const struct option *table, struct buffer *out)
{
    write_object(out, table, false);
}
