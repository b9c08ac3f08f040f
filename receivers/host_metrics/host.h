/*
 * What the scrapers of the host_metrics receiver share: the metrics and whether they are wanted, one scrape under way, files of /proc and
 * /sys under root_path, and filters. Private to receivers/host_metrics.
 */
#ifndef WEIR_HOST_METRICS_HOST_H
#define WEIR_HOST_METRICS_HOST_H

#include "collector/base/error.h"
#include "collector/config/option.h"
#include "collector/wire/metric_write.h"

struct ottl_regex;
struct ottl_matcher;

enum host_scraper {
    HOST_CPU,
    HOST_MEMORY,
    HOST_LOAD,
    HOST_DISK,
    HOST_FILESYSTEM,
    HOST_NETWORK,
    HOST_PAGING,
    HOST_PROCESSES,
    HOST_PROCESS,
    HOST_SYSTEM,
    HOST_SCRAPER_COUNT
};

enum host_metric {
    CPU_TIME,
    CPU_UTILIZATION,
    CPU_LOGICAL_COUNT,
    CPU_PHYSICAL_COUNT,
    CPU_FREQUENCY,
    MEMORY_USAGE,
    MEMORY_UTILIZATION,
    MEMORY_LIMIT,
    MEMORY_PAGE_SIZE,
    MEMORY_LINUX_AVAILABLE,
    MEMORY_LINUX_DIRTY,
    LOAD_1M,
    LOAD_5M,
    LOAD_15M,
    DISK_IO,
    DISK_OPERATIONS,
    DISK_IO_TIME,
    DISK_OPERATION_TIME,
    DISK_WEIGHTED_IO_TIME,
    DISK_PENDING_OPERATIONS,
    DISK_MERGED,
    FILESYSTEM_USAGE,
    FILESYSTEM_INODES_USAGE,
    FILESYSTEM_UTILIZATION,
    NETWORK_PACKETS,
    NETWORK_DROPPED,
    NETWORK_ERRORS,
    NETWORK_IO,
    NETWORK_CONNECTIONS,
    NETWORK_CONNTRACK_COUNT,
    NETWORK_CONNTRACK_MAX,
    PAGING_FAULTS,
    PAGING_OPERATIONS,
    PAGING_USAGE,
    PAGING_UTILIZATION,
    PROCESSES_COUNT,
    PROCESSES_CREATED,
    PROCESS_CPU_TIME,
    PROCESS_MEMORY_USAGE,
    PROCESS_MEMORY_VIRTUAL,
    PROCESS_DISK_IO,
    PROCESS_CPU_UTILIZATION,
    PROCESS_MEMORY_UTILIZATION,
    PROCESS_PAGING_FAULTS,
    PROCESS_THREADS,
    PROCESS_OPEN_FILES,
    PROCESS_CONTEXT_SWITCHES,
    PROCESS_UPTIME,
    SYSTEM_UPTIME,
    HOST_METRIC_COUNT,
};

struct host_metric_info {
    const char *name, *unit, *description;
    bool is_sum, monotonic, is_double;
};
extern const struct host_metric_info host_metrics[HOST_METRIC_COUNT];

enum { MATCH_STRICT, MATCH_REGEXP };

struct host_filter_settings {
    struct option_strings items;
    int match_type; /* MATCH_STRICT, MATCH_REGEXP */
    bool present;
};

/* An include and an exclude filter: of names, of devices ... */
enum host_filter { FILTER_DISK, FILTER_NETWORK, FILTER_PROCESS, FILTER_DEVICES, FILTER_TYPES, FILTER_MOUNTS, HOST_FILTER_COUNT };

struct host_settings {
    int64_t collection_interval_ns, initial_delay_ns, timeout_ns;
    const char *root_path;
    bool unused; /* so that no `present` below is at offset 0 */
    bool scrapers[HOST_SCRAPER_COUNT];
    bool enabled[HOST_METRIC_COUNT];
    struct option_strings cpu_time_attributes, cpu_utilization_attributes;
    struct host_filter_settings include[HOST_FILTER_COUNT], exclude[HOST_FILTER_COUNT];
    bool include_virtual_filesystems, cpu_average;
    int64_t scrape_process_delay_ns;
};
extern const struct option host_options[];

enum { CPU_STATES = 8, MAX_CPUS = 4096 };

struct host_process_before { /* of the scrape before, for utilization */
    int64_t pid;
    uint64_t started, ticks;
};

/* What lasts from scrape to scrape. */
struct host_state {
    const struct host_settings *settings;
    struct ottl_regex **include[HOST_FILTER_COUNT], **exclude[HOST_FILTER_COUNT]; /* one for each item of a regexp filter */
    struct ottl_matcher *matcher;
    uint64_t (*cpu_before)[CPU_STATES]; /* owned; ticks of each CPU */
    size_t cpu_before_count;
    int64_t scraped_ns;                           /* monotonic; 0: never */
    struct host_process_before *processes_before; /* owned; by pid */
    size_t process_before_count;
    struct buffer file, text; /* scratch */
};

bool host_state_init(struct host_state *state, const struct host_settings *settings, struct error *err);
void host_state_fini(struct host_state *state);

struct host_scrape {
    struct host_state *state;
    struct metric_writer *writer;
    uint64_t now_ns, boot_ns;
    int64_t monotonic_ns;
    size_t failures; /* files that could not be read */
};

/* One request with all that is wanted; failures are counted. Returns the data points. */
size_t host_scrape_all(struct host_state *state, struct buffer *out, size_t *failures);

/* ---- for scrapers ---- */

/* A file below root_path, as a whole; data NULL when it cannot be read. Valid until the next read. */
struct slice host_read(struct host_scrape *scrape, const char *path);
/* The same, and nobody minds when it is not there. */
struct slice host_try(struct host_scrape *scrape, const char *path);
/* root_path in front of the path; valid until the next one. */
const char *host_path(struct host_scrape *scrape, const char *path);

bool host_next_line(struct slice *text, struct slice *line);
/* Words are divided by blanks; false at the end. */
bool host_next_word(struct slice *line, struct slice *word);
/* The leading decimal digits; 0 when there are none. */
uint64_t host_number(struct slice text);
double host_decimal(struct slice text);
/* "name: 12 kB" or "name 12": the number behind the name at a line's beginning; false: there is none. */
bool host_find(struct slice text, const char *name, uint64_t *value);

/* Is it let through by its include and exclude filters? */
bool host_passes(struct host_scrape *scrape, enum host_filter filter, struct slice text);

struct host_attribute {
    const char *key;
    struct slice value;
};

/* Opens a metric; false when it is not wanted. */
bool host_open(struct host_scrape *scrape, enum host_metric metric);
void host_close(struct host_scrape *scrape);
void host_put_int(struct host_scrape *scrape, enum host_metric metric, uint64_t value, const struct host_attribute *attributes);
void host_put_double(struct host_scrape *scrape, enum host_metric metric, double value, const struct host_attribute *attributes);
/* Attributes as a literal, ended by an empty one. */
#define HOST_ATTRIBUTES(...) ((const struct host_attribute[]){ __VA_ARGS__, { NULL, { NULL, 0 } } })

void host_scrape_cpu(struct host_scrape *scrape);
void host_scrape_memory(struct host_scrape *scrape);
void host_scrape_load(struct host_scrape *scrape);
void host_scrape_disk(struct host_scrape *scrape);
void host_scrape_filesystem(struct host_scrape *scrape);
void host_scrape_network(struct host_scrape *scrape);
void host_scrape_paging(struct host_scrape *scrape);
void host_scrape_processes(struct host_scrape *scrape);
void host_scrape_process(struct host_scrape *scrape); /* opens resource groups of its own: none may be open */
void host_scrape_system(struct host_scrape *scrape);

/* ---- /proc/PID/stat, for two of them ---- */

struct host_process {
    int64_t pid;
    uint64_t parent, user, system, threads, started, virtual_bytes, resident_pages, minor_faults, major_faults, delay_ticks;
    struct slice name; /* borrowed from the text */
    char status;
};
bool host_process_parse(struct slice stat, struct host_process *process);

/* Calls `visit` for each numbered folder of /proc, at most 100,000. */
void host_each_process(struct host_scrape *scrape, void (*visit)(struct host_scrape *scrape, int64_t pid, void *context), void *context);

#endif
