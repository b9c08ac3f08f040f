/*
 * Effective settings as YAML. Works on the tree and the table, not on an instance: what was written is written again
 * in one notation, what was not is written with its default, and what would change the meaning by being there is left out.
 */
#include "collector/config/option_value.h"

#include "collector/config/scalar.h"

static const char redacted[] = "\"[REDACTED]\"";

static void write_indent(struct buffer *out, int indent)
{
    for (int i = 0; i < indent; i++)
        buffer_append_byte(out, ' ');
}

static void write_key(struct buffer *out, const char *key, int indent)
{
    write_indent(out, indent);
    scalar_write_string(out, key);
    buffer_append_byte(out, ':');
}

/* Keys are not expanded, so a "$" in them is not doubled; the writer of values doubles it. */
static void write_raw_key(struct buffer *out, const char *key, int indent)
{
    write_indent(out, indent);
    if (strchr(key, '$') != NULL)
        scalar_write_json(out, key);
    else
        scalar_write_string(out, key);
    buffer_append_byte(out, ':');
}

static void write_scalar(struct buffer *out, const struct config_node *node)
{
    if (node->quoted || scalar_type_of(node->text) == SCALAR_STRING)
        scalar_write_string(out, node->text);
    else
        buffer_append_string(out, node->text);
}

/* Turns the indentation of what was written from `mark` on into "- ". */
static void make_item(struct buffer *out, size_t mark, int indent)
{
    if (!out->failed && out->size > mark + (size_t)indent)
        out->data[mark + (size_t)indent] = '-';
}

static void print_children(const struct config_node *node, int indent, struct buffer *out)
{
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        if (node->kind == CONFIG_MAP) {
            write_raw_key(out, child->key, indent);
        } else {
            write_indent(out, indent);
            buffer_append_byte(out, '-');
        }
        option_print_node(child, indent + 2, out);
    }
}

void option_print_node(const struct config_node *node, int indent, struct buffer *out)
{
    if (node->kind == CONFIG_SCALAR) {
        buffer_append_byte(out, ' ');
        write_scalar(out, node);
    } else if (node->kind == CONFIG_NULL && node->original != NULL && node->original[0] != '\0') {
        buffer_append_byte(out, ' ');
        scalar_write_string(out, node->original);
    } else if (node->children == NULL) {
        buffer_append_string(out, node->kind == CONFIG_LIST ? " []" : node->kind == CONFIG_MAP ? " {}" : "");
    }
    buffer_append_byte(out, '\n');
    print_children(node, indent, out);
}

/* ---- single values ---- */

static const char *zero_of(enum option_kind kind)
{
    if (kind == OPTION_BOOL)
        return "false";
    if (kind == OPTION_INT || kind == OPTION_DOUBLE)
        return "0";
    return kind == OPTION_DURATION ? "0s" : NULL;
}

static void print_text(const struct option *option, const char *text, int indent, struct buffer *out)
{
    write_key(out, option->key, indent);
    buffer_append_byte(out, ' ');
    if (option->kind == OPTION_SECRET)
        buffer_append_string(out, text[0] != '\0' ? redacted : "\"\"");
    else if (option->kind == OPTION_STRING || option->kind == OPTION_ID || option->kind == OPTION_ENUM)
        scalar_write_string(out, text);
    else
        buffer_append_string(out, text);
    buffer_append_byte(out, '\n');
}

static void print_value(const struct option *option, const struct config_node *node, int indent, struct buffer *out)
{
    bool text = option->kind == OPTION_STRING || option->kind == OPTION_SECRET || option->kind == OPTION_ID;

    if (node != NULL && text && option_string_of(node) != NULL)
        print_text(option, option_string_of(node), indent, out);
    else if (node != NULL && node->kind == CONFIG_SCALAR)
        print_text(option, node->text, indent, out);
    else if (option->def != NULL)
        print_text(option, option->def, indent, out);
    else if (zero_of(option->kind) != NULL)
        print_text(option, zero_of(option->kind), indent, out);
}

static void print_commas(const char *text, struct buffer *out)
{
    struct buffer item = { .limit = 1 << 16 };

    buffer_append_string(out, " [");
    while (text[0] != '\0') {
        size_t size = strcspn(text, ",");

        buffer_clear(&item);
        buffer_append_slice(&item, slice_trim(slice_of(text, size)));
        scalar_write_string(out, buffer_string(&item));
        text += size + (text[size] != '\0' ? 1 : 0);
        if (text[0] != '\0')
            buffer_append_string(out, ", ");
    }
    buffer_append_string(out, "]\n");
    buffer_fini(&item);
}

static void print_strings(const struct option *option, const struct config_node *node, int indent, struct buffer *out)
{
    const char *text = node != NULL && node->kind != CONFIG_LIST ? option_string_of(node) : NULL;

    write_key(out, option->key, indent);
    if ((option->flags & OPTION_HIDDEN) && node != NULL && (node->children != NULL || text != NULL)) {
        buffer_printf(out, " [%s]\n", redacted);
        return;
    }
    if (node == NULL || node->kind != CONFIG_LIST) {
        print_commas(text != NULL ? text : option->def != NULL ? option->def : "", out);
        return;
    }
    buffer_append_string(out, " [");
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        const char *item = option_string_of(child);

        scalar_write_string(out, item != NULL ? item : "");
        if (child->next != NULL)
            buffer_append_string(out, ", ");
    }
    buffer_append_string(out, "]\n");
}

static void print_pair_value(const struct option *option, const struct config_node *node, struct buffer *out)
{
    const char *text = node != NULL ? option_string_of(node) : NULL;

    buffer_append_byte(out, ' ');
    if (option->flags & OPTION_HIDDEN)
        buffer_append_string(out, redacted);
    else
        scalar_write_string(out, text != NULL ? text : "");
    buffer_append_byte(out, '\n');
}

static void print_pairs(const struct option *option, const struct config_node *node, int indent, struct buffer *out)
{
    write_key(out, option->key, indent);
    buffer_append_string(out, node == NULL || node->children == NULL ? " {}\n" : "\n");
    for (const struct config_node *child = node != NULL ? node->children : NULL; child != NULL; child = child->next) {
        if (node->kind == CONFIG_MAP) {
            write_raw_key(out, child->key, indent + 2);
            print_pair_value(option, child, out);
            continue;
        }
        write_indent(out, indent + 2);
        buffer_append_string(out, "- name:");
        option_print_node(config_get(child, "name"), indent + 4, out);
        write_key(out, "value", indent + 4);
        print_pair_value(option, config_get(child, "value"), out);
    }
}

/* ---- nested tables ---- */

static bool is_switched_off(const struct config_node *node)
{
    const struct config_node *enabled = config_get(node, "enabled");
    bool on = true;

    return enabled != NULL && enabled->kind == CONFIG_SCALAR && scalar_parse_bool(enabled->text, &on) && !on;
}

/* "key:" was written; the table's keys follow, or {} when there is none to write. Returns whether there was one. */
static bool print_inner(const struct option *fields, const struct config_node *node, int indent, struct buffer *out)
{
    size_t mark = out->size;

    buffer_append_byte(out, '\n');
    option_print(fields, node, indent, out);
    if (out->size != mark + 1 || out->failed)
        return true;
    out->size = mark;
    buffer_append_string(out, " {}\n");
    return false;
}

static bool has_required(const struct option *table)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++)
        if (rows[i].option->flags & OPTION_REQUIRED)
            return true;
    return false;
}

/* A block that was not written is shown with its defaults, unless writing it would turn something on or ask for more. */
static void print_block(const struct option *option, const struct config_node *node, int indent, struct buffer *out)
{
    size_t mark = out->size;

    if (node == NULL && (option->present != 0 || has_required(option->fields)))
        return;
    if (option->present != 0 && is_switched_off(node))
        return;
    write_key(out, option->key, indent);
    if (!print_inner(option->fields, node, indent + 2, out) && node == NULL)
        out->size = mark;
}

static void print_items(const struct option *option, const struct config_node *node, int indent, struct buffer *out)
{
    if (node == NULL || node->kind == CONFIG_NULL)
        return;
    write_key(out, option->key, indent);
    buffer_append_string(out, node->children != NULL ? "\n" : option->kind == OPTION_LIST ? " []\n" : " {}\n");
    for (const struct config_node *child = node->children; child != NULL; child = child->next) {
        size_t mark = out->size;

        if (option->kind == OPTION_MAP) {
            write_raw_key(out, child->key, indent + 2);
            print_inner(option->fields, child, indent + 4, out);
            continue;
        }
        option_print(option->fields, child, indent + 4, out);
        if (out->size == mark) {
            write_indent(out, indent + 2);
            buffer_append_string(out, "- {}\n");
        } else {
            make_item(out, mark, indent + 2);
        }
    }
}

static void print_row(const struct option *option, const struct config_node *node, int indent, struct buffer *out)
{
    switch (option->kind) {
    case OPTION_STRINGS:
        print_strings(option, node, indent, out);
        break;
    case OPTION_PAIRS:
        print_pairs(option, node, indent, out);
        break;
    case OPTION_BLOCK:
        print_block(option, node, indent, out);
        break;
    case OPTION_LIST:
    case OPTION_MAP:
        print_items(option, node, indent, out);
        break;
    case OPTION_ANY:
    case OPTION_IGNORED:
        if (node != NULL) {
            write_key(out, option->key, indent);
            option_print_node(node, indent + 2, out);
        }
        break;
    case OPTION_UNSUPPORTED:
    case OPTION_REMOVED:
        break;
    default:
        print_value(option, node, indent, out);
    }
}

void option_print(const struct option *table, const struct config_node *node, int indent, struct buffer *out)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++)
        if (!(rows[i].option->flags & OPTION_DEPRECATED) || config_get(node, rows[i].option->key) != NULL)
            print_row(rows[i].option, config_get(node, rows[i].option->key), indent, out);
}
