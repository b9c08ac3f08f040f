/*
 * Bodies of _bulk requests. Cost: one copy of a document, from the wire bytes into the text; sending again copies nothing.
 * Threads: none of its own.
 */
#include "exporters/elasticsearch/bulk.h"

#include <stdlib.h>

#include "collector/wire/json.h"

static const char templates_key[] = ",\"dynamic_templates\":";

void elastic_bulk_fini(struct elastic_bulk *bulk)
{
    buffer_fini(&bulk->text);
    free(bulk->items);
    memset(bulk, 0, sizeof(*bulk));
}

void elastic_bulk_clear(struct elastic_bulk *bulk)
{
    buffer_clear(&bulk->text);
    bulk->count = 0;
}

static bool make_room(struct elastic_bulk *bulk)
{
    size_t capacity = bulk->capacity == 0 ? 256 : 2 * bulk->capacity;
    struct elastic_item *items;

    if (bulk->count < bulk->capacity)
        return true;
    items = realloc(bulk->items, capacity * sizeof(*items));
    if (items == NULL) {
        bulk->text.failed = true;
        return false;
    }
    bulk->items = items;
    bulk->capacity = capacity;
    return true;
}

static void write_member(const char *key, struct slice value, struct buffer *out)
{
    if (value.size == 0)
        return;
    buffer_append_string(out, key);
    json_write_string(value, out);
}

void elastic_bulk_open(struct elastic_bulk *bulk, const struct elastic_route *route, const struct elastic_action *action)
{
    struct buffer *text = &bulk->text;
    size_t start = text->size;
    struct elastic_item *item;

    if (!make_room(bulk))
        return;
    item = &bulk->items[bulk->count];
    *item = (struct elastic_item){ .start = start, .has_id = action->id.size > 0, .pending = true };
    buffer_append_slice(text, buffer_slice(&route->action));
    write_member(",\"_id\":", action->id, text);
    write_member(",\"pipeline\":", action->pipeline, text);
    if (action->templates.size > 0) {
        item->templates = (uint32_t)(text->size - start);
        buffer_append(text, templates_key, sizeof(templates_key) - 1);
        buffer_append_slice(text, action->templates);
    }
    ELASTIC_PUT(text, "}}\n");
    item->action_size = (uint32_t)(text->size - start);
}

void elastic_bulk_close(struct elastic_bulk *bulk)
{
    struct elastic_item *item = &bulk->items[bulk->count];

    buffer_append_byte(&bulk->text, '\n');
    if (bulk->text.failed)
        return;
    item->document_size = (uint32_t)(bulk->text.size - item->start - item->action_size);
    bulk->count++;
}

void elastic_bulk_drop(struct elastic_bulk *bulk)
{
    if (!bulk->text.failed)
        bulk->text.size = bulk->items[bulk->count].start;
}

struct slice elastic_bulk_action(const struct elastic_bulk *bulk, const struct elastic_item *item)
{
    return (struct slice){ bulk->text.data + item->start, item->action_size - 1 };
}

struct slice elastic_bulk_document(const struct elastic_bulk *bulk, const struct elastic_item *item)
{
    return (struct slice){ bulk->text.data + item->start + item->action_size, item->document_size - 1 };
}

bool elastic_bulk_forget_templates(struct elastic_bulk *bulk)
{
    bool any = false;

    for (size_t i = 0; i < bulk->count; i++) {
        struct elastic_item *item = &bulk->items[i];

        if (item->templates == 0)
            continue;
        memset(bulk->text.data + item->start + item->templates, ' ', item->action_size - item->templates - 3); /* all but "}}\n" */
        item->templates = 0;
        any = true;
    }
    return any;
}

size_t elastic_bulk_pending(const struct elastic_bulk *bulk, size_t first, size_t end)
{
    size_t count = 0;

    for (size_t i = first; i < end; i++)
        count += bulk->items[i].pending;
    return count;
}

static bool add_part(struct elastic_parts *parts, struct slice part)
{
    struct slice *last = parts->count > 0 ? &parts->items[parts->count - 1] : NULL;

    if (last != NULL && last->data + last->size == part.data) {
        last->size += part.size;
        return true;
    }
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity == 0 ? 16 : 2 * parts->capacity;
        struct slice *items = realloc(parts->items, capacity * sizeof(*items));

        if (items == NULL)
            return false;
        parts->items = items;
        parts->capacity = capacity;
    }
    parts->items[parts->count++] = part;
    return true;
}

bool elastic_bulk_parts(const struct elastic_bulk *bulk, size_t first, size_t end, struct elastic_parts *parts)
{
    parts->count = 0;
    for (size_t i = first; i < end; i++) {
        const struct elastic_item *item = &bulk->items[i];

        if (item->pending && !add_part(parts, slice_of(bulk->text.data + item->start, (size_t)item->action_size + item->document_size)))
            return false;
    }
    return true;
}
