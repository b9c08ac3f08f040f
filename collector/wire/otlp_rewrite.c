/*
 * Rewriting a request: the walk, and a writer that lags behind it.
 *
 * The writer knows up to where the input has been copied, and copies on when something before the next change has to be there. A group
 * is opened in the output when something in it is changed; the room for its length is that of the length it had, so that its content
 * seldom has to be moved when the length that it has become is known.
 * Cost without a change: the walk. With one: each byte is copied once. Threads: none of its own.
 */
#include "collector/wire/otlp_rewrite.h"

#include <assert.h>

enum { PAYLOAD, GROUP, SCOPE_GROUP };
enum { GROUPS = 1, SCOPE_GROUPS = 2, SCHEMA_URL = 3, POINTS = 1 };
enum { TAG_SIZE = 1 };

static const uint8_t *end_of(struct slice bytes)
{
    return bytes.data + bytes.size;
}

/* ---- levels ---- */

static void copy_up_to(struct otlp_rewrite *rewrite, struct otlp_rewrite_level *level, const uint8_t *to)
{
    struct slice part = { level->at, (size_t)(to - level->at) };
    struct pb_reader reader = pb_reader_of(part);
    struct pb_field field;

    if (to <= level->at)
        return;
    level->at = to;
    if (level->replaced == 0) {
        buffer_append_slice(rewrite->out, part);
        return;
    }
    while (pb_next(&reader, &field)) {
        if (field.number >= 32 || (level->replaced >> field.number & 1) == 0)
            buffer_append_slice(rewrite->out, field.raw);
    }
}

static void open_level(struct otlp_rewrite *rewrite, struct otlp_rewrite_level *level, uint32_t number, struct slice body)
{
    struct buffer *out = rewrite->out;

    *level = (struct otlp_rewrite_level){ .open = true, .head = (uint8_t)pb_varint_size(body.size), .start = out->size, .at = body.data };
    pb_put_tag(out, number, PB_BYTES);
    if (buffer_reserve(out, level->head))
        out->size += level->head;
}

static void close_level(struct otlp_rewrite *rewrite, struct otlp_rewrite_level *level)
{
    struct buffer *out = rewrite->out;
    size_t before = level->start + TAG_SIZE + level->head, size = out->size - before;
    size_t head = pb_varint_size(size);

    level->open = false;
    if (out->failed || !buffer_reserve(out, head))
        return;
    if (head != level->head)
        memmove(out->data + level->start + TAG_SIZE + head, out->data + before, size);
    pb_encode_varint(out->data + level->start + TAG_SIZE, size);
    out->size = level->start + TAG_SIZE + head + size;
}

static struct otlp_rewrite_level *open_group(struct otlp_rewrite *rewrite)
{
    struct otlp_rewrite_level *group = &rewrite->levels[GROUP];

    assert(rewrite->in_group);
    rewrite->changed = true;
    if (!group->open) {
        copy_up_to(rewrite, &rewrite->levels[PAYLOAD], rewrite->group.raw.data);
        open_level(rewrite, group, GROUPS, rewrite->group.body);
    }
    return group;
}

static struct otlp_rewrite_level *open_scope_group(struct otlp_rewrite *rewrite)
{
    struct otlp_rewrite_level *scope = &rewrite->levels[SCOPE_GROUP];

    assert(rewrite->in_scope);
    if (!scope->open) {
        copy_up_to(rewrite, open_group(rewrite), rewrite->scope_group.raw.data);
        open_level(rewrite, scope, SCOPE_GROUPS, rewrite->scope_group.body);
    }
    return scope;
}

static void leave_scope_group(struct otlp_rewrite *rewrite)
{
    struct otlp_rewrite_level *scope = &rewrite->levels[SCOPE_GROUP];
    bool emptied = rewrite->records_dropped > 0 && rewrite->records_dropped == rewrite->records_seen;

    if (!rewrite->in_scope)
        return;
    rewrite->in_scope = false;
    rewrite->scopes_kept += !emptied;
    rewrite->scopes_emptied += emptied;
    if (!scope->open)
        return;
    if (emptied) {
        rewrite->out->size = scope->start;
        scope->open = false;
    } else {
        copy_up_to(rewrite, scope, end_of(rewrite->scope_group.body));
        close_level(rewrite, scope);
    }
    rewrite->levels[GROUP].at = end_of(rewrite->scope_group.raw);
}

static void leave_group(struct otlp_rewrite *rewrite)
{
    struct otlp_rewrite_level *group = &rewrite->levels[GROUP];

    leave_scope_group(rewrite);
    if (!rewrite->in_group)
        return;
    rewrite->in_group = false;
    if (!group->open)
        return;
    if (rewrite->scopes_emptied > 0 && rewrite->scopes_kept == 0) {
        rewrite->out->size = group->start;
        group->open = false;
    } else {
        copy_up_to(rewrite, group, end_of(rewrite->group.body));
        close_level(rewrite, group);
    }
    rewrite->levels[PAYLOAD].at = end_of(rewrite->group.raw);
}

/* ---- the walk ---- */

void otlp_rewrite_begin(struct otlp_rewrite *rewrite, struct slice payload, struct buffer *out)
{
    *rewrite = (struct otlp_rewrite){ .out = out, .payload = payload, .groups = otlp_groups(payload) };
    rewrite->levels[PAYLOAD].at = payload.data;
}

bool otlp_rewrite_next_group(struct otlp_rewrite *rewrite)
{
    leave_group(rewrite);
    if (!otlp_next_group(&rewrite->groups, &rewrite->group))
        return false;
    rewrite->in_group = true;
    rewrite->scopes_kept = rewrite->scopes_emptied = 0;
    rewrite->scope_groups = otlp_scope_groups(&rewrite->group);
    return true;
}

bool otlp_rewrite_next_scope_group(struct otlp_rewrite *rewrite)
{
    leave_scope_group(rewrite);
    if (!rewrite->in_group || !otlp_next_scope_group(&rewrite->scope_groups, &rewrite->scope_group))
        return false;
    rewrite->in_scope = true;
    rewrite->records_seen = rewrite->records_dropped = 0;
    rewrite->records = otlp_records(&rewrite->scope_group);
    return true;
}

bool otlp_rewrite_next_record(struct otlp_rewrite *rewrite)
{
    if (!rewrite->in_scope || !otlp_next_record(&rewrite->records, &rewrite->record))
        return false;
    rewrite->records_seen++;
    return true;
}

bool otlp_rewrite_next(struct otlp_rewrite *rewrite)
{
    while (!otlp_rewrite_next_record(rewrite)) {
        while (!otlp_rewrite_next_scope_group(rewrite)) {
            if (!otlp_rewrite_next_group(rewrite))
                return false;
        }
    }
    return true;
}

bool otlp_rewrite_end(struct otlp_rewrite *rewrite)
{
    leave_group(rewrite);
    if (rewrite->changed && rewrite->payload.size > 0)
        copy_up_to(rewrite, &rewrite->levels[PAYLOAD], end_of(rewrite->payload));
    return rewrite->changed;
}

/* ---- changes ---- */

struct buffer *otlp_rewrite_replace_resource(struct otlp_rewrite *rewrite)
{
    struct otlp_rewrite_level *group = open_group(rewrite);

    assert(group->at == rewrite->group.body.data);
    group->replaced |= 1u << OTLP_RESOURCE_FIELD;
    return rewrite->out;
}

void otlp_rewrite_set_resource(struct otlp_rewrite *rewrite, const struct edit *resource)
{
    edit_write(resource, OTLP_RESOURCE_FIELD, otlp_rewrite_replace_resource(rewrite));
}

void otlp_rewrite_set_group_schema(struct otlp_rewrite *rewrite, struct slice schema_url)
{
    struct otlp_rewrite_level *group = open_group(rewrite);

    assert(group->at == rewrite->group.body.data);
    pb_put_bytes(rewrite->out, SCHEMA_URL, schema_url);
    group->replaced |= 1u << SCHEMA_URL;
}

void otlp_rewrite_set_scope_schema(struct otlp_rewrite *rewrite, struct slice schema_url)
{
    struct otlp_rewrite_level *scope = open_scope_group(rewrite);

    assert(scope->at == rewrite->scope_group.body.data);
    pb_put_bytes(rewrite->out, SCHEMA_URL, schema_url);
    scope->replaced |= 1u << SCHEMA_URL;
}

struct buffer *otlp_rewrite_replace_record(struct otlp_rewrite *rewrite)
{
    struct otlp_rewrite_level *scope = open_scope_group(rewrite);

    copy_up_to(rewrite, scope, rewrite->record.raw.data);
    scope->at = end_of(rewrite->record.raw);
    return rewrite->out;
}

void otlp_rewrite_drop_record(struct otlp_rewrite *rewrite)
{
    otlp_rewrite_replace_record(rewrite);
    rewrite->records_dropped++;
    rewrite->dropped++;
}

void otlp_rewrite_set_record(struct otlp_rewrite *rewrite, const struct edit *record)
{
    edit_write(record, OTLP_RECORDS_FIELD, otlp_rewrite_replace_record(rewrite));
}

/* ---- data points ---- */

/* 0 when the field of a metric does not hold data points. */
static uint32_t point_attributes(const struct pb_field *field)
{
    if (field->type != PB_BYTES)
        return 0;
    switch (field->number) {
    case OTLP_GAUGE:
    case OTLP_SUM:
        return OTLP_ATTRIBUTES_OF_NUMBER_POINT;
    case OTLP_HISTOGRAM:
        return OTLP_ATTRIBUTES_OF_HISTOGRAM_POINT;
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return OTLP_ATTRIBUTES_OF_EXPONENTIAL_POINT;
    case OTLP_SUMMARY:
        return OTLP_ATTRIBUTES_OF_SUMMARY_POINT;
    default:
        return 0;
    }
}

bool otlp_rewrite_points(struct slice metric, otlp_point_visit visit, void *context, struct buffer *out)
{
    struct pb_reader reader = pb_reader_of(metric);
    struct pb_field data, field;
    size_t start = out->size;
    bool changed = false;

    while (pb_next(&reader, &data)) {
        uint32_t attributes = point_attributes(&data);
        if (attributes == 0) {
            buffer_append_slice(out, data.raw);
            continue;
        }
        struct pb_reader points = pb_reader_of(data.bytes);
        size_t mark = pb_open(out, data.number);
        while (pb_next(&points, &field)) {
            bool is_point = field.number == POINTS && field.type == PB_BYTES;
            if (is_point && visit(context, field.bytes, attributes, out))
                changed = true;
            else
                buffer_append_slice(out, field.raw);
        }
        pb_close(out, mark);
    }
    if (!changed)
        out->size = start;
    return changed;
}
