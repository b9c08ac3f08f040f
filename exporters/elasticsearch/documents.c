/*
 * From batches to documents. Metrics are gathered first, over the whole batch, because points of several metrics, and of several
 * resource groups that say the same, become one document; everything else is written as it comes.
 * Threads: one writer is used by one thread at a time.
 */
#include "exporters/elasticsearch/documents.h"

#include "collector/base/hash.h"

enum { SPAN_EVENT = 11, RESOURCE_DROPPED = 2, SCOPE_NAME = 1, SCOPE_VERSION = 2, SCOPE_DROPPED = 4 };

const struct elastic_mapping *elastic_mapping_of(enum elastic_mode mode)
{
    switch (mode) {
    case ELASTIC_ECS:
        return &elastic_mapping_ecs;
    case ELASTIC_OTEL:
        return &elastic_mapping_otel;
    case ELASTIC_RAW:
        return &elastic_mapping_raw;
    case ELASTIC_BODYMAP:
        return &elastic_mapping_bodymap;
    default:
        return &elastic_mapping_none;
    }
}

void elastic_documents_fini(struct elastic_documents *documents)
{
    struct elastic_scope *scope = &documents->current;

    elastic_bulk_fini(&documents->bulk);
    elastic_attributes_fini(&scope->resource);
    elastic_attributes_fini(&scope->scope);
    elastic_route_fini(&scope->route);
    elastic_route_fini(&scope->event_route);
    buffer_fini(&scope->shared);
    elastic_attributes_fini(&documents->record);
    elastic_route_fini(&documents->own_route);
    elastic_fields_fini(&documents->fields);
    elastic_points_fini(&documents->points);
    buffer_fini(&documents->scratch);
    buffer_fini(&documents->templates);
    buffer_fini(&documents->document);
}

static void leave_out(struct elastic_documents *documents, size_t records, const char *why)
{
    documents->left_out += records;
    documents->why = why;
}

/* ---- scopes ---- */

static uint32_t number_of(struct slice message, uint32_t number)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;
    uint32_t value = 0;

    while (pb_next(&reader, &field))
        if (field.number == number && field.type == PB_VARINT)
            value = (uint32_t)field.scalar;
    return value;
}

static void read_scope(struct elastic_scope *scope)
{
    struct pb_reader reader = pb_reader_of(scope->scope_group.scope);
    struct pb_field field;

    scope->name = scope->version = (struct slice){ NULL, 0 };
    scope->scope_dropped = 0;
    while (pb_next(&reader, &field)) {
        if (field.number == SCOPE_NAME)
            scope->name = field.bytes;
        else if (field.number == SCOPE_VERSION)
            scope->version = field.bytes;
        else if (field.number == SCOPE_DROPPED)
            scope->scope_dropped = (uint32_t)field.scalar;
    }
}

static enum elastic_mode mode_of(const struct elastic_documents *documents)
{
    const struct elastic_attributes *attributes = &documents->current.scope;
    const struct otlp_value *value = attributes->reserved ? elastic_attributes_find(attributes, SLICE("elastic.mapping.mode")) : NULL;
    enum elastic_mode mode = value != NULL ? elastic_mode_of(value->bytes) : documents->request_mode;

    return mode != ELASTIC_MODE_COUNT && documents->settings->allowed[mode] ? mode : documents->request_mode;
}

static struct elastic_question question_of(const struct elastic_documents *documents, enum signal signal)
{
    return (struct elastic_question){ documents->settings, documents->current.mode, signal, documents->current.name };
}

static bool is_current(const struct elastic_scope *scope, const struct otlp_group *group, const struct otlp_scope_group *scope_group)
{
    return scope->scope_group.raw.data == scope_group->raw.data && scope->group.raw.data == group->raw.data &&
           scope_group->raw.data != NULL;
}

void elastic_scope_enter(struct elastic_documents *documents, const struct otlp_group *group, const struct otlp_scope_group *scope_group)
{
    struct elastic_scope *scope = &documents->current;
    bool same_group = scope->group.raw.data == group->raw.data && group->raw.data != NULL;
    struct elastic_hints resource_hints, scope_hints;
    struct elastic_question question;

    if (is_current(scope, group, scope_group))
        return;
    scope->group = *group;
    scope->scope_group = *scope_group;
    if (!same_group) {
        elastic_attributes_read(&scope->resource, group->resource, OTLP_ATTRIBUTES_OF_RESOURCE);
        scope->resource_dropped = number_of(group->resource, RESOURCE_DROPPED);
    }
    read_scope(scope);
    elastic_attributes_read(&scope->scope, scope_group->scope, OTLP_ATTRIBUTES_OF_SCOPE);
    resource_hints = elastic_hints_of(&scope->resource);
    scope_hints = elastic_hints_of(&scope->scope);
    scope->hints = elastic_hints_over(&scope_hints, &resource_hints);
    scope->mode = mode_of(documents);
    question = question_of(documents, documents->signal);
    scope->has_way = elastic_route_find(&scope->route, &question, &scope->hints);
    if (documents->signal == SIGNAL_TRACES) {
        question = question_of(documents, SIGNAL_LOGS);
        scope->events_have_way = elastic_route_find(&scope->event_route, &question, &scope->hints);
    }
    if (elastic_mapping_of(scope->mode)->open_scope != NULL)
        elastic_mapping_of(scope->mode)->open_scope(documents);
}

/* The way of the record whose attributes were read; NULL: it has none. */
static const struct elastic_route *route_of(struct elastic_documents *documents, enum signal signal)
{
    struct elastic_scope *scope = &documents->current;
    bool event = signal != documents->signal;
    struct elastic_hints hints = elastic_hints_of(&documents->record);
    struct elastic_question question;

    if (!elastic_hints_any(&hints)) {
        if (event)
            return scope->events_have_way ? &scope->event_route : NULL;
        return scope->has_way ? &scope->route : NULL;
    }
    hints = elastic_hints_over(&hints, &scope->hints);
    question = question_of(documents, signal);
    return elastic_route_find(&documents->own_route, &question, &hints) ? &documents->own_route : NULL;
}

/* ---- bulks ---- */

static void send_bulk(struct elastic_documents *documents)
{
    if (documents->bulk.count > 0 && !documents->bulk.text.failed)
        documents->stopped |= !documents->send(documents->context, &documents->bulk);
    if (!documents->bulk.text.failed)
        elastic_bulk_clear(&documents->bulk);
}

/* A request requires data streams for all of its documents, or for none. */
static void begin(struct elastic_documents *documents, const struct elastic_route *route, const struct elastic_action *action)
{
    const struct elastic_settings *settings = documents->settings;
    bool required = settings->require_data_stream == ELASTIC_ON ||
                    (settings->require_data_stream == ELASTIC_AUTO && documents->current.mode == ELASTIC_OTEL);

    if (required != documents->bulk.require_data_stream)
        send_bulk(documents);
    documents->bulk.require_data_stream = required;
    elastic_bulk_open(&documents->bulk, route, action);
}

static void end(struct elastic_documents *documents)
{
    elastic_bulk_close(&documents->bulk);
    if (documents->bulk.text.size >= documents->settings->request_limit)
        send_bulk(documents);
}

/* ---- logs ---- */

/* Borrowed from the attribute, or from scratch memory when it is no string. */
static struct slice text_attribute(struct elastic_documents *documents, bool enabled, struct slice key, struct buffer *scratch)
{
    const struct otlp_value *value = enabled && documents->record.reserved ? elastic_attributes_find(&documents->record, key) : NULL;

    if (value == NULL)
        return (struct slice){ NULL, 0 };
    if (value->kind == OTLP_VALUE_STRING)
        return value->bytes;
    buffer_clear(scratch);
    elastic_text_of(value, scratch);
    return buffer_slice(scratch);
}

static void write_log(struct elastic_documents *documents, struct slice body)
{
    const struct elastic_settings *settings = documents->settings;
    const struct elastic_route *route;
    struct elastic_action action;
    struct otlp_log log;

    otlp_log_view(body, &log);
    elastic_attributes_read(&documents->record, body, OTLP_ATTRIBUTES_OF_LOG);
    route = route_of(documents, SIGNAL_LOGS);
    if (route == NULL) {
        leave_out(documents, 1, "no_index");
        return;
    }
    action = (struct elastic_action){
        .id = text_attribute(documents, settings->dynamic_id, SLICE("elasticsearch.document_id"), &documents->scratch),
        .pipeline = text_attribute(documents, settings->dynamic_pipeline, SLICE("elasticsearch.ingest_pipeline"), &documents->templates),
    };
    begin(documents, route, &action);
    if (elastic_mapping_of(documents->current.mode)->log(documents, &log, route)) {
        end(documents);
    } else {
        elastic_bulk_drop(&documents->bulk);
        leave_out(documents, 1, "unmappable");
    }
}

/* ---- spans ---- */

static void write_event(struct elastic_documents *documents, const struct otlp_span *span, struct slice event)
{
    const struct elastic_route *route;

    elastic_attributes_read(&documents->record, event, OTLP_ATTRIBUTES_OF_SPAN_EVENT);
    route = route_of(documents, SIGNAL_LOGS);
    if (route == NULL)
        return;
    begin(documents, route, &(struct elastic_action){ .id = { NULL, 0 } });
    elastic_mapping_of(documents->current.mode)->event(documents, span, event, route);
    end(documents);
}

static void write_events(struct elastic_documents *documents, const struct otlp_span *span)
{
    struct pb_reader reader = pb_reader_of(span->body);
    struct pb_field field;

    while (!documents->stopped && pb_next(&reader, &field))
        if (field.number == SPAN_EVENT && field.type == PB_BYTES)
            write_event(documents, span, field.bytes);
}

static void write_span(struct elastic_documents *documents, struct slice body)
{
    const struct elastic_mapping *mapping = elastic_mapping_of(documents->current.mode);
    const struct elastic_route *route;
    struct otlp_span span;

    otlp_span_view(body, &span);
    elastic_attributes_read(&documents->record, body, OTLP_ATTRIBUTES_OF_SPAN);
    route = mapping->span != NULL ? route_of(documents, SIGNAL_TRACES) : NULL;
    if (route == NULL) {
        leave_out(documents, 1, mapping->span != NULL ? "no_index" : "unmappable");
        return;
    }
    begin(documents, route, &(struct elastic_action){ .id = { NULL, 0 } });
    if (!mapping->span(documents, &span, route)) {
        elastic_bulk_drop(&documents->bulk);
        leave_out(documents, 1, "unmappable");
        return;
    }
    end(documents);
    if (mapping->event != NULL)
        write_events(documents, &span);
}

/* ---- metrics ---- */

static bool is_cumulative_histogram(const struct otlp_metric *metric)
{
    return (metric->kind == OTLP_HISTOGRAM || metric->kind == OTLP_EXPONENTIAL_HISTOGRAM) && metric->temporality == 2;
}

/* Merged, as in mode ecs, a point's attributes stand beside the resource's and have the last word. */
static uint64_t identity_of(const struct elastic_documents *documents, const struct elastic_point *point, const struct elastic_route *route)
{
    const struct elastic_scope *scope = &documents->current;
    uint64_t identity = hash_combine(hash_bytes(slice_of_string(route->index)), (uint64_t)scope->mode);

    identity = hash_combine(identity, point->point.time);
    identity = hash_combine(identity, elastic_points_hash(&scope->resource));
    identity = hash_combine(identity, elastic_points_hash(&documents->record));
    if (scope->mode != ELASTIC_OTEL)
        return identity;
    identity = hash_combine(identity, point->point.start_time);
    identity = hash_combine(identity, hash_bytes(point->metric.unit));
    identity = hash_combine(identity, hash_bytes(scope->name));
    return hash_combine(identity, elastic_points_hash(&scope->scope));
}

static void gather_metric(struct elastic_documents *documents, struct slice body)
{
    struct elastic_scope *scope = &documents->current;
    struct elastic_point point = { .hints = 0 };
    struct otlp_points points;

    otlp_metric_view(body, &point.metric);
    points = otlp_points(&point.metric);
    while (otlp_next_point(&points, &point.point)) {
        const struct elastic_route *route;

        if (is_cumulative_histogram(&point.metric)) {
            leave_out(documents, 1, "cumulative_histogram");
            continue;
        }
        elastic_attributes_read(&documents->record, point.point.body, elastic_point_attributes(point.metric.kind));
        route = route_of(documents, SIGNAL_METRICS);
        if (route == NULL) {
            leave_out(documents, 1, "no_index");
            continue;
        }
        point.hints = elastic_point_hints(&documents->record);
        elastic_points_add(&documents->points,
            &(struct elastic_point_place){ identity_of(documents, &point, route), scope->group, scope->scope_group }, &point);
    }
}

static void write_group(struct elastic_documents *documents, const struct elastic_point_group *group)
{
    const struct elastic_point *first = elastic_points_first(&documents->points, group);
    const struct elastic_mapping *mapping;
    const struct elastic_route *route;
    size_t left_out = documents->left_out;

    elastic_scope_enter(documents, &group->group, &group->scope_group);
    mapping = elastic_mapping_of(documents->current.mode);
    elastic_attributes_read(&documents->record, first->point.body, elastic_point_attributes(first->metric.kind));
    route = route_of(documents, SIGNAL_METRICS);
    if (mapping->metrics == NULL || route == NULL) {
        leave_out(documents, group->count, "unmappable");
        return;
    }
    buffer_clear(&documents->templates);
    buffer_clear(&documents->document);
    if (!mapping->metrics(documents, group, route, &documents->document)) {
        if (documents->left_out == left_out)
            leave_out(documents, group->count, "unmappable");
        return;
    }
    begin(documents, route, &(struct elastic_action){ .templates = buffer_slice(&documents->templates) });
    buffer_append_slice(&documents->bulk.text, buffer_slice(&documents->document));
    documents->bulk.text.failed |= documents->document.failed || documents->templates.failed;
    end(documents);
}

static void write_groups(struct elastic_documents *documents)
{
    documents->bulk.text.failed |= documents->points.failed;
    for (uint32_t i = 0; i < documents->points.group_count && !documents->stopped && !documents->bulk.text.failed; i++)
        write_group(documents, &documents->points.groups[i]);
}

/* ---- batches ---- */

static void write_record(struct elastic_documents *documents, struct slice body)
{
    if (documents->signal == SIGNAL_LOGS)
        write_log(documents, body);
    else if (documents->signal == SIGNAL_TRACES)
        write_span(documents, body);
    else
        gather_metric(documents, body);
}

static void write_run(struct elastic_documents *documents, struct slice bytes)
{
    struct otlp_walk walk = otlp_walk(bytes);

    while (!documents->stopped && !documents->bulk.text.failed && otlp_walk_next(&walk)) {
        elastic_scope_enter(documents, &walk.group, &walk.scope_group);
        write_record(documents, walk.record.body);
    }
}

static bool ran_out(const struct elastic_documents *documents)
{
    const struct elastic_scope *scope = &documents->current;

    return documents->bulk.text.failed || documents->record.failed || scope->resource.failed || scope->scope.failed ||
           scope->shared.failed || scope->route.action.failed || scope->route.stream.failed || documents->own_route.action.failed ||
           documents->own_route.stream.failed;
}

bool elastic_documents_write(struct elastic_documents *documents, const struct batch *batch)
{
    documents->signal = batch->signal;
    documents->stopped = false;
    documents->left_out = 0;
    documents->why = NULL;
    documents->current.group.raw = documents->current.scope_group.raw = (struct slice){ NULL, 0 };
    documents->record.failed = documents->current.resource.failed = documents->current.scope.failed = false;
    elastic_bulk_clear(&documents->bulk);
    elastic_points_clear(&documents->points);
    for (size_t i = 0; i < batch->run_count && !documents->stopped; i++)
        write_run(documents, batch->runs[i].bytes);
    if (batch->signal == SIGNAL_METRICS)
        write_groups(documents);
    documents->bulk.text.failed |= ran_out(documents);
    send_bulk(documents);
    return !documents->stopped && !documents->bulk.text.failed;
}
