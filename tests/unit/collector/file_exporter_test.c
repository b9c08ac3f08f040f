/* The file exporter, in a folder of its own: formats, rotation, group_by, append, and disks that are full. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/net/compress.h"
#include "collector/wire/json.h"
#include "exporters/file/form.h"
#include "exporters/file/grouping.h"
#include "exporters/file/rotation.h"
#include "tests/unit/collector/exporter_harness.h"

extern const struct component_type file_exporter;

static char folder[] = "/tmp/weir_file_exporter_XXXXXX";

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

/* Each test has a folder of its own within. */
static const char *fresh_folder(void)
{
    static char path[64];
    static int count;

    snprintf(path, sizeof(path), "%s/%d", folder, count++);
    assert_int_equal(mkdir(path, 0755), 0);
    return path;
}

static struct buffer read_file(const char *format, ...)
{
    struct buffer content = { 0 };
    char path[500];
    va_list arguments;
    FILE *file;
    int byte;

    va_start(arguments, format);
    vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("there is no %s", path);
    while ((byte = fgetc(file)) != EOF)
        buffer_append_byte(&content, (uint8_t)byte);
    fclose(file);
    return content;
}

static void write_file(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

static size_t count_lines(const struct buffer *content)
{
    size_t lines = 0;

    for (size_t i = 0; i < content->size; i++)
        lines += content->data[i] == '\n';
    return lines;
}

static void start(struct harness *harness, const char *format, ...)
{
    char yaml[1000];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(yaml, sizeof(yaml), format, arguments);
    va_end(arguments);
    harness_start(harness, &file_exporter, yaml);
}

static void assert_accepted(struct outcome outcome)
{
    assert_int_equal(outcome.verdict, VERDICT_ACCEPTED);
}

/* ---- formats ---- */

static void test_json_lines(void **state)
{
    const char *here = fresh_folder();
    struct buffer request = { 0 }, expected = { 0 }, content;
    struct harness harness;

    (void)state;
    put_logs(&request, "service.name", "a", "hello\nworld", 2);
    json_write_request(SIGNAL_LOGS, buffer_slice(&request), &expected);
    buffer_append_byte(&expected, '\n');
    start(&harness, "{path: %s/a.json}", here);
    assert_accepted(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)));
    content = read_file("%s/a.json", here); /* there already, without any flush */
    assert_true(slice_equal(buffer_slice(&content), buffer_slice(&expected)));
    buffer_fini(&content);
    assert_accepted(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)));
    harness_stop(&harness);
    content = read_file("%s/a.json", here);
    assert_int_equal(content.size, 2 * expected.size);
    buffer_fini(&content);
    buffer_fini(&expected);
    buffer_fini(&request);
}

static size_t frame_size(const struct buffer *content, size_t at)
{
    const uint8_t *head = content->data + at;

    assert_true(at + 4 <= content->size);
    return (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
}

static void test_framed_formats(void **state)
{
    static const char *const options[] = { "format: proto", "format: proto, compression: zstd", "compression: zstd" };
    struct buffer request = { 0 }, text = { 0 };

    (void)state;
    put_logs(&request, "service.name", "a", "hello hello hello", 20);
    json_write_request(SIGNAL_LOGS, buffer_slice(&request), &text);
    for (size_t i = 0; i < 3; i++) {
        const char *here = fresh_folder();
        struct slice expected = i == 2 ? buffer_slice(&text) : buffer_slice(&request);
        struct payload *payload = NULL;
        struct harness harness;
        struct buffer content;
        size_t size;

        start(&harness, "{path: %s/a, %s}", here, options[i]);
        assert_accepted(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)));
        assert_accepted(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)));
        harness_stop(&harness);
        content = read_file("%s/a", here);
        size = frame_size(&content, 0);
        assert_int_equal(content.size, 2 * (4 + size));
        assert_int_equal(
            inflate_payload(i == 0 ? CODING_IDENTITY : CODING_ZSTD, slice_of(content.data + 4, size), 1 << 20, NULL, &payload), INFLATE_OK);
        assert_true(slice_equal(payload_slice(payload), expected));
        payload_unref(payload);
        buffer_fini(&content);
    }
    buffer_fini(&text);
    buffer_fini(&request);
}

static void test_a_batch_of_several_runs_is_one_message(void **state)
{
    struct buffer one = { 0 }, two = { 0 }, both = { 0 }, expected = { 0 };
    struct slice pieces[2];
    struct file_message message = { 0 };

    (void)state;
    put_logs(&one, "service.name", "a", "first", 1);
    put_logs(&two, "service.name", "b", "second", 1);
    buffer_append_slice(&both, buffer_slice(&one));
    buffer_append_slice(&both, buffer_slice(&two));
    pieces[0] = buffer_slice(&one);
    pieces[1] = buffer_slice(&two);
    json_write_request(SIGNAL_LOGS, buffer_slice(&both), &expected);
    assert_true(file_message_build(&message, &(struct file_request){ SIGNAL_LOGS, pieces, 2 }, &(struct file_form){ 0 }));
    assert_int_equal(message.part_count, 1);
    assert_true(slice_equal(slice_of(message.parts[0].data, message.parts[0].size - 1), buffer_slice(&expected)));
    file_message_fini(&message);
    memset(&message, 0, sizeof(message));
    assert_true(file_message_build(&message, &(struct file_request){ SIGNAL_LOGS, pieces, 2 }, &(struct file_form){ .proto = true }));
    assert_int_equal(message.part_count, 3);
    assert_ptr_equal(message.parts[1].data, one.data); /* not copied */
    assert_int_equal(message.size, 4 + both.size);
    file_message_fini(&message);
    buffer_fini(&one);
    buffer_fini(&two);
    buffer_fini(&both);
    buffer_fini(&expected);
}

/* ---- opening ---- */

static void test_append_and_truncate(void **state)
{
    const char *here = fresh_folder();
    struct harness harness;
    struct buffer content;

    (void)state;
    for (int append = 1; append >= 0; append--) {
        for (int i = 0; i < 2; i++) {
            start(&harness, "{path: %s/a.json, append: %s}", here, append ? "true" : "false");
            assert_accepted(harness_send_logs(&harness, "x", 1));
            harness_stop(&harness);
        }
        content = read_file("%s/a.json", here);
        assert_int_equal(count_lines(&content), append ? 2 : 1);
        buffer_fini(&content);
    }
}

static void test_torn_tails_are_mended(void **state)
{
    const char *here = fresh_folder();
    struct harness harness;
    struct buffer content;
    char path[100];

    (void)state;
    snprintf(path, sizeof(path), "%s/a.json", here);
    write_file(path, "{\"resourceLogs\":[", 17);
    start(&harness, "{path: %s, append: true}", path);
    assert_accepted(harness_send_logs(&harness, "x", 1));
    harness_stop(&harness);
    content = read_file("%s", path);
    assert_true(slice_starts_with(buffer_slice(&content), SLICE("{\"resourceLogs\":[\n{\"resourceLogs\"")));
    assert_int_equal(count_lines(&content), 2);
    buffer_fini(&content);

    snprintf(path, sizeof(path), "%s/a.bin", here);
    for (size_t torn = 0; torn <= 9; torn++) {
        write_file(path, "\0\0\0\2ab\0\0\0\5abcde", torn < 9 ? 6 + torn : 15);
        start(&harness, "{path: %s, append: true, format: proto}", path);
        harness_stop(&harness);
        content = read_file("%s", path);
        assert_int_equal(content.size, torn < 9 ? 6 : 15);
        buffer_fini(&content);
    }
}

static void test_directories(void **state)
{
    const char *here = fresh_folder();
    struct harness harness = { 0 };
    struct stat status;
    char yaml[300], path[100];

    (void)state;
    snprintf(yaml, sizeof(yaml), "{path: %s/x/y/a.json}", here);
    assert_true(harness_fill(&harness, &file_exporter, yaml));
    assert_false(file_exporter.start(harness.exporter, &harness.err));
    assert_non_null(strstr(harness.err.message, "x/y/a.json"));
    file_exporter.stop(harness.exporter);
    harness_discard(&harness);
    start(&harness, "{path: %s/x/y/a.json, create_directory: true, directory_permissions: '0700'}", here);
    harness_stop(&harness);
    snprintf(path, sizeof(path), "%s/x/y", here);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void test_removed_file_is_made_again(void **state)
{
    const char *here = fresh_folder();
    struct harness harness;
    struct buffer content;
    char path[100];

    (void)state;
    snprintf(path, sizeof(path), "%s/a.json", here);
    start(&harness, "{path: %s}", path);
    assert_accepted(harness_send_logs(&harness, "x", 1));
    unlink(path);
    assert_accepted(harness_send_logs(&harness, "x", 1));
    content = read_file("%s", path);
    assert_int_equal(count_lines(&content), 1);
    buffer_fini(&content);
    harness_stop(&harness);
}

static void test_configurations_that_are_refused(void **state)
{
    static const char *const bad[][2] = {
        { "{}", "path" },
        { "{path: ''}", "path" },
        { "{path: a, append: true, rotation: {}}", "rotation" },
        { "{path: a, append: true, compression: zstd}", "compression" },
        { "{path: a, compression: gzip}", "compression" },
        { "{path: a, format: xml}", "format" },
        { "{path: a, encoding: otlp_encoding}", "encoding" },
        { "{path: a, group_by: {enabled: true}}", "exactly one *" },
        { "{path: 'a/*/*', group_by: {enabled: true}}", "exactly one *" },
        { "{path: '*/a', group_by: {enabled: true}}", "begin with *" },
        { "{path: a, directory_permissions: '0755'}", "create_directory" },
        { "{path: a, create_directory: true, directory_permissions: 'rwx'}", "octal" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct harness harness = { 0 };

        if (harness_fill(&harness, &file_exporter, bad[i][0]))
            fail_msg("%s was accepted", bad[i][0]);
        if (strstr(harness.err.message, bad[i][1]) == NULL)
            fail_msg("%s: %s", bad[i][0], harness.err.message);
        harness_discard(&harness);
    }
}

/* ---- rotation ---- */

static size_t count_files(const char *path, const char *part)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    while ((entry = readdir(directory)) != NULL)
        count += strstr(entry->d_name, part) != NULL;
    closedir(directory);
    return count;
}

static void touch(const char *here, const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", here, name);
    write_file(path, "x", 1);
}

static bool there_is(const char *here, const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", here, name);
    return access(path, F_OK) == 0;
}

static void test_backup_names(void **state)
{
    const uint64_t now = UINT64_C(1795241228123000000); /* 2026-11-21T06:07:08.123Z */
    const char *here = fresh_folder();
    struct rotation_settings settings = { 100, 0, 0, false };
    struct error err;
    char path[100];

    (void)state;
    for (int i = 0; i < 2; i++) { /* in the same millisecond: none is lost */
        touch(here, "data.json");
        snprintf(path, sizeof(path), "%s/data.json", here);
        assert_true(rotation_rename(path, &settings, now, &err));
    }
    assert_true(there_is(here, "data-2026-11-21T06-07-08.123.json"));
    assert_true(there_is(here, "data-2026-11-21T06-07-08.124.json"));
    touch(here, "plain");
    snprintf(path, sizeof(path), "%s/plain", here);
    assert_true(rotation_rename(path, &settings, now, &err));
    assert_true(there_is(here, "plain-2026-11-21T06-07-08.123"));
    assert_false(rotation_rename(path, &settings, now, &err));
    settings.localtime = true;
    setenv("TZ", "UTC-2", 1);
    tzset();
    touch(here, "local.txt");
    snprintf(path, sizeof(path), "%s/local.txt", here);
    assert_true(rotation_rename(path, &settings, now, &err));
    assert_true(there_is(here, "local-2026-11-21T08-07-08.123.txt"));
    unsetenv("TZ");
    tzset();
}

static void test_old_backups_are_removed(void **state)
{
    const uint64_t now = UINT64_C(1795241228123000000);
    const char *here = fresh_folder();
    struct rotation_settings settings = { 100, 0, 2, false };
    char path[100];

    (void)state;
    snprintf(path, sizeof(path), "%s/data.json", here);
    touch(here, "data.json");
    touch(here, "data-2026-11-20T00-00-00.000.json");
    touch(here, "data-2026-11-21T00-00-00.000.json");
    touch(here, "data-2026-11-18T00-00-00.000.json");
    touch(here, "data-2026-11-18T00-00-00.000.json.bak");
    touch(here, "data-of-mine.json");
    touch(here, "other-2026-11-18T00-00-00.000.json");
    rotation_clean(path, &settings, now);
    assert_true(there_is(here, "data-2026-11-20T00-00-00.000.json"));
    assert_true(there_is(here, "data-2026-11-21T00-00-00.000.json"));
    assert_false(there_is(here, "data-2026-11-18T00-00-00.000.json"));
    assert_true(there_is(here, "data.json"));
    assert_true(there_is(here, "data-of-mine.json"));
    assert_true(there_is(here, "data-2026-11-18T00-00-00.000.json.bak"));
    assert_true(there_is(here, "other-2026-11-18T00-00-00.000.json"));
    settings = (struct rotation_settings){ 100, 1, 0, false };
    rotation_clean(path, &settings, now);
    assert_false(there_is(here, "data-2026-11-20T00-00-00.000.json"));
    assert_true(there_is(here, "data-2026-11-21T00-00-00.000.json"));
}

static void test_rotation(void **state)
{
    const char *here = fresh_folder();
    char *text = malloc(400 * 1024 + 1);
    struct harness harness;
    struct buffer content;
    struct stat status;
    char path[100];

    (void)state;
    memset(text, 'x', 400 * 1024);
    text[400 * 1024] = '\0';
    start(&harness, "{path: %s/data.json, rotation: {max_megabytes: 1, max_backups: 2}}", here);
    for (int i = 0; i < 9; i++)
        assert_accepted(harness_send_logs(&harness, text, 1));
    harness_stop(&harness);
    assert_int_equal(count_files(here, "data-"), 2); /* of four; two to each file, of at most 1 MiB */
    snprintf(path, sizeof(path), "%s/data.json", here);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size < 500 * 1024);
    start(&harness, "{path: %s/data.json, rotation: {max_megabytes: 1}}", here); /* with rotation the file goes on */
    assert_accepted(harness_send_logs(&harness, text, 1));
    content = read_file("%s", path);
    assert_int_equal(count_lines(&content), 2);
    buffer_fini(&content);
    assert_accepted(harness_send_logs(&harness, text, 4)); /* larger than a file may be: in one of its own */
    harness_stop(&harness);
    content = read_file("%s", path);
    assert_int_equal(count_lines(&content), 1);
    buffer_fini(&content);
    free(text);
}

/* ---- group_by ---- */

static void test_group_paths(void **state)
{
    static const char *const cases[][3] = {
        { "/data/*.json", "a", "/data/a.json" },
        { "/data/*.json", "a/b", "/data/a/b.json" },
        { "/data/*.json", "/etc/passwd", "/data/etc/passwd.json" },
        { "/data/*.json", "../../etc/x", "/data/etc/x.json" },
        { "/data/*.json", "a/../../../x", "/data/x.json" },
        { "/data/p-*.json", "a/b/../c", "/data/p-a/c.json" },
        { "/data/p-*.json", "/../x", "/data/p-_.._x.json" },
        { "/data/*/log", "..", "/data/log" },
        { "data/../*", "a//b/./c", "data/../a/b/c" },
        { "./*.json", "a\nb", "./a_b.json" },
        { "/data/*", "..", NULL },
        { "/data/*", "", NULL },
        { "/data/*", "a/", NULL },
    };
    char path[GROUP_PATH_SIZE], *big = malloc(GROUP_PATH_SIZE + 1);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool named = group_path(cases[i][0], slice_of_string(cases[i][1]), path);

        assert_int_equal(named, cases[i][2] != NULL);
        if (named)
            assert_string_equal(path, cases[i][2]);
    }
    memset(big, 'x', GROUP_PATH_SIZE);
    assert_false(group_path("/data/*", slice_of(big, GROUP_PATH_SIZE), path));
    free(big);
}

static void test_group_by(void **state)
{
    const char *here = fresh_folder();
    struct buffer request = { 0 }, content;
    struct harness harness;

    (void)state;
    put_logs(&request, "tenant", "a", "one", 1);
    put_logs(&request, "tenant", "b", "two", 2);
    put_logs(&request, NULL, NULL, "lost", 3);
    put_logs(&request, "tenant", "a", "three", 1);
    start(&harness, "{path: '%s/x/*.json', group_by: {enabled: true, resource_attribute: tenant}}", here);
    assert_accepted(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)));
    assert_accepted(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)));
    assert_int_equal((int)harness_metric("weir_dropped_records{"), 6);
    harness_stop(&harness);
    content = read_file("%s/x/a.json", here);
    assert_int_equal(count_lines(&content), 2);
    assert_non_null(strstr(buffer_string(&content), "one"));
    assert_true(strstr(buffer_string(&content), "one") < strstr(buffer_string(&content), "three"));
    assert_null(strstr(buffer_string(&content), "two"));
    buffer_fini(&content);
    content = read_file("%s/x/b.json", here);
    assert_int_equal(count_lines(&content), 2);
    buffer_fini(&content);
    assert_int_equal(count_files(here, ".json"), 0);
    buffer_fini(&request);
}

static size_t open_files(void)
{
    return count_files("/proc/self/fd", "");
}

static void test_group_by_closes_the_longest_unused(void **state)
{
    const char *here = fresh_folder();
    size_t before = open_files();
    struct harness harness;
    struct buffer content;

    (void)state;
    start(&harness, "{path: '%s/*.json', group_by: {enabled: true, max_open_files: 2}}", here);
    for (int i = 0; i < 40; i++) {
        struct buffer request = { 0 };
        char name[16];

        snprintf(name, sizeof(name), "f%d", i % 10);
        put_logs(&request, "fileexporter.path_segment", name, "x", 1);
        assert_accepted(harness_send(&harness, SIGNAL_LOGS, buffer_slice(&request)));
        assert_true(open_files() <= before + 2);
        buffer_fini(&request);
    }
    harness_stop(&harness);
    for (int i = 0; i < 10; i++) { /* append is false, yet what this run wrote is there */
        content = read_file("%s/f%d.json", here, i);
        assert_int_equal(count_lines(&content), 4);
        buffer_fini(&content);
    }
}

static void test_group_by_keeps_the_dictionary_of_profiles(void **state)
{
    struct buffer request = { 0 };
    struct grouping grouping = { 0 };
    struct payload *payload;
    struct batch *batch;

    (void)state;
    put_logs(&request, "k", "b", "x", 1);
    put_logs(&request, "k", "a", "x", 1);
    pb_put_bytes(&request, 2, SLICE("dictionary"));
    payload = payload_create(request.size);
    memcpy(payload->data, request.data, request.size);
    payload->size = request.size;
    batch = batch_create(SIGNAL_PROFILES, payload, 2, NULL);
    assert_true(grouping_of(batch, SLICE("k"), &grouping));
    assert_int_equal(grouping.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(grouping.groups[i].count, 2);
        assert_true(slice_equal_string(slice_of(grouping.groups[i].pieces[0].data + 2, 10), "dictionary"));
    }
    grouping_fini(&grouping);
    batch_settle(batch, OUTCOME_ACCEPTED);
    buffer_fini(&request);
}

/* ---- failures ---- */

static void set_size_limit(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_full_disk(void **state)
{
    static const char *const options[] = { "append: false", "format: proto", "compression: zstd" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *here = fresh_folder();
        char *text = malloc(3001);
        struct harness harness;
        struct outcome outcome;
        struct buffer before, after;

        for (size_t j = 0; j < 3000; j++) /* does not compress */
            text[j] = (char)('!' + (j * 7919 + j * j * 31) % 90);
        text[3000] = '\0';
        start(&harness, "{path: %s/a, %s}", here, options[i]);
        assert_accepted(harness_send_logs(&harness, text, 1));
        before = read_file("%s/a", here);
        set_size_limit(before.size + 100);
        for (int j = 0; j < 2; j++) {
            outcome = harness_send_logs(&harness, text, 1);
            assert_int_equal(outcome.verdict, VERDICT_RETRY);
            assert_string_equal(outcome.reason, "disk_full");
            after = read_file("%s/a", here);
            assert_true(slice_equal(buffer_slice(&before), buffer_slice(&after))); /* no part of it is left */
            buffer_fini(&after);
        }
        set_size_limit(RLIM_INFINITY);
        assert_accepted(harness_send_logs(&harness, text, 1));
        after = read_file("%s/a", here);
        assert_int_equal(after.size, 2 * before.size);
        buffer_fini(&after);
        buffer_fini(&before);
        harness_stop(&harness);
        free(text);
    }
}

static void test_failing_device(void **state)
{
    struct harness harness;
    struct outcome outcome;
    struct stat status;

    (void)state;
    if (stat("/dev/full", &status) != 0 || !S_ISCHR(status.st_mode))
        skip();
    start(&harness, "{path: /dev/full}");
    for (int i = 0; i < 2; i++) {
        outcome = harness_send_logs(&harness, "x", 1);
        assert_int_equal(outcome.verdict, VERDICT_RETRY);
        assert_string_equal(outcome.reason, "disk_full");
    }
    harness_stop(&harness);
}

static void test_pipe_that_nobody_reads(void **state)
{
    const char *here = fresh_folder();
    struct harness harness;
    char path[100], *text = calloc(1, 200001), line[100];
    FILE *reader;

    (void)state;
    memset(text, 'x', 200000);
    snprintf(path, sizeof(path), "%s/pipe", here);
    assert_int_equal(mkfifo(path, 0600), 0);
    start(&harness, "{path: %s}", path);
    assert_accepted(harness_send_logs(&harness, "x", 1));
    file_exporter.cancel(harness.exporter); /* as the core does when it must stop */
    assert_string_equal(harness_send_logs(&harness, text, 1).reason, "blocked");
    reader = fdopen(open(path, O_RDONLY | O_NONBLOCK), "r");
    assert_non_null(fgets(line, sizeof(line), reader));
    assert_true(strlen(line) > 10 && line[0] == '{');
    fclose(reader);
    harness_stop(&harness);
    free(text);
}

struct writer {
    struct harness *harness;
    const char *name;
};

static void *write_many(void *context)
{
    struct writer *writer = context;
    struct buffer request = { 0 };

    put_logs(&request, "k", writer->name, "hello", 3);
    for (int i = 0; i < 100; i++)
        harness_send(writer->harness, SIGNAL_LOGS, buffer_slice(&request));
    buffer_fini(&request);
    return NULL;
}

static void test_several_threads(void **state)
{
    const char *here = fresh_folder();
    struct harness harness;
    struct writer writers[4] = { { &harness, "a" }, { &harness, "a" }, { &harness, "b" }, { &harness, "c" } };
    pthread_t threads[4];
    struct buffer content;

    (void)state;
    start(&harness, "{path: '%s/*.json', group_by: {enabled: true, resource_attribute: k, max_open_files: 1}}", here);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, write_many, &writers[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    harness_stop(&harness);
    for (int i = 0; i < 3; i++) {
        content = read_file("%s/%c.json", here, 'a' + i);
        assert_int_equal(count_lines(&content), i == 0 ? 200 : 100);
        for (char *line = strtok((char *)(uintptr_t)buffer_string(&content), "\n"); line != NULL; line = strtok(NULL, "\n")) {
            struct buffer wire = { 0 };
            struct json_error err;

            assert_true(json_read_request(SIGNAL_LOGS, slice_of_string(line), &wire, &err));
            buffer_fini(&wire);
        }
        buffer_fini(&content);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_framed_formats),
        cmocka_unit_test(test_a_batch_of_several_runs_is_one_message),
        cmocka_unit_test(test_append_and_truncate),
        cmocka_unit_test(test_torn_tails_are_mended),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_removed_file_is_made_again),
        cmocka_unit_test(test_configurations_that_are_refused),
        cmocka_unit_test(test_backup_names),
        cmocka_unit_test(test_old_backups_are_removed),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_group_paths),
        cmocka_unit_test(test_group_by),
        cmocka_unit_test(test_group_by_closes_the_longest_unused),
        cmocka_unit_test(test_group_by_keeps_the_dictionary_of_profiles),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failing_device),
        cmocka_unit_test(test_pipe_that_nobody_reads),
        cmocka_unit_test(test_several_threads),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
