/* Requests of held spans: lengths are known before anything is written, so that nothing is moved. */
#include "collector/processors/tail_sampling/write.h"

enum { GROUP = 1, SCOPE_GROUP = 2, SCOPE = 1 };

void tail_writer_fini(struct tail_writer *writer)
{
    edit_fini(&writer->edit);
    buffer_fini(&writer->scope);
}

static void set_text(struct edit *edit, struct slice key, const char *text)
{
    struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = slice_of_string(text) };

    if (text != NULL)
        edit_set_attribute(edit, key, &value);
}

/* The scope group's fields with the marks on its scope. */
static struct slice marked_scope(struct tail_writer *writer, struct slice fields, const struct tail_marks *marks)
{
    struct pb_reader reader = pb_reader_of(fields);
    struct pb_field field;

    edit_open(&writer->edit, tail_head_message(fields), OTLP_ATTRIBUTES_OF_SCOPE);
    set_text(&writer->edit, SLICE("tailsampling.composite_policy"), marks->composite);
    set_text(&writer->edit, SLICE("tailsampling.policy"), marks->policy);
    if (marks->cached)
        edit_set_attribute(
            &writer->edit, SLICE("tailsampling.cached_decision"), &(struct otlp_value){ .kind = OTLP_VALUE_BOOL, .integer = 1 });
    buffer_clear(&writer->scope);
    edit_write(&writer->edit, SCOPE, &writer->scope);
    while (pb_next(&reader, &field)) {
        if (field.number != SCOPE)
            buffer_append_slice(&writer->scope, field.raw);
    }
    return writer->scope.failed ? fields : buffer_slice(&writer->scope);
}

void tail_write_head(
    struct tail_writer *writer, struct buffer *out, const struct tail_head *head, const struct tail_marks *marks, size_t spans_size)
{
    bool marked = marks->policy != NULL || marks->composite != NULL || marks->cached;
    struct slice scope = marked ? marked_scope(writer, head->scope, marks) : head->scope;
    size_t inner = scope.size + spans_size, outer = head->group.size + 1 + pb_varint_size(inner) + inner;

    buffer_reserve(out, 1 + pb_varint_size(outer) + outer);
    pb_put_tag(out, GROUP, PB_BYTES);
    pb_put_raw_varint(out, outer);
    buffer_append_slice(out, head->group);
    pb_put_tag(out, SCOPE_GROUP, PB_BYTES);
    pb_put_raw_varint(out, inner);
    buffer_append_slice(out, scope);
}
