/* Single values: parsing, ranges, and sentences that say what was expected and what was found. Control thread. */
#include "collector/config/option_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "collector/config/scalar.h"

bool option_refuse(const struct option_spot *spot, const struct config_node *node, const char *format, ...)
{
    const char *path =
        spot->key != NULL ? arena_printf(spot->arena, "%s%s%s", spot->path, spot->path[0] != '\0' ? "." : "", spot->key) : spot->path;
    char sentence[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    config_error_add(spot->errors, node, path, "%s", sentence);
    return false;
}

/* ---- what was found ---- */

static enum scalar_type type_of(const struct config_node *node)
{
    return node->quoted ? SCALAR_STRING : scalar_type_of(node->text);
}

const char *option_describe(struct arena *arena, const struct config_node *node)
{
    if (node->kind == CONFIG_NULL)
        return "nothing";
    if (node->kind == CONFIG_LIST)
        return "a list";
    if (node->kind == CONFIG_MAP)
        return "a map";
    switch (type_of(node)) {
    case SCALAR_BOOL:
        return arena_printf(arena, "the boolean %s", node->text);
    case SCALAR_INT:
    case SCALAR_FLOAT:
        return arena_printf(arena, "the number %.100s", node->text);
    default:
        return arena_printf(arena, "the string \"%.100s\"", node->text);
    }
}

const char *option_string_of(const struct config_node *node)
{
    if (node->original != NULL)
        return node->original;
    return node->kind == CONFIG_SCALAR && type_of(node) == SCALAR_STRING ? node->text : NULL;
}

/* ---- ranges: "low..high", either may be left out ---- */

struct bounds {
    const char *low, *high; /* NULL: none */
};

static struct bounds split_range(struct arena *arena, const char *range)
{
    const char *dots = strstr(range, "..");
    struct bounds bounds = { NULL, NULL };

    if (dots == NULL)
        return bounds;
    if (dots != range)
        bounds.low = arena_string(arena, slice_of(range, (size_t)(dots - range)));
    if (dots[2] != '\0')
        bounds.high = dots + 2;
    return bounds;
}

static long double number_of(enum option_kind kind, const char *text)
{
    int64_t integer = 0;
    double fraction = 0;

    if (kind == OPTION_DOUBLE) {
        scalar_parse_float(text, &fraction);
        return (long double)fraction;
    }
    if (kind == OPTION_DURATION)
        scalar_parse_duration(text, &integer);
    else
        scalar_parse_int(text, &integer);
    return (long double)integer;
}

static bool check_range(const struct option *option, const struct config_node *node, long double value, const struct option_spot *spot)
{
    struct bounds bounds;
    bool low, high;

    if (option->range == NULL)
        return true;
    bounds = split_range(spot->arena, option->range);
    low = bounds.low == NULL || value >= number_of(option->kind, bounds.low);
    high = bounds.high == NULL || value <= number_of(option->kind, bounds.high);
    if (low && high)
        return true;
    if (bounds.low != NULL && bounds.high != NULL)
        return option_refuse(spot, node, "must be between %s and %s, found %s", bounds.low, bounds.high, node->text);
    return option_refuse(spot, node, "must be at %s %s, found %s", low ? "most" : "least", low ? bounds.high : bounds.low, node->text);
}

/* ---- words ---- */

int option_word_index(const char *words, const char *word)
{
    size_t length = strlen(word);
    int index = 0;

    for (;; index++) {
        size_t size = strcspn(words, "|");

        if (size == length && strncasecmp(words, word, size) == 0)
            return index;
        if (words[size] == '\0')
            return -1;
        words += size + 1;
    }
}

const char *const *option_words(struct arena *arena, const char *words)
{
    const char **list;
    size_t count = 1, i = 0;

    for (const char *p = words; *p != '\0'; p++)
        count += *p == '|';
    list = arena_alloc(arena, (count + 1) * sizeof(*list));
    for (;;) {
        size_t size = strcspn(words, "|");

        list[i++] = arena_string(arena, slice_of(words, size));
        if (words[size] == '\0')
            return list;
        words += size + 1;
    }
}

const char *option_words_text(struct arena *arena, const char *words)
{
    const char *text = "";

    for (const char *const *list = option_words(arena, words); *list != NULL; list++)
        text = arena_printf(arena, "%s%s%s", text, text[0] != '\0' ? ", " : "", (*list)[0] != '\0' ? *list : "\"\"");
    return text;
}

/* ---- kinds ---- */

static bool set_bool(const struct config_node *node, bool *field, const struct option_spot *spot)
{
    bool value;

    if (node->kind == CONFIG_SCALAR && type_of(node) == SCALAR_BOOL) {
        scalar_parse_bool(node->text, field);
        return true;
    }
    if (node->kind == CONFIG_SCALAR && scalar_parse_bool(node->text, &value))
        return option_refuse(spot, node, "expected true or false, found the string \"%s\"; leave out the quotes", node->text);
    return option_refuse(spot, node, "expected true or false, found %s", option_describe(spot->arena, node));
}

/* The number, also one written as 1e6 or 5.0; false: it is none. */
static bool parse_integer(const struct config_node *node, int64_t *value)
{
    double fraction;

    if (node->kind != CONFIG_SCALAR || node->quoted)
        return false;
    if (scalar_parse_int(node->text, value))
        return true;
    if (!scalar_parse_float(node->text, &fraction) || fraction < -9e15 || fraction > 9e15 || fraction != (double)(int64_t)fraction)
        return false;
    *value = (int64_t)fraction;
    return true;
}

static bool refuse_number(const char *expected, const struct config_node *node, const struct option_spot *spot)
{
    bool quoted = node->kind == CONFIG_SCALAR && node->quoted && scalar_type_of(node->text) == SCALAR_INT;

    return option_refuse(
        spot, node, "expected %s, found %s%s", expected, option_describe(spot->arena, node), quoted ? "; leave out the quotes" : "");
}

static bool set_int(const struct option *option, const struct config_node *node, int64_t *field, const struct option_spot *spot)
{
    int64_t value;

    if (!parse_integer(node, &value))
        return refuse_number("a whole number", node, spot);
    if (!check_range(option, node, (long double)value, spot))
        return false;
    *field = value;
    return true;
}

static bool set_double(const struct option *option, const struct config_node *node, double *field, const struct option_spot *spot)
{
    double value;

    if (node->kind != CONFIG_SCALAR || node->quoted || !scalar_parse_float(node->text, &value))
        return refuse_number("a number", node, spot);
    if (!check_range(option, node, (long double)value, spot))
        return false;
    *field = value;
    return true;
}

bool option_parse_duration(const char *text, int64_t *nanoseconds)
{
    int64_t value;

    if (!scalar_parse_duration(text, &value) || value < 0)
        return false;
    *nanoseconds = value;
    return true;
}

static bool set_duration(const struct option *option, const struct config_node *node, int64_t *field, const struct option_spot *spot)
{
    int64_t value;

    if (node->kind == CONFIG_SCALAR && scalar_type_of(node->text) == SCALAR_INT && strcmp(node->text, "0") != 0)
        return option_refuse(
            spot, node, "expected a duration, found the number %s, which needs a unit: %ss, %sms", node->text, node->text, node->text);
    if (node->kind != CONFIG_SCALAR || !scalar_parse_duration(node->text, &value))
        return option_refuse(spot, node, "expected a duration such as 200ms, 5s or 1h30m, found %s", option_describe(spot->arena, node));
    if (value < 0)
        return option_refuse(spot, node, "must not be negative, found %s", node->text);
    if (!check_range(option, node, (long double)value, spot))
        return false;
    *field = value;
    return true;
}

/* "nonempty", or "a|b|c". */
static bool check_words(const struct option *option, const struct config_node *node, const char *text, const struct option_spot *spot)
{
    const char *near;

    if (option->range == NULL)
        return true;
    if (strcmp(option->range, "nonempty") == 0)
        return text[0] != '\0' || option_refuse(spot, node, "must not be empty");
    if (option_word_index(option->range, text) >= 0)
        return true;
    near = config_nearest(text, option_words(spot->arena, option->range));
    return option_refuse(spot, node, "expected one of %s, found \"%.100s\"%s%s%s", option_words_text(spot->arena, option->range), text,
        near != NULL ? ", did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static bool set_string(const struct option *option, const struct config_node *node, const char **field, const struct option_spot *spot)
{
    const char *text = option_string_of(node);

    if (text == NULL && node->kind == CONFIG_SCALAR)
        return option_refuse(spot, node, "expected a string, found %s; put it into quotes", option_describe(spot->arena, node));
    if (text == NULL)
        return option_refuse(spot, node, "expected a string, found %s", option_describe(spot->arena, node));
    if (!check_words(option, node, text, spot))
        return false;
    *field = text;
    return true;
}

static bool set_id(const struct option *option, const struct config_node *node, const char **field, const struct option_spot *spot)
{
    struct slice type, name;

    if (!set_string(option, node, field, spot))
        return false;
    if ((*field)[0] == '\0' || option_parse_id(*field, &type, &name))
        return true;
    return option_refuse(spot, node, "expected a component's id such as \"basicauth\" or \"basicauth/server\", found \"%.100s\"", *field);
}

static bool set_enum(const struct option *option, const struct config_node *node, int *field, const struct option_spot *spot)
{
    const char *text = node->kind == CONFIG_SCALAR ? node->text : option_string_of(node);

    if (text == NULL)
        return option_refuse(
            spot, node, "expected one of %s, found %s", option_words_text(spot->arena, option->range), option_describe(spot->arena, node));
    if (!check_words(option, node, text, spot))
        return false;
    *field = option_word_index(option->range, text);
    return true;
}

bool option_set_value(const struct option *option, const struct config_node *node, void *field, const struct option_spot *spot)
{
    switch (option->kind) {
    case OPTION_BOOL:
        return set_bool(node, field, spot);
    case OPTION_INT:
        return set_int(option, node, field, spot);
    case OPTION_DOUBLE:
        return set_double(option, node, field, spot);
    case OPTION_DURATION:
        return set_duration(option, node, field, spot);
    case OPTION_ENUM:
        return set_enum(option, node, field, spot);
    case OPTION_ID:
        return set_id(option, node, field, spot);
    default:
        return set_string(option, node, field, spot);
    }
}

bool option_is_default(const char *def, const struct config_node *node)
{
    int64_t a, b;
    double x, y;

    if (node->kind == CONFIG_NULL || (def == NULL && node->kind != CONFIG_SCALAR && node->children == NULL))
        return true;
    if (node->kind != CONFIG_SCALAR)
        return false;
    if (def == NULL || strcasecmp(def, node->text) == 0)
        return def != NULL || node->text[0] == '\0';
    if (scalar_parse_duration(def, &a) && scalar_parse_duration(node->text, &b))
        return a == b;
    return scalar_parse_float(def, &x) && scalar_parse_float(node->text, &y) && x >= y && x <= y;
}
