/*
 * The disk queue's journal against the plainest thing that can be done: write and fdatasync of the same bytes in the same groups.
 *
 * usage: queue_bench FOLDER [GIBIBYTES [KIBIBYTES_OF_A_REQUEST [REQUESTS_OF_A_GROUP]]]
 *
 * Prints one line of JSON: MB/s of payload appended with a sync for each group, the same drained and settled, the same as
 * plain write + fdatasync and plain read (before and after it; the better of the two, so that what else the disk does is not held
 * against it), and resident memory before, with the whole backlog, and at the end. Every byte that comes out is checked by the
 * journal (CRC-32C) and by length.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/storage/journal.h"

struct bench {
    const char *folder;
    uint64_t total; /* bytes of payload */
    size_t request_size, group;
    uint8_t *payload; /* owned; of one group, not compressible */
};

static void die(const char *what, int error)
{
    fprintf(stderr, "queue_bench: %s: %s\n", what, strerror(error));
    exit(1);
}

static double seconds_since(int64_t start_ns)
{
    return (double)(clock_monotonic_nanos() - start_ns) / (double)NANOS_PER_SECOND;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (file != NULL && fscanf(file, "%*d %20ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static struct journal *open_journal(const struct bench *bench, struct folder **folder)
{
    const struct journal_settings settings = { .sync = true };
    struct error err;
    struct journal *journal;

    *folder = folder_open(bench->folder, &err);
    journal = *folder != NULL ? journal_open(folder_filesystem(*folder), &settings, &err) : NULL;
    if (journal == NULL)
        die(err.message, 0);
    return journal;
}

static double append_all(const struct bench *bench, struct journal *journal)
{
    struct journal_item *items = calloc(bench->group, sizeof(*items));
    struct slice *parts = calloc(bench->group, sizeof(*parts));
    int64_t start = clock_monotonic_nanos();
    double seconds;

    for (size_t i = 0; i < bench->group; i++) {
        parts[i] = slice_of(bench->payload + i * bench->request_size, bench->request_size);
        items[i] = (struct journal_item){ &parts[i], 1, 100, 0 };
    }
    for (uint64_t done = 0; done < bench->total; done += bench->group * bench->request_size) {
        int result = journal_append(journal, items, bench->group);

        if (result != 0)
            die("could not append", -result);
    }
    seconds = seconds_since(start);
    free(items);
    free(parts);
    return seconds;
}

static double drain_all(const struct bench *bench, struct journal *journal)
{
    int64_t start = clock_monotonic_nanos();
    struct journal_record record;
    uint64_t count = 0;

    while (journal_read(journal, &record) > 0) {
        count += record.payload->size == bench->request_size;
        payload_unref(record.payload);
        journal_settle(journal, record.sequence);
    }
    if (count * bench->request_size < bench->total)
        die("not everything came out", ENODATA);
    return seconds_since(start);
}

/* The same bytes in files of the same size, one write and one fdatasync for a group; they are removed as they are read. */
struct plain {
    double write_seconds, read_seconds;
};

static void keep_better(struct plain *best, double write_seconds, double read_seconds)
{
    if (best->write_seconds == 0 || write_seconds < best->write_seconds)
        best->write_seconds = write_seconds;
    if (best->read_seconds == 0 || read_seconds < best->read_seconds)
        best->read_seconds = read_seconds;
}

static void run_plain(const struct bench *bench, struct plain *best)
{
    size_t group_size = bench->group * bench->request_size;
    uint64_t files = 0, at = 0, segment = UINT64_C(32) << 20;
    int64_t start = clock_monotonic_nanos();
    double write_seconds;
    char path[600];
    int fd = -1;
    ssize_t got;

    for (uint64_t done = 0; done < bench->total; done += group_size, at += group_size) {
        if (fd < 0 || at >= segment) {
            if (fd >= 0)
                close(fd);
            snprintf(path, sizeof(path), "%s/plain-%llu", bench->folder, (unsigned long long)files++);
            fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            at = 0;
        }
        if (fd < 0 || write(fd, bench->payload, group_size) != (ssize_t)group_size || fdatasync(fd) != 0)
            die(path, errno);
    }
    close(fd);
    write_seconds = seconds_since(start);
    start = clock_monotonic_nanos();
    for (uint64_t i = 0; i < files; i++) {
        snprintf(path, sizeof(path), "%s/plain-%llu", bench->folder, (unsigned long long)i);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        while ((got = read(fd, bench->payload, bench->request_size)) > 0)
            continue;
        close(fd);
        unlink(path);
    }
    keep_better(best, write_seconds, seconds_since(start));
}

static void read_arguments(struct bench *bench, int count, char **arguments)
{
    if (count < 2) {
        fputs("usage: queue_bench FOLDER [GIBIBYTES [KIBIBYTES_OF_A_REQUEST [REQUESTS_OF_A_GROUP]]]\n", stderr);
        exit(2);
    }
    bench->folder = arguments[1];
    if (count > 2)
        bench->total = (uint64_t)(strtod(arguments[2], NULL) * (double)(1 << 30));
    if (count > 3)
        bench->request_size = strtoul(arguments[3], NULL, 10) << 10;
    if (count > 4)
        bench->group = strtoul(arguments[4], NULL, 10);
    bench->payload = malloc(bench->group * bench->request_size);
    if (bench->payload == NULL)
        die("memory", ENOMEM);
    for (size_t i = 0; i < bench->group * bench->request_size; i++)
        bench->payload[i] = (uint8_t)(i * 2654435761U >> 13);
}

int main(int count, char **arguments)
{
    struct bench bench = { .total = UINT64_C(1) << 30, .request_size = 40 << 10, .group = 64 };
    struct plain plain = { 0, 0 };
    double append, drain, open_ms;
    long before, backlog, end;
    struct folder *folder;
    struct journal *journal;
    int64_t start;

    read_arguments(&bench, count, arguments);
    run_plain(&bench, &plain);
    journal = open_journal(&bench, &folder);
    before = resident_kib();
    append = append_all(&bench, journal);
    journal_close(journal);
    folder_close(folder);
    start = clock_monotonic_nanos();
    journal = open_journal(&bench, &folder);
    open_ms = seconds_since(start) * 1000;
    backlog = resident_kib();
    drain = drain_all(&bench, journal);
    end = resident_kib();
    journal_close(journal);
    folder_close(folder);
    run_plain(&bench, &plain);
    printf("{\"mebibytes\": %llu, \"append_mb_s\": %.0f, \"plain_write_mb_s\": %.0f, \"drain_mb_s\": %.0f, \"plain_read_mb_s\": %.0f, "
           "\"open_ms\": %.1f, \"rss_before_kib\": %ld, \"rss_backlog_kib\": %ld, \"rss_end_kib\": %ld}\n",
        (unsigned long long)(bench.total >> 20), (double)bench.total / append / 1e6, (double)bench.total / plain.write_seconds / 1e6,
        (double)bench.total / drain / 1e6, (double)bench.total / plain.read_seconds / 1e6, open_ms, before, backlog, end);
    free(bench.payload);
    return 0;
}
