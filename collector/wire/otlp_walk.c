/*
 * Walking a request: resource groups, scope groups, records, data points; and counting records.
 *
 * A message that should occur once may occur more often in protobuf's bytes, and stands for the merge of all: the walk takes
 * the last occurrence whole. No encoder in use writes such bytes.
 * Cost: a few nanoseconds a field passed over; a scope group's fields are passed over twice, because its schema_url stands
 * behind the records. Threads: none of its own; no state.
 */
#include "collector/wire/otlp.h"

enum { REQUEST_GROUPS = 1 };
enum { GROUP_RESOURCE = 1, GROUP_SCOPE_GROUPS = 2, GROUP_SCHEMA_URL = 3 };
enum { SCOPE_GROUP_SCOPE = 1, SCOPE_GROUP_RECORDS = 2, SCOPE_GROUP_SCHEMA_URL = 3 };
enum { DATA_POINTS = 1 };

/* The next field, when it is a length-delimited one of that number, and not longer than 16 KiB. */
static inline bool next_short_message(struct pb_reader *reader, uint32_t number, struct pb_field *field)
{
    size_t head = 0, size = pb_message_size(reader->at, (size_t)(reader->end - reader->at), &head);

    if (size == 0 || reader->at[0] != (number << 3 | PB_BYTES))
        return false;
    *field =
        (struct pb_field){ .number = number, .type = PB_BYTES, .bytes = { reader->at + head, size - head }, .raw = { reader->at, size } };
    reader->at += size;
    return true;
}

/* The next length-delimited field of that number. */
static bool next_message(struct pb_reader *reader, uint32_t number, struct pb_field *field)
{
    if (next_short_message(reader, number, field))
        return true;
    while (pb_next(reader, field)) {
        if (field->number == number && field->type == PB_BYTES)
            return true;
    }
    return false;
}

struct otlp_groups otlp_groups(struct slice payload)
{
    return (struct otlp_groups){ pb_reader_of(payload) };
}

bool otlp_next_group(struct otlp_groups *groups, struct otlp_group *group)
{
    struct pb_field field;

    if (!next_message(&groups->reader, REQUEST_GROUPS, &field))
        return false;
    *group = (struct otlp_group){ .raw = field.raw, .body = field.bytes };
    struct pb_reader reader = pb_reader_of(group->body);
    while (pb_next(&reader, &field)) {
        if (field.number == GROUP_RESOURCE)
            group->resource = field.bytes;
        else if (field.number == GROUP_SCHEMA_URL)
            group->schema_url = field.bytes;
    }
    return true;
}

struct otlp_scope_groups otlp_scope_groups(const struct otlp_group *group)
{
    return (struct otlp_scope_groups){ pb_reader_of(group->body) };
}

bool otlp_next_scope_group(struct otlp_scope_groups *scope_groups, struct otlp_scope_group *scope_group)
{
    struct pb_field field;

    if (!next_message(&scope_groups->reader, GROUP_SCOPE_GROUPS, &field))
        return false;
    *scope_group = (struct otlp_scope_group){ .raw = field.raw, .body = field.bytes };
    struct pb_reader reader = pb_reader_of(scope_group->body);
    for (;;) {
        if (next_short_message(&reader, SCOPE_GROUP_RECORDS, &field))
            continue;
        if (!pb_next(&reader, &field))
            return true;
        if (field.number == SCOPE_GROUP_SCOPE)
            scope_group->scope = field.bytes;
        else if (field.number == SCOPE_GROUP_SCHEMA_URL)
            scope_group->schema_url = field.bytes;
    }
}

struct otlp_records otlp_records(const struct otlp_scope_group *scope_group)
{
    return (struct otlp_records){ pb_reader_of(scope_group->body) };
}

bool otlp_next_record(struct otlp_records *records, struct otlp_record *record)
{
    const uint8_t *at = records->reader.at;
    size_t head = 0, size = pb_message_size(at, (size_t)(records->reader.end - at), &head);
    struct pb_field field;

    if (size > 0 && at[0] == (SCOPE_GROUP_RECORDS << 3 | PB_BYTES)) { /* as next_message, without a field between */
        record->raw = (struct slice){ at, size };
        record->body = (struct slice){ at + head, size - head };
        records->reader.at = at + size;
        return true;
    }
    if (!next_message(&records->reader, SCOPE_GROUP_RECORDS, &field))
        return false;
    record->raw = field.raw;
    record->body = field.bytes;
    return true;
}

struct otlp_walk otlp_walk(struct slice payload)
{
    return (struct otlp_walk){ .groups_ = otlp_groups(payload) };
}

bool otlp_walk_next(struct otlp_walk *walk)
{
    /* Inner cursors start out zeroed, and so at their end. */
    while (!otlp_next_record(&walk->records_, &walk->record)) {
        while (!otlp_next_scope_group(&walk->scope_groups_, &walk->scope_group)) {
            if (!otlp_next_group(&walk->groups_, &walk->group))
                return false;
            walk->scope_groups_ = otlp_scope_groups(&walk->group);
        }
        walk->records_ = otlp_records(&walk->scope_group);
    }
    return true;
}

static size_t count_fields(struct slice message, uint32_t number)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;
    size_t count = 0;

    while (next_message(&reader, number, &field))
        count++;
    return count;
}

static bool is_metric_data(uint32_t number)
{
    return number == OTLP_GAUGE || number == OTLP_SUM || number == OTLP_HISTOGRAM || number == OTLP_EXPONENTIAL_HISTOGRAM ||
           number == OTLP_SUMMARY;
}

static size_t count_points(struct slice metric)
{
    struct pb_reader reader = pb_reader_of(metric);
    struct pb_field field;
    size_t count = 0;

    while (pb_next(&reader, &field)) {
        if (is_metric_data(field.number))
            count += count_fields(field.bytes, DATA_POINTS);
    }
    return count;
}

static size_t count_scope_group(enum signal signal, struct slice scope_group)
{
    struct pb_reader reader = pb_reader_of(scope_group);
    struct pb_field field;
    size_t count = 0;

    if (signal != SIGNAL_METRICS)
        return count_fields(scope_group, SCOPE_GROUP_RECORDS);
    while (next_message(&reader, SCOPE_GROUP_RECORDS, &field))
        count += count_points(field.bytes);
    return count;
}

size_t otlp_count(enum signal signal, struct slice payload)
{
    struct pb_reader groups = pb_reader_of(payload);
    struct pb_field group, scope_group;
    size_t count = 0;

    while (next_message(&groups, REQUEST_GROUPS, &group)) {
        struct pb_reader scope_groups = pb_reader_of(group.bytes);
        while (next_message(&scope_groups, GROUP_SCOPE_GROUPS, &scope_group))
            count += count_scope_group(signal, scope_group.bytes);
    }
    return count;
}
