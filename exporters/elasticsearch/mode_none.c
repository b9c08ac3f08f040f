/*
 * Mapping mode none, and what raw has in common with it: flat documents with OTLP's names, "Attributes." in front of the attributes and
 * "Events.NAME." in front of those of span events.
 */
#include "collector/wire/json.h"
#include "exporters/elasticsearch/documents.h"

enum {
    SPAN_EVENTS = 11,
    SPAN_LINKS = 13,
    EVENT_TIME = 1,
    EVENT_NAME = 2,
    LINK_TRACE_ID = 1,
    LINK_SPAN_ID = 2,
    MICROSECOND = 1000,
};

void elastic_fields_stream(struct elastic_fields *fields, const struct elastic_route *route)
{
    const struct {
        struct slice key;
        const char *value;
    } parts[] = {
        { SLICE("data_stream.type"), route->type },
        { SLICE("data_stream.dataset"), route->dataset },
        { SLICE("data_stream.namespace"), route->name_space },
    };

    for (size_t i = 0; route->is_stream && i < sizeof(parts) / sizeof(parts[0]); i++)
        elastic_fields_text(fields, parts[i].key, slice_of_string(parts[i].value));
}

static void add_resource_and_scope(struct elastic_documents *documents)
{
    const struct elastic_scope *scope = &documents->current;
    struct elastic_fields *fields = &documents->fields;
    struct otlp_value name = { .kind = OTLP_VALUE_STRING, .bytes = scope->name },
                      version = { .kind = OTLP_VALUE_STRING, .bytes = scope->version };

    elastic_fields_add_all(fields, SLICE("Resource."), &scope->resource);
    elastic_fields_add_all(fields, SLICE("Scope."), &scope->scope);
    elastic_fields_add(fields, SLICE("Scope."), SLICE("name"), &name);
    elastic_fields_add(fields, SLICE("Scope."), SLICE("version"), &version);
}

bool elastic_plain_log(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_prefixes *prefixes,
    const struct elastic_route *route)
{
    struct elastic_fields *fields = &documents->fields;
    struct otlp_value body = otlp_value_of(log->value);

    elastic_fields_clear(fields);
    elastic_fields_time(fields, SLICE("@timestamp"), log->time != 0 ? log->time : log->observed_time);
    elastic_fields_id(fields, SLICE("TraceId"), log->trace_id);
    elastic_fields_id(fields, SLICE("SpanId"), log->span_id);
    elastic_fields_integer(fields, SLICE("TraceFlags"), log->flags);
    elastic_fields_text(fields, SLICE("SeverityText"), log->severity_text);
    elastic_fields_integer(fields, SLICE("SeverityNumber"), log->severity_number);
    elastic_fields_add(fields, SLICE(""), SLICE("Body"), &body);
    add_resource_and_scope(documents);
    elastic_fields_add_all(fields, prefixes->attributes, &documents->record);
    if (prefixes->attributes.size == 0) /* behind a prefix they would be nothing to a data stream */
        elastic_fields_stream(fields, route);
    elastic_fields_write(fields, false, &documents->bulk.text);
    return true;
}

/* ---- spans ---- */

static void write_hex_member(const char *key, struct slice id, struct buffer *out)
{
    buffer_append_string(out, key);
    elastic_json_hex(elastic_id_is_set(id) ? id : SLICE(""), out);
}

static void write_link(struct slice link, struct buffer *out)
{
    struct slice trace_id = SLICE(""), span_id = SLICE("");
    struct pb_reader reader = pb_reader_of(link);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == LINK_TRACE_ID)
            trace_id = field.bytes;
        else if (field.number == LINK_SPAN_ID)
            span_id = field.bytes;
    }
    ELASTIC_PUT(out, "{\"attribute\":");
    json_write_attributes(link, OTLP_ATTRIBUTES_OF_SPAN_LINK, out);
    write_hex_member(",\"spanID\":", span_id, out);
    write_hex_member(",\"traceID\":", trace_id, out);
    ELASTIC_PUT(out, "},");
}

/* All links as one string that holds JSON. */
static void add_links(struct elastic_documents *documents, const struct otlp_span *span)
{
    struct buffer *text = &documents->scratch;
    struct pb_reader reader = pb_reader_of(span->body);
    struct pb_field field;

    buffer_clear(text);
    buffer_append_byte(text, '[');
    while (pb_next(&reader, &field))
        if (field.number == SPAN_LINKS && field.type == PB_BYTES)
            write_link(field.bytes, text);
    elastic_json_close(text, ']');
    documents->fields.failed |= text->failed;
    elastic_fields_text(&documents->fields, SLICE("Link"), buffer_slice(text));
}

static struct slice prefix_of(struct slice events, struct slice name, struct buffer *out)
{
    buffer_clear(out);
    buffer_append_slice(out, events);
    buffer_append_slice(out, name);
    buffer_append_byte(out, '.');
    return buffer_slice(out);
}

static void add_event(struct elastic_documents *documents, struct slice event, struct slice events)
{
    struct elastic_fields *fields = &documents->fields;
    struct pb_reader reader = pb_reader_of(event);
    struct slice name = SLICE(""), prefix;
    struct buffer text = { 0 };
    struct pb_field field;
    uint64_t time = 0;

    while (pb_next(&reader, &field)) {
        if (field.number == EVENT_TIME)
            time = field.scalar;
        else if (field.number == EVENT_NAME)
            name = field.bytes;
    }
    elastic_attributes_read(&documents->record, event, OTLP_ATTRIBUTES_OF_SPAN_EVENT);
    prefix = prefix_of(events, name, &text);
    elastic_fields_add_all(fields, prefix, &documents->record);
    buffer_append_string(&text, "time");
    elastic_fields_time(fields, buffer_slice(&text), time);
    fields->failed |= text.failed;
    buffer_fini(&text);
}

static void add_events(struct elastic_documents *documents, const struct otlp_span *span, struct slice events)
{
    struct pb_reader reader = pb_reader_of(span->body);
    struct pb_field field;

    while (pb_next(&reader, &field))
        if (field.number == SPAN_EVENTS && field.type == PB_BYTES)
            add_event(documents, field.bytes, events);
}

bool elastic_plain_span(struct elastic_documents *documents, const struct otlp_span *span, const struct elastic_prefixes *prefixes,
    const struct elastic_route *route)
{
    static const char *const kinds[] = { "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER" };
    struct elastic_fields *fields = &documents->fields;

    elastic_fields_clear(fields);
    elastic_fields_time(fields, SLICE("@timestamp"), span->start_time);
    elastic_fields_time(fields, SLICE("EndTimestamp"), span->end_time);
    elastic_fields_id(fields, SLICE("TraceId"), span->trace_id);
    elastic_fields_id(fields, SLICE("SpanId"), span->span_id);
    elastic_fields_id(fields, SLICE("ParentSpanId"), span->parent_span_id);
    elastic_fields_text(fields, SLICE("Name"), span->name);
    elastic_fields_text(fields, SLICE("Kind"), slice_of_string(span->kind < 6 ? kinds[span->kind] : ""));
    elastic_fields_integer(fields, SLICE("TraceStatus"), span->status_code);
    elastic_fields_text(fields, SLICE("TraceStatusDescription"), span->status_message);
    elastic_fields_integer(fields, SLICE("Duration"), (int64_t)(span->end_time - span->start_time) / MICROSECOND);
    add_links(documents, span);
    add_resource_and_scope(documents);
    elastic_fields_add_all(fields, prefixes->attributes, &documents->record);
    if (prefixes->attributes.size == 0) /* behind a prefix they would be nothing to a data stream */
        elastic_fields_stream(fields, route);
    add_events(documents, span, prefixes->events); /* uses the record's attributes: they have been added */
    elastic_fields_write(fields, false, &documents->bulk.text);
    return true;
}

/* ---- the mode ---- */

static const struct elastic_prefixes prefixes_of_none = { SLICE_INIT("Attributes."), SLICE_INIT("Events.") };

static bool write_log(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_route *route)
{
    return elastic_plain_log(documents, log, &prefixes_of_none, route);
}

static bool write_span(struct elastic_documents *documents, const struct otlp_span *span, const struct elastic_route *route)
{
    return elastic_plain_span(documents, span, &prefixes_of_none, route);
}

const struct elastic_mapping elastic_mapping_none = { .log = write_log, .span = write_span };
