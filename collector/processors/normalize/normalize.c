/*
 * normalize processor: brings records of different systems to one schema, rule by rule (docs/normalize.md).
 *
 * A record that no rule has anything to do with costs a scan and is not copied. Nothing that a record says is taken away: names are moved, fields that
 * are empty are filled from what stands elsewhere. Threads: everything is fixed at start; see batch_rewrite.
 */
#include "collector/base/clock.h"
#include "collector/processors/batch_rewrite.h"
#include "collector/processors/normalize/conventions.h"
#include "collector/processors/normalize/severity.h"
#include "collector/processors/normalize/trace_ids.h"

struct normalize {
    struct component base;
    bool conventions, severity, timestamps, trace_context, service_name;
    int64_t max_future_ns, max_age_ns;
    struct option_strings service_name_from;
    struct conventions names;
    struct batch_rewrite rewrite;
};

#define OPTION(field) offsetof(struct normalize, field)

static const struct option options[] = {
    { "conventions", OPTION_BOOL, OPTION(conventions), "true", NULL,
        "attributes with old names of the semantic conventions get their present ones, as the schema_url around them tells",
        .flags = OPTION_WEIR },
    { "severity", OPTION_BOOL, OPTION(severity), "true", NULL,
        "log records: the number from the text or the other way round; from an attribute named level or severity when there is neither",
        .flags = OPTION_WEIR },
    { "timestamps", OPTION_BOOL, OPTION(timestamps), "true", NULL,
        "log records without an observed time get the present one; absurd times are named in the attribute weir.timestamp.problem",
        .flags = OPTION_WEIR },
    { "max_future", OPTION_DURATION, OPTION(max_future_ns), "1h", NULL, "times further ahead than this are absurd", .flags = OPTION_WEIR },
    { "max_age", OPTION_DURATION, OPTION(max_age_ns), "8760h", NULL, "times longer ago than this are absurd", .flags = OPTION_WEIR },
    { "trace_context", OPTION_BOOL, OPTION(trace_context), "true", NULL,
        "log records without a trace id get the one that their attributes or body name", .flags = OPTION_WEIR },
    { "service_name", OPTION_BOOL, OPTION(service_name), "true", NULL,
        "resources without a service.name get the first of service_name_from that they have", .flags = OPTION_WEIR },
    { "service_name_from", OPTION_STRINGS, OPTION(service_name_from),
        "k8s.pod.label.app.kubernetes.io/name,k8s.deployment.name,k8s.statefulset.name,k8s.daemonset.name,k8s.cronjob.name,k8s.job.name,"
        "k8s.container.name,container.name,faas.name,service,app,application,process.executable.name",
        NULL, "attributes of the resource, the best one first", .flags = OPTION_WEIR },
    { 0 },
};

static bool normalize_start(struct component *component, struct error *err)
{
    struct normalize *self = (struct normalize *)component;

    (void)err;
    conventions_init(&self->names);
    batch_rewrite_init(&self->rewrite);
    return true;
}

static void normalize_stop(struct component *component)
{
    batch_rewrite_fini(&((struct normalize *)component)->rewrite);
}

/* ---- one message under work ---- */

struct work {
    const struct normalize *self;
    struct rewrite_worker *worker;
    struct slice body;
    uint32_t attributes_field;
    bool opened; /* worker->edit holds it */
    uint64_t now;
    int version; /* of the scope's schema */
};

static struct edit *edit_of(struct work *work)
{
    if (!work->opened)
        edit_open(&work->worker->edit, work->body, work->attributes_field);
    work->opened = true;
    return &work->worker->edit;
}

static void begin(struct work *work, struct slice body, uint32_t attributes_field)
{
    work->body = body;
    work->attributes_field = attributes_field;
    work->opened = false;
}

/* True when the message was changed. */
static bool finish(struct work *work)
{
    if (!work->opened)
        return false;
    work->worker->failed = work->worker->failed || work->worker->edit.failed;
    return work->worker->edit.changed;
}

static void set_text(struct work *work, struct slice key, struct slice text)
{
    const struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = text };

    edit_set_attribute(edit_of(work), key, &value);
}

static void rename_attributes(struct work *work, int version, bool is_server)
{
    const struct conventions_message message = { work->body, work->attributes_field, version, is_server };

    if (work->self->conventions)
        conventions_apply(&work->self->names, &message, &work->worker->edit, &work->opened);
}

/* ---- times ---- */

#define PROBLEM SLICE("weir.timestamp.problem")

/* NULL: nothing is wrong with it. */
static const char *problem_of(const struct work *work, uint64_t time)
{
    if (time == 0)
        return NULL;
    if (time > work->now + (uint64_t)work->self->max_future_ns)
        return "future";
    return work->now > time && work->now - time > (uint64_t)work->self->max_age_ns ? "past" : NULL;
}

static void flag(struct work *work, const char *problem)
{
    struct otlp_value known;

    if (problem == NULL)
        return;
    if (!edit_get_attribute(edit_of(work), PROBLEM, &known) || known.kind != OTLP_VALUE_STRING || !slice_equal_string(known.bytes, problem))
        set_text(work, PROBLEM, slice_of_string(problem));
}

/* ---- spans ---- */

enum { SPAN_KIND_SERVER = 2, SPAN_KIND_CONSUMER = 5 };

static bool normalize_span(struct work *work, struct slice body)
{
    struct otlp_span span;
    const char *problem;

    begin(work, body, OTLP_ATTRIBUTES_OF_SPAN);
    otlp_span_view(body, &span);
    rename_attributes(work, work->version, span.kind == SPAN_KIND_SERVER || span.kind == SPAN_KIND_CONSUMER);
    if (work->self->timestamps) {
        problem = problem_of(work, span.start_time);
        if (problem == NULL && span.start_time == 0)
            problem = "missing";
        else if (problem == NULL && span.end_time != 0 && span.end_time < span.start_time)
            problem = "end_before_start";
        flag(work, problem != NULL ? problem : problem_of(work, span.end_time));
    }
    return finish(work);
}

/* ---- log records ---- */

enum { LOG_SEVERITY_NUMBER = 2, LOG_SEVERITY_TEXT = 3, LOG_FLAGS = 8, LOG_TRACE_ID = 9, LOG_SPAN_ID = 10, LOG_OBSERVED = 11 };

/* The severity that an attribute names; data NULL: none does. */
static struct slice severity_attribute(struct slice body)
{
    static const struct slice keys[] = { SLICE_INIT("level"), SLICE_INIT("severity"), SLICE_INIT("log.level"), SLICE_INIT("loglevel") };
    struct otlp_value value;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (otlp_find_attribute(body, OTLP_ATTRIBUTES_OF_LOG, keys[i], &value) && value.kind == OTLP_VALUE_STRING && value.bytes.size > 0)
            return value.bytes;
    }
    return slice_of(NULL, 0);
}

static void normalize_severity(struct work *work, const struct otlp_log *log)
{
    struct slice text = log->severity_text;
    const char *canonical = severity_text_of(log->severity_number);
    uint32_t number;

    if (log->severity_number != 0) {
        if (text.size == 0 && canonical != NULL)
            edit_set_bytes(edit_of(work), LOG_SEVERITY_TEXT, slice_of_string(canonical));
        return;
    }
    if (text.size == 0)
        text = severity_attribute(log->body);
    number = text.size > 0 ? severity_number_of(text) : 0;
    if (number == 0)
        return;
    edit_set_varint(edit_of(work), LOG_SEVERITY_NUMBER, number);
    if (log->severity_text.size == 0)
        edit_set_bytes(edit_of(work), LOG_SEVERITY_TEXT, text);
}

static void ids_of_attributes(struct trace_ids *ids, struct slice message, enum otlp_attributes_field field)
{
    struct otlp_attributes attributes = otlp_attributes(message, field);
    struct otlp_attribute attribute;

    while (otlp_next_attribute(&attributes, &attribute))
        trace_ids_of_attribute(ids, attribute.key, &attribute.value);
}

static bool is_empty_id(struct slice id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] != 0)
            return false;
    }
    return true;
}

/* Attributes first, then the body, be it a map or a line. */
static void normalize_trace_context(struct work *work, const struct otlp_log *log)
{
    struct trace_ids ids = { .has_trace = false };
    struct otlp_value body = otlp_value_of(log->value);

    if (!is_empty_id(log->trace_id))
        return;
    ids_of_attributes(&ids, log->body, OTLP_ATTRIBUTES_OF_LOG);
    if (!ids.has_trace && body.kind == OTLP_VALUE_MAP)
        ids_of_attributes(&ids, body.bytes, OTLP_ATTRIBUTES_OF_MAP);
    else if (!ids.has_trace && body.kind == OTLP_VALUE_STRING)
        trace_ids_of_text(&ids, body.bytes);
    if (!ids.has_trace)
        return;
    edit_set_bytes(edit_of(work), LOG_TRACE_ID, slice_of(ids.trace, sizeof(ids.trace)));
    if (ids.has_span && is_empty_id(log->span_id))
        edit_set_bytes(edit_of(work), LOG_SPAN_ID, slice_of(ids.span, sizeof(ids.span)));
    if (ids.has_flags && log->flags == 0)
        edit_set_fixed32(edit_of(work), LOG_FLAGS, ids.flags);
}

static bool normalize_log(struct work *work, struct slice body)
{
    struct otlp_log log;
    const char *problem;

    begin(work, body, OTLP_ATTRIBUTES_OF_LOG);
    otlp_log_view(body, &log);
    rename_attributes(work, work->version, false);
    if (work->self->severity)
        normalize_severity(work, &log);
    if (work->self->trace_context)
        normalize_trace_context(work, &log);
    if (work->self->timestamps) {
        problem = problem_of(work, log.time);
        flag(work, problem != NULL ? problem : problem_of(work, log.observed_time));
        if (log.observed_time == 0)
            edit_set_fixed64(edit_of(work), LOG_OBSERVED, work->now);
    }
    return finish(work);
}

/* ---- data points ---- */

static bool visit_point(void *context, struct slice point, uint32_t attributes_field, struct buffer *out)
{
    struct work *work = context;

    begin(work, point, attributes_field);
    rename_attributes(work, work->version, false);
    if (!finish(work))
        return false;
    edit_write(&work->worker->edit, 1, out);
    return true;
}

static void visit_metric(struct work *work)
{
    struct otlp_rewrite *rewrite = &work->worker->rewrite;
    struct buffer *metric = &work->worker->spare;

    buffer_clear(metric);
    if (otlp_rewrite_points(rewrite->record.body, visit_point, work, metric))
        pb_put_bytes(otlp_rewrite_replace_record(rewrite), OTLP_RECORDS_FIELD, buffer_slice(metric));
    work->worker->failed = work->worker->failed || metric->failed;
}

/* ---- resources ---- */

/* What SDKs write when nobody told them a name is none. */
static bool has_service_name(struct slice resource)
{
    struct otlp_value value;

    return otlp_find_attribute(resource, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("service.name"), &value) &&
           (value.kind != OTLP_VALUE_STRING || (value.bytes.size > 0 && !slice_starts_with(value.bytes, SLICE("unknown_service"))));
}

static void normalize_service_name(struct work *work)
{
    const struct option_strings *from = &work->self->service_name_from;
    struct otlp_value value;

    if (has_service_name(work->body))
        return;
    for (size_t i = 0; i < from->count; i++) {
        bool found = otlp_find_attribute(work->body, OTLP_ATTRIBUTES_OF_RESOURCE, slice_of_string(from->items[i]), &value);
        if (found && value.kind == OTLP_VALUE_STRING && value.bytes.size > 0) {
            set_text(work, SLICE("service.name"), value.bytes);
            return;
        }
    }
}

static void visit_resource(struct work *work)
{
    struct otlp_rewrite *rewrite = &work->worker->rewrite;
    int version = conventions_version_of(rewrite->group.schema_url);
    /* metrics have names of their own, which stay: so does what is said of them */
    bool is_old = work->self->conventions && work->worker->signal != SIGNAL_METRICS && version != CONVENTIONS_UNKNOWN &&
                  version < CONVENTIONS_CURRENT;

    begin(work, rewrite->group.resource, OTLP_ATTRIBUTES_OF_RESOURCE);
    rename_attributes(work, version, false);
    if (work->self->service_name)
        normalize_service_name(work);
    if (finish(work))
        otlp_rewrite_set_resource(rewrite, &work->worker->edit);
    if (is_old)
        otlp_rewrite_set_group_schema(rewrite, SLICE(CONVENTIONS_SCHEMA_URL));
}

/* ---- batches ---- */

static void visit_record(struct work *work)
{
    struct otlp_rewrite *rewrite = &work->worker->rewrite;
    bool changed;

    if (work->worker->signal == SIGNAL_METRICS) {
        if (work->self->conventions && work->version < CONVENTIONS_CURRENT)
            visit_metric(work);
        return;
    }
    changed =
        work->worker->signal == SIGNAL_TRACES ? normalize_span(work, rewrite->record.body) : normalize_log(work, rewrite->record.body);
    if (changed)
        otlp_rewrite_set_record(rewrite, &work->worker->edit);
}

/* A scope without a schema_url follows that of its resource. */
static void visit_scope_group(struct work *work, int group_version)
{
    struct otlp_rewrite *rewrite = &work->worker->rewrite;
    bool own = rewrite->scope_group.schema_url.size > 0;

    work->version = own ? conventions_version_of(rewrite->scope_group.schema_url) : group_version;
    if (own && work->self->conventions && work->worker->signal != SIGNAL_METRICS && work->version < CONVENTIONS_CURRENT)
        otlp_rewrite_set_scope_schema(rewrite, SLICE(CONVENTIONS_SCHEMA_URL));
    while (otlp_rewrite_next_record(rewrite))
        visit_record(work);
}

static void visit(struct component *component, struct rewrite_worker *worker)
{
    struct work work = { .self = (const struct normalize *)component, .worker = worker, .now = clock_wall_nanos() };

    while (otlp_rewrite_next_group(&worker->rewrite)) {
        visit_resource(&work);
        while (otlp_rewrite_next_scope_group(&worker->rewrite))
            visit_scope_group(&work, conventions_version_of(worker->rewrite.group.schema_url));
    }
}

static void normalize_consume(struct component *component, struct batch *batch)
{
    batch_rewrite_run(&((struct normalize *)component)->rewrite, component, visit, batch);
}

const struct component_type normalize_processor = {
    .name = "normalize",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_TRACES | SIGNALS_METRICS | SIGNALS_LOGS,
    .stability = STABILITY_ALPHA,
    .summary = "Brings records of different systems to one schema: names, severities, times, trace ids, service names. weir's own.",
    .options = options,
    .instance_size = sizeof(struct normalize),
    .start = normalize_start,
    .stop = normalize_stop,
    .consume = normalize_consume,
};
