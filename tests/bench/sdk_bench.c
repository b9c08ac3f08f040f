/*
 * What the SDK costs the calling thread, in nanoseconds and allocations for each operation, beside the floor: two clock reads and three random
 * words. Operations run in bursts of a thousand with a flush between, which is not timed, so that the queue never fills: a run that
 * dropped anything says so and fails. Times are the calling thread's processor time. The exporter throws away.
 *
 * usage: sdk_bench [BURSTS]        (default 400)
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/allocations.h"
#include "weir/weir.h"

enum { BURST = 1000, BURSTS_MAX = 5000 };

WEIR_SCOPE(scope, "bench", "1.0");
WEIR_INSTRUMENT(counter, WEIR_COUNTER, scope, "bench.counter", "1");
WEIR_INSTRUMENT(histogram, WEIR_HISTOGRAM, scope, "bench.histogram", "1");

static unsigned bursts = 400;
static weir_series *bound[3], *recorded;
static weir_ctx remote;
static volatile uint64_t sink;

/* Of this thread alone: what others do on its processor, the exporting thread among them, does not count. */
static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static int throw_away(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)signal;
    (void)otlp;
    (void)size;
    (void)user;
    return 0;
}

/* ---- operations, compiled into the loop as they would be into a program ---- */

#define OPERATION static inline __attribute__((always_inline))

OPERATION void floor_of_all(void)
{
    static uint64_t state = 88172645463325252ULL;
    struct timespec time;

    for (int i = 0; i < 2; i++) {
        clock_gettime(CLOCK_REALTIME, &time);
        sink += (uint64_t)time.tv_nsec;
    }
    for (int i = 0; i < 3; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    sink += state;
}

OPERATION void span_empty(void)
{
    WEIR_SPAN(span, scope, "operation", WEIR_INTERNAL, NULL);
}

OPERATION void span_four(void)
{
    WEIR_SPAN(span, scope, "operation", WEIR_INTERNAL, NULL);
    WEIR_SET(&span, "http.request.method", "GET");
    WEIR_SET(&span, "url.path", "/order/1234");
    WEIR_SET(&span, "http.response.status_code", 200);
    WEIR_SET(&span, "server.address", "localhost");
}

/* The span of the specification's performance benchmark. */
OPERATION void span_specification(void)
{
    WEIR_SPAN(span, scope, "root", WEIR_INTERNAL, NULL);
    WEIR_SET(&span, "attribute", 1234567);
    weir_span_event(&span, WEIR_S("event"), WEIR_NO_ATTRS, 0);
}

OPERATION void span_ten(void)
{
    WEIR_SPAN(span, scope, "operation", WEIR_INTERNAL, NULL);
    WEIR_SET(&span, "attribute.of.20.ch.0", "value of 20 chars. 0");
    WEIR_SET(&span, "attribute.of.20.ch.1", "value of 20 chars. 1");
    WEIR_SET(&span, "attribute.of.20.ch.2", "value of 20 chars. 2");
    WEIR_SET(&span, "attribute.of.20.ch.3", "value of 20 chars. 3");
    WEIR_SET(&span, "attribute.of.20.ch.4", "value of 20 chars. 4");
    WEIR_SET(&span, "attribute.of.20.ch.5", "value of 20 chars. 5");
    WEIR_SET(&span, "attribute.of.20.ch.6", "value of 20 chars. 6");
    WEIR_SET(&span, "attribute.of.20.ch.7", "value of 20 chars. 7");
    WEIR_SET(&span, "attribute.of.20.ch.8", "value of 20 chars. 8");
    WEIR_SET(&span, "attribute.of.20.ch.9", "value of 20 chars. 9");
}

OPERATION void log_two(void)
{
    weir_log(&scope, WEIR_INFO, WEIR_S("a message of usual length"), WEIR_ATTRS(WEIR_KV("key", "value"), WEIR_KV("number", 5)));
}

static weir_str get(const void *carrier, weir_str name, size_t nth)
{
    const weir_str *pairs = carrier;

    for (; nth == 0 && pairs->p != NULL; pairs += 2) {
        if (pairs->n == name.n && memcmp(pairs->p, name.p, name.n) == 0)
            return pairs[1];
    }
    return weir_sn(NULL, 0);
}

static int set(void *carrier, weir_str name, weir_str value)
{
    *(size_t *)carrier += name.n + value.n;
    return 0;
}

OPERATION void extract(void)
{
    static const weir_str headers[] = { { "traceparent", 11 }, { "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55 },
        { NULL, 0 } };

    weir_extract(&remote, get, headers);
}

OPERATION void extract_full(void)
{
    static const weir_str headers[] = { { "traceparent", 11 }, { "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55 },
        { "tracestate", 10 }, { "vendor=value,other=thing", 24 }, { "baggage", 7 }, { "user=alice,tier=gold", 20 }, { NULL, 0 } };

    weir_extract(&remote, get, headers);
}

OPERATION void inject(void)
{
    size_t size = 0;

    weir_inject(&remote, set, &size);
    sink += size;
}

OPERATION void add_0(void)
{
    weir_add(bound[0], 1);
}

OPERATION void add_4(void)
{
    weir_add(bound[2], 1);
}

OPERATION void add_unbound_1(void)
{
    weir_add_attrs(&counter, 1, WEIR_ATTRS(WEIR_KV("method", "GET")));
}

OPERATION void add_unbound_4(void)
{
    weir_add_attrs(
        &counter, 1, WEIR_ATTRS(WEIR_KV("method", "GET"), WEIR_KV("code", 200), WEIR_KV("route", "/order"), WEIR_KV("host", "a")));
}

OPERATION void record(void)
{
    weir_record(recorded, 17);
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double times[BURSTS_MAX];

static void print_row(const char *name, double budget, unsigned long counted)
{
    qsort(times, bursts, sizeof(times[0]), compare);
    double median = times[bursts / 2];
    printf("%-34s %8.1f %8.1f %8.1f %8.2f", name, median, times[bursts / 10], times[bursts * 9 / 10], (double)counted / BURST / bursts);
    if (budget > 0)
        printf(" %8.0f%s", budget, median > budget ? "  over" : "");
    printf("\n");
}

/* The first burst's allocations are warming up. */
#define ROW(name_, budget_, operation_)                                                                                                    \
    do {                                                                                                                                   \
        unsigned long counted_ = 0;                                                                                                        \
        for (unsigned i_ = 0; i_ < bursts; i_++) {                                                                                         \
            unsigned long before_ = allocations;                                                                                           \
            uint64_t start_ = now();                                                                                                       \
            for (int j_ = 0; j_ < BURST; j_++)                                                                                             \
                operation_();                                                                                                              \
            times[i_] = (double)(now() - start_) / BURST;                                                                                  \
            counted_ += i_ > 0 ? allocations - before_ : 0;                                                                                \
            weir_flush(-1);                                                                                                                \
        }                                                                                                                                  \
        print_row(name_, budget_, counted_);                                                                                               \
    } while (0)

static void start(const char *sampler)
{
    weir_setting settings[] = { { "OTEL_TRACES_SAMPLER", sampler }, { "OTEL_SERVICE_NAME", "bench" },
        { "OTEL_BSP_MAX_QUEUE_SIZE", "4096" } };
    weir_config config = weir_config_default();

    config.no_environment = true;
    config.settings = settings;
    config.setting_count = 3;
    config.export_fn = throw_away;
    if (weir_init(&config) != 0)
        exit(1);
    bound[0] = weir_bind(&counter, WEIR_NO_ATTRS);
    bound[1] = weir_bind(&counter, WEIR_ATTRS(WEIR_KV("method", "GET")));
    bound[2] =
        weir_bind(&counter, WEIR_ATTRS(WEIR_KV("method", "GET"), WEIR_KV("code", 200), WEIR_KV("route", "/order"), WEIR_KV("host", "a")));
    recorded = weir_bind(&histogram, WEIR_NO_ATTRS);
}

/* ---- threads: what a recorded span and a bound addition cost each of several threads, which should not grow ---- */

enum { SCALING_BURSTS = 200 };

static pthread_barrier_t barrier;

/* All threads wait while one flushes, so that the queue never fills. The median of the bursts counts. */
static void *loop(void *argument)
{
    double bursts_of_one[SCALING_BURSTS];

    for (int i = 0; i < SCALING_BURSTS; i++) {
        uint64_t started = now();
        for (int j = 0; j < BURST; j++) {
            span_empty();
            add_4();
        }
        bursts_of_one[i] = (double)(now() - started) / BURST;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            weir_flush(-1);
        pthread_barrier_wait(&barrier);
    }
    qsort(bursts_of_one, SCALING_BURSTS, sizeof(double), compare);
    *(double *)argument = bursts_of_one[SCALING_BURSTS / 2];
    return NULL;
}

static double scaling(unsigned threads)
{
    pthread_t ids[8];
    double each[8], sum = 0;

    pthread_barrier_init(&barrier, NULL, threads);
    for (unsigned i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, loop, &each[i]);
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum += each[i];
    }
    pthread_barrier_destroy(&barrier);
    return sum / threads;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        bursts = (unsigned)strtoul(argv[1], NULL, 10);
    if (bursts < 10 || bursts > BURSTS_MAX)
        bursts = 400;
    printf("%-34s %8s %8s %8s %8s %8s\n", "operation", "median", "p10", "p90", "mallocs", "budget");
    ROW("floor: 2 clock reads, 3 random", 0, floor_of_all);
    ROW("disabled: span", 2, span_empty);
    ROW("disabled: span, 4 attributes", 0, span_four);
    start("always_off");
    ROW("unsampled: span", 40, span_empty);
    weir_shutdown(1000);
    start("always_on");
    ROW("span: start, activate, end", 120, span_empty);
    ROW("span, 4 attributes", 180, span_four);
    ROW("span, 1 attribute, 1 event", 0, span_specification);
    ROW("span, 10 attributes of 20+20", 0, span_ten);
    ROW("log, 2 attributes", 150, log_two);
    ROW("extract traceparent", 80, extract);
    ROW("inject traceparent", 0, inject);
    ROW("extract with state and baggage", 0, extract_full);
    ROW("counter add, bound, 0 attributes", 5, add_0);
    ROW("counter add, bound, 4 attributes", 5, add_4);
    ROW("counter add, unbound, 1 attribute", 0, add_unbound_1);
    ROW("counter add, unbound, 4 attributes", 0, add_unbound_4);
    ROW("histogram record, bound", 0, record);
    weir_stats_values stats = { .size = sizeof(stats) };
    weir_stats(&stats);
    printf("spans started %llu, exported %llu, dropped %llu\n", (unsigned long long)stats.spans_started,
        (unsigned long long)stats.spans_exported, (unsigned long long)stats.spans_dropped);
    weir_shutdown(1000);
    start("always_on");
    double one = scaling(1), two = scaling(2);
    printf(
        "scaling: a span and an addition, 1 thread %.1f ns, 2 threads %.1f ns each: %.2f times the throughput\n", one, two, 2 * one / two);
    weir_shutdown(1000);
    return stats.spans_dropped != 0 || stats.logs_dropped != 0;
}
