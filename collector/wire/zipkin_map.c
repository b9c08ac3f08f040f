/*
 * A Zipkin span to an OTLP span: what both versions share, the groups, and the parts of version 2 that are not in zipkin_map_parts.c.
 *
 * The contents of Resource and InstrumentationScope are made anew for each span and compared with those of the group that is open: a span
 * opens a group of its own only when it differs from the span before it.
 * Cost: two scans of the span and a hash for each tag. Threads: none of its own; one mapper is used by one thread.
 */
#include <stdio.h>

#include "collector/wire/decimal.h"
#include "collector/wire/utf8.h"
#include "collector/wire/zipkin_map.h"
#include "collector/wire/zipkin_tags.h"

enum { REQUEST_GROUP = 1, GROUP_RESOURCE = 1, GROUP_SCOPE_GROUP = 2, SCOPE_GROUP_SCOPE = 1, SCOPE_GROUP_SPAN = 2 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2, STATUS_MESSAGE = 2, STATUS_CODE = 3 };

/* ---- what both versions share ---- */

bool zipkin_fault(struct zipkin_reading *reading, const char *what)
{
    snprintf(reading->message, sizeof(reading->message), "span %zu: %s", reading->spans, what);
    return false;
}

uint64_t zipkin_nanos(uint64_t micros)
{
    return micros <= INT64_MAX / 1000 ? micros * 1000 : INT64_MAX;
}

void zipkin_map_text(struct zipkin_mapper *mapper, struct buffer *out, uint32_t number, struct slice text)
{
    size_t mark;

    if (utf8_is_valid(text)) {
        pb_put_bytes(out, number, text);
        return;
    }
    mark = pb_open(out, number);
    utf8_append_repaired(out, text);
    pb_close(out, mark);
    mapper->reading->repaired++;
}

void zipkin_map_attribute(struct zipkin_mapper *mapper, uint32_t field, struct slice key, const struct otlp_value *value)
{
    struct buffer *out = field == OTLP_ATTRIBUTES_OF_RESOURCE ? &mapper->resource : mapper->out;
    size_t attribute = pb_open(out, field), content;

    zipkin_map_text(mapper, out, ZIPKIN_TAG_KEY, key);
    content = pb_open(out, ZIPKIN_TAG_VALUE);
    if (value->kind == OTLP_VALUE_STRING)
        zipkin_map_text(mapper, out, OTLP_VALUE_STRING, value->bytes);
    else if (value->kind == OTLP_VALUE_DOUBLE)
        pb_put_double(out, OTLP_VALUE_DOUBLE, value->number);
    else
        pb_put_varint(out, (uint32_t)value->kind, (uint64_t)value->integer);
    pb_close(out, content);
    pb_close(out, attribute);
}

void zipkin_map_status(struct zipkin_mapper *mapper, uint32_t code, struct slice text)
{
    size_t mark;

    if (code == 0 && text.size == 0)
        return;
    mark = pb_open(mapper->out, SPAN_STATUS);
    if (text.size > 0)
        zipkin_map_text(mapper, mapper->out, STATUS_MESSAGE, text);
    if (code != 0)
        pb_put_varint(mapper->out, STATUS_CODE, (uint64_t)(int32_t)code);
    pb_close(mapper->out, mark);
}

static size_t skip_digits(struct slice text, size_t at)
{
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at;
}

/* "-?[0-9]+" or "-?[0-9]+\.[0-9]+", which is more than JSON has: zeros may stand in front. */
static bool read_number(struct slice text, struct otlp_value *value)
{
    size_t start = text.size > 0 && text.data[0] == '-', point = skip_digits(text, start), end;
    struct decimal decimal;
    struct slice digits;

    end = point + 1 < text.size && text.data[point] == '.' ? skip_digits(text, point + 1) : point;
    if (point == start || end != text.size || (end > point && end == point + 1))
        return false;
    while (text.data[start] == '0' && start + 1 < point)
        start++;
    digits = slice_of(text.data + start, text.size - start);
    if (!decimal_scan(digits, &decimal) || decimal.text.size != digits.size)
        return false;
    decimal.negative = text.data[0] == '-';
    value->kind = end > point ? OTLP_VALUE_DOUBLE : OTLP_VALUE_INT;
    return end > point ? decimal_to_double(&decimal, &value->number) : decimal_to_int64(&decimal, &value->integer);
}

struct otlp_value zipkin_value_of(const struct zipkin_reading *reading, struct slice text)
{
    const struct otlp_value string = { .kind = OTLP_VALUE_STRING, .bytes = text };
    struct otlp_value value = string;

    if (!reading->parse_string_tags)
        return string;
    if (slice_equal(text, SLICE("true")) || slice_equal(text, SLICE("false")))
        return (struct otlp_value){ .kind = OTLP_VALUE_BOOL, .integer = text.size == 4 };
    return read_number(text, &value) ? value : string;
}

/* ---- ids ---- */

static bool all_zero(const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[16];

    return memcmp(bytes, zeros, size) == 0;
}

bool zipkin_map_id(struct zipkin_mapper *mapper, struct zipkin_ids *ids, const struct pb_field *field)
{
    size_t size = field->bytes.size;

    if (field->number == ZIPKIN_SPAN_TRACE_ID) {
        if (size != 8 && size != 16)
            return zipkin_fault(mapper->reading, "traceId: expected 8 or 16 bytes");
        memset(ids->trace_id, 0, sizeof(ids->trace_id));
        memcpy(ids->trace_id + 16 - size, field->bytes.data, size);
        ids->has_trace_id = true;
        return true;
    }
    if (field->number == ZIPKIN_SPAN_PARENT_ID && size == 0)
        return true;
    if (size != 8)
        return zipkin_fault(mapper->reading, field->number == ZIPKIN_SPAN_ID ? "id: expected 8 bytes" : "parentId: expected 8 bytes");
    memcpy(field->number == ZIPKIN_SPAN_ID ? ids->span_id : ids->parent_id, field->bytes.data, size);
    if (field->number == ZIPKIN_SPAN_ID)
        ids->has_span_id = true;
    else
        ids->has_parent = true;
    return true;
}

size_t zipkin_map_open(struct zipkin_mapper *mapper, const struct zipkin_ids *ids)
{
    bool parent = ids->has_parent && !all_zero(ids->parent_id, 8) && memcmp(ids->parent_id, ids->span_id, 8) != 0;
    const char *fault = NULL;
    size_t mark;

    if (!ids->has_trace_id || all_zero(ids->trace_id, 16))
        fault = ids->has_trace_id ? "traceId: all zeros are no id" : "traceId is missing";
    else if (!ids->has_span_id || all_zero(ids->span_id, 8))
        fault = ids->has_span_id ? "id: all zeros are no id" : "id is missing";
    if (fault != NULL) {
        zipkin_fault(mapper->reading, fault);
        return 0;
    }
    zipkin_map_groups(mapper);
    mark = pb_open(mapper->out, SCOPE_GROUP_SPAN);
    pb_put_bytes(mapper->out, SPAN_TRACE_ID, slice_of(ids->trace_id, 16));
    pb_put_bytes(mapper->out, SPAN_SPAN_ID, slice_of(ids->span_id, 8));
    if (parent)
        pb_put_bytes(mapper->out, SPAN_PARENT_ID, slice_of(ids->parent_id, 8));
    return mark;
}

/* ---- groups ---- */

static void copy(struct buffer *to, const struct buffer *from)
{
    buffer_clear(to);
    buffer_append_slice(to, buffer_slice(from));
}

static void close_scope_group(struct zipkin_mapper *mapper)
{
    if (mapper->scope_mark != 0)
        pb_close(mapper->out, mapper->scope_mark);
    mapper->scope_mark = 0;
}

static void close_group(struct zipkin_mapper *mapper)
{
    close_scope_group(mapper);
    if (mapper->group_mark != 0)
        pb_close(mapper->out, mapper->group_mark);
    mapper->group_mark = 0;
}

/* Goes on with the groups that are open when they are those of the span at hand. */
void zipkin_map_groups(struct zipkin_mapper *mapper)
{
    bool same_resource = mapper->group_mark != 0 && slice_equal(buffer_slice(&mapper->resource), buffer_slice(&mapper->open_resource));

    if (same_resource && mapper->scope_mark != 0 && slice_equal(buffer_slice(&mapper->scope), buffer_slice(&mapper->open_scope)))
        return;
    if (same_resource) {
        close_scope_group(mapper);
    } else {
        close_group(mapper);
        mapper->group_mark = pb_open(mapper->out, REQUEST_GROUP);
        pb_put_bytes(mapper->out, GROUP_RESOURCE, buffer_slice(&mapper->resource));
        copy(&mapper->open_resource, &mapper->resource);
    }
    mapper->scope_mark = pb_open(mapper->out, GROUP_SCOPE_GROUP);
    if (mapper->scope.size > 0)
        pb_put_bytes(mapper->out, SCOPE_GROUP_SCOPE, buffer_slice(&mapper->scope));
    copy(&mapper->open_scope, &mapper->scope);
}

/* ---- the whole message ---- */

static void mapper_fini(struct zipkin_mapper *mapper)
{
    zipkin_tags_destroy(mapper->tags);
    buffer_fini(&mapper->resource);
    buffer_fini(&mapper->scope);
    buffer_fini(&mapper->open_resource);
    buffer_fini(&mapper->open_scope);
    buffer_fini(&mapper->value);
}

static bool read_format(struct zipkin_mapper *mapper, struct slice message)
{
    switch (mapper->reading->format) {
    case ZIPKIN_JSON:
        return zipkin_read_json(mapper, message);
    case ZIPKIN_PROTO:
        return zipkin_read_proto(mapper, message);
    case ZIPKIN_JSON_V1:
        return zipkin_read_json_v1(mapper, message);
    case ZIPKIN_THRIFT:
        return zipkin_read_thrift(mapper, message);
    }
    return false;
}

static bool any_failed(const struct zipkin_mapper *mapper)
{
    return mapper->resource.failed || mapper->scope.failed || mapper->open_resource.failed || mapper->open_scope.failed ||
           mapper->value.failed;
}

bool zipkin_read(struct zipkin_reading *reading, struct slice message, struct buffer *out)
{
    struct zipkin_mapper mapper = { .reading = reading, .out = out, .tags = zipkin_tags_create() };
    size_t before = out->size;
    bool read;

    reading->spans = reading->repaired = reading->offset = 0;
    reading->message[0] = '\0';
    if (message.size == 0)
        message = SLICE("");
    read = mapper.tags != NULL && read_format(&mapper, message);
    if (read)
        close_group(&mapper);
    if (mapper.tags == NULL || any_failed(&mapper))
        out->failed = true;
    mapper_fini(&mapper);
    if (read && !out->failed)
        return true;
    if (out->failed)
        snprintf(reading->message, sizeof(reading->message), "out of memory");
    out->size = before;
    return false;
}
