/*
 * Building the forest: every span and log record becomes an entry that names its parent's node; one sort brings the entries of a node
 * together. Cost: O(n log n), no recursion, whatever the parents say.
 */
#include "collector/commands/trace_tree.h"

#include <stdlib.h>

enum { SPAN_EVENTS = 11, SPAN_LINKS = 13, EVENT_TIME = 1 };
enum { KIND_PRODUCER = 4, KIND_CONSUMER = 5 };
enum { FLAG_HAS_IS_REMOTE = 0x100, FLAG_IS_REMOTE = 0x200 };
enum { LATE_END_NS = 1000000 }; /* a server is still busy with itself when its answer has arrived */

static struct trace_node *add_node(struct trace_tree *tree)
{
    tree->nodes = trace_grow(tree->nodes, &tree->node_capacity, tree->node_count, sizeof(*tree->nodes));
    tree->nodes[tree->node_count] = (struct trace_node){ .parent = TRACE_ROOTS };
    return &tree->nodes[tree->node_count++];
}

static struct trace_entry *add_entry(struct trace_tree *tree, uint32_t parent, uint64_t time)
{
    struct trace_entry *entry;

    tree->entries = trace_grow(tree->entries, &tree->entry_capacity, tree->entry_count, sizeof(*tree->entries));
    entry = &tree->entries[tree->entry_count];
    *entry = (struct trace_entry){ .parent = parent, .time = time, .order = tree->entry_count++ };
    return entry;
}

/* ---- missing spans ---- */

/* A span's id that something names, and that is not there. */
struct missing {
    struct slice id;
    uint32_t node;
};

struct missing_list {
    struct missing *items; /* owned; by id */
    size_t count;
};

static int compare_missing(const void *left, const void *right)
{
    const struct missing *a = left, *b = right;

    return memcmp(a->id.data, b->id.data, SPAN_ID_SIZE);
}

static void note_missing(const struct trace *trace, struct slice id, struct missing_list *list)
{
    if (id.size == SPAN_ID_SIZE && trace_find_span(trace, id, NULL) == NULL)
        list->items[list->count++].id = id;
}

static void list_missing(struct trace_tree *tree, struct missing_list *list)
{
    const struct trace *trace = tree->trace;
    size_t kept = 0;

    list->items = calloc(trace->span_count + trace->log_count + 1, sizeof(*list->items));
    if (list->items == NULL)
        abort();
    for (size_t i = 0; i < trace->span_count; i++)
        note_missing(trace, trace->spans[i].view.parent_span_id, list);
    for (size_t i = 0; i < trace->log_count; i++)
        note_missing(trace, trace->logs[i].view.span_id, list);
    qsort(list->items, list->count, sizeof(*list->items), compare_missing);
    for (size_t i = 0; i < list->count; i++) {
        struct trace_node *node;

        if (kept > 0 && compare_missing(&list->items[kept - 1], &list->items[i]) == 0)
            continue;
        node = add_node(tree);
        node->id = list->items[i].id;
        node->start = UINT64_MAX;
        list->items[kept++] = (struct missing){ node->id, (uint32_t)(node - tree->nodes) };
    }
    list->count = kept;
}

/* ---- who hangs where ---- */

/* The node of a span's id; TRACE_ROOTS when there is no id. */
static uint32_t node_of(
    const struct trace_tree *tree, const struct missing_list *list, struct slice id, const struct trace_service *service)
{
    const struct trace_span *span;
    const struct missing *missing;

    if (id.size != SPAN_ID_SIZE)
        return TRACE_ROOTS;
    span = trace_find_span(tree->trace, id, service);
    if (span != NULL)
        return (uint32_t)(span - tree->trace->spans) + 1;
    missing = bsearch(&(struct missing){ .id = id }, list->items, list->count, sizeof(*list->items), compare_missing);
    return missing != NULL ? missing->node : TRACE_ROOTS;
}

static void note_child_of_missing(struct trace_tree *tree, struct trace_node *missing, const struct trace_span *child)
{
    uint32_t flags = child->view.flags;

    tree->missing_parents++;
    if (flags & FLAG_HAS_IS_REMOTE)
        missing->missing = flags & FLAG_IS_REMOTE ? TRACE_MISSING_REMOTE : TRACE_MISSING_LOCAL;
}

static void place_spans(struct trace_tree *tree, const struct missing_list *list)
{
    for (size_t i = 0; i < tree->trace->span_count; i++) {
        struct trace_node *node = &tree->nodes[i + 1], *parent;

        node->parent = node_of(tree, list, node->span->view.parent_span_id, node->span->resource->service);
        parent = &tree->nodes[node->parent];
        if (node->parent == TRACE_ROOTS || parent->span != NULL)
            continue;
        note_child_of_missing(tree, parent, node->span);
        parent->start = node->start < parent->start ? node->start : parent->start;
    }
}

/* Follows the parents of each node once; where that leads in a circle, its earliest span becomes a root. */
static void cut_loops(struct trace_tree *tree)
{
    for (uint32_t walk = 1; walk < tree->node_count; walk++) {
        uint32_t at = walk, earliest;

        while (at != TRACE_ROOTS && tree->nodes[at].walk == 0) {
            tree->nodes[at].walk = walk;
            at = tree->nodes[at].parent;
        }
        if (at == TRACE_ROOTS || tree->nodes[at].walk != walk)
            continue;
        earliest = at;
        for (uint32_t i = tree->nodes[at].parent; i != at; i = tree->nodes[i].parent)
            if (tree->nodes[i].start < tree->nodes[earliest].start)
                earliest = i;
        tree->nodes[earliest].parent = TRACE_ROOTS;
        tree->nodes[earliest].loop = true;
        tree->loops++;
    }
}

/* ---- entries ---- */

static uint64_t event_time(struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    while (pb_next(&reader, &field))
        if (field.number == EVENT_TIME && field.type == PB_FIXED64)
            return field.scalar;
    return 0;
}

static void enter_details(struct trace_tree *tree, uint32_t node)
{
    const struct otlp_span *view = &tree->nodes[node].span->view;
    struct pb_reader reader = pb_reader_of(view->body);
    struct pb_field field;
    size_t count = 0;

    while (pb_next(&reader, &field) && count < TRACE_EVENTS_MAX) {
        struct trace_entry *entry;

        if (field.type != PB_BYTES || (field.number != SPAN_EVENTS && field.number != SPAN_LINKS))
            continue;
        entry = add_entry(tree, node, field.number == SPAN_EVENTS ? event_time(field.bytes) : view->start_time);
        entry->kind = field.number == SPAN_EVENTS ? TRACE_ENTRY_EVENT : TRACE_ENTRY_LINK;
        entry->body = field.bytes;
        count++;
    }
}

static void enter_all(struct trace_tree *tree, const struct missing_list *list)
{
    const struct trace *trace = tree->trace;

    for (uint32_t i = 1; i <= trace->span_count; i++)
        enter_details(tree, i);
    for (size_t i = 0; i < trace->log_count; i++) {
        const struct trace_log *log = &trace->logs[i];
        uint32_t node = node_of(tree, list, log->view.span_id, log->resource->service);
        struct trace_entry *entry = add_entry(tree, node, log->time);

        entry->kind = TRACE_ENTRY_LOG;
        entry->log = log;
        if (node != TRACE_ROOTS && log->time < tree->nodes[node].start && tree->nodes[node].span == NULL)
            tree->nodes[node].start = log->time;
    }
    for (uint32_t i = 1; i < tree->node_count; i++) {
        struct trace_entry *entry = add_entry(tree, tree->nodes[i].parent, tree->nodes[i].start);

        entry->kind = TRACE_ENTRY_NODE;
        entry->node = i;
    }
}

static int compare_entries(const void *left, const void *right)
{
    const struct trace_entry *a = left, *b = right;

    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static void sort_entries(struct trace_tree *tree)
{
    if (tree->entry_count > 0)
        qsort(tree->entries, tree->entry_count, sizeof(*tree->entries), compare_entries);
    for (size_t i = 0; i < tree->entry_count; i++) {
        struct trace_node *node = &tree->nodes[tree->entries[i].parent];

        if (node->count++ == 0)
            node->first = i;
        node->children += tree->entries[i].kind == TRACE_ENTRY_NODE;
    }
}

/* ---- services ---- */

static void list_service(struct trace_tree *tree, const struct trace_resource *resource)
{
    struct trace_service *service = resource->service;

    if (service->listed)
        return;
    service->listed = true;
    if (tree->last_service != NULL)
        tree->last_service->below = service;
    else
        tree->services = service;
    tree->last_service = service;
    tree->service_count++;
}

/* In the order of the tree, which clocks that differ do not change. */
static void list_services(struct trace_tree *tree)
{
    uint32_t at = TRACE_ROOTS;

    for (size_t i = 0; i < tree->node_count; i++)
        tree->nodes[i].walk = 0;
    while (at != TRACE_ROOTS || tree->nodes[at].walk < tree->nodes[at].count) {
        struct trace_node *node = &tree->nodes[at];
        const struct trace_entry *entry = &tree->entries[node->first + node->walk];

        if (node->walk == node->count) {
            at = node->parent;
            continue;
        }
        node->walk++;
        if (entry->kind == TRACE_ENTRY_LOG)
            list_service(tree, entry->log->resource);
        if (entry->kind != TRACE_ENTRY_NODE)
            continue;
        at = entry->node;
        if (tree->nodes[at].span != NULL)
            list_service(tree, tree->nodes[at].span->resource);
    }
}

/* ---- times ---- */

static void extend(struct trace_tree *tree, uint64_t time)
{
    if (time == 0)
        return;
    tree->first = tree->first == 0 || time < tree->first ? time : tree->first;
    tree->last = time > tree->last ? time : tree->last;
}

static void measure(struct trace_tree *tree)
{
    const struct trace *trace = tree->trace;

    for (size_t i = 0; i < trace->span_count; i++) {
        extend(tree, trace->spans[i].view.start_time);
        extend(tree, trace->spans[i].view.end_time);
    }
    for (size_t i = 0; i < trace->log_count; i++)
        extend(tree, trace->logs[i].time);
    tree->base = 0;
    for (size_t i = 1; i <= trace->span_count; i++) {
        const struct trace_node *node = &tree->nodes[i];

        if (node->parent == TRACE_ROOTS && node->start != 0 && (tree->base == 0 || node->start < tree->base))
            tree->base = node->start;
    }
    if (tree->base == 0)
        tree->base = tree->first;
}

static bool find_text(const struct trace_resource *resource, struct slice key, struct slice *text)
{
    struct otlp_value value;
    bool found = otlp_find_attribute(resource->body, OTLP_ATTRIBUTES_OF_RESOURCE, key, &value) && value.kind == OTLP_VALUE_STRING;

    *text = found ? value.bytes : slice_of(NULL, 0);
    return text->size > 0 && !slice_equal_string(*text, "localhost");
}

/* True when all that both say about their machine is the same, and it is something: then they have one clock. */
static bool same_host(const struct trace_resource *a, const struct trace_resource *b)
{
    static const struct slice keys[] = { SLICE_INIT("host.id"), SLICE_INIT("host.name") };
    bool same = false;

    for (size_t i = 0; i < 2; i++) {
        struct slice left, right;

        if (!find_text(a, keys[i], &left) || !find_text(b, keys[i], &right))
            continue;
        if (!slice_equal(left, right))
            return false;
        same = true;
    }
    return same;
}

static bool lasts_no_longer(const struct otlp_span *child, const struct otlp_span *parent)
{
    return child->end_time - child->start_time <= parent->end_time - parent->start_time;
}

struct trace_skew trace_skew_of(const struct trace_tree *tree, const struct trace_node *node)
{
    const struct trace_span *parent = tree->nodes[node->parent].span, *child = node->span;
    struct trace_skew skew = { 0, 0, false };
    bool two_clocks, sent_later;

    if (child == NULL || parent == NULL)
        return skew;
    two_clocks = child->resource->service != parent->resource->service && !same_host(child->resource, parent->resource);
    sent_later = child->view.kind == KIND_CONSUMER || parent->view.kind == KIND_PRODUCER; /* a queue is between them */
    if (child->view.start_time < parent->view.start_time)
        skew.starts_before = parent->view.start_time - child->view.start_time;
    if (two_clocks && !sent_later && parent->view.end_time >= parent->view.start_time &&
        child->view.end_time > parent->view.end_time + LATE_END_NS)
        skew.ends_after = child->view.end_time - parent->view.end_time;
    skew.clocks = two_clocks && (skew.starts_before > 0 || (skew.ends_after > 0 && lasts_no_longer(&child->view, &parent->view)));
    return skew;
}

/* ---- life ---- */

void trace_tree_init(struct trace_tree *tree, const struct trace *trace)
{
    struct missing_list list = { 0 };

    *tree = (struct trace_tree){ .trace = trace };
    add_node(tree);
    for (size_t i = 0; i < trace->span_count; i++) {
        struct trace_node *node = add_node(tree);

        node->span = &trace->spans[i];
        node->id = node->span->view.span_id;
        node->start = node->span->view.start_time;
    }
    list_missing(tree, &list);
    place_spans(tree, &list);
    cut_loops(tree);
    enter_all(tree, &list);
    free(list.items);
    sort_entries(tree);
    list_services(tree);
    measure(tree);
}

void trace_tree_fini(struct trace_tree *tree)
{
    free(tree->nodes);
    free(tree->entries);
    *tree = (struct trace_tree){ 0 };
}
