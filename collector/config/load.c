/*
 * Sources to one tree: each is read by itself, "a::b::c" keys become maps, the later is merged over the earlier, and then the
 * whole is expanded. Runs on the control thread, at start and at reload.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/config/reader.h"

enum { EXPANSION_MAX = 16 << 20, READ_SIZE = 64 << 10 };

/* ---- tree ---- */

const struct config_node *config_get(const struct config_node *map, const char *key)
{
    if (map == NULL || map->kind != CONFIG_MAP)
        return NULL;
    for (const struct config_node *child = map->children; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

static size_t count_children(const struct config_node *node)
{
    size_t count = 0;

    for (const struct config_node *child = node->children; child != NULL; child = child->next)
        count++;
    return count;
}

static bool equal_children(const struct config_node *a, const struct config_node *b)
{
    const struct config_node *other = b->children;

    if (count_children(a) != count_children(b))
        return false;
    for (const struct config_node *child = a->children; child != NULL; child = child->next) {
        if (!config_equal(child, a->kind == CONFIG_MAP ? config_get(b, child->key) : other))
            return false;
        other = other->next;
    }
    return true;
}

static bool equal_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool config_equal(const struct config_node *a, const struct config_node *b)
{
    static const struct config_node null = { .kind = CONFIG_NULL };

    a = a != NULL ? a : &null;
    b = b != NULL ? b : &null;
    if (a->kind != b->kind || a->quoted != b->quoted || !equal_text(a->text, b->text) || !equal_text(a->original, b->original))
        return false;
    return equal_children(a, b);
}

/* ---- merging ---- */

static struct config_node *find_child(struct config_node *map, const char *key)
{
    struct config_node *child = map->children;

    while (child != NULL && strcmp(child->key, key) != 0)
        child = child->next;
    return child;
}

static void append_child(struct config_node *map, struct config_node *child)
{
    struct config_node **tail = &map->children;

    while (*tail != NULL)
        tail = &(*tail)->next;
    *tail = child;
    child->next = NULL;
}

/* The later value takes the place of the earlier; where both are maps, key by key. */
static void merge(struct config_node *into, struct config_node *from)
{
    struct config_node *next = into->next, *child = from->children;

    if (into->kind != CONFIG_MAP || from->kind != CONFIG_MAP) {
        *into = *from;
        into->next = next;
        return;
    }
    while (child != NULL) {
        struct config_node *following = child->next, *old = find_child(into, child->key);

        if (old != NULL)
            merge(old, child);
        else
            append_child(into, child);
        child = following;
    }
}

/* "a::b::c" at the top of a source stands for c in b in a. What is left after 50 levels stays as it is. */
static struct config_node *unflatten(struct arena *arena, struct config_node *child)
{
    struct config_node *outer = NULL, **place = &outer;
    const char *key = child->key, *separator;

    for (int depth = 0; depth < CONFIG_DEPTH_MAX / 2 && (separator = strstr(key, "::")) != NULL; depth++) {
        struct config_node *map = arena_alloc(arena, sizeof(*map));

        *map = *child;
        map->kind = CONFIG_MAP;
        map->text = map->original = NULL;
        map->next = map->children = NULL;
        map->key = arena_string(arena, slice_of(key, (size_t)(separator - key)));
        *place = map;
        place = &map->children;
        key = separator + 2;
    }
    *place = child;
    child->key = key;
    child->next = NULL;
    return outer;
}

/* ---- sources ---- */

static bool read_all(struct arena *arena, int fd, struct slice *content, struct error *err)
{
    struct buffer buffer = { .limit = CONFIG_SOURCE_MAX + 1 };
    ssize_t got = 1;

    while (got > 0 && buffer_reserve(&buffer, 1)) {
        size_t room = buffer.capacity - buffer.size;

        got = read(fd, buffer.data + buffer.size, room < READ_SIZE ? room : READ_SIZE);
        if (got > 0)
            buffer.size += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    if (got == 0)
        *content = slice_of(arena_string(arena, buffer_slice(&buffer)), buffer.size);
    buffer_fini(&buffer);
    if (got > 0)
        return fail(err, "longer than 4 MiB");
    return got == 0 || fail(err, "%s", strerror(errno));
}

bool config_read_file(struct arena *arena, const char *path, struct slice *content, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool fine;

    if (fd < 0)
        return fail(err, "could not open \"%.300s\": %s", path, strerror(errno));
    fine = read_all(arena, fd, content, err);
    close(fd);
    return fine || fail_within(err, "could not read \"%.300s\"", path);
}

struct loading {
    struct config_reading reading;
    struct config_node *root;
};

static bool refuse_source(struct loading *self, const char *source, const char *sentence)
{
    struct config_node at = { .file = arena_string(self->reading.errors->arena, slice_of_string(source)) };

    config_error_add(self->reading.errors, &at, "", "%s", sentence);
    return false;
}

static bool merge_text(struct loading *self, const struct config_text *text)
{
    struct config_node *root = config_read_yaml(&self->reading, text), *child;

    if (root == NULL)
        return false;
    if (root->kind != CONFIG_MAP && root->kind != CONFIG_NULL) {
        config_error_add(self->reading.errors, root, "", "a configuration is a map that begins with receivers:, exporters: and service:");
        return false;
    }
    child = root->children;
    while (child != NULL) {
        struct config_node *next = child->next;
        struct config_node wrapper = { .kind = CONFIG_MAP, .children = unflatten(self->reading.arena, child) };

        merge(self->root, &wrapper);
        child = next;
    }
    return true;
}

static bool load_file(struct loading *self, const char *path)
{
    struct config_text text = { .file = arena_string(self->reading.errors->arena, slice_of_string(path)) };
    struct error err;

    if (!config_read_file(self->reading.arena, path, &text.bytes, &err))
        return refuse_source(self, path, err.message);
    return merge_text(self, &text);
}

static bool load_variable(struct loading *self, const char *source, const char *name)
{
    struct config_text text = { .file = arena_string(self->reading.errors->arena, slice_of_string(source)) };
    const char *value = config_is_variable_name(name) ? getenv(name) : NULL;

    if (value == NULL)
        return refuse_source(self, source, "there is no such environment variable");
    text.bytes = slice_of_string(value);
    return merge_text(self, &text);
}

static bool is_scheme(const char *text, size_t length, const char *scheme)
{
    return strlen(scheme) == length && strncmp(text, scheme, length) == 0;
}

static bool load_source(struct loading *self, const char *source)
{
    size_t scheme = config_scheme_length(source);
    const char *rest = source + (scheme > 0 ? scheme + 1 : 0);

    if (scheme == 0 || is_scheme(source, scheme, "file"))
        return load_file(self, rest);
    if (is_scheme(source, scheme, "env"))
        return load_variable(self, source, rest);
    if (is_scheme(source, scheme, "yaml"))
        return merge_text(self, &(struct config_text){ slice_of_string(rest), "yaml", NULL, false });
    if (is_scheme(source, scheme, "http") || is_scheme(source, scheme, "https"))
        return refuse_source(self, source, "weir does not fetch configuration by HTTP; put it into a file");
    return refuse_source(self, source, "unknown kind of source; known are a path, file:, env: and yaml:");
}

static char *set_key(struct arena *arena, const char *text, size_t length)
{
    struct buffer key = { .limit = CONFIG_SOURCE_MAX };
    char *copy;

    for (size_t i = 0; i < length; i++)
        buffer_append(&key, text[i] == '.' ? "::" : text + i, text[i] == '.' ? 2 : 1);
    copy = arena_string(arena, slice_trim(buffer_slice(&key)));
    buffer_fini(&key);
    return copy;
}

/* "a.b=c": the value is YAML. */
static bool load_set(struct loading *self, const char *setting)
{
    const char *equals = strchr(setting, '=');
    struct config_node at = { .file = "--set", .line = 1, .column = 1 };
    struct config_text text = { .file = "--set", .at = &at };
    struct config_node *value;

    if (equals == NULL || equals == setting)
        return refuse_source(self, "--set", arena_printf(self->reading.arena, "\"%.200s\" is not of the form a.b=c", setting));
    text.bytes = slice_of_string(equals + 1);
    value = config_read_yaml(&self->reading, &text);
    if (value == NULL)
        return false;
    value->key = set_key(self->reading.arena, setting, (size_t)(equals - setting));
    value->key_line = value->key_column = 1;
    merge(self->root, &(struct config_node){ .kind = CONFIG_MAP, .children = unflatten(self->reading.arena, value) });
    return true;
}

static bool load_sources(struct loading *self, const struct config_source *sources, size_t count, bool sets)
{
    bool fine = true;

    for (size_t i = 0; i < count; i++)
        if (sources[i].is_set == sets)
            fine = (sets ? load_set(self, sources[i].text) : load_source(self, sources[i].text)) && fine;
    return fine;
}

struct config_node *config_load(struct arena *arena, const struct config_source *sources, size_t count, struct config_errors *errors)
{
    struct loading self = { .reading = { arena, errors, CONFIG_NODES_MAX, EXPANSION_MAX } };
    bool fine;

    self.root = arena_alloc(arena, sizeof(*self.root));
    self.root->kind = CONFIG_MAP;
    fine = load_sources(&self, sources, count, false);
    fine = load_sources(&self, sources, count, true) && fine;
    if (!fine || !config_expand(&self.reading, self.root))
        return NULL;
    return self.root;
}
