/* Record headers: 40 bytes, little endian, with a checksum of their own, so that a damaged payload costs one record only. */
#include "collector/storage/record.h"

#include "collector/base/crc32c.h"

static const uint8_t magic[4] = { 'W', 'E', 'I', 'R' };

enum { CHECKED_SIZE = JOURNAL_HEADER_SIZE - 4 };

void record_header_write(const struct record_header *header, uint8_t out[JOURNAL_HEADER_SIZE])
{
    uint32_t crc;

    memset(out, 0, JOURNAL_HEADER_SIZE);
    memcpy(out, magic, 4);
    memcpy(out + 4, &header->size, 4);
    memcpy(out + 8, &header->sequence, 8);
    memcpy(out + 16, &header->records_before, 8);
    memcpy(out + 24, &header->records, 4);
    out[28] = header->signal;
    memcpy(out + 32, &header->payload_crc, 4);
    crc = crc32c(0, slice_of(out, CHECKED_SIZE));
    memcpy(out + CHECKED_SIZE, &crc, 4);
}

bool record_header_read(const uint8_t bytes[JOURNAL_HEADER_SIZE], struct record_header *header)
{
    uint32_t crc;

    memcpy(&crc, bytes + CHECKED_SIZE, 4);
    if (memcmp(bytes, magic, 4) != 0 || crc != crc32c(0, slice_of(bytes, CHECKED_SIZE)))
        return false;
    memcpy(&header->size, bytes + 4, 4);
    memcpy(&header->sequence, bytes + 8, 8);
    memcpy(&header->records_before, bytes + 16, 8);
    memcpy(&header->records, bytes + 24, 4);
    header->signal = bytes[28];
    memcpy(&header->payload_crc, bytes + 32, 4);
    return true;
}

size_t record_header_find(struct slice bytes)
{
    struct record_header header;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;

    while (left >= JOURNAL_HEADER_SIZE) {
        const uint8_t *found = memmem(at, left, magic, sizeof(magic));

        if (found == NULL)
            break;
        left -= (size_t)(found - at);
        at = found;
        if (left >= JOURNAL_HEADER_SIZE && record_header_read(at, &header))
            return (size_t)(at - bytes.data);
        at++;
        left--;
    }
    return bytes.size;
}
