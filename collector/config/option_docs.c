/* Option tables as Markdown: one row a key, nested keys dotted ("tls.ca_file", "readers[].host"). */
#include "collector/config/option.h"

#include <stdio.h>

enum { PATH_SIZE = 256 };

struct writer {
    struct buffer *out;
    enum option_kind section; /* BOOL for what works; else UNSUPPORTED, REMOVED or IGNORED */
    size_t written;
};

static const char *kind_name(enum option_kind kind)
{
    static const char *const names[] = {
        [OPTION_BOOL] = "boolean",
        [OPTION_INT] = "integer",
        [OPTION_DOUBLE] = "number",
        [OPTION_DURATION] = "duration",
        [OPTION_STRING] = "string",
        [OPTION_SECRET] = "secret",
        [OPTION_ENUM] = "word",
        [OPTION_STRINGS] = "list of strings",
        [OPTION_PAIRS] = "map of strings",
        [OPTION_ID] = "component id",
        [OPTION_BLOCK] = "block",
        [OPTION_LIST] = "list",
        [OPTION_MAP] = "map",
        [OPTION_ANY] = "any",
    };

    return names[kind];
}

/* A cell: "|" would end it, a line break too. */
static void write_cell(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, (uint8_t)(*text == '\n' ? ' ' : *text));
    }
}

static void write_code(struct buffer *out, const char *text)
{
    buffer_append_byte(out, '`');
    write_cell(out, text[0] != '\0' ? text : "\"\"");
    buffer_append_byte(out, '`');
}

static void write_default(struct buffer *out, const struct option *option)
{
    if (option->flags & OPTION_REQUIRED)
        buffer_append_string(out, "required");
    else if (option->def != NULL)
        write_code(out, option->def);
    else if (option->kind == OPTION_BOOL)
        buffer_append_string(out, "`false`");
    else if (option->kind == OPTION_INT || option->kind == OPTION_DOUBLE)
        buffer_append_string(out, "`0`");
    else if (option->kind == OPTION_DURATION)
        buffer_append_string(out, "`0s`");
    else if (option->kind == OPTION_BLOCK && option->present != 0)
        buffer_append_string(out, "off");
    else
        buffer_append_string(out, "-");
}

static void write_range(struct buffer *out, const struct option *option)
{
    if (option->range == NULL || strcmp(option->range, "nonempty") == 0)
        return;
    if (strchr(option->range, '|') != NULL) {
        const char *words = option->range;

        buffer_append_string(out, option->kind == OPTION_STRINGS ? ", any of " : ": ");
        for (;;) {
            size_t size = strcspn(words, "|");

            buffer_printf(out, size > 0 ? "`%.*s`" : "`\"\"`", (int)size, words);
            if (words[size] == '\0')
                return;
            buffer_append_string(out, ", ");
            words += size + 1;
        }
    }
    buffer_append_string(out, ", ");
    write_cell(out, option->range);
}

static void write_row(struct writer *self, const struct option *option, const char *path)
{
    const char *help = option->help != NULL ? option->help : "";

    if (self->written++ == 0)
        buffer_append_string(self->out, self->section == OPTION_BOOL ? "| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"
                                                                     : "| Key | Note |\n| --- | --- |\n");
    buffer_append_string(self->out, "| ");
    write_code(self->out, path);
    if (self->section == OPTION_BOOL) {
        buffer_printf(self->out, " | %s", kind_name(option->kind));
        write_range(self->out, option);
        buffer_append_string(self->out, " | ");
        write_default(self->out, option);
    }
    buffer_append_string(self->out, " | ");
    if (option->flags & OPTION_WEIR)
        buffer_append_string(self->out, "*weir's own.* ");
    if (option->flags & OPTION_DEPRECATED)
        buffer_append_string(self->out, "*Deprecated.* ");
    write_cell(self->out, help);
    if (self->section == OPTION_UNSUPPORTED && option->def != NULL) {
        buffer_append_string(self->out, help[0] != '\0' ? "; only " : "only ");
        write_code(self->out, option->def);
    }
    buffer_append_string(self->out, " |\n");
}

static void write_table(struct writer *self, const struct option *table, const char *path)
{
    struct option_row rows[OPTION_ROWS_MAX];
    size_t count = option_rows(table, rows);

    for (size_t i = 0; i < count; i++) {
        const struct option *option = rows[i].option;
        enum option_kind section = option->kind >= OPTION_UNSUPPORTED ? option->kind : OPTION_BOOL;
        char inner[PATH_SIZE];

        snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] != '\0' ? "." : "", option->key);
        if (section == self->section)
            write_row(self, option, inner);
        if (option->fields == NULL)
            continue;
        snprintf(inner, sizeof(inner), "%s%s%s%s", path, path[0] != '\0' ? "." : "", option->key,
            option->kind == OPTION_LIST  ? "[]"
            : option->kind == OPTION_MAP ? ".<name>"
                                         : "");
        write_table(self, option->fields, inner);
    }
}

static void write_section(struct buffer *out, const struct option *table, enum option_kind section, const char *heading)
{
    struct writer self = { out, section, 0 };
    size_t mark = out->size;

    buffer_append_string(out, heading);
    write_table(&self, table, "");
    if (self.written == 0 && !out->failed)
        out->size = mark;
}

void option_docs(const struct option *table, struct buffer *out)
{
    size_t mark = out->size;

    write_section(out, table, OPTION_BOOL, "## Keys\n\n");
    write_section(out, table, OPTION_UNSUPPORTED, "\n## Not supported yet\n\nThese are errors when they are set.\n\n");
    write_section(out, table, OPTION_IGNORED, "\n## Accepted without effect\n\nThese give a warning.\n\n");
    write_section(out, table, OPTION_REMOVED, "\n## Removed\n\nThese are errors.\n\n");
    if (out->size == mark)
        buffer_append_string(out, "It has no keys.\n");
}
