/* Scrapers of processes: how many there are in each state, and each of them. A process that ends while it is read is left out. */
#include <fcntl.h>
#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/wire/utf8.h"
#include "receivers/host_metrics/host.h"

enum { MAX_TEXT = 4096, STAT_WORDS = 42 };

/* "12 (name) S 1 ...": the name may hold anything, also ")". */
bool host_process_parse(struct slice stat, struct host_process *process)
{
    const uint8_t *open = stat.size > 0 ? memchr(stat.data, '(', stat.size) : NULL;
    const uint8_t *close = stat.size > 0 ? memrchr(stat.data, ')', stat.size) : NULL;
    uint64_t words[STAT_WORDS + 1] = { 0 };
    struct slice rest, word;
    size_t i;

    if (open == NULL || close == NULL || close < open)
        return false;
    rest = slice_of(close + 1, (size_t)(stat.data + stat.size - close - 1));
    if (!host_next_word(&rest, &word))
        return false;
    *process = (struct host_process){
        .pid = (int64_t)host_number(stat), .name = slice_of(open + 1, (size_t)(close - open - 1)), .status = (char)word.data[0]
    };
    for (i = 4; i <= STAT_WORDS && host_next_word(&rest, &word); i++)
        words[i] = host_number(word);
    process->parent = words[4];
    process->minor_faults = words[10];
    process->major_faults = words[12];
    process->user = words[14];
    process->system = words[15];
    process->threads = words[20];
    process->started = words[22];
    process->virtual_bytes = words[23];
    process->resident_pages = words[24];
    process->delay_ticks = words[42];
    return i > 24;
}

/* ---- processes ---- */

enum { STATUSES = 9 };
static const char *const status_names[STATUSES] = { "blocked", "idle", "locked", "paging", "running", "sleeping", "stopped", "unknown",
    "zombies" };
static const char status_letters[STATUSES][3] = { "D", "I", "L", "W", "R", "S", "Tt", "", "Z" };

static size_t status_of(char letter)
{
    for (size_t i = 0; i < STATUSES; i++)
        if (letter != '\0' && strchr(status_letters[i], letter) != NULL)
            return i;
    return 7;
}

static void count_status(struct host_scrape *scrape, int64_t pid, void *context)
{
    uint64_t *counts = context;
    struct host_process process;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    if (host_process_parse(host_try(scrape, path), &process))
        counts[status_of(process.status)]++;
}

void host_scrape_processes(struct host_scrape *scrape)
{
    uint64_t counts[STATUSES] = { 0 }, created = 0;

    if (host_open(scrape, PROCESSES_COUNT)) {
        host_each_process(scrape, count_status, counts);
        for (size_t i = 0; i < STATUSES; i++)
            if (counts[i] > 0 || i == 0 || i == 4)
                host_put_int(scrape, PROCESSES_COUNT, counts[i], HOST_ATTRIBUTES({ "status", slice_of_string(status_names[i]) }));
        host_close(scrape);
    }
    if (host_open(scrape, PROCESSES_CREATED)) {
        if (host_find(host_read(scrape, "/proc/stat"), "processes", &created))
            host_put_int(scrape, PROCESSES_CREATED, created, NULL);
        host_close(scrape);
    }
}

/* ---- process ---- */

struct scraped { /* what came of each process, for the next scrape's utilization */
    struct host_process_before *items;
    size_t count, capacity;
    uint64_t memory;
};

static struct slice read_of(struct host_scrape *scrape, int64_t pid, const char *file)
{
    char path[96];

    snprintf(path, sizeof(path), "/proc/%lld/%s", (long long)pid, file);
    return host_try(scrape, path);
}

static void put_text(struct host_scrape *scrape, const char *key, struct slice text)
{
    struct buffer repaired = { 0 };

    if (text.size == 0)
        return;
    utf8_append_repaired(&repaired, text.size < MAX_TEXT ? text : slice_of(text.data, MAX_TEXT));
    metric_write_attribute(scrape->writer->out, OTLP_ATTRIBUTES_OF_RESOURCE, slice_of_string(key), buffer_slice(&repaired));
    buffer_fini(&repaired);
}

/* Arguments are divided by NUL bytes. */
static void put_command(struct host_scrape *scrape, int64_t pid)
{
    struct slice text = read_of(scrape, pid, "cmdline");
    const uint8_t *end = text.size > 0 ? memchr(text.data, '\0', text.size) : NULL;
    char line[MAX_TEXT];
    size_t size = text.size < sizeof(line) ? text.size : sizeof(line);

    put_text(scrape, "process.command", slice_of(text.data, end != NULL ? (size_t)(end - text.data) : text.size));
    while (size > 0 && text.data[size - 1] == '\0')
        size--;
    for (size_t i = 0; i < size; i++)
        line[i] = text.data[i] != '\0' ? (char)text.data[i] : ' ';
    put_text(scrape, "process.command_line", slice_of(line, size));
}

static void put_owner(struct host_scrape *scrape, int64_t pid)
{
    char path[64], text[1024];
    struct passwd entry, *found = NULL;
    struct stat status;

    snprintf(path, sizeof(path), "/proc/%lld", (long long)pid);
    if (stat(host_path(scrape, path), &status) != 0)
        return;
    if (getpwuid_r(status.st_uid, &entry, text, sizeof(text), &found) == 0 && found != NULL)
        put_text(scrape, "process.owner", slice_of_string(entry.pw_name));
}

static void put_resource(struct host_scrape *scrape, const struct host_process *process, struct slice name)
{
    struct buffer *out = scrape->writer->out;
    char path[64], target[MAX_TEXT];
    ssize_t size;

    snprintf(path, sizeof(path), "/proc/%lld/exe", (long long)process->pid);
    size = readlink(host_path(scrape, path), target, sizeof(target));
    metric_write_int_attribute(out, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("process.pid"), process->pid);
    metric_write_int_attribute(out, OTLP_ATTRIBUTES_OF_RESOURCE, SLICE("process.parent_pid"), (int64_t)process->parent);
    put_text(scrape, "process.executable.name", name);
    put_text(scrape, "process.executable.path", slice_of(target, size > 0 ? (size_t)size : 0));
    put_command(scrape, process->pid);
    put_owner(scrape, process->pid);
}

static void put_int(struct host_scrape *scrape, enum host_metric metric, uint64_t value)
{
    if (!host_open(scrape, metric))
        return;
    host_put_int(scrape, metric, value, NULL);
    host_close(scrape);
}

static void put_double(struct host_scrape *scrape, enum host_metric metric, double value)
{
    if (!host_open(scrape, metric))
        return;
    host_put_double(scrape, metric, value, NULL);
    host_close(scrape);
}

static void put_pair(
    struct host_scrape *scrape, enum host_metric metric, const char *key, const char *const names[2], const uint64_t values[2])
{
    if (!host_open(scrape, metric))
        return;
    for (size_t i = 0; i < 2; i++)
        host_put_int(scrape, metric, values[i], HOST_ATTRIBUTES({ key, slice_of_string(names[i]) }));
    host_close(scrape);
}

static void put_times(struct host_scrape *scrape, const struct host_process *process)
{
    double tick = (double)sysconf(_SC_CLK_TCK);
    const uint64_t ticks[] = { process->user, process->system, process->delay_ticks };
    static const char *const names[] = { "user", "system", "wait" };

    if (!host_open(scrape, PROCESS_CPU_TIME))
        return;
    for (size_t i = 0; i < 3; i++)
        host_put_double(scrape, PROCESS_CPU_TIME, (double)ticks[i] / tick, HOST_ATTRIBUTES({ "state", slice_of_string(names[i]) }));
    host_close(scrape);
}

static const struct host_process_before *before(const struct host_state *state, const struct host_process *process)
{
    for (size_t i = 0; i < state->process_before_count; i++)
        if (state->processes_before[i].pid == process->pid && state->processes_before[i].started == process->started)
            return &state->processes_before[i];
    return NULL;
}

/* Of the time since the last scrape; more than 1 when several threads ran at once. */
static void put_utilization(struct host_scrape *scrape, const struct host_process *process)
{
    const struct host_process_before *last =
        scrape->state->settings->enabled[PROCESS_CPU_UTILIZATION] ? before(scrape->state, process) : NULL;
    double elapsed = (double)(scrape->monotonic_ns - scrape->state->scraped_ns) / (double)NANOS_PER_SECOND;

    if (last != NULL && elapsed > 0 && process->user + process->system >= last->ticks)
        put_double(scrape, PROCESS_CPU_UTILIZATION,
            (double)(process->user + process->system - last->ticks) / (double)sysconf(_SC_CLK_TCK) / elapsed);
}

static void put_files(struct host_scrape *scrape, int64_t pid)
{
    char path[64];
    uint64_t count = 0;
    DIR *folder;

    if (!scrape->state->settings->enabled[PROCESS_OPEN_FILES])
        return;
    snprintf(path, sizeof(path), "/proc/%lld/fd", (long long)pid);
    folder = opendir(host_path(scrape, path));
    if (folder == NULL)
        return;
    for (const struct dirent *i = readdir(folder); i != NULL; i = readdir(folder))
        count += i->d_name[0] != '.';
    closedir(folder);
    put_int(scrape, PROCESS_OPEN_FILES, count);
}

static void put_io(struct host_scrape *scrape, int64_t pid)
{
    static const char *const names[] = { "read", "write" };
    struct slice text = scrape->state->settings->enabled[PROCESS_DISK_IO] ? read_of(scrape, pid, "io") : slice_of(NULL, 0);
    uint64_t values[2];

    if (host_find(text, "read_bytes", &values[0]) && host_find(text, "write_bytes", &values[1]))
        put_pair(scrape, PROCESS_DISK_IO, "direction", names, values);
}

static void put_switches(struct host_scrape *scrape, int64_t pid)
{
    static const char *const names[] = { "voluntary", "involuntary" };
    struct slice text = scrape->state->settings->enabled[PROCESS_CONTEXT_SWITCHES] ? read_of(scrape, pid, "status") : slice_of(NULL, 0);
    uint64_t values[2];

    if (host_find(text, "voluntary_ctxt_switches", &values[0]) && host_find(text, "nonvoluntary_ctxt_switches", &values[1]))
        put_pair(scrape, PROCESS_CONTEXT_SWITCHES, "type", names, values);
}

static void put_metrics(struct host_scrape *scrape, const struct host_process *process, uint64_t memory, double age)
{
    static const char *const faults[] = { "major", "minor" };
    uint64_t resident = process->resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);

    put_times(scrape, process);
    put_int(scrape, PROCESS_MEMORY_USAGE, resident);
    put_int(scrape, PROCESS_MEMORY_VIRTUAL, process->virtual_bytes);
    put_io(scrape, process->pid);
    put_utilization(scrape, process);
    if (memory > 0)
        put_double(scrape, PROCESS_MEMORY_UTILIZATION, 100 * (double)resident / (double)memory);
    put_pair(scrape, PROCESS_PAGING_FAULTS, "type", faults, (const uint64_t[]){ process->major_faults, process->minor_faults });
    put_int(scrape, PROCESS_THREADS, process->threads);
    put_files(scrape, process->pid);
    put_switches(scrape, process->pid);
    put_double(scrape, PROCESS_UPTIME, age);
}

static void remember(struct scraped *scraped, const struct host_process *process)
{
    size_t capacity = scraped->capacity > 0 ? scraped->capacity * 2 : 256;

    if (scraped->count == scraped->capacity) {
        struct host_process_before *items = realloc(scraped->items, capacity * sizeof(*items));

        if (items == NULL)
            return;
        scraped->items = items;
        scraped->capacity = capacity;
    }
    scraped->items[scraped->count++] = (struct host_process_before){ process->pid, process->started, process->user + process->system };
}

static void scrape_one(struct host_scrape *scrape, int64_t pid, void *context)
{
    struct scraped *scraped = context;
    uint64_t boot_ns = scrape->boot_ns, tick_ns = (uint64_t)(NANOS_PER_SECOND / sysconf(_SC_CLK_TCK));
    struct host_process process;
    char name[64];
    double age;

    if (!host_process_parse(read_of(scrape, pid, "stat"), &process) || process.name.size >= sizeof(name))
        return;
    memcpy(name, process.name.data, process.name.size);
    process.name = slice_of(name, process.name.size);
    scrape->boot_ns = boot_ns + process.started * tick_ns; /* its points begin with it */
    age = ((double)scrape->now_ns - (double)scrape->boot_ns) / (double)NANOS_PER_SECOND;
    if (host_passes(scrape, FILTER_PROCESS, process.name) &&
        age * (double)NANOS_PER_SECOND >= (double)scrape->state->settings->scrape_process_delay_ns) {
        metric_write_group(scrape->writer);
        put_resource(scrape, &process, process.name);
        metric_write_scope(scrape->writer, SLICE("weir/host_metrics"), SLICE(WEIR_VERSION));
        put_metrics(scrape, &process, scraped->memory, age);
        metric_write_end_group(scrape->writer);
        if (scrape->state->settings->enabled[PROCESS_CPU_UTILIZATION])
            remember(scraped, &process);
    }
    scrape->boot_ns = boot_ns;
}

void host_scrape_process(struct host_scrape *scrape)
{
    struct scraped scraped = { .items = NULL };
    uint64_t total = 0;

    if (scrape->state->settings->enabled[PROCESS_MEMORY_UTILIZATION] && host_find(host_read(scrape, "/proc/meminfo"), "MemTotal", &total))
        scraped.memory = total * 1024;
    host_each_process(scrape, scrape_one, &scraped);
    free(scrape->state->processes_before);
    scrape->state->processes_before = scraped.items;
    scrape->state->process_before_count = scraped.count;
}
