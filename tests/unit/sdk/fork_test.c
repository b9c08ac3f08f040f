/*
 * Forks: what each process records arrives exactly once, with ids of its own. Spans are collected in memory shared by all
 * processes, as the exporter of each hands them over.
 */
#include "tests/unit/sdk/capture.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

WEIR_SCOPE(scope, "fork", "1");

enum { SEEN_MAX = 200000 };

struct seen {
    pid_t exporter;                 /* the process that exported it */
    int64_t resource_pid, recorder; /* the process that its resource names; the one that says it recorded it */
    uint8_t trace_id[16], span_id[8], parent_id[8];
};

static struct shared {
    _Atomic uint32_t count;
    _Atomic uint32_t broken;
    struct seen seen[SEEN_MAX];
} * shared;

static int64_t int_of(KeyValue **attributes, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(attributes[i]->key, key) == 0)
            return attributes[i]->value->int_value;
    }
    return -1;
}

static int export(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)user;
    TraceRequest *request = signal == WEIR_SIGNAL_TRACES ? unpack_trace(NULL, size, otlp) : NULL;
    if (request == NULL) {
        shared->broken += signal == WEIR_SIGNAL_TRACES;
        return 0;
    }
    Opentelemetry__Proto__Trace__V1__ResourceSpans *group = request->resource_spans[0];
    for (size_t s = 0; s < group->n_scope_spans; s++) {
        for (size_t i = 0; i < group->scope_spans[s]->n_spans; i++) {
            Span *span = group->scope_spans[s]->spans[i];
            struct seen *seen = &shared->seen[atomic_fetch_add(&shared->count, 1)];
            seen->exporter = getpid();
            seen->resource_pid = int_of(group->resource->attributes, group->resource->n_attributes, "process.pid");
            seen->recorder = int_of(span->attributes, span->n_attributes, "pid");
            memcpy(seen->trace_id, span->trace_id.data, 16);
            memcpy(seen->span_id, span->span_id.data, 8);
            memset(seen->parent_id, 0, 8);
            if (span->parent_span_id.len == 8)
                memcpy(seen->parent_id, span->parent_span_id.data, 8);
        }
    }
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(request, NULL);
    return 0;
}

static void start(void)
{
    weir_setting settings[] = { { "OTEL_BSP_MAX_QUEUE_SIZE", "100000" }, { "OTEL_BSP_SCHEDULE_DELAY", "60000" } };
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.export_fn = export;
    config.settings = settings;
    config.setting_count = 2;
    assert_int_equal(weir_init(&config), 0);
    /* The worker is up and asleep before anybody forks: a sanitizer's allocator does not release in the child what a
     * thread that is just starting holds in the parent. */
    weir_flush(5000);
}

static int before(void **state)
{
    (void)state;
    atomic_store(&shared->count, 0);
    return 0;
}

static int after(void **state)
{
    (void)state;
    weir_shutdown(2000);
    return 0;
}

/* Every second one is a child of the one before. */
static void record(unsigned count)
{
    for (unsigned i = 0; i < count; i += 2) {
        WEIR_SPAN(span, scope, "x", WEIR_INTERNAL, NULL);
        WEIR_SET(&span, "pid", getpid());
        if (i + 1 == count)
            break;
        WEIR_SPAN(inner, scope, "y", WEIR_INTERNAL, NULL);
        WEIR_SET(&inner, "pid", getpid());
    }
}

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct seen *)a)->span_id, ((const struct seen *)b)->span_id, 8);
}

static bool has_parent(const struct seen *seen)
{
    static const uint8_t none[8];
    struct seen wanted;

    if (memcmp(seen->parent_id, none, 8) == 0)
        return true;
    memcpy(wanted.span_id, seen->parent_id, 8);
    const struct seen *parent = bsearch(&wanted, shared->seen, shared->count, sizeof(wanted), compare);
    return parent != NULL && memcmp(parent->trace_id, seen->trace_id, 16) == 0;
}

/* All ids differ, every parent is there, and every span was exported by the process that recorded it. */
static void check(unsigned expected)
{
    assert_int_equal(shared->broken, 0);
    assert_int_equal(shared->count, expected);
    qsort(shared->seen, shared->count, sizeof(shared->seen[0]), compare);
    for (unsigned i = 0; i < shared->count; i++) {
        const struct seen *seen = &shared->seen[i];
        assert_int_equal(seen->exporter, seen->recorder);
        assert_int_equal(seen->resource_pid, seen->recorder);
        assert_true(has_parent(seen));
        if (i > 0)
            assert_memory_not_equal(seen->span_id, seen[-1].span_id, 8);
    }
}

static void join(pid_t child)
{
    int status;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void parent_and_child_each_once(void **state)
{
    (void)state;
    start();
    record(3);
    weir_span open;
    weir_span_begin(&open, &scope, WEIR_S("open"), NULL);
    pid_t child = fork();
    if (child == 0) {
        record(2);
        weir_span_end(&open); /* the parent's: not recorded here */
        weir_ctx current = weir_ctx_current();
        int result = weir_flush(5000);
        weir_stats_values stats = { .size = sizeof(stats) };
        weir_stats(&stats);
        _exit(result == 0 && !weir_ctx_valid(&current) && stats.spans_exported == 2 && stats.spans_started == 2 ? 0 : 1);
    }
    join(child);
    weir_span_set(&open, WEIR_KV("pid", getpid()));
    weir_span_end(&open);
    assert_int_equal(weir_flush(5000), 0);
    check(3 + 1 + 2);
}

/* The child's spans are children of the parent's open one. */
static void a_trace_goes_on_in_the_child(void **state)
{
    (void)state;
    start();
    WEIR_SPAN(open, scope, "open", WEIR_INTERNAL, NULL);
    WEIR_SET(&open, "pid", getpid());
    pid_t child = fork();
    if (child == 0) {
        record(1);
        _exit(weir_flush(5000));
    }
    join(child);
    assert_int_equal(shared->count, 1);
    assert_memory_equal(shared->seen[0].trace_id, open.ctx.trace_id, 16);
}

static void initialised_in_the_child_only(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        start();
        record(5);
        _exit(weir_shutdown(5000));
    }
    join(child);
    check(5);
}

static void exit_without_flush(void **state)
{
    (void)state;
    start();
    pid_t child = fork();
    if (child == 0) {
        record(5);
        _exit(0);
    }
    join(child);
    record(1);
    assert_int_equal(weir_flush(5000), 0);
    check(1);
}

static void *fork_here(void *argument)
{
    (void)argument;
    record(2);
    pid_t child = fork();
    if (child == 0) {
        record(2);
        _exit(weir_flush(5000));
    }
    join(child);
    return NULL;
}

static void forked_by_another_thread(void **state)
{
    (void)state;
    pthread_t thread;
    start();
    record(1);
    pthread_create(&thread, NULL, fork_here, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(weir_flush(5000), 0);
    check(5);
}

static void grandchildren(void **state)
{
    (void)state;
    start();
    record(1);
    pid_t child = fork();
    if (child == 0) {
        record(1);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            record(1);
            _exit(weir_shutdown(5000));
        }
        int status;
        waitpid(grandchild, &status, 0);
        _exit(status != 0 || weir_shutdown(5000) != 0);
    }
    join(child);
    assert_int_equal(weir_flush(5000), 0);
    check(3);
}

/* As nginx: the master starts the SDK, four workers and the master itself record. */
static void master_and_four_workers(void **state)
{
    (void)state;
    pid_t workers[4];
    start();
    for (int i = 0; i < 4; i++) {
        workers[i] = fork();
        if (workers[i] == 0) {
            record(1000);
            _exit(weir_shutdown(5000));
        }
        record(100);
    }
    for (int i = 0; i < 4; i++)
        join(workers[i]);
    assert_int_equal(weir_flush(5000), 0);
    check(4 * 1000 + 4 * 100);
}

static int refuse(weir_signal signal, const void *otlp, size_t size, void *user)
{
    (void)otlp;
    (void)size;
    (void)user;
    return signal == WEIR_SIGNAL_TRACES ? -ECONNREFUSED : 0;
}

/* A flush in the child says what became of the child's own spans, and of them only. */
static void a_flush_in_the_child_is_truthful(void **state)
{
    (void)state;
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.export_fn = refuse;
    assert_int_equal(weir_init(&config), 0);
    record(2);
    assert_int_equal(weir_flush(5000), -EIO);
    record(2);
    pid_t child = fork();
    if (child == 0) {
        bool quiet = weir_flush(5000) == 0; /* nothing of its own yet */
        record(3);
        bool told = weir_flush(5000) == -EIO;
        weir_stats_values stats = { .size = sizeof(stats) };
        weir_stats(&stats);
        _exit(quiet && told && stats.spans_failed == 3 && stats.spans_exported == 0 ? 0 : 1);
    }
    join(child);
    assert_int_equal(weir_flush(5000), -EIO);
}

static pid_t raw_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* What runs no fork handlers: vfork and posix_spawn, which exec at once, and clone, whose child says so itself. */
static void vfork_spawn_and_clone(void **state)
{
    (void)state;
    static char *const words[] = { (char *)"true", NULL };
    pid_t spawned;
    start();
    record(2);
    pid_t child = vfork();
    if (child == 0) {
        execv("/bin/true", words);
        _exit(99);
    }
    join(child);
    assert_int_equal(posix_spawn(&spawned, "/bin/true", NULL, NULL, words, environ), 0);
    join(spawned);
    record(2);
    child = raw_clone();
    if (child == 0) {
        weir_after_fork_child();
        /* libc has not seen this child, so its worker is not asked for: nothing of the parent's may be left to export. */
        weir_stats_values stats = { .size = sizeof(stats) };
        weir_stats(&stats);
        syscall(SYS_exit_group, stats.spans_started == 0 && stats.queue_spans == 0 ? 0 : 1);
    }
    join(child);
    record(1);
    assert_int_equal(weir_flush(5000), 0);
    check(5);
}

#if !defined(__SANITIZE_ADDRESS__)
static _Atomic bool loading;
static _Atomic uint32_t loaded;

static void *load(void *argument)
{
    (void)argument;
    while (loading && loaded < SEEN_MAX / 2) {
        record(20);
        loaded += 20;
        usleep(1000);
    }
    return NULL;
}

static void a_thousand_forks_under_load(void **state)
{
    (void)state;
    enum { FORKS = 1000 };
    pthread_t threads[3];
    start();
    loading = true;
    loaded = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, load, NULL);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            record(3);
            _exit(weir_flush(10000));
        }
        join(child);
        if (i % 100 == 99)
            assert_int_equal(weir_flush(10000), 0);
    }
    loading = false;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(weir_flush(10000), 0);
    check(loaded + FORKS * 3);
}

#endif

int main(void)
{
#if defined(__SANITIZE_THREAD__)
    return 0; /* the sanitizer refuses threads in forked children */
#endif
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(initialised_in_the_child_only, before, after),
        cmocka_unit_test_setup_teardown(parent_and_child_each_once, before, after),
        cmocka_unit_test_setup_teardown(a_trace_goes_on_in_the_child, before, after),
        cmocka_unit_test_setup_teardown(exit_without_flush, before, after),
        cmocka_unit_test_setup_teardown(forked_by_another_thread, before, after),
        cmocka_unit_test_setup_teardown(grandchildren, before, after),
        cmocka_unit_test_setup_teardown(master_and_four_workers, before, after),
        cmocka_unit_test_setup_teardown(a_flush_in_the_child_is_truthful, before, after),
        cmocka_unit_test_setup_teardown(vfork_spawn_and_clone, before, after),
#if !defined(__SANITIZE_ADDRESS__) /* its allocator's locks are not released in the child when other threads allocate */
        cmocka_unit_test_setup_teardown(a_thousand_forks_under_load, before, after),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
