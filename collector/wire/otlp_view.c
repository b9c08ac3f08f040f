/*
 * Views of spans, log records, metrics and data points, and their attributes.
 *
 * Cost: one scan of the message's own fields; nested messages are passed over, but for Span.status and a metric's data.
 * A field that occurs twice counts as it last did. Threads: none of its own; no state.
 */
#include "collector/wire/otlp.h"

static void view_status(struct slice status, struct otlp_span *span)
{
    struct pb_reader reader = pb_reader_of(status);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 2)
            span->status_message = field.bytes;
        else if (field.number == 3)
            span->status_code = (uint32_t)field.scalar;
    }
}

static void view_span_number(const struct pb_field *field, struct otlp_span *span)
{
    switch (field->number) {
    case 6:
        span->kind = (uint32_t)field->scalar;
        break;
    case 7:
        span->start_time = field->scalar;
        break;
    case 8:
        span->end_time = field->scalar;
        break;
    case 10:
        span->dropped_attributes = (uint32_t)field->scalar;
        break;
    case 12:
        span->dropped_events = (uint32_t)field->scalar;
        break;
    case 14:
        span->dropped_links = (uint32_t)field->scalar;
        break;
    case 16:
        span->flags = (uint32_t)field->scalar;
        break;
    }
}

static void view_span_bytes(const struct pb_field *field, struct otlp_span *span)
{
    switch (field->number) {
    case 1:
        span->trace_id = field->bytes;
        break;
    case 2:
        span->span_id = field->bytes;
        break;
    case 3:
        span->trace_state = field->bytes;
        break;
    case 4:
        span->parent_span_id = field->bytes;
        break;
    case 5:
        span->name = field->bytes;
        break;
    case 15:
        view_status(field->bytes, span);
        break;
    }
}

void otlp_span_view(struct slice body, struct otlp_span *span)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *span = (struct otlp_span){ .body = body };
    while (pb_next(&reader, &field)) {
        if (field.type == PB_BYTES)
            view_span_bytes(&field, span);
        else
            view_span_number(&field, span);
    }
}

static void view_log_number(const struct pb_field *field, struct otlp_log *log)
{
    switch (field->number) {
    case 1:
        log->time = field->scalar;
        break;
    case 2:
        log->severity_number = (uint32_t)field->scalar;
        break;
    case 7:
        log->dropped_attributes = (uint32_t)field->scalar;
        break;
    case 8:
        log->flags = (uint32_t)field->scalar;
        break;
    case 11:
        log->observed_time = field->scalar;
        break;
    }
}

static void view_log_bytes(const struct pb_field *field, struct otlp_log *log)
{
    switch (field->number) {
    case 3:
        log->severity_text = field->bytes;
        break;
    case 5:
        log->value = field->bytes;
        break;
    case 9:
        log->trace_id = field->bytes;
        break;
    case 10:
        log->span_id = field->bytes;
        break;
    case 12:
        log->event_name = field->bytes;
        break;
    }
}

void otlp_log_view(struct slice body, struct otlp_log *log)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *log = (struct otlp_log){ .body = body };
    while (pb_next(&reader, &field)) {
        if (field.type == PB_BYTES)
            view_log_bytes(&field, log);
        else
            view_log_number(&field, log);
    }
}

static void view_data(enum otlp_metric_kind kind, struct slice data, struct otlp_metric *metric)
{
    struct pb_reader reader = pb_reader_of(data);
    struct pb_field field;

    metric->kind = kind;
    metric->data = data;
    metric->temporality = 0;
    metric->monotonic = false;
    if (kind == OTLP_GAUGE || kind == OTLP_SUMMARY)
        return;
    while (pb_next(&reader, &field)) {
        if (field.number == 2)
            metric->temporality = (uint32_t)field.scalar;
        else if (field.number == 3 && kind == OTLP_SUM)
            metric->monotonic = field.scalar != 0;
    }
}

void otlp_metric_view(struct slice body, struct otlp_metric *metric)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *metric = (struct otlp_metric){ .body = body };
    while (pb_next(&reader, &field)) {
        switch (field.number) {
        case 1:
            metric->name = field.bytes;
            break;
        case 2:
            metric->description = field.bytes;
            break;
        case 3:
            metric->unit = field.bytes;
            break;
        case OTLP_GAUGE:
        case OTLP_SUM:
        case OTLP_HISTOGRAM:
        case OTLP_EXPONENTIAL_HISTOGRAM:
        case OTLP_SUMMARY:
            view_data((enum otlp_metric_kind)field.number, field.bytes, metric);
            break;
        }
    }
}

struct otlp_points otlp_points(const struct otlp_metric *metric)
{
    return (struct otlp_points){ pb_reader_of(metric->data), metric->kind };
}

static void view_number(const struct pb_field *field, struct otlp_point *point)
{
    if (field->number == 4 && field->type == PB_FIXED64) {
        point->is_double = true;
        point->is_int = false;
        point->double_value = pb_double(field->scalar);
    } else if (field->number == 6 && field->type == PB_FIXED64) {
        point->is_int = true;
        point->is_double = false;
        point->int_value = (int64_t)field->scalar;
    }
}

static void view_point(enum otlp_metric_kind kind, struct slice body, struct otlp_point *point)
{
    bool has_number = kind == OTLP_GAUGE || kind == OTLP_SUM;
    uint32_t flags_field = has_number || kind == OTLP_SUMMARY ? 8 : 10;
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    *point = (struct otlp_point){ .body = body };
    while (pb_next(&reader, &field)) {
        if (field.number == 2)
            point->start_time = field.scalar;
        else if (field.number == 3)
            point->time = field.scalar;
        else if (field.number == flags_field)
            point->flags = (uint32_t)field.scalar;
        else if (has_number)
            view_number(&field, point);
    }
}

bool otlp_next_point(struct otlp_points *points, struct otlp_point *point)
{
    struct pb_field field;

    while (pb_next(&points->reader, &field)) {
        if (field.number == 1 && field.type == PB_BYTES) {
            view_point(points->kind, field.bytes, point);
            return true;
        }
    }
    return false;
}
