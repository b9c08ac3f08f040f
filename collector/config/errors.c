/*
 * A configuration's errors and warnings, kept in the order of their positions. Adding costs a walk of the list, which is bounded.
 */
#include <stdarg.h>
#include <stdio.h>

#include "collector/config/tree.h"

enum { KEPT_MAX = 1000 };

static bool same_file(const struct config_error *a, const struct config_error *b)
{
    if (a->file == NULL || b->file == NULL)
        return a->file == b->file;
    return strcmp(a->file, b->file) == 0;
}

static bool comes_after(const struct config_error *a, const struct config_error *b)
{
    return a->line > b->line || (a->line == b->line && a->column > b->column);
}

/* Files stand in the order of their first errors; what has no position stands together, too. */
static void insert(struct config_errors *errors, struct config_error *added)
{
    struct config_error *before = NULL, *previous = NULL;
    bool found = false;

    for (struct config_error *error = errors->first; error != NULL; previous = error, error = error->next) {
        if (!same_file(error, added))
            continue;
        if (comes_after(error, added)) {
            if (!found)
                before = previous;
            found = true;
            break;
        }
        before = error;
        found = true;
    }
    if (!found)
        before = errors->last;
    added->next = before != NULL ? before->next : errors->first;
    if (before != NULL)
        before->next = added;
    else
        errors->first = added;
    if (added->next == NULL)
        errors->last = added;
}

static const char *with_position(struct arena *arena, const struct config_error *at, const char *path, const char *sentence)
{
    const char *separator = path[0] != '\0' ? ": " : "";

    if (at->file == NULL)
        return arena_printf(arena, "%s%s%s", path, separator, sentence);
    if (at->line == 0)
        return arena_printf(arena, "%s: %s%s%s", at->file, path, separator, sentence);
    return arena_printf(arena, "%s:%d:%d: %s%s%s", at->file, at->line, at->column, path, separator, sentence);
}

static void add(struct config_errors *errors, struct config_error at, const char *path, const char *sentence)
{
    struct config_error *added;

    if (at.warning)
        errors->warnings++;
    else
        errors->count++;
    if (errors->kept == KEPT_MAX)
        return;
    errors->kept++;
    added = arena_alloc(errors->arena, sizeof(*added));
    *added = at;
    added->text = with_position(errors->arena, &at, path, sentence);
    insert(errors, added);
}

static const char *format_sentence(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    size_t size;
    char *text;

    va_copy(again, arguments);
    size = (size_t)vsnprintf(NULL, 0, format, again) + 1;
    va_end(again);
    text = arena_alloc(arena, size);
    vsnprintf(text, size, format, arguments);
    return text;
}

static struct config_error at_value(const struct config_node *node)
{
    if (node == NULL)
        return (struct config_error){ .file = NULL };
    return (struct config_error){ .file = node->file, .line = node->line, .column = node->column };
}

static struct config_error at_key(const struct config_node *node)
{
    if (node == NULL || node->key_line == 0)
        return at_value(node);
    return (struct config_error){ .file = node->file, .line = node->key_line, .column = node->key_column };
}

void config_error_add(struct config_errors *errors, const struct config_node *node, const char *path, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(errors, at_value(node), path, format_sentence(errors->arena, format, arguments));
    va_end(arguments);
}

void config_error_add_at_key(struct config_errors *errors, const struct config_node *node, const char *path, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(errors, at_key(node), path, format_sentence(errors->arena, format, arguments));
    va_end(arguments);
}

void config_warning_add(struct config_errors *errors, const struct config_node *node, const char *path, const char *format, ...)
{
    struct config_error at = at_key(node);
    va_list arguments;

    at.warning = true;
    va_start(arguments, format);
    add(errors, at, path, format_sentence(errors->arena, format, arguments));
    va_end(arguments);
}
