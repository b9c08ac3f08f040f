/* Rewriting any request that passes the check: what comes out passes it too, and holds what was not dropped. */
#include <stdlib.h>

#include "collector/wire/otlp_rewrite.h"

static bool keep_point(void *context, struct slice point, uint32_t attributes_field, struct buffer *out)
{
    const struct otlp_value value = { .kind = OTLP_VALUE_INT, .integer = 1 };
    struct edit *edit = context;

    if (point.size % 3 == 0)
        return false;
    edit_open(edit, point, attributes_field);
    edit_set_attribute(edit, SLICE("k"), &value);
    edit_write(edit, 1, out);
    return true;
}

/* What becomes of a record is told by its bytes. */
static void visit(struct otlp_rewrite *rewrite, struct edit *edit, bool metrics)
{
    struct slice body = rewrite->record.body;
    unsigned choice = body.size > 0 ? body.data[body.size / 2] % 4 : 0;
    struct buffer metric = { .data = NULL };

    if (choice == 1) {
        otlp_rewrite_drop_record(rewrite);
    } else if (choice == 2 && metrics) {
        if (otlp_rewrite_points(body, keep_point, edit, &metric))
            pb_put_bytes(otlp_rewrite_replace_record(rewrite), OTLP_RECORDS_FIELD, buffer_slice(&metric));
    } else if (choice >= 2) {
        const struct otlp_value value = { .kind = OTLP_VALUE_STRING, .bytes = body.size < 9 ? body : SLICE("v") };
        edit_open(edit, body, metrics ? 0 : OTLP_ATTRIBUTES_OF_LOG);
        if (!metrics && body.size >= 9)
            edit_set_attribute(edit, SLICE("k"), &value);
        otlp_rewrite_set_record(rewrite, edit);
    }
    buffer_fini(&metric);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer out = { .data = NULL };
    struct edit edit = { .fields = NULL };
    struct otlp_rewrite rewrite;
    struct slice payload;
    enum signal signal;

    if (size == 0)
        return 0;
    signal = (enum signal)(data[0] % SIGNAL_COUNT);
    payload = slice_of(data + 1, size - 1);
    if (otlp_check(signal, payload).fault != OTLP_OK)
        return 0;
    otlp_rewrite_begin(&rewrite, payload, &out);
    while (otlp_rewrite_next_group(&rewrite)) {
        if (rewrite.group.body.size % 2 == 1) {
            edit_open(&edit, rewrite.group.resource, OTLP_ATTRIBUTES_OF_RESOURCE);
            otlp_rewrite_set_resource(&rewrite, &edit);
            otlp_rewrite_set_group_schema(&rewrite, SLICE("s"));
        }
        while (otlp_rewrite_next_scope_group(&rewrite)) {
            while (otlp_rewrite_next_record(&rewrite))
                visit(&rewrite, &edit, signal == SIGNAL_METRICS);
        }
    }
    if (otlp_rewrite_end(&rewrite) && signal != SIGNAL_TRACES) {
        struct otlp_check check = otlp_check(signal, buffer_slice(&out));
        if (check.fault != OTLP_OK && check.fault != OTLP_BAD_UTF8 && !out.failed)
            abort();
        if (signal == SIGNAL_LOGS && check.records + rewrite.dropped != otlp_count(signal, payload))
            abort();
    }
    buffer_fini(&out);
    edit_fini(&edit);
    return 0;
}
