/* The header of a journal's record: writing it, checking it, and finding the next one behind damage. I/O-free. */
#ifndef WEIR_STORAGE_RECORD_H
#define WEIR_STORAGE_RECORD_H

#include "collector/storage/journal.h"

struct record_header {
    uint64_t sequence, records_before;
    uint32_t size, records, payload_crc;
    uint8_t signal;
};

void record_header_write(const struct record_header *header, uint8_t out[JOURNAL_HEADER_SIZE]);

/* False when the bytes are not a header, or its checksum is wrong. */
bool record_header_read(const uint8_t bytes[JOURNAL_HEADER_SIZE], struct record_header *header);

/* Offset of the first valid header in the bytes; bytes.size when there is none. */
size_t record_header_find(struct slice bytes);

#endif
