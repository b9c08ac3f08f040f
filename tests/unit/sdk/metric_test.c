/* Metrics, from the calls to the exported bytes. Each test has a scope of its own: instruments live as long as the process. */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint Number;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint Buckets;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint Exponential;

/* The metric of this name in the newest request; NULL when it is not there; fails when it is there twice. */
static Metric *metric_named(const char *name)
{
    Metric *found = NULL;
    MetricsRequest *request = capture.metric_count > 0 ? capture.metrics[capture.metric_count - 1] : NULL;
    for (size_t g = 0; request != NULL && g < request->n_resource_metrics; g++) {
        for (size_t s = 0; s < request->resource_metrics[g]->n_scope_metrics; s++) {
            for (size_t m = 0; m < request->resource_metrics[g]->scope_metrics[s]->n_metrics; m++) {
                Metric *metric = request->resource_metrics[g]->scope_metrics[s]->metrics[m];
                if (strcmp(metric->name, name) != 0)
                    continue;
                assert_null(found);
                found = metric;
            }
        }
    }
    return found;
}

static void collect(void)
{
    capture_clear();
    assert_int_equal(weir_flush(5000), 0);
}

/* The point of a sum that has this attribute ("": none at all). */
static Number *number_of(const char *name, const char *key, const char *value)
{
    Metric *metric = metric_named(name);
    if (metric == NULL)
        return NULL;
    Number **points = metric->sum != NULL ? metric->sum->data_points : metric->gauge->data_points;
    size_t count = metric->sum != NULL ? metric->sum->n_data_points : metric->gauge->n_data_points;
    for (size_t i = 0; i < count; i++) {
        AnyValue *found = capture_value(points[i]->attributes, points[i]->n_attributes, key);
        if (key[0] == '\0' ? points[i]->n_attributes == 0 : found != NULL && strcmp(found->string_value, value) == 0)
            return points[i];
    }
    return NULL;
}

static int start_plain(void **state)
{
    (void)state;
    capture_start(NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    weir_shutdown(2000);
    capture_clear();
    return 0;
}

static void start_with(const char *name, const char *value)
{
    weir_setting setting = { name, value };
    weir_shutdown(1000);
    capture_start(&setting, 1);
}

static void counters(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "counters", "1");
    WEIR_INSTRUMENT(requests, WEIR_COUNTER, scope, "requests", "{request}");
    WEIR_INSTRUMENT(depth, WEIR_UPDOWN, scope, "depth", "1");
    requests.description = WEIR_S("how many");
    weir_series *get = weir_bind(&requests, WEIR_ATTRS(WEIR_KV("method", "GET"), WEIR_KV("code", 200)));
    assert_ptr_equal(get, weir_bind(&requests, WEIR_ATTRS(WEIR_KV("code", 200), WEIR_KV("method", "GET")))); /* order does not matter */
    for (int i = 0; i < 1000; i++)
        weir_add(get, 2);
    weir_add(get, -5); /* ignored */
    weir_add_attrs(&requests, 7, WEIR_ATTRS(WEIR_KV("method", "PUT")));
    weir_add_attrs(&requests, 1, WEIR_NO_ATTRS);
    weir_add_attrs(&depth, 5, WEIR_NO_ATTRS);
    weir_add_attrs(&depth, -8, WEIR_NO_ATTRS);
    collect();
    Metric *metric = metric_named("requests");
    assert_string_equal(metric->unit, "{request}");
    assert_string_equal(metric->description, "how many");
    assert_true(metric->sum->is_monotonic);
    assert_int_equal(metric->sum->aggregation_temporality, 2);
    assert_int_equal(metric->sum->n_data_points, 3);
    Number *point = number_of("requests", "method", "GET");
    assert_int_equal(point->as_int, 2000);
    assert_int_equal(point->n_attributes, 2);
    assert_true(point->start_time_unix_nano != 0 && point->start_time_unix_nano <= point->time_unix_nano);
    assert_int_equal(number_of("requests", "method", "PUT")->as_int, 7);
    assert_int_equal(number_of("requests", "", "")->as_int, 1);
    assert_false(metric_named("depth")->sum->is_monotonic);
    assert_int_equal(number_of("depth", "", "")->as_int, -3);
    weir_add(get, 1);
    collect();
    assert_int_equal(number_of("requests", "method", "GET")->as_int, 2001); /* cumulative */
}

static void floating_and_gauges(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "floating", "1");
    WEIR_INSTRUMENT(seconds, WEIR_COUNTER, scope, "seconds", "s");
    WEIR_INSTRUMENT(level, WEIR_GAUGE, scope, "level", "m");
    seconds.floating = level.floating = true;
    weir_add_double(weir_bind(&seconds, WEIR_NO_ATTRS), 0.25);
    weir_add(weir_bind(&seconds, WEIR_NO_ATTRS), 2);
    weir_record(weir_bind(&seconds, WEIR_NO_ATTRS), NAN);
    weir_record_attrs(&level, 5, WEIR_NO_ATTRS);
    weir_record_attrs(&level, -1.5, WEIR_NO_ATTRS);
    collect();
    assert_true(number_of("seconds", "", "")->as_double == 2.25);
    assert_non_null(metric_named("level")->gauge);
    assert_true(number_of("level", "", "")->as_double == -1.5);
}

static void explicit_buckets(void **state)
{
    (void)state;
    static const double bounds[] = { 1, 2, 5 };
    WEIR_SCOPE(scope, "buckets", "1");
    WEIR_INSTRUMENT(size, WEIR_HISTOGRAM, scope, "size", "By");
    WEIR_INSTRUMENT(plain, WEIR_HISTOGRAM, scope, "plain", "By");
    size.bounds = bounds;
    size.bound_count = 3;
    weir_series *series = weir_bind(&size, WEIR_NO_ATTRS);
    static const double values[] = { 0, 1, 1.5, 2, 3, 5, 6, 100, -1, NAN, INFINITY };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        weir_record(series, values[i]);
    weir_record_attrs(&plain, 30, WEIR_NO_ATTRS);
    collect();
    Buckets *point = metric_named("size")->histogram->data_points[0];
    assert_int_equal(point->count, 8);
    assert_true(point->sum == 118.5);
    assert_true(point->min == 0 && point->max == 100);
    assert_int_equal(point->n_explicit_bounds, 3);
    assert_int_equal(point->n_bucket_counts, 4);
    static const uint64_t counts[] = { 2, 2, 2, 2 };
    for (int i = 0; i < 4; i++)
        assert_int_equal(point->bucket_counts[i], counts[i]);
    assert_int_equal(metric_named("plain")->histogram->data_points[0]->n_explicit_bounds, 15);
    assert_int_equal(metric_named("plain")->histogram->data_points[0]->bucket_counts[4], 1);
}

/* Every value lies in its bucket's bounds, whatever scale was needed. */
static void check_exponential(const Exponential *point, const double *values, size_t count)
{
    uint64_t total = point->zero_count;
    double base = pow(2, pow(2, -point->scale));
    assert_int_equal(point->count, count);
    for (size_t i = 0; point->positive != NULL && i < point->positive->n_bucket_counts; i++) {
        int index = point->positive->offset + (int)i;
        double low = pow(base, index) * (1 - 1e-9), high = pow(base, index + 1) * (1 + 1e-9);
        uint64_t inside = 0;
        for (size_t j = 0; j < count; j++)
            inside += values[j] > low && values[j] <= high;
        assert_true(point->positive->bucket_counts[i] <= inside);
        total += point->positive->bucket_counts[i];
    }
    assert_int_equal(total, count);
    assert_true(point->positive == NULL || point->positive->n_bucket_counts <= 160);
}

static void exponential_buckets(void **state)
{
    (void)state;
    static double values[3000];
    WEIR_SCOPE(scope, "exponential", "1");
    WEIR_INSTRUMENT(near, WEIR_HISTOGRAM, scope, "near", "s");
    WEIR_INSTRUMENT(far, WEIR_HISTOGRAM, scope, "far", "s");
    near.exponential = far.exponential = true;
    double powers[] = { 0, 1, 2, 4, 8, 0.5 };
    for (int i = 0; i < 6; i++)
        weir_record_attrs(&near, powers[i], WEIR_NO_ATTRS);
    for (int i = 0; i < 3000; i++) {
        values[i] = pow(10, (i % 600) / 2.0 - 150) * (1 + i / 7000.0);
        weir_record_attrs(&far, values[i], WEIR_NO_ATTRS);
    }
    collect();
    Exponential *point = metric_named("near")->exponential_histogram->data_points[0];
    assert_int_equal(point->zero_count, 1);
    assert_true(point->scale >= 5);
    assert_true(point->sum == 15.5 && point->min == 0 && point->max == 8);
    check_exponential(point, powers, 6);
    point = metric_named("far")->exponential_histogram->data_points[0];
    assert_true(point->scale < 0);
    check_exponential(point, values, 3000);
}

struct work {
    weir_series *counter, *buckets, *exponential;
    double from;
};

static void *work(void *argument)
{
    struct work *work = argument;
    for (int i = 0; i < 20000; i++) {
        weir_add(work->counter, 1);
        weir_record(work->buckets, i % 100);
        weir_record(work->exponential, work->from * (1 + i % 100));
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "threads", "1");
    WEIR_INSTRUMENT(added, WEIR_COUNTER, scope, "t.added", "1");
    WEIR_INSTRUMENT(bucketed, WEIR_HISTOGRAM, scope, "t.bucketed", "1");
    WEIR_INSTRUMENT(spread, WEIR_HISTOGRAM, scope, "t.spread", "1");
    pthread_t threads[4];
    struct work works[4];
    spread.exponential = true;
    for (int i = 0; i < 4; i++) {
        works[i] = (struct work){ weir_bind(&added, WEIR_NO_ATTRS), weir_bind(&bucketed, WEIR_NO_ATTRS), weir_bind(&spread, WEIR_NO_ATTRS),
            pow(1000, i) };
        pthread_create(&threads[i], NULL, work, &works[i]);
    }
    for (int i = 0; i < 20; i++)
        weir_flush(5000);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    collect();
    assert_int_equal(number_of("t.added", "", "")->as_int, 80000);
    assert_int_equal(metric_named("t.bucketed")->histogram->data_points[0]->count, 80000);
    assert_true(metric_named("t.bucketed")->histogram->data_points[0]->sum == 80000 * 49.5);
    Exponential *point = metric_named("t.spread")->exponential_histogram->data_points[0];
    uint64_t sum = 0;
    for (size_t i = 0; i < point->positive->n_bucket_counts; i++)
        sum += point->positive->bucket_counts[i];
    assert_int_equal(sum, 80000);
    assert_int_equal(point->count, 80000);
    assert_true(point->max == 1e11 && point->min == 1);
}

static void delta_temporality(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "delta", "1");
    WEIR_INSTRUMENT(added, WEIR_COUNTER, scope, "d.added", "1");
    WEIR_INSTRUMENT(depth, WEIR_UPDOWN, scope, "d.depth", "1");
    WEIR_INSTRUMENT(spread, WEIR_HISTOGRAM, scope, "d.spread", "1");
    start_with("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta");
    for (int round = 1; round <= 3; round++) {
        weir_add_attrs(&added, round, WEIR_NO_ATTRS);
        weir_add_attrs(&depth, round, WEIR_NO_ATTRS);
        weir_record_attrs(&spread, round, WEIR_NO_ATTRS);
        collect();
        assert_int_equal(metric_named("d.added")->sum->aggregation_temporality, 1);
        assert_int_equal(number_of("d.added", "", "")->as_int, round);
        assert_int_equal(metric_named("d.depth")->sum->aggregation_temporality, 2);
        assert_int_equal(number_of("d.depth", "", "")->as_int, round * (round + 1) / 2);
        Buckets *point = metric_named("d.spread")->histogram->data_points[0];
        assert_int_equal(point->count, 1);
        assert_true(point->min == round && point->max == round);
        if (round > 1)
            assert_true(number_of("d.added", "", "")->start_time_unix_nano > number_of("d.depth", "", "")->start_time_unix_nano);
    }
    collect();
    assert_null(metric_named("d.added")); /* nothing new */
    assert_non_null(metric_named("d.depth"));
}

static void low_memory_temporality(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "lowmemory", "1");
    WEIR_INSTRUMENT(added, WEIR_COUNTER, scope, "l.added", "1");
    start_with("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "lowmemory");
    weir_add_attrs(&added, 1, WEIR_NO_ATTRS);
    collect();
    assert_int_equal(metric_named("l.added")->sum->aggregation_temporality, 1);
}

static void exponential_by_default(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "preference", "1");
    WEIR_INSTRUMENT(spread, WEIR_HISTOGRAM, scope, "p.spread", "1");
    start_with("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram");
    weir_record_attrs(&spread, 1, WEIR_NO_ATTRS);
    collect();
    assert_non_null(metric_named("p.spread")->exponential_histogram);
}

static void cardinality_is_limited(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "cardinality", "1");
    WEIR_INSTRUMENT(many, WEIR_COUNTER, scope, "many", "1");
    char text[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3000; i++) {
            snprintf(text, sizeof(text), "%d", i);
            weir_add_attrs(&many, 1, WEIR_ATTRS(weir_kv_z(WEIR_S("id"), text)));
        }
    }
    collect();
    Metric *metric = metric_named("many");
    assert_int_equal(metric->sum->n_data_points, 2000);
    int64_t total = 0, overflow = 0;
    for (size_t i = 0; i < metric->sum->n_data_points; i++) {
        Number *point = metric->sum->data_points[i];
        total += point->as_int;
        if (strcmp(point->attributes[0]->key, "otel.metric.overflow") == 0)
            overflow = point->as_int;
    }
    assert_int_equal(total, 6000);
    assert_int_equal(overflow, 2 * (3000 - 1999));
}

static _Atomic int observations;

static void observe(weir_observer *observer, void *user)
{
    observations++;
    weir_observed_int(observer, 10 * (intptr_t)user, WEIR_ATTRS(WEIR_KV("cpu", "a")));
    weir_observed_int(observer, 3, WEIR_ATTRS(WEIR_KV("cpu", "b")));
    weir_observed_int(observer, 4, WEIR_ATTRS(WEIR_KV("cpu", "b")));
}

static void observed_instruments(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "observed", "1");
    WEIR_INSTRUMENT(time, WEIR_OBSERVED_COUNTER, scope, "o.time", "s");
    WEIR_INSTRUMENT(load, WEIR_OBSERVED_GAUGE, scope, "o.load", "1");
    WEIR_INSTRUMENT(plain, WEIR_COUNTER, scope, "o.plain", "1");
    int id = weir_observe(&time, observe, (void *)1);
    assert_true(id > 0);
    assert_true(weir_observe(&load, observe, (void *)2) > id);
    assert_int_equal(weir_observe(&plain, observe, NULL), -EINVAL);
    observations = 0;
    collect();
    assert_int_equal(observations, 2);
    assert_int_equal(number_of("o.time", "cpu", "a")->as_int, 10);
    assert_int_equal(number_of("o.time", "cpu", "b")->as_int, 4);
    assert_true(metric_named("o.time")->sum->is_monotonic);
    assert_int_equal(number_of("o.load", "cpu", "a")->as_int, 20);
    weir_unobserve(id);
    collect();
    assert_null(metric_named("o.time"));
    assert_non_null(metric_named("o.load"));
    weir_unobserve(id + 1);
}

static void views(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "views", "1");
    WEIR_INSTRUMENT(requests, WEIR_COUNTER, scope, "v.requests", "1");
    WEIR_INSTRUMENT(noise, WEIR_COUNTER, scope, "v.noise", "1");
    WEIR_INSTRUMENT(size, WEIR_HISTOGRAM, scope, "v.size", "By");
    static const double bounds[] = { 10, 20 };
    weir_str keep[] = { WEIR_S("method") };
    weir_view all[] = {
        { .size = sizeof(weir_view),
            .match_name = WEIR_S("v.req*"),
            .name = WEIR_S("renamed"),
            .description = WEIR_S("by view"),
            .filter = true,
            .keep = keep,
            .keep_count = 1 },
        { .size = sizeof(weir_view), .match_name = WEIR_S("v.request?"), .cardinality = 3 },
        { .size = sizeof(weir_view), .match_name = WEIR_S("v.noise"), .aggregation = WEIR_AGGREGATE_DROP },
        { .size = sizeof(weir_view),
            .any_kind = 1 + WEIR_HISTOGRAM,
            .match_unit = WEIR_S("By"),
            .match_scope = WEIR_S("views"),
            .aggregation = WEIR_AGGREGATE_BUCKETS,
            .bounds = bounds,
            .bound_count = 2 },
    };
    weir_config config = weir_config_default();
    weir_shutdown(1000);
    capture_clear();
    config.no_environment = true;
    config.export_fn = capture_export;
    config.views = all;
    config.view_count = 4;
    assert_int_equal(weir_init(&config), 0);
    weir_series *a = weir_bind(&requests, WEIR_ATTRS(WEIR_KV("method", "GET"), WEIR_KV("user", "a")));
    weir_series *b = weir_bind(&requests, WEIR_ATTRS(WEIR_KV("method", "GET"), WEIR_KV("user", "b")));
    assert_ptr_not_equal(a, b);
    weir_add(a, 1);
    weir_add(b, 2);
    for (int i = 0; i < 5; i++)
        weir_add_attrs(&requests, 1, WEIR_ATTRS(WEIR_KV("user", i)));
    weir_add_attrs(&noise, 1, WEIR_NO_ATTRS);
    weir_record_attrs(&size, 15, WEIR_NO_ATTRS);
    collect();
    assert_string_equal(metric_named("renamed")->description, "by view");
    assert_int_equal(number_of("renamed", "method", "GET")->as_int, 3);
    assert_int_equal(number_of("renamed", "method", "GET")->n_attributes, 1);
    assert_int_equal(number_of("renamed", "", "")->as_int, 5);
    assert_int_equal(metric_named("v.requests")->sum->n_data_points, 3);
    assert_null(metric_named("v.noise"));
    assert_int_equal(metric_named("v.size")->histogram->data_points[0]->n_explicit_bounds, 2);
}

static void exemplars_carry_the_trace(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "exemplars", "1");
    WEIR_INSTRUMENT(added, WEIR_COUNTER, scope, "e.added", "1");
    WEIR_INSTRUMENT(spread, WEIR_HISTOGRAM, scope, "e.spread", "1");
    weir_series *series = weir_bind(&added, WEIR_NO_ATTRS);
    weir_ctx ctx;
    weir_add(series, 1);
    collect();
    assert_int_equal(number_of("e.added", "", "")->n_exemplars, 0);
    {
        WEIR_SPAN(span, scope, "measured", WEIR_INTERNAL, NULL);
        ctx = span.ctx;
        for (int i = 0; i < 100; i++)
            weir_add(series, 5);
        weir_record_attrs(&spread, 3, WEIR_NO_ATTRS);
        weir_record_attrs(&spread, 70, WEIR_NO_ATTRS);
    }
    collect();
    Number *point = number_of("e.added", "", "");
    assert_int_equal(point->n_exemplars, 1);
    assert_int_equal(point->exemplars[0]->as_int, 5);
    assert_memory_equal(point->exemplars[0]->trace_id.data, ctx.trace_id, 16);
    assert_memory_equal(point->exemplars[0]->span_id.data, ctx.span_id, 8);
    Buckets *buckets = metric_named("e.spread")->histogram->data_points[0];
    assert_int_equal(buckets->n_exemplars, 2);
    assert_true(buckets->exemplars[0]->as_double == 3 && buckets->exemplars[1]->as_double == 70);
    collect();
    assert_int_equal(number_of("e.added", "", "")->n_exemplars, 0);
    start_with("OTEL_METRICS_EXEMPLAR_FILTER", "always_on");
    weir_add(series, 1);
    collect();
    assert_int_equal(number_of("e.added", "", "")->n_exemplars, 1);
    start_with("OTEL_METRICS_EXEMPLAR_FILTER", "always_off");
    WEIR_SPAN(span, scope, "not measured", WEIR_INTERNAL, NULL);
    weir_add(series, 1);
    collect();
    assert_int_equal(number_of("e.added", "", "")->n_exemplars, 0);
}

static void misuse(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "misuse", "1");
    WEIR_INSTRUMENT(early, WEIR_COUNTER, scope, "m.early", "1");
    WEIR_INSTRUMENT(twin, WEIR_UPDOWN, scope, "m.early", "1");
    WEIR_INSTRUMENT(odd, WEIR_COUNTER, scope, "1 bad name", "1");
    static char huge[5000];
    weir_shutdown(1000);
    weir_series *ignored = weir_bind(&early, WEIR_NO_ATTRS);
    assert_non_null(ignored);
    weir_add(ignored, 1);
    weir_add(NULL, 1);
    weir_record(NULL, 1);
    weir_add_attrs(NULL, 1, WEIR_NO_ATTRS);
    weir_observed(NULL, 1, WEIR_NO_ATTRS);
    weir_unobserve(999);
    capture_start(NULL, 0);
    weir_add_attrs(&early, 1, WEIR_NO_ATTRS);
    weir_add_attrs(&twin, 1, WEIR_NO_ATTRS);
    weir_add_attrs(&odd, 1, WEIR_NO_ATTRS);
    memset(huge, 'x', sizeof(huge));
    weir_add_attrs(&odd, 10, WEIR_ATTRS(weir_kv_str(WEIR_S("huge"), weir_sn(huge, sizeof(huge)))));
    weir_add_attrs(&odd, 100, WEIR_ATTRS(weir_kv_int(weir_z(NULL), 1), weir_kv_int(WEIR_S(""), 1)));
    collect();
    assert_non_null(metric_named("1 bad name"));
    assert_int_equal(number_of("1 bad name", "", "")->as_int, 101);
    assert_int_equal(metric_named("1 bad name")->sum->n_data_points, 2);
}

static void the_sdks_own(void **state)
{
    (void)state;
    WEIR_SCOPE(scope, "own", "1");
    start_with("WEIR_SDK_METRICS", "true");
    for (int i = 0; i < 3; i++) {
        WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, NULL);
    }
    collect();
    Number *started = number_of("otel.sdk.span.started", "otel.span.sampling_result", "RECORD_AND_SAMPLE");
    assert_true(started->as_int >= 3);
    assert_int_equal(number_of("otel.sdk.processor.span.queue.capacity", "", "")->as_int, 2048);
    assert_int_equal(number_of("otel.sdk.span.live", "", "")->as_int, 0);
    assert_true(number_of("otel.sdk.exporter.span.exported", "", "")->as_int >= 3);
    assert_non_null(number_of("otel.sdk.processor.span.processed", "error.type", "queue_full"));
    assert_string_equal(metric_named("otel.sdk.span.started")->unit, "{span}");
}

/* The child begins at 0 and reports its own; the parent's goes on. */
static void a_fork_doubles_nothing(void **state)
{
    (void)state;
#if !defined(__SANITIZE_THREAD__)
    WEIR_SCOPE(scope, "fork", "1");
    WEIR_INSTRUMENT(added, WEIR_COUNTER, scope, "f.added", "1");
    weir_series *series = weir_bind(&added, WEIR_NO_ATTRS);
    weir_add(series, 100);
    pid_t child = fork();
    if (child == 0) {
        weir_add(series, 5);
        capture_clear();
        bool fine = weir_flush(5000) == 0 && number_of("f.added", "", "") != NULL && number_of("f.added", "", "")->as_int == 5;
        _exit(fine ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    weir_add(series, 1);
    collect();
    assert_int_equal(number_of("f.added", "", "")->as_int, 101);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counters, start_plain, stop),
        cmocka_unit_test_setup_teardown(floating_and_gauges, start_plain, stop),
        cmocka_unit_test_setup_teardown(explicit_buckets, start_plain, stop),
        cmocka_unit_test_setup_teardown(exponential_buckets, start_plain, stop),
        cmocka_unit_test_setup_teardown(many_threads, start_plain, stop),
        cmocka_unit_test_setup_teardown(delta_temporality, start_plain, stop),
        cmocka_unit_test_setup_teardown(low_memory_temporality, start_plain, stop),
        cmocka_unit_test_setup_teardown(exponential_by_default, start_plain, stop),
        cmocka_unit_test_setup_teardown(cardinality_is_limited, start_plain, stop),
        cmocka_unit_test_setup_teardown(observed_instruments, start_plain, stop),
        cmocka_unit_test_setup_teardown(views, start_plain, stop),
        cmocka_unit_test_setup_teardown(exemplars_carry_the_trace, start_plain, stop),
        cmocka_unit_test_setup_teardown(misuse, start_plain, stop),
        cmocka_unit_test_setup_teardown(the_sdks_own, start_plain, stop),
        cmocka_unit_test_setup_teardown(a_fork_doubles_nothing, start_plain, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
