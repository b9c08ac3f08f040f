/* weir docs: one Markdown page a component, written from its table, and an index of which keys each supports. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/commands.h"
#include "collector/commands/listing.h"
#include "collector/registry.h"

enum { PATH_SIZE = 4096, KEY_SIZE = 256 };

static const char written_by[] = "<!-- Written by `weir docs`. Change the option table instead. -->\n\n";

static bool write_file(const char *folder, const char *name, struct buffer *content)
{
    char path[PATH_SIZE];
    FILE *file;
    bool fine;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    fine = file != NULL && !content->failed && fwrite(content->data, 1, content->size, file) == content->size;
    if (file != NULL && fclose(file) != 0)
        fine = false;
    if (!fine)
        fprintf(stderr, "weir docs: could not write \"%s\": %s\n", path, strerror(errno));
    buffer_fini(content);
    return fine;
}

/* ---- pages ---- */

static bool write_page(const char *folder, const struct component_type *type)
{
    struct buffer page = { 0 };
    char name[KEY_SIZE];

    buffer_printf(
        &page, "# %s %s\n\n%s%s\n\n", type->name, component_kind_name(type->kind), written_by, type->summary != NULL ? type->summary : "");
    if (type->aliases != NULL && type->aliases[0] != NULL) {
        buffer_append_string(&page, "- Former name:");
        for (const char *const *alias = type->aliases; *alias != NULL; alias++)
            buffer_printf(&page, "%s `%s`", alias != type->aliases ? "," : "", *alias);
        buffer_append_string(&page, " (accepted with a warning)\n");
    }
    if (type->signals != 0) {
        buffer_append_string(&page, "- Signals: ");
        listing_signals(&page, type->signals, ", ", "");
        buffer_append_byte(&page, '\n');
    }
    buffer_printf(&page, "- Stability: %s\n\n", listing_stability(type->stability));
    option_docs(type->options, &page);
    snprintf(name, sizeof(name), "%s-%s.md", component_kind_name(type->kind), type->name);
    return write_file(folder, name, &page);
}

/* ---- the index ---- */

struct keys {
    struct buffer *out;
    enum option_kind kind; /* of the keys that are listed; OPTION_BOOL: all that work */
    size_t count;
};

static void list_keys(struct keys *self, const struct option *table, const char *path)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++) {
        const struct option *option = rows[i].option;
        enum option_kind kind = option->kind >= OPTION_UNSUPPORTED ? option->kind : OPTION_BOOL;
        char key[KEY_SIZE];

        snprintf(key, sizeof(key), "%s%s%s", path, path[0] != '\0' ? "." : "", option->key);
        if (kind == self->kind && option->fields == NULL) {
            if (self->out != NULL)
                buffer_printf(self->out, "%s`%s`", self->count > 0 ? ", " : "", key);
            self->count++;
        }
        list_keys(self, option->fields, key);
    }
}

static void write_cell(struct buffer *out, const struct option *table, enum option_kind kind)
{
    struct keys keys = { out, kind, 0 };

    buffer_append_string(out, " | ");
    list_keys(&keys, table, "");
    if (keys.count == 0)
        buffer_append_byte(out, '-');
}

static void write_index_row(struct buffer *out, const struct component_type *type)
{
    struct keys supported = { NULL, OPTION_BOOL, 0 };

    list_keys(&supported, type->options, "");
    buffer_printf(out, "| [%s](%s-%s.md) | ", type->name, component_kind_name(type->kind), type->name);
    listing_signals(out, type->signals, ", ", "");
    buffer_printf(out, " | %s | %zu", listing_stability(type->stability), supported.count);
    write_cell(out, type->options, OPTION_UNSUPPORTED);
    write_cell(out, type->options, OPTION_IGNORED);
    buffer_append_string(out, " |\n");
}

static bool write_index(const char *folder)
{
    struct buffer index = { 0 };

    buffer_printf(&index,
        "# Components\n\n%sNames, keys and defaults are the OpenTelemetry Collector's. A key that is not listed on a component's page is "
        "an error.\n",
        written_by);
    for (size_t kind = 0; kind < COMPONENT_KIND_COUNT; kind++) {
        buffer_printf(&index, "\n## %ss\n\n", component_kind_name((enum component_kind)kind));
        buffer_append_string(
            &index, "| Name | Signals | Stability | Keys | Not supported yet | Without effect |\n| --- | --- | --- | ---: | --- | --- |\n");
        for (const struct component_type *const *type = registry; *type != NULL; type++)
            if ((*type)->kind == (enum component_kind)kind)
                write_index_row(&index, *type);
    }
    return write_file(folder, "README.md", &index);
}

int command_docs(int argc, char **argv)
{
    bool fine = true;

    if (argc != 2) {
        fputs("usage: weir docs FOLDER\n", stderr);
        return 2;
    }
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "weir docs: could not make the folder \"%s\": %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (const struct component_type *const *type = registry; *type != NULL; type++)
        fine = write_page(argv[1], *type) && fine;
    return write_index(argv[1]) && fine ? 0 : 1;
}
