/* verbosity: normal. A line per record, and one for each resource and scope. */
#include <math.h>
#include <stdlib.h>

#include "exporters/debug/points.h"
#include "exporters/debug/text.h"

static void write_optional(const char *before, struct slice text, const char *after, struct buffer *out)
{
    if (text.size == 0)
        return;
    buffer_append_string(out, before);
    buffer_append_slice(out, text);
    buffer_append_string(out, after);
}

/* Behind a space, if there are any. */
static void write_attributes(struct slice message, enum otlp_attributes_field field, struct buffer *out)
{
    size_t before = out->size;

    buffer_append_byte(out, ' ');
    if (!text_pairs((struct text_attributes){ message, field }, " ", out) && out->size > before)
        out->size = before;
}

static void write_scope(const struct otlp_scope_group *group, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(group->scope);
    struct slice name = SLICE(""), version = SLICE("");
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            name = field.bytes;
        else if (field.number == 2)
            version = field.bytes;
    }
    if (name.size > 0 || version.size > 0)
        buffer_append_byte(out, ' ');
    buffer_append_slice(out, name);
    write_optional("@", version, "", out);
    write_optional(" [", group->schema_url, "]", out);
    write_attributes(group->scope, OTLP_ATTRIBUTES_OF_SCOPE, out);
    buffer_append_byte(out, '\n');
}

static void write_span(struct slice body, struct buffer *out)
{
    struct otlp_span span;

    otlp_span_view(body, &span);
    buffer_append_slice(out, span.name);
    buffer_append_byte(out, ' ');
    text_hex(span.trace_id, out);
    buffer_append_byte(out, ' ');
    text_hex(span.span_id, out);
    write_attributes(body, OTLP_ATTRIBUTES_OF_SPAN, out);
    buffer_append_byte(out, '\n');
}

static void write_log(struct slice body, struct buffer *out)
{
    struct otlp_value value;
    struct otlp_log log;

    otlp_log_view(body, &log);
    value = otlp_value_of(log.value);
    text_value(&value, out);
    buffer_append_byte(out, ' ');
    text_pairs((struct text_attributes){ body, OTLP_ATTRIBUTES_OF_LOG }, " ", out);
    buffer_append_byte(out, '\n');
}

static void write_profile(struct slice body, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;
    size_t samples = 0;

    while (pb_next(&reader, &field)) {
        samples += field.number == 2;
        if (field.number == 7 && field.type == PB_BYTES)
            text_hex(field.bytes, out);
    }
    buffer_printf(out, " samples=%zu\n", samples);
}

/* ---- metrics ---- */

static void write_bounded(double bound, uint64_t count, struct buffer *out)
{
    buffer_append_string(out, " le");
    text_double(bound, out);
    buffer_printf(out, "=%llu", (unsigned long long)count);
}

static void write_histogram_buckets(const struct distribution *point, struct buffer *out)
{
    struct numbers counts = numbers_of(point->body, 6, false), bounds = numbers_of(point->body, 7, false);
    uint64_t count, bound;

    while (numbers_next(&counts, &count)) {
        if (numbers_next(&bounds, &bound))
            write_bounded(pb_double(bound), count, out);
        else
            buffer_printf(out, " %llu", (unsigned long long)count);
    }
}

static void write_exponential_buckets(const struct distribution *point, struct buffer *out)
{
    double factor = ldexp(M_LN2, -point->scale), offset = buckets_offset(point->negative);
    struct numbers positive = numbers_of(point->positive, 2, true);
    size_t negative_count;
    uint64_t *negative = buckets_dup_counts(point->negative, &negative_count), count;

    for (size_t i = negative_count; i-- > 0;)
        write_bounded(-exp((offset + (double)i) * factor), negative[i], out);
    free(negative);
    if (point->zero_count != 0)
        buffer_printf(out, " zero=%llu", (unsigned long long)point->zero_count);
    offset = buckets_offset(point->positive);
    for (size_t i = 0; numbers_next(&positive, &count); i++)
        write_bounded(exp((offset + (double)i + 1) * factor), count, out);
}

static void write_quantiles(const struct distribution *point, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(point->body);
    struct pb_field field, part;

    while (pb_next(&reader, &field)) {
        struct pb_reader quantile = pb_reader_of(field.bytes);
        double q = 0, value = 0;

        if (field.number != 6 || field.type != PB_BYTES)
            continue;
        while (pb_next(&quantile, &part))
            *(part.number == 1 ? &q : &value) = pb_double(part.scalar);
        buffer_append_string(out, " q");
        text_double(q, out);
        buffer_append_byte(out, '=');
        text_double(value, out);
    }
}

static void write_sum(const char *name, bool has, double value, struct buffer *out)
{
    if (!has)
        return;
    buffer_append_string(out, name);
    text_double(value, out);
}

static void write_distribution(enum otlp_metric_kind kind, struct slice body, struct buffer *out)
{
    struct distribution point;

    distribution_view(kind, body, &point);
    text_pairs((struct text_attributes){ body, point.attributes }, ",", out);
    buffer_printf(out, "} count=%llu", (unsigned long long)point.count);
    if (kind == OTLP_SUMMARY)
        buffer_printf(out, " sum=%f", point.sum);
    else
        write_sum(" sum=", point.has_sum, point.sum, out);
    write_sum(" min=", point.has_min, point.min, out);
    write_sum(" max=", point.has_max, point.max, out);
    if (kind == OTLP_HISTOGRAM)
        write_histogram_buckets(&point, out);
    else if (kind == OTLP_EXPONENTIAL_HISTOGRAM)
        write_exponential_buckets(&point, out);
    else
        write_quantiles(&point, out);
}

static void write_number_point(const struct otlp_point *point, struct buffer *out)
{
    text_pairs((struct text_attributes){ point->body, OTLP_ATTRIBUTES_OF_NUMBER_POINT }, ",", out);
    buffer_append_string(out, "} ");
    if (point->is_int)
        buffer_printf(out, "%lld", (long long)point->int_value);
    else if (point->is_double)
        text_double(point->double_value, out);
}

static void write_metric(struct slice body, struct buffer *out)
{
    struct otlp_metric metric;
    struct otlp_points points;
    struct otlp_point point;

    otlp_metric_view(body, &metric);
    points = otlp_points(&metric);
    while (otlp_next_point(&points, &point)) {
        buffer_append_slice(out, metric.name);
        buffer_append_byte(out, '{');
        if (metric.kind == OTLP_GAUGE || metric.kind == OTLP_SUM)
            write_number_point(&point, out);
        else
            write_distribution(metric.kind, point.body, out);
        buffer_append_byte(out, '\n');
    }
}

/* ---- the request ---- */

static void write_records(enum signal signal, const struct otlp_scope_group *group, struct buffer *out)
{
    static void (*const writers[SIGNAL_COUNT])(
        struct slice body, struct buffer * out) = { write_span, write_metric, write_log, write_profile };
    struct otlp_records records = otlp_records(group);
    struct otlp_record record;

    while (otlp_next_record(&records, &record))
        writers[signal](record.body, out);
}

void text_normal(enum signal signal, struct slice request, struct buffer *out)
{
    static const char *const names[SIGNAL_COUNT][2] = { { "ResourceTraces", "ScopeTraces" }, { "ResourceMetrics", "ScopeMetrics" },
        { "ResourceLog", "ScopeLog" }, { "ResourceProfiles", "ScopeProfiles" } };
    struct otlp_groups groups = otlp_groups(request);
    struct otlp_group group;

    for (size_t i = 0; otlp_next_group(&groups, &group); i++) {
        struct otlp_scope_groups scopes = otlp_scope_groups(&group);
        struct otlp_scope_group scope;

        buffer_printf(out, "%s #%zu", names[signal][0], i);
        write_optional(" [", group.schema_url, "]", out);
        write_attributes(group.resource, OTLP_ATTRIBUTES_OF_RESOURCE, out);
        buffer_append_byte(out, '\n');
        for (size_t j = 0; otlp_next_scope_group(&scopes, &scope); j++) {
            buffer_printf(out, "%s #%zu", names[signal][1], j);
            write_scope(&scope, out);
            write_records(signal, &scope, out);
        }
    }
}
