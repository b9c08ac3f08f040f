/* gRPC's framing, whole and cut, and the texts around it. The first byte says where the input is cut. */
#include <assert.h>
#include <stdlib.h>

#include "collector/net/grpc_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool admit(void *context, size_t bytes)
{
    return bytes <= *(size_t *)context;
}

static enum grpc_framing read_in_parts(struct grpc_reader *reader, struct slice first, struct slice second)
{
    enum grpc_framing framing = grpc_reader_feed(reader, first);

    if (framing > GRPC_FRAMING_WHOLE)
        return framing;
    return grpc_reader_feed(reader, second);
}

static void try_messages(const uint8_t *data, size_t size, size_t cut)
{
    size_t room = 4096;
    struct admission admission = { admit, &room };
    struct grpc_reader whole = { .limit = 8192, .admission = &admission }, parted = whole;
    enum grpc_framing framing = grpc_reader_feed(&whole, slice_of(data, size));

    assert(read_in_parts(&parted, slice_of(data, cut), slice_of(data + cut, size - cut)) == framing);
    if (framing == GRPC_FRAMING_WHOLE && whole.message != NULL) {
        assert(whole.message->size == whole.length && whole.length <= room);
        assert(slice_equal(payload_slice(whole.message), payload_slice(parted.message)));
    }
    grpc_reader_fini(&whole);
    grpc_reader_fini(&parted);
}

static void try_texts(const uint8_t *data, size_t size)
{
    struct buffer out = { 0 };
    int64_t timeout = 0;

    if (grpc_parse_timeout(slice_of(data, size), &timeout))
        assert(timeout >= 0 && size <= 9);
    grpc_encode_text(&out, slice_of(data, size));
    for (size_t i = 0; i < out.size; i++)
        assert(out.data[i] >= ' ' && out.data[i] <= '~');
    buffer_clear(&out);
    grpc_encode_retry_details(&out, (int)(size & 15), slice_of(data, size), (int64_t)size * 1000003);
    for (size_t i = 0; i < out.size; i++)
        assert(out.data[i] != '=');
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    try_messages(data + 1, size - 1, (size - 1) * data[0] / 255);
    try_texts(data + 1, size - 1);
    return 0;
}
