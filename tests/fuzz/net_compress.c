/*
 * Any bytes as any coding: never beyond the limit, never beyond memory; and what is compressed inflates to itself.
 * The first byte says which coding, the second the limit.
 */
#include <assert.h>

#include "collector/net/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(enum coding coding, struct slice in)
{
    struct slice parts[] = { { in.data, in.size / 2 }, { in.data + in.size / 2, in.size - in.size / 2 } };
    struct buffer out = { 0 };
    struct payload *payload = NULL;

    assert(deflate_parts(coding, 0, parts, 2, &out));
    assert(inflate_payload(coding, buffer_slice(&out), in.size, NULL, &payload) == INFLATE_OK || (out.size == 0 && in.size == 0));
    assert(payload == NULL || slice_equal(payload_slice(payload), in));
    payload_unref(payload);
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct payload *payload = NULL;
    enum coding coding;
    size_t limit;

    if (size < 2)
        return 0;
    coding = (enum coding)(data[0] % CODING_COUNT);
    limit = (size_t)data[1] << 10;
    if (inflate_payload(coding, slice_of(data + 2, size - 2), limit, NULL, &payload) == INFLATE_OK) {
        assert(payload->size <= limit);
        payload_unref(payload);
    }
    round_trip(coding, slice_of(data + 2, size - 2));
    return 0;
}
