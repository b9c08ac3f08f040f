/* Any request that the border lets in becomes lines of JSON in every mapping mode: an action and a document each, both whole. */
#include <stdlib.h>

#include "collector/wire/json_text.h"
#include "exporters/elasticsearch/documents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct slice line)
{
    struct json_text text = { line.data, line.data + line.size, NULL };

    if (memchr(line.data, '\n', line.size) != NULL || !json_skip_value(&text) || text.at != text.end)
        abort();
}

static bool check_bulk(void *context, struct elastic_bulk *bulk)
{
    (void)context;
    for (size_t i = 0; i < bulk->count; i++) {
        check_line(elastic_bulk_action(bulk, &bulk->items[i]));
        check_line(elastic_bulk_document(bulk, &bulk->items[i]));
    }
    return true;
}

static void write_in(enum elastic_mode mode, const struct batch *batch)
{
    struct elastic_settings settings = { .mode = mode, .request_limit = 1000, .dynamic_id = true, .dynamic_pipeline = true };
    struct elastic_documents documents = { .settings = &settings, .send = check_bulk, .request_mode = mode };

    for (size_t i = 0; i < ELASTIC_MODE_COUNT; i++)
        settings.allowed[i] = true;
    if (!elastic_documents_write(&documents, batch))
        abort();
    elastic_documents_fini(&documents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum signal signal;
    struct payload *payload;
    struct batch *batch;
    struct otlp_check check;

    if (size < 2)
        return 0;
    signal = (enum signal)(data[0] % 3);
    check = otlp_check(signal, slice_of(data + 1, size - 1));
    if (check.fault != OTLP_OK && check.fault != OTLP_BAD_UTF8)
        return 0;
    payload = payload_create(size - 1);
    memcpy(payload->data, data + 1, size - 1);
    payload->size = size - 1;
    batch = batch_create(signal, payload, check.records, NULL);
    for (size_t mode = 0; mode < ELASTIC_MODE_COUNT; mode++)
        write_in((enum elastic_mode)mode, batch);
    batch_settle(batch, OUTCOME_ACCEPTED);
    return 0;
}
