/* weir components: what this weir is made of, with every option; --json for programs. */
#include <stdio.h>
#include <string.h>

#include "collector/commands.h"
#include "collector/commands/listing.h"
#include "collector/config/scalar.h"
#include "collector/registry.h"

/* ---- for people ---- */

static void print_options(const struct option *table, int indent, struct buffer *out)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++) {
        const struct option *option = rows[i].option;

        buffer_printf(out, "%*s%s", indent, "", option->key);
        if (option->kind == OPTION_UNSUPPORTED)
            buffer_append_string(out, "  (not supported yet)");
        else if (option->kind == OPTION_REMOVED)
            buffer_printf(out, "  (removed: %s)", option->help);
        else if (option->kind == OPTION_IGNORED)
            buffer_append_string(out, "  (no effect)");
        else if (option->flags & OPTION_REQUIRED)
            buffer_append_string(out, "  (required)");
        else if (option->def != NULL)
            buffer_printf(out, ": %s", option->def[0] != '\0' ? option->def : "\"\"");
        buffer_append_byte(out, '\n');
        if (option->fields != NULL)
            print_options(option->fields, indent + 2, out);
    }
}

static void print_type(const struct component_type *type, struct buffer *out)
{
    buffer_printf(out, "  %s", type->name);
    for (const char *const *alias = type->aliases; alias != NULL && *alias != NULL; alias++)
        buffer_printf(out, ", formerly %s", *alias);
    buffer_printf(out, " (%s", listing_stability(type->stability));
    if (type->signals != 0)
        buffer_append_string(out, "; ");
    listing_signals(out, type->signals, ", ", "");
    buffer_printf(out, "): %s\n", type->summary != NULL ? type->summary : "");
    print_options(type->options, 6, out);
}

static void print_kind(enum component_kind kind, struct buffer *out)
{
    buffer_printf(out, "%ss:\n", component_kind_name(kind));
    for (const struct component_type *const *type = registry; *type != NULL; type++)
        if ((*type)->kind == kind)
            print_type(*type, out);
}

static void print_text(struct buffer *out)
{
    for (size_t kind = 0; kind < COMPONENT_KIND_COUNT; kind++)
        print_kind((enum component_kind)kind, out);
}

/* ---- for programs ---- */

static void print_type_json(const struct component_type *type, struct buffer *out)
{
    buffer_append_string(out, "{\"name\": ");
    scalar_write_json(out, type->name);
    buffer_append_string(out, ", \"aliases\": [");
    for (const char *const *alias = type->aliases; alias != NULL && *alias != NULL; alias++) {
        buffer_append_string(out, alias != type->aliases ? ", " : "");
        scalar_write_json(out, *alias);
    }
    buffer_printf(out, "], \"kind\": \"%s\", \"stability\": \"%s\", \"signals\": [", component_kind_name(type->kind),
        listing_stability(type->stability));
    listing_signals(out, type->signals, ", ", "\"");
    buffer_append_string(out, "], \"summary\": ");
    scalar_write_json(out, type->summary != NULL ? type->summary : "");
    buffer_append_string(out, ", \"options\": ");
    option_json(type->options, out);
    buffer_append_byte(out, '}');
}

static void print_json(struct buffer *out)
{
    buffer_append_string(out, "[\n");
    for (const struct component_type *const *type = registry; *type != NULL; type++) {
        print_type_json(*type, out);
        buffer_append_string(out, type[1] != NULL ? ",\n" : "\n");
    }
    buffer_append_string(out, "]\n");
}

int command_components(int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    struct buffer out = { 0 };
    bool fine;

    if (argc > 1 && !json) {
        fputs("usage: weir components [--json]\n", stderr);
        return 2;
    }
    if (json)
        print_json(&out);
    else
        print_text(&out);
    fine = !out.failed && fwrite(out.data, 1, out.size, stdout) == out.size;
    buffer_fini(&out);
    return fine ? 0 : 1;
}
