/*
 * From tree to program: paths, functions and enums resolved, constant patterns compiled, expressions without a path evaluated once.
 *
 * Start-up only; memory that runs out ends the process. Threads: one.
 */
#include <stdlib.h>

#include "collector/ottl/program.h"

static bool fail_at(struct error *err, const struct ottl_node *node, const char *what, struct slice name)
{
    return fail(err, "at %zu: %s \"%.*s\"", node->offset + 1, what, SLICE_PRINT(name));
}

static struct ottl_expression *make(struct ottl *program)
{
    return arena_alloc(&program->arena, sizeof(struct ottl_expression));
}

static size_t count_nodes(const struct ottl_node *node)
{
    size_t count = 0;

    for (; node != NULL; node = node->next)
        count++;
    return count;
}

/* An expression for each node of the list; NULL with an error. */
static const struct ottl_expression **compile_all(struct ottl *program, const struct ottl_node *node, struct error *err)
{
    const struct ottl_expression **all = arena_alloc(&program->arena, (count_nodes(node) + 1) * sizeof(struct ottl_expression *));

    for (size_t i = 0; node != NULL; i++, node = node->next) {
        all[i] = ottl_compile(program, node, err);
        if (all[i] == NULL)
            return NULL;
    }
    return all;
}

/* ---- folding ---- */

static bool keep_constant(struct ottl *program, struct ottl_value *value)
{
    if (value->bytes.size > 0)
        value->bytes = slice_of(arena_string(&program->arena, value->bytes), value->bytes.size);
    return true;
}

/* Evaluates an expression whose operands are constants; one that fails stays, to fail on records. */
static void fold(struct ottl *program, struct ottl_expression *expression)
{
    struct ottl_value value;

    ottl_machine_reset(program->folder);
    if (expression->evaluate(expression, program->folder, &value) && keep_constant(program, &value)) {
        expression->value = value;
        expression->constant = true;
    }
}

static bool all_constant(const struct ottl_expression *const *operands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!operands[i]->constant)
            return false;
    }
    return true;
}

static const struct ottl_expression *compile_operands(struct ottl *program, const struct ottl_node *node, struct error *err)
{
    struct ottl_expression *expression = make(program);

    expression->operator= node->operator;
    expression->count = count_nodes(node->children);
    expression->operands = compile_all(program, node->children, err);
    if (expression->operands == NULL)
        return NULL;
    switch (node->kind) {
    case NODE_LIST:
        expression->evaluate = ottl_evaluate_list;
        break;
    case NODE_MATH:
        expression->evaluate = ottl_evaluate_math;
        break;
    case NODE_COMPARE:
        expression->evaluate = ottl_evaluate_comparison;
        break;
    case NODE_NOT:
        expression->evaluate = ottl_evaluate_not;
        break;
    default:
        expression->evaluate = ottl_evaluate_joined;
        expression->operator= node->kind == NODE_AND ? 'a' : 'o';
        break;
    }
    if (all_constant(expression->operands, expression->count))
        fold(program, expression);
    return expression;
}

static const struct ottl_expression *compile_map(struct ottl *program, const struct ottl_node *node, struct error *err)
{
    struct ottl_expression *expression = make(program);
    struct slice *labels;
    size_t i = 0;

    expression->count = count_nodes(node->children);
    expression->operands = compile_all(program, node->children, err);
    if (expression->operands == NULL)
        return NULL;
    labels = arena_alloc(&program->arena, (expression->count + 1) * sizeof(*labels));
    for (const struct ottl_node *child = node->children; child != NULL; child = child->next)
        labels[i++] = child->label;
    expression->labels = labels;
    expression->evaluate = ottl_evaluate_map;
    if (all_constant(expression->operands, expression->count))
        fold(program, expression);
    return expression;
}

/* ---- paths ---- */

/* A context may use its own names, and those of what is around it. */
static bool sees(enum ottl_context own, enum ottl_context other)
{
    switch (own) {
    case OTTL_SPANEVENT:
        return other <= OTTL_SPANEVENT;
    case OTTL_DATAPOINT:
        return other == OTTL_DATAPOINT || other == OTTL_METRIC || other <= OTTL_SCOPE;
    case OTTL_EXEMPLAR:
        return other == OTTL_EXEMPLAR || other == OTTL_DATAPOINT || other == OTTL_METRIC || other <= OTTL_SCOPE;
    case OTTL_RESOURCE:
        return other == OTTL_RESOURCE;
    default:
        return other == own || other <= OTTL_SCOPE;
    }
}

/* Takes the context's name off the front of the path. */
static bool path_context(
    const struct ottl *program, const struct ottl_node *path, const struct ottl_node **first, enum ottl_context *context, struct error *err)
{
    const struct ottl_node *field = path->children;

    *first = field;
    *context = program->context;
    if (field->next != NULL && field->keys == NULL && ottl_context_of(field->name, context)) {
        *first = field->next;
        if (!sees(program->context, *context))
            return fail(err, "at %zu: context \"%s\" cannot see \"%.*s\"", path->offset + 1, ottl_context_name(program->context),
                SLICE_PRINT(field->name));
        return true;
    }
    if (!program->qualified)
        return true;
    if (field->keys != NULL && field->keys->kind == NODE_LITERAL && field->keys->value.kind == OTTL_STRING)
        return fail(err, "at %zu: missing context name for path \"%.*s[%.*s]\", write \"%s.%.*s\"", path->offset + 1,
            SLICE_PRINT(field->name), SLICE_PRINT(field->keys->value.bytes), ottl_context_name(program->context), SLICE_PRINT(field->name));
    return fail(err, "at %zu: missing context name for path \"%.*s\", write \"%s.%.*s\"", path->offset + 1, SLICE_PRINT(field->name),
        ottl_context_name(program->context), SLICE_PRINT(field->name));
}

static bool may_be_indexed(enum ottl_field_kind kind)
{
    return kind == FIELD_ATTRIBUTES || kind == FIELD_ANY || kind == FIELD_CACHE || kind == FIELD_TRACE_STATE;
}

static const struct ottl_path *compile_path(struct ottl *program, const struct ottl_node *node, struct error *err)
{
    struct ottl_path *path = arena_alloc(&program->arena, sizeof(*path));
    struct buffer name = { .data = NULL };
    const struct ottl_node *field;
    enum ottl_context context;

    if (!path_context(program, node, &field, &context, err))
        return NULL;
    for (const struct ottl_node *part = field; part != NULL; field = part, part = part->next) {
        if (name.size > 0)
            buffer_append_byte(&name, '.');
        buffer_append_slice(&name, part->name);
    }
    path->level = ottl_level_of(context);
    path->field = ottl_find_field(context, buffer_slice(&name));
    if (path->field == NULL)
        fail(err, "at %zu: context \"%s\" has no field \"%.*s\"", node->offset + 1, ottl_context_name(context), (int)name.size,
            (const char *)name.data);
    buffer_fini(&name);
    if (path->field == NULL)
        return NULL;
    path->key_count = count_nodes(field->keys);
    if (path->key_count > 0 && !may_be_indexed(path->field->kind)) {
        fail_at(err, field, "there is nothing to index in", field->name);
        return NULL;
    }
    path->keys = compile_all(program, field->keys, err);
    if (path->keys == NULL)
        return NULL;
    if (path->key_count > 0 && path->keys[0]->constant && path->keys[0]->value.kind == OTTL_STRING)
        path->key = path->keys[0]->value.bytes.data != NULL ? path->keys[0]->value.bytes : SLICE("");
    return path;
}

/* ---- calls ---- */

/* One parameter of the list: "?name:kind". */
struct parameter {
    struct slice name;
    struct slice kind;
    bool optional;
};

static size_t read_parameters(const char *text, struct parameter out[OTTL_ARGUMENTS_MAX])
{
    size_t count = 0;
    bool optional = false;

    while (*text != '\0') {
        size_t size = strcspn(text, ","), name;
        optional = optional || *text == '?';
        if (*text == '?') {
            text++;
            size--;
        }
        name = strcspn(text, ":");
        out[count++] = (struct parameter){ slice_of(text, name), slice_of(text + name + 1, size - name - 1), optional };
        text += size + (text[size] == ',');
    }
    return count;
}

/* The program frees it. NULL stays NULL. */
static const struct ottl_regex *own_regex(struct ottl *program, struct ottl_regex *regex)
{
    struct ottl_owned_regex *owned = arena_alloc(&program->arena, sizeof(*owned));

    owned->regex = regex;
    owned->next = program->regexes;
    program->regexes = owned;
    return regex;
}

static bool compile_function_argument(struct ottl *program, struct ottl_call *call, const struct ottl_node *node, struct error *err)
{
    struct ottl_call *inner = arena_alloc(&program->arena, sizeof(*inner));

    call->applied = node->kind == NODE_ENUM ? ottl_find_function(node->name, false) : NULL;
    if (call->applied == NULL)
        return fail_at(err, node, "expected the name of a converter, found", node->name);
    inner->function = call->applied;
    inner->context = program->context;
    call->inner = inner;
    return true;
}

static bool compile_argument(struct ottl *program, struct ottl_call *call, const struct parameter *parameter, const struct ottl_node *node,
    size_t index, struct error *err)
{
    if (slice_equal_string(parameter->kind, "function"))
        return compile_function_argument(program, call, node, err);
    if (slice_equal_string(parameter->kind, "path") && node->kind != NODE_PATH)
        return fail(err, "at %zu: %.*s: expected a path, as in attributes[\"key\"]", node->offset + 1, SLICE_PRINT(parameter->name));
    call->arguments[index] = ottl_compile(program, node, err);
    if (call->arguments[index] == NULL)
        return false;
    if (slice_equal_string(parameter->kind, "literal") && !call->arguments[index]->constant)
        return fail(err, "at %zu: %.*s: expected a constant", node->offset + 1, SLICE_PRINT(parameter->name));
    if (slice_equal_string(parameter->kind, "regex") && call->arguments[index]->constant) {
        if (call->arguments[index]->value.kind != OTTL_STRING)
            return fail(err, "at %zu: %.*s: expected a string", node->offset + 1, SLICE_PRINT(parameter->name));
        call->regex = own_regex(program, ottl_regex_create(call->arguments[index]->value.bytes, err));
        if (call->regex == NULL)
            return fail_within(err, "at %zu", node->offset + 1);
    }
    return true;
}

/* The parameter of a named argument; `count` when there is none. */
static size_t find_parameter(const struct parameter *parameters, size_t count, struct slice name)
{
    size_t i = 0;

    while (i < count && !slice_equal(parameters[i].name, name))
        i++;
    return i;
}

static bool compile_arguments(struct ottl *program, struct ottl_call *call, const struct ottl_node *node, struct error *err)
{
    struct parameter parameters[OTTL_ARGUMENTS_MAX];
    size_t count = read_parameters(call->function->parameters, parameters), position = 0;
    bool given[OTTL_ARGUMENTS_MAX] = { false };

    for (const struct ottl_node *argument = node->children; argument != NULL; argument = argument->next) {
        size_t index = argument->label.data != NULL ? find_parameter(parameters, count, argument->label) : position++;
        if (argument->label.data != NULL && index == count)
            return fail_at(err, argument, "there is no parameter", argument->label);
        if (index >= count)
            return fail(err, "at %zu: %s takes at most %zu arguments", argument->offset + 1, call->function->name, count);
        if (given[index])
            return fail_at(err, argument, "given twice: parameter", parameters[index].name);
        given[index] = true;
        if (!compile_argument(program, call, &parameters[index], argument, index, err))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!given[i] && !parameters[i].optional)
            return fail(
                err, "at %zu: %s: missing argument \"%.*s\"", node->offset + 1, call->function->name, SLICE_PRINT(parameters[i].name));
    }
    return true;
}

static bool find_function(
    const struct ottl *program, const struct ottl_node *node, bool editor, const struct ottl_function **function, struct error *err)
{
    *function = ottl_find_function(node->name, editor);
    if (*function == NULL)
        return fail_at(err, node, "undefined function", node->name);
    if ((*function)->contexts != 0 && ((*function)->contexts & 1u << program->context) == 0)
        return fail(
            err, "at %zu: %s cannot be used in context \"%s\"", node->offset + 1, (*function)->name, ottl_context_name(program->context));
    return true;
}

const struct ottl_call *ottl_compile_call(struct ottl *program, const struct ottl_node *node, bool editor, struct error *err)
{
    struct ottl_call *call = arena_alloc(&program->arena, sizeof(*call));

    call->context = program->context;
    if (!find_function(program, node, editor, &call->function, err) || !compile_arguments(program, call, node, err))
        return NULL;
    bool prepared = call->function->prepare == NULL || call->function->prepare(call, &program->arena, err);
    own_regex(program, call->owned_regex);
    if (!prepared) {
        fail_within(err, "at %zu: %s", node->offset + 1, call->function->name);
        return NULL;
    }
    return call;
}

static const struct ottl_expression *compile_call(struct ottl *program, const struct ottl_node *node, struct error *err)
{
    struct ottl_expression *expression = make(program);
    bool foldable;

    expression->evaluate = ottl_evaluate_call;
    expression->call = ottl_compile_call(program, node, false, err);
    if (expression->call == NULL)
        return NULL;
    expression->count = count_nodes(node->keys);
    expression->operands = compile_all(program, node->keys, err);
    if (expression->operands == NULL)
        return NULL;
    foldable = !expression->call->function->impure && all_constant(expression->operands, expression->count);
    for (size_t i = 0; i < OTTL_ARGUMENTS_MAX; i++)
        foldable = foldable && (expression->call->arguments[i] == NULL || expression->call->arguments[i]->constant);
    if (foldable)
        fold(program, expression);
    return expression;
}

/* ---- nodes ---- */

static const struct ottl_expression *constant(struct ottl *program, struct ottl_value value)
{
    struct ottl_expression *expression = make(program);

    expression->constant = true;
    expression->value = value;
    return expression;
}

const struct ottl_expression *ottl_compile(struct ottl *program, const struct ottl_node *node, struct error *err)
{
    struct ottl_expression *expression;
    int64_t number;

    switch (node->kind) {
    case NODE_LITERAL:
        return constant(program, node->value);
    case NODE_ENUM:
        if (ottl_find_enum(program->context, node->name, &number))
            return constant(program, ottl_int(number));
        fail_at(err, node, "unknown enum symbol", node->name);
        return NULL;
    case NODE_PATH:
        expression = make(program);
        expression->evaluate = ottl_evaluate_path;
        expression->path = compile_path(program, node, err);
        return expression->path != NULL ? expression : NULL;
    case NODE_CALL:
        return compile_call(program, node, err);
    case NODE_MAP:
        return compile_map(program, node, err);
    default:
        return compile_operands(program, node, err);
    }
}
