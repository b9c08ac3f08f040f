/* The host's metrics out of a tree of /proc files that this test writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/wire/otlp.h"
#include "receivers/host_metrics/host.h"

#include <cmocka.h>

static char root[] = "/tmp/weir-host-XXXXXX";

static const char *const files[][2] = {
    { "stat", "cpu  300 20 100 4000 50 6 7 8 0 0\ncpu0 100 10 50 2000 25 3 3 4 0 0\ncpu1 200 10 50 2000 25 3 4 4 0 0\nintr 5\nbtime "
              "1700000000\nprocesses 777\n" },
    { "meminfo", "MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\nBuffers: 50 kB\nCached: 200 kB\nDirty: 3 kB\nSReclaimable: 30 "
                 "kB\nSUnreclaim: 20 kB\n" },
    { "loadavg", "0.50 1.25 2.00 1/100 4242\n" },
    { "diskstats", "   8       0 sda 10 1 200 30 20 2 400 50 3 60 70 0 0\n   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0\n broken\n" },
    { "net/dev",
        "Inter-|   Receive\n face |bytes\n    lo: 11 1 0 0 0 0 0 0 11 1 0 0 0 0 0 0\n  eth0:1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n" },
    { "net/tcp", "  sl  local_address\n   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 0100007F:1F91 00000000:0000 01 0\n" },
    { "net/tcp6", "  sl  local_address\n   0: 00000000000000000000000000000000:1F90 0:0000 0A 0\n" },
    { "vmstat", "pgpgin 5\npgpgout 6\npswpin 7\npswpout 8\npgfault 100\npgmajfault 10\n" },
    { "swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1000 250 -2\n" },
    { "uptime", "1234.5 99.0\n" },
    { "filesystems", "nodev\tproc\nnodev\ttmpfs\n\text4\n" },
    { "1/mountinfo", "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n2 1 0:5 / /proc rw - proc proc rw\n3 1 8:2 / /with\\040blank "
                     "ro - ext4 /dev/b ro\n" },
    { "1/stat", "1 (a b) c) S 0 1 1 0 -1 4194560 5 0 6 0 700 300 0 0 20 0 4 0 5000 8192 3 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 "
                "0 0 0 25 0 0\n" },
    { "1/cmdline", "/sbin/init" },
    { "1/io", "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n" },
    { "7/stat", "7 (x) Z 1 1 1\n" },
};

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/proc/%s", root, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_tree(void **state)
{
    static const char *const folders[] = { "", "/proc", "/proc/net", "/proc/1", "/proc/7", "/with blank" };
    char path[256];

    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    for (size_t i = 1; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", root, folders[i]);
        if (mkdir(path, 0700) != 0)
            return -1;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        write_file(files[i][0], files[i][1]);
    return 0;
}

static int remove_tree(void **state)
{
    static const char *const folders[] = { "/proc/net", "/proc/1", "/proc/7", "/proc", "/with blank", "" };
    char path[256];

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/proc/%s", root, files[i][0]);
        unlink(path);
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", root, folders[i]);
        rmdir(path);
    }
    return 0;
}

/* ---- one scrape, and its points by name and attributes ---- */

static const char *const by_state[] = { "state" };
static const char *const by_both[] = { "cpu", "state" };

static struct host_settings settings_of(enum host_scraper scraper)
{
    struct host_settings settings = {
        .root_path = root, .cpu_time_attributes = { by_state, 1 }, .cpu_utilization_attributes = { by_state, 1 }
    };

    settings.scrapers[scraper] = true;
    for (size_t i = 0; i < HOST_METRIC_COUNT; i++)
        settings.enabled[i] = true;
    return settings;
}

struct scraped {
    struct host_state state;
    struct buffer request;
    size_t points, failures;
};

static void scrape(struct scraped *scraped, const struct host_settings *settings)
{
    struct error err;

    *scraped = (struct scraped){ .points = 0 };
    assert_true(host_state_init(&scraped->state, settings, &err));
    scraped->points = host_scrape_all(&scraped->state, &scraped->request, &scraped->failures);
    assert_int_equal(otlp_check(SIGNAL_METRICS, buffer_slice(&scraped->request)).fault, OTLP_OK);
    assert_int_equal(otlp_check(SIGNAL_METRICS, buffer_slice(&scraped->request)).records, scraped->points);
}

static void fini(struct scraped *scraped)
{
    host_state_fini(&scraped->state);
    buffer_fini(&scraped->request);
}

static bool has(const struct otlp_point *point, const char *key, const char *text)
{
    struct otlp_value value;

    return key == NULL || (otlp_find_attribute(point->body, OTLP_ATTRIBUTES_OF_NUMBER_POINT, slice_of_string(key), &value) &&
                              slice_equal_string(value.bytes, text));
}

/* The value of the point of that name that carries both attributes; -1: there is none. */
static double value_of(const struct scraped *scraped, const char *name, const char *const attributes[4])
{
    struct otlp_walk walk = otlp_walk(buffer_slice(&scraped->request));

    while (otlp_walk_next(&walk)) {
        struct otlp_metric metric;
        struct otlp_points points;
        struct otlp_point point;

        otlp_metric_view(walk.record.body, &metric);
        points = otlp_points(&metric);
        while (slice_equal_string(metric.name, name) && otlp_next_point(&points, &point))
            if (has(&point, attributes[0], attributes[1]) && has(&point, attributes[2], attributes[3]))
                return point.is_int ? (double)point.int_value : point.double_value;
    }
    return -1;
}
#define VALUE(scraped, name, ...) value_of(scraped, name, (const char *const[4]){ __VA_ARGS__ })
#define IS(scraped, wanted, ...) assert_true(VALUE(scraped, __VA_ARGS__) == (wanted))

static double near(double a, double b)
{
    return a - b < 1e-9 && b - a < 1e-9;
}

/* ---- scrapers ---- */

static void test_cpu(void **state)
{
    struct host_settings settings = settings_of(HOST_CPU);
    double ticks = (double)sysconf(_SC_CLK_TCK);
    struct scraped scraped;

    (void)state;
    scrape(&scraped, &settings);
    IS(&scraped, 300 / ticks, "system.cpu.time", "state", "user");
    IS(&scraped, 50 / ticks, "system.cpu.time", "state", "wait");
    IS(&scraped, 6 / ticks, "system.cpu.time", "state", "interrupt");
    IS(&scraped, -1, "system.cpu.utilization", NULL);
    IS(&scraped, 2, "system.cpu.logical.count", NULL);
    write_file("stat", "cpu0 110 10 50 2030 25 3 3 4 0 0\ncpu1 200 10 50 2040 25 3 4 4 0 0\nbtime 1700000000\nprocesses 777\n");
    buffer_clear(&scraped.request);
    host_scrape_all(&scraped.state, &scraped.request, &scraped.failures);
    assert_true(near(VALUE(&scraped, "system.cpu.utilization", "state", "user"), 0.125));
    assert_true(near(VALUE(&scraped, "system.cpu.utilization", "state", "idle"), 0.875));
    write_file(files[0][0], files[0][1]);
    fini(&scraped);
    settings.cpu_time_attributes = (struct option_strings){ by_both, 2 };
    scrape(&scraped, &settings);
    IS(&scraped, 200 / ticks, "system.cpu.time", "cpu", "cpu1", "state", "user");
    fini(&scraped);
}

static void test_memory_and_load(void **state)
{
    struct host_settings settings = settings_of(HOST_MEMORY);
    struct scraped scraped;

    (void)state;
    scrape(&scraped, &settings);
    IS(&scraped, 620 * 1024, "system.memory.usage", "state", "used");
    IS(&scraped, 230 * 1024, "system.memory.usage", "state", "cached");
    IS(&scraped, 0.1, "system.memory.utilization", "state", "free");
    IS(&scraped, 600 * 1024, "system.linux.memory.available", NULL);
    fini(&scraped);
    settings = settings_of(HOST_LOAD);
    settings.cpu_average = true;
    scrape(&scraped, &settings);
    IS(&scraped, 0.25, "system.cpu.load_average.1m", NULL);
    IS(&scraped, 1, "system.cpu.load_average.15m", NULL);
    fini(&scraped);
}

static void test_disk(void **state)
{
    static const char *const loops[] = { "^loop" };
    struct host_settings settings = settings_of(HOST_DISK);
    struct scraped scraped;

    (void)state;
    settings.exclude[FILTER_DISK] = (struct host_filter_settings){ { loops, 1 }, MATCH_REGEXP, true };
    scrape(&scraped, &settings);
    IS(&scraped, 200 * 512, "system.disk.io", "device", "sda", "direction", "read");
    IS(&scraped, 20, "system.disk.operations", "device", "sda", "direction", "write");
    IS(&scraped, 0.06, "system.disk.io_time", "device", "sda");
    IS(&scraped, 3, "system.disk.pending_operations", "device", "sda");
    IS(&scraped, -1, "system.disk.io", "device", "loop0");
    fini(&scraped);
}

static void test_network(void **state)
{
    static const char *const only[] = { "eth0" };
    struct host_settings settings = settings_of(HOST_NETWORK);
    struct scraped scraped;

    (void)state;
    settings.include[FILTER_NETWORK] = (struct host_filter_settings){ { only, 1 }, MATCH_STRICT, true };
    scrape(&scraped, &settings);
    IS(&scraped, 1000, "system.network.io", "device", "eth0", "direction", "receive");
    IS(&scraped, 20, "system.network.packets", "device", "eth0", "direction", "transmit");
    IS(&scraped, 4, "system.network.dropped", "device", "eth0", "direction", "transmit");
    IS(&scraped, 1, "system.network.errors", "device", "eth0", "direction", "receive");
    IS(&scraped, -1, "system.network.io", "device", "lo");
    IS(&scraped, 2, "system.network.connections", "state", "LISTEN");
    IS(&scraped, 1, "system.network.connections", "state", "ESTABLISHED");
    fini(&scraped);
}

static void test_paging_and_system(void **state)
{
    struct host_settings settings = settings_of(HOST_PAGING);
    struct scraped scraped;

    (void)state;
    scrape(&scraped, &settings);
    IS(&scraped, 90, "system.paging.faults", "type", "minor");
    IS(&scraped, 7, "system.paging.operations", "type", "major", "direction", "page_in");
    IS(&scraped, 250 * 1024, "system.paging.usage", "device", "/dev/sda2", "state", "used");
    IS(&scraped, 0.75, "system.paging.utilization", "state", "free");
    fini(&scraped);
    settings = settings_of(HOST_SYSTEM);
    scrape(&scraped, &settings);
    IS(&scraped, 1234.5, "system.uptime", NULL);
    fini(&scraped);
}

static void test_filesystem(void **state)
{
    struct host_settings settings = settings_of(HOST_FILESYSTEM);
    struct scraped scraped;

    (void)state;
    scrape(&scraped, &settings);
    assert_true(VALUE(&scraped, "system.filesystem.usage", "mountpoint", "/", "state", "used") > 0);
    assert_true(VALUE(&scraped, "system.filesystem.usage", "mountpoint", "/with blank", "mode", "ro") > 0);
    IS(&scraped, -1, "system.filesystem.usage", "mountpoint", "/proc");
    assert_int_equal(scraped.failures, 0);
    fini(&scraped);
}

static void test_processes(void **state)
{
    struct host_settings settings = settings_of(HOST_PROCESSES);
    double ticks = (double)sysconf(_SC_CLK_TCK);
    struct scraped scraped;
    struct otlp_walk walk;
    struct otlp_value value;

    (void)state;
    scrape(&scraped, &settings);
    IS(&scraped, 777, "system.processes.created", NULL);
    fini(&scraped);
    settings = settings_of(HOST_PROCESS);
    scrape(&scraped, &settings);
    IS(&scraped, 700 / ticks, "process.cpu.time", "state", "user");
    IS(&scraped, 25 / ticks, "process.cpu.time", "state", "wait");
    IS(&scraped, (double)(3 * sysconf(_SC_PAGESIZE)), "process.memory.usage", NULL);
    IS(&scraped, 8192, "process.disk.io", "direction", "write");
    IS(&scraped, 4, "process.threads", NULL);
    walk = otlp_walk(buffer_slice(&scraped.request));
    while (otlp_walk_next(&walk))
        if (otlp_find_attribute(walk.group.resource, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("process.executable.name"), &value))
            break;
    assert_true(slice_equal_string(value.bytes, "a b) c"));
    fini(&scraped);
}

/* Every beginning of every file: nothing but fewer points. */
static void test_cut_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (size_t size = 0; size < strlen(files[i][1]); size += 3) {
            char text[1024];

            snprintf(text, sizeof(text), "%.*s", (int)size, files[i][1]);
            write_file(files[i][0], text);
            for (enum host_scraper j = 0; j < HOST_SCRAPER_COUNT; j++) {
                struct host_settings settings = settings_of(j);
                struct scraped scraped;

                if (j == HOST_FILESYSTEM && i != 10 && i != 11)
                    continue;
                scrape(&scraped, &settings);
                fini(&scraped);
            }
        }
        write_file(files[i][0], files[i][1]);
    }
}

static void test_nothing_there(void **state)
{
    struct scraped scraped;

    (void)state;
    for (enum host_scraper i = 0; i < HOST_SCRAPER_COUNT; i++) {
        struct host_settings settings = settings_of(i);

        settings.root_path = "/nonexistent";
        scrape(&scraped, &settings);
        assert_true(scraped.failures > 0);
        fini(&scraped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_memory_and_load),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_paging_and_system),
        cmocka_unit_test(test_filesystem),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_nothing_there),
    };

    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
