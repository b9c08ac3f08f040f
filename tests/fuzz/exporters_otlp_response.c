/* Answers of OTLP servers: the first byte chooses the reader. */
#include "collector/net/http_response.h"
#include "exporters/otlp_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_http(struct slice bytes, size_t step)
{
    struct http_answer answer = { 0 };
    struct http_response_reader reader;

    http_response_reader_init(&reader, &answer, 1000);
    for (size_t at = 0; at < bytes.size; at += step)
        http_response_feed(&reader, slice_of(bytes.data + at, bytes.size - at < step ? bytes.size - at : step));
    http_response_end(&reader);
    http_response_reader_fini(&reader);
    http_answer_fini(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct otlp_partial_success partial = { 0 };
    struct otlp_status status;
    struct slice rest;

    if (size == 0)
        return 0;
    rest = slice_of(data + 1, size - 1);
    if (data[0] % 4 == 0)
        otlp_read_partial_success(rest, &partial);
    else if (data[0] % 4 == 1)
        otlp_read_partial_success_json(rest, &partial);
    else if (data[0] % 4 == 2)
        otlp_read_status(rest, &status);
    else
        read_http(rest, 1 + data[0] / 4);
    otlp_partial_success_fini(&partial);
    return 0;
}
