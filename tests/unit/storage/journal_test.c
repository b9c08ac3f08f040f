/*
 * The journal against a model, on a simulated disk: whatever was appended and synced comes out with equal bytes until it is
 * settled, across crashes, full disks, failing writes and flipped bits. Operations are random, seeds fixed.
 * WEIR_JOURNAL_ROUNDS makes it longer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/storage/journal.h"
#include "collector/storage/record.h"
#include "tests/unit/storage/simulated_disk.h"

#include <cmocka.h>

enum { ITEMS_MAX = 4000 };

struct item {
    bool durable, settled, seen; /* seen: since the last opening */
    uint64_t sequence;
};

struct model {
    struct disk disk;
    struct journal *journal;
    struct item items[ITEMS_MAX];
    size_t count;
    size_t flips, lost, duplicates, crashes, operations;
};

static const struct journal_settings settings = { .segment_bytes = 8192, .sync = true };

/* The payload of an item follows from its number: length and every byte. */
static size_t item_size(size_t id)
{
    return 8 + (id * 7919) % (id % 50 == 0 ? 3000 : 300);
}

static void item_fill(size_t id, uint8_t *out)
{
    uint64_t number = id;

    memcpy(out, &number, 8);
    for (size_t i = 8; i < item_size(id); i++)
        out[i] = (uint8_t)(id * 31 + i * 17);
}

static void reopen(struct model *model)
{
    struct error err;

    model->journal = journal_open(&model->disk.filesystem, &settings, &err);
    assert_non_null(model->journal);
    for (size_t i = 0; i < model->count; i++)
        model->items[i].seen = false;
}

static void append(struct model *model)
{
    size_t count = 1 + disk_random(&model->disk, 6), first = model->count;
    struct journal_item items[6];
    struct slice parts[6][2];
    uint8_t *bytes[6];
    int result;

    if (first + count > ITEMS_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t size = item_size(first + i);

        bytes[i] = malloc(size);
        item_fill(first + i, bytes[i]);
        parts[i][0] = slice_of(bytes[i], size / 3);
        parts[i][1] = slice_of(bytes[i] + size / 3, size - size / 3);
        items[i] = (struct journal_item){ parts[i], 2, (uint32_t)(first + i) % 100, (uint8_t)((first + i) % 3) };
    }
    result = journal_append(model->journal, items, count);
    for (size_t i = 0; i < count; i++) {
        model->items[first + i] = (struct item){ .durable = result == 0 };
        free(bytes[i]);
    }
    model->count += count;
}

/* Whatever comes out must be something that was put in, byte for byte. */
static size_t check_record(const struct model *model, const struct journal_record *record)
{
    uint8_t *expected;
    uint64_t id;

    assert_true(record->payload->size >= 8);
    memcpy(&id, record->payload->data, 8);
    assert_true(id < model->count);
    assert_int_equal(record->payload->size, item_size(id));
    expected = malloc(item_size(id));
    item_fill(id, expected);
    assert_memory_equal(record->payload->data, expected, item_size(id));
    assert_int_equal(record->records, id % 100);
    assert_int_equal(record->signal, id % 3);
    free(expected);
    return (size_t)id;
}

static bool read_one(struct model *model)
{
    struct journal_record record;
    struct item *item;

    if (journal_read(model->journal, &record) <= 0)
        return false;
    item = &model->items[check_record(model, &record)];
    model->duplicates += item->settled;
    assert_false(item->seen); /* within one opening nothing comes twice */
    item->seen = true;
    item->sequence = record.sequence;
    payload_unref(record.payload);
    return true;
}

static void settle_some(struct model *model)
{
    for (size_t tries = 0; tries < 8 && model->count > 0; tries++) {
        struct item *item = &model->items[disk_random(&model->disk, model->count)];

        if (!item->seen || item->settled)
            continue;
        item->settled = true;
        journal_settle(model->journal, item->sequence);
    }
}

static void crash(struct model *model)
{
    /* The process is gone: what journal_close would write out must not reach the disk. */
    struct filesystem alive = model->disk.filesystem;

    model->disk.failure_percent = 100;
    journal_close(model->journal);
    model->disk.filesystem = alive;
    model->disk.failure_percent = 0;
    disk_crash(&model->disk);
    model->crashes++;
    reopen(model);
}

/* Everything that is owed comes out; what does not is at most one record for each flipped bit. */
static void check_all(struct model *model)
{
    model->disk.failure_percent = 0;
    crash(model);
    while (read_one(model))
        ;
    for (size_t i = 0; i < model->count; i++)
        model->lost += model->items[i].durable && !model->items[i].settled && !model->items[i].seen;
    assert_true(model->lost <= model->flips);
}

static void operate(struct model *model)
{
    uint64_t dice = disk_random(&model->disk, 1000);

    model->operations++;
    if (dice < 350)
        append(model);
    else if (dice < 700)
        read_one(model);
    else if (dice < 960)
        settle_some(model);
    else if (dice < 975)
        journal_flush(model->journal);
    else if (dice < 985)
        model->disk.failure_percent = (unsigned)disk_random(&model->disk, 3) * 10;
    else if (dice < 990)
        model->disk.room = disk_random(&model->disk, 2) == 0 ? disk_random(&model->disk, 20000) : SIZE_MAX;
    else
        crash(model);
}

static void run_model(uint64_t seed, bool flip, struct model *model)
{
    memset(model, 0, sizeof(*model));
    disk_init(&model->disk, seed);
    reopen(model);
    while (model->count + 6 < ITEMS_MAX) {
        operate(model);
        if (flip && disk_random(&model->disk, 300) == 0)
            model->flips += disk_flip(&model->disk, ".seg");
        if (flip && disk_random(&model->disk, 300) == 0)
            disk_flip(&model->disk, ".ack"); /* costs a duplicate, never a record */
    }
    check_all(model);
    journal_close(model->journal);
    disk_fini(&model->disk);
    assert_int_equal(payload_bytes_in_flight(), 0);
}

static void run_many(bool flip)
{
    const char *wanted = getenv("WEIR_JOURNAL_ROUNDS");
    uint64_t rounds = wanted != NULL ? strtoull(wanted, NULL, 10) : 20;
    struct model *model = malloc(sizeof(*model));
    size_t operations = 0, crashes = 0, duplicates = 0, lost = 0, flips = 0;

    for (uint64_t seed = 1; seed <= rounds; seed++) {
        run_model(seed, flip, model);
        operations += model->operations;
        crashes += model->crashes;
        duplicates += model->duplicates;
        lost += model->lost;
        flips += model->flips;
    }
    print_message("%zu operations, %zu crashes, %zu flipped bits: %zu lost to them, %zu duplicates\n", operations, crashes, flips, lost, duplicates);
    free(model);
}

static void nothing_durable_is_lost(void **state)
{
    (void)state;
    run_many(false);
}

static void damage_costs_what_it_hit(void **state)
{
    (void)state;
    run_many(true);
}

static void settled_segments_go_and_the_limit_holds(void **state)
{
    struct journal_settings bounded = { .segment_bytes = 4096, .max_bytes = 64 * 1024, .sync = true };
    uint8_t bytes[1000] = { 1 };
    struct slice part = slice_of(bytes, sizeof(bytes));
    struct journal_item item = { &part, 1, 10, 0 };
    struct journal_record record;
    struct journal *journal;
    struct disk disk;
    struct error err;
    size_t written = 0;

    (void)state;
    disk_init(&disk, 7);
    journal = journal_open(&disk.filesystem, &bounded, &err);
    while (journal_append(journal, &item, 1) == 0)
        written++;
    assert_int_equal(written, 64 * 1024 / (1000 + JOURNAL_HEADER_SIZE));
    assert_int_equal(journal_stats(journal).requests, written);
    assert_int_equal(journal_stats(journal).records, written * 10);
    for (size_t i = 0; i < written; i++) {
        assert_int_equal(journal_read(journal, &record), 1);
        payload_unref(record.payload);
        journal_settle(journal, record.sequence);
    }
    assert_int_equal(journal_read(journal, &record), 0);
    assert_int_equal(journal_stats(journal).requests, 0);
    assert_true(journal_stats(journal).segments <= 1);
    assert_int_equal(journal_append(journal, &item, 1), 0); /* room again */
    journal_close(journal);
    disk_fini(&disk);
}

static void headers_are_found_behind_rubbish(void **state)
{
    uint8_t bytes[200];
    struct record_header header = { .sequence = 77, .size = 5, .records = 3, .signal = 2 }, read;

    (void)state;
    memset(bytes, 'W', sizeof(bytes));
    record_header_write(&header, bytes + 100);
    assert_int_equal(record_header_find(slice_of(bytes, sizeof(bytes))), 100);
    assert_true(record_header_read(bytes + 100, &read));
    assert_int_equal(read.sequence, 77);
    for (size_t bit = 0; bit < JOURNAL_HEADER_SIZE * 8; bit++) {
        bytes[100 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(record_header_read(bytes + 100, &read));
        bytes[100 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < 140; cut++)
        assert_int_equal(record_header_find(slice_of(bytes, cut)), cut < 140 ? cut : 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found_behind_rubbish),
        cmocka_unit_test(settled_segments_go_and_the_limit_holds),
        cmocka_unit_test(nothing_durable_is_lost),
        cmocka_unit_test(damage_costs_what_it_hit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
