/* Threads, exits, signals, unloading: the library inside a process that does not wait for it. */
#include "tests/unit/sdk/capture.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

WEIR_SCOPE(scope, "life", "1");

static _Atomic uint64_t received;

static int count_export(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)user;
    TraceRequest *request = signal == WEIR_SIGNAL_TRACES ? unpack_trace(NULL, size, otlp) : NULL;
    for (size_t g = 0; request != NULL && g < request->n_resource_spans; g++) {
        for (size_t s = 0; s < request->resource_spans[g]->n_scope_spans; s++)
            received += request->resource_spans[g]->scope_spans[s]->n_spans;
    }
    if (request != NULL)
        opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(request, NULL);
    return 0;
}

static void start(void)
{
    weir_config config = weir_config_default();
    weir_setting settings[] = { { "OTEL_BSP_SCHEDULE_DELAY", "5" }, { "OTEL_BLRP_SCHEDULE_DELAY", "5" }, { "OTEL_LOG_LEVEL", "none" } };
    config.no_environment = true;
    config.export_fn = count_export;
    config.settings = settings;
    config.setting_count = 3;
    assert_int_equal(weir_init(&config), 0);
}

static weir_stats_values stats(void)
{
    weir_stats_values values = { .size = sizeof(values) };
    weir_stats(&values);
    return values;
}

static void *record_some(void *argument)
{
    unsigned count = *(const unsigned *)argument;
    for (unsigned i = 0; i < count; i++) {
        WEIR_SPAN(span, scope, "outer", WEIR_INTERNAL, NULL);
        WEIR_SET(&span, "i", i);
        WEIR_SPAN(inner, scope, "inner", WEIR_INTERNAL, NULL);
        weir_log(&scope, WEIR_INFO, WEIR_S("text"), WEIR_NO_ATTRS);
    }
    return NULL;
}

/* ---- threads ---- */

static void threads_come_and_go(void **state)
{
    (void)state;
    unsigned count = 5;
    start();
    weir_stats_values first = stats();
    uint64_t before = received;
    for (int round = 0; round < 50; round++) {
        pthread_t threads[8];
        for (int i = 0; i < 8; i++)
            pthread_create(&threads[i], NULL, record_some, &count);
        for (int i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(weir_flush(10000), 0);
    }
    assert_int_equal(received - before, 50 * 8 * 5 * 2);
    assert_int_equal(stats().spans_started - first.spans_started, 50 * 8 * 5 * 2);
    assert_int_equal(stats().spans_live, 0);
    assert_true(stats().memory_used < 4 << 20);
    assert_int_equal(weir_shutdown(5000), 0);
}

static _Atomic bool going;

static void *record_on(void *argument)
{
    (void)argument;
    unsigned count = 10;
    while (going)
        record_some(&count);
    return NULL;
}

/* Every span is exported, dropped, or failed; none twice, none forgotten. */
static void starts_and_stops_under_load(void **state)
{
    (void)state;
    pthread_t threads[4];
    weir_stats_values first = stats();
    going = true;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, record_on, NULL);
    for (int i = 0; i < 30; i++) {
        start();
        usleep(3000);
        if (i % 3 == 0)
            weir_flush(1000);
        weir_shutdown(1000);
    }
    going = false;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    start();
    weir_shutdown(5000);
    weir_stats_values last = stats();
    assert_true(last.spans_exported > first.spans_exported);
    assert_int_equal(last.spans_started - first.spans_started,
        last.spans_exported - first.spans_exported + (last.spans_dropped - first.spans_dropped) + (last.spans_failed - first.spans_failed));
}

struct shared_span {
    weir_span span;
    _Atomic bool go;
};

static void *use_shared(void *argument)
{
    struct shared_span *shared = argument;
    while (!shared->go)
        continue;
    for (int i = 0; i < 2000; i++) {
        weir_span_set(&shared->span, weir_kv_int(WEIR_S("counter"), i));
        weir_span_event(&shared->span, WEIR_S("e"), WEIR_ATTRS(WEIR_KV("k", i)), 0);
        if (i == 1500)
            weir_span_end(&shared->span);
    }
    return NULL;
}

static void one_span_on_many_threads(void **state)
{
    (void)state;
    static struct shared_span shared;
    pthread_t threads[4];
    weir_span_opts opts = { .size = sizeof(opts), .no_activate = true };
    start();
    uint64_t before = received;
    for (int round = 0; round < 20; round++) {
        atomic_store(&shared.go, false);
        weir_span_begin(&shared.span, &scope, WEIR_S("shared"), &opts);
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, use_shared, &shared);
        atomic_store(&shared.go, true);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    assert_int_equal(weir_flush(10000), 0);
    assert_int_equal(received - before, 20);
    assert_int_equal(weir_shutdown(1000), 0);
}

/* ---- signals ---- */

/* The signal mask of the worker; false when there is no such thread. */
static bool worker_mask(unsigned long long *blocked)
{
    char path[300], line[256];
    bool found = false;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
        bool worker = false;
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
            worker |= strcmp(line, "Name:\tweir-export\n") == 0;
            found |= worker && sscanf(line, "SigBlk: %llx", blocked) == 1;
        }
        if (file != NULL)
            fclose(file);
    }
    closedir(tasks);
    return found;
}

static void worker_blocks_signals(void **state)
{
    (void)state;
    static const int closed[] = { SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGPIPE, SIGUSR1, SIGUSR2 };
    static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF };
    unsigned long long blocked = ~0ULL, wanted = 0, unwanted = 0;
    start();
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
        wanted |= 1ULL << (closed[i] - 1);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        unwanted |= 1ULL << (open[i] - 1);
    /* A new thread has every signal blocked until libc has set it up. */
    for (int i = 0; i < 500 && (!worker_mask(&blocked) || (blocked & unwanted) != 0); i++)
        usleep(10000);
    assert_int_equal(blocked & wanted, wanted);
    assert_int_equal(blocked & unwanted, 0);
    assert_int_equal(weir_shutdown(1000), 0);
}

static volatile sig_atomic_t storms;
static weir_span outer_span;

static void storm(int signal_number)
{
    (void)signal_number;
    storms++;
    weir_span span;
    weir_span_begin(&span, &scope, WEIR_S("in handler"), NULL);
    weir_span_set(&span, weir_kv_int(WEIR_S("n"), storms));
    weir_span_set(&outer_span, weir_kv_int(WEIR_S("from.handler"), storms));
    weir_log(&scope, WEIR_INFO, WEIR_S("in handler"), WEIR_NO_ATTRS);
    weir_span_end(&span);
}

static void recording_in_a_timer_storm(void **state)
{
    (void)state;
    struct itimerval timer = { { 0, 500 }, { 0, 500 } }, none = { { 0, 0 }, { 0, 0 } };
    unsigned one = 1;
    start();
    record_some(&one); /* this thread's state is there before the first signal */
    assert_int_equal(weir_flush(5000), 0);
    weir_stats_values first = stats();
    uint64_t before = received;
    signal(SIGALRM, storm);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (int i = 0; storms < 300 && i < 2000000; i++) {
        weir_span_begin(&outer_span, &scope, WEIR_S("outer"), NULL);
        weir_span_set(&outer_span, weir_kv_int(WEIR_S("i"), i));
        weir_span_end(&outer_span);
        if (i % 1000 == 0)
            weir_flush(1000);
    }
    setitimer(ITIMER_REAL, &none, NULL);
    signal(SIGALRM, SIG_DFL);
    weir_flush(5000);
    weir_stats_values last = stats();
    assert_true(storms >= 300);
    assert_int_equal(last.spans_live, 0);
    assert_int_equal(received - before, last.spans_exported - first.spans_exported);
    assert_int_equal(weir_shutdown(1000) == -ETIMEDOUT, 0);
}

/* ---- exits, each in a process of its own: this program run again with a word ---- */

static const char *self_path;

static void run(const char *mode)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        execl(self_path, self_path, mode, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void exits(void **state)
{
    (void)state;
    run("exit");
    run("_exit");
    run("quick_exit");
    run("atexit");
}

static void at_exit(void)
{
    unsigned count = 3;
    record_some(&count);
    uint64_t before = received;
    (void)before;
    if (weir_shutdown(2000) != 0 || received < 6)
        _exit(3);
    record_some(&count);
}

static int exit_in_mode(const char *mode)
{
    pthread_t threads[8];
    start();
    if (strcmp(mode, "atexit") == 0) {
        atexit(at_exit);
        return 0;
    }
    going = true;
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, record_on, NULL);
    usleep(20000);
    if (strcmp(mode, "_exit") == 0)
        _exit(0);
    if (strcmp(mode, "quick_exit") == 0)
        quick_exit(0);
    exit(0);
}

/* ---- the shared library, loaded and unloaded ---- */

/* A function's address; ISO C has no conversion for it. */
static void look_up(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    assert_non_null(address);
    memcpy(function, &address, sizeof(address));
}

static void loaded_and_unloaded(void **state)
{
    (void)state;
#ifdef WEIR_SHARED_LIBRARY
    int (*init)(const weir_config *);
    int (*shutdown)(int);
    for (int i = 0; i < 20; i++) {
        void *library = dlopen(WEIR_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL)
            fail_msg("%s", dlerror());
        look_up(library, "weir_init", &init);
        look_up(library, "weir_shutdown", &shutdown);
        weir_config config = weir_config_default();
        config.no_environment = true;
        config.export_fn = count_export;
        assert_int_equal(init(&config), 0);
        if (i % 2 == 0)
            assert_int_equal(shutdown(1000), 0);
        assert_int_equal(dlclose(library), 0);
    }
    void *library = dlopen(WEIR_SHARED_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library); /* it stays: threads may be inside at any time */
    shutdown(1000);
#endif
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return exit_in_mode(argv[1]);
    self_path = "/proc/self/exe";
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_come_and_go),
        cmocka_unit_test(starts_and_stops_under_load),
        cmocka_unit_test(one_span_on_many_threads),
        cmocka_unit_test(worker_blocks_signals),
        cmocka_unit_test(recording_in_a_timer_storm),
        cmocka_unit_test(exits),
        cmocka_unit_test(loaded_and_unloaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
