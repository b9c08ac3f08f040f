/*
 * Evaluating compiled expressions, and running programs.
 *
 * Threads: the machine's; a program is only read, but for its counters of failures.
 */
#include "collector/ottl/program.h"

bool ottl_evaluate_path(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    return ottl_path_get(self->path, machine, value);
}

bool ottl_evaluate_call(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    *value = (struct ottl_value){ .kind = OTTL_NIL };
    return self->call->function->evaluate(self->call, machine, value) && ottl_index(machine, self->operands, self->count, value);
}

/* All operands first: building takes the one buffer that evaluating may need as well. */
static struct ottl_value *evaluate_all(const struct ottl_expression *self, struct ottl_machine *machine)
{
    struct ottl_value *values = ottl_alloc(machine, (self->count + 1) * sizeof(*values));

    for (size_t i = 0; values != NULL && i < self->count; i++) {
        if (!ottl_evaluate(self->operands[i], machine, &values[i]))
            return NULL;
    }
    return values;
}

bool ottl_evaluate_list(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    const struct ottl_value *values = evaluate_all(self, machine);
    struct buffer *work = ottl_work(machine);

    if (values == NULL)
        return false;
    for (size_t i = 0; i < self->count; i++)
        ottl_put_item(work, &values[i]);
    return ottl_give_list(machine, value);
}

bool ottl_evaluate_map(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    const struct ottl_value *values = evaluate_all(self, machine);
    struct buffer *work = ottl_work(machine);

    if (values == NULL)
        return false;
    for (size_t i = 0; i < self->count; i++)
        ottl_put_entry(work, self->labels[i], &values[i]);
    return ottl_give_map(machine, value);
}

/* ---- arithmetic ---- */

static bool int_math(struct ottl_machine *machine, int operator, int64_t a, int64_t b, int64_t *result)
{
    uint64_t left = (uint64_t)a, right = (uint64_t)b;

    switch (operator) {
    case '+':
        *result = (int64_t)(left + right);
        return true;
    case '-':
        *result = (int64_t)(left - right);
        return true;
    case '*':
        *result = (int64_t)(left * right);
        return true;
    default:
        if (b == 0)
            return ottl_fail(machine, "attempted to divide by 0");
        *result = b == -1 ? (int64_t)(0 - left) : a / b;
        return true;
    }
}

static bool double_math(struct ottl_machine *machine, int operator, double a, double b, struct ottl_value *value)
{
    switch (operator) {
    case '+':
        *value = ottl_double(a + b);
        return true;
    case '-':
        *value = ottl_double(a - b);
        return true;
    case '*':
        *value = ottl_double(a * b);
        return true;
    default:
        if (b == 0)
            return ottl_fail(machine, "attempted to divide by 0");
        *value = ottl_double(a / b);
        return true;
    }
}

static bool time_math(
    struct ottl_machine *machine, int operator, const struct ottl_value * left, const struct ottl_value *right, struct ottl_value *value)
{
    bool both_times = left->kind == OTTL_TIME && right->kind == OTTL_TIME;
    bool right_fits = right->kind == OTTL_DURATION || (right->kind == OTTL_TIME && (both_times ? operator == '-' : operator == '+'));
    int64_t result;

    if (!right_fits || (operator!= '+' && operator!= '-'))
        return ottl_fail(machine, "%s %c %s is not defined", ottl_kind_name(left->kind), operator, ottl_kind_name(right->kind));
    if (!int_math(machine, operator, left->integer, right->integer, &result))
        return false;
    enum ottl_kind kind = both_times || (left->kind == OTTL_DURATION && right->kind == OTTL_DURATION) ? OTTL_DURATION : OTTL_TIME;
    *value = (struct ottl_value){ .kind = kind, .integer = result, .zone = left->zone };
    return true;
}

bool ottl_evaluate_math(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value left, right;
    bool numbers;

    if (!ottl_evaluate(self->operands[0], machine, &left) || !ottl_evaluate(self->operands[1], machine, &right))
        return false;
    if (left.kind == OTTL_INT && right.kind == OTTL_INT) {
        *value = ottl_int(0);
        return int_math(machine, self->operator, left.integer, right.integer, &value->integer);
    }
    if (left.kind == OTTL_TIME || left.kind == OTTL_DURATION)
        return time_math(machine, self->operator, & left, &right, value);
    numbers = (left.kind == OTTL_INT || left.kind == OTTL_DOUBLE) && (right.kind == OTTL_INT || right.kind == OTTL_DOUBLE);
    if (!numbers)
        return ottl_fail(machine, "%s %c %s is not defined", ottl_kind_name(left.kind), self->operator, ottl_kind_name(right.kind));
    return double_math(machine, self->operator, left.kind == OTTL_INT ? (double)left.integer : left.number,
        right.kind == OTTL_INT ? (double)right.integer : right.number, value);
}

/* ---- conditions ---- */

bool ottl_evaluate_comparison(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    struct ottl_value left, right;

    if (!ottl_evaluate(self->operands[0], machine, &left) || !ottl_evaluate(self->operands[1], machine, &right))
        return false;
    *value = ottl_bool(ottl_compare(&left, &right, (enum ottl_comparison)self->operator));
    return true;
}

static bool evaluate_bool(const struct ottl_expression *expression, struct ottl_machine *machine, bool *holds)
{
    struct ottl_value value;

    if (!ottl_evaluate(expression, machine, &value))
        return false;
    *holds = value.integer != 0;
    return value.kind == OTTL_BOOL ||
           ottl_fail(machine, "value returned from a converter in a condition must be bool but was %s", ottl_kind_name(value.kind));
}

/* operator 'a': and; 'o': or */
bool ottl_evaluate_joined(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    bool decides = self->operator== 'o', holds = !decides;

    for (size_t i = 0; i < self->count && holds != decides; i++) {
        if (!evaluate_bool(self->operands[i], machine, &holds))
            return false;
    }
    *value = ottl_bool(holds);
    return true;
}

bool ottl_evaluate_not(const struct ottl_expression *self, struct ottl_machine *machine, struct ottl_value *value)
{
    bool holds;

    if (!evaluate_bool(self->operands[0], machine, &holds))
        return false;
    *value = ottl_bool(!holds);
    return true;
}

/* ---- running ---- */

/* A statement failed: true when the next one follows. */
static bool go_on(struct ottl_statement *statement, struct ottl_machine *machine, enum ottl_error_mode mode)
{
    atomic_fetch_add_explicit(&statement->failures, 1, memory_order_relaxed);
    if (mode == OTTL_IGNORE && machine->told != NULL)
        machine->told(machine->told_context, statement->text, machine->err.message);
    return mode != OTTL_PROPAGATE;
}

bool ottl_run_conditions(const struct ottl *program, struct ottl_machine *machine, enum ottl_error_mode mode, bool *any)
{
    bool holds;

    *any = program->conditions == NULL;
    machine->quiet = mode == OTTL_SILENT;
    for (struct ottl_statement *statement = program->conditions; statement != NULL; statement = statement->next) {
        if (!evaluate_bool(statement->condition, machine, &holds)) {
            if (!go_on(statement, machine, mode))
                return false;
        } else if (holds) {
            *any = true;
            machine->matched = statement->text;
            return true;
        }
    }
    return true;
}

static bool run_statement(const struct ottl_statement *statement, struct ottl_machine *machine)
{
    struct ottl_value nothing;
    bool holds = true;

    if (statement->condition != NULL && !evaluate_bool(statement->condition, machine, &holds))
        return false;
    return !holds || statement->editor->function->evaluate(statement->editor, machine, &nothing);
}

bool ottl_run(const struct ottl *program, struct ottl_machine *machine, enum ottl_error_mode mode)
{
    bool any;

    if (!ottl_run_conditions(program, machine, mode, &any))
        return false;
    if (!any)
        return true;
    for (struct ottl_statement *statement = program->statements; statement != NULL; statement = statement->next) {
        if (!run_statement(statement, machine) && !go_on(statement, machine, mode))
            return false;
    }
    return true;
}
