/*
 * Damage to a journal that is closed: segments renamed, copied, removed, cut and flipped at every byte, and limits that change between
 * two runs. Each record comes out once, but for those that were hit.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/storage/journal.h"
#include "tests/unit/storage/simulated_disk.h"

#include <cmocka.h>

enum { RECORDS = 60, PAYLOAD = 200, RECORD = PAYLOAD + JOURNAL_HEADER_SIZE };

static const struct journal_settings small = { .segment_bytes = 2048, .sync = true };

/* A closed journal of many small segments; nothing is settled. */
static void fill(struct disk *disk, const struct journal_settings *settings)
{
    struct journal *journal;
    struct error err;

    disk_init(disk, 11);
    journal = journal_open(&disk->filesystem, settings, &err);
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint8_t bytes[PAYLOAD] = { (uint8_t)i };
        struct slice part = slice_of(bytes, sizeof(bytes));

        assert_int_equal(journal_append(journal, &(struct journal_item){ &part, 1, 1, 0 }, 1), 0);
    }
    assert_true(journal_stats(journal).segments > 5);
    journal_close(journal);
}

/* Opens it and counts what comes out, each record once. */
static size_t count(struct disk *disk, const struct journal_settings *settings)
{
    bool seen[RECORDS] = { false };
    struct journal_record record;
    struct error err;
    struct journal *journal = journal_open(&disk->filesystem, settings, &err);
    size_t count = 0;

    assert_non_null(journal);
    while (journal_read(journal, &record) > 0) {
        assert_false(seen[record.payload->data[0]]);
        seen[record.payload->data[0]] = true;
        count++;
        payload_unref(record.payload);
    }
    journal_close(journal);
    disk_fini(disk);
    return count;
}

/* The nth segment's name, and the same with another number. */
static void names_of(struct disk *disk, size_t nth, int64_t shift, char name[24], char other[24])
{
    uint64_t first = 0;

    for (size_t i = 0; i < DISK_FILES; i++) {
        if (disk->files[i].named && strstr(disk->files[i].name, ".seg") != NULL && nth-- == 0) {
            snprintf(name, 24, "%s", disk->files[i].name);
            first = strtoull(name, NULL, 16);
            snprintf(other, 24, "%016llx.seg", (unsigned long long)(first + (uint64_t)shift));
            return;
        }
    }
    fail_msg("there are not so many segments");
}

static const int64_t shifts[] = { -1, 1, 2, 5, 1000, INT64_C(1) << 40 };

static void a_renamed_segment_gets_its_name_back(void **state)
{
    char name[24], other[24];
    struct disk disk;

    (void)state;
    for (size_t nth = 1; nth < 7; nth++) {
        for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
            fill(&disk, &small);
            names_of(&disk, nth, shifts[i], name, other);
            assert_int_equal(disk.filesystem.rename(&disk, name, other), 0);
            assert_int_equal(count(&disk, &small), RECORDS);
        }
    }
}

static void a_copy_of_a_segment_is_set_aside(void **state)
{
    const struct filesystem *fs;
    uint8_t bytes[4096];
    char name[24], other[24];
    struct disk disk;

    (void)state;
    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        fill(&disk, &small);
        fs = &disk.filesystem;
        names_of(&disk, 2, shifts[i], name, other);
        int64_t size = fs->read(&disk, fs->open(&disk, name, false), 0, bytes, sizeof(bytes));
        struct iovec part = { bytes, (size_t)size };
        assert_int_equal(fs->write(&disk, fs->open(&disk, other, true), 0, &part, 1), 0);
        assert_int_equal(count(&disk, &small), RECORDS);
    }
}

static void a_missing_segment_costs_what_was_in_it(void **state)
{
    char name[24], other[24];
    struct disk disk;

    (void)state;
    for (size_t nth = 0; nth < 7; nth++) {
        fill(&disk, &small);
        names_of(&disk, nth, 0, name, other);
        disk.filesystem.remove(&disk, name);
        assert_in_range(count(&disk, &small), RECORDS - 9, RECORDS - 1);
    }
}

static void the_end_of_the_last_segment_is_counted_when_it_was_a_record(void **state)
{
    const struct journal_settings large = { .sync = true };
    struct error err;

    (void)state;
    for (size_t back = 1; back <= 2 * (RECORD); back++) {
        struct disk disk;
        struct journal *journal;
        struct disk_file *file;

        fill(&disk, &small);
        file = &disk.files[0];
        for (size_t i = 0; i < DISK_FILES; i++)
            if (disk.files[i].named && strcmp(disk.files[i].name, file->name) > 0)
                file = &disk.files[i];
        file->now[file->size - back] ^= 1;
        journal = journal_open(&disk.filesystem, &large, &err);
        if (back <= RECORD) {
            assert_int_equal(journal_stats(journal).corrupt, 1);
            assert_int_equal(journal_stats(journal).torn_bytes, RECORD);
        }
        journal_close(journal);
        assert_in_range(count(&disk, &large), RECORDS - 1, RECORDS - 1);
    }
}

/* The nth segment's file. */
static struct disk_file *file_of(struct disk *disk, size_t nth)
{
    char name[24], other[24];

    names_of(disk, nth, 0, name, other);
    return &disk->files[disk->filesystem.open(disk, name, false)];
}

static void a_flip_costs_the_record_it_hit(void **state)
{
    (void)state;
    for (size_t nth = 0; nth < 7; nth += 3) {
        for (size_t at = 0;; at++) {
            struct disk disk;
            struct disk_file *file;

            fill(&disk, &small);
            file = file_of(&disk, nth);
            if (at >= file->size) {
                disk_fini(&disk);
                break;
            }
            file->now[at] ^= (uint8_t)(1 << at % 8);
            assert_int_equal(count(&disk, &small), RECORDS - 1);
        }
    }
}

static void a_cut_costs_what_is_behind_it(void **state)
{
    (void)state;
    for (size_t nth = 0; nth < 7; nth += 3) {
        for (size_t size = 0;; size++) {
            struct disk disk;
            struct disk_file *file;
            size_t lost;

            fill(&disk, &small);
            file = file_of(&disk, nth);
            if (size > file->size) {
                disk_fini(&disk);
                break;
            }
            lost = file->size / RECORD - size / RECORD;
            assert_int_equal(disk.filesystem.truncate(&disk, (int)(file - disk.files), size), 0);
            assert_int_equal(count(&disk, &small), RECORDS - lost);
        }
    }
}

static void what_is_appended_after_damage_is_kept(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= 3 * RECORD; cut += 7) {
        uint8_t bytes[PAYLOAD] = { 0 };
        struct slice part = slice_of(bytes, sizeof(bytes));
        struct journal_record record;
        struct journal *journal;
        struct disk_file *file;
        struct error err;
        struct disk disk;
        size_t come = 0;

        fill(&disk, &small);
        file = file_of(&disk, 6);
        disk.filesystem.truncate(&disk, (int)(file - disk.files), file->size > cut ? file->size - cut : 0);
        journal = journal_open(&disk.filesystem, &small, &err);
        for (bytes[0] = 100; bytes[0] < 120; bytes[0]++)
            assert_int_equal(journal_append(journal, &(struct journal_item){ &part, 1, 1, 0 }, 1), 0);
        journal_close(journal);
        journal = journal_open(&disk.filesystem, &small, &err);
        while (journal_read(journal, &record) > 0) {
            come += record.payload->data[0] >= 100;
            payload_unref(record.payload);
            journal_settle(journal, record.sequence);
        }
        assert_int_equal(come, 20);
        assert_int_equal(journal_stats(journal).requests, 0);
        journal_close(journal);
        disk_fini(&disk);
    }
}

static void limits_may_change_between_two_runs(void **state)
{
    static const struct journal_settings others[] = {
        { .segment_bytes = 500, .sync = true },
        { .segment_bytes = 1 << 20, .sync = true },
        { .segment_bytes = 2048, .max_bytes = 1000, .sync = true }, /* less than there is */
        { .segment_bytes = 2048, .max_record = PAYLOAD, .sync = false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        uint8_t bytes[PAYLOAD] = { 200 };
        struct slice part = slice_of(bytes, sizeof(bytes));
        struct journal *journal;
        struct error err;
        struct disk disk;

        fill(&disk, &small);
        journal = journal_open(&disk.filesystem, &others[i], &err);
        assert_int_equal(journal_append(journal, &(struct journal_item){ &part, 1, 1, 0 }, 1), others[i].max_bytes != 0 ? -ENOSPC : 0);
        journal_close(journal);
        for (size_t k = 0; k < DISK_FILES; k++) /* the new record is not counted with the others */
            if (disk.files[k].named && strstr(disk.files[k].name, "000000000000003c.seg") != NULL)
                disk.filesystem.remove(&disk, disk.files[k].name);
        assert_int_equal(count(&disk, &others[i]), RECORDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_renamed_segment_gets_its_name_back),
        cmocka_unit_test(a_copy_of_a_segment_is_set_aside),
        cmocka_unit_test(a_missing_segment_costs_what_was_in_it),
        cmocka_unit_test(the_end_of_the_last_segment_is_counted_when_it_was_a_record),
        cmocka_unit_test(a_flip_costs_the_record_it_hit),
        cmocka_unit_test(a_cut_costs_what_is_behind_it),
        cmocka_unit_test(what_is_appended_after_damage_is_kept),
        cmocka_unit_test(limits_may_change_between_two_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
