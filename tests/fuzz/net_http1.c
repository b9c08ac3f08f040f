/*
 * HTTP/1.1 heads and chunked bodies. The first byte says which, and where the input is cut; whole and cut input must be read alike.
 */
#include <assert.h>
#include <stdlib.h>

#include "collector/base/buffer.h"
#include "collector/net/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(struct slice s, const uint8_t *bytes, size_t size)
{
    if (s.data >= bytes && s.data <= bytes + size)
        assert(s.size <= size - (size_t)(s.data - bytes));
}

static void parse(uint8_t *bytes, size_t size)
{
    struct http1_head head;
    const char *reason = NULL;
    int status = http1_parse_head(&head, bytes, size, &reason);

    assert((status == 0) == (reason == NULL));
    if (status != 0)
        return;
    assert(head.head.header_count <= HTTP_HEADERS_MAX && head.head.method.size > 0 && head.head.path.size > 0);
    assert(!head.chunked || !head.has_length);
    check_slice(head.head.path, bytes, size);
    check_slice(head.head.query, bytes, size);
    for (size_t i = 0; i < head.head.header_count; i++) {
        check_slice(head.head.headers[i].name, bytes, size);
        check_slice(head.head.headers[i].value, bytes, size);
    }
}

static void try_head(const uint8_t *data, size_t size, size_t cut)
{
    uint8_t *bytes = malloc(size + 1);
    size_t scanned = 0, fresh = 0, end;

    memcpy(bytes, data, size);
    end = http1_find_end(slice_of(bytes, size), &fresh);
    if (http1_find_end(slice_of(bytes, cut), &scanned) == 0)
        assert(http1_find_end(slice_of(bytes, size), &scanned) == end);
    free(bytes);
    bytes = malloc(end > 0 ? end : 1);
    memcpy(bytes, data, end);
    if (end > 0)
        parse(bytes, end);
    free(bytes);
}

static void feed(struct http1_chunks *chunks, struct slice *in, struct buffer *out)
{
    struct slice run;

    do {
        run = http1_chunks_next(chunks, in);
        buffer_append_slice(out, run);
    } while (run.size > 0);
}

static void try_chunks(const uint8_t *data, size_t size, size_t cut)
{
    struct http1_chunks whole = { 0 }, parted = { 0 };
    struct slice all = slice_of(data, size), first = slice_of(data, cut), second = slice_of(data + cut, size - cut);
    struct buffer one = { 0 }, two = { 0 };

    feed(&whole, &all, &one);
    feed(&parted, &first, &two);
    feed(&parted, &second, &two);
    assert(whole.state == parted.state && slice_equal(buffer_slice(&one), buffer_slice(&two)));
    buffer_fini(&one);
    buffer_fini(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut;

    if (size < 2)
        return 0;
    cut = (size - 1) * (size_t)(data[0] >> 1) / 127;
    if ((data[0] & 1) != 0)
        try_chunks(data + 1, size - 1, cut);
    else
        try_head(data + 1, size - 1, cut);
    return 0;
}
