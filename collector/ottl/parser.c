/*
 * OTTL's grammar: a recursive descent over tokens to a tree, with the position of each node.
 *
 * "(" may open a group of conditions or of numbers; what stands behind the ")" that closes it tells which. Limits: OTTL_DEPTH_MAX
 * levels of nesting. Threads: none; no state.
 */
#include "collector/ottl/parser.h"

#include <errno.h>
#include <stdlib.h>

#include "collector/ottl/lexer.h"
#include "collector/wire/encoding.h"

struct parser {
    struct ottl_token *tokens;
    size_t count, at;
    unsigned depth;
    struct arena *arena;
    struct error *err;
};

static struct ottl_node *parse_value(struct parser *parser);
static struct ottl_node *parse_or(struct parser *parser);

/* ---- tokens ---- */

static const struct ottl_token *peek(const struct parser *parser)
{
    return &parser->tokens[parser->at];
}

static bool is_mark(const struct ottl_token *token, char mark)
{
    return token->kind == TOKEN_MARK && token->text.data[0] == (uint8_t)mark;
}

static bool is_word(const struct ottl_token *token, const char *word)
{
    return token->kind == TOKEN_NAME && slice_equal_string(token->text, word);
}

static bool take_mark(struct parser *parser, char mark)
{
    if (!is_mark(peek(parser), mark))
        return false;
    parser->at++;
    return true;
}

static bool take_word(struct parser *parser, const char *word)
{
    if (!is_word(peek(parser), word))
        return false;
    parser->at++;
    return true;
}

static struct ottl_node *expected(struct parser *parser, const char *what)
{
    const struct ottl_token *token = peek(parser);

    if (token->kind == TOKEN_END)
        fail(parser->err, "at %zu: expected %s, found the end", token->offset + 1, what);
    else
        fail(parser->err, "at %zu: expected %s, found \"%.*s\"", token->offset + 1, what, SLICE_PRINT(token->source));
    return NULL;
}

static bool want_mark(struct parser *parser, char mark)
{
    char what[] = "\"?\"";

    if (take_mark(parser, mark))
        return true;
    what[1] = mark;
    expected(parser, what);
    return false;
}

static struct ottl_node *node_at(struct parser *parser, enum ottl_node_kind kind)
{
    struct ottl_node *node = arena_alloc(parser->arena, sizeof(*node));

    node->kind = kind;
    node->offset = peek(parser)->offset;
    return node;
}

static bool enter(struct parser *parser)
{
    if (++parser->depth <= OTTL_DEPTH_MAX)
        return true;
    return fail(parser->err, "at %zu: nested deeper than %d levels", peek(parser)->offset + 1, OTTL_DEPTH_MAX);
}

static bool is_upper(const struct ottl_token *token)
{
    return token->kind == TOKEN_NAME && token->text.data[0] >= 'A' && token->text.data[0] <= 'Z';
}

/* ---- values ---- */

/* "[" value "]"..., appended to *keys. */
static bool parse_keys(struct parser *parser, struct ottl_node **keys)
{
    while (take_mark(parser, '[')) {
        *keys = parse_value(parser);
        if (*keys == NULL || !want_mark(parser, ']'))
            return false;
        keys = &(*keys)->next;
    }
    return true;
}

static struct ottl_node *parse_path(struct parser *parser)
{
    struct ottl_node *path = node_at(parser, NODE_PATH), **last = &path->children;

    do {
        if (peek(parser)->kind != TOKEN_NAME || is_upper(peek(parser)))
            return expected(parser, "the name of a field");
        *last = node_at(parser, NODE_FIELD);
        (*last)->name = peek(parser)->text;
        parser->at++;
        if (!parse_keys(parser, &(*last)->keys))
            return NULL;
        last = &(*last)->next;
    } while (take_mark(parser, '.'));
    return path;
}

static struct ottl_node *parse_argument(struct parser *parser)
{
    const struct ottl_token *token = peek(parser);
    struct slice label = { NULL, 0 };
    struct ottl_node *argument;

    if (token->kind == TOKEN_NAME && is_mark(token + 1, '=')) {
        label = token->text;
        parser->at += 2;
    }
    argument = parse_value(parser);
    if (argument != NULL)
        argument->label = label;
    return argument;
}

/* Behind the name: "(" arguments ")" keys. */
static struct ottl_node *parse_call(struct parser *parser)
{
    struct ottl_node *call = node_at(parser, NODE_CALL), **last = &call->children;

    call->name = peek(parser)->text;
    parser->at++;
    if (!want_mark(parser, '('))
        return NULL;
    while (!take_mark(parser, ')')) {
        if (call->children != NULL && !want_mark(parser, ','))
            return NULL;
        *last = parse_argument(parser);
        if (*last == NULL)
            return NULL;
        last = &(*last)->next;
    }
    return parse_keys(parser, &call->keys) ? call : NULL;
}

static struct ottl_node *parse_list(struct parser *parser)
{
    struct ottl_node *list = node_at(parser, NODE_LIST), **last = &list->children;

    parser->at++;
    while (!take_mark(parser, ']')) {
        if (list->children != NULL && !want_mark(parser, ','))
            return NULL;
        *last = parse_value(parser);
        if (*last == NULL)
            return NULL;
        last = &(*last)->next;
    }
    return list;
}

static struct ottl_node *parse_map(struct parser *parser)
{
    struct ottl_node *map = node_at(parser, NODE_MAP), **last = &map->children;

    parser->at++;
    while (!take_mark(parser, '}')) {
        if (map->children != NULL && !want_mark(parser, ','))
            return NULL;
        if (peek(parser)->kind != TOKEN_STRING)
            return expected(parser, "a key in quotes, or \"}\"");
        struct slice key = peek(parser)->text;
        parser->at++;
        if (!want_mark(parser, ':'))
            return NULL;
        *last = parse_value(parser);
        if (*last == NULL)
            return NULL;
        (*last)->label = key;
        last = &(*last)->next;
    }
    return map;
}

static struct ottl_node *parse_name(struct parser *parser)
{
    const struct ottl_token *token = peek(parser);
    struct ottl_node *node;

    if (is_upper(token) && is_mark(token + 1, '('))
        return parse_call(parser);
    if (is_word(token, "nil") || is_word(token, "true") || is_word(token, "false")) {
        node = node_at(parser, NODE_LITERAL);
        if (!is_word(token, "nil"))
            node->value = ottl_bool(is_word(token, "true"));
        parser->at++;
        return node;
    }
    if (is_upper(token)) {
        node = node_at(parser, NODE_ENUM);
        node->name = token->text;
        parser->at++;
        return node;
    }
    if (is_mark(token + 1, '('))
        return expected(parser, "a value (an editor cannot be nested)");
    return parse_path(parser);
}

static struct ottl_node *parse_number(struct parser *parser)
{
    const struct ottl_token *token = peek(parser);
    struct ottl_node *node = node_at(parser, NODE_LITERAL);
    char *text = arena_string(parser->arena, token->text);

    errno = 0;
    node->value = token->kind == TOKEN_INT ? ottl_int(strtoll(text, NULL, 10)) : ottl_double(strtod(text, NULL));
    if (errno == ERANGE && token->kind == TOKEN_INT)
        return expected(parser, "an integer of 64 bits");
    parser->at++;
    return node;
}

static struct ottl_node *parse_bytes(struct parser *parser)
{
    const struct ottl_token *token = peek(parser);
    struct ottl_node *node = node_at(parser, NODE_LITERAL);
    struct slice digits = slice_of(token->text.data + 2, token->text.size - 2);
    uint8_t *bytes = arena_alloc(parser->arena, digits.size / 2 + 1);

    if (!encoding_read_hex(digits, bytes))
        return expected(parser, "an even number of hexadecimal digits");
    node->value = (struct ottl_value){ .kind = OTTL_BYTES, .bytes = { bytes, digits.size / 2 } };
    parser->at++;
    return node;
}

static struct ottl_node *parse_primary(struct parser *parser)
{
    const struct ottl_token *token = peek(parser);
    struct ottl_node *node;

    switch (token->kind) {
    case TOKEN_INT:
    case TOKEN_FLOAT:
        return parse_number(parser);
    case TOKEN_BYTES:
        return parse_bytes(parser);
    case TOKEN_STRING:
        node = node_at(parser, NODE_LITERAL);
        node->value = ottl_string(token->text);
        parser->at++;
        return node;
    case TOKEN_NAME:
        return parse_name(parser);
    default:
        break;
    }
    if (is_mark(token, '['))
        return parse_list(parser);
    if (is_mark(token, '{'))
        return parse_map(parser);
    if (!take_mark(parser, '('))
        return expected(parser, "a value");
    node = parse_value(parser);
    return node != NULL && want_mark(parser, ')') ? node : NULL;
}

static struct ottl_node *math(struct parser *parser, struct ottl_node *left, struct ottl_node *right)
{
    struct ottl_node *node = arena_alloc(parser->arena, sizeof(*node));

    *node = (struct ottl_node){ .kind = NODE_MATH, .offset = left->offset, .children = left };
    left->next = right;
    return node;
}

static struct ottl_node *parse_product(struct parser *parser)
{
    struct ottl_node *left = parse_primary(parser);

    while (left != NULL && (is_mark(peek(parser), '*') || is_mark(peek(parser), '/'))) {
        int operator= peek(parser)->text.data[0];
        parser->at++;
        struct ottl_node *right = parse_primary(parser);
        if (right == NULL)
            return NULL;
        left = math(parser, left, right);
        left->operator= operator;
    }
    return left;
}

static struct ottl_node *parse_sum(struct parser *parser)
{
    struct ottl_node *left = parse_product(parser);

    while (left != NULL && (is_mark(peek(parser), '+') || is_mark(peek(parser), '-'))) {
        int operator= peek(parser)->text.data[0];
        parser->at++;
        struct ottl_node *right = parse_product(parser);
        if (right == NULL)
            return NULL;
        left = math(parser, left, right);
        left->operator= operator;
    }
    return left;
}

static struct ottl_node *parse_value(struct parser *parser)
{
    struct ottl_node *node = enter(parser) ? parse_sum(parser) : NULL;

    parser->depth--;
    return node;
}

/* ---- conditions ---- */

/* The parser stands on "(": does it open a group of conditions, and not of numbers? */
static bool opens_conditions(const struct parser *parser)
{
    size_t at = parser->at, open = 0;

    for (; at < parser->count; at++) {
        if (is_mark(&parser->tokens[at], '('))
            open++;
        else if (is_mark(&parser->tokens[at], ')') && --open == 0)
            break;
    }
    const struct ottl_token *next = at < parser->count ? &parser->tokens[at + 1] : NULL;
    return next == NULL ||
           !(next->kind == TOKEN_COMPARISON || is_mark(next, '+') || is_mark(next, '-') || is_mark(next, '*') || is_mark(next, '/'));
}

static int comparison_of(struct slice text)
{
    static const char *const spellings[] = { "==", "!=", "<", "<=", ">", ">=" };
    int i = 0;

    while (!slice_equal_string(text, spellings[i]))
        i++;
    return i;
}

static struct ottl_node *parse_comparison(struct parser *parser)
{
    struct ottl_node *left = parse_value(parser), *node;

    if (left == NULL)
        return NULL;
    if (peek(parser)->kind != TOKEN_COMPARISON) {
        bool stands_alone = left->kind == NODE_CALL || (left->kind == NODE_LITERAL && left->value.kind == OTTL_BOOL);
        return stands_alone ? left : expected(parser, "one of ==, !=, <, <=, >, >=");
    }
    node = node_at(parser, NODE_COMPARE);
    node->operator= comparison_of(peek(parser)->text);
    parser->at++;
    node->children = left;
    left->next = parse_value(parser);
    return left->next != NULL ? node : NULL;
}

static struct ottl_node *parse_not(struct parser *parser)
{
    struct ottl_node *node;

    if (is_word(peek(parser), "not")) {
        node = node_at(parser, NODE_NOT);
        parser->at++;
        node->children = enter(parser) ? parse_not(parser) : NULL;
        parser->depth--;
        return node->children != NULL ? node : NULL;
    }
    if (!is_mark(peek(parser), '(') || !opens_conditions(parser))
        return parse_comparison(parser);
    parser->at++;
    node = parse_or(parser);
    return node != NULL && want_mark(parser, ')') ? node : NULL;
}

/* Operands of one operator as the children of one node. */
static struct ottl_node *parse_joined(
    struct parser *parser, enum ottl_node_kind kind, const char *word, struct ottl_node *(*parse)(struct parser *))
{
    struct ottl_node *first = parse(parser), *node, *last = first;

    if (first == NULL || !is_word(peek(parser), word))
        return first;
    node = node_at(parser, kind);
    node->children = first;
    while (take_word(parser, word)) {
        last->next = parse(parser);
        if (last->next == NULL)
            return NULL;
        last = last->next;
    }
    return node;
}

static struct ottl_node *parse_and(struct parser *parser)
{
    return parse_joined(parser, NODE_AND, "and", parse_not);
}

static struct ottl_node *parse_or(struct parser *parser)
{
    struct ottl_node *node = enter(parser) ? parse_joined(parser, NODE_OR, "or", parse_and) : NULL;

    parser->depth--;
    return node;
}

/* ---- entry points ---- */

static bool begin(struct parser *parser, struct slice text)
{
    parser->tokens = ottl_lex(text, parser->arena, &parser->count, parser->err);
    return parser->tokens != NULL;
}

static bool at_end(struct parser *parser, const char *what)
{
    return peek(parser)->kind == TOKEN_END || expected(parser, what) != NULL;
}

bool ottl_parse_condition(struct slice text, struct arena *arena, struct ottl_parsed *parsed, struct error *err)
{
    struct parser parser = { .arena = arena, .err = err };

    *parsed = (struct ottl_parsed){ NULL, NULL };
    if (!begin(&parser, text))
        return false;
    parsed->condition = parse_or(&parser);
    return parsed->condition != NULL && at_end(&parser, "\"and\", \"or\" or the end of the condition");
}

bool ottl_parse_statement(struct slice text, struct arena *arena, struct ottl_parsed *parsed, struct error *err)
{
    struct parser parser = { .arena = arena, .err = err };

    *parsed = (struct ottl_parsed){ NULL, NULL };
    if (!begin(&parser, text))
        return false;
    if (peek(&parser)->kind != TOKEN_NAME || is_upper(peek(&parser)))
        return expected(&parser, "the name of an editor, such as set") != NULL;
    parsed->editor = parse_call(&parser);
    if (parsed->editor == NULL)
        return false;
    if (parsed->editor->keys != NULL)
        return fail(err, "at %zu: only paths and converters may be indexed, not editors", parsed->editor->keys->offset + 1);
    if (!take_word(&parser, "where"))
        return at_end(&parser, "\"where\" or the end of the statement");
    parsed->condition = parse_or(&parser);
    return parsed->condition != NULL && at_end(&parser, "\"and\", \"or\" or the end of the statement");
}
