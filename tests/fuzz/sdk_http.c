/* Responses, whole and in every growth the first byte asks for: the answer must not depend on how the bytes arrive. */
#include <assert.h>
#include <stdlib.h>

#include "sdk/src/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_parse feed(const uint8_t *data, size_t size, size_t step, struct http_response *response, struct buffer *in)
{
    enum http_parse result = HTTP_PARSE_MORE;

    memset(response, 0, sizeof(*response));
    for (size_t at = 0; at < size && result == HTTP_PARSE_MORE; at += step) {
        buffer_append(in, data + at, size - at < step ? size - at : step);
        result = http_parse(response, in, false);
    }
    return result == HTTP_PARSE_MORE ? http_parse(response, in, true) : result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response whole, pieces;
    struct buffer a = { 0 }, b = { 0 };

    if (size < 2 || size > 4096)
        return 0;
    size_t step = data[0] % 16U + 1;
    enum http_parse first = feed(data + 1, size - 1, size, &whole, &a);
    enum http_parse second = feed(data + 1, size - 1, step, &pieces, &b);
    assert(first == second);
    if (first == HTTP_PARSE_DONE) {
        assert(whole.status == pieces.status && slice_equal(whole.body, pieces.body));
        assert(whole.body.data >= a.data && whole.body.data + whole.body.size <= a.data + a.size);
    }
    buffer_fini(&a);
    buffer_fini(&b);
    return 0;
}
