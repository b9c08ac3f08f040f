/*
 * Copying a request with every string made valid UTF-8.
 *
 * Cost: some copies of the payload; it runs only for requests that hold a bad string. Recursion is bounded by OTLP_MAX_DEPTH.
 * Threads: none of its own; no state.
 */
#include "collector/wire/otlp.h"

#include "collector/wire/otlp_table.h"
#include "collector/wire/utf8.h"

struct repair {
    struct buffer *out;
    size_t strings; /* that were changed */
    unsigned depth; /* AnyValues that are open */
};

static enum otlp_content content_of(enum otlp_content message, const struct pb_field *field)
{
    if (field->number >= OTLP_TAGS / 8)
        return CONTENT_UNKNOWN;
    return (enum otlp_content)otlp_contents_of(message)[field->number << 3 | field->type];
}

static void repair_string(struct repair *repair, const struct pb_field *field)
{
    size_t mark = pb_open(repair->out, field->number);

    utf8_append_repaired(repair->out, field->bytes);
    pb_close(repair->out, mark);
    repair->strings++;
}

static void repair_message(struct repair *repair, enum otlp_content message, struct slice body)
{
    struct pb_reader reader = pb_reader_of(body);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        enum otlp_content content = content_of(message, &field);
        bool is_value = content == MESSAGE_ANY_VALUE;
        if (content == CONTENT_STRING && !utf8_is_valid(field.bytes)) {
            repair_string(repair, &field);
        } else if (content < OTLP_MESSAGES || (is_value && repair->depth == OTLP_MAX_DEPTH)) {
            buffer_append_slice(repair->out, field.raw);
        } else {
            size_t mark = pb_open(repair->out, field.number);
            repair->depth += is_value;
            repair_message(repair, content, field.bytes);
            repair->depth -= is_value;
            pb_close(repair->out, mark);
        }
    }
}

size_t otlp_repair(enum signal signal, struct slice payload, struct buffer *out)
{
    struct repair repair = { .out = out };

    repair_message(&repair, otlp_request_message(signal), payload);
    return repair.strings;
}
