/*
 * Mapping mode otel: documents keep OTLP's own structure and names, attributes stay flat. Span events are documents of their own, in a
 * logs data stream. What all records of a scope share (resource, scope) is written once and copied into each document.
 */
#include "collector/wire/json.h"
#include "exporters/elasticsearch/documents.h"

enum {
    GEO_MOST = 256, /* attributes; of more, halves are not looked for */
    EVENT_TIME = 1,
    EVENT_NAME = 2,
    EVENT_DROPPED = 4,
    SPAN_EVENT_LINK = 13,
    LINK_TRACE_ID = 1,
    LINK_SPAN_ID = 2,
    LINK_TRACE_STATE = 3,
    LINK_DROPPED = 5,
};

/* ---- members: "key":value, ---- */

static void put_text(const char *key, struct slice text, struct buffer *out)
{
    if (text.size == 0)
        return;
    buffer_append_string(out, key);
    json_write_string(text, out);
    buffer_append_byte(out, ',');
}

static void put_count(const char *key, uint64_t count, struct buffer *out)
{
    if (count == 0)
        return;
    buffer_append_string(out, key);
    elastic_json_unsigned(count, out);
    buffer_append_byte(out, ',');
}

static void put_id(const char *key, struct slice id, struct buffer *out)
{
    if (!elastic_id_is_set(id))
        return;
    buffer_append_string(out, key);
    elastic_json_hex(id, out);
    buffer_append_byte(out, ',');
}

static void put_epoch(const char *key, uint64_t nanos, struct buffer *out)
{
    buffer_append_string(out, key);
    elastic_json_epoch(nanos, out);
    buffer_append_byte(out, ',');
}

/* ---- attributes ---- */

/* What routes a document, or says how it is mapped, is not part of it. */
static bool is_control(struct slice key)
{
    static const struct slice keys[] = {
        SLICE_INIT("data_stream.type"),
        SLICE_INIT("data_stream.dataset"),
        SLICE_INIT("data_stream.namespace"),
        SLICE_INIT("elasticsearch.index"),
        SLICE_INIT("elasticsearch.document_id"),
        SLICE_INIT("elasticsearch.ingest_pipeline"),
        SLICE_INIT("elasticsearch.mapping.hints"),
        SLICE_INIT("elastic.mapping.mode"),
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (slice_equal(key, keys[i]))
            return true;
    return false;
}

/* "geo.location.lat" and ".lon", with or without something before it: one of two halves of a point. */
static bool is_geo(const struct otlp_attribute *attribute, struct slice *prefix, bool *longitude)
{
    struct slice key = attribute->key, tail;
    const size_t size = sizeof("geo.location.lat") - 1;

    if (attribute->value.kind != OTLP_VALUE_DOUBLE || key.size < size)
        return false;
    tail = slice_of(key.data + key.size - size, size);
    *longitude = slice_equal(tail, SLICE("geo.location.lon"));
    *prefix = slice_of(key.data, key.size - size);
    return (*longitude || slice_equal(tail, SLICE("geo.location.lat"))) && (prefix->size == 0 || prefix->data[prefix->size - 1] == '.');
}

static const struct otlp_attribute *other_half(const struct elastic_attributes *attributes, struct slice prefix, bool longitude)
{
    for (size_t i = 0; i < attributes->count; i++) {
        struct slice its_prefix;
        bool is_longitude;

        if (is_geo(&attributes->items[i], &its_prefix, &is_longitude) && is_longitude != longitude && slice_equal(prefix, its_prefix))
            return &attributes->items[i];
    }
    return NULL;
}

/* Both halves as one member, [lon, lat], where the longitude stands. True: the attribute has been seen to. */
static bool put_geo(const struct elastic_attributes *attributes, const struct otlp_attribute *attribute, struct buffer *out)
{
    const struct otlp_attribute *other;
    struct slice prefix;
    bool longitude;

    if (attributes->count > GEO_MOST || !is_geo(attribute, &prefix, &longitude))
        return false;
    other = other_half(attributes, prefix, longitude);
    if (other == NULL)
        return false;
    if (!longitude)
        return true;
    elastic_json_key(slice_of(attribute->key.data, attribute->key.size - 4), out);
    buffer_append_byte(out, '[');
    elastic_json_double(attribute->value.number, out);
    buffer_append_byte(out, ',');
    elastic_json_double(other->value.number, out);
    ELASTIC_PUT(out, "],");
    return true;
}

/* Metrics: attributes are dimensions, which maps can't be. */
static void put_value(const struct otlp_value *value, struct buffer *as_text, struct buffer *out)
{
    if (as_text == NULL || value->kind != OTLP_VALUE_MAP) {
        elastic_json_value(value, out);
        return;
    }
    buffer_clear(as_text);
    elastic_text_of(value, as_text);
    json_write_string(buffer_slice(as_text), out);
}

/* `as_text`: scratch memory when maps are to be texts, else NULL. */
static void put_attributes(const struct elastic_attributes *attributes, struct buffer *as_text, struct buffer *out)
{
    if (attributes->count == 0)
        return;
    ELASTIC_PUT(out, "\"attributes\":{");
    for (size_t i = 0; i < attributes->count; i++) {
        const struct otlp_attribute *attribute = &attributes->items[i];

        if (attributes->reserved && is_control(attribute->key))
            continue;
        if (attribute->value.kind == OTLP_VALUE_DOUBLE && put_geo(attributes, attribute, out))
            continue;
        elastic_json_key(attribute->key, out);
        put_value(&attribute->value, as_text, out);
        buffer_append_byte(out, ',');
    }
    elastic_json_close(out, '}');
    buffer_append_byte(out, ',');
}

/* ---- resource and scope ---- */

static void open_scope(struct elastic_documents *documents)
{
    struct elastic_scope *scope = &documents->current;
    struct buffer *out = &scope->shared, *as_text = documents->signal == SIGNAL_METRICS ? &documents->scratch : NULL;

    buffer_clear(out);
    ELASTIC_PUT(out, "\"resource\":{");
    put_text("\"schema_url\":", scope->group.schema_url, out);
    put_attributes(&scope->resource, as_text, out);
    put_count("\"dropped_attributes_count\":", scope->resource_dropped, out);
    elastic_json_close(out, '}');
    ELASTIC_PUT(out, ",\"scope\":{");
    put_text("\"schema_url\":", scope->scope_group.schema_url, out);
    put_text("\"name\":", scope->name, out);
    put_text("\"version\":", scope->version, out);
    put_attributes(&scope->scope, as_text, out);
    put_count("\"dropped_attributes_count\":", scope->scope_dropped, out);
    elastic_json_close(out, '}');
    buffer_append_byte(out, ',');
}

/* ---- logs ---- */

static bool all_maps(struct slice array)
{
    struct pb_reader reader = pb_reader_of(array);
    struct pb_field field;

    while (pb_next(&reader, &field))
        if (field.number == 1 && field.type == PB_BYTES && otlp_value_of(field.bytes).kind != OTLP_VALUE_MAP)
            return false;
    return true;
}

/* A structured body has to be an object, or an array of them. */
static void put_body(struct slice any_value, struct buffer *out)
{
    struct otlp_value body = otlp_value_of(any_value);
    bool wrapped = body.kind == OTLP_VALUE_ARRAY && !all_maps(body.bytes);

    if (body.kind == OTLP_VALUE_EMPTY)
        return;
    if (body.kind == OTLP_VALUE_MAP || body.kind == OTLP_VALUE_ARRAY)
        ELASTIC_PUT(out, "\"body\":{\"structured\":");
    else
        ELASTIC_PUT(out, "\"body\":{\"text\":");
    if (wrapped)
        ELASTIC_PUT(out, "{\"value\":");
    elastic_json_value(&body, out);
    if (wrapped)
        buffer_append_byte(out, '}');
    ELASTIC_PUT(out, "},");
}

static struct slice event_name_of(const struct elastic_attributes *attributes, struct slice own)
{
    const struct otlp_value *value = own.size == 0 ? elastic_attributes_find(attributes, SLICE("event.name")) : NULL;

    return value != NULL && value->kind == OTLP_VALUE_STRING ? value->bytes : own;
}

static bool write_log(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_route *route)
{
    struct buffer *out = &documents->bulk.text;

    put_epoch("{\"@timestamp\":", log->time != 0 ? log->time : log->observed_time, out);
    put_epoch("\"observed_timestamp\":", log->observed_time, out);
    buffer_append_slice(out, buffer_slice(&route->stream));
    put_text("\"severity_text\":", log->severity_text, out);
    put_count("\"severity_number\":", log->severity_number, out);
    put_id("\"trace_id\":", log->trace_id, out);
    put_id("\"span_id\":", log->span_id, out);
    put_attributes(&documents->record, NULL, out);
    put_count("\"dropped_attributes_count\":", log->dropped_attributes, out);
    put_text("\"event_name\":", event_name_of(&documents->record, log->event_name), out);
    buffer_append_slice(out, buffer_slice(&documents->current.shared));
    put_body(log->value, out);
    elastic_json_close(out, '}');
    return true;
}

/* ---- spans ---- */

static void put_link(struct elastic_documents *documents, struct slice link, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(link);
    struct pb_field field;

    buffer_append_byte(out, '{');
    while (pb_next(&reader, &field)) {
        if (field.number == LINK_TRACE_ID)
            put_id("\"trace_id\":", field.bytes, out);
        else if (field.number == LINK_SPAN_ID)
            put_id("\"span_id\":", field.bytes, out);
        else if (field.number == LINK_TRACE_STATE)
            put_text("\"trace_state\":", field.bytes, out);
        else if (field.number == LINK_DROPPED)
            put_count("\"dropped_attributes_count\":", field.scalar, out);
    }
    elastic_attributes_read(&documents->record, link, OTLP_ATTRIBUTES_OF_SPAN_LINK);
    put_attributes(&documents->record, NULL, out);
    elastic_json_close(out, '}');
    buffer_append_byte(out, ',');
}

static void put_links(struct elastic_documents *documents, struct slice span, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(span);
    struct pb_field field;

    ELASTIC_PUT(out, "\"links\":[");
    while (pb_next(&reader, &field))
        if (field.number == SPAN_EVENT_LINK && field.type == PB_BYTES)
            put_link(documents, field.bytes, out);
    elastic_json_close(out, ']');
    buffer_append_byte(out, ',');
}

static void put_status(const struct otlp_span *span, struct buffer *out)
{
    static const char *const codes[] = { "\"code\":\"Unset\"},", "\"code\":\"Ok\"},", "\"code\":\"Error\"}," };

    ELASTIC_PUT(out, "\"status\":{");
    put_text("\"message\":", span->status_message, out);
    buffer_append_string(out, codes[span->status_code < 3 ? span->status_code : 0]);
}

static bool write_span(struct elastic_documents *documents, const struct otlp_span *span, const struct elastic_route *route)
{
    static const char *const kinds[] = { "Unspecified", "Internal", "Server", "Client", "Producer", "Consumer" };
    struct buffer *out = &documents->bulk.text;

    put_epoch("{\"@timestamp\":", span->start_time, out);
    buffer_append_slice(out, buffer_slice(&route->stream));
    put_id("\"trace_id\":", span->trace_id, out);
    put_id("\"span_id\":", span->span_id, out);
    put_text("\"trace_state\":", span->trace_state, out);
    put_id("\"parent_span_id\":", span->parent_span_id, out);
    put_text("\"name\":", span->name, out);
    put_text("\"kind\":", slice_of_string(kinds[span->kind < 6 ? span->kind : 0]), out);
    ELASTIC_PUT(out, "\"duration\":");
    elastic_json_unsigned(span->end_time > span->start_time ? span->end_time - span->start_time : 0, out);
    buffer_append_byte(out, ',');
    put_attributes(&documents->record, NULL, out);
    put_count("\"dropped_attributes_count\":", span->dropped_attributes, out);
    put_count("\"dropped_events_count\":", span->dropped_events, out);
    put_links(documents, span->body, out); /* uses the record's attributes: they have been written */
    put_count("\"dropped_links_count\":", span->dropped_links, out);
    put_status(span, out);
    buffer_append_slice(out, buffer_slice(&documents->current.shared));
    elastic_json_close(out, '}');
    return true;
}

/* The name of an event is an attribute too, the one by which logs say it. */
static void put_event_attributes(const struct elastic_attributes *attributes, struct slice name, struct buffer *out)
{
    size_t start = out->size;

    put_attributes(attributes, NULL, out);
    if (name.size == 0 || elastic_attributes_find(attributes, SLICE("event.name")) != NULL)
        return;
    if (out->size == start)
        ELASTIC_PUT(out, "\"attributes\":{");
    else
        out->size -= 2; /* "}," */
    if (!out->failed && out->data[out->size - 1] != '{')
        buffer_append_byte(out, ',');
    ELASTIC_PUT(out, "\"event.name\":");
    json_write_string(name, out);
    ELASTIC_PUT(out, "},");
}

static void write_event(
    struct elastic_documents *documents, const struct otlp_span *span, struct slice event, const struct elastic_route *route)
{
    struct pb_reader reader = pb_reader_of(event);
    struct buffer *out = &documents->bulk.text;
    struct slice name = { NULL, 0 };
    uint64_t time = 0, dropped = 0;
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == EVENT_TIME)
            time = field.scalar;
        else if (field.number == EVENT_NAME)
            name = field.bytes;
        else if (field.number == EVENT_DROPPED)
            dropped = field.scalar;
    }
    put_epoch("{\"@timestamp\":", time, out);
    buffer_append_slice(out, buffer_slice(&route->stream));
    put_id("\"trace_id\":", span->trace_id, out);
    put_id("\"span_id\":", span->span_id, out);
    put_count("\"dropped_attributes_count\":", dropped, out);
    put_text("\"event_name\":", name, out);
    put_event_attributes(&documents->record, name, out);
    buffer_append_slice(out, buffer_slice(&documents->current.shared));
    elastic_json_close(out, '}');
}

/* ---- metrics ---- */

/* FNV-1a, 32 bits, over the names in their order: what the built-in index templates expect in _metric_names_hash. */
static uint32_t hash_name(uint32_t hash, struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 0x01000193U;
    return hash;
}

/* The metric's member, and how its field is to be mapped. */
static bool put_metric(struct elastic_documents *documents, const struct elastic_point *point, struct buffer *out)
{
    struct buffer *templates = &documents->templates, *path = &documents->scratch;
    size_t start = out->size;

    elastic_json_key(point->metric.name, out);
    if (!elastic_point_value(point, out)) {
        out->size = start;
        return false;
    }
    buffer_append_byte(out, ',');
    buffer_clear(path);
    ELASTIC_PUT(path, "metrics.");
    buffer_append_slice(path, point->metric.name);
    elastic_json_key(buffer_slice(path), templates);
    buffer_append_byte(templates, '"');
    buffer_append_string(templates, elastic_point_template(point));
    ELASTIC_PUT(templates, "\",");
    return true;
}

static void leave_out(struct elastic_documents *documents, const char *why)
{
    documents->left_out++;
    documents->why = why;
}

/* A group with two points of one metric keeps the first. False: nothing is left. */
static bool put_metrics(struct elastic_documents *documents, const struct elastic_point_group *group, struct buffer *out)
{
    const uint32_t *order = elastic_points_by_name(&documents->points, group);
    uint32_t names = 0x811c9dc5U, values = 0;
    struct slice last = { NULL, 0 };
    uint64_t doc_count = 0;

    out->failed |= order == NULL;
    buffer_append_byte(&documents->templates, '{');
    ELASTIC_PUT(out, "\"metrics\":{");
    for (uint32_t i = 0; order != NULL && i < group->count; i++) {
        const struct elastic_point *point = &documents->points.items[order[i]];
        bool repeated = i > 0 && slice_equal(last, point->metric.name);

        last = point->metric.name;
        names = repeated ? names : hash_name(names, last);
        if (repeated || !put_metric(documents, point, out)) {
            leave_out(documents, repeated ? "repeated_metric" : "no_value");
            continue;
        }
        values++;
        if (point->hints & ELASTIC_HINT_DOC_COUNT)
            doc_count = elastic_point_doc_count(point);
    }
    elastic_json_close(&documents->templates, '}');
    elastic_json_close(out, '}');
    buffer_append_byte(out, ',');
    put_count("\"_doc_count\":", doc_count, out);
    buffer_printf(out, "\"_metric_names_hash\":\"%x\"}", names);
    return values > 0;
}

static bool write_metrics(
    struct elastic_documents *documents, const struct elastic_point_group *group, const struct elastic_route *route, struct buffer *out)
{
    const struct elastic_point *first = elastic_points_first(&documents->points, group);

    put_epoch("{\"@timestamp\":", first->point.time, out);
    if (first->point.start_time != 0)
        put_epoch("\"start_timestamp\":", first->point.start_time, out);
    put_text("\"unit\":", first->metric.unit, out);
    buffer_append_slice(out, buffer_slice(&route->stream));
    put_attributes(&documents->record, &documents->scratch, out);
    buffer_append_slice(out, buffer_slice(&documents->current.shared));
    return put_metrics(documents, group, out);
}

const struct elastic_mapping elastic_mapping_otel = {
    .open_scope = open_scope,
    .log = write_log,
    .span = write_span,
    .event = write_event,
    .metrics = write_metrics,
};
