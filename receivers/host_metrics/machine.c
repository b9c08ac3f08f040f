/* Scrapers of the machine as a whole: cpu, memory, load, paging, system; and the table of all metrics. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "receivers/host_metrics/host.h"

#define SUM true, true
#define LEVEL true, false
#define GAUGE false, false
const struct host_metric_info host_metrics[HOST_METRIC_COUNT] = {
    [CPU_TIME] = { "system.cpu.time", "s", "Total seconds each logical CPU spent on each mode.", SUM, true },
    [CPU_UTILIZATION] = { "system.cpu.utilization", "1", "Share of the time since the last scrape that the CPUs spent on each mode.", GAUGE,
        true },
    [CPU_LOGICAL_COUNT] = { "system.cpu.logical.count", "{cpu}", "Number of available logical CPUs.", LEVEL, false },
    [CPU_PHYSICAL_COUNT] = { "system.cpu.physical.count", "{cpu}", "Number of available physical CPUs.", LEVEL, false },
    [CPU_FREQUENCY] = { "system.cpu.frequency", "Hz", "Current frequency of the CPU core in Hz.", GAUGE, true },
    [MEMORY_USAGE] = { "system.memory.usage", "By", "Bytes of memory in use.", LEVEL, false },
    [MEMORY_UTILIZATION] = { "system.memory.utilization", "1", "Percentage of memory bytes in use.", GAUGE, true },
    [MEMORY_LIMIT] = { "system.memory.limit", "By", "Total bytes of memory available.", LEVEL, false },
    [MEMORY_PAGE_SIZE] = { "system.memory.page_size", "By", "A constant value for the system's configured page size.", GAUGE, false },
    [MEMORY_LINUX_AVAILABLE] = { "system.linux.memory.available", "By",
        "An estimate of how much memory is available for starting new applications.", LEVEL, false },
    [MEMORY_LINUX_DIRTY] = { "system.linux.memory.dirty", "By", "The amount of dirty memory according to /proc/meminfo.", LEVEL, false },
    [LOAD_1M] = { "system.cpu.load_average.1m", "{thread}", "Average CPU Load over 1 minute.", GAUGE, true },
    [LOAD_5M] = { "system.cpu.load_average.5m", "{thread}", "Average CPU Load over 5 minutes.", GAUGE, true },
    [LOAD_15M] = { "system.cpu.load_average.15m", "{thread}", "Average CPU Load over 15 minutes.", GAUGE, true },
    [DISK_IO] = { "system.disk.io", "By", "Disk bytes transferred.", SUM, false },
    [DISK_OPERATIONS] = { "system.disk.operations", "{operations}", "Disk operations count.", SUM, false },
    [DISK_IO_TIME] = { "system.disk.io_time", "s", "Time disk spent activated.", SUM, true },
    [DISK_OPERATION_TIME] = { "system.disk.operation_time", "s", "Time spent in disk operations.", SUM, true },
    [DISK_WEIGHTED_IO_TIME] = { "system.disk.weighted_io_time", "s", "Time disk spent activated multiplied by the queue length.", SUM,
        true },
    [DISK_PENDING_OPERATIONS] = { "system.disk.pending_operations", "{operations}", "The queue size of pending I/O operations.", LEVEL,
        false },
    [DISK_MERGED] = { "system.disk.merged", "{operations}",
        "The number of disk reads/writes merged into single physical disk access operations.", SUM, false },
    [FILESYSTEM_USAGE] = { "system.filesystem.usage", "By", "Filesystem bytes used.", LEVEL, false },
    [FILESYSTEM_INODES_USAGE] = { "system.filesystem.inodes.usage", "{inodes}", "FileSystem inodes used.", LEVEL, false },
    [FILESYSTEM_UTILIZATION] = { "system.filesystem.utilization", "1", "Fraction of filesystem bytes used.", GAUGE, true },
    [NETWORK_PACKETS] = { "system.network.packets", "{packets}", "The number of packets transferred.", SUM, false },
    [NETWORK_DROPPED] = { "system.network.dropped", "{packets}", "The number of packets dropped.", SUM, false },
    [NETWORK_ERRORS] = { "system.network.errors", "{errors}", "The number of errors encountered.", SUM, false },
    [NETWORK_IO] = { "system.network.io", "By", "The number of bytes transmitted and received.", SUM, false },
    [NETWORK_CONNECTIONS] = { "system.network.connections", "{connections}", "The number of connections.", LEVEL, false },
    [NETWORK_CONNTRACK_COUNT] = { "system.network.conntrack.count", "{entries}", "The count of entries in conntrack table.", LEVEL, false },
    [NETWORK_CONNTRACK_MAX] = { "system.network.conntrack.max", "{entries}", "The limit for entries in the conntrack table.", LEVEL,
        false },
    [PAGING_FAULTS] = { "system.paging.faults", "{faults}", "The number of page faults.", SUM, false },
    [PAGING_OPERATIONS] = { "system.paging.operations", "{operations}", "The number of paging operations.", SUM, false },
    [PAGING_USAGE] = { "system.paging.usage", "By", "Swap (unix) or pagefile (windows) usage.", LEVEL, false },
    [PAGING_UTILIZATION] = { "system.paging.utilization", "1", "Swap (unix) or pagefile (windows) utilization.", GAUGE, true },
    [PROCESSES_COUNT] = { "system.processes.count", "{processes}", "Total number of processes in each state.", LEVEL, false },
    [PROCESSES_CREATED] = { "system.processes.created", "{processes}", "Total number of created processes.", SUM, false },
    [PROCESS_CPU_TIME] = { "process.cpu.time", "s", "Total CPU seconds broken down by different states.", SUM, true },
    [PROCESS_MEMORY_USAGE] = { "process.memory.usage", "By", "The amount of physical memory in use.", LEVEL, false },
    [PROCESS_MEMORY_VIRTUAL] = { "process.memory.virtual", "By", "Virtual memory size.", LEVEL, false },
    [PROCESS_DISK_IO] = { "process.disk.io", "By", "Disk bytes transferred.", SUM, false },
    [PROCESS_CPU_UTILIZATION] = { "process.cpu.utilization", "1", "Share of the time since the last scrape that the process ran.", GAUGE,
        true },
    [PROCESS_MEMORY_UTILIZATION] = { "process.memory.utilization", "1", "Percentage of total physical memory that is used by the process.",
        GAUGE, true },
    [PROCESS_PAGING_FAULTS] = { "process.paging.faults", "{faults}", "Number of page faults the process has made.", SUM, false },
    [PROCESS_THREADS] = { "process.threads", "{threads}", "Process threads count.", LEVEL, false },
    [PROCESS_OPEN_FILES] = { "process.open_file_descriptors", "{count}", "Number of file descriptors in use by the process.", LEVEL,
        false },
    [PROCESS_CONTEXT_SWITCHES] = { "process.context_switches", "{count}", "Number of times the process has been context switched.", SUM,
        false },
    [PROCESS_UPTIME] = { "process.uptime", "s", "The time the process has been running.", GAUGE, true },
    [SYSTEM_UPTIME] = { "system.uptime", "s", "The time the system has been running.", GAUGE, true },
};

/* ---- cpu ---- */

/* The states in the order of /proc/stat's columns. */
static const char *const states[CPU_STATES] = { "user", "nice", "system", "idle", "wait", "interrupt", "softirq", "steal" };

struct cpus {
    uint64_t (*ticks)[CPU_STATES]; /* owned */
    size_t count, capacity;
};

/* "cpu12 1 2 3 ..."; the line "cpu " is the sum of all. */
static bool parse_cpu(struct slice line, uint64_t ticks[CPU_STATES])
{
    struct slice word;

    if (!slice_starts_with(line, SLICE("cpu")) || line.size < 4 || line.data[3] < '0' || line.data[3] > '9')
        return false;
    host_next_word(&line, &word);
    for (size_t i = 0; i < CPU_STATES; i++)
        ticks[i] = host_next_word(&line, &word) ? host_number(word) : 0;
    return true;
}

/* Room for one more; false when memory is out. */
static bool make_room(struct cpus *cpus)
{
    size_t capacity = cpus->capacity > 0 ? cpus->capacity * 2 : 16;
    uint64_t(*ticks)[CPU_STATES];

    if (cpus->count < cpus->capacity)
        return true;
    ticks = realloc(cpus->ticks, capacity * sizeof(*ticks));
    if (ticks == NULL)
        return false;
    cpus->ticks = ticks;
    cpus->capacity = capacity;
    return true;
}

static struct cpus read_cpus(struct host_scrape *scrape)
{
    struct slice text = host_read(scrape, "/proc/stat"), line;
    struct cpus cpus = { .ticks = NULL };

    while (cpus.count < MAX_CPUS && host_next_line(&text, &line) && make_room(&cpus))
        cpus.count += parse_cpu(line, cpus.ticks[cpus.count]);
    return cpus;
}

static bool wants(const struct option_strings *attributes, const char *name)
{
    for (size_t i = 0; i < attributes->count; i++)
        if (strcmp(attributes->items[i], name) == 0)
            return true;
    return false;
}

struct breakdown { /* a value for each CPU and state, and how it is told apart */
    double (*value)(const struct cpus *cpus, size_t cpu, size_t state, const struct host_state *host);
    const struct option_strings *attributes;
    bool is_mean; /* over CPUs */
};

static void put_cpu(struct host_scrape *scrape, enum host_metric metric, double value, struct host_attribute attributes[2])
{
    struct host_attribute list[3] = { { NULL, { NULL, 0 } } };
    size_t count = 0;

    for (size_t i = 0; i < 2; i++)
        if (attributes[i].value.data != NULL)
            list[count++] = attributes[i];
    host_put_double(scrape, metric, value, list);
}

/* The values of the states from `state` on that stand for one point, and of the CPUs likewise. */
static double gather(const struct cpus *cpus, const struct breakdown *how, size_t cpu, size_t state, const struct host_state *host)
{
    bool by_cpu = wants(how->attributes, "cpu"), by_state = wants(how->attributes, "state");
    size_t last_cpu = by_cpu ? cpu + 1 : cpus->count, last_state = by_state ? state + 1 : CPU_STATES;
    double total = 0;

    for (size_t i = cpu; i < last_cpu; i++)
        for (size_t j = state; j < last_state; j++)
            total += how->value(cpus, i, j, host);
    return how->is_mean && !by_cpu && cpus->count > 0 ? total / (double)cpus->count : total;
}

static void put_breakdown(struct host_scrape *scrape, enum host_metric metric, const struct cpus *cpus, const struct breakdown *how)
{
    bool by_cpu = wants(how->attributes, "cpu"), by_state = wants(how->attributes, "state");

    if (!host_open(scrape, metric))
        return;
    for (size_t i = 0; i < (by_cpu ? cpus->count : 1); i++) {
        for (size_t j = 0; j < (by_state ? CPU_STATES : 1); j++) {
            char name[16];
            struct host_attribute attributes[2] = { { "cpu", { NULL, 0 } },
                { "state", by_state ? slice_of_string(states[j]) : slice_of(NULL, 0) } };

            snprintf(name, sizeof(name), "cpu%zu", i);
            if (by_cpu)
                attributes[0].value = slice_of_string(name);
            put_cpu(scrape, metric, gather(cpus, how, i, j, scrape->state), attributes);
        }
    }
    host_close(scrape);
}

static double seconds(const struct cpus *cpus, size_t cpu, size_t state, const struct host_state *host)
{
    (void)host;
    return (double)cpus->ticks[cpu][state] / (double)sysconf(_SC_CLK_TCK);
}

/* Of the ticks of all states since the last scrape. */
static double share(const struct cpus *cpus, size_t cpu, size_t state, const struct host_state *host)
{
    uint64_t all = 0;

    for (size_t i = 0; i < CPU_STATES; i++)
        if (cpus->ticks[cpu][i] > host->cpu_before[cpu][i])
            all += cpus->ticks[cpu][i] - host->cpu_before[cpu][i];
    if (all == 0 || cpus->ticks[cpu][state] < host->cpu_before[cpu][state])
        return 0;
    return (double)(cpus->ticks[cpu][state] - host->cpu_before[cpu][state]) / (double)all;
}

static void put_physical(struct host_scrape *scrape)
{
    struct slice text = host_try(scrape, "/proc/cpuinfo"), line;
    uint64_t seen[64] = { 0 }, package = 0, core = 0, count = 0;

    while (host_next_line(&text, &line)) {
        const uint8_t *colon = line.size > 0 ? memchr(line.data, ':', line.size) : NULL;
        struct slice value =
            colon != NULL ? slice_trim(slice_of(colon + 1, (size_t)(line.data + line.size - colon - 1))) : slice_of(NULL, 0);

        if (slice_starts_with(line, SLICE("physical id")))
            package = host_number(value);
        if (!slice_starts_with(line, SLICE("core id")))
            continue;
        core = (package * 1024 + host_number(value)) % 4096;
        count += (seen[core / 64] >> core % 64 & 1) == 0;
        seen[core / 64] |= UINT64_C(1) << core % 64;
    }
    host_put_int(scrape, CPU_PHYSICAL_COUNT, count, NULL);
}

static void put_frequencies(struct host_scrape *scrape, size_t count)
{
    char path[96], name[16];

    for (size_t i = 0; i < count; i++) {
        struct slice text;

        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu/cpufreq/scaling_cur_freq", i);
        text = host_try(scrape, path);
        snprintf(name, sizeof(name), "cpu%zu", i);
        if (text.data != NULL)
            host_put_double(scrape, CPU_FREQUENCY, (double)host_number(text) * 1000, HOST_ATTRIBUTES({ "cpu", slice_of_string(name) }));
    }
}

void host_scrape_cpu(struct host_scrape *scrape)
{
    const struct host_settings *settings = scrape->state->settings;
    struct cpus cpus = read_cpus(scrape);

    put_breakdown(scrape, CPU_TIME, &cpus, &(struct breakdown){ seconds, &settings->cpu_time_attributes, false });
    if (scrape->state->cpu_before_count == cpus.count && cpus.count > 0)
        put_breakdown(scrape, CPU_UTILIZATION, &cpus, &(struct breakdown){ share, &settings->cpu_utilization_attributes, true });
    if (host_open(scrape, CPU_LOGICAL_COUNT)) {
        host_put_int(scrape, CPU_LOGICAL_COUNT, cpus.count, NULL);
        host_close(scrape);
    }
    if (host_open(scrape, CPU_PHYSICAL_COUNT)) {
        put_physical(scrape);
        host_close(scrape);
    }
    if (host_open(scrape, CPU_FREQUENCY)) {
        put_frequencies(scrape, cpus.count);
        host_close(scrape);
    }
    free(scrape->state->cpu_before);
    scrape->state->cpu_before = cpus.ticks;
    scrape->state->cpu_before_count = cpus.count;
}

/* ---- memory ---- */

static uint64_t kilobytes(struct slice meminfo, const char *name)
{
    uint64_t value = 0;

    host_find(meminfo, name, &value);
    return value * 1024;
}

static void put_one(struct host_scrape *scrape, enum host_metric metric, uint64_t value)
{
    if (!host_open(scrape, metric))
        return;
    host_put_int(scrape, metric, value, NULL);
    host_close(scrape);
}

void host_scrape_memory(struct host_scrape *scrape)
{
    struct slice text = host_read(scrape, "/proc/meminfo");
    uint64_t total = kilobytes(text, "MemTotal"), free_bytes = kilobytes(text, "MemFree"), buffers = kilobytes(text, "Buffers");
    uint64_t reclaimable = kilobytes(text, "SReclaimable"), cached = kilobytes(text, "Cached") + reclaimable;
    uint64_t rest = free_bytes + buffers + cached;
    const struct {
        const char *state;
        uint64_t bytes;
    } parts[] = { { "used", total > rest ? total - rest : 0 }, { "free", free_bytes }, { "buffered", buffers }, { "cached", cached },
        { "slab_reclaimable", reclaimable }, { "slab_unreclaimable", kilobytes(text, "SUnreclaim") } };

    if (text.data == NULL || total == 0)
        return;
    if (host_open(scrape, MEMORY_USAGE)) {
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            host_put_int(scrape, MEMORY_USAGE, parts[i].bytes, HOST_ATTRIBUTES({ "state", slice_of_string(parts[i].state) }));
        host_close(scrape);
    }
    if (host_open(scrape, MEMORY_UTILIZATION)) {
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            host_put_double(scrape, MEMORY_UTILIZATION, (double)parts[i].bytes / (double)total,
                HOST_ATTRIBUTES({ "state", slice_of_string(parts[i].state) }));
        host_close(scrape);
    }
    put_one(scrape, MEMORY_LIMIT, total);
    put_one(scrape, MEMORY_PAGE_SIZE, (uint64_t)sysconf(_SC_PAGESIZE));
    put_one(scrape, MEMORY_LINUX_AVAILABLE, kilobytes(text, "MemAvailable"));
    put_one(scrape, MEMORY_LINUX_DIRTY, kilobytes(text, "Dirty"));
}

/* ---- load, system ---- */

static size_t cpu_count(struct host_scrape *scrape)
{
    struct slice text = host_read(scrape, "/proc/stat"), line;
    uint64_t ticks[CPU_STATES];
    size_t count = 0;

    while (host_next_line(&text, &line))
        count += parse_cpu(line, ticks);
    return count;
}

void host_scrape_load(struct host_scrape *scrape)
{
    size_t cpus = scrape->state->settings->cpu_average ? cpu_count(scrape) : 1;
    struct slice text = host_read(scrape, "/proc/loadavg"), word;

    for (enum host_metric i = LOAD_1M; i <= LOAD_15M; i++) {
        if (!host_next_word(&text, &word))
            return;
        if (!host_open(scrape, i))
            continue;
        host_put_double(scrape, i, host_decimal(word) / (double)(cpus > 0 ? cpus : 1), NULL);
        host_close(scrape);
    }
}

void host_scrape_system(struct host_scrape *scrape)
{
    struct slice text = host_read(scrape, "/proc/uptime"), word;

    if (!host_next_word(&text, &word) || !host_open(scrape, SYSTEM_UPTIME))
        return;
    host_put_double(scrape, SYSTEM_UPTIME, host_decimal(word), NULL);
    host_close(scrape);
}

/* ---- paging ---- */

static void put_vmstat(struct host_scrape *scrape)
{
    struct slice text = host_read(scrape, "/proc/vmstat");
    uint64_t faults = 0, major = 0, in[2] = { 0 }, out[2] = { 0 };
    static const char *const kinds[] = { "major", "minor" };

    host_find(text, "pgfault", &faults);
    host_find(text, "pgmajfault", &major);
    host_find(text, "pswpin", &in[0]);
    host_find(text, "pswpout", &out[0]);
    host_find(text, "pgpgin", &in[1]);
    host_find(text, "pgpgout", &out[1]);
    if (host_open(scrape, PAGING_FAULTS)) {
        host_put_int(scrape, PAGING_FAULTS, major, HOST_ATTRIBUTES({ "type", SLICE("major") }));
        host_put_int(scrape, PAGING_FAULTS, faults > major ? faults - major : 0, HOST_ATTRIBUTES({ "type", SLICE("minor") }));
        host_close(scrape);
    }
    if (!host_open(scrape, PAGING_OPERATIONS))
        return;
    for (size_t i = 0; i < 2; i++) {
        struct slice kind = slice_of_string(kinds[i]);

        host_put_int(scrape, PAGING_OPERATIONS, in[i], HOST_ATTRIBUTES({ "direction", SLICE("page_in") }, { "type", kind }));
        host_put_int(scrape, PAGING_OPERATIONS, out[i], HOST_ATTRIBUTES({ "direction", SLICE("page_out") }, { "type", kind }));
    }
    host_close(scrape);
}

/* "/dev/sda2 partition 1000 20 -2", sizes in KiB. */
static bool parse_swap(struct slice line, struct slice *device, uint64_t *size, uint64_t *used)
{
    struct slice word;

    if (!host_next_word(&line, device) || !host_next_word(&line, &word) || !host_next_word(&line, &word))
        return false;
    *size = host_number(word) * 1024;
    if (!host_next_word(&line, &word))
        return false;
    *used = host_number(word) * 1024;
    return *used <= *size;
}

static void put_swap(struct host_scrape *scrape, enum host_metric metric, struct slice text)
{
    struct slice line, device;
    uint64_t size, used;

    if (!host_next_line(&text, &line) || !host_open(scrape, metric)) /* the first line is the head */
        return;
    while (host_next_line(&text, &line)) {
        if (!parse_swap(line, &device, &size, &used))
            continue;
        for (int i = 0; i < 2; i++) {
            uint64_t bytes = i == 0 ? used : size - used;
            const struct host_attribute *attributes =
                HOST_ATTRIBUTES({ "device", device }, { "state", i == 0 ? SLICE("used") : SLICE("free") });

            if (metric == PAGING_USAGE)
                host_put_int(scrape, metric, bytes, attributes);
            else if (size > 0)
                host_put_double(scrape, metric, (double)bytes / (double)size, attributes);
        }
    }
    host_close(scrape);
}

void host_scrape_paging(struct host_scrape *scrape)
{
    struct slice text;

    put_vmstat(scrape);
    text = host_try(scrape, "/proc/swaps");
    put_swap(scrape, PAGING_USAGE, text);
    put_swap(scrape, PAGING_UTILIZATION, text);
}
