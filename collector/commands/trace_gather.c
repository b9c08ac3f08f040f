/*
 * Gathering one trace. Cost: a look at each record's ids; what matches is copied into an arena. A resource is kept once as long as
 * it is among the few used last.
 */
#include "collector/commands/trace_gather.h"

#include <stdlib.h>

enum { RESOURCES_SEARCHED = 64, NAMESAKES_SEARCHED = 64, ARENA_BLOCK = 256 * 1024 };

static struct slice copy(struct trace *trace, struct slice bytes)
{
    uint8_t *memory;

    if (bytes.size == 0)
        return slice_of(NULL, 0);
    memory = arena_alloc(&trace->arena, bytes.size);
    memcpy(memory, bytes.data, bytes.size);
    trace->bytes += bytes.size;
    return slice_of(memory, bytes.size);
}

static bool has_room(struct trace *trace, size_t size)
{
    if (trace->span_count + trace->log_count < TRACE_RECORDS_MAX && trace->bytes + size <= TRACE_BYTES_MAX)
        return true;
    trace->left_out++;
    return false;
}

/* ---- resources and services ---- */

static struct trace_service *add_service(struct trace *trace, struct slice name)
{
    struct trace_service *service = arena_alloc(&trace->arena, sizeof(*service));

    *service = (struct trace_service){ .name = copy(trace, name), .number = trace->service_count };
    trace->service_count++;
    if (trace->last_service != NULL)
        trace->last_service->next = service;
    else
        trace->services = service;
    trace->last_service = service;
    return service;
}

static struct trace_service *service_of(struct trace *trace, struct slice resource)
{
    struct otlp_value value = { .kind = OTLP_VALUE_EMPTY };
    struct slice name = { NULL, 0 };

    if (otlp_find_attribute(resource, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("service.name"), &value) && value.kind == OTLP_VALUE_STRING)
        name = value.bytes;
    for (struct trace_service *service = trace->services; service != NULL; service = service->next)
        if (slice_equal(service->name, name))
            return service;
    if (trace->service_count == TRACE_SERVICES_MAX)
        return trace->last_service;
    if (trace->service_count == TRACE_SERVICES_MAX - 1)
        name = SLICE("(one of further services)");
    return add_service(trace, name);
}

static struct trace_resource *resource_of(struct trace *trace, struct slice body)
{
    struct trace_resource **link = &trace->resources, *resource;

    for (size_t i = 0; *link != NULL && i < RESOURCES_SEARCHED; i++, link = &(*link)->next) {
        resource = *link;
        if (!slice_equal(resource->body, body))
            continue;
        *link = resource->next;
        resource->next = trace->resources;
        trace->resources = resource;
        return resource;
    }
    resource = arena_alloc(&trace->arena, sizeof(*resource));
    *resource = (struct trace_resource){ copy(trace, body), service_of(trace, body), trace->resources };
    trace->resources = resource;
    return resource;
}

/* ---- records ---- */

void *trace_grow(void *items, size_t *capacity, size_t count, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity * 2 + 64;
    items = realloc(items, *capacity * item_size);
    if (items == NULL)
        abort();
    return items;
}

struct slice trace_real_id(struct slice id)
{
    static const uint8_t zeros[SPAN_ID_SIZE];

    return id.size == SPAN_ID_SIZE && memcmp(id.data, zeros, SPAN_ID_SIZE) != 0 ? id : slice_of(NULL, 0);
}

static void add_span(struct trace *trace, const struct otlp_walk *walk)
{
    struct trace_span *span;

    if (!has_room(trace, walk->record.body.size))
        return;
    trace->spans = trace_grow(trace->spans, &trace->span_capacity, trace->span_count, sizeof(*trace->spans));
    span = &trace->spans[trace->span_count++];
    *span = (struct trace_span){ .resource = resource_of(trace, walk->group.resource) };
    otlp_span_view(copy(trace, walk->record.body), &span->view);
    span->view.parent_span_id = trace_real_id(span->view.parent_span_id);
}

static void add_log(struct trace *trace, const struct otlp_walk *walk)
{
    struct trace_log *log;

    if (!has_room(trace, walk->record.body.size))
        return;
    trace->logs = trace_grow(trace->logs, &trace->log_capacity, trace->log_count, sizeof(*trace->logs));
    log = &trace->logs[trace->log_count++];
    *log = (struct trace_log){ .resource = resource_of(trace, walk->group.resource) };
    otlp_log_view(copy(trace, walk->record.body), &log->view);
    log->view.span_id = trace_real_id(log->view.span_id);
    log->time = log->view.time != 0 ? log->view.time : log->view.observed_time;
}

void trace_gather(struct trace *trace, enum signal signal, struct slice request)
{
    struct slice id = slice_of(trace->id, TRACE_ID_SIZE);
    struct otlp_walk walk = otlp_walk(request);

    if (signal != SIGNAL_TRACES && signal != SIGNAL_LOGS)
        return;
    trace->arena.block_size = ARENA_BLOCK;
    while (otlp_walk_next(&walk)) {
        struct otlp_span span;
        struct otlp_log log;

        if (signal == SIGNAL_TRACES) {
            otlp_span_view(walk.record.body, &span);
            if (slice_equal(span.trace_id, id))
                add_span(trace, &walk);
        } else {
            otlp_log_view(walk.record.body, &log);
            if (slice_equal(log.trace_id, id))
                add_log(trace, &walk);
        }
    }
}

/* ---- order ---- */

static int compare_times(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_services(const struct trace_resource *a, const struct trace_resource *b)
{
    int order = (a->service->number > b->service->number) - (a->service->number < b->service->number);

    return order != 0 ? order : slice_compare(a->body, b->body);
}

static int compare_spans(const void *left, const void *right)
{
    const struct trace_span *a = left, *b = right;
    int order = slice_compare(a->view.span_id, b->view.span_id);

    if (order == 0)
        order = compare_times(a->view.start_time, b->view.start_time);
    if (order == 0)
        order = slice_compare(a->view.body, b->view.body);
    return order != 0 ? order : compare_services(a->resource, b->resource);
}

static int compare_logs(const void *left, const void *right)
{
    const struct trace_log *a = left, *b = right;
    int order = compare_times(a->time, b->time);

    if (order == 0)
        order = slice_compare(a->view.body, b->view.body);
    return order != 0 ? order : compare_services(a->resource, b->resource);
}

static void finish_spans(struct trace *trace)
{
    size_t kept = 0;

    for (size_t i = 0; i < trace->span_count; i++) {
        struct trace_span *before = kept > 0 ? &trace->spans[kept - 1] : NULL;

        if (before != NULL && compare_spans(before, &trace->spans[i]) == 0) {
            trace->duplicates++;
            continue;
        }
        trace->spans[kept] = trace->spans[i];
        if (before != NULL && slice_equal(before->view.span_id, trace->spans[kept].view.span_id))
            before->shares_id = trace->spans[kept].shares_id = true;
        trace->spans[kept++].resource->service->spans++;
    }
    trace->span_count = kept;
}

static void finish_logs(struct trace *trace)
{
    size_t kept = 0;

    for (size_t i = 0; i < trace->log_count; i++) {
        /* without a time two lines may well be equal */
        if (kept > 0 && trace->logs[i].time != 0 && compare_logs(&trace->logs[kept - 1], &trace->logs[i]) == 0) {
            trace->duplicates++;
            continue;
        }
        trace->logs[kept] = trace->logs[i];
        trace->logs[kept++].resource->service->logs++;
    }
    trace->log_count = kept;
}

void trace_finish(struct trace *trace)
{
    if (trace->span_count > 0)
        qsort(trace->spans, trace->span_count, sizeof(*trace->spans), compare_spans);
    if (trace->log_count > 0)
        qsort(trace->logs, trace->log_count, sizeof(*trace->logs), compare_logs);
    finish_spans(trace);
    finish_logs(trace);
}

void trace_fini(struct trace *trace)
{
    arena_fini(&trace->arena);
    free(trace->spans);
    free(trace->logs);
    trace->spans = NULL;
    trace->logs = NULL;
}

/* ---- finding ---- */

const struct trace_span *trace_find_span(const struct trace *trace, struct slice span_id, const struct trace_service *service)
{
    size_t low = 0, high = trace->span_count;
    const struct trace_span *first;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slice_compare(trace->spans[middle].view.span_id, span_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == trace->span_count || !slice_equal(trace->spans[low].view.span_id, span_id))
        return NULL;
    first = &trace->spans[low];
    for (size_t i = low; i < trace->span_count && i - low < NAMESAKES_SEARCHED && slice_equal(trace->spans[i].view.span_id, span_id); i++)
        if (service != NULL && trace->spans[i].resource->service == service)
            return &trace->spans[i];
    return first;
}

const struct trace_service *trace_find_service(const struct trace *trace, struct slice name)
{
    for (const struct trace_service *service = trace->services; service != NULL; service = service->next)
        if (slice_equal(service->name, name))
            return service;
    return NULL;
}
