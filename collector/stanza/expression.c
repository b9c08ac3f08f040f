/* Expressions: from text to a tree, by precedence climbing. Limits: EXPR_DEPTH_MAX levels. Threads: none; no state. */
#include "collector/stanza/expression.h"

#include <ctype.h>
#include <stdlib.h>

#include "collector/config/scalar.h"
#include "collector/stanza/expression_tree.h"
#include "collector/wire/decimal.h"

enum token_kind { END, NAME, STRING, NUMBER, MARK };

struct token {
    enum token_kind kind;
    struct slice text;
    const char *at;
};

struct parser {
    struct arena *arena;
    const char *text, *at; /* at: behind the token */
    struct token token;
    struct stanza_expression *expression;
    unsigned depth;
    struct error *err;
};

static struct stanza_node *parse_expression(struct parser *parser, int least);

static struct stanza_node *refuse(struct parser *parser, const char *why)
{
    fail(parser->err, "expression \"%s\": %s at \"%.40s\"", parser->text, why, parser->token.at);
    return NULL;
}

/* ---- tokens ---- */

static bool read_string(struct parser *parser)
{
    char quote = *parser->at;
    struct buffer plain = { 0 };
    const char *at = parser->at + 1;

    for (; *at != '\0' && *at != quote; at++) {
        if (*at != '\\' || quote == '`') {
            buffer_append_byte(&plain, (uint8_t)*at);
            continue;
        }
        at++;
        if (*at == '\0')
            break;
        const char *found = strchr("ntr", *at);
        buffer_append_byte(&plain, found != NULL ? (uint8_t) "\n\t\r"[found - "ntr"] : (uint8_t)*at);
    }
    parser->token.kind = STRING;
    parser->token.text = slice_of(arena_string(parser->arena, buffer_slice(&plain)), plain.size);
    buffer_fini(&plain);
    if (*at != quote)
        return refuse(parser, "a quote is missing") != NULL;
    parser->at = at + 1;
    return true;
}

static bool advance(struct parser *parser)
{
    static const char *const doubles[] = { "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "**", "..", "|>" };
    const char *start;

    while (isspace((unsigned char)*parser->at))
        parser->at++;
    start = parser->at;
    parser->token = (struct token){ END, slice_of(start, 0), start };
    if (*start == '\0')
        return true;
    if (*start == '"' || *start == '\'' || *start == '`')
        return read_string(parser);
    parser->token.kind = MARK;
    if (isalpha((unsigned char)*start) || *start == '_' || *start == '$') {
        parser->token.kind = NAME;
        for (parser->at++; isalnum((unsigned char)*parser->at) || *parser->at == '_';)
            parser->at++;
    } else if (isdigit((unsigned char)*start)) {
        parser->token.kind = NUMBER;
        while (isalnum((unsigned char)*parser->at) || *parser->at == '.' || *parser->at == '_')
            parser->at++;
    } else {
        parser->at++;
        for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]) && parser->at == start + 1; i++)
            parser->at += strncmp(start, doubles[i], 2) == 0;
    }
    parser->token.text = slice_of(start, (size_t)(parser->at - start));
    return true;
}

static bool is_token(const struct parser *parser, const char *text)
{
    return (parser->token.kind == MARK || parser->token.kind == NAME) && slice_equal_string(parser->token.text, text);
}

static bool expect(struct parser *parser, const char *text)
{
    if (is_token(parser, text))
        return advance(parser);
    fail(parser->err, "expression \"%s\": expected \"%s\" at \"%.40s\"", parser->text, text, parser->token.at);
    return false;
}

/* ---- nodes ---- */

static struct stanza_node *node_of(
    struct parser *parser, enum stanza_operation operation, struct stanza_node *left, struct stanza_node *right)
{
    struct stanza_node *node = arena_alloc(parser->arena, sizeof(*node));

    node->operation = operation;
    node->left = left;
    node->right = right;
    return node;
}

static struct stanza_node *constant_of(struct parser *parser, struct stanza_value value)
{
    struct stanza_node *node = node_of(parser, EXPR_CONSTANT, NULL, NULL);

    node->constant = value;
    return node;
}

static struct stanza_node *parse_number(struct parser *parser)
{
    const char *text = arena_string(parser->arena, parser->token.text);
    struct stanza_value value;

    if (scalar_parse_int(text, &value.integer))
        value.kind = STANZA_INT;
    else if (scalar_parse_float(text, &value.number))
        value.kind = STANZA_DOUBLE;
    else
        return refuse(parser, "expected a number");
    return advance(parser) ? constant_of(parser, value) : NULL;
}

/* Up to the closing mark. */
static bool parse_arguments(struct parser *parser, struct stanza_node *node, const char *closing)
{
    struct stanza_node *arguments[EXPR_ARGUMENTS_MAX];

    while (!is_token(parser, closing)) {
        if (node->count == EXPR_ARGUMENTS_MAX)
            return refuse(parser, "too many values") != NULL;
        arguments[node->count] = parse_expression(parser, 0);
        if (arguments[node->count++] == NULL)
            return false;
        if (!is_token(parser, closing) && !expect(parser, ","))
            return false;
    }
    node->arguments = arena_alloc(parser->arena, (node->count + 1) * sizeof(*arguments));
    memcpy(node->arguments, arguments, node->count * sizeof(*arguments));
    return advance(parser);
}

/* env() is what the environment says when the expression is read. */
static struct stanza_node *fold_env(struct parser *parser, struct stanza_node *node)
{
    const char *value;

    if (node->count != 1 || node->arguments[0]->operation != EXPR_CONSTANT || node->arguments[0]->constant.kind != STANZA_STRING)
        return refuse(parser, "env() takes one string constant, before this");
    value = getenv((const char *)node->arguments[0]->constant.bytes.data);
    return constant_of(parser, stanza_string(slice_of_string(value != NULL ? arena_string(parser->arena, slice_of_string(value)) : "")));
}

static struct stanza_node *parse_call(struct parser *parser, struct slice name)
{
    struct stanza_node *node = node_of(parser, EXPR_CALL, NULL, NULL);
    size_t least = 0, most = 0;

    node->function = stanza_function_named(name, &least, &most);
    if (node->function == NULL && !slice_equal_string(name, "env")) {
        fail(parser->err, "expression \"%s\": the function \"%.*s\" is not supported", parser->text, SLICE_PRINT(name));
        return NULL;
    }
    if (!advance(parser) || !parse_arguments(parser, node, ")"))
        return NULL;
    if (node->function == NULL)
        return fold_env(parser, node);
    if (node->count < least || node->count > most) {
        fail(parser->err, "expression \"%s\": %.*s() does not take %zu arguments", parser->text, SLICE_PRINT(name), node->count);
        return NULL;
    }
    return node;
}

static struct stanza_node *parse_name(struct parser *parser)
{
    static const struct {
        const char *name;
        enum stanza_operation operation;
    } roots[] = { { "body", EXPR_BODY }, { "$body", EXPR_BODY }, { "attributes", EXPR_ATTRIBUTES }, { "$attributes", EXPR_ATTRIBUTES },
        { "resource", EXPR_RESOURCE }, { "$resource", EXPR_RESOURCE }, { "severity_text", EXPR_SEVERITY_TEXT },
        { "severity_number", EXPR_SEVERITY_NUMBER } };
    struct token token = parser->token;

    if (!advance(parser))
        return NULL;
    if (is_token(parser, "("))
        return parse_call(parser, token.text);
    if (slice_equal_string(token.text, "true") || slice_equal_string(token.text, "false"))
        return constant_of(parser, stanza_bool(token.text.size == 4));
    if (slice_equal_string(token.text, "nil") || slice_equal_string(token.text, "null"))
        return constant_of(parser, (struct stanza_value){ .kind = STANZA_NIL });
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        if (slice_equal_string(token.text, roots[i].name))
            return node_of(parser, roots[i].operation, NULL, NULL);
    }
    parser->token = token;
    return refuse(parser, "an unknown name (there are body, attributes, resource, severity_text and severity_number)");
}

static struct stanza_node *parse_primary(struct parser *parser)
{
    struct stanza_node *node;

    switch (parser->token.kind) {
    case STRING:
        node = constant_of(parser, stanza_string(parser->token.text));
        return advance(parser) ? node : NULL;
    case NUMBER:
        return parse_number(parser);
    case NAME:
        return parse_name(parser);
    default:
        break;
    }
    if (is_token(parser, "(")) {
        node = advance(parser) ? parse_expression(parser, 0) : NULL;
        return node != NULL && expect(parser, ")") ? node : NULL;
    }
    if (is_token(parser, "[")) {
        node = node_of(parser, EXPR_LIST, NULL, NULL);
        return advance(parser) && parse_arguments(parser, node, "]") ? node : NULL;
    }
    return refuse(parser, parser->token.kind == END ? "expected a value" : "expected a value (or what stands here is not supported)");
}

static struct stanza_node *parse_bracket(struct parser *parser, struct stanza_node *node)
{
    struct stanza_node *key;

    if (!advance(parser))
        return NULL;
    key = parse_expression(parser, 0);
    if (key == NULL)
        return NULL;
    if (is_token(parser, ":"))
        return refuse(parser, "slices are not supported");
    return expect(parser, "]") ? node_of(parser, EXPR_MEMBER, node, key) : NULL;
}

static struct stanza_node *parse_postfix(struct parser *parser)
{
    struct stanza_node *node = parse_primary(parser);

    while (node != NULL && parser->token.kind == MARK) {
        bool optional = is_token(parser, "?.");
        if (is_token(parser, "[")) {
            node = parse_bracket(parser, node);
        } else if (optional || is_token(parser, ".")) {
            if (!advance(parser))
                return NULL;
            if (optional && is_token(parser, "["))
                continue;
            if (parser->token.kind != NAME)
                return refuse(parser, "expected a key");
            node = node_of(
                parser, optional ? EXPR_OPTIONAL_MEMBER : EXPR_MEMBER, node, constant_of(parser, stanza_string(parser->token.text)));
            if (!advance(parser))
                return NULL;
        } else {
            break;
        }
    }
    return node;
}

static struct stanza_node *parse_unary(struct parser *parser)
{
    enum stanza_operation operation = is_token(parser, "-") ? EXPR_NEGATE : EXPR_NOT;
    struct stanza_node *node;

    if (!is_token(parser, "-") && !is_token(parser, "!") && !is_token(parser, "not"))
        return parse_postfix(parser);
    if (++parser->depth > EXPR_DEPTH_MAX)
        return refuse(parser, "nested too deep");
    node = advance(parser) ? parse_unary(parser) : NULL;
    parser->depth--;
    return node != NULL ? node_of(parser, operation, node, NULL) : NULL;
}

/* ---- binary operators ---- */

static const struct binary {
    const char *text;
    int precedence;
    enum stanza_operation operation;
} binaries[] = {
    { "or", 10, EXPR_OR },
    { "||", 10, EXPR_OR },
    { "and", 15, EXPR_AND },
    { "&&", 15, EXPR_AND },
    { "==", 20, EXPR_EQUAL },
    { "!=", 20, EXPR_NOT_EQUAL },
    { "<", 20, EXPR_LESS },
    { "<=", 20, EXPR_LESS_OR_EQUAL },
    { ">", 20, EXPR_GREATER },
    { ">=", 20, EXPR_GREATER_OR_EQUAL },
    { "in", 20, EXPR_IN },
    { "matches", 20, EXPR_MATCHES },
    { "contains", 20, EXPR_CONTAINS },
    { "startsWith", 20, EXPR_STARTS_WITH },
    { "endsWith", 20, EXPR_ENDS_WITH },
    { "+", 30, EXPR_ADD },
    { "-", 30, EXPR_SUBTRACT },
    { "*", 60, EXPR_MULTIPLY },
    { "/", 60, EXPR_DIVIDE },
    { "%", 60, EXPR_MODULO },
    { "??", 500, EXPR_OTHERWISE },
};

static const struct binary *binary_at(const struct parser *parser)
{
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
        if (is_token(parser, binaries[i].text))
            return &binaries[i];
    }
    return NULL;
}

static bool compile_pattern(struct parser *parser, struct stanza_node *node)
{
    struct stanza_expression *expression = parser->expression;

    if (node->operation != EXPR_MATCHES)
        return true;
    if (node->right->operation != EXPR_CONSTANT || node->right->constant.kind != STANZA_STRING)
        return refuse(parser, "matches takes a string constant, before this") != NULL;
    if (expression->regex_count == EXPR_ARGUMENTS_MAX)
        return refuse(parser, "too many patterns") != NULL;
    if (expression->regexes == NULL)
        expression->regexes = arena_alloc(parser->arena, EXPR_ARGUMENTS_MAX * sizeof(*expression->regexes));
    node->regex = ottl_regex_create(node->right->constant.bytes, parser->err);
    if (node->regex == NULL)
        return false;
    expression->regexes[expression->regex_count++] = node->regex;
    return true;
}

static struct stanza_node *parse_binary(struct parser *parser, struct stanza_node *left, int least)
{
    const struct binary *binary;

    while (left != NULL) {
        struct parser before = *parser;
        bool negated = is_token(parser, "not");
        if (negated && !advance(parser))
            return NULL;
        binary = binary_at(parser);
        if (binary == NULL || binary->precedence < least || (negated && binary->precedence != 20)) {
            unsigned depth = parser->depth;
            *parser = before;
            parser->depth = depth;
            return left;
        }
        if (!advance(parser))
            return NULL;
        struct stanza_node *right = parse_expression(parser, binary->precedence + 1);
        if (right == NULL)
            return NULL;
        left = node_of(parser, binary->operation, left, right);
        if (!compile_pattern(parser, left))
            return NULL;
        if (negated)
            left = node_of(parser, EXPR_NOT, left, NULL);
    }
    return left;
}

static struct stanza_node *parse_choice(struct parser *parser, struct stanza_node *condition)
{
    struct stanza_node *node = node_of(parser, EXPR_CHOICE, condition, NULL);

    if (!advance(parser))
        return NULL;
    node->right = parse_expression(parser, 0);
    if (node->right == NULL || !expect(parser, ":"))
        return NULL;
    node->third = parse_expression(parser, 0);
    return node->third != NULL ? node : NULL;
}

static struct stanza_node *parse_expression(struct parser *parser, int least)
{
    struct stanza_node *node;

    if (++parser->depth > EXPR_DEPTH_MAX)
        return refuse(parser, "nested too deep");
    node = parse_binary(parser, parse_unary(parser), least);
    if (node != NULL && least == 0 && is_token(parser, "?"))
        node = parse_choice(parser, node);
    parser->depth--;
    return node;
}

struct stanza_expression *stanza_expression_create(struct arena *arena, const char *text, struct error *err)
{
    struct parser parser = { .arena = arena, .text = text, .at = text, .err = err };

    parser.expression = arena_alloc(arena, sizeof(*parser.expression));
    if (advance(&parser))
        parser.expression->root = parse_expression(&parser, 0);
    if (parser.expression->root != NULL && parser.token.kind != END)
        parser.expression->root = refuse(&parser, "this is not supported");
    if (parser.expression->root != NULL)
        return parser.expression;
    stanza_expression_destroy(parser.expression);
    return NULL;
}

void stanza_expression_destroy(struct stanza_expression *expression)
{
    if (expression == NULL)
        return;
    for (size_t i = 0; i < expression->regex_count; i++)
        ottl_regex_destroy(expression->regexes[i]);
    expression->regex_count = 0;
}
