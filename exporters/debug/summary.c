/* The line that counts a batch. */
#include "exporters/debug/text.h"

void text_count(enum signal signal, struct slice request, struct text_counts *counts)
{
    struct otlp_groups groups = otlp_groups(request);
    struct otlp_walk walk = otlp_walk(request);
    struct otlp_group group;

    while (otlp_next_group(&groups, &group))
        counts->groups++;
    while (signal == SIGNAL_METRICS && otlp_walk_next(&walk))
        counts->metrics++;
    counts->records += otlp_count(signal, request);
}

const char *text_title(enum signal signal)
{
    static const char *const titles[SIGNAL_COUNT] = { "Traces", "Metrics", "Logs", "Profiles" };

    return titles[signal];
}

void text_summary(enum signal signal, const struct text_counts *counts, struct buffer *out)
{
    switch (signal) {
    case SIGNAL_TRACES:
        buffer_printf(out, "{\"resource spans\": %zu, \"spans\": %zu}", counts->groups, counts->records);
        break;
    case SIGNAL_METRICS:
        buffer_printf(
            out, "{\"resource metrics\": %zu, \"metrics\": %zu, \"data points\": %zu}", counts->groups, counts->metrics, counts->records);
        break;
    case SIGNAL_LOGS:
        buffer_printf(out, "{\"resource logs\": %zu, \"log records\": %zu}", counts->groups, counts->records);
        break;
    default:
        buffer_printf(out, "{\"resource profiles\": %zu, \"sample records\": %zu}", counts->groups, counts->records);
        break;
    }
}
