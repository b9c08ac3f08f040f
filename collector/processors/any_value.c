/* Values from a configuration, and values as text. No state; cost is linear in the value. */
#include "collector/processors/any_value.h"

#include <math.h>
#include <stdlib.h>

#include "collector/config/scalar.h"
#include "collector/ottl/value.h"
#include "collector/wire/decimal.h"
#include "collector/wire/encoding.h"

enum { VALUES = 1, KEY = 1, VALUE = 2 };

/* The tree's reader bounds depth and size. */
static void put_any(struct buffer *out, const struct config_node *node)
{
    int64_t integer;
    double number;
    bool truth;

    if (node->kind == CONFIG_MAP || node->kind == CONFIG_LIST) {
        size_t mark = pb_open(out, node->kind == CONFIG_MAP ? OTLP_VALUE_MAP : OTLP_VALUE_ARRAY);
        for (const struct config_node *child = node->children; child != NULL; child = child->next) {
            size_t item = pb_open(out, VALUES), value = 0;
            if (node->kind == CONFIG_MAP) {
                pb_put_bytes(out, KEY, slice_of_string(child->key));
                value = pb_open(out, VALUE);
            }
            put_any(out, child);
            if (node->kind == CONFIG_MAP)
                pb_close(out, value);
            pb_close(out, item);
        }
        pb_close(out, mark);
        return;
    }
    if (node->kind == CONFIG_NULL || (!node->quoted && scalar_type_of(node->text) == SCALAR_NULL))
        return;
    if (!node->quoted && scalar_parse_bool(node->text, &truth))
        pb_put_varint(out, OTLP_VALUE_BOOL, truth);
    else if (!node->quoted && scalar_type_of(node->text) == SCALAR_INT && scalar_parse_int(node->text, &integer))
        pb_put_varint(out, OTLP_VALUE_INT, (uint64_t)integer);
    else if (!node->quoted && scalar_type_of(node->text) == SCALAR_FLOAT && scalar_parse_float(node->text, &number))
        pb_put_double(out, OTLP_VALUE_DOUBLE, number);
    else
        pb_put_bytes(out, OTLP_VALUE_STRING, slice_of_string(node->text));
}

struct otlp_value any_value_of(struct arena *arena, const struct config_node *node)
{
    struct buffer content = { .data = NULL };
    struct slice kept = { NULL, 0 };

    put_any(&content, node);
    if (content.size > 0)
        kept = slice_of(memcpy(arena_alloc(arena, content.size), content.data, content.size), content.size);
    buffer_fini(&content);
    return otlp_value_of(kept);
}

void any_value_put_text(const struct otlp_value *value, struct buffer *out)
{
    struct ottl_value as_ottl = ottl_value_of(value);

    if (value->kind == OTLP_VALUE_BYTES)
        encoding_write_base64(value->bytes, out);
    else
        ottl_put_text(out, &as_ottl);
}

bool any_value_parse_int(struct slice text, int64_t *value)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t i = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    uint64_t sum = 0, limit = (uint64_t)INT64_MAX + negative;

    if (i == text.size)
        return false;
    for (; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || sum > (limit - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

bool any_value_parse_double(struct slice text, double *value)
{
    static const char *const words[] = { "inf", "infinity", "nan" };
    char copy[DECIMAL_MAX_TEXT + 1];
    char *end = copy;
    size_t sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    struct slice rest = { text.data + sign, text.size - sign };
    struct decimal decimal;

    if (text.size > DECIMAL_MAX_TEXT)
        return false;
    if (decimal_scan(text, &decimal) && decimal.text.size == text.size)
        return decimal_to_double(&decimal, value);
    for (size_t i = 0; i < 3; i++) {
        if (slice_equal_ignoring_case(rest, slice_of_string(words[i]))) {
            *value = i == 2 ? NAN : text.data[0] == '-' ? -INFINITY : INFINITY;
            return i < 2 || sign == 0;
        }
    }
    for (size_t i = 0; i < text.size; i++) {
        if (strchr("0123456789+-.eE", text.data[i]) == NULL || text.data[i] == '\0')
            return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *value = strtod(copy, &end);
    return text.size > 0 && *end == '\0' && isfinite(*value);
}
