/* What an expression is compiled to. Internal to the expression's files. */
#ifndef WEIR_STANZA_EXPRESSION_TREE_H
#define WEIR_STANZA_EXPRESSION_TREE_H

#include "collector/ottl/regex.h"
#include "collector/stanza/expression.h"

enum stanza_operation {
    EXPR_CONSTANT,
    EXPR_BODY,
    EXPR_ATTRIBUTES,
    EXPR_RESOURCE,
    EXPR_SEVERITY_TEXT,
    EXPR_SEVERITY_NUMBER,
    EXPR_MEMBER,          /* left[right] */
    EXPR_OPTIONAL_MEMBER, /* left?.right: nil where there is no map */
    EXPR_LIST,            /* of arguments */
    EXPR_NOT,
    EXPR_NEGATE,
    EXPR_AND,
    EXPR_OR,
    EXPR_OTHERWISE, /* ?? */
    EXPR_CHOICE,    /* left ? right : third */
    EXPR_EQUAL,
    EXPR_NOT_EQUAL,
    EXPR_LESS,
    EXPR_LESS_OR_EQUAL,
    EXPR_GREATER,
    EXPR_GREATER_OR_EQUAL,
    EXPR_ADD,
    EXPR_SUBTRACT,
    EXPR_MULTIPLY,
    EXPR_DIVIDE,
    EXPR_MODULO,
    EXPR_IN,
    EXPR_MATCHES,
    EXPR_CONTAINS,
    EXPR_STARTS_WITH,
    EXPR_ENDS_WITH,
    EXPR_CALL,
};

struct stanza_node;
typedef bool (*stanza_function)(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result);

enum { EXPR_ARGUMENTS_MAX = 64, EXPR_DEPTH_MAX = 100 };

struct stanza_node {
    enum stanza_operation operation;
    struct stanza_node *left, *right, *third;
    struct stanza_node **arguments; /* LIST, CALL */
    size_t count;
    struct stanza_value constant;
    stanza_function function;
    struct ottl_regex *regex; /* MATCHES with a constant; owned by the expression */
};

struct stanza_expression {
    struct stanza_node *root;
    struct ottl_regex **regexes; /* in the arena; what they point to is owned */
    size_t regex_count, regex_capacity;
};

/* NULL: there is no such function. */
stanza_function stanza_function_named(struct slice name, size_t *least, size_t *most);
bool stanza_evaluate_node(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value);

#endif
