/*
 * libweir's side of ./dev bench sdk: the same operations and the same steady rate as ../rust/src/main.rs and ../go/main.go, with the
 * batch processors and the OTLP/HTTP exporter, configured by the same OTEL_* variables.
 *
 * usage: sdk_weir ops BURSTS | sdk_weir rate SPANS_PER_SECOND SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/bench/allocations.h"
#include "weir/weir.h"

enum { BURST = 1000, BURSTS_MIN = 10, BURSTS_MAX = 5000 };

WEIR_SCOPE(scope, "bench", "");
WEIR_INSTRUMENT(counter, WEIR_COUNTER, scope, "bench.counter", "");

static const weir_span_opts not_current = { .size = sizeof(weir_span_opts), .no_activate = true };
static weir_series *bound;

static uint64_t now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* Compiled into the loop, as it would be into a program. */
#define OPERATION static inline __attribute__((always_inline))

OPERATION void span_empty(void)
{
    weir_span span;

    weir_span_begin(&span, &scope, WEIR_S("operation"), &not_current);
    weir_span_end(&span);
}

OPERATION void span_current(void)
{
    WEIR_SPAN(span, scope, "operation", WEIR_INTERNAL, NULL);
}

static void span_four(void)
{
    weir_span span;

    weir_span_begin(&span, &scope, WEIR_S("operation"), &not_current);
    WEIR_SET(&span, "http.request.method", "GET");
    WEIR_SET(&span, "url.path", "/order/1234");
    WEIR_SET(&span, "http.response.status_code", 200);
    WEIR_SET(&span, "server.address", "localhost");
    weir_span_end(&span);
}

OPERATION void log_two(void)
{
    weir_log(&scope, WEIR_INFO, WEIR_S("a message of usual length"), WEIR_ATTRS(WEIR_KV("key", "value"), WEIR_KV("number", 5)));
}

#define FOUR WEIR_ATTRS(WEIR_KV("method", "GET"), WEIR_KV("code", 200), WEIR_KV("route", "/order"), WEIR_KV("host", "a"))

OPERATION void add_bound(void)
{
    weir_add(bound, 1);
}

OPERATION void add_four(void)
{
    weir_add_attrs(&counter, 1, FOUR);
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double times[BURSTS_MAX];

static void print_row(const char *name, unsigned bursts, unsigned long counted)
{
    qsort(times, bursts, sizeof(times[0]), compare);
    printf("{\"case\": \"%s\", \"median\": %.2f, \"p10\": %.2f, \"p90\": %.2f, \"mallocs\": %.3f}\n", name, times[bursts / 2],
        times[bursts / 10], times[bursts * 9 / 10], (double)counted / BURST / (bursts - 1));
}

/* Processor time of this thread; the flush between bursts is not timed. */
#define ROW(name_, operation_)                                                                                                             \
    do {                                                                                                                                   \
        unsigned long counted_ = 0;                                                                                                        \
        for (unsigned i_ = 0; i_ < bursts; i_++) {                                                                                         \
            unsigned long before_ = allocations;                                                                                           \
            uint64_t start_ = now(CLOCK_THREAD_CPUTIME_ID);                                                                                \
            for (int j_ = 0; j_ < BURST; j_++)                                                                                             \
                operation_();                                                                                                              \
            times[i_] = (double)(now(CLOCK_THREAD_CPUTIME_ID) - start_) / BURST;                                                           \
            counted_ += i_ > 0 ? allocations - before_ : 0;                                                                                \
            weir_flush(-1);                                                                                                                \
        }                                                                                                                                  \
        print_row(name_, bursts, counted_);                                                                                                \
    } while (0)

/* Everything but the sampler comes from the environment, as in the other programs. */
static void start(const char *sampler)
{
    weir_setting setting = { "OTEL_TRACES_SAMPLER", sampler };
    weir_config config = weir_config_default();

    config.settings = &setting;
    config.setting_count = 1;
    if (weir_init(&config) != 0)
        exit(1);
}

static void operations(unsigned bursts)
{
    start("always_on");
    bound = weir_bind(&counter, FOUR);
    ROW("span", span_empty);
    ROW("span_current", span_current);
    ROW("span_4", span_four);
    ROW("log_2", log_two);
    ROW("counter_bound", add_bound);
    ROW("counter_4", add_four);
    weir_shutdown(5000);
    start("always_off");
    ROW("unsampled", span_empty);
    weir_shutdown(5000);
}

/* ---- a steady rate ---- */

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static long memory_kib(const char *word)
{
    char line[256];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, word, strlen(word)) == 0)
            value = strtol(line + strlen(word), NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

/* Each millisecond begins as many spans as are due. */
static void rate(uint64_t per_second, uint64_t seconds)
{
    const struct timespec tick = { 0, 1000000 }, settle = { 0, 300000000 };
    uint64_t sent = 0, total = per_second * seconds;
    long empty = memory_kib("VmRSS:");

    start("always_on");
    nanosleep(&settle, NULL);
    long rest = memory_kib("VmRSS:");
    double cpu = cpu_seconds();
    uint64_t started = now(CLOCK_MONOTONIC);
    while (sent < total) {
        uint64_t due = (now(CLOCK_MONOTONIC) - started) / 1000 * per_second / 1000000;
        for (; sent < due && sent < total; sent++)
            span_four();
        nanosleep(&tick, NULL);
    }
    double elapsed = (double)(now(CLOCK_MONOTONIC) - started) / 1e9;
    weir_flush(-1);
    double used = cpu_seconds() - cpu;
    weir_shutdown(5000);
    printf("{\"sent\": %llu, \"seconds\": %.3f, \"cpu_seconds\": %.4f, \"empty_kib\": %ld, \"rest_kib\": %ld, \"peak_kib\": %ld}\n",
        (unsigned long long)sent, elapsed, used, empty, rest, memory_kib("VmHWM:"));
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "ops") == 0) {
        unsigned bursts = (unsigned)strtoul(argv[2], NULL, 10);
        operations(bursts < BURSTS_MIN ? BURSTS_MIN : bursts > BURSTS_MAX ? BURSTS_MAX : bursts);
    } else if (argc == 4 && strcmp(argv[1], "rate") == 0) {
        rate(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    } else {
        fprintf(stderr, "usage: sdk_weir ops BURSTS | sdk_weir rate SPANS_PER_SECOND SECONDS\n");
        return 2;
    }
    return 0;
}
