/* verbosity: detailed, but for metrics. Every field of every record on a line of its own. */
#include "exporters/debug/text.h"

static void write_line(const char *label, struct slice text, struct buffer *out)
{
    buffer_append_string(out, label);
    buffer_append_slice(out, text);
    buffer_append_byte(out, '\n');
}

static void write_hex_line(const char *label, struct slice id, struct buffer *out)
{
    buffer_append_string(out, label);
    text_hex(id, out);
    buffer_append_byte(out, '\n');
}

static void write_time_line(const char *label, uint64_t nanos, struct buffer *out)
{
    buffer_append_string(out, label);
    text_time(nanos, out);
    buffer_append_byte(out, '\n');
}

/* ---- spans ---- */

/* Events and links have the same shape, with other numbers: what follows is read by these. */
struct child {
    struct slice body, name, trace_id, span_id, trace_state;
    uint64_t time;
    uint32_t dropped;
};

static void view_event(struct slice body, struct child *event)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *event = (struct child){ .body = body };
    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            event->time = field.scalar;
        else if (field.number == 2)
            event->name = field.bytes;
        else if (field.number == 4)
            event->dropped = (uint32_t)field.scalar;
    }
}

static void view_link(struct slice body, struct child *link)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *link = (struct child){ .body = body };
    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            link->trace_id = field.bytes;
        else if (field.number == 2)
            link->span_id = field.bytes;
        else if (field.number == 3)
            link->trace_state = field.bytes;
        else if (field.number == 5)
            link->dropped = (uint32_t)field.scalar;
    }
}

static void write_event(struct slice body, size_t index, struct buffer *out)
{
    struct child event;

    view_event(body, &event);
    buffer_printf(out, "%sSpanEvent #%zu\n", index == 0 ? "Events:\n" : "", index);
    write_line("     -> Name: ", event.name, out);
    write_time_line("     -> Timestamp: ", event.time, out);
    buffer_printf(out, "     -> DroppedAttributesCount: %u\n", event.dropped);
    text_attribute_lines(
        (struct text_attributes){ body, OTLP_ATTRIBUTES_OF_SPAN_EVENT }, (struct text_block){ "     -> Attributes:", 0, 5 }, out);
}

static void write_link(struct slice body, size_t index, struct buffer *out)
{
    struct child link;

    view_link(body, &link);
    buffer_printf(out, "%sSpanLink #%zu\n", index == 0 ? "Links:\n" : "", index);
    write_hex_line("     -> Trace ID: ", link.trace_id, out);
    write_hex_line("     -> ID: ", link.span_id, out);
    write_line("     -> TraceState: ", link.trace_state, out);
    buffer_printf(out, "     -> DroppedAttributesCount: %u\n", link.dropped);
    text_attribute_lines(
        (struct text_attributes){ body, OTLP_ATTRIBUTES_OF_SPAN_LINK }, (struct text_block){ "     -> Attributes:", 0, 5 }, out);
}

static void write_children(
    struct slice span, uint32_t number, void (*write)(struct slice body, size_t index, struct buffer *out), struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(span);
    struct pb_field field;
    size_t index = 0;

    while (pb_next(&reader, &field))
        if (field.number == number && field.type == PB_BYTES)
            write(field.bytes, index++, out);
}

static void write_span(struct slice body, struct buffer *out)
{
    static const char *const kinds[] = { "Unspecified", "Internal", "Server", "Client", "Producer", "Consumer" };
    static const char *const codes[] = { "Unset", "Ok", "Error" };
    struct otlp_span span;

    otlp_span_view(body, &span);
    write_hex_line("    Trace ID       : ", span.trace_id, out);
    write_hex_line("    Parent ID      : ", span.parent_span_id, out);
    write_hex_line("    ID             : ", span.span_id, out);
    write_line("    Name           : ", span.name, out);
    buffer_printf(out, "    Kind           : %s\n", text_name(kinds, sizeof(kinds) / sizeof(kinds[0]), span.kind, ""));
    if (span.trace_state.size > 0)
        write_line("    TraceState     : ", span.trace_state, out);
    write_time_line("    Start time     : ", span.start_time, out);
    write_time_line("    End time       : ", span.end_time, out);
    buffer_printf(out, "    Status code    : %s\n", text_name(codes, sizeof(codes) / sizeof(codes[0]), span.status_code, ""));
    write_line("    Status message : ", span.status_message, out);
    buffer_printf(out, "    DroppedAttributesCount: %u\n    DroppedEventsCount: %u\n    DroppedLinksCount: %u\n", span.dropped_attributes,
        span.dropped_events, span.dropped_links);
    text_attribute_lines((struct text_attributes){ body, OTLP_ATTRIBUTES_OF_SPAN }, (struct text_block){ "Attributes", 0, 0 }, out);
    write_children(body, 11, write_event, out);
    write_children(body, 13, write_link, out);
}

/* ---- logs ---- */

/* "Info2(10)": six names, four grades of each. */
static void write_severity(uint32_t number, struct buffer *out)
{
    static const char *const names[] = { "Trace", "Debug", "Info", "Warn", "Error", "Fatal" };
    uint32_t grade = (number - 1) % 4 + 1;

    if (number == 0)
        buffer_append_string(out, "Unspecified(0)");
    else if (number > 24)
        buffer_printf(out, "(%u)", number);
    else if (grade == 1)
        buffer_printf(out, "%s(%u)", names[(number - 1) / 4], number);
    else
        buffer_printf(out, "%s%u(%u)", names[(number - 1) / 4], grade, number);
}

static void write_log(struct slice body, struct buffer *out)
{
    struct otlp_value value;
    struct otlp_log log;

    otlp_log_view(body, &log);
    write_time_line("ObservedTimestamp: ", log.observed_time, out);
    write_time_line("Timestamp: ", log.time, out);
    write_line("SeverityText: ", log.severity_text, out);
    buffer_append_string(out, "SeverityNumber: ");
    write_severity(log.severity_number, out);
    buffer_append_byte(out, '\n');
    if (log.event_name.size > 0)
        write_line("EventName: ", log.event_name, out);
    buffer_append_string(out, "Body: ");
    value = otlp_value_of(log.value);
    text_typed_value(&value, out);
    buffer_append_byte(out, '\n');
    text_attribute_lines((struct text_attributes){ body, OTLP_ATTRIBUTES_OF_LOG }, (struct text_block){ "Attributes", 0, 0 }, out);
    write_hex_line("Trace ID: ", log.trace_id, out);
    write_hex_line("Span ID: ", log.span_id, out);
    buffer_printf(out, "Flags: %u\n", log.flags);
}

/* ---- profiles: what is theirs; the tables of the dictionary are counted, not listed ---- */

static void write_profile(struct slice body, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(body);
    struct slice id = SLICE("");
    uint64_t time = 0, duration = 0, dropped = 0;
    size_t samples = 0;
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        samples += field.number == 2;
        if (field.number == 3)
            time = field.scalar;
        else if (field.number == 4)
            duration = field.scalar;
        else if (field.number == 7)
            id = field.bytes;
        else if (field.number == 8)
            dropped = field.scalar;
    }
    write_hex_line("    Profile ID     : ", id, out);
    write_time_line("    Start time     : ", time, out);
    buffer_printf(out, "    DurationNano   : %llu\n    Dropped attributes count: %llu\n    Samples        : %zu\n",
        (unsigned long long)duration, (unsigned long long)dropped, samples);
}

/* ---- what is around them ---- */

static void write_entity_keys(struct slice entity, uint32_t number, const char *header, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(entity);
    struct pb_field field;
    bool any = false;

    while (pb_next(&reader, &field)) {
        if (field.number != number || field.type != PB_BYTES)
            continue;
        if (!any)
            buffer_append_string(out, header);
        any = true;
        write_line("               -> ", field.bytes, out);
    }
}

static void write_entity(struct slice entity, size_t index, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(entity);
    struct slice schema_url = SLICE(""), type = SLICE("");
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            schema_url = field.bytes;
        else if (field.number == 2)
            type = field.bytes;
    }
    buffer_printf(out, "%s     -> Entity ref #%zu:\n", index == 0 ? "Resource entity refs:\n" : "", index);
    write_line("          -> Type: ", type, out);
    if (schema_url.size > 0)
        write_line("          -> Schema URL: ", schema_url, out);
    write_entity_keys(entity, 3, "          -> ID keys:\n", out);
    write_entity_keys(entity, 4, "          -> Description keys:\n", out);
}

static void write_scope(struct slice scope, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(scope);
    struct slice name = SLICE(""), version = SLICE("");
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            name = field.bytes;
        else if (field.number == 2)
            version = field.bytes;
    }
    buffer_append_string(out, "InstrumentationScope ");
    buffer_append_slice(out, name);
    write_line(" ", version, out);
    text_attribute_lines(
        (struct text_attributes){ scope, OTLP_ATTRIBUTES_OF_SCOPE }, (struct text_block){ "InstrumentationScope attributes", 0, 0 }, out);
}

struct layout {
    const char *group, *scope, *record;
    void (*write)(struct slice body, struct buffer *out);
};

static void write_scope_group(const struct layout *layout, const struct otlp_scope_group *group, size_t index, struct buffer *out)
{
    struct otlp_records records = otlp_records(group);
    struct otlp_record record;

    buffer_printf(out, "%s #%zu\n%s SchemaURL: ", layout->scope, index, layout->scope);
    write_line("", group->schema_url, out);
    write_scope(group->scope, out);
    for (size_t i = 0; otlp_next_record(&records, &record); i++) {
        buffer_printf(out, "%s #%zu\n", layout->record, i);
        layout->write(record.body, out);
    }
}

void text_detailed(enum signal signal, struct slice request, struct buffer *out)
{
    static const struct layout layouts[SIGNAL_COUNT] = {
        [SIGNAL_TRACES] = { "ResourceSpans", "ScopeSpans", "Span", write_span },
        [SIGNAL_METRICS] = { "ResourceMetrics", "ScopeMetrics", "Metric", text_detailed_metric },
        [SIGNAL_LOGS] = { "ResourceLog", "ScopeLogs", "LogRecord", write_log },
        [SIGNAL_PROFILES] = { "ResourceProfiles", "ScopeProfiles", "Profile", write_profile },
    };
    struct otlp_groups groups = otlp_groups(request);
    struct otlp_group group;

    for (size_t i = 0; otlp_next_group(&groups, &group); i++) {
        struct otlp_scope_groups scopes = otlp_scope_groups(&group);
        struct otlp_scope_group scope;

        buffer_printf(out, "%s #%zu\n", layouts[signal].group, i);
        write_line("Resource SchemaURL: ", group.schema_url, out);
        text_attribute_lines((struct text_attributes){ group.resource, OTLP_ATTRIBUTES_OF_RESOURCE },
            (struct text_block){ "Resource attributes", 0, 0 }, out);
        write_children(group.resource, 3, write_entity, out);
        for (size_t j = 0; otlp_next_scope_group(&scopes, &scope); j++)
            write_scope_group(&layouts[signal], &scope, j, out);
    }
}
