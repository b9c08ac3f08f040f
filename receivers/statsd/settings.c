/* Options to rules. Start-up only. */
#include "receivers/statsd/settings.h"

#include <stdlib.h>

#include "collector/ottl/regex.h"
#include "receivers/statsd/exponential.h"

struct explicit_buckets {
    const char *matcher_pattern;
    const struct config_node *buckets;
};

struct mapping {
    int statsd_type, observer_type;
    int64_t max_size;
    struct option_list explicit_buckets;
    const struct config_node *percentiles;
};

enum { TYPE_TIMING, TYPE_TIMER, TYPE_HISTOGRAM, TYPE_DISTRIBUTION };

static const struct option bucket_options[] = {
    { "matcher_pattern", OPTION_STRING, offsetof(struct explicit_buckets, matcher_pattern), NULL, "nonempty",
        "regular expression on the metric's name", .flags = OPTION_REQUIRED },
    { "buckets", OPTION_ANY, offsetof(struct explicit_buckets, buckets), NULL, NULL, "upper bounds, a list of numbers",
        .flags = OPTION_REQUIRED },
    { 0 },
};

static const struct option histogram_options[] = {
    { "max_size", OPTION_INT, offsetof(struct mapping, max_size), "160", "2..16384",
        "buckets on each side of zero of an exponential histogram" },
    { "explicit_buckets", OPTION_LIST, offsetof(struct mapping, explicit_buckets), NULL, NULL,
        "fixed buckets for the metrics of some names; the first that matches", bucket_options, sizeof(struct explicit_buckets) },
    { 0 },
};

static const struct option summary_options[] = {
    { "percentiles", OPTION_ANY, offsetof(struct mapping, percentiles), NULL, NULL,
        "a list of numbers from 0 to 100; none: 0, 10, 50, 90, 95, 100" },
    { 0 },
};

static const struct option mapping_options[] = {
    { "statsd_type", OPTION_ENUM, offsetof(struct mapping, statsd_type), NULL, "timing|timer|histogram|distribution",
        "which lines: ms (timing, timer), h, d; what is said of one of h and d holds for the other too, unless that is listed itself",
        .flags = OPTION_REQUIRED },
    { "observer_type", OPTION_ENUM, offsetof(struct mapping, observer_type), "gauge", "gauge|summary|histogram|disabled",
        "gauge: each value is a data point of its own" },
    { "histogram", OPTION_BLOCK, 0, NULL, NULL, "for observer_type histogram", histogram_options },
    { "summary", OPTION_BLOCK, 0, NULL, NULL, "for observer_type summary", summary_options },
    { 0 },
};

#define FIELD(field) offsetof(struct statsd_settings, field)
const struct option statsd_options[] = {
    { "endpoint", OPTION_STRING, FIELD(endpoint), "localhost:8125", "nonempty",
        "address to listen on; with transport unixgram a path, /var/run/statsd-receiver.sock unless one is given" },
    { "transport", OPTION_ENUM, FIELD(transport), "udp", "udp|udp4|udp6|tcp|tcp4|tcp6|unixgram", "unixgram: a unix datagram socket" },
    { "socket_permissions", OPTION_INT, FIELD(socket_permissions), "0622", "0..511", "of a unix socket's file, octal with a 0 in front" },
    { "socket_buffer_size", OPTION_INT, FIELD(socket_buffer_size), "0", "0..1073741824",
        "bytes that the kernel keeps until they are read; 0: the system's default" },
    { "aggregation_interval", OPTION_DURATION, FIELD(aggregation_interval_ns), "60s", "10ms..24h",
        "how often what came in is added up and sent on" },
    { "enable_metric_type", OPTION_BOOL, FIELD(enable_metric_type), "false", NULL,
        "adds an attribute metric_type: counter, gauge, timing, histogram, distribution, set" },
    { "enable_simple_tags", OPTION_BOOL, FIELD(enable_simple_tags), "false", NULL,
        "tags without a value are taken; else the line is refused" },
    { "enable_ip_only_aggregation", OPTION_BOOL, FIELD(enable_ip_only_aggregation), "false", NULL,
        "senders are told apart by their address alone, without the port" },
    { "ignore_host", OPTION_BOOL, FIELD(ignore_host), "false", NULL,
        "senders are not told apart; else each sender's metrics are added up by themselves" },
    { "is_monotonic_counter", OPTION_BOOL, FIELD(is_monotonic_counter), "false", NULL, "counters become monotonic sums" },
    { "counter_type", OPTION_ENUM, FIELD(counter_type), "int", "int|float|stochastic_int",
        "int: what each line adds is cut to an integer; stochastic_int: rounded by chance, so that sums stay true" },
    { "timer_histogram_mapping", OPTION_LIST, FIELD(mappings), NULL, NULL,
        "what timings, histograms and distributions become; gauges when nothing is said", mapping_options, sizeof(struct mapping) },
    { "tag_formats", OPTION_STRINGS, FIELD(tag_formats), "dogstatsd", "dogstatsd|influxdb|librato|signalfx",
        "how tags may be written: name:1|c|#tag:value, name,tag=value:1|c, name#tag=value:1|c, name[tag=value]:1|c", .flags = OPTION_WEIR },
    { "max_series", OPTION_INT, FIELD(max_series), "100000", "1..10000000", "series in one interval; lines of further ones are refused",
        .flags = OPTION_WEIR },
    { "max_samples", OPTION_INT, FIELD(max_samples), "1000000", "1..100000000",
        "values kept one by one in one interval: those of gauge and summary observers, and members of sets", .flags = OPTION_WEIR },
    { "tcp_idle_timeout", OPTION_DURATION, FIELD(tcp_idle_timeout_ns), "0s", NULL, "a silent TCP connection is closed after it; 0: never",
        .flags = OPTION_WEIR },
    { "max_connections", OPTION_INT, FIELD(max_connections), "1024", "1..1000000", "TCP connections", .flags = OPTION_WEIR },
    { 0 },
};

/* ---- rules ---- */

struct numbers {
    double *values; /* owned */
    size_t count;
};

static bool numbers(const struct config_node *list, struct numbers *out, struct error *err)
{
    size_t count = 0;

    if (list != NULL && list->kind != CONFIG_LIST && list->kind != CONFIG_NULL)
        return fail(err, "expected a list of numbers");
    for (const struct config_node *i = list != NULL ? list->children : NULL; i != NULL; i = i->next)
        count++;
    out->values = calloc(count + 1, sizeof(*out->values));
    if (out->values == NULL)
        abort();
    for (const struct config_node *i = list != NULL ? list->children : NULL; i != NULL; i = i->next)
        if (i->kind != CONFIG_SCALAR || !statsd_number(slice_of_string(i->text), &out->values[out->count++]))
            return fail(err, "expected a number, found \"%s\"", i->kind == CONFIG_SCALAR ? i->text : "a list or a map");
    return true;
}

static int compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static bool init_buckets(struct statsd_buckets *buckets, const struct explicit_buckets *from, struct error *err)
{
    struct numbers bounds = { NULL, 0 };
    bool valid;

    buckets->name = ottl_regex_create(slice_of_string(from->matcher_pattern), err);
    if (buckets->name == NULL)
        return fail_within(err, "matcher_pattern \"%s\"", from->matcher_pattern);
    valid = numbers(from->buckets, &bounds, err);
    buckets->bounds = bounds.values;
    if (!valid)
        return fail_within(err, "buckets");
    qsort(bounds.values, bounds.count, sizeof(*bounds.values), compare);
    for (size_t i = 0; i < bounds.count; i++)
        if (buckets->count == 0 || bounds.values[i] != bounds.values[buckets->count - 1])
            bounds.values[buckets->count++] = bounds.values[i];
    return true;
}

static bool init_observer(struct statsd_observer *observer, const struct mapping *mapping, struct error *err)
{
    const struct explicit_buckets *list = mapping->explicit_buckets.items;
    struct statsd_buckets *buckets = calloc(mapping->explicit_buckets.count + 1, sizeof(*buckets));
    struct numbers percentiles = { NULL, 0 };
    bool valid;

    if (buckets == NULL)
        abort();
    observer->method = (enum statsd_method)mapping->observer_type;
    observer->max_size = (size_t)mapping->max_size;
    observer->buckets = buckets;
    for (size_t i = 0; i < mapping->explicit_buckets.count; i++) {
        observer->bucket_count++;
        if (!init_buckets(&buckets[i], &list[i], err))
            return fail_within(err, "explicit_buckets[%zu]", i);
    }
    valid = numbers(mapping->percentiles, &percentiles, err);
    observer->percentiles = percentiles.values;
    observer->percentile_count = percentiles.count;
    if (!valid)
        return fail_within(err, "percentiles");
    for (size_t i = 0; i < percentiles.count; i++)
        if (percentiles.values[i] < 0 || percentiles.values[i] > 100)
            return fail(err, "percentiles: %g is not between 0 and 100", percentiles.values[i]);
    return true;
}

static const struct mapping *mapping_of(const struct option_list *list, int type, int other)
{
    const struct mapping *items = list->items, *found = NULL;

    for (size_t i = 0; i < list->count; i++)
        if (items[i].statsd_type == type || (found == NULL && items[i].statsd_type == other))
            found = &items[i];
    return found;
}

/* A list that names the word itself wins over one that names the other. */
static const struct mapping *mapping_for(const struct option_list *list, int type, int other)
{
    const struct mapping *own = mapping_of(list, type, type);

    return own != NULL ? own : mapping_of(list, other, other);
}

bool statsd_rules_init(struct statsd_rules *rules, const struct statsd_settings *settings, struct error *err)
{
    static const struct {
        enum statsd_type type;
        int word, other;
    } types[] = { { STATSD_TIMING, TYPE_TIMING, TYPE_TIMER }, { STATSD_HISTOGRAM, TYPE_HISTOGRAM, TYPE_DISTRIBUTION },
        { STATSD_DISTRIBUTION, TYPE_DISTRIBUTION, TYPE_HISTOGRAM } };
    static const char *const dialects[] = { "dogstatsd", "influxdb", "librato", "signalfx" };

    *rules = (struct statsd_rules){ .metric_type = settings->enable_metric_type,
        .simple_tags = settings->enable_simple_tags,
        .monotonic = settings->is_monotonic_counter,
        .counters = (enum statsd_counters)settings->counter_type,
        .max_series = (size_t)settings->max_series,
        .max_samples = (size_t)settings->max_samples };
    for (size_t i = 0; i < settings->tag_formats.count; i++)
        for (unsigned j = 0; j < 4; j++)
            if (strcmp(settings->tag_formats.items[i], dialects[j]) == 0)
                rules->dialects |= 1U << j;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const struct mapping *mapping = mapping_for(&settings->mappings, types[i].word, types[i].other);

        rules->observers[types[i].type].max_size = EXPONENTIAL_DEFAULT_SIZE;
        if (mapping != NULL && !init_observer(&rules->observers[types[i].type], mapping, err))
            return fail_within(err, "timer_histogram_mapping");
    }
    return true;
}

void statsd_rules_fini(struct statsd_rules *rules)
{
    for (size_t i = 0; i < STATSD_TYPE_COUNT; i++) {
        struct statsd_observer *observer = &rules->observers[i];

        for (size_t j = 0; j < observer->bucket_count; j++) {
            ottl_regex_destroy(observer->buckets[j].name);
            free((void *)observer->buckets[j].bounds);
        }
        free((void *)observer->buckets);
        free((void *)observer->percentiles);
    }
    *rules = (struct statsd_rules){ .metric_type = false };
}
