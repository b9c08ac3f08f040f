/*
 * Values into series.
 * Cost: some 10 ns; a logarithm for an exponential histogram. Limits: max_samples values and members in an interval.
 */
#include "receivers/statsd/series.h"

#include <math.h>
#include <stdlib.h>

#include "collector/base/hash.h"

enum { FIRST_SAMPLES = 256, FIRST_MEMBERS = 256 };
static const double max_integer = 9.2e18, max_weight = 9e15;

void statsd_series_fini(struct statsd_series *series)
{
    if (series->method == STATSD_OBSERVE_HISTOGRAM && series->explicit == NULL)
        exponential_destroy(series->exponential);
    free(series->explicit);
}

static double weight_of(double rate)
{
    return rate > 0 && rate < 1 ? 1 / rate : 1;
}

static int64_t whole(const struct statsd_table *table, double value)
{
    double below = floor(value);

    if (table->rules->counters == STATSD_COUNT_INT || below == value)
        return (int64_t)value;
    return (int64_t)below + (random_unit() < value - below);
}

static const char *count(struct statsd_table *table, struct statsd_series *series, const struct statsd_value *value)
{
    double added = value->rate > 0 && value->rate < 1 ? value->value / value->rate : value->value;

    if (!isfinite(added))
        return "bad_value";
    if (table->rules->counters == STATSD_COUNT_FLOAT) {
        series->value += added;
        return NULL;
    }
    if (fabs(added) >= max_integer)
        return "bad_value";
    if (__builtin_add_overflow(series->integer, whole(table, added), &series->integer))
        series->integer = added > 0 ? INT64_MAX : INT64_MIN;
    return NULL;
}

static void set_gauge(struct statsd_series *series, const struct statsd_value *value)
{
    series->value = value->is_relative && series->is_set ? series->value + value->value : value->value;
    series->is_set = true;
}

/* ---- values that are kept ---- */

static bool make_sample_room(struct statsd_table *table)
{
    size_t capacity = table->sample_capacity > 0 ? table->sample_capacity * 2 : FIRST_SAMPLES;
    struct statsd_sample *samples;

    if (table->sample_count < table->sample_capacity)
        return true;
    samples = realloc(table->samples, capacity * sizeof(*samples));
    if (samples == NULL)
        return false;
    table->samples = samples;
    table->sample_capacity = capacity;
    return true;
}

static const char *keep(struct statsd_table *table, struct statsd_series *series, struct statsd_sample sample)
{
    if (table->sample_count + table->member_count >= table->rules->max_samples)
        return "too_many_samples";
    if (!make_sample_room(table))
        return "memory";
    table->samples[table->sample_count++] = sample;
    if (series->last != 0)
        table->samples[series->last - 1].next = (uint32_t)table->sample_count;
    else
        series->first = (uint32_t)table->sample_count;
    series->last = (uint32_t)table->sample_count;
    series->count++;
    return NULL;
}

/* ---- histograms ---- */

static void add_explicit(struct statsd_explicit *histogram, double value, uint64_t times)
{
    const struct statsd_buckets *buckets = histogram->buckets;
    size_t low = 0, high = buckets->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (value <= buckets->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    histogram->counts[low] += times;
    histogram->min = histogram->count == 0 || value < histogram->min ? value : histogram->min;
    histogram->max = histogram->count == 0 || value > histogram->max ? value : histogram->max;
    histogram->count += times;
    histogram->sum += value * (double)times;
}

static const char *observe(struct statsd_table *table, struct statsd_series *series, const struct statsd_value *value)
{
    double weight = weight_of(value->rate);

    if (weight > max_weight)
        return "bad_rate";
    if (series->method == STATSD_OBSERVE_GAUGE)
        return keep(table, series, (struct statsd_sample){ .value = value->value, .time_ns = value->now_ns });
    if (series->method == STATSD_OBSERVE_SUMMARY)
        return keep(table, series, (struct statsd_sample){ .value = value->value, .weight = weight });
    if (series->explicit != NULL)
        add_explicit(series->explicit, value->value, (uint64_t)weight);
    else
        exponential_add(series->exponential, value->value, (uint64_t)weight);
    return NULL;
}

const char *statsd_series_add(struct statsd_table *table, struct statsd_series *series, const struct statsd_value *value)
{
    if (series->type == STATSD_COUNTER)
        return count(table, series, value);
    if (series->type != STATSD_GAUGE)
        return observe(table, series, value);
    set_gauge(series, value);
    return NULL;
}

/* ---- sets ---- */

/* The member's place, or the free one where it belongs. */
static uint64_t *member_place(uint64_t *members, size_t capacity, uint64_t hash)
{
    size_t i = hash & (capacity - 1);

    while (members[i] != 0 && members[i] != hash)
        i = (i + 1) & (capacity - 1);
    return &members[i];
}

static bool make_member_room(struct statsd_table *table)
{
    size_t capacity = table->member_capacity > 0 ? table->member_capacity * 2 : FIRST_MEMBERS;
    uint64_t *members;

    if (table->member_count * 2 < table->member_capacity)
        return true;
    members = calloc(capacity, sizeof(*members));
    if (members == NULL)
        return false;
    for (size_t i = 0; i < table->member_capacity; i++)
        if (table->members[i] != 0)
            *member_place(members, capacity, table->members[i]) = table->members[i];
    free(table->members);
    table->members = members;
    table->member_capacity = capacity;
    return true;
}

/* Members are told apart by 64 bits of hash: two of a million are taken for one with a chance of 1 in 10^7. */
const char *statsd_series_add_member(struct statsd_table *table, struct statsd_series *series, struct slice member)
{
    uint64_t hash = hash_combine(hash_bytes(member), (uint64_t)(series - table->series) + 1) | 1;
    uint64_t *place;

    if (!make_member_room(table))
        return "memory";
    place = member_place(table->members, table->member_capacity, hash);
    if (*place == hash)
        return NULL;
    if (table->sample_count + table->member_count >= table->rules->max_samples)
        return "too_many_samples";
    *place = hash;
    table->member_count++;
    series->members++;
    return NULL;
}
