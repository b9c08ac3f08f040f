/* Rows of option tables, and the syntax of component ids. */
#include <assert.h>
#include <ctype.h>

#include "collector/config/option.h"

static bool is_hidden(const struct option_row *rows, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].option->key, key) == 0)
            return true;
    return false;
}

static size_t add_rows(const struct option *table, size_t offset, struct option_row *rows, size_t count)
{
    for (const struct option *option = table; option != NULL && option->kind != OPTION_END; option++) {
        if (option->kind == OPTION_INCLUDE) {
            count = add_rows(option->fields, offset + option->offset, rows, count);
        } else if (!is_hidden(rows, count, option->key)) {
            assert(count < OPTION_ROWS_MAX);
            rows[count++] = (struct option_row){ option, offset };
        }
    }
    return count;
}

size_t option_rows(const struct option *table, struct option_row rows[OPTION_ROWS_MAX])
{
    return add_rows(table, 0, rows, 0);
}

static bool is_type(struct slice text)
{
    if (text.size == 0 || text.size > 63 || !isalpha(text.data[0]))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum(text.data[i]) && text.data[i] != '_')
            return false;
    return true;
}

/* No spaces, control characters or symbols. */
static bool is_name(struct slice text)
{
    if (text.size == 0 || text.size > 1024)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] == 0x7f || strchr("$+<=>^`|~", text.data[i]) != NULL)
            return false;
    return true;
}

bool option_parse_id(const char *text, struct slice *type, struct slice *name)
{
    const char *slash = strchr(text, '/');

    *type = slice_of(text, slash != NULL ? (size_t)(slash - text) : strlen(text));
    *name = slash != NULL ? slice_of_string(slash + 1) : (struct slice){ NULL, 0 };
    return is_type(*type) && (slash == NULL || is_name(*name));
}
