/*
 * Letter case: ASCII letters are changed, other bytes stay as they are. Threads: the machine's.
 */
#include "collector/ottl/program.h"

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t to_lower(uint8_t c)
{
    return is_upper(c) ? (uint8_t)(c + 32) : c;
}

static uint8_t to_upper(uint8_t c)
{
    return is_lower(c) ? (uint8_t)(c - 32) : c;
}

static bool is_separator(uint8_t c)
{
    return c == '_' || c == ' ' || c == '-' || c == '.';
}

static void put_lower(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.size; i++)
        buffer_append_byte(out, to_lower(text.data[i]));
}

static void put_upper(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.size; i++)
        buffer_append_byte(out, to_upper(text.data[i]));
}

static uint8_t letter_at(struct slice text, size_t i)
{
    return i < text.size ? text.data[i] : 0;
}

/* Does a word end behind the letter at i? "fooBar", "HTTPServer" before "Server", "a1" before the digit. */
static bool ends_word(struct slice text, size_t i)
{
    uint8_t c = letter_at(text, i), next = letter_at(text, i + 1), after = letter_at(text, i + 2);

    if (is_lower(c))
        return is_upper(next) || is_digit(next);
    if (is_upper(c))
        return (is_upper(next) && is_lower(after)) || is_digit(next);
    return is_digit(c) && (is_upper(next) || is_lower(next));
}

static void put_snake(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.size; i++) {
        if (is_separator(text.data[i])) {
            buffer_append_byte(out, '_');
            continue;
        }
        buffer_append_byte(out, to_lower(text.data[i]));
        if (ends_word(text, i) && !is_separator(letter_at(text, i + 1)))
            buffer_append_byte(out, '_');
    }
}

/* As the collector has it, the first letter is a capital too. */
static void put_camel(struct slice text, struct buffer *out)
{
    bool capital = true;

    for (size_t i = 0; i < text.size; i++) {
        if (is_separator(text.data[i])) {
            capital = true;
            continue;
        }
        buffer_append_byte(out, capital ? to_upper(text.data[i]) : text.data[i]);
        capital = is_digit(text.data[i]);
    }
}

static bool convert(
    const struct ottl_call *call, struct ottl_machine *machine, void (*put)(struct slice, struct buffer *), struct ottl_value *value)
{
    struct slice text;

    if (!ottl_argument_string(call, 0, machine, &text))
        return false;
    put(text, ottl_work(machine));
    return ottl_give_string(machine, value);
}

static bool run_to_lower(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return convert(call, machine, put_lower, value);
}

static bool run_to_upper(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return convert(call, machine, put_upper, value);
}

static bool run_to_snake(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return convert(call, machine, put_snake, value);
}

static bool run_to_camel(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    return convert(call, machine, put_camel, value);
}

static bool run_convert_case(const struct ottl_call *call, struct ottl_machine *machine, struct ottl_value *value)
{
    struct slice to = call->arguments[1]->value.bytes;

    if (slice_equal_string(to, "lower"))
        return run_to_lower(call, machine, value);
    if (slice_equal_string(to, "upper"))
        return run_to_upper(call, machine, value);
    return slice_equal_string(to, "snake") ? run_to_snake(call, machine, value) : run_to_camel(call, machine, value);
}

static bool prepare_convert_case(struct ottl_call *call, struct arena *arena, struct error *err)
{
    struct slice to = call->arguments[1]->value.bytes;

    (void)arena;
    return slice_equal_string(to, "lower") || slice_equal_string(to, "upper") || slice_equal_string(to, "snake") ||
           slice_equal_string(to, "camel") ||
           fail(err, "invalid case: %.*s, allowed cases are: lower, upper, snake, camel", SLICE_PRINT(to));
}

const struct ottl_function ottl_case_functions[] = {
    { "ConvertCase", "target:value,toCase:literal", run_convert_case, prepare_convert_case, false, false, 0 },
    { "ToLowerCase", "target:value", run_to_lower, NULL, false, false, 0 },
    { "ToUpperCase", "target:value", run_to_upper, NULL, false, false, 0 },
    { "ToSnakeCase", "target:value", run_to_snake, NULL, false, false, 0 },
    { "ToCamelCase", "target:value", run_to_camel, NULL, false, false, 0 },
    { NULL, NULL, NULL, NULL, false, false, 0 },
};
