/* Values from a configuration, and values as text. No state; cost is linear in the value. */
#include "collector/processors/any_value.h"

#include "collector/config/scalar.h"
#include "collector/ottl/value.h"
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
