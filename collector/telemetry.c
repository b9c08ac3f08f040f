/*
 * The registry of weir's own metrics: a list under one lock, which only making, destroying and reading out take.
 * Reading sorts a copy of the pointers; there are hundreds of series, not millions.
 */
#include "collector/telemetry.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct metric {
    const struct metric_spec *spec;
    char *labels; /* rendered: name="value",... ; owned */
    atomic_int_fast64_t value;
    double (*read)(void *);
    void *context;
    struct metric *previous, *next;
};

static struct {
    pthread_mutex_t lock;
    struct metric *first;
    size_t count;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void append_label(struct buffer *out, const struct metric_label *label)
{
    buffer_printf(out, "%s%s=\"", out->size > 0 ? "," : "", label->name);
    for (const char *text = label->value; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"')
            buffer_append_byte(out, '\\');
        if (*text == '\n')
            buffer_append_string(out, "\\n");
        else
            buffer_append_byte(out, (uint8_t)*text);
    }
    buffer_append_byte(out, '"');
}

static struct metric *create(const struct metric_spec *spec, const struct metric_label *labels)
{
    struct metric *metric = calloc(1, sizeof(*metric));
    struct buffer text = { 0 };

    for (size_t i = 0; labels != NULL && labels[i].name != NULL; i++)
        append_label(&text, &labels[i]);
    if (metric == NULL)
        abort();
    metric->spec = spec;
    metric->labels = slice_dup_string(buffer_slice(&text));
    buffer_fini(&text);
    return metric;
}

static struct metric *enlist(struct metric *metric)
{
    pthread_mutex_lock(&registry.lock);
    metric->next = registry.first;
    if (registry.first != NULL)
        registry.first->previous = metric;
    registry.first = metric;
    registry.count++;
    pthread_mutex_unlock(&registry.lock);
    return metric;
}

struct metric *metric_create(const struct metric_spec *spec, const struct metric_label *labels)
{
    return enlist(create(spec, labels));
}

struct metric *metric_observe(const struct metric_spec *spec, const struct metric_label *labels, double (*read)(void *), void *context)
{
    struct metric *metric = create(spec, labels);

    metric->read = read;
    metric->context = context;
    return enlist(metric);
}

void metric_destroy(struct metric *metric)
{
    if (metric == NULL)
        return;
    pthread_mutex_lock(&registry.lock);
    if (metric->previous != NULL)
        metric->previous->next = metric->next;
    else
        registry.first = metric->next;
    if (metric->next != NULL)
        metric->next->previous = metric->previous;
    registry.count--;
    pthread_mutex_unlock(&registry.lock);
    free(metric->labels);
    free(metric);
}

void metric_add(struct metric *metric, uint64_t value)
{
    atomic_fetch_add_explicit(&metric->value, (int_fast64_t)value, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

uint64_t metric_value(const struct metric *metric)
{
    return (uint64_t)atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static double read_value(struct metric *metric)
{
    return metric->read != NULL ? metric->read(metric->context) : (double)atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static int compare(const void *left, const void *right)
{
    const struct metric *a = *(struct metric *const *)left, *b = *(struct metric *const *)right;
    int order = strcmp(a->spec->name, b->spec->name);

    return order != 0 ? order : strcmp(a->labels, b->labels);
}

static void write_number(struct buffer *out, double value)
{
    if (value > -9e15 && value < 9e15 && (double)(int64_t)value == value)
        buffer_printf(out, "%" PRId64 "\n", (int64_t)value);
    else
        buffer_printf(out, "%.17g\n", value);
}

static void write_header(struct buffer *out, const struct metric_spec *spec)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", spec->name, spec->help, spec->name, spec->kind == METRIC_COUNTER ? "counter" : "gauge");
}

static void write_sorted(struct metric **sorted, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count;) {
        struct metric *metric = sorted[i];
        double value = 0;

        if (i == 0 || strcmp(sorted[i - 1]->spec->name, metric->spec->name) != 0)
            write_header(out, metric->spec);
        for (; i < count && compare(&sorted[i], &metric) == 0; i++)
            value += read_value(sorted[i]);
        buffer_append_string(out, metric->spec->name);
        if (metric->labels[0] != '\0')
            buffer_printf(out, "{%s}", metric->labels);
        buffer_append_byte(out, ' ');
        write_number(out, value);
    }
}

void metrics_write(struct buffer *out)
{
    struct metric **sorted;
    size_t count = 0;

    pthread_mutex_lock(&registry.lock);
    sorted = malloc((registry.count + 1) * sizeof(struct metric *));
    for (struct metric *metric = registry.first; sorted != NULL && metric != NULL; metric = metric->next)
        sorted[count++] = metric;
    if (sorted == NULL) {
        out->failed = true;
    } else {
        qsort(sorted, count, sizeof(struct metric *), compare);
        write_sorted(sorted, count, out);
    }
    pthread_mutex_unlock(&registry.lock);
    free(sorted);
}
