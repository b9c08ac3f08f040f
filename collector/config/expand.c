/*
 * Expressions in scalars: ${env:NAME:-default}, ${NAME}, ${file:path}, ${yaml:text}, and $$ for a dollar sign.
 *
 * The innermost expression is replaced first, and what it gave is searched again. An expression that is the whole
 * scalar may give any YAML (a number, a list, a map); one inside other text gives text. What can't be read as YAML is text.
 * Bounds: 1,000 expressions a scalar, the nesting and the nodes of the reader, and a total of bytes searched.
 */
#include "collector/config/reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/config/scalar.h"

enum { STEPS_MAX = 1000, OPEN_MAX = 64, PATH_SIZE = 512 };

struct expander {
    struct config_reading *reading;
    const struct config_node *at; /* the scalar under way */
    bool quiet;                   /* no error or warning is said */
    bool gave_up;                 /* a bound of the whole was reached: one error is enough */
    char path[PATH_SIZE];         /* of `at`, for errors; cut when longer */
};

struct span {
    size_t start, end;
};

/* The text of a scalar on its way; `typed` once it turned out to be one expression that gave no string. */
struct expansion {
    const char *text;
    struct config_node *typed;
    bool changed; /* an expression was replaced */
    bool whole;   /* the last one was all of the text */
};

bool config_is_variable_name(const char *text)
{
    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    return true;
}

size_t config_scheme_length(const char *text)
{
    size_t length = 0;

    if (!isalpha((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[length]) || (text[length] != '\0' && strchr("+.-", text[length]) != NULL))
        length++;
    return text[length] == ':' && length >= 2 ? length : 0;
}

static bool refuse(const struct expander *self, const char *sentence)
{
    if (!self->quiet)
        config_error_add(self->reading->errors, self->at, self->path, "%s", sentence);
    return false;
}

/* ---- what an expression gives ---- */

static bool read_variable(const struct expander *self, const char *name_and_default, const char **text)
{
    struct arena *arena = self->reading->arena;
    const char *separator = strstr(name_and_default, ":-");
    size_t length = separator != NULL ? (size_t)(separator - name_and_default) : strlen(name_and_default);
    const char *name = arena_string(arena, slice_of(name_and_default, length));

    if (!config_is_variable_name(name))
        return refuse(
            self, arena_printf(arena, "\"%.200s\" is not the name of an environment variable; write $${...} for a literal ${...}", name));
    *text = getenv(name);
    if (*text == NULL && separator != NULL)
        *text = separator + 2;
    if (*text == NULL && !self->quiet)
        config_warning_add(
            self->reading->errors, self->at, self->path, "the environment variable %s is not set; nothing is put in its place", name);
    if (*text == NULL)
        *text = "";
    return strlen(*text) <= CONFIG_SOURCE_MAX || refuse(self, "the environment variable is too long");
}

static bool read_included_file(const struct expander *self, const char *path, const char **text)
{
    struct error err;
    struct slice content;

    if (!config_read_file(self->reading->arena, path, &content, &err))
        return refuse(self, err.message);
    *text = (const char *)content.data;
    return strlen(*text) == content.size || refuse(self, arena_printf(self->reading->arena, "\"%.200s\" contains a NUL character", path));
}

/* `uri` is what stands between the braces; *file is set when the text has positions of its own. */
static bool retrieve(const struct expander *self, const char *uri, const char **text, const char **file)
{
    struct arena *arena = self->reading->arena;
    size_t scheme = config_scheme_length(uri);
    const char *rest = uri + scheme + 1;

    *file = NULL;
    if (strchr(uri, ':') == NULL)
        return read_variable(self, uri, text);
    if (scheme == 3 && strncmp(uri, "env", scheme) == 0)
        return read_variable(self, rest, text);
    if (scheme == 4 && strncmp(uri, "yaml", scheme) == 0) {
        *text = rest;
        return true;
    }
    if (scheme == 4 && strncmp(uri, "file", scheme) == 0) {
        *file = rest;
        return read_included_file(self, rest, text);
    }
    if ((scheme == 4 || scheme == 5) && strncmp(uri, "https", scheme) == 0)
        return refuse(self, "weir does not fetch configuration by HTTP; put it into a file and write ${file:...}");
    if (scheme != 0 && rest[0] == '-')
        return refuse(
            self, arena_printf(arena, "\"${%.200s}\" is not understood; a default is written ${env:%.*s:-...}", uri, (int)scheme, uri));
    return refuse(self,
        arena_printf(arena, "\"${%.200s}\" is not understood; known are env:, file: and yaml:, and $${...} is a literal ${...}", uri));
}

/* The text as YAML, when that is something else than a string; NULL: it is a string. */
static bool parse_typed(struct expander *self, const char *text, const char *file, struct config_node **typed)
{
    struct config_text source = { slice_of_string(text), NULL, file == NULL ? self->at : NULL, true };

    if (file != NULL)
        source.file = arena_string(self->reading->errors->arena, slice_of_string(file));
    *typed = config_read_yaml(self->reading, &source);
    if (*typed == NULL && self->reading->nodes_left == 0) {
        self->gave_up = true;
        return false;
    }
    if (*typed != NULL && (*typed)->kind == CONFIG_SCALAR && ((*typed)->quoted || scalar_type_of((*typed)->text) == SCALAR_STRING))
        *typed = NULL;
    return true;
}

/* ---- finding and replacing ---- */

/* Dollar signs that stand at `p`. */
static size_t count_dollars(const char *p)
{
    return strspn(p, "$");
}

/*
 * The first expression to be complete, which is an innermost one. "$${" opens nothing, but its "}" closes it: so the
 * expression around it is found whole.
 */
static bool find_expression(const char *text, struct span *span)
{
    struct {
        size_t start;
        bool escaped;
    } open[OPEN_MAX];
    size_t depth = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        size_t dollars = count_dollars(text + i);

        if (dollars > 0) {
            i += dollars - 1;
            if (text[i + 1] == '{' && depth < OPEN_MAX) {
                open[depth].start = i;
                open[depth++].escaped = dollars % 2 == 0;
            }
        } else if (text[i] == '}' && depth > 0 && !open[--depth].escaped) {
            span->start = open[depth].start;
            span->end = i + 1;
            return true;
        }
    }
    return false;
}

static const char *splice(struct arena *arena, const char *text, struct span span, const char *middle)
{
    size_t length = strlen(middle), tail = strlen(text + span.end);
    char *result = arena_alloc(arena, span.start + length + tail + 1);

    memcpy(result, text, span.start);
    memcpy(result + span.start, middle, length);
    memcpy(result + span.start + length, text + span.end, tail);
    return result;
}

/* A file's last line break is not part of a string: secrets are kept in files that end with one. */
static const char *without_line_break(struct arena *arena, const char *text)
{
    size_t length = strlen(text);

    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length > 0 && text[length - 1] == '\r')
        length--;
    return arena_string(arena, slice_of(text, length));
}

static bool charge(struct expander *self, size_t bytes)
{
    if (bytes > CONFIG_SOURCE_MAX || bytes > self->reading->expansion_left) {
        self->gave_up = true;
        return refuse(self, "expressions give too much text; does one contain itself?");
    }
    self->reading->expansion_left -= bytes;
    return true;
}

/* Replaces one expression. */
static bool expand_one(struct expander *self, struct expansion *expansion, struct span span, bool as_string)
{
    struct arena *arena = self->reading->arena;
    const char *uri = arena_string(arena, slice_of(expansion->text + span.start + 2, span.end - span.start - 3));
    const char *given = NULL, *file;

    if (!retrieve(self, uri, &given, &file) || !charge(self, strlen(given)))
        return false;
    expansion->changed = true;
    expansion->whole = span.start == 0 && expansion->text[span.end] == '\0';
    if (expansion->whole && !as_string && !parse_typed(self, given, file, &expansion->typed))
        return false;
    if (file != NULL)
        given = without_line_break(arena, given);
    expansion->text = splice(arena, expansion->text, span, given);
    return true;
}

static bool expand_text(struct expander *self, struct expansion *expansion, bool as_string)
{
    struct span span;

    for (int step = 0; step < STEPS_MAX; step++) {
        if (!charge(self, strlen(expansion->text)))
            return false;
        if (!find_expression(expansion->text, &span))
            return true;
        if (!expand_one(self, expansion, span, as_string))
            return false;
        if (expansion->typed != NULL)
            return true;
    }
    return refuse(self, "more than 1,000 expressions in one value; does one contain itself?");
}

/* "$$" is "$". */
static const char *unescape(struct arena *arena, const char *text)
{
    char *copy, *out;

    if (text == NULL || strstr(text, "$$") == NULL)
        return text;
    copy = out = arena_string(arena, slice_of_string(text));
    for (; *text != '\0'; text++) {
        if (text[0] == '$' && text[1] == '$')
            text++;
        *out++ = *text;
    }
    *out = '\0';
    return copy;
}

/* ---- nodes ---- */

static bool expand_node(struct expander *self, struct config_node *node, int depth);

static bool expand_children(struct expander *self, struct config_node *node, int depth)
{
    size_t length = strlen(self->path), index = 0;
    bool fine = true;

    for (struct config_node *child = node->children; child != NULL; child = child->next, index++) {
        char *end = self->path + length;
        const char *dot = length > 0 ? "." : "";

        if (node->kind == CONFIG_LIST)
            snprintf(end, PATH_SIZE - length, "[%zu]", index);
        else
            snprintf(end, PATH_SIZE - length, "%s%s", dot, child->key);
        fine = expand_node(self, child, depth + 1) && fine;
        *end = '\0';
    }
    return fine;
}

/* What a string option takes of a value that is none: the expression's own text, as far as it can be expanded. */
static const char *expand_original(struct expander *self, const char *text)
{
    struct expansion expansion = { .text = text };

    if (strchr(text, '$') == NULL)
        return text;
    self->quiet = true;
    if (!expand_text(self, &expansion, true))
        expansion.text = NULL;
    self->quiet = false;
    return unescape(self->reading->arena, expansion.text);
}

static bool become(struct expander *self, struct config_node *node, const struct expansion *expansion, int depth)
{
    const struct config_node *typed = expansion->typed;

    node->kind = typed->kind;
    node->text = typed->text;
    node->quoted = typed->quoted;
    node->children = typed->children;
    if (!expand_children(self, node, depth))
        return false;
    node->original = expand_original(self, expansion->text);
    return !self->gave_up || refuse(self, "expressions give too much text; does one contain itself?");
}

static bool expand_scalar(struct expander *self, struct config_node *node, int depth)
{
    struct expansion expansion = { .text = node->text };

    if (strchr(node->text, '$') == NULL)
        return true;
    self->at = node;
    if (!expand_text(self, &expansion, false))
        return false;
    if (expansion.typed != NULL)
        return become(self, node, &expansion, depth);
    node->text = unescape(self->reading->arena, expansion.text);
    if (expansion.changed) {
        node->quoted = true;
        node->original = expansion.whole ? node->text : NULL;
    }
    return true;
}

static bool expand_node(struct expander *self, struct config_node *node, int depth)
{
    if (self->gave_up)
        return false;
    if (depth >= CONFIG_DEPTH_MAX) {
        self->at = node;
        self->gave_up = true;
        return refuse(self, "expressions nest more than 100 levels deep; does one contain itself?");
    }
    if (node->kind == CONFIG_SCALAR)
        return expand_scalar(self, node, depth);
    return expand_children(self, node, depth);
}

bool config_expand(struct config_reading *reading, struct config_node *root)
{
    struct expander self = { .reading = reading };

    return expand_node(&self, root, 0);
}
