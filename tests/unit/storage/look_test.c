/*
 * Looking at a journal's folder from outside: while it is open, after damage, and cut off at every byte. What is whole must be found,
 * nothing may be changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/storage/holder.h"
#include "collector/storage/journal.h"
#include "collector/storage/look.h"

#include <cmocka.h>

struct fixture {
    char path[64];
    struct folder *folder;
    struct journal *journal;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->path, sizeof(fixture->path), "/tmp/weir-look-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    *state = fixture;
    return 0;
}

static void close_journal(struct fixture *fixture)
{
    journal_close(fixture->journal);
    folder_close(fixture->folder);
    fixture->journal = NULL;
    fixture->folder = NULL;
}

static void remove_file(void *argument, const char *name)
{
    const struct filesystem *filesystem = argument;

    filesystem->remove(filesystem->context, name);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct filesystem *filesystem;

    close_journal(fixture);
    fixture->folder = folder_open(fixture->path, NULL);
    filesystem = (struct filesystem *)(uintptr_t)folder_filesystem(fixture->folder);
    filesystem->list(filesystem->context, remove_file, filesystem);
    folder_close(fixture->folder);
    assert_int_equal(rmdir(fixture->path), 0);
    free(fixture);
    return 0;
}

static void open_journal(struct fixture *fixture, uint64_t segment_bytes)
{
    const struct journal_settings settings = { .segment_bytes = segment_bytes };

    fixture->folder = folder_open(fixture->path, NULL);
    assert_non_null(fixture->folder);
    fixture->journal = journal_open(folder_filesystem(fixture->folder), &settings, NULL);
    assert_non_null(fixture->journal);
}

/* Payload i is i + 1 bytes of the value i. */
static void append(struct fixture *fixture, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        uint8_t bytes[256];
        struct slice part = slice_of(bytes, i + 1);
        struct journal_item item = { &part, 1, (uint32_t)i * 10, (uint8_t)(i % 3) };

        memset(bytes, (int)i, sizeof(bytes));
        assert_int_equal(journal_append(fixture->journal, &item, 1), 0);
    }
}

struct seen {
    size_t segments, records, settled, damaged, bad_payloads, torn_bytes;
    bool whole[256]; /* which payloads came out as they went in */
};

static void see_record(struct look *look, const struct look_record *record, struct seen *seen)
{
    struct buffer payload = { 0 };
    int result = look_read(look, record, &payload);

    seen->records++;
    seen->settled += record->settled;
    if (result != 0) {
        assert_int_equal(result, -EBADMSG);
        seen->bad_payloads++;
    } else {
        assert_true(payload.size > 0 && payload.size <= 256);
        for (size_t i = 0; i < payload.size; i++)
            assert_int_equal(payload.data[i], payload.size - 1);
        assert_int_equal(record->records, (payload.size - 1) * 10);
        seen->whole[payload.size - 1] = true;
    }
    buffer_fini(&payload);
}

static void see(const char *path, struct seen *seen)
{
    struct folder *folder = folder_open_looking(path, NULL);
    struct look *look = look_open(folder_filesystem(folder), NULL);
    struct look_record record;

    *seen = (struct seen){ 0 };
    while (look_next_segment(look) == 1) {
        while (look_next_record(look, &record))
            see_record(look, &record, seen);
        seen->segments++;
        seen->damaged += look_segment(look)->damaged;
        seen->torn_bytes += look_segment(look)->torn_bytes;
    }
    look_close(look);
    folder_close(folder);
}

static void while_it_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct journal_record record;
    struct folder_holder holder;
    struct error err;
    struct seen seen;
    char number[24];

    open_journal(fixture, 1000);
    append(fixture, 0, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(journal_read(fixture->journal, &record), 1);
        if (i % 10 != 0)
            journal_settle(fixture->journal, record.sequence);
        payload_unref(record.payload);
    }
    journal_flush(fixture->journal);
    see(fixture->path, &seen);
    assert_true(seen.segments > 5);
    assert_int_equal(seen.records - seen.settled, 10);
    assert_int_equal(seen.damaged + seen.bad_payloads + seen.torn_bytes, 0);
    for (size_t i = 0; i < 100; i += 10)
        assert_true(seen.whole[i]);
    /* the lock names who has it */
    assert_null(folder_open(fixture->path, &err));
    snprintf(number, sizeof(number), "process with the number %d uses ", (int)getpid());
    assert_non_null(strstr(err.message, number));
    if (folder_find_holder(fixture->path, &holder)) /* needs /proc/locks */
        assert_int_equal(holder.process, getpid());
    close_journal(fixture);
    assert_false(folder_find_holder(fixture->path, &holder));
}

static void nothing_is_changed(void **state)
{
    struct fixture *fixture = *state;
    struct folder *folder;
    const struct filesystem *filesystem;
    char byte = 'x';
    int handle;

    open_journal(fixture, 0);
    append(fixture, 0, 3);
    folder = folder_open_looking(fixture->path, NULL);
    filesystem = folder_filesystem(folder);
    assert_true(filesystem->open(filesystem->context, "new", true) < 0);
    assert_true(filesystem->remove(filesystem->context, "0000000000000000.seg") < 0);
    handle = filesystem->open(filesystem->context, "0000000000000000.seg", false);
    assert_true(handle >= 0);
    assert_true(filesystem->write(filesystem->context, handle, 0, &(struct iovec){ &byte, 1 }, 1) < 0);
    assert_true(filesystem->truncate(filesystem->context, handle, 0) < 0);
    filesystem->close(filesystem->context, handle);
    folder_close(folder);
}

static void cut_at_every_byte(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    struct stat status;
    struct seen seen;
    size_t end = 0, whole = 0;

    open_journal(fixture, 0);
    append(fixture, 0, 20);
    close_journal(fixture);
    snprintf(path, sizeof(path), "%s/0000000000000000.seg", fixture->path);
    assert_int_equal(stat(path, &status), 0);
    for (off_t size = status.st_size; size >= 0; size--) {
        assert_int_equal(truncate(path, size), 0);
        for (whole = 0, end = 0; end + JOURNAL_HEADER_SIZE + whole + 1 <= (size_t)size; whole++)
            end += JOURNAL_HEADER_SIZE + whole + 1;
        see(fixture->path, &seen);
        assert_int_equal(seen.records, whole);
        assert_int_equal(seen.torn_bytes, (size_t)size - end);
        assert_int_equal(seen.damaged + seen.bad_payloads, 0);
    }
}

static void flip(const char *path, off_t offset)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static void flipped_at_every_byte(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    struct stat status;

    open_journal(fixture, 0);
    append(fixture, 0, 12);
    close_journal(fixture);
    snprintf(path, sizeof(path), "%s/0000000000000000.seg", fixture->path);
    assert_int_equal(stat(path, &status), 0);
    for (off_t at = 0; at < status.st_size; at++) {
        struct seen seen;
        size_t whole = 0;

        flip(path, at);
        see(fixture->path, &seen);
        flip(path, at);
        for (size_t i = 0; i < 12; i++)
            whole += seen.whole[i];
        assert_int_equal(whole, 11); /* it costs the record that it hit, and no other */
        assert_true(seen.damaged + seen.bad_payloads + (seen.torn_bytes > 0) == 1);
    }
}

/* Segments that somebody renamed or removed, and an ack file full of nonsense. */
static void strange_folders(void **state)
{
    struct fixture *fixture = *state;
    char from[128], to[128];
    struct seen seen;
    FILE *file;

    open_journal(fixture, 500);
    append(fixture, 0, 60);
    close_journal(fixture);
    see(fixture->path, &seen);
    assert_int_equal(seen.records, 60);
    snprintf(from, sizeof(from), "%s/0000000000000000.seg", fixture->path);
    snprintf(to, sizeof(to), "%s/fffffffffffffff0.seg", fixture->path);
    assert_int_equal(rename(from, to), 0);
    snprintf(to, sizeof(to), "%s/0000000000000003.seg", fixture->path);
    file = fopen(to, "w");
    fclose(file);
    snprintf(to, sizeof(to), "%s/0000000000000003.ack", fixture->path);
    file = fopen(to, "w");
    for (int i = 0; i < 1000; i++)
        fputc(i * 7, file);
    fclose(file);
    see(fixture->path, &seen);
    assert_true(seen.records < 60 && seen.records > 30);
}

static void name_of_second(const char *path, char out[128])
{
    struct folder *folder = folder_open_looking(path, NULL);
    struct look *look = look_open(folder_filesystem(folder), NULL);

    assert_int_equal(look_next_segment(look), 1);
    assert_int_equal(look_next_segment(look), 1);
    snprintf(out, 128, "%s/%s", path, look_segment(look)->name);
    look_close(look);
    folder_close(folder);
}

/* The journal itself passes over a gap of any size between two segments. */
static void renamed_far_away(void **state)
{
    struct fixture *fixture = *state;
    char from[128], to[128];
    struct journal_record record;
    size_t read = 0;

    open_journal(fixture, 500);
    append(fixture, 0, 12);
    close_journal(fixture);
    name_of_second(fixture->path, from);
    snprintf(to, sizeof(to), "%s/fffffffffffffff0.seg", fixture->path);
    assert_int_equal(rename(from, to), 0);
    open_journal(fixture, 500);
    while (journal_read(fixture->journal, &record) == 1) {
        payload_unref(record.payload);
        read++;
    }
    assert_true(read >= 6); /* the segment whose name is wrong may be lost, the one before it not */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(while_it_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flipped_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strange_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(renamed_far_away, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
