/* Parsers of texts: regex_parser, json_parser, json_array_parser, key_value_parser. What they find is borrowed from the text. */
#include "collector/stanza/operator.h"

#define PARSER_OPTIONS                                                                                                                     \
    {                                                                                                                                      \
        "", OPTION_INCLUDE, 0, NULL, NULL, NULL, stanza_parser_options                                                                     \
    }

/* ---- regex_parser ---- */

struct regex_parser {
    struct stanza_parser parser;
    const char *pattern;
    const struct config_node *cache; /* option: weir needs none */
    struct ottl_regex *regex;        /* owned */
    size_t groups;
    struct slice *names; /* of each group; in the arena */
};

static const struct option regex_options[] = {
    PARSER_OPTIONS,
    { "regex", OPTION_STRING, offsetof(struct regex_parser, pattern), NULL, "nonempty", "pattern with named groups, which become fields",
        .flags = OPTION_REQUIRED },
    { "cache", OPTION_ANY, offsetof(struct regex_parser, cache), NULL, NULL, "not needed: matching is as fast" },
    { 0 },
};

static bool regex_init(struct stanza_operator *operator, struct error * err)
{
    struct regex_parser *self = (struct regex_parser *)operator;
    size_t named = 0;

    if (!stanza_parser_init(&self->parser, err))
        return false;
    self->regex = ottl_regex_create(slice_of_string(self->pattern), err);
    if (self->regex == NULL)
        return fail_within(err, "regex");
    self->groups = ottl_regex_group_count(self->regex);
    self->names = arena_alloc(operator->arena, (self->groups + 1) * sizeof(*self->names));
    for (size_t i = 1; i <= self->groups; i++) {
        self->names[i] = ottl_regex_group_name(self->regex, i);
        named += self->names[i].size > 0;
    }
    return named > 0 || fail(err, "regex \"%s\": there is no named group; write (?P<name>...)", self->pattern);
}

static void regex_fini(struct stanza_operator *operator)
{
    ottl_regex_destroy(((struct regex_parser *)operator)->regex);
}

static bool put_group(struct regex_parser *self, struct stanza_record *record, struct slice text, size_t group, struct stanza_map *map)
{
    size_t start = 0, end = 0;

    if (self->names[group].size == 0)
        return true;
    if (!ottl_regex_group(stanza_matcher(&self->parser.base), group, &start, &end))
        start = end = 0;
    return stanza_map_set(record->memory, map, self->names[group], stanza_string(slice_of(text.data + start, end - start)));
}

static enum stanza_step regex_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct regex_parser *self = (struct regex_parser *)operator;
    struct stanza_value map;
    struct slice text;
    enum ottl_match match;

    if (!stanza_parser_text(&self->parser, record, &text))
        return STANZA_FAILED;
    match = ottl_regex_match(self->regex, stanza_matcher(operator), text, 0);
    if (match != OTTL_MATCH)
        return stanza_fail(operator, match == OTTL_NO_MATCH ? "the pattern does not match" : "a match took too many steps");
    map = stanza_map_create(record->memory);
    for (size_t i = 1; map.kind == STANZA_MAP && i <= self->groups; i++) {
        if (!put_group(self, record, text, i, map.map))
            map.kind = STANZA_NIL;
    }
    if (map.kind == STANZA_NIL)
        return stanza_fail(operator, "the record is too large");
    return stanza_parser_finish(&self->parser, record, map);
}

const struct stanza_operator_type stanza_regex_parser = { .name = "regex_parser",
    .options = regex_options,
    .size = sizeof(struct regex_parser),
    .init = regex_init,
    .fini = regex_fini,
    .process = regex_process };

/* ---- json_parser and json_array_parser ---- */

struct json_parser {
    struct stanza_parser parser;
    bool ints;
};

static const struct option json_options[] = {
    PARSER_OPTIONS,
    { "parse_ints", OPTION_BOOL, offsetof(struct json_parser, ints), "false", NULL,
        "whole numbers become integers; else all numbers are floating" },
    { 0 },
};

static bool parser_init(struct stanza_operator *operator, struct error * err)
{
    return stanza_parser_init((struct stanza_parser *)operator, err);
}

static enum stanza_step json_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct json_parser *self = (struct json_parser *)operator;
    struct stanza_value value;
    const char *problem;
    struct slice text;

    if (!stanza_parser_text(&self->parser, record, &text))
        return STANZA_FAILED;
    if (!stanza_read_json(record->memory, text, self->ints, &value, &problem))
        return stanza_fail(operator, "not JSON: %s", problem);
    if (value.kind != STANZA_MAP)
        return stanza_fail(operator, "expected a JSON object");
    return stanza_parser_finish(&self->parser, record, value);
}

const struct stanza_operator_type stanza_json_parser = {
    .name = "json_parser", .options = json_options, .size = sizeof(struct json_parser), .init = parser_init, .process = json_process
};

struct json_array_parser {
    struct stanza_parser parser;
    const char *header;
};

static const struct option json_array_options[] = {
    { "parse_to", OPTION_STRING, offsetof(struct stanza_parser, parse_to), "body", "nonempty", "field that takes what was parsed" },
    PARSER_OPTIONS,
    { "header", OPTION_STRING, offsetof(struct json_array_parser, header), NULL, NULL,
        "names for the items, with commas between; they make a map of the list" },
    { 0 },
};

static bool name_items(struct stanza_record *record, const char *header, const struct stanza_list *list, struct stanza_map *map)
{
    const char *at = header;

    for (size_t i = 0; i < list->count; i++) {
        size_t size = strcspn(at, ",");
        if (!stanza_map_set(record->memory, map, slice_trim(slice_of(at, size)), list->items[i]))
            return false;
        if (at[size] == '\0')
            return i + 1 == list->count;
        at += size + 1;
    }
    return false;
}

static enum stanza_step json_array_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct json_array_parser *self = (struct json_array_parser *)operator;
    struct stanza_value value, map;
    const char *problem;
    struct slice text;

    if (!stanza_parser_text(&self->parser, record, &text))
        return STANZA_FAILED;
    if (!stanza_read_json(record->memory, text, false, &value, &problem))
        return stanza_fail(operator, "not JSON: %s", problem);
    if (value.kind != STANZA_LIST)
        return stanza_fail(operator, "expected a JSON array");
    if (self->header == NULL || *self->header == '\0')
        return stanza_parser_finish(&self->parser, record, value);
    map = stanza_map_create(record->memory);
    if (map.kind == STANZA_NIL || !name_items(record, self->header, value.list, map.map))
        return stanza_fail(operator, "the array has not as many items as the header has names");
    return stanza_parser_finish(&self->parser, record, map);
}

const struct stanza_operator_type stanza_json_array_parser = { .name = "json_array_parser",
    .options = json_array_options,
    .size = sizeof(struct json_array_parser),
    .init = parser_init,
    .process = json_array_process };

/* ---- key_value_parser ---- */

struct key_value_parser {
    struct stanza_parser parser;
    const char *delimiter, *pair_delimiter;
    struct slice between, behind; /* behind data NULL: white space */
};

static const struct option key_value_options[] = {
    PARSER_OPTIONS,
    { "delimiter", OPTION_STRING, offsetof(struct key_value_parser, delimiter), "=", "nonempty", "between a key and its value" },
    { "pair_delimiter", OPTION_STRING, offsetof(struct key_value_parser, pair_delimiter), NULL, NULL,
        "between pairs; without it, white space" },
    { 0 },
};

static bool key_value_init(struct stanza_operator *operator, struct error * err)
{
    struct key_value_parser *self = (struct key_value_parser *)operator;

    self->between = slice_of_string(self->delimiter);
    self->behind = slice_of_string(self->pair_delimiter);
    if (self->pair_delimiter != NULL && strcmp(self->delimiter, self->pair_delimiter) == 0)
        return fail(err, "delimiter and pair_delimiter must differ");
    return stanza_parser_init(&self->parser, err);
}

static bool is_white(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_at(struct slice text, size_t at, struct slice what)
{
    return text.size - at >= what.size && memcmp(text.data + at, what.data, what.size) == 0;
}

/* Where the pair that begins at `at` ends: delimiters in quotes do not count. */
static size_t pair_end(const struct key_value_parser *self, struct slice text, size_t at)
{
    uint8_t quote = 0;

    for (; at < text.size; at++) {
        uint8_t c = text.data[at];
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (self->behind.size > 0 ? is_at(text, at, self->behind) : is_white(c))
            break;
    }
    return at;
}

static struct slice unwrap(struct slice text)
{
    while (text.size > 0 && is_white(text.data[0]))
        text = slice_of(text.data + 1, text.size - 1);
    while (text.size > 0 && is_white(text.data[text.size - 1]))
        text.size--;
    if (text.size >= 2 && (text.data[0] == '"' || text.data[0] == '\'') && text.data[text.size - 1] == text.data[0])
        text = slice_of(text.data + 1, text.size - 2);
    return text;
}

static bool put_pair(struct key_value_parser *self, struct stanza_record *record, struct slice pair, struct stanza_map *map)
{
    const uint8_t *found = memmem(pair.data, pair.size, self->between.data, self->between.size);
    struct slice key, value;

    if (found == NULL) {
        stanza_fail(
            &self->parser.base, "\"%.*s\" has no \"%s\"", (int)(pair.size < 60 ? pair.size : 60), (const char *)pair.data, self->delimiter);
        return false;
    }
    key = unwrap(slice_of(pair.data, (size_t)(found - pair.data)));
    value = unwrap(slice_of(found + self->between.size, pair.size - (size_t)(found - pair.data) - self->between.size));
    if (stanza_map_set(record->memory, map, key, stanza_string(value)))
        return true;
    stanza_fail(&self->parser.base, "the record is too large");
    return false;
}

static enum stanza_step key_value_process(struct stanza_operator *operator, struct stanza_record * record)
{
    struct key_value_parser *self = (struct key_value_parser *)operator;
    struct stanza_value map;
    struct slice text;

    if (!stanza_parser_text(&self->parser, record, &text))
        return STANZA_FAILED;
    map = stanza_map_create(record->memory);
    if (map.kind == STANZA_NIL)
        return stanza_fail(operator, "the record is too large");
    for (size_t at = 0, end; at < text.size; at = end + (self->behind.size > 0 ? self->behind.size : 1)) {
        end = pair_end(self, text, at);
        if (unwrap(slice_of(text.data + at, end - at)).size > 0 && !put_pair(self, record, slice_of(text.data + at, end - at), map.map))
            return STANZA_FAILED;
    }
    if (map.map->count == 0)
        return stanza_fail(operator, "there are no pairs");
    return stanza_parser_finish(&self->parser, record, map);
}

const struct stanza_operator_type stanza_key_value_parser = { .name = "key_value_parser",
    .options = key_value_options,
    .size = sizeof(struct key_value_parser),
    .init = key_value_init,
    .process = key_value_process };
