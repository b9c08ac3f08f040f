/*
 * New series: labels of the target, relabelling, limits; then into a home, a family, a group. Cost: one to two microseconds, once for each
 * series that comes.
 */
#include <math.h>
#include <stdlib.h>

#include "collector/base/hash.h"
#include "collector/wire/protobuf.h"
#include "collector/wire/utf8.h"
#include "receivers/prometheus/layout.h"

#define METRIC_NAME SLICE("__name__")

/* A sample on its way into the layout. */
struct newcomer {
    struct layout *layout;
    struct labels *labels;
    struct slice metric;
    struct slice suffix; /* of the metric's name, behind the family's */
    bool native;
    enum metric_type type;
    uint32_t metadata;
    enum series_role role;
    double bound;
};

/* ---- labels ---- */

static bool has(const struct labels *labels, struct slice name)
{
    return labels_get(labels, name).size > 0;
}

/* "exported_" before the name, as often as it takes. */
static struct slice exported_name(struct labels *labels, const struct layout_settings *settings, struct slice name)
{
    bool taken = true;

    while (taken) {
        uint8_t *room = labels_room(labels, name.size + 9);

        if (room == NULL)
            return name;
        memcpy(room, "exported_", 9);
        memcpy(room + 9, name.data, name.size);
        name = slice_of(room, name.size + 9);
        taken = has(labels, name);
        for (size_t i = 0; i < settings->target_label_count; i++)
            taken = taken || slice_equal(settings->target_labels[i].name, name);
    }
    return name;
}

static void add_target_labels(const struct layout_settings *settings, struct labels *labels)
{
    for (size_t i = 0; i < settings->target_label_count; i++) {
        struct label label = settings->target_labels[i];
        struct slice own = labels_get(labels, label.name);

        if (settings->honor_labels) {
            if (own.data == NULL)
                labels_add(labels, label.name, label.value);
            continue;
        }
        if (own.size > 0) {
            struct slice moved = exported_name(labels, settings, label.name);
            labels_set(labels, moved, own);
        }
        labels_set(labels, label.name, label.value);
    }
}

static void drop_empty(struct labels *labels)
{
    size_t kept = 0;

    for (size_t i = 0; i < labels->count; i++)
        if (labels->items[i].value.size > 0)
            labels->items[kept++] = labels->items[i];
    labels->count = kept;
}

static bool check_limits(const struct layout_settings *settings, const struct labels *labels, struct slice metric, struct error *err)
{
    if (settings->label_limit > 0 && labels->count > (uint64_t)settings->label_limit)
        return fail(err, "label_limit exceeded: %zu labels of \"%.*s\", %lld are allowed", labels->count, SLICE_PRINT(metric),
            (long long)settings->label_limit);
    for (size_t i = 0; i < labels->count; i++) {
        struct label label = labels->items[i];

        if (settings->label_name_length_limit > 0 && label.name.size > (uint64_t)settings->label_name_length_limit)
            return fail(err, "label_name_length_limit exceeded: %zu bytes of label \"%.*s\" of \"%.*s\"", label.name.size,
                (int)(label.name.size < 50 ? label.name.size : 50), (const char *)label.name.data, SLICE_PRINT(metric));
        if (settings->label_value_length_limit > 0 && label.value.size > (uint64_t)settings->label_value_length_limit)
            return fail(err, "label_value_length_limit exceeded: %zu bytes of label \"%.*s\" of \"%.*s\"", label.value.size,
                SLICE_PRINT(label.name), SLICE_PRINT(metric));
    }
    return true;
}

static bool check_names(const struct layout_settings *settings, const struct labels *labels, struct slice metric, struct error *err)
{
    struct slice twice = labels_duplicate(labels);

    if (metric.size == 0)
        return fail(err, "a sample without a metric name");
    if (twice.data != NULL)
        return fail(err, "the label \"%.*s\" of \"%.*s\" is there twice", SLICE_PRINT(twice), SLICE_PRINT(metric));
    for (size_t i = 0; i < labels->count; i++) {
        struct label label = labels->items[i];

        if (!utf8_is_valid(label.name) || !utf8_is_valid(label.value) || label.name.size == 0)
            return fail(err, "a label of \"%.*s\" is not UTF-8", SLICE_PRINT(metric));
        if (settings->legacy_names && !label_name_is_legacy(label.name, false))
            return fail(err, "\"%.*s\" is no label name", SLICE_PRINT(label.name));
    }
    if (settings->legacy_names && !label_name_is_legacy(metric, true))
        return fail(err, "\"%.*s\" is no metric name", SLICE_PRINT(metric));
    return true;
}

/* ---- homes ---- */

static bool dup_slice(struct slice text, struct slice *copy)
{
    uint8_t *bytes = malloc(text.size + 1);

    if (bytes == NULL)
        return false;
    if (text.size > 0)
        memcpy(bytes, text.data, text.size);
    *copy = slice_of(bytes, text.size);
    return true;
}

static uint32_t home_of(struct layout *layout, const struct home *wanted)
{
    struct home *home;

    for (size_t i = layout->home_count; i-- > 0;) {
        home = &layout->homes[i];
        if (slice_equal(home->job, wanted->job) && slice_equal(home->instance, wanted->instance) &&
            slice_equal(home->scope, wanted->scope) && slice_equal(home->schema_url, wanted->schema_url))
            return (uint32_t)i;
    }
    home = layout_grow((void **)&layout->homes, &layout->home_count, &layout->home_capacity, sizeof(*home));
    if (home == NULL) {
        layout->failed = true;
        return LAYOUT_NONE;
    }
    *home = (struct home){ .first = LAYOUT_NONE, .last = LAYOUT_NONE };
    if (!dup_slice(wanted->job, &home->job) || !dup_slice(wanted->instance, &home->instance) || !dup_slice(wanted->scope, &home->scope) ||
        !dup_slice(wanted->schema_url, &home->schema_url))
        layout->failed = true;
    return (uint32_t)(layout->home_count - 1);
}

static struct slice target_label(const struct layout_settings *settings, struct slice name)
{
    for (size_t i = 0; i < settings->target_label_count; i++)
        if (slice_equal(settings->target_labels[i].name, name))
            return settings->target_labels[i].value;
    return SLICE("");
}

struct home *layout_own_home(struct layout *layout)
{
    struct home own = { .job = target_label(layout->settings, SLICE("job")),
        .instance = target_label(layout->settings, SLICE("instance")) };
    uint32_t number = home_of(layout, &own);

    return number != LAYOUT_NONE ? &layout->homes[number] : NULL;
}

/* The scope that labels otel_scope_* describe; empty when there are none. */
static void write_scope(const struct labels *labels, struct buffer *out)
{
    static const struct slice prefix = SLICE_INIT("otel_scope_");
    struct slice name = labels_get(labels, SLICE("otel_scope_name")), version = labels_get(labels, SLICE("otel_scope_version"));

    if (name.size > 0)
        pb_put_bytes(out, 1, name);
    if (version.size > 0)
        pb_put_bytes(out, 2, version);
    for (size_t i = 0; i < labels->count; i++) {
        struct label label = labels->items[i];
        bool own = slice_equal(label.name, SLICE("otel_scope_name")) || slice_equal(label.name, SLICE("otel_scope_version")) ||
                   slice_equal(label.name, SLICE("otel_scope_schema_url"));

        if (!own && label.name.size > prefix.size && slice_starts_with(label.name, prefix))
            layout_write_attribute(out, 3, slice_of(label.name.data + prefix.size, label.name.size - prefix.size), label.value);
    }
}

static uint32_t find_home(struct layout *layout, const struct labels *labels)
{
    struct buffer scope = { .data = NULL };
    struct home wanted = { .job = labels_get(labels, SLICE("job")), .instance = labels_get(labels, SLICE("instance")) };
    uint32_t number;

    if (wanted.job.size == 0)
        wanted.job = target_label(layout->settings, SLICE("job"));
    if (wanted.instance.size == 0)
        wanted.instance = target_label(layout->settings, SLICE("instance"));
    write_scope(labels, &scope);
    wanted.scope = buffer_slice(&scope);
    wanted.schema_url = labels_get(labels, SLICE("otel_scope_schema_url"));
    number = home_of(layout, &wanted);
    layout->failed = layout->failed || scope.failed;
    buffer_fini(&scope);
    return number;
}

/* ---- families ---- */

static bool ends_with(struct slice text, struct slice suffix)
{
    return text.size > suffix.size && memcmp(text.data + text.size - suffix.size, suffix.data, suffix.size) == 0;
}

/* Does a family of that type have samples with that suffix? */
static bool fits(enum metric_type type, struct slice suffix)
{
    bool created = slice_equal(suffix, SLICE("_created")), sum = slice_equal(suffix, SLICE("_sum")),
         count = slice_equal(suffix, SLICE("_count"));

    switch (type) {
    case METRIC_HISTOGRAM:
        return created || sum || count || slice_equal(suffix, SLICE("_bucket"));
    case METRIC_SUMMARY:
        return created || sum || count;
    case METRIC_COUNTER:
        return created || slice_equal(suffix, SLICE("_total"));
    case METRIC_INFO:
        return slice_equal(suffix, SLICE("_info"));
    case METRIC_GAUGE_HISTOGRAM:
        return slice_equal(suffix, SLICE("_bucket")) || slice_equal(suffix, SLICE("_gsum")) || slice_equal(suffix, SLICE("_gcount"));
    case METRIC_UNKNOWN:
    case METRIC_GAUGE:
    case METRIC_STATESET:
    case METRIC_TYPE_COUNT:
        break;
    }
    return false;
}

/* Which family the metric's name stands for: that of the whole name, or of the name without a suffix that its type has. */
static void find_type(struct newcomer *new)
{
    static const struct slice suffixes[] = { SLICE_INIT("_bucket"), SLICE_INIT("_count"), SLICE_INIT("_sum"), SLICE_INIT("_total"),
        SLICE_INIT("_created"), SLICE_INIT("_info"), SLICE_INIT("_gsum"), SLICE_INIT("_gcount") };
    struct layout *layout = new->layout;

    new->type = METRIC_UNKNOWN;
    new->metadata = layout_find_metadata(layout, new->metric);
    if (new->metadata != LAYOUT_NONE && layout->metadata[new->metadata].typed) {
        new->type = (enum metric_type)layout->metadata[new->metadata].type;
        return;
    }
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        struct slice stem = new->metric;
        uint32_t number;

        if (!ends_with(new->metric, suffixes[i]))
            continue;
        stem.size -= suffixes[i].size;
        number = layout_find_metadata(layout, stem);
        if (number != LAYOUT_NONE && fits((enum metric_type)layout->metadata[number].type, suffixes[i])) {
            new->metadata = number;
            new->type = (enum metric_type)layout->metadata[number].type;
            new->suffix = slice_of(stem.data + stem.size, suffixes[i].size);
            return;
        }
    }
}

/* le and quantile: false when there is none, or it is no number. */
static bool read_bound(struct newcomer *new, struct slice label)
{
    struct slice text = labels_get(new->labels, label);

    return text.size > 0 && number_parse(text, &new->bound) && !isnan(new->bound);
}

static void find_role(struct newcomer *new)
{
    bool is_histogram = new->type == METRIC_HISTOGRAM, is_summary = new->type == METRIC_SUMMARY;

    new->role = ROLE_VALUE;
    if (new->native)
        new->role = ROLE_NATIVE;
    else if (slice_equal(new->metric, SLICE("target_info")))
        new->role = ROLE_INFO;
    else if (slice_equal(new->suffix, SLICE("_created")))
        new->role = ROLE_CREATED;
    else if ((is_histogram || is_summary) && slice_equal(new->suffix, SLICE("_sum")))
        new->role = ROLE_SUM;
    else if ((is_histogram || is_summary) && slice_equal(new->suffix, SLICE("_count")))
        new->role = ROLE_COUNT;
    else if (is_histogram)
        new->role = new->suffix.size > 0 && read_bound(new, SLICE("le")) ? ROLE_BUCKET : ROLE_MALFORMED;
    else if (is_summary)
        new->role = read_bound(new, SLICE("quantile")) ? ROLE_BUCKET : ROLE_MALFORMED;
}

/* The family's name is the metric's; merged ones go without the suffix. A counter's _created belongs to its _total. */
static struct slice family_name(const struct newcomer *new)
{
    struct slice stem = slice_of(new->metric.data, new->metric.size - new->suffix.size), name;

    if (new->type == METRIC_HISTOGRAM || new->type == METRIC_SUMMARY)
        return stem;
    if (new->role != ROLE_CREATED)
        return new->metric;
    name = slice_of(labels_room(new->labels, stem.size + 6), stem.size + 6);
    if (name.data == NULL)
        return stem;
    memcpy((uint8_t *)(uintptr_t)name.data, stem.data, stem.size);
    memcpy((uint8_t *)(uintptr_t)name.data + stem.size, "_total", 6);
    return name;
}

static struct slice name_of(const struct layout *layout, const struct family *family)
{
    return layout_text(layout, family->name, family->name_size);
}

bool layout_has_family(const struct layout *layout, struct slice name)
{
    uint32_t number;
    size_t cursor = 0;

    while (table_next(&layout->family_table, (uint32_t)hash_bytes(name), &cursor, &number))
        if (slice_equal(name_of(layout, &layout->families[number]), name))
            return true;
    return false;
}

static uint32_t keep_text(struct layout *layout, struct slice text)
{
    uint32_t offset = (uint32_t)layout->texts.size;

    if (layout->texts.size + text.size >= LAYOUT_NONE)
        layout->failed = true;
    else
        buffer_append_slice(&layout->texts, text);
    layout->failed = layout->failed || layout->texts.failed;
    return offset;
}

static uint32_t add_family(struct layout *layout, const struct newcomer *new, uint32_t home, struct slice name)
{
    struct family *family = layout_grow((void **)&layout->families, &layout->family_count, &layout->family_capacity, sizeof(*family));
    uint32_t number = (uint32_t)(layout->family_count - 1);

    if (family == NULL || !table_add(&layout->family_table, (uint32_t)hash_bytes(name), number)) {
        layout->family_count -= family != NULL;
        layout->failed = true;
        return LAYOUT_NONE;
    }
    *family = (struct family){ keep_text(layout, name), (uint32_t)name.size, home, LAYOUT_NONE, new->metadata, LAYOUT_NONE, LAYOUT_NONE,
        (uint8_t) new->type, new->native };
    if (layout->homes[home].last != LAYOUT_NONE)
        layout->families[layout->homes[home].last].next = number;
    else
        layout->homes[home].first = number;
    layout->homes[home].last = number;
    return number;
}

static uint32_t find_family(const struct newcomer *new, uint32_t home)
{
    struct layout *layout = new->layout;
    struct slice name = family_name(new);
    uint32_t number;
    size_t cursor = 0;

    while (table_next(&layout->family_table, (uint32_t)hash_bytes(name), &cursor, &number)) {
        const struct family *family = &layout->families[number];

        if (family->home == home && family->native == new->native &&
            family->type == (uint8_t) new->type &&slice_equal(name_of(layout, family), name))
            return number;
    }
    return add_family(layout, new, home, name);
}

/* ---- groups ---- */

void layout_write_attribute(struct buffer *out, uint32_t field, struct slice name, struct slice value)
{
    size_t text = 1 + pb_varint_size(value.size) + value.size;
    size_t size = 1 + pb_varint_size(name.size) + name.size + 1 + pb_varint_size(text) + text;

    pb_put_tag(out, field, PB_BYTES);
    pb_put_raw_varint(out, size);
    pb_put_bytes(out, 1, name);
    pb_put_tag(out, 2, PB_BYTES);
    pb_put_raw_varint(out, text);
    pb_put_bytes(out, 1, value);
}

/* Where a data point of the kind has its attributes. */
static uint32_t attributes_field(const struct newcomer *new)
{
    return new->native ? 1 : new->type == METRIC_HISTOGRAM ? 9 : 7;
}

static void write_attributes(const struct newcomer *new, struct buffer *out)
{
    for (size_t i = 0; i < new->labels->count; i++) {
        struct label label = new->labels->items[i];
        bool own = slice_equal(label.name, METRIC_NAME) || slice_equal(label.name, SLICE("job")) ||
                   slice_equal(label.name, SLICE("instance")) || (new->type == METRIC_HISTOGRAM &&slice_equal(label.name, SLICE("le"))) ||
                   (new->type == METRIC_SUMMARY &&slice_equal(label.name, SLICE("quantile"))) ||
                   slice_starts_with(label.name, SLICE("otel_scope_"));

        if (!own)
            layout_write_attribute(out, attributes_field(new), label.name, label.value);
    }
}

static uint32_t find_group(struct layout *layout, uint32_t family, struct slice attributes)
{
    uint32_t hash = (uint32_t)hash_combine(hash_bytes(attributes), family), number;
    struct family *owner = &layout->families[family];
    struct group *group;
    size_t cursor = 0;

    while (table_next(&layout->group_table, hash, &cursor, &number)) {
        group = &layout->groups[number];
        if (group->family == family && slice_equal(layout_text(layout, group->attributes, group->attributes_size), attributes))
            return number;
    }
    group = layout_grow((void **)&layout->groups, &layout->group_count, &layout->group_capacity, sizeof(*group));
    number = (uint32_t)(layout->group_count - 1);
    if (group == NULL || !table_add(&layout->group_table, hash, number)) {
        layout->group_count -= group != NULL;
        layout->failed = true;
        return LAYOUT_NONE;
    }
    *group = (struct group){ .family = family, .first = LAYOUT_NONE, .next = LAYOUT_NONE, .attributes_size = (uint32_t)attributes.size };
    group->attributes = keep_text(layout, attributes);
    if (owner->last != LAYOUT_NONE)
        layout->groups[owner->last].next = number;
    else
        owner->first = number;
    owner->last = number;
    return number;
}

/* target_info's labels become attributes of the resource. */
static void take_information(const struct newcomer *new, uint32_t home)
{
    struct buffer out = { .data = NULL };
    struct slice kept;

    for (size_t i = 0; i < new->labels->count; i++) {
        struct label label = new->labels->items[i];

        if (!slice_equal(label.name, METRIC_NAME) && !slice_equal(label.name, SLICE("job")) && !slice_equal(label.name, SLICE("instance")))
            layout_write_attribute(&out, 1, label.name, label.value);
    }
    if (!out.failed && dup_slice(buffer_slice(&out), &kept)) {
        free((void *)(uintptr_t) new->layout->homes[home].information.data);
        new->layout->homes[home].information = kept;
    }
    buffer_fini(&out);
}

/* ---- series ---- */

static uint32_t add_series(struct layout *layout, struct slice key, const struct series *series)
{
    struct series *place = layout_grow((void **)&layout->series, &layout->series_count, &layout->series_capacity, sizeof(*place));
    uint32_t number = (uint32_t)(layout->series_count - 1);

    if (place == NULL || !table_add(&layout->series_table, (uint32_t)hash_bytes(key), number)) {
        layout->series_count -= place != NULL;
        layout->failed = true;
        return LAYOUT_NONE;
    }
    *place = *series;
    place->key_offset = keep_text(layout, key);
    place->key_size = (uint32_t)key.size;
    place->sibling = LAYOUT_NONE;
    place->follower = layout->hint;
    if (layout->last != LAYOUT_NONE)
        layout->series[layout->last].follower = number;
    else
        layout->first = number;
    layout->last = number;
    return number;
}

/* Into the group's list, which is in the order of roles and bounds. */
static void link_series(struct layout *layout, uint32_t number)
{
    struct series *series = &layout->series[number];
    uint32_t *link = &layout->groups[series->group].first;

    while (*link != LAYOUT_NONE && (layout->series[*link].role < series->role ||
                                       (layout->series[*link].role == series->role && layout->series[*link].bound <= series->bound)))
        link = &layout->series[*link].sibling;
    series->sibling = *link;
    *link = number;
}

static uint32_t place_series(struct newcomer *new, struct slice key)
{
    struct layout *layout = new->layout;
    struct series series = { .group = LAYOUT_NONE, .bound = new->bound };
    struct buffer attributes = { .data = NULL };
    uint32_t home = find_home(layout, new->labels), family, number;

    if (home == LAYOUT_NONE)
        return LAYOUT_NONE;
    find_type(new);
    if (new->native)
        new->type = METRIC_HISTOGRAM;
    find_role(new);
    series.role = (uint8_t) new->role;
    series.bound = new->bound;
    if (new->role == ROLE_MALFORMED)
        return add_series(layout, key, &series);
    if (new->role == ROLE_INFO) {
        take_information(new, home);
        series.group = home;
        return add_series(layout, key, &series);
    }
    family = find_family(new, home);
    if (family == LAYOUT_NONE)
        return LAYOUT_NONE;
    write_attributes(new, &attributes);
    series.group = attributes.failed ? LAYOUT_NONE : find_group(layout, family, buffer_slice(&attributes));
    buffer_fini(&attributes);
    if (series.group == LAYOUT_NONE)
        return LAYOUT_NONE;
    number = add_series(layout, key, &series);
    if (number != LAYOUT_NONE)
        link_series(layout, number);
    return number;
}

static uint32_t add(struct newcomer *new, struct slice key, struct ottl_matcher *matcher, struct error *err)
{
    struct layout *layout = new->layout;
    const struct layout_settings *settings = layout->settings;
    uint32_t number;

    add_target_labels(settings, new->labels);
    if (!relabel_apply(settings->metric_rules, matcher, new->labels)) {
        struct series dropped = { .group = LAYOUT_NONE, .role = ROLE_DROPPED };
        number = add_series(layout, key, &dropped);
    } else {
        drop_empty(new->labels);
        for (size_t i = 0; i < settings->external_label_count; i++)
            labels_set(new->labels, settings->external_labels[i].name, settings->external_labels[i].value);
        labels_sort(new->labels);
        new->metric = labels_get(new->labels, METRIC_NAME);
        if (!check_names(settings, new->labels, new->metric, err) || !check_limits(settings, new->labels, new->metric, err))
            return LAYOUT_NONE;
        number = place_series(new, key);
    }
    if (layout->failed || new->labels->failed) {
        layout->failed = true;
        fail(err, "out of memory");
        return LAYOUT_NONE;
    }
    return number;
}

uint32_t layout_add(struct layout *layout, struct slice key, struct labels *labels, struct ottl_matcher *matcher, struct error *err)
{
    struct newcomer new = { .layout = layout, .labels = labels };

    return add(&new, key, matcher, err);
}

uint32_t layout_add_native(struct layout *layout, struct slice key, struct labels *labels, struct ottl_matcher *matcher, struct error *err)
{
    struct newcomer new = { .layout = layout, .labels = labels, .native = true };

    return add(&new, key, matcher, err);
}
