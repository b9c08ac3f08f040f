/* What weir says of its own process: CPU, memory, uptime, under the OpenTelemetry Collector's names. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/payload.h"
#include "collector/telemetry.h"

static double read_cpu_seconds(void *context)
{
    (void)context;
    return (double)clock_cpu_nanos() / (double)NANOS_PER_SECOND;
}

/* `context` points at the column of /proc/self/statm: 0 virtual size, 1 resident. */
static double read_memory(void *context)
{
    unsigned long pages[2] = { 0, 0 };
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &pages[0], &pages[1]) != 2)
        pages[0] = pages[1] = 0;
    fclose(file);
    return (double)pages[*(const int *)context] * (double)sysconf(_SC_PAGESIZE);
}

static double read_uptime(void *context)
{
    const int64_t *started = context;

    return (double)(clock_monotonic_nanos() - *started) / (double)NANOS_PER_SECOND;
}

static double read_in_flight(void *context)
{
    (void)context;
    return (double)payload_bytes_in_flight();
}

static double read_peak(void *context)
{
    (void)context;
    return (double)payload_bytes_peak();
}

void metrics_observe_process(void)
{
    static const struct metric_spec cpu = { "otelcol_process_cpu_seconds", "Total CPU user and system time in seconds", METRIC_COUNTER };
    static const struct metric_spec rss = { "otelcol_process_memory_rss", "Total physical memory (resident set size)", METRIC_GAUGE };
    static const struct metric_spec sys = { "otelcol_process_runtime_total_sys_memory_bytes", "Total bytes of memory obtained from the OS", METRIC_GAUGE };
    static const struct metric_spec uptime = { "otelcol_process_uptime", "Uptime of the process in seconds", METRIC_COUNTER };
    static const struct metric_spec flight = { "weir_memory_in_flight_bytes", "Bytes of telemetry held now", METRIC_GAUGE };
    static const struct metric_spec peak = { "weir_memory_in_flight_peak_bytes", "Most bytes of telemetry held at once since start", METRIC_GAUGE };
    static int virtual_column = 0, resident_column = 1;
    static int64_t started;

    started = clock_monotonic_nanos();
    metric_observe(&cpu, NULL, read_cpu_seconds, NULL);
    metric_observe(&rss, NULL, read_memory, &resident_column);
    metric_observe(&sys, NULL, read_memory, &virtual_column);
    metric_observe(&uptime, NULL, read_uptime, &started);
    metric_observe(&flight, NULL, read_in_flight, NULL);
    metric_observe(&peak, NULL, read_peak, NULL);
}
