/* The receiver's options: the OpenTelemetry Collector's, each metric a row that switches it on or off. */
#include "receivers/host_metrics/host.h"

#define FIELD(field) offsetof(struct host_settings, field)
#define ENABLED(metric) FIELD(enabled[metric])

static const struct option on_options[] = { { "enabled", OPTION_BOOL, 0, "true", NULL, "whether it is sent" }, { 0 } };
static const struct option off_options[] = { { "enabled", OPTION_BOOL, 0, "false", NULL, "whether it is sent" }, { 0 } };
#define ON(name, metric)                                                                                                                   \
    {                                                                                                                                      \
        name, OPTION_BLOCK, ENABLED(metric), NULL, NULL, "on unless it is switched off", on_options                                        \
    }
#define OFF(name, metric)                                                                                                                  \
    {                                                                                                                                      \
        name, OPTION_BLOCK, ENABLED(metric), NULL, NULL, "off unless it is switched on", off_options                                       \
    }

static const struct option cpu_time_options[] = {
    { "enabled", OPTION_BOOL, 0, "true", NULL, "whether it is sent" },
    { "attributes", OPTION_STRINGS, FIELD(cpu_time_attributes) - ENABLED(CPU_TIME), "state", "cpu|state",
        "what it is told apart by; without cpu the sum of all" },
    { 0 },
};
static const struct option cpu_utilization_options[] = {
    { "enabled", OPTION_BOOL, 0, "false", NULL, "whether it is sent" },
    { "attributes", OPTION_STRINGS, FIELD(cpu_utilization_attributes) - ENABLED(CPU_UTILIZATION), "state", "cpu|state",
        "what it is told apart by; without cpu the mean of all" },
    { 0 },
};
static const struct option cpu_metrics[] = {
    { "system.cpu.time", OPTION_BLOCK, ENABLED(CPU_TIME), NULL, NULL, "on unless it is switched off", cpu_time_options },
    { "system.cpu.utilization", OPTION_BLOCK, ENABLED(CPU_UTILIZATION), NULL, NULL, "off unless it is switched on",
        cpu_utilization_options },
    ON("system.cpu.logical.count", CPU_LOGICAL_COUNT),
    OFF("system.cpu.physical.count", CPU_PHYSICAL_COUNT),
    OFF("system.cpu.frequency", CPU_FREQUENCY),
    { 0 },
};
static const struct option memory_metrics[] = {
    ON("system.memory.usage", MEMORY_USAGE),
    OFF("system.memory.utilization", MEMORY_UTILIZATION),
    OFF("system.memory.limit", MEMORY_LIMIT),
    OFF("system.memory.page_size", MEMORY_PAGE_SIZE),
    OFF("system.linux.memory.available", MEMORY_LINUX_AVAILABLE),
    OFF("system.linux.memory.dirty", MEMORY_LINUX_DIRTY),
    { 0 },
};
static const struct option load_metrics[] = {
    ON("system.cpu.load_average.1m", LOAD_1M),
    ON("system.cpu.load_average.5m", LOAD_5M),
    ON("system.cpu.load_average.15m", LOAD_15M),
    { 0 },
};
static const struct option disk_metrics[] = {
    ON("system.disk.io", DISK_IO),
    ON("system.disk.operations", DISK_OPERATIONS),
    ON("system.disk.io_time", DISK_IO_TIME),
    ON("system.disk.operation_time", DISK_OPERATION_TIME),
    ON("system.disk.weighted_io_time", DISK_WEIGHTED_IO_TIME),
    ON("system.disk.pending_operations", DISK_PENDING_OPERATIONS),
    ON("system.disk.merged", DISK_MERGED),
    { 0 },
};
static const struct option filesystem_metrics[] = {
    ON("system.filesystem.usage", FILESYSTEM_USAGE),
    ON("system.filesystem.inodes.usage", FILESYSTEM_INODES_USAGE),
    OFF("system.filesystem.utilization", FILESYSTEM_UTILIZATION),
    { 0 },
};
static const struct option network_metrics[] = {
    ON("system.network.packets", NETWORK_PACKETS),
    ON("system.network.dropped", NETWORK_DROPPED),
    ON("system.network.errors", NETWORK_ERRORS),
    ON("system.network.io", NETWORK_IO),
    ON("system.network.connections", NETWORK_CONNECTIONS),
    OFF("system.network.conntrack.count", NETWORK_CONNTRACK_COUNT),
    OFF("system.network.conntrack.max", NETWORK_CONNTRACK_MAX),
    { 0 },
};
static const struct option paging_metrics[] = {
    ON("system.paging.faults", PAGING_FAULTS),
    ON("system.paging.operations", PAGING_OPERATIONS),
    ON("system.paging.usage", PAGING_USAGE),
    OFF("system.paging.utilization", PAGING_UTILIZATION),
    { 0 },
};
static const struct option processes_metrics[] = {
    ON("system.processes.count", PROCESSES_COUNT),
    ON("system.processes.created", PROCESSES_CREATED),
    { 0 },
};
static const struct option process_metrics[] = {
    ON("process.cpu.time", PROCESS_CPU_TIME),
    ON("process.memory.usage", PROCESS_MEMORY_USAGE),
    ON("process.memory.virtual", PROCESS_MEMORY_VIRTUAL),
    ON("process.disk.io", PROCESS_DISK_IO),
    OFF("process.cpu.utilization", PROCESS_CPU_UTILIZATION),
    OFF("process.memory.utilization", PROCESS_MEMORY_UTILIZATION),
    OFF("process.paging.faults", PROCESS_PAGING_FAULTS),
    OFF("process.threads", PROCESS_THREADS),
    OFF("process.open_file_descriptors", PROCESS_OPEN_FILES),
    OFF("process.context_switches", PROCESS_CONTEXT_SWITCHES),
    OFF("process.uptime", PROCESS_UPTIME),
    { "process.disk.operations", OPTION_UNSUPPORTED },
    { "process.handles", OPTION_UNSUPPORTED },
    { "process.signals_pending", OPTION_UNSUPPORTED },
    { 0 },
};
static const struct option system_metrics[] = { ON("system.uptime", SYSTEM_UPTIME), { 0 } };

/* ---- filters ---- */

#define FILTER_TABLE(table, key, help)                                                                                                     \
    static const struct option table[] = {                                                                                                 \
        { key, OPTION_STRINGS, offsetof(struct host_filter_settings, items), NULL, NULL, help },                                           \
        { "match_type", OPTION_ENUM, offsetof(struct host_filter_settings, match_type), "strict", "strict|regexp",                         \
            "how they are compared" },                                                                                                     \
        { 0 },                                                                                                                             \
    }
FILTER_TABLE(device_options, "devices", "names of devices");
FILTER_TABLE(interface_options, "interfaces", "names of interfaces");
FILTER_TABLE(name_options, "names", "names of executables");
FILTER_TABLE(type_options, "fs_types", "types of file systems");
FILTER_TABLE(mount_options, "mount_points", "mount points");

#define FILTER(key, filter, table, help)                                                                                                   \
    {                                                                                                                                      \
        key, OPTION_BLOCK, FIELD(filter), NULL, NULL, help, table, .present = FIELD(filter.present)                                        \
    }
#define METRICS(table)                                                                                                                     \
    {                                                                                                                                      \
        "metrics", OPTION_BLOCK, 0, NULL, NULL, "metrics, each on or off", table                                                           \
    }

static const struct option cpu_options[] = { METRICS(cpu_metrics), { 0 } };
static const struct option memory_options[] = { METRICS(memory_metrics), { 0 } };
static const struct option load_options[] = {
    { "cpu_average", OPTION_BOOL, FIELD(cpu_average), "false", NULL, "divides by the number of CPUs" },
    METRICS(load_metrics),
    { 0 },
};
static const struct option disk_options[] = {
    FILTER("include", include[FILTER_DISK], device_options, "devices that are reported; none: all"),
    FILTER("exclude", exclude[FILTER_DISK], device_options, "devices that are not"),
    METRICS(disk_metrics),
    { 0 },
};
static const struct option filesystem_options[] = {
    { "include_virtual_filesystems", OPTION_BOOL, FIELD(include_virtual_filesystems), "false", NULL, "file systems without a device too" },
    FILTER("include_devices", include[FILTER_DEVICES], device_options, "devices that are reported; none: all"),
    FILTER("exclude_devices", exclude[FILTER_DEVICES], device_options, "devices that are not"),
    FILTER("include_fs_types", include[FILTER_TYPES], type_options, "types that are reported; none: all"),
    FILTER("exclude_fs_types", exclude[FILTER_TYPES], type_options, "types that are not"),
    FILTER("include_mount_points", include[FILTER_MOUNTS], mount_options, "mount points that are reported; none: all"),
    FILTER("exclude_mount_points", exclude[FILTER_MOUNTS], mount_options, "mount points that are not"),
    METRICS(filesystem_metrics),
    { 0 },
};
static const struct option network_options[] = {
    FILTER("include", include[FILTER_NETWORK], interface_options, "interfaces that are reported; none: all"),
    FILTER("exclude", exclude[FILTER_NETWORK], interface_options, "interfaces that are not"),
    METRICS(network_metrics),
    { 0 },
};
static const struct option paging_options[] = { METRICS(paging_metrics), { 0 } };
static const struct option processes_options[] = { METRICS(processes_metrics), { 0 } };
#define MUTE(key)                                                                                                                          \
    {                                                                                                                                      \
        key, OPTION_IGNORED, .help = "a process that cannot be read is counted, and never logged"                                          \
    }
static const struct option process_options[] = {
    FILTER("include", include[FILTER_PROCESS], name_options, "processes that are reported; none: all"),
    FILTER("exclude", exclude[FILTER_PROCESS], name_options, "processes that are not"),
    { "scrape_process_delay", OPTION_DURATION, FIELD(scrape_process_delay_ns), "0s", NULL, "processes younger than this are left out" },
    MUTE("mute_process_all_errors"),
    MUTE("mute_process_name_error"),
    MUTE("mute_process_exe_error"),
    MUTE("mute_process_io_error"),
    MUTE("mute_process_user_error"),
    MUTE("mute_process_cgroup_error"),
    METRICS(process_metrics),
    { 0 },
};
static const struct option system_options[] = { METRICS(system_metrics), { 0 } };

#define SCRAPER(key, scraper, table, help)                                                                                                 \
    {                                                                                                                                      \
        key, OPTION_BLOCK, 0, NULL, NULL, help, table, .present = FIELD(scrapers[scraper])                                                 \
    }
static const struct option scraper_options[] = {
    SCRAPER("cpu", HOST_CPU, cpu_options, "time of the CPUs"),
    SCRAPER("memory", HOST_MEMORY, memory_options, "memory of the machine"),
    SCRAPER("load", HOST_LOAD, load_options, "load averages"),
    SCRAPER("disk", HOST_DISK, disk_options, "reads and writes of block devices"),
    SCRAPER("filesystem", HOST_FILESYSTEM, filesystem_options, "space and inodes of file systems"),
    SCRAPER("network", HOST_NETWORK, network_options, "interfaces and TCP connections"),
    SCRAPER("paging", HOST_PAGING, paging_options, "page faults and swap"),
    SCRAPER("processes", HOST_PROCESSES, processes_options, "how many processes there are"),
    SCRAPER("process", HOST_PROCESS, process_options, "each process; a resource of its own"),
    SCRAPER("system", HOST_SYSTEM, system_options, "uptime"),
    { "nfs", OPTION_UNSUPPORTED },
    { 0 },
};

const struct option host_options[] = {
    { "collection_interval", OPTION_DURATION, FIELD(collection_interval_ns), "1m", "10ms..24h", "time between two scrapes" },
    { "initial_delay", OPTION_DURATION, FIELD(initial_delay_ns), "1s", NULL, "until the first one" },
    { "root_path", OPTION_STRING, FIELD(root_path), NULL, NULL,
        "where the machine's file system is mounted, in a container: /hostfs; none: /" },
    { "scrapers", OPTION_BLOCK, 0, NULL, NULL, "what is scraped; at least one", scraper_options },
    { "timeout", OPTION_IGNORED, .help = "files of /proc do not keep anybody waiting" },
    { "metadata_collection_interval", OPTION_IGNORED, .help = "entities are not sent" },
    { 0 },
};
