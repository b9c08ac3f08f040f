/*
 * snappy by libsnappy: the block format, and the framing format of
 * https://github.com/google/snappy/blob/main/framing_format.txt with its CRC32C of every chunk.
 *
 * Limits: both say how long they are, so the output is allocated once; a length that the input cannot hold is corrupt.
 */
#include "collector/base/crc32c.h"
#include "collector/net/compress_codings.h"

#include <snappy-c.h>

enum {
    CHUNK_COMPRESSED = 0x00,
    CHUNK_PLAIN = 0x01,
    CHUNK_RESERVED_LAST = 0x7f, /* 0x02 to 0x7f must not be skipped */
    CHUNK_IDENTIFIER = 0xff,
    CHUNK_HEADER = 4,
    CHUNK_CHECKSUM = 4,
    CHUNK_PLAIN_MAX = 65536,
    SNAPPY_RATIO_MAX = 32, /* 64 bytes from 3 are the most */
};

static const uint8_t identifier[] = { 0xff, 0x06, 0x00, 0x00, 's', 'N', 'a', 'P', 'p', 'Y' };
enum { IDENTIFIER_BODY = sizeof(identifier) - CHUNK_HEADER };

/* As the format asks, so that a checksum of data that holds checksums is no special case. */
static uint32_t masked_checksum(struct slice in)
{
    uint32_t crc = crc32c(0, in);

    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

/* ---- reading ---- */

static bool is_framed(struct slice in)
{
    return in.size >= sizeof(identifier) && memcmp(in.data, identifier, sizeof(identifier)) == 0;
}

/* The plain length that a block claims; false when it is none, or more than the block could hold. */
static bool block_length(struct slice block, size_t *length)
{
    return snappy_uncompressed_length((const char *)block.data, block.size, length) == SNAPPY_OK &&
           *length / SNAPPY_RATIO_MAX <= block.size;
}

static bool inflate_block(struct slice block, size_t length, struct payload *payload)
{
    size_t written = payload->capacity - payload->size;

    if (length > written ||
        snappy_uncompress((const char *)block.data, block.size, (char *)payload->data + payload->size, &written) != SNAPPY_OK)
        return false;
    payload->size += written;
    return written == length;
}

static enum inflate_result block_inflate(struct inflation *inflation)
{
    enum inflate_result result;
    size_t length;

    if (!block_length(inflation->in, &length))
        return INFLATE_CORRUPT;
    if (length > inflation->limit)
        return INFLATE_TOO_LARGE;
    result = inflation_reserve(inflation, length);
    if (result == INFLATE_OK && !inflate_block(inflation->in, length, inflation->payload))
        result = INFLATE_CORRUPT;
    return result;
}

enum inflate_result snappy_inflate(struct inflation *inflation)
{
    return is_framed(inflation->in) ? snappy_framed_inflate(inflation) : block_inflate(inflation);
}

struct chunk {
    uint8_t type;
    struct slice body; /* behind the header, the checksum of data chunks included */
};

/* Takes the next chunk off `rest`; false when it is cut short. */
static bool next_chunk(struct slice *rest, struct chunk *chunk)
{
    size_t size;

    if (rest->size < CHUNK_HEADER)
        return false;
    size = read_le32(rest->data) >> 8;
    if (size > rest->size - CHUNK_HEADER)
        return false;
    chunk->type = rest->data[0];
    chunk->body = slice_of(rest->data + CHUNK_HEADER, size);
    rest->data += CHUNK_HEADER + size;
    rest->size -= CHUNK_HEADER + size;
    return true;
}

static struct slice chunk_data(const struct chunk *chunk)
{
    return slice_of(chunk->body.data + CHUNK_CHECKSUM, chunk->body.size - CHUNK_CHECKSUM);
}

/* The plain length of a chunk, 0 for those that hold no data; false when it is malformed or must not be skipped. */
static bool chunk_length(const struct chunk *chunk, size_t *length)
{
    *length = 0;
    if (chunk->type == CHUNK_IDENTIFIER)
        return slice_equal(chunk->body, slice_of(identifier + CHUNK_HEADER, IDENTIFIER_BODY));
    if (chunk->type > CHUNK_RESERVED_LAST)
        return true;
    if (chunk->type > CHUNK_PLAIN || chunk->body.size < CHUNK_CHECKSUM)
        return false;
    if (chunk->type == CHUNK_PLAIN)
        *length = chunk->body.size - CHUNK_CHECKSUM;
    else if (!block_length(chunk_data(chunk), length))
        return false;
    return *length <= CHUNK_PLAIN_MAX;
}

static enum inflate_result framed_length(struct slice rest, size_t limit, size_t *total)
{
    struct chunk chunk;
    size_t length;

    *total = 0;
    while (rest.size > 0) {
        if (!next_chunk(&rest, &chunk) || !chunk_length(&chunk, &length))
            return INFLATE_CORRUPT;
        *total += length;
        if (*total > limit)
            return INFLATE_TOO_LARGE;
    }
    return INFLATE_OK;
}

static bool inflate_chunk(const struct chunk *chunk, struct payload *payload)
{
    struct slice data, plain;
    size_t start = payload->size, length;

    if (chunk->type > CHUNK_PLAIN)
        return true;
    data = chunk_data(chunk);
    if (chunk->type == CHUNK_PLAIN) {
        memcpy(payload->data + payload->size, data.data, data.size);
        payload->size += data.size;
    } else if (!block_length(data, &length) || !inflate_block(data, length, payload)) {
        return false;
    }
    plain = slice_of(payload->data + start, payload->size - start);
    return masked_checksum(plain) == read_le32(chunk->body.data);
}

enum inflate_result snappy_framed_inflate(struct inflation *inflation)
{
    struct slice rest = inflation->in;
    struct chunk chunk;
    size_t total;
    enum inflate_result result = is_framed(rest) ? framed_length(rest, inflation->limit, &total) : INFLATE_CORRUPT;

    if (result == INFLATE_OK)
        result = inflation_reserve(inflation, total);
    while (result == INFLATE_OK && next_chunk(&rest, &chunk))
        if (!inflate_chunk(&chunk, inflation->payload))
            result = INFLATE_CORRUPT;
    return result;
}

/* ---- writing ---- */

bool snappy_deflate(struct slice in, struct buffer *out)
{
    size_t written = snappy_max_compressed_length(in.size);

    if (!buffer_reserve(out, written))
        return false;
    if (snappy_compress((const char *)in.data, in.size, (char *)out->data + out->size, &written) != SNAPPY_OK)
        return false;
    out->size += written;
    return true;
}

static void write_le32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* A chunk that does not get smaller goes as it is. There is room for the worst case. */
static bool deflate_chunk(struct slice plain, struct buffer *out)
{
    uint8_t *head = out->data + out->size;
    uint8_t *data = head + CHUNK_HEADER + CHUNK_CHECKSUM;
    size_t written = snappy_max_compressed_length(plain.size);
    uint8_t type = CHUNK_COMPRESSED;

    if (snappy_compress((const char *)plain.data, plain.size, (char *)data, &written) != SNAPPY_OK)
        return false;
    if (written >= plain.size) {
        type = CHUNK_PLAIN;
        memcpy(data, plain.data, plain.size);
        written = plain.size;
    }
    write_le32(head, (uint32_t)(written + CHUNK_CHECKSUM) << 8 | type);
    write_le32(head + CHUNK_HEADER, masked_checksum(plain));
    out->size += CHUNK_HEADER + CHUNK_CHECKSUM + written;
    return true;
}

bool snappy_framed_deflate(struct slice in, struct buffer *out)
{
    buffer_append(out, identifier, sizeof(identifier));
    while (in.size > 0) {
        struct slice plain = { in.data, in.size < CHUNK_PLAIN_MAX ? in.size : CHUNK_PLAIN_MAX };

        if (!buffer_reserve(out, CHUNK_HEADER + CHUNK_CHECKSUM + snappy_max_compressed_length(plain.size)))
            return false;
        if (!deflate_chunk(plain, out))
            return false;
        in.data += plain.size;
        in.size -= plain.size;
    }
    return !out->failed;
}
