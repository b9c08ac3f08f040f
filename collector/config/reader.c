/*
 * YAML to nodes by libyaml's events, each node with its mark.
 *
 * An alias copies what it stands for, so every node is in one place only, and the bound on nodes is also the bound on
 * what aliases can blow up. Depth is bounded, so recursion is.
 */
#include "collector/config/reader.h"

#include <yaml.h>

struct anchor {
    const char *name;
    const struct config_node *node;
    struct anchor *next;
};

struct reader {
    yaml_parser_t parser;
    struct config_reading *reading;
    const struct config_text *text;
    struct anchor *anchors; /* newest first: a name may be given again */
    bool failed;
};

static struct config_node *refuse(struct reader *self, const struct config_node *at, const char *sentence)
{
    if (!self->failed && (!self->text->quiet || self->reading->nodes_left == 0))
        config_error_add(self->reading->errors, at, "", "%s", sentence);
    self->failed = true;
    return NULL;
}

static void place(const struct reader *self, struct config_node *node, yaml_mark_t mark)
{
    const struct config_node *at = self->text->at;

    node->file = at != NULL ? at->file : self->text->file;
    node->line = at != NULL ? at->line : (int)mark.line + 1;
    node->column = at != NULL ? at->column : (int)mark.column + 1;
}

static struct config_node *new_node(struct reader *self, enum config_kind kind, yaml_mark_t mark)
{
    struct config_node *node;

    if (self->reading->nodes_left == 0) {
        struct config_node at = { 0 };

        place(self, &at, mark);
        return refuse(self, &at, "the configuration is too large, or its aliases blow it up: more than 100,000 values");
    }
    self->reading->nodes_left--;
    node = arena_alloc(self->reading->arena, sizeof(*node));
    node->kind = kind;
    place(self, node, mark);
    return node;
}

/* ---- what libyaml can't read ---- */

static yaml_mark_t mark_of_offset(struct slice bytes, size_t offset)
{
    yaml_mark_t mark = { offset, 0, 0 };

    for (size_t i = 0; i < offset && i < bytes.size; i++) {
        mark.column++;
        if (bytes.data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static struct config_node *refuse_syntax(struct reader *self)
{
    const yaml_parser_t *parser = &self->parser;
    yaml_mark_t mark = parser->problem_mark;
    struct config_node at = { 0 };
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";

    if (parser->error == YAML_READER_ERROR)
        mark = mark_of_offset(self->text->bytes, parser->problem_offset);
    place(self, &at, mark);
    return refuse(self, &at,
        arena_printf(self->reading->errors->arena, "not YAML: %s%s%s", parser->context != NULL ? parser->context : "",
            parser->context != NULL ? ", " : "", problem));
}

static bool next_event(struct reader *self, yaml_event_t *event)
{
    if (self->failed)
        return false;
    if (yaml_parser_parse(&self->parser, event) != 0)
        return true;
    refuse_syntax(self);
    return false;
}

/* ---- scalars, aliases ---- */

static bool has_tag(const yaml_event_t *event, const char *name)
{
    const char *tag = (const char *)event->data.scalar.tag;
    static const char prefix[] = "tag:yaml.org,2002:";

    return tag != NULL && strncmp(tag, prefix, sizeof(prefix) - 1) == 0 && strcmp(tag + sizeof(prefix) - 1, name) == 0;
}

static bool is_plain(const yaml_event_t *event)
{
    if (has_tag(event, "str") || has_tag(event, "binary"))
        return false;
    if (has_tag(event, "int") || has_tag(event, "float") || has_tag(event, "bool") || has_tag(event, "null"))
        return true;
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool is_null_word(const char *text)
{
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

static struct config_node *read_scalar(struct reader *self, const yaml_event_t *event)
{
    struct slice bytes = slice_of(event->data.scalar.value, event->data.scalar.length);
    struct config_node *node = new_node(self, CONFIG_SCALAR, event->start_mark);

    if (node == NULL)
        return NULL;
    if (memchr(bytes.data, 0, bytes.size) != NULL)
        return refuse(self, node, "a value must not contain a NUL character");
    node->text = arena_string(self->reading->arena, bytes);
    node->quoted = !is_plain(event);
    if (!node->quoted && is_null_word(node->text)) {
        node->kind = CONFIG_NULL;
        node->text = NULL;
    }
    return node;
}

static struct config_node *copy_node(struct reader *self, const struct config_node *from)
{
    struct config_node *copy = new_node(self, from->kind, (yaml_mark_t){ 0, 0, 0 });
    struct config_node **tail;

    if (copy == NULL)
        return NULL;
    *copy = *from;
    copy->next = NULL;
    tail = &copy->children;
    for (const struct config_node *child = from->children; child != NULL; child = child->next) {
        *tail = copy_node(self, child);
        if (*tail == NULL)
            return NULL;
        tail = &(*tail)->next;
    }
    return copy;
}

static struct config_node *read_alias(struct reader *self, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct config_node at = { 0 };
    struct config_node *copy;

    place(self, &at, event->start_mark);
    for (const struct anchor *anchor = self->anchors; anchor != NULL; anchor = anchor->next)
        if (strcmp(anchor->name, name) == 0) {
            copy = copy_node(self, anchor->node);
            if (copy != NULL)
                copy->key = NULL;
            return copy;
        }
    return refuse(self, &at, arena_printf(self->reading->errors->arena, "unknown alias \"*%.100s\"", name));
}

static void keep_anchor(struct reader *self, const char *name, const struct config_node *node)
{
    struct anchor *anchor;

    if (name == NULL || node == NULL)
        return;
    anchor = arena_alloc(self->reading->arena, sizeof(*anchor));
    anchor->name = name;
    anchor->node = node;
    anchor->next = self->anchors;
    self->anchors = anchor;
}

/* ---- lists and maps ---- */

static struct config_node *read_node(struct reader *self, const yaml_event_t *event, int depth);

static struct config_node *read_list(struct reader *self, const yaml_event_t *start, int depth)
{
    struct config_node *list = new_node(self, CONFIG_LIST, start->start_mark);
    struct config_node **tail = list != NULL ? &list->children : NULL;
    bool open = list != NULL;

    while (open) {
        yaml_event_t event;

        if (!next_event(self, &event))
            return NULL;
        open = event.type != YAML_SEQUENCE_END_EVENT;
        if (open) {
            *tail = read_node(self, &event, depth);
            if (*tail != NULL)
                tail = &(*tail)->next;
        }
        yaml_event_delete(&event);
    }
    return self->failed ? NULL : list;
}

static bool add_entry(struct reader *self, struct config_node *map, struct config_node *entry)
{
    struct config_node **tail = &map->children;
    size_t count = 0;

    for (; *tail != NULL; tail = &(*tail)->next, count++) {
        if (strcmp((*tail)->key, entry->key) == 0) {
            const struct config_node *first = *tail;
            struct config_node at = *entry;

            at.line = entry->key_line;
            at.column = entry->key_column;
            return refuse(self, &at,
                       arena_printf(self->reading->errors->arena, "the key \"%.200s\" was already given in line %d, column %d", entry->key,
                           first->key_line, first->key_column)) != NULL;
        }
    }
    if (count == CONFIG_KEYS_MAX)
        return refuse(self, entry, "more than 10,000 keys in one map") != NULL;
    *tail = entry;
    return true;
}

static void merge_map(struct config_node *map, struct config_node *from)
{
    struct config_node *entry = from->children;

    while (entry != NULL) {
        struct config_node *next = entry->next, **tail = &map->children;

        while (*tail != NULL && strcmp((*tail)->key, entry->key) != 0)
            tail = &(*tail)->next;
        if (*tail == NULL) {
            *tail = entry;
            entry->next = NULL;
        }
        entry = next;
    }
}

/* "<<: *a" and "<<: [*a, *b]": what stands in the map itself wins, then the earlier of the list. */
static void apply_merges(struct reader *self, struct config_node *map)
{
    struct config_node **link = &map->children, *merge;

    while (*link != NULL && strcmp((*link)->key, "<<") != 0)
        link = &(*link)->next;
    merge = *link;
    if (merge == NULL)
        return;
    *link = merge->next;
    if (merge->kind == CONFIG_MAP) {
        merge_map(map, merge);
        return;
    }
    for (struct config_node *item = merge->kind == CONFIG_LIST ? merge->children : NULL; item != NULL; item = item->next) {
        if (item->kind != CONFIG_MAP)
            break;
        merge_map(map, item);
        if (item->next == NULL)
            return;
    }
    refuse(self, merge, "\"<<\" takes a map or a list of maps");
}

/* One entry; the key's event has been read. */
static void read_entry(struct reader *self, struct config_node *map, const yaml_event_t *key, int depth)
{
    yaml_event_t event;
    struct config_node *value, *name;

    name = read_node(self, key, depth);
    if (name == NULL)
        return;
    if (name->kind != CONFIG_SCALAR || name->text[0] == '\0') {
        refuse(self, name, "a key must be a word");
        return;
    }
    if (!next_event(self, &event))
        return;
    value = read_node(self, &event, depth);
    yaml_event_delete(&event);
    if (value == NULL)
        return;
    value->key = name->text;
    value->key_line = name->line;
    value->key_column = name->column;
    add_entry(self, map, value);
}

static struct config_node *read_map(struct reader *self, const yaml_event_t *start, int depth)
{
    struct config_node *map = new_node(self, CONFIG_MAP, start->start_mark);
    bool open = map != NULL;

    while (open) {
        yaml_event_t event;

        if (!next_event(self, &event))
            return NULL;
        open = event.type != YAML_MAPPING_END_EVENT;
        if (open)
            read_entry(self, map, &event, depth);
        yaml_event_delete(&event);
    }
    if (!self->failed)
        apply_merges(self, map);
    return self->failed ? NULL : map;
}

static const char *anchor_name(struct reader *self, const yaml_char_t *anchor)
{
    return anchor != NULL ? arena_string(self->reading->arena, slice_of_string((const char *)anchor)) : NULL;
}

static struct config_node *read_node(struct reader *self, const yaml_event_t *event, int depth)
{
    struct config_node *node = NULL;
    struct config_node at = { 0 };
    const char *anchor = NULL;

    place(self, &at, event->start_mark);
    if (depth >= CONFIG_DEPTH_MAX)
        return refuse(self, &at, "nested more than 100 levels deep");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node = read_scalar(self, event);
        anchor = anchor_name(self, event->data.scalar.anchor);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node = read_list(self, event, depth + 1);
        anchor = anchor_name(self, event->data.sequence_start.anchor);
        break;
    case YAML_MAPPING_START_EVENT:
        node = read_map(self, event, depth + 1);
        anchor = anchor_name(self, event->data.mapping_start.anchor);
        break;
    case YAML_ALIAS_EVENT:
        return read_alias(self, event);
    default:
        return refuse(self, &at, "not YAML: something is missing here");
    }
    keep_anchor(self, anchor, node);
    return node;
}

/* ---- documents ---- */

static bool skip_to(struct reader *self, yaml_event_t *event, yaml_event_type_t type)
{
    while (next_event(self, event)) {
        if (event->type == type || event->type == YAML_STREAM_END_EVENT)
            return true;
        yaml_event_delete(event);
    }
    return false;
}

static void warn_of_second_document(struct reader *self)
{
    struct config_node at = { 0 };
    yaml_event_t event;

    if (self->text->quiet || !skip_to(self, &event, YAML_DOCUMENT_START_EVENT))
        return;
    place(self, &at, event.start_mark);
    if (event.type == YAML_DOCUMENT_START_EVENT)
        config_warning_add(self->reading->errors, &at, "", "only the first YAML document is read; this one is left out");
    yaml_event_delete(&event);
}

static struct config_node *read_document(struct reader *self)
{
    struct config_node *root = NULL;
    yaml_event_t event;

    if (!skip_to(self, &event, YAML_DOCUMENT_START_EVENT))
        return NULL;
    if (event.type == YAML_STREAM_END_EVENT) {
        root = new_node(self, CONFIG_NULL, event.start_mark);
        yaml_event_delete(&event);
        return root;
    }
    yaml_event_delete(&event);
    if (!next_event(self, &event))
        return NULL;
    root = read_node(self, &event, 0);
    yaml_event_delete(&event);
    if (!self->failed)
        warn_of_second_document(self);
    return self->failed ? NULL : root;
}

struct config_node *config_read_yaml(struct config_reading *reading, const struct config_text *text)
{
    struct reader self = { .reading = reading, .text = text };
    struct config_node *root;

    if (yaml_parser_initialize(&self.parser) == 0)
        return refuse(&self, NULL, "out of memory");
    yaml_parser_set_encoding(&self.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&self.parser, text->bytes.data, text->bytes.size);
    root = read_document(&self);
    yaml_parser_delete(&self.parser);
    return root;
}
