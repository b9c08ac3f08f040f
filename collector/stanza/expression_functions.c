/* The functions of expressions. Each is given as many arguments as the table allows. */
#include "collector/config/scalar.h"
#include "collector/stanza/expression_tree.h"
#include "collector/wire/decimal.h"

static bool misfit(struct stanza_evaluation *evaluation, const char *problem)
{
    evaluation->problem = problem;
    return false;
}

static bool keep_text(struct stanza_evaluation *evaluation, struct slice text, struct stanza_value *result)
{
    *result = stanza_string(stanza_keep(evaluation->record->memory, text));
    return result->bytes.data != NULL || misfit(evaluation, "the record is too large");
}

static bool is_text(struct stanza_evaluation *evaluation, const struct stanza_value *value)
{
    return value->kind == STANZA_STRING || misfit(evaluation, "a function expected a string");
}

/* ---- texts ---- */

static bool change_case(struct stanza_evaluation *evaluation, const struct stanza_value *value, struct stanza_value *result, char first)
{
    uint8_t *at;

    if (!is_text(evaluation, value) || !keep_text(evaluation, value->bytes, result))
        return false;
    at = (uint8_t *)(uintptr_t)result->bytes.data;
    for (size_t i = 0; i < result->bytes.size; i++) {
        if (at[i] >= first && at[i] < first + 26)
            at[i] ^= 0x20;
    }
    return true;
}

static bool lower(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    return change_case(evaluation, &arguments[0], result, 'A');
}

static bool upper(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    return change_case(evaluation, &arguments[0], result, 'a');
}

static bool trim(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    struct slice text = arguments[0].bytes, set = arguments[1].kind == STANZA_STRING ? arguments[1].bytes : SLICE(" \t\r\n\v\f");

    if (!is_text(evaluation, &arguments[0]))
        return false;
    while (text.size > 0 && memchr(set.data, text.data[0], set.size) != NULL) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && memchr(set.data, text.data[text.size - 1], set.size) != NULL)
        text.size--;
    *result = stanza_string(text);
    return true;
}

static bool has_prefix(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    *result = stanza_bool(false);
    if (!is_text(evaluation, &arguments[0]) || !is_text(evaluation, &arguments[1]))
        return false;
    *result = stanza_bool(slice_starts_with(arguments[0].bytes, arguments[1].bytes));
    return true;
}

static bool has_suffix(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    struct slice text = arguments[0].bytes, end = arguments[1].bytes;

    if (!is_text(evaluation, &arguments[0]) || !is_text(evaluation, &arguments[1]))
        return false;
    *result = stanza_bool(text.size >= end.size && slice_equal(slice_of(text.data + text.size - end.size, end.size), end));
    return true;
}

static bool trim_prefix(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    if (!has_prefix(evaluation, arguments, result))
        return false;
    if (result->integer != 0)
        arguments[0].bytes = slice_of(arguments[0].bytes.data + arguments[1].bytes.size, arguments[0].bytes.size - arguments[1].bytes.size);
    *result = arguments[0];
    return true;
}

static bool trim_suffix(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    if (!has_suffix(evaluation, arguments, result))
        return false;
    if (result->integer != 0)
        arguments[0].bytes.size -= arguments[1].bytes.size;
    *result = arguments[0];
    return true;
}

static bool split(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    struct slice text = arguments[0].bytes, by = arguments[1].bytes;

    if (!is_text(evaluation, &arguments[0]) || !is_text(evaluation, &arguments[1]))
        return false;
    if (by.size == 0)
        return misfit(evaluation, "split takes a separator");
    *result = stanza_list_create(evaluation->record->memory);
    while (result->kind == STANZA_LIST) {
        const uint8_t *found = text.size > 0 ? memmem(text.data, text.size, by.data, by.size) : NULL;
        size_t size = found != NULL ? (size_t)(found - text.data) : text.size;
        if (!stanza_list_add(evaluation->record->memory, result->list, stanza_string(slice_of(text.data, size))))
            break;
        if (found == NULL)
            return true;
        text = slice_of(found + by.size, text.size - size - by.size);
    }
    return misfit(evaluation, "the record is too large");
}

static bool index_of(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    const uint8_t *found;

    if (!is_text(evaluation, &arguments[0]) || !is_text(evaluation, &arguments[1]))
        return false;
    found = arguments[0].bytes.size == 0 || arguments[1].bytes.size == 0
                ? NULL
                : memmem(arguments[0].bytes.data, arguments[0].bytes.size, arguments[1].bytes.data, arguments[1].bytes.size);
    *result = stanza_int(found != NULL ? found - arguments[0].bytes.data : arguments[1].bytes.size == 0 ? 0 : -1);
    return true;
}

static bool replace(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    struct slice text = arguments[0].bytes, from = arguments[1].bytes;
    struct buffer out = { .limit = STANZA_RECORD_MAX };
    bool kept;

    if (!is_text(evaluation, &arguments[0]) || !is_text(evaluation, &arguments[1]) || !is_text(evaluation, &arguments[2]))
        return false;
    while (from.size > 0 && text.size > 0) {
        const uint8_t *found = memmem(text.data, text.size, from.data, from.size);
        if (found == NULL)
            break;
        buffer_append(&out, text.data, (size_t)(found - text.data));
        buffer_append_slice(&out, arguments[2].bytes);
        text = slice_of(found + from.size, text.size - (size_t)(found - text.data) - from.size);
    }
    buffer_append_slice(&out, text);
    kept = !out.failed && keep_text(evaluation, buffer_slice(&out), result);
    buffer_fini(&out);
    return kept || misfit(evaluation, "the record is too large");
}

/* ---- conversions ---- */

static bool len(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    size_t count = 0;

    switch (arguments[0].kind) {
    case STANZA_STRING: /* in runes, as Go's */
        for (size_t i = 0; i < arguments[0].bytes.size; i++)
            count += (arguments[0].bytes.data[i] & 0xc0) != 0x80;
        break;
    case STANZA_LIST:
        count = arguments[0].list->count;
        break;
    case STANZA_MAP:
        count = arguments[0].map->count;
        break;
    case STANZA_BYTES:
        count = arguments[0].bytes.size;
        break;
    default:
        return misfit(evaluation, "len takes a string, a list or a map");
    }
    *result = stanza_int((int64_t)count);
    return true;
}

static bool read_double(const struct stanza_value *value, double *number)
{
    struct decimal decimal;

    if (value->kind == STANZA_INT || value->kind == STANZA_DOUBLE) {
        *number = value->kind == STANZA_INT ? (double)value->integer : value->number;
        return true;
    }
    return value->kind == STANZA_STRING && decimal_scan(value->bytes, &decimal) && decimal.text.size == value->bytes.size &&
           decimal_to_double(&decimal, number);
}

static bool to_int(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    struct decimal decimal;
    double number;

    result->kind = STANZA_INT;
    if (arguments[0].kind == STANZA_INT) {
        *result = arguments[0];
        return true;
    }
    if (arguments[0].kind == STANZA_STRING)
        return (decimal_scan(arguments[0].bytes, &decimal) && decimal.text.size == arguments[0].bytes.size &&
                   decimal_to_int64(&decimal, &result->integer)) ||
               misfit(evaluation, "int() was given what is no integer");
    if (!read_double(&arguments[0], &number) || !(number > -9.2e18 && number < 9.2e18))
        return misfit(evaluation, "int() was given what is no number");
    result->integer = (int64_t)number;
    return true;
}

static bool to_float(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    double number;

    if (!read_double(&arguments[0], &number))
        return misfit(evaluation, "float() was given what is no number");
    *result = stanza_double(number);
    return true;
}

static bool to_string(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    struct buffer out = { .limit = STANZA_RECORD_MAX };
    bool kept;

    if (arguments[0].kind == STANZA_STRING) {
        *result = arguments[0];
        return true;
    }
    stanza_value_text(&arguments[0], &out);
    if (arguments[0].kind == STANZA_NIL)
        buffer_append_string(&out, "nil");
    kept = !out.failed && keep_text(evaluation, buffer_slice(&out), result);
    buffer_fini(&out);
    return kept || misfit(evaluation, "the record is too large");
}

static bool type(struct stanza_evaluation *evaluation, struct stanza_value *arguments, struct stanza_value *result)
{
    static const char *const names[] = { "nil", "string", "bool", "int", "float", "array", "map", "array", "time" };

    (void)evaluation;
    *result = stanza_string(slice_of_string(names[arguments[0].kind]));
    return true;
}

stanza_function stanza_function_named(struct slice name, size_t *least, size_t *most)
{
    static const struct {
        const char *name;
        stanza_function function;
        size_t least, most;
    } functions[] = {
        { "len", len, 1, 1 },
        { "lower", lower, 1, 1 },
        { "upper", upper, 1, 1 },
        { "trim", trim, 1, 2 },
        { "trimPrefix", trim_prefix, 2, 2 },
        { "trimSuffix", trim_suffix, 2, 2 },
        { "hasPrefix", has_prefix, 2, 2 },
        { "hasSuffix", has_suffix, 2, 2 },
        { "split", split, 2, 2 },
        { "indexOf", index_of, 2, 2 },
        { "replace", replace, 3, 3 },
        { "int", to_int, 1, 1 },
        { "float", to_float, 1, 1 },
        { "string", to_string, 1, 1 },
        { "type", type, 1, 1 },
    };

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (!slice_equal_string(name, functions[i].name))
            continue;
        *least = functions[i].least;
        *most = functions[i].most;
        return functions[i].function;
    }
    return NULL;
}
