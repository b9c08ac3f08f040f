/*
 * The table as OTLP: a resource group for each peer, a metric for each name and type, a data point for each series. What the OpenTelemetry
 * Collector's receiver makes of the types stands in docs/components/receiver-statsd.md.
 * Cost: a sort of the series, and of a summary's values.
 */
#include <stdlib.h>

#include "collector/wire/metric_write.h"
#include "receivers/statsd/series.h"

static const size_t keep_bytes = 1 << 20; /* memory that an emptied table keeps */

static const double default_percentiles[] = { 0, 10, 50, 90, 95, 100 };

struct flush {
    struct statsd_table *table;
    struct metric_writer writer;
    uint64_t start_ns, now_ns;
};

uint32_t statsd_attributes_field(enum statsd_type type, const struct statsd_observer *observer, bool is_explicit)
{
    if (type == STATSD_COUNTER || type == STATSD_GAUGE || type == STATSD_SET || observer->method == STATSD_OBSERVE_GAUGE)
        return OTLP_ATTRIBUTES_OF_NUMBER_POINT;
    if (observer->method == STATSD_OBSERVE_SUMMARY)
        return OTLP_ATTRIBUTES_OF_SUMMARY_POINT;
    return is_explicit ? OTLP_ATTRIBUTES_OF_HISTOGRAM_POINT : OTLP_ATTRIBUTES_OF_EXPONENTIAL_POINT;
}

/* ---- keys ---- */

static struct statsd_key key_of(const struct statsd_table *table, const struct statsd_series *series)
{
    struct statsd_key key;

    memcpy(&key, table->keys.data + series->key_offset, sizeof(key));
    return key;
}

static struct slice name_of(const struct statsd_table *table, const struct statsd_series *series)
{
    return slice_of(table->keys.data + series->key_offset + sizeof(struct statsd_key), key_of(table, series).name_size);
}

static struct slice attributes_of(const struct statsd_table *table, const struct statsd_series *series)
{
    size_t head = sizeof(struct statsd_key) + key_of(table, series).name_size;

    return slice_of(table->keys.data + series->key_offset + head, series->key_size - head);
}

struct sorted {
    struct slice key;
    struct statsd_series *series;
};

static int compare(const void *a, const void *b)
{
    return slice_compare(((const struct sorted *)a)->key, ((const struct sorted *)b)->key);
}

static struct sorted *sort(const struct statsd_table *table)
{
    struct sorted *list = malloc(table->series_count * sizeof(*list));

    if (list == NULL)
        return NULL;
    for (size_t i = 0; i < table->series_count; i++) {
        struct statsd_series *series = &table->series[i];

        list[i] = (struct sorted){ slice_of(table->keys.data + series->key_offset, series->key_size), series };
    }
    qsort(list, table->series_count, sizeof(*list), compare);
    return list;
}

/* ---- points ---- */

static size_t begin(struct flush *flush, const struct statsd_series *series, uint64_t start_ns, uint64_t time_ns)
{
    size_t mark = metric_write_point(&flush->writer);

    buffer_append_slice(flush->writer.out, attributes_of(flush->table, series));
    metric_write_times(flush->writer.out, start_ns, time_ns);
    return mark;
}

static void write_number(struct flush *flush, const struct statsd_series *series)
{
    bool is_delta = series->type == STATSD_COUNTER;
    size_t mark = begin(flush, series, is_delta ? flush->start_ns : 0, series->time_ns != 0 ? series->time_ns : flush->now_ns);

    if (series->type == STATSD_SET)
        metric_write_int(flush->writer.out, (int64_t)series->members);
    else if (is_delta && flush->table->rules->counters != STATSD_COUNT_FLOAT)
        metric_write_int(flush->writer.out, series->integer);
    else
        metric_write_double(flush->writer.out, series->value);
    metric_write_end_point(&flush->writer, mark);
}

static void write_samples(struct flush *flush, const struct statsd_series *series)
{
    for (uint32_t i = series->first; i != 0; i = flush->table->samples[i - 1].next) {
        const struct statsd_sample *sample = &flush->table->samples[i - 1];
        size_t mark = begin(flush, series, 0, sample->time_ns);

        metric_write_double(flush->writer.out, sample->value);
        metric_write_end_point(&flush->writer, mark);
    }
}

static int compare_samples(const void *a, const void *b)
{
    double left = ((const struct statsd_sample *)a)->value, right = ((const struct statsd_sample *)b)->value;

    return (left > right) - (left < right);
}

/* The first value at which the weights so far reach the share. */
static double quantile(const struct statsd_sample *samples, size_t count, double wanted)
{
    double so_far = 0;

    for (size_t i = 0; i < count; i++) {
        so_far += samples[i].weight;
        if (so_far >= wanted)
            return samples[i].value;
    }
    return samples[count - 1].value;
}

static void write_quantiles(struct flush *flush, const struct statsd_series *series, const struct statsd_sample *samples, double total)
{
    const struct statsd_observer *observer = &flush->table->rules->observers[series->type];
    const double *percentiles = observer->percentile_count > 0 ? observer->percentiles : default_percentiles;
    size_t count =
        observer->percentile_count > 0 ? observer->percentile_count : sizeof(default_percentiles) / sizeof(default_percentiles[0]);

    for (size_t i = 0; i < count; i++) {
        size_t mark = pb_open(flush->writer.out, 6);

        pb_put_double(flush->writer.out, 1, percentiles[i] / 100);
        pb_put_double(flush->writer.out, 2, quantile(samples, series->count, percentiles[i] / 100 * total));
        pb_close(flush->writer.out, mark);
    }
}

static void write_summary(struct flush *flush, const struct statsd_series *series)
{
    struct statsd_sample *samples = malloc((series->count + (size_t)1) * sizeof(*samples));
    double total = 0, sum = 0;
    size_t count = 0, mark;

    if (samples == NULL) {
        flush->writer.out->failed = true;
        return;
    }
    for (uint32_t i = series->first; i != 0; i = samples[count - 1].next) {
        samples[count++] = flush->table->samples[i - 1];
        total += samples[count - 1].weight;
        sum += samples[count - 1].value * samples[count - 1].weight;
    }
    qsort(samples, count, sizeof(*samples), compare_samples);
    mark = begin(flush, series, flush->start_ns, flush->now_ns);
    pb_put_fixed64(flush->writer.out, 4, total < 1.8e19 ? (uint64_t)total : UINT64_MAX);
    pb_put_double(flush->writer.out, 5, sum);
    if (count > 0)
        write_quantiles(flush, series, samples, total);
    metric_write_end_point(&flush->writer, mark);
    free(samples);
}

static void write_explicit(struct flush *flush, const struct statsd_series *series)
{
    const struct statsd_explicit *histogram = series->explicit;
    const struct statsd_buckets *buckets = histogram->buckets;
    struct buffer *out = flush->writer.out;
    size_t mark = begin(flush, series, flush->start_ns, flush->now_ns);

    pb_put_fixed64(out, 4, histogram->count);
    pb_put_double(out, 5, histogram->sum);
    pb_put_bytes(out, 6, slice_of(histogram->counts, (buckets->count + 1) * sizeof(histogram->counts[0])));
    pb_put_bytes(out, 7, slice_of(buckets->bounds, buckets->count * sizeof(buckets->bounds[0])));
    if (histogram->count > 0) {
        pb_put_double(out, 11, histogram->min);
        pb_put_double(out, 12, histogram->max);
    }
    metric_write_end_point(&flush->writer, mark);
}

static uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value < 0 ? -1 : 0);
}

static void write_side(struct buffer *out, uint32_t field, const struct exponential_side *side)
{
    size_t mark, counts;

    if (side->first > side->last)
        return;
    mark = pb_open(out, field);
    pb_put_varint(out, 1, zigzag(side->first));
    counts = pb_open(out, 2);
    for (int64_t i = side->first; i <= side->last; i++)
        pb_put_raw_varint(out, exponential_count(side, i));
    pb_close(out, counts);
    pb_close(out, mark);
}

static void write_exponential(struct flush *flush, const struct statsd_series *series)
{
    const struct exponential *histogram = series->exponential;
    struct buffer *out = flush->writer.out;
    size_t mark = metric_write_point(&flush->writer);

    buffer_append_slice(out, attributes_of(flush->table, series));
    metric_write_times(out, flush->start_ns, flush->now_ns);
    pb_put_fixed64(out, 4, histogram->count);
    pb_put_double(out, 5, histogram->sum);
    pb_put_varint(out, 6, zigzag(histogram->scale));
    pb_put_fixed64(out, 7, histogram->zero_count);
    write_side(out, 8, &histogram->positive);
    write_side(out, 9, &histogram->negative);
    if (histogram->count > 0) {
        pb_put_double(out, 12, histogram->min);
        pb_put_double(out, 13, histogram->max);
    }
    metric_write_end_point(&flush->writer, mark);
}

static enum otlp_metric_kind kind_of(const struct statsd_series *series)
{
    if (series->type == STATSD_COUNTER)
        return OTLP_SUM;
    if (series->type == STATSD_GAUGE || series->type == STATSD_SET || series->method == STATSD_OBSERVE_GAUGE)
        return OTLP_GAUGE;
    if (series->method == STATSD_OBSERVE_SUMMARY)
        return OTLP_SUMMARY;
    return series->explicit != NULL ? OTLP_HISTOGRAM : OTLP_EXPONENTIAL_HISTOGRAM;
}

static void write_series(struct flush *flush, const struct statsd_series *series)
{
    enum otlp_metric_kind kind = kind_of(series);

    if (kind == OTLP_SUMMARY)
        write_summary(flush, series);
    else if (kind == OTLP_HISTOGRAM)
        write_explicit(flush, series);
    else if (kind == OTLP_EXPONENTIAL_HISTOGRAM)
        write_exponential(flush, series);
    else if (series->type == STATSD_COUNTER || series->type == STATSD_GAUGE || series->type == STATSD_SET)
        write_number(flush, series);
    else
        write_samples(flush, series);
}

/* ---- all of it ---- */

static void open_metric(struct flush *flush, const struct statsd_series *series)
{
    struct metric_head head = { .name = name_of(flush->table, series), .kind = kind_of(series), .temporality = METRIC_DELTA };

    head.monotonic = flush->table->rules->monotonic;
    metric_write_open(&flush->writer, &head);
}

static void open_group(struct flush *flush)
{
    metric_write_group(&flush->writer);
    metric_write_scope(&flush->writer, SLICE("weir/statsd"), SLICE(WEIR_VERSION));
}

static bool same_metric(const struct statsd_table *table, const struct statsd_series *a, const struct statsd_series *b)
{
    return a->type == b->type && slice_equal(name_of(table, a), name_of(table, b));
}

static void write_all(struct flush *flush, const struct sorted *list)
{
    const struct statsd_table *table = flush->table;

    for (size_t i = 0; i < table->series_count; i++) {
        const struct statsd_series *series = list[i].series, *previous = i > 0 ? list[i - 1].series : NULL;
        bool new_group = previous == NULL || key_of(table, series).peer != key_of(table, previous).peer;
        bool new_metric = new_group || !same_metric(table, series, previous);

        if (new_metric && previous != NULL)
            metric_write_close(&flush->writer);
        if (new_group && previous != NULL)
            metric_write_end_group(&flush->writer);
        if (new_group)
            open_group(flush);
        if (new_metric)
            open_metric(flush, series);
        write_series(flush, series);
    }
    metric_write_close(&flush->writer);
    metric_write_end_group(&flush->writer);
}

/* A burst of series must not hold memory for ever. */
static void empty_buffer(struct buffer *buffer)
{
    size_t limit = buffer->limit;

    if (buffer->capacity > keep_bytes) {
        buffer_fini(buffer);
        buffer->limit = limit;
    }
    buffer_clear(buffer);
}

static void empty(struct statsd_table *table)
{
    for (size_t i = 0; i < table->series_count; i++)
        statsd_series_fini(&table->series[i]);
    memset(table->entries, 0, table->entry_capacity * sizeof(table->entries[0]));
    free(table->samples);
    free(table->members);
    free(table->series);
    table->samples = NULL;
    table->members = NULL;
    table->series = NULL;
    table->sample_count = table->sample_capacity = 0;
    table->member_count = table->member_capacity = 0;
    table->series_count = table->series_capacity = table->entry_count = 0;
    empty_buffer(&table->keys);
}

size_t statsd_table_flush(struct statsd_table *table, uint64_t start_ns, uint64_t now_ns, struct buffer *out)
{
    struct flush flush = { table, metric_writer_of(out), start_ns, now_ns };
    struct sorted *list;

    if (table->series_count == 0)
        return 0;
    list = sort(table);
    if (list != NULL)
        write_all(&flush, list);
    else
        out->failed = true;
    free(list);
    if (flush.writer.points == 0)
        flush.writer.points = table->series_count;
    empty(table);
    return flush.writer.points;
}
