/*
 * memory_limiter processor: refuses data while too many bytes of telemetry are in flight. weir knows that number exactly (every
 * payload is charged when it is allocated), so receivers ask before they read a body, and nothing has to be freed
 * by force. Up to the soft limit everything comes in; above the hard limit nothing passes here either.
 *
 * Threads: limits are fixed at start; the account is one atomic.
 */
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "collector/component.h"

struct memory_limiter {
    struct component base;
    int64_t check_interval_ns;
    int64_t limit_mib, spike_limit_mib;
    int64_t limit_percentage, spike_limit_percentage;
    size_t soft_bytes, hard_bytes; /* set by start */
};

#define GC_HINT "weir has no garbage collector; the key does nothing"

static const struct option options[] = {
    { "check_interval", OPTION_DURATION, offsetof(struct memory_limiter, check_interval_ns), "0s", NULL, "must be above 0, as the OpenTelemetry Collector asks; weir accounts exactly and does not poll" },
    { "limit_mib", OPTION_INT, offsetof(struct memory_limiter, limit_mib), "0", "0..1048576", "hard limit of telemetry in flight, MiB" },
    { "spike_limit_mib", OPTION_INT, offsetof(struct memory_limiter, spike_limit_mib), "0", "0..1048576", "how far below the hard limit new data is refused, MiB; 0: 20 % of limit_mib" },
    { "limit_percentage", OPTION_INT, offsetof(struct memory_limiter, limit_percentage), "0", "0..100", "hard limit as a percentage of the memory that the cgroup or the machine has" },
    { "spike_limit_percentage", OPTION_INT, offsetof(struct memory_limiter, spike_limit_percentage), "0", "0..100", "as spike_limit_mib, in percent of the same memory; 0: 20 % of limit_percentage" },
    { "min_gc_interval_when_soft_limited", OPTION_IGNORED, 0, NULL, NULL, GC_HINT },
    { "min_gc_interval_when_hard_limited", OPTION_IGNORED, 0, NULL, NULL, GC_HINT },
    { "max_gc_interval_when_soft_limited", OPTION_IGNORED, 0, NULL, NULL, GC_HINT },
    { "max_gc_interval_when_hard_limited", OPTION_IGNORED, 0, NULL, NULL, GC_HINT },
    { 0 },
};

static bool read_number(const char *path, const char *format, unsigned long long *value)
{
    FILE *file = fopen(path, "re");
    char line[256];
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, format, value) == 1; /* NOLINT: the formats are ours */
    fclose(file);
    return found;
}

/* The cgroup's limit where there is one, else the machine's memory. */
static bool total_memory(unsigned long long *bytes, struct error *err)
{
    unsigned long long kib, limit;

    if (!read_number("/proc/meminfo", "MemTotal: %llu kB", &kib))
        return fail(err, "could not read MemTotal from /proc/meminfo; use limit_mib instead of limit_percentage");
    *bytes = kib * 1024;
    if ((read_number("/sys/fs/cgroup/memory.max", "%llu", &limit) || read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", "%llu", &limit))
        && limit < *bytes)
        *bytes = limit;
    return true;
}

static bool memory_limiter_validate(struct component *component, struct error *err)
{
    const struct memory_limiter *self = (struct memory_limiter *)component;

    if (self->check_interval_ns <= 0)
        return fail(err, "check_interval must be greater than zero, for example 1s");
    if (self->limit_mib == 0 && self->limit_percentage == 0)
        return fail(err, "limit_mib or limit_percentage must be greater than zero");
    if (self->limit_mib != 0 && self->spike_limit_mib >= self->limit_mib)
        return fail(err, "spike_limit_mib must be smaller than limit_mib");
    if (self->limit_mib == 0 && self->spike_limit_percentage >= self->limit_percentage)
        return fail(err, "spike_limit_percentage must be smaller than limit_percentage");
    return true;
}

static bool memory_limiter_start(struct component *component, struct error *err)
{
    struct memory_limiter *self = (struct memory_limiter *)component;
    unsigned long long total = 0, hard, spike;

    if (self->limit_mib != 0) { /* wins over the percentage, as upstream */
        hard = (unsigned long long)self->limit_mib << 20;
        spike = (unsigned long long)self->spike_limit_mib << 20;
    } else {
        if (!total_memory(&total, err))
            return false;
        hard = total / 100 * (unsigned long long)self->limit_percentage;
        spike = total / 100 * (unsigned long long)self->spike_limit_percentage;
    }
    if (spike == 0)
        spike = hard / 5;
    self->hard_bytes = (size_t)hard;
    self->soft_bytes = (size_t)(hard - spike);
    return true;
}

static bool memory_limiter_admit(struct component *component, size_t bytes)
{
    const struct memory_limiter *self = (struct memory_limiter *)component;
    size_t held = payload_bytes_in_flight();

    return held <= self->soft_bytes && bytes <= self->soft_bytes - held;
}

static void memory_limiter_consume(struct component *component, struct batch *batch)
{
    const struct memory_limiter *self = (struct memory_limiter *)component;

    if (payload_bytes_in_flight() > self->hard_bytes) {
        component_count_dropped(component, batch->signal, "memory_limit", batch->records);
        batch_settle(batch, outcome_retry("memory_limit", NANOS_PER_SECOND));
        return;
    }
    component_emit(component, batch);
}

const struct component_type memory_limiter_processor = {
    .name = "memory_limiter",
    .kind = COMPONENT_PROCESSOR,
    .signals = SIGNALS_ALL,
    .stability = STABILITY_BETA,
    .summary = "Refuses data (to be sent again later) while more than a limit of telemetry is in flight.",
    .options = options,
    .instance_size = sizeof(struct memory_limiter),
    .validate = memory_limiter_validate,
    .start = memory_limiter_start,
    .consume = memory_limiter_consume,
    .admit = memory_limiter_admit,
};
