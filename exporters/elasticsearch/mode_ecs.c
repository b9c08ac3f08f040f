/*
 * Mapping mode ecs: names of the semantic conventions become those of the Elastic Common Schema, and dots become nesting. A name that the schema
 * has no other word for stays as it is.
 */
#include "collector/wire/json.h"
#include "exporters/elasticsearch/documents.h"

enum { SPAN_LINKS = 13, LINK_TRACE_ID = 1, LINK_SPAN_ID = 2 };

struct conversion {
    struct slice from, to; /* `to` empty: it is told otherwise, or not at all */
    bool keep;             /* also under its own name */
};

static const struct conversion resource_conversions[] = {
    { SLICE_INIT("service.instance.id"), SLICE_INIT("service.node.name"), false },
    { SLICE_INIT("deployment.environment"), SLICE_INIT("service.environment"), false },
    { SLICE_INIT("deployment.environment.name"), SLICE_INIT("service.environment"), false },
    { SLICE_INIT("telemetry.sdk.name"), SLICE_INIT(""), false },
    { SLICE_INIT("telemetry.sdk.language"), SLICE_INIT(""), false },
    { SLICE_INIT("telemetry.sdk.version"), SLICE_INIT(""), false },
    { SLICE_INIT("telemetry.distro.name"), SLICE_INIT(""), false },
    { SLICE_INIT("telemetry.distro.version"), SLICE_INIT(""), false },
    { SLICE_INIT("cloud.platform"), SLICE_INIT("cloud.service.name"), false },
    { SLICE_INIT("container.image.tags"), SLICE_INIT("container.image.tag"), false },
    { SLICE_INIT("host.name"), SLICE_INIT("host.hostname"), true },
    { SLICE_INIT("host.arch"), SLICE_INIT("host.architecture"), false },
    { SLICE_INIT("process.executable.path"), SLICE_INIT("process.executable"), false },
    { SLICE_INIT("process.runtime.name"), SLICE_INIT("service.runtime.name"), false },
    { SLICE_INIT("process.runtime.version"), SLICE_INIT("service.runtime.version"), false },
    { SLICE_INIT("os.name"), SLICE_INIT("host.os.name"), false },
    { SLICE_INIT("os.type"), SLICE_INIT("host.os.platform"), false },
    { SLICE_INIT("os.description"), SLICE_INIT("host.os.full"), false },
    { SLICE_INIT("os.version"), SLICE_INIT("host.os.version"), false },
    { SLICE_INIT("k8s.deployment.name"), SLICE_INIT("kubernetes.deployment.name"), false },
    { SLICE_INIT("k8s.namespace.name"), SLICE_INIT("kubernetes.namespace"), false },
    { SLICE_INIT("k8s.node.name"), SLICE_INIT("kubernetes.node.name"), false },
    { SLICE_INIT("k8s.pod.name"), SLICE_INIT("kubernetes.pod.name"), false },
    { SLICE_INIT("k8s.pod.uid"), SLICE_INIT("kubernetes.pod.uid"), false },
    { SLICE_INIT("k8s.job.name"), SLICE_INIT("kubernetes.job.name"), false },
    { SLICE_INIT("k8s.cronjob.name"), SLICE_INIT("kubernetes.cronjob.name"), false },
    { SLICE_INIT("k8s.statefulset.name"), SLICE_INIT("kubernetes.statefulset.name"), false },
    { SLICE_INIT("k8s.replicaset.name"), SLICE_INIT("kubernetes.replicaset.name"), false },
    { SLICE_INIT("k8s.daemonset.name"), SLICE_INIT("kubernetes.daemonset.name"), false },
    { SLICE_INIT("k8s.container.name"), SLICE_INIT("kubernetes.container.name"), false },
    { SLICE_INIT("k8s.cluster.name"), SLICE_INIT("orchestrator.cluster.name"), false },
    { { NULL, 0 }, { NULL, 0 }, false },
};

static const struct conversion log_conversions[] = {
    { SLICE_INIT("event.name"), SLICE_INIT("event.action"), false },
    { SLICE_INIT("exception.message"), SLICE_INIT("error.message"), false },
    { SLICE_INIT("exception.stacktrace"), SLICE_INIT("error.stacktrace"), false },
    { SLICE_INIT("exception.type"), SLICE_INIT("error.type"), false },
    { SLICE_INIT("exception.escaped"), SLICE_INIT("event.error.exception.handled"), false },
    { { NULL, 0 }, { NULL, 0 }, false },
};

static const struct conversion span_conversions[] = {
    { SLICE_INIT("messaging.destination.name"), SLICE_INIT(""), false }, /* see add_queue_name */
    { SLICE_INIT("messaging.operation.name"), SLICE_INIT("span.action"), false },
    { SLICE_INIT("db.system"), SLICE_INIT("span.db.type"), false },
    { SLICE_INIT("db.namespace"), SLICE_INIT("span.db.instance"), false },
    { SLICE_INIT("db.query.text"), SLICE_INIT("span.db.statement"), false },
    { SLICE_INIT("http.response.body.size"), SLICE_INIT("http.response.encoded_body_size"), false },
    { { NULL, 0 }, { NULL, 0 }, false },
};

/* ---- attributes ---- */

static bool is_routing(struct slice key)
{
    return slice_equal(key, SLICE("elasticsearch.mapping.hints")) || slice_equal(key, SLICE("elasticsearch.index")) ||
           slice_equal(key, SLICE("elasticsearch.document_id")) || slice_equal(key, SLICE("elasticsearch.ingest_pipeline")) ||
           slice_equal(key, SLICE("elastic.mapping.mode"));
}

static const struct conversion *find_conversion(const struct conversion *conversions, struct slice key)
{
    for (; conversions != NULL && conversions->from.data != NULL; conversions++)
        if (slice_equal(conversions->from, key))
            return conversions;
    return NULL;
}

static void add_attributes(struct elastic_fields *fields, const struct elastic_attributes *attributes, const struct conversion *conversions)
{
    for (size_t i = 0; i < attributes->count; i++) {
        const struct otlp_attribute *attribute = &attributes->items[i];
        const struct conversion *conversion = find_conversion(conversions, attribute->key);
        bool there = conversion != NULL && conversion->keep && elastic_attributes_find(attributes, conversion->to) != NULL;

        if (attributes->reserved && is_routing(attribute->key))
            continue;
        if (conversion != NULL && conversion->to.size > 0 && !there)
            elastic_fields_add(fields, SLICE(""), conversion->to, &attribute->value);
        if (conversion == NULL || conversion->keep)
            elastic_fields_add(fields, SLICE(""), attribute->key, &attribute->value);
    }
}

static struct slice text_of(const struct elastic_attributes *attributes, struct slice key)
{
    const struct otlp_value *value = elastic_attributes_find(attributes, key);

    return value != NULL && value->kind == OTLP_VALUE_STRING ? value->bytes : SLICE("");
}

/* ---- the agent and the host ---- */

/* "opentelemetry/java/distribution", as far as it is known. */
static void add_agent_name(struct elastic_documents *documents)
{
    const struct elastic_attributes *resource = &documents->current.resource;
    struct slice name = text_of(resource, SLICE("telemetry.sdk.name")), language = text_of(resource, SLICE("telemetry.sdk.language"));
    struct slice distribution = text_of(resource, SLICE("telemetry.distro.name"));
    struct buffer *text = &documents->scratch;

    if (elastic_attributes_find(resource, SLICE("telemetry.sdk.name")) == NULL)
        name = SLICE("otlp");
    if (distribution.size > 0 && language.size == 0)
        language = SLICE("unknown");
    buffer_clear(text);
    buffer_append_slice(text, name);
    if (language.size > 0)
        buffer_append_byte(text, '/');
    buffer_append_slice(text, language);
    if (distribution.size > 0)
        buffer_append_byte(text, '/');
    buffer_append_slice(text, distribution);
    documents->fields.failed |= text->failed;
    elastic_fields_text(&documents->fields, SLICE("agent.name"), buffer_slice(text));
}

static void add_agent_version(struct elastic_documents *documents)
{
    const struct elastic_attributes *resource = &documents->current.resource;
    struct slice key = SLICE("telemetry.distro.version");

    if (elastic_attributes_find(resource, key) == NULL)
        key = SLICE("telemetry.sdk.version");
    elastic_fields_text(&documents->fields, SLICE("agent.version"), text_of(resource, key));
}

static struct slice os_type_of(struct slice type, struct slice name)
{
    if (slice_equal(name, SLICE("Android")))
        return SLICE("android");
    if (slice_equal(name, SLICE("iOS")))
        return SLICE("ios");
    if (slice_equal(type, SLICE("windows")) || slice_equal(type, SLICE("linux")))
        return type;
    if (slice_equal(type, SLICE("darwin")))
        return SLICE("macos");
    if (slice_equal(type, SLICE("aix")) || slice_equal(type, SLICE("hpux")) || slice_equal(type, SLICE("solaris")))
        return SLICE("unix");
    return SLICE("");
}

static void add_os_type(struct elastic_documents *documents)
{
    const struct elastic_attributes *resource = &documents->current.resource;

    elastic_fields_text(
        &documents->fields, SLICE("host.os.type"), os_type_of(text_of(resource, SLICE("os.type")), text_of(resource, SLICE("os.name"))));
}

/* ---- logs ---- */

/* `message` is a text; a body that is none stands there as its JSON, because there is no other place where it would not be lost. */
static void add_message(struct elastic_documents *documents, const struct otlp_value *body)
{
    struct buffer *text = &documents->document; /* of metrics; the scratch memory holds the agent's name */

    if (body->kind == OTLP_VALUE_STRING) {
        elastic_fields_add(&documents->fields, SLICE(""), SLICE("message"), body);
    } else if (body->kind != OTLP_VALUE_EMPTY) {
        buffer_clear(text);
        elastic_text_of(body, text);
        elastic_fields_text(&documents->fields, SLICE("message"), buffer_slice(text));
        documents->bulk.text.failed |= text->failed;
    }
}

static bool write_log(struct elastic_documents *documents, const struct otlp_log *log, const struct elastic_route *route)
{
    struct elastic_fields *fields = &documents->fields;
    struct otlp_value body = otlp_value_of(log->value);

    elastic_fields_clear(fields);
    add_attributes(fields, &documents->current.resource, resource_conversions);
    add_attributes(fields, &documents->current.scope, NULL);
    elastic_fields_text(fields, SLICE("event.action"), log->event_name);
    add_attributes(fields, &documents->record, log_conversions);
    elastic_fields_stream(fields, route);
    add_agent_name(documents);
    add_agent_version(documents);
    add_os_type(documents);
    elastic_fields_time(fields, SLICE("@timestamp"), log->time != 0 ? log->time : log->observed_time);
    elastic_fields_id(fields, SLICE("trace.id"), log->trace_id);
    elastic_fields_id(fields, SLICE("span.id"), log->span_id);
    if (log->severity_number != 0)
        elastic_fields_integer(fields, SLICE("event.severity"), log->severity_number);
    elastic_fields_text(fields, SLICE("log.level"), log->severity_text);
    add_message(documents, &body);
    elastic_fields_write(fields, true, &documents->bulk.text);
    return true;
}

/* ---- spans ---- */

static void write_link(struct slice link, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(link);
    struct pb_field field;

    buffer_append_byte(out, '{');
    while (pb_next(&reader, &field)) {
        if ((field.number != LINK_TRACE_ID && field.number != LINK_SPAN_ID) || !elastic_id_is_set(field.bytes))
            continue;
        buffer_append_string(out, field.number == LINK_TRACE_ID ? "\"trace\":{\"id\":" : "\"span\":{\"id\":");
        elastic_json_hex(field.bytes, out);
        ELASTIC_PUT(out, "},");
    }
    elastic_json_close(out, '}');
    buffer_append_byte(out, ',');
}

static void add_links(struct elastic_documents *documents, const struct otlp_span *span)
{
    struct buffer *out = &documents->fields.texts;
    struct pb_reader reader = pb_reader_of(span->body);
    size_t start = out->size;
    struct pb_field field;

    buffer_append_byte(out, '[');
    while (pb_next(&reader, &field))
        if (field.number == SPAN_LINKS && field.type == PB_BYTES)
            write_link(field.bytes, out);
    if (out->size == start + 1) {
        out->size = start;
        return;
    }
    elastic_json_close(out, ']');
    elastic_fields_json(&documents->fields, SLICE("span.links"), start);
}

static void add_queue_name(struct elastic_documents *documents)
{
    const struct elastic_attributes *record = &documents->record;
    bool transaction = slice_equal(text_of(record, SLICE("processor.event")), SLICE("transaction"));
    struct slice key = transaction ? SLICE("transaction.message.queue.name") : SLICE("span.message.queue.name");

    elastic_fields_text(&documents->fields, key, text_of(record, SLICE("messaging.destination.name")));
}

static bool write_span(struct elastic_documents *documents, const struct otlp_span *span, const struct elastic_route *route)
{
    static const char *const kinds[] = { "", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER" };
    static const char *const outcomes[] = { "", "success", "failure" };
    struct elastic_fields *fields = &documents->fields;

    elastic_fields_clear(fields);
    add_attributes(fields, &documents->current.resource, resource_conversions);
    add_attributes(fields, &documents->current.scope, NULL);
    add_attributes(fields, &documents->record, span_conversions);
    add_queue_name(documents);
    add_os_type(documents);
    elastic_fields_stream(fields, route);
    elastic_fields_time(fields, SLICE("@timestamp"), span->start_time);
    if (span->end_time > span->start_time)
        elastic_fields_integer(fields, SLICE("event.duration"), (int64_t)(span->end_time - span->start_time));
    elastic_fields_id(fields, SLICE("trace.id"), span->trace_id);
    elastic_fields_id(fields, SLICE("span.id"), span->span_id);
    elastic_fields_text(fields, SLICE("span.name"), span->name);
    elastic_fields_id(fields, SLICE("parent.id"), span->parent_span_id);
    elastic_fields_text(fields, SLICE("event.outcome"), slice_of_string(outcomes[span->status_code < 3 ? span->status_code : 0]));
    elastic_fields_text(fields, SLICE("span.kind"), slice_of_string(kinds[span->kind < 6 ? span->kind : 0]));
    add_links(documents, span);
    elastic_fields_write(fields, true, &documents->bulk.text);
    return true;
}

/* ---- metrics ---- */

/* Maps would be taken apart; a point's value is written as it stands below its name. */
static bool add_point(struct elastic_documents *documents, const struct elastic_point *point)
{
    struct elastic_fields *fields = &documents->fields;
    size_t start = fields->texts.size;

    if (!elastic_point_value(point, &fields->texts))
        return false;
    elastic_fields_json(fields, point->metric.name, start);
    return true;
}

static bool write_metrics(
    struct elastic_documents *documents, const struct elastic_point_group *group, const struct elastic_route *route, struct buffer *out)
{
    const struct elastic_points *points = &documents->points;
    const struct elastic_point *first = elastic_points_first(points, group);
    struct elastic_fields *fields = &documents->fields;
    size_t values = 0;

    elastic_fields_clear(fields);
    add_attributes(fields, &documents->current.resource, resource_conversions);
    elastic_fields_time(fields, SLICE("@timestamp"), first->point.time);
    add_attributes(fields, &documents->record, NULL);
    elastic_fields_stream(fields, route);
    for (const struct elastic_point *point = first; point != NULL; point = elastic_points_next(points, point)) {
        if (add_point(documents, point)) {
            values++;
        } else {
            documents->left_out++;
            documents->why = "no_value";
        }
    }
    elastic_fields_write(fields, true, out);
    return values > 0;
}

const struct elastic_mapping elastic_mapping_ecs = { .log = write_log, .span = write_span, .metrics = write_metrics };
