/* Grouping by scope and writing. A batch ends early when it would have more than 64 scopes. Threads: the worker. */
#include "sdk/src/batch.h"

#include "collector/wire/protobuf.h"
#include "sdk/src/scope.h"

enum { GROUPS_MAX = 64 };

struct group {
    const struct scope *scope;
    struct record *first, *last;
    size_t size; /* of its records' fields */
};

struct plan {
    struct group groups[GROUPS_MAX];
    uint32_t group_count, record_count;
};

static size_t field_size(size_t content)
{
    return 1 + pb_varint_size(content) + content;
}

/* The group of the record's scope; NULL when there are too many. */
static struct group *group_of(struct plan *plan, const struct scope *scope)
{
    struct scope *marked = (struct scope *)(uintptr_t)scope;

    if (scope->mark < plan->group_count && plan->groups[scope->mark].scope == scope)
        return &plan->groups[scope->mark];
    if (plan->group_count == GROUPS_MAX)
        return NULL;
    marked->mark = plan->group_count++;
    plan->groups[marked->mark] = (struct group){ .scope = scope };
    return &plan->groups[marked->mark];
}

/* Moves records from the list to groups. */
static void collect(struct plan *plan, struct record_list *list, uint32_t limit)
{
    while (list->first != NULL && plan->record_count < limit) {
        struct record *record = list->first;
        struct group *group = group_of(plan, record->scope);
        if (group == NULL)
            break;
        list->first = record->next;
        list->count--;
        record->next = NULL;
        if (group->last != NULL)
            group->last->next = record;
        else
            group->first = record;
        group->last = record;
        group->size += field_size(record->size);
        plan->record_count++;
    }
    if (list->first == NULL)
        list->last = NULL;
}

static size_t group_size(const struct group *group)
{
    size_t size = group->size;

    if (group->scope->encoded.size != 0)
        size += field_size(group->scope->encoded.size);
    if (group->scope->schema_url.size != 0)
        size += field_size(group->scope->schema_url.size);
    return size;
}

static void open_field(struct buffer *out, uint32_t number, size_t content)
{
    pb_put_tag(out, number, PB_BYTES);
    pb_put_raw_varint(out, content);
}

static void put_group(struct buffer *out, const struct group *group)
{
    open_field(out, 2, group_size(group));
    if (group->scope->encoded.size != 0)
        pb_put_bytes(out, 1, group->scope->encoded);
    for (const struct record *record = group->first; record != NULL; record = record->next)
        pb_put_bytes(out, 2, slice_of(record->data, record->size));
    if (group->scope->schema_url.size != 0)
        pb_put_bytes(out, 3, group->scope->schema_url);
}

/* Back to the list, in some order, when the request could not be written. */
static void put_back(struct plan *plan, struct record_list *list)
{
    for (uint32_t i = 0; i < plan->group_count; i++) {
        struct group *group = &plan->groups[i];
        group->last->next = list->first;
        if (list->last == NULL)
            list->last = group->last;
        list->first = group->first;
    }
    list->count += plan->record_count;
}

uint32_t batch_write(struct record_list *list, uint32_t limit, struct slice resource, struct buffer *out)
{
    struct plan plan;

    plan.group_count = plan.record_count = 0;
    collect(&plan, list, limit);
    if (plan.record_count == 0)
        return 0;
    size_t content = field_size(resource.size);
    for (uint32_t i = 0; i < plan.group_count; i++)
        content += field_size(group_size(&plan.groups[i]));
    if (!buffer_reserve(out, field_size(content))) {
        put_back(&plan, list);
        return 0;
    }
    open_field(out, 1, content);
    pb_put_bytes(out, 1, resource);
    for (uint32_t i = 0; i < plan.group_count; i++) {
        put_group(out, &plan.groups[i]);
        record_free_chain(plan.groups[i].first);
    }
    return plan.record_count;
}
