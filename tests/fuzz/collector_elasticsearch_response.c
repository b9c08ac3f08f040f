/* Answers of an Elasticsearch that lies: every slice lies within the text, and reading ends. */
#include <stdlib.h>

#include "exporters/elasticsearch/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct slice part, struct slice whole)
{
    if (part.size > 0 && (part.data < whole.data || part.data + part.size > whole.data + whole.size))
        abort();
}

static void check_error(const struct elastic_error *error, struct slice whole)
{
    check_within(error->type, whole);
    check_within(error->reason, whole);
    check_within(error->json, whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice whole = { data, size };
    struct json_text text = { data, data + size, NULL };
    struct elastic_error error = elastic_error_of(whole);
    struct elastic_results results;
    struct elastic_result result;
    struct slice value;
    size_t count = 0;

    check_error(&error, whole);
    if (elastic_results_begin(&results, whole)) {
        while (elastic_results_next(&results, &result)) {
            if (result.status < 0 || result.status > 999 || ++count > size)
                abort();
            check_error(&result.error, whole);
        }
    }
    while (elastic_next_string(&text, "publish_address", &value))
        check_within(value, whole);
    return 0;
}
