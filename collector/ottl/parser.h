/* OTTL's syntax tree. Internal to collector/ottl. */
#ifndef WEIR_OTTL_PARSER_H
#define WEIR_OTTL_PARSER_H

#include "collector/base/arena.h"
#include "collector/base/error.h"
#include "collector/ottl/value.h"

enum ottl_node_kind {
    NODE_LITERAL, /* value */
    NODE_ENUM,    /* name; of a function, as an argument */
    NODE_PATH,    /* children: NODE_FIELDs */
    NODE_FIELD,   /* name, keys */
    NODE_CALL,    /* name, children, keys */
    NODE_LIST,    /* children */
    NODE_MAP,     /* children, each with its label */
    NODE_MATH,    /* operator, two children */
    NODE_COMPARE, /* operator, two children */
    NODE_AND,     /* children */
    NODE_OR,      /* children */
    NODE_NOT,     /* one child */
};

struct ottl_node {
    enum ottl_node_kind kind;
    size_t offset;
    struct slice name;
    struct slice label; /* of a named argument, of a map's entry; data NULL: none */
    struct ottl_value value;
    int operator; /* '+' ...; enum ottl_comparison */
    struct ottl_node *children;
    struct ottl_node *keys; /* what stands in brackets behind it */
    struct ottl_node *next;
};

enum { OTTL_DEPTH_MAX = 64 };

struct ottl_parsed {
    struct ottl_node *editor;    /* NODE_CALL; NULL in a condition */
    struct ottl_node *condition; /* NULL: none */
};

/* Everything lives in the arena; the text is borrowed for as long. */
bool ottl_parse_statement(struct slice text, struct arena *arena, struct ottl_parsed *parsed, struct error *err);
bool ottl_parse_condition(struct slice text, struct arena *arena, struct ottl_parsed *parsed, struct error *err);

#endif
