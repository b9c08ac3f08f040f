/*
 * Programs: made, filled with statements, freed; and the context that a group of texts means.
 *
 * Start-up only. Threads: one, until the program is run.
 */
#include "collector/ottl/program.h"

#include <stdlib.h>

struct ottl *ottl_create(enum ottl_context context, bool qualified)
{
    struct ottl *program = calloc(1, sizeof(*program));

    if (program == NULL)
        abort();
    program->context = context;
    program->qualified = qualified;
    program->folder = ottl_machine_create(NULL, NULL);
    if (program->folder == NULL)
        abort();
    return program;
}

void ottl_destroy(struct ottl *program)
{
    if (program == NULL)
        return;
    for (struct ottl_owned_regex *owned = program->regexes; owned != NULL; owned = owned->next)
        ottl_regex_destroy(owned->regex);
    ottl_machine_destroy(program->folder);
    arena_fini(&program->arena);
    free(program);
}

enum ottl_context ottl_context_of_program(const struct ottl *program)
{
    return program->context;
}

/* ---- functions by name ---- */

const struct ottl_function *ottl_find_function(struct slice name, bool editor)
{
    static const struct ottl_function *const tables[] = { ottl_editors, ottl_map_functions, ottl_text_functions, ottl_type_functions,
        ottl_time_functions, ottl_hash_functions, ottl_parse_functions, ottl_regex_functions, ottl_case_functions, ottl_metric_functions,
        ottl_xml_functions, ottl_extract_functions, ottl_aggregate_functions, ottl_derive_functions };

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct ottl_function *function = tables[i]; function->name != NULL; function++) {
            if (slice_equal_string(name, function->name) && function->editor == editor)
                return function;
        }
    }
    return NULL;
}

/* ---- statements ---- */

static struct ottl_statement *make_statement(struct ottl *program, const char *text)
{
    struct ottl_statement *statement = arena_alloc(&program->arena, sizeof(*statement));

    statement->text = arena_string(&program->arena, slice_of_string(text));
    return statement;
}

static bool yields_bool(const struct ottl_expression *condition, struct error *err)
{
    return !condition->constant || condition->value.kind == OTTL_BOOL ||
           fail(err, "the condition gives %s and not a bool", ottl_kind_name(condition->value.kind));
}

bool ottl_add_statement(struct ottl *program, const char *text, struct error *err)
{
    struct ottl_statement *statement = make_statement(program, text);
    struct ottl_parsed parsed;

    if (!ottl_parse_statement(slice_of_string(statement->text), &program->arena, &parsed, err))
        return false;
    statement->editor = ottl_compile_call(program, parsed.editor, true, err);
    if (statement->editor == NULL)
        return false;
    if (parsed.condition != NULL) {
        statement->condition = ottl_compile(program, parsed.condition, err);
        if (statement->condition == NULL || !yields_bool(statement->condition, err))
            return false;
    }
    if (program->statements == NULL)
        program->statements = statement;
    else
        program->last_statement->next = statement;
    program->last_statement = statement;
    return true;
}

bool ottl_add_condition(struct ottl *program, const char *text, struct error *err)
{
    struct ottl_statement *statement = make_statement(program, text);
    struct ottl_parsed parsed;

    if (!ottl_parse_condition(slice_of_string(statement->text), &program->arena, &parsed, err))
        return false;
    statement->condition = ottl_compile(program, parsed.condition, err);
    if (statement->condition == NULL || !yields_bool(statement->condition, err))
        return false;
    if (program->conditions == NULL)
        program->conditions = statement;
    else
        program->last_condition->next = statement;
    program->last_condition = statement;
    return true;
}

void ottl_for_each(const struct ottl *program, void (*each)(void *context, struct ottl_statement *statement), void *context)
{
    for (struct ottl_statement *statement = program->statements; statement != NULL; statement = statement->next)
        each(context, statement);
    for (struct ottl_statement *statement = program->conditions; statement != NULL; statement = statement->next)
        each(context, statement);
}

const char *ottl_statement_text(const struct ottl_statement *statement)
{
    return statement->text;
}

unsigned long long ottl_statement_failures(const struct ottl_statement *statement)
{
    return atomic_load_explicit(&statement->failures, memory_order_relaxed);
}

/* ---- inference ---- */

struct hints {
    unsigned named;   /* contexts that paths name */
    unsigned allowed; /* contexts that every function and enum knows */
};

static void look(const struct ottl_node *node, struct hints *hints)
{
    enum ottl_context context;
    int64_t value;

    for (; node != NULL; node = node->next) {
        const struct ottl_node *first = node->children;
        if (node->kind == NODE_PATH && first->next != NULL && ottl_context_of(first->name, &context))
            hints->named |= 1u << context;
        if (node->kind == NODE_CALL) {
            const struct ottl_function *function = ottl_find_function(node->name, node->name.data[0] >= 'a');
            hints->allowed &= function != NULL && function->contexts != 0 ? function->contexts : ~0u;
        }
        bool is_enum = node->kind == NODE_ENUM && ottl_find_function(node->name, false) == NULL;
        for (unsigned i = 0; is_enum && i < OTTL_CONTEXT_COUNT; i++)
            hints->allowed &= ottl_find_enum((enum ottl_context)i, node->name, &value) ? ~0u : ~(1u << i);
        look(node->children, hints);
        look(node->keys, hints);
    }
}

static bool look_at_text(const char *text, struct hints *hints, struct error *err)
{
    struct arena arena = { NULL, 0 };
    struct ottl_parsed parsed;
    struct error other;
    bool ok = ottl_parse_condition(slice_of_string(text), &arena, &parsed, &other) ||
              ottl_parse_statement(slice_of_string(text), &arena, &parsed, err);

    if (ok) {
        look(parsed.editor, hints);
        look(parsed.condition, hints);
    }
    arena_fini(&arena);
    return ok;
}

/* From the lowest, which sees most. */
static const enum ottl_context priority[] = { OTTL_LOG, OTTL_EXEMPLAR, OTTL_DATAPOINT, OTTL_METRIC, OTTL_SPANEVENT, OTTL_SPAN, OTTL_SCOPE,
    OTTL_RESOURCE };

bool ottl_infer_context(enum signal signal, const char *const *texts, size_t count, enum ottl_context *context, struct error *err)
{
    struct hints hints = { 0, ~0u };
    size_t highest = 0, i;

    for (i = 0; i < count; i++) {
        if (!look_at_text(texts[i], &hints, err))
            return false;
    }
    while (highest < OTTL_CONTEXT_COUNT && (hints.named & 1u << priority[highest]) == 0)
        highest++;
    if (highest == OTTL_CONTEXT_COUNT)
        return fail(
            err, "could not tell the context from the statements; begin each path with it, as in log.attributes, or set \"context\"");
    for (i = highest + 1; i-- > 0;) {
        if ((hints.allowed & 1u << priority[i]) == 0 || !ottl_context_fits(priority[i], signal))
            continue;
        *context = priority[i];
        return true;
    }
    return fail(err, "no context of %s can evaluate all of these statements", signal_name(signal));
}
