/*
 * What functions ask for: their arguments, of the kind they want, and texts and patterns. Threads: the machine's.
 */
#include "collector/ottl/program.h"

bool ottl_argument(const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct ottl_value *value)
{
    *value = (struct ottl_value){ .kind = OTTL_NIL };
    return call->arguments[index] == NULL || ottl_evaluate(call->arguments[index], machine, value);
}

bool ottl_argument_kind(
    const struct ottl_call *call, size_t index, struct ottl_machine *machine, enum ottl_kind kind, struct ottl_value *out)
{
    return ottl_argument(call, index, machine, out) && (out->kind == kind || ottl_fail_kind(machine, ottl_kind_name(kind), out));
}

bool ottl_argument_string(const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct slice *out)
{
    struct ottl_value value;

    if (call->arguments[index] == NULL)
        return true;
    if (!ottl_argument_kind(call, index, machine, OTTL_STRING, &value))
        return false;
    *out = value.bytes;
    return true;
}

bool ottl_argument_int(const struct ottl_call *call, size_t index, struct ottl_machine *machine, int64_t *out)
{
    struct ottl_value value;

    if (call->arguments[index] == NULL)
        return true;
    if (!ottl_argument_kind(call, index, machine, OTTL_INT, &value))
        return false;
    *out = value.integer;
    return true;
}

bool ottl_argument_bool(const struct ottl_call *call, size_t index, struct ottl_machine *machine, bool *out)
{
    struct ottl_value value;

    if (call->arguments[index] == NULL)
        return true;
    if (!ottl_argument_kind(call, index, machine, OTTL_BOOL, &value))
        return false;
    *out = value.integer != 0;
    return true;
}

bool ottl_text_of(struct ottl_machine *machine, const struct ottl_value *value, struct slice *text)
{
    struct buffer *work;

    *text = value->bytes;
    if (value->kind == OTTL_STRING)
        return true;
    work = ottl_work(machine);
    ottl_put_text(work, value);
    return ottl_keep_work(machine, text);
}

bool ottl_argument_text(const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct slice *out, bool *is_nil)
{
    struct ottl_value value;

    if (!ottl_argument(call, index, machine, &value))
        return false;
    *is_nil = value.kind == OTTL_NIL;
    return ottl_text_of(machine, &value, out);
}

const struct ottl_regex *ottl_argument_regex(
    const struct ottl_call *call, size_t index, struct ottl_machine *machine, struct ottl_regex **owned)
{
    struct slice pattern = { NULL, 0 };
    struct error err;

    *owned = NULL;
    if (call->regex != NULL)
        return call->regex;
    if (!ottl_argument_string(call, index, machine, &pattern))
        return NULL;
    *owned = ottl_regex_create(pattern, &err);
    if (*owned == NULL)
        ottl_fail(machine, "%s", err.message);
    return *owned;
}

enum ottl_match ottl_match(struct ottl_machine *machine, const struct ottl_regex *regex, struct slice text, size_t from)
{
    enum ottl_match match = ottl_regex_match(regex, machine->matcher, text, from);

    if (match == OTTL_MATCH_FAILED)
        ottl_fail(machine, "the regular expression took too many steps on a text of %zu bytes", text.size);
    return match;
}
