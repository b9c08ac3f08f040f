/* Expressions run: a walk over the tree. Cost: a call a node. Threads: the evaluation's. */
#include <math.h>

#include "collector/stanza/expression_tree.h"

static bool misfit(struct stanza_evaluation *evaluation, const char *problem)
{
    evaluation->problem = problem;
    return false;
}

static bool evaluate_both(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value values[2])
{
    return stanza_evaluate_node(node->left, evaluation, &values[0]) && stanza_evaluate_node(node->right, evaluation, &values[1]);
}

static bool evaluate_bool(const struct stanza_node *node, struct stanza_evaluation *evaluation, bool *result)
{
    struct stanza_value value;

    if (!stanza_evaluate_node(node, evaluation, &value))
        return false;
    if (value.kind != STANZA_BOOL)
        return misfit(evaluation, "expected a bool in the expression");
    *result = value.integer != 0;
    return true;
}

/* ---- members ---- */

static bool item_at(struct stanza_evaluation *evaluation, const struct stanza_list *list, int64_t index, struct stanza_value *value)
{
    if (index < 0)
        index += (int64_t)list->count;
    if (index < 0 || index >= (int64_t)list->count)
        return misfit(evaluation, "an index is out of range");
    *value = list->items[index];
    return true;
}

static bool member(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value values[2];
    const struct stanza_value *there;

    if (!evaluate_both(node, evaluation, values))
        return false;
    *value = (struct stanza_value){ .kind = STANZA_NIL };
    if (values[0].kind == STANZA_LIST && values[1].kind == STANZA_INT)
        return item_at(evaluation, values[0].list, values[1].integer, value);
    if (values[0].kind == STANZA_MAP && values[1].kind == STANZA_STRING) {
        there = stanza_map_get(values[0].map, values[1].bytes);
        *value = there != NULL ? *there : *value;
        return true;
    }
    if (values[0].kind == STANZA_NIL && node->operation == EXPR_OPTIONAL_MEMBER)
        return true;
    return misfit(evaluation, values[0].kind == STANZA_NIL ? "a member of nil was asked for" : "a member was asked for of what has none");
}

static bool list(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value item;

    *value = stanza_list_create(evaluation->record->memory);
    for (size_t i = 0; value->kind == STANZA_LIST && i < node->count; i++) {
        if (!stanza_evaluate_node(node->arguments[i], evaluation, &item))
            return false;
        if (!stanza_list_add(evaluation->record->memory, value->list, item))
            return misfit(evaluation, "the record is too large");
    }
    return value->kind == STANZA_LIST || misfit(evaluation, "the record is too large");
}

/* ---- numbers and comparisons ---- */

static bool number_of(const struct stanza_value *value, double *number)
{
    *number = value->kind == STANZA_INT ? (double)value->integer : value->number;
    return value->kind == STANZA_INT || value->kind == STANZA_DOUBLE;
}

static bool compare(enum stanza_operation operation, int order)
{
    switch (operation) {
    case EXPR_LESS:
        return order < 0;
    case EXPR_LESS_OR_EQUAL:
        return order <= 0;
    case EXPR_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool ordered(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value values[2];
    double a, b;
    int order;

    if (!evaluate_both(node, evaluation, values))
        return false;
    if (values[0].kind == STANZA_STRING && values[1].kind == STANZA_STRING)
        order = slice_compare(values[0].bytes, values[1].bytes);
    else if (number_of(&values[0], &a) && number_of(&values[1], &b))
        order = (a > b) - (a < b);
    else
        return misfit(evaluation, "these two can't be ordered");
    *value = stanza_bool(compare(node->operation, order));
    return true;
}

static bool concatenate(struct stanza_evaluation *evaluation, const struct stanza_value values[2], struct stanza_value *value)
{
    size_t size = values[0].bytes.size + values[1].bytes.size;
    uint8_t *text = stanza_alloc(evaluation->record->memory, size + 1);

    if (text == NULL)
        return misfit(evaluation, "the record is too large");
    for (size_t i = 0, at = 0; i < 2; at += values[i++].bytes.size) {
        if (values[i].bytes.size > 0)
            memcpy(text + at, values[i].bytes.data, values[i].bytes.size);
    }
    *value = stanza_string(slice_of(text, size));
    return true;
}

static bool whole_numbers(enum stanza_operation operation, int64_t a, int64_t b, int64_t *result)
{
    switch (operation) {
    case EXPR_ADD:
        return !__builtin_add_overflow(a, b, result);
    case EXPR_SUBTRACT:
        return !__builtin_sub_overflow(a, b, result);
    case EXPR_MULTIPLY:
        return !__builtin_mul_overflow(a, b, result);
    default:
        *result = b == 0 || b == -1 ? 0 : a % b;
        return b != 0;
    }
}

static double fractions(enum stanza_operation operation, double a, double b)
{
    switch (operation) {
    case EXPR_ADD:
        return a + b;
    case EXPR_SUBTRACT:
        return a - b;
    case EXPR_MULTIPLY:
        return a * b;
    case EXPR_DIVIDE:
        return a / b;
    default:
        return fmod(a, b);
    }
}

static bool calculate(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value values[2];
    double a, b;

    if (!evaluate_both(node, evaluation, values))
        return false;
    if (node->operation == EXPR_ADD && values[0].kind == STANZA_STRING && values[1].kind == STANZA_STRING)
        return concatenate(evaluation, values, value);
    if (!number_of(&values[0], &a) || !number_of(&values[1], &b))
        return misfit(evaluation, "expected two numbers, or two strings to join");
    if (values[0].kind == STANZA_INT && values[1].kind == STANZA_INT && node->operation != EXPR_DIVIDE) {
        value->kind = STANZA_INT;
        return whole_numbers(node->operation, values[0].integer, values[1].integer, &value->integer) ||
               misfit(evaluation, "a number is out of range");
    }
    *value = stanza_double(fractions(node->operation, a, b));
    return true;
}

static bool negate(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    if (!stanza_evaluate_node(node->left, evaluation, value))
        return false;
    if (value->kind == STANZA_INT && value->integer != INT64_MIN)
        value->integer = -value->integer;
    else if (value->kind == STANZA_DOUBLE)
        value->number = -value->number;
    else
        return misfit(evaluation, "expected a number behind \"-\"");
    return true;
}

/* ---- texts ---- */

static bool is_within(const struct stanza_value *item, const struct stanza_value *all)
{
    if (all->kind == STANZA_MAP)
        return item->kind == STANZA_STRING && stanza_map_get(all->map, item->bytes) != NULL;
    for (size_t i = 0; all->kind == STANZA_LIST && i < all->list->count; i++) {
        if (stanza_value_equal(item, &all->list->items[i]))
            return true;
    }
    return false;
}

static bool compare_texts(enum stanza_operation operation, struct slice text, struct slice part)
{
    if (part.size > text.size)
        return false;
    if (part.size == 0)
        return true;
    if (operation == EXPR_STARTS_WITH)
        return memcmp(text.data, part.data, part.size) == 0;
    if (operation == EXPR_ENDS_WITH)
        return memcmp(text.data + text.size - part.size, part.data, part.size) == 0;
    return memmem(text.data, text.size, part.data, part.size) != NULL;
}

static bool texts(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value values[2];

    if (!evaluate_both(node, evaluation, values))
        return false;
    if (values[0].kind != STANZA_STRING || values[1].kind != STANZA_STRING) {
        /* nil is in no text, as the collector's expressions have it for what is not there */
        if (values[0].kind != STANZA_NIL)
            return misfit(evaluation, "expected two strings");
        *value = stanza_bool(false);
        return true;
    }
    *value = stanza_bool(compare_texts(node->operation, values[0].bytes, values[1].bytes));
    return true;
}

static bool matches(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value text;
    enum ottl_match match = OTTL_NO_MATCH;

    if (!stanza_evaluate_node(node->left, evaluation, &text))
        return false;
    if (text.kind == STANZA_STRING)
        match = ottl_regex_match(node->regex, evaluation->matcher, text.bytes, 0);
    else if (text.kind != STANZA_NIL)
        return misfit(evaluation, "matches takes a string");
    if (match == OTTL_MATCH_FAILED)
        return misfit(evaluation, "a match took too many steps");
    *value = stanza_bool(match == OTTL_MATCH);
    return true;
}

/* ---- all ---- */

static bool call(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value arguments[4] = { { .kind = STANZA_NIL }, { .kind = STANZA_NIL }, { .kind = STANZA_NIL }, { .kind = STANZA_NIL } };

    for (size_t i = 0; i < node->count; i++) {
        if (!stanza_evaluate_node(node->arguments[i], evaluation, &arguments[i]))
            return false;
    }
    return node->function(evaluation, arguments, value);
}

static bool logic(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    bool result;

    if (!evaluate_bool(node->left, evaluation, &result))
        return false;
    if (node->operation == EXPR_NOT)
        result = !result;
    else if (result == (node->operation == EXPR_AND) && !evaluate_bool(node->right, evaluation, &result))
        return false;
    *value = stanza_bool(result);
    return true;
}

static bool choose(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    bool first;

    if (node->operation == EXPR_CHOICE)
        return evaluate_bool(node->left, evaluation, &first) && stanza_evaluate_node(first ? node->right : node->third, evaluation, value);
    return stanza_evaluate_node(node->left, evaluation, value) &&
           (value->kind != STANZA_NIL || stanza_evaluate_node(node->right, evaluation, value));
}

static void read_record(enum stanza_operation operation, struct stanza_record *record, struct stanza_value *value)
{
    switch (operation) {
    case EXPR_BODY:
        *value = record->body;
        break;
    case EXPR_ATTRIBUTES:
        *value = (struct stanza_value){ .kind = STANZA_MAP, .map = &record->attributes };
        break;
    case EXPR_RESOURCE:
        *value = (struct stanza_value){ .kind = STANZA_MAP, .map = &record->resource };
        break;
    case EXPR_SEVERITY_TEXT:
        *value = stanza_string(record->severity_text);
        break;
    default:
        *value = stanza_int(record->severity);
        break;
    }
}

bool stanza_evaluate_node(const struct stanza_node *node, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    struct stanza_value values[2];

    switch (node->operation) {
    case EXPR_CONSTANT:
        *value = node->constant;
        return true;
    case EXPR_MEMBER:
    case EXPR_OPTIONAL_MEMBER:
        return member(node, evaluation, value);
    case EXPR_LIST:
        return list(node, evaluation, value);
    case EXPR_NOT:
    case EXPR_AND:
    case EXPR_OR:
        return logic(node, evaluation, value);
    case EXPR_NEGATE:
        return negate(node, evaluation, value);
    case EXPR_CHOICE:
    case EXPR_OTHERWISE:
        return choose(node, evaluation, value);
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
        if (!evaluate_both(node, evaluation, values))
            return false;
        *value = stanza_bool(stanza_value_equal(&values[0], &values[1]) == (node->operation == EXPR_EQUAL));
        return true;
    case EXPR_IN:
        if (!evaluate_both(node, evaluation, values))
            return false;
        *value = stanza_bool(is_within(&values[0], &values[1]));
        return true;
    case EXPR_LESS:
    case EXPR_LESS_OR_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_OR_EQUAL:
        return ordered(node, evaluation, value);
    case EXPR_ADD:
    case EXPR_SUBTRACT:
    case EXPR_MULTIPLY:
    case EXPR_DIVIDE:
    case EXPR_MODULO:
        return calculate(node, evaluation, value);
    case EXPR_MATCHES:
        return matches(node, evaluation, value);
    case EXPR_CONTAINS:
    case EXPR_STARTS_WITH:
    case EXPR_ENDS_WITH:
        return texts(node, evaluation, value);
    case EXPR_CALL:
        return call(node, evaluation, value);
    default:
        read_record(node->operation, evaluation->record, value);
        return true;
    }
}

bool stanza_evaluate(const struct stanza_expression *expression, struct stanza_evaluation *evaluation, struct stanza_value *value)
{
    return stanza_evaluate_node(expression->root, evaluation, value);
}

bool stanza_test(const struct stanza_expression *expression, struct stanza_evaluation *evaluation, bool *result)
{
    return evaluate_bool(expression->root, evaluation, result);
}
