/*
 * From the layout to OTLP. A number's data point is written with its size known before; metrics, scopes and resources are opened and closed
 * around their fields, which moves their bytes once each.
 * Cost: 20 to 30 ns a number.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/wire/protobuf.h"
#include "receivers/prometheus/layout.h"
#include "receivers/prometheus/units.h"

#define NANOS_PER_MS UINT64_C(1000000)

struct writer {
    struct layout *layout;
    struct buffer *out;
    size_t points;
    const struct family *family;
    bool cumulative;
};

static bool is_present(const struct layout *layout, const struct group *group)
{
    return group->seen == layout->generation;
}

static uint64_t time_of(const struct layout *layout, const struct group *group)
{
    int64_t at = group->timed && is_present(layout, group) ? group->timestamp_ms : layout->now_ms;

    return at > 0 ? (uint64_t)at * NANOS_PER_MS : 0;
}

/* ---- start times ---- */

/* A first value, and one below the last, begin at their own time; `created` (seconds, 0: none) is what the target says. */
static void follow_start(struct group *group, double current, double created, uint64_t now)
{
    if (isnan(current))
        return;
    if (created > 0 && created < 1e10)
        group->start_ns = (uint64_t)(created * 1e9);
    else if (!group->created && (!group->started || current < group->previous))
        group->start_ns = now;
    group->created = false;
    group->started = true;
    group->previous = current;
}

/* ---- exemplars ---- */

static int compare_exemplars(const void *a, const void *b)
{
    const struct layout_exemplar *left = a, *right = b;

    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

/* The group's exemplars; *count of them. */
static const struct layout_exemplar *exemplars_of(const struct layout *layout, uint32_t group, size_t *count)
{
    size_t low = 0, high = layout->exemplar_count, end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (layout->exemplars[middle].group < group)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < layout->exemplar_count && layout->exemplars[end].group == group;)
        end++;
    *count = end - low;
    return layout->exemplars + low;
}

static void write_exemplars(const struct writer *writer, uint32_t group, uint32_t field)
{
    const struct layout *layout = writer->layout;
    const struct layout_exemplar *exemplars;
    size_t count;

    if (layout->exemplar_count == 0)
        return;
    exemplars = exemplars_of(layout, group, &count);
    for (size_t i = 0; i < count; i++)
        pb_put_bytes(writer->out, field, slice_of(layout->exemplar_bytes.data + exemplars[i].offset, exemplars[i].size));
}

/* ---- numbers ---- */

/* The series that holds what the group has of a role, put together with the group; NULL: none. */
static const struct series *member(const struct layout *layout, const struct group *group, enum series_role role)
{
    for (uint32_t i = group->first; i != LAYOUT_NONE; i = layout->series[i].sibling)
        if (layout->series[i].role == role && layout->series[i].seen == group->seen)
            return &layout->series[i];
    return NULL;
}

static inline uint8_t *put_fixed64(uint8_t *at, uint8_t tag, uint64_t bits)
{
    *at = tag;
    memcpy(at + 1, &bits, sizeof(bits));
    return at + 9;
}

/* A NumberDataPoint with its tag and length; value NULL: no longer there. */
static void put_number(struct writer *writer, struct slice attributes, uint64_t start, uint64_t time, const double *value)
{
    struct buffer *out = writer->out;
    size_t size = (start != 0 ? 18u : 9u) + (value != NULL ? 9u : 2u) + attributes.size;
    uint8_t *at;

    if (!buffer_reserve(out, size + 11))
        return;
    at = out->data + out->size;
    *at++ = 1 << 3 | PB_BYTES;
    at = pb_encode_varint(at, size);
    if (start != 0)
        at = put_fixed64(at, 2 << 3 | PB_FIXED64, start);
    at = put_fixed64(at, 3 << 3 | PB_FIXED64, time);
    if (value != NULL) {
        at = put_fixed64(at, 4 << 3 | PB_FIXED64, pb_double_bits(*value));
    } else {
        *at++ = 8 << 3 | PB_VARINT;
        *at++ = 1;
    }
    if (attributes.size > 0)
        memcpy(at, attributes.data, attributes.size);
    out->size = (size_t)(at - out->data) + attributes.size;
    writer->points++;
}

static void write_number(struct writer *writer, struct group *group)
{
    struct layout *layout = writer->layout;
    const struct series *series = member(layout, group, ROLE_VALUE);
    struct slice attributes = layout_text(layout, group->attributes, group->attributes_size);
    uint64_t time = time_of(layout, group);
    bool gone = series == NULL || !is_present(layout, group) || number_is_stale(series->value);
    size_t mark = 0, before = writer->out->size;

    if (series == NULL)
        return;
    if (writer->cumulative && !gone) {
        const struct series *created = member(layout, group, ROLE_CREATED);
        follow_start(group, series->value, created != NULL ? created->value : 0, time);
    }
    put_number(writer, attributes, writer->cumulative ? group->start_ns : 0, time, gone ? NULL : &series->value);
    if (layout->exemplar_count == 0 || gone)
        return;
    size_t count;
    exemplars_of(layout, (uint32_t)(group - layout->groups), &count);
    if (count == 0)
        return;
    writer->out->size = before; /* once more, with a length that is not known before */
    mark = pb_open(writer->out, 1);
    if (writer->cumulative && group->start_ns != 0)
        pb_put_fixed64(writer->out, 2, group->start_ns);
    pb_put_fixed64(writer->out, 3, time);
    pb_put_double(writer->out, 4, series->value);
    buffer_append_slice(writer->out, attributes);
    write_exemplars(writer, (uint32_t)(group - layout->groups), 5);
    pb_close(writer->out, mark);
}

/* ---- histograms and summaries ---- */

/* What a group's series say together. */
struct summed {
    const struct series *count, *sum, *created;
    const struct series *first; /* bucket or quantile */
    size_t buckets;             /* without +Inf, each bound once */
    double total, infinite;     /* infinite: what the bucket +Inf holds; NaN: there is none */
};

/* The next bucket or quantile of the group's generation behind `series`, of a greater bound; NULL: none. */
static const struct series *next_bucket(const struct layout *layout, const struct group *group, const struct series *series)
{
    uint32_t at = series == NULL ? group->first : series->sibling;

    for (; at != LAYOUT_NONE; at = layout->series[at].sibling) {
        const struct series *found = &layout->series[at];

        if (found->role == ROLE_BUCKET && found->seen == group->seen && (series == NULL || found->bound > series->bound))
            return found;
    }
    return NULL;
}

static struct summed sum_up(const struct layout *layout, const struct group *group)
{
    struct summed summed = { .count = member(layout, group, ROLE_COUNT),
        .sum = member(layout, group, ROLE_SUM),
        .created = member(layout, group, ROLE_CREATED),
        .infinite = (double)NAN };

    summed.first = next_bucket(layout, group, NULL);
    for (const struct series *at = summed.first; at != NULL; at = next_bucket(layout, group, at)) {
        if (at->bound == (double)INFINITY)
            summed.infinite = at->value;
        else
            summed.buckets++;
    }
    summed.total = summed.count != NULL ? summed.count->value : summed.infinite;
    return summed;
}

/* Counts must be whole numbers that OTLP can hold, and must not fall. */
static bool counts_are_sound(const struct layout *layout, const struct group *group, const struct summed *summed)
{
    double previous = 0;

    for (const struct series *at = summed->first; at != NULL && at->bound < (double)INFINITY; at = next_bucket(layout, group, at)) {
        if (!(at->value >= previous))
            return false;
        previous = at->value;
    }
    return summed->total >= previous && summed->total < 1.8e19;
}

static void put_times(struct writer *writer, const struct group *group, uint64_t time)
{
    if (group->start_ns != 0)
        pb_put_fixed64(writer->out, 2, group->start_ns);
    pb_put_fixed64(writer->out, 3, time);
}

static void write_buckets(struct writer *writer, const struct group *group, const struct summed *summed, bool gone)
{
    struct layout *layout = writer->layout;
    struct buffer *out = writer->out;
    double previous = 0;

    pb_put_tag(out, 6, PB_BYTES);
    pb_put_raw_varint(out, (summed->buckets + 1) * 8);
    for (const struct series *at = summed->first; at != NULL && at->bound < (double)INFINITY; at = next_bucket(layout, group, at)) {
        uint64_t count = gone ? 0 : (uint64_t)(at->value - previous);
        buffer_append(out, &count, sizeof(count));
        previous = at->value;
    }
    uint64_t last = gone ? 0 : (uint64_t)(summed->total - previous);
    buffer_append(out, &last, sizeof(last));
    if (summed->buckets == 0)
        return;
    pb_put_tag(out, 7, PB_BYTES);
    pb_put_raw_varint(out, summed->buckets * 8);
    for (const struct series *at = summed->first; at != NULL && at->bound < (double)INFINITY; at = next_bucket(layout, group, at))
        buffer_append(out, &at->bound, sizeof(at->bound));
}

static void write_quantiles(struct writer *writer, const struct group *group, const struct summed *summed, bool gone)
{
    for (const struct series *at = summed->first; at != NULL; at = next_bucket(writer->layout, group, at)) {
        size_t mark = pb_open(writer->out, 6);

        pb_put_double(writer->out, 1, at->bound);
        if (!gone)
            pb_put_double(writer->out, 2, at->value);
        pb_close(writer->out, mark);
    }
}

/* A histogram's or a summary's data point. */
static void write_summed(struct writer *writer, struct group *group)
{
    struct layout *layout = writer->layout;
    struct buffer *out = writer->out;
    struct summed summed = sum_up(layout, group);
    bool histogram = writer->family->type == METRIC_HISTOGRAM, gone = !is_present(layout, group) || number_is_stale(summed.total);
    uint64_t time = time_of(layout, group);
    size_t mark;

    if (!gone &&
        (isnan(summed.total) || summed.total < 0 || summed.total > 1.8e19 || (histogram && !counts_are_sound(layout, group, &summed)))) {
        layout->malformed++;
        return;
    }
    if (!gone)
        follow_start(group, summed.total, summed.created != NULL ? summed.created->value : 0, time);
    mark = pb_open(out, 1);
    put_times(writer, group, time);
    if (!gone) {
        pb_put_fixed64(out, 4, (uint64_t)summed.total);
        if (summed.sum != NULL)
            pb_put_double(out, 5, summed.sum->value);
    }
    if (histogram)
        write_buckets(writer, group, &summed, gone);
    else
        write_quantiles(writer, group, &summed, gone);
    buffer_append_slice(out, layout_text(layout, group->attributes, group->attributes_size));
    if (histogram && !gone)
        write_exemplars(writer, (uint32_t)(group - layout->groups), 8);
    if (gone)
        pb_put_varint(out, histogram ? 10 : 8, 1);
    pb_close(out, mark);
    writer->points++;
}

static void write_native(struct writer *writer, struct group *group)
{
    struct layout *layout = writer->layout;
    const struct series *series = member(layout, group, ROLE_NATIVE);
    bool gone = !is_present(layout, group);
    uint64_t time = time_of(layout, group);
    size_t mark;

    if (series == NULL)
        return;
    if (!gone)
        follow_start(group, series->bound, 0, time);
    mark = pb_open(writer->out, 1);
    buffer_append_slice(writer->out, layout_text(layout, group->attributes, group->attributes_size));
    put_times(writer, group, time);
    if (gone)
        pb_put_varint(writer->out, 10, 1);
    else
        buffer_append(writer->out, layout->natives.data + series->native.offset, series->native.size);
    if (!gone)
        write_exemplars(writer, (uint32_t)(group - layout->groups), 11);
    pb_close(writer->out, mark);
    writer->points++;
}

/* ---- families ---- */

/* The field of Metric that holds the family's data. */
static uint32_t data_field(const struct family *family)
{
    if (family->native)
        return 10;
    switch ((enum metric_type)family->type) {
    case METRIC_HISTOGRAM:
        return 9;
    case METRIC_SUMMARY:
        return 11;
    case METRIC_COUNTER:
    case METRIC_INFO:
    case METRIC_STATESET:
        return 7;
    case METRIC_UNKNOWN:
    case METRIC_GAUGE:
    case METRIC_GAUGE_HISTOGRAM:
    case METRIC_TYPE_COUNT:
        break;
    }
    return 5;
}

static void write_group(struct writer *writer, struct group *group, uint32_t field)
{
    bool present = is_present(writer->layout, group), silent = group->timed && !writer->layout->settings->track_timestamps_staleness;
    size_t before = writer->points;

    if (!present && (!group->reported || silent)) { /* nothing to say of it, or it is not for us to say when it ended */
        group->reported = false;
        return;
    }
    if (field == 10)
        write_native(writer, group);
    else if (field == 9 || field == 11)
        write_summed(writer, group);
    else
        write_number(writer, group);
    group->reported = present && writer->points > before;
}

/* "prometheus.type" says what OTLP's kinds do not. */
static void write_description(struct writer *writer)
{
    const struct layout *layout = writer->layout;
    const struct family *family = writer->family;
    struct slice name = layout_text(layout, family->name, family->name_size), unit = SLICE("");
    struct buffer *out = writer->out;

    if (family->metadata != LAYOUT_NONE)
        unit = layout->metadata[family->metadata].unit;
    if (layout->settings->trim_suffixes)
        name = unit_trim_suffixes(name, unit, data_field(family) == 7);
    pb_put_bytes(out, 1, name);
    if (family->metadata != LAYOUT_NONE) {
        struct slice help = layout->metadata[family->metadata].help;

        if (help.size > 0)
            pb_put_bytes(out, 2, help);
        if (unit.size > 0)
            pb_put_bytes(out, 3, unit_to_ucum(unit));
    }
    layout_write_attribute(out, 12, SLICE("prometheus.type"), slice_of_string(metric_type_name((enum metric_type)family->type)));
}

static void write_family(struct writer *writer, const struct family *family)
{
    struct layout *layout = writer->layout;
    struct buffer *out = writer->out;
    uint32_t field = data_field(family);
    size_t start = out->size, points = writer->points, metric, data;

    writer->family = family;
    writer->cumulative = field == 7;
    metric = pb_open(out, 2);
    write_description(writer);
    data = pb_open(out, field);
    for (uint32_t i = family->first; i != LAYOUT_NONE; i = layout->groups[i].next)
        write_group(writer, &layout->groups[i], field);
    if (writer->points == points) {
        out->size = start;
        return;
    }
    if (field == 7 || field == 9 || field == 10)
        pb_put_varint(out, 2, 2); /* cumulative */
    if (field == 7 && family->type == METRIC_COUNTER)
        pb_put_varint(out, 3, 1); /* monotonic */
    pb_close(out, data);
    pb_close(out, metric);
}

/* ---- what weir says itself ---- */

static void write_gauge(struct writer *writer, const char *name, struct slice attributes, const double *value)
{
    size_t metric = pb_open(writer->out, 2), data;

    pb_put_bytes(writer->out, 1, slice_of_string(name));
    layout_write_attribute(writer->out, 12, SLICE("prometheus.type"), SLICE("gauge"));
    data = pb_open(writer->out, 5);
    put_number(writer, attributes, 0, (uint64_t)writer->layout->now_ms * NANOS_PER_MS, value);
    pb_close(writer->out, data);
    pb_close(writer->out, metric);
}

static void write_report(struct writer *writer, const struct layout_report *report)
{
    const struct layout_settings *settings = writer->layout->settings;
    double values[] = { report->up, report->duration_seconds, (double)report->samples, (double)report->kept, (double)report->added };
    static const char *const names[] = { "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
        "scrape_series_added" };
    struct buffer attributes = { .data = NULL };

    for (size_t i = 0; i < settings->target_label_count; i++) {
        struct label label = settings->target_labels[i];

        if (!slice_equal(label.name, SLICE("job")) && !slice_equal(label.name, SLICE("instance")))
            layout_write_attribute(&attributes, 7, label.name, label.value);
    }
    for (size_t i = 0; i < settings->external_label_count; i++)
        layout_write_attribute(&attributes, 7, settings->external_labels[i].name, settings->external_labels[i].value);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        write_gauge(writer, names[i], buffer_slice(&attributes), report->ended ? NULL : &values[i]);
    writer->out->failed = writer->out->failed || attributes.failed;
    buffer_fini(&attributes);
}

/* ---- homes ---- */

static bool is_discernible(struct slice host)
{
    return host.size > 0 && !slice_equal(host, SLICE("localhost")) && !slice_equal(host, SLICE("0.0.0.0")) &&
           !slice_equal(host, SLICE("::")) && !slice_equal(host, SLICE("::1")) && !slice_starts_with(host, SLICE("127."));
}

/* "host:port", "[host]:port", or a host alone. */
static void split_instance(struct slice instance, struct slice *host, struct slice *port)
{
    const uint8_t *colon = instance.size > 0 ? memrchr(instance.data, ':', instance.size) : NULL;

    *host = instance;
    *port = SLICE("");
    if (colon == NULL)
        return;
    *host = slice_of(instance.data, (size_t)(colon - instance.data));
    *port = slice_of(colon + 1, (size_t)(instance.data + instance.size - colon - 1));
    if (host->size >= 2 && host->data[0] == '[' && host->data[host->size - 1] == ']')
        *host = slice_of(host->data + 1, host->size - 2);
    else if (memchr(host->data, ':', host->size) != NULL)
        *host = instance;
}

static void write_resource(struct writer *writer, const struct home *home)
{
    struct buffer *out = writer->out;
    size_t mark = pb_open(out, 1);
    struct slice host, port;

    split_instance(home->instance, &host, &port);
    layout_write_attribute(out, 1, SLICE("service.name"), home->job);
    if (is_discernible(host))
        layout_write_attribute(out, 1, SLICE("server.address"), host);
    layout_write_attribute(out, 1, SLICE("service.instance.id"), home->instance);
    layout_write_attribute(out, 1, SLICE("server.port"), port);
    layout_write_attribute(out, 1, SLICE("url.scheme"), slice_of_string(writer->layout->settings->scheme));
    if (home->information_seen == writer->layout->generation)
        buffer_append_slice(out, home->information);
    pb_close(out, mark);
}

static void write_scope(struct writer *writer, const struct home *home)
{
    size_t mark = pb_open(writer->out, 1);

    if (home->scope.size > 0) {
        buffer_append_slice(writer->out, home->scope);
    } else {
        pb_put_bytes(writer->out, 1, SLICE("weir/receivers/prometheus"));
        pb_put_bytes(writer->out, 2, SLICE(WEIR_VERSION));
    }
    pb_close(writer->out, mark);
}

/* report: not NULL for the target's own home. */
static void write_home(struct writer *writer, const struct home *home, const struct layout_report *report)
{
    struct buffer *out = writer->out;
    size_t start = out->size, points = writer->points, group = pb_open(out, 1), scope;

    write_resource(writer, home);
    scope = pb_open(out, 2);
    write_scope(writer, home);
    for (uint32_t i = home->first; i != LAYOUT_NONE; i = writer->layout->families[i].next)
        write_family(writer, &writer->layout->families[i]);
    if (report != NULL)
        write_report(writer, report);
    if (home->schema_url.size > 0)
        pb_put_bytes(out, 3, home->schema_url);
    pb_close(out, scope);
    pb_close(out, group);
    if (writer->points == points)
        out->size = start;
}

size_t layout_write(struct layout *layout, const struct layout_report *report, struct buffer *out)
{
    struct writer writer = { .layout = layout, .out = out };
    const struct home *own = layout_own_home(layout);

    if (layout->exemplar_count > 1)
        qsort(layout->exemplars, layout->exemplar_count, sizeof(*layout->exemplars), compare_exemplars);
    for (size_t i = 0; i < layout->home_count; i++)
        write_home(&writer, &layout->homes[i], &layout->homes[i] == own ? report : NULL);
    if (layout->types_changed)
        layout_reset(layout);
    else
        layout_compact(layout);
    layout_fit(layout);
    return writer.points;
}
