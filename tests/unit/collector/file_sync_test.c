/*
 * The file exporter with fsync: answers wait for the sync, share it, and learn of its failure. fdatasync is this file's own: it can be held,
 * fail, and is counted.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/log.h"
#include "tests/unit/collector/exporter_harness.h"

extern const struct component_type file_exporter;

static char folder[] = "/tmp/weir_file_sync_XXXXXX";
static atomic_bool held, failing;
static atomic_int started, ended;

int fdatasync(int fd)
{
    bool fails;

    atomic_fetch_add(&started, 1);
    while (atomic_load(&held))
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    fails = atomic_load(&failing);
    atomic_fetch_add(&ended, 1);
    errno = EIO;
    return fails ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static int make_folder(void **state)
{
    (void)state;
    log_configure(&(struct log_settings){ .level = LOG_ERROR + 1, .fd = 2 });
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[200];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void start(struct harness *harness, const char *name, const char *options)
{
    char yaml[300];

    atomic_store(&held, false);
    atomic_store(&failing, false);
    atomic_store(&started, 0);
    atomic_store(&ended, 0);
    snprintf(yaml, sizeof(yaml), "{path: %s/%s, fsync: true%s}", folder, name, options);
    harness_start(harness, &file_exporter, yaml);
}

static size_t lines_of(const char *name)
{
    char path[300];
    size_t lines = 0;
    FILE *file;
    int byte;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    assert_non_null(file);
    while ((byte = fgetc(file)) != EOF)
        lines += byte == '\n';
    fclose(file);
    return lines;
}

static void wait_until_equal(size_t (*read)(void *context), void *context, size_t wanted)
{
    for (int i = 0; i < 10000 && read(context) != wanted; i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    assert_int_equal(read(context), wanted);
}

static size_t read_lines(void *context)
{
    return lines_of(context);
}

static size_t read_started(void *context)
{
    (void)context;
    return (size_t)atomic_load(&started);
}

/* A sender on a thread of its own. */
struct sender {
    struct harness *harness;
    pthread_t thread;
    const char *text;
    size_t messages;
    atomic_int told;
    struct outcome outcome; /* the last one */
};

static void *run_sender(void *context)
{
    struct sender *sender = context;

    for (size_t i = 0; i < sender->messages; i++) {
        sender->outcome = harness_send_logs(sender->harness, sender->text, 1);
        atomic_fetch_add(&sender->told, 1);
    }
    return NULL;
}

static void start_sender(struct sender *sender, struct harness *harness, const char *text, size_t messages)
{
    *sender = (struct sender){ .harness = harness, .text = text, .messages = messages };
    assert_int_equal(pthread_create(&sender->thread, NULL, run_sender, sender), 0);
}

static void an_answer_waits_for_the_sync(void **state)
{
    struct harness harness;
    struct sender sender;

    (void)state;
    start(&harness, "one", "");
    atomic_store(&held, true);
    start_sender(&sender, &harness, "text", 1);
    wait_until_equal(read_started, NULL, 1);
    assert_int_equal(lines_of("one"), 1); /* written */
    assert_int_equal(atomic_load(&sender.told), 0);
    atomic_store(&held, false);
    pthread_join(sender.thread, NULL);
    assert_int_equal(sender.outcome.verdict, VERDICT_ACCEPTED);
    assert_int_equal(atomic_load(&ended), 1);
    harness_stop(&harness);
}

static void what_is_written_during_a_sync_shares_the_next(void **state)
{
    struct harness harness;
    struct sender senders[9];
    char name[] = "many";

    (void)state;
    start(&harness, name, "");
    atomic_store(&held, true);
    start_sender(&senders[0], &harness, "text", 1);
    wait_until_equal(read_started, NULL, 1);
    for (size_t i = 1; i < 9; i++)
        start_sender(&senders[i], &harness, "text", 1);
    wait_until_equal(read_lines, name, 9);
    assert_int_equal(atomic_load(&started), 1);
    atomic_store(&held, false);
    for (size_t i = 0; i < 9; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].outcome.verdict, VERDICT_ACCEPTED);
    }
    assert_int_equal(atomic_load(&ended), 2);
    harness_stop(&harness);
}

static void a_failed_sync_is_a_retry_and_leaves_nothing_behind(void **state)
{
    struct harness harness;
    struct sender senders[4];
    char name[] = "failing";

    (void)state;
    start(&harness, name, "");
    assert_int_equal(harness_send_logs(&harness, "first", 1).verdict, VERDICT_ACCEPTED);
    atomic_store(&held, true);
    atomic_store(&failing, true);
    for (size_t i = 0; i < 4; i++)
        start_sender(&senders[i], &harness, "text", 1);
    wait_until_equal(read_lines, name, 5); /* those who wrote during the sync hear of its failure too */
    atomic_store(&held, false);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].outcome.verdict, VERDICT_RETRY);
        assert_string_equal(senders[i].outcome.reason, "io_error");
    }
    assert_int_equal(lines_of(name), 1);
    atomic_store(&failing, false);
    assert_int_equal(harness_send_logs(&harness, "again", 1).verdict, VERDICT_ACCEPTED);
    assert_int_equal(lines_of(name), 2);
    harness_stop(&harness);
}

static size_t lines_of_all(const char *beginning)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    size_t lines = 0;

    while ((entry = readdir(directory)) != NULL)
        if (strncmp(entry->d_name, beginning, strlen(beginning)) == 0)
            lines += lines_of(entry->d_name);
    closedir(directory);
    return lines;
}

static void rotation_waits_for_those_who_wait(void **state)
{
    struct harness harness;
    struct sender senders[6];
    char *text = calloc(1, 60001);

    (void)state;
    memset(text, 'x', 60000);
    start(&harness, "rotated.json", ", rotation: {max_megabytes: 1, max_backups: 0}");
    for (size_t i = 0; i < 6; i++)
        start_sender(&senders[i], &harness, text, 40);
    for (size_t i = 0; i < 6; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].outcome.verdict, VERDICT_ACCEPTED);
    }
    harness_stop(&harness);
    assert_int_equal(lines_of_all("rotated"), 240);
    free(text);
}

static void a_removed_file_is_made_again_by_several(void **state)
{
    struct harness harness;
    struct sender senders[3];
    char name[] = "removed", path[100];

    (void)state;
    start(&harness, name, "");
    atomic_store(&held, true);
    start_sender(&senders[0], &harness, "text", 1);
    wait_until_equal(read_started, NULL, 1);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
    start_sender(&senders[1], &harness, "text", 1);
    start_sender(&senders[2], &harness, "text", 1);
    atomic_store(&held, false);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].outcome.verdict, VERDICT_ACCEPTED);
    }
    harness_stop(&harness);
    assert_int_equal(lines_of(name), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_waits_for_the_sync),
        cmocka_unit_test(what_is_written_during_a_sync_shares_the_next),
        cmocka_unit_test(a_failed_sync_is_a_retry_and_leaves_nothing_behind),
        cmocka_unit_test(rotation_waits_for_those_who_wait),
        cmocka_unit_test(a_removed_file_is_made_again_by_several),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
