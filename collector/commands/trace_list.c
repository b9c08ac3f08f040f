/*
 * The list of traces: a hash table by trace id. Cost: about 150 bytes a trace, a look at each record's ids, times and status.
 */
#include "collector/commands/trace_list.h"

#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/commands/print.h"
#include "collector/wire/encoding.h"

enum { NAME_MAX_KEPT = 120, STATUS_ERROR = 2, ARENA_BLOCK = 64 * 1024 };

struct trace_name {
    uint64_t hash;
    struct slice text;
};

static const struct trace_name other_name = { 0, SLICE_INIT("...") };

/* ---- names ---- */

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL)
        abort();
    return memory;
}

static void grow_names(struct trace_list *list)
{
    size_t capacity = list->name_capacity == 0 ? 256 : list->name_capacity * 2;
    const struct trace_name **names = allocate(capacity, sizeof(*names));

    for (size_t i = 0; i < list->name_capacity; i++) {
        size_t at;

        if (list->names[i] == NULL)
            continue;
        for (at = list->names[i]->hash % capacity; names[at] != NULL;)
            at = (at + 1) % capacity;
        names[at] = list->names[i];
    }
    free(list->names);
    list->names = names;
    list->name_capacity = capacity;
}

/* The one name of that text. */
static const struct trace_name *name_of(struct trace_list *list, struct slice text)
{
    struct trace_name *name;
    uint64_t hash;
    size_t at;

    text.size = text.size < NAME_MAX_KEPT ? text.size : NAME_MAX_KEPT;
    hash = hash_bytes(text);
    if (list->name_count * 2 >= list->name_capacity)
        grow_names(list);
    for (at = hash % list->name_capacity; list->names[at] != NULL; at = (at + 1) % list->name_capacity)
        if (list->names[at]->hash == hash && slice_equal(list->names[at]->text, text))
            return list->names[at];
    if (list->name_count == TRACE_NAMES_MAX)
        return &other_name;
    list->arena.block_size = ARENA_BLOCK;
    name = arena_alloc(&list->arena, sizeof(*name));
    *name = (struct trace_name){ hash, slice_of_string(arena_string(&list->arena, text)) };
    name->text.size = text.size;
    list->names[at] = name;
    list->name_count++;
    return name;
}

/* ---- traces ---- */

static void grow_table(struct trace_list *list)
{
    size_t size = list->table_size == 0 ? 1024 : list->table_size * 2;
    uint32_t *table = allocate(size, sizeof(*table));

    for (size_t i = 0; i < list->count; i++) {
        size_t at = hash_bytes(slice_of(list->items[i].id, TRACE_ID_SIZE)) % size;

        while (table[at] != 0)
            at = (at + 1) % size;
        table[at] = (uint32_t)i + 1;
    }
    free(list->table);
    list->table = table;
    list->table_size = size;
}

static struct trace_summary *add_summary(struct trace_list *list, struct slice id)
{
    struct trace_summary *summary;

    list->items = trace_grow(list->items, &list->capacity, list->count, sizeof(*list->items));
    summary = &list->items[list->count++];
    *summary = (struct trace_summary){ .first = 0 };
    memcpy(summary->id, id.data, TRACE_ID_SIZE);
    return summary;
}

/* NULL: of no trace, or there is no room for another. */
static struct trace_summary *summary_of(struct trace_list *list, struct slice id)
{
    size_t at;

    if (id.size != TRACE_ID_SIZE)
        return NULL;
    if (list->count * 2 >= list->table_size)
        grow_table(list);
    for (at = hash_bytes(id) % list->table_size; list->table[at] != 0; at = (at + 1) % list->table_size)
        if (memcmp(list->items[list->table[at] - 1].id, id.data, TRACE_ID_SIZE) == 0)
            return &list->items[list->table[at] - 1];
    if (list->count == TRACE_LIST_MAX) {
        list->left_out++;
        return NULL;
    }
    list->table[at] = (uint32_t)list->count + 1;
    return add_summary(list, id);
}

static void extend(struct trace_summary *summary, uint64_t time)
{
    if (time == 0)
        return;
    summary->first = summary->first == 0 || time < summary->first ? time : summary->first;
    summary->last = time > summary->last ? time : summary->last;
}

static void add_service(struct trace_summary *summary, const struct trace_name *service)
{
    for (size_t i = 0; i < summary->service_count && i < TRACE_LIST_SERVICES; i++)
        if (summary->services[i] == service)
            return;
    if (summary->service_count < TRACE_LIST_SERVICES)
        summary->services[summary->service_count++] = service;
    else
        summary->service_count = TRACE_LIST_SERVICES + 1;
}

static void add_span(struct trace_list *list, struct slice body, const struct trace_name *service)
{
    struct trace_summary *summary;
    struct otlp_span span;
    bool root, better;

    otlp_span_view(body, &span);
    summary = summary_of(list, span.trace_id);
    if (summary == NULL)
        return;
    root = trace_real_id(span.parent_span_id).size == 0;
    better = root == summary->has_root ? span.start_time < summary->root_start : root;
    if (summary->root == NULL || better) {
        summary->root = name_of(list, span.name);
        summary->root_service = service;
        summary->root_start = span.start_time;
        summary->has_root = root;
    }
    summary->spans++;
    summary->errors += span.status_code == STATUS_ERROR;
    extend(summary, span.start_time);
    extend(summary, span.end_time);
    add_service(summary, service);
}

static void add_log(struct trace_list *list, struct slice body, const struct trace_name *service)
{
    struct trace_summary *summary;
    struct otlp_log log;

    otlp_log_view(body, &log);
    summary = summary_of(list, log.trace_id);
    if (summary == NULL)
        return;
    summary->logs++;
    extend(summary, log.time != 0 ? log.time : log.observed_time);
    add_service(summary, service);
}

static const struct trace_name *service_of(struct trace_list *list, struct slice resource)
{
    struct otlp_value value;

    if (otlp_find_attribute(resource, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("service.name"), &value) && value.kind == OTLP_VALUE_STRING)
        return name_of(list, value.bytes);
    return name_of(list, SLICE("(no service.name)"));
}

void trace_list_add(struct trace_list *list, enum signal signal, struct slice request)
{
    struct otlp_walk walk = otlp_walk(request);
    const struct trace_name *service = NULL;
    const uint8_t *group = NULL;

    if (signal != SIGNAL_TRACES && signal != SIGNAL_LOGS)
        return;
    while (otlp_walk_next(&walk)) {
        if (service == NULL || walk.group.raw.data != group)
            service = service_of(list, walk.group.resource);
        group = walk.group.raw.data;
        if (signal == SIGNAL_TRACES)
            add_span(list, walk.record.body, service);
        else
            add_log(list, walk.record.body, service);
    }
}

/* ---- printing ---- */

static int compare(const void *left, const void *right)
{
    const struct trace_summary *a = left, *b = right;

    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return memcmp(a->id, b->id, TRACE_ID_SIZE);
}

static void put_services(const struct trace_summary *summary, struct buffer *out)
{
    for (size_t i = 0; i < summary->service_count && i < TRACE_LIST_SERVICES; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        print_text(out, summary->services[i]->text, NAME_MAX_KEPT);
    }
    if (summary->service_count > TRACE_LIST_SERVICES)
        buffer_append_string(out, ",...");
}

static void put_root(const struct trace_summary *summary, struct buffer *out)
{
    if (summary->root == NULL) {
        buffer_append_string(out, "(log records only)");
        return;
    }
    buffer_append_string(out, summary->has_root ? "" : "(no root; earliest: ");
    print_text(out, summary->root_service->text, NAME_MAX_KEPT);
    buffer_append_string(out, ": ");
    print_text(out, summary->root->text, NAME_MAX_KEPT);
    buffer_append_string(out, summary->has_root ? "" : ")");
}

static void put_summary(const struct trace_summary *summary, struct buffer *out)
{
    struct buffer duration = { 0 };
    char hex[2 * TRACE_ID_SIZE];

    encoding_write_hex(slice_of(summary->id, TRACE_ID_SIZE), hex);
    print_duration(&duration, (int64_t)(summary->last - summary->first));
    buffer_append(out, hex, sizeof(hex));
    buffer_append_string(out, "  ");
    print_seconds(out, summary->first);
    buffer_printf(out, "%*s%11s  %6u %6u %6u  ", summary->first == 0 ? 19 : 0, "", buffer_string(&duration), summary->spans, summary->logs,
        summary->errors);
    buffer_fini(&duration);
    put_root(summary, out);
    buffer_append_string(out, "  [");
    put_services(summary, out);
    buffer_append_string(out, "]\n");
}

void trace_list_print(struct trace_list *list, struct buffer *out)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(*list->items), compare);
    buffer_printf(out, "%-32s  %-20s%11s  %6s %6s %6s  %s\n", "TRACE", "FIRST", "DURATION", "SPANS", "LOGS", "ERRORS", "ROOT  [SERVICES]");
    for (size_t i = 0; i < list->count && print_flush_large(out); i++)
        put_summary(&list->items[i], out);
    if (list->left_out > 0)
        buffer_printf(out, "and %zu records of further traces: only the first %d are listed\n", list->left_out, TRACE_LIST_MAX);
}

void trace_list_fini(struct trace_list *list)
{
    arena_fini(&list->arena);
    free(list->items);
    free(list->table);
    free(list->names);
    *list = (struct trace_list){ .count = 0 };
}
