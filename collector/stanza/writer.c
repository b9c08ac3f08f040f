/* Records to OTLP. Cost: what is written, and a comparison of the resource. */
#include "collector/stanza/pipeline.h"
#include "collector/wire/protobuf.h"
#include "collector/wire/utf8.h"

enum { GROUP = 1, RESOURCE = 1, SCOPE_GROUP = 2, SCOPE = 1, SCOPE_NAME = 1, RECORD = 2, RESOURCE_ATTRIBUTES = 1, LENGTH_SIZE = 4 };
enum {
    TIME = 1,
    SEVERITY_NUMBER = 2,
    SEVERITY_TEXT = 3,
    BODY = 5,
    ATTRIBUTES = 6,
    FLAGS = 8,
    TRACE_ID = 9,
    SPAN_ID = 10,
    OBSERVED_TIME = 11
};

void stanza_writer_fini(struct stanza_writer *writer)
{
    buffer_fini(&writer->out);
    buffer_fini(&writer->resource);
    buffer_fini(&writer->scope);
    buffer_fini(&writer->scratch);
    *writer = (struct stanza_writer){ 0 };
}

void stanza_writer_clear(struct stanza_writer *writer)
{
    buffer_clear(&writer->out);
    buffer_clear(&writer->resource);
    buffer_clear(&writer->scope);
    writer->group_mark = writer->scope_mark = writer->records = 0;
}

/* ---- groups ---- */

static size_t open_group(struct buffer *out, uint32_t number)
{
    static const uint8_t room[LENGTH_SIZE];

    pb_put_tag(out, number, PB_BYTES);
    buffer_append(out, room, sizeof(room));
    return out->size;
}

static void close_group(struct buffer *out, size_t *mark)
{
    size_t size = out->size - *mark;
    uint8_t *at;

    if (*mark == 0 || out->failed)
        return;
    if (size >= 1U << 28) {
        out->failed = true;
        return;
    }
    at = out->data + *mark - LENGTH_SIZE;
    for (size_t i = 0; i < LENGTH_SIZE; i++, size >>= 7)
        at[i] = (uint8_t)((size & 0x7f) | (i + 1 < LENGTH_SIZE ? 0x80 : 0));
    *mark = 0;
}

static void close_groups(struct stanza_writer *writer)
{
    close_group(&writer->out, &writer->scope_mark);
    close_group(&writer->out, &writer->group_mark);
}

static void begin_scope(struct stanza_writer *writer, struct slice scope)
{
    close_group(&writer->out, &writer->scope_mark);
    buffer_clear(&writer->scope);
    buffer_append_slice(&writer->scope, scope);
    writer->scope_mark = open_group(&writer->out, SCOPE_GROUP);
    if (scope.size == 0)
        return;
    size_t mark = pb_open(&writer->out, SCOPE);
    size_t name = pb_open(&writer->out, SCOPE_NAME);
    utf8_append_repaired(&writer->out, scope);
    pb_close(&writer->out, name);
    pb_close(&writer->out, mark);
}

/* The group of a resource, given as the fields of its message. */
static void enter_group(struct stanza_writer *writer, struct slice resource, struct slice scope)
{
    if (writer->group_mark == 0 || !slice_equal(buffer_slice(&writer->resource), resource)) {
        close_groups(writer);
        buffer_clear(&writer->resource);
        buffer_append_slice(&writer->resource, resource);
        writer->group_mark = open_group(&writer->out, GROUP);
        pb_put_bytes(&writer->out, RESOURCE, resource);
        begin_scope(writer, scope);
    } else if (!slice_equal(buffer_slice(&writer->scope), scope)) {
        begin_scope(writer, scope);
    }
}

void stanza_writer_end(struct stanza_writer *writer)
{
    close_groups(writer);
    writer->out.failed |= writer->resource.failed || writer->scope.failed || writer->scratch.failed;
}

/* ---- records ---- */

static void put_ids(struct buffer *out, const struct stanza_record *record)
{
    if (record->trace_flags != 0)
        pb_put_fixed32(out, FLAGS, record->trace_flags);
    if (record->trace_id.size == 16)
        pb_put_bytes(out, TRACE_ID, record->trace_id);
    if (record->span_id.size == 8)
        pb_put_bytes(out, SPAN_ID, record->span_id);
}

void stanza_writer_add(struct stanza_writer *writer, const struct stanza_record *record)
{
    struct buffer *out = &writer->out;
    size_t mark, body;

    buffer_clear(&writer->scratch);
    if (record->resource.count > 0)
        stanza_put_attributes(&writer->scratch, RESOURCE_ATTRIBUTES, &record->resource);
    enter_group(writer, buffer_slice(&writer->scratch), record->scope);
    mark = pb_open(out, RECORD);
    if (record->time_ns != 0)
        pb_put_fixed64(out, TIME, record->time_ns);
    if (record->severity != 0)
        pb_put_varint(out, SEVERITY_NUMBER, record->severity);
    if (record->severity_text.size > 0) {
        size_t text = pb_open(out, SEVERITY_TEXT);
        utf8_append_repaired(out, record->severity_text);
        pb_close(out, text);
    }
    if (record->body.kind != STANZA_NIL) {
        body = pb_open(out, BODY);
        stanza_put_any(out, &record->body);
        pb_close(out, body);
    }
    stanza_put_attributes(out, ATTRIBUTES, &record->attributes);
    put_ids(out, record);
    pb_put_fixed64(out, OBSERVED_TIME, record->observed_ns);
    pb_close(out, mark);
    writer->records++;
}

void stanza_writer_add_plain(struct stanza_writer *writer, const struct stanza_plain *plain)
{
    struct buffer *out = &writer->out;
    size_t text = 1 + pb_varint_size(plain->body.size) + plain->body.size, body = 1 + pb_varint_size(text) + text,
           size = body + plain->attributes.size + 9;
    uint8_t *at;

    enter_group(writer, plain->resource, slice_of(NULL, 0));
    if (!buffer_reserve(out, size + 12))
        return;
    at = out->data + out->size;
    *at++ = RECORD << 3 | PB_BYTES;
    at = pb_encode_varint(at, size);
    *at++ = BODY << 3 | PB_BYTES;
    at = pb_encode_varint(at, text);
    *at++ = (uint8_t)((plain->bytes ? STANZA_BYTES : STANZA_STRING) << 3 | PB_BYTES);
    at = pb_encode_varint(at, plain->body.size);
    if (plain->body.size > 0)
        memcpy(at, plain->body.data, plain->body.size);
    at += plain->body.size;
    if (plain->attributes.size > 0)
        memcpy(at, plain->attributes.data, plain->attributes.size);
    at += plain->attributes.size;
    *at++ = OBSERVED_TIME << 3 | PB_FIXED64;
    memcpy(at, &plain->observed_ns, sizeof(plain->observed_ns));
    out->size = (size_t)(at + sizeof(plain->observed_ns) - out->data);
    writer->records++;
}
