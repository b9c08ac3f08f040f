/*
 * A journal opened on a folder out of anything: up to four segments and their ack files, made of raw bytes and of records whose header
 * checks but says anything. Opening works, reading ends, what is settled stays so, and what is appended comes out again.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/crc32c.h"
#include "collector/storage/journal.h"
#include "collector/storage/record.h"
#include "tests/unit/storage/simulated_disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct disk disk;

static uint64_t take(struct slice *input, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes && input->size > 0; i++) {
        value = value << 8 | *input->data++;
        input->size--;
    }
    return value;
}

static struct slice take_bytes(struct slice *input, size_t size)
{
    struct slice bytes = slice_of(input->data, size < input->size ? size : input->size);

    input->data += bytes.size;
    input->size -= bytes.size;
    return bytes;
}

static void put(int handle, struct slice bytes)
{
    struct iovec part = { (void *)(uintptr_t)bytes.data, bytes.size };

    disk.filesystem.write(&disk, handle, (uint64_t)disk.filesystem.size(&disk, handle), &part, 1);
}

/* A record of which the header checks, and the payload by chance. */
static void put_record(int handle, uint64_t first, struct slice *input)
{
    uint8_t bytes[JOURNAL_HEADER_SIZE], kind = (uint8_t)take(input, 1);
    struct record_header header = { .sequence = first + take(input, kind % 16 == 0 ? 8 : 1), .records = (uint32_t)take(input, 1) };
    struct slice payload = take_bytes(input, take(input, 1));

    header.size = kind & 16 ? (uint32_t)take(input, 4) : (uint32_t)payload.size;
    header.payload_crc = kind & 32 ? 0 : crc32c(0, payload);
    record_header_write(&header, bytes);
    put(handle, slice_of(bytes, sizeof(bytes)));
    put(handle, payload);
}

static void put_entry(int handle, struct slice *input)
{
    uint32_t entry[2] = { (uint32_t)take(input, 1), 0 };

    entry[1] = crc32c(0, slice_of(entry, 4));
    put(handle, slice_of(entry, 8));
}

static void fill(struct slice input)
{
    uint64_t first = 0;

    for (size_t i = 0; i < 4 && input.size > 0; i++, first += take(&input, 1)) {
        size_t pieces = take(&input, 1) % 16;
        char name[24];
        int segment, ack;

        snprintf(name, sizeof(name), "%016llx.seg", (unsigned long long)first);
        segment = disk.filesystem.open(&disk, name, true);
        snprintf(name, sizeof(name), "%016llx.ack", (unsigned long long)first);
        ack = disk.filesystem.open(&disk, name, true);
        for (size_t k = 0; k < pieces && input.size > 0; k++) {
            switch (take(&input, 1) % 4) {
            case 0:
                put(segment, take_bytes(&input, take(&input, 1)));
                break;
            case 1:
                put_entry(ack, &input);
                break;
            case 2:
                put(ack, take_bytes(&input, take(&input, 1) % 16));
                break;
            default:
                put_record(segment, first, &input);
                break;
            }
        }
    }
}

static struct journal *open_journal(void)
{
    const struct journal_settings settings = { .segment_bytes = 4096, .max_record = 1 << 16, .sync = true };
    struct error err;
    struct journal *journal = journal_open(&disk.filesystem, &settings, &err);

    assert(journal != NULL);
    return journal;
}

/* Whether a record of `text` was among them. */
static bool drain(struct journal *journal, struct slice text)
{
    struct journal_record record;
    bool found = false;
    size_t count = 0;

    while (journal_read(journal, &record) > 0) {
        assert(count++ < 100000);
        found |= slice_equal(payload_slice(record.payload), text);
        payload_unref(record.payload);
        journal_settle(journal, record.sequence);
    }
    assert(journal_stats(journal).requests == 0);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = SLICE("a record that no input has: 8f1d0c7e55aa");
    const struct journal_item item = { &text, 1, 7, 0 };
    struct journal *journal;

    disk_init(&disk, 1);
    fill(slice_of(data, size));
    journal = open_journal();
    assert(journal_append(journal, &item, 1) == 0);
    assert(drain(journal, text));
    journal_close(journal);
    journal = open_journal();
    assert(!drain(journal, text));
    assert(journal_append(journal, &item, 1) == 0);
    journal_close(journal);
    journal = open_journal();
    assert(drain(journal, text));
    journal_close(journal);
    disk_fini(&disk);
    assert(payload_bytes_in_flight() == 0);
    return 0;
}
